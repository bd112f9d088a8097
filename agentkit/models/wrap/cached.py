"""`Cached`: the same request has the same answer, asked for once.

* Same means: the same model, messages, tools, settings and output schema. Ids, costs and timeouts do not count.
  Models are told apart by their `repr`, their `settings` and their `variant` (how else they were made).
* Runs of one event loop that ask the same at once ask once, unless the first of them streams.
* A hit costs nothing: no tokens, no dollars, and `extra["cached"]` says so. Its calls have new ids.
* Answers that call tools are kept, too: the tools then run as they would after a live answer, side effects included,
  because a cache keeps what a model said and not what came of it. `calls=False` keeps final answers only.
* Failures, broken-off answers and answers that say nothing are not kept. What cannot be read is asked for again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator, MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
from anyio.lowlevel import current_token

from agentkit.core.codec import decode, encode
from agentkit.core.events import Emit, deltas_of
from agentkit.core.messages import NO_USAGE, Assistant
from agentkit.errors import UsageError
from agentkit.models.assemble import new_call_id
from agentkit.models.model import Model, Request, tell
from agentkit.models.wrap.by_name import as_model
from agentkit.models.wrap.canonical import Numbers, canonical, to_text
from agentkit.models.wrapper import Wrapper

_log = logging.getLogger("agentkit.models")


class Cached(Wrapper):
    """A model that is asked each question once.

    Attributes:
        store: The answers by key, as JSON texts.
    """

    def __init__(
        self,
        model: Model | str,
        store: MutableMapping[str, str] | str | os.PathLike[str] | None = None,
        *,
        calls: bool = True,
    ) -> None:
        """Take the model.

        Args:
            model: The model, or its name.
            store: A dict or what works like one, or the path of a folder; a dict of its own if left out.
            calls: Whether answers that call tools are kept, too.

        Raises:
            UsageError: The model is none, or the path is a file.
        """
        super().__init__(as_model(model))
        if store is None:
            store = {}
        self.store = Folder(store) if isinstance(store, str | os.PathLike) else store
        self._calls = calls
        self._asked: dict[tuple[object, str], anyio.Event] = {}

    async def call(self, request: Request, emit: Emit | None = None) -> Assistant:
        """The answer that is kept, or a new one; see `Model`."""
        key = self._key(request)
        answer = self._kept(key)
        if answer is None and (asked := self._asked.get((current_token(), key))) is not None:
            await asked.wait()  # a run beside this one asks the same
            answer = self._kept(key)
        if answer is None:
            return await self._ask(key, request, emit)
        if emit is not None:
            await tell(emit, deltas_of(answer))
        return answer

    async def _ask(self, key: str, request: Request, emit: Emit | None) -> Assistant:
        here, asked = (current_token(), key), anyio.Event()
        if emit is None:  # who has a listener may be held up by it, so nobody waits for them
            self._asked[here] = asked
        try:
            answer = await self.inner.call(request, emit)
            if self._keeps(answer):
                self._keep(key, answer)
            return answer
        finally:
            if self._asked.get(here) is asked:
                del self._asked[here]
            asked.set()

    def _kept(self, key: str) -> Assistant | None:
        """The answer that is kept, as a hit; None if there is none, or none that can be read."""
        try:
            text = self.store.get(key)
            answer = None if text is None else decode(json.loads(text))
        except (OSError, ValueError):
            return None
        if not isinstance(answer, Assistant):
            return None
        calls = tuple(replace(call, id=new_call_id()) for call in answer.tool_calls)
        extra = {**answer.extra, "cached": True}
        return replace(answer, tool_calls=calls, usage=NO_USAGE, cost_usd=0.0, extra=extra)

    def _keep(self, key: str, answer: Assistant) -> None:
        try:
            self.store[key] = json.dumps(encode(answer), default=str)
        except OSError as fault:  # a full disk is no reason to lose the answer
            _log.warning("an answer could not be kept: %s", fault)

    def _key(self, request: Request) -> str:
        text = to_text([identity(self.inner), canonical(request, Numbers())])
        return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()

    def _keeps(self, answer: Assistant) -> bool:
        said = answer.tool_calls if self._calls else ()
        whole = not answer.aborted and answer.finish_reason != "error"
        return whole and bool(said or (answer.content.strip() and not answer.tool_calls))


class Folder(MutableMapping[str, str]):
    """A folder as a dict: one file for each key, written whole or not at all, by any number of processes."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        if self._path.exists() and not self._path.is_dir():
            raise UsageError(f"{str(path)!r} is a file: a cache is kept in a folder")

    def __getitem__(self, key: str) -> str:
        try:
            return self._file(key).read_text("utf-8")
        except FileNotFoundError:
            raise KeyError(key) from None

    def __setitem__(self, key: str, value: str) -> None:
        file = self._file(key)
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f"{uuid4().hex}.draft")
        draft.write_text(value, "utf-8")
        draft.replace(file)

    def __delitem__(self, key: str) -> None:
        try:
            self._file(key).unlink()
        except FileNotFoundError:
            raise KeyError(key) from None

    def __iter__(self) -> Iterator[str]:
        return (file.stem for file in self._path.glob("*.json"))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _file(self, key: str) -> Path:
        return self._path / f"{key}.json"


def identity(model: Any) -> list[Any]:
    """What tells models apart, in each process alike: what they are called, how they were made, whom they wrap."""
    made = [getattr(model, name, None) for name in ("settings", "variant")]
    wrapped = getattr(model, "models", None) or [getattr(model, "inner", None)]
    own = re.sub(r" at 0x[0-9a-fA-F]+", "", to_text([repr(model), *made]))
    return [own, *(identity(inner) for inner in wrapped if hasattr(inner, "call"))]
