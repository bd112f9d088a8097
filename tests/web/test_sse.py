"""A run in a browser: what is sent, and that a client that leaves ends the run."""

from __future__ import annotations

import gc
import json
import logging

import anyio
import pytest

from agentkit import Agent, Limits, ModelError, UsageError, tool
from agentkit.core.events import ReasoningEvent, RetryEvent, TextEvent, ToolProgressEvent
from agentkit.core.messages import Assistant, ToolCall, Usage
from agentkit.errors import (
    AuthFailed,
    Conflict,
    ContextTooLong,
    QuotaExhausted,
    RateLimited,
    RequestRefused,
    Unavailable,
)
from agentkit.models.scripted import Scripted, call
from agentkit.web import EventStreamResponse, sse
from agentkit.web.sse import HEARTBEAT, MAX_WAITING

pytestmark = pytest.mark.anyio


@tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def parsed(body: bytes) -> list[dict]:
    """The events of a body, as a browser reads them."""
    blocks = body.decode().split("\n\n")
    assert blocks.pop() == ""
    lines = [block for block in blocks if not block.startswith(":")]
    assert all(line.startswith("data: ") and line.splitlines() == [line] for line in lines)
    return [json.loads(line.removeprefix("data: ")) for line in lines]


async def sent(events, **options) -> list[dict]:
    """What a client reads."""
    with anyio.fail_after(5):
        return parsed(b"".join([chunk async for chunk in sse(events, **options)]))


class Endless:
    """Says a word now and then, and notes when it is cancelled."""

    def __init__(self, every_s: float = 0.001) -> None:
        self.every_s = every_s
        self.started, self.cancelled = anyio.Event(), anyio.Event()
        self.said = 0

    async def call(self, request, emit=None):
        try:
            while True:
                self.said += 1
                if (wait := emit(TextEvent("word "))) is not None:
                    await wait
                self.started.set()
                await anyio.sleep(self.every_s)
        finally:
            self.cancelled.set()


# ---- what is sent ----


async def test_a_run_is_sent_event_by_event():
    """Kind by kind, and at the end the output with its figures."""
    model = Scripted([call("add", a=1, b=2), "It is 3."], usage=Usage(input_tokens=5, output_tokens=2), cost_usd=0.25)
    events = await sent(Agent(model, [add]).astream("1 + 2?"))
    assert [e["kind"] for e in events] == [
        "step",
        "tool_call",
        "tool_result",
        "step",
        "text",
        "text",
        "text",
        "finished",
    ]
    assert events[0] == {"kind": "step", "step": 1}
    assert events[2]["call"]["name"] == "add"
    assert json.loads(events[2]["call"]["arguments"]) == {"a": 1, "b": 2}
    assert (events[2]["content"], events[2]["outcome"]) == ("3", "ok")
    assert "".join(e["text"] for e in events if e["kind"] == "text") == "It is 3."
    assert {k: v for k, v in events[-1].items() if k != "usage"} == {
        "kind": "finished", "output": "It is 3.", "stop_reason": "finished", "steps": 2, "cost_usd": 0.5, "pending": [],
    }  # fmt: skip
    assert events[-1]["usage"]["total_tokens"] == 14


@pytest.mark.parametrize(
    "text", ["line\nline\r\nline\rline", "data: x\n\n", "\x85\u2028\u2029 é \N{SNOWMAN}", "\udc00", '"\\', "\0"]
)
async def test_any_text_is_one_line(text):
    """Newlines of every kind, quotes and broken Unicode do not break an event up, for whatever takes lines apart."""
    events = await sent(Agent(Scripted([text])).astream("?"))
    assert events[-1]["output"] == text.replace("\udc00", "\ufffd")


async def test_other_events_have_their_fields():
    """Thoughts, retries, progress, approval: whatever the value, it is JSON."""
    one = ToolCall(id="1", name="add", arguments="{}")

    async def events():
        yield ReasoningEvent("hm")
        yield RetryEvent("connection to http://10.0.0.7/ lost")
        yield ToolProgressEvent(one, {"done": float("nan"), "of": {3}, "by": object})
        yield ToolProgressEvent(one, TextEvent("inner"))

    reasoning, retry, progress, inner = await sent(events())
    assert reasoning == {"kind": "reasoning", "text": "hm"}
    assert retry == {"kind": "retry"}
    assert (progress["value"]["done"], progress["value"]["of"]) == (None, [3])
    assert inner["value"] == {"kind": "text", "text": "inner"}


