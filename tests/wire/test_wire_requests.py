"""Golden pairs: our request -> the JSON on the wire."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest
from wire.fakes import PAIR, FakeServer, announced, delta, message, piece, request, sse

from agentkit.core.messages import Assistant, System, ToolCall, ToolResult, ToolSpec, User
from agentkit.core.settings import Settings
from agentkit.errors import UsageError
from agentkit.models.chat_completions import profiles
from agentkit.models.chat_completions.encode import Encoder
from agentkit.models.chat_completions.profiles import GENERIC, Profile
from agentkit.models.model import OutputSchema, Request

USER = User(content="2 + 3?")


def asked(*ids: str | None, name: str = "add", arguments: str = '{"a": 2}', content: str = "", **rest):
    calls = tuple(
        ToolCall(id=f"own{n}", name=name, arguments=arguments, provider_id=given) for n, given in enumerate(ids)
    )
    return Assistant(content=content, tool_calls=calls, finish_reason="tool_calls", **rest)


def answered(number: int = 0, content: str = "5", name: str = "add"):
    return ToolResult(call_id=f"own{number}", name=name, content=content)


def body(
    *messages, profile: Profile = GENERIC, stream: bool = False, tools=(), settings: Settings | None = None, **rest
):
    """What is sent for these messages."""
    asked_for = Request(messages=messages or (USER,), tools=tools, **rest)
    encoded = Encoder("m", profile).encode(asked_for, settings or asked_for.settings, stream=stream)
    return json.loads(encoded.body)


ADD = ToolSpec("add", "Adds.", PAIR)
OPT = ToolSpec("opt", "Opts.", {"type": "object", "properties": {}})


def test_a_whole_conversation():
    """System, user, calls and results in the documented form."""
    sent = body(
        System(content="Be short."), USER, asked("x", content="Let me see."), answered(), Assistant(content="5.")
    )
    assert sent == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": "2 + 3?"},
            {
                "role": "assistant",
                "content": "Let me see.",
                "tool_calls": [{"id": "x", "type": "function", "function": {"name": "add", "arguments": '{"a": 2}'}}],
            },
            {"role": "tool", "tool_call_id": "x", "content": "5"},
            {"role": "assistant", "content": "5."},
        ],
    }


def test_tools_are_declared_in_order():
    """Name, description and schema, nested."""
    assert body(tools=(ADD, OPT))["tools"] == [
        {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": PAIR}},
        {"type": "function", "function": {"name": "opt", "description": "Opts.", "parameters": OPT.parameters}},
    ]


EMPTY = {"empty": {"content": ""}, "null": {"content": None}, "absent": {}}


@pytest.mark.parametrize("way", EMPTY)
def test_content_beside_calls_is_empty_null_or_absent(way):
    """As the server takes it; text stays text everywhere."""
    sent = body(USER, asked("x"), answered(), profile=Profile(empty_content=way))["messages"][1]
    assert {k: v for k, v in sent.items() if k == "content"} == EMPTY[way]
    assert (
        body(USER, asked("x", content="Hm."), answered(), profile=Profile(empty_content=way))["messages"][1]["content"]
        == "Hm."
    )


ARGUMENTS = {
    "an object": ('{"a": 2}', '{"a": 2}'),
    "spaced": ('{ "a" : 2 }\n', '{ "a" : 2 }\n'),
    "empty": ("", "{}"),
    "null": ("null", "{}"),
    "a list": ("[1]", "{}"),
    "a text": ('"a"', "{}"),
    "cut off": ('{"a": "x', "{}"),
    "raw newline": ('{"a": "x\ny"}', "{}"),
    "NaN": ('{"a": NaN}', "{}"),
    "single quotes": ("{'a': 2}", "{}"),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_arguments_of_the_history_are_always_an_object(case):
    """Servers parse them; what is no JSON object would be a 400 for the rest of the conversation."""
    given, expected = ARGUMENTS[case]
    call = body(USER, asked("x", arguments=given), answered())["messages"][1]["tool_calls"][0]
    assert call["function"]["arguments"] == expected
    call = body(USER, asked("x", arguments=given), answered(), profile=Profile(object_arguments=True))["messages"][1]
    assert call["tool_calls"][0]["function"]["arguments"] == json.loads(expected)


def wire_ids(*ids, profile: Profile = GENERIC):
    """The ids of the calls and of the results, of one call a step."""
    messages = [USER]
    for number, given in enumerate(ids):
        call = ToolCall(id=f"own{number}", name="add", arguments="{}", provider_id=given)
        messages += [Assistant(tool_calls=(call,)), answered(number)]
    sent = body(*messages, profile=profile)["messages"]
    calls = [m["tool_calls"][0]["id"] for m in sent if "tool_calls" in m]
    assert calls == [m["tool_call_id"] for m in sent if m["role"] == "tool"]
    return calls


IDS = {
    "the provider's": (["x", "y"], ["x", "y"]),
    "repeated": (["call_0", "call_0", "call_0"], ["call_0", "own1", "own2"]),
    "missing": ([None, None], ["own0", "own1"]),
    "empty": (["", ""], ["own0", "own1"]),
    "with signs": (["functions.add:0"], ["functions.add:0"]),
    "our own id taken by a provider": (["own1", "own1"], ["own1", None]),
}


@pytest.mark.parametrize("case", IDS)
def test_two_calls_of_a_history_never_share_an_id(case):
    """The provider's id where it is free, else our own."""
    given, expected = IDS[case]
    sent = wire_ids(*given)
    assert len(set(sent)) == len(sent)
    assert all(one == other for one, other in zip(sent, expected, strict=True) if other is not None)


