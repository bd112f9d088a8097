"""How a run looks in a terminal, and to a machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TextIO

from agentkit.core.events import Event, ToolResultEvent
from agentkit.core.messages import ToolCall
from agentkit.core.result import Result

MAX_SHOWN_CHARS = 500


class Human:
    """Each tool call and its result as it happens, the answer last."""

    def __init__(self, out: TextIO, *, stream: bool, verbose: bool) -> None:
        self._out = out
        self._stream = stream
        self._verbose = verbose
        self._written = ""

    def event(self, event: Event) -> None:
        """Show one event."""
        match event.kind:
            case "text" if self._stream:
                self._write(event.text)
            case "reasoning" if self._verbose:
                self._write(event.text)
            case "step" if self._verbose:
                self._line(f"step {event.step}")
            case "retry":
                self._line(f"(again: {event.reason})")
            case "tool_call" if event.call.arguments:
                self._line(shown_call(event.call))
            case "tool_result":
                self._result(event)
            case "finished":
                self._finished(event.result)
            case _:
                pass

    def _result(self, event: ToolResultEvent) -> None:
        mark = "!" if event.result.is_error else "="
        note = " (arguments repaired)" if event.repaired else ""
        self._line(f"  {mark} {clipped(event.result.content)}{note}")

    def _finished(self, result: Result[Any]) -> None:
        answer = str(result)
        if not self._written or not answer.endswith(self._written.strip()):
            self._line(answer)
        else:
            self._line("")
        if self._verbose:
            cost = "unknown" if result.cost_usd is None else f"{result.cost_usd:.6f} USD"
            usage = result.usage
            self._line(f"({result.steps} steps, {usage.input_tokens} + {usage.output_tokens} tokens, cost {cost})")

    def _write(self, text: str) -> None:
        self._written += text
        self._out.write(text)
        self._out.flush()

    def _line(self, text: str) -> None:
        if self._written and not self._written.endswith("\n"):
            self._out.write("\n")
        self._written = ""
        if text:
            self._out.write(text + "\n")
        self._out.flush()


class Machine:
    """One JSON object with all that a program may want; with `stream`, one line an event before it."""

    def __init__(self, out: TextIO, *, stream: bool, verbose: bool) -> None:
        self._out = out
        self._stream = stream
        self._verbose = verbose
        self._calls: list[dict[str, Any]] = []

    def event(self, event: Event) -> None:
        """Take one event."""
        match event.kind:
            case "text" | "reasoning" if self._stream:
                self._print({"kind": event.kind, "text": event.text})
            case "tool_result":
                call = _call_json(event)
                self._calls.append(call)
                if self._stream:
                    self._print({"kind": "tool_result", **call})
            case "finished":
                self._print(self._result(event.result))
            case _:
                pass

    def _result(self, result: Result[Any]) -> dict[str, Any]:
        usage = result.usage
        return {
            "kind": "finished",
            "output": str(result) if result.has_output else None,
            "stop_reason": result.stop_reason,
            "steps": result.steps,
            "tool_calls": self._calls,
            "usage": {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens},
            "cost_usd": result.cost_usd,
        }

    def _print(self, value: Mapping[str, Any]) -> None:
        self._out.write(json.dumps(value) + "\n")  # ASCII: any locale can carry it
        self._out.flush()


def shown_call(call: ToolCall) -> str:
    """A call as Python would write it: `calculator(expression="23*47")`."""
    arguments = _json(call.arguments)
    if not isinstance(arguments, Mapping):
        return f"{call.name}({clipped(call.arguments)})"
    written = (f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in arguments.items())
    return f"{call.name}({clipped(', '.join(written))})"


def clipped(text: str) -> str:
    """The text on one line, cut where it gets long."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_SHOWN_CHARS else line[:MAX_SHOWN_CHARS] + " ..."


def _call_json(event: ToolResultEvent) -> dict[str, Any]:
    return {
        "name": event.call.name,
        "arguments": _json(event.call.arguments or "{}"),
        "result": event.result.content,
        "outcome": event.result.outcome,
        "repaired": event.repaired,
    }


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
