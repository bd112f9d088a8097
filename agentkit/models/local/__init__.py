"""The embedded model: llama.cpp in process, on a GGUF file."""

from __future__ import annotations

from agentkit.models.local.model import Local

__all__ = ["Local"]
