"""Which words of a request go into the arguments: learned from a tool's own examples. Pure.

A tiny model garbles names and numbers, but it need not write them: most arguments stand in the request. A tool's
examples show how each parameter comes from the words of its request, one of:

    copied     the value is a piece of the request       "Convert 8 liters to gallons" -> 8, "liters", "gallons"
    listed     several pieces, enumerated                "Buy eggs, milk and tea" -> ["eggs", "milk", "tea"]
    told       true or false, by words that tell         "Turn on the lamp" -> true
    formula    numbers of the request, with operators    "6 friends pay 15 dollars each" -> "6*15"
    prefixed   made, then a piece of the request         "What time is it in Vienna?" -> "Europe/Vienna"
    reworded   words of the request, in any order        "Find news about solar energy" -> "solar energy news"
    free       none of these

What is left open here is left to the model, within a grammar. A request that does not have what the examples take
from theirs is hardly meant for the tool: that is counted, and helps to choose one.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from agentkit.core.messages import ToolSpec
from agentkit.models.grammar import exactly, literal
from agentkit.models.local.places import MAX_LENGTH, SURE, WANTED, Habit, Place, Shown, find, together
from agentkit.models.local.words import NUMBER, Words, likeness

MAX_WORDS = 80

_POLITE = re.compile(r"^\s*please,?\s+|,?\s+please(?=[.!?]*\s*$)", re.IGNORECASE)

Piece: TypeAlias = str | None
"""What an argument may be, as a piece of grammar; None leaves it out."""


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
class Plan:
    """What is known of the arguments before the model is asked.

    Attributes:
        choices: Alternatives: pieces of grammar by parameter. A parameter that is not named is free.
        prefixed: Parameters whose beginning is still to be chosen.
        misfits: How many required parameters find nothing in the request like what they have in the examples.
        sure: Parameters whose value stands in the request: even an optional one is not left out.
    """

    choices: tuple[Mapping[str, Piece], ...] = ({},)
    prefixed: Mapping[str, Prefixed] = field(default_factory=dict)
    misfits: int = 0
    sure: frozenset[str] = frozenset()


def plan(spec: ToolSpec, request: str) -> Plan:
    """What the examples of a tool say of the arguments for a request."""
    words = Words.of(_POLITE.sub("", request))
    if len(words) > MAX_WORDS:
        return Plan()
    examples = [(Words.of(_POLITE.sub("", text)), values) for text, values in spec.examples]
    examples.sort(key=lambda example: -likeness(words, example[0]))
    required = spec.parameters.get("required", ())
    readings = {}
    for name, schema in (spec.parameters.get("properties") or {}).items():
        shown = [(text, values[name]) for text, values in examples if name in values]
        optional = name not in required and not _named(name, words)
        told = _told(name, words, examples, required=name in required)
        readings[name] = told or _read(words, shown, _simple(schema), optional=optional)
    ways = together({name: reading.places for name, reading in readings.items() if reading.places})
    fixed = {name: reading.piece for name, reading in readings.items() if reading.piece != FREE}
    return Plan(
        choices=tuple({**fixed, **{name: exactly(place.value) for name, place in way.items()}} for way in ways),
        prefixed={name: reading.prefixed for name, reading in readings.items() if reading.prefixed},
        sure=frozenset(name for name, reading in readings.items() if reading.sure or all(name in way for way in ways)),
        misfits=sum(not reading.fits(ways[0].get(name)) for name, reading in readings.items() if name in required),
    )


FREE = ""
"""No piece of grammar: the schema alone says what the value may be."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """How one parameter is read from the request.

    Attributes:
        piece: What it may be.
        places: Where it may stand; one of them is chosen together with those of the other parameters.
        prefixed: What it may be made of.
        least: The score below which its place is a misfit; no place at all is one, if this is not 0.
        sure: The request tells it.
    """

    piece: Piece = FREE
    places: tuple[Place, ...] = ()
    prefixed: Prefixed | None = None
    least: float = 0.0
    sure: bool = False

    def fits(self, place: Place | None) -> bool:
        return self.least <= (place.score if place else 0.0)


def _read(words: Words, shown: Shown, schema: Mapping[str, Any], *, optional: bool) -> _Reading:
    habit = Habit.of(shown)
    if habit is None:
        return (
            _formula(words, shown)
            or _prefixed(words, shown, optional=optional)
            or _reworded(words, shown)
            or _Reading()
        )
    found = tuple(place for place in habit.places(words, schema) if not optional or place.score >= WANTED)
    if not found and optional:
        return _Reading(piece=None)
    match schema:
        case {"type": "string"} if not shown:
            return _reworded(words, shown) or _Reading()
        case {"type": "string" | "number" | "integer" | "array"}:
            return _Reading(places=found, least=SURE if shown else 1.0)
        case _:
            return _Reading(places=found)


def _simple(schema: Any) -> Mapping[str, Any]:
    """The schema of one simple value, without the null of an optional one; {} if it is more than that."""
    if not isinstance(schema, Mapping):
        return {}
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    schema = kinds[0] if len(kinds) == 1 else schema
    known = {"type", "enum", "minimum", "maximum", "title", "description", "default", "examples", "format"}
    if schema.get("type") == "array":
        items = _simple(schema.get("items"))
        known |= {"items", "minItems", "maxItems"} if items and not {"enum", "format"} & items.keys() else set()
    return schema if known.issuperset(schema) else {}


def _told(name: str, words: Words, examples: Shown, *, required: bool) -> _Reading | None:
    """True, false or left out, by the words that all examples of one have and none of the other: its name above all.

    Where nothing tells one of the two, at least half of what tells the other must be there.
    """
    requests: dict[Any, list[set[str]]] = {}
    for text, values in examples:
        value = values.get(name)
        if not (value is None or isinstance(value, bool)):
            return None
        requests.setdefault(value, []).append({form for form in text.forms if form[-1].isalnum()})
    if len(requests) != 2 or (required and None in requests):
        return None
    said = set(words.forms)
    score: dict[Any, tuple[bool, float]] = {}
    for value, texts in requests.items():
        others = itertools.chain.from_iterable(found for other, found in requests.items() if other != value)
        telling = set.intersection(*texts).difference(*others)
        named = bool(telling & said & set(name.casefold().split("_")))
        score[value] = named, len(telling & said) / len(telling) if telling else 0.4
    (one, first), (other, second) = score.items()
    if first == second:
        return _Reading(None) if None in requests else None
    value = one if first > second else other
    return _Reading(None if value is None else exactly(value), sure=value is not None)


def _named(name: str, words: Words) -> bool:
    """Whether the request speaks of the parameter by name."""
    return any(part in words.forms for part in name.casefold().split("_") if len(part) > 2)


# --- formula ----------------------------------------------------------------------------------------------------------

_NUMERAL = re.compile(r"\d+(?:\.\d+)?")
_OPERATORS = "+-*/"
_SPOKEN = {"plus": "+", "minus": "-", "times": "*", "multiplied by": "*", "divided by": "/"}
_MAX_NUMERALS = 4


def _formula(words: Words, shown: Shown) -> _Reading | None:
    """Numbers of the request with operators between them, if the examples are such or are copied ("20% of 50")."""
    made = [value for text, value in shown if not _is_stretch(text, value)]
    if not made or not all(isinstance(value, str) and _NUMERAL.search(value) for value in made):
        return None
    signs = {sign for value in made for sign in value if not sign.isdigit()} | set(_OPERATORS + "(). ")
    if any(sign.isalpha() for sign in signs):
        return None
    if written := _written_out(words.text, signs):
        spaced = any(" " in value for value in made)
        return _Reading(exactly(written if spaced else written.replace(" ", "")))
    if by_pattern := next(filter(None, (_by_pattern(words, *example) for example in shown)), None):
        return _Reading(exactly(by_pattern))
    numerals = [_numeral(value) for value in words.numbers().values()]
    if not 2 <= len(numerals) <= _MAX_NUMERALS:
        needs_two = all(len(text.numbers()) > 1 for text, _ in shown)
        alphabet = re.escape("".join(sorted(signs))).replace("/", "\\/")
        return _Reading(_quoted(f"/[0-9{alphabet}]{{1,40}}/"), least=float(needs_two and not numerals[1:]))
    operator = f" ({' | '.join(map(literal, [*sorted(signs - set('(). ')), '**']))}) "
    orders = sorted({operator.join(map(literal, order)) for order in itertools.permutations(numerals)})
    return _Reading(_quoted(" | ".join(orders)))


def _written_out(text: str, signs: set[str]) -> str:
    """The longest run of numbers and signs in a text that holds a sign between two numbers."""
    for spoken, sign in _SPOKEN.items():
        text = re.sub(rf"(?<=\d)\s+{spoken}\s+(?=-?\d)", f" {sign} ", text, flags=re.IGNORECASE)
    runs = re.findall(rf"[\d{re.escape(''.join(signs))}]+", text)
    whole = [run.strip().rstrip(".") for run in runs if re.search(r"\d\D*[^\d\s.]\D*\d", run)]
    return max(whole, key=len, default="")


def _by_pattern(words: Words, example: Words, value: str) -> str | None:
    """What an example does with the same words between its numbers, done with the numbers at hand.

    Only for what an operator cannot say: the numbers with the words between them, copied ("20% of 50"), or a formula
    with a number of its own ("50*20/100").
    """
    given, mine = list(example.numbers().values()), words.numbers()
    if len(given) != len(mine) or not _between(example) <= _between(words):
        return None
    if _is_stretch(example, value):
        return words.span(*_stretch(words))
    if {float(numeral) for numeral in _NUMERAL.findall(value)} <= set(given):
        return None
    new = dict(zip(map(float, given), map(_numeral, mine.values()), strict=True))
    return _NUMERAL.sub(lambda match: new.get(float(match[0]), match[0]), value)


def _stretch(words: Words) -> tuple[int, int]:
    """From the first number to the last."""
    where = list(words.numbers())
    return (where[0], where[-1] + 1) if where else (0, 0)


def _is_stretch(words: Words, value: Any) -> bool:
    begin, end = _stretch(words)
    return begin < end - 1 and words.span(begin, end) == value


def _between(words: Words) -> set[str]:
    """The words between the first number and the last."""
    begin, end = _stretch(words)
    return {form for form in words.forms[begin:end] if form != NUMBER}


def _numeral(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _quoted(inside: str) -> str:
    """A JSON string with this piece of grammar in it."""
    quote = literal('"')
    return f"{quote} ({inside}) {quote}"


# --- prefixed and reworded --------------------------------------------------------------------------------------------

_SEPARATOR = re.compile(r"[^\w\s]+")


def _prefixed(words: Words, shown: Shown, *, optional: bool) -> _Reading | None:
    """A made beginning before a piece of the request, if the examples are such; the whole, if the request holds it."""
    cuts = [_cut(text, value) for text, value in shown]
    made = [(text, value, cut) for (text, value), cut in zip(shown, cuts, strict=True) if cut]
    if not made or None in cuts:
        return None
    outlines = {_outline(value) for _, value, _ in made}
    if whole := next((word for word in words if _outline(word) in outlines), None):
        return _Reading(exactly(whole))
    habit = Habit.of([(text, _spoken(value[cut:])) for text, value, cut in made])
    places = list(habit.places(words, {"type": "string"})) if habit else []
    best = max((place.score for place in places), default=0.0)
    if best < (WANTED if optional else SURE):
        return _Reading(piece=None if optional else FREE, least=SURE)
    ends = dict.fromkeys(place.value for place in places if place.score == best)
    split = (re.fullmatch(r"(.*[^\w\s])(\w+)", value) for _, value in shown)
    return _Reading(prefixed=Prefixed(tuple((cut[1], _spoken(cut[2])) for cut in split if cut), tuple(ends)[:3]))


def _cut(words: Words, value: Any) -> int | None:
    """Where in a value without spaces its piece of the request begins; None if it does not end with one."""
    if not isinstance(value, str) or " " in value:
        return None
    cuts = [0, *(match.end() for match in _SEPARATOR.finditer(value))]
    return next((cut for cut in cuts if find(words, _spoken(value[cut:]))), None)


def _spoken(part: str) -> str:
    """A part of a value as people write it: `New_York` is "New York"."""
    return part.replace("_", " ")


def _outline(text: str) -> str:
    return re.sub(r"\w+", "w", text)


def _reworded(words: Words, shown: Shown) -> _Reading | None:
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
    usable = dict.fromkeys(word for word in words if word[-1].isalnum()) | strange
    signs = _OPERATORS if not shown and len(words.numbers()) > 1 else ""
    word = " | ".join(literal(exactly(word)[3:-3]) for word in usable)
    gap = " | ".join([literal(" "), *(literal(f" {sign} ") for sign in signs)])
    return _Reading(_quoted(f"({word}) (({gap}) ({word})){{0,{MAX_LENGTH}}}")) if word else None
