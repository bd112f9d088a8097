"""A server on loopback that sends raw bytes: for what only real sockets do."""

from __future__ import annotations

import json
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

Part = bytes | float | Callable[[socket.socket], None]
"""Bytes to send, seconds to wait, or something to do with the connection."""


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    line: str
    headers: dict[str, str]
    body: bytes


def reply(content: bytes | Any, *, status: int = 200, kind: str = "application/json", **headers: str) -> list[Part]:
    """A response with a length; the connection stays open."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    named = {"content-type": kind, "content-length": str(len(data))}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    return [_head(status, named) + data]


def chunked(*pieces: bytes | float, status: int = 200, kind: str = "text/event-stream", end: bool = True) -> list[Part]:
    """A response in chunks, each one sent by itself; without the end the connection breaks off."""
    parts: list[Part] = [_head(status, {"content-type": kind, "transfer-encoding": "chunked"})]
    parts += [p if isinstance(p, float) else b"%x\r\n%s\r\n" % (len(p), p) for p in pieces]
    return [*parts, b"0\r\n\r\n" if end else close]


def until_close(content: bytes) -> list[Part]:
    """A response whose end is the end of the connection."""
    return [_head(200, {"content-type": "text/event-stream", "connection": "close"}) + content, close]


def close(connection: socket.socket) -> None:
    """End the connection."""
    connection.shutdown(socket.SHUT_RDWR)


def reset(connection: socket.socket) -> None:
    """Break the connection off with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(connection.detach())  # `close` would wait for the file that reads from it


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode()


class RawServer:
    """Gives its replies in order, the last one again and again.

    Attributes:
        url: The base URL, with `/v1`.
        requests: What came.
        connections: How many connections were made.
        closed: Set when the client has closed a connection.
    """

    def __init__(self, *replies: Iterable[Part], tls: ssl.SSLContext | None = None) -> None:
        self.replies = [list(parts) for parts in replies]
        self.requests: list[Received] = []
        self.connections = 0
        self.closed = threading.Event()
        self._lock = threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._tls = tls
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """Close everything."""
        for one in (self._socket, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            stream = connection.makefile("rb")
            while (received := _read(stream)) is not None:
                with self._lock:
                    self.requests.append(received)
                    parts = self.replies[min(len(self.requests), len(self.replies)) - 1]
                for part in parts:
                    if isinstance(part, float):
                        time.sleep(part)
                    elif callable(part):
                        part(connection)
                    else:
                        connection.sendall(part)
        self.closed.set()


def _read(stream: Any) -> Received | None:
    if not (line := stream.readline()):
        return None
    headers = {}
    while header := stream.readline().strip():
        name, _, value = header.decode().partition(":")
        headers[name.lower()] = value.strip()
    return Received(line.decode().strip(), headers, stream.read(int(headers.get("content-length", 0))))


@contextmanager
def raw_server(*replies: Iterable[Part], tls: ssl.SSLContext | None = None):
    """A server that is up inside the block."""
    server = RawServer(*replies, tls=tls)
    try:
        yield server
    finally:
        server.stop()
