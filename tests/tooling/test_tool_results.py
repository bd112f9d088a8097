"""Whatever a tool returns becomes a text that a model can read, and nothing raises."""

# ruff: noqa: DTZ001, F601 - the forms under test

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import itertools
import json
import pathlib
import re
import time
import types
import uuid
from fractions import Fraction
from typing import Any, NamedTuple
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, RootModel

from agentkit.tooling.results import MAX_DEPTH, MAX_ITEMS, cut, encodable, to_json, to_text


class Color(enum.Enum):
    RED = "red"
    PAIR = (1, 2)


class Word(enum.StrEnum):
    HELLO = "hello"


class Number(enum.IntEnum):
    ONE = 1


@dataclasses.dataclass(slots=True)
class Place:
    name: str
    when: dt.date


class Point(NamedTuple):
    x: int
    y: float


class Item(BaseModel):
    sku: str
    at: dt.datetime | None = None
    price: float = 1.5


class Loose(BaseModel):
    model_config = {"arbitrary_types_allowed": True}
    thing: Any


class OldItem:
    """Like a model of pydantic 1."""

    def __str__(self) -> str:
        return "sku='a'"

    def dict(self) -> Any:
        return {"sku": "a"}


class Names(RootModel[list[str]]):
    pass


class Plain:
    def __init__(self) -> None:
        self.a = 1
        self._b = 2


class Empty:
    __slots__ = ()


class Rude:
    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__


class Shown:
    def __repr__(self) -> str:
        return "Shown(1)"


class Rows:
    """Like the lazy answer of a database."""

    def __init__(self) -> None:
        self.connection = object()

    def __iter__(self):
        return iter([1, 2])


class Scalar:
    """Like a number of numpy."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def item(self) -> Any:
        return self.value


class Frame:
    """Like a table of pandas."""

    def to_dict(self, orient: str = "dict") -> Any:
        return [{"a": 1}] if orient == "records" else {"a": {0: 1}}


class Broken(BaseException):
    def __str__(self) -> str:
        raise ValueError("no")


class BadMapping(collections.UserDict):
    def items(self):
        raise OSError("gone")


TEXTS: list[tuple[Any, str]] = [
    ("as it is\n", "as it is\n"),
    ("", ""),
    (Word.HELLO, "hello"),
    (b"h\xc3\xa9", "hé"),
    (bytearray(b"ab"), "ab"),
    (b"\xff\xfe", "//4="),
    (None, "null"),
    (True, "true"),
    (3, "3"),
    (2.0, "2.0"),
    (1e300, "1e+300"),
    (float("nan"), "null"),
    (float("inf"), '"Infinity"'),
    (float("-inf"), '"-Infinity"'),
    (10**5000, '"1' + "0" * 5000 + '"'),
    (1 << 2_000_000, '"[an integer of 2,000,001 bits]"'),
    ({"a": "é", "b": [1, None]}, '{"a": "é", "b": [1, null]}'),
    ({}, "{}"),
    ([], "[]"),
    ((1, "a"), '[1, "a"]'),
    ({3, 1, 2}, "[1, 2, 3]"),
    (frozenset({"b", "a"}), '["a", "b"]'),
    (
        {1: "a", None: "b", True: "c", 1.5: "d", Color.RED: "e", (1, 2): "f", dt.date(2020, 1, 2): "g"},
        '{"1": "c", "null": "b", "1.5": "d", "red": "e", "[1, 2]": "f", "2020-01-02": "g"}',
    ),
    (dt.datetime(2020, 1, 2, 3, 4, tzinfo=dt.UTC), '"2020-01-02T03:04:00+00:00"'),
    (dt.date(2020, 1, 2), '"2020-01-02"'),
    (dt.time(3, 4), '"03:04:00"'),
    (dt.timedelta(days=1, seconds=2.5), '"P1DT2.5S"'),
    (-dt.timedelta(hours=1), '"-P0DT3600S"'),
    (decimal.Decimal("1.10"), '"1.10"'),
    (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
    (pathlib.PurePosixPath("a/b"), '"a/b"'),
    (Color.RED, '"red"'),
    (Color.PAIR, "[1, 2]"),
    (Number.ONE, "1"),
    (Place("x", dt.date(2020, 1, 2)), '{"name": "x", "when": "2020-01-02"}'),
    (Point(1, float("nan")), '{"x": 1, "y": null}'),
    (Item(sku="a", at=dt.datetime(2020, 1, 2)), '{"sku": "a", "at": "2020-01-02T00:00:00", "price": 1.5}'),
    (Item(sku="a", price=float("nan")), '{"sku": "a", "at": null, "price": null}'),
    ([Item(sku="a")], '[{"sku": "a", "at": null, "price": 1.5}]'),
    (Names(["a"]), '["a"]'),
    (Loose(thing=Plain()), '{"thing": {"a": 1}}'),
    (Fraction(1, 3), '"1/3"'),
    (1 + 2j, '"(1+2j)"'),
    (range(3), "[0, 1, 2]"),
    (iter([1, 2]), "[1, 2]"),
    ((x for x in "ab"), '["a", "b"]'),
    (map(str, [1]), '["1"]'),
    (collections.OrderedDict(a=1), '{"a": 1}'),
    (collections.Counter("aa"), '{"a": 2}'),
    (collections.deque([1]), "[1]"),
    ({"a": 1}.values(), "[1]"),
    (types.MappingProxyType({"a": 1}), '{"a": 1}'),
    (types.SimpleNamespace(a=1), '{"a": 1}'),
    ({"a": 1}.keys(), '["a"]'),
    (ValueError("bad"), '"ValueError: bad"'),
    (Plain(), '{"a": 1}'),
    (Shown(), '"Shown(1)"'),
    (Rude(), '"<Rude>"'),
    (Empty(), '"<Empty>"'),
    ([Rude(), 1], '["<Rude>", 1]'),
    (Broken(), '"<Broken>"'),
    (BadMapping(), '"<BadMapping>"'),
    (Rows(), "[1, 2]"),
    (OldItem(), '{"sku": "a"}'),
    (Scalar(3), "3"),
    (Scalar(float("nan")), "null"),
    (Frame(), '[{"a": 1}]'),
    (Plain, '"Plain"'),
    (len, '"len"'),
    (re.compile("a+"), "\"re.compile('a+')\""),
    ("\ud83d\ude00 \ud800!", "😀 \ufffd!"),
    ({"\udc00": "\ud800"}, '{"\ufffd": "\ufffd"}'),
]


@pytest.mark.parametrize(("value", "text"), TEXTS, ids=lambda value: type(value).__name__)
def test_a_value_becomes_this_text(value, text):
    """Text as it is, everything else as JSON."""
    assert to_text(value) == text


def test_a_cycle_is_marked_where_it_closes():
    """A list in itself, an object in its own attribute; a value that is merely repeated is no cycle."""
    loop: list[Any] = [1]
    loop.append({"again": loop})
    assert to_text(loop) == '[1, {"again": "[circular]"}]'
    twice = [1]
    assert to_text([twice, twice]) == "[[1], [1]]"
    plain = Plain()
    plain.a = plain
    assert to_text(plain) == '{"a": "[circular]"}'


def test_deep_nesting_is_cut_off():
    """Long before Python's own limit."""
    deep: Any = 0
    for _ in range(100_000):
        deep = [deep]
    text = to_text(deep)
    assert "nested too deeply" in text
    assert text.count("[") < MAX_DEPTH + 5
    json.loads(text)


