"""How a request goes that may hold tools: natively where the server reads calls, in words where it does not."""

from __future__ import annotations

from dataclasses import replace

from agentkit.core.events import Emit
from agentkit.core.messages import Assistant
from agentkit.models.dialects.prompted import Prompted, prompt_family
from agentkit.models.dialects.recovering import Reading, take_apart
from agentkit.models.model import Model, Request
from agentkit.models.workers_ai.catalogue import Tools
from agentkit.models.workers_ai.forced import Forced


def way(tools: Tools, wire: Model, name: str) -> Model:
    """The wire with what this way to offer tools puts around it.

    Args:
        tools: The way.
        wire: What sends one request as it is.
        name: The model's id.
    """
    if tools == "native":
        return _Native(wire)
    prompted = Prompted(wire, family=prompt_family(name).name)
    prompted.family = replace(prompted.family, system=True)  # the server's template knows where instructions go
    return prompted


class _Native:
    """The wire where the server reads tool calls: forced ones are looked for in the text, thoughts taken out of it."""

    def __init__(self, wire: Model) -> None:
        self._inner = Forced(wire)

    async def call(self, request: Request, emit: Emit | None = None) -> Assistant:
        """One answer."""
        return await take_apart(self._inner, request, emit, Reading())


class Said:
    """A wire whose answer is there already, as that of a batch.

    Attributes:
        asked: The request as it would go over the wire.
    """

    def __init__(self, answer: Assistant | None = None) -> None:
        self._answer = answer or Assistant()
        self.asked: Request | None = None

    async def call(self, request: Request, emit: Emit | None = None) -> Assistant:  # noqa: ARG002 - see `Model`
        """The answer."""
        self.asked = request
        return self._answer
