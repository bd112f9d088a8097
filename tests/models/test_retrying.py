"""What is tried again, how often, after how long."""

from __future__ import annotations

import anyio
import pytest

from agentkit.errors import AuthFailed, ModelError, RateLimited, Unavailable
from agentkit.models.retrying import Retries

pytestmark = pytest.mark.anyio


def test_the_wait_doubles_up_to_a_bound():
    """With at most a quarter of jitter."""
    retries = Retries(times=10, first_delay_s=0.5, max_delay_s=8.0)
    for tries, longest in enumerate([0.5, 1, 2, 4, 8, 8, 8], start=1):
        waits = [retries.delay_s(Unavailable("x"), tries) for _ in range(50)]
        assert all(longest * 0.75 <= one <= longest for one in waits)
        assert len(set(waits)) > 1


WAITS = {
    "what the server says": (RateLimited("x", retry_after_s=3.0), 1, 3.0),
    "zero": (RateLimited("x", retry_after_s=0.0), 1, 0.0),
    "too long": (RateLimited("x", retry_after_s=61.0), 1, None),
    "not retryable": (AuthFailed("x"), 1, None),
    "not retryable, although the server says when": (AuthFailed("x", retry_after_s=1.0), 1, None),
    "retryable by itself": (AuthFailed("x", retryable=True, retry_after_s=1.0), 1, 1.0),
    "used up": (RateLimited("x", retry_after_s=1.0), 3, None),
}


@pytest.mark.parametrize("case", WAITS)
def test_when_to_try_again(case):
    """None is never."""
    error, tries, expected = WAITS[case]
    assert Retries(times=2).delay_s(error, tries) == expected


async def test_the_first_success_counts():
    """Each failure before it is told."""
    errors, told = [Unavailable("a"), Unavailable("b")], []

    async def attempt():
        if errors:
            raise errors.pop(0)
        return "done"

    async def on_retry(error):
        told.append(str(error))

    assert await Retries(times=2, first_delay_s=0).run(attempt, on_retry) == "done"
    assert told == ["a", "b"]


async def test_what_is_no_model_error_passes():
    """At once."""
    tries = 0

    async def attempt():
        nonlocal tries
        tries += 1
        raise KeyError("x")

    async def on_retry(error):
        raise AssertionError

    with pytest.raises(KeyError):
        await Retries().run(attempt, on_retry)
    assert tries == 1


async def test_a_wait_can_be_cancelled():
    """No try after it."""
    tries = 0

    async def attempt():
        nonlocal tries
        tries += 1
        raise Unavailable("x", retry_after_s=30)

    async def on_retry(error):
        pass

    with anyio.move_on_after(0.05):
        await Retries().run(attempt, on_retry)
    assert tries == 1


async def test_the_last_error_says_how_many_tries_there_were():
    """As a note; a single try needs none."""

    async def attempt():
        raise Unavailable("x")

    async def on_retry(error):
        pass

    for times, notes in ((0, []), (1, ["given up after 2 tries"])):
        with pytest.raises(ModelError) as caught:
            await Retries(times=times, first_delay_s=0).run(attempt, on_retry)
        assert getattr(caught.value, "__notes__", []) == notes
