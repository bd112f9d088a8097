"""Sync calls in the places where event loops break: exits, interrupts, garbage, forks, threads, loops in loops."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass

import anyio
import anyio.from_thread
import pytest
from harness import Flood

from agentkit import Agent, tool
from agentkit.core.events import TextEvent
from agentkit.models.scripted import Scripted, call
from agentkit.runtime import sync

PRELUDE = """
    import anyio, os, signal, sys, threading, time, warnings
    from agentkit import Agent, tool
    from agentkit.core.events import TextEvent
    from agentkit.models.scripted import Scripted, call
    from agentkit.stores import Memory
"""


def script(code: str, timeout: float = 30) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter runs this code."""
    text = textwrap.dedent(PRELUDE) + textwrap.dedent(code)
    return subprocess.run(
        [sys.executable, "-c", text],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        start_new_session=True,
    )


class Endless:
    """Streams until it is cancelled, and says when that was."""

    def __init__(self):
        self.cancelled = threading.Event()

    async def call(self, request, emit=None):
        try:
            while True:
                if emit is not None and (wait := emit(TextEvent("x"))) is not None:
                    await wait
                await anyio.sleep(0.001)
        finally:
            self.cancelled.set()


def begun(model):
    """A stream of which two events were read."""
    stream = Agent(model).stream("go")
    assert [next(stream).kind, next(stream).kind] == ["step", "text"]
    return stream


def test_a_stream_that_is_thrown_away_cancels_its_run():
    """Without close(), as garbage."""
    model = Endless()
    stream = begun(model)
    del stream
    gc.collect()
    assert model.cancelled.wait(5)


def test_garbage_collected_in_the_loop_itself_does_not_stop_it():
    """The collector runs in any thread, also in the one that would have to do the cleaning up."""
    model = Endless()
    knot = [begun(model)]
    knot.append(knot)
    del knot
    portal = sync._Process.portal.portal
    began = time.monotonic()
    portal.call(gc.collect)
    assert time.monotonic() - began < 5
    assert model.cancelled.wait(5)


def test_a_stream_may_be_closed_from_another_thread():
    """And its run is over when close() comes back."""
    model = Endless()
    stream = begun(model)
    thread = threading.Thread(target=stream.close)
    thread.start()
    thread.join(5)
    assert model.cancelled.is_set()


def test_a_stream_that_nobody_reads_asks_nothing():
    """Neither made nor thrown away."""
    model = Scripted([])
    stream = Agent(model).stream("go")
    del stream
    assert model.requests == []


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
@pytest.mark.parametrize("streamed", [False, True])
def test_an_exception_that_ends_loops_ends_this_run_only(error, streamed):
    """A model raises what is meant for a process: it reaches its caller, and the next run works."""
    agent = Agent(Scripted([error]))
    with pytest.raises(type(error)):
        list(agent.stream("go")) if streamed else agent.run("go")
    assert Agent(Scripted(["fine"])).run("go").output == "fine"


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("calls", [1, 3])
def test_a_tool_that_raises_what_ends_processes_is_told(error, calls):
    """In the portal's thread no KeyboardInterrupt is a Ctrl-C."""

    @tool
    async def stop() -> str:
        raise error

    result = Agent(Scripted([[call("stop") for _ in range(calls)], "done"]), [stop]).run("go")
    assert result.output == "done"
    assert [m["content"] for m in result.to_openai() if m["role"] == "tool"] == [error.__name__] * calls


@pytest.mark.parametrize("order", ["before", "after"])
def test_runs_work_while_the_process_exits(order):
    """In an atexit function, whether it was registered before the first run or after it."""
    code = f"""
        import atexit
        def bye():
            print(Agent(Scripted(["bye"])).run("go"))
        if {order!r} == "before":
            atexit.register(bye)
        print(Agent(Scripted(["hello"])).run("go"))
        if {order!r} == "after":
            atexit.register(bye)
    """
    done = script(code)
    assert done.stdout.split() == ["hello", "bye"], done.stderr
    assert done.stderr == ""


def test_ctrl_c_in_a_stream_cancels_and_raises_again():
    """The run's tool is cancelled, and its answer recorded, before the exception goes on with the run as far as it came."""
    code = """
        store = Memory()
        @tool
        async def hang() -> str:
            threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
            await anyio.sleep(30)
        agent = Agent(Scripted([call("hang")]), [hang], store=store)
        try:
            for event in agent.stream("go", session="s"):
                pass
        except KeyboardInterrupt as stop:
            for entries in (store._sessions["s"], stop.result.entries):
                print([e.outcome for e in entries if e.kind == "tool_result"])
    """
    done = script(code)
    assert done.stdout.split() == ["['interrupted']"] * 2, done.stderr


