"""Each promise of docs/reference/events.md, on both event loops; and any random run held against all of them."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_any_script import TOOLS, answers, limits

from agentkit import Agent, Limits, ModelError, UsageError, tool
from agentkit.core.events import ReasoningEvent, RetryEvent, TextEvent, ToolCallEvent
from agentkit.core.messages import Assistant, User
from agentkit.errors import ContextTooLong, StoreError
from agentkit.history import summarise
from agentkit.models.scripted import Scripted, call
from agentkit.stores import Memory

pytestmark = pytest.mark.anyio


@tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
async def steps(n: int):
    for i in range(n):
        yield i


@tool(requires_approval=True)
async def pay(n: int) -> str:
    return f"paid {n}"


async def events_of(agent, question="go", **options):
    """All events of a run, which kept every promise."""
    events = []
    async with agent.astream(question, **options) as stream:
        async for event in stream:
            events.append(event)
    lawful(events)
    return events


def kinds(events):
    return [event.kind for event in events]


def lawful(events, *, goes_on=False):
    """Hold the events of a run that came back against the table."""
    assert kinds(events).count("finished") == 1
    assert events[-1].kind == "finished"
    result = events[-1].result
    step, texts, announced, answered, told = 0, [], set(), set(), []
    for event in events[:-1]:
        match event.kind:
            case "step":
                assert announced == answered, "each call has its result before the next step"
                assert event.step in (step, step + 1)
                step = event.step
                texts, announced, answered = [], set(), set()
                told.append(texts)
            case "text":
                assert step
                assert not answered
                texts.append(event.text)
            case "retry":
                texts.clear()
                announced.clear()
            case "tool_call":
                assert event.call.id not in announced
                announced.add(event.call.id)
            case "tool_progress":
                assert goes_on or event.call.id in announced - answered
            case "tool_result":
                assert goes_on or event.call.id in announced - answered
                assert event.result in result.entries
                answered.add(event.call.id)
            case "approval":
                assert event is events[-2]
                assert event.calls == result.pending
                assert not answered
    if result.stop_reason != "approval":
        assert announced <= answered
    if result.stop_reason == "finished" and result.has_output and not goes_on:
        assert "".join(texts) == str(result)
        assert not announced


async def test_text_and_calls_of_a_step_come_in_order():
    """step, text, call, result; then the next step."""
    events = await events_of(Agent(Scripted([["Let me see. ", call("add", a=1, b=2)], "3"]), [add]))
    assert kinds(events) == ["step", "text", "text", "text", "tool_call", "tool_result", "step", "text", "finished"]
    assert [e.step for e in events if e.kind == "step"] == [1, 2]
    assert events[-1].result.output == "3"


async def test_results_come_as_calls_end_and_progress_before_them():
    """Not in call order; the answer that the model reads is."""

    @tool
    async def wait(n: int) -> int:
        await anyio.sleep(0.05 * n)
        return n

    events = await events_of(
        Agent(Scripted([[call("wait", n=2), call("wait", n=0), call("steps", n=3)], "ok"]), [wait, steps])
    )
    assert [e.result.content for e in events if e.kind == "tool_result"][-1] == "2"
    assert [m["content"] for m in events[-1].result.to_openai() if m["role"] == "tool"] == ["2", "0", "2"]
    assert [e.value for e in events if e.kind == "tool_progress"] == [0, 1, 2]


async def test_every_kind_of_answer_to_a_call_is_one_result():
    """Unknown, broken, too many, denied, failed, and well done."""
    batch = [call("nothing"), ("add", '{"a": "x"'), call("add", a=1, b=1), call("pay", n=1), call("add", a=2, b=2)]
    agent = Agent(Scripted([batch, "done"]), [add, pay], approve=lambda _: False, limits=Limits(tool_calls=2))
    events = await events_of(agent)
    outcomes = [e.result.outcome for e in events if e.kind == "tool_result"]
    assert sorted(outcomes) == ["denied", "invalid", "limit", "ok", "unknown_tool"]


async def test_a_retry_takes_back_text_and_calls():
    """A call that is made again is announced again, and runs once."""
    again = call("add", a=1, b=2)

    class Stumbling:
        async def call(self, request, emit=None):
            if request.messages[-1].kind == "tool_result":
                return Assistant(content="3")
            emit(TextEvent("wro"))
            emit(ToolCallEvent(again))
            emit(RetryEvent("connection lost"))
            return Assistant(content="right", tool_calls=(again,))

    events = await events_of(Agent(Stumbling(), [add]))
    expected = ["step", "text", "tool_call", "retry", "text", "tool_call", "tool_result", "step", "text", "finished"]
    assert kinds(events) == expected
    assert events[4].text == "right"


async def test_what_was_said_before_a_retry_is_not_kept_of_a_cancelled_answer():
    """Only what came after it."""

    class Stumbling:
        async def call(self, request, emit=None):
            emit(TextEvent("wrong"))
            emit(RetryEvent("connection lost"))
            emit(TextEvent("right"))
            await anyio.sleep_forever()

    store = Memory()
    async with Agent(Stumbling(), store=store).astream("go", session="s") as events:
        async for event in events:
            if event.kind == "text" and event.text == "right":
                break
    assert store._sessions["s"][-1].content == "right"


async def test_approval_comes_once_and_before_the_end():
    """Nothing of the batch has run; the run that goes on shows its results."""
    agent = Agent(Scripted([[call("add", a=1, b=1), call("pay", n=1)], "done"]), [add, pay])
    events = await events_of(agent)
    assert kinds(events) == ["step", "tool_call", "tool_call", "approval", "finished"]
    waiting = events[-1].result
    assert waiting.stop_reason == "approval"
    result = await agent.aresume(waiting, {waiting.pending[0].id: True})
    assert result.output == "done"


@pytest.mark.parametrize("limit", [Limits(steps=1), Limits(tool_calls=0), Limits(deadline_s=0), Limits(tokens=0)])
async def test_a_limit_is_a_result(limit):
    """finished, with its reason."""
    events = await events_of(Agent(Scripted([call("add", a=1, b=2), "x"]), [add], limits=limit))
    assert events[-1].result.stop_reason in ("steps", "tool_calls", "deadline_s", "tokens")


@pytest.mark.parametrize("error", [ModelError("down"), ValueError("broken")])
async def test_an_error_comes_after_all_events_and_instead_of_finished(error):
    """With the run as far as it came."""
    seen = []
    with pytest.raises(type(error)) as caught:
        async with Agent(Scripted([call("add", a=1, b=2), error]), [add]).astream("go") as events:
            async for event in events:
                seen.append(event)
    assert kinds(seen) == ["step", "tool_call", "tool_result", "step"]
    assert caught.value.result.entries[-1].kind == "model_failed"


async def test_a_cancel_ends_the_events_without_finished():
    """The reader's scope is cancelled: nothing more comes."""
    seen = []

    class Halting:
        async def call(self, request, emit=None):
            emit(TextEvent("half"))
            await anyio.sleep_forever()

    with anyio.move_on_after(0.1):
        async with Agent(Halting()).astream("go") as events:
            async for event in events:
                seen.append(event)
    assert kinds(seen) == ["step", "text"]


