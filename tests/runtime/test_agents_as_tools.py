"""An agent is a tool: its budget, its usage and its events belong to the caller's run."""

from __future__ import annotations

import anyio
import pytest
from harness import contents

from agentkit import Agent, Limits, ToolContext, Usage, UsageError, tool
from agentkit.core.messages import Assistant
from agentkit.models.scripted import Scripted, call

pytestmark = pytest.mark.anyio


def researcher(lines, **options):
    """An agent with a name."""
    return Agent(Scripted(lines, **options), name="researcher")


async def test_the_answer_of_the_inner_agent_is_the_result_of_the_call():
    """A question in, the answer out."""
    inner = researcher(["Paris."])
    outer = Agent(Scripted([call("researcher", question="Capital of France?"), "It is Paris."]), [inner.as_tool()])
    result = await outer.arun("go")
    assert contents(result) == ["Paris."]
    assert inner.model.requests[0].messages[-1].content == "Capital of France?"


async def test_what_the_inner_agent_spends_is_counted():
    """Tokens and dollars of the child are the parent's, too."""
    inner = researcher(["Paris."], usage=Usage(input_tokens=100, output_tokens=10), cost_usd=0.5)
    model = Scripted([call("researcher", question="?"), "done"], usage=Usage(input_tokens=1), cost_usd=0.1)
    result = await Agent(model, [inner.as_tool()]).arun("go")
    assert result.usage.input_tokens == 102
    assert result.usage.output_tokens == 10
    assert result.usage.requests == 3
    assert result.cost_usd == pytest.approx(0.7)


@pytest.mark.parametrize(("policy", "limits", "tries"), [
    ({"timeout_s": 0.05}, Limits(), 1), ({"timeout_s": 0.05, "idempotent": True, "retries": 1}, Limits(), 2),
    ({}, Limits(deadline_s=0.1), 1), ({"retries": 1}, Limits(), 2),
])  # fmt: skip
async def test_what_an_inner_agent_spent_is_counted_however_it_ended(policy, limits, tries):
    """A timeout, the deadline, an exception; and each try."""
    asked = []

    class Costly:
        async def call(self, request, emit=None):
            asked.append(request)
            if request.messages[-1].kind == "tool_result":
                await anyio.sleep_forever()
            name = "look" if "timeout_s" in policy or limits.deadline_s else "fail"
            return Assistant(tool_calls=(call(name),), usage=Usage(input_tokens=100), cost_usd=0.5)

    async def look() -> str:
        return "seen"

    async def fail() -> str:
        raise KeyError("a bug")

    inner = Agent(Costly(), [look, fail], on_tool_error="raise").as_tool("inner", **policy)
    model = Scripted([call("inner", question="?"), "done"], usage=Usage(input_tokens=1), cost_usd=0.1)
    with anyio.fail_after(5):
        result = await Agent(model, [inner], limits=limits).arun("go")
    assert result.usage.input_tokens == 100 * tries + len(model.requests)
    assert len(contents(result)) == 1
    never_answered = any(request.messages[-1].kind == "tool_result" for request in asked)
    assert (result.cost_usd is None) == never_answered


async def test_the_inner_agent_works_on_the_rest_of_its_callers_budget():
    """Tokens that the parent has spent are not there for the child."""
    seen = []

    @tool
    async def look(context: ToolContext) -> str:
        seen.append(context.run.task.limits)
        return "ok"

    inner = Agent(Scripted([call("look"), "inner"]), [look], name="researcher", limits=Limits(tokens=10_000))
    model = Scripted([call("researcher", question="?"), "done"], usage=Usage(input_tokens=300))
    await Agent(model, [inner.as_tool()], limits=Limits(tokens=1000, tool_calls=5)).arun("go")
    assert (seen[0].tokens, seen[0].tool_calls) == (700, 4)


