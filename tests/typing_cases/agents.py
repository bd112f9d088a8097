"""What the type checkers must know of an agent. Checked, never run."""

from __future__ import annotations

from typing import assert_type

from agentkit import Agent, Result, tool


class Invoice:
    """A type to ask for."""

    total: float


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def check(agent: Agent[None, str], typed: Agent[None, Invoice]) -> None:
    """Results carry the type of the output."""
    assert_type(agent.run("q"), Result[str])
    assert_type(await agent.arun("q"), Result[str])
    assert_type(typed.run("q").output, Invoice)
    assert_type(agent.run("q", output=Invoice), Result[Invoice])
    assert_type((await agent.arun("q", output=int)).output, int)
    agent.run("q", limits=None)  # type: ignore[arg-type]
    agent.run("q", nonsense=1)  # type: ignore[call-overload]
