"""Each search backend, against a server that speaks its documented JSON, and one that does not."""

from __future__ import annotations

import gzip
import importlib.util
import json
import time
import zlib

import pytest
from tools.search_server import serving

from agentkit_tools import _search_backends
from agentkit_tools._search_backends import (
    Brave,
    Ddgs,
    SearchFailed,
    SearchRateLimited,
    SearchResult,
    SearXNG,
    search_backends,
)

pytestmark = pytest.mark.anyio

KEY = "BSA-secret-token"

BRAVE_ANSWER = {
    "type": "search",
    "query": {"original": "otters", "more_results_available": True},
    "mixed": {"type": "mixed", "main": [{"type": "web", "index": 0, "all": False}]},
    "web": {
        "type": "search",
        "family_friendly": True,
        "results": [
            {
                "type": "search_result",
                "title": "Sea otter &amp; friends",
                "url": "https://example.org/otter",
                "description": "The <strong>sea otter</strong> weighs 14 to 45&nbsp;kg.",
                "is_source_local": False,
                "age": "March 3, 2026",
                "meta_url": {"scheme": "https", "netloc": "example.org"},
                "extra_snippets": ["More of it."],
            },
            {"type": "search_result", "title": "Otters", "url": "https://otters.example/", "description": "All."},
        ],
    },
}
SEARXNG_ANSWER = {
    "query": "otters",
    "number_of_results": 0,
    "results": [
        {
            "url": "https://example.org/otter",
            "title": "Sea otter",
            "content": "A marine mammal.",
            "engine": "duckduckgo",
            "engines": ["duckduckgo", "brave"],
            "parsed_url": ["https", "example.org", "/otter", "", "", ""],
            "positions": [1],
            "score": 2.0,
            "category": "general",
            "publishedDate": None,
        }
    ],
    "answers": [],
    "corrections": [],
    "infoboxes": [],
    "suggestions": ["sea otter"],
    "unresponsive_engines": [["google", "CAPTCHA"]],
}
BRAVE_RATE_LIMIT = {
    "type": "ErrorResponse",
    "error": {"status": 429, "code": "RATE_LIMITED", "detail": "Request rate limit exceeded for plan", "meta": {}},
}


@pytest.fixture
def server():
    with serving() as running:
        yield running


async def test_brave_is_asked_as_documented(server):
    """One GET with the token in its header, and the question and the count in the query."""
    server.answer(BRAVE_ANSWER)
    found = await Brave(KEY, server.url).search("otters", 7)
    ((path, query, headers),) = server.asked
    assert path == "/res/v1/web/search"
    assert query == {"q": "otters", "count": "7"}
    assert headers["x-subscription-token"] == KEY
    assert found == [
        SearchResult("Sea otter & friends", "https://example.org/otter", "The sea otter weighs 14 to 45 kg."),
        SearchResult("Otters", "https://otters.example/", "All."),
    ]


async def test_brave_may_be_given_as_its_endpoint(server):
    """The whole address works as well as the server's."""
    server.answer(BRAVE_ANSWER)
    await Brave(KEY, f"{server.url}/res/v1/web/search").search("otters", 7)
    assert server.asked[0][0] == "/res/v1/web/search"


async def test_brave_gets_no_more_than_it_takes(server):
    """At most 50 words, 400 characters and 20 results, as its reference says."""
    server.answer(BRAVE_ANSWER)
    await Brave(KEY, server.url).search("wörter " * 100, 50)
    await Brave(KEY, server.url).search("x" * 1000, 50)
    first, second = (query for _, query, _ in server.asked)
    assert len(first["q"].split()) == 50
    assert len(second["q"]) == 400
    assert first["count"] == "20"


async def test_brave_without_a_web_part_found_nothing(server):
    """A query without results has no `web` in its answer; that is a result."""
    server.answer({"type": "search", "query": {"original": "xyzzy"}})
    assert await Brave(KEY, server.url).search("xyzzy", 5) == []


