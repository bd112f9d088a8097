"""Random tool schemas, arguments that fit them, and a model that writes arguments as a wire's schema asks for them.

`tool_schemas()` draws the schema of a tool's arguments, `arguments(schema)` what fits it, `written(...)` what a model
writes that keeps to the rewritten schema, and `completed` is what a validator makes of arguments: defaults filled in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema
from hypothesis import strategies as st

from agentkit.core.json_schema import dereferenced, type_of, types_of
from agentkit.core.schema_inverse import Alternatives, ByTag, ByType, Items, Members, Reference

NAMES = ["a", "b_c", "title", "type", "default", "$ref", "integer", "object", "kind", "Ünï"]
TEXTS = st.sampled_from(["", "x", "5", "null", "true", "[1]", '{"integer": 3}', "it's", "é\n"])
ABSENT = object()

DEFS: dict[str, Any] = {
    "Node": {
        "type": "object",
        "description": "A node.",
        "properties": {
            "v": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
            "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}], "default": None},
            "kids": {"type": "array", "items": {"$ref": "#/$defs/Node"}, "default": []},
        },
        "required": ["v"],
    },
    "Json": {
        "anyOf": [
            {"type": "string"},
            {"type": "number"},
            {"type": "boolean"},
            {"type": "null"},
            {"type": "array", "items": {"$ref": "#/$defs/Json"}},
            {"type": "object", "additionalProperties": {"$ref": "#/$defs/Json"}},
        ]
    },
    "Expr": {
        "oneOf": [{"$ref": "#/$defs/Sum"}, {"$ref": "#/$defs/Number"}],
        "discriminator": {"propertyName": "kind", "mapping": {"sum": "#/$defs/Sum", "number": "#/$defs/Number"}},
    },
    "Sum": {
        "type": "object",
        "title": "Sum",
        "properties": {
            "kind": {"const": "sum", "type": "string", "title": "Kind"},
            "left": {"$ref": "#/$defs/Expr"},
            "right": {"$ref": "#/$defs/Expr"},
            "note": {"type": "integer", "default": 3},
        },
        "required": ["kind", "left", "right"],
    },
    "Number": {
        "type": "object",
        "properties": {
            "kind": {"const": "number", "type": "string", "default": "number"},
            "value": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        },
        "required": ["value"],
    },
}


# --- Schemas ----------------------------------------------------------------------------------------------------------


def leaves():
    """Schemas without schemas inside."""
    return st.sampled_from(
        [
            {"type": "integer"},
            {"type": "integer", "minimum": 0, "description": "how many"},
            {"type": "number"},
            {"type": "string"},
            {"type": "string", "title": "A Name"},
            {"type": "boolean"},
            {"type": "null"},
            {"type": ["integer", "null"]},
            {"type": ["string", "number"]},
            {"enum": ["red", "green"]},
            {"enum": [1, "1", None, True]},
            {"const": "x"},
            {"const": 3, "default": 3},
            {"const": {"a": [1]}},
            {},
            True,
            {"description": "anything"},
            {"type": "object"},
            {"type": "object", "additionalProperties": False},
            {"type": "object", "additionalProperties": {"type": "integer"}},
            {"type": "array"},
            {"$ref": "#/$defs/Node"},
            {"$ref": "#/$defs/Json"},
            {"$ref": "#/$defs/Expr"},
            {"$ref": "#/$defs/Number", "description": "a number of ours"},
        ]
    )


def nullable(schema):
    return {"anyOf": [schema, {"type": "null"}]}


@st.composite
def objects(draw, inner, *, closed=None):
    """Schemas of objects whose members are optional, required, nullable and defaulted as chance has it."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=4))
    properties, required = {}, []
    for name in names:
        schema = draw(inner)
        sort = draw(st.sampled_from(["required", "optional", "nullable", "null by default", "required null", "title"]))
        if sort == "title" and isinstance(schema, dict):
            schema = {**schema, "title": draw(st.sampled_from([name, name.title(), "Something Else"]))}
        if sort in ("nullable", "null by default", "required null"):
            schema = nullable(schema)
        if sort == "null by default":
            schema = {**schema, "default": None}
        if sort in ("required", "required null"):
            required.append(name)
        properties[name] = schema
    out: dict[str, Any] = {"type": "object", "properties": properties}
    if required or draw(st.booleans()):
        out["required"] = required
    if closed if closed is not None else draw(st.booleans()):
        out["additionalProperties"] = False
    return out


@st.composite
def tagged(draw, inner):
    """Choices between objects that one constant tells apart."""
    branches = []
    for tag in ("cat", "dog"):
        branch = draw(objects(inner))
        branch["properties"]["kind"] = {"const": tag, "type": "string"}
        branch["required"] = sorted({*branch.get("required", ()), "kind"})
        branches.append(branch)
    return {"oneOf": branches}


