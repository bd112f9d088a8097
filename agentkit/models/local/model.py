"""The embedded model: a GGUF file, answered in this process, without a key and without a server.

A demonstration, not an agent's brain: the model it finds when none is named has 135 million parameters. It calls
tools by a procedure of its own (`calling`) and answers with their results by another (`answering`); outside it is a
model like any other, and the ordinary loop runs it:

    question            -> a call, or several if the question plainly asks several things
    question, results   -> an answer; or the next call, if the calls are to be made one by one
    anything else       -> chat, by the template of the model file

A model file whose chat template knows tools needs none of this, and is spoken to in its own dialect (`speaking`).
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio

from agentkit.core.events import Delta, Emit, TextEvent, ToolCallEvent, ToolCallReady
from agentkit.core.messages import Assistant, Message, System, ToolCall, ToolResult, ToolSpec, User
from agentkit.core.settings import Settings
from agentkit.errors import RequestRefused, Unavailable, UsageError
from agentkit.models import grammar
from agentkit.models.connected import settings_of
from agentkit.models.local.answering import answer
from agentkit.models.local.calling import Desk, choose, choose_one, fill
from agentkit.models.local.engine import Engine
from agentkit.models.local.sampling import CHAT, body_of
from agentkit.models.local.speaking import speaker
from agentkit.models.local.weights import SMOLLM2, gguf_path, smollm2
from agentkit.models.model import Request

MAX_OUTPUT_TOKENS = 1024


class Local:
    """A model that runs in this process, on a GGUF file.

    Nothing is loaded or fetched before the first call. Without a path that call fetches SmolLM2-135M-Instruct
    (93 MB, once) into the user's cache.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        threads: int = 1,
        context_tokens: int = 4096,
        chat_template: str | None = None,
        **settings: Any,
    ) -> None:
        """Name the file.

        Args:
            path: A GGUF file of a chat model, or the name under which one was pulled; None is SmolLM2-135M-Instruct.
            threads: CPU threads. One is steady; more are faster on an idle machine and far slower on a busy one.
            context_tokens: The longest prompt and answer together; memory grows with it.
            chat_template: A Jinja template in the place of the file's own.
            **settings: Fields of `Settings`, under those of each request.

        Raises:
            UsageError: `xllamacpp` is not installed, or the file is missing or no GGUF.
        """
        if importlib.util.find_spec("xllamacpp") is None:
            raise UsageError("the embedded model needs llama.cpp: pip install 'agentkit[local]'")
        find: Callable[[], Path] = smollm2
        self.name = self._file = "SmolLM2-135M-Instruct"
        if path is not None and path != SMOLLM2:
            file = gguf_path(path)
            find, self.name, self._file = partial(gguf_path, file), file.stem, str(file)
        self.settings = settings_of(settings)
        self._engine = Engine(find, threads=threads, context_tokens=context_tokens, template=chat_template)

    async def call(self, request: Request, emit: Emit | None = None) -> Assistant:
        """One answer, whole.

        Raises:
            ModelError: The runtime refused the request, or it did not fit into the context.
            UsageError: The model cannot be fetched or loaded, or `tool_choice` names a tool that is not offered.
        """
        settings = self.settings | request.settings
        with anyio.move_on_after(settings.timeout_s):
            card = await self._engine.card()
            if card.knows_tools:
                return await speaker(card, self._engine, self.name, self.settings).call(request, emit)
            return await _Answer(self.name, Desk(self._engine), request, settings, emit).make()
        raise Unavailable(f"the embedded model did not finish within {settings.timeout_s} s")

    async def aclose(self) -> None:
        """Give the memory back. The next call loads the model again."""
        self._engine.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._file!r})"


@dataclass(frozen=True, slots=True)
class _Turn:
    """What the user asked last, and what came since."""

    question: str
    calls: tuple[ToolCall, ...] = ()
    results: tuple[ToolResult, ...] = ()

    @classmethod
    def of(cls, messages: Sequence[Message]) -> _Turn:
        said = [(index, message) for index, message in enumerate(messages) if isinstance(message, User)]
        last, question = said[-1] if said else (-1, User(content=""))
        since = messages[last + 1 :]
        return cls(
            question=_text(question),
            calls=tuple(call for message in since if isinstance(message, Assistant) for call in message.tool_calls),
            results=tuple(message for message in since if isinstance(message, ToolResult)),
        )

    def asked(self, result: ToolResult) -> str:
        """The part of the question that a result is for."""
        call = next((call for call in self.calls if call.id == result.call_id), None)
        return str(call.extra["asked"]) if call and call.extra and call.extra.get("asked") else self.question

    @property
    def left(self) -> list[tuple[str, str]]:
        """Tools and parts of the question that are to be called yet."""
        left = (self.calls[-1].extra or {}).get("left", ()) if self.calls else ()
        return [(name, part) for name, part in left]


