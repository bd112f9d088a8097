"""Toolsets are plain lists: these functions make new ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from agentkit.core.messages import ToolSpec
from agentkit.errors import UsageError
from agentkit.tooling.context import ToolContext
from agentkit.tooling.tool import Tool, tool

AnyTool: TypeAlias = Tool[..., Any] | Callable[..., Any]
"""A tool, or a function that becomes one."""


def collect(tools: Iterable[AnyTool]) -> dict[str, Tool[..., Any]]:
    """The tools by name, in order; functions become tools.

    Raises:
        UsageError: Two have one name, one is a method without its object, or it is no list.
    """
    if isinstance(tools, str) or not isinstance(tools, Iterable):
        raise UsageError(f"tools= takes a list of tools and functions, tools=[...]; got {tools!r:.80}")
    collected: dict[str, Tool[..., Any]] = {}
    for each in tools:
        made = each if isinstance(each, Tool) else tool(each)
        name = made.spec.name
        if name in collected:
            raise UsageError(
                f"two tools are called {name!r}: {_place(collected[name])} and {_place(made)}; "
                "rename one: @tool(name=...), or prefix(tools, ...)"
            )
        if made.unbound:
            raise UsageError(f"tool {name!r} is a method without its object: pass it from an instance, obj.{name}")
        collected[name] = made
    return collected


def prefix(tools: Iterable[AnyTool], text: str) -> list[Tool[..., Any]]:
    """The tools with `text` before each name."""
    return [made.replace(name=text + made.name) for made in map(tool, tools)]


def rename(tools: Iterable[AnyTool], names: Mapping[str, str]) -> list[Tool[..., Any]]:
    """The tools, those in `names` under their new name.

    Raises:
        UsageError: There is no tool of an old name.
    """
    made = list(map(tool, tools))
    _must_exist(names, made)
    return [each.replace(name=names[each.name]) if each.name in names else each for each in made]


def only(tools: Iterable[AnyTool], *names: str) -> list[Tool[..., Any]]:
    """The tools of these names, in the order of the names.

    Raises:
        UsageError: There is no tool of a name.
    """
    made = {each.name: each for each in map(tool, tools)}
    _must_exist(names, made.values())
    return [made[name] for name in names]


def offer(tools: Mapping[str, Tool[..., Any]], context: ToolContext[Any]) -> dict[str, Tool[..., Any]]:
    """The tools for one step, by the name that the model will call: each as its `prepare` wants it, or left out."""
    if all(each.prepare is None for each in tools.values()):
        return dict(tools)
    offered = []
    for each in tools.values():
        spec = each.spec if each.prepare is None else each.prepare(context, each.spec)
        if isinstance(spec, ToolSpec):
            offered.append(dataclasses.replace(each, spec=spec))
        elif spec is not None:
            raise UsageError(f"tool {each.name!r}: its prepare gave {spec!r:.80}, neither a ToolSpec nor None")
    return collect(offered)


def _must_exist(names: Iterable[str], tools: Iterable[Tool[..., Any]]) -> None:
    known = [each.name for each in tools]
    missing = [name for name in names if name not in known]
    if missing:
        raise UsageError(f"no tool is called {missing[0]!r}; there are: {', '.join(known)}")


def _place(made: Tool[..., Any]) -> str:
    function = made.function
    return f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', type(function).__name__)}"
