"""How a run begins: with a new question, or where the transcript stands.

the transcript             the same question (or none)    another question
is at rest                 a new turn                     a new turn
stands in the middle       goes on where it stands        closes what is open, then a new turn
waits for approval         waits on                       denies what waits, then a new turn
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from agentkit.core.chat_format import from_openai
from agentkit.core.entries import Decision, Ended, Entry
from agentkit.core.messages import JSONValue, User
from agentkit.core.result import Result
from agentkit.core.state import Phase
from agentkit.errors import UsageError
from agentkit.runtime.batch import close
from agentkit.runtime.run import Run

Question: TypeAlias = str | Sequence[Mapping[str, JSONValue]]
"""What the user says: text, or chat-completions content parts."""

History: TypeAlias = Result[Any] | Sequence[Any]
"""A `Result` to go on from, or a conversation as messages or chat-completions dicts."""

ABANDONED = "interrupted: the user went on to something else."


async def begin(run: Run, question: Question | None) -> None:
    """Append what the question asks for before the loop takes over."""
    if run.state.phase is not Phase.REST:
        if question is None or user(question) == _asked(run):
            return
        await _close_turn(run)
    if question is not None:
        await run.append(user(question))
    elif not run.entries:
        raise UsageError("there is nothing to go on with: the history or the session is empty; ask a question")


async def _close_turn(run: Run) -> None:
    for call_id, call in list(run.state.open.items()):
        if call.undecided:
            await run.append(Decision(call_id=call_id, verdict="deny", reason="the user went on to something else"))
    await close(run, ABANDONED)
    await run.append(Ended(reason="finished" if run.state.phase is Phase.OUTPUT else "closed"))


def user(question: Question) -> User:
    """The question as a message.

    Raises:
        UsageError: It is empty, or neither text nor content parts.
    """
    if isinstance(question, Sequence) and not question:
        raise UsageError("the question is empty: ask something, or pass None to go on with the history or the session")
    if isinstance(question, str):
        return User(content=question)
    items = question if isinstance(question, Sequence) else ()
    parts = [dict(part) for part in items if isinstance(part, Mapping) and "type" in part]
    if parts and len(parts) == len(items):
        return User(content=tuple(parts))
    raise UsageError(
        f"a question is text or a list of content parts ({{'type': 'text', ...}}), got {question!r:.80}; "
        "messages that came before go into history="
    )


def entries_of(history: History) -> Sequence[Entry]:
    """The transcript that a history stands for.

    Raises:
        UsageError: It is no history.
    """
    if isinstance(history, Result):
        return history.entries
    if isinstance(history, str) or not isinstance(history, Sequence):
        raise UsageError(f"history= takes a Result or a list of messages, got {type(history).__name__}")
    try:
        return from_openai(history)
    except ValueError as fault:
        raise UsageError(f"history=: {fault}") from None


def _asked(run: Run) -> User | None:
    return next((entry for entry in reversed(run.entries) if isinstance(entry, User)), None)
