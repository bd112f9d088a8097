"""What each model of Workers AI can do, as far as we know it: one row a model, one default for the rest.

A schema that accepts `tools` does not mean that the model is served with a reader of tool calls. Sources of the rows:
the model pages and their JSON, models.dev, and the issues of Cloudflare's own clients (November 2026). What Cloudflare
says today comes from `WorkersAI.refresh()`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from agentkit.errors import UsageError
from agentkit.models.prices import Price
from agentkit.models.workers_ai.ranges import RANGES, Generation, Ranges

Tools: TypeAlias = Literal["native", "prompted"]
JSONForm: TypeAlias = Literal["bare", "envelope", "guided_json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What one model can do.

    Attributes:
        tools: Whether the server reads its tool calls, or we tell it of the tools in words and read its text.
        flat_tools: Tools are declared as `{name, description, parameters}`, the older form of the native wire.
        streams_tools: A stream with tools is a real one, and whole.
        tool_choices: What may be asked of `tool_choice`; the rest is not sent. Only `named` is enforced.
        json_form: How `/ai/run` wants a JSON schema: alone, in OpenAI's envelope, or as `guided_json`.
        vision: It takes images, as data URLs.
        batch: It advertises the asynchronous queue.
        lora: It advertises adapters.
        reasoning: It thinks before it answers; None is not known.
        reasoning_efforts: The values of `reasoning_effort` that it knows; none: it is not checked.
        paid_only: It needs the Workers Paid plan.
        context_tokens: Its window, by its page.
        price: What `refresh` was told; None: the price of our own table.
        generation: Whose ranges its sampling parameters have.
        dropped: Settings that it fails on, so that they are not sent.
    """

    tools: Tools = "native"
    flat_tools: bool = False
    streams_tools: bool = True
    tool_choices: frozenset[str] = frozenset({"auto", "none", "required", "named"})
    json_form: JSONForm = "bare"
    vision: bool = False
    batch: bool = False
    lora: bool = False
    reasoning: bool | None = None
    reasoning_efforts: tuple[str, ...] = ()
    paid_only: bool = False
    context_tokens: int | None = None
    price: Price | None = None
    generation: Generation = "current"
    dropped: frozenset[str] = frozenset()

    @property
    def ranges(self) -> Ranges:
        """What its sampling parameters may be."""
        return RANGES[self.generation]


UNKNOWN = Capabilities(vision=True)
"""A model that is not in the table: what it cannot do, its server will say."""

_NO_CHOICE: frozenset[str] = frozenset()
_UNITS = {"per m input tokens": "input", "per m output tokens": "output", "per m cached input tokens": "cached"}

CATALOGUE: Mapping[str, Capabilities] = {
    "@cf/aisingapore/gemma-sea-lion-v4-27b-it": Capabilities(tools="prompted", context_tokens=128_000),
    "@cf/deepseek-ai/deepseek-v4-flash-0731": Capabilities(
        batch=True, paid_only=True, reasoning_efforts=("none", "low", "high", "max"), context_tokens=1_048_576
    ),
    "@cf/google/gemma-4-26b-a4b-it": Capabilities(vision=True, context_tokens=131_072),  # the page says 256,000
    "@cf/ibm-granite/granite-4.0-h-micro": Capabilities(context_tokens=131_000),
    "@cf/meta/llama-3.3-70b-instruct-fp8-fast": Capabilities(batch=True, generation="older", context_tokens=24_000),
    "@cf/meta/llama-3.1-8b-instruct": Capabilities(generation="older"),  # retired on 2026-05-30, still in many examples
    "@hf/nousresearch/hermes-2-pro-mistral-7b": Capabilities(generation="older", context_tokens=24_000),
    "@cf/meta/llama-4-scout-17b-16e-instruct": Capabilities(vision=True, context_tokens=131_000),
    "@cf/mistralai/mistral-small-3.1-24b-instruct": Capabilities(
        # its streams lose digits: decolua/9router#1645
        streams_tools=False,
        tool_choices=_NO_CHOICE,
        json_form="guided_json",
        context_tokens=128_000,
    ),
    "@cf/moonshotai/kimi-k2.6": Capabilities(vision=True, paid_only=True),
    "@cf/moonshotai/kimi-k2.7-code": Capabilities(vision=True, paid_only=True, context_tokens=256_000),
    "@cf/nvidia/nemotron-3-120b-a12b": Capabilities(context_tokens=256_000),
    "@cf/openai/gpt-oss-120b": Capabilities(
        batch=True, reasoning_efforts=("low", "medium", "high"), context_tokens=128_000
    ),
    "@cf/openai/gpt-oss-20b": Capabilities(reasoning_efforts=("low", "medium", "high"), context_tokens=128_000),
    "@cf/qwen/qwen3-30b-a3b-fp8": Capabilities(batch=True, context_tokens=32_768),
    "@cf/qwen/qwen3.8-27b": Capabilities(vision=True, batch=True, context_tokens=262_144),
    "@cf/zai-org/glm-4.7-flash": Capabilities(
        # top_k and repetition_penalty end in timeouts: cloudflare/langchain-cloudflare#30
        tool_choices=_NO_CHOICE,
        dropped=frozenset({"top_k", "repetition_penalty"}),
        context_tokens=131_072,
    ),
    "@cf/zai-org/glm-5.3": Capabilities(paid_only=True, context_tokens=1_310_720),
    "@cf/zai-org/glm-5.3-flash": Capabilities(
        vision=True, paid_only=True, reasoning_efforts=("low", "high", "max"), context_tokens=1_048_576
    ),
}


