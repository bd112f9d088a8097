"""How far one turn may go."""

from __future__ import annotations

from dataclasses import dataclass, fields

from agentkit.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The budget of one turn, counted from the last user message. None means "no limit".

    Reaching a limit is data, not an exception: `Result.stop_reason` names it. The last request of a budget is made
    without tools, so that there is an answer.

    Attributes:
        steps: Requests to the model.
        tool_calls: Calls that run, of agents called as tools too. Of a batch that does not fit, the first ones run.
        tokens: Input plus output tokens, of agents called as tools too.
        cost_usd: US dollars, of agents called as tools too, where prices are known.
        deadline_s: Seconds, counted anew in each process that works on the turn.
        repeats: Steps in a row with the same calls and the same results before the model is told, then stopped.
        corrections: How often an answer that is not the wanted output is sent back.
        summarise_at_tokens: Summarise the conversation when a request had this many input tokens (see `view`).
    """

    steps: int | None = 20
    tool_calls: int | None = None
    tokens: int | None = None
    cost_usd: float | None = None
    deadline_s: float | None = None
    repeats: int | None = 3
    corrections: int = 2
    summarise_at_tokens: int | None = None

    def __post_init__(self) -> None:
        """Refuse limits that make no sense, where they are written."""
        least = {"steps": 1, "repeats": 2}
        for f in fields(self):
            value = getattr(self, f.name)
            low = least.get(f.name, 0)
            broken = f.name in ("cost_usd", "deadline_s")
            number = isinstance(value, int | float if broken else int) and not isinstance(value, bool)
            if number and value >= low:  # NaN is not
                continue
            if value is not None or f.name == "corrections":
                what = f"a {'' if broken else 'whole '}number of at least {low}"
                none = "" if f.name == "corrections" else ", or None for no limit"
                raise UsageError(f"Limits({f.name}={value!r}): give {what}{none}")


NO_LIMITS = Limits(steps=None, repeats=None)
