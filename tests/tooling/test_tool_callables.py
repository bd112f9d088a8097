"""Whatever can be called can be a tool: functions, methods, objects, partials, wrappers, generators."""

# ruff: noqa: D417, FURB171, UP045 - the forms under test

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
import math
import operator
from typing import Annotated, Any, Optional

import pytest

from agentkit.agent import Agent
from agentkit.core.messages import ToolCall, ToolSpec
from agentkit.errors import UsageError
from agentkit.tooling.context import ToolContext
from agentkit.tooling.tool import Tool, tool
from agentkit.tooling.toolsets import collect

pytestmark = pytest.mark.anyio


async def content(made: Any, **arguments: Any) -> str:
    """The text of one call that succeeds."""
    called = await tool(made).call_json(json.dumps(arguments))
    assert not called.is_error, called.content
    return called.content


class Counter:
    """Counts."""

    def __init__(self) -> None:
        self.count = 0

    @tool
    def add(self, amount: int) -> int:
        """Add to the count."""
        self.count += amount
        return self.count

    @tool(idempotent=True)
    async def read(self) -> int:
        return self.count

    @tool
    @classmethod
    def kind(cls, loud: bool = False) -> str:
        return cls.__name__.upper() if loud else cls.__name__

    @tool
    @staticmethod
    def double(x: int) -> int:
        return 2 * x

    @staticmethod
    @tool
    def triple(x: int) -> int:
        return 3 * x

    @classmethod
    @tool
    def named(cls, x: int) -> str:
        return f"{cls.__name__}{x}"

    @tool
    def odd(this, x: int) -> int:
        return this.count + x

    def plain(self, x: int) -> int:
        """A method without a decorator."""
        return self.count + x

    @classmethod
    def plain_class(cls, x: int) -> str:
        return f"{cls.__name__} {x}"

    @staticmethod
    def plain_static(self: int) -> int:  # noqa: PLW0211 - a parameter that is called self
        return self


class Louder(Counter):
    @tool
    def add(self, amount: int) -> int:
        return super().add(amount * 10)


async def test_a_function_stays_callable():
    """Nothing changes for those who call it themselves."""

    @tool
    def add(a: int, b: int = 2) -> int:
        """Add."""
        return a + b

    assert add(1) == 3
    assert add.__name__ == "add"
    assert add.__doc__ == "Add."
    assert str(inspect.signature(add)) == "(a: 'int', b: 'int' = 2) -> 'int'"
    assert await content(add, a=1) == "3"


async def test_an_async_function_is_awaited():
    """In the event loop, without a thread."""

    @tool
    async def add(a: int) -> int:
        return a + 1

    assert not add.in_thread
    assert await add(1) == 2
    assert await content(add, a=1) == "2"


async def test_a_decorated_method_is_bound_to_its_object():
    """The model does not see `self`; each object has its own tool."""
    one, other = Counter(), Counter()
    assert list(Counter.add.spec.parameters["properties"]) == ["amount"]
    assert await content(one.add, amount=2) == "2"
    assert await content(one.add, amount=3) == "5"
    assert await content(other.add, amount=1) == "1"
    assert one.add(1) == 6
    assert one.add.owner is one
    assert await content(one.read) == "6"
    assert one.read.idempotent


async def test_a_method_under_a_receiver_of_another_name_is_bound_too():
    """Which is known only when it is bound."""
    counter = Counter()
    assert list(counter.odd.spec.parameters["properties"]) == ["x"]
    assert counter.odd.owner is counter
    assert await content(counter.odd, x=4) == "4"


async def test_a_cached_method_is_bound_too():
    """Other descriptors than functions are methods as well."""

    class Kit:
        @tool
        @functools.lru_cache  # noqa: B019 - the form under test
        def add(self, x: int) -> int:
            """Add."""
            return x + 1

    kit = Kit()
    assert list(Kit.add.spec.parameters["properties"]) == ["x"]
    assert kit.add.owner is kit
    assert await content(kit.add, x=1) == "2"


async def test_a_tool_from_elsewhere_is_no_method():
    """As an attribute of a class it stays the tool that it is."""

    class Kit:
        raise_it = tool(power)
        square = tool(functools.partial(power, exponent=2), name="square")
        adder = tool(Adder(3))

    kit = Kit()
    assert list(kit.raise_it.spec.parameters["properties"]) == ["base", "exponent", "modulus"]
    assert await content(kit.raise_it, base=2, exponent=3) == "8"
    assert await content(kit.square, base=3) == "9"
    assert await content(kit.adder, x=1) == "4"


