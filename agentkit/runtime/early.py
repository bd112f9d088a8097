"""Calls that run while the answer that made them still streams.

Only calls that nobody can regret: to an async `idempotent` tool that has no budget of its own and spends nothing, when
no offered tool may need approval, is sequential, or shares an object, and no budget of the run could still refuse it.
The transcript knows nothing of it: when the batch is carried out, the result of the early run is taken if the call
turned out as it began, and thrown away otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import anyio
from anyio.abc import TaskGroup

from agentkit.core.messages import ToolCall
from agentkit.runtime.run import Run
from agentkit.tooling.arguments import InvalidArguments
from agentkit.tooling.invoke import Called, Prepared, invoke, prepare
from agentkit.tooling.tool import Tool


@dataclass(slots=True)
class _Early:
    """One call under way."""

    call: ToolCall
    prepared: Prepared
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    over: anyio.Event = field(default_factory=anyio.Event)
    called: Called | None = None


class EarlyCalls:
    """The early calls of one run; they live in its task group."""

    def __init__(self, run: Run, tasks: TaskGroup) -> None:
        self._run = run
        self._tasks = tasks
        self._calls: dict[str, _Early] = {}

    def start(self, call: ToolCall) -> None:
        """Begin the call, if its tool and the run allow it."""
        tool = self._run.task.tools.get(call.name)
        if tool is None or tool.in_thread or tool.spends or not tool.idempotent or tool.max_calls is not None:
            return
        if call.id in self._calls or not self._run.state.is_new(call.id):  # in the transcript it gets another id
            return
        try:
            prepared = prepare(tool, call.arguments)
        except InvalidArguments:
            return
        early = _Early(call, prepared)
        self._calls[call.id] = early
        self._tasks.start_soon(self._work, tool, early)

    async def _work(self, tool: Tool[..., Any], early: _Early) -> None:
        context = replace(self._run.context(early.call), step=self._run.state.steps + 1)
        with early.scope:
            try:
                early.called = await invoke(tool, early.prepared, context)
            except KeyboardInterrupt as stop:  # ends the run, plainly and not in a group
                self._run.faults.insert(0, stop)
                self._tasks.cancel_scope.cancel()
        early.over.set()

    async def take(self, call_id: str, prepared: Prepared) -> Called | None:
        """How the call came out; None if it was not begun, or not like this."""
        early = self._calls.pop(call_id, None)
        if early is None:
            return None
        name = self._run.shown(self._run.state.open[call_id]).name
        try:
            if early.call.name == name and early.prepared.arguments == prepared.arguments:
                await early.over.wait()
                return early.called
        finally:
            early.scope.cancel()
        return None

    def discard(self) -> None:
        """The answer did not come about: what was begun for it is cancelled and forgotten."""
        for early in self._calls.values():
            early.scope.cancel()
        self._calls.clear()
