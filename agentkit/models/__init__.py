"""Models: one method, many wires."""

from __future__ import annotations

from agentkit.models.chat_completions.model import ChatCompletions
from agentkit.models.local import Local
from agentkit.models.model import Model, OutputSchema, Request
from agentkit.models.scripted import Scripted, call
from agentkit.models.workers_ai import WorkersAI
from agentkit.models.wrap import Cached, Fallback, Prompted, RateLimited, Recorded, Recovering, Retrying

__all__ = [
    "Cached",
    "ChatCompletions",
    "Fallback",
    "Local",
    "Model",
    "OutputSchema",
    "Prompted",
    "RateLimited",
    "Recorded",
    "Recovering",
    "Request",
    "Retrying",
    "Scripted",
    "WorkersAI",
    "call",
]
