"""Where results go that are too long for a model, and the tool to read them on.

    folder = SpillFolder("results")
    Agent(tools=[tool(search, spill=folder.keep), folder.reader()])

A `spill=` policy is any function that keeps a text and returns the words which tell the model where it is; a folder is
one of them.
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from agentkit.errors import ToolFailed
from agentkit.tooling.tool import Tool, tool

_ID = re.compile(r"[0-9a-f]{16}")


class SpillFolder:
    """Keeps long results as files.

    Attributes:
        path: The folder; made when the first result is kept.
        reader_name: The name of the tool that reads them.
    """

    def __init__(self, path: str | Path, reader_name: str = "read_spilled") -> None:
        self.path = Path(path)
        self.reader_name = reader_name

    def keep(self, text: str) -> str:
        """Keep a text; the words tell a model how to read it."""
        name = secrets.token_hex(8)
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / f"{name}.txt").write_bytes(text.encode())
        return f'{self.reader_name}(id="{name}", offset=...) reads them'

    def reader(self, max_chars: int = 10_000) -> Tool[[str, int], str]:
        """The tool that reads them on.

        Args:
            max_chars: The most that one call gives.
        """

        @tool(name=self.reader_name, idempotent=True, max_output_chars=None)
        def read_spilled(id: str, offset: int = 0) -> str:  # noqa: A002 - the model's word for it
            """Read on in a result that was too long to be shown whole.

            Args:
                id: The id that stands where the result was cut.
                offset: The first character to read, counted from 0.
            """
            path = self.path / f"{id}.txt"
            if not _ID.fullmatch(id) or not path.is_file():
                raise ToolFailed(f"there is no kept result {id!r}")
            text = path.read_bytes().decode()
            part = text[max(offset, 0) :][:max_chars]
            return f"{part}\n[characters {offset:,} to {offset + len(part):,} of {len(text):,}]"

        return read_spilled
