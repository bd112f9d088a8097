"""What a function takes: which parameters the model fills, which are injected, and how a call is made from both.

Read without pydantic, so that a module full of tools imports fast. The hard part is the annotations: they may be
text (`from __future__ import annotations`), may name classes that live in the caller's frame only, and may come from
a function under partials, wrappers and methods.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from agentkit.errors import UsageError
from agentkit.tooling.context import ToolContext

REQUIRED: Any = inspect.Parameter.empty

_POSITIONAL_ONLY = inspect.Parameter.POSITIONAL_ONLY
_VAR_POSITIONAL = inspect.Parameter.VAR_POSITIONAL
_VAR_KEYWORD = inspect.Parameter.VAR_KEYWORD
_KEYWORD_ONLY = inspect.Parameter.KEYWORD_ONLY


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter that the model fills.

    Attributes:
        name: Its name in Python.
        hint: Its annotation, resolved; Any where there is none.
        default: Its default (may be a pydantic `Field`); `REQUIRED` where there is none.
        description: What the annotation itself says of it (`Annotated[int, "text"]`).
    """

    name: str
    hint: Any = Any
    default: Any = REQUIRED
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The parameters of a function, told apart by who fills them.

    Attributes:
        parameters: Filled by the model by name, in order; without those of the next two.
        var_positional: `*args`: the model sends a list under this name.
        var_keyword: `**kwargs`: the model sends any further names.
        contexts: Names that are filled with the `ToolContext`.
        positional: Names that must be passed by position, in order; empty where keywords do.
    """

    parameters: tuple[Parameter, ...]
    var_positional: Parameter | None = None
    var_keyword: Parameter | None = None
    contexts: tuple[str, ...] = ()
    positional: tuple[str, ...] = ()

    @property
    def documented(self) -> Iterator[Parameter]:
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
        given = list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"tool {name!r}: Python knows no signature of it; wrap it in a function of your own"
        ) from error
    if method:
        given = given[1:]
    bound = _bound_keywords(function)
    given = [parameter for parameter in given if parameter.name not in bound]
    hints = _resolve({p.name: p.annotation for p in given if p.annotation is not REQUIRED}, function, name)
    return _sort(given, hints)


def source_of(function: Any) -> Any:
    """The plain function under partials, bindings, wrappers and callable objects."""
    *_, innermost = _layers(function)
    return innermost


def owner_of(function: Any) -> object | None:
    """The object whose bound method this is; None for a plain function."""
    for layer in _layers(function):
        owner = getattr(layer, "__self__", None)
        if isinstance(layer, types.MethodType):
            return owner
        if not isinstance(layer, (type, functools.partial)) and isinstance(
            getattr(type(layer), "__call__", None), types.FunctionType
        ):
            return layer  # type: ignore[no-any-return]
    return None


def is_context(hint: Any) -> bool:
    """Whether a parameter of this type is injected."""
    hint = without_metadata(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        members = [member for member in typing.get_args(hint) if member is not types.NoneType]
        return len(members) == 1 and is_context(members[0])
    return (typing.get_origin(hint) or hint) is ToolContext


def without_metadata(hint: Any) -> Any:
    """The type inside `Annotated`, or the type itself."""
    return hint.__origin__ if typing.get_origin(hint) is Annotated else hint


def _layers(function: Any) -> Iterator[Any]:
    """The function and what it wraps, outermost first."""
    while True:
        yield function
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, (types.MethodType, staticmethod, classmethod)):
            function = function.__func__
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        elif isinstance(function, type):
            function = function.__init__
        elif not inspect.isroutine(function) and inspect.isfunction(getattr(type(function), "__call__", None)):
            function = type(function).__call__
        else:
            return


def _bound_keywords(function: Any) -> set[str]:
    """Parameters that partials have filled by keyword: the model must not see them."""
    return {name for layer in _layers(function) if isinstance(layer, functools.partial) for name in layer.keywords}


def _sort(given: list[inspect.Parameter], hints: Mapping[str, Any]) -> Signature:
    parameters: list[Parameter] = []
    contexts: list[str] = []
    positional: list[str] = []
    stars: dict[Any, Parameter] = {}
    by_position = any(p.kind is _VAR_POSITIONAL for p in given)
    for p in given:
        hint = hints.get(p.name, Any)
        read = Parameter(name=p.name, hint=_plain(hint), default=p.default, description=_described(hint))
        if p.kind in (_VAR_POSITIONAL, _VAR_KEYWORD):
            stars[p.kind] = read
            continue
        # Python takes what follows as *args only when everything before it came by position.
        if p.kind is _POSITIONAL_ONLY or (by_position and p.kind is not _KEYWORD_ONLY):
            positional.append(p.name)
        if is_context(hint):
            contexts.append(p.name)
        else:
            parameters.append(read)
    return Signature(
        parameters=tuple(parameters),
        var_positional=stars.get(_VAR_POSITIONAL),
        var_keyword=stars.get(_VAR_KEYWORD),
        contexts=tuple(contexts),
        positional=tuple(positional),
    )


def _described(hint: Any) -> str | None:
    """The text in `Annotated[int, "text"]` or `Annotated[int, Doc("text")]`."""
    for note in getattr(hint, "__metadata__", ()):
        text = note if isinstance(note, str) else getattr(note, "documentation", None)
        if isinstance(text, str):
            return text
    return None


def _plain(hint: Any) -> Any:
    """The bare type where `Annotated` holds nothing but text."""
    if all(isinstance(note, str) for note in getattr(hint, "__metadata__", ())):
        return without_metadata(hint)
    return hint


def _resolve(raw: dict[str, Any], function: Any, name: str) -> dict[str, Any]:
    """The annotations as types, where text has been evaluated where the function was written."""
    if all(type(hint) is type for hint in raw.values()):
        return raw
    source = source_of(function)
    scope = getattr(source, "__globals__", None) or vars(sys.modules.get(getattr(source, "__module__", ""), types))
    local = _closure(source)
    try:
        return _evaluate(raw, scope, local)
    except Exception:  # noqa: BLE001 - an annotation is code: it may fail in any way
        local = {**_frames(scope), **local}
    resolved = {}
    for parameter, hint in raw.items():
        try:
            resolved.update(_evaluate({parameter: hint}, scope, local))
        except Exception as error:
            if _looks_like_context(hint):
                resolved[parameter] = ToolContext
                continue
            raise UsageError(
                f"tool {name!r}: the annotation of {parameter!r} cannot be resolved ({hint!r}: {error}); "
                "define or import what it names where the function is defined"
            ) from error
    return resolved


def _evaluate(raw: dict[str, Any], scope: dict[str, Any], local: dict[str, Any]) -> dict[str, Any]:
    def shim() -> None: ...

    shim.__annotations__ = raw
    return typing.get_type_hints(shim, scope, local, include_extras=True)


def _closure(source: Any) -> dict[str, Any]:
    """Names that the function closes over, and its type parameters (PEP 695)."""
    names: dict[str, Any] = {parameter.__name__: parameter for parameter in getattr(source, "__type_params__", ())}
    code = getattr(source, "__code__", None)
    for cell_name, cell in zip(
        getattr(code, "co_freevars", ()), getattr(source, "__closure__", None) or (), strict=False
    ):
        try:
            names[cell_name] = cell.cell_contents
        except ValueError:  # not filled yet
            continue
    return names


def _frames(scope: dict[str, Any]) -> dict[str, Any]:
    """Local names of the running functions of the module that `scope` is; the innermost wins."""
    names: dict[str, Any] = {}
    frame: types.FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way to a caller's names
    while frame is not None:
        if frame.f_globals is scope:
            names = {**frame.f_locals, **names}
        frame = frame.f_back
    return names


def _looks_like_context(hint: Any) -> bool:
    """Whether text that cannot be resolved (imported for type checkers only) names the context."""
    text = hint if isinstance(hint, str) else getattr(hint, "__forward_arg__", "")
    return text.split("[")[0].split("|")[0].strip().rpartition(".")[2] == ToolContext.__name__
