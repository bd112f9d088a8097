"""JSON out of an answer that was asked for in words."""

from __future__ import annotations

import pytest

from agentkit.core.json_repair import JSONError
from agentkit.models.dialects import extract_json, schema_instructions

FOUND = {
    '{"a": 1}': {"a": 1},
    " [1, 2]\n": [1, 2],
    "42": 42,
    '"text"': "text",
    '```json\n{"a": 1}\n```': {"a": 1},
    'Here it is:\n```json\n{"a": 1}\n```\nI hope that it helps.': {"a": 1},
    'Here it is: {"a": {"b": "}"}} - bye {x}.': {"a": {"b": "}"}},
    "As in [1], the result is {'a': True,}": {"a": True},
    "The list: [1, 2].": [1, 2],
    'Twice: {"a": 1} and again {"a": 1}': {"a": 1},
    'I read {Note: two of them} and [x], so {"a": 1}': {"a": 1},
    'On [0, 1) it is {"a": 1}, "b" is free.': {"a": 1},
    'First {"a": so}, then {"a": 1}': {"a": 1},
    '```\n{"a": 1}\n```\nor\n```json\n{"a": 1}\n```': {"a": 1},
    "```python\nprint(1)\n```\n" + '{"a": 1}': {"a": 1},
}
NOT_FOUND = {
    "": "empty",
    "Hello there.": "malformed",
    'One {"a": 1} and another {"a": 2}': "ambiguous",
    'Cut: {"a": 1, "b": "rm -rf /': "malformed",
    'So: {"user": Bo, "home": {"city": "Oslo"}}': "malformed",
    "So: {user: name(), home: {city: 'Oslo'}}": "malformed",
    'So: {"a": "one "two"", "b": [1, 2]}': "malformed",
    'So: [{"a": 1}, {"a": x}, {"a": 3}]': "malformed",
    'So: [1, x, {"a": 1}]': "malformed",
    'So: {"a": "b}", "c": [1] so far': "malformed",
    'So: [["a", b], [1, 2]]': "malformed",
    'So: {"a": {"b": 1}}, "c": 2}': "malformed",
    '{"a": 1, "b": "rm -rf /': "truncated",
    '```json\n{"a": 1,': "truncated",
}


@pytest.mark.parametrize("text", FOUND)
def test_the_value_is_found(text):
    """In a fence, in prose, or alone."""
    assert extract_json(text) == FOUND[text]


@pytest.mark.parametrize("text", NOT_FOUND)
def test_nothing_is_guessed(text):
    """No value, a part of one, or two different ones."""
    with pytest.raises(JSONError) as caught:
        extract_json(text)
    assert caught.value.reason == NOT_FOUND[text]


def test_a_cut_answer_is_not_completed():
    """Not even by a bracket."""
    assert extract_json('{"a": "1"') == {"a": "1"}
    with pytest.raises(JSONError):
        extract_json('{"a": "1"', truncated=True)


def test_brackets_do_not_cost():
    """A million of them take no time."""
    with pytest.raises(JSONError):
        extract_json("x " + "[" * 1_000_000)


def test_the_instructions_hold_the_schema():
    """As JSON, in the script of the schema."""
    assert '{"type": "string", "description": "Stadt: Zürich"}' in schema_instructions(
        {"type": "string", "description": "Stadt: Zürich"}
    )
