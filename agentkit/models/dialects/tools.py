"""What was offered: names and schemas, and text turned into the value that a schema asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from agentkit.core.json_repair import JSONError, repair
from agentkit.core.json_schema import ANY_TYPE, types_of
from agentkit.core.messages import ToolSpec

Offered: TypeAlias = ToolSpec | Mapping[str, Any]
"""A tool as agentkit or as chat completions describe it."""

_PREFIX = "functions."
_LITERALS = {"null": None, "None": None, "true": True, "True": True, "false": False, "False": False}


class Tools:
    """The tools of one request, by name.

    Attributes:
        names: The names, in the order of the offer.
    """

    __slots__ = ("_specs", "names")

    def __init__(self, offered: Iterable[Offered] = ()) -> None:
        self._specs = {spec.name: spec for spec in map(_spec, offered)}
        self.names = tuple(self._specs)

    def __bool__(self) -> bool:
        return bool(self._specs)

    def get(self, name: Any) -> ToolSpec | None:
        """The offered tool of this very name; a prefix `functions.` goes when what remains is offered."""
        if not isinstance(name, str):
            return None
        name = name.strip()
        return self._specs.get(name) or self._specs.get(name.removeprefix(_PREFIX))

    def may_become(self, beginning: str) -> bool:
        """Whether this is the beginning of a name that was offered, with or without its prefix."""
        return any(name.startswith(beginning) or f"{_PREFIX}{name}".startswith(beginning) for name in self.names)


def properties(spec: ToolSpec | None) -> Mapping[str, Any]:
    """The schemas of a tool's parameters, in their order."""
    found = spec.parameters.get("properties") if spec else None
    return found if isinstance(found, Mapping) else {}


def takes_nothing(spec: ToolSpec) -> bool:
    """Whether a call without arguments is whole."""
    return not spec.parameters.get("required")


def only_parameter(spec: ToolSpec) -> str | None:
    """The parameter that a plain text must be meant for: the only one, or the only one that is required."""
    required = list(spec.parameters.get("required") or ())
    only = required if len(required) == 1 else list(properties(spec))
    return only[0] if len(only) == 1 else None


def typed(spec: ToolSpec | None, parameter: str, text: str) -> Any:
    """Untyped text as the value that the parameter's schema asks for; without a tool it stays text."""
    return text if spec is None else convert(text, properties(spec).get(parameter), spec.parameters)


def _spec(offered: Offered) -> ToolSpec:
    if isinstance(offered, ToolSpec):
        return offered
    function = offered.get("function", offered)
    return ToolSpec(function["name"], function.get("description") or "", function.get("parameters") or {})


def convert(text: str, schema: Any, root: Mapping[str, Any]) -> Any:
    """Untyped text as the value that a schema asks for.

    A string stays to the letter. Other types are read as JSON or as a Python literal; what cannot be read stays text,
    so that the validation of the arguments can say what is wrong. Without a schema: JSON if it is, else text.
    """
    types, bare = types_of(schema, root), text.strip()
    if not isinstance(schema, Mapping) or types == ANY_TYPE:
        return _LITERALS[bare] if bare in _LITERALS else _json(bare, text, strict=True)
    if "string" in types:
        nullable = "null" in types or schema.get("nullable") is True
        return None if nullable and bare in ("null", "None") else text
    value = _json(bare, text, strict=False)
    whole = isinstance(value, float) and value.is_integer() and "integer" in types
    return int(value) if whole else value


def _json(bare: str, text: str, *, strict: bool) -> Any:
    try:
        read = repair(bare)
    except JSONError:
        return text
    return text if strict and read.repaired else read.value
