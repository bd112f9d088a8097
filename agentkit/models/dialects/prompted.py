"""A model around a model that knows no tools: they stand in the prompt, and its calls are read from its text.

Tools, calls and results are written in the form that the family of the model was trained on, in the two roles that
every template has, and in turns. The rendering is a pure function of the messages and grows only at its end, so that
prompt caches stay valid; words that force or forbid a call go to the end of the last message, not into the
instructions.

A result is data. What in it would be a mark of the conversation (the end of a turn, a call, the end of the result
itself), to the server or in an answer that quotes it, is broken up by a blank: `<|im_end|>` -> `< |im_end|>`. So it is
in the arguments of a call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import takewhile
from typing import Any

from agentkit.core.events import Delta, Emit, ToolCallEvent
from agentkit.core.messages import Assistant, Message, System, ToolCall, ToolResult, User
from agentkit.errors import UsageError
from agentkit.models.dialects import reasoning
from agentkit.models.dialects.dialect import Family
from agentkit.models.dialects.families import FAMILIES, family_named
from agentkit.models.dialects.fence import GENERIC, answer_named
from agentkit.models.dialects.grammar import grammar
from agentkit.models.dialects.marks import compile_marks
from agentkit.models.dialects.recovering import BETWEEN, Reading, take_apart
from agentkit.models.dialects.source import Found, as_arguments, dump
from agentkit.models.dialects.typed_output import schema_instructions
from agentkit.models.model import Model, Request
from agentkit.models.wrapper import Wrapper

ONE_CALL = "Call at most one function at a time."
NO_CALL = "(Do not call a function now: answer in words.)"
ANY_CALL = "(You must call a function now.)"
THIS_CALL = "(You must call the function {name} now.)"

_TURN = (
    r"<(?=[|｜]\S|\w+\|>|</?SYS>>|/?(?:s|bos|eos|(?:start|end)_of_turn)>)|\[(?=/?(?:INST|SYSTEM_PROMPT|TOOL_CONTENT)\])"
)
"""Where a mark begins that only templates write."""
_FENCE = r"``(?=` *(?:tool|function_call))"


class Prompted(Wrapper):
    """A model that can call tools, made of one that cannot.

    Attributes:
        family: The form in which tools, calls and results are written.
    """

    def __init__(self, model: Model, *, family: str | None = None) -> None:
        """Wrap a model.

        Args:
            model: A model without tools of its own.
            family: `gemma`, `llama`, `qwen`, `mistral`, `generic`, or the name of a model of these families; if left
                out, by the name of the model itself (`model.model`).

        Raises:
            UsageError: No such family is known, or none of its prompts.
        """
        super().__init__(model)
        if family is None:
            self.family = prompt_family(str(getattr(model, "model", "")))
            return
        self.family = family_named(family)
        if self.family.offer is None:
            known = ", ".join(family.name for family in FAMILIES if family.offer is not None)
            raise UsageError(f"no prompt is known for {family!r}; use family='generic' or one of: {known}")

    @property
    def native_tools(self) -> bool:
        """False: the model is told of tools in words."""
        return False

    def __repr__(self) -> str:
        return f"Prompted({self.inner!r}, family={self.family.name!r})"

    async def call(self, request: Request, emit: Emit | None = None) -> Assistant:
        """One answer of the wrapped model, which is shown plain text only.

        Raises:
            UsageError: `tool_choice` names a tool that is not offered.
        """
        forbidden = not request.tools or request.settings.tool_choice == "none"
        messages = self._rendered(request)
        if words := _choice(request, forbidden=forbidden):
            _append(messages, User(content=words))
        plain = replace(
            request,
            messages=messages,
            tools=(),
            withheld=(),
            settings=replace(request.settings, tool_choice=None, parallel_tool_calls=None),
            output=request.output if forbidden else None,  # a server that enforces it leaves no room for a call
        )
        reading = Reading(
            specs=request.tools or request.withheld,
            markerless=plain.output is None,
            fences="any",
            beside_native=True,
        )
        answer = await take_apart(self.inner, plain, _without_calls(emit) if forbidden else emit, reading)
        if forbidden and answer.tool_calls:
            answer = replace(answer, tool_calls=(), finish_reason="stop")
        return answer

    def _rendered(self, request: Request) -> list[Message]:
        """The conversation as plain text; what was rendered in the last step stays the very same messages."""
        opening = _opening(self.family, request)
        told: _Told | None = request.memo.get(self)
        if told is None or told.opening != opening or list(request.messages[: len(told.shown)]) != told.shown:
            instructions = list(takewhile(lambda message: isinstance(message, System), request.messages))
            told = request.memo[self] = _Told(opening, instructions, list(opening))
        for message in request.messages[len(told.shown) :]:
            told.shown.append(message)
            _append(told.out, _plain(self.family, message))
        return list(told.out)


@dataclass(slots=True)
class _Told:
    """What one run's requests came to so far: how they open, the messages, and these as plain text."""

    opening: list[Message]
    shown: list[Message]
    out: list[Message]


