"""Stores keep transcripts, one process at a time."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
import time

import anyio
import pytest

from agentkit.core.messages import User
from agentkit.errors import Conflict, StoreError
from agentkit.stores import Memory, SQLite
from agentkit.stores.liveness import is_gone, own_name

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    """Each store keeps each promise."""
    return Memory() if request.param == "memory" else SQLite(tmp_path / "runs.db")


async def test_entries_come_back_in_order(store):
    """Also text that is no valid unicode."""
    log = await store.open("s")
    for n in range(5):
        await log.append(User(content=f"{n} \ud800 ü"))
    await log.close()
    log = await store.open("s")
    assert [e.content for e in log.entries] == [f"{n} \ud800 ü" for n in range(5)]
    await log.append(User(content="more"))
    await log.close()
    assert len((await reopened(store, "s")).entries) == 6


async def test_sessions_do_not_see_each_other(store):
    """Each name has a transcript of its own."""
    one, two = await store.open("one"), await store.open("two")
    await one.append(User(content="1"))
    await one.close()
    await two.close()
    assert len((await reopened(store, "one")).entries) == 1
    assert (await reopened(store, "two")).entries == ()


async def test_a_second_live_run_gets_a_conflict(store):
    """Before anything is appended; after the first closes, the session is free."""
    log = await store.open("s")
    with pytest.raises(Conflict, match="s"):
        await store.open("s")
    await log.close()
    await (await store.open("s")).close()


async def reopened(store, session):
    """The session as it is kept now."""
    log = await store.open(session)
    await log.close()
    return log


async def test_a_lease_ends_without_a_sign_of_life(tmp_path):
    """Of a holder of which nothing is known; one that slept cannot write behind its successor's back."""
    path = tmp_path / "runs.db"
    sleeper = await SQLite(path, lease_s=0.3).open("s")
    sleeper._closed.set()  # its signs of life stop, as in a process that is suspended
    await anyio.sleep(0.4)
    successor = await SQLite(path).open("s")
    with pytest.raises(Conflict, match="taken over"):
        await sleeper.append(User(content="late"))
    await successor.append(User(content="mine"))
    await successor.close()
    assert [e.content for e in (await reopened(SQLite(path), "s")).entries] == ["mine"]


async def test_signs_of_life_keep_a_lease(tmp_path):
    """A run that appends nothing for longer than a lease still has it."""
    path = tmp_path / "runs.db"
    log = await SQLite(path, lease_s=0.3).open("s")
    await anyio.sleep(0.8)
    with pytest.raises(Conflict):
        await SQLite(path).open("s")
    await log.append(User(content="still here"))
    await log.close()


async def test_the_lease_of_a_killed_process_is_free_at_once(tmp_path):
    """Nobody waits for it to run out."""
    path = tmp_path / "runs.db"
    code = f"""
        import anyio, time
        from agentkit.stores import SQLite
        async def main():
            log = await SQLite({str(path)!r}, lease_s=3600).open("s")
            print("open", flush=True)
            time.sleep(60)
        anyio.run(main)
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "open\n"
        with pytest.raises(Conflict):
            await SQLite(path).open("s")
        child.kill()
        deadline = time.monotonic() + 5  # not reaped yet: a zombie is gone, too
        while time.monotonic() < deadline:
            try:
                log = await SQLite(path).open("s")
                break
            except Conflict:
                await anyio.sleep(0.01)
        else:
            pytest.fail("the lease of a dead process held on")
        await log.close()
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def test_this_process_is_not_gone():
    """Nor is one of another machine, of which nothing is known; a name nobody can read is not taken for dead."""
    assert not is_gone(own_name())
    machine, pid, started = own_name().split("|")
    assert not is_gone(f"elsewhere|{pid}|{started}")
    assert is_gone(f"{machine}|{pid}|1") or not started
    assert not is_gone(f"{machine}|x|")
    assert os.getpid() == int(pid)


async def test_a_file_that_is_no_database_is_refused(tmp_path):
    """The error names the file."""
    path = tmp_path / "notes.txt"
    path.write_text("these are notes, and long enough to be no database " * 20)
    with pytest.raises(StoreError, match="notes.txt"):
        await SQLite(path).open("s")


async def test_a_damaged_entry_is_refused_and_the_session_stays_free(tmp_path):
    """The error says which session."""
    path = tmp_path / "runs.db"
    log = await SQLite(path).open("s")
    await log.append(User(content="x"))
    await log.close()
    with sqlite3.connect(path) as db:
        db.execute('UPDATE entries SET entry = \'{"kind": "user", "v": 99}\'')
    db.close()
    for _ in range(2):
        with pytest.raises(StoreError, match="'s'") as caught:
            await SQLite(path).open("s")
        assert not isinstance(caught.value, Conflict)
