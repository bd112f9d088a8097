"""A schema whose every property has one type and a description: what Cloudflare's Workers AI demands of tools.

* Null is said by leaving a property out, where that means the same: where absence was forbidden, or null is the
  default.
* A choice between types (`int | str`, any value) becomes an object with one member for each type, of which the model
  gives one: `{"integer": 3}`. Text that carries JSON would be shorter, and ambiguous: "5" may be meant as text.
* A choice within one type stays a choice, as long as nothing below its branches is written differently.
* What describes no property (items of an array, values of a dict) needs no type and stays a choice as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agentkit.core.json_schema import ANY_TYPE, NOUNS, Schema, apart, branches, references, resolve, types_of
from agentkit.core.schema_inverse import (
    Alternatives,
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


def typed_schema(root: Mapping[str, Any]) -> tuple[dict[str, Any], Inverse]:
    """The schema with a type and a description for each property, and the way back.

    Args:
        root: A cleaned schema of an object.
    """
    return _Typed(root).rewrite()


class _Typed:
    """Writes a schema whose every property has one type and a description.

    Definitions that are written differently are found by repetition: a first pass takes all of them for the same, and
    every further one knows those of the pass before.
    """

    __slots__ = ("_needed", "_plans", "_root", "_wrapped")

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._plans: dict[str, Plan] = {}
        self._wrapped: set[str] = set()  # definitions that became an object of alternatives
        self._needed: list[str] = []

    def rewrite(self) -> tuple[dict[str, Any], Inverse]:
        while True:
            known = (set(self._plans), set(self._wrapped))
            parameters, definitions = self._pass()
            if known == (set(self._plans), self._wrapped):
                out = {**parameters, "$defs": definitions} if definitions else parameters
                return out, Inverse(self._plans.get("#"), self._plans)

    def _pass(self) -> tuple[dict[str, Any], dict[str, Any]]:
        self._needed = []
        definitions: dict[str, Any] = {}
        root = {key: value for key, value in self._root.items() if key != "$defs"}
        parameters, plan = self._object(root)
        self._planned("#", plan)
        for ref in self._needed:  # grows while it is walked
            options, nullable = self._options(resolve(self._root, ref))
            wire, plan = self._choice(options, nullable=nullable)
            if isinstance(plan, Alternatives):
                self._wrapped.add(ref)
            self._planned(ref, plan)
            definitions[ref.rpartition("/")[2]] = wire
        untouched = {f"#/$defs/{name}": name for name in self._root.get("$defs", {}) if name not in definitions}
        while missing := untouched.keys() & references({**parameters, "$defs": definitions}):
            for ref in missing:  # from within `not`, `allOf` and the like, which stay as they are
                definitions[untouched[ref]] = resolve(self._root, ref)
                del untouched[ref]
        return parameters, definitions

    def _planned(self, ref: str, plan: Plan | None) -> None:
        if plan is not None:
            self._plans[ref] = plan

    def _options(self, schema: Schema) -> tuple[list[dict[str, Any]], bool]:
        """The alternatives of a schema without null, and whether null is one."""
        options = branches(schema, self._root, expand=False)
        values = [option for option in options if option.get("type") != "null"]
        return values, len(values) < len(options)

    def _property(self, name: str, schema: Schema, *, required: bool) -> tuple[dict[str, Any], Plan | None, bool]:
        """A property, its plan, and whether its absence means null from now on."""
        bare, said = apart(schema)
        options, nullable = self._options(bare)
        null_is_default = said.get("default", ...) is None
        wire, plan = self._choice(options, nullable=nullable and not required and not null_is_default)
        absent_is_null = nullable and required and bool(options)
        if absent_is_null and isinstance(plan, Alternatives):
            wire, plan = self._choice(options, nullable=True)
            absent_is_null = False
        if null_is_default:
            del said["default"]
        notes = ["Leave it out for null."] if absent_is_null else []
        if isinstance(plan, Alternatives):
            notes.append(wire.pop("description"))
        if plan is not None:
            said.pop("examples", None)
            notes += [f"Default: {json.dumps(said.pop('default'), ensure_ascii=False)}."] if "default" in said else []
        return self._described({**wire, **said}, name, notes), plan, absent_is_null

    def _described(self, wire: dict[str, Any], name: str, notes: Sequence[str]) -> dict[str, Any]:
        target = resolve(self._root, wire.get("$ref", ""))
        inherited = target.get("description") if isinstance(target, Mapping) else None
        text = str(wire.get("description") or inherited or name.replace("_", " ")).strip()
        ended = text if not notes or text.endswith((".", "!", "?", ":")) else f"{text}."
        return {**wire, "description": " ".join(filter(None, (ended, *notes)))}

    def _nested(self, schema: Schema) -> tuple[Schema, Plan | None]:
        """A schema that describes no property: it may stay a choice."""
        if not isinstance(schema, Mapping):
            return schema, None
        if types_of(schema, self._root) == ANY_TYPE and not schema.keys() & {"$ref", "anyOf", "oneOf"}:
            return schema, None
        bare, said = apart(schema)
        options, nullable = self._options(bare)
        wire, plan = self._choice(options, nullable=nullable, natural=True)
        return {**said, **wire} if plan is None else wire, plan

    def _choice(
        self, options: Sequence[Mapping[str, Any]], *, nullable: bool, natural: bool = False
    ) -> tuple[dict[str, Any], Plan | None]:
        """Alternatives as one schema: of one type if they have one (or as they are, if `natural`), else wrapped."""
        groups: dict[str, list[_Form]] = {}
        for form in _without_integers([self._typed(option) for option in options]):
            groups.setdefault(form.kind, []).append(form)
        named: dict[str, _Form] = {}
        for group in groups.values():
            named |= self._settled(group)
        if not named:
            return {"type": "null"}, None
        forms = list(named.values())
        if len(forms) == 1 and not nullable:
            return forms[0].wire, forms[0].plan
        if natural and len(named) == len(groups):
            wires = [form.wire for form in forms] + ([{"type": "null"}] if nullable else [])
            plans = {form.kind: form.plan for form in forms if form.plan is not None}
            return {"anyOf": wires}, ByType(plans) if plans else None
        return _wrapped(named, nullable=nullable)

    def _settled(self, group: Sequence[_Form]) -> dict[str, _Form]:
        """Alternatives of one type as one, under the name of the type; each under a name of its own if need be."""
        kind = group[0].kind
        try:
            plan = common_plan([(form.option, form.plan) for form in group], self._root)
        except Ambiguous:
            return {f"{kind}_{number}": form for number, form in enumerate(group, start=1)}
        wires = [form.wire for form in group]
        if kind == "number" and {"type": kind} in wires:
            wires = [{"type": kind}]
        return {kind: _Form(kind, {}, wires[0] if len(wires) == 1 else {"type": kind, "anyOf": wires}, plan)}

    def _typed(self, option: Mapping[str, Any]) -> _Form:
        """One alternative, written anew."""
        ref = option.get("$ref", "")
        if (target := resolve(self._root, ref)) is not None:
            if ref != "#" and ref not in self._needed:
                self._needed.append(ref)
            kinds = types_of(target, self._root)
            kind = next(iter(kinds)) if len(kinds) == 1 and ref not in self._wrapped else "object"
            return _Form(kind, option, {**option, "type": kind}, Reference(ref) if ref in self._plans else None)
        kind = option["type"]
        if kind == "object":
            return _Form(kind, option, *self._object(option))
        if kind == "array":
            return _Form(kind, option, *self._array(option))
        return _Form(kind, option, dict(option), None)

    def _object(self, option: Mapping[str, Any]) -> tuple[dict[str, Any], Plan | None]:
        out, plans = dict(option), {}
        required, absent_is_null = list(option.get("required", ())), set()
        properties = {}
        for name, schema in option.get("properties", {}).items():
            properties[name], plan, left_out = self._property(name, schema, required=name in required)
            if plan is not None:
                plans[name] = plan
            if left_out:
                absent_is_null.add(name)
            elif name not in required and is_fixed(schema):
                required.append(name)
        if properties:
            out["properties"] = properties
        others, plan = self._nested(option.get("additionalProperties"))
        if isinstance(others, Mapping):
            out["additionalProperties"] = others
        if kept := [name for name in required if name not in absent_is_null]:
            out["required"] = kept
        else:
            out.pop("required", None)
        if not (plans or plan or absent_is_null):
            return out, None
        members = Members(plans, plan, absent_is_null=frozenset(absent_is_null))
        return {key: value for key, value in out.items() if key not in _ABOUT_MEMBERS}, members

    def _array(self, option: Mapping[str, Any]) -> tuple[dict[str, Any], Plan | None]:
        out = dict(option)
        first = [self._nested(item) for item in option.get("prefixItems", ())]
        others, plan = self._nested(option.get("items"))
        if first:
            out["prefixItems"] = [wire for wire, _ in first]
        if isinstance(others, Mapping):
            out["items"] = others
        plans = tuple(each for _, each in first)
        return out, Items(plans, plan) if plan or any(plans) else None


_ABOUT_MEMBERS = frozenset(
    {
        "allOf",
        "anyOf",
        "dependentRequired",
        "dependentSchemas",
        "else",
        "examples",
        "if",
        "minProperties",
        "not",
        "oneOf",
        "then",
    }
)
"""Keywords that speak of members in the tool's own form: they do not hold for members that are written differently."""


@dataclass(frozen=True, slots=True)
class _Form:
    """One alternative: its JSON type, as it was, as it is written, and the way back."""

    kind: str
    option: Mapping[str, Any]
    wire: dict[str, Any]
    plan: Plan | None


def _without_integers(forms: Sequence[_Form]) -> Sequence[_Form]:
    """The alternatives, where an integer beside a number counts as a number."""
    if all(form.kind != "number" for form in forms):
        return forms
    return [replace(form, kind="number") if form.kind == "integer" else form for form in forms]


def _wrapped(forms: Mapping[str, _Form], *, nullable: bool) -> tuple[dict[str, Any], Alternatives]:
    """An object with one member for each alternative."""
    wire = {
        "type": "object",
        "description": "Give exactly one of these, or none for null." if nullable else "Give exactly one of these.",
        "properties": {
            name: {"description": f"The value, if it is {NOUNS[form.kind]}.", **form.wire}
            for name, form in forms.items()
        },
        "minProperties": 0 if nullable else 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }
    return wire, Alternatives({name: (form.kind, form.plan) for name, form in forms.items()}, nullable)
