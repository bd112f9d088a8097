"""Whatever was kept (approvals, edits, summaries, aborted answers, several turns, a crash anywhere) goes on to an end."""

from __future__ import annotations

import anyio
from harness import answered
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import ADD, FIND, SEND, Played, some_limits, transcripts

from agentkit import Agent, ToolContext, ToolOutput, tool
from agentkit.core.codec import decode, encode
from agentkit.core.messages import Assistant, ToolCall
from agentkit.core.state import Phase, fold
from agentkit.stores import Memory

ran: list[str] = []


def runs(context):
    """Remember whose effect happened."""
    ran.append(context.call.id)
    return 1


@tool(name=FIND, idempotent=True)
async def find(context: ToolContext, a: int = 0) -> int:
    return runs(context)


@tool(name=SEND, requires_approval=True)
async def send(context: ToolContext, a: int = 0) -> int:
    return runs(context)


@tool(name=ADD)
async def add(context: ToolContext, a: int = 0) -> int:
    return runs(context)


class Calls:
    """A model that calls what it is offered, then answers."""

    def __init__(self) -> None:
        self.asked = 0

    async def call(self, request, emit=None):
        self.asked += 1
        if self.asked > 2 or not request.tools:
            return Assistant(content='{"a": 1}')
        names = [spec.name for spec in request.tools]
        return Assistant(tool_calls=tuple(ToolCall(id="c", name=name, arguments='{"a": 1}') for name in names))


tools = st.sampled_from([[find, send, add], [send], []])
approvers = st.sampled_from([None, lambda _: True, lambda _: "no", lambda _: {"a": 5}, lambda _: {"b": 5}])
wanted = st.sampled_from([str, ToolOutput(dict[str, int])])
questions = st.sampled_from([None, "How much?", "something else"])


@given(transcripts(), some_limits(), tools, approvers, wanted, questions)
@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
def test_any_transcript_goes_on_to_an_end(played: Played, limits, offered, approve, output, question):
    """With other tools, limits, outputs and questions too; no effect that may have happened happens again."""
    kept = [decode(encode(entry)) for entry in played.entries]
    before = fold(kept)
    unsafe = {c.call.id for c in before.open.values() if c.started and not c.planned.idempotent}
    denied = {e.call_id for e in kept if e.kind == "decision" and e.verdict == "deny"}
    done = {e.call_id for e in kept if e.kind == "tool_result"}
    ran.clear()

    async def check() -> None:
        store = Memory()
        log = await store.open("s")
        for entry in kept:
            await log.append(entry)
        await log.close()
        agent = Agent(Calls(), offered, store=store, limits=limits, output=output, approve=approve)
        result = await agent.arun(question, session="s")
        waits = result.stop_reason == "approval"
        assert fold(result.entries).phase is (Phase.APPROVAL if waits else Phase.REST)
        assert bool(result.pending) is waits
        assert answered(result)
        assert (await store.open("s")).entries == result.entries

    anyio.run(check)
    assert not (unsafe | denied | done) & set(ran)
    assert len(set(ran)) == len(ran)
