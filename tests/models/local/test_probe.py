"""How good the embedded model is: forty questions with four tools in view, scored and printed, none passed or failed.

    pytest tests/models/local/test_probe.py -s

The questions were written before the method was made. Half of them (even index) were looked at while it was made; of
the other half one run was looked at before the last change of the method, so neither figure is a blind one.
"""

from __future__ import annotations

import json
import time

import jsonschema
import pytest
from models.local.probe_questions import QUESTIONS, TOOLS

from agentkit.core.messages import Assistant, ToolCall, ToolResult, User
from agentkit.core.settings import Settings
from agentkit.models.model import Request

pytestmark = pytest.mark.anyio

FORCED = Settings(tool_choice="required")
SCORES = ("right tool", "right arguments", "answer quotes the result", "all of it")


@pytest.fixture
def anyio_backend():
    """Once is enough."""
    return "asyncio"


async def score(model, question, tool, means, result, quote):
    """Which of the scores one question earns."""
    first = await model.call(Request(messages=[User(content=question)], tools=TOOLS))
    if not tool:
        return {"small talk left alone"} if not first.tool_calls else set()
    call = next(iter(first.tool_calls), None)
    earned = set()
    if call and call.name == tool:
        earned.add("right tool")
        if means(json.loads(call.arguments)):
            earned.add("right arguments")
    call = ToolCall(id="1", name=tool, arguments="{}", extra=call.extra if call else None)
    said = [User(content=question), Assistant(tool_calls=(call,)), ToolResult(call_id="1", name=tool, content=result)]
    if quote in (await model.call(Request(messages=said, tools=TOOLS))).content:
        earned.add("answer quotes the result")
    return earned | ({"all of it"} if earned >= set(SCORES[:3]) else set())


async def test_the_probe_runs_and_prints_its_scores(local):
    """Forty questions; only that the run completes is asserted."""
    began, cpu = time.monotonic(), time.process_time()
    earned = [await score(local, *question) for question in QUESTIONS]
    asked = [question[1] is not None for question in QUESTIONS]
    print()
    for name in (*SCORES, "small talk left alone"):
        wanted = [(index % 2, name in found) for index, found in enumerate(earned) if asked[index] == (name in SCORES)]
        counts = [
            f"{sum(ok for half, ok in wanted if half == h)}/{sum(half == h for half, _ in wanted)}" for h in (0, 1)
        ]
        print(f"{name:26} {sum(ok for _, ok in wanted):2}/{len(wanted)}   (even {counts[0]}, odd {counts[1]})")
    print(f"{time.process_time() - cpu:.1f} CPU seconds, {time.monotonic() - began:.1f} s")
    assert any(earned)


async def test_every_call_of_the_probe_is_valid(local):
    """Whatever is asked of whichever tool, the arguments meet its schema: that holds by construction."""
    for index, (question, *_) in enumerate(QUESTIONS[::4]):
        spec = TOOLS[index % len(TOOLS)]
        answer = await local.call(Request(messages=[User(content=question)], tools=[spec], settings=FORCED))
        jsonschema.validate(json.loads(answer.tool_calls[0].arguments), spec.parameters)
