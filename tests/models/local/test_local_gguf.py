"""The metadata of a GGUF file, whole and damaged."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit.models.local.gguf import card_of, values
from agentkit.models.local.weights import smollm2


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def gguf(*pairs):
    body = b"".join(text(key) + struct.pack("<I", kind) + value for key, kind, value in pairs)
    return struct.pack("<4sIQQ", b"GGUF", 3, 0, len(pairs)) + body


WORDS = struct.pack("<IQ", 8, 3) + text("a") + text("bc") + text("")
NUMBERS = struct.pack("<IQ", 6, 2) + bytes(8)
WHOLE = gguf(
    ("general.name", 8, text("Ann")),
    ("general.count", 4, bytes(4)),
    ("tokens", 9, WORDS),
    ("scores", 9, NUMBERS),
    ("counts", 9, struct.pack("<IQii", 5, 2, 7, 3)),
    ("flag", 7, b"\x01"),
    ("tokenizer.chat_template", 8, text("{{ größe }}")),
)


WANTED = {"tokenizer.chat_template", "general.name", "general.count", "tokens", "counts", "missing"}


def _int(value):
    return struct.pack("<i", value)


def read(tmp_path, data):
    file = tmp_path / "x.gguf"
    file.write_bytes(data)
    card_of(file)
    return values(file, WANTED)


def test_wanted_values_are_read_and_all_else_is_passed_over(tmp_path):
    """Texts, integers, and lists of them."""
    assert read(tmp_path, WHOLE) == {
        "general.name": "Ann",
        "general.count": 0,
        "tokens": ["a", "bc", ""],
        "counts": [7, 3],
        "tokenizer.chat_template": "{{ größe }}",
    }


def test_the_embedded_weights_have_a_template_without_tools():
    """That is why they need a procedure of their own."""
    card = card_of(smollm2())
    assert "<|im_start|>" in card.template
    assert not card.knows_tools
    assert card.ends == ("<|im_end|>",)
    assert {"<|im_start|>", "<|im_end|>", "<file_sep>"} <= card.controls.keys()


def test_a_card_of_nonsense_is_an_empty_one(tmp_path):
    """Values of other types than they should have."""
    file = tmp_path / "x.gguf"
    keys = ("chat_template", "ggml.tokens", "ggml.token_type", "ggml.eos_token_id")
    file.write_bytes(gguf(*((f"tokenizer.{key}", 8, text("x")) for key in keys)))
    card = card_of(file)
    assert (card.template, card.controls, card.ends) == ("x", {}, ())


@settings(deadline=None, max_examples=200)
@given(st.integers(0, len(WHOLE) - 1), st.binary(max_size=12))
def test_damage_is_a_value_error_or_nothing_at_all(tmp_path_factory, at, junk):
    """No damaged file takes memory, time or another exception."""
    with suppress(ValueError):
        found = read(tmp_path_factory.mktemp("gguf"), WHOLE[:at] + junk + WHOLE[at + len(junk) :])
        assert found.keys() <= WANTED
        assert all(isinstance(value, str | int | list) for value in found.values())


@pytest.mark.parametrize(
    ("tokens", "end"),
    [(WORDS, -1), (WORDS, -9), (WORDS, 3), (struct.pack("<IQii", 5, 2, 7, 3), 0)],
    ids=["negative", "far below", "beyond", "numbers"],
)
def test_an_end_that_is_no_token_of_the_file_is_none(tmp_path, tokens, end):
    """Negative, too large, or of a list that holds no texts."""
    file = tmp_path / "x.gguf"
    kinds = struct.pack("<IQii", 5, 2, 3, 3)
    name = "tokenizer.ggml."
    file.write_bytes(
        gguf((name + "tokens", 9, tokens), (name + "token_type", 9, kinds), (name + "eos_token_id", 5, _int(end)))
    )
    card = card_of(file)
    assert card.ends == ()
    assert all(isinstance(control, str) for control in card.controls)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GGUF",
        WHOLE[:-1],
        b"GGML" + WHOLE[4:],
        gguf(("k", 99, b"")),
        gguf(("k", 9, struct.pack("<IQ", 9, 1) + WORDS)),
        gguf(("tokens", 9, struct.pack("<IQ", 5, 1 << 60))),
        gguf(("tokens", 9, struct.pack("<IQ", 8, 1 << 60))),
        gguf(("tokens", 6, bytes(4))),
    ],
)
def test_what_is_no_gguf_is_refused(tmp_path, data):
    """Cut off, of another kind, with types that nobody knows."""
    with pytest.raises(ValueError):
        read(tmp_path, data)
