"""The output of a run: text, or a value of a type, got in one of three ways.

    native      the wire enforces the schema (`Request.output`)
    tool        the value arrives as the arguments of a call to a tool of ours
    prompted    the schema is written into the instructions

Whatever the way, the value is validated here, and a fault goes back to the model as one precise text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from agentkit.core.json_repair import JSONError
from agentkit.core.json_schema import clean
from agentkit.core.messages import ToolSpec
from agentkit.core.settings import Settings
from agentkit.errors import Retry, UsageError
from agentkit.models.dialects import extract_json, schema_instructions
from agentkit.models.model import Model, OutputSchema
from agentkit.tooling.arguments import explain_pydantic
from agentkit.tooling.results import to_text

Out = TypeVar("Out")

Mode: TypeAlias = Literal["text", "native", "tool", "prompted"]

OUTPUT_TOOL = "final_result"
BLANK = "Your answer was empty. Please answer the question, or call a tool."
WRAPPED = "value"


class OutputFault(ValueError):
    """The answer is not the output that was asked for; the text says why, for the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputType(Generic[Out]):
    """How the output is asked for and read.

    Attributes:
        mode: The way it is got.
        schema: What `Request.output` is set to, in native mode.
        spec: The tool that carries the value, in tool mode.
        instructions: What is added to the agent's instructions, in prompted mode.
        wrapped: The value is no JSON object and travels as `{"value": ...}`.
        validate: JSON text -> value; raises pydantic's `ValidationError`. None for text.
    """

    mode: Mode = "text"
    schema: OutputSchema | None = None
    spec: ToolSpec | None = None
    instructions: str = ""
    wrapped: bool = False
    parameters: Mapping[str, Any] | None = None
    validate: Callable[[str], Any] | None = None

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

    def read(self, text: str, *, may_be_blank: bool) -> Any:
        """The output in an answer's text, or in the arguments of the call that carries it.

        Raises:
            OutputFault: There is none; says what to mend.
        """
        if self.validate is None:
            if not text.strip() and not may_be_blank:
                raise OutputFault(BLANK)
            return text
        try:
            return self._value(self.validate(text))
        except Retry as wish:
            raise OutputFault(str(wish)) from None
        except ValueError:
            pass
        try:
            mended = json.dumps(extract_json(text), ensure_ascii=False)
        except JSONError as fault:
            hint = f" Call {self.spec.name} with the result." if self.spec else " Answer with the JSON alone."
            raise OutputFault(f"the answer is not the JSON that was asked for: {fault}.{hint}") from None
        try:
            return self._value(self.validate(mended))
        except Retry as wish:
            raise OutputFault(str(wish)) from None
        except ValueError as fault:
            raise OutputFault(self.explain(fault)) from None

    def _value(self, value: Any) -> Any:
        return value[WRAPPED] if self.wrapped else value

    def explain(self, fault: ValueError) -> str:
        """The fault in short lines for the model."""
        problems: Any = fault  # pydantic's ValidationError, or what a validator of the type itself raised
        if hasattr(fault, "errors"):
            return "\n".join(explain_pydantic(problems, self.parameters or {}))
        return str(fault)

    def render(self, value: Any) -> str:
        """The value as text."""
        return to_text(value)


TEXT: OutputType[str] = OutputType()


def output_type(hint: Any, model: Model, mode: Mode | None = None) -> OutputType[Any]:
    """How to get an output of this type from this model.

    Raises:
        UsageError: No JSON Schema can be made of the type.
    """
    if hint is str:
        return TEXT
    native = bool(getattr(model, "native_output", False))
    chosen: Mode = mode or ("native" if native else "tool")
    try:
        return _output_type(hint, chosen)
    except TypeError:  # a type that cannot be hashed, such as Annotated[int, {}]
        return _output_type.__wrapped__(hint, chosen)


@lru_cache(maxsize=256)
def _output_type(hint: Any, mode: Mode) -> OutputType[Any]:
    from pydantic import TypeAdapter  # noqa: PLC0415 - heavy
    from pydantic.errors import PydanticUserError  # noqa: PLC0415 - heavy

    try:
        adapter: Any = TypeAdapter(hint)
        schema = clean(adapter.json_schema())
        wrapped = schema.get("type") != "object"
        if wrapped:
            adapter = TypeAdapter(_wrap(hint))
            schema = clean(adapter.json_schema())
    except (PydanticUserError, TypeError, NameError) as fault:
        if isinstance(fault, TypeError) and "unhashable" in str(fault):
            raise
        raise UsageError(f"output={hint!r} has no JSON Schema: {str(fault).splitlines()[0]}") from fault
    name = getattr(hint, "__name__", "output")
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in name)[:64] or "output"
    return OutputType(
        mode=mode,
        schema=OutputSchema(safe, schema) if mode == "native" else None,
        spec=ToolSpec(OUTPUT_TOOL, f"Give the final result ({name}).", schema) if mode == "tool" else None,
        instructions=schema_instructions(schema) if mode == "prompted" else "",
        wrapped=wrapped,
        parameters=schema,
        validate=adapter.validate_json,
    )


def _wrap(hint: Any) -> Any:
    from typing_extensions import TypedDict  # noqa: PLC0415 - pydantic brings it

    return TypedDict("Output", {WRAPPED: hint})  # type: ignore[operator]  # a hint known at run time only
