"""Text -> JSON value, or not at all.

Servers and models write almost-JSON where JSON is due. This module reads it under four rules:

1. What strict JSON says, stands. Repair begins only where a strict parser fails.
2. Repair is done by one scanner that knows strings from structure. Nothing is replaced blindly and nothing
   is evaluated, so the inside of a string stays as it was written.
3. A cut is not a mistake. Text that ends inside a string, a number, a literal or before a value is never
   completed; at most one closing bracket is supplied, after a whole value.
4. Two answers are no answer: different objects in a row are refused, and so is prose beside the value.

What is repaired, and only this: blanks and markers (`</tool_call>`, `<|im_end|>`, a code fence) around the value;
raw control characters in strings; single, triple and smart quotes; escapes that JSON does not know (kept as
written); `True`, `False`, `None`, tuples and Python's number forms; unquoted keys; comments; a trailing comma; one
closing bracket too many or too few; an object that is repeated, or that follows an empty one.

Of a repeated key the last value counts, as in every JSON parser. Numbers that are not finite are refused, for JSON has
none. A lone surrogate becomes U+FFFD, for no wire can encode it. Time is linear, depth is bounded by `MAX_DEPTH`, and
the Python stack is not used for nesting.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

MAX_DEPTH = 200
"""Levels of nesting that are read. Deeper text is an attack or a loop."""
MAX_DIGITS = 3000
"""Characters of one number that are read in a repair: Python itself stops at 4300 digits."""

Reason: TypeAlias = Literal["empty", "truncated", "ambiguous", "number", "too_deep", "malformed"]


class JSONError(ValueError):
    """The text is no JSON value and cannot be repaired without guessing.

    Attributes:
        reason: `empty`, `truncated` (it stops in the middle), `ambiguous` (two different values), `number` (not finite,
            or too long), `too_deep` or `malformed`.
        position: Index of the character where reading failed.
    """

    def __init__(self, message: str, *, reason: Reason, position: int) -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.position = position


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
    start = _SPACE.match(text).end()  # type: ignore[union-attr]  # matches always
    if (whole := _strict(text, start)) and _SPACE.fullmatch(text, whole[1]):
        return Repaired(whole[0])
    scanner = _Scanner(text, truncated=truncated)
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
    scanner = _Scanner(text, _SPACE.match(text, start).end(), truncated=truncated)  # type: ignore[union-attr]
    value = scanner.value()
    return Scanned(value, scanner.at, bool(scanner.notes))


def kind_of(value: Any) -> str:
    """The JSON type of a value in words, with its article."""
    return _KINDS.get(type(value), "something that is no JSON")


_KINDS: dict[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    type(None): "null",
}

_SPACE = re.compile(r"[ \t\n\r]*+")
_BLANKS = re.compile(r"(?:[\s\ufeff]+|//[^\n]*|#[^\n]*|/\*(?s:.*?)(?:\*/|\Z))*+")
_MARKER = r"</?[|｜\w][^<>{}\"'\n]{0,60}>|</?[|｜\w▁: ]{0,60}\Z|\[/?[A-Z_]{3,20}\]"
_JUNK = rf"(?:[\s\ufeff;,]+|```|{_MARKER})*+"
_HEAD = re.compile(rf"(?:[\s\ufeff]+|```[\w+-]*|{_MARKER})*+")
_TAIL = re.compile(rf"{_JUNK}(?:[}}\])]{_JUNK})?")
_END = re.compile(rf"\Z|```|{_MARKER}")
_SURROGATE = re.compile(r"[\ud800-\udfff]|\\u[dD][89a-fA-F]")
_CONTROL = re.compile(r"[\x00-\x1f]")
_NUMBER = re.compile(r"[+-]?(?:[0-9]|\.[0-9])(?:[eE][+-]|[\w.])*+", re.ASCII)
_STRICT_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_FLOAT = re.compile(r"^(?![+-]?0[xX]).*[.eE]")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d]\w*+")
_KEY = re.compile(r"[\w$](?:[\w$.-])*+")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|U(00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4}))")

_ESCAPED = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_LITERALS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}
_CLOSER = {"{": "}", "[": "]", "(": ")"}
_CLOSING_QUOTES = {'"': '"', "'": "'", "“": "”“", "”": "”", "„": "”“", "‘": "’‘", "’": "’"}
_RUN = {quote: re.compile(rf"[^\\{closing}]*+") for quote, closing in _CLOSING_QUOTES.items()}


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return number


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


def _strict(text: str, at: int) -> tuple[Any, int] | None:
    """The strict JSON value at `at` and its end; None when there is none, or none that may be kept as it is."""
    try:
        value, end = _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None
    if (not text.isascii() or text.find("\\u", at, end) >= 0) and _SURROGATE.search(text, at, end):
        return None
    if text.count("[", at, end) + text.count("{", at, end) > MAX_DEPTH and not _is_shallow(value):
        return None
    return value, end


def _is_shallow(value: Any) -> bool:
    """Whether the value nests at most `MAX_DEPTH` levels."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return True
    return False


