"""Streams: every shape of chunks, cut anywhere, broken off anywhere."""

from __future__ import annotations

import json

import anyio
import anyio.lowlevel
import httpx2
import pytest
from wire.fakes import (
    BROKEN,
    Cut,
    FakeServer,
    announced,
    delta,
    exchanged,
    facts,
    message,
    named,
    piece,
    request,
    sse,
    streamed,
    text_of,
    thoughts,
    whole,
)

from agentkit.core.events import RetryEvent, TextEvent, ToolCallEvent
from agentkit.core.messages import Usage
from agentkit.errors import AuthFailed, ContextTooLong, MalformedResponse, RateLimited, Unavailable

pytestmark = pytest.mark.anyio

A1 = '{"a": 1, "b": 2}'
A2 = '{"a": 3, "b": 4}'
ROLE = delta(role="assistant", content="")
STOP = delta("stop")
CALLS = delta("tool_calls")
USAGE = {"id": "c1", "choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}}
MARKER = piece(0, id=None, type=None)

# name -> (the stream, its text, its calls)
STREAMS = {
    "text": (sse(ROLE, delta(content="Hel"), delta(content="lo."), STOP, USAGE), "Hello.", []),
    "text without a role": (sse(delta(content="Hel"), delta(content="lo."), STOP), "Hello.", []),
    "text, role null": (sse(delta(role=None, content="Hel"), delta(role=None, content="lo."), STOP), "Hello.", []),
    "text, first content null": (
        sse(delta(role="assistant", content=None), delta(content="Hello."), STOP),
        "Hello.",
        [],
    ),
    "text and finish in one chunk": (sse(ROLE, delta("stop", content="Hello.")), "Hello.", []),
    "number chunks": (sse(ROLE, delta(content=1), delta(content=0), delta(content="!"), STOP), "10!", []),
    "blank chunks": (sse(ROLE, delta(content="a"), delta(content=" "), delta(content="\n\n"), STOP), "a \n\n", []),
    "null chunks": (sse(ROLE, delta(content="a"), delta(content=None), delta(), STOP), "a", []),
    "parts": (sse(ROLE, delta(content=[{"type": "text", "text": "Hello."}]), STOP), "Hello.", []),
    "an emoji": (sse(ROLE, delta(content="a\U0001f600b"), STOP), "a\U0001f600b", []),
    "an escaped emoji": (sse(f"data: {json.dumps(delta(content='a' + chr(0x1F600)))}", STOP), "a\U0001f600", []),
    "halves of an emoji": (
        sse(*(f"data: {json.dumps(delta(content=half))}" for half in ("a\ud83d", "\ude00b")), STOP),
        "a\U0001f600b",
        [],
    ),
    "one call": (
        sse(ROLE, piece(0, "add", "", id="x"), piece(0, None, '{"a": 1,'), piece(0, None, ' "b": 2}'), CALLS),
        "",
        [("add", A1)],
    ),
    "one call in one chunk": (sse(ROLE, piece(0, "add", A1, id="x"), CALLS), "", [("add", A1)]),
    "text, then a call": (
        sse(ROLE, delta(content="Let me add."), piece(0, "add", A1, id="x"), CALLS),
        "Let me add.",
        [("add", A1)],
    ),
    "blank lines, then a call": (
        sse(ROLE, delta(content="\n\n"), piece(0, "add", A1, id="x"), CALLS),
        "\n\n",
        [("add", A1)],
    ),
    "finish stop with a call": (sse(ROLE, piece(0, "add", A1, id="x"), STOP), "", [("add", A1)]),
    "finish null with a call": (sse(ROLE, piece(0, "add", A1, id="x"), delta()), "", [("add", A1)]),
    "two calls": (
        sse(ROLE, piece(0, "add", A1, id="x"), piece(1, "opt", A2, id="y"), CALLS),
        "",
        [("add", A1), ("opt", A2)],
    ),
    "two calls, interleaved": (
        sse(
            piece(0, "add", '{"a": 1,', id="x"),
            piece(1, "opt", '{"a": 3,', id="y"),
            piece(0, None, ' "b": 2}'),
            piece(1, None, ' "b": 4}'),
            CALLS,
        ),
        "",
        [("add", A1), ("opt", A2)],
    ),
    "several calls in one chunk": (
        sse(
            delta(
                tool_calls=[{"index": i, "id": f"x{i}", "function": {"name": "add", "arguments": A1}} for i in (0, 1)]
            ),
            CALLS,
        ),
        "",
        [("add", A1), ("add", A1)],
    ),
    "several calls in one chunk, no index, no id": (
        sse(delta(tool_calls=[{"function": {"name": n, "arguments": A1}} for n in ("add", "add", "opt")]), CALLS),
        "",
        [("add", A1), ("add", A1), ("opt", A1)],
    ),
    "name in every chunk": (
        sse(
            piece(0, "add", '{"a"', id="x"), piece(0, "add", ": 1,", id="x"), piece(0, "add", ' "b": 2}', id="x"), CALLS
        ),
        "",
        [("add", A1)],
    ),
    "name in every chunk, empty at first": (
        sse(piece(0, "add", "", id="x"), piece(0, "add", "", id="x"), piece(0, "add", A1, id="x"), CALLS),
        "",
        [("add", A1)],
    ),
    "name in pieces": (
        sse(piece(0, "get_", "", id="x"), piece(0, "weather", ""), piece(0, None, A1), CALLS),
        "",
        [("get_weather", A1)],
    ),
    "name in pieces that grow": (
        sse(piece(0, "get_", "", id="x"), piece(0, "get_weather", ""), piece(0, None, A1), CALLS),
        "",
        [("get_weather", A1)],
    ),
    "an unknown name in pieces": (
        sse(piece(0, "no_", "", id="x"), piece(0, "such", ""), piece(0, None, A1), CALLS),
        "",
        [("no_such", A1)],
    ),
    "an unknown name in every chunk": (
        sse(piece(0, "sum", "", id="x"), piece(0, "sum", '{"a"'), piece(0, "sum", ": 1}"), CALLS),
        "",
        [("sum", '{"a": 1}')],
    ),
    "name after the arguments": (
        sse(piece(0, None, '{"a": 1,', id="x"), piece(0, None, ' "b": 2}'), piece(0, "add"), CALLS),
        "",
        [("add", A1)],
    ),
    "name between the arguments": (
        sse(piece(0, None, '{"a": 1,', id="x"), piece(0, "add", ' "b": 2}'), CALLS),
        "",
        [("add", A1)],
    ),
    "id after the name": (
        sse(piece(0, "add", '{"a": 1,'), piece(0, None, ' "b": 2}', id="x"), CALLS),
        "",
        [("add", A1)],
    ),
    "another id in every chunk": (
        sse(piece(0, "add", '{"a": 1,', id="x"), piece(0, None, ' "b": 2}', id="y"), CALLS),
        "",
        [("add", A1)],
    ),
    "no id": (sse(piece(0, "add", '{"a": 1,'), piece(0, None, ' "b": 2}'), CALLS), "", [("add", A1)]),
    "no index": (sse(piece(None, "add", '{"a": 1,', id="x"), piece(None, None, ' "b": 2}'), CALLS), "", [("add", A1)]),
    "no index, two calls": (
        sse(
            piece(None, "add", A1, id="x"), piece(None, "opt", '{"a": 3,', id="y"), piece(None, None, ' "b": 4}'), CALLS
        ),
        "",
        [("add", A1), ("opt", A2)],
    ),
    "no index, no id, two calls": (
        sse(piece(None, "add", '{"a": 1,'), piece(None, None, ' "b": 2}'), piece(None, "opt", A2), CALLS),
        "",
        [("add", A1), ("opt", A2)],
    ),
    "no index, fragments by id": (
        sse(
            piece(None, "add", '{"a": 1,', id="x"),
            piece(None, "opt", '{"a": 3,', id="y"),
            piece(None, None, ' "b": 2}', id="x"),
            piece(None, None, ' "b": 4}', id="y"),
            CALLS,
        ),
        "",
        [("add", A1), ("opt", A2)],
    ),
    "no index, no id, the same tool twice": (
        sse(piece(None, "add", A1), piece(None, "add", A2), CALLS),
        "",
        [("add", A1), ("add", A2)],
    ),
    "two calls at one index": (
        sse(piece(0, "add", A1, id="x"), piece(0, "opt", A2, id="y"), CALLS),
        "",
        [("add", A1), ("opt", A2)],
    ),
    "two calls at one index, the same tool": (
        sse(piece(0, "add", "", id="x"), piece(0, None, A1), piece(0, "add", "", id="y"), piece(0, None, A2), CALLS),
        "",
        [("add", A1), ("add", A2)],
    ),
    "two calls at one index, the same arguments": (
        sse(piece(0, "add", A1, id="x"), piece(0, "add", A1, id="y"), CALLS),
        "",
        [("add", A1), ("add", A1)],
    ),
    "two calls at one index, no ids": (
        sse(piece(0, "add", A1), piece(0, "add", A2), CALLS),
        "",
        [("add", A1), ("add", A2)],
    ),
    "two calls at one index, no ids, two tools": (
        sse(piece(0, "add", A1), piece(0, "opt", A2), CALLS),
        "",
        [("add", A1), ("opt", A2)],
    ),
    "two calls without arguments at one index": (
        sse(piece(0, "add", "", id="x"), piece(0, "opt", "", id="y"), CALLS),
        "",
        [("add", ""), ("opt", "")],
    ),
    "the same id at two indexes": (
        sse(piece(0, "add", A1, id="call_0"), piece(1, "opt", A2, id="call_0"), CALLS),
        "",
        [("add", A1), ("opt", A2)],
    ),
    "the same id at one index": (
        sse(piece(0, "add", A1, id="call_0"), piece(0, "opt", A2, id="call_0"), CALLS),
        "",
        [("add", A1), ("opt", A2)],
    ),
    "indexes that jump": (
        sse(piece(3, "add", A1, id="x"), piece(7, "opt", A2, id="y"), CALLS),
        "",
        [("add", A1), ("opt", A2)],
    ),
    "indexes from one": (
        sse(piece(1, "add", A1, id="x"), piece(2, "opt", A2, id="y"), CALLS),
        "",
        [("add", A1), ("opt", A2)],
    ),
    "an index that is text": (
        sse(piece("0", "add", '{"a": 1,', id="x"), piece("0", None, ' "b": 2}'), CALLS),
        "",
        [("add", A1)],
    ),
    "the index of the choice that is text": (
        sse({"choices": [{"index": "0", "delta": {"content": "Hello."}, "finish_reason": "stop"}]}),
        "Hello.",
        [],
    ),
    "name and arguments in two items of one chunk": (
        sse(
            delta(
                tool_calls=[
                    {"index": 0, "id": "x", "function": {"name": "add"}},
                    {"index": 0, "function": {"arguments": '{"a": 1,'}},
                ]
            ),
            delta(tool_calls=[{"index": 0, "function": {"arguments": part}} for part in (' "b": ', "2}")]),
            CALLS,
        ),
        "",
        [("add", A1)],
    ),
    "index only at first": (
        sse(piece(0, "add", '{"a": 1,', id="x"), piece(None, None, ' "b": 2}'), CALLS),
        "",
        [("add", A1)],
    ),
    "the head of the second call at the index of the first": (
        sse(
            piece(0, "add", A1, id="x"),
            piece(0, "opt", '{"a": 3,', id="y"),
            piece(1, None, ' "b": '),
            piece(1, None, "4}"),
            CALLS,
        ),
        "",
        [("add", A1), ("opt", A2)],
    ),
    "heads by the index of the tool, arguments by that of the call": (
        sse(
            piece(1, "opt", "", id="x"),
            piece(0, None, '{"a": 1,'),
            piece(0, None, ' "b": 2}'),
            piece(0, "add", "", id="y"),
            piece(1, None, '{"a": 3,'),
            piece(1, None, ' "b": 4}'),
            CALLS,
        ),
        "",
        [("opt", A1), ("add", A2)],
    ),
    "names after the arguments, of two calls": (
        sse(
            piece(0, None, A1),
            piece(0, "add", ""),
            piece(1, None, '{"a": 3,'),
            piece(1, "opt", ' "b": 4}'),
            CALLS,
        ),
        "",
        [("add", A1), ("opt", A2)],
    ),
    "fragments with their id at the other's index": (
        sse(
            piece(0, "add", '{"a": 1,', id="x"),
            piece(1, "opt", '{"a": 3,', id="y"),
            piece(0, None, ' "b": 4}', id="y"),
            piece(1, None, ' "b": 2}', id="x"),
            CALLS,
        ),
        "",
        [("add", A1), ("opt", A2)],
    ),
    "the name beside the function": (
        sse(delta(tool_calls=[{"index": 0, "id": "x", "name": "add", "function": {"arguments": A1}}]), CALLS),
        "",
        [("add", A1)],
    ),
    "an end marker": (sse(piece(0, "add", A1, id="x"), MARKER, CALLS), "", [("add", A1)]),
    "an end marker without index": (
        sse(piece(0, "add", A1, id="x"), piece(None, None, "", id=None), CALLS),
        "",
        [("add", A1)],
    ),
    "only an end marker": (sse(delta(content="Hello."), MARKER, STOP), "Hello.", []),
    "tool_calls null": (sse(delta(content="Hello.", tool_calls=None), STOP), "Hello.", []),
    "tool_calls empty": (sse(delta(content="Hello.", tool_calls=[]), STOP), "Hello.", []),
    "tool_calls of nulls": (sse(delta(content="Hello.", tool_calls=[None]), STOP), "Hello.", []),
    "arguments as an object": (sse(piece(0, "add", {"a": 1, "b": 2}, id="x"), CALLS), "", [("add", A1)]),
    "arguments as a huge number in an object": (
        sse(piece(0, "add", {"a": 10**30}, id="x"), CALLS),
        "",
        [("add", f'{{"a": {10**30}}}')],
    ),
    "arguments null": (
        sse(delta(tool_calls=[{"index": 0, "id": "x", "function": {"name": "add", "arguments": None}}]), CALLS),
        "",
        [("add", "")],
    ),
    "a placeholder object": (
        sse(piece(0, "add", "{}", id="x"), piece(0, None, '{"a": 1,'), piece(0, None, ' "b": 2}'), CALLS),
        "",
        [("add", A1)],
    ),
    "a placeholder that is an object": (sse(piece(0, "add", {}, id="x"), piece(0, None, A1), CALLS), "", [("add", A1)]),
    "no arguments at all": (sse(piece(0, "add", "", id="x"), CALLS), "", [("add", "")]),
    "the whole call again at the end": (
        sse(piece(0, "add", '{"a": 1,', id="x"), piece(0, None, ' "b": 2}'), piece(0, "add", A1, id="x"), CALLS),
        "",
        [("add", A1)],
    ),
    "the whole arguments again at the end": (
        sse(piece(0, "add", A1, id="x"), piece(0, None, '{"a":1,"b":2}'), CALLS),
        "",
        [("add", '{"a":1,"b":2}')],
    ),
    "nested objects in pieces": (
        sse(
            piece(0, "add", '{"a": {"x": {}', id="x"),
            piece(0, None, "}, "),
            piece(0, None, '"b": {'),
            piece(0, None, '"y": 1}}'),
            CALLS,
        ),
        "",
        [("add", '{"a": {"x": {}}, "b": {"y": 1}}')],
    ),
    "braces in a text in pieces": (
        sse(
            piece(0, "add", '{"a": "{}', id="x"), piece(0, None, "{}"), piece(0, None, '{"'), piece(0, None, "}"), CALLS
        ),
        "",
        [("add", '{"a": "{}{}{"}')],
    ),
    "flat items": (sse(delta(tool_calls=[{"name": "add", "arguments": {"a": 1, "b": 2}}]), CALLS), "", [("add", A1)]),
    "legacy function_call": (
        sse(
            delta(function_call={"name": "add", "arguments": ""}),
            delta(function_call={"arguments": A1}),
            delta("function_call"),
        ),
        "",
        [("add", A1)],
    ),
    "legacy function_call beside tool_calls": (
        sse(
            delta(
                tool_calls=[{"index": 0, "id": "x", "function": {"name": "add", "arguments": A1}}],
                function_call={"name": "add", "arguments": A1},
            ),
            CALLS,
        ),
        "",
        [("add", A1)],
    ),
    "text after the finish": (sse(delta(content="Hel"), STOP, delta(content="lo."), STOP), "Hello.", []),
    "text after the finish, then DONE": (sse(delta(content="Hel"), STOP, delta(content="lo.")), "Hello.", []),
    "a call after the finish": (
        sse(delta(content="Hi."), STOP, piece(0, "add", A1, id="x"), CALLS),
        "Hi.",
        [("add", A1)],
    ),
    "finish in every chunk": (sse(delta("stop", content="Hel"), delta("stop", content="lo.")), "Hello.", []),
    "two DONE": (sse(delta(content="Hello."), STOP) + b"data: [DONE]\n\n", "Hello.", []),
    "text after DONE": (sse(delta(content="Hello."), STOP) + sse(delta(content="More.")), "Hello.", []),
    "no DONE": (sse(delta(content="Hello."), STOP, done=False), "Hello.", []),
    "no finish reason": (sse(delta(content="Hello.")), "Hello.", []),
    "DONE as a bare line": (sse(delta(content="Hello."), done=False) + b"[DONE]\n\n", "Hello.", []),
    "no blank line at the end": (sse(delta(content="Hello."), STOP).rstrip(b"\n"), "Hello.", []),
    "CRLF": (sse(ROLE, delta(content="Hello."), STOP, end="\r\n\r\n"), "Hello.", []),
    "CR": (sse(ROLE, delta(content="Hello."), STOP, end="\r\r"), "Hello.", []),
    "single line ends": (sse(ROLE, delta(content="Hel"), delta(content="lo."), STOP, end="\n"), "Hello.", []),
    "no space after data:": (sse(delta(content="Hello."), STOP).replace(b"data: ", b"data:"), "Hello.", []),
    "two spaces after data:": (sse(delta(content="Hello."), STOP).replace(b"data: ", b"data:  "), "Hello.", []),
    "comments and pings": (
        b": hello\n\n" + sse(delta(content="Hel"), "data: ", ": ping", "data: ping", delta(content="lo."), STOP),
        "Hello.",
        [],
    ),
    "event, id and retry fields": (
        sse("event: message\nid: 1\nretry: 100\ndata: " + json.dumps(delta(content="Hello.")), STOP),
        "Hello.",
        [],
    ),
    "data in two lines": (
        sse('data: {"choices": [{"index": 0,\ndata: "delta": {"content": "Hello."}, "finish_reason": "stop"}]}'),
        "Hello.",
        [],
    ),
    "a BOM": (b"\xef\xbb\xbf" + sse(delta(content="Hello."), STOP), "Hello.", []),
    "blank lines in front": (b"\n\n" + sse(delta(content="Hello."), STOP), "Hello.", []),
    "a chunk that is no JSON": (sse(delta(content="Hel"), "data: {oops", delta(content="lo."), STOP), "Hello.", []),
    "a chunk that is a list": (sse(delta(content="Hello."), "data: []", "data: 1", "data: null", STOP), "Hello.", []),
    "choices null": (sse(delta(content="Hello."), {"choices": None}, {"id": "x"}, STOP), "Hello.", []),
    "delta null": (
        sse(delta(content="Hello."), {"choices": [{"index": 0, "delta": None, "finish_reason": None}]}, STOP),
        "Hello.",
        [],
    ),
    "delta missing at the finish": (
        sse(delta(content="Hello."), {"choices": [{"index": 0, "finish_reason": "stop"}]}),
        "Hello.",
        [],
    ),
    "a second choice": (
        sse(
            delta(content="Hello."),
            {"choices": [{"index": 1, "delta": {"content": "No."}, "finish_reason": None}]},
            STOP,
        ),
        "Hello.",
        [],
    ),
    "error null in every chunk": (
        sse({**delta(content="Hello."), "error": None}, {**STOP, "error": None}),
        "Hello.",
        [],
    ),
    "usage null in every chunk": (sse({**delta(content="Hello."), "usage": None}, STOP, USAGE), "Hello.", []),
    "ids that change": (
        sse({**delta(content="Hel"), "id": "c1"}, {**delta(content="lo."), "id": "c2"}, STOP),
        "Hello.",
        [],
    ),
    "a message that repeats the deltas": (
        sse(
            {"choices": [{"delta": {"content": "Hel"}, "message": {"content": "Hel"}}]},
            {"choices": [{"delta": {"content": "lo."}, "message": {"content": "Hello."}, "finish_reason": "stop"}]},
        ),
        "Hello.",
        [],
    ),
    "one message for all deltas": (
        sse({"choices": [{"message": {"content": "Hello."}, "finish_reason": "stop"}]}),
        "Hello.",
        [],
    ),
    "text completion chunks": (
        sse({"choices": [{"text": "Hel"}]}, {"choices": [{"text": "lo.", "finish_reason": "stop"}]}),
        "Hello.",
        [],
    ),
    "a refusal": (sse(delta(refusal="I can"), delta(refusal="not."), STOP), "I cannot.", []),
}


@pytest.mark.parametrize("case", STREAMS)
async def test_streams_give_text_and_calls(case):
    """Whatever the chunks look like: the text that was shown is the answer's, each call comes and is announced once."""
    stream, text, calls = STREAMS[case]
    answer, deltas = await streamed(stream)
    assert (answer.content, named(answer)) == (text, calls)
    assert text_of(deltas) == text
    events = [one.call for one in deltas if isinstance(one, ToolCallEvent)]
    assert sorted((c.id, c.name) for c in events) == sorted((c.id, c.name) for c in answer.tool_calls)
    assert answer.finish_reason == ("tool_calls" if calls else "stop")
    assert not any(c.truncated for c in answer.tool_calls)


# where the event loop cannot matter, one of them is enough
ONE_LOOP = pytest.mark.parametrize("anyio_backend", ["asyncio"])


@ONE_LOOP
@pytest.mark.parametrize("case", STREAMS)
async def test_a_stream_cut_at_every_byte_is_the_same_stream(case):
    """Where the network cuts the bytes changes nothing: in two pieces at every byte, and byte by byte."""
    stream, _, _ = STREAMS[case]
    expected = facts((await exchanged([stream]))[0])
    cuts = [[stream[:at], stream[at:]] for at in range(1, len(stream))]
    for pieces in [*cuts, [stream[at : at + 1] for at in range(len(stream))]]:
        answer, deltas = await exchanged(pieces)
        assert facts(answer) == expected, pieces
        assert text_of(deltas) == expected["content"]


@ONE_LOOP
@pytest.mark.parametrize("error", [None, BROKEN], ids=["ends", "breaks"])
@pytest.mark.parametrize("case", STREAMS)
async def test_a_stream_that_breaks_off_never_gives_a_half_call(case, error):
    """At every byte: an error that may be tried again, or an answer whose calls are all whole."""
    stream, text, calls = STREAMS[case]
    for at in range(len(stream)):
        try:
            answer, _ = await exchanged([stream[:at]] if at else [], error)
        except (MalformedResponse, Unavailable) as fault:
            assert fault.retryable
        else:
            assert named(answer) == calls[: len(answer.tool_calls)], stream[:at]
            assert text.startswith(answer.content)


async def test_a_broken_connection_is_retried_and_the_listener_told():
    """What was shown of the answer that broke off is void; the next try gives the whole one."""
    half = sse(delta(content="Hel"), done=False)
    server = FakeServer(Cut([half], httpx2.ReadError("connection reset")), sse(delta(content="Hello."), STOP))
    deltas = []
    answer = await server.model().call(request(), deltas.append)
    assert answer.content == text_of(deltas) == "Hello."
    assert [type(one) for one in deltas] == [TextEvent, RetryEvent, TextEvent]


async def test_a_try_that_showed_nothing_is_retried_without_a_word():
    """No retry event where there is nothing to discard."""
    server = FakeServer(Cut([], httpx2.ReadError("reset")), (503, b"busy"), sse(delta(content="Hello."), STOP))
    deltas = []
    await server.model().call(request(), deltas.append)
    assert [type(one) for one in deltas] == [TextEvent]
    assert len(server.requests) == 3


async def test_one_void_text_is_told_once():
    """A second failure that showed nothing has nothing to discard."""
    half = sse(delta(content="Hel"), done=False)
    server = FakeServer(Cut([half]), (503, b"busy"), sse(delta(content="Hello."), STOP))
    deltas = []
    await server.model().call(request(), deltas.append)
    assert [type(one) for one in deltas] == [TextEvent, RetryEvent, TextEvent]


async def test_tries_are_bounded():
    """A server that always breaks off gets three requests, and the error says so."""
    server = FakeServer(Cut([sse(delta(content="Hel"), done=False)]))
    deltas = []
    with pytest.raises(MalformedResponse) as caught:
        await server.model().call(request(), deltas.append)
    assert len(server.requests) == 3
    assert caught.value.__notes__ == ["given up after 3 tries"]
    assert text_of(deltas) == "Hel"


BROKEN_STREAMS = {
    "empty": (b"", "empty"),
    "blank": (b"\n\n", "empty"),
    "only DONE": (sse(), "without an answer"),
    "only a role": (sse(ROLE), "without an answer"),
    "only comments": (b": ping\n\n: ping\n\n", "no event stream: : ping"),
    "text, no end": (sse(delta(content="Hel"), done=False), "broke off"),
    "a call, no end": (sse(piece(0, "add", A1, id="x"), done=False), "broke off"),
    "half a call, no end": (sse(piece(0, "add", '{"a"', id="x"), done=False), "broke off"),
    "text after the finish, no end": (sse(delta(content="Hel"), STOP, delta(content="lo."), done=False), "broke off"),
    "a piece of a call that is no JSON": (
        sse(piece(0, "add", '{"a": "x', id="x"), "data: {oops", piece(0, None, 'y"}'), CALLS),
        "could not be read",
    ),
    "tool_calls without a call": (sse(ROLE, CALLS), "sends no call"),
    "plain text": (b"upstream timed out", "upstream timed out"),
    "HTML": (b"<html><title>502 Bad Gateway</title></html>", "502 Bad Gateway"),
}


@pytest.mark.parametrize("case", BROKEN_STREAMS)
async def test_a_stream_without_an_answer_is_an_error(case):
    """Empty, broken off or damaged: nothing of it is an answer."""
    stream, words = BROKEN_STREAMS[case]
    with pytest.raises(MalformedResponse, match=words):
        await streamed(stream)


FAULTS = {
    "error object": ({"error": {"message": "The server is overloaded", "code": "overloaded"}}, Unavailable),
    "error by a status": ({"error": {"message": "slow down", "code": 429}}, RateLimited),
    "error text": ({"error": "out of memory"}, Unavailable),
    "errors of Cloudflare": ({"errors": [{"code": 3040, "message": "Capacity temporarily exceeded"}]}, Unavailable),
    "Anthropic": ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, Unavailable),
    "error with choices": (
        {**delta("error", content=""), "error": {"code": 502, "message": "Provider gone"}},
        Unavailable,
    ),
    "error in the choice": ({"choices": [{"delta": {}, "error": {"code": 401, "message": "no"}}]}, AuthFailed),
    "event: error with JSON": ('event: error\ndata: {"message": "overloaded", "code": "overloaded"}', Unavailable),
    "event: error with text": ("event: error\ndata: overloaded", Unavailable),
    "JSON without data:": ('{"error": {"message": "CUDA out of memory"}}', Unavailable),
    "detail": ({"detail": "context length exceeded"}, ContextTooLong),
    "finish_reason error": (delta("error"), Unavailable),
}


