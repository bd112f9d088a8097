"""Random signatures: what the schema allows arrives, as its annotation says, in every kind of parameter."""

from __future__ import annotations

import datetime as dt
import inspect
import json
from typing import Any, Literal, NamedTuple, Optional

import anyio
import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from agentkit.tooling.invoke import prepare
from agentkit.tooling.tool import Tool, tool

# ruff: noqa: UP045 - the forms under test


class Case(NamedTuple):
    """A type, a value as JSON, and what shall arrive."""

    hint: Any
    sent: Any
    arrives: Any


class Leaf(BaseModel):
    """A model."""

    size: int
    name: str = "leaf"


def same(hint: Any, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Case]:
    return values.map(lambda value: Case(hint, value, value))


SCALARS = st.one_of(
    same(int, st.integers(-(2**60), 2**60)),
    same(float, st.floats(allow_nan=False, allow_infinity=False)),
    same(str, st.text(max_size=8)),
    same(bool, st.booleans()),
    same(Any, st.none() | st.integers(0, 9) | st.text(max_size=3) | st.lists(st.integers(0, 9), max_size=2)),
    same(Literal["a", "b"], st.sampled_from("ab")),
    st.dates().map(lambda value: Case(dt.date, value.isoformat(), value)),
    st.integers(0, 9).map(lambda value: Case(Leaf, {"size": value}, Leaf(size=value))),
)
CASES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        inner.map(lambda case: Case(list[case.hint], [case.sent], [case.arrives])),
        inner.map(lambda case: Case(dict[str, case.hint], {"k": case.sent}, {"k": case.arrives})),
        inner.map(lambda case: Case(Optional[case.hint], case.sent, case.arrives)),
        inner.map(lambda case: Case(Optional[case.hint], None, None)),
        st.tuples(inner, inner).map(lambda pair: Case(*(part(pair) for part in PAIR))),
    ),
    max_leaves=4,
)
PAIR = (
    lambda pair: tuple[pair[0].hint, pair[1].hint],
    lambda pair: [pair[0].sent, pair[1].sent],
    lambda pair: (pair[0].arrives, pair[1].arrives),
)
KINDS = [inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY]
PARAMETERS = st.lists(st.tuples(CASES, st.sampled_from(KINDS), st.booleans()), max_size=4)


def function_of(parameters: Any, *, star: bool) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """A function with these parameters, the arguments for it, and what it shall receive."""
    ordered = sorted(enumerate(parameters), key=lambda item: (item[1][1], item[1][2] and item[1][1] < KINDS[2]))
    made, sent, received, optional = [], {}, {}, False
    for index, (case, kind, has_default) in ordered:
        # After a default, Python wants defaults, up to the keyword-only ones.
        optional = (optional and kind is not KINDS[2]) or has_default
        default = {"default": "the default"} if optional else {}
        made.append(inspect.Parameter(f"p{index}", kind, annotation=case.hint, **default))
        received[f"p{index}"] = "the default" if has_default else case.arrives
        if not has_default:
            sent[f"p{index}"] = case.sent
    if star:
        at = sum(p.kind is not KINDS[2] for p in made)
        made.insert(at, inspect.Parameter("rest", inspect.Parameter.VAR_POSITIONAL, annotation=int))
        sent["rest"], received["rest"] = [1, 2], (1, 2)
    signature = inspect.Signature(made)

    def take(*args: Any, **kwargs: Any) -> dict[str, Any]:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return dict(bound.arguments)

    take.__signature__ = signature
    return take, sent, received


@settings(deadline=None, max_examples=200)
@given(PARAMETERS, st.booleans())
def test_what_the_schema_allows_arrives_in_every_kind_of_parameter(parameters, star):
    """By position, by keyword, by default; and the text says the same again."""
    function, sent, received = function_of(parameters, star=star)
    made: Tool[..., Any] = tool(function)
    jsonschema.Draft202012Validator(made.spec.parameters).validate(sent)
    called = anyio.run(made.call_json, json.dumps(sent))
    assert called.value == received
    assert not called.repaired
    assert prepare(made, json.dumps(sent)).text == json.dumps(sent)


@settings(deadline=None, max_examples=200)
@given(
    PARAMETERS,
    st.booleans(),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=6,
    ),
)
def test_whatever_is_sent_gets_one_answer(parameters, star, junk):
    """Random JSON never raises, and never reaches the function unless it fits."""
    function, sent, _ = function_of(parameters, star=star)
    made: Tool[..., Any] = tool(function)
    for raw in (
        junk,
        json.dumps(junk),
        json.dumps({**sent, "p0": junk}),
        json.dumps(sent)[:-1],
        json.dumps(sent) + "}",
    ):
        called = anyio.run(made.call_json, raw)
        assert called.outcome in ("ok", "invalid")
        called.content.encode()
