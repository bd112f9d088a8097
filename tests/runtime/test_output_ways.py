"""The ways to typed output: named ones, functions, texts that are checked, and partial objects on the stream."""

from __future__ import annotations

import functools
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from harness import answered
from pydantic import AfterValidator, BaseModel, StringConstraints

from agentkit import (
    Agent,
    Assistant,
    Limits,
    NativeOutput,
    PromptedOutput,
    Retry,
    RunStopped,
    ToolContext,
    ToolOutput,
    UsageError,
    tool,
)
from agentkit.core.events import PartialEvent, TextEvent, ToolCallEvent, ToolCallGrows
from agentkit.models.scripted import Scripted, call

pytestmark = pytest.mark.anyio


class Invoice(BaseModel):
    """An invoice."""

    number: int
    lines: list[str] = []


class Order(BaseModel):
    """An order."""

    sku: str


GOOD = '{"number": 7, "lines": ["pen"]}'


class Able(Scripted):
    """A scripted model that says what it can."""

    def __init__(self, lines: list[Any], **can: bool) -> None:
        super().__init__(lines)
        self.native_output = can.get("native_output", False)
        self.native_tools = can.get("native_tools", True)


def way(model: Scripted) -> str:
    """How the output was asked for in the first request."""
    request = model.requests[0]
    if request.output is not None:
        return "native"
    if any(spec.name == "final_result" for spec in request.tools):
        return "tool"
    return "prompted" if "JSON Schema" in str(request.messages[0].content) else "text"


@pytest.mark.parametrize(
    ("wanted", "can", "line", "chosen"),
    [
        (Invoice, {}, call("final_result", number=7, lines=["pen"]), "tool"),
        (Invoice, {"native_output": True}, GOOD, "native"),
        (Invoice, {"native_tools": False}, GOOD, "prompted"),
        (Invoice, {"native_tools": False, "native_output": True}, GOOD, "native"),
        (NativeOutput(Invoice), {}, GOOD, "native"),
        (PromptedOutput(Invoice), {"native_output": True}, f"Here:\n```json\n{GOOD}\n```", "prompted"),
        (ToolOutput(Invoice), {"native_output": True}, call("final_result", number=7, lines=["pen"]), "tool"),
    ],
)
async def test_the_way_is_named_or_chosen_by_what_the_model_can(wanted, can, line, chosen):
    """Native where the wire enforces the schema, else a call, else words; a named way wins."""
    with Able([line], **can) as model:
        result = await Agent(model, output=wanted).arun("go")
    assert way(model) == chosen
    assert result.output == Invoice(number=7, lines=["pen"])


@pytest.mark.parametrize(
    ("wanted", "line", "output"),
    [
        (int, "42", 42),
        (int, '{"value": 42}', 42),
        (date, "2024-02-29", date(2024, 2, 29)),
        (Literal["yes", "no"], " yes\n", "yes"),
        (Invoice | str, "There is no invoice in this text.", "There is no invoice in this text."),
        (Invoice | str, GOOD, Invoice(number=7, lines=["pen"])),
        (Invoice | None, "null", None),
        (list[int], "[1, 2]", [1, 2]),
        ([Invoice, Order], '{"value": {"sku": "a"}}', Order(sku="a")),
        ((Invoice, Order), '{"sku": "a"}', Order(sku="a")),
    ],
)
async def test_a_value_is_understood_with_its_wrapper_and_without(wanted, line, output):
    """A model that answers with the bare value, or with a bare text where the type may be one, is not sent back."""
    with Able([line], native_tools=False) as model:
        result = await Agent(model, output=wanted).arun("go")
    assert (result.output, result.steps) == (output, 1)


async def test_a_broken_object_is_never_taken_for_the_text_of_a_union():
    """`Invoice | str` does not mean that JSON which stops in the middle is the answer."""
    with Able(['{"number": 7, "lines": [', GOOD], native_tools=False) as model:
        result = await Agent(model, output=Invoice | str).arun("go")
    assert result.output == Invoice(number=7, lines=["pen"])


# ---- functions ----


async def test_a_function_makes_the_output_of_validated_arguments():
    """It is offered as its own signature says; what it returns is the output."""

    def book(day: date, seats: int = 1) -> str:
        """Book seats.

        Args:
            day: The day of travel.
            seats: How many.
        """
        return f"{seats} on {day:%d.%m.}"

    with Scripted([call("book", day="2026-11-22", seats=2)]) as model:
        result = await Agent(model, output=book).arun("go")
    assert result.output == "2 on 22.11."
    [spec] = model.requests[0].tools
    assert (spec.name, spec.description) == ("book", "Book seats.")
    assert spec.parameters["properties"]["seats"]["description"] == "How many."


