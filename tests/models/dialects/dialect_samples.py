"""Answers as models write them, and what must come of each. The format is the point of a sample, not its words."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from agentkit.core.events import Delta, ReasoningEvent, RetryEvent, TextEvent, ToolCallEvent
from agentkit.core.messages import ToolCall, ToolSpec
from agentkit.models.dialects import Parsed


def _spec(name: str, required: tuple[str, ...] = (), **parameters: Any) -> ToolSpec:
    properties = {key: {"type": kind} if isinstance(kind, str) else kind for key, kind in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return ToolSpec(name, f"The tool {name}.", schema)


SPECS = (
    _spec("get_weather", ("city",), city="string", days="integer", unit={"type": "string", "enum": ["c", "f"]}),
    _spec("get_time"),
    _spec("search", ("query",), query="string", filters="object", sites={"type": "array", "items": {"type": "string"}}),
    _spec("set_alarm", hour="integer", volume="number", repeat="boolean", label={"type": ["string", "null"]}),
    _spec("write_file", ("path", "content"), path="string", content="string"),
    _spec("math.add", ("a", "b"), a="number", b="number"),
)
OSLO = ("get_weather", {"city": "Oslo"})
BERN = ("get_weather", {"city": "Bern"})
TIME = ("get_time", {})


@dataclass(frozen=True)
class Sample:
    """An answer: its text, and what it holds."""

    label: str
    text: str
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    content: str = ""
    reasoning: str = ""


def heard(deltas: Iterable[Delta]) -> tuple[str, str, tuple[ToolCall, ...]]:
    """Text, reasoning and calls as a listener puts them together."""
    content, reasoning, calls = "", "", []
    for delta in deltas:
        match delta:
            case RetryEvent():
                content, reasoning, calls = "", "", []
            case TextEvent():
                content += delta.text
            case ReasoningEvent():
                reasoning += delta.text
            case ToolCallEvent():
                calls.append(delta.call)
    return content, reasoning, tuple(calls)


def said(parsed: Parsed) -> tuple[Any, ...]:
    """What a parse says, without ids."""
    calls = tuple((call.name, json.loads(call.arguments)) for call in parsed.calls)
    return parsed.content, parsed.reasoning, calls


DSML = "｜DSML｜"
M3 = "]<]minimax[>["
TRICKY = 'say "hi" </tool_call> [TOOL_CALLS] } ] it\'s <think> é 🌸\n\tend\\'

POSITIVE = (
    # JSON in a container
    Sample("hermes", '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n</tool_call>', (OSLO,)),
    Sample("hermes", '<tool_call>{"arguments": {"city": "Oslo"}, "name": "get_weather"}</tool_call>', (OSLO,)),
    Sample("hermes", '<tool_call>\n{"name": "get_weather", "parameters": {"city": "Oslo"}}\n</tool_call>', (OSLO,)),
    Sample(
        "hermes",
        'Both.\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "get_time", "arguments": {}}\n</tool_call>',
        (OSLO, TIME),
        content="Both.",
    ),
    Sample("hermes", '<tool_call>\n{"name": "get_time"}\n</tool_call>', (TIME,)),
    Sample("hermes", '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}', (OSLO,)),
    Sample("json", '{"name": "get_weather", "arguments": {"city": "Oslo"}}\n</tool_call>', (OSLO,)),
    Sample(
        "hermes",
        '<tool_call>\n[{"name": "get_weather", "arguments": {"city": "Oslo"}}, {"name": "get_time", "arguments": {}}]\n</tool_call>',
        (OSLO, TIME),
    ),
    Sample(
        "hermes",
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n{"name": "get_time", "arguments": {}}\n</tool_call>',
        (OSLO, TIME),
    ),
    Sample(
        "hermes",
        '<tool_call>\n[{"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": "{\\"city\\": \\"Oslo\\"}"}}]\n</tool_call>',
        (OSLO,),
    ),
    Sample(
        "hermes",
        '<tool_call>\n```json\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n```\n</tool_call>',
        (OSLO,),
    ),
    Sample(
        "hermes", '<tool_call>{"name": "functions.get_weather", "arguments": {"city": "Oslo"}}</tool_call>', (OSLO,)
    ),
    Sample(
        "hermes",
        f"<tool_call>\n{json.dumps({'name': 'search', 'arguments': {'query': TRICKY}}, ensure_ascii=False)}\n</tool_call>",
        (("search", {"query": TRICKY}),),
    ),
    Sample(
        "hermes", '<tool_call>{"name": "get_weather", "arguments": {"city": "Oslo"}}</tool_call><|im_end|>', (OSLO,)
    ),
    Sample(
        "hermes",
        'before <tool_call>{"name": "get_time", "arguments": {}}</tool_call> after',
        (TIME,),
        content="before  after",
    ),
    Sample("json", '{"name": "get_weather", "parameters": {"city": "Oslo"}}', (OSLO,)),
    Sample("json", '{"type": "function", "name": "get_weather", "parameters": {"city": "Oslo"}}<|eom_id|>', (OSLO,)),
    Sample("json", '{"type": "function", "function": "get_weather", "parameters": {"city": "Oslo"}}', (OSLO,)),
    Sample(
        "json",
        '{"name": "get_weather", "parameters": {"city": "Oslo"}}; {"name": "get_time", "parameters": {}}',
        (OSLO, TIME),
    ),
    Sample(
        "json",
        '{"name": "get_weather", "arguments": {"city": "Oslo"}}\n{"name": "get_time", "arguments": {}}',
        (OSLO, TIME),
    ),
    Sample("json", '[{"name": "get_weather", "arguments": {"city": "Oslo"}}]', (OSLO,)),
    Sample("json", '{"tool_calls": [{"name": "get_weather", "arguments": {"city": "Oslo"}}]}', (OSLO,)),
    Sample("json", '{"function": {"name": "get_weather", "arguments": {"city": "Oslo"}}}', (OSLO,)),
    Sample("llama", '<|python_tag|>{"name": "get_weather", "parameters": {"city": "Oslo"}}<|eom_id|>', (OSLO,)),
    Sample("llama", '<|python_tag|>search.call(query="x")', (("search", {"query": "x"}),)),
    Sample("qwen-coder", '<function=get_weather>{"city": "Oslo"}</function>', (OSLO,)),
    Sample(
        "mistral",
        '[TOOL_CALLS] [{"name": "get_weather", "arguments": {"city": "Oslo"}, "id": "a1B2c3D4e"}]',
        (OSLO,),
    ),
    Sample(
        "mistral",
        'Sure.[TOOL_CALLS][{"name": "get_weather", "arguments": {"city": "Oslo"}}, {"name": "get_time", "arguments": {}}]</s>',
        (OSLO, TIME),
        content="Sure.",
    ),
    Sample("mistral", '[TOOL_CALLS]get_weather[ARGS]{"city": "Oslo"}[TOOL_CALLS]get_time[ARGS]{}', (OSLO, TIME)),
    Sample("mistral", '[TOOL_CALLS]get_weather[CALL_ID]a1B2c3D4e[ARGS]{"city": "Oslo"}', (OSLO,)),
    Sample("mistral", '[TOOL_CALLS]get_weather{"city": "Oslo"}', (OSLO,)),
    Sample("named", 'get_weather{"city": "Oslo"}', (OSLO,)),
    Sample("named", 'get_weather{"city": "Oslo"}get_time{}', (OSLO, TIME)),
    Sample(
        "deepseek",
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{"city": "Oslo"}\n```<｜tool▁call▁end｜>\n'
        "<｜tool▁call▁begin｜>function<｜tool▁sep｜>get_time\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>",
        (OSLO, TIME),
    ),
    Sample(
        "deepseek",
        'Now.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{"city": "Oslo"}<｜tool▁call▁end｜>',
        (OSLO,),
        content="Now.",
    ),
    Sample(
        "deepseek",
        '<|tool_calls_begin|><|tool_call_begin|>get_weather<|tool_sep|>{"city": "Oslo"}<|tool_call_end|><|tool_calls_end|>',
        (OSLO,),
    ),
    Sample(
        "deepseek",
        '<|tool calls begin|><|tool call begin|>get_weather<|tool sep|>{"city": "Oslo"}<|tool call end|><|tool calls end|>',
        (OSLO,),
    ),
    Sample(
        "deepseek",
        '<｜tool_calls_begin｜><｜tool_call_begin｜>function<｜tool_sep｜><steptml:invoke name="get_weather"><steptml:parameter name="city">Oslo'
        "</steptml:parameter></steptml:invoke><｜tool_call_end｜><｜tool_calls_end｜>",
        (OSLO,),
    ),
    Sample("granite", '<|tool_call|>[{"name": "get_weather", "arguments": {"city": "Oslo"}}]', (OSLO,)),
    Sample("hermes", '<tool_call>[{"name": "get_weather", "arguments": {"city": "Oslo"}}]', (OSLO,)),
    Sample(
        "granite-20b",
        '<function_call> {"name": "get_weather", "arguments": {"city": "Oslo"}}\n<function_call> {"name": "get_time", "arguments": {}}',
        (OSLO, TIME),
    ),
    Sample(
        "phi-4-mini",
        'functools[{"name": "search", "arguments": {"query": "a", "sites": ["x", "y"]}}]',
        (("search", {"query": "a", "sites": ["x", "y"]}),),
    ),
    Sample(
        "granite",
        '<|tool_call|>[{"name": "get_weather", "arguments": {"city": "Oslo"}}]<|/tool_call|>',
        (OSLO,),
    ),
    Sample(
        "internlm",
        'Let me see.<|action_start|><|plugin|>\n{"name": "get_weather", "parameters": {"city": "Oslo"}}<|action_end|>',
        (OSLO,),
        content="Let me see.",
    ),
    Sample(
        "tool-calls",
        '<tool_calls>[{"name": "get_weather", "arguments": {"city": "Oslo"}}, {"name": "get_time", "arguments": {}}]</tool_calls>',
        (OSLO, TIME),
    ),
    Sample(
        "tool-calls",
        '<tool_calls>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n{"name": "get_time", "arguments": {}}\n</tool_calls>',
        (OSLO, TIME),
    ),
    Sample("nemotron", '<TOOLCALL>[{"name": "get_weather", "arguments": {"city": "Oslo"}}]</TOOLCALL>', (OSLO,)),
    Sample(
        "longcat",
        '<longcat_tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n</longcat_tool_call>',
        (OSLO,),
    ),
    Sample(
        "apertus", '<|tools_prefix|>[{"get_weather": {"city": "Oslo"}}, {"get_time": {}}]<|tools_suffix|>', (OSLO, TIME)
    ),
    Sample("gigachat", 'function call<|role_sep|>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}', (OSLO,)),
    Sample("gigachat", '<|function_call|>{"name": "get_weather", "arguments": {"city": "Oslo"}}', (OSLO,)),
    Sample(
        "cohere",
        '<|START_THINKING|>I look.<|END_THINKING|><|START_ACTION|>[\n    {"tool_call_id": "0", "tool_name": "get_weather", "parameters": {"city": "Oslo"}}\n]<|END_ACTION|>',
        (OSLO,),
        reasoning="I look.",
    ),
    Sample(
        "react",
        'Action: ```json\n[\n    {\n        "tool_name": "get_weather",\n        "parameters": {"city": "Oslo"}\n    }\n]\n```',
        (OSLO,),
    ),
    Sample(
        "kimi",
        'Hm. <|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>{"city": "Oslo"}<|tool_call_end|>'
        "<|tool_call_begin|>functions.get_time:1 <|tool_call_argument_begin|> {} <|tool_call_end|><|tool_calls_section_end|>",
        (OSLO, TIME),
        content="Hm.",
    ),
    Sample(
        "kimi",
        '<|tool_calls_section_begin|><|tool_call_begin|>functions.math.add:0<|tool_call_argument_begin|>{"a": 1, "b": 2.5}<|tool_call_end|><|tool_calls_section_end|>',
        (("math.add", {"a": 1, "b": 2.5}),),
    ),
    Sample("functionary", '>>>get_weather\n{"city": "Oslo"}', (OSLO,)),
    Sample("functionary", 'all\nLet me see.\n>>>get_weather\n{"city": "Oslo"}', (OSLO,), content="Let me see."),
    Sample("functionary", ">>>all\nLet me see.>>>get_time\n{}", (TIME,), content="Let me see."),
    Sample("named", 'get_weather\n{"city": "Oslo"}', (OSLO,)),
    Sample(
        "functionary",
        '<|from|>assistant\n<|recipient|>get_weather\n<|content|>{"city": "Oslo"}<|stop|>',
        (OSLO,),
    ),
    Sample(
        "harmony",
        '<|channel|>analysis<|message|>Look.<|end|><|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{"city": "Oslo"}<|call|>',
        (OSLO,),
        reasoning="Look.",
    ),
    Sample(
        "harmony",
        '<|start|>assistant to=functions.get_weather<|channel|>commentary json<|message|>{"city": "Oslo"}',
        (OSLO,),
    ),
    Sample("harmony", 'commentary to=functions.get_weather json{"city": "Oslo"}', (OSLO,)),
    Sample(
        "harmony",
        'analysisWe look it up.assistantcommentary to=functions.get_weather json{"city": "Oslo"}',
        (OSLO,),
        reasoning="We look it up.",
    ),
    Sample("harmony", "analysisEasy.assistantfinalIt is 4.", content="It is 4.", reasoning="Easy."),
    Sample(
        "harmony",
        "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant<|channel|>final<|message|>Done.<|return|>",
        content="I look.Done.",
    ),
    Sample("qwen-agent", '✿FUNCTION✿: get_weather\n✿ARGS✿: {"city": "Oslo"}\n✿RESULT✿: rain', (OSLO,)),
    Sample("fence", '```json\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n```', (OSLO,)),
    Sample("fence", '```\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n```\n', (OSLO,)),
    Sample(
        "fence",
        'I will help you with that.\n```json\n[{"name": "get_weather", "arguments": {"city": "Oslo"}}, {"name": "get_time", "arguments": {}}]\n```',
        (OSLO, TIME),
        content="I will help you with that.",
    ),
    Sample("fence", '```tool_call\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n```', (OSLO,)),
    Sample("fence", '```json\n{"action": "get_weather", "action_input": {"city": "Oslo"}}\n```', (OSLO,)),
    Sample(
        "tool-use",
        '<tool_use>{"name": "get_weather", "input": {"city": "Oslo"}}</tool_use>',
        (OSLO,),
    ),
    # XML-like
    Sample(
        "qwen-coder",
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo\n</parameter>\n<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>",
        (("get_weather", {"city": "Oslo", "days": 3}),),
    ),
    Sample(
        "qwen-coder",
        "Fine.\n<function=get_time>\n</function>\n</tool_call>\n<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo\n</parameter>\n</function>\n</tool_call>",
        (TIME, OSLO),
        content="Fine.",
    ),
    Sample(
        "qwen-coder",
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo\n<parameter=days>\n3\n</function>\n</tool_call>",
        (("get_weather", {"city": "Oslo", "days": 3}),),
    ),
    Sample(
        "qwen-coder",
        "<tool_call>\n<function=set_alarm>\n<parameter=hour>\n7\n</parameter>\n<parameter=volume>\n0.5\n</parameter>\n<parameter=repeat>\nTrue\n</parameter>\n<parameter=label>\nNone\n</parameter>\n</function>\n</tool_call>",
        (("set_alarm", {"hour": 7, "volume": 0.5, "repeat": True, "label": None}),),
    ),
    Sample(
        "seed",
        "<seed:think>Hm.</seed:think><seed:tool_call>\n<function=get_weather>\n<parameter=city>Oslo</parameter>\n</function>\n</seed:tool_call>",
        (OSLO,),
        reasoning="Hm.",
    ),
    Sample("minicpm", '<function name="get_weather"><param name="city">Oslo</param></function>', (OSLO,)),
    Sample(
        "glm",
        "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>\n<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>",
        (("get_weather", {"city": "Oslo", "days": 3}),),
    ),
    Sample(
        "glm",
        "<tool_call>get_weather<arg_key>city</arg_key><arg_value>Oslo</arg_value></tool_call><tool_call>get_time</tool_call>",
        (OSLO, TIME),
    ),
    Sample(
        "hunyuan",
        "<tool_calls><tool_call>get_weather<tool_sep><arg_key>city</arg_key><arg_value>Oslo</arg_value></tool_call>"
        "<tool_call>get_time<tool_sep></tool_call></tool_calls>",
        (OSLO, TIME),
    ),
    Sample(
        "minimax",
        '<minimax:tool_call>\n<invoke name="get_weather">\n<parameter name="city">Oslo</parameter>\n</invoke>\n<invoke name="get_time">\n</invoke>\n</minimax:tool_call>',
        (OSLO, TIME),
    ),
    Sample(
        "minimax-m3",
        f'{M3}<tool_call>\n{M3}<invoke name="search">{M3}<query>a <b>{M3}</query>{M3}<filters>{M3}<lang>no{M3}</lang>{M3}</filters>{M3}<sites>{M3}<item>x{M3}</item>{M3}<item>y{M3}</item>{M3}</sites>{M3}</invoke>\n{M3}</tool_call>',
        (("search", {"query": "a <b>", "filters": {"lang": "no"}, "sites": ["x", "y"]}),),
    ),
    Sample(
        "dsml",
        f'<{DSML}function_calls>\n<{DSML}invoke name="get_weather">\n<{DSML}parameter name="city" string="true">Oslo</{DSML}parameter>\n<{DSML}parameter name="days" string="false">3</{DSML}parameter>\n</{DSML}invoke>\n</{DSML}function_calls>',
        (("get_weather", {"city": "Oslo", "days": 3}),),
    ),
    Sample(
        "dsml",
        f'<{DSML} calls>\n<{DSML} invoke name="get_weather">\n<{DSML} parameter name="city" string="true"> Oslo\n</{DSML} parameter>\n</{DSML} invoke>\n</{DSML} calls>',
        (("get_weather", {"city": " Oslo\n"}),),
    ),
    Sample("dsml", f'<{DSML}tool_calls><{DSML}invoke name="get_time"/></{DSML}tool_calls>', (TIME,)),
    Sample(
        "dsml",
        '<|DSML|function_calls>\n<|DSML|invoke name="get_weather">\n<|DSML|parameter name="city" string="true">Oslo</|DSML|parameter>\n</|DSML|invoke>\n</|DSML|function_calls>',
        (OSLO,),
    ),
    Sample(
        "invoke",
        '<function_calls>\n<invoke name="get_weather">\n<parameter name="city">Oslo</parameter>\n</invoke>\n</function_calls>',
        (OSLO,),
    ),
    Sample("invoke", '<invoke name="get_weather">\n<parameter name="city">Oslo</parameter>\n</invoke>', (OSLO,)),
    Sample(
        "invoke",
        'Hm.<tool_calls><invoke name="get_weather"><parameter name="city" string="true">Oslo</parameter></invoke></tool_calls>',
        (OSLO,),
        content="Hm.",
    ),
    Sample("invoke", '<tool_call>\n<invoke name="get_time">\n</invoke>\n</tool_call>', (TIME,)),
    Sample(
        "dsml",
        '<｜GCML｜tool_calls><｜GCML｜invoke name="get_weather"><｜GCML｜parameter name="city" string="true">Oslo</｜GCML｜parameter></｜GCML｜invoke></｜GCML｜tool_calls>',
        (OSLO,),
    ),
    Sample(
        "kimi-k3",
        'Hm.<|close|>think<|sep|><|open|>response<|sep|>I look.<|close|>response<|sep|><|open|>tools<|sep|><|open|>call tool="get_weather" index="1"<|sep|>'
        '<|open|>argument key="city" type="string"<|sep|>Oslo<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|><|close|>message<|sep|>',
        (OSLO,),
        content="I look.",
        reasoning="Hm.",
    ),
    # Python-like
    Sample("pythonic", '[get_weather(city="Oslo"), get_time()]', (OSLO, TIME)),
    Sample("pythonic", "[math.add(a=-1, b=2.5e1)]", (("math.add", {"a": -1, "b": 25.0}),)),
    Sample(
        "llama4",
        "<|python_start|>[search(query='it\\'s', filters={'a': [1, None, True]})]<|python_end|>",
        (("search", {"query": "it's", "filters": {"a": [1, None, True]}}),),
    ),
    Sample(
        "lfm2",
        '<|tool_call_start|>[get_weather(city="Oslo")]<|tool_call_end|>I am looking.',
        (OSLO,),
        content="I am looking.",
    ),
    Sample(
        "lfm2", '<|tool_call_start|>[{"name": "get_weather", "arguments": {"city": "Oslo"}}]<|tool_call_end|>', (OSLO,)
    ),
    Sample("olmo", '<function_calls>get_weather(city="Oslo")\nget_time()</function_calls>', (OSLO, TIME)),
    Sample("fence", 'Sure.\n```tool_code\nget_weather(city="Oslo")\n```', (OSLO,), content="Sure."),
    Sample("fence", '```tool_code\nprint(get_weather(city="Oslo"))\n```', (OSLO,)),
    Sample(
        "functiongemma",
        "<start_function_call>call:get_weather{city:<escape>Oslo<escape>,days:3}<end_function_call>",
        (("get_weather", {"city": "Oslo", "days": 3}),),
    ),
    Sample(
        "gemma4",
        '<|channel>thought\nHm.\n<channel|><|tool_call>call:search{query:<|"|>a}, <tool_call|> b<|"|>, filters:{two words:[1e3,null,{x:true}]}}<tool_call|>',
        (("search", {"query": "a}, <tool_call|> b", "filters": {"two words": [1000.0, None, {"x": True}]}}),),
        reasoning="Hm.",
    ),
    # ReAct
    Sample(
        "react",
        'Thought: I need the weather.\nAction: get_weather\nAction Input: {"city": "Oslo"}\nObservation: rain\nThought: done',
        (OSLO,),
        reasoning="I need the weather.",
    ),
    Sample("react", 'I look.\nAction: get_weather\nAction Input: {"city": "Oslo"}', (OSLO,), content="I look."),
    Sample("react", "Thought: I know.\nFinal Answer: 42", content="42", reasoning="I know."),
    # reasoning
    Sample("think", "<think>\nHm.\n</think>\n\nHello.", content="Hello.", reasoning="Hm."),
    Sample("think", "Hm.</think>Hello.", content="Hello.", reasoning="Hm."),
    Sample("think", "<thinking>Hm.</thinking>Hello.", content="Hello.", reasoning="Hm."),
    Sample("think", "<thought>Hm.</thought>Hello.", content="Hello.", reasoning="Hm."),
    Sample("think", "<reasoning>Hm.</reasoning>Hello.", content="Hello.", reasoning="Hm."),
    Sample("think", "<reflection>Hm.</reflection>Hello.", content="Hello.", reasoning="Hm."),
    Sample("think", "[THINK]Hm.[/THINK]Hello.", content="Hello.", reasoning="Hm."),
    Sample("think", "<longcat_think>Hm.</longcat_think>Hello.", content="Hello.", reasoning="Hm."),
    Sample("think", "<think>Hm.</think><answer>Hello.</answer>", content="Hello.", reasoning="Hm."),
    Sample(
        "think",
        "<|START_THINKING|>Hm.<|END_THINKING|><|START_RESPONSE|>Hello.<|END_RESPONSE|>",
        content="Hello.",
        reasoning="Hm.",
    ),
    Sample(
        "think",
        "Here is my thought process: Hm. Here is my response: Hello.",
        content="Hello.",
        reasoning="Hm.",
    ),
    Sample("think", "<think>Hm.", reasoning="Hm."),
    Sample(
        "think",
        'I could call <tool_call>{"name": "get_time", "arguments": {}}</tool_call> now.</think>No.',
        content="No.",
        reasoning='I could call <tool_call>{"name": "get_time", "arguments": {}}</tool_call> now.',
    ),
    Sample(
        "think",
        '<think>One.</think>Hello.<think>Two <tool_call>{"name": "get_time", "arguments": {}}</tool_call></think> Bye.',
        content="Hello. Bye.",
        reasoning='One.\n\nTwo <tool_call>{"name": "get_time", "arguments": {}}</tool_call>',
    ),
    # the same forms as they are when templates, tokenizers or models are sloppy
    Sample(
        "hermes", '<tool_call>\n<tool_call>\n{"name": "get_time", "arguments": {}}\n</tool_call>\n</tool_call>', (TIME,)
    ),
    Sample(
        "hermes",
        'So:\n<tools>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n</tools>',
        (OSLO,),
        content="So:",
    ),
    Sample(
        "hermes",
        '<tools>\n[{"name": "get_weather", "parameters": {"city": "Oslo"}}, {"name": "get_time", "arguments": {}}]\n</tools>',
        (OSLO, TIME),
    ),
    Sample(
        "json",
        '<|start_header_id|>assistant<|end_header_id|>\n\n{"name": "get_weather", "parameters": {"city": "Oslo"}}<|eot_id|>',
        (OSLO,),
    ),
    Sample(
        "json",
        '[{"name": "get_weather", "arguments": {"city": "Oslo"}} {"name": "get_time", "arguments": {}}]',
        (OSLO, TIME),
    ),
    Sample(
        "gigachat",
        'Sure.<|message_sep|>\n\nfunction call<|role_sep|>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}</s>',
        (OSLO,),
        content="Sure.",
    ),
    Sample(
        "tool-calls",
        '<think>\nHm.\n</think>\n<answer>\nI look.\n<tool_calls>[{"name": "get_time", "arguments": {}}]</tool_calls>\n</answer>',
        (TIME,),
        content="I look.",
        reasoning="Hm.",
    ),
    Sample("tool-calls", '<tool_calls>[{"name": "get_time", "arguments": {}}]</tool_calls>\n</answer>', (TIME,)),
    Sample(
        "deepseek",
        '<｜tool_calls_begin｜><｜tool_call_begin｜><steptml:invoke name="get_weather"><steptml:parameter name="city"> Oslo\n</steptml:parameter>'
        '</steptml:invoke><｜tool_call_end｜><｜tool_sep｜><｜tool_call_begin｜>function<｜tool_sep｜>get_time\n<steptml:invoke name="get_time">'
        "</steptml:invoke><｜tool_call_end｜><｜tool_calls_end｜>",
        (("get_weather", {"city": " Oslo\n"}), TIME),
    ),
    Sample(
        "kimi",
        "<|tool_call_section_begin|><|tool_call_begin|>get_time:0<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_call_section_end|>",
        (TIME,),
    ),
    Sample("functionary", 'get_weather\n<|content|>{"city": "Oslo"}<|stop|>', (OSLO,)),
    Sample("functionary", 'functions.get_weather\n<|content|>{"city": "Oslo"}', (OSLO,)),
    Sample("harmony", "<|channel|>commentary to=functions.get_time <|constrain|>json<|message|><|call|>", (TIME,)),
    Sample(
        "minicpm",
        '<function name="get_weather"><param name="city"><![CDATA[a </param> b]]></param></function>',
        (("get_weather", {"city": "a </param> b"}),),
    ),
    Sample(
        "deepseek",
        'functionget_weather\n```json\n{"city": "Oslo"}\n```\nfunctionget_time\n```json\n{}\n```',
        (OSLO, TIME),
    ),
    Sample("harmony", 'assistant to=functions.get_weathercommentary json{"city": "Oslo"}', (OSLO,)),
    Sample("harmony", 'Hm. assistantcommentary to=functions.get_weatherjson{"city": "Oslo"}', (OSLO,), content="Hm."),
    Sample(
        "deepseek",
        'Hm.\nfunction<steptml:invoke name="get_weather"><steptml:parameter name="city">Oslo</steptml:parameter></steptml:invoke>',
        (OSLO,),
        content="Hm.",
    ),
    Sample("glm", "<tool_call> get_weather <arg_key>city</arg_key><arg_value>Oslo</arg_value></tool_call>", (OSLO,)),
    Sample("minimax", '<minimax:tool_call><invoke name="get_time"></invoke></minimax:tool_call>[e~[', (TIME,)),
    Sample("seed", "<seed:tool_call><function=get_time></function></seed:tool_call><seed:eos>", (TIME,)),
    Sample("gemma4", '<|tool_call>:call:get_weather{city:<|"|>Oslo<|"|>}<turn|>', (OSLO,)),
    Sample("gemma4", "<|channel>thought\nHm.\n<channel|>call:get_time{}", (TIME,), reasoning="Hm."),
    Sample("pythonic", '[\n    get_weather(city="Oslo"),\n    get_time(),\n]', (OSLO, TIME)),
    Sample(
        "react",
        '**Thought:** Hm.\n**Action:** get_weather\n**Action Input:** {"city": "Oslo"}',
        (OSLO,),
        reasoning="Hm.",
    ),
    Sample(
        "react", 'Thought: Hm.\nAction:\n{"name": "get_time", "arguments": {}}<end_action>', (TIME,), reasoning="Hm."
    ),
    Sample("react", "Thought: I know.\nAnswer: 42", content="42", reasoning="I know."),
    Sample("react", 'Action: ```json\n[{"tool_name": "directly-answer", "parameters": {}}]\n```'),
    Sample("fence", '```json\n{"action": "get_weather", "action_input": "Oslo"}\n```', (OSLO,)),
    Sample(
        "hermes",
        '```json\n{"a": 1}\n```\nThat is it.\n```json\n[{"b": 2}]\n```\n<tool_call>{"name": "get_time", "arguments": {}}</tool_call>',
        (TIME,),
        content='```json\n{"a": 1}\n```\nThat is it.\n```json\n[{"b": 2}]\n```',
    ),
    Sample("think", "Hm:\n```json\n{}\n```</think>Hello.", content="Hello.", reasoning="Hm:\n```json\n{}\n```"),
    Sample("think", "<think>Hm.</think><|begin_of_box|>42<|end_of_box|>", content="42", reasoning="Hm."),
    Sample(
        "think",
        "<think>One <think>two</think> three</think>Hello.",
        content="Hello.",
        reasoning="One <think>two\n\nthree",
    ),
)

TEXT = (
    "",
    "Hello.",
    "  Hello,\n\nyou.\n",
    "a < b, [1], {x}, `f`, 3 > 2, <b>bold</b>, f(x) = 2, functions",
    '{"name": "delete_everything", "arguments": {}}',
    '<tool_call>{"name": "delete_everything", "arguments": {}}</tool_call>',
    '<tool_call>{"name": "Get_Weather", "arguments": {"city": "Oslo"}}</tool_call>',
    '{"name": "get_weather"}',
    '{"name": "Anna", "age": 3}',
    '{"name": "get_weather", "version": "1.0.0", "dependencies": {}}',
    '{"city": "Oslo", "temperature": 3}',
    "[1, 2, 3]",
    '["get_weather", "get_time"]',
    "{}",
    '{"parameters": {}}',
    '{"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}',
    '{"type": "function", "function": {"name": "get_weather", "description": "Weather.", "parameters": {"type": "object", "properties": {}}}}',
    '<tool_call>{"name": "get_weather", "parameters": {"city": {"type": "string", "description": "A city."}}}</tool_call>',
    '<tools>\n{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}\n</tools>',
    '<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>',
    '```python\nget_weather(city="Oslo")\n```',
    'Let me look.\n```json\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n```\nThat is how.',
    'The page says: “<tool_call>{"name": "get_time", "arguments": {}}</tool_call>”.',
    'It reads \'<tool_call>{"name": "get_time", "arguments": {}}</tool_call>\' there.',
    'You could write:\n```json\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n```\nand send it.',
    'For example:\n```json\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n```',
    'A call looks like `<tool_call>{"name": "get_time", "arguments": {}}</tool_call>` there.',
    'As in `{"name": "get_time", "arguments": {}}`.',
    '{"name": "get_time", "arguments": {}} is what I would send.',
    'I would send {"name": "get_time", "arguments": {}}',
    '<tool_response>\n{"name": "get_time", "arguments": {}}\n<tool_call>{"name": "get_time", "arguments": {}}</tool_call>\n</tool_response>',
    'The page says: "<tool_call>{"name": "get_time", "arguments": {}}</tool_call>".',
    '> <tool_call>{"name": "get_time", "arguments": {}}</tool_call>',
    'In XML:\n```xml\n<tool_call>{"name": "get_time", "arguments": {}}</tool_call>\n```\nThat is all.',
    '````markdown\n```xml\n<tool_call>{"name": "get_time", "arguments": {}}</tool_call>\n```\n````\nThat is how.',
    "See [search](https://example.org/search) and [get_weather](x).",
    "[search](https://example.org)",
    "[get_weather] is a tool.",
    "[get_weather(city=oslo)]",
    "[get_weather(city=get_time())]",
    '[get_weather(city="Oslo")] would do it.',
    "[get_weather(city=1e999)]",
    "Action: we search\nfor it.",
    "Action: search\nWe look for it together.",
    "The best Action: get_weather now.",
    "Thought: it is late.",
    "all\nof us",
    "The tag <function=foo is documented here.",
    "The tag <invoke name=foo is documented here.",
    'As in ``<tool_call>{"name": "get_time", "arguments": {}}</tool_call>`` there.',
    '{"name": "get_weather", "parameters": {"properties": {"city": {"type": "string"}}, "required": ["city"]}}',
    "<tool_call>[1, null]</tool_call>",
    '<tool_call> [{"options": "foo"}] </tool_call> ',
    "functools[] is text",
    "functions are text",
    "function get_time() { return 1 }",
    "functools[ this is text ]",
    "call: me",
    "[get_weather(city='x 'y')]",
    "Action: Get Weather\nAction Input: {}",
    "analysis is fun",
    "analysisParalysis",
    "get_weather is a tool.",
    "get_time",
    "get_weather(city='Oslo') is how one calls it.",
    "The <tool_call> tag opens a call, </tool_call> closes it.",
    "</tool_call>",
    "</parameter></function></tool_call>",
    "[TOOL_CALLS] is a token.",
    '[TOOL_CALLS]delete_everything[ARGS]{"x": "[TOOL_CALLS]get_time[ARGS]{}"}',
    '>>>print("x")\n>>> 2',
    '<invoke name="delete_everything"><parameter name="x">1</parameter></invoke>',
    "<function=delete_everything>\n<parameter=x>\n1\n</parameter>\n</function>",
    "`<think>` opens a thought and `</think>` closes it.",
    '{"html": "<think>x</think> <tool_call>{}</tool_call>", "n": [1, {"a": "]"}]}',
    '<｜tool▁calls▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{"city": "Oslo"}\n```<｜tool▁calls▁end｜>',
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{"city": "Oslo"<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    "<|tool_call>call:delete_everything{x:1}<tool_call|>",
    "<tool_call>not valid json</tool_call>",
    '<tool_call>{"name": "get_weather", "arguments": "Oslo"}</tool_call>',
    '<tool_call>{"name": "get_weather", "arguments": ["Oslo"]}</tool_call>',
    '<tool_call>{"name": "get_weather", "arguments": {"city": "Oslo}}</tool_call> It rains.',
)
"""Answers in which nothing is a call or a thought: they come back to the letter."""
