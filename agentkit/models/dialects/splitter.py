"""Takes an answer apart while it streams: text, thoughts and calls.

The text is read once, from mark to mark. Between marks it goes out at once; from a mark that opens a call on it waits
until the call is whole, or turns out to be none. A block that is not whole yet is read again only as far as the text
that has come since pays for it, so that the work stays linear however the text is cut. What is decided never depends on
the cut: a reader decides only what no further text can change (`source.py`).

    mode        what the text is                                       until
    _answering  text for the user, in which marks are looked for       a mark
    _thinking   reasoning                                              its closing mark
    _quoting    text without marks: a code block, an echoed result     its closing mark
    _in_json    an answer in JSON, whose strings hold no marks         its last bracket
    _over       what the model made up after a call; dropped           the end
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from io import StringIO

from agentkit.core.events import Delta
from agentkit.models.assemble import Prose
from agentkit.models.dialects import reasoning as thoughts
from agentkit.models.dialects.answer import Answer, Parsed
from agentkit.models.dialects.dialect import Dialect
from agentkit.models.dialects.fence import FENCE, Fences, announces_a_sample
from agentkit.models.dialects.grammar import (
    LONE_CLOSERS,
    MARKUP,
    OPENS_THOUGHT,
    REOPENED,
    STOPS,
    Line,
    grammar,
    marks_in,
    marks_in_quote,
)
from agentkit.models.dialects.marks import Marks, compile_marks
from agentkit.models.dialects.source import CutOff, NeedMore, NoCall, Source
from agentkit.models.dialects.tools import Offered, Tools

SHORT = 256
"""A block of at most so many characters is read again whenever text comes."""
READINGS = 4
"""How many characters may be read again for each that comes,"""
CREDIT = 100_000
"""and how many more in all."""
FAR = 2000
"""A block that turns out to be no call only after so many characters counts against `PATIENCE`."""
PATIENCE = 16
"""After so many of those the rest is text: who writes so much that is no call, writes none."""
MARKS = 2000
"""After so many marks that open nothing the rest is text, too."""
LONE = 16
"""After so many closing marks of thoughts that nothing opened the rest is text, too."""
NAME_WITHIN = 300
"""Characters in which what is cut off must name a tool, to be a call where no mark says so."""

_SPACE = re.compile(r"\s*+")
_SETTLES = re.compile(r"[\]})>`\"'|\n]")
_JSON = re.compile(r"\{\s*[\"}]|\[\s*[\"\d{}\[\]]")
_MAY_BECOME_JSON = re.compile(r"[{\[]\s*")
_JSON_TOKEN = re.compile(r"\\(?s:.)|[\"{}\[\]]")
_FENCE = re.compile("`{3,8}")


class Splitter:
    """Takes one answer apart, chunk by chunk.

    Attributes:
        fed: All of its text so far.
    """

    def __init__(
        self,
        specs: Iterable[Offered] = (),
        *,
        reasoning: bool = False,
        markerless: bool = True,
        family: str | None = None,
        fences: Fences = "last",
    ) -> None:
        """Expect one answer.

        Args:
            specs: The tools that were offered. Without any, only thoughts are taken out.
            reasoning: The prompt ends inside a thought (its opening mark stands there).
            markerless: Calls may stand without a mark, if they are the whole message.
            family: The family of the model, or its name: only its dialects are read.
            fences: Where a plain JSON fence is a call: `whole`, `last` or `any` (`fence.py`).

        Raises:
            UsageError: No such family is known.
        """
        self._tools = Tools(specs)
        self._grammar = grammar(family, markerless=markerless, fences=fences, calls=bool(self._tools))
        self._answer = Answer()
        self._line = Line()
        self.fed = Prose()
        self._borders = [0, 0] if reasoning else [0]  # where in it thoughts begin and end; before the first one is void
        self._rest = StringIO()  # what is not decided yet
        self._waits, self._due, self._spent = False, False, -CREDIT
        self._patience, self._marks, self._lone = PATIENCE, MARKS, LONE
        self._begins, self._after_call, self._element_end = True, False, ""
        self._closer, self._depth, self._in_string = "", 0, False
        self._thought = thoughts.ANY
        self._mode = self._thinking if reasoning else self._answering
        self._parsed: Parsed | None = None
        self._flows: Callable[[str], object] | None = None  # finds what may be a mark; without one text just passes
        self._hand_on = self._text_on

    def feed(self, chunk: str) -> list[Delta]:
        """What the chunk brings to light: events of text, reasoning and calls, in order.

        A `RetryEvent` among them says that the text so far was reasoning: its opening mark stood in the prompt.
        """
        chunk = self.fed.add(chunk)
        if (flows := self._flows) is not None and not flows(chunk):
            self._hand_on(chunk)
        elif self._parsed is None:
            self._add(chunk)
            length = self._rest.tell()
            if not self._waits or length <= SHORT or (self._due and self._spent + length <= READINGS * self.fed.size):
                self._read(final=False)
        return self._answer.hand_out()

    @property
    def said(self) -> Parsed:
        """What was handed out so far."""
        return self._answer.parsed()

    def end(self, last: str = "", *, truncated: bool = False) -> list[Delta]:
        """The last events: what was waiting for more text.

        Args:
            last: The last chunk.
            truncated: The answer was cut off (token limit).
        """
        if self._parsed is not None:
            return []
        self._add(self.fed.add(last) + self.fed.close())
        self._read(final=True, truncated=truncated)
        self._answer.end()
        self._parsed = self._answer.parsed()
        return self._answer.hand_out()

    def finish(self, last: str = "", *, truncated: bool = False) -> Parsed:
        """The whole answer; ends it, unless `end` did.

        Args:
            last: The last chunk.
            truncated: The answer was cut off (token limit).
        """
        self.end(last, truncated=truncated)
        return self._parsed  # type: ignore[return-value]  # `end` has set it

    def _add(self, chunk: str) -> None:
        self._rest.write(chunk)
        self._due = self._due or bool(_SETTLES.search(chunk))

    def _read(self, *, final: bool, truncated: bool = False) -> None:
        text = self._rest.getvalue()
        self._spent += len(text) if self._waits else 0
        self._waits = self._due = False
        src = Source(text, self._tools, final=final, truncated=truncated)
        try:
            while src.at < len(text):
                self._mode(src)
        except NeedMore:
            pass  # `src.at` stands before what is not decided
        self._rest = StringIO()
        self._rest.write(text[src.at :])
        self._flows = None
        if src.at == len(text) and not final:
            self._flow()

    def _position(self, src: Source) -> int:
        """Where the source stands in all of the text."""
        return self.fed.size - len(src.text) + src.at

    def _flow(self) -> None:
        """Let text without marks pass from now on, where nothing else is asked of it."""
        if self._mode == self._answering and not self._begins:
            self._flows, self._hand_on = self._grammar.marks.near.search, self._text_on
        elif self._mode == self._quoting:
            self._flows, self._hand_on = marks_in_quote(self._closer).near.search, self._text_on
        elif self._mode == self._thinking and (self._answer.has_thoughts or self._thought is not thoughts.ANY):
            self._flows, self._hand_on = marks_in(self._thought).near.search, self._answer.thought

    # modes

    def _answering(self, src: Source) -> None:
        if self._begins:
            self._beginning(src)
        elif (mark := self._to_mark(src, self._grammar.marks, self._say)) and not self._at_mark(src, mark):
            self._say(src, src.at + len(mark))

    def _thinking(self, src: Source) -> None:
        thought = self._thought
        if thought is thoughts.ANY and not self._answer.has_thoughts and self._reopened(src):
            return
        mark = self._to_mark(src, marks_in(thought), self._ponder)
        if mark in thought.closers or mark in thought.stops:
            self._answer.end_thought()
            src.at += len(mark) if mark in thought.closers else 0
            self._borders.append(self._position(src))
            self._mode = self._answering
            self._begins = self._answer.is_empty and thought is not thoughts.HARMONY_ANALYSIS
        elif mark:
            self._answer.stop_thought(mark)
            src.at += len(mark)

    def _reopened(self, src: Source) -> bool:
        """Whether the model repeats the opening mark that stands in the prompt already."""
        src.at = _SPACE.match(src.text, src.at).end()  # type: ignore[union-attr]  # matches always
        if src.at == len(src.text):
            return True
        found = REOPENED.whole.match(src.text, src.at)
        if found is None:
            if not src.final and REOPENED.may_grow(src.text, src.at):
                raise NeedMore
            return False
        src.at = found.end()
        self._thought = OPENS_THOUGHT[found.group()]
        return True

    def _quoting(self, src: Source) -> None:
        mark = self._to_mark(src, marks_in_quote(self._closer), self._say)
        if mark in STOPS:
            self._stop(src, mark)
        elif mark:
            self._mode = self._answering
            self._say(src, src.at + len(mark))

    def _in_json(self, src: Source) -> None:
        end = src.at
        for token in _JSON_TOKEN.finditer(src.text, src.at):
            end = token.end()
            character = token.group()
            if character == '"':
                self._in_string = not self._in_string
            elif not self._in_string and len(character) == 1:
                self._depth += 1 if character in "{[" else -1
                if self._depth == 0:
                    self._mode = self._answering
                    self._say(src, end)
                    return
        escaped = not src.final and src.text.endswith("\\") and end < len(src.text)
        self._say(src, len(src.text) - escaped)
        if escaped:
            raise NeedMore

    def _over(self, src: Source) -> None:
        if self._to_mark(src, compile_marks(LONE_CLOSERS), self._drop):
            self._mode = self._answering

    def _to_mark(self, src: Source, marks: Marks, hand_on: Callable[[Source, int], None]) -> str:
        """Hand on the text before the next mark and return the mark; "" when there is none.

        Raises:
            NeedMore: The text may end inside a mark.
        """
        text = src.text
        found = marks.whole.search(text, src.at)
        end = found.start() if found else len(text)
        held = len(text) if src.final else marks.hold(text, src.at)  # a mark may stand inside of a longer one
        hand_on(src, min(end, held))
        if held <= end and held < len(text):
            raise NeedMore
        return found.group() if found else ""

    # the answer

    def _ponder(self, src: Source, end: int) -> None:
        """The text up to `end` is reasoning."""
        self._answer.thought(src.text[src.at : end])
        src.at = end

    def _say(self, src: Source, end: int) -> None:
        """The text up to `end` is for the user."""
        if end == src.at:
            return
        self._text_on(src.text[src.at : end])
        src.at = end

    def _text_on(self, text: str) -> None:
        self._answer.text(text)
        self._line.add(text)
        if self._after_call:
            self._after_call = not text.strip()

    def _drop(self, src: Source, end: int) -> None:
        """The text up to `end` is a mark."""
        self._answer.take_out()
        src.at = end

    def _stop(self, src: Source, mark: str) -> None:
        """A token that ends the answer, if nothing follows."""
        self._answer.stop(mark)
        src.at += len(mark)

    def _beginning(self, src: Source) -> None:
        """The start of the answer: here stands what needs no mark."""
        self._say(src, _SPACE.match(src.text, src.at).end())  # type: ignore[union-attr]  # matches always
        if src.at == len(src.text):
            return
        if self._try(src, self._grammar.bare):
            return
        if not src.final and _MAY_BECOME_JSON.fullmatch(src.text, src.at):
            raise NeedMore
        self._begins = False
        if _JSON.match(src.text, src.at):
            self._mode = self._in_json

    def _at_mark(self, src: Source, mark: str) -> bool:
        """Do what a mark asks for; False when it is text."""
        end = src.at + len(mark)
        if mark == FENCE:
            self._fence(src)
        elif (self._line.quotes_end_of_thought if mark in LONE_CLOSERS else self._line.quotes_mark)():
            return False
        elif thought := OPENS_THOUGHT.get(mark):
            self._answer.take_out()
            self._borders.append(self._position(src))
            src.at = end
            self._thought, self._mode = thought, self._thinking
        elif mark in LONE_CLOSERS:
            if self._lone == 0:
                return False
            self._all_was_thought(src, end)
        elif mark in MARKUP or (mark in self._grammar.closers and self._after_call):
            self._drop(src, end)
            self._begins = self._answer.is_empty
        elif mark in thoughts.ELEMENTS or mark in thoughts.ELEMENTS.values():
            return self._element(src, mark)
        elif mark in STOPS:
            self._stop(src, mark)
        elif not self._try(src, self._grammar.openers.get(mark, ()), mark):
            if mark not in self._grammar.quotes:
                return False
            self._say(src, end)
            self._closer, self._mode = self._grammar.quotes[mark], self._quoting
        return True

    def _all_was_thought(self, src: Source, end: int) -> None:
        """A closing mark that nothing opened: its opening mark stands in the prompt."""
        text, borders = self.fed.text, [*self._borders, self._position(src)]
        self._answer.all_was_thought("".join(text[a:b] for a, b in zip(borders[::2], borders[1::2], strict=True)))
        self._line = Line()
        self._begins, self._after_call = True, False
        src.at = end
        self._borders = [self._position(src)]
        self._lone -= 1
        if self._lone == 0:
            self._grammar = grammar(calls=False)

    def _element(self, src: Source, mark: str) -> bool:
        """The element around an answer that follows a thought."""
        opens = mark in thoughts.ELEMENTS
        if not (self._answer.follows_thought if opens else mark == self._element_end or self._after_call):
            return False
        self._element_end = thoughts.ELEMENTS.get(mark, "")
        self._drop(src, src.at + len(mark))
        return True

    def _fence(self, src: Source) -> None:
        """A code block: calls, where its label says so, else text in which nothing is a mark."""
        fence = _FENCE.match(src.text, src.at).group()  # type: ignore[union-attr]  # it stands here
        if src.at + len(fence) == len(src.text):
            src.settle()
        dialects = self._grammar.openers.get(fence, ())  # a longer one holds fences
        if dialects and announces_a_sample(self._answer.tail):
            dialects = tuple(dialect for dialect in dialects if not dialect.whole)
        if not self._try(src, dialects, FENCE):
            self._say(src, src.at + len(fence))
            self._closer, self._mode = fence, self._quoting

    # calls

    def _try(self, src: Source, dialects: Sequence[Dialect], mark: str = "") -> bool:
        """Read calls in one of the dialects; False when nothing of the kind begins here."""
        start = reached = src.at
        text_end, cut = 0, False
        for dialect in dialects:
            if dialect.line_start and not self._line.is_blank:
                continue
            src.begin(start if dialect.at_opener else start + len(mark))
            try:
                dialect.read(src)
                self._check(src, dialect)
            except NeedMore:
                src.at, self._waits = start, True
                raise
            except NoCall as no:
                text_end, reached = max(text_end, no.end or 0), max(reached, no.reached)
            except CutOff:
                if src.calls or src.thought:
                    self._answer.cut_off = True
                    src.at = len(src.text)
                    self._accept(src, dialect)
                    return True
                is_sure = bool(dialect.openers) and not dialect.doubtful
                cut = cut or is_sure or self._names_a_tool(src.text[start : start + NAME_WITHIN], mark)
            else:
                self._accept(src, dialect)
                return True
        src.at = start
        if dialects:
            self._lose_patience(reached - start)
        if text_end:
            self._say(src, text_end)
        elif cut:
            self._answer.cut_off = True
            self._drop(src, len(src.text))
        return bool(text_end) or cut

    def _check(self, src: Source, dialect: Dialect) -> None:
        """Refuse calls without a mark that are not the whole message, and calls that are quoted.

        Raises:
            NoCall: They are.
        """
        if dialect.whole:
            src.space()
            while src.take(*self._grammar.closers, *STOPS):
                src.space()
            if not src.ended():
                raise src.no_call(end=src.at)
        elif self._line.quotation_mark and not src.ended() and src.sees(self._line.quotation_mark):
            raise src.no_call(end=src.at)

    def _accept(self, src: Source, dialect: Dialect) -> None:
        if src.thought:
            self._answer.thought(src.thought)
            self._answer.end_thought()
        self._answer.take_out()
        for found in src.calls:
            self._answer.call(found, dialect.label)
        for text in src.rest:
            self._answer.text(text)
        self._begins, self._after_call = False, bool(src.calls)
        if src.opens:
            self._borders.append(self._position(src))
            self._thought, self._mode = src.opens, self._thinking
        elif src.over:
            self._mode = self._over

    def _names_a_tool(self, text: str, mark: str) -> bool:
        """Whether an offered name stands in a text, or begins where a mark ends that names go after."""
        begun = mark.endswith("=") and self._tools.may_become(text[len(mark) :].lstrip("\"' "))
        return begun or any(name in text for name in self._tools.names)

    def _lose_patience(self, characters: int) -> None:
        self._patience -= characters > FAR
        self._marks -= 1
        if self._patience <= 0 or self._marks <= 0:
            self._grammar = grammar(calls=False)


def parse(
    text: str,
    specs: Iterable[Offered] = (),
    *,
    reasoning: bool = False,
    markerless: bool = True,
    truncated: bool = False,
    family: str | None = None,
    fences: Fences = "last",
) -> Parsed:
    """Take a whole answer apart. The same text gives the same, whole or fed to a `Splitter` in pieces.

    Args:
        text: The answer as the model wrote it.
        specs: The tools that were offered: nothing else is ever a call.
        reasoning: The prompt ends inside a thought (its opening mark stands there).
        markerless: Calls may stand without a mark, if they are the whole message.
        truncated: The answer was cut off (token limit).
        family: The family of the model, or its name: only its dialects are read.
        fences: Where a plain JSON fence is a call: `whole`, `last` or `any` (`fence.py`).

    Raises:
        UsageError: No such family is known.
    """
    splitter = Splitter(specs, reasoning=reasoning, markerless=markerless, family=family, fences=fences)
    return splitter.finish(text, truncated=truncated)
