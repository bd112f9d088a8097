"""A file that is damaged, locked, full, moved away from or fought over: one clear error, and nothing is lost."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest

from agentkit import Agent
from agentkit.core.entries import Note
from agentkit.core.messages import Assistant, User
from agentkit.errors import Conflict, StoreError, UsageError
from agentkit.models.scripted import Scripted
from agentkit.stores import SQLite, sqlite

pytestmark = pytest.mark.anyio


async def kept(path, session="s"):
    """What the file holds of a session."""
    log = await SQLite(path).open(session)
    await log.close()
    return log.entries


async def written(path, count=3):
    """A file with a session of some entries."""
    log = await SQLite(path).open("s")
    await log.append(User(content="go"))
    for n in range(count - 1):
        await log.append(Note(content=str(n)))
    await log.close()
    return path


def changed(path, sql):
    """The file after somebody else wrote to it."""
    with sqlite3.connect(path) as db:
        db.execute(sql)
    db.close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE entries SET entry = 5 WHERE seq = 1",
        "UPDATE entries SET entry = 'null' WHERE seq = 1",
        'UPDATE entries SET entry = \'{"kind": "no\' WHERE seq = 1',
        "UPDATE entries SET entry = x'ff00' WHERE seq = 1",
        "UPDATE entries SET entry = CAST(x'ff00' AS TEXT) WHERE seq = 1",
        f"UPDATE entries SET entry = '{'[' * 100_000}' WHERE seq = 1",
        'UPDATE entries SET entry = \'{"kind": "note", "v": 2, "content": "of a later agentkit"}\' WHERE seq = 1',
        'UPDATE entries SET entry = \'{"kind": "user", "v": 1, "content": "cannot stand here"}\' WHERE seq = 1',
        "DELETE FROM entries WHERE seq = 1",
        "DELETE FROM entries WHERE seq = 0",
        "ALTER TABLE entries RENAME COLUMN entry TO other",
    ],
    ids=["number", "null", "half", "bytes", "no unicode", "deep", "later", "illegal", "gap", "no beginning", "columns"],
)
async def test_a_damaged_session_is_one_clear_error_each_time(tmp_path, damage):
    """A StoreError that names what is wrong; the session stays free for whoever mends it."""
    path = await written(tmp_path / "runs.db")
    changed(path, damage)
    for _ in range(2):
        with pytest.raises(StoreError) as caught:
            await Agent(Scripted([]), store=SQLite(path)).arun("go", session="s")
        assert not isinstance(caught.value, Conflict)
        assert len(str(caught.value)) > 20


@pytest.mark.parametrize(
    "damage", ["owner = 'nobody', until = 'soon'", "owner = 7, until = 0", "fence = 'x', until = 0"]
)
async def test_a_damaged_lease_does_not_lock_a_session_up(tmp_path, damage):
    """What cannot be read as a lease has run out."""
    path = await written(tmp_path / "runs.db")
    changed(path, f"UPDATE leases SET {damage}")
    assert len(await kept(path)) == 3


async def test_a_lease_whose_holder_has_a_strange_name_is_kept(tmp_path):
    """Nothing is known of the holder: it is not taken for dead."""
    path = await written(tmp_path / "runs.db")
    changed(path, f"UPDATE leases SET owner = 'nobody', until = {time.time() + 60}")
    with pytest.raises(Conflict):
        await kept(path)


async def test_a_clock_that_was_set_back_lengthens_no_lease(tmp_path):
    """Its holder, elsewhere, gives no more signs of life: after the length of the lease the session is free."""
    path = await written(tmp_path / "runs.db")
    changed(path, f"UPDATE leases SET owner = 'elsewhere|1|2|0.2|x', until = {time.time() + 3600}")
    with pytest.raises(Conflict, match="ends in 0 s"):
        await kept(path)
    await anyio.sleep(0.25)
    assert len(await kept(path)) == 3


async def test_a_full_disk_is_told_and_the_session_goes_on_where_it_stood(tmp_path):
    """What was not kept leaves no gap; once there is room again, the same log goes on."""
    if sys.platform == "win32":
        pytest.skip("this machine has no limits of file sizes")
    code = f"""
        import os, resource, anyio
        from agentkit.core.entries import Note
        from agentkit.core.messages import User
        from agentkit.errors import StoreError
        from agentkit.stores import SQLite

        async def main():
            log = await SQLite({str(tmp_path / "runs.db")!r}).open("s")
            await log.append(User(content="go"))
            room = os.path.getsize({str(tmp_path / "runs.db-wal")!r}) + 10_000
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
            for _ in range(3):
                try:
                    await log.append(Note(content="x" * 100_000))
                except StoreError as fault:
                    print(fault)
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            await log.append(Note(content="there is room again"))
            await log.close()

        anyio.run(main)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("runs.db: ") == 3
    assert [e.content for e in await kept(tmp_path / "runs.db")] == ["go", "there is room again"]


