"""Human decisions: asked of an approver in the process, or carried in by `resume`."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any

from agentkit.core.decide import AskApproval
from agentkit.core.entries import Decision
from agentkit.core.messages import ToolCall
from agentkit.errors import UsageError
from agentkit.runtime.run import Run


async def ask(run: Run, action: AskApproval) -> bool:
    """Have the calls decided by the run's approver; False if there is none, or none in time.

    All calls of the batch are decided before anything of it runs.
    """
    approve = run.task.approve
    if approve is None:
        return False
    for call_id in action.calls:
        call = run.shown(run.state.open[call_id])
        with run.deadline():
            answer = approve(call)
            if inspect.isawaitable(answer):
                answer = await answer
            await run.append(decision(call, answer))
            continue
        return False
    return True


def decision(call: ToolCall, answer: Any) -> Decision:
    """The decision that an answer means: True, False, a reason to deny, or a dict of other arguments.

    Raises:
        UsageError: The answer is none of these.
    """
    match answer:
        case True:
            return Decision(call_id=call.id, verdict="allow")
        case False:
            return Decision(call_id=call.id, verdict="deny")
        case str():
            return Decision(call_id=call.id, verdict="deny", reason=answer)
        case Mapping():
            try:
                text = json.dumps(dict(answer), ensure_ascii=False, allow_nan=False)
            except (TypeError, ValueError, RecursionError) as fault:
                raise UsageError(f"the edited arguments of {call.name} are no JSON: {fault}") from None
            return Decision(call_id=call.id, verdict="edit", arguments=text)
        case _:
            raise UsageError(
                f"a decision about {call.name} is True, False, a reason to deny it, or a dict of other arguments; "
                f"got {answer!r}"
            )


async def decide(run: Run, decisions: Mapping[str, Any]) -> None:
    """Carry in decisions by call id.

    Raises:
        UsageError: A call does not wait for a decision; nothing was decided.
    """
    if not isinstance(decisions, Mapping):
        raise UsageError(
            f"decisions are a dict by call id, such as {{result.pending[0].id: True}}; got {decisions!r:.80}"
        )
    waiting = {call_id: run.shown(call) for call_id, call in run.state.open.items() if call.undecided}
    if unknown := decisions.keys() - waiting.keys():
        raise UsageError(f"these calls do not wait for a decision: {sorted(unknown)}; waiting: {sorted(waiting)}")
    made = [decision(waiting[call_id], answer) for call_id, answer in decisions.items()]
    for one in made:
        await run.append(one)
