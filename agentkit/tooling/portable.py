"""Annotations that pydantic cannot take as they are, rebuilt so that it can, wherever they stand in a type.

* Before Python 3.12 pydantic refuses a `TypedDict` of `typing`: it gets the same one of `typing_extensions`. Of members
  that are `ReadOnly` it warns whoever makes a tool: they become plain ones.
* `Annotated[int, "text"]` describes nothing to pydantic: the text becomes the description of a `Field`.
* `Literal[Color.RED]` knows the member but not its value, which is what JSON can carry: values become members first.
* An enum of dates, tuples or bytes knows its values but not their JSON, which is what the schema shows.
* Some abstract types have no schema of their own, or one that reads lazily and takes text for items: a list stands in.
"""

from __future__ import annotations

import enum
import json
import sys
import types
import typing
from collections import abc
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args, get_origin

from typing_extensions import ReadOnly, TypedDict, is_typeddict

from agentkit.tooling.annotations import described

_STAND_INS: dict[Any, Any] = {
    typing.LiteralString: str,
    typing.AnyStr: str,
    abc.Collection: list,
    abc.Container: list,
    abc.Reversible: list,
    abc.Iterable: list,
}
_ITERATORS = (abc.Iterator, abc.Generator)
_JSON_SCALARS = (str, int, float, bool, type(None))
_TYPED_DICT_PARTS = {
    *("__required_keys__", "__optional_keys__", "__readonly_keys__", "__mutable_keys__", "__closed__"),
    *("__extra_items__", "__pydantic_config__", "__doc__", "__module__", "__qualname__"),
}


def portable(hint: Any, names: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """The annotation as pydantic takes it; the very same one if nothing in it needs a change.

    Args:
        hint: The annotation.
        names: Classes that only the function which made the tool knows.
    """
    return _rebuilt(hint, {}, names)


def _rebuilt(hint: Any, twins: dict[Any, Any], names: Mapping[str, Any]) -> Any:
    from pydantic import Field  # noqa: PLC0415 - heavy

    if is_typeddict(hint):
        fits = sys.version_info >= (3, 12) and not getattr(hint, "__readonly_keys__", ())
        return hint if fits else (twins.get(hint) or _twin(hint, twins, names))
    if isinstance(hint, enum.EnumMeta):
        values = [member.value for member in hint]  # type: ignore[var-annotated]  # of any type
        return hint if all(isinstance(value, _JSON_SCALARS) for value in values) else _by_json(hint, hint)
    origin: Any = get_origin(hint)
    args = get_args(hint)
    if origin is Literal:
        return _by_json(hint, [arg for arg in args if not isinstance(arg, _JSON_SCALARS) or isinstance(arg, enum.Enum)])
    if origin is ReadOnly:
        return _rebuilt(args[0], twins, names)
    if origin is abc.Callable:  # its parameters are a list, which is no type
        return hint
    if (origin or hint) in _ITERATORS:
        return _iterator(args)
    if (origin or hint) in _STAND_INS:
        hint = _STAND_INS[origin or hint][args] if args else _STAND_INS[origin or hint]
    if origin is Annotated:
        return Annotated[(_rebuilt(args[0], twins, names), Field(description=described(hint)), *hint.__metadata__)]
    new = tuple(_rebuilt(arg, twins, names) for arg in args)
    if all(one is other for one, other in zip(new, args, strict=True)):
        return hint
    if origin in (typing.Union, types.UnionType):
        return typing.Union[new]  # noqa: UP007 - made at run time
    return hint.copy_with(new) if hasattr(hint, "copy_with") else origin[new]


def _by_json(hint: Any, members: Iterable[Any]) -> Any:
    """The type, which also takes these members of it as the JSON that the schema shows for them."""
    from pydantic import BeforeValidator  # noqa: PLC0415 - heavy
    from pydantic_core import to_jsonable_python  # noqa: PLC0415

    table = {json.dumps(to_jsonable_python(member)): member for member in members}
    return Annotated[hint, BeforeValidator(lambda value: table.get(json.dumps(value), value))] if table else hint


def _iterator(args: tuple[Any, ...]) -> Any:
    from pydantic import AfterValidator  # noqa: PLC0415 - heavy

    return Annotated[list[args[:1] or Any], AfterValidator(iter)]  # type: ignore[misc]  # made at run time


def _twin(hint: Any, twins: dict[Any, Any], names: Mapping[str, Any]) -> Any:
    """The same typed dict, of `typing_extensions`; known before its members are read, for it may hold itself."""
    twin: Any = TypedDict(hint.__name__, {}, total=hint.__total__)  # type: ignore[misc]
    twins[hint] = twin
    members = typing.get_type_hints(hint, localns={hint.__name__: hint, **names}, include_extras=True)
    twin.__annotations__ = {name: _rebuilt(member, twins, names) for name, member in members.items()}
    for name in _TYPED_DICT_PARTS.intersection(vars(hint)):
        setattr(twin, name, getattr(hint, name))
    return twin