def test_repeated_ids_in_one_answer_are_told_apart():
    """Both calls and both results."""
    sent = body(USER, asked("call_0", "call_0"), answered(0), answered(1, "6"))["messages"]
    ids = [call["id"] for call in sent[1]["tool_calls"]]
    assert len(set(ids)) == 2
    assert [m["tool_call_id"] for m in sent[2:]] == ids


@pytest.mark.parametrize(
    ("profile", "pattern"),
    [
        (profiles.MISTRAL, r"[a-zA-Z0-9]{9}"),
        (profiles.ANTHROPIC, r"[a-zA-Z0-9_-]{1,64}"),
        (profiles.OPENAI, r".{1,40}"),
    ],
    ids=["mistral", "anthropic", "openai"],
)
def test_ids_of_another_provider_become_legal(profile, pattern):
    """A history may have come from elsewhere; the same id comes out each time."""
    given = ["functions.add:0", "call_" + "x" * 60, "abcDEF123", None, "ü"]
    sent = wire_ids(*given, profile=profile)
    assert all(re.fullmatch(pattern, one) for one in sent)
    assert len(set(sent)) == len(sent)
    assert "abcDEF123" in sent
    assert sent == wire_ids(*given, profile=profile)


def test_a_result_without_its_call_still_has_a_legal_id():
    """The view does not let it happen, a view function of a user might."""
    sent = body(USER, answered(7), profile=profiles.MISTRAL)["messages"][1]
    assert re.fullmatch(r"[a-zA-Z0-9]{9}", sent["tool_call_id"])


NAMES = {
    "legal": ("add", "add"),
    "dots": ("files.read", "files_read"),
    "blanks": ("read file", "read_file"),
    "umlauts": ("größe", "gr__e"),
    "empty": ("", "unnamed"),
    "long": ("x" * 80, "x" * 64),
}


@pytest.mark.parametrize("case", NAMES)
def test_names_are_legal_on_the_wire(case):
    """Tools, calls, results and the choice have the same legal name."""
    name, legal = NAMES[case]
    spec = ToolSpec(name, "", PAIR)
    history = (USER, asked("x", name=name), answered(name=name))
    sent = body(*history, tools=(spec,), settings=Settings(tool_choice=name or None), profile=Profile(tool_names=True))
    assert sent["tools"][0]["function"]["name"] == legal
    assert sent["messages"][1]["tool_calls"][0]["function"]["name"] == legal
    assert sent["messages"][2]["name"] == legal
    assert not name or sent["tool_choice"]["function"]["name"] == legal


