"""Whole transcripts in the manner of each server: what a user of it gets, and that no byte cut changes it."""

from __future__ import annotations

from typing import Any

import pytest
from wire.fakes import delta, exchanged, facts, message, piece, sse, text_of, thoughts, whole

from agentkit.errors import MalformedResponse, ModelError, RequestRefused, Unavailable

pytestmark = pytest.mark.anyio
ONE_LOOP = pytest.mark.parametrize("anyio_backend", ["asyncio"])

ARGS = '{"a": 1, "b": 2}'
MORE = '{"a": 3, "b": 4}'


def choice(reason: Any = None, *, beside: Any = None, **fields: Any) -> dict[str, Any]:
    """A chunk whose choice carries more than a delta."""
    chunk = delta(reason, **fields)
    chunk["choices"][0] |= beside or {}
    return chunk


def usage(prompt: int, completion: int, **rest: Any) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion, **rest}


def item(index: Any = 0, name: Any = "add", arguments: Any = ARGS, **fields: Any) -> dict[str, Any]:
    return {"index": index, "type": "function", "function": {"name": name, "arguments": arguments}, **fields}


# name -> (the stream, what it says: text, reasoning, calls, finish reason, tokens in and out and cached)
TRANSCRIPTS: dict[str, tuple[bytes, dict[str, Any]]] = {
    "Mistral: a call and the finish in one chunk": (
        sse(
            delta(role="assistant", content=""),
            {**delta("tool_calls", content="", tool_calls=[item(id="aB3dE6gH9")]), "usage": usage(90, 20)},
        ),
        {"calls": [("add", ARGS, "aB3dE6gH9")], "finish_reason": "tool_calls", "tokens": (90, 20, 0)},
    ),
    "Mistral: thinking as parts, in pieces": (
        sse(
            delta(role="assistant", content=""),
            delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "Hm, "}]}]),
            delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "four."}], "closed": True}]),
            delta(content=[{"type": "text", "text": "It is "}]),
            delta("stop", content="4."),
        ),
        {"content": "It is 4.", "reasoning": "Hm, four."},
    ),
    "Groq: its own field with the id and the usage": (
        sse(
            {**delta(role="assistant", content=""), "x_groq": {"id": "req_1"}},
            delta(content="Yes."),
            {**delta("stop"), "x_groq": {"id": "req_1", "usage": usage(12, 3, queue_time=0.1)}},
        ),
        {"content": "Yes.", "tokens": (12, 3, 0)},
    ),
    "Gemini: two calls at index 0, the finish says stop": (
        sse(
            delta(role="assistant", tool_calls=[item(id="", extra_content={"google": {"thought_signature": "c2ln"}})]),
            delta(role="assistant", tool_calls=[item(name="opt", arguments=MORE, id="")]),
            {**delta("stop", role="assistant"), "usage": usage(30, 9)},
        ),
        {
            "calls": [("add", ARGS, None), ("opt", MORE, None)],
            "finish_reason": "tool_calls",
            "tokens": (30, 9, 0),
        },
    ),
    "Gemini: usage in every chunk, growing": (
        sse(
            {**delta(role="assistant", content="On"), "usage": usage(8, 1)},
            {**delta(role="assistant", content="e."), "usage": usage(8, 3)},
            {**delta("stop", role="assistant"), "usage": usage(8, 3)},
        ),
        {"content": "One.", "tokens": (8, 3, 0)},
    ),
    "DeepSeek: reasoning and content take turns at null": (
        sse(
            delta(role="assistant", content=None, reasoning_content=""),
            delta(content=None, reasoning_content="First, "),
            delta(content=None, reasoning_content="add."),
            delta(content="3", reasoning_content=None),
            {
                **delta("stop", content="", reasoning_content=None),
                "usage": usage(20, 7, prompt_cache_hit_tokens=16, prompt_cache_miss_tokens=4),
            },
        ),
        {"content": "3", "reasoning": "First, add.", "tokens": (20, 7, 16)},
    ),
    "OpenRouter: remarks, reasoning twice, its own finish reason": (
        sse(
            ": OPENROUTER PROCESSING",
            choice(
                role="assistant",
                content="",
                reasoning="Let me see",
                reasoning_details=[{"type": "reasoning.text", "text": "Let me see", "index": 0}],
                beside={"native_finish_reason": None, "logprobs": None},
            ),
            ": OPENROUTER PROCESSING",
            choice(role="assistant", content="Done.", beside={"native_finish_reason": None}),
            choice("stop", role="assistant", content="", beside={"native_finish_reason": "STOP"}),
            {**delta(role="assistant", content=""), "usage": usage(5, 4, cost=0.001)},
        ),
        {"content": "Done.", "reasoning": "Let me see", "tokens": (5, 4, 0)},
    ),
    "Azure: filter results before, beside and after": (
        sse(
            {"id": "", "model": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
            choice(role="assistant", content="", beside={"content_filter_results": {}}),
            choice(content="Fine.", beside={"content_filter_results": {"hate": {"filtered": False}}}),
            choice("stop", beside={"content_filter_results": {}}),
            {"choices": [{"index": 0, "finish_reason": None, "content_filter_offsets": {"end_offset": 5}}]},
        ),
        {"content": "Fine."},
    ),
    "vLLM: the last piece of the arguments with the finish": (
        sse(
            delta(role="assistant", content=""),
            delta(tool_calls=[{"index": 0, "id": "chatcmpl-tool-1", "type": "function", "function": {"name": "add"}}]),
            piece(0, None, '{"a": 1, '),
            delta("tool_calls", tool_calls=[{"index": 0, "function": {"arguments": '"b": 2}'}}]),
        ),
        {"calls": [("add", ARGS, "chatcmpl-tool-1")], "finish_reason": "tool_calls"},
    ),
    "vLLM: usage counts on in every chunk": (
        sse(
            {**delta(role="assistant", content=""), "usage": usage(9, 0)},
            {**delta(content="A"), "usage": usage(9, 1)},
            {**delta("stop", content="B"), "usage": usage(9, 2)},
            {"choices": [], "usage": usage(9, 2)},
        ),
        {"content": "AB", "tokens": (9, 2, 0)},
    ),
    "SGLang: name and id null after the first": (
        sse(
            delta(role="assistant", content=None, reasoning_content=None, tool_calls=None),
            choice(tool_calls=[item(arguments="", id="call_9")], beside={"matched_stop": None}),
            choice(tool_calls=[item(name=None, arguments='{"a": 1', id=None)], beside={"matched_stop": None}),
            choice(tool_calls=[item(name=None, arguments=', "b": 2}', id=None)], beside={"matched_stop": None}),
            choice("tool_calls", content=None, beside={"matched_stop": 151645}),
        ),
        {"calls": [("add", ARGS, "call_9")], "finish_reason": "tool_calls"},
    ),
    "Ollama: whole calls, one a chunk, all at index 0": (
        sse(
            delta(role="assistant", content="", tool_calls=[item(id="call_a")]),
            delta(role="assistant", content="", tool_calls=[item(id="call_b")]),
            delta("tool_calls", role="assistant", content=""),
        ),
        {"calls": [("add", ARGS, "call_a"), ("add", ARGS, "call_b")], "finish_reason": "tool_calls"},
    ),
    "Together: text and delta say the same": (
        sse(
            {"choices": [{"index": 0, "text": "Hi", "delta": {"token_id": 1, "content": "Hi", "tool_calls": None}}]},
            {"choices": [{"index": 0, "text": "", "delta": {"content": ""}, "finish_reason": "eos"}], "usage": None},
        ),
        {"content": "Hi"},
    ),
    "Perplexity: the message grows beside the deltas": (
        sse(
            choice(content="It", beside={"message": {"role": "assistant", "content": "It"}}) | {"citations": ["x"]},
            choice("stop", content=" is.", beside={"message": {"role": "assistant", "content": "It is."}}),
        ),
        {"content": "It is."},
    ),
    "Qwen: empty ids and names in later pieces": (
        sse(
            delta(role="assistant", content=None, tool_calls=[item(arguments="", id="call_q")]),
            delta(content=None, tool_calls=[item(name="", arguments='{"a": 1, ', id="")]),
            delta(content=None, tool_calls=[item(name="", arguments='"b": 2}', id="")]),
            delta("tool_calls", content=""),
        ),
        {"calls": [("add", ARGS, "call_q")], "finish_reason": "tool_calls"},
    ),
    "xAI: whole calls in one chunk, usage alone at the end": (
        sse(
            delta(role="assistant", reasoning_content="Two sums."),
            delta(tool_calls=[item(id="call_1"), item(1, arguments=MORE, id="call_2")]),
            delta("tool_calls"),
            {"choices": [], "usage": usage(50, 30, prompt_tokens_details={"cached_tokens": 40})},
        ),
        {
            "reasoning": "Two sums.",
            "calls": [("add", ARGS, "call_1"), ("add", MORE, "call_2")],
            "finish_reason": "tool_calls",
            "tokens": (50, 30, 40),
        },
    ),
    "Moonshot: usage in the choice, cached tokens at its top": (
        sse(
            delta(role="assistant", content=""),
            delta(content="Ok."),
            choice("stop", beside={"usage": usage(10, 2, cached_tokens=8)}),
        ),
        {"content": "Ok.", "tokens": (10, 2, 8)},
    ),
    "LiteLLM: null fields of every kind": (
        sse(
            delta(role="assistant", content="Hm", function_call=None, tool_calls=None, audio=None, refusal=None),
            delta("stop", role=None, content=None, function_call=None, tool_calls=None, provider_specific_fields=None),
        ),
        {"content": "Hm"},
    ),
    "llama.cpp: timings and a first chunk of null": (
        sse(
            delta(role="assistant", content=None),
            delta(tool_calls=[item(arguments="{", id="Zx1")]),
            piece(0, None, '"a": 1, "b": 2}'),
            {**delta("tool_calls"), "timings": {"prompt_n": 3}},
            {"choices": [], "usage": usage(7, 6), "timings": {}},
        ),
        {"calls": [("add", ARGS, "Zx1")], "finish_reason": "tool_calls", "tokens": (7, 6, 0)},
    ),
    "Cloudflare AI Gateway: pings and a quoted end": (
        sse(": ping", "data: ", "data: {}", delta(content="Ok."), delta("stop"), 'data: "[DONE]"', done=False),
        {"content": "Ok."},
    ),
    "a gateway that makes events of events": (
        b"".join(
            b"data: " + event + b"\n\n"
            for event in sse(delta(content="Ok"), delta(content="."), delta("stop")).strip().split(b"\n\n")
        ),
        {"content": "Ok."},
    ),
    "Bedrock gateway: blank text beside the call": (
        sse(
            delta(role="assistant", content="\n"),
            delta(tool_calls=[item(arguments="", id="tooluse_x")]),
            piece(0, None, ARGS),
            delta("tool_calls", content=""),
        ),
        {"content": "\n", "calls": [("add", ARGS, "tooluse_x")], "finish_reason": "tool_calls"},
    ),
    "Anthropic's endpoint: a call without arguments is an empty text": (
        sse(
            delta(role="assistant", tool_calls=[item(name="opt", arguments="", id="toolu_1")]),
            piece(0, None, ""),
            delta("tool_calls"),
        ),
        {"calls": [("opt", "", "toolu_1")], "finish_reason": "tool_calls"},
    ),
    "Cerebras: the finish with an empty delta, usage beside it": (
        sse(delta(role="assistant"), delta(content="42"), {**delta("stop"), "usage": usage(4, 1), "time_info": {}}),
        {"content": "42", "tokens": (4, 1, 0)},
    ),
    "the token limit in the second call": (
        sse(
            delta(tool_calls=[item(id="x")]),
            delta(tool_calls=[item(1, arguments='{"a": 3, "b', id="y")]),
            delta("length"),
        ),
        {"calls": [("add", ARGS, "x"), ("add", '{"a": 3, "b', "y")], "finish_reason": "length", "cut": [False, True]},
    ),
    "Azure: filtered in the middle of a call": (
        sse(delta(tool_calls=[item(arguments='{"a"', id="x")]), delta("content_filter")),
        {"calls": [("add", '{"a"', "x")], "finish_reason": "content_filter", "cut": [True]},
    ),
}

