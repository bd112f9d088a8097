"""A chat-completions server on loopback that costs next to nothing: `python -m tests.benchmarks.server`.

What it answers stands in the path: `/steps=10&calls=1&tool=weather&chunks=20&gap_ms=0/v1/chat/completions` calls the
tool so often, then answers with a text of so many chunks. With a gap, the end of a stream follows so much later than
its last call. Answers are made once and sent as bytes; it prints its port and ends with its standard input.
"""

from __future__ import annotations

import asyncio  # noqa: TID251 - as cheap as a server can be
import json
import re
import sys
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

ARGUMENTS = {"weather": {"city": "Paris", "days": 3}, "nap": {"number": 1}, "block": {"number": 1}}
ANSWER = "The answer is 42."
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _calls(wanted: dict[str, str], step: int) -> list[dict[str, Any]]:
    name = wanted.get("tool", "weather")
    function = {"name": name, "arguments": json.dumps(ARGUMENTS[name])}
    return [
        {"index": i, "id": f"call_{step}_{i}", "type": "function", "function": function}
        for i in range(int(wanted.get("calls", 1)))
    ]


USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


def _whole(wanted: dict[str, str], step: int) -> bytes:
    message: dict[str, object] = {"role": "assistant", "content": ANSWER}
    if step < int(wanted.get("steps", 0)):
        message = {"role": "assistant", "content": None, "tool_calls": _calls(wanted, step)}
    reason = "tool_calls" if "tool_calls" in message else "stop"
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    body = _json({"id": "c", "object": "chat.completion", "model": "m", "choices": [choice], "usage": USAGE})
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body


def _streamed(wanted: dict[str, str], step: int) -> tuple[bytes, bytes]:
    deltas: list[dict[str, Any]] = [{"content": f"word{i % 10} "} for i in range(int(wanted.get("chunks", 20)))]
    reason = "stop"
    if step < int(wanted.get("steps", 0)):
        deltas, reason = [{"tool_calls": [call]} for call in _calls(wanted, step)], "tool_calls"
    return _events([{"role": "assistant", "content": ""}, *deltas], None), _events([{}], reason) + _framed(b"[DONE]")


def _events(deltas: list[dict[str, Any]], reason: str | None) -> bytes:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "m"}
    return b"".join(
        _framed(_json({**head, "choices": [{"index": 0, "delta": d, "logprobs": None, "finish_reason": reason}]}))
        for d in deltas
    )


def _framed(payload: bytes) -> bytes:
    event = b"data: " + payload + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(event), event)


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


@lru_cache(maxsize=4096)
def answer(path: bytes, step: int, *, stream: bool) -> tuple[bytes, bytes, float]:
    """What to send at once, what to send later, and after how many seconds."""
    wanted = dict(parse_qsl(path.split(b"/")[1].decode()))
    if not stream:
        return _whole(wanted, step), b"", 0.0
    now, later = _streamed(wanted, step)
    gap_s = int(wanted.get("gap_ms", 0)) / 1000
    later += b"0\r\n\r\n"
    return (STREAM_HEAD + now, later, gap_s) if gap_s else (STREAM_HEAD + now + later, b"", 0.0)


class Connection(asyncio.Protocol):
    """One client."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # of a stream server
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, blank, rest = self.buffer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not blank or length is None or len(rest) < int(length[1]):
            return
        self.buffer = rest[int(length[1]) :]
        path = head.split(b" ", 2)[1]
        calls = int(dict(parse_qsl(path.split(b"/")[1].decode())).get("calls", 1))
        step = len(re.findall(rb'"role": ?"tool"', rest)) // calls
        now, later, gap_s = answer(path, step, stream=b'"stream":true' in rest or b'"stream": true' in rest)
        self.transport.write(now)
        if later:
            asyncio.get_running_loop().call_later(gap_s, self.transport.write, later)


async def main() -> None:
    """Serve until the parent closes our standard input."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
