"""The tools of one batch: lanes at once, the calls of a lane in order, and one answer for each call.

Whatever happens to a call (an exception, a timeout, a cancel, the deadline), its answer is appended before anything
else can. A cancelled call is answered under a shield; then the cancel goes on.
"""

from __future__ import annotations

from contextlib import nullcontext

import anyio

from agentkit.core.decide import Recover, RunTools
from agentkit.core.entries import Decision, PlannedCall, ToolStarted
from agentkit.core.events import ToolResultEvent
from agentkit.core.messages import Outcome, ToolResult
from agentkit.core.state import OpenCall
from agentkit.runtime.output import OutputFault
from agentkit.runtime.run import Run
from agentkit.tooling.arguments import InvalidArguments
from agentkit.tooling.invoke import Called, Prepared, invoke, prepare

INTERRUPTED = "interrupted: the call had started, its outcome is unknown."
EXPIRED = "not run: the deadline has passed."
CUT_SHORT = "interrupted by the deadline: the call had started, its outcome is unknown."
DENIED = "denied by the user"
TAKEN = "not used: the output was accepted already."
SIBLING_FAILED = "not accepted yet: another call of the same answer failed. See its result, then call {name} again."
GONE = "not run: the tool {name} is not available any more."


async def run_tools(run: Run, action: RunTools) -> None:
    """Answer the calls of these lanes."""
    if action.expired:
        for call_id in (call_id for lane in action.lanes for call_id in lane):
            await _answer(run, run.state.open[call_id], EXPIRED, "limit")
        return
    runs = run.state.open[action.lanes[0][0]].runs  # reading an output has a deadline of its own
    with run.deadline() if runs else nullcontext():
        if len(action.lanes) == 1:
            await _run_lane(run, action.lanes[0])
        else:
            async with anyio.create_task_group() as lanes:
                for lane in action.lanes:
                    lanes.start_soon(_guarded_lane, run, lane, lanes.cancel_scope)
    if run.early is not None and not run.state.open:
        run.early.discard()
    if run.faults:
        raise run.faults[0]


async def recover(run: Run, action: Recover) -> None:
    """Run again what is idempotent, in call order; answer the others that their outcome is unknown."""
    again = []
    for call_id in action.calls:
        call = run.state.open[call_id]
        if call.planned is not None and call.planned.idempotent:
            again.append(call_id)
        else:
            await _answer(run, call, INTERRUPTED, "interrupted")
    if again:
        await run_tools(run, RunTools(lanes=(tuple(again),)))


async def close(run: Run, why: str) -> None:
    """Answer every open call as interrupted, or as denied where a human did, so that the transcript can go on."""
    for call in list(run.state.open.values()):
        if call.decision is not None and call.decision.verdict == "deny":
            await _answer(run, call, _denial(call.decision), "denied")
        else:
            await _answer(run, call, why, "interrupted")


async def _guarded_lane(run: Run, lane: tuple[str, ...], scope: anyio.CancelScope) -> None:
    """A lane beside others: a fault of ours (a store that fails) or Ctrl-C ends all of them, plainly."""
    try:
        await _run_lane(run, lane)
    except (Exception, KeyboardInterrupt) as fault:  # noqa: BLE001 - raised again when the lanes are done
        run.faults.insert(0, fault)
        scope.cancel()


async def _run_lane(run: Run, lane: tuple[str, ...]) -> None:
    for call_id in lane:
        call = run.state.open[call_id]
        planned = call.planned
        if planned is None or planned.refusal is not None:
            text, outcome = ("", "interrupted") if planned is None else (planned.refusal or "", planned.outcome)
            await _answer(run, call, text, outcome)  # type: ignore[arg-type]  # both are outcomes
        elif planned.is_output:
            await _take_output(run, call, planned)
        elif call.decision is not None and call.decision.verdict == "deny":
            await _answer(run, call, _denial(call.decision), "denied")
        else:
            await _run_call(run, call, planned)


async def _run_call(run: Run, call: OpenCall, planned: PlannedCall) -> None:
    tool = run.offered.get(planned.name)
    if tool is None:
        await _answer(run, call, GONE.format(name=planned.name), "unknown_tool")
        return
    ready = run.prepared.pop(planned.call_id, None)
    try:
        if ready is None or call.decision is not None:
            ready = prepare(tool, planned.arguments)
    except InvalidArguments as fault:
        await _answer(run, call, str(fault), "invalid")
        return
    await run.append(ToolStarted(call_id=planned.call_id))
    shown = run.shown(call)
    try:
        called = None if run.early is None else await run.early.take(planned.call_id, ready)
        if called is None:
            called = await invoke(tool, ready, run.context(shown))
    except BaseException:  # a cancel: the call has started, so it gets its answer first
        with anyio.CancelScope(shield=True):
            late = run.expired
            await _answer(run, call, CUT_SHORT if late else INTERRUPTED, "interrupted")
        raise
    if called.exception is not None and run.task.raise_tool_errors:
        run.faults.append(called.exception)
    await _record(run, call, called, ready)


async def _record(run: Run, call: OpenCall, called: Called, ready: Prepared) -> None:
    planned = call.planned
    usage, cost_usd = run.spent.pop(call.call.id, (called.usage, called.cost_usd))
    result = ToolResult(
        call_id=call.call.id,
        name=planned.name if planned else call.call.name,
        content=called.content,
        outcome=called.outcome,
        repaired=ready.repaired or bool(planned and planned.repaired),
        details=called.details,
        usage=usage,
        cost_usd=cost_usd,
    )
    await run.append(result)
    if run.listener is not None:
        await run.show(ToolResultEvent(run.shown(call), result))


async def _take_output(run: Run, call: OpenCall, planned: PlannedCall) -> None:
    """The call that carries the output: accepted if it is the first valid one and nothing beside it failed."""
    if run.state.batch_failed:
        await _answer(run, call, SIBLING_FAILED.format(name=planned.name), "error")
        return
    if run.state.output is not None:
        await _answer(run, call, TAKEN, "error")
        return
    try:
        await run.read_output(planned.arguments)
    except OutputFault as fault:
        await _answer(run, call, str(fault), "invalid")
    else:
        await _answer(run, call, "accepted", "ok")


def _denial(decision: Decision) -> str:
    return f"{DENIED}: {decision.reason}" if decision.reason else DENIED


async def _answer(run: Run, call: OpenCall, text: str, outcome: Outcome) -> None:
    """Answer a call without running it."""
    planned = call.planned
    usage, cost_usd = run.spent.pop(call.call.id, (None, None))
    result = ToolResult(
        call_id=call.call.id,
        name=planned.name if planned else call.call.name,
        content=text,
        outcome=outcome,
        repaired=bool(planned and planned.repaired),
        usage=usage,
        cost_usd=cost_usd,
    )
    await run.append(result)
    if run.listener is not None:
        await run.show(ToolResultEvent(run.shown(call), result))
