"""Schemas: cleaned without changing what they mean, rewritten for each wire, and the way back for the arguments."""

from __future__ import annotations

import datetime as dt
import enum
import json
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import jsonschema
import pytest
from core.schemas import DEFS, Writer, arguments, branch_of, completed, fits, tool_schemas, value_for
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, create_model

from agentkit.core.json_schema import branches, clean, merge, references, resolve, types_of
from agentkit.core.messages import ToolSpec
from agentkit.core.schema_wires import Rewritten, rewrite, tool_entry

WIRES = ["nested", "flat", "strict", "workers_ai"]
META = jsonschema.Draft202012Validator(jsonschema.Draft202012Validator.META_SCHEMA)
WORKERS_AI = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).parent.parent / "data" / "workers_ai.input.schema.json").read_text())
)


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


class Mixed(enum.Enum):
    ONE = 1
    TEXT = "one"


class Point(BaseModel):
    """A place."""

    x: int
    y: int = 0


class Cat(BaseModel):
    kind: Literal["cat"]
    age: int = 3
    owner: str | None


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    tags: list[str] = []


class Node(BaseModel):
    value: int | str
    next: Node | None = None
    kids: list[Node] = []


class Pair(NamedTuple):
    first: int
    second: str = "x"


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


def schema_of(**fields) -> dict[str, Any]:
    """What pydantic makes of the parameters of a function."""
    return model_of(**fields).model_json_schema()


def model_of(**fields):
    parameters = {name: field if isinstance(field, tuple) else (field, ...) for name, field in fields.items()}
    return create_model("f_args", __config__=ConfigDict(extra="forbid"), **parameters)


def properties(wire, **fields) -> dict[str, Any]:
    return rewrite(schema_of(**fields), wire).parameters["properties"]


def titles(schema, *, of_properties=False) -> list[str]:
    """Every `title` keyword; a property of this name is none."""
    found = []
    if isinstance(schema, dict):
        found = [value for key, value in schema.items() if key == "title" and not of_properties]
        for key, value in schema.items():
            if key not in ("default", "const", "enum", "examples"):
                found += titles(value, of_properties=key == "properties" and not of_properties)
    if isinstance(schema, list):
        found = [title for each in schema for title in titles(each)]
    return found


# --- clean ------------------------------------------------------------------------------------------------------------


def test_pydantics_titles_go():
    """Titles that repeat the name of a property, a class or a function are left out at every depth."""
    cleaned = clean(schema_of(city_name=str, at=Point, pets=list[Pet], color=Color, pair=Pair))
    assert titles(cleaned) == []


def test_a_property_named_title_stays():
    """Properties may have the names of keywords."""
    schema = schema_of(title=str, description=int, default=(int, 1), properties=Point)
    assert list(clean(schema)["properties"]) == ["title", "description", "default", "properties"]
    assert clean(schema)["required"] == ["title", "description", "properties"]


def test_a_title_that_says_more_becomes_the_description():
    """What a user said in a title of a parameter is not lost."""
    cleaned = clean(
        schema_of(
            days=Annotated[int, Field(title="Days ahead")], n=Annotated[int, Field(title="N", description="text")]
        )
    )
    assert cleaned["properties"]["days"] == {"type": "integer", "description": "Days ahead"}
    assert cleaned["properties"]["n"] == {"type": "integer", "description": "text"}


def test_references_are_written_out():
    """Without recursion there are no definitions left, however often they were used."""
    cleaned = clean(schema_of(a=Point, b=list[Point], c=(Point | None, None), pet=Pet, color=(Color, Color.RED)))
    assert "$defs" not in cleaned
    assert "$ref" not in json.dumps(cleaned)
    assert cleaned["properties"]["b"]["items"]["properties"]["x"] == {"type": "integer"}
    assert cleaned["properties"]["color"] == {"type": "string", "enum": ["red", "green"], "default": "red"}
    assert "discriminator" not in json.dumps(cleaned)


