"""Llama 3.1 to 3.3 and everyone who writes JSON without a marker around it.

    {"name": "get_weather", "parameters": {"city": "Oslo"}}

The JSON must be the whole message; several objects are separated by `; `, blanks or newlines. `<|python_tag|>` may
stand before it, and built-in tools are written `<|python_tag|>brave_search.call(query="...")`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentkit.core.messages import ToolSpec
from agentkit.models.dialects.dialect import Dialect, Family, describe, joined
from agentkit.models.dialects.envelope import KEYS, NAMES, NO_CALLS, read_json
from agentkit.models.dialects.hermes import envelope, tagged, together
from agentkit.models.dialects.items import named_call, python_call, read_item
from agentkit.models.dialects.source import CutOff, Source, dump

_FIRST_KEY = re.compile(r"[\[\s]*+\{\s*[\"'“]?(\w+)[\"'”]?\s*:(?:\s*\"([^\"\\]*)\")?")
_MAY_BECOME_KEY = re.compile(r"[\[\s]*(?:\{\s*[\"'“]?\w*[\"'”]?\s*)?")
_SEPARATORS = re.compile(r"[\s;,]*+")
MAX_KEY = 120
"""Characters in which the first key of a call must stand."""


def _bare_json(src: Source) -> None:
    """Read JSON that is the whole message and nothing but calls."""
    _check_first_key(src)
    while src.sees("{") or src.sees("["):
        read_json(src, strict=True)
        src.past(_SEPARATORS)
    src.take("}", "]")  # one bracket may stand there once too often


def _check_first_key(src: Source) -> None:
    """Refuse JSON at its first key, or at a name that was not offered, so that an answer in JSON is not held back."""
    found = _FIRST_KEY.match(src.text, src.at, src.at + MAX_KEY)
    if found is None and _MAY_BECOME_KEY.fullmatch(src.text, src.at, src.at + MAX_KEY):
        src.settle()
    if found is None or found[1] not in (*KEYS, "role") or not _may_be_called(src, *found.groups()):
        raise src.prose()


def _may_be_called(src: Source, key: str, name: str | None) -> bool:
    """Whether the first key may begin a call: it names no tool, or one that was offered."""
    return key not in NAMES or name is None or name in NO_CALLS or src.tools.get(name) is not None


def _bare_named(src: Source) -> None:
    """Read names with their arguments: what is left of other forms when the server deletes their special tokens."""
    if src.names_no_tool():
        raise src.prose()
    while not src.ended():
        if src.names_no_tool():
            if src.may_be_name():
                raise CutOff
            return
        named_call(src)
        src.space()
        src.take(">>>")


def _tagged_item(src: Source) -> None:
    if src.sees("{") or src.sees("["):
        read_item(src)
        return
    python_call(src, suffix=".call")


def _offer(specs: Sequence[ToolSpec]) -> str:
    tools = "\n\n".join(dump(describe(spec)) for spec in specs)
    return (
        "You have access to the following functions. To call one, answer with JSON and nothing else, in the form\n"
        '{"name": <function name>, "parameters": <dictionary of argument names and their values>}\n'
        'and for several calls write several such objects, separated by "; ". Do not use variables.\n\n'
        f"{tools}"
    )


def _answer(name: str, text: str) -> str:
    return dump({"function": name, "output": text})


BARE_JSON = Dialect(label="json", whole=True, read=_bare_json)
BARE_NAMED = Dialect(label="named", whole=True, read=_bare_named)

LLAMA = Family(
    name="llama",
    models=("llama", "llama-sea-lion"),
    dialects=(tagged("llama", "<|python_tag|>", item=_tagged_item), BARE_JSON),
    write=joined(lambda call: envelope(call, arguments="parameters"), between="; "),
    offer=_offer,
    answer=_answer,
    alone=True,
)

XLAM = Family(name="xlam", models=("xlam",), dialects=(BARE_JSON,), write=together(""))
