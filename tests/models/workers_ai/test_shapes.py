"""Every shape of answer and every quirk, played by the fake server and read by the model over a real socket."""

from __future__ import annotations

import pytest

from agentkit.core.events import ReasoningEvent, TextEvent, ToolCallEvent
from agentkit.core.messages import ToolSpec, User
from agentkit.errors import MalformedResponse, Unavailable
from agentkit.models.model import Request
from agentkit.models.retrying import Retries
from agentkit.testing import FakeWorkersAI
from agentkit.testing.quirks import QUIRKS, SCENARIOS

pytestmark = pytest.mark.anyio

NOW = Retries(times=1, first_delay_s=0.0)
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
DAY = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}
TOOLS = (ToolSpec("lookup_port", "Port of a city", CITY), ToolSpec("tide", "Tide table", DAY))

PORT, BOTH = ("lookup_port",), ("lookup_port", "tide")
LEAK = '{"name": "lookup_port", "arguments": {"city": "Penang"}}'

READ = {
    # name: text, reasoning, calls, finish reason, (input, output) tokens
    "chat": ("Hai", "", (), "stop", (13, 8)),
    "text": ("Hai", "", (), "stop", (13, 8)),
    "legacy": ("Hai", "", (), "stop", (13, 8)),
    "responses": ("Hai", "Hm.", (), "stop", (13, 8)),
    "chat-calls": ("", "", BOTH, "tool_calls", (13, 8)),
    "legacy-calls": ("", "", BOTH, "tool_calls", (13, 8)),
    "refusal-in-stream": ("No.", "", (), "stop", (0, 0)),
    "responses-calls": ("", "Hm.", BOTH, "tool_calls", (13, 8)),
    "chat-stream": ("Hai semua", "", (), "stop", (13, 8)),
    "legacy-stream": ("Hai semua", "", (), "stop", (13, 8)),
    "responses-stream": ("Hai semua", "Hm.", (), "stop", (13, 8)),
    "chat-stream-calls": ("", "", BOTH, "tool_calls", (13, 8)),
    "legacy-stream-calls": ("", "", BOTH, "tool_calls", (13, 8)),
    "responses-stream-calls": ("", "Hm.", BOTH, "tool_calls", (13, 8)),
    "number-as-response": ("0", "", (), "stop", (13, 8)),
    "object-as-response": ('{"capital": "Vientiane"}', "", (), "stop", (13, 8)),
    "list-as-response": ('["Laos", "Siam"]', "", (), "stop", (13, 8)),
    "object-as-content": ('{"capital": "Vientiane"}', "", (), "stop", (13, 8)),
    "null-response-with-calls": ("", "", PORT, "tool_calls", (13, 8)),
    "legacy-nested-calls": ("", "", PORT, "tool_calls", (0, 0)),
    "flat-calls-in-message": ("", "", PORT, "tool_calls", (13, 8)),
    "null-tool-calls": ("Hai", "", (), "stop", (13, 8)),
    "list-of-null-calls": ("Hai", "", (), "stop", (13, 8)),
    "reasoning-content": ("Hai", "Hm.", (), "stop", (13, 8)),
    "reasoning": ("Hai", "Hm.", (), "stop", (13, 8)),
    "think-without-opening": ("Hai", "Hm.", (), "stop", (13, 8)),
    "no-envelope": ("Hai", "", (), "stop", (13, 8)),
    "double-envelope": ("Hai", "", (), "stop", (0, 0)),
    "logprobs": ("Hai", "", (), "stop", (13, 8)),
    "forced-call-as-text": (LEAK, "", (), "stop", (13, 8)),
    "forced-call-as-parameters": (LEAK.replace("arguments", "parameters"), "", (), "stop", (13, 8)),
    "forced-call-flat": ('{"name": "lookup_port", "city": "Penang"}', "", (), "stop", (13, 8)),
    "forced-call-in-list": (f"[{LEAK}]", "", (), "stop", (13, 8)),
    "forced-call-in-function": (f'{{"function": {LEAK}}}', "", (), "stop", (13, 8)),
    "forced-call-in-tool-calls": (f'{{"tool_calls": [{LEAK}]}}', "", (), "stop", (13, 8)),
    "harmony-leak": ('{"name": "analysis"}', "", (), "stop", (13, 8)),
    "model-length": ("Ha", "", (), "length", (13, 8)),
    "empty": ("", "", (), "stop", (13, 8)),
    "numbers-in-stream": ("10", "", (), "stop", (0, 0)),
    "numbers-in-delta": ("10", "", (), "stop", (0, 0)),
    "padding-chunk": ("Hai", "", (), "stop", (0, 0)),
    "streamed-data": ("Hai", "", (), "stop", (0, 0)),
    "two-finishes-two-dones": ("Hai", "", (), "stop", (0, 0)),
    "early-finish": ("Hai", "", (), "stop", (0, 0)),
    "arguments-before-name": ("", "", PORT, "tool_calls", (0, 0)),
    "same-ids": ("", "", BOTH, "tool_calls", (0, 0)),
    "missing-id": ("", "", PORT, "tool_calls", (0, 0)),
    "missing-index": ("", "", BOTH, "tool_calls", (0, 0)),
    "object-arguments": ("", "", PORT, "tool_calls", (0, 0)),
    "several-calls-in-one-chunk": ("", "", BOTH, "tool_calls", (0, 0)),
    "null-calls-in-stream": ("Hai", "", (), "stop", (0, 0)),
    "end-marker": ("", "", PORT, "tool_calls", (0, 0)),
    "reasoning-in-stream": ("Hai", "Hm.", (), "stop", (0, 0)),
    "changing-chunk-id": ("Hai", "", (), "stop", (0, 0)),
    "malformed-event": ("Hai", "", (), "stop", (0, 0)),
    "json-instead-of-stream": ("Hai", "", (), "stop", (13, 8)),
    "usage-at-the-end": ("Hai", "", (), "stop", (13, 8)),
    "usage-cumulative": ("Hai", "", (), "stop", (13, 8)),
    "usage-in-parts": ("ab", "", (), "stop", (13, 8)),
    "neurons": ("Hai", "", (), "stop", (13, 8)),
}
FAILS = {
    "tool-calls-without-calls": MalformedResponse,
    "broken-off": MalformedResponse,
    "broken-off-in-a-call": MalformedResponse,
    "error-in-stream": Unavailable,
    "errors-in-stream": Unavailable,
}
AGAIN = {"empty-json-instead-of-stream", "think-without-opening-in-stream"}
"""With a test of its own."""
ARGUMENTS = {"lookup_port": '{"city": "Penang"}', "tide": '{"day": "Monday"}'}


