"""Calls written as Python: Llama 4 and 3.2, ToolACE, LFM2, Olmo 3, Gemma 3.

    [get_weather(city="Oslo"), get_time()]

Arguments are literals; positional ones are taken in the order of the schema. A call that passes a name or another call
is no call, and its neighbours stay valid. Nothing is evaluated: values are read as almost-JSON, which knows Python's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from agentkit.models.dialects.dialect import Dialect, Family, enclosed
from agentkit.models.dialects.envelope import read_json
from agentkit.models.dialects.hermes import json_item
from agentkit.models.dialects.source import CutOff, Found, NoCall, Source

_KEYWORD = re.compile(r"([^\W\d]\w*)\s*=(?!=)")
_PLAIN_STRING = re.compile(r'"([^"\\\x00-\x1f]*+)"(?=\s*[,)])')
_TOKEN = re.compile(
    r"""(?s)(?P<string>\"\"\".*?(?<!\\)\"\"\"|'''.*?(?<!\\)'''|"(?:[^"\\\n]|\\.)*+"|'(?:[^'\\\n]|\\.)*+')"""
    r"""|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<quote>["'])"""
)


def python_call(src: Source, *, suffix: str = "") -> None:
    """Read `name(key=value, ...)`, a suffix of the name left out."""
    word = src.word().removesuffix(suffix)
    spec = src.tools.get(word)
    src.space()
    if not word or not src.take("("):
        raise CutOff if src.ended() else src.prose()
    arguments_at = src.at
    try:
        positional, keywords = _arguments(src)
    except NoCall:
        src.at = arguments_at
        _skip_to_end(src)
        raise src.no_call(end=src.at) from None
    parameters = list(src.tools.properties(spec.name)) if spec else []
    if spec is None or len(positional) > len(parameters):
        raise src.no_call(end=src.at)
    src.calls.append(Found(spec.name, {**dict(zip(parameters, positional, strict=False)), **keywords}))


def _arguments(src: Source) -> tuple[list[Any], dict[str, Any]]:
    """Read what stands between the parentheses, the closing one included."""
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    while True:
        src.space()
        if src.take(")"):
            return positional, keywords
        if src.take("**"):
            keywords.update(src.arguments())
        elif keyword := _keyword(src):
            keywords[keyword] = _literal(src)
        elif keywords:
            raise CutOff if src.ended() else src.no_call()
        else:
            positional.append(_literal(src))
        src.space()
        if not src.sees(")"):
            src.need(",")


def _literal(src: Source) -> Any:
    """Move past a value and return it."""
    plain = _PLAIN_STRING.match(src.text, src.at)
    if plain is None:
        return src.value()
    src.at = plain.end()
    return plain[1]


def _keyword(src: Source) -> str:
    """Move past `key =` and return the key; "" where a positional value stands."""
    found = _KEYWORD.match(src.text, src.at)
    if found is None:
        at = src.at
        src.word()
        src.space()
        src.sees("=")
        src.at = at
        return ""
    src.at = found.end()
    src.space()
    return found[1]


def _skip_to_end(src: Source) -> None:
    """Move past the parenthesis that closes the call, over strings and brackets."""
    depth = 1
    while found := _TOKEN.search(src.text, src.at):
        if found["quote"]:
            break  # a string that does not end
        src.at = found.end()
        depth += bool(found["open"]) - bool(found["close"])
        if depth == 0:
            return
    src.settle()
    raise src.no_call()


def calls_or_json(src: Source) -> None:
    """Read a list of calls in brackets, bare calls, or JSON."""
    if not src.take("["):
        json_item(src) if src.sees("{") else python_call(src)
        return
    at = src.at
    src.space()
    if src.sees("{") or src.sees("]"):
        src.at = at - 1
        read_json(src)
        return
    _listed(src)


_listed = enclosed(python_call, "]")


def _bare(src: Source) -> None:
    """Read a list of calls that is the whole message, its last bracket included."""
    if not src.take("["):
        raise src.prose()
    try:
        _list(src)
    except CutOff:
        src.calls.clear()
        raise
    if not src.calls:
        raise src.no_call(end=src.at)


def _list(src: Source) -> None:
    """Read calls to the closing bracket; one that is no call stays text, its neighbours are calls."""
    while True:
        src.space()
        start = src.at
        try:
            python_call(src)
        except NoCall as no:
            if no.end is None:
                raise
            src.rest.append(src.text[start : src.at])
        src.space()
        if src.take("]"):
            return
        src.need(",")


def write_call(call: Found) -> str:
    """A call as Python."""
    plain = all(key.isidentifier() for key in call.arguments)
    inside = (
        ", ".join(f"{key}={value!r}" for key, value in call.arguments.items()) if plain else f"**{call.arguments!r}"
    )
    return f"{call.name}({inside})"


def _write_list(calls: Sequence[Found]) -> str:
    return f"[{', '.join(map(write_call, calls))}]"


BARE_LIST = Dialect(label="pythonic", whole=True, read=_bare)

LLAMA4 = Family(
    name="llama4",
    models=("llama-4", "llama4", "toolace"),
    dialects=(
        Dialect(
            label="llama4",
            openers=("<|python_start|>",),
            closers=("<|python_end|>",),
            read=enclosed(calls_or_json, "<|python_end|>"),
        ),
        BARE_LIST,
    ),
    write=lambda calls: f"<|python_start|>{_write_list(calls)}<|python_end|>",
)

LFM2 = Family(
    name="lfm2",
    models=("lfm2",),
    dialects=(
        Dialect(
            label="lfm2",
            openers=("<|tool_call_start|>",),
            closers=("<|tool_call_end|>",),
            read=enclosed(calls_or_json, "<|tool_call_end|>"),
        ),
    ),
    write=lambda calls: f"<|tool_call_start|>{_write_list(calls)}<|tool_call_end|>",
)

OLMO = Family(
    name="olmo",
    models=("olmo",),
    dialects=(
        Dialect(
            label="olmo",
            openers=("<function_calls>",),
            closers=("</function_calls>",),
            read=enclosed(calls_or_json, "</function_calls>"),
        ),
    ),
    write=lambda calls: "<function_calls>" + "\n".join(map(write_call, calls)) + "</function_calls>",
)
