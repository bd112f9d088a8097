"""How far a download is: a bar on a terminal, a line now and then for anyone else."""

from __future__ import annotations

import sys
import time
from typing import Self, TextIO

BAR_CHARS = 30
TERMINAL_S = 0.1
LINES_S = 10.0
MB = 1_000_000


class Progress:
    """A block in which it is called with how many bytes are there, of how many. Silent until the first call."""

    def __init__(self, name: str, out: TextIO | None = None) -> None:
        self._name = name
        self._out = out or sys.stderr
        self._terminal = self._out.isatty()
        self._began: tuple[float, int] | None = None
        self._next_s = 0.0
        self._now = (0, None)  # type: tuple[int, int | None]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._began and self._terminal:
            self._out.write(f"\r{self._line()}\n")

    def __call__(self, there: int, size: int | None) -> None:
        """So many bytes are there."""
        now_s = time.monotonic()
        self._now = there, size
        self._began = self._began or (now_s, there)
        if now_s >= self._next_s:
            self._next_s = now_s + (TERMINAL_S if self._terminal else LINES_S)
            self._out.write(f"\r{self._line()}" if self._terminal else f"{self._line()}\n")
            self._out.flush()

    def _line(self) -> str:
        (there, size), (began_s, begin) = self._now, self._began or (0.0, 0)
        rate = (there - begin) / max(time.monotonic() - began_s, 0.001)
        parts = [self._name, f"{there / MB:.1f} of {size / MB:.1f} MB" if size else f"{there / MB:.1f} MB"]
        if self._terminal and size:
            full = min(BAR_CHARS, BAR_CHARS * there // size)
            parts.insert(1, f"[{'#' * full}{'.' * (BAR_CHARS - full)}]")
        if rate:
            left_s = round((size - there) / rate) if size else 0
            parts.append(f"{rate / MB:.1f} MB/s" + (f", {left_s // 60}:{left_s % 60:02} left" if left_s > 0 else ""))
        return f"{'  '.join(parts):<79}" if self._terminal else "  ".join(parts)
