"""One call: whatever a tool does becomes one answer, and only what is not the tool's leaves."""

from __future__ import annotations

import asyncio  # noqa: TID251 - what programs that do not know anyio do
import contextvars
import json
import subprocess
import sys
import threading
import time
from typing import Any

import anyio
import pytest
from pydantic import BaseModel, field_validator

from agentkit.core.messages import ToolCall, Usage
from agentkit.errors import Retry, ToolFailed
from agentkit.tooling.arguments import InvalidArguments
from agentkit.tooling.context import ToolContext
from agentkit.tooling.invoke import Called, invoke, prepare
from agentkit.tooling.output import ToolOutput
from agentkit.tooling.threads import shared_pool
from agentkit.tooling.tool import tool

pytestmark = pytest.mark.anyio


def raising(error: Any, *, threaded: bool) -> Any:
    """A tool that raises, in a thread or in the loop."""

    def fail() -> None:
        raise error

    async def fail_later() -> None:
        raise error

    return tool(fail) if threaded else tool(fail_later)


class Rude(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


class Exotic(BaseException):
    pass


FAULTS = [
    (ValueError("bad value"), "ValueError: bad value"),
    (ValueError(), "ValueError"),
    (KeyError("k"), "KeyError: 'k'"),
    (Rude(), "Rude"),
    (SystemExit(3), "SystemExit: 3"),
    (Exotic("odd"), "Exotic: odd"),
    (
        ExceptionGroup("two", [ValueError("a"), TypeError("b")]),
        "ExceptionGroup: two (2 sub-exceptions); ValueError: a; TypeError: b",
    ),
    (TimeoutError("own"), "TimeoutError: own"),
    (RecursionError("deep"), "RecursionError: deep"),
    (ValueError("lone \ud800"), "ValueError: lone \ufffd"),
]


@pytest.mark.parametrize("threaded", [True, False])
@pytest.mark.parametrize(("error", "text"), FAULTS, ids=lambda value: type(value).__name__)
async def test_an_exception_is_told_by_type_and_message(error, text, threaded):
    """No traceback; the exception itself is kept for the application."""
    called = await raising(error, threaded=threaded).call_json("{}")
    assert (called.content, called.outcome, called.is_error) == (text, "error", True)
    assert called.exception is error
    assert str(called) == text


@pytest.mark.parametrize(
    "error", [StopIteration(1), StopAsyncIteration(), GeneratorExit(), KeyboardInterrupt(), asyncio.CancelledError()]
)
async def test_what_means_something_to_a_loop_is_an_ordinary_fault_in_a_thread(error):
    """There nobody is cancelled, and Ctrl-C goes to the main thread."""
    called = await raising(error, threaded=True).call_json("{}")
    assert called.outcome == "error"
    assert called.content.startswith(type(error).__name__)


@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit])
async def test_ctrl_c_leaves_an_async_tool(error):
    """It is the user's, not the tool's."""

    async def interrupted() -> None:
        raise error

    with pytest.raises(error):
        await tool(interrupted).call_json("{}")


async def test_a_long_message_is_clipped():
    """The head and the tail say enough."""
    called = await raising(ValueError("x" * 100_000), threaded=False).call_json("{}")
    assert len(called.content) <= 2_000
    assert called.content.startswith("ValueError: xxx")


@pytest.mark.parametrize("threaded", [True, False])
@pytest.mark.parametrize("signal", [Retry, ToolFailed])
async def test_a_signal_is_shown_exactly(signal, threaded):
    """It is an answer, so there is no exception to raise later."""
    called = await raising(signal("Try another city.\n" + "x" * 5_000), threaded=threaded).call_json("{}")
    assert called.content == "Try another city.\n" + "x" * 5_000
    assert (called.outcome, called.exception) == ("error", None)
    assert str(await raising(signal(), threaded=threaded).call_json("{}")) == signal.__name__


