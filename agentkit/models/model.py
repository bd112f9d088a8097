"""What a model is: one method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from agentkit.core.events import Delta, Emit
from agentkit.core.messages import Assistant, Message, ToolSpec
from agentkit.core.settings import NO_SETTINGS, Settings


@dataclass(frozen=True, slots=True)
class OutputSchema:
    """The JSON that the answer's text should be.

    Attributes:
        name: A name for the schema (letters, digits, `_`, `-`).
        schema: JSON Schema of the answer.
    """

    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to a model.

    Attributes:
        messages: What the model is shown, oldest first. Instructions are the first `System` message.
        tools: The tools that are offered, in an order that stays.
        withheld: Tools that the history may mention and that may not be called now, for wires that want them declared.
        settings: Already merged: the agent's, then the run's. A model merges them over its own.
        output: The schema that the answer's text must meet, where the wire can ask for it.
        memo: A dict that lives as long as the run: a place to keep encoded messages and tools.
        session: A stable id of the conversation, for caches that want one.
    """

    messages: Sequence[Message]
    tools: Sequence[ToolSpec] = ()
    withheld: Sequence[ToolSpec] = ()
    settings: Settings = NO_SETTINGS
    output: OutputSchema | None = None
    memo: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)
    session: str | None = None


@runtime_checkable
class Model(Protocol):
    """A model answers a request. Adapters, wrappers and fakes all have this one method."""

    async def call(self, request: Request, emit: Emit | None = None) -> Assistant:
        """One answer, whole.

        Args:
            request: What to answer.
            emit: If given, the answer streams and each delta is handed to it, in order.

        Raises:
            ModelError: The model's side failed. Nothing of the answer is kept; deltas already emitted are void.
        """
        ...


async def tell(emit: Emit, deltas: Iterable[Delta]) -> None:
    """Hand deltas to a listener, each after it has taken the one before."""
    for delta in deltas:
        if (wait := emit(delta)) is not None:
            await wait
