"""JSON to an address and JSON back, for what is no chat: batches and embeddings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anyio

from agentkit.errors import MalformedResponse, ModelError, Unavailable
from agentkit.models import json_bytes
from agentkit.models.chat_completions.errors import fault_of
from agentkit.models.exchange import MAX_ANSWER_BYTES, MAX_ERROR_BYTES
from agentkit.models.http import AS_A_WHOLE, Post, Transport, first_words
from agentkit.models.workers_ai.errors import error_from_fault

_NEVER_SENT = (
    "ConnectError", "ConnectTimeout", "ConnectionTimeoutError", "PoolTimeout", "ProxyError", "ClientConnector",
)  # fmt: skip
"""Beginnings of what libraries raise before anything was sent."""
_TIMEOUTS = frozenset({"3007", "3008", "7009"})
"""Codes of servers that gave up waiting for another one."""


async def post_json(
    transport: Transport,
    post: Post,
    *,
    timeout_s: float,
    before: Callable[[], None] | None = None,
) -> Any:
    """The JSON of one answer, without its envelope.

    Args:
        transport: Where to send it.
        post: What to send.
        timeout_s: Seconds for all of it.
        before: Called at the last moment before anything is sent.

    Raises:
        ModelError: There is none.
    """
    with anyio.move_on_after(timeout_s):
        sending = transport.send(post)  # loads the libraries, the first time
        if before is not None:
            before()
        async with sending as reply:
            if not 200 <= reply.status < 300:
                body = await reply.beginning(max_bytes=MAX_ERROR_BYTES)
                raise error_from_fault(fault_of(body), reply.status, reply.headers)
            body = await reply.read(max_bytes=MAX_ANSWER_BYTES)
            return _opened(body, reply.headers)
    raise Unavailable(f"no whole answer within {timeout_s} s")


def json_post(url: str, headers: Mapping[str, str], body: Any) -> Post:
    """A request with this JSON; without any it is a GET."""
    return Post(
        url=url,
        headers={**headers, "accept": "application/json"},
        body=b"" if body is None else json_bytes.dumps(body),
        timeouts=AS_A_WHOLE,
        method="GET" if body is None else "POST",
    )


def was_not_accepted(error: ModelError) -> bool:
    """Whether the server certainly did not take the request: it said so, or was never reached."""
    if isinstance(error, MalformedResponse):
        return False
    if error.status is not None:
        return error.status < 500 and error.status != 408 and error.code not in _TIMEOUTS
    return type(error.__cause__).__name__.startswith(_NEVER_SENT)


def _opened(body: bytes, headers: Mapping[str, str]) -> Any:
    try:
        value = json_bytes.loads(body)
    except ValueError:
        raise MalformedResponse(f"the answer is not JSON: {first_words(body)}") from None
    if isinstance(value, Mapping) and value.get("success") is False:
        raise error_from_fault(fault_of(body), 200, headers)
    return value["result"] if isinstance(value, Mapping) and "result" in value else value
