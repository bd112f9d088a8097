"""Calls written as JSON: which objects are calls, and which only look like one.

Every envelope that models and servers write is read: `{"name", "arguments"}`, `{"name", "parameters"}`, the OpenAI
form `{"id", "type", "function": {...}}`, Cohere's `tool_name`, LangChain's `action` and `action_input`,
`{"tool_calls": []}`, and, inside a container only, Apertus' `{name: {...}}`. Keys may stand in any order.

No call are: an unknown name, no arguments at all (a person has a name too), and a definition of a tool that is echoed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agentkit.models.dialects.source import Found, Source, as_arguments, dump
from agentkit.models.dialects.tools import Tools, only_parameter, properties, takes_nothing

NAMES = ("name", "tool_name", "action", "tool", "function", "recipient_name")
_ARGUMENTS = ("arguments", "parameters", "args", "input", "action_input", "tool_input")
_WRAPPERS = ("function", "function_call", "tool_call")
_LISTS = ("tool_calls", "tool_uses")
KEYS = frozenset((*NAMES, *_ARGUMENTS, *_WRAPPERS, *_LISTS, "id", "type", "index", "tool_call_id"))
"""The keys of an envelope: an object with any other key, outside of a container, is data."""

_TYPES = frozenset(("string", "integer", "number", "boolean", "array", "object", "null"))
_OF_PARAMETERS = frozenset(("type", "properties", "required", "additionalProperties", "$defs", "$schema", "title"))
_OF_SCHEMA = frozenset(("type", "description", "enum", "default", "items", "properties", "required"))
NO_CALLS = ("directly_answer", "directly-answer")
"""Command R's pseudo tool: the model says that it calls nothing."""


def read_call(value: Any, tools: Tools, *, strict: bool) -> Found | None:
    """The call that a JSON object is, if it is one.

    Args:
        value: A JSON value.
        tools: What was offered.
        strict: There is no marker around it: it must have nothing but a call's keys, arguments among them.
    """
    if not isinstance(value, dict) or (strict and not value.keys() <= KEYS):
        return None
    for key in _WRAPPERS:
        if isinstance(value.get(key), dict):
            return read_call(value[key], tools, strict=strict)
    spec = next((spec for key in NAMES if (spec := tools.get(value.get(key)))), None)
    if spec is None:
        return None if strict else _name_is_key(value, tools)
    given = [key for key in _ARGUMENTS if key in value]
    if not given:
        may_be_left_out = not strict and takes_nothing(spec) and value.keys() <= KEYS
        return Found(spec.name, {}) if may_be_left_out else None
    arguments = as_arguments(value[given[0]])
    if arguments is None and given[0] == "action_input" and (parameter := only_parameter(spec)):
        arguments = {parameter: value["action_input"]}  # LangChain's blob may hold it without its name
    if arguments is None or _is_definition(value, arguments, properties(spec)):
        return None
    return Found(spec.name, arguments)


def _name_is_key(value: Mapping[str, Any], tools: Tools) -> Found | None:
    if len(value) == 1:
        (name, arguments), *_ = value.items()
        if isinstance(arguments, dict) and (spec := tools.get(name)):
            return Found(spec.name, arguments)
    return None


def _is_definition(envelope: Mapping[str, Any], arguments: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool:
    """Whether the "arguments" are the schema of a tool's parameters."""
    if "description" in envelope and "arguments" not in envelope:
        return True
    if isinstance(arguments.get("properties"), dict) and arguments.keys() <= _OF_PARAMETERS:
        return "properties" not in parameters
    return bool(arguments) and all(_is_schema(value, parameters.get(key)) for key, value in arguments.items())


def _is_schema(value: Any, parameter: Any) -> bool:
    """Whether a value describes its parameter instead of filling it."""
    if not isinstance(value, dict) or (isinstance(parameter, Mapping) and parameter.get("type") == "object"):
        return False
    kind = value.get("type")
    return isinstance(kind, str) and kind in _TYPES and value.keys() <= _OF_SCHEMA


def read_json(src: Source, *, strict: bool = False) -> None:
    """Read calls from the JSON object, or the array of them, that begins here.

    An array is read element by element: what stands whole before a cut is kept.

    Raises:
        CutOff: The text ends inside the first value.
        NoCall: There is no JSON here, or not one call in it.
    """
    before = len(src.calls)
    if src.take("["):
        _read_elements(src, strict=strict)
    elif src.sees("{"):
        _judge(src, src.value(closable=True), strict=strict)
    else:
        raise src.prose()
    if (len(src.calls) == before and not src.silent) or (strict and src.rest):
        src.rest.clear()
        raise src.no_call(end=src.at)


def _read_elements(src: Source, *, strict: bool) -> None:
    while True:
        src.space()
        if src.take("]"):
            return
        if not src.take(","):
            _judge(src, src.value(closable=True), strict=strict)


def _judge(src: Source, value: Any, *, strict: bool) -> None:
    """Keep the calls of a value; what is none stays text."""
    for part in _parts(value):
        if call := read_call(part, src.tools, strict=strict):
            src.calls.append(call)
        elif isinstance(part, dict) and part.get("tool_name") in NO_CALLS:
            src.silent = True
        else:
            src.rest.append(dump(part))


def _parts(value: Any) -> Iterator[Any]:
    """The objects of a value: itself, or the members of its list of calls."""
    if isinstance(value, list):
        yield from value
    elif isinstance(value, dict):
        for key in _LISTS:
            if isinstance(value.get(key), list) and value.keys() <= {key, "content", "role"}:
                yield from value[key]
                return
        yield value
    else:
        yield value
