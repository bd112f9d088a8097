"""`agentkit batch questions.jsonl --out answers.jsonl`: many questions, in Cloudflare's asynchronous queue.

A line of the questions is a text, or an object with `question`, `prompt` or `messages`, and with an
`external_reference` (or `id`) if the answer is to have one. Beside the answers lies a journal
(`answers.jsonl.journal`): run the same command again after a crash, and it goes on; nothing is paid twice.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from agentkit.errors import UsageError
from agentkit.models.providers import SEA_LION
from agentkit.models.workers_ai import BatchAnswer, WorkersAI
from agentkit.runtime.sync import run_sync

BAR_CHARS = 30
_PREFIX = "workers-ai:"


def add_batch(commands: Any) -> None:
    """Add the command to the parser's commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "batch", help="answer a file of questions", description="Answer a file of questions on Workers AI."
    )
    parser.add_argument("questions", help="a file with one question a line: a JSON text or object")
    parser.add_argument("--out", required=True, metavar="FILE", help="where the answers go, one JSON object a line")
    parser.add_argument("--model", metavar="M", help=f"a model of Workers AI; {SEA_LION} by default")
    parser.add_argument("--retry-failed", action="store_true", help="send again what failed before")
    parser.add_argument("--poll-s", type=float, default=2.0, metavar="S", help="seconds between the first polls")


def run_batch(options: argparse.Namespace) -> int:
    """Run the command; gives how many items have no answer."""
    items = read_questions(Path(options.questions))
    out = Path(options.out)
    model = WorkersAI(_model_id(options.model))
    bar = Bar(sys.stderr)

    async def ask() -> list[BatchAnswer]:
        async with model:
            return await model.batch(
                items,
                journal=out.with_name(out.name + ".journal"),
                retry_failed=options.retry_failed,
                poll_s=options.poll_s,
                on_progress=bar.show,
            )

    answers = run_sync(ask, "batch")
    bar.close()
    write_answers(out, answers)
    failed = sum(answer.answer is None for answer in answers)
    again = "; --retry-failed sends them again" if failed else ""
    print(f"{len(answers) - failed} answers, {failed} failed{again}", file=sys.stderr)
    return failed


def read_questions(path: Path) -> list[str | dict[str, Any]]:
    """The items of a file.

    Raises:
        UsageError: There is no such file, or a line is no question.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: it cannot be read: {error}") from None
    items = [_item(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not items:
        raise UsageError(f"{path} holds no questions")
    return items


def write_answers(path: Path, answers: Sequence[BatchAnswer]) -> None:
    """One line an item, in the order of the questions; the file is whole or not there."""
    text = "".join(json.dumps(_line(answer), ensure_ascii=False) + "\n" for answer in answers)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8", errors="replace")
    unfinished.replace(path)


class Bar:
    """How far the batch is, for a person who looks at a terminal; nothing for anyone else."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._shown = False

    def show(self, done: int, total: int) -> None:
        """So many of so many are answered."""
        if not self._out.isatty():
            return
        full = BAR_CHARS * done // max(total, 1)
        self._out.write(f"\r[{'#' * full}{'.' * (BAR_CHARS - full)}] {done}/{total}")
        self._out.flush()
        self._shown = True

    def close(self) -> None:
        """End the line."""
        if self._shown:
            self._out.write("\n")


def _model_id(name: str | None) -> str:
    named = name or os.environ.get("AGENTKIT_MODEL", "")
    return (named if named.removeprefix(_PREFIX).startswith("@") else name or SEA_LION).removeprefix(_PREFIX)


def _item(line: str, where: str) -> str | dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise UsageError(f"{where}: not JSON; write a text in quotes, or an object with a question") from None
    if isinstance(value, str) and value:
        return value
    if not isinstance(value, dict) or not value.keys() & {"question", "prompt", "messages"}:
        raise UsageError(f"{where}: write a text, or an object with question, prompt or messages")
    body: dict[str, Any] = {key: part for key, part in value.items() if key not in {"question", "id"}}
    if "question" in value:
        body["messages"] = [{"role": "user", "content": value["question"]}]
    return {**body, **_reference(value)}


def _reference(value: Mapping[str, Any]) -> dict[str, str]:
    given = value.get("external_reference", value.get("id"))
    return {} if given is None else {"external_reference": str(given)}


def _line(answer: BatchAnswer) -> dict[str, Any]:
    out: dict[str, Any] = {"index": answer.index, "external_reference": answer.reference}
    if answer.answer is None:
        return {**out, "error": str(answer.error), "raw": dict(answer.raw)}
    said = answer.answer
    usage = {"input_tokens": said.usage.input_tokens, "output_tokens": said.usage.output_tokens}
    calls = [{"name": call.name, "arguments": call.arguments} for call in said.tool_calls]
    return {
        **out,
        "answer": said.content,
        **({"tool_calls": calls} if calls else {}),
        "usage": usage,
        "cost_usd": said.cost_usd,
    }
