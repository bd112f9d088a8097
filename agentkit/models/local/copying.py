"""Which words of a request go into the arguments, and where: learned from a tool's own examples. Pure.

A tiny model garbles names and numbers, but it need not write them: most arguments stand in the request. A tool's
examples show how each parameter comes from the words of its request, one of:

    copied     the value is a piece of the request       "Convert 8 liters to gallons" -> 8, "liters", "gallons"
    formula    numbers of the request, with operators     "6 friends pay 15 dollars each" -> "6*15"
    prefixed   made, then a piece of the request          "What time is it in Vienna?" -> "Europe/Vienna"
    reworded   words of the request, in any order         "Find news about solar energy" -> "solar energy news"
    free       none of these

Where a copied value stands is told by its neighbours: what follows a number, what follows "to". All copied parameters
are placed together, so that no word is used twice. What is left open here is left to the model, within a grammar.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from agentkit.core.messages import ToolSpec
from agentkit.models.grammar import exactly, literal
from agentkit.models.local.words import NUMBER, Words, likeness

MAX_WORDS = 80
MAX_LENGTH = 12
MAX_COMBINATIONS = 4000
MAX_CHOICES = 40

Piece: TypeAlias = str | None
"""What an argument may be, as a piece of grammar; None leaves it out."""

Shown: TypeAlias = Sequence[tuple[Words, Any]]
"""The requests of the examples with their values of one parameter, the example most like the request first."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is known of the arguments before the model is asked.

    Attributes:
        choices: Alternatives: pieces of grammar by parameter. A parameter that is not named is free.
        prefixed: Parameters whose beginning is still to be chosen.
    """

    choices: tuple[Mapping[str, Piece], ...] = ({},)
    prefixed: Mapping[str, Prefixed] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prefixed:
    """A value with a made beginning and an end from the request: `Europe/` and `Madrid`.

    Attributes:
        shown: Beginnings and ends of the examples.
        ends: What its end may be.
    """

    shown: tuple[tuple[str, str], ...]
    ends: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A value that stands in the request from the word `begin` up to the word `end`."""

    score: float
    begin: int
    end: int
    value: Any


NOWHERE = Place(0.0, 0, 0, None)
SURE = 2.0
"""A score that a place without a fitting neighbour does not reach."""


def plan(spec: ToolSpec, request: str) -> Plan:
    """What the examples of a tool say of the arguments for a request."""
    words = Words.of(request)
    if len(words) > MAX_WORDS:
        return Plan()
    examples = [(Words.of(text), values) for text, values in spec.examples]
    examples.sort(key=lambda example: -likeness(words, example[0]))
    required = spec.parameters.get("required", ())
    pieces: dict[str, Piece] = {}
    places: dict[str, list[Place]] = {}
    prefixed: dict[str, Prefixed] = {}
    for name, schema in (spec.parameters.get("properties") or {}).items():
        shown = [(text, values[name]) for text, values in examples if name in values]
        habit = _Habit.of(shown)
        found = list(_places(words, habit, _simple(schema))) if habit else []
        if habit and name not in required and not _named(name, words):
            found = [place for place in found if place.score >= SURE]
            if not found:
                pieces[name] = None
        if found:
            places[name] = found
        elif name not in pieces:
            match _prefixed(words, shown) or _formula(words, shown) or _reworded(words, shown, _simple(schema)):
                case Prefixed() as value:
                    prefixed[name] = value
                case str() as piece:
                    pieces[name] = piece
    return Plan(tuple({**pieces, **chosen} for chosen in _together(places)), prefixed)


def _simple(schema: Any) -> Mapping[str, Any]:
    """The schema of one simple value, without the null of an optional one; {} if it is more than that."""
    if not isinstance(schema, Mapping):
        return {}
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    schema = kinds[0] if len(kinds) == 1 else schema
    known = {"type", "enum", "minimum", "maximum", "title", "description", "default", "examples"}
    return schema if known.issuperset(schema) else {}


def _named(name: str, words: Words) -> bool:
    """Whether the request speaks of the parameter by name."""
    return any(part in words.forms for part in name.casefold().split("_") if len(part) > 2)


