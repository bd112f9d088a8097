"""The command line, driven as a person would: a real process, a real server on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from scripted_server import scripted_server

TOOLS = '''
from agentkit import tool

@tool
def shout(text: str) -> str:
    """Say it loudly."""
    return text.upper()

def helper(x):
    return x
'''

FUNCTIONS = '''
def whisper(text: str) -> str:
    """Say it quietly."""
    return text.lower()
'''


def agentkit(*arguments, env=None, stdin=None):
    """The command in a process of its own, with an empty environment but for these variables."""
    clean = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "VIRTUAL_ENV", "TMPDIR")}
    return subprocess.run(
        [sys.executable, "-m", "agentkit", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**clean, **(env or {})},
        input=stdin,
    )


@pytest.fixture
def served():
    """Runs the command against a server that answers these lines."""

    def run(lines, *arguments, **options):
        with scripted_server(lines) as server:
            env = {"OPENAI_API_KEY": "sk-secret-key", "OPENAI_BASE_URL": server.url, **options.pop("env", {})}
            done = agentkit("run", *arguments, env=env, **options)
            done.bodies = server.bodies
            return done

    return run


CALL = [["calculator", {"expression": "23*47"}]]


def test_calls_and_results_are_shown_as_they_happen_and_the_answer_last(served):
    """Exit code 0."""
    done = served([CALL, "It is 1081."], "What is 23 * 47?")
    assert done.stdout.splitlines() == ['calculator(expression="23*47")', "  = 1081", "It is 1081."]
    assert (done.returncode, done.stderr) == (0, "")


def test_the_ready_tools_are_offered_and_web_search_when_it_is_configured(served):
    """Calculator, clock and units; web search with a backend."""
    names = [t["function"]["name"] for t in served(["Hello."], "Hello").bodies[0]["tools"]]
    assert names[:3] == ["calculator", "clock", "units"]
    done = served(["Hello."], "Hello", env={"SEARXNG_URL": "http://127.0.0.1:9"})
    assert "web_search" in [t["function"]["name"] for t in done.bodies[0]["tools"]]


def test_stream_shows_the_answer_once(served):
    """Calls and results too."""
    done = served([CALL, "It is 1081."], "What is 23 * 47?", "--stream")
    assert done.stdout.count("It is 1081.") == 1
    assert "= 1081" in done.stdout
    assert done.bodies[0]["stream"] is True


def test_json_is_one_object_for_machines(served):
    """With the calls, the output and the usage."""
    done = served([CALL, "It is 1081."], "What is 23 * 47?", "--json")
    (line,) = done.stdout.splitlines()
    told = json.loads(line)
    assert told["output"] == "It is 1081."
    assert told["stop_reason"] == "finished"
    assert told["tool_calls"][0]["name"] == "calculator"
    assert told["tool_calls"][0]["arguments"] == {"expression": "23*47"}
    assert told["tool_calls"][0]["result"] == "1081"
    assert told["usage"] == {"input_tokens": 20, "output_tokens": 10}


def test_verbose_tells_steps_and_tokens(served):
    """And still the answer."""
    done = served([CALL, "It is 1081."], "What is 23 * 47?", "--verbose")
    assert "step 2" in done.stdout
    assert "20 + 10 tokens" in done.stdout


def test_tools_of_a_file_and_of_a_package(served, tmp_path):
    """Decorated ones only where there are any; plain functions otherwise."""
    (tmp_path / "mine.py").write_text(TOOLS)
    (tmp_path / "plain.py").write_text(FUNCTIONS)
    args = ["Hi", "--tools", str(tmp_path / "mine.py"), "--tools", str(tmp_path / "plain.py")]
    done = served([[["shout", {"text": "hi"}]], "done"], *args, "--tools", "agentkit_tools:clock")
    assert [t["function"]["name"] for t in done.bodies[0]["tools"]] == ["shout", "whisper", "clock"]
    assert "= HI" in done.stdout


def test_a_question_from_standard_input(served):
    """A dash stands for it."""
    done = served(["Hello."], "-", stdin="Say hello\n")
    assert done.bodies[0]["messages"][-1]["content"].strip() == "Say hello"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "question"),
        (["run", " "], "empty"),
        (["run", "x", "--model", "opnai:gpt-4o"], "openai"),
        (["run", "x", "--model", "openai:gpt-4o"], "OPENAI_API_KEY"),
        (["run", "x", "--tools", "nowhere.py"], "no such file"),
        (["run", "x", "--tools", "agentkit_tools:nothing"], "nothing"),
        (["run", "x", "--tools", "nonsense"], "package:name"),
        ([], "command"),
    ],
)
def test_a_wrong_command_is_one_clear_line_and_exit_code_2(arguments, words):
    """No traceback."""
    done = agentkit(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    if not done.stderr.startswith("usage:"):
        assert len(done.stderr.splitlines()) == 1


def test_a_server_that_fails_is_one_clear_line_and_exit_code_1(served):
    """The key is not in it."""
    done = served([], "Hello")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "the script is used up" in done.stderr
    assert "sk-secret-key" not in done.stdout + done.stderr


def test_a_server_that_is_not_there_is_one_clear_line():
    """It names the address."""
    env = {"OPENAI_API_KEY": "sk-x", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    done = agentkit("run", "Hello", env=env)
    assert done.returncode == 1
    assert "127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr
