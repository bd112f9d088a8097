"""Texts as vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentkit.core.messages import Usage
from agentkit.errors import MalformedResponse
from agentkit.models.chat_completions.decode import usage_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Embeddings:
    """Vectors, in the order of the texts.

    Attributes:
        vectors: One a text.
        model: The model that made them.
        usage: What they cost in tokens.
    """

    vectors: tuple[tuple[float, ...], ...]
    model: str
    usage: Usage


def embeddings_in(answer: Any, texts: Sequence[str], model: str) -> Embeddings:
    """The vectors of an answer, OpenAI-shaped or native.

    Raises:
        MalformedResponse: It has not one for each text.
    """
    data = answer.get("data") if isinstance(answer, Mapping) else None
    rows = data if isinstance(data, list) else []
    try:
        if rows and isinstance(rows[0], Mapping):
            rows = [row["embedding"] for row in sorted(rows, key=lambda row: row.get("index", 0))]
        vectors = tuple(tuple(map(float, row)) for row in rows)
    except (AttributeError, LookupError, TypeError, ValueError):
        vectors = ()
    if len(vectors) != len(texts):
        raise MalformedResponse(f"{len(texts)} texts were sent, and {len(vectors)} vectors came back", retryable=False)
    return Embeddings(vectors=vectors, model=model, usage=usage_of(answer.get("usage")))
