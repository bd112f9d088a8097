"""Conversations as chat-completions dicts: any damage is mended or refused, and nothing is lost without need."""

from __future__ import annotations

import json

import pytest
from core.strategies import json_objects, json_values, texts, transcripts
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit.core.chat_format import INTERRUPTED, from_openai, to_openai
from agentkit.core.decide import next_action
from agentkit.core.entries import Ended
from agentkit.core.limits import Limits
from agentkit.core.messages import Assistant, ToolCall, ToolResult, Usage, User
from agentkit.core.state import Phase, fold
from agentkit.core.view import view

ASK = {"role": "user", "content": "?"}


def call(call_id, name="add", arguments="{}"):
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def calls(*items):
    return {"role": "assistant", "content": "", "tool_calls": list(items)}


def result(call_id, content="1"):
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def mended(messages) -> list[dict]:
    """What a model is shown of the conversation, once it is a transcript."""
    return [to_openai(message) for message in view(from_openai(messages))]


def well_formed(messages) -> bool:
    """Whether every call has its one result right behind it, in call order, and every result its call."""
    due: list[str] = []
    seen: set[str] = set()
    for message in messages:
        if message["role"] == "tool":
            if not due or message["tool_call_id"] != due.pop(0):
                return False
            continue
        if due:
            return False
        due = [item["id"] for item in message.get("tool_calls", [])]
        if len(set(due)) != len(due) or not seen.isdisjoint(due):
            return False
        seen.update(due)
    return not due


# ---- whole conversations stay as they are ----


@st.composite
def conversations(draw):
    """Well-formed conversations, as a client of chat completions keeps them."""
    messages = [{"role": "system", "content": draw(texts)}] if draw(st.booleans()) else []
    number = 0
    for _ in range(draw(st.integers(0, 3))):
        parts = st.lists(json_objects, min_size=1, max_size=2)
        messages.append({"role": "user", "content": draw(texts.filter(bool) | parts)})
        for _ in range(draw(st.integers(0, 2))):
            ids = [f"call_{number + k}" for k in range(draw(st.integers(1, 3)))]
            number += len(ids)
            items = [call(i, draw(texts), json.dumps(draw(json_objects))) for i in ids]
            messages.append({"role": "assistant", "content": draw(texts), "tool_calls": items})
            messages.extend(result(i, draw(texts)) for i in ids)
        if draw(st.booleans()):
            messages.append({"role": "assistant", "content": draw(texts)})
    return messages


@settings(deadline=None)
@given(conversations())
def test_a_whole_conversation_comes_back_as_it_was(messages):
    """Through the transcript and back, nothing changes."""
    assert mended(messages) == messages


@settings(deadline=None)
@given(conversations(), st.randoms(use_true_random=False))
def test_a_torn_conversation_is_mended(messages, rng):
    """With messages lost, doubled and shuffled, what is shown is still a conversation."""
    torn = [message for message in messages for _ in range(rng.choice([0, 1, 1, 1, 2]))]
    if rng.random() < 0.3:
        rng.shuffle(torn)
    assert well_formed(mended(torn))


# ---- any damage ----

roles = st.sampled_from(["system", "developer", "user", "assistant", "tool", "function"])
ids = st.sampled_from(["a", "b", "", None, 7])
junk = json_values | ids
damaged_calls = (
    st.fixed_dictionaries(
        {},
        optional={
            "id": ids,
            "type": junk,
            "name": junk,
            "arguments": junk,
            "function": st.fixed_dictionaries({}, optional={"name": junk, "arguments": junk | json_objects}) | junk,
        },
    )
    | junk
)
damaged_messages = (
    st.fixed_dictionaries(
        {"role": roles},
        optional={
            "content": texts | st.none() | junk,
            "tool_calls": st.lists(damaged_calls, max_size=4) | junk,
            "function_call": damaged_calls,
            "tool_call_id": ids,
            "name": junk,
        },
    )
    | junk
)


@settings(deadline=None, max_examples=500)
@given(st.lists(damaged_messages, max_size=6))
def test_any_list_is_mended_or_refused(messages):
    """A legal transcript that can go on and a well-formed conversation, or a ValueError that says which message."""
    try:
        entries = from_openai(messages)
    except ValueError as fault:
        assert str(fault).startswith("message ")
        return
    assert fold(entries).phase in (Phase.REST, Phase.MODEL)
    assert well_formed([to_openai(message) for message in view(entries)])


