"""What the caller may set of a model request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias

ToolChoice: TypeAlias = str
"""`auto`, `none`, `required`, or the name of the one tool that must be called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Sampling and request settings; None means "not sent, the server decides".

    Attributes:
        temperature: Randomness; 0 is greedy.
        top_p: Nucleus sampling, 0 to 1.
        top_k: Sample among the k likeliest tokens.
        max_tokens: The longest answer, in tokens.
        seed: For repeatable sampling.
        stop: Texts that end the answer.
        frequency_penalty: -2 to 2.
        presence_penalty: -2 to 2.
        repetition_penalty: 0 to 2.
        tool_choice: `auto`, `none`, `required` or a tool's name.
        parallel_tool_calls: Whether one answer may hold several calls.
        reasoning_effort: As the server names it (`low`, `medium`, `high`, ...).
        timeout_s: Seconds for one request, tries not included.
        extra: Further fields of the request body, as they are.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    repetition_penalty: float | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: str | None = None
    timeout_s: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __or__(self, other: Settings) -> Settings:
        """Both, where `other` wins; `extra` is merged key by key."""
        if self == NO_SETTINGS:
            return other
        if other == NO_SETTINGS:
            return self
        merged = {f.name: getattr(self, f.name) for f in fields(self)}
        given = {f.name: value for f in fields(self) if (value := getattr(other, f.name)) is not None}
        return Settings(**{**merged, **given, "extra": {**self.extra, **other.extra}})


NO_SETTINGS = Settings()
