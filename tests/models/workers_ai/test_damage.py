"""Every recorded shape, damaged at every place: what comes of it is an answer or one clear error, never anything else."""

from __future__ import annotations

import copy
import json

import httpx2
import pytest

from agentkit.core.messages import ToolSpec, User
from agentkit.errors import ModelError
from agentkit.models.model import Request
from agentkit.models.workers_ai import WorkersAI
from agentkit.testing.quirks import SCENARIOS
from agentkit.testing.workers_ai import ACCOUNT_ID

TEXT = {"type": "object", "properties": {"city": {"type": "string"}, "day": {"type": "string"}}}
REQUEST = Request(messages=[User(content="Hi")], tools=[ToolSpec(name, "X", TEXT) for name in ("lookup_port", "tide")])
ODD = (None, 0, -1, True, 10**400, float("nan"), "", "x", [], {}, [None], [[]], [{}], {"a": 1})


def places(value, at=()):
    """The path of every key and index."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*at, key)
        yield from places(inner, (*at, key))


def damaged(value):
    """The value without each of its parts, with each renamed, doubled, wrapped, and of each other type."""
    yield from ODD
    for *way, last in places(value):
        for odd in (*ODD, "gone", "renamed", "wrapped", "doubled"):
            whole = copy.deepcopy(value)
            parent = whole
            for key in way:
                parent = parent[key]
            match odd:
                case "gone":
                    del parent[last]
                case "renamed" if isinstance(parent, dict):
                    parent["x_" + last] = parent.pop(last)
                case "doubled" if isinstance(parent, list):
                    parent.insert(last, parent[last])
                case "wrapped":
                    parent[last] = [parent[last]]
                case _:
                    parent[last] = odd
            yield whole


def sent(*events):
    """The bytes of an event stream."""
    texts = [event if event == "[DONE]" else json.dumps(event) for event in events]
    return "".join(f"data: {text}\n\n" for text in texts).encode()


class Outcomes:
    """What a model makes of bodies, one after another."""

    def __init__(self):
        self.body = b""
        client = httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: httpx2.Response(200, content=self.body)))
        self.model = WorkersAI(
            "@cf/a/b", account_id=ACCOUNT_ID, api_token="t" * 40, tools="native", retries=0, http_client=client
        )

    async def of(self, body, emit=None):
        """The answer, which is sound; or None, and then there was one of our errors."""
        self.body = body
        try:
            answer = await self.model.call(REQUEST, emit)
        except ModelError as error:
            assert str(error).strip()
            return None
        usage = answer.usage
        assert all(isinstance(text, str) for text in (answer.content, answer.reasoning, answer.finish_reason))
        assert all(isinstance(text, str) for call in answer.tool_calls for text in (call.id, call.name, call.arguments))
        assert len({call.id for call in answer.tool_calls}) == len(answer.tool_calls)
        assert min(usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.neurons or 0) >= 0
        return answer


WHOLE = {name: one for name, one in SCENARIOS.items() if one.events is None and one.raw is None}
STREAMS = {name: one.events for name, one in SCENARIOS.items() if one.events is not None}


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_damaged_body_is_an_answer_or_one_error():
    """Whatever is missing, of another type, or said twice."""
    outcomes, found = Outcomes(), []
    for scenario in WHOLE.values():
        whole = {"result": scenario.body, "success": True, "errors": []} if scenario.envelope else scenario.body
        found += [await outcomes.of(json.dumps(body).encode()) for body in damaged(whole)]
    assert {answer is None for answer in found} == {True, False}, "both must come of it, or nothing was tried"


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("half", [0, 1])
async def test_a_damaged_stream_is_an_answer_or_one_error(half):
    """One event at a time is damaged, in every way."""
    outcomes, found = Outcomes(), []
    for events in list(STREAMS.values())[half::2]:
        for index, event in enumerate(events):
            if isinstance(event, dict):
                for other in damaged(event):
                    found.append(await outcomes.of(sent(*events[:index], other, *events[index + 1 :]), [].append))
    assert {answer is None for answer in found} == {True, False}, "both must come of it, or nothing was tried"


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize(
    "name", [f"{shape}-stream{calls}" for shape in ("chat", "legacy", "responses") for calls in ("", "-calls")]
)
async def test_a_stream_that_is_cut_anywhere_is_whole_or_an_error(name):
    """Half an answer is none."""
    outcomes = Outcomes()
    body = sent(*STREAMS[name])
    whole = await outcomes.of(body, [].append)
    for end in range(len(body)):
        answer = await outcomes.of(body[:end], [].append)
        if answer is not None:
            assert answer.content == whole.content
            assert [c.arguments for c in answer.tool_calls] == [c.arguments for c in whole.tool_calls]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize(
    "body",
    [
        {"result": "", "success": True},
        {"result": {}, "success": True},
        {"result": None, "success": True},
        {"success": False, "errors": [], "result": {"response": "Hai"}},
        {"output": [], "status": "completed"},
        {"output": [{"type": "message", "content": "Hai"}], "status": "failed"},
        {"response": "Hai", "error": {"message": "no"}},
        "Hai",
        "<html>502 Bad Gateway</html>",
    ],
)
async def test_what_holds_no_answer_is_an_error(body):
    """And never an empty answer."""
    raw = body.encode() if isinstance(body, str) and body.startswith("<") else json.dumps(body).encode()
    for emit in (None, [].append):
        assert await Outcomes().of(raw, emit) is None
