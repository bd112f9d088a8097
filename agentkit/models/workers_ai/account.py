"""Whose account, by which road: credentials, addresses and the headers of an AI Gateway."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from agentkit.errors import UsageError
from agentkit.models.chat_completions.servers import CLOUDFLARE_KEYS, check_account_id

API_URL = "https://api.cloudflare.com/client/v4"
GATEWAY_URL = "https://gateway.ai.cloudflare.com/v1"
MAX_ATTEMPTS = 5
MAX_RETRY_DELAY_MS = 5000

_BACKOFFS = ("constant", "linear", "exponential")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """An AI Gateway that the requests go through.

    Attributes:
        name: Its id; `default` is made by Cloudflare when first used.
        host: Send to gateway.ai.cloudflare.com instead of naming the gateway in a header.
        authorization: The token of an authenticated gateway.
        skip_cache: Never answer from the cache. If left out: on requests with tools, so that no old call is repeated.
        cache_ttl_s: Seconds that an answer is kept.
        cache_key: What an answer is kept under.
        metadata: Up to five facts to file the request under.
        collect_log: Whether the gateway keeps a log of the request.
        event_id: An id of the caller's.
        request_timeout_ms: Milliseconds until the first byte.
        max_attempts: How often the gateway tries, at most 5.
        retry_delay_ms: Milliseconds between its tries, at most 5000.
        backoff: How that delay grows.
        headers: Further `cf-aig-` headers.
    """

    name: str = "default"
    host: bool = False
    authorization: str | None = field(default=None, repr=False)
    skip_cache: bool | None = None
    cache_ttl_s: int | None = None
    cache_key: str | None = None
    metadata: Mapping[str, Any] | None = None
    collect_log: bool | None = None
    event_id: str | None = None
    request_timeout_ms: int | None = None
    max_attempts: int | None = None
    retry_delay_ms: int | None = None
    backoff: Literal["constant", "linear", "exponential"] | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Refuse what the gateway would refuse, and what no header can carry.

        Raises:
            UsageError: Names the field, and its value where that is no secret.
        """
        if not re.fullmatch(r"[\w.-]+", self.name, re.ASCII):
            raise UsageError(f"gateway name {self.name!r}: letters, digits, '.', '_' and '-' only")
        limits = (("max_attempts", 1, MAX_ATTEMPTS), ("retry_delay_ms", 0, MAX_RETRY_DELAY_MS))
        for name, low, high in limits:
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise UsageError(f"gateway {name}={value!r} is out of range: it must be from {low} to {high}")
        if self.backoff not in {None, *_BACKOFFS}:
            raise UsageError(f"gateway backoff={self.backoff!r}: use {', '.join(_BACKOFFS)}")
        for name in self.headers:
            if not re.fullmatch(r"cf-aig-[a-z-]+", name.lower()) or name.lower() == "cf-aig-authorization":
                raise UsageError(
                    f"gateway headers={{{name!r}: ...}}: their names begin with cf-aig-; a token is authorization="
                )
        for name, text in self.sent(with_tools=False).items():
            if not (text.isascii() and text.isprintable()):
                raise UsageError(f"gateway: {name} holds a character that no HTTP header can carry")

    def sent(self, *, with_tools: bool) -> dict[str, str]:
        """The headers of one request.

        Args:
            with_tools: Whether the request offers tools.
        """
        values = {
            "cf-aig-gateway-id": None if self.host else self.name,
            "cf-aig-authorization": f"Bearer {bare(self.authorization)}" if self.authorization else None,
            "cf-aig-skip-cache": (with_tools or None) if self.skip_cache is None else self.skip_cache,
            "cf-aig-cache-ttl": self.cache_ttl_s,
            "cf-aig-cache-key": self.cache_key,
            "cf-aig-metadata": None if self.metadata is None else json.dumps(self.metadata),
            "cf-aig-collect-log": self.collect_log,
            "cf-aig-event-id": self.event_id,
            "cf-aig-request-timeout": self.request_timeout_ms,
            "cf-aig-max-attempts": self.max_attempts,
            "cf-aig-retry-delay": self.retry_delay_ms,
            "cf-aig-backoff": self.backoff,
        }
        written = {name: _written(value) for name, value in values.items() if value is not None}
        return {**written, **{name.lower(): _written(value) for name, value in self.headers.items()}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A Cloudflare account.

    Attributes:
        account_id: 32 hexadecimal digits.
        token: Of the API; never shown.
        base_url: Of the API.
    """

    account_id: str
    token: str = field(repr=False)
    base_url: str = API_URL

    def run_url(self, model: str, gateway: Gateway | None = None) -> str:
        """Where a model runs natively; the slashes of its id stay (encoded they are `7000: No route`)."""
        if gateway is not None and gateway.host:
            return f"{self._gateway_url(gateway)}/workers-ai/{model}"
        return f"{self._ai_url()}/run/{model}"

    def openai_url(self, endpoint: str, gateway: Gateway | None = None) -> str:
        """Where an OpenAI-compatible endpoint is, such as `chat/completions`."""
        if gateway is not None and gateway.host:
            return f"{self._gateway_url(gateway)}/workers-ai/v1/{endpoint}"
        return f"{self._ai_url()}/v1/{endpoint}"

    def search_url(self) -> str:
        """Where the models are listed."""
        return f"{self._ai_url()}/models/search"

    def headers(self) -> dict[str, str]:
        """The headers of each request."""
        return {"content-type": "application/json", "user-agent": "agentkit", "authorization": f"Bearer {self.token}"}

    def _ai_url(self) -> str:
        return f"{self.base_url}/accounts/{self.account_id}/ai"

    def _gateway_url(self, gateway: Gateway) -> str:
        base = GATEWAY_URL if self.base_url == API_URL else f"{self.base_url}/gateway"
        return f"{base}/{self.account_id}/{gateway.name}"


def account_of(account_id: str | None, api_token: str | None, base_url: str | None) -> Account:
    """The account that is given, or that the environment names.

    Raises:
        UsageError: Something is missing or cannot be right. It says what, and never shows it.
    """
    account_id = (account_id or os.environ.get("CLOUDFLARE_ACCOUNT_ID", "")).strip()
    found = (value for name in CLOUDFLARE_KEYS if (value := os.environ.get(name, "").strip()))
    token = bare(api_token or next(found, ""))
    if not account_id:
        raise UsageError("workers-ai needs CLOUDFLARE_ACCOUNT_ID: set that variable, or pass account_id=...")
    if not token:
        raise UsageError(f"workers-ai needs a token: set {' or '.join(CLOUDFLARE_KEYS)}, or pass api_token=...")
    check_account_id(account_id)
    if token == account_id:
        raise UsageError("api_token holds the account id: make a token with Workers AI Read and Edit, and pass that")
    if not (token.isascii() and token.isprintable()):
        raise UsageError("the token for workers-ai holds a character that no HTTP header can carry; copy it again")
    return Account(account_id=account_id, token=token, base_url=_base(base_url))


def _base(base_url: str | None) -> str:
    """The address of the API as people give it: the root, or any address below the account."""
    given = (base_url or os.environ.get("CLOUDFLARE_BASE_URL", "").strip() or API_URL).partition("/accounts/")[0]
    parts = urlsplit(given)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(f"base_url must be an http(s) address such as {API_URL}")
    if given.startswith(GATEWAY_URL.removesuffix("/v1")):
        raise UsageError('base_url is the address of a gateway: pass gateway=Gateway(name="...", host=True) instead')
    return given.rstrip("/")


def bare(token: str) -> str:
    """A token as it is, however it was pasted."""
    return token.strip().removeprefix("Bearer ").strip()


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
