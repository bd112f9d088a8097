"""JSON as bytes: orjson where it is installed, else the standard library; what one of them refuses, the other may take.

* `dumps` never fails on text: a lone surrogate becomes `?`, because no JSON may carry it.
* `loads` keeps integers of any size (orjson would round them), and forgives raw control characters and broken UTF-8.
* `fast_loads` is for where speed matters and no long integers stand.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

_RAW_DECODE = json.JSONDecoder().raw_decode


def dumps(value: Any) -> bytes:
    """The compact UTF-8 JSON of a value; mappings of any type are objects, what JSON cannot hold is its `str`.

    Raises:
        ValueError: The value contains itself.
    """
    return _codec()[0](value)


def loads(data: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: It is no JSON, even with raw control characters and broken UTF-8 forgiven.
    """
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return _forgiving(data)


def fast_loads() -> Callable[[bytes], Any]:
    """The fastest reader there is; it raises ValueError for what `loads` may still read."""
    return _codec()[1]


@cache
def _codec() -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
    if importlib.util.find_spec("orjson") is None:
        return _stdlib_dumps, _stdlib_loads
    import orjson  # noqa: PLC0415 - not before the first request

    def orjson_dumps(value: Any) -> bytes:
        try:
            return bytes(memoryview(orjson.dumps(value, default=_plain)))  # its own bytes keep a kilobyte of slack
        except TypeError:  # a surrogate, an integer over 64 bits, a key that is no text
            return _stdlib_dumps(value)

    return orjson_dumps, orjson.loads


def _stdlib_dumps(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return text.encode("utf-8", "replace")


def _stdlib_loads(data: bytes) -> Any:
    text = data.decode()
    value, end = _RAW_DECODE(text)  # half the time of json.loads, which guesses at the encoding and looks for blanks
    if end != len(text):
        raise ValueError("something stands behind the JSON")
    return value


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)


def _forgiving(data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8-sig", "replace"), strict=False)
    except RecursionError as error:
        raise ValueError("JSON that is nested too deeply") from error
