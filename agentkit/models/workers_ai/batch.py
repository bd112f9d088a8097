"""Many questions in one request, answered when there is room: Cloudflare's asynchronous batches.

Each request id is on disk before anything waits for it, so that a process that is killed goes on where it was: what is
in the queue is polled, what was answered is read from the journal, and nothing is paid twice. See `journal.py`.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import anyio

from agentkit.core.messages import Assistant
from agentkit.core.settings import Settings
from agentkit.errors import MalformedResponse, ModelError, ModelNotFound, RequestRefused, UsageError
from agentkit.models import json_bytes
from agentkit.models.chat_completions.encode import Encoded
from agentkit.models.chat_completions.errors import Fault
from agentkit.models.chat_completions.tools import NO_TOOLS, Offered
from agentkit.models.model import Request
from agentkit.models.workers_ai.errors import CODES, error_from_fault
from agentkit.models.workers_ai.journal import Chunk, Journal
from agentkit.models.workers_ai.posting import was_not_accepted
from agentkit.models.workers_ai.ranges import Ranges, check

MAX_BYTES = 10_000_000
"""What one request of a batch may have."""
FIRST_POLL_S = 2.0
LONGEST_POLL_S = 60.0
MAX_SILENT_POLLS = 10
"""Polls of a request in a row that may fail before the caller is told; what was sent stays in the journal."""
MAX_UNKNOWN_POLLS = 4
"""Polls in a row to which the queue may say that it knows no such request, before its items fail."""

Item: TypeAlias = str | Request | Mapping[str, Any]
"""A question, a request, or a body as the model page has it (`prompt` or `messages`), with an `external_reference`."""
OnProgress: TypeAlias = Callable[[int, int], None]
Send: TypeAlias = Callable[..., Awaitable[Any]]
Encode: TypeAlias = Callable[[Request], Awaitable[Encoded]]

_ENDED = frozenset({"failed", "error", "errored", "cancelled", "canceled", "expired"})
_UNKNOWN = "the process ended while this item was being sent: it may have been paid; ask for it again on purpose"
_MISSING = "the batch ended without an answer for this item"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAnswer:
    """What came of one item.

    Attributes:
        index: Its place among the items.
        reference: Its `external_reference`, if it had one.
        answer: The answer; None if it failed.
        error: Why it failed; None if it did not.
        raw: What the server sent for it.
    """

    index: int
    reference: str | None
    answer: Assistant | None = None
    error: ModelError | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An item, ready to send.

    Attributes:
        key: What it is known by in the journal: the same for the same item of the same list.
        body: What is sent.
        reference: The caller's name for it.
        offered: The tools in it.
        request: What it was made from; None of a body that the caller wrote.
    """

    key: str
    body: Mapping[str, Any]
    reference: str | None
    offered: Offered = NO_TOOLS
    request: Request | None = None


