"""A model file whose chat template knows tools is spoken to in its own dialect.

The template writes tools, calls and results as the model was trained to see them. What the model writes is held to one
grammar: any text, up to what opens a call in the dialect of its family; then one or several calls with arguments of
each tool's schema, so that a call is valid by construction. `Recovering` reads the calls from the text.

* The family is the one of whose way to write a call the template shows most.
* A control token is no text: in a grammar it stands by its id, and before the end of an answer nobody sees it.
* Families that write arguments in another form than JSON are not held to a grammar, and those whose opener begins other
  things too only where a call is demanded.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentkit.core.chat_format import to_openai
from agentkit.core.events import Emit, TextEvent
from agentkit.core.messages import Assistant, ToolSpec
from agentkit.core.settings import Settings
from agentkit.errors import UsageError
from agentkit.models import grammar
from agentkit.models.dialects import Recovering
from agentkit.models.dialects.dialect import Family, describe
from agentkit.models.dialects.families import FAMILIES
from agentkit.models.dialects.source import Found
from agentkit.models.local.calling import Desk
from agentkit.models.local.engine import Engine
from agentkit.models.local.gguf import Card
from agentkit.models.local.sampling import CHAT, body_of
from agentkit.models.model import Request

MAX_CALLS = 4
"""The most calls of one message: without a number, some models find no end."""


_ALSO_TEXT = frozenset({">>>", "<|channel|>"})
"""Openers that begin an answer or a thought as well."""


def speaker(card: Card, engine: Engine, name: str, settings: Settings) -> Recovering:
    """The model behind a template that knows tools."""
    family = family_of(card.template)
    speaking = _Speaking(engine, card, name, settings, family)
    return Recovering(speaking, family=family.name if family else None)


def family_of(template: str) -> Family | None:
    """The family that writes calls most like a template does."""
    template = template.replace('\\"', '"')
    scored = [(score, family) for family in FAMILIES if (score := _likeness(family, template)) > 0]
    return max(scored, key=lambda found: found[0])[1] if scored else None


def _likeness(family: Family, template: str) -> int:
    """How many more of the marks around a call stand in a template than do not; 0 without an opener, if it has one."""
    written = family.write([Found("name-here", {"key-here": "value-here"})])
    marks = {mark for mark in re.split(r"\s+|(?<=>)|(?=<)|\w+-here", written) if re.search(r"\w", mark)}
    missing = sum(mark not in template for mark in marks)
    openers = [opener for dialect in family.dialects[:1] for opener in dialect.openers]
    opened = any(opener in template for opener in openers if opener in written) or not (missing or set(openers) & marks)
    return len(marks) - 2 * missing if opened else 0


class _Speaking:
    """The text of a model, with the tools in its prompt."""

    def __init__(self, engine: Engine, card: Card, name: str, settings: Settings, family: Family | None) -> None:
        self._engine = engine
        self._card = card
        self._name = name
        self._settings = settings
        self._family = family

    async def call(self, request: Request, emit: Emit | None = None) -> Assistant:
        """One answer, its calls still in its text."""

        async def say(text: str) -> None:
            if emit is not None and (wait := emit(TextEvent(text))) is not None:
                await wait

        settings = CHAT | self._settings | request.settings
        desk = Desk(self._engine)
        body = body_of(settings)
        body["stop"] = [*body.get("stop", ()), *self._card.ends]
        if request.tools:  # "none": llama.cpp shows them to the template and leaves the answer to our grammar
            body |= {"tools": [describe(spec) for spec in request.tools], "tool_choice": "none"}
        if rules := await self._rules(desk, request, settings):
            body["grammar"] = rules
        done = await desk.chat([to_openai(message) for message in request.messages], say, **body)
        return desk.assistant(self._name, content=done.text, finish_reason=done.finish_reason)

    async def _rules(self, desk: Desk, request: Request, settings: Settings) -> str | None:
        """What the answer is held to, if to anything."""
        specs = {spec.name: spec for spec in request.tools}
        choice = settings.tool_choice or "auto"
        if choice not in {"auto", "none", "required", *specs}:
            raise UsageError(
                f"tool_choice names {choice!r}, which is not among the tools: {', '.join(specs) or 'none'}"
            )
        offered = [specs[choice]] if choice in specs else [] if choice == "none" else list(request.tools)
        output = await desk.held(request.output.schema) if request.output else None
        if not offered:
            return None if output is None else grammar.document(output)
        written = _written(self._family, offered, several=settings.parallel_tool_calls is not False)
        if written is None:
            return None
        schemas = [await desk.held(spec.parameters) for spec in offered]
        calls = _calls(schemas, written, self._card.controls)
        if choice != "auto":
            return f"{calls}start: {_any_of('call', offered)}\n"
        if output is not None:
            return f"{calls}start: {_any_of('call', offered)} | text\ntext: {grammar.json_value(output)}\n"
        start = self._text_or_calls(written)
        return f"{calls}{start}" if start else None

    def _text_or_calls(self, written: _Written) -> str | None:
        """The rules of a text, or of calls after a text; None if one cannot be told from the other."""
        controls, opener = self._card.controls, written.opener
        calls, inner = _any_of("call", written.before), _any_of("inner", written.before)
        if opener in _ALSO_TEXT or any("think" in token for token in controls):
            return None
        if opener in controls:
            return f"start: TEXT? <[{controls[opener]}]> ({inner}) | TEXT\nTEXT: /(?s:.+)/\n"
        if opener:
            mark = _regex(opener)
            return (
                f"start: lead ({inner}) | TEXT\nlead[lazy]: /(?s:.*){mark}/\n"
                f"TEXT: /(?s:.+)/ & ~/(?s:.*){mark}(?s:.*)/\n"
            )
        mark = _regex(os.path.commonprefix(written.before))  # noqa: RUF071 - character by character is meant
        return f"start: {calls} | TEXT\nTEXT: /(?s:.+)/ & ~/{mark}(?s:.*)/\n" if mark else None


@dataclass(frozen=True, slots=True)
class _Written:
    """How calls with their arguments left out are written, by the index of the tool.

    Attributes:
        before: What opens a message with a call.
        between: What stands between the arguments of one call and those of another; empty if there may be only one.
        after: What ends the message.
        opener: The marker with which all of `before` begin; empty if there is none.
    """

    before: Sequence[str]
    between: Mapping[tuple[int, int], str]
    after: Sequence[str]
    opener: str


def _written(family: Family | None, specs: Sequence[ToolSpec], *, several: bool) -> _Written | None:
    """How a family writes calls; None if it does not write arguments as one JSON object."""
    if family is None or '{"a": 1}' not in family.write([Found("name", {"a": 1})]):
        return None
    calls = [Found(spec.name, {}) for spec in specs]
    alone = [family.write([call]).split("{}") for call in calls]
    if any(len(parts) != 2 for parts in alone):
        return None
    pairs = itertools.product(enumerate(calls), repeat=2) if several else ()
    between = {(i, j): family.write([one, other]).split("{}")[1] for (i, one), (j, other) in pairs}
    before = [parts[0] for parts in alone]
    openers = (opener for dialect in family.dialects[:1] for opener in dialect.openers if before[0].startswith(opener))
    return _Written(before, between, [parts[1] for parts in alone], next(openers, ""))


def _calls(schemas: Sequence[Mapping[str, Any]], written: _Written, controls: Mapping[str, int]) -> str:
    """The rules of a few calls: `call_0` begins with a call of the first tool, `inner_0` after its opener."""

    def spelled(text: str) -> str:
        pieces = re.split(f"({'|'.join(map(re.escape, controls))})", text) if controls else [text]
        known = [f"<[{controls[piece]}]>" if piece in controls else grammar.literal(piece) for piece in pieces if piece]
        return " ".join(known) or '""'

    rules = []
    for index, schema in enumerate(schemas):
        before = written.before[index]
        rules.append(f"args_{index}: {grammar.json_value(schema)}")
        for name, text in (("call", before), ("inner", before[len(written.opener) :])):
            rules.append(f"{name}_{index}: {spelled(text)} args_{index} tail_{index}_1")
        for number in range(1, MAX_CALLS + 1):
            more = [
                f"{spelled(gap)} args_{other} tail_{other}_{number + 1}"
                for (one, other), gap in written.between.items()
                if one == index and number < MAX_CALLS
            ]
            rules.append(f"tail_{index}_{number}: {' | '.join([spelled(written.after[index]), *more])}")
    return grammar.HEADER + "\n".join(rules) + "\n"


def _any_of(rule: str, items: Sequence[object]) -> str:
    return " | ".join(f"{rule}_{index}" for index in range(len(items)))


def _regex(text: str) -> str:
    """The text as a regular expression between slashes."""
    return re.escape(text).replace("/", "\\/").replace("\n", "n")
