"""`Fallback`: when one model fails, the next one answers."""

from __future__ import annotations

from collections.abc import Iterable

from agentkit.core.events import Emit
from agentkit.core.messages import Assistant
from agentkit.errors import ModelError, UsageError
from agentkit.models.model import Model, Request
from agentkit.models.wrap.by_name import as_model
from agentkit.models.wrap.heard import Heard
from agentkit.models.wrapper import close, has_native_output, has_native_tools


class Fallback:
    """Models in the order in which they are asked.

    The next one is asked when one failed in a way that another may not: `try_another`, or `retryable` (its own retries
    are over by then). What the caller got wrong, and what every model would refuse, is raised at once.

    Attributes:
        models: The models, the preferred one first.
    """

    def __init__(self, models: Iterable[Model | str]) -> None:
        """Take the models.

        Args:
            models: Models, or names such as "openai:gpt-4o-mini"; one may stand there twice.

        Raises:
            UsageError: There is none, or something is no model.
        """
        if isinstance(models, str) or hasattr(models, "call"):
            raise UsageError("Fallback takes a list of models: Fallback(['openai:gpt-4o-mini', 'ollama:qwen3'])")
        self.models = tuple(map(as_model, models))
        if not self.models:
            raise UsageError("Fallback needs at least one model")

    @property
    def native_output(self) -> bool:
        """Whether every one of the models is known to enforce a JSON schema."""
        return all(map(has_native_output, self.models))

    @property
    def native_tools(self) -> bool:
        """Whether tools are declared to any of the models; else they are described to each in words."""
        return any(map(has_native_tools, self.models))

    async def call(self, request: Request, emit: Emit | None = None) -> Assistant:
        """The answer of the first model that has one; see `Model`.

        Raises:
            ModelError: The last model's, with a note for each that failed before it.
        """
        heard = None if emit is None else Heard(emit)
        others = iter(self.models)
        model = next(others)
        failed: list[str] = []
        while True:
            try:
                return await model.call(request, heard)
            except ModelError as error:
                another = next(others, None) if error.try_another or error.retryable else None
                if another is None:
                    for note in failed:
                        error.add_note(note)
                    raise
                failed.append(f"asked before: {model!r}: {type(error).__name__}: {error}")
                if heard is not None:
                    await heard.take_back(error)
            model = another

    async def aclose(self) -> None:
        """Close the connections of all the models in this event loop."""
        for model in self.models:
            await close(model)

    def __repr__(self) -> str:
        return f"Fallback({list(self.models)!r})"