@pytest.mark.parametrize("case", FAULTS)
async def test_an_error_inside_a_stream_is_raised_by_its_code(case):
    """In the middle of an answer, whatever its form."""
    chunk, kind = FAULTS[case]
    with pytest.raises(kind):
        await streamed(sse(ROLE, delta(content="Hel"), chunk))


async def test_calls_of_a_cut_answer():
    """finish_reason length: the calls that were whole stay valid, the last one is cut off."""
    stream = sse(piece(0, "add", A1, id="x"), piece(1, "opt", '{"a": 3, "b', id="y"), delta("length"))
    answer, _ = await streamed(stream)
    assert [(c.name, c.truncated) for c in answer.tool_calls] == [("add", False), ("opt", True)]
    assert answer.finish_reason == "length"


async def test_the_call_that_was_cut_is_the_one_that_grew_last():
    """Interleaved calls: not the last by number."""
    stream = sse(
        piece(0, "add", '{"a": 1', id="x"), piece(1, "opt", A2, id="y"), piece(0, None, ', "b'), delta("length")
    )
    answer, _ = await streamed(stream)
    assert [(c.name, c.truncated) for c in answer.tool_calls] == [("add", True), ("opt", False)]


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking"])
async def test_reasoning_streams_apart_from_the_text(name):
    """Whichever field the server puts it in."""
    stream = sse(ROLE, delta(**{name: "H"}), delta(**{name: "m."}), delta(content="Hello."), STOP)
    answer, deltas = await streamed(stream)
    assert (answer.content, answer.reasoning) == ("Hello.", "Hm.")
    assert (text_of(deltas), thoughts(deltas)) == ("Hello.", "Hm.")


