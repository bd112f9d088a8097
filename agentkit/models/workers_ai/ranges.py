"""What sampling parameters may be, checked before a request is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from agentkit.core.settings import Settings
from agentkit.errors import UsageError


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers from `low` to `high`, both included; None is without end."""

    low: float
    high: float | None = None
    whole: bool = False

    def holds(self, value: Any) -> bool:
        """Whether the value is such a number."""
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        return self.low <= value and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        return f"{kind} from {self.low} to {self.high}" if self.high is not None else f"{kind}, at least {self.low}"


Ranges: TypeAlias = Mapping[str, Range]
Generation: TypeAlias = Literal["current", "older"]

_CURRENT: Ranges = {
    "max_tokens": Range(1, whole=True),
    "temperature": Range(0, 5),
    "top_p": Range(0.001, 1),
    "top_k": Range(1, 50, whole=True),
    "seed": Range(1, 9_999_999_999, whole=True),
    "repetition_penalty": Range(0, 2),
    "frequency_penalty": Range(-2, 2),
    "presence_penalty": Range(-2, 2),
}

RANGES: Mapping[Generation, Ranges] = {
    "current": _CURRENT,
    "older": {**_CURRENT, "top_p": Range(0, 2), "frequency_penalty": Range(0, 2), "presence_penalty": Range(0, 2)},
}
"""Of today's models by the page of SEA-LION v4; of Llama 3 and Hermes 2 by theirs."""

_OURS = frozenset({"messages", "prompt", "requests", "request_id", "stream", "tools", "functions", "model"})
_FORMATS = ("json_object", "json_schema")


def check(settings: Settings, ranges: Ranges) -> None:
    """Refuse what the server would refuse.

    Raises:
        UsageError: Names the parameter, its value and the range.
    """
    extra = settings.extra
    for name, allowed in ranges.items():
        value = extra.get(name, getattr(settings, name))
        if value is not None and not allowed.holds(value):
            raise UsageError(f"{name}={value!r} is out of range: it must be {allowed}")
    for name in _OURS & extra.keys():
        raise UsageError(f"extra={{{name!r}: ...}}: this field is written by WorkersAI itself")
    if "raw" in extra and not isinstance(extra["raw"], bool):
        raise UsageError(f"raw={extra['raw']!r}: it must be True or False")
    value = extra.get("response_format", {})
    if not isinstance(value, Mapping) or value.get("type", "json_object") not in _FORMATS:
        raise UsageError(f"response_format={value!r}: its type must be one of {', '.join(_FORMATS)}")
