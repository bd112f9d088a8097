"""How a tiny model calls a tool: which one, by likelihood; with what, under a grammar.

* Which: each tool's examples begin a list of requests, and the model says how likely it is that this request comes
  next. The likeliest list wins; greetings and small talk are a list too. Asking "which tool?" is beyond such a model,
  and so is telling a call from an answer; going on with a list is what it was trained for.
* With what: the worked examples, the most alike last, then this request; what follows is held to the tool's schema
  and to what the examples show of it (`copying`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from agentkit.core.messages import NO_USAGE, ToolSpec, Usage
from agentkit.models import grammar
from agentkit.models.local import prompts
from agentkit.models.local.copying import Prefixed, plan
from agentkit.models.local.engine import Completion, Engine
from agentkit.models.local.words import Words, likeness

LIKENESS_WEIGHT = 6.0
"""Nats for a request that is word for word an example; chosen on questions of no probe."""
UNKNOWN_BONUS = 4.0
"""Nats for a tool without examples: its list begins with less, and so continues worse."""
MAX_SCORED_CHARS = 300
MAX_ARGUMENT_TOKENS = 400


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

    async def likelihood(self, prompt: str, text: str) -> float:
        """The log probability that `text` follows `prompt`."""
        fixed = f"{grammar.HEADER}start: {grammar.literal(text)}\n"
        return (await self.complete(prompt, grammar=fixed, logprobs=1, n_probs=1, max_tokens=512)).log_probability


async def choose(desk: Desk, specs: Sequence[ToolSpec], request: str, *, required: bool = False) -> ToolSpec | None:
    """The tool that the request is for; None if it is for none."""
    if required and len(specs) == 1:
        return specs[0]
    words = Words.of(request)
    text = " " + prompts.one_line(request)[-MAX_SCORED_CHARS:]

    async def score(prompt: str, examples: Iterable[str]) -> float:
        alike = max((likeness(words, Words.of(example)) for example in examples), default=0.0)
        return await desk.likelihood(prompt, text) + LIKENESS_WEIGHT * alike

    best, best_score = None, float("-inf")
    if not required:
        best_score = await score(prompts.small_talk(), prompts.SMALL_TALK)
    for spec in specs:
        bonus = 0.0 if spec.examples else UNKNOWN_BONUS
        its_score = bonus + await score(prompts.requests_for(spec), (asked for asked, _ in spec.examples))
        if its_score > best_score:
            best, best_score = spec, its_score
    return best


async def fill(desk: Desk, spec: ToolSpec, request: str) -> Completion:
    """The arguments of the call, as JSON text; cut off (`length`) if the model found no end."""
    words = Words.of(request)
    examples = sorted(spec.examples, key=lambda example: likeness(words, Words.of(example[0])))
    prompt = prompts.call_of(spec, examples, request)
    known = plan(spec, request)
    settled = {name: grammar.exactly(await _begun(desk, value)) for name, value in known.prefixed.items()}
    rules = grammar.arguments(spec.parameters, [{**choice, **settled} for choice in known.choices])
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
