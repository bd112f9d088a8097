"""Every kind of parameter and annotation: what the model is shown, and what arrives in the function."""

# ruff: noqa: B008, D417, F821, UP006, UP044, UP045 - the forms under test

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import json
import pathlib
import sys
import types
import typing
import uuid
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Optional, TypeVar

import anyio
import jsonschema
import pytest
import typing_extensions
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, RootModel, conint

from agentkit.errors import UsageError
from agentkit.tooling.tool import Tool, tool


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mood(enum.StrEnum):
    GOOD = "good"


@dataclasses.dataclass
class Place:
    name: str
    floor: int = 0


class Point(NamedTuple):
    x: int
    y: int = 3


class Day(enum.Enum):
    MONDAY = dt.date(2024, 1, 1)


class Corner(enum.Enum):
    NEAR = (0, 0)
    FAR = (3, 4)


Pair = collections.namedtuple("Pair", "left right")


class Movie(typing.TypedDict):
    title: str
    year: typing.NotRequired[int]


class Shelf(typing_extensions.TypedDict):
    movies: list[Movie]


class Film(typing_extensions.TypedDict, total=False):
    title: typing_extensions.Required[str]
    year: int


class Reel(typing.TypedDict):
    movies: list[Movie]
    sequel: Reel | None


class Item(BaseModel):
    sku: str
    qty: int = 1


class Node(BaseModel):
    value: int
    children: list[Node] = []


class Camel(BaseModel):
    model_config = ConfigDict(extra="allow")
    first_name: str = Field(alias="firstName")


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: int


T = TypeVar("T")
N = TypeVar("N", bound=int)
C = TypeVar("C", int, str)


class Box(BaseModel, Generic[T]):
    content: T


class Names(RootModel[list[str]]):
    pass


UserId = NewType("UserId", int)
JSON = typing_extensions.TypeAliasType("JSON", "dict[str, JSON] | list[JSON] | str | int | None")


def one(hint: Any, default: Any = ...) -> Tool[..., Any]:
    """A tool with one parameter `v` of this type, which returns what arrived."""

    def take(v):
        return Got(v)

    take.__annotations__["v"] = hint
    if default is not ...:
        take.__defaults__ = (default,)
    return tool(take)


class Got:
    """What arrived, kept from becoming text."""

    def __init__(self, value):
        self.value = value


def call(made: Tool[..., Any], arguments: Any):
    """What one call gives, with errors raised."""
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments)

    async def main():
        return await made.call_json(arguments)

    called = anyio.run(main)
    assert not called.is_error, called.content
    return called.value.value if isinstance(called.value, Got) else called.value


def refusal(made: Tool[..., Any], arguments: Any) -> str:
    """What the model is told of arguments that do not fit."""

    async def main():
        return await made.call_json(json.dumps(arguments))

    called = anyio.run(main)
    assert called.outcome == "invalid", called
    return called.content


def schema_of(made: Tool[..., Any], name: str = "v") -> Any:
    """The schema of one parameter, without its place."""
    return made.spec.parameters["properties"][name]


