"""What the models behind HTTP share: their connections, how long they wait, when they try again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any, Self

from agentkit.core.events import Emit
from agentkit.core.settings import Settings
from agentkit.errors import UsageError
from agentkit.models.http import ClientTransport, PerLoop
from agentkit.models.http_fast import best_transport
from agentkit.models.retrying import Retries

DEFAULT_TIMEOUT_S = 600.0
"""The longest wait for a whole answer."""

_NAMES = frozenset(f.name for f in fields(Settings))


class Connected:
    """A model with connections: one pool for each event loop, closed when the loop ends or by `aclose`."""

    def __init__(self, http_client: Any, retries: int | Retries) -> None:
        self._transport = PerLoop(best_transport) if http_client is None else ClientTransport(http_client)
        self._retries = retries if isinstance(retries, Retries) else Retries(times=retries)

    async def aclose(self) -> None:
        """Close the connections of this event loop; those of others close when their loops end."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def settings_of(given: Mapping[str, Any]) -> Settings:
    """The settings that these keyword arguments are.

    Raises:
        UsageError: A name is unknown; says which one is near.
    """
    for name in given.keys() - _NAMES:
        near = get_close_matches(name, _NAMES, n=1)
        hint = f"did you mean {near[0]}?" if near else "put what only this server knows into extra={...}"
        raise UsageError(f"unknown setting {name!r}: {hint}")
    return Settings(**given)


def limit_s(settings: Settings, emit: Emit | None) -> float | None:
    """Seconds for one try; a stream that goes on may take for ever, if the caller set no limit."""
    return settings.timeout_s or (DEFAULT_TIMEOUT_S if emit is None else None)
