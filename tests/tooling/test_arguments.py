"""Arguments as models send them: read, mended where that needs no guess, or refused in words for the model."""

from __future__ import annotations

import datetime as dt
import enum
import json
from decimal import Decimal
from ipaddress import IPv4Address
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import jsonschema
import pytest
from core.schemas import arguments, tool_schemas
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import PydanticCustomError

from agentkit.core.json_schema import clean
from agentkit.errors import AgentkitError
from agentkit.tooling.arguments import (
    CUT_OFF,
    INCOMPLETE,
    InvalidArguments,
    explain_jsonschema,
    explain_pydantic,
    parse_arguments,
    read_arguments,
    resolve_name,
    unknown_tool,
)


def parameters(*required, **properties) -> dict[str, Any]:
    """The schema of a tool's arguments, closed."""
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": list(required)} if required else schema


INTEGER, STRING = {"type": "integer"}, {"type": "string"}
ADD = parameters("a", "b", a=INTEGER, b=INTEGER)
NOTE = parameters("text", text=STRING, tags={"type": "array", "items": STRING})
NOTHING = parameters()
MANY: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": True}


# --- From the wire to a dict ------------------------------------------------------------------------------------------

READ = {
    "as it should be": (ADD, '{"a": 1, "b": 2}', {"a": 1, "b": 2}),
    "an object": (ADD, {"a": 1, "b": 2}, {"a": 1, "b": 2}),
    "bytes": (ADD, b'{"a": 1, "b": 2}', {"a": 1, "b": 2}),
    "nothing": (NOTHING, "", {}),
    "None": (NOTHING, None, {}),
    "blanks": (NOTHING, " \n", {}),
    "null": (NOTHING, "null", {}),
    "null in quotes": (NOTHING, '"null"', {}),
    "empty text in quotes": (NOTHING, '""', {}),
    "empty object, empty text": (NOTHING, '{}""', {}),
    "an empty fence": (NOTHING, "```json\n```", {}),
    "encoded twice": (ADD, '"{\\"a\\": 1, \\"b\\": 2}"', {"a": 1, "b": 2}),
    "encoded twice, damaged": (ADD, "\"{'a': 1, 'b': 2,}\"", {"a": 1, "b": 2}),
    "fenced": (ADD, '```json\n{"a": 1, "b": 2}\n```', {"a": 1, "b": 2}),
    "trailing comma": (ADD, '{"a": 1, "b": 2,}', {"a": 1, "b": 2}),
    "single quotes": (ADD, "{'a': 1, 'b': 2}", {"a": 1, "b": 2}),
    "Python literals": (MANY, "{'a': True, 'b': None}", {"a": True, "b": None}),
    "raw newline": (NOTE, '{"text": "one\ntwo"}', {"text": "one\ntwo"}),
    "closing tag": (ADD, '{"a": 1, "b": 2}</tool_call>', {"a": 1, "b": 2}),
    "stop token": (ADD, '{"a": 1, "b": 2}<|im_end|>', {"a": 1, "b": 2}),
    "empty object before it": (ADD, '{}{"a": 1, "b": 2}', {"a": 1, "b": 2}),
    "the same twice": (ADD, '{"a": 1, "b": 2}{"a": 1, "b": 2}', {"a": 1, "b": 2}),
    "brace missing": (NOTE, '{"text": "x"', {"text": "x"}),
    "brace too many": (NOTE, '{"text": "x"}}', {"text": "x"}),
    # wrappers
    "in the tool's name": (ADD, '{"add": {"a": 1, "b": 2}}', {"a": 1, "b": 2}),
    "in arguments": (ADD, '{"arguments": {"a": 1, "b": 2}}', {"a": 1, "b": 2}),
    "in arguments as text": (ADD, '{"arguments": "{\\"a\\": 1, \\"b\\": 2}"}', {"a": 1, "b": 2}),
    "the call": (ADD, '{"name": "add", "arguments": {"a": 1, "b": 2}}', {"a": 1, "b": 2}),
    "the call, with parameters": (ADD, '{"parameters": {"a": 1, "b": 2}, "name": "add"}', {"a": 1, "b": 2}),
    "the call, as text": (ADD, '{"name": "add", "arguments": "{\\"a\\": 1, \\"b\\": 2}"}', {"a": 1, "b": 2}),
    "the call, OpenAI's": (
        ADD,
        '{"id": "1", "type": "function", "function": {"name": "add", "arguments": {"a": 1, "b": 2}}}',
        {"a": 1, "b": 2},
    ),
    "the call, without arguments": (NOTHING, '{"name": "now", "arguments": null}', {}),
    "a name in an envelope": (
        parameters("name", name=STRING),
        '{"name": "greet", "arguments": {"name": "Bo"}}',
        {"name": "Bo"},
    ),
    "the only parameter's members": (
        parameters("at", at=parameters("x", x=INTEGER, y=INTEGER)),
        '{"x": 1}',
        {"at": {"x": 1}},
    ),
    # values that say the same
    "numeric text": (ADD, '{"a": "1", "b": "-2"}', {"a": 1, "b": -2}),
    "a float that is whole": (ADD, '{"a": 1.0, "b": 2}', {"a": 1, "b": 2}),
    "number as text": (parameters(x={"type": "number"}), '{"x": "1.5"}', {"x": 1.5}),
    "boolean as text": (parameters(x={"type": "boolean"}), '{"x": "True"}', {"x": True}),
    "null as text": (parameters(x={"anyOf": [INTEGER, {"type": "null"}]}), '{"x": "null"}', {"x": None}),
    "array as text": (NOTE, '{"text": "x", "tags": "[\\"a\\"]"}', {"text": "x", "tags": ["a"]}),
    "array as Python text": (NOTE, '{"text": "x", "tags": "[\'a\']"}', {"text": "x", "tags": ["a"]}),
    "object as text": (parameters(x=ADD), {"x": '{"a": "1", "b": 2}'}, {"x": {"a": 1, "b": 2}}),
    "enum of numbers as text": (parameters(x={"enum": [1, 2]}), '{"x": "2"}', {"x": 2}),
    "enum of texts as a number": (parameters(x={"enum": ["1", "2"]}), '{"x": 2}', {"x": "2"}),
    "enum of texts as a fraction": (parameters(x={"enum": ["3.9", "3.10"]}), '{"x": 3.10}', {"x": "3.10"}),
    "enum of texts as a boolean": (parameters(x={"enum": ["True", "False", "auto"]}), '{"x": false}', {"x": "False"}),
    "a literal as a number": (parameters(x={"anyOf": [{"const": "4"}, {"type": "null"}]}), '{"x": 4}', {"x": "4"}),
    "text as a number": (NOTE, '{"text": 0, "tags": [-7, "a"]}', {"text": "0", "tags": ["-7", "a"]}),
    "text or texts as a number": (
        parameters(x={"anyOf": [STRING, {"type": "array", "items": STRING}]}),
        {"x": 12345678901234567890},
        {"x": "12345678901234567890"},
    ),
    "deep inside": (
        parameters(x={"type": "array", "items": parameters(n={"anyOf": [INTEGER, {"type": "null"}]})}),
        '{"x": [{"n": "3"}, {"n": null}]}',
        {"x": [{"n": 3}, {"n": None}]},
    ),
}