PLAIN = {"content": "", "reasoning": "", "calls": [], "finish_reason": "stop", "tokens": (0, 0, 0), "cut": None}


def said(answer: Any) -> dict[str, Any]:
    """What an answer says, in the form of the table."""
    counted = answer.usage
    return {
        "content": answer.content,
        "reasoning": answer.reasoning,
        "calls": [(c.name, c.arguments, c.provider_id) for c in answer.tool_calls],
        "finish_reason": answer.finish_reason,
        "tokens": (counted.input_tokens, counted.output_tokens, counted.cached_tokens),
        "cut": [c.truncated for c in answer.tool_calls],
    }


@ONE_LOOP
@pytest.mark.parametrize("case", TRANSCRIPTS)
async def test_a_transcript_says_what_its_server_means(case):
    """Text, reasoning, calls, finish reason and tokens; in one piece, and cut at every byte."""
    stream, expected = TRANSCRIPTS[case]
    expected = {**PLAIN, **expected}
    expected["cut"] = expected["cut"] or [False] * len(expected["calls"])
    answer, deltas = await exchanged([stream])
    assert said(answer) == expected
    assert (text_of(deltas), thoughts(deltas)) == (expected["content"], expected["reasoning"])
    for at in range(1, len(stream)):
        assert facts((await exchanged([stream[:at], stream[at:]]))[0]) == facts(answer)


