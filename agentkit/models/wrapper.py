"""What every model that wraps a model has; it knows no names of models, so that the adapters can wrap, too."""

from __future__ import annotations

from typing import Any

from agentkit.models.model import Model


class Wrapper:
    """A model around a model.

    Attributes:
        inner: The model that is wrapped.
    """

    def __init__(self, model: Model) -> None:
        self.inner = model

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
