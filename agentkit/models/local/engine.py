"""llama.cpp in this process: a blocking C++ runtime made safe to await, to cancel and to leave.

* One engine is one model and one daemon thread. The thread loads the model at the first job, does one job at a time
  and takes the runtime down: no other thread ever touches it.
* The thread calls into no event loop, for that may be gone. It leaves what it has in the job and writes a byte to a
  socket; whoever waits is woken by that, on any loop.
* A cancelled job returns at once, and its generation stops at the next token, or batch of the prompt. A job starts
  from its own prompt, so nothing of an abandoned one shows in the next.
* The runtime brings an HTTP server that cannot be turned off. It is given a socket in the file system, whose name is
  deleted before anyone can know it: no port is open.
* Before the interpreter ends, the job is stopped and the thread joined: C++ threads that outlive Python crash it. A
  forked child has neither this thread nor its parent's runtime, and starts its own.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import os
import secrets
import shutil
import socket
import tempfile
import threading
import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeAlias

import anyio

from agentkit.core.messages import NO_USAGE, Usage
from agentkit.errors import ContextTooLong, ModelError, RequestRefused, UsageError
from agentkit.models.chat_completions.decode import usage_of
from agentkit.models.local.gguf import Card, card_of

EXIT_TIMEOUT_S = 10.0
PROMPT_CACHE_MB = 64
BATCH_TOKENS = 128
MAX_SOCKET_PATH = 100
MAX_TRIALS = 256

OnText: TypeAlias = Callable[[str], Awaitable[None]]
"""Takes a piece of text."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What one generation gave.

    Attributes:
        text: The text.
        finish_reason: `stop` or `length`.
        usage: The tokens read and written.
        log_probability: Of the tokens of `text`, where the body asked for `logprobs`.
    """

    text: str
    finish_reason: str
    usage: Usage
    log_probability: float


class Engine:
    """One GGUF model in this process, loaded at the first call.

    Args:
        find: Gives the path of the GGUF; called in the engine's thread, at each call until the model is loaded.
        threads: CPU threads that compute.
        context_tokens: The longest prompt and answer together.
        template: A Jinja template for chats, in the place of the file's own.
    """

    def __init__(
        self, find: Callable[[], Path], *, threads: int, context_tokens: int, template: str | None = None
    ) -> None:
        self._load = lambda: _load(find(), threads, context_tokens, template)
        self._card: Card | None = None
        self._worker: _Worker | None = None
        self._obeyed: dict[str, bool] = {}

    async def complete(self, prompt: str, **body: Any) -> Completion:
        """Goes on writing after `prompt`, greedily if `body` says nothing else."""
        return await self._run("handle_completions", {"prompt": prompt, "temperature": 0, **body})

    async def chat(
        self, messages: Sequence[Mapping[str, Any]], on_text: OnText | None = None, **body: Any
    ) -> Completion:
        """Answers a chat by its template, handing each piece of text to `on_text`."""
        return await self._run("handle_chat_completions", {"messages": list(messages), **body}, on_text)

    async def obeys(self, trial: str, sign: str) -> bool:
        """Whether llama.cpp can read a grammar that begins with the sign; one that it cannot is dropped in silence."""
        if trial not in self._obeyed:
            if len(self._obeyed) >= MAX_TRIALS:
                self._obeyed.clear()
            self._obeyed[trial] = (await self.complete(" ", grammar=trial, max_tokens=8)).text.startswith(sign)
        return self._obeyed[trial]

    async def card(self) -> Card:
        """What the model file says of how it is spoken to."""
        if self._card is None:
            job = _Job(lambda loaded, hear: hear({"card": loaded.card}))
            await self._finish(job)
            card: Card = job.chunks[0]["card"]
            self._card = card
        return self._card

    async def _run(self, method: str, body: dict[str, Any], on_text: OnText | None = None) -> Completion:
        streamed = {"stream": True, "stream_options": {"include_usage": True}, "return_progress": True}
        request = _clean({**body, **streamed})
        job = _Job(lambda loaded, hear: getattr(loaded.runtime, method)(request, hear))
        await self._finish(job, on_text)
        return _completion(job.chunks)

    async def _finish(self, job: _Job, on_text: OnText | None = None) -> None:
        self._hired().jobs.put(job)
        told = 0
        try:
            while await job.news():
                while told < len(job.chunks):
                    text, told = _text(job.chunks[told]), told + 1
                    if text and on_text is not None:
                        await on_text(text)
        finally:
            job.leave()
        if isinstance(job.error, (ValueError, RuntimeError)):
            raise RequestRefused(f"llama.cpp refuses the request: {job.error}") from job.error
        if job.error is not None:
            raise job.error

    def close(self) -> None:
        """Gives the memory back, as soon as the job at hand has stopped. The next call loads the model again."""
        if self._worker is not None:
            self._worker.dismiss()
        self._worker = None

    def _hired(self) -> _Worker:
        """The worker of this process: a new one after a fork."""
        if self._worker is None or self._worker.pid != os.getpid():
            self._worker = _Worker(self._load)
            weakref.finalize(self, self._worker.dismiss).atexit = False
        return self._worker


class _Loaded(NamedTuple):
    """A runtime and the card of the file that is in it."""

    runtime: Any
    card: Card


class _Worker:
    """The thread that owns a runtime, and its queue."""

    def __init__(self, load: Callable[[], _Loaded]) -> None:
        self.pid = os.getpid()
        self.jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(load,), name="agentkit-local", daemon=True)
        atexit.register(self._leave)
        self._thread.start()

    def dismiss(self) -> None:
        """Stops the job at its next token; then the thread takes the runtime down."""
        self._closing.set()
        self.jobs.put(None)

    def _leave(self) -> None:
        """The interpreter ends: the runtime must be down before it is gone."""
        self.dismiss()
        self._thread.join(EXIT_TIMEOUT_S)

    def _work(self, load: Callable[[], _Loaded]) -> None:
        loaded = None
        while (job := self.jobs.get()) is not None:
            # llama.cpp keeps the tokenizer of its grammars in an unguarded static: one runtime of a process at a time
            with _turn(self.pid):
                try:
                    if not self._closing.is_set():
                        loaded = loaded or load()
                        job.perform(loaded, self._closing)
                except Exception as error:  # noqa: BLE001 - raised again where the job is awaited
                    job.error = error
                finally:
                    job.finish()
        loaded = None
        atexit.unregister(self._leave)


@functools.cache
def _turn(pid: int) -> threading.Lock:  # noqa: ARG001 - a forked child must not wait for a lock of its parent
    return threading.Lock()


class _Job:
    """One use of the runtime: made and awaited in a loop, performed in the engine's thread.

    Attributes:
        chunks: What has come so far; it only grows.
        error: What went wrong.
    """

    def __init__(self, work: Callable[[_Loaded, Callable[[dict[str, Any]], bool]], object]) -> None:
        self.chunks: list[dict[str, Any]] = []
        self.error: Exception | None = None
        self._work = work
        self._left = False
        self._ear, self._bell = socket.socketpair()
        self._ear.setblocking(False)
        self._bell.setblocking(False)

    def perform(self, loaded: _Loaded, closing: threading.Event) -> None:
        """Runs to the end, or to the first token after everybody left. In the engine's thread."""

        def hear(chunk: dict[str, Any]) -> bool:
            self.chunks.append(chunk)
            with suppress(OSError):  # nobody listens, or so much waits that nobody needs waking
                self._bell.send(b"!")
            return self._left or closing.is_set()

        if not self._left:
            self._work(loaded, hear)

    def finish(self) -> None:
        """Nothing more will come. In the engine's thread."""
        self._bell.close()

    async def news(self) -> bool:
        """Waits for more; False when all has come."""
        await anyio.wait_readable(self._ear)
        return bool(self._ear.recv(4096))

    def leave(self) -> None:
        """Nobody waits any more."""
        self._left = True
        self._ear.close()