async def test_a_locked_file_is_told_in_time_and_serves_afterwards(tmp_path, monkeypatch):
    """Neither a wait without end nor a broken log."""
    monkeypatch.setattr(sqlite, "BUSY_S", 0.1)
    path = await written(tmp_path / "runs.db", 1)
    log = await SQLite(path).open("s")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with anyio.fail_after(5):
        with pytest.raises(StoreError, match="locked"):
            await log.append(Note(content="not kept"))
        with pytest.raises(StoreError, match="locked"):
            await SQLite(path).open("another")
    other.execute("ROLLBACK")
    other.close()
    await log.append(Note(content="kept"))
    await log.close()
    assert [e.content for e in await kept(path)] == ["go", "kept"]


async def test_a_lease_lives_through_a_moment_in_which_the_file_was_locked(tmp_path, monkeypatch):
    """A sign of life that fails is followed by others."""
    monkeypatch.setattr(sqlite, "BUSY_S", 0.05)
    path = tmp_path / "runs.db"
    log = await SQLite(path, lease_s=0.9).open("s")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    await anyio.sleep(0.45)  # a sign of life every 0.3 s
    other.execute("ROLLBACK")
    other.close()
    await anyio.sleep(0.7)
    with pytest.raises(Conflict):
        await SQLite(path).open("s")
    await log.close()


async def test_a_session_that_cannot_be_given_back_is_no_reason_to_fail(tmp_path, monkeypatch):
    """The run is over and its result is there; the lease runs out."""
    monkeypatch.setattr(sqlite, "BUSY_S", 0.05)
    path = await written(tmp_path / "runs.db")
    log = await SQLite(path, lease_s=0.2).open("s")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    await log.close()
    other.close()
    await anyio.sleep(0.3)
    again = await SQLite(path).open("s")
    assert again.entries == log.entries
    await again.close()


async def test_who_lost_the_session_does_not_give_it_back(tmp_path):
    """The successor's lease is not the sleeper's to end."""
    path = tmp_path / "runs.db"
    sleeper = await SQLite(path, lease_s=0.1).open("s")
    sleeper._closed.set()  # its signs of life stop, as in a process that is suspended
    await anyio.sleep(0.2)
    successor = await SQLite(path).open("s")
    sleeper._closed.clear()
    await sleeper.close()
    with pytest.raises(Conflict):
        await SQLite(path).open("s")
    await successor.close()


def test_of_many_that_want_a_session_at_once_one_gets_it(tmp_path):
    """The others are told so; nobody meets a locked file, not even a file that is being made."""

    def want(_):
        async def main():
            try:
                return await SQLite(tmp_path / "runs.db").open("s")
            except Conflict:
                return None

        return anyio.run(main)

    with ThreadPoolExecutor(8) as threads:
        logs = [log for log in threads.map(want, range(24)) if log is not None]
    assert len(logs) == 1
    anyio.run(logs[0].close)


@pytest.mark.parametrize(("durable", "level"), [(False, 1), (True, 2)])
async def test_durable_waits_for_the_disk(tmp_path, durable, level):
    """Synchronous NORMAL, or FULL."""
    log = await SQLite(tmp_path / "runs.db", durable=durable).open("s")
    assert log._db.execute("PRAGMA synchronous").fetchone() == (level,)
    assert log._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    await log.close()


@pytest.mark.parametrize("name", ["with space.db", "ünïcode 漢字 %41?x=1#.db"])
async def test_any_file_name_serves(tmp_path, name):
    """It is a name, not a URI."""
    await written(tmp_path / name)
    assert (tmp_path / name).exists()
    assert len(await kept(tmp_path / name)) == 3


