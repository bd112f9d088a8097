"""What a tool is: what a model sees of it, what is called, and how it may be called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from agentkit.core.messages import ToolSpec
from agentkit.tooling.context import ToolContext

Prepare: TypeAlias = Callable[[ToolContext[Any], ToolSpec], ToolSpec | None]
"""The spec for one step: as it is, changed, or None to hide the tool."""

Spill: TypeAlias = Callable[[str], str]
"""Keeps a text that is too long for a model and returns the words that tell where it is."""

MAX_OUTPUT_CHARS = 50_000
"""About 12,000 tokens: more than a page of search results, less than what floods a context."""


class Validates(Protocol):
    """Checks a tool's arguments and makes the call from them."""

    def validate_json(self, text: str) -> dict[str, Any]:
        """The arguments as the function wants them.

        Raises:
            ValueError: They do not fit. What the user's own types raise may be anything.
        """
        ...

    def explain(self, error: Exception, parameters: Mapping[str, Any]) -> tuple[str, ...]:
        """What `validate_json` raised, one line a problem, for the model."""
        ...

    def bind(self, arguments: Mapping[str, Any], context: ToolContext[Any]) -> tuple[list[Any], dict[str, Any]]:
        """Positional and keyword arguments of the call."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class ToolDefinition:
    """All that planning and calling a tool needs.

    Attributes:
        spec: What a model sees.
        function: What is called.
        validator: Turns JSON text into the function's arguments.
        timeout_s: Seconds that one try may take; None for no limit.
        retries: How often a try that failed is repeated.
        idempotent: Calling twice is as calling once: it may be repeated after a timeout and after a crash.
        requires_approval: Whether a human is asked first; may depend on the arguments (by name, defaults included).
        sequential: Runs alone: after what was called before it, before what was called after it.
        max_output_chars: Longer results are cut in the middle; None for no limit.
        spill: Keeps the whole of a result that is cut, and tells the model where.
        max_calls: How many calls one turn may make; None for no limit.
        prepare: Hides (None) or changes the spec for one step.
        in_thread: The function is synchronous and runs in a thread.
        owner: The object whose bound method this is; calls to methods of one object run one after another.
        spends: A call spends from the budget of its run: it never starts before the answer that makes it is whole.
        unbound: A method that waits for its object: it cannot be used as a tool yet.
    """

    spec: ToolSpec
    function: Callable[..., Any]
    validator: Validates = field(repr=False)
    timeout_s: float | None = None
    retries: int = 0
    idempotent: bool = False
    requires_approval: bool | Callable[[dict[str, Any]], bool] = False
    sequential: bool = False
    max_output_chars: int | None = MAX_OUTPUT_CHARS
    spill: Spill | None = None
    max_calls: int | None = None
    prepare: Prepare | None = None
    in_thread: bool = field(default=True, repr=False)
    owner: object | None = field(default=None, repr=False)
    spends: bool = field(default=False, repr=False)
    unbound: bool = field(default=False, repr=False)

    @property
    def name(self) -> str:
        """The name that the model calls."""
        return self.spec.name
