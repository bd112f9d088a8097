"""One contender in a process of its own: takes commands (lines of JSON), answers with figures.

    python -m tests.benchmarks.worker by_hand | stock | orjson | fast

`stock` sees neither aiohttp nor orjson, `orjson` no aiohttp, `fast` both: as after `pip install agentkit`, with orjson
beside it, and `agentkit[fast]`. Nobody sees what only the development environment holds: httpx asks for `sniffio`, which
`pip install httpx` does not bring, at each lock anew. Times are CPU times of this process, but for those of waiting tools.
"""

from __future__ import annotations

import gc
import json
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from typing import Any

CONTENDER = sys.argv[1] if __name__ == "__main__" else "fast"
HIDDEN = {"stock": ("aiohttp", "orjson"), "orjson": ("aiohttp",)}
sys.modules.update(dict.fromkeys(HIDDEN.get(CONTENDER, ())))  # type: ignore[arg-type]  # None: not installed


class Absent(MetaPathFinder):
    """Hides what only the development environment holds: looked for where packages are, and not found."""

    places = tuple(place for place in sys.path if place.startswith(sys.base_prefix) or place.endswith("site-packages"))

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        """Nothing."""
        if name in {"sniffio", "trio"}:
            PathFinder.find_spec(f"{name}_absent", self.places)
            raise ModuleNotFoundError(name)


sys.meta_path.insert(0, Absent())

import anyio  # noqa: E402 - after what is hidden
from pydantic import BaseModel  # noqa: E402

from agentkit import Agent, Limits, tool  # noqa: E402
from agentkit.core.events import Emit  # noqa: E402
from agentkit.core.messages import Assistant, ToolCall, Usage  # noqa: E402
from agentkit.models import ChatCompletions  # noqa: E402
from agentkit.models.assemble import new_call_id  # noqa: E402
from agentkit.models.model import Model, Request  # noqa: E402
from tests.benchmarks.by_hand import by_hand  # noqa: E402

SYSTEM = "You are a helpful assistant. Use the tools when needed."
QUESTION = "What is the weather in Paris?"


async def weather(city: str, days: int = 3) -> str:
    """Get the weather forecast for a city."""
    return f"42 degrees in {city} for {days} days"


async def nap(number: int) -> str:
    """Wait 50 ms without blocking."""
    await anyio.sleep(0.05)
    return "slept"


def block(number: int) -> str:
    """Block a thread for 20 ms."""
    time.sleep(0.02)
    return "blocked"


def search(query: str, limit: int = 10) -> str:
    """Search the documentation."""
    return "nothing found"


def add(a: float, b: float) -> str:
    """Add two numbers."""
    return str(a + b)


TOOLS: list[Callable[..., Any]] = [weather, nap, block, search, add]


class Ours:
    """The same for agentkit as `ByHand` is for a person."""

    def __init__(self, model: Model, tools: list[Any]) -> None:
        self._agent: Agent[Any, str] = Agent(model, tools, SYSTEM, limits=Limits(steps=None, repeats=None))

    async def run(self, question: str) -> str:
        """The answer to a question."""
        return (await self._agent.arun(question)).output

    async def stream(self, question: str, on_text: Callable[[str], None]) -> None:
        """The answer to a question, piece by piece."""
        async with self._agent.astream(question) as events:
            async for event in events:
                if event.kind == "text":
                    on_text(event.text)


@asynccontextmanager
async def contender(base: str, what: str, tools: list[Any] | None = None) -> AsyncIterator[Any]:
    """What is measured, in front of the server's answers to `what`."""
    url = f"{base}/{what}/v1"
    if CONTENDER == "by_hand":
        async with by_hand(url, tools or TOOLS, SYSTEM) as hand:
            yield hand
    else:
        async with ChatCompletions("m", base_url=url, api_key="sk-test") as model:
            yield Ours(model, tools or TOOLS)


