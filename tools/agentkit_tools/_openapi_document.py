"""An OpenAPI 3 document, read: its operations, and the JSON Schema of their arguments."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from agentkit import UsageError
from agentkit.core.json_schema import references, resolve

METHODS = ("get", "post", "put", "patch", "delete", "options", "head")
MAX_NAME_CHARS = 64

Schema: TypeAlias = dict[str, Any]

_REFUSED_HEADERS = re.compile(
    r"authorization|cookie|host|connection|content-.*|transfer-encoding|te|upgrade|forwarded|x-forwarded-.*|proxy-.*"
    r"|accept(?:-.*)?|.*(?:api-?key|token|secret|auth|password|signature).*",
    re.IGNORECASE,
)
_NO_SCHEMA_WORDS = frozenset({"nullable", "example", "xml", "externalDocs", "discriminator"})
_STYLES = {
    "path": ("simple",),
    "header": ("simple",),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
}
_IS_SENT = re.compile(
    r"application/x-www-form-urlencoded|[\w.+/*-]*json.*|text/.*|application/xml.*|[\w*]+/\*", re.IGNORECASE
)
"""The bodies that can be sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """Where one argument goes.

    Attributes:
        argument: Its name, for the model.
        name: Its name, for the service.
        place: `path`, `query` or `header`.
        style: How a list or an object is written, in OpenAPI's words; or `json`.
        explode: Whether its parts stand alone.
    """

    argument: str
    name: str
    place: str
    style: str = "form"
    explode: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation.

    Attributes:
        method: Of HTTP.
        path: Its template.
        url: Base URL and path.
        fields: What the document says of it.
        shared: What it says of the path.
    """

    method: str
    path: str
    url: str
    fields: Mapping[str, Any] = field(repr=False)
    shared: Mapping[str, Any] = field(repr=False)

    @property
    def id(self) -> str:
        """Its `operationId`."""
        return str(self.fields.get("operationId", ""))

    @property
    def label(self) -> str:
        """Such as `GET /ports/{id}`."""
        return f"{self.method} {self.path}"

    @property
    def name(self) -> str:
        """A legal name for a tool."""
        given = self.id or f"{self.method.lower()}_{self.path}"
        return re.sub(r"[^a-zA-Z0-9-]+", "_", given).strip("_")[:MAX_NAME_CHARS] or self.method.lower()

    @property
    def description(self) -> str:
        """What it does."""
        said = (self.fields.get("summary"), self.fields.get("description"))
        return "\n".join(dict.fromkeys(text.strip() for text in said if isinstance(text, str) and text)) or self.label


class Document:
    """A document that was read.

    Raises:
        UsageError: It is none.
    """

    def __init__(self, spec: Mapping[str, Any] | str) -> None:
        self._root = _parsed(spec)
        components = _mapping(self._root.get("components"))
        schemes = [self._resolved(one) for one in _mapping(components.get("securitySchemes")).values()]
        keys = [(str(one.get("in")), str(one.get("name"))) for one in schemes if one.get("type") == "apiKey"]
        self._keys = {(place, name) for place, name in keys if place in {"query", "header"}}
        self._names: dict[str, str] = {}  # reference -> its name among the definitions

    def operations(self, base_url: str | None) -> list[Operation]:
        """All operations, in the document's order.

        Args:
            base_url: Where the service is, if not where the document says.
        """
        found: list[Operation] = []
        for path, item in self._root["paths"].items():
            if str(path).startswith("x-"):
                continue
            if not str(path).startswith("/") or {".", ".."} & set(str(path).split("/")):
                raise UsageError(f"the document has the path {path!r}: paths begin with a slash and lead down")
            shared = self._resolved(item)
            for method in METHODS:
                if isinstance(fields := shared.get(method), Mapping):
                    url = _base(base_url, fields, shared, self._root) + path
                    found.append(Operation(method=method.upper(), path=path, url=url, fields=fields, shared=shared))
        return found

    def arguments(
        self, operation: Operation, headers: Mapping[str, str], values: Mapping[str, Any]
    ) -> tuple[Schema, list[Parameter], str | None]:
        """The schema of all arguments, where each goes, and the kind of the body.

        Args:
            operation: One of this document.
            headers: What the caller sends with each request, whatever the document says.
            values: What the caller sets: sent, and not shown.

        Raises:
            UsageError: It cannot be called.
        """
        properties: Schema = {}
        required: list[str] = []
        parameters: list[Parameter] = []
        for parameter in self._declared(operation):
            if parameter["name"] not in values and self._is_refused(parameter, headers):
                continue
            name, place = parameter["name"], parameter["in"]
            argument = _argument(name, place, properties)
            parameters.append(_parameter(parameter, argument, operation.label))
            if name in values:
                continue
            schema = self._schema(parameter.get("schema") or next(iter(_contents(parameter)), (None, {}))[1])
            properties[argument] = _told(schema, parameter.get("description") or f"{name} ({place})")
            required += [argument] if parameter.get("required") or place == "path" else []
        known = {(parameter.place, parameter.name) for parameter in parameters}
        parameters += [
            Parameter(argument="", name=name, place=place) for place, name in self._keys - known if name in values
        ]
        body = self._resolved(operation.fields.get("requestBody") or {})
        kind, schema = _sendable(body, operation.label)
        if kind is not None:
            properties["body"] = _told(self._schema(schema), body.get("description") or "The body of the request.")
            required += ["body"] if body.get("required") else []
        whole = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
        return {**whole, "$defs": self._definitions(whole)}, parameters, kind

    def _declared(self, operation: Operation) -> list[Mapping[str, Any]]:
        """The parameters that are sent: those of the document, and what stands in its path without a word."""
        listed = (*_list(operation.shared.get("parameters")), *_list(operation.fields.get("parameters")))
        resolved = [self._resolved(one) for one in listed]
        by_place = {(str(one.get("in")), str(one["name"])): one for one in resolved if "name" in one}
        for name in re.findall(r"\{([^{}]*)\}", operation.path):
            by_place.setdefault(("path", name), {"in": "path", "name": name, "schema": {"type": "string"}})
        return [{**one, "in": place, "name": name} for (place, name), one in by_place.items() if place in _STYLES]

    def _is_refused(self, parameter: Mapping[str, Any], headers: Mapping[str, str]) -> bool:
        """Whether a parameter is not for the model: a credential, the caller's header, what HTTP itself needs."""
        place, name = parameter["in"], parameter["name"]
        if place == "header" and (_REFUSED_HEADERS.fullmatch(name) or name.lower() in map(str.lower, headers)):
            return True
        return (place, name) in self._keys

    def _resolved(self, value: Any) -> Mapping[str, Any]:
        """What a local reference of the document means (a parameter, a body, a path)."""
        seen: list[Any] = []
        while isinstance(value, Mapping) and (ref := value.get("$ref")) is not None:
            target = resolve(self._root, ref)
            if target is None or ref in seen:
                raise UsageError(f"the document points to {ref!r}, which is not in it")
            seen.append(ref)
            value = target
        return _mapping(value)

    def _schema(self, value: Any) -> Any:
        """A schema of OpenAPI 3.0 or 3.1 as plain JSON Schema, its references into `$defs`."""
        if isinstance(value, list):
            return [self._schema(item) for item in value]
        if not isinstance(value, Mapping):
            return value
        out: Schema = {}
        for key, part in value.items():
            if key == "$ref" and isinstance(part, str):
                out[key] = f"#/$defs/{self._name(part)}"
            elif key in {"enum", "const", "default", "examples", "required"}:
                out[key] = part
            elif key in {"properties", "patternProperties", "$defs", "dependentSchemas"} and isinstance(part, Mapping):
                out[key] = {name: self._schema(one) for name, one in part.items()}
            elif key not in _NO_SCHEMA_WORDS:
                out[key] = self._schema(part)
        for bound, flag in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            if isinstance(exclusive := out.get(flag), bool):  # 3.0
                del out[flag]
                if exclusive and bound in out:
                    out[flag] = out.pop(bound)
        return _nullable(out) if value.get("nullable") is True else out

    def _name(self, ref: str) -> str:
        """The name of what a reference means, among the definitions."""
        if ref not in self._names:
            if resolve(self._root, ref) is None:
                raise UsageError(f"the document points to {ref!r}, which is not in it")
            plain = re.sub(r"\W+", "_", ref.rpartition("/")[2], flags=re.ASCII)
            self._names[ref] = plain if plain not in self._names.values() else f"{plain}_{len(self._names)}"
        return self._names[ref]

    def _definitions(self, schema: Schema) -> Schema:
        """What a schema points to, and what that points to."""
        out: Schema = {}
        left = [schema]
        while left:
            pointed_at = {ref.removeprefix("#/$defs/") for ref in references(left.pop())}
            for name in pointed_at - out.keys():
                ref = next(ref for ref, known in self._names.items() if known == name)
                out[name] = self._schema(resolve(self._root, ref))
                left.append(out[name])
        return out


