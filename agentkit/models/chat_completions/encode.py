"""Our request -> the JSON body of a chat completion.

Each message is encoded once in a run and each list of tools once in a model's life: the body is joined from cached
bytes, so that a step costs the same however long the history is, and the bytes in front stay the same from turn to
turn (prompt caches depend on it).

Ids: on the wire a call has its provider's id, if that is legal there and no earlier call has it; else our own id, or
one made from it. No two calls of a history share an id.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import chain, count
from typing import Any

from agentkit.core.messages import Assistant, Message, System, ToolCall, ToolResult, ToolSpec, User
from agentkit.core.settings import Settings
from agentkit.errors import UsageError
from agentkit.models import json_bytes
from agentkit.models.chat_completions.profiles import Profile
from agentkit.models.chat_completions.tools import NO_TOOLS, Offered, offer, wire_name
from agentkit.models.dialects.typed_output import schema_instructions
from agentkit.models.model import OutputSchema, Request

MAX_TOOL_LISTS = 64
"""How many different lists of tools one encoder remembers."""

_OWN_RULES = frozenset({"tool_choice", "parallel_tool_calls", "max_tokens", "timeout_s", "extra"})
_FIELDS = frozenset({"model", "messages", "tools", "response_format"})
_CHOICES = frozenset({"auto", "none", "required"})
_PLAIN_SETTINGS = tuple(f.name for f in fields(Settings) if f.name not in _OWN_RULES)
_STRICT = json.JSONDecoder(parse_constant=lambda name: float(name.strip("-").lower() + "?"))  # refuses NaN and Infinity
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Encoded:
    """One request, ready to send.

    Attributes:
        body: JSON.
        offered: The tools in it, to read the answer with.
    """

    body: bytes
    offered: Offered


@dataclass(slots=True)
class _RunMemo:
    """What one run's requests have encoded so far."""

    shown: tuple[Message, ...] = ()  # the messages of the last request
    pieces: list[bytes] = field(default_factory=list)  # they, encoded
    wire_ids: dict[str, str] = field(default_factory=dict)  # our id of a call -> its id on the wire
    used_ids: set[str] = field(default_factory=set)