async def test_searxng_is_asked_as_documented(server):
    """One GET of /search with the format json."""
    server.answer(SEARXNG_ANSWER)
    found = await SearXNG(f"{server.url}/").search("otters", 5)
    ((path, query, headers),) = server.asked
    assert (path, query) == ("/search", {"q": "otters", "format": "json"})
    assert {"gzip", "deflate"} <= set(headers["accept-encoding"].split(", "))  # its limiter wants both
    assert headers["accept-language"]
    assert found == [SearchResult("Sea otter", "https://example.org/otter", "A marine mammal.")]


async def test_searxng_below_a_path(server):
    """An instance need not be at the root of its server."""
    server.answer(SEARXNG_ANSWER)
    await SearXNG(f"{server.url}/searx").search("otters", 5)
    assert server.asked[0][0] == "/searx/search"


async def test_searxng_that_found_nothing_is_told_from_one_that_could_not_look(server):
    """No results while engines did not answer is a failure; no results otherwise is a result."""
    server.answer({"results": [], "unresponsive_engines": []})
    assert await SearXNG(server.url).search("xyzzy", 5) == []
    server.answer({"results": [], "unresponsive_engines": [["google", "CAPTCHA"]]})
    with pytest.raises(SearchFailed, match="did not answer"):
        await SearXNG(server.url).search("xyzzy", 5)


async def test_a_rate_limit_is_a_failure_of_its_own(server):
    """429 is typed, and its waiting time is passed on if it is a number."""
    server.answer(BRAVE_RATE_LIMIT, 429, retry_after="7")
    with pytest.raises(SearchRateLimited, match="try again in 7 s"):
        await Brave(KEY, server.url).search("otters", 5)
    server.answer(b"Too Many Requests", 429, retry_after="a while")
    with pytest.raises(SearchRateLimited, match=r"rate limit \(HTTP 429\)"):
        await SearXNG(server.url).search("otters", 5)


REFUSALS = [
    (Brave, 401, "BRAVE_API_KEY was refused"),
    (Brave, 403, "BRAVE_API_KEY was refused"),
    (Brave, 422, "the key or the query was refused"),
    (Brave, 500, "it failed (HTTP 500)"),
    (Brave, 204, "it failed (HTTP 204)"),
    (SearXNG, 403, "do not allow the format json"),
    (SearXNG, 404, "it failed (HTTP 404)"),
]


@pytest.mark.parametrize(("backend", "status", "reason"), REFUSALS)
async def test_a_status_is_said_in_words(server, backend, status, reason):
    """The reason says what to mend, and repeats nothing of what the server wrote."""
    server.answer(f"<h1>{KEY} is wrong</h1>".encode(), status)
    made = Brave(KEY, server.url) if backend is Brave else SearXNG(server.url)
    with pytest.raises(SearchFailed) as caught:
        await made.search("otters", 5)
    assert reason in str(caught.value)
    assert KEY not in str(caught.value)


async def test_a_redirect_is_not_followed(server):
    """The key goes to the server that the user named, and to no other."""
    with serving() as other:
        server.answer(b"", 302, location=f"{other.url}/res/v1/web/search")
        with pytest.raises(SearchFailed, match="another address"):
            await Brave(KEY, server.url).search("otters", 5)
        assert other.asked == []


NO_JSON = [
    b"<!doctype html><title>SearXNG</title>",
    b"",
    b'{"results": [',
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b'{"results": ' + b"[" * 100_000,
]


@pytest.mark.parametrize("body", NO_JSON, ids=["html", "empty", "cut off", "bytes", "deep", "deeper"])
async def test_what_is_not_json_is_a_failure(server, body):
    """A page, half an answer, or a nest of brackets."""
    server.answer(body)
    with pytest.raises(SearchFailed, match="not JSON"):
        await SearXNG(server.url).search("otters", 5)


OTHER_SHAPES = [
    None,
    1,
    "results",
    [],
    {},
    {"results": None},
    {"results": {"0": {}}},
    {"results": [None, 1, "x", [], {}]},
]


@pytest.mark.parametrize("answer", OTHER_SHAPES)
async def test_json_of_another_shape_holds_no_results(server, answer):
    """Nothing is taken for a result that is none."""
    server.answer(answer)
    assert await SearXNG(server.url).search("otters", 5) == []
    assert await Brave(KEY, server.url).search("otters", 5) == []