async def test_class_and_static_methods_are_tools_in_either_order_of_decorators():
    """Of the class and of an instance."""
    counter = Counter()
    for source in (Counter, counter):
        assert await content(source.kind, loud=True) == "COUNTER"
        assert await content(source.double, x=2) == "4"
        assert await content(source.triple, x=2) == "6"
        assert await content(source.named, x=2) == "Counter2"
    assert await content(Louder.kind) == "Louder"


async def test_an_overridden_tool_may_call_the_one_it_overrides():
    """`super().add(...)` is an ordinary call."""
    assert await content(Louder().add, amount=2) == "20"


async def test_undecorated_methods_are_tools():
    """Bound, class and static ones."""
    counter = Counter()
    assert await content(counter.plain, x=1) == "1"
    assert await content(Counter.plain_class, x=1) == "Counter 1"
    assert await content(Louder().plain_class, x=1) == "Louder 1"
    assert await content(tool(name="static")(staticmethod(Counter.plain_static)), self=7) == "7"
    assert tool(counter.plain).spec == ToolSpec(
        "plain",
        "A method without a decorator.",
        {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"], "additionalProperties": False},
    )


def test_a_method_without_its_object_is_refused_where_tools_are_collected():
    """The message says what to pass."""
    with pytest.raises(UsageError, match="without its object"):
        collect([Counter.add])


async def test_a_function_of_a_module_may_have_a_parameter_called_self():
    """Only in a class body is it the receiver."""

    def take(self: int, cls: int) -> int:
        return self + cls

    assert await content(take, self=1, cls=2) == "3"


class Adder:
    """Adds to a base."""

    def __init__(self, base: int) -> None:
        self.base = base

    def __call__(self, x: int) -> int:
        return self.base + x


class AsyncAdder(Adder):
    async def __call__(self, x: int) -> int:
        """Add, later."""
        return self.base + x


async def test_callable_objects_are_tools():
    """Named and described by their class, unless `__call__` says something."""
    adder = Adder(3)
    made = tool(adder)
    assert (made.spec.name, made.spec.description) == ("Adder", "Adds to a base.")
    assert made.owner is adder
    assert await content(adder, x=1) == "4"
    later = tool(AsyncAdder(3))
    assert (later.spec.description, later.in_thread) == ("Add, later.", False)
    assert await content(later, x=1) == "4"


def power(base: int, exponent: int, modulus: int | None = None) -> int:
    """Raise a number.

    Args:
        base: What is raised.
        exponent: To which power.
    """
    return pow(base, exponent, modulus)


async def test_what_a_partial_has_filled_is_gone():
    """By keyword and by position; also partials of partials."""
    square = tool(functools.partial(power, exponent=2), name="square")
    assert list(square.spec.parameters["properties"]) == ["base", "modulus"]
    assert square.spec.description == "Raise a number."
    assert square.spec.parameters["properties"]["base"]["description"] == "What is raised."
    assert await content(square, base=5) == "25"
    assert (await square.call_json('{"base": 5, "exponent": 3}')).outcome == "invalid"
    two_to = functools.partial(functools.partial(power, 2), modulus=1000)
    assert tool(two_to).spec.name == "power"
    assert list(tool(two_to).spec.parameters["properties"]) == ["exponent"]
    assert await content(two_to, exponent=10) == "24"


async def test_what_a_partial_has_filled_cannot_be_sent_through_keyword_arguments():
    """Not even where the function takes any name."""

    def send(to: str, *, key: str, **more: str) -> str:
        return f"{to} {key} {more}"

    made = tool(functools.partial(send, key="secret"))
    assert (await made.call_json('{"to": "x", "key": "mine"}')).outcome == "invalid"
    assert "secret" in await content(made, to="x", other="y")


async def test_a_partial_of_a_method_keeps_its_object():
    """So that its calls run one after another."""
    counter = Counter()
    made = tool(functools.partial(counter.plain, x=1), name="one")
    assert made.owner is counter
    assert await content(made) == "1"


async def test_wrapped_functions_show_what_they_wrap():
    """`functools.wraps`, caches, and sync wrappers around async functions."""

    def logged(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)

        return wrapper

    @tool
    @logged
    def add(a: int, b: Annotated[int, "The other."] = 1) -> int:
        """Add."""
        return a + b

    @tool
    @logged
    async def later(a: int) -> int:
        return a

    @tool
    @functools.lru_cache
    def cached(a: int) -> int:
        """Cached."""
        return a

    assert add.spec.parameters["properties"]["b"] == {"type": "integer", "default": 1, "description": "The other."}
    assert await content(add, a=1) == "2"
    assert await content(later, a=1) == "1"
    assert (cached.spec.name, cached.spec.description) == ("cached", "Cached.")
    assert await content(cached, a=1) == "1"


async def test_a_lambda_needs_a_name():
    """With one it is a tool like any other."""
    made = tool(lambda x, y=2: x + y, name="plus")
    assert await content(made, x=1) == "3"
    with pytest.raises(UsageError, match="<lambda>"):
        tool(lambda x: x)


async def test_builtins_are_tools_if_python_knows_their_signature():
    """Others are refused, with what to do."""
    assert await content(math.sqrt, x=9) == "3.0"
    assert await content(operator.add, a=1, b=2) == "3"
    with pytest.raises(UsageError, match="wrap it"):
        tool(type)
    with pytest.raises(UsageError):
        tool(42)


def test_what_wraps_itself_is_refused():
    """A circle of wrappers, an object that has every attribute."""

    def circle(x: int) -> int:
        return x

    circle.__wrapped__ = circle

    class Anything:
        def __getattr__(self, name: str) -> Anything:
            return Anything()

    for wrong in (circle, Anything()):
        with pytest.raises(UsageError):
            tool(wrong)


async def test_classes_are_tools_that_make_instances():
    """A dataclass takes its fields."""

    @dataclasses.dataclass
    class Place:
        name: str
        floor: int = 0

    made = tool(Place)
    assert (made.spec.name, made.spec.description) == ("Place", "")
    assert await content(made, name="x") == '{"name": "x", "floor": 0}'


class Vault:
    @tool
    def look(self) -> str:
        return "gold"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (None, "a function can"),
        (Vault, r"those of an instance: obj\.look$"),
        (Vault(), r"those of an instance: obj\.look$"),
        (Adder, r"an instance can, Adder\(\.\.\.\)"),
        (Agent(), r"agent\.as_tool\(name=\.\.\.\) can"),
        (Agent, r"agent\.as_tool\(name=\.\.\.\) can"),
    ],
)
@pytest.mark.parametrize("take", [tool, lambda given: collect([given])])
def test_what_is_given_in_place_of_a_tool_is_refused_with_what_is_meant(take, given, meant):
    """None from a decorator that returns nothing, the class of a callable object, what only holds tools."""
    with pytest.raises(UsageError, match=meant):
        take(given)


