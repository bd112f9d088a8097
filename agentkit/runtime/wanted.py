"""What `output=` means: a type, a way to get it, or a function that makes the output.

str                                     the answer's text
Invoice, list[int], Invoice | str       any type that pydantic understands; also [Invoice, Order]
Annotated[str, AfterValidator(check)]   the answer's text, checked
ToolOutput(Invoice), ...                the same, got in this way
book                                    called with validated arguments; what it returns is the output
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Annotated, Any, Union, get_args, get_origin

from agentkit.core.json_schema import clean
from agentkit.core.messages import ToolSpec
from agentkit.errors import UsageError
from agentkit.models.dialects import schema_instructions
from agentkit.models.model import Model, OutputSchema
from agentkit.runtime.output import Mode, NativeOutput, OutputType, PromptedOutput
from agentkit.tooling.invoke import Prepared, prepare
from agentkit.tooling.output import ToolOutput
from agentkit.tooling.tool import Tool, tool

OUTPUT_TOOL = "final_result"
WRAPPED = "value"

TEXT: OutputType[str] = OutputType()


def output_type(wanted: Any, model: Model) -> OutputType[Any]:
    """How to get the output that is wanted from this model.

    Args:
        wanted: See the head of the file.
        model: Its `native_output` and `native_tools` choose the way where `wanted` does not.

    Raises:
        UsageError: No JSON Schema can be made of the type.
    """
    mode: Mode | None = None
    match wanted:
        case NativeOutput():
            mode, wanted = "native", wanted.type
        case PromptedOutput():
            mode, wanted = "prompted", wanted.type
        case ToolOutput():
            mode, wanted = "tool", wanted.content
        case list() | tuple() if wanted:
            wanted = Union[tuple(wanted)] if all(map(_is_type, wanted)) else wanted  # noqa: UP007 - at run time
    if wanted is str and mode is None:
        return TEXT
    best = _best(model)
    if isinstance(wanted, Mapping):
        raise UsageError(
            "output= takes a type or a function, not a JSON Schema: Tool.from_schema(name, description, schema, dict) "
            "is a function that takes what fits a schema"
        )
    if _is_function(wanted):
        return _of_function(tool(wanted), mode, best)
    if mode is None and get_origin(wanted) is Annotated and get_args(wanted)[0] is str:
        return OutputType(validate=_checks(wanted))
    try:
        return _of_type(wanted, mode or best)
    except TypeError:  # a type that cannot be hashed, such as Annotated[int, {}]
        return _of_type.__wrapped__(wanted, mode or best)


def _best(model: Model) -> Mode:
    """The surest way that the model has."""
    if getattr(model, "native_output", False):
        return "native"
    return "tool" if getattr(model, "native_tools", True) else "prompted"


def _is_type(wanted: Any) -> bool:
    return isinstance(wanted, type) or get_origin(wanted) is not None


def _is_function(wanted: Any) -> bool:
    return inspect.isroutine(wanted) or isinstance(wanted, Tool | functools.partial)


def _of_function(function: Tool[..., Any], mode: Mode | None, best: Mode) -> OutputType[Any]:
    spec = function.spec
    if mode is None and (name := _only_text(spec.parameters)) is not None:
        return OutputType(validate=lambda text: prepare(function, json.dumps({name: text})), function=function)

    def validate(text: str) -> Prepared:
        return prepare(function, text)

    return _asked_for(mode or best, spec, validate=validate, function=function)


def _only_text(parameters: Mapping[str, Any]) -> str | None:
    """The name of the only parameter, if it is a plain text."""
    properties = parameters.get("properties", {})
    names = [name for name, schema in properties.items() if schema.keys() - {"description"} == {"type"}]
    return names[0] if len(properties) == 1 and names and properties[names[0]]["type"] == "string" else None


@lru_cache(maxsize=256)
def _of_type(hint: Any, mode: Mode) -> OutputType[Any]:
    from pydantic import ValidationError  # noqa: PLC0415 - heavy

    adapter, schema = _adapter(hint)
    bare = adapter
    if wrapped := schema.get("type") != "object":
        adapter, schema = _adapter(_wrap(hint))

    def validate(text: str) -> Any:
        if not wrapped:
            return adapter.validate_json(text)
        try:
            return adapter.validate_json(text)[WRAPPED]
        except ValidationError:
            with suppress(ValidationError):
                return bare.validate_json(text)  # the value without its wrapper
            raise

    def begun(text: str) -> Any:
        value = adapter.validate_json(text, experimental_allow_partial="trailing-strings")
        return value[WRAPPED] if wrapped else value

    name = getattr(hint, "__name__", "output")
    spec = ToolSpec(OUTPUT_TOOL, f"Give the final result ({name}).", schema)
    plain = bare.validate_python if wrapped else None
    return _asked_for(mode, spec, name=name, validate=validate, plain=plain, begun=begun)


def _asked_for(mode: Mode, spec: ToolSpec, *, name: str = "", **reading: Any) -> OutputType[Any]:
    """An output of this schema, asked for in this way."""
    schema = spec.parameters
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in name or spec.name)[:64]
    return OutputType(
        mode=mode,
        schema=OutputSchema(safe or "output", schema) if mode == "native" else None,
        spec=spec if mode == "tool" else None,
        instructions=schema_instructions(schema) if mode == "prompted" else "",
        parameters=schema,
        **reading,
    )


def _adapter(hint: Any) -> tuple[Any, Mapping[str, Any]]:
    from pydantic import TypeAdapter  # noqa: PLC0415 - heavy
    from pydantic.errors import PydanticUserError  # noqa: PLC0415 - heavy

    try:
        adapter: Any = TypeAdapter(hint)
        return adapter, clean(adapter.json_schema())
    except (PydanticUserError, TypeError, NameError, SyntaxError) as fault:
        if isinstance(fault, TypeError) and "unhashable" in str(fault):
            raise
        raise UsageError(f"output={hint!r} has no JSON Schema: {str(fault).splitlines()[0]}") from fault


def _checks(hint: Any) -> Callable[[str], Any]:
    from pydantic import TypeAdapter  # noqa: PLC0415 - heavy

    validate: Callable[[str], Any] = TypeAdapter(hint).validate_python
    return validate


def _wrap(hint: Any) -> Any:
    from typing_extensions import TypedDict  # noqa: PLC0415 - pydantic brings it

    return TypedDict("Output", {WRAPPED: hint})  # type: ignore[operator]  # a hint known at run time only
