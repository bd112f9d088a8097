"""Fixtures that every test may use, and the rule for skipped tests."""

from __future__ import annotations

import os

import pytest
from prefixes import watched

MACHINE = ("this machine", "only Linux")
"""How the reason of a skip begins that no install step could mend (part of it is enough)."""

_skipped: list[str] = []


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Every async test runs on both event loops."""
    return request.param


@pytest.fixture(autouse=True)
def _every_prefix_finishes_the_same():
    """Whatever runs in a test: a process that was killed at any entry of it would have come to the same end."""
    with watched() as seen:
        yield
    seen.check()


def pytest_runtest_logreport(report):
    """Remember a skip that the machine is not to blame for."""
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(word in reason for word in MACHINE):
            _skipped.append(f"{report.nodeid}: {reason}")


def pytest_sessionfinish(session, exitstatus):
    """In CI a skipped test fails the run, unless it names a reason that the machine cannot mend."""
    if _skipped and os.environ.get("CI") and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    """Say which they are."""
    for line in _skipped:
        terminalreporter.write_line(f"skipped without a reason that the machine cannot mend: {line}")
