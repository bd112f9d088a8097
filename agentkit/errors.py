"""The error tree, and whose fault it is.

    AgentkitError                 .result (the run so far; None outside a run)
      UsageError                  the caller's mistake: says what to change
      ModelError                  the model's side failed
        RateLimited               too many requests just now                    retryable, try another
        QuotaExhausted            an allowance is used up until it resets       try another
        ContextTooLong            the conversation does not fit the window      .limit_tokens .requested_tokens
        RequestRefused            the server refuses this request
        MalformedResponse         what came back is no answer                   retryable
        Unavailable               overload, timeout, no connection              retryable, try another
        AuthFailed                the key is missing, wrong, or not allowed
        ModelNotFound             no such model here (any more)                 try another
      RunStopped                  raised by `Result.output` when there is none  .reason .result
      StoreError                  the store failed
        Conflict                  another process works on the same session

    ToolSignal                    what a tool may raise; never leaves the runtime
      Retry("say why")            the model is told why and may call again
      ToolFailed("what to show")  the model is shown exactly this text

`retryable`: the same request may succeed later. `try_another`: another model may succeed now.
"""

from __future__ import annotations

from typing import Any


class AgentkitError(Exception):
    """Base of every error that agentkit raises on purpose.

    Attributes:
        result: The run as far as it came (a `Result`), when the error left a run; else None.
    """

    result: Any = None


class UsageError(AgentkitError):
    """The caller's mistake (a bad tool, a bad configuration). The message says what to change."""


class ModelError(AgentkitError):
    """The model's side failed.

    Attributes:
        retryable: Whether the same request may succeed later.
        try_another: Whether another model may succeed now.
        retry_after_s: Seconds that the server asked to wait, if it did.
        status: HTTP status, if there was a response.
        code: The server's own error code, as text, if it gave one.
        request_id: The server's id for the request, for support.
    """

    retryable = False
    try_another = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
        retryable: bool | None = None,
        try_another: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        if retryable is not None:
            self.retryable = retryable
        if try_another is not None:
            self.try_another = try_another


class RateLimited(ModelError):
    """Too many requests just now."""

    retryable = True
    try_another = True


class QuotaExhausted(ModelError):
    """An allowance (daily, monthly, paid) is used up until it resets."""

    try_another = True


class ContextTooLong(ModelError):
    """The conversation does not fit into the model's window.

    Attributes:
        limit_tokens: The window, in tokens, if the server said it.
        requested_tokens: What was asked for, in tokens, if the server said it.
    """

    limit_tokens: int | None = None
    requested_tokens: int | None = None


class RequestRefused(ModelError):
    """The server refuses this request; the same request will be refused again."""


class MalformedResponse(ModelError):
    """What came back is no answer: no choices, no JSON, a stream that broke off."""

    retryable = True


class Unavailable(ModelError):
    """The server is overloaded, timed out, or cannot be reached."""

    retryable = True
    try_another = True


class AuthFailed(ModelError):
    """The key is missing, wrong, or not allowed to do this."""


class ModelNotFound(ModelError):
    """The server does not have this model (any more)."""

    try_another = True


class RunStopped(AgentkitError):
    """A limit or a pending approval ended the run before there was an output.

    Attributes:
        reason: Why the run stopped (`Result.stop_reason`).
        result: The run as far as it came.
    """

    def __init__(self, message: str, *, reason: str, result: Any = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.result = result


class StoreError(AgentkitError):
    """The store could not keep or find what it was asked for."""


class Conflict(StoreError):
    """Another process works on the same session. Nothing was appended."""


class ToolSignal(Exception):
    """What a tool may raise on purpose; it never leaves the runtime."""


class Retry(ToolSignal):
    """The call cannot be done like this: the model is told why and may call again."""


class ToolFailed(ToolSignal):
    """The tool failed; the model is shown exactly this text."""
