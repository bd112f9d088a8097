"""The examples do what they say, with a scripted model; each is short enough to read."""

from __future__ import annotations

import importlib.util
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from agentkit.models.scripted import Scripted, call

EXAMPLES = Path(__file__).parents[2] / "examples"
MAX_LINES = 80


def load(name):
    """An example as a module."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_is_short(path):
    """At most eighty lines."""
    assert len(path.read_text().splitlines()) <= MAX_LINES


def test_the_calculator_example(capsys):
    """One call, one answer."""
    with Scripted([call("calculator", expression="23*47"), "It is 1081."]) as model:
        load("01_calculator").main(model=model)
    assert "1081" in capsys.readouterr().out


def test_the_web_search_example(capsys, monkeypatch):
    """Against a SearXNG of our own on loopback."""
    found = {"results": [{"title": "Python", "url": "https://python.org/", "content": "A language."}]}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(found).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    monkeypatch.delenv("BRAVE_API_KEY", raising=False)
    monkeypatch.setenv("SEARXNG_URL", f"http://127.0.0.1:{server.server_port}")
    try:
        with Scripted([call("web_search", query="python"), "See [1]."]) as model:
            load("02_web_search").main(model=model)
        assert "https://python.org/" in model.requests[1].messages[-1].content
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
    assert "See [1]." in capsys.readouterr().out


def test_the_own_tool_example(capsys):
    """A failure that the model can read, and a result."""
    lines = [
        call("convert_money", amount=250, source="pesos", target="euros"),
        call("convert_money", amount=250, source="dollars", target="euros"),
        "230 euros.",
    ]
    with Scripted(lines) as model:
        load("03_own_tool").main(model=model)
    said = capsys.readouterr().out
    assert "there are: dollars, euros, yen" in said
    assert "230.00 euros" in said
