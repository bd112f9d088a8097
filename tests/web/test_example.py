"""The example, read by a plain client over a real socket."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import anyio
import httpx2
import pytest

from agentkit import Agent
from agentkit.core.events import TextEvent
from agentkit.models.scripted import Scripted, call

pytestmark = pytest.mark.anyio

EXAMPLE = Path(__file__).parents[2] / "examples" / "20_stream_to_browser.py"


def example():
    spec = importlib.util.spec_from_file_location("example_20", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_a_plain_client_reads_the_events():
    """Headers as a browser wants them, events as they come, the answer at the end; and the page itself."""
    module = example()
    model = Scripted([call("count_words", text="to be or not to be"), "Six words."])
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(module.serve, Agent(model, [module.count_words]), 0)
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            assert "EventSource" in (await client.get("/")).text
            events = []
            async with client.stream("GET", "/ask", params={"q": "How many?"}) as response:
                assert response.headers["content-type"] == "text/event-stream"
                async for line in response.aiter_lines():
                    if line.startswith("data: "):
                        events.append(json.loads(line.removeprefix("data: ")))
        tasks.cancel_scope.cancel()
    assert events[0] == {"kind": "step", "step": 1}
    assert next(e["content"] for e in events if e["kind"] == "tool_result") == "6"
    assert events[-1]["output"] == "Six words."
    assert model.requests[0].messages[-1].content == "How many?"


async def test_a_client_that_leaves_ends_the_run(capsys):
    """Closing the connection cancels the model's answer."""
    module, cancelled = example(), anyio.Event()

    class Endless:
        async def call(self, request, emit=None):
            try:
                while True:
                    await anyio.sleep(0.002)
                    if (wait := emit(TextEvent("word "))) is not None:
                        await wait
            finally:
                cancelled.set()

    async with anyio.create_task_group() as tasks:
        port = await tasks.start(module.serve, Agent(Endless()), 0)
        async with await anyio.connect_tcp("127.0.0.1", port) as client:
            await client.send(b"GET /ask?q=x HTTP/1.1\r\nhost: x\r\n\r\n")
            await client.receive()
        with anyio.fail_after(5):
            await cancelled.wait()
        tasks.cancel_scope.cancel()
    assert "cancelled" in capsys.readouterr().out
