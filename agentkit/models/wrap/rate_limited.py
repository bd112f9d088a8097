"""`RateLimited`: no more than a server allows, shared by all runs, threads and event loops.

Requests wait in one line, first come, first served: only the first of it may start (`windows.py` says when), and wakes
the one behind it. A cancelled request leaves the line and lets the next one try. Nothing here belongs to one event
loop: a lock is held for a moment and never while waiting, and a waiter in another loop is woken through that loop.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
from anyio.lowlevel import current_token

from agentkit.core.events import Emit
from agentkit.core.messages import Assistant
from agentkit.errors import ModelError, UsageError
from agentkit.models.model import Model, Request
from agentkit.models.wrap.by_name import as_model
from agentkit.models.wrap.windows import Allowance, Spent, Window, estimated_tokens
from agentkit.models.wrapper import Wrapper


class RateLimited(Wrapper):
    """A model that is asked no more often than it may be.

    A process that forks has an allowance of its own in each child. Retries of the wrapped model are not counted;
    `Retrying(RateLimited(model))` counts each try.
    """

    def __init__(
        self,
        model: Model | str,
        *,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        max_concurrent: int | None = None,
    ) -> None:
        """Take the model.

        Args:
            model: The model, or its name.
            requests_per_minute: Requests that may start in any 60 seconds.
            tokens_per_minute: Tokens, in and out, in any 60 seconds; estimated first, then as the answers say.
            max_concurrent: Requests at once.

        Raises:
            UsageError: The model is none, or a limit is no number of at least 1.
        """
        super().__init__(as_model(model))
        limits = {
            "requests_per_minute": requests_per_minute,
            "tokens_per_minute": tokens_per_minute,
            "max_concurrent": max_concurrent,
        }
        for name, limit in limits.items():
            if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
                raise UsageError(f"RateLimited({name}={limit!r}): give a whole number of at least 1")
        self._limits = limits
        self._lines: dict[int, _Line] = {}

    async def call(self, request: Request, emit: Emit | None = None) -> Assistant:
        """The answer, when there is room for the request; see `Model`."""
        line = self._line()
        estimate = 0 if self._limits["tokens_per_minute"] is None else estimated_tokens(request)
        spent = await line.start(estimate)
        actual = estimate  # of a cancelled request nobody knows more
        try:
            answer = await self.inner.call(request, emit)
            actual = answer.usage.total_tokens or estimate
        except ModelError:
            actual = 0
            raise
        finally:
            line.end(spent, estimate, actual)
        return answer

    def _line(self) -> _Line:
        pid = os.getpid()  # those who wait in a parent's line never come out of it in a child
        line = self._lines.get(pid)
        return self._lines.setdefault(pid, _Line(self._allowance())) if line is None else line

    def _allowance(self) -> Allowance:
        requests, tokens, at_once = self._limits.values()
        return Allowance(
            requests=None if requests is None else Window(requests),
            tokens=None if tokens is None else Window(tokens),
            max_concurrent=at_once,
        )

    def __repr__(self) -> str:
        limits = "".join(f", {name}={limit}" for name, limit in self._limits.items() if limit is not None)
        return f"RateLimited({self.inner!r}{limits})"


@dataclass(slots=True, eq=False)
class _Waiter:
    """One who waits, in whatever event loop."""

    schedule: Callable[..., Any]
    news: anyio.Event = field(default_factory=anyio.Event)

    def wake(self) -> bool:
        """Let it look again; False if its event loop is gone."""
        try:
            self.schedule(self.news.set)
        except RuntimeError:
            return False
        return True


class _Line:
    """Those who wait, and what may start."""

    __slots__ = ("_allowance", "_lock", "_waiting")

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._lock = threading.Lock()
        self._waiting: deque[_Waiter] = deque()

    async def start(self, tokens: int) -> Spent | None:
        """Wait until the request may start."""
        with self._lock:
            now = time.monotonic()
            if not self._waiting and self._allowance.wait_s(tokens, now) <= 0:
                return self._allowance.start(tokens, now)
            waiter = _Waiter(_scheduler())
            self._waiting.append(waiter)
        try:
            return await self._wait(waiter, tokens)
        finally:
            with self._lock:
                if waiter in self._waiting:
                    self._waiting.remove(waiter)
                self._wake_first()

    def end(self, spent: Spent | None, estimate: int, actual: int) -> None:
        """A request that had started is over."""
        with self._lock:
            self._allowance.end(spent, estimate, actual, time.monotonic())
            self._wake_first()

    async def _wait(self, waiter: _Waiter, tokens: int) -> Spent | None:
        while True:
            with self._lock:
                delay_s = math.inf
                if self._waiting[0] is waiter:
                    now = time.monotonic()
                    delay_s = self._allowance.wait_s(tokens, now)
                    if delay_s <= 0:
                        return self._allowance.start(tokens, now)
                waiter.news = anyio.Event()
            with anyio.move_on_after(delay_s):
                await waiter.news.wait()

    def _wake_first(self) -> None:
        while self._waiting and not self._waiting[0].wake():
            self._waiting.popleft()


def _scheduler() -> Callable[..., Any]:
    """A function for any thread: calls what it is given soon, in the running event loop."""
    native: Any = current_token().native_token
    schedule: Callable[..., Any] = getattr(native, "call_soon_threadsafe", None) or native.run_sync_soon
    return schedule
