"""Threads for synchronous tools.

Why not the event loop's own pool: it has cpu + 4 threads, keeps the process from exiting while a tool hangs, and knows
no way to give up on one. Ours are daemon threads, 32 at once, first come first served.

A job is *queued* until a slot is free, then *running*, then *ended*. Nobody waits for a job that was cancelled or timed
out: it is **abandoned**. Python cannot stop a thread, so it goes on, but its slot is free at once; when it ends, so
does its thread. Abandoned threads are counted, and above `MAX_ABANDONED` new jobs are refused: better no tool than a
process that drowns in stuck threads.

A job that itself waits for tools (a nested run) lends its slot out (`lent_slot`), so that nested runs cannot starve.
"""

from __future__ import annotations

import contextvars
import functools
import os
import queue
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Generic, Self, TypeVar

import anyio
from anyio.lowlevel import current_token

T = TypeVar("T")

THREADS = 32
MAX_ABANDONED = 256
REPORTS_ON_THE_WAY = 100

_here = threading.local()


class TimedOut(Exception):
    """The job did not end in time; its thread was abandoned and may still run."""


class TooManyAbandoned(RuntimeError):
    """So many abandoned threads still run that no new one is started."""


class GivenUp(Exception):
    """Nobody waits for this call any more: it timed out or was cancelled."""


def shared_pool() -> ThreadPool:
    """The pool of this process, made on first use; a forked child, whose threads are gone, gets its own."""
    return _pool_of(os.getpid())


@functools.lru_cache(maxsize=1)
def _pool_of(_pid: int) -> ThreadPool:
    return ThreadPool()


@contextmanager
def lent_slot() -> Iterator[None]:
    """In a pool's thread: its slot is free for others inside this block. Anywhere else: nothing."""
    job: _Job[Any] | None = getattr(_here, "job", None)
    if job is None:
        yield
        return
    job.pool.release(job)
    try:
        yield
    finally:
        job.pool.retake(job)


def loop_scheduler() -> Callable[..., Any]:
    """A function for other threads: calls what it is given soon, in the running event loop.

    `anyio.from_thread` would block the thread until the loop has answered; a worker has better to do.
    """
    token: Any = current_token()
    native = getattr(token, "native_token", token)  # before anyio 4.11 the token is the native one
    schedule: Callable[..., Any] = getattr(native, "call_soon_threadsafe", None) or native.run_sync_soon
    return schedule


class _Job(Generic[T]):
    """One function on its way through a thread. Its flags change under the pool's lock only."""

    value: T

    def __init__(self, pool: ThreadPool, work: Callable[[], T]) -> None:
        self.pool = pool
        self.work = work
        self.context = contextvars.copy_context()
        if (sniffio := sys.modules.get("sniffio")) is not None:
            # It remembers the loop in a context variable; the thread has none, so that a tool may run one of its own.
            self.context.run(sniffio.current_async_library_cvar.set, None)
        self.schedule = loop_scheduler()
        self.news = anyio.Event()
        self.error: BaseException | None = None
        self.started = False
        self.holds_slot = False
        self.abandoned = False
        self.done = False

    def run(self) -> None:
        _here.job = self
        try:
            self.value = self.context.run(self.work)
        except BaseException as error:  # noqa: BLE001 - raised again where the job is waited for
            self.error = error
        finally:
            _here.job = None

    def wake(self) -> None:
        """Have whoever waits look again; callable from any thread. A loop that is closed has nobody waiting."""
        with suppress(RuntimeError):
            self.schedule(self._wake)

    def _wake(self) -> None:
        self.news.set()

    async def next_news(self) -> None:
        await self.news.wait()
        self.news = anyio.Event()