class Encoder:
    """Encodes the requests to one model on one kind of server."""

    def __init__(self, model: str, profile: Profile) -> None:
        self._head = f'{{"model":{json.dumps(model)},"messages":['.encode()
        self.profile = profile
        self._legal_id = re.compile(profile.call_ids)
        self._tool_lists: dict[tuple[int, ...], tuple[Sequence[ToolSpec], Offered]] = {}
        self._format: tuple[OutputSchema | None, bytes] = (None, b"")

    def encode(self, request: Request, settings: Settings, *, stream: bool) -> Encoded:
        """The body of a request.

        Args:
            request: What to ask.
            settings: The model's own settings with the request's over them.
            stream: Whether to ask for an event stream.

        Raises:
            UsageError: `tool_choice` names a tool that is not offered.
        """
        offered = self._offer(self._declared(request, settings))
        memo = request.memo.setdefault(self, _RunMemo())
        told, response_format = self._output(request.output, offered)
        messages = arrange(request.messages, self.profile, told)
        rest = self._fields(request, settings, offered, stream=stream)
        body = [self._head, b",".join(self._pieces(messages, offered, memo)), b"]"]
        if offered.entries:
            body += [b',"tools":', offered.entries]
        if response_format:
            body += [b',"response_format":', response_format]
        if rest.keys() & _FIELDS:  # what the caller put into `extra` wins, and no field comes twice
            return Encoded(json_bytes.dumps({**json_bytes.loads(b"".join([*body, b"}"])), **rest}), offered)
        body += [b",", json_bytes.dumps(rest)[1:]] if rest else [b"}"]
        return Encoded(b"".join(body), offered)

    # ---- messages ----

    def _pieces(self, messages: Sequence[Message], offered: Offered, memo: _RunMemo) -> list[bytes]:
        known, encoded = len(memo.shown), dict[int, bytes]()
        if tuple(messages[:known]) != memo.shown:  # compares identities first: cheap where nothing changed
            encoded = {id(message): piece for message, piece in zip(memo.shown, memo.pieces, strict=True)}
            known, memo.pieces = 0, []
        for message in messages[known:]:
            piece = encoded.get(id(message)) or json_bytes.dumps(self._message(message, offered, memo))
            memo.pieces.append(piece)
        memo.shown = tuple(messages)
        return memo.pieces

    def _message(self, message: Message, offered: Offered, memo: _RunMemo) -> dict[str, Any]:
        match message:
            case Assistant():
                return self._assistant(message, offered, memo)
            case ToolResult():
                out = {"role": "tool", "tool_call_id": self._wire_id(message.call_id, None, memo)}
                if self.profile.tool_names:
                    out["name"] = offered.wire_names.get(message.name) or wire_name(message.name)
                out["content"] = message.content
                return out
            case User(content=content):
                return {"role": "user", "content": self._content(content)}
            case System(content=text):
                return {"role": self.profile.system_role, "content": text}

    def _assistant(self, message: Assistant, offered: Offered, memo: _RunMemo) -> dict[str, Any]:
        out: dict[str, Any] = {"role": "assistant", "content": message.content}
        if not message.tool_calls:
            return out
        if not message.content and self.profile.empty_content == "null":
            out["content"] = None
        elif not message.content and self.profile.empty_content == "absent":
            del out["content"]
        if self.profile.reasoning_field:
            out[self.profile.reasoning_field] = message.reasoning
        for name in self.profile.message_fields:
            if name in message.extra:
                out[name] = message.extra[name]
        out["tool_calls"] = [self._call(call, offered, memo) for call in message.tool_calls]
        return out

    def _call(self, call: ToolCall, offered: Offered, memo: _RunMemo) -> dict[str, Any]:
        name = offered.wire_names.get(call.name) or wire_name(call.name)
        text, value = _object(call.arguments)
        arguments = value if self.profile.object_arguments else text
        call_id = self._wire_id(call.id, call.provider_id, memo)
        out = {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
        if call.extra:
            out.update({key: call.extra[key] for key in self.profile.call_fields if key in call.extra})
        return out

    def _content(self, content: str | tuple[Mapping[str, Any], ...]) -> Any:
        if isinstance(content, str):
            return content
        if self.profile.text_only and all(part.get("type") == "text" for part in content):
            return "\n".join(str(part.get("text", "")) for part in content)
        return content

    def _wire_id(self, call_id: str, provider_id: str | None, memo: _RunMemo) -> str:
        if (known := memo.wire_ids.get(call_id)) is not None:
            return known
        wire_id, others = provider_id or "", chain((call_id,), (_short_id(call_id, n) for n in count()))
        while wire_id in memo.used_ids or not self._legal_id.fullmatch(wire_id):
            wire_id = next(others)
        memo.wire_ids[call_id] = wire_id
        memo.used_ids.add(wire_id)
        return wire_id

    # ---- tools and settings ----

    def _declared(self, request: Request, settings: Settings) -> Sequence[ToolSpec]:
        """The tools that the body declares, in an order that stays from turn to turn."""
        profile, choice = self.profile, settings.tool_choice
        if choice == "none" and not profile.none_keeps_tools:
            return ()
        if choice is None or choice in _CHOICES - {"none"}:
            return request.tools
        if choice not in _CHOICES and all(choice != spec.name for spec in request.tools):
            offered = ", ".join(spec.name for spec in request.tools)
            raise UsageError(f"tool_choice names {choice!r}, which is not offered: {offered or 'there are no tools'}")
        if profile.none_keeps_tools and request.withheld:
            return (*request.withheld, *request.tools)
        if choice not in _CHOICES and "named" not in profile.tool_choices:
            return [spec for spec in request.tools if spec.name == choice]  # the only one, and then `required`
        return request.tools

    def _offer(self, specs: Sequence[ToolSpec]) -> Offered:
        if not specs:
            return NO_TOOLS
        key = tuple(map(id, specs))
        cached = self._tool_lists.get(key)
        if cached is None:
            if len(self._tool_lists) >= MAX_TOOL_LISTS:
                self._tool_lists.clear()
            cached = self._tool_lists[key] = tuple(specs), offer(specs, self.profile)
        return cached[1]

    def _fields(self, request: Request, settings: Settings, offered: Offered, *, stream: bool) -> dict[str, Any]:
        profile = self.profile
        out: dict[str, Any] = {
            name: value for name in _PLAIN_SETTINGS if (value := getattr(settings, name)) is not None
        }
        if settings.max_tokens is not None or profile.max_tokens is not None:
            out["max_tokens"] = profile.max_tokens if settings.max_tokens is None else settings.max_tokens
        if offered.entries:
            if (choice := self._tool_choice(settings.tool_choice, offered)) is not None:
                out["tool_choice"] = choice
            if settings.parallel_tool_calls is not None:
                out["parallel_tool_calls"] = settings.parallel_tool_calls
        if stream:
            out["stream"] = True
            if profile.stream_usage:
                out["stream_options"] = {"include_usage": True}
        if profile.session_field and request.session:
            out[profile.session_field] = request.session
        return {**{profile.renamed.get(name, name): value for name, value in out.items()}, **settings.extra}

    def _tool_choice(self, choice: str | None, offered: Offered) -> Any:
        profile = self.profile
        if choice is None or choice in {"auto", "none"}:
            return choice if choice in profile.tool_choices else None
        if choice != "required" and "named" in profile.tool_choices:
            return {"type": "function", "function": {"name": offered.wire_names[choice]}}
        return profile.required if "required" in profile.tool_choices else None

    def _output(self, output: OutputSchema | None, offered: Offered) -> tuple[OutputSchema | None, bytes]:
        """What the model has to be told of the output in words, and the `response_format`."""
        way = self.profile.output if self.profile.output_with_tools or not offered.entries else None
        if output is None or way is None:
            return output, b""
        if way == "json_object":
            return output, b'{"type":"json_object"}'
        known, encoded = self._format
        if known is not output:
            schema = {"name": wire_name(output.name), "schema": output.schema}
            encoded = json_bytes.dumps({"type": "json_schema", "json_schema": schema})
            self._format = output, encoded
        return None, encoded


def arrange(messages: Sequence[Message], profile: Profile, told: OutputSchema | None = None) -> Sequence[Message]:
    """The messages in the order and roles that the server's template takes; the same object if nothing is to do.

    Args:
        messages: As the view gives them.
        profile: What the server takes.
        told: A schema that the model has to be told of, because the server does not enforce it.
    """
    if told is not None:
        messages = _instructed(messages, told)
    if profile.system_role == "user":
        messages = [User(content=m.content) if isinstance(m, System) else m for m in messages]
    if profile.alternate or profile.system_role == "user":
        messages = _alternating(messages)
    return messages


def _instructed(messages: Sequence[Message], output: OutputSchema) -> Sequence[Message]:
    text = schema_instructions(output.schema)
    first = messages[0] if messages else None
    if isinstance(first, System):
        return [System(content=f"{first.content}\n\n{text}"), *messages[1:]]
    return [System(content=text), *messages]


def _alternating(messages: Iterable[Message]) -> list[Message]:
    out: list[Message] = []
    for message in messages:
        match (out[-1] if out else None), message:
            case User(content=before), User(content=after):
                out[-1] = User(content=_joined(before, after))
            case Assistant(tool_calls=()) as before, Assistant(tool_calls=()):
                out[-1] = Assistant(content=f"{before.content}\n\n{message.content}")
            case _:
                out.append(message)
    return out


def _joined(before: Any, after: Any) -> Any:
    if isinstance(before, str) and isinstance(after, str):
        return f"{before}\n\n{after}"
    return (*_parts(before), *_parts(after))


def _parts(content: Any) -> Sequence[Mapping[str, Any]]:
    return ({"type": "text", "text": content},) if isinstance(content, str) else content


def _object(arguments: str) -> tuple[str, dict[str, Any]]:
    """The arguments as JSON text of an object, and as the object. What is neither whole nor an object is `{}`."""
    try:
        value = _STRICT.decode(arguments)
    except (ValueError, RecursionError):
        return "{}", {}
    return (arguments, value) if isinstance(value, dict) else ("{}", {})


def _short_id(call_id: str, number: int) -> str:
    """Nine letters and digits made from an id: legal on every wire, the same each time."""
    rest = int.from_bytes(hashlib.blake2b(f"{number}:{call_id}".encode(), digest_size=8).digest(), "big")
    letters = []
    for _ in range(9):
        rest, letter = divmod(rest, len(_ALPHABET))
        letters.append(_ALPHABET[letter])
    return "".join(letters)
