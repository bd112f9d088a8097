"""Cloudflare Workers AI: everything that a model page has."""

from __future__ import annotations

from agentkit.models.workers_ai.account import Gateway
from agentkit.models.workers_ai.batch import BatchAnswer
from agentkit.models.workers_ai.catalogue import CATALOGUE, Capabilities
from agentkit.models.workers_ai.embeddings import Embeddings
from agentkit.models.workers_ai.model import WorkersAI

__all__ = ["CATALOGUE", "BatchAnswer", "Capabilities", "Embeddings", "Gateway", "WorkersAI"]