def schemas():
    """Any schema of a parameter."""
    return st.recursive(
        leaves(),
        lambda inner: (
            objects(inner)
            | tagged(inner)
            | st.builds(lambda items: {"type": "array", "items": items}, inner)
            | st.builds(
                lambda first: {"type": "array", "prefixItems": first, "minItems": len(first)},
                st.lists(inner, min_size=1, max_size=2),
            )
            | st.builds(lambda values: {"type": "object", "additionalProperties": values}, inner)
            | st.builds(lambda choices: {"anyOf": choices}, st.lists(inner, min_size=1, max_size=3))
            | st.builds(nullable, inner)
        ),
        max_leaves=5,
    )


def tool_schemas():
    """The schema of a tool's arguments."""
    return st.builds(lambda root: {**root, "title": "f_args", "$defs": DEFS}, objects(schemas()))


# --- Arguments --------------------------------------------------------------------------------------------------------


def fits(value, schema, root) -> bool:
    """Whether the value is valid."""
    if isinstance(schema, Mapping):
        schema = {**schema, "$defs": root.get("$defs", {})}
    return jsonschema.Draft202012Validator(schema).is_valid(value)


def choices(schema):
    """The branches of a choice, or the schema itself."""
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return schema[key]
    return [schema]


@st.composite
def arguments(draw, schema):
    """Arguments that fit."""
    return value_for(draw, schema, schema, 0)


def value_for(draw, schema, root, depth) -> Any:
    schema = dereferenced(schema, root) if isinstance(schema, Mapping) else {}
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    if len(branches := choices(schema)) > 1 or branches[0] is not schema:
        flat = [branch for branch in branches if depth < 4 or is_flat(branch, root)] or branches[:1]
        return value_for(draw, draw(st.sampled_from(flat)), root, depth + 1)
    kind = draw(st.sampled_from(sorted(types_of(schema, root))))
    match kind:
        case "null":
            return None
        case "boolean":
            return draw(st.booleans())
        case "integer":
            return draw(st.integers(1, 99))
        case "number":
            return draw(st.integers(-9, 9) | st.sampled_from([0.5, -2.25]))
        case "string":
            return draw(TEXTS)
        case "array":
            first = [value_for(draw, item, root, depth + 1) for item in schema.get("prefixItems", ())]
            if first or depth > 3:
                return first
            return [value_for(draw, schema.get("items", {}), root, depth + 1) for _ in range(draw(st.integers(0, 2)))]
        case _:
            return members_for(draw, schema, root, depth)


def members_for(draw, schema, root, depth):
    out = {}
    for name, member in schema.get("properties", {}).items():
        if name in schema.get("required", ()) or (depth < 4 and draw(st.booleans())):
            out[name] = value_for(draw, member, root, depth + 1)
    others = schema.get("additionalProperties", True)
    if isinstance(others, Mapping) and depth < 4 and "properties" not in schema:
        out |= {name: value_for(draw, others, root, depth + 1) for name in draw(st.sets(TEXTS, max_size=2))}
    if others is True and "properties" not in schema and draw(st.booleans()):
        out |= draw(st.sampled_from([{"integer": 3}, {"x": None}, {"object": {}}]))
    return out


def is_flat(schema, root):
    return (
        not isinstance(schema, Mapping)
        or not ({"array", "object"} & types_of(schema, root))
        or "properties" in dereferenced(schema, root)
    )


def branch_of(value, schema, root):
    """The schema without references and choices that the value was drawn for."""
    schema = dereferenced(schema, root) if isinstance(schema, Mapping) else {}
    branches = choices(schema)
    if branches == [schema]:
        return schema
    for branch in branches:
        if fits(value, branch, root):
            return branch_of(value, branch, root)
    raise AssertionError(f"{value!r} does not fit {schema!r}")


def completed(value, schema, root, like=ABSENT) -> Any:
    """The value as a validator gives it on: with the defaults of what was left out.

    Of a choice that the value would fit in several ways, the branch is the one that `like` was drawn for.
    """
    like = value if like is ABSENT else like
    schema = branch_of(like, schema, root)
    if isinstance(value, dict) and "const" not in schema:
        declared, others = schema.get("properties", {}), schema.get("additionalProperties")
        inner = like if isinstance(like, dict) else {}
        out = {
            name: completed(member, declared.get(name, others), root, inner.get(name, ABSENT))
            for name, member in value.items()
        }
        for name, member in declared.items():
            default = member.get("default", ABSENT) if isinstance(member, Mapping) else ABSENT
            if name not in out and default is not ABSENT:
                out[name] = default
        return out
    if isinstance(value, list) and "const" not in schema:
        inner = like if isinstance(like, list) and len(like) == len(value) else value
        return [completed(item, at(schema, i), root, inner[i]) for i, item in enumerate(value)]
    return value


# --- What a model writes ----------------------------------------------------------------------------------------------


