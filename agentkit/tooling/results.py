"""Whatever a tool returns, as text for a model: text as it is, everything else as JSON. Nothing here raises."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import enum
import itertools
import json
import math
import pathlib
import types
import uuid
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Any

MAX_DEPTH = 60
"""Containers inside containers; deeper is no use to a reader and near what JSON writers can take."""

MAX_ITEMS = 10_000
"""Items taken of something that may not end."""

_LONG_INT_BITS = 14_000
"""Where Python refuses to write an int (4,300 digits); `Decimal` does not."""

_HUGE_INT_BITS = 1_000_000


def to_text(value: Any) -> str:
    """The text that a model reads; always valid UTF-8."""
    if type(value) is str:
        text = value
    elif isinstance(value, (str, bytes, bytearray, memoryview)):
        text = to_json(value)
    else:
        text = json.dumps(to_json(value), ensure_ascii=False)
    return encodable(text)


def to_json(value: Any) -> Any:
    """The value as None, bool, int, float, str, list or dict, something sensible for what JSON cannot hold."""
    return _convert(value, 0, ())


def encodable(text: str) -> str:
    """The text, where halves of surrogate pairs are joined or replaced, so that it can be sent."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def cut(text: str, max_chars: int | None, *, hint: str = "") -> str:
    """At most `max_chars` characters: the head, the tail and between them a note of what was cut."""
    if max_chars is None or len(text) <= max_chars:
        return text
    room = max_chars - len(_note(len(text), len(text), hint))
    if room <= 0:
        return text[:max_chars]
    head = room * 2 // 3
    tail = room - head
    return text[:head] + _note(len(text) - room, len(text), hint) + text[len(text) - tail :]


def _note(cut_chars: int, all_chars: int, hint: str) -> str:
    return f"\n[... {cut_chars:,} of {all_chars:,} characters cut{hint} ...]\n"


def _convert(value: Any, depth: int, path: tuple[int, ...]) -> Any:
    kind = type(value)
    if value is None or kind is str or kind is bool:
        return value
    if kind is int:
        return _integer(value)
    if kind is float:
        return _float(value)
    if depth > MAX_DEPTH:
        return "[nested too deeply]"
    if id(value) in path:
        return "[circular]"
    path = (*path, id(value))
    for base, convert in _CONVERTERS.items():
        if isinstance(value, base):
            try:
                return convert(value, depth + 1, path)
            except Exception:  # noqa: BLE001 - a value's own code may fail in any way
                return _described(value)
    return _object(value, depth + 1, path)


def _integer(value: int) -> int | str:
    bits = value.bit_length()
    if bits < _LONG_INT_BITS:
        return int(value)
    if bits < _HUGE_INT_BITS:
        return format(Decimal(value), "f")
    return f"[an integer of {bits:,} bits]"


def _float(value: float) -> float | str | None:
    if math.isfinite(value):
        return float(value)
    if math.isnan(value):
        return None
    return "Infinity" if value > 0 else "-Infinity"


def _bytes(value: bytes | bytearray | memoryview) -> str:
    raw = bytes(value)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode()


def _mapping(value: Mapping[Any, Any], depth: int, path: tuple[int, ...]) -> dict[str, Any]:
    return {_key(key): _convert(item, depth, path) for key, item in value.items()}


def _key(key: Any) -> str:
    if type(key) is str:
        return key
    plain = _convert(key, 0, ())
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _list(value: Any, depth: int, path: tuple[int, ...]) -> list[Any]:
    return [_convert(item, depth, path) for item in value]


def _set(value: AbstractSet[Any], depth: int, path: tuple[int, ...]) -> list[Any]:
    """Sorted where that is possible: the order of a set changes from process to process."""
    try:
        return _list(sorted(value), depth, path)
    except TypeError:
        return _list(value, depth, path)


def _some(value: Any, depth: int, path: tuple[int, ...]) -> list[Any]:
    items = _list(itertools.islice(value, MAX_ITEMS + 1), depth, path)
    return items if len(items) <= MAX_ITEMS else [*items[:MAX_ITEMS], "[there may be more]"]


def _tuple(value: tuple[Any, ...], depth: int, path: tuple[int, ...]) -> Any:
    names = getattr(value, "_fields", None)
    if names is None:
        return _list(value, depth, path)
    return _mapping(dict(zip(names, value, strict=True)), depth, path)


def _duration(value: dt.timedelta) -> str:
    """ISO 8601, as the schema of a timedelta parameter asks for it."""
    sign, value = ("-", -value) if value < dt.timedelta(0) else ("", value)
    seconds = f"{value.seconds + value.microseconds / 1e6:f}".rstrip("0").rstrip(".")
    return f"{sign}P{value.days}DT{seconds}S"


def _object(value: Any, depth: int, path: tuple[int, ...]) -> Any:
    kind = type(value)
    try:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {f.name: _convert(getattr(value, f.name), depth, path) for f in dataclasses.fields(value)}
        for method, options in _DUMPS:
            if callable(getattr(kind, method, None)):
                return _convert(getattr(value, method)(**options), depth, path)
        if {kind.__repr__, kind.__str__} == {object.__repr__, object.__str__} and hasattr(value, "__dict__"):
            public = {name: item for name, item in vars(value).items() if not name.startswith("_")}
            return _mapping(public, depth, path)
    except Exception:  # noqa: BLE001 - a value's own code may fail in any way
        return _described(value)
    return _described(value)


def _described(value: Any) -> str:
    """What `str` says, if it says anything."""
    if isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)):
        return value.__qualname__
    try:
        text = f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else str(value)
    except Exception:  # noqa: BLE001 - a value's own code may fail in any way
        return f"<{type(value).__name__}>"
    return text


_Converter = Callable[[Any, int, tuple[int, ...]], Any]


def _leaf(convert: Callable[[Any], Any]) -> _Converter:
    return lambda value, _depth, _path: convert(value)


_CONVERTERS: dict[Any, _Converter] = {
    enum.Enum: lambda value, depth, path: _convert(value.value, depth, path),
    str: _leaf(str.__str__),
    bool: _leaf(bool),
    int: _leaf(_integer),
    float: _leaf(_float),
    (bytes, bytearray, memoryview): _leaf(_bytes),
    (dt.datetime, dt.date, dt.time): _leaf(lambda value: value.isoformat()),
    dt.timedelta: _leaf(_duration),
    (Decimal, uuid.UUID, pathlib.PurePath): _leaf(str),
    Mapping: _mapping,
    tuple: _tuple,
    list: _list,
    AbstractSet: _set,
    (range, Iterator): _some,
}
"""How values of a type, or of a subclass, become JSON; the first that fits wins."""

_DUMPS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("model_dump", {"mode": "json", "warnings": False}),
    ("to_dicts", {}),
    ("to_dict", {}),
    ("tolist", {}),
    ("item", {}),
)
"""Methods by which objects of other libraries (pydantic, polars, pandas, numpy) say what they hold."""