@pytest.mark.parametrize(("schema", "raw", "value"), READ.values(), ids=READ)
def test_arguments_are_read(schema, raw, value):
    """What servers really send becomes a plain dict, and JSON text of it, without another round trip."""
    read = read_arguments(raw, schema)
    assert read.arguments == value
    assert json.loads(read.text) == value
    assert json.dumps(read.arguments, sort_keys=True) == json.dumps(value, sort_keys=True), "types included"
    assert parse_arguments(raw, schema) == value
    name = next((name for name in ("now", "greet") if name in str(raw)), "add")
    assert parse_arguments(raw, schema, name=name) == value


@pytest.mark.parametrize("digits", ["0x1f", "1_000", "+5"])
def test_digits_that_json_does_not_know_are_no_text(digits):
    """Text is never made from a number that was written in another way."""
    assert parse_arguments(f'{{"a": {digits}, "b": 2}}', ADD)["a"] == int(digits, 0)
    assert parse_arguments(f'{{"text": {digits}}}', NOTE) == {"text": int(digits, 0)}


def test_repaired_means_anything_but_json_text():
    """Only the text of this very JSON object counts as whole; its text is handed on as it was."""
    text = ' {"a": 1,  "b": 2}\n'
    assert read_arguments(text, ADD).text is text
    assert not read_arguments(text, ADD).repaired
    for name, (schema, raw, _) in READ.items():
        assert read_arguments(raw, schema).repaired == (name not in ("as it should be", "bytes"))