# --- Context ----------------------------------------------------------------------------------------------------------


def plain(ctx: ToolContext[int], x: int) -> str:
    return f"{ctx.deps} {x}"


def optional(x: int, ctx: Optional[ToolContext] = None) -> str:
    return f"{ctx.deps} {x}"


def piped(x: int, *, ctx: ToolContext | None = None) -> str:
    return f"{ctx.deps} {x}"


def annotated(x: int, ctx: Annotated[ToolContext[Any], "the run"]) -> str:
    return f"{ctx.deps} {x}"


def positional(ctx: ToolContext, /, x: int, *more: int) -> str:
    return f"{ctx.deps} {x}"


def typing_only(annotation: str) -> Any:
    """A function whose module imports the context for type checkers only."""
    space: dict[str, Any] = {}
    exec(
        "from __future__ import annotations\n"
        f"def typing_only(x: int, ctx: {annotation} = None) -> str: return f'{{ctx.deps}} {{x}}'",
        space,
    )
    return space["typing_only"]


HIDDEN = [
    typing_only(annotation)
    for annotation in (
        "ToolContext",
        "ToolContext[Deps]",
        "agentkit.ToolContext[Deps] | None",
        "Optional[ToolContext[D]]",
    )
]


def anything(ctx: ToolContext, x: int, **more: Any) -> str:
    return f"{ctx.deps} {x}"


async def later(ctx: ToolContext[int], x: int) -> str:
    return f"{ctx.deps} {x}"


@pytest.mark.parametrize("function", [plain, optional, piped, annotated, positional, anything, later, *HIDDEN])
async def test_a_context_is_injected_and_never_shown_nor_accepted(function):
    """However it is annotated, also where only a type checker imports it."""
    made = tool(function)
    assert "ctx" not in json.dumps(made.spec.parameters)
    assert str(await made.call_json('{"x": 1}', deps=7)) == "7 1"
    refused = await made.call_json('{"x": 1, "ctx": {"deps": 8}}', deps=7)
    assert refused.outcome == "invalid"
    assert "ctx" in refused.content


