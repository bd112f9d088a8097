"""Tools made from an OpenAPI 3 document: one for each operation, called where the document says and nowhere else.

* The model sees what the document says: which parameters are required, the schema of the body, with references written
  out. Parameters stand side by side; the body is `body`.
* The model chooses values, never where they go: host and path template are the document's, a value in a path is one
  segment of it, and redirects are not followed.
* Credentials are the caller's (`headers=`). Parameters that would carry them, and cookies, are not shown to the model.
* The HTTP status is part of what the model reads; from 400 on the call failed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import quote, urlsplit

from agentkit import Tool, ToolFailed, UsageError

METHODS = ("get", "post", "put", "patch", "delete", "options", "head")
MAX_BODY_BYTES = 2_000_000
MAX_SHOWN_CHARS = 20_000

Schema: TypeAlias = dict[str, Any]

_SAFE = frozenset({"get", "head", "options"})
_REFUSED_HEADERS = re.compile(
    r"authorization|cookie|host|connection|content-.*|transfer-encoding|te|upgrade|forwarded|x-forwarded-.*|proxy-.*"
    r"|accept(?:-.*)?|.*(?:api-?key|token|secret|auth|password|signature).*",
    re.IGNORECASE,
)
_NO_SCHEMA_WORDS = frozenset({"nullable", "example", "xml", "externalDocs", "discriminator"})


@dataclass(frozen=True, slots=True)
class _Parameter:
    """Where one argument goes."""

    argument: str
    name: str
    place: str
    explode: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Operation:
    """One request, but for its values."""

    method: str
    url: str
    parameters: Sequence[_Parameter]
    body_kind: str | None
    headers: Mapping[str, str] = field(repr=False)
    client: Any = None
    timeout_s: float = 30.0

    async def call(self, **arguments: Any) -> str:
        """Make the request; gives the status and the body."""
        import httpx2  # noqa: PLC0415 - not before the first request

        url, query, headers = self.url, list[tuple[str, str]](), dict(self.headers)
        for parameter in self.parameters:
            if parameter.argument not in arguments:
                continue
            value = arguments[parameter.argument]
            match parameter.place:
                case "path":
                    url = url.replace(f"{{{parameter.name}}}", _segment(parameter.name, value))
                case "query":
                    query += _query(parameter, value)
                case _:
                    headers.setdefault(parameter.name, _header(parameter.name, value))
        sent: dict[str, Any] = {"params": query, "headers": headers}
        if "body" in arguments and self.body_kind is not None:
            sent |= _body(self.body_kind, arguments["body"])
        try:
            if self.client is not None:
                return await self._answer(self.client, url, sent)
            async with httpx2.AsyncClient(timeout=self.timeout_s, follow_redirects=False) as client:
                return await self._answer(client, url, sent)
        except httpx2.HTTPError as error:
            raise ToolFailed(f"no answer from the service: {type(error).__name__}") from error

    async def _answer(self, client: Any, url: str, sent: Mapping[str, Any]) -> str:
        async with client.stream(self.method, url, follow_redirects=False, **sent) as response:
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    break
        text = body[:MAX_BODY_BYTES].decode("utf-8", "replace")
        shown = text if len(text) <= MAX_SHOWN_CHARS else text[:MAX_SHOWN_CHARS] + "\n... (cut off)"
        said = f"HTTP {response.status_code} {response.reason_phrase}".strip()
        if response.status_code >= 300:
            raise ToolFailed(f"{said}\n{shown}".strip())
        return f"{said}\n{shown}".strip()


def tools_from_openapi(
    spec: Mapping[str, Any] | str,
    *,
    base_url: str | None = None,
    only: Sequence[str] | Callable[[str, str], bool] | None = None,
    headers: Mapping[str, str] | None = None,
    http_client: Any = None,
    timeout_s: float = 30.0,
    **policy: Any,
) -> list[Tool[..., Any]]:
    """A tool for each operation of an OpenAPI 3 document.

    Args:
        spec: The document, as a mapping or as JSON text.
        base_url: Where the service is, if not at the first server that the document names.
        only: Which operations: regular expressions for `"METHOD /path"` or operation ids, or a function of both.
        headers: Sent with each request: the place for credentials. The model sees none of them and changes none.
        http_client: An `AsyncClient` of httpx2, used as it is.
        timeout_s: Seconds for one request.
        **policy: As for `@tool`, such as `requires_approval=True`.

    Raises:
        UsageError: The document is none, or names no server.
    """
    document = _document(spec)
    tools: list[Tool[..., Any]] = []
    for path, method, operation, shared in _operations(document):
        label = f"{method.upper()} {path}"
        if not _wanted(only, label, str(operation.get("operationId", ""))):
            continue
        name = _name(operation, method, path, {tool.name for tool in tools})
        schema, parameters, body_kind = _arguments(document, operation, shared)
        made = _Operation(
            method=method.upper(),
            url=_base(base_url, document, operation, shared) + path,
            parameters=parameters,
            body_kind=body_kind,
            headers=dict(headers or {}),
            client=http_client,
            timeout_s=timeout_s,
        )
        said = [operation.get("summary"), operation.get("description")]
        description = "\n".join(dict.fromkeys(text.strip() for text in said if text)) or label
        rules = {"idempotent": method in _SAFE, **policy}
        tools.append(Tool.from_schema(name, description, schema, made.call, **rules))
    return tools


def _document(spec: Mapping[str, Any] | str) -> Mapping[str, Any]:
    if isinstance(spec, str):
        try:
            spec = json.loads(spec)
        except ValueError:
            raise UsageError("the OpenAPI document is no JSON; of YAML pass what yaml.safe_load gives") from None
    if not isinstance(spec, Mapping) or not isinstance(spec.get("paths"), Mapping):
        raise UsageError("this is no OpenAPI document: it has no paths")
    if not str(spec.get("openapi", "3")).startswith("3"):
        raise UsageError(f"only OpenAPI 3 is read, this is {spec.get('openapi')}")
    return spec


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any], Mapping[str, Any]]]:
    for path, item in document["paths"].items():
        shared = _resolved(document, item)
        for method in METHODS:
            if isinstance(operation := shared.get(method), Mapping):
                yield path, method, operation, shared


def _wanted(only: Any, label: str, operation_id: str) -> bool:
    if only is None:
        return True
    if callable(only):
        return bool(only(label, operation_id))
    return any(re.search(pattern, label) or re.fullmatch(pattern, operation_id) for pattern in only)


def _name(operation: Mapping[str, Any], method: str, path: str, taken: set[str]) -> str:
    given = str(operation.get("operationId") or f"{method}_{path}")
    wanted = re.sub(r"[^a-zA-Z0-9-]+", "_", given).strip("_")[:64]
    name, number = wanted or method, 2
    while name in taken:
        name, number = f"{wanted[:60]}_{number}", number + 1
    return name


def _base(given: str | None, document: Mapping[str, Any], *places: Mapping[str, Any]) -> str:
    """Where the service is: the nearest server, with the defaults of its variables."""
    servers: Sequence[Mapping[str, Any]] = next((s for place in (*places, document) if (s := place.get("servers"))), ())
    url = given or (str(servers[0].get("url", "")) if servers else "")
    for name, variable in (servers[0].get("variables") or {}).items() if servers and not given else ():
        url = url.replace(f"{{{name}}}", str(variable.get("default", "")))
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "{" in url:
        raise UsageError(f"the document names no server that can be reached ({url!r}): pass base_url=...")
    return url.rstrip("/")


def _arguments(
    document: Mapping[str, Any], operation: Mapping[str, Any], shared: Mapping[str, Any]
) -> tuple[Schema, list[_Parameter], str | None]:
    """The schema of all arguments, where each goes, and the kind of the body."""
    declared = [_resolved(document, p) for p in (*shared.get("parameters", ()), *operation.get("parameters", ()))]
    by_place = {(p.get("in"), p.get("name")): p for p in declared if not _is_refused(p)}
    properties: Schema = {}
    required: list[str] = []
    parameters: list[_Parameter] = []
    for (place, name), parameter in by_place.items():
        argument = str(name) if name not in properties and name != "body" else f"{place}_{name}"
        schema = _schema(parameter.get("schema") or next(iter(_contents(parameter)), (None, {}))[1])
        properties[argument] = _told(schema, parameter.get("description") or f"{name} ({place})")
        if parameter.get("required") or place == "path":
            required.append(argument)
        explode = parameter.get("explode", parameter.get("style", "form") == "form")
        parameters.append(_Parameter(argument, str(name), str(place), bool(explode)))
    body = _resolved(document, operation.get("requestBody") or {})
    kind, schema = next(iter(sorted(_contents(body), key=lambda one: "json" not in one[0])), (None, {}))
    if kind is not None:
        properties["body"] = _told(_schema(schema), body.get("description") or "The body of the request.")
        required += ["body"] if body.get("required") else []
    definitions = {name: _schema(one) for name, one in document.get("components", {}).get("schemas", {}).items()}
    whole = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return {**whole, "$defs": definitions}, parameters, kind


def _is_refused(parameter: Mapping[str, Any]) -> bool:
    """Whether a parameter is not the model's business: cookies, credentials, and what HTTP itself needs."""
    place, name = parameter.get("in"), str(parameter.get("name", ""))
    return place not in {"path", "query", "header"} or (place == "header" and bool(_REFUSED_HEADERS.fullmatch(name)))


