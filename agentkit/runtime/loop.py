"""The one loop: ask what happens next, do it, append what came of it.

`run`, `arun`, `stream`, `astream`, resuming and agents as tools all come here. This is the only place that calls a
model; `batch.py` is the only place that calls a tool.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any, assert_never
from uuid import uuid4

import anyio

from agentkit.core.decide import (
    AskApproval,
    CallModel,
    CheckOutput,
    Finish,
    Plan,
    Recover,
    RunTools,
    Summarise,
    next_action,
)
from agentkit.core.entries import Ended, ModelFailed, Note, OutputRefused, StopReason
from agentkit.core.events import ApprovalEvent, FinishedEvent, StepEvent
from agentkit.core.messages import Assistant, ToolCall
from agentkit.core.result import NO_OUTPUT, Result
from agentkit.core.state import Phase, State
from agentkit.errors import ContextTooLong, Unavailable, UsageError
from agentkit.runtime.approval import ask
from agentkit.runtime.batch import recover, run_tools
from agentkit.runtime.early import EarlyCalls
from agentkit.runtime.heard import Heard
from agentkit.runtime.output import OutputFault
from agentkit.runtime.planning import plan_batch
from agentkit.runtime.run import Run
from agentkit.runtime.summary import summarise


async def drive(run: Run) -> Result[Any]:
    """Carry a run on until its turn is over or a human has to decide.

    Raises:
        AgentkitError: With `.result`, the run as far as it came.
    """
    try:
        result = await (_drive_with_early_calls(run) if run.may_start_early else _drive(run))
    except Exception as fault:
        _attach(fault, run.result("error"))
        raise
    except BaseException as stop:  # a cancel
        _attach(stop, run.result("cancelled"))
        raise
    await run.show(FinishedEvent(result))
    return result


async def _drive_with_early_calls(run: Run) -> Result[Any]:
    came: list[Result[Any] | BaseException] = []
    async with anyio.create_task_group() as tasks:
        run.early = EarlyCalls(run, tasks)
        try:
            came.append(await _drive(run))
        except (Exception, KeyboardInterrupt) as fault:  # noqa: BLE001 - raised below, plainly and not in a group
            came.append(fault)
        tasks.cancel_scope.cancel()
    match came[0] if came else run.faults[0]:
        case Result() as result:
            return result
        case error:
            raise error


async def _drive(run: Run) -> Result[Any]:
    while True:
        action = next_action(run.state, run.task.limits, run.worked_s)
        match action:
            case CallModel():
                await call_model(run, action)
            case Plan():
                await run.append(plan_batch(run, action))
            case RunTools():
                await run_tools(run, action)
            case CheckOutput():
                await check_output(run, action)
            case AskApproval():
                if not await ask(run, action):
                    result = run.result("approval")
                    await run.show(ApprovalEvent(result.pending))
                    return result
            case Recover():
                await recover(run, action)
            case Summarise():
                await summarise(run)
            case Finish():
                return await finish(run, action)
            case unknown:
                assert_never(unknown)


async def call_model(run: Run, action: CallModel) -> None:
    """Ask the model once and append its answer, its failure, or what was heard of it before a cancel."""
    if action.note is not None:
        await run.append(Note(content=action.note))
        return
    heard = None
    if run.listener is not None:
        await run.show(StepEvent(action.step))
        heard = Heard(run, last=action.last is not None)
    request = run.request(last=action.last is not None)
    answer = None
    with run.deadline():
        try:
            answer = await run.task.model.call(request, heard)
        except Exception as fault:
            if heard is not None:
                heard.discard()
            shorter = isinstance(fault, ContextTooLong) and run.can_summarise
            await run.append(ModelFailed(error=type(fault).__name__, message=str(fault)))
            if shorter:
                return
            raise
        except BaseException:  # a cancel: what was heard is kept, never acted on
            text = "" if heard is None else heard.text
            await run.append(Assistant(content=text, finish_reason="aborted", aborted=True))
            raise
        answer = _sound(answer, run.state)
        await run.append(answer)
        if answer.aborted:  # by the model itself: asking again would bill again, for ever
            raise Unavailable("the model broke off its answer")
    if heard is not None and answer is not None:  # what has its result will have been announced, deadline or not
        await heard.complete(answer)


async def check_output(run: Run, action: CheckOutput) -> None:
    """End the turn with a good answer; send a bad one back, or end without an output."""
    state = run.state
    if run.output is NO_OUTPUT:
        source = state.output if state.output is not None else run.final_answer
        try:
            await run.read_output(source, may_be_blank=state.refusals > 0 or not action.may_correct)
        except OutputFault as fault:
            if action.may_correct:
                await run.append(OutputRefused(reason=str(fault)))
            else:
                reason: StopReason = "deadline_s" if run.expired else "output"
                await run.append(Ended(reason=reason if action.reason == "finished" else action.reason))
            if run.faults:
                raise run.faults[0] from None
            return
    await run.append(Ended(reason=action.reason))


async def finish(run: Run, action: Finish) -> Result[Any]:
    """Close the turn if that was not done, and give its result."""
    if run.state.phase is Phase.REST:
        await recall_output(run)
    else:
        await run.append(Ended(reason=action.reason))
    return run.result(action.reason)


async def recall_output(run: Run) -> None:
    """The output of a turn that had ended before this process took it up."""
    source = run.state.output if run.state.output is not None else run.closing_answer
    if run.output is NO_OUTPUT and source is not None and run.state.ended not in (None, "output", "closed"):
        with suppress(OutputFault):
            await run.read_output(source, may_be_blank=True)


def _sound(answer: Assistant, state: State) -> Assistant:
    """The answer counted as one request, with an id of its own for each call, whatever the model gave.

    Raises:
        UsageError: It is no `Assistant`.
    """
    if not isinstance(answer, Assistant):
        raise UsageError(f"a model's `call` gives an Assistant, this one gave {type(answer).__name__}")
    if answer.usage.requests == 0:
        answer = replace(answer, usage=replace(answer.usage, requests=1))
    calls: dict[str, ToolCall] = {}
    for call in answer.tool_calls:
        if call.id in calls or not state.is_new(call.id):
            call = replace(call, id=uuid4().hex, provider_id=call.provider_id or call.id or None)  # noqa: PLW2901
        calls[call.id] = call
    sound = tuple(calls.values())
    return answer if sound == answer.tool_calls else replace(answer, tool_calls=sound)


def _attach(fault: BaseException, result: Result[Any]) -> None:
    """Let an error that leaves a run carry the run."""
    try:
        fault.result = result  # type: ignore[attr-defined]  # any exception may carry it
    except AttributeError:  # an exception class with slots
        return
