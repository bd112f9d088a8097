"""A small server on loopback for an ASGI application: HTTP/1.1, one thread a connection, no dependency. For tests."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias, cast

import anyio

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

HOST = "127.0.0.1"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    app: App


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle(self) -> None:
        """Answer the requests of one connection, until its client goes away."""
        with suppress(ConnectionError):
            super().handle()

    def do_POST(self) -> None:
        anyio.run(self._serve)

    do_GET = do_POST  # noqa: N815 - as above

    async def _serve(self) -> None:
        path, _, query = self.path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self.command,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in self.headers.items()],
            "client": self.client_address,
        }
        body = self.rfile.read(int(self.headers.get("content-length") or 0))

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        await cast("_Server", self.server).app(scope, receive, self._send)

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.send_response(message["status"])
            for name, value in message["headers"]:
                self.send_header(name.decode(), value.decode())
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            return
        body = message.get("body", b"")
        if body:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(body), body))
        if not message.get("more_body", False):
            self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server uses
        """Nothing: a test that passes is quiet."""


@contextmanager
def served(app: App) -> Iterator[str]:
    """The address at which the application is served, until the block ends."""
    server = _Server((HOST, 0), _Handler)
    server.app = app
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="agentkit-testing", daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
