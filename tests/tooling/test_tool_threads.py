"""The threads of synchronous tools: so many at once, first come first served, and never in anybody's way."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import anyio
import pytest

from agentkit.tooling.threads import GivenUp, Reports, ThreadPool, TimedOut, TooManyAbandoned, lent_slot

pytestmark = pytest.mark.anyio


class Gate:
    """Work that waits until it is let through."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Semaphore(0)

    def work(self) -> str:
        self.entered.release()
        self.open.wait(5)
        return "through"

    async def wait_for(self, count: int) -> None:
        with anyio.fail_after(5):
            for _ in range(count):
                while not self.entered.acquire(blocking=False):
                    await anyio.sleep(0.001)


async def settled(pool: ThreadPool) -> None:
    """Until every abandoned thread has ended."""
    with anyio.fail_after(5):
        while pool.abandoned:
            await anyio.sleep(0.001)


async def test_work_returns_its_value():
    """In another thread, a daemon."""
    pool = ThreadPool()
    thread = await pool.run(threading.current_thread)
    assert thread is not threading.current_thread()
    assert thread.daemon


async def test_work_raises_its_error():
    """The very same one."""
    error = ValueError("x")

    def fail() -> None:
        raise error

    with pytest.raises(ValueError, match="x") as raised:
        await ThreadPool().run(fail)
    assert raised.value is error


async def test_threads_are_used_again():
    """One after another needs one thread."""
    pool = ThreadPool()
    idents = {await pool.run(threading.get_ident) for _ in range(20)}
    assert len(idents) == 1


async def test_no_more_than_its_size_run_at_once_and_the_rest_wait_their_turn():
    """First come, first served."""
    pool, gate, order = ThreadPool(size=2), Gate(), []

    def late(i: int) -> None:
        order.append(i)

    async with anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(pool.run, gate.work)
        await gate.wait_for(2)
        for i in range(10):
            group.start_soon(pool.run, lambda i=i: late(i))
            await anyio.lowlevel.checkpoint()
        await anyio.sleep(0.02)
        assert order == []
        gate.open.set()
    assert order == list(range(10))


async def test_the_time_in_the_queue_does_not_count():
    """A tool's timeout is its own."""
    pool, gate = ThreadPool(size=1), Gate()
    async with anyio.create_task_group() as group:
        group.start_soon(pool.run, gate.work)
        await gate.wait_for(1)

        async def second() -> None:
            assert await pool.run(lambda: "mine", timeout_s=0.05) == "mine"

        group.start_soon(second)
        await anyio.sleep(0.15)
        gate.open.set()


async def test_an_abandoned_thread_frees_its_slot():
    """The next one runs though the first still hangs."""
    pool, gate = ThreadPool(size=1), Gate()
    with pytest.raises(TimedOut):
        await pool.run(gate.work, timeout_s=0.02)
    assert pool.abandoned == 1
    assert await pool.run(lambda: 7) == 7
    gate.open.set()
    await settled(pool)
    assert await pool.run(lambda: 8) == 8


async def test_a_cancelled_wait_abandons_what_runs_and_forgets_what_does_not():
    """Queued work that nobody waits for never starts."""
    pool, gate, ran = ThreadPool(size=1), Gate(), []
    async with anyio.create_task_group() as group:
        group.start_soon(pool.run, gate.work)
        await gate.wait_for(1)
        group.start_soon(pool.run, lambda: ran.append(1))
        await anyio.sleep(0.01)
        group.cancel_scope.cancel()
    assert pool.abandoned == 1
    gate.open.set()
    await settled(pool)
    assert await pool.run(lambda: "alive") == "alive"
    assert ran == []


async def test_a_cancel_starts_nothing():
    """Not even what waited for the slots that the cancel frees."""
    pool, gate, ran = ThreadPool(size=8), Gate(), []

    def work() -> None:
        ran.append(1)
        gate.work()

    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(pool.run, work)
        await gate.wait_for(8)
        group.cancel_scope.cancel()
    await anyio.sleep(0.02)
    assert len(ran) == 8
    gate.open.set()
    await settled(pool)


async def test_too_many_abandoned_threads_refuse_new_work():
    """Until some of them have ended."""
    pool, gate = ThreadPool(size=2, max_abandoned=3), Gate()
    for _ in range(3):
        with pytest.raises(TimedOut):
            await pool.run(gate.work, timeout_s=0.01)
    with pytest.raises(TooManyAbandoned, match="3 calls"):
        await pool.run(gate.work)
    gate.open.set()
    await settled(pool)
    assert await pool.run(lambda: 1) == 1


