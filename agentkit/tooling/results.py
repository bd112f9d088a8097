"""Whatever a tool returns, as text for a model: text as it is, everything else as JSON.

Nothing here raises, whatever the value is or its own code does:

* NaN is null; infinities, decimals, dates, UUIDs, paths and enum members are text or the member's value.
* Dataclasses, named tuples, models of pydantic and plain objects are objects; sets are sorted arrays.
* Bytes are their UTF-8 text, else base64. What may not end is read up to `MAX_ITEMS`.
* A cycle is "[circular]", what is too deep "[nested too deeply]", and what cannot even be shown is `<Name>`.
* Halves of surrogate pairs are joined or replaced: every text can be sent.
"""

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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Any, TypeAlias

MAX_DEPTH = 100
"""Containers inside containers; deeper is of no use to a reader, and writers of JSON have limits too."""

MAX_ITEMS = 10_000
"""Items read of something that may not end."""

MAX_INT_BITS = 1_000_000
"""Longer integers are not written out: that takes quadratic time."""

_PLAIN_INT_BITS = 14_000
"""Python itself refuses to write integers beyond 4,300 digits; `Decimal` does not."""

_Path: TypeAlias = tuple[int, ...]
"""Identities of the containers around a value: its length is the depth."""


def to_text(value: Any) -> str:
    """The text that a model reads."""
    if type(value) is str:
        return encodable(value)
    plain = to_json(value)
    is_text = isinstance(value, str | bytes | bytearray | memoryview)
    return encodable(plain if is_text else json.dumps(plain, ensure_ascii=False))


def to_json(value: Any) -> Any:
    """The value as None, bool, int, float, str, list or dict."""
    return _convert(value, ())


