"""Annotations as types.

They may be text (`from __future__ import annotations`), may name classes that live in the caller's frame only, or what
is imported for type checkers only. Nothing but the parameters' own annotations is evaluated: what a function returns
may stay unresolved.
"""

from __future__ import annotations

import builtins
import inspect
import sys
import types
import typing
from typing import Annotated, Any, NotRequired, Required, get_args, get_origin

from typing_extensions import ReadOnly

from agentkit.errors import UsageError
from agentkit.tooling.callables import layers
from agentkit.tooling.context import ToolContext

_UNIONS = (typing.Union, types.UnionType)


def resolve(raw: dict[str, Any], function: Any, *, name: str) -> dict[str, Any]:
    """The annotations of a function's parameters, text evaluated where the function was written.

    Args:
        raw: The annotations by parameter.
        function: Whose they are.
        name: What to call it in an error.

    Raises:
        UsageError: One names what cannot be found.
    """
    if all(type(hint) is type for hint in raw.values()):
        return raw
    *_, source = layers(function)
    scope = _globals(source)
    local = _enclosed(source)
    try:
        return _evaluate(raw, scope, local)
    except Exception:  # noqa: BLE001 - an annotation is code and may fail in any way: below, each is tried alone
        local = {**_frames(scope), **local}
    resolved: dict[str, Any] = {}
    for parameter, hint in raw.items():
        try:
            resolved |= _evaluate({parameter: hint}, scope, local)
        except Exception as error:
            if not _looks_like_context(hint):
                raise UsageError(
                    f"tool {name!r}: the annotation {_text(hint)!r} of {parameter!r} cannot be resolved ({error}); "
                    "define or import what it names before the tool is made"
                ) from error
            resolved[parameter] = ToolContext
    return resolved


def is_context(hint: Any) -> bool:
    """Whether a parameter of this type is injected: `ToolContext[...]`, also optional or annotated."""
    hint = bare(hint)
    if get_origin(hint) in _UNIONS:
        members = [member for member in get_args(hint) if member is not types.NoneType]
        return len(members) == 1 and is_context(members[0])
    return (get_origin(hint) or hint) is ToolContext


def bare(hint: Any) -> Any:
    """The type inside `Annotated`, or the type itself."""
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def without_text(hint: Any) -> Any:
    """The bare type where `Annotated` holds nothing but text."""
    return bare(hint) if all(isinstance(note, str) for note in getattr(hint, "__metadata__", ())) else hint


def described(hint: Any) -> str | None:
    """The text in `Annotated[int, "text"]` or `Annotated[int, Doc("text")]`, also inside a union or `Required[...]`."""
    for note in getattr(hint, "__metadata__", ()):
        text = note if isinstance(note, str) else getattr(note, "documentation", None)
        if isinstance(text, str):
            return text
    members = get_args(hint) if get_origin(hint) in (*_UNIONS, Required, NotRequired, ReadOnly) else ()
    return next(filter(None, map(described, members)), None)


def fields_of(hint: Any, default: Any) -> list[Any]:
    """The pydantic `Field`s that speak of a parameter, the strongest first; found without importing pydantic."""
    notes = (default, *reversed(getattr(hint, "__metadata__", ())))
    return [note for note in notes if type(note).__module__ == "pydantic.fields" and hasattr(note, "validation_alias")]


def _evaluate(raw: dict[str, Any], scope: dict[str, Any], local: dict[str, Any]) -> dict[str, Any]:
    def shim() -> None: ...

    shim.__annotations__ = raw
    return typing.get_type_hints(shim, scope, local, include_extras=True)


def _globals(source: Any) -> dict[str, Any]:
    if isinstance(source, type):
        source = source.__init__  # type: ignore[misc]  # only asked where it was written
    module = sys.modules.get(getattr(source, "__module__", None) or "", builtins)
    return getattr(source, "__globals__", None) or vars(module)


def _enclosed(source: Any) -> dict[str, Any]:
    """What the function closes over, and its type parameters (PEP 695)."""
    names = {parameter.__name__: parameter for parameter in getattr(source, "__type_params__", ())}
    if inspect.isfunction(source):
        for name, cell in zip(source.__code__.co_freevars, source.__closure__ or (), strict=True):
            try:
                names[name] = cell.cell_contents
            except ValueError:  # not filled yet
                continue
    return names


def _frames(scope: dict[str, Any]) -> dict[str, Any]:
    """Local names of the calls in progress in the module that `scope` is; the innermost wins."""
    names: dict[str, Any] = {}
    frame: types.FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way to a caller's names
    while frame is not None:
        if frame.f_globals is scope:
            names = {**frame.f_locals, **names}
        frame = frame.f_back
    return names


def type_in_frames(name: str) -> Any:
    """The type that a calling function outside the library means by a name; None if none knows it."""
    frame: types.FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way to a caller's names
    while frame is not None:
        room = str(frame.f_globals.get("__name__")).partition(".")[0]
        found = None if room in ("agentkit", "pydantic") else frame.f_locals.get(name)
        if isinstance(found, type) or get_origin(found) is not None:
            return found
        frame = frame.f_back
    return None


def _looks_like_context(hint: Any) -> bool:
    """Whether text that cannot be resolved (imported for type checkers only) names the context."""
    name = _text(hint).removeprefix("Optional[").split("[")[0].split("|")[0]
    return name.strip(" ]'\"").rpartition(".")[2] == ToolContext.__name__


def _text(hint: Any) -> str:
    return hint if isinstance(hint, str) else getattr(hint, "__forward_arg__", None) or str(hint)
