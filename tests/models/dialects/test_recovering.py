"""A model whose server leaves calls and thoughts in the text."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from models.dialects.dialect_samples import SPECS, heard

from agentkit.core.events import RetryEvent, TextEvent, ToolCallEvent
from agentkit.core.messages import Assistant, ToolCall, Usage, User
from agentkit.core.settings import Settings
from agentkit.errors import UsageError
from agentkit.models.dialects import Recovering
from agentkit.models.model import OutputSchema, Request

pytestmark = pytest.mark.anyio

CALL = '<tool_call>{"name": "get_weather", "arguments": {"city": "Oslo"}}</tool_call>'
BARE = '{"name": "get_weather", "arguments": {"city": "Oslo"}}'
NATIVE = ToolCall(id="n1", name="get_time", arguments="{}")
REQUEST = Request(messages=[User(content="Weather?")], tools=SPECS)


class Streams:
    """A model that emits the deltas it was given and returns the answer."""

    def __init__(self, answer, deltas=None):
        self.answer = answer if isinstance(answer, Assistant) else Assistant(content=answer, usage=Usage(requests=1))
        self.deltas = [TextEvent(character) for character in self.answer.content] if deltas is None else deltas

    async def call(self, request, emit=None):
        for delta in self.deltas if emit else ():
            if (wait := emit(delta)) is not None:
                await wait
        return self.answer


async def ask(model, request=REQUEST):
    """The answer, and what a listener has heard of it."""
    deltas = []
    answer = await model.call(request, deltas.append)
    whole = await model.call(request)
    assert brief(whole) == brief(answer), "a stream gives what the whole answer gives"
    content, reasoning, calls = heard(deltas)
    return answer, (content, reasoning, [call.id for call in calls])


def brief(answer):
    """An answer without ids."""
    calls = [(call.name, json.loads(call.arguments), call.recovered) for call in answer.tool_calls]
    return answer.content, answer.reasoning, calls, answer.finish_reason


async def test_a_call_in_the_text_becomes_a_call():
    """It is marked as recovered, announced once, and nothing of it is heard as text."""
    answer, (content, reasoning, announced) = await ask(Recovering(Streams(f"Hm.</think>I look.\n{CALL}")))
    assert brief(answer) == ("I look.", "Hm.", [("get_weather", {"city": "Oslo"}, "hermes")], "tool_calls")
    assert (content, reasoning, announced) == ("I look.", "Hm.", [answer.tool_calls[0].id])


async def test_everything_else_of_the_answer_stays():
    """Usage, cost, the model's name and what the server said beside."""
    inner = Assistant(content=CALL, usage=Usage(requests=1, input_tokens=7), cost_usd=0.5, model="m", extra={"id": "x"})
    answer, _ = await ask(Recovering(Streams(inner)))
    assert answer.usage.input_tokens == 7
    assert (answer.cost_usd, answer.model, answer.extra) == (0.5, "m", {"id": "x"})


async def test_an_answer_without_markup_is_the_very_same():
    """Nothing is copied."""
    inner = Streams("Hello,\n you. ")
    answer, (content, _, _) = await ask(Recovering(inner))
    assert answer is inner.answer
    assert content == "Hello,\n you. "


async def test_auto_leaves_text_alone_where_the_server_has_calls_of_its_own():
    """What looked like a call is text; the listener is told so."""
    inner = Assistant(content=f"Look: {CALL}", tool_calls=(NATIVE,), finish_reason="tool_calls")
    deltas = [*(TextEvent(character) for character in inner.content), ToolCallEvent(NATIVE)]
    for streamed in (deltas, deltas[:-1], [deltas[-1], *deltas[:-1]]):
        answer, (content, _, calls) = await ask(Recovering(Streams(inner, streamed)))
        assert answer.tool_calls == (NATIVE,)
        assert answer.content == content == inner.content
        assert calls == (["n1"] if ToolCallEvent(NATIVE) in streamed else [])


async def test_always_looks_beside_native_calls():
    """The server's calls come first."""
    inner = Assistant(content=f"Look: {CALL}", tool_calls=(NATIVE,), finish_reason="tool_calls")
    deltas = [*(TextEvent(character) for character in inner.content), ToolCallEvent(NATIVE)]
    answer, (content, _, calls) = await ask(Recovering(Streams(inner, deltas), recover="always"))
    assert [call.name for call in answer.tool_calls] == ["get_time", "get_weather"]
    assert content == answer.content == "Look:"
    assert len(calls) == 2