class NoAlternativeError(AssertionError):
    """None of the alternatives can carry the value."""


def at(schema, index):
    """The schema of an item."""
    first = schema.get("prefixItems", ())
    return first[index] if index < len(first) else schema.get("items")


class Writer:
    """A model that keeps to the rewritten schema."""

    def __init__(self, root, rewritten):
        self.root = root
        self.rewritten = rewritten
        self.inverse = rewritten.restore

    def arguments(self, value):
        return self.write(value, self.root, self.inverse.plan, [self.rewritten.parameters])

    def write(self, value, schema, plan, wires) -> Any:
        """The value as the wire's schemas here (one of `wires`) ask for it."""
        wires = self.alternatives_of(wires)
        while isinstance(plan, Reference):
            plan = self.inverse.definitions[plan.ref]
        if isinstance(plan, Alternatives):
            return self.alternative(value, schema, plan, wires)
        if isinstance(plan, ByType):  # by the type that it has on the wire
            inner = [plan.plans.get(type_of(value)), *plan.plans.values()]
            return self.first(value, schema, plan, [(None, each, wires) for each in inner])
        schema = branch_of(value, schema, self.root)
        if isinstance(plan, ByTag) and isinstance(value, dict):
            if "const" not in schema.get("properties", {}).get(plan.name, {}):
                raise NoAlternativeError(f"{value!r} is another alternative's")
            return self.write(value, schema, plan.plans.get(schema["properties"][plan.name]["const"]), wires)
        if isinstance(value, dict) and "const" not in schema and "enum" not in schema:
            return self.members(value, schema, plan if isinstance(plan, Members) else Members({}), wires)
        if isinstance(value, list) and "const" not in schema:
            plan = plan if isinstance(plan, Items) else Items((), None)
            return [
                self.write(
                    item,
                    at(schema, i),
                    plan.first[i] if i < len(plan.first) else plan.others,
                    [at(wire, i) for wire in wires],
                )
                for i, item in enumerate(value)
            ]
        return value

    def alternatives_of(self, wires):
        """The schemas that these stand for, references and choices looked into."""
        out, queue = [], list(wires)
        while queue:
            wire = queue.pop()
            if isinstance(wire, Mapping):
                wire = dereferenced(wire, self.rewritten.parameters)
                if wire not in out:  # said twice, it would double with each level of a recursive value
                    queue.extend(wire.get("anyOf", ()))
                    out.append(wire)
        return out

    def alternative(self, value, schema, plan, wires):
        if value is None and plan.nullable:
            return {}
        kinds = {type_of(value), "object", "number" if type_of(value) == "integer" else ""}
        inside = {
            name: [wire["properties"][name] for wire in wires if name in wire.get("properties", ())]
            for name in plan.members
        }
        members = [(name, inner, inside[name]) for name, (kind, inner) in plan.members.items() if kind in kinds]
        return self.first(value, schema, plan, members)

    def first(self, value, schema, plan, ways):
        """What the first way writes (a member or none, a plan, the wire's schemas) that is right and means the value."""
        for name, inner, wires in ways:
            try:
                inside = self.write(value, schema, inner, wires)
            except NoAlternativeError:
                continue
            written = inside if name is None else {name: inside}
            fitting = any(fits(inside, wire, self.rewritten.parameters) for wire in wires)
            if fitting and self.means(written, value, schema, plan):
                return written
        raise NoAlternativeError(f"no alternative for {value!r} in {plan!r}")

    def means(self, written, value, schema, plan):
        """Whether what was written is restored to the value."""
        restored, schema = self.inverse._undo(written, plan), branch_of(value, schema, self.root)
        if not fits(restored, schema, self.root):
            return False
        return completed(restored, schema, self.root, value) == completed(value, schema, self.root)

    def members(self, value, schema, plan, wires):
        declared, others = schema.get("properties", {}), schema.get("additionalProperties")
        out = {}
        for name, member in value.items():
            if member is None and name in declared and self.leaves_null_out(name, declared[name], schema, plan):
                continue
            inside = [wire.get("properties", {}).get(name, wire.get("additionalProperties")) for wire in wires]
            out[name] = self.write(member, declared.get(name, others), plan.plans.get(name, plan.others), inside)
        for name, member in declared.items():
            if name not in out and isinstance(member, Mapping) and "const" in member and "default" in member:
                out[name] = member["const"]
            elif name not in out and self.rewritten.strict:
                out[name] = None
        return out

    def leaves_null_out(self, name, member, schema, plan):
        """Whether null is said by absence here."""
        if self.rewritten.strict:
            return False
        if name in plan.absent_is_null:
            return True
        others = types_of(member, self.root) - {"null"}
        optional = name not in schema.get("required", ())
        return bool(others) and optional and isinstance(member, Mapping) and member.get("default", ABSENT) is None
