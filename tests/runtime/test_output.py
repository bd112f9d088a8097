"""Typed output: any type that pydantic understands, and what happens when the model does not meet it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest
from harness import answered, contents
from pydantic import BaseModel, Field

from agentkit import Agent, Limits, RunStopped, UsageError, tool
from agentkit.models.scripted import Scripted, call

pytestmark = pytest.mark.anyio


class Item(BaseModel):
    """A line of an invoice."""

    name: str
    price: float = Field(gt=0)


class Invoice(BaseModel):
    """An invoice."""

    number: int
    items: list[Item]


@dataclass
class Point:
    """A point."""

    x: int
    y: int


INVOICE = {"number": 7, "items": [{"name": "pen", "price": 1.5}]}


@pytest.mark.parametrize(
    ("kind", "sent", "wanted"),
    [
        (Invoice, INVOICE, Invoice(number=7, items=[Item(name="pen", price=1.5)])),
        (Point, {"x": 1, "y": 2}, Point(1, 2)),
        (int, {"value": 5}, 5),
        (list[int], {"value": [1, 2]}, [1, 2]),
        (int | None, {"value": None}, None),
        (Literal["a", "b"], {"value": "a"}, "a"),
        (dict[str, int], {"value": {"a": 1}}, {"a": 1}),
        (bool, {"value": False}, False),
    ],
)
async def test_the_output_arrives_as_the_arguments_of_a_call(kind, sent, wanted):
    """Models, dataclasses, unions, lists and plain values."""
    if kind == dict[str, int]:
        sent = {"a": 1}
    with Scripted([call("final_result", **sent)]) as model:
        result = await Agent(model, output=kind).arun("go")
    assert result.output == wanted
    assert result.stop_reason == "finished"
    assert answered(result)


async def test_the_output_may_arrive_as_json_text():
    """A model that answers in text, fenced or not, is understood."""
    for text in (
        '{"number": 7, "items": []}',
        '```json\n{"number": 7, "items": [],}\n```',
        'Here it is: {"number": 7, "items": []} I hope.',
    ):
        result = await Agent(Scripted([text]), output=Invoice).arun("go")
        assert result.output == Invoice(number=7, items=[])


async def test_a_value_that_does_not_fit_is_sent_back_with_the_exact_fault():
    """Twice by default, then the run ends and says what was wrong."""
    bad = {"number": 7, "items": [{"name": "pen", "price": -1}]}
    with Scripted([call("final_result", **bad), call("final_result", **INVOICE)]) as model:
        result = await Agent(model, output=Invoice).arun("go")
    assert result.output.number == 7
    assert "items[0].price" in contents(result)[0]

    with Scripted([call("final_result", **bad)] * 3) as model:
        result = await Agent(model, output=Invoice).arun("go")
    assert result.stop_reason == "output"
    with pytest.raises(RunStopped, match=r"items\[0\].price") as caught:
        _ = result.output
    assert caught.value.result.messages


async def test_text_that_is_no_json_is_sent_back():
    """The model is told to call the output tool."""
    with Scripted(["I think it is seven.", call("final_result", value=7)]) as model:
        result = await Agent(model, output=int).arun("go")
    assert result.output == 7
    assert "final_result" in model.requests[1].messages[-1].content


async def test_an_output_beside_a_failing_call_is_not_accepted():
    """The failure is seen first."""

    @tool
    async def book() -> str:
        raise ValueError("sold out")

    lines = [[call("final_result", value=1), call("book")], call("final_result", value=2)]
    with Scripted(lines) as model:
        result = await Agent(model, [book], output=int).arun("go")
    assert result.output == 2
    assert "not accepted" in contents(result)[0]


async def test_an_output_beside_a_call_that_succeeds_is_accepted_after_it():
    """The call runs first."""
    ran = []

    @tool
    async def book() -> str:
        ran.append("book")
        return "ok"

    with Scripted([[call("final_result", value=1), call("book")]]) as model:
        result = await Agent(model, [book], output=int).arun("go")
    assert (result.output, ran) == (1, ["book"])


async def test_the_output_tool_stays_on_the_last_request():
    """It is the only one that is offered then."""

    @tool
    async def look(n: int) -> int:
        return n

    lines = [call("look", n=1), call("final_result", value=1)]
    with Scripted(lines) as model:
        result = await Agent(model, [look], output=int, limits=Limits(steps=2)).arun("go")
    assert [[t.name for t in r.tools] for r in model.requests] == [["look", "final_result"], ["final_result"]]
    assert (result.output, result.stop_reason) == (1, "steps")


async def test_a_type_without_a_schema_is_refused():
    """Where the run is asked for, with the type in the message."""
    with pytest.raises(UsageError, match="Schema"):
        await Agent(Scripted([]), output=object()).arun("go")


async def test_output_can_be_asked_for_in_one_run():
    """It wins over the agent's own."""
    result = await Agent(Scripted([call("final_result", x=1, y=2)])).arun("go", output=Point)
    assert result.output == Point(1, 2)
    assert str(result)
