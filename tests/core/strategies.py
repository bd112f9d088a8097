"""Random legal transcripts: a runtime in which chance is the model, the tools, the human and the power cut.

`Player` asks `next_action` and answers it, a little differently each time; `transcripts()` is what it plays, as a
hypothesis strategy; `entries()` are single entries with every field drawn, for the codec.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import strategies as st

from agentkit.core.decide import (
    Action,
    AskApproval,
    CallModel,
    CheckOutput,
    Finish,
    Plan,
    Recover,
    RunTools,
    Summarise,
    next_action,
)
from agentkit.core.entries import (
    Decision,
    Ended,
    Entry,
    ModelFailed,
    Note,
    OutputRefused,
    Planned,
    PlannedCall,
    Summary,
    ToolStarted,
)
from agentkit.core.limits import Limits
from agentkit.core.messages import Assistant, System, ToolCall, ToolResult, Usage, User
from agentkit.core.state import Phase, State, fold
from agentkit.core.view import Projection

FIND, SEND, ADD, OUTPUT, UNKNOWN = "find", "send", "add", "final_result", "no_such_tool"
"""`find` is idempotent, `send` needs approval, `add` is plain, `final_result` carries the output."""


class PowerCut(Exception):
    """The process dies here: what is in the transcript stays, nothing else does."""


class Player:
    """Plays a run the way a runtime does; `rng` stands for the model, the tools, the human and the power cut.

    Attributes:
        entries: The transcript so far.
        actions: The actions that were carried out.
        moves: Each step of the fold: phase, kind of entry, phase after it.
        stubborn: In this turn, the model makes the same call again and again, and the tool gives the same result.
    """

    def __init__(self, limits: Limits, rng: Random, *, mishaps: bool = True, entries: Sequence[Entry] = ()) -> None:
        self.limits, self.rng, self.mishaps = limits, rng, mishaps
        self.entries: list[Entry] = []
        self.actions: list[Action] = []
        self.moves: list[tuple[Phase, str, Phase]] = []
        self.state, self.projection = State(), Projection()
        self.now = 0.0
        self.stubborn = False
        for entry in entries:
            self.append(entry)

    # ---- the run ----

    def append(self, entry: Entry) -> None:
        before = self.state.phase
        self.state.apply(entry)
        self.entries.append(entry)
        self.projection.push(entry)
        self.moves.append((before, entry.kind, self.state.phase))

    def play(self, *, turns: int = 1, at_most: int = 60) -> None:
        """Play so many turns, or until the transcript has about so many entries; leave it where it stands then."""
        for _ in range(turns):
            if self.state.phase is Phase.REST:
                self.begin()
            self.finish(at_most=at_most)

    def begin(self) -> None:
        """A question, perhaps after an instruction or a summary."""
        if self.mishaps and self.chance(10):
            self.append(System(content="Be brief."))
        if self.mishaps and self.chance(10):
            self.append(Summary(content="before", covers=self.rng.randint(0, len(self.projection.messages))))
        self.stubborn = self.chance(3)
        self.append(User(content=self.rng.choice(["How much?", "And now?", ""])))

    def finish(self, *, at_most: int = 10_000) -> None:
        """Carry the turn on until it is over."""
        while self.state.phase is not Phase.REST and len(self.entries) < at_most:
            try:
                if self.mishaps and self.chance(25):
                    self.close()
                else:
                    self.step()
            except PowerCut:  # the next process folds what is there
                self.state, self.now = fold(self.entries), 0.0

    def step(self) -> None:
        """Ask what is next and carry it out."""
        action = next_action(self.state, self.limits, self.now)
        self.actions.append(action)
        self.now += 1.0
        match action:
            case CallModel(note=str() as note):
                self.append(Note(content=note))
            case CallModel():
                self.append(self.model(action))
            case Plan():
                self.append(self.plan(action))
            case AskApproval():
                self.decide(action)
            case RunTools():
                self.run_tools(action)
            case Recover():
                self.recover(action)
            case CheckOutput():
                good = not self.chance(3)
                refused = action.may_correct and not good
                reason = action.reason if good or action.reason != "finished" else "output"
                self.append(OutputRefused(reason="not a number") if refused else Ended(reason=reason))
            case Summarise():
                self.may_fail()
                self.append(Summary(content="long ago", covers=self.rng.randint(0, len(self.projection.messages))))
            case Finish():
                self.append(Ended(reason=action.reason))

    def close(self) -> None:
        """Give the turn up: answer what is open, then end it."""
        for call_id, call in [*self.state.open.items()]:
            self.may_fail()
            self.append(ToolResult(call_id=call_id, name=call.call.name, content="closed", outcome="interrupted"))
        self.append(Ended(reason="closed"))

    # ---- chance ----

    def chance(self, one_in: int) -> bool:
        return self.rng.randint(1, one_in) == 1

    def may_fail(self) -> None:
        """The power may be cut here."""
        if self.mishaps and self.chance(12):
            raise PowerCut

    def model(self, action: CallModel) -> Assistant | ModelFailed:
        """An answer, whatever the request was: models ignore that they have no tools."""
        self.may_fail()
        number = len(self.entries)
        usage = Usage(input_tokens=self.rng.randint(0, 50), output_tokens=self.rng.randint(0, 9), requests=1)
        cost_usd = self.rng.choice([None, 0.25])
        if self.mishaps and self.chance(8):
            error = self.rng.choice(["ContextTooLong", "Unavailable"])
            return ModelFailed(error=error, message="no answer")
        if self.stubborn:
            call = ToolCall(id=f"c{number}", name=ADD, arguments=self.rng.choice(['{"a": 1}', '{"a":1}']))
            return Assistant(tool_calls=(call,), usage=usage, cost_usd=cost_usd)
        if self.chance(3):
            return Assistant(content=self.rng.choice(["42", ""]), usage=usage, cost_usd=cost_usd)
        calls = tuple(self.call(f"c{number}_{k}") for k in range(self.rng.randint(1, 4)))
        aborted = self.mishaps and self.chance(8)
        return Assistant(content="Let me see.", tool_calls=calls, usage=usage, cost_usd=cost_usd, aborted=aborted)

    def call(self, call_id: str) -> ToolCall:
        name = self.rng.choice([FIND, SEND, ADD, OUTPUT, UNKNOWN])
        return ToolCall(id=call_id, name=name, arguments=self.rng.choice(['{"a": 1}', '{"a":1}', "{}", "{broken"]))

    def plan(self, action: Plan) -> Planned:
        """The open calls, those refused that cannot run; random waves of random lanes."""
        self.may_fail()
        room = action.room
        calls = []
        for open_call in self.state.open.values():
            planned = planned_call(open_call.call, action, room)
            if room is not None and runs(planned):
                room -= 1
            calls.append(planned)
        waves: list[list[list[int]]] = []
        for i in (i for i, planned in enumerate(calls) if runs(planned)):
            where = self.rng.choice(["wave", "lane", "same"])
            if where == "wave" or not waves:
                waves.append([[i]])
            elif where == "lane":
                waves[-1].append([i])
            else:
                waves[-1][-1].append(i)
        frozen = tuple(tuple(tuple(lane) for lane in wave) for wave in waves)
        return Planned(calls=tuple(calls), waves=frozen, last=action.last)

    def decide(self, action: AskApproval) -> None:
        for call_id in action.calls:
            self.may_fail()
            match self.rng.choice(["allow", "deny", "edit"]):
                case "allow":
                    self.append(Decision(call_id=call_id, verdict="allow"))
                case "deny":
                    self.append(Decision(call_id=call_id, verdict="deny", reason="no"))
                case _:
                    self.append(Decision(call_id=call_id, verdict="edit", arguments='{"a": 2}'))

    def run_tools(self, action: RunTools) -> None:
        """The lanes at once, in any order of completion; each call starts and ends, unless the power is cut."""
        lanes = [list(lane) for lane in action.lanes]
        while lanes:
            self.may_fail()
            lane = self.rng.choice(lanes)
            call = self.state.open[lane[0]]
            if call.started or action.expired or not self.start(lane[0]):
                self.append(self.result(lane.pop(0), expired=action.expired))
            lanes = [lane for lane in lanes if lane]

    def start(self, call_id: str) -> bool:
        call = self.state.open[call_id]
        denied = call.decision is not None and call.decision.verdict == "deny"
        if call.planned is None or not runs(call.planned) or denied:
            return False
        self.append(ToolStarted(call_id=call_id))
        return True

    def result(self, call_id: str, *, expired: bool = False) -> ToolResult:
        call = self.state.open[call_id]
        planned = call.planned
        assert planned is not None
        answer = {"call_id": call_id, "name": planned.name}
        if planned.refusal is not None:
            return ToolResult(**answer, content=planned.refusal, outcome=planned.outcome)
        if expired and not call.started:
            return ToolResult(**answer, content="too late", outcome="limit")
        if planned.is_output:
            outcome = "error" if self.state.batch_failed else self.rng.choice(["ok", "invalid"])
            return ToolResult(**answer, content=outcome, outcome=outcome)
        if not call.started:
            return ToolResult(**answer, content="no", outcome="denied")
        if self.stubborn:
            return ToolResult(**answer, content="1")
        usage = self.rng.choice([None, Usage(input_tokens=5, output_tokens=1, requests=1)])
        outcome = self.rng.choice(["ok", "ok", "error", "timeout"])
        return ToolResult(**answer, content=self.rng.choice(["1", "2"]), outcome=outcome, usage=usage)

    def recover(self, action: Recover) -> None:
        for call_id in action.calls:
            self.may_fail()
            call = self.state.open[call_id]
            assert call.planned is not None
            if call.planned.idempotent:
                self.append(ToolStarted(call_id=call_id))
                self.append(self.result(call_id))
            else:
                name = call.planned.name
                self.append(ToolResult(call_id=call_id, name=name, content="unknown", outcome="interrupted"))


def planned_call(call: ToolCall, action: Plan, room: int | None) -> PlannedCall:
    """What a planner makes of a call: names, arguments and the room that the budget leaves."""
    known = {"call_id": call.id, "name": call.name}
    if call.name == UNKNOWN:
        return PlannedCall(**known, arguments="{}", refusal="unknown tool", outcome="unknown_tool")
    if call.arguments == "{broken":
        is_output = call.name == OUTPUT
        return PlannedCall(**known, arguments="{}", refusal="no JSON", outcome="invalid", is_output=is_output)
    if call.name == OUTPUT:
        return PlannedCall(**known, arguments=call.arguments, is_output=True)
    if action.last is not None or room == 0:
        return PlannedCall(**known, arguments=call.arguments, refusal="no room", outcome="limit")
    approval, idempotent = call.name == SEND, call.name == FIND
    return PlannedCall(**known, arguments=call.arguments, needs_approval=approval, idempotent=idempotent)


def runs(planned: PlannedCall) -> bool:
    """Whether the call takes a place in the waves."""
    return planned.refusal is None and not planned.is_output


# ---- strategies ----


@dataclass(frozen=True)
class Played:
    """What was played: any prefix of the entries is a legal transcript."""

    entries: tuple[Entry, ...]
    limits: Limits
    moves: tuple[tuple[Phase, str, Phase], ...]


def some_limits() -> st.SearchStrategy[Limits]:
    """Limits of every kind, all of which end a turn."""
    return st.builds(
        Limits,
        steps=st.integers(1, 6),
        tool_calls=st.none() | st.integers(0, 6),
        tokens=st.none() | st.integers(1, 200),
        cost_usd=st.none() | st.floats(0, 2),
        deadline_s=st.none() | st.integers(0, 30),
        repeats=st.none() | st.integers(2, 3),
        corrections=st.integers(0, 2),
        summarise_at_tokens=st.none() | st.integers(0, 60),
    )


@st.composite
def transcripts(draw: st.DrawFn, limits: st.SearchStrategy[Limits] | None = None, turns: int = 3) -> Played:
    """A legal transcript with the limits that it was played under, possibly left in the middle of a turn."""
    chosen = draw(some_limits() if limits is None else limits)
    player = Player(chosen, draw(st.randoms(use_true_random=False)))
    player.play(turns=turns, at_most=draw(st.integers(1, 60)))
    return Played(tuple(player.entries), chosen, tuple(player.moves))


texts = st.text(st.characters(exclude_categories=()), max_size=8)
"""Any text, lone surrogates included."""

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
"""Any JSON value."""

json_objects = st.dictionaries(texts, json_values, max_size=3)

_counts = st.integers(0, 10**12)
_money = st.none() | st.floats(0, allow_nan=False, allow_infinity=False)
_outcomes = st.sampled_from(["ok", "error", "invalid", "unknown_tool", "denied", "limit", "timeout", "interrupted"])
_reasons = st.sampled_from(
    ["finished", "steps", "tool_calls", "tokens", "cost_usd", "deadline_s", "repeats", "output", "closed"]
)
_usages = st.builds(
    Usage,
    input_tokens=_counts,
    output_tokens=_counts,
    cached_tokens=_counts,
    reasoning_tokens=_counts,
    requests=_counts,
    neurons=_money,
)
_calls = st.builds(
    ToolCall,
    id=texts,
    name=texts,
    arguments=texts | json_objects.map(json.dumps),
    provider_id=st.none() | texts,
    recovered=st.none() | texts,
    truncated=st.booleans(),
    extra=st.none() | json_objects,
)
_planned_calls = st.builds(
    PlannedCall,
    call_id=texts,
    name=texts,
    arguments=texts,
    repaired=st.booleans(),
    needs_approval=st.booleans(),
    idempotent=st.booleans(),
    is_output=st.booleans(),
    refusal=st.none() | texts,
    outcome=_outcomes,
)


def _tuples(items: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, max_size=3).map(tuple)


def entries() -> st.SearchStrategy[Entry]:
    """A single entry with every field drawn (it need not fit anywhere)."""
    return st.one_of(
        st.builds(System, content=texts),
        st.builds(User, content=texts | _tuples(json_objects)),
        st.builds(
            Assistant,
            content=texts,
            tool_calls=_tuples(_calls),
            reasoning=texts,
            finish_reason=texts,
            usage=_usages,
            cost_usd=_money,
            model=texts,
            aborted=st.booleans(),
            extra=json_objects,
        ),
        st.builds(
            Planned,
            calls=_tuples(_planned_calls),
            waves=_tuples(_tuples(_tuples(st.integers(0, 9)))),
            last=st.none() | _reasons,
        ),
        st.builds(
            Decision,
            call_id=texts,
            verdict=st.sampled_from(["allow", "deny", "edit"]),
            reason=texts,
            arguments=st.none() | texts,
        ),
        st.builds(ToolStarted, call_id=texts),
        st.builds(
            ToolResult,
            call_id=texts,
            name=texts,
            content=texts,
            outcome=_outcomes,
            repaired=st.booleans(),
            details=json_values,
            usage=st.none() | _usages,
            cost_usd=_money,
        ),
        st.builds(ModelFailed, error=texts, message=texts),
        st.builds(OutputRefused, reason=texts),
        st.builds(Note, content=texts),
        st.builds(Summary, content=texts, covers=_counts, usage=_usages, cost_usd=_money),
        st.builds(Ended, reason=_reasons),
    )
