"""A run as a stream of events: sink first, iterator second.

The run puts its events into a bounded queue; the reader takes them out. The queue wakes the reader once for all that
came meanwhile, and makes the run wait when the reader is too far behind. The task group is entered and left by the
stream's own `async with`, so that no generator is ever suspended inside it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any, Generic, Self, TypeAlias, TypeVar

import anyio
from anyio.abc import TaskGroup

from agentkit.core.events import Event, EventOf
from agentkit.core.result import Result
from agentkit.errors import UsageError
from agentkit.runtime.run import Listener

Out = TypeVar("Out")

MAX_WAITING = 1024
"""Events that may wait for the reader before the run waits too."""

Start: TypeAlias = Callable[[Listener], Awaitable[Result[Out]]]
"""Runs to the end, handing its events to the listener."""


class Room:
    """To be awaited before the next event; who cannot wait may let it be."""

    __slots__ = ("_event",)

    def __init__(self, event: anyio.Event) -> None:
        self._event = event

    def __await__(self) -> Generator[Any, Any, None]:
        return self._event.wait().__await__()


class EventStream(Generic[Out]):
    """The events of a run, to be read inside `async with`.

    Leaving the block early cancels the run; what is finished by then is recorded.

    Attributes:
        result: The run's result, once it is over: as far as it came, if it was left early or failed. None before.
    """

    def __init__(self, start: Start[Out]) -> None:
        self._start = start
        self._waiting: deque[Event] = deque()
        self._news = anyio.Event()
        self._room = anyio.Event()
        self._entered = False
        self._left = False
        self._over = False
        self._fault: BaseException | None = None
        self._tasks: TaskGroup
        self.result: Result[Out] | None = None

    async def __aenter__(self) -> Self:
        if self._entered:
            raise UsageError("this stream has begun already: enter it once, with one `async with`")
        self._entered = True
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._run)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._left = True
        self._room.set()  # what a cancelled run still records must not wait for a reader that is gone
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)
        self._over = True  # a run that was cancelled before it began does not say so

    def __aiter__(self) -> AsyncIterator[EventOf[Out]]:
        return self

    async def __anext__(self) -> EventOf[Out]:
        """The next event.

        Raises:
            AgentkitError: The run failed; comes after its last event.
            UsageError: The stream was not entered.
        """
        while not self._waiting:
            if self._over:
                if self._fault is not None:
                    raise self._fault
                raise StopAsyncIteration
            if not self._entered:
                raise UsageError("read a stream inside its block: async with agent.astream(...) as events")
            if self._news.is_set():  # else another reader sleeps on it
                self._news = anyio.Event()
            await self._news.wait()
        event = self._waiting.popleft()
        if len(self._waiting) == MAX_WAITING // 2:
            self._room.set()
        return event

    async def _run(self) -> None:
        try:
            self.result = await self._start(self._put)
        except BaseException as fault:
            self.result = getattr(fault, "result", None)
            if isinstance(fault, anyio.get_cancelled_exc_class()):
                raise
            self._fault = fault  # raised in the reader; a SystemExit here would end the loop
        finally:
            self._over = True
            self._news.set()

    def _put(self, event: Event) -> Any:
        if self._left:
            return None
        if not self._waiting:  # the reader sleeps only then
            self._news.set()
        self._waiting.append(event)
        if len(self._waiting) < MAX_WAITING:
            return None
        if self._room.is_set():
            self._room = anyio.Event()
        return Room(self._room)
