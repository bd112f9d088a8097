"""A Python function as a tool of a model: one frozen value.

    @tool                                   Tool[P, R]: callable as before, typed as before
    @tool(timeout_s=5, idempotent=True)     with policy
    Tool.from_schema(name, ..., function)   with a JSON Schema of your own

The schema is made at once, so that a mistake surfaces at the decorator; what checks arguments is built with the first
call. A tool in a class body is bound like a method: `obj.method` is a tool of `obj`.
"""

from __future__ import annotations

import dataclasses
import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, Unpack, overload

from agentkit.core.messages import ToolSpec
from agentkit.errors import UsageError
from agentkit.tooling.callables import doc_of, is_async, is_method, name_of, owner_of, stands_in_class
from agentkit.tooling.context import ToolContext
from agentkit.tooling.definition import ToolDefinition
from agentkit.tooling.docstrings import read_docstring
from agentkit.tooling.invoke import NO_CONTEXT, Called, Prepared, call_json
from agentkit.tooling.policy import Policy, ToolOptions, check_examples, check_name, check_policy
from agentkit.tooling.raw_schema import SchemaValidator
from agentkit.tooling.schema import schema_of
from agentkit.tooling.signature import ABSENT, Signature, read_signature
from agentkit.tooling.validation import Validator

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")

