"""What the type checkers must know of an agent. Checked, never run."""

from __future__ import annotations

from typing import Any, assert_type

from agentkit import Agent, NativeOutput, PromptedOutput, Result, tool


class Invoice:
    """A type to ask for."""

    total: float


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def total_of(invoice: Invoice) -> float:
    """A function that makes the output."""
    return invoice.total


async def look_up(number: int) -> Invoice:
    """Another one, async."""
    raise LookupError(number)


def build() -> None:
    """An agent has the type of its output, and of its dependencies where the instructions name it."""
    assert_type(Agent(), Agent[Any, str])
    assert_type(Agent(output=Invoice), Agent[Any, Invoice])
    assert_type(Agent("openai:gpt-4o", [add], "", list[int]).run("q").output, list[int])
    assert_type(Agent(output=total_of).run("q").output, float)
    assert_type(Agent(output=look_up).run("q").output, Invoice)
    assert_type(Agent(output=[Invoice, int]).run("q").output, Any)
    assert_type(Agent(output=Invoice | None).run("q").output, Any)
    assert_type(Agent(output=NativeOutput(Invoice)).run("q").output, Invoice)
    assert_type(Agent(instructions=in_words, output=Invoice), Agent[int, Invoice])
    Agent(limits=None)  # type: ignore[call-overload]
    Agent(nonsense=1)  # type: ignore[call-overload]


def in_words(deps: int) -> str:
    """Instructions made of the dependencies."""
    return str(deps)


async def check(agent: Agent[None, str], typed: Agent[None, Invoice]) -> None:
    """Results carry the type of the output."""
    assert_type(agent.run("q"), Result[str])
    assert_type(await agent.arun("q"), Result[str])
    assert_type(typed.run("q").output, Invoice)
    assert_type(agent.run("q", output=Invoice), Result[Invoice])
    assert_type((await agent.arun("q", output=int)).output, int)
    assert_type(agent.run("q", output=NativeOutput(Invoice)).output, Invoice)
    assert_type(agent.run("q", output=PromptedOutput(Invoice)).output, Invoice)
    assert_type(agent.run("q", output=total_of).output, float)
    assert_type(agent.run("q", output=look_up).output, Invoice)
    assert_type(agent.run("q", output=NativeOutput(look_up)).output, Invoice)
    assert_type(agent.run("q", output=PromptedOutput([Invoice, int])).output, Any)
    assert_type(agent.run("q", output=NativeOutput(Invoice | int)).output, Any)
    agent.run("q", limits=None)  # type: ignore[call-overload]
    agent.run("q", nonsense=1)  # type: ignore[call-overload]
