"""From what a server says when it fails to one of our errors: the code first, then the words, then the status.

Bodies differ more than statuses do: `{"error": {...}}` (OpenAI and most), `{"error": "text"}` (Ollama), a list around
it (Gemini), `{"errors": [...]}` (Cloudflare), `{"detail": ...}` (FastAPI), `{"message": ..., "code": ...}` (vLLM,
Mistral), `{"type": "error", "error": {...}}` (Anthropic), plain text, HTML of a proxy. All are read here.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from agentkit.errors import (
    AuthFailed,
    ContextTooLong,
    MalformedResponse,
    ModelError,
    ModelNotFound,
    QuotaExhausted,
    RateLimited,
    RequestRefused,
    Unavailable,
)
from agentkit.models import json_bytes
from agentkit.models.chat_completions.profiles import teaches
from agentkit.models.http import first_words

_CODES_OF: Mapping[type[ModelError], tuple[str, ...]] = {
    RateLimited: (
        "rate_limit_exceeded", "rate_limit_error", "rate_limited", "too_many_requests", "tokens", "requests",
        "throttling", "throttling_error", "throttled", "slow_down",
    ),
    QuotaExhausted: (
        "insufficient_quota", "quota_exceeded", "exceeded_current_quota_error", "insufficient_balance", "arrearage",
        "1113", "1304", "1308", "1309", "1310", "budget_exceeded", "billing_error", "billing_hard_limit_reached",
        "billing_not_active", "payment_required", "insufficient_user_quota", "pre_consume_token_quota_failed",
        "3036", "4006",  # the daily allocation of Workers AI is used up
    ),
    ContextTooLong: (
        "context_length_exceeded", "context_window_exceeded", "model_context_window_exceeded",
        "exceed_context_size_error", "model_max_prompt_tokens_exceeded", "tokens_limit_reached", "string_too_long",
        "3006",
    ),
    AuthFailed: (
        "invalid_api_key", "authentication_error", "invalid_authentication", "unauthenticated", "unauthorized",
        "permission_error", "permission_denied", "account_deactivated", "auth_error", "expired_key",
        "10000", "9106", "9109", "6003", "5018", "3041", "3023",
    ),
    ModelNotFound: (
        "model_not_found", "model_decommissioned", "model_not_available", "model_not_supported", "invalid_model",
        "5007", "3042", "5028", "5035",  # Cloudflare: it needs the paid plan
        "7000", "7003",  # Cloudflare: no route, for the account id or the path is wrong
    ),
    RequestRefused: (
        "content_filter", "content_policy_violation", "invalid_prompt", "string_above_max_length",
        "3003", "5004", "5005", "5006", "5016", "5019", "5025", "8001", "8005", "8006", "7001", "2008", "3039",
    ),
    Unavailable: (
        "overloaded_error", "overloaded", "engine_overloaded", "engine_overloaded_error", "server_error",
        "internal_error", "internal", "internal_server_error", "service_unavailable", "unavailable",
        "unavailable_error", "capacity_exceeded", "timeout", "timeout_error", "deadline_exceeded", "3040", "3007",
        "3008", "7009",
    ),
    MalformedResponse: (  # Groq: what the model wrote is no call, no JSON, no answer; another try may be one
        "tool_use_failed", "json_validate_failed", "output_parse_failed",
    ),
}  # fmt: skip
CODES = {code: kind for kind, codes in _CODES_OF.items() for code in codes}
"""Codes and types that say more than the status, in lower case; the numbers are Cloudflare's, 1113 to 1310 Z.ai's."""

_VAGUE = (RequestRefused, Unavailable, None)
"""Kinds of codes that say little beside another one; None for a code that is not known."""

STATUSES: Mapping[int, type[ModelError]] = {
    401: AuthFailed,
    402: QuotaExhausted,
    403: AuthFailed,
    404: ModelNotFound,
    408: Unavailable,
    409: Unavailable,
    410: ModelNotFound,
    413: ContextTooLong,
    424: Unavailable,  # TGI: a fault while it wrote
    425: Unavailable,
    429: RateLimited,
    499: Unavailable,
    501: RequestRefused,
}


_WORDS: tuple[tuple[type[ModelError], re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (RequestRefused, r"max_tokens\W+must be less than"),
        (ContextTooLong, r"context[ _](?:length|window|size|limit)|maximum (?:context|(?:prompt|input) length)"),
        (ContextTooLong, r"(?:prompt|input) is too long|too many (?:input )?tokens|reduce the length of"),
        (ContextTooLong, r"\btokens?\b[^:]{0,60}\bexceeds?\b|too large for model|max_new_tokens\W+must be"),
        (ContextTooLong, r"(?:prompt|input)\b.{0,30}\bexceeds (?:the )?max(?:imum)? length|range of input length"),
        (ContextTooLong, r"longer than the maximum|sequence length|max_model_len|must have less than \d+ tokens"),
        (ContextTooLong, r"model token limit|token limit exceeded"),
        (ContextTooLong, r"ContextWindowExceeded|max_tokens must be at least 1, got -|\.content\W+string too long"),
        (RequestRefused, r"input was flagged|violates usage guidelines|max_(?:completion_)?tokens\W+is too large"),
        (AuthFailed, r"(?:invalid|incorrect|missing|no) api key"),
        (AuthFailed, r"api key (?:not (?:valid|found)|expired|is (?:invalid|missing|not set))"),
        (ModelNotFound, r"not a valid model|no such model|(?:unknown|invalid) model|model identifier is invalid"),
        (ModelNotFound, r"\bmodel\b.{0,120}\b(?:(?:does )?not exist|not found|deprecated)"),
        (RateLimited, r"\brate.?limit(?:ed|error| (?:reached|exceeded))|too many requests|throttling"),
    )
)
"""Words that say more than the status, where no code does."""
_QUOTA = re.compile(
    r"exceeded your current quota|(?:insufficient|not[_ ]enough)[_ ](?:quota|balance|credits?|funds)|out of credits|"
    r"(?:per|/) ?(?:day|month)\b|(?:daily|weekly|monthly)\b.{0,40}(?:limit|allocation|quota)|requires more credits|"
    r"balance is (?:too low|insufficient)|have any credits|key limit exceeded|free tier\b.{0,40}\bexhausted|"
    r"reached.{0,30}\busage limit|usage limit reached",
    re.IGNORECASE,
)
_WAIT = re.compile(
    r"(?:try again|retryDelay|retry|wait)\W*(?:in|after|for)?\W*(?:(\d+) ?h(?:ours?)?\W*)?"
    r"(?:(\d+) ?m(?:in(?:ute)?s?)?(?![a-z])\W*)?(?:(\d+(?:\.\d+)?) ?(ms|milliseconds?|s))?",
    re.IGNORECASE,
)
_LIMIT = re.compile(
    r"(?:context (?:length|size|window)|maximum (?:(?:prompt|input|model) )?length|\blimit)(?: is| of)?(?: only)?"
    r"[ :(]*(\d++)(?! \+)|> ?(\d+)|(\d+) maximum context|allowed \(?(\d+)"
    r"|(?:must be <=|have less than|cannot exceed|should be \[1,|max size:) (\d+)",
    re.IGNORECASE,
)
_REQUESTED = re.compile(
    r"requested (?:about |a total of )?(\d+) tokens|requested(?:: | tokens \()(\d+)|resulted in (\d+)"
    r"|contains (?:at least )?(\d+)|passed (\d+) input tokens|(?:request|input|prompt) \((?:length )?(\d+)"
    r"|token count (?:of )?\(?(\d+)|too long: (\d+)|has (\d+) input tokens|(?:given:|received) (\d+)|limit: (\d+) \+"
    r"|(?:current length is|^input length) (\d+)|keep the first (\d+)",
    re.IGNORECASE,
)
_REQUESTED_OUTPUT = re.compile(r"requested (\d+) output tokens|too large: (\d+)|limit: \d+ \+ (\d+) >", re.IGNORECASE)
_CODE_IN_TEXT = re.compile(r"\b(\d{4,5}): ")
_TELLING_CHARS = 8
_TELLING = frozenset({"error", "errors", "detail", "success", "type", "status", "message"})  # fields of a fault
_REQUEST_IDS = ("x-request-id", "request-id", "cf-ray", "x-amzn-requestid")
_MESSAGE_FIELDS = ("message", "detail", "error_description", "error_msg", "msg", "Message", "title", "reason", "error")


@dataclass(frozen=True, slots=True)
class Fault:
    """What a body says went wrong.

    Attributes:
        message: In the server's words.
        codes: Its codes and types, most telling first.
        fields: The object that said it.
    """

    message: str
    codes: tuple[str, ...] = ()
    fields: Mapping[str, Any] | None = None


def fault_in(body: Any) -> Fault | None:
    """The fault that a JSON body reports; None if it reports none."""
    if type(body) is dict and _TELLING.isdisjoint(body) and body.get("object") != "error":
        return None  # nearly every body
    match body:
        case [Mapping() as first, *_]:
            return fault_in(first)
        case {"errors": [_, *_] as errors} | {"error": [_, *_] as errors}:
            return _joined([_fault(error, body) for error in errors])
        case {"error": error} if error:
            return _fault(error, body)
        case {"detail": detail} if detail:
            return _fault(detail, body)
        case {"success": False} | {"object": "error"} | {"type": "error"} | {"status": "error"}:
            return _fault(body, body)
        case {"message": str() | Mapping()} if not body.keys() & {"choices", "role", "done"}:
            return _fault(body, body)
    return None


def _fault(error: Any, body: Mapping[str, Any]) -> Fault:
    if not isinstance(error, Mapping):
        if isinstance(error, list):
            error = "; ".join(_said(item) for item in error)
        return Fault(_said(error), tuple(_codes(body)), body)
    message = next((_said(error[key]) for key in _MESSAGE_FIELDS if error.get(key)), "") or _said(error)
    raw = error.get("metadata", {}).get("raw") if isinstance(error.get("metadata"), Mapping) else None
    if isinstance(raw, str):  # OpenRouter: what the provider behind it said
        message = f"{message}: {raw}"
    return Fault(message, (*_codes(error), *_codes(body)), error)


def _joined(faults: list[Fault]) -> Fault:
    """Several errors as one fault: the most telling code first, all that was said after one another."""
    faults.sort(key=lambda fault: min(map(_vagueness, fault.codes), default=len(_VAGUE) + 1))
    said = "; ".join(dict.fromkeys(fault.message for fault in faults))
    return Fault(said, tuple(code for fault in faults for code in fault.codes), faults[0].fields)


def _vagueness(code: str) -> int:
    """Codes of a certain fault are 0, then come those that may mean much, then the unknown ones."""
    return 1 + _VAGUE.index(kind) if (kind := CODES.get(code)) in _VAGUE else 0


def _codes(fields: Mapping[str, Any]) -> Iterator[str]:
    for key in ("code", "status", "type", "error_type"):
        value = fields.get(key)
        if isinstance(value, str | int) and not isinstance(value, bool):
            yield str(value).strip().lower()


def _said(value: Any) -> str:
    match value:
        case str():
            return value
        case {"msg": str() as message, "loc": [*where]}:  # a validation error of FastAPI
            return f"{'.'.join(map(str, where))}: {message}"
        case {"message": str() as message}:
            return message
        case _:
            return json_bytes.dumps(value).decode()


def error_of(
    status: int, headers: Mapping[str, str], body: bytes, *, secrets: Collection[str] = (), hint: str = ""
) -> ModelError:
    """The error that an answer is.

    Args:
        status: HTTP status; 200 for an error that came as an answer.
        headers: Of the answer, `get` in lower case.
        body: As it came.
        secrets: Texts that must not be shown (keys): servers repeat them.
        hint: What the caller may want to change, if the server's side is not to blame.
    """
    return error_from(fault_of(body), status, headers, secrets=secrets, hint=hint)


def fault_of(body: bytes) -> Fault:
    """What the body of a failure says, be it JSON or not."""
    try:
        fault = fault_in(json_bytes.loads(body))
    except ValueError:
        fault = None
    return fault or Fault(first_words(body) or "no explanation")


def error_from(
    fault: Fault,
    status: int,
    headers: Mapping[str, str],
    *,
    secrets: Collection[str] = (),
    hint: str = "",
    kind: type[ModelError] | None = None,
) -> ModelError:
    """The error that a fault is; see `error_of`. Where the caller knows its kind, words say no more about it."""
    refused_form = kind is None and teaches(fault.message)  # another model may take it
    kind = kind or kind_of(fault, status)
    codes = [code for code in fault.codes if code not in {str(status), "error"}]
    place = " ".join(filter(None, (f"HTTP {status}" if status != 200 else "", *codes[:1])))
    shown = f"{first_words(fault.message)}{f' ({hint})' if hint else ''}"
    shown = f"{place}: {shown}" if place else shown
    error = kind(
        without_keys(shown, secrets),
        status=status,
        code=codes[0] if codes else None,
        request_id=next((headers[name] for name in _REQUEST_IDS if headers.get(name)), None),
        retry_after_s=_retry_after_s(fault, headers),
        try_another=True if kind is RequestRefused and refused_form else None,
    )
    if isinstance(error, ContextTooLong):
        error.limit_tokens, error.requested_tokens = _token_numbers(fault)
    if (said := headers.get("x-should-retry")) in {"true", "false"}:
        error.retryable = said == "true"
    return error


def without_keys(text: str, keys: Collection[str]) -> str:
    """The text without keys that a server repeated, also where the end of one was cut off."""
    for key in keys:
        words = re.escape(key[:_TELLING_CHARS]) + (r"\S*" if len(key) > _TELLING_CHARS else "")
        text = re.sub(words, "[key]", text)
    return text


def kind_of(fault: Fault, status: int) -> type[ModelError]:
    """The kind of error that a fault is: by its code, then its words, then the status."""
    codes = [*fault.codes, *_CODE_IN_TEXT.findall(fault.message)]
    by_code = next((CODES[code] for code in codes if code in CODES), None)
    if by_code in {None, RateLimited} and status < 500 and _QUOTA.search(fault.message):
        return RateLimited if _asked_wait_s(fault.message) else QuotaExhausted
    if status == 413 and by_code is RateLimited:
        return ContextTooLong  # Groq: more tokens than a minute allows, so that no wait helps
    if status != 429 and by_code in {None, RequestRefused, Unavailable, ModelNotFound}:
        for kind, words in _WORDS:
            if words.search(fault.message):
                return kind
        if teaches(fault.message):
            return RequestRefused
    if by_code is not None:
        return by_code
    if status == 200:
        numeric = next((int(code) for code in fault.codes if code.isdecimal() and 400 <= int(code) < 600), 500)
        return kind_of(fault, numeric)
    return STATUSES.get(status) or (Unavailable if status >= 500 else RequestRefused)


def _retry_after_s(fault: Fault, headers: Mapping[str, str]) -> float | None:
    """What the server asks to wait: in its headers (seconds, or a date), else in its words."""
    from email.utils import mktime_tz, parsedate_tz  # noqa: PLC0415 - 15 ms, and only a failure needs it

    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if re.fullmatch(r"\d{1,9}(\.\d*)?", value):
            return float(value) * unit_s
        with suppress(ValueError, OverflowError):  # of a year that no calendar knows
            if date := parsedate_tz(value):
                return max(0.0, mktime_tz(date) - time.time())
    details = (fault.fields or {}).get("details")  # Gemini: {"retryDelay": "17s"} among them
    return _asked_wait_s(fault.message) or _asked_wait_s(_said(details)) or None


def _asked_wait_s(text: str) -> float:
    """Seconds to wait by words such as `Please try again in 1m3.2s`; 0 if there are none."""
    for hours, minutes, number, unit in _WAIT.findall(text):
        seconds = float(number or 0) * (0.001 if unit.lower().startswith("m") else 1)
        if total := int(hours or 0) * 3600 + int(minutes or 0) * 60 + seconds:
            return total
    return 0.0


def _token_numbers(fault: Fault) -> tuple[int | None, int | None]:
    """The window and what was asked for, in tokens, as far as the server said them."""
    fields, text = fault.fields or {}, re.sub(r"(?<=\d)[,_](?=\d{3})", "", fault.message)
    limit, requested = fields.get("n_ctx"), fields.get("n_prompt_tokens")  # llama.cpp
    if not isinstance(limit, int):
        limit = _first_number(_LIMIT, text)
    if not isinstance(requested, int):
        requested = _first_number(_REQUESTED, text)
        if requested is not None:
            requested += _first_number(_REQUESTED_OUTPUT, text) or 0
    return limit, requested


def _first_number(pattern: re.Pattern[str], text: str) -> int | None:
    match = pattern.search(text)
    return next((int(group) for group in match.groups() if group), None) if match else None
