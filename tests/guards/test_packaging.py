"""What is installed: exactly two packages, typed, with a command, and nothing of the workshop around them."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from configparser import ConfigParser
from email.parser import Parser
from pathlib import Path

import pytest
from guards.house import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built by the backend that `pyproject.toml` names."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory) -> Path:
    """A folder that holds what pip would put into site-packages."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def info(installed: Path, name: str) -> str:
    (found,) = installed.glob(f"*.dist-info/{name}")
    return found.read_text(encoding="utf-8")


def test_exactly_two_packages_are_installed(names: list[str]):
    """`agentkit` and `agentkit_tools`, and no top-level package called tools, tests, docs or examples."""
    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"agentkit", "agentkit_tools"}
    assert len(top) == 3


def test_every_module_is_installed(names: list[str]):
    """What is in the source is in the wheel, as it is."""
    for folder, package in ((ROOT, "agentkit"), (ROOT / "tools", "agentkit_tools")):
        source = {path.relative_to(folder).as_posix() for path in (folder / package).rglob("*.py")}
        assert source <= set(names)


def test_nothing_else_is_installed(names: list[str]):
    """No tests, no caches, no weights."""
    allowed = (".py", "py.typed", ".json", ".css", ".html", ".js")
    assert [name for name in names if ".dist-info/" not in name and not name.endswith(allowed)] == []
    assert [name for name in names if "test" in Path(name).name.lower() and "/testing/" not in name] == []


def test_both_packages_are_typed(names: list[str]):
    """A type checker reads the annotations."""
    assert {"agentkit/py.typed", "agentkit_tools/py.typed"} <= set(names)


def test_what_is_installed_can_be_imported(installed: Path):
    """Out of the wheel, away from the source tree."""
    code = (
        f"import sys; sys.path.insert(0, {str(installed)!r}); import agentkit, agentkit_tools; "
        "print(agentkit.__file__, agentkit_tools.__file__, sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=installed, capture_output=True, text=True, check=True)
    assert [Path(line).is_relative_to(installed) for line in done.stdout.splitlines()] == [True, True]


def test_the_command_leads_to_a_function_that_is_installed(installed: Path):
    """`agentkit` on the command line is the `main` of a module in the wheel."""
    entry_points = ConfigParser()
    entry_points.read_string(info(installed, "entry_points.txt"))
    module, function = entry_points["console_scripts"]["agentkit"].split(":")
    source = (installed / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")
    assert f"def {function}(" in source


def test_the_metadata_says_what_the_package_is(installed: Path):
    """Name, Python version, licence with its text, and five runtime dependencies (six on Windows)."""
    metadata = Parser().parsestr(info(installed, "METADATA"))
    assert (metadata["Name"], metadata["Requires-Python"]) == ("agentkit", ">=3.11")
    assert metadata["License-Expression"] == "Apache-2.0"
    assert "Apache License" in info(installed, "licenses/LICENSE")
    required = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    everywhere = [line.split(">")[0] for line in required if ";" not in line]
    assert everywhere == ["anyio", "httpcore2", "httpx2", "jsonschema", "pydantic", "typing-extensions"]
    assert [line for line in required if ";" in line] == ["tzdata; sys_platform == 'win32'"]
