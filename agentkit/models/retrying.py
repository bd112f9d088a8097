"""Trying again: what, how often, and after how long.

Only what may pass is tried again (`ModelError.retryable`), only `times` times. The wait doubles, with jitter, so that
many clients do not come back at once; a server that says how long to wait is obeyed, unless it asks for more than
`max_wait_s`: then the error goes to the caller at once, who may know another model.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import anyio

from agentkit.errors import ModelError

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """When a failed request is sent again.

    Attributes:
        times: How often at most, after the first try.
        first_delay_s: The wait before the first retry; it doubles with each one. A quarter of it is random.
        max_delay_s: The longest wait of our own choice.
        max_wait_s: The longest wait that a server may ask for.
    """

    times: int = 2
    first_delay_s: float = 0.5
    max_delay_s: float = 8.0
    max_wait_s: float = 60.0

    def delay_s(self, error: ModelError, tries: int) -> float | None:
        """Seconds to wait after `tries` failed tries; None to give up.

        Args:
            error: What the last try ended with.
            tries: Tries so far, at least 1.
        """
        if not error.retryable or tries > self.times:
            return None
        if error.retry_after_s is not None:
            return error.retry_after_s if error.retry_after_s <= self.max_wait_s else None
        delay_s = min(self.first_delay_s * 2.0 ** (tries - 1), self.max_delay_s)
        return delay_s * random.uniform(0.75, 1.0)  # noqa: S311 - jitter, no secret

    async def run(self, attempt: Callable[[], Awaitable[T]], on_retry: Callable[[ModelError], Awaitable[None]]) -> T:
        """What the first successful attempt returns.

        Args:
            attempt: One try.
            on_retry: Told of each failure that is followed by another try.

        Raises:
            ModelError: The last try's, with a note of how many there were.
        """
        tries = 0
        while True:
            try:
                return await attempt()
            except ModelError as error:
                tries += 1
                delay_s = self.delay_s(error, tries)
                if delay_s is None:
                    if tries > 1:
                        error.add_note(f"given up after {tries} tries")
                    raise
                await on_retry(error)
            await anyio.sleep(delay_s)