async def test_what_is_shown_is_stored_already():
    """Recorded, then shown."""
    store = Memory()
    agent = Agent(Scripted([call("add", a=1, b=2), "3"]), [add], store=store)
    async with agent.astream("go", session="s") as events:
        async for event in events:
            if event.kind == "tool_result":
                assert event.result in store._sessions["s"]
            if event.kind == "finished":
                assert store._sessions["s"][-1].kind == "ended"


@pytest.mark.parametrize("kind", ["user", "assistant"])
async def test_what_could_not_be_stored_is_not_part_of_the_run(kind):
    """The error's result holds what the store holds, be it nothing."""

    class Full(Memory):
        async def open(self, session):
            log = await super().open(session)
            keep = log.append

            async def append(entry):
                if entry.kind == kind:
                    raise StoreError("full")
                await keep(entry)

            log.append = append
            return log

    store, seen = Full(), []
    with pytest.raises(StoreError) as caught:
        async with Agent(Scripted(["text"]), store=store).astream("go", session="s") as events:
            async for event in events:
                seen.append(event)
    assert caught.value.result.entries == tuple(store._sessions["s"])
    assert "finished" not in kinds(seen)


async def test_a_model_that_counts_nothing_made_one_request():
    """For each answer, whatever it reports."""

    class Plain:
        async def call(self, request, emit=None):
            return Assistant(content="x")

    assert (await events_of(Agent(Plain())))[-1].result.usage.requests == 1