@dataclass(slots=True, kw_only=True)
class Run:
    """One batch, from its items to its answers.

    Attributes:
        items: What is asked.
        journal: What was done so far.
        send: Sends a body to the queue and gives what came back; told what to do at the last moment before.
        read: The answer that the body for an item is.
        poll_s: Seconds before the first poll; the wait doubles.
        on_progress: Told how many of how many are answered.
    """

    items: Sequence[Prepared]
    journal: Journal
    send: Send
    read: Callable[[Prepared, bytes], Awaitable[Assistant]]
    poll_s: float = FIRST_POLL_S
    on_progress: OnProgress | None = None
    _silent_polls: Counter[str] = field(default_factory=Counter)
    _not_sent: ModelError | None = None

    async def answers(self, *, retry_failed: bool) -> list[BatchAnswer]:
        """Send what was not sent, wait for what was, and read it all.

        Args:
            retry_failed: Items that failed, and those of which it is not known, are sent again.

        Raises:
            ModelError: Nothing was ever sent, or the queue fell silent. What is in it stands in the journal.
        """
        if retry_failed:
            await self._forget_failed()
        for chunk in self._chunks():
            try:
                await self._submit(chunk)
            except ModelError as error:
                if not (self._mine() or any(item.key in self.journal.progress.answers for item in self.items)):
                    raise
                self._not_sent = error  # what the queue has is paid: it is waited for, the rest can be sent later
                break
        self._tell()
        await self._wait()
        return [await self._read(index, item) for index, item in enumerate(self.items)]

    async def _forget_failed(self) -> None:
        waiting = {key for chunk in self.journal.progress.waiting.values() for key in chunk.keys}
        found = [(item.key, await self._read(index, item)) for index, item in enumerate(self.items)]
        if failed := [key for key, one in found if one.answer is None and key not in waiting]:
            self.journal.write({"again": failed})

    def _chunks(self) -> Iterator[list[Prepared]]:
        """What is still to be sent, in requests that are not too large."""
        progress = self.journal.progress
        sent = {key for chunk in progress.chunks.values() for key in chunk.keys}
        chunk: list[Prepared] = []
        room = MAX_BYTES - 100
        for item in self.items:
            if item.key in progress.answers or item.key in sent:
                continue
            size = len(json_bytes.dumps(item.body)) + 1
            if size > MAX_BYTES - 100:
                raise UsageError(f"item {item.reference or item.key} has {size} bytes; a batch takes {MAX_BYTES}")
            if size > room:
                yield chunk
                chunk, room = [], MAX_BYTES - 100
            chunk.append(item)
            room -= size
        if chunk:
            yield chunk

    async def _submit(self, items: Sequence[Prepared]) -> None:
        name = hashlib.sha256("".join(item.key for item in items).encode()).hexdigest()[:16]
        references = [str(item.body["external_reference"]) for item in items]
        intent = {"sending": name, "keys": [item.key for item in items], "references": references}
        said: Any = None
        try:
            # shielded: a request id that is on its way must reach the journal
            with anyio.CancelScope(shield=True):
                body = {"requests": [item.body for item in items]}
                said = await self.send(body, lambda: self.journal.write(intent))
        except (ModelError, UsageError) as error:
            if isinstance(error, UsageError) or was_not_accepted(error):
                self.journal.write({"withdrawn": name})
            raise
        request_id = said.get("request_id") if isinstance(said, Mapping) else None
        if isinstance(request_id, str):
            self.journal.write({"queued": name, "request_id": request_id})
        elif not self._take(Chunk([item.key for item in items], references), said):
            raise MalformedResponse("the queue gave no request id", retryable=False)

    async def _wait(self) -> None:
        delay_s = max(0.0, self.poll_s)
        while True:
            for chunk in list(self._mine().values()):
                await self._poll(chunk)
            if not self._mine():
                return
            await anyio.sleep(delay_s * random.uniform(0.75, 1.0))  # noqa: S311 - jitter, no secret
            delay_s = min(delay_s * 1.5, LONGEST_POLL_S)

    def _mine(self) -> dict[str, Chunk]:
        keys = {item.key for item in self.items}
        return {name: chunk for name, chunk in self.journal.progress.waiting.items() if keys & set(chunk.keys)}

    async def _poll(self, chunk: Chunk) -> None:
        name = str(chunk.request_id)
        try:
            said = await self.send({"request_id": name})
            status = said.get("status") if isinstance(said, Mapping) else None
            answered = self._take(chunk, said)
            if not (answered or isinstance(status, str)):
                raise MalformedResponse("the queue says neither how the batch stands nor what came of it")
        except ModelError as error:
            self._silent_polls[name] += 1
            # a code that is known speaks of the account or the model, never of this request
            unknown = isinstance(error, ModelNotFound | RequestRefused) and error.code not in CODES
            if unknown and self._silent_polls[name] >= MAX_UNKNOWN_POLLS:
                self._fail(chunk.keys, str(error))
            elif not (unknown or error.retryable) or self._silent_polls[name] >= MAX_SILENT_POLLS:
                raise
            return  # the next poll may do
        del self._silent_polls[name]
        if status in _ENDED and not answered:
            self._fail(chunk.keys, f"the batch ended as {status}")

    def _take(self, chunk: Chunk, said: Any) -> bool:
        """Keep the answers of a chunk; False if it still waits."""
        while isinstance(said, Mapping) and "responses" not in said and isinstance(said.get("result"), Mapping):
            said = said["result"]
        responses = said.get("responses") if isinstance(said, Mapping) else None
        if not isinstance(responses, list):
            return False
        found: dict[str, Mapping[str, Any]] = {}
        for position, item in enumerate(responses):
            key = _key_of(chunk, item, position) if isinstance(item, Mapping) else None
            if key is not None:
                found[key] = item
        missing = [key for key in chunk.keys if key not in found]
        self.journal.write(
            *({"answered": key, "item": item} for key, item in found.items()), *_failed(missing, _MISSING)
        )
        self._tell()
        return True

    def _fail(self, keys: Sequence[str], message: str) -> None:
        self.journal.write(*_failed(keys, message))

    def _tell(self) -> None:
        if self.on_progress is not None:
            answers = self.journal.progress.answers
            self.on_progress(sum(item.key in answers for item in self.items), len(self.items))

    async def _read(self, index: int, item: Prepared) -> BatchAnswer:
        progress = self.journal.progress
        raw = progress.answers.get(item.key)
        if raw is None:
            sent = any(item.key in chunk.keys for chunk in progress.chunks.values())
            error = _failure(_UNKNOWN) if sent or self._not_sent is None else self._not_sent
            return BatchAnswer(index=index, reference=item.reference, error=error)
        try:
            answer = await self.read(item, json_bytes.dumps(raw))
        except ModelError as failed:
            return BatchAnswer(index=index, reference=item.reference, error=failed, raw=raw)
        return BatchAnswer(index=index, reference=item.reference, answer=answer, raw=raw)