def test_recursion_keeps_its_definitions_and_nothing_else():
    """Only what leads back to itself stays in `$defs`, and the root is never a reference."""
    cleaned = clean(schema_of(node=Node, at=Point))
    assert list(cleaned["$defs"]) == ["Node"]
    cleaned = clean(Node.model_json_schema())
    assert "$ref" not in cleaned
    assert cleaned["properties"]["next"]["anyOf"][0] == {"$ref": "#/$defs/Node"}


def test_siblings_of_a_reference_are_kept():
    """A description beside a reference wins over that of the definition; constraints of both hold."""
    schema = {
        "type": "object",
        "properties": {
            "a": {"$ref": "#/$defs/Text", "description": "mine", "default": "x"},
            "b": {"$ref": "#/$defs/Text", "minLength": 5},
        },
        "$defs": {"Text": {"type": "string", "minLength": 2, "description": "theirs"}},
    }
    cleaned = clean(schema)["properties"]
    assert cleaned["a"] == {"type": "string", "minLength": 2, "description": "mine", "default": "x"}
    assert not fits("abc", cleaned["b"], {})
    assert fits("abcde", cleaned["b"], {})


def test_data_is_not_schema():
    """Defaults, constants and examples that look like schemas stay as they are."""
    data = {"title": "T", "$ref": "#/$defs/X", "$defs": {}}
    schema = {
        "type": "object",
        "properties": {"a": {"default": data, "enum": [data], "examples": [data]}, "b": {"const": data}},
    }
    assert clean(schema) == schema


def test_old_and_odd_references_are_resolved():
    """`definitions`, pointers into the schema, escaped names and references that lead nowhere are all survived."""
    schema = {
        "type": "object",
        "properties": {
            "a": {"$ref": "#/definitions/a~1b%20c"},
            "b": {"$ref": "#/properties/a"},
            "c": {"$ref": "#/nowhere"},
            "d": {"$ref": "https://example.com/schema"},
            "e": {"$ref": "#"},
            "f": {"allOf": [{"$ref": "#/definitions/a~1b%20c"}], "description": "d"},
        },
        "definitions": {"a/b c": {"type": "integer"}},
    }
    cleaned = clean(schema)["properties"]
    assert cleaned["a"] == cleaned["b"] == {"type": "integer"}
    assert cleaned["c"] == {"$ref": "#/nowhere"}
    assert cleaned["e"] == {"$ref": "#"}
    assert cleaned["f"] == {"type": "integer", "description": "d"}
    assert META.is_valid(clean(schema))


def test_circles_of_references_end():
    """Definitions that are nothing but references to one another do not hang."""
    schema = {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}}
    for wire in WIRES:
        assert rewrite(schema, wire).parameters["type"] == "object"


def test_growth_is_bounded():
    """Definitions that would double at each level are not written out for ever."""
    defs: dict[str, Any] = {f"D{i}": {"anyOf": [{"$ref": f"#/$defs/D{i + 1}"}] * 2} for i in range(40)}
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/D0"}},
        "$defs": {**defs, "D40": {"type": "integer"}},
    }
    for wire in WIRES:
        assert len(json.dumps(rewrite(schema, wire).parameters)) < 1_000_000


def test_an_object_has_properties():
    """A tool without parameters has an empty map of them; what is no object is left alone."""
    assert clean({"type": "object"}) == {"type": "object", "properties": {}}
    assert clean({"type": "integer", "title": "X"}) == {"type": "integer"}
    assert rewrite({}, "nested").parameters == {"type": "object", "properties": {}}


@given(tool_schemas())
@settings(deadline=None, max_examples=200)
def test_cleaning_twice_changes_nothing(schema):
    """A cleaned schema is clean, and the original is not touched."""
    before = json.dumps(schema)
    cleaned = clean(schema)
    assert clean(cleaned) == cleaned
    assert json.dumps(schema) == before


@given(st.data(), tool_schemas())
@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_cleaning_does_not_change_what_is_valid(data, schema):
    """Arguments fit the cleaned schema if, and only if, they fit the original."""
    cleaned = clean(schema)
    value = data.draw(arguments(schema))
    assert fits(value, schema, schema)
    assert fits(value, cleaned, cleaned)
    other = data.draw(arguments(schema)) | {"a": data.draw(st.sampled_from([None, 1.5, "x", [], {"kind": "cat"}]))}
    assert fits(other, schema, schema) == fits(other, cleaned, cleaned)


