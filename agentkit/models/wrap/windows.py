"""How much fits into a minute: the arithmetic of `RateLimited`, without a clock and without waiting.

A window is exact: in no `span_s` seconds, wherever they begin, is more than its limit spent. (A bucket that refills
evenly would let twice as much pass in its first minute.) What a request will cost in tokens is estimated when it starts
and put right when it has its answer: what it cost more than was thought counts from then on.

A request that is bigger than the whole limit starts when the window is empty, or it would wait for ever.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from agentkit.core.messages import Assistant, ToolResult
from agentkit.models.model import Request

CHARS_PER_TOKEN = 4
"""What an estimate takes; answers say what it really was."""


@dataclass(slots=True, eq=False)
class Spent:
    """So much, at that time; 0 once it has left the window."""

    at: float
    amount: int


@dataclass(slots=True)
class Window:
    """At most `limit` in any `span_s` seconds.

    Attributes:
        limit: How much.
        span_s: In how long.
        used: How much of it is spent now.
    """

    limit: int
    span_s: float = 60.0
    used: int = 0
    _log: deque[Spent] = field(default_factory=deque)

    def wait_s(self, amount: int, now: float) -> float:
        """Seconds until `amount` fits; 0 if it does."""
        self._forget(now)
        missing = min(amount, self.limit) - (self.limit - self.used)
        for spent in self._log:
            if missing <= 0:
                break
            missing -= spent.amount
            if missing <= 0:
                return spent.at + self.span_s - now
        return 0.0

    def spend(self, amount: int, now: float) -> Spent:
        """Note that so much is spent now."""
        spent = Spent(now, amount)
        self._log.append(spent)
        self.used += amount
        return spent

    def settle(self, spent: Spent, estimate: int, actual: int, now: float) -> None:
        """Put an estimate right, `now` that the amount is known."""
        if actual > estimate:
            self.spend(actual - estimate, now)
        elif spent.amount:
            self.used -= spent.amount - actual
            spent.amount = actual

    def _forget(self, now: float) -> None:
        while self._log and self._log[0].at + self.span_s <= now:
            spent = self._log.popleft()
            self.used -= spent.amount
            spent.amount = 0


@dataclass(slots=True)
class Allowance:
    """What may start when.

    Attributes:
        requests: Requests in a minute.
        tokens: Tokens in a minute.
        max_concurrent: Requests at once.
        running: Requests that have started and not ended.
    """

    requests: Window | None = None
    tokens: Window | None = None
    max_concurrent: int | None = None
    running: int = 0

    def wait_s(self, tokens: int, now: float) -> float:
        """Seconds until a request may start; 0 for now, infinity if one has to end first."""
        if self.max_concurrent is not None and self.running >= self.max_concurrent:
            return math.inf
        requests_s = 0.0 if self.requests is None else self.requests.wait_s(1, now)
        return max(requests_s, 0.0 if self.tokens is None else self.tokens.wait_s(tokens, now))

    def start(self, tokens: int, now: float) -> Spent | None:
        """A request starts; what it gives back is for `end`."""
        self.running += 1
        if self.requests is not None:
            self.requests.spend(1, now)
        return None if self.tokens is None else self.tokens.spend(tokens, now)

    def end(self, spent: Spent | None, estimate: int, actual: int, now: float) -> None:
        """A request ended, and took so many tokens."""
        self.running -= 1
        if self.tokens is not None and spent is not None:
            self.tokens.settle(spent, estimate, actual, now)


def estimated_tokens(request: Request) -> int:
    """About how many tokens the messages of a request are."""
    chars = 0
    for message in request.messages:
        content = message.content
        chars += len(content) if isinstance(content, str) else sum(len(str(part.get("text", ""))) for part in content)
        if isinstance(message, Assistant):
            chars += sum(len(call.name) + len(call.arguments) for call in message.tool_calls)
        elif isinstance(message, ToolResult):
            chars += len(message.name)
    return chars // CHARS_PER_TOKEN
