"""The metadata of a GGUF file: what comes before its tensors (format: ggml's docs/gguf.md). Standard library only."""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

MAGIC = b"GGUF"
MAX_TEXT_BYTES = 1 << 24
MAX_LIST_BYTES = 1 << 26
MAX_SKIPPED_BYTES = 1 << 32

_STRING, _ARRAY = 8, 9
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_INTEGERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 10: "Q", 11: "q"}
_CONTROL = 3
_TEMPLATE = "tokenizer.chat_template"
_TOKENS, _KINDS = "tokenizer.ggml.tokens", "tokenizer.ggml.token_type"
_ENDS = tuple(f"tokenizer.ggml.{name}_token_id" for name in ("eos", "eot", "eom"))


@dataclass(frozen=True, slots=True)
class Card:
    """What a model file says of how it is spoken to.

    Attributes:
        template: For chats, in Jinja; empty if the file has none.
        controls: The tokens that are no text, with their ids.
        ends: Those of them that end an answer.
    """

    template: str
    controls: Mapping[str, int]
    ends: tuple[str, ...]

    @property
    def knows_tools(self) -> bool:
        """Whether the template shows tools to the model."""
        return re.search(r"\btools\b", self.template) is not None


def card_of(path: Path) -> Card:
    """The card of a file.

    Raises:
        ValueError: The file is damaged, or no GGUF of version 2 or later.
    """
    found = values(path, {_TEMPLATE, _TOKENS, _KINDS, *_ENDS})
    template, tokens, kinds = found.get(_TEMPLATE), found.get(_TOKENS), found.get(_KINDS)
    names = dict(enumerate(tokens)) if isinstance(tokens, list) and all(isinstance(t, str) for t in tokens) else {}
    marked = enumerate(kinds if isinstance(kinds, list) else ())
    return Card(
        template=template if isinstance(template, str) else "",
        controls={names[token]: token for token, kind in marked if kind == _CONTROL and token in names},
        ends=tuple(names[token] for key in _ENDS if isinstance(token := found.get(key), int) and token in names),
    )


def values(path: Path, keys: Collection[str]) -> dict[str, Any]:
    """Those of the keys that the file has: texts, integers, and lists of either.

    Raises:
        ValueError: The file is damaged, or no GGUF of version 2 or later.
    """
    found: dict[str, Any] = {}
    with path.open("rb") as file:
        magic, version, _tensors, pairs = struct.unpack("<4sIQQ", _take(file, 24))
        if magic != MAGIC or not 2 <= version <= 0xFFFF:
            raise ValueError(f"{str(path)!r} is no GGUF that can be read")
        for _ in range(pairs):
            key, (kind,) = _text(file), struct.unpack("<I", _take(file, 4))
            if key in keys:
                found[key] = _value(file, kind)
            else:
                _skip(file, kind)
    return found


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _text(file)
    if kind == _ARRAY:
        inner, count = struct.unpack("<IQ", _take(file, 12))
        return [_text(file) for _ in range(count)] if inner == _STRING else list(_integers(file, inner, count))
    return _integers(file, kind, 1)[0]


def _integers(file: BinaryIO, kind: int, count: int) -> tuple[int, ...]:
    if kind not in _INTEGERS or count * _SIZES[kind] > MAX_LIST_BYTES:
        raise ValueError(f"{count} values of type {kind} in the metadata")
    return struct.unpack(f"<{count}{_INTEGERS[kind]}", _take(file, count * _SIZES[kind]))


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
