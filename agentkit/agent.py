"""An agent: a model, tools and instructions. A value that never changes, so a thousand runs may use it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from copy import copy
from dataclasses import replace
from typing import Any, Generic, Literal, Unpack, cast, overload

import anyio
from anyio.lowlevel import current_token
from typing_extensions import TypeForm, TypeVar

from agentkit.core.events import EventOf
from agentkit.core.limits import Limits
from agentkit.core.result import Result
from agentkit.core.settings import NO_SETTINGS, Settings
from agentkit.errors import ModelError, StoreError, UsageError
from agentkit.history import Summaries
from agentkit.models.model import Model
from agentkit.models.providers import default_model, resolve_model
from agentkit.runtime.approval import decide
from agentkit.runtime.going_on import begin, entries_of
from agentkit.runtime.loop import drive
from agentkit.runtime.options import (
    AgentOptions,
    Asked,
    Decisions,
    RunOptions,
    Stopped,
    check_model,
    check_options,
    check_parts,
)
from agentkit.runtime.output import Awaited, Several, Wanted
from agentkit.runtime.run import Approver, Listener, Run, Task, View
from agentkit.runtime.stream import EventStream
from agentkit.runtime.sync import run_sync, running_in, stream_sync
from agentkit.runtime.wanted import output_type
from agentkit.stores.store import Store
from agentkit.tooling.context import ToolContext
from agentkit.tooling.output import ToolOutput
from agentkit.tooling.tool import Tool, tool
from agentkit.tooling.toolsets import AnyTool, collect

Deps = TypeVar("Deps", default=Any)
Out = TypeVar("Out", default=str)
T = TypeVar("T", default=Any)


class Agent(Generic[Deps, Out]):
    """A model with tools.

    Attributes:
        model: The model; None until the first run when it is chosen from the environment.
        tools: The tools by name.
        name: A name for the agent when it is a tool itself.
    """

    __slots__ = (
        "__weakref__",
        "_approve",
        "_fixed",
        "_instructions",
        "_limits",
        "_on_tool_error",
        "_output",
        "_settings",
        "_specs",
        "_store",
        "_summaries",
        "_summariser",
        "_views",
        "model",
        "name",
        "tools",
    )

    @overload
    def __init__(
        self,
        model: Model | str | None = None,
        tools: Iterable[AnyTool] = (),
        instructions: str | Callable[[Deps], str] = "",
        *,
        output: Awaited[Out],
        **options: Unpack[AgentOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        model: Model | str | None = None,
        tools: Iterable[AnyTool] = (),
        instructions: str | Callable[[Deps], str] = "",
        output: Wanted[Out] = ...,
        **options: Unpack[AgentOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        model: Model | str | None = None,
        tools: Iterable[AnyTool] = (),
        instructions: str | Callable[[Deps], str] = "",
        output: TypeForm[Out] = ...,
        **options: Unpack[AgentOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: Agent[Any, Any],
        model: Model | str | None = None,
        tools: Iterable[AnyTool] = (),
        instructions: str | Callable[[Deps], str] = "",
        output: Several = ...,
        **options: Unpack[AgentOptions],
    ) -> None: ...
    def __init__(  # noqa: PLR0913 - the parts of an agent
        self,
        model: Model | str | None = None,
        tools: Iterable[AnyTool] = (),
        instructions: str | Callable[[Deps], str] = "",
        output: Any = str,
        limits: Limits = Limits(),  # noqa: B008 - a frozen value
        settings: Settings = NO_SETTINGS,
        store: Store | None = None,
        *,
        name: str | None = None,
        approve: Approver | None = None,
        view: Iterable[View] = (),
        summariser: Model | str | None = None,
        on_tool_error: Literal["tell", "raise"] = "tell",
    ) -> None:
        """Put an agent together.

        Args:
            model: A `Model`, a string such as "openai:gpt-4o", or None to choose one from the environment.
            tools: Tools and plain functions.
            instructions: The system message, or a function of `deps` that gives it.
            output: What the answer shall be; any type that pydantic understands, and more: see `arun`.
            limits: The budget of one turn.
            settings: Sampling and request settings.
            store: Where sessions are kept.
            name: A name for the agent when it is a tool itself.
            approve: Decides about calls to tools that require approval; without it a run ends with `pending`.
            view: Functions that narrow what the model is shown, applied in order.
            summariser: The model that writes summaries; the agent's own by default.
            on_tool_error: "tell" the model about an exception in a tool, or "raise" it and end the run.

        Raises:
            UsageError: Something does not fit; says what to change.
        """
        if on_tool_error not in ("tell", "raise"):
            raise UsageError(f"on_tool_error is 'tell' or 'raise', got {on_tool_error!r}")
        self.model: Model | None = resolve_model(model) if isinstance(model, str) else check_model(model)
        self._offer(tools)
        self.name = name
        view = tuple(view) if isinstance(view, Iterable) else view
        check_parts(
            instructions=instructions, limits=limits, settings=settings, store=store, approve=approve, view=view
        )
        self._instructions = instructions
        self._output = output
        self._limits = limits
        self._settings = settings
        self._store = store
        self._approve = approve
        self._views = view
        self._summaries = next((one for one in self._views if isinstance(one, Summaries)), None)
        if summariser is None and self._summaries is not None:
            summariser = self._summaries.model
        self._summariser = resolve_model(summariser) if isinstance(summariser, str) else check_model(summariser)
        self._on_tool_error = on_tool_error

    def _offer(self, tools: Iterable[AnyTool]) -> None:
        self.tools = collect(tools)
        self._specs = tuple(t.spec for t in self.tools.values())
        self._fixed = not any(t.prepare for t in self.tools.values())

    def __repr__(self) -> str:
        return f"Agent(model={self.model!r}, tools={list(self.tools)})"

    # ---- ways to run ----

    @overload
    async def arun(self, question: Asked, *, output: None = None, **options: Unpack[RunOptions]) -> Result[Out]: ...
    @overload
    async def arun(self, question: Asked, *, output: Awaited[T], **options: Unpack[RunOptions]) -> Result[T]: ...
    @overload
    async def arun(self, question: Asked, *, output: Wanted[T], **options: Unpack[RunOptions]) -> Result[T]: ...
    @overload
    async def arun(self, question: Asked, *, output: TypeForm[T], **options: Unpack[RunOptions]) -> Result[T]: ...
    @overload
    async def arun(self, question: Asked, *, output: Several, **options: Unpack[RunOptions]) -> Result[Any]: ...
    async def arun(self, question: Asked, *, output: Any = None, **options: Unpack[RunOptions]) -> Result[Any]:
        """Answer a question.

        Args:
            question: Text or content parts; None goes on with the history or the session as it stands.
            output: What the answer shall be, instead of the agent's: a type that pydantic understands, a list of such
                types, `NativeOutput(T)`, `ToolOutput(T)`, `PromptedOutput(T)`, or a function that is called with
                validated arguments and returns the output; `raise Retry("why")` sends the answer back.
            **options: See `RunOptions`.

        Raises:
            AgentkitError: The run failed; `.result` is the run as far as it came.
        """
        return await self._run(question, self._task(output, options), options)

    @overload
    def run(self, question: Asked, *, output: None = None, **options: Unpack[RunOptions]) -> Result[Out]: ...
    @overload
    def run(self, question: Asked, *, output: Awaited[T], **options: Unpack[RunOptions]) -> Result[T]: ...
    @overload
    def run(self, question: Asked, *, output: Wanted[T], **options: Unpack[RunOptions]) -> Result[T]: ...
    @overload
    def run(self, question: Asked, *, output: TypeForm[T], **options: Unpack[RunOptions]) -> Result[T]: ...
    @overload
    def run(self, question: Asked, *, output: Several, **options: Unpack[RunOptions]) -> Result[Any]: ...
    def run(self, question: Asked, *, output: Any = None, **options: Unpack[RunOptions]) -> Result[Any]:
        """Answer a question and wait for it; see `arun`. Works in scripts, notebooks and running loops."""
        task = self._task(output, options)
        return run_sync(lambda: self._run(question, task, options), "arun")

    @overload
    def astream(self, question: Asked, *, output: None = None, **options: Unpack[RunOptions]) -> EventStream[Out]: ...
    @overload
    def astream(self, question: Asked, *, output: Awaited[T], **options: Unpack[RunOptions]) -> EventStream[T]: ...
    @overload
    def astream(self, question: Asked, *, output: Wanted[T], **options: Unpack[RunOptions]) -> EventStream[T]: ...
    @overload
    def astream(self, question: Asked, *, output: TypeForm[T], **options: Unpack[RunOptions]) -> EventStream[T]: ...
    @overload
    def astream(self, question: Asked, *, output: Several, **options: Unpack[RunOptions]) -> EventStream[Any]: ...
    def astream(self, question: Asked, *, output: Any = None, **options: Unpack[RunOptions]) -> EventStream[Any]:
        """The events of a run: `async with agent.astream(...) as events: async for event in events`."""
        return self._events(question, self._task(output, options), options)

    @overload
    def stream(
        self, question: Asked, *, output: None = None, **options: Unpack[RunOptions]
    ) -> Iterator[EventOf[Out]]: ...
    @overload
    def stream(self, question: Asked, *, output: Awaited[T], **options: Unpack[RunOptions]) -> Iterator[EventOf[T]]: ...
    @overload
    def stream(self, question: Asked, *, output: Wanted[T], **options: Unpack[RunOptions]) -> Iterator[EventOf[T]]: ...
    @overload
    def stream(
        self, question: Asked, *, output: TypeForm[T], **options: Unpack[RunOptions]
    ) -> Iterator[EventOf[T]]: ...
    @overload
    def stream(self, question: Asked, *, output: Several, **options: Unpack[RunOptions]) -> Iterator[EventOf[Any]]: ...
    def stream(self, question: Asked, *, output: Any = None, **options: Unpack[RunOptions]) -> Iterator[EventOf[Any]]:
        """The events of a run: `for event in agent.stream(...)`. Leaving the loop cancels the run."""
        task = self._task(output, options)
        return stream_sync(lambda: self._events(question, task, options), "astream")

    @overload
    async def aresume(
        self, stopped: Stopped, decisions: Decisions = None, *, output: None = None, **options: Unpack[RunOptions]
    ) -> Result[Out]: ...
    @overload
    async def aresume(
        self, stopped: Stopped, decisions: Decisions = None, *, output: Awaited[T], **options: Unpack[RunOptions]
    ) -> Result[T]: ...
    @overload
    async def aresume(
        self, stopped: Stopped, decisions: Decisions = None, *, output: Wanted[T], **options: Unpack[RunOptions]
    ) -> Result[T]: ...
    @overload
    async def aresume(
        self, stopped: Stopped, decisions: Decisions = None, *, output: TypeForm[T], **options: Unpack[RunOptions]
    ) -> Result[T]: ...
    @overload
    async def aresume(
        self, stopped: Stopped, decisions: Decisions = None, *, output: Several, **options: Unpack[RunOptions]
    ) -> Result[Any]: ...
    async def aresume(
        self, stopped: Stopped, decisions: Decisions = None, *, output: Any = None, **options: Unpack[RunOptions]
    ) -> Result[Any]:
        """Go on without a question, from a session or a result.

        Args:
            stopped: The session, or the result of the run that stopped.
            decisions: For calls that wait for approval, by call id: True, False, a reason to deny, or a dict of
                other arguments.
            output: The type of the answer, instead of the agent's.
            **options: See `RunOptions`.
        """
        options = self._going_on(stopped, options)
        return await self._run(None, self._task(output, options), options, decisions=decisions)

    @overload
    def resume(
        self, stopped: Stopped, decisions: Decisions = None, *, output: None = None, **options: Unpack[RunOptions]
    ) -> Result[Out]: ...
    @overload
    def resume(
        self, stopped: Stopped, decisions: Decisions = None, *, output: Awaited[T], **options: Unpack[RunOptions]
    ) -> Result[T]: ...
    @overload
    def resume(
        self, stopped: Stopped, decisions: Decisions = None, *, output: Wanted[T], **options: Unpack[RunOptions]
    ) -> Result[T]: ...
    @overload
    def resume(
        self, stopped: Stopped, decisions: Decisions = None, *, output: TypeForm[T], **options: Unpack[RunOptions]
    ) -> Result[T]: ...
    @overload
    def resume(
        self, stopped: Stopped, decisions: Decisions = None, *, output: Several, **options: Unpack[RunOptions]
    ) -> Result[Any]: ...
    def resume(
        self, stopped: Stopped, decisions: Decisions = None, *, output: Any = None, **options: Unpack[RunOptions]
    ) -> Result[Any]:
        """Go on without a question and wait for it; see `aresume`."""
        options = self._going_on(stopped, options)
        task = self._task(output, options)
        return run_sync(lambda: self._run(None, task, options, decisions=decisions), "aresume")

    def _going_on(self, stopped: Stopped, options: RunOptions) -> RunOptions:
        if isinstance(stopped, str):
            return {**options, "session": stopped}
        if isinstance(stopped, Result) and stopped.session is not None and self._store is not None:
            return {**options, "session": stopped.session}
        return {**options, "history": stopped}

    def _events(self, question: Asked, task: Task, options: RunOptions) -> EventStream[Any]:
        return EventStream(lambda listener: self._run(question, task, options, listener=listener))

    async def _run(
        self,
        question: Asked,
        task: Task,
        options: RunOptions,
        *,
        listener: Listener | None = None,
        decisions: Decisions = None,
    ) -> Result[Any]:
        run = Run(task, listener)
        session = options.get("session")
        inside = running_in.set(current_token())
        try:
            if session is None:
                history = options.get("history")
                run.restore(() if history is None else entries_of(history))
                return await _go(run, question, decisions)
            run.log = log = await self._store_for_sessions().open(session)
            try:
                run.restore(log.entries)
                return await _go(run, question, decisions)
            finally:
                with anyio.CancelScope(shield=True), suppress(StoreError):  # the lease runs out: no reason to fail
                    await log.close()
        finally:
            running_in.reset(inside)

    def _task(self, output: Any, options: RunOptions) -> Task:
        """What a run is to do, made where it was asked for: there are the names that `output` may be given by."""
        self = _overrides.get().get(self, self)  # noqa: PLW0642 - the agent that is asked, within the block of a test
        check_options(options)
        if self.model is None:
            self.model = default_model()
        model = self.model
        deps = options.get("deps")
        kind = output_type(self._output if output is None else output, model)
        if kind.spec is not None and kind.spec.name in self.tools:
            raise UsageError(f"a tool is named {kind.spec.name!r}, as the call that carries the output: rename it")
        limits = options.get("limits") or self._limits
        text = self._instructions if isinstance(self._instructions, str) else self._instructions(cast("Deps", deps))
        return Task(
            model=model,
            tools=self.tools,
            specs=self._specs,
            fixed=self._fixed,
            instructions="\n\n".join(part for part in (text, kind.instructions) if part),
            output=kind,
            limits=limits if self._summaries is None else self._summaries.over(limits),
            settings=self._settings | (options.get("settings") or NO_SETTINGS),
            deps=deps,
            views=self._views,
            approve=self._approve,
            summariser=self._summariser,
            raise_tool_errors=self._on_tool_error == "raise",
            session=options.get("session"),
        )

    def _store_for_sessions(self) -> Store:
        if self._store is None:
            raise UsageError("session= needs a store: Agent(..., store=agentkit.stores.SQLite('runs.db'))")
        return self._store

    # ---- other uses ----

    def as_tool(self, name: str | None = None, description: str | None = None, **policy: Any) -> Tool[[str], Any]:
        """The agent as a tool of another agent: a question in, the answer out.

        It works on the rest of its caller's budget, and what it spends is counted there. Its events are progress of
        the call.

        Args:
            name: The tool's name; the agent's name by default.
            description: What the agent is good for, for the model that calls it.
            **policy: As for `tool`.
        """
        chosen = name or self.name
        if not chosen:
            raise UsageError("an agent that is a tool needs a name: agent.as_tool(name='researcher')")

        async def ask(question: str, *, context: ToolContext[Any]) -> ToolOutput:
            parent: Run | None = context.run
            options: RunOptions = {"deps": context.deps}
            if parent is not None:
                options["limits"] = parent.rest_of(self._limits)
            listener = context.progress if parent is not None and parent.listener is not None else None
            try:
                result = await self._run(question, self._task(None, options), options, listener=listener)
                text = str(result) if result.has_output else f"{chosen} gave no answer ({result.stop_reason})."
            except ModelError as fault:
                result, text = fault.result, f"{chosen} gave no answer: {fault}"
            except BaseException as stop:  # a timeout, a deadline, a bug: what was spent is spent
                if parent is not None and (came := getattr(stop, "result", None)) is not None:
                    parent.count(context.call.id, came)
                raise
            if parent is not None:
                parent.count(context.call.id, result)
            failed = not result.has_output
            return ToolOutput(content=text, is_error=failed, usage=result.usage, cost_usd=result.cost_usd)

        text = description or f"Ask {chosen}, who answers on their own."
        made: Any = tool(name=chosen, description=text, **policy)(ask)
        return cast("Tool[[str], Any]", replace(made, spends=True))

    @contextmanager
    def override(
        self,
        *,
        model: Model | str | None = None,
        tools: Iterable[AnyTool] | None = None,
    ) -> Iterator[Agent[Deps, Out]]:
        """Within the `with` block this agent runs with another model or other tools: for tests. Blocks may nest."""
        changed = copy(_overrides.get().get(self, self))
        if model is not None:
            changed.model = resolve_model(model) if isinstance(model, str) else check_model(model)
        if tools is not None:
            changed._offer(tools)  # noqa: SLF001 - the same class
        before = _overrides.set({**_overrides.get(), self: changed})
        try:
            yield changed
        finally:
            _overrides.reset(before)


_overrides: ContextVar[Mapping[Any, Any]] = ContextVar("agentkit_overrides", default={})  # noqa: B039 - never changed


async def _go(run: Run, question: Asked, decisions: Decisions) -> Result[Any]:
    try:
        if decisions:
            await decide(run, decisions)
        await begin(run, question)
    except StoreError as fault:
        fault.result = run.result("error")
        raise
    return await drive(run)
