"""A JSON Schema as tools need it: plain and self-contained.

`clean` takes what pydantic or a user wrote and gives a schema that means the same and that servers understand:

* Titles go: pydantic's repeat the name that stands next to them. A title that a user gave to a parameter without a
  description becomes its description. A property NAMED "title" is no title.
* References are written out where they stand. Only recursion keeps its `$defs`, and so does a schema that would grow
  beyond `_MAX_NODES` when written out. The root is never a reference.
* `discriminator` (of OpenAPI) goes, for its mapping points into `$defs`; the `const` of each branch says the same.

Wherever a schema is walked, data stays data: the values of `default`, `const`, `enum` and `examples` are never touched.
The rewriting for a wire is in `schema_wires.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias
from urllib.parse import unquote

from agentkit.errors import UsageError

Schema: TypeAlias = Any
"""A mapping of keywords, or True (anything) or False (nothing)."""

ONE = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
"""Keywords whose value is a schema (or, for `items` before 2020, a list of them)."""

MANY = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
"""Keywords whose value is a list of schemas."""

NAMED = frozenset({"dependentSchemas", "patternProperties", "properties"})
"""Keywords whose value maps names to schemas."""

ANNOTATIONS = frozenset({"default", "deprecated", "description", "examples", "readOnly", "title", "writeOnly"})
"""Keywords that say something and refuse nothing."""

_DROPPED = frozenset({"$defs", "$schema", "definitions", "discriminator", "title"})
_MAX_NODES = 2000


def clean(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema, plain and self-contained; what it accepts is the same. Idempotent.

    An object always has `properties`, be they none.

    Args:
        schema: JSON Schema, as pydantic or a user wrote it. It is not changed.

    Raises:
        UsageError: It nests deeper than anyone could mean.
    """
    try:
        return _Cleaner(schema).clean()
    except RecursionError:
        raise UsageError("the schema is nested too deeply: simplify it") from None


def resolve(root: Mapping[str, Any], ref: Any) -> Schema | None:
    """The schema that a local reference (`#`, `#/$defs/Node`) points to; None when there is none."""
    if not isinstance(ref, str) or not ref.startswith("#"):
        return None
    node: Any = root
    for part in ref[1:].split("/")[1:]:
        key = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(node, Mapping) and key in node:
            node = node[key]
        elif isinstance(node, list) and key.isdecimal() and int(key) < len(node):
            node = node[int(key)]
        else:
            return None
    return node if isinstance(node, Mapping | bool) and (ref == "#" or ref.startswith("#/")) else None


def merge(target: Schema, siblings: Mapping[str, Any]) -> dict[str, Any]:
    """Both schemas at once; the annotations of `siblings` win."""
    if target is True:
        return dict(siblings)
    if target is False:
        target = {"not": {}}
    if any(key in target and key not in ANNOTATIONS and target[key] != value for key, value in siblings.items()):
        return {**siblings, "allOf": [*siblings.get("allOf", ()), target]}
    return {**target, **siblings}


def apart(schema: Schema) -> tuple[Schema, dict[str, Any]]:
    """What a schema demands, and what it only says."""
    if not isinstance(schema, Mapping):
        return schema, {}
    bare = {key: value for key, value in schema.items() if key not in ANNOTATIONS}
    return bare, {key: value for key, value in schema.items() if key in ANNOTATIONS}


def subschemas(schema: Mapping[str, Any]) -> Iterator[Schema]:
    """The schemas directly inside this one, definitions left out."""
    for key, value in schema.items():
        if key in ONE and isinstance(value, Mapping):
            yield value
        elif (key in MANY or key in ONE) and isinstance(value, list):
            yield from value
        elif key in NAMED and isinstance(value, Mapping):
            yield from value.values()


def references(schema: Schema) -> Iterator[str]:
    """Where a schema and all inside it point to, in its definitions, too."""
    if not isinstance(schema, Mapping):
        return
    if isinstance(ref := schema.get("$ref"), str):
        yield ref
    for child in (*subschemas(schema), *schema.get("$defs", {}).values()):
        yield from references(child)


