"""`sse`: the events of a run as the body of a `text/event-stream` response.

The run lives in a task of its own and not in the task that reads the body. Why: servers end a response as they like.
They stop reading in the middle, throw the body away, or close it from another task; a task group that was open in the
reader would then be left by the wrong task. However the reader leaves, the run is cancelled and records what is
finished.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Coroutine
from contextlib import suppress
from contextvars import copy_context
from typing import Any

import anyio
from anyio.lowlevel import current_token

from agentkit.core.events import Event
from agentkit.errors import UsageError
from agentkit.web.wire import ALWAYS, KINDS, error_bytes, event_bytes

MAX_WAITING = 256
"""Events that may wait for a slow reader before the run waits, too."""

CLEAN_UP_S = 10.0
"""How long a reader that leaves waits for the run to record what is finished."""

HEARTBEAT = b": still here\n\n"

_log = logging.getLogger("agentkit.web")


def sse(events: AsyncIterable[Event], *, kinds: Collection[str] | None = None, heartbeat_s: float = 15.0) -> Body:
    """The body of a `text/event-stream` response: each event one `data:` line of JSON with its `kind`.

    The last one is `finished` (`output`, `stop_reason`, `usage`, `cost_usd`, `steps`, `pending`), or `error` (`error`,
    `message`, `retryable`), whose text is safe to show; the exception itself is logged. Closing the body, cancelling
    its reader or dropping it cancels the run.

    Args:
        events: `agent.astream(...)`, not entered yet, or any async iterable of events.
        kinds: The kinds to send, such as `{"text"}`; all if left out. How the run ended is always sent.
        heartbeat_s: A comment is sent after so many seconds of silence, so that no proxy hangs up.

    Raises:
        UsageError: There is no such kind, or these are no events of an async stream.
    """
    if not hasattr(events, "__aiter__"):
        raise UsageError(f"sse takes the events of `agent.astream(...)`, got {type(events).__name__}")
    if kinds is not None and (unknown := set(kinds) - KINDS):
        raise UsageError(f"sse(kinds=...): no events are of kind {', '.join(sorted(unknown))}")
    return Body(events, KINDS if kinds is None else ALWAYS | set(kinds), heartbeat_s)


class Body:
    """An async iterator of bytes; to be read once."""

    def __init__(self, events: AsyncIterable[Event], kinds: Collection[str], heartbeat_s: float) -> None:
        self._events = events
        self._kinds = kinds
        self._heartbeat_s = heartbeat_s
        self._feed: _Feed | None = None
        self._closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """What came since the last time, or a heartbeat."""
        if self._closed:
            raise StopAsyncIteration
        feed = self._feed
        if feed is None:
            feed = self._feed = _Feed(self._events, self._kinds)
        try:
            while not feed.waiting:
                if feed.over.is_set():
                    raise StopAsyncIteration
                if feed.news.is_set():  # else another reader sleeps on it
                    feed.news = anyio.Event()
                with anyio.move_on_after(self._heartbeat_s) as silence:
                    await feed.news.wait()
                if silence.cancelled_caught:
                    return HEARTBEAT
        except anyio.get_cancelled_exc_class():
            await self.aclose()
            raise
        return feed.take()

    async def aclose(self) -> None:
        """Cancel the run, if it is not over, and wait until it has recorded what is finished."""
        self._closed = True
        if self._feed is not None and not self._feed.over.is_set():
            self._feed.scope.cancel()
            with anyio.move_on_after(CLEAN_UP_S, shield=True):
                await self._feed.over.wait()

    def __del__(self) -> None:
        if self._feed is not None and not self._feed.over.is_set():
            with suppress(RuntimeError):  # the event loop is gone, and the run with it
                self._feed.schedule(self._feed.scope.cancel)


class _Feed:
    """Reads the events in a task of its own, as far ahead as there is room.

    Attributes:
        waiting: What the body has not taken yet.
        news: Set when there is something to take.
        over: Set when nothing more comes.
        scope: Cancelling it cancels the run.
        schedule: Calls a function soon in the event loop of the run, from any thread.
    """

    def __init__(self, events: AsyncIterable[Event], kinds: Collection[str]) -> None:
        self._events = events
        self._kinds = kinds
        self._room = anyio.Event()
        self.waiting: deque[bytes] = deque()
        self.news = anyio.Event()
        self.over = anyio.Event()
        self.scope = anyio.CancelScope()
        native: Any = current_token().native_token
        self.schedule: Callable[..., Any] = getattr(native, "call_soon_threadsafe", None) or native.run_sync_soon
        self._task = _start(native, self._run)  # an event loop holds its tasks weakly

    def take(self) -> bytes:
        """All that waits."""
        taken = b"".join(self.waiting)
        self.waiting.clear()
        self._room.set()
        return taken

    async def _run(self) -> None:
        try:
            with self.scope:
                await self._read()
        except Exception as error:  # noqa: BLE001 - logged, and the reader is told; nobody waits for this task
            where = None if isinstance(error, UsageError) else error  # an empty question is nobody's bug
            _log.error("a run failed while it was streamed: %s", error, exc_info=where)
            self.waiting.append(error_bytes(error))
        finally:
            self.over.set()
            self.news.set()

    async def _read(self) -> None:
        events: Any = self._events
        if hasattr(events, "__aenter__"):
            async with events as opened:
                await self._pass_on(opened)
            return
        try:
            await self._pass_on(events)
        finally:
            if hasattr(events, "aclose"):
                with anyio.move_on_after(CLEAN_UP_S, shield=True):
                    await events.aclose()

    async def _pass_on(self, events: AsyncIterable[Event]) -> None:
        async for event in events:
            if event.kind in self._kinds:
                self.waiting.append(event_bytes(event))
                self.news.set()
                if len(self.waiting) >= MAX_WAITING:
                    self._room = anyio.Event()
                    await self._room.wait()


def _start(native: Any, main: Callable[[], Coroutine[Any, Any, None]]) -> Any:
    """Run it in a task that belongs to the event loop and to nobody else; anyio has none of these."""
    if hasattr(native, "create_task"):
        return native.create_task(main())
    from trio.lowlevel import spawn_system_task  # noqa: PLC0415 - where trio runs, it is there

    return spawn_system_task(main, context=copy_context())
