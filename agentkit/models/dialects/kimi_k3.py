"""Kimi K3: an XML of control tokens; the markup says of each argument which type it has.

    <|open|>tools<|sep|><|open|>call tool="get_weather" index="1"<|sep|><|open|>argument key="city" type="string"<|sep|>
    Oslo<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|>

Attributes are escaped as in XML, values are not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from agentkit.core.json_schema import type_of
from agentkit.models.dialects.dialect import Family, elements
from agentkit.models.dialects.source import CutOff, Found, Source
from agentkit.models.dialects.tools import convert, typed
from agentkit.models.dialects.xml import goes_on, plain

_OPEN_CALL, _CLOSE_CALL = "<|open|>call ", "<|close|>call<|sep|>"
_OPEN_ARGUMENT, _CLOSE_ARGUMENT = "<|open|>argument ", "<|close|>argument<|sep|>"
_OPEN_TOOLS, _CLOSE_TOOLS = "<|open|>tools<|sep|>", "<|close|>tools<|sep|>"
_ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')
_ENTITIES = {'"': "&quot;", "'": "&apos;", "<": "&lt;", ">": "&gt;", "&": "&amp;"}


def _call(src: Source) -> None:
    if not src.take(_OPEN_CALL):
        raise src.prose()
    spec = src.tools.get(_attributes(src).get("tool"))
    arguments: dict[str, Any] = {}
    while True:
        src.space()
        if src.take(_CLOSE_CALL):
            break
        if not src.take(_OPEN_ARGUMENT):
            raise CutOff if src.ended() else src.no_call()
        attributes = _attributes(src)
        key, kind = attributes.get("key", ""), attributes.get("type")
        text = _value(src)
        arguments[key] = convert(text, {"type": kind}, {}) if kind else typed(spec, key, text)
    src.keep(spec, arguments)


def _attributes(src: Source) -> dict[str, str]:
    """Move past the rest of an opening tag and return its attributes."""
    return {key: _unescaped(value) for key, value in _ATTRIBUTE.findall(src.until("<|sep|>"))}


def _unescaped(text: str) -> str:
    for character, entity in _ENTITIES.items():
        text = text.replace(entity, character)
    return text


def _value(src: Source) -> str:
    """Move past a value and its closing tag, which counts only where the markup goes on."""
    start, ends = src.at, False
    while not ends:
        src.until(_CLOSE_ARGUMENT)
        end = src.at
        ends = goes_on(src, _OPEN_ARGUMENT, _CLOSE_CALL)
        src.at = end
    return src.text[start : src.at - len(_CLOSE_ARGUMENT)]


def _write(calls: Sequence[Found]) -> str:
    inside = "".join(
        f'{_OPEN_CALL}tool="{_quoted(call.name)}" index="{number}"<|sep|>'
        + "".join(map(_argument, call.arguments.items()))
        + _CLOSE_CALL
        for number, call in enumerate(calls, 1)
    )
    return f"{_OPEN_TOOLS}{inside}{_CLOSE_TOOLS}"


def _argument(item: tuple[str, Any]) -> str:
    key, value = item
    kind = type_of(value).replace("integer", "number")
    return f'{_OPEN_ARGUMENT}key="{_quoted(key)}" type="{kind}"<|sep|>{plain(value)}{_CLOSE_ARGUMENT}'


def _quoted(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;")


KIMI_K3 = Family(
    name="kimi-k3",
    models=("kimi-k3",),
    dialects=elements("kimi-k3", _call, _OPEN_CALL, _CLOSE_CALL, (_OPEN_TOOLS, _CLOSE_TOOLS)),
    write=_write,
)