async def test_inner_agents_of_one_batch_share_what_is_left():
    """Each gets an equal part of every limit, and all of the time; none gets more than its own."""
    seen = []

    @tool
    async def look(context: ToolContext) -> str:
        seen.append(context.run.task.limits)
        await anyio.sleep(0.02)  # what one of them leaves is there for those that begin later
        return "ok"

    def inner(name):
        return Agent(Scripted([call("look"), "inner"]), [look]).as_tool(name=name)

    budget = Limits(tokens=1_000, cost_usd=3.0, deadline_s=60, tool_calls=8)
    batch = [call("one", question="?"), call("two", question="?")]
    model = Scripted([batch, "done"], usage=Usage(input_tokens=200), cost_usd=1.0)
    await Agent(model, [inner("one"), inner("two")], limits=budget).arun("go")
    for limits in seen:
        assert (limits.tokens, limits.cost_usd, limits.tool_calls) == (400, 1.0, 3)
        assert 50 < limits.deadline_s < 60
    assert len(seen) == 2


async def test_the_calls_of_inner_agents_come_out_of_one_budget():
    """However deep they stand, and one after another too: each call that ran is counted once."""
    ran = []

    @tool
    async def look(n: int) -> int:
        ran.append(n)
        return n

    def always(name):
        return Scripted(
            [lambda _, n=n: call(name, **({"n": n} if name == "look" else {"question": str(n)})) for n in range(99)]
        )

    deep = Agent(always("look"), [look], limits=Limits(steps=3)).as_tool(name="deep")
    inner = Agent(always("deep"), [deep], limits=Limits(steps=3)).as_tool(name="inner")
    result = await Agent(always("inner"), [inner], limits=Limits(tool_calls=12)).arun("go")
    called = [e.name for e in result.entries if e.kind == "tool_result" and e.outcome != "limit"]
    assert result.stop_reason == "tool_calls"
    assert result.usage.tool_calls == 12
    assert 0 < len(called) < len(ran) < 12


async def test_an_inner_agent_without_an_answer_is_a_failed_call():
    """The parent's model is told why."""
    inner = Agent(Scripted([call("nothing")]), name="researcher", limits=Limits(steps=1))
    result = await Agent(Scripted([call("researcher", question="?"), "done"]), [inner.as_tool()]).arun("go")
    assert "researcher gave no answer" in contents(result)[0]
    assert result.output == "done"


async def test_the_events_of_the_inner_agent_are_progress_of_the_call():
    """Only for who listens."""
    inner = researcher(["Paris."])
    outer = Agent(Scripted([call("researcher", question="?"), "done"]), [inner.as_tool()])
    async with outer.astream("go") as events:
        kinds = [e.value.kind async for e in events if e.kind == "tool_progress"]
    assert kinds == ["step", "text", "finished"]


async def test_dependencies_reach_the_inner_agents_tools():
    """What the caller passed as deps=."""
    seen = []

    @tool
    async def who(context: ToolContext[str]) -> str:
        seen.append(context.deps)
        return context.deps

    inner = Agent(Scripted([call("who"), "inner"]), [who], name="researcher")
    await Agent(Scripted([call("researcher", question="?"), "done"]), [inner.as_tool()]).arun("go", deps="ada")
    assert seen == ["ada"]


async def test_an_agent_without_a_name_must_be_given_one():
    """The error shows how."""
    with pytest.raises(UsageError, match="as_tool"):
        Agent(Scripted([])).as_tool()


async def test_override_changes_model_and_tools_inside_the_block_only():
    """For tests of code that uses an agent of its own."""
    agent = Agent(Scripted(["real"]))
    with agent.override(model=Scripted(["fake"])):
        assert (await agent.arun("go")).output == "fake"
    assert (await agent.arun("go")).output == "real"


async def test_overrides_nest():
    """A block for the tools inside a block for the model keeps the model: no test asks the real one unawares."""

    class Mine(Agent):
        __slots__ = ("note",)

    @tool
    def look() -> str:
        return "seen"

    agent = Mine(Scripted([]))
    with agent.override(model=Scripted([call("look"), "done"])):
        with agent.override(tools=[look]):
            assert contents(await agent.arun("go")) == ["seen"]
        with pytest.raises(UsageError, match="request 3"):
            await agent.arun("go")
    assert not agent.tools


def test_override_holds_for_sync_runs_too():
    """The portal's loop sees it."""
    agent = Agent(Scripted(["real"]))
    with agent.override(model=Scripted(["fake"])):
        assert agent.run("go").output == "fake"