VERBATIM = [
    '{"text": "{\\"a\\": 1}"}',
    '{"text": "[1, 2]"}',
    '{"text": "3"}',
    '{"text": "null"}',
    '{"text": "True"}',
    '{"text": ""}',
    '{"text": " what\'s } ```json up? "}',
    '{"text": "caf\\u00e9 \\\\n"}',
]


@pytest.mark.parametrize("raw", VERBATIM)
def test_a_string_parameter_is_never_touched(raw):
    """Text in a parameter that may be text stays as it is, whatever it looks like."""
    assert parse_arguments(raw, NOTE) == json.loads(raw)
    either = parameters(text={"anyOf": [INTEGER, {"type": "array"}, {"type": "null"}, STRING]})
    assert parse_arguments(raw, either) == json.loads(raw)
    assert parse_arguments(raw, parameters(text={})) == json.loads(raw)
    assert not read_arguments(raw, either).repaired


UNTOUCHED = {
    "a word for an integer": (ADD, {"a": "many", "b": "2 apples"}),
    "a fraction for an integer": (ADD, {"a": "1.5", "b": 1.5}),
    "leading zeros": (ADD, {"a": "007", "b": "1_000"}),
    "an empty text": (ADD, {"a": "", "b": " "}),
    "infinity": (parameters(x={"type": "number"}), {"x": "Infinity"}),
    "overflow": (parameters(x={"type": "number"}), {"x": "1e999"}),
    "a boolean for text": (NOTE, {"text": True}),
    "a fraction for text": (NOTE, {"text": 3.10}),
    "null for text": (NOTE, {"text": None}),
    "a number for a date": (parameters(x={"type": "string", "format": "date"}), {"x": 20240131}),
    "a number for text or a fraction": (parameters(x={"enum": [0.5, "auto"]}), {"x": 7}),
    "a number that no word says": (parameters(x={"enum": ["02", "3"]}), {"x": 2}),
    "a number that two words say": (parameters(x={"enum": ["3.1", "3.10"]}), {"x": 3.1}),
    "a boolean that two words say": (parameters(x={"enum": ["true", "True"]}), {"x": True}),
    "a number for a boolean's word": (parameters(x={"enum": ["true", "false"]}), {"x": 1}),
    "one for many": (NOTE, {"text": "x", "tags": "a"}),
    "many for one": (ADD, {"a": [1], "b": 2}),
    "an array for an object": (parameters(x={"type": "object"}), {"x": "[1]"}),
    "a number for a boolean": (parameters(x={"type": "boolean"}), {"x": 1}),
    "a word for a boolean": (parameters(x={"type": "boolean"}), {"x": "yes"}),
    "a number that is no choice": (parameters(x={"enum": [1, 2]}), {"x": "7"}),
    "a cut text": (parameters(x={"type": "array"}), {"x": "[1, 2"}),
}


@pytest.mark.parametrize(("schema", "value"), UNTOUCHED.values(), ids=UNTOUCHED)
def test_what_says_something_else_is_left_for_the_validator(schema, value):
    """A value is converted only where that means the same."""
    assert parse_arguments(json.dumps(value), schema) == value


NOT_WRAPPED = {
    "a declared parameter": (parameters(add={"type": "object"}), {"add": {"a": 1}}, "add"),
    "a free dict": (MANY, {"add": {"a": 1}}, "add"),
    "no object": (ADD, {"add": [1, 2]}, "add"),
    "another name": (ADD, {"sub": {"a": 1, "b": 2}}, "add"),
    "another name's call": (ADD, {"name": "sub", "arguments": {"a": 1, "b": 2}}, "add"),
    "an unknown name around other things": (ADD, {"filter": {"a": 1, "z": 2}}, None),
    "an unknown name around too little": (ADD, {"filter": {"a": 1}}, None),
    "parameters of these names": (
        parameters(name=STRING, arguments={"type": "object"}),
        {"name": "add", "arguments": {"a": 1}},
        "add",
    ),
    "more beside it": (ADD, {"add": {"a": 1, "b": 2}, "c": 3}, "add"),
    "already valid": (parameters(a=INTEGER, input={"type": "object"}), {"input": {"a": 1}}, "add"),
}


@pytest.mark.parametrize(("schema", "value", "name"), NOT_WRAPPED.values(), ids=NOT_WRAPPED)
def test_only_a_wrapper_is_unwrapped(schema, value, name):
    """What may be meant as it stands is not taken apart."""
    assert parse_arguments(json.dumps(value), schema, name=name) == value


