"""Events as JSON for a browser: `kind`, and what a page shows.

What leaves the house is chosen, not dumped: errors have a text for users, retries give no reasons, and a result is its
text, its figures and what it waits for. The exceptions themselves go to the log.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, assert_never, get_args

from agentkit.core.events import (
    ApprovalEvent,
    Event,
    FinishedEvent,
    PartialEvent,
    ReasoningEvent,
    RetryEvent,
    StepEvent,
    TextEvent,
    ToolCallEvent,
    ToolProgressEvent,
    ToolResultEvent,
)
from agentkit.core.messages import JSONValue, ToolCall, Usage
from agentkit.core.result import Result
from agentkit.errors import (
    AgentkitError,
    Conflict,
    ContextTooLong,
    MalformedResponse,
    ModelError,
    QuotaExhausted,
    RateLimited,
    RequestRefused,
    Unavailable,
)
from agentkit.tooling.results import to_text

KINDS = frozenset(cls.kind for cls in get_args(Event))
"""The kinds of events."""

ALWAYS = frozenset({FinishedEvent.kind})
"""What a page is told whatever it asked for: how it ended."""

SORRY = "Something went wrong."

BUSY = "The model is busy. Please try again."

_LINE_ENDS = {ord(end): f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"}
"""Where readers that know more ends of lines than the format has would part the data."""

TEXTS: tuple[tuple[type[AgentkitError], str], ...] = (
    (RateLimited, BUSY),
    (Unavailable, BUSY),
    (MalformedResponse, BUSY),
    (QuotaExhausted, "The model's allowance is used up for now."),
    (ContextTooLong, "The conversation is too long for the model."),
    (RequestRefused, "The model refused the request."),
    (Conflict, "This conversation is being worked on elsewhere."),
)
"""What users are told of an error; of any other `SORRY`."""


def event_bytes(event: Event) -> bytes:
    """The event as one server-sent event."""
    return _bytes(_to_json(event))


def error_bytes(error: BaseException) -> bytes:
    """The end of a run that failed, as one server-sent event: its kind, a text for users, whether to try again."""
    known = isinstance(error, AgentkitError)
    data: dict[str, JSONValue] = {
        "kind": "error",
        "error": type(error).__name__ if known else "Error",
        "message": next((text for cls, text in TEXTS if isinstance(error, cls)), SORRY),
        "retryable": isinstance(error, ModelError) and error.retryable,
    }
    if isinstance(error, ModelError) and error.retry_after_s is not None:
        data["retry_after_s"] = error.retry_after_s
    return _bytes(data)


def _bytes(data: dict[str, JSONValue]) -> bytes:
    return b"data: " + to_text(data).translate(_LINE_ENDS).encode() + b"\n\n"


def _to_json(event: Event) -> dict[str, JSONValue]:
    return {"kind": event.kind, **_fields(event)}


def _fields(event: Event) -> dict[str, JSONValue]:
    match event:
        case TextEvent(text=text) | ReasoningEvent(text=text):
            return {"text": text}
        case PartialEvent(partial=value):
            return {"text": "", "partial": value}
        case StepEvent(step=step):
            return {"step": step}
        case RetryEvent():
            return {}
        case ToolCallEvent(call=call):
            return {"call": _call(call)}
        case ToolProgressEvent(call=call, value=value):  # an agent that is a tool reports its own events
            return {"call": _call(call), "value": _to_json(value) if isinstance(value, get_args(Event)) else value}
        case ToolResultEvent(call=call, result=result):
            return {"call": _call(call), "content": result.content, "outcome": result.outcome}
        case ApprovalEvent(calls=calls):
            return {"calls": _calls(calls)}
        case FinishedEvent(result=result):
            return _result(result)
        case unknown:
            assert_never(unknown)


def _result(result: Result[Any]) -> dict[str, JSONValue]:
    return {
        "output": str(result),
        "stop_reason": result.stop_reason,
        "steps": result.steps,
        "usage": _usage(result.usage),
        "cost_usd": result.cost_usd,
        "pending": _calls(result.pending),
    }


def _usage(usage: Usage) -> dict[str, JSONValue]:
    names = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "total_tokens")
    return {name: getattr(usage, name) for name in names}


def _calls(calls: Collection[ToolCall]) -> list[dict[str, JSONValue]]:
    return [_call(call) for call in calls]


def _call(call: ToolCall) -> dict[str, JSONValue]:
    return {"id": call.id, "name": call.name, "arguments": call.arguments}