async def test_a_lent_slot_lets_nested_work_run():
    """A pool of one does not starve on work that waits for work."""
    pool = ThreadPool(size=1)
    gate = Gate()

    def outer() -> str:
        with lent_slot():
            return gate.work()

    async with anyio.create_task_group() as group:
        group.start_soon(pool.run, outer)
        await gate.wait_for(1)
        with anyio.fail_after(2):
            assert await pool.run(lambda: "inner") == "inner"
        gate.open.set()
    assert await pool.run(lambda: "after") == "after"


async def test_a_slot_is_lent_by_threads_of_a_pool_only():
    """Anywhere else the block does nothing; abandoned meanwhile, the slot stays gone."""
    with lent_slot():
        pass
    pool, gate = ThreadPool(size=1), Gate()

    def outer() -> None:
        with lent_slot():
            gate.work()

    with pytest.raises(TimedOut):
        await pool.run(outer, timeout_s=0.02)
    gate.open.set()
    await settled(pool)
    held = Gate()
    async with anyio.create_task_group() as group:
        group.start_soon(pool.run, held.work)
        await held.wait_for(1)
        with anyio.move_on_after(0.03) as scope:
            await pool.run(lambda: 1)
        assert scope.cancelled_caught
        held.open.set()


async def test_a_hundred_jobs_with_random_ends_leave_nothing_behind():
    """Done, timed out and cancelled: afterwards the pool is as new."""
    pool = ThreadPool(size=4)

    async def one(i: int) -> None:
        with anyio.move_on_after(0.002 * (i % 7 + 1)):
            with contextlib.suppress(TimedOut):
                await pool.run(lambda: time.sleep(0.001 * (i % 5)), timeout_s=0.001 * (i % 4 + 1))

    async with anyio.create_task_group() as group:
        for i in range(100):
            group.start_soon(one, i)
    await settled(pool)
    with anyio.fail_after(5):
        gate = Gate()
        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(pool.run, gate.work)
            await gate.wait_for(4)
            gate.open.set()


def test_two_event_loops_share_a_pool():
    """Each is told of its own work."""
    pool = ThreadPool(size=2)

    async def main() -> list[int]:
        return [await pool.run(lambda i=i: i) for i in range(50)]

    results: list[list[int]] = []
    threads = [
        threading.Thread(target=lambda backend=backend: results.append(anyio.run(main, backend=backend)))
        for backend in ("asyncio", "trio", "asyncio")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert results == [list(range(50))] * 3


async def test_a_fast_thread_waits_for_a_slow_listener():
    """Of a million reports a hundred are on the way at once."""
    pool = ThreadPool()
    seen: list[int] = []
    sent: list[int] = []
    most = 0

    async def behind() -> None:
        nonlocal most
        most = max(most, len(sent) - len(seen))
        await anyio.sleep(0)

    def listen(value: int) -> Any:
        seen.append(value)
        return behind()

    def work(reports: Reports) -> None:
        for i in range(1_000):
            reports.report(i)
            sent.append(i)

    with Reports(listen) as reports:
        await pool.run(lambda: work(reports), reports=reports)
    assert seen == list(range(1_000))
    assert most <= 101


async def test_a_thread_that_waits_for_its_listener_can_be_given_up():
    """It learns so, and ends."""
    pool, told = ThreadPool(), threading.Event()

    def work(reports: Reports) -> None:
        try:
            while True:
                reports.report(1)
        except GivenUp:
            told.set()

    with Reports(lambda _: anyio.sleep(9)) as reports, pytest.raises(TimedOut):
        await pool.run(lambda: work(reports), timeout_s=0.02, reports=reports)
    await settled(pool)
    assert told.is_set()


def test_a_loop_that_is_gone_hangs_nobody():
    """The thread's end is told to nobody, and its reports go nowhere."""
    pool, gate = ThreadPool(), Gate()
    ended = threading.Event()

    def work(reports: Reports) -> None:
        gate.work()
        try:
            for i in range(1_000):
                reports.report(i)
        finally:
            ended.set()

    async def main() -> None:
        with Reports(lambda _: None) as reports, pytest.raises(TimedOut):
            await pool.run(lambda: work(reports), timeout_s=0.02, reports=reports)

    anyio.run(main)
    gate.open.set()
    assert ended.wait(5)
