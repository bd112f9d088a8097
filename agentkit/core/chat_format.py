"""Conversations as plain chat-completions dicts: what `Result.to_openai` gives and what `history=` takes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from agentkit.core.entries import Ended, Entry
from agentkit.core.messages import Assistant, JSONValue, Message, System, ToolCall, ToolResult, User

INTERRUPTED = "interrupted: there is no result for this call"


def to_openai(message: Message) -> dict[str, JSONValue]:
    """One message as a chat-completions dict."""
    match message:
        case System():
            return {"role": "system", "content": message.content}
        case User():
            content = message.content
            return {"role": "user", "content": content if isinstance(content, str) else [dict(p) for p in content]}
        case ToolResult():
            return {"role": "tool", "tool_call_id": message.call_id, "content": message.content}
        case Assistant():
            out: dict[str, JSONValue] = {"role": "assistant", "content": message.content}
            if message.tool_calls:
                out["tool_calls"] = [
                    {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
                    for c in message.tool_calls
                ]
            return out


def from_openai(messages: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """The entries of a conversation given as chat-completions dicts.

    What other programs leave behind is mended, the same way each time: a call without a result is answered as
    interrupted, a result without a call is left out, repeated ids are made unique.

    Raises:
        ValueError: A message has no role that a conversation has, or no content that can be read.
    """
    reader = _Reader()
    for number, message in enumerate(messages):
        if not isinstance(message, Mapping):
            raise ValueError(f"message {number}: expected a dict with 'role' and 'content', got {message!r:.80}")  # noqa: TRY004
        reader.read(number, message)
    reader.close_batch()
    reader.end_turn()
    return reader.entries


class _Reader:
    """Builds a legal transcript, message by message."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._open: dict[str, ToolCall] = {}
        self._in_turn = False
        self._seen: set[str] = set()

    def read(self, number: int, message: Mapping[str, Any]) -> None:
        role = message.get("role")
        if role == "tool":
            self._result(message)
            return
        self.close_batch()
        match role:
            case "system" | "developer":
                self.end_turn()
                self.entries.append(System(content=_text(message.get("content"), number)))
            case "user":
                self.end_turn()
                self._user(message.get("content"), number)
            case "assistant":
                self._assistant(message, number)
            case _:
                raise ValueError(f"message {number}: unknown role {role!r}; use system, user, assistant or tool")

    def _user(self, content: Any, number: int) -> None:
        parts = isinstance(content, Sequence) and not isinstance(content, str)
        self.entries.append(User(content=tuple(dict(p) for p in content) if parts else _text(content, number)))
        self._in_turn = True

    def _assistant(self, message: Mapping[str, Any], number: int) -> None:
        if not self._in_turn:  # a conversation may begin with a greeting, or go on after an answer
            self.entries.append(User(content=""))  # opens the turn; the view does not show it
            self._in_turn = True
        calls = tuple(self._call(item) for item in message.get("tool_calls") or () if item)
        self._open = {call.provider_id or call.id: call for call in calls}
        reason = "tool_calls" if calls else "stop"
        text = _text(message.get("content"), number)
        self.entries.append(Assistant(content=text, tool_calls=calls, finish_reason=reason))
        if not calls:
            self.end_turn()

    def _call(self, item: Mapping[str, Any]) -> ToolCall:
        function = item.get("function") or item
        arguments = function.get("arguments")
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments if isinstance(arguments, Mapping) else {}, ensure_ascii=False)
        given = item.get("id")
        call_id = given if isinstance(given, str) and given and given not in self._seen else uuid4().hex
        self._seen.add(call_id)
        provider_id = given if isinstance(given, str) else None
        return ToolCall(id=call_id, name=str(function.get("name", "")), arguments=arguments, provider_id=provider_id)

    def _result(self, message: Mapping[str, Any]) -> None:
        given = message.get("tool_call_id")
        call = self._open.pop(given, None) if isinstance(given, str) else None
        if call is not None:
            text = _text(message.get("content"), 0)
            self.entries.append(ToolResult(call_id=call.id, name=call.name, content=text))

    def close_batch(self) -> None:
        for call in self._open.values():
            result = ToolResult(call_id=call.id, name=call.name, content=INTERRUPTED, outcome="interrupted")
            self.entries.append(result)
        self._open = {}

    def end_turn(self) -> None:
        if self._in_turn:
            answered = isinstance(self.entries[-1], Assistant) and not self.entries[-1].tool_calls
            self.entries.append(Ended(reason="finished" if answered else "closed"))
            self._in_turn = False


def _text(content: Any, number: int) -> str:
    match content:
        case None:
            return ""
        case str():
            return content
        case list() | tuple():
            return "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
        case _:
            raise ValueError(f"message {number}: content must be text or a list of parts, got {type(content).__name__}")
