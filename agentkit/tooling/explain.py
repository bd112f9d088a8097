"""What a validator found, in words for the model: one short line a problem, taken from the tool's own schema.

    limit: expected an integer, got "many"
    b: missing (integer)
    items[2].price: expected a number, got null
    lmit: unknown parameter, did you mean "limit"? (offered: limit, query)

No traceback, no URL, no name of a class of ours or of the validator's; values are clipped. Of a union the model is told
about the branch that it meant, if that can be seen, else what the branches have in common: the whole choice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from agentkit.core.json_schema import ANNOTATIONS, NOUNS, branches, dereferenced
from agentkit.tooling.names import clipped, similar_name

if TYPE_CHECKING:
    import jsonschema
    import pydantic

MAX_LINES = 8
MAX_VALUE_CHARS = 60
_MAX_TEXT_CHARS = 300
_MAX_CHOICES = 20

Path: TypeAlias = tuple[str | int, ...]


def explain_pydantic(error: pydantic.ValidationError, parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """What pydantic found, one line a problem.

    Args:
        error: As pydantic raised it.
        parameters: The schema of what was validated.
    """
    faults = [_located(fault, parameters) for fault in error.errors(include_url=False)]
    return _listed(_pydantic_line(fault, parameters) for fault in _without_noise(faults))


def explain_jsonschema(errors: Iterable[jsonschema.ValidationError], parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """What jsonschema found, one line a problem.

    Args:
        errors: As `iter_errors` gave them.
        parameters: The schema of what was validated.
    """
    return _listed(line for error in errors for line in _jsonschema_lines(error, parameters))


def _listed(lines: Iterable[str]) -> tuple[str, ...]:
    """The lines, each once; of many the first ones and how many there are more."""
    unique = tuple(dict.fromkeys(lines))
    if len(unique) <= MAX_LINES:
        return unique
    return (*unique[:MAX_LINES], f"and {len(unique) - MAX_LINES} more")


# --- Words ------------------------------------------------------------------------------------------------------------

_FORMATS = {
    "date": "a date (YYYY-MM-DD)",
    "date-time": "a date and time (YYYY-MM-DDTHH:MM:SS)",
    "duration": "a duration (such as PT1H30M)",
    "email": "an e-mail address",
    "time": "a time (HH:MM:SS)",
    "uri": "a URL",
    "uuid": "a UUID",
}


ANYTHING = "any value"


def words(schema: Any, root: Mapping[str, Any]) -> str:
    """What a schema accepts, as a noun phrase; null goes without saying where there is more."""
    options = [dereferenced(option, root) for option in branches(schema, root)]
    options = [option for option in options if option["type"] != "null"] or options
    if not options and (stated := choices_of(dereferenced(schema, root))):  # beside a type that none of them has
        return _one_of(stated)
    if not options or schema is True or schema == {}:
        return ANYTHING
    choices = [choice for option in options for choice in choices_of(option)]
    phrases = [
        _FORMATS.get(option.get("format", ""), NOUNS[option["type"]]) for option in options if not choices_of(option)
    ]
    phrases = list(dict.fromkeys([_one_of(choices), *phrases] if choices else phrases))
    return " or ".join(filter(None, (", ".join(phrases[:-1]), phrases[-1])))


def choices_of(option: Mapping[str, Any]) -> Sequence[Any]:
    """The values that a schema of one type names; none when it takes any of this type."""
    return [option["const"]] if "const" in option else option.get("enum", ())


def _one_of(choices: Sequence[Any]) -> str:
    listed = list(dict.fromkeys(map(shown, choices)))
    if len(listed) == 1:
        return listed[0]
    more = ", ..." if len(listed) > _MAX_CHOICES else ""
    return "one of " + ", ".join(listed[:_MAX_CHOICES]) + more


def shown(value: Any) -> str:
    """The value as JSON, clipped."""
    if isinstance(value, str):
        short = value if len(value) <= MAX_VALUE_CHARS else value[: MAX_VALUE_CHARS - 3] + "..."
        return json.dumps(short, ensure_ascii=False)
    try:
        return clipped(json.dumps(value, ensure_ascii=False), MAX_VALUE_CHARS)
    except (TypeError, ValueError, RecursionError):
        return f"a {type(value).__name__}"


def _line(path: Path, text: str) -> str:
    where = ""
    for part in path:
        if isinstance(part, int):
            where += f"[{part}]"
        elif re.fullmatch(r"[\w-]{1,60}", part):
            where += f".{part}" if where else part
        else:
            where += f"[{shown(part)}]"
    return f"{where}: {_singular(text)}" if where else _singular(text)


def _singular(text: str) -> str:
    return re.sub(r"\b1 (character|item|digit|decimal place|entrie|byte)s\b", r"1 \1", text).replace(
        "1 entrie", "1 entry"
    )


def _expected(schema: Any, root: Mapping[str, Any], value: Any) -> str:
    return f"expected {words(schema, root)}, got {shown(value)}"


def _missing(schema: Any, root: Mapping[str, Any]) -> str:
    return f"missing ({re.sub('^an? ', '', words(schema, root))})"


def _unknown(name: str, offered: Sequence[str]) -> str:
    if not offered:
        return "unknown parameter (none is offered)"
    meant = similar_name(name, offered)
    hint = f', did you mean "{meant}"?' if meant else ""
    listed = ", ".join(offered[:_MAX_CHOICES]) + (", ..." if len(offered) > _MAX_CHOICES else "")
    return f"unknown parameter{hint} (offered: {listed})"


# --- pydantic ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Fault:
    """A finding, and where it is in terms of the schema.

    Attributes:
        path: Names and indices, without the labels that pydantic adds for branches.
        schemas: What may stand there, one for each branch that leads there.
        beside: The names that stand beside it.
        unions: The unions on the way: where, and the label of the branch.
        found: As pydantic says it.
    """

    path: Path
    schemas: tuple[Any, ...]
    beside: tuple[str, ...]
    unions: tuple[tuple[Path, str], ...]
    found: Mapping[str, Any]

    @property
    def schema(self) -> Any:
        return self.schemas[0] if len(self.schemas) == 1 else {"anyOf": list(self.schemas)} if self.schemas else None


def _located(found: Mapping[str, Any], root: Mapping[str, Any]) -> _Fault:
    """Follow pydantic's `loc` through the schema; what is neither a name nor an index there is a branch's label."""
    path: list[str | int] = []
    unions: list[tuple[Path, str]] = []
    here = _choices(root, root)
    beside: tuple[str, ...] = ()
    labelled = False
    for part in found["loc"]:
        if labelled:
            unions.append((tuple(path), str(part)))
            here, labelled = _tagged(here, part), False
            continue
        beside = tuple(dict.fromkeys(name for schema in here for name in schema.get("properties", ())))
        inside = _inside(here, part)
        if not inside and isinstance(part, str) and not (found["type"] in _UNKNOWN and part == found["loc"][-1]):
            continue
        path.append(part)
        here = [choice for schema in inside for choice in _choices(schema, root)]
        labelled = any(len(_choices(schema, root)) > 1 for schema in inside)
    return _Fault(tuple(path), tuple(here), beside, tuple(unions), found)


def _choices(schema: Any, root: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The branches that pydantic labels: null has no label."""
    schema = dereferenced(schema, root)
    branching = schema.get("anyOf") or schema.get("oneOf")
    if not branching:
        return [schema]
    return [choice for each in branching for choice in _choices(each, root) if choice.get("type") != "null"]


