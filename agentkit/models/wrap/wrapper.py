"""What the models that wrap models share: a model by its name, and a listener that may have to take back."""

from __future__ import annotations

from collections.abc import Awaitable

from agentkit.core.events import Delta, Emit, RetryEvent
from agentkit.errors import UsageError
from agentkit.models.model import Model
from agentkit.models.providers import resolve_model


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


def as_model(model: Model | str) -> Model:
    """The model, or the one that the string names.

    Raises:
        UsageError: It is neither a model nor the name of one.
    """
    if isinstance(model, str):
        return resolve_model(model)
    if isinstance(model, type) or not callable(getattr(model, "call", None)):
        raise UsageError(f"{model!r} is no model: give an object with `async def call(...)`, or 'provider:model'")
    return model
