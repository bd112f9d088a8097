"""Tools from an OpenAPI document: what the model sees, what is sent, and what it cannot choose."""

from __future__ import annotations

import json

import httpx2
import pytest

from agentkit import UsageError
from agentkit_tools.openapi import tools_from_openapi

pytestmark = pytest.mark.anyio

CITY = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "port": {"$ref": "#/components/schemas/Port"}},
}
SPEC = {
    "openapi": "3.0.3",
    "servers": [{"url": "https://{region}.api.test/v1/", "variables": {"region": {"default": "sea"}}}],
    "paths": {
        "/ports/{id}": {
            "parameters": [{"$ref": "#/components/parameters/Id"}],
            "get": {
                "operationId": "getPort",
                "summary": "A port by its id.",
                "parameters": [
                    {"name": "lang", "in": "query", "schema": {"type": "string", "enum": ["id", "en"]}},
                    {"name": "tag", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
                    {"name": "X-Trace", "in": "header", "schema": {"type": "string"}},
                    {"name": "Authorization", "in": "header", "required": True, "schema": {"type": "string"}},
                    {"name": "X-Api-Key", "in": "header", "schema": {"type": "string"}},
                    {"name": "session", "in": "cookie", "schema": {"type": "string"}},
                ],
            },
            "delete": {"summary": "Remove a port."},
        },
        "/cities": {
            "post": {
                "operationId": "add city",
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/City"}}},
                },
            }
        },
    },
    "components": {
        "parameters": {"Id": {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}},
        "schemas": {"City": CITY, "Port": {"type": "string", "nullable": True, "example": "Butterworth"}},
    },
}


class Service:
    """A service that remembers what came."""

    def __init__(self, status=200, text='{"ok": true}', **headers):
        self.requests = []
        self.answer = status, text, headers
        self.client = httpx2.AsyncClient(transport=httpx2.MockTransport(self.handle))

    def handle(self, request):
        self.requests.append(request)
        status, text, headers = self.answer
        return httpx2.Response(status, text=text, headers=headers)

    def tools(self, spec=SPEC, **options):
        return {tool.name: tool for tool in tools_from_openapi(spec, http_client=self.client, **options)}


def test_each_operation_is_a_tool_with_all_that_the_document_says():
    """Required flags, enums, the body with its references written out; what is safe is idempotent."""
    tools = Service().tools()
    assert list(tools) == ["getPort", "delete_ports_id", "add_city"]
    port = tools["getPort"].spec
    assert port.description == "A port by its id."
    assert port.parameters["required"] == ["id"]
    assert port.parameters["properties"]["lang"]["enum"] == ["id", "en"]
    assert list(port.parameters["properties"]) == ["id", "lang", "tag", "X-Trace"]
    assert all(schema["description"] for schema in port.parameters["properties"].values())
    body = tools["add_city"].spec.parameters
    assert body["required"] == ["body"]
    assert body["properties"]["body"]["required"] == ["name"]
    assert body["properties"]["body"]["properties"]["port"]["type"] == ["string", "null"]
    assert (tools["getPort"].idempotent, tools["add_city"].idempotent) == (True, False)


async def test_values_go_where_the_document_says():
    """And the caller's headers with them; the status is shown."""
    service = Service()
    tool = service.tools(headers={"Authorization": "Bearer secret"})["getPort"]
    result = await tool.call_json('{"id": "a/b?c#d", "lang": "id", "tag": ["x", "y"], "X-Trace": "t"}')
    [request] = service.requests
    assert str(request.url) == "https://sea.api.test/v1/ports/a%2Fb%3Fc%23d?lang=id&tag=x&tag=y"
    assert request.headers["authorization"] == "Bearer secret"
    assert request.headers["x-trace"] == "t"
    assert result.content == 'HTTP 200 OK\n{"ok": true}'


async def test_a_body_is_checked_and_sent_as_json():
    """What breaks its schema is told to the model, and not sent."""
    service = Service(201, "")
    tool = service.tools()["add_city"]
    assert "name" in (await tool.call_json('{"body": {}}')).content
    assert not service.requests
    assert (await tool.call_json('{"body": {"name": "Ipoh", "port": null}}')).content == "HTTP 201 Created"
    assert json.loads(service.requests[0].content) == {"name": "Ipoh", "port": None}


