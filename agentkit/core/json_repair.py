r"""Text -> JSON value, or not at all.

Servers and models write almost-JSON where JSON is due. This module reads it under four rules:

1. What strict JSON says, stands. Repair begins only where a strict parser fails.
2. Repair is done by one scanner that knows strings from structure. Nothing is replaced blindly and nothing
   is evaluated, so the inside of a string stays as it was written.
3. A cut is not a mistake. Text that ends inside a string, a number, a literal or before a value is never
   completed; at most one closing bracket is supplied, after a whole value.
4. Two answers are no answer: different objects in a row are refused, and so is prose beside the value.

What is repaired, and only this: blanks, comments and markers (`</tool_call>`, `<|im_end|>`, a code fence) around the
value; raw control characters in strings; single, triple, smart and, inside, backward quotes; escapes that JSON does not
know (kept as written, but refused where they show that another one is none: `C:\Users\new`); `True`, `FALSE`, `None`,
tuples and Python's number forms; unquoted keys; comments; a trailing comma; one closing bracket too many, too few or of
the wrong kind, the latter two only where nothing else follows: `{"a": {"b": [1}, "c": 2}` would have two readings; an
object that is repeated, that follows an empty one, or whose quotes are escaped.

What others repair and this does not: a comma, a colon, a quote or a value that is missing; text without quotes; quotes
inside a text; `...`, `undefined`, `"a" + "b"` and calls. Each has several readings, or one that has to be computed.

Of a repeated key the last value counts, as in every JSON parser. Numbers that are not finite are refused, for JSON has
none. A lone surrogate becomes U+FFFD, for no wire can encode it. Time is linear, depth is bounded by `MAX_DEPTH`, and
the Python stack is not used for nesting.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from agentkit.core.json_scanner import COMMENT, MARKER, MAX_DEPTH, SPACE, JSONError, Reason, Scanner, strict_value
from agentkit.core.json_schema import NOUNS, type_of

__all__ = [
    "MAX_DEPTH",
    "JSONError",
    "Reason",
    "Repaired",
    "Scanned",
    "canonical",
    "kind_of",
    "repair",
    "repair_object",
    "scan_value",
]


@dataclass(frozen=True, slots=True)
class Repaired:
    """A JSON value that was read from text.

    Attributes:
        value: The value.
        notes: What had to be repaired, each kind once; empty when the text was strict JSON.
    """

    value: Any
    notes: tuple[str, ...] = ()

    @property
    def repaired(self) -> bool:
        """Whether the text was anything but strict JSON."""
        return bool(self.notes)


class Scanned(NamedTuple):
    """A value that stands somewhere in a text, and the index just after it."""

    value: Any
    end: int
    repaired: bool


def repair(text: str, *, truncated: bool = False) -> Repaired:
    """Read the one JSON value that is the whole text.

    Args:
        text: JSON, or what was meant to be JSON.
        truncated: The text is known to be cut off: not even a closing bracket is supplied.

    Raises:
        JSONError: There is no value, more than one, or only a part of one.
    """
    start = SPACE.match(text).end()  # type: ignore[union-attr]  # matches always
    if (whole := strict_value(text, start)) and SPACE.fullmatch(text, whole[1]):
        return Repaired(whole[0])
    if (unescaped := _unescaped(text)) is not None:
        inner = repair(unescaped, truncated=truncated)
        return Repaired(inner.value, ("double encoding", *inner.notes))
    scanner = Scanner(text, truncated=truncated)
    scanner.skip(_HEAD, "text around the value")
    if scanner.at == len(text):
        raise JSONError("there is no value", reason="empty", position=scanner.at)
    return Repaired(_single(scanner), tuple(scanner.notes))


def repair_object(text: str, *, truncated: bool = False) -> Repaired:
    """Read the one JSON object that is the whole text, also when it was encoded twice.

    Raises:
        JSONError: As `repair`; `malformed` also when the value is no object.
    """
    outer = repair(text, truncated=truncated)
    if isinstance(outer.value, dict):
        return outer
    if isinstance(outer.value, str):
        inner = repair(outer.value, truncated=truncated)
        if isinstance(inner.value, dict):
            return Repaired(inner.value, (*outer.notes, "double encoding", *inner.notes))
    raise JSONError(f"expected an object, got {kind_of(outer.value)}", reason="malformed", position=0)


def scan_value(text: str, start: int = 0, *, truncated: bool = False) -> Scanned:
    """Read the value that begins at `start` (blanks may precede it) and find its end by reading, not by searching.

    The value may be followed by anything. A marker (`<...`) or a fence counts as the end of the text, so that one
    closing bracket may be missing before it.

    Args:
        text: Any text.
        start: Where the value begins.
        truncated: The text is known to be cut off: not even a closing bracket is supplied.

    Raises:
        JSONError: No whole value begins there.
    """
    scanner = Scanner(text, SPACE.match(text, start).end(), truncated=truncated)  # type: ignore[union-attr]
    value = scanner.value()
    return Scanned(value, scanner.at, bool(scanner.notes))


def kind_of(value: Any) -> str:
    """The JSON type of a value in words, with its article."""
    return NOUNS.get(type_of(value), "something that is no JSON")


_JUNK = rf"(?:[\s\ufeff;,]+|`{{3,}}|{MARKER}|{COMMENT})*+"
_HEAD = re.compile(rf"(?:[\s\ufeff]+|`{{3,}}[\w+-]*|{MARKER})*+(?:(?:\s+|{COMMENT})*+(?=[{{\[]))?")
_TAIL = re.compile(rf"{_JUNK}(?:[}}\])]{_JUNK})?")
_HALF_ENCODED = re.compile(r'\s*\{\s*(?:\\[nrt]\s*)*\\"')


def _unescaped(text: str) -> str | None:
    r"""An object that is encoded twice but lost the quotes around it: `{\"a\": 1}`. None when this is none."""
    if not _HALF_ENCODED.match(text):
        return None
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return None


def _single(scanner: Scanner) -> Any:
    """The one value of the rest of the text: empty ones beside it and repetitions of it do not count.

    Accumulators of streams produce both: `{}{"a": 1}`, `{}""`, and the whole object sent again at the end.
    """
    kept = scanner.value()
    scanner.skip(_TAIL, "text around the value")
    while scanner.at < len(scanner.text):
        position = scanner.at
        value = _next(scanner)
        scanner.skip(_TAIL, "text around the value")
        scanner.note("repeated value")
        if kept in _EMPTY:
            kept = value if value not in _EMPTY else kept
        elif value not in _EMPTY and canonical(value) != canonical(kept):
            raise JSONError("two different values stand in a row", reason="ambiguous", position=position)
    return kept


def _next(scanner: Scanner) -> Any:
    """A further value. What follows a whole value and is none is no cut, unless it began like an object."""
    position = scanner.at
    try:
        return scanner.value()
    except JSONError as error:
        if error.reason == "truncated" and scanner.text[position] == "{":
            raise
        scanner.at = position
        raise scanner.error("malformed", "something follows the value") from None


_EMPTY: tuple[Any, ...] = ({}, "", None)


def canonical(value: Any) -> str:
    """The same text for the same value: Python's own comparison holds 1, 1.0 and True for the same."""
    return json.dumps(value, sort_keys=True)
