"""Finding any of many literal marks in a text that still grows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

NEAR = 4
"""So many characters tell almost all text from a mark."""


@dataclass(frozen=True, slots=True)
class Marks:
    """A set of literals, compiled.

    Attributes:
        whole: Matches any of them, the longest first.
        beginnings: What may still become one of them.
        first: Matches the characters that they begin with.
        near: Matches the first characters of a mark, or fewer where the text ends: where it finds none, there is none.
        longest: Characters of the longest.
    """

    whole: re.Pattern[str]
    beginnings: frozenset[str]
    first: re.Pattern[str]
    near: re.Pattern[str]
    longest: int

    def hold(self, text: str, start: int) -> int:
        """Where the end of the text begins that may still become a mark; the length of the text if there is none."""
        for found in self.first.finditer(text, max(start, len(text) - self.longest)):
            if text[found.start() :] in self.beginnings:
                return found.start()
        return len(text)

    def may_grow(self, text: str, at: int) -> bool:
        """Whether all that stands from `at` on is the beginning of a mark."""
        return len(text) - at < self.longest and text[at:] in self.beginnings


@lru_cache(maxsize=128)
def compile_marks(literals: frozenset[str]) -> Marks:
    """The marks of a set of literals, none of them empty."""
    tree = _tree(literals)
    return Marks(
        whole=re.compile(_pattern(tree)),
        near=re.compile(_pattern(_tree({literal[:NEAR] for literal in literals}), r"\Z")),
        beginnings=frozenset(literal[:end] for literal in literals for end in range(1, len(literal))),
        first=re.compile("|".join(map(re.escape, sorted(tree)))),
        longest=max(map(len, literals)),
    )


def _tree(literals: Iterable[str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for literal in literals:
        node = tree
        for character in literal:
            node = node.setdefault(character, {})
        node[""] = {}
    return tree


def _pattern(node: dict[str, Any], cut: str = "", inner: str = "") -> str:
    """A pattern of the tree's literals; where one begins another, the longer comes first.

    Args:
        node: The tree.
        cut: What may stand instead of the rest of a literal.
        inner: The same for this node, which nothing stands before.
    """
    branches = [
        re.escape(character) + _pattern(child, cut, cut) for character, child in sorted(node.items()) if character
    ]
    if not branches:
        return ""
    branches += [inner] if inner and "" not in node else []
    inside = branches[0] if len(branches) == 1 and "" not in node else f"(?:{'|'.join(branches)})"
    return inside + ("?" if "" in node else "")