@settings(deadline=None)
@given(st.lists(damaged_messages, max_size=6))
def test_mending_is_the_same_each_time(messages):
    """No randomness: prompt caches survive."""
    try:
        first = from_openai(messages)
    except ValueError:
        return
    assert from_openai(messages) == first


@settings(deadline=None)
@given(st.lists(damaged_messages, max_size=6))
def test_mending_what_was_mended_changes_nothing(messages):
    """Going through twice is going through once."""
    try:
        once = mended(messages)
    except ValueError:
        return
    assert mended(once) == once


def test_a_call_without_a_result_is_answered_as_interrupted():
    """Wherever the conversation breaks off, each call has an answer."""
    for rest in ([], [ASK], [{"role": "assistant", "content": "42"}], [{"role": "system", "content": "s"}]):
        shown = mended([ASK, calls(call("a"), call("b")), result("b"), *rest])
        assert shown[2:4] == [result("a", INTERRUPTED), result("b")]


def test_a_result_without_a_call_is_left_out():
    """Orphans, strangers and second answers do not reach a model."""
    messages = [result("a"), ASK, calls(call("a")), result("x"), result("a"), result("a", "2"), ASK, result("a")]
    assert mended(messages) == [ASK, calls(call("a")), result("a"), ASK]


def test_repeated_ids_are_made_unique_and_keep_their_results():
    """Across turns and within one answer, in order."""
    again = [ASK, calls(call("a"), call("a")), result("a", "1"), result("a", "2")]
    shown = mended([*again, *again])
    assert [message["content"] for message in shown if message["role"] == "tool"] == ["1", "2", "1", "2"]
    assert well_formed(shown)


def test_made_ids_step_aside_for_given_ones():
    """An id that is made up is never one that is there."""
    shown = mended([ASK, calls(call("call_2"), call(""), call("call_3"), call(None))])
    assert len({item["id"] for item in shown[1]["tool_calls"]}) == 4
    assert well_formed(shown)


def test_results_without_ids_answer_the_calls_in_order():
    """Some servers know no ids at all."""
    shown = mended(
        [
            ASK,
            calls({"function": {"name": "add", "arguments": {}}}, {"name": "sub"}),
            *[{"role": "tool", "content": text} for text in ("1", "2")],
        ]
    )
    assert [item["function"]["name"] for item in shown[1]["tool_calls"]] == ["add", "sub"]
    assert [message["content"] for message in shown[2:]] == ["1", "2"]


def test_ids_may_be_numbers():
    """Results find their calls by them, in any order."""
    torn = [ASK, calls(call(1), call(2)), result(2, "two"), result(1, "one")]
    shown = [(message["tool_call_id"], message["content"]) for message in mended(torn)[2:]]
    assert shown == [("1", "one"), ("2", "two")]


def test_a_refusal_is_what_was_said():
    """Where there is no content beside it."""
    [*_, answer] = mended([ASK, {"role": "assistant", "content": None, "refusal": "No."}, ASK])[:2]
    assert answer["content"] == "No."


def test_the_older_function_call_is_a_call():
    """`function_call` and the role `function` are read as well."""
    old = [
        {"role": "assistant", "content": None, "function_call": {"name": "add", "arguments": "{}"}},
        {"role": "function", "name": "add", "content": "1"},
    ]
    shown = mended([ASK, *old])
    assert shown[1]["tool_calls"][0]["function"] == {"name": "add", "arguments": "{}"}
    assert shown[2]["content"] == "1"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"x": 1}, '{"x": 1}'),
        ({"é": "ü"}, '{"é": "ü"}'),
        (None, "{}"),
        ([1], "{}"),
        ('{"x":1}', '{"x":1}'),
        ("{broken", "{}"),
        ("", "{}"),
    ],
)
def test_arguments_are_the_text_of_an_object_in_the_end(given, text):
    """Whatever they were, the next request is valid."""
    assert mended([ASK, calls(call("a", arguments=given))])[1]["tool_calls"][0]["function"]["arguments"] == text


def test_the_id_of_the_conversation_is_kept():
    """A good id stays, inside and on the wire."""
    entries = from_openai([ASK, calls(call("a")), result("a")])
    assert entries[1].tool_calls == (ToolCall(id="a", name="add", arguments="{}", provider_id="a"),)
    assert entries[2] == ToolResult(call_id="a", name="add", content="1")


