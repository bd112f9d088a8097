"""The ready tools as tools: what a model sees of them, and what it gets."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import agentkit_tools
from agentkit import Tool
from agentkit_tools import calculator, clock, units, web_search

pytestmark = pytest.mark.anyio

TOOLS = [calculator, clock, units, web_search]


def test_the_package_has_these_tools():
    """What is exported is what is documented."""
    assert agentkit_tools.__all__ == ["calculator", "clock", "units", "web_search"]
    assert all(isinstance(tool, Tool) for tool in TOOLS)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_a_tool_is_described_for_a_model(tool):
    """A short description, and one for each argument; the arguments are flat."""
    spec = tool.spec
    assert spec.name == tool.function.__name__
    assert 20 < len(spec.description) < 400
    for schema in spec.parameters["properties"].values():
        assert schema["description"]
        assert schema["type"] in {"string", "number", "integer"}


def test_the_arguments_have_their_names():
    """Other programs call the tools by these names."""
    names = {
        tool.name: (list(tool.spec.parameters["properties"]), tool.spec.parameters.get("required", []))
        for tool in TOOLS
    }
    assert names == {
        "calculator": (["expression"], ["expression"]),
        "clock": (["timezone"], []),
        "units": (["value", "from_unit", "to_unit"], ["value", "from_unit", "to_unit"]),
        "web_search": (["query", "max_results"], ["query"]),
    }


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
async def test_the_examples_of_a_tool_are_calls_that_it_answers(tool):
    """An example that fails would teach a model to fail."""
    assert 2 <= len(tool.spec.examples) <= 4
    for question, arguments in tool.spec.examples:
        assert question
        assert set(arguments) <= set(tool.spec.parameters["properties"])
        if tool is not web_search:
            assert not (await tool.call_json(json.dumps(arguments))).is_error


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_a_tool_may_be_called_again(tool):
    """None of them changes anything, and none of them waits for ever."""
    assert tool.idempotent
    assert tool.timeout_s


CALLS = [
    (calculator, '{"expression": "0.1 + 0.2"}', "0.3"),
    (calculator, '{"expression": "20% of 80"}', "16"),
    (units, '{"value": 5, "from_unit": "ft", "to_unit": "m"}', "5 ft = 1.524 m"),
    (units, '{"value": "5", "from_unit": "ft", "to_unit": "m"}', "5 ft = 1.524 m"),
]


@pytest.mark.parametrize(("tool", "arguments", "content"), CALLS)
async def test_a_call_is_answered_with_plain_text(tool, arguments, content):
    """What a model reads is the answer and nothing else."""
    result = await tool.call_json(arguments)
    assert (result.content, result.is_error) == (content, False)


FAILURES = [
    (calculator, '{"expression": "9**9**9"}', "369,693,100 digits"),
    (calculator, '{"expression": "__import__(\'os\')"}', "no meaning here"),
    (clock, '{"timezone": "Pari"}', "Europe/Paris"),
    (units, '{"value": 1, "from_unit": "kg", "to_unit": "m"}', "measures mass"),
    (units, '{"value": NaN, "from_unit": "kg", "to_unit": "g"}', ""),
]


@pytest.mark.parametrize(("tool", "arguments", "hint"), FAILURES)
async def test_a_failure_is_told_in_the_words_of_the_tool(tool, arguments, hint):
    """No exception's name, no traceback: what to do instead."""
    result = await tool.call_json(arguments)
    assert result.is_error
    assert hint in result.content
    assert "Traceback" not in result.content


async def test_the_clock_without_a_zone_tells_universal_time():
    """The argument may be left out."""
    assert (await clock.call_json("{}")).content.endswith("(UTC, UTC+00:00)")


def test_a_tool_is_still_a_function():
    """It can be called as one, without a model."""
    assert calculator("6*7") == "42"
    assert units(1, "km", "m") == "1 km = 1000 m"
    assert "UTC" in clock("UTC")


IMPORTED = """
import sys
import agentkit
before = set(sys.modules)
import agentkit_tools
print(*sorted(name for name in set(sys.modules) - before if not name.startswith("agentkit_tools")))
"""


def test_importing_the_tools_imports_no_http_client_and_no_search_engine():
    """What a tool needs only when it is called is imported then."""
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True)
    imported = {name.partition(".")[0] for name in done.stdout.split()}
    assert not imported & {"httpx2", "httpx", "ddgs", "lxml", "primp", "jsonschema"}