class _Answer:
    """One answer in the making."""

    def __init__(self, name: str, desk: Desk, request: Request, settings: Settings, emit: Emit | None) -> None:
        self._name = name
        self._desk = desk
        self._request = request
        self._settings = settings
        self._emit = emit
        self._turn = _Turn.of(request.messages)

    async def make(self) -> Assistant:
        """Calls if they are due, else text."""
        if calls := await self._calls():
            finish_reason = "length" if any(call.truncated for call in calls) else "tool_calls"
            return self._desk.assistant(self._name, tool_calls=calls, finish_reason=finish_reason)
        if self._request.output is not None:
            settings = Settings(temperature=0, max_tokens=MAX_OUTPUT_TOKENS) | self._settings
            held = await self._desk.held(self._request.output.schema)
            return await self._chat(settings, grammar=grammar.document(held))
        if self._turn.results:
            return await self._answer()
        return await self._chat(CHAT | self._settings)

    # --- calls

    async def _calls(self) -> tuple[ToolCall, ...]:
        asked, left = await self._asked(), []
        if self._settings.parallel_tool_calls is False:
            asked, left = asked[:1], asked[1:]
        calls = []
        for spec, part in asked:
            filled = await fill(self._desk, spec, part)
            call = ToolCall(
                id=uuid4().hex,
                name=spec.name,
                arguments=filled.text.strip(),
                truncated=filled.finish_reason == "length",
                extra={"asked": part, "left": [[other.name, rest] for other, rest in left]},
            )
            await self._tell(ToolCallEvent(call))
            if not call.truncated:
                await self._tell(ToolCallReady(call))
            calls.append(call)
        return tuple(calls)

    async def _asked(self) -> list[tuple[ToolSpec, str]]:
        """The tools to call now, each with its part of the question."""
        specs = {spec.name: spec for spec in self._request.tools}
        choice, turn = self._settings.tool_choice or "auto", self._turn
        if choice not in {"auto", "none", "required"} and choice not in specs:
            raise UsageError(
                f"tool_choice names {choice!r}, which is not among the tools: {', '.join(specs) or 'none'}"
            )
        if not specs or choice == "none" or not turn.question.strip():
            return []
        if turn.calls:  # the question is being answered: a tiny model does not plan, but it finishes what it began
            return [(specs[name], part) for name, part in turn.left if name in specs]
        if choice in specs:
            return [(specs[choice], turn.question)]
        asked = await choose(self._desk, self._request.tools, turn.question)
        if not asked and choice == "required":
            return [(await choose_one(self._desk, self._request.tools, turn.question), turn.question)]
        return asked

    # --- text

    async def _answer(self) -> Assistant:
        """A sentence for each result."""
        sampling = body_of(self._settings)
        sentences: list[str] = []
        for result in self._turn.results:
            sentence = await answer(self._desk, self._turn.asked(result), result, **sampling)
            await self._tell(TextEvent(f" {sentence}" if sentences else sentence))
            sentences.append(sentence)
        return self._desk.assistant(self._name, content=" ".join(sentences))

    async def _chat(self, settings: Settings, **body: Any) -> Assistant:
        async def say(text: str) -> None:
            await self._tell(TextEvent(text))

        done = await self._desk.chat(_chat_messages(self._request.messages), say, **body_of(settings), **body)
        return self._desk.assistant(self._name, content=done.text, finish_reason=done.finish_reason)

    async def _tell(self, event: Delta) -> None:
        if self._emit is not None and (wait := self._emit(event)) is not None:
            await wait


def _chat_messages(messages: Sequence[Message]) -> list[dict[str, str]]:
    """The conversation as it was said: results of tools are told by the user, and no role speaks twice in a row."""
    spoken: list[dict[str, str]] = []
    for message in messages:
        match message:
            case System(content=content):
                role, text = "system", content
            case Assistant(content=content):
                role, text = "assistant", content
            case ToolResult(name=name, content=content):
                role, text = "user", f"{name}: {content}"
            case User():
                role, text = "user", _text(message)
        if spoken and spoken[-1]["role"] == role:
            spoken[-1]["content"] += f"\n\n{text}"
        elif text:
            spoken.append({"role": role, "content": text})
    return spoken


def _text(message: User) -> str:
    """What the user wrote.

    Raises:
        RequestRefused: There is more than text.
    """
    if isinstance(message.content, str):
        return message.content
    others = {str(part.get("type")) for part in message.content} - {"text"}
    if others:
        raise RequestRefused(f"the embedded model reads text only, not {', '.join(sorted(others))}")
    return "\n".join(part["text"] for part in message.content)
