"""Model files whose template knows tools: a template set by hand on the embedded weights, and every family's form."""

from __future__ import annotations

import json
import random

import jsonschema
import llguidance
import pytest
from models.test_grammar import TOKENS, draw

from agentkit.core.messages import Assistant, System, ToolCall, ToolResult, ToolSpec, User
from agentkit.core.settings import Settings
from agentkit.errors import UsageError
from agentkit.models.dialects import parse
from agentkit.models.dialects.dialect import Dialect, Family, enclosed
from agentkit.models.dialects.families import FAMILIES
from agentkit.models.dialects.hermes import together
from agentkit.models.dialects.items import read_item
from agentkit.models.dialects.source import Found
from agentkit.models.local import Local
from agentkit.models.local.gguf import Card, card_of
from agentkit.models.local.speaking import MAX_CALLS, _any_of, _calls, _Speaking, _written, family_of
from agentkit.models.local.weights import smollm2
from agentkit.models.model import OutputSchema, Request

pytestmark = pytest.mark.anyio

TEMPLATE = """{%- if tools %}{{- '<|im_start|>system\\n# Tools\\nAnswer, or call with <tool_call>{"name": ..., "arguments": ...}</tool_call>:\\n' }}
{%- for tool in tools %}{{- tool.function | tojson + '\\n' }}{% endfor %}{{- '<|im_end|>\\n' }}{% endif %}
{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.content %}{{- message.content }}{% endif %}
{%- for call in message.tool_calls or [] %}{{- '<tool_call>' + (call.function | tojson) + '</tool_call>' }}{% endfor %}
{{- '<|im_end|>\\n' }}{% endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{% endif %}"""

BOOK = ToolSpec(
    name="book",
    description="Book a table.",
    parameters={
        "type": "object",
        "properties": {
            "place": {
                "type": "object",
                "properties": {"name": {"type": "string", "maxLength": 20}, "city": {"enum": ["Oslo", "Rome"]}},
                "required": ["name", "city"],
                "additionalProperties": False,
            },
            "guests": {"type": "array", "items": {"type": "string", "maxLength": 12}, "minItems": 1, "maxItems": 3},
            "when": {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 23}, {"type": "null"}]},
            "quiet": {"type": "boolean"},
        },
        "required": ["place", "guests", "when"],
        "additionalProperties": False,
    },
)
PING = ToolSpec(name="ping", description="Do nothing.", parameters={"type": "object", "properties": {}})


@pytest.fixture(scope="module")
def speaking():
    """The embedded weights behind a template that shows tools."""
    return Local(chat_template=TEMPLATE, temperature=1.2)


@pytest.fixture
def anyio_backend():
    """What is said does not depend on the loop."""
    return "asyncio"


def ask(text, *more, tools=(BOOK, PING), output=None, **settings):
    settings = {"max_tokens": 250, **settings}
    return Request(messages=(User(content=text), *more), tools=tools, output=output, settings=Settings(**settings))


async def test_a_demanded_call_is_valid_by_construction(speaking):
    """Nested objects, arrays, unions and optional keys come out as the schema wants them, whatever the seed."""
    for seed in range(2):
        answer = await speaking.call(ask("Book a table for Ann.", tool_choice="book", seed=seed, max_tokens=400))
        assert answer.finish_reason == "tool_calls"
        assert answer.content == ""
        assert 1 <= len(answer.tool_calls) <= MAX_CALLS
        for call in answer.tool_calls:
            assert call.name == "book"
            jsonschema.validate(json.loads(call.arguments), BOOK.parameters)


async def test_an_answer_is_text_or_calls_and_never_half_of_both(speaking):
    """Left free, what begins like a call is one, and anything else is text."""
    for seed in range(6):
        answer = await speaking.call(ask("Book a table, or ping.", seed=seed, max_tokens=60))
        if answer.tool_calls:
            assert {call.name for call in answer.tool_calls} <= {"book", "ping"}
            assert answer.content == ""
        elif answer.finish_reason == "stop":
            assert not answer.content.startswith("<tool_call>")


async def test_one_call_is_one_call(speaking):
    """parallel_tool_calls=False leaves no room for a second."""
    for seed in range(3):
        answer = await speaking.call(
            ask("ping ping ping", tools=(PING,), tool_choice="required", seed=seed, parallel_tool_calls=False)
        )
        assert [call.name for call in answer.tool_calls] == ["ping"]


