"""Deltas in, one assistant message out: the accumulator of every stream, whatever its wire.

To which call does a piece belong? Servers disagree, so the rules stand here, first match wins:

1. A piece with no id, no name and no arguments is an end marker, no call.
2. The index says where to look (a missing one: all calls so far). The id finds the call there, or elsewhere if the
   piece has no name; a piece without an id goes to the last one there. Nothing but arguments, where no call is or a
   whole one, goes on with the call of the piece before, unless that is whole: the index is wrong.
3. A piece with a name and another id than that call's begins a new call (two calls at one index).
4. Arguments that are a whole object cannot go on with another one: the same again is a repetition, `{}` was a
   placeholder, and anything else begins a new call.
5. A name that comes again is the same name, not a longer one; a name that goes on (`get_` + `weather`) is joined;
   another name after the arguments began is a new call.

A call is announced once, when its name is sure: its arguments begin, or the name is one of those offered and no
beginning of another, or the answer ends.

An answer is over when its end was said (`done`, or a finish reason with nothing after it). Everything else broke off,
and is no answer: `finish` raises. Of an answer that the server cut (token limit), the last call counts only if whole.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import StringIO
from typing import Any

from agentkit.core.events import Delta, ReasoningEvent, TextEvent, ToolCallEvent, ToolCallGrows, ToolCallReady
from agentkit.core.messages import NO_USAGE, Assistant, ToolCall, Usage
from agentkit.errors import MalformedResponse

FINISH_REASONS: Mapping[str, str] = {
    **dict.fromkeys(("end_turn", "eos", "eos_token", "stop_sequence", "complete"), "stop"),
    **dict.fromkeys(("model_length", "max_tokens", "max_output_tokens", "max_length", "token_limit"), "length"),
    **dict.fromkeys(("model_context_window_exceeded", "error_limit", "time_limit"), "length"),
    **dict.fromkeys(("function_call", "tool_call", "tool_use"), "tool_calls"),
    **dict.fromkeys(
        ("malformed_function_call", "unexpected_tool_call"), "tool_calls"
    ),  # Gemini, of a call that it lost
    **dict.fromkeys(("safety", "recitation", "prohibited_content", "blocklist", "spii"), "content_filter"),
    **dict.fromkeys(("sensitive", "refusal", "guardrail_intervened", "content_filtered"), "content_filter"),
    **dict.fromkeys(("error_toxic", "image_safety", "image_prohibited_content", "language"), "content_filter"),
    **dict.fromkeys(("insufficient_system_resource", "network_error", "abort", "aborted"), "error"),
    **dict.fromkeys(("cancelled", "canceled", "user_cancel"), "error"),
}
"""Other servers' words for the finish reasons of chat completions."""

LEAST_GROWTH = 32
"""Characters that the arguments of a call must have grown by to be told again, and then at least an eighth."""
MAX_LOOKS = 64
"""How often the arguments of one call are looked at while they grow, to see whether they are whole."""
MAX_DOUBTS = 64
"""How often the arguments of one call are read to see whether they are whole: it keeps hostile streams linear."""

CUT = frozenset({"length", "content_filter", "error"})
"""Finish reasons of an answer that is not whole."""
_SURROGATE = re.compile("[\ud800-\udfff]")


def new_call_id() -> str:
    """An id that no other call has, in this process or another one."""
    return "call_" + os.urandom(12).hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPiece:
    """What one delta says of a call; None or an empty text: nothing of this."""

    index: int | None = None
    id: str | None = None
    name: str | None = None
    arguments: str | None = None
    extra: Mapping[str, Any] | None = None


def is_whole_object(text: str) -> bool:
    """Whether the text is one complete JSON object."""
    if not text.rstrip().endswith("}"):
        return False
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def finish_reason_of(said: Any, *, has_calls: bool) -> str:
    """The finish reason in the words of chat completions; what is not known stays as it was said, in lower case."""
    reason = said.strip().lower().replace("-", "_") if isinstance(said, str) else ""
    reason, _, detail = reason.partition(": ")  # Gemini: `content_filter: RECITATION`
    reason = FINISH_REASONS.get(detail) or FINISH_REASONS.get(reason, reason)
    if has_calls and reason in {"", "stop"}:
        return "tool_calls"
    return reason or "stop"


