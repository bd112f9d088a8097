"""A request as plain JSON that is the same in each run: what a cache is keyed by and a recording compares.

It holds what a model can read. What differs from run to run and means nothing is left out: our ids of calls (numbered
in order of appearance), the provider's, usage, costs, timeouts, and what else came along with an answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from itertools import zip_longest
from typing import Any

from agentkit.core.messages import Assistant, JSONValue, Message, ToolCall, ToolResult, ToolSpec
from agentkit.core.settings import Settings
from agentkit.models.model import Request

MAX_SHOWN_CHARS = 60
"""How much of a text a difference shows."""


class Numbers:
    """Call ids in order of appearance."""

    def __init__(self) -> None:
        self._numbers: dict[str, str] = {}

    def __getitem__(self, call_id: str) -> str:
        return self._numbers.setdefault(call_id, f"call_{len(self._numbers) + 1}")


def canonical(request: Request, numbers: Numbers) -> dict[str, JSONValue]:
    """The request in the types of JSON; what is empty is left out."""
    output = request.output
    parts: dict[str, JSONValue] = {
        "messages": [_message(message, numbers) for message in request.messages],
        "tools": [_tool(spec) for spec in request.tools],
        "withheld": [spec.name for spec in request.withheld],
        "settings": _settings(request.settings),
        "output": output and {"name": output.name, "schema": output.schema},
    }
    return {name: part for name, part in parts.items() if part}


def to_text(value: JSONValue) -> str:
    """The value as JSON text: the same for equal values, with the keys in order."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=plain)


def _message(message: Message, numbers: Numbers) -> dict[str, JSONValue]:
    match message:
        case Assistant():
            calls = [_call(call, numbers) for call in message.tool_calls]
            parts = {"content": message.content, "reasoning": message.reasoning, "tool_calls": calls}
            return {"role": "assistant", **{name: part for name, part in parts.items() if part}}
        case ToolResult():
            return {"role": "tool", "call": numbers[message.call_id], "name": message.name, "content": message.content}
        case _:
            return {"role": message.kind, "content": message.content}


def _call(call: ToolCall, numbers: Numbers) -> dict[str, JSONValue]:
    return {"id": numbers[call.id], "name": call.name, "arguments": call.arguments}


def _tool(spec: ToolSpec) -> dict[str, JSONValue]:
    parts = {"name": spec.name, "description": spec.description, "parameters": spec.parameters}
    further = {"examples": spec.examples or None, "strict": spec.strict}
    return {**parts, **{name: part for name, part in further.items() if part is not None}}


def _settings(settings: Settings) -> dict[str, JSONValue]:
    values = {f.name: getattr(settings, f.name) for f in fields(settings) if f.name not in ("timeout_s", "extra")}
    return {name: value for name, value in {**values, "extra": settings.extra or None}.items() if value is not None}


def plain(value: Any) -> Any:
    """What stands in JSON for a value that it does not know."""
    match value:
        case Mapping():
            return dict(value)
        case set() | frozenset():
            return sorted(value, key=str)
        case _ if is_dataclass(value):
            return {f.name: getattr(value, f.name) for f in fields(value)}
        case _:
            return str(value)


def difference(recorded: JSONValue, now: JSONValue, where: str = "request") -> str | None:
    """The first place where two JSON values differ, and how; None if they do not."""
    if isinstance(recorded, dict) and isinstance(now, dict):
        names = [*recorded, *(name for name in now if name not in recorded)]
        pairs = ((f"{where}.{name}", recorded.get(name, _ABSENT), now.get(name, _ABSENT)) for name in names)
    elif isinstance(recorded, list) and isinstance(now, list):
        both = zip_longest(recorded, now, fillvalue=_ABSENT)
        pairs = ((f"{where}[{i}]", one, other) for i, (one, other) in enumerate(both))
    elif type(recorded) is type(now) and recorded == now:
        return None
    else:
        return f"{where}: {_shown(recorded, now)} was recorded, now it is {_shown(now, recorded)}"
    return next((text for place, one, other in pairs if (text := difference(one, other, place)) is not None), None)


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


_ABSENT = _Absent()


def _shown(value: JSONValue, other: JSONValue) -> str:
    """The value, or of a long text the part where it begins to differ from the other."""
    if not isinstance(value, str) or not isinstance(other, str):
        text = repr(value)
        return text if len(text) <= 2 * MAX_SHOWN_CHARS else f"{text[: 2 * MAX_SHOWN_CHARS]}..."
    same = next((i for i, (a, b) in enumerate(zip(value, other, strict=False)) if a != b), min(len(value), len(other)))
    start = max(0, same - MAX_SHOWN_CHARS // 2)
    end = start + MAX_SHOWN_CHARS
    return f"{'...' if start else ''}{value[start:end]!r}{'...' if end < len(value) else ''}"
