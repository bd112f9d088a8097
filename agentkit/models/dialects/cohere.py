"""Cohere: Command A and R7B between action markers, Command R after `Action:`.

<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "get_weather", "parameters": {"city": "Oslo"}}]<|END_ACTION|>
"""

from __future__ import annotations

from collections.abc import Sequence

from agentkit.models.dialects.dialect import Family
from agentkit.models.dialects.hermes import tagged
from agentkit.models.dialects.source import Found, dump


def _write(calls: Sequence[Found]) -> str:
    actions = [
        {"tool_call_id": str(index), "tool_name": call.name, "parameters": call.arguments}
        for index, call in enumerate(calls)
    ]
    return f"<|START_ACTION|>{dump(actions)}<|END_ACTION|>"


COHERE = Family(
    name="cohere",
    models=("command", "c4ai", "cohere"),
    dialects=(tagged("cohere", "<|START_ACTION|>", "<|END_ACTION|>"),),
    write=_write,
)
