"""Tools named on the command line: a file of tools, or `package:name`."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from agentkit.errors import UsageError
from agentkit.tooling.tool import Tool

READY = ("agentkit_tools:calculator", "agentkit_tools:clock", "agentkit_tools:units")
SEARCH = "agentkit_tools.web_search:web_search"
CONFIGURED = "agentkit_tools.web_search:configured"


def ready_tools() -> list[Any]:
    """Calculator, clock and units; web search too when a backend for it is configured."""
    tools = [_named(spec) for spec in READY]
    return [*tools, _named(SEARCH)] if _named(CONFIGURED)() else tools


def load_tools(specs: Iterable[str]) -> list[Any]:
    """The tools that these specs name.

    Raises:
        UsageError: A spec names nothing that is a tool.
    """
    tools: list[Any] = []
    for spec in specs:
        found = _from_file(Path(spec)) if spec.endswith(".py") else _named(spec)
        tools += found if isinstance(found, list | tuple) else [found]
    return tools


def _from_file(path: Path) -> list[Any]:
    """The tools of a file; if it has none, its public functions."""
    if not path.is_file():
        raise UsageError(f"--tools {path}: there is no such file")
    name = f"agentkit_cli_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"--tools {path}: it cannot be read as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # annotations are resolved through it
    try:
        spec.loader.exec_module(module)
    except UsageError:
        raise
    except (Exception, SystemExit) as fault:
        raise UsageError(f"--tools {path}: it failed with {type(fault).__name__}: {fault}") from fault
    found = [value for value in vars(module).values() if isinstance(value, Tool)] or _functions(module)
    if not found:
        raise UsageError(f"--tools {path}: it has no tools; put @tool on a function")
    return found


def _functions(module: ModuleType) -> list[Any]:
    return [
        value
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    ]


def _named(spec: str) -> Any:
    package, colon, name = spec.partition(":")
    if not colon or not name:
        raise UsageError(f"--tools {spec}: give a file (tools.py) or package:name")
    try:
        return getattr(importlib.import_module(package), name)
    except (Exception, SystemExit) as fault:
        raise UsageError(f"--tools {spec}: {fault}") from fault
