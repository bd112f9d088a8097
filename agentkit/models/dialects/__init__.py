"""Tool calls and reasoning that open models write as text, and tools for models that know none."""

from __future__ import annotations

from agentkit.models.dialects.answer import Parsed
from agentkit.models.dialects.prompted import Prompted
from agentkit.models.dialects.recovering import Recovering
from agentkit.models.dialects.splitter import Splitter, parse
from agentkit.models.dialects.typed_output import extract_json, schema_instructions

__all__ = ["Parsed", "Prompted", "Recovering", "Splitter", "extract_json", "parse", "schema_instructions"]
