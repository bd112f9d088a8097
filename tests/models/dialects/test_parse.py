"""What comes of an answer, dialect by dialect: whole, damaged, cut off, and when it only looks like a call."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from models.dialects.dialect_samples import BERN, DSML, M3, OSLO, POSITIVE, SPECS, TEXT, TIME, said

from agentkit.core.json_repair import repair
from agentkit.core.messages import ToolSpec
from agentkit.models.dialects import Parsed, parse
from agentkit.models.dialects.families import FAMILIES, all_dialects

NOBODY = (ToolSpec("nobody", "Nothing.", {"type": "object", "properties": {}}),)
NAMES = [f"{sample.label}-{number}" for number, sample in enumerate(POSITIVE)]
WITH_CALLS = [sample for sample in POSITIVE if sample.calls]
WITHOUT_THOUGHTS = [sample for sample in WITH_CALLS if not sample.reasoning and "think" not in sample.text]


@pytest.mark.parametrize("sample", POSITIVE, ids=NAMES)
def test_an_answer_is_taken_apart(sample):
    """Content, reasoning and calls are what the model meant, and nothing of the markup is left."""
    parsed = parse(sample.text, SPECS)
    assert said(parsed) == (sample.content, sample.reasoning, sample.calls)
    assert not parsed.cut_off
    assert not parsed.calls or parsed.dialects == (sample.label,)


def test_every_dialect_has_a_sample():
    """No dialect is read that nothing shows."""
    shown = {sample.label for sample in POSITIVE}
    assert {dialect.label for dialect in all_dialects()} <= shown
    assert len(shown) >= 37


@pytest.mark.parametrize("text", TEXT)
def test_what_only_looks_like_a_call_stays_text(text):
    """To the letter, white space included."""
    assert said(parse(text, SPECS)) == (text, "", ())


@pytest.mark.parametrize("sample", WITH_CALLS, ids=lambda sample: sample.label)
def test_a_name_that_is_not_offered_is_never_called(sample):
    """The same answers, offered another tool: nothing is a call, and what looked like one is still there."""
    parsed = parse(sample.text, NOBODY)
    assert parsed.calls == ()
    for name, _ in sample.calls:
        assert name.split(".")[-1] in parsed.content + parsed.reasoning


@pytest.mark.parametrize("sample", WITH_CALLS, ids=lambda sample: sample.label)
def test_nothing_that_is_cut_off_is_completed(sample):
    """Cut anywhere, an answer holds whole calls of the answer or none: no argument is ever shorter or made up."""
    for end in range(len(sample.text)):
        for truncated in (False, True):
            calls = said(parse(sample.text[:end], SPECS, truncated=truncated))[2]
            assert calls == sample.calls[: len(calls)], (sample.text[:end], truncated)


@pytest.mark.parametrize("sample", WITH_CALLS, ids=lambda sample: sample.label)
def test_nothing_of_a_cut_call_is_shown(sample):
    """Once its marker stands there, no part of a call's arguments reaches the user."""
    values = [value for _, arguments in sample.calls for value in arguments.values() if isinstance(value, str)]
    start = max((sample.text.find("get_weather") + 11 if "get_weather" in sample.text else len(sample.text)), 1)
    for end in range(start, len(sample.text)):
        parsed = parse(sample.text[:end], SPECS, truncated=True)
        assert not any(value and value in parsed.content for value in values), sample.text[:end]


@pytest.mark.parametrize("sample", WITHOUT_THOUGHTS, ids=lambda sample: sample.label)
def test_a_call_inside_a_thought_does_not_run(sample):
    """Whatever a thought holds, open or closed, it is a thought."""
    for text in (f"<think>{sample.text}", f"<think>{sample.text}</think>Hello.", f"Hm. {sample.text}</think>Hello."):
        parsed = parse(text, SPECS)
        assert parsed.calls == (), text
        assert parsed.content == ("Hello." if text.endswith("Hello.") else "")


