"""One call of a tool: arguments read, function called, answer made.

`prepare` refuses arguments (`InvalidArguments`); `invoke` **never raises**: whatever a tool does becomes a `Called`.
Three things do leave, because they are not the tool's: a cancellation, Ctrl-C, and the closing of the coroutine.

    value             -> text (JSON)                          ok
    ToolOutput        -> its content, its details             ok, or error when it says so
    Retry, ToolFailed -> exactly their text                   error
    any exception     -> "ValueError: what it says"           error      SystemExit too
    too slow          -> "timed out after 2 s"                timeout    a thread may still be running, and it is said

The values of a generator are progress; what it returns, else its last value, is the result.

A try that failed with an exception is repeated `tool.retries` times; one that timed out only if the tool is
`idempotent`, since the first try may still be at work. `Retry` and `ToolFailed` are answers: they are not repeated.
"""

from __future__ import annotations

import functools
import inspect
import json
import types
from collections.abc import Callable, Generator, Mapping
from contextlib import aclosing, closing, suppress
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import anyio
from anyio.lowlevel import checkpoint

from agentkit.core.messages import Outcome, Usage
from agentkit.errors import ToolSignal
from agentkit.tooling.arguments import InvalidArguments, read_arguments
from agentkit.tooling.context import ToolContext
from agentkit.tooling.definition import ToolDefinition
from agentkit.tooling.faults import must_leave, words
from agentkit.tooling.output import ToolOutput
from agentkit.tooling.results import cut, to_json, to_text
from agentkit.tooling.threads import Reports, TimedOut, shared_pool

RETRY_DELAY_S = 0.1
"""Before the first repetition; doubled before each further one."""

Report: TypeAlias = Callable[[Any], Any]

NO_CONTEXT: ToolContext[Any] = ToolContext()


@dataclass(frozen=True, slots=True)
class Prepared:
    """Arguments that fit.

    Attributes:
        arguments: By name, as the function gets them, defaults included.
        text: The same as the model sent them, as valid JSON text.
        repaired: The text is not what the model wrote.
    """

    arguments: dict[str, Any]
    text: str
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class Called:
    """How a call came out.

    Attributes:
        content: The text for the model; `str()` of this.
        value: What the function returned (the content of a `ToolOutput`).
        outcome: `ok`, `error`, `invalid` or `timeout`.
        repaired: The arguments were repaired.
        details: For the application only, as JSON.
        exception: What the function raised.
        usage: Tokens that the tool itself spent.
        cost_usd: US dollars that the tool itself spent.
    """

    content: str
    value: Any = None
    outcome: Outcome = "ok"
    repaired: bool = False
    details: Any = None
    exception: BaseException | None = None
    usage: Usage | None = None
    cost_usd: float | None = None

    def __str__(self) -> str:
        return self.content

    @property
    def is_error(self) -> bool:
        """Whether there is no proper result."""
        return self.outcome != "ok"


def prepare(tool: ToolDefinition, raw: Any, *, truncated: bool = False) -> Prepared:
    """Arguments read, repaired where that needs no guess, and validated.

    Args:
        tool: Whose arguments they are.
        raw: What the model sent: JSON text if all is well.
        truncated: The text was cut off (token limit).

    Raises:
        InvalidArguments: They do not fit; `str()` of it tells the model why, one line a problem.
    """
    if type(raw) is str and not truncated and _is_strict(raw):
        with suppress(Exception):  # what is wrong is found out below
            return Prepared(tool.validator.validate_json(raw), raw)
    parameters = tool.spec.parameters
    read = read_arguments(raw, parameters, name=tool.spec.name, truncated=truncated)
    try:
        return Prepared(tool.validator.validate_json(read.text), read.text, read.repaired)
    except Exception as error:  # a validator may run the user's own code
        text = _without_nulls(read.arguments, parameters)
        with suppress(Exception):
            if text is not None:
                return Prepared(tool.validator.validate_json(text), text, repaired=True)
        raise InvalidArguments(tool.validator.explain(error, parameters)) from error


def _is_strict(text: str) -> bool:
    """Whether pydantic, which reads `NaN`, may be trusted that the text is JSON."""
    return "NaN" not in text and "Infinity" not in text


def _without_nulls(arguments: dict[str, Any], parameters: Mapping[str, Any]) -> str | None:
    """The text without optional arguments that are null: models send them for "not given". None if there are none."""
    required = parameters.get("required", ())
    given = {name: value for name, value in arguments.items() if value is not None or name in required}
    return json.dumps(given, ensure_ascii=False) if len(given) < len(arguments) else None


async def invoke(tool: ToolDefinition, prepared: Prepared, context: ToolContext[Any] = NO_CONTEXT) -> Called:
    """The call made; a `Called`, whatever the tool does."""
    called = await _try(tool, prepared, context)
    for attempt in range(tool.retries):
        if not _may_repeat(tool, called):
            break
        await anyio.sleep(RETRY_DELAY_S * 2**attempt)
        with suppress(Exception):  # the last try may have changed what it was given
            prepared = replace(prepared, arguments=tool.validator.validate_json(prepared.text))
        called = await _try(tool, prepared, context)
    return replace(called, repaired=True) if prepared.repaired else called


