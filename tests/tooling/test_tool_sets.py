"""Lists of tools, and which calls run at once."""

from __future__ import annotations

import functools
import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.core.messages import ToolSpec
from agentkit.errors import UsageError
from agentkit.tooling.context import ToolContext
from agentkit.tooling.lanes import plan_waves
from agentkit.tooling.tool import Tool, tool
from agentkit.tooling.toolsets import collect, offer, only, prefix, rename


def read(path: str) -> str:
    """Read a file."""
    return path


def write(path: str, text: str) -> str:
    """Write a file."""
    return path + text


class Account:
    def deposit(self, amount: int) -> None: ...

    @tool
    def withdraw(self, amount: int) -> None: ...


def names(tools) -> list[str]:
    return [each.name for each in tools]


def test_functions_become_tools_where_they_are_collected():
    """Ready ones stay the same object."""
    ready = tool(write)
    collected = collect([read, ready])
    assert list(collected) == ["read", "write"]
    assert collected["write"] is ready


def test_two_tools_with_one_name_are_refused():
    """Both are named, and what to do."""
    other = tool(lambda x: x, name="read")
    with pytest.raises(UsageError, match=r"'read'.*read.*<lambda>.*prefix"):
        collect([read, other])


def test_what_is_no_tool_is_refused():
    """A string, a number, a module."""
    for wrong in ("read", 3, pytest):
        with pytest.raises(UsageError):
            collect([wrong])


def test_prefix_rename_and_only_make_new_lists():
    """The tools of the old one stay as they are."""
    tools = [read, tool(write, sequential=True)]
    assert names(prefix(tools, "fs_")) == ["fs_read", "fs_write"]
    assert prefix(tools, "fs_")[1].sequential
    assert names(rename(tools, {"read": "load"})) == ["load", "write"]
    assert names(only(tools, "write", "read")) == ["write", "read"]
    assert names(only(prefix(tools, "fs_"), "fs_read")) == ["fs_read"]
    assert names(map(tool, tools)) == ["read", "write"]


def test_a_name_that_is_not_there_is_refused():
    """With those that are."""
    with pytest.raises(UsageError, match="'copy'.*read, write"):
        only([read, write], "copy")
    with pytest.raises(UsageError, match="'copy'.*read, write"):
        rename([read, write], {"copy": "x"})
    with pytest.raises(UsageError, match="name"):
        prefix([read], "fs.")


def test_a_step_may_hide_or_change_a_tool():
    """`prepare` sees the context and the spec."""

    def for_admins(context: ToolContext, spec: ToolSpec) -> ToolSpec | None:
        return spec if context.deps == "admin" else None

    def louder(context: ToolContext, spec: ToolSpec) -> ToolSpec:
        return ToolSpec("READ", "Read!", spec.parameters)

    tools = collect([tool(write, prepare=for_admins), tool(read, prepare=louder)])
    assert list(offer(tools, ToolContext(deps="admin"))) == ["write", "READ"]
    offered = offer(tools, ToolContext(deps="guest"))
    assert list(offered) == ["READ"]
    assert offered["READ"].spec.description == "Read!"
    assert tools["read"].spec.name == "read"
    assert list(offer(collect([read]), ToolContext())) == ["read"]


def test_a_prepare_that_gives_something_else_is_refused():
    """The message names the tool."""
    with pytest.raises(UsageError, match="'read': its prepare gave 'hidden'"):
        offer(collect([tool(read, prepare=lambda _context, _spec: "hidden")]), ToolContext())


def test_calls_run_at_once_unless_something_speaks_against_it():
    """Each in a lane of its own, in call order."""
    one, other = tool(read), tool(write)
    assert plan_waves([one, other, one]) == (((0,), (1,), (2,)),)
    assert plan_waves([]) == ()
    assert plan_waves([None, one, None]) == (((1,),),)


def test_methods_of_one_object_share_a_lane():
    """However they were made tools; other objects have their own."""
    account, another = Account(), Account()
    calls = [
        tool(account.deposit),
        tool(read),
        account.withdraw,
        tool(another.deposit),
        tool(functools.partial(account.deposit, 3), name="three"),
        account.withdraw,
    ]
    assert plan_waves(calls) == (((0, 2, 4, 5), (1,), (3,)),)


def test_a_sequential_tool_is_a_barrier():
    """What was called before has ended, what was called after has not begun."""
    one, alone = tool(read), tool(write, sequential=True)
    assert plan_waves([one, one, alone, one, None, alone, alone]) == (((0,), (1,)), ((2,),), ((3,),), ((5,),), ((6,),))


ACCOUNTS = [Account(), Account()]
TOOLS = [None, tool(read), tool(write, sequential=True), *(each.withdraw for each in ACCOUNTS)]


@given(st.lists(st.sampled_from(TOOLS), max_size=12))
def test_every_call_that_runs_is_in_exactly_one_lane(tools):
    """In call order within its lane; of one object in one lane of a wave; a barrier alone."""
    waves = plan_waves(tools)
    flat = [index for wave in waves for lane in wave for index in lane]
    assert sorted(flat) == [index for index, each in enumerate(tools) if each is not None]
    for wave in waves:
        owners = [{id(tools[index].owner) for index in lane if tools[index].owner} for lane in wave]
        assert sum(map(len, owners)) == len(set().union(*owners))
        for lane in wave:
            assert list(lane) == sorted(lane)
            assert len(wave) == len(lane) == 1 or not any(tools[index].sequential for index in lane)
    for earlier, later in itertools.pairwise(waves):
        assert max(i for lane in earlier for i in lane) < min(i for lane in later for i in lane)


def test_ten_ready_tools_are_collected_in_no_time():
    """An agent is made for each request in many programs."""
    ready: list[Tool] = [tool(read, name=f"read_{i}") for i in range(10)]
    before = time.process_time()
    for _ in range(1_000):
        collect(ready)
    assert time.process_time() - before < 0.1