async def test_never_touches_nothing():
    """Not even thoughts."""
    text = f"<think>Hm.</think>{CALL}"
    answer, (content, _, _) = await ask(Recovering(Streams(text), recover="never"))
    assert answer.content == content == text


@pytest.mark.parametrize(
    "request_",
    [replace(REQUEST, tools=()), replace(REQUEST, settings=Settings(tool_choice="none"))],
    ids=["no tools", "no choice"],
)
async def test_without_an_offer_nothing_is_a_call(request_):
    """Thoughts are taken out all the same."""
    answer, _ = await ask(Recovering(Streams(f"<think>Hm.</think>{CALL}")), request_)
    assert (answer.content, answer.reasoning, answer.tool_calls) == (CALL, "Hm.", ())


async def test_calls_without_a_mark_are_off_where_json_was_asked_for():
    """The answer is the JSON; marked calls are still calls."""
    asked = replace(REQUEST, output=OutputSchema("o", {"type": "object"}))
    assert (await ask(Recovering(Streams(BARE)), asked))[0].content == BARE
    assert (await ask(Recovering(Streams(CALL)), asked))[0].tool_calls
    assert (await ask(Recovering(Streams(BARE))))[0].tool_calls


async def test_the_servers_own_reasoning_comes_first():
    """Both are kept."""
    inner = Assistant(content="<think>Two.</think>Hello.", reasoning="One.")
    answer = await Recovering(Streams(inner)).call(REQUEST)
    assert (answer.content, answer.reasoning) == ("Hello.", "One.\n\nTwo.")


async def test_a_retry_of_the_inner_model_begins_again():
    """What came before it does not count."""
    deltas = [TextEvent("Old <tool_c"), RetryEvent("again"), *(TextEvent(character) for character in CALL)]
    answer, (content, _, calls) = await ask(Recovering(Streams(CALL, deltas)))
    assert (content, len(calls), len(answer.tool_calls)) == ("", 1, 1)


async def test_a_model_that_does_not_stream_is_heard_at_its_end():
    """Its text is read once, and told."""
    answer, (content, _, calls) = await ask(Recovering(Streams(f"I look. {CALL}", deltas=[])))
    assert (content, calls) == ("I look.", [answer.tool_calls[0].id])


async def test_a_model_that_streams_another_text_is_corrected():
    """The answer counts."""
    answer, (content, _, _) = await ask(Recovering(Streams("Right.", deltas=[TextEvent("Wrong")])))
    assert answer.content == content == "Right."


async def test_what_is_cut_off_is_no_call():
    """And the reason stays `length`."""
    inner = Assistant(content=f"Yes.\n{CALL}\n{CALL[:-20]}", finish_reason="length")
    answer, _ = await ask(Recovering(Streams(inner)))
    assert brief(answer)[2:] == ([("get_weather", {"city": "Oslo"}, "hermes")], "length")
    assert answer.content == "Yes."


@pytest.mark.parametrize("reason", ["length", "content_filter"])
async def test_what_may_go_on_is_no_call_where_the_answer_was_cut(reason):
    """A closing tag may stand in a value that was cut off after it."""
    text = "<tool_call>get_weather<arg_key>city</arg_key><arg_value>Oslo </tool_call>"
    answer, _ = await ask(Recovering(Streams(Assistant(content=text, finish_reason=reason))))
    assert brief(answer)[2:] == ([], reason)


async def test_an_aborted_answer_gives_no_calls():
    """It is never acted on."""
    answer = await Recovering(Streams(Assistant(content=CALL, aborted=True))).call(REQUEST)
    assert (answer.content, answer.tool_calls) == (CALL, ())


async def test_it_is_a_wrapper():
    """Closing, native output and its looks come from the model inside."""

    class Inner(Streams):
        native_output = True
        closed = False

        async def aclose(self):
            self.closed = True

    inner = Inner("x")
    model = Recovering(inner, family="mistral")
    await model.aclose()
    await Recovering(Streams("x")).aclose()
    assert inner.closed
    assert model.native_output
    assert not Recovering(Streams("x")).native_output
    assert "Recovering(" in repr(model)


@pytest.mark.parametrize("options", [{"recover": "maybe"}, {"family": "nobody's"}])
async def test_a_bad_option_says_what_to_use(options):
    """At once."""
    with pytest.raises(UsageError, match=r"use|name one of"):
        Recovering(Streams("x"), **options)
