"""A model that answers from a script, for tests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self, TypeAlias
from uuid import uuid4

from agentkit.core.events import Delta, Emit, TextEvent, ToolCallEvent, ToolCallReady
from agentkit.core.messages import Assistant, ToolCall, Usage
from agentkit.errors import UsageError
from agentkit.models.model import Request, tell

Line: TypeAlias = Any
"""A text, an `Assistant`, a `ToolCall` or a list of them, a chat-completions dict, an exception to raise, or a
function of the `Request` that gives one of these."""


def call(name: str, /, **arguments: Any) -> ToolCall:
    """A tool call for a script: `call("add", a=1, b=2)`."""
    return ToolCall(id=uuid4().hex, name=name, arguments=json.dumps(arguments, ensure_ascii=False))


class Scripted:
    """A model that gives the lines of a script, one for each request.

    Strict: a request after the last line is a `UsageError`; a script that is not used up fails at the end of
    `with Scripted([...]) as model:` and at `model.check_used_up()`.

    Attributes:
        requests: The requests that came, in order.
    """

    def __init__(self, lines: Iterable[Line], *, usage: Usage | None = None, cost_usd: float | None = None) -> None:
        """Take the script.

        Args:
            lines: The answers, in order.
            usage: What each answer counts that says nothing itself; one request and no tokens if left out.
            cost_usd: What each answer costs that says nothing itself.
        """
        if isinstance(lines, str | Mapping):
            raise UsageError("Scripted takes a list of answers, such as Scripted(['Hello.'])")
        self._lines = list(lines)
        self._usage = usage or Usage(requests=1)
        self._cost_usd = cost_usd
        self.requests: list[Request] = []

    async def call(self, request: Request, emit: Emit | None = None) -> Assistant:
        """The next line of the script."""
        number = len(self.requests)
        self.requests.append(request)
        if number >= len(self._lines):
            raise UsageError(f"the script has {len(self._lines)} answers, and this is request {number + 1}")
        line = self._lines[number]
        if callable(line):
            line = line(request)
        if isinstance(line, BaseException) or (isinstance(line, type) and issubclass(line, BaseException)):
            raise line
        answer = _answer(line)
        if answer.usage.requests == 0:
            answer = replace(answer, usage=replace(self._usage, requests=1))
        if answer.cost_usd is None:
            answer = replace(answer, cost_usd=self._cost_usd)
        if emit is not None:
            await tell(emit, _deltas(answer))
        return answer

    def check_used_up(self) -> None:
        """Fail if lines of the script are left.

        Raises:
            AssertionError: Lines are left.
        """
        left = self._lines[len(self.requests) :]
        if left:
            raise AssertionError(f"{len(left)} of {len(self._lines)} scripted answers were never asked for: {left!r}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.check_used_up()


def _deltas(answer: Assistant) -> Iterator[Delta]:
    """An answer the way a server streams it: word by word, then the calls."""
    yield from (TextEvent(piece) for piece in re.findall(r"\S*\s*", answer.content) if piece)
    for call in answer.tool_calls:
        yield ToolCallEvent(call)
        yield ToolCallReady(call)


def _answer(line: Line) -> Assistant:
    match line:
        case Assistant():
            return line
        case str():
            return Assistant(content=line)
        case Mapping() if "choices" in line:
            return _answer(line["choices"][0]["message"])
        case Mapping() if "role" in line or "content" in line or "tool_calls" in line:
            calls = tuple(_call(item) for item in line.get("tool_calls") or ())
            content = line.get("content") or ""
            return Assistant(content=content, tool_calls=calls, finish_reason="tool_calls" if calls else "stop")
        case ToolCall() | Mapping():
            return _answer([line])
        case (str(), Mapping()) if isinstance(line, tuple):  # a call as it stands in a list of them
            return _answer([line])
        case Sequence():
            texts = [item for item in line if isinstance(item, str)]
            calls = tuple(_call(item) for item in line if not isinstance(item, str))
            return Assistant(content="".join(texts), tool_calls=calls, finish_reason="tool_calls")
        case _:
            raise UsageError(f"cannot make an answer of {line!r}: give a text, an Assistant or tool calls")


def _call(item: Any) -> ToolCall:
    match item:
        case ToolCall():
            return item
        case (str() as name, arguments):
            return ToolCall(id=uuid4().hex, name=name, arguments=_text(arguments))
        case {"function": {"name": str() as name, **rest}} | {"name": str() as name, **rest}:
            given = item.get("id")
            return ToolCall(id=uuid4().hex, name=name, arguments=_text(rest.get("arguments")), provider_id=given)
        case _:
            raise UsageError(f"cannot make a tool call of {item!r}: give call(name, **arguments)")


def _text(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
