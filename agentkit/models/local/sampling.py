"""Settings in the names of llama.cpp."""

from __future__ import annotations

from typing import Any

from agentkit.core.settings import Settings

CHAT = Settings(temperature=0.2, top_p=0.9, repetition_penalty=1.1, seed=1, max_tokens=512)
"""What is taken where nothing is said: as the makers of SmolLM2 advise, and the same each time."""

_NAMES = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "max_tokens": "max_tokens",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "repetition_penalty": "repeat_penalty",
    "stop": "stop",
}


def body_of(settings: Settings) -> dict[str, Any]:
    """The settings as fields of a request to llama.cpp."""
    body = {theirs: getattr(settings, ours) for ours, theirs in _NAMES.items()}
    return {name: value for name, value in body.items() if value is not None} | dict(settings.extra)
