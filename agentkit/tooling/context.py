"""What a tool may know of the run that calls it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from agentkit.core.messages import ToolCall

Deps = TypeVar("Deps")

NO_CALL = ToolCall(id="", name="", arguments="{}")


def ignore(_value: Any) -> None:
    """Progress that nobody listens to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext(Generic[Deps]):
    """Handed to a parameter annotated `ToolContext`; the model neither sees it nor can send it.

    Attributes:
        deps: What the caller passed as `deps=`.
        call: The call that is being answered.
        step: The step of the turn, from 1; 0 outside a run.
        session: The session that the run is kept in, if any.
        progress: Reports a value to whoever listens; may be called from the tool's own thread. What it gives back, if
            anything, an async tool may await, so that it is no faster than its listener.
        run: The runtime's own handle, for agents that are tools. Opaque.
    """

    deps: Deps = None  # type: ignore[assignment]
    call: ToolCall = field(default=NO_CALL)
    step: int = 0
    session: str | None = None
    progress: Callable[[Any], Any] = ignore
    run: Any = None

    @property
    def idempotency_key(self) -> str:
        """The same for the same call, also when it runs again after a crash."""
        return self.call.id
