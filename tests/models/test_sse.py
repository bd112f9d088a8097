"""Event streams, byte by byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.errors import MalformedResponse
from agentkit.models.sse import ErrorEvent, EventReader


def read(*pieces: bytes) -> list[bytes]:
    events = EventReader()
    return [payload for piece in pieces for payload in events.feed(piece)] + events.close()


STREAMS = {
    "nothing": (b"", []),
    "one event": (b"data: a\n\n", [b"a"]),
    "no blank after the colon": (b"data:a\n\n", [b"a"]),
    "only one blank is dropped": (b"data:  a\n\n", [b" a"]),
    "two events": (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
    "CRLF": (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
    "CR": (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
    "mixed ends": (b"data: a\r\n\ndata: b\n\r\n", [b"a", b"b"]),
    "many blank lines": (b"\n\n\ndata: a\n\n\n\n\ndata: b\n\n\n", [b"a", b"b"]),
    "lines are joined": (b"data: a\ndata: b\n\n", [b"a\nb"]),
    "JSON in lines is joined": (b'data: {"a":\ndata: 1}\n\n', [b'{"a":\n1}']),
    "whole objects in a row are events": (
        b'data: {"a": 1}\ndata: {"b": 2}\ndata: [DONE]\n',
        [b'{"a": 1}', b'{"b": 2}', b"[DONE]"],
    ),
    "comments": (b": ping\n\ndata: a\n: in between\n\n", [b"a"]),
    "other fields": (b"id: 1\nretry: 5\nevent: x\ndata: a\n\n", [b"a"]),
    "fields nobody knows": (b"foo: bar\ndata: a\nfoo\n\n", [b"a"]),
    "empty data": (b"data:\n\ndata: \n\n", [b"", b""]),
    "the last blank line is missing": (b"data: a\n", [b"a"]),
    "the last line end is missing": (b"data: a", [b"a"]),
    "a BOM": (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
    "JSON without data:": (b'{"error": 1}\n\n', [b'{"error": 1}']),
    "text without data:": (b"Internal error\n\n", []),
}


@pytest.mark.parametrize("case", STREAMS)
def test_payloads_are_found(case):
    """At once, and byte by byte."""
    stream, expected = STREAMS[case]
    assert read(stream) == expected
    assert read(*(stream[at : at + 1] for at in range(len(stream)))) == expected


def test_an_event_named_error_is_told():
    """By its type, and only this event."""
    first, second = read(b"event: error\ndata: a\n\ndata: b\n\n")
    assert (type(first), first) == (ErrorEvent, b"a")
    assert (type(second), second) == (bytes, b"b")


def test_an_event_comes_with_its_last_byte():
    """Nothing is held back that is complete."""
    events = EventReader()
    assert events.feed(b"data: a\n") == []
    assert events.feed(b"\n") == [b"a"]


def test_without_blank_lines_an_event_comes_with_the_next_one():
    """Held back no longer than that."""
    events = EventReader()
    assert events.feed(b'data: {"a": 1}\n') == []
    assert events.feed(b'data: {"b": 2}\n') == [b'{"a": 1}']


def test_an_event_without_end_is_refused():
    """In one line, in many lines, in many pieces."""
    for piece in (b"x" * 60, b"data: xxxx\n" * 6):
        events = EventReader(max_event_bytes=100)
        with pytest.raises(MalformedResponse, match="longer than 100 bytes"):
            for _ in range(10):
                events.feed(piece)


def test_a_long_event_in_small_pieces_is_read_in_linear_time():
    """20 MB in 64-byte pieces."""
    events = EventReader()
    pieces = [b"data: ", *[b"x" * 64] * 300_000, b"\n\n"]
    [payload] = [payload for piece in pieces for payload in events.feed(piece)]
    assert len(payload) == 64 * 300_000


@given(st.lists(st.binary(max_size=30)), st.data())
def test_any_bytes_cut_anywhere_give_the_same_payloads(lines, data):
    """Where the network cuts does not matter."""
    stream = b"\n".join(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    assert read(*(stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True))) == read(stream)