async def call_json(tool: ToolDefinition, raw: Any, context: ToolContext[Any] = NO_CONTEXT) -> Called:
    """`prepare`, then `invoke`; arguments that do not fit are an answer too."""
    try:
        prepared = prepare(tool, raw)
    except InvalidArguments as error:
        return Called(str(error), outcome="invalid", exception=error)
    return await invoke(tool, prepared, context)


def _may_repeat(tool: ToolDefinition, called: Called) -> bool:
    return isinstance(called.exception, Exception) or (called.outcome == "timeout" and tool.idempotent)


async def _try(tool: ToolDefinition, prepared: Prepared, context: ToolContext[Any]) -> Called:
    try:
        if tool.in_thread:
            return await _in_thread(tool, prepared, context)
        args, kwargs = tool.validator.bind(prepared.arguments, context)
        if tool.timeout_s is None:
            return _answer(tool, await _value_of(tool.function(*args, **kwargs), context.progress))
        with anyio.move_on_after(tool.timeout_s):
            return _answer(tool, await _value_of(tool.function(*args, **kwargs), context.progress))
        return _timed_out(tool)
    except BaseException as error:
        if must_leave(error):
            raise
        return told(tool, error)


async def _in_thread(tool: ToolDefinition, prepared: Prepared, context: ToolContext[Any]) -> Called:
    with Reports(context.progress) as reports:
        args, kwargs = tool.validator.bind(prepared.arguments, replace(context, progress=reports.report))

        def work() -> Any:
            try:
                value = tool.function(*args, **kwargs)
                if isinstance(value, types.GeneratorType):
                    value = _last(value, reports.report)
                return value if _needs_loop(value) else _answer(tool, value)
            except (Exception, KeyboardInterrupt, GeneratorExit) as error:  # noqa: BLE001
                return told(tool, error)  # Ctrl-C goes to the main thread: whatever is raised here is the tool's own

        try:
            answer = await shared_pool().run(work, timeout_s=tool.timeout_s, reports=reports)
        except TimedOut:
            return _timed_out(tool, "; it may still be running")
    if isinstance(answer, Called):
        return answer
    with anyio.move_on_after(tool.timeout_s):
        return _answer(tool, await _value_of(answer, context.progress))
    return _timed_out(tool)


def _needs_loop(value: Any) -> bool:
    """A function that is not async by its looks may still return something to await."""
    return inspect.isawaitable(value) or isinstance(value, types.AsyncGeneratorType)


async def _value_of(value: Any, report: Report) -> Any:
    """What comes of the thing that an async tool returned."""
    if inspect.isawaitable(value):
        value = await value
    if isinstance(value, types.GeneratorType):
        return _last(value, functools.partial(_tell, report))
    if not isinstance(value, types.AsyncGeneratorType):
        return value
    last = None
    async with aclosing(value):
        async for last in value:
            behind = _tell(report, last)  # a listener that is behind is waited for
            await (checkpoint() if behind is None else behind)  # and the loop is never kept from anyone
    return last


def _tell(report: Report, value: Any) -> Any:
    """Progress is a courtesy: a listener that fails does not fail the tool."""
    with suppress(Exception):
        return report(value)
    return None


def _last(generator: Generator[Any, Any, Any], report: Report) -> Any:
    """The generator's return value, else the last that it yielded; each yield is progress."""
    last = None
    with closing(generator):
        while True:
            try:
                last = next(generator)
            except StopIteration as stop:
                return last if stop.value is None else stop.value
            report(last)


def _answer(tool: ToolDefinition, value: Any) -> Called:
    if not isinstance(value, ToolOutput):
        return Called(_shortened(tool, to_text(value)), value)
    return Called(
        _shortened(tool, to_text(value.content)),
        value.content,
        outcome="error" if value.is_error else "ok",
        details=to_json(value.details),
        usage=value.usage,
        cost_usd=value.cost_usd,
    )


def _shortened(tool: ToolDefinition, text: str) -> str:
    limit, hint = tool.max_output_chars, ""
    if limit is not None and len(text) > limit and tool.spill is not None:
        with suppress(Exception):  # a full disk is no reason to lose the result
            hint = f"; {tool.spill(text)}"
    return cut(text, limit, hint=hint)


def told(tool: ToolDefinition, error: BaseException) -> Called:
    """The answer that tells the model of an exception. A signal is an answer: there is no fault to raise later."""
    fault = None if isinstance(error, ToolSignal) else error
    return Called(_shortened(tool, words(error)), outcome="error", exception=fault)


def _timed_out(tool: ToolDefinition, more: str = "") -> Called:
    return Called(f"timed out after {tool.timeout_s:g} s{more}", outcome="timeout")