# --- Types ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "kinds"),
    [
        ({"type": "integer"}, {"integer"}),
        ({"type": ["integer", "null"]}, {"integer", "null"}),
        ({"type": ["integer", "number"]}, {"number"}),
        ({"enum": [1, "x"]}, {"integer", "string"}),
        ({"const": None}, {"null"}),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}], "type": "number"}, {"integer"}),
        ({"allOf": [{"type": ["string", "integer"]}, {"type": "number"}]}, {"integer"}),
        ({"properties": {}}, {"object"}),
        ({"minimum": 3}, {"number"}),
        (False, set()),
    ],
)
def test_the_types_of_a_schema(schema, kinds):
    """Which JSON types a schema accepts is seen through choices, constants and hints."""
    assert types_of(schema, {}) == kinds


def test_branches_have_one_type_each():
    """A choice is taken apart into alternatives of one type; constants go with their type."""
    schema = {"anyOf": [{"type": ["integer", "null"]}, {"enum": ["x", 1.5]}], "description": "d"}
    assert branches(schema, {}) == [
        {"type": "integer"},
        {"type": "null"},
        {"enum": [1.5], "type": "number"},
        {"enum": ["x"], "type": "string"},
    ]
    assert resolve({}, "#") == {}
    assert merge(True, {"type": "string"}) == {"type": "string"}
    assert not fits(1, merge(False, {"type": "integer"}), {})


# --- nested and flat --------------------------------------------------------------------------------------------------


def test_entries_of_the_tools_array():
    """The nested and the flat form hold the same cleaned schema."""
    spec = ToolSpec("add", "Adds.", schema_of(a=int, b=(int, 2)))
    parameters = {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer", "default": 2}},
        "required": ["a"],
        "additionalProperties": False,
    }
    flat = {"name": "add", "description": "Adds.", "parameters": parameters}
    assert tool_entry(spec, "nested") == {"type": "function", "function": flat}
    assert tool_entry(spec, "flat") == flat


def test_strict_is_a_word_of_the_tool():
    """A tool may refuse strict mode; one that would lose something is sent without it."""
    exact, free = schema_of(a=int), schema_of(a=dict[str, int])
    assert tool_entry(ToolSpec("f", "", exact), "strict")["function"]["strict"] is True
    assert "strict" not in tool_entry(ToolSpec("f", "", exact, strict=False), "strict")["function"]
    assert "strict" not in tool_entry(ToolSpec("f", "", free, strict=True), "strict")["function"]
    assert tool_entry(ToolSpec("f", "", free), "strict") == tool_entry(ToolSpec("f", "", free), "nested")


# --- strict -----------------------------------------------------------------------------------------------------------


def test_strict_requires_everything_and_nothing_else():
    """Each object, at each depth, is closed and requires all it has."""
    parameters = rewrite(schema_of(a=int, at=Point, pets=list[Pet], node=(Node | None, None)), "strict").parameters
    seen = 0
    queue: list[Any] = [parameters]
    while queue:
        node = queue.pop()
        if isinstance(node, dict):
            if node.get("type") == "object":
                assert node["required"] == list(node["properties"])
                assert node["additionalProperties"] is False
                seen += 1
            queue.extend(node.values())
        elif isinstance(node, list):
            queue.extend(node)
    assert seen == 5


def test_strict_a_default_stays_a_default():
    """An optional parameter may be null, and null means that it was left out."""
    rewritten = rewrite(schema_of(a=int, limit=(int, 10), color=(Color, Color.RED), at=(Point, Point(x=1))), "strict")
    assert rewritten.strict
    assert rewritten.parameters["properties"]["limit"] == {"type": ["integer", "null"], "description": "(default 10)"}
    assert rewritten.restore({"a": 1, "limit": None, "color": None, "at": None}) == {"a": 1}
    assert rewritten.restore({"a": 1, "limit": 0, "color": "red", "at": {"x": 2, "y": None}}) == {
        "a": 1,
        "limit": 0,
        "color": "red",
        "at": {"x": 2},
    }


