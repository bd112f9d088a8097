"""Entries <-> JSON: what is written is read back, and nothing else is read."""

from __future__ import annotations

import contextlib
import json
from types import MappingProxyType
from typing import get_args

import pytest
from core.strategies import Played, entries, json_objects, json_values, transcripts
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit.core.codec import VERSION, decode, encode
from agentkit.core.decide import next_action
from agentkit.core.entries import Ended, Entry, Note, Planned, PlannedCall
from agentkit.core.messages import Assistant, ToolCall, ToolResult, Usage, User
from agentkit.core.state import fold


def through_json(entry: Entry) -> Entry:
    return decode(json.loads(json.dumps(encode(entry))))


@settings(deadline=None, max_examples=400)
@given(entries())
def test_what_is_written_is_read_back(entry: Entry):
    """Through JSON text and back, every entry is the same: lone surrogates, floats, nested values and all."""
    assert through_json(entry) == entry


@settings(deadline=None)
@given(transcripts())
def test_a_stored_run_goes_on_the_same(played: Played):
    """Folding what was stored asks for the same next action."""
    stored = [through_json(entry) for entry in played.entries]
    assert tuple(stored) == played.entries
    assert next_action(fold(stored), played.limits, 0.0) == next_action(fold(played.entries), played.limits, 0.0)


@given(entries())
def test_an_encoded_entry_is_plain_json(entry: Entry):
    """Dicts, lists, text and numbers only: any JSON library writes it."""

    def plain(value) -> bool:
        if isinstance(value, dict):
            return all(isinstance(key, str) and plain(item) for key, item in value.items())
        if isinstance(value, list):
            return all(map(plain, value))
        return value is None or type(value) in (str, int, float, bool)

    assert plain(encode(entry))


def test_defaults_are_not_written():
    """An entry costs no more room than what it says."""
    assert encode(User(content="?")) == {"v": 1, "kind": "user", "content": "?"}
    assert encode(Assistant()) == {"v": 1, "kind": "assistant"}
    assert encode(Assistant(usage=Usage(requests=1))) == {"v": 1, "kind": "assistant", "usage": {"requests": 1}}


def test_every_kind_of_entry_can_be_read():
    """The codec knows each member of the union by its kind."""
    kinds = {cls.kind for cls in get_args(Entry)}
    assert len(kinds) == len(get_args(Entry))
    for kind in kinds - {"assistant", "planned"}:
        with pytest.raises(ValueError, match=f"{kind}: missing"):
            decode({"v": VERSION, "kind": kind})


@given(json_objects)
def test_nested_mappings_of_any_class_are_written(value: dict):
    """A read-only mapping inside is a JSON object outside."""
    entry = ToolCall(id="a", name="add", arguments="{}", extra=MappingProxyType({"inner": MappingProxyType(value)}))
    assert through_json(Assistant(tool_calls=(entry,))).tool_calls[0].extra == {"inner": value}


# ---- reading trusts nothing ----


@settings(deadline=None, max_examples=400)
@given(json_values | st.dictionaries(st.sampled_from(["v", "kind", "content", "calls"]), json_values))
def test_any_json_is_read_or_refused(data):
    """Whatever it is, the answer is an entry, which can be written again, or a ValueError."""
    with contextlib.suppress(ValueError):
        read = decode(data)
        assert decode(encode(read)) == read


@settings(deadline=None, max_examples=400)
@given(entries(), json_values, st.randoms(use_true_random=False))
def test_a_damaged_entry_is_read_or_refused(entry: Entry, junk, rng):
    """One value of a good entry replaced by another: an entry that can be written again, or a ValueError."""
    data = json.loads(json.dumps(encode(entry)))
    place, key = rng.choice([*_places(data)])
    place[key] = junk
    try:
        read = decode(data)
    except ValueError:
        return
    assert decode(encode(read)) == read


def _places(data):
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in items:
        yield data, key
        if isinstance(value, dict | list):
            yield from _places(value)


WRONG = {
    "no object": ([], "an entry is a JSON object, got list"),
    "no version": ({"kind": "user"}, "schema version None"),
    "a newer version": ({"v": 2, "kind": "user", "content": "?"}, "schema version 2"),
    "an unknown kind": ({"v": 1, "kind": "telepathy"}, "unknown kind of entry: 'telepathy'"),
    "a kind that is no text": ({"v": 1, "kind": {}}, "unknown kind"),
    "a missing field": ({"v": 1, "kind": "user"}, "user: missing content"),
    "a wrong type": ({"v": 1, "kind": "note", "content": 1}, "note.content: expected str, got int"),
    "a bool as a number": ({"v": 1, "kind": "summary", "content": "", "covers": True}, "summary.covers: expected int"),
    "a wrong choice": ({"v": 1, "kind": "ended", "reason": "tired"}, "ended.reason: expected one of 'finished'"),
    "a wrong type deep inside": (
        {"v": 1, "kind": "assistant", "tool_calls": [{"id": "a", "name": 7, "arguments": "{}"}]},
        r"assistant.tool_calls\[0\].name: expected str, got int",
    ),
    "null where it is not allowed": ({"v": 1, "kind": "assistant", "usage": None}, "assistant.usage"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(name: str):
    """The error says where and what."""
    data, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        decode(data)


@pytest.mark.parametrize("field", ["v", "kind", "reason"])
def test_deep_nesting_where_a_word_belongs_is_refused(field: str):
    """Even the error message does not stumble over it."""
    deep: list = []
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(ValueError, match="\\.\\.\\."):
        decode({"v": 1, "kind": "ended", "reason": "finished"} | {field: deep})


def test_unknown_fields_are_ignored():
    """An older reader reads on."""
    assert decode({"v": 1, "kind": "ended", "reason": "closed", "mood": "good"}) == Ended(reason="closed")


def test_a_whole_number_is_a_number():
    """JSON writes 1.0 as it likes."""
    assert decode({"v": 1, "kind": "assistant", "cost_usd": 1}) == Assistant(cost_usd=1.0)


def test_the_form_on_disk_stays():
    """What version 1 wrote is read for ever."""
    planned = PlannedCall(call_id="a", name="add", arguments="{}", refusal="no", outcome="limit")
    golden = [
        (Note(content="hm"), '{"v": 1, "kind": "note", "content": "hm"}'),
        (
            Planned(calls=(planned,), last="steps"),
            (
                '{"v": 1, "kind": "planned", "calls": [{"call_id": "a", "name": "add", "arguments": "{}", '
                '"refusal": "no", "outcome": "limit"}], "last": "steps"}'
            ),
        ),
        (
            ToolResult(call_id="a", name="add", content="1", details={"n": [1]}, usage=Usage(neurons=0.5)),
            (
                '{"v": 1, "kind": "tool_result", "call_id": "a", "name": "add", "content": "1", '
                '"details": {"n": [1]}, "usage": {"neurons": 0.5}}'
            ),
        ),
    ]
    for entry, text in golden:
        assert json.dumps(encode(entry)) == text
        assert decode(json.loads(text)) == entry
