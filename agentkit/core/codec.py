"""Entries and messages <-> JSON, with a schema version.

Encoding writes plain dicts without the defaults. Decoding trusts nothing: a wrong type, an unknown kind or a newer
version raises `ValueError` with the place. Unknown fields are ignored, so that an older reader reads on.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from reprlib import repr as short
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from agentkit.core.entries import Entry
from agentkit.core.messages import JSONValue

VERSION = 1

_KINDS: dict[str, type] = {cls.kind: cls for cls in get_args(Entry)}

Decoder: TypeAlias = Callable[[Any, str], Any]


def encode(entry: Entry) -> dict[str, JSONValue]:
    """The entry as a JSON-ready dict: `kind`, `v`, and the fields that are not at their defaults."""
    return {"v": VERSION, "kind": entry.kind, **_encode_fields(entry)}


def decode(data: Mapping[str, Any]) -> Entry:
    """The entry that `encode` wrote.

    Raises:
        ValueError: The data is no entry of this version; says where.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"an entry is a JSON object, got {type(data).__name__}")
    version, kind = data.get("v"), data.get("kind")
    if version != VERSION:
        raise ValueError(f"entry of schema version {short(version)}; this agentkit reads version {VERSION}")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ValueError(f"unknown kind of entry: {short(kind)}")
    entry: Entry = _decoder(_KINDS[kind])(data, kind)
    return entry


def _encode_fields(value: Any) -> dict[str, JSONValue]:
    out = {}
    cls: Any = type(value)
    for f in _fields(cls):
        item = getattr(value, f.name)
        if f.default is not MISSING and item == f.default:
            continue
        if f.default_factory is not MISSING and not item:
            continue
        out[f.name] = _encode(item)
    return out


def _encode(value: Any) -> JSONValue:
    if isinstance(value, tuple | list):
        return [_encode(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _encode(item) for key, item in value.items()}
    if is_dataclass(value):
        return _encode_fields(value)
    return value


@cache
def _fields(cls: Any) -> tuple[Field[Any], ...]:
    return fields(cls)


@cache
def _decoder(hint: Any) -> Decoder:
    """How to read a value of this type."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return lambda value, _: value
    if isinstance(hint, type) and is_dataclass(hint):
        return _object(hint)
    if origin is Literal:
        return _one_of(args)
    if origin in (Union, types.UnionType):
        return _union(tuple(_decoder(arg) for arg in args))
    if origin is tuple:
        return _tuple(_decoder(args[0]))
    if hint is float:
        return _plain((float, int), "number")
    if hint is type(None):
        return _plain((type(None),), "null")
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _plain((Mapping,), "object")
    return _plain((hint,), getattr(hint, "__name__", str(hint)))


def _object(cls: Any) -> Decoder:
    hints = get_type_hints(cls)
    parts = {f.name: _decoder(hints[f.name]) for f in fields(cls)}
    required = {f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING}

    def read(value: Any, where: str) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError(f"{where}: expected an object, got {type(value).__name__}")
        if missing := required - value.keys():
            raise ValueError(f"{where}: missing {', '.join(sorted(missing))}")
        return cls(**{name: parts[name](value[name], f"{where}.{name}") for name in parts if name in value})

    return read


def _plain(kinds: tuple[type, ...], name: str) -> Decoder:
    def read(value: Any, where: str) -> Any:
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise ValueError(f"{where}: expected {name}, got {type(value).__name__}")
        return value

    return read


def _one_of(choices: tuple[Any, ...]) -> Decoder:
    def read(value: Any, where: str) -> Any:
        if value not in choices:
            raise ValueError(f"{where}: expected one of {', '.join(map(repr, choices))}, got {short(value)}")
        return value

    return read


def _tuple(item: Decoder) -> Decoder:
    def read(value: Any, where: str) -> Any:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{where}: expected a list, got {type(value).__name__}")
        return tuple(item(part, f"{where}[{i}]") for i, part in enumerate(value))

    return read


def _union(options: tuple[Decoder, ...]) -> Decoder:
    def read(value: Any, where: str) -> Any:
        faults = []
        for option in options:
            try:
                return option(value, where)
            except ValueError as fault:
                faults.append(str(fault))
        raise ValueError("; or ".join(faults))

    return read
