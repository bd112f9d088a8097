"""`<invoke name="...">` elements: Anthropic's style (distilled models), MiniMax M2, DeepSeek V3.2 and later, Step 3.

    <minimax:tool_call>
    <invoke name="get_weather">
    <parameter name="city">Oslo</parameter>
    </invoke>
    </minimax:tool_call>

Values are verbatim. DeepSeek (DSML) says of each value whether it is a string; the others leave it to the schema.
"""

from __future__ import annotations

from agentkit.models.dialects.dialect import Dialect, Family, Write, elements, joined
from agentkit.models.dialects.source import Found
from agentkit.models.dialects.xml import Tags, element, plain, written


def _tags(before: str, closing: str, *outer: str) -> Tags:
    """The elements of a dialect whose tags begin with `before` (`<`, `<｜DSML｜`)."""
    return Tags(
        call=f"{before}invoke ",
        call_end=f"{closing}invoke>",
        parameter=f"{before}parameter ",
        parameter_end=f"{closing}parameter>",
        outer=(f"{before}invoke ", *(f"{closing}{name}>" for name in outer), *(f"{before}{name}>" for name in outer)),
    )


def _dialects(label: str, before: str, closing: str, *outer: str) -> tuple[Dialect, ...]:
    """Calls in each of the outer elements, and without one."""
    tags = _tags(before, closing, *outer)
    around = ((f"{before}{name}>", f"{closing}{name}>") for name in outer)
    return elements(label, element(tags), f"{before}invoke name=", tags.call_end, *around)


def _dsml() -> tuple[Dialect, ...]:
    """DSML with full-width bars, as trained, or with the ASCII bars of a proxy; V4.1 has a blank after the bars.

    GigaChat 3.5 writes the same under the name of GCML.
    """
    return tuple(
        dialect
        for name in ("DSML", "GCML")
        for bar in ("｜", "|")
        for blank in ("", " ")
        for dialect in _dialects(
            "dsml", f"<{bar}{name}{bar}{blank}", f"</{bar}{name}{bar}{blank}", "function_calls", "tool_calls", "calls"
        )
    )


def _write(outer: str) -> Write:
    tags = _tags("<", "</", outer)
    return joined(lambda call: written(call, tags, "\n"), f"<{outer}>\n", f"\n</{outer}>", between="\n")


def _written_dsml(call: Found) -> str:
    parameters = ""
    for key, value in call.arguments.items():
        kind = "true" if isinstance(value, str) else "false"
        parameters += f'<｜DSML｜parameter name="{key}" string="{kind}">{plain(value)}</｜DSML｜parameter>\n'
    return f'<｜DSML｜invoke name="{call.name}">\n{parameters}</｜DSML｜invoke>'


INVOKE = Family(
    name="invoke",
    models=(),
    dialects=(
        *_dialects("invoke", "<", "</", "function_calls", "tool_calls", "tool_call"),
        *_dialects("invoke", "<antml:", "</antml:", "function_calls"),
    ),
    write=_write("function_calls"),
)

MINIMAX = Family(
    name="minimax",
    models=("minimax-m2", "minimax"),
    dialects=_dialects("minimax", "<", "</", "minimax:tool_call"),
    write=_write("minimax:tool_call"),
)

DSML = Family(
    name="deepseek-v3.2",
    models=("deepseek-v3.2", "deepseek-v4"),
    dialects=_dsml(),
    write=joined(_written_dsml, "<｜DSML｜tool_calls>\n", "\n</｜DSML｜tool_calls>", between="\n"),
)

STEP_TAGS = Tags(
    call="<steptml:invoke ",
    call_end="</steptml:invoke>",
    parameter="<steptml:parameter ",
    parameter_end="</steptml:parameter>",
    outer=("<｜tool_call_end｜>", "<|tool_call_end|>"),
)
