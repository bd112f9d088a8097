"""Arguments from JSON text, checked by pydantic in one go; and the schemas that only pydantic can make.

A `Validator` is cheap to make: pydantic is imported, and its validator built, when the first arguments (or a type
that the table of `schema.py` does not know) ask for it. Two threads that build it at once do the same work twice.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from agentkit.core.json_schema import clean
from agentkit.errors import UsageError
from agentkit.tooling.arguments import explain_pydantic
from agentkit.tooling.context import ToolContext
from agentkit.tooling.signature import REQUIRED, Parameter, Signature

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, TypeAdapter
    from pydantic.fields import FieldInfo
    from pydantic.json_schema import GenerateJsonSchema
    from pydantic_core.core_schema import CoreSchema, TypedDictField


class Validator:
    """Turns JSON text into the dict of a function's arguments, defaults included."""

    __slots__ = ("_adapter", "signature")

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        self._adapter: TypeAdapter[dict[str, Any]] | None = None

    def validate_json(self, text: str | bytes) -> dict[str, Any]:
        """The arguments.

        Raises:
            pydantic.ValidationError: The text is no JSON object that fits.
        """
        return (self._adapter or self._build()).validator.validate_json(text)  # type: ignore[no-any-return]

    def bind(self, arguments: Mapping[str, Any], context: ToolContext[Any]) -> tuple[list[Any], dict[str, Any]]:
        """Positional and keyword arguments of the call."""
        return self.signature.bind(arguments, context)

    def explain(self, error: Exception, parameters: Mapping[str, Any]) -> tuple[str, ...]:
        """One line for each problem, for the model."""
        from pydantic import ValidationError

        if isinstance(error, ValidationError):
            return explain_pydantic(error, parameters)
        return (f"{type(error).__name__}: {error}",)

    def json_schema(self, name: str) -> dict[str, Any]:
        """The schema that pydantic makes of the signature.

        Raises:
            UsageError: A type has no schema; the message names the parameter of tool `name`.
        """
        try:
            return clean(self._build().json_schema(schema_generator=_generator()))
        except Exception as error:
            raise self._blame(name, error) from error

    def _build(self) -> TypeAdapter[dict[str, Any]]:
        if self._adapter is None:
            self._adapter = _adapter(self.signature)
        return self._adapter

    def _blame(self, name: str, error: Exception) -> UsageError:
        """The error, and the first parameter that makes it."""
        for parameter in self.signature.documented:
            try:
                _adapter(Signature(parameters=(parameter,))).json_schema(schema_generator=_generator())
            except Exception as found:  # noqa: BLE001 - a type's own hooks may raise anything
                what = str(found).partition("\n")[0]
                return UsageError(
                    f"tool {name!r}: no schema can be made for parameter {parameter.name!r} "
                    f"({parameter.hint!r}): {what}; annotate it with a type that JSON can carry"
                )
        return UsageError(f"tool {name!r}: no schema can be made: {error}")


class _Arguments:
    """Tells pydantic of a signature: a typed dict whose keys are the parameters."""

    def __init__(self, signature: Signature) -> None:
        self.signature = signature

    def __get_pydantic_core_schema__(self, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        signature = self.signature
        fields = {parameter.name: _field(parameter, handler) for parameter in signature.parameters}
        if (rest := signature.var_positional) is not None:
            fields[rest.name] = _field(replace(rest, hint=list[rest.hint], default=()), handler)  # type: ignore[name-defined]
        more = signature.var_keyword
        return core_schema.typed_dict_schema(
            fields,
            extra_behavior="forbid" if more is None else "allow",
            extras_schema=None if more is None else handler.generate_schema(more.hint),
            config={"validate_by_name": True, "validate_by_alias": True},
        )


def _adapter(signature: Signature) -> TypeAdapter[dict[str, Any]]:
    from pydantic import TypeAdapter

    return TypeAdapter(Annotated[Any, _Arguments(signature)])


def _field(parameter: Parameter, handler: GetCoreSchemaHandler) -> TypedDictField:
    from pydantic_core import PydanticUndefined, core_schema

    info = _field_info(parameter)
    schema = handler.generate_schema(_hint(parameter, info))
    factory = info.default_factory if info else None
    default = parameter.default if info is None else info.default
    if default is REQUIRED:
        default = PydanticUndefined
    optional = factory is not None or default is not PydanticUndefined
    if optional:
        schema = core_schema.with_default_schema(
            schema,
            default=default,
            default_factory=factory,
            default_factory_takes_data=info.default_factory_takes_validated_data if info else None,
            validate_default=info.validate_default if info else None,
        )
    alias = (info.validation_alias or info.alias) if info else None
    if alias is not None and not isinstance(alias, str):
        alias = alias.convert_to_aliases()
    return core_schema.typed_dict_field(schema, required=not optional, validation_alias=alias)


def _field_info(parameter: Parameter) -> FieldInfo | None:
    """Everything that `Field(...)` says of a parameter, in `Annotated` and as its default, in one."""
    from pydantic.fields import FieldInfo

    if isinstance(parameter.default, FieldInfo):
        return FieldInfo.from_annotated_attribute(parameter.hint, parameter.default)
    if any(isinstance(note, FieldInfo) for note in getattr(parameter.hint, "__metadata__", ())):
        if parameter.default is REQUIRED:
            return FieldInfo.from_annotation(parameter.hint)
        return FieldInfo.from_annotated_attribute(parameter.hint, parameter.default)
    return None


_KEPT = ("title", "description", "examples", "deprecated", "json_schema_extra", "discriminator")


def _hint(parameter: Parameter, info: FieldInfo | None) -> Any:
    """The type, without what only a field may have (its default and aliases are kept by `_field`)."""
    from pydantic import Field

    if info is None:
        return parameter.hint
    kept = {name: value for name in _KEPT if (value := getattr(info, name)) is not None}
    return Annotated[(info.annotation, *info.metadata, Field(**kept))]  # type: ignore[return-value]


@functools.cache
def _generator() -> type[GenerateJsonSchema]:
    """Pydantic's own, silent about defaults that JSON cannot carry: those stay out of the schema."""
    from pydantic.json_schema import GenerateJsonSchema

    class Generator(GenerateJsonSchema):
        ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - pydantic's own form

    return Generator
