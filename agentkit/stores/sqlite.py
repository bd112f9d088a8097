"""Sessions in one SQLite file.

    entries(session, seq, entry)          append-only: one JSON text for each entry
    leases(session, owner, fence, until)  who works on a session, and until when if no sign of life comes

Rules:

1. A process works on a session only under a lease. A lease lives `lease_s` without a sign of life; every append is a
   sign of life, and a thread of ours gives one while nothing is appended.
   A lease whose process is known to be gone is free at once (`liveness.py`). One that ends later than any sign of life
   can mean, for the clock was set back, is cut to its length.
2. The fence counts the owners of a session. An append checks it in the same transaction, so that a process that slept
   through the end of its lease cannot write behind the back of its successor.
3. WAL with synchronous=NORMAL: a commit survives `kill -9`; a power cut may lose the last ones. `durable=True` waits
   for the disk instead.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from math import inf
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import anyio.to_thread

from agentkit.core.codec import decode, encode
from agentkit.core.entries import Entry
from agentkit.errors import Conflict, StoreError, UsageError
from agentkit.stores.liveness import is_gone, own_name

T = TypeVar("T")

LEASE_S = 15.0
BUSY_S = 30.0

SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
  session TEXT NOT NULL, seq INTEGER NOT NULL, entry TEXT NOT NULL, PRIMARY KEY (session, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS leases (
  session TEXT PRIMARY KEY, owner TEXT, fence INTEGER NOT NULL, until REAL NOT NULL
) WITHOUT ROWID;
"""


class SQLite:
    """A store in one file; many processes of one machine may use it at once."""

    def __init__(self, path: str | os.PathLike[str], *, durable: bool = False, lease_s: float = LEASE_S) -> None:
        """Name the file; it is made on first use.

        Args:
            path: The database file.
            durable: Wait for the disk at each commit (survives a power cut; some 4 ms a commit on a common disk).
            lease_s: Seconds after which a session of a dead process may be taken over.

        Raises:
            UsageError: The path is SQLite's word for a database that nobody else can open, or no lease has this length.
        """
        if not 0 < lease_s <= threading.TIMEOUT_MAX:
            raise UsageError(f"lease_s is a number of seconds above 0, got {lease_s!r}")
        if str(path) in ("", ":memory:"):
            raise UsageError(f"SQLite({str(path)!r}) would forget each session at once: name a file, or use Memory()")
        self._path = Path(path).absolute()  # a process that changes its directory keeps its sessions
        self._durable = durable
        self._lease_s = lease_s

    def __repr__(self) -> str:
        return f"SQLite({str(self._path)!r})"

    async def open(self, session: str) -> SQLiteLog:
        """The session's log, under a lease.

        Raises:
            Conflict: Another live process works on the session.
            StoreError: The file cannot be used, or holds what is no transcript.
        """
        log = SQLiteLog(self._path, session, durable=self._durable, lease_s=self._lease_s)
        await _in_thread(log.start)
        return log