def test_strict_null_that_is_a_value_stays():
    """Null is not taken away from a parameter that may be null."""
    rewritten = rewrite(schema_of(a=int | None, b=(int | None, None)), "strict")
    assert rewritten.strict
    assert rewritten.restore({"a": None, "b": None}) == {"a": None, "b": None}


def test_strict_says_other_keywords_in_the_description():
    """What strict mode does not know is still said."""
    text = properties("strict", name=Annotated[str, Field(min_length=2, pattern="^a", description="A name.")])["name"]
    assert text == {"type": "string", "description": 'A name. (minLength 2; pattern "^a")'}
    assert properties("strict", day=dt.date)["day"] == {"type": "string", "format": "date"}
    assert properties("strict", n=Annotated[int, Field(ge=1)])["n"] == {"type": "integer", "minimum": 1}


@pytest.mark.parametrize(
    "fields",
    [
        {"a": dict[str, int]},
        {"a": dict},
        {"a": Any},
        {"a": list[Any]},
        {"a": tuple[int, str]},
        {"a": (int | None, 5)},
        {"a": list[dict[str, int]]},
    ],
    ids=str,
)
def test_strict_is_given_up_where_it_would_lose(fields):
    """A tool that strict mode cannot say exactly is sent as it is, without an exception."""
    schema = schema_of(**fields)
    assert rewrite(schema, "strict") == Rewritten(clean(schema))


def test_strict_is_given_up_beyond_its_limits():
    """Too many levels or properties are sent as they are."""
    deep: dict[str, Any] = {"type": "integer"}
    for _ in range(11):
        deep = {"type": "object", "properties": {"a": deep}, "required": ["a"], "additionalProperties": False}
    assert not rewrite(deep, "strict").strict
    assert rewrite(deep["properties"]["a"], "strict").strict
    wide = {"type": "object", "properties": {f"p{i}": {"type": "integer"} for i in range(5001)}}
    assert not rewrite(wide, "strict").strict


@pytest.mark.parametrize("keyword", ["allOf", "not", "if", "patternProperties", "dependentRequired"])
def test_strict_is_given_up_for_keywords_that_it_cannot_say(keyword):
    """Schemas of users may hold anything."""
    inner = {"allOf": [{"minLength": 1}, {"maxLength": 3}], "not": {"const": "x"}, "if": {"minLength": 1}}
    value = inner.get(keyword, {"x": {}} if keyword == "patternProperties" else {"x": ["y"]})
    schema = {"type": "object", "properties": {"a": {"type": "string", keyword: value}}, "required": ["a"]}
    assert not rewrite(schema, "strict").strict


# --- workers_ai -------------------------------------------------------------------------------------------------------


PYTHON_TYPES = {
    "int": int,
    "optional": (int | None, None),
    "required optional": int | None,
    "optional with another default": (int | None, 5),
    "union": int | str,
    "union with a list": int | list[int],
    "union of models": Cat | Dog,
    "discriminated union": Pet,
    "list of a union": list[Pet],
    "anything": Any,
    "nothing": None,
    "enum": Color,
    "mixed enum": Mixed,
    "literal": Literal["a", "b"],
    "mixed literal": Literal[1, "1", None],
    "model": Point,
    "recursive model": Node,
    "optional recursive model": (Node | None, None),
    "named tuple": Pair,
    "tuple": tuple[int, str],
    "set": set[int],
    "dict": dict[str, Point],
    "dict of anything": dict[str, Any],
    "list of anything": list,
    "decimal": Decimal,
    "date": dt.date,
    "duration": dt.timedelta,
    "uuid": uuid.UUID,
    "bytes": bytes,
    "path": Path,
    "described": Annotated[int, Field(ge=1, description="How many.")],
}


