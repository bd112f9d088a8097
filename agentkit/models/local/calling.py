"""How a tiny model calls a tool: which one, by likelihood; with what, under a grammar.

* Which: each tool's examples begin a list of requests, and the model says how likely it is that this request comes
  next. The likeliest list wins; greetings and small talk are a list too. Asking "which tool?" is beyond such a model,
  and so is telling a call from an answer; going on with a list is what it was trained for.
* With what: the worked examples, the most alike last, then this request; what follows is held to the tool's schema
  and to what the examples show of it (`copying`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agentkit.core.messages import NO_USAGE, Assistant, ToolSpec, Usage
from agentkit.models import grammar
from agentkit.models.local import prompts
from agentkit.models.local.copying import Prefixed, plan
from agentkit.models.local.engine import Completion, Engine, OnText
from agentkit.models.local.words import Words, likeness

LIKENESS_WEIGHT = 6.0
"""Nats for a request that is word for word an example; chosen on questions of no probe."""
UNKNOWN_BONUS = 4.0
"""Nats for a tool without examples: its list begins with less, and so continues worse."""
MISFIT_COST = 2.0
"""Nats for each parameter to which the request offers nothing like what the examples have for it."""
CUT_COST = 4.0
"""Nats that a request must gain by being taken apart; chosen on questions of no probe."""
MAX_PARTS = 4
MAX_SCORED_CHARS = 300
MAX_ARGUMENT_TOKENS = 400
_CUT = re.compile(
    r"(?<=[.?!])\s+(?:and\s+)?(?=\S)|,?\s+and\s+(?=(?:what|who|how|when|where|which|why)\b)", re.IGNORECASE
)
"""Where one request may end and the next begin."""


class Desk:
    """An engine that counts the tokens of one answer."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.usage: Usage = NO_USAGE

    async def complete(self, prompt: str, **body: Any) -> Completion:
        """`Engine.complete`, counted."""
        done = await self.engine.complete(prompt, **body)
        self.usage += done.usage
        return done

    async def chat(self, messages: Sequence[Mapping[str, Any]], on_text: OnText, **body: Any) -> Completion:
        """`Engine.chat`, counted."""
        done = await self.engine.chat(messages, on_text, **body)
        self.usage += done.usage
        return done

    async def held(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """The strictest reading of the schema to which the runtime can hold the model."""
        for reading in grammar.readings(schema):
            if await self.engine.obeys(grammar.trial(reading), grammar.TRIAL):
                return reading
        return {}

    def assistant(self, model: str, **fields: Any) -> Assistant:
        """The answer, with what it took."""
        return Assistant(model=model, usage=replace(self.usage, requests=1), cost_usd=0.0, **fields)

    async def likelihood(self, prompt: str, text: str) -> float:
        """The log probability that `text` follows `prompt`."""
        fixed = f"{grammar.HEADER}start: {grammar.literal(text)}\n"
        return (await self.complete(prompt, grammar=fixed, logprobs=1, n_probs=1, max_tokens=512)).log_probability


@dataclass(frozen=True, slots=True)
class Choice:
    """A request and the tool that it is for.

    Attributes:
        request: What is asked.
        spec: The tool; None for small talk.
        likelihood: How likely the request is after the requests of that tool, as a logarithm.
    """

    request: str
    spec: ToolSpec | None
    likelihood: float


async def choose(desk: Desk, specs: Sequence[ToolSpec], request: str) -> list[tuple[ToolSpec, str]]:
    """The tools to call, each with its part of the request; nothing for small talk.

    A request is taken apart only where the parts, as requests of their own, are together likelier than the whole.
    """
    whole = await _choice(desk, specs, request, may_be_small_talk=True)
    choices = [whole]
    parts = _CUT.split(request.strip())
    if 1 < len(parts) <= MAX_PARTS:
        apart = [await _choice(desk, specs, part, may_be_small_talk=True) for part in parts]
        if sum(part.likelihood - CUT_COST for part in apart) + CUT_COST > whole.likelihood:
            choices = apart
    return [(choice.spec, choice.request) for choice in choices if choice.spec is not None]


async def choose_one(desk: Desk, specs: Sequence[ToolSpec], request: str) -> ToolSpec:
    """The tool to call, where one must be called."""
    choice = await _choice(desk, specs, request, may_be_small_talk=False)
    return choice.spec or specs[0]


async def _choice(desk: Desk, specs: Sequence[ToolSpec], request: str, *, may_be_small_talk: bool) -> Choice:
    words = Words.of(request)
    text = " " + prompts.one_line(request)[-MAX_SCORED_CHARS:]
    best, best_score = Choice(request, None, -math.inf), -math.inf
    lists: list[ToolSpec | None] = [*specs, *([None] if may_be_small_talk else [])]
    for spec in lists:
        shown = prompts.SMALL_TALK if spec is None else [asked for asked, _ in spec.examples]
        alike = max((likeness(words, Words.of(asked)) for asked in shown), default=0.0)
        likelihood = await desk.likelihood(prompts.requests_for(spec), text)
        score = likelihood + LIKENESS_WEIGHT * alike + (0.0 if shown else UNKNOWN_BONUS)
        score -= MISFIT_COST * plan(spec, request).misfits if spec else 0.0
        if score > best_score:
            best, best_score = Choice(request, spec, likelihood), score
    return best


async def fill(desk: Desk, spec: ToolSpec, request: str) -> Completion:
    """The arguments of the call, as JSON text; cut off (`length`) if the model found no end."""
    words = Words.of(request)
    examples = sorted(spec.examples, key=lambda example: likeness(words, Words.of(example[0])))
    prompt = prompts.call_of(spec, examples, request)
    known = plan(spec, request)
    settled = {name: grammar.exactly(await _begun(desk, value)) for name, value in known.prefixed.items()}
    held = await desk.held(spec.parameters)
    rules = grammar.arguments(held, [{**choice, **settled} for choice in known.choices], known.sure)
    return await desk.complete(prompt, grammar=rules, max_tokens=MAX_ARGUMENT_TOKENS)


async def _begun(desk: Desk, value: Prefixed) -> str:
    """The value with that beginning of the examples after which its end is the likeliest."""
    listed = "".join(f"{start}: {end}\n" for start, end in value.shown)
    scores = {
        start + end.replace(" ", "_"): await desk.likelihood(f"{listed}{start}:", f" {end}")
        for start in dict(value.shown)
        for end in value.ends
    }
    return max(scores, key=scores.__getitem__)
