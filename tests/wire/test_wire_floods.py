"""Answers of very many pieces over real sockets: memory like their text, and a server that is not read ahead."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Iterable

import anyio
import pytest
from wire.fakes import delta, piece, sse
from wire.raw_server import Part, close, raw_server, until_close

from agentkit import Agent
from agentkit.core.events import ReasoningEvent, TextEvent
from agentkit.core.messages import Assistant
from agentkit.models import ChatCompletions
from agentkit.models.assemble import Assembler, CallPiece

BLOCKS = 1_000
"""Blocks of a flood, each of a thousand pieces."""
PIECES = [f"{n:03} " for n in range(1_000)]
FRAME = {
    "id": "chatcmpl-CaH8mYwXk2dGm1TzYb0QeVfR7pLsN",
    "object": "chat.completion.chunk",
    "created": 1700000000,
    "model": "a-model-with-a-name-2026-01-01",
    "service_tier": "default",
    "system_fingerprint": "fp_0123456789",
}
READER = """
import resource, sys, anyio
from agentkit import Agent
from agentkit.models import ChatCompletions

def peak_kb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

async def main():
    count = 0
    async with Agent(ChatCompletions("m", base_url=sys.argv[1], api_key="k")).astream("go") as events:
        async for event in events:
            if event.kind == sys.argv[2]:
                count += 1
                if count == 1_000:
                    before = peak_kb()
    print(count, (peak_kb() - before) * 1024)

anyio.run(main)
"""


def flood(field: str) -> Iterable[Part]:
    """A million pieces in this field of the delta, in the frames of a large provider."""
    chunks = [{**delta(**{field: one}), **FRAME} for one in PIECES]
    block = sse(*chunks, done=False)
    end = sse(delta(content="done"), delta("stop"))
    return [*until_close(b"")[:1], *[block] * BLOCKS, end, close]


@pytest.mark.parametrize(("field", "kind"), [("content", "text"), ("reasoning_content", "reasoning")])
def test_a_million_pieces_take_memory_like_their_text(field, kind):
    """4 MB of text in 300 MB of frames, each of them an event: what is kept is the text, not the pieces."""
    with raw_server(flood(field)) as server:
        run = [sys.executable, "-c", READER, server.url, kind]
        ended = subprocess.run(run, capture_output=True, text=True, timeout=100, check=True)
    count, grown = map(int, ended.stdout.split())
    assert count == BLOCKS * len(PIECES) + (kind == "text")
    assert grown < 15 * BLOCKS * len("".join(PIECES))


GROWING = {
    "text": lambda assembler, text: assembler.text(text),
    "reasoning": lambda assembler, text: assembler.reasoning(text),
    "text of one read": lambda assembler, text: assembler.all_of(TextEvent, [text]),
    "reasoning of one read": lambda assembler, text: assembler.all_of(ReasoningEvent, [text]),
    "arguments": lambda assembler, text: assembler.call(CallPiece(index=0, arguments=text)),
}


@pytest.mark.parametrize("name", GROWING)
def test_what_is_put_together_takes_memory_like_its_text(name):
    """Each piece of it kept would take 55 bytes."""
    assembler, pieces = Assembler(["say"]), 100_000
    assembler.call(CallPiece(index=0, name="say", arguments='{"text": "'))
    for n in range(pieces):
        GROWING[name](assembler, f"{n % 1000 + 1000} ")
    tracemalloc.start()
    try:
        for n in range(pieces + 2_000):  # so many are kept one by one, then joined
            GROWING[name](assembler, f"{n % 1000 + 1000} ")
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 20 * pieces


@pytest.mark.anyio
async def test_arguments_in_a_hundred_thousand_pieces():
    """One call with all of them, after a thought in as many pieces; the tool is called once."""
    said = []

    async def say(text: str) -> str:
        said.append(text)
        return "said"

    thought = [delta(reasoning_content=one) for one in PIECES]
    arguments = [piece(0, arguments=one) for one in PIECES]
    begin, end = piece(0, "say", '{"text": "', id="call_1"), piece(0, arguments='"}')
    blocks = [sse(*thought, done=False)] * 100 + [sse(begin, done=False)] + [sse(*arguments, done=False)] * 100
    called = [*until_close(b"")[:1], *blocks, sse(end, delta("tool_calls")), close]
    with raw_server(called, until_close(sse(delta(content="Done."), delta("stop")))) as server:
        async with ChatCompletions("m", base_url=server.url, api_key="k") as model:
            result = await Agent(model, [say]).arun("go")
    assert said == ["".join(PIECES) * 100]
    [thinking] = [e.reasoning for e in result.entries if isinstance(e, Assistant) and e.tool_calls]
    assert thinking == "".join(PIECES) * 100
    assert result.output == "Done."


@pytest.mark.anyio
async def test_a_server_is_not_read_on_while_nobody_reads_the_events():
    """The run waits, and so does the server once the buffers of the sockets are full; leaving ends the connection."""
    block, sent = sse(*[delta(content=one) for one in PIECES], done=False), 0

    def endlessly(connection):
        nonlocal sent
        while True:
            connection.sendall(block)
            sent += len(block)

    with raw_server([*until_close(b"")[:1], endlessly]) as server:
        async with ChatCompletions("m", base_url=server.url, api_key="k") as model:
            async with Agent(model).astream("go") as events:
                while (await anext(events)).kind != "text":
                    pass
                before = -1
                with anyio.fail_after(20):
                    while before != sent:
                        before = sent
                        await anyio.sleep(0.3)
                assert sent < 30_000_000
                count = 0
                async for _ in events:  # and goes on where it stands
                    count += 1
                    if count == 20_000:
                        break
            with anyio.fail_after(5):
                while not server.closed.is_set():
                    await anyio.sleep(0.01)
