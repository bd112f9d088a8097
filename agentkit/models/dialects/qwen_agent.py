"""Qwen 1.5 and 2 with qwen-agent: words between flowers.

✿FUNCTION✿: get_weather
✿ARGS✿: {"city": "Oslo"}
"""

from __future__ import annotations

from agentkit.models.dialects.dialect import Dialect, Family, joined
from agentkit.models.dialects.source import CutOff, Source, dump


def _function(src: Source) -> None:
    src.take(":")
    src.space()
    spec = src.tools.get(src.word())
    src.space()
    if not src.take("✿ARGS✿"):
        raise CutOff if src.ended() else src.prose()
    src.take(":")
    src.space()
    arguments = src.arguments()
    src.space()
    src.over = bool(src.take("✿RESULT✿", "✿RETURN✿"))
    src.keep(spec, arguments)


QWEN_AGENT = Family(
    name="qwen-agent",
    models=("qwen1.5", "qwen2-"),
    dialects=(Dialect(label="qwen-agent", openers=("✿FUNCTION✿",), read=_function),),
    write=joined(lambda call: f"✿FUNCTION✿: {call.name}\n✿ARGS✿: {dump(call.arguments)}", between="\n"),
)
