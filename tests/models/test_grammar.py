"""What a grammar admits is valid by its schema: texts drawn from it at random, and what the real runtime makes of it.

The texts are drawn with LLGuidance itself, byte by byte; the runtime carries the same engine, and is asked whether it
takes each grammar.
"""

from __future__ import annotations

import json
import random

import anyio
import jsonschema
import llguidance
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentkit.models import grammar
from agentkit.models.local import Local
from agentkit.models.local.calling import Desk

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


@pytest.fixture(scope="module")
def held():
    """What the real runtime can be held to."""
    desk = Desk(Local(context_tokens=1024)._engine)
    return lambda schema: anyio.run(desk.held, schema)


TOKENS = llguidance.LLTokenizer("byte")


def draw(rules, rng, limit=6000):
    """A random text of a grammar, with a liking for what ends strings and lists."""
    matcher = llguidance.LLMatcher(TOKENS, rules, log_level=0)
    assert not matcher.is_error(), matcher.get_error()
    out = bytearray()
    while not matcher.is_stopped():
        assert len(out) < limit, "no end"
        mask = matcher.compute_bitmask()
        tokens = [token for token in range(TOKENS.vocab_size) if mask[token >> 3] >> (token & 7) & 1]
        if TOKENS.eos_token in tokens and (len(tokens) == 1 or rng.random() < 0.5):
            break
        tokens = [token for token in tokens if token != TOKENS.eos_token]
        ends = [token for token in tokens if token < 256 and chr(token) in '"]}']
        token = rng.choice(ends if ends and rng.random() < 0.25 else tokens)
        out.append(token)
        matcher.consume_token(token)
    return out.decode()


def drawn(schema, rng, times):
    """Arguments of the schema, drawn at random."""
    return [json.loads(draw(grammar.arguments(schema), rng)) for _ in range(times)]


def around(value):
    """The parameters of a tool with such a value, and one that may be left out."""
    inner = dict(value) if isinstance(value, dict) else value
    defs = {"$defs": inner.pop("$defs")} if "$defs" in value else {}
    return {"type": "object", "properties": {"v": inner, "w": {"type": "boolean"}}, "required": ["v"], **defs}


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(SCHEMAS, st.randoms(use_true_random=False))
def test_arguments_are_valid_by_construction(schema, rng):
    """Nested objects, arrays, unions, optional keys: whatever is written is valid."""
    for value in drawn(schema, rng, 2):
        jsonschema.validate(value, schema)


INTEGER, SHORT = {"type": "integer"}, {"type": "string", "maxLength": 4}
TREE = {
    "type": "object",
    "properties": {"v": INTEGER, "kids": {"type": "array", "items": {"$ref": "#/$defs/T"}}},
    "required": ["v"],
}
VALUES = {
    "enum": {"enum": ["a", "b c", 'd"', 3, None, True, 1.5, {"x": [1]}, "a\\b", "\n", "\u2028", "\x00", "😀"]},
    "const": {"const": {"a": [1, None, 'ü"\\']}},
    "enum of a type": {"type": "string", "enum": ["a", "b", 1]},
    "nested": {"type": "object", "properties": {"a": {"type": "array", "items": around(INTEGER)}}, "required": ["a"]},
    "anyOf": {"anyOf": [SHORT, INTEGER, {"type": "object", "properties": {"k": {"const": 1}}, "required": ["k"]}]},
    "oneOf": {"oneOf": [SHORT, INTEGER]},
    "tagged": {
        "oneOf": [
            {"type": "object", "properties": {"kind": {"const": name}, "x": SHORT}, "required": ["kind"]}
            for name in ("cat", "dog")
        ]
    },
    "allOf": {"allOf": [{"type": "object", "properties": {name: INTEGER}, "required": [name]} for name in "ab"]},
    "reference": {
        "$ref": "#/$defs/P",
        "$defs": {"P": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}},
    },
    "recursion": {"$ref": "#/$defs/T", "$defs": {"T": TREE}},
    "open object": {"type": "object", "properties": {"a": SHORT}, "additionalProperties": True},
    "map": {"type": "object", "additionalProperties": INTEGER},
    "map of named keys": {"type": "object", "propertyNames": {"enum": ["a", "b"]}, "additionalProperties": INTEGER},
    "map of keys by pattern": {
        "type": "object",
        "propertyNames": {"pattern": "^[a-z]{1,5}$"},
        "additionalProperties": INTEGER,
    },
    "patternProperties": {"type": "object", "patternProperties": {"^x_": INTEGER}, "additionalProperties": False},
    "items": {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 3},
    "many items": {"type": "array", "items": {"type": "boolean"}, "minItems": 12, "maxItems": 100_000},
    "tuple": {"type": "array", "prefixItems": [SHORT, INTEGER], "items": False, "minItems": 2},
    "open tuple": {"type": "array", "prefixItems": [SHORT, INTEGER], "minItems": 2},
    "set": {"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": True},
    "range": {"type": "integer", "minimum": -7, "maximum": 120},
    "open range": {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 12},
    "range of numbers": {"type": "number", "minimum": -0.5, "exclusiveMaximum": 1},
    "multiple": {"type": "integer", "multipleOf": 7},
    "multiple of a number": {"type": "number", "multipleOf": 0.25},
    "big": {"type": "integer", "minimum": 10**18, "maximum": 10**19},
    "length": {"type": "string", "minLength": 3, "maxLength": 5},
    "pattern": {"type": "string", "pattern": "^[A-Z]{2}\\d{3}$"},
    "pattern inside": {"type": "string", "pattern": "foo"},
    "pattern and length": {"type": "string", "pattern": "^a+$", "maxLength": 5},
    "long pattern": {"type": "string", "pattern": "^a{300}$"},
    **{name: {"type": "string", "format": name} for name in ("date-time", "email", "uuid", "uri", "ipv4", "ipv6")},
    "unknown format": {"type": "string", "format": "nobody-knows"},
    "nullable": {"type": ["string", "null"], "maxLength": 5},
    "any of many types": {"type": ["integer", "string", "boolean", "array", "object"], "maxLength": 5},
    "empty": {"type": "object"},
    "empty and closed": {"type": "object", "properties": {}, "additionalProperties": False},
    "anything": {},
    "keys": {
        "type": "object",
        "properties": dict.fromkeys(("größe", "名前", "😀", 'a "b" \\ c', "x\ny", "\t/", ""), INTEGER),
        "required": ["😀", ""],
    },
    "optional keys": {"type": "object", "properties": dict.fromkeys("abcdef", INTEGER), "required": ["c", "e"]},
    "an undescribed key": {"type": "object", "properties": {"a": INTEGER}, "required": ["a", "zz"]},
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_each_word_of_a_schema_is_kept(value, held):
    """Twenty texts of each are valid, and the runtime takes the schema as it is."""
    schema = around(value)
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    for arguments in drawn(schema, random.Random(3), 20):
        check.validate(arguments)
    assert held(schema) is schema