# name -> (the answer as a whole, what it says)
ANSWERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "Gemini: a signed call without id, the finish says stop": (
        message(None, [{"function": {"name": "add", "arguments": ARGS}, "extra_content": {"google": {}}}]),
        {"calls": [("add", ARGS, None)], "finish_reason": "tool_calls"},
    ),
    "TGI: the id is a number, the arguments an object": (
        message(None, [{"id": 0, "function": {"description": None, "name": "add", "arguments": {"a": 1}}}]),
        {"calls": [("add", '{"a": 1}', "0")], "finish_reason": "tool_calls"},
    ),
    "Mistral: thinking among the parts": (
        message([{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "4"}]),
        {"content": "4", "reasoning": "Hm."},
    ),
    "DeepSeek: reasoning beside a call": (
        message("", [item(id="c1")], reason="tool_calls", reasoning_content="Add them."),
        {"reasoning": "Add them.", "calls": [("add", ARGS, "c1")], "finish_reason": "tool_calls"},
    ),
    "vLLM: empty calls, nulls beside": (
        {**message("Hi", [], reasoning=None, audio=None, function_call=None), "prompt_logprobs": None, "usage": None},
        {"content": "Hi"},
    ),
    "OpenRouter: the provider's name and the cost": (
        {**message("Hi", refusal=None, reasoning=None), "provider": "X", "usage": usage(5, 2, cost=0.1, is_byok=False)},
        {"content": "Hi", "tokens": (5, 2, 0)},
    ),
    "Azure: filter results and a refusal": (
        {**message(None, refusal="I cannot."), "prompt_filter_results": [{"prompt_index": 0}]},
        {"content": "I cannot."},
    ),
    "Fireworks: null details": (
        {**message("Hi"), "usage": usage(5, 2, prompt_tokens_details=None, completion_tokens_details=None)},
        {"content": "Hi", "tokens": (5, 2, 0)},
    ),
    "Cloudflare: the envelope": (
        {"result": message("Hi"), "success": True, "errors": [], "messages": []},
        {"content": "Hi"},
    ),
    "Bedrock gateway: text and a call, the finish says tool_use": (
        message("Let me.", [item(id="tooluse_1")], reason="tool_use"),
        {"content": "Let me.", "calls": [("add", ARGS, "tooluse_1")], "finish_reason": "tool_calls"},
    ),
    "SambaNova: the finish says stop, content null": (
        message(None, [item(id="c1"), item(1, "opt", MORE, id="c2")], reason="stop"),
        {"calls": [("add", ARGS, "c1"), ("opt", MORE, "c2")], "finish_reason": "tool_calls"},
    ),
    "Perplexity: citations and search results": (
        {**message("It is."), "citations": ["https://x.test"], "search_results": [], "usage": usage(3, 2)},
        {"content": "It is.", "tokens": (3, 2, 0)},
    ),
}


