"""Models that may be given by their names, and `Prompted` and `Recovering` around them.

The adapters themselves are wrapped by those of `dialects`, which therefore know no names.
"""

from __future__ import annotations

from agentkit.errors import UsageError
from agentkit.models import dialects
from agentkit.models.dialects.recovering import Recover
from agentkit.models.model import Model
from agentkit.models.providers import resolve_model


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


class Prompted(dialects.Prompted):
    """A model that can call tools, made of one that cannot."""

    def __init__(self, model: Model | str, *, family: str | None = None) -> None:
        """Wrap a model, or the one of this name; see `dialects.Prompted`."""
        super().__init__(as_model(model), family=family)


class Recovering(dialects.Recovering):
    """A model whose answers are taken apart."""

    def __init__(
        self, model: Model | str, *, recover: Recover = "auto", family: str | None = None, reasoning: bool = False
    ) -> None:
        """Wrap a model, or the one of this name; see `dialects.Recovering`."""
        super().__init__(as_model(model), recover=recover, family=family, reasoning=reasoning)