class _Cleaner:
    """Writes one schema anew."""

    __slots__ = ("_definitions", "_nodes", "_recursive", "_root")

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._definitions: dict[str, str] = {}  # reference -> name in the new $defs
        self._recursive: dict[str, bool] = {}
        self._nodes = 0

    def clean(self) -> dict[str, Any]:
        out = self._schema(dereferenced(self._root, self._root))
        if out.get("type") == "object":
            out.setdefault("properties", {})
        written: dict[str, Any] = {}
        while len(written) < len(self._definitions):
            ref, name = list(self._definitions.items())[len(written)]
            written[name] = self._schema(resolve(self._root, ref))
        return {**out, "$defs": written} if written else out

    def _schema(self, node: Schema, name: str = "") -> Any:
        """The node, cleaned; `name` is that of the property which it describes."""
        if not isinstance(node, Mapping):
            return node
        if "$ref" in node:
            return self._reference(node)
        self._nodes += 1
        out: dict[str, Any] = {}
        for key, value in node.items():
            if key in NAMED and isinstance(value, Mapping):
                out[key] = {each: self._schema(child, each) for each, child in value.items()}
            elif (key in MANY or key in ONE) and isinstance(value, list):
                out[key] = [self._schema(child) for child in value]
            elif key in ONE:
                out[key] = self._schema(value)
            elif key not in _DROPPED:
                out[key] = value
        if name and "description" not in out and _is_telling(node, name):
            out["description"] = node["title"]
        if len(out.get("allOf", ())) == 1:
            return merge(out.pop("allOf")[0], out)
        return out

    def _reference(self, node: Mapping[str, Any]) -> Any:
        ref = node["$ref"]
        siblings = self._schema(_without(node, "$ref"))
        target = resolve(self._root, ref)
        if target is None:
            return {"$ref": ref, **siblings}
        if self._nodes < _MAX_NODES and not self._is_recursive(ref):
            return merge(self._schema(target), siblings) if siblings else self._schema(target)
        return {"$ref": self._kept(ref), **siblings}

    def _is_recursive(self, ref: str) -> bool:
        """Whether what `ref` points to leads back to it."""
        if ref not in self._recursive:
            seen: set[str] = set()
            queue = [ref]
            while queue:
                new = set(references(resolve(self._root, queue.pop()))) - seen
                seen |= new
                queue.extend(new)
            self._recursive[ref] = ref in seen
        return self._recursive[ref]

    def _kept(self, ref: str) -> str:
        """A reference to the same schema in the new `$defs`."""
        if ref == "#":
            return ref
        if ref not in self._definitions:
            wanted = unquote(ref.rpartition("/")[2]).replace("~1", "_").replace("~0", "_") or "schema"
            taken, name, count = set(self._definitions.values()), wanted, 1
            while name in taken:
                count += 1
                name = f"{wanted}_{count}"
            self._definitions[ref] = name
        return f"#/$defs/{self._definitions[ref]}"


def _is_telling(node: Mapping[str, Any], name: str) -> bool:
    """Whether a parameter's title says more than its name, or the name of its class, does."""
    title = node.get("title")
    if not isinstance(title, str) or "properties" in node or "enum" in node:
        return False
    return _letters(title) != _letters(name)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


# --- What a schema accepts, as far as its types say -------------------------------------------------------------------

ANY_TYPE = frozenset({"array", "boolean", "null", "number", "object", "string"})
"""All JSON types; "number" holds "integer"."""

_TYPES: dict[type, str] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}

NOUNS: Mapping[str, str] = {
    "array": "an array",
    "boolean": "a boolean",
    "integer": "an integer",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a string",
}
"""The JSON types in words."""

_INTENT = {
    "object": {"additionalProperties", "maxProperties", "minProperties", "properties", "required"},
    "array": {"items", "maxItems", "minItems", "prefixItems", "uniqueItems"},
    "string": {"format", "maxLength", "minLength", "pattern"},
    "number": {"exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum", "multipleOf"},
}


