"""The command line, driven as a person would: a real process, a real server on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.parametrize("style", [[], ["--stream"], ["--json"]], ids=["plain", "stream", "json"])
def test_a_locale_that_cannot_carry_the_answer_shows_it_escaped(served, style):
    """Nobody loses an answer that is paid for."""
    done = served(["\u6f22 \U0001f600 \xe9"], "Hi", *style, env={"PYTHONIOENCODING": "ascii:strict"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u6f22" in done.stdout
    if style == ["--json"]:
        assert json.loads(done.stdout)["output"] == "\u6f22 \U0001f600 \xe9"


def test_a_question_that_is_no_text_in_this_locale_is_asked_escaped(served):
    """From standard input."""
    done = served(["Hello."], "-", stdin="Say \xe9", env={"PYTHONIOENCODING": "ascii:strict"})
    assert done.returncode == 0
    assert done.bodies[0]["messages"][-1]["content"] == "Say \\xc3\\xa9"


@pytest.mark.parametrize(
    ("redirected", "code", "lines"),
    [("| head -c 1", 1, 0), ("> /dev/full", 1, 1), (">&-", 0, 0), ("- <&-", 2, 1)],
    ids=["gone", "full", "closed", "no input"],
)
def test_an_output_that_takes_nothing_is_one_line_at_most(redirected, code, lines):
    """And the exit code says how it went."""
    if not Path("/dev/full").exists():
        pytest.skip("this machine has no /dev/full")
    question = "" if redirected.startswith("-") else "Hi --stream "
    with scripted_server(["word " * 20_000]) as server:
        env = {**os.environ, "OPENAI_API_KEY": "sk-x", "OPENAI_BASE_URL": server.url, "AGENTKIT_MODEL": "openai:m"}
        command = f"{sys.executable} -m agentkit run {question}{redirected}; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", command], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (code, lines), done.stderr


@pytest.mark.parametrize("spec", ["..:tool", "broken:tool", "exits:tool", "broken.py", "exits.py"])
def test_tools_that_cannot_be_imported_are_one_clear_line(tmp_path, spec):
    """Whatever their module does."""
    (tmp_path / "broken.py").write_text("raise RuntimeError('no database')")
    (tmp_path / "exits.py").write_text("import sys; sys.exit(3)")
    named = str(tmp_path / spec) if spec.endswith(".py") else spec
    done = agentkit("run", "Hi", "--tools", named, env={"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"})
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert named in done.stderr
