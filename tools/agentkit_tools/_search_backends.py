"""Where a web search can be made: Brave, SearXNG and ddgs.

A backend is a small value with one method. It makes one request and gives a list of results (an empty list is an
answer), or raises `SearchFailed` with a reason that may be shown to anyone: reasons are made of our own words, never of
an exception's text or a server's, because those may hold a key.

What a server sends is not trusted: its size, depth, types, markup and addresses are checked here, once.

Documented at https://api-dashboard.search.brave.com/api-reference/web/search/get (Brave),
https://docs.searxng.org/dev/search_api.html (SearXNG) and https://github.com/deedy5/ddgs (ddgs).
"""

from __future__ import annotations

import html
import importlib.util
import json
import os
import re
import unicodedata
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

BRAVE_URL = "https://api.search.brave.com"
MAX_BODY_BYTES = 2_000_000

_BRAVE_MAX_WORDS, _BRAVE_MAX_CHARS, _BRAVE_MAX_RESULTS = 50, 400, 20
_TITLE_CHARS, _SNIPPET_CHARS, _URL_CHARS = 200, 500, 1000
_TOO_LARGE = f"its answer is larger than {MAX_BODY_BYTES:,} bytes"
_KEY_REFUSED = "the key in BRAVE_API_KEY was refused"
_POLITE = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "Accept-Language": "en,*;q=0.5",  # SearXNG takes a client without these two for a robot
    "User-Agent": "agentkit",
}
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>|<!--.*?-->", re.DOTALL)


class SearchFailed(Exception):
    """A backend gave no answer. Its text is the reason, fit to be shown."""


class SearchRateLimited(SearchFailed):
    """The backend wants fewer requests just now."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A page that was found: plain text on one line each, and an http(s) address."""

    title: str
    url: str
    snippet: str


