"""Where a run stands: a strict fold over its transcript.

`State.apply(entry)` takes one entry. It is legal or it is not: an entry that is not raises `IllegalEntry` and
changes nothing. The rules:

1. `MOVES` says which kinds of entries each phase takes, and where they may lead.
2. Every tool call gets exactly one answer: a result for a call that is not open is illegal, and the model's turn
   comes back only when no call is open.
3. A call runs (`ToolStarted`) only after it was planned, not refused, and every decision of its batch was made. It
   starts once; after a crash it may start again only if it is idempotent. One that never started is not answered `ok`.
4. A turn begins with a user message and ends with `Ended`.

The state holds the open calls and counters, never the entries: one step costs the same however long the run is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, ClassVar, TypeAlias

from agentkit.core.entries import (
    Decision,
    Ended,
    Entry,
    ModelFailed,
    Note,
    OutputRefused,
    Planned,
    PlannedCall,
    StopReason,
    Summary,
    ToolStarted,
)
from agentkit.core.messages import NO_USAGE, Assistant, System, ToolCall, ToolResult, Usage, User


class Phase(StrEnum):
    """What the transcript waits for."""

    REST = "rest"  # a user message
    MODEL = "model"  # the model's answer
    PLAN = "plan"  # a plan for the calls of the answer
    APPROVAL = "approval"  # a human's decisions
    TOOLS = "tools"  # the results of the calls
    OUTPUT = "output"  # a check of the final answer


MOVES: dict[Phase, dict[str, tuple[Phase, ...]]] = {
    Phase.REST: {
        "system": (Phase.REST,),
        "user": (Phase.MODEL,),
        "summary": (Phase.REST,),
    },
    Phase.MODEL: {
        "assistant": (Phase.PLAN, Phase.OUTPUT, Phase.MODEL),
        "model_failed": (Phase.MODEL,),
        "note": (Phase.MODEL,),
        "summary": (Phase.MODEL,),
        "ended": (Phase.REST,),
    },
    Phase.PLAN: {
        "planned": (Phase.APPROVAL, Phase.TOOLS),
        "tool_result": (Phase.PLAN, Phase.MODEL),
    },
    Phase.APPROVAL: {
        "decision": (Phase.APPROVAL, Phase.TOOLS),
        "tool_result": (Phase.APPROVAL, Phase.TOOLS, Phase.MODEL),
    },
    Phase.TOOLS: {
        "tool_started": (Phase.TOOLS,),
        "tool_result": (Phase.TOOLS, Phase.MODEL, Phase.OUTPUT),
    },
    Phase.OUTPUT: {
        "output_refused": (Phase.MODEL,),
        "ended": (Phase.REST,),
    },
}
"""Which entries each phase takes, and where each may lead. What else must hold stands with each entry's rule below."""


class IllegalEntry(ValueError):
    """The entry does not fit the transcript. Nothing was changed."""


@dataclass(slots=True)
class OpenCall:
    """A call that has no answer yet."""

    call: ToolCall
    planned: PlannedCall | None = None
    decision: Decision | None = None
    started: bool = False

    @property
    def undecided(self) -> bool:
        """Whether a human still has to decide."""
        planned = self.planned
        return planned is not None and planned.needs_approval and planned.refusal is None and self.decision is None

    @property
    def runs(self) -> bool:
        """Whether the plan is to run the call: it is not refused and does not carry the output."""
        return self.planned is not None and self.planned.refusal is None and not self.planned.is_output

    @property
    def may_succeed(self) -> bool:
        """Whether the call can be answered `ok`: it ran, it carries the output, or it comes from elsewhere."""
        planned = self.planned
        return planned is None or self.started or (planned.is_output and planned.refusal is None)


Lanes: TypeAlias = tuple[tuple[str, ...], ...]
"""Ids of calls: the lanes at once, the calls of a lane in order."""

Answer: TypeAlias = tuple[str, str, str]
"""Name, arguments and result of one call: what makes two steps "the same"."""


