"""A schema in the subset that OpenAI's strict mode knows, if that loses nothing.

* Every property is required and there are no others. One that may be left out may be null instead, and the way back
  takes null out again: a default stays a default.
* Keywords that strict mode does not know go into the description; the arguments are validated here anyhow.
* What cannot be said so raises `Lossy`, and the tool is sent as it is, not strict: free dicts, any value, tuples, null
  beside a default that is not null, a choice in which the branch could not be seen on the way back.

The subset is that of the "supported schemas" of the Structured Outputs guide (2026-02); patterns are not sent, since
only some are taken.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agentkit.core.json_schema import Schema, apart, branches, resolve, subschemas, types_of
from agentkit.core.schema_inverse import (
    Ambiguous,
    ByType,
    Inverse,
    Items,
    Members,
    Plan,
    Reference,
    common_plan,
    is_fixed,
)


class Lossy(Exception):
    """This schema cannot be said exactly in strict mode."""


def strict_schema(root: Mapping[str, Any]) -> tuple[dict[str, Any], Inverse]:
    """The schema for strict mode, and the way back.

    Args:
        root: A cleaned schema of an object.

    Raises:
        Lossy: Strict mode cannot say the same.
    """
    return _Strict(root).rewrite()


class _Strict:
    """Writes one schema anew. How definitions are found that differ: see `schema_typed.py`."""

    __slots__ = ("_needed", "_plans", "_root")

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._plans: dict[str, Plan] = {}
        self._needed: list[str] = []

    def rewrite(self) -> tuple[dict[str, Any], Inverse]:
        while True:
            known = set(self._plans)
            parameters = self._pass()
            if known == set(self._plans):
                _check_size(parameters)
                return parameters, Inverse(self._plans.get("#"), self._plans)

    def _pass(self) -> dict[str, Any]:
        self._needed = []
        root = {key: value for key, value in self._root.items() if key != "$defs"}
        if not _CHOICES.isdisjoint(root):
            raise Lossy
        if not root["properties"]:
            root["additionalProperties"] = root.get("additionalProperties", False)
        definitions: dict[str, Any] = {}
        parameters, plan = self._single(root)
        self._planned("#", plan)
        for ref in self._needed:  # grows while it is walked
            definitions[ref.rpartition("/")[2]], plan = self._schema(resolve(self._root, ref))
            self._planned(ref, plan)
        return {**parameters, "$defs": definitions} if definitions else parameters

    def _planned(self, ref: str, plan: Plan | None) -> None:
        if plan is not None:
            self._plans[ref] = plan

    def _schema(self, schema: Schema) -> tuple[dict[str, Any], Plan | None]:
        bare, said = apart(schema)
        if not isinstance(bare, Mapping) or not bare:
            raise Lossy
        options = branches(bare, self._root, expand=False)
        if not options:  # no value fits
            raise Lossy
        if len(options) == 1:
            return self._single({**options[0], **said})
        groups: dict[str, list[tuple[Mapping[str, Any], Plan | None]]] = {}
        wires = []
        for option in options:
            wire, plan = self._single(option)
            wires.append(wire)
            for kind in types_of(option, self._root):
                groups.setdefault(kind, []).append((option, plan))
        try:
            plans = {kind: plan for kind, group in groups.items() if (plan := common_plan(group, self._root))}
        except Ambiguous:
            raise Lossy from None
        return _noted({"anyOf": wires}, said), ByType(plans) if plans else None

    def _single(self, option: Mapping[str, Any]) -> tuple[dict[str, Any], Plan | None]:
        """One alternative."""
        ref = option.get("$ref", "")
        if resolve(self._root, ref) is not None:
            if ref != "#" and ref not in self._needed:
                self._needed.append(ref)
            return _noted({"$ref": ref}, option), Reference(ref) if ref in self._plans else None
        if not _UNSAYABLE.isdisjoint(option):
            raise Lossy
        wire = _noted({key: value for key, value in option.items() if key in _SAYABLE}, option)
        if option["type"] == "object":
            return self._object(option, wire)
        if option["type"] == "array":
            wire["items"], plan = self._schema(option.get("items", True))
            return wire, Items((), plan) if plan else None
        return wire, None

    def _object(self, option: Mapping[str, Any], wire: dict[str, Any]) -> tuple[dict[str, Any], Plan | None]:
        declared = option.get("properties", {})
        if option.get("additionalProperties", not declared) is not False:
            raise Lossy  # further members
        plans: dict[str, Plan] = {}
        optional: set[str] = set()
        properties: dict[str, Any] = {}
        for name, schema in declared.items():
            properties[name], plan = self._schema(schema)
            if plan is not None:
                plans[name] = plan
            if name in option.get("required", ()) or is_fixed(schema):
                continue
            if "null" not in types_of(schema, self._root):
                properties[name] = _nullable(properties[name])
                optional.add(name)
            elif schema.get("default", ...) is not None:
                raise Lossy  # null is a value of its own
        wire |= {"properties": properties, "required": list(declared), "additionalProperties": False}
        return wire, Members(plans, null_is_absent=frozenset(optional)) if plans or optional else None


_SAYABLE = frozenset(
    {
        "const",
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "items",
        "maxItems",
        "maximum",
        "minItems",
        "minimum",
        "multipleOf",
        "type",
    }
)
"""What strict mode can say, of what `_single` copies."""

_UNSAYABLE = frozenset(
    {
        "$ref",
        "allOf",
        "dependentRequired",
        "dependentSchemas",
        "else",
        "if",
        "not",
        "patternProperties",
        "prefixItems",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
"""What would be lost. `$ref`: one that leads nowhere here."""

_CHOICES = frozenset({"anyOf", "oneOf"})
_FORMATS = frozenset({"date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uuid"})
_NOTED = (
    "contains",
    "default",
    "examples",
    "format",
    "maxLength",
    "maxProperties",
    "minLength",
    "minProperties",
    "pattern",
    "propertyNames",
    "uniqueItems",
)
"""Keywords that the description says instead."""
_MAX_PROPERTIES = 5000
_MAX_LEVELS = 10


def _noted(wire: dict[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with a description that also says what the other keywords would have said."""
    wire = dict(wire)
    if said.get("format") in _FORMATS:
        wire["format"] = said["format"]
    notes = [
        f"{key} {json.dumps(said[key], ensure_ascii=False)}"
        for key in _NOTED
        if key in said and key not in wire and said[key] is not None
    ]
    text = " ".join(filter(None, (said.get("description"), f"({'; '.join(notes)})" if notes else "")))
    if not text:
        return wire
    return {"anyOf": [wire], "description": text} if "$ref" in wire else {**wire, "description": text}


def _nullable(wire: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in wire:
        return {**wire, "anyOf": [*wire["anyOf"], {"type": "null"}]}
    if wire.get("type") in ("string", "integer", "number", "boolean") and not wire.keys() & {"enum", "const"}:
        return {**wire, "type": [wire["type"], "null"]}
    bare, said = apart(wire)
    return {"anyOf": [bare, {"type": "null"}], **said}


def _check_size(parameters: Mapping[str, Any]) -> None:
    """Raise `Lossy` for a schema beyond what strict mode takes."""
    level: list[Any] = [parameters, *parameters.get("$defs", {}).values()]
    properties = levels = 0
    while level:
        properties += sum(len(schema.get("properties", ())) for schema in level)
        levels += any("properties" in schema for schema in level)
        level = [child for schema in level for child in subschemas(schema) if isinstance(child, Mapping)]
    if properties > _MAX_PROPERTIES or levels > _MAX_LEVELS:
        raise Lossy
