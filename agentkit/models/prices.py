"""What an answer cost: list prices where they are known, None where they are not. A wrong figure is worse than none.

1. What the server billed wins: Workers AI reports neurons.
2. Workers AI's prices stand below, as its model pages gave them in November 2026.
3. The prices of other providers come from `genai-prices` (`pip install "agentkit[prices]"`), a table in a package: no
   request is made. Its newer versions know newer prices.

None is said when a model or a part of its usage has no known price, when the server counted no tokens, for a service
tier with prices of its own, for models that bill more than tokens (searches, audio), and for providers that route to
others at differing prices.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from agentkit.core.messages import Usage

USD_PER_NEURON = 0.011 / 1000
"""Cloudflare's price of its billing unit, beyond the 10,000 neurons a day that are free."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens.

    Attributes:
        input: Of the prompt.
        output: Of the answer.
        cached: Of the part of the prompt that came from a cache; None where there is no such price.
    """

    input: float
    output: float
    cached: float | None = None


WORKERS_AI: Mapping[str, Price] = {
    "@cf/aisingapore/gemma-sea-lion-v4-27b-it": Price(0.35, 0.56),
    "@cf/deepseek-ai/deepseek-v4-flash-0731": Price(0.44, 1.32, 0.014),
    "@cf/google/gemma-4-26b-a4b-it": Price(0.10, 0.30),
    "@cf/ibm-granite/granite-4.0-h-micro": Price(0.017, 0.112),
    "@cf/meta/llama-3.3-70b-instruct-fp8-fast": Price(0.293, 2.253),
    "@cf/meta/llama-4-scout-17b-16e-instruct": Price(0.27, 0.85),
    "@cf/mistralai/mistral-small-3.1-24b-instruct": Price(0.351, 0.555),
    "@cf/moonshotai/kimi-k2.7-code": Price(0.95, 4.00, 0.19),
    "@cf/nvidia/nemotron-3-120b-a12b": Price(0.50, 1.50),
    "@cf/openai/gpt-oss-120b": Price(0.35, 0.75),
    "@cf/openai/gpt-oss-20b": Price(0.20, 0.30),
    "@cf/qwen/qwen3-30b-a3b-fp8": Price(0.051, 0.34),
    "@cf/qwen/qwen3.8-27b": Price(0.45, 3.20, 0.05),
    "@cf/zai-org/glm-4.7-flash": Price(0.06, 0.40),
    "@cf/zai-org/glm-5.3": Price(1.40, 4.40, 0.26),
    "@cf/zai-org/glm-5.3-flash": Price(0.15, 0.50, 0.03),
}
"""Text models of Workers AI."""

FREE = frozenset({"local"})
"""Providers that cost nothing."""

_IN_GENAI_PRICES: Mapping[str, str] = {
    "anthropic": "anthropic",
    "deepseek": "deepseek",
    "gemini": "google",
    "groq": "groq",
    "mistral": "mistral",
    "openai": "openai",
    "together": "together",
    "workers-ai": "cloudflare",
}
"""Our names of providers -> theirs."""

_BILLS_MORE = (
    "audio", "computer-use", "deep-research", "image", "live", "ocr", "realtime", "search", "tts", "transcribe",
)  # fmt: skip
_PLAIN_TIERS = frozenset({None, "", "auto", "default", "standard", "on_demand"})


def cost_usd(
    provider: str, model: str, usage: Usage, *, service_tier: str | None = None, price: Price | None = None
) -> float | None:
    """What one answer cost, in US dollars; None when that is not known.

    Args:
        provider: As in `"provider:model"`: `workers-ai`, `openai`, ...
        model: The model that was asked.
        usage: What the server counted for this answer.
        service_tier: The tier that the server says it served the answer in.
        price: Of the model, where the provider itself told it.
    """
    if provider in FREE:
        return 0.0
    if provider == "workers-ai" and usage.neurons is not None:
        return usage.neurons * USD_PER_NEURON
    counted = usage.input_tokens > 0 and usage.output_tokens >= 0 and 0 <= usage.cached_tokens <= usage.input_tokens
    if not counted or service_tier not in _PLAIN_TIERS:
        return None
    if price is None and provider == "workers-ai":
        price = WORKERS_AI.get(model)
    if price is not None:
        return _cost(price, usage)
    return _from_genai_prices(provider, model, usage)


def _cost(price: Price, usage: Usage) -> float | None:
    if usage.cached_tokens and price.cached is None:
        return None
    fresh = usage.input_tokens - usage.cached_tokens
    millionths = fresh * price.input + usage.cached_tokens * (price.cached or 0.0) + usage.output_tokens * price.output
    return millionths / 1e6


def _from_genai_prices(provider: str, model: str, usage: Usage) -> float | None:
    known = _IN_GENAI_PRICES.get(provider)
    if known is None or any(word in model.lower() for word in _BILLS_MORE):
        return None
    prices = _genai_prices()
    if prices is None:
        return None
    try:
        counts = prices.Usage(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cached_tokens or None,
        )
        found = prices.calc_price(counts, model, provider_id=known)
    except (LookupError, ValueError):  # a model or a kind of tokens without a price
        return None
    if usage.cached_tokens and found.model_price.cache_read_mtok is None:  # counted as fresh ones there
        return None
    return float(found.total_price)


@cache
def _genai_prices() -> Any:
    if importlib.util.find_spec("genai_prices") is None:
        return None
    import genai_prices  # noqa: PLC0415 - heavy, and an extra

    return genai_prices
