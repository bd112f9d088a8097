"""The public suite `canitoolcall`: raw answers of nine families of models, and what an engine must make of them."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from canitoolcall.fixtures import load_fixtures
from canitoolcall.pytest_plugin import assert_conforms, family_for

from agentkit.models.dialects import Splitter, parse

MISSES = {
    "qwen3-xml/llamacpp-q35-call-inside-think": "a call that is drafted in a thought which never ends does not run",
}
"""Where the suite wants something else than the rules of `docs/reference/dialects.md`, and why ours stand."""


@functools.cache
def fixtures():
    """Every fixture of the suite."""
    return load_fixtures()


def prefilled(fixture):
    """Whether the prompt of the fixture's model ends inside a thought."""
    prompt = fixture.generation_prompt
    if prompt is None:
        models = {model.repo: model for model in family_for(fixture).reference_models}
        prompt = models[fixture.models[0]].default_generation_prompt or ""
    return prompt.rstrip().endswith(("<think>", "<|open|>think<|sep|>"))


def result(parsed):
    """A parse as the suite wants it."""
    return {
        "content": parsed.content or None,
        "reasoning_content": parsed.reasoning or None,
        "tool_calls": [{"name": call.name, "arguments_raw": call.arguments} for call in parsed.calls],
        "exception": None,
    }


def conforms(fixture, parsed, *, soft):
    """Whether the suite accepts the parse."""
    try:
        assert_conforms(fixture, result(parsed), soft=soft)
    except AssertionError:
        return False
    return True


def whole(fixture):
    """The fixture, parsed at once."""
    truncated = "truncated" in fixture.tags
    return parse(fixture.raw_output, fixture.tools, reasoning=prefilled(fixture), truncated=truncated)


def test_the_suite_agrees(capsys):
    """All but the misses that are explained, and the share is printed."""
    parsed = {fixture.id: (fixture, whole(fixture)) for fixture in fixtures()}
    agreed = {name for name, pair in parsed.items() if conforms(*pair, soft=True)}
    strictly = sum(conforms(*pair, soft=False) for pair in parsed.values())
    with capsys.disabled():
        print(
            f"\ncanitoolcall: {len(agreed)} of {len(parsed)} ({len(agreed) / len(parsed):.1%}), "
            f"{strictly / len(parsed):.1%} to the last blank"
        )
    assert len(parsed) == 469
    assert parsed.keys() - agreed == MISSES.keys()
    page = (Path(__file__).parents[3] / "docs" / "reference" / "dialects.md").read_text()
    assert all(f"`{miss}`" in page for miss in MISSES)


@pytest.mark.parametrize("size", [1, 7])
def test_the_suite_agrees_however_it_streams(size):
    """A stream gives what the whole text gives."""
    for fixture in fixtures():
        splitter = Splitter(fixture.tools, reasoning=prefilled(fixture))
        for start in range(0, len(fixture.raw_output), size):
            splitter.feed(fixture.raw_output[start : start + size])
        assert splitter.finish(truncated="truncated" in fixture.tags) == whole(fixture), fixture.id


def test_no_cut_of_a_fixture_makes_a_call_up():
    """Cut off at the token limit anywhere, an answer holds whole calls of the answer or none."""
    for fixture in fixtures():
        text, reasoning = fixture.raw_output, prefilled(fixture)
        calls = [(call.name, call.arguments) for call in whole(fixture).calls]
        for end in range(len(text) % 7, len(text), max(len(text) // 15, 1)):
            cut = parse(text[:end], fixture.tools, reasoning=reasoning, truncated=True)
            found = [(call.name, call.arguments) for call in cut.calls]
            assert found == calls[: len(found)], (fixture.id, text[:end])
