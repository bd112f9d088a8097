"""Typed output from a model that enforces none: the schema goes into the prompt, JSON comes out of the answer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from agentkit.core.json_repair import JSONError, canonical, repair, scan_value

MAX_TRIES = 50
"""Brackets at which a value may begin that are tried."""

_FENCE = re.compile(r"```[ \t]*[\w+-]*[ \t]*\n(.*?)```", re.DOTALL)
_OPENER = re.compile(r"[{\[]")
_MEMBERS = re.compile(r"""["'“:,{]""")
_CLOSED = {"{": re.compile(r"[^{}\[]*\}"), "[": re.compile(r"[^{\[\])]*[\])]")}
_GOES_ON = re.compile(r"""[\s}\])]*,\s*(["'])[^"'\n]{1,60}\1\s*:""")


def schema_instructions(schema: Mapping[str, Any]) -> str:
    """What to tell a model so that its answer is JSON of this schema; tools that it may call are no answer."""
    return (
        "Your final answer must be JSON that is valid against this JSON Schema, and nothing else: no explanation, no "
        f"code fence.\n{json.dumps(schema, ensure_ascii=False)}"
    )


def extract_json(text: str, *, truncated: bool = False) -> Any:
    """The JSON value of an answer, also from a code fence and with prose around it.

    Args:
        text: The answer.
        truncated: It was cut off (token limit): nothing is completed.

    Raises:
        JSONError: There is none, or two different ones; `str()` of it says where the fault is.
    """
    try:
        return repair(text, truncated=truncated).value
    except JSONError as error:
        fault = error
    fenced = _values(_FENCE.findall(text), truncated=truncated)
    values = fenced or _values_in_prose(text, truncated=truncated)
    if not values:
        raise fault
    if any(canonical(value) != canonical(values[0]) for value in values[1:]):
        raise JSONError("the answer holds two different JSON values", reason="ambiguous", position=0)
    return values[0]


def _values(texts: list[str], *, truncated: bool) -> list[Any]:
    values = []
    for text in texts:
        try:
            values.append(repair(text, truncated=truncated).value)
        except JSONError:
            continue
    return values


def _values_in_prose(text: str, *, truncated: bool) -> list[Any]:
    """The objects that stand in prose; where there are none, the arrays.

    Raises:
        JSONError: What stands there is damaged JSON around another value: a part of it is not the whole.
    """
    objects: list[Any] = []
    arrays: list[Any] = []
    at = 0
    for _ in range(MAX_TRIES):
        opener = _OPENER.search(text, at)
        if opener is None:
            break
        at = opener.end()
        try:
            found = scan_value(text, opener.start(), truncated=truncated)
        except JSONError as error:
            if error.reason == "truncated":
                break
            read = text[at : error.position]
            if not _MEMBERS.search(read):  # prose in brackets
                continue
            if _OPENER.search(read) or not _CLOSED[opener.group()].match(text, error.position):
                raise
            at = error.position
            continue
        if _GOES_ON.match(text, found.end):
            raise JSONError("members follow the end of the object", reason="malformed", position=found.end)
        (objects if isinstance(found.value, dict) else arrays).append(found.value)
        at = found.end
    return objects or arrays
