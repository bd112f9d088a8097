"""Calls in a code fence: Gemma 3's `tool_code`, and the plain JSON fence of many others.

    ```tool_code
    get_weather(city="Oslo")
    ```

A fence that is labelled as a call is one wherever it stands, if all of it is calls. For a fence of plain JSON:

    fences   a plain JSON fence is a call
    whole    where it is the whole message
    last     also after prose, where it ends the message and the prose does not announce a sample
    any      anywhere: the model was told to answer so (`Prompted`)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Literal, TypeAlias

from agentkit.core.messages import ToolSpec
from agentkit.models.dialects.dialect import Dialect, Family, describe, joined
from agentkit.models.dialects.envelope import read_json
from agentkit.models.dialects.hermes import envelope
from agentkit.models.dialects.items import python_call, read_item
from agentkit.models.dialects.llama import BARE_JSON
from agentkit.models.dialects.pythonic import BARE_LIST, write_call
from agentkit.models.dialects.source import CutOff, NoCall, Read, Source, dump

FENCE = "```"
CALL_LABELS = ("tool_code", "tool_call", "tool_calls", "tool_use", "function_call", "function_calls", "tool")
JSON_LABELS = ("", "json", "JSON")
PROSE = 300
"""Characters before a fence in which a sample may be announced."""

Fences: TypeAlias = Literal["whole", "last", "any"]

_SAMPLE = re.compile(
    r"\b(?:examples?|e\.g|for instance|samples?|like this|looks? like|as follows|formats?|templates?|syntax|schemas?"
    r"|structures?|snippets?|payloads?|bod(?:y|ies)|would|could|might)\b",
    re.IGNORECASE,
)


def announces_a_sample(prose: str) -> bool:
    """Whether the prose before a fence says that the fence shows something, rather than does it."""
    return bool(_SAMPLE.search(prose[-PROSE:]))


def _labelled(src: Source) -> None:
    """Read the rest of a fence whose label says that it is calls; a result after it was made up by the model."""
    _fence(src, CALL_LABELS, _item)
    src.space()
    src.over = bool(src.take(f"{FENCE}tool_output"))


def _plain(src: Source) -> None:
    """Read the rest of a fence of JSON."""
    _fence(src, JSON_LABELS, partial(read_json, strict=True))


def _several(src: Source) -> None:
    """Read the rest of a fence of JSON, and further ones."""
    _plain(src)
    src.space()
    while src.take(FENCE):
        _plain(src)
        src.space()


def _whole(src: Source) -> None:
    """Read fences of JSON from the first one's beginning."""
    if not src.take(FENCE):
        raise src.prose()
    _several(src)


def _fence(src: Source, labels: tuple[str, ...], item: Read) -> None:
    """Read the rest of a fence, of which all must be calls; its end may be missing."""
    while src.take(" "):
        pass
    if src.word() not in labels:
        raise src.prose()
    while True:
        src.space()
        if src.take(FENCE):
            break
        if src.ended():
            if not src.calls:
                raise CutOff
            break
        try:
            item(src)
        except NoCall as no:
            raise NoCall(reached=no.reached) from None  # all of the block is text, not the item alone
        src.space()
        src.take(",", ";")
    if src.rest or not src.calls:
        raise src.no_call()


def _item(src: Source) -> None:
    if not src.tools.get("print") and src.take("print("):
        python_call(src)
        src.need(")")
    else:
        read_item(src)


def _offer_code(specs: Sequence[ToolSpec]) -> str:
    tools = dump([describe(spec)["function"] for spec in specs])
    return (
        "You have access to functions. To call one or several of them, answer with a block of Python calls, one on "
        "each line, with keyword arguments that are literal values, and write nothing after the block:\n"
        f"{FENCE}tool_code\nfunction_name(parameter_name=value)\n{FENCE}\n"
        f"Their results come in a tool_output block. These are the functions:\n{tools}"
    )


def _offer_json(specs: Sequence[ToolSpec]) -> str:
    tools = "\n".join(dump(describe(spec)["function"]) for spec in specs)
    return (
        "You can call tools. To call one or several of them, answer with a block like this, one JSON object on each "
        "line, and write nothing after the block:\n"
        f'{FENCE}tool_call\n{{"name": <tool name>, "arguments": <object of arguments>}}\n{FENCE}\n'
        "Their results come in tool_output blocks. These are the tools, with the JSON Schema of their parameters:\n"
        f"{tools}"
    )


def _answer(_: str, text: str, label: str = "tool_output") -> str:
    """A result; the block of Python has no place for its name: results stand in the order of the calls."""
    fence = max([FENCE, *(run + "`" for run in re.findall("```+", text))], key=len)  # longer than any within
    return f"{fence}{label}\n{text}\n{fence}"


def answer_named(name: str, text: str) -> str:
    """A result with the name of its tool."""
    return _answer(name, text, f"tool_output {' '.join(name.split())}")


LABELLED = Dialect(label="fence", openers=(FENCE,), line_start=True, doubtful=True, read=_labelled)
LAST = Dialect(label="fence", openers=(FENCE,), line_start=True, doubtful=True, whole=True, read=_several)
ANYWHERE = Dialect(label="fence", openers=(FENCE,), line_start=True, doubtful=True, read=_plain)
WHOLE = Dialect(label="fence", whole=True, read=_whole)

GEMMA = Family(
    name="gemma",
    models=("gemma", "sea-lion"),
    dialects=(LABELLED, ANYWHERE, BARE_LIST, BARE_JSON),
    write=joined(write_call, f"{FENCE}tool_code\n", f"\n{FENCE}", between="\n"),
    offer=_offer_code,
    answer=_answer,
    system=False,
)

GENERIC = Family(
    name="generic",
    models=(),
    dialects=(LABELLED, ANYWHERE, BARE_LIST, BARE_JSON),
    write=joined(envelope, f"{FENCE}tool_call\n", f"\n{FENCE}", between="\n"),
    offer=_offer_json,
    answer=answer_named,
)
