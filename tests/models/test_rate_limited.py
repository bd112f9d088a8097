"""No more than a server allows: the arithmetic without waiting, then the line of those who wait."""

from __future__ import annotations

import math
import os
import threading

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit import Agent, UsageError
from agentkit.core.messages import Assistant, ToolCall, ToolResult, Usage, User
from agentkit.errors import Unavailable
from agentkit.models.model import Request
from agentkit.models.scripted import Scripted
from agentkit.models.wrap import RateLimited
from agentkit.models.wrap.rate_limited import _Waiter
from agentkit.models.wrap.windows import Allowance, Window, estimated_tokens

ASK = Request(messages=(User(content="Hello?"),))


# ---- the arithmetic ----


@settings(deadline=None)
@given(
    st.integers(1, 20),
    st.lists(st.tuples(st.integers(0, 12), st.floats(0, 30)), max_size=60),
    st.integers(1, 90),
)
def test_no_span_of_time_holds_more_than_the_limit(limit: int, asks: list[tuple[int, float]], span: int):
    """Wherever a minute begins; but for one request that is bigger than the limit, alone in its minute."""
    window, now, starts = Window(limit, float(span)), 0.0, []
    for amount, pause in asks:
        now += pause
        wait = window.wait_s(amount, now)
        assert 0 <= wait <= span + 1e-9
        now += wait
        assert window.wait_s(amount, now) < 1e-9
        window.spend(amount, now)
        starts.append((now, amount))
    for begin, _ in starts:
        inside = [amount for at, amount in starts if begin <= at < begin + span - 1e-9 and amount]
        assert sum(inside) <= limit or len(inside) == 1


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 60), st.floats(0, 40)), max_size=30))
def test_estimates_are_put_right(calls: list[tuple[int, int, float]]):
    """What is used is what it really was, as long as it is in the window; later than that it is forgotten."""
    window, now, log = Window(10**9), 0.0, []
    for estimate, actual, took in calls:
        start = now
        spent = window.spend(estimate, start)
        now += took
        window.wait_s(0, now)
        window.settle(spent, estimate, actual, now)
        log += [(start, min(estimate, actual)), (now, max(0, actual - estimate))]
    assert window.used == sum(amount for at, amount in log if at + 60 > now)
    window.wait_s(0, now + 60)
    assert window.used == 0


def test_a_request_that_is_bigger_than_the_limit_starts_alone():
    """It waits for an empty window, not for ever."""
    window = Window(10)
    assert window.wait_s(25, 0) == 0
    window.spend(25, 0)
    assert window.wait_s(1, 1) == 59
    assert window.wait_s(25, 1) == 59
    assert window.wait_s(25, 60) == 0


def test_what_an_answer_cost_more_than_was_thought_counts_from_then_on():
    """And what it cost less is free again."""
    window = Window(10)
    spent = window.spend(2, 0)
    window.settle(spent, 2, 12, 30)
    assert (window.used, window.wait_s(1, 30)) == (12, 60)
    window = Window(10)
    spent = window.spend(10, 0)
    window.settle(spent, 10, 3, 1)
    assert (window.used, window.wait_s(7, 1), window.wait_s(8, 1)) == (3, 0, 59)
    window.wait_s(0, 61)
    window.settle(spent, 10, 3, 62)
    assert window.used == 0


def test_a_request_starts_when_each_limit_lets_it():
    """The longest wait counts; a full house is waited for as long as it takes."""
    allowance = Allowance(Window(2), Window(100), 2)
    one = allowance.start(60, 0)
    assert allowance.wait_s(60, 1) == 59
    assert allowance.wait_s(40, 1) == 0
    two = allowance.start(40, 1)
    assert allowance.wait_s(0, 2) == math.inf
    allowance.end(one, 60, 10, 2)
    assert allowance.wait_s(0, 2) == 58
    allowance.end(two, 40, 40, 2)
    assert allowance.running == 0


def test_an_estimate_counts_what_is_sent():
    """Texts, calls and results, about four characters to a token."""
    calls = (ToolCall(id="1", name="find", arguments="x" * 36),)
    messages = (
        User(content="x" * 40),
        User(content=({"type": "text", "text": "x" * 40}, {"type": "image_url", "image_url": {}})),
        Assistant(content="x" * 40, tool_calls=calls),
        ToolResult(call_id="1", name="find", content="x" * 36),
    )
    assert estimated_tokens(Request(messages=messages)) == 50


# ---- the line ----


class Busy:
    """Counts how many calls are inside at once, across threads."""

    def __init__(self, takes_s: float = 0.005, usage: int = 0) -> None:
        self.takes_s, self.usage = takes_s, usage
        self.inside = self.most = self.total = 0
        self.order: list[str] = []
        self._lock = threading.Lock()

    async def call(self, request, emit=None):
        with self._lock:
            self.inside += 1
            self.total += 1
            self.most = max(self.most, self.inside)
            self.order.append(request.messages[-1].content)
        try:
            await anyio.sleep(self.takes_s)
        finally:
            with self._lock:
                self.inside -= 1
        return Assistant(content="ok", usage=Usage(input_tokens=self.usage, requests=1))


def ask(text):
    return Request(messages=(User(content=text),))


