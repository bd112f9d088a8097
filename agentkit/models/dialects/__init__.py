"""Tool calls and reasoning that open models write as text, and tools for models that know none."""

from agentkit.models.dialects.answer import Parsed
from agentkit.models.dialects.splitter import Splitter, parse

__all__ = ["Parsed", "Splitter", "parse"]
