"""What an answer cost: exact where it is known, and never a guess."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.core.messages import Usage
from agentkit.models.prices import FREE, WORKERS_AI, cost_usd

SEA_LION = "@cf/aisingapore/gemma-sea-lion-v4-27b-it"
MILLION = Usage(input_tokens=1_000_000, output_tokens=1_000_000, requests=1)


@pytest.mark.parametrize("model", WORKERS_AI)
def test_workers_ai_costs_what_its_pages_say(model):
    """A million tokens in and a million out are the two prices."""
    price = WORKERS_AI[model]
    assert cost_usd("workers-ai", model, MILLION) == pytest.approx(price.input + price.output)


def test_the_reference_model_costs_35_and_56_cents():
    """For a million tokens each."""
    assert cost_usd("workers-ai", SEA_LION, Usage(input_tokens=2_000_000)) == pytest.approx(0.70)
    assert cost_usd("workers-ai", SEA_LION, Usage(input_tokens=1, output_tokens=1_000_000)) == pytest.approx(
        0.56, abs=1e-5
    )


def test_what_was_billed_wins_over_the_list():
    """Neurons are what Cloudflare charges, also for models whose price nobody listed."""
    usage = Usage(input_tokens=10, output_tokens=5, neurons=2000.0)
    assert cost_usd("workers-ai", SEA_LION, usage) == pytest.approx(0.022)
    assert cost_usd("workers-ai", "@cf/new/model", usage) == pytest.approx(0.022)
    assert cost_usd("workers-ai", "@cf/new/model", Usage(neurons=0.0)) == 0.0


def test_tokens_from_a_cache_have_their_own_price():
    """And no price at all where none is listed."""
    usage = Usage(input_tokens=1_000_000, cached_tokens=400_000)
    assert cost_usd("workers-ai", "@cf/zai-org/glm-5.3", usage) == pytest.approx(0.6 * 1.40 + 0.4 * 0.26)
    assert cost_usd("workers-ai", SEA_LION, usage) is None


@pytest.mark.parametrize(
    ("provider", "model"),
    [("workers-ai", "@cf/no/such"), ("openai", "gpt-0"), ("openai", ""), ("openrouter", "openai/gpt-4o"), ("ollama", "qwen3"),
     ("vllm", "gpt-4o"), ("the server", "gpt-4o"), ("openai", "ft:gpt-4o:me::1"), ("openai", "gpt-4o-mini-search-preview"),
     ("openai", "gpt-4o-audio-preview"), ("", "gpt-4o")],
)  # fmt: skip
def test_what_is_not_known_is_none(provider, model):
    """Unknown models, routers, own servers, and models that bill more than tokens."""
    assert cost_usd(provider, model, MILLION) is None


@pytest.mark.parametrize(
    "usage",
    [
        Usage(requests=1),
        Usage(output_tokens=5),
        Usage(input_tokens=5, output_tokens=-1),
        Usage(input_tokens=5, cached_tokens=6),
    ],
)
@pytest.mark.parametrize(("provider", "model"), [("workers-ai", SEA_LION), ("openai", "gpt-4o")])
def test_counts_that_cannot_be_right_have_no_price(provider, model, usage):
    """A server that does not count costs an unknown amount, not nothing."""
    assert cost_usd(provider, model, usage) is None


@pytest.mark.parametrize("tier", ["flex", "priority", "batch"])
def test_other_tiers_have_other_prices(tier):
    """And they are not known."""
    assert cost_usd("workers-ai", SEA_LION, MILLION, service_tier=tier) is None
    assert cost_usd("workers-ai", SEA_LION, MILLION, service_tier="default") is not None


def test_an_embedded_model_costs_nothing():
    """Known to be nothing, which is not the same as not known."""
    assert {cost_usd(provider, "any", Usage(requests=1)) for provider in FREE} == {0.0}


@given(st.integers(1, 10**9), st.integers(0, 10**9), st.floats(0, 1))
def test_a_cost_is_the_sum_of_its_parts(tokens_in: int, tokens_out: int, cached: float):
    """For any counts: between what all of it costs cached and what all of it costs fresh."""
    usage = Usage(input_tokens=tokens_in, output_tokens=tokens_out, cached_tokens=int(tokens_in * cached))
    for model, price in WORKERS_AI.items():
        cost = cost_usd("workers-ai", model, usage)
        if price.cached is None:
            assert (cost is None) == (usage.cached_tokens > 0)
        else:
            out = tokens_out * price.output / 1e6
            assert tokens_in * price.cached / 1e6 <= (cost - out) * (1 + 1e-9) + 1e-9
            assert (cost - out) <= tokens_in * price.input / 1e6 * (1 + 1e-9) + 1e-9


# ---- the extra ----


def test_common_providers_are_priced_by_the_extra():
    """Prices of November 2024 that hold to this day, cached tokens at half."""
    pytest.importorskip("genai_prices")
    usage = Usage(input_tokens=1_000_000, output_tokens=100_000, cached_tokens=200_000)
    assert cost_usd("openai", "gpt-4o", usage) == pytest.approx(0.8 * 2.50 + 0.2 * 1.25 + 0.1 * 10)
    assert cost_usd("gemini", "gemini-2.5-flash", MILLION) > 0
    assert cost_usd("anthropic", "claude-sonnet-4-5", MILLION) > 0


def test_cached_tokens_are_not_priced_as_fresh_ones():
    """Where the extra lists no price of theirs, what they cost is not known."""
    pytest.importorskip("genai_prices")
    usage = Usage(input_tokens=1000, cached_tokens=200)
    assert cost_usd("groq", "llama-3.3-70b-versatile", replace(usage, cached_tokens=0)) is not None
    assert cost_usd("groq", "llama-3.3-70b-versatile", usage) is None


def test_prices_are_looked_up_without_the_network_and_without_the_extra():
    """No connection is made; where the extra is not installed, other providers are unknown."""
    code = """
import socket, sys
def refuse(*args): raise AssertionError("a connection")
socket.socket.connect = socket.getaddrinfo = refuse
from agentkit.core.messages import Usage
from agentkit.models.prices import cost_usd, _genai_prices
assert "genai_prices" not in sys.modules
cost_usd("workers-ai", "@cf/openai/gpt-oss-20b", Usage(input_tokens=5))
assert "genai_prices" not in sys.modules
cost_usd("openai", "gpt-4o", Usage(input_tokens=5))
_genai_prices.cache_clear()
sys.modules["genai_prices"] = None
import importlib.util
importlib.util.find_spec = lambda name: None
print(cost_usd("openai", "gpt-4o", Usage(input_tokens=5)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("None", "")