ANNOUNCED = {
    "with its first chunk, if the name is offered": ([piece(0, "add", "", id="x")], ["add"]),
    "not while the name may go on": ([piece(0, "get_", "", id="x")], []),
    "when the name is whole": ([piece(0, "get_", "", id="x"), piece(0, "weather", "")], ["get_weather"]),
    "not before the name": ([piece(0, None, '{"a"', id="x")], []),
    "when a late name comes": ([piece(0, None, '{"a"', id="x"), piece(0, "add")], ["add"]),
    "an unknown name when its arguments begin": ([piece(0, "sum", "", id="x"), piece(0, None, "{")], ["sum"]),
    "not before its arguments begin": ([piece(0, "sum", "", id="x")], []),
    "once": ([piece(0, "add", "", id="x"), piece(0, "add", "{", id="x"), piece(0, "add", "}", id="x")], ["add"]),
}


@pytest.mark.parametrize("case", ANNOUNCED)
async def test_a_call_is_announced_as_soon_as_its_name_is_sure(case):
    """Before the stream has ended."""
    chunks, names = ANNOUNCED[case]
    deltas = []
    with pytest.raises(MalformedResponse):
        await FakeServer(sse(*chunks, done=False)).model(retries=0).call(request(), deltas.append)
    assert announced(deltas) == names


