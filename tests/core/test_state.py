"""The strict fold: what is legal is taken, what is not is refused and changes nothing."""

from __future__ import annotations

import copy
import runpy
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from core.strategies import Played, Player, transcripts
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit.core.decide import next_action
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
from agentkit.core.limits import NO_LIMITS, Limits
from agentkit.core.messages import Assistant, System, ToolCall, ToolResult, Usage, User
from agentkit.core.state import MOVES, IllegalEntry, Phase, State, fold

DOCS = Path(__file__).parents[2] / "docs"


def call(call_id: str, name: str = "add", arguments: str = "{}") -> ToolCall:
    return ToolCall(id=call_id, name=name, arguments=arguments)


def calls(*ids: str, **fields) -> Assistant:
    return Assistant(tool_calls=tuple(call(i) for i in ids), **fields)


def plan(*ids: str, last=None, **fields) -> Planned:
    """A plan in which all calls run at once; `fields` go to each call."""
    planned = tuple(PlannedCall(call_id=i, name="add", arguments="{}", **fields) for i in ids)
    runs = [i for i, one in enumerate(planned) if one.refusal is None and not one.is_output]
    return Planned(calls=planned, waves=(tuple((i,) for i in runs),) if runs else (), last=last)


def ok(call_id: str, content: str = "1", **fields) -> ToolResult:
    return ToolResult(call_id=call_id, name="add", content=content, **fields)


def error(call_id: str, outcome: str = "interrupted", **fields) -> ToolResult:
    return ok(call_id, outcome=outcome, **fields)


def started(call_id: str) -> ToolStarted:
    return ToolStarted(call_id=call_id)


def deny(call_id: str) -> Decision:
    return Decision(call_id=call_id, verdict="deny")


def step(call_id: str, content: str = "1") -> list[Entry]:
    """A whole step: an answer with one call, its plan, its start, its result."""
    return [calls(call_id), plan(call_id), started(call_id), ok(call_id, content)]


ASK = User(content="?")
OUT = {"is_output": True}


def snapshot(state: State) -> dict[str, object]:
    return {name: copy.deepcopy(getattr(state, name)) for name in State.__slots__}


# ---- every prefix goes on ----


@settings(deadline=None, max_examples=60)
@given(transcripts())
def test_every_prefix_has_an_action_that_is_carried_out_to_the_end(played: Played):
    """Wherever a process dies, folding what is there and asking what is next ends the turn legally."""
    for end in range(len(played.entries) + 1):
        player = Player(played.limits, Random(end), mishaps=False, entries=played.entries[:end])
        assert next_action(player.state, player.limits, 0.0) is not None
        player.finish(at_most=end + 500)
        assert player.state.phase is Phase.REST
        check(player.entries)


@settings(deadline=None, max_examples=60)
@given(transcripts())
def test_every_prefix_can_be_closed(played: Played):
    """From every phase, answering what is open and `Ended` give the turn up."""
    for end in range(len(played.entries) + 1):
        player = Player(played.limits, Random(0), mishaps=False, entries=played.entries[:end])
        if player.state.phase is not Phase.REST:
            player.close()
        player.append(ASK)
        check(player.entries)


@settings(deadline=None)
@given(transcripts())
def test_folding_is_what_applying_one_by_one_gives(played: Played):
    """A state that lived through a run and one folded from its entries are the same."""
    state = State()
    for entry in played.entries:
        state.apply(entry)
    assert snapshot(state) == snapshot(fold(played.entries))


def test_moves_lead_where_the_table_says_and_nowhere_else():
    """Over many random runs, the moves that happen are exactly those of `MOVES`."""
    seen = set()
    for seed in range(800):
        rng = Random(seed)
        limits = Limits(steps=rng.randint(1, 6), corrections=rng.randint(0, 2), summarise_at_tokens=20)
        player = Player(limits, rng)
        player.play(turns=3)
        seen.update(player.moves)
    assert seen == {(phase, kind, to) for phase, moves in MOVES.items() for kind, tos in moves.items() for to in tos}


# ---- illegal entries ----

ONE_CALL = [ASK, calls("a")]
TWO_CALLS = [ASK, calls("a", "b")]
PLANNED = [*TWO_CALLS, plan("a", "b")]
WAITING = [*TWO_CALLS, plan("a", "b", needs_approval=True)]

