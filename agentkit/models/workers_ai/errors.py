"""The error codes of Workers AI, and the error that an answer is: the code first, then the words, then the status.

The table is that of developers.cloudflare.com/workers-ai/platform/errors, with what its changelog and the issues of
Cloudflare's clients add. A status alone says little: 429 is a quota (3036), a lack of capacity (3040) or a rate limit.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from agentkit.errors import AuthFailed, ContextTooLong, MalformedResponse, ModelError, QuotaExhausted
from agentkit.models.chat_completions.errors import CODES as KINDS
from agentkit.models.chat_completions.errors import Fault, error_from, kind_of, without_keys
from agentkit.models.chat_completions.servers import CLOUDFLARE_KEYS


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What one code means.

    Attributes:
        code: As the server writes it.
        status: The HTTP status that comes with it; None where none is documented.
        hint: What the caller may do about it.
        try_another: Where it differs from the kind's.
    """

    code: str
    status: int | None
    hint: str = ""
    try_another: bool | None = None

    @property
    def kind(self) -> type[ModelError]:
        """The error that it is, on this wire and on that of chat completions."""
        return KINDS[self.code]


_TABLE = (
    Code(code="3036", status=429),
    Code(code="4006", status=None),
    Code(code="3040", status=429, hint="out of capacity: another model or batch() may serve"),
    Code(code="3007", status=408),
    Code(code="3008", status=408),
    Code(code="7009", status=None),
    Code(code="3006", status=413, hint="send less"),
    Code(code="3003", status=400),
    Code(code="5004", status=400),
    Code(code="5006", status=400),
    Code(code="5007", status=400),
    Code(code="3042", status=404),
    Code(code="5028", status=410, hint="the model was retired"),
    Code(code="5035", status=403, hint="the model needs the Workers Paid plan"),
    Code(code="5005", status=405, hint="leave out lora="),
    Code(code="3039", status=400, hint="upload the files of the finetune"),
    Code(code="5016", status=403, hint="accept the model's licence once, with the prompt 'agree'"),
    Code(code="5018", status=403),
    Code(code="3041", status=403),
    Code(code="3023", status=403),
    Code(code="5019", status=405),
    Code(code="5025", status=None, hint="the model knows no JSON schema"),
    Code(code="8001", status=None),
    Code(code="8005", status=None),
    Code(code="8006", status=None, hint="a forced call needs more max_tokens"),
    Code(code="10000", status=None, hint="the token needs Workers AI Read and Edit"),
    Code(code="9106", status=None, hint="no token was sent"),
    Code(code="7000", status=400, hint="check the account id", try_another=False),
    Code(code="7003", status=404, hint="check the account id", try_another=False),
    Code(code="7001", status=405),
    Code(code="2008", status=None, hint="check the gateway"),
)

CODES: Mapping[str, Code] = {row.code: row for row in _TABLE}
"""Every code that is known."""

_CODE_OF_WORDS = (
    ("request timeout", "3007"),
    ("capacity temporarily exceeded", "3040"),
    ("daily free allocation", "3036"),
    ("model has been deprecated", "5028"),
)
"""Words that come without their code, or with a misleading one: `invalid_prompt` for a timeout."""
_CODE_IN_TEXT = re.compile(r"\b(\d{4,5}): ?")
_REQUEST_ID = re.compile(r"\s*\(([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\)(?=\s*(?:;|$))")
_JSON_MODE = re.compile(r"JSON mode couldn'?t be met", re.IGNORECASE)
_KEY = f"for another token: set {' or '.join(CLOUDFLARE_KEYS)}, or pass api_token=..."
_DAY_S = 86_400


def error_from_fault(fault: Fault, status: int, headers: Mapping[str, str]) -> ModelError:
    """The error that a fault is.

    Args:
        fault: What the body says (`fault_of`).
        status: HTTP status; 200 for an error that came as an answer.
        headers: Of the answer, `get` in lower case.
    """
    traced = _REQUEST_ID.search(fault.message)
    fault = replace(fault, message=_REQUEST_ID.sub("", fault.message).strip() or "no explanation")
    code = code_in(fault)
    row = CODES.get(code or next((known for words, known in _CODE_OF_WORDS if words in fault.message.lower()), ""))
    reset = _reset() if row is not None and row.kind is QuotaExhausted else ""
    seen = kind_of(fault, status)
    kind = row.kind if row is not None and seen is not ContextTooLong else None
    key = _KEY if (kind or seen) is AuthFailed else ""
    told = "; ".join(filter(None, (row.hint if row else "", reset, key)))
    if _JSON_MODE.search(fault.message):
        kind, row = MalformedResponse, None
    error = error_from(fault, status, headers, hint=told, kind=kind)
    if traced:
        error.request_id = traced[1]
    if row is not None:
        error.code = code or error.code
        if kind is QuotaExhausted:
            error.retry_after_s = _until_midnight_s()
        if row.try_another is not None:
            error.try_another = row.try_another
    return error


def hush(error: ModelError, secrets: Collection[str]) -> ModelError:
    """The same error, without what a server may have repeated (the end of it may have been cut off)."""
    error.args = tuple(without_keys(str(said), secrets) for said in error.args)
    return error


@contextmanager
def hushed(secrets: Collection[str]) -> Iterator[None]:
    """A block whose errors are hushed."""
    try:
        yield
    except ModelError as error:
        hush(error, secrets)
        raise


def code_in(fault: Fault) -> str | None:
    """The code of a fault, from its fields or else its words, if it is a known one."""
    candidates = (*fault.codes, *_CODE_IN_TEXT.findall(fault.message))
    return next((code for code in candidates if code in CODES), None)


def _until_midnight_s() -> float:
    return float(_DAY_S - int(time.time()) % _DAY_S)


def _reset() -> str:
    minutes = int(_until_midnight_s()) // 60
    return f"the allowance resets at 00:00 UTC, in {minutes // 60} h {minutes % 60} min"