@pytest.mark.parametrize("can", [{"native_output": True}, {"native_tools": False}])
async def test_a_function_is_reached_by_json_text_too(can):
    """Where no call can carry its arguments, the answer's text does."""

    async def check(invoice: Invoice) -> int:
        return invoice.number

    with Able([f'{{"invoice": {GOOD}}}'], **can) as model:
        result = await Agent(model, output=check).arun("go")
    assert result.output == 7


async def test_a_function_that_raises_retry_sends_the_answer_back():
    """Twice by default, like any other fault; then the run ends and says why."""

    async def check(invoice: Invoice, context: ToolContext[set[int]]) -> Invoice:
        if invoice.number not in context.deps:
            raise Retry(f"there is no invoice {invoice.number}")
        return invoice

    lines = [call("check", invoice={"number": n}) for n in (1, 2, 3)]
    with Scripted(lines) as model:
        result = await Agent(model, output=check).arun("go", deps={3})
    assert result.output == Invoice(number=3)
    assert "there is no invoice 1" in model.requests[1].messages[-1].content
    assert answered(result)

    with Scripted(lines) as model:
        result = await Agent(model, output=check).arun("go", deps=set())
    assert result.stop_reason == "output"
    with pytest.raises(RunStopped, match="there is no invoice 3"):
        _ = result.output


async def test_a_function_of_one_text_gets_the_answers_text():
    """So a plain answer can be checked, or made into something."""

    def words(text: str) -> list[str]:
        """Split the answer."""
        if "sorry" in text.lower():
            raise Retry("Do not excuse yourself.")
        return text.split()

    with Scripted(["Sorry, no.", "a b"]) as model:
        result = await Agent(model, output=words).arun("go")
    assert result.output == ["a", "b"]
    assert model.requests[0].tools == ()
    assert "excuse" in str(model.requests[1].messages[-1].content)


async def test_a_text_is_checked_by_the_type_itself():
    """`Annotated[str, ...]` is the answer's text, not JSON."""

    def no_excuse(text: str) -> str:
        if "sorry" in text:
            raise Retry("Do not excuse yourself.")
        return text.upper()

    with Scripted(["sorry", "yes"]) as model:
        result = await Agent(model, output=Annotated[str, AfterValidator(no_excuse)]).arun("go")
    assert result.output == "YES"
    with Scripted(["a long answer", "short"]) as model:
        result = await Agent(model, output=Annotated[str, StringConstraints(max_length=5)]).arun("go")
    assert result.output == "short"


async def test_what_a_function_raises_is_told_to_the_model_or_ends_the_run():
    """As with any tool: `on_tool_error` decides, and nothing of the transcript is lost."""

    def strict(n: int) -> int:
        if n < 0:
            raise ArithmeticError("negative")
        return n

    lines = [call("strict", n=-1), call("strict", n=1)]
    with Scripted(lines) as model:
        assert (await Agent(model, output=strict).arun("go")).output == 1
    with pytest.raises(ArithmeticError) as caught:
        await Agent(Scripted(lines), output=strict, on_tool_error="raise").arun("go")
    assert answered(caught.value.result)
    native = Able(['{"n": -1}', '{"n": 1}'], native_output=True)
    with pytest.raises(ArithmeticError) as caught:
        await Agent(native, output=strict, on_tool_error="raise").arun("go")
    assert caught.value.result.entries[-1].kind == "output_refused"


async def test_methods_partials_and_tools_are_functions_too():
    """Whatever can be a tool can make the output."""

    class Desk:
        def sign(self, name: str, seats: int) -> str:
            return f"{self.__class__.__name__}: {name} {seats}"

    @tool(name="close_case")
    def close(n: int) -> int:
        return n * 2

    def both(a: int, b: int) -> int:
        return a + b

    with Scripted([call("sign", name="Ada", seats=2)]) as model:
        assert (await Agent(model, output=Desk().sign).arun("go")).output == "Desk: Ada 2"
    with Scripted([call("close_case", n=2)]) as model:
        assert (await Agent(model, output=close).arun("go")).output == 4
    with Scripted([call("both", b=2)]) as model:
        assert (await Agent(model, output=functools.partial(both, a=1)).arun("go")).output == 3


async def test_a_tool_may_not_have_the_name_of_the_call_that_carries_the_output():
    """Which of the two was meant could not be told."""

    @tool
    def final_result(value: int) -> int:
        return value

    with pytest.raises(UsageError, match="final_result.*rename"):
        await Agent(Scripted([]), [final_result], output=int).arun("go")


async def test_a_list_that_holds_no_types_is_refused():
    """A function stands alone."""
    with pytest.raises(UsageError, match="output="):
        await Agent(Scripted([]), output=[Invoice, lambda: 1]).arun("go")