async def test_the_cancellation_of_something_else_is_an_ordinary_fault():
    """A tool that awaits a cancelled task of its own is not cancelled itself."""

    async def stray() -> None:
        if anyio.get_cancelled_exc_class() is asyncio.CancelledError:
            task = asyncio.ensure_future(asyncio.sleep(9))
            task.cancel()
            await task
        raise ValueError("CancelledError")

    called = await tool(stray).call_json("{}")
    assert called.outcome == "error"
    assert "CancelledError" in called.content


@pytest.mark.parametrize("threaded", [True, False])
async def test_a_cancellation_leaves_at_once(threaded):
    """Of a coroutine and of a thread, which goes on alone."""
    started, release = threading.Event(), threading.Event()

    def block() -> None:
        started.set()
        release.wait(5)

    async def wait() -> None:
        started.set()
        await anyio.sleep(5)

    before = time.monotonic()
    async with anyio.create_task_group() as group:
        group.start_soon(tool(block if threaded else wait).call_json, "{}")
        while not started.is_set():
            await anyio.sleep(0.001)
        group.cancel_scope.cancel()
    assert time.monotonic() - before < 1
    release.set()


async def test_an_outer_deadline_is_not_the_tools_timeout():
    """The scope that was cancelled is the one that catches."""

    @tool(timeout_s=5)
    async def wait() -> None:
        await anyio.sleep(5)

    with anyio.move_on_after(0.02) as scope:
        await wait.call_json("{}")
    assert scope.cancelled_caught


async def test_a_native_cancellation_leaves_too(anyio_backend_name):
    """`task.cancel()` and `asyncio.timeout`, of programs that do not know anyio."""
    if anyio_backend_name != "asyncio":
        return

    @tool
    async def wait() -> None:
        await anyio.sleep(5)

    task = asyncio.ensure_future(wait.call_json("{}"))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await wait.call_json("{}")


async def test_an_async_tool_that_is_too_slow_is_cancelled():
    """And the report says how long it had."""
    cleaned = []

    @tool(timeout_s=0.02)
    async def slow() -> None:
        try:
            await anyio.sleep(5)
        finally:
            cleaned.append(True)

    called = await slow.call_json("{}")
    assert (called.content, called.outcome) == ("timed out after 0.02 s", "timeout")
    assert cleaned == [True]


async def test_a_sync_tool_that_is_too_slow_is_abandoned():
    """Its thread goes on, which the report says, and which is counted until it ends."""
    release = threading.Event()

    @tool(timeout_s=0.02)
    def slow() -> None:
        release.wait(5)

    called = await slow.call_json("{}")
    assert called.content == "timed out after 0.02 s; it may still be running"
    assert called.outcome == "timeout"
    assert shared_pool().abandoned >= 1
    release.set()
    with anyio.fail_after(2):
        while shared_pool().abandoned:
            await anyio.sleep(0.005)


async def test_a_tool_may_raise_a_timeout_of_its_own():
    """It is not ours."""

    @tool(timeout_s=5)
    async def own() -> None:
        raise TimeoutError("the server did not answer")

    called = await own.call_json("{}")
    assert (called.content, called.outcome) == ("TimeoutError: the server did not answer", "error")


def failing(times: int, error: Exception, **policy: Any) -> tuple[Any, list[int]]:
    """A tool that fails so often, then answers; and the tries it has made."""
    tries: list[int] = []

    @tool(**policy)
    async def flaky() -> str:
        tries.append(1)
        if len(tries) <= times:
            raise error
        return "fine"

    return flaky, tries


async def test_a_fault_is_tried_again_so_often():
    """Then its last fault is the answer."""
    flaky, tries = failing(2, ValueError("x"), retries=2)
    assert str(await flaky.call_json("{}")) == "fine"
    assert len(tries) == 3
    flaky, tries = failing(9, ValueError("x"), retries=1)
    assert str(await flaky.call_json("{}")) == "ValueError: x"
    assert len(tries) == 2
    flaky, tries = failing(9, ValueError("x"))
    await flaky.call_json("{}")
    assert len(tries) == 1


