"""An answer from the web, with its sources.

BRAVE_API_KEY=... python examples/02_web_search.py "How tall is Mount Fuji?"

Also with SEARXNG_URL, or without any key after: pip install 'agentkit[search]'
"""

from __future__ import annotations

import sys
from typing import Any

from agentkit import Agent
from agentkit_tools import web_search

INSTRUCTIONS = """Answer from what web_search finds. Put the number of the page behind each fact, as in [2],
and list the pages you used, with their addresses, at the end."""


def main(question: str = "How tall is Mount Fuji?", model: Any = None) -> str:
    """Ask, and show what was searched for."""
    agent: Agent[None, str] = Agent(model, tools=[web_search], instructions=INSTRUCTIONS)
    for event in agent.stream(question):
        if event.kind == "tool_result":
            print(f"web_search({event.call.arguments})\n{event.result.content}\n")
        elif event.kind == "finished":
            print(event.result)
            return str(event.result)
    return ""


if __name__ == "__main__":
    main(*sys.argv[1:2])
