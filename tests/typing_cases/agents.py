"""What the type checkers must know of an agent. Checked, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal, TypedDict, TypeVar, assert_type

from agentkit import Agent, Event, NativeOutput, PromptedOutput, Result, ToolOutput, tool
from agentkit.core.events import EventOf

T = TypeVar("T")


class Invoice:
    """A type to ask for."""

    total: float


class Row(TypedDict):
    """Another one."""

    name: str


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


def either(number: int) -> Invoice | None:
    """One that may give nothing."""
    return None if number else Invoice()


def build() -> None:
    """An agent has the type of its output, and of its dependencies where the instructions name it."""
    assert_type(Agent(), Agent[Any, str])
    assert_type(Agent(output=Invoice), Agent[Any, Invoice])
    assert_type(Agent("openai:gpt-4o", [add], "", list[int]), Agent[Any, list[int]])
    assert_type(Agent(output=total_of), Agent[Any, float])
    assert_type(Agent(output=look_up), Agent[Any, Invoice])
    assert_type(Agent(output=[Invoice, int]), Agent[Any, Any])
    assert_type(Agent(output=Invoice | None), Agent[Any, Invoice | None])
    assert_type(Agent(output=NativeOutput(Invoice)), Agent[Any, Invoice])
    assert_type(Agent(output=ToolOutput(look_up)), Agent[Any, Invoice])
    assert_type(Agent(output=ToolOutput(Invoice | int)), Agent[Any, Any])
    assert_type(Agent(instructions=in_words, output=Invoice), Agent[int, Invoice])
    Agent(limits=None)  # type: ignore[call-overload]
    Agent(nonsense=1)  # type: ignore[call-overload]
    Agent(output=3)  # type: ignore[call-overload]


def in_words(deps: int) -> str:
    """Instructions made of the dependencies."""
    return str(deps)


def outputs(agent: Agent[None, str], typed: Agent[None, Invoice]) -> None:
    """The output has the type that was asked for, in whatever form."""
    assert_type(agent.run("q"), Result[str])
    assert_type(typed.run("q").output, Invoice)
    assert_type(agent.run("q", output=Invoice), Result[Invoice])
    assert_type(agent.run("q", output=list[Invoice]).output, list[Invoice])
    assert_type(agent.run("q", output=Row).output["name"], str)
    assert_type(agent.run("q", output=Invoice | int | None).output, Invoice | int | None)
    assert_type(agent.run("q", output=Annotated[int, "even"]).output, int)
    assert_type(agent.run("q", output=Literal["a", "b"]).output, Literal["a", "b"])
    assert_type(agent.run("q", output=[Invoice, int]).output, Any)
    assert_type(agent.run("q", output=total_of).output, float)
    assert_type(agent.run("q", output=partial(total_of, Invoice())).output, float)
    assert_type(agent.run("q", output=add).output, int)
    assert_type(agent.run("q", output=look_up).output, Invoice)
    assert_type(agent.run("q", output=either).output, Invoice | None)
    assert_type(agent.run("q", output=NativeOutput(Invoice)).output, Invoice)
    assert_type(agent.run("q", output=NativeOutput(look_up)).output, Invoice)
    assert_type(agent.run("q", output=NativeOutput(Invoice | int)).output, Invoice | int)
    assert_type(agent.run("q", output=PromptedOutput(list[int])).output, list[int])
    assert_type(agent.run("q", output=PromptedOutput([Invoice, int])).output, Any)
    assert_type(agent.run("q", output=ToolOutput(Invoice)).output, Invoice)
    assert_type(agent.run("q", output=ToolOutput(total_of)).output, float)
    assert_type(agent.run("q", output=ToolOutput(look_up)).output, Invoice)
    assert_type(agent.run("q", output=ToolOutput([Invoice, int])).output, Any)


async def ways(agent: Agent[None, str], typed: Agent[None, Invoice], stopped: Result[str]) -> None:
    """Each way to run an agent gives what `run` gives."""
    assert_type(await agent.arun("q"), Result[str])
    assert_type(await agent.arun("q", output=look_up), Result[Invoice])
    assert_type(await agent.arun("q", output=int), Result[int])
    assert_type(await agent.arun("q", output=int | None), Result[int | None])
    assert_type(agent.resume("session"), Result[str])
    assert_type(typed.resume(stopped, {"call": True}), Result[Invoice])
    assert_type(agent.resume(stopped, output=look_up), Result[Invoice])
    assert_type(agent.resume(stopped, output=list[Invoice]), Result[list[Invoice]])
    assert_type(agent.resume(stopped, output=Invoice | int), Result[Invoice | int])
    assert_type(await typed.aresume("session"), Result[Invoice])
    assert_type(await agent.aresume("session", output=look_up), Result[Invoice])
    assert_type(await agent.aresume(stopped, None, output=NativeOutput(int)), Result[int])
    assert_type(await agent.aresume(stopped, output=int | None), Result[int | None])


async def events_of(agent: Agent[None, str], typed: Agent[None, Invoice]) -> None:
    """Streams carry the type of the output: in their result, in `finished` and in partial objects."""
    async with agent.astream("q", output=list[Invoice]) as events:
        async for event in events:
            assert_type(event, EventOf[list[Invoice]])
            if event.kind == "finished":
                assert_type(event.result, Result[list[Invoice]])
            elif event.kind == "text":
                assert_type(event.text, str)
                assert_type(event.partial, list[Invoice] | None)
    assert_type(events.result, Result[list[Invoice]] | None)
    assert_type(agent.astream("q").result, Result[str] | None)
    assert_type(agent.astream("q", output=look_up).result, Result[Invoice] | None)
    assert_type(agent.astream("q", output=int | None).result, Result[int | None] | None)
    for one in typed.stream("q"):
        show(one)
        assert_type(one, EventOf[Invoice])
    assert_type(next(agent.stream("q", output=look_up)), EventOf[Invoice])
    assert_type(next(agent.stream("q", output=total_of)), EventOf[float])
    assert_type(next(agent.stream("q", output=int | None)), EventOf[int | None])


def show(event: Event) -> None:
    """A listener that takes the events of any run."""


def generic(agent: Agent[None, str], wanted: type[T], maybe: type[Invoice] | None) -> T:
    """Callers may be generic themselves."""
    assert_type(agent.resume("session", output=wanted), Result[T])
    return agent.run("q", output=wanted).output


async def mistakes(agent: Agent[None, str], typed: Agent[None, Invoice], stopped: Result[str]) -> None:
    """What checkers refuse."""
    agent.run("q", limits=None)  # type: ignore[call-overload]
    agent.run("q", nonsense=1)  # type: ignore[call-overload]
    agent.run("q", output=3)  # type: ignore[call-overload]
    agent.run(3)  # type: ignore[call-overload]
    await agent.arun("q", output={"type": "object"})  # type: ignore[call-overload]
    agent.astream("q", output=3)  # type: ignore[call-overload]
    agent.stream("q", deadline=3)  # type: ignore[call-overload]
    agent.resume(3)  # type: ignore[call-overload]
    agent.resume(stopped, True)  # type: ignore[call-overload]
    agent.resume(stopped, output=3)  # type: ignore[call-overload]
    await agent.aresume(stopped, output=NativeOutput(3))  # type: ignore[call-overload]
    print(typed.run("q").output.nothing)  # type: ignore[attr-defined]
    print(agent.resume(stopped, output=total_of).output.total)  # type: ignore[attr-defined]
    for event in agent.stream("q", output=Invoice):
        if event.kind == "finished":
            print(event.result.output.nothing)  # type: ignore[attr-defined]


def wrong(agent: Agent[None, str]) -> Result[int]:
    """A result of another type is not the one that was promised."""
    return agent.run("q", output=Invoice)  # type: ignore[arg-type]
