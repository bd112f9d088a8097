"""A tool of your own: any function with annotations and a docstring.

python examples/03_own_tool.py "How much is 250 dollars in euros?"
"""

from __future__ import annotations

import sys
from typing import Any

from agentkit import Agent, ToolFailed, tool

RATES = {"dollars": 1.0, "euros": 0.92, "yen": 149.5}


@tool(
    idempotent=True,
    examples=[
        ("Change 20 euros into yen.", {"amount": 20, "source": "euros", "target": "yen"}),
        ("What is 5 dollars in euros?", {"amount": 5, "source": "dollars", "target": "euros"}),
    ],
)
def convert_money(amount: float, source: str, target: str) -> str:
    """Convert an amount of money from one currency to another.

    Args:
        amount: How much money, in the source currency.
        source: The currency to convert from: dollars, euros or yen.
        target: The currency to convert to.
    """
    for currency in (source, target):
        if currency not in RATES:
            raise ToolFailed(f"there is no rate for {currency!r}; there are: {', '.join(RATES)}")
    return f"{amount / RATES[source] * RATES[target]:.2f} {target}"


def main(question: str = "How much is 250 dollars in euros?", model: Any = None) -> str:
    """Ask; the model is chosen from the environment when none is given."""
    agent: Agent[None, str] = Agent(model, tools=[convert_money])
    for event in agent.stream(question):
        if event.kind == "tool_result":
            print(f"{event.call.name}({event.call.arguments}) = {event.result.content}")
        elif event.kind == "finished":
            print(event.result)
            return str(event.result)
    return ""


if __name__ == "__main__":
    main(*sys.argv[1:2])
