"""Fixtures for pytest: `pytest_plugins = ["agentkit.testing.fixtures"]`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agentkit.testing.workers_ai import FakeWorkersAI


@pytest.fixture
def workers_ai(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeWorkersAI]:
    """A fake Workers AI to which the environment leads; each body that it was sent fits the input schema."""
    with FakeWorkersAI() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server