ILLEGAL = {
    "an answer without a question": ([], Assistant(content="Hello")),
    "a question in the middle of a turn": ([ASK], ASK),
    "instructions in the middle of a turn": ([ASK], System(content="Be brief.")),
    "the end of a turn that has not begun": ([], Ended(reason="finished")),
    "an end while calls are open": (ONE_CALL, Ended(reason="closed")),
    "a second end": ([ASK, Assistant(content="42"), Ended(reason="finished")], Ended(reason="finished")),
    "a second answer before the check": ([ASK, Assistant(content="42")], Assistant(content="43")),
    "an answer while calls are open": (PLANNED, Assistant(content="42")),
    "a note while calls are open": (PLANNED, Note(content="hm")),
    "a summary while calls are open": (PLANNED, Summary(content="s", covers=1)),
    "a summary that covers less than nothing": ([ASK], Summary(content="s", covers=-1)),
    "a refusal before an answer": ([ASK], OutputRefused(reason="no")),
    "a failed model call while calls are open": (PLANNED, ModelFailed(error="Unavailable", message="")),
    "two calls with one id": ([ASK], calls("a", "a")),
    "a call without an id": ([ASK], calls("")),
    "an id that an earlier turn used": ([ASK, *step("a"), Ended(reason="closed"), ASK], calls("a")),
    "a plan without calls to plan": ([ASK], plan()),
    "a plan of too few calls": (TWO_CALLS, plan("a")),
    "a plan of too many calls": (TWO_CALLS, plan("a", "b", "c")),
    "a plan in another order": (TWO_CALLS, plan("b", "a")),
    "a plan of an unknown call": (ONE_CALL, plan("x")),
    "a second plan": (PLANNED, plan("a", "b")),
    "a plan whose waves leave a call out": (TWO_CALLS, Planned(calls=plan("a", "b").calls, waves=(((0,),),))),
    "a plan whose waves run a call twice": (ONE_CALL, Planned(calls=plan("a").calls, waves=(((0, 0),),))),
    "a plan whose waves run a refused call": (
        ONE_CALL,
        Planned(calls=plan("a", refusal="no", outcome="invalid").calls, waves=(((0,),),)),
    ),
    "a plan whose waves run the output": (ONE_CALL, Planned(calls=plan("a", **OUT).calls, waves=(((0,),),))),
    "a refusal without an outcome": (ONE_CALL, plan("a", refusal="no")),
    "an outcome without a refusal": (ONE_CALL, plan("a", outcome="limit")),
    "one refusal without an outcome": (
        TWO_CALLS,
        Planned(calls=(*plan("a").calls, *plan("b", refusal="no").calls), waves=(((0,),),)),
    ),
    "a start before the plan": (ONE_CALL, started("a")),
    "a start of an unknown call": (PLANNED, started("x")),
    "a start before all are decided": ([*WAITING, Decision(call_id="a", verdict="allow")], started("a")),
    "a start of a denied call": ([*WAITING, deny("a"), deny("b")], started("a")),
    "a start of a refused call": ([*ONE_CALL, plan("a", refusal="no", outcome="invalid")], started("a")),
    "a second start": ([*PLANNED, started("a")], started("a")),
    "a start of an answered call": ([*PLANNED, started("a"), ok("a")], started("a")),
    "a result of an unknown call": (PLANNED, error("x")),
    "a second result": ([*PLANNED, error("a")], error("a")),
    "a result of an earlier batch": ([ASK, *step("a"), calls("b")], error("a")),
    "success of a call that never started": (PLANNED, ok("a")),
    "success of a refused call": ([*ONE_CALL, plan("a", refusal="no", outcome="invalid")], ok("a")),
    "success of a refused output": ([*ONE_CALL, plan("a", refusal="no", outcome="invalid", **OUT)], ok("a")),
    "success before all are decided": (WAITING, ok("a")),
    "a decision that nobody waits for": (PLANNED, deny("a")),
    "a decision about an unknown call": (WAITING, deny("x")),
    "a second decision": ([*WAITING, deny("a")], deny("a")),
    "a decision about an answered call": ([*WAITING, error("a")], deny("a")),
    "an edit without arguments": (WAITING, Decision(call_id="a", verdict="edit")),
    "arguments without an edit": (WAITING, Decision(call_id="a", verdict="allow", arguments="{}")),
    "an edit that is no JSON": (WAITING, Decision(call_id="a", verdict="edit", arguments="{broken")),
    "an edit that is no JSON object": (WAITING, Decision(call_id="a", verdict="edit", arguments="[1]")),
}