def _parsed(spec: Mapping[str, Any] | str) -> Mapping[str, Any]:
    if isinstance(spec, str):
        if re.match(r"\s*https?://\S+\s*$", spec):
            raise UsageError("this is the address of a document: fetch it, and pass its text")
        try:
            spec = json.loads(spec)
        except (ValueError, RecursionError):
            raise UsageError("the document is no JSON; if it is YAML, pass yaml.safe_load(text) (of pyyaml)") from None
    if isinstance(spec, Mapping) and ("swagger" in spec or not str(spec.get("openapi", "3")).startswith("3")):
        raise UsageError(f"only OpenAPI 3 is read, this is {spec.get('swagger') or spec.get('openapi')}: convert it")
    if not isinstance(spec, Mapping) or not isinstance(spec.get("paths"), Mapping):
        raise UsageError("this is no OpenAPI document: it has no paths")
    return spec


def _base(given: str | None, *places: Mapping[str, Any]) -> str:
    """Where the service is: the nearest server, with the defaults of its variables."""
    servers: Sequence[Any] = next((listed for place in places if (listed := _list(place.get("servers")))), [{}])
    server = _mapping(servers[0])
    url = given or str(server.get("url", ""))
    for name, variable in _mapping(server.get("variables")).items() if not given else ():
        url = url.replace(f"{{{name}}}", str(_mapping(variable).get("default", "")))
    try:
        parts = urlsplit(url)
        legal = parts.scheme in {"http", "https"} and bool(parts.hostname) and not (parts.query or parts.fragment)
    except ValueError:
        legal = False
    if not legal or "{" in url:
        raise UsageError(f"the document names no server that can be reached ({url!r}): pass base_url=...")
    return url.rstrip("/")