def test_a_known_name_is_known_in_every_form():
    """With the tool's name at hand, its wrapper is known even when what it holds does not fit."""
    assert parse_arguments('{"functions.add": {"a": 1, "z": 2}}', ADD, name="add") == {"a": 1, "z": 2}
    assert parse_arguments('{"Add": null}', NOTHING, name="add") == {}
    assert parse_arguments('{"name": "add", "arguments": {"z": 2}}', ADD, name="add") == {"z": 2}


REFUSED = {
    "an array": ("[1, 2]", "expected an object of arguments, got an array"),
    "a list": ([1, 2], "expected an object of arguments, got an array"),
    "a string": ('"foo"', "expected an object of arguments, got a string"),
    "prose": ("I would rather not", "expected an object of arguments, got a string"),
    "a number": ("3", "expected an object of arguments, got an integer"),
    "a plain number": (3.5, "expected an object of arguments, got a number"),
    "a boolean": (True, "expected an object of arguments, got a boolean"),
    "an array in a string": ('"[1]"', "expected an object of arguments, got an array"),
    "no JSON": ({1, 2}, "expected an object of arguments, got something that is no JSON"),
    "no JSON inside": ({"a": {1, 2}}, "expected an object of arguments, got something that is no JSON"),
    "NaN": ('{"a": NaN}', "the arguments are not valid JSON: not a finite number at character 6"),
    "NaN in an object": ({"a": float("nan")}, "the arguments are not valid JSON: not a finite number"),
    "infinity": ('{"a": 1e999}', "the arguments are not valid JSON: too large a number"),
    "two objects": ('{"a": 1}{"a": 2}', "two different values stand in a row"),
    "damage": ('{"a": 1 "b": 2}', 'the arguments are not valid JSON: expected "," or "}" at character 8'),
    "too deep": ('{"a":' * 1000 + "1" + "}" * 1000, "nested deeper than 200 levels"),
    "cut in a text": ('{"text": "rm -rf /', INCOMPLETE),
    "cut in a number": ('{"a": 1, "b": 2', INCOMPLETE),
    "cut in an object": ('{"a": {"b": {"c": 1}', INCOMPLETE),
    "cut in a string": ('"{\\"a\\": 1, \\"b', INCOMPLETE),
    "cut inside a string": ('"{\\"a\\": 1, \\"b"', INCOMPLETE),
}


