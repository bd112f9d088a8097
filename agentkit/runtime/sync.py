"""The only sync file: every sync call of a process goes through one portal thread with one event loop.

So `agent.run()` works in scripts, in notebooks and inside a running loop, and connections stay open between calls. The
thread is a daemon: it never keeps a process from exiting. After a fork the child makes its own.

Ctrl-C cancels the run, lets it record what is finished, and raises KeyboardInterrupt again; a second one abandons it.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from typing import Any, ClassVar, Generic, TypeVar, cast

import anyio
from anyio.from_thread import BlockingPortal
from anyio.lowlevel import current_token

from agentkit.core.events import EventOf
from agentkit.errors import UsageError
from agentkit.runtime.stream import MAX_WAITING, EventStream
from agentkit.tooling.threads import lent_slot, loop_scheduler

T = TypeVar("T")

CLEAN_UP_S = 10.0
"""How long a cancelled run may take to record what is finished."""

EXIT_S = 2.0
"""How long a process that exits waits for its connections to close."""

POLL_S = 0.005
"""How often a run looks whether a slow sync reader has caught up."""

running_in: ContextVar[object] = ContextVar("agentkit_running_in", default=None)
"""The event loop that drives a run, while it does, and so inside the run's tools."""


class Portal:
    """A daemon thread with an event loop of its own; a process that exits ends it, and so closes its connections."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._closing = False
        self.portal: BlockingPortal
        self.thread = threading.Thread(target=anyio.run, args=(self._serve,), name="agentkit-loop", daemon=True)
        self.thread.start()
        self._ready.wait()
        atexit.register(self._close)

    @property
    def serves(self) -> bool:
        """Whether runs can be started: not in a forked child, which lacks the thread, nor late in an exit."""
        return self.thread.is_alive() and not self._closing

    def _close(self) -> None:
        if self.serves:
            self._closing = True
            self._schedule(self._end.set)  # not through the portal, which waits for a loop that a tool may block
            self.thread.join(EXIT_S)

    async def _serve(self) -> None:
        self._end, self._schedule = anyio.Event(), loop_scheduler()
        async with BlockingPortal() as self.portal:
            self._ready.set()
            await self._end.wait()
            await self.portal.stop(cancel_remaining=True)


class _Process:
    """What there is once in a process."""

    locks: ClassVar[dict[int, threading.Lock]] = {}  # by process: a fork may leave one held
    portal: Portal | None = None


def _portal() -> Portal:
    """The portal of this process."""
    with _Process.locks.setdefault(os.getpid(), threading.Lock()):
        if _Process.portal is None or not _Process.portal.serves:
            _Process.portal = Portal()
        return _Process.portal


class _Work(Generic[T]):
    """Something that runs in the portal's loop while this thread waits for it.

    Attributes:
        over: Set when it has ended.
        came: The run as far as it came, if it failed or was cancelled.
    """

    def __init__(self, main: Callable[[], Awaitable[T]]) -> None:
        self.over = threading.Event()
        self.came: Any = None
        self._fault: BaseException | None = None
        self._portal = _portal()
        self._future = self._portal.portal.start_task_soon(self._run, main)

    async def _run(self, main: Callable[[], Awaitable[T]]) -> T | None:
        try:
            return await main()
        except BaseException as fault:
            self.came = getattr(fault, "result", None)
            if isinstance(fault, (Exception, anyio.get_cancelled_exc_class())):
                raise
            self._fault = fault  # a SystemExit is for who waits: here it would end the loop that all runs share
            return None
        finally:
            self.over.set()

    def result(self) -> T:
        """What came of it, once it is over."""
        value = self._future.result()
        if self._fault is not None:
            raise self._fault
        return cast("T", value)

    @property
    def _is_elsewhere(self) -> bool:
        """Whether this is a forked child, and the thread that works on it is its parent's."""
        return not self._portal.thread.is_alive() and not self.over.is_set()

    def wait(self, news: threading.Event) -> None:
        """Wait for news of it, such as `over`.

        Raises:
            UsageError: They come in another process.
        """
        if self._is_elsewhere:
            raise UsageError("this stream belongs to the process that began it: begin another one after a fork")
        with lent_slot():
            news.wait()

    def cancel(self) -> None:
        """Cancel it and give it time to record what is finished."""
        if self._is_elsewhere:
            return
        self._future.cancel()
        if threading.current_thread() is not self._portal.thread:  # where garbage may be collected, too
            self.over.wait(CLEAN_UP_S)


def run_sync(main: Callable[[], Awaitable[T]], name: str) -> T:
    """Run it in the portal's loop and wait for it.

    Args:
        main: What to run.
        name: The async method to name when the caller is an async tool.

    Raises:
        UsageError: The caller, such as an async tool, would block the loop that its own run needs.
    """
    if _would_block_its_run():
        raise UsageError(f"this would block its own run: use `await agent.{name}(...)` here, or make the tool sync")
    work = _Work(main)
    try:
        work.wait(work.over)
    except BaseException as stop:  # Ctrl-C, or what else the handler of a signal raises
        work.cancel()
        stop.result = work.came  # type: ignore[attr-defined]  # the run as far as it came
        raise
    return work.result()


def stream_sync(open_stream: Callable[[], EventStream[T]], name: str) -> Iterator[EventOf[T]]:
    """The events of a run, read in this thread. Closing the iterator cancels the run."""
    if _would_block_its_run():
        raise UsageError(f"this would block its own run: use `async with agent.{name}(...)` here")
    return _events(open_stream)


def _events(open_stream: Callable[[], EventStream[T]]) -> Iterator[EventOf[T]]:
    waiting: deque[EventOf[T]] = deque()
    news = threading.Event()
    over = False

    async def pump() -> None:
        nonlocal over
        stream = open_stream()
        try:
            async with stream as events:
                async for event in events:
                    waiting.append(event)
                    news.set()
                    while len(waiting) >= MAX_WAITING:  # noqa: ASYNC110 - the reader is another thread
                        await anyio.sleep(POLL_S)
        except BaseException as stop:
            stop.result = stream.result  # type: ignore[attr-defined]  # of a cancel, too
            raise
        finally:
            over = True
            news.set()

    work = _Work(pump)
    try:
        while not (over and not waiting):
            work.wait(news)
            news.clear()
            while waiting:
                yield waiting.popleft()
        work.result()
    except BaseException as stop:  # Ctrl-C, or the iterator is closed
        if not over:
            work.cancel()
            stop.result = work.came  # type: ignore[attr-defined]  # the run as far as it came
        raise


def _would_block_its_run() -> bool:
    try:
        return current_token() == running_in.get()
    except Exception:  # noqa: BLE001 - what a backend raises outside of its loop is its own
        return False