@pytest.mark.anyio
async def test_a_call_by_the_legal_name_is_a_call_of_the_tool():
    """Two names that become one on the wire are told apart, and mapped back."""
    tools = tuple(ToolSpec(name, "", PAIR) for name in ("a.b", "a_b", "a b"))
    server = FakeServer(
        message(None, [{"function": {"name": n, "arguments": "{}"}} for n in ("a_b", "a_b_2", "a_b_3", "zzz")])
    )
    answer = await server.model().call(request(tools=tools))
    assert [call.name for call in answer.tool_calls] == ["a.b", "a_b", "a b", "zzz"]


@pytest.mark.anyio
async def test_a_call_is_announced_by_our_name():
    """In a stream as well."""
    deltas = []
    server = FakeServer(sse(piece(0, "a_b", "{}", id="x"), piece(1, "zzz", "", id="y"), delta("tool_calls")))
    await server.model().call(request(tools=(ToolSpec("a.b", "", PAIR),)), deltas.append)
    assert announced(deltas) == ["a.b", "zzz"]


OPTIONAL = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a"]}
FREE = {"type": "object", "properties": {"a": {"type": "object", "additionalProperties": True}}, "required": ["a"]}


def test_tools_are_strict_where_nothing_is_lost():
    """And only on OpenAI's own wire: what may be left out may be null there; a free dict cannot be strict."""
    tools = (ToolSpec("one", "", OPTIONAL), ToolSpec("two", "", FREE), ToolSpec("three", "", OPTIONAL, strict=False))
    one, two, three = (entry["function"] for entry in body(tools=tools, profile=profiles.OPENAI)["tools"])
    assert one["strict"] is True
    assert one["parameters"]["required"] == ["a", "b"]
    assert "strict" not in two | three
    assert two["parameters"]["properties"] == FREE["properties"]
    assert three["parameters"] == OPTIONAL
    assert all("strict" not in entry["function"] for entry in body(tools=tools)["tools"])


@pytest.mark.anyio
@pytest.mark.parametrize("streams", [False, True])
async def test_arguments_of_a_strict_tool_are_what_the_tool_itself_takes(streams):
    """The null that stands for a missing argument is taken out again; what is no object stays as it was written."""
    tools = (ToolSpec("one", "", OPTIONAL),)
    for written, expected in (
        ('{"a": 1, "b": null}', '{"a": 1}'),
        ('{"a": 1, "b": 2}', '{"a": 1, "b": 2}'),
        ("[", "["),
    ):
        answer = message(None, [{"function": {"name": "one", "arguments": written}}])
        server = FakeServer(answer)
        got = await server.model(profile=profiles.OPENAI).call(
            request(tools=tools), (lambda _: None) if streams else None
        )
        assert [call.arguments for call in got.tool_calls] == [expected]


@pytest.mark.anyio
async def test_arguments_that_were_cut_off_are_not_touched():
    """Nothing is completed on the way back."""
    tools, cut = (ToolSpec("one", "", OPTIONAL),), '{"a": 1, "b": nul'
    server = FakeServer(message(None, [{"function": {"name": "one", "arguments": cut}}], reason="length"))
    answer = await server.model(profile=profiles.OPENAI).call(request(tools=tools))
    assert [(call.arguments, call.truncated) for call in answer.tool_calls] == [(cut, True)]


PARTS = ({"type": "text", "text": "What"}, {"type": "text", "text": "is it?"})
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


def test_content_parts_go_as_they_are_or_as_text():
    """Text parts are joined where only plain text is taken; a picture is never dropped."""
    user = User(content=PARTS)
    assert body(user)["messages"][0]["content"] == list(PARTS)
    assert body(user, profile=Profile(text_only=True))["messages"][0]["content"] == "What\nis it?"
    both = User(content=(*PARTS, IMAGE))
    assert body(both, profile=Profile(text_only=True))["messages"][0]["content"] == [*PARTS, IMAGE]


CHOICES = {
    "nothing": (None, GENERIC, None),
    "auto": ("auto", GENERIC, "auto"),
    "required": ("required", GENERIC, "required"),
    "required, Mistral's word": ("required", profiles.MISTRAL, "any"),
    "named": ("add", GENERIC, {"type": "function", "function": {"name": "add"}}),
    "auto, not supported": ("auto", profiles.OLLAMA, None),
    "required, not supported": ("required", profiles.OLLAMA, None),
    "named, only required is supported": ("add", profiles.LMSTUDIO, "required"),
}