def test_a_second_ctrl_c_abandons_what_does_not_let_go():
    """A tool that blocks the loop cannot hold the user."""
    code = """
        @tool
        async def stuck() -> str:
            for delay_s in (0.2, 0.6):
                threading.Timer(delay_s, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
            time.sleep(60)
        began = time.monotonic()
        try:
            Agent(Scripted([call("stuck")]), [stuck]).run("go")
        except KeyboardInterrupt:
            print(time.monotonic() - began < 5)
    """
    done = script(code, timeout=20)
    assert done.stdout.strip() == "True", done.stderr


def test_after_a_ctrl_c_the_next_run_works():
    """In a notebook the user goes on."""
    code = """
        @tool
        async def hang() -> str:
            threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
            await anyio.sleep(30)
        agent = Agent(Scripted([call("hang"), "again"]), [hang])
        async def cell():
            try:
                agent.run("go")
            except KeyboardInterrupt:
                return agent.run("go").output
        import asyncio
        loop = asyncio.new_event_loop()
        print(loop.run_until_complete(cell()))
    """
    assert script(code).stdout.strip() == "again"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this machine has no fork")
def test_a_child_that_was_forked_while_a_run_was_under_way_runs_its_own():
    """From a thread or from a tool: with sync tools, streams and sub-runs."""
    code = """
        warnings.simplefilter("ignore")
        def leaf() -> str:
            return "leaf"
        def work():
            agent = Agent(Scripted([[call("leaf"), call("leaf")], "done", "more"]), [leaf])
            return agent.run("go").output + list(agent.stream("on"))[-1].result.output
        def fork() -> int:
            pid = os.fork()
            if pid == 0:
                os._exit(0 if work() == "donemore" else 1)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert work() == "donemore"
        result = Agent(Scripted([[call("fork"), call("leaf")], "done"]), [fork, leaf]).run("go")
        print([m["content"] for m in result.to_openai() if m["role"] == "tool"], fork())
    """
    done = script(code)
    assert done.stdout.strip() == "['0', 'leaf'] 0", done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this machine has no fork")
def test_a_stream_stays_with_the_process_that_began_it():
    """A forked child that reads on, or closes what it inherited, does not wait for a thread that it lacks."""
    code = """
        warnings.simplefilter("ignore")
        from agentkit import Assistant
        class Slow:
            async def call(self, request, emit=None):
                for _ in range(50):
                    emit(TextEvent("x"))
                    await anyio.sleep(0.01)
                return Assistant(content="x" * 50)
        streams = [Agent(Slow()).stream("go") for _ in range(2)]
        for stream in streams:
            next(stream)
        pid = os.fork()
        if pid == 0:
            signal.alarm(5)
            streams[0].close()
            try:
                print(list(streams[1]))
            except Exception as fault:
                print(fault, flush=True)
            os._exit(0)
        print(os.waitpid(pid, 0)[1], *(list(stream)[-1].result.output.count("x") for stream in streams))
    """
    done = script(code)
    assert done.stdout.splitlines()[1:] == ["0 50 50"], done.stderr
    assert "after a fork" in done.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this machine has no fork")
def test_a_child_that_was_forked_while_a_thread_made_the_portal_runs_its_own():
    """It does not wait for a thread that it lacks."""
    code = """
        warnings.simplefilter("ignore")
        from agentkit.runtime.sync import _portal
        made = threading.Event()
        class Slow(threading.Thread):
            def start(self):
                made.set()
                time.sleep(0.2)
                super().start()
        usual, threading.Thread = threading.Thread, Slow
        first = usual(target=_portal)
        first.start()
        made.wait()
        threading.Thread = usual
        pid = os.fork()
        if pid == 0:
            signal.alarm(5)
            os._exit(0 if Agent(Scripted(["done"])).run("go").output == "done" else 1)
        print(os.waitpid(pid, 0)[1])
        first.join()
    """
    done = script(code)
    assert done.stdout.strip() == "0", done.stderr


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this machine has no timer signals")
def test_what_the_handler_of_a_signal_raises_cancels_the_run():
    """As Ctrl-C does: nothing goes on that nobody waits for, and the error has the run as far as it came."""
    model = Endless()

    def late(*_):
        raise TimeoutError("too late")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(TimeoutError) as caught:
            Agent(model).run("go")
    finally:
        signal.signal(signal.SIGALRM, before)
    assert model.cancelled.is_set()
    assert caught.value.result.stop_reason == "cancelled"


