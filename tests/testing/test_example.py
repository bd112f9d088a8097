"""The example runs, against the fake server."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from agentkit.testing import FakeWorkersAI, call

pytestmark = pytest.mark.anyio

EXAMPLE = Path(__file__).parents[2] / "examples" / "10_sea_lion.py"
SCRIPT = ("Kuala Lumpur.", call("convert", amount=250, rate=3500), "875 ribu.", " yang cerdik", '{"name": "Laos"}')


async def test_the_example_runs(capsys, monkeypatch):
    """Word for word, through the environment as for a reader."""
    spec = importlib.util.spec_from_file_location("example_10", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with FakeWorkersAI(*SCRIPT) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        await module.main()
    shown = capsys.readouterr().out.splitlines()
    assert shown[:4] == ["Kuala Lumpur.", "875 ribu.", " yang cerdik", '{"name": "Laos"}']
    assert shown[4].startswith("cost: 0.00")
    assert any("875000.0" in message["content"] for message in server.bodies[2]["messages"])