def _single(scanner: _Scanner) -> Any:
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
        elif value not in _EMPTY and _canonical(value) != _canonical(kept):
            raise JSONError("two different values stand in a row", reason="ambiguous", position=position)
    return kept


def _next(scanner: _Scanner) -> Any:
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


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)  # Python's own comparison holds 1, 1.0 and True for the same


class _Open:
    """An array, a tuple or an object that is not closed yet."""

    __slots__ = ("closer", "commas", "key", "members")

    def __init__(self, opener: str) -> None:
        self.closer = _CLOSER[opener]
        self.members: Any = {} if opener == "{" else []
        self.key = ""
        self.commas = 0

    def add(self, value: Any) -> None:
        if self.closer == "}":
            self.members[self.key] = value
        else:
            self.members.append(value)

    def close(self) -> Any:
        """The finished value; Python's `(x)` is x itself."""
        if self.closer == ")" and len(self.members) == 1 and not self.commas:
            return self.members[0]
        return self.members


class _Scanner:
    """Reads tolerant JSON from `text`, beginning at `at`, which moves on to the end of what was read."""

    __slots__ = ("at", "notes", "text", "truncated")

    def __init__(self, text: str, at: int = 0, *, truncated: bool) -> None:
        self.text = text
        self.at = at
        self.truncated = truncated
        self.notes: dict[str, None] = {}

    def note(self, what: str) -> None:
        self.notes[what] = None

    def skip(self, pattern: re.Pattern[str], note: str) -> None:
        """Move over what may stand here; anything but JSON's own white space is noted."""
        end = pattern.match(self.text, self.at).end()  # type: ignore[union-attr]  # matches always
        if end > self.at and not _SPACE.fullmatch(self.text, self.at, end):
            self.note(note)
        self.at = end

    def value(self) -> Any:
        """The value that begins here, without the help of the Python stack."""
        if self.text[self.at : self.at + 1] in ("{", "[") and (strict := _strict(self.text, self.at)):
            value, self.at = strict
            return value
        stack: list[_Open] = []
        while True:
            opener = self.text[self.at : self.at + 1]
            if opener in _CLOSER:
                stack.append(self._open(opener, depth=len(stack) + 1))
                if self._member_follows(stack[-1]):
                    continue
                value = stack.pop().close()
            else:
                value = self._scalar()
            while stack:
                stack[-1].add(value)
                if self._another_follows(stack, value):
                    break
                value = stack.pop().close()
            else:
                return value

    def _open(self, opener: str, *, depth: int) -> _Open:
        if depth > MAX_DEPTH:
            raise self.error("too_deep", f"nested deeper than {MAX_DEPTH} levels")
        if opener == "(":
            self.note("Python literal")
        self.at += 1
        return _Open(opener)

    def _member_follows(self, container: _Open) -> bool:
        """Move to the value of the next member, past its key; False at the closing bracket, which is consumed."""
        self.skip(_BLANKS, "comments or blanks")
        if self.text.startswith(container.closer, self.at):
            self.at += 1
            return False
        if container.closer == "}":
            container.key = self._key()
        return True

    def _another_follows(self, stack: list[_Open], value: Any) -> bool:
        """After a member: move to the value of the next one; False when the innermost container ends here."""
        container = stack[-1]
        end = self.at
        self.skip(_BLANKS, "comments or blanks")
        follows = self.text[self.at : self.at + 1]
        if follows == ",":
            self.at += 1
            container.commas += 1
            if self._member_follows(container):
                return True
            self.note("trailing comma" if container.closer != ")" else "Python literal")
            return False
        if follows == container.closer:
            self.at += 1
            return False
        if not _END.match(self.text, self.at):
            raise self.error("malformed", f'expected "," or "{container.closer}"')
        if len(stack) > 1 or self.truncated or self._is_cut(value, end):
            raise self._cut()
        self.note("missing bracket")
        return False

    def _is_cut(self, value: Any, end: int) -> bool:
        """Whether the text stops inside the number that ended at `end`, or inside a comment behind the value."""
        behind = self.text[end : self.at].strip()
        inside_number = end == len(self.text) and type(value) in (int, float)
        return inside_number or (self.at == len(self.text) and behind != "" and not behind.endswith("*/"))

    def _key(self) -> str:
        """The key of a member; moves past the colon to the value."""
        if self.text[self.at : self.at + 1] in _RUN:
            key = self._string()
        elif bare := _KEY.match(self.text, self.at):
            key, self.at = bare.group(), bare.end()
            self.note("unquoted key")
        else:
            raise self._unexpected("a key")
        self.skip(_BLANKS, "comments or blanks")
        if not self.text.startswith(":", self.at):
            raise self._unexpected('":"')
        self.at += 1
        self.skip(_BLANKS, "comments or blanks")
        return key

    def _scalar(self) -> Any:
        text, at = self.text, self.at
        if text[at : at + 1] in _RUN:
            return self._string()
        if _NOT_FINITE.match(text, at):
            raise self.error("number", "not a finite number")
        if number := _NUMBER.match(text, at):
            return self._number(number)
        word = _WORD.match(text, at)
        if not word:
            raise self._cut() if text[at : at + 2] in ("-", "+", ".") else self._unexpected("a value")
        if word.group() in ("r", "R", "u", "U") and text[word.end() : word.end() + 1] in ('"', "'"):
            self.at = word.end()
            self.note("Python literal")
            return self._string(raw=word.group() in "rR")
        if word.group() not in _LITERALS:
            inside = word.end() == len(text) and any(name.startswith(word.group()) for name in _LITERALS)
            raise self._cut() if inside else self._unexpected("a value")
        if word.group()[0].isupper():
            self.note("Python literal")
        self.at = word.end()
        return _LITERALS[word.group()]

    def _number(self, found: re.Match[str]) -> int | float:
        """A number in JSON's or in Python's form (`+1`, `1_000`, `0x1f`, `.5`), but no leading zeros."""
        digits, at_the_end = found.group(), found.end() == len(self.text)
        if not _STRICT_NUMBER.fullmatch(digits):
            self.note("number form")
        if len(digits) > MAX_DIGITS:
            raise self.error("number", "too long a number")
        number: int | float
        try:
            number = float(digits) if _FLOAT.search(digits) else int(digits, 0)
        except ValueError:
            raise (self._cut() if at_the_end else self.error("malformed", "not a number")) from None
        if isinstance(number, float) and not math.isfinite(number):
            raise self.error("number", "too large a number")
        self.at = found.end()
        return number

    def _string(self, *, raw: bool = False) -> str:
        """A string in any quotes; `raw` keeps its backslashes."""
        text, start = self.text, self.at
        quote = text[start]
        closer = quote * 3 if quote in "\"'" and text.startswith(quote * 3, start) else None
        run = _RUN[quote]
        parts: list[str] = []
        at = start + len(closer or quote)
        while True:
            end = run.match(text, at).end()  # type: ignore[union-attr]  # matches always
            parts.append(text[at:end])
            at = end
            if at >= len(text):
                raise self._cut()
            if text[at] == "\\":
                piece, at = (text[at : at + 2], at + 2) if raw else self._escape(at, quote)
            elif closer is None or text.startswith(closer, at):
                break
            else:
                piece, at = text[at], at + 1
            parts.append(piece)
        self.at = at + len(closer or quote)
        if quote != '"' or closer:
            self.note("quotes")
        if _CONTROL.search(text, start, at):
            self.note("control characters")
        return self._encodable("".join(parts), start)

    def _escape(self, at: int, quote: str) -> tuple[str, int]:
        """What an escape stands for, and where it ends. One that JSON does not know stays as written."""
        follows = self.text[at + 1 : at + 2]
        if follows in _ESCAPED:
            return _ESCAPED[follows], at + 2
        if code := _ESCAPE.match(self.text, at):
            if code[1] is None:
                self.note("escape")
            return chr(int(code[1] or code[2] or code[3], 16)), code.end()
        self.note("escape")
        if follows == "'" or (follows and follows in _CLOSING_QUOTES[quote]):
            return follows, at + 2
        return self.text[at : at + 2], at + 2

    def _encodable(self, string: str, start: int) -> str:
        """The string with its surrogate pairs joined and lone surrogates replaced."""
        if not _SURROGATE.search(self.text, start, self.at):
            return string
        joined = string.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        if joined.count("\ufffd") > string.count("\ufffd"):
            self.note("lone surrogate")
        return joined

    def _cut(self) -> JSONError:
        return self.error("truncated", "the text stops before its end")

    def _unexpected(self, expected: str) -> JSONError:
        if self.at >= len(self.text):
            return self._cut()
        return self.error("malformed", f"expected {expected}")

    def error(self, reason: Reason, message: str) -> JSONError:
        where = f" at character {self.at}"
        if self.at < len(self.text):
            where += f', near "{self.text[self.at : self.at + 20]}"'
        return JSONError(message + where, reason=reason, position=self.at)
