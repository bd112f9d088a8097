"""Arguments from JSON text, checked by pydantic in one go; and the schemas that only pydantic can make.

A `Validator` is cheap to make: pydantic is imported, and its validator built, when the first arguments (or a type
that the table of `schema.py` does not know) ask for it. Two threads that build it at once do the same work twice.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

from agentkit.core.json_schema import clean
from agentkit.errors import UsageError
from agentkit.tooling.annotations import described, fields_of, type_in_frames
from agentkit.tooling.arguments import explain_pydantic
from agentkit.tooling.context import ToolContext
from agentkit.tooling.faults import words
from agentkit.tooling.portable import portable
from agentkit.tooling.signature import ABSENT, REQUIRED, Parameter, Signature

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, TypeAdapter
    from pydantic.fields import FieldInfo
    from pydantic.json_schema import GenerateJsonSchema
    from pydantic_core import SchemaValidator
    from pydantic_core.core_schema import CoreSchema, TypedDictField


class ReservedName(ValueError):
    """The model sent what it cannot know of."""


class Validator:
    """Turns JSON text into the dict of a function's arguments, defaults included.

    Attributes:
        signature: What the function takes.
    """

    __slots__ = ("_open", "_validator", "signature")

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        self._open = signature.var_keyword is not None and bool(signature.hidden)
        self._validator: SchemaValidator | None = None

    def validate_json(self, text: str | bytes) -> dict[str, Any]:
        """The arguments.

        Raises:
            ValueError: The text is no JSON object that fits.
        """
        arguments: dict[str, Any] = (self._validator or self._build()).validate_json(text)
        if self._open and (reserved := self.signature.hidden.intersection(arguments)):
            raise ReservedName(f"{min(reserved)}: unknown parameter")
        return arguments

    def validate_begun(self, text: str) -> Any:
        """What has come of the arguments, in a text that stops in the middle.

        Raises:
            ValueError: Not enough of them yet.
        """
        return (self._validator or self._build()).validate_json(text, allow_partial="trailing-strings")

    def bind(self, arguments: Mapping[str, Any], context: ToolContext[Any]) -> tuple[list[Any], dict[str, Any]]:
        """Positional and keyword arguments of the call."""
        return self.signature.bind(arguments, context)

    def explain(self, error: Exception, parameters: Mapping[str, Any]) -> tuple[str, ...]:
        """One line for each problem, for the model."""
        from pydantic import ValidationError  # noqa: PLC0415 - heavy

        if isinstance(error, ValidationError):
            return explain_pydantic(error, parameters)
        return (str(error) if isinstance(error, ReservedName) else words(error),)

    def _build(self) -> SchemaValidator:
        from pydantic_core import SchemaValidator  # noqa: PLC0415 - heavy

        self._validator = SchemaValidator(_exact(_adapter(self._described()).core_schema))
        return self._validator

    def _described(self) -> _Arguments:
        return _Arguments(self.signature)


class ValueValidator(Validator):
    """Turns JSON text into the value of the signature's only parameter: the text holds it without a name."""

    __slots__ = ()

    def _described(self) -> _Arguments:
        return _Value(self.signature)


def json_schema_of(signature: Signature, *, name: str) -> dict[str, Any]:
    """The schema that pydantic makes of a signature, without titles and needless references.

    Raises:
        UsageError: A type has no schema; the message names the parameter of tool `name`.
    """
    try:
        return clean(_adapter(_Arguments(signature)).json_schema(schema_generator=_generator()))
    except Exception as error:  # a type's own hooks may raise anything
        missing = str(error.name) if isinstance(error, NameError) else ""
        if missing not in ("", *signature.names) and (found := type_in_frames(missing)) is not None:
            signature.names[missing] = found
            return json_schema_of(signature, name=name)
        guilty = list(signature)
        if len(guilty) > 1:
            for parameter in guilty:
                json_schema_of(Signature(parameters=(parameter,)), name=name)
        what = str(error).partition("\n")[0].partition(". Set `")[0].rstrip(".")  # what follows is advice for models
        raise UsageError(
            f"tool {name!r}: no schema can be made of {guilty[0].name!r} ({guilty[0].hint!r}): {what}. "
            "Annotate it with a type that JSON can carry, or with ToolContext if the model shall not fill it"
        ) from error


