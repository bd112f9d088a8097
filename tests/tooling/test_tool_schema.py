"""The schema that the model is shown: clean, complete, and the same whichever way it was made."""

# ruff: noqa: D417, UP007, UP045 - the forms under test

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, Literal, Optional, Union

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from agentkit.tooling.schema import schema_of, simple
from agentkit.tooling.signature import REQUIRED, Parameter, Signature
from agentkit.tooling.tool import tool
from agentkit.tooling.validation import json_schema_of

LITERALS = st.one_of(
    st.lists(st.text(max_size=3), min_size=1, max_size=3, unique=True),
    st.lists(st.integers(-5, 5), min_size=1, max_size=3, unique=True),
    st.lists(st.booleans(), min_size=1, max_size=2, unique=True),
    st.lists(st.none() | st.booleans() | st.integers(2, 5) | st.text(max_size=2), min_size=1, max_size=4, unique=True),
).map(lambda values: Literal[tuple(values)])

COMMON = st.recursive(
    st.sampled_from([str, int, float, bool, type(None), None, Any, object, list, dict]) | LITERALS,
    lambda inner: st.one_of(
        inner.map(lambda hint: list[hint]),
        inner.map(lambda hint: dict[str, hint]),
        inner.map(lambda hint: Optional[hint]),
        st.tuples(inner, inner).map(lambda hints: Union[hints]),
        st.tuples(inner, inner, inner).map(lambda hints: Union[hints]),
    ),
    max_leaves=6,
)
DEFAULTS = st.one_of(
    st.just(REQUIRED),
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=4),
    st.sampled_from([[], {}, [1]]),
)


@settings(deadline=None, max_examples=500)
@example(Union[list, list[Any]], REQUIRED)
@given(COMMON, DEFAULTS)
def test_the_table_gives_what_pydantic_gives(hint, default):
    """So that it is only a short cut."""
    parameter = Parameter(name="v", hint=hint, default=default)
    by_table = schema_of(Signature(parameters=(parameter,)), {}, name="t")
    by_pydantic = json_schema_of(Signature(parameters=(parameter,)), name="t")
    assert by_table == by_pydantic
    jsonschema.Draft202012Validator.check_schema(by_table)


@settings(deadline=None, max_examples=100)
@given(COMMON)
def test_a_schema_of_the_table_is_nobody_elses(hint):
    """Changing one changes no other."""
    first = simple(hint)
    if first is not None:
        before = json.dumps(first)
        first.clear()
        assert json.dumps(simple(hint)) == before


def test_common_types_need_no_pydantic():
    """Making a tool of them imports neither pydantic nor any other heavy package."""
    script = '''
import sys
from typing import Literal
from agentkit.tooling.tool import tool
@tool
def f(a: int, b: list[str] | None = None, c: Literal["x", "y"] = "x", d: dict[str, float] = {}):
    """Do.

    Args:
        a: A.
    """
print([name for name in ("pydantic", "jsonschema", "docstring_parser", "httpx2") if name in sys.modules])
'''
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "[]\n"


class Leaf(BaseModel):
    """A leaf."""

    size: int


class Tree(BaseModel):
    """A tree."""

    leaves: list[Leaf]
    parent: Tree | None = None


def test_models_are_written_out_where_they_stand():
    """No definitions, no titles; only what is recursive keeps a name."""

    def plain(leaf: Leaf, leaves: list[Leaf]) -> None: ...

    def recursive(tree: Tree) -> None: ...

    schema = tool(plain).spec.parameters
    assert "$defs" not in schema
    assert "title" not in json.dumps(schema)
    assert schema["properties"]["leaves"]["items"]["properties"] == {"size": {"type": "integer"}}
    schema = tool(recursive).spec.parameters
    assert set(schema["$defs"]) == {"Tree"}
    assert "$ref" not in schema
    jsonschema.Draft202012Validator(schema).validate({"tree": {"leaves": [], "parent": {"leaves": [{"size": 1}]}}})


def test_parameters_keep_their_order_and_say_which_are_required():
    """Whether the table or pydantic knows them."""

    def take(z: int, leaf: Leaf, a: str = "", *rest: int, key: Leaf, **more: int) -> None:
        """Take.

        Args:
            z: Last letter.
            *rest: The rest.
            **more: And more.
        """

    schema = tool(take).spec.parameters
    assert list(schema["properties"]) == ["z", "leaf", "a", "key", "rest"]
    assert schema["required"] == ["z", "leaf", "key"]
    assert schema["properties"]["rest"] == {
        "type": "array",
        "items": {"type": "integer"},
        "default": [],
        "description": "The rest.",
    }
    assert schema["additionalProperties"] == {"type": "integer", "description": "And more."}


@pytest.mark.parametrize("hint", [Leaf, Tree, int])
def test_a_schema_is_the_same_each_time(hint):
    """Byte for byte, so that prompt caches hold."""

    def take(v: Any) -> None: ...

    take.__annotations__["v"] = hint
    assert json.dumps(tool(take).spec.parameters) == json.dumps(tool(take).spec.parameters)
