"""The byte seam: one method sends a request and gives back status, headers and chunks. Everything HTTP is behind it.

* `Transport.send` is all that a wire needs. What is behind it: `StockTransport` (httpx2, every event loop, proxies from
  the environment), `ClientTransport` (the caller's own async client of httpx2 or httpx), or that of `http_fast.py`.
* Nothing is made before the first request: no client, no TLS context, no import of an HTTP library.
* One pool of connections per event loop (`PerLoop`), closed by the loop itself when it ends: no client outlives its
  loop, and a model can be used from any number of loops, one after another or at once.
* Leaving the block of `send` gives the connection back, or closes it when the answer was not read to its end.
* What goes wrong on the way is `Unavailable`: it may pass. What the caller got wrong is a `UsageError`.
"""

from __future__ import annotations

import html
import re
import ssl
import sys
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Protocol
from urllib.parse import urlsplit

import anyio
import anyio.lowlevel

from agentkit.errors import MalformedResponse, ModelError, Unavailable, UsageError

MAX_CONNECTIONS = 1000
"""Connections of one model on one event loop, busy or kept alive; who comes later waits for one."""
KEPT_ALIVE_S = 30.0
"""Seconds that a connection is kept for the next request: tools take their time between two of them."""
MAX_SHOWN_CHARS = 300
"""How much of a server's words an error shows."""
MAX_LEFT_OVER = 1000
"""Pieces that are read, and thrown away, after a connection was closed."""
CLOSE_S = 2.0
"""Seconds that closing a connection may take, also when the caller was cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long one request may take, in seconds; None is for ever.

    Attributes:
        connect_s: To connect.
        idle_s: Between two pieces of the answer (and to send a piece of the request).
    """

    connect_s: float | None = 15.0
    idle_s: float | None = 600.0


AS_A_WHOLE = Timeouts(idle_s=None)
"""Of a request whose caller limits it as a whole: another timer for each piece would only cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One request.

    Attributes:
        url: Absolute.
        headers: Names in lower case.
        body: JSON.
        timeouts: For this request.
        method: Of HTTP.
    """

    url: str = field(repr=False)  # a key may stand in any of them
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    timeouts: Timeouts = Timeouts()
    method: str = "POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back; `chunks` can be read once, inside the block of `send`.

    Attributes:
        status: HTTP status.
        headers: Of the answer; `get` takes a name in lower case.
        chunks: The decoded body, as it arrives.
    """

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]

    async def read(self, *, max_bytes: int) -> bytes:
        """The whole body.

        Raises:
            MalformedResponse: It is longer than `max_bytes`.
        """
        pieces: list[bytes] = []
        left = max_bytes
        async for chunk in self.chunks:
            left -= len(chunk)
            if left < 0:
                raise MalformedResponse(
                    f"the answer is longer than {max_bytes} bytes", status=self.status, retryable=False
                )
            pieces.append(chunk)
        return b"".join(pieces)

    async def beginning(self, *, max_bytes: int) -> bytes:
        """The body, or as much of it as fits and comes before the connection breaks."""
        body = b""
        with suppress(Unavailable):
            async for chunk in self.chunks:
                body += chunk
                if len(body) >= max_bytes:
                    break
        return body[:max_bytes]


class Transport(Protocol):
    """Sends one request."""

    def send(self, post: Post) -> AbstractAsyncContextManager[Reply]:
        """The reply, inside a block whose end gives the connection back.

        Raises:
            Unavailable: No connection, no answer in time, or an answer that broke off.
            MalformedResponse: The body cannot be decoded.
            UsageError: The URL or a header is not legal.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections that it owns."""
        ...


class StockTransport:
    """Sends through httpx2: every event loop, and the proxies of the environment."""

    def __init__(self) -> None:
        import httpx2  # noqa: PLC0415 - not before the first request

        limits = httpx2.Limits(
            max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS, keepalive_expiry=KEPT_ALIVE_S
        )
        self._library = httpx2
        self._text, self._url = "", httpx2.URL("")
        self._sender: httpx2.AsyncClient | httpx2.AsyncHTTPTransport
        if has_proxies():  # only a client knows which proxy is whose
            self._sender = client = httpx2.AsyncClient(limits=limits)
            self._open: Callable[[Any], Awaitable[Any]] = lambda request: client.send(request, stream=True)
        else:  # without a client's cookies, redirects and hooks a request costs a quarter less
            self._sender = httpx2.AsyncHTTPTransport(limits=limits)
            self._open = self._sender.handle_async_request

    @asynccontextmanager
    async def send(self, post: Post) -> AsyncIterator[Reply]:
        """See `Transport`."""
        library = self._library
        with _explained(library, post):
            if self._text != post.url:
                self._text, self._url = post.url, library.URL(post.url)
            headers = [(b"host", self._url.netloc), (b"content-length", b"%d" % len(post.body))]
            headers += [(name.encode("ascii"), value.encode("ascii")) for name, value in post.headers.items()]
            stream, extensions = library.ByteStream(post.body), {"timeout": _timeouts(post)}
            request = library.Request(post.method, self._url, headers=headers, stream=stream, extensions=extensions)
            response = await self._open(request)
        async with _replied(response, self._library, post) as reply:
            yield reply

    async def aclose(self) -> None:
        """Close all connections."""
        await self._sender.aclose()


class ClientTransport:
    """Sends through the caller's own async client of httpx2 or httpx, with all that is set on it; never closes it."""

    def __init__(self, client: Any) -> None:
        """Take the client.

        Raises:
            UsageError: It is not an async client of httpx2 or httpx.
        """
        roots = {base.__module__.partition(".")[0] for base in type(client).__mro__ if base.__name__ == "AsyncClient"}
        library = next((name for name in ("httpx2", "httpx") if name in roots), None)
        if library is None:
            raise UsageError(f"http_client must be an AsyncClient of httpx2 or httpx, got {type(client).__name__}")
        self._client = client
        self._library = sys.modules[library]

    @asynccontextmanager
    async def send(self, post: Post) -> AsyncIterator[Reply]:
        """See `Transport`."""
        with _explained(self._library, post):
            request = self._client.build_request(
                post.method, post.url, headers=post.headers, content=post.body, extensions={"timeout": _timeouts(post)}
            )
            response = await self._client.send(request, stream=True)
        async with _replied(response, self._library, post) as reply:
            yield reply

    async def aclose(self) -> None:
        """Nothing: the client is the caller's."""


