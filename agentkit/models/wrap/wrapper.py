"""What every model that wraps a model has."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from agentkit.core.events import Delta, Emit, ReasoningEvent, RetryEvent, TextEvent, ToolCallEvent
from agentkit.core.messages import Assistant
from agentkit.errors import UsageError
from agentkit.models.model import Model
from agentkit.models.providers import resolve_model


class Wrapper:
    """A model around a model.

    Attributes:
        inner: The model that is wrapped.
    """

    def __init__(self, model: Model | str) -> None:
        self.inner = as_model(model)

    @property
    def native_output(self) -> bool:
        """Whether the wrapped model is known to enforce a JSON schema."""
        return has_native_output(self.inner)

    @property
    def native_tools(self) -> bool:
        """Whether tools are declared to the wrapped model; else they are described to it in words."""
        return has_native_tools(self.inner)

    async def aclose(self) -> None:
        """Close the connections of the wrapped model in this event loop."""
        await close(self.inner)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.inner!r})"


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


async def play(answer: Assistant, emit: Emit) -> None:
    """Emit a whole answer: its thoughts, its text, its calls."""
    deltas: list[Delta] = [ReasoningEvent(answer.reasoning)] if answer.reasoning else []
    deltas += [TextEvent(answer.content)] if answer.content else []
    for delta in (*deltas, *map(ToolCallEvent, answer.tool_calls)):
        if (wait := emit(delta)) is not None:
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


async def close(model: Any) -> None:
    """Close what the model has open, if it has anything."""
    if hasattr(model, "aclose"):
        await model.aclose()


def has_native_output(model: Any) -> bool:
    """Whether the model says that it enforces a JSON schema."""
    return bool(getattr(model, "native_output", False))


def has_native_tools(model: Any) -> bool:
    """Whether tools are declared to the model, for all that it says."""
    return bool(getattr(model, "native_tools", True))
