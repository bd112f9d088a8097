"""`EventStreamResponse`: a run as an ASGI application of one response."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Collection, Iterable, MutableMapping
from typing import Any, TypeAlias

import anyio

from agentkit.core.events import Event
from agentkit.web.sse import sse

Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

HEADERS = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # nginx would hold the events back
)


class EventStreamResponse:
    """Sends the events of a run: an ASGI application by itself, and what a Starlette endpoint may return.

    The run is cancelled when the client leaves.
    """

    def __init__(
        self,
        events: AsyncIterable[Event],
        *,
        kinds: Collection[str] | None = None,
        heartbeat_s: float = 15.0,
        headers: Iterable[tuple[bytes, bytes]] = (),
    ) -> None:
        """Take the events.

        Args:
            events: As for `sse`.
            kinds: As for `sse`.
            heartbeat_s: As for `sse`.
            headers: Further headers, names in lower case.
        """
        self._body = sse(events, kinds=kinds, heartbeat_s=heartbeat_s)
        self._headers = [*HEADERS, *headers]

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Answer one request."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_until_gone, receive, tasks.cancel_scope)
                await self._send(send)
                tasks.cancel_scope.cancel()
        except ExceptionGroup as group:  # what the server raised, as it raised it
            raise group.exceptions[0] from None

    async def _send(self, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self._headers})
            async for chunk in self._body:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except OSError:  # the client has gone, as a server may say
            return
        finally:
            await self._body.aclose()


async def _until_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
