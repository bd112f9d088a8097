"""What the fake Workers AI can answer, by name: each shape, and each quirk that was seen in the wild.

A scenario says which branch of the output schema its answer belongs to. The server refuses to send one that does not
fit its branch; quirks and shapes that the page does not know belong to none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from agentkit.core.messages import ToolCall
from agentkit.testing.schemas import BRANCHES, CHAT, STREAM, TEXT

Shape: TypeAlias = Literal["chat", "legacy", "text", "responses"]

USAGE = {"prompt_tokens": 13, "completion_tokens": 8, "total_tokens": 21}
MODEL = "@cf/aisingapore/gemma-sea-lion-v4-27b-it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One answer of the server.

    Attributes:
        body: A JSON answer without its envelope.
        events: The payloads of an event stream, instead: JSON values, or texts to send as they are.
        branch: The branch of the output schema that the answer is of; None: of none.
        envelope: Whether `{"result": ..., "success": true}` stands around the body.
        status: HTTP status.
        headers: Further headers.
        raw: The whole body, byte for byte, instead of all the above.
    """

    body: Any = None
    events: Sequence[Any] | None = None
    branch: str | None = None
    envelope: bool = True
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None

    def __post_init__(self) -> None:
        """Refuse a branch that there is none of."""
        if self.branch is not None and self.branch not in BRANCHES:
            raise ValueError(f"no branch {self.branch!r}")


def said(
    text: str = "", calls: Sequence[ToolCall] = (), *, shape: Shape = "chat", stream: bool = False, model: str = MODEL
) -> Scenario:
    """An answer with this text and these calls, in one of the shapes."""
    if stream:
        return Scenario(events=_stream(text, calls, shape), branch=STREAM)
    match shape:
        case "chat":
            return Scenario(body=chat(text, calls, model=model), branch=CHAT)
        case "text":
            choice = {"index": 0, "text": text, "finish_reason": "stop", "stop_reason": None, "logprobs": None}
            head = {"id": "cmpl-1", "object": "text_completion", "created": 1790000000, "model": model}
            return Scenario(
                body={**head, "choices": [{**choice, "prompt_logprobs": None}], "usage": USAGE}, branch=TEXT
            )
        case "legacy":
            flat = [{"name": call.name, "arguments": json.loads(call.arguments)} for call in calls]
            return Scenario(body={"response": text, "tool_calls": flat, "usage": USAGE})
        case "responses":
            return Scenario(body=_responses(text, calls), envelope=False)


def chat(text: str, calls: Sequence[ToolCall] = (), *, model: str = MODEL, **message: Any) -> dict[str, Any]:
    """A chat completion."""
    written = [nested(call) for call in calls]
    spoken = {"role": "assistant", "content": text, **message, **({"tool_calls": written} if written else {})}
    reason = "tool_calls" if written else "stop"
    choice = {"index": 0, "message": spoken, "finish_reason": reason, "stop_reason": None, "logprobs": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1790000000,
        "model": model,
        "choices": [choice],
        "usage": USAGE,
        "prompt_logprobs": None,
    }


def nested(call: ToolCall, **more: Any) -> dict[str, Any]:
    """A call as chat completions write it."""
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.provider_id or call.id, "type": "function", "function": function, **more}


def chunk(delta: Mapping[str, Any] | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """A chunk of a streamed chat completion."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": choices, **more}


def _stream(text: str, calls: Sequence[ToolCall], shape: Shape) -> list[Any]:
    words = [piece + " " for piece in text.split(" ")] if text else []
    words = [*words[:-1], words[-1][:-1]] if words else []
    match shape:
        case "legacy":
            events: list[Any] = [{"response": word, "p": "abcdefgh"} for word in words]
            events += [{"tool_calls": [part]} for index, call in enumerate(calls) for part in _parts(call, index)]
            if calls:
                events += [{"finish_reason": "tool_calls"}]
            return [*events, {"response": "", "usage": USAGE}, "[DONE]"]
        case "responses":
            return _response_events(words, calls)
        case _:
            events = [chunk({"role": "assistant", "content": ""})]
            events += [chunk({"content": word}) for word in words]
            events += [
                chunk({"tool_calls": [part]}) for index, call in enumerate(calls) for part in _parts(call, index)
            ]
            return [*events, chunk({}, "tool_calls" if calls else "stop"), chunk(usage=USAGE), "[DONE]"]


def _parts(call: ToolCall, index: int) -> list[dict[str, Any]]:
    """A call as it streams: its name, its arguments in halves, its end."""
    half = len(call.arguments) // 2
    ident = call.provider_id or call.id
    return [
        {"id": ident, "type": "function", "index": index, "function": {"name": call.name}},
        {"index": index, "function": {"arguments": call.arguments[:half]}},
        {"index": index, "function": {"arguments": call.arguments[half:]}},
        {"id": None, "type": None, "index": index, "function": {"name": None, "arguments": ""}},
    ]


def _responses(text: str, calls: Sequence[ToolCall]) -> dict[str, Any]:
    items: list[Any] = [{"type": "reasoning", "content": [{"type": "reasoning_text", "text": "Hm."}]}]
    items += [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}] * bool(text)
    items += [_item(call) for call in calls]
    usage = {"input_tokens": 13, "output_tokens": 8, "total_tokens": 21, "input_tokens_details": {"cached_tokens": 5}}
    return {"id": "resp_1", "object": "response", "status": "completed", "output": items, "usage": usage}


def _item(call: ToolCall, arguments: str | None = None) -> dict[str, Any]:
    given = call.arguments if arguments is None else arguments
    return {"type": "function_call", "call_id": call.provider_id or call.id, "name": call.name, "arguments": given}


def _response_events(words: Sequence[str], calls: Sequence[ToolCall]) -> list[Any]:
    events: list[Any] = [{"type": "response.created", "response": {"status": "in_progress"}}]
    events += [{"type": "response.reasoning_text.delta", "output_index": 0, "delta": "Hm."}]
    events += [{"type": "response.output_text.delta", "output_index": 1, "delta": word} for word in words]
    for index, call in enumerate(calls, 2):
        events += [
            {"type": "response.output_item.added", "output_index": index, "item": _item(call, "")},
            {"type": "response.function_call_arguments.delta", "output_index": index, "delta": call.arguments},
            {"type": "response.output_item.done", "output_index": index, "item": _item(call)},
        ]
    done = {key: value for key, value in _responses("".join(words), calls).items() if key != "output"}
    return [*events, {"type": "response.completed", "response": done}, "[DONE]"]


def refused(status: int, code: int | None, message: str) -> Scenario:
    """A failure in Cloudflare's envelope."""
    error = {"message": message} if code is None else {"message": message, "code": code}
    body = {"errors": [error], "success": False, "result": {}, "messages": []}
    return Scenario(raw=json.dumps(body).encode(), status=status)
