"""Runs for tests, each followed by the promise that every prefix of its transcript finishes the same."""

from __future__ import annotations

from typing import Any

from agentkit.agent import Agent
from agentkit.core.codec import decode, encode
from agentkit.core.messages import Assistant, User
from agentkit.core.result import Result
from agentkit.core.state import fold
from agentkit.models.scripted import Scripted
from agentkit.stores.memory import Memory


async def finish(lines: list[Any], tools: Any = (), question: str = "question", **options: Any) -> Result[Any]:
    """One run over a strict script; then each prefix of its transcript is finished, too."""
    run_options = {k: options.pop(k) for k in ("deps", "history", "output", "limits", "settings") if k in options}
    with Scripted(lines) as model:
        result = await Agent(model, tools, **options).arun(question, **run_options)
    run_options.pop("history", None)
    await check_prefixes(result, tools, run_options, options)
    return result


async def check_prefixes(result: Result[Any], tools: Any, run_options: Any, options: Any) -> None:
    """Every prefix, through the codec, folds again and finishes the same."""
    entries = result.entries
    fold(entries)
    begin = max(i for i, entry in enumerate(entries) if isinstance(entry, User))
    for end in range(begin + 1, len(entries)):
        prefix = [decode(encode(entry)) for entry in entries[:end]]
        rest = [entry for entry in entries[end:] if isinstance(entry, Assistant) and not entry.aborted]
        again = await resumed(prefix, rest, tools, run_options, options)
        assert again.stop_reason == result.stop_reason, f"prefix {end} of {len(entries)}"
        assert str(again) == str(result), f"prefix {end} of {len(entries)}"
        assert answered(again), f"prefix {end} of {len(entries)}"


async def resumed(prefix: Any, rest: Any, tools: Any, run_options: Any, options: Any) -> Result[Any]:
    """What a fresh process makes of a prefix."""
    store = Memory()
    log = await store.open("s")
    for entry in prefix:
        await log.append(entry)
    await log.close()
    agent: Agent[Any, Any] = Agent(Scripted(rest), tools, store=store, **options)
    return await agent.aresume("s", **run_options)


def answered(result: Result[Any]) -> bool:
    """Whether every call on the wire has exactly one result, right behind it and in call order."""
    messages = result.to_openai()
    expected: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            if not expected or expected.pop(0) != message["tool_call_id"]:
                return False
        elif expected:
            return False
        expected += [call["id"] for call in message.get("tool_calls", ())]
    return not expected or bool(result.pending)


def contents(result: Result[Any]) -> list[str]:
    """The texts of the tool results, in the view's order."""
    return [m["content"] for m in result.to_openai() if m["role"] == "tool"]
