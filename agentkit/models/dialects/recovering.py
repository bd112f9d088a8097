"""A model around a model: calls and thoughts that the inner one leaves in its text become calls and thoughts.

    recover    when calls are looked for
    auto       when tools were offered and the server returned no call of its own
    always     also beside calls of the server's own
    never      the answer is not touched

Calls without a mark (bare JSON, Python lists, plain fences) must be the whole message, and are not looked for when the
answer was to be JSON. Thoughts are taken out whether or not there are tools.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from agentkit.core.events import Delta, Emit, ReasoningEvent, RetryEvent, TextEvent, ToolCallEvent
from agentkit.core.messages import Assistant, ToolSpec
from agentkit.errors import UsageError
from agentkit.models.assemble import CUT
from agentkit.models.dialects.answer import Parsed
from agentkit.models.dialects.families import family_named
from agentkit.models.dialects.fence import Fences
from agentkit.models.dialects.splitter import Splitter
from agentkit.models.model import Model, Request, tell
from agentkit.models.wrapper import Wrapper

Recover: TypeAlias = Literal["auto", "always", "never"]

BETWEEN = "\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the text of one answer is read.

    Attributes:
        specs: The tools whose calls are looked for.
        family: Only this family's dialects are read.
        markerless: Calls may stand without a mark.
        fences: Where a plain JSON fence is a call (`fence.py`).
        reasoning: The prompt ends inside a thought.
        beside_native: Calls are looked for although the server returned some itself.
    """

    specs: Sequence[ToolSpec] = ()
    family: str | None = None
    markerless: bool = True
    fences: Fences = "whole"
    reasoning: bool = False
    beside_native: bool = False

    def splitter(self, *, native: bool) -> Splitter:
        """A splitter for the answer; without calls where the server returned some."""
        return Splitter(
            () if native and not self.beside_native else self.specs,
            family=self.family,
            markerless=self.markerless,
            fences=self.fences,
            reasoning=self.reasoning,
        )


class Recovering(Wrapper):
    """A model whose answers are taken apart."""

    def __init__(
        self,
        model: Model,
        *,
        recover: Recover = "auto",
        family: str | None = None,
        reasoning: bool = False,
    ) -> None:
        """Wrap a model.

        Args:
            model: The model whose server leaves calls and thoughts in the text.
            recover: When calls are looked for: `auto`, `always` or `never`.
            family: The family of the model, or its name: only its dialects are read. None: all of them.
            reasoning: The template of the model ends the prompt inside a thought.

        Raises:
            UsageError: No such family is known, or `recover` is none of the three.
        """
        if recover not in get_args(Recover):
            raise UsageError(f"recover={recover!r}: use 'auto', 'always' or 'never'")
        if family is not None:
            family_named(family)
        super().__init__(model)
        self._recover = recover
        self._family = family
        self._reasoning = reasoning

    def __repr__(self) -> str:
        return f"Recovering({self.inner!r}, recover={self._recover!r})"

    async def call(self, request: Request, emit: Emit | None = None) -> Assistant:
        """One answer of the wrapped model, taken apart."""
        if self._recover == "never":
            return await self.inner.call(request, emit)
        reading = Reading(
            specs=() if request.settings.tool_choice == "none" else request.tools,
            family=self._family,
            markerless=request.output is None,
            reasoning=self._reasoning,
            beside_native=self._recover == "always",
        )
        return await take_apart(self.inner, request, emit, reading)


async def take_apart(model: Model, request: Request, emit: Emit | None, reading: Reading) -> Assistant:
    """One answer of a model, its calls and thoughts taken out of its text as `reading` says."""
    if emit is None:
        answer = await model.call(request)
        if not answer.content:
            return answer
        splitter = reading.splitter(native=bool(answer.tool_calls) or answer.aborted)
        return _joined(answer, splitter.finish(answer.content, truncated=answer.finish_reason in CUT))
    listening = _Listening(emit, reading)
    return await listening.finish(await model.call(request, listening.take))


def _joined(answer: Assistant, parsed: Parsed) -> Assistant:
    """The answer with what was found in its text."""
    if parsed.content == answer.content and not parsed.calls and not parsed.reasoning:
        return answer
    recovered = bool(parsed.calls) and answer.finish_reason == "stop"
    return replace(
        answer,
        content=parsed.content,
        reasoning=BETWEEN.join(filter(None, (answer.reasoning, parsed.reasoning))),
        tool_calls=(*answer.tool_calls, *parsed.calls),
        finish_reason="tool_calls" if recovered else answer.finish_reason,
    )


class _Listening:
    """Stands between a model that streams and its listener."""

    def __init__(self, emit: Emit, reading: Reading) -> None:
        self._emit = emit
        self._reading = reading
        self._native = False
        self._begin()

    def _begin(self) -> None:
        self._splitter = self._reading.splitter(native=self._native)

    def take(self, delta: Delta) -> Awaitable[None] | None:
        """Take one delta of the inner model; gives back what is to be awaited, if anything is."""
        if not isinstance(delta, TextEvent):
            return self._take(delta)
        deltas = self._splitter.feed(delta.text)
        if len(deltas) == 1:
            return self._emit(deltas[0])
        return tell(self._emit, deltas) if deltas else None

    async def _take(self, delta: Delta) -> None:
        if isinstance(delta, RetryEvent):
            self._begin()
        elif isinstance(delta, ToolCallEvent):
            await self._server_calls()
        await tell(self._emit, (delta,))

    async def finish(self, answer: Assistant) -> Assistant:
        """The whole answer, after what was waiting for more text was told."""
        if answer.tool_calls or answer.aborted:
            await self._server_calls()
        if self._splitter.fed.text != answer.content:  # it did not stream its text, or another one
            await self._tell_again(answer.content)
        await tell(self._emit, self._splitter.end(truncated=answer.finish_reason in CUT))
        return _joined(answer, self._splitter.finish())

    async def _server_calls(self) -> None:
        """The server returns calls itself: what looked like one in the text is text."""
        if self._native or self._reading.beside_native:
            return
        self._native = True
        await self._tell_again(self._splitter.fed.text)

    async def _tell_again(self, text: str) -> None:
        """Read a text from its beginning and tell what was not told; where that does not fit, begin again."""
        told = self._splitter.said
        self._begin()
        deltas = self._splitter.feed(text)
        if told != Parsed():
            rest = _rest(told, self._splitter.said)
            deltas = [RetryEvent("the answer was read again"), *deltas] if rest is None else rest
        await tell(self._emit, deltas)


def _rest(told: Parsed, now: Parsed) -> list[Delta] | None:
    """What is left to tell to one who was told a part; None where that was something else."""
    if told.calls or now.calls or not now.reasoning.startswith(told.reasoning):
        return None
    if not now.content.startswith(told.content):
        return None
    thought, text = now.reasoning[len(told.reasoning) :], now.content[len(told.content) :]
    return [*([ReasoningEvent(thought)] if thought else ()), *([TextEvent(text)] if text else ())]
