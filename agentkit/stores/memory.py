"""A store that lives as long as the process."""

from __future__ import annotations

from collections.abc import Callable

from agentkit.core.entries import Entry
from agentkit.errors import Conflict


class Memory:
    """Keeps sessions in this process: for tests and for scripts that need no more."""

    def __init__(self) -> None:
        self._sessions: dict[str, list[Entry]] = {}
        self._open: set[str] = set()

    async def open(self, session: str) -> MemoryLog:
        """The session's log.

        Raises:
            Conflict: A run of this process works on the session.
        """
        if session in self._open:
            raise Conflict(f"session {session!r} is being worked on; wait for that run, or use another session")
        self._open.add(session)
        return MemoryLog(self._sessions.setdefault(session, []), lambda: self._open.discard(session))


class MemoryLog:
    """One open session."""

    def __init__(self, kept: list[Entry], release: Callable[[], None]) -> None:
        self._kept = kept
        self._release = release

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The transcript so far."""
        return tuple(self._kept)

    async def append(self, entry: Entry) -> None:
        """Keep the entry."""
        self._kept.append(entry)

    async def close(self) -> None:
        """Give the session free."""
        self._release()