FITS: list[tuple[Any, Any, Any]] = [
    (float, 1, 1.0),
    (bool, True, True),
    (str, "5", "5"),
    (None, None, None),
    (Any, {"a": [1]}, {"a": [1]}),
    (object, [1], [1]),
    (list, [1, "a"], [1, "a"]),
    (dict, {"a": 1}, {"a": 1}),
    (typing.List[int], [1], [1]),
    (dict[int, str], {"1": "a"}, {1: "a"}),
    (typing.Mapping[str, float], {"a": 1}, {"a": 1.0}),
    (typing.Sequence[int], [1, 2], [1, 2]),
    (set[int], [1, 2], {1, 2}),
    (typing.List, [1], [1]),
    (typing.Dict, {"a": 1}, {"a": 1}),
    (typing.LiteralString, "x", "x"),
    (typing.Collection[int], [1], [1]),
    (typing.Iterable[int], [1], [1]),
    (typing.Iterator[int], [1], None),
    (typing.AnyStr, "x", "x"),
    (Annotated[int, "how many"] | None, 1, 1),
    (frozenset[str], ["a"], frozenset("a")),
    (tuple[int, str], [1, "a"], (1, "a")),
    (tuple[int, ...], [1, 2, 3], (1, 2, 3)),
    (tuple, [1], (1,)),
    (Optional[int], None, None),
    (int | str, "4", "4"),
    (int | list[str], ["a"], ["a"]),
    (Literal["a", "b"], "b", "b"),
    (Literal[1, "a", None, True], 1, 1),
    (Literal[Color.RED], "red", Color.RED),
    (Color, "green", Color.GREEN),
    (Level, 2, Level.HIGH),
    (Mood, "good", Mood.GOOD),
    (list[Color], ["red"], [Color.RED]),
    (dict[Color, int], {"red": 1}, {Color.RED: 1}),
    (Day, "2024-01-01", Day.MONDAY),
    (list[Corner], [[3, 4]], [Corner.FAR]),
    (dict[Day, int], {"2024-01-01": 1}, {Day.MONDAY: 1}),
    (Literal[b"x"], "x", b"x"),
    (Shelf, {"movies": [{"title": "x"}]}, {"movies": [{"title": "x"}]}),
    (dt.datetime, "2020-01-02T03:04:05Z", dt.datetime(2020, 1, 2, 3, 4, 5, tzinfo=dt.UTC)),
    (dt.date, "2020-01-02", dt.date(2020, 1, 2)),
    (dt.time, "03:04", dt.time(3, 4)),
    (dt.timedelta, "P1DT2H", dt.timedelta(days=1, hours=2)),
    (Decimal, "1.10", Decimal("1.10")),
    (uuid.UUID, "12345678-1234-5678-1234-567812345678", uuid.UUID("12345678123456781234567812345678")),
    (pathlib.Path, "a/b", pathlib.Path("a/b")),
    (bytes, "hé", "hé".encode()),
    (Place, {"name": "x"}, Place("x")),
    (Point, {"x": 1}, Point(1, 3)),
    (Pair, {"left": 1, "right": "a"}, Pair(1, "a")),
    (Movie, {"title": "x"}, {"title": "x"}),
    (list[Movie], [{"title": "x", "year": 1}], [{"title": "x", "year": 1}]),
    (Optional[Movie], None, None),
    (dict[str, Movie], {"a": {"title": "x"}}, {"a": {"title": "x"}}),
    (
        Reel,
        {"movies": [], "sequel": {"movies": [{"title": "y"}], "sequel": None}},
        {"movies": [], "sequel": {"movies": [{"title": "y"}], "sequel": None}},
    ),
    (Item, {"sku": "a"}, Item(sku="a")),
    (dict[str, Item], {"k": {"sku": "a"}}, {"k": Item(sku="a")}),
    (Node, {"value": 1, "children": [{"value": 2}]}, Node(value=1, children=[Node(value=2)])),
    (list[Node], [{"value": 1}], [Node(value=1)]),
    (Camel, {"firstName": "Ada", "extra": 1}, Camel(firstName="Ada", extra=1)),
    (Annotated[Cat | Dog, Field(discriminator="kind")], {"kind": "dog", "tricks": 2}, Dog(kind="dog", tricks=2)),
    (Cat | Dog, {"kind": "cat", "lives": 9}, Cat(kind="cat", lives=9)),
    (Names, ["a"], Names(["a"])),
    (type("Sub", (Item,), {}), {"sku": "a"}, None),
    (T, {"any": 1}, {"any": 1}),
    (C, "x", "x"),
    (JsonValue, {"a": [1, None]}, {"a": [1, None]}),
    (JSON, {"a": [1, None, "x"]}, {"a": [1, None, "x"]}),
    (Annotated[int, Field(ge=1)], 3, 3),
    (Annotated[list[Annotated[int, Field(ge=1)]], "counts"], [1], [1]),
    (conint(gt=2), 3, 3),
    (typing.Pattern, "a+", None),
    (complex, "1+2j", 1 + 2j),
    (typing_extensions.Annotated[int, typing_extensions.Doc("how many")], 3, 3),
    (type(None) | int, 3, 3),
    (typing.Final[int], 3, 3),
    (typing.Hashable, "x", "x"),
]

