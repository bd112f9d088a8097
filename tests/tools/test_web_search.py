"""The web search: which backend answers, what a model reads, and what it is told when none does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import pytest
from tools.search_server import serving

from agentkit.errors import ToolFailed
from agentkit_tools import web_search
from agentkit_tools._search_backends import SearchFailed, SearchRateLimited, SearchResult
from agentkit_tools.web_search import _search, configured

pytestmark = pytest.mark.anyio

OTTER = SearchResult("Sea otter", "https://example.org/otter", "A marine mammal.")
RIVER = SearchResult("River otter", "https://example.org/river", "")


@dataclass
class Backend:
    """Answers with what it is given."""

    name: ClassVar[str] = "fake"
    answer: list[SearchResult] | SearchFailed
    asked: list[tuple[str, int]] = field(default_factory=list)

    async def search(self, query, max_results):
        self.asked.append((query, max_results))
        if isinstance(self.answer, SearchFailed):
            raise self.answer
        return self.answer


async def test_results_are_numbered_so_that_they_can_be_cited():
    """Title, address and excerpt, each on its line."""
    assert await _search("otters", 5, [Backend([OTTER, RIVER])]) == (
        'Results for "otters":\n'
        "\n1. Sea otter\n   https://example.org/otter\n   A marine mammal.\n"
        "\n2. River otter\n   https://example.org/river"
    )


async def test_no_result_is_a_result():
    """The next backend is not asked for what the first one did not find."""
    second = Backend([OTTER])
    assert await _search("xyzzy", 5, [Backend([]), second]) == 'No results for "xyzzy".'
    assert second.asked == []


@pytest.mark.parametrize("failure", [SearchRateLimited("rate limit (HTTP 429)"), SearchFailed("it failed (HTTP 500)")])
async def test_a_failure_moves_on_to_the_next_backend(failure):
    """A rate limit here is no reason not to look there."""
    assert "Sea otter" in await _search("otters", 5, [Backend(failure), Backend([OTTER])])


async def test_if_all_fail_each_says_why():
    """The message names every backend and its reason."""
    backends = [Backend(SearchRateLimited("rate limit (HTTP 429)")), Backend(SearchFailed("it failed (HTTP 500)"))]
    with pytest.raises(ToolFailed) as caught:
        await _search("otters", 5, backends)
    assert "fake: rate limit (HTTP 429); fake: it failed (HTTP 500)" in str(caught.value)


async def test_without_a_backend_the_ways_to_get_one_are_named():
    """Two variables and one package."""
    with pytest.raises(ToolFailed) as caught:
        await _search("otters", 5, [])
    for way in ("BRAVE_API_KEY", "SEARXNG_URL", "pip install 'agentkit[search]'"):
        assert way in str(caught.value)


@pytest.mark.parametrize("query", ["", "  \n\t"])
async def test_an_empty_query_is_not_searched(query):
    """No backend is troubled with it."""
    backend = Backend([OTTER])
    with pytest.raises(ToolFailed, match="query is empty"):
        await _search(query, 5, [backend])
    assert backend.asked == []


@pytest.mark.parametrize(("wanted", "asked"), [(5, 5), (0, 1), (-3, 1), (10**9, 20)])
async def test_the_number_of_results_is_bounded(wanted, asked):
    """From 1 to 20, whatever a model asks for."""
    backend = Backend([OTTER] * 30)
    answer = await _search("a\n b", wanted, [backend])
    assert backend.asked == [("a b", asked)]
    assert answer.count("Sea otter") == asked


async def test_the_tool_searches_where_the_environment_says(monkeypatch):
    """From the model's JSON to the server and back."""
    with serving() as server:
        server.answer({"web": {"results": [{"title": "Otter", "url": "https://example.org/", "description": "Wet."}]}})
        monkeypatch.setenv("BRAVE_API_KEY", "secret")
        monkeypatch.setenv("BRAVE_SEARCH_URL", server.url)
        monkeypatch.delenv("SEARXNG_URL", raising=False)
        assert configured()
        result = await web_search.call_json('{"query": "otters", "max_results": 3}')
        assert not result.is_error
        assert "1. Otter\n   https://example.org/\n   Wet." in result.content
        assert server.asked[0][1] == {"q": "otters", "count": "3"}


async def test_the_tool_moves_on_when_the_first_server_is_busy(monkeypatch):
    """Brave says 429, SearXNG answers."""
    with serving() as brave, serving() as searxng:
        brave.answer(b"{}", 429)
        searxng.answer({"results": [{"title": "Otter", "url": "https://example.org/", "content": "Wet."}]})
        monkeypatch.setenv("BRAVE_API_KEY", "secret")
        monkeypatch.setenv("BRAVE_SEARCH_URL", brave.url)
        monkeypatch.setenv("SEARXNG_URL", searxng.url)
        assert "1. Otter" in (await web_search.call_json('{"query": "otters"}')).content
