"""What a server refuses in one form is asked in another: once, and from then on."""

from __future__ import annotations

import json
import logging

import anyio
import httpx2
import pytest
from wire.fakes import FakeServer, request

from agentkit import Agent, tool
from agentkit.core.messages import System, User
from agentkit.core.settings import Settings
from agentkit.errors import RequestRefused, UsageError
from agentkit.models import Fallback, Scripted
from agentkit.models.chat_completions.profiles import GENERIC, corrected
from agentkit.models.model import OutputSchema

pytestmark = pytest.mark.anyio

OUTPUT = OutputSchema("City", {"type": "object", "properties": {"city": {"type": "string"}}})
CALL = '```tool_call\n{"name": "add", "arguments": {"a": 2, "b": 3}}\n```'


def said(text, **message):
    """An answer."""
    return {"choices": [{"message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}]}


def refusal(message, status=400, kind="api_error"):
    """An error as OpenAI writes it."""
    return status, json.dumps({"error": {"message": message, "type": kind, "code": None}})


def event(text):
    """A stream of one piece."""
    chunk = {"choices": [{"index": 0, "delta": {"content": text}}]}
    return f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()


NO_TOOLS = {
    "Ollama": refusal("registry.ollama.ai/library/gemma:2b does not support tools"),
    "Ollama, native": (400, b'{"error":"registry.ollama.ai/library/gemma:2b does not support tools"}'),
    "vLLM": (
        400,
        (
            b'{"object":"error","message":"\\"auto\\" tool choice requires --enable-auto-tool-choice and '
            b'--tool-call-parser to be set","type":"BadRequestError","param":null,"code":400}'
        ),
    ),
    "llama.cpp": refusal("tools param requires --jinja flag", 500, "server_error"),
    "llama.cpp, before": (500, b'{"error":{"code":500,"message":"Unsupported param: tools","type":"server_error"}}'),
    "OpenRouter": (404, b'{"error":{"message":"No endpoints found that support tool use. To learn","code":404}}'),
    "Gemini": (
        400,
        (
            b'[{"error":{"code":400,"message":"Function calling is not enabled for models/gemma-3-12b-it",'
            b'"status":"INVALID_ARGUMENT"}}]'
        ),
    ),
    "xAI": (
        400,
        (
            b'{"code":"Client specified an invalid argument","error":"The model does not support tool use or function '
            b'calling but tools or tool_choice have been specified on the request."}'
        ),
    ),
    "Groq": refusal("`tool calling` is not supported with this model", kind="invalid_request_error"),
    "OpenAI": refusal("Unsupported parameter: 'tools' is not supported with this model.", kind="invalid_request_error"),
    "LiteLLM": refusal("UnsupportedParamsError: x does not support parameters: ['tools', 'tool_choice']"),
    "LMDeploy": refusal("Please launch the api_server with --tool-call-parser if you want to use tool."),
    "as an answer": (200, b'{"error":{"message":"tiny does not support tools","type":"api_error"}}'),
    "strict fields": (422, b'{"detail":[{"loc":["body","tools"],"msg":"Extra inputs are not permitted"}]}'),
}


@pytest.mark.parametrize("case", NO_TOOLS)
async def test_a_server_without_tools_is_told_of_them_in_words(case, caplog):
    """At once, without a retry; the next request declares none to begin with, and one line of the log says so."""
    caplog.set_level(logging.INFO)
    server = FakeServer(NO_TOOLS[case], said(CALL), said("5"))
    model = server.model()
    assert model.native_tools
    (call,) = (await model.call(request())).tool_calls
    assert (call.name, json.loads(call.arguments), call.recovered) == ("add", {"a": 2, "b": 3}, "fence")
    await model.call(request())
    first, second, third = server.bodies
    assert "tools" in first
    assert not {"tools", "tool_choice"} & (second.keys() | third.keys())
    assert "get_weather" in second["messages"][0]["content"]
    assert not model.native_tools
    assert len([record for record in caplog.records if record.name == "agentkit.models"]) == 1


NOT_OF_TOOLS = (
    "parallel_tool_calls is not supported with this model",
    "Parallel function calling is not supported",
    "This model does not support parallel tool calls",
    "Thinking mode does not support this tool_choice",
    "does not support tool choice 'required'",
    "No endpoints found that support the provided 'tool_choice' value.",
    "Function name 'x y' is not allowed",
    "Tools are not allowed to have the same name",
    "messages with role 'tool' must be a response to a preceding message with 'tool_calls'",
    "Invalid schema for response_format 'Answer': 'additionalProperties' is required to be false",
)


@pytest.mark.parametrize("message", NOT_OF_TOOLS)
async def test_another_refusal_changes_nothing(message):
    """Raised as it is, after one request."""
    server = FakeServer(refusal(message, kind="invalid_request_error"))
    model = server.model()
    with pytest.raises(RequestRefused):
        await model.call(request())
    assert len(server.bodies) == 1
    assert model.profile is GENERIC


async def test_a_stream_begins_again_before_anything_was_heard():
    """The refusal comes before the first piece."""
    server = FakeServer(NO_TOOLS["Ollama"], event(f"I look.\n{CALL}"))
    deltas = []
    answer = await server.model().call(request(), deltas.append)
    assert [delta.kind for delta in deltas] == ["text", "tool_call"]
    assert (answer.content, len(answer.tool_calls)) == ("I look.", 1)


async def test_what_was_heard_is_not_gone_back_on():
    """A refusal in the midst of a stream is an error of that stream."""
    broken = event("Well,").split(b"data: [DONE]")[0] + b'data: {"error": {"message": "does not support tools"}}\n\n'
    with pytest.raises(RequestRefused):
        await FakeServer(broken).model().call(request(), lambda delta: None)


async def test_runs_that_share_a_model_are_all_answered(caplog):
    """Whoever was refused before or after the first that learned it; each request is refused once at most."""
    caplog.set_level(logging.INFO)
    seen = []

    async def answer(sent):
        seen.append(declared := "tools" in json.loads(sent.content))
        await anyio.sleep(0.01 * (len(seen) % 3))
        status, text = NO_TOOLS["Ollama"] if declared else (200, json.dumps(said(CALL)))
        return httpx2.Response(status, content=text)

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    model = FakeServer().model(http_client=client)
    answers = []

    async def ask():
        answers.append(await model.call(request()))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(ask)
    assert [len(answer.tool_calls) for answer in answers] == [1] * 20
    assert sorted(seen) == [False] * 20 + [True] * (len(seen) - 20)
    assert len(seen) <= 40
    assert sum(record.name == "agentkit.models" for record in caplog.records) == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gemma:2b", "tool_code"),
        ("llama2:7b", '"parameters": <dictionary'),
        ("qwen:4b", "<tool_call>"),
        ("mistral:7b", "[TOOL_CALLS]"),
        ("aisingapore/Gemma-SEA-LION-v4-27B-IT", "tool_code"),
        ("aisingapore/Llama-SEA-LION-v3.5-8B-R", '"parameters": <dictionary'),
        ("aisingapore/Qwen-SEA-LION-v4-32B-IT", "<tool_call>"),
        ("stablelm2", "```tool_call"),
        ("deepseek-r1:7b", "```tool_call"),
    ],
)
async def test_the_form_is_that_of_the_family_of_the_model(name, words):
    """By its name; JSON in a fence for everyone else."""
    server = FakeServer(said("Hm."))
    model = server.model(name=name, tools="prompted")
    await model.call(request(System(content="Be brief."), User(content="2 + 3?")))
    assert words in server.bodies[0]["messages"][0]["content"]
    assert "tools" not in server.bodies[0]
    assert not model.native_tools


async def test_native_tools_can_be_insisted_on():
    """The refusal is raised then, and another model may be asked."""
    server = FakeServer(NO_TOOLS["Ollama"])
    model = server.model(tools="native")
    with pytest.raises(RequestRefused, match="does not support tools"):
        await model.call(request())
    assert len(server.bodies) == 1
    assert (await Fallback([model, Scripted(["Yes."])]).call(request())).content == "Yes."


def test_another_word_for_tools_is_refused():
    """Where the model is made."""
    with pytest.raises(UsageError, match="'auto', 'native' or 'prompted'"):
        FakeServer().model(tools="words")


async def test_the_model_s_own_settings_are_said_in_words():
    """What forces a call is not sent where no tools are."""
    server = FakeServer(said(CALL))
    model = server.model(tools="prompted", tool_choice="add", parallel_tool_calls=False, temperature=0.5)
    await model.call(request())
    (body,) = server.bodies
    assert body["temperature"] == 0.5
    assert not {"tool_choice", "parallel_tool_calls"} & body.keys()
    assert "must call the function add" in body["messages"][-1]["content"]
    assert "one function at a time" in body["messages"][0]["content"]
    with pytest.raises(UsageError, match="'subtract', which is not offered: add, opt"):
        await model.call(request(settings=Settings(tool_choice="subtract")))


NO_SCHEMA = (
    "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
    "This response_format type is unavailable now",
    "Failed to deserialize: response_format.type `json_schema` is unavailable now at line 1 column 12440",
    "This model does not support response format `json_schema`.",
    "JSON mode is not enabled for models/gemma-3-27b-it",
    'response_format type must be one of "text" or "json_object", but got: json_schema',
)


@pytest.mark.parametrize("message", NO_SCHEMA)
async def test_a_server_without_schemas_is_told_of_them_in_words(message):
    """And is not said to enforce any more."""
    server = FakeServer(refusal(message, kind="invalid_request_error"), said('{"city": "Oslo"}'))
    model = server.model()
    answer = await model.call(request(tools=(), output=OUTPUT))
    assert answer.content == '{"city": "Oslo"}'
    assert "response_format" not in server.bodies[1]
    assert '"city"' in server.bodies[1]["messages"][0]["content"]
    assert not model.native_output


async def test_one_request_may_teach_several_things():
    """One after the other, each once; what is refused in every form is raised."""
    answers = (
        refusal("This response_format type is unavailable now"),
        refusal("Developer instruction is not enabled for models/gemma-3-1b-it"),
        refusal("Function calling is not enabled for models/gemma-3-1b-it"),
        refusal("Conversation roles must alternate user/assistant/user/assistant/..."),
    )
    server = FakeServer(*answers, said(CALL))
    model = server.model()
    messages = (System(content="Be brief."), User(content="2 + 3?"), User(content="Well?"))
    assert (await model.call(request(*messages, output=OUTPUT))).tool_calls
    assert [message["role"] for message in server.bodies[-1]["messages"]] == ["user"]
    with pytest.raises(RequestRefused, match="alternate"):
        await FakeServer(*answers, answers[-1]).model().call(request(*messages, output=OUTPUT))


def test_a_profile_learns_by_the_first_lesson():
    """Json beside tools is not tools."""
    said_by_groq = "response_format` json_object cannot be combined with tool/function calling"
    assert not corrected(GENERIC, said_by_groq).output_with_tools
    assert corrected(GENERIC, said_by_groq).native_tools
    assert corrected(GENERIC, "too many tokens") == GENERIC


async def test_an_agent_does_not_notice():
    """Two steps, with the result in between."""

    @tool
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    server = FakeServer(NO_TOOLS["Ollama"], said(CALL), said("It is 5."))
    result = await Agent(tools=[add], model=server.model()).arun("2 + 3?")
    assert result.output == "It is 5."
    assert result.steps == 2
    assert "tool_output add\n5" in server.bodies[-1]["messages"][-1]["content"]
