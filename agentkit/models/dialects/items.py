"""What may stand in a container: JSON, a name with its arguments, or Python calls. Every container takes all of them.

Python calls have literal arguments; positional ones are taken in the order of the schema. A call that passes a name or
another call is no call, and its neighbours stay valid. Nothing is evaluated: values are read as almost-JSON, which
knows Python's.
"""

from __future__ import annotations

import re
from typing import Any

from agentkit.models.dialects.envelope import read_json
from agentkit.models.dialects.source import CutOff, Found, NoCall, Source
from agentkit.models.dialects.tools import properties

MAX_DAMAGED = 20_000
"""Characters of a call that cannot be read, over which its neighbours are found."""

_KEYWORD = re.compile(r"([^\W\d]\w*)\s*=(?!=)")
_PLAIN_STRING = re.compile(r'"([^"\\\x00-\x1f]*+)"(?=\s*[,)])')
_TOKEN = re.compile(
    r"""(?s)(?P<string>\"\"\".*?(?<!\\)\"\"\"|'''.*?(?<!\\)'''|"(?:[^"\\\n]|\\.)*+"|'(?:[^'\\\n]|\\.)*+')"""
    r"""|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<quote>["'])"""
)


def read_item(src: Source) -> None:
    """Read whatever calls begin here, in a fence or not."""
    fenced = src.take("```")
    if fenced:
        src.word()
        src.space()
    _read_plain(src)
    if fenced:
        src.space()
        src.need("```")


def _read_plain(src: Source) -> None:
    if src.sees("{"):
        start = src.at
        try:
            read_json(src)
        except NoCall as no:
            if no.end is not None:
                raise
            src.at = start + 1
            _skip_to_end(src)
            raise src.no_call(end=src.at) from None
    elif src.sees("["):
        _read_list(src)
    else:
        at = src.at
        src.word()
        src.space()
        python = src.sees("(")
        src.at = at
        python_call(src) if python else named_call(src)


def _read_list(src: Source) -> None:
    at = src.at
    src.take("[")
    src.space()
    if src.sees("{") or src.sees("[") or src.sees("]"):
        src.at = at
        read_json(src)
    else:
        python_list(src)


def named_call(src: Source) -> None:
    """Read a name and the object of its arguments: `get_weather {"city": "Oslo"}`."""
    word = src.word()
    if src.take(":"):  # Kimi's `functions.get_weather:0`
        src.word()
    spec = src.tools.get(word)
    src.space()
    if not src.sees("{"):
        raise CutOff if spec and src.calls and src.ended() else src.prose()
    arguments = src.arguments()
    src.keep(spec, arguments)


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
    parameters = list(properties(spec))
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
    """Move past the bracket that closes what began before here, over strings and other brackets."""
    depth, limit = 1, src.at + MAX_DAMAGED
    while found := _TOKEN.search(src.text, src.at, limit):
        if found["quote"]:
            break  # a string that does not end
        src.at = found.end()
        depth += bool(found["open"]) - bool(found["close"])
        if depth == 0:
            return
    if limit > len(src.text):
        src.settle()
    raise src.no_call()


def python_list(src: Source) -> None:
    """Read calls up to the closing bracket of their list; what is no call stays text, its neighbours are calls."""
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
        if not src.sees("]"):
            src.need(",")
            src.space()
        if src.take("]"):
            return
