"""A summary of the oldest messages, made by a model and stored as an entry that the view reads.

* The newest messages stay: at most `KEEP_MESSAGES`, at most half of the text, at least what the model has not answered.
  Where the rest is less than a quarter of the text, it stays as well, unless the conversation does not fit.
* A long message goes into the summary shortened. If the text still does not fit the summariser, it is shortened more.
* A summary that fails ends the run only if the run cannot go on without it. Where the conversation still fits, the
  failure is noted and the model asked with what there is.
"""

from __future__ import annotations

from collections.abc import Sequence

from agentkit.core.entries import ModelFailed, Summary
from agentkit.core.messages import Assistant, Message, System, ToolResult, User
from agentkit.core.settings import Settings
from agentkit.errors import ContextTooLong, ModelError
from agentkit.history import is_summary
from agentkit.models.model import Request
from agentkit.runtime.run import Run
from agentkit.tooling.results import cut as shortened

KEEP_MESSAGES = 6
"""How many of the newest messages stay as they are, at most, if they are more than one exchange."""

MAX_MESSAGE_CHARS = 20_000
"""How much of one message a summary is made of, at first."""

MIN_MESSAGE_CHARS = 300
"""How much of it, when the summariser says that the text is too long for it."""

ASK = (
    "Summarise the conversation below for the assistant who will go on with it. Keep the user's wishes, the facts and "
    "figures that were found, the decisions and what is still to do. Write nothing else."
)


async def summarise(run: Run) -> None:
    """Put a summary in the place of the oldest messages, or note that there is none to be had.

    Raises:
        ModelError: There is none, and the conversation does not fit without.
    """
    needed = run.state.context_failed
    messages = run.projection.messages
    covers = cut(messages)
    entry, failed = Summary(content="", covers=0), None
    with run.deadline():
        try:
            if _is_worth_it(messages, covers, needed=needed):
                answer = await _ask(run, messages[:covers])
                text = "" if answer.aborted else answer.content.strip()
                entry = Summary(
                    content=text, covers=covers if text else 0, usage=answer.usage, cost_usd=answer.cost_usd
                )
        except ModelError as fault:
            failed = ModelFailed(error=type(fault).__name__, message=f"the summary failed: {fault}")
            if needed:
                await run.append(failed)
                raise
        await run.append(entry)  # first: after a crash between the two, a failure alone would read as one of the run
        if failed is not None:
            await run.append(failed)


async def _ask(run: Run, messages: Sequence[Message]) -> Assistant:
    model = run.task.summariser or run.task.model
    settings = Settings(timeout_s=run.task.settings.timeout_s)
    max_chars = MAX_MESSAGE_CHARS
    while True:
        text = "\n\n".join(shortened(_line(message), max_chars) for message in messages)
        try:
            return await model.call(Request(messages=(System(content=ASK), User(content=text)), settings=settings))
        except ContextTooLong:
            if max_chars <= MIN_MESSAGE_CHARS:
                raise
            longest = max(len(_line(message)) for message in messages)
            max_chars = max(MIN_MESSAGE_CHARS, min(max_chars, longest) // 4)


def cut(messages: Sequence[Message], keep: int = KEEP_MESSAGES) -> int:
    """How many of the oldest messages a summary covers; a call is never parted from its results."""
    at = max(0, len(messages) - 1)
    while at > 0 and isinstance(messages[at], ToolResult):  # not answered yet
        at -= 1
    newest = at
    sizes = [len(_line(message)) for message in messages]
    kept, most = sum(sizes[at:]), sum(sizes) // 2
    while at > 0 and len(messages) - at < keep and kept + sizes[at - 1] <= most:
        at -= 1
        kept += sizes[at]
    while at < newest and isinstance(messages[at], ToolResult):
        at += 1
    return at


def _is_worth_it(messages: Sequence[Message], covers: int, *, needed: bool) -> bool:
    """Whether a summary would help: of a single question it would not, and one of a summary alone would be vaguer."""
    lines = [_line(message) for message in messages]
    news = any(not isinstance(m, System) and not is_summary(m) for m in messages[:covers])
    return news and (needed or 4 * sum(map(len, lines[:covers])) >= sum(map(len, lines)))


def _line(message: Message) -> str:
    match message:
        case Assistant():
            calls = "".join(f"\n[called {call.name} with {call.arguments}]" for call in message.tool_calls)
            return f"assistant: {message.content}{calls}"
        case ToolResult():
            return f"result of {message.name}: {message.content}"
        case System() | User():
            content = message.content
            parts = (content,) if isinstance(content, str) else (p.get("text", "[no text]") for p in content)
            return f"{message.kind}: {' '.join(map(str, parts))}"