async def steps(base: str, count: int, repeat: int = 5) -> float:
    """Microseconds a step of one run with so many tool steps; the best of some, short ones several times in a row."""
    times = max(1, 200 // count)
    async with contender(base, f"steps={count}") as one:

        async def work() -> None:
            for _ in range(times):
                await one.run(QUESTION)

        await one.run(QUESTION)
        return await _best_us(work, repeat) / (count * times)


async def runs(base: str, count: int, each: int = 5) -> float:
    """Microseconds a step of so many runs at once, once there are connections."""
    async with contender(base, f"steps={each}") as one:
        await one.run(QUESTION)
        return await _best_us(lambda: _at_once(one.run, count), 2) / (count * each)


async def chunks(base: str, count: int, repeat: int = 3) -> float:
    """Microseconds a chunk of one streamed answer; the best of some."""
    heard: list[int] = []
    async with contender(base, f"chunks={count}") as one:
        await one.stream(QUESTION, lambda text: None)
        us = await _best_us(lambda: one.stream(QUESTION, lambda text: heard.append(len(text))), repeat)
    if sum(heard) < repeat * (6 * count - 1):
        raise RuntimeError(f"text was lost: {sum(heard)}")
    return us / count


async def batch(base: str, name: str) -> float:
    """Milliseconds of wall time of one run with 50 calls of a waiting tool in one message."""
    async with contender(base, f"steps=1&calls=50&tool={name}") as one:
        await one.run(QUESTION)
        before = time.perf_counter()
        await one.run(QUESTION)
        return (time.perf_counter() - before) * 1e3


async def agent(base: str) -> float:
    """Microseconds to make an agent with ten ready tools."""
    ready = [tool(search, name=f"search_{i}") for i in range(10)]
    model = ChatCompletions("m", base_url=base, api_key="sk-test")
    return await _best_us(lambda: _many(lambda: Agent(model, ready), 500), 5) / 500


class Item(BaseModel):
    """What is ordered."""

    sku: str
    qty: int
    price: float


class Order(BaseModel):
    """An order."""

    id: int
    customer: dict[str, str]
    items: list[Item]
    note: str | None = None


async def call(base: str) -> float:
    """Microseconds to parse and validate nested arguments and call an async tool."""

    @tool
    async def place_order(order: Order) -> str:
        """Place an order."""
        return f"order {order.id}"

    items = [{"sku": f"sku-{i}", "qty": i, "price": 9.5} for i in range(5)]
    arguments = json.dumps({"order": {"id": 7, "customer": {"name": "Ada"}, "items": items, "note": None}})

    async def calls() -> None:
        for _ in range(500):
            await place_order.call_json(arguments)

    return await _best_us(calls, 7) / 500


class InProcess:
    """A model that calls the weather eleven times, with texts of its own each time, as if they came from a wire."""

    async def call(self, request: Request, emit: Emit | None = None) -> Assistant:
        """The next call."""
        await anyio.sleep(0)
        number = len(request.messages)
        arguments = json.dumps({"city": "Paris", "days": 3})
        wanted = ToolCall(id=new_call_id(), name="weather", arguments=arguments, provider_id=f"call_{number}")
        calls = (wanted,) if number < 24 else ()
        return Assistant(tool_calls=calls, usage=Usage(input_tokens=100, requests=1), extra={"id": f"c{number}"})


async def memory(base: str, count: int, over_the_wire: bool) -> float:
    """Kilobytes of each of so many runs that wait in their eleventh step.

    Beyond what is there without a loop: a task, the tool that waits in it, and the texts of eleven calls. Over the wire
    each has a connection of its own, too.
    """
    calls: ContextVar[list[str]] = ContextVar("calls")
    waiting, gate = [0], anyio.Event()

    async def weather(city: str, days: int = 3) -> str:
        """Get the weather forecast for a city; the eleventh time, wait."""
        text = f"42 degrees in {city} for {days} days"
        calls.get().append(text)
        if len(calls.get()) == 11:
            waiting[0] += 1
            await gate.wait()
        return text

    async def texts_only(_: str) -> None:
        texts: list[str] = []
        for number in range(11):
            arguments = json.dumps({"city": "Paris", "days": 3})
            texts += (new_call_id(), arguments, f"call_{number}", f"c{number}", await weather("Paris"))

    async def used_by(run: Callable[[str], Any]) -> float:
        nonlocal gate

        async def once() -> None:
            calls.set([])
            await run(QUESTION)

        gate.set()
        await once()
        gate, waiting[0] = anyio.Event(), 0
        gc.collect()
        tracemalloc.start()
        async with anyio.create_task_group() as group:
            for _ in range(count):
                group.start_soon(once)
            while waiting[0] < count:
                await anyio.sleep(0.05)
            gc.collect()
            used = tracemalloc.get_traced_memory()[0]
            tracemalloc.stop()
            gate.set()
        return used / count / 1e3

    async with contender(base, "steps=11", [weather]) as one:
        looped = one if over_the_wire else Ours(InProcess(), [weather])
        return await used_by(looped.run) - await used_by(texts_only)


async def early(base: str, idempotent: bool) -> float:
    """Seconds of a streamed run whose call of one second is whole one second before the answer ends."""

    async def weather(city: str, days: int = 3) -> str:
        """Get the weather forecast for a city, in a second."""
        await anyio.sleep(1.0)
        return "42"

    async with contender(base, "steps=1&gap_ms=1000", [tool(weather, idempotent=idempotent)]) as one:
        before = time.perf_counter()
        await one.stream(QUESTION, lambda text: None)
        return time.perf_counter() - before


async def _many(make: Callable[[], object], count: int) -> None:
    for _ in range(count):
        make()


async def _at_once(run: Callable[[str], Any], count: int) -> None:
    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(run, QUESTION)


async def _best_us(work: Callable[[], Any], repeat: int) -> float:
    """CPU microseconds of one piece of work: the best of some."""
    best = float("inf")
    for _ in range(repeat):
        gc.collect()
        before = time.process_time()
        await work()
        best = min(best, time.process_time() - before)
    return best * 1e6


MEASURES = {m.__name__: m for m in (steps, runs, chunks, batch, agent, call, memory, early)}


def main() -> None:
    """Measure what is asked for until nothing more is."""
    for line in sys.stdin:
        wanted = json.loads(line)
        print(json.dumps(anyio.run(MEASURES[wanted[0]], *wanted[1:])), flush=True)


if __name__ == "__main__":
    main()