class _Arguments:
    """Tells pydantic of a signature: a typed dict whose keys are the parameters."""

    def __init__(self, signature: Signature) -> None:
        self.signature = signature

    def __get_pydantic_core_schema__(self, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The hook by which a type describes itself to pydantic."""
        from pydantic_core import core_schema  # noqa: PLC0415 - heavy

        names = self.signature.names
        fields = {parameter.name: _field(parameter, handler, names) for parameter in self.signature.parameters}
        if (rest := self.signature.var_positional) is not None:
            fields[rest.name] = _field(rest, handler, names)
        more = self.signature.var_keyword
        return core_schema.typed_dict_schema(
            fields,
            extra_behavior="forbid" if more is None else "allow",
            extras_schema=None if more is None else handler.generate_schema(portable(more.hint, names)),
            config={"validate_by_name": True, "validate_by_alias": True, "allow_inf_nan": False},
        )


class _Value(_Arguments):
    """Tells pydantic of the type of the only parameter."""

    def __get_pydantic_core_schema__(self, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The hook by which a type describes itself to pydantic."""
        [parameter] = self.signature.parameters
        return _field(parameter, handler, self.signature.names)["schema"]


def _adapter(described: _Arguments) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter  # noqa: PLC0415 - heavy

    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[Any, described])
    if not adapter.pydantic_complete:
        names = described.signature.names or None
        adapter.rebuild(raise_errors=True, _types_namespace=names)  # says which name is missing
    return adapter


def _field(parameter: Parameter, handler: GetCoreSchemaHandler, names: Mapping[str, Any]) -> TypedDictField:
    from pydantic_core import core_schema  # noqa: PLC0415 - heavy

    info = _field_info(parameter)
    if info is None:
        schema = handler.generate_schema(portable(parameter.hint, names))
        if parameter.default is not REQUIRED and parameter.default is not ABSENT:
            schema = core_schema.with_default_schema(schema, default=parameter.default)
        return core_schema.typed_dict_field(schema, required=parameter.default is REQUIRED)
    schema = handler.generate_schema(_bare_hint(info, names))
    required = info.is_required()
    if not required:
        schema = core_schema.with_default_schema(
            schema,
            default=info.default,
            default_factory=info.default_factory,
            default_factory_takes_data=info.default_factory_takes_validated_data,
            validate_default=info.validate_default,
        )
    alias: Any = info.validation_alias or info.alias
    if alias is not None and not isinstance(alias, str):
        alias = alias.convert_to_aliases()
    return core_schema.typed_dict_field(schema, required=required, validation_alias=alias)


_INSIDE = ("schema", "items_schema", "values_schema", "choices", "fields", "arguments_schema", "definitions")
"""Where a core schema holds others; keys of a dict are text in JSON."""


_BARE_NUMBER = re.compile(r"\s*[+-]?[\d.]+(e[+-]?\d+)?\s*")


def _exact(schema: Any, *, alone: bool = True) -> Any:
    """The core schema with numbers that take no boolean; `arguments.py` knows which texts say a number.

    A boolean takes 1 and "yes", as pydantic means it, but not where they may say something else: beside other types.
    Nor does a choice among numbers, and a date is written as one: 20240101 would be a second of 1970.
    """
    match schema:
        case {"type": "int"}:
            return {"strict": True, **schema}
        case {"type": "float"}:
            return {"strict": True, "allow_inf_nan": False, **schema}
        case {"type": "bool"} if not alone:
            return {"strict": True, **schema}
        case {"type": "date" | "datetime" | "time"} if alone:  # a union prefers what nothing is checked before
            return _refusing(lambda value: _BARE_NUMBER.fullmatch(str(value)), schema)
        case {"expected": choices} | {"members": choices} if alone and _are_numbers(choices):
            return _refusing(lambda value: isinstance(value, bool), schema)
        case {"type": "model" | "function-before" | "function-wrap"} | str():
            return schema  # models have settings of their own, and what a user's function makes of JSON is no JSON
        case {"type": "typed-dict", "fields": fields}:
            return schema | {"fields": {name: _exact(field) for name, field in fields.items()}}
        case list() | tuple():
            return type(schema)(_exact(one, alone=alone) for one in schema)
        case _:
            return schema | {
                key: _exact(schema[key], alone=key == "fields" or (alone and key != "choices"))
                for key in _INSIDE
                if key in schema
            }


