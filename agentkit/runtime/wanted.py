"""What `output=` means: a type, a way to get it, or a function that makes the output.

str                                     the answer's text
Invoice, list[int], Invoice | str       any type that pydantic understands; also [Invoice, Order]
Annotated[str, AfterValidator(check)]   the answer's text, checked
ToolOutput(Invoice), ...                the same, got in this way
book                                    called with validated arguments; what it returns is the output

A type is to us the only parameter of a call, so it is described, read, mended and explained as those of tools are.
What JSON shows as an object is asked for as it is, every other type as `{"value": ...}`.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Annotated, Any, ForwardRef, Literal, Union, get_args, get_origin

from agentkit.core.json_repair import kind_of
from agentkit.core.json_schema import branches, clean, dereferenced
from agentkit.core.messages import ToolSpec
from agentkit.errors import UsageError
from agentkit.models.dialects import schema_instructions
from agentkit.models.model import Model, OutputSchema
from agentkit.models.wrapper import has_native_output, has_native_tools
from agentkit.runtime.output import Mode, NativeOutput, OutputType, PromptedOutput
from agentkit.tooling.arguments import InvalidArguments
from agentkit.tooling.definition import ToolDefinition
from agentkit.tooling.invoke import Prepared, prepare
from agentkit.tooling.output import ToolOutput
from agentkit.tooling.schema import schema_of
from agentkit.tooling.signature import Parameter, Signature
from agentkit.tooling.tool import Tool, tool
from agentkit.tooling.validation import Validator, ValueValidator

OUTPUT_TOOL = "final_result"
WRAPPED = "value"

TEXT: OutputType[str] = OutputType()

_ANY_TEXT = ("binary", "path", "password")
"""Formats that any sentence has: a value of these is never made of an answer that is no JSON."""


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
            mode, wanted = "native", wanted.wanted
        case PromptedOutput():
            mode, wanted = "prompted", wanted.wanted
        case ToolOutput():
            mode, wanted = "tool", wanted.content
    if isinstance(wanted, list | tuple):
        wanted = _one_of(wanted)
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
        mode = "text"
    with suppress(TypeError):  # a type that cannot be hashed, such as Annotated[int, {}]
        if not _holds_a_name(wanted):
            return _of_type(wanted, mode or best, repr(wanted))
    return _of_type.__wrapped__(wanted, mode or best)


def _best(model: Model) -> Mode:
    """The surest way that the model has."""
    if has_native_output(model):
        return "native"
    return "tool" if has_native_tools(model) else "prompted"


def _one_of(types: Any) -> Any:
    """The union of a list of types."""
    if types and not any(
        _is_function(one) or isinstance(one, NativeOutput | PromptedOutput | ToolOutput) for one in types
    ):
        with suppress(TypeError):
            return Union[tuple(types)]  # noqa: UP007 - at run time
    raise UsageError(f"output={types!r} is not a list of types; a function, or a way such as ToolOutput, stands alone")


def _holds_a_name(hint: Any) -> bool:
    """Whether a class is given by its name, which is another class's elsewhere."""
    args = get_args(hint)[: 1 if get_origin(hint) is Annotated else None]
    return isinstance(hint, str | ForwardRef) or (get_origin(hint) is not Literal and any(map(_holds_a_name, args)))


def _is_function(wanted: Any) -> bool:
    if isinstance(wanted, type) or "typing" in type(wanted).__module__:
        return False
    called = inspect.getattr_static(wanted, "__call__", None)
    return inspect.isroutine(wanted) or inspect.isfunction(called) or isinstance(wanted, Tool | functools.partial)


def _of_function(function: Tool[..., Any], mode: Mode | None, best: Mode) -> OutputType[Any]:
    if function.requires_approval:
        raise UsageError(f"output={function.name}: nobody is asked to approve what makes the output; make it a tool")
    spec = function.spec
    if mode is None and (name := _only_text(spec.parameters)) is not None:
        return OutputType(validate=lambda text: _read(function, {name: text}), function=function)
    return _asked_for(mode or best, spec, validate=lambda value: _read(function, value), function=function)


def _read(definition: ToolDefinition, value: Any) -> Prepared:
    if not isinstance(value, dict):
        raise InvalidArguments(f"expected an object, got {kind_of(value)}")
    return prepare(definition, json.dumps(value, ensure_ascii=False))


def _only_text(parameters: Mapping[str, Any]) -> str | None:
    """The name of the only parameter, if it is a plain text."""
    properties = parameters.get("properties", {})
    names = [name for name, schema in properties.items() if schema.keys() - {"description"} == {"type"}]
    return names[0] if len(properties) == 1 and names and properties[names[0]]["type"] == "string" else None


@lru_cache(maxsize=256)
def _of_type(hint: Any, mode: Mode, _spelled: str = "") -> OutputType[Any]:
    """The output of a type. Unions are equal in any order, but not the same: only `_spelled` tells them apart."""
    signature = Signature(parameters=(Parameter(name=WRAPPED, hint=hint),))
    schema = _schema_of(signature, hint)
    inner = dereferenced(schema["properties"][WRAPPED], schema)
    wrapped = inner.get("type") != "object" or mode == "text"
    if not wrapped:
        schema = clean({**inner, "$defs": schema.get("$defs", {})})
    name = getattr(hint, "__name__", "output")
    spec = ToolSpec(OUTPUT_TOOL, f"Give the final result ({name}).", schema)
    validator = Validator(signature) if wrapped else ValueValidator(signature)
    carrier = ToolDefinition(spec=spec, function=tuple, validator=validator)

    def validate(value: Any) -> Any:
        if not wrapped:
            return _read(carrier, value).arguments
        named = isinstance(value, dict) and WRAPPED in value
        first, second = ({WRAPPED: value}, value)[:: -1 if named else 1]
        try:
            return _read(carrier, first).arguments[WRAPPED]
        except InvalidArguments:
            with suppress(InvalidArguments):  # the value without its wrapper
                return _read(carrier, second).arguments[WRAPPED]
            raise

    def begun(text: str) -> Any:
        bare = wrapped and text.startswith("[")  # a list without its wrapper
        value = validator.validate_begun(f'{{"{WRAPPED}":{text}' if bare else text)
        return value[WRAPPED] if wrapped else value

    if mode == "text":
        return OutputType(validate=lambda text: _read(carrier, {WRAPPED: text}).arguments[WRAPPED])
    plain = wrapped and not any(one.get("format") in _ANY_TEXT for one in branches(inner, schema))
    return _asked_for(mode, spec, name=name, validate=validate, plain=plain, begun=begun)


def _schema_of(signature: Signature, hint: Any) -> dict[str, Any]:
    try:
        return clean(schema_of(signature, {}, name=OUTPUT_TOOL))
    except UsageError as fault:
        why = str(fault.__cause__ or fault).partition("\n")[0].partition(". Set `")[0]
        raise UsageError(f"output={hint!r} has no JSON Schema: {why}") from fault


def _asked_for(mode: Mode, spec: ToolSpec, *, name: str = "", **reading: Any) -> OutputType[Any]:
    """An output of this schema, asked for in this way."""
    schema = spec.parameters
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in name or spec.name)[:64]
    return OutputType(
        mode=mode,
        schema=OutputSchema(safe or "output", schema) if mode == "native" else None,
        spec=spec if mode == "tool" else None,
        instructions=schema_instructions(schema) if mode == "prompted" else "",
        **reading,
    )