@pytest.mark.parametrize("case", CHOICES)
def test_tool_choice_in_the_servers_words(case):
    """Not sent where the server does not know it."""
    choice, profile, expected = CHOICES[case]
    sent = body(tools=(ADD, OPT), settings=Settings(tool_choice=choice), profile=profile)
    assert sent.get("tool_choice") == expected


def test_a_named_choice_that_is_not_supported_offers_that_tool_alone():
    """`required` with one tool is the same."""
    sent = body(tools=(ADD, OPT), settings=Settings(tool_choice="opt"), profile=profiles.LMSTUDIO)
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["opt"]


def test_a_choice_that_is_not_offered_is_refused():
    """Before any request."""
    with pytest.raises(UsageError, match="'sum', which is not offered: add, opt"):
        body(tools=(ADD, OPT), settings=Settings(tool_choice="sum"))


def test_a_choice_without_tools_is_not_sent():
    """Servers refuse it."""
    assert body(settings=Settings(tool_choice="auto", parallel_tool_calls=True)).keys() == {"model", "messages"}


def test_none_takes_the_tools_away_or_keeps_them():
    """Kept where the server honours `none`, for its cache; else there is nothing to call."""
    last = {"withheld": (ADD, OPT), "settings": Settings(tool_choice="none")}
    assert "tools" not in body(USER, asked("x"), answered(), **last)
    sent = body(USER, asked("x"), answered(), profile=profiles.OPENAI, **last)
    assert sent["tool_choice"] == "none"
    assert sent["tools"] == body(tools=(ADD, OPT), profile=profiles.OPENAI)["tools"]


def test_the_last_request_may_still_offer_the_output_tool():
    """The tool that carries the output stays, named; the others only where they are declared anyway."""
    last = {"tools": (OPT,), "withheld": (ADD,), "settings": Settings(tool_choice="opt")}
    assert [t["function"]["name"] for t in body(**last)["tools"]] == ["opt"]
    assert [t["function"]["name"] for t in body(profile=profiles.OPENAI, **last)["tools"]] == ["add", "opt"]


