"""One run: its task, its transcript, and the one funnel that every entry goes through.

The order in the funnel is the promise: is the entry legal? then it is stored, then it is shown to whoever listens.
A store sees the entries in the order of the transcript; an append is shielded, so that a cancel cannot part the fact
from its record.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias

import anyio

from agentkit.core.entries import Entry
from agentkit.core.events import Event, ToolProgressEvent
from agentkit.core.limits import Limits
from agentkit.core.messages import NO_USAGE, Assistant, Message, System, ToolCall, ToolSpec, Usage
from agentkit.core.result import NO_OUTPUT, Result, RunReason
from agentkit.core.settings import Settings
from agentkit.core.state import IllegalEntry, OpenCall, State
from agentkit.core.view import Projection
from agentkit.errors import StoreError, UsageError
from agentkit.models.assemble import CUT
from agentkit.models.model import Model, Request
from agentkit.runtime.output import OutputFault, OutputType
from agentkit.tooling.context import NO_CALL, ToolContext, ignore
from agentkit.tooling.invoke import Called, Prepared
from agentkit.tooling.tool import Tool
from agentkit.tooling.toolsets import offer

View: TypeAlias = Callable[[Sequence[Message]], Sequence[Message]]
"""Narrows what the model is shown. Must keep a call together with its results."""

Approver: TypeAlias = Callable[[ToolCall], Any]
"""Decides about a call, sync or async: True, False, a reason to deny, or a dict of other arguments."""


TOO_LATE = "the deadline passed while the output was made."


class Early(Protocol):
    """Runs calls before their answer is whole; see `early.py`."""

    def start(self, call: ToolCall) -> None:
        """Begin the call, if it may."""
        ...

    async def take(self, call_id: str, prepared: Prepared) -> Called | None:
        """How the call came out, if it was begun with these arguments."""
        ...

    def discard(self) -> None:
        """Cancel and forget what was begun."""
        ...


Listener: TypeAlias = Callable[[Event], Awaitable[None] | None]


class Log(Protocol):
    """Where entries are kept while a process works on them."""

    async def append(self, entry: Entry) -> None:
        """Keep the entry, after all before it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a run is to do: everything but its transcript.

    Attributes:
        model: Who answers.
        tools: The tools by name.
        specs: Their specs, as offered when no tool changes from step to step.
        fixed: No tool changes from step to step.
        instructions: The system message.
        output: How the output is asked for and read.
        limits: The budget of the turn.
        settings: The agent's and the run's, merged.
        deps: Handed to tools.
        views: Narrow what the model is shown.
        approve: Decides about calls; None leaves them pending.
        summariser: Writes summaries; None for the model itself.
        raise_tool_errors: An exception in a tool ends the run.
        session: The name of the session, if the run is kept.
    """

    model: Model
    tools: Mapping[str, Tool[..., Any]]
    specs: tuple[ToolSpec, ...]
    fixed: bool
    instructions: str
    output: OutputType[Any]
    limits: Limits
    settings: Settings
    deps: Any = None
    views: tuple[View, ...] = ()
    approve: Approver | None = None
    summariser: Model | None = None
    raise_tool_errors: bool = False
    session: str | None = None


@dataclass(slots=True)
class Run:
    """The moving parts of one run. Entries are added by `append` only.

    Attributes:
        task: What to do.
        listener: Where events go, if anyone listens.
        log: Where entries are kept, if anywhere.
        prepared: Validated arguments of planned calls; a cache, lost in a crash.
        faults: Exceptions that end the run once the open batch is answered.
        early: Calls that began while their answer still streamed, where that is possible.
        spent: What agents that are tools spent, by open call: each of its tries, however it ended.
        output: The output, once there is one.
        explanation: Why the last answer was no output.
    """

    task: Task
    listener: Listener | None = None
    log: Log | None = None
    state: State = field(default_factory=State)
    projection: Projection = field(default_factory=Projection)
    entries: list[Entry] = field(default_factory=list)
    prepared: dict[str, Prepared] = field(default_factory=dict)
    faults: list[BaseException] = field(default_factory=list)
    early: Early | None = None
    spent: dict[str, tuple[Usage, float | None]] = field(default_factory=dict)
    output: Any = NO_OUTPUT
    explanation: str = ""
    _began: float = field(default_factory=time.monotonic)
    _memo: dict[Any, Any] = field(default_factory=dict)
    _storing: anyio.Lock | None = None
    _prepared_for: int | None = None
    _prepared_tools: Mapping[str, Tool[..., Any]] = field(default_factory=dict)

    # ---- the funnel ----

    async def append(self, entry: Entry) -> None:
        """Add an entry: legal, then stored, then part of the run.

        Raises:
            IllegalEntry: The entry does not fit; nothing was changed.
            StoreError: The entry could not be kept; this run must not go on.
        """
        self.state.apply(entry)
        if self.log is not None:
            await self._store(self.log, entry)
        self.entries.append(entry)
        self.projection.push(entry)

    async def _store(self, log: Log, entry: Entry) -> None:
        if self._storing is None:
            self._storing = anyio.Lock()
        with anyio.CancelScope(shield=True):
            async with self._storing:
                await log.append(entry)

    def restore(self, entries: Iterable[Entry]) -> None:
        """Take over entries that are kept already.

        Raises:
            StoreError: They are no transcript; says which one does not fit.
        """
        for number, entry in enumerate(entries):
            try:
                self.state.apply(entry)
            except IllegalEntry as fault:
                raise StoreError(f"the kept transcript is damaged: entry {number}: {fault}") from fault
            self.entries.append(entry)
            self.projection.push(entry)

    async def show(self, event: Event) -> None:
        """Hand an event to the listener, at its pace."""
        if self.listener is not None and (wait := self.listener(event)) is not None:
            await wait

    # ---- what the steps ask ----

    @property
    def worked_s(self) -> float:
        """Seconds that this process has worked on the run."""
        return time.monotonic() - self._began

    @property
    def expired(self) -> bool:
        """Whether the deadline has passed."""
        limit = self.task.limits.deadline_s
        return limit is not None and self.worked_s >= limit

    @property
    def may_start_early(self) -> bool:
        """Whether a call may begin before its batch is planned: somebody streams, and no plan could forbid it."""
        tools, limits = self.task.tools.values(), self.task.limits
        unbounded = limits.tool_calls is limits.tokens is limits.cost_usd is None
        if self.listener is None or not self.task.fixed or not unbounded:
            return False
        return any(tool.idempotent and not tool.in_thread for tool in tools) and not any(
            tool.requires_approval or tool.sequential or tool.owner is not None for tool in tools
        )

    @property
    def can_summarise(self) -> bool:
        """Whether a conversation that does not fit can be made shorter."""
        return self.task.limits.summarise_at_tokens is not None and not self.state.summarised

    @property
    def final_answer(self) -> Assistant:
        """The last answer."""
        return next(e for e in reversed(self.entries) if isinstance(e, Assistant) and not e.aborted)

    @property
    def closing_answer(self) -> Assistant | None:
        """The text with which the last turn ended; None if it ended otherwise."""
        last = self.entries[-2] if len(self.entries) > 1 else None
        return last if isinstance(last, Assistant) and not last.tool_calls and not last.aborted else None

    def shown(self, call: OpenCall) -> ToolCall:
        """The call with its resolved name and its repaired arguments."""
        planned = call.planned
        if planned is None or (planned.name == call.call.name and planned.arguments == call.call.arguments):
            return call.call
        return replace(call.call, name=planned.name, arguments=planned.arguments)

    def deadline(self) -> AbstractContextManager[Any]:
        """A block that ends with the run's deadline."""
        limit = self.task.limits.deadline_s
        return nullcontext() if limit is None else anyio.move_on_after(max(0.0, limit - self.worked_s))

    def request(self, *, last: bool) -> Request:
        """The next request; the last one of a budget offers no tool but the one that carries the output."""
        task = self.task
        messages: Sequence[Message] = self.projection.messages
        for narrow in task.views:
            messages = narrow([*messages])  # a copy: what a view does to it stays in this request
            if messages is None:
                raise UsageError(f"a view gives the messages to show; {narrow!r:.80} gave None")
        if task.instructions:
            messages = (System(content=task.instructions), *messages)
        specs = task.specs if task.fixed else tuple(tool.spec for tool in self.offered.values())
        output_spec = task.output.spec
        offered = () if last else specs
        return Request(
            messages=tuple(messages),
            tools=offered if output_spec is None else (*offered, output_spec),
            withheld=specs if last else (),
            settings=task.output.settings(task.settings, last=last, has_tools=bool(specs), called=self.state.steps > 0),
            output=task.output.schema,
            memo=self._memo,
            session=task.session,
        )

    async def read_output(self, source: Assistant | str, *, may_be_blank: bool = False) -> None:
        """Take the output from an answer's text, or from the arguments of the call that carries it.

        Raises:
            OutputFault: There is none; `explanation` says why. `faults` has what ends the run for it.
        """
        answer = source if isinstance(source, Assistant) else Assistant(content=source)
        try:
            self.output = await self._output_in(answer, may_be_blank=may_be_blank)
            self.explanation = ""
        except OutputFault as fault:
            self.explanation = str(fault)
            if self.task.raise_tool_errors and fault.__cause__ is not None:
                self.faults.append(fault.__cause__)
            raise

    async def _output_in(self, answer: Assistant, *, may_be_blank: bool) -> Any:
        cut, context = answer.finish_reason in CUT, self.context(NO_CALL)
        with self.deadline():
            return await self.task.output.read(
                answer.content, truncated=cut, may_be_blank=may_be_blank, context=context
            )
        raise OutputFault(TOO_LATE)

    @property
    def offered(self) -> Mapping[str, Tool[..., Any]]:
        """The tools as they are in this step: each tool's own `prepare` may hide or change it."""
        tools, step = self.task.tools, self.state.steps
        if self.task.fixed:
            return tools
        if self._prepared_for != step or not self.state.open:
            self._prepared_for, self._prepared_tools = step, offer(tools, self.context(NO_CALL))
        return self._prepared_tools

    def context(self, call: ToolCall) -> ToolContext[Any]:
        """What a tool may know of the run."""
        listener = self.listener
        return ToolContext(
            deps=self.task.deps,
            call=call,
            step=self.state.steps,
            session=self.task.session,
            progress=ignore if listener is None else lambda value: listener(ToolProgressEvent(call, value)),
            run=self,
        )

    def rest_of(self, limits: Limits) -> Limits:
        """These limits, cut down to what is left of the run's own: for an agent that is a tool of this one.

        The calls of a batch may all be such agents and run at once, so each gets an equal share.
        """
        own, state = self.task.limits, self.state
        shares = max(1, len(state.open))
        return replace(
            limits,
            tool_calls=_least(limits.tool_calls, _share(own.tool_calls, state.tool_calls, shares)),
            tokens=_least(limits.tokens, _share(own.tokens, state.usage.total_tokens, shares)),
            cost_usd=_least(limits.cost_usd, _share(own.cost_usd, state.cost_usd, shares)),
            deadline_s=_least(limits.deadline_s, _share(own.deadline_s, self.worked_s, 1)),
        )

    def count(self, call_id: str, came: Result[Any]) -> None:
        """Count what an agent spent for this call toward its answer."""
        usage, cost_usd = self.spent.get(call_id, (NO_USAGE, 0.0))
        both = None if cost_usd is None or came.cost_usd is None else cost_usd + came.cost_usd
        self.spent[call_id] = usage + came.usage, both

    def result(self, reason: RunReason) -> Result[Any]:
        """The run as far as it came."""
        state = self.state
        waiting = [call for call in state.open.values() if call.undecided]
        return Result(
            entries=tuple(self.entries),
            stop_reason=reason,
            usage=state.usage,
            cost_usd=state.cost_usd if state.cost_known else None,
            steps=state.steps,
            pending=tuple(map(self.shown, waiting)) if reason == "approval" else (),
            session=self.task.session,
            explanation=self.explanation,
            _output=self.output,
            _render=self.task.output.render,
        )


def _share(limit: Any, spent: Any, shares: int) -> Any:
    """An equal part of what is left of a limit; None is no limit."""
    if limit is None:
        return None
    left = max(0, limit - spent)
    return left // shares if isinstance(limit, int) else left / shares


def _least(one: Any, other: Any) -> Any:
    """The smaller of two limits; None is no limit."""
    return other if one is None else one if other is None else min(one, other)