async def test_a_process_that_changes_its_directory_keeps_its_sessions(tmp_path, monkeypatch):
    """A relative path is meant where the store was made."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    store = SQLite("runs.db")
    await (await store.open("s")).close()
    monkeypatch.chdir("elsewhere")
    await (await store.open("s")).close()
    assert not [*(tmp_path / "elsewhere").iterdir()]


@pytest.mark.parametrize("path", [":memory:", ""])
async def test_a_database_that_forgets_at_once_is_refused(path):
    """The error says what to take instead."""
    with pytest.raises(UsageError, match="Memory"):
        SQLite(path)


@pytest.mark.parametrize("name", ["", "no/such/folder/runs.db"])
async def test_a_file_that_cannot_be_made_is_told(tmp_path, name):
    """A folder is no file, and no folder is made."""
    with pytest.raises(StoreError, match="unable to open"):
        await SQLite(tmp_path / name).open("s")


async def test_a_file_that_cannot_be_written_is_told(tmp_path):
    """At once, when the session is opened."""
    path = await written(tmp_path / "runs.db")
    path.chmod(0o444)
    if os.access(path, os.W_OK):
        pytest.skip("this machine lets its administrator write everywhere")
    with pytest.raises(StoreError, match="readonly"):
        await SQLite(path).open("s")


async def test_a_long_session_is_read_at_once_and_written_as_before(tmp_path):
    """10,000 entries come back, and one more costs what the first did."""
    path = tmp_path / "runs.db"
    log = await SQLite(path).open("s")
    await log.append(User(content="go"))
    with sqlite3.connect(path) as db:
        note = '{"v": 1, "kind": "note", "content": "x"}'
        db.executemany("INSERT INTO entries VALUES ('s', ?, ?)", [(n, note) for n in range(1, 10_000)])
    db.close()
    await log.close()
    log = await SQLite(path).open("s")
    assert len(log.entries) == 10_000
    began = time.perf_counter()
    await log.append(Note(content="one more"))
    assert time.perf_counter() - began < 1
    await log.close()


def test_who_reads_a_lease_to_take_it_is_alone_with_it(tmp_path):
    """The write lock is taken before the lease is read: two readers can never both find it free."""
    db = sqlite._connect(tmp_path / "runs.db", durable=False)
    other = sqlite3.connect(tmp_path / "runs.db", timeout=0, isolation_level=None)
    with sqlite._transaction(db), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    other.close()
    db.close()


@pytest.mark.parametrize("how", ["removed", "replaced"])
async def test_a_file_that_is_lost_under_a_run_is_told(tmp_path, how):
    """Nothing is written where nobody would read it."""
    path = tmp_path / "runs.db"
    log = await SQLite(path).open("s")
    await log.append(User(content="go"))
    path.unlink()
    if how == "replaced":
        await written(path)
    with pytest.raises(StoreError, match="removed or replaced") as caught:
        await log.append(Note(content="lost"))
    assert not isinstance(caught.value, Conflict)
    await log.close()


@pytest.mark.parametrize("what", [object(), {1, 2}, b"x"])
async def test_what_no_file_can_keep_is_told(tmp_path, what):
    """A StoreError with the run as far as it came; the session stays as it was."""

    class Odd:
        async def call(self, request, emit=None):
            return Assistant(content="x", extra={"odd": what})

    agent = Agent(Odd(), store=SQLite(tmp_path / "runs.db"))
    with pytest.raises(StoreError, match="not JSON serializable") as caught:
        await agent.arun("go", session="s")
    assert [e.kind for e in caught.value.result.entries] == ["user"]
    assert [e.kind for e in await kept(tmp_path / "runs.db")] == ["user"]


async def test_any_session_name_serves_that_is_text(tmp_path):
    """NUL, quotes and line ends too; what is no Unicode is refused by the name of the file."""
    path = tmp_path / "runs.db"
    names = ["a", "a\0b", "a\0", "'; DROP TABLE entries; --", " ", "\n", "../x", "\u00e9", "e\u0301", "x" * 100_000]
    for name in names:
        log = await SQLite(path).open(name)
        await log.append(User(content=name))
        await log.close()
    for name in names:
        assert [e.content for e in await kept(path, name)] == [name]
    with pytest.raises(StoreError, match="runs.db"):
        await SQLite(path).open("\ud800")


@pytest.mark.parametrize("lease_s", [0, -1, float("nan"), float("inf")])
def test_a_lease_of_no_length_or_without_end_is_refused(tmp_path, lease_s):
    """Where it is written: nobody could hold the one, and no sign of life is due in the other."""
    with pytest.raises(UsageError, match="lease_s"):
        SQLite(tmp_path / "runs.db", lease_s=lease_s)