@pytest.mark.parametrize("value", [".", "..", ""])
async def test_the_model_cannot_leave_the_path(value):
    """A value is one segment."""
    service = Service()
    result = await service.tools()["getPort"].call_json(json.dumps({"id": value}))
    assert result.is_error
    assert not service.requests


async def test_the_model_chooses_neither_host_nor_credentials():
    """Such arguments are refused, redirects are not followed, line breaks do not make a header."""
    service = Service(302, "", location="https://evil.test/")
    tool = service.tools()["getPort"]
    for arguments in ({"host": "evil.test"}, {"Authorization": "x"}, {"X-Api-Key": "x"}, {"session": "x"}):
        assert (await tool.call_json(json.dumps({"id": "1", **arguments}))).is_error
    assert (await tool.call_json('{"id": "1", "X-Trace": "a\\r\\nHost: evil"}')).is_error
    assert not service.requests
    result = await tool.call_json('{"id": "//evil.test"}')
    assert result.is_error
    assert "HTTP 302" in result.content
    assert [request.url.host for request in service.requests] == ["sea.api.test"]


async def test_a_failure_shows_its_status():
    """And what the service says; a connection that fails shows no address."""
    result = await Service(404, "no such port").tools()["getPort"].call_json('{"id": "1"}')
    assert (result.is_error, result.content) == (True, "HTTP 404 Not Found\nno such port")

    def broken(request):
        raise httpx2.ConnectError("secret-host unreachable", request=request)

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(broken))
    [tool] = tools_from_openapi(SPEC, http_client=client, only=["getPort"])
    assert (await tool.call_json('{"id": "1"}')).content == "no answer from the service: ConnectError"


def one(parameters=(), *, path="/x", body=None, **more):
    """A document with one operation, whose tool is `op`."""
    operation = {"operationId": "op", "parameters": list(parameters), **({"requestBody": body} if body else {})}
    return {"openapi": "3.1.0", "servers": [{"url": "https://api.test"}], "paths": {path: {"post": operation}}, **more}


STYLES = {
    "a list": ({}, [1, 2], "?p=1&p=2"),
    "a list in one": ({"explode": False}, [1, 2], "?p=1%2C2"),
    "a list with spaces": ({"style": "spaceDelimited"}, ["a", "b"], "?p=a+b"),
    "a list with pipes": ({"style": "pipeDelimited"}, ["a", "b"], "?p=a%7Cb"),
    "an object": ({}, {"a": 1, "b": True}, "?a=1&b=true"),
    "an object in one": ({"explode": False}, {"a": 1, "b": 2}, "?p=a%2C1%2Cb%2C2"),
    "a deep object": ({"style": "deepObject", "explode": True}, {"a": 1, "b": "x y"}, "?p%5Ba%5D=1&p%5Bb%5D=x+y"),
    "json": ({"content": {"application/json": {"schema": {}}}}, "a", "?p=%22a%22"),
    "a path": ({"in": "path"}, [1, "a/b"], "/1,a%2Fb"),
    "an object in a path": ({"in": "path"}, {"a": 1}, "/a,1"),
    "an exploded object in a path": ({"in": "path", "explode": True}, {"a": 1}, "/a%3D1"),
    "null": ({}, None, ""),
    "a text that looks like more": ({}, "a&b=c#d", "?p=a%26b%3Dc%23d"),
}


@pytest.mark.parametrize("name", STYLES)
async def test_lists_and_objects_are_written_as_the_document_says(name):
    """In a path too, where each value stays one segment."""
    fields, value, end = STYLES[name]
    service = Service()
    path = "/x/{p}" if fields.get("in") == "path" else "/x"
    tool = service.tools(one([{"name": "p", "in": "query", **fields}], path=path))["op"]
    assert not (await tool.call_json(json.dumps({"p": value}))).is_error
    assert str(service.requests[0].url) == f"https://api.test/x{end}"


