"""A tool's name as models write it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection

_DECORATED = re.compile(r"^(?:\w+ )?to=|^(?:(?:functions?|tools?|default_api|api)[.:/])+|:\d+$|\(\s*\)$", re.IGNORECASE)
_AROUND = " \t\r\n\"'`*"
_MAX_NAME_CHARS = 200
_MAX_OFFERED = 30


def resolve_name(name: str, offered: Collection[str]) -> str | None:
    """The one offered tool that is meant; None when there is none, or more than one.

    Case, blanks, quotes, prefixes (`functions.`, `to=`), markers (`add<|channel|>commentary`), counters (`add:0`), `()`
    and the sort of separators do not count. Similar names are not the same name.
    """
    if name in offered:
        return name
    if len(name) > _MAX_NAME_CHARS:
        return None
    for form in _FORMS:
        wanted = form(name)
        fitting = [each for each in offered if form(each) == wanted] if wanted else []
        if fitting:
            return fitting[0] if len(fitting) == 1 else None
    return None


def unknown_tool(name: str, offered: Collection[str]) -> str:
    """What the model is told about a name that is no tool: the nearest one, and all."""
    said = f'unknown tool "{clipped(name)}"'
    if not offered:
        return f"{said}; no tools are offered"
    listed = ", ".join(list(offered)[:_MAX_OFFERED])
    more = f", and {len(offered) - _MAX_OFFERED} more" if len(offered) > _MAX_OFFERED else ""
    return f'{said}; did you mean "{_nearest(name, offered)}"? offered: {listed}{more}'


def similar_name(name: str, offered: Collection[str]) -> str | None:
    """The offered name that is so similar that it must be meant; None when none is."""
    found = difflib.get_close_matches(name[:_MAX_NAME_CHARS], offered, n=1)
    return found[0] if found else resolve_name(name, offered)


def clipped(text: str, limit: int = 60) -> str:
    """The text on one line, at most `limit` characters."""
    line = " ".join(text[: 4 * limit].split())
    return line if len(line) <= limit and len(text) <= 4 * limit else line[: limit - 3] + "..."


def _nearest(name: str, offered: Collection[str]) -> str:
    wanted = _letters(name[:_MAX_NAME_CHARS])
    return max(offered, key=lambda each: difflib.SequenceMatcher(None, wanted, _letters(each)).ratio())


def _bare(name: str) -> str:
    name = name.partition("<")[0].strip(_AROUND)
    while (shorter := _DECORATED.sub("", name).strip(_AROUND)) != name:
        name = shorter
    return name


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", _bare(name)).casefold()


_FORMS: tuple[Callable[[str], str], ...] = (_bare, lambda name: _bare(name).casefold(), _letters)