# ---- partial objects ----


def partials(events: list[Any]) -> list[Any]:
    return [event.partial for event in events if event.kind == "text" and event.partial is not None]


def in_pieces(text: str, size: int) -> list[str]:
    return [text[i : i + size] for i in range(0, len(text), size)]


WANTED = {"number": 1234567, "lines": [f"line {n} of the invoice" for n in range(12)]}
LONG = '{"number": 1234567, "lines": [' + ", ".join(f'"line {n} of the invoice"' for n in range(12)) + "]}"


class Streaming(Able):
    """A model that streams a text in small pieces, or the arguments of a call as an assembler tells of them."""

    async def call(self, request, emit=None):
        answer = await super().call(request)
        assert emit is not None
        for piece in in_pieces(answer.content, 5):
            if (wait := emit(TextEvent(piece))) is not None:
                await wait
        for made in answer.tool_calls:
            begun = Assistant(tool_calls=(made,)).tool_calls[0]
            emit(ToolCallEvent(begun))
            for end in range(0, len(made.arguments), 40):
                grown = type(made)(id=made.id, name=made.name, arguments=made.arguments[:end])
                if (wait := emit(ToolCallGrows(grown))) is not None:
                    await wait
        return answer


@pytest.mark.parametrize("line", [LONG, f"```json\n{LONG}\n```", call("final_result", **WANTED)])
async def test_typed_output_streams_as_partial_objects(line):
    """Each is valid, each holds more than the one before it, and the last text is still the whole answer."""
    can = {"native_tools": isinstance(line, str) is False}
    async with Agent(Streaming([line], **can)).astream("go", output=Invoice) as events:
        seen = [event async for event in events]
    shown = partials(seen)
    assert len(shown) >= 3
    assert all(isinstance(one, Invoice) and one.number == 1234567 for one in shown)
    sizes = [sum(map(len, one.lines)) for one in shown]
    assert sizes == sorted(sizes)
    assert seen[-1].result.output == Invoice(**WANTED)
    if isinstance(line, str):
        assert "".join(e.text for e in seen if e.kind == "text") == line


@pytest.mark.parametrize("line", ["[{}]", '{{"value": [{}]}}', "As [the invoice] says: [{}]"])
async def test_a_list_streams_with_its_wrapper_and_without(line):
    """A mark in the words before it is none."""
    lines = WANTED["lines"]
    text = line.format(", ".join(f'"{one}"' for one in lines))
    async with Agent(Streaming([text], native_tools=False)).astream("go", output=list[str]) as events:
        seen = [event async for event in events]
    shown = partials(seen)
    assert len(shown) >= 3
    assert all("".join(lines).startswith("".join(one)) for one in shown)
    assert seen[-1].result.output == lines


@pytest.mark.parametrize("line", [LONG, call("final_result", **WANTED)])
async def test_typed_output_of_a_model_that_emits_nothing_is_shown_once(line):
    """A page that draws partial objects draws every model's."""

    class Quiet(Able):
        async def call(self, request, emit=None):
            return await super().call(request)

    can = {"native_tools": not isinstance(line, str)}
    async with Agent(Quiet([line], **can)).astream("go", output=Invoice) as events:
        assert partials([event async for event in events]) == [Invoice(**WANTED)]


async def test_a_number_that_may_still_grow_is_not_shown():
    """A partial object is never a wrong one."""
    shown = []
    for cut in range(len(LONG)):
        agent = Agent(Streaming([LONG[:cut] or "x", LONG], native_tools=False), limits=Limits(corrections=1))
        async with agent.astream("go", output=Invoice) as events:
            shown += partials([event async for event in events])
    assert {one.number for one in shown} == {1234567}


async def test_no_partial_object_is_shown_to_who_asked_for_text():
    """And functions see the whole only."""
    seen = []

    def check(number: int, lines: list[str]) -> int:
        seen.append(number)
        return len(lines)

    async with Agent(Streaming([LONG])).astream("go") as events:
        assert partials([event async for event in events]) == []
    async with Agent(Streaming([LONG], native_tools=False)).astream("go", output=check) as events:
        assert not [event async for event in events if isinstance(event, PartialEvent)]
    assert seen == [1234567]


async def test_reading_a_growing_object_costs_no_more_than_a_few_readings_of_the_whole():
    """A megabyte in small pieces is read some dozen times, not a hundred thousand times."""
    rows = ", ".join(f'"{n:06d}"' for n in range(20_000))
    line = f'{{"number": 1, "lines": [{rows}]}}'
    async with Agent(Streaming([line], native_tools=False)).astream("go", output=Invoice) as events:
        shown = partials([event async for event in events])
    assert 20 < len(shown) < 120
