"""An answer as it is taken apart: text for the user, thoughts, calls, and what a listener is told of them.

Text comes back to the letter where nothing was taken out of it. Where something was (a call, a thought, a stop token),
white space that only set it off goes with it: at the start and at the end of the text, not inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO
from uuid import uuid4

from agentkit.core.events import Delta, ReasoningEvent, RetryEvent, TextEvent, ToolCallEvent
from agentkit.core.messages import ToolCall
from agentkit.models.dialects.reasoning import STOPS
from agentkit.models.dialects.source import Found, dump

TAIL = 300
"""Characters of `Answer.tail`, at least."""
BETWEEN_THOUGHTS = "\n\n"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parsed:
    """An answer, taken apart. Two are equal when they say the same: the ids of calls do not count.

    Attributes:
        content: The text for the user.
        reasoning: The thoughts.
        calls: The calls, in order, each with `recovered` set to its dialect.
        cut_off: The answer ends inside a call, of which nothing is kept.
    """

    content: str = ""
    reasoning: str = ""
    calls: tuple[ToolCall, ...] = ()
    cut_off: bool = False

    @property
    def dialects(self) -> tuple[str, ...]:
        """The dialects of the calls, each once."""
        return tuple(dict.fromkeys(call.recovered for call in self.calls if call.recovered))

    def __eq__(self, other: object) -> bool:
        return self._said() == other._said() if isinstance(other, Parsed) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._said())

    def _said(self) -> tuple[object, ...]:
        calls = tuple((call.name, call.arguments, call.recovered) for call in self.calls)
        return (self.content, self.reasoning, calls, self.cut_off)


class Answer:
    """What was taken out of the text so far.

    Attributes:
        deltas: What the listener is to be told.
        cut_off: The text ended inside a call.
    """

    def __init__(self) -> None:
        self.deltas: list[Delta] = []
        self.cut_off = False
        self._content = StringIO()  # a list would keep each of a million pieces
        self._reasoning = StringIO()
        self._calls: list[ToolCall] = []
        self._id, self._count = uuid4().hex[:24], 0
        self._held: list[str] = []  # white space and stop tokens, until it is known what follows
        self._held_thought: list[str] = []
        self._stopped = False  # a stop token is among them
        self._new_thought = True
        self._after_thought = False
        self._taken_out = False

    @property
    def is_empty(self) -> bool:
        """Whether there is no text and no call so far."""
        return not (self._content.tell() or self._calls)

    @property
    def tail(self) -> str:
        """The last text for the user."""
        self._content.seek(max(0, self._content.tell() - TAIL))
        return self._content.read()

    @property
    def follows_thought(self) -> bool:
        """Whether a thought is all there is so far, and be it an empty one."""
        return self._after_thought and self.is_empty

    @property
    def has_thoughts(self) -> bool:
        """Whether there is reasoning so far."""
        return self._reasoning.tell() > 0

    def hand_out(self) -> list[Delta]:
        """The deltas since last time."""
        deltas, self.deltas = self.deltas, []
        return deltas

    def text(self, text: str) -> None:
        """Text for the user; white space at its end waits for what follows."""
        held, body = self._held, text.rstrip()
        if body:
            text = text[len(body) :]
            if self._taken_out and not self._content.tell():
                held.clear()
                body = body.lstrip()
            if held:
                held.append(body)
                body = "".join(held)
                held.clear()
                self._stopped = False
            self._content.write(body)
            self.deltas.append(TextEvent(body))
        if text:
            held.append(text)

    def stop(self, token: str) -> None:
        """A token that ends the answer, unless text follows."""
        self._held.append(token)
        self._stopped = True

    def stop_thought(self, token: str) -> None:
        """A token that ends the thought, unless more of it follows."""
        self._held_thought.append(token)

    def take_out(self) -> None:
        """Something that is no text stood here."""
        self._taken_out = True
        if self._stopped:
            self._held = ["".join(held for held in self._held if held not in STOPS)]
            self._stopped = False

    def call(self, found: Found, label: str) -> None:
        """A call."""
        self.take_out()
        self._count += 1
        call_id = f"{self._id}{self._count:08x}"
        call = ToolCall(id=call_id, name=found.name, arguments=dump(found.arguments), recovered=label)
        self._calls.append(call)
        self.deltas.append(ToolCallEvent(call))

    def thought(self, text: str) -> None:
        """Reasoning; white space around a thought is not part of it."""
        if self._new_thought:
            text = text.lstrip()
        body = text.rstrip()
        if body:
            if self._new_thought and self.has_thoughts:
                self._held_thought = [BETWEEN_THOUGHTS]
            self._new_thought = False
            self._think("".join((*self._held_thought, body)))
            self._held_thought = []
            text = text[len(body) :]
        if text and not self._new_thought:
            self._held_thought.append(text)

    def end_thought(self) -> None:
        """The thought is over."""
        self._held_thought = []
        self._taken_out = self._after_thought = self._new_thought = True

    def all_was_thought(self, text: str) -> None:
        """Everything so far was reasoning, though it did not look like it: `text` is how it was written."""
        void = self._is_heard() or any(isinstance(delta, RetryEvent) for delta in self.deltas)
        self._content = StringIO()
        self._calls.clear()
        self._held, self._stopped = [], False
        self.deltas = [delta for delta in self.deltas if isinstance(delta, ReasoningEvent)]
        if void:
            self.deltas = [RetryEvent("what looked like the answer was reasoning")]
            self.deltas += [ReasoningEvent(self._reasoning.getvalue())] if self.has_thoughts else []
        self._new_thought = True
        self.thought(text)
        self.end_thought()

    def _is_heard(self) -> bool:
        """Whether the listener has seen some of the text or of the calls."""
        waiting = sum(len(d.text) if isinstance(d, TextEvent) else isinstance(d, ToolCallEvent) for d in self.deltas)
        return waiting < self._content.tell() + len(self._calls)

    def end(self) -> None:
        """The text is over."""
        if not self._taken_out and not self._stopped and (left := "".join(self._held)):
            self._content.write(left)
            self.deltas.append(TextEvent(left))
        self._held = []

    def parsed(self) -> Parsed:
        """The answer as far as it came."""
        return Parsed(
            content=self._content.getvalue(),
            reasoning=self._reasoning.getvalue(),
            calls=tuple(self._calls),
            cut_off=self.cut_off,
        )

    def _think(self, text: str) -> None:
        self._reasoning.write(text)
        self.deltas.append(ReasoningEvent(text))
