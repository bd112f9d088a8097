"""Which calls of one message run at once, and which one after another.

* Calls run at once, each in a lane of its own, and are answered in call order.
* Bound methods of one object share a lane, in call order: two threads inside one object corrupt it.
* A `sequential` tool is a barrier: what was called before it has ended, what was called after it has not begun.
* A call that is answered without running (None) takes no place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from agentkit.tooling.definition import ToolDefinition

Lane: TypeAlias = tuple[int, ...]
"""Indices of calls that run one after another."""

Wave: TypeAlias = tuple[Lane, ...]
"""Lanes that run at once."""

_ALONE: tuple[Wave, ...] = (((0,),),)  # shared by all messages with one call, which are most


def plan_waves(tools: Sequence[ToolDefinition | None]) -> tuple[Wave, ...]:
    """The waves, one after another, in which calls of these tools run; each index that runs is in exactly one lane.

    Args:
        tools: The tool of each call of one message, in call order; None for a call that does not run.
    """
    if len(tools) == 1:
        return () if tools[0] is None else _ALONE
    waves: list[Wave] = []
    lanes: dict[object, list[int]] = {}

    def close() -> None:
        if lanes:
            waves.append(tuple(tuple(lane) for lane in lanes.values()))
            lanes.clear()

    for index, tool in enumerate(tools):
        if tool is None:
            continue
        if tool.sequential:
            close()
            waves.append(((index,),))
            continue
        owner = tool.owner
        # An owner's identity cannot clash with a lone call's key: one is a tuple.
        key = (index,) if owner is None else id(owner)
        lanes.setdefault(key, []).append(index)
    close()
    return tuple(waves)
