"""The engine of the embedded model: loops, cancels, exits, files that are none. Everything here runs the real runtime."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest
from models.local.probe_questions import CALCULATOR, TOOLS

from agentkit.core.messages import ToolResult, User
from agentkit.core.settings import Settings
from agentkit.errors import ContextTooLong, Unavailable, UsageError
from agentkit.models.local import Local
from agentkit.models.local.weights import smollm2
from agentkit.models.model import Request
from agentkit.models.wrap.cached import identity

pytestmark = pytest.mark.anyio

QUESTION = "What is 23 * 47?"


def ask(text, *more, tools=(), **settings):
    return Request(messages=(User(content=text), *more), tools=tools, settings=Settings(**settings))


def run(script, *arguments, timeout_s=60):
    """A script in a process of its own; warnings are errors there, too."""
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)


async def test_text_streams_and_is_the_content(local):
    """The deltas of an answer, put together, are its content, and the listener is waited for."""
    heard = []

    async def emit(event):
        await anyio.sleep(0)
        heard.append(event)

    answer = await local.call(ask("Tell me about the sea.", max_tokens=20), emit)
    assert len(heard) > 5
    assert {event.kind for event in heard} == {"text"}
    assert "".join(event.text for event in heard) == answer.content


async def test_a_call_is_announced_to_a_plain_listener(local):
    """A listener may be a plain function; the announced call is the call of the answer."""
    heard = []
    answer = await local.call(ask(QUESTION, tools=TOOLS), heard.append)
    assert [event.kind for event in heard] == ["tool_call", "tool_call_ready"]
    assert {event.call.id for event in heard} == {call.id for call in answer.tool_calls}
    told = []
    final = await local.call(
        ask(
            QUESTION,
            answer,
            ToolResult(call_id=answer.tool_calls[0].id, name="calculator", content="1081"),
            tools=TOOLS,
        ),
        told.append,
    )
    assert "".join(event.text for event in told) == final.content


async def test_a_cancelled_answer_leaves_nothing_behind(local):
    """The cancel is prompt, and the next answer is what it would have been."""
    request = ask("Tell me about the sea.", max_tokens=16)
    before = await local.call(request)
    with anyio.move_on_after(0.2) as scope:
        await local.call(ask("Write a very long story.", max_tokens=2000))
    assert scope.cancelled_caught
    assert (await local.call(request)).content == before.content


async def test_a_prompt_that_is_being_read_can_be_left():
    """A long prompt takes a minute to read; whoever comes next does not wait for it."""
    model = Local(context_tokens=8192)
    await model.call(ask("Hello", max_tokens=1))
    with anyio.move_on_after(0.2) as scope:
        await model.call(ask("word " * 7000, max_tokens=1))
    assert scope.cancelled_caught
    began = time.monotonic()
    await model.call(ask("Hello", max_tokens=1))
    assert time.monotonic() - began < 15
    await model.aclose()


async def test_a_time_limit_is_kept(local):
    """timeout_s ends the answer with an error that another model may help."""
    with pytest.raises(Unavailable, match="0.1 s"):
        await local.call(ask("Write a very long story.", max_tokens=2000, timeout_s=0.1))


async def test_answers_at_once_do_not_mix(local):
    """Many tasks may ask one model."""
    answers = {}

    async def one(number):
        answer = await local.call(ask(f"What is {number} + 1?", tools=(CALCULATOR,), tool_choice="required"))
        answers[number] = json.loads(answer.tool_calls[0].arguments)["expression"]

    async with anyio.create_task_group() as tasks:
        for number in range(10, 15):
            tasks.start_soon(one, number)
    assert answers == {number: f"{number}+1" for number in range(10, 15)}


async def test_what_does_not_fit_is_too_long():
    """The error says the window and what was asked."""
    with pytest.raises(ContextTooLong) as caught:
        await Local(context_tokens=256).call(ask("tree " * 600, tools=()))
    assert caught.value.limit_tokens == 256
    assert caught.value.requested_tokens > 600


async def test_the_same_question_gets_the_same_answer(local):
    """Chat is seeded unless a seed is given."""
    request = ask("Tell me about the sea.", max_tokens=16)
    assert (await local.call(request)).content == (await local.call(request)).content


async def test_one_model_serves_one_loop_after_the_other(local):
    """What was loaded in a loop that is gone serves the next one (each test here has a loop of its own)."""
    assert (await local.call(ask("Hello!", max_tokens=3))).content


async def test_a_closed_model_gives_its_memory_back_and_can_be_used_again():
    """The thread that owned the runtime ends; the next call begins anew."""
    model = Local(max_tokens=2)
    first = await model.call(ask("Hello!"))
    thread = model._engine._worker._thread
    await model.aclose()
    await model.aclose()
    with anyio.fail_after(5):
        while thread.is_alive():
            await anyio.sleep(0.01)
    assert (await model.call(ask("Hello!"))).content == first.content


def test_making_one_is_cheap():
    """Nothing is imported, loaded or fetched before the first call."""
    script = """
