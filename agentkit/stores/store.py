"""What a store is: it opens a session for one process at a time."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from agentkit.core.entries import Entry


class SessionLog(Protocol):
    """A session that this process works on, under a lease that nobody else has."""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The transcript as it was when the session was opened."""
        ...

    async def append(self, entry: Entry) -> None:
        """Keep the entry behind all others.

        Raises:
            Conflict: Another process has taken the session over; the entry was not kept.
            StoreError: The entry could not be kept.
        """
        ...

    async def close(self) -> None:
        """Give the session free.

        Raises:
            StoreError: It stays taken until its lease runs out; a run does not fail for it.
        """
        ...


@runtime_checkable
class Store(Protocol):
    """Keeps transcripts by session."""

    async def open(self, session: str) -> SessionLog:
        """The session's log; a new session is empty.

        Raises:
            Conflict: Another live process works on the session. Nothing was appended.
            StoreError: The session cannot be read.
        """
        ...