async def test_a_try_gets_the_arguments_as_they_were_sent():
    """Also when the one before has changed them."""
    seen = []

    @tool(retries=2)
    async def grow(items: list[int]) -> None:
        items.append(9)
        seen.append(list(items))
        raise ValueError

    await grow.call_json('{"items": [1]}')
    assert seen == [[1, 9]] * 3


@pytest.mark.parametrize("signal", [Retry("why"), ToolFailed("no")])
async def test_a_signal_is_not_tried_again(signal):
    """The tool has answered."""
    flaky, tries = failing(1, signal, retries=3)
    assert (await flaky.call_json("{}")).is_error
    assert len(tries) == 1


@pytest.mark.parametrize(("idempotent", "tried"), [(True, 2), (False, 1)])
async def test_a_timeout_is_tried_again_only_if_twice_is_as_once(idempotent, tried):
    """The first try may still be at work."""
    tries = []

    @tool(retries=1, timeout_s=0.01, idempotent=idempotent)
    async def slow() -> None:
        tries.append(1)
        await anyio.sleep(5)

    assert (await slow.call_json("{}")).outcome == "timeout"
    assert len(tries) == tried


# --- Generators -------------------------------------------------------------------------------------------------------


def plain_yields():
    yield "one"
    yield "two"


def returns():
    yield "one"
    yield "two"
    return "three"


async def async_yields():
    yield "one"
    await anyio.sleep(0)
    yield "two"


def returns_a_generator():
    return plain_yields()


async def awaits_a_generator():
    return returns()


def returns_a_coroutine():
    async def later():
        return "two"

    return later()


def returns_an_async_generator():
    return async_yields()


async def yields_nothing():
    for _ in ():
        yield _


@pytest.mark.parametrize(
    ("function", "result", "progress"),
    [
        (plain_yields, "two", ["one", "two"]),
        (returns, "three", ["one", "two"]),
        (async_yields, "two", ["one", "two"]),
        (returns_a_generator, "two", ["one", "two"]),
        (awaits_a_generator, "three", ["one", "two"]),
        (returns_a_coroutine, "two", []),
        (returns_an_async_generator, "two", ["one", "two"]),
        (yields_nothing, "null", []),
    ],
)
async def test_what_a_generator_yields_is_progress(function, result, progress):
    """And what it returns, else its last value, is the result."""
    seen: list[Any] = []
    called = await tool(function).call_json("{}", context=ToolContext(progress=seen.append))
    assert called.content == result
    assert seen == progress


async def test_a_thread_reports_in_the_event_loop_and_in_order():
    """Listeners need no lock."""
    threads: set[int] = set()
    seen: list[int] = []

    def listen(value: int) -> None:
        threads.add(threading.get_ident())
        seen.append(value)

    @tool
    def work(ctx: ToolContext) -> str:
        for i in range(500):
            ctx.progress(i)
        return "done"

    assert str(await work.call_json("{}", context=ToolContext(progress=listen))) == "done"
    assert seen == list(range(500))
    assert threads == {threading.get_ident()}


async def test_a_listener_that_fails_does_not_fail_the_tool():
    """Progress is a courtesy."""

    def listen(value: Any) -> None:
        raise RuntimeError("listener")

    for function in (plain_yields, async_yields):
        called = await tool(function).call_json("{}", context=ToolContext(progress=listen))
        assert called.content == "two"


async def test_nothing_is_reported_after_the_answer():
    """An abandoned generator is stopped by its next report."""
    seen: list[int] = []
    stopped = threading.Event()

    @tool(timeout_s=0.2)
    def endless():
        try:
            while True:
                yield 1
                time.sleep(0.001)
        finally:
            stopped.set()

    called = await endless.call_json("{}", context=ToolContext(progress=seen.append))
    count = len(seen)
    assert called.outcome == "timeout"
    with anyio.fail_after(2):
        while not stopped.is_set():
            await anyio.sleep(0.005)
    assert len(seen) == count > 0