WHOLE = {
    "nothing": {"type": "object"},
    "no properties": {"type": "object", "properties": {}},
    "one or the other": {
        "type": "object",
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
        "properties": {"a": INTEGER, "b": {"type": "boolean"}},
    },
    "both": {
        "type": "object",
        "allOf": [
            {"properties": {"a": INTEGER}, "required": ["a"]},
            {"properties": {"b": {"enum": [1, 2]}}, "required": ["b"]},
        ],
    },
    "a list of itself": {
        "type": "object",
        "properties": {"v": INTEGER, "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
        "required": ["v", "next"],
    },
    "a property like another": {
        "type": "object",
        "properties": {"v": INTEGER, "w": {"$ref": "#/properties/v"}},
        "required": ["v", "w"],
    },
}


@pytest.mark.parametrize("schema", WHOLE.values(), ids=WHOLE)
def test_whole_schemas_are_taken_as_they_are(schema, held):
    """Combinations, references to the root, and schemas that say nothing."""
    values = drawn(schema, random.Random(5), 20)
    for value in values:
        jsonschema.validate(value, schema)
    assert held(schema) is schema
    if "next" in schema.get("properties", {}):
        assert any(value["next"] for value in values)


PASSED_OVER = {
    "not": {"type": "string", "not": {"const": "x"}},
    "lookahead": {"type": "string", "pattern": "^(?!x).*$"},
    "word boundary": {"type": "string", "pattern": "\\bx"},
    "overlapping": {"oneOf": [{"type": "integer"}, {"type": "number"}]},
    "contains": {"type": "array", "items": {"type": "integer"}, "contains": {"const": 5}},
    "dependent": {"type": "object", "properties": {"a": INTEGER, "b": INTEGER}, "dependentRequired": {"a": ["b"]}},
    "if": {"type": "object", "properties": {"a": INTEGER}, "if": {"required": ["a"]}, "then": {"required": ["b"]}},
}


@pytest.mark.parametrize("value", PASSED_OVER.values(), ids=PASSED_OVER)
def test_what_no_grammar_can_say_is_passed_over(value, held):
    """The rest of the schema still holds."""
    schema = around(value)
    kinds = {"type": value.get("type", "number")}
    for arguments in drawn(schema, random.Random(7), 10):
        jsonschema.validate(arguments, around(kinds))
    assert held(schema) is schema


PLAINER = {
    "no regular expression": ({"type": "string", "pattern": "(["}, {"type": "string"}),
    "one of Python's own": ({"type": "string", "pattern": "^a\\Z"}, {"type": "string"}),
    "a range beyond floats": ({"type": "number", "minimum": 1e-9, "maximum": 1e30}, {"type": "number"}),
    "a length that is no integer": ({"type": "string", "maxLength": 5.0}, {"type": "string"}),
    "nothing possible": ({"type": "string", "format": "date", "maxLength": 4}, {"type": "string"}),
    "a reference to elsewhere": ({"$ref": "https://elsewhere.example/x.json"}, {}),
    "no such definition": ({"$ref": "#/$defs/nowhere"}, {}),
    "no such type": ({"type": "text"}, {}),
    "no choice": ({"enum": []}, {}),
}


@pytest.mark.parametrize(("value", "plainer"), PLAINER.values(), ids=PLAINER)
def test_a_schema_that_the_runtime_cannot_read_does_not_set_the_model_free(value, plainer, held, write):
    """A plainer reading takes its place: at least the names of the keys are right."""
    reading = held(around(value))
    assert reading["properties"]["v"] == plainer
    assert reading["properties"].keys() == {"v", "w"}
    assert drawn(reading, random.Random(9), 3)
    assert write(grammar.arguments(reading), max_tokens=8).text.startswith(' {"v": ')


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
    for value in [*VALUES.values(), *WHOLE.values()]:
        before = json.dumps(value)
        grammar.narrowed(value)
        assert json.dumps(value) == before


def test_a_document_is_any_json_value(write):
    """The root need not be an object."""
    schema = {"type": "array", "items": {"enum": ["red", "green"]}, "minItems": 1, "maxItems": 3}
    jsonschema.validate(json.loads(write(grammar.document(schema)).text), schema)
