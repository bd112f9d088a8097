"""Qwen3-Coder and its kin: a call is a `<function=...>` element, its parameters are elements with plain text.

    <tool_call>
    <function=get_weather>
    <parameter=city>
    Oslo
    </parameter>
    </function>
    </tool_call>

Seed-OSS writes the same in `<seed:tool_call>`; MiniCPM writes `<function name="f">` with `<param name="x">` elements;
Llama's custom form has JSON in the element: `<function=get_weather>{"city": "Oslo"}</function>`.
"""

from __future__ import annotations

from agentkit.models.dialects.dialect import Family, elements, joined
from agentkit.models.dialects.hermes import tagged
from agentkit.models.dialects.source import Found
from agentkit.models.dialects.xml import Tags, element, one_newline, plain, unwrapped, written

_OUTER = ("</tool_call>", "<tool_call>", "</seed:tool_call>", "<seed:tool_call>")
_FUNCTION = Tags(
    call="<function=",
    call_end="</function>",
    parameter="<parameter=",
    parameter_end="</parameter>",
    outer=(*_OUTER, "<function="),
    trim=one_newline,
)
_NAMED = Tags(
    call="<function ",
    call_end="</function>",
    parameter="<param ",
    parameter_end="</param>",
    outer=(*_OUTER, "<function "),
    trim=unwrapped,
)


def write_element(call: Found) -> str:
    """A call as a `<function=...>` element."""
    parameters = "".join(f"<parameter={key}>\n{plain(value)}\n</parameter>\n" for key, value in call.arguments.items())
    return f"<function={call.name}>\n{parameters}</function>"


QWEN_CODER = Family(
    name="qwen-coder",
    models=("qwen3-coder", "qwen3.5", "qwen3.6", "qwen3.8", "step-3.5"),
    dialects=elements("qwen-coder", element(_FUNCTION), "<function=", "</function>", ("<tool_call>", "</tool_call>")),
    write=joined(lambda call: f"<tool_call>\n{write_element(call)}\n</tool_call>", between="\n"),
)

SEED = Family(
    name="seed",
    models=("seed-oss", "seed_oss"),
    dialects=(tagged("seed", "<seed:tool_call>", "</seed:tool_call>", item=element(_FUNCTION)),),
    write=joined(lambda call: f"<seed:tool_call>\n{write_element(call)}\n</seed:tool_call>", between="\n"),
)

MINICPM = Family(
    name="minicpm",
    models=("minicpm",),
    dialects=elements("minicpm", element(_NAMED), "<function name=", "</function>", ("<tool_call>", "</tool_call>")),
    write=joined(lambda call: written(call, _NAMED)),
)
