"""What a tool costs: to make its schema, to call it from JSON, and fifty blocking ones at once.

The yardstick of the schemas is bare pydantic and docstring-parser on the same functions, in the same process, in turns.
"""

from __future__ import annotations

import datetime as dt
import json
import statistics
import time
import uuid
from collections.abc import Callable
from typing import Annotated, Any, Literal

import anyio
import docstring_parser
from pydantic import BaseModel, Field, TypeAdapter

from agentkit.tooling.tool import Tool, tool
from agentkit.tooling.toolsets import collect

ROUNDS = 7

SIMPLE = '''
async def simple_{i}(name: str, count: int = {i}, tags: list[str] | None = None, mode: Literal["fast", "slow"] = "fast") -> str:
    """Do the thing number {i} with a name.

    Args:
        name: The name of the thing to do.
        count: How many times to do it.
        tags: Tags to attach to the result.
        mode: Whether to be fast or slow.
    """
    return name
'''
RICH = '''
async def rich_{i}(order: Order, when: dt.date, limit: Annotated[int, Field(ge=1)] = 3, key: uuid.UUID | None = None) -> str:
    """Do the thing number {i} with an order.

    Args:
        order: What is ordered.
        when: The day of delivery.
        limit: How many at most.
        key: A key.
    """
    return str(order)
'''


class Customer(BaseModel):
    """Who orders."""

    name: str
    email: str
    tags: list[str] = []


class Item(BaseModel):
    """What is ordered."""

    sku: str
    qty: int
    price: float


class Order(BaseModel):
    """An order."""

    id: int
    customer: Customer
    items: list[Item]
    note: str | None = None


NESTED = json.dumps(
    {
        "order": {
            "id": 7,
            "customer": {"name": "Ada Lovelace", "email": "ada@example.org", "tags": ["a", "b"]},
            "items": [{"sku": f"sku-{i}", "qty": i, "price": 9.5} for i in range(5)],
            "note": None,
        }
    }
)


@tool
async def place_order(order: Order) -> str:
    """Place an order.

    Args:
        order: The order to place.
    """
    return f"order {order.id} for {order.customer.name}"


@tool
def block(i: int) -> str:
    """Block a thread for 20 ms.

    Args:
        i: The number of the call.
    """
    time.sleep(0.02)
    return str(i)


@tool
def at_once(i: int) -> str:
    """Return at once.

    Args:
        i: The number of the call.
    """
    return str(i)


def functions(template: str, count: int = 100) -> list[Callable[..., Any]]:
    """So many functions of four parameters, each its own."""
    space = {"Order": Order, "dt": dt, "uuid": uuid, "Annotated": Annotated, "Field": Field, "Literal": Literal}
    for i in range(count):
        exec(compile(template.format(i=i), __file__, "exec", dont_inherit=True), space)
    return [value for name, value in space.items() if name.startswith(("simple_", "rich_"))]


def by_hand(function: Callable[..., Any]) -> dict[str, Any]:
    """The schema as bare pydantic makes it, with the docstring's descriptions."""
    schema = TypeAdapter(function).json_schema()
    for parameter in docstring_parser.parse(function.__doc__ or "").params:
        schema["properties"][parameter.arg_name]["description"] = parameter.description
    return schema


def cpu_ms(work: Callable[[], Any]) -> float:
    """CPU time of one piece of work."""
    before = time.process_time()
    work()
    return (time.process_time() - before) * 1e3


def schemas(template: str) -> tuple[float, float]:
    """Milliseconds for a hundred tools, and for the same by hand; medians of rounds in turns."""
    made = functions(template)
    ours, bare = [], []
    for _ in range(ROUNDS):
        ours.append(cpu_ms(lambda: [tool(function) for function in made]))
        bare.append(cpu_ms(lambda: [by_hand(function) for function in made]))
    return statistics.median(ours), statistics.median(bare)


async def call_us(made: Tool[..., Any], arguments: str, count: int) -> float:
    """Microseconds of CPU for one call from JSON."""
    rounds = []
    for _ in range(ROUNDS):
        before = time.process_time()
        for _ in range(count):
            await made.call_json(arguments)
        rounds.append((time.process_time() - before) / count * 1e6)
    return statistics.median(rounds)


async def blocking_ms(count: int) -> float:
    """Milliseconds until so many blocking tools, called at once, have answered."""
    before = time.perf_counter()
    async with anyio.create_task_group() as group:
        for i in range(count):
            group.start_soon(block.call_json, f'{{"i": {i}}}')
    return (time.perf_counter() - before) * 1e3


def main() -> None:
    """Print the figures."""
    for label, template in (("common types", SIMPLE), ("model, date, Field, UUID", RICH)):
        ours, bare = schemas(template)
        print(f"schemas of 100 functions, {label}: {ours:.1f} ms; by hand {bare:.1f} ms; ratio {ours / bare:.2f}")
    ten = [tool(function) for function in functions(SIMPLE, 10)]
    print(f"collect 10 ready tools: {cpu_ms(lambda: [collect(ten) for _ in range(1000)]):.2f} us")
    for backend in ("asyncio", "trio"):
        nested = anyio.run(call_us, place_order, NESTED, 5_000, backend=backend)
        thread = anyio.run(call_us, at_once, '{"i": 1}', 2_000, backend=backend)
        many = min(anyio.run(blocking_ms, 50, backend=backend) for _ in range(3))
        print(f"{backend}: parse + validate + call, async, nested model: {nested:.1f} us")
        print(f"{backend}: the same of a sync tool in a thread: {thread:.0f} us")
        print(f"{backend}: 50 sync tools of 20 ms at once: {many:.0f} ms")


if __name__ == "__main__":
    main()
