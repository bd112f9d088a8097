"""A position in a text that may still grow, and the three ways in which reading a call can end early.

A reader is a function that takes a `Source` standing just after a marker, reads calls into `source.calls` and leaves
`source.at` at their end. It touches the text only through the methods below, and these raise `NeedMore` as long as the
characters that are still to come could change their answer. That is why a parse does not depend on how the text was
cut.

    NeedMore   the text so far does not decide; read again when more has come
    NoCall     this is no call: the text up to `.end` stays text (`Prose`: the marker alone)
    CutOff     the text ends inside a call; nothing of it is completed
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from agentkit.core.json_repair import JSONError, repair_object, scan_value
from agentkit.core.messages import ToolSpec
from agentkit.models.dialects.reasoning import Thought
from agentkit.models.dialects.tools import Tools

LOOKAHEAD = 64
"""A fault this close to the end of a text that still grows is not judged yet: the end may be half a token."""

MAX_MARK = 80
"""Characters of the longest literal that is ever looked for."""
WINDOW = 4096
"""Characters in which a value is looked for first: a fault in them costs no more than that."""

_SPACE = re.compile(r"\s*+")
_WORD = re.compile(r"[\w./-]*+")
_MARKUP = ("<", "```", "[")


class NeedMore(Exception):
    """The text so far does not decide what this is."""


class NoCall(Exception):
    """What stands here is no call.

    Attributes:
        end: Where the text that is no call ends; None leaves it to whoever catches this.
        reached: How far reading came.
    """

    def __init__(self, *, reached: int, end: int | None = None) -> None:
        super().__init__()
        self.reached = reached
        self.end = end


class Prose(NoCall):
    """Nothing like a call begins here; the marker was only mentioned."""


class CutOff(Exception):
    """The text ends inside a call."""


class Found(NamedTuple):
    """A call that was read: the name is offered, the arguments are an object."""

    name: str
    arguments: dict[str, Any]


class Source:
    """A position in a text that may still grow.

    Attributes:
        text: The text so far.
        at: Index of the next character.
        final: No more text will come.
        truncated: The text is known to be cut off (token limit).
        tools: What was offered.
        calls: What readers have found since `begin`.
        rest: Text of the block that is no call and stays for the user.
        thought: Text of the block that is reasoning.
        silent: The block is no text, though there is no call in it.
        opens: The thought that begins after the block.
        over: What follows the block was made up by the model and is dropped.
    """

    __slots__ = (
        "_absent", "at", "calls", "final", "opens", "over", "rest", "silent", "text", "thought", "tools", "truncated",
    )  # fmt: skip

    def __init__(self, text: str, tools: Tools, *, final: bool = True, truncated: bool = False) -> None:
        self.text = text
        self.at = 0
        self.final = final
        self.truncated = truncated
        self.tools = tools
        self._absent: dict[str, int] = {}
        self.begin(0)

    def begin(self, at: int) -> None:
        """Stand at `at`, with nothing found."""
        self.at = at
        self.calls: list[Found] = []
        self.rest: list[str] = []
        self.thought = ""
        self.silent = False
        self.opens: Thought | None = None
        self.over = False

    def ended(self) -> bool:
        """Whether the text is over (not: over for now)."""
        if self.at < len(self.text):
            return False
        self.settle()
        return True

    def settle(self) -> None:
        """Go on only if no more text will come."""
        if not self.final:
            raise NeedMore

    def keep(self, spec: ToolSpec | None, arguments: dict[str, Any]) -> None:
        """Keep a call that ends here.

        Raises:
            NoCall: Its tool was not offered: all of it stays text.
        """
        if spec is None:
            raise self.no_call(end=self.at)
        self.calls.append(Found(spec.name, arguments))

    def no_call(self, *, end: int | None = None) -> NoCall:
        """What to raise when this is no call."""
        return NoCall(reached=self.at, end=end)

    def prose(self) -> Prose:
        """What to raise when the marker was only mentioned."""
        return Prose(reached=self.at)

    def sees(self, literal: str) -> bool:
        """Whether `literal` stands here.

        Raises:
            CutOff: The text ends inside it.
        """
        text, at = self.text, self.at
        if text.startswith(literal, at):
            return True
        if 0 <= len(text) - at < len(literal) and literal.startswith(text[at:]):
            self._half(at)
        return False

    def take(self, *literals: str) -> str:
        """Move past the one of the literals that stands here and return it; "" when none does.

        Raises:
            CutOff: The text ends inside one of them.
        """
        text, at = self.text, self.at
        for literal in literals:
            if text.startswith(literal, at):
                self.at = at + len(literal)
                return literal
        if len(text) - at < MAX_MARK:
            rest = text[at:]
            if any(literal.startswith(rest) for literal in literals):
                self._half(at)
        return ""

    def _half(self, at: int) -> None:
        """The text ends inside a literal, or before it."""
        if not self.final:
            raise NeedMore
        if at < len(self.text):
            raise CutOff

    def need(self, *literals: str) -> str:
        """Move past one of the literals.

        Raises:
            CutOff: The text ends first.
            NoCall: Something else stands here.
        """
        if taken := self.take(*literals):
            return taken
        raise CutOff if self.at >= len(self.text) else self.no_call()

    def space(self) -> None:
        """Move past white space."""
        if self.text[self.at : self.at + 1].strip():
            return
        self.past(_SPACE)

    def word(self) -> str:
        """Move past a name: letters, digits, `_`, `.`, `-` and `/`."""
        return self.past(_WORD)

    def past(self, pattern: re.Pattern[str]) -> str:
        """Move past what a pattern matches here, be it nothing, and return it."""
        start = self.at
        self.at = pattern.match(self.text, start).end()  # type: ignore[union-attr]  # matches always
        if self.at == len(self.text):
            self.settle()
        return self.text[start : self.at]

    def names_no_tool(self) -> bool:
        """Whether no name that was offered stands here, nor, in a text that still grows, the beginning of one."""
        word = _WORD.match(self.text, self.at).group()  # type: ignore[union-attr]  # matches always
        if self.final or self.at + len(word) < len(self.text):
            return self.tools.get(word) is None
        return not self.tools.may_become(word)

    def may_be_name(self) -> bool:
        """Whether the text ends inside a name that was offered."""
        return self.tools.may_become(self.text[self.at :])

    def until(self, *closers: str) -> str:
        """Move past the nearest of the closers and return the text before it.

        Raises:
            CutOff: There is none.
        """
        start = self.at
        if closer := self.skip_past(*closers):
            return self.text[start : self.at - len(closer)]
        raise CutOff

    def skip_past(self, *closers: str) -> str:
        """Move past the nearest of the closers and return it; "" when there is none."""
        found = [(at, closer) for closer in closers if (at := self.find(closer)) >= 0]
        if not found:
            self.settle()
            return ""
        at, closer = min(found)
        self.at = at + len(closer)
        return closer

    def find(self, literal: str) -> int:
        """`str.find` from here on; what the text does not hold is not searched for twice."""
        if self.at >= self._absent.get(literal, len(self.text) + 1):
            return -1
        at = self.text.find(literal, self.at)
        if at < 0:
            self._absent[literal] = self.at
        return at

    def value(self, *, closable: bool = False) -> Any:
        """Move past a JSON value (or a Python literal) and return it.

        Args:
            closable: The last bracket may be missing where markup follows, for all that matters stands before it.

        Raises:
            CutOff: The text ends inside the value.
            NoCall: This is no value.
        """
        try:
            value, end = self._scan()
        except JSONError as error:
            if error.reason == "truncated" or error.position >= len(self.text) - LOOKAHEAD:
                self.settle()
            if error.reason != "truncated":
                raise NoCall(reached=error.position) from None
            if not closable or self.truncated:
                raise CutOff from None
            return self._closed_by_markup()
        if end == len(self.text) and not isinstance(value, dict | list):
            self.settle()
        self.at = end
        return value

    def _scan(self) -> tuple[Any, int]:
        """The value that begins here and its end, looked for in ever more text.

        Raises:
            JSONError: There is none; `position` counts from the start of the text.
        """
        start, length = self.at, WINDOW
        while True:
            part = self.text[start : start + length]
            whole = start + length >= len(self.text)
            try:
                found = scan_value(part, truncated=True)
            except JSONError as error:
                if whole or (error.reason != "truncated" and error.position < length - LOOKAHEAD):
                    raise JSONError(str(error), reason=error.reason, position=start + error.position) from None
            else:
                if whole or found.end < length:
                    return found.value, start + found.end
            length *= 8

    def _closed_by_markup(self) -> Any:
        """The value whose last bracket is missing, if markup follows it: at a bare end it would be a guess."""
        try:
            found = scan_value(self.text, self.at)
        except JSONError:
            raise CutOff from None
        at = _SPACE.match(self.text, found.end).end()  # type: ignore[union-attr]  # matches always
        if not self.text.startswith(_MARKUP, at):
            raise CutOff
        self.at = found.end
        return found.value

    def arguments(self) -> dict[str, Any]:
        """Move past an object of arguments, also when it was encoded twice, and return it.

        Raises:
            CutOff: The text ends inside it.
            NoCall: This is no object.
        """
        if not self.sees("{") and not self.sees('"'):
            raise CutOff if self.at >= len(self.text) else self.no_call()
        value = self.value()
        if (arguments := as_arguments(value)) is None:
            raise self.no_call()
        return arguments


dump = json.JSONEncoder(ensure_ascii=False).encode
"""A value as JSON text, in the model's own script."""

Read: TypeAlias = Callable[[Source], None]


def as_arguments(value: Any) -> dict[str, Any] | None:
    """The object of arguments that a value stands for: itself, its JSON text, or nothing at all for none."""
    if isinstance(value, dict):
        return value
    if value is None or value == "":
        return {}
    if isinstance(value, str):
        try:
            return repair_object(value).value  # type: ignore[no-any-return]  # it is a dict
        except JSONError:
            return None
    return None
