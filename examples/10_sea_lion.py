"""SEA-LION v4 on Workers AI: a streamed chat, a tool, a prompt, and JSON. What each cost stands at the end.

CLOUDFLARE_ACCOUNT_ID=... CLOUDFLARE_API_TOKEN=... python examples/10_sea_lion.py
"""

from __future__ import annotations

from typing import Any

import anyio

from agentkit import Agent, tool
from agentkit.models import WorkersAI

SEA_LION = "@cf/aisingapore/gemma-sea-lion-v4-27b-it"
INSTRUCTIONS = "You are a friendly assistant. Answer in the language of the question, in one sentence."


@tool
def convert(amount: float, rate: float) -> float:
    """Convert an amount of money.

    Args:
        amount: The amount in the source currency.
        rate: Units of the target currency for one unit of the source.
    """
    return round(amount * rate, 2)


async def chat(model: Any) -> float:
    """A question in Malay, answered word by word; gives what it cost."""
    async with Agent(model, instructions=INSTRUCTIONS).astream("Apakah ibu kota Malaysia?") as events:
        async for event in events:
            if event.kind == "text":
                print(event.text, end="", flush=True)
            elif event.kind == "finished":
                print()
                return event.result.cost_usd or 0.0
    return 0.0


async def use_a_tool(model: Any) -> float:
    """SEA-LION advertises no tools, so agentkit writes them into the prompt and reads the call from the text."""
    agent: Agent[None, str] = Agent(model, tools=[convert], instructions=INSTRUCTIONS)
    result = await agent.arun("Berapa 250 ringgit dalam rupiah, jika 1 ringgit = 3500 rupiah?")
    print(result)
    return result.cost_usd or 0.0


async def main(model: WorkersAI | None = None) -> None:
    """Run all four."""
    async with model or WorkersAI(SEA_LION, temperature=0.2) as sea_lion:
        cost_usd = await chat(sea_lion) + await use_a_tool(sea_lion)
        story = await sea_lion.complete("Pada suatu hari, seekor kancil", max_tokens=60)
        country = await sea_lion.complete("Describe Laos as JSON.", response_format={"type": "json_object"})
    for answer in (story, country):
        print(answer.content)
        cost_usd += answer.cost_usd or 0.0
    print(f"cost: {cost_usd:.6f} USD")


if __name__ == "__main__":
    anyio.run(main)