def has_proxies() -> bool:
    """Whether this environment sends requests through a proxy."""
    from urllib.request import getproxies  # noqa: PLC0415 - 15 ms, and only the first request needs it

    return bool(getproxies())


class PerLoop:
    """A transport for every event loop: one of its own for each, made when first used and closed when its loop ends.

    A loop tells its end through an async generator that waits inside it: asyncio and trio both close those. asyncio
    also closes one that is dropped, together with the model that it belongs to. trio only warns of it, so there the
    loop itself holds it. It holds the transport everywhere until that is closed: a collected cycle may have a model and
    its connections in it, and connections that are collected before they are closed complain.
    """

    def __init__(self, make: Callable[[], Transport]) -> None:
        self._make = make
        self._kept: dict[object, tuple[Transport, AsyncGenerator[None]]] = {}

    def send(self, post: Post) -> AbstractAsyncContextManager[Reply]:
        """See `Transport`."""
        loop = current_loop()
        kept = self._kept.get(loop)
        if kept is None:
            transport = self._make()
            keeper = _keep(transport, loop, weakref.ref(self))
            with suppress(StopIteration):  # it yields without waiting: one step is enough, and no other task runs
                keeper.__anext__().__await__().send(None)
            held = _HELD.get({})
            held[transport] = keeper if is_trio(loop) else None
            _HELD.set(held)
            kept = self._kept[loop] = transport, keeper
        return kept[0].send(post)

    async def aclose(self) -> None:
        """Close the transport of the running loop; those of other loops close when their loops end."""
        kept = self._kept.get(current_loop())
        if kept is not None:
            await kept[1].aclose()

    def forget(self, loop: object) -> None:
        """The loop has ended, or its transport was closed."""
        self._kept.pop(loop, None)


def current_loop() -> object:
    """The event loop that runs, whatever its kind."""
    return anyio.lowlevel.current_token().native_token


def is_trio(loop: object) -> bool:
    """Whether the loop is trio's."""
    return type(loop).__module__.partition(".")[0] == "trio"