async def test_an_async_generator_is_closed_when_it_is_too_slow():
    """Its clean-up runs at once, not when it is collected."""
    closed = []

    @tool(timeout_s=0.02)
    async def slow():
        try:
            yield 1
            await anyio.sleep(5)
        finally:
            closed.append(True)

    assert (await slow.call_json("{}")).outcome == "timeout"
    assert closed == [True]


async def test_an_async_generator_that_never_waits_lets_others_run():
    """And can be stopped."""

    @tool(timeout_s=0.05)
    async def busy():
        while True:
            yield 1

    assert (await busy.call_json("{}")).outcome == "timeout"


# --- Results ----------------------------------------------------------------------------------------------------------


async def test_a_result_is_value_and_text():
    """The text for the model, the value for the application."""

    @tool
    def find() -> dict[str, Any]:
        return {"é": [1]}

    called = await find.call_json("{}")
    assert called == Called('{"é": [1]}', {"é": [1]})
    assert not called.is_error


@pytest.mark.parametrize("threaded", [True, False])
async def test_an_output_has_two_parts(threaded):
    """What the model reads, and what only the application sees, as JSON."""
    output = ToolOutput(content=[1, 2], details={"path": {1}}, is_error=True, usage=Usage(input_tokens=3), cost_usd=0.5)

    async def later() -> ToolOutput:
        return output

    called = await tool((lambda: output) if threaded else later, name="x").call_json("{}")
    assert (called.content, called.value, called.details) == ("[1, 2]", [1, 2], {"path": [1]})
    assert (called.outcome, called.usage, called.cost_usd) == ("error", Usage(input_tokens=3), 0.5)


async def test_a_result_becomes_text_before_the_object_can_change():
    """What the next call does to the same list is not seen."""
    items: list[int] = []

    @tool
    def add() -> list[int]:
        items.append(1)
        return items

    first = await add.call_json("{}")
    second = await add.call_json("{}")
    assert (first.content, second.content) == ("[1]", "[1, 1]")


async def test_a_long_result_is_cut_and_says_so():
    """To `max_output_chars`; None for no limit."""

    def much(n: int) -> str:
        return "x" * n

    assert len((await tool(much).call_json('{"n": 60000}')).content) == 50_000
    assert "of 60,000 characters cut" in (await tool(much).call_json('{"n": 60000}')).content
    assert len((await tool(much, max_output_chars=None).call_json('{"n": 60000}')).content) == 60_000
    assert len((await tool(much, max_output_chars=100).call_json('{"n": 101}')).content) <= 100

    def fails() -> str:
        raise ToolFailed("x" * 101)

    assert len((await tool(fails, max_output_chars=100).call_json("{}")).content) <= 100


# --- Arguments --------------------------------------------------------------------------------------------------------


@tool
async def add(a: int, b: int = 2) -> int:
    """Add."""
    return a + b


REPAIRED = [
    {"a": 1},
    '"{\\"a\\": 1}"',
    '```json\n{"a": 1}\n```',
    "{'a': 1,}",
    '{"add": {"a": 1}}',
    '{"a": 1, "b": null}',
    b'{"a": 1}',
]


@pytest.mark.parametrize("raw", REPAIRED, ids=str)
async def test_damaged_arguments_are_repaired_and_it_is_said(raw):
    """Without another round trip."""
    called = await add.call_json(raw)
    assert (called.content, called.outcome) == ("3", "ok")
    assert called.repaired is not isinstance(raw, bytes)


def test_the_text_of_prepared_arguments_is_valid_json():
    """As the model wrote it, if that was; what pydantic reads beyond JSON is refused."""
    assert prepare(add, ' {"a": 1} ').text == ' {"a": 1} '
    assert prepare(add, ' {"a": 1} ').arguments == {"a": 1, "b": 2}
    assert json.loads(prepare(add, "{'a': 1}").text) == {"a": 1}
    for bad in ('{"a": NaN}', '{"a": Infinity}', "[1]", "1", '"x"', '{"a": 1', '{"a": 1}{"a": 2}', "{" * 10_000):
        with pytest.raises(InvalidArguments):
            prepare(add, bad)


