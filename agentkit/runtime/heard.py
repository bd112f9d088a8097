"""What is heard of an answer while it streams: handed on to the listener, and remembered for the case of a cancel."""

from __future__ import annotations

from typing import Any

from agentkit.core.events import Delta, ReasoningEvent, RetryEvent, TextEvent, ToolCallEvent
from agentkit.core.messages import Assistant
from agentkit.runtime.run import Run


class Heard:
    """Hands a model's deltas on to the listener and remembers what was said.

    Attributes:
        texts: The pieces of text since the last retry.
    """

    __slots__ = ("_announced", "_run", "texts")

    def __init__(self, run: Run) -> None:
        self._run = run
        self._announced: set[str] = set()
        self.texts: list[str] = []

    def __call__(self, delta: Delta) -> Any:
        """Take one delta; what it gives back, if anything, is to be awaited."""
        match delta:
            case TextEvent():
                self.texts.append(delta.text)
            case ToolCallEvent():
                self._announced.add(delta.call.id)
            case RetryEvent():
                self.texts.clear()
            case _:
                pass
        listener = self._run.listener
        return listener(delta) if listener is not None else None

    async def complete(self, answer: Assistant) -> None:
        """Show what the model did not emit itself, so that every model streams."""
        if not self.texts:
            if answer.reasoning:
                await self._run.show(ReasoningEvent(answer.reasoning))
            if answer.content:
                await self._run.show(TextEvent(answer.content))
        for call in answer.tool_calls:
            if call.id not in self._announced:
                await self._run.show(ToolCallEvent(call))