SETTINGS = {
    "nothing": (Settings(), GENERIC, {}),
    "all": (
        Settings(
            temperature=0.0,
            top_p=0.5,
            top_k=3,
            seed=7,
            stop=("a", "b"),
            frequency_penalty=0.0,
            presence_penalty=1.0,
            repetition_penalty=1.1,
            reasoning_effort="low",
            max_tokens=10,
        ),
        GENERIC,
        {
            "temperature": 0.0,
            "top_p": 0.5,
            "top_k": 3,
            "seed": 7,
            "stop": ["a", "b"],
            "frequency_penalty": 0.0,
            "presence_penalty": 1.0,
            "repetition_penalty": 1.1,
            "reasoning_effort": "low",
            "max_tokens": 10,
        },
    ),
    "max_tokens of OpenAI": (Settings(max_tokens=10), profiles.OPENAI, {"max_completion_tokens": 10}),
    "seed of Mistral": (Settings(seed=7), profiles.MISTRAL, {"random_seed": 7}),
    "max_tokens always sent": (Settings(), profiles.WORKERS_AI, {"max_tokens": 4096}),
    "max_tokens said": (Settings(max_tokens=10), profiles.WORKERS_AI, {"max_tokens": 10}),
    "timeout is ours": (Settings(timeout_s=3.0), GENERIC, {}),
    "extra": (Settings(temperature=1.0, extra={"temperature": 2, "n": 1}), GENERIC, {"temperature": 2, "n": 1}),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_settings_reach_the_body(case):
    """Each one that is set, by the server's name for it."""
    settings, profile, expected = SETTINGS[case]
    sent = body(settings=settings, profile=profile)
    del sent["model"], sent["messages"]
    assert sent == expected


@pytest.mark.parametrize("name", ["model", "messages", "tools", "response_format", "stream"])
def test_extra_takes_the_place_of_any_field(name):
    """Once, not twice: a repeated key means something else to each parser."""
    everything = Request(messages=(USER,), tools=(ADD,), output=SCHEMA)
    encoded = Encoder("m", GENERIC).encode(everything, Settings(extra={name: ["x"]}), stream=True)
    pairs = json.loads(encoded.body, object_pairs_hook=lambda found: found)
    assert [value for key, value in pairs if key == name] == [["x"]]


def test_parallel_tool_calls_go_with_tools():
    """And only with them."""
    assert body(tools=(ADD,), settings=Settings(parallel_tool_calls=False))["parallel_tool_calls"] is False


def test_streams_ask_for_usage_where_that_is_known():
    """`stream_options` is refused by some."""
    assert body(stream=True)["stream_options"] == {"include_usage": True}
    assert body(stream=True)["stream"] is True
    assert "stream_options" not in body(stream=True, profile=profiles.MISTRAL)
    assert "stream" not in body()


SCHEMA = OutputSchema("Person!", {"type": "object", "properties": {"name": {"type": "string"}}})


def test_output_is_enforced_where_the_server_can():
    """In OpenAI's envelope, with a legal name."""
    assert body(output=SCHEMA)["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "Person_", "schema": SCHEMA.schema},
    }


TOLD = {
    "json_object": (Profile(output="json_object"), (), {"type": "json_object"}),
    "nothing": (Profile(output=None), (), None),
    "not beside tools": (Profile(output_with_tools=False), (ADD,), None),
}


@pytest.mark.parametrize("case", TOLD)
def test_output_is_told_in_words_where_the_server_cannot_enforce_it(case):
    """The schema stands in the instructions, in front of everything that grows."""
    profile, tools, response_format = TOLD[case]
    sent = body(System(content="Be short."), USER, profile=profile, tools=tools, output=SCHEMA)
    assert sent.get("response_format") == response_format
    told = sent["messages"][0]["content"]
    assert told.startswith("Be short.\n\n")
    assert json.dumps(SCHEMA.schema) in told
    alone = body(USER, profile=profile, tools=tools, output=SCHEMA)["messages"]
    assert [m["role"] for m in alone] == ["system", "user"]


def test_roles_as_the_server_takes_them():
    """`developer`, or instructions as part of the first user message."""
    history = (System(content="Be short."), USER)
    assert body(*history, profile=Profile(system_role="developer"))["messages"][0]["role"] == "developer"
    assert body(*history, profile=Profile(system_role="user"))["messages"] == [
        {"role": "user", "content": "Be short.\n\n2 + 3?"}
    ]


def test_equal_roles_in_a_row_are_joined_where_they_must_alternate():
    """Texts, parts, and answers without calls; calls and results stay."""
    history = (USER, User(content=PARTS), Assistant(content="a"), Assistant(content="b"), USER, asked("x"), answered())
    roles = [(m["role"], m.get("content")) for m in body(*history, profile=Profile(alternate=True))["messages"]]
    assert roles == [
        ("user", [{"type": "text", "text": "2 + 3?"}, *PARTS]),
        ("assistant", "a\n\nb"),
        ("user", "2 + 3?"),
        ("assistant", ""),
        ("tool", "5"),
    ]


def test_what_a_server_wants_back_goes_back():
    """Reasoning, thought signatures and reasoning details, each where its server reads it; nowhere else."""
    call = ToolCall(id="own0", name="add", arguments="{}", extra={"extra_content": {"google": {"s": 1}}})
    thought = Assistant(tool_calls=(call,), reasoning="Hm.", extra={"reasoning_details": [{"text": "Hm."}]})
    history = (USER, thought, answered())

    def sent(profile):
        return body(*history, profile=profile)["messages"][1]

    assert sent(profiles.DEEPSEEK)["reasoning_content"] == "Hm."
    assert sent(profiles.VLLM)["reasoning"] == "Hm."
    assert sent(profiles.GEMINI)["tool_calls"][0]["extra_content"] == {"google": {"s": 1}}
    assert sent(profiles.OPENROUTER)["reasoning_details"] == [{"text": "Hm."}]
    assert sent(GENERIC).keys() == {"role", "content", "tool_calls"}
    assert sent(GENERIC)["tool_calls"][0].keys() == {"id", "type", "function"}


def test_deepseek_gets_reasoning_even_where_there_was_none():
    """A missing field beside calls is a 400 there; an answer without calls needs none."""
    sent = body(USER, asked("x"), answered(), Assistant(content="5.", reasoning="Hm."), profile=profiles.DEEPSEEK)[
        "messages"
    ]
    assert sent[1]["reasoning_content"] == ""
    assert "reasoning_content" not in sent[3]


def test_text_that_no_json_can_carry():
    """Lone surrogates do not stop a run; everything else arrives as it is."""
    assert body(User(content="a\ud83db"))["messages"][0]["content"] == "a?b"
    assert body(User(content='"\\\x00\u2028\U0001f600'))["messages"][0]["content"] == '"\\\x00\u2028\U0001f600'


@pytest.mark.anyio
async def test_a_session_reaches_the_cache_that_wants_one():
    """As a header of Workers AI, as a field of OpenAI."""
    server = FakeServer(message("Hello."))
    await server.model(profile=profiles.WORKERS_AI).call(request(session="user-42"))
    assert server.requests[-1].headers["x-session-affinity"] == "user-42"
    await server.model(profile=profiles.OPENAI).call(request(session="user-42"))
    assert server.bodies[-1]["prompt_cache_key"] == "user-42"
    await server.model().call(request(session="user-42"))
    assert "user-42" not in server.requests[-1].content.decode() + str(server.requests[-1].headers)


# ---- what is encoded once ----


def run_of(steps: int, provider_id: str = "call_0"):
    """The messages of a run of so many tool steps; `{}` in the id is the step."""
    messages = [System(content="Be short."), USER]
    for number in range(steps):
        call = ToolCall(
            id=f"own{number}", name="add", arguments='{"a": 1, "b": 2}', provider_id=provider_id.format(number)
        )
        messages += [Assistant(tool_calls=(call,)), answered(number)]
    return messages


def test_the_beginning_of_a_body_stays_the_same_byte_for_byte():
    """Prompt caches depend on it: each body begins with the messages of the one before, and the tools do not change."""
    encoder, memo, messages = Encoder("m", profiles.OPENAI), {}, run_of(5)
    bodies = []
    for end in range(2, len(messages) + 1, 2):
        shown = [System(content="Be short."), *messages[1:end]]  # instructions are a new object in each step
        bodies.append(
            encoder.encode(Request(messages=shown, tools=(ADD, OPT), memo=memo), Settings(), stream=False).body
        )
    heads = [one[: one.index(b'],"tools"')] for one in bodies]
    assert all(later.startswith(earlier) for earlier, later in pairwise(heads))
    assert len({one[one.index(b'],"tools"') :] for one in bodies}) == 1


def test_a_body_from_memory_is_the_body_from_scratch():
    """However the view changed in between: grown, cut at the front, or with other objects."""
    encoder, memo, messages = Encoder("m", GENERIC), {}, run_of(6, "x{}")
    views = [messages[:4], messages[:8], [messages[0], *messages[6:10]], messages, messages[2:], messages[:3], messages]
    for view in views:
        remembered = encoder.encode(Request(messages=view, memo=memo), Settings(), stream=False)
        assert remembered == Encoder("m", GENERIC).encode(Request(messages=view), Settings(), stream=False)


def test_memory_is_bounded_by_the_history():
    """A view that makes new messages in each step does not pile them up."""
    encoder, memo = Encoder("m", GENERIC), {}
    for step in range(200):
        view = [User(content=f"{step}-{n}") for n in range(5)]
        encoder.encode(Request(messages=view, memo=memo), Settings(), stream=False)
    assert len(memo[encoder].pieces) < 200


def test_two_models_share_the_memo_of_a_run():
    """A fallback in the middle of a run: each wire has its own bytes."""
    memo, messages = {}, run_of(2)
    for profile in (GENERIC, profiles.MISTRAL, GENERIC):
        sent = Encoder("m", profile).encode(Request(messages=messages, memo=memo), Settings(), stream=False).body
        ids = [m["tool_call_id"] for m in json.loads(sent)["messages"] if m["role"] == "tool"]
        assert all(len(one) == 9 for one in ids) == (profile is profiles.MISTRAL)
