"""The embedded model itself: loaded once for all tests, on whatever loop they run."""

from __future__ import annotations

import pytest

from agentkit.models.local import Local


@pytest.fixture(scope="session")
def local():
    """SmolLM2-135M in this process."""
    return Local()
