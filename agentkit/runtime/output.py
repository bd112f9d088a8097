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

import json
import re
import string
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from agentkit.core.json_repair import JSONError
from agentkit.core.messages import ToolSpec
from agentkit.core.result import NO_OUTPUT
from agentkit.core.settings import Settings
from agentkit.errors import Retry
from agentkit.models.dialects import extract_json
from agentkit.models.model import OutputSchema
from agentkit.tooling.arguments import explain_pydantic
from agentkit.tooling.context import ToolContext
from agentkit.tooling.invoke import Prepared, invoke
from agentkit.tooling.results import to_text
from agentkit.tooling.tool import Tool

Out = TypeVar("Out")

Mode: TypeAlias = Literal["text", "native", "tool", "prompted"]

BLANK = "Your answer was empty. Please answer the question, or call a tool."

_OPENER = re.compile(r"[{\[]")
_UNSURE = string.digits + string.ascii_letters + "+-."
"""The end of a text that goes on: a number may still grow, a word is not yet one."""


class OutputFault(ValueError):
    """The answer is not the output that was asked for; the text says why, for the model."""


@dataclass(frozen=True, slots=True)
class NativeOutput(Generic[Out]):
    """`output=NativeOutput(Invoice)`: the server is asked to enforce the schema."""

    type: type[Out] | Callable[..., Out]


@dataclass(frozen=True, slots=True)
class PromptedOutput(Generic[Out]):
    """`output=PromptedOutput(Invoice)`: the schema is written into the instructions; works with any model."""

    type: type[Out] | Callable[..., Out]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputType(Generic[Out]):
    """How the output is asked for and read.

    Attributes:
        mode: The way it is got.
        schema: What `Request.output` is set to, in native mode.
        spec: The tool that carries the value, in tool mode.
        instructions: What is added to the agent's instructions, in prompted mode.
        parameters: The schema that faults are explained by.
        validate: The answer -> value: JSON text, or in text mode the text. Raises `ValueError`. None: as it is.
        plain: Text that is no JSON -> value, where the type is one that a bare text can be (`str | Invoice`, a date).
        begun: JSON text that is not complete -> value. Raises where it is none yet.
        function: Makes the output of the value; `validate` gives its `Prepared` arguments.
    """

    mode: Mode = "text"
    schema: OutputSchema | None = None
    spec: ToolSpec | None = None
    instructions: str = ""
    parameters: Mapping[str, Any] | None = None
    validate: Callable[[str], Any] | None = None
    plain: Callable[[str], Any] | None = None
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

    async def read(self, text: str, *, may_be_blank: bool, context: ToolContext[Any]) -> Any:
        """The output in an answer's text, or in the arguments of the call that carries it.

        Raises:
            OutputFault: There is none; says what to mend. What a function of the user's raised is its cause.
        """
        if self.mode == "text" and not text.strip() and not may_be_blank:
            raise OutputFault(BLANK)
        try:
            value = self._text(text) if self.mode == "text" else self._json(text)
        except Retry as wish:
            raise OutputFault(str(wish)) from None
        if self.function is None:
            return value
        return await _called(self.function, value, context)

    def partial(self, text: str) -> Any:
        """The output as far as it has come, in an answer that goes on; `NO_OUTPUT` if it is none yet."""
        if self.begun is not None and (start := _OPENER.search(text)) is not None:
            with suppress(Exception):  # not enough of it yet, or a validator of the type's own
                return self.begun(text[start.start() :].rstrip(_UNSURE))
        return NO_OUTPUT

    def _text(self, text: str) -> Any:
        try:
            return text if self.validate is None else self.validate(text)
        except ValueError as fault:
            raise OutputFault(self._explained(fault)) from None

    def _json(self, text: str) -> Any:
        assert self.validate is not None
        with suppress(ValueError):
            return self.validate(text)
        try:
            mended = json.dumps(extract_json(text), ensure_ascii=False)
        except JSONError as fault:
            if self.plain is not None and not _OPENER.search(text):
                with suppress(ValueError):
                    return self.plain(text.strip())
            hint = f" Call {self.spec.name} with the result." if self.spec else " Answer with the JSON alone."
            raise OutputFault(f"the answer is not the JSON that was asked for: {fault}.{hint}") from None
        try:
            return self.validate(mended)
        except ValueError as fault:
            raise OutputFault(self._explained(fault)) from None

    def _explained(self, fault: ValueError) -> str:
        """The fault in short lines for the model."""
        problems: Any = fault  # pydantic's ValidationError, or what a validator of the type itself raised
        if hasattr(fault, "errors"):
            return "\n".join(explain_pydantic(problems, self.parameters or {}))
        return str(fault)

    def render(self, value: Any) -> str:
        """The value as text."""
        return to_text(value)


async def _called(function: Tool[..., Any], prepared: Prepared, context: ToolContext[Any]) -> Any:
    called = await invoke(function, prepared, context)
    if called.is_error:
        raise OutputFault(called.content) from called.exception
    return called.value