CONVERTED: list[tuple[Any, Any, Any]] = [
    (int, "5", 5),
    (int, 5.0, 5),
    (int, "+5", 5),
    (int, "5.0", 5),
    (int, "5e2", 500),
    (float, "+0.5e1", 5.0),
    (list[int], ["1", 2], [1, 2]),
    (dict[str, int], {"a": "1"}, {"a": 1}),
    (set[int], [1, 1, 2], {1, 2}),
    (int | None, "4", 4),
    (dt.timedelta, 90, dt.timedelta(seconds=90)),
    (list[Place], [{"name": "x", "floor": "2"}], [Place("x", 2)]),
    (Point, [1, 2], Point(1, 2)),
    (Film, {"title": "x", "year": "1999"}, {"title": "x", "year": 1999}),
    (list[Item], [{"sku": "a", "qty": "2"}], [Item(sku="a", qty=2)]),
    (Box[int], {"content": "3"}, Box[int](content=3)),
    (UserId, "7", 7),
    (N, "3", 3),
    (Annotated[int, "how many"], "3", 3),
]


REFUSED: list[tuple[Any, Any, str]] = [
    (dt.datetime, "20240101", 'v: expected a date and time (YYYY-MM-DDTHH:MM:SS), got "20240101"'),
    (dt.datetime, 1700000000, "v: expected a date and time (YYYY-MM-DDTHH:MM:SS), got 1700000000"),
    (list[dt.datetime], [1e-7], "v[0]: expected a date and time (YYYY-MM-DDTHH:MM:SS), got 1e-07"),
    (dt.date | None, "86400", 'v: expected a date (YYYY-MM-DD), got "86400"'),
    (dt.time, 10, "v: expected a time (HH:MM:SS), got 10"),
    (Literal[1, 2], True, "v: expected one of 1, 2, got true"),
    (Level, True, "v: expected one of 1, 2, got true"),
]


@pytest.mark.parametrize(("hint", "sent", "arrives"), FITS, ids=lambda value: str(value)[:40])
def test_a_value_that_fits_the_schema_arrives_as_its_annotation_says(hint, sent, arrives):
    """JSON goes in and the annotated type comes out."""
    made = one(hint)
    assert_plain(made.spec.parameters)
    jsonschema.Draft202012Validator(made.spec.parameters).validate({"v": sent})
    got = call(made, {"v": sent})
    assert arrives is None or (got == arrives and type(got) is type(arrives))


@pytest.mark.parametrize(("hint", "sent", "arrives"), CONVERTED, ids=lambda value: str(value)[:40])
def test_a_value_that_says_the_same_in_another_type_is_converted(hint, sent, arrives):
    """Models send numbers as text and the like."""
    got = call(one(hint), {"v": sent})
    assert got == arrives
    assert type(got) is type(arrives)


@pytest.mark.parametrize(("hint", "sent", "told"), REFUSED, ids=lambda value: str(value)[:40])
def test_a_value_that_would_say_something_else_is_refused(hint, sent, told):
    """A bare number is no date (20240101 is a second of August 1970), and `true` is no choice among numbers."""
    called = anyio.run(one(hint).call_json, {"v": sent})
    assert str(called) == told


class Visit(typing.TypedDict):
    guests: int
    at: typing.NotRequired[dt.datetime]
    next: typing.NotRequired[Visit]


@dataclasses.dataclass
class Stay:
    guests: int
    at: dt.datetime | None = None
    price: float = 0.0


class Stop(NamedTuple):
    guests: int
    at: dt.datetime | None = None


@pytest.mark.parametrize("hint", [Visit, Stay, Stop, list[Visit | str], dict[str, Stay]])
@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"guests": True}, "guests: expected an integer, got true"),
        ({"guests": "1_0"}, 'guests: expected an integer, got "1_0"'),
        ({"guests": 1, "at": "20240101"}, 'at: expected a date and time (YYYY-MM-DDTHH:MM:SS), got "20240101"'),
    ],
)
def test_members_are_read_as_parameters_are(hint, sent, told):
    """Those of typed dicts, dataclasses and named tuples, wherever they stand."""
    origin = typing.get_origin(hint)
    called = anyio.run(
        one(hint).call_json, {"v": [sent] if origin is list else {"k": sent} if origin is dict else sent}
    )
    assert str(called).endswith(told)


@pytest.mark.parametrize(
    ("hint", "sent", "told"),
    [
        (Visit, {"guests": 1, "next": {"guests": True}}, "v.next.guests: expected an integer, got true"),
        (Stay, {"guests": 1, "price": "NaN"}, 'v.price: expected a number, got "NaN"'),
    ],
)
def test_members_of_members_are_read_so_too(hint, sent, told):
    """A recursive type; and no number is less than a number."""
    assert str(anyio.run(one(hint).call_json, {"v": sent})) == told