def test_fifty_threads_at_once_with_sync_tools():
    """Each gets its own answer."""
    outputs = {}

    def work(n):
        def twice(n: int) -> int:
            time.sleep(0.005)
            return 2 * n

        agent = Agent(Scripted([[call("twice", n=n), call("twice", n=n + 1)], str(n)]), [twice])
        *_, last = agent.stream("go") if n % 2 else [agent.run("go")]
        outputs[n] = (last.result if n % 2 else last).to_openai()[2]["content"]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert outputs == {n: str(2 * n) for n in range(50)}


def test_nested_streams_never_starve_on_the_thread_pool():
    """More sync tools than threads, each reading the stream of a run with a sync tool of its own."""

    def leaf() -> str:
        return "leaf"

    def branch() -> str:
        return list(Agent(Scripted([call("leaf"), "inner done"]), [leaf]).stream("go"))[-1].result.output

    result = Agent(Scripted([[call("branch") for _ in range(40)], "done"]), [branch]).run("go")
    assert all(m["content"] == "inner done" for m in result.to_openai() if m["role"] == "tool")


def test_an_async_tool_that_streams_in_sync_is_told_to_await():
    """The error names what to write."""
    inner = Agent(Scripted(["x"]))

    @tool
    async def ask() -> str:
        return str(list(inner.stream("go")))

    result = Agent(Scripted([call("ask"), "done"]), [ask]).run("go")
    assert "agent.astream" in result.to_openai()[2]["content"]


def test_instructions_may_run_an_agent():
    """They are made in the thread that asks, not in the loop that their own run needs."""
    inner, model = Agent(Scripted(["Be brief."])), Scripted(["done"])
    assert Agent(model, instructions=lambda _: inner.run("go").output).run("go").output == "done"
    assert model.requests[0].messages[0].content == "Be brief."


@pytest.mark.parametrize("way", ["run", "stream"])
def test_classes_of_the_calling_function_may_name_each_other(way):
    """The thread with the loop knows none of them."""

    @dataclass
    class Line:
        sku: str

    @dataclass
    class Order:
        lines: list[Line]

    agent = Agent(Scripted(['{"lines": [{"sku": "a"}]}', '[{"sku": "b"}]']))
    for output, wanted in ((Order, Order([Line("a")])), (list["Line"], [Line("b")])):
        came = getattr(agent, way)("go", output=output)
        assert (came if way == "run" else list(came)[-1].result).output == wanted


def test_a_sync_tool_may_run_an_event_loop_of_its_own():
    """Its thread has none; in it, agents run as anywhere."""
    inner = Agent(Scripted(["inner", "in sync"]))

    def ask() -> str:
        async def main():
            return (await inner.arun("go")).output + inner.run("go").output

        return anyio.run(main)

    result = Agent(Scripted([call("ask"), "done"]), [ask]).run("go")
    assert result.to_openai()[2]["content"] == "innerin sync"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_loop_that_runs_in_the_main_thread_is_no_obstacle(backend):
    """As in a notebook, with either event loop: whole answers, streams, and again in the next loop."""

    async def cell():
        agent = Agent(Scripted(["one", "two"]))
        return agent.run("go").output + list(agent.stream("go"))[-1].result.output

    assert anyio.run(cell, backend=backend) == "onetwo"
    assert anyio.run(cell, backend=backend) == "onetwo"


def test_a_slow_reader_of_a_sync_stream_makes_the_run_wait():
    """Memory stays bounded, and nothing is lost."""
    model = Flood()
    stream = Agent(model).stream("go")
    assert next(stream).kind == "step"
    time.sleep(0.3)
    assert model.emitted < 6_000
    assert sum(event.kind == "text" for event in stream) == 20_000


def test_a_process_that_exits_closes_its_connections():
    """What is open in the portal's loop is cancelled and may clean up; the process does not wait for long."""
    code = """
        class Model:
            async def call(self, request, emit=None):
                try:
                    await anyio.sleep(60)
                finally:
                    print("closed", flush=True)
        threading.Thread(target=lambda: Agent(Model()).run("go"), daemon=True).start()
        time.sleep(0.5)
    """
    began = time.monotonic()
    done = script(code)
    assert done.stdout.strip() == "closed"
    assert time.monotonic() - began < 10
