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
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any, TypeVar

import anyio
from anyio.from_thread import BlockingPortal
from anyio.lowlevel import current_token

from agentkit.core.events import Event
from agentkit.errors import UsageError
from agentkit.runtime.stream import MAX_WAITING, EventStream
from agentkit.tooling.threads import lent_slot

T = TypeVar("T")

CLEAN_UP_S = 10.0
"""How long a cancelled run may take to record what is finished."""

EXIT_S = 2.0
"""How long a process that exits waits for its connections to close."""

POLL_S = 0.005
"""How often a run looks whether a slow sync reader has caught up."""

inside_run: ContextVar[bool] = ContextVar("agentkit_inside_run", default=False)
"""Set while a run is driven, and so inside its tools."""


class Portal:
    """A daemon thread with an event loop of its own; a process that exits ends it, and so closes its connections."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._ready = threading.Event()
        self.portal: BlockingPortal
        self._thread = threading.Thread(target=anyio.run, args=(self._serve,), name="agentkit-loop", daemon=True)
        self._thread.start()
        self._ready.wait()
        atexit.register(self._close)

    def _close(self) -> None:
        if self.pid == os.getpid():  # a forked child has the exit, but not the thread
            self.portal.start_task_soon(self.portal.stop, True)
            self._thread.join(EXIT_S)

    async def _serve(self) -> None:
        async with BlockingPortal() as self.portal:
            self._ready.set()
            await self.portal.sleep_until_stopped()


class _Process:
    """What there is once in a process."""

    lock = threading.Lock()
    portal: Portal | None = None


def portal() -> BlockingPortal:
    """The portal of this process."""
    with _Process.lock:
        if _Process.portal is None or _Process.portal.pid != os.getpid():
            _Process.portal = Portal()
        return _Process.portal.portal


def run_sync(main: Callable[[], Awaitable[T]], name: str) -> T:
    """Run it in the portal's loop and wait for it.

    Args:
        main: What to run.
        name: The async method to name when the caller is an async tool.

    Raises:
        UsageError: The caller is an async tool: it would block the loop that its own run needs.
    """
    if inside_run.get() and _in_event_loop():
        raise UsageError(f"an async tool must not block: use `await agent.{name}(...)` here, or make the tool sync")
    over = threading.Event()
    came: list[Any] = []

    async def task() -> T:
        try:
            return await main()
        except BaseException as stop:
            came.append(getattr(stop, "result", None))
            raise
        finally:
            over.set()

    future = portal().start_task_soon(task)
    try:
        with lent_slot():
            over.wait()
        return future.result()
    except KeyboardInterrupt as stop:
        _cancel(future, over)
        stop.result = came[0] if came else None  # type: ignore[attr-defined]  # the run as far as it came
        raise


def stream_sync(open_stream: Callable[[], EventStream[Any]], name: str) -> Iterator[Event]:
    """The events of a run, read in this thread. Closing the iterator cancels the run."""
    if inside_run.get() and _in_event_loop():
        raise UsageError(f"an async tool must not block: use `async with agent.{name}(...)` here")
    return _events(open_stream)


def _events(open_stream: Callable[[], EventStream[Any]]) -> Iterator[Event]:
    waiting: deque[Event] = deque()
    news = threading.Event()
    over = threading.Event()

    async def pump() -> None:
        try:
            async with open_stream() as events:
                async for event in events:
                    waiting.append(event)
                    news.set()
                    while len(waiting) >= MAX_WAITING:  # noqa: ASYNC110 - the reader is another thread
                        await anyio.sleep(POLL_S)
        finally:
            over.set()
            news.set()

    future = portal().start_task_soon(pump)
    try:
        while not (over.is_set() and not waiting):
            with lent_slot():
                news.wait()
            news.clear()
            while waiting:
                yield waiting.popleft()
        future.result()
    finally:
        if not over.is_set():
            _cancel(future, over)


def _cancel(future: Future[Any], over: threading.Event) -> None:
    """Cancel what runs and give it time to record what is finished."""
    future.cancel()
    over.wait(CLEAN_UP_S)


def _in_event_loop() -> bool:
    try:
        current_token()
    except Exception:  # noqa: BLE001 - what a backend raises outside of its loop is its own
        return False
    return True