def assert_typed(schema):
    """Each property, at every depth, has a type and a description."""
    if isinstance(schema, dict):
        for member in schema["properties"].values() if isinstance(schema.get("properties"), dict) else ():
            assert isinstance(member["type"], str)
            assert isinstance(member["description"], str)
            assert member["description"]
        for key, inner in schema.items():
            if key in ("properties", "$defs"):
                for member in inner.values():
                    assert_typed(member)
            elif key not in ("default", "const", "enum", "examples"):
                assert_typed(inner)
    elif isinstance(schema, list):
        for inner in schema:
            assert_typed(inner)


def accepted(entry) -> bool:
    """Whether Workers AI's own schema takes this tool."""
    return WORKERS_AI.is_valid({"messages": [{"role": "user", "content": "?"}], "tools": [entry]})


@pytest.mark.parametrize("field", PYTHON_TYPES.values(), ids=PYTHON_TYPES)
def test_workers_ai_accepts_every_python_type(field):
    """Each property has a string `type` and a `description`, whatever the Python type was."""
    spec = ToolSpec("f", "", schema_of(value=field))
    entry = tool_entry(spec, "workers_ai")
    assert accepted(entry)
    assert_typed(entry["function"]["parameters"])


def test_workers_ai_keeps_the_concrete_schema():
    """Constraints, items and members are still told."""
    at = properties("workers_ai", at=Annotated[Point, Field(description="Where.")])["at"]
    assert at["description"] == "Where."
    assert at["properties"]["x"] == {"type": "integer", "description": "x"}
    many = properties("workers_ai", many=Annotated[list[int], Field(max_length=3)], n=(int, 2))
    assert many["many"]["maxItems"] == 3
    assert many["n"] == {"type": "integer", "default": 2, "description": "n"}


def test_workers_ai_null_is_said_by_absence():
    """An optional parameter has the type of its value; leaving it out means null."""
    rewritten = rewrite(schema_of(a=(int | None, None), b=int | None), "workers_ai")
    assert rewritten.parameters["properties"]["a"] == {"type": "integer", "description": "a"}
    assert rewritten.parameters["properties"]["b"] == {"type": "integer", "description": "b. Leave it out for null."}
    assert "required" not in rewritten.parameters
    assert rewritten.restore({}) == {"b": None}
    assert rewritten.restore({"a": 1, "b": 2}) == {"a": 1, "b": 2}


def test_workers_ai_a_choice_of_types_is_an_object():
    """One member for each type says which type is meant: "5" stays text and 5 a number."""
    rewritten = rewrite(schema_of(v=int | str), "workers_ai")
    assert rewritten.parameters["properties"]["v"]["properties"].keys() == {"integer", "string"}
    assert rewritten.restore({"v": {"integer": 5}}) == {"v": 5}
    assert rewritten.restore({"v": {"string": "5"}}) == {"v": "5"}
    optional = rewrite(schema_of(v=(int | None, 5)), "workers_ai")
    assert optional.restore({"v": {}}) == {"v": None}
    assert optional.restore({}) == {}


def test_workers_ai_a_value_in_its_own_form_passes():
    """A model that ignores the wire's form and writes the tool's own is understood all the same."""
    rewritten = rewrite(schema_of(v=int | str | Point, n=int | None, pet=Pet), "workers_ai")
    for value in (5, "5", "", {"x": 1}, {"x": 1, "y": 2}):
        plain = {"v": value, "n": None, "pet": {"kind": "cat", "owner": None}}
        assert rewritten.restore(plain) == plain


def test_workers_ai_one_tag_tells_objects_apart():
    """A discriminated union needs no wrapper, and its branches are restored each in its way."""
    rewritten = rewrite(schema_of(pets=list[Pet]), "workers_ai")
    assert "anyOf" in rewritten.parameters["properties"]["pets"]["items"]
    assert rewritten.restore({"pets": [{"kind": "cat"}, {"kind": "dog"}]}) == {
        "pets": [{"kind": "cat", "owner": None}, {"kind": "dog"}]
    }