async def test_the_template_sees_tools_calls_and_results(speaking):
    """Each of them makes the prompt longer; a result is answered in words."""
    call = ToolCall(id="1", name="ping", arguments="{}")
    told = [Assistant(tool_calls=(call,)), ToolResult(call_id="1", name="ping", content="pong pong pong")]
    plain = await speaking.call(ask("Hello", tools=(), max_tokens=2))
    offered = await speaking.call(ask("Hello", tool_choice="none", max_tokens=2))
    answered = await speaking.call(ask("Hello", *told, tool_choice="none", max_tokens=2))
    assert plain.usage.input_tokens < offered.usage.input_tokens < answered.usage.input_tokens
    assert answered.tool_calls == ()


async def test_typed_output_may_stand_beside_tools(speaking):
    """The answer is a call or JSON of the schema."""
    schema = OutputSchema(
        "color", {"type": "object", "properties": {"color": {"enum": ["red", "green"]}}, "required": ["color"]}
    )
    for seed in range(2):
        answer = await speaking.call(ask("Red or green?", tools=(PING,), output=schema, seed=seed))
        assert answer.tool_calls or json.loads(answer.content)["color"] in {"red", "green"}
    answer = await speaking.call(ask("Red or green?", tools=(), output=schema))
    assert json.loads(answer.content)["color"] in {"red", "green"}


async def test_calls_stream_without_their_markup(speaking):
    """A listener hears of the call, and nothing of how it was written."""
    heard = []
    answer = await speaking.call(
        ask("ping", tools=(PING,), tool_choice="ping", parallel_tool_calls=False), heard.append
    )
    assert [event.call.name for event in heard if event.kind == "tool_call"] == ["ping"]
    assert "".join(event.text for event in heard if event.kind == "text") == answer.content == ""


async def test_a_tool_choice_that_is_not_offered_is_the_callers_mistake(speaking):
    """It is said which tools there are."""
    with pytest.raises(UsageError, match="book, ping"):
        await speaking.call(
            Request(
                messages=[System(content="x"), User(content="y")],
                tools=(BOOK, PING),
                settings=Settings(tool_choice="z"),
            )
        )


JSON_FAMILIES = [family for family in FAMILIES if _written(family, (BOOK, PING), several=True)]


@pytest.mark.parametrize("family", JSON_FAMILIES, ids=lambda family: family.name)
def test_what_the_grammar_admits_is_what_the_dialect_reads(family):
    """One call and two calls, put together from the pieces of the grammar, are read back."""
    written = _written(family, (BOOK, PING), several=True)
    one = f'{written.before[1]}{{"a": 1}}{written.after[1]}'
    two = f'{written.before[0]}{{"a": 1}}{written.between[0, 1]}{{"b": [2]}}{written.after[1]}'
    assert [(call.name, json.loads(call.arguments)) for call in parse(one, (BOOK, PING), family=family.name).calls] == [
        ("ping", {"a": 1})
    ]
    calls = parse(two, (BOOK, PING), family=family.name).calls
    assert [(call.name, json.loads(call.arguments)) for call in calls] == [("book", {"a": 1}), ("ping", {"b": [2]})]


def test_most_families_write_json():
    """Enough of them for the grammar to be of use."""
    assert {"qwen", "mistral"} <= {family.name for family in JSON_FAMILIES}


PLAIN_PING = ToolSpec(
    name="ping", description="", parameters={"type": "object", "properties": {}, "additionalProperties": False}
)


@pytest.mark.parametrize("family", JSON_FAMILIES, ids=lambda family: family.name)
def test_whatever_a_grammar_admits_is_text_or_valid_calls(family):
    """Random texts of it: where a call is demanded there is one, and each call that is read fits its schema."""
    tools = (BOOK, PLAIN_PING)
    written = _written(family, tools, several=True)
    calls = _calls([spec.parameters for spec in tools], written, {})
    free = _Speaking(None, Card("", {}, ()), "x", Settings(), family)._text_or_calls(written)
    demanded = f"start: {_any_of('call', tools)}\n"
    for start, times in ((demanded, 10), (free, 10)) if free else ((demanded, 10),):
        for seed in range(times):
            text = draw(calls + start, random.Random(seed))
            parsed = parse(text, tools, family=family.name)
            for call in parsed.calls:
                parameters = next(spec.parameters for spec in tools if spec.name == call.name)
                jsonschema.validate(json.loads(call.arguments), parameters)
            if start is demanded:
                assert parsed.calls
                assert parsed.content == ""