def _tagged(schemas: list[Mapping[str, Any]], label: Any) -> list[Mapping[str, Any]]:
    """Of the branches the one with this tag, if the label is one; else all."""
    fitting = [
        schema
        for schema in schemas
        if any(
            isinstance(member, Mapping) and member.get("const") == label
            for member in schema.get("properties", {}).values()
        )
    ]
    return fitting or schemas


def _inside(schemas: list[Mapping[str, Any]], part: str | int) -> list[Any]:
    """The schemas of a member or an item."""
    if isinstance(part, int):
        return [_item(schema, part) for schema in schemas if schema.get("type", "array") == "array"]
    named = [schema["properties"][part] for schema in schemas if part in schema.get("properties", ())]
    if not any(schema.keys() - ANNOTATIONS for schema in schemas):
        return [{}]  # the schema says nothing of what is here
    return named or [
        schema["additionalProperties"]
        for schema in schemas
        if isinstance(schema.get("additionalProperties"), Mapping) or schema.get("additionalProperties") is True
    ]


def _item(schema: Mapping[str, Any], index: int) -> Any:
    first = schema.get("prefixItems", ())
    return first[index] if index < len(first) else schema.get("items", True)


def _without_noise(faults: Sequence[_Fault], depth: int = 0) -> list[_Fault]:
    """Of each union only the branch that was meant; the union itself if that cannot be seen."""
    out: list[_Fault] = []
    groups: dict[Path, dict[str, list[_Fault]]] = {}
    for fault in faults:
        if len(fault.unions) <= depth:
            out.append(fault)
        else:
            at, label = fault.unions[depth]
            groups.setdefault(at, {}).setdefault(label, []).append(fault)
    for at, labels in groups.items():
        best = min(labels.values(), key=lambda branch: _strangeness(branch, at))
        tags = [fault for branch in labels.values() for fault in branch if fault.found["type"] == "literal_error"]
        if len(labels) > 1 and _strangeness(best, at)[0]:
            out.append(_joined(at, [branch[0] for branch in labels.values()]))
        elif len(labels) == len(tags) > 1 and len({tag.path for tag in tags}) == 1:
            out.append(_joined(tags[0].path, tags))
        else:
            out.extend(_without_noise(best, depth + 1))
    return out