@pytest.mark.parametrize("value", ["../x", "x/../y", "..\\x", ["..", "x"], "a/."])
async def test_no_value_leads_up_a_path(value):
    """Not even where a server would decode it first; nor do two values together."""
    service = Service()
    tool = service.tools(one([{"name": "p", "in": "path"}], path="/x/{p}"))["op"]
    assert (await tool.call_json(json.dumps({"p": value}))).is_error == (value != ["..", "x"])
    tool = service.tools(one(path="/x/{p}{q}"))["op"]
    assert (await tool.call_json('{"p": ".", "q": "."}')).is_error
    assert all(".." not in request.url.path.split("/") for request in service.requests)


BODIES = {
    "application/vnd.api+json": ({"a": 1}, b'{"a": 1}', "application/vnd.api+json"),
    "*/*": ({"a": 1}, b'{"a": 1}', "application/json"),
    "text/plain": ("Selamat", b"Selamat", "text/plain"),
    "application/x-www-form-urlencoded": ({"a": "b c", "d": [1, 2]}, b"a=b+c&d=1&d=2", None),
}


@pytest.mark.parametrize("kind", BODIES)
async def test_a_body_is_sent_as_its_kind(kind):
    """With the content type of the document; JSON where there is a choice."""
    value, content, sent_kind = BODIES[kind]
    service = Service()
    tool = service.tools(one(body={"content": {"multipart/form-data": {}, kind: {"schema": {}}}}))["op"]
    assert not (await tool.call_json(json.dumps({"body": value}))).is_error
    [request] = service.requests
    assert request.content == content
    assert request.headers["content-type"] == (sent_kind or kind)


async def test_what_the_caller_fixes_is_sent_and_not_shown():
    """Headers, a key in the query that the document knows as one, and any parameter."""
    keys = {"securitySchemes": {"k": {"type": "apiKey", "in": "query", "name": "api_key"}}}
    parameters = [
        {"name": "x-tenant", "in": "header", "required": True},
        {"name": "api_key", "in": "query", "required": True},
        {"name": "region", "in": "query", "required": True},
        {"name": "extra", "in": "query", "schema": {"type": "object"}},
    ]
    service = Service(200, "you sent key-12345678 and Bearer secret-123 to southeast")
    spec = one(parameters, components=keys)
    assert list(service.tools(spec)["op"].spec.parameters["properties"]) == ["x-tenant", "region", "extra"]
    values = {"api_key": "key-12345678", "region": "southeast"}
    tool = service.tools(spec, headers={"X-Tenant": "7", "Authorization": "Bearer secret-123"}, values=values)["op"]
    assert list(tool.spec.parameters["properties"]) == ["extra"]
    assert (await tool.call_json('{"extra": {"api_key": "mine"}}')).is_error
    assert (await tool.call_json('{"extra": {"region": "mine"}}')).is_error
    result = await tool.call_json('{"extra": {"a": 1}}')
    assert result.content == "HTTP 200 OK\nyou sent [hidden] and Bearer [hidden] to southeast"
    [request] = service.requests
    assert str(request.url) == "https://api.test/x?api_key=key-12345678&region=southeast&a=1"
    assert request.headers.get_list("x-tenant") == ["7"]


def test_credentials_go_to_one_service_only():
    """An operation with a server of its own would get them too."""
    spec = {**one(), "paths": {**one()["paths"], "/y": {"get": {"servers": [{"url": "https://evil.test"}]}}}}
    assert len(tools_from_openapi(spec)) == 2
    with pytest.raises(UsageError, match=r"https://api\.test and https://evil\.test"):
        tools_from_openapi(spec, headers={"Authorization": "x"})
    assert len(tools_from_openapi(spec, headers={"Authorization": "x"}, base_url="https://api.test")) == 2