def usage(prompt: int, completion: int, **rest):
    return {"prompt_tokens": prompt, "completion_tokens": completion, **rest}


USAGES = {
    "at the end": ([None, None, usage(10, 5)], Usage(input_tokens=10, output_tokens=5, requests=1)),
    "cumulative": ([usage(10, 1), usage(10, 3), usage(10, 5)], Usage(input_tokens=10, output_tokens=5, requests=1)),
    "differences": (
        [usage(39, 0), usage(0, 1), usage(0, 1), usage(0, 2)],
        Usage(input_tokens=39, output_tokens=4, requests=1),
    ),
    "differences of neurons": (
        [usage(39, 0, neurons=1.0), usage(0, 1, neurons=0.5), usage(0, 1, neurons=0.5)],
        Usage(input_tokens=39, output_tokens=2, neurons=2.0, requests=1),
    ),
    "cumulative, zeros at the end": (
        [usage(10, 3), usage(10, 5), usage(0, 0)],
        Usage(input_tokens=10, output_tokens=5, requests=1),
    ),
    "zeros at first": ([usage(0, 0), usage(0, 0), usage(10, 5)], Usage(input_tokens=10, output_tokens=5, requests=1)),
    "twice": ([usage(10, 5), usage(10, 5)], Usage(input_tokens=10, output_tokens=5, requests=1)),
    "never": ([None], Usage(requests=1)),
    "floats": ([usage(10.0, 5.0)], Usage(input_tokens=10, output_tokens=5, requests=1)),
}


