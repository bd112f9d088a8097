"""A file server on loopback that does what servers do: cuts, ignores ranges, changes its mind, redirects, refuses."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer:
    """Serves `files`; whatever `plays` says about a path comes first, one play a request.

    Attributes:
        url: Where it is.
        files: Content by path.
        etags: ETags by path; that of a content without one is its hash. Empty for none.
        date: The Last-Modified of everything; empty for none.
        plays: Functions of a request, by path; each is used once. One that returns False has not answered.
        asked: The requests that came: path and headers.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.etags: dict[str, str] = {}
        self.date = ""
        self.plays: dict[str, list[Callable[[BaseHTTPRequestHandler], object]]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # clients that go away are what this is for
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def ranges(self, path: str) -> list[str | None]:
        """The ranges that were asked for."""
        return [headers.get("range") for asked, headers in self.asked if asked == path]

    def etag(self, path: str) -> str:
        return self.etags.get(path, f'"{hashlib.md5(self.files[path]).hexdigest()}"')

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                plays = server.plays.get(self.path, [])
                if plays and plays.pop(0)(self) is not False:
                    return
                if self.path not in server.files:
                    answer(404, {}, b"Entry not found")(self)
                    return
                serve(server, self)

            def log_message(self, *_):
                pass

        return Handler


def serve(server, request, *, cut_at=None, ranges=True, length=True):
    """What a decent server does: ranges, If-Range, ETag; or not."""
    content, etag = server.files[request.path], server.etag(request.path)
    wanted = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", "")) if ranges else None
    if wanted and request.headers.get("If-Range", etag) not in {etag, server.date}:
        wanted = None
    begin = int(wanted[1]) if wanted else 0
    if wanted and begin >= len(content):
        answer(416, {"Content-Range": f"bytes */{len(content)}"}, b"")(request)
        return
    request.send_response(206 if wanted else 200)
    if wanted:
        request.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
    for name, value in (("ETag", etag), ("Last-Modified", server.date)):
        if value:
            request.send_header(name, value)
    if length:
        request.send_header("Content-Length", str(len(content) - begin))
    request.send_header("Connection", "close")
    request.end_headers()
    request.close_connection = True
    request.wfile.write(content[begin : cut_at if cut_at is not None else len(content)])


def cut(server, at, **how):
    """A play: the connection breaks after so many bytes of the file."""
    return lambda request: serve(server, request, cut_at=at, **how)


def answer(status, headers, body):
    """A play: this answer."""

    def play(request):
        request.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    return play


def redirect(url, **headers):
    """A play: it is elsewhere."""
    return answer(302, {"Location": url, **{name.replace("_", "-"): value for name, value in headers.items()}}, b"")