def test_some_operations_have_a_name_and_a_policy_of_their_own():
    """What means none is refused: a rule that is not in force is worse than none."""
    tools = Service().tools(
        exclude=["add city"],
        timeout_s=3,
        overrides={
            "^DELETE ": {"requires_approval": True, "name": "remove_port"},
            "getPort": {"description": "Finds a port.", "idempotent": False, "requires_approval": False},
        },
        requires_approval=True,
    )
    assert list(tools) == ["getPort", "remove_port"]
    assert (tools["remove_port"].requires_approval, tools["getPort"].requires_approval) == (True, False)
    assert (tools["getPort"].spec.description, tools["getPort"].idempotent) == ("Finds a port.", False)
    for choice in ({"only": ["getPorts"]}, {"exclude": ["x"]}, {"overrides": {"deletePort": {}}}):
        with pytest.raises(UsageError, match="means none of the operations: getPort, DELETE"):
            Service().tools(**choice)
    for choice, words in (
        ({"only": ["("]}, "regular"),
        ({"only": "getPort"}, "take a list"),
        ({"values": {"langs": "id"}}, "langs, which no operation takes"),
    ):
        with pytest.raises(UsageError, match=words):
            Service().tools(**choice)
    with pytest.raises(UsageError, match="two operations"):
        Service().tools(overrides={".*": {"name": "same"}})


def test_arguments_have_names_that_every_wire_takes():
    """And each its own."""
    names = ("filter[name]", "$top", "self", "body", "a b", "a_b")
    tool = Service().tools(one([{"name": name, "in": "query"} for name in names]))["op"]
    assert list(tool.spec.parameters["properties"]) == [
        "filter_name_",
        "_top",
        "self",
        "query_body",
        "a_b",
        "query_a_b",
    ]


async def test_a_document_that_goes_round_is_no_trouble():
    """Schemas may point to themselves; only what is needed of the others is kept."""
    schemas = {
        "Node": {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}}},
        "Other": {"type": "string"},
    }
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Node"}}}}
    service = Service()
    tool = service.tools(one(body=body, components={"schemas": schemas}))["op"]
    assert list(tool.spec.parameters["$defs"]) == ["Node"]
    assert not (await tool.call_json('{"body": {"next": {"next": {}}}}')).is_error
    assert (await tool.call_json('{"body": {"next": {"next": 1}}}')).is_error


async def test_what_is_no_text_is_only_counted():
    """A model makes nothing of it."""
    result = await Service(200, "a\0b").tools(one())["op"].call_json("{}")
    assert result.content == "HTTP 200 OK\n(3 bytes that are no text)"


def test_operations_are_chosen_and_given_a_policy():
    """By patterns or by a function."""
    assert list(Service().tools(only=[r"^GET "])) == ["getPort"]
    assert list(Service().tools(only=lambda label, name: name == "add city")) == ["add_city"]
    assert Service().tools(requires_approval=True)["getPort"].requires_approval is True
    assert list(Service().tools(json.dumps(SPEC))) == ["getPort", "delete_ports_id", "add_city"]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("openapi: 3.0.0", r"yaml\.safe_load"),
        ("https://api.test/openapi.json", "fetch it"),
        ({"swagger": "2.0", "host": "x", "paths": {}}, "only OpenAPI 3 is read, this is 2.0"),
        (one(path="@evil.test/x"), "begin with a slash"),
        (one(path="/x/../y"), "lead down"),
        (one(servers=[{"url": "https://x.test?a=b"}]), "base_url"),
        (one(body={"content": {"multipart/form-data": {}}}), "POST /x: a body of multipart/form-data is not supported"),
        (one([{"name": "p", "in": "path", "style": "matrix"}], path="/{p}"), "'matrix' of 'p' is not supported"),
        (one(body={"content": {"application/json": {"schema": {"$ref": "other.json#/X"}}}}), "not in it"),
        (one([{"$ref": "#/a"}], a={"$ref": "#/b"}, b={"$ref": "#/a"}), "not in it"),
        ({}, "no paths"),
        ({"openapi": "2.0", "paths": {}}, "only OpenAPI 3"),
        ({"paths": {"/x": {"get": {}}}}, "base_url"),
        ({"servers": [{"url": "/v1"}], "paths": {"/x": {"get": {}}}}, "base_url"),
        ({"paths": {"/x": {"$ref": "#/nowhere"}}}, "which is not in it"),
    ],
)
def test_what_is_no_document_is_refused(spec, words):
    """With what to do."""
    with pytest.raises(UsageError, match=words):
        tools_from_openapi(spec)
