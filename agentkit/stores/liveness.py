"""Whether the process that holds a lease is still there, as far as one machine can tell.

A lease of a dead process need not run out: who finds that its holder is gone takes over at once. That is known only on
the machine (and in the pid namespace) where the holder ran; of any other holder nothing is said.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

PROC = Path("/proc")


def own_name() -> str:
    """This process, told apart from any other that has or had the same pid: `machine|pid|started`."""
    pid = os.getpid()
    return f"{_machine(pid)}|{pid}|{_started(pid) or ''}"


def is_gone(name: str) -> bool:
    """Whether the process of this name is known to have ended."""
    machine, pid, started = (*name.split("|"), "", "")[:3]
    if machine != _machine(os.getpid()) or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    now = _started(int(pid))
    return now == "" or bool(started and now and now != started)


@lru_cache(maxsize=2)
def _machine(_pid: int) -> str:
    """The host, its boot, and the pid namespace: within these a pid means one process."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append((PROC / "sys/kernel/random/boot_id").read_text().strip())
    with suppress(OSError):
        parts.append(str((PROC / "self/ns/pid").readlink()))
    return "/".join(parts).replace("|", "_")


def _started(pid: int) -> str | None:
    """When the process started, in ticks since boot; empty if it has ended and is not reaped; None if unknown."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    state, ticks = fields[0], fields[19]
    return "" if state in "ZX" else ticks
