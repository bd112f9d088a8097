"""What a grammar admits is valid by its schema: random schemas, written by the real model, as wild as it gets."""

from __future__ import annotations

import json

import anyio
import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentkit.models import grammar
from agentkit.models.local import Local

PROMPT = "Request: book two tables at Luigi's for 4 people tomorrow, please\nArguments:"
NAMES = st.sampled_from(["name", "count", "to_unit", "$ref", "größe", 'a "b" \\ c', "items", "x y"])

SIMPLE = st.one_of(
    st.just({"type": "string"}),
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.fixed_dictionaries(
        {"type": st.just("string")}, optional={"minLength": st.just(2), "maxLength": st.integers(3, 9)}
    ),
    st.fixed_dictionaries(
        {"type": st.just("integer")}, optional={"minimum": st.just(-5), "maximum": st.integers(0, 99)}
    ),
    st.fixed_dictionaries(
        {"type": st.just("number")}, optional={"exclusiveMinimum": st.just(0), "maximum": st.just(10)}
    ),
    st.just({"type": "integer", "multipleOf": 5}),
    st.just({"type": "string", "pattern": "^[A-Z]{3}-\\d+$"}),
    st.just({"type": "string", "format": "date"}),
    st.just({"type": ["string", "null"]}),
    st.builds(
        lambda values: {"enum": values},
        st.lists(st.sampled_from(["a", "b c", 'd"', 3, None, True]), min_size=1, unique=True),
    ),
    st.builds(lambda value: {"const": value}, st.sampled_from(["k", 7, [1], {"a": 1}])),
)


def objects(values):
    def build(properties, required):
        return {"type": "object", "properties": properties, "required": sorted(set(properties) & required)}

    return st.builds(build, st.dictionaries(NAMES, values, min_size=1, max_size=4), st.sets(NAMES))


def nested(values):
    lists = st.fixed_dictionaries(
        {"type": st.just("array"), "items": values},
        optional={"minItems": st.integers(0, 2), "maxItems": st.integers(2, 4)},
    )
    sets = st.fixed_dictionaries(
        {"type": st.just("array"), "items": values, "uniqueItems": st.just(True)},
        optional={"maxItems": st.integers(0, 4)},
    )
    unions = st.builds(lambda kinds: {"anyOf": kinds}, st.lists(values, min_size=2, max_size=3))
    return st.one_of(lists, sets, objects(values), unions)


SCHEMAS = objects(st.recursive(SIMPLE, nested, max_leaves=4))


@pytest.fixture(scope="module")
def write():
    """The real model writes what a grammar admits, hot."""
    engine = Local(context_tokens=1024)._engine

    def write(rules, seed=1, max_tokens=300):
        async def ask():
            return await engine.complete(PROMPT, grammar=rules, temperature=1.4, seed=seed, max_tokens=max_tokens)

        return anyio.run(ask)

    return write


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(SCHEMAS, st.integers(0, 1000))
def test_arguments_are_valid_by_construction(write, schema, seed):
    """Nested objects, arrays, unions, optional keys: what is written to its end is valid."""
    done = write(grammar.arguments(schema), seed)
    assert done.text.startswith(" {")
    if done.finish_reason == "stop":
        jsonschema.validate(json.loads(done.text), schema)


DEFINED = {
    "type": "object",
    "properties": {
        "place": {"$ref": "#/$defs/Place"},
        "others": {"type": "array", "items": {"$ref": "#/$defs/Place"}, "maxItems": 2},
        "when": {"anyOf": [{"type": "string", "maxLength": 9}, {"type": "null"}], "default": None},
    },
    "required": ["place"],
    "$defs": {
        "Place": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "maxLength": 12},
                "size": {"type": "number", "minimum": 0, "maximum": 5},
            },
            "required": ["city"],
        }
    },
}
WHOLE = [
    DEFINED,
    {"type": "object"},
    {"type": "object", "properties": {}},
    {"type": "object", "properties": {"any": True}, "required": ["any"]},
    {
        "type": "object",
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
        "properties": {"a": {"type": "integer"}, "b": {"type": "boolean"}},
    },
    {
        "type": "object",
        "allOf": [
            {"properties": {"a": {"type": "boolean"}}, "required": ["a"]},
            {"properties": {"b": {"enum": [1, 2]}}, "required": ["b"]},
        ],
    },
    {
        "type": "object",
        "properties": {"n": {"oneOf": [{"type": "integer"}, {"type": "string", "maxLength": 3}]}},
        "required": ["n"],
    },
]


@pytest.mark.parametrize("schema", WHOLE)
def test_whole_schemas_are_taken_as_they_are(write, schema):
    """References, combinations and schemas that say nothing."""
    done = [write(grammar.arguments(schema), seed) for seed in range(3)]
    ended = [one for one in done if one.finish_reason == "stop"]
    assert ended
    for one in ended:
        jsonschema.validate(json.loads(one.text), schema)


PASSED_OVER = [
    {"not": {"type": "string"}},
    {"type": "string", "pattern": "^(?!x).*$"},
    {"type": "string", "format": "nobody-knows"},
    {"oneOf": [{"type": "integer"}, {"type": "number"}]},
]


@pytest.mark.parametrize("value", PASSED_OVER)
def test_what_no_grammar_can_say_does_not_set_the_model_free(write, value):
    """The rest of the schema still holds."""
    schema = {"type": "object", "properties": {"a": value, "b": {"type": "boolean"}}, "required": ["a", "b"]}
    done = write(grammar.arguments(schema))
    if done.finish_reason == "stop":
        assert json.loads(done.text).keys() == {"a", "b"}


def test_known_values_are_the_only_ones(write):
    """Alternatives of known pieces, and None for what is to be left out."""
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "integer"}, "c": {"type": "integer"}},
        "required": ["a"],
    }
    choices = [
        {"a": grammar.exactly('say "hi"'), "b": grammar.exactly(4), "c": None},
        {"a": grammar.exactly("x"), "b": None, "c": None},
    ]
    written = [json.loads(write(grammar.arguments(schema, choices), seed).text) for seed in range(6)]
    assert all(found in ({"a": 'say "hi"', "b": 4}, {"a": 'say "hi"'}, {"a": "x"}) for found in written)


def test_a_rambling_model_comes_to_an_end(write):
    """Strings, lists and numbers without a bound have one."""
    schema = {
        "type": "object",
        "properties": {
            "s": {"type": "string"},
            "l": {"type": "array", "items": {"type": "integer"}},
            "n": {"type": "number"},
        },
        "required": ["s", "l", "n"],
    }
    for seed in range(4):
        found = json.loads(write(grammar.arguments(schema), seed, max_tokens=900).text)
        assert len(found["s"]) <= grammar.MAX_STRING
        assert len(found["l"]) <= grammar.MAX_ITEMS


def test_the_schema_is_not_changed():
    """Narrowing makes a new one."""
    before = json.dumps(DEFINED)
    assert grammar.narrowed(DEFINED) != DEFINED
    assert json.dumps(DEFINED) == before


def test_a_document_is_any_json_value(write):
    """The root need not be an object."""
    schema = {"type": "array", "items": {"enum": ["red", "green"]}, "minItems": 1, "maxItems": 3}
    jsonschema.validate(json.loads(write(grammar.document(schema)).text), schema)
