"""Arguments checked against a JSON Schema that the user wrote (or an MCP server, or an OpenAPI document)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from agentkit.core.json_repair import repair
from agentkit.core.json_schema import clean, references, resolve
from agentkit.errors import UsageError
from agentkit.tooling.arguments import explain_jsonschema
from agentkit.tooling.context import ToolContext
from agentkit.tooling.signature import read_signature


class DoesNotFit(ValueError):
    """The arguments break the schema; `problems` are what `jsonschema` found."""

    def __init__(self, problems: list[Any]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = problems


@functools.cache
def _draft() -> Any:
    """Draft 2020-12, but an integer is written as one: to Python, 1.0 is another type."""
    from jsonschema import Draft202012Validator, validators  # noqa: PLC0415

    kinds = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    return validators.extend(Draft202012Validator, type_checker=kinds)  # type: ignore[no-untyped-call]


class SchemaValidator:
    """Turns JSON text into keyword arguments that meet a schema.

    Attributes:
        parameters: The schema, cleaned.
    """

    __slots__ = ("_contexts", "_validator", "parameters")

    def __init__(self, schema: Mapping[str, Any], function: Callable[..., Any], *, name: str) -> None:
        from jsonschema import SchemaError  # noqa: PLC0415 - 0.19 s
        from referencing import Registry  # noqa: PLC0415

        draft = _draft()
        try:
            draft.check_schema(schema)
        except SchemaError as error:
            place = "/".join(map(str, error.absolute_path)) or "the root"
            raise UsageError(f"tool {name!r}: no JSON Schema: {error.message} (at {place})") from error
        self.parameters = clean({"type": "object", **schema})
        if self.parameters["type"] != "object":
            raise UsageError(f"tool {name!r}: the root of its schema must be of type object: arguments have names")
        for reference in references(self.parameters):
            if resolve(self.parameters, reference) is None:
                raise UsageError(f"tool {name!r}: its schema points to {reference!r}, which is not in it")
        # An empty registry: nothing is fetched, whatever a schema points to.
        self._validator = draft(self.parameters, registry=Registry())
        try:
            self._contexts = read_signature(function, name=name).contexts
        except UsageError:  # no signature, no context
            self._contexts = ()

    def validate_json(self, text: str) -> dict[str, Any]:
        """The arguments.

        Raises:
            ValueError: The text is no JSON object that fits, or one with numbers or text that JSON cannot carry.
        """
        read = repair(text)
        problems = list(self._validator.iter_errors(read.value))
        if problems or read.repaired:
            raise DoesNotFit(problems)
        return read.value  # type: ignore[no-any-return]

    def explain(self, error: Exception, parameters: Mapping[str, Any]) -> tuple[str, ...]:
        """One line for each problem, for the model."""
        if isinstance(error, DoesNotFit):
            return explain_jsonschema(error.problems, parameters)
        return (f"{type(error).__name__}: {error}",)

    def bind(self, arguments: Mapping[str, Any], context: ToolContext[Any]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments as keywords, and the context where the function asks for it."""
        return [], {**arguments, **dict.fromkeys(self._contexts, context)}
