"""The embedded model behind the one method of a model. Everything here runs the real weights."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from models.local.probe_questions import CLOCK, TOOLS

from agentkit.core.messages import Assistant, System, ToolResult, ToolSpec, User
from agentkit.core.settings import Settings
from agentkit.errors import RequestRefused, UsageError
from agentkit.models.local import Local
from agentkit.models.model import OutputSchema, Request

pytestmark = pytest.mark.anyio

QUESTION = "What is 23 * 47?"


@pytest.fixture
def anyio_backend():
    """What is said does not depend on the loop: `test_local_engine.py` runs on each."""
    return "asyncio"


def ask(text, *more, tools=TOOLS, output=None, **settings):
    return Request(messages=(User(content=text), *more), tools=tools, output=output, settings=Settings(**settings))


def result_of(answer, *contents, outcome="ok"):
    calls = zip(answer.tool_calls, contents, strict=True)
    return [ToolResult(call_id=call.id, name=call.name, content=content, outcome=outcome) for call, content in calls]


async def test_a_calculation_becomes_a_call(local):
    """A question that a tool is for is answered by an ordinary tool call."""
    answer = await local.call(ask(QUESTION))
    (call,) = answer.tool_calls
    assert (call.name, json.loads(call.arguments)) == ("calculator", {"expression": "23*47"})
    assert (answer.finish_reason, answer.content, call.truncated) == ("tool_calls", "", False)


async def test_a_result_becomes_a_sentence_that_quotes_it(local):
    """After the result the answer says it, word for word."""
    first = await local.call(ask(QUESTION))
    answer = await local.call(ask(QUESTION, first, *result_of(first, "1081")))
    assert "1081" in answer.content
    assert answer.tool_calls == ()
    assert answer.finish_reason == "stop"


async def test_two_questions_become_two_calls_and_two_sentences(local):
    """A message that plainly asks two things is taken apart, and each result is told for its part."""
    text = "What is 23 * 47? And what time is it in Seoul?"
    first = await local.call(ask(text))
    assert [call.name for call in first.tool_calls] == ["calculator", "clock"]
    assert len({call.id for call in first.tool_calls}) == 2
    answer = await local.call(ask(text, first, *result_of(first, "1081", "21:05")))
    assert "1081" in answer.content
    assert "21:05" in answer.content


async def test_one_call_at_a_time_if_so_asked(local):
    """With parallel_tool_calls=False the second call comes after the first result."""
    text = "What is 23 * 47? And what time is it in Seoul?"
    first = await local.call(ask(text, parallel_tool_calls=False))
    assert [call.name for call in first.tool_calls] == ["calculator"]
    second = await local.call(ask(text, first, *result_of(first, "1081"), parallel_tool_calls=False))
    assert [call.name for call in second.tool_calls] == ["clock"]
    rest = (*result_of(first, "1081"), second, *result_of(second, "21:05"))
    assert "21:05" in (await local.call(ask(text, first, *rest, parallel_tool_calls=False))).content


async def test_a_word_problem_is_not_taken_apart(local):
    """Sentences that only make sense together stay together."""
    answer = await local.call(ask("A box holds 24 eggs. How many eggs are in 5 boxes?"))
    assert len(answer.tool_calls) == 1


async def test_small_talk_calls_nothing(local):
    """A greeting is chat."""
    answer = await local.call(ask("Hello there!", max_tokens=20))
    assert answer.tool_calls == ()
    assert answer.content


async def test_a_failed_call_is_told_as_it_is(local):
    """The model makes nothing up when a tool failed."""
    first = await local.call(ask("What is 12 / 0?"))
    answer = await local.call(ask("What is 12 / 0?", first, *result_of(first, "division by zero", outcome="error")))
    assert answer.content == "calculator failed: division by zero"


async def test_a_long_result_is_answered_by_its_best_passage(local):
    """Of many lines, one that belongs to the question is quoted."""
    pages = [
        f"{number}. Page {number} speaks about {topic}, at length."
        for number, topic in enumerate(
            [
                "gardening and roses",
                "the tides of the sea",
                "the Eiffel Tower, built in 1889 in Paris",
                "old trains",
                "cooking rice well",
                "the moons of Jupiter",
                "carpets from Persia",
                "chess openings",
                "knitting",
                "bread",
            ]
        )
    ]
    text = "When was the Eiffel Tower built?"
    first = await local.call(ask(text, tool_choice="web_search"))
    answer = await local.call(ask(text, first, *result_of(first, "\n".join(pages * 2))))
    assert "1889" in answer.content


async def test_an_earlier_turn_does_not_disturb(local):
    """Results of the turn before are history, not news."""
    first = await local.call(ask(QUESTION))
    told = Assistant(content="23 * 47 is 1081.")
    history = (User(content=QUESTION), first, *result_of(first, "1081"), told, User(content="What is 5 + 6?"))
    request = Request(messages=(System(content="Be brief."), *history), tools=TOOLS)
    assert json.loads((await local.call(request)).tool_calls[0].arguments) == {"expression": "5+6"}


@pytest.mark.parametrize(
    ("choice", "names"),
    [("none", []), ("required", ["calculator", "clock", "web_search", "units"]), ("clock", ["clock"])],
)
async def test_tool_choice_is_obeyed(local, choice, names):
    """`none` calls nothing, `required` something, and a name that tool, even for small talk."""
    answer = await local.call(ask("Hello!", tool_choice=choice, max_tokens=8))
    assert [call.name for call in answer.tool_calls[:1]] in ([[name] for name in names] or [[]])


async def test_a_tool_choice_that_is_not_offered_is_the_callers_mistake(local):
    """It is said which tools there are."""
    with pytest.raises(UsageError, match="calculator"):
        await local.call(ask("Hello!", tool_choice="nonsense"))


async def test_without_tools_it_chats(local):
    """No tools, no calls."""
    answer = await local.call(ask("Why is the sky blue?", tools=(), max_tokens=12))
    assert answer.content
    assert answer.tool_calls == ()
    assert answer.finish_reason == "length"
    assert answer.usage.output_tokens == 12


async def test_stop_ends_the_answer(local):
    """A stop text is not part of the answer."""
    free = await local.call(ask("Tell me about the sea.", tools=(), max_tokens=30, temperature=0))
    stop = free.content.split()[3]
    cut = await local.call(ask("Tell me about the sea.", tools=(), max_tokens=30, temperature=0, stop=(stop,)))
    assert stop not in cut.content
    assert free.content.startswith(cut.content)


async def test_settings_of_the_model_stand_under_those_of_the_request():
    """Keyword arguments are defaults."""
    model = Local(max_tokens=5)
    assert (await model.call(ask("Tell me about the sea.", tools=()))).usage.output_tokens == 5
    assert (await model.call(ask("Tell me about the sea.", tools=(), max_tokens=3))).usage.output_tokens == 3


async def test_typed_output_meets_its_schema(local):
    """The answer is JSON of the schema, from the conversation."""
    person = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
    }
    answer = await local.call(ask("Ann is 31 years old.", tools=(), output=OutputSchema("person", person)))
    assert json.loads(answer.content) == {"name": "Ann", "age": 31}


async def test_every_answer_is_counted(local):
    """Tokens are the runtime's, the answer costs nothing, and the model is named."""
    answer = await local.call(ask(QUESTION))
    assert answer.usage.input_tokens > 50
    assert answer.usage.output_tokens > 5
    assert (answer.usage.requests, answer.cost_usd, answer.model) == (1, 0.0, "SmolLM2-135M-Instruct")


