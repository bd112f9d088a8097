"""The promise that every run of every test keeps: each prefix of its transcript, read again, finishes the same.

The runs are collected where all of them come by: where `Agent` makes its `Run` (agents that are tools, streams and
resumed sessions included), so that no test can forget to. A prefix is what a process leaves behind that was killed
there. It goes through the codec into a fresh run, whose model gives the answers that the transcript holds from there
on, and whose tools give the results: what it leads to is compared with what the first run came to.
"""

from __future__ import annotations

import dataclasses
import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import anyio

from agentkit import agent, errors
from agentkit.core.chat_format import to_openai
from agentkit.core.codec import decode, encode
from agentkit.core.entries import Decision, Entry, ModelFailed, Summary
from agentkit.core.events import TextEvent, ToolCallReady
from agentkit.core.messages import NO_USAGE, Assistant, ToolCall, ToolResult, Usage, User
from agentkit.core.state import Phase, fold
from agentkit.core.view import view
from agentkit.runtime.batch import INTERRUPTED
from agentkit.runtime.loop import drive
from agentkit.runtime.run import Run
from agentkit.runtime.summary import ASK
from agentkit.tooling.output import ToolOutput

MAX_SHAPES = 40
"""Transcripts of one test that are looked at, each of another shape: a property test makes thousands alike."""

MAX_PREFIXES = 20
"""Prefixes of one transcript, evenly spread."""

MAX_ENTRIES = 6_000
"""Entries of all prefixes of one transcript: of a very long one only a few are looked at."""


class Seen:
    """The runs of one test."""

    def __init__(self) -> None:
        self.runs: dict[tuple[str, ...], _Watched] = {}

    def add(self, run: _Watched) -> None:
        """Keep a run that is over, if there was none of its shape yet."""
        shape = tuple(entry.outcome if isinstance(entry, ToolResult) else entry.kind for entry in run.entries)
        if run.entries and len(self.runs) < MAX_SHAPES:
            self.runs.setdefault(shape, run)

    def check(self) -> None:
        """Finish each prefix of each transcript.

        Raises:
            AssertionError: One of them came to something else.
        """
        for run in self.runs.values():
            anyio.run(_check, run)


class _Watched(Run):
    """A run that knows where it began."""

    __slots__ = ("began_at",)

    def restore(self, entries: Iterable[Entry]) -> None:
        """Take over what is kept."""
        entries = tuple(entries)
        self.began_at = len(entries)
        super().restore(entries)


@contextmanager
def watched() -> Iterator[Seen]:
    """Collects every run that is made in this block."""
    seen, running = Seen(), []

    def watch(*args: Any) -> Run:
        run = _Watched(*args)
        running.append(run)
        if len(running) > MAX_SHAPES:
            seen.add(running.pop(0))
        return run

    real, agent.Run = agent.Run, watch
    try:
        yield seen
    finally:
        agent.Run = real
        for run in running:
            seen.add(run)