# --- The way back -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(
    "keywords",
    [
        {"allOf": [{"$ref": "#/$defs/Expr"}, {"required": ["note"]}]},
        {"type": "object", "not": {"$ref": "#/$defs/Node"}},
        {"type": "object", "patternProperties": {"^x": {"$ref": "#/$defs/Expr"}}},
        {"if": {"type": "object"}, "then": {"$ref": "#/$defs/Node"}},
        {"allOf": [{"$ref": "#/$defs/Node"}, {"type": "integer"}]},
    ],
    ids=lambda keywords: next(iter(keywords)),
)
def test_every_reference_leads_somewhere(wire, keywords):
    """Also from within keywords that are not rewritten."""
    root = {"type": "object", "properties": {"a": keywords}, "required": ["a"], "$defs": DEFS}
    sent = rewrite(root, wire).parameters
    assert META.is_valid(sent)
    assert [ref for ref in references(sent) if resolve(sent, ref) is None] == []


def test_text_is_restored_too():
    """The same for JSON text, damaged or not; text that holds no object is left for others to refuse."""
    rewritten = rewrite(schema_of(v=int | str), "workers_ai")
    assert json.loads(rewritten.restore_text('{"v": {"integer": 5}}')) == {"v": 5}
    assert json.loads(rewritten.restore_text("{'v': {'integer': 5,},}")) == {"v": 5}
    for text in ("", "[1]", '{"v": {"integer": 5', "null", "[" * 10_000):
        assert rewritten.restore_text(text) == text
    untouched = '{"v":   1}'
    assert rewrite(schema_of(v=int), "workers_ai").restore_text(untouched) is untouched


def test_restoring_does_not_change_its_input():
    """What was decoded may be logged after it was restored."""
    rewritten = rewrite(schema_of(v=int | str, n=int | None, node=Node), "workers_ai")
    value = {"v": {"integer": 5}, "node": {"v": {"string": "x"}, "kids": [{"v": {"integer": 1}}]}}
    before = json.dumps(value)
    rewritten.restore(value)
    assert json.dumps(value) == before


def test_deep_values_do_not_overflow():
    """A recursive value of any depth is restored, or left as it is."""
    rewritten = rewrite(Node.model_json_schema(), "workers_ai")
    deep: dict[str, Any] = {"value": {"integer": 1}}
    for _ in range(150):
        deep = {"value": {"string": "x"}, "next": deep}
    restored = json.loads(rewritten.restore_text(json.dumps(deep)))
    assert restored["next"]["next"]["value"] == "x"


@given(tool_schemas())
@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
def test_every_schema_is_valid_on_every_wire(schema):
    """What is sent is a valid schema of an object; Workers AI's is typed and described throughout."""
    for wire in WIRES:
        rewritten = rewrite(schema, wire)
        assert META.is_valid(rewritten.parameters)
        assert rewritten.parameters["type"] == "object"
        assert "$ref" not in rewritten.parameters
        assert titles(rewritten.parameters) == []
        if wire == "workers_ai":
            assert accepted(tool_entry(ToolSpec("f", "", schema), wire, rewritten))
            assert_typed(rewritten.parameters)


@pytest.mark.parametrize("wire", WIRES)
@given(data=st.data(), schema=tool_schemas())
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_arguments_go_through_the_wire_and_back(wire, data, schema):
    """What a model writes that keeps to the rewritten schema is restored to what was meant, through JSON text."""
    rewritten = rewrite(schema, wire)
    meant = data.draw(arguments(schema))
    sent = Writer(schema, rewritten).arguments(meant)
    assert fits(sent, rewritten.parameters, rewritten.parameters), (sent, rewritten.parameters)
    back = json.loads(rewritten.restore_text(json.dumps(sent)))
    assert fits(back, schema, schema)
    assert completed(back, schema, schema, meant) == completed(meant, schema, schema)


@pytest.mark.parametrize("wire", WIRES)
@given(data=st.data(), schema=tool_schemas())
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_any_arguments_are_restored_to_something(wire, data, schema):
    """Arguments that keep to no schema at all never raise."""
    rewritten = rewrite(schema, wire)
    junk = st.recursive(
        st.sampled_from([None, 1, 2.5, "x", True]),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from(["a", "kind", "integer", "object", "type"]), inner, max_size=3)
        ),
    )
    value = data.draw(st.dictionaries(st.sampled_from(["a", "b_c", "title", "type", "kind", "$ref"]), junk, max_size=4))
    assert isinstance(rewritten.restore(value), dict)


