"""Reads the source of the house, for the guards: modules, what they import and where, how long things are."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
FIRST_PARTY = ("agentkit", "agentkit_tools")


@dataclass(frozen=True)
class Import:
    """One imported module.

    Attributes:
        target: Its full name; of `from a import b` it is `a.b` if that is a module of the house, else `a`.
        line: Where.
        lazy: The import stands in a function.
        typing: The import stands under `if TYPE_CHECKING` and never runs.
    """

    target: str
    line: int
    lazy: bool
    typing: bool


@dataclass(frozen=True)
class Module:
    """One file of the house."""

    name: str
    text: str
    house: frozenset[str] = frozenset()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def imports(self) -> list[Import]:
        return [*self._imports(self.tree, lazy=False, typing=False)]

    @cached_property
    def functions(self) -> list[tuple[str, int]]:
        """Name and length in lines (decorators left out) of each function."""
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        return [
            (node.name, (node.end_lineno or node.lineno) - node.lineno + 1)
            for node in ast.walk(self.tree)
            if isinstance(node, kinds)
        ]

    def _imports(self, node: ast.AST, *, lazy: bool, typing: bool) -> Iterator[Import]:
        match node:
            case ast.Import():
                for alias in node.names:
                    yield Import(alias.name, node.lineno, lazy, typing)
            case ast.ImportFrom(level=0):
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    yield Import(full if full in self.house else node.module or "", node.lineno, lazy, typing)
            case ast.ImportFrom():
                yield Import("." * node.level + (node.module or ""), node.lineno, lazy, typing)
            case ast.Call(
                func=ast.Name(id="import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str() as name), *_],
            ):
                yield Import(name, node.lineno, lazy, typing)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                lazy = True
            case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
                for child in node.body:
                    yield from self._imports(child, lazy=lazy, typing=True)
                for child in node.orelse:
                    yield from self._imports(child, lazy=lazy, typing=typing)
                return
            case _:
                pass
        for child in ast.iter_child_nodes(node):
            yield from self._imports(child, lazy=lazy, typing=typing)


House = Mapping[str, Module]


def house(sources: Mapping[str, str]) -> House:
    """The modules of these sources, by name."""
    names = frozenset(sources)
    return {name: Module(name, text, names) for name, text in sources.items()}


def our_house() -> House:
    """The modules of `agentkit/` and `tools/agentkit_tools/`."""
    sources = {}
    for folder in (ROOT, ROOT / "tools"):
        for package in FIRST_PARTY:
            for path in sorted((folder / package).rglob("*.py")):
                parts = path.relative_to(folder).with_suffix("").parts
                sources[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(encoding="utf-8")
    return house(sources)


def within(name: str, room: str) -> bool:
    """Whether a module stands in a room (a package, or a single module)."""
    return name == room or name.startswith(room + ".")
