"""The vocabulary of a conversation: tool calls, tool specs, usage and the four messages.

Messages are entries of the transcript (see `entries.py`) and what a model is sent (see `view.py`).
Everything here is a frozen value; a change is `dataclasses.replace`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias

JSONValue: TypeAlias = Any
"""None, bool, int, float, str, list or dict of the same."""

Outcome: TypeAlias = Literal["ok", "error", "invalid", "unknown_tool", "denied", "limit", "timeout", "interrupted"]
"""How a call was answered: `ok`, or why it was not."""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """All that a model adapter sees of a tool.

    Attributes:
        name: The name that the model calls.
        description: What the tool does, for the model.
        parameters: JSON Schema (Draft 2020-12) of the arguments; its root is an object.
        examples: Pairs of a user's words and the arguments that answer them.
        strict: Ask the wire for schema-exact arguments: True, False, or None for "where nothing is lost".
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    examples: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    strict: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A model's wish to call a tool.

    Attributes:
        id: Our own id, unique in the transcript.
        name: The name as the model wrote it.
        arguments: The arguments as the model wrote them: JSON text, if all is well.
        provider_id: The provider's id, used only on that provider's wire.
        recovered: The dialect whose text the call was recovered from; None for a native call.
        truncated: The answer was cut off inside this call (token limit, broken stream): it never runs.
        extra: What this provider wants back with the call in the next request.
    """

    id: str
    name: str
    arguments: str
    provider_id: str | None = None
    recovered: str | None = None
    truncated: bool = False
    extra: Mapping[str, JSONValue] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an answer or a run took (counts, not money).

    Attributes:
        input_tokens: Tokens of the prompt, cached ones included.
        output_tokens: Tokens of the completion, reasoning included.
        cached_tokens: The part of `input_tokens` that came from a prompt cache.
        reasoning_tokens: The part of `output_tokens` that was reasoning.
        requests: How many model answers these figures cover.
        tool_calls: Calls that were planned to run, those of agents called as tools included.
        neurons: Cloudflare's billing unit, when the server reports it.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    requests: int = 0
    tool_calls: int = 0
    neurons: float | None = None

    @property
    def total_tokens(self) -> int:
        """Input plus output tokens."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        """The sum, field by field; unknown neurons count only when both are unknown."""
        neurons = None
        if self.neurons is not None or other.neurons is not None:
            neurons = (self.neurons or 0.0) + (other.neurons or 0.0)
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            requests=self.requests + other.requests,
            tool_calls=self.tool_calls + other.tool_calls,
            neurons=neurons,
        )


NO_USAGE = Usage()


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Instructions to the model."""

    kind: ClassVar[Literal["system"]] = "system"
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """What the user said.

    Attributes:
        content: Text, or chat-completions content parts (`{"type": "text", ...}`, `{"type": "image_url", ...}`).
    """

    kind: ClassVar[Literal["user"]] = "user"
    content: str | tuple[Mapping[str, JSONValue], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assistant:
    """One answer of a model.

    Attributes:
        content: The text for the user.
        tool_calls: The calls, in the model's order.
        reasoning: The model's thoughts, never mixed into `content`.
        finish_reason: `stop`, `length`, `tool_calls`, `content_filter`, `error` or what else the server said.
        usage: Tokens of this answer.
        cost_usd: US dollars of this answer; None when the price is unknown.
        model: The name of the model that answered.
        aborted: The answer was broken off: kept and billed, never acted on, not shown to the model again.
        extra: Other facts of the answer (`logprobs`, `stop_reason`, the provider's response `id`).
    """

    kind: ClassVar[Literal["assistant"]] = "assistant"
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""
    finish_reason: str = "stop"
    usage: Usage = NO_USAGE
    cost_usd: float | None = None
    model: str = ""
    aborted: bool = False
    extra: Mapping[str, JSONValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """The one answer to a tool call.

    Attributes:
        call_id: `ToolCall.id`.
        name: The name of the tool that answered.
        content: The text that the model reads.
        outcome: `ok`, or why there is no proper result.
        repaired: The arguments were repaired before the call.
        details: What the tool returned for the application only (`ToolOutput.details`), as JSON.
        usage: Tokens that the tool itself spent (an agent as a tool).
        cost_usd: US dollars that the tool itself spent; None when unknown or nothing.
    """

    kind: ClassVar[Literal["tool_result"]] = "tool_result"
    call_id: str
    name: str
    content: str
    outcome: Outcome = "ok"
    repaired: bool = False
    details: JSONValue = None
    usage: Usage | None = None
    cost_usd: float | None = None

    @property
    def is_error(self) -> bool:
        """Whether the call has no proper result."""
        return self.outcome != "ok"


Message: TypeAlias = System | User | Assistant | ToolResult
