"""Tools: on a model that knows none, fewer of them, and what a model can do today."""

from __future__ import annotations

import json

import pytest

from agentkit import Agent, tool
from agentkit.core.messages import ToolSpec, User
from agentkit.core.settings import Settings
from agentkit.errors import ModelNotFound, RequestRefused
from agentkit.models.model import OutputSchema, Request
from agentkit.models.prices import WORKERS_AI, Price
from agentkit.models.workers_ai.catalogue import CATALOGUE, Capabilities, refreshed
from agentkit.testing import FakeWorkersAI, call
from agentkit.testing.scenarios import refused

pytestmark = pytest.mark.anyio

SEA_LION = "@cf/aisingapore/gemma-sea-lion-v4-27b-it"
TEXT = {"type": "object", "properties": {"x": {"type": "string"}}}


@tool
def convert(amount: float, rate: float) -> float:
    """Convert an amount of money."""
    return amount * rate


@pytest.mark.parametrize("how", ["prompted", "native"])
@pytest.mark.parametrize("transport", ["native", "openai"])
@pytest.mark.parametrize("stream", [True, False])
async def test_an_agent_uses_tools(how, transport, stream):
    """In words where the server reads none, on either wire, streamed or not; with cost and neurons."""
    with FakeWorkersAI(call("convert", amount=250, rate=0.5), "It is 125.") as server:
        async with server.model(tools=how, transport=transport) as model:
            agent = Agent(model, tools=[convert])
            if stream:
                async with agent.astream("How much is 250 at 0.5?") as events:
                    result = [event async for event in events][-1].result
            else:
                result = await agent.arun("How much is 250 at 0.5?")
    assert str(result) == "It is 125."
    assert result.cost_usd == pytest.approx(2 * (13 * 0.35 + 8 * 0.56) / 1e6)
    assert "125.0" in json.dumps(server.bodies[1])
    assert ("tools" in server.bodies[0]) == (how == "native")


@pytest.mark.parametrize("stream", [True, False])
async def test_a_model_that_turns_out_to_take_no_tools_is_told_of_them_in_words(stream):
    """At once, and from then on; unless the caller insists."""
    refusal = refused(400, 5006, "AiError: Bad input: this model does not support tools")
    request = Request(messages=[User(content="2 * 3?")], tools=[convert.spec])
    emit = [].append if stream else None
    with FakeWorkersAI(refusal, call("convert", amount=2, rate=3), "Hm.") as server:
        async with server.model("@cf/some/gemma") as model:
            assert model.native_tools
            assert [c.name for c in (await model.call(request, emit)).tool_calls] == ["convert"]
            assert not model.native_tools
            await model.call(request, emit)
    assert ["tools" in body for body in server.bodies] == [True, False, False]
    with FakeWorkersAI(refusal) as server:
        async with server.model("@cf/some/gemma", tools="native") as model:
            with pytest.raises(RequestRefused):
                await model.call(request)


async def test_json_beside_tools_in_words_is_asked_for_in_words():
    """JSON mode would leave no room for a call."""
    schema = OutputSchema("Country", {"type": "object", "properties": {"capital": {"type": "string"}}})
    request = Request(messages=[User(content="Laos?")], tools=[convert.spec], output=schema)
    with FakeWorkersAI('{"capital": "Vientiane"}') as server:
        async with server.model() as model:
            await model.call(request)
    [body] = server.bodies
    assert "response_format" not in body
    assert "capital" in body["messages"][0]["content"]


def test_every_priced_model_has_a_row():
    """Of capabilities, too."""
    assert WORKERS_AI.keys() <= CATALOGUE.keys()


SPECS = tuple(ToolSpec(name, f"Does {name}.", TEXT) for name in ("a", "b", "c", "d", "e", "f"))


def asking(**settings):
    return Request(messages=[User(content="Do b, please")], tools=SPECS, settings=Settings(**settings))


def names(body):
    return [entry["function"]["name"] for entry in body["tools"]]


async def test_fewer_tools_are_shown():
    """The choice is made once a question, keeps their order and what is forced, and may be async."""
    asked = []

    async def trim(messages, tools):
        asked.append(len(tools))
        return [spec for spec in reversed(tools) if spec.name in "bd"]

    with FakeWorkersAI() as server:
        async with server.model(tools="native", trim_tools=trim) as model:
            request = asking()
            await model.call(request)
            await model.call(request)
            await model.call(asking(tool_choice="f"))
    assert [names(body) for body in server.bodies] == [["b", "d"], ["b", "d"], ["b", "d", "f"]]
    assert asked == [6, 6]


