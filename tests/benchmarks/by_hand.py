"""The yardstick: what a person would write without a framework, over httpx and the standard library's json.

No validation, no retries, no records, no limits: only what a run cannot do without.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
import httpx

TYPES = {"str": "string", "int": "integer", "float": "number"}


def schema(function: Callable[..., Any]) -> dict[str, Any]:
    """The entry of a function in `tools`."""
    parameters = inspect.signature(function).parameters.values()
    properties = {p.name: {"type": TYPES[p.annotation]} for p in parameters}
    required = [p.name for p in parameters if p.default is p.empty]
    wanted = {"type": "object", "properties": properties, "required": required}
    about = inspect.getdoc(function)
    return {"type": "function", "function": {"name": function.__name__, "description": about, "parameters": wanted}}


class ByHand:
    """A model behind a URL, with tools."""

    def __init__(self, client: httpx.AsyncClient, url: str, tools: list[Callable[..., Any]], system: str) -> None:
        self._client = client
        self._url = url + "/chat/completions"
        self._tools = {tool.__name__: tool for tool in tools}
        self._schemas = [schema(tool) for tool in tools]
        self._system = system

    def _begin(self, question: str) -> dict[str, Any]:
        messages = [{"role": "system", "content": self._system}, {"role": "user", "content": question}]
        return {"model": "m", "messages": messages, "tools": self._schemas}

    async def run(self, question: str) -> str:
        """The answer to a question."""
        body = self._begin(question)
        while True:
            response = await self._client.post(self._url, json=body)
            response.raise_for_status()
            message = json.loads(response.content)["choices"][0]["message"]
            body["messages"].append(message)
            calls = message.get("tool_calls")
            if not calls:
                return str(message["content"])
            results: dict[str, str] = {}
            async with anyio.create_task_group() as group:
                for call in calls:
                    group.start_soon(self._call, call, results)
            body["messages"] += [
                {"role": "tool", "tool_call_id": call["id"], "content": results[call["id"]]} for call in calls
            ]

    async def _call(self, call: dict[str, Any], results: dict[str, str]) -> None:
        function = self._tools[call["function"]["name"]]
        arguments = json.loads(call["function"]["arguments"])
        if inspect.iscoroutinefunction(function):
            results[call["id"]] = await function(**arguments)
        else:
            results[call["id"]] = await anyio.to_thread.run_sync(lambda: function(**arguments))

    async def stream(self, question: str, on_text: Callable[[str], None]) -> None:
        """The answer to a question, piece by piece."""
        async with self._client.stream("POST", self._url, json={**self._begin(question), "stream": True}) as response:
            async for line in response.aiter_lines():
                if line == "data: [DONE]":
                    return
                if line.startswith("data: "):
                    text = json.loads(line[6:])["choices"][0]["delta"].get("content")
                    if text:
                        on_text(text)


@asynccontextmanager
async def by_hand(url: str, tools: list[Callable[..., Any]], system: str) -> AsyncIterator[ByHand]:
    """It, ready."""
    limits = httpx.Limits(max_connections=1000, max_keepalive_connections=1000)
    headers = {"authorization": "Bearer sk-test"}
    async with httpx.AsyncClient(timeout=60, headers=headers, limits=limits, trust_env=False) as client:
        yield ByHand(client, url, tools, system)
