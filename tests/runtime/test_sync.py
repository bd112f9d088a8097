"""Sync calls work everywhere, and a Ctrl-C is never lost."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading

import anyio
import pytest

from agentkit import Agent, UsageError, tool
from agentkit.models.scripted import Scripted, call


@tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def test_run_works_in_a_script():
    """Twice, on one event loop."""
    agent = Agent(Scripted([call("add", a=1, b=2), "3", "4"]), [add])
    assert agent.run("go").output == "3"
    assert agent.run("go").output == "4"


def test_run_works_inside_a_running_loop():
    """As in a notebook."""

    async def cell():
        return Agent(Scripted(["hello"])).run("go").output

    assert anyio.run(cell) == "hello"


def test_run_works_from_many_threads():
    """All of them share the portal."""
    outputs = []

    def work(n):
        outputs.append(Agent(Scripted([str(n)])).run("go").output)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(outputs, key=int) == [str(n) for n in range(20)]


def test_stream_is_a_plain_iterator():
    """And leaving it early cancels the run."""
    kinds = [event.kind for event in Agent(Scripted(["a b"])).stream("go")]
    assert kinds == ["step", "text", "text", "finished"]
    for event in Agent(Scripted(["a b"])).stream("go"):
        assert event.kind == "step"
        break


def test_an_async_tool_that_blocks_on_run_is_told_to_await():
    """It would block the loop that its own run needs."""
    inner = Agent(Scripted(["x"]))

    @tool
    async def ask() -> str:
        return inner.run("go").output

    result = Agent(Scripted([call("ask"), "done"]), [ask]).run("go")
    assert "arun" in str(result.to_openai())
    assert "UsageError" in str(result.to_openai())


def test_nested_sync_runs_never_starve_on_the_thread_pool():
    """More sync tools than threads, each waiting for a run with a sync tool of its own."""

    def leaf() -> str:
        return "leaf"

    def branch() -> str:
        return Agent(Scripted([call("leaf"), "inner done"]), [leaf]).run("go").output

    batch = [call("branch") for _ in range(50)]
    result = Agent(Scripted([batch, "done"]), [branch]).run("go")
    assert result.output == "done"
    assert all(m["content"] == "inner done" for m in result.to_openai() if m["role"] == "tool")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this machine has no fork")
def test_a_forked_child_gets_a_portal_of_its_own():
    """The parent's thread does not exist in the child."""
    code = """
        import os, sys, warnings
        warnings.simplefilter("ignore")
        from agentkit import Agent
        from agentkit.models.scripted import Scripted
        assert Agent(Scripted(["parent"])).run("go").output == "parent"
        pid = os.fork()
        if pid == 0:
            ok = Agent(Scripted(["child"])).run("go").output == "child"
            os._exit(0 if ok else 1)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """
    assert script(code).returncode == 0


def test_ctrl_c_cancels_records_and_raises_again():
    """The exception carries the run so far, every call answered."""
    code = """
        import signal, os, threading, time
        from agentkit import Agent, tool
        from agentkit.models.scripted import Scripted, call
        def hang() -> str:
            threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
            time.sleep(30)
        try:
            Agent(Scripted([call("hang")]), [hang]).run("go")
        except KeyboardInterrupt as stop:
            print([e.outcome for e in stop.result.entries if e.kind == "tool_result"])
    """
    done = script(code)
    assert done.stdout.strip() == "['interrupted']", done.stderr
    assert done.returncode == 0


def test_a_hanging_tool_does_not_keep_the_process_from_exiting():
    """Its thread is a daemon."""
    code = """
        import time
        from agentkit import Agent, tool
        from agentkit.models.scripted import Scripted, call
        @tool(timeout_s=0.1)
        def hang() -> str:
            time.sleep(60)
        print(Agent(Scripted([call("hang"), "done"]), [hang]).run("go"))
    """
    done = script(code, timeout=20)
    assert done.stdout.strip() == "done"
    assert done.returncode == 0


def test_an_unknown_option_is_refused_with_the_ones_there_are():
    """The mistake is named where it is made."""
    with pytest.raises(UsageError, match="history"):
        Agent(Scripted([])).run("go", sesion="typo")


def script(code: str, timeout: float = 30) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter runs this code."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=timeout, check=False
    )
