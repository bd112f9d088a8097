"""Tools made from an OpenAPI 3 document: one for each operation, called where the document says and nowhere else.

* The model sees what the document says: which parameters are required, the schema of the body, with references written
  out. Parameters stand side by side; the body is `body`.
* The model chooses values, never where they go: host and path template are the document's, a value in a path is one
  segment of it, and redirects are not followed.
* Credentials are the caller's (`headers=`, `values=`). Parameters that would carry them, and cookies, are not shown to
  the model; what the service repeats of them is not shown either.
* The HTTP status is part of what the model reads; from 300 on the call failed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

from agentkit import Tool, ToolFailed, UsageError
from agentkit_tools._openapi_document import Document, Operation, Parameter

MAX_BODY_BYTES = 2_000_000
MAX_SHOWN_CHARS = 20_000

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_JOINTS = {"spaceDelimited": " ", "pipeDelimited": "|"}
_IS_CREDENTIAL = re.compile(r"auth|key|token|secret|password|signature|cookie", re.IGNORECASE)
_TELLING_CHARS = 8
"""A word with fewer characters is no credential."""


def tools_from_openapi(  # noqa: PLR0913 - what one service may need
    spec: Mapping[str, Any] | str,
    *,
    base_url: str | None = None,
    only: Sequence[str] | Callable[[str, str], bool] | None = None,
    exclude: Sequence[str] = (),
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
    values: Mapping[str, Any] | None = None,
    http_client: Any = None,
    timeout_s: float = 30.0,
    **policy: Any,
) -> list[Tool[..., Any]]:
    """A tool for each operation of an OpenAPI 3 document.

    An operation is meant by its id, by `"METHOD /path"`, or by a regular expression for either.

    Args:
        spec: The document, as a mapping or as JSON text.
        base_url: Where the service is, if not at the first server that the document names.
        only: Which operations: a list, or a function of `"METHOD /path"` and the id.
        exclude: Which not.
        overrides: For some operations their `name`, their `description`, and a policy over that for all, such as
            `{"deletePort": {"requires_approval": True}}`; where several mean one operation, the last says it.
        headers: Sent with each request: the place for credentials. The model sees none of them and changes none.
        values: Parameters that the caller fixes, such as a key in the query. The model does not see them.
        http_client: An `AsyncClient` of httpx2, used as it is.
        timeout_s: Seconds for one request.
        **policy: As for `@tool`, such as `requires_approval=True`.

    Raises:
        UsageError: The document is none, names no server, or an operation cannot be called; or a choice means none.
    """
    document = Document(spec)
    headers, values, overrides = dict(headers or {}), dict(values or {}), overrides or {}
    chosen = _chosen(document.operations(base_url), only, exclude)
    _check_meant([*overrides], chosen)
    if headers or values:
        _check_one_service(chosen)
    write = partial(_Request, headers=headers, values=values, client=http_client, timeout_s=timeout_s)
    tools: dict[str, Tool[..., Any]] = {}
    taken: set[str] = set()
    for operation in chosen:
        rules = _rules(operation, policy, overrides)
        schema, parameters, kind = document.arguments(operation, headers, values)
        request = write(method=operation.method, url=operation.url, parameters=parameters, body_kind=kind)
        name = rules.pop("name", None) or _unique(operation.name, tools)
        if name in tools:
            raise UsageError(f"two operations have the name {name!r}: give one another in overrides=")
        said = rules.pop("description", operation.description)
        tools[name] = Tool.from_schema(name, said, schema, _function(request), **rules)
        taken |= {parameter.name for parameter in parameters}
    if unknown := values.keys() - taken:
        raise UsageError(f"values= sets {', '.join(sorted(unknown))}, which no operation takes")
    return list(tools.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """One request, but for what the model chooses."""

    method: str
    url: str
    parameters: Sequence[Parameter]
    body_kind: str | None
    headers: Mapping[str, str] = field(repr=False)
    values: Mapping[str, Any] = field(repr=False)
    client: Any = None
    timeout_s: float = 30.0

    async def send(self, arguments: Mapping[str, Any]) -> str:
        """Make the request; gives the status and the body.

        Raises:
            ToolFailed: A value cannot be sent, the service refused, or there is no answer.
        """
        import httpx2  # noqa: PLC0415 - not before the first request

        sent = self._written(arguments)
        try:
            if self.client is not None:
                return await self._answer(self.client, sent)
            async with httpx2.AsyncClient(timeout=self.timeout_s) as client:
                return await self._answer(client, sent)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise ToolFailed(f"no answer from the service: {type(error).__name__}") from error

    def _written(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        url, query, headers = self.url, list[tuple[str, str]](), dict(self.headers)
        for parameter in self.parameters:
            value = self.values.get(parameter.name, arguments.get(parameter.argument))
            match parameter.place:
                case _ if value is None:
                    pass
                case "path":
                    url = url.replace(f"{{{parameter.name}}}", _segment(parameter, value))
                case "query":
                    query += _query(parameter, value)
                case _:
                    headers[parameter.name] = _header(parameter, value)
        if any(part in {".", ".."} for part in urlsplit(url).path.split("/")) or "{" in url:
            raise ToolFailed("these values make another path")
        names = [name for name, _ in query]
        if clash := next((name for name in names if name in self.values and names.count(name) > 1), None):
            raise ToolFailed(f"{clash!r} is not yours to set")
        sent = {"url": url, "params": query, "headers": headers}
        if "body" in arguments and self.body_kind is not None:
            sent |= _body(self.body_kind, arguments["body"], headers)
        return sent

    async def _answer(self, client: Any, sent: Mapping[str, Any]) -> str:
        async with client.stream(self.method, follow_redirects=False, **sent) as response:
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    break
        text = f"({len(body)} bytes that are no text)" if b"\0" in body else body.decode("utf-8", "replace")
        text = self._hushed(text[:MAX_BODY_BYTES])
        shown = text if len(text) <= MAX_SHOWN_CHARS else text[:MAX_SHOWN_CHARS] + "\n... (cut off)"
        said = f"HTTP {response.status_code} {response.reason_phrase}\n{shown}".strip()
        if response.status_code >= 300:
            raise ToolFailed(said)
        return said

    def _hushed(self, text: str) -> str:
        """The text without the credentials, which some services repeat."""
        for name, value in (*self.headers.items(), *self.values.items()):
            for word in str(value).split() if _IS_CREDENTIAL.search(name) else ():
                text = text.replace(word, "[hidden]") if len(word) >= _TELLING_CHARS else text
        return text


def _function(request: _Request) -> Callable[..., Any]:
    async def call(**arguments: Any) -> str:
        return await request.send(arguments)

    return call


def _chosen(operations: Sequence[Operation], only: Any, exclude: Sequence[str]) -> list[Operation]:
    for patterns in (only, exclude):
        if isinstance(patterns, str):
            raise UsageError(f"only= and exclude= take a list, such as [{patterns!r}]")
    if callable(only):
        operations = [one for one in operations if only(one.label, one.id)]
    elif only is not None:
        _check_meant(only, operations)
        operations = [one for one in operations if any(_means(pattern, one) for pattern in only)]
    _check_meant(exclude, operations)
    return [one for one in operations if not any(_means(pattern, one) for pattern in exclude)]


def _check_meant(patterns: Sequence[str], operations: Sequence[Operation]) -> None:
    """Refuse what means no operation: a rule that is not in force is worse than none."""
    for pattern in patterns:
        if not any(_means(pattern, one) for one in operations):
            known = ", ".join(one.id or one.label for one in operations[:20])
            raise UsageError(f"{pattern!r} means none of the operations: {known}")


def _rules(
    operation: Operation, policy: Mapping[str, Any], overrides: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    rules = {"idempotent": operation.method in _SAFE, **policy}
    for pattern, more in overrides.items():
        rules |= more if _means(pattern, operation) else {}
    return rules


def _check_one_service(operations: Sequence[Operation]) -> None:
    """Refuse to send credentials wherever a document may say."""
    origins = {"://".join(urlsplit(operation.url)[:2]) for operation in operations}
    if len(origins) > 1:
        raise UsageError(f"credentials would go to {' and '.join(sorted(origins))}: pass base_url=...")


def _means(pattern: str, operation: Operation) -> bool:
    if pattern in {operation.id, operation.label}:
        return True
    try:
        return bool(re.search(pattern, operation.label) or re.fullmatch(pattern, operation.id))
    except re.error as error:
        raise UsageError(f"{pattern!r} is no regular expression: {error}") from None


def _unique(wanted: str, taken: Mapping[str, Any]) -> str:
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted[:60]}_{number}", number + 1
    return name


def _segment(parameter: Parameter, value: Any) -> str:
    """A value as one segment of a path.

    Raises:
        ToolFailed: It would be another path.
    """
    text = ",".join(_flat(value, explode=parameter.explode))
    if not text or any(part in {".", ".."} for part in re.split(r"[/\\]", text)):
        raise ToolFailed(f"{parameter.name}={text!r} cannot stand in the path of a request")
    return ",".join(quote(part, safe="") for part in text.split(","))


def _query(parameter: Parameter, value: Any) -> list[tuple[str, str]]:
    name, style = parameter.name, parameter.style
    match value:
        case Mapping() if style == "deepObject":
            return [(f"{name}[{key}]", _text(item)) for key, item in value.items()]
        case Mapping() if style != "json" and parameter.explode:
            return [(str(key), _text(item)) for key, item in value.items()]
        case list() if style != "json" and parameter.explode:
            return [(name, _text(item)) for item in value]
        case Mapping() | list() if style != "json":
            return [(name, _JOINTS.get(style, ",").join(_flat(value)))]
        case _:
            return [(name, json.dumps(value) if style == "json" else _text(value))]


def _header(parameter: Parameter, value: Any) -> str:
    text = ",".join(_flat(value, explode=parameter.explode))
    if not (text.isascii() and text.isprintable()):
        raise ToolFailed(f"{parameter.name} must be one line of ASCII text")
    return text


def _body(kind: str, value: Any, headers: dict[str, str]) -> dict[str, Any]:
    if kind == "application/x-www-form-urlencoded" and isinstance(value, Mapping):
        return {
            "data": {key: [*map(_text, item)] if isinstance(item, list) else _text(item) for key, item in value.items()}
        }
    content = json.dumps(value, ensure_ascii=False) if "json" in kind else _text(value)
    return {"content": content.encode(), "headers": {"content-type": kind, **headers}}


def _flat(value: Any, *, explode: bool = False) -> list[str]:
    """A value as the words of it, in OpenAPI's style `simple`."""
    match value:
        case list():
            return [_text(item) for item in value]
        case Mapping() if explode:
            return [f"{key}={_text(item)}" for key, item in value.items()]
        case Mapping():
            return [word for key, item in value.items() for word in (str(key), _text(item))]
        case _:
            return [_text(value)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
