"""Fewer tools for the model to choose from: chosen once a question, so that the list stays the same between steps.

A tool that is forced by name always stays. What is left out is only not shown: the model cannot call it, nothing more.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from agentkit.core.messages import NO_USAGE, Message, System, ToolResult, ToolSpec, Usage, User
from agentkit.errors import ModelError
from agentkit.models.model import Model, Request

Trim: TypeAlias = Callable[[Sequence[Message], Sequence[ToolSpec]], Sequence[ToolSpec] | Awaitable[Sequence[ToolSpec]]]
"""Gives those of the tools that the conversation needs, in any order."""

TOO_FEW = 5
"""`auto` shows fewer tools than this as they are."""

_CHOOSE = "choose_tools"
_TASK = "Choose every tool that may help with the user's last message. When in doubt, choose it too. The tools:\n"


@dataclass(frozen=True, slots=True)
class Trimmed:
    """What is left of the tools, and what finding it out cost."""

    tools: Sequence[ToolSpec]
    usage: Usage = NO_USAGE
    cost_usd: float | None = None


async def trimmed(trim: Trim | Literal["auto"] | None, model: Model, request: Request) -> Trimmed:
    """The tools of a request after trimming.

    Args:
        trim: What chooses; `auto` asks the model itself.
        model: Who is asked.
        request: The request, whose memo keeps the choice for the next step.
    """
    if trim is None or not request.tools:
        return Trimmed(request.tools)
    question = next((m for m in reversed(request.messages) if isinstance(m, User)), None)
    key = ("workers-ai trim", id(question), tuple(map(id, request.tools)))
    kept = request.memo.get(key)
    if kept is not None:
        return Trimmed(_with_forced(kept[0], request))
    chosen = await (_asked(model, request) if trim == "auto" else _given(trim, request))
    request.memo[key] = chosen.tools, question, request.tools  # held, so that no id is used twice
    return replace(chosen, tools=_with_forced(chosen.tools, request))


async def _given(trim: Trim, request: Request) -> Trimmed:
    chosen: Any = trim(request.messages, request.tools)
    if isinstance(chosen, Awaitable):
        chosen = await chosen
    return Trimmed(_in_order({spec.name for spec in chosen}, request))


async def _asked(model: Model, request: Request) -> Trimmed:
    """The choice of the model itself; all of them where it makes none."""
    if len(request.tools) < TOO_FEW:
        return Trimmed(request.tools)
    listed = "\n".join(f"- {spec.name}: {spec.description}" for spec in request.tools)
    names = [spec.name for spec in request.tools]
    schema = {"type": "array", "items": {"type": "string", "enum": names}, "description": "Names of the tools."}
    spec = ToolSpec(
        _CHOOSE,
        "Chooses the tools that are needed.",
        {"type": "object", "properties": {"names": schema}, "required": ["names"]},
    )
    said = [m for m in request.messages if not isinstance(m, System | ToolResult)][-6:]
    plain = [replace(m, tool_calls=()) if m.kind == "assistant" else m for m in said]
    asking = Request(
        messages=(System(content=_TASK + listed), *(m for m in plain if m.content)),
        tools=(spec,),
        settings=replace(request.settings, tool_choice=_CHOOSE),
        session=request.session,
    )
    try:
        answer = await model.call(asking)
    except ModelError:
        return Trimmed(request.tools)  # a convenience that fails is not worth a run
    chosen: set[str] = set()
    for call in answer.tool_calls:
        chosen |= _names_in(call.arguments) & set(names)
    tools = _in_order(chosen, request) if chosen else request.tools
    return Trimmed(tools, answer.usage, answer.cost_usd)


def _names_in(arguments: str) -> set[str]:
    try:
        value = json.loads(arguments)
    except ValueError:
        return set()
    names = value.get("names") if isinstance(value, dict) else None
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()


def _in_order(names: set[str], request: Request) -> Sequence[ToolSpec]:
    return tuple(spec for spec in request.tools if spec.name in names)


def _with_forced(tools: Sequence[ToolSpec], request: Request) -> Sequence[ToolSpec]:
    choice = request.settings.tool_choice
    if choice is None or all(spec.name != choice for spec in request.tools):
        return tools
    return _in_order({choice, *(spec.name for spec in tools)}, request)
