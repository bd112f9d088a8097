"""Whatever comes over the wire: an answer or a `ModelError`, never anything else, and no call that was not whole."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from wire.fakes import TOOLS, FakeTurn, named

from agentkit.core.messages import Assistant
from agentkit.errors import ModelError
from agentkit.models.assemble import is_whole_object
from agentkit.models.chat_completions.errors import error_of
from agentkit.models.sse import EventReader

NAMES = [tool.name for tool in TOOLS]

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["", "stop", "length", "error", "add", "{}", '{"a": 1}', "x", "call_0"])
)
FIELDS = st.sampled_from(
    [
        *(
            "choices",
            "message",
            "delta",
            "content",
            "tool_calls",
            "function",
            "name",
            "arguments",
            "index",
            "id",
            "usage",
        ),
        *(
            "finish_reason",
            "error",
            "errors",
            "result",
            "reasoning",
            "reasoning_content",
            "function_call",
            "text",
            "type",
        ),
        *(
            "logprobs",
            "refusal",
            "prompt_tokens",
            "completion_tokens",
            "code",
            "detail",
            "success",
            "model",
            "metadata",
        ),
    ]
)
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS | st.text(max_size=4), inner, max_size=5),
    max_leaves=25,
)


def maybe(strategy):
    """The right thing, most of the time."""
    return strategy | strategy | strategy | anything


functions = st.fixed_dictionaries(
    {},
    optional={
        "name": maybe(st.sampled_from(NAMES)),
        "arguments": maybe(st.sampled_from(["{", "}", '"a"', ":", "1", "{}"])),
    },
)
items = st.fixed_dictionaries(
    {},
    optional={
        "index": maybe(st.integers(0, 2)),
        "id": maybe(st.sampled_from(["x", "y"])),
        "function": maybe(functions),
    },
)
messages = st.fixed_dictionaries(
    {},
    optional={
        "content": maybe(st.text(max_size=5)),
        "tool_calls": maybe(st.lists(maybe(items), max_size=3)),
        "reasoning": anything,
    },
)
choices = st.fixed_dictionaries(
    {},
    optional={
        "delta": maybe(messages),
        "message": maybe(messages),
        "finish_reason": anything,
        "index": maybe(st.just(0)),
    },
)
answers = maybe(
    st.fixed_dictionaries(
        {}, optional={"choices": maybe(st.lists(maybe(choices), max_size=2)), "usage": anything, "error": anything}
    )
)


def whole(body: bytes) -> Assistant | None:
    """The answer, or None for a `ModelError`; anything else is raised."""
    try:
        return FakeTurn().whole(body)
    except ModelError as error:
        assert len(str(error)) < 1000
        return None


def streamed(pieces: list[bytes]) -> Assistant | None:
    """The same for an event stream, with what was shown of it."""
    reader, events, shown = FakeTurn().reader(), EventReader(), []
    try:
        for one in pieces:
            for payload in events.feed(one):
                shown += reader.feed([payload])
        for payload in events.close():
            shown += reader.feed([payload])
        answer, rest = reader.finish()
    except ModelError:
        return None
    shown += rest
    assert "".join(d.text for d in shown if d.kind == "text") == answer.content
    assert "".join(d.text for d in shown if d.kind == "reasoning") == answer.reasoning
    assert sorted(d.call.id for d in shown if d.kind == "tool_call") == sorted(c.id for c in answer.tool_calls)
    return answer


def check(answer: Assistant | None) -> None:
    """What always holds of an answer."""
    if answer is None:
        return
    assert len({call.id for call in answer.tool_calls}) == len(answer.tool_calls)
    for call in answer.tool_calls:
        assert isinstance(call.name, str)
        assert isinstance(call.arguments, str)
        call.arguments.encode()
        assert not (call.truncated and is_whole_object(call.arguments))
    answer.content.encode()
    answer.reasoning.encode()
    json.dumps(answer.extra)
    assert answer.finish_reason
    assert answer.usage.requests == 1


@settings(deadline=None, max_examples=400)
@given(answers)
def test_any_json_is_an_answer_or_an_error(value):
    """Valid fields with wrong values, and wrong fields."""
    check(whole(json.dumps(value).encode()))


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_an_error(body):
    """Not even text."""
    check(whole(body))
    check(streamed([body]))
    check(streamed([b"data: " + body + b"\n\n"]))


@settings(deadline=None, max_examples=400)
@given(st.lists(answers, max_size=6), st.booleans())
def test_any_chunks_are_an_answer_or_an_error(chunks, done):
    """A stream of anything."""
    stream = b"".join(b"data: " + json.dumps(c).encode() + b"\n\n" for c in chunks) + b"data: [DONE]\n\n" * done
    check(streamed([stream]))


@settings(deadline=None, max_examples=200)
@given(st.integers(100, 599), anything, st.binary(max_size=50))
def test_any_error_body_is_an_error(status, value, body):
    """With a class, a short message of one line, and no exception of its own."""
    for sent in (json.dumps(value).encode(), body, b'{"error":' + body):
        error = error_of(status, {"retry-after": repr(value)[:20]}, sent)
        assert isinstance(error, ModelError)
        assert len(str(error)) < 1000
        assert "\n" not in str(error)


# ---- calls, in all the ways in which servers stream them ----

calls = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.dictionaries(
            st.text(max_size=5),
            st.recursive(
                leaves.filter(lambda v: v == v),
                lambda i: st.lists(i, max_size=3) | st.dictionaries(st.text(max_size=3), i, max_size=3),
                max_leaves=5,
            ),
            min_size=1,
            max_size=4,
        ),
    ),
    min_size=1,
    max_size=4,
)
styles = st.fixed_dictionaries(
    {
        "index": st.sampled_from(["right", "zero", "none"]),
        "id": st.sampled_from(["first", "every", "none", "same"]),
        "name": st.sampled_from(["first", "every", "late", "pieces"]),
    }
).filter(lambda s: s["index"] == "right" or s["id"] in {"first", "every"})


def pieces_of(text: str, draw) -> list[str]:
    """The text in random fragments."""
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def stream_of(wanted, style, draw) -> bytes:
    """The calls as a server of this style streams them."""
    lines = []
    for number, (name, arguments) in enumerate(wanted):
        fragments = pieces_of(json.dumps(arguments, ensure_ascii=draw(st.booleans())), draw)
        late = style["name"] == "late" and style["index"] == "right"
        if style["name"] == "pieces":
            fragments = ["", "", *fragments]
        for at, fragment in enumerate(fragments):
            item = {"function": {"arguments": fragment}}
            if style["index"] != "none":
                item["index"] = number if style["index"] == "right" else 0
            if style["id"] == "every" or (style["id"] == "first" and at == 0):
                item["id"] = f"call_{number}"
            if style["id"] == "same":
                item["id"] = "call_0"
            if style["name"] == "pieces" and at < 2:
                item["function"]["name"] = (name[:2], name[2:])[at]
            elif style["name"] == "every" or at == (len(fragments) - 1 if late else 0):
                item["function"]["name"] = name
            lines.append({"choices": [{"index": 0, "delta": {"tool_calls": [item]}, "finish_reason": None}]})
    lines.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    return b"".join(b"data: " + json.dumps(line).encode() + b"\n\n" for line in lines) + b"data: [DONE]\n\n"


@settings(deadline=None, max_examples=500)
@given(calls, styles, st.data())
def test_calls_arrive_however_they_are_streamed(wanted, style, data):
    """Names, order and arguments come out as they went in, in fragments of any size and cut anywhere."""
    stream = stream_of(wanted, style, data.draw)
    at = data.draw(st.integers(0, len(stream)))
    answer = streamed([stream[:at], stream[at:]])
    assert [[name, json.loads(arguments)] for name, arguments in named(answer)] == json.loads(json.dumps(wanted))


@settings(deadline=None, max_examples=300)
@given(calls, styles, st.data())
def test_no_half_call_comes_of_a_stream_that_breaks(wanted, style, data):
    """An error, or the calls that were whole."""
    stream = stream_of(wanted, style, data.draw)
    answer = streamed([stream[: data.draw(st.integers(0, len(stream) - 1))]])
    if answer is not None:
        assert [[name, json.loads(arguments)] for name, arguments in named(answer)] == json.loads(json.dumps(wanted))
