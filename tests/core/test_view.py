"""What a model is shown: whole batches, in call order, behind a prefix that does not change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random

import pytest
from core.strategies import Played, transcripts
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit.core.entries import Decision, Ended, Entry, Note, OutputRefused, Planned, PlannedCall, Summary
from agentkit.core.messages import Assistant, Message, System, ToolCall, ToolResult, User
from agentkit.core.view import SUMMARY_HEAD, Projection, view

ASK = User(content="?")


def call(call_id: str, name: str = "add", arguments: str = "{}") -> ToolCall:
    return ToolCall(id=call_id, name=name, arguments=arguments)


def result(call_id: str, content: str = "1") -> ToolResult:
    return ToolResult(call_id=call_id, name="add", content=content, outcome="interrupted")


def batch(*ids: str) -> list[Entry]:
    return [Assistant(tool_calls=tuple(map(call, ids))), *map(result, ids)]


def in_order(messages: Sequence[Message]) -> bool:
    """Whether each call's result stands behind it, in call order, and no result anywhere else."""
    due: list[str] = []
    for message in messages:
        if due:
            if not isinstance(message, ToolResult) or message.call_id != due.pop(0):
                return False
        elif isinstance(message, ToolResult):
            return False
        elif isinstance(message, Assistant):
            due = [one.id for one in message.tool_calls]
    return not due


@settings(deadline=None)
@given(transcripts())
def test_the_view_only_grows_at_its_end(played: Played):
    """The messages of a prefix are a prefix of the messages, but for a summary: prompt caches depend on it."""
    projection = Projection()
    for entry in played.entries:
        before = list(projection.messages)
        projection.push(entry)
        if not isinstance(entry, Summary):
            assert projection.messages[: len(before)] == before


@settings(deadline=None, max_examples=60)
@given(transcripts())
def test_the_view_kept_up_to_date_is_the_view_made_anew(played: Played):
    """Entry by entry or all at once, the projection is the same at every point."""
    projection = Projection()
    for end, entry in enumerate(played.entries, 1):
        projection.push(entry)
        assert tuple(projection.messages) == view(played.entries[:end])


@settings(deadline=None)
@given(transcripts())
def test_results_stand_in_call_order_behind_their_calls(played: Played):
    """At every point, whatever order results came in and whatever was cut, calls and results are paired."""
    projection = Projection()
    for entry in played.entries:
        projection.push(entry)
        assert in_order(projection.messages)


@settings(deadline=None)
@given(transcripts())
def test_what_a_server_reads_is_valid(played: Played):
    """Arguments are JSON objects; nothing aborted and no empty user message is shown."""
    for message in view(played.entries):
        match message:
            case Assistant():
                assert not message.aborted
                assert all(isinstance(json.loads(one.arguments), dict) for one in message.tool_calls)
            case User():
                assert message.content
            case _:
                pass


@given(st.integers(2, 6), st.randoms(use_true_random=False))
def test_results_may_come_in_any_order(count: int, rng: Random):
    """The order of completion leaves no trace."""
    ids = [f"c{i}" for i in range(count)]
    shuffled = rng.sample(ids, count)
    entries = [ASK, Assistant(tool_calls=tuple(map(call, ids))), *map(result, shuffled)]
    assert view(entries) == view([ASK, *batch(*ids)])


def test_a_batch_shows_when_it_is_whole():
    """As long as a call has no answer, neither the calls nor the answers are shown."""
    entries = [ASK, *batch("a", "b")]
    assert view(entries[:-1]) == (ASK,)
    assert len(view(entries)) == 4


def test_a_call_shows_its_resolved_name_and_repaired_arguments():
    """The model reads what was run, not what it wrote."""
    planned = PlannedCall(call_id="a", name="add", arguments='{"x": 1}', repaired=True)
    wrote = call("a", "functions.Add", "{'x': 1,}")
    entries = [ASK, Assistant(tool_calls=(wrote,)), Planned(calls=(planned,), waves=(((0,),),)), result("a")]
    assert view(entries)[1] == Assistant(tool_calls=(call("a", "add", '{"x": 1}'),))


