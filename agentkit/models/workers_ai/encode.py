"""Our request -> the body that Workers AI takes, on `/ai/run` and on `/ai/v1/chat/completions`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agentkit.core.messages import Message, ToolSpec, User
from agentkit.core.settings import Settings
from agentkit.errors import UsageError
from agentkit.models import json_bytes
from agentkit.models.chat_completions.encode import Encoded, Encoder
from agentkit.models.chat_completions.profiles import WORKERS_AI, Profile
from agentkit.models.chat_completions.tools import Offered
from agentkit.models.model import OutputSchema, Request
from agentkit.models.workers_ai.catalogue import Capabilities

MAX_TOKENS = 4096
"""Sent when the caller sets none: the server's own default (2000, or 256 in a batch) cuts answers off."""

_FORCED = frozenset({None, "auto", "none"})


def profile_of(can: Capabilities, *, native: bool, json_mode: bool = True) -> Profile:
    """What this model's server differs in, as the encoder of chat completions wants to know it.

    Args:
        can: What the model can do.
        native: The wire is `/ai/run`.
        json_mode: The server may be asked for JSON; else the model is told of it in words.
    """
    return replace(
        WORKERS_AI,
        max_tokens=MAX_TOKENS,
        tool_choices=can.tool_choices,
        stream_usage=not native,  # no field of the native schema: the usage comes unasked
        output="json_schema" if json_mode else None,
        output_with_tools=False,  # Cloudflare's clients never combine them
    )


def forces_a_call(settings: Settings) -> bool:
    """Whether `tool_choice` asks for a call."""
    return settings.tool_choice not in _FORCED


class WorkersEncoder(Encoder):
    """Encodes for a model of Workers AI."""

    def __init__(self, model: str, can: Capabilities, *, native: bool, json_mode: bool = True) -> None:
        super().__init__(model, profile_of(can, native=native, json_mode=json_mode))
        self._can = can
        self._native = native
        self._flat: dict[bytes, bytes] = {}  # a list of tools, nested -> the same, flat
        self._guided = native and json_mode and can.json_form == "guided_json"
        if native:
            self._head = b'{"messages":['  # the model stands in the address

    def encode(self, request: Request, settings: Settings, *, stream: bool) -> Encoded:
        """The body of a request.

        Raises:
            UsageError: It holds what this model cannot take.
        """
        if not request.messages:
            raise UsageError("there are no messages to answer")
        check_content(request.messages, self._can)
        dropped: dict[str, Any] = dict.fromkeys(self._can.dropped)
        settings = replace(self._named(request, settings), **dropped)
        if request.output is not None and not request.tools and self._guided:
            settings = replace(settings, extra={**settings.extra, "guided_json": request.output.schema})
            request = replace(request, output=None)
        return super().encode(request, settings, stream=stream)

    def _offer(self, specs: Sequence[ToolSpec]) -> Offered:
        offered = super()._offer(specs)
        if not (self._can.flat_tools and self._native and offered.entries):
            return offered
        if offered.entries not in self._flat:
            entries = json_bytes.loads(offered.entries)
            self._flat[offered.entries] = json_bytes.dumps([entry["function"] for entry in entries])
        return replace(offered, entries=self._flat[offered.entries])

    def _named(self, request: Request, settings: Settings) -> Settings:
        """`required` is advice here, the named form is enforced (cloudflare/ai#560); of one tool both mean the same."""
        if settings.tool_choice == "required" and len(request.tools) == 1 and "named" in self._can.tool_choices:
            return replace(settings, tool_choice=request.tools[0].name)
        return settings

    def _output(self, output: OutputSchema | None, offered: Offered) -> tuple[OutputSchema | None, bytes]:
        told, response_format = super()._output(output, offered)
        if output is None or not response_format or not self._native or self._can.json_form == "envelope":
            return told, response_format
        return told, json_bytes.dumps({"type": "json_schema", "json_schema": output.schema})


def prompt_body(prompt: str, settings: Settings, can: Capabilities) -> dict[str, Any]:
    """The body of the Prompt form.

    Args:
        prompt: The text to go on with, or to answer.
        settings: Sampling; what a prompt knows no use for (tools) is left out.
        can: What the model can do.

    Raises:
        UsageError: The prompt is empty.
    """
    if not isinstance(prompt, str) or not prompt:
        raise UsageError("the prompt is empty: give a text of at least one character")
    sampling = {name: getattr(settings, name) for name in (*can.ranges, "stop", "reasoning_effort")}
    fields = {**sampling, "max_tokens": settings.max_tokens or MAX_TOKENS}
    kept = {name: value for name, value in fields.items() if value is not None and name not in can.dropped}
    return {"prompt": prompt, **kept, **settings.extra}


def check_content(messages: Sequence[Message], can: Capabilities) -> None:
    """Refuse images that no one would look at.

    Raises:
        UsageError: The model sees no images, or an image is an address (Workers AI fetches none).
    """
    for message in messages:
        if not isinstance(message, User) or isinstance(message.content, str):
            continue
        for part in message.content:
            if part.get("type") == "text":
                continue
            if not can.vision:
                raise UsageError(f"this model takes text only, and a message holds a part of type {part.get('type')!r}")
            image = part.get("image_url")
            url = image.get("url", "") if isinstance(image, Mapping) else image
            if isinstance(url, str) and url.startswith(("http://", "https://")):
                raise UsageError("Workers AI fetches no images: give a data URL (data:image/png;base64,...)")


def check_functions(functions: Sequence[Mapping[str, Any]], *, native: bool) -> list[dict[str, str]]:
    """`functions` as they are sent: opaque, and never executed here.

    Raises:
        UsageError: One is not `{"name": str, "code": str}`, or the wire knows another meaning of the word.
    """
    if functions and not native:
        raise UsageError('functions=[{name, code}] exist on transport="native" only: chat completions mean others')
    for function in functions:
        well = isinstance(function, Mapping) and all(isinstance(function.get(key), str) for key in ("name", "code"))
        if not well or len(function) != 2:
            raise UsageError(f'a function must be {{"name": str, "code": str}}, got {function!r}')
    return [dict(function) for function in functions]
