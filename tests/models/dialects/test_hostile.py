"""Hostile text: nothing is raised, and the work grows like the text."""

from __future__ import annotations

import sys
import time
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


def test_memory_is_bounded():
    """What waits for its end is kept once, not once for each chunk."""
    splitter = Splitter(SPECS)
    splitter.feed('<tool_call>{"name": "get_weather", "arguments": {"city": "')
    for _ in range(5_000):
        splitter.feed("a</tool_call> ")
    assert sys.getsizeof(splitter._text) + sum(map(sys.getsizeof, splitter._chunks)) < 500_000
