"""What an exception in a tool says to the model, and which exceptions are not the tool's."""

from __future__ import annotations

import sys
import threading

import anyio

from agentkit.errors import ToolSignal
from agentkit.tooling.results import cut, encodable

MAX_ERROR_CHARS = 2_000


def words(error: BaseException) -> str:
    """What the model is told: type and message, no traceback; of a signal exactly its text."""
    text = _said(error)
    if isinstance(error, ToolSignal) and text:
        return encodable(text)
    name = type(error).__name__
    return cut(encodable(f"{name}: {text}" if text else name), MAX_ERROR_CHARS)


def _said(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an exception's own code may fail too
        return ""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join([text, *map(words, error.exceptions)])
    return text


def must_leave(error: BaseException) -> bool:
    """Whether this is not the tool's doing: a cancellation, Ctrl-C, the closing of the coroutine."""
    if isinstance(error, BaseExceptionGroup):
        return any(map(must_leave, error.exceptions))
    if isinstance(error, anyio.get_cancelled_exc_class()):
        return _is_cancelled()
    if isinstance(error, KeyboardInterrupt):
        return threading.current_thread() is threading.main_thread()  # Ctrl-C comes nowhere else
    return isinstance(error, GeneratorExit)


def _is_cancelled() -> bool:
    """Whether somebody cancelled the running task; else a tool let out the cancellation of something of its own.

    trio knows no such stray. On asyncio only the task itself can tell, and anyio has no word for it.
    """
    library = sys.modules[anyio.get_cancelled_exc_class().__module__.partition(".")[0]]
    current_task = getattr(library, "current_task", None)
    return current_task is None or current_task().cancelling() > 0
