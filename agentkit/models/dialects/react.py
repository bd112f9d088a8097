"""ReAct: `Action:` and `Action Input:` on lines of their own.

    Thought: I need the weather.
    Action: get_weather
    Action Input: {"city": "Oslo"}

The labels may be indented, or bold as in Markdown. English prose has the word "Action:" too, so the name must be
offered and the input must follow. The input of a tool with one parameter may be plain text. What the model makes up as
an `Observation:` is cut off. A leading `Thought:` is reasoning where an action or a `Final Answer:` (LlamaIndex:
`Answer:`) follows. Command R writes JSON in a fence after `Action:`.
"""

from __future__ import annotations

import re
from typing import Any

from agentkit.core.messages import ToolSpec
from agentkit.models.dialects.dialect import Dialect, Family, joined
from agentkit.models.dialects.items import read_item
from agentkit.models.dialects.source import CutOff, NoCall, Source, dump
from agentkit.models.dialects.tools import only_parameter, takes_nothing, typed

_BLANKS = re.compile(r"[ \t]*+")
_QUOTES = re.compile(r"[ \t\"'`*\[\]]*+")
_NEXT = re.compile(r"\n[ \t]*+\**(?:Observation|Thought|Action|Final Answer)\**:")
_THOUGHT_ENDS = re.compile(r"\n[ \t]*+\**(?:(?P<action>Action)|(?:Final )?Answer)\**:\**")


def _label(word: str) -> tuple[str, ...]:
    """A label as it is written: plain or bold."""
    return f"{word}:", f"**{word}:**", f"**{word}**:"


_INPUT = (*_label("Action Input"), *_label("Action input"))


def _action(src: Source) -> None:
    """Read what follows `Action:`, and the result that the model made up."""
    src.past(_BLANKS)
    if src.sees("```") or src.take("\n"):
        src.space()
        if not (src.sees("```") or src.sees("{")):
            raise src.prose()
        read_item(src)
    else:
        _lines(src)
    src.space()
    src.over = bool(src.take(*_label("Observation")))


def _lines(src: Source) -> None:
    """Read a name, and `Action Input:` with the input on the next line."""
    src.past(_QUOTES)
    if src.names_no_tool():
        raise src.prose()
    spec = src.tools.get(src.word())
    src.past(_QUOTES)
    if spec is None or not src.take("\n"):
        raise CutOff if spec and src.ended() else src.prose()
    src.space()
    if not src.take(*_INPUT):
        raise CutOff if src.ended() else src.prose()
    src.space()
    src.keep(spec, _input(src, spec))


def _input(src: Source, spec: ToolSpec) -> dict[str, Any]:
    """Read the input: an object, in a fence or not, or plain text for the one parameter of the tool."""
    if src.take("```"):
        src.word()
        src.space()
        arguments = src.arguments()
        src.space()
        src.take("```")
        return arguments
    if src.sees("{"):
        return src.arguments()
    start = src.at
    found = _NEXT.search(src.text, start)
    if not found:
        src.settle()
        if src.truncated:
            raise CutOff
    src.at = found.start() if found else len(src.text)
    text = "" if src.text.startswith(_label("Observation"), start) else src.text[start : src.at].strip()
    if not text:
        src.at = start
    if text in ("", "None", "null"):
        if takes_nothing(spec):
            return {}
        raise CutOff if src.ended() else src.no_call()
    parameter = only_parameter(spec)
    if parameter is None:
        raise src.no_call(end=src.at)
    return {parameter: typed(spec, parameter, _unquoted(text))}


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`" else text


def _thought(src: Source) -> None:
    """Read a message that begins with `Thought:`, up to its action or its answer."""
    if not src.take(*_label("Thought")):
        raise src.prose()
    start = src.at
    while found := _THOUGHT_ENDS.search(src.text, src.at):
        src.at = found.end()
        if found["action"]:
            try:
                _action(src)
            except NoCall:
                src.calls.clear()
                src.at = found.end()
                continue
            except CutOff:
                src.thought = src.text[start : found.start()]
                raise
        src.thought = src.text[start : found.start()]
        src.silent = True
        return
    src.settle()
    raise src.prose()


REACT = Family(
    name="react",
    models=(),
    dialects=(
        Dialect(label="react", openers=_label("Action"), closers=("<end_action>",), line_start=True, read=_action),
        Dialect(label="react", closers=("<end_action>",), read=_thought),
    ),
    write=joined(lambda call: f"Action: {call.name}\nAction Input: {dump(call.arguments)}", between="\n"),
)
