"""A question, a tool, an answer.

python examples/01_calculator.py "What do 12 tickets at 8.50 dollars cost?"

The model is chosen from the environment; with none set up, the small embedded one answers.
"""

from __future__ import annotations

import sys
from typing import Any

from agentkit import Agent
from agentkit_tools import calculator


def main(question: str = "What do 12 tickets at 8.50 dollars cost?", model: Any = None) -> str:
    """Ask, and show what was calculated."""
    agent: Agent[None, str] = Agent(model, tools=[calculator])
    for event in agent.stream(question):
        if event.kind == "tool_result":
            print(f"calculator({event.call.arguments}) = {event.result.content}")
        elif event.kind == "finished":
            print(event.result)
            return str(event.result)
    return ""


if __name__ == "__main__":
    main(*sys.argv[1:2])