# --- copied -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Habit:
    """Where the values of a parameter stand in the requests of the examples."""

    before: Counter[str]
    after: Counter[str]
    lengths: frozenset[int]
    capital: bool

    @classmethod
    def of(cls, shown: Shown) -> _Habit | None:
        """What the examples have in common; None if a value is no piece of its request."""
        found = [(words, _find(words, value)) for words, value in shown]
        if not all(place for _, place in found):
            return None
        spots = [(words, *place) for words, place in found if place]
        return cls(
            before=Counter(_neighbour(words, begin - 1) for words, begin, _ in spots),
            after=Counter(_neighbour(words, end) for words, _, end in spots),
            lengths=frozenset(end - begin for _, begin, end in spots),
            capital=bool(spots) and all(_is_capital(words, begin, end) for words, begin, end in spots),
        )

    def score(self, words: Words, begin: int, end: int) -> float:
        """How well a piece of a request fits the habit, from 1."""
        before, after = self.before[_neighbour(words, begin - 1)], self.after[_neighbour(words, end)]
        return (
            1.0
            + (1 + before / self.before.total() if before else 0)
            + (1 + after / self.after.total() if after else 0)
            + (2.5 if self.capital and _is_capital(words, begin, end) else 0)
            + (0.25 if end - begin in self.lengths else 0)
        )


def _find(words: Words, value: Any) -> tuple[int, int] | None:
    """Where a value stands in a text."""
    if isinstance(value, str):
        wanted = value.casefold()
        return next((place for place in _pieces(words) if words.span(*place).casefold() == wanted), None)
    return next(((i, i + 1) for i, found in words.numbers().items() if found == value), None)


def _pieces(words: Words) -> Iterator[tuple[int, int]]:
    """All pieces of a text that begin and end with a word."""
    starts = [index for index, word in enumerate(words) if word[-1].isalnum()]
    return ((i, j + 1) for i in starts for j in starts if i <= j < i + MAX_LENGTH)


def _places(words: Words, habit: _Habit, schema: Mapping[str, Any]) -> Iterator[Place]:
    """Where a value of the schema may stand in the request."""
    match schema:
        case {"enum": members}:
            wanted = {str(member).casefold(): member for member in members}
            for i, form in enumerate(words.forms):
                if form in wanted:
                    yield Place(SURE + 1, i, i + 1, wanted[form])
        case {"type": "number" | "integer" as kind}:
            least, most = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
            for i, value in words.numbers().items():
                if least <= value <= most and (kind == "number" or isinstance(value, int)):
                    yield Place(habit.score(words, i, i + 1), i, i + 1, value)
        case {"type": "string"} if habit.lengths:
            for i, j in _pieces(words):
                if j - i <= max(habit.lengths) + 3:
                    yield Place(habit.score(words, i, j), i, j, words.span(i, j))


def _together(places: Mapping[str, list[Place]]) -> Iterator[dict[str, Piece]]:
    """The best ways to place all parameters at once, without using a word twice."""
    most = max(2, round(MAX_COMBINATIONS ** (1 / max(1, len(places)))))
    ranked = [[*sorted(found, key=lambda place: -place.score)[:most], NOWHERE] for found in places.values()]
    ways = [way for way in itertools.product(*ranked) if _is_apart(way)]
    best = max(sum(place.score for place in way) for way in ways)
    for way in itertools.islice((w for w in ways if sum(place.score for place in w) > best - 0.01), MAX_CHOICES):
        yield {name: exactly(place.value) for name, place in zip(places, way, strict=True) if place is not NOWHERE}


def _is_apart(way: Iterable[Place]) -> bool:
    order = sorted((place for place in way if place is not NOWHERE), key=lambda place: place.begin)
    return all(one.end <= other.begin for one, other in itertools.pairwise(order))


def _neighbour(words: Words, index: int) -> str:
    return words.forms[index] if 0 <= index < len(words) else ""


def _is_capital(words: Words, begin: int, end: int) -> bool:
    """Whether these words, and not their neighbours, are capitalised (the first word of a text always is)."""
    capital = [index > 0 and word[0].isupper() for index, word in enumerate(words)]
    return all(capital[begin:end]) and not any(capital[begin - 1 : begin]) and not any(capital[end : end + 1])


# --- formula ----------------------------------------------------------------------------------------------------------

_NUMERAL = re.compile(r"\d+(?:\.\d+)?")
_OPERATORS = "+-*/"


def _formula(words: Words, shown: Shown) -> Piece:
    """Numbers of the request with operators between them, if the examples are such."""
    if not shown or not all(isinstance(value, str) and _NUMERAL.search(value) for _, value in shown):
        return None
    signs = {sign for _, value in shown for sign in value if not sign.isdigit()} | set(_OPERATORS + "(). ")
    if any(sign.isalpha() for sign in signs):
        return None
    if written := _written_out(words.text, signs):
        return exactly(written if any(" " in value for _, value in shown) else written.replace(" ", ""))
    if by_pattern := next(filter(None, (_by_pattern(words, *example) for example in shown)), None):
        return exactly(by_pattern)
    numerals = [_numeral(value) for value in words.numbers().values()]
    if not 2 <= len(numerals) <= 4:
        return None
    operators = [*sorted(signs - set("(). ")), "**"]
    between = f" ({' | '.join(map(literal, operators))}) "
    orders = {between.join(map(literal, order)) for order in itertools.permutations(numerals)}
    return f'"\\"" ({" | ".join(sorted(orders))}) "\\""'


