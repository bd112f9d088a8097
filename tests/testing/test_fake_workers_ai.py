"""The fake server: what the model page shows, sent by a plain client; and what the server refuses."""

from __future__ import annotations

import httpx2
import pytest

from agentkit import Agent
from agentkit.core.messages import System, User
from agentkit.models.model import Request
from agentkit.testing import FakeWorkersAI, Scenario, Scripted, call
from agentkit.testing.quirks import SCENARIOS
from agentkit.testing.schemas import BRANCHES, fault_of_input, fault_of_output, schema
from agentkit.testing.workers_ai import ACCOUNT_ID, TOKEN

pytest_plugins = ["agentkit.testing.fixtures"]

MODEL = "@cf/aisingapore/gemma-sea-lion-v4-27b-it"
SYSTEM = {"role": "system", "content": "You are a friendly assistant"}
PAGE = {
    "curl": b'{ "messages": [{ "role": "system", "content": "You are a friendly assistant" }, { "role": "user", "content": "Why is pizza so good" }]}',
    "python": {"messages": [SYSTEM, {"role": "user", "content": "Tell me all about PEP-8"}]},
    "openai": {"model": MODEL, "messages": [SYSTEM, {"role": "user", "content": "Why is pizza so good"}]},
}


@pytest.mark.anyio
@pytest.mark.parametrize("example", PAGE)
@pytest.mark.parametrize("shape", ["chat", "legacy"])
async def test_the_examples_of_the_page_give_what_our_class_gives(example, shape):
    """The two curl commands and the Python program, sent as they stand there."""
    sent = PAGE[example]
    with FakeWorkersAI("Because of the cheese.", "Because of the cheese.", shape=shape) as server:
        path = "v1/chat/completions" if example == "openai" else f"run/{MODEL}"
        async with httpx2.AsyncClient(trust_env=False) as client:
            response = await client.post(
                f"{server.url}/accounts/{ACCOUNT_ID}/ai/{path}",
                headers={"Authorization": f"Bearer {TOKEN}"},
                **({"content": sent} if isinstance(sent, bytes) else {"json": sent}),
            )
        value = response.json()
        value = value.get("result", value)
        text = value["response"] if shape == "legacy" else value["choices"][0]["message"]["content"]
        first = server.bodies[0]
        messages = [System(content=first["messages"][0]["content"]), User(content=first["messages"][1]["content"])]
        async with server.model(transport="openai" if example == "openai" else "native") as model:
            answer = await model.call(Request(messages=messages))
        assert server.requests[0].path == server.requests[1].path
        assert {**first, "max_tokens": 4096} == server.bodies[1]
    assert answer.content == text == "Because of the cheese."


def post(server, body, *, path=f"run/{MODEL}", token=TOKEN, account=ACCOUNT_ID):
    """A plain request and its answer."""
    url = f"{server.url}/accounts/{account}/ai/{path}"
    return httpx2.post(url, json=body, headers={"Authorization": f"Bearer {token}"}, trust_env=False)


REFUSED = {
    "messages-as-text": ({"messages": "Hi"}, "Type mismatch of '/messages', 'string' not in 'array'"),
    "null-content": ({"messages": [{"role": "user", "content": None}]}, "'null' not in 'string'"),
    "array-content": (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
        "Type mismatch of '/messages/0/content', 'array' not in 'string'",
    ),
    "nothing": ({}, "required properties at '/' are 'prompt'"),
    "temperature": ({"prompt": "x", "temperature": 6}, "maximum of '/temperature'"),
    "undescribed-tool": ({"messages": [], "tools": [{"name": "f", "parameters": {}}]}, "oneOf at '/' not met"),
    "batch-unasked": ({"requests": [{"prompt": "x"}]}, "queueRequest"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_the_schema_is_refused_in_cloudflares_words(name):
    """With status 400."""
    body, words = REFUSED[name]
    with FakeWorkersAI(expect_invalid=True) as server:
        response = post(server, body)
    assert response.status_code == 400
    assert words in response.json()["errors"][0]["message"]
    assert not server.paid


def test_a_body_that_nobody_announced_fails_the_block():
    """So that each body that any test sends is valid; a failure inside the block is told as it is."""
    with pytest.raises(AssertionError, match="input schema"), FakeWorkersAI() as server:
        post(server, {"messages": "Hi"})
    with pytest.raises(ZeroDivisionError), FakeWorkersAI() as server:
        post(server, {"messages": "Hi"})
        1 // 0  # noqa: B018


def test_addresses_and_tokens_are_looked_at():
    """As the real server does."""
    with FakeWorkersAI() as server:
        assert post(server, {"prompt": "x"}, token="no").json()["errors"][0]["code"] == 10000
        assert post(server, {"prompt": "x"}, account="0" * 32).json()["errors"][0]["code"] == 7003
        assert (
            post(server, {"prompt": "x"}, path=f"run/{MODEL.replace('/', '%2F')}").json()["errors"][0]["code"] == 7000
        )
        assert httpx2.get(f"{server.url}/x", trust_env=False).json()["errors"][0]["code"] == 7000
        path = f"{server.url}/accounts/{ACCOUNT_ID}/ai/v1/chat/completions"
        got = httpx2.get(path, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False)
        assert (got.status_code, got.json()["errors"][0]["code"]) == (405, 7001)


def test_the_schemas_are_those_of_the_page():
    """The copies in the package and those of the tests."""
    import json
    from pathlib import Path

    for name in ("input", "output"):
        copy = Path(__file__).parents[1] / "data" / f"workers_ai.{name}.schema.json"
        assert schema(name) == json.loads(copy.read_text())


@pytest.mark.parametrize("name", [name for name, one in SCENARIOS.items() if one.branch is not None])
def test_answers_fit_the_branch_that_they_name(name):
    """Each by itself: the last branch of the whole requires nothing."""
    scenario = SCENARIOS[name]
    answer = scenario.body if scenario.events is None else str(scenario.events)
    assert scenario.branch in BRANCHES
    assert fault_of_output(answer, scenario.branch) is None


def test_an_answer_that_does_not_fit_its_branch_is_never_sent():
    """The server fails instead."""
    assert fault_of_output({"object": "chat"}, BRANCHES[0]) is not None
    assert fault_of_input({"prompt": ""}) is not None
    with pytest.raises(ValueError, match="no branch"):
        Scenario(body={}, branch="Another")


def test_the_fixture_leads_the_environment_to_the_server(workers_ai):
    """So that code under test finds it by itself."""
    from agentkit.models import WorkersAI
    from agentkit.runtime.sync import run_sync

    workers_ai.add("Hai")
    model = WorkersAI(MODEL)
    assert str(Agent(model).run("Halo")) == "Hai"
    run_sync(model.aclose, "aclose")


def test_scripts_are_at_hand():
    """What most tests need is in one place."""
    assert str(Agent(Scripted([call("none"), "Well."])).run("x")) == "Well."