def capabilities_of(model: str) -> Capabilities:
    """The row of a model; of one that is not in the table the default."""
    return CATALOGUE.get(model, UNKNOWN)


def refreshed(known: Capabilities, properties: Any) -> Capabilities:
    """The row with what an item of `/ai/models/search` says now.

    Args:
        known: The row so far.
        properties: The item's list of `{property_id, value}`; the values are mostly texts.
    """
    listed = properties if isinstance(properties, list) else []
    said = {str(p.get("property_id")): p.get("value") for p in listed if isinstance(p, Mapping)}
    window = str(said.get("context_window", "")).replace(",", "")
    return replace(
        known,
        tools="native" if _is_true(said.get("function_calling")) else "prompted",
        batch=_is_true(said.get("async_queue")),
        lora=_is_true(said.get("lora")),
        vision=_is_true(said.get("vision")),
        paid_only=_is_true(said.get("require_workers_paid")),
        reasoning=_is_true(said.get("reasoning")),
        reasoning_efforts=_efforts(said.get("reasoning_effort")) or known.reasoning_efforts,
        context_tokens=int(window) if window.isdecimal() else known.context_tokens,
        price=_price(said.get("price")) or known.price,
    )


def _efforts(said: Any) -> tuple[str, ...]:
    """The values of `reasoning_effort`: `{"supported_efforts": ["low", ...], ...}`."""
    listed = said.get("supported_efforts") if isinstance(said, Mapping) else said
    return tuple(effort for effort in listed if isinstance(effort, str)) if isinstance(listed, list) else ()


def _price(said: Any) -> Price | None:
    """The price of tokens: `[{"unit": "per M input tokens", "price": 0.35, "currency": "USD"}, ...]`."""
    prices: dict[str, float] = {}
    for row in said if isinstance(said, list) else ():
        if isinstance(row, Mapping) and (kind := _UNITS.get(str(row.get("unit")).lower())) and _is_price(row):
            prices[kind] = float(row["price"])
    return Price(**prices) if {"input", "output"} <= prices.keys() else None


def _is_price(row: Mapping[str, Any]) -> bool:
    plain = re.fullmatch(r"\d{1,9}(\.\d{1,12})?", str(row.get("price")), re.ASCII)
    return plain is not None and row.get("currency", "USD") == "USD"


def check_model_id(model: str) -> str:
    """The id of a model, if it can be one.

    Raises:
        UsageError: It cannot, with what to write instead.
    """
    if "%2f" in model.lower() or "%40" in model:
        raise UsageError(f"the model id {model!r} is percent-encoded: write it with slashes, as @cf/author/name")
    if re.fullmatch(r"@(?:cf|hf)/[\w.-]+/[\w.:-]+", model, re.ASCII):
        return model
    if re.fullmatch(r"[\w.-]+/[\w.:-]+", model, re.ASCII):
        raise UsageError(f"models of Workers AI begin with @cf/: write '@cf/{model}'")
    raise UsageError(f"{model!r} is no model of Workers AI: write @cf/author/name")


def _is_true(value: Any) -> bool:
    return str(value).lower() == "true"
