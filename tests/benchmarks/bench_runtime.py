"""The loop's own cost, with a model and a tool that do nothing.

The yardstick is a hand-written loop over dicts with the standard library's json, in the same process, in turns.
"""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import time
from typing import Any

import anyio

from agentkit import Agent, Limits, tool
from agentkit.core.messages import Assistant, ToolCall


async def add_numbers(a: int, b: int) -> str:
    """Add two numbers."""
    return str(a + b)


class Model:
    """Calls the tool for so many steps, then answers."""

    def __init__(self, steps: int) -> None:
        self._steps = steps

    async def call(self, request: Any, emit: Any = None) -> Assistant:
        """One canned answer."""
        step = len(request.messages) // 2
        if step >= self._steps:
            return Assistant(content="3")
        return Assistant(tool_calls=(ToolCall(id=f"c{step}", name="add_numbers", arguments='{"a": 1, "b": 2}'),))


async def by_hand(steps: int) -> str:
    """What a person would write without a framework: no validation, no events, no records."""
    tools = {"add_numbers": add_numbers}
    messages: list[dict[str, Any]] = [{"role": "user", "content": "go"}]
    while True:
        step = len(messages) // 2
        if step >= steps:
            message: dict[str, Any] = {"role": "assistant", "content": "3"}
        else:
            function = {"name": "add_numbers", "arguments": '{"a": 1, "b": 2}'}
            message = {"role": "assistant", "content": None, "tool_calls": [{"id": f"c{step}", "function": function}]}
        messages.append(message)
        if not message.get("tool_calls"):
            return str(message["content"])
        for wanted in message["tool_calls"]:
            arguments = json.loads(wanted["function"]["arguments"])
            text = await tools[wanted["function"]["name"]](**arguments)
            messages.append({"role": "tool", "tool_call_id": wanted["id"], "content": text})


async def measure(steps: int, repeat: int) -> tuple[float, float]:
    """CPU microseconds of one run: ours, by hand."""
    agent = Agent(Model(steps), [tool(add_numbers)], limits=Limits(steps=None, repeats=None))
    ours, hand = [], []
    for _ in range(7):
        gc.collect()
        began = time.process_time()
        for _ in range(repeat):
            await agent.arun("go")
        ours.append((time.process_time() - began) / repeat * 1e6)
        began = time.process_time()
        for _ in range(repeat):
            await by_hand(steps)
        hand.append((time.process_time() - began) / repeat * 1e6)
    return statistics.median(ours), statistics.median(hand)


def import_ms() -> float:
    """CPU milliseconds of `import agentkit` over those of an empty interpreter, median of seven."""
    code = "import time; a = time.process_time(); import agentkit; print(time.process_time() - a)"
    runs = [float(subprocess.check_output([sys.executable, "-c", code])) * 1e3 for _ in range(7)]
    return statistics.median(runs)


def main() -> None:
    """Print the figures."""
    print(f"import agentkit            {import_ms():8.0f} ms CPU")
    for steps in (1, 10, 100, 400):
        ours, hand = anyio.run(measure, steps, max(3, 600 // steps))
        per_step = ours / (steps + 1)
        print(
            f"run of {steps:3} tool steps      {ours:8.0f} us ({per_step:5.1f} a step), by hand {hand:6.0f} us: {ours / hand:5.1f}x"
        )
    ready = [tool(add_numbers, name=f"t{i}") for i in range(10)]
    model = Model(1)
    began = time.process_time()
    for _ in range(2000):
        Agent(model, ready)
    print(f"agent with 10 ready tools  {(time.process_time() - began) / 2000 * 1e6:8.1f} us")


if __name__ == "__main__":
    main()
