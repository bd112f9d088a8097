"""Typed output in trouble: values that almost fit, answers cut off, deadlines, several calls at once, odd types."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import anyio
import pytest
from harness import answered, contents, finish
from pydantic import AfterValidator, BaseModel

from agentkit import Agent, Assistant, Limits, NativeOutput, PromptedOutput, Retry, ToolOutput, UsageError, tool
from agentkit.core.events import RetryEvent, TextEvent
from agentkit.core.messages import Usage
from agentkit.models.scripted import Scripted, call

pytestmark = pytest.mark.anyio


class Invoice(BaseModel):
    """An invoice."""

    number: int
    lines: list[str] = []


class Quiet(BaseModel):
    """A model that needs nothing."""

    note: str = ""


class Seat(TypedDict):
    """A typed dict of `typing`, which pydantic alone refuses before Python 3.12."""

    row: int


class Place(NamedTuple):
    """A named tuple."""

    row: int
    name: str = "A"


class Colour(Enum):
    """An enum, whose class can be called."""

    RED = "red"


async def asked(kind: Any, line: Any, *, finish_reason: str = "stop") -> Any:
    """The result of one answer in words, without a second chance."""
    model = Scripted([Assistant(content=line, finish_reason=finish_reason)])
    agent: Agent[Any, Any] = Agent(model, limits=Limits(corrections=0))
    return await agent.arun("go", output=PromptedOutput(kind))


@pytest.mark.parametrize(
    ("kind", "line", "output"),
    [
        (int, '"5"', 5),
        (int, "5.0", 5),
        (Literal["5"], "5", "5"),
        (int | str, "see [1] and [the page](x)", "see [1] and [the page](x)"),
        (int | str, "null", "null"),
        (Invoice, '{"name": "final_result", "arguments": {"number": 7}}', Invoice(number=7)),
        (Seat, '{"row": 3}', {"row": 3}),
        (Place, '{"row": 3}', Place(3)),
        (Iterable[int], "[1, 2]", [1, 2]),
        (Colour, "red", Colour.RED),
        (Any, '{"value": 1, "other": 2}', {"value": 1, "other": 2}),
        ([Invoice, None], "null", None),
    ],
)
async def test_what_says_the_same_is_taken(kind, line, output):
    """By the rules that hold for the arguments of tools."""
    result = await asked(kind, line)
    assert result.output == output
    assert type(result.output) is type(output)


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (int, "true"),
        (int, '{"value": true}'),
        (list[int], "[true]"),
        (float, "NaN"),
        (float, "inf"),
        (float, "1e999"),
        (float, '{"value": Infinity}'),
        (Path, "I do not know where it is."),
        (bytes, "I do not know."),
        (Iterable[int], "none at all"),
        (int | str, " "),
        (Quiet, "null"),
        (Quiet, ""),
        (Quiet, "[]"),
        (date, "It was 2024-02-29."),
    ],
)
async def test_what_says_something_else_is_no_value(kind, line):
    """A boolean is no number, no number is infinite, and a sentence is no path."""
    result = await asked(kind, line)
    assert not result.has_output
    assert result.explanation


@pytest.mark.parametrize(
    ("kind", "line", "whole"),
    [
        (int, "12", False),
        (float, "1.5", False),
        (Literal["no", "not sure"], "no", False),
        (Invoice | str, "There is no inv", False),
        (int, '{"value": 12}', True),
        (list[int], "[1, 2]", True),
        (bool, "true", True),
        (str, '{"value": "no"}', True),
    ],
)
async def test_an_answer_that_was_cut_off_counts_only_where_it_is_whole(kind, line, whole):
    """What stops within a number or a word may have meant another one."""
    result = await asked(kind, line, finish_reason="length")
    assert result.has_output is whole
    assert whole or "shorter" in result.explanation


async def test_a_fault_is_told_without_words_of_ours():
    """A value sent without its wrapper is explained as the value, and so is what a validator raised."""

    def odd(n: int) -> int:
        if n == 2:
            raise Retry("Take an odd one.")
        return {1: n}[n]

    assert (await asked(Annotated[int, AfterValidator(odd)], "2")).explanation == "Take an odd one."
    assert "KeyError" in (await asked(Annotated[int, AfterValidator(odd)], "3")).explanation
    assert (await asked(int, "5.5")).explanation == "value: expected an integer, got 5.5"


async def test_types_that_only_the_caller_knows():
    """Classes of a function may name each other; a class given by its name is not taken for another one."""

    @dataclass
    class Line:
        sku: str

    @dataclass
    class Order:
        lines: list[Line]

    assert (await asked(Order, '{"lines": [{"sku": "a"}]}')).output == Order([Line("a")])

    async def of(kind: type) -> Any:
        Item = type("Item", (BaseModel,), {"__annotations__": {"n": kind}})
        return Item, (await asked(list["Item"], '[{"n": 1}]')).output  # type: ignore[name-defined]

    for kind in (int, float):
        item, [value] = await of(kind)
        assert type(value) is item


async def test_unions_that_are_equal_are_not_the_same():
    """Of two types that fit as well, the first counts, whatever was asked for before."""

    class One(BaseModel):
        n: int

    class Other(BaseModel):
        n: int

    for kinds in ([One, Other], [Other, One]):
        for way in (NativeOutput, PromptedOutput):
            result: Any = await Agent(Scripted(['{"n": 1}'])).arun("go", output=way(kinds))
            assert type(result.output) is kinds[0]


async def test_what_can_be_called_is_a_function():
    """An object with `__call__` makes the output as a function does."""

    class Double:
        """Twice."""

        def __call__(self, n: int) -> int:
            return 2 * n

    with Scripted([call("Double", n=2)]) as model:
        assert (await Agent(model).arun("go", output=Double())).output == 4


@pytest.mark.parametrize(
    "wanted", [[ToolOutput(int)], [Invoice, len], [], type[int], ToolOutput(ToolOutput(int)), {}, 5]
)
async def test_what_is_no_type_is_refused(wanted):
    """In one way, before the model is asked."""
    with pytest.raises(UsageError, match="output="):
        await Agent(Scripted([])).arun("go", output=wanted)


async def test_what_a_human_must_approve_cannot_make_the_output():
    """It would run without anybody being asked."""

    @tool(requires_approval=True)
    def pay(amount: int) -> int:
        raise AssertionError(amount)

    with pytest.raises(UsageError, match=r"output=pay.*approve"):
        await Agent(Scripted([])).arun("go", output=pay)


# ---- several calls, deadlines, crashes ----


async def test_the_first_valid_output_counts():
    """Of several in one answer: a function is called until one is good, never for two at once."""
    ran = []

    async def book(n: int) -> int:
        ran.append(n)
        await anyio.sleep(0.01 / n)
        if n == 1:
            raise Retry("not this one")
        return n

    result = await finish([[call("book", n=n) for n in (1, 2, 5)]], output=book)
    assert result.output == 2
    assert ran[:2] == [1, 2]
    assert 5 not in ran
    assert contents(result)[0] == "not this one"
    assert "accepted already" in contents(result)[2]


@pytest.mark.parametrize("limits", [Limits(tool_calls=1), Limits()])
async def test_an_output_beside_a_call_that_had_no_room_is_not_accepted(limits):
    """It may say that the work was done: the model sees first that it was not."""
    sent = []

    @tool(max_calls=1 if limits.tool_calls is None else None)
    async def send(n: int) -> int:
        sent.append(n)
        return n

    both = [call("send", n=1), call("send", n=2), call("final_result", number=2)]
    result = await finish([both, call("final_result", number=1)], [send], output=Invoice, limits=limits)
    assert (result.output.number, sent) == (1, [1])
    assert result.stop_reason == ("finished" if limits.tool_calls is None else "tool_calls")
    assert "not accepted yet" in contents(result)[2]


@pytest.mark.parametrize("limits", [{"tokens": 5}, {"cost_usd": 0.5}])
async def test_an_output_beside_a_call_that_the_budget_refused_is_accepted_under_its_name(limits):
    """Nobody can be asked again, so the run says why the call was not run."""
    ran = []

    @tool
    async def send(n: int) -> int:
        return ran.append(n)

    usage = Usage(requests=1, output_tokens=9)
    both = Assistant(tool_calls=(call("send", n=1), call("final_result", number=2)), usage=usage, cost_usd=1.0)
    result = await finish([both], [send], output=Invoice, limits=Limits(**limits))
    assert (result.output.number, result.stop_reason, ran) == (2, *limits, [])
    assert "the limit on" in contents(result)[0]
    alone = replace(both, tool_calls=both.tool_calls[1:])
    assert (await finish([alone], [send], output=Invoice, limits=Limits(**limits))).stop_reason == "finished"


async def test_a_run_that_finished_has_nothing_to_explain():
    """What was wrong with earlier answers ended nothing."""
    bad, good = call("final_result", number="x"), call("final_result", number=7)
    assert (await finish([[bad, good]], output=Invoice)).explanation == ""
    assert (await finish(["nonsense", '{"number": 7}'], output=Invoice)).explanation == ""
    assert (await finish([bad], output=Invoice, limits=Limits(corrections=0))).explanation != ""


async def test_every_prefix_of_a_typed_run_finishes_the_same():
    """A crash after any entry, whatever the way."""

    @tool
    async def look(n: int) -> int:
        return n

    lines = [[call("look", n=1), call("final_result", number="x")], call("final_result", number=7)]
    assert (await finish(lines, [look], output=Invoice)).output == Invoice(number=7)
    assert (await finish(["nonsense", '{"number": 7}'], [look], output=NativeOutput(Invoice))).output.number == 7
    cut = Assistant(content="12", finish_reason="length")
    assert (await finish([cut, "1234"], output=PromptedOutput(int))).output == 1234
    assert (await finish([cut], output=PromptedOutput(int), limits=Limits(steps=1))).stop_reason == "steps"


@pytest.mark.parametrize("corrections", [0, 2])
@pytest.mark.parametrize("way", [ToolOutput, NativeOutput, PromptedOutput])
async def test_a_deadline_ends_a_function_that_makes_the_output(way, corrections):
    """It is cut short, the run ends at once and says why, and no call is left open."""

    async def slow(n: int) -> int:
        await anyio.sleep(0.5)
        return n

    line = call("slow", n=1) if way is ToolOutput else '{"n": 1}'
    with anyio.fail_after(20):
        limits = Limits(deadline_s=0.1, corrections=corrections)
        result: Any = await Agent(Scripted([line]), limits=limits).arun("go", output=way(slow))
    assert (result.stop_reason, result.has_output) == ("deadline_s", False)
    assert "deadline" in result.explanation
    assert answered(result)


async def test_an_output_beside_a_call_that_the_deadline_cut_is_not_taken():
    """A call that did not come to its end is a failure, which no output hides."""

    @tool
    async def slow() -> str:
        await anyio.sleep(0.5)
        return ""

    lines = [[call("slow"), call("final_result", number=7)]]
    with anyio.fail_after(20):
        result = await Agent(Scripted(lines), [slow], limits=Limits(deadline_s=0.1)).arun("go", output=Invoice)
    assert (result.stop_reason, result.has_output) == ("deadline_s", False)
    assert answered(result)


# ---- partial objects ----


class Restarting(Scripted):
    """A model whose stream breaks and begins anew."""

    native_tools = False

    async def call(self, request, emit=None):
        answer = await super().call(request)
        assert emit is not None
        for delta in (TextEvent('{"number": 1, "lines": ["one", '), RetryEvent("again"), TextEvent(answer.content)):
            if (wait := emit(delta)) is not None:
                await wait
        return answer


async def test_a_partial_object_forgets_what_was_discarded():
    """After a retry there is nothing of the answer before it."""
    async with Agent(Restarting(['{"number": 2, "lines": ["two"]}'])).astream("go", output=Invoice) as events:
        seen = [event async for event in events]
    at = next(i for i, event in enumerate(seen) if event.kind == "retry")
    shown = [[e.partial for e in part if e.kind == "text" and e.partial] for part in (seen[:at], seen[at:])]
    assert {one.number for one in shown[0]} == {1}
    assert {one.number for one in shown[1]} == {2}
    assert seen[-1].result.output == Invoice(number=2, lines=["two"])
