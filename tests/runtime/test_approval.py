"""A human decides before anything of a batch runs."""

from __future__ import annotations

import anyio
import pytest
from harness import answered, contents

from agentkit import Agent, Limits, RunStopped, UsageError, tool
from agentkit.core.entries import Decision
from agentkit.models.scripted import Scripted, call
from agentkit.stores.memory import Memory

pytestmark = pytest.mark.anyio


def tools(log):
    """One harmless tool, one that asks."""

    @tool
    async def look() -> str:
        log.append("look")
        return "seen"

    @tool(requires_approval=True)
    async def pay(amount: int) -> str:
        log.append(f"pay {amount}")
        return f"paid {amount}"

    return [look, pay]


BATCH = [call("look"), call("pay", amount=5)]


async def test_without_an_approver_the_run_waits_and_nothing_has_run():
    """result.pending holds the calls; .output says so."""
    log = []
    result = await Agent(Scripted([BATCH]), tools(log)).arun("go")
    assert result.stop_reason == "approval"
    assert [c.name for c in result.pending] == ["pay"]
    assert log == []
    with pytest.raises(RunStopped, match="approval") as caught:
        _ = result.output
    assert caught.value.reason == "approval"


@pytest.mark.parametrize(
    ("answer", "seen", "log_wanted"),
    [
        (True, "paid 5", ["look", "pay 5"]),
        (False, "denied", ["look"]),
        ("too dear", "too dear", ["look"]),
        ({"amount": 3}, "paid 3", ["look", "pay 3"]),
    ],
)
async def test_a_decision_carries_the_run_on(answer, seen, log_wanted):
    """Allowed, denied, denied with a reason, edited: from the result alone."""
    log = []
    agent = Agent(Scripted([BATCH, "done"]), tools(log))
    waiting = await agent.arun("go")
    result = await agent.aresume(waiting, {waiting.pending[0].id: answer})
    assert result.output == "done"
    assert seen in contents(result)[1]
    assert sorted(log) == log_wanted
    assert answered(result)


async def test_an_approver_in_the_process_is_asked_once_for_each_call():
    """Sync and async approvers serve."""
    asked = []

    async def approve(wanted):
        asked.append((wanted.name, wanted.arguments))
        return True

    result = await Agent(Scripted([BATCH, "done"]), tools([]), approve=approve).arun("go")
    assert result.output == "done"
    assert asked == [("pay", '{"amount": 5}')]


async def test_a_decision_for_a_call_that_does_not_wait_is_refused():
    """And nothing is decided."""
    agent = Agent(Scripted([BATCH]), tools([]))
    waiting = await agent.arun("go")
    with pytest.raises(UsageError, match="do not wait"):
        await agent.aresume(waiting, {waiting.pending[0].id: True, "nope": True})


async def test_the_same_question_waits_on_and_another_denies():
    """In a session, in another process too."""
    log, store = [], Memory()
    agent = Agent(Scripted([BATCH, "done"]), tools(log), store=store)
    assert (await agent.arun("go", session="s")).pending
    assert (await agent.arun("go", session="s")).pending
    result = await agent.arun("never mind", session="s")
    assert result.output == "done"
    assert "pay 5" not in log
    assert answered(result)


async def test_approval_may_depend_on_the_arguments():
    """Small sums pass."""

    @tool(requires_approval=lambda arguments: arguments["amount"] > 100)
    async def pay(amount: int) -> str:
        return f"paid {amount}"

    agent = Agent(Scripted([call("pay", amount=5), call("pay", amount=500)]), [pay])
    result = await agent.arun("go")
    assert contents(result) == ["paid 5"]
    assert [c.arguments for c in result.pending] == ['{"amount": 500}']


async def test_arguments_that_a_human_wrote_are_checked_and_used():
    """In the same process, where the model's own are at hand already; what does not fit is told."""
    log = []
    lines = [[call("pay", amount=5), call("pay", amount=6)], "done"]
    answers = iter([{"amount": 3}, {"amount": "much"}])
    result = await Agent(Scripted(lines), tools(log), approve=lambda _: next(answers)).arun("go")
    assert log == ["pay 3"]
    assert contents(result)[0] == "paid 3"
    assert "amount" in contents(result)[1]


async def test_what_a_human_denied_stays_denied_when_the_user_goes_on():
    """The model is told of the denial, not of an interruption."""
    store = Memory()
    lines = [[call("pay", amount=1), call("pay", amount=2)], "done"]
    agent = Agent(Scripted(lines), tools([]), store=store)
    waiting = await agent.arun("go", session="s")

    def approve(wanted):
        if wanted.id == waiting.pending[0].id:
            return "too dear"
        raise LookupError

    asking = Agent(agent.model, tools([]), store=store, approve=approve)
    with pytest.raises(LookupError):
        await asking.arun("go", session="s")
    result = await agent.arun("never mind", session="s")
    assert contents(result) == [
        "denied by the user: too dear",
        "denied by the user: the user went on to something else",
    ]
    assert result.output == "done"


DEEP: dict = {}
for _ in range(10_000):
    DEEP = {"amount": DEEP}


@pytest.mark.parametrize(
    "answer",
    [None, 1, Decision(call_id="x", verdict="edit"), {"amount": float("nan")}, {"amount": {5}}, DEEP],
    ids=["none", "number", "entry", "nan", "set", "deep"],
)
async def test_what_is_no_decision_is_refused_and_nothing_is_decided(answer):
    """Beside a good one, too: both calls wait on."""
    log, store = [], Memory()
    agent = Agent(Scripted([[call("pay", amount=1), call("pay", amount=2)]]), tools(log), store=store)
    first, second = (await agent.arun("go", session="s")).pending
    with pytest.raises(UsageError, match="pay"):
        await agent.aresume("s", {first.id: True, second.id: answer})
    assert len((await agent.aresume("s")).pending) == 2
    assert log == []


async def test_a_human_who_does_not_decide_in_time_leaves_the_calls_waiting():
    """The deadline ends the wait, and what was decided before it stays decided."""
    log, store = [], Memory()
    lines = [[call("pay", amount=1), call("pay", amount=2)], "done"]

    async def approve(wanted):
        if "2" in wanted.arguments:
            await anyio.sleep_forever()
        return True

    slow = Agent(Scripted(lines), tools(log), store=store, approve=approve, limits=Limits(deadline_s=0.05))
    with anyio.fail_after(5):
        waiting = await slow.arun("go", session="s")
    assert waiting.stop_reason == "approval"
    assert [c.arguments for c in waiting.pending] == ['{"amount": 2}']
    assert log == []
    result = await Agent(slow.model, tools(log), store=store).aresume("s", {waiting.pending[0].id: False})
    assert log == ["pay 1"]
    assert result.output == "done"
