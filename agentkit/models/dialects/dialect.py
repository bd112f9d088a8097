"""What a dialect and a family of models are, and the reader that most dialects share.

A *dialect* is one way to write calls as text: the markers that open it, and a function that reads what follows. A
*family* is the models that share dialects, with the way in which calls, results and the list of tools are written for
them when their server knows no tools.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from agentkit.core.messages import ToolSpec
from agentkit.models.dialects.source import CutOff, Found, NoCall, Prose, Read, Source

Write: TypeAlias = Callable[[Sequence[Found]], str]
Offer: TypeAlias = Callable[[Sequence[ToolSpec]], str]
Answer: TypeAlias = Callable[[str, str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One way to write calls as text.

    Attributes:
        label: Its name, as in `ToolCall.recovered`.
        read: Reads the calls that follow the opener.
        openers: The markers. A dialect without any is bare: it is tried at the start of a message.
        whole: The calls must be the whole message.
        at_opener: `read` begins at the opener, not after it.
        line_start: The opener counts only at the start of a line.
        doubtful: The opener begins other things too: what is cut off after it is a call only if it names a tool.
        closers: What a damaged call leaves behind; dropped after a call.
    """

    label: str
    read: Read
    openers: tuple[str, ...] = ()
    whole: bool = False
    at_opener: bool = False
    line_start: bool = False
    doubtful: bool = False
    closers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Models that share dialects.

    Attributes:
        name: Its name.
        models: Parts of the names of its models, in lower case.
        dialects: How its models write calls.
        write: Calls as its models write them.
        offer: The list of tools and how to call them, for the system message; None where no prompt is known.
        answer: The result of a tool (its name, its text), for the message after the call.
        system: Whether its templates know instructions; else they stand in the first user message.
        alone: A call has no mark and must be the whole message: no text beside it is shown to the model again.
    """

    name: str
    models: tuple[str, ...]
    dialects: tuple[Dialect, ...]
    write: Write
    offer: Offer | None = None
    answer: Answer | None = None
    system: bool = True
    alone: bool = False


def joined(one: Callable[[Found], str], before: str = "", after: str = "", *, between: str = "") -> Write:
    """Writes each call with `one`, and all of them between two markers."""
    return lambda calls: before + between.join(map(one, calls)) + after


def describe(spec: ToolSpec) -> dict[str, Any]:
    """A tool as chat completions describe it."""
    function = {"name": spec.name, "description": spec.description, "parameters": _plain(spec.parameters)}
    return {"type": "function", "function": function}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def enclosed(item: Read, *closers: str) -> Read:
    """A reader of one or several items up to a closing marker, which may be missing.

    An item that is no call stays text, and so does a damaged one, as far as the closing marker. When the text ends
    inside an item, the calls before it are kept.
    """

    def read(src: Source) -> None:
        end = src.at
        while True:
            _separators(src, surplus=bool(src.calls))
            if src.take(*closers):
                end = src.at
                break
            if src.ended():
                break
            start = src.at
            try:
                item(src)
            except NoCall as no:
                if not _keep_as_text(src, start, no, closers):
                    if not src.calls:
                        raise
                    break
            except CutOff:
                src.at = start
                if not src.skip_past(*closers):
                    raise
                src.rest.append(src.text[start : src.at])
                end = src.at
                break
            end = src.at
        src.at = end
        _require_calls(src)

    return read


def elements(label: str, item: Read, opener: str, end: str, *outer: tuple[str, str]) -> tuple[Dialect, ...]:
    """Calls in each of the outer elements, and without one.

    Args:
        label: The name of the dialect.
        item: Reads one call from its opening tag on.
        opener: The beginning of that tag. Where it ends with `=`, a name follows.
        end: The closing tag of a call.
        outer: The opening and the closing tag of each element that may hold calls.
    """
    closers = (end, *(closer for _, closer in outer))
    return (
        *(
            Dialect(label=label, openers=(begin,), closers=closers, read=enclosed(item, close))
            for begin, close in outer
        ),
        Dialect(
            label=label,
            openers=(opener,),
            at_opener=True,
            doubtful=opener.endswith("="),
            closers=closers,
            read=item,
        ),
    )


def _keep_as_text(src: Source, start: int, no: NoCall, closers: tuple[str, ...]) -> bool:
    """Keep an item that is no call as text; False when its end cannot be found, and with it the block's."""
    if no.end is not None:
        src.at = no.end
    elif isinstance(no, Prose) or not _skip_to(src, start, closers):
        return False
    src.rest.append(src.text[start : src.at])
    return True


def _skip_to(src: Source, start: int, closers: tuple[str, ...]) -> bool:
    """Move to the closing marker that follows `start`."""
    src.at = start
    closer = src.skip_past(*closers)
    src.at -= len(closer)
    return bool(closer)


def _separators(src: Source, *, surplus: bool) -> None:
    """Move past what may stand between two items; after a call, a bracket may stand once too often."""
    marks = (",", ";", "}", "]") if surplus else (",", ";")
    src.space()
    while src.take(*marks):
        src.space()


def _require_calls(src: Source) -> None:
    if src.calls or src.silent:
        return
    if src.rest:
        raise src.no_call(end=src.at)
    raise CutOff if src.ended() else src.no_call(end=src.at)
