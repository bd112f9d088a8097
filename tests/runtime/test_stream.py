"""What a listener is promised."""

from __future__ import annotations

from contextlib import suppress

import anyio
import pytest
from harness import Flood

from agentkit import Agent, ModelError, UsageError, tool
from agentkit.core.events import ReasoningEvent, RetryEvent, TextEvent
from agentkit.core.messages import Assistant
from agentkit.models.scripted import Scripted, call

pytestmark = pytest.mark.anyio


@tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def events_of(agent, question="go"):
    """All events of a run."""
    async with agent.astream(question) as events:
        return [event async for event in events]


async def test_the_events_of_a_run_come_in_order():
    """Step, call, result, step, text, finished."""
    events = await events_of(Agent(Scripted([call("add", a=1, b=2), "it is 3"]), [add]))
    assert [e.kind for e in events] == [
        "step", "tool_call", "tool_result", "step", "text", "text", "text", "finished",
    ]  # fmt: skip
    assert events[1].call.name == "add"
    assert events[2].result.content == "3"
    assert events[-1].result.output == "it is 3"


async def test_a_preamble_before_a_call_is_never_the_output():
    """Text is final only when the turn ended without calls."""
    events = await events_of(Agent(Scripted([["Let me add.", call("add", a=1, b=2)], "3"]), [add]))
    assert events[-1].result.output == "3"


async def test_a_model_that_does_not_stream_is_shown_all_the_same():
    """Its text and its calls come as one event each."""

    class Plain:
        async def call(self, request, emit=None):
            return Assistant(content="whole", reasoning="why")

    assert [e.kind for e in await events_of(Agent(Plain()))] == ["step", "reasoning", "text", "finished"]


async def test_leaving_early_cancels_the_run():
    """What runs is cancelled at once."""
    cancelled = anyio.Event()

    class Endless:
        async def call(self, request, emit=None):
            try:
                while True:
                    emit(TextEvent("x"))
                    await anyio.sleep(0.001)
            finally:
                cancelled.set()

    with anyio.fail_after(3):
        async with Agent(Endless()).astream("go") as events:
            async for event in events:
                if event.kind == "text":
                    break
    assert cancelled.is_set()


async def test_an_error_comes_after_the_events_before_it_and_carries_the_run():
    """ModelError leaves the stream plainly, not in a group."""
    agent = Agent(Scripted([call("add", a=1, b=2), ModelError("down")]), [add])
    kinds = []
    with pytest.raises(ModelError, match="down") as caught:
        async with agent.astream("go") as events:
            async for event in events:
                kinds.append(event.kind)
    assert kinds == ["step", "tool_call", "tool_result", "step"]
    assert caught.value.result.entries[-1].kind == "model_failed"


async def test_a_reader_that_raises_ends_the_run_with_its_own_exception():
    """The body's exception is what leaves the block."""
    with pytest.raises(KeyError):
        async with Agent(Scripted(["a b c"])).astream("go") as events:
            async for _ in events:
                raise KeyError


async def test_a_slow_reader_makes_the_run_wait():
    """Memory stays bounded: the model is held back when the reader is too far behind."""
    model = Flood()
    async with Agent(model).astream("go") as events:
        first = await anext(events)
        await anyio.sleep(0.05)
        assert first.kind == "step"
        assert model.emitted < 5_000
        texts = [event async for event in events if event.kind == "text"]
    assert len(texts) == 20_000


async def test_after_a_retry_the_text_begins_again():
    """Only what came after it is kept of a cancelled answer."""

    class Stumbling:
        async def call(self, request, emit=None):
            emit(TextEvent("wrong"))
            emit(RetryEvent("connection lost"))
            emit(TextEvent("right"))
            return Assistant(content="right")

    events = await events_of(Agent(Stumbling()))
    assert [e.kind for e in events] == ["step", "text", "retry", "text", "finished"]


async def test_progress_of_a_tool_is_shown_from_the_loop_and_from_a_thread():
    """Generators yield progress; the last value is the result."""

    @tool
    async def climb(n: int):
        for i in range(n):
            yield i

    @tool
    def dig(n: int):
        for i in range(n):
            yield -i

    events = await events_of(Agent(Scripted([[call("climb", n=3), call("dig", n=3)], "done"]), [climb, dig]))
    progress = [(e.call.name, e.value) for e in events if e.kind == "tool_progress"]
    assert {("climb", 0), ("climb", 1), ("dig", 0), ("dig", -1)} <= set(progress)
    assert {e.call.name: e.result.content for e in events if e.kind == "tool_result"} == {"climb": "2", "dig": "-2"}


async def test_progress_that_nobody_reads_holds_its_tool_back():
    """Two floods at once, from generators: bounded, and all of it arrives."""
    yielded = 0

    @tool
    async def flood(n: int):
        nonlocal yielded
        for i in range(n):
            yielded += 1
            yield i

    agent = Agent(Scripted([[call("flood", n=4_000), call("flood", n=4_000)], "done"]), [flood])
    with anyio.fail_after(20):
        async with agent.astream("go") as events:
            await anext(events)
            await anyio.sleep(0.2)
            assert yielded < 3_000
            progress = [event async for event in events if event.kind == "tool_progress"]
    assert len(progress) == 8_000


async def test_a_stream_is_entered_once():
    """A second run of the same question is never meant."""
    stream = Agent(Scripted(["a"])).astream("go")
    async with stream:
        with pytest.raises(UsageError, match="once"):
            await stream.__aenter__()


@pytest.mark.parametrize("leave", ["break", "raise", "cancel", "fail"])
async def test_a_stream_that_ended_early_has_the_run_as_far_as_it_came(leave):
    """It can be carried on as a history; what was finished is in it."""
    model = Scripted([call("add", a=1, b=2), ModelError("down") if leave == "fail" else "It is 3."])
    stream = Agent(model, [add]).astream("go")
    with anyio.CancelScope() as scope, suppress(KeyError, ModelError):
        async with stream as events:
            async for event in events:
                match event.kind, leave:
                    case "tool_result", "break":
                        break
                    case "tool_result", "raise":
                        raise KeyError
                    case "tool_result", "cancel":
                        scope.cancel()
    came = stream.result
    assert came is not None
    assert (came.stop_reason in ("cancelled", "finished")) == (leave != "fail")
    assert (await Agent(Scripted(["3"]), [add]).arun("go on", history=came)).to_openai()[2]["content"] == "3"


async def test_two_readers_share_the_events():
    """Each event reaches one of them, and neither waits for ever."""
    got = []

    @tool
    async def wait() -> None:
        await anyio.sleep(0.02)

    async def read(events):
        got.extend([event.kind async for event in events])

    with anyio.fail_after(5):
        stream = Agent(Scripted([call("wait"), "done"]), [wait]).astream("go")
        async with stream as events, anyio.create_task_group() as readers:
            readers.start_soon(read, events)
            readers.start_soon(read, events)
    assert sorted(got) == ["finished", "step", "step", "text", "tool_call", "tool_result"]


async def test_thoughts_before_a_call_are_shown_once():
    """Streamed thoughts are not repeated with the whole answer."""

    class Thinker:
        async def call(self, request, emit=None):
            if request.messages[-1].kind == "tool_result":
                return Assistant(content="3")
            emit(ReasoningEvent("hm"))
            return Assistant(reasoning="hm", tool_calls=(call("add", a=1, b=2),))

    events = await events_of(Agent(Thinker(), [add]))
    assert [e.kind for e in events].count("reasoning") == 1
