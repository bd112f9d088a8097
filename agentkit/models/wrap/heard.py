"""What was heard of a model that failed has to be taken back before another try is heard."""

from __future__ import annotations

from collections.abc import Awaitable

from agentkit.core.events import Delta, Emit, RetryEvent


class Heard:
    """Hands deltas on, and knows whether a listener has some that would have to be taken back."""

    __slots__ = ("_emit", "_void")

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._void = False

    def __call__(self, delta: Delta) -> Awaitable[None] | None:
        """Take one delta; what it gives back, if anything, is to be awaited."""
        self._void = type(delta) is not RetryEvent
        return self._emit(delta)

    async def take_back(self, reason: object) -> None:
        """Say that the answer begins again, if anything was heard of it."""
        if self._void and (wait := self(RetryEvent(str(reason)))) is not None:
            await wait