async def _check(run: _Watched) -> None:
    entries = tuple(run.entries)
    fold(entries)
    asked = max((at for at, entry in enumerate(entries) if isinstance(entry, User)), default=len(entries))
    ends = range(max(asked + 1, run.began_at), len(entries) + 1)
    for end in ends[:: len(ends) // min(MAX_PREFIXES, MAX_ENTRIES // len(entries) + 1) + 1]:
        for streamed in (False, True):
            again = await _finished(run, entries, end, streamed=streamed)
            _compare(entries, again, end)


async def _finished(run: Run, entries: tuple[Entry, ...], end: int, *, streamed: bool) -> Run:
    """What a fresh process makes of the first `end` entries."""
    replay = _Replay(entries, end)
    limits = dataclasses.replace(run.task.limits, deadline_s=None)
    decided = any(entry.kind == "decision" for entry in entries[end:])
    task = dataclasses.replace(
        run.task,
        model=replay,
        summariser=None,
        views=(),
        tools={name: _replayed(tool, replay.results) for name, tool in run.task.tools.items()},
        limits=limits,
        approve=replay.decide if decided else None,
        raise_tool_errors=False,
    )
    again = Run(task, (lambda _: None) if streamed else None)
    again.restore(decode(encode(entry)) for entry in entries[:end])
    try:
        await drive(again)
    except Exception:
        assert again.entries[-1].kind == "model_failed"
    return again


def _compare(entries: tuple[Entry, ...], again: Run, end: int) -> None:
    where = f"the first {end} of {len(entries)} entries, gone on with"
    state = fold(again.entries)
    ended = again.entries[-1].kind in ("ended", "model_failed") or state.phase is Phase.APPROVAL
    assert ended, f"{where}, do not end: {again.entries[-1]}"
    if state.phase is not Phase.APPROVAL:
        assert not state.open, f"{where}, leave calls without an answer"
    _one_answer_each(again.entries, where)
    last = entries[-1]
    unknown = any(isinstance(e, ToolResult) and e.content == INTERRUPTED for e in again.entries)
    if last.kind == "ended" and last.reason != "deadline_s":
        reason = again.entries[-1].reason if again.entries[-1].kind == "ended" else None
        assert reason == last.reason or unknown, f"{where}, end with {reason!r} and not {last.reason!r}"
        if not unknown:
            assert _shown(again.entries) == _shown(entries), f"{where}, show the model something else"


def _shown(entries: Iterable[Entry]) -> list[Any]:
    return [to_openai(message) for message in view(entries)]


def _one_answer_each(entries: list[Entry], where: str) -> None:
    called = [call.id for e in entries if isinstance(e, Assistant) and not e.aborted for call in e.tool_calls]
    answered = [entry.call_id for entry in entries if isinstance(entry, ToolResult)]
    assert len(set(answered)) == len(answered), f"{where}, answer a call twice"
    assert set(answered) <= set(called), f"{where}, answer what was never called"


def _summary_failed(entry: Entry) -> bool:
    return isinstance(entry, ModelFailed) and entry.message.startswith("the summary failed")


def _was_said(entries: tuple[Entry, ...], at: int) -> bool:
    """Whether a model said this entry, or failed with it in a run that went on or came to nothing else."""
    after = next((entry for entry in entries[at + 1 :] if not _summary_failed(entry)), None)
    match entries[at]:
        case Assistant(aborted=aborted):
            return not aborted
        case Summary() as summary:
            failed = at + 1 < len(entries) and _summary_failed(entries[at + 1])
            return summary.usage != NO_USAGE or summary.covers > 0 or failed
        case ModelFailed() as failed:
            noted = at > 0 and isinstance(entries[at - 1], Summary)
            return not noted and (after is None or (isinstance(after, Summary) and not _summary_failed(failed)))
    return False


class _Replay:
    """What came after the prefix: the model's answers in order, the tools' results and the decisions by call."""

    native_output = False

    def __init__(self, entries: tuple[Entry, ...], end: int) -> None:
        self.results = {entry.call_id: entry for entry in entries if isinstance(entry, ToolResult)}
        self.decisions = {entry.call_id: entry for entry in entries if entry.kind == "decision"}
        said = [entries[at] for at in range(end, len(entries)) if _was_said(entries, at)]
        self.summaries = deque(entry for entry in said if isinstance(entry, Summary) or _summary_failed(entry))
        self.answers = deque(entry for entry in said if entry not in self.summaries)

    async def call(self, request: Any, emit: Any = None) -> Assistant:
        """The next of what the model said."""
        lines = self.summaries if request.messages[0].content == ASK else self.answers
        match lines.popleft() if lines else Assistant(content="done", usage=Usage(requests=1)):
            case Assistant() as answer:
                for delta in (TextEvent(answer.content), *map(ToolCallReady, answer.tool_calls)):
                    if emit is not None and (wait := emit(delta)) is not None:
                        await wait
                return answer
            case Summary(covers=0, usage=usage) if usage == NO_USAGE:
                raise errors.ModelError("no summary")
            case Summary() as summary:
                return Assistant(content=summary.content, usage=summary.usage, cost_usd=summary.cost_usd)
            case failed:
                raise getattr(errors, failed.error, errors.ModelError)(failed.message)

    def decide(self, call: ToolCall) -> Any:
        """What was decided."""
        match self.decisions.get(call.id):
            case Decision(arguments=str() as arguments):
                return json.loads(arguments)
            case Decision(verdict="allow"):
                return True
            case decided:
                return decided.reason if decided else False


class _Validator:
    """Arguments are checked as ever, and what is called is told only which call it is."""

    def __init__(self, real: Any) -> None:
        self.validate_json = real.validate_json
        self.explain = real.explain

    def bind(self, arguments: Mapping[str, Any], context: Any) -> tuple[list[Any], dict[str, Any]]:
        return [context.call.id], {}


def _replayed(tool: Any, results: Mapping[str, ToolResult]) -> Any:
    """A tool of the same policy that gives the results of the transcript."""

    async def give(call_id: str) -> Any:
        await anyio.lowlevel.checkpoint()
        kept = results.get(call_id)
        if kept is None:
            return "a call that was never answered"
        return ToolOutput(kept.content, kept.details, kept.is_error, kept.usage, kept.cost_usd)

    plain = {"timeout_s": None, "retries": 0, "max_output_chars": None, "in_thread": False}
    return dataclasses.replace(tool, function=give, validator=_Validator(tool.validator), **plain)