import sys
from agentkit.models.local import Local
Local()
assert "xllamacpp" not in sys.modules
"""
    done = run(script)
    assert (done.returncode, done.stderr) == (0, "")


EXIT = """
import sys, anyio
from agentkit.core.messages import User
from agentkit.models.local import Local
from agentkit.models.model import Request

model = Local(max_tokens=2000)

async def main():
    with anyio.move_on_after(0.5):
        await model.call(Request(messages=[User(content="Write a very long story.")]))

anyio.run(main, backend=sys.argv[1])
print("left")
sys.exit(3)
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_process_ends_in_the_middle_of_an_answer(backend):
    """The interpreter leaves at once, without a crash and without a word."""
    done = run(EXIT, backend, timeout_s=20)
    assert (done.returncode, done.stdout, done.stderr) == (3, "left\n", "")


LISTENING = """
import os, anyio
from agentkit.core.messages import User
from agentkit.models.local import Local
from agentkit.models.model import Request

model = Local(max_tokens=2)
anyio.run(model.call, Request(messages=[User(content="Hello")]))
mine = {os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if os.path.islink(f"/proc/self/fd/{fd}")}
for table in ("tcp", "tcp6", "udp", "udp6"):
    with open(f"/proc/self/net/{table}") as lines:
        assert not [line for line in lines if f"socket:[{line.split()[9]}]" in mine], table
with open("/proc/self/net/unix") as lines:
    names = [line.split()[7] for line in lines if f"socket:[{line.split()[6]}]" in mine and len(line.split()) > 7]
assert not any(os.path.exists(name) for name in names), names
"""


@pytest.mark.skipif(sys.platform != "linux", reason="sockets are counted in /proc, which only Linux has")
def test_no_port_is_open():
    """The server that the runtime brings along cannot be reached."""
    done = run(LISTENING)
    assert (done.returncode, done.stderr) == (0, "")


FORK = """
import os, warnings, anyio
from agentkit.core.messages import User
from agentkit.models.local import Local
from agentkit.models.model import Request

warnings.simplefilter("ignore")
model = Local(max_tokens=4)
say = lambda: anyio.run(model.call, Request(messages=[User(content="Hello")])).content
said = say()
child = os.fork()
if child == 0:
    os._exit(0 if say() == said else 1)
assert os.waitpid(child, 0)[1] == 0
assert say() == said
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this machine has no fork")
def test_a_forked_child_answers_too():
    """A child loads a runtime of its own; its parent's goes on."""
    done = run(FORK)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_missing_file_is_named_at_once(tmp_path):
    """The mistake is found where it is made."""
    with pytest.raises(UsageError, match="nowhere"):
        Local(tmp_path / "nowhere.gguf")
    with pytest.raises(UsageError, match="cannot read"):
        Local(tmp_path)


def test_a_shared_cache_tells_files_and_settings_apart(tmp_path):
    """No model is given the answers of another."""
    for name in ("one.gguf", "two.gguf"):
        (tmp_path / name).write_bytes(b"GGUF")
    models = [Local(tmp_path / "one.gguf"), Local(tmp_path / "two.gguf"), Local(tmp_path / "one.gguf", seed=1)]
    assert len({json.dumps(identity(model)) for model in [*models, Local(), Local(tmp_path / "one.gguf")]}) == 4
    assert "one.gguf" in repr(models[0])


def test_a_file_of_another_kind_is_refused_at_once(tmp_path):
    """The beginning of the file is looked at."""
    (tmp_path / "notes.gguf").write_text("Dear diary")
    with pytest.raises(UsageError, match="no GGUF"):
        Local(tmp_path / "notes.gguf")
    (tmp_path / "empty.gguf").touch()
    with pytest.raises(UsageError, match="no GGUF"):
        Local(tmp_path / "empty.gguf")


async def test_half_a_file_is_the_callers_mistake(tmp_path):
    """A GGUF that breaks off cannot be loaded, and that is said of the file."""
    half = tmp_path / "half.gguf"
    with smollm2().open("rb") as whole:
        half.write_bytes(whole.read(3_000_000))
    with pytest.raises(UsageError, match="half.gguf"):
        await Local(half).call(ask("Hello!"))


async def test_a_file_by_path_is_the_same_model(local):
    """A path may be a text or a Path; the model is named after the file."""
    request = ask("Hello!", max_tokens=4)
    answer = await Local(str(smollm2()), context_tokens=512).call(request)
    assert answer.content == (await local.call(request)).content
    assert answer.model == Path(smollm2()).stem


def test_without_the_runtime_it_is_said_how_to_get_it(monkeypatch):
    """The extra is named."""
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(UsageError, match=r"agentkit\[local\]"):
        Local()