async def ask(*script, emit=None, tools=TOOLS, model=None, **settings):
    """One answer to a question, of a model that reads calls natively."""
    with FakeWorkersAI(*script) as server:
        async with server.model(**{"tools": "native", "retries": NOW, **settings}) as asked:
            return await asked.call(Request(messages=[User(content="Port of Penang?")], tools=tools), emit)


def test_every_quirk_has_a_row():
    """A scenario without an expectation would be played for nothing."""
    assert (
        READ.keys() | FAILS.keys() | AGAIN
        == {name for name in SCENARIOS if not name.startswith("error-")} | QUIRKS.keys()
    )


@pytest.mark.parametrize("name", READ)
async def test_an_answer_of_every_shape_is_read(name):
    """Text, thoughts, calls, why it ended and what it used; what was shown adds up to what came."""
    events = []
    streams = SCENARIOS[name].events is not None or name == "json-instead-of-stream"
    answer = await ask(name, emit=events.append if streams else None)
    text, reasoning, calls, reason, used = READ[name]
    assert (answer.content, answer.reasoning, answer.finish_reason) == (text, reasoning, reason)
    assert [(c.name, c.arguments) for c in answer.tool_calls] == [(c, ARGUMENTS[c]) for c in calls]
    assert len({c.id for c in answer.tool_calls}) == len(calls)
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == used
    if streams:
        assert "".join(e.text for e in events if isinstance(e, TextEvent)) == text
        assert "".join(e.text for e in events if isinstance(e, ReasoningEvent)) == reasoning
        assert [e.call.name for e in events if isinstance(e, ToolCallEvent)] == list(calls)


@pytest.mark.parametrize("name", FAILS)
async def test_what_is_no_answer_is_asked_for_again(name):
    """The next try may answer; what was shown of the first is taken back."""
    events = []
    answer = await ask(name, "chat", emit=events.append)
    assert answer.content == "Hai"

    with pytest.raises(FAILS[name]):
        await ask(name, name, emit=[].append)


async def test_thoughts_that_nobody_announced_are_no_part_of_the_answer():
    """A listener heard them as text: nothing in front of them said what they are."""
    answer = await ask("think-without-opening-in-stream", emit=[].append)
    assert (answer.content, answer.reasoning) == ("Hai", "Hm.")


async def test_an_empty_body_instead_of_a_stream_is_asked_for_whole():
    """The second try asks for no stream."""
    with FakeWorkersAI("empty-json-instead-of-stream", "chat") as server:
        async with server.model(retries=NOW) as model:
            await model.call(Request(messages=[User(content="Hi")]), [].append)
        assert [body.get("stream", False) for body in server.bodies] == [True, False]


async def test_neurons_come_from_the_stream_or_the_header():
    """They are what is paid."""
    streamed = await ask("neurons", emit=[].append)
    assert (streamed.usage.neurons, streamed.cost_usd) == (3.1, pytest.approx(3.1 * 0.011 / 1000))
    import dataclasses

    told = dataclasses.replace(SCENARIOS["chat"], headers={"cf-ai-neurons": "2.5"})
    assert (await ask(told)).usage.neurons == 2.5


async def test_logprobs_and_the_rest_are_kept():
    """What has no field of its own is in `extra`."""
    assert (await ask("logprobs")).extra["prompt_logprobs"] == {"0": -0.5}
    stopped = {"choices": [{"index": 0, "delta": {"content": "Hai"}, "finish_reason": "stop", "stop_reason": "###"}]}
    from agentkit.testing import Scenario

    answer = await ask(Scenario(events=[stopped, "[DONE]"]), emit=[].append)
    assert (answer.content, answer.extra["stop_reason"]) == ("Hai", "###")


FORCED = [name for name in QUIRKS if name.startswith("forced-call")]


@pytest.mark.parametrize("name", FORCED)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_forced_call_that_came_as_text_is_a_call(name, stream):
    """In each of its shapes; no listener sees it as text."""
    events = []
    answer = await ask(name, emit=events.append if stream else None, tool_choice="lookup_port")
    assert [(c.name, c.arguments) for c in answer.tool_calls] == [("lookup_port", ARGUMENTS["lookup_port"])]
    assert (answer.content, answer.finish_reason) == ("", "tool_calls")
    assert [e.kind for e in events] == (["tool_call"] if stream else [])


async def test_what_is_no_call_stays_text_although_one_was_forced():
    """Harmony leaks, prose, and other JSON."""
    for script in ("harmony-leak", "chat", '{"city": "Penang"}', "[1, 2]", "[]", "12"):
        events = []
        answer = await ask(script, emit=events.append, tool_choice="required")
        assert not answer.tool_calls
        assert "".join(e.text for e in events if isinstance(e, TextEvent)) == answer.content
