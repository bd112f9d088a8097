"""A signature as JSON Schema.

Common annotations come from a table, so that importing a module full of tools costs next to nothing; everything else
comes from pydantic. Both give the same schema (a test compares them).
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping
from typing import Any

from agentkit.tooling.signature import REQUIRED, Signature
from agentkit.tooling.validation import Validator

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


def schema_of(
    signature: Signature, validator: Validator, documented: Mapping[str, str], *, name: str
) -> dict[str, Any]:
    """JSON Schema of the arguments: an object without titles.

    Raises:
        UsageError: A type has no schema; the message names the parameter.
    """
    schema = _from_table(signature)
    if schema is None:
        schema = validator.json_schema(name)
    properties = schema["properties"]
    for parameter in signature:
        text = parameter.description or documented.get(parameter.name)
        described = properties.get(parameter.alias or parameter.name)
        if text and described is not None:
            described["description"] = text
    return schema


def _from_table(signature: Signature) -> dict[str, Any] | None:
    if signature.var_positional is not None or signature.var_keyword is not None:
        return None
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter in signature.parameters:
        fragment = simple(parameter.hint)
        if fragment is None or not _is_json(parameter.default):
            return None
        if parameter.default is REQUIRED:
            required.append(parameter.name)
        else:
            fragment["default"] = parameter.default
        properties[parameter.name] = fragment
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    return schema | {"additionalProperties": False}


def simple(hint: Any) -> dict[str, Any] | None:
    """The schema of a common type, in a dict of its own; None for one that pydantic must be asked about."""
    try:
        known = _SCALARS.get(hint)
    except TypeError:  # not hashable
        return None
    if known is not None:
        return dict(known)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
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
        members = [simple(arg) for arg in args]
        return None if None in members or {} in members else {"anyOf": members}
    return None


def _is_json(value: Any) -> bool:
    """Whether a default can stand in a schema as it is."""
    if value is REQUIRED or value is None or type(value) in (str, int, bool):
        return True
    if type(value) is float:
        return math.isfinite(value)
    return type(value) in (list, dict) and not value
