"""A tool of your own: any function with annotations and a docstring.

python examples/03_own_tool.py "How much is 250 dollars in euros?"
"""

from __future__ import annotations

import sys
from typing import Any, Literal

from agentkit import Agent, ToolFailed, tool

Currency = Literal["USD", "EUR", "JPY"]
RATES = {"USD": 1.0, "EUR": 0.92, "JPY": 149.5}


@tool(
    idempotent=True,
    examples=[
        ("Change 20 euros into yen.", {"amount": 20, "source": "EUR", "target": "JPY"}),
        ("What is 5 dollars in euros?", {"amount": 5, "source": "USD", "target": "EUR"}),
    ],
)
def convert_money(amount: float, source: Currency, target: Currency) -> str:
    """Convert an amount of money from one currency to another.

    Args:
        amount: How much money, in the source currency.
        source: The currency to convert from.
        target: The currency to convert to.
    """
    if amount < 0:
        raise ToolFailed("the amount must not be negative")
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
