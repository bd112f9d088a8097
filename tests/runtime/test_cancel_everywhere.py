"""Cancelled at the n-th await, for every n, in every way to run: what is finished is recorded, and the run goes on.

Model, tools, approver and store are all places to cancel. What must hold after a cancel, of the store alone:

1. The transcript is legal, and no call that has started is without an answer.
2. Whatever a tool had returned stands there as its result; whatever the model had answered stands there as its answer.
3. An answer that was broken off stands there as aborted.
4. The session is free. The same question finishes it, and no effect happens twice.
"""

from __future__ import annotations

import anyio
import pytest
from harness import answered

from agentkit import Agent, tool
from agentkit.core.events import TextEvent, ToolCallEvent, ToolCallReady
from agentkit.core.messages import Assistant, ToolResult
from agentkit.core.state import fold
from agentkit.models.scripted import call
from agentkit.stores import Memory

pytestmark = pytest.mark.anyio


class World:
    """What happens outside of the transcript, and the moment of the cancel."""

    def __init__(self, at):
        self.at = at
        self.passed = 0
        self.scope = anyio.CancelScope()
        self.effects = []
        self.returned = []
        self.asked = 0
        self.answers = []

    async def point(self):
        """A place where a cancel may strike."""
        self.passed += 1
        if self.passed == self.at:
            self.scope.cancel()
        await anyio.lowlevel.checkpoint()


class Store(Memory):
    """Slow, and cancelled like everything else."""

    def __init__(self, world):
        super().__init__()
        self.world = world

    async def open(self, session):
        log = await super().open(session)
        keep, close = log.append, log.close

        async def append(entry):
            await self.world.point()
            await keep(entry)
            await self.world.point()

        async def closed():
            await self.world.point()
            await close()

        log.append, log.close = append, closed
        return log


class Model:
    """Two batches of calls, then an answer, in pieces."""

    def __init__(self, world, *names):
        self.world = world
        self.names = names

    async def call(self, request, emit=None):
        world = self.world
        world.asked += 1
        steps = sum(m.kind == "assistant" for m in request.messages)
        calls = tuple(call(name, n=10 * steps + i) for i, name in enumerate(self.names)) if steps < 2 else ()
        deltas = [TextEvent("a "), TextEvent("b ")]
        for wanted in calls:
            deltas += [ToolCallEvent(wanted), ToolCallReady(wanted)]
        for delta in deltas:
            await world.point()
            if emit is not None and (wait := emit(delta)) is not None:
                await wait
        await world.point()
        world.answers.append(steps)
        return Assistant(content="a b " if calls else "done", tool_calls=calls)


def tools_of(world):
    """One that must not happen twice, one that may, one that asks, one that is slow in a thread."""

    async def effect(name, n):
        world.effects.append((name, n))
        await world.point()
        world.returned.append(f"{name} {n}")
        return f"{name} {n}"

    @tool
    async def work(n: int) -> str:
        return await effect("work", n)

    @tool(idempotent=True)
    async def look(n: int) -> str:
        await world.point()
        return f"look {n}"

    @tool(requires_approval=True)
    async def pay(n: int) -> str:
        return await effect("pay", n)

    @tool(sequential=True)
    async def alone(n: int) -> str:
        return await effect("alone", n)

    @tool
    def thread(n: int) -> str:
        return f"thread {n}"

    return {made.name: made for made in (work, look, pay, alone, thread)}


class Inner:
    """An agent's model that makes one call and answers."""

    def __init__(self, world):
        self.world = world

    async def call(self, request, emit=None):
        await self.world.point()
        if request.messages[-1].kind == "tool_result":
            return Assistant(content="inner done")
        return Assistant(tool_calls=(call("work", n=len(self.world.effects) + 100),))


SETTINGS = {
    "plain": (("work", "work", "thread"), False),
    "streamed": (("work", "work", "thread"), True),
    "barriers": (("work", "alone", "work"), True),
    "early start": (("look", "work", "look"), True),
    "approval": (("pay", "look", "pay"), False),
    "approval, streamed": (("look", "pay"), True),
}


async def run(agent, world, *, streamed):
    """Whether the run was over before the cancel."""
    with world.scope:
        if streamed:
            async with agent.astream("go", session="s") as events:
                async for _ in events:
                    await world.point()
        else:
            await agent.arun("go", session="s")
        return True
    return False


