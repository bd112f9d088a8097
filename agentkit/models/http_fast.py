"""The byte seam over aiohttp, the `fast` extra: the same behaviour at a third of the CPU, on asyncio, without proxies.

A pool of aiohttp finds a free connection without looking at all of them, and hands over what a read of the socket gave
in one piece: that is where the difference comes from. Certificates are trusted as httpx2 trusts them.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import AsyncGenerator
from types import ModuleType
from typing import TYPE_CHECKING

from agentkit.errors import MalformedResponse, ModelError, Unavailable, UsageError
from agentkit.models.http import (
    KEPT_ALIVE_S,
    MAX_CONNECTIONS,
    Post,
    Reply,
    StockTransport,
    Timeouts,
    Transport,
    current_loop,
    has_proxies,
    is_trio,
    origin,
)

if TYPE_CHECKING:
    import ssl

    import aiohttp

_LARGE_BYTES = 1_000_000
"""aiohttp warns of a larger body that is not sent piece by piece."""
_MAX_HEADER_BYTES = 65_536


def best_transport() -> Transport:
    """The fastest transport that serves here: aiohttp if it is installed, the loop is asyncio's and no proxy is set."""
    if is_trio(current_loop()) or has_proxies() or importlib.util.find_spec("aiohttp") is None:
        return StockTransport()
    return FastTransport()


class FastTransport:
    """Sends through aiohttp."""

    def __init__(self) -> None:
        import aiohttp  # noqa: PLC0415 - not before the first request

        self.library = aiohttp
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS, keepalive_timeout=KEPT_ALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=_MAX_HEADER_BYTES,
            max_field_size=_MAX_HEADER_BYTES,
        )
        self._tls: ssl.SSLContext | None = None
        self._timeouts: dict[Timeouts, aiohttp.ClientTimeout] = {}

    def send(self, post: Post) -> _Sent:
        """See `Transport`."""
        return _Sent(self, post)

    async def aclose(self) -> None:
        """Close all connections."""
        await self.session.close()

    def timeout(self, timeouts: Timeouts) -> aiohttp.ClientTimeout:
        """These timeouts as aiohttp's."""
        known = self._timeouts.get(timeouts)
        if known is None:
            known = self.library.ClientTimeout(sock_connect=timeouts.connect_s, sock_read=timeouts.idle_s)
            self._timeouts = {timeouts: known}  # one model mostly waits in one way
        return known

    def certificates(self, url: str) -> ssl.SSLContext | bool:
        """What the server's certificate is checked with."""
        if not url.startswith("https:"):
            return True
        tls = self._tls
        if tls is None:
            import httpx2  # noqa: PLC0415 - not before the first request

            self._tls = tls = httpx2.create_ssl_context()
        return tls


class _Sent:
    """One request and its reply; a generator would cost a tenth of the whole."""

    __slots__ = ("_chunks", "_post", "_response", "_transport")

    def __init__(self, transport: FastTransport, post: Post) -> None:
        self._transport = transport
        self._post = post

    async def __aenter__(self) -> Reply:
        transport, post = self._transport, self._post
        try:
            self._response = response = await transport.session.request(
                post.method,
                post.url,
                data=post.body if len(post.body) < _LARGE_BYTES else io.BytesIO(post.body),
                headers={"accept-encoding": "identity", **post.headers},
                timeout=transport.timeout(post.timeouts),
                ssl=transport.certificates(post.url),
                allow_redirects=False,
            )
        except (transport.library.ClientError, OSError, ValueError) as error:
            raise _told(transport.library, error, post) from error
        self._chunks = chunks = self._read(response)
        return Reply(status=response.status, headers=response.headers, chunks=chunks)

    async def __aexit__(self, *_: object) -> None:
        self._response.close()  # a connection whose answer was read to its end is in the pool already
        await self._chunks.aclose()

    async def _read(self, response: aiohttp.ClientResponse) -> AsyncGenerator[bytes]:
        try:
            async for chunk in response.content.iter_any():
                yield chunk
        except (self._transport.library.ClientError, OSError, ValueError) as error:
            raise _told(self._transport.library, error, self._post) from error


def _told(http: ModuleType, error: Exception, post: Post) -> ModelError | UsageError:
    """Our error for what aiohttp raised; a request or key never shows in it."""
    where, said = origin(post.url), " ".join(str(error).split()) or type(error).__name__
    match error:
        case http.ConnectionTimeoutError():
            return Unavailable(f"no connection to {where} within {post.timeouts.connect_s} s")
        case http.ServerTimeoutError():
            return Unavailable(f"{where} said nothing for {post.timeouts.idle_s} s")
        case http.ClientConnectorCertificateError():
            return Unavailable(f"the certificate of {where} is not trusted: {error}", retryable=False)
        case http.ClientConnectorError():
            return Unavailable(f"cannot connect to {where}: {error}")
        case http.InvalidURL() | http.NonHttpUrlClientError() | ValueError():
            return UsageError(f"the URL or a header for {where} is not legal: {error}")
        case _ if "content-encoding" in said:
            return MalformedResponse(f"the answer of {where} cannot be read: {said}")
        case _:
            return Unavailable(f"the connection to {where} broke off: {said}")