_HELD: anyio.lowlevel.RunVar[dict[Transport, AsyncGenerator[None] | None]] = anyio.lowlevel.RunVar("agentkit.http")


async def _keep(transport: Transport, loop: object, owner: weakref.ref[PerLoop]) -> AsyncGenerator[None]:
    """Waits for its own end, and closes the transport then. It must not hold its owner, whose end it may be."""
    try:
        yield
    finally:
        if (per_loop := owner()) is not None:
            per_loop.forget(loop)
        _HELD.get({}).pop(transport, None)
        await transport.aclose()


@asynccontextmanager
async def _replied(response: Any, library: ModuleType, post: Post) -> AsyncIterator[Reply]:
    """The reply that a response of httpx2 or httpx is; the response is closed at the end, whatever happens."""
    chunks = _chunks(response, library, post)
    try:
        yield Reply(status=response.status_code, headers=response.headers, chunks=chunks)
    finally:
        with anyio.move_on_after(CLOSE_S, shield=True):
            await response.aclose()
            with suppress(StopAsyncIteration, MalformedResponse, Unavailable):
                for _ in range(MAX_LEFT_OVER):  # generators inside the library end only by being exhausted
                    await anext(chunks)
            await chunks.aclose()


async def _chunks(response: Any, library: ModuleType, post: Post) -> AsyncGenerator[bytes]:
    source = aiter(response.aiter_bytes() if "content-encoding" in response.headers else response.stream)
    try:
        with _explained(library, post):
            async for chunk in source:
                yield chunk
    finally:
        if isinstance(source, AsyncGenerator):
            await source.aclose()


@contextmanager
def _explained(library: ModuleType, post: Post) -> Iterator[None]:
    """Turns what an HTTP library raises into our errors; a request or key never shows in them."""
    try:
        yield
    except library.TransportError as error:
        raise _transport_error(library, error, post) from error
    except (library.DecodingError, library.TooManyRedirects) as error:
        raise MalformedResponse(f"the answer of {origin(post.url)} cannot be read: {error}") from error
    except (library.InvalidURL, UnicodeError) as error:
        raise UsageError(f"the URL or a header for {origin(post.url)} is not legal: {error}") from error
    except OSError as error:
        raise Unavailable(f"no connection to {origin(post.url)}: {error}") from error
    except RuntimeError as error:
        if "loop" not in str(error):
            raise
        raise UsageError(
            f"http_client belongs to another event loop ({error}); leave it out, or use one per loop"
        ) from error


def _transport_error(library: ModuleType, error: Exception, post: Post) -> ModelError | UsageError:
    where, said = origin(post.url), str(error) or type(error).__name__
    match error:
        case library.LocalProtocolError() | library.UnsupportedProtocol():
            return UsageError(f"the request for {where} is not legal: {said}")
        case library.ConnectTimeout():
            return Unavailable(f"no connection to {where} within {post.timeouts.connect_s} s")
        case library.TimeoutException():
            return Unavailable(f"{where} said nothing for {post.timeouts.idle_s} s")
        case library.ConnectError() if (distrust := _distrust(error)) is not None:
            return Unavailable(f"the certificate of {where} is not trusted: {distrust}", retryable=False)
        case library.ConnectError() | library.ProxyError():
            return Unavailable(f"cannot connect to {where}: {said}")
        case _:
            return Unavailable(f"the connection to {where} broke off: {said}")


def _distrust(error: BaseException | None) -> BaseException | None:
    """The refused certificate among the causes of an error."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error


def origin(url: str) -> str:
    """Scheme, host and port of a URL: what may be shown of it (the rest may hold a key)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _timeouts(post: Post) -> dict[str, float | None]:
    connect_s, idle_s = post.timeouts.connect_s, post.timeouts.idle_s
    return {"connect": connect_s, "read": idle_s, "write": idle_s}


def first_words(body: bytes | str) -> str:
    """The beginning of a body, on one line; of HTML its text."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    if re.match(r"\s*<", text):
        text = re.sub(r"(?is)<(script|style)\b.*?(?:</\1>|\Z)|<[^>]*>", " ", text[:100_000])
        text = html.unescape(text)
    text = " ".join(text[:10_000].split())
    return text if len(text) <= MAX_SHOWN_CHARS else text[:MAX_SHOWN_CHARS] + "..."
