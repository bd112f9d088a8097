"""One request and its answer over HTTP, tried again where that may help: what every wire shares.

A wire says how to write the request and how to read what comes back (`Turn`); this module does the rest:

* A server that was asked for a stream may answer with one JSON body, and the other way round: the first bytes tell.
  A JSON body without an answer, where a stream was asked for, makes the next try ask for a whole answer.
* An answer is over when the server says so; the connection is then read to its end (so that it can be used again),
  but not waited for. Of a connection that breaks, an answer that was over is kept.
* Deltas of a try that failed are void: a `RetryEvent` says so before the next try.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import anyio

from agentkit.core.events import Delta, Emit, RetryEvent, deltas_of
from agentkit.core.messages import Assistant
from agentkit.errors import MalformedResponse, ModelError, Unavailable
from agentkit.models.http import AS_A_WHOLE, Post, Reply, Timeouts, Transport, first_words
from agentkit.models.retrying import Retries
from agentkit.models.sse import EventReader

MAX_ANSWER_BYTES = 256_000_000
MAX_STREAM_BYTES = 512_000_000
"""More, for a piece of three letters comes in a frame of some hundred bytes, of which nothing is kept."""
MAX_ERROR_BYTES = 256_000
MAX_BLANK_BYTES = 64_000
"""How many blanks in front of an answer are read."""
AFTER_END_S = 0.25
"""Seconds that a connection is read on after the server said that the answer is over."""
AFTER_FINISH_REASON_S = 5.0
"""Seconds of silence after a finish reason that end an answer whose end was never said."""


class Reader(Protocol):
    """Puts an answer together from the payloads of an event stream."""

    @property
    def done(self) -> bool:
        """Whether the server said that nothing follows."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether the answer is whole, although more may follow."""
        ...

    def feed(self, payloads: Sequence[bytes]) -> Iterable[Delta]:
        """The deltas of payloads that came together, up to the end of the answer."""
        ...

    def finish(self) -> tuple[Assistant, Iterable[Delta]]:
        """The answer, and the deltas that were held back."""
        ...


class Turn(Protocol):
    """One request on one wire."""

    def post(self, *, stream: bool, timeouts: Timeouts) -> Post:
        """The request."""
        ...

    def whole(self, body: bytes) -> Assistant:
        """The answer that a body is."""
        ...

    def reader(self) -> Reader:
        """A reader for one event stream."""
        ...

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """The error that an answer with this status is."""
        ...


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One turn, until it is answered or given up.

    Attributes:
        turn: What to send, and how to read.
        transport: Where to send it.
        retries: When to send it again.
        limit_s: Seconds for one try; None is for ever.
        emit: If given, the answer streams.
    """

    turn: Turn
    transport: Transport
    retries: Retries
    limit_s: float | None
    emit: Emit | None
    _stream: bool = False
    _emitted: bool = False
    _heard: bool = False

    async def run(self) -> Assistant:
        """The answer.

        Raises:
            ModelError: There is none; what was emitted is void.
        """
        self._stream = self.emit is not None
        return await self.retries.run(self._attempt, self._before_retry)

    async def _before_retry(self, error: ModelError) -> None:
        if self._emitted:
            await self._show([RetryEvent(str(error))])
            self._emitted = False

    async def _attempt(self) -> Assistant:
        timeouts = Timeouts() if self.limit_s is None else AS_A_WHOLE
        with anyio.move_on_after(self.limit_s):
            async with self.transport.send(self.turn.post(stream=self._stream, timeouts=timeouts)) as reply:
                if not 200 <= reply.status < 300:
                    body = await reply.beginning(max_bytes=MAX_ERROR_BYTES)
                    raise self.turn.failure(reply.status, reply.headers, body)
                if self._stream:
                    return await self._sniffed(reply)
                return await self._whole(await reply.read(max_bytes=MAX_ANSWER_BYTES))
        raise Unavailable(f"no whole answer within {self.limit_s} s")

    async def _sniffed(self, reply: Reply) -> Assistant:
        """The answer to a request for a stream, which may be none."""
        head = b""
        async for chunk in reply.chunks:
            head += chunk
            if start := head.lstrip(b"\xef\xbb\xbf \t\r\n"):
                if start[:1] in b'{[<"':
                    self._stream = False  # should this be no answer, the next try asks for a whole one
                    return await self._whole(head + await reply.read(max_bytes=MAX_ANSWER_BYTES))
                return await self._streamed(head, reply.chunks)
            if len(head) > MAX_BLANK_BYTES:
                break
        raise MalformedResponse("the stream is empty")

    async def _whole(self, body: bytes) -> Assistant:
        if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"data:", b"event:", b":")):
            return await self._streamed(body, _nothing())
        answer = self.turn.whole(body)
        await self._show(deltas_of(answer))
        return answer

    async def _streamed(self, head: bytes, chunks: AsyncIterator[bytes]) -> Assistant:
        reader = self.turn.reader()
        self._heard = False
        broken: Unavailable | None = None
        try:
            await self._read(reader, head, chunks)
        except Unavailable as error:  # the connection broke: what was over before is an answer
            broken = error
        try:
            answer, deltas = reader.finish()
        except MalformedResponse:
            if broken is not None:
                raise broken from broken.__cause__
            if head and not self._heard:
                raise MalformedResponse(f"the answer is no event stream: {first_words(head)}") from None
            raise
        await self._show(deltas)
        return answer

    async def _read(self, reader: Reader, head: bytes, chunks: AsyncIterator[bytes]) -> None:
        events, emit = EventReader(), self.emit
        left = MAX_STREAM_BYTES - len(head)
        await self._show(self._heard_in(reader, events.feed(head)))
        over = reader.is_over
        with anyio.CancelScope(deadline=_patience(reader)) as patience:  # it may end a read, never a listener
            async for data in chunks:
                if over:
                    patience.deadline = math.inf
                left -= len(data)
                if left < 0:
                    raise MalformedResponse(f"the stream is longer than {MAX_STREAM_BYTES} bytes", retryable=False)
                for delta in self._heard_in(reader, events.feed(data)):  # `_show`, without a coroutine for each read
                    self._emitted = True
                    if emit is not None and (wait := emit(delta)) is not None:
                        await wait
                if over := reader.is_over:
                    patience.deadline = _patience(reader)
        await self._show(self._heard_in(reader, events.close()))

    def _heard_in(self, reader: Reader, payloads: Sequence[bytes]) -> Iterable[Delta]:
        self._heard = self._heard or bool(payloads)
        return reader.feed(payloads)

    async def _show(self, deltas: Iterable[Delta]) -> None:
        emit = self.emit
        for delta in deltas:
            self._emitted = True
            if emit is not None and (wait := emit(delta)) is not None:
                await wait


async def _nothing() -> AsyncIterator[bytes]:
    """No chunk."""
    return
    yield b""


def _patience(reader: Reader) -> float:
    """Until when the next piece is waited for, by the event loop's clock."""
    if not reader.is_over:
        return math.inf
    return anyio.current_time() + (AFTER_END_S if reader.done else AFTER_FINISH_REASON_S)
