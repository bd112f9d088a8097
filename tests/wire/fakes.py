"""Fakes at the seam of the HTTP client: a server that answers from a script, byte for byte."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from agentkit.core.events import ReasoningEvent, RetryEvent, TextEvent, ToolCallEvent
from agentkit.core.messages import ToolSpec, User
from agentkit.errors import Unavailable
from agentkit.models.chat_completions.decode import StreamReader, read_answer
from agentkit.models.chat_completions.errors import error_from
from agentkit.models.chat_completions.model import ChatCompletions
from agentkit.models.chat_completions.profiles import GENERIC
from agentkit.models.chat_completions.tools import offer
from agentkit.models.exchange import Exchange
from agentkit.models.http import Post, Reply, Timeouts
from agentkit.models.model import Request
from agentkit.models.retrying import Retries

NOW = Retries(times=2, first_delay_s=0.0)
"""Two retries without waiting."""

PAIR = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}
TOOLS = tuple(ToolSpec(name, f"Tool {name}.", PAIR) for name in ("add", "opt", "get_weather"))


class Cut(httpx2.AsyncByteStream):
    """A body that arrives in these pieces; with an error it breaks off after them."""

    def __init__(self, pieces: list[bytes], error: Exception | None = None) -> None:
        self.pieces = pieces
        self.error = error

    async def __aiter__(self):
        for piece in self.pieces:
            yield piece
        if self.error is not None:
            raise self.error

    async def aclose(self) -> None:
        pass


class FakeTransport:
    """The byte seam alone, for tests that send a hundred thousand answers: these pieces, then the error."""

    def __init__(self, pieces: list[bytes], error: Exception | None = None) -> None:
        self.pieces = pieces
        self.error = error

    @asynccontextmanager
    async def send(self, post: Post):
        yield Reply(status=200, headers={}, chunks=self._chunks())

    async def _chunks(self):
        for one in self.pieces:
            yield one
        if self.error is not None:
            raise self.error


class FakeTurn:
    """A request whose bytes do not matter, answered in chat completions."""

    offered = offer(TOOLS, GENERIC)

    def post(self, *, stream: bool, timeouts: Timeouts) -> Post:
        return Post(url="", headers={}, body=b"")

    def whole(self, body: bytes) -> Any:
        return read_answer(body, self.offered, self._blame, model="m")

    def reader(self) -> StreamReader:
        return StreamReader(self.offered, self._blame, model="m")

    def _blame(self, fault: Any) -> Exception:
        return error_from(fault, 200, {})


async def exchanged(pieces: list[bytes], error: Exception | None = None) -> tuple[Any, list[Any]]:
    """The answer and the deltas that a stream of these pieces gives, straight behind the byte seam."""
    deltas: list[Any] = []
    exchange = Exchange(
        turn=FakeTurn(),
        transport=FakeTransport(pieces, error),
        retries=Retries(times=0),
        limit_s=None,
        emit=deltas.append,
    )
    return await exchange.run(), deltas


BROKEN = Unavailable("the connection broke off")


class FakeServer:
    """Gives its replies in order (the last one again and again) and keeps the bodies that came.

    A reply is a dict (200, JSON), bytes (200; an event stream if they begin like one), a `Cut`, an exception to raise,
    or a tuple of status, body and headers.
    """

    def __init__(self, *replies: Any) -> None:
        self.replies = list(replies)
        self.requests: list[httpx2.Request] = []

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(request.content) for request in self.requests]

    def model(self, *, name: str = "m", **options: Any) -> ChatCompletions:
        client = httpx2.AsyncClient(transport=httpx2.MockTransport(self._handle))
        options = {"base_url": "http://server.test/v1", "retries": NOW, "http_client": client, **options}
        return ChatCompletions(name, **options)

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return _response(self.replies[min(len(self.requests), len(self.replies)) - 1])


def _response(reply: Any) -> httpx2.Response:
    status, headers = 200, {}
    if isinstance(reply, tuple):
        status, reply, *rest = reply
        headers = rest[0] if rest else {}
    if isinstance(reply, Exception):
        raise reply
    if isinstance(reply, Cut):
        return httpx2.Response(status, stream=reply, headers=headers)
    if isinstance(reply, bytes | str):
        return httpx2.Response(status, content=reply, headers=headers)
    return httpx2.Response(status, content=json.dumps(reply).encode(), headers=headers)


def request(*messages: Any, tools: Any = TOOLS, **rest: Any) -> Request:
    """A request with the tools `add`, `opt` and `get_weather`."""
    return Request(messages=messages or (User(content="Hello."),), tools=tools, **rest)


async def whole(reply: Any, **rest: Any) -> Any:
    """The answer that a reply to a request for a whole answer gives; it is tried once."""
    return await FakeServer(reply).model(retries=0).call(request(**rest))


async def streamed(reply: Any, **rest: Any) -> tuple[Any, list[Any]]:
    """The answer and the deltas that a reply to a request for a stream gives; it is tried once."""
    deltas: list[Any] = []
    answer = await FakeServer(reply).model(retries=0).call(request(**rest), deltas.append)
    return answer, deltas


def message(content: Any = None, calls: Any = None, *, reason: Any = "stop", **fields: Any) -> dict[str, Any]:
    """A whole answer with this message."""
    said = {"role": "assistant", "content": content, **({} if calls is None else {"tool_calls": calls}), **fields}
    choice = {"index": 0, "message": said, "finish_reason": reason}
    return {"id": "c1", "object": "chat.completion", "model": "m-1", "choices": [choice]}


def call(name: Any = "add", arguments: Any = '{"a": 1, "b": 2}', **fields: Any) -> dict[str, Any]:
    """A call item as OpenAI writes it."""
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}, **fields}


def delta(reason: Any = None, **fields: Any) -> dict[str, Any]:
    """A chunk with this delta."""
    return {"id": "c1", "model": "m-1", "choices": [{"index": 0, "delta": fields, "finish_reason": reason}]}


def piece(index: Any = None, name: Any = None, arguments: Any = None, **fields: Any) -> dict[str, Any]:
    """A chunk with one item of `tool_calls`; what is None is left out."""
    function = {k: v for k, v in (("name", name), ("arguments", arguments)) if v is not None}
    item = {**({} if index is None else {"index": index}), **fields, "function": function}
    return delta(tool_calls=[item])


def sse(*chunks: Any, done: bool = True, end: str = "\n\n") -> bytes:
    """An event stream of these chunks; a text stands as it is."""
    lines = [chunk if isinstance(chunk, str) else f"data: {json.dumps(chunk, ensure_ascii=False)}" for chunk in chunks]
    return "".join(line + end for line in [*lines, *(["data: [DONE]"] if done else [])]).encode()


def facts(answer: Any) -> dict[str, Any]:
    """What an answer says, without our own ids."""
    return {
        "content": answer.content,
        "reasoning": answer.reasoning,
        "finish_reason": answer.finish_reason,
        "calls": [(c.name, c.arguments, c.provider_id, c.truncated) for c in answer.tool_calls],
        "usage": answer.usage,
        "model": answer.model,
        "extra": dict(answer.extra),
    }


def named(answer: Any) -> list[tuple[str, str]]:
    """Names and arguments of the calls."""
    return [(c.name, c.arguments) for c in answer.tool_calls]


def text_of(deltas: list[Any]) -> str:
    """What a listener has on its screen after these deltas."""
    shown = ""
    for one in deltas:
        if isinstance(one, RetryEvent):
            shown = ""
        elif isinstance(one, TextEvent):
            shown += one.text
    return shown


def announced(deltas: list[Any]) -> list[str]:
    """The names of the announced calls, in order."""
    return [one.call.name for one in deltas if isinstance(one, ToolCallEvent)]


def thoughts(deltas: list[Any]) -> str:
    """The reasoning that was shown."""
    return "".join(one.text for one in deltas if isinstance(one, ReasoningEvent))
