"""What happens next: each action in its place, each limit kept, each run ends."""

from __future__ import annotations

from random import Random

import pytest
from core.strategies import ADD, FIND, OUTPUT, Player, some_limits, transcripts
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit.core.decide import (
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
from agentkit.core.limits import NO_LIMITS, Limits
from agentkit.core.messages import Assistant, ToolCall, ToolResult, Usage, User
from agentkit.core.state import Phase, State, fold

ASK = User(content="?")


def calls(*names: str, arguments: str = "{}") -> Assistant:
    """An answer that calls these tools; ids are given by `Steady`."""
    return Assistant(tool_calls=tuple(ToolCall(id="", name=name, arguments=arguments) for name in names))


class Steady(Player):
    """A run without chance: `answer` is a function of the request, and every call is answered `1`."""

    def __init__(self, limits: Limits, answer) -> None:
        super().__init__(limits, Random(0), mishaps=False)
        self.answer = answer
        self.requests: list[CallModel] = []

    def model(self, action: CallModel) -> Assistant | ModelFailed:
        self.requests.append(action)
        given = self.answer(action)
        if not isinstance(given, Assistant):
            return given
        number = len(self.entries)
        own = tuple(
            ToolCall(id=f"c{number}_{k}", name=one.name, arguments=one.arguments)
            for k, one in enumerate(given.tool_calls)
        )
        return Assistant(content=given.content, tool_calls=own, usage=given.usage, cost_usd=given.cost_usd)

    def result(self, call_id: str, *, expired: bool = False) -> ToolResult:
        planned = self.state.open[call_id].planned
        assert planned is not None
        answer = {"call_id": call_id, "name": planned.name}
        if planned.refusal is not None:
            return ToolResult(**answer, content=planned.refusal, outcome=planned.outcome)
        if planned.is_output:
            valid = planned.arguments == '{"a": 1}'
            return ToolResult(
                **answer, content="accepted" if valid else "invalid", outcome="ok" if valid else "invalid"
            )
        return ToolResult(**answer, content="late" if expired else "1", outcome="limit" if expired else "ok")

    def chance(self, one_in: int) -> bool:
        return False

    @property
    def outcomes(self) -> list[str]:
        return [entry.outcome for entry in self.entries if isinstance(entry, ToolResult)]


def run(answer, **limits) -> Steady:
    """One turn, from question to end."""
    player = Steady(Limits(**limits), answer)
    player.play(at_most=5_000)
    assert player.state.phase is Phase.REST, "the run goes on for ever"
    return player


def caller(action: CallModel) -> Assistant:
    """A model that always calls a tool, with new arguments, whatever it is asked."""
    return calls(ADD, arguments=f'{{"a": {action.step}}}')


def obedient(action: CallModel) -> Assistant:
    """A model that calls a tool until its last request."""
    return Assistant(content="42") if action.last else caller(action)


def stubborn(_: CallModel) -> Assistant:
    """A model that makes the same call for ever."""
    return calls(ADD)


# ---- each phase has its action ----

PLANNED = PlannedCall(call_id="a", name="add", arguments="{}")
BATCH = [ASK, Assistant(tool_calls=(ToolCall(id="a", name="add", arguments="{}"),))]
RUNNING = [*BATCH, Planned(calls=(PLANNED,), waves=(((0,),),))]
WAITING = [
    *BATCH,
    Planned(calls=(PlannedCall(call_id="a", name="add", arguments="{}", needs_approval=True),), waves=(((0,),),)),
]


@pytest.mark.parametrize(
    ("entries", "action"),
    [
        ([], Finish(reason="finished")),
        ([ASK], CallModel(step=1)),
        ([ASK, ModelFailed(error="Unavailable", message="")], CallModel(step=1)),
        ([ASK, Assistant(content="4", aborted=True)], CallModel(step=1)),
        (BATCH, Plan()),
        (WAITING, AskApproval(calls=("a",))),
        ([*WAITING, Decision(call_id="a", verdict="deny")], RunTools(lanes=(("a",),))),
        (RUNNING, RunTools(lanes=(("a",),))),
        ([*RUNNING, ToolStarted(call_id="a")], Recover(calls=("a",))),
        ([*RUNNING, ToolResult(call_id="a", name="add", content="", outcome="error")], CallModel(step=2)),
        ([ASK, Assistant(content="42")], CheckOutput(reason="finished", may_correct=True)),
        ([ASK, Assistant(content="42"), OutputRefused(reason="no")], CallModel(step=2)),
        ([ASK, Assistant(content="42"), Ended(reason="finished")], Finish(reason="finished")),
        ([ASK, Ended(reason="closed")], Finish(reason="closed")),
    ],
)
def test_what_follows_what(entries: list[Entry], action):
    """Each phase asks for its action."""
    assert next_action(fold(entries), Limits(), 0.0) == action


def test_the_decision_reads_nothing_but_its_arguments():
    """Asked twice, it says the same and changes nothing."""
    state = fold(RUNNING)
    assert next_action(state, Limits(), 1.0) == next_action(state, Limits(), 1.0)
    assert next_action(fold(RUNNING), Limits(), 1.0) == next_action(state, Limits(), 1.0)


# ---- every run ends ----


@settings(deadline=None, max_examples=200)
@given(some_limits(), st.randoms(use_true_random=False))
def test_every_run_ends_within_its_steps(limits: Limits, rng: Random):
    """Under any limits with steps, whatever model and tools do, there are no more whole answers than steps."""
    player = Player(limits, rng)
    player.play(at_most=2_000)
    assert player.state.phase is Phase.REST
    assert limits.steps is not None
    answers = [entry for entry in player.entries if isinstance(entry, Assistant) and not entry.aborted]
    assert len(answers) <= limits.steps


@pytest.mark.parametrize("steps", [1, 2, 5, 20])
def test_a_model_that_always_calls_is_asked_so_many_times_and_no_more(steps: int):
    """Request N of N is marked as the last one, only that one, and its calls do not run."""
    player = run(caller, steps=steps)
    assert [request.last for request in player.requests] == [None] * (steps - 1) + ["steps"]
    assert [request.step for request in player.requests] == list(range(1, steps + 1))
    assert player.outcomes == ["ok"] * (steps - 1) + ["limit"]
    assert player.state.ended == "steps"


def test_the_last_request_gives_an_answer():
    """A model that answers when it has no tools left gives an answer, and the limit is the reason."""
    player = run(obedient, steps=3)
    assert player.entries[-2].content == "42"
    assert player.state.ended == "steps"
    assert len(player.requests) == 3


def test_a_run_that_answers_in_time_is_finished():
    """A limit that was not reached leaves no trace."""
    player = run(lambda action: Assistant(content="42") if action.step == 2 else caller(action), steps=3)
    assert player.state.ended == "finished"


def test_a_smaller_limit_in_the_next_process_holds_at_once():
    """Limits are not in the transcript: whoever goes on with fewer steps than were made asks no more."""
    state = fold([*RUNNING, ToolResult(call_id="a", name="add", content="", outcome="error")])
    assert next_action(state, Limits(steps=1), 0.0) == Finish(reason="steps")
    assert next_action(state, Limits(steps=2), 0.0) == CallModel(step=2, last="steps")


def test_no_limits_means_no_limits():
    """Without limits no request is a last one."""
    player = Steady(NO_LIMITS, stubborn)
    player.play(at_most=2_000)
    assert player.state.phase is not Phase.REST
    assert not any(request.last or request.note for request in player.requests)


# ---- tool calls: reserved before a batch ----


def test_of_a_batch_that_does_not_fit_the_first_that_fit_run():
    """Five calls with room for three: three run, two are answered `limit`, and the next request is the last."""
    player = run(
        lambda action: Assistant(content="42") if action.last else calls(*[ADD] * 5),
        tool_calls=3,
    )
    assert player.outcomes == ["limit"] * 2 + ["ok"] * 3  # what is refused is answered at once
    ids = [call.id for call in player.entries[1].tool_calls]
    assert {entry.call_id for entry in player.entries if isinstance(entry, ToolStarted)} == set(ids[:3])
    assert [request.last for request in player.requests] == [None, "tool_calls"]
    assert player.state.ended == "tool_calls"


def test_no_tool_calls_at_all_makes_the_first_request_the_last():
    """`tool_calls=0` is an answer without tools."""
    player = run(caller, tool_calls=0)
    assert [request.last for request in player.requests] == ["tool_calls"]
    assert player.outcomes == ["limit"]


@settings(deadline=None)
@given(transcripts())
def test_no_more_calls_run_than_were_reserved(played):
    """However batches are cut, waves and crashes fall: no turn starts more calls than its limit."""
    started: set[str] = set()
    for entry in played.entries:
        if isinstance(entry, User):
            started = set()
        elif isinstance(entry, ToolStarted):
            started.add(entry.call_id)
            assert played.limits.tool_calls is None or len(started) <= played.limits.tool_calls


def test_an_output_beside_the_last_calls_can_still_be_corrected():
    """When a batch uses up the calls, the request before it was not the last: its output may be sent back."""
    state = fold([ASK, *both_output_and_call(last=None)])
    assert next_action(state, Limits(tool_calls=1), 0.0) == CheckOutput(reason="finished", may_correct=True)


def test_an_output_in_the_last_batch_cannot_be_corrected():
    """The limit that made the request the last one is the reason, also when the output came by a call."""
    state = fold([ASK, *both_output_and_call(last="steps")])
    assert next_action(state, Limits(), 0.0) == CheckOutput(reason="steps", may_correct=False)


def both_output_and_call(last) -> list[Entry]:
    answer = Assistant(
        tool_calls=(ToolCall(id="a", name="add", arguments="{}"), ToolCall(id="o", name=OUTPUT, arguments="{}"))
    )
    output = PlannedCall(call_id="o", name=OUTPUT, arguments="{}", is_output=True)
    return [
        answer,
        Planned(calls=(PLANNED, output), waves=(((0,),),), last=last),
        ToolStarted(call_id="a"),
        ToolResult(call_id="a", name="add", content="1"),
        ToolResult(call_id="o", name=OUTPUT, content="accepted"),
    ]


# ---- tokens, cost, deadline ----


@pytest.mark.parametrize(
    ("limits", "answer", "reason"),
    [
        ({"tokens": 100}, Assistant(usage=Usage(input_tokens=60, output_tokens=40)), "tokens"),
        ({"cost_usd": 0.5}, Assistant(cost_usd=0.5), "cost_usd"),
    ],
)
def test_a_spent_budget_runs_no_call_and_asks_no_more(limits: dict, answer: Assistant, reason: str):
    """When an answer uses the budget up, its calls are answered `limit`: nobody would read their results."""
    wish = Assistant(tool_calls=calls(ADD).tool_calls, usage=answer.usage, cost_usd=answer.cost_usd)
    player = run(lambda _: wish, **limits)
    assert player.outcomes == ["limit"]
    assert (player.state.ended, len(player.requests)) == (reason, 1)


def test_an_answer_that_overdraws_the_budget_is_still_an_answer():
    """Tokens already paid for are not thrown away."""
    player = run(lambda _: Assistant(content="42", usage=Usage(output_tokens=10**6)), tokens=10)
    assert player.state.ended == "finished"


def test_what_tools_spend_counts_against_the_budget():
    """An agent called as a tool draws on its parent's tokens."""
    state = fold(RUNNING)
    state.apply(ToolStarted(call_id="a"))
    state.apply(ToolResult(call_id="a", name="add", content="1", usage=Usage(input_tokens=100)))
    assert next_action(state, Limits(tokens=100), 0.0) == Finish(reason="tokens")


def test_aborted_answers_count_against_the_budget():
    """A broken-off answer is billed, so it spends."""
    state = fold([ASK, Assistant(aborted=True, usage=Usage(output_tokens=100))])
    assert next_action(state, Limits(tokens=100), 0.0) == Finish(reason="tokens")


@pytest.mark.parametrize(
    ("entries", "action"),
    [
        ([ASK], Finish(reason="deadline_s")),
        (BATCH, Plan(room=0, spent="deadline_s")),
        (RUNNING, RunTools(lanes=(("a",),), expired=True)),
        ([ASK, Assistant(content="42")], CheckOutput(reason="finished", may_correct=True)),
    ],
)
def test_after_the_deadline_nothing_new_begins(entries: list[Entry], action):
    """No request, no call; an answer that is there is still taken."""
    assert next_action(fold(entries), Limits(deadline_s=5), 5.0) == action


def test_the_deadline_counts_anew_in_each_process():
    """The transcript holds no clock: the next process has the whole time again."""
    assert next_action(fold([ASK]), Limits(deadline_s=5), 0.0) == CallModel(step=1)


# ---- repeats ----


def test_three_same_steps_bring_a_note_then_the_last_request_then_the_end():
    """The model is told once; if it goes on, one request without tools; then the run ends."""
    player = run(stubborn, repeats=3)
    assert [request.last for request in player.requests] == [None] * 4 + ["repeats"]
    notes = [at for at, entry in enumerate(player.entries) if isinstance(entry, Note)]
    answers = [at for at, entry in enumerate(player.entries) if isinstance(entry, Assistant)]
    assert len(notes) == 1
    assert "3 times" in player.entries[notes[0]].content
    told = [action for action in player.actions if isinstance(action, CallModel) and action.note]
    assert [action.step for action in told] == [4]
    assert answers[2] < notes[0] < answers[3]
    assert player.state.ended == "repeats"


def test_two_same_steps_are_enough_if_asked_for():
    """`repeats=2` shortens the row."""
    assert len(run(stubborn, repeats=2).requests) == 4


def test_repeats_end_a_run_without_any_other_limit():
    """A model that repeats itself cannot run for ever."""
    assert run(stubborn, steps=None).state.ended == "repeats"


def test_repeats_can_be_turned_off():
    """Polling is allowed with `repeats=None`."""
    player = run(stubborn, repeats=None, steps=50)
    assert (player.state.ended, len(player.requests)) == ("steps", 50)
    assert not any(isinstance(entry, Note) for entry in player.entries)


def test_a_model_that_minds_the_note_goes_on():
    """A different step after the note starts a new row, with a new note at its end."""

    def moody(action: CallModel) -> Assistant:
        return calls(FIND) if action.step == 4 else calls(ADD)

    player = run(moody, repeats=3, steps=30)
    assert [request.step for request in player.requests if request.last] == [9]
    assert sum(isinstance(entry, Note) for entry in player.entries) == 2


def test_alternating_steps_are_no_repeats():
    """Only consecutive steps count."""
    player = run(lambda action: calls(ADD if action.step % 2 else FIND), steps=30)
    assert player.state.ended == "steps"


def test_an_answer_after_the_note_is_a_plain_finish():
    """A model that answers when it is told has not reached a limit."""
    player = run(lambda action: Assistant(content="42") if action.step == 4 else calls(ADD), repeats=3)
    assert player.state.ended == "finished"


# ---- output ----


@pytest.mark.parametrize("corrections", [0, 1, 2, 5])
def test_a_bad_text_is_sent_back_so_often_and_no_more(corrections: int):
    """`corrections` refusals, then the answer stands as it is."""
    state, limits, asked = State(), Limits(corrections=corrections), 0
    state.apply(ASK)
    while True:
        state.apply(Assistant(content="no"))
        asked += 1
        action = next_action(state, limits, 0.0)
        assert isinstance(action, CheckOutput)
        if not action.may_correct:
            break
        state.apply(OutputRefused(reason="not a number"))
    assert asked == corrections + 1


@pytest.mark.parametrize("corrections", [0, 1, 2, 5])
@pytest.mark.parametrize("arguments", ['{"wrong": 1}', "{broken"])
def test_a_bad_output_call_is_sent_back_so_often_and_no_more(corrections: int, arguments: str):
    """A model that never gives valid output by its call is asked no more often than one that writes text."""
    player = run(lambda _: calls(OUTPUT, arguments=arguments), corrections=corrections, repeats=None)
    assert (player.state.ended, len(player.requests)) == ("output", corrections + 1)


def test_the_output_call_passes_the_last_request():
    """On the last request the tool that carries the output is still there, and taken."""
    player = run(lambda _: calls(ADD, OUTPUT, arguments='{"a": 1}'), steps=1)
    assert player.outcomes == ["limit", "ok"]
    assert player.state.output == '{"a": 1}'
    assert player.state.ended == "steps"


@pytest.mark.parametrize(
    ("last", "outcome", "failed"),
    [(None, "error", True), (None, "denied", True), (None, "limit", False), ("steps", "error", False)],
)
def test_a_failure_stands_in_the_way_of_an_output_only_while_it_can_be_mended(last, outcome, failed):
    """A call that was refused for want of budget, or in the last batch, does not cost the run its output."""
    entries = both_output_and_call(last=last)[:2]
    state = fold([ASK, *entries, ToolResult(call_id="a", name="add", content="", outcome=outcome)])
    assert state.batch_failed is failed


def test_after_the_deadline_an_output_is_still_taken_and_a_refusal_still_told():
    """Only calls that would run are cut off: taking an output costs nothing."""
    late = Limits(deadline_s=5)
    state = fold([ASK, *both_output_and_call(last=None)[:2]])
    assert next_action(state, late, 5.0) == RunTools(lanes=(("a",),), expired=True)
    state.apply(ToolResult(call_id="a", name="add", content="late", outcome="limit"))
    assert next_action(state, late, 5.0) == RunTools(lanes=(("o",),), expired=False)


def test_no_correction_without_a_request_for_it():
    """An answer to the last request cannot be sent back."""
    state = fold([ASK, Assistant(content="no")])
    assert next_action(state, Limits(steps=1), 0.0) == CheckOutput(reason="steps", may_correct=False)


# ---- summaries ----


def test_a_long_conversation_is_summarised_before_the_next_request():
    """The size of the last request decides; a summary settles it."""
    long = Assistant(content="no", usage=Usage(input_tokens=100))
    entries = [ASK, long, OutputRefused(reason="no")]
    limits = Limits(summarise_at_tokens=100)
    assert next_action(fold([ASK]), Limits(summarise_at_tokens=1), 0.0) == CallModel(step=1)
    assert next_action(fold(entries), limits, 0.0) == Summarise()
    assert next_action(fold([*entries, Summary(content="s", covers=1)]), limits, 0.0) == CallModel(step=2)
    assert next_action(fold(entries), Limits(summarise_at_tokens=101), 0.0) == CallModel(step=2)


def test_a_conversation_that_did_not_fit_is_summarised_once():
    """A summary is tried when a request did not fit, and not again and again when that did not help."""
    too_long = ModelFailed(error="ContextTooLong", message="")
    limits = Limits(summarise_at_tokens=10**6)
    entries = [ASK, too_long]
    assert next_action(fold(entries), limits, 0.0) == Summarise()
    assert next_action(fold(entries), Limits(), 0.0) == CallModel(step=1)
    entries += [Summary(content="s", covers=1), too_long]
    assert next_action(fold(entries), limits, 0.0) == CallModel(step=1)


def test_a_summary_settles_it_for_the_next_turn_too():
    """After a summary, neither the old length nor the old failure asks for another one."""
    long = Assistant(content="no", usage=Usage(input_tokens=100))
    too_long = ModelFailed(error="ContextTooLong", message="")
    entries = [ASK, long, OutputRefused(reason="no"), too_long, Summary(content="s", covers=1)]
    state = fold([*entries, Ended(reason="closed"), ASK])
    assert next_action(state, Limits(summarise_at_tokens=1), 0.0) == CallModel(step=1)


def test_nothing_to_summarise_is_an_answer_too():
    """`covers=0` says that there was nothing to cover, and the run goes on."""
    long = Assistant(content="no", usage=Usage(input_tokens=100))
    entries = [ASK, long, OutputRefused(reason="no"), Summary(content="", covers=0)]
    assert next_action(fold(entries), Limits(summarise_at_tokens=0), 0.0) == CallModel(step=2)


# ---- crashes ----


def test_only_what_was_in_flight_is_recovered():
    """Calls of the wave that had not started run as planned, after the recovery."""
    names = ("a", "b", "c")
    planned = tuple(PlannedCall(call_id=i, name=ADD, arguments="{}") for i in names)
    answer = Assistant(tool_calls=tuple(ToolCall(id=i, name=ADD, arguments="{}") for i in names))
    entries = [ASK, answer, Planned(calls=planned, waves=(((0,), (1,), (2,)),))]
    entries += [ToolStarted(call_id=i) for i in ("c", "a")]
    state = fold([*entries, ToolResult(call_id="c", name=ADD, content="1")])
    assert next_action(state, Limits(), 0.0) == Recover(calls=("a",))
    state.apply(ToolResult(call_id="a", name=ADD, content="unknown", outcome="interrupted"))
    assert next_action(state, Limits(), 0.0) == RunTools(lanes=(("b",),))
