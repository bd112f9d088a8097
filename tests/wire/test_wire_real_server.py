"""A REAL llama.cpp server, over real sockets: answers, streams, enforced JSON, errors."""

from __future__ import annotations

import json

import anyio
import pytest
from llama_server import llama_server  # noqa: F401 - a fixture
from pydantic import BaseModel

from agentkit import Agent
from agentkit.core.events import TextEvent
from agentkit.core.messages import Assistant, System, ToolCall, ToolResult, ToolSpec, User
from agentkit.core.settings import Settings
from agentkit.errors import ContextTooLong, RequestRefused, UsageError
from agentkit.models.chat_completions import profiles
from agentkit.models.chat_completions.model import ChatCompletions
from agentkit.models.model import OutputSchema, Request

pytestmark = pytest.mark.anyio

QUESTION = User(content="What is the capital of France?")
ADD = ToolSpec("add", "Add.", {"type": "object", "properties": {"a": {"type": "integer"}}})
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.fixture
def model(llama_server):  # noqa: F811 - the fixture
    """Repeatable and short."""
    return ChatCompletions(
        "smollm2", base_url=llama_server, profile=profiles.LLAMACPP, temperature=0.0, max_tokens=16, retries=0
    )


async def test_a_whole_answer(model):
    """Text, tokens, the model's name."""
    async with model:
        answer = await model.call(Request(messages=[System(content="Be short."), QUESTION]))
    assert answer.content.strip()
    assert answer.finish_reason in {"stop", "length"}
    assert answer.usage.input_tokens > 10
    assert 0 < answer.usage.output_tokens <= 16
    assert answer.model == "smollm2"


async def test_a_stream_says_what_the_whole_answer_says(model):
    """Piece by piece, with its usage."""
    async with model:
        request = Request(messages=[QUESTION])
        whole, deltas = await model.call(request), []
        streamed = await model.call(request, deltas.append)
    assert streamed.content == whole.content == "".join(one.text for one in deltas)
    assert len(deltas) > 3
    assert all(isinstance(one, TextEvent) for one in deltas)
    assert (streamed.usage.output_tokens, streamed.finish_reason) == (whole.usage.output_tokens, whole.finish_reason)


async def test_json_is_enforced(model):
    """`response_format` with a schema: whole and streamed."""
    schema = OutputSchema("person", PERSON)
    request = Request(
        messages=[User(content="Ann is 31 years old. Her name and age as JSON:")],
        output=schema,
        settings=Settings(max_tokens=60),
    )
    async with model:
        for emit in (None, lambda _: None):
            answer = await model.call(request, emit)
            person = json.loads(answer.content)
            assert (type(person["name"]), type(person["age"])) == (str, int)


class Person(BaseModel):
    name: str
    age: int


async def test_an_agent_gets_a_typed_output(model):
    """Enforced by the server, validated by us."""
    async with model:
        agent = Agent(model, output=Person, settings=Settings(max_tokens=60))
        result = await agent.arun("Ann is 31 years old. Her name and age?")
    assert isinstance(result.output, Person)


async def test_a_history_with_calls_is_taken(model):
    """As our encoder writes it, with tools declared."""
    call = ToolCall(id="own0", name="add", arguments='{"a": 1}', provider_id=None)
    history = [
        QUESTION,
        Assistant(tool_calls=(call,), finish_reason="tool_calls"),
        ToolResult(call_id="own0", name="add", content="Paris"),
    ]
    async with model:
        answer = await model.call(Request(messages=history, tools=[ADD]))
    assert answer.usage.requests == 1


async def test_a_conversation_that_does_not_fit(model):
    """The server's numbers."""
    async with model:
        with pytest.raises(ContextTooLong) as caught:
            await model.call(Request(messages=[User(content="word " * 4000)]))
    assert caught.value.limit_tokens == 2048
    assert caught.value.requested_tokens > 4000


async def test_an_error_body(model):
    """With its code, and the server's words."""
    async with model:
        with pytest.raises(RequestRefused, match="messages") as caught:
            await model.call(Request(messages=[QUESTION], settings=Settings(extra={"messages": 5})))
    assert (caught.value.status, caught.value.code) == (400, "invalid_request_error")


async def test_a_cancel_in_the_middle_of_a_stream(model):
    """The server stops, and answers the next request."""
    async with model:
        deltas = []
        with anyio.CancelScope() as scope:

            def listen(delta):
                deltas.append(delta)
                scope.cancel()

            await model.call(Request(messages=[QUESTION], settings=Settings(max_tokens=200)), listen)
        assert scope.cancelled_caught
        assert len(deltas) < 100
        assert (await model.call(Request(messages=[QUESTION]))).content


def test_a_wrong_setting_is_refused_before_any_request(llama_server):  # noqa: F811 - the fixture
    """Where it is made."""
    with pytest.raises(UsageError, match="did you mean max_tokens"):
        ChatCompletions("smollm2", base_url=llama_server, max_token=5)
