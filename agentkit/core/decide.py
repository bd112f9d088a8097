"""What happens next: a pure function of the state, the limits and the seconds that this process has worked.

It reads no clock, no network, no randomness, and nothing that is not in the entries. Every driver (the runtime, a
distributed engine) carries out what it says and appends what came of it.

    phase       next action
    rest        Finish (the turn is over)
    model       Finish if a budget is spent, Summarise if the conversation is too long, else CallModel
    plan        Plan, with the room that the budget leaves
    approval    AskApproval
    tools       Recover what a crash left in flight, else RunTools (the next wave)
    output      CheckOutput
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias, assert_never

from agentkit.core.entries import StopReason
from agentkit.core.limits import Limits
from agentkit.core.state import Phase, State

REPEAT_NOTE = (
    "You have made the same tool calls {count} times in a row and got the same results. Calling again will not help: "
    "try something else, or answer with what you have."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallModel:
    """Ask the model.

    Attributes:
        step: The number of this request in the turn, from 1.
        last: The limit that makes this the last request of the turn: it is made without tools.
        note: To be appended as a `Note` before the request; then ask again what is next.
    """

    kind: ClassVar[Literal["call_model"]] = "call_model"
    step: int
    last: StopReason | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Plan the calls of the last answer.

    Attributes:
        room: How many calls may run; the others are refused with outcome `limit`. None: all.
        last: The limit that made the last request the last one; none but the output may run then.
        spent: The limit that the answer crossed; neither may any run then.
    """

    kind: ClassVar[Literal["plan"]] = "plan"
    room: int | None = None
    last: StopReason | None = None
    spent: StopReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskApproval:
    """Have these calls decided by a human."""

    kind: ClassVar[Literal["ask_approval"]] = "ask_approval"
    calls: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTools:
    """Run these lanes of calls at once, the calls of a lane in order, and answer each.

    Attributes:
        lanes: Ids of open calls.
        expired: The deadline has passed: answer `limit` instead of running.
    """

    kind: ClassVar[Literal["run_tools"]] = "run_tools"
    lanes: tuple[tuple[str, ...], ...]
    expired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recover:
    """These calls were in flight when a process died: run again what is idempotent, answer the others."""

    kind: ClassVar[Literal["recover"]] = "recover"
    calls: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOutput:
    """Check the final answer: append `Ended`, or `OutputRefused` while corrections remain.

    Attributes:
        reason: The reason that `Ended` gets if the answer is good.
        may_correct: Whether the answer may be sent back.
    """

    kind: ClassVar[Literal["check_output"]] = "check_output"
    reason: StopReason
    may_correct: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Summarise:
    """Summarise the oldest messages."""

    kind: ClassVar[Literal["summarise"]] = "summarise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """The turn ends for this reason; append `Ended` if that was not done."""

    kind: ClassVar[Literal["finish"]] = "finish"
    reason: StopReason


Action: TypeAlias = CallModel | Plan | AskApproval | RunTools | Recover | CheckOutput | Summarise | Finish


def next_action(state: State, limits: Limits, now: float) -> Action:
    """What happens next.

    Args:
        state: The fold of the transcript.
        limits: The budget of a turn.
        now: Seconds that this process has worked on the run.
    """
    match state.phase:
        case Phase.REST:
            return Finish(reason=state.ended or "finished")
        case Phase.MODEL:
            return _models_turn(state, limits, now)
        case Phase.PLAN:
            last = _last_request(state, limits, state.steps)
            spent = None if last else _spent(state, limits, now)
            return Plan(room=0 if last or spent else _room(state, limits), last=last, spent=spent)
        case Phase.APPROVAL:
            return AskApproval(calls=tuple(i for i, call in state.open.items() if call.undecided))
        case Phase.TOOLS:
            if state.in_flight:
                return Recover(calls=state.in_flight)
            lanes = state.next_wave  # either all of them run, or none does
            return RunTools(lanes=lanes, expired=_expired(limits, now) and state.open[lanes[0][0]].runs)
        case Phase.OUTPUT:
            # a batch carries what ended the budget; for a text, nothing has changed since it was asked for
            last = state.last if state.output is not None else _last_request(state, limits, state.steps)
            reason = last or "finished"
            may_correct = state.refusals < limits.corrections and reason == "finished"
            return CheckOutput(reason=reason, may_correct=may_correct)
        case unknown:
            assert_never(unknown)


def _models_turn(state: State, limits: Limits, now: float) -> Action:
    spent = state.last or _spent(state, limits, now)
    if spent:
        return Finish(reason=spent)
    at = limits.summarise_at_tokens
    if at is not None and not state.summarised and (state.context_failed or state.input_tokens >= at):
        return Summarise()
    if limits.repeats is not None and state.same_steps >= limits.repeats and not state.noted:
        return CallModel(step=state.steps + 1, note=REPEAT_NOTE.format(count=state.same_steps))
    return CallModel(step=state.steps + 1, last=_last_request(state, limits, state.steps + 1))


def _spent(state: State, limits: Limits, now: float) -> StopReason | None:
    """The budget that leaves no room for another request, if one does."""
    if limits.steps is not None and state.steps >= limits.steps:
        return "steps"
    if limits.tokens is not None and state.usage.total_tokens >= limits.tokens:
        return "tokens"
    if limits.cost_usd is not None and state.cost_usd >= limits.cost_usd:
        return "cost_usd"
    if _expired(limits, now):
        return "deadline_s"
    if state.refusals > limits.corrections:
        return "output"
    return None


def _last_request(state: State, limits: Limits, step: int) -> StopReason | None:
    """The limit that makes request number `step` the last one, if one does."""
    if limits.steps is not None and step >= limits.steps:
        return "steps"
    if limits.tool_calls is not None and state.tool_calls >= limits.tool_calls:
        return "tool_calls"
    if limits.repeats is not None and state.noted and state.same_steps > limits.repeats:
        return "repeats"
    return None


def _room(state: State, limits: Limits) -> int | None:
    return None if limits.tool_calls is None else max(0, limits.tool_calls - state.tool_calls)


def _expired(limits: Limits, now: float) -> bool:
    return limits.deadline_s is not None and now >= limits.deadline_s
