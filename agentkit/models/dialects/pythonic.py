"""Calls written as Python: Llama 4 and 3.2, ToolACE, LFM2, Olmo 3. Gemma 3 puts them in a fence: see `fence.py`.

[get_weather(city="Oslo"), get_time()]
"""

from __future__ import annotations

import re
from functools import partial

from agentkit.models.dialects.dialect import Dialect, Family, joined
from agentkit.models.dialects.hermes import in_tags, tagged, together
from agentkit.models.dialects.items import python_list
from agentkit.models.dialects.source import CutOff, Found, Source

_KEYWORD = re.compile(r"[^\W\d]\w*")


def _bare(src: Source) -> None:
    """Read a list of calls that is the whole message, its last bracket included."""
    if not src.take("["):
        raise src.prose()
    try:
        python_list(src)
    except CutOff:
        src.calls.clear()
        raise
    if not src.calls:
        raise src.no_call(end=src.at)


def write_call(call: Found) -> str:
    """A call as Python."""
    plain = all(_KEYWORD.fullmatch(key) for key in call.arguments)
    inside = (
        ", ".join(f"{key}={value!r}" for key, value in call.arguments.items()) if plain else f"**{call.arguments!r}"
    )
    return f"{call.name}({inside})"


BARE_LIST = Dialect(label="pythonic", whole=True, read=_bare)

LLAMA4 = Family(
    name="llama4",
    models=("llama-4", "llama4", "toolace"),
    dialects=(tagged("llama4", "<|python_start|>", "<|python_end|>"), BARE_LIST),
    write=together("<|python_start|>", "<|python_end|>", one=write_call),
)

LFM2 = in_tags("lfm2", "<|tool_call_start|>", "<|tool_call_end|>", write=partial(together, one=write_call))
OLMO = in_tags("olmo", "<function_calls>", "</function_calls>", write=partial(joined, write_call, between="\n"))
