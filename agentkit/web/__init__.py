"""Runs in a browser: events as server-sent events, for any ASGI framework and for none."""

from __future__ import annotations

from agentkit.web.response import EventStreamResponse
from agentkit.web.sse import sse

__all__ = ["EventStreamResponse", "sse"]
