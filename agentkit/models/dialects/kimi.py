"""Kimi K2: special tokens; the name stands in the id of the call.

<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>{"city": "Oslo"}
<|tool_call_end|><|tool_calls_section_end|>
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentkit.models.dialects.dialect import Dialect, Family
from agentkit.models.dialects.source import CutOff, Found, NoCall, Source, dump

_SECTION, _SECTION_END = "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"
_SECTIONS = (_SECTION, "<|tool_call_section_begin|>")  # the singular occurs, too
_SECTION_ENDS = (_SECTION_END, "<|tool_call_section_end|>")
_CALL, _CALL_END = "<|tool_call_begin|>", "<|tool_call_end|>"
_ARGUMENTS = "<|tool_call_argument_begin|>"
_NUMBER = re.compile(r":\d+$")


def _section(src: Source) -> None:
    """Read calls to the end of the section; other text in it is noise."""
    src.silent = True
    while src.skip_past(_CALL, *_SECTION_ENDS) == _CALL:
        start = src.at
        try:
            _call(src)
        except NoCall as no:
            src.at = no.end or start
            src.rest.append(src.text[start - len(_CALL) : src.at])
        except CutOff:
            src.at = start
            if all(src.find(end) < 0 for end in _SECTION_ENDS):
                raise
    if src.rest and not src.calls:
        raise src.no_call(end=src.at)


def _call(src: Source) -> None:
    """Read one call after its opening marker, closing marker included."""
    written = src.word()
    while src.take(":"):
        written += ":" + src.word()
    src.space()
    if not written or not src.take(_ARGUMENTS):
        raise CutOff if src.ended() else src.prose()
    src.space()
    spec = src.tools.get(written) or src.tools.get(_NUMBER.sub("", written))
    arguments = src.arguments()
    src.space()
    src.take(_CALL_END)
    src.keep(spec, arguments)


def _write(calls: Sequence[Found]) -> str:
    inside = "".join(
        f"{_CALL}functions.{call.name}:{index}{_ARGUMENTS}{dump(call.arguments)}{_CALL_END}"
        for index, call in enumerate(calls)
    )
    return f"{_SECTION}{inside}{_SECTION_END}"


KIMI = Family(
    name="kimi",
    models=("kimi-k2", "kimi"),
    dialects=(
        Dialect(label="kimi", openers=_SECTIONS, closers=(_CALL_END, *_SECTION_ENDS), read=_section),
        Dialect(label="kimi", openers=(_CALL,), closers=(_CALL_END, *_SECTION_ENDS), read=_call),
    ),
    write=_write,
)