async def test_a_run_that_waits_for_approval_says_for_what():
    """In an event of its own, and at the end."""
    agent = Agent(Scripted([call("add", a=1, b=2)]), [add.replace(requires_approval=True)])
    events = await sent(agent.astream("?"))
    assert [e["kind"] for e in events] == ["step", "tool_call", "approval", "finished"]
    assert events[-1]["stop_reason"] == "approval"
    assert [c["name"] for c in events[-1]["pending"]] == [c["name"] for c in events[-2]["calls"]] == ["add"]


async def test_a_run_without_an_output_ends_with_its_reason():
    """Reaching a limit is no error."""
    events = await sent(Agent(Scripted([call("add", a=1, b=2)]), [add], limits=Limits(steps=1)).astream("?"))
    assert (events[-1]["kind"], events[-1]["stop_reason"]) == ("finished", "steps")


async def test_only_the_kinds_that_are_wanted_are_sent():
    """And always how it ended."""
    agent = Agent(Scripted([call("add", a=1, b=2), "3"]), [add])
    assert [e["kind"] for e in await sent(agent.astream("?"), kinds={"text"})] == ["text", "finished"]
    with pytest.raises(UsageError, match="txet"):
        sse(agent.astream("?"), kinds={"txet"})


@pytest.mark.parametrize(
    ("error", "name", "text"),
    [
        (RateLimited("key sk-123 of org-9", retry_after_s=3), "RateLimited", "busy"),
        (Unavailable("http://10.0.0.7 refused"), "Unavailable", "busy"),
        (QuotaExhausted("account 17"), "QuotaExhausted", "allowance"),
        (ContextTooLong("secret"), "ContextTooLong", "too long"),
        (RequestRefused("secret"), "RequestRefused", "refused"),
        (AuthFailed("key sk-123"), "AuthFailed", "went wrong"),
        (ModelError("secret"), "ModelError", "went wrong"),
        (Conflict("secret"), "Conflict", "elsewhere"),
        (UsageError("secret"), "UsageError", "went wrong"),
        (KeyError("secret"), "Error", "went wrong"),
    ],
)
async def test_an_error_is_told_safely_and_logged_in_full(error, name, text, caplog):
    """What came before it is sent; the client reads nothing that is not for it."""

    async def events():
        yield TextEvent("half")
        raise error

    with caplog.at_level(logging.ERROR, "agentkit.web"):
        half, last = await sent(events())
    assert half["text"] == "half"
    assert (last["kind"], last["error"]) == ("error", name)
    assert text in last["message"]
    assert last["retryable"] == getattr(error, "retryable", False)
    assert last.get("retry_after_s") == getattr(error, "retry_after_s", None)
    assert not any(word in json.dumps(last) for word in ("sk-", "10.0", "secret", "17"))
    assert str(error) in caplog.records[0].getMessage()
    assert (caplog.records[0].exc_info or (None, None))[1] is (None if name == "UsageError" else error)


async def test_an_empty_question_is_logged_in_one_line(caplog):
    """It is what a visitor may send at any time, not a fault to trace."""
    with caplog.at_level(logging.ERROR, "agentkit.web"):
        (last,) = await sent(Agent(Scripted(["Hello."])).astream(""))
    assert (last["kind"], last["error"]) == ("error", "UsageError")
    assert "the question is empty" in caplog.text
    assert "Traceback" not in caplog.text


async def test_silence_is_filled_with_comments():
    """A proxy hangs up on a connection on which nothing comes; a reader of events never sees them."""

    class Slow:
        async def call(self, request, emit=None):
            await anyio.sleep(0.2)
            return Assistant(content="late")

    chunks = [chunk async for chunk in sse(Agent(Slow()).astream("?"), heartbeat_s=0.02)]
    assert chunks.count(HEARTBEAT) >= 3
    assert parsed(b"".join(chunks))[-1]["output"] == "late"


async def test_a_slow_reader_makes_the_run_wait():
    """Memory stays bounded."""
    model = Endless(0)
    body = sse(Agent(model).astream("?"))
    await anext(body)
    await anyio.sleep(0.1)
    said = model.said
    await anyio.sleep(0.1)
    assert model.said == said < 20 * MAX_WAITING
    await body.aclose()


# ---- leaving ----


async def test_closing_the_body_cancels_the_run():
    """At once, also from another task; what is read afterwards is nothing."""
    model = Endless()
    body = sse(Agent(model).astream("?"))
    await anext(body)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(body.aclose)
    assert model.cancelled.is_set()
    assert [chunk async for chunk in body] == []
    await body.aclose()


