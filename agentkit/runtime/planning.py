"""From the calls of an answer to a plan: names resolved, arguments read, budget reserved, lanes drawn.

Every call gets its place in the plan, also the one that cannot run: it is planned with the text that answers it.
"""

from __future__ import annotations

from dataclasses import replace

from agentkit.core.decide import Plan
from agentkit.core.entries import Planned, PlannedCall
from agentkit.core.messages import Outcome, ToolCall
from agentkit.runtime.run import Run
from agentkit.tooling.arguments import InvalidArguments, read_arguments, resolve_name, unknown_tool
from agentkit.tooling.invoke import prepare
from agentkit.tooling.lanes import plan_waves

LAST_REQUEST = "not run: the limit on {last} is reached. Answer with what you have."
NO_ROOM = "not run: the limit on tool calls is reached."
TOO_OFTEN = "not run: {name} may be called {count} times in this conversation turn, and it was."


def plan_batch(run: Run, action: Plan) -> Planned:
    """The plan for the open batch. Validated arguments are kept in `run.prepared`."""
    room = action.room
    planned: list[PlannedCall] = []
    used = dict(run.state.calls_by_tool)
    for open_call in run.state.open.values():
        one = _plan_call(run, open_call.call, action, room, used)
        if one.refusal is None and not one.is_output:
            room = None if room is None else room - 1
            used[one.name] = used.get(one.name, 0) + 1
        planned.append(one)
    runs = [run.offered[p.name] if p.refusal is None and not p.is_output else None for p in planned]
    cut = any(p.outcome == "limit" for p in planned)
    return Planned(calls=tuple(planned), waves=plan_waves(runs), last=action.last or (action.spent if cut else None))


def _plan_call(run: Run, call: ToolCall, action: Plan, room: int | None, used: dict[str, int]) -> PlannedCall:
    tools = run.offered
    output = run.task.output
    offered = [*tools] if output.spec is None else [*tools, output.spec.name]
    name = resolve_name(call.name, offered)

    def refused(text: str, outcome: Outcome) -> PlannedCall:
        return PlannedCall(call_id=call.id, name=name or call.name, arguments="{}", refusal=text, outcome=outcome)

    if name is None:
        return refused(unknown_tool(call.name, offered), "unknown_tool")
    if output.spec is not None and name == output.spec.name:
        try:
            read = read_arguments(call.arguments, output.spec.parameters, name=name, truncated=call.truncated)
        except InvalidArguments as fault:
            run.explanation = str(fault)
            return replace(refused(str(fault), "invalid"), is_output=True)
        return PlannedCall(call_id=call.id, name=name, arguments=read.text, repaired=read.repaired, is_output=True)
    if last := action.last or action.spent:
        return refused(LAST_REQUEST.format(last=last.removesuffix("_s")), "limit")
    tool = tools[name]
    try:
        prepared = prepare(tool, call.arguments, truncated=call.truncated)
    except InvalidArguments as fault:
        return refused(str(fault), "invalid")
    if tool.max_calls is not None and used.get(name, 0) >= tool.max_calls:
        return refused(TOO_OFTEN.format(name=name, count=tool.max_calls), "limit")
    if room is not None and room <= 0:
        return refused(NO_ROOM, "limit")
    run.prepared[call.id] = prepared
    return PlannedCall(
        call_id=call.id,
        name=name,
        arguments=prepared.text,
        repaired=prepared.repaired,
        needs_approval=tool.approval_needed(prepared),
        idempotent=tool.idempotent,
    )