def prompt_family(model: str) -> Family:
    """The family of a model by its name; the generic one where none is known, or no prompt of it."""
    try:
        family = family_named(model)
    except UsageError:
        return GENERIC
    return family if family.offer is not None else GENERIC


def harmless(text: str) -> str:
    """The text with a blank in each mark that would be more than text: to a server, or where the model quotes it."""
    return _marks().sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)


@cache
def _marks() -> re.Pattern[str]:
    """Marks of turns, and of all that is looked for in an answer; of elements, those that documents rarely hold."""
    read = grammar(fences="any")
    tags = [tag for pair in reasoning.QUOTES.items() for tag in pair if "document" not in tag]
    thoughts = [mark for thought in reasoning.THOUGHTS for mark in (*thought.openers, *thought.closers)]
    marks = {*read.openers, *read.closers, *reasoning.STOPS, *reasoning.MARKUP, *tags, *thoughts}
    literal = compile_marks(frozenset(mark for mark in marks if mark[0] in "<[✿"))
    return re.compile(f"{literal.whole.pattern}|{_TURN}|{_FENCE}")


def _opening(family: Family, request: Request) -> list[Message]:
    """The message that instructs the model and tells it of the tools, if there is anything to say."""
    instructions = takewhile(lambda message: isinstance(message, System), request.messages)
    head = [message.content for message in instructions if isinstance(message, System)]
    offered = request.tools or request.withheld
    if offered and family.offer is not None:
        head.append(family.offer(offered))
        if request.settings.parallel_tool_calls is False:
            head.append(ONE_CALL)
        if request.output is not None:
            head.append(schema_instructions(request.output.schema))
    said = BETWEEN.join(filter(None, head))
    return [(System if family.system else User)(content=said)] if said else []


def _plain(family: Family, message: Message) -> Message:
    """One message as plain text."""
    match message:
        case System(content=text):  # templates that know instructions know them at the beginning only
            return User(content=text)
        case ToolResult():
            answer = family.answer or answer_named
            return User(content=answer(message.name, harmless(message.content)))
        case Assistant(tool_calls=calls, content=content) if calls:
            written = family.write([_found(call) for call in calls])
            return Assistant(content=f"{content}\n{written}" if content and not family.alone else written)
        case Assistant(content=content):
            return Assistant(content=content)
        case _:
            return message


def _found(call: ToolCall) -> Found:
    return Found(call.name, json.loads(harmless(dump(as_arguments(call.arguments) or {}))))


def _append(out: list[Message], message: Message) -> None:
    """Add a message; to one of the same role it is joined, for many templates insist on turns."""
    match (out[-1] if out else None), message:
        case User(content=before), User(content=after):
            out[-1] = User(content=_together(before, after))
        case Assistant(content=str() as before), Assistant(content=str() as after):
            out[-1] = Assistant(content=BETWEEN.join(filter(None, (before, after))))
        case _:
            out.append(message)


def _together(before: Any, after: Any) -> str | tuple[Mapping[str, Any], ...]:
    """Two contents as one: text if both are."""
    if isinstance(before, str) and isinstance(after, str):
        return BETWEEN.join(filter(None, (before, after)))
    return (*_parts(before), *_parts(after))


def _parts(content: Any) -> Iterable[Mapping[str, Any]]:
    if isinstance(content, str):
        return ({"type": "text", "text": content},) if content else ()
    return tuple(content)


def _choice(request: Request, *, forbidden: bool) -> str:
    """What the tool choice asks for, in words."""
    if forbidden:
        spoken = any(isinstance(message, ToolResult) for message in request.messages)
        return NO_CALL if spoken or request.tools or request.withheld else ""
    match request.settings.tool_choice:
        case None | "auto":
            return ""
        case "required":
            return ANY_CALL
        case name if all(name != spec.name for spec in request.tools):
            offered = ", ".join(spec.name for spec in request.tools)
            raise UsageError(f"tool_choice names {name!r}, which is not offered: {offered}")
        case name:
            return THIS_CALL.format(name=name)


def _without_calls(emit: Emit | None) -> Emit | None:
    """A listener that hears of no calls: none was allowed."""
    if emit is None:
        return None

    def quiet(delta: Delta) -> Any:
        return None if isinstance(delta, ToolCallEvent) else emit(delta)

    return quiet
