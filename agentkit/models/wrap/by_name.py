"""`Prompted` and `Recovering` around a model that may be given by its name.

The adapters themselves are wrapped by those of `dialects`, which therefore know no names.
"""

from __future__ import annotations

from agentkit.models import dialects
from agentkit.models.dialects.recovering import Recover
from agentkit.models.model import Model
from agentkit.models.wrap.wrapper import as_model


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
