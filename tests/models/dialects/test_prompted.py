"""Tools for a model that knows none: in the prompt, and read from the text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models.dialects.dialect_samples import SPECS, said

from agentkit import Agent, tool
from agentkit.core.events import TextEvent, ToolCallEvent
from agentkit.core.messages import Assistant, System, ToolCall, ToolResult, User
from agentkit.core.settings import Settings
from agentkit.errors import UsageError
from agentkit.models.dialects import Prompted, parse
from agentkit.models.dialects.families import FAMILIES
from agentkit.models.dialects.source import Found
from agentkit.models.model import Request

pytestmark = pytest.mark.anyio

WITH_PROMPT = [family.name for family in FAMILIES if family.offer is not None]
NAMED_FIRST = ["deepseek", "gemma4", "kimi", "mistral", "qwen", "harmony", "granite", "cohere", "functionary", "lfm2"]
CALLS = (
    ToolCall(id="1", name="get_weather", arguments='{"city": "Oslo"}'),
    ToolCall(id="2", name="get_time", arguments="{}"),
)
HISTORY = (
    System(content="Be brief."),
    User(content="Weather and time?"),
    Assistant(content="I look.", tool_calls=CALLS, reasoning="Hm."),
    ToolResult(call_id="1", name="get_weather", content="rain"),
    ToolResult(call_id="2", name="get_time", content="12:00"),
)


class Text:
    """A model that answers with texts, and streams them in two pieces."""

    def __init__(self, *texts):
        self.texts = list(texts)
        self.requests = []

    async def call(self, request, emit=None):
        self.requests.append(request)
        text = self.texts.pop(0)
        if emit:
            for piece in (text[:5], text[5:]):
                if (wait := emit(TextEvent(piece))) is not None:
                    await wait
        return Assistant(content=text)


def written(family, *calls):
    """Calls as a family writes them."""
    return next(one for one in FAMILIES if one.name == family).write([Found(*call) for call in calls])


async def shown(family, request=None):
    """The messages that the inner model is shown, and the request."""
    inner = Text("Rain.")
    await Prompted(inner, family=family).call(request or Request(messages=HISTORY, tools=SPECS))
    return inner.requests[0].messages, inner.requests[0]


@pytest.mark.parametrize("family", WITH_PROMPT)
async def test_the_model_sees_text_alone(family):
    """Tools, calls and results are words of the two roles that every template has."""
    messages, request = await shown(family)
    assert (request.tools, request.withheld, request.settings) == ((), (), Settings())
    assert [message.kind for message in messages][-3:] == ["user", "assistant", "user"]
    assert all(message.kind != "assistant" or not message.tool_calls for message in messages)
    text = "\n".join(message.content for message in messages)
    for word in ("Be brief.", "get_weather", "The tool get_time.", "Weather and time?", "rain", "12:00"):
        assert word in text
    assert (messages[0].kind == "system") == (family not in {"gemma", "mistral"})


@pytest.mark.parametrize("family", WITH_PROMPT)
async def test_what_stands_in_the_history_parses_back(family):
    """The model reads its own calls in the form that it is to write them in."""
    messages, _ = await shown(family)
    answer = next(message for message in messages if message.kind == "assistant").content
    calls = (("get_weather", {"city": "Oslo"}), ("get_time", {}))
    assert said(parse(answer.removeprefix("I look.\n"), SPECS)) == ("", "", calls)


@pytest.mark.parametrize("family", WITH_PROMPT)
async def test_the_prompt_only_grows(family):
    """What was sent stays byte for byte, and message for message the same object."""
    inner = Text("a", "b", "c")
    model = Prompted(inner, family=family)
    memo = {}
    for end in (2, 5, 5):
        await model.call(Request(messages=HISTORY[:end], tools=SPECS, memo=memo))
    first, second, third = (request.messages for request in inner.requests)
    assert all(one is other for one, other in zip(first, second, strict=False))
    assert len(second) == len(third)
    assert all(one is other for one, other in zip(second, third, strict=True))


@pytest.mark.parametrize("family", WITH_PROMPT)
async def test_a_written_call_becomes_a_call(family):
    """Whole and streamed, and nothing of it is heard as text."""
    text = written(family, ("get_weather", {"city": "Oslo"}))
    request = Request(messages=[User(content="Weather?")], tools=SPECS)
    deltas = []
    for emit in (None, deltas.append):
        answer = await Prompted(Text(text), family=family).call(request, emit)
        assert [(call.name, json.loads(call.arguments)) for call in answer.tool_calls] == [
            ("get_weather", {"city": "Oslo"})
        ]
        assert (answer.content, answer.finish_reason) == ("", "tool_calls")
        assert answer.tool_calls[0].recovered
    assert [type(delta) for delta in deltas] == [ToolCallEvent]


async def test_a_plain_fence_amid_prose_is_a_call_for_a_model_that_was_told_so():
    """Many models write that instead of the label."""
    text = 'I look.\n```json\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n```\nPlease wait.'
    answer = await Prompted(Text(text)).call(Request(messages=[User(content="?")], tools=SPECS))
    assert [call.name for call in answer.tool_calls] == ["get_weather"]


@pytest.mark.parametrize(
    ("choice", "words"),
    [(None, ""), ("auto", ""), ("required", "must call a function"), ("get_time", "must call the function get_time")],
)
async def test_a_choice_is_said_in_words(choice, words):
    """At the end, so that the prefix stays."""
    request = Request(messages=HISTORY[:2], tools=SPECS, settings=Settings(tool_choice=choice, temperature=0.5))
    messages, sent = await shown("qwen", request)
    assert sent.settings == Settings(temperature=0.5)
    assert words in messages[-1].content
    plain, _ = await shown("qwen", Request(messages=HISTORY[:2], tools=SPECS))
    assert messages[0] == plain[0]
    assert (messages == plain) == (not words)


@pytest.mark.parametrize(
    "request_",
    [
        Request(messages=HISTORY, tools=SPECS, settings=Settings(tool_choice="none")),
        Request(messages=HISTORY, withheld=SPECS),
    ],
    ids=["none", "withheld"],
)
async def test_a_call_that_is_not_allowed_is_not_made(request_):
    """The tools stay in the prompt, the model is told, and what it calls all the same is dropped."""
    inner = Text("Hm. " + written("qwen", ("get_time", {})))
    deltas = []
    answer = await Prompted(inner, family="qwen").call(request_, deltas.append)
    assert "Do not call" in inner.requests[0].messages[-1].content
    assert "get_weather" in inner.requests[0].messages[0].content
    assert (answer.content, answer.tool_calls, answer.finish_reason) == ("Hm.", (), "stop")
    assert [type(delta) for delta in deltas] == [TextEvent]


async def test_one_call_at_a_time_can_be_asked_for():
    """In the instructions."""
    request = Request(messages=HISTORY[:2], tools=SPECS, settings=Settings(parallel_tool_calls=False))
    messages, sent = await shown("qwen", request)
    assert "one function at a time" in messages[0].content
    assert sent.settings == Settings()


async def test_without_tools_nothing_is_added():
    """The conversation is shown as it is."""
    messages, _ = await shown("gemma", Request(messages=HISTORY[:2]))
    assert messages == [User(content="Be brief.\n\nWeather and time?")]


async def test_pictures_are_kept():
    """Instructions and text parts stand beside them."""
    parts = ({"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:,x"}})
    messages, _ = await shown(
        "gemma", Request(messages=[System(content="Be brief."), User(content=parts)], tools=SPECS)
    )
    assert messages[0].content[1:] == parts
    assert messages[0].content[0]["text"].startswith("Be brief.")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(["city", "days", "unit", "q a", "x-y", "é"]) | st.text(
    st.characters(codec="utf-8"), min_size=1, max_size=6
)


@pytest.mark.parametrize("family", WITH_PROMPT)
@settings(deadline=None, max_examples=60)
@given(arguments=st.dictionaries(KEYS, JSON, max_size=3), again=st.booleans())
def test_whatever_is_rendered_parses_back(family, arguments, again):
    """Any arguments at all: render(call) parsed is the call."""
    calls = (("get_weather", arguments),) * (2 if again else 1)
    assert said(parse(written(family, *calls), SPECS)) == ("", "", calls)


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)), max_size=20).filter(
    lambda text: not set(text) & set("<>[]{}|｜`")
)


@pytest.mark.parametrize("family", [family.name for family in FAMILIES])
@settings(deadline=None, max_examples=25)
@given(city=TEXTS, days=st.integers(-(10**9), 10**9), query=TEXTS, sites=st.lists(TEXTS, max_size=3))
def test_every_family_reads_what_it_writes(family, city, days, query, sites):
    """Also its own dialects alone."""
    calls = (
        ("get_weather", {"city": city, "days": days}),
        ("search", {"query": query, "sites": sites}),
        ("get_time", {}),
    )
    text = written(family, *calls)
    assert said(parse(text, SPECS)) == ("", "", calls)
    assert said(parse(text, SPECS, family=family)) == ("", "", calls)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("@cf/aisingapore/gemma-sea-lion-v4-27b-it", "gemma"),
        ("meta-llama/Llama-3.3-70B-Instruct", "llama"),
        ("Qwen/Qwen3-8B", "qwen"),
        ("mistralai/Mistral-7B-Instruct-v0.3", "mistral"),
        ("GENERIC", "generic"),
    ],
)
def test_a_family_is_found_by_the_name_of_a_model(name, family):
    """Or by its own."""
    assert Prompted(Text(), family=name).family.name == family
    assert family in repr(Prompted(Text(), family=name))


@pytest.mark.parametrize("family", ["nobody", "kimi"])
def test_a_family_without_a_prompt_says_which_have_one(family):
    """At once."""
    with pytest.raises(UsageError, match="generic"):
        Prompted(Text(), family=family)


@pytest.mark.parametrize("family", WITH_PROMPT)
async def test_an_agent_runs_on_a_model_without_tools(family):
    """Two calls at once, then the answer."""

    @tool
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    inner = Text(written(family, ("add", {"a": 2, "b": 3}), ("add", {"a": 4, "b": 5})), "5 and 9.")
    result = await Agent(tools=[add], model=Prompted(inner, family=family)).arun("2 + 3, and 4 + 5?")
    assert result.output == "5 and 9."
    last = inner.requests[-1].messages[-1].content
    assert last.index("5") < last.index("9")
