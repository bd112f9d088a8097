"""JSON as bytes, with and without orjson."""

from __future__ import annotations

import json
import sys
from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentkit.models import json_bytes

pytest.importorskip("orjson", reason="orjson is not installed")


@pytest.fixture(autouse=True, params=["orjson", "standard library"])
def codec(request, monkeypatch):
    """Both ways give the same."""
    if request.param == "standard library":
        monkeypatch.setitem(sys.modules, "orjson", None)
    json_bytes._codec.cache_clear()
    yield
    json_bytes._codec.cache_clear()


VALUES = {
    "an object": ({"a": [1, 2.5, None, True, "x"]}, b'{"a":[1,2.5,null,true,"x"]}'),
    "text as it is": ("ü\U0001f600\u2028", '"ü\U0001f600\u2028"'.encode()),
    "escapes": ('"\\\n\x00', b'"\\"\\\\\\n\\u0000"'),
    "a large integer": (2**80, str(2**80).encode()),
    "a key that is a number": ({1: "a"}, b'{"1":"a"}'),
    "tuples": ((1, (2,)), b"[1,[2]]"),
    "other mappings": (MappingProxyType({"a": MappingProxyType({})}), b'{"a":{}}'),
    "a lone surrogate": ("a\ud83db", b'"a?b"'),
    "what JSON does not know": ({"a": {1}}, b'{"a":"{1}"}'),
}


@pytest.mark.parametrize("case", VALUES)
def test_values_become_compact_utf8(case):
    """Without blanks; what JSON cannot hold does not stop a request."""
    value, expected = VALUES[case]
    assert json_bytes.dumps(value) == expected


def test_a_value_that_contains_itself_is_refused():
    """No endless JSON."""
    value: list = []
    value.append(value)
    with pytest.raises((ValueError, RecursionError)):
        json_bytes.dumps(value)


TEXTS = {
    "strict": (b'{"a": 1}', {"a": 1}),
    "a large integer": (b"[123456789012345678901234567890]", [123456789012345678901234567890]),
    "a BOM": (b"\xef\xbb\xbf[1]", [1]),
    "control characters": (b'["a\nb"]', ["a\nb"]),
    "broken UTF-8": (b'["a\xff"]', ["a\ufffd"]),
}


@pytest.mark.parametrize("case", TEXTS)
def test_texts_are_read(case):
    """With integers of any size, and some damage forgiven."""
    text, expected = TEXTS[case]
    assert json_bytes.loads(text) == expected


@pytest.mark.parametrize("text", [b"", b"{", b"nope", b"[" * 100_000, b"1" * 10_000, b"\x00", b"[1] [2]"])
def test_what_is_no_json_is_a_value_error(text):
    """And nothing else, in both readers."""
    for read in (json_bytes.loads, json_bytes.fast_loads()):
        with pytest.raises((ValueError, RecursionError)):
            read(text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda i: st.lists(i) | st.dictionaries(st.text(), i),
    )
)
def test_what_goes_in_comes_out(value):
    """Any JSON value."""
    sent = json_bytes.dumps(value)
    assert json_bytes.loads(sent) == json.loads(sent) == value
