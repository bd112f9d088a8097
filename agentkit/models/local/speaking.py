"""A model file whose chat template knows tools is spoken to in its own dialect.

The template writes tools, calls and results as the model was trained to see them. What the model writes is held to one
grammar: an answer, or one or several calls in the dialect of its family with arguments of each tool's schema, so that
a call is valid by construction. `Recovering` reads the calls from the text.

A model that thinks first, or whose calls cannot be told from text by their first character, is held to the grammar
only where a call is demanded.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
from agentkit.models.local.sampling import CHAT, body_of
from agentkit.models.model import Request

MAX_CALLS = 4
"""The most calls of one message: without a number, some models find no end."""


def speaker(template: str, engine: Engine, name: str, settings: Settings) -> Recovering | None:
    """The model behind a template that knows tools; None if it does not."""
    if not re.search(r"\btools\b", template):
        return None
    family = next((family for family in FAMILIES if _writes_like(family, template)), None)
    speaking = _Speaking(engine, name, settings, family, thinks="think" in template)
    return Recovering(speaking, family=family.name if family else None)


def _writes_like(family: Family, template: str) -> bool:
    return any(opener in template for dialect in family.dialects[:1] for opener in dialect.openers)


class _Speaking:
    """The text of a model, with the tools in its prompt."""

    def __init__(self, engine: Engine, name: str, settings: Settings, family: Family | None, *, thinks: bool) -> None:
        self._engine = engine
        self._name = name
        self._settings = settings
        self._family = family
        self._thinks = thinks

    async def call(self, request: Request, emit: Emit | None = None) -> Assistant:
        """One answer, its calls still in its text."""

        async def say(text: str) -> None:
            if emit is not None and (wait := emit(TextEvent(text))) is not None:
                await wait

        settings = CHAT | self._settings | request.settings
        desk = Desk(self._engine)
        body = body_of(settings)
        if request.tools:  # "none": llama.cpp shows them to the template and leaves the answer to our grammar
            body |= {"tools": [describe(spec) for spec in request.tools], "tool_choice": "none"}
        if rules := self._rules(request, settings):
            body["grammar"] = rules
        done = await desk.chat([to_openai(message) for message in request.messages], say, **body)
        return desk.assistant(self._name, content=done.text, finish_reason=done.finish_reason)

    def _rules(self, request: Request, settings: Settings) -> str | None:
        """What the answer is held to, if to anything."""
        specs = {spec.name: spec for spec in request.tools}
        choice = settings.tool_choice or "auto"
        if choice not in {"auto", "none", "required", *specs}:
            raise UsageError(
                f"tool_choice names {choice!r}, which is not among the tools: {', '.join(specs) or 'none'}"
            )
        offered = [specs[choice]] if choice in specs else [] if choice == "none" else list(request.tools)
        document = grammar.document(request.output.schema) if request.output else None
        if not offered:
            return document
        written = _written(self._family, offered, several=settings.parallel_tool_calls is not False)
        if written is None:
            return None
        if choice != "auto":
            return _calls(offered, written, text=None)
        if request.output is not None:
            return _calls(offered, written, text=grammar.json_value(request.output.schema))
        begin = written.before[0][:1]
        if self._thinks or begin not in "<[":
            return None
        return _calls(offered, written, text=rf"/[^\{begin}](?s:.*)/")


@dataclass(frozen=True, slots=True)
class _Written:
    """How calls with their arguments left out are written, by the index of the tool.

    Attributes:
        before: What opens a message with a call.
        between: What stands between the arguments of one call and those of another; empty if there may be only one.
        after: What ends the message.
    """

    before: Sequence[str]
    between: Mapping[tuple[int, int], str]
    after: Sequence[str]


def _written(family: Family | None, specs: Sequence[ToolSpec], *, several: bool) -> _Written | None:
    """How a family writes calls; None if it does not write arguments as one JSON object."""
    if family is None:
        return None
    calls = [Found(spec.name, {}) for spec in specs]
    alone = [family.write([call]).split("{}") for call in calls]
    if any(len(parts) != 2 for parts in alone):
        return None
    pairs = itertools.product(enumerate(calls), repeat=2) if several else ()
    between = {(i, j): family.write([one, other]).split("{}")[1] for (i, one), (j, other) in pairs}
    return _Written([before for before, _ in alone], between, [after for _, after in alone])


def _calls(specs: Sequence[ToolSpec], written: _Written, *, text: str | None) -> str:
    """The grammar of a few calls, or of a text."""
    start = [f"call_{index}" for index in range(len(specs))] + (["text"] if text else [])
    rules = [f"start: {' | '.join(start)}"] + ([f"text: {text}"] if text else [])
    for index, spec in enumerate(specs):
        rules.append(f"args_{index}: {grammar.json_value(spec.parameters)}")
        rules.append(f"call_{index}: {grammar.literal(written.before[index])} args_{index} tail_{index}_1")
        for number in range(1, MAX_CALLS + 1):
            more = [
                f"{grammar.literal(gap)} args_{other} tail_{other}_{number + 1}"
                for (one, other), gap in written.between.items()
                if one == index and number < MAX_CALLS
            ]
            rules.append(f"tail_{index}_{number}: {' | '.join([grammar.literal(written.after[index]), *more])}")
    return grammar.HEADER + "\n".join(rules) + "\n"
