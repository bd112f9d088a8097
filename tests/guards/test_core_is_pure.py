"""The core decides; it does nothing. No clock, no network, no file, no randomness, no thread, no state of its own."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap

import pytest
from guards.house import ROOT, House, house, our_house, within

ALLOWED = {
    "__future__",
    "base64",
    "bisect",
    "collections",
    "copy",
    "dataclasses",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "hashlib",
    "itertools",
    "json",
    "keyword",
    "math",
    "operator",
    "re",
    "reprlib",
    "string",
    "textwrap",
    "types",
    "typing",
    "unicodedata",
    "urllib.parse",
}
"""The part of the standard library that computes. What is not here (time, random, uuid, os, io, threading) acts."""

ACTING = {"open", "print", "input", "exec", "eval", "compile", "__import__", "breakpoint", "globals"}


def core(modules: House) -> House:
    return {name: module for name, module in modules.items() if within(name, "agentkit.core")}


def acting_imports(modules: House) -> list[str]:
    """Imports of what could act."""
    return [
        f"{name}:{one.line} imports {one.target}"
        for name, module in core(modules).items()
        for one in module.imports
        if not within(one.target, "agentkit")
        if one.target not in ALLOWED and one.target.split(".")[0] not in ALLOWED
    ]


def acting_calls(modules: House) -> list[str]:
    """Calls of builtins that act."""
    return [
        f"{name}:{node.lineno} calls {node.func.id}"
        for name, module in core(modules).items()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ACTING
    ]


def own_state(modules: House) -> list[str]:
    """Functions that change the module they stand in."""
    return [
        f"{name}:{node.lineno} has a global"
        for name, module in core(modules).items()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Global)
    ]


def waiting(modules: House) -> list[str]:
    """Anything async: what waits, acts."""
    kinds = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    return [
        f"{name}:{node.lineno} waits"
        for name, module in core(modules).items()
        for node in ast.walk(module.tree)
        if isinstance(node, kinds)
    ]


GUARDS = (acting_imports, acting_calls, own_state, waiting)

BAD = [
    (acting_imports, "import time"),
    (acting_imports, "from datetime import datetime"),
    (acting_imports, "from uuid import uuid4"),
    (acting_imports, "import random"),
    (acting_imports, "from pathlib import Path"),
    (acting_imports, "def f():\n    import os"),
    (acting_imports, "from urllib.request import urlopen"),
    (acting_imports, "import anyio"),
    (acting_calls, "def f():\n    return open('x')"),
    (acting_calls, "print('debug')"),
    (own_state, "x = 0\ndef f():\n    global x\n    x += 1"),
    (waiting, "async def f(): pass"),
]


@pytest.mark.parametrize("guard", GUARDS)
def test_the_core_is_pure(guard):
    """No fault in our own core."""
    assert guard(our_house()) == []


@pytest.mark.parametrize(("guard", "text"), BAD)
def test_a_guard_sees_what_it_guards_against(guard, text):
    """Each guard can fail, and looks at the core only."""
    assert len(guard(house({"agentkit.core.a": text}))) == 1
    assert guard(house({"agentkit.runtime.a": text})) == []


def test_the_core_stands_alone():
    """Every module of the core is imported by an interpreter that has no third-party package at all."""
    names = [name for name in our_house() if within(name, "agentkit.core")]
    code = f"""
        import importlib, sys, types

        package = types.ModuleType("agentkit")  # the front door stays shut: it would bring the rest of the house
        package.__path__ = [{str(ROOT / "agentkit")!r}]
        sys.modules["agentkit"] = package
        for name in {names!r}:
            importlib.import_module(name)
        print(*sorted(name for name in sys.modules if name.startswith("agentkit.")))
    """
    command = [sys.executable, "-I", "-S", "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {*names, "agentkit.errors"}
