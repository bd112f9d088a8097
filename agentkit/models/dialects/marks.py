"""Finding any of many literal marks in a text that still grows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any


@dataclass(frozen=True, slots=True)
class Marks:
    """A set of literals, compiled.

    Attributes:
        whole: Matches any of them, the longest first.
        part: Matches the end of a text that may be the beginning of one of them.
        longest: Characters of the longest.
    """

    whole: re.Pattern[str]
    part: re.Pattern[str]
    longest: int

    def hold(self, text: str, start: int) -> int:
        """Where the end of the text begins that may still become a mark; the length of the text if there is none."""
        found = self.part.search(text, max(start, len(text) - self.longest))
        return found.start() if found else len(text)

    def may_grow(self, text: str, at: int) -> bool:
        """Whether all that stands from `at` on is the beginning of a mark."""
        return len(text) - at < self.longest and bool(self.part.match(text, at))


@lru_cache(maxsize=128)
def compile_marks(literals: frozenset[str]) -> Marks:
    """The marks of a set of literals, none of them empty."""
    tree: dict[str, Any] = {}
    for literal in literals:
        node = tree
        for character in literal:
            node = node.setdefault(character, {})
        node[""] = {}
    return Marks(
        whole=re.compile(_whole(tree)),
        part=re.compile(rf"{_part(tree)}\Z"),
        longest=max(map(len, literals)),
    )


def _whole(node: dict[str, Any]) -> str:
    """A pattern of the tree's literals; where one begins another, the longer comes first."""
    branches = [re.escape(character) + _whole(child) for character, child in sorted(node.items()) if character]
    if not branches:
        return ""
    inside = branches[0] if len(branches) == 1 and "" not in node else f"(?:{'|'.join(branches)})"
    return inside + ("?" if "" in node else "")


def _part(node: dict[str, Any]) -> str:
    """A pattern of the proper beginnings of the tree's literals."""
    branches = []
    for character, child in sorted(node.items()):
        if character and child.keys() != {""}:
            branches.append(re.escape(character) + f"(?:{inside})?" if (inside := _part(child)) else re.escape(character))
    return f"(?:{'|'.join(branches)})" if branches else ""
