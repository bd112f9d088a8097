"""JSON Schema as a grammar: what a local model may write, so that a call is valid by construction.

The grammars are LLGuidance's (the engine that this build of llama.cpp carries), not GBNF, for two reasons that were
measured: it takes whole JSON Schemas (nested objects, arrays, unions, optional keys, patterns, references), and it
forces fixed text in the tokens that the model knows, where GBNF admits any split and so derails a small model.

A schema is narrowed: strings, lists and numbers get a length at which a rambling model must stop, and objects no keys
that nobody described. What the grammar admits is valid by the schema, but for the few words of JSON Schema that no
grammar can say (`not`, `if`, `contains`, `dependentRequired`, overlapping `oneOf`, lookarounds in a pattern,
`uniqueItems` of two and more), which are passed over.

llama.cpp drops a grammar that it cannot read, in silence: the model would be free. So each schema is tried out first
(`trial`), and a plainer reading of it is taken if need be (`readings`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from agentkit.core.json_schema import MANY, NAMED, ONE

MAX_STRING = 200
MAX_ITEMS = 8
MOST_ITEMS = 64
HEADER = "%llguidance {}\n"
MAX_INTEGER = 2**53 - 1
OPTIONS = {
    "item_separator": ", ",
    "key_separator": ": ",
    "whitespace_flexible": False,
    "coerce_one_of": True,
    "lenient": True,  # words that it does not know are passed over: refusing the grammar would set the model free
}

TRIAL = "§¶"
"""What a model that is held to a trial writes first, and a free one does not."""

_LOOKAROUND = re.compile(r"\(\?<?[=!]|\\[1-9bB]")
_LOCAL_REF = re.compile(r'"\$ref": "(?!#/(?:\$defs|definitions)/)')
_NESTED_MAPS = NAMED | {"$defs", "definitions"}
_SHAPED = frozenset({"enum", "const", "format", "maxLength"})
_LONG = re.compile(r"\{\d{3}")
_OPEN_ENDED = frozenset({"anyOf", "oneOf", "allOf", "$ref", "if", "patternProperties", "unevaluatedProperties"})
_SHAPE = frozenset({"type", "properties", "required", "items", "prefixItems", "enum", "const", "anyOf", "oneOf", "$ref",
                    "$defs", "definitions", "additionalProperties"})  # fmt: skip
_PLAIN_OBJECT = frozenset({"type", "properties", "required", "additionalProperties", "title", "description", "$defs",
                           "definitions", "$schema", "$id", "examples", "default"})  # fmt: skip


def literal(text: str) -> str:
    """A piece of a grammar that is exactly this text."""
    return json.dumps(text, ensure_ascii=False)


def exactly(value: Any) -> str:
    """A piece of a grammar that is exactly this JSON value."""
    return literal(json.dumps(value, ensure_ascii=False))


def json_value(schema: Mapping[str, Any]) -> str:
    """A piece of a grammar that is any JSON value of the schema (or rather: any of reasonable size)."""
    return "%json " + json.dumps({**narrowed(schema), "x-guidance": OPTIONS}, ensure_ascii=False)


def document(schema: Mapping[str, Any]) -> str:
    """The grammar of a text that is one JSON value of the schema."""
    return f"{HEADER}start: {json_value(schema)}\n"


def arguments(
    parameters: Mapping[str, Any],
    choices: Iterable[Mapping[str, str | None]] = ({},),
    sure: Collection[str] = (),
) -> str:
    """The grammar of a space and then the arguments of a call.

    Args:
        parameters: The tool's JSON Schema.
        choices: What is known of the arguments already, as alternatives: for each known property a piece of grammar,
            or None if it is to be left out. It must agree with the schema.
        sure: Properties that are not left out, although the schema would let them be.
    """
    if not _is_plain(parameters):
        return f'{HEADER}start: " " value\nvalue: {json_value(parameters)}\n'
    shared = {key: parameters[key] for key in ("$defs", "definitions") if key in parameters}
    names = {key: f"value_{index}" for index, key in enumerate(parameters.get("properties", {}))}
    rules = [f"{names[key]}: {json_value({**shared, **schema})}" for key, schema in parameters["properties"].items()]
    required = {*parameters.get("required", ()), *sure}
    objects = [_object(required, {**names, **choice}) for choice in choices]
    return f'{HEADER}start: " " ({" | ".join(objects)})\n' + "\n".join(rules) + "\n"


def readings(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The schema; its shape without patterns, formats and bounds; the names of its keys alone."""
    yield schema
    yield _shape(schema)
    names = schema.get("properties") or {}
    yield {"type": "object", "properties": {key: {} for key in names}, "required": list(names)} if names else {}