FIELDS = [
    *PYTHON_TYPES.values(),
    int,
    float,
    str,
    bool,
    (int, 3),
    (str, "x"),
    (float | None, None),
    list[int | str | None],
    dict[str, int | None],
    list[Node],
    (list[Pet], []),
    Point | None,
    (Point | int, 3),
    list[Point] | Point,
]


@pytest.mark.parametrize("wire", WIRES)
@given(data=st.data(), fields=st.lists(st.sampled_from(FIELDS), max_size=4))
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_arguments_of_signatures_go_through_wire_inverse_and_validation(wire, data, fields):
    """Random signatures: arguments reach the function as they were meant, whatever the wire."""
    model = model_of(**{f"p{i}": field for i, field in enumerate(fields)})
    schema = model.model_json_schema()
    rewritten = rewrite(schema, wire)
    if wire == "workers_ai":
        assert accepted(tool_entry(ToolSpec("f", "", schema), wire, rewritten))
    meant = acceptable(value_for(data.draw, schema, schema, 0), schema, schema)
    sent = json.dumps(Writer(schema, rewritten).arguments(meant))
    assert fits(json.loads(sent), rewritten.parameters, rewritten.parameters)
    assert model.model_validate_json(rewritten.restore_text(sent)) == model.model_validate_json(json.dumps(meant))


SAMPLES = {
    "date": "2026-03-04",
    "duration": "PT1H30M",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "path": "a/b",
    "binary": "x",
}


def acceptable(value, schema, root):
    """The value as pydantic wants it, which its schema does not say: texts in their format, tags always given."""
    branch = branch_of(value, schema, root)
    if isinstance(value, str):
        formats = json.dumps(schema)
        decimal = '{"type": "number"}' in formats
        return SAMPLES.get(branch.get("format", ""), "5" if decimal else value)
    if isinstance(value, dict):
        declared, others = branch.get("properties", {}), branch.get("additionalProperties", True)
        value = {"kind": declared["kind"]["const"], **value} if "kind" in declared else value
        return {name: acceptable(member, declared.get(name, others), root) for name, member in value.items()}
    if isinstance(value, list):
        first = branch.get("prefixItems", ())
        items = [
            acceptable(item, first[i] if i < len(first) else branch.get("items", True), root)
            for i, item in enumerate(value)
        ]
        return sorted(set(items)) if branch.get("uniqueItems") else items
    return value


def test_taking_the_inverse_away_is_seen():
    """The wires do change how arguments are written: without the way back they do not fit."""
    schema = schema_of(v=int | str, n=int | None, limit=(int, 3))
    for wire, sent in [("workers_ai", {"v": {"integer": 5}}), ("strict", {"v": 5, "n": None, "limit": None})]:
        rewritten = rewrite(schema, wire)
        assert fits(sent, rewritten.parameters, rewritten.parameters)
        assert not fits(sent, schema, schema)
        assert fits(rewritten.restore(sent), schema, schema)


def test_the_recursive_definitions_of_these_tests_are_restored():
    """Recursive schemas of every sort: one type, a choice of types, a choice of objects."""
    schema = {
        "type": "object",
        "properties": {name.lower(): {"$ref": f"#/$defs/{name}"} for name in ("Node", "Json", "Expr")},
        "$defs": DEFS,
    }
    restored = rewrite(schema, "workers_ai").restore(
        {
            "node": {"v": {"integer": 1}, "next": {"v": {"string": "1"}}},
            "json": {"array": [{"object": {"k": {}}}, {"string": "x"}]},
            "expr": {"kind": "sum", "left": {"kind": "number"}, "right": {"kind": "number", "value": 2}},
        }
    )
    assert restored == {
        "node": {"v": 1, "next": {"v": "1"}},
        "json": [{"k": None}, "x"],
        "expr": {"kind": "sum", "left": {"kind": "number", "value": None}, "right": {"kind": "number", "value": 2}},
    }
