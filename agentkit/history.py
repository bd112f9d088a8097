"""Long conversations: functions for `Agent(view=[...])` that narrow what the model is shown.

A view function takes the messages and gives fewer or shorter ones; the transcript keeps everything. The promises:

1. A call is never parted from its results, and what is shown never begins with an answer or a result.
2. Results that the model has not seen yet are shown whole. Instructions and a summary stay.
3. The same messages give the same view. Servers keep what they have read as long as the beginning stays the same
   (prompt caches): a cut that moves with each message gives that up, one that moves in hops keeps it between them.

Summarising is no narrowing but an action of the run, done by a model: `summarise` only says when, and by whom.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from sys import maxsize
from typing import TypeAlias

from agentkit.core.limits import Limits
from agentkit.core.messages import Assistant, Message, Outcome, System, ToolResult, User
from agentkit.core.view import SUMMARY_HEAD
from agentkit.errors import UsageError
from agentkit.models.model import Model

View: TypeAlias = Callable[[Sequence[Message]], Sequence[Message]]


def keep_last(n: int, *, hop: int = 1) -> View:
    """Show the last `n` messages, and with them what they cannot do without.

    That is: instructions, a summary, the call that the first results belong to, and the question that the first
    answer answers.

    Args:
        n: How many messages, at least 1.
        hop: The cut moves so many messages at a time: up to `n + hop - 1` are shown, and prompt caches hold between.

    Raises:
        UsageError: A number is less than 1.
    """
    _at_least_one("keep_last", n=n, hop=hop)

    def narrowed(messages: Sequence[Message]) -> Sequence[Message]:
        at = max(0, len(messages) - n)
        at -= at % hop
        while isinstance(messages[at] if at else None, ToolResult):
            at -= 1
        if at == 0:
            return messages
        first = next((message for message in messages[at:] if not isinstance(message, System)), None)
        question = None if isinstance(first, User) else _last_user(messages[:at])
        kept = [m for m in messages[:at] if m is question or isinstance(m, System) or is_summary(m)]
        return [*kept, *messages[at:]]

    return narrowed


def drop_tool_output(older_than: int, *, hop: int = 1) -> View:
    """Show a short note in the place of tool output that is older than the last `older_than` answers of the model.

    The model still sees what it called, and may call again.

    Args:
        older_than: How many answers of the model keep their results whole, at least 1.
        hop: The border moves so many answers at a time, so that prompt caches hold between.

    Raises:
        UsageError: A number is less than 1.
    """
    _at_least_one("drop_tool_output", older_than=older_than, hop=hop)

    def narrowed(messages: Sequence[Message]) -> Sequence[Message]:
        answers = [i for i, message in enumerate(messages) if isinstance(message, Assistant)]
        old = max(0, len(answers) - older_than)
        border = answers[old - old % hop] if answers else 0
        return [*map(_noted, messages[:border]), *messages[border:]]

    return narrowed


@dataclass(frozen=True, slots=True)
class Summaries:
    """What `summarise` says: when to summarise, and by whom. As a view function it changes nothing.

    Attributes:
        model: Who writes summaries; None for the agent's own model.
        at_tokens: How long a conversation may get; None until the model says that it does not fit.
    """

    model: Model | str | None = None
    at_tokens: int | None = None

    def __call__(self, messages: Sequence[Message]) -> Sequence[Message]:
        """The messages: the summary is among them, made before they are shown."""
        return messages

    def over(self, limits: Limits) -> Limits:
        """These limits, with this for what they do not say about summaries."""
        if limits.summarise_at_tokens is not None:
            return limits
        return replace(limits, summarise_at_tokens=maxsize if self.at_tokens is None else self.at_tokens)


def summarise(model: Model | str | None = None, *, at_tokens: int | None = None) -> Summaries:
    """Have the oldest messages replaced by a summary when the conversation gets too long.

    Args:
        model: Who writes it, such as a cheap model; the agent's own if left out.
        at_tokens: Summarise when a request had this many input tokens; if left out, when the model says that the
            conversation does not fit.

    Raises:
        UsageError: The number is less than 1.
    """
    if at_tokens is not None:
        _at_least_one("summarise", at_tokens=at_tokens)
    return Summaries(model, at_tokens)


def is_summary(message: Message) -> bool:
    """Whether the message is a summary of those before it."""
    return isinstance(message, User) and isinstance(message.content, str) and message.content.startswith(SUMMARY_HEAD)


def _last_user(messages: Sequence[Message]) -> Message | None:
    return next((message for message in reversed(messages) if isinstance(message, User)), None)


def _noted(message: Message) -> Message:
    if not isinstance(message, ToolResult):
        return message
    note = _note(message.call_id, message.name, len(message.content), message.outcome)
    return note if len(note.content) < len(message.content) else message


@lru_cache(maxsize=4096)  # the same object each time: a model encodes it once
def _note(call_id: str, name: str, chars: int, outcome: Outcome) -> ToolResult:
    text = f"[{chars:,} characters of old output dropped]"
    return ToolResult(call_id=call_id, name=name, content=text, outcome=outcome)


def _at_least_one(function: str, **numbers: int) -> None:
    for name, value in numbers.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UsageError(f"{function}({name}={value!r}): give a whole number of at least 1")
