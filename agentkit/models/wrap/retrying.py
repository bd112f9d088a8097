"""`Retrying`: what may pass is tried again."""

from __future__ import annotations

from agentkit.core.events import Emit
from agentkit.core.messages import Assistant
from agentkit.errors import ModelError, UsageError
from agentkit.models.model import Model, Request
from agentkit.models.retrying import Retries
from agentkit.models.wrap.by_name import as_model
from agentkit.models.wrap.heard import Heard
from agentkit.models.wrapper import Wrapper


class Retrying(Wrapper):
    """A model that is asked again when its failure may pass (`ModelError.retryable`).

    Models of agentkit retry on their own (`ChatCompletions(..., retries=2)`), each try on the wire; this is for models
    that do not, and for whole constructions, such as a `Fallback`.

    Attributes:
        retries: When it is asked again.
    """

    def __init__(
        self,
        model: Model | str,
        tries: int = 3,
        *,
        first_delay_s: float = 0.5,
        max_delay_s: float = 8.0,
        max_wait_s: float = 60.0,
    ) -> None:
        """Take the model.

        Args:
            model: The model, or its name.
            tries: How often at most, the first try included.
            first_delay_s: The wait before the second try; it doubles with each one. A quarter of it is random.
            max_delay_s: The longest wait of our own choice.
            max_wait_s: The longest wait that a server may ask for (`retry_after_s`); beyond it the error is raised.

        Raises:
            UsageError: The model is none, or there is no first try.
        """
        super().__init__(as_model(model))
        if tries < 1:
            raise UsageError(f"Retrying(tries={tries!r}): the first try counts, give at least 1")
        self.retries = Retries(
            times=tries - 1, first_delay_s=first_delay_s, max_delay_s=max_delay_s, max_wait_s=max_wait_s
        )

    async def call(self, request: Request, emit: Emit | None = None) -> Assistant:
        """The answer of the first try that has one; see `Model`.

        Raises:
            ModelError: The last try's.
        """
        heard = None if emit is None else Heard(emit)

        async def again(error: ModelError) -> None:
            if heard is not None:
                await heard.take_back(error)

        return await self.retries.run(lambda: self.inner.call(request, heard), again)
