"""`Recorded`: answers are written to a file once, and read from it ever after (`tape.py`)."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from agentkit.core.events import Emit
from agentkit.core.messages import Assistant
from agentkit.errors import UsageError
from agentkit.models.model import Model, Request
from agentkit.models.wrap.by_name import as_model
from agentkit.models.wrap.tape import Player, Recorder

Mode: TypeAlias = Literal["auto", "record", "replay"]


class Recorded:
    """A model whose answers are in a file.

    Attributes:
        path: The file.
        mode: `record` writes it anew, `replay` only reads it, `auto` reads it if it is there.
    """

    def __init__(self, model: Model | str | None, path: str | os.PathLike[str], mode: Mode = "auto") -> None:
        """Take the model; the file is looked at when the first answer is wanted.

        Args:
            model: The model, or its name. When the file is replayed, it is not needed: a name then needs no key.
            path: The file.
            mode: `record` writes it anew, `replay` only reads it, `auto` reads it if it is there.

        Raises:
            UsageError: The mode is none, or there is nothing to record.
        """
        if mode not in get_args(Mode):
            raise UsageError(f"Recorded(mode={mode!r}): give one of {', '.join(get_args(Mode))}")
        if model is None and mode == "record":
            raise UsageError("Recorded(None, mode='record'): give the model that is to be recorded")
        self.path = Path(path)
        self.mode = mode
        self._model = model if model is None or isinstance(model, str) else as_model(model)
        self._lock = threading.Lock()
        self._tape: Recorder | Player | None = None

    @property
    def native_output(self) -> bool:
        """Whether the model enforces a JSON schema; in a replay, whether it did."""
        return self._opened().native_output

    @property
    def native_tools(self) -> bool:
        """Whether tools are declared to the model; in a replay, whether they were."""
        return self._opened().native_tools

    async def call(self, request: Request, emit: Emit | None = None) -> Assistant:
        """The recorded answer, or a new one, which is recorded; see `Model`.

        Raises:
            ModelError: The model failed, or the recording says that it did.
            UsageError: The request is not one that was recorded, or the file cannot be read.
        """
        return await self._opened().call(request, emit)

    async def aclose(self) -> None:
        """Close the connections of the model in this event loop, if it was asked."""
        if isinstance(self._tape, Recorder):
            await self._tape.aclose()

    def _opened(self) -> Recorder | Player:
        with self._lock:
            if self._tape is None:
                replayed = self.mode == "replay" or (self.mode == "auto" and self.path.exists())
                self._tape = Player(self.path) if replayed else Recorder(self._to_record(), self.path)
            return self._tape

    def _to_record(self) -> Model:
        if self._model is None:
            raise UsageError(f"there is no recording at {str(self.path)!r}, and no model to record")
        return as_model(self._model)

    def __repr__(self) -> str:
        return f"Recorded({self._model!r}, {str(self.path)!r}, mode={self.mode!r})"
