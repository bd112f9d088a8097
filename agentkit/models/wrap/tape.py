"""Recordings of a model: JSON lines that people can read and review.

The first line is a head; then one line for each answer, with the request that it was given to. There are no secrets in
it (`scrub.py`) and nothing that changes from run to run (`canonical.py`).

Replaying is strict. A request is answered by the first line not used yet whose request is the same, so that runs at
once may ask in any order; one that was not recorded is a `UsageError` that says where it differs. Failures of the
model are recorded, too, and happen again. Deltas are replayed as they came.
"""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agentkit import errors
from agentkit.core.codec import decode, encode
from agentkit.core.events import (
    Delta,
    Emit,
    ReasoningEvent,
    RetryEvent,
    TextEvent,
    ToolCallEvent,
    ToolCallReady,
    deltas_of,
)
from agentkit.core.messages import Assistant, JSONValue
from agentkit.errors import ModelError, UsageError
from agentkit.models.assemble import new_call_id
from agentkit.models.model import Model, Request, tell
from agentkit.models.wrap.canonical import Numbers, canonical, difference, plain, to_text
from agentkit.models.wrap.scrub import secrets_of, without_secrets
from agentkit.models.wrapper import Wrapper

VERSION = 1
_FACTS = (
    "status", "code", "request_id", "retry_after_s", "retryable", "try_another", "limit_tokens", "requested_tokens",
)  # fmt: skip
_TEXTS: Mapping[str, type[TextEvent | ReasoningEvent]] = {"text": TextEvent, "reasoning": ReasoningEvent}
_CALLS: Mapping[str, type[ToolCallEvent | ToolCallReady]] = {cls.kind: cls for cls in (ToolCallEvent, ToolCallReady)}


class Recorder(Wrapper):
    """Asks a model, and writes down what it is asked and what it answers."""

    def __init__(self, model: Model, path: Path) -> None:
        super().__init__(model)
        self._path = path
        self._lock = threading.Lock()
        self._begun = False

    async def call(self, request: Request, emit: Emit | None) -> Assistant:
        """The model's answer, recorded."""
        deltas: list[Delta] = []

        def hear(delta: Delta) -> Any:
            deltas.append(delta)
            return None if emit is None else emit(delta)

        numbers = Numbers()
        asked = canonical(request, numbers)
        try:
            answer = await self.inner.call(request, None if emit is None else hear)
        except ModelError as error:
            self._write({"request": asked, "error": _error_to_json(error), **_deltas_to_json(deltas, ())})
            raise
        ids = [call.id for call in answer.tool_calls]
        self._write({"request": asked, "answer": _to_json(answer, numbers), **_deltas_to_json(deltas, ids)})
        return answer

    def _write(self, line: Mapping[str, JSONValue]) -> None:
        secrets = secrets_of(os.environ)
        if _hides_a_secret(line.get("deltas", ()), secrets):
            line = {name: part for name, part in line.items() if name != "deltas"}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, self._path.open("ab" if self._begun else "wb") as file:
            if not self._begun:
                head = {"agentkit_recording": VERSION, "native_output": self.native_output}
                file.write(_line(head if self.native_tools else {**head, "native_tools": False}))
            file.write(_line(without_secrets(line, secrets)))
            self._begun = True


@dataclass(frozen=True, slots=True)
class _Recorded:
    """One line: what was asked and what came of it."""

    number: int
    request: JSONValue
    answer: Assistant | None
    error: Mapping[str, JSONValue] | None
    deltas: Sequence[Sequence[Any]] | None


