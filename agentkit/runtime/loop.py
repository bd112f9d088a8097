"""The one loop: ask what happens next, do it, append what came of it.

`run`, `arun`, `stream`, `astream`, resuming and agents as tools all come here. This is the only place that calls a
model; `batch.py` is the only place that calls a tool.
"""

from __future__ import annotations

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
from agentkit.core.entries import Ended, ModelFailed, Note, OutputRefused
from agentkit.core.events import (
    ApprovalEvent,
    Delta,
    FinishedEvent,
    ReasoningEvent,
    RetryEvent,
    StepEvent,
    TextEvent,
    ToolCallEvent,
)
from agentkit.core.messages import Assistant
from agentkit.core.result import NO_OUTPUT, Result
from agentkit.core.state import Phase, State
from agentkit.errors import ContextTooLong
from agentkit.runtime.approval import ask
from agentkit.runtime.batch import recover, run_tools
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
        result = await _drive(run)
    except Exception as fault:
        _attach(fault, run.result("error"))
        raise
    except BaseException as stop:  # a cancel
        _attach(stop, run.result("cancelled"))
        raise
    await run.show(FinishedEvent(result))
    return result


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
                if run.state.phase is not Phase.REST:
                    await run.append(Ended(reason=action.reason))
                return run.result(action.reason)
            case unknown:
                assert_never(unknown)


async def call_model(run: Run, action: CallModel) -> None:
    """Ask the model once and append its answer, its failure, or what was heard of it before a cancel."""
    if action.note is not None:
        await run.append(Note(content=action.note))
        return
    await run.show(StepEvent(action.step))
    heard = Heard(run) if run.listener is not None else None
    request = run.request(last=action.last is not None)
    with run.deadline():
        try:
            answer = await run.task.model.call(request, heard)
        except Exception as fault:
            shorter = isinstance(fault, ContextTooLong) and run.can_summarise
            await run.append(ModelFailed(error=type(fault).__name__, message=str(fault)))
            if shorter:
                return
            raise
        except BaseException:  # a cancel: what was heard is kept, never acted on
            with anyio.CancelScope(shield=True):
                text = "".join(heard.texts) if heard else ""
                await run.append(Assistant(content=text, finish_reason="aborted", aborted=True))
            raise
        answer = _with_own_ids(answer, run.state)
        await run.append(answer)
        if heard is not None:
            await heard.complete(answer)


async def check_output(run: Run, action: CheckOutput) -> None:
    """End the turn with a good answer; send a bad one back, or end without an output."""
    state = run.state
    if run.output is NO_OUTPUT:
        text = state.output if state.output is not None else run.final_text
        try:
            run.output = run.task.output.read(text, may_be_blank=state.refusals > 0 or not action.may_correct)
        except OutputFault as fault:
            run.explanation = str(fault)
            if action.may_correct:
                await run.append(OutputRefused(reason=str(fault)))
                return
            reason = "output" if action.reason == "finished" else action.reason
            await run.append(Ended(reason=reason))
            return
    await run.append(Ended(reason=action.reason))


class Heard:
    """Hands a model's deltas on to the listener and remembers what was said.

    Attributes:
        texts: The pieces of text since the last retry.
    """

    __slots__ = ("_announced", "_run", "texts")

    def __init__(self, run: Run) -> None:
        self._run = run
        self._announced: set[str] = set()
        self.texts: list[str] = []

    def __call__(self, delta: Delta) -> Any:
        """Take one delta; what it gives back, if anything, is to be awaited."""
        match delta:
            case TextEvent():
                self.texts.append(delta.text)
            case ToolCallEvent():
                self._announced.add(delta.call.id)
            case RetryEvent():
                self.texts.clear()
            case _:
                pass
        listener = self._run.listener
        return listener(delta) if listener is not None else None

    async def complete(self, answer: Assistant) -> None:
        """Show what the model did not emit itself, so that every model streams."""
        if not self.texts:
            if answer.reasoning:
                await self._run.show(ReasoningEvent(answer.reasoning))
            if answer.content:
                await self._run.show(TextEvent(answer.content))
        for call in answer.tool_calls:
            if call.id not in self._announced:
                await self._run.show(ToolCallEvent(call))


def _with_own_ids(answer: Assistant, state: State) -> Assistant:
    """The answer with an id of its own for each call, whatever the model gave."""
    ids = [call.id for call in answer.tool_calls]
    if len(set(ids)) == len(ids) and not any(not i or state.knows(i) for i in ids):
        return answer
    calls = tuple(replace(c, id=uuid4().hex, provider_id=c.provider_id or c.id or None) for c in answer.tool_calls)
    return replace(answer, tool_calls=calls)


def _attach(fault: BaseException, result: Result[Any]) -> None:
    """Let an error that leaves a run carry the run."""
    try:
        fault.result = result  # type: ignore[attr-defined]  # any exception may carry it
    except AttributeError:  # an exception class with slots
        return