@pytest.mark.parametrize("case", USAGES)
async def test_streamed_usage_is_counted_once(case):
    """At the end, cumulative, or as differences."""
    sent, expected = USAGES[case]
    chunks = [{**delta(content="x"), **({} if one is None else {"usage": one})} for one in sent]
    answer, _ = await streamed(sse(*chunks, STOP))
    assert answer.usage == expected


async def test_usage_of_moonshot_stands_in_the_choice():
    """Kimi counts inside `choices[0]`."""
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": usage(10, 5)}]}
    answer, _ = await streamed(sse(delta(content="Hello."), last))
    assert answer.usage == Usage(input_tokens=10, output_tokens=5, requests=1)


async def test_facts_of_a_stream_are_kept():
    """Model, id and logprobs, put together."""
    chunks = [delta(content=text) for text in ("Hel", "lo.")]
    for chunk, token in zip(chunks, ("Hel", "lo."), strict=True):
        chunk["choices"][0]["logprobs"] = {"content": [{"token": token}]}
    answer, _ = await streamed(sse(ROLE, *chunks, STOP))
    assert answer.model == "m-1"
    assert answer.extra == {"id": "c1", "logprobs": {"content": [{"token": "Hel"}, {"token": "lo."}]}}


async def test_what_a_message_says_besides_grows_with_its_deltas():
    """Reasoning details of OpenRouter, and a refusal."""
    one, two = ({"type": "reasoning.text", "text": text} for text in ("H", "m."))
    chunks = [delta(reasoning_details=[one], refusal="I can"), delta(reasoning_details=[two], refusal="not.")]
    answer, _ = await streamed(sse(ROLE, *chunks, STOP))
    assert answer.extra["reasoning_details"] == [one, two]
    assert answer.extra["refusal"] == "I cannot."