class State:
    """The fold of a transcript. Read its attributes; change it only with `apply`.

    Attributes:
        phase: What the transcript waits for.
        open: The calls without an answer, by id, in call order.
        waves: The waves of the open batch, with ids in the place of indices; what is refused is the first.
        batch: The ids of the calls of the last answer, in call order.
        ended: Why the last turn ended; None while a turn is open.
        steps: Whole answers in this turn.
        calls_by_tool: Calls of this turn that were planned to run, by tool name.
        tool_calls: How many they are, those of agents called as tools included.
        cost_usd: Known US dollars of this turn.
        cost_known: Whether `cost_usd` is all of it: no answer of this turn, and nothing else that spent, lacks a price.
        input_tokens: Input tokens of the last answer: how long the conversation is.
        refusals: Answers of this turn that were refused as output.
        context_failed: The last thing that happened is that the conversation did not fit.
        summarised: Nothing but a summary has come since the last answer.
        same_steps: How many steps in a row had the same calls and results.
        noted: The model was told that it repeats itself.
        last: The limit that ended the budget, once a batch is planned that it keeps from running.
        batch_failed: A call of the open batch, other than the output, failed or had no room, and the model can still
            be told; what a deadline kept from running does not count.
        output: The accepted arguments of the call that carries the output; None otherwise.
    """

    __slots__ = (
        "_ids",
        "_in_flight",
        "_output_invalid",
        "_previous",
        "_step",
        "_tokens",
        "_undecided",
        "_wave",
        "batch",
        "batch_failed",
        "calls_by_tool",
        "context_failed",
        "cost_known",
        "cost_usd",
        "ended",
        "input_tokens",
        "last",
        "noted",
        "open",
        "output",
        "phase",
        "refusals",
        "same_steps",
        "steps",
        "summarised",
        "tool_calls",
        "waves",
    )

    def __init__(self) -> None:
        self.phase = Phase.REST
        self.ended: StopReason | None = None
        self.input_tokens = 0
        self.context_failed = False
        self._ids: set[str] = set()
        self._new_turn()

    def _new_turn(self) -> None:
        self.open: dict[str, OpenCall] = {}
        self.batch: tuple[str, ...] = ()
        self.waves: tuple[Lanes, ...] = ()
        self._wave = 0
        self._in_flight = 0
        self._undecided = 0
        self.steps = 0
        self.calls_by_tool: dict[str, int] = {}
        self.tool_calls = 0
        self._tokens = NO_USAGE
        self.cost_usd = 0.0
        self.cost_known = True
        self.refusals = 0
        self.summarised = False
        self.same_steps = 0
        self.noted = False
        self.last: StopReason | None = None
        self.batch_failed = False
        self._output_invalid = False
        self.output: str | None = None
        self._step: dict[str, Answer] = {}
        self._previous: tuple[Answer, ...] = ()

    def apply(self, entry: Entry) -> None:
        """Take one entry.

        Raises:
            IllegalEntry: The entry does not fit; the state is as before.
        """
        if entry.kind not in MOVES[self.phase]:
            raise IllegalEntry(f"{entry.kind!r} cannot follow here: the transcript waits for {self.phase.value!r}")
        self._RULES[entry.kind](self, entry)

    # ---- the rule of each entry: first what must hold, then what changes ----

    def _system(self, entry: System) -> None:
        """Instructions change nothing."""

    def _user(self, _: User) -> None:
        self._new_turn()
        self.ended = None
        self.phase = Phase.MODEL

    def _assistant(self, entry: Assistant) -> None:
        ids = tuple(call.id for call in entry.tool_calls)
        if not entry.aborted and (len(set(ids)) != len(ids) or not self._ids.isdisjoint(ids) or "" in ids):
            raise IllegalEntry(f"each tool call needs an id of its own, got {ids}")
        self._spend(entry.usage, entry.cost_usd)
        self.cost_known = self.cost_known and entry.cost_usd is not None  # an answer costs, also one without figures
        if entry.aborted:
            return
        self.input_tokens = entry.usage.input_tokens
        self.context_failed = False
        self.summarised = False
        self.steps += 1
        if not ids:
            self.phase = Phase.OUTPUT
            return
        self._ids.update(ids)
        self.batch = ids
        self.open = {call.id: OpenCall(call) for call in entry.tool_calls}
        self.batch_failed = False
        self._output_invalid = False
        self._step = {}
        self.phase = Phase.PLAN

    def _plan(self, entry: Planned) -> None:
        ids = [planned.call_id for planned in entry.calls]
        if ids != [*self.open]:
            raise IllegalEntry("a plan names every open call of the answer once, in its order")
        runnable = []
        for i, planned in enumerate(entry.calls):
            if (planned.refusal is None) != (planned.outcome == "ok"):
                raise IllegalEntry("a planned call has a refusal if, and only if, its outcome is not 'ok'")
            if planned.refusal is None and not planned.is_output:
                runnable.append(i)
        if sorted(i for wave in entry.waves for lane in wave for i in lane) != runnable:
            raise IllegalEntry("the waves of a plan hold each call that runs exactly once")
        for planned in entry.calls:
            self.open[planned.call_id].planned = planned
        for i in runnable:
            name = entry.calls[i].name
            self.calls_by_tool[name] = self.calls_by_tool.get(name, 0) + 1
        self.tool_calls += len(runnable)
        refused = tuple((planned.call_id,) for planned in entry.calls if planned.refusal is not None)
        waves = tuple(tuple(tuple(ids[i] for i in lane) for lane in wave) for wave in entry.waves)
        self.waves, self._wave = (refused, *waves), 0
        self.last = entry.last
        self._undecided = sum(call.undecided for call in self.open.values())
        self.phase = Phase.APPROVAL if self._undecided else Phase.TOOLS

    def _decision(self, entry: Decision) -> None:
        call = self._open(entry.call_id)
        if not call.undecided or call.planned is None:
            raise IllegalEntry(f"call {entry.call_id!r} does not wait for a decision")
        if (entry.arguments is not None) != (entry.verdict == "edit"):
            raise IllegalEntry("a decision carries arguments if, and only if, it edits them")
        if entry.arguments is not None and not isinstance(_json(entry.arguments), dict):
            raise IllegalEntry("edited arguments are the text of a JSON object")
        call.decision = entry
        if entry.arguments is not None:
            call.planned = replace(call.planned, arguments=entry.arguments)
        self._undecided -= 1
        if not self._undecided:
            self.phase = Phase.TOOLS

    def _started(self, entry: ToolStarted) -> None:
        call = self._open(entry.call_id)
        planned = call.planned
        if planned is None or planned.refusal is not None:
            raise IllegalEntry(f"call {entry.call_id!r} was not planned to run")
        if call.decision is not None and call.decision.verdict == "deny":
            raise IllegalEntry(f"call {entry.call_id!r} was denied")
        if call.started and not planned.idempotent:
            raise IllegalEntry(f"call {entry.call_id!r} has started already and is not idempotent")
        self._in_flight += not call.started
        call.started = True

    def _result(self, entry: ToolResult) -> None:
        call = self._open(entry.call_id)
        planned = call.planned
        if not entry.is_error and (self.phase is Phase.APPROVAL or not call.may_succeed):
            raise IllegalEntry(f"call {entry.call_id!r} never started: it cannot be answered 'ok'")
        if planned is not None and planned.is_output:
            if entry.outcome == "ok":
                self.output = planned.arguments
            elif entry.outcome == "invalid":
                self._output_invalid = True
        elif entry.is_error and self.last is None and not (entry.outcome == "limit" and call.runs):
            self.batch_failed = True
        del self.open[entry.call_id]
        self._in_flight -= call.started
        self._undecided -= call.undecided
        if entry.usage is not None or entry.cost_usd is not None:
            self._spend(entry.usage or NO_USAGE, entry.cost_usd)
        arguments = call.call.arguments if planned is None or planned.refusal else planned.arguments
        self._step[entry.call_id] = (entry.name, arguments, entry.content)
        if self.open:
            if self.phase is Phase.APPROVAL and not self._undecided:
                self.phase = Phase.TOOLS
            return
        self._batch_done()

    def _batch_done(self) -> None:
        step = tuple(self._step[call_id] for call_id in self.batch)
        self.same_steps = self.same_steps + 1 if _same(step, self._previous) else 1
        self.noted = self.noted and self.same_steps > 1
        self._previous = step
        self._step = {}
        self.batch, self.waves = (), ()
        if self._output_invalid and self.output is None:
            self.refusals += 1
        self.phase = Phase.OUTPUT if self.output is not None else Phase.MODEL

    def _model_failed(self, entry: ModelFailed) -> None:
        self.context_failed = entry.error == "ContextTooLong"

    def _output_refused(self, _: OutputRefused) -> None:
        self.refusals += 1
        self.output = None
        self.same_steps, self._previous = 0, ()
        self.phase = Phase.MODEL

    def _note(self, _: Note) -> None:
        self.noted = True

    def _summary(self, entry: Summary) -> None:
        if entry.covers < 0:
            raise IllegalEntry("a summary covers a number of messages, or 0 when there was nothing to cover")
        self._spend(entry.usage, entry.cost_usd)
        self.context_failed = False
        self.summarised = True
        self.input_tokens = 0

    def _ended(self, entry: Ended) -> None:
        self.ended = entry.reason
        self.phase = Phase.REST

    _RULES: ClassVar[dict[str, Callable[[Any, Any], None]]] = {
        "system": _system,
        "user": _user,
        "assistant": _assistant,
        "planned": _plan,
        "decision": _decision,
        "tool_started": _started,
        "tool_result": _result,
        "model_failed": _model_failed,
        "output_refused": _output_refused,
        "note": _note,
        "summary": _summary,
        "ended": _ended,
    }

    # ---- helpers ----

    def is_new(self, call_id: str) -> bool:
        """Whether a call may have this id: it is one, and no call of the transcript has it."""
        return call_id != "" and call_id not in self._ids

    def _open(self, call_id: str) -> OpenCall:
        call = self.open.get(call_id)
        if call is None:
            raise IllegalEntry(f"call {call_id!r} is not open: it is unknown or has its answer")
        return call

    def _spend(self, usage: Usage, cost_usd: float | None) -> None:
        self._tokens += usage
        self.tool_calls += usage.tool_calls
        self.cost_usd += cost_usd or 0.0
        self.cost_known = self.cost_known and (cost_usd is not None or usage == NO_USAGE)

    @property
    def usage(self) -> Usage:
        """Tokens and calls of this turn, those of tools included."""
        return replace(self._tokens, tool_calls=self.tool_calls)

    @property
    def in_flight(self) -> tuple[str, ...]:
        """The calls that have started and have no answer, in call order."""
        return tuple(call_id for call_id, call in self.open.items() if call.started) if self._in_flight else ()

    @property
    def next_wave(self) -> Lanes:
        """The lanes of the first wave that still has open calls; each refused call is a lane of its own.

        Refused calls come first (they are answered at once), calls that carry the output last, one after another.
        """
        while self._wave < len(self.waves):
            lanes = (tuple(call_id for call_id in lane if call_id in self.open) for lane in self.waves[self._wave])
            if left := tuple(lane for lane in lanes if lane):
                return left
            self._wave += 1  # an answered call never opens again: no wave is looked at twice
        return (tuple(self.open),)


def fold(entries: Iterable[Entry]) -> State:
    """The state after these entries.

    Raises:
        IllegalEntry: An entry does not fit; says which.
    """
    state = State()
    for number, entry in enumerate(entries):
        try:
            state.apply(entry)
        except IllegalEntry as fault:
            raise IllegalEntry(f"entry {number}: {fault}") from None
    return state


def _same(one: tuple[Answer, ...], other: tuple[Answer, ...]) -> bool:
    """Whether two steps made the same calls with the same results; arguments are compared as JSON."""
    if len(one) != len(other):
        return False
    return all(
        a[0] == b[0] and a[2] == b[2] and (a[1] == b[1] or _json(a[1]) == _json(b[1]))
        for a, b in zip(one, other, strict=True)
    )


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
