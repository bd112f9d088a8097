"""A call that nobody can regret begins while the answer still streams."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anyio
import pytest
from harness import contents

from agentkit import Agent, Limits, ModelError, ToolContext, tool
from agentkit.core.events import RetryEvent, TextEvent, ToolCallEvent, ToolCallReady
from agentkit.core.messages import Assistant, Usage
from agentkit.models import ChatCompletions
from agentkit.models.scripted import Scripted, call
from agentkit.runtime.sync import run_sync

pytestmark = pytest.mark.anyio


class Slow:
    """Emits a whole call, goes on streaming for a while, then ends or fails."""

    def __init__(self, log, *, then="answer", changed=False):
        self.log = log
        self.then = then
        self.changed = changed

    async def call(self, request, emit=None):
        if request.messages[-1].kind == "tool_result":
            return Assistant(content="done")
        wanted = call("look", n=1)
        for delta in (ToolCallEvent(wanted), ToolCallReady(wanted)):
            emit(delta)
        await anyio.sleep(0.05)
        self.log.append("answer")
        if self.then == "fail" and "failed" not in self.log:
            self.log.append("failed")
            raise ModelError("broken")
        if self.then == "retry" and "retried" not in self.log:
            self.log.append("retried")
            emit(RetryEvent("again"))
            emit(TextEvent("other"))
            return Assistant(content="other")
        if self.changed:
            wanted = call("look", n=2)
        return Assistant(tool_calls=(wanted,))


def tools(log, **policy):
    """A tool that says when it runs."""

    @tool(**{"idempotent": True, **policy})
    async def look(n: int) -> int:
        log.append(f"look {n}")
        return n

    return look


async def events_of(agent):
    """All events of a run."""
    async with agent.astream("go") as events:
        return [event async for event in events]


async def test_the_call_runs_before_the_answer_is_whole_and_only_once():
    """Its result is the batch's."""
    log = []
    events = await events_of(Agent(Slow(log), [tools(log)]))
    assert log == ["look 1", "answer"]
    assert contents(events[-1].result) == ["1"]
    assert [e.kind for e in events] == ["step", "tool_call", "tool_result", "step", "text", "finished"]


@pytest.mark.parametrize(
    "policy", [{"idempotent": False}, {"requires_approval": lambda _: False}, {"sequential": True}]
)
async def test_a_call_that_somebody_could_regret_waits_for_its_batch(policy):
    """Not idempotent, may need approval, or a barrier."""
    log = []
    await events_of(Agent(Slow(log), [tools(log, **policy)]))
    assert log == ["answer", "look 1"]


@pytest.mark.parametrize("budget", [{"tool_calls": 5}, {"tokens": 5}, {"cost_usd": 5.0}])
async def test_a_budget_keeps_all_calls_for_their_batch(budget):
    """It is reserved there, and whether the answer itself crosses it is known only when it is whole."""
    log = []
    await events_of(Agent(Slow(log), [tools(log)], limits=Limits(**budget)))
    assert log == ["answer", "look 1"]


async def test_a_call_made_in_the_last_request_does_not_begin():
    """It is answered "not run", and it was not."""
    log = []
    events = await events_of(Agent(Slow(log), [tools(log)], limits=Limits(steps=1)))
    assert log == ["answer"]
    assert "not run" in contents(events[-1].result)[0]


async def test_a_call_that_turned_out_otherwise_runs_as_it_turned_out():
    """The early result is thrown away."""
    log = []
    events = await events_of(Agent(Slow(log, changed=True), [tools(log)]))
    assert log == ["look 1", "answer", "look 2"]
    assert contents(events[-1].result) == ["2"]


@pytest.mark.parametrize("then", ["fail", "retry"])
async def test_an_answer_that_fails_leaves_no_result(then):
    """Nothing of the early call is in the transcript."""
    log = []
    agent = Agent(Slow(log, then=then), [tools(log)])
    if then == "fail":
        with pytest.raises(ModelError) as caught:
            await events_of(agent)
        result = caught.value.result
    else:
        result = (await events_of(agent))[-1].result
    assert contents(result) == []


@pytest.mark.parametrize("early", [True, False])
async def test_ctrl_c_in_a_tool_leaves_the_run_as_it_is(early):
    """Whatever task the tool ran in: it comes in no group, before a tool's own error, and carries the run."""

    @tool(idempotent=early)
    async def look(n: int) -> int:
        raise KeyboardInterrupt if n else ValueError("n is 0")

    model = Slow([]) if early else Scripted([[call("look", n=0), call("look", n=1)]])
    with pytest.raises(KeyboardInterrupt) as caught:
        await events_of(Agent(model, [look], on_tool_error="raise"))
    assert caught.value.result.stop_reason == "cancelled"


async def test_leaving_early_cancels_what_began_early():
    """Nothing is left running."""
    cancelled = anyio.Event()

    @tool(idempotent=True)
    async def look(n: int) -> int:
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()

    with anyio.fail_after(3):
        async with Agent(Slow([]), [look]).astream("go") as events:
            async for event in events:
                if event.kind == "tool_call":
                    await anyio.sleep(0.02)
                    break
    assert cancelled.is_set()


class Saying:
    """Emits calls as whole, then a pause, then what is said to be the answer."""

    def __init__(self, log, ready, answer=None, retry=False):
        self.log, self.ready, self.answer, self.retry = log, ready, answer, retry

    async def call(self, request, emit=None):
        if request.messages[-1].kind == "tool_result":
            await anyio.sleep(0.02)
            self.log.append("next request")
            return Assistant(content="done")
        for wanted in self.ready:
            emit(ToolCallEvent(wanted))
            emit(ToolCallReady(wanted))
        await anyio.sleep(0.02)
        if self.retry:
            emit(RetryEvent("again"))
            await anyio.sleep(0.02)
        self.log.append("answer")
        return Assistant(tool_calls=tuple(self.ready if self.answer is None else self.answer))