def test_a_call_may_follow_a_text_or_a_thought():
    """What opens a call is followed by one, wherever it stands; nothing else opens one."""
    written = _written(family_of(TEMPLATE), (BOOK, PING), several=True)
    rules = _calls([BOOK.parameters, PING.parameters], written, {})
    rules += _Speaking(None, Card("", {}, ()), "x", Settings(), None)._text_or_calls(written)
    matcher = llguidance.LLMatcher(TOKENS, rules, log_level=0)

    def admits(text):
        matcher.reset()
        return matcher.try_consume_tokens(list(text.encode())) == len(text.encode()) and matcher.is_accepting()

    call = '<tool_call>\n{"name": "ping", "arguments": {}}\n</tool_call>'
    for text in (
        "Hello",
        "a < b, <b>bold</b>, <tool",
        call,
        f"{call}\n{call}",
        f"<think>ping?</think>\nI ping.\n{call}",
    ):
        assert admits(text)
    for text in (f"{call} and more", call[:-5], '<tool_call>\n{"name": "pong"', "Hello <tool_call> is a tag"):
        assert not admits(text)


SNIPPETS = {
    "qwen": """{%- if tools %}within <tool_call></tool_call> XML tags:\\n<tool_call>\\n{\\"name\\": <function-name>,
        \\"arguments\\": <args-json-object>}\\n</tool_call>{{- '<tool_call>\\n{"name": "' }}{{- '", "arguments": ' }}""",
    "qwen-coder": """{{- '<tool_call>\\n<function=' + tool_call.name + '>\\n' }}{{- '<parameter=' + key + '>\\n' }}
        {{- '\\n</parameter>\\n' }}{{- '</function>\\n</tool_call>' }}{% if tools %}""",
    "glm": """{% for tool in tools %}<tool_call>{function-name}\\n<arg_key>{arg-key-1}</arg_key>\\n
        <arg_value>{arg-value-1}</arg_value>\\n</tool_call>""",
    "mistral": """{%- if tools %}[AVAILABLE_TOOLS]{{ tools }}[/AVAILABLE_TOOLS]{{- "[TOOL_CALLS] [" }}
        {{- '{"name": "' + name + '", "arguments": ' }}""",
    "llama": """{% if tools %}in the format {"name": function name, "parameters": dictionary of argument name and its value}.""",
    "deepseek": "{% if tools %}{{'<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>' + name + '<｜tool▁sep｜>' + '<｜tool▁call▁end｜><｜tool▁calls▁end｜>'}}",
    None: "{% for tool in tools %}{{ tool }}{% endfor %}",
}


@pytest.mark.parametrize(("name", "template"), SNIPPETS.items())
def test_the_family_is_told_by_what_its_template_writes(name, template):
    """Several families open a call alike."""
    family = family_of(template)
    assert (family.name if family else None) == name


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_no_family_is_taken_for_another(family):
    """A template that writes calls as a family does belongs to it, or to none."""
    template = "{% if tools %}" + family.write([Found("NAME", {"x": "y"})]).replace("NAME", "{{ name }}")
    assert family_of(template) in {family, None}


async def test_an_opener_that_is_a_control_token_is_written_and_read():
    """Such a token is no text: the grammar names it by its id, and it shows in the answer, which ends without its end."""
    card = card_of(smollm2())
    opener = "<file_sep>"
    assert card.controls[opener]
    dialect = Dialect(label="file", openers=(opener,), read=enclosed(read_item))
    family = Family(name="file", models=(), dialects=(dialect,), write=together(opener))
    local = Local(chat_template=TEMPLATE)
    speaking = _Speaking(local._engine, await local._engine.card(), "x", Settings(), family)
    for choice in ("required", "auto"):
        bias = {"logit_bias": [[card.controls[opener], 40]]} if choice == "auto" else {}
        answer = await speaking.call(
            ask("ping", tools=(PLAIN_PING,), tool_choice=choice, max_tokens=80, extra=bias, seed=1)
        )
        found = answer.content
        assert found.startswith(f'{opener}[{{"name": "ping", "arguments": {{}}}}'), found
        assert not found.endswith("<|im_end|>")
    said = await speaking.call(ask("Say hello.", tools=(), max_tokens=60, temperature=0))
    assert said.finish_reason == "stop"
    assert "<|im_end|>" not in said.content


def test_a_template_without_tools_leaves_the_procedure_of_tiny_models():
    """Only a template that shows tools is spoken to."""
    assert not Card("{% for message in messages %}{{ message.content }}{% endfor %}", {}, ()).knows_tools
    assert Card(TEMPLATE, {}, ()).knows_tools
    assert not card_of(smollm2()).knows_tools