async def test_missing_fields_are_made_good(server):
    """Without a title the host stands for it; without an address there is no result."""
    rows = [
        {"url": "https://example.org/a"},
        {"title": "No address"},
        {"url": "https://b.example", "title": 7, "content": {}},
    ]
    server.answer({"results": rows})
    assert await SearXNG(server.url).search("otters", 5) == [
        SearchResult("example.org", "https://example.org/a", ""),
        SearchResult("b.example", "https://b.example", ""),
    ]


BAD_ADDRESSES = [
    "javascript:alert(1)",
    "data:text/html,hi",
    "file:///etc/passwd",
    "ftp://example.org/",
    "//example.org/",
    "example.org",
    "https://",
    "https://google.com@evil.example/",
    "https://example.org/a b",
    "https://example.org/\n2. Another result",
    "https://example.org/\u202egnp.exe",
    "http://[::1",
    "https://example.org/" + "x" * 2000,
    None,
    17,
]


@pytest.mark.parametrize("address", BAD_ADDRESSES)
async def test_only_addresses_of_the_web_are_results(server, address):
    """No other scheme, no name in front of the host, nothing invisible, nothing endless."""
    server.answer({"results": [{"url": address, "title": "x"}]})
    assert await SearXNG(server.url).search("otters", 5) == []


async def test_text_cannot_pose_as_another_result(server):
    """Markup, line breaks, controls and turned-around text become one plain line of bounded length."""
    row = {
        "url": "https://example.org/",
        "title": "<b>A</b>\n\n2. Fake\r\n   https://evil.example\x1b[2J\u202e\ud800",
        "content": "<script>x</script>1 &lt; 2 <!-- no -->and<br>so on " + "y" * 100_000,
    }
    server.answer({"results": [row]})
    (result,) = await SearXNG(server.url).search("otters", 5)
    assert result.title == "A 2. Fake https://evil.example [2J"
    assert result.snippet.startswith("x1 < 2 and so on yyy")
    assert len(result.snippet) <= 500
    result.title.encode()


async def test_an_address_is_a_result_once(server):
    """The same page with a fragment or a slash more is the same page."""
    urls = ["https://example.org/a", "https://example.org/a#top", "https://example.org/a/", "https://example.org/b"]
    server.answer({"results": [{"url": url, "title": url} for url in urls]})
    found = await SearXNG(server.url).search("otters", 5)
    assert [result.url for result in found] == ["https://example.org/a", "https://example.org/b"]


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
async def test_a_packed_answer_is_unpacked(server, pack):
    """Both encodings that are asked for are understood."""
    name = "gzip" if pack is gzip.compress else "deflate"
    server.answer(pack(json.dumps(SEARXNG_ANSWER).encode()), content_encoding=name)
    assert len(await SearXNG(server.url).search("otters", 5)) == 1


async def test_a_huge_answer_is_not_read(server):
    """Neither as it comes, nor unpacked from little."""
    huge = b" " * (_search_backends.MAX_BODY_BYTES + 1)
    server.answer(huge)
    with pytest.raises(SearchFailed, match="larger than"):
        await SearXNG(server.url).search("otters", 5)
    server.answer(gzip.compress(huge * 20), content_encoding="gzip")
    with pytest.raises(SearchFailed, match="larger than"):
        await SearXNG(server.url).search("otters", 5)


async def test_a_broken_packing_is_a_failure(server):
    """What cannot be unpacked is no JSON."""
    server.answer(b"not gzip at all", content_encoding="gzip")
    with pytest.raises(SearchFailed, match="not JSON"):
        await SearXNG(server.url).search("otters", 5)


UNREACHABLE = [
    "http://127.0.0.1:1",
    "http://",
    "no-scheme",
    "ftp://127.0.0.1/",
    "http://127.0.0.1:99999",
    "http://[::1",
]


@pytest.mark.parametrize("url", UNREACHABLE)
async def test_a_server_that_is_not_there_is_a_failure(url):
    """A refused connection and an address that is none."""
    with pytest.raises(SearchFailed, match="cannot be reached"):
        await SearXNG(url).search("otters", 5)