def type_of(value: Any) -> str:
    """The JSON type of a value; an empty text for what is no JSON."""
    return _TYPES.get(type(value), "")


def types_of(schema: Schema, root: Mapping[str, Any], known: dict[str, frozenset[str]] | None = None) -> frozenset[str]:
    """The JSON types that a schema can accept, an upper bound. Keywords without a type tell which type is meant.

    Args:
        schema: A schema inside `root`.
        root: Where references point into.
        known: What was found for references so far (they may go round in circles).
    """
    if not isinstance(schema, Mapping):
        return ANY_TYPE if schema else frozenset()
    known = {} if known is None else known
    found = ANY_TYPE
    if (target := resolve(root, ref := schema.get("$ref", ""))) is not None:
        if ref not in known:
            known[ref] = ANY_TYPE
            known[ref] = types_of(target, root, known)
        found = known[ref]
    if "type" in schema:
        declared = schema["type"]
        found = _both(found, _normal([declared] if isinstance(declared, str) else declared))
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if values is not None:
        found = _both(found, _normal(map(type_of, values)))
    for key in ("anyOf", "oneOf"):
        if schema.get(key):
            found = _both(found, _normal(kind for branch in schema[key] for kind in types_of(branch, root, known)))
    for branch in schema.get("allOf", ()):
        found = _both(found, types_of(branch, root, known))
    if found == ANY_TYPE:
        found = frozenset(kind for kind, keywords in _INTENT.items() if not keywords.isdisjoint(schema)) or found
    return found


def _normal(kinds: Iterable[str]) -> frozenset[str]:
    found = frozenset(kinds)
    return found - {"integer"} if "number" in found else found


def _both(one: frozenset[str], other: frozenset[str]) -> frozenset[str]:
    if ("integer" in one and "number" in other) or ("number" in one and "integer" in other):
        return one & other | {"integer"}
    return one & other


def branches(
    schema: Schema, root: Mapping[str, Any], *, expand: bool = True, seen: set[str] | None = None
) -> list[dict[str, Any]]:
    """The alternatives of a schema, each of one type, which it names.

    Args:
        schema: A schema inside `root`.
        root: Where references point into.
        expand: Look into references to a choice of types. Without, such a reference stays, and names no type.
        seen: The references that were looked into.
    """
    if not isinstance(schema, Mapping):
        return [{"type": kind} for kind in sorted(ANY_TYPE)] if schema else []
    seen = set() if seen is None else seen
    kinds = types_of(schema, root)
    if len(kinds) == 1 and not schema.keys() & {"anyOf", "oneOf"}:
        return [{**schema, "type": next(iter(kinds))}]
    if (target := resolve(root, ref := schema.get("$ref", ""))) is not None:
        if not expand:
            return [dict(schema)]
        if ref in seen:
            return []
        seen.add(ref)
        return branches(merge(target, _without(schema, "$ref")), root, seen=seen)
    for key in ("anyOf", "oneOf"):
        if schema.get(key):
            rest = {name: value for name, value in schema.items() if name != key and name not in ANNOTATIONS}
            choices = [merge(branch, rest) for branch in schema[key]]
            return [each for choice in choices for each in branches(choice, root, expand=expand, seen=seen)]
    return [_of_type(schema, kind) for kind in sorted(kinds)]


def dereferenced(schema: Schema, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema with the keywords of what it refers to; empty for a schema without keywords."""
    seen: set[str] = set()
    while isinstance(schema, Mapping) and (target := resolve(root, ref := schema.get("$ref", ""))) is not None:
        if ref in seen:
            break
        seen.add(ref)
        schema = merge(target, _without(schema, "$ref"))
    return schema if isinstance(schema, Mapping) else {}


def _of_type(schema: Mapping[str, Any], kind: str) -> dict[str, Any]:
    out = {**schema, "type": kind}
    if "enum" in out:
        same = (kind, "integer") if kind == "number" else (kind,)
        out["enum"] = [value for value in out["enum"] if type_of(value) in same]
    return out


def _without(schema: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != key}
