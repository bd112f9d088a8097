"""The entries of a transcript: the messages, and the few facts that are no message.

A transcript is append-only. Folding it (`state.py`) says where the run stands; projecting it (`view.py`) says what a
model is shown. An entry holds plain data only, so that it can be stored and read in another process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from agentkit.core.messages import NO_USAGE, Assistant, Outcome, System, ToolResult, Usage, User

StopReason: TypeAlias = Literal[
    "finished", "steps", "tool_calls", "tokens", "cost_usd", "deadline_s", "repeats", "output", "closed"
]
"""Why a turn ended: `finished`, the limit of that name, `output` (never valid) or `closed` (given up by the caller)."""

Verdict: TypeAlias = Literal["allow", "deny", "edit"]

Waves: TypeAlias = tuple[tuple[tuple[int, ...], ...], ...]
"""Waves one after another; the lanes of a wave at once; the calls of a lane (indices into the batch) in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """What is going to happen with one call of a batch.

    Attributes:
        call_id: `ToolCall.id`.
        name: The tool's name as resolved; as the model wrote it when there is no such tool.
        arguments: The arguments as a JSON object, repaired where needed; `{}` where they could not be read.
        repaired: Whether they were repaired.
        needs_approval: A human decides before anything of the batch runs.
        idempotent: Running the call twice does no harm, so it may run again after a crash.
        is_output: The call carries the typed output of the run; it is answered after all others.
        refusal: If set, the call is answered with this text and never runs.
        outcome: The outcome of the refusal; `ok` for a call that runs.
    """

    call_id: str
    name: str
    arguments: str
    repaired: bool = False
    needs_approval: bool = False
    idempotent: bool = False
    is_output: bool = False
    refusal: str | None = None
    outcome: Outcome = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A batch was planned: one `PlannedCall` for each call of the last answer, in its order.

    Attributes:
        calls: The plan of each call.
        waves: In what order the calls run that are not refused.
        last: The limit that made the request before this batch the last one of the turn, if one did, or that its
            answer crossed, if that keeps a call from running.
    """

    kind: ClassVar[Literal["planned"]] = "planned"
    calls: tuple[PlannedCall, ...]
    waves: Waves = ()
    last: StopReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A human decided about a call.

    Attributes:
        call_id: The call.
        verdict: `allow`, `deny`, or `edit` (allow with other arguments).
        reason: For the model, when the call is denied.
        arguments: The new arguments as a JSON object, when they were edited.
    """

    kind: ClassVar[Literal["decision"]] = "decision"
    call_id: str
    verdict: Verdict
    reason: str = ""
    arguments: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStarted:
    """A call is about to run: written before its effect, so that a crash leaves a trace."""

    kind: ClassVar[Literal["tool_started"]] = "tool_started"
    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFailed:
    """A model call failed for good (after its retries)."""

    kind: ClassVar[Literal["model_failed"]] = "model_failed"
    error: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputRefused:
    """The answer is not the output that was asked for; the model is told why."""

    kind: ClassVar[Literal["output_refused"]] = "output_refused"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """The runtime tells the model something, in the user's place."""

    kind: ClassVar[Literal["note"]] = "note"
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A summary takes the place of the oldest messages in the view.

    Attributes:
        content: The summary.
        covers: How many messages of the view it replaces, counted from the oldest; 0 if there was nothing to replace.
        usage: Tokens that making it took.
        cost_usd: US dollars that making it took; None when unknown.
    """

    kind: ClassVar[Literal["summary"]] = "summary"
    content: str
    covers: int
    usage: Usage = NO_USAGE
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The turn is over; the next entry is a user message."""

    kind: ClassVar[Literal["ended"]] = "ended"
    reason: StopReason


Entry: TypeAlias = (
    System
    | User
    | Assistant
    | Planned
    | Decision
    | ToolStarted
    | ToolResult
    | ModelFailed
    | OutputRefused
    | Note
    | Summary
    | Ended
)