def test_a_call_shows_the_arguments_that_a_human_wrote():
    """After an edit the model reads the edited arguments."""
    planned = PlannedCall(call_id="a", name="add", arguments="{}", needs_approval=True)
    edit = Decision(call_id="a", verdict="edit", arguments='{"x": 2}')
    entries = [ASK, Assistant(tool_calls=(call("a"),)), Planned(calls=(planned,), waves=(((0,),),)), edit, result("a")]
    assert view(entries)[1] == Assistant(tool_calls=(call("a", "add", '{"x": 2}'),))


@pytest.mark.parametrize("arguments", ["{broken", "", "[1]", "null", "1", "[" * 100_000])
def test_arguments_that_nobody_planned_are_shown_as_an_object(arguments: str):
    """A call that was closed before it was planned cannot spoil the next request."""
    entries = [ASK, Assistant(tool_calls=(call("a", arguments=arguments),)), result("a")]
    assert view(entries)[1] == Assistant(tool_calls=(call("a"),))


def test_an_answer_that_needs_no_change_is_shown_as_it_is():
    """The same object, planned or not, so that its encoding can be kept."""
    answer, *results = batch("a")
    planned = Planned(calls=(PlannedCall(call_id="a", name="add", arguments="{}"),), waves=(((0,),),))
    assert view([ASK, answer, *results])[1] is answer
    assert view([ASK, answer, planned, *results])[1] is answer


def test_aborted_answers_and_empty_messages_are_not_shown():
    """What was broken off, and the message that only opens a turn, leave no trace."""
    aborted = Assistant(content="half an ans", tool_calls=(call("a"),), aborted=True)
    assert view([User(content=""), User(content=()), aborted, Assistant(content="42")]) == (Assistant(content="42"),)


def test_notes_and_refusals_speak_in_the_users_place():
    """The model is told by a user message."""
    entries = [ASK, Note(content="stop it"), Assistant(content="x"), OutputRefused(reason="not a number")]
    assert view(entries)[1] == User(content="stop it")
    assert view(entries)[-1] == User(content="not a number")


def test_facts_that_are_no_messages_are_not_shown():
    """Ends of turns are the application's business."""
    assert view([ASK, Assistant(content="42"), Ended(reason="finished")]) == (ASK, Assistant(content="42"))


def test_a_summary_takes_the_place_of_what_it_covers():
    """The oldest messages give way to one user message."""
    entries = [ASK, Assistant(content="42"), Ended(reason="finished"), ASK, Summary(content="6 * 7", covers=2)]
    assert view(entries) == (User(content=SUMMARY_HEAD + "6 * 7"), ASK)


def test_a_summary_of_a_summary_covers_it():
    """The second summary counts the first one as a message."""
    entries = [ASK, Assistant(content="42"), Ended(reason="finished"), Summary(content="one", covers=2), ASK]
    assert view([*entries, Summary(content="two", covers=2)]) == (User(content=SUMMARY_HEAD + "two"),)


def test_a_summary_of_nothing_shows_nothing():
    """`covers=0` leaves the view as it is."""
    assert view([ASK, Summary(content="", covers=0)]) == (ASK,)


@pytest.mark.parametrize("covers", [2, 3, 4])
def test_a_summary_takes_results_along_with_their_call(covers: int):
    """A cut never parts a call from its results."""
    entries = [ASK, *batch("a", "b"), Summary(content="s", covers=covers)]
    assert view(entries) == (User(content=SUMMARY_HEAD + "s"),)


def test_a_summary_may_not_swallow_instructions():
    """System messages of the conversation stay in front of the summary."""
    system = System(content="Answer in French.")
    entries = [system, ASK, Assistant(content="42"), Ended(reason="finished"), Summary(content="s", covers=3)]
    assert view(entries) == (system, User(content=SUMMARY_HEAD + "s"))


def test_a_summary_that_claims_too_much_covers_what_is_there():
    """More than all is all."""
    assert view([ASK, Summary(content="s", covers=99)]) == (User(content=SUMMARY_HEAD + "s"),)