When = typing_extensions.TypeAliasType("When", dt.datetime)


@dataclasses.dataclass
class Rise:
    kind: Literal["rise"]
    at: When
    metres: int


@dataclasses.dataclass
class Fall:
    kind: Literal["fall"]
    at: When
    metres: bool


@pytest.mark.parametrize("union", [Rise | Fall, Annotated[Rise | Fall, Field(discriminator="kind")]])
def test_a_member_of_a_choice_is_converted_where_its_tag_tells_which_one_is_meant(union):
    """As everywhere else: `"2"` is the integer 2."""
    noon = {"at": "2024-01-01T12:00:00Z"}
    sent = [{"kind": "rise", **noon, "metres": "2"}, {"kind": "fall", **noon, "metres": True}]
    made = one(list[union])
    at = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)
    assert call(made, {"v": sent}) == [Rise("rise", at, 2), Fall("fall", at, True)]


def test_what_a_function_of_the_type_makes_of_a_value_is_its_own():
    """`BeforeValidator` may hand on a text for an integer."""
    plain = BeforeValidator(lambda value: value.replace(",", "") if isinstance(value, str) else value)
    assert call(one(Annotated[int, plain]), {"v": "1,000"}) == 1000


def assert_plain(schema: Any) -> None:
    """No titles, no root reference, no definition that nothing points to."""
    jsonschema.Draft202012Validator.check_schema(schema)
    assert "$ref" not in schema
    assert schema["type"] == "object"
    text = json.dumps(schema)
    assert '"title": "V"' not in text
    for name in schema.get("$defs", {}):
        assert f'"#/$defs/{name}"' in text


# --- Kinds of parameters ----------------------------------------------------------------------------------------------


def received(function: Any, arguments: Any) -> Any:
    """What a function that returns a `Got` received."""
    return call(tool(function), arguments)


def test_positional_only_parameters_are_passed_by_position():
    """Python takes them in no other way."""

    def take(a: int, b: int = 2, /, c: int = 3):
        return Got((a, b, c))

    assert received(take, {"a": "1", "c": 4}) == (1, 2, 4)


def test_keyword_only_parameters_are_passed_by_keyword():
    """Also without a star argument."""

    def take(*, a: int, b: int = 2):
        return Got((a, b))

    assert received(take, {"a": 1}) == (1, 2)


def test_parameters_before_star_args_are_passed_by_position():
    """Otherwise `f(r0, *values)` would be bound twice."""

    def take(r0: int, *values: float, last: str = "z"):
        return Got((r0, values, last))

    assert received(take, {"r0": 1, "values": [1, "2.5"]}) == (1, (1.0, 2.5), "z")
    assert received(take, {"r0": 1}) == (1, (), "z")
    schema = tool(take).spec.parameters
    assert schema["required"] == ["r0"]
    assert schema["properties"]["values"]["items"] == {"type": "number"}


def test_keyword_arguments_take_any_further_name_of_their_type():
    """`**kwargs: int` is `additionalProperties`."""

    def take(a: int, **rest: int):
        return Got((a, rest))

    made = tool(take)
    assert made.spec.parameters["additionalProperties"] == {"type": "integer"}
    assert received(take, {"a": 1, "x": "2"}) == (1, {"x": 2})
    assert "x" in refusal(made, {"a": 1, "x": "two"})


def test_star_arguments_without_annotations_take_anything():
    """`*args, **kwargs` of a bare function."""

    def take(*args, **kwargs):
        return Got((args, kwargs))

    assert received(take, {"args": [1, "a"], "k": None}) == ((1, "a"), {"k": None})
    assert received(take, {}) == ((), {})


def test_unpacked_keyword_arguments_are_parameters():
    """`**options: Unpack[Movie]` (PEP 692): what is absent is not passed."""

    def take(**options: typing.Unpack[Movie]):
        return Got(options)

    made = tool(take)
    assert made.spec.parameters["required"] == ["title"]
    assert received(take, {"title": "x"}) == {"title": "x"}
    assert "studio" in refusal(made, {"title": "x", "studio": "y"})


