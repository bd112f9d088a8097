"""Conversations as plain chat-completions dicts: what `Result.to_openai` gives and what `history=` takes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
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


def from_openai(messages: Iterable[Mapping[str, Any] | Message]) -> list[Entry]:
    """The entries of a conversation given as chat-completions dicts (or as messages, which stay as they are).

    What other programs leave behind is mended, the same way each time: a call without a result is answered as
    interrupted, a result without a call is left out, a result without an id answers the first open call, and missing
    or repeated ids are made unique. A conversation that ends before the model's answer can go on with it.

    Raises:
        ValueError: A message has no role that a conversation has, or no content that can be read.
    """
    mender = _Mender()
    for number, item in enumerate(messages):
        try:
            mender.take(_message(item))
        except ValueError as fault:
            raise ValueError(f"message {number}: {fault}") from None
    mender.close_batch()
    return mender.entries


class _Mender:
    """Makes a legal transcript of messages, one by one.

    Attributes:
        entries: The transcript so far.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._open: list[tuple[str, ToolCall]] = []  # the id that results will name, and the call
        self._in_turn = False
        self._ids: set[str] = set()

    def take(self, message: Message) -> None:
        """Add the next message."""
        if isinstance(message, ToolResult):
            self._result(message)
            return
        self.close_batch()
        if isinstance(message, Assistant):
            self._answer(message)
            return
        self.end_turn()
        self.entries.append(message)
        self._in_turn = isinstance(message, User)

    def _answer(self, message: Assistant) -> None:
        if not self._in_turn:  # a conversation may begin with a greeting, or go on after an answer
            self.entries.append(User(content=""))  # the view does not show it
            self._in_turn = True
        if message.aborted:
            self.entries.append(message)
            return
        calls = tuple(replace(call, id=self._own_id(call.id)) for call in message.tool_calls)
        self._open = [(given.id, call) for given, call in zip(message.tool_calls, calls, strict=True)]
        self.entries.append(replace(message, tool_calls=calls))
        if not calls:
            self.end_turn()

    def _own_id(self, given: str) -> str:
        own, number = given, len(self._ids)
        while not own or own in self._ids:
            number += 1
            own = f"{given or 'call'}_{number}"
        self._ids.add(own)
        return own

    def _result(self, message: ToolResult) -> None:
        for place, (given, call) in enumerate(self._open):
            if message.call_id in ("", given):
                del self._open[place]
                self.entries.append(replace(message, call_id=call.id, name=message.name or call.name))
                return

    def close_batch(self) -> None:
        """Answer the calls that have no result."""
        for _, call in self._open:
            result = ToolResult(call_id=call.id, name=call.name, content=INTERRUPTED, outcome="interrupted")
            self.entries.append(result)
        self._open = []

    def end_turn(self) -> None:
        """End the turn, if one is open."""
        if self._in_turn:
            last = self.entries[-1]
            answered = isinstance(last, Assistant) and not last.tool_calls and not last.aborted
            self.entries.append(Ended(reason="finished" if answered else "closed"))
            self._in_turn = False


def _message(item: Any) -> Message:
    """The message that an item of a conversation is, its ids as they were given."""
    if isinstance(item, System | User | Assistant | ToolResult):
        return item
    if not isinstance(item, Mapping):
        raise ValueError(f"expected a dict with 'role' and 'content', got {short(item)}")
    role, content = item.get("role"), item.get("content")
    match role:
        case "system" | "developer":
            return System(content=_text(content))
        case "user":
            return User(content=tuple(map(_part, content)) if isinstance(content, list | tuple) else _text(content))
        case "assistant":
            given = item.get("tool_calls") or item.get("function_call")
            items = [given] if isinstance(given, Mapping) else given if isinstance(given, list | tuple) else []
            calls = tuple(_call(one) for one in items if isinstance(one, Mapping) and one)
            said = item.get("refusal") if content is None else content
            return Assistant(content=_text(said), tool_calls=calls, finish_reason="tool_calls" if calls else "stop")
        case "tool" | "function":
            return ToolResult(call_id=_id(item.get("tool_call_id")), name="", content=_text(content))
        case _:
            raise ValueError(f"unknown role {short(role)}; use system, user, assistant or tool")


def _call(item: Mapping[str, Any]) -> ToolCall:
    nested = item.get("function")
    function = nested if isinstance(nested, Mapping) else item
    name, given = function.get("name"), _id(item.get("id"))
    return ToolCall(
        id=given,
        name=name if isinstance(name, str) else "",
        arguments=_arguments(function.get("arguments")),
        provider_id=given or None,
    )


def _id(given: Any) -> str:
    """An id as text; some servers count their calls."""
    return str(given) if isinstance(given, str | int) else ""


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
