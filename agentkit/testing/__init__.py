"""For tests: a model with a script, and a fake Workers AI to send real requests to."""

from __future__ import annotations

from agentkit.models.scripted import Scripted, call
from agentkit.testing.scenarios import Scenario
from agentkit.testing.workers_ai import FakeWorkersAI

__all__ = ["FakeWorkersAI", "Scenario", "Scripted", "call"]
