"""agentkit: decorated functions become the tools of a chat-completions model.

from agentkit import Agent, tool

@tool
def add(a: int, b: int) -> int:
    '''Add two numbers.'''
    return a + b

print(Agent(tools=[add]).run("What is 2 + 3?"))
"""

from __future__ import annotations

from agentkit.agent import Agent
from agentkit.core.entries import Decision
from agentkit.core.events import Event
from agentkit.core.limits import NO_LIMITS, Limits
from agentkit.core.messages import Assistant, System, ToolCall, ToolResult, ToolSpec, Usage, User
from agentkit.core.result import Result
from agentkit.core.settings import Settings
from agentkit.errors import (
    AgentkitError,
    AuthFailed,
    Conflict,
    ContextTooLong,
    MalformedResponse,
    ModelError,
    ModelNotFound,
    QuotaExhausted,
    RateLimited,
    RequestRefused,
    Retry,
    RunStopped,
    StoreError,
    ToolFailed,
    Unavailable,
    UsageError,
)
from agentkit.models.model import Model
from agentkit.runtime.output import NativeOutput, PromptedOutput
from agentkit.tooling.context import ToolContext
from agentkit.tooling.output import ToolOutput
from agentkit.tooling.tool import Tool, tool
from agentkit.tooling.toolsets import only, prefix, rename

__version__ = "0.1.0"

__all__ = [
    "NO_LIMITS",
    "Agent",
    "AgentkitError",
    "Assistant",
    "AuthFailed",
    "Conflict",
    "ContextTooLong",
    "Decision",
    "Event",
    "Limits",
    "MalformedResponse",
    "Model",
    "ModelError",
    "ModelNotFound",
    "NativeOutput",
    "PromptedOutput",
    "QuotaExhausted",
    "RateLimited",
    "RequestRefused",
    "Result",
    "Retry",
    "RunStopped",
    "Settings",
    "StoreError",
    "System",
    "Tool",
    "ToolCall",
    "ToolContext",
    "ToolFailed",
    "ToolOutput",
    "ToolResult",
    "ToolSpec",
    "Unavailable",
    "Usage",
    "UsageError",
    "User",
    "only",
    "prefix",
    "rename",
    "tool",
]