@pytest.mark.parametrize("key", ["secret\nX-Other: 1", "sécret", "secret\x00"])
async def test_a_key_that_cannot_be_sent_is_in_no_message(server, key):
    """The HTTP library's own words would show it."""
    server.answer(BRAVE_ANSWER)
    with pytest.raises(SearchFailed) as caught:
        await Brave(key, server.url).search("otters", 5)
    assert "cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "cret" not in repr(Brave(key))


async def test_a_name_and_password_in_an_address_are_in_no_message():
    """An instance behind a password is named by its kind only."""
    with pytest.raises(SearchFailed) as caught:
        await SearXNG("http://user:hunter2@127.0.0.1:1").search("otters", 5)
    assert "hunter2" not in str(caught.value)


async def test_a_server_that_hangs_is_given_up(server):
    """The deadline is that of the whole search."""
    server.answer(SEARXNG_ANSWER)
    server.delay_s = 1
    with pytest.raises(SearchFailed, match=r"no answer within 0\.1 s"):
        await SearXNG(server.url, timeout_s=0.1).search("otters", 5)


async def test_a_server_that_drips_is_given_up(server):
    """A byte now and then does not prolong it."""
    server.answer(b" " * 100)
    server.drip_s = 0.05
    with pytest.raises(SearchFailed, match=r"no answer within 0\.3 s"):
        await SearXNG(server.url, timeout_s=0.3).search("otters", 5)


ROWS = [{"title": "Sea otter", "href": "https://example.org/otter", "body": "A marine mammal."}]


async def test_ddgs_is_called_with_the_query_and_the_count():
    """Its rows become results."""
    asked = []

    def find(query, max_results):
        asked.append((query, max_results))
        return ROWS

    assert await Ddgs(find).search("otters", 4) == [
        SearchResult("Sea otter", "https://example.org/otter", "A marine mammal.")
    ]
    assert asked == [("otters", 4)]


class DDGSException(Exception):
    pass


class RatelimitException(DDGSException):
    pass


async def test_ddgs_that_found_nothing_is_a_result():
    """There it is an exception."""

    def find(query, max_results):
        raise DDGSException("No results found.")

    assert await Ddgs(find).search("xyzzy", 5) == []


@pytest.mark.parametrize(
    "error",
    [
        RatelimitException("https://duckduckgo.com 202 Ratelimit"),
        DDGSException("RuntimeError: 202 Ratelimit"),
        DDGSException("HTTP 429"),
    ],
)
async def test_a_rate_limit_of_ddgs_is_typed(error):
    """By its class in older releases, by its text in newer ones."""

    def find(query, max_results):
        raise error

    with pytest.raises(SearchRateLimited):
        await Ddgs(find).search("otters", 5)


@pytest.mark.parametrize(
    "error", [DDGSException("proxy http://user:hunter2@host failed"), ImportError("lxml"), OSError()]
)
async def test_other_failures_of_ddgs_are_named_by_their_kind(error):
    """Their texts stay inside."""

    def find(query, max_results):
        raise error

    with pytest.raises(SearchFailed, match=type(error).__name__) as caught:
        await Ddgs(find).search("otters", 5)
    assert "hunter2" not in str(caught.value)


async def test_ddgs_that_hangs_is_left_behind():
    """Its thread is abandoned at the deadline."""

    def find(query, max_results):
        time.sleep(1)
        return ROWS

    with pytest.raises(SearchFailed, match="no answer within"):
        await Ddgs(find, timeout_s=0.1).search("otters", 5)


def test_backends_are_those_that_are_set_up_in_order():
    """Brave, then SearXNG, then ddgs where it is installed."""
    last = [Ddgs()] if importlib.util.find_spec("ddgs") else []
    assert search_backends({}) == last
    assert search_backends({"BRAVE_API_KEY": " ", "SEARXNG_URL": ""}) == last
    env = {"BRAVE_API_KEY": f" {KEY}\n", "SEARXNG_URL": "http://127.0.0.1:8080"}
    assert search_backends(env) == [Brave(KEY), SearXNG("http://127.0.0.1:8080"), *last]
    env = {"BRAVE_API_KEY": KEY, "BRAVE_SEARCH_URL": "http://127.0.0.1:1"}
    assert search_backends(env) == [Brave(KEY, "http://127.0.0.1:1"), *last]
