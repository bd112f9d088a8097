"""The byte seam over aiohttp, the `fast` extra: the same behaviour at a third of the CPU, on asyncio, without proxies.

A pool of aiohttp finds a free connection without looking at all of them, and hands over what a read of the socket gave
in one piece: that is where the difference comes from. Certificates are trusted as httpx2 trusts them.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from agentkit.errors import MalformedResponse, Unavailable, UsageError
from agentkit.models.http import (
    KEPT_ALIVE_S,
    MAX_CONNECTIONS,
    Post,
    Reply,
    StockTransport,
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

        self._aiohttp = aiohttp
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS, keepalive_timeout=KEPT_ALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("accept-encoding",),
            max_line_size=_MAX_HEADER_BYTES,
            max_field_size=_MAX_HEADER_BYTES,
        )
        self._tls: ssl.SSLContext | None = None

    @asynccontextmanager
    async def send(self, post: Post) -> AsyncIterator[Reply]:
        """See `Transport`."""
        timeouts = post.timeouts
        timeout = self._aiohttp.ClientTimeout(sock_connect=timeouts.connect_s, sock_read=timeouts.idle_s)
        with self._explained(post):
            response = await self._session.request(
                post.method,
                post.url,
                data=post.body if len(post.body) < _LARGE_BYTES else io.BytesIO(post.body),
                headers=post.headers,
                timeout=timeout,
                ssl=self._certificates(post.url),
                allow_redirects=False,
            )
        chunks = self._chunks(response, post)
        try:
            yield Reply(status=response.status, headers=response.headers, chunks=chunks)
        finally:
            response.close()  # a connection whose answer was read to its end is in the pool already
            await chunks.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._session.close()

    def _certificates(self, url: str) -> ssl.SSLContext | bool:
        if not url.startswith("https:"):
            return True
        tls = self._tls
        if tls is None:
            import httpx2  # noqa: PLC0415 - not before the first request

            self._tls = tls = httpx2.create_ssl_context()
        return tls

    async def _chunks(self, response: aiohttp.ClientResponse, post: Post) -> AsyncGenerator[bytes]:
        with self._explained(post):
            async for chunk in response.content.iter_any():
                yield chunk

    @contextmanager
    def _explained(self, post: Post) -> Iterator[None]:
        """Turns what aiohttp raises into our errors; a request or key never shows in them."""
        http, where = self._aiohttp, origin(post.url)
        try:
            yield
        except http.ConnectionTimeoutError as error:
            raise Unavailable(f"no connection to {where} within {post.timeouts.connect_s} s") from error
        except http.ServerTimeoutError as error:
            raise Unavailable(f"{where} said nothing for {post.timeouts.idle_s} s") from error
        except http.ClientConnectorCertificateError as error:
            raise Unavailable(f"the certificate of {where} is not trusted: {error}", retryable=False) from error
        except http.ClientConnectorError as error:
            raise Unavailable(f"cannot connect to {where}: {error}") from error
        except (http.InvalidURL, http.NonHttpUrlClientError, ValueError) as error:
            raise UsageError(f"the URL or a header for {where} is not legal: {error}") from error
        except (http.ClientError, OSError) as error:
            said = " ".join(str(error).split()) or type(error).__name__
            if "content-encoding" in said:
                raise MalformedResponse(f"the answer of {where} cannot be read: {said}") from error
            raise Unavailable(f"the connection to {where} broke off: {said}") from error
