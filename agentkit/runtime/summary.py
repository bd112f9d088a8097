"""A summary of the oldest messages, made by a model and stored as an entry that the view reads."""

from __future__ import annotations

from collections.abc import Sequence

from agentkit.core.entries import Summary
from agentkit.core.messages import Assistant, Message, System, ToolResult, User
from agentkit.models.model import Request
from agentkit.runtime.run import Run

KEEP_MESSAGES = 6
"""How many of the newest messages stay as they are, at least."""

ASK = (
    "Summarise the conversation below for the assistant who will go on with it. Keep the user's wishes, the facts and "
    "figures that were found, the decisions and what is still to do. Write nothing else."
)


async def summarise(run: Run) -> None:
    """Summarise what is older than the last messages; a call is never parted from its result."""
    messages = run.projection.messages
    covers = cut(messages)
    model = run.task.summariser or run.task.model
    text = "\n\n".join(_line(message) for message in messages[:covers])
    answer = await model.call(Request(messages=(System(content=ASK), User(content=text))))
    entry = Summary(content=answer.content, covers=covers, usage=answer.usage, cost_usd=answer.cost_usd)
    await run.append(entry)


def cut(messages: Sequence[Message], keep: int = KEEP_MESSAGES) -> int:
    """How many of the oldest messages a summary may cover."""
    at = max(0, len(messages) - keep)
    while 0 < at < len(messages) and isinstance(messages[at], ToolResult):
        at -= 1
    return at


def _line(message: Message) -> str:
    match message:
        case Assistant():
            calls = "".join(f"\n[called {call.name} with {call.arguments}]" for call in message.tool_calls)
            return f"assistant: {message.content}{calls}"
        case ToolResult():
            return f"result of {message.name}: {message.content}"
        case System() | User():
            content = message.content if isinstance(message.content, str) else "[parts]"
            return f"{message.kind}: {content}"