@pytest.mark.parametrize("setting", SETTINGS)
async def test_a_cancel_at_every_await(setting):
    """See the head of this file."""
    names, streamed = SETTINGS[setting]
    for at in range(1, 2_000):
        world = World(at)
        store = Store(world)

        async def approve(wanted, world=world):
            await world.point()
            return True

        all_tools = tools_of(world)
        agent = Agent(
            Model(world, *names), [all_tools[name] for name in dict.fromkeys(names)], store=store, approve=approve
        )
        over = await run(agent, world, streamed=streamed)
        if over:
            assert at > 30
            return
        world.at = -1
        check(store._sessions.get("s", []), world, f"cancelled at await {at}")
        result = await agent.arun("go", session="s")
        assert result.output == "done", at
        assert answered(result), at
        assert len(world.effects) == len(set(world.effects)), f"an effect happened twice after a cancel at await {at}"
    pytest.fail("the run never came to its end")


def check(entries, world, when):
    """What the store alone must hold."""
    state = fold(entries)
    assert state.in_flight == (), when
    recorded = {e.content for e in entries if isinstance(e, ToolResult) and e.outcome == "ok"}
    assert set(world.returned) <= recorded, when
    said = [e for e in entries if isinstance(e, Assistant)]
    assert len([e for e in said if not e.aborted]) == len(world.answers), when
    assert len(said) == world.asked, f"{when}: an answer that was broken off left no trace"


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_cancel_at_every_await_of_agents_that_are_tools(streamed):
    """The inner run ends with the outer one: its call is answered as interrupted, and its effects are not repeated."""
    for at in range(1, 2_000):
        world = World(at)
        store = Store(world)
        inner = Agent(Inner(world), [tools_of(world)["work"]]).as_tool(name="inner")

        class Outer:
            async def call(self, request, emit=None, world=world):
                await world.point()
                if request.messages[-1].kind == "tool_result":
                    return Assistant(content="done")
                return Assistant(tool_calls=(call("inner", question="a"), call("inner", question="b")))

        agent = Agent(Outer(), [inner], store=store)
        if await run(agent, world, streamed=streamed):
            assert at > 20
            return
        world.at = -1
        entries = store._sessions.get("s", [])
        assert fold(entries).in_flight == (), at
        if entries and entries[-1].kind == "ended":  # the reader was cancelled, and not the run
            continue
        before = len(world.effects)
        started = any(e.kind == "tool_started" for e in entries)
        result = await agent.arun("go", session="s")
        assert result.output == "done", at
        assert answered(result), at
        assert not started or len(world.effects) <= before + 1, f"an effect was repeated after a cancel at await {at}"
    pytest.fail("the run never came to its end")


async def test_a_slow_store_keeps_the_order_of_the_transcript():
    """Lanes end in any order; what is kept is what the run saw, entry by entry."""

    class Uneven(Memory):
        async def open(self, session):
            log = await super().open(session)
            keep = log.append

            async def append(entry):
                if isinstance(entry, ToolResult):
                    await anyio.sleep(0.01 if entry.content == "0" else 0.001)
                await keep(entry)

            log.append = append
            return log

    @tool
    async def work(n: int) -> int:
        await anyio.sleep(0)
        return n

    class Once:
        async def call(self, request, emit=None):
            if request.messages[-1].kind == "tool_result":
                return Assistant(content="done")
            return Assistant(tool_calls=tuple(call("work", n=n) for n in range(5)))

    store = Uneven()
    result = await Agent(Once(), [work], store=store).arun("go", session="s")
    assert tuple(store._sessions["s"]) == result.entries


async def test_a_call_is_on_record_before_its_effect():
    """A crash in the middle of the effect leaves a trace."""
    store = Memory()
    on_record = []

    @tool
    async def pay() -> str:
        on_record.append([e.kind for e in store._sessions["s"]][-1])
        return "paid"

    class Once:
        async def call(self, request, emit=None):
            if request.messages[-1].kind == "tool_result":
                return Assistant(content="done")
            return Assistant(tool_calls=(call("pay"),))

    await Agent(Once(), [pay], store=store).arun("go", session="s")
    assert on_record == ["tool_started"]