class SQLiteLog:
    """One open session."""

    def __init__(self, path: Path, session: str, *, durable: bool, lease_s: float) -> None:
        self._path = path
        self._session = session
        self._durable = durable
        self._lease_s = lease_s
        self._owner = f"{own_name()}|{lease_s}|{uuid4().hex}"
        self._fence = 0
        self._seq = 0
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._db: sqlite3.Connection
        self._file: tuple[int, int] | None
        self.entries: tuple[Entry, ...] = ()

    # ---- what the runtime calls ----

    async def append(self, entry: Entry) -> None:
        """Keep the entry.

        Raises:
            Conflict: Another process has taken the session over; the entry was not kept.
            StoreError: The entry could not be kept.
        """
        await _in_thread(lambda: self._append(entry))

    async def close(self) -> None:
        """Give the session free."""
        await _in_thread(self._close)

    # ---- what runs in a thread ----

    def start(self) -> None:
        """Open the file, take the lease, read the transcript, and keep giving signs of life."""
        with _told(self._path):
            self._db = _connect(self._path, durable=self._durable)
            self._file = _identity(self._path)
            try:
                with _transaction(self._db):
                    self._take_lease()
                    rows = self._db.execute(
                        "SELECT seq, entry FROM entries WHERE session = ? ORDER BY seq", (self._session,)
                    ).fetchall()
            except BaseException:
                self._db.close()
                raise
        self._seq = len(rows)
        try:
            self.entries = tuple(_entries(rows))
        except (ValueError, TypeError, RecursionError) as fault:
            self._close()
            raise StoreError(f"session {self._session!r} in {self._path} cannot be read: {fault}") from fault
        threading.Thread(target=self._stay_alive, name="agentkit-lease", daemon=True).start()

    def _take_lease(self) -> None:
        now = time.time()
        row = self._db.execute(
            "SELECT CAST(owner AS TEXT), CAST(fence AS INTEGER), CAST(until AS REAL) FROM leases WHERE session = ?",
            (self._session,),
        ).fetchone()
        if row is not None and row[0] is not None and row[2] > now and not is_gone(row[0]):
            until = min(row[2], now + _length_s(row[0]))
            if until < row[2]:
                self._db.execute("UPDATE leases SET until = ? WHERE session = ?", (until, self._session))
                self._db.execute("COMMIT")
            raise Conflict(
                f"session {self._session!r} is being worked on by another run (its lease ends in {until - now:.0f} s "
                "without a sign of life); wait for it, or use another session"
            )
        self._fence = (row[1] if row else 0) + 1
        self._db.execute(
            "INSERT OR REPLACE INTO leases (session, owner, fence, until) VALUES (?, ?, ?, ?)",
            (self._session, self._owner, self._fence, now + self._lease_s),
        )

    def _append(self, entry: Entry) -> None:
        with self._lock, _told(self._path):
            text = json.dumps(encode(entry), ensure_ascii=True)
            with _transaction(self._db):
                self._renew()
                self._db.execute("INSERT INTO entries VALUES (?, ?, ?)", (self._session, self._seq, text))
            self._seq += 1

    def _renew(self) -> None:
        if _identity(self._path) != self._file:
            raise StoreError(f"{self._path} was removed or replaced while a run worked on it; nothing was appended")
        changed = self._db.execute(
            "UPDATE leases SET until = ? WHERE session = ? AND fence = ? AND owner = ?",
            (time.time() + self._lease_s, self._session, self._fence, self._owner),
        )
        if changed.rowcount != 1:
            raise Conflict(f"session {self._session!r} was taken over by another process; nothing was appended")

    def _stay_alive(self) -> None:
        while not self._closed.wait(self._lease_s / 3):
            try:
                with self._lock:
                    if self._closed.is_set():
                        return
                    with _transaction(self._db):
                        self._renew()
            except StoreError:
                return  # the next append says it aloud
            except sqlite3.Error:
                continue  # a file that is locked or a disk that is full may be better next time

    def _close(self) -> None:
        with self._lock:
            if self._closed.is_set():
                return
            self._closed.set()
            with suppress(sqlite3.Error), _transaction(self._db):  # else the lease runs out: no reason to fail a run
                self._db.execute(
                    "UPDATE leases SET owner = NULL, until = 0 WHERE session = ? AND fence = ?",
                    (self._session, self._fence),
                )
            self._db.close()


def _length_s(owner: str) -> float:
    """How long the owner's lease lives without a sign of life, by its name."""
    try:
        return float(owner.split("|")[-2])
    except (ValueError, IndexError):
        return inf


def _entries(rows: Iterable[tuple[int, str]]) -> Iterator[Entry]:
    for number, (seq, text) in enumerate(rows):
        if seq != number:
            raise ValueError(f"entry {number} is missing")
        yield decode(json.loads(text))


def _connect(path: Path, *, durable: bool) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        db.executescript(SCHEMA)
    except BaseException:
        db.close()
        raise
    return db


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file stands there: one that was removed is written to without a fault, and nobody reads it."""
    with suppress(OSError):
        found = path.stat()
        return found.st_dev, found.st_ino
    return None


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, and alone: the write lock is taken at the start."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # of a disk that is full SQLite has thought itself
            db.execute("ROLLBACK")
        raise


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """SQLite's faults as ours, and those of a name or an entry that it cannot hold."""
    try:
        yield
    except (sqlite3.Error, TypeError, ValueError, OverflowError, RecursionError) as fault:
        raise StoreError(f"{path}: {fault}") from fault


async def _in_thread(work: Callable[[], T]) -> T:
    """A few milliseconds of file work beside the event loop; never abandoned."""
    return await anyio.to_thread.run_sync(work)