@pytest.mark.parametrize("name", ILLEGAL)
def test_an_illegal_entry_is_refused_and_changes_nothing(name: str):
    """`IllegalEntry` leaves the state exactly as it was."""
    before, entry = ILLEGAL[name]
    state = fold(before)
    expected = snapshot(state)
    with pytest.raises(IllegalEntry):
        state.apply(entry)
    assert snapshot(state) == expected


def test_fold_says_which_entry_does_not_fit():
    """The error of `fold` carries the number of the entry."""
    with pytest.raises(IllegalEntry, match="entry 1: "):
        fold([ASK, ASK])


def hostile(rng: Random, state: State) -> Entry:
    """An entry of any kind, or of a kind that the phase takes, with ids that may be open, answered, unknown or empty."""
    known = [*state.open, *state.batch, "x", ""]
    one = rng.choice(known)
    some = tuple(rng.choice(known) for _ in range(rng.randint(0, 3)))
    fresh = tuple(f"h{rng.randint(0, 10**9)}" for _ in range(rng.randint(0, 3)))
    last = rng.choice([None, "steps"])
    flags = {"needs_approval": rng.random() < 0.3, "idempotent": rng.random() < 0.5, "is_output": rng.random() < 0.3}
    refusal = rng.choice([{}, {}, {"refusal": "no", "outcome": "invalid"}])
    verdict = rng.choice(["allow", "deny", "edit"])
    pool = [
        ASK,
        System(content="s"),
        Assistant(content="42", aborted=rng.random() < 0.2),
        calls(*rng.choice([some, fresh]), aborted=rng.random() < 0.2),
        plan(*rng.choice([some, tuple(state.open)]), last=last, **flags, **refusal),
        Decision(call_id=one, verdict=verdict, arguments="{}" if verdict == "edit" else None),
        started(one),
        ok(one),
        error(one, rng.choice(["error", "invalid", "limit"])),
        ModelFailed(error="Unavailable", message=""),
        OutputRefused(reason="no"),
        Note(content="n"),
        Summary(content="s", covers=rng.randint(-1, 3)),
        Ended(reason="closed"),
    ]
    near = [entry for entry in pool if entry.kind in MOVES[state.phase]]
    return rng.choice(near if rng.random() < 0.5 else pool)


@settings(deadline=None, max_examples=40)
@given(st.randoms(use_true_random=True))
def test_what_is_taken_is_legal_and_what_is_refused_changes_nothing(rng: Random):
    """Against a flood of random entries, the invariant holds by an independent reading of the transcript."""
    state, taken = State(), []
    for _ in range(250):
        entry = hostile(rng, state)
        before = snapshot(state)
        try:
            state.apply(entry)
        except IllegalEntry:
            assert snapshot(state) == before
        else:
            taken.append(entry)
        next_action(state, Limits(), 0.0)
    check(taken)


@settings(deadline=None)
@given(transcripts())
def test_every_call_gets_exactly_one_answer(played: Played):
    """However a run goes, the transcript reads as calls with one answer each."""
    check(played.entries)


def check(entries) -> None:
    """The rules of a transcript, written down a second time without a state machine."""
    open_: dict[str, dict] = {}
    seen: set[str] = set()
    in_turn = False
    for entry in entries:
        match entry:
            case Assistant(aborted=False):
                assert in_turn
                assert not open_
                for one in entry.tool_calls:
                    assert one.id
                    assert one.id not in seen
                    seen.add(one.id)
                    open_[one.id] = {}
            case Planned():
                assert [planned.call_id for planned in entry.calls] == list(open_)
                for planned in entry.calls:
                    assert not open_[planned.call_id]
                    open_[planned.call_id] = {"plan": planned, "starts": 0, "decision": None}
            case Decision():
                assert open_[entry.call_id]["plan"].needs_approval
                assert open_[entry.call_id]["decision"] is None
                open_[entry.call_id]["decision"] = entry
            case ToolStarted():
                one = open_[entry.call_id]
                assert one["plan"].refusal is None
                assert one["starts"] == 0 or one["plan"].idempotent
                for other in open_.values():
                    assert other["decision"] or not other["plan"].needs_approval or other["plan"].refusal
                assert one["decision"] is None or one["decision"].verdict != "deny"
                one["starts"] += 1
            case ToolResult():
                one = open_.pop(entry.call_id)
                assert entry.is_error or not one or one["starts"] or one["plan"].is_output
            case User():
                assert not in_turn
                in_turn = True
            case Ended():
                assert in_turn
                assert not open_
                in_turn = False
            case System():
                assert not in_turn
            case Note() | OutputRefused() | ModelFailed() | Assistant():
                assert in_turn
                assert not open_
            case Summary():
                assert not open_