@pytest.mark.parametrize("case", ANSWERS)
async def test_a_whole_answer_says_what_its_server_means(case):
    """The same for servers that do not stream."""
    sent, expected = ANSWERS[case]
    expected = {**PLAIN, **expected}
    expected["cut"] = [False] * len(expected["calls"])
    assert said(await whole(sent)) == expected


ENDS = {
    "Zhipu, filtered": ("sensitive", "content_filter"),
    "Gemini, blocked": ("PROHIBITED_CONTENT", "content_filter"),
    "Bedrock, guarded": ("guardrail_intervened", "content_filter"),
    "Anthropic, refused": ("refusal", "content_filter"),
    "Cohere, whole": ("COMPLETE", "stop"),
    "TGI, whole": ("eos_token", "stop"),
    "watsonx, cut": ("max_length", "length"),
    "Anthropic, cut": ("model_context_window_exceeded", "length"),
}


@pytest.mark.parametrize("case", ENDS)
async def test_an_end_is_told_in_the_words_of_chat_completions(case):
    """Whole, cut or filtered: other servers have their own words."""
    reason, ours = ENDS[case]
    assert (await whole(message("Some text.", reason=reason))).finish_reason == ours
    assert (await exchanged([sse(delta(content="Some text."), delta(reason))]))[0].finish_reason == ours