@pytest.mark.parametrize("sample", WITH_CALLS, ids=lambda sample: sample.label)
def test_arguments_are_json_and_ids_are_unique(sample):
    """Arguments are the JSON text of an object; ids differ, also between two parses."""
    first, second = parse(sample.text, SPECS), parse(sample.text, SPECS)
    for call in first.calls:
        assert isinstance(json.loads(call.arguments), dict)
        assert not repair(call.arguments).repaired
        assert call.recovered == sample.label
    ids = [call.id for call in (*first.calls, *second.calls)]
    assert len(set(ids)) == len(ids)
    assert first == second, "equal, though the ids differ"


MALFORMED = {
    "one brace too few": ('<tool_call>{"name": "get_weather", "arguments": {"city": "Oslo"}</tool_call>', (OSLO,)),
    "one brace too many": ('<tool_call>{"name": "get_weather", "arguments": {"city": "Oslo"}}}</tool_call>', (OSLO,)),
    "one brace too many, without a mark": ('{"name": "get_weather", "arguments": {"city": "Oslo"}}}', (OSLO,)),
    "a blob without its fence": ('Action:\n{"action": "get_weather", "action_input": {"city": "Oslo"}}', (OSLO,)),
    "the input on the next line": ('Action: get_weather\nAction Input:\n{"city": "Oslo"}\nObservation: x', (OSLO,)),
    "no input for a tool that takes none": ("Action: get_time\nAction Input:\nObservation: x", (TIME,)),
    "smart quotes": ("<tool_call>{“name”: “get_weather”, “arguments”: {“city”: “Oslo”}}</tool_call>", (OSLO,)),
    "the channel's name left over": ('Hm. assistantanalysis to=functions.get_weather code{"city": "Oslo"}', (OSLO,)),
    "a trailing comma": ('<tool_call>{"name": "get_weather", "arguments": {"city": "Oslo",}}</tool_call>', (OSLO,)),
    "Python's quotes": ("<tool_call>{'name': 'get_weather', 'arguments': {'city': 'Oslo'}}</tool_call>", (OSLO,)),
    "a raw newline": (
        '<tool_call>{"name": "get_weather", "arguments": {"city": "Os\nlo"}}</tool_call>',
        (("get_weather", {"city": "Os\nlo"}),),
    ),
    "prose that has to stay": (
        """<tool_call>{'name': 'search', 'arguments': {'query': "what's None, True?"}}</tool_call>""",
        (("search", {"query": "what's None, True?"}),),
    ),
    "twice encoded": (
        '<tool_call>{"name": "get_weather", "arguments": "{\\"city\\": \\"Oslo\\"}"}</tool_call>',
        (OSLO,),
    ),
    "JSON text where a string is due": (
        '<tool_call>{"name": "get_weather", "arguments": {"city": "{\\"a\\": 1}"}}</tool_call>',
        (("get_weather", {"city": '{"a": 1}'}),),
    ),
    "no closing tags between calls": (
        '<tool_call>{"name": "get_weather", "arguments": {"city": "Oslo"}}\n<tool_call>{"name": "get_time", "arguments": {}}',
        (OSLO, TIME),
    ),
    "one bad call among good ones": (
        '<tool_call>{"name": "get_weather", "arguments": {"city": "Oslo}}</tool_call>\n<tool_call>{"name": "get_time", "arguments": {}}</tool_call>',
        (TIME,),
    ),
    "one bad line among good ones": (
        '<tool_calls>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n{not: JSON here}\n{"name": "get_time", "arguments": {}}\n</tool_calls>',
        (OSLO, TIME),
    ),
    "a value that begins like its neighbour": (
        "<tool_call>\n<function=write_file>\n<parameter=path>\na\n</parameter>\n<parameter=content>\n<parameter=path>\nb\n</parameter>\n</function>\n</tool_call>",
        (("write_file", {"path": "a", "content": "<parameter=path>\nb"}),),
    ),
    "fences in fences": ("<tool_call>" + "```" * 3000 + "</tool_call>", ()),
    "an unknown one in an array": (
        '[TOOL_CALLS][{"name": "nobody", "arguments": {}}, {"name": "get_weather", "arguments": {"city": "Oslo"}}]',
        (OSLO,),
    ),
    "an array without its end": ('[TOOL_CALLS][{"name": "get_weather", "arguments": {"city": "Oslo"}}', (OSLO,)),
    "an array cut in its second call": (
        '<TOOLCALL>[{"name": "get_weather", "arguments": {"city": "Oslo"}}, {"name": "get_weather", "arguments": {"city": "Be',
        (OSLO,),
    ),
    "names without the marker again": ('[TOOL_CALLS]get_weather[ARGS]{"city": "Oslo"}get_time[ARGS]{}', (OSLO, TIME)),
    "a missing brace of the arguments": ('[TOOL_CALLS]get_weather[ARGS]{"city": "Oslo"', ()),
    "noise in a section": (
        '<|tool_calls_section_begin|> hm <|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>{"city": "Oslo"}<|tool_call_end|> hm <|tool_calls_section_end|>',
        (OSLO,),
    ),
    "an empty section": ("<|tool_calls_section_begin|><|tool_calls_section_end|>", ()),
    "no outer end": (
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{"city": "Oslo"}<｜tool▁call▁end｜>',
        (OSLO,),
    ),
    "an element without its end": (
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo\n</parameter>\n</tool_call>",
        (OSLO,),
    ),
    "an element without its outer end": (
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo\n</parameter>\n</function>",
        (OSLO,),
    ),
    "an element that holds its tags": (
        "<tool_call>\n<function=write_file>\n<parameter=path>\na.py\n</parameter>\n<parameter=content>\n\n  if a < b:\n    x = '</parameter> </function>'\n\n</parameter>\n</function>\n</tool_call>",
        (("write_file", {"path": "a.py", "content": "\n  if a < b:\n    x = '</parameter> </function>'\n"}),),
    ),
    "an element with text behind it": (
        "<function=get_weather>\n<parameter=city>\nOslo\n</parameter>\n</function>\nI wait.",
        (OSLO,),
    ),
    "the last value without its end": (
        "<tool_call>get_weather<arg_key>city</arg_key><arg_value>Oslo</tool_call>",
        (OSLO,),
    ),
    "a value that holds the tags": (
        "<tool_call>get_weather<arg_key>city</arg_key><arg_value>a </arg_value> b </tool_call> c</arg_value></tool_call>",
        (("get_weather", {"city": "a </arg_value> b </tool_call> c"}),),
    ),
    "a bad call in a list": ('[get_weather(city="Oslo"), get_weather(city=oslo)]', (OSLO,)),
    "a bad call between good ones": (
        '<|tool_call_start|>[get_weather(city="Oslo"), search(query=f("x)")), get_time()]<|tool_call_end|>',
        (OSLO, TIME),
    ),
    "quotes in quotes": ("[get_weather(city='St. John's')]", ()),
    "keywords as a dict": ('[get_weather(**{"city": "Oslo"})]', (OSLO,)),
    "in the order of the schema": ('[get_weather("Oslo", 3)]', (("get_weather", {"city": "Oslo", "days": 3}),)),
    "strings without their quote tokens": ("<|tool_call>call:get_weather{city:Oslo}<tool_call|>", (OSLO,)),
    "all tokens gone": ('functions.get_weather:0{"city": "Oslo"}', (OSLO,)),
    "plain text for the one required parameter": (
        "Action: search\nAction Input: best cafes\nObservation: x",
        (("search", {"query": "best cafes"}),),
    ),
    "labels that are indented": (
        " Thought: Hm.\n  Action: search\n  Action Input: best cafes\n  Observation: x",
        (("search", {"query": "best cafes"}),),
    ),
    "a quoted name": ('Action: `get_weather`\nAction Input: {"city": "Oslo"}', (OSLO,)),
    "a result made up": ('```tool_code\nget_weather(city="Oslo")\n```\n```tool_output\nrain\n```\nIt rains.', (OSLO,)),
    "too deep": ('<tool_call>{"name": "search", "arguments": {"query": ' + "[" * 9999 + "</tool_call>", ()),
    "not finite": ('<tool_call>{"name": "search", "arguments": {"query": 1e999}}</tool_call>', ()),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_damage_is_mended_without_guessing(case):
    """Or the call is none."""
    text, calls = MALFORMED[case]
    assert said(parse(text, SPECS))[2] == calls


TYPED = {
    ("get_weather", "city"): {"3": "3", "null": "null", "True": "True", '{"a": 1}': '{"a": 1}', "": "", " x ": " x "},
    ("get_weather", "days"): {"3": 3, " 3 ": 3, "3.0": 3, "three": "three", "null": None},
    ("set_alarm", "volume"): {"0.5": 0.5, "1e20": 1e20, "7": 7},
    ("set_alarm", "repeat"): {"true": True, "False": False, "yes": "yes"},
    ("set_alarm", "label"): {"null": None, "None": None, "gym": "gym", "3": "3"},
    ("search", "filters"): {'{"a": [1]}': {"a": [1]}, "{'a': True}": {"a": True}, "{a": "{a"},
    ("search", "sites"): {'["x"]': ["x"], "[]": []},
    ("search", "unknown"): {"3": 3, "true": True, "[1]": [1], "None": None, "text": "text", "007": "007"},
}


@pytest.mark.parametrize(("name", "parameter"), TYPED)
def test_untyped_text_becomes_what_the_schema_asks_for(name, parameter):
    """A string stays to the letter; without a schema, JSON if it is."""
    for text, value in TYPED[name, parameter].items():
        markup = f"<tool_call>{name}<arg_key>{parameter}</arg_key><arg_value>{text}</arg_value></tool_call>"
        assert said(parse(markup, SPECS))[2] == ((name, {parameter: value}),), text


def test_types_are_found_behind_references_and_unions():
    """`$ref`, `anyOf`, `enum` and `nullable` say of which type a value is."""
    schema = {
        "type": "object",
        "$defs": {"N": {"type": "integer"}},
        "properties": {
            "a": {"$ref": "#/$defs/N"},
            "b": {"anyOf": [{"type": "object"}, {"type": "null"}]},
            "c": {"enum": [1, 2]},
            "d": {"type": "boolean", "nullable": True},
            "e": {"const": "x"},
            "f": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        },
    }
    texts = {"a": "1", "b": "null", "c": "2", "d": "null", "e": "1", "f": "1"}
    pairs = "".join(f"<arg_key>{key}</arg_key><arg_value>{text}</arg_value>" for key, text in texts.items())
    parsed = parse(f"<tool_call>f{pairs}</tool_call>", [ToolSpec("f", "", schema)])
    assert said(parsed)[2] == (("f", {"a": 1, "b": None, "c": 2, "d": None, "e": "1", "f": "1"}),)


def test_markup_may_say_what_is_a_string():
    """DSML's `string` and K3's `type` go before the schema."""
    text = f'<{DSML}invoke name="get_weather"><{DSML}parameter name="days" string="true">3</{DSML}parameter></{DSML}invoke>'
    assert said(parse(text, SPECS))[2] == (("get_weather", {"days": "3"}),)


def test_a_repeated_element_is_a_list():
    """MiniMax M3 writes lists so, and as items."""
    element = f"{M3}<sites>x{M3}</sites>"
    for sites, value in ((element, ["x"]), (element * 2, ["x", "x"])):
        text = f'{M3}<tool_call>{M3}<invoke name="search">{sites}{M3}</invoke>{M3}</tool_call>'
        assert said(parse(text, SPECS))[2] == (("search", {"sites": value}),)


def test_calls_keep_their_order_and_their_repeats():
    """Also across containers."""
    one = '<tool_call>{"name": "get_weather", "arguments": {"city": "Bern"}}</tool_call>'
    two = '[TOOL_CALLS]get_weather[ARGS]{"city": "Oslo"}'
    assert said(parse(one + one + two + one, SPECS))[2] == (BERN, BERN, OSLO, BERN)


def test_without_tools_only_thoughts_are_taken_out():
    """Call markup is text, then."""
    text = '<think>Hm.</think>\n<tool_call>{"name": "get_time", "arguments": {}}</tool_call>'
    assert said(parse(text)) == ('<tool_call>{"name": "get_time", "arguments": {}}</tool_call>', "Hm.", ())


def test_calls_without_a_mark_can_be_forbidden():
    """As where the answer was to be JSON."""
    for text in (
        '{"name": "get_time", "arguments": {}}',
        "[get_time()]",
        "get_time{}",
        '```json\n{"name": "get_time", "arguments": {}}\n```',
    ):
        assert parse(text, SPECS).calls
        assert said(parse(text, SPECS, markerless=False)) == (text, "", ())


def test_where_a_plain_fence_is_a_call():
    """As the whole message, at its end, or anywhere; a labelled one is one anywhere."""
    fence = '```{label}\n{{"name": "get_time", "arguments": {{}}}}\n```'
    texts = {"whole": "{}", "last": "I look.\n{}", "any": "I look.\n{}\nDone."}
    for number, text in enumerate(texts.values()):
        for may, fences in enumerate(texts):
            plain = text.format(fence.format(label="json"))
            assert len(parse(plain, SPECS, fences=fences).calls) == (number <= may), (text, fences)
            assert parse(text.format(fence.format(label="tool_call")), SPECS, fences=fences).calls


def test_the_prompt_may_end_inside_a_thought():
    """Then the answer begins in it, and one that never leaves it is all thought."""
    assert said(parse("Hm.</think>Yes.", SPECS, reasoning=True)) == ("Yes.", "Hm.", ())
    assert said(parse("\n<think>\nHm.</think>Yes.", SPECS, reasoning=True)) == ("Yes.", "Hm.", ())
    assert said(parse('Hm. <tool_call>{"name": "get_time"}</tool_call>', SPECS, reasoning=True))[0::2] == ("", ())


def test_a_cut_is_reported():
    """So that one can say that the answer was cut off inside a call."""
    parsed = parse('Yes.\n<tool_call>{"name": "get_weather", "arguments": {"city": "Os', SPECS, truncated=True)
    assert (parsed.content, parsed.calls, parsed.cut_off) == ("Yes.", (), True)


def test_a_family_restricts_what_is_read():
    """By its name or by the name of one of its models."""
    text = '[TOOL_CALLS]get_weather[ARGS]{"city": "Oslo"}'
    assert parse(text, SPECS, family="mistral").calls
    assert parse(text, SPECS, family="mistralai/Devstral-Small-2507").calls
    assert not parse(text, SPECS, family="qwen").calls


def test_tools_may_be_given_as_chat_completions_dicts():
    """As a wire has them."""
    tool = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}}}
    assert parse("[get_time()]", [tool]).calls[0].name == "get_time"


def test_parses_are_values():
    """Equal and hashable by what they say."""
    assert parse("Hello.") == Parsed(content="Hello.")
    assert len({parse("Hello."), parse("Hello."), parse("Bye.")}) == 2
    assert parse("Hello.") != "Hello."


def test_the_page_names_every_dialect():
    """And every miss of the public suite is explained there."""
    page = (Path(__file__).parents[3] / "docs" / "reference" / "dialects.md").read_text()
    for dialect in all_dialects():
        assert f"`{dialect.label}`" in page, dialect.label


def test_families_have_names_of_their_own():
    """And every one writes calls."""
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