def _key_of(chunk: Chunk, item: Mapping[str, Any], position: int) -> str | None:
    """Whose answer this is: by its reference, else by its index, else by its place."""
    reference, index = item.get("external_reference"), item.get("id", position)
    if isinstance(reference, str) and chunk.references.count(reference) == 1:
        return chunk.keys[chunk.references.index(reference)]
    if isinstance(index, str) and index.isdecimal() and len(index) < 10:
        index = int(index)
    return chunk.keys[index] if type(index) is int and 0 <= index < len(chunk.keys) else None


def _failed(keys: Sequence[str], message: str) -> Iterator[Mapping[str, Any]]:
    """The lines that say so of these items."""
    return ({"answered": key, "item": {"success": False, "errors": [{"message": message}]}} for key in keys)


def _failure(message: str) -> ModelError:
    return error_from_fault(Fault(message, ("unknown_outcome",)), 200, {})


async def prepared(items: Sequence[Request | Mapping[str, Any]], model: str, encode: Encode) -> list[Prepared]:
    """The items, ready to send; equal ones are told apart by how often they came before.

    Args:
        items: What is asked.
        model: The model's id.
        encode: The body of a request, and the tools in it.
    """
    seen: Counter[str] = Counter()
    out: list[Prepared] = []
    request: Request | None
    for item in items:
        if isinstance(item, Request):
            encoded = await encode(item)
            body, reference, offered, request = json.loads(encoded.body), None, encoded.offered, item
        else:
            body, offered, request = dict(item), NO_TOOLS, None
            reference = None if (given := body.pop("external_reference", None)) is None else str(given)
        digest = hashlib.sha256(json_bytes.dumps([model, reference, _sorted(body)])).hexdigest()[:24]
        key = f"{digest}-{seen[digest]}"
        seen[digest] += 1
        sent = {**body, "external_reference": reference or key}
        out.append(Prepared(key=key, body=sent, reference=reference, offered=offered, request=request))
    return out


def checked_body(body: Mapping[str, Any], settings: Settings, ranges: Ranges, max_tokens: int) -> dict[str, Any]:
    """A body that the caller wrote, with the model's own settings below it.

    Raises:
        UsageError: It is neither a prompt nor messages, or a parameter is out of its range.
    """
    if not isinstance(body, Mapping) or ("prompt" in body) == ("messages" in body):
        raise UsageError(f"an item of a batch needs either prompt or messages, got {sorted(body)}")
    messages = body.get("messages")
    texts = [_content(one) for one in messages] if isinstance(messages, Sequence) else [body.get("prompt")]
    if not texts or not all(isinstance(text, str) for text in texts) or ("prompt" in body and not body["prompt"]):
        raise UsageError("an item of a batch needs a text: a prompt, or messages with a role and a content each")
    given = {name: body[name] for name in ranges if body.get(name) is not None}
    check(Settings(extra=given), ranges)
    own = {name: value for name in ranges if (value := getattr(settings, name)) is not None}
    kept = {name: value for name, value in body.items() if name != "stream" and value is not None}
    return {"max_tokens": max_tokens, **own, **settings.extra, **kept}


def _content(message: Any) -> Any:
    return message.get("content") if isinstance(message, Mapping) and "role" in message else None


def _sorted(value: Any) -> Any:
    return json.loads(json.dumps(value, sort_keys=True))
