"""JSON between markers: Hermes' `<tool_call>` and the many tags that differ from it only in their name.

    <tool_call>{"name": "get_weather", "arguments": {"city": "Oslo"}}</tool_call>

Inside may stand one object, several, an array, OpenAI's envelope, a code fence around any of these: see `items.py`.
The closing marker may be missing, for stop strings eat it. Where the opening one is, the closing one must be there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from agentkit.core.messages import ToolSpec
from agentkit.models.dialects.dialect import Dialect, Family, Write, describe, enclosed, joined
from agentkit.models.dialects.envelope import read_json
from agentkit.models.dialects.items import read_item
from agentkit.models.dialects.source import Found, Read, Source, dump


def tagged(label: str, opener: str, *closers: str, item: Read = read_item) -> Dialect:
    """JSON calls after an opening marker, which may stand twice, up to one of the closing markers."""
    items = enclosed(item, *closers)

    def read(src: Source) -> None:
        src.space()
        src.take(opener)
        items(src)

    return Dialect(label=label, openers=(opener,), closers=closers, read=read)


def envelope(call: Found, *, arguments: str = "arguments") -> str:
    """A call as a JSON object."""
    return dump({"name": call.name, arguments: call.arguments})


def each(opener: str, closer: str = "", *, arguments: str = "arguments") -> Write:
    """Writes every call in markers of its own."""
    return joined(lambda call: f"{opener}{envelope(call, arguments=arguments)}{closer}", between="\n")


def together(opener: str, closer: str = "", *, one: Callable[[Found], str] = envelope) -> Write:
    """Writes all calls as one array."""
    return joined(one, f"{opener}[", f"]{closer}", between=", ")


def in_tags(name: str, opener: str, closer: str, *, write: Callable[[str, str], Write]) -> Family:
    """A family whose calls stand in one pair of tags."""
    dialect = tagged(name, opener, closer)
    return Family(name=name, models=(name,), dialects=(dialect,), write=write(opener, closer))


def _offer(specs: Sequence[ToolSpec]) -> str:
    tools = "\n".join(dump(describe(spec)) for spec in specs)
    return (
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
        f"These are the function signatures, in <tools></tools> tags:\n<tools>\n{tools}\n</tools>\n\n"
        "To call a function, write a JSON object with its name and its arguments in <tool_call></tool_call> tags, one "
        'pair of tags for each call:\n<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n'
        "</tool_call>"
    )


def _answer(name: str, text: str) -> str:
    del name  # the form has no place for it: results stand in the order of the calls
    return f"<tool_response>\n{text}\n</tool_response>"


def _unopened(src: Source) -> None:
    """Read JSON calls whose opening marker is missing, closing marker included."""
    read_json(src, strict=True)
    src.space()
    if not src.take("</tool_call>"):
        raise src.no_call(end=src.at)


HERMES = tagged("hermes", "<tool_call>", "</tool_call>")
UNOPENED = Dialect(
    label="hermes",
    openers=tuple(f'{{{blank}"{key}"' for blank in ("", " ", "\n", "\n  ", "\n    ") for key in ("name", "arguments")),
    at_opener=True,
    line_start=True,
    doubtful=True,
    closers=("</tool_call>",),
    read=_unopened,
)
TOOLS = tagged("hermes", "<tools>", "</tools>", item=partial(read_json, strict=True))
"""Qwen2.5-Coder puts its calls where its prompt has the definitions of the tools; these stay text."""
TOOL_CALLS = tagged("tool-calls", "<tool_calls>", "</tool_calls>")

QWEN = Family(
    name="qwen",
    models=("qwen", "qwen-sea-lion", "qwq", "hermes", "smollm", "ernie"),
    dialects=(HERMES, UNOPENED, TOOLS),
    write=each("<tool_call>\n", "\n</tool_call>"),
    offer=_offer,
    answer=_answer,
)

GRANITE = Family(
    name="granite",
    models=("granite",),
    dialects=(
        tagged("granite", "<|tool_call|>", "<|/tool_call|>", "<|tool_call|/>"),
        tagged("granite-20b", "<function_call>", "</function_call>"),
        HERMES,
    ),
    write=together("<|tool_call|>"),
)

PHI = Family(
    name="phi",
    models=("phi-4", "phi4"),
    dialects=(tagged("phi-4-mini", "functools"), tagged("phi-4-mini", "<|tool_call|>", "<|/tool_call|>")),
    write=together("functools"),
)

INTERNLM = Family(
    name="internlm",
    models=("internlm",),
    dialects=tuple(tagged("internlm", f"<|action_start|>{gap}<|plugin|>", "<|action_end|>") for gap in ("", " ")),
    write=each("<|action_start|><|plugin|>", "<|action_end|>", arguments="parameters"),
)

JAMBA = Family(
    name="jamba",
    models=("jamba", "hunyuan-a13b", "minimax-m1"),
    dialects=(TOOL_CALLS,),
    write=together("<tool_calls>", "</tool_calls>"),
)

NEMOTRON = in_tags("nemotron", "<TOOLCALL>", "</TOOLCALL>", write=together)
LONGCAT = in_tags("longcat", "<longcat_tool_call>", "</longcat_tool_call>", write=each)
APERTUS = in_tags(
    "apertus",
    "<|tools_prefix|>",
    "<|tools_suffix|>",
    write=partial(together, one=lambda call: dump({call.name: call.arguments})),
)

GIGACHAT = Family(
    name="gigachat",
    models=("gigachat",),
    dialects=(tagged("gigachat", "function call<|role_sep|>"), tagged("gigachat", "<|function_call|>")),
    write=each("function call<|role_sep|>\n"),
)

TOOL_USE = Family(
    name="tool-use",
    models=(),
    dialects=(tagged("tool-use", "<tool_use>", "</tool_use>"), tagged("tool-use", "<functioncall>", "</functioncall>")),
    write=each("<tool_use>", "</tool_use>", arguments="input"),
)