def _written_out(text: str, signs: set[str]) -> str:
    """The longest run of numbers and signs in a text that holds a sign between two numbers."""
    runs = re.findall(rf"[\d{re.escape(''.join(signs))}]+", text)
    whole = [run.strip().rstrip(".") for run in runs if re.search(r"\d\D*[^\d\s.]\D*\d", run)]
    return max(whole, key=len, default="")


def _by_pattern(words: Words, example: Words, value: str) -> str | None:
    """The formula of an example that adds numbers of its own (a percentage: "/100"), made with the numbers at hand.

    Only for a request with the same words between its numbers.
    """
    given, mine = list(example.numbers().values()), words.numbers()
    parts = [float(numeral) for numeral in _NUMERAL.findall(value)]
    if set(parts) <= set(given) or len(given) != len(mine) or not _between(example) <= _between(words):
        return None
    new = dict(zip(map(float, given), map(_numeral, mine.values()), strict=True))
    return _NUMERAL.sub(lambda match: new.get(float(match[0]), match[0]), value)


def _between(words: Words) -> set[str]:
    """The words between the first number and the last."""
    where = list(words.numbers())
    return {form for form in words.forms[where[0] : where[-1]] if form != NUMBER} if where else set()


def _numeral(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


# --- prefixed and reworded --------------------------------------------------------------------------------------------

_SEPARATOR = re.compile(r"[^\w\s]+")


def _prefixed(words: Words, shown: Shown) -> Prefixed | str | None:
    """A made beginning before a piece of the request, if the examples are such; the whole, if the request holds it."""
    cuts = [_cut(text, value) for text, value in shown]
    made = [(text, value, cut) for (text, value), cut in zip(shown, cuts, strict=True) if cut]
    if not made or None in cuts:
        return None
    outlines = {_outline(value) for _, value, _ in made}
    if whole := next((word for word in words if _outline(word) in outlines), None):
        return exactly(whole)
    habit = _Habit.of([(text, _spoken(value[cut:])) for text, value, cut in made])
    places = list(_places(words, habit, {"type": "string"})) if habit else []
    best = max((place.score for place in places), default=0.0)
    if best < SURE:
        return None
    ends = dict.fromkeys(place.value for place in places if place.score == best)
    split = (re.fullmatch(r"(.*[^\w\s])(\w+)", value) for _, value in shown)
    return Prefixed(tuple((cut[1], _spoken(cut[2])) for cut in split if cut), tuple(ends)[:3])


def _cut(words: Words, value: Any) -> int | None:
    """Where in a value without spaces its piece of the request begins; None if it does not end with one."""
    if not isinstance(value, str) or " " in value:
        return None
    cuts = [0, *(match.end() for match in _SEPARATOR.finditer(value))]
    return next((cut for cut in cuts if _find(words, _spoken(value[cut:]))), None)


def _spoken(part: str) -> str:
    """A part of a value as people write it: `New_York` is "New York"."""
    return part.replace("_", " ")


def _outline(text: str) -> str:
    return re.sub(r"\w+", "w", text)


def _reworded(words: Words, shown: Shown, schema: Mapping[str, Any]) -> Piece:
    """Words of the request in any order, if at least half of each example's value are; or if there is no example.

    A tiny model that is shown nothing makes things up: then, too, it is held to what was said.
    """
    strange: dict[str, None] = {}
    for text, value in shown:
        if not isinstance(value, str):
            return None
        made = [word for word in value.split() if word.casefold() not in text.forms]
        if 2 * len(made) > len(value.split()):
            return None
        strange.update(dict.fromkeys(made))
    if not shown and schema.get("type") != "string":
        return None
    usable = dict.fromkeys(word for word in words if word[-1].isalnum()) | strange
    signs = [*_OPERATORS] if not shown and len(words.numbers()) > 1 else []
    word = " | ".join(literal(exactly(word)[3:-3]) for word in usable)
    gap = " | ".join([literal(" "), *(literal(f" {sign} ") for sign in signs)])
    return f'"\\"" ({word}) (({gap}) ({word})){{0,{MAX_LENGTH}}} "\\""' if word else None