_SPEC_FIELDS = {"name", "description", "examples", "strict"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Tool(ToolDefinition, Generic[P, R]):
    """A function that a model may call: it stays callable, can be bound, changed and tried.

    Its attributes are those of `ToolDefinition`; what a model sees is `spec`.
    """

    function: Callable[P, R]

    def __post_init__(self) -> None:
        """Look like the function (`help`, `inspect.signature`)."""
        for name in ("__name__", "__qualname__", "__doc__", "__module__"):
            object.__setattr__(self, name, getattr(self.function, name, None))
        object.__setattr__(self, "__wrapped__", self.function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The function itself: nothing is validated, no policy applies."""
        return self.function(*args, **kwargs)

    @overload
    def __get__(self, obj: None, owner: type | None = None) -> Tool[P, R]: ...
    @overload
    def __get__(self: Tool[Concatenate[Any, Q], R], obj: object, owner: type | None = None) -> Tool[Q, R]: ...
    def __get__(self, obj: object | None, owner: type | None = None) -> Tool[Any, R]:
        """The tool of one object, as a method is bound."""
        function: Any = self.function
        if not stands_in_class(function) or (obj is None and not isinstance(function, classmethod)):
            return self
        bound: Any = function.__get__(obj, owner)
        if self.unbound:
            return dataclasses.replace(self, function=bound, owner=bound.__self__, unbound=False)
        # A method whose first parameter is not called self: only now is it known that it is no argument.
        options = {name: getattr(self, name) for name in ToolOptions.__annotations__ if name not in _SPEC_FIELDS}
        told = {name: getattr(self.spec, name) for name in _SPEC_FIELDS}
        return tool(bound, **told, **options)

    def approval_needed(self, prepared: Prepared) -> bool:
        """Whether a human is to be asked about this call; a question that fails is a reason to ask."""
        if not callable(self.requires_approval):
            return self.requires_approval
        try:
            return bool(self.requires_approval(dict(prepared.arguments)))
        except Exception:  # noqa: BLE001 - the safe side
            return True

    def replace(self, **options: Unpack[ToolOptions]) -> Tool[P, R]:
        """The same tool with other options.

        Raises:
            UsageError: A value that cannot be; the message says what to change.
        """
        told: dict[str, Any] = {name: value for name, value in options.items() if name in _SPEC_FIELDS}
        policy: dict[str, Any] = {name: value for name, value in options.items() if name not in _SPEC_FIELDS}
        check_name(told.get("name", self.name))
        check_policy(self.name, {name: value for name, value in options.items() if name not in ("name", "examples")})
        if "examples" in told:
            told["examples"] = check_examples(self.name, told["examples"], self.spec.parameters)
        return dataclasses.replace(self, spec=dataclasses.replace(self.spec, **told), **policy)

    def to_openai(self) -> dict[str, Any]:
        """One entry of the `tools` array of a chat-completions request."""
        spec = self.spec
        function = {"name": spec.name, "description": spec.description, "parameters": dict(spec.parameters)}
        return {"type": "function", "function": function}

    async def call_json(self, arguments: Any, *, deps: Any = None, context: ToolContext[Any] | None = None) -> Called:
        """One call from the JSON text that a model wrote: repaired, validated, called, made text.

        Args:
            arguments: JSON text; whatever else a model may send is told or repaired.
            deps: What a `ToolContext` parameter carries.
            context: The whole context instead.
        """
        if context is None:
            context = NO_CONTEXT if deps is None else ToolContext(deps=deps)
        return await call_json(self, arguments, context)

    @classmethod
    def from_schema(
        cls,
        name: str,
        description: str,
        parameters: Mapping[str, Any],
        function: Callable[..., R],
        **policy: Unpack[Policy],
    ) -> Tool[..., R]:
        """A tool whose arguments are described by JSON Schema (Draft 2020-12) instead of annotations.

        Args:
            name: The name that the model calls.
            description: What the tool does.
            parameters: The schema; its root is an object. Arguments are checked against it.
            function: Called with the arguments as keywords, plain JSON values.
            **policy: As for `@tool`.

        Raises:
            UsageError: The schema is not one, or not of an object.
        """
        check_name(name)
        check_policy(name, {"description": description})
        validator = SchemaValidator(parameters, function, name=name)
        made: Tool[..., R] = Tool(
            spec=ToolSpec(name, description, validator.parameters),
            function=function,
            validator=validator,
            in_thread=not is_async(function),
            owner=owner_of(function),
        )
        return made.replace(**policy) if policy else made


@overload
def tool(function: Callable[P, R], /, **options: Unpack[ToolOptions]) -> Tool[P, R]: ...
@overload
def tool(**options: Unpack[ToolOptions]) -> Callable[[Callable[P, R]], Tool[P, R]]: ...
def tool(function: Any = ABSENT, /, **options: Unpack[ToolOptions]) -> Any:
    """Make a tool of a function: its signature becomes the schema, its docstring the descriptions.

    Args:
        function: Any callable. What is a tool already stays one, with the options changed.
        **options: See `ToolOptions`.

    Raises:
        UsageError: The function cannot be a tool; the message says what to change.
    """
    if function is ABSENT:
        return lambda decorated: tool(decorated, **options)
    may_be = callable(function) or isinstance(function, classmethod)
    if not may_be or (isinstance(function, type) and _instead(function)):
        instead = _instead(function) or "a function can; a name is given as @tool(name=...)"
        raise UsageError(f"{function!r:.80} cannot be a tool: {instead}")
    if isinstance(function, types.MethodType) and isinstance(function.__func__, Tool):
        function = function.__func__.__get__(function.__self__)  # a classmethod over a tool, from Python 3.13 on
    made = function if isinstance(function, Tool) else _make(function, options.get("name"))
    return made.replace(**options) if options else made


def _instead(given: Any) -> str:
    """What is meant by what is no tool itself; empty if that is not plain."""
    cls = given if isinstance(given, type) else type(given)
    parts = {name: inspect.getattr_static(cls, name, None) for name in dir(cls)}
    if own := [f"obj.{name}" for name, part in parts.items() if isinstance(part, Tool) and part.unbound]:
        return f"its methods can, those of an instance: {', '.join(own)}"
    if "as_tool" in parts:
        return "agent.as_tool(name=...) can"
    return f"an instance can, {cls.__name__}(...)" if given is cls and inspect.isfunction(parts.get("__call__")) else ""


def _make(function: Any, name: str | None) -> Tool[..., Any]:
    name = name or name_of(function)
    check_name(name)
    unbound = is_method(function)
    signature = read_signature(function, name=name, method=unbound)
    documented = read_docstring(doc_of(function), {parameter.name for parameter in signature})
    parameters = schema_of(signature, documented.parameters, name=name)
    return Tool(
        spec=ToolSpec(name, documented.description or _model_doc(signature), parameters),
        function=function,
        validator=Validator(signature),
        in_thread=not is_async(function),
        owner=None if unbound else owner_of(function),
        unbound=unbound,
    )


def _model_doc(signature: Signature) -> str:
    """What the class of a tool's only parameter says, when the tool itself says nothing."""
    hints = [parameter.hint for parameter in signature]
    if len(hints) != 1 or not (dataclasses.is_dataclass(hints[0]) or hasattr(hints[0], "model_fields")):
        return ""
    return read_docstring(doc_of(hints[0]), ()).description