async def test_a_stream_and_a_whole_answer_say_the_same():
    """The same message by both ways."""
    calls = [{"index": 0, "id": "x", "type": "function", "function": {"name": "add", "arguments": A1}}]
    by_stream, _ = await streamed(sse(ROLE, delta(content="Hello."), delta(tool_calls=calls), CALLS))
    assert facts(by_stream) == facts(await whole(message("Hello.", calls, reason="tool_calls")))


async def test_a_listener_is_waited_for():
    """What `emit` returns is awaited before the next delta."""
    shown = []

    async def slowly(one):
        await anyio.lowlevel.checkpoint()
        shown.append(one.text)

    await FakeServer(sse(*(delta(content=c) for c in "Hello"), STOP)).model().call(request(), slowly)
    assert "".join(shown) == "Hello"


async def test_a_listener_that_raises_ends_the_call():
    """Its error is its own: the request is not sent again."""
    server = FakeServer(sse(delta(content="Hello."), STOP))

    def angry(_):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await server.model().call(request(), angry)
    assert len(server.requests) == 1


async def test_a_hundred_thousand_chunks_are_read():
    """Bounded by the answer itself, and quickly."""
    one = b'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"ab"},"finish_reason":null}]}\n\n'
    block = one * 1000
    count = 0

    def listen(_):
        nonlocal count
        count += 1

    pieces = Cut([*[block] * 100, sse(STOP)])
    answer = await FakeServer(pieces).model().call(request(), listen)
    assert len(answer.content) == 200_000
    assert count == 100_000
