"""What people and models write, as one Python expression.

`12x34`, `20% of 80`, `1,234 + 5`, `2^10`, `√16`, `5!`, `$3 × 4 =` and `math.sqrt(2)` all mean something to a reader.
This module says what, once and for all; the evaluator sees plain Python arithmetic. Where two readings are possible
and none is usual, the text is refused with the two ways to write it: a wrong number is worse than a question.

* `^` and `**` are powers; `×` `·` `*` multiply, and so does an `x` between two numbers; `÷` `/` divide.
* `%` is a modulo before a number, a name or a bracket (`17 % 5`), and a percentage everywhere else (`15%`,
  `20% of 80`, `50%*8`). Before a minus the spaces decide: `7 % -3` is a modulo, `50% - 3` is none, `7%-3` is refused.
  A percentage that is added or taken away is one of what stands before it: `200 + 15%` is 230.
* A comma separates arguments inside a function's brackets; elsewhere it groups thousands, and must do so correctly.
* `=` compares; a trailing `=` or `?` and a leading `=` are only politeness. Currency signs are left out.
* A missing multiplication sign is read as one, `2(3 + 4)`, but `6/2(1 + 2)`, after a division or a power, is refused.
* Names are not case-sensitive, and a `math.` before one is left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from agentkit.errors import ToolFailed

PERCENT = "_percent"
"""The function that a percent sign becomes. No text can name it: no name that is read begins with an underscore."""

MAX_DEPTH = 50
"""Brackets inside brackets."""

_SAME = str.maketrans(
    {
        **dict.fromkeys("×✕✖⋅·∙•∗", "*"),
        **dict.fromkeys("÷∕⁄", "/"),
        **dict.fromkeys("−–—‐‑﹣", "-"),
        "≤": "<=",
        "≥": ">=",
        "≠": "!=",
        "π": "pi",
        "τ": "tau",
    }
)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")

_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<=\d)[\u00a0\u2009\u202f](?=\d{3}(?!\d))"), ""),  # thousands kept together by a typesetter
    (re.compile(r"\bmath\.(?=[a-z])", re.IGNORECASE), ""),
    (re.compile(r"\b(?:multiplied\s+by|times)\b", re.IGNORECASE), "*"),
    (re.compile(r"\bdivided\s+by\b", re.IGNORECASE), "/"),
    (re.compile(r"\bplus\b", re.IGNORECASE), "+"),
    (re.compile(r"\bminus\b", re.IGNORECASE), "-"),
    (re.compile(r"√\s*(\d+(?:\.\d+)?)"), r"sqrt(\1)"),
    (re.compile("√"), "sqrt"),
    (re.compile(r"\(\s*\[([^\[\]]*)\]\s*\)"), r"(\1)"),  # sum([1, 2, 3])
)

_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<grouped>\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d,.]))
    | (?P<number>0[xX][0-9a-fA-F]+\b|0[bB][01]+\b|0[oO][0-7]+\b|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<name>[A-Za-z][A-Za-z0-9_]*)
    | (?P<operator>\*\*|//|<<|>>|[<>=!]=|[-+*/^<>=])
    | (?P<mark>[()%,!])
    """,
    re.VERBOSE,
)
_INTEGER = re.compile(r"\d+")
_THOUSANDS_IN_CALL = re.compile(
    r"[A-Za-z]\w*\s*\([^()]*(?:\d,0\d"  # f(1,000, 2): nobody writes a number like 000
    r"|\d,\d{3}(?!\d)[^()]*,\s|,\s[^()]*\d,\d{3}(?!\d))"  # f(1,234, 5): two sorts of commas
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_OPENING = re.compile(r"\s*\(")

_BINDS_TIGHTLY = frozenset({"/", "//", "%", "**"})
_SPELLING = {"^": "**", "=": "=="}
_DIGITS = ".0123456789"


def as_python(text: str, functions: Collection[str], constants: Collection[str]) -> str:
    """The Python expression that a text of arithmetic means: ASCII, balanced, known names only.

    Args:
        text: What somebody wrote.
        functions: Names that may be called.
        constants: Names that stand for a number.

    Raises:
        ToolFailed: The text has no one meaning; the message says what to write instead.
    """
    return _Reader(_plain(text), functions, constants).read()


def _plain(text: str) -> str:
    """The text with one character for one meaning."""
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+", lambda found: f"**({found[0].translate(_SUPERSCRIPTS)})", text)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text.translate(_SAME))
    text = "".join(_plain_character(character) for character in text)
    return text.strip().rstrip("=? \t\n").removeprefix("=").strip()


def _plain_character(character: str) -> str:
    if character.isascii():
        return "" if character == "$" else character
    if 0xFF01 <= ord(character) <= 0xFF5E:  # full-width forms of ASCII
        return _plain_character(chr(ord(character) - 0xFEE0))
    match unicodedata.category(character):
        case "Nd":
            return str(unicodedata.decimal(character))
        case "Sc" | "Cf":  # currency signs; invisible marks
            return ""
        case "Zs":
            return " "
        case _:
            return character


class _Reader:
    """Reads tokens from left to right and writes Python.

    `ended` says whether the last token ended an operand, which is all the grammar that is needed: operands and
    operators take turns. `start` is where that operand begins in `out`, for what stands behind it (`%`, `!`).
    """

    def __init__(self, text: str, functions: Collection[str], constants: Collection[str]) -> None:
        self.text = text
        self.functions = functions
        self.constants = constants
        self.position = 0
        self.out: list[str] = []
        self.ended = False
        self.start = 0
        self.open: list[tuple[int, bool]] = []
        """For each open bracket: where its operand begins in `out`, and whether a function's brackets are open."""

    def read(self) -> str:
        """The whole text, as Python."""
        if not self.text:
            raise ToolFailed("There is nothing to calculate. Write an expression such as 12*(3+4).")
        if _THOUSANDS_IN_CALL.search(self.text):
            raise ToolFailed(
                "Inside a function's brackets a comma separates numbers. Write thousands without one: max(1234, 5)."
            )
        while self.position < len(self.text):
            found = _TOKEN.match(self.text, self.position)
            if found is None:
                raise ToolFailed(_unreadable(self.text[self.position]))
            if found.lastgroup == "grouped" and self._in_call():
                found = _INTEGER.match(self.text, self.position) or found
            self.position = found.end()
            self._take(found.lastgroup or "number", found[0])
        if not self.ended:
            raise ToolFailed(f"The expression ends too early, after {self.out[-1]!r}.")
        if self.open:
            raise ToolFailed("A closing bracket is missing.")
        return " ".join(self.out)

    def _take(self, kind: str, token: str) -> None:
        match kind, token:
            case "space", _:
                return
            case (("number" | "grouped"), _):
                self._number(token.replace(",", "").replace("_", ""))
            case "name", _:
                self._name(token.lower())
            case _, "(":
                self._begin_operand("(")
                self._push_bracket(len(self.out), is_call=False)
            case _, ")":
                self._close()
            case _, "%":
                self._percent_or_modulo()
            case _, "!":
                self._factorial()
            case _, ",":
                self._comma()
            case _:
                self._operator(_SPELLING.get(token, token))

    def _in_call(self) -> bool:
        return bool(self.open) and self.open[-1][1]

    def _begin_operand(self, token: str) -> None:
        """An operand begins here; after another operand, a multiplication sign was left out."""
        if self.ended:
            if token[0] in _DIGITS and self.out[-1][0] in _DIGITS:
                raise ToolFailed(f"There is no operator between {self.out[-1]} and {token}.")
            self._multiply(f"the multiplication sign before {token!r}")

    def _multiply(self, what: str) -> None:
        before = self.out[self.start - 1] if self.start else ""
        if before in _BINDS_TIGHTLY:
            raise ToolFailed(f"After {before!r} the order is not clear: write {what}, and brackets where they belong.")
        self.out.append("*")
        self.ended = False

    def _end_operand(self, start: int) -> None:
        self.start = start
        self.ended = True

    def _number(self, token: str) -> None:
        self._begin_operand(token)
        self.out.append(re.sub(r"^0+(?=\d)", "", token))
        self._end_operand(len(self.out) - 1)

    def _name(self, name: str) -> None:
        if self.ended and self._word(name):
            return
        if name in self.functions:
            self._begin_operand(name)
            opening = _OPENING.match(self.text, self.position)
            if opening is None:
                raise ToolFailed(f"{name} is a function: write its numbers in brackets, as in {name}(2).")
            self.position = opening.end()
            self.out.append(name)
            self._push_bracket(len(self.out) - 1, is_call=True)
        elif name in self.constants:
            self._begin_operand(name)
            self.out.append(name)
            self._end_operand(len(self.out) - 1)
        else:
            raise ToolFailed(self._unknown(name))

    def _word(self, name: str) -> bool:
        """Whether the name is a word that stands between or behind operands."""
        if name == "percent":
            self._wrap(PERCENT)
        elif name == "of" and self.out[self.start] == PERCENT:
            self._multiply("brackets around the percentage")
        elif name == "mod":
            self._operator("%")
        elif name[0] == "x" and name not in self.functions:
            self.position -= len(name) - 1  # the rest of `x47` is read as if it stood alone
            self._operator("*")
        else:
            return False
        return True

    def _unknown(self, name: str) -> str:
        known = ", ".join([*sorted(self.constants), *sorted(self.functions)])
        return f"{name[:40]!r} is not known here. There are only numbers and these names: {known}."

    def _operator(self, token: str) -> None:
        if not self.ended and token not in {"+", "-"}:
            raise ToolFailed(f"There is no number before {token!r}.")
        if not self.ended and self.out and self.out[-1] in {"+", "-"}:
            token = "+" if token == self.out.pop() else "-"  # two signs are one: no text nests them without end
        self.out.append(token)
        self.ended = False

    def _push_bracket(self, start: int, *, is_call: bool) -> None:
        if len(self.open) >= MAX_DEPTH:
            raise ToolFailed(f"Brackets are nested deeper than {MAX_DEPTH}. Calculate the inner part first.")
        self.out.append("(")
        self.open.append((start, is_call or self._in_call()))
        self.ended = False

    def _close(self) -> None:
        if not self.open:
            raise ToolFailed("There is a closing bracket too many.")
        if not self.ended:
            raise ToolFailed(f"A number is missing before the closing bracket, after {self.out[-1]!r}.")
        self.out.append(")")
        self._end_operand(self.open.pop()[0])

    def _comma(self) -> None:
        if not self._in_call():
            raise ToolFailed(
                "Outside a function a comma can only group thousands, as in 1,234. Write decimals with a point: 1.5."
            )
        self._operator(",")

    def _percent_or_modulo(self) -> None:
        if not self.ended or self._is_modulo(self.text[: self.position - 1], self.text[self.position :]):
            self._operator("%")
        else:
            self._wrap(PERCENT)

    def _is_modulo(self, before: str, after: str) -> bool:
        """Whether a percent sign between these texts is an operator."""
        following = after.lstrip()
        if following[:1] == "-":
            if not (before[-1].isspace() or after[0].isspace() or following[1:2].isspace()):
                raise ToolFailed("'%-' has two readings. Write mod(7, -3), or 7% - 3 with spaces, as you mean it.")
            return before[-1].isspace() and not following[1:2].isspace()
        if (name := _NAME.match(following)) is not None:
            return name[0].lower() in self.functions or name[0].lower() in self.constants
        return following[:1].isdigit() or following[:1] in {"(", "."}

    def _factorial(self) -> None:
        if not self.ended or self.text.startswith("!", self.position):
            raise ToolFailed("'!' stands behind one number, as in 5!. Write factorial(5) for anything else.")
        self._wrap("factorial")

    def _wrap(self, function: str) -> None:
        """Puts the last operand into the brackets of a function."""
        self.out[self.start :] = [function, "(", *self.out[self.start :], ")"]


def _unreadable(character: str) -> str:
    if character in "\"'`":
        return "Text in quotes is not arithmetic. Write numbers, operators and functions only."
    return f"The character {character!r} has no meaning here. Write numbers, + - * / // % ^ ( ) and functions only."
