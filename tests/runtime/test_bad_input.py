"""Floods, deadlines and types that no model can meet: bounded memory, a legal transcript, one answer for each call."""

from __future__ import annotations

import gc
import threading
import time
import tracemalloc
from typing import Literal

import anyio
import pytest
from harness import answered, contents

from agentkit import Agent, Limits, RunStopped, UsageError, tool
from agentkit.core.events import ReasoningEvent, TextEvent
from agentkit.core.messages import Assistant
from agentkit.core.state import fold
from agentkit.models.scripted import Scripted, call
from agentkit.stores import SQLite

pytestmark = pytest.mark.anyio

ONE_LOOP = pytest.mark.parametrize("anyio_backend", ["asyncio"])


class Counter:
    """An object that breaks if two calls are in it at once."""

    def __init__(self):
        self.values = []

    def push(self, n: int) -> int:
        before = len(self.values)
        time.sleep(0)
        self.values.append(n)
        assert len(self.values) == before + 1
        return n


@pytest.mark.parametrize("kind", ["async", "thread", "object", "barrier"])
async def test_a_thousand_calls_in_one_message(kind):
    """Each has its answer, in call order, whether they run at once or in order."""

    @tool(name="work")
    async def at_once(n: int) -> int:
        await anyio.sleep(0)
        return n

    @tool(name="work")
    def thread(n: int) -> int:
        return n

    @tool(name="work", sequential=True)
    async def barrier(n: int) -> int:
        return n

    counter = Counter()
    made = {"async": at_once, "thread": thread, "object": tool(counter.push, name="work"), "barrier": barrier}[kind]
    batch = [call("work", n=n) for n in range(1_000)]
    with anyio.fail_after(60):
        result = await Agent(Scripted([batch, "done"]), [made]).arun("go")
    assert contents(result) == [str(n) for n in range(1_000)]
    assert counter.values in ([], [*range(1_000)])


async def test_a_thousand_calls_that_all_fail_differently():
    """Unknown, broken, over the budget: each is answered."""
    batch = [[call("nothing"), ("work", "{"), ("work", '{"n": "x"}'), call("work", n=1)][n % 4] for n in range(1_000)]
    batch = [c if isinstance(c, tuple) else call(c.name, n=n) for n, c in enumerate(batch)]

    @tool
    async def work(n: int) -> int:
        return n

    result = await Agent(Scripted([batch, "done"]), [work], limits=Limits(tool_calls=10)).arun("go")
    assert answered(result)
    ok = [e for e in result.entries if e.kind == "tool_result" and e.outcome == "ok"]
    assert len(ok) == 10


async def test_a_thousand_calls_that_wait_for_approval():
    """Decided at once, all of them run."""

    @tool(requires_approval=True)
    async def pay(n: int) -> int:
        return n

    agent = Agent(Scripted([[call("pay", n=n) for n in range(1_000)], "done"]), [pay])
    waiting = await agent.arun("go")
    result = await agent.aresume(waiting, {wanted.id: True for wanted in waiting.pending})
    assert contents(result) == [str(n) for n in range(1_000)]


@ONE_LOOP
@pytest.mark.parametrize("in_thread", [False, True])
async def test_a_result_of_50_mb_is_cut_and_let_go(tmp_path, in_thread):
    """What is kept, stored and shown to the model is bounded; the rest is gone after the call."""
    size = 50_000_000

    @tool(name="dump")
    def thread() -> str:
        return "x" * size

    @tool(name="dump")
    async def loop() -> str:
        return "x" * size

    agent = Agent(Scripted([call("dump"), "done"]), [thread if in_thread else loop], store=SQLite(tmp_path / "runs.db"))
    tracemalloc.start()
    try:
        result = await agent.arun("go", session="s")
        await anyio.sleep(0.05)
        gc.collect()
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(contents(result)[0]) <= 50_000
    assert kept < 20_000_000
    assert peak < 2.5 * size
    assert (tmp_path / "runs.db-wal").stat().st_size < 1_000_000 if (tmp_path / "runs.db-wal").exists() else True


@ONE_LOOP
@pytest.mark.parametrize("event", [TextEvent, ReasoningEvent])
async def test_a_million_chunks_take_no_more_memory_than_their_text(event):
    """However many pieces an answer comes in."""

    class Endless:
        async def call(self, request, emit=None):
            for n in range(1_000_000):
                if (wait := emit(event(f"{n % 1000:03} "))) is not None:
                    await wait
            return Assistant(content="done")

    count = 0
    async with Agent(Endless()).astream("go") as events:
        await anext(events)
        tracemalloc.start()
        try:
            async for _ in events:
                count += 1
                if count == 200_000:  # tracing a million takes its time
                    _, peak = tracemalloc.get_traced_memory()
                    tracemalloc.stop()
        finally:
            tracemalloc.stop()
    assert count == 1_000_001 + (event is ReasoningEvent)  # the text that was not emitted is told at the end
    assert peak < 9_000_000  # a list of the pieces: 13 million


