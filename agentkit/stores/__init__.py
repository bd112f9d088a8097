"""Where transcripts are kept."""

from __future__ import annotations

from agentkit.stores.memory import Memory
from agentkit.stores.sqlite import SQLite
from agentkit.stores.store import SessionLog, Store

__all__ = ["Memory", "SQLite", "SessionLog", "Store"]
