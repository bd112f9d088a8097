"""Hostile text: nothing is raised, and the work grows like the text."""

from __future__ import annotations

import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from agentkit.models.dialects import Splitter, parse

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from bench_dialects import HOSTILE, SPECS, streamed, whole

BOUND_S = 8.0
"""CPU seconds for 200 KB, whole and in chunks: a machine ten times slower keeps it, quadratic work does not."""


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_costs_what_it_is_long(name):
    """Whole, and in chunks of 20 characters."""
    text = HOSTILE[name](200_000)
    start = time.process_time()
    whole(text)
    streamed(text)
    assert time.process_time() - start < BOUND_S


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_the_same_in_pieces(name):
    """And nothing in it is a call that was not written."""
    text = HOSTILE[name](3_000)
    parsed = parse(text, SPECS)
    splitter = Splitter(SPECS)
    for start in range(0, len(text), 7):
        splitter.feed(text[start : start + 7])
    assert splitter.finish() == parsed
    assert {call.name for call in parsed.calls} <= {"get_weather", "get_time"}


GROWING = {
    "text": ("", "{} "),
    "almost marks": ("a ", "{} < "),
    "a thought": ("<think>", "{} "),
    "code": ("```\n", "{} "),
    "a call without end": ('<tool_call>{"name": "get_weather", "arguments": {"city": "', "{} "),
}


@pytest.mark.parametrize("name", GROWING)
def test_memory_grows_like_the_text_and_not_like_its_pieces(name):
    """Whatever it is. Each of them kept would take 55 bytes, and 8 more in each list."""
    before, piece = GROWING[name]
    splitter, pieces = Splitter(SPECS), 100_000
    splitter.feed(before)
    for n in range(pieces):
        splitter.feed(piece.format(n % 1000 + 1000))
    tracemalloc.start()
    try:
        for n in range(pieces + 2_000):  # so many are kept one by one, then joined
            splitter.feed(piece.format(n % 1000 + 1000))
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 35 * pieces