async def test_a_context_carries_the_call():
    """Its id is the idempotency key."""

    @tool
    def take(ctx: ToolContext) -> str:
        return f"{ctx.call.name} {ctx.idempotency_key} {ctx.step} {ctx.session}"

    context = ToolContext(call=ToolCall(id="c1", name="take", arguments="{}"), step=3, session="s")
    assert str(await take.call_json("{}", context=context)) == "take c1 3 s"


# --- Policy -----------------------------------------------------------------------------------------------------------


def work(a: int) -> int:
    """Work."""
    return a


def test_a_tool_of_a_tool_is_the_same_tool_or_one_with_other_options():
    """And changing one leaves the other as it was."""
    made = tool(work)
    assert tool(made) is made
    changed = tool(made, name="job", timeout_s=2)
    assert (changed.name, changed.timeout_s, changed.spec.parameters) == ("job", 2, made.spec.parameters)
    assert (made.name, made.timeout_s) == ("work", None)
    assert made.replace(description="Other.").spec.description == "Other."
    assert dataclasses.replace(made, retries=3).retries == 3


@pytest.mark.parametrize("name", ["", "a b", "a.b", "ä", "x" * 65, "a\n"])
def test_an_illegal_name_is_refused(name):
    """Servers take letters, digits, `_` and `-`, at most 64."""
    with pytest.raises(UsageError, match="name"):
        tool(work, name=name)
    with pytest.raises(UsageError, match="name"):
        tool(work).replace(name=name)


async def later(*_: Any) -> None:
    """Nothing in a policy is awaited: what is async would be a coroutine, which counts as true."""


@pytest.mark.parametrize(
    "options",
    [
        {"timeout_s": 0},
        {"timeout_s": -1},
        {"retries": -1},
        {"retries": 1.5},
        {"max_calls": 0},
        {"max_output_chars": 0},
        {"timeout_s": "2"},
        {"prepare": later},
        {"requires_approval": later},
        {"spill": later},
        {"strict": "yes"},
        {"description": None},
    ],
)
def test_a_policy_that_cannot_be_is_refused(options):
    """The message names the option."""
    with pytest.raises(UsageError, match=next(iter(options))):
        tool(work, **options)


@pytest.mark.parametrize("wrong", ["search", 3, ["a"]])
def test_what_cannot_be_called_is_refused_with_the_way_to_name_a_tool(wrong):
    """`@tool("search")` is how other libraries give a name."""
    with pytest.raises(UsageError, match=r"cannot be a tool.*@tool\(name=\.\.\.\)"):
        tool(wrong)


def test_an_unknown_option_is_refused():
    """With what there is."""
    with pytest.raises(UsageError, match="timeout_s"):
        tool(work, timeout=3)


def test_examples_are_kept_and_checked():
    """Pairs of words and arguments that the tool takes."""
    made = tool(work, examples=[("Do 3.", {"a": 3})])
    assert made.spec.examples == (("Do 3.", {"a": 3}),)
    for wrong in ([("x",)], [("x", 3)], [("x", {"b": 1})], ["x"]):
        with pytest.raises(UsageError, match="example"):
            tool(work, examples=wrong)


def test_the_entry_of_the_tools_array_is_nested():
    """As chat completions take it, ready for JSON."""
    entry = tool(work).to_openai()
    assert entry["type"] == "function"
    assert entry["function"]["name"] == "work"
    assert entry["function"]["parameters"]["required"] == ["a"]
    json.dumps(entry)


def test_approval_may_depend_on_the_arguments():
    """Defaults included; a question that fails is a reason to ask."""
    from agentkit.tooling.invoke import prepare

    def pay(amount: int = 5) -> None: ...

    made = tool(pay, requires_approval=lambda arguments: arguments["amount"] > 10)
    assert not made.approval_needed(prepare(made, "{}"))
    assert made.approval_needed(prepare(made, '{"amount": "11"}'))
    broken = tool(pay, requires_approval=lambda arguments: arguments["nothing"])
    assert broken.approval_needed(prepare(broken, "{}"))
    assert tool(pay, requires_approval=True).approval_needed(prepare(made, "{}"))


def test_a_tool_is_a_value():
    """It can be kept in sets and as a key, and shows what it is."""
    made = tool(work)
    assert made in {made}
    assert "work" in repr(made)
    assert isinstance(made, Tool)