async def test_tools_may_be_declared_flat():
    """The schema's older form, on the native wire, the same to the byte in each turn."""
    with FakeWorkersAI(call("convert", amount=2, rate=3), "6.0") as server:
        async with server.model(tools="native", capabilities=Capabilities(flat_tools=True)) as model:
            await Agent(model, tools=[convert]).arun("2 * 3?")
    [declared] = server.bodies[0]["tools"]
    assert declared["name"] == "convert"
    assert declared["parameters"]["properties"].keys() == {"amount", "rate"}
    assert server.bodies[1]["tools"] == [declared]


async def test_a_stream_with_tools_is_not_asked_for_where_it_is_none():
    """Some models answer one only after the end, or in pieces that are lost."""
    with FakeWorkersAI("Done.") as server:
        async with server.model(tools="native", capabilities=Capabilities(streams_tools=False)) as model:
            events = []
            await model.call(asking(), events.append)
    assert "stream" not in server.bodies[0]
    assert [event.text for event in events] == ["Done."]


async def test_the_model_itself_chooses():
    """With names and descriptions before it; what that cost is counted."""
    with FakeWorkersAI(call("choose_tools", names=["b", "unknown"]), "Done.") as server:
        async with server.model(tools="native", trim_tools="auto") as model:
            answer = await model.call(asking())
    assert "Does b." in server.bodies[0]["messages"][0]["content"]
    assert names(server.bodies[1]) == ["b"]
    assert answer.usage.requests == 2
    assert answer.usage.input_tokens == 26


@pytest.mark.parametrize("line", ["I need none.", call("choose_tools", names=["zzz"]), "error-3003"])
async def test_a_choice_that_is_none_leaves_all_tools(line):
    """A convenience never costs a run."""
    with FakeWorkersAI(line, "Done.") as server:
        async with server.model(tools="native", trim_tools="auto") as model:
            await model.call(asking())
    assert len(names(server.bodies[-1])) == 6


async def test_few_tools_are_not_worth_a_question():
    """Below five."""
    with FakeWorkersAI("Done.") as server:
        async with server.model(tools="native", trim_tools="auto") as model:
            await model.call(Request(messages=[User(content="x")], tools=SPECS[:4]))
    assert len(server.bodies) == 1


def priced(what, price):
    """One row of a price."""
    return {"unit": f"per M {what} tokens", "price": price, "currency": "USD"}


@pytest.mark.parametrize(
    "value",
    [None, "1.5", [], [priced("input", 1)], [priced("input", "free"), priced("output", 1)], [priced("audio", 1), 5]],
)
def test_a_price_that_is_not_understood_leaves_the_table_in_force(value):
    """A wrong figure is worse than none."""
    assert refreshed(CATALOGUE[SEA_LION], [{"property_id": "price", "value": value}]).price is None
    assert refreshed(CATALOGUE[SEA_LION], "nothing").context_tokens == 128_000


async def test_capabilities_are_refreshed():
    """By what Cloudflare lists, whose values are mostly texts."""
    properties = [
        {"property_id": "function_calling", "value": "true"},
        {"property_id": "async_queue", "value": "true"},
        {"property_id": "context_window", "value": "262144"},
        {"property_id": "reasoning", "value": "true"},
        {"property_id": "reasoning_effort", "value": {"supported_efforts": ["high", "low"], "mandatory": True}},
        {"property_id": "price", "value": [priced("input", 2), priced("cached input", "0.5"), priced("output", 4)]},
        {"value": "no id"},
        None,
    ]
    listed = [{"id": "uuid", "name": "@cf/other/other"}, {"id": "uuid", "name": SEA_LION, "properties": properties}]
    with FakeWorkersAI(catalogue=listed) as server:
        async with server.model() as model:
            assert model.tools == "prompted"
            can = await model.refresh()
            assert (can.batch, can.context_tokens, model.tools) == (True, 262_144, "native")
            assert (can.reasoning, can.reasoning_efforts) == (True, ("high", "low"))
            assert can.price == Price(2, 4, 0.5)
            answer = await model.call(Request(messages=[User(content="x")]))
            assert answer.cost_usd == pytest.approx((13 * 2 + 8 * 4) / 1e6)
        async with server.model("@cf/none/none") as model:
            with pytest.raises(ModelNotFound):
                await model.refresh()
    assert server.requests[0].method == "GET"
    assert server.requests[0].query == "search=gemma-sea-lion-v4-27b-it&per_page=100"
