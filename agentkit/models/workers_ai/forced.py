"""A forced call that came as text is a call all the same.

Some models put it into the content and say `stop` (gpt-oss: cloudflare/ai#574). The rule is that of Cloudflare's own
client: only where a call was forced and none came, only if the whole text is JSON, and only for tools that were
offered (`{"name": "analysis"}`, a leak of the harmony format, stays text). Text is held back until this is known.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from agentkit.core.events import Delta, Emit, RetryEvent, TextEvent, ToolCallEvent
from agentkit.core.json_repair import JSONError
from agentkit.core.messages import Assistant, ToolCall
from agentkit.models.assemble import new_call_id
from agentkit.models.dialects import extract_json
from agentkit.models.dialects.xml import plain
from agentkit.models.model import Request, tell
from agentkit.models.workers_ai.encode import forces_a_call
from agentkit.models.wrapper import Wrapper

_LABEL = "forced"
_ARGUMENTS = ("arguments", "parameters")


class Forced(Wrapper):
    """A model around a model that looks for forced calls in the text."""

    async def call(self, request: Request, emit: Emit | None = None) -> Assistant:
        """One answer of the inner model; see above."""
        if not (request.tools and forces_a_call(request.settings)):
            return await self.inner.call(request, emit)
        if emit is None:
            return salvaged(await self.inner.call(request), request)
        held: list[TextEvent] = []

        def hold(delta: Delta) -> Any:
            if isinstance(delta, TextEvent):
                held.append(delta)
                return None
            if isinstance(delta, RetryEvent):
                held.clear()
            return emit(delta)

        answer = await self.inner.call(request, hold)
        found = salvaged(answer, request)
        await tell(emit, held if found is answer else map(ToolCallEvent, found.tool_calls))
        return found


def salvaged(answer: Assistant, request: Request) -> Assistant:
    """The answer with its text read as calls, if that is what it is; else the same object."""
    if answer.tool_calls or not answer.content.strip() or answer.finish_reason == "length":
        return answer
    text = _unfenced(answer.content)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return answer
    names = {spec.name for spec in request.tools}
    found = list(_calls(value, names))
    if not found or any(call is None for call in found):
        return answer
    calls = tuple(call for call in found if call is not None)
    return replace(answer, content="", tool_calls=calls, finish_reason="tool_calls")


def _unfenced(text: str) -> str:
    text = text.strip()
    if not text.startswith("```"):
        return text
    try:
        return json.dumps(extract_json(text)) if text.endswith("```") else text
    except JSONError:
        return text


def _calls(value: Any, names: set[str]) -> Iterator[ToolCall | None]:
    """The calls of one of the shapes; None for what is no call."""
    match value:
        case list() as items:
            for item in items:
                yield from _calls(item, names)
        case {"tool_calls": list() as items}:
            yield from _calls(items, names)
        case {"function": dict() as function}:
            yield from _calls(function, names)
        case {"name": str() as name} if name in names:
            yield _call(name, {key: part for key, part in value.items() if key not in {"name", "type", "id"}})
        case _:
            yield None


def _call(name: str, rest: Mapping[str, Any]) -> ToolCall:
    given = next((rest[key] for key in _ARGUMENTS if key in rest), rest)
    return ToolCall(id=new_call_id(), name=name, arguments=plain(given), recovered=_LABEL)
