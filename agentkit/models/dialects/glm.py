"""GLM 4.5 and later, and Hunyuan 3: a name, then pairs of key and value elements.

    <tool_call>get_weather
    <arg_key>city</arg_key>
    <arg_value>Oslo</arg_value>
    </tool_call>

Newlines between the elements come and go with the version; inside a value they are data.
"""

from __future__ import annotations

import re
from typing import Any

from agentkit.models.dialects.dialect import Dialect, Family, joined
from agentkit.models.dialects.hermes import tagged
from agentkit.models.dialects.items import read_item
from agentkit.models.dialects.source import CutOff, Found, Source
from agentkit.models.dialects.tools import typed
from agentkit.models.dialects.xml import goes_on, plain

_END = "</tool_call>"
_VALUE_END = re.compile(r"(?P<value></arg_value>)|(?P<call></tool_call>)")


def _call(src: Source) -> None:
    """Read a name with its pairs, and the closing tag of the call."""
    src.space()
    name = src.word()
    spec = src.tools.get(name)
    src.space()
    if not name or not (src.take("<tool_sep>") or any(map(src.sees, ("<arg_key>", _END)))):
        raise CutOff if src.ended() else src.prose()
    arguments: dict[str, Any] = {}
    while True:
        src.space()
        if src.take(_END):
            break
        if not src.take("<arg_key>"):
            raise CutOff if src.ended() else src.no_call()
        key = src.until("</arg_key>").strip()
        src.space()
        src.need("<arg_value>")
        arguments[key] = typed(spec, key, _value(src))
    src.keep(spec, arguments)


def _value(src: Source) -> str:
    """Move past a value and its closing tag; the closing tag of the last one may be missing."""
    start = src.at
    while found := _VALUE_END.search(src.text, src.at):
        src.at = found.end()
        if found["value"]:
            if goes_on(src, "<arg_key>", _END):
                src.at = found.end()
                return src.text[start : found.start()]
        elif goes_on(src, "<tool_call>", "</tool_calls>", or_ends=not src.truncated):
            src.at = found.start()
            return src.text[start : found.start()]
        src.at = found.end()
    src.settle()
    raise CutOff


def _hunyuan_item(src: Source) -> None:
    src.take("<tool_call>")
    read_item(src) if src.sees("{") else _call(src)


def _written(call: Found, after_name: str = "\n") -> str:
    pairs = (
        f"<arg_key>{key}</arg_key>\n<arg_value>{plain(value)}</arg_value>\n" for key, value in call.arguments.items()
    )
    return f"<tool_call>{call.name}{after_name}{''.join(pairs)}</tool_call>"


GLM = Family(
    name="glm",
    models=("glm",),
    dialects=(Dialect(label="glm", openers=("<tool_call>",), closers=(_END,), read=_call),),
    write=joined(_written, between="\n"),
)

HUNYUAN = Family(
    name="hunyuan",
    models=("hunyuan",),
    dialects=(tagged("hunyuan", "<tool_calls>", "</tool_calls>", item=_hunyuan_item),),
    write=joined(lambda call: _written(call, "<tool_sep>"), "<tool_calls>", "</tool_calls>"),
)