@pytest.mark.parametrize(("raw", "text"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_object_of_arguments_is_refused(raw, text):
    """What would need a guess is refused, in one line that says what came."""
    for truncated in (False, True):
        with pytest.raises(InvalidArguments) as caught:
            parse_arguments(raw, ADD, truncated=truncated)
        assert text in str(caught.value) or (truncated and str(caught.value) == CUT_OFF)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 200
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, AgentkitError)


@pytest.mark.parametrize(
    "raw", ["", "{", '{"a": 1, "b": 2', '{"a": "x"', '{"a": 1,}', "null", '{}{"a', '"{\\"a\\": 1}"']
)
def test_what_the_token_limit_cut_off_never_runs(raw):
    """When the answer was cut off here, only a whole JSON object counts; the model is told to be shorter."""
    with pytest.raises(InvalidArguments) as caught:
        parse_arguments(raw, MANY, truncated=True)
    assert str(caught.value) == CUT_OFF
    assert "token limit" in CUT_OFF
    assert parse_arguments('{"a": 1}', MANY, truncated=True) == {"a": 1}


def test_problems_are_lines():
    """The text for the model is one line a problem."""
    error = InvalidArguments(["a: missing (integer)", "b: missing (string)"])
    assert error.problems == ("a: missing (integer)", "b: missing (string)")
    assert str(error) == "a: missing (integer)\nb: missing (string)"
    assert InvalidArguments("one").problems == ("one",)


def test_lone_surrogates_cannot_break_a_wire():
    """Whatever was read can be encoded."""
    for raw in ('{"text": "\\ud83d"}', {"text": "\ud83d"}, b'{"text": "\xff"}'):
        read = read_arguments(raw, NOTE)
        read.text.encode()
        json.dumps(read.arguments, ensure_ascii=False).encode()
        assert read.arguments == {"text": "\ufffd"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
anything = (
    json_values
    | st.binary()
    | json_values.map(repr)
    | json_values.map(json.dumps)
    | json_values.map(lambda value: json.dumps(value)[:-1])
    | json_values.map(lambda value: json.dumps(json.dumps({"a": value})))
    | st.dictionaries(st.sampled_from(["a", "b", "add", "name", "arguments", "x"]), json_values, max_size=3)
)


@given(anything, st.sampled_from([None, "add"]), st.booleans())
@settings(deadline=None, max_examples=800)
def test_anything_is_read_or_refused(raw, name, truncated):
    """Whatever comes: a plain dict that can be encoded, or our own error."""
    nested = parameters("a", a={"anyOf": [INTEGER, {"type": "array", "items": INTEGER}, {"type": "null"}]}, x=ADD)
    for schema in (ADD, NOTHING, MANY, nested):
        try:
            read = read_arguments(raw, schema, name=name, truncated=truncated)
        except InvalidArguments as error:
            assert str(error)
            continue
        assert type(read.arguments) is dict
        assert json.loads(read.text) == read.arguments
        json.dumps(read.arguments, ensure_ascii=False, allow_nan=False).encode()


@given(st.data(), tool_schemas())
@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_valid_arguments_are_never_changed(data, schema):
    """What fits its schema comes out as it went in, unrepaired, whatever the schema and the tool's name."""
    value = data.draw(arguments(schema))
    for name in (None, "a", "f"):
        read = read_arguments(json.dumps(value), schema, name=name)
        assert read.arguments == value
        assert not read.repaired


# --- Names ------------------------------------------------------------------------------------------------------------

OFFERED = ["add", "get_weather", "List-Files", "server.search"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("add", "add"),
        ("Add", "add"),
        ("ADD", "add"),
        (" add ", "add"),
        ("`add`", "add"),
        ('"add"', "add"),
        ("add()", "add"),
        ("functions.add", "add"),
        ("functions.add:0", "add"),
        ("tools.add", "add"),
        ("default_api.add", "add"),
        ("functions.functions.add", "add"),
        ("add<|channel|>commentary", "add"),
        ("add<|constrain|>json", "add"),
        ("to=functions.add", "add"),
        ("commentary to=functions.add", "add"),
        ("Functions.Add<|channel|>commentary", "add"),
        ("getWeather", "get_weather"),
        ("get-weather", "get_weather"),
        ("get weather", "get_weather"),
        ("list_files", "List-Files"),
        ("server.search", "server.search"),
        ("server_search", "server.search"),
        ("functions.server.search", "server.search"),
        ("sum", None),
        ("ad", None),
        ("addd", None),
        ("add_numbers", None),
        ("other.add", None),
        ("", None),
        (" ", None),
        ("<|channel|>add", None),
        ("add" * 1000, None),
    ],
)
def test_a_name_is_resolved_if_exactly_one_tool_fits(name, meant):
    """Case, blanks, prefixes, markers and separators do not count; similarity does not suffice."""
    assert resolve_name(name, OFFERED) == meant


def test_an_ambiguous_name_is_unknown():
    """Of two tools that fit in the same way none is chosen; an exact one is."""
    assert resolve_name("ADD", ["add", "Add"]) is None
    assert resolve_name("Add", ["add", "Add"]) == "Add"
    assert resolve_name("get-weather", ["get_weather", "getWeather"]) is None
    assert resolve_name("tools.add", ["add", "functions.add"]) is None
    assert resolve_name("add", []) is None


def test_what_the_model_is_told_about_an_unknown_tool():
    """The name, the nearest one, and what is offered."""
    assert unknown_tool("sum", ["add", "opt"]) == 'unknown tool "sum"; did you mean "add"? offered: add, opt'
    assert unknown_tool("option", ["add", "opt"]).startswith('unknown tool "option"; did you mean "opt"?')
    assert unknown_tool("sum", []) == 'unknown tool "sum"; no tools are offered'
    many = [f"tool_{number}" for number in range(100)]
    text = unknown_tool("tool_77x\n" * 1000, many)
    assert 'did you mean "tool_77"' in text
    assert text.endswith(", tool_29, and 70 more")
    assert "\n" not in text
    assert len(text) < 500


# --- What the model is told -------------------------------------------------------------------------------------------


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


class Cat(BaseModel):
    kind: Literal["cat"]
    age: int = 3


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str
    tags: list[str] = []


class Item(BaseModel):
    price: float
    count: int = Field(1, ge=1)


class Node(BaseModel):
    value: int
    next: Node | None = None


class Pair(NamedTuple):
    first: int
    second: str


def unlucky(value):
    if value == 13:
        raise ValueError("13 is unlucky\nand so are you")
    if value == 14:
        raise AssertionError("14 is 13 + 1")
    if value == 15:
        raise PydanticCustomError("odd", "{value} is odd", {"value": value})
    return value


def validated(value, **fields):
    """What pydantic and jsonschema say of the value: the lines of each."""
    fields = {name: field if isinstance(field, tuple) else (field, ...) for name, field in fields.items()}
    model = create_model("f_args", __config__=ConfigDict(extra="forbid"), **fields)
    schema = clean(model.model_json_schema())
    with pytest.raises(ValidationError) as caught:
        model.model_validate_json(json.dumps(value))
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    return explain_pydantic(caught.value, schema), explain_jsonschema(validator.iter_errors(value), schema)


BOTH = {
    "wrong type": ({"limit": "many"}, {"limit": int}, ['limit: expected an integer, got "many"']),
    "missing": ({}, {"b": int}, ["b: missing (integer)"]),
    "missing choice": ({}, {"b": Color}, ['b: missing (one of "red", "green")']),
    "missing union": ({}, {"b": int | list[int]}, ["b: missing (integer or an array)"]),
    "missing anything": ({}, {"b": Any}, ["b: missing (any value)"]),
    "enum": ({"colour": "blue"}, {"colour": Color}, ['colour: expected one of "red", "green", got "blue"']),
    "literal": ({"v": "x"}, {"v": Literal["a", 1]}, ['v: expected one of 1, "a", got "x"']),
    "one literal": ({"v": "x"}, {"v": Literal["a"]}, ['v: expected "a", got "x"']),
    "deep": (
        {"items": [{"price": 1}, {"price": 2}, {"price": None}]},
        {"items": list[Item]},
        ["items[2].price: expected a number, got null"],
    ),
    "deep missing": ({"items": [{}]}, {"items": list[Item]}, ["items[0].price: missing (number)"]),
    "unknown parameter": ({"extra": 1}, {"a": (int, 1), "b": (int, 1)}, ["extra: unknown parameter (offered: a, b)"]),
    "similar parameter": (
        {"lmit": 1},
        {"limit": (int, 1), "query": (str, "")},
        ['lmit: unknown parameter, did you mean "limit"? (offered: limit, query)'],
    ),
    "no parameters": ({"a": 1}, {}, ["a: unknown parameter (none is offered)"]),
    "odd parameter": ({"a b\n": 1}, {"a": (int, 1)}, ['["a b\\n"]: unknown parameter (offered: a)']),
    "minimum": ({"n": 0}, {"n": Annotated[int, Field(ge=1)]}, ["n: must be >= 1, got 0"]),
    "exclusive": ({"n": 1.5}, {"n": Annotated[float, Field(lt=1.5)]}, ["n: must be < 1.5, got 1.5"]),
    "multiple": ({"n": 3}, {"n": Annotated[int, Field(multiple_of=2)]}, ["n: must be a multiple of 2, got 3"]),
    "short": ({"s": "a"}, {"s": Annotated[str, Field(min_length=3)]}, ['s: must have at least 3 characters, got "a"']),
    "empty": ({"s": ""}, {"s": Annotated[str, Field(min_length=1)]}, ['s: must have at least 1 character, got ""']),
    "pattern": ({"s": "b"}, {"s": Annotated[str, Field(pattern="^a")]}, ['s: must match the pattern ^a, got "b"']),
    "too many": (
        {"s": [1, 2]},
        {"s": Annotated[list[int], Field(max_length=1)]},
        ["s: must have at most 1 item, got [1, 2]"],
    ),
    "optional": ({"v": "x"}, {"v": (int | None, None)}, ['v: expected an integer, got "x"']),
    "null": ({"v": None}, {"v": int}, ["v: expected an integer, got null"]),
    "union": ({"v": "x"}, {"v": int | list[int]}, ['v: expected an integer or an array, got "x"']),
    "union, branch seen": ({"v": [1, "x"]}, {"v": int | list[int]}, ['v[1]: expected an integer, got "x"']),
    "union, object seen": (
        {"v": {"kind": "cat", "age": "x"}},
        {"v": str | Cat},
        ['v.age: expected an integer, got "x"'],
    ),
    "union in a list": ({"v": [None]}, {"v": list[int | str]}, ["v[0]: expected an integer or a string, got null"]),
    "union, wrong tag": ({"v": {"kind": "cow"}}, {"v": Cat | Dog}, ['v.kind: expected one of "cat", "dog", got "cow"']),
    "union, tag seen": ({"v": {"kind": "dog"}}, {"v": Cat | Dog}, ["v.name: missing (string)"]),
    "tagged union": (
        {"v": {"kind": "dog"}},
        {"v": Annotated[Cat | Dog, Field(discriminator="kind")]},
        ["v.name: missing (string)"],
    ),
    "tagged union, wrong tag": (
        {"v": {"kind": "cow"}},
        {"v": Annotated[Cat | Dog, Field(discriminator="kind")]},
        ['v.kind: expected one of "cat", "dog", got "cow"'],
    ),
    "union of containers": (
        {"v": {"k": {"price": "x"}}},
        {"v": dict[str, Item] | list[Item]},
        ['v.k.price: expected a number, got "x"'],
    ),
    "dict": ({"v": {"a b": "x"}}, {"v": dict[str, int]}, ['v["a b"]: expected an integer, got "x"']),
    "recursive": (
        {"v": {"value": 1, "next": {"value": 2, "next": {"value": "x"}}}},
        {"v": Node},
        ['v.next.next.value: expected an integer, got "x"'],
    ),
    "tuple": ({"v": [1, 2]}, {"v": Pair}, ["v[1]: expected a string, got 2"]),
    "date": ({"v": "soon"}, {"v": dt.date}, ['v: expected a date (YYYY-MM-DD), got "soon"']),
    "uuid": ({"v": "x"}, {"v": UUID}, ['v: expected a UUID, got "x"']),
    "clipped": (
        {"v": "x" * 1000},
        {"v": int},
        [f'v: expected an integer, got "{"x" * 57}..."'],
    ),
    "lines": ({"v": "a\nb"}, {"v": int}, ['v: expected an integer, got "a\\nb"']),
    "object for text": ({"v": {"a": [1]}}, {"v": str}, ['v: expected a string, got {"a": [1]}']),
    "several": ({"b": "x"}, {"a": int, "b": int}, ["a: missing (integer)", 'b: expected an integer, got "x"']),
}


@pytest.mark.parametrize(("value", "fields", "lines"), BOTH.values(), ids=BOTH)
def test_the_model_is_told_in_one_line_a_problem(value, fields, lines):
    """Whichever validator found it: the place, what was expected, what came; short and without jargon."""
    by_pydantic, by_jsonschema = validated(value, **fields)
    assert sorted(by_pydantic) == sorted(lines)
    assert sorted(by_jsonschema) == sorted(lines)


PYDANTIC_ONLY = {
    "validator": ({"v": 13}, {"v": Annotated[int, AfterValidator(unlucky)]}, "v: 13 is unlucky and so are you"),
    "assertion": ({"v": 14}, {"v": Annotated[int, AfterValidator(unlucky)]}, "v: 14 is 13 + 1"),
    "custom error": ({"v": 15}, {"v": Annotated[int, AfterValidator(unlucky)]}, "v: 15 is odd"),
    "validator in a union": ({"v": 13}, {"v": Annotated[int, AfterValidator(unlucky)] | list[int]}, "v: 13 is unlucky and so are you"),
    "limit in a union": ({"v": 0}, {"v": Annotated[int, Field(ge=1)] | str}, "v: must be >= 1, got 0"),
    "key": ({"v": {"x": 1}}, {"v": dict[int, int]}, "v.x: as a key: expected an integer"),
    "key of a choice": ({"v": {"z": 1}}, {"v": dict[Literal["x", "y"], int]}, 'v.z: as a key: expected "x" or "y"'),
    "address": ({"v": "here"}, {"v": IPv4Address}, 'v: is not a valid IPv4 address, got "here"'),
    "no tag": ({"v": {}}, {"v": Annotated[Cat | Dog, Field(discriminator="kind")]}, 'v.kind: missing (one of "cat", "dog")'),
    "no object for a tag": ({"v": 1}, {"v": Annotated[Cat | Dog, Field(discriminator="kind")]}, "v: expected an object, got 1"),
    "short tuple": ({"v": [1]}, {"v": tuple[int, str]}, "v[1]: missing (string)"),
    "decimal": ({"v": "x"}, {"v": Decimal}, 'v: expected a number, got "x"'),
    "digits": ({"v": "1.234"}, {"v": Annotated[Decimal, Field(decimal_places=1)]}, 'v: must have at most 1 decimal place, got "1.234"'),
    "duration": ({"v": "x"}, {"v": dt.timedelta}, 'v: expected a duration (such as PT1H30M), got "x"'),
    "set": ({"v": 5}, {"v": set[int]}, "v: expected an array, got 5"),
}  # fmt: skip


@pytest.mark.parametrize(("value", "fields", "line"), PYDANTIC_ONLY.values(), ids=PYDANTIC_ONLY)
def test_what_only_pydantic_finds_is_told_too(value, fields, line):
    """What the author of a tool raises is shown in the author's words; types beyond JSON have names of their own."""
    assert validated(value, **fields)[0] == (line,)


JSONSCHEMA_ONLY = {
    "unique": ({"v": [1, 1]}, {"type": "array", "uniqueItems": True}, "v: items must be unique, got [1, 1]"),
    "two forms": ({"v": 3}, {"oneOf": [{"minimum": 1}, {"minimum": 2}]}, "v: fits more than one of the forms that are allowed, got 3"),
    "not": ({"v": 3}, {"not": {"const": 3}}, "v: not accepted, got 3"),
    "entries": ({"v": {}}, {"type": "object", "minProperties": 1}, "v: must have at least 1 entry, got {}"),
    "choices beside another type": ({"v": ["x"]}, {"type": "array", "enum": ["a", "b"]}, 'v: expected one of "a", "b", got ["x"]'),
    "one of two types": ({"v": None}, {"type": ["string", "integer"]}, "v: expected an integer or a string, got null"),
}  # fmt: skip


@pytest.mark.parametrize(("value", "schema", "line"), JSONSCHEMA_ONLY.values(), ids=JSONSCHEMA_ONLY)
def test_what_only_jsonschema_finds_is_told_too(value, schema, line):
    """Schemas of users may demand what no Python type does."""
    root = {"type": "object", "properties": {"v": schema}}
    errors = jsonschema.Draft202012Validator(root).iter_errors(value)
    assert explain_jsonschema(errors, root) == (line,)


def test_many_problems_are_counted():
    """Eight lines, then how many there are more."""
    lines, _ = validated({"v": ["x"] * 20}, v=list[int])
    assert len(lines) == 9
    assert lines[0] == 'v[0]: expected an integer, got "x"'
    assert lines[-1] == "and 12 more"


def test_without_a_schema_the_types_are_still_named():
    """An explanation never fails for want of a schema."""
    with pytest.raises(ValidationError) as caught:
        create_model("M", v=(int, ...), w=(Item, ...), x=(list[int], ...)).model_validate(
            {"v": "x", "w": 1, "x": [None]}
        )
    assert explain_pydantic(caught.value, {}) == (
        'v: expected an integer, got "x"',
        "w: expected an object, got 1",
        "x[0]: expected an integer, got null",
    )


class Wild(BaseModel):
    a: int | str | list[Node] | None = None
    b: dict[str, Cat | Dog | int] = {}
    c: tuple[int, Color] | Pair | None = None
    d: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    e: list[list[Literal[1, "x"] | bool]] = []


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c", "d", "e", "f"]),
        json_values
        | st.lists(json_values, max_size=2)
        | st.dictionaries(st.sampled_from(["kind", "value", "k"]), json_values | st.just("cat"), max_size=3),
        max_size=4,
    )
)
@settings(deadline=None, max_examples=300)
def test_every_finding_is_told(value):
    """Whatever does not fit is told in at most nine short lines without jargon, by both validators."""
    schema = clean(Wild.model_json_schema())
    text = json.dumps(value)
    found: list[tuple[str, ...]] = []
    try:
        Wild.model_validate_json(text)
    except ValidationError as error:
        found.append(explain_pydantic(error, schema))
    try:
        errors = list(jsonschema.Draft202012Validator(schema).iter_errors(json.loads(text)))
    except RecursionError:
        errors = []
    if errors:
        found.append(explain_jsonschema(errors, schema))
    for lines in found:
        assert 1 <= len(lines) <= 9
        for line in lines:
            assert len(line) < 500
            assert "\n" not in line
            assert not any(word in line for word in ("pydantic", "http", "function-", "Traceback", "[type="))
