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
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import anyio
import anyio.lowlevel

from agentkit.errors import MalformedResponse, ModelError, Unavailable, UsageError

if TYPE_CHECKING:
    import httpcore2
    import httpx2

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
        import httpcore2  # noqa: PLC0415 - not before the first request
        import httpx2  # noqa: PLC0415

        limits: dict[str, Any] = {
            "max_connections": MAX_CONNECTIONS,
            "max_keepalive_connections": MAX_CONNECTIONS,
            "keepalive_expiry": KEPT_ALIVE_S,
        }
        self._way: ClientTransport | _Pool
        self._connections: httpx2.AsyncClient | httpcore2.AsyncConnectionPool
        if has_proxies():  # only a client knows which proxy is whose
            headers = {"accept-encoding": "identity"}
            self._connections = client = httpx2.AsyncClient(limits=httpx2.Limits(**limits), headers=headers)
            self._way = ClientTransport(client)
        else:  # what the client puts around its pool is a third of a request
            self._connections = pool = httpcore2.AsyncConnectionPool(httpx2.create_ssl_context(), **limits)
            self._way = _Pool(pool, httpcore2, httpx2)

    def send(self, post: Post) -> AbstractAsyncContextManager[Reply]:
        """See `Transport`."""
        return self._way.send(post)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._connections.aclose()


class _Pool:
    """Sends straight through a pool of httpcore2, which is what httpx2 stands on."""

    def __init__(self, pool: httpcore2.AsyncConnectionPool, core: ModuleType, library: ModuleType) -> None:
        self._pool, self._core, self._library = pool, core, library
        self._text, self._url, self._host = "", core.URL(""), b""

    @asynccontextmanager
    async def send(self, post: Post) -> AsyncIterator[Reply]:
        """See `Transport`."""
        library = self._library
        with _explained(library, post):
            if self._text != post.url:
                url = library.URL(post.url)  # knows international names
                parts = {"scheme": url.raw_scheme, "host": url.raw_host, "port": url.port, "target": url.raw_path}
                self._text, self._url, self._host = post.url, self._core.URL(**parts), url.netloc
            headers = [(b"host", self._host), (b"content-length", b"%d" % len(post.body))]
            headers += [(name.encode("ascii"), value.encode("ascii")) for name, value in post.headers.items()]
            timeouts = {"timeout": _timeouts(post)}
            request = self._core.Request(
                post.method, self._url, headers=headers, content=post.body, extensions=timeouts
            )
            response = await self._pool.handle_async_request(request)
        got: Any = library.Headers(response.headers)
        body: Any = response.stream
        if "content-encoding" in got:
            body = library.Response(response.status, headers=got, content=body).aiter_bytes()
        chunks = _chunks(body, library, post)
        try:
            yield Reply(status=response.status, headers=got, chunks=chunks)
        finally:
            await _close(response, chunks)


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
        body = response.aiter_bytes() if "content-encoding" in response.headers else response.stream
        chunks = _chunks(body, self._library, post)
        try:
            yield Reply(status=response.status_code, headers=response.headers, chunks=chunks)
        finally:
            await _close(response, chunks)

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


async def _close(response: Any, chunks: AsyncGenerator[bytes]) -> None:
    """Close the response, whatever happens."""
    with anyio.move_on_after(CLOSE_S, shield=True):
        await response.aclose()
        with suppress(StopAsyncIteration, MalformedResponse, Unavailable):
            for _ in range(MAX_LEFT_OVER):  # generators inside the library end only by being exhausted
                await anext(chunks)
        await chunks.aclose()


async def _chunks(body: AsyncIterable[bytes], library: ModuleType, post: Post) -> AsyncGenerator[bytes]:
    source = aiter(body)
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
    except Exception as error:
        told = _told(library, error, post)
        if told is None:
            raise
        raise told from error


def _told(library: ModuleType, error: Exception, post: Post) -> ModelError | UsageError | None:
    """Our error for this one, first match wins; None if it is none of the library's."""
    where, said = origin(post.url), str(error) or type(error).__name__
    kind = getattr(library, type(error).__name__, type(error))  # httpcore2 has them under the same names

    def is_a(*names: str) -> bool:
        return any(issubclass(kind, getattr(library, name)) for name in names)

    if is_a("LocalProtocolError", "UnsupportedProtocol"):
        return UsageError(f"the request for {where} is not legal: {said}")
    if is_a("ConnectTimeout"):
        return Unavailable(f"no connection to {where} within {post.timeouts.connect_s} s")
    if is_a("TimeoutException"):
        return Unavailable(f"{where} said nothing for {post.timeouts.idle_s} s")
    if is_a("ConnectError") and (distrust := _distrust(error)) is not None:
        return Unavailable(f"the certificate of {where} is not trusted: {distrust}", retryable=False)
    if is_a("ConnectError", "ProxyError"):
        return Unavailable(f"cannot connect to {where}: {said}")
    if is_a("TransportError"):
        return Unavailable(f"the connection to {where} broke off: {said}")
    if is_a("DecodingError", "TooManyRedirects"):
        return MalformedResponse(f"the answer of {where} cannot be read: {said}")
    if is_a("InvalidURL") or isinstance(error, UnicodeError):
        return UsageError(f"the URL or a header for {where} is not legal: {said}")
    if isinstance(error, OSError):
        return Unavailable(f"no connection to {where}: {said}")
    if isinstance(error, RuntimeError) and "loop" in said:
        return UsageError(f"http_client belongs to another event loop ({said}); leave it out, or use one per loop")
    return None


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