@pytest.mark.anyio
async def test_so_many_at_once_and_in_the_order_they_came():
    """First come, first served."""
    busy = Busy()
    model = RateLimited(busy, max_concurrent=3)
    async with anyio.create_task_group() as tasks:
        for n in range(20):
            tasks.start_soon(model.call, ask(str(n)))
            await anyio.lowlevel.checkpoint()
            await anyio.lowlevel.checkpoint()
    assert busy.most == 3
    assert busy.order == [str(n) for n in range(20)]


def test_all_threads_and_event_loops_share_the_allowance():
    """Ten loops in ten threads, two kinds, and never more than four at once; nobody is forgotten."""
    busy = Busy(0.002)
    model = RateLimited(busy, max_concurrent=4)

    async def work() -> None:
        async with anyio.create_task_group() as tasks:
            for n in range(15):
                tasks.start_soon(model.call, ask(str(n)))

    threads = [threading.Thread(target=anyio.run, args=(work,), kwargs={"backend": b}) for b in ["asyncio", "trio"] * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert busy.total == 150
    assert busy.most == 4


@pytest.mark.anyio
async def test_a_request_too_many_waits():
    """Two a minute: the third is not asked within a moment."""
    busy = Busy(0)
    model = RateLimited(busy, requests_per_minute=2)
    with anyio.move_on_after(0.1) as scope:
        for n in range(3):
            await model.call(ask(str(n)))
    assert scope.cancelled_caught
    assert busy.total == 2


@pytest.mark.anyio
async def test_tokens_count_as_the_answers_say():
    """A short question with a long answer uses the minute up."""
    busy = Busy(0, usage=900)
    model = RateLimited(busy, tokens_per_minute=1000)
    with anyio.move_on_after(0.1) as scope:
        for n in range(3):
            await model.call(ask(str(n) * 800))
    assert scope.cancelled_caught
    assert busy.total == 1


@pytest.mark.anyio
async def test_those_who_leave_hold_nobody_up():
    """A cancelled waiter gives its place up; a cancelled, a failed and a broken call give back theirs."""
    gate = anyio.Event()

    class Model:
        async def call(self, request, emit=None):
            match request.messages[-1].content:
                case "hold":
                    await gate.wait()
                case "fail":
                    raise Unavailable("down")
                case "bug":
                    raise KeyError("bug")
            return Assistant(content="ok")

    model = RateLimited(Model(), max_concurrent=1)
    for error in ("fail", "bug"):
        with pytest.raises((Unavailable, KeyError)):
            await model.call(ask(error))
    answers = []

    async def last() -> None:
        answers.append(await model.call(ask("last")))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(model.call, ask("hold"))
            await anyio.wait_all_tasks_blocked()
            impatient = anyio.CancelScope()

            async def waits() -> None:
                with impatient:
                    await model.call(ask("never"))

            tasks.start_soon(waits)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(last)
            await anyio.wait_all_tasks_blocked()
            impatient.cancel()
            await anyio.wait_all_tasks_blocked()
            assert answers == []
            gate.set()
    assert [answer.content for answer in answers] == ["ok"]


@pytest.mark.anyio
async def test_a_cancel_at_any_moment_leaves_the_line_in_order():
    """However the callers come and go, the next one gets through at once."""
    busy = Busy(0.003)
    model = RateLimited(busy, max_concurrent=2)

    async def comes_and_goes(stays_s: float) -> None:
        with anyio.move_on_after(stays_s):
            await model.call(ask("x"))

    async with anyio.create_task_group() as tasks:
        for n in range(60):
            tasks.start_soon(comes_and_goes, n % 13 / 1000)
    with anyio.fail_after(1):
        await model.call(ask("y"))
    assert busy.most <= 2


@pytest.mark.anyio
async def test_a_loop_that_died_is_not_waited_for():
    """Who waited in it is gone; the next one in line is woken."""
    busy = Busy(0)
    model = RateLimited(busy, max_concurrent=1)
    line = model._line()
    spent = await line.start(0)

    def gone(_) -> None:
        raise RuntimeError("Event loop is closed")

    line._waiting.append(_Waiter(gone))
    with anyio.fail_after(2):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(model.call, ASK)
            await anyio.wait_all_tasks_blocked()
            assert busy.most == 0
            line.end(spent, 0, 0)
    assert busy.most == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this machine has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_does_not_wait_for_those_of_its_parent():
    """It has an allowance of its own."""
    model = RateLimited(Busy(0), max_concurrent=1)

    async def inside() -> None:
        await model._line().start(0)

    anyio.run(inside)
    pid = os.fork()
    if pid == 0:

        async def child() -> None:
            with anyio.move_on_after(2) as scope:
                await model.call(ASK)
            os._exit(int(scope.cancelled_caught))

        anyio.run(child)
    assert os.waitpid(pid, 0)[1] == 0


@pytest.mark.anyio
async def test_a_limited_model_serves_agents():
    """Nothing else changes, and it says what it is."""
    model = RateLimited(Scripted(["Hi."]), requests_per_minute=60, max_concurrent=2)
    assert (await Agent(model).arun("?")).output == "Hi."
    assert "requests_per_minute=60, max_concurrent=2" in repr(model)


@pytest.mark.parametrize("limits", [{"requests_per_minute": 0}, {"tokens_per_minute": -1}, {"max_concurrent": True}])
def test_a_limit_of_nothing_is_refused(limits):
    """Where the mistake is made."""
    with pytest.raises(UsageError):
        RateLimited(Scripted([]), **limits)