FAILED_ENDS = {
    "DeepSeek, out of resources": ("insufficient_system_resource", Unavailable),
    "Zhipu, the network": ("network_error", Unavailable),
    "vLLM, aborted": ("abort", Unavailable),
    "Gemini, a call that is none": ("MALFORMED_FUNCTION_CALL", MalformedResponse),
}


@pytest.mark.parametrize("case", FAILED_ENDS)
async def test_an_end_that_is_a_failure_is_an_error(case):
    """The server gave up: the next try may succeed."""
    reason, kind = FAILED_ENDS[case]
    with pytest.raises(kind) as caught:
        await whole(message("", reason=reason))
    assert caught.value.retryable
    with pytest.raises(kind):
        await exchanged([sse(delta(role="assistant", content=""), delta(reason))])


BROKEN = {
    "OpenRouter: the provider fails after a piece": (
        {**delta("error", content=""), "error": {"code": "server_error", "message": "Provider disconnected"}},
        Unavailable,
    ),
    "vLLM: a bad request in the stream": (
        {"error": {"object": "error", "message": "bad guided regex", "type": "BadRequestError", "code": 400}},
        RequestRefused,
    ),
    "LM Studio: an event named error": (
        'event: error\ndata: {"error": {"message": "The model has crashed. (Exit code: 6)"}}',
        Unavailable,
    ),
    "Groq: its own field with the fault": ({"choices": [], "x_groq": {"error": "over capacity"}}, Unavailable),
    "Ollama: the error as text": ({"error": "unexpected EOF"}, Unavailable),
    "TGI: the error with its type": (
        {"error": "Request failed during generation", "error_type": "generation"},
        Unavailable,
    ),
    "FastAPI: a status code inside": ({"detail": "busy", "status_code": 503}, Unavailable),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_a_fault_in_the_middle_of_a_stream_is_that_fault(case):
    """After text and half a call: the error of the server, never the half."""
    chunk, kind = BROKEN[case]
    begun = (delta(content="Let me"), piece(0, "add", '{"a"', id="x"))
    with pytest.raises(ModelError) as caught:
        await exchanged([sse(*begun, chunk)])
    assert type(caught.value) is kind