def test_unpacked_positional_arguments_have_a_shape():
    """`*args: *tuple[int, str]` (PEP 646), in both spellings."""

    def starred(*args: *tuple[int, str]):
        return Got(args)

    def spelled(*args: typing.Unpack[tuple[int, str]]):
        return Got(args)

    for take in (starred, spelled):
        assert received(take, {"args": ["1", "a"]}) == (1, "a")
        assert refusal(tool(take), {"args": [1]})


def test_every_kind_at_once():
    """Positional-only, named, starred, keyword-only and further ones."""

    def take(a, /, b, c=3, *args: int, d, e=5, **kw):
        return Got((a, b, c, args, d, e, kw))

    assert received(take, {"a": 0, "b": 1, "args": ["7"], "d": 4, "z": 9}) == (0, 1, 3, (7,), 4, 5, {"z": 9})


def test_a_function_without_parameters_takes_an_empty_object():
    """And its schema still has properties, be they none."""

    def take():
        return Got("called")

    made = tool(take)
    assert made.spec.parameters == {"type": "object", "properties": {}, "additionalProperties": False}
    for nothing in ("{}", "", "null"):
        assert call(made, nothing) == "called"


def test_no_annotations_accept_any_json_value():
    """What is not annotated is passed on as it is."""

    def take(a, b=None):
        return Got((a, b))

    assert received(take, {"a": {"x": [1]}, "b": "t"}) == ({"x": [1]}, "t")
    assert tool(take).spec.parameters["properties"] == {"a": {}, "b": {"default": None}}


@pytest.mark.parametrize(
    "name",
    [
        "model_config",
        "schema",
        "json",
        "cls_",
        "_x",
        "__y",
        "self_",
        "from_",
        "copy",
        "validate",
        "arguments",
        "name",
        "text",
        "title",
        "type",
        "properties",
        "größe",
    ],
)
def test_parameters_may_have_any_name(name):
    """Also those that pydantic or JSON Schema use themselves."""
    space: dict[str, Any] = {"Got": Got}
    exec(f"def take({name}: int, other: list[int] = []): return Got({name})", space)
    made = tool(space["take"])
    assert name in made.spec.parameters["properties"]
    assert call(made, {name: "3"}) == 3
    assert refusal(made, {})


def test_unknown_arguments_are_told_to_the_model():
    """Dropping them silently would hide that the call is not what the model meant."""

    def take(limit: int):
        return Got(limit)

    assert "lmit" in refusal(tool(take), {"limit": 1, "lmit": 2})


# --- Defaults ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hint", "default", "shown"),
    [
        (int, 3, 3),
        (Optional[str], None, None),
        (list[int], [1], [1]),
        (dict[str, int], {}, {}),
        (Color, Color.RED, "red"),
        (dt.date, dt.date(2020, 1, 2), "2020-01-02"),
        (pathlib.Path, pathlib.Path("a"), "a"),
        (Decimal, Decimal("1.5"), "1.5"),
        (Item, Item(sku="a"), {"sku": "a", "qty": 1}),
        (set[int], {1}, [1]),
        (tuple[int, int], (1, 2), [1, 2]),
        (Any, "x", "x"),
        (Point, Point(1), [1, 3]),
        (Place, Place("x"), {"name": "x", "floor": 0}),
    ],
    ids=str,
)
def test_defaults_are_in_the_schema_and_arrive_unchanged(hint, default, shown):
    """The model sees them as JSON; the function gets the very value."""
    made = one(hint, default)
    assert schema_of(made)["default"] == shown
    assert "required" not in made.spec.parameters
    got = call(made, {})
    assert got == default
    assert type(got) is type(default)


@pytest.mark.parametrize("default", [object(), float("inf"), float("nan"), lambda: 1, b"\xff", Got(1)], ids=str)
def test_a_default_that_json_cannot_hold_is_left_out_of_the_schema(default):
    """The parameter is optional all the same."""
    made = one(Any, default)
    assert "default" not in schema_of(made)
    json.dumps(made.spec.parameters, allow_nan=False)
    assert call(made, {}) is default


def test_mutable_defaults_are_not_shared_between_calls():
    """What one call appends is not there in the next."""

    def take(items: list[int] = [], table: dict[str, int] = {}):  # noqa: B006
        items.append(1)
        table["a"] = 1
        return Got((items, table))

    made = tool(take)
    for _ in range(2):
        assert call(made, {}) == ([1], {"a": 1})
    assert schema_of(made, "items")["default"] == []


