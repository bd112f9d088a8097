"""Chunks that differ in their text only are not parsed one by one; no text may tell the difference."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire.fakes import FakeTurn, facts

from agentkit.core.events import TextEvent
from agentkit.errors import ModelError
from agentkit.models.chat_completions.decode import StreamReader
from agentkit.models.chat_completions.tools import NO_TOOLS
from agentkit.models.sse import EventReader

TEXTS = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
        st.sampled_from(
            ["", " ", '"', "\\", '\\"', "\n", "\x7f", "é", "😀", '"}', '","content":"', "a text that no server sends"]
        ),
    ),
    max_size=12,
)
FRAMES: dict[str, dict[str, Any]] = {
    "OpenAI": {"id": "c", "choices": [{"index": 0, "delta": {"content": 0}, "logprobs": None, "finish_reason": None}]},
    "nothing after": {"choices": [{"index": 0, "finish_reason": None, "delta": {"content": 0}}]},
    "content twice": {"content": "x", "choices": [{"delta": {"content": 0}, "finish_reason": None}]},
    "content behind": {"choices": [{"delta": {"content": 0}, "finish_reason": None}], "meta": {"content": "x"}},
    "content in a text": {"id": '"content":"', "choices": [{"delta": {"content": 0}, "finish_reason": None}]},
    "with a role": {"choices": [{"delta": {"role": "assistant", "content": 0}, "finish_reason": None}]},
    "with reasoning": {"choices": [{"delta": {"content": 0, "reasoning_content": "hm"}, "finish_reason": None}]},
    "DeepSeek": {"choices": [{"index": 0, "delta": {"content": 0, "reasoning_content": None}, "logprobs": None}]},
    "every role": {"choices": [{"delta": {"role": "assistant", "content": 0, "tool_calls": []}}], "usage": None},
    "another choice": {"choices": [{"index": 1, "delta": {"content": 0}, "finish_reason": None}]},
}


def payload(frame: dict[str, Any], text: str, **style: Any) -> bytes:
    """A chunk of this frame with this text."""
    choice = {**frame["choices"][0], "delta": {**frame["choices"][0]["delta"], "content": text}}
    return json.dumps({**frame, "choices": [choice]}, **style).encode()


def texts_of(payloads: list[bytes]) -> list[str]:
    """The texts that a reader of these payloads shows, payload by payload."""
    reader = StreamReader(NO_TOOLS, AssertionError)  # type: ignore[arg-type]  # there is no fault to blame
    return ["".join(d.text for d in reader.feed([one]) if isinstance(d, TextEvent)) for one in payloads]


@pytest.mark.parametrize("name", FRAMES)
@given(texts=TEXTS, compact=st.booleans(), ascii_only=st.booleans())
@settings(deadline=None)
def test_each_chunk_shows_its_own_text(name: str, texts: list[str], compact: bool, ascii_only: bool):
    """Whatever stands in the text and around it, each chunk shows what its JSON says."""
    style = {"separators": (",", ":") if compact else (", ", ": "), "ensure_ascii": ascii_only}
    chunks = [payload(FRAMES[name], text, **style) for text in ["a", "b", *texts]]
    expected = ["a", "b", *texts] if name != "another choice" else [""] * len(chunks)
    assert texts_of(chunks) == expected


@given(texts=TEXTS, frames=st.lists(st.sampled_from(sorted(FRAMES)), min_size=12, max_size=12))
@settings(deadline=None)
def test_frames_may_change_from_chunk_to_chunk(texts: list[str], frames: list[str]):
    """What was learnt of one kind of chunk says nothing about another kind."""
    chunks = [payload(FRAMES[name], text) for name, text in zip(frames, texts, strict=False)]
    expected = ["" if name == "another choice" else text for name, text in zip(frames, texts, strict=False)]
    assert texts_of([*[payload(FRAMES["OpenAI"], "a")] * 3, *chunks]) == ["a", "a", "a", *expected]


@given(cut=st.integers(0, 200), more=st.binary(max_size=6))
@settings(deadline=None)
def test_a_damaged_chunk_is_not_taken_for_text(cut: int, more: bytes):
    """A chunk that lost bytes, or holds broken UTF-8, is read by the parser, not guessed at."""
    whole = payload(FRAMES["OpenAI"], "text", separators=(",", ":"))
    damaged = whole[:cut] + more + whole[cut + 3 :]
    taught, fresh = texts_of([whole, whole, whole, damaged]), texts_of([whole, damaged])
    assert taught[-1] == fresh[-1]


def test_a_finish_reason_ends_the_plain_chunks():
    """The last chunk has the same text around its content but for the finish reason, and is heard."""
    chunks = [payload(FRAMES["OpenAI"], "a", separators=(",", ":"))] * 4
    last = chunks[0].replace(b'"finish_reason":null', b'"finish_reason":"stop"')
    reader = StreamReader(NO_TOOLS, AssertionError)  # type: ignore[arg-type]  # there is no fault to blame
    for chunk in (*chunks, last):
        reader.feed([chunk])
    answer, _ = reader.finish()
    assert (answer.content, answer.finish_reason) == ("aaaaa", "stop")


def thought(text: str) -> bytes:
    """A chunk of reasoning as DeepSeek sends it."""
    delta = {"content": None, "reasoning_content": text}
    return json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}).encode()


def test_reasoning_is_learnt_and_so_is_the_text_after_it():
    """Each piece goes where its field says, also where fields that say nothing stand beside it."""
    reader = StreamReader(NO_TOOLS, AssertionError)  # type: ignore[arg-type]  # there is no fault to blame
    chunks = [thought("h"), thought("m"), *[thought(f"{n}") for n in range(200)]]
    chunks += [payload(FRAMES["DeepSeek"], f"{n}") for n in range(200)]
    deltas = [*reader.feed(chunks), *reader.feed([payload(FRAMES["DeepSeek"], "!")])]
    digits = "".join(map(str, range(200)))
    assert "".join(d.text for d in deltas if d.kind == "reasoning") == f"hm{digits}"
    assert "".join(d.text for d in deltas if d.kind == "text") == f"{digits}!"
    assert len(deltas) == 403


LAST = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": {"completion_tokens": 3}}
CALL = {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"name": "opt", "arguments": "{}"}}]}}]}
OPENAI = json.dumps(FRAMES["OpenAI"], separators=(",", ":")).encode()
PLAIN = [payload(FRAMES["OpenAI"], text) for text in ("a", " b", "", "é", "😀")]
ALMOST = [PLAIN[0].replace(b'"a"', odd) for odd in (b'"a","content":"b"', b'"a\\n"', b'"a\ndata: b"', b'"a', b'"\xff"')]
EVENTS = st.one_of(
    st.builds(
        lambda many, at, odd: b"".join(b"data: %b\n\n" % one for one in [*many[:at], odd, *many[at:]]),
        st.lists(st.sampled_from(PLAIN), min_size=3, max_size=90),
        st.integers(3, 90),
        st.sampled_from([*PLAIN, *ALMOST]),
    ),
    st.lists(st.sampled_from("xyz"), min_size=3, max_size=9).map(
        lambda many: b"".join(b"data: %b\n\n" % thought(one) for one in many)
    ),
    st.builds(
        lambda name, text, end: b"data: %b%b" % (payload(FRAMES[name], text), end),
        st.sampled_from(sorted(FRAMES)),
        st.sampled_from(["a", '"', "\\", "\n", "é", ""]),
        st.sampled_from([b"\n\n", b"\r\n\r\n", b"\n", b"\r\r", b"\n\n\n"]),
    ),
    st.sampled_from(
        [
            b": ping\n\n",
            b"\n",
            b"data:\n\n",
            b"data: ping\n\n",
            b"data: [DONE]\n\n",
            b"event: error\n",
            b'data: {"error": {"message": "no"}}\n\n',
            b"data: " + OPENAI[: OPENAI.index(b"0") + 1] + b"\n\n",
            *(b"data: %b\n\n" % json.dumps(one).encode() for one in (LAST, CALL)),
        ]
    ),
)


def heard(reads: list[bytes]) -> tuple[list[tuple[str, str]], object]:
    """What is heard of a stream that goes on with these reads, and what it is in the end."""
    reader, events, deltas = FakeTurn().reader(), EventReader(), []
    try:
        for read in (b"data: %b\n\n" % PLAIN[0] * 3, *reads):
            deltas += reader.feed(events.feed(read))
        deltas += reader.feed(events.close())
        answer, rest = reader.finish()
    except ModelError as error:
        said: object = (type(error), str(error))
    else:
        deltas += rest
        said = facts(answer)
    return [(d.kind, d.call.name if d.kind.startswith("tool_call") else d.text) for d in deltas], said


@given(parts=st.lists(EVENTS, max_size=6), data=st.data())
@settings(deadline=None, max_examples=300)
def test_however_the_bytes_come_they_are_the_same_events_and_the_same_message(parts, data):
    """In one read, byte by byte, or cut anywhere: plain chunks that come together are read together."""
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    one_by_one = heard([stream[at : at + 1] for at in range(len(stream))])
    assert heard([stream]) == one_by_one
    assert heard(pieces) == one_by_one