def encodable(text: str) -> str:
    """The text without lone surrogates, which no wire can carry."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def cut(text: str, max_chars: int | None, *, hint: str = "") -> str:
    """At most `max_chars` characters: the head, the tail, and between them a note of what was cut.

    Args:
        text: Any text.
        max_chars: None for no limit.
        hint: Where the rest can be found, for the note.
    """
    if max_chars is None or len(text) <= max_chars:
        return text
    room = max_chars - len(_note(len(text), len(text), hint))
    if room <= 0:
        return text[:max_chars]
    head, tail = room - room // 3, room // 3
    return text[:head] + _note(len(text) - room, len(text), hint) + text[len(text) - tail :]


def _note(missing: int, whole: int, hint: str) -> str:
    return f"\n[... {missing:,} of {whole:,} characters cut{hint} ...]\n"


def _convert(value: Any, path: _Path) -> Any:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if id(value) in path:
        return "[circular]"
    if len(path) > MAX_DEPTH:
        return "[nested too deeply]"
    try:
        return _converter(kind)(value, (*path, id(value)))
    except Exception:  # noqa: BLE001 - a value's own code may fail in any way
        return f"<{kind.__name__}>"


def _converter(kind: type) -> _Converter:
    if (exact := _CONVERTERS.get(kind)) is not None:
        return exact
    return next((convert for base, convert in _CONVERTERS.items() if issubclass(kind, base)), _object)


def _integer(value: int, _path: _Path) -> int | str:
    bits = value.bit_length()
    if bits < _PLAIN_INT_BITS:
        return int(value)
    return format(Decimal(int(value)), "f") if bits < MAX_INT_BITS else f"[an integer of {bits:,} bits]"


def _float(value: float, _path: _Path) -> float | str | None:
    if math.isfinite(value):
        return float(value)
    return None if math.isnan(value) else str(value).replace("inf", "Infinity")


def _bytes(value: bytes | bytearray | memoryview, _path: _Path) -> str:
    raw = bytes(value)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode()


def _mapping(value: Mapping[Any, Any], path: _Path) -> dict[str, Any]:
    return {key if type(key) is str else _key(key): _convert(item, path) for key, item in value.items()}


def _key(key: Any) -> str:
    plain = to_json(key)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _array(value: Iterable[Any], path: _Path) -> list[Any]:
    return [_convert(item, path) for item in value]


def _endless(value: Iterable[Any], path: _Path) -> list[Any]:
    items = _array(itertools.islice(value, MAX_ITEMS + 1), path)
    return items if len(items) <= MAX_ITEMS else [*items[:MAX_ITEMS], "[there may be more]"]


def _tuple(value: tuple[Any, ...], path: _Path) -> list[Any] | dict[str, Any]:
    names = getattr(value, "_fields", None)
    return _array(value, path) if names is None else _mapping(dict(zip(names, value, strict=True)), path)


def _set(value: AbstractSet[Any], path: _Path) -> list[Any]:
    """Sorted where that is possible: the order of a set changes from process to process."""
    try:
        return _array(sorted(value), path)
    except TypeError:
        return _array(value, path)


def _duration(value: dt.timedelta, _path: _Path) -> str:
    """ISO 8601, as the schema of a timedelta parameter asks for it."""
    sign, value = ("-", -value) if value < dt.timedelta(0) else ("", value)
    seconds = f"{value.seconds + value.microseconds / 1e6:f}".rstrip("0").rstrip(".")
    return f"{sign}P{value.days}DT{seconds}S"


def _object(value: Any, path: _Path) -> Any:
    """What an object says it holds; else its text; else what it gives one by one; else its public attributes."""
    kind = type(value)
    if dataclasses.is_dataclass(kind):
        return {each.name: _convert(getattr(value, each.name), path) for each in dataclasses.fields(value)}
    for method, options in _DUMPS:
        if callable(getattr(kind, method, None)):
            try:
                return _convert(getattr(value, method)(**options), path)
            except Exception:  # noqa: BLE001, S112 - the next way may do
                continue
    if isinstance(value, type) or callable(value):
        return getattr(value, "__qualname__", f"<{kind.__name__}>")
    if "__str__" in _written(kind) or "__repr__" in _written(kind):
        return str(value)
    if isinstance(value, Iterable):
        return _endless(value, path)
    return _mapping({name: item for name, item in vars(value).items() if not name.startswith("_")}, path)


def _written(kind: type) -> set[str]:
    """Names that the classes of an object define, `object` aside."""
    return {name for base in kind.__mro__[:-1] for name in vars(base)}


def _exception(value: BaseException, _path: _Path) -> str:
    return f"{type(value).__name__}: {value}"


_Converter: TypeAlias = Callable[[Any, _Path], Any]

_CONVERTERS: dict[Any, _Converter] = {
    dict: _mapping,
    list: _array,
    int: _integer,
    float: _float,
    tuple: _tuple,
    enum.Enum: lambda value, path: _convert(value.value, path),
    str: lambda value, _: str.__str__(value),
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    dt.date: lambda value, _: value.isoformat(),
    dt.time: lambda value, _: value.isoformat(),
    dt.timedelta: _duration,
    Decimal: lambda value, _: str(value),
    uuid.UUID: lambda value, _: str(value),
    pathlib.PurePath: lambda value, _: str(value),
    BaseException: _exception,
    Mapping: _mapping,
    AbstractSet: _set,
    range: _endless,
    Iterator: _endless,
    Sequence: _array,
    ValuesView: _array,
    types.SimpleNamespace: lambda value, path: _mapping(vars(value), path),
}
"""How values of a type, or of a subclass, become JSON; of several that fit, the first."""

_DUMPS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("model_dump", {"mode": "json", "warnings": False}),
    ("model_dump", {}),
    ("dict", {}),
    ("to_dicts", {}),
    ("to_dict", {"orient": "records"}),
    ("to_dict", {}),
    ("tolist", {}),
    ("item", {}),
)
"""Methods by which objects of other libraries (pydantic 2 and 1, polars, pandas, numpy) say what they hold."""