# --- Field ------------------------------------------------------------------------------------------------------------


def test_a_field_as_default_resolves_describes_and_constrains():
    """`n: int = Field(3, ge=1, description=...)`."""

    def take(n: int = Field(3, ge=1, le=9, description="How many.")):
        """Take.

        Args:
            n: What the docstring says.
        """
        return Got(n)

    made = tool(take)
    assert schema_of(made, "n") == {
        "type": "integer",
        "default": 3,
        "minimum": 1,
        "maximum": 9,
        "description": "How many.",
    }
    assert call(made, {}) == 3
    assert "n" in refusal(made, {"n": 0})


def test_a_field_in_annotated_constrains_and_describes():
    """`n: Annotated[int, Field(ge=1)] = 3`."""

    def take(n: Annotated[int, Field(ge=1, description="How many.")] = 3, m: Annotated[str, Field(max_length=2)] = ""):
        return Got((n, m))

    made = tool(take)
    assert schema_of(made, "n") == {"type": "integer", "default": 3, "minimum": 1, "description": "How many."}
    assert call(made, {}) == (3, "")
    assert refusal(made, {"n": 0})
    assert refusal(made, {"m": "abc"})


def test_a_required_field_is_required():
    """`Field(...)` and `Field()` have no default."""

    def take(a: int = Field(), b: int = Field(..., gt=0)):
        return Got((a, b))

    made = tool(take)
    assert made.spec.parameters["required"] == ["a", "b"]
    assert call(made, {"a": 1, "b": 2}) == (1, 2)


def test_a_default_factory_is_called_for_each_call():
    """And leaves no default in the schema."""

    def take(items: list[int] = Field(default_factory=list)):
        items.append(1)
        return Got(items)

    made = tool(take)
    assert "required" not in made.spec.parameters
    assert call(made, {}) == call(made, {}) == [1]


def test_an_alias_is_the_name_on_the_wire():
    """The model sends the alias; the parameter's own name is taken too."""

    def take(
        from_: str = Field(alias="from"), to: Annotated[str, Field(validation_alias=AliasChoices("to", "dest"))] = "x"
    ):
        return Got((from_, to))

    made = tool(take)
    assert list(made.spec.parameters["properties"]) == ["from", "to"]
    assert call(made, {"from": "a", "dest": "b"}) == ("a", "b")
    assert call(made, {"from_": "a"}) == ("a", "x")


def test_a_described_alias_has_its_docstring_text():
    """The docstring knows the parameter by its own name."""

    def take(from_: str = Field(alias="from")):
        """Take.

        Args:
            from_: Where it comes from.
        """

    assert schema_of(tool(take), "from")["description"] == "Where it comes from."


def test_what_else_a_field_says_is_in_the_schema():
    """Examples, extra keywords and patterns."""

    def take(code: str = Field(pattern="^[A-Z]+$", examples=["AB"], json_schema_extra={"x-note": 1})):
        return Got(code)

    assert schema_of(tool(take), "code") == {"type": "string", "pattern": "^[A-Z]+$", "examples": ["AB"], "x-note": 1}


# --- Descriptions -----------------------------------------------------------------------------------------------------


def test_text_in_annotated_describes():
    """`Annotated[int, "text"]` beats the docstring; a Field beats both."""

    def take(
        a: Annotated[int, "A text."],
        b: Annotated[int, "text", Field(description="A field.")],
        c: int,
        d: Annotated[int, "In a union."] | None = None,
    ):
        """Take.

        Args:
            a: Prose.
            b: Prose.
            c: Prose.
            d: Prose.
        """

    properties = tool(take).spec.parameters["properties"]
    assert [properties[name]["description"] for name in "abcd"] == ["A text.", "A field.", "Prose.", "In a union."]


class Told(typing.TypedDict):
    n: typing.Required[typing_extensions.ReadOnly[Annotated[int, "How many."]]]
    kind: typing.NotRequired[Annotated[str, ..., "Which."]]


@dataclasses.dataclass
class Spoken:
    n: Annotated[int, "How many."]
    kind: Annotated[str, typing_extensions.Doc("Which.")] = ""


