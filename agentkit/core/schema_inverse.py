"""From arguments as a wire's schema asks for them back to arguments as the tool's schema wants them.

A rewriting (`schema_wires.py`) leaves a plan behind, as data: where in the arguments something is written differently,
and how. None means that nothing below is. Whatever a model wrote in the tool's own form, though the wire's schema
asked for another, passes as it is.

    Members        an object: null that means "absent", absence that means null
    Items          an array
    Alternatives   {"integer": 3} stands for 3: a choice between types, one member for each; {} stands for null
    ByType         a choice that can be seen from the type of the value
    ByTag          a choice between objects that can be seen from one member
    Reference      the plan of a definition (plans of recursive schemas go round in circles)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from agentkit.core.json_schema import dereferenced, type_of


@dataclass(frozen=True, slots=True)
class Members:
    """An object.

    Attributes:
        plans: Of its members, by name.
        others: Of members that have no name in the schema.
        null_is_absent: Members whose null means that they are not there.
        absent_is_null: Members that mean null when they are not there.
    """

    plans: Mapping[str, Plan]
    others: Plan | None = None
    null_is_absent: frozenset[str] = frozenset()
    absent_is_null: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Items:
    """An array: the plans of its first items, and that of all others."""

    first: tuple[Plan | None, ...]
    others: Plan | None


@dataclass(frozen=True, slots=True)
class Alternatives:
    """A choice: an object of which exactly one member is given.

    Attributes:
        members: Name -> JSON type and plan.
        nullable: No member at all stands for null.
    """

    members: Mapping[str, tuple[str, Plan | None]]
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class ByType:
    """A choice between plans by the JSON type of the value."""

    plans: Mapping[str, Plan]


@dataclass(frozen=True, slots=True)
class ByTag:
    """A choice between plans by the text that one member of the object holds."""

    name: str
    plans: Mapping[str, Plan]


@dataclass(frozen=True, slots=True)
class Reference:
    """The plan of the definition that this reference names."""

    ref: str


Plan: TypeAlias = Members | Items | Alternatives | ByType | ByTag | Reference


class Ambiguous(Exception):
    """Of several alternatives it could not be seen which one a value belongs to."""


def common_plan(alternatives: Sequence[tuple[Mapping[str, Any], Plan | None]], root: Mapping[str, Any]) -> Plan | None:
    """The one plan of alternatives of one type.

    Args:
        alternatives: The schema and the plan of each.
        root: Where references point into.

    Raises:
        Ambiguous: Their plans differ, and nothing in a value tells them apart.
    """
    if all(plan is None for _, plan in alternatives):
        return None
    if len(alternatives) == 1:
        return alternatives[0][1]
    objects = [dereferenced(schema, root) for schema, _ in alternatives]
    for name in objects[0].get("properties", {}):
        tags = [_tag(schema, name) for schema in objects]
        if all(isinstance(tag, str) for tag in tags) and len(set(tags)) == len(tags):
            return ByTag(name, {tag: plan for tag, (_, plan) in zip(tags, alternatives, strict=True) if plan})
    raise Ambiguous


def is_fixed(schema: Any) -> bool:
    """Whether a member can only have the value that it has anyhow: then a wire may ask for it always."""
    return isinstance(schema, Mapping) and "const" in schema and schema.get("default", ...) == schema["const"]


def _tag(schema: Mapping[str, Any], name: str) -> Any:
    member = schema.get("properties", {}).get(name)
    if not isinstance(member, Mapping) or not (name in schema.get("required", ()) or is_fixed(member)):
        return None
    return member.get("const")


@dataclass(frozen=True, slots=True)
class Inverse:
    """Undoes one rewriting.

    Attributes:
        plan: Of the arguments; None when they are the same on the wire.
        definitions: Plans by reference.
    """

    plan: Plan | None = None
    definitions: Mapping[str, Plan] = field(default_factory=dict)

    def __call__(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments in the tool's own form; `arguments` is not changed."""
        return self._undo(arguments, self.plan)  # type: ignore[no-any-return]  # an object stays one

    def _undo(self, value: Any, plan: Plan | None) -> Any:
        match plan:
            case Members() if isinstance(value, dict):
                return self._members(value, plan)
            case Items() if isinstance(value, list):
                first = plan.first
                return [self._undo(item, first[i] if i < len(first) else plan.others) for i, item in enumerate(value)]
            case Alternatives() if isinstance(value, dict) and len(value) <= 1:
                return self._chosen(value, plan)
            case ByType():
                return self._undo(value, plan.plans.get(type_of(value)))
            case ByTag() if isinstance(value, dict) and isinstance(tag := value.get(plan.name), str):
                return self._undo(value, plan.plans.get(tag))
            case Reference():
                return self._undo(value, self.definitions.get(plan.ref))
            case _:
                return value

    def _members(self, value: dict[str, Any], plan: Members) -> dict[str, Any]:
        out = {
            name: self._undo(member, plan.plans.get(name, plan.others))
            for name, member in value.items()
            if member is not None or name not in plan.null_is_absent
        }
        return out | {name: None for name in sorted(plan.absent_is_null) if name not in out}

    def _chosen(self, value: dict[str, Any], plan: Alternatives) -> Any:
        if not value:
            return None if plan.nullable else value
        name, member = next(iter(value.items()))
        kind, inner = plan.members.get(name, ("", None))
        if type_of(member) == kind or (kind, type_of(member)) == ("number", "integer"):
            return self._undo(member, inner)
        return value  # written in the tool's own form