class ThreadPool:
    """Daemon threads for jobs that any event loop of the process may wait for.

    Attributes:
        size: How many jobs run at once.
        abandoned: How many abandoned ones still run.
    """

    def __init__(self, size: int = THREADS, max_abandoned: int = MAX_ABANDONED) -> None:
        self.size = size
        self.max_abandoned = max_abandoned
        self.abandoned = 0
        self._lock = threading.Lock()
        self._running = 0
        self._idle = 0
        self._handed: queue.SimpleQueue[_Job[Any]] = queue.SimpleQueue()
        self._queued: deque[_Job[Any]] = deque()

    async def run(self, work: Callable[[], T], *, timeout_s: float | None = None, reports: Reports | None = None) -> T:
        """What `work` returns or raises, called in a thread with a copy of the caller's context variables.

        Args:
            work: Takes nothing; bind arguments first.
            timeout_s: Seconds it may run; the time in the queue does not count.
            reports: Delivered while it runs.

        Raises:
            TimedOut: It ran longer. It may still be running.
            TooManyAbandoned: It was not started.
        """
        job = _Job(self, work)
        if reports is not None:
            reports.wake = job.wake
        self._submit(job)
        try:
            while not job.started:
                await job.next_news()
            with anyio.move_on_after(timeout_s):
                await self._attend(job, reports)
        finally:
            self._abandon(job)
        if job.abandoned:
            raise TimedOut
        if job.error is not None:
            raise job.error
        return job.value

    async def _attend(self, job: _Job[Any], reports: Reports | None) -> None:
        """Wait until the job is done; what it reported by then is delivered first."""
        while True:
            done = job.done  # asked first: what it reports before that is there when it is delivered
            if reports is not None:
                await reports.deliver()
            if done:
                return
            await job.next_news()

    def release(self, job: _Job[Any]) -> None:
        """The job's slot is free; the next one in the queue takes it."""
        with self._lock:
            self._release(job)
            self._dispatch()

    def retake(self, job: _Job[Any]) -> None:
        """The job goes on. There may be more than `size` for a moment: waiting here could be for ever."""
        with self._lock:
            if not job.abandoned:
                job.holds_slot = True
                self._running += 1

    def _submit(self, job: _Job[Any]) -> None:
        with self._lock:
            if self.abandoned >= self.max_abandoned:
                raise TooManyAbandoned(f"{self.abandoned} calls that were given up still run; no new one is started")
            if self._running < self.size:
                self._start(job)
            else:
                self._queued.append(job)

    def _start(self, job: _Job[Any]) -> None:
        """Hand a job to an idle thread, or to a new one."""
        if self._idle:
            self._idle -= 1
        else:
            threading.Thread(target=self._serve, name="agentkit-tool", daemon=True).start()
        job.started = job.holds_slot = True
        self._running += 1
        self._handed.put(job)

    def _release(self, job: _Job[Any]) -> None:
        if job.holds_slot:
            job.holds_slot = False
            self._running -= 1

    def _dispatch(self) -> None:
        """Start what is queued while there are slots."""
        while self._queued and self._running < self.size:
            try:
                self._start(self._queued[0])
            except RuntimeError:  # the system has no thread for us: the next one that ends tries again
                return
            self._queued.popleft().wake()

    def _abandon(self, job: _Job[Any]) -> None:
        with self._lock:
            if job.done:
                return
            if not job.started:
                self._queued.remove(job)
                return
            job.abandoned = True
            self.abandoned += 1
            self._release(job)
        # Not now: whoever is queued may be cancelled in this very moment, together with this job.
        try:
            job.schedule(self._start_queued)
        except RuntimeError:  # the loop is closed
            self._start_queued()

    def _start_queued(self) -> None:
        with self._lock:
            self._dispatch()

    def _serve(self) -> None:
        """The life of a thread: one job after another, until one of them was given up."""
        while True:
            job = self._handed.get()
            job.run()
            with self._lock:
                job.done = True
                self._release(job)
                self._idle += not job.abandoned
                self.abandoned -= job.abandoned
                self._dispatch()
            if job.abandoned:
                return
            job.wake()
            del job  # an idle thread must not keep its last result alive


class Reports:
    """Progress from a tool's thread to a listener in the event loop: in order, and only a few on the way.

    A thread that is faster than the listener waits for it. After the block has ended (the call is answered) nothing is
    delivered: whoever still reports is told so by an exception, which ends an abandoned generator.
    """

    def __init__(self, listener: Callable[[Any], Any]) -> None:
        self.wake: Callable[[], None] = lambda: None
        self._listener = listener
        self._waiting: deque[Any] = deque()
        self._room = threading.Semaphore(REPORTS_ON_THE_WAY)
        self._open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open = False
        self._room.release(REPORTS_ON_THE_WAY)  # whoever waits for room learns that it is over

    def report(self, value: Any) -> None:
        """Hand a value over; for the tool's thread.

        Raises:
            GivenUp: Nobody waits for the tool any more.
        """
        self._room.acquire()
        if not self._open:
            raise GivenUp("the call was given up: nobody waits for it any more")
        self._waiting.append(value)
        self.wake()

    async def deliver(self) -> None:
        """Hand on what has come, waiting for a listener that asks for it; one that fails is not the tool's fault."""
        while self._waiting:
            value = self._waiting.popleft()
            self._room.release()
            with suppress(Exception):
                behind = self._listener(value)
                if behind is not None:
                    await behind
