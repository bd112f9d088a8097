"""What type checkers know of tools: the signature stays, a bound method loses its receiver. Read, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import Callable
from typing import Any, assert_type

from agentkit.core.messages import ToolSpec
from agentkit.tooling.context import ToolContext
from agentkit.tooling.invoke import Called
from agentkit.tooling.tool import Tool, tool
from agentkit.tooling.toolsets import collect, only, prefix


@tool
def add(a: int, b: int = 2) -> str:
    """Add."""
    return str(a + b)


@tool(timeout_s=3, idempotent=True, examples=[("Wait.", {"s": 1})])
async def wait(s: float) -> bool:
    """Wait."""
    return s > 0


class Account:
    """Has tools of its own."""

    @tool
    def deposit(self, amount: int) -> float:
        """Deposit."""
        return float(amount)

    @tool(retries=1)
    async def close(self) -> None:
        """Close."""

    def plain(self, amount: int) -> str:
        """No tool yet."""
        return str(amount)


class Deps:
    """What the caller passes."""

    name: str = ""


@tool
def greet(context: ToolContext[Deps], loud: bool) -> str:
    """Greet."""
    assert_type(context.deps, Deps)
    assert_type(context.idempotency_key, str)
    return context.deps.name


def hide(context: ToolContext[Any], spec: ToolSpec) -> ToolSpec | None:
    """Hide from everybody."""
    return None


async def signatures() -> None:
    """Calling a tool is calling its function."""
    assert_type(add(1), str)
    assert_type(add(1, b=3), str)
    assert_type(await wait(1.5), bool)
    assert_type(Account().deposit(3), float)
    add("1")  # type: ignore[arg-type]
    add(c=1)  # type: ignore[call-arg]
    Account().deposit("3")  # type: ignore[arg-type]


def values() -> None:
    """A tool is a `Tool`, whatever it was made of."""
    counted: Tool[[int, int], str] = tool(lambda a, b: str(a + b), name="count")
    assert_type(counted(1, 2), str)
    assert_type(tool(Account().plain)(3), str)
    assert_type(tool(add, max_calls=2)(1), str)
    assert_type(add.replace(prepare=hide)(1), str)
    assert_type(Tool.from_schema("x", "X.", {}, add).name, str)
    function: Callable[[int], str] = add
    assert_type(function(1), str)


async def calls() -> None:
    """From JSON there are no types."""
    called = await add.call_json('{"a": 1}', deps=None)
    assert_type(called, Called)
    assert_type(called.content, str)
    assert_type(called.is_error, bool)


def sets() -> None:
    """Functions and tools alike."""
    assert_type(collect([add, wait, Account().deposit, Account().plain]), dict[str, Tool[..., Any]])
    assert_type(only(prefix([add, wait], "x_"), "x_add"), list[Tool[..., Any]])


def mistakes() -> None:
    """What checkers refuse."""
    tool(add, timeout=3)  # type: ignore[call-overload]
    tool(add, timeout_s="3")  # type: ignore[call-overload]
