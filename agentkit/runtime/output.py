"""The output of a run: text, a value of a type, or what a function of yours makes of it.

    text        the answer itself
    native      the wire enforces the schema (`Request.output`)
    tool        the value arrives as the arguments of a call to a tool of ours
    prompted    the schema is written into the instructions

`output=Invoice` takes the best way that the model has; `NativeOutput(Invoice)`, `ToolOutput(Invoice)` and
`PromptedOutput(Invoice)` name one. Whatever the way, the value is validated here, and a fault goes back to the model
as one precise text.
"""

from __future__ import annotations

import re
import string
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeAlias, overload

from typing_extensions import TypeForm, TypeVar

from agentkit.core.json_repair import JSONError
from agentkit.core.messages import ToolSpec
from agentkit.core.result import NO_OUTPUT
from agentkit.core.settings import Settings
from agentkit.models.dialects import extract_json
from agentkit.models.model import OutputSchema
from agentkit.tooling.arguments import InvalidArguments
from agentkit.tooling.context import ToolContext
from agentkit.tooling.invoke import Prepared, invoke
from agentkit.tooling.output import ToolOutput
from agentkit.tooling.results import to_text
from agentkit.tooling.tool import Tool

Out = TypeVar("Out", default=Any)

Mode: TypeAlias = Literal["text", "native", "tool", "prompted"]

BLANK = "Your answer was empty. Please answer the question, or call a tool."
CUT_OFF = "The token limit cut your answer off before any of it could be used. Answer, or call a tool, in fewer words."

_BEGUN = re.compile(r"[{\[](?!\^?[\w .-]*\])")
"""Where JSON may begin; a mark such as [1] or [a link] is none."""
_UNSURE = string.digits + string.ascii_letters + "+-."
"""The end of a text that goes on: a number may still grow, a word is not yet one."""


class OutputFault(ValueError):
    """The answer is not the output that was asked for; the text says why, for the model."""


@dataclass(frozen=True, slots=True, init=False)
class _Way(Generic[Out]):
    """A way to get an output, named by its class."""

    wanted: Any

    @overload
    def __init__(self, wanted: Awaited[Out]) -> None: ...
    @overload
    def __init__(self, wanted: Wanted[Out]) -> None: ...
    @overload
    def __init__(self, wanted: TypeForm[Out]) -> None: ...
    @overload
    def __init__(self: _Way[Any], wanted: Several) -> None: ...
    def __init__(self, wanted: Any) -> None:
        object.__setattr__(self, "wanted", wanted)


class NativeOutput(_Way[Out]):
    """`output=NativeOutput(Invoice)`: the server is asked to enforce the schema."""

    __slots__ = ()


class PromptedOutput(_Way[Out]):
    """`output=PromptedOutput(Invoice)`: the schema is written into the instructions; works with any model."""

    __slots__ = ()


Awaited: TypeAlias = Callable[..., Awaitable[Out]] | ToolOutput[Callable[..., Awaitable[Out]]]
"""An async function as `output=`."""
Wanted: TypeAlias = type[Out] | Callable[..., Out] | _Way[Out] | ToolOutput[Callable[..., Out]]
"""A class or a function as `output=`; unions and what else is no class are a `TypeForm`."""
Several: TypeAlias = list[Any] | tuple[Any, ...] | ToolOutput[Any]
"""What `output=` takes too, where a type checker does not see the type of the output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputType(Generic[Out]):
    """How the output is asked for and read.

    Attributes:
        mode: The way it is got.
        schema: What `Request.output` is set to, in native mode.
        spec: The tool that carries the value, in tool mode.
        instructions: What is added to the agent's instructions, in prompted mode.
        validate: The answer -> value: what its JSON holds, or in text mode the text. None: as it is.
        plain: Whether text that is no JSON may be the value (`str | Invoice`, a date).
        begun: JSON text that is not complete -> value. Raises where it is none yet.
        function: Makes the output of the value; `validate` gives its `Prepared` arguments.
    """

    mode: Mode = "text"
    schema: OutputSchema | None = None
    spec: ToolSpec | None = None
    instructions: str = ""
    validate: Callable[[Any], Any] | None = None
    plain: bool = False
    begun: Callable[[str], Any] | None = None
    function: Tool[..., Any] | None = None

    def settings(self, settings: Settings, *, last: bool, has_tools: bool, called: bool) -> Settings:
        """The settings of the next request.

        A forced choice holds for the first request of a turn only: held longer, it would forbid the answer.
        """
        if last:
            return replace(settings, tool_choice=self.spec.name if self.spec else "none" if has_tools else None)
        if called and settings.tool_choice not in (None, "auto", "none"):
            return replace(settings, tool_choice=None)
        if self.spec is not None and not has_tools and settings.tool_choice is None:
            return replace(settings, tool_choice=self.spec.name)
        return settings

    async def read(self, text: str, *, truncated: bool, may_be_blank: bool, context: ToolContext[Any]) -> Any:
        """The output in an answer's text, or in the arguments of the call that carries it.

        Args:
            text: The answer or the arguments.
            truncated: It was cut off, so its end says nothing.
            may_be_blank: An empty text is an answer, where text is asked for.
            context: For a function.

        Raises:
            OutputFault: There is none; says what to mend. What a function of the user's raised is its cause.
        """
        if self.mode == "text" and not text.strip() and not may_be_blank:
            raise OutputFault(CUT_OFF if truncated else BLANK)
        try:
            value = self._text(text) if self.mode == "text" else self._json(text, truncated=truncated)
        except (JSONError, InvalidArguments) as fault:
            raise OutputFault(str(fault)) from None
        return value if self.function is None else await _called(self.function, value, context)

    def partial(self, text: str) -> Any:
        """The output as far as it has come, in an answer that goes on; `NO_OUTPUT` if it is none yet."""
        if self.begun is not None and (start := _BEGUN.search(text)) is not None:
            with suppress(Exception):  # not enough of it yet, or a validator of the type's own
                return self.begun(text[start.start() :].rstrip(_UNSURE))
        return NO_OUTPUT

    def _text(self, text: str) -> Any:
        return text if self.validate is None else self.validate(text)

    def _json(self, text: str, *, truncated: bool) -> Any:
        assert self.validate is not None
        try:
            return self.validate(_value_in(text, truncated=truncated))
        except (JSONError, InvalidArguments) as fault:
            if self.plain and not truncated and text.strip() and not _BEGUN.search(text):
                with suppress(InvalidArguments):
                    return self.validate(text.strip())
            if isinstance(fault, InvalidArguments):
                raise
            hint = f"Call {self.spec.name} with the result." if self.spec else "Answer with the JSON alone."
            hint = "It was cut off: answer shorter." if truncated else hint
            raise OutputFault(f"the answer is not the JSON that was asked for: {fault}. {hint}") from None

    def render(self, value: Any) -> str:
        """The value as text."""
        return to_text(value)


def _value_in(text: str, *, truncated: bool) -> Any:
    """What the JSON of an answer holds."""
    value = extract_json(text, truncated=truncated)
    if truncated and type(value) in (int, float):
        raise JSONError("the text may stop within a number", reason="truncated", position=len(text))
    return value


async def _called(function: Tool[..., Any], prepared: Prepared, context: ToolContext[Any]) -> Any:
    called = await invoke(function, prepared, context)
    if called.is_error:
        raise OutputFault(called.content) from called.exception
    return called.value