def test_messages_stay_as_they_are():
    """A conversation given as messages keeps what dicts have no place for, and may be mixed with dicts."""
    one = ToolCall(id="a", name="add", arguments="{}", provider_id="p", extra={"signature": "s"})
    answer = Assistant(tool_calls=(one,), reasoning="hm", extra={"id": "r"}, usage=Usage(requests=1))
    refused = ToolResult(call_id="a", name="add", content="no", outcome="denied", details=[1])
    assert from_openai([ASK, answer, refused])[1:3] == [answer, refused]
    assert view(from_openai([User(content="?"), answer, result("a")]))[1] == answer


@settings(deadline=None)
@given(transcripts())
def test_what_a_run_shows_can_be_given_to_the_next_one(played):
    """The messages of any run, wherever it stopped, are a history as they are."""
    shown = view(played.entries)
    assert view(from_openai(shown)) == shown


def test_a_broken_off_answer_does_nothing():
    """Given as a message, it is kept and not acted on."""
    entries = from_openai([ASK, Assistant(tool_calls=(ToolCall(id="a", name="add", arguments="{}"),), aborted=True)])
    assert fold(entries).phase is Phase.MODEL
    assert mended([ASK, Assistant(content="4", aborted=True), result("a")]) == [ASK]


def test_a_conversation_may_begin_with_a_greeting():
    """An assistant's first message opens a turn of its own, and nothing else is shown."""
    hello = {"role": "assistant", "content": "Hello!"}
    assert mended([hello, hello, ASK]) == [hello, hello, ASK]


@pytest.mark.parametrize("end", [[ASK], [ASK, calls(call("a")), result("a")], [ASK, calls(call("a"))]])
def test_a_conversation_that_waits_for_an_answer_can_go_on(end):
    """A last word of the user, or of a tool, leaves the turn to the model."""
    assert next_action(fold(from_openai([ASK, {"role": "assistant", "content": "42"}, *end])), Limits(), 0.0).kind == (
        "call_model"
    )


def test_a_turn_that_was_answered_is_finished_and_another_one_closed():
    """The reader knows an answer from a conversation that broke off."""
    entries = from_openai([ASK, ASK, {"role": "assistant", "content": "42"}])
    assert [entry.reason for entry in entries if isinstance(entry, Ended)] == ["closed", "finished"]


@pytest.mark.parametrize("content", ["text", [{"type": "text", "text": "te"}, "xt", {"type": "text", "text": "xt"}]])
def test_a_user_may_speak_in_parts(content):
    """Parts stay parts; a bare text among them becomes one."""
    entry = from_openai([{"role": "user", "content": content}])[0]
    assert isinstance(entry, User)
    if isinstance(content, list):
        assert entry.content[1] == {"type": "text", "text": "xt"}
    assert to_openai(entry)["content"] in (content, [*entry.content])


def test_an_answer_in_parts_is_their_text():
    """What is no text is left out."""
    parts = [{"type": "text", "text": "4"}, {"type": "refusal", "refusal": "no"}, {"text": None}, "2"]
    assert mended([ASK, {"role": "assistant", "content": parts}])[1]["content"] == "42"


REFUSED = {
    "no dict": (["hello"], "message 0: expected a dict"),
    "no role": ([ASK, {"content": "?"}], "message 1: unknown role None; use system, user, assistant or tool"),
    "an unknown role": ([{"role": "wizard", "content": "?"}], "message 0: unknown role 'wizard'"),
    "content that is no text": ([ASK, {"role": "user", "content": 7}], "message 1: content must be text or a list"),
    "bytes": ([{"role": "user", "content": b"?"}], "message 0: content must be text or a list of parts, got bytes"),
    "a part that is no part": ([{"role": "user", "content": [7]}], "message 0: a content part must be a dict or text"),
    "arguments that are no JSON": ([ASK, calls(call("a", arguments={"x": {1}}))], "message 1: the arguments of a call"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_named(name):
    """The error says which message and what would do."""
    messages, text = REFUSED[name]
    with pytest.raises(ValueError, match=text):
        from_openai(messages)


def test_many_calls_without_ids_take_no_long_time():
    """Making ids costs the same for the first and for the last."""
    entries = from_openai([ASK, calls(*[{"name": "add"}] * 20_000)])
    assert len({entry.call_id for entry in entries if isinstance(entry, ToolResult)}) == 20_000