def _are_numbers(choices: Iterable[Any]) -> bool:
    kinds = {type(getattr(choice, "value", choice)) for choice in choices}
    return int in kinds and bool not in kinds


def _refusing(is_strange: Callable[[Any], object], schema: Any) -> Any:
    """The core schema, but such a value has another type."""
    from pydantic_core import PydanticCustomError, core_schema  # noqa: PLC0415 - heavy

    def check(value: Any) -> Any:
        if is_strange(value):
            raise PydanticCustomError("other_type", "another type")
        return value

    bare: Any = {key: value for key, value in schema.items() if key != "ref"}
    return core_schema.no_info_before_validator_function(check, bare, ref=schema.get("ref"))


def _field_info(parameter: Parameter) -> FieldInfo | None:
    """Everything that `Field(...)` says of a parameter, in `Annotated` and as its default, in one."""
    from pydantic.fields import FieldInfo  # noqa: PLC0415 - heavy

    if not fields_of(parameter.hint, parameter.default):
        return None
    if parameter.default is REQUIRED or parameter.default is ABSENT:
        return FieldInfo.from_annotation(parameter.hint)
    return FieldInfo.from_annotated_attribute(parameter.hint, parameter.default)


_SAID = ("title", "description", "examples", "json_schema_extra", "discriminator")


def _bare_hint(info: FieldInfo, names: Mapping[str, Any]) -> Any:
    """The type with its constraints, without what only a field may have: default and alias are `_field`'s.

    `deprecated`, too, counts in a field only (pydantic warns): it is told as any word of the user's own.
    """
    from pydantic import Field  # noqa: PLC0415 - heavy

    said: dict[str, Any] = {name: value for name in _SAID if (value := getattr(info, name)) is not None}
    marks = [Field(json_schema_extra={"deprecated": True})] if info.deprecated else []
    return Annotated[(portable(info.annotation, names), *info.metadata, *marks, Field(**said))]


def _with_texts(make: Callable[[Any], dict[str, Any]], schema: Any) -> dict[str, Any]:
    made = make(schema)
    with suppress(Exception):  # names that nobody can resolve any more
        for name, hint in get_type_hints(schema["cls"], include_extras=True).items():
            if name in made["properties"] and (text := described(hint)):
                made["properties"][name].setdefault("description", text)
    return made


@functools.cache
def _generator() -> type[GenerateJsonSchema]:
    """Pydantic's own, but silent about defaults that JSON cannot carry, with the names and the texts of members."""
    from pydantic.json_schema import GenerateJsonSchema  # noqa: PLC0415 - heavy
    from pydantic_core import PydanticSerializationError, core_schema  # noqa: PLC0415 - heavy

    class Generator(GenerateJsonSchema):
        ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - pydantic's own form

        def build_schema_type_to_method(self) -> dict[Any, Any]:
            """The makers of schemas by kind; those of classes tell what the annotations of their members say."""
            makers: dict[Any, Any] = super().build_schema_type_to_method()
            classes = makers.keys() & {"dataclass", "model", "named-tuple", "typed-dict"}
            return makers | {kind: functools.partial(_with_texts, makers[kind]) for kind in classes}

        def encode_default(self, dft: Any) -> Any:
            """The default as JSON; what is not finite counts as what JSON cannot carry."""
            try:
                encoded = super().encode_default(dft)
                json.dumps(encoded, allow_nan=False)
            except (TypeError, ValueError) as error:
                raise PydanticSerializationError(str(error)) from error
            return encoded

        def named_tuple_schema(self, schema: Any) -> dict[str, Any]:
            """An object: the names of the fields are what a model can go by. Arrays are accepted too."""
            members = [core_schema.arguments_parameter(each["name"], each["schema"]) for each in schema["fields"]]
            return self.kw_arguments_schema(members, None)

        def is_subclass_schema(self, schema: Any) -> dict[str, Any]:
            """Refused: JSON carries no classes."""
            return self.handle_invalid_for_json_schema(schema, "a class")

        def arguments_schema(self, schema: Any) -> dict[str, Any]:
            """What a named tuple was before pydantic 2.14."""
            return self.kw_arguments_schema(schema["arguments_schema"], None)

    return Generator