def _completion(chunks: Sequence[Mapping[str, Any]]) -> Completion:
    """What a finished job gave.

    Raises:
        ModelError: The runtime refused.
    """
    finish_reason, usage, log_probability = "stop", NO_USAGE, 0.0
    for chunk in chunks:
        if "choices" not in chunk:
            raise _failure(chunk.get("error", chunk))
        for choice in chunk["choices"]:
            finish_reason = choice.get("finish_reason") or finish_reason
            tokens = (choice.get("logprobs") or {}).get("content", ())
            log_probability += sum(token["logprob"] for token in tokens if token["token"])
        if "usage" in chunk:
            usage = usage_of(chunk["usage"])
    return Completion("".join(map(_text, chunks)), finish_reason, usage, log_probability)


def _clean(value: Any) -> Any:
    """The value without lone surrogates, which no JSON in UTF-8 can carry."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case list():
            return [_clean(item) for item in value]
        case dict():
            return {name: _clean(item) for name, item in value.items()}
        case _:
            return value


def _text(chunk: Mapping[str, Any]) -> str:
    choice: Mapping[str, Any] = next(iter(chunk.get("choices", ())), {})
    return choice.get("text") or choice.get("delta", {}).get("content") or ""


def _failure(error: Mapping[str, Any]) -> ModelError:
    message = f"llama.cpp refuses the request: {error.get('message', error)}"
    kind = str(error.get("type", ""))
    if kind != "exceed_context_size_error":
        return RequestRefused(message, code=kind)
    failure = ContextTooLong(message, code=kind)
    failure.limit_tokens, failure.requested_tokens = error.get("n_ctx"), error.get("n_prompt_tokens")
    return failure


def _load(path: Path, threads: int, context_tokens: int, template: str | None) -> _Loaded:
    """A runtime with the model in it. Blocks for about 0.2 s (135M parameters)."""
    xllamacpp: Any = importlib.import_module("xllamacpp")  # 100 MB of C++, optional
    try:
        card = card_of(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"{str(path)!r} is no whole GGUF: {error}") from error
    if template is not None:
        card = replace(card, template=template)
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.chat_template = template or ""
    params.special = card.knows_tools  # their calls may begin with control tokens, which are no text otherwise
    params.reasoning_format = xllamacpp.common_reasoning_format.COMMON_REASONING_FORMAT_NONE
    params.n_ctx = context_tokens
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.n_batch = params.n_ubatch = BATCH_TOKENS
    params.n_threads_http = 1
    params.cache_ram_mib = PROMPT_CACHE_MB
    params.warmup = params.fit_params = False
    params.sse_ping_interval = -1
    params.verbosity = -1
    params.api_keys = [secrets.token_hex()]
    folder = tempfile.mkdtemp(prefix="agentkit-")  # a TemporaryDirectory would be gone before this thread, at exit
    name = f"{folder}/http.sock"
    params.hostnames = [name if os.name == "posix" and len(name) < MAX_SOCKET_PATH else "127.0.0.1"]
    try:
        runtime = xllamacpp.Server(params)
        runtime.handle_completions({"prompt": "a", "n_predict": 1})  # dropped before its loop runs, it waits for ever
        return _Loaded(runtime, card)
    except RuntimeError as error:
        raise UsageError(f"llama.cpp cannot load {str(path)!r}: is it a whole GGUF of a chat model?") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
