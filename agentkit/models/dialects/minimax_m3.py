"""MiniMax M3: every tag has a namespace token before it, and a parameter is an element of its own name.

    ]<]minimax[>[<tool_call>]<]minimax[>[<invoke name="get_weather">]<]minimax[>[<city>Oslo]<]minimax[>[</city>
    ]<]minimax[>[</invoke>]<]minimax[>[</tool_call>

Objects nest, the members of a list are `<item>` elements, and a repeated element makes a list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentkit.models.dialects.dialect import Family, elements, joined
from agentkit.models.dialects.source import CutOff, Found, Source, dump
from agentkit.models.dialects.tools import convert
from agentkit.models.dialects.xml import open_tag

NAMESPACE = "]<]minimax[>["
MAX_DEPTH = 60
"""Levels of nesting that are read."""

_INVOKE = f"{NAMESPACE}<invoke "
_END_INVOKE = f"{NAMESPACE}</invoke>"
_CALLS, _END_CALLS = f"{NAMESPACE}<tool_call>", f"{NAMESPACE}</tool_call>"


def _invoke(src: Source) -> None:
    if not src.take(_INVOKE):
        raise src.prose()
    attributes, closed = open_tag(src)
    spec = src.tools.get(attributes.get("name"))
    root = spec.parameters if spec else {}
    arguments = {} if closed else _children(src, _END_INVOKE, root, root, MAX_DEPTH)
    src.keep(spec, arguments if isinstance(arguments, dict) else {})


def _children(src: Source, closer: str, schema: Any, root: Mapping[str, Any], depth: int) -> Any:
    """Read elements to the closing tag: an object, or a list when they are items."""
    if depth == 0:
        raise src.no_call()
    members: dict[str, list[Any]] = {}
    while True:
        src.space()
        if src.take(closer):
            break
        if not src.take(f"{NAMESPACE}<"):
            raise CutOff if src.ended() else src.no_call()
        name = src.word()
        src.need(">")
        members.setdefault(name, []).append(_value(src, name, _member(schema, name), root, depth))
    if members.keys() == {"item"}:
        return members["item"]
    return {name: _joined(values, _member(schema, name)) for name, values in members.items()}


def _value(src: Source, name: str, schema: Any, root: Mapping[str, Any], depth: int) -> Any:
    """Read the inside of an element and its closing tag: elements, or text."""
    closer = f"{NAMESPACE}</{name}>"
    start = src.at
    src.space()
    if src.sees(f"{NAMESPACE}<") and not src.sees(f"{NAMESPACE}</"):
        return _children(src, closer, schema, root, depth - 1)
    src.at = start
    text = src.until(closer)
    value = convert(text, schema, root)
    return value if not _is_array(schema) or isinstance(value, list) else convert(text, schema.get("items"), root)


def _joined(values: list[Any], schema: Any) -> Any:
    """The value of a parameter whose element stood here once, or repeatedly as a list does."""
    if len(values) == 1 and (isinstance(values[0], list) or not _is_array(schema)):
        return values[0]
    return values


def _member(schema: Any, name: str) -> Any:
    """The schema of an object's property, or of the members of a list."""
    if not isinstance(schema, Mapping):
        return None
    if name == "item" and _is_array(schema):
        return schema.get("items")
    properties = schema.get("properties")
    return properties.get(name) if isinstance(properties, Mapping) else None


def _is_array(schema: Any) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") == "array"


def _written(call: Found) -> str:
    return f'{_INVOKE}name="{call.name}">{_elements(call.arguments or "")}{_END_INVOKE}'


def _elements(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and value:
        return "".join(f"{NAMESPACE}<{key}>{_elements(item)}{NAMESPACE}</{key}>" for key, item in value.items())
    if isinstance(value, list) and value:
        return "".join(f"{NAMESPACE}<item>{_elements(item)}{NAMESPACE}</item>" for item in value)
    return dump(value)


MINIMAX_M3 = Family(
    name="minimax-m3",
    models=("minimax-m3",),
    dialects=elements("minimax-m3", _invoke, _INVOKE, _END_INVOKE, (_CALLS, _END_CALLS)),
    write=joined(_written, _CALLS, _END_CALLS),
)