async def test_a_deadline_inside_a_sync_tool():
    """The run ends in time, the call is answered, what came after it in its lane and wave does not run."""
    release, ran = threading.Event(), []

    class Thing:
        def hang(self) -> None:
            release.wait(10)

        def later(self) -> None:
            ran.append("later")

    @tool(sequential=True)
    def last() -> None:
        ran.append("last")

    thing = Thing()
    agent = Agent(
        Scripted([[call("hang"), call("later"), call("last")]]),
        [thing.hang, thing.later, last],
        limits=Limits(deadline_s=0.3),
    )
    began = time.monotonic()
    result = await agent.arun("go")
    release.set()
    assert time.monotonic() - began < 5
    assert result.stop_reason == "deadline_s"
    hung, *others = contents(result)
    assert hung == "interrupted by the deadline: the call had started, its outcome is unknown."
    assert others == ["not run: the deadline has passed."] * 2
    assert ran == []
    fold(result.entries)


async def test_a_deadline_inside_the_model_and_inside_an_approver():
    """Nothing is left open that could not go on."""

    class Halting:
        async def call(self, request, emit=None):
            await anyio.sleep_forever()

    result = await Agent(Halting(), limits=Limits(deadline_s=0.05)).arun("go")
    assert result.stop_reason == "deadline_s"
    assert result.entries[-2].aborted


@pytest.mark.parametrize("wanted", [threading.Thread, list[threading.Thread]])
async def test_a_type_that_has_no_schema_is_refused_before_the_model_is_asked(wanted):
    """The error names it."""
    model = Scripted([])
    with pytest.raises(UsageError, match="output="):
        await Agent(model).arun("go", output=wanted)
    assert model.requests == []


async def test_a_type_that_no_answer_meets_ends_with_the_fault_and_the_last_text():
    """After two corrections; the transcript is legal, and the next question works."""
    lines = [call("final_result", value="maybe")] * 3
    agent = Agent(Scripted([*lines, "fine"]))
    result = await agent.arun("go", output=Literal["yes", "no"])
    assert result.stop_reason == "output"
    assert answered(result)
    with pytest.raises(RunStopped, match="yes"):
        _ = result.output
    assert (await agent.arun("and?", history=result)).output == "fine"


async def test_a_reader_that_stops_reading_holds_everything_back():
    """The model and the tools, two at once; and when it leaves, all of them end."""
    emitted, ended = 0, 0

    @tool
    async def flood():
        nonlocal emitted, ended
        try:
            while True:
                emitted += 1
                yield emitted
        finally:
            ended += 1

    @tool
    def threads():
        nonlocal emitted, ended
        try:
            while True:
                emitted += 1
                yield emitted
        finally:
            ended += 1

    agent = Agent(Scripted([[call("flood"), call("threads")]]), [flood, threads])
    with anyio.fail_after(20):
        async with agent.astream("go") as events:
            await anext(events)
            await anyio.sleep(0.3)
            before = emitted
            await anyio.sleep(0.1)
            assert emitted == before < 3_000
        for _ in range(200):
            if ended == 2:
                break
            await anyio.sleep(0.01)
    assert ended == 2


async def test_an_approver_a_view_and_instructions_that_raise_end_the_run_with_their_own_error():
    """It carries the run, and nothing has run that was not decided."""
    ran = []

    @tool(requires_approval=True)
    async def pay() -> None:
        ran.append("pay")

    def broken(*_):
        raise LookupError("mine")

    for options in ({"approve": broken}, {"view": [broken]}):
        with pytest.raises(LookupError, match="mine") as caught:
            await Agent(Scripted([call("pay"), "x"]), [pay], **options).arun("go")
        fold(caught.value.result.entries)
    with pytest.raises(LookupError, match="mine"):
        await Agent(Scripted([]), instructions=broken).arun("go")
    assert ran == []


async def test_a_store_that_fails_in_a_batch_ends_the_run_plainly():
    """Not in a group, with the run; what is kept goes on later."""
    from agentkit.errors import StoreError
    from agentkit.stores import Memory

    class Failing(Memory):
        broken = True

        async def open(self, session):
            log = await super().open(session)
            keep = log.append

            async def append(entry):
                if self.broken and entry.kind == "tool_result":
                    raise StoreError("disk full")
                await keep(entry)

            log.append = append
            return log

    @tool(idempotent=True)
    async def work(n: int) -> int:
        return n

    store = Failing()
    agent = Agent(Scripted([[call("work", n=1), call("work", n=2)], "done"]), [work], store=store)
    with pytest.raises(StoreError, match="disk full") as caught:
        await agent.arun("go", session="s")
    assert caught.value.result.session == "s"
    store.broken = False
    result = await agent.arun("go", session="s")
    assert contents(result) == ["1", "2"]