def _joined(at: Path, faults: Sequence[_Fault]) -> _Fault:
    """One finding for all branches of a union."""
    schemas = tuple(schema for fault in faults for schema in fault.schemas)
    return _Fault(at, schemas, faults[0].beside, (), faults[0].found)


def _strangeness(branch: Sequence[_Fault], at: Path) -> tuple[bool, bool, int]:
    """How little a branch looks meant: not even its type, or its tag, fits; or there is much to mend."""
    strange = any(fault.path == at and _is_mismatch(fault.found["type"]) for fault in branch)
    tag_differs = any(fault.found["type"] == "literal_error" for fault in branch)
    return strange, tag_differs, len(branch)


_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
_MISSING = ("missing", "missing_argument", "missing_keyword_only_argument", "missing_positional_only_argument")
_MISMATCH = re.compile(
    r".*_(type|parsing|from_float|mode|inexact|attributes_type)|enum|literal_error|is_\w+|none_required"
)
_LIMITS = {
    "greater_than": "must be > {gt}",
    "greater_than_equal": "must be >= {ge}",
    "less_than": "must be < {lt}",
    "less_than_equal": "must be <= {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "finite_number": "must be a finite number",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match the pattern {pattern}",
    "bytes_too_short": "must have at least {min_length} bytes",
    "bytes_too_long": "must have at most {max_length} bytes",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "int_parsing_size": "must be a shorter number",
    "decimal_max_digits": "must have at most {max_digits} digits",
    "decimal_max_places": "must have at most {decimal_places} decimal places",
    "decimal_whole_digits": "must have at most {whole_digits} digits before the point",
    "date_past": "must be in the past",
    "date_future": "must be in the future",
    "datetime_past": "must be in the past",
    "datetime_future": "must be in the future",
    "timezone_naive": "must have no time zone",
    "timezone_aware": "must have a time zone",
}
_TYPE_NOUNS = {
    "bool": "a boolean",
    "date": "a date (YYYY-MM-DD)",
    "datetime": "a date and time (YYYY-MM-DDTHH:MM:SS)",
    "decimal": "a number",
    "dict": "an object",
    "float": "a number",
    "int": "an integer",
    "list": "an array",
    "mapping": "an object",
    "model": "an object",
    "string": "a string",
    "time": "a time (HH:MM:SS)",
    "uuid": "a UUID",
}


def _is_mismatch(kind: str) -> bool:
    return _MISMATCH.fullmatch(kind) is not None


def _pydantic_line(fault: _Fault, root: Mapping[str, Any]) -> str:
    found, path = fault.found, fault.path
    kind, value, facts = found["type"], found["input"], found.get("ctx", {})
    if kind in _UNKNOWN and path:
        return _line(path, _unknown(str(path[-1]), fault.beside))
    if kind in _MISSING:
        return _line(path, _missing(fault.schema, root))
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _tag_line(fault, root)
    if found["loc"][-1:] == ("[key]",):
        choice = str(facts.get("expected", "another name")).replace("'", '"')
        noun = _TYPE_NOUNS.get(kind.partition("_")[0], choice)
        return _line(path, f"as a key: expected {noun}")
    if kind in ("value_error", "assertion_error"):
        return _line(path, clipped(str(facts.get("error")), _MAX_TEXT_CHARS) or "not accepted")
    if kind in _LIMITS:
        return _line(path, f"{_LIMITS[kind].format_map(facts)}, got {shown(value)}")
    if _is_mismatch(kind):
        expected = ANYTHING if fault.schema is None or kind.startswith("decimal_") else words(fault.schema, root)
        if expected == ANYTHING:
            expected = _TYPE_NOUNS.get(kind.partition("_")[0], "another value")
        return _line(path, f"expected {expected}, got {shown(value)}")
    text, by_pydantic = re.subn(r"^Input (should|is)\b", r"\1", clipped(found["msg"], _MAX_TEXT_CHARS))
    return _line(path, f"{text}, got {shown(value)}" if by_pydantic else text)


