"""Plain chunks of a stream: one piece of text or of reasoning, and nothing else. Nearly all of them are.

Those of one answer differ in their text only, so they need not be parsed: a text without a quotation mark and a
backslash is a JSON string as it stands. What stands around it is learnt from two chunks in a row that agree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from agentkit.core.events import ReasoningEvent, TextEvent
from agentkit.models.sse import ErrorEvent

Kind: TypeAlias = type[TextEvent] | type[ReasoningEvent]

REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking", "reasoning_text")
KINDS: Mapping[str, Kind] = {"content": TextEvent, **dict.fromkeys(REASONING_FIELDS, ReasoningEvent)}
"""What a piece of each field is."""
LESSONS = 64
"""How often is learnt from a chunk: an answer whose chunks are all different is not held up."""

_AROUND = {name: re.compile(rb'(.*?"%s"\s*:\s*")[^"\\\n]*("[^\n]*)' % name.encode()) for name in KINDS}
_NOTHING: tuple[Any, ...] = (None, "", [])
_PROBE = "a text that no server sends"


def field_of(chunk: Any) -> str:
    """The field in which the text of a plain chunk stands; "" if the chunk says more."""
    try:
        [choice] = chunk["choices"]
        more = any(map(choice.get, ("index", "logprobs", "finish_reason", "usage", "error")))
        if more or any(map(chunk.get, ("usage", "error", "errors", "detail", "x_groq"))):
            return ""
        [(name, text)] = [(n, v) for n, v in choice["delta"].items() if n != "role" and v not in _NOTHING]
        return name if name in KINDS and type(text) is str else ""
    except (LookupError, TypeError, ValueError, AttributeError):
        return ""


class PlainChunks:
    """What was learnt of one stream.

    Args:
        loads: Reads JSON.

    Attributes:
        kind: What the texts are.
    """

    __slots__ = ("_before", "_head", "_lessons", "_loads", "_tail", "kind")

    def __init__(self, loads: Callable[[bytes], Any]) -> None:
        self._loads = loads
        self._head = self._tail = b""
        self._before = (b"", b"")  # what stood around the last text
        self._lessons = LESSONS
        self.kind: Kind = TextEvent

    def text(self, payload: bytes) -> str | None:
        """The text of a payload that is a chunk as it was learnt; None if it is to be parsed."""
        head, tail = self._head, self._tail
        if head and payload.startswith(head) and payload.endswith(tail) and type(payload) is bytes:
            try:
                text = payload[len(head) : -len(tail)].decode()
                if '"' not in text and "\\" not in text and len(payload) >= len(head) + len(tail):
                    return text
            except UnicodeDecodeError:
                pass
        return None

    def texts(self, payloads: Sequence[bytes]) -> list[str] | None:
        """The same of many, if all of them are; a look at all costs a third of a look at each."""
        head, tail = self._head, self._tail
        if not head:
            return None
        start, end = len(head), -len(tail)
        cut = [payload[start:end] for payload in payloads]
        texts = b"\n".join(cut)
        if b'"' in texts or b"\\" in texts or texts.count(b"\n") >= len(payloads) or ErrorEvent in map(type, payloads):
            return None
        if b"%b%b%b" % (head, (tail + b"\n" + head).join(cut), tail) != b"\n".join(payloads):
            return None
        try:
            return texts.decode().split("\n")
        except UnicodeDecodeError:
            return None

    def learn(self, payload: bytes, chunk: Any, name: str) -> None:
        """Remember what stands around the text of a plain chunk, if the same stood around the one before.

        Args:
            payload: As it came.
            chunk: The same, parsed.
            name: The field in which the text stands.
        """
        if not self._lessons:
            return
        self._lessons -= 1
        place = _AROUND[name].fullmatch(payload)
        head, tail = (place[1], place[2]) if place else (b"", b"")
        before, self._before = self._before, (head, tail)
        if head and (head, tail) == before:
            with suppress(ValueError):
                probe = self._loads(b"".join((head, _PROBE.encode(), tail)))  # is this the place of the text?
                [choice] = chunk["choices"]
                if probe == {**chunk, "choices": [{**choice, "delta": {**choice["delta"], name: _PROBE}}]}:
                    self._head, self._tail, self.kind = head, tail, KINDS[name]