class Player:
    """Answers as it is written.

    Attributes:
        native_output: Whether the model that was recorded enforces a JSON schema.
        native_tools: Whether tools were declared to it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._secrets = secrets_of(os.environ)
        self._lock = threading.Lock()
        head, lines = _read(path)
        self.native_output = head["native_output"] is True
        self.native_tools = head.get("native_tools", True) is True
        self._recorded = len(lines)
        self._left: dict[str, deque[_Recorded]] = {}
        for line in lines:
            self._left.setdefault(to_text(without_secrets(line.request, self._secrets)), deque()).append(line)

    async def call(self, request: Request, emit: Emit | None) -> Assistant:
        """The answer to the first line left with this request.

        Raises:
            UsageError: There is none; says where the request differs from the first line left.
        """
        key = to_text(without_secrets(canonical(request, Numbers()), self._secrets))
        line = self._take(key)
        calls = () if line.answer is None else line.answer.tool_calls
        answer = line.answer and replace(line.answer, tool_calls=tuple(replace(c, id=new_call_id()) for c in calls))
        try:
            if emit is not None:
                await tell(emit, _deltas_of(line.deltas, answer))
        except BaseException:  # a cancel: nobody has had the answer
            with self._lock:
                self._left[key].appendleft(line)
            raise
        if answer is None:
            raise _error_of(line.error or {})
        return answer

    def _take(self, key: str) -> _Recorded:
        with self._lock:
            if lines := self._left.get(key):
                return lines.popleft()
            first = min(
                (lines[0] for lines in self._left.values() if lines), key=lambda line: line.number, default=None
            )
        if first is None:
            raise UsageError(
                f"{self._path}: all {self._recorded} recorded answers are used, and this is one more request"
            )
        where = difference(without_secrets(first.request, self._secrets), json.loads(key))
        raise UsageError(f"{self._path}: this request was not recorded. {where}. Delete the file to record it anew.")


# ---- lines ----


def _line(value: JSONValue) -> bytes:
    return json.dumps(value, ensure_ascii=False, default=plain).encode("utf-8", "backslashreplace") + b"\n"


def _read(path: Path) -> tuple[Mapping[str, Any], list[_Recorded]]:
    try:
        rows = [json.loads(row) for row in path.read_bytes().splitlines() if row.strip()]
        head, *lines = rows
        if head["agentkit_recording"] != VERSION:
            raise UsageError(f"{path}: a recording of version {head['agentkit_recording']!r}, this reads {VERSION}")
        return head, [_recorded(number, row) for number, row in enumerate(lines, 1)]
    except FileNotFoundError:
        raise UsageError(f"there is no recording at {str(path)!r}") from None
    except (ValueError, KeyError, TypeError) as fault:
        raise UsageError(f"{path} is no recording that can be read: {fault}") from None


def _recorded(number: int, row: Mapping[str, Any]) -> _Recorded:
    answer = decode(row["answer"]) if "answer" in row else None
    if not isinstance(answer, Assistant | None):
        raise ValueError(f"an answer is recorded as {answer.kind!r}")
    error = None if answer else row["error"]
    return _Recorded(number, row["request"], answer, error, row.get("deltas"))


def _to_json(answer: Assistant, numbers: Numbers) -> JSONValue:
    """The answer without the ids that are new in each run."""
    calls = tuple(replace(call, id=numbers[call.id], provider_id=None) for call in answer.tool_calls)
    extra = {name: value for name, value in answer.extra.items() if name != "id"}
    return encode(replace(answer, tool_calls=calls, extra=extra))


# ---- deltas ----


def _deltas_to_json(deltas: Iterable[Delta], ids: Sequence[str]) -> dict[str, JSONValue]:
    out: list[list[JSONValue]] = []
    for delta in deltas:
        match delta:
            case TextEvent(text=text) | ReasoningEvent(text=text):
                out.append([delta.kind, text])
            case RetryEvent(reason=reason):
                out.append([delta.kind, reason])
            case ToolCallEvent(call=call) | ToolCallReady(call=call) if call.id in ids:
                out.append([delta.kind, ids.index(call.id)])
    return {"deltas": out} if out else {}


def _deltas_of(recorded: Sequence[Sequence[Any]] | None, answer: Assistant | None) -> Iterable[Delta]:
    """What was emitted; where nobody listened, what the answer comes to."""
    if recorded is None:
        yield from deltas_of(answer) if answer else ()
        return
    for kind, what in recorded:
        if kind in _TEXTS:
            yield _TEXTS[kind](what)
        elif kind == RetryEvent.kind:
            yield RetryEvent(what)
        elif answer is not None:
            yield _CALLS[kind](answer.tool_calls[what])


def _hides_a_secret(deltas: Sequence[Sequence[Any]], secrets: tuple[str, ...]) -> bool:
    """Whether a secret is spread over pieces of text, where none of them shows it."""
    whole = ("".join(what for kind, what in deltas if kind == name) for name in _TEXTS)
    return any(without_secrets(text, secrets) != text for text in whole)


# ---- failures ----


def _error_to_json(error: ModelError) -> JSONValue:
    facts = {name: value for name in _FACTS if (value := getattr(error, name, None)) is not None}
    return {"type": type(error).__name__, "message": str(error), **facts}


def _error_of(recorded: Mapping[str, Any]) -> ModelError:
    kind = getattr(errors, str(recorded.get("type")), ModelError)
    error = (kind if issubclass(kind, ModelError) else ModelError)(str(recorded.get("message", "")))
    for name in _FACTS:
        if name in recorded:
            setattr(error, name, recorded[name])
    return error
