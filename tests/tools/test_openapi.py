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


def test_operations_are_chosen_and_given_a_policy():
    """By patterns or by a function."""
    assert list(Service().tools(only=[r"^GET "])) == ["getPort"]
    assert list(Service().tools(only=lambda label, name: name == "add city")) == ["add_city"]
    assert Service().tools(requires_approval=True)["getPort"].requires_approval is True
    assert list(Service().tools(json.dumps(SPEC))) == ["getPort", "delete_ports_id", "add_city"]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("openapi: 3.0.0", "no JSON"),
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
