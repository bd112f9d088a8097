"""What a newcomer types wrongly is refused at once, in words that say what to write."""

from __future__ import annotations

import anyio
import pytest

from agentkit import Agent, Limits, Tool, UsageError
from agentkit.models import ChatCompletions
from agentkit.models.scripted import Scripted, call
from agentkit.stores import SQLite

pytestmark = pytest.mark.anyio


def greet(name: str) -> str:
    """Greet somebody."""
    return f"Hello, {name}!"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"limits": {"steps": 5}}, "limits= takes Limits"),
        ({"limits": 5}, "limits= takes Limits"),
        ({"settings": {"temperature": 0}}, "settings= takes Settings"),
        ({"instructions": None}, "instructions= takes a text"),
        ({"instructions": ["Be brief."]}, "instructions= takes a text"),
        ({"store": "runs.db"}, "agentkit.stores.SQLite"),
        ({"approve": True}, "approve= takes a function"),
        ({"view": len}, "view= takes a list"),
        ({"view": [5]}, "view= takes a list"),
        ({"summariser": len}, "is no model"),
        ({"tools": greet}, "tools= takes a list"),
        ({"tools": None}, "tools= takes a list"),
        ({"tools": "greet"}, "tools= takes a list"),
        ({"model": ChatCompletions}, "is no model"),
        ({"model": "openai:"}, '"openai:MODEL"'),
    ],
)
async def test_a_wrong_part_is_refused_where_the_agent_is_made(wrong, said):
    """An option of another type does not wait for the first run to fail."""
    with pytest.raises(UsageError, match=said):
        Agent(**wrong)


@pytest.mark.parametrize(
    ("question", "options", "said"),
    [
        (42, {}, "a question is text"),
        (b"hi", {}, "a question is text"),
        ([{"role": "user", "content": "hi"}], {}, "history="),
        ([], {}, "the question is empty"),
        (None, {}, "nothing to go on with"),
        (None, {"history": []}, "nothing to go on with"),
        ("hi", {"limits": {"steps": 5}}, "limits= takes Limits"),
        ("hi", {"settings": {"seed": 1}}, "settings= takes Settings"),
        ("hi", {"temperature": 0}, "settings=Settings"),
        ("hi", {"session": ""}, "session= takes a name"),
        ("hi", {"output": {"type": "object"}}, "Tool.from_schema"),
        ("hi", {"output": "an answer in JSON"}, "has no JSON Schema"),
    ],
)
async def test_a_wrong_run_is_refused_before_the_model_is_asked(question, options, said):
    """Nothing is spent on a call that cannot be meant."""
    model = Scripted([])
    with pytest.raises(UsageError, match=said):
        await Agent(model).arun(question, **options)


async def test_a_session_that_is_not_there_cannot_be_resumed(tmp_path):
    """A misspelt session is an error and no empty result."""
    agent = Agent(Scripted([]), store=SQLite(tmp_path / "runs.db"))
    with pytest.raises(UsageError, match="nothing to go on with"):
        await agent.aresume("misspelt")


async def test_decisions_that_are_no_dict_are_refused():
    """`resume(result, True)` says what decisions look like."""
    gated = Tool.from_schema("pay", "Pay.", {"type": "object"}, dict).replace(requires_approval=True)
    agent = Agent(Scripted([[call("pay")]]), [gated])
    waiting = await agent.arun("Pay.")
    with pytest.raises(UsageError, match="by call id"):
        await agent.aresume(waiting, True)


async def test_a_json_schema_as_output_in_the_way_that_the_error_names():
    """`Tool.from_schema(..., dict)` gives what fits the schema."""
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    agent = Agent(Scripted([[call("answer", n="many")], [call("answer", n=3)]]), limits=Limits(corrections=2))
    result = await agent.arun("How many?", output=Tool.from_schema("answer", "Answer.", schema, dict))
    assert result.output == {"n": 3}


async def test_a_stream_read_outside_its_block_says_so():
    """`async for event in agent.astream(...)` does not wait for ever."""
    with anyio.fail_after(5), pytest.raises(UsageError, match="async with"):
        async for _ in Agent(Scripted(["Hello."])).astream("Hi."):
            pass


async def test_a_stream_that_was_left_at_once_ends():
    """Reading on after the block gives no events and does not wait for ever."""
    async with Agent(Scripted(["Hello."])).astream("Hi.") as events:
        pass
    with anyio.fail_after(5):
        assert [event async for event in events] == []