def test_null_is_not_dropped_where_it_is_required_or_meant():
    """Only for what may be left out and cannot be null."""

    def take(a: int, b: int | None = 3) -> None: ...

    assert prepare(tool(take), '{"a": 1, "b": null}').arguments == {"a": 1, "b": None}
    with pytest.raises(InvalidArguments, match="a: expected an integer"):
        prepare(tool(take), '{"a": null}')


def test_what_was_cut_off_never_runs():
    """Not even if it looks whole enough to be repaired."""
    with pytest.raises(InvalidArguments, match="token limit"):
        prepare(add, '{"a": 1', truncated=True)


async def test_invalid_arguments_are_an_answer():
    """One line a problem, no call."""
    called = await add.call_json('{"a": "many", "c": 1}')
    assert called.outcome == "invalid"
    assert called.content.splitlines()[0] == 'a: expected an integer, got "many"'
    assert "c" in called.content.splitlines()[1]
    assert isinstance(called.exception, InvalidArguments)


async def test_a_validator_of_the_user_may_raise_anything():
    """It is told like any fault of the arguments."""

    class Strict(BaseModel):
        x: int

        @field_validator("x")
        @classmethod
        def check(cls, value: int) -> int:
            raise RuntimeError("no luck") if value else ValueError("must not be zero")

    async def take(m: Strict) -> None: ...

    assert "must not be zero" in (await tool(take).call_json('{"m": {"x": 0}}')).content
    called = await tool(take).call_json('{"m": {"x": 1}}')
    assert (called.outcome, called.content) == ("invalid", "RuntimeError: no luck")


async def test_prepared_arguments_can_be_invoked_later():
    """The runtime plans first and calls then."""
    call = ToolCall(id="1", name="add", arguments='{"a": 1}')
    assert (await invoke(add, prepare(add, call.arguments), ToolContext(call=call))).value == 3


# --- Threads ----------------------------------------------------------------------------------------------------------

place: contextvars.ContextVar[str] = contextvars.ContextVar("place", default="nowhere")


async def test_context_variables_are_copied_into_the_thread():
    """And what the tool sets there stays there."""

    @tool
    def where() -> str:
        before = place.get()
        place.set("thread")
        return before

    place.set("loop")
    assert str(await where.call_json("{}")) == "loop"
    assert place.get() == "loop"


async def test_sync_tools_run_at_once():
    """Thirty-two of them."""

    @tool
    def nap() -> None:
        time.sleep(0.1)

    before = time.monotonic()
    async with anyio.create_task_group() as group:
        for _ in range(32):
            group.start_soon(nap.call_json, "{}")
    assert time.monotonic() - before < 0.8


async def test_a_tool_may_run_an_event_loop_of_its_own():
    """In its thread there is none."""

    @tool
    def own_loop() -> int:
        async def main() -> int:
            await asyncio.sleep(0)
            return 7

        return asyncio.run(main())

    @tool
    def own_anyio() -> int:
        async def main() -> int:
            await anyio.sleep(0)
            return 8

        return anyio.run(main)

    assert str(await own_loop.call_json("{}")) == "7"
    assert str(await own_anyio.call_json("{}")) == "8"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_tool_that_hangs_does_not_keep_the_process(backend):
    """Its thread is a daemon."""
    script = (
        "import time, anyio\n"
        "from agentkit.tooling.tool import tool\n"
        "made = tool(lambda: time.sleep(60), name='hang', timeout_s=0.05)\n"
        f"print(anyio.run(made.call_json, '{{}}', backend={backend!r}))\n"
    )
    before = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert "may still be running" in done.stdout
    assert done.stderr == ""
    assert time.monotonic() - before < 15


def test_a_forked_child_has_threads_of_its_own():
    """Those of its parent did not come along."""
    script = (
        "import os, anyio, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "from agentkit.tooling.tool import tool\n"
        "made = tool(lambda: 'fine', name='x')\n"
        "anyio.run(made.call_json, '{}')\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    print(anyio.run(made.call_json, '{}'), flush=True)\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "fine\n"
