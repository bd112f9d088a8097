"""What a tool returns when one value is not enough; and the wish that the output of a run comes as a tool's call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic

from typing_extensions import TypeVar

from agentkit.core.messages import Usage

Content_co = TypeVar("Content_co", default=Any, covariant=True)


@dataclass(frozen=True, slots=True)
class ToolOutput(Generic[Content_co]):
    """A tool's result in two parts: what the model reads and what only the application sees.

    Given as `output=ToolOutput(Invoice)`, it asks for the output of the run as the arguments of a tool's call (beside
    `NativeOutput` and `PromptedOutput`); `content` is then the type.

    Attributes:
        content: For the model; becomes text as any other result does.
        details: For the application only (`ToolResult.details`); kept as JSON.
        is_error: The content tells of a failure.
        usage: Tokens that the tool itself spent.
        cost_usd: US dollars that the tool itself spent.
    """

    content: Content_co
    details: Any = None
    is_error: bool = False
    usage: Usage | None = None
    cost_usd: float | None = None
