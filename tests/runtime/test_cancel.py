"""A cancel always cancels, finished work is recorded, and the transcript stays one that can go on."""

from __future__ import annotations

import threading

import anyio
import pytest
from harness import answered

from agentkit import Agent, tool
from agentkit.core.entries import Ended
from agentkit.core.events import TextEvent
from agentkit.core.messages import Assistant, ToolResult
from agentkit.core.state import fold
from agentkit.models.scripted import call
from agentkit.stores.memory import Memory

pytestmark = pytest.mark.anyio


class Trap:
    """Cancels a scope when the run comes by for the n-th time."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.passed = 0
        self.scope = anyio.CancelScope()

    async def point(self) -> None:
        """A place where a cancel may strike."""
        self.passed += 1
        if self.passed == self.at:
            self.scope.cancel()
        await anyio.lowlevel.checkpoint()


class Model:
    """Two batches of calls, then an answer; each answer comes in pieces."""

    def __init__(self, trap: Trap) -> None:
        self.trap = trap

    async def call(self, request, emit=None):
        steps = sum(m.kind == "assistant" for m in request.messages)
        text = f"step {steps} "
        for piece in text.split():
            await self.trap.point()
            if emit is not None and (wait := emit(TextEvent(piece))) is not None:
                await wait
        calls = (call("work", n=2 * steps), call("work", n=2 * steps + 1), call("slow", n=steps))
        return Assistant(content=text, tool_calls=calls) if steps < 2 else Assistant(content="done")


class TrapStore(Memory):
    """A store whose appends are places to cancel."""

    def __init__(self, trap: Trap) -> None:
        super().__init__()
        self.trap = trap

    async def open(self, session):
        log = await super().open(session)
        keep = log.append

        async def append(entry):
            await self.trap.point()
            await keep(entry)

        log.append = append
        return log


def setting(trap, effects):
    """An agent whose every part is a place to cancel."""

    @tool
    async def work(n: int) -> int:
        effects.append(n)
        await trap.point()
        return n

    @tool
    def slow(n: int) -> str:
        return f"slow {n}"

    store = TrapStore(trap)
    return Agent(Model(trap), [work, slow], store=store), store


async def run_until_cancelled(agent, trap, *, streamed):
    """Whether the run was over before the cancel."""
    with trap.scope:
        if streamed:
            async with agent.astream("go", session="s") as events:
                async for _ in events:
                    pass
        else:
            await agent.arun("go", session="s")
        return True
    return False


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_cancel_at_every_await_leaves_a_transcript_that_goes_on(streamed):
    """Cancelled at the n-th await, for every n: legal, and the same question finishes it without a second effect."""
    for at in range(1, 500):
        trap, effects = Trap(at), []
        agent, store = setting(trap, effects)
        over = await run_until_cancelled(agent, trap, streamed=streamed)
        trap.at = -1
        if over:
            assert at > 20
            return
        entries = (await store.open("probe")).entries or await transcript(store)
        fold(entries)
        result = await agent.arun("go", session="s")
        assert result.output == "done", at
        assert answered(result), at
        assert len(effects) == len(set(effects)), f"an effect happened twice after a cancel at await {at}"
        assert isinstance(result.entries[-1], Ended)
    pytest.fail("the run never came to its end")


async def transcript(store):
    """What the store holds of the session."""
    log = await store.open("s")
    await log.close()
    return log.entries


async def test_another_question_after_a_cancel_closes_what_was_open():
    """The session is not dead: open calls are answered as interrupted, and the new turn runs."""
    trap, effects = Trap(-1), []
    agent, store = setting(trap, effects)
    gate = anyio.Event()

    @tool
    async def hang(n: int) -> str:
        gate.set()
        await anyio.sleep_forever()

    with agent.override(tools=[hang.replace(name="work"), agent.tools["slow"]]):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: agent.arun("go", session="s"))
            await gate.wait()
            tasks.cancel_scope.cancel()
    results = [e for e in await transcript(store) if isinstance(e, ToolResult)]
    assert {r.outcome for r in results} <= {"interrupted", "ok"}
    assert any(r.outcome == "interrupted" for r in results)
    result = await agent.arun("something else", session="s")
    assert result.output
    assert answered(result)


async def test_a_cancelled_answer_is_kept_as_aborted_and_not_shown_again():
    """What was heard of it stands in the transcript; the model does not see it."""
    heard = anyio.Event()

    class Halting:
        def __init__(self):
            self.requests = []

        async def call(self, request, emit=None):
            self.requests.append(request)
            if len(self.requests) > 1:
                return Assistant(content="whole")
            emit(TextEvent("half an ans"))
            heard.set()
            await anyio.sleep_forever()

    model, store = Halting(), Memory()
    agent = Agent(model, store=store)
    async with agent.astream("go", session="s") as events:
        async for event in events:
            if event.kind == "text":
                break
    (aborted,) = [e for e in await transcript(store) if isinstance(e, Assistant)]
    assert aborted.aborted
    assert aborted.content == "half an ans"
    result = await agent.arun("go", session="s")
    assert result.output == "whole"
    assert [m.kind for m in model.requests[1].messages] == ["user"]


async def test_a_cancel_does_not_wait_for_a_sync_tool():
    """Its thread is abandoned, and the call is answered as interrupted."""
    started, release = threading.Event(), threading.Event()

    @tool
    def hang() -> str:
        started.set()
        release.wait(10)
        return "late"

    class Once:
        async def call(self, request, emit=None):
            return Assistant(tool_calls=(call("hang"),))

    store = Memory()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: Agent(Once(), [hang], store=store).arun("go", session="s"))
            while not started.is_set():
                await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
    release.set()
    results = [e for e in await transcript(store) if isinstance(e, ToolResult)]
    assert [r.outcome for r in results] == ["interrupted"]


async def test_finished_siblings_of_a_cancelled_call_keep_their_results():
    """A result that was there before the cancel is not lost."""
    store, reached = Memory(), anyio.Event()

    @tool
    async def quick() -> str:
        return "quick result"

    @tool
    async def hang() -> str:
        reached.set()
        await anyio.sleep_forever()

    class Once:
        async def call(self, request, emit=None):
            return Assistant(tool_calls=(call("quick"), call("hang")))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: Agent(Once(), [quick, hang], store=store).arun("go", session="s"))
        await reached.wait()
        await anyio.sleep(0.02)
        tasks.cancel_scope.cancel()
    results = {e.name: e for e in await transcript(store) if isinstance(e, ToolResult)}
    assert results["quick"].content == "quick result"
    assert results["hang"].outcome == "interrupted"