def cut_off_last(calls: Sequence[ToolCall], finish_reason: str, last: int = -1) -> tuple[ToolCall, ...]:
    """The calls, where the `last` one counts as cut off if the answer was cut before it was whole."""
    if calls and finish_reason in CUT and not is_whole_object(calls[last].arguments):
        marked = list(calls)
        marked[last] = replace(calls[last], truncated=True)
        return tuple(marked)
    return tuple(calls)


def mended(text: str) -> str:
    """Text without lone surrogates: halves that belong together are joined, others replaced."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Prose:
    """Text that grows; a character that was cut in two (surrogates) waits for its other half."""

    __slots__ = ("_half", "_text", "_write")

    def __init__(self) -> None:
        self._text = StringIO()  # a list would keep each of a million pieces
        self._write = self._text.write
        self._half = ""

    @property
    def size(self) -> int:
        """Its characters so far."""
        return self._text.tell()

    @property
    def text(self) -> str:
        """All of it so far."""
        return self._text.getvalue()

    def add(self, piece: str) -> str:
        """Takes a piece and returns what can be shown now."""
        if self._half or not piece.isascii():
            piece = self._half + piece
            self._half = piece[-1] if "\ud800" <= piece[-1] <= "\udbff" else ""
            piece = mended(piece.removesuffix(self._half))
        self._write(piece)
        return piece

    def add_all(self, pieces: Sequence[str]) -> Iterable[str]:
        """Takes pieces and returns what can be shown of them now."""
        text = "".join(pieces)
        if self._half or mended(text) is not text:
            return filter(None, map(self.add, pieces))
        self._write(text)
        return filter(None, pieces)

    def close(self) -> str:
        """What is left to show: the replacement of a half that stayed alone."""
        rest, self._half = mended(self._half), ""
        self._write(rest)
        return rest


@dataclass(slots=True, kw_only=True)
class _Draft:
    """A call as it grows."""

    id: str
    index: int | None
    provider_id: str | None = None
    name: str = ""
    arguments: StringIO = field(default_factory=StringIO)
    extra: dict[str, Any] = field(default_factory=dict)
    announced: bool = False
    doubts: int = 0
    ready: bool = False
    looks: int = 0
    size: int = 0
    told: int = 0

    def grew(self, fragment: str) -> bool:
        """Whether the arguments grew enough with this fragment to be told again: seldom enough to stay linear."""
        self.size += len(fragment)
        if self.size - self.told < max(LEAST_GROWTH, self.told // 8):
            return False
        self.told = self.size
        return True

    def seems_whole(self, fragment: str) -> bool:
        """Whether the arguments became one object with this fragment: said once, and looked at a few times only."""
        if self.ready or self.looks == MAX_LOOKS or not fragment.rstrip().endswith("}"):
            return False
        self.looks += 1
        self.ready = is_whole_object(self.arguments.getvalue())
        return self.ready

    def is_whole(self) -> bool:
        """Whether the arguments are one object; asked in vain too often, it is no more looked at."""
        if not self.arguments.tell() or self.doubts == MAX_DOUBTS:
            return False
        whole = is_whole_object(self.arguments.getvalue())
        self.doubts += not whole
        return whole

    def call(self) -> ToolCall:
        """The call as it stands."""
        return ToolCall(
            id=self.id,
            name=self.name,
            arguments=mended(self.arguments.getvalue()),
            provider_id=self.provider_id,
            extra=self.extra or None,
        )


class _UsageTally:
    """Usage as servers stream it: once at the end, cumulative in every chunk, or as the difference since the last."""

    __slots__ = ("most", "parts", "summed")

    def __init__(self) -> None:
        self.summed = NO_USAGE
        self.most = NO_USAGE
        self.parts = False

    def add(self, usage: Usage) -> None:
        if usage.output_tokens and not usage.input_tokens and self.summed.input_tokens:
            self.parts = True  # a later chunk that counts no prompt counts only itself
        self.summed += usage
        self.most = _larger(self.most, usage)

    def total(self) -> Usage:
        return replace(self.summed if self.parts else self.most, requests=1)


def _larger(a: Usage, b: Usage) -> Usage:
    neurons = [n for n in (a.neurons, b.neurons) if n is not None]
    return Usage(
        input_tokens=max(a.input_tokens, b.input_tokens),
        output_tokens=max(a.output_tokens, b.output_tokens),
        cached_tokens=max(a.cached_tokens, b.cached_tokens),
        reasoning_tokens=max(a.reasoning_tokens, b.reasoning_tokens),
        neurons=max(neurons, default=None),
    )


class Assembler:
    """Puts an answer together from what a wire says piece by piece; each method returns the deltas to show.

    Args:
        offered: Names of the tools that were offered, as the wire knows them.

    Attributes:
        is_over: The answer is whole, although more may follow: a finish reason came, and nothing after it.
    """

    __slots__ = (
        *("_at", "_by_id", "_calls", "_damaged", "_last", "_offered"),
        *("_reason", "_text", "_thoughts", "_usage", "is_over"),
    )

    def __init__(self, offered: Collection[str] = ()) -> None:
        self._offered = offered
        self._text = Prose()
        self._thoughts = Prose()
        self._calls: list[_Draft] = []
        self._at: dict[int | None, list[_Draft]] = {}
        self._by_id: dict[tuple[int | None, str], _Draft] = {}  # by index and id, and by None and id
        self._last: _Draft | None = None  # the call that the last piece went to
        self._usage = _UsageTally()
        self._reason: Any = None
        self.is_over = False
        self._damaged = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing of an answer came yet."""
        return not (self._text.size or self._thoughts.size or self._calls)

    def text(self, piece: str) -> Sequence[Delta]:
        """A piece of the text for the user."""
        if not piece:
            return ()
        self.is_over = False
        return (TextEvent(shown),) if (shown := self._text.add(piece)) else ()

    def reasoning(self, piece: str) -> Sequence[Delta]:
        """A piece of the model's thoughts."""
        if not piece:
            return ()
        self.is_over = False
        return (ReasoningEvent(shown),) if (shown := self._thoughts.add(piece)) else ()

    def all_of(self, kind: type[TextEvent | ReasoningEvent], pieces: Sequence[str]) -> Sequence[Delta]:
        """Pieces of one or the other that came together."""
        prose = self._text if kind is TextEvent else self._thoughts
        self.is_over = self.is_over and not any(pieces)
        return list(map(kind, prose.add_all(pieces)))

    def call(self, piece: CallPiece) -> Sequence[Delta]:
        """A piece of a tool call."""
        if not (piece.id or piece.name or piece.arguments):
            return ()
        self.is_over = False
        draft = self._draft_of(piece)
        deltas: list[Delta] = []
        if draft is None:
            before = self._last
            if before is not None and not before.announced and before.name in self._offered:
                deltas.append(self._announce(before))
            draft = self._begin(piece)
        self._last = draft
        self._extend(draft, piece)
        if draft.name and not draft.announced and (draft.arguments.tell() or self._is_sure(draft.name)):
            deltas.append(self._announce(draft))
        if draft.announced and piece.arguments:
            if draft.seems_whole(piece.arguments):
                deltas.append(ToolCallReady(draft.call()))
            elif draft.grew(piece.arguments):
                deltas.append(ToolCallGrows(draft.call()))
        return deltas

    def usage(self, usage: Usage) -> None:
        """Tokens so far, or of this chunk, or of the whole answer."""
        self._usage.add(usage)

    def finish_reason(self, said: Any) -> None:
        """Why the answer ends; the last one counts."""
        self._reason = said
        self.is_over = True

    def done(self) -> None:
        """The server said that nothing follows."""
        self.is_over = True

    def damaged(self) -> None:
        """A piece could not be read: text may have a gap, calls are not to be trusted."""
        self._damaged = True

    def finish(self) -> tuple[Assistant, Sequence[Delta]]:
        """The answer, and the deltas that were held back.

        Raises:
            MalformedResponse: The stream was empty, broke off, or a piece of a call was lost.
        """
        if not self.is_over:
            raise MalformedResponse("the stream broke off before the answer was whole")
        if self._reason is None and self.is_empty:
            raise MalformedResponse("the stream ended without an answer")
        if self._damaged and self._calls:
            raise MalformedResponse("a piece of the stream could not be read, and the answer holds tool calls")
        deltas: list[Delta] = [ReasoningEvent(rest)] if (rest := self._thoughts.close()) else []
        deltas += [TextEvent(rest)] if (rest := self._text.close()) else []
        deltas += [self._announce(draft) for draft in self._calls if not draft.announced]
        reason = finish_reason_of(self._reason, has_calls=bool(self._calls))
        calls = [draft.call() for draft in self._calls]
        answer = Assistant(
            content=self._text.text,
            tool_calls=cut_off_last(calls, reason, self._calls.index(self._last) if self._last else -1),
            reasoning=self._thoughts.text,
            finish_reason=reason,
            usage=self._usage.total(),
        )
        return answer, deltas

    def _draft_of(self, piece: CallPiece) -> _Draft | None:
        """The call that the piece belongs to; None: it begins a new one (rules 2 to 5)."""
        draft, last = self._draft_at(piece), self._last
        if piece.id or piece.name or last is None or draft is last or not (piece.arguments or "").strip():
            return draft
        return last if last.name and (draft is None or draft.ready) and not last.is_whole() else draft

    def _draft_at(self, piece: CallPiece) -> _Draft | None:
        """The call that the index and the id of the piece speak of."""
        here = self._calls if piece.index is None else self._at.get(piece.index)
        if not here and not piece.name:
            here = self._at.get(None)  # the call began without an index
        if not here:
            return None
        draft = here[-1]
        if piece.id is not None and draft.provider_id not in {None, piece.id}:
            known = self._by_id.get((piece.index if piece.name else None, piece.id))
            if known is None and piece.name:
                return None
            draft = known or draft
        return None if self._begins_anew(draft, piece) else draft

    def _begins_anew(self, draft: _Draft, piece: CallPiece) -> bool:
        if piece.name and not self._joined_name(draft, piece.name):
            return True
        fragment = (piece.arguments or "").strip()
        if not (fragment.startswith("{") and draft.is_whole()):
            return False
        so_far = json.loads(draft.arguments.getvalue())
        return bool(so_far) and so_far != _parsed(fragment)

    def _joined_name(self, draft: _Draft, piece: str) -> str:
        """The name with one more piece; empty if the piece is the name of another call."""
        name, offered = draft.name, self._offered
        if not name or (piece == name and name in offered):
            return piece
        if name + piece in offered:
            return name + piece
        if draft.arguments.tell():
            return name if piece == name else ""
        if piece.startswith(name):  # the same again, or a name that comes longer each time
            return piece
        if name in offered and piece in offered:
            return ""
        return name + piece

    def _begin(self, piece: CallPiece) -> _Draft:
        draft = _Draft(id=new_call_id(), index=piece.index)
        before = self._last
        if not (piece.name or piece.id) and before is not None and piece.index == before.index and before.is_whole():
            draft.name = before.name  # an object after an object: the same tool once more
        self._calls.append(draft)
        self._at.setdefault(piece.index, []).append(draft)
        return draft

    def _extend(self, draft: _Draft, piece: CallPiece) -> None:
        if piece.id is not None and draft.provider_id is None:
            draft.provider_id = piece.id
            self._by_id[draft.index, piece.id] = self._by_id[None, piece.id] = draft
        if piece.name:
            draft.name = self._joined_name(draft, piece.name)
        if piece.extra:
            draft.extra.update(piece.extra)
        if not piece.arguments:
            return
        if piece.arguments.lstrip().startswith("{") and draft.is_whole():
            draft.arguments = StringIO()  # a placeholder, or the same again
        draft.arguments.write(piece.arguments)

    def _is_sure(self, name: str) -> bool:
        return name in self._offered and not any(o != name and o.startswith(name) for o in self._offered)

    def _announce(self, draft: _Draft) -> Delta:
        draft.announced = True
        return ToolCallEvent(draft.call())


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
