"""A signature as JSON Schema.

Common annotations come from a table, so that importing a module full of tools costs next to nothing; everything else
comes from pydantic. Both give the same schema (a test compares them).
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agentkit.tooling.signature import REQUIRED, Parameter, Signature
from agentkit.tooling.validation import json_schema_of

_SCALARS: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    types.NoneType: {"type": "null"},
    Any: {},
    object: {},
    list: {"type": "array", "items": {}},
    dict: {"type": "object", "additionalProperties": True},
}
_LITERALS = {str: "string", int: "integer", bool: "boolean"}


def schema_of(signature: Signature, documented: Mapping[str, str], *, name: str) -> dict[str, Any]:
    """JSON Schema of the arguments: an object without titles.

    Args:
        signature: Whose arguments.
        documented: What the docstring says of the parameters.
        name: The tool's name, for errors.

    Raises:
        UsageError: A type has no schema; the message names the parameter.
    """
    table = {p.name: fragment for p in signature.parameters if (fragment := _from_table(p)) is not None}
    rest = replace(signature, parameters=tuple(p for p in signature.parameters if p.name not in table))
    asked = json_schema_of(rest, name=name) if any(rest) else {"properties": {}}
    known = table | asked["properties"]
    needed = {p.name for p in signature.parameters if p.name in table and p.default is REQUIRED}
    needed.update(asked.get("required", ()))
    properties: dict[str, Any] = {}
    for parameter in signature:
        text = parameter.description or documented.get(parameter.name)
        said = {"description": text} if text else {}
        if (wire := parameter.alias or parameter.name) in known:
            properties[wire] = known[wire] | said
        elif parameter is signature.var_keyword and said:
            others = asked["additionalProperties"]
            asked["additionalProperties"] = said if others is True else others | said
    schema: dict[str, Any] = {"additionalProperties": False, **asked, "type": "object", "properties": properties}
    schema.pop("required", None)
    required = [name for name in properties if name in needed]
    return schema | ({"required": required} if required else {})


def _from_table(parameter: Parameter) -> dict[str, Any] | None:
    """The schema of a parameter of a common type with a plain default; None where pydantic must be asked."""
    if not _is_json(parameter.default):
        return None
    fragment = simple(parameter.hint)
    if fragment is not None and parameter.default is not REQUIRED:
        fragment["default"] = parameter.default
    return fragment


def simple(hint: Any) -> dict[str, Any] | None:
    """The schema of a common type, in a dict of its own; None for one that pydantic must be asked about."""
    try:
        known = _SCALARS.get(hint)
    except TypeError:  # not hashable
        return None
    if known is not None:
        return dict(known)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if not args:
        return None
    if origin is list:
        items = simple(args[0])
        return None if items is None else {"type": "array", "items": items}
    if origin is dict and args[0] is str:
        values = simple(args[1])
        return None if values is None else {"type": "object", "additionalProperties": values or True}
    if origin is typing.Literal:
        kinds = {type(arg) for arg in args}
        kind = _LITERALS.get(kinds.pop()) if len(kinds) == 1 else None
        if kind is None:
            return None
        return {"const": args[0], "type": kind} if len(args) == 1 else {"enum": list(args), "type": kind}
    if origin is typing.Union or origin is types.UnionType:
        members = [simple(arg) for arg in sorted(args, key=lambda arg: arg is types.NoneType)]  # null comes last
        if None in members or {} in members:
            return None
        told = [member for at, member in enumerate(members) if member not in members[:at]]  # list | list[Any]
        return {"anyOf": told} if len(told) > 1 else told[0]
    return None


def _is_json(value: Any) -> bool:
    """Whether a default can stand in a schema as it is."""
    if value is REQUIRED or value is None or type(value) in (str, int, bool):
        return True
    if type(value) is float:
        return math.isfinite(value)
    return type(value) in (list, dict) and not value