async def test_cancelling_the_reader_cancels_the_run():
    """While it waits for the next event."""
    model = Endless(5)
    body = sse(Agent(model).astream("?"))
    with anyio.move_on_after(0.05) as scope:
        async for _ in body:
            pass
    assert scope.cancelled_caught
    assert model.cancelled.is_set()


async def test_a_body_that_is_thrown_away_cancels_its_run():
    """Servers stop reading in the middle and say nothing."""
    model = Endless()

    async def read_one() -> None:
        async for _ in sse(Agent(model).astream("?")):
            break

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read_one)
    gc.collect()
    with anyio.fail_after(2):
        await model.cancelled.wait()


async def test_a_body_that_nobody_reads_starts_nothing():
    """Neither made nor closed."""
    model = Scripted([])
    body = sse(Agent(model).astream("?"))
    await body.aclose()
    assert [chunk async for chunk in body] == []
    del body
    assert model.requests == []


async def test_what_is_finished_is_recorded_before_the_reader_is_let_go():
    """The clean-up of a cancelled run is waited for."""
    cleaned = []

    class Model:
        async def call(self, request, emit=None):
            emit(TextEvent("x"))
            try:
                await anyio.sleep(5)
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(0.05)
                    cleaned.append(True)

    body = sse(Agent(Model()).astream("?"))
    await anext(body)
    await body.aclose()
    assert cleaned == [True]


async def test_an_iterator_of_ones_own_is_closed_where_it_runs():
    """An async generator ends in the task that ran it."""
    ended = []

    async def events():
        try:
            while True:
                yield TextEvent("x")
                await anyio.sleep(0.001)
        finally:
            ended.append(True)

    body = sse(events())
    await anext(body)
    await body.aclose()
    assert ended == [True]


# ---- as an ASGI application ----


async def test_a_response_is_an_asgi_application():
    """Start, chunks, end."""
    messages, gone = [], anyio.Event()

    async def receive():
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        messages.append(message)

    response = EventStreamResponse(Agent(Scripted(["Hi."])).astream("?"), headers=[(b"x-a", b"b")])
    with anyio.fail_after(5):
        await response({"type": "http"}, receive, send)
    start, *bodies = messages
    assert (start["type"], start["status"]) == ("http.response.start", 200)
    assert dict(start["headers"])[b"content-type"] == b"text/event-stream"
    assert dict(start["headers"])[b"x-a"] == b"b"
    assert [m["more_body"] for m in bodies] == [True] * (len(bodies) - 1) + [False]
    assert parsed(b"".join(m["body"] for m in bodies))[-1]["output"] == "Hi."


async def test_a_client_that_disconnects_cancels_the_run():
    """Also while nothing is being sent."""
    model = Endless(5)

    async def receive():
        await model.started.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        pass

    with anyio.fail_after(3):
        await EventStreamResponse(Agent(model).astream("?"))({"type": "http"}, receive, send)
    assert model.cancelled.is_set()


async def test_a_server_that_cannot_send_cancels_the_run():
    """As ASGI servers report a client that has gone."""
    model = Endless()

    async def receive():
        await anyio.sleep(9)

    async def send(message):
        if message.get("body"):
            raise OSError("gone")

    with anyio.fail_after(3):
        await EventStreamResponse(Agent(model).astream("?"))({"type": "http"}, receive, send)
    assert model.cancelled.is_set()


async def test_what_a_server_raises_leaves_as_it_is():
    """Not in a group; and the run is cancelled."""
    model = Endless()

    async def receive():
        await anyio.sleep(9)

    async def send(message):
        if message.get("body"):
            raise RuntimeError("the response was completed already")

    with anyio.fail_after(3), pytest.raises(RuntimeError, match="already"):
        await EventStreamResponse(Agent(model).astream("?"))({"type": "http"}, receive, send)
    assert model.cancelled.is_set()


async def test_two_readers_share_a_body():
    """Neither waits for ever."""
    body, got = sse(Agent(Scripted(["one two three"])).astream("?")), []

    async def read():
        got.extend([chunk async for chunk in body])

    with anyio.fail_after(5):
        async with anyio.create_task_group() as readers:
            readers.start_soon(read)
            readers.start_soon(read)
    assert parsed(b"".join(got))[-1]["kind"] == "finished"


@pytest.mark.parametrize("wrong", [[], Agent(Scripted([])).stream("?")])
async def test_what_no_async_stream_gives_is_refused_at_once(wrong):
    """Else a page would only be told that something went wrong."""
    with pytest.raises(UsageError, match="astream"):
        sse(wrong)