class Written(NamedTuple):
    n: Annotated[int, "How many."]
    kind: Annotated[str, "Which."] = ""


class Modelled(BaseModel):
    n: Annotated[int, "How many."]
    kind: Annotated[str, "not this", Field(description="Which.")] = ""


@pytest.mark.parametrize("hint", [Told, Spoken, Written, Modelled])
def test_text_in_annotated_describes_a_member(hint):
    """Pydantic looks at no text of an annotation, and warns of `ReadOnly`: neither is the model's or the user's loss."""
    shown = one(hint).spec.parameters["properties"]["v"]["properties"]
    assert {name: member["description"] for name, member in shown.items()} == {"n": "How many.", "kind": "Which."}


def test_text_in_annotated_describes_an_item():
    """`list[Annotated[str, "text"]]`."""
    shown = one(list[Annotated[str, "A name."]]).spec.parameters["properties"]["v"]
    assert shown == {"type": "array", "items": {"type": "string", "description": "A name."}}


def test_a_deprecated_parameter_is_told_as_one():
    """`Field(deprecated=True)`, without a warning of pydantic's."""
    assert one(str, Field("x", deprecated=True)).spec.parameters["properties"]["v"]["deprecated"] is True


def test_a_docstring_describes_a_model_parameter_better_than_its_class():
    """The class says what it is; the docstring says what it is for."""

    class Order(BaseModel):
        """An order."""

        id: int

    def take(order: Order, other: Order):
        """Take.

        Args:
            order: What to place.
        """

    made = tool(take)
    assert schema_of(made, "order")["description"] == "What to place."
    assert schema_of(made, "other")["description"] == "An order."


def test_a_tool_without_docstring_is_described_by_its_only_model():
    """What the class of the only parameter says is better than nothing."""

    class Query(BaseModel):
        """Search the archive."""

        text: str

    def bare(query: Query): ...

    def own(query: Query):
        """Mine."""

    assert tool(bare).spec.description == "Search the archive."
    assert tool(own).spec.description == "Mine."
    assert tool(lambda place: 1, name="x").spec.description == ""


# --- A single model ---------------------------------------------------------------------------------------------------


def test_a_single_model_is_accepted_with_and_without_its_name():
    """The schema names the parameter; models leave it out at times."""

    def take(order: Item):
        return Got(order)

    made = tool(take)
    assert made.spec.parameters["required"] == ["order"]
    assert call(made, {"order": {"sku": "a"}}) == Item(sku="a")
    assert call(made, {"sku": "a", "qty": 2}) == Item(sku="a", qty=2)


def test_text_is_no_list_of_letters():
    """An iterable of strings is an array; a string in its place is a mistake."""
    said = anyio.run(one(typing.Iterable[str]).call_json, '{"v": "abc"}')
    assert str(said) == 'v: expected an array, got "abc"'


@pytest.mark.parametrize("sent", ["true", '"007"', '"1_000"', '"1,000"', '"0x10"', '"1e300"'])
@pytest.mark.parametrize(
    ("hint", "around"),
    [
        (int, "%s"),
        (float, "%s"),
        (int | None, "%s"),
        (Annotated[int, Field(ge=0)], "%s"),
        (list[int], "[%s]"),
        (tuple[float, int], "[%s, 1]"),
        (dict[str, float], '{"a": %s}'),
    ],
    ids=str,
)
def test_a_number_is_not_guessed(hint, around, sent):
    """A boolean is no 1, and a code or a formatted number may be meant as text."""
    said = anyio.run(one(hint).call_json, f'{{"v": {around % sent}}}')
    assert said.is_error
    assert "expected a" in str(said)


@pytest.mark.parametrize(
    ("hint", "sent", "value"),
    [
        (bool, '"yes"', "true"),
        (bool | None, "1", "true"),
        (list[bool], '["no"]', "[false]"),
        (bool | int, '"1"', "1"),
        (bool | int, "1.0", "1"),
        (float | bool, '"0"', "0.0"),
        (bool | str, '"yes"', "yes"),
        (bool | int, '"yes"', "v: expected a boolean or an integer"),
        (bool | str, "1", "v: expected a boolean or a string"),
    ],
)
def test_a_word_or_a_digit_is_a_boolean_only_where_it_can_be_nothing_else(hint, sent, value):
    """Beside other types a boolean has to be written as one."""

    def take(v):
        return v

    take.__annotations__["v"] = hint
    assert str(anyio.run(tool(take).call_json, f'{{"v": {sent}}}')).partition(",")[0] == value


