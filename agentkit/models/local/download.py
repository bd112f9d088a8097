"""One file from a server: it comes whole and is the right one, or it does not get its name.

* What has come stays in a part beside the goal, and the next try goes on from there: after a cut, Ctrl-C, `kill -9`.
* A part is named after the URL and after what tells the content (SHA-256, ETag or date), so halves of two versions
  never meet. A file that nothing tells apart begins anew at each try.
* A try asks for the whole file first, and reads it if there is no part; only then it asks for the rest. So a server
  that sends no ranges, or another file than before, needs no special case.
* A cut, an overloaded server and silence are tried again as long as bytes come; what will not pass ends at once.
* One process at a time fetches a file (`alone`); the others wait, and find it there.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urljoin, urlsplit

import anyio

from agentkit.errors import MalformedResponse, ModelError, Unavailable
from agentkit.models.chat_completions.errors import error_of
from agentkit.models.chat_completions.servers import without_login
from agentkit.models.exchange import MAX_ERROR_BYTES
from agentkit.models.http import Post, Reply, StockTransport, Timeouts, Transport, origin
from agentkit.models.retrying import Retries

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

RETRIES = Retries(times=4)
TIMEOUTS = Timeouts(connect_s=15.0, idle_s=30.0)
LOCK_POLL_S = 0.2
MAX_REDIRECTS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SHA256 = re.compile(r"\"?([0-9a-f]{64})\"?")

OnProgress: TypeAlias = Callable[[int, int | None], object]
"""Takes the bytes that are there, and those of the whole file if the server says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file on a server.

    Attributes:
        url: Where it is; a user and password in it are sent to its host.
        token: A key for that host, and for no other.
        magic: How the file begins.
        sha256: Its SHA-256, if it is known; else a hub's word for it is taken, if it gives one.
        hint: What the user may do if it is refused.
    """

    url: str = field(repr=False)
    token: str = field(default="", repr=False)
    magic: bytes = b""
    sha256: str | None = None
    hint: str = ""

    def headers(self, url: str) -> Mapping[str, str]:
        """The headers that tell the host of `url` who asks: none for another host than that of the source."""
        if origin(url) != origin(self.url):
            return {}
        return {"authorization": f"Bearer {self.token}"} if self.token else without_login(self.url)[1]


async def read(source: Source, *, accept: str, max_bytes: int) -> tuple[str, str]:
    """The text of a small page, and the URL that it was found at."""
    transport = StockTransport()
    try:
        async with _opened(transport, source, {"accept": accept}) as found:
            return (await found.reply.read(max_bytes=max_bytes)).decode("utf-8", "replace"), found.url
    finally:
        await transport.aclose()


async def fetch(source: Source, goal: Path, on_progress: OnProgress) -> None:
    """Gets the file and gives it its name. The caller is `alone`.

    Raises:
        ModelError: The server does not give it. What has come is kept for the next time.
        MalformedResponse: It is another file than it should be, and was thrown away.
        OSError: There is no room for it, or no right to write. What has come is kept.
    """
    fetching = _Fetch(source, goal, on_progress)
    tries = 0
    try:
        while True:
            most = fetching.most
            try:
                return await fetching.attempt()
            except ModelError as error:
                tries = 1 if fetching.most > most else tries + 1
                if (delay_s := RETRIES.delay_s(error, tries)) is None:
                    raise
            await anyio.sleep(delay_s)
    finally:
        await fetching.transport.aclose()


@asynccontextmanager
async def alone(goal: Path) -> AsyncIterator[None]:
    """A block that one task of all processes is in; the operating system lets go of it when a process dies."""
    path = goal.with_name(f"{goal.name}.lock")
    while True:
        file = path.open("ab")
        if _lock(file.fileno()):
            with suppress(FileNotFoundError):  # another one was done in between, and took its lock away
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    break
        file.close()
        await anyio.sleep(LOCK_POLL_S)
    try:
        yield
    finally:
        if sys.platform != "win32":  # there, a file that is open cannot be removed, and the lock stays, empty
            path.unlink(missing_ok=True)
        file.close()


def _lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in {errno.EACCES, errno.EAGAIN, errno.EDEADLK}  # else: a file system without locks
    return True


@dataclass(frozen=True, slots=True)
class _Found:
    """An answer at the end of all redirects.

    Attributes:
        reply: 200 or 206.
        url: Who gave it.
        size: Of the whole file, in bytes, if it is said.
        sha256: Of the whole file, if the first host said it.
        mark: What `If-Range` takes: a strong ETag, or a date.
        told: What tells this content from another one, the best first.
    """

    reply: Reply
    url: str
    size: int | None
    sha256: str | None
    mark: str
    told: tuple[str, ...]

    @classmethod
    def of(cls, reply: Reply, url: str, linked: Mapping[str, str]) -> _Found:
        plain = "content-encoding" not in reply.headers
        etag, date = reply.headers.get("etag", ""), reply.headers.get("last-modified", "")
        span = re.fullmatch(r"bytes \d+-\d+/(\d+)", reply.headers.get("content-range", ""))
        said = span[1] if span else reply.headers.get("content-length", "") if plain else ""
        said = linked.get("x-linked-size") or said
        sha256 = match[1] if (match := _SHA256.fullmatch(linked.get("x-linked-etag", ""))) else None
        return cls(
            reply=reply,
            url=url,
            size=int(said) if said.isdecimal() else None,
            sha256=sha256,
            mark=etag if etag and not etag.startswith("W/") else date,
            told=tuple(filter(None, (sha256, etag, date))) if plain else (),
        )


@asynccontextmanager
async def _opened(transport: Transport, source: Source, headers: Mapping[str, str]) -> AsyncIterator[_Found]:
    """What the source answers, wherever it sends us.

    Raises:
        ModelError: It answers with an error.
    """
    url, linked = source.url, None
    for _ in range(MAX_REDIRECTS):
        asked = {"accept-encoding": "identity", "user-agent": "agentkit", **source.headers(url), **headers}
        async with transport.send(Post(url=url, headers=asked, body=b"", timeouts=TIMEOUTS, method="GET")) as reply:
            if linked is None:  # only the host that the user named is believed
                linked = {name: reply.headers.get(name, "") for name in ("x-linked-etag", "x-linked-size")}
            if reply.status in {200, 206}:
                yield _Found.of(reply, url, linked)
                return
            if reply.status not in _REDIRECTS:
                body = await reply.beginning(max_bytes=MAX_ERROR_BYTES)
                hint = "; ".join(filter(None, (f"from {origin(url)}", source.hint)))
                raise error_of(reply.status, reply.headers, body, secrets=list(filter(None, [source.token])), hint=hint)
            target = urljoin(url, reply.headers.get("location", ""))
        if urlsplit(target).scheme not in {"https", urlsplit(url).scheme}:
            raise MalformedResponse(f"{origin(url)} redirects to {origin(target)}: refused", retryable=False)
        url = target
    raise MalformedResponse(f"{origin(url)} redirects for ever", retryable=False)


class _Fetch:
    """The tries for one file.

    Attributes:
        most: The most bytes of it that were ever there.
    """

    def __init__(self, source: Source, goal: Path, on_progress: OnProgress) -> None:
        self.transport = StockTransport()
        self.most = 0
        self._source = source
        self._goal = goal
        self._on_progress = on_progress

    async def attempt(self) -> None:
        """One try, from where the last one ended."""
        async with _opened(self.transport, self._source, {}) as found:
            part = self._part(found)
            known = found.told or self._source.sha256
            begin = part.stat().st_size if known and part.exists() else 0
            if found.size is not None and begin > found.size:
                begin = 0
            self._check_room(found.size, begin)
            if not begin:
                await self._write(found, part, 0)
        if begin and begin != found.size:
            found, part = await self._go_on(found, part, begin)
        self._finish(found, part)

    async def _go_on(self, found: _Found, part: Path, begin: int) -> tuple[_Found, Path]:
        """Asks for what is missing in the part; a server may give the whole file instead, and another one."""
        headers = {"range": f"bytes={begin}-"} | ({"if-range": found.mark} if found.mark else {})
        try:
            async with _opened(self.transport, self._source, headers) as rest:
                if rest.reply.status == 200:
                    await self._write(rest, part := self._part(rest), 0)
                    return rest, part
                if rest.size != found.size or not set(rest.told[:1]) <= set(found.told):
                    raise MalformedResponse("the file has changed while it was fetched")
                if not rest.reply.headers.get("content-range", "").startswith(f"bytes {begin}-"):
                    raise MalformedResponse(f"{origin(rest.url)} sends another range than it was asked for")
                await self._write(rest, part, begin)
                return found, part
        except ModelError as error:
            if error.status == 416:  # the part is longer than the file
                part.unlink()
                error.retryable = True
            raise

    async def _write(self, found: _Found, part: Path, begin: int) -> None:
        size = begin
        with part.open("ab" if begin else "wb") as file:
            async for chunk in found.reply.chunks:
                file.write(chunk)
                size += len(chunk)
                self.most = max(self.most, size)
                self._on_progress(size, found.size)
        if found.size is not None and size < found.size:
            raise Unavailable(f"{origin(found.url)} sent {size} of {found.size} bytes")

    def _finish(self, found: _Found, part: Path) -> None:
        """Looks at what has come, and gives it its name."""
        wanted = self._source.sha256 or found.sha256
        with part.open("rb") as file:
            begins = file.read(max(16, len(self._source.magic)))
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest() if wanted else None
            os.fsync(file.fileno())
        fault = ""
        if not begins.startswith(self._source.magic):
            fault = f"it begins with {begins[:16]!r}, not with {self._source.magic!r}"
        elif found.size is not None and part.stat().st_size != found.size:
            fault = f"it has {part.stat().st_size} bytes, not {found.size}"
        elif sha256 != wanted:
            fault = f"its SHA-256 is {sha256}, not {wanted}"
        if fault:
            part.unlink()
            raise MalformedResponse(
                f"what {origin(found.url)} sent is not the file that was asked for: {fault}", retryable=False
            )
        part.replace(self._goal)
        for stale in parts_of(self._goal):
            stale.unlink(missing_ok=True)

    def _part(self, found: _Found) -> Path:
        key = f"{self._source.url}\n{(*found.told, self._source.sha256)[0]}"
        return self._goal.with_name(f"{self._goal.name}.{hashlib.sha256(key.encode()).hexdigest()[:12]}.part")

    def _check_room(self, size: int | None, begin: int) -> None:
        if size is not None and shutil.disk_usage(self._goal.parent).free < size - begin:
            raise OSError(errno.ENOSPC, f"{size - begin} bytes do not fit on the disk")


def parts_of(goal: Path) -> list[Path]:
    """What has come of a file that is not whole yet."""
    return sorted(goal.parent.glob(f"{glob.escape(goal.name)}.*.part"))