# ---- what the state knows ----


def test_a_turn_counts_from_its_question():
    """Steps, calls, tokens and dollars are those of the last turn."""
    usage = Usage(input_tokens=10, output_tokens=1, requests=1)
    state = fold([ASK, Assistant(content="a", usage=usage, cost_usd=1.0), Ended(reason="finished"), ASK])
    assert (state.steps, state.usage, state.cost_usd) == (0, Usage(), 0.0)
    state.apply(calls("a", usage=usage, cost_usd=2.0))
    state.apply(plan("a"))
    assert (state.steps, state.calls_by_tool) == (1, {"add": 1})
    assert (state.usage, state.cost_usd, state.cost_known) == (usage + Usage(tool_calls=1), 2.0, True)


def test_the_length_of_the_conversation_outlives_a_turn():
    """A chat of one-step turns is summarised too: how long it is does not start anew with each question."""
    long = Assistant(content="a", usage=Usage(input_tokens=900))
    state = fold([ASK, long, Ended(reason="finished"), ASK])
    assert state.input_tokens == 900
    assert next_action(state, Limits(summarise_at_tokens=800), 0.0).kind == "summarise"


@pytest.mark.parametrize(
    ("entries", "known"),
    [
        ([Assistant(content="a", cost_usd=0.5)], True),
        ([Assistant(content="a")], False),
        ([Assistant(content="a", aborted=True), Assistant(content="a", cost_usd=0.5)], False),
        ([Assistant(content="a", aborted=True, cost_usd=0.1), Assistant(content="a", cost_usd=0.5)], True),
        ([Summary(content="s", covers=1), Assistant(content="a", cost_usd=0.5)], True),
        ([Summary(content="s", covers=1, usage=Usage(requests=1)), Assistant(content="a", cost_usd=0.5)], False),
        ([calls("a", cost_usd=0.5), plan("a"), started("a"), ok("a")], True),
        ([calls("a", cost_usd=0.5), plan("a"), started("a"), ok("a", usage=Usage(requests=1))], False),
        ([calls("a", cost_usd=0.5), plan("a"), started("a"), ok("a", cost_usd=0.1)], True),
    ],
)
def test_the_cost_is_known_only_if_every_part_of_it_is(entries: list[Entry], known: bool):
    """One part without a price, broken-off answers and summaries included, makes the whole unknown."""
    assert fold([ASK, *entries]).cost_known is known


def test_what_a_tool_spent_counts():
    """Tokens, calls and dollars of an agent called as a tool are those of the turn."""
    usage, one = Usage(input_tokens=7, requests=2, tool_calls=3), Usage(tool_calls=1)
    state = fold([ASK, calls("a", cost_usd=1.0), plan("a"), started("a"), ok("a", usage=usage, cost_usd=0.5)])
    assert (state.usage, state.cost_usd) == (usage + one, 1.5)
    state = fold([ASK, calls("a", cost_usd=1.0), plan("a"), started("a"), ok("a", cost_usd=0.25)])
    assert (state.usage, state.cost_usd) == (one, 1.25)


def test_an_aborted_answer_is_billed_and_not_a_step():
    """A broken-off answer spends, opens no calls, and the model's turn goes on."""
    state = fold([ASK, calls("a", usage=Usage(output_tokens=5), cost_usd=0.1, aborted=True)])
    assert (state.phase, state.steps, state.usage.total_tokens) == (Phase.MODEL, 0, 5)
    assert not state.open


def test_a_batch_that_was_half_closed_can_be_planned():
    """When a process died while closing calls, the plan covers those that are still open."""
    state = fold([ASK, calls("a", "b", "c"), error("b"), plan("a", "c")])
    assert state.next_wave == (("a",), ("c",))


