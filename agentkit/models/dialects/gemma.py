"""Gemma 4 and FunctionGemma: `call:` with an object of bare keys, its strings in a quote token of their own.

    <|tool_call>call:get_weather{city:<|"|>Oslo<|"|>,days:3}<tool_call|>
    <start_function_call>call:get_weather{city:<escape>Oslo<escape>,days:3}<end_function_call>

A string holds anything but its quote token. Keys may hold blanks. Gemma 3 writes Python in a fence: see `fence.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from agentkit.core.json_repair import JSONError, repair
from agentkit.models.dialects.dialect import Dialect, Family, Write, enclosed, joined
from agentkit.models.dialects.source import CutOff, Read, Source, dump

MAX_DEPTH = 60
"""Levels of nesting that are read."""
MAX_KEY = 200
"""Characters of one bare key."""

_KEY = re.compile(r"[^:{}\[\],\"'<>]+")
_BARE = re.compile(r"[^,{}\[\]<>\"'\n:]+")


def _call(quote: str, closer: str) -> Read:
    def read(src: Source) -> None:
        src.take(":")
        if not src.take("call:"):
            raise src.prose()
        spec = src.tools.get(src.word())
        src.space()
        if not src.sees("{"):
            raise CutOff if src.ended() else src.prose()
        arguments = _value(src, quote, MAX_DEPTH)
        src.keep(spec, arguments)

    return enclosed(read, closer)


def _value(src: Source, quote: str, depth: int) -> Any:
    if src.take(quote):
        return src.until(quote)
    if src.take("{"):
        return dict(_members(src, "}", lambda: (_key(src, quote), _value(src, quote, _deeper(src, depth)))))
    if src.take("["):
        return _members(src, "]", lambda: _value(src, quote, _deeper(src, depth)))
    if src.sees('"'):
        return src.value()
    return _scalar(src)


def _deeper(src: Source, depth: int) -> int:
    if depth == 0:
        raise src.no_call()
    return depth - 1


def _members(src: Source, closer: str, member: Callable[[], Any]) -> list[Any]:
    """Read members to the closing bracket."""
    members: list[Any] = []
    while True:
        src.space()
        if src.take(closer):
            return members
        members.append(member())
        src.space()
        if not src.sees(closer):
            src.need(",")


def _key(src: Source, quote: str) -> str:
    if src.take(quote):
        key = src.until(quote)
    elif src.sees('"'):
        key = str(src.value())
    else:
        found = _KEY.match(src.text, src.at, src.at + MAX_KEY)
        src.at = found.end() if found else src.at
        key = found.group().strip() if found else ""
    src.space()
    src.need(":")
    src.space()
    return key


def _scalar(src: Source) -> Any:
    """Read a number, a literal, or a string whose quote tokens the server took away."""
    found = _BARE.match(src.text, src.at)
    if not found or found.end() == len(src.text):
        src.settle()
        raise CutOff if src.at == len(src.text) or found else src.no_call()
    src.at = found.end()
    text = found.group().strip()
    try:
        return repair(text).value
    except JSONError:
        return text


def _write(before: str, quote: str, after: str) -> Write:
    def value(item: Any) -> str:
        if isinstance(item, str):
            return f"{quote}{item}{quote}"
        if isinstance(item, Mapping):
            return "{" + ",".join(f"{name(key)}:{value(part)}" for key, part in item.items()) + "}"
        if isinstance(item, list):
            return "[" + ",".join(map(value, item)) + "]"
        return dump(item)

    def name(key: str) -> str:
        return key if _KEY.fullmatch(key) and key == key.strip() else f"{quote}{key}{quote}"

    return joined(lambda call: f"{before}call:{call.name}{value(call.arguments)}{after}")


def _dialect(label: str, opener: str, quote: str, closer: str) -> Dialect:
    return Dialect(label=label, openers=(opener,), closers=(closer,), read=_call(quote, closer))


GEMMA4 = Family(
    name="gemma4",
    models=("gemma-4", "gemma4"),
    dialects=(
        _dialect("gemma4", "<|tool_call>", '<|"|>', "<tool_call|>"),
        Dialect(label="gemma4", whole=True, read=_call('<|"|>', "<tool_call|>")),
    ),
    write=_write("<|tool_call>", '<|"|>', "<tool_call|>"),
)

FUNCTION_GEMMA = Family(
    name="functiongemma",
    models=("functiongemma",),
    dialects=(_dialect("functiongemma", "<start_function_call>", "<escape>", "<end_function_call>"),),
    write=_write("<start_function_call>", "<escape>", "<end_function_call>"),
)
