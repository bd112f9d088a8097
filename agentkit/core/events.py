"""What a listener sees of a run: a small closed set, told apart by `kind`.

A model emits `Delta`s; the runtime adds the others. Deltas are never stored.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, TypeAlias, TypeVar

from agentkit.core.messages import Assistant, ToolCall, ToolResult
from agentkit.core.result import Result

Out = TypeVar("Out")


@dataclass(frozen=True, slots=True)
class TextEvent:
    """A piece of the answer's text. Final only when the turn ended without tool calls."""

    kind: ClassVar[Literal["text"]] = "text"
    partial: ClassVar[None] = None
    text: str


@dataclass(frozen=True, slots=True)
class PartialEvent(Generic[Out]):
    """Typed output as far as it has come: a valid value of the type, which the next one replaces.

    What checks the whole (functions given as `output=`) has not seen it.
    """

    kind: ClassVar[Literal["text"]] = "text"
    text: ClassVar[Literal[""]] = ""
    partial: Out


@dataclass(frozen=True, slots=True)
class ReasoningEvent:
    """A piece of the model's thoughts."""

    kind: ClassVar[Literal["reasoning"]] = "reasoning"
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallEvent:
    """A call was announced: once for each call, as soon as its name is known.

    While an answer streams, `call.arguments` may still be empty: the whole call comes with its `tool_result`.
    """

    kind: ClassVar[Literal["tool_call"]] = "tool_call"
    call: ToolCall


@dataclass(frozen=True, slots=True)
class ToolCallGrows:
    """For the runtime only: an announced call with its arguments so far; told now and then, not for each piece."""

    kind: ClassVar[Literal["tool_call_grows"]] = "tool_call_grows"
    call: ToolCall


@dataclass(frozen=True, slots=True)
class ToolCallReady:
    """For the runtime only: the arguments of an announced call seem whole, and the answer goes on."""

    kind: ClassVar[Literal["tool_call_ready"]] = "tool_call_ready"
    call: ToolCall


@dataclass(frozen=True, slots=True)
class RetryEvent:
    """The answer starts again: discard the text since the last `step`."""

    kind: ClassVar[Literal["retry"]] = "retry"
    reason: str


@dataclass(frozen=True, slots=True)
class StepEvent:
    """A request to the model begins; `step` counts from 1 in each turn."""

    kind: ClassVar[Literal["step"]] = "step"
    step: int


@dataclass(frozen=True, slots=True)
class ToolProgressEvent:
    """A running tool reported progress (a generator's yield, `ToolContext.progress`)."""

    kind: ClassVar[Literal["tool_progress"]] = "tool_progress"
    call: ToolCall
    value: Any


@dataclass(frozen=True, slots=True)
class ToolResultEvent:
    """A call has its answer; `call` holds the resolved name and the repaired arguments."""

    kind: ClassVar[Literal["tool_result"]] = "tool_result"
    call: ToolCall
    result: ToolResult

    @property
    def repaired(self) -> bool:
        """Whether the arguments were repaired before the call."""
        return self.result.repaired


@dataclass(frozen=True, slots=True)
class ApprovalEvent:
    """Calls wait for a human's decision; nothing of their batch has run."""

    kind: ClassVar[Literal["approval"]] = "approval"
    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class FinishedEvent(Generic[Out]):
    """The run is over; `result` is what `run` returns."""

    kind: ClassVar[Literal["finished"]] = "finished"
    result: Result[Out]


Delta: TypeAlias = TextEvent | ReasoningEvent | ToolCallEvent | ToolCallGrows | ToolCallReady | RetryEvent
"""What a model may emit while it answers."""

_Told: TypeAlias = (
    StepEvent
    | TextEvent
    | ReasoningEvent
    | ToolCallEvent
    | ToolProgressEvent
    | ToolResultEvent
    | RetryEvent
    | ApprovalEvent
)

EventOf: TypeAlias = _Told | PartialEvent[Out] | FinishedEvent[Out]
"""What a listener may see of a run with this output."""

Event: TypeAlias = _Told | PartialEvent | FinishedEvent  # type: ignore[type-arg]  # so that isinstance takes it
"""What a listener may see."""

Emit: TypeAlias = Callable[[Delta], Awaitable[None] | None]
"""Takes one delta. What it returns, if not None, is to be awaited before the next one (back-pressure)."""


def deltas_of(answer: Assistant) -> list[Delta]:
    """What is heard of an answer that did not stream: its thoughts, its text, its calls."""
    deltas: list[Delta] = [ReasoningEvent(answer.reasoning)] if answer.reasoning else []
    deltas += [TextEvent(answer.content)] if answer.content else []
    return [*deltas, *map(ToolCallEvent, answer.tool_calls)]
