"""Annotations that pydantic cannot take as they are, rebuilt so that it can, wherever they stand in a type.

* Before Python 3.12 pydantic refuses a `TypedDict` of `typing`: it gets the same one of `typing_extensions`.
* `Literal[Color.RED]` knows the member but not its value, which is what JSON can carry: values become members first.
* Some abstract types have no schema of their own: a more concrete one stands in.
"""

from __future__ import annotations

import enum
import sys
import types
import typing
from collections import abc
from typing import Annotated, Any, Literal, get_args, get_origin

_STAND_INS: dict[Any, Any] = {
    typing.LiteralString: str,
    abc.Collection: list,
    abc.Container: list,
    abc.Reversible: list,
    abc.Iterator: abc.Iterable,
}


def portable(hint: Any) -> Any:
    """The annotation as pydantic takes it; the very same one if nothing in it needs a change."""
    return _rebuilt(hint, {})


def _rebuilt(hint: Any, twins: dict[Any, Any]) -> Any:
    if isinstance(hint, type) and typing.is_typeddict(hint):
        refused = sys.version_info < (3, 12) and type(hint).__module__ == "typing"
        return (twins.get(hint) or _twin(hint, twins)) if refused else hint
    origin: Any = get_origin(hint)
    args = get_args(hint)
    if (origin or hint) in _STAND_INS:
        hint = _STAND_INS[origin or hint][args] if args else _STAND_INS[origin or hint]
    if origin is Literal:
        return _literal(hint, args)
    if origin is Annotated:
        return Annotated[(_rebuilt(args[0], twins), *hint.__metadata__)]
    new = tuple(_rebuilt(arg, twins) for arg in args)
    if all(one is other for one, other in zip(new, args, strict=True)):
        return hint
    if origin in (typing.Union, types.UnionType):
        return typing.Union[new]  # noqa: UP007 - made at run time
    return hint.copy_with(new) if hasattr(hint, "copy_with") else origin[new]


def _literal(hint: Any, args: tuple[Any, ...]) -> Any:
    from pydantic import BeforeValidator  # noqa: PLC0415 - heavy

    members = {arg.value: arg for arg in args if isinstance(arg, enum.Enum)}
    return Annotated[hint, BeforeValidator(lambda value: _lookup(members, value))] if members else hint


def _lookup(members: dict[Any, Any], value: Any) -> Any:
    try:
        return members.get(value, value)
    except TypeError:  # a value that cannot be hashed is no member's
        return value


def _twin(hint: Any, twins: dict[Any, Any]) -> Any:
    """The same typed dict, of `typing_extensions`; known before its members are read, for it may hold itself."""
    from typing_extensions import TypedDict  # noqa: PLC0415 - pydantic brings it

    twin: Any = TypedDict(hint.__name__, {}, total=hint.__total__)  # type: ignore[misc]
    twins[hint] = twin
    members = typing.get_type_hints(hint, include_extras=True)
    twin.__annotations__ = {name: _rebuilt(member, twins) for name, member in members.items()}
    twin.__required_keys__, twin.__optional_keys__ = hint.__required_keys__, hint.__optional_keys__
    twin.__doc__, twin.__module__, twin.__qualname__ = hint.__doc__, hint.__module__, hint.__qualname__
    return twin
