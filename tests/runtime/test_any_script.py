"""Whatever a model asks for, in whatever batch, under whatever limits: every call gets exactly one answer."""

from __future__ import annotations

import anyio
from harness import answered, resumed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentkit import Agent, Limits, Retry, ToolFailed, tool
from agentkit.core.codec import decode, encode
from agentkit.core.messages import Assistant, ToolCall, User
from agentkit.core.state import fold
from agentkit.models.scripted import Scripted


class Thing:
    """An object with a method that is a tool."""

    def touch(self, n: int = 0) -> int:
        """Touch it."""
        return n


@tool(idempotent=True)
async def good(n: int = 0) -> int:
    return n


@tool
def plain(n: int = 0) -> int:
    return n


@tool
async def raises(n: int = 0) -> int:
    raise ValueError(n)


@tool
def exits(n: int = 0) -> int:
    raise SystemExit(n)


@tool
async def again(n: int = 0) -> int:
    raise Retry("again")


@tool(sequential=True)
async def fails(n: int = 0) -> int:
    raise ToolFailed("no")


@tool(timeout_s=0.005)
async def slow(n: int = 0) -> int:
    await anyio.sleep(1)
    return n


@tool(requires_approval=True)
async def asks(n: int = 0) -> int:
    return n


@tool(max_calls=1, max_output_chars=20)
async def rare(n: int = 0) -> str:
    return "x" * n


TOOLS = [good, plain, raises, exits, again, fails, slow, asks, rare, Thing().touch]
NAMES = ["good", "plain", "raises", "exits", "again", "fails", "slow", "asks", "rare", "touch"]

calls = st.builds(
    ToolCall,
    id=st.sampled_from(["", "a", "b", "call_0"]),
    name=st.one_of(st.sampled_from(NAMES), st.sampled_from(["Good", "functions.plain", "nothing", ""])),
    arguments=st.one_of(
        st.sampled_from(['{"n": 1}', "{}", "", "null", "{'n': 2,}", '{"n": "many"}', '{"m": 1}', "[1]", '{"n": 3']),
        st.text(max_size=8),
    ),
    truncated=st.booleans(),
)
answers = st.one_of(
    st.builds(lambda c: Assistant(tool_calls=tuple(c)), st.lists(calls, min_size=1, max_size=4)),
    st.builds(lambda t: Assistant(content=t), st.text(max_size=5)),
)
limits = st.builds(
    Limits,
    steps=st.integers(1, 6),
    tool_calls=st.one_of(st.none(), st.integers(0, 5)),
    repeats=st.sampled_from([None, 2, 3]),
    corrections=st.integers(0, 2),
)
decisions = st.sampled_from([True, False, "no", {"n": 7}, {"n": "bad"}, None])


@given(st.lists(answers, min_size=1, max_size=6), limits, decisions)
@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
def test_every_call_gets_exactly_one_answer(script, budget, decide):
    """And every prefix of the transcript, read again through the codec, goes on to an end."""
    lines = [*script, *(Assistant(content="done") for _ in range(8))]
    approve = None if decide is None else (lambda call: decide)

    async def check() -> None:
        agent = Agent(Scripted(lines), TOOLS, limits=budget, approve=approve)
        result = await agent.arun("go")
        fold(result.entries)
        assert answered(result)
        str(result)
        if result.stop_reason != "approval":
            assert result.entries[-1].kind == "ended"
        begin = next(i for i, e in enumerate(result.entries) if isinstance(e, User))
        for end in range(begin + 1, len(result.entries), 3):
            prefix = [decode(encode(entry)) for entry in result.entries[:end]]
            rest = [e for e in result.entries[end:] if isinstance(e, Assistant)] + lines
            other = await resumed(prefix, rest, TOOLS, {}, {"limits": budget, "approve": approve})
            assert answered(other)

    anyio.run(check)