@pytest.mark.parametrize("told", [[], [ReasoningEvent("hm")]])
async def test_what_a_model_does_not_emit_is_told_when_its_answer_is_whole(told):
    """A model may stream its thoughts alone, or nothing at all."""

    class Quiet:
        async def call(self, request, emit):
            for delta in told:
                emit(delta)
            return Assistant(content="done", reasoning="hm")

    assert kinds(await events_of(Agent(Quiet()))) == ["step", "reasoning", "text", "finished"]


async def test_what_is_no_delta_is_refused():
    """The error says what a model emits."""

    class Odd:
        async def call(self, request, emit):
            emit("Hello")

    with pytest.raises(UsageError, match="TextEvent.*emitted 'Hello'"):
        await events_of(Agent(Odd()))


async def test_a_summary_repeats_the_step_that_did_not_fit():
    """Its number comes twice: the request was not answered."""
    long = [User(content="q" * 4_000), Assistant(content="a" * 4_000)] * 3
    agent = Agent(Scripted([ContextTooLong("too long"), "gist", "done"]), view=[summarise(at_tokens=10**6)])
    events = await events_of(agent, history=long)
    assert [e.step for e in events if e.kind == "step"] == [1, 1]
    assert events[-1].result.output == "done"


async def test_a_call_is_announced_also_when_the_deadline_passes_meanwhile():
    """A slow reader and a deadline: each result has its announcement."""

    class Late:
        async def call(self, request, emit=None):
            for _ in range(1_100):
                if (wait := emit(TextEvent("x"))) is not None:
                    with anyio.CancelScope(shield=True):
                        await wait
            return Assistant(content="x" * 1_100, tool_calls=tuple(call("add", a=n, b=n) for n in range(1_100)))

    events = []
    async with Agent(Late(), [add], limits=Limits(deadline_s=0.2)).astream("go") as stream:
        async for event in stream:
            if not events:
                await anyio.sleep(0.3)
            events.append(event)
    assert kinds(events).count("tool_result") == kinds(events).count("tool_call") == 1_100
    lawful(events)


async def test_the_events_of_an_agent_that_is_a_tool_keep_the_promises_too():
    """As progress of its call."""
    inner = Agent(Scripted([call("add", a=1, b=2), "3"]), [add])
    agent = Agent(Scripted([call("inner", question="q"), "done"]), [inner.as_tool(name="inner")])
    events = await events_of(agent)
    told = [e.value for e in events if e.kind == "tool_progress"]
    assert {"step", "tool_call", "tool_result", "text", "finished"} <= set(kinds(told))
    lawful(told)


@given(st.lists(answers, min_size=1, max_size=5), limits, st.sampled_from([True, False, None]))
@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
def test_any_run_keeps_the_promises(script, budget, decide):
    """Whatever a model asks for, on both event loops."""
    lines = [*script, *(Assistant(content="done") for _ in range(8))]
    approve = None if decide is None else (lambda call: decide)

    async def check():
        await events_of(Agent(Scripted(lines), TOOLS, limits=budget, approve=approve))

    anyio.run(check)
    anyio.run(check, backend="trio")