def hanging(log):
    """A tool that hangs for some arguments, and says when it is cancelled."""

    @tool(idempotent=True)
    async def look(n: int) -> int:
        log.append(f"look {n}")
        if n > 1:
            try:
                await anyio.sleep_forever()
            finally:
                log.append("cancelled")
        return n

    return look


async def test_only_what_may_begins_among_others():
    """Beside a tool that may: one that is not idempotent, one with a budget of its own, one in a thread."""
    log = []

    @tool
    async def work() -> None:
        log.append("work")

    @tool(idempotent=True, max_calls=5)
    async def rare() -> None:
        log.append("rare")

    @tool(idempotent=True)
    def thread() -> None:
        log.append("thread")

    ready = [call("work"), call("rare"), call("thread"), call("look", n=1)]
    await events_of(Agent(Saying(log, ready), [work, rare, thread, hanging(log)]))
    assert log[:2] == ["look 1", "answer"]
    assert sorted(log[2:]) == ["next request", "rare", "thread", "work"]


async def test_nothing_begins_where_calls_share_an_object():
    """Their order is the batch's to keep."""
    log = []

    class Thing:
        @tool(idempotent=True)
        async def touch(self) -> None:
            log.append("touch")

    await events_of(Agent(Saying(log, [call("touch"), call("look", n=1)]), [Thing().touch, hanging(log)]))
    assert log[0] == "answer"


async def test_the_same_call_with_other_arguments_runs_with_these():
    """What was begun is cancelled, also if it hangs."""
    log = []
    begun = call("look", n=2)
    ended = replace(begun, arguments='{"n": 1}')
    with anyio.fail_after(5):
        events = await events_of(Agent(Saying(log, [begun], [ended]), [hanging(log)]))
    assert contents_of(log) == ["look 2", "look 1"]
    assert log.index("cancelled") < log.index("next request")
    assert contents(events[-1].result) == ["1"]


async def test_a_call_that_turned_out_to_be_another_tools_is_made_of_that_one():
    """A result is never taken for that of another tool."""
    log = []

    @tool(idempotent=True)
    async def other(n: int) -> str:
        return f"other {n}"

    begun = call("look", n=1)
    events = await events_of(Agent(Saying(log, [begun], [replace(begun, name="other")]), [hanging(log), other]))
    assert contents(events[-1].result) == ["other 1"]


async def test_a_tool_that_begins_early_knows_its_step():
    """It is the one that a listener was told of."""
    steps = []

    @tool(idempotent=True)
    async def look(n: int, context: ToolContext) -> None:
        steps.append(context.step)

    await events_of(Agent(Saying([], [call("look", n=1)]), [look]))
    assert steps == [1]


async def test_an_agent_that_is_a_tool_waits_for_its_batch():
    """What it may spend is known only then, and what it spends must be counted."""
    log = []

    class Costly:
        async def call(self, request, emit=None):
            log.append("asked")
            return Assistant(content="yes", usage=Usage(input_tokens=7))

    inner = Agent(Costly()).as_tool("inner", idempotent=True)
    events = await events_of(Agent(Saying(log, [call("inner", question="?")]), [inner]))
    assert log == ["answer", "asked", "next request"]
    assert events[-1].result.usage.input_tokens == 7


async def test_a_call_that_the_answer_does_not_hold_is_cancelled_with_its_batch():
    """Before the next request."""
    log = []
    await events_of(Agent(Saying(log, [call("look", n=2)], [call("look", n=1)]), [hanging(log)]))
    assert log.index("cancelled") < log.index("next request")
    assert contents_of(log) == ["look 2", "look 1"]


def contents_of(log):
    """The calls that ran."""
    return [line for line in log if line.startswith("look")]


async def test_a_retry_cancels_what_began():
    """Before the answer that takes its place is there."""
    log = []
    await events_of(Agent(Saying(log, [call("look", n=2)], [call("look", n=1)], retry=True), [hanging(log)]))
    assert log[:3] == ["look 2", "cancelled", "answer"]


async def test_calls_of_one_id_begin_once():
    """Each gets its own result in the end."""
    log = []
    one = call("look", n=0)
    events = await events_of(Agent(Saying(log, [one, replace(one, arguments='{"n": 1}')]), [hanging(log)]))
    assert contents(events[-1].result) == ["0", "1"]
    assert sorted(contents_of(log)) == ["look 0", "look 1"]


def test_the_call_begins_while_a_real_server_still_streams():
    """Over a socket, with the ordinary wire."""
    times = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            if asked["messages"][-1]["role"] == "tool":
                self.say({"content": "done"}, "stop")
            else:
                function = {"name": "look", "arguments": '{"n": 1}'}
                self.say({"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": function}]}, None)
                time.sleep(0.3)
                times["answer"] = time.monotonic()
                self.say({}, "tool_calls")
            self.wfile.write(b"data: [DONE]\n\n")

        def say(self, delta, reason):
            chunk = {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
            self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
            self.wfile.flush()

        def log_message(self, *args):
            pass

    @tool(idempotent=True)
    async def look(n: int) -> int:
        times["look"] = time.monotonic()
        return n

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        model = ChatCompletions("m", base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="k")
        *_, last = Agent(model, [look]).stream("go")
        run_sync(model.aclose, "aclose")
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
    assert last.result.output == "done"
    assert times["look"] < times["answer"]