def _tag_line(fault: _Fault, root: Mapping[str, Any]) -> str:
    """A union whose branches are told apart by one member."""
    tag = fault.found["ctx"]["discriminator"].strip("'")
    members = [schema["properties"][tag] for schema in fault.schemas if tag in schema.get("properties", ())]
    if not members:
        return _line(fault.path, _expected(fault.schema, root, fault.found["input"]))
    if fault.found["type"] == "union_tag_not_found":
        return _line((*fault.path, tag), _missing({"anyOf": members}, root))
    return _line((*fault.path, tag), _expected({"anyOf": members}, root, fault.found["ctx"]["tag"]))


# --- jsonschema -------------------------------------------------------------------------------------------------------

_BOUNDS = {
    "minimum": "must be >= {}",
    "maximum": "must be <= {}",
    "exclusiveMinimum": "must be > {}",
    "exclusiveMaximum": "must be < {}",
    "multipleOf": "must be a multiple of {}",
    "minLength": "must have at least {} characters",
    "maxLength": "must have at most {} characters",
    "pattern": "must match the pattern {}",
    "minItems": "must have at least {} items",
    "maxItems": "must have at most {} items",
    "minProperties": "must have at least {} entries",
    "maxProperties": "must have at most {} entries",
}


def _jsonschema_lines(error: jsonschema.ValidationError, root: Mapping[str, Any]) -> Iterable[str]:
    path, keyword = tuple(error.absolute_path), str(error.validator)
    schema: Any = error.schema
    value: Any = error.instance
    if keyword == "required":
        declared = schema.get("properties", {})
        absent = [name for name in schema["required"] if name not in value]
        return [_line((*path, name), _missing(declared.get(name, True), root)) for name in absent]
    if keyword in ("additionalProperties", "unevaluatedProperties") and isinstance(value, dict):
        declared = schema.get("properties", {})
        patterns = schema.get("patternProperties", ())
        extra = [name for name in value if name not in declared and not any(re.search(p, name) for p in patterns)]
        return [_line((*path, name), _unknown(name, tuple(declared))) for name in extra]
    if keyword in ("anyOf", "oneOf") and error.context:
        return _branch_lines(error, root)
    if keyword in _BOUNDS:
        return [_line(path, f"{_BOUNDS[keyword].format(error.validator_value)}, got {shown(value)}")]
    if keyword in ("type", "enum", "const", "format"):
        return [_line(path, _expected(schema, root, value))]
    if keyword == "uniqueItems":
        return [_line(path, f"items must be unique, got {shown(value)}")]
    if keyword == "oneOf":
        return [_line(path, f"fits more than one of the forms that are allowed, got {shown(value)}")]
    return [_line(path, f"not accepted, got {shown(value)}")]


def _branch_lines(error: jsonschema.ValidationError, root: Mapping[str, Any]) -> Iterable[str]:
    """The findings of the branch that was meant; the whole choice if that cannot be seen."""
    grouped: dict[Any, list[jsonschema.ValidationError]] = {}
    for child in error.context or ():
        grouped.setdefault(child.relative_schema_path[0], []).append(child)

    def strangeness(children: list[jsonschema.ValidationError]) -> tuple[bool, bool, int]:
        mismatches = [child for child in children if child.validator in ("type", "enum", "const")]
        tag_differs = any(child.validator == "const" for child in children)
        return any(not child.relative_path for child in mismatches), tag_differs, len(children)

    tags = [child for child in error.context or () if child.validator == "const"]
    if len(tags) == len(grouped) > 1 and len({tuple(tag.absolute_path) for tag in tags}) == 1:
        choice = {"enum": [tag.validator_value for tag in tags]}
        return [_line(tuple(tags[0].absolute_path), _expected(choice, root, tags[0].instance))]
    best = min(grouped.values(), key=strangeness)
    if strangeness(best)[0] and len(grouped) > 1:
        return [_line(tuple(error.absolute_path), _expected(error.schema, root, error.instance))]
    return [line for child in best for line in _jsonschema_lines(child, root)]
