"""Ready tools, one a file: `Agent(tools=[calculator, clock, units, web_search])`."""

from __future__ import annotations

from agentkit_tools.calculator import calculator
from agentkit_tools.clock import clock
from agentkit_tools.units import units
from agentkit_tools.web_search import web_search

__all__ = ["calculator", "clock", "units", "web_search"]
