"""Where a value stands in a request, told by its neighbours. Pure.

The examples of a tool show what stands before and after each value: a unit after a number, a target after "to". The
best places of all parameters are looked for together, so that no word is used twice.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from agentkit.models.local.words import NUMBER, Words

MAX_LENGTH = 12
MAX_LIST_WORDS = 40
MAX_COMBINATIONS = 4000
MAX_WAYS = 40

Shown: TypeAlias = Sequence[tuple[Words, Any]]
"""The requests of the examples with their values of one parameter, the example most like the request first."""


@dataclass(frozen=True, slots=True)
class Place:
    """A value that stands in the request from the word `begin` up to the word `end`."""

    score: float
    begin: int
    end: int
    value: Any


SURE = 2.0
"""A score that a place without a fitting neighbour does not reach."""
WANTED = 3.0
"""A score at which a value stands there on purpose: an optional one is not taken for less."""
_ENDS = frozenset({".", "!", "?"})
_QUOTES = frozenset('"“”')
_BETWEEN = frozenset({",", ";", "and", "&"})
_NOWHERE = Place(0.0, 0, 0, None)


@dataclass(frozen=True, slots=True)
class Habit:
    """Where the values of a parameter stand in the requests of the examples."""

    before: Counter[str]
    after: Counter[str]
    lengths: frozenset[int]
    capital: bool
    numeric: bool
    shapes: frozenset[str]

    @classmethod
    def of(cls, shown: Shown) -> Habit | None:
        """What the examples have in common; None if a value is no piece of its request."""
        found = [(words, find(words, value)) for words, value in shown]
        if not all(place for _, place in found):
            return None
        spots = [(words, *place) for words, place in found if place]
        listing = any(isinstance(value, list) for _, value in shown)  # it may be longer than any that was shown
        return cls(
            before=Counter(_neighbour(words, begin - 1) for words, begin, _ in spots),
            after=Counter(_neighbour(words, end) for words, _, end in spots),
            lengths=frozenset() if listing else frozenset(end - begin for _, begin, end in spots),
            capital=bool(spots) and all(_is_capital(words, begin, end) for words, begin, end in spots),
            numeric=any(NUMBER in words.forms[begin:end] for words, begin, end in spots),
            shapes=frozenset(_shape(words.span(begin, end)) for words, begin, end in spots),
        )

    def places(self, words: Words, schema: Mapping[str, Any]) -> Iterator[Place]:  # noqa: C901 - one case a kind
        """Where a value of the schema may stand in a request."""
        match schema:
            case {"enum": members}:
                wanted = {str(member).casefold(): member for member in members}
                for i, form in enumerate(words.forms):
                    if form in wanted:
                        yield Place(WANTED, i, i + 1, wanted[form])
            case {"type": "number" | "integer" as kind}:
                least, most = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
                for i, value in words.numbers().items():
                    if least <= value <= most and (kind == "number" or isinstance(value, int)):
                        yield Place(self._score(words, i, i + 1), i, i + 1, value)
            case {"type": "string"} if self.lengths:
                for i, j in pieces(words):
                    fits = j - i <= max(self.lengths) + 3 and (self.numeric or NUMBER not in words.forms[i:j])
                    if fits and ("format" not in schema or _shape(words.span(i, j)) in self.shapes):
                        yield Place(self._score(words, i, j), i, j, words.span(i, j))
            case {"type": "array", "items": {"type": kind}} if self.before:
                for i, j in pieces(words, MAX_LIST_WORDS):
                    items = listed(words, i, j, numeric=kind != "string")
                    if max(1, schema.get("minItems", 1)) <= len(items) <= schema.get("maxItems", len(items)):
                        yield Place(self._score(words, i, j) + 0.1 * len(items), i, j, items)

    def _score(self, words: Words, begin: int, end: int) -> float:
        """How well a piece of a request fits the habit, from 1."""
        before, after = self.before[_neighbour(words, begin - 1)], self.after[_neighbour(words, end)]
        return (
            1.0
            + (1 + before / self.before.total() if before else 0)
            + (1 + after / self.after.total() if after else 0)
            + (0 if not self.capital else 2.5 if _is_capital(words, begin, end) else -1)
            + (0.25 if end - begin in self.lengths else 0)
            - (1 if _neighbour(words, begin - 1) in _QUOTES and not _QUOTES & self.before.keys() else 0)
        )


def find(words: Words, value: Any) -> tuple[int, int] | None:
    """Where a value stands in a text."""
    if isinstance(value, str):
        wanted = value.casefold()
        return next((place for place in pieces(words) if words.span(*place).casefold() == wanted), None)
    if isinstance(value, list):
        numeric = any(not isinstance(item, str) for item in value)
        spots = pieces(words, MAX_LIST_WORDS) if value else ()
        return next((place for place in spots if listed(words, *place, numeric=numeric) == value), None)
    if isinstance(value, bool):
        return None
    return next(((i, i + 1) for i, found in words.numbers().items() if found == value), None)


def pieces(words: Words, most: int = MAX_LENGTH) -> Iterator[tuple[int, int]]:
    """All pieces of a text that begin and end with a word, and cut nothing that stands in quotes."""
    starts = [index for index, word in enumerate(words) if word[-1].isalnum()]
    marks = [index for index, word in enumerate(words) if word in _QUOTES]
    quoted = [(i + 1, j) for i, j in zip(marks[::2], marks[1::2], strict=False)]
    return (
        (i, j + 1)
        for i in starts
        for j in starts
        if i <= j < i + most and all(j < begin or end <= i or i <= begin < end <= j + 1 for begin, end in quoted)
    )


def listed(words: Words, begin: int, end: int, *, numeric: bool) -> list[Any]:
    """What a piece of a text enumerates ("bread, butter and jam"); empty if it is no list of the kind."""
    ends = [index for index in range(begin, end) if words.forms[index] in _BETWEEN] + [end]
    starts = [begin, *(index + 1 for index in ends)]
    spans = [(i, j) for i, j in zip(starts, ends, strict=False) if i < j]  # none between "," and "and"
    if not numeric:
        return [words.span(*span) for span in spans]
    numbers = words.numbers()
    return [numbers[i] for i, _ in spans] if all(j == i + 1 and i in numbers for i, j in spans) else []


def _shape(text: str) -> str:
    return re.sub(r"\d", "0", text)


def together(places: Mapping[str, Sequence[Place]]) -> list[dict[str, Place]]:
    """The best ways to place all parameters at once, without using a word twice; what finds no place is left out."""
    most = max(2, round(MAX_COMBINATIONS ** (1 / max(1, len(places)))))
    ranked = [[*sorted(found, key=lambda place: -place.score)[:most], _NOWHERE] for found in places.values()]
    ways = [way for way in itertools.product(*ranked) if _is_apart(way)]
    best = max(sum(place.score for place in way) for way in ways)
    return [
        {name: place for name, place in zip(places, way, strict=True) if place is not _NOWHERE}
        for way in ways
        if sum(place.score for place in way) > best - 0.01
    ][:MAX_WAYS]


def _is_apart(way: Iterable[Place]) -> bool:
    order = sorted((place for place in way if place is not _NOWHERE), key=lambda place: place.begin)
    return all(one.end <= other.begin for one, other in itertools.pairwise(order))


def _neighbour(words: Words, index: int) -> str:
    form = words.forms[index] if 0 <= index < len(words) else ""
    return "" if form in _ENDS else form


def _is_capital(words: Words, begin: int, end: int) -> bool:
    """Whether these words, and not their neighbours, are capitalised (the first word of a text always is)."""
    capital = [index > 0 and word[0].isupper() for index, word in enumerate(words)]
    return all(capital[begin:end]) and not any(capital[begin - 1 : begin]) and not any(capital[end : end + 1])
