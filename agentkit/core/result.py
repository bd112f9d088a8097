"""What a run gives back: a view of its transcript."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeAlias, TypeVar, cast

from agentkit.core.chat_format import to_openai
from agentkit.core.entries import Entry, StopReason
from agentkit.core.messages import Assistant, JSONValue, Message, ToolCall, Usage, User
from agentkit.core.view import view
from agentkit.errors import RunStopped

Out = TypeVar("Out")

RunReason: TypeAlias = StopReason | Literal["approval", "cancelled", "error"]
"""Why a run came back: a turn's `StopReason`, or `approval`, `cancelled`, `error` for a turn that is still open."""


class NoOutput:
    """Stands where a run has no output."""


NO_OUTPUT = NoOutput()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(Generic[Out]):
    """The outcome of a run.

    Attributes:
        entries: The whole transcript, the history that the run went on from included.
        stop_reason: Why the run came back: `finished`, the limit of that name, `output`, `closed`, `approval`,
            `cancelled` or `error`.
        usage: Tokens of this turn, those of agents called as tools included.
        cost_usd: US dollars of this turn; None when a price is unknown.
        steps: Answers of the model in this turn.
        pending: The calls that wait for a human's decision.
        session: The session that the run was kept under, if any.
        explanation: What was wrong with the last answer, where that ended the run.
    """

    entries: tuple[Entry, ...]
    stop_reason: RunReason
    usage: Usage
    cost_usd: float | None
    steps: int
    pending: tuple[ToolCall, ...] = ()
    session: str | None = None
    explanation: str = ""
    _output: Out | NoOutput = field(default=NO_OUTPUT, repr=False)
    _render: Callable[[Any], str] = field(default=str, repr=False, compare=False)

    @property
    def output(self) -> Out:
        """The answer, of the type that was asked for.

        Raises:
            RunStopped: A limit or a pending approval ended the run before there was one.
        """
        if self._output is NO_OUTPUT:
            raise RunStopped(self._why(), reason=self.stop_reason, result=self)
        return cast("Out", self._output)

    @property
    def has_output(self) -> bool:
        """Whether `output` gives a value."""
        return self._output is not NO_OUTPUT

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation as a model is shown it, without the instructions."""
        return view(self.entries)

    @property
    def text(self) -> str:
        """The last text that the model wrote in this turn; empty if it wrote none."""
        for entry in reversed(self.entries):
            if isinstance(entry, User):
                break
            if isinstance(entry, Assistant) and entry.content:
                return entry.content
        return ""

    def to_openai(self) -> list[dict[str, JSONValue]]:
        """The conversation as chat-completions dicts, without the instructions."""
        return [to_openai(message) for message in self.messages]

    def __str__(self) -> str:
        """The answer as text; never raises."""
        if self._output is NO_OUTPUT or isinstance(self._output, str):
            return self._output if isinstance(self._output, str) else self.text
        try:
            return str(self._render(self._output))
        except Exception:  # noqa: BLE001 - a foreign __str__ may do anything
            return self.text

    def _why(self) -> str:
        match self.stop_reason:
            case "approval":
                names = ", ".join(call.name for call in self.pending)
                why = f"the run waits for approval of: {names}; decide and resume it"
            case "output":
                why = "the model gave no valid output"
            case "cancelled" | "error" | "closed":
                why = f"the run is not finished ({self.stop_reason})"
            case "finished":
                why = "the run has no output"
            case limit:
                why = f"the limit {limit} ended the run before there was an answer; raise it in Limits({limit}=...)"
        parts = [why, self.explanation, f"last text: {self.text[:200]!r}" if self.text else ""]
        return "; ".join(part for part in parts if part)
