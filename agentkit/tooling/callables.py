"""What stands under a callable: partials, bindings, wrappers, classes and callable objects, layer by layer."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import types
from collections.abc import Iterator
from typing import Any

_MAX_LAYERS = 100
"""More are no wrappers but a circle, or an object that has every attribute."""

_UNWRAPPED = (functools.partial, staticmethod, classmethod, types.MethodType)


def layers(function: Any) -> Iterator[Any]:
    """The callable and what it calls, outermost first; the last one holds the annotations."""
    for _ in range(_MAX_LAYERS):
        yield function
        if isinstance(function, _UNWRAPPED):
            function = _inner(function)
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        elif _is_object(function):
            function = type(function).__call__
        else:
            return


def name_of(function: Any) -> str:
    """The name it was defined under; that of the class for a callable object."""
    for layer in layers(function):
        name = getattr(layer, "__name__", None)
        if isinstance(name, str) and name != "__call__":
            return name
    return type(function).__name__


def doc_of(function: Any) -> str | None:
    """Its docstring; for a callable object that of `__call__`, else that of the class."""
    return next(filter(None, map(_doc_of, layers(function))), type(function).__doc__ if _is_object(function) else None)


def _doc_of(layer: Any) -> str | None:
    if isinstance(layer, types.MethodType):
        return inspect.getdoc(layer)  # maybe that of the method it overrides
    if inspect.isroutine(layer):
        return layer.__doc__
    if isinstance(layer, type):
        # A dataclass without a docstring is given its signature as one.
        is_made = dataclasses.is_dataclass(layer) and (layer.__doc__ or "").startswith(f"{layer.__name__}(")
        return None if is_made else layer.__doc__
    return getattr(layer, "__dict__", {}).get("__doc__")  # an object's own, not that of its class


def owner_of(function: Any) -> object | None:
    """The object that a call works on: of a bound method, or a callable object itself; None for a plain function."""
    for layer in layers(function):
        if _is_object(layer):
            return layer  # type: ignore[no-any-return]
        owner = getattr(layer, "__self__", None)
        if owner is not None and not isinstance(owner, types.ModuleType):
            return owner  # type: ignore[no-any-return]
    return None


def bound_keywords(function: Any) -> frozenset[str]:
    """Parameters that partials have filled by keyword."""
    return frozenset(n for layer in layers(function) if isinstance(layer, functools.partial) for n in layer.keywords)


def is_async(function: Any) -> bool:
    """Whether calling it gives something for the event loop. What a wrapper wraps does not tell."""
    while isinstance(function, _UNWRAPPED):
        function = _inner(function)
    called = type(function).__call__ if _is_object(function) else function
    return inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called)


def stands_in_class(function: Any) -> bool:
    """Whether it was defined in a class body, so that an instance of the class binds it."""
    if isinstance(function, classmethod):
        return True
    if isinstance(function, (staticmethod, types.MethodType, type)) or not hasattr(type(function), "__get__"):
        return False
    scope = getattr(function, "__qualname__", "").rpartition(".")[0]
    return bool(scope) and not scope.endswith("<locals>")


def is_method(function: Any) -> bool:
    """Whether it stands in a class body and takes its object first."""
    if isinstance(function, classmethod) or not stands_in_class(function):
        return isinstance(function, classmethod)
    try:
        return next(iter(inspect.signature(function).parameters), "") in ("self", "cls")
    except (ValueError, TypeError):
        return False


def _inner(function: Any) -> Any:
    return function.func if isinstance(function, functools.partial) else function.__func__


def _is_object(function: Any) -> bool:
    """Whether it is an instance of a class with a `__call__` written in Python."""
    if isinstance(function, type) or inspect.isroutine(function):
        return False
    return inspect.isfunction(inspect.getattr_static(type(function), "__call__", None))
