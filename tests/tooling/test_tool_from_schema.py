"""Tools whose arguments a JSON Schema describes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentkit.errors import UsageError
from agentkit.tooling.context import ToolContext
from agentkit.tooling.tool import Tool

pytestmark = pytest.mark.anyio

SCHEMA = {
    "title": "Search",
    "type": "object",
    "properties": {
        "query": {"$ref": "#/$defs/text"},
        "limit": {"type": "integer", "minimum": 1, "maximum": 10},
        "mode": {"enum": ["fast", "slow"]},
    },
    "required": ["query"],
    "additionalProperties": False,
    "$defs": {"text": {"type": "string", "minLength": 1}},
}


def show(**arguments: Any) -> Any:
    return arguments


def made(schema: dict[str, Any] = SCHEMA, function: Any = show, **policy: Any) -> Tool[..., Any]:
    return Tool.from_schema("search", "Search.", schema, function, **policy)


async def test_arguments_arrive_as_keywords():
    """Plain JSON values, once they fit."""
    called = await made().call_json('{"query": "x", "limit": 3}')
    assert called.value == {"query": "x", "limit": 3}
    assert not called.repaired


async def test_arguments_that_do_not_fit_are_told():
    """One line a problem, from the schema."""
    called = await made().call_json('{"limit": 11, "mode": "quick", "x": 1}')
    assert called.outcome == "invalid"
    for name in ("query", "limit", "mode", "x"):
        assert name in called.content


async def test_damaged_arguments_are_repaired():
    """As for any tool."""
    called = await made().call_json("{'query': 'x', 'limit': '3',}")
    assert called.value == {"query": "x", "limit": 3}
    assert called.repaired


@pytest.mark.parametrize(
    ("sent", "arrives"),
    [('{"query": "x", "limit": 3.0}', {"query": "x", "limit": 3}), (r'{"query": "\ud800"}', {"query": "\ufffd"})],
)
async def test_values_arrive_as_functions_of_python_want_them(sent, arrives):
    """An integer is an int, however it was written, and every text can be sent on."""
    called = await made().call_json(sent)
    assert called.value == arrives
    assert type(arrives.get("limit")) is type(called.value.get("limit"))
    assert called.repaired


@pytest.mark.parametrize("number", ["1e400", "9007199254740993.0"])
async def test_a_number_that_python_cannot_hold_is_refused(number):
    """It would become another one."""
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    assert (await made(schema).call_json(f'{{"n": {number}}}')).outcome == "invalid"


def test_the_schema_is_cleaned():
    """No titles, no needless references; the user's own is not touched."""
    before = json.dumps(SCHEMA)
    parameters = made().spec.parameters
    assert "$defs" not in parameters
    assert "title" not in parameters
    assert parameters["properties"]["query"] == {"type": "string", "minLength": 1}
    assert json.dumps(SCHEMA) == before


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "objekt"},
        {"type": "object", "properties": []},
        {"type": "object", "required": "query"},
        {"type": "array", "items": {}},
        {"type": "string"},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/missing"}}},
        {"type": "object", "properties": {"a": {"$ref": "https://example.org/schema.json"}}},
        {"type": "object", "properties": {"a": {"minimum": "x"}}},
        "no schema",
        None,
    ],
    ids=str,
)
def test_a_bad_schema_is_refused_where_it_is_given(schema):
    """The message names the tool; nothing is ever fetched."""
    with pytest.raises(UsageError, match="'search'"):
        made(schema)


@pytest.mark.parametrize(
    "schema", [{}, {"type": "object"}, {"properties": {}}, {"$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}}]
)
async def test_a_schema_without_a_type_is_of_an_object(schema):
    """Arguments have names in any case."""
    tool_ = made(schema)
    assert tool_.spec.parameters["type"] == "object"
    assert tool_.spec.parameters["properties"] == {}
    assert (await tool_.call_json('{"anything": 1}')).value == {"anything": 1}


async def test_a_recursive_schema_is_checked():
    """Through its references."""
    schema = {
        "type": "object",
        "properties": {"tree": {"$ref": "#/$defs/tree"}},
        "$defs": {
            "tree": {
                "type": "object",
                "properties": {"kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
                "additionalProperties": False,
            }
        },
    }
    assert not (await made(schema).call_json('{"tree": {"kids": [{"kids": []}]}}')).is_error
    assert (await made(schema).call_json('{"tree": {"kids": [{"kinds": []}]}}')).outcome == "invalid"


async def test_a_context_is_injected():
    """Where the function asks for it."""

    async def search(query: str, ctx: ToolContext) -> str:
        return f"{query} {ctx.deps}"

    schema = {"type": "object", "properties": {"query": {"type": "string"}}, "additionalProperties": False}
    assert str(await made(schema, search).call_json('{"query": "x"}', deps=7)) == "x 7"
    open_schema = {"type": "object", "properties": {"query": {"type": "string"}}}
    assert (await made(open_schema, search).call_json('{"query": "x", "ctx": 1}', deps=7)).content == "x 7"


async def test_policies_apply():
    """The same as for any tool."""

    async def search(**arguments: Any) -> str:
        return "x" * 200

    tool_ = made(function=search, max_output_chars=50, examples=[("Find x.", {"query": "x"})])
    assert len((await tool_.call_json('{"query": "x"}')).content) <= 50
    assert tool_.spec.examples[0][0] == "Find x."
    with pytest.raises(UsageError):
        made(timeout_s=-1)
    with pytest.raises(UsageError):
        Tool.from_schema("no name", "", SCHEMA, show)
