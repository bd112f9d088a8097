"""One request to Workers AI and how its answer is read; see `exchange.Turn`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from agentkit.core.messages import Assistant
from agentkit.errors import ModelError
from agentkit.models.chat_completions.encode import Encoded
from agentkit.models.chat_completions.errors import Fault, fault_of
from agentkit.models.chat_completions.tools import NO_TOOLS, Offered
from agentkit.models.http import Post, Reply, Timeouts, Transport
from agentkit.models.prices import Price, cost_usd
from agentkit.models.workers_ai.decode import NativeReader, read_body, require_something
from agentkit.models.workers_ai.errors import error_from_fault, hush, hushed

_KEPT_HEADERS = ("cf-aig-cache-status", "cf-aig-log-id", "cf-aig-step", "cf-aig-run-id")


@dataclass(slots=True, kw_only=True)
class Turn:
    """One request.

    Attributes:
        model: The model's id.
        write: The body, given whether it asks for a stream.
        url: Where to.
        headers: Of the request.
        secrets: Texts that no error may show.
        streams: Whether a stream may be asked for at all.
    """

    model: str
    write: Callable[[bool], Encoded]
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    streams: bool = True
    _offered: Offered = NO_TOOLS
    _asked_for_stream: bool = False

    def post(self, *, stream: bool, timeouts: Timeouts) -> Post:
        """The request."""
        self._asked_for_stream = stream = stream and self.streams
        encoded = self.write(stream)
        self._offered = encoded.offered
        headers = {**self.headers, "accept": "text/event-stream" if stream else "application/json"}
        return Post(url=self.url, headers=headers, body=encoded.body, timeouts=timeouts)

    def whole(self, body: bytes) -> Assistant:
        """The answer that a body is."""
        with hushed(self.secrets):
            answer = read_body(body, self._offered, self._blame, model=self.model)
        return require_something(answer) if self._asked_for_stream else answer

    def reader(self) -> NativeReader:
        """A reader for one event stream."""
        return NativeReader(self._offered, self._blame, model=self.model)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """The error that an answer with this status is."""
        return hush(error_from_fault(fault_of(body), status, headers), self.secrets)

    def _blame(self, fault: Fault) -> ModelError:
        return hush(error_from_fault(fault, 200, {}), self.secrets)


class Noting:
    """A transport that remembers the headers of the last answer, for what is said only there."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.headers: Mapping[str, str] = {}

    @asynccontextmanager
    async def send(self, post: Post) -> AsyncIterator[Reply]:
        """See `Transport`."""
        async with self._transport.send(post) as reply:
            self.headers = reply.headers
            yield reply

    async def aclose(self) -> None:
        """Nothing: the connections are those of the transport inside."""


def billed(answer: Assistant, headers: Mapping[str, str], model: str, price: Price | None = None) -> Assistant:
    """The answer with what its headers say (neurons, the gateway's words) and what it cost."""
    usage = answer.usage
    if usage.neurons is None and (neurons := _number(headers.get("cf-ai-neurons"))) is not None:
        usage = replace(usage, neurons=neurons)
    kept = {name: headers[name] for name in _KEPT_HEADERS if headers.get(name)}
    hit = kept.get("cf-aig-cache-status", "").upper() == "HIT"
    return replace(
        answer,
        usage=usage,
        cost_usd=0.0 if hit else cost_usd("workers-ai", model, usage, price=price),  # its cache costs nothing
        extra={**answer.extra, **kept},
    )


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "nan")
    except ValueError:
        return None
    return number if 0 <= number < 1e18 else None