def test_what_does_not_end_is_read_up_to_a_limit():
    """An endless iterator, a range of a billion."""
    for endless in (itertools.count(), range(10**9)):
        items = json.loads(to_text(endless))
        assert len(items) == MAX_ITEMS + 1
        assert items[-1] == "[there may be more]"


def test_a_mock_is_no_riddle():
    """It answers to every name; that does not lead anywhere."""
    assert json.loads(to_text([mock.MagicMock(), mock.Mock()])) == [[], "<Mock>"]


@settings(deadline=None, max_examples=300)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(st.characters())
        | st.binary()
        | st.decimals()
        | st.dates(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.text(st.characters()) | st.integers() | st.none(), inner)
            | st.tuples(inner, inner)
        ),
        max_leaves=20,
    )
)
def test_any_value_becomes_json_that_can_be_sent(value):
    """And what is JSON already stays as it is."""
    text = to_text(value)
    text.encode()
    if not isinstance(value, str | bytes):
        json.loads(text, parse_constant=pytest.fail)
    assert to_json(to_json(value)) == to_json(value)


def test_a_large_result_costs_little():
    """Fifty megabytes of text, of bytes, and a list of half a million rows."""
    started = time.process_time()
    for value in ("é" * 50_000_000, b"\xff" * 50_000_000, [{"id": i, "text": "x" * 50} for i in range(200_000)]):
        assert len(cut(to_text(value), 50_000)) <= 50_000
    assert time.process_time() - started < 8


def test_a_cut_keeps_head_and_tail_and_says_what_is_gone():
    """Never more than allowed; short texts stay."""
    text = "".join(chr(0x1F600 + i % 50) for i in range(60_000))
    short = cut(text, 1_000)
    assert len(short) == 1_000
    match = re.search(r"\n\[\.\.\. ([\d,]+) of 60,000 characters cut \.\.\.\]\n", short)
    head, tail = short[: match.start()], short[match.end() :]
    assert text.startswith(head) and text.endswith(tail)
    assert int(match[1].replace(",", "")) == 60_000 - len(head) - len(tail)
    assert len(head) > len(tail) > 0
    short.encode()
    assert cut("abc", 3) == "abc"
    assert cut("abcd", 3) == "abc"
    assert cut("abcd", None) == "abcd"


@settings(deadline=None)
@given(st.text(max_size=300), st.integers(1, 200))
def test_a_cut_is_never_longer_than_allowed(text, limit):
    """Whatever the limit."""
    assert len(cut(text, limit)) <= max(limit, 0)
    assert cut(text, max(len(text), 1)) == text


def test_surrogates_that_belong_together_are_joined_before_a_cut():
    """So that no cut can part them."""
    assert encodable("\ud83d\ude00") == "😀"
