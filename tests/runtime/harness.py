"""Runs for tests. That every prefix of a transcript finishes the same is checked for all of them: see `prefixes.py`."""

from __future__ import annotations

from typing import Any

from agentkit.agent import Agent
from agentkit.core.events import TextEvent
from agentkit.core.messages import Assistant
from agentkit.core.result import Result
from agentkit.models.scripted import Scripted
from agentkit.stores.memory import Memory


class Flood:
    """A model that says 20,000 pieces, at the pace of who listens.

    Attributes:
        emitted: The pieces so far.
    """

    def __init__(self) -> None:
        self.emitted = 0

    async def call(self, request: Any, emit: Any = None) -> Assistant:
        """The pieces, then the whole."""
        for _ in range(20_000):
            self.emitted += 1
            if (wait := emit(TextEvent("x"))) is not None:
                await wait
        return Assistant(content="x" * 20_000)


async def finish(lines: list[Any], tools: Any = (), question: str = "question", **options: Any) -> Result[Any]:
    """One run over a strict script."""
    run_options = {k: options.pop(k) for k in ("deps", "history", "output", "limits", "settings") if k in options}
    with Scripted(lines) as model:
        return await Agent(model, tools, **options).arun(question, **run_options)


async def resumed(prefix: Any, rest: Any, tools: Any, run_options: Any, options: Any) -> Result[Any]:
    """What a fresh process makes of a prefix."""
    store = Memory()
    log = await store.open("s")
    for entry in prefix:
        await log.append(entry)
    await log.close()
    agent: Agent[Any, Any] = Agent(Scripted(rest), tools, store=store, **options)
    return await agent.aresume("s", **run_options)


def answered(result: Result[Any]) -> bool:
    """Whether every call on the wire has exactly one result, right behind it and in call order."""
    messages = result.to_openai()
    expected: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            if not expected or expected.pop(0) != message["tool_call_id"]:
                return False
        elif expected:
            return False
        expected += [call["id"] for call in message.get("tool_calls", ())]
    return not expected or bool(result.pending)


def contents(result: Result[Any]) -> list[str]:
    """The texts of the tool results, in the view's order."""
    return [m["content"] for m in result.to_openai() if m["role"] == "tool"]