def test_nothing_runs_before_the_last_decision():
    """Closing one call of a batch that waits leaves the others waiting; with the last one the batch goes on."""
    assert fold([*WAITING, error("a")]).phase is Phase.APPROVAL
    assert fold([*WAITING, Decision(call_id="a", verdict="allow"), error("b")]).phase is Phase.TOOLS


def test_the_state_knows_the_ids_of_all_turns():
    """A new id can be told from a used one; an aborted answer used none."""
    state = fold([ASK, *step("a"), calls("b", aborted=True)])
    assert (state.is_new("a"), state.is_new("b"), state.is_new("")) == (False, True, False)


def test_a_refused_call_asks_nobody():
    """A call that will not run needs no approval."""
    state = fold([*ONE_CALL, plan("a", needs_approval=True, refusal="no", outcome="invalid")])
    assert state.phase is Phase.TOOLS


def test_waves_come_one_after_another():
    """Refused calls first, then wave by wave with its lanes, the output last."""
    planned = (
        PlannedCall(call_id="a", name="add", arguments="{}"),
        PlannedCall(call_id="b", name="final", arguments='{"x":1}', is_output=True),
        PlannedCall(call_id="c", name="add", arguments="{}"),
        PlannedCall(call_id="d", name="nope", arguments="{}", refusal="unknown", outcome="unknown_tool"),
        PlannedCall(call_id="e", name="add", arguments="{}"),
    )
    state = fold([ASK, calls("a", "b", "c", "d", "e"), Planned(calls=planned, waves=(((0, 2),), ((4,),)))])
    order = []
    while state.open:
        wave = state.next_wave
        order.append(wave)
        for call_id in (i for lane in wave for i in lane):
            state.apply(error(call_id, "error"))
    assert order == [(("d",),), (("a", "c"),), (("e",),), (("b",),)]


@pytest.mark.parametrize("kind", ["in order", "refused", "decided"])
def test_the_work_grows_with_the_calls_of_a_batch_and_not_with_their_square(kind):
    """Twice the calls are twice the lines that run, whether they run one by one, are refused or wait for a human."""

    def lines_run(count: int) -> int:
        ids = [f"c{n}" for n in range(count)]
        policy = {"refusal": "no", "outcome": "invalid"} if kind == "refused" else {}
        planned = plan(*ids, needs_approval=kind == "decided", **policy)
        if kind == "in order":
            planned = replace(planned, waves=tuple(((i,),) for i in range(count)))
        state = fold([ASK, calls(*ids), planned])
        ran, before = 0, sys.gettrace()

        def count_lines(_frame, _event, _arg):
            nonlocal ran
            ran += 1
            return count_lines

        sys.settrace(count_lines)
        try:
            for call_id in ids if kind == "decided" else ():
                state.apply(Decision(call_id=call_id, verdict="allow"))
            while state.open:
                for call_id in [i for lane in state.next_wave for i in lane]:
                    if kind != "refused":
                        assert state.in_flight == ()
                        state.apply(started(call_id))
                    state.apply(error(call_id))
        finally:
            sys.settrace(before)
        return ran

    assert lines_run(200) < 2.5 * lines_run(100)


def test_edited_arguments_are_the_planned_ones():
    """After an edit, the call runs with what the human wrote."""
    state = fold([*WAITING, Decision(call_id="a", verdict="edit", arguments='{"x":2}')])
    assert state.open["a"].planned is not None
    assert state.open["a"].planned.arguments == '{"x":2}'
    assert state.open["a"].call.arguments == "{}"


def test_an_accepted_output_ends_the_batch_in_a_check():
    """The arguments of the call that carries the output are the output."""
    state = fold([*ONE_CALL, plan("a", **OUT), ok("a")])
    assert (state.phase, state.output) == (Phase.OUTPUT, "{}")


def test_a_failure_beside_the_output_shows():
    """Whoever accepts the output can see that a sibling failed."""
    both = Planned(
        calls=(PlannedCall(call_id="a", name="add", arguments="{}"), plan("b", **OUT).calls[0]), waves=(((0,),),)
    )
    state = fold([*TWO_CALLS, both, started("a"), error("a", "error")])
    assert state.batch_failed


def test_invalid_outputs_of_one_answer_are_one_refusal():
    """An answer that carries the output badly, however often, is refused once."""
    state = fold([*TWO_CALLS, plan("a", "b", **OUT), error("a", "invalid"), error("b", "invalid")])
    assert (state.phase, state.refusals) == (Phase.MODEL, 1)


