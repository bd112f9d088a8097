"""Mistral: `[TOOL_CALLS]` with a JSON array (before v11) or with a name and its arguments (v11 and later).

[TOOL_CALLS] [{"name": "get_weather", "arguments": {"city": "Oslo"}, "id": "a1B2c3D4e"}]
[TOOL_CALLS]get_weather[ARGS]{"city": "Oslo"}
"""

from __future__ import annotations

from collections.abc import Sequence

from agentkit.core.messages import ToolSpec
from agentkit.models.dialects.dialect import Family, describe
from agentkit.models.dialects.hermes import tagged, together
from agentkit.models.dialects.items import read_item
from agentkit.models.dialects.source import Source, dump


def _item(src: Source) -> None:
    if src.sees("{") or src.sees("["):
        read_item(src)
        return
    spec = src.tools.get(src.word())
    src.space()
    if src.take("[CALL_ID]"):
        src.word()
    marked = src.take("[ARGS]")
    src.space()
    if not marked and not src.sees("{"):
        raise src.prose()
    arguments = src.arguments()
    src.keep(spec, arguments)


def _offer(specs: Sequence[ToolSpec]) -> str:
    return (
        f"[AVAILABLE_TOOLS] {dump([describe(spec) for spec in specs])}[/AVAILABLE_TOOLS]\n\n"
        "To call tools, answer with [TOOL_CALLS] and a JSON list of the calls, and nothing else:\n"
        '[TOOL_CALLS] [{"name": <tool-name>, "arguments": <args-json-object>}]'
    )


def _answer(name: str, text: str) -> str:
    return f"[TOOL_RESULTS] {dump({'name': name, 'content': text})}[/TOOL_RESULTS]"


MISTRAL = Family(
    name="mistral",
    models=("mistral", "mixtral", "magistral", "ministral", "devstral", "codestral"),
    dialects=(tagged("mistral", "[TOOL_CALLS]", item=_item),),
    write=together("[TOOL_CALLS] "),
    offer=_offer,
    answer=_answer,
    system=False,  # templates before v0.3 refuse a system message
)