class SearchBackend(Protocol):
    """Finds pages.

    Attributes:
        name: What it is called in messages.
    """

    name: ClassVar[str]

    async def search(self, query: str, max_results: int) -> list[SearchResult]:
        """The pages found, best first; there may be more than `max_results`.

        Raises:
            SearchFailed: There is no answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class Brave:
    """The Brave Search API.

    Attributes:
        api_key: The subscription token.
        url: Where the API is: a server, or the whole address of its web search.
        timeout_s: Seconds for a search.
    """

    name: ClassVar[str] = "brave"
    api_key: str = field(repr=False)
    url: str = BRAVE_URL
    timeout_s: float = 10

    async def search(self, query: str, max_results: int) -> list[SearchResult]:
        """One GET of `/res/v1/web/search`."""
        words = " ".join(query.split()[:_BRAVE_MAX_WORDS])[:_BRAVE_MAX_CHARS]
        data = await _get_json(
            _address(self.url, "/res/v1/web/search"),
            params={"q": words, "count": str(min(max_results, _BRAVE_MAX_RESULTS))},
            headers={"X-Subscription-Token": self.api_key},
            refusals={401: _KEY_REFUSED, 403: _KEY_REFUSED, 422: "the key or the query was refused"},
            timeout_s=self.timeout_s,
        )
        return _results(_at(data, "web", "results"), "title", "url", "description")


@dataclass(frozen=True, slots=True)
class SearXNG:
    """A SearXNG instance, whose `search.formats` must list `json`.

    Attributes:
        url: Where the instance is.
        timeout_s: Seconds for a search.
    """

    name: ClassVar[str] = "searxng"
    url: str
    timeout_s: float = 10

    async def search(self, query: str, max_results: int) -> list[SearchResult]:
        """One GET of `/search?format=json`."""
        del max_results  # an instance has its own page size
        data = await _get_json(
            _address(self.url, "/search"),
            params={"q": query, "format": "json"},
            headers={},
            refusals={403: "its settings do not allow the format json"},
            timeout_s=self.timeout_s,
        )
        found = _results(_at(data, "results"), "title", "url", "content")
        if not found and _at(data, "unresponsive_engines"):
            raise SearchFailed("the search engines behind it did not answer")
        return found


def _ddgs_text(query: str, max_results: int) -> Sequence[Mapping[str, Any]]:
    from ddgs import DDGS  # noqa: PLC0415 - an extra

    with DDGS(timeout=5) as engine:
        found: Sequence[Mapping[str, Any]] = engine.text(query, max_results=max_results)
        return found


@dataclass(frozen=True, slots=True)
class Ddgs:
    """The `ddgs` package: no key, best effort.

    Attributes:
        find: Takes a query and the number of results; gives dicts with `title`, `href` and `body`. Runs in a thread.
        timeout_s: Seconds for a search.
    """

    name: ClassVar[str] = "ddgs"
    find: Callable[[str, int], Sequence[Mapping[str, Any]]] = _ddgs_text
    timeout_s: float = 20

    async def search(self, query: str, max_results: int) -> list[SearchResult]:
        """One call of `DDGS().text`; that it found nothing is an exception there, and a result here."""
        try:
            with anyio.fail_after(self.timeout_s):
                rows = await anyio.to_thread.run_sync(self.find, query, max_results, abandon_on_cancel=True)
        except TimeoutError:
            raise SearchFailed(f"no answer within {self.timeout_s:g} s") from None
        except Exception as error:  # noqa: BLE001 - it lets through what its engines raise
            if "no results" in str(error).lower():
                return []
            raise _ddgs_failure(error) from None
        return _results(rows, "title", "href", "body")


def _ddgs_failure(error: Exception) -> SearchFailed:
    """Its exceptions are told apart by name and text: releases differ in what they raise for a 202."""
    if type(error).__name__ == "RatelimitException" or re.search(r"\b(?:202|429)\b|rate ?limit", str(error).lower()):
        return SearchRateLimited("rate limit of the search engines")
    return SearchFailed(f"it gave up ({type(error).__name__})")


def search_backends(env: Mapping[str, str] | None = None) -> list[SearchBackend]:
    """The backends that are set up, in the order in which they are asked.

    Args:
        env: Where the settings are read; the environment if not given.
    """
    settings = os.environ if env is None else env
    backends: list[SearchBackend] = []
    if key := settings.get("BRAVE_API_KEY", "").strip():
        backends.append(Brave(key, settings.get("BRAVE_SEARCH_URL", "").strip() or BRAVE_URL))
    if url := settings.get("SEARXNG_URL", "").strip():
        backends.append(SearXNG(url))
    if importlib.util.find_spec("ddgs") is not None:
        backends.append(Ddgs())
    return backends


def _address(url: str, path: str) -> str:
    """The address of an endpoint: a user may give the server, or the endpoint itself."""
    url = url.rstrip("/")
    return url if url.endswith("/search") else url + path


async def _get_json(
    url: str, *, params: Mapping[str, str], headers: Mapping[str, str], refusals: Mapping[int, str], timeout_s: float
) -> Any:
    """The JSON that a server answers with. Redirects are not followed: a key is for one server only.

    Args:
        url: The endpoint.
        params: The query.
        headers: What this server wants to be told.
        refusals: What a status means here.
        timeout_s: Seconds for all of it.

    Raises:
        SearchFailed: There is none.
    """
    import httpx2  # noqa: PLC0415 - heavy, and not every agent searches

    try:
        with anyio.fail_after(timeout_s):
            async with (
                httpx2.AsyncClient(timeout=timeout_s, headers=_POLITE, follow_redirects=False) as client,
                client.stream("GET", url, params=params, headers=headers) as response,
            ):
                _check_status(response.status_code, response.headers.get("retry-after", ""), refusals)
                packed = await _read_body(response)
    except SearchFailed:
        raise
    except (TimeoutError, httpx2.TimeoutException):
        raise SearchFailed(f"no answer within {timeout_s:g} s") from None
    except Exception as error:  # noqa: BLE001 - a wrong address fails in more ways than there are names for
        raise SearchFailed(f"it cannot be reached ({type(error).__name__})") from None
    try:
        return json.loads(_unpacked(packed, response.headers.get("content-encoding", "")))
    except (ValueError, RecursionError, zlib.error):
        raise SearchFailed("its answer is not JSON") from None


def _check_status(status: int, retry_after: str, refusals: Mapping[int, str]) -> None:
    if status == 200:
        return
    if status == 429:
        wait = f", try again in {int(retry_after)} s" if re.fullmatch(r"\d{1,5}", retry_after) else ""
        raise SearchRateLimited(f"rate limit (HTTP 429{wait})")
    if 300 <= status < 400:
        raise SearchFailed(f"it points to another address (HTTP {status}), which is not followed")
    raise SearchFailed(f"{refusals.get(status, 'it failed')} (HTTP {status})")


async def _read_body(response: Any) -> bytes:
    """The body as it comes, up to a limit."""
    packed = bytearray()
    with anyio.CancelScope() as reading:
        async for chunk in response.aiter_raw():
            packed += chunk
            if len(packed) > MAX_BODY_BYTES:
                reading.cancel()  # leaving the loop would not close the library's own loops beneath it; this does
    if reading.cancel_called:
        raise SearchFailed(_TOO_LARGE)
    return bytes(packed)


def _unpacked(packed: bytes, encoding: str) -> bytes:
    """The body without its encoding, up to the same limit: no small answer may unfold into a huge one."""
    if encoding.lower() in {"", "identity"}:
        return packed
    unpacker = zlib.decompressobj(wbits=47)  # gzip or zlib, as the data says
    body = unpacker.decompress(packed, MAX_BODY_BYTES)
    if unpacker.unconsumed_tail:
        raise SearchFailed(_TOO_LARGE)
    return body


def _at(data: Any, *path: str) -> Any:
    """What stands at a path of keys; None if it leads nowhere."""
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _results(rows: Any, title: str, url: str, snippet: str) -> list[SearchResult]:
    """The rows that are results, each address once."""
    found: dict[str, SearchResult] = {}
    for row in rows if isinstance(rows, list) else []:
        address = _clean_url(_at(row, url))
        if address is not None:
            host = urlsplit(address).netloc
            result = SearchResult(
                _plain(_at(row, title), _TITLE_CHARS) or host, address, _plain(_at(row, snippet), _SNIPPET_CHARS)
            )
            found.setdefault(address.partition("#")[0].rstrip("/"), result)
    return list(found.values())


def _clean_url(value: Any) -> str | None:
    """The address, if it is one that can be shown: http or https, no name and password, nothing invisible."""
    if not isinstance(value, str) or len(value) > _URL_CHARS or not value.isprintable() or " " in value.strip():
        return None
    try:
        parts = urlsplit(value.strip())
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.username is None
    except ValueError:
        return None
    return value.strip() if usable else None


def _plain(value: Any, longest: int) -> str:
    """Text without markup on one line, so that it cannot pose as another result."""
    if not isinstance(value, str):
        return ""
    text = html.unescape(_MARKUP.sub("", value[: 20 * longest].replace("<br", " <br")))
    text = "".join(letter for letter in text if unicodedata.category(letter) not in {"Cf", "Cs", "Co"})
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
