"""Elements with untyped text: the reader that the XML-like dialects share.

Nothing is escaped in them, so a value may hold the very tags that could end it. A closing tag therefore ends a value
only where the markup goes on behind it: another parameter, the end of the call, or the end of the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from agentkit.core.json_repair import JSONError, repair
from agentkit.core.messages import ToolSpec
from agentkit.models.dialects.source import CutOff, Found, NoCall, Read, Source, dump
from agentkit.models.dialects.tools import properties, typed

MAX_TAG = 240
"""Characters of one opening tag."""

_ATTRIBUTE = re.compile(r"""([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'/>]+))""")

_NAME = re.compile(r"""\s*+["']?[\w.:/-]*+["']?\s*+/?""")

Trim: TypeAlias = Callable[[str], str]


def verbatim(text: str) -> str:
    """The value is the text between the tags, to the letter."""
    return text


def one_newline(text: str) -> str:
    """One newline on each side belongs to the markup; everything else is data."""
    return text.removeprefix("\n").removesuffix("\n")


def unwrapped(text: str) -> str:
    """The value may stand in a CDATA section."""
    bare = text.strip()
    return bare[9:-3] if bare.startswith("<![CDATA[") and bare.endswith("]]>") else text


def plain(value: Any) -> str:
    """A value as untyped text: a string as it is, anything else as JSON."""
    return value if isinstance(value, str) else dump(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """How the elements of a dialect are written.

    Attributes:
        call: The beginning of a call's opening tag, up to its name.
        call_end: The closing tag of a call.
        parameter: The beginning of a parameter's opening tag, up to its name.
        parameter_end: The closing tag of a parameter.
        outer: Markers around calls.
        trim: What of the text between the tags is the value.
    """

    call: str
    call_end: str
    parameter: str
    parameter_end: str
    outer: tuple[str, ...] = ()
    trim: Trim = verbatim


def written(call: Found, tags: Tags, gap: str = "") -> str:
    """A call as an element whose names stand in attributes; the gap follows each tag but the last."""
    parameters = (
        f'{tags.parameter}name="{key}">{plain(value)}{tags.parameter_end}{gap}' for key, value in call.arguments.items()
    )
    return f'{tags.call}name="{call.name}">{gap}{"".join(parameters)}{tags.call_end}'


def open_tag(src: Source, begun: str = "") -> tuple[dict[str, str], bool]:
    """Move past the rest of an opening tag; its attributes and whether it closes itself.

    Args:
        src: Stands after the beginning of the tag.
        begun: That beginning. Where it ends with `=`, what follows is the attribute `name`.

    Raises:
        CutOff: The text ends inside the tag.
        NoCall: This is no tag.
    """
    end = src.text.find(">", src.at, src.at + MAX_TAG)
    if end < 0:
        if len(src.text) - src.at < MAX_TAG:
            src.settle()
            raise CutOff
        raise src.prose()
    inside = src.text[src.at : end]
    src.at = end + 1
    closed = inside.endswith("/")
    inside = inside.removesuffix("/")
    if begun.endswith("="):
        return {"name": inside.strip(" \t\n\"'")}, closed
    return {found[1]: found[2] or found[3] or found[4] or "" for found in _ATTRIBUTE.finditer(inside)}, closed


def element(tags: Tags) -> Read:
    """A reader of one call, beginning at its opening tag."""

    def read(src: Source) -> None:
        if not src.take(tags.call) or (tags.call.endswith("=") and not _may_be_name(src)):
            raise src.prose()
        attributes, closed = open_tag(src, tags.call)
        spec = src.tools.get(attributes.get("name"))
        src.space()
        if not closed and src.sees("{"):
            arguments = src.arguments()
            src.space()
            src.take(tags.call_end)
        else:
            arguments = {} if closed else _parameters(src, tags, spec)
        src.keep(spec, arguments)

    return read


def _may_be_name(src: Source) -> bool:
    """Whether a name and the end of its tag stand here, or may still come."""
    end = _NAME.match(src.text, src.at).end()  # type: ignore[union-attr]  # matches always
    return end == len(src.text) or src.text[end] == ">"


def _parameters(src: Source, tags: Tags, spec: ToolSpec | None) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    value_ends = _value_ends(tags)
    while True:
        src.space()
        if src.take(tags.call_end) or (arguments and any(map(src.sees, tags.outer))):
            return arguments
        if not src.take(tags.parameter):
            raise CutOff if src.ended() else src.prose()
        attributes, closed = open_tag(src, tags.parameter)
        key = attributes.get("name", "")
        further = properties(spec).keys() - arguments.keys() - {key}
        text = "" if closed else tags.trim(_text(src, tags, value_ends, further))
        arguments[key] = _typed(spec, key, text, attributes.get("string"))


def _typed(spec: ToolSpec | None, key: str, text: str, is_string: str | None) -> Any:
    """A value by what the markup says of its type (`string="true"`), else by the schema."""
    if is_string == "true" or spec is None:
        return text
    if is_string == "false":
        try:
            return repair(text).value
        except JSONError:
            return text
    return typed(spec, key, text)


@cache
def _value_ends(tags: Tags) -> re.Pattern[str]:
    """What may end a value: its closing tag, a further parameter on a new line, the end of the call."""
    end, further, call_end = map(re.escape, (tags.parameter_end, tags.parameter, tags.call_end))
    return re.compile(rf"(?P<end>{end})|(?P<further>\n[ \t]*{further})|(?P<call_end>{call_end})")


def _text(src: Source, tags: Tags, value_ends: re.Pattern[str], further: Collection[str]) -> str:
    """Move past the text of a parameter and its closing tag, which may be missing where the markup goes on.

    The end of a call counts only where the markup around it goes on too. Where it never does, the first one counts.
    """
    start, limit = src.at, len(src.text)
    doubtful: tuple[int, int] | None = None
    while found := value_ends.search(src.text, src.at, limit):
        end, after = found.start(), found.end()
        src.at = after
        match found.lastgroup:
            case "end":
                ends = goes_on(src, tags.parameter, tags.call_end, *tags.outer)
                if ends and src.take(tags.call_end) and not goes_on(src, *tags.outer):
                    ends = False
                    if doubtful is None:
                        doubtful = end, after
                        limit = next_call if (next_call := src.text.find(tags.call, after)) >= 0 else limit
            case "further":
                end = after = end + 1
                ends = _begins_parameter(src, tags, further)
            case _:
                after = end
                ends = goes_on(src, *tags.outer, or_ends=False)
        if ends:
            src.at = after
            return src.text[start:end]
        src.at = found.end()
    if limit == len(src.text):
        src.settle()
    if doubtful is None:
        raise CutOff
    src.at = doubtful[1]
    return src.text[start : doubtful[0]]


def _begins_parameter(src: Source, tags: Tags, further: Collection[str]) -> bool:
    """Whether the rest of an opening tag stands here, of a parameter that may still come."""
    try:
        attributes, _ = open_tag(src, tags.parameter)
    except (CutOff, NoCall):
        return False
    return attributes.get("name") in further


def goes_on(src: Source, *markers: str, or_ends: bool = True) -> bool:
    """Whether one of the markers follows, or the end of the text where that will do."""
    src.space()
    return or_ends if src.ended() else any(map(src.sees, markers))
