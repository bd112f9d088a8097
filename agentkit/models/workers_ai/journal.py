"""What a batch has done so far, in a file that outlives the process: append-only, each line on disk before it counts.

    {"sending": chunk, "keys": [...], "references": [...]}   before the request
    {"queued": chunk, "request_id": id}                      the server took it: paid, and to be polled
    {"withdrawn": chunk}                                     the server certainly did not take it
    {"answered": key, "item": {...}}                         what came back, success or not
    {"again": [keys]}                                        failed items are to be sent once more

A chunk that was being sent when the process died may have been paid or not: it is *unknown*, and never sent again
unasked. There is no way to ask Cloudflare for the batches that it has.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from agentkit.errors import Conflict


@dataclass(slots=True)
class Chunk:
    """Items that were sent together; `request_id` is None until the server took them."""

    keys: list[str]
    references: list[str]
    request_id: str | None = None


@dataclass(slots=True)
class Progress:
    """The fold of a journal.

    Attributes:
        chunks: What was sent and has not come back, by name.
        answers: What came back, by key of the item.
    """

    chunks: dict[str, Chunk] = field(default_factory=dict)
    answers: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def unknown(self) -> dict[str, Chunk]:
        """Chunks that may have been paid or not."""
        return {name: chunk for name, chunk in self.chunks.items() if chunk.request_id is None}

    @property
    def waiting(self) -> dict[str, Chunk]:
        """Chunks in the queue."""
        return {name: chunk for name, chunk in self.chunks.items() if chunk.request_id is not None}

    def apply(self, line: Mapping[str, Any]) -> None:
        """Take one line."""
        match line:
            case {"sending": str() as name, "keys": [*keys], "references": [*references]}:
                self.chunks[name] = Chunk(keys, references)
            case {"queued": str() as name, "request_id": str() as request_id} if name in self.chunks:
                self.chunks[name].request_id = request_id
            case {"withdrawn": str() as name}:
                self.chunks.pop(name, None)
            case {"answered": str() as key, "item": dict() as item}:
                self.answers[key] = item
                self._drop_finished()
            case {"again": [*keys]}:
                for key in keys:
                    self.answers.pop(key, None)
                for chunk in self.unknown.values():
                    chunk.keys = [key for key in chunk.keys if key not in keys]
            case _:
                pass

    def _drop_finished(self) -> None:
        done = self.answers.keys()
        self.chunks = {n: c for n, c in self.chunks.items() if c.request_id is None or not done >= set(c.keys)}


class Journal:
    """A journal, in a file or (without one) in memory only. One process at a time.

    Attributes:
        progress: What it says.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._path = None if path is None else Path(path)
        self._file: Any = None
        self.progress = Progress()

    def __enter__(self) -> Self:
        if self._path is None:
            return self
        self._file = self._path.open("a+b")
        self._lock()
        self._file.seek(0)
        content: bytes = self._file.read()
        for line in content.split(b"\n"):
            try:
                read = json.loads(line)
            except (ValueError, RecursionError):
                continue  # torn by a crash: it did not count
            self.progress.apply(read)
        if content and not content.endswith(b"\n"):
            self._file.write(b"\n")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, *lines: Mapping[str, Any]) -> None:
        """Append, and be sure that it is on disk."""
        if self._file is not None:
            self._file.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
            self._file.flush()
            os.fsync(self._file.fileno())
        for line in lines:
            self.progress.apply(line)

    def _lock(self) -> None:
        """Hold the file; where the system has no such locks (Windows), nothing is held.

        Raises:
            Conflict: Another process works on it.
        """
        if importlib.util.find_spec("fcntl") is None:
            return
        fcntl: Any = importlib.import_module("fcntl")
        try:
            fcntl.flock(self._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise Conflict(f"another process works on {self._path}") from None
