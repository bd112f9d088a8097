"""What is heard of an answer while it streams: handed on to the listener, and remembered for the case of a cancel."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

from agentkit.core.events import (
    Delta,
    PartialEvent,
    ReasoningEvent,
    RetryEvent,
    TextEvent,
    ToolCallEvent,
    ToolCallGrows,
    ToolCallReady,
)
from agentkit.core.messages import Assistant, ToolCall
from agentkit.core.result import NO_OUTPUT
from agentkit.errors import UsageError
from agentkit.models.model import tell
from agentkit.runtime.run import Run

LEAST_GROWTH = 16
"""Characters that must have come before a typed output is read again, and then at least an eighth: it stays linear."""


class _Partials:
    """A typed output while it grows."""

    __slots__ = ("_last", "_next", "_read", "_size")

    def __init__(self, read: Callable[[str], Any]) -> None:
        self._read = read
        self.begin()

    def begin(self) -> None:
        """Forget what came."""
        self._last: Any = NO_OUTPUT
        self._size = 0
        self._next = LEAST_GROWTH

    def due(self, piece: str) -> bool:
        """Whether the text has grown enough with this piece to be read again."""
        self._size += len(piece)
        if self._size < self._next:
            return False
        self._next = self._size + max(LEAST_GROWTH, self._size // 8)
        return True

    def of(self, text: str) -> PartialEvent[Any] | None:
        """The output so far, if there is one, and another one than before."""
        value = self._read(text)
        if value is NO_OUTPUT or (type(value) is type(self._last) and value == self._last):
            return None
        self._last = value
        return PartialEvent(value)


class Heard:
    """Hands a model's deltas on to the listener and remembers what was said."""

    __slots__ = ("_announced", "_early", "_partials", "_run", "_said", "_text")

    def __init__(self, run: Run, *, last: bool) -> None:
        self._run = run
        self._early = None if last else run.early  # calls of the last request do not run
        self._announced: set[str] = set()
        self._said = False
        self._text = StringIO()  # a list would keep each of a million pieces
        output = run.task.output
        self._partials = None if output.begun is None else _Partials(output.partial)

    def __call__(self, delta: Delta) -> Any:
        """Take one delta; what it gives back, if anything, is to be awaited."""
        match delta:
            case TextEvent():
                self._said = True
                self._text.write(delta.text)
                if self._partials is not None:
                    return self._text_and_partial(delta)
            case ReasoningEvent():
                self._said = True
            case ToolCallEvent(call=call):
                if call.id in self._announced or not self._run.state.is_new(call.id):
                    return None  # it will be announced with the id that it gets
                self._announced.add(call.id)
            case ToolCallGrows():
                return self._partial_of(delta.call)
            case ToolCallReady():
                if self._early is not None:
                    self._early.start(delta.call)
                return self._partial_of(delta.call)
            case RetryEvent():
                self.discard()
            case _:
                raise UsageError(f"a model emits deltas such as TextEvent('Hello'), this one emitted {delta!r:.80}")
        listener = self._run.listener
        return listener(delta) if listener is not None else None

    @property
    def text(self) -> str:
        """The text since the last retry."""
        return self._text.getvalue()

    def _partial_of(self, call: ToolCall) -> Any:
        """Show what has come of a call that carries the output."""
        spec = self._run.task.output.spec
        if self._partials is None or spec is None or call.name != spec.name:
            return None
        partial = self._partials.of(call.arguments)
        return None if partial is None else self._run.show(partial)

    async def _text_and_partial(self, delta: TextEvent) -> None:
        """Show a piece of JSON text, then what it is so far."""
        await self._run.show(delta)
        partials = self._partials
        if partials is not None and partials.due(delta.text) and self._run.task.output.spec is None:
            partial = partials.of(self.text)
            if partial is not None:
                await self._run.show(partial)

    def discard(self) -> None:
        """What was heard did not come about."""
        self._said = False
        self._announced.clear()
        self._text = StringIO()
        if self._partials is not None:
            self._partials.begin()
        if self._early is not None:
            self._early.discard()

    async def complete(self, answer: Assistant) -> None:
        """Show what the model did not emit itself, so that every model streams."""
        if answer.reasoning and not self._said:
            await self._run.show(ReasoningEvent(answer.reasoning))
        if answer.content and not self._text.tell():
            await tell(self, [TextEvent(answer.content)])
        for call in answer.tool_calls:
            if call.id not in self._announced:
                await self._run.show(ToolCallEvent(call))
                await tell(self, [ToolCallGrows(call)])
