"""A chat-completions server on loopback that answers from a script: for the command line, the examples and the docs.

A line is a text, or a list of `[tool, arguments]` pairs. Whole answers and streams, as the request wants.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ScriptedServer:
    """Answers request n with line n.

    Attributes:
        url: The base URL, with `/v1`.
        bodies: The request bodies that came.
    """

    def __init__(self, lines: list[Any]) -> None:
        self.lines = lines
        self.bodies: list[dict[str, Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                server.bodies.append(body)
                number = len(server.bodies) - 1
                if number >= len(server.lines):
                    self._send(400, "application/json", b'{"error": {"message": "the script is used up"}}')
                    return
                message = _message(server.lines[number], number)
                if body.get("stream"):
                    self._send(200, "text/event-stream", _stream(message))
                else:
                    self._send(200, "application/json", json.dumps(_whole(message)).encode())

            def _send(self, status: int, kind: str, content: bytes) -> None:
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: Any) -> None:
                pass

        return Handler


def _message(line: Any, number: int) -> dict[str, Any]:
    if isinstance(line, str):
        return {"role": "assistant", "content": line}
    calls = [
        {
            "index": i,
            "id": f"call_{number}_{i}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for i, (name, arguments) in enumerate(line)
    ]
    return {"role": "assistant", "content": None, "tool_calls": calls}


USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def _whole(message: dict[str, Any]) -> dict[str, Any]:
    reason = "tool_calls" if message.get("tool_calls") else "stop"
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return {"id": "c", "object": "chat.completion", "model": "scripted", "choices": [choice], "usage": USAGE}


def _stream(message: dict[str, Any]) -> bytes:
    deltas = [{"role": "assistant"}]
    deltas += [{"content": word + " "} for word in (message["content"] or "").split(" ")] if message["content"] else []
    if message["content"]:
        deltas[-1] = {"content": deltas[-1]["content"][:-1]}
    deltas += [{"tool_calls": [call]} for call in message.get("tool_calls", ())]
    reason = "tool_calls" if message.get("tool_calls") else "stop"
    chunks = [{"id": "c", "choices": [{"index": 0, "delta": d, "finish_reason": None}]} for d in deltas]
    chunks += [{"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}]
    chunks += [{"id": "c", "choices": [], "usage": USAGE}]
    return b"".join(b"data: " + json.dumps(c).encode() + b"\n\n" for c in chunks) + b"data: [DONE]\n\n"


@contextmanager
def scripted_server(lines: list[Any]) -> Iterator[ScriptedServer]:
    """A server that is up inside the block."""
    server = ScriptedServer(lines)
    server.start()
    try:
        yield server
    finally:
        server.stop()