def _argument(name: str, place: str, taken: Mapping[str, Any]) -> str:
    """A name for the model: of letters that every wire takes, and no other argument's."""
    legal = re.sub(r"[^a-zA-Z0-9_.-]", "_", name)[:MAX_NAME_CHARS] or place
    argument, number = legal, 1
    while argument in taken or argument == "body":
        argument, number = f"{place}_{legal}"[: MAX_NAME_CHARS - 3] + (f"_{number}" if number > 1 else ""), number + 1
    return argument


def _parameter(parameter: Mapping[str, Any], argument: str, label: str) -> Parameter:
    name, place = parameter["name"], parameter["in"]
    style = str(parameter.get("style") or _STYLES[place][0])
    if style not in _STYLES[place]:
        raise UsageError(f"{label}: the style {style!r} of {name!r} is not supported: leave it out with exclude=")
    explode = bool(parameter.get("explode", style == "form"))
    style = "json" if "content" in parameter else style
    return Parameter(argument=argument, name=name, place=place, style=style, explode=explode)


def _contents(holder: Mapping[str, Any]) -> list[tuple[str, Any]]:
    items = _mapping(holder.get("content")).items()
    return [(str(kind), media.get("schema") or {}) for kind, media in items if isinstance(media, Mapping)]


def _sendable(body: Mapping[str, Any], label: str) -> tuple[str | None, Any]:
    """The kind of body to send, and its schema; JSON where there is a choice."""
    contents = _contents(body)
    able = sorted((one for one in contents if _IS_SENT.fullmatch(one[0])), key=lambda one: "json" not in one[0])
    if contents and not able:
        kinds = ", ".join(kind for kind, _ in contents)
        raise UsageError(f"{label}: a body of {kinds} is not supported: leave it out with exclude=")
    kind, schema = able[0] if able else (None, {})
    return "application/json" if kind is not None and "*" in kind else kind, schema


def _told(schema: Any, description: Any) -> Schema:
    """The schema with a description."""
    said = _mapping(schema)
    return dict(said) if said.get("description") else {**said, "description": str(description)}


def _nullable(schema: Schema) -> Schema:
    """OpenAPI 3.0's `nullable` in the words of JSON Schema."""
    if isinstance(kind := schema.get("type"), str):
        values = {"enum": [*schema["enum"], None]} if "enum" in schema and None not in schema["enum"] else {}
        return {**schema, "type": [kind, "null"], **values}
    return {"anyOf": [schema, {"type": "null"}]}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
