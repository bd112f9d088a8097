"""All that may be met in an answer, and what of a line says that a mark in it is only quoted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO

from agentkit.models.dialects import reasoning
from agentkit.models.dialects.dialect import Dialect
from agentkit.models.dialects.families import all_dialects, family_named
from agentkit.models.dialects.fence import ANYWHERE, FENCE, LAST, Fences
from agentkit.models.dialects.marks import Marks, compile_marks
from agentkit.models.dialects.reasoning import THOUGHTS, Thought
from agentkit.models.dialects.source import Source

OPENS_THOUGHT = {opener: thought for thought in THOUGHTS for opener in thought.openers if not thought.at_start}
LONE_CLOSERS = frozenset(reasoning.ANY.closers)
STOPS = frozenset(reasoning.STOPS)
MARKUP = frozenset(reasoning.MARKUP)
REOPENED = compile_marks(frozenset(OPENS_THOUGHT))
ALWAYS = frozenset(
    (*OPENS_THOUGHT, *LONE_CLOSERS, *STOPS, *MARKUP, *reasoning.ELEMENTS, *reasoning.ELEMENTS.values(), FENCE)
)
_FENCES: dict[Fences, tuple[Dialect, ...]] = {"whole": (), "last": (LAST,), "any": (ANYWHERE,)}


def _thought_at_start(src: Source) -> None:
    """Read the opening mark of a thought that opens only at the start of an answer."""
    for thought in THOUGHTS:
        if thought.at_start and src.take(*thought.openers):
            src.silent = True
            src.opens = thought
            return
    raise src.prose()


BEGINS_WITH_THOUGHT = Dialect(label="thought", read=_thought_at_start)


@dataclass(frozen=True, slots=True)
class Grammar:
    """All that may be met in an answer.

    Attributes:
        marks: Every mark, compiled.
        openers: The dialects that each opening mark may belong to.
        bare: The dialects that have none.
        closers: Marks that calls leave behind.
        quotes: The closing tag of each element that quotes.
    """

    marks: Marks
    openers: dict[str, tuple[Dialect, ...]]
    bare: tuple[Dialect, ...]
    closers: frozenset[str]
    quotes: dict[str, str]


@lru_cache(maxsize=64)
def grammar(
    family: str | None = None, *, markerless: bool = True, fences: Fences = "whole", calls: bool = True
) -> Grammar:
    """The grammar of a family's answers, or of everyone's.

    Args:
        family: The name of a family or of a model.
        markerless: Calls may stand without a mark, if they are the whole message.
        fences: Where a plain JSON fence is a call (`fence.py`).
        calls: There may be calls; else only thoughts.
    """
    dialects = () if not calls else all_dialects() if family is None else family_named(family).dialects
    dialects = (*dialects, *_FENCES[fences]) if dialects else ()
    dialects = tuple(dialect for dialect in dict.fromkeys(dialects) if markerless or not dialect.whole)
    openers: dict[str, tuple[Dialect, ...]] = {}
    for dialect in dialects:
        for opener in dialect.openers:
            openers[opener] = (*openers.get(opener, ()), dialect)
    closers = frozenset(closer for dialect in dialects for closer in dialect.closers)
    quotes = reasoning.QUOTES if calls else {}
    return Grammar(
        marks=compile_marks(frozenset((*ALWAYS, *openers, *closers, *quotes))),
        openers=openers,
        bare=(BEGINS_WITH_THOUGHT, *(dialect for dialect in dialects if not dialect.openers)),
        closers=closers,
        quotes=quotes,
    )


_TICKS = re.compile("(?<!`)``?(?!`)")  # of a code span; three are a fence
_PARTNERS = {"'": "'", "“": "”", "‘": "’", "«": "»", "„": "“"}


@lru_cache(maxsize=64)
def marks_in(thought: Thought) -> Marks:
    """What is looked for in a thought."""
    return compile_marks(frozenset((*thought.closers, *thought.stops, *STOPS)))


@lru_cache(maxsize=64)
def marks_in_quote(closer: str) -> Marks:
    """What is looked for in what is only quoted."""
    return compile_marks(STOPS | {closer})


class Line:
    """The current line as far as it goes; looked at only where a mark stands.

    Attributes:
        add: Takes text that was read and is for the user.
    """

    __slots__ = ("_last", "_quotes", "_start", "_ticks", "_unread", "add")

    def __init__(self) -> None:
        self._start, self._ticks, self._quotes, self._last = "", 0, 0, ""
        self._begin()

    def _begin(self) -> None:
        self._unread = StringIO()
        self.add = self._unread.write

    def _read(self) -> None:
        text = self._unread.getvalue()
        self._begin()
        newline = text.rfind("\n")
        if newline >= 0:
            self._start, self._ticks, self._quotes, self._last = "", 0, 0, "\n"
            text = text[newline + 1 :]
        if text:
            self._start = (self._start + text[:8])[:8]
            self._ticks += len(_TICKS.findall(text.lstrip("`") if self._last == "`" else text))
            self._quotes += text.count('"')
            self._last = text[-1]

    @property
    def is_blank(self) -> bool:
        """Whether nothing stands in it so far."""
        self._read()
        return not self._start.strip()

    def quotes_mark(self) -> bool:
        """Whether a mark here is only shown: in a code span, or in a quoted line."""
        self._read()
        return self._ticks % 2 == 1 or self._start.lstrip().startswith(">")

    def quotes_end_of_thought(self) -> bool:
        """The same of the end of a thought, of which the line may be part: the code span must begin just before it."""
        self._read()
        return self._ticks % 2 == 1 and self._last == "`"

    @property
    def quotation_mark(self) -> str:
        """What would end the quotation that a mark here stands in; "" when it stands in none."""
        self._read()
        return _PARTNERS.get(self._last, '"' if self._quotes % 2 == 1 else "")
