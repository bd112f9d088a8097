"""What a model is shown: a pure projection of the transcript.

1. Results stand in call order right behind their calls, whatever order they came in; a batch shows when it is whole.
2. A call shows its resolved name and its repaired arguments: what a server reads is always valid JSON.
3. Aborted answers and empty user messages are not shown. Notes and refusals speak in the user's place.
4. A summary takes the place of the messages it covers; instructions among them stay, and a call that it covers takes
   its results along.
5. The projection only ever grows at its end (but for a summary): prompt caches depend on it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from agentkit.core.entries import Decision, Entry, Note, OutputRefused, Planned, PlannedCall, Summary, ToolStarted
from agentkit.core.messages import Assistant, Message, System, ToolCall, ToolResult, User

SUMMARY_HEAD = "Summary of the conversation so far:\n"


class Projection:
    """The view, kept up to date entry by entry.

    Attributes:
        messages: What the model is shown, oldest first. Read it; do not change it.
    """

    __slots__ = ("_batch", "_planned", "_results", "messages")

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._batch: Assistant | None = None
        self._planned: dict[str, PlannedCall] = {}
        self._results: dict[str, ToolResult] = {}

    def push(self, entry: Entry) -> None:
        """Take the next entry of a legal transcript."""
        match entry:
            case ToolResult():
                self._results[entry.call_id] = entry
                self._flush()
            case ToolStarted() | Assistant(aborted=True) | User(content="" | ()):
                pass
            case Assistant(tool_calls=()):
                self.messages.append(entry)
            case Assistant():
                self._batch = entry
            case System() | User():
                self.messages.append(entry)
            case Planned():
                self._planned = {planned.call_id: planned for planned in entry.calls}
            case Decision(arguments=str() as arguments):
                planned = self._planned[entry.call_id]
                self._planned[entry.call_id] = replace(planned, arguments=arguments)
            case Note(content=text) | OutputRefused(reason=text):
                self.messages.append(User(content=text))
            case Summary():
                self._summarise(entry)
            case _:
                pass

    def _summarise(self, entry: Summary) -> None:
        if entry.covers == 0:  # there was nothing to cover
            return
        end = min(entry.covers, len(self.messages))
        while end < len(self.messages) and isinstance(self.messages[end], ToolResult):
            end += 1
        instructions = [message for message in self.messages[:end] if isinstance(message, System)]
        self.messages[:end] = [*instructions, User(content=SUMMARY_HEAD + entry.content)]

    def _flush(self) -> None:
        batch = self._batch
        if batch is None or len(self._results) < len(batch.tool_calls):
            return
        calls = tuple(self._shown(call) for call in batch.tool_calls)
        same = all(a is b for a, b in zip(calls, batch.tool_calls, strict=True))
        self.messages.append(batch if same else replace(batch, tool_calls=calls))
        self.messages.extend(self._results[call.id] for call in calls)
        self._batch, self._planned, self._results = None, {}, {}

    def _shown(self, call: ToolCall) -> ToolCall:
        planned = self._planned.get(call.id)
        name = call.name if planned is None else planned.name
        if planned is None or planned.refusal is not None:  # it ran with no arguments that could be shown instead
            arguments = call.arguments if _is_object(call.arguments) else "{}"
        else:
            arguments = planned.arguments
        if (name, arguments) == (call.name, call.arguments):
            return call
        return replace(call, name=name, arguments=arguments)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def view(transcript: Iterable[Entry]) -> tuple[Message, ...]:
    """What a model is shown of this (legal) transcript."""
    projection = Projection()
    for entry in transcript:
        projection.push(entry)
    return tuple(projection.messages)
