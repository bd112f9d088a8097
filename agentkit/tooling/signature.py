"""What a function takes: what the model fills, what is injected, and how a call is made of both.

Read without pydantic, so that a module full of tools imports fast.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from inspect import Parameter as Raw
from typing import Any

from agentkit.errors import UsageError
from agentkit.tooling.annotations import described, fields_of, is_context, resolve, without_text
from agentkit.tooling.callables import bound_keywords
from agentkit.tooling.context import ToolContext

REQUIRED: Any = Raw.empty
ABSENT: Any = object()
"""The default of what is left out of the call unless the model sends it."""

_WRAPPERS = ("Required", "NotRequired", "ReadOnly")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter that the model fills.

    Attributes:
        name: Its name in Python.
        hint: Its annotation, resolved; Any where there is none.
        default: Its default (may be a pydantic `Field`), `REQUIRED` or `ABSENT`.
        description: What the annotation itself says of it: `Field(description=...)`, `Annotated[int, "text"]`.
        alias: Its name on the wire, where a `Field` gives it another one.
    """

    name: str
    hint: Any = Any
    default: Any = REQUIRED
    description: str | None = None
    alias: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The parameters of a function, told apart by who fills them.

    Attributes:
        parameters: Filled by the model by name, in order.
        var_positional: `*args`: the model sends a list under this name; the hint is that of the whole list.
        var_keyword: `**kwargs`: the model sends any further names.
        contexts: Names that are filled with the `ToolContext`.
        positional: Names that must be passed by position, in order; empty where keywords do.
        hidden: Names that the model must not send, though `**kwargs` would take them.
        names: Classes that the parameters' types name and only the function that made the tool knows, once needed.
    """

    parameters: tuple[Parameter, ...]
    var_positional: Parameter | None = None
    var_keyword: Parameter | None = None
    contexts: tuple[str, ...] = ()
    positional: tuple[str, ...] = ()
    hidden: frozenset[str] = frozenset()
    names: dict[str, Any] = field(default_factory=dict, compare=False)

    def __iter__(self) -> Iterator[Parameter]:
        """Every parameter that a docstring may describe and the model may fill."""
        yield from self.parameters
        if self.var_positional is not None:
            yield self.var_positional
        if self.var_keyword is not None:
            yield self.var_keyword

    def bind(self, arguments: Mapping[str, Any], context: ToolContext[Any]) -> tuple[list[Any], dict[str, Any]]:
        """Positional and keyword arguments of the call; `arguments` holds every parameter, defaults included."""
        keywords = dict(arguments)
        for name in self.contexts:
            keywords[name] = context
        args = [keywords.pop(name) for name in self.positional]
        if self.var_positional is not None:
            args.extend(keywords.pop(self.var_positional.name))
        return args, keywords


def read_signature(function: Callable[..., Any], *, name: str, method: bool = False) -> Signature:
    """The signature of a function.

    Args:
        function: Anything callable.
        name: What to call it in an error.
        method: It stands in a class body: its first parameter is filled by binding.

    Raises:
        UsageError: An annotation cannot be resolved, or Python does not know the signature.
    """
    try:
        plain = function.__func__ if isinstance(function, classmethod) else function
        given = list(inspect.signature(plain).parameters.values())
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"tool {name!r}: Python knows no signature of it; wrap it in a function of your own"
        ) from error
    bound = bound_keywords(function)
    given = [parameter for parameter in given[1 if method else 0 :] if parameter.name not in bound]
    hints = resolve({p.name: p.annotation for p in given if p.annotation is not REQUIRED}, function, name=name)
    return _sort(given, hints, bound)


def _sort(given: list[Raw], hints: Mapping[str, Any], bound: frozenset[str]) -> Signature:
    parameters: list[Parameter] = []
    contexts: list[str] = []
    positional: list[str] = []
    stars: dict[Any, Parameter] = {}
    # Python takes what follows as *args only when everything before it came by position.
    by_position = any(p.kind is Raw.VAR_POSITIONAL for p in given)
    for p in given:
        hint = hints.get(p.name, Any)
        read = _parameter(p.name, hint, p.default)
        if p.kind is Raw.VAR_KEYWORD and _form(hint) == "Unpack":
            parameters += _unpacked(*typing.get_args(hint))
        elif p.kind is Raw.VAR_POSITIONAL:
            stars[p.kind] = replace(read, hint=_whole(read.hint), default=())
        elif p.kind is Raw.VAR_KEYWORD:
            stars[p.kind] = read
        elif is_context(hint):
            contexts.append(p.name)
        else:
            parameters.append(read)
        if p.kind is Raw.POSITIONAL_ONLY or (by_position and p.kind is Raw.POSITIONAL_OR_KEYWORD):
            positional.append(p.name)
    return Signature(
        parameters=tuple(parameters),
        var_positional=stars.get(Raw.VAR_POSITIONAL),
        var_keyword=stars.get(Raw.VAR_KEYWORD),
        contexts=tuple(contexts),
        positional=tuple(positional),
        hidden=bound.union(contexts),
    )


def _parameter(name: str, hint: Any, default: Any) -> Parameter:
    fields = fields_of(hint, default)
    return Parameter(
        name=name,
        hint=without_text(hint),
        default=default,
        description=next((one.description for one in fields if one.description), described(hint)),
        alias=next(filter(None, map(_alias, fields)), None),
    )


def _alias(field: Any) -> str | None:
    """The name that a `Field` gives to a parameter on the wire; of several choices the first."""
    alias = field.validation_alias or field.alias
    if alias is None or isinstance(alias, str):
        return alias
    return next((path[0] for path in alias.convert_to_aliases() if path[1:] == []), None)


def _unpacked(keywords: Any) -> Iterator[Parameter]:
    """The members of `**kwargs: Unpack[SomeTypedDict]` (PEP 692); an absent one is not passed."""
    for name, hint in typing.get_type_hints(keywords, include_extras=True).items():
        form, bare = "", hint
        while _form(bare) in _WRAPPERS:
            form, bare = _form(bare), typing.get_args(bare)[0]
        # A postponed annotation hides NotRequired from `__required_keys__`.
        required = form != "NotRequired" and (form == "Required" or name in keywords.__required_keys__)
        yield _parameter(name, bare, REQUIRED if required else ABSENT)


def _whole(hint: Any) -> Any:
    """The type of all of `*args` together; `*args: *tuple[int, str]` says it (PEP 646)."""
    if _form(hint) == "Unpack":
        return typing.get_args(hint)[0]
    if getattr(hint, "__unpacked__", False):
        return typing.get_origin(hint)[typing.get_args(hint)]
    return list[hint]


def _form(hint: Any) -> str:
    """`Unpack` for `Unpack[...]`, whether it comes from `typing` or from `typing_extensions`."""
    return getattr(typing.get_origin(hint), "_name", None) or ""
