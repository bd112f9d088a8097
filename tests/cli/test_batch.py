"""`agentkit batch`: a file of questions becomes a file of answers, whatever happens to the process on the way."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys

import pytest

from agentkit.cli.batch import Bar
from agentkit.cli.main import main
from agentkit.testing import FakeWorkersAI

QUESTIONS = ['"Name a river"', '{"id": "r1", "question": "Name a hill"}', '{"prompt": "Laos", "max_tokens": 9}']


@pytest.fixture
def server(monkeypatch):
    """A fake Workers AI, to which the environment leads."""
    with FakeWorkersAI(polls=1, fails=lambda item: "FAIL" in json.dumps(item)) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def questions(tmp_path):
    """A file of three questions."""
    path = tmp_path / "questions.jsonl"
    path.write_text("\n".join(QUESTIONS) + "\n\n", encoding="utf-8")
    return path


def batch(questions, *more):
    """The exit code, and the lines of the answers."""
    out = questions.with_name("answers.jsonl")
    code = main(["batch", str(questions), "--out", str(out), "--poll-s", "0.01", *more])
    return code, [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()] if out.exists() else None


def test_a_file_of_questions_is_answered_in_order(server, questions):
    """With references, usage and cost; asked again, nothing is sent."""
    code, lines = batch(questions)
    assert code == 0
    assert [line["answer"] for line in lines] == ["Name a river", "Name a hill", "Laos"]
    assert [line["external_reference"] for line in lines] == [None, "r1", None]
    assert lines[0]["usage"] == {"input_tokens": 13, "output_tokens": 8}
    assert lines[0]["cost_usd"] > 0
    sent = len(server.requests)
    assert batch(questions) == (0, lines)
    assert (len(server.requests), len(server.paid)) == (sent, 3)


def test_failed_items_are_kept_and_can_be_sent_again(server, questions, capsys):
    """On purpose only."""
    with questions.open("a") as file:
        file.write('"FAIL please"\n')
    code, lines = batch(questions)
    assert code == 1
    assert "3040" in lines[3]["error"]
    assert lines[3]["raw"]["success"] is False
    assert batch(questions)[0] == 1
    assert len(server.paid) == 4
    server._fails = None
    code, lines = batch(questions, "--retry-failed")
    assert (code, lines[3]["answer"], len(server.paid)) == (0, "FAIL please", 5)
    assert "1 failed; --retry-failed" in capsys.readouterr().err


def test_new_questions_are_sent_and_old_ones_are_not(server, questions):
    """A file may grow."""
    batch(questions)
    with questions.open("a") as file:
        file.write('"One more"\n"Name a river"\n')
    code, lines = batch(questions)
    assert (code, [line["answer"] for line in lines[3:]]) == (0, ["One more", "Name a river"])
    assert len(server.paid) == 5


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no questions"),
        ("Name a river\n", "not JSON"),
        ("12\n", "question, prompt or messages"),
        ('{"prompt": "x", "temperature": 9}', "temperature=9"),
        ('{"prompt": ""}', "needs a text"),
        ('{"messages": null}', "needs a text"),
        ('{"messages": 5}', "needs a text"),
        ("[" * 100_000, "not JSON"),
        ('{"messages": [{"role": "user", "content": null}]}', "needs a text"),
    ],
)
def test_what_is_no_question_is_refused_before_anything_is_sent(server, questions, capsys, content, words):
    """With the place and what to write."""
    questions.write_text(content)
    assert batch(questions)[0] == 2
    assert words in capsys.readouterr().err
    assert not server.requests


def test_the_bar_is_for_terminals_only():
    """A log file stays quiet."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    log, terminal = io.StringIO(), Terminal()
    for out in (log, terminal):
        bar = Bar(out)
        bar.show(1, 2)
        bar.show(2, 2)
        bar.close()
    assert log.getvalue() == ""
    assert terminal.getvalue().endswith("2/2\n")


DYING = """
import os, signal, sys
from agentkit.cli.main import main

left, when = int(sys.argv.pop(1)), sys.argv.pop(1)

def dying(real):
    def call(*args):
        global left
        left -= 1
        if left == 0 and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = real(*args)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    return call

os.fsync, os.replace = dying(os.fsync), dying(os.replace)
sys.exit(main())
"""
"""The command, killed before or after the n-th time that it made something last: three lines of the journal, one file."""


class Killing(FakeWorkersAI):
    """Kills its client at one of its requests, when that was taken but not yet answered."""

    def __init__(self, at):
        super().__init__(polls=1)
        self.at, self.client = at, None

    def _inferred(self, request, place, body):
        scenario = super()._inferred(request, place, body)
        if len(self.requests) == self.at:
            self.client.send_signal(signal.SIGKILL)
            self.client.wait()
        return scenario


def started(server, questions, *how):
    """The command in a process of its own."""
    out = questions.with_name("answers.jsonl")
    command = [sys.executable, *how, "batch", str(questions), "--out", str(out), "--poll-s", "0.02"]
    return subprocess.Popen(command, env={**os.environ, **server.environment}, stderr=subprocess.DEVNULL)


def ended(server, questions, monkeypatch):
    """The same command again, until nothing is left to do: the texts, and whether some were unknown on the way."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    code, lines = batch(questions)
    if code == 0:
        return [line["answer"] for line in lines], False
    assert all("may have been paid" in line["error"] for line in lines)
    return [line["answer"] for line in batch(questions, "--retry-failed")[1]], True


ANSWERS = ["Name a river", "Name a hill", "Laos"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("point", [1, 2, 3, 4])
def test_a_process_killed_at_any_point_of_its_own_goes_on(questions, monkeypatch, point, when):
    """Nothing is paid twice, no answer is lost; what may have been sent is sent again on purpose only."""
    with FakeWorkersAI(polls=1) as server:
        assert started(server, questions, "-c", DYING, str(point), when).wait(60) == -signal.SIGKILL
        assert ended(server, questions, monkeypatch) == (ANSWERS, point == 1)
        assert len(server.paid) == len(QUESTIONS)


@pytest.mark.parametrize("request_number", [1, 2, 3])
def test_a_process_killed_while_the_server_answers_goes_on(questions, monkeypatch, request_number):
    """Between sending and hearing the request id nobody knows, so nobody pays again unasked."""
    with Killing(request_number) as server:
        server.client = started(server, questions, "-m", "agentkit")
        assert server.client.wait(60) == -signal.SIGKILL
        server.at = 0
        texts, unknown = ended(server, questions, monkeypatch)
        assert (texts, unknown) == (ANSWERS, request_number == 1)
        assert len(server.paid) == len(QUESTIONS) * (2 if unknown else 1)


def test_a_folder_that_is_not_there_is_one_clear_line(server, questions, capsys):
    """Before anything is paid."""
    assert main(["batch", str(questions), "--out", str(questions.parent / "no" / "answers.jsonl")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert not server.requests


def test_names_that_are_no_unicode_are_answered(server, questions):
    """What no file can carry is a question mark in it."""
    questions.write_text('{"id": "\\ud800", "question": "Name a river"}')
    for _ in range(2):
        code, [line] = batch(questions)
        assert (code, line["external_reference"], line["answer"]) == (0, "?", "Name a river")
    assert len(server.paid) == 1
