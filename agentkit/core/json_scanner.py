"""One tolerant reader of JSON values, which knows strings from structure. What it accepts: see `json_repair.py`.

Strict JSON is read by the standard library's parser. Where that fails, `Scanner` reads on its own, keeps a list of
what it had to overlook, and uses no Python stack for nesting.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Literal, TypeAlias

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


SPACE = re.compile(r"[ \t\n\r]*+")
"""JSON's white space."""

MARKER = r"</?[|｜\w][^<>{}\"'\n]{0,60}>|</?[|｜\w▁: ]{0,60}\Z|\[/?[A-Z_]{3,20}\]"
"""What chat templates put around values: `</tool_call>`, `<|im_end|>`, `[TOOL_CALLS]`; cut off at the end, too."""

COMMENT = r"//[^\n]*|#(?![^\s#!])[^\n]*|/\*(?s:.*?)(?:\*/|\Z)"
"""What JavaScript, Python and C take for one; but `#fff` and `#tag` are values that lost their quotes."""

_BLANKS = re.compile(rf"(?:[\s\ufeff]+|{COMMENT})*+")
_END = re.compile(rf"\Z|```|{MARKER}")
_LAST_CLOSERS = re.compile(rf"[}}\])][\s}}\])]*+(?:{_END.pattern})")
_SURROGATE = re.compile(r"[\ud800-\udfff]|\\u[dD][89a-fA-F]")
_CONTROL = re.compile(r"[\x00-\x1f]")
_NUMBER = re.compile(r"[+-]?(?:[0-9]|\.[0-9])(?:[eE][+-]|[\w.])*+", re.ASCII)
_STRICT_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_FLOAT = re.compile(r"^(?![+-]?0[xX]).*[.eE]")
_LEADING_ZERO = re.compile(r"[+-]?0[0-9_]")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d]\w*+")
_KEY = re.compile(r"[\w$](?:[\w$.-])*+")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|U(00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4}))")

_ESCAPES = re.compile(r"(?s)\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|U00[01][0-9a-fA-F]{5}|.)")
_PATH = re.compile(r"\S+|.*(?<![A-Za-z])[A-Za-z]:\\(?!\\).*", re.DOTALL)

_ESCAPED = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_LITERALS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}
_LITERALS |= {"TRUE": True, "FALSE": False, "NULL": None, "Null": None}
_CLOSER = {"{": "}", "[": "]", "(": ")"}
_CLOSING_QUOTES = {'"': '"', "'": "'", "“": "”“", "”": "”", "„": "”“", "‘": "’‘", "’": "’", "`": "`"}
_RUN = {quote: re.compile(rf"[^\\{closing}]*+") for quote, closing in _CLOSING_QUOTES.items()}


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return number


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


def strict_value(text: str, at: int) -> tuple[Any, int] | None:
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


class Scanner:
    """Reads tolerant JSON from `text`, beginning at `at`, which moves on to the end of what was read."""

    __slots__ = ("at", "notes", "text", "truncated")

    def __init__(self, text: str, at: int = 0, *, truncated: bool) -> None:
        self.text = text
        self.at = at
        self.truncated = truncated
        self.notes: dict[str, None] = {}

    def note(self, what: str) -> None:
        """Remember that this was overlooked."""
        self.notes[what] = None

    def skip(self, pattern: re.Pattern[str], note: str) -> None:
        """Move over what may stand here; anything but JSON's own white space is noted."""
        end = pattern.match(self.text, self.at).end()  # type: ignore[union-attr]  # matches always
        if end > self.at and not SPACE.fullmatch(self.text, self.at, end):
            self.note(note)
        self.at = end

    def value(self) -> Any:
        """The value that begins here, without the help of the Python stack."""
        if self.text[self.at : self.at + 1] in ("{", "[") and (strict := strict_value(self.text, self.at)):
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
            elif opener == "`" and not stack:  # Markdown's, around anything
                raise self._unexpected("a value")
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
        spare = not self.truncated and "missing bracket" not in self.notes
        if not (spare and _LAST_CLOSERS.match(self.text, self.at)):
            if not _END.match(self.text, self.at):
                raise self.error("malformed", f'expected "," or "{container.closer}"')
            if not spare or len(stack) > 1 or self._is_cut(value, end):
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
        if _LEADING_ZERO.match(digits):  # a code, or the rest of `1,000`
            raise self.error("malformed", "not a number")
        if at_the_end and not digits[-1].isalnum():
            raise self._cut()
        number: int | float
        try:
            number = float(digits) if _FLOAT.search(digits) else int(digits, 0)
        except ValueError:
            cut = at_the_end and digits[-1].isalpha()
            raise (self._cut() if cut else self.error("malformed", "not a number")) from None
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
        if "escape" in self.notes and not raw and _is_torn(text[start : self.at]):
            self.at = start
            raise self.error("malformed", r"write each backslash as \\; some of these could be escapes")
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
        """The error for the place where reading stands, with what stands there, on one line."""
        where = f" at character {self.at}"
        if self.at < len(self.text):
            near = self.text[self.at : self.at + 20]
            where += f', near "{"".join(c if c.isprintable() else " " for c in near)}"'
        return JSONError(message + where, reason=reason, position=self.at)


def _is_torn(written: str) -> bool:
    r"""Whether an escape of this string may be none, as its other backslashes are: in `C:\Users\new`, in `\bfoo\d`."""
    escapes = set(_ESCAPES.findall(written))
    turned = {one for one in escapes if len(one) > 1 or one in "bfnrt"}
    kept = escapes - turned - {*_ESCAPED, "'"}
    return bool(kept and (turned & {"b", "f"} or (turned and "".join(kept).isalnum() and _PATH.fullmatch(written))))
