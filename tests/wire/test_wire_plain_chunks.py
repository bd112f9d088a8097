"""Chunks that differ in their text only are not parsed one by one; no text may tell the difference."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit.core.events import TextEvent
from agentkit.models.chat_completions.decode import StreamReader
from agentkit.models.chat_completions.tools import NO_TOOLS

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
    "another choice": {"choices": [{"index": 1, "delta": {"content": 0}, "finish_reason": None}]},
}


def payload(frame: dict[str, Any], text: str, **style: Any) -> bytes:
    """A chunk of this frame with this text."""
    choice = {**frame["choices"][0], "delta": {**frame["choices"][0]["delta"], "content": text}}
    return json.dumps({**frame, "choices": [choice]}, **style).encode()


def texts_of(payloads: list[bytes]) -> list[str]:
    """The texts that a reader of these payloads shows, payload by payload."""
    reader = StreamReader(NO_TOOLS, AssertionError)  # type: ignore[arg-type]  # there is no fault to blame
    return ["".join(d.text for d in reader.feed(one) if isinstance(d, TextEvent)) for one in payloads]


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
        reader.feed(chunk)
    answer, _ = reader.finish()
    assert (answer.content, answer.finish_reason) == ("aaaaa", "stop")