def trial(schema: Mapping[str, Any]) -> str:
    """A grammar that begins with `TRIAL`, if it can be read at all."""
    return f"{HEADER}start: {literal(TRIAL)} value\nvalue: {json_value(schema)}\n"


def narrowed(schema: Any) -> Any:
    """The schema with bounds on what has none."""
    return _narrowed(schema, closing="allOf" not in json.dumps(schema))


def _shape(schema: Any) -> Any:
    if not isinstance(schema, Mapping):
        return schema
    return _within({key: value for key, value in schema.items() if key in _SHAPE}, _shape)


def _within(schema: dict[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    """The schema with the schemas in it changed."""
    for key in ONE & schema.keys():
        schema[key] = change(schema[key])
    for key in MANY & schema.keys():
        schema[key] = [change(item) for item in schema[key]]
    for key in _NESTED_MAPS & schema.keys():
        schema[key] = {name: change(item) for name, item in dict(schema[key]).items()}
    return schema


def _object(required: Collection[str], pieces: Mapping[str, str | None]) -> str:
    """An object with its keys in the schema's order, where optional keys may be left out."""
    members = [
        (f"{literal(json.dumps(key, ensure_ascii=False) + ': ')} {piece}", key in required)
        for key, piece in pieces.items()
        if piece is not None
    ]
    # read from the end: `after` is what may follow a member, `first` what may follow the opening brace
    after = first = literal("}")
    for member, is_required in reversed(members):
        one, more = f"{member} {after}", f"{literal(', ')} {member} {after}"
        first = one if is_required else f"({one} | {first})"
        after = more if is_required else f"({more} | {after})"
    return f"({literal('{')} {first})"


def _is_plain(parameters: Mapping[str, Any]) -> bool:
    """Whether the arguments are an object of separately described properties, and nothing else is said of it."""
    properties = parameters.get("properties") or {}
    described = all(isinstance(schema, Mapping) for schema in properties.values())
    return (
        bool(properties)
        and described
        and _PLAIN_OBJECT.issuperset(parameters)
        and set(parameters.get("required", ())) <= set(properties)
        and not _LOCAL_REF.search(json.dumps(parameters))
    )


def _narrowed(schema: Any, *, closing: bool) -> Any:
    if not isinstance(schema, Mapping):
        return schema
    result = _within(_with_named_keys(dict(schema)), partial(_narrowed, closing=closing))
    kinds = result.get("type", [])
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        result = {**_bounds(kind, result), **result}
    if result.get("maxItems", 0) > MOST_ITEMS:
        result["maxItems"] = max(MOST_ITEMS, result.get("minItems", 0))
    described = result.get("properties")
    if (
        closing
        and described
        and set(result.get("required", ())) <= described.keys()
        and not _OPEN_ENDED & result.keys()
    ):
        result.setdefault("additionalProperties", False)
    if result.get("uniqueItems"):  # the one list without a double that a grammar can promise
        result["maxItems"] = min(result.get("maxItems", 1), max(1, result.get("minItems", 1)))
    if _LOOKAROUND.search(str(result.get("pattern", ""))):
        del result["pattern"]
    return result


def _with_named_keys(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with `propertyNames` said in words that a grammar knows."""
    values = schema.get("additionalProperties", True)
    match schema.pop("propertyNames", None):
        case {"enum": list() as names}:
            known = {**dict.fromkeys(names, values), **schema.get("properties", {})}
            return {**schema, "properties": known, "additionalProperties": False}
        case {"pattern": str() as pattern}:
            return {**schema, "patternProperties": {pattern: values}, "additionalProperties": False}
    return schema


def _bounds(kind: Any, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where a value of this kind must end, if its schema does not say."""
    match kind:
        case "string" if not _SHAPED & schema.keys() and not _LONG.search(schema.get("pattern", "")):
            return {"maxLength": max(MAX_STRING, schema.get("minLength", 0))}
        case "array":
            return {"maxItems": max(MAX_ITEMS, schema.get("minItems", 0))}
        case "integer":
            return {"minimum": -MAX_INTEGER, "maximum": MAX_INTEGER}
        case "number":
            return {"minimum": -MAX_INTEGER, "maximum": MAX_INTEGER, "multipleOf": 1e-6}
        case _:
            return {}