async def test_only_text_is_read(local):
    """Another content part is refused by name."""
    picture = {"type": "image_url", "image_url": {"url": "data:,"}}
    with pytest.raises(RequestRefused, match="image_url"):
        await local.call(Request(messages=[User(content=({"type": "text", "text": "What is this?"}, picture))]))


async def test_broken_characters_do_no_harm(local):
    """A lone surrogate is no reason to fail."""
    assert (await local.call(ask("Hello \udc80!", tools=(), max_tokens=4))).content
    assert await local.call(ask("What is 5 + \ud800 6?"))


@pytest.mark.parametrize("text", ["", "   ", "\n", "?", "( ) ' \" \\ \x00 %s {}", "1 " * 90, "🙂" * 20])
async def test_no_text_breaks_a_call(local, text):
    """Whatever is asked, a forced call has arguments of the schema."""
    answer = await local.call(ask(text, tools=(CLOCK,), tool_choice="required", max_tokens=4))
    for call in answer.tool_calls:
        assert call.truncated or json.loads(call.arguments).keys() == {"timezone"}


async def test_examples_may_be_missing(local):
    """A tool without examples is called, too, with arguments of its schema."""
    bare = [replace(spec, examples=()) for spec in TOOLS]
    answer = await local.call(ask("Convert 12 kilometers to miles.", tools=bare, tool_choice="units"))
    assert json.loads(answer.tool_calls[0].arguments)["value"] == 12


@pytest.mark.parametrize(
    "value", [{"type": "string", "pattern": "(["}, {"type": "nope"}, {"$ref": "https://example.org/x"}]
)
async def test_a_schema_without_a_grammar_still_gives_arguments(local, value):
    """The names are right; what the values are worth is told by whoever validates them."""
    parameters = {
        "type": "object",
        "properties": {"mode": value, "on": {"type": "boolean"}},
        "required": ["mode", "on"],
    }
    odd = ToolSpec(name="switch", description="Switch something on or off.", parameters=parameters)
    answer = await local.call(ask("Switch on the light.", tools=(odd,), tool_choice="switch"))
    assert json.loads(answer.tool_calls[0].arguments).keys() == {"mode", "on"}


def test_a_misspelt_setting_is_named():
    """As with every other model, where it is written."""
    with pytest.raises(UsageError, match="temprature.*temperature"):
        Local(temprature=0)