def _contents(holder: Mapping[str, Any]) -> list[tuple[str, Any]]:
    content = holder.get("content")
    items = content.items() if isinstance(content, Mapping) else ()
    return [(kind, media.get("schema") or {}) for kind, media in items if isinstance(media, Mapping)]


def _told(schema: Schema, description: str) -> Schema:
    """The schema with a description; beside a reference it would be lost in old readers, so it wraps it."""
    return schema if schema.get("description") else {**schema, "description": description}


def _resolved(document: Mapping[str, Any], value: Any) -> Mapping[str, Any]:
    """What a local reference of the document means (a parameter, a body, a path)."""
    seen: set[str] = set()
    while isinstance(value, Mapping) and isinstance(ref := value.get("$ref"), str):
        if ref in seen or not ref.startswith("#/"):
            raise UsageError(f"the document points to {ref!r}, which is not in it")
        seen.add(ref)
        place: Any = document
        for key in ref[2:].split("/"):
            place = place.get(key.replace("~1", "/").replace("~0", "~")) if isinstance(place, Mapping) else None
        if place is None:
            raise UsageError(f"the document points to {ref!r}, which is not in it")
        value = place
    return value if isinstance(value, Mapping) else {}


def _schema(value: Any) -> Any:
    """A schema of OpenAPI 3.0 or 3.1 as plain JSON Schema, its references into `$defs`."""
    if isinstance(value, list):
        return [_schema(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    out: Schema = {}
    for key, part in value.items():
        if key == "$ref" and isinstance(part, str):
            out[key] = part.replace("#/components/schemas/", "#/$defs/")
        elif key in {"enum", "const", "default", "examples", "required"}:
            out[key] = part
        elif key in {"properties", "patternProperties", "$defs", "dependentSchemas"} and isinstance(part, Mapping):
            out[key] = {name: _schema(one) for name, one in part.items()}
        elif key not in _NO_SCHEMA_WORDS:
            out[key] = _schema(part)
    for bound, flag in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(exclusive := out.get(flag), bool):  # 3.0
            del out[flag]
            if exclusive and bound in out:
                out[flag] = out.pop(bound)
    return _nullable(out) if value.get("nullable") is True else out


def _nullable(schema: Schema) -> Schema:
    """OpenAPI 3.0's `nullable` in the words of JSON Schema."""
    if isinstance(kind := schema.get("type"), str):
        values = {"enum": [*schema["enum"], None]} if "enum" in schema and None not in schema["enum"] else {}
        return {**schema, "type": [kind, "null"], **values}
    return {"anyOf": [schema, {"type": "null"}]}


def _segment(name: str, value: Any) -> str:
    """A value as one segment of a path.

    Raises:
        ToolFailed: It would be another path.
    """
    text = ",".join(map(_text, value)) if isinstance(value, list) else _text(value)
    if text in {"", ".", ".."}:
        raise ToolFailed(f"{name}={text!r} cannot stand in the path of a request")
    return quote(text, safe="")


def _query(parameter: _Parameter, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, list):
        texts = [_text(item) for item in value]
        return [(parameter.name, text) for text in (texts if parameter.explode else [",".join(texts)])]
    if isinstance(value, Mapping) and parameter.explode:
        return [(str(key), _text(item)) for key, item in value.items()]
    return [(parameter.name, _text(value))]


def _header(name: str, value: Any) -> str:
    text = _text(value)
    if not (text.isascii() and text.isprintable()):
        raise ToolFailed(f"{name} must be one line of ASCII text")
    return text


def _body(kind: str, value: Any) -> dict[str, Any]:
    if "json" in kind:
        return {"json": value}
    if kind == "application/x-www-form-urlencoded" and isinstance(value, Mapping):
        return {"data": {key: _text(item) for key, item in value.items()}}
    return {"content": _text(value).encode()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
