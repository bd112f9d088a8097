"""Whole answers: every shape that servers send instead of the documented one."""

from __future__ import annotations

import json

import pytest
from wire.fakes import FakeServer, call, facts, message, named, request, streamed, text_of, whole

from agentkit.core.messages import Usage
from agentkit.errors import MalformedResponse, ModelError, QuotaExhausted, RateLimited, Unavailable

pytestmark = pytest.mark.anyio

ADD = ("add", '{"a": 1, "b": 2}')

CONTENT = {
    "text": ("Hello.", "Hello."),
    "null": (None, ""),
    "empty": ("", ""),
    "zero": (0, "0"),
    "a number": (42, "42"),
    "a float": (1.5, "1.5"),
    "false": (False, "false"),
    "an object": ({"city": "Oslo"}, '{"city": "Oslo"}'),
    "parts": ([{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo."}], "Hello."),
    "parts that are texts": (["Hel", "lo."], "Hello."),
    "parts with null": ([None, {"type": "text", "text": "Hello."}, {"type": "text"}], "Hello."),
    "output_text parts": ([{"type": "output_text", "text": "Hello."}], "Hello."),
    "no parts": ([], ""),
    "a lone surrogate": ("a\ud83d", "a\ufffd"),
    "a pair of surrogates": ("\ud83d\ude00", "\U0001f600"),
}


@pytest.mark.parametrize("case", CONTENT)
async def test_content_of_any_type_is_text(case):
    """What stands in `content` becomes text; falsy is not absent."""
    sent, expected = CONTENT[case]
    assert (await whole(message(sent))).content == expected


async def test_missing_content_is_empty():
    """A message without `content` has none."""
    answer = message()
    del answer["choices"][0]["message"]["content"]
    assert (await whole(answer)).content == ""


CALLS = {
    "as OpenAI": ([call()], [ADD]),
    "flat item": ([{"name": "add", "arguments": {"a": 1, "b": 2}}], [ADD]),
    "flat item with id": ([{"id": "x", "name": "add", "arguments": '{"a": 1, "b": 2}'}], [ADD]),
    "function is the name": ([{"function": "add", "arguments": {"a": 1, "b": 2}}], [ADD]),
    "function is null": ([{"function": None, "name": "add", "arguments": {"a": 1, "b": 2}}], [ADD]),
    "no type": ([{"id": "x", "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'}}], [ADD]),
    "parameters for arguments": ([{"function": {"name": "add", "parameters": {"a": 1, "b": 2}}}], [ADD]),
    "arguments object": ([call("add", {"a": 1, "b": 2})], [ADD]),
    "arguments null": ([call("add", None)], [("add", "")]),
    "arguments missing": ([{"id": "x", "function": {"name": "add"}}], [("add", "")]),
    "arguments empty": ([call("add", "")], [("add", "")]),
    "arguments list": ([call("add", [1, 2])], [("add", "[1, 2]")]),
    "arguments number": ([call("add", 0)], [("add", "0")]),
    "arguments of any size": ([call("add", {"a": 10**40})], [("add", f'{{"a": {10**40}}}')]),
    "arguments not JSON": ([call("add", "a=1")], [("add", "a=1")]),
    "unknown name": ([call("sum")], [("sum", '{"a": 1, "b": 2}')]),
    "null items": ([None, call(), None], [ADD]),
    "an item that is text": (["add", call()], [ADD]),
    "an empty item": ([{}, call()], [ADD]),
    "an item of nulls": ([{"id": None, "type": None, "function": {"name": None, "arguments": ""}}, call()], [ADD]),
    "an object for a list": (call(), [ADD]),
    "null": (None, []),
    "no items": ([], []),
    "only null": ([None], []),
    "several": ([call(), call("opt", "{}")], [ADD, ("opt", "{}")]),
    "the same twice": ([call(), call()], [ADD, ADD]),
}


@pytest.mark.parametrize("case", CALLS)
async def test_call_items_of_any_form_are_read(case):
    """Nested, flat and null items; arguments as text, object, list or nothing."""
    items, expected = CALLS[case]
    answer = await whole(message("Hello.", items))
    assert named(answer) == expected
    assert len({c.id for c in answer.tool_calls}) == len(expected)


IDS = {
    "normal": ["call_1", "call_2"],
    "missing": [None, None],
    "empty": ["", ""],
    "the same twice": ["call_0", "call_0"],
    "a number": [7, 8],
    "the tool's name": ["add", "add"],
}


@pytest.mark.parametrize("case", IDS)
async def test_every_call_has_an_id_of_its_own(case):
    """Whatever the server's ids are: ours are unique, and its own are kept for its wire."""
    first, second = IDS[case]
    answer = await whole(message(None, [call(id=first), call("opt", id=second)]))
    ours = [c.id for c in answer.tool_calls]
    assert len(set(ours)) == 2
    assert [c.provider_id for c in answer.tool_calls] == [
        str(i) if i not in ("", None) else None for i in (first, second)
    ]


async def test_legacy_function_call_is_a_call():
    """`function_call` of the old API, alone."""
    answer = await whole(
        message(None, function_call={"name": "add", "arguments": '{"a": 1, "b": 2}'}, reason="function_call")
    )
    assert named(answer) == [ADD]
    assert answer.finish_reason == "tool_calls"


async def test_legacy_function_call_beside_tool_calls_counts_once():
    """llama-cpp-python sends the same call in both fields."""
    answer = await whole(message(None, [call()], function_call={"name": "add", "arguments": "{}"}))
    assert named(answer) == [ADD]


REASONS = {
    "stop": ("stop", [], "stop"),
    "stop with calls": ("stop", [call()], "tool_calls"),
    "null": (None, [], "stop"),
    "null with calls": (None, [call()], "tool_calls"),
    "empty": ("", [], "stop"),
    "function_call": ("function_call", [call()], "tool_calls"),
    "model_length": ("model_length", [], "length"),
    "max_tokens": ("max_tokens", [], "length"),
    "MAX_TOKENS": ("MAX_TOKENS", [], "length"),
    "end_turn": ("end_turn", [], "stop"),
    "eos": ("eos", [], "stop"),
    "content_filter": ("content_filter", [], "content_filter"),
    "SAFETY": ("SAFETY", [], "content_filter"),
    "IMAGE_SAFETY": ("IMAGE_SAFETY", [], "content_filter"),
    "ERROR_TOXIC": ("ERROR_TOXIC", [], "content_filter"),
    "ERROR_LIMIT": ("ERROR_LIMIT", [], "length"),
    "with a hyphen": ("content-filter", [], "content_filter"),
    "with its detail": ("content_filter: RECITATION", [], "content_filter"),
    "with a detail that nobody knows": ("content_filter: ODD", [], "content_filter"),
    "a call that was filtered": ("function_call_filter: UNEXPECTED_TOOL_CALL", [call()], "tool_calls"),
    "one that we do not know": ("guardrail", [], "guardrail"),
    "a number": (3, [], "stop"),
}


@pytest.mark.parametrize("case", REASONS)
async def test_finish_reasons_are_translated(case):
    """Other servers' words become ours; what is not known stays."""
    sent, calls, expected = REASONS[case]
    assert (await whole(message("Hello.", calls, reason=sent))).finish_reason == expected


CUT = {
    "half an object": ('{"a": 1, "b', True),
    "half a string": ('{"a": "x', True),
    "nothing yet": ("", True),
    "a bracket missing": ('{"a": {"b": 1}', True),
    "whole": ('{"a": 1, "b": 2}', False),
    "whole and blanks": ('{"a": 1, "b": 2}\n', False),
}


@pytest.mark.parametrize("case", CUT)
@pytest.mark.parametrize("reason", ["length", "model_length", "content_filter"])
async def test_only_a_half_last_call_of_a_cut_answer_is_truncated(case, reason):
    """Of an answer cut by a limit the last call is marked if it is not whole; those before it stay valid."""
    arguments, truncated = CUT[case]
    answer = await whole(message(None, [call(), call("opt", arguments)], reason=reason))
    assert [c.truncated for c in answer.tool_calls] == [False, truncated]


async def test_broken_arguments_of_an_answer_that_was_not_cut_are_no_cut():
    """Only the server's word makes a call truncated."""
    answer = await whole(message(None, [call("add", '{"a": 1')], reason="tool_calls"))
    assert [c.truncated for c in answer.tool_calls] == [False]


USAGE = {
    "whole": (
        {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        Usage(input_tokens=10, output_tokens=5, requests=1),
    ),
    "missing": (None, Usage(requests=1)),
    "empty": ({}, Usage(requests=1)),
    "nulls": ({"prompt_tokens": None, "completion_tokens": None}, Usage(requests=1)),
    "floats": ({"prompt_tokens": 10.0, "completion_tokens": 5.0}, Usage(input_tokens=10, output_tokens=5, requests=1)),
    "text": ({"prompt_tokens": "ten"}, Usage(requests=1)),
    "negative": ({"prompt_tokens": -1, "completion_tokens": 5}, Usage(output_tokens=5, requests=1)),
    "no completion": ({"prompt_tokens": 10, "total_tokens": 15}, Usage(input_tokens=10, output_tokens=5, requests=1)),
    "names of the Responses API": (
        {"input_tokens": 10, "output_tokens": 5},
        Usage(input_tokens=10, output_tokens=5, requests=1),
    ),
    "details": (
        {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 8},
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
        Usage(input_tokens=10, output_tokens=5, cached_tokens=8, reasoning_tokens=3, requests=1),
    ),
    "details that are null": (
        {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": None},
        Usage(input_tokens=10, output_tokens=5, requests=1),
    ),
    "DeepSeek's cache": (
        {"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 8},
        Usage(input_tokens=10, output_tokens=5, cached_tokens=8, requests=1),
    ),
    "thoughts beside the completion": (  # xAI
        {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 45,
            "completion_tokens_details": {"reasoning_tokens": 30},
        },
        Usage(input_tokens=10, output_tokens=35, reasoning_tokens=30, requests=1),
    ),
    "thoughts in the total only": (  # Gemini
        {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 45},
        Usage(input_tokens=10, output_tokens=35, reasoning_tokens=30, requests=1),
    ),
    "a total of what is not told": ({"total_tokens": 45}, Usage(output_tokens=45, requests=1)),
    "neurons": (
        {"prompt_tokens": 10, "completion_tokens": 5, "neurons": 3.25},
        Usage(input_tokens=10, output_tokens=5, neurons=3.25, requests=1),
    ),
    "a list": ([], Usage(requests=1)),
}


@pytest.mark.parametrize("case", USAGE)
async def test_usage_of_any_form_is_counted(case):
    """What a server leaves out is 0; one answer is one request."""
    sent, expected = USAGE[case]
    assert (await whole({**message("Hello."), "usage": sent})).usage == expected


REASONING = {
    "reasoning_content": {"reasoning_content": "Hm."},
    "reasoning": {"reasoning": "Hm."},
    "thinking": {"thinking": "Hm."},
    "reasoning_text": {"reasoning_text": "Hm."},
    "details alone": {"reasoning_details": [{"type": "reasoning.text", "text": "Hm."}, {"type": "x", "data": "="}]},
    "both, the same": {"reasoning_content": "Hm.", "reasoning": "Hm."},
    "one of them null": {"reasoning_content": None, "reasoning": "Hm."},
    "one of them empty": {"reasoning_content": "", "reasoning": "Hm."},
    "an object": {"reasoning": {"content": "Hm."}},
    "a list": {"reasoning": [{"type": "text", "text": "Hm."}]},
}


@pytest.mark.parametrize("case", REASONING)
async def test_reasoning_stays_out_of_the_content(case):
    """Whichever field the server puts it in."""
    answer = await whole(message("Hello.", **REASONING[case]))
    assert (answer.content, answer.reasoning) == ("Hello.", "Hm.")


async def test_thinking_parts_are_reasoning():
    """Magistral puts its thoughts among the content parts."""
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "Hello."}]
    answer = await whole(message(parts))
    assert (answer.content, answer.reasoning) == ("Hello.", "Hm.")


async def test_a_refusal_is_the_text():
    """What the model says instead of an answer is shown, and kept apart."""
    answer = await whole(message(None, refusal="I cannot help with that."))
    assert answer.content == "I cannot help with that."
    assert answer.extra["refusal"] == "I cannot help with that."


async def test_what_else_the_answer_says_is_kept():
    """logprobs, stop_reason and the server's id are in `extra`."""
    answer = message("Hello.")
    answer["choices"][0] |= {"logprobs": {"content": [{"token": "Hello."}]}, "stop_reason": 128001}
    extra = (await whole(answer)).extra
    assert extra["logprobs"] == {"content": [{"token": "Hello."}]}
    assert extra["stop_reason"] == 128001
    assert extra["id"] == "c1"


async def test_a_thought_signature_is_kept_with_its_call():
    """Gemini wants it back with the call."""
    signature = {"google": {"thought_signature": "abc"}}
    answer = await whole(message(None, [call(extra_content=signature)]))
    assert answer.tool_calls[0].extra == {"extra_content": signature}


async def test_the_model_that_answered_is_named():
    """The name in the answer, else the one that was asked."""
    assert (await whole(message("Hello."))).model == "m-1"
    assert (await whole({**message("Hello."), "model": None})).model == "m"


ENVELOPES = {
    "bare": lambda answer: answer,
    "Cloudflare": lambda answer: {"result": answer, "success": True, "errors": [], "messages": []},
    "twice": lambda answer: {"result": {"result": answer}},
    "error is null": lambda answer: {**answer, "error": None},
    "error is empty": lambda answer: {**answer, "error": {}},
    "with a second choice": lambda answer: {**answer, "choices": [*answer["choices"], *message("No.")["choices"]]},
    "with a null choice": lambda answer: {**answer, "choices": [None, *answer["choices"]]},
    "choice without index": lambda answer: {"choices": [{"message": answer["choices"][0]["message"]}]},
    "delta for message": lambda answer: {"choices": [{"delta": answer["choices"][0]["message"]}]},
    "a text completion": lambda answer: {"choices": [{"text": "Hello.", "index": 0, "finish_reason": "stop"}]},
    "fields that nobody knows": lambda answer: {"p": "abc", "timings": {}, **answer},
}


@pytest.mark.parametrize("case", ENVELOPES)
async def test_envelopes_are_opened(case):
    """The answer counts, whatever is around it."""
    assert (await whole(ENVELOPES[case](message("Hello.")))).content == "Hello."


async def test_raw_control_characters_and_broken_utf8_are_read():
    """JSON that is not quite JSON, as some servers print it."""
    body = json.dumps(message("X")).encode().replace(b'"X"', b'"a\nb\xff"')
    assert (await whole(body)).content == "a\nb\ufffd"


async def test_a_byte_order_mark_is_no_content():
    """A BOM in front of the JSON."""
    assert (await whole(b"\xef\xbb\xbf" + json.dumps(message("Hello.")).encode())).content == "Hello."


NO_ANSWER = {
    "choices empty": ({"choices": []}, MalformedResponse, "choices"),
    "choices null": ({"choices": None}, MalformedResponse, "choices"),
    "choices missing": ({"id": "x"}, MalformedResponse, "id"),
    "choice without message": ({"choices": [{"index": 0}]}, MalformedResponse, "index"),
    "choice null": ({"choices": [None]}, MalformedResponse, "null"),
    "message null": ({"choices": [{"message": None}]}, MalformedResponse, "message"),
    "empty object": ({}, MalformedResponse, "{}"),
    "empty body": (b"", MalformedResponse, "empty"),
    "null": (b"null", MalformedResponse, "null"),
    "a list": (b"[]", MalformedResponse, "[]"),
    "a number": (b"42", MalformedResponse, "42"),
    "plain text": (b"upstream timed out", MalformedResponse, "upstream timed out"),
    "half of the JSON": (json.dumps(message("Hello.")).encode()[:60], MalformedResponse, "c1"),
    "HTML": (b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head></html>", MalformedResponse, "502 Bad"),
    "HTML with a script": (b"<html><script>alert(1)</script><body>Log in</body>", MalformedResponse, "Log in"),
    "binary": (bytes(range(256)), MalformedResponse, "not JSON"),
    "nested for ever": (b"[" * 100_000, MalformedResponse, "not JSON"),
    "tool_calls without a call": (message("", [], reason="tool_calls"), MalformedResponse, "sends no call"),
    "finish_reason error": (message("Hel", reason="error"), Unavailable, "error"),
    "error object": ({"error": {"message": "overloaded", "type": "overloaded_error"}}, Unavailable, "overloaded"),
    "error text": ({"error": "model is loading"}, Unavailable, "model is loading"),
    "error with a status as code": ({"error": {"code": 429, "message": "slow down"}}, RateLimited, "slow down"),
    "error in a choice": (
        {"choices": [{"error": {"code": 502, "message": "gone"}, "message": {}}]},
        Unavailable,
        "gone",
    ),
    "error beside choices": ({**message("Hel"), "error": {"message": "broke"}}, Unavailable, "broke"),
    "errors of Cloudflare": (
        {"result": None, "success": False, "errors": [{"code": 3036, "message": "you have used up your daily"}]},
        QuotaExhausted,
        "daily",
    ),
    "detail": ({"detail": "Not authenticated"}, ModelError, "Not authenticated"),
    "message alone": ({"message": "Internal error"}, Unavailable, "Internal error"),
    "object error": ({"object": "error", "message": "bad", "code": 400}, ModelError, "bad"),
    "success false": ({"success": False, "result": {}}, ModelError, "success"),
}


@pytest.mark.parametrize("case", NO_ANSWER)
async def test_a_200_that_is_no_answer_is_an_error_with_its_first_words(case):
    """An error body, HTML, nothing: a `ModelError` that shows what came."""
    reply, kind, words = NO_ANSWER[case]
    with pytest.raises(kind) as caught:
        await whole(reply)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 500


async def test_a_server_that_streams_unasked_is_read():
    """An event stream where a whole answer was asked for."""
    body = b'data: {"choices":[{"delta":{"content":"Hello."},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    assert (await whole(body)).content == "Hello."


async def test_json_where_a_stream_was_asked_for_is_read_and_shown():
    """The content type does not matter: the first byte does."""
    answer, deltas = await streamed(
        (200, json.dumps(message("Hello.", [call()])), {"content-type": "text/event-stream"})
    )
    assert facts(answer) == facts(await whole(message("Hello.", [call()])))
    assert text_of(deltas) == "Hello."
    assert deltas[-1].call == answer.tool_calls[0]


async def test_an_empty_json_answer_to_a_stream_is_asked_for_again_whole():
    """cloudflare/ai#396: JSON without an answer where a stream was asked for."""
    server = FakeServer({"choices": []}, message("Hello."))
    deltas = []
    answer = await server.model().call(request(), deltas.append)
    assert answer.content == text_of(deltas) == "Hello."
    assert [body.get("stream") for body in server.bodies] == [True, None]


async def test_an_answer_has_its_price_where_it_is_known():
    """By the server's own figure or by the table, at the server's own address only."""
    account = "https://api.cloudflare.com/client/v4/accounts/" + "0" * 32
    billed = {**message("Hello."), "usage": {"prompt_tokens": 10, "completion_tokens": 5, "neurons": 1000}}
    counted = {**message("Hello."), "usage": {"prompt_tokens": 1_000_000, "completion_tokens": 0}}
    for reply, cost in ((billed, 0.011), (counted, 0.35), (message("Hello."), None)):
        server = FakeServer(reply)
        model = server.model(base_url=account, name="@cf/aisingapore/gemma-sea-lion-v4-27b-it")
        assert (await model.call(request())).cost_usd == (cost and pytest.approx(cost))
        assert (await server.model().call(request())).cost_usd is None
