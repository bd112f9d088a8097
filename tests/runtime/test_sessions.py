"""Sessions: the same call goes on where it stands, also after kill -9."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
import time

import pytest
from harness import answered, contents

from agentkit import Agent, StoreError, UsageError, tool
from agentkit.core.state import fold
from agentkit.models.scripted import Scripted, call
from agentkit.stores import Memory, SQLite

pytestmark = pytest.mark.anyio


async def test_a_session_at_rest_starts_a_new_turn():
    """The model sees the conversation so far."""
    store = Memory()
    with Scripted(["one", "two"]) as model:
        agent = Agent(model, store=store)
        await agent.arun("first", session="s")
        result = await agent.arun("first", session="s")
    assert result.output == "two"
    assert [m.kind for m in model.requests[1].messages] == ["user", "assistant", "user"]
    assert result.session == "s"


async def test_resume_of_a_session_at_rest_gives_its_result_without_asking_the_model():
    """There is nothing to go on with."""
    store = Memory()
    agent = Agent(Scripted(["one"]), store=store)
    await agent.arun("first", session="s")
    assert (await agent.aresume("s")).stop_reason == "finished"


async def test_session_without_a_store_and_session_with_history_are_refused():
    """Both say what to change."""
    with pytest.raises(UsageError, match="store"):
        await Agent(Scripted([])).arun("q", session="s")
    with pytest.raises(UsageError, match="not both"):
        await Agent(Scripted([]), store=Memory()).arun("q", session="s", history=[])


WORKER = """
    import os, sys, time
    from agentkit import Agent, tool
    from agentkit.core.messages import Assistant
    from agentkit.models.scripted import call
    from agentkit.stores import SQLite
    path, effects = sys.argv[1:]

    def effect(line):
        fd = os.open(effects, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, (line + "\\n").encode())
        os.close(fd)

    @tool
    async def charge(n: int) -> str:
        effect(f"charge {n}")
        import anyio
        await anyio.sleep(0.01)
        return f"charged {n}"

    @tool(idempotent=True)
    def look(n: int) -> str:
        effect(f"look {n}")
        time.sleep(0.01)
        return f"seen {n}"

    class Model:
        async def call(self, request, emit=None):
            import anyio
            await anyio.sleep(0.01)
            step = sum(m.kind == "assistant" for m in request.messages)
            effect(f"model {step}")
            if step == 4:
                return Assistant(content="done")
            return Assistant(tool_calls=(call("charge", n=step), call("look", n=step)))

    result = Agent(Model(), [charge, look], store=SQLite(path)).run("go", session="s")
    assert result.output == "done"
"""


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("seed", range(3))
async def test_a_supervisor_that_calls_again_after_kill_9_gets_the_answer(tmp_path, seed):
    """No charge happens twice, every call is answered once, and what was answered is not asked again."""
    path, effects = tmp_path / "runs.db", tmp_path / "effects"
    rng = random.Random(seed)
    kills = 0
    while not await at_rest(path):
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WORKER), str(path), str(effects)], stderr=subprocess.PIPE, text=True
        )
        if kills < 6:
            wait_for_work(child, effects)
            time.sleep(rng.random() * 0.04)
            child.kill()
            kills += 1
        _, err = child.communicate(timeout=30)
        assert child.returncode in (0, -9), err
    result = await Agent(Scripted([]), store=SQLite(path)).aresume("s")
    assert result.output == "done"
    assert answered(result)
    lines = effects.read_text().splitlines()
    charges = [line for line in lines if line.startswith("charge")]
    assert len(charges) == len(set(charges)), "a charge happened twice"
    told = contents(result)
    assert len(told) == 8
    assert all(text.startswith(("charged", "interrupted")) for text in told[0::2])
    assert all(text.startswith("seen") for text in told[1::2]), "an idempotent call runs again"
    assert kills >= 1


async def at_rest(path):
    """Whether the session's turn is over."""
    log = await SQLite(path).open("s")
    await log.close()
    return fold(log.entries).phase == "rest" and bool(log.entries)


def wait_for_work(child, effects):
    """Until the process has done something."""
    seen = len(effects.read_text().splitlines()) if effects.exists() else 0
    limit = time.monotonic() + 20
    while child.poll() is None and time.monotonic() < limit:
        if effects.exists() and len(effects.read_text().splitlines()) > seen:
            return
        time.sleep(0.002)


async def test_an_idempotent_call_in_flight_runs_again_and_another_is_not():
    """After a crash: one is repeated, the other answered "outcome unknown"."""
    ran = []

    @tool(idempotent=True)
    async def look() -> str:
        ran.append("look")
        return "seen"

    @tool
    async def pay() -> str:
        ran.append("pay")
        return "paid"

    store = Memory()
    with Scripted([[call("look"), call("pay")], "done"]) as model:
        whole = await Agent(model, [look, pay], store=store).arun("go", session="s")
    started = max(i for i, e in enumerate(whole.entries) if e.kind == "tool_started")
    kept = [e for e in whole.entries[: started + 1] if e.kind != "tool_result"]
    crashed = Memory()
    log = await crashed.open("s")
    for entry in kept:
        await log.append(entry)
    await log.close()
    ran.clear()
    result = await Agent(Scripted(["done"]), [look, pay], store=crashed).arun("go", session="s")
    assert ran == ["look"]
    assert contents(result)[0] == "seen"
    assert "unknown" in contents(result)[1]
    assert answered(result)


class Failing:
    """A store whose sessions cannot be given back."""

    def __init__(self) -> None:
        self._store = Memory()

    async def open(self, session):
        log = await self._store.open(session)
        close = log.close

        async def closed():
            await close()
            raise StoreError("the connection is gone")

        log.close = closed
        return log


async def test_a_session_that_cannot_be_given_back_does_not_cost_the_answer():
    """Nor does it hide why a run failed."""
    agent = Agent(Scripted(["one", ValueError("the model broke")]), store=Failing())
    assert (await agent.arun("first", session="s")).output == "one"
    with pytest.raises(ValueError, match="the model broke"):
        await agent.arun("second", session="s")


async def test_resume_of_nothing_is_refused():
    """As of a session that is empty."""
    agent = Agent(Scripted([]), store=Memory())
    for nothing in (None, "s", []):
        with pytest.raises(UsageError, match="nothing to go on with"):
            await agent.aresume(nothing)
