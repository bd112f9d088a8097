"""What a docstring says of a tool and of its parameters: Google, NumPy, reST and epytext.

A docstring is prose, so reading it cannot fail: what is no section that we know stays in the description. The rules:

* A **section** is a known title alone on its line: followed by a colon (Google) or underlined (NumPy). A Google section
  ends where the indentation does, a NumPy one at the next title. No blank line is needed before either.
* A **field** is `:param int name: text` (reST) or `@param name: text` (epytext); it goes on while lines are indented.
* Sections and fields that describe the code's result or errors are left out; notes and warnings are kept.
* `a, b : int` describes both; `a - text` is `a: text`; stars, back-ticks and back-slashes around names are ornament,
  and so are bullets.
* The names are known, so a section may even be flush with its title: dedenting a docstring that starts with `Args:`
  leaves it so.

Why no parser from the package index: the usual one takes 0.07 s to import, drops every parameter when one line is odd,
and loses docstrings that start with `Args:`. Each line is looked at once here.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

_Part: TypeAlias = Literal["parameters", "dropped", "kept"]

_SECTIONS: dict[str, _Part] = {
    **dict.fromkeys(("args", "arguments", "parameters", "params", "keyword args", "keyword arguments"), "parameters"),
    **dict.fromkeys(("other parameters", "other params", "other arguments", "other args"), "parameters"),
    **dict.fromkeys(("returns", "return", "yields", "yield", "receives", "raises", "raise"), "dropped"),
    **dict.fromkeys(("exceptions", "except", "warns", "example", "examples", "attributes", "methods"), "dropped"),
    **dict.fromkeys(("references", "see also", "todo", "todos"), "dropped"),
    **dict.fromkeys(("note", "notes", "warning", "warnings", "important", "caution", "hint", "tip"), "kept"),
}
_FIELDS: dict[str, _Part] = {
    **dict.fromkeys(("param", "parameter", "arg", "argument", "key", "keyword", "kwarg", "kwparam"), "parameters"),
    **dict.fromkeys(("type", "kwtype", "return", "returns", "rtype", "yield", "yields", "ytype"), "dropped"),
    **dict.fromkeys(("raise", "raises", "except", "exception", "throws", "var", "ivar", "cvar"), "dropped"),
    **dict.fromkeys(("vartype", "meta", "see", "todo", "author", "since", "version", "deprecated"), "dropped"),
}

_TITLE = re.compile(r"(?P<title>[A-Za-z]+(?: [A-Za-z]+)?) ?(?P<colon>:?)\s*$")
_UNDERLINE = re.compile(r"\s*(?:-{3,}|={3,})\s*$")
_FIELD = re.compile(r"[:@](?P<kind>[a-z]+)(?P<names>(?:\s[^:]*)?):(?:\s+(?P<text>.*))?$")
_NAMES = r"[\\*`'\"]*\w+[*`'\"]*(?:\s*,\s*[\\*`'\"]*\w+[*`'\"]*)*"
_GOOGLE_ENTRY = re.compile(rf"(?P<names>{_NAMES})\s*(?:[(\[].*?[)\]]\s*)?(?::|(?<=\s)[-–—]+\s)\s*(?P<text>.*)$")
_NUMPY_ENTRY = re.compile(rf"(?P<names>{_NAMES})\s*(?:[(\[].*?[)\]]\s*:\s*(?P<text>.*)|(?::.*)?)$")
_BULLET = re.compile(r"[-*+•] +")
_WORD = re.compile(r"\w+")
_MANY_BLANK = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True)
class Documented:
    """A docstring, read.

    Attributes:
        description: What the tool does.
        parameters: What each documented parameter means, by name.
    """

    description: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


def read_docstring(text: str | None, names: Collection[str]) -> Documented:
    """The description and what is said of the parameters `names`."""
    if not text:
        return Documented()
    prose: list[str] = []
    said: dict[str, list[str]] = {}
    for block in _blocks(inspect.cleandoc(text).split("\n"), names):
        if block.part == "kept":
            prose += block.lines
        elif block.part == "parameters":
            said.update(_entries(block, names))
    described = {name: inspect.cleandoc("\n".join(lines)).strip() for name, lines in said.items()}
    description = _MANY_BLANK.sub("\n\n", "\n".join(prose)).strip()
    return Documented(description, {name: text for name, text in described.items() if text})


class _Block(NamedTuple):
    """Lines that belong together; those of a field begin with the field itself."""

    part: _Part
    style: Literal["google", "numpy", "field", "prose"]
    lines: list[str]


def _blocks(lines: list[str], names: Collection[str]) -> Iterator[_Block]:
    at = 0
    while at < len(lines):
        if (title := _title(lines, at)) is not None:
            part, style = title
            start = at + (2 if style == "numpy" else 1)
            end = _end_of_numpy(lines, start) if style == "numpy" else _end_of_google(lines, start, names)
            yield _Block(part, style, lines[at:end] if part == "kept" else lines[start:end])
        elif (found := _FIELD.match(lines[at].strip())) and found["kind"] in _FIELDS:
            end = _end_of_field(lines, at)
            yield _Block(_FIELDS[found["kind"]], "field", lines[at:end])
        else:
            end = at + 1
            yield _Block("kept", "prose", lines[at:end])
        at = end


def _title(lines: list[str], at: int) -> tuple[_Part, Literal["google", "numpy"]] | None:
    found = _TITLE.match(lines[at].strip())
    part = _SECTIONS.get(found["title"].lower()) if found else None
    if found is None or part is None:
        return None
    if found["colon"]:
        return part, "google"
    return (part, "numpy") if _is_underlined(lines, at) else None


def _is_underlined(lines: list[str], at: int) -> bool:
    return at + 1 < len(lines) and bool(lines[at].strip()) and bool(_UNDERLINE.match(lines[at + 1]))


def _end_of_google(lines: list[str], start: int, names: Collection[str]) -> int:
    """Where the indentation ends; or, in a section flush with its title, where entries of known names do."""
    indent = _indent(lines[start - 1])
    flush = True
    for at in range(start, len(lines)):
        if not lines[at].strip():
            continue
        if _indent(lines[at]) > indent:
            flush = flush and at > start
            continue
        if not flush or not _named(_GOOGLE_ENTRY, lines[at], names):
            return at
    return len(lines)


def _end_of_numpy(lines: list[str], start: int) -> int:
    return next((at for at in range(start, len(lines)) if _is_underlined(lines, at)), len(lines))


def _end_of_field(lines: list[str], start: int) -> int:
    """The next field, or what is not indented after a blank line."""
    for at in range(start + 1, len(lines)):
        text = lines[at].strip()
        if text and (_FIELD.match(text) or (not lines[at - 1].strip() and _indent(lines[at]) <= _indent(lines[start]))):
            return at
    return len(lines)


def _entries(block: _Block, names: Collection[str]) -> dict[str, list[str]]:
    """The lines that describe each known name."""
    if block.style == "field":
        found = _FIELD.match(block.lines[0].strip())
        said = [found["text"] or "", *block.lines[1:]] if found else []
        return dict.fromkeys(_named(_FIELD, block.lines[0], names), said)
    form = _GOOGLE_ENTRY if block.style == "google" else _NUMPY_ENTRY
    entries: dict[str, list[str]] = {}
    current: list[str] = []
    base = min((_indent(line) for line in block.lines if line.strip()), default=0)
    for line in block.lines:
        text = line.strip()
        if _named(form, bare := _BULLET.sub("", text), names):
            text = bare
        entry = form.match(text) if _indent(line) == base else None
        if entry is None:
            current.append(line)
            continue
        current = [entry["text"] or ""]
        entries |= dict.fromkeys(_named(form, text, names), current)
    return entries


def _named(form: re.Pattern[str], line: str, names: Collection[str]) -> list[str]:
    """The known names that an entry or a field describes; a type may stand before a name."""
    found = form.match(line.strip())
    listed = (found["names"] or "").split(",") if found else []
    return [word for part in listed for word in _WORD.findall(part)[-1:] if word in names]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
