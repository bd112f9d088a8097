"""Conversations as plain chat-completions dicts: what `Result.to_openai` gives and what `history=` takes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from reprlib import repr as short
from typing import Any

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
    interrupted, a result without a call is left out, a result without an id answers the first open call, and missing
    or repeated ids are made unique.

    Raises:
        ValueError: A message has no role that a conversation has, or no content that can be read.
    """
    reader = _Reader()
    for number, message in enumerate(messages):
        if not isinstance(message, Mapping):
            raise ValueError(f"message {number}: expected a dict with 'role' and 'content', got {short(message)}")
        try:
            reader.read(message)
        except ValueError as fault:
            raise ValueError(f"message {number}: {fault}") from None
    reader.close_batch()
    reader.end_turn()
    return reader.entries


class _Reader:
    """Builds a legal transcript, message by message."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._open: list[ToolCall] = []
        self._in_turn = False
        self._ids: set[str] = set()

    def read(self, message: Mapping[str, Any]) -> None:
        """Take the next message."""
        role, content = message.get("role"), message.get("content")
        if role not in ("tool", "function"):
            self.close_batch()
        match role:
            case "system" | "developer":
                self.end_turn()
                self.entries.append(System(content=_text(content)))
            case "user":
                self.end_turn()
                self._begin_turn(tuple(map(_part, content)) if isinstance(content, list | tuple) else _text(content))
            case "assistant":
                self._assistant(message, _text(content))
            case "tool" | "function":
                self._result(message.get("tool_call_id"), _text(content))
            case _:
                raise ValueError(f"unknown role {short(role)}; use system, user, assistant or tool")

    def _begin_turn(self, content: str | tuple[Mapping[str, Any], ...]) -> None:
        self.entries.append(User(content=content))
        self._in_turn = True

    def _assistant(self, message: Mapping[str, Any], text: str) -> None:
        if not self._in_turn:  # a conversation may begin with a greeting, or go on after an answer
            self._begin_turn("")  # the view does not show it
        items = message.get("tool_calls") or message.get("function_call")
        items = [items] if isinstance(items, Mapping) else items if isinstance(items, list | tuple) else []
        calls = tuple(self._call(item) for item in items if isinstance(item, Mapping) and item)
        self._open = list(calls)
        self.entries.append(Assistant(content=text, tool_calls=calls, finish_reason="tool_calls" if calls else "stop"))
        if not calls:
            self.end_turn()

    def _call(self, item: Mapping[str, Any]) -> ToolCall:
        function = item.get("function")
        function = function if isinstance(function, Mapping) else item
        name, given = function.get("name"), item.get("id")
        given = given if isinstance(given, str) else None
        return ToolCall(
            id=self._own_id(given),
            name=name if isinstance(name, str) else "",
            arguments=_arguments(function.get("arguments")),
            provider_id=given,
        )

    def _own_id(self, given: str | None) -> str:
        own, number = given, len(self._ids)
        while not own or own in self._ids:
            number += 1
            own = f"{given or 'call'}_{number}"
        self._ids.add(own)
        return own

    def _result(self, given: Any, text: str) -> None:
        for call in self._open:
            if given is None or call.provider_id == given:
                self._open.remove(call)
                self.entries.append(ToolResult(call_id=call.id, name=call.name, content=text))
                return

    def close_batch(self) -> None:
        """Answer the calls that have no result."""
        for call in self._open:
            result = ToolResult(call_id=call.id, name=call.name, content=INTERRUPTED, outcome="interrupted")
            self.entries.append(result)
        self._open = []

    def end_turn(self) -> None:
        """End the turn, if one is open."""
        if self._in_turn:
            last = self.entries[-1]
            answered = isinstance(last, Assistant) and not last.tool_calls
            self.entries.append(Ended(reason="finished" if answered else "closed"))
            self._in_turn = False


def _text(content: Any) -> str:
    match content:
        case None:
            return ""
        case str():
            return content
        case list() | tuple():
            texts = [part.get("text") if isinstance(part, Mapping) else part for part in content]
            return "".join(text for text in texts if isinstance(text, str))
        case _:
            raise ValueError(f"content must be text or a list of parts, got {type(content).__name__}")


def _part(part: Any) -> Mapping[str, Any]:
    match part:
        case Mapping():
            return dict(part)
        case str():
            return {"type": "text", "text": part}
        case _:
            raise ValueError(f"a content part must be a dict or text, got {type(part).__name__}")


def _arguments(given: Any) -> str:
    if isinstance(given, str):
        return given
    try:
        return json.dumps(given if isinstance(given, Mapping) else {}, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as fault:
        raise ValueError(f"the arguments of a call must be JSON: {fault}") from None