def test_an_interrupted_output_is_no_refusal():
    """A crash is not the model's fault."""
    assert fold([*ONE_CALL, plan("a", **OUT), error("a", "interrupted")]).refusals == 0


def test_same_steps_compare_names_arguments_and_results():
    """Two steps are the same if calls and results are; arguments are compared as JSON, not as text."""

    def same_steps(second: ToolCall, content: str = "1") -> int:
        first = call("a", "add", '{"x": 1, "y": 2}')
        entries: list[Entry] = [ASK]
        for one, text in ((first, "1"), (second, content)):
            planned = PlannedCall(call_id=one.id, name=one.name, arguments=one.arguments)
            result = ToolResult(call_id=one.id, name=one.name, content=text)
            batch = Planned(calls=(planned,), waves=(((0,),),))
            entries += [Assistant(tool_calls=(one,)), batch, started(one.id), result]
        return fold(entries).same_steps

    assert same_steps(call("b", "add", '{"y":2,"x":1}')) == 2
    assert same_steps(call("b", "add", '{"x": 1, "y": 3}')) == 1
    assert same_steps(call("b", "sub", '{"x": 1, "y": 2}')) == 1
    assert same_steps(call("b", "add", '{"x": 1, "y": 2}'), "2") == 1


def test_same_steps_compare_the_whole_batch():
    """One call that differs, or one more, makes another step."""

    def same_steps(*second: tuple[str, str]) -> int:
        entries: list[Entry] = [ASK]
        for number, batch in enumerate(((("x", "1"), ("y", "2")), second)):
            ids = [f"{number}{name}" for name, _ in batch]
            entries.append(Assistant(tool_calls=tuple(call(i, i[1:]) for i in ids)))
            entries += [
                ToolResult(call_id=i, name=i[1:], content=text) for i, (_, text) in zip(ids, batch, strict=True)
            ]
        return fold(entries).same_steps

    assert same_steps(("x", "1"), ("y", "2")) == 2
    assert same_steps(("x", "1"), ("y", "3")) == 1
    assert same_steps(("x", "1"), ("y", "2"), ("z", "3")) == 1


def test_a_refused_answer_interrupts_a_row_of_same_steps():
    """Consecutive means consecutive: a refused text between two same steps makes them no row."""
    refused = [Assistant(content="no"), OutputRefused(reason="not a number")]
    assert fold([ASK, *step("a"), *refused, *step("b")]).same_steps == 1


def test_deeply_nested_arguments_do_not_break_the_comparison():
    """Arguments that cannot be parsed are compared as text."""
    deep = '{"a":' * 100_000
    entries: list[Entry] = [ASK]
    for number in range(3):
        one = call(str(number), "add", deep + " " * number)
        entries += [Assistant(tool_calls=(one,)), error(one.id)]
    assert fold(entries).same_steps == 1


def test_one_step_costs_the_same_however_long_the_run_is():
    """`apply` executes the same number of lines at entry 10 and at entry 100,000."""

    def lines_of_a_step(state: State) -> int:
        count = 0

        def trace(_frame, event, _arg):
            nonlocal count
            count += event == "line"
            return trace

        entries = [*step("x"), *step("y")]
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            for entry in entries:
                state.apply(entry)
                next_action(state, NO_LIMITS, 0.0)
        finally:
            sys.settrace(before)
        return count

    short, long = State(), State()
    short.apply(ASK)
    long.apply(ASK)
    for number in range(25_002):
        for entry in step(f"{number}"):
            long.apply(entry)
            if number < 2:
                short.apply(entry)
    assert lines_of_a_step(long) == lines_of_a_step(short)


def test_the_state_holds_no_entries():
    """Nothing of a batch stays once it is answered, but its ids and the last results."""
    state = fold([ASK, *step("a"), *step("b")])
    assert (state.open, state.batch, state.waves) == ({}, (), ())


def test_the_page_of_the_state_machine_is_made_from_the_table():
    """`docs/reference/state-machine.md` is what `docs/generate_state_machine.py` makes of `MOVES` today."""
    made = runpy.run_path(str(DOCS / "generate_state_machine.py"))["page"]()
    assert (DOCS / "reference" / "state-machine.md").read_text(encoding="utf-8") == made
    assert all(f"| `{phase}` | `{kind}` |" in made for phase, moves in MOVES.items() for kind in moves)
