"""How far a turn may go: numbers that make sense, refused where they are written."""

from __future__ import annotations

import pytest

from agentkit.core.limits import NO_LIMITS, Limits
from agentkit.errors import UsageError


def test_by_default_a_turn_ends():
    """Twenty requests, three same steps, two corrections; nothing else is limited."""
    limits = Limits()
    assert (limits.steps, limits.repeats, limits.corrections) == (20, 3, 2)
    assert (limits.tool_calls, limits.tokens, limits.cost_usd, limits.deadline_s) == (None, None, None, None)


def test_no_limits_end_nothing():
    """Neither steps nor repeats."""
    assert (NO_LIMITS.steps, NO_LIMITS.repeats) == (None, None)


@pytest.mark.parametrize(
    "fields",
    [
        {"steps": 1},
        {"tool_calls": 0},
        {"tokens": 0},
        {"cost_usd": 0},
        {"cost_usd": 0.01},
        {"deadline_s": 1.5},
        {"deadline_s": float("inf")},
        {"repeats": 2},
        {"corrections": 0},
        {"summarise_at_tokens": 0},
        dict.fromkeys(["steps", "tool_calls", "tokens", "cost_usd", "deadline_s", "repeats"]),
    ],
)
def test_limits_that_make_sense_are_taken(fields):
    """Zero where zero means something; None where there is no limit."""
    limits = Limits(**fields)
    assert {name: getattr(limits, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("steps", 0, r"Limits\(steps=0\): give a whole number of at least 1, or None for no limit"),
        ("steps", 2.5, "whole number"),
        ("steps", "20", "whole number"),
        ("steps", True, "whole number"),
        ("tool_calls", -1, "whole number of at least 0"),
        ("tokens", -1, "whole number of at least 0"),
        ("repeats", 1, "whole number of at least 2"),
        ("corrections", None, r"Limits\(corrections=None\): give a whole number of at least 0$"),
        ("cost_usd", -0.01, "a number of at least 0"),
        ("cost_usd", float("nan"), "a number of at least 0"),
        ("deadline_s", "1m", "a number of at least 0"),
        ("deadline_s", float("nan"), "a number of at least 0"),
    ],
)
def test_limits_that_make_no_sense_are_refused(field, value, message):
    """The error names the limit, the value and what would do."""
    with pytest.raises(UsageError, match=message):
        Limits(**{field: value})
