"""The metadata of a GGUF file: what comes before its tensors (format: ggml's docs/gguf.md). Standard library only."""

from __future__ import annotations

import struct
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

MAGIC = b"GGUF"
MAX_TEXT_BYTES = 1 << 24
MAX_SKIPPED_BYTES = 1 << 32
CHAT_TEMPLATE = "tokenizer.chat_template"

_STRING, _ARRAY = 8, 9
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


def texts(path: Path, keys: Collection[str]) -> dict[str, str]:
    """Those of the keys that the file has with a text as their value.

    Raises:
        ValueError: The file is damaged, or no GGUF of version 2 or later.
    """
    found: dict[str, str] = {}
    with path.open("rb") as file:
        magic, version, _tensors, pairs = struct.unpack("<4sIQQ", _take(file, 24))
        if magic != MAGIC or not 2 <= version <= 0xFFFF:
            raise ValueError(f"{str(path)!r} is no GGUF that can be read")
        for _ in range(pairs):
            key, (kind,) = _text(file), struct.unpack("<I", _take(file, 4))
            if kind == _STRING and key in keys:
                found[key] = _text(file)
            else:
                _skip(file, kind)
    return found


def _take(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise ValueError("the file breaks off")
    return data


def _text(file: BinaryIO) -> str:
    (size,) = struct.unpack("<Q", _take(file, 8))
    if size > MAX_TEXT_BYTES:
        raise ValueError(f"a text of {size} bytes in the metadata")
    return _take(file, size).decode("utf-8", "replace")


def _skip(file: BinaryIO, kind: int) -> None:
    if kind == _STRING:
        (size,) = struct.unpack("<Q", _take(file, 8))
        _pass_over(file, size)
    elif kind == _ARRAY:
        inner, count = struct.unpack("<IQ", _take(file, 12))
        if inner in _SIZES:
            _pass_over(file, _SIZES[inner] * count)
        elif inner == _STRING:
            for _ in range(count):
                _skip(file, _STRING)
        else:
            raise ValueError(f"an array of type {inner} in the metadata")
    elif kind in _SIZES:
        _pass_over(file, _SIZES[kind])
    else:
        raise ValueError(f"unknown type {kind} in the metadata")


def _pass_over(file: BinaryIO, size: int) -> None:
    if size > MAX_SKIPPED_BYTES:
        raise ValueError(f"a value of {size} bytes in the metadata")
    file.seek(size, 1)
