"""What is heard of an answer while it streams: handed on to the listener, and remembered for the case of a cancel."""

from __future__ import annotations

from typing import Any, assert_never

from agentkit.core.events import Delta, ReasoningEvent, RetryEvent, TextEvent, ToolCallEvent, ToolCallReady
from agentkit.core.messages import Assistant
from agentkit.runtime.run import Run


class Heard:
    """Hands a model's deltas on to the listener and remembers what was said.

    Attributes:
        texts: The pieces of text since the last retry.
    """

    __slots__ = ("_announced", "_run", "_said", "texts")

    def __init__(self, run: Run) -> None:
        self._run = run
        self._announced: set[str] = set()
        self._said = False
        self.texts: list[str] = []

    def __call__(self, delta: Delta) -> Any:
        """Take one delta; what it gives back, if anything, is to be awaited."""
        match delta:
            case TextEvent():
                self._said = True
                self.texts.append(delta.text)
            case ReasoningEvent():
                self._said = True
            case ToolCallEvent():
                self._announced.add(delta.call.id)
            case ToolCallReady():
                if self._run.early is not None:
                    self._run.early.start(delta.call)
                return None
            case RetryEvent():
                self.discard()
            case unknown:
                assert_never(unknown)
        listener = self._run.listener
        return listener(delta) if listener is not None else None

    def discard(self) -> None:
        """What was heard did not come about."""
        self._said = False
        self.texts.clear()
        if self._run.early is not None:
            self._run.early.discard()

    async def complete(self, answer: Assistant) -> None:
        """Show what the model did not emit itself, so that every model streams."""
        if not self._said:
            if answer.reasoning:
                await self._run.show(ReasoningEvent(answer.reasoning))
            if answer.content:
                await self._run.show(TextEvent(answer.content))
        for call in answer.tool_calls:
            if call.id not in self._announced:
                await self._run.show(ToolCallEvent(call))