@pytest.mark.parametrize("sent", ["1e300", "12345678901234567890.0", '"1e17"'])
def test_an_integer_is_not_rounded(sent):
    """A float beyond 2**53 does not hold every digit."""
    assert anyio.run(one(int).call_json, f'{{"v": {sent}}}').is_error


@pytest.mark.parametrize("sent", ['"nan"', '"-inf"', '"1e999"', "1e999", "NaN"])
def test_a_number_is_finite(sent):
    """JSON has no other, so none arrives by way of text or of rounding."""
    said = anyio.run(one(float).call_json, f'{{"v": {sent}}}')
    assert said.is_error
    assert "number" in str(said)


def test_of_several_fields_the_outer_one_describes():
    """An alias may bring its own; who uses the alias knows better."""
    count = Annotated[int, Field(description="a count", ge=1)]
    shown = one(Annotated[count, Field(description="how many")]).spec.parameters["properties"]["v"]
    assert shown == {"type": "integer", "minimum": 1, "description": "how many"}


# --- What cannot be a tool --------------------------------------------------------------------------------------------


class Opaque:
    pass


@pytest.mark.parametrize(
    "hint",
    [
        typing.Callable[[int], str],
        type[int],
        Opaque,
        types.ModuleType,
        "Missing",
        "1 +",
        list["Missing"],
        Generic,
        typing.IO,
    ],
    ids=str,
)
def test_a_type_without_a_schema_is_refused_where_it_is_decorated(hint):
    """The error names the tool, the parameter and what to do."""

    def take(fine: int, wrong): ...

    take.__annotations__["wrong"] = hint
    with pytest.raises(UsageError, match="'take'.*'wrong'") as raised:
        tool(take)
    assert "https://" not in str(raised.value)


def test_an_unresolvable_return_annotation_does_not_matter():
    """Only parameters are evaluated."""

    def take(a: int) -> Missing:
        return Got(a)

    assert received(take, {"a": 1}) == 1


def test_classes_of_the_calling_function_are_found():
    """With postponed annotations a local class is a name that only the caller's frame knows."""

    class Local(BaseModel):
        x: int

    def take(a: Local, b: list[Local] | None = None):
        return Got((a, b))

    assert received(take, {"a": {"x": "1"}}) == (Local(x=1), None)


def test_classes_that_local_classes_name_are_found():
    """Also where the validator is built later, when the caller's frame is gone."""

    def make():
        class Part(BaseModel):
            weight: int

        @dataclasses.dataclass
        class Whole:
            parts: list[Part]
            next: Whole | None = None

        class Entry(typing.TypedDict):
            whole: Whole
            more: typing.NotRequired[list[Entry]]

        return tool(take_entry(Entry)), Part, Whole

    def take_entry(entry):
        def take(a): ...

        take.__annotations__["a"] = entry
        return take

    made, part, whole = make()
    sent = {"whole": {"parts": [{"weight": "2"}]}}
    got = made.validator.validate_json(json.dumps({"a": sent | {"more": [sent]}}))
    assert got == {"a": {"whole": whole([part(weight=2)]), "more": [{"whole": whole([part(weight=2)])}]}}


def test_classes_that_a_closure_holds_are_found():
    """Also after the function that defined them has returned."""

    def make():
        class Inner(BaseModel):
            x: int

        def take(a: Inner):
            return Got(type(a) is Inner)

        return take

    assert received(make(), {"a": {"x": 1}}) is True


def test_type_parameters_of_a_function_are_found():
    """`def take[T: int](a: T)` (PEP 695): they are names that only the function itself knows."""

    def take(a: Own, b: list[Own]):
        return Got((a, b))

    take.__type_params__ = (TypeVar("Own", bound=int),)
    assert received(take, {"a": "1", "b": ["2"]}) == (1, [2])
    if sys.version_info >= (3, 12):
        space: dict[str, Any] = {"Got": Got}
        exec("type Ids = list[int]\ndef take[T: int](a: T, b: Ids): return Got((a, b))", space)
        assert received(space["take"], {"a": "1", "b": ["2"]}) == (1, [2])
