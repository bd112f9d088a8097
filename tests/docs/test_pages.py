"""Every Python fence of the README and of the pages runs, page by page, in one namespace.

A page whose fences ask a model says what it answers in comments, one line of a script each:
`<!-- model: "a text" -->` or `<!-- model: [["tool", {"argument": 1}]] -->`. The answers come from a real server on
loopback, through the environment, as they would for a reader.
"""

from __future__ import annotations

import json
import re
import sys
import types
from pathlib import Path

import pytest
from scripted_server import scripted_server

from agentkit import Agent
from agentkit.runtime.sync import run_sync

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SCRIPT = re.compile(r"<!-- model: (.*?) -->", re.DOTALL)
WITH_PYTHON = [page for page in PAGES if FENCE.search(page.read_text())]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_fences_of_a_page_run(page, monkeypatch, tmp_path):
    """Word for word, in order."""
    text = page.read_text()
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType(f"page_{page.stem.replace('-', '_')}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with scripted_server([json.loads(line) for line in SCRIPT.findall(text)]) as server:
        monkeypatch.setenv("AGENTKIT_MODEL", "openai:scripted")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-page")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        for fence in FENCE.finditer(text):
            line = text[: fence.start(1)].count("\n")
            code = compile("\n" * line + fence.group(1), str(page), "exec")
            exec(code, module.__dict__)
        for agent in [value for value in vars(module).values() if isinstance(value, Agent) and value.model]:
            run_sync(agent.model.aclose, "aclose")
        assert len(server.bodies) == len(server.lines), "the page's script is not used up"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_links_of_a_page_lead_somewhere(page):
    """Every relative link names a file."""
    for target in re.findall(
        r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    ):
        assert (page.parent / target).exists(), target
