"""The `agentkit` command. Exit codes: 0 there is an answer, 1 there is none, 2 the command was used wrongly."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import StringIO, TextIOWrapper

from agentkit.agent import Agent
from agentkit.cli.batch import add_batch, run_batch
from agentkit.cli.load_tools import load_tools, ready_tools
from agentkit.cli.models import add_models, run_models
from agentkit.cli.show import Human, Machine
from agentkit.core.result import Result
from agentkit.errors import AgentkitError, UsageError

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (those of the process by default); gives the exit code."""
    options = _parser().parse_args(argv)
    for stream in (sys.stdin, sys.stdout):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what a locale cannot carry is no reason to fail
    try:
        return _run(options)
    except UsageError as fault:
        return _complain(fault, USAGE)
    except AgentkitError as fault:
        return _complain(fault, FAILED)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except OSError as fault:  # a full disk, a folder that is not there, a reader of our output that has gone
        _give_up_output()
        return FAILED if isinstance(fault, BrokenPipeError) else _complain(fault, FAILED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agentkit", description="Ask a model that can call Python functions.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    run = commands.add_parser("run", help="answer one question", description="Answer one question.")
    run.add_argument("question", help="the question; - reads it from standard input")
    run.add_argument("--model", metavar="M", help='such as "openai:gpt-4o"; chosen from the environment by default')
    run.add_argument(
        "--tools",
        metavar="T",
        action="append",
        help="a file of tools (tools.py), or package:name; may be given again; instead of the ready tools",
    )
    run.add_argument("--stream", action="store_true", help="show the answer as it is written")
    run.add_argument("--verbose", action="store_true", help="show steps, thoughts and what it cost")
    run.add_argument("--json", action="store_true", help="print JSON for machines")
    add_batch(commands)
    add_models(commands)
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.command == "batch":
        return FAILED if run_batch(options) else OK
    if options.command == "models":
        run_models(options)
        return OK
    question = options.question
    if question == "-":
        question = "" if sys.stdin is None else sys.stdin.read()
    if not question.strip():
        raise UsageError('the question is empty; ask something: agentkit run "What is 23 * 47?"')
    tools = load_tools(options.tools) if options.tools else ready_tools()
    agent: Agent[None, str] = Agent(options.model, tools=tools)
    style = Machine if options.json else Human
    show = style(sys.stdout or StringIO(), stream=options.stream, verbose=options.verbose)
    result: Result[str] | None = None
    for event in agent.stream(question):
        show.event(event)
        if event.kind == "finished":
            result = event.result
    if result is None or not result.has_output:
        stopped = "nothing came back" if result is None else f"no answer (stopped: {result.stop_reason})"
        return _complain(stopped, FAILED)
    return OK


def _give_up_output() -> None:
    """If nobody takes the rest of our output, the exit shall not try it again and complain."""
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError):
            sys.stdout.close()


def _complain(fault: object, code: int) -> int:
    line = " ".join(str(fault).split())
    print(f"agentkit: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
