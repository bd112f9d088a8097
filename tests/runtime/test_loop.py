"""The loop: questions, calls, answers, and what must never end a run."""

from __future__ import annotations

import threading
import time

import anyio
import pytest
from harness import answered, contents, finish

from agentkit import Agent, Limits, Retry, ToolFailed, UsageError, tool
from agentkit.core.messages import Assistant, ToolCall, Usage
from agentkit.errors import Unavailable
from agentkit.models.scripted import Scripted, call

pytestmark = pytest.mark.anyio


@tool(idempotent=True)
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def greet(name: str) -> str:
    """Greet someone."""
    return f"Hello, {name}!"


@tool
async def boom() -> None:
    """Fail."""
    raise ValueError("kaput")


async def test_a_text_is_the_answer():
    """A model that answers at once is asked once."""
    result = await finish(["Hello."])
    assert (result.output, result.steps, result.stop_reason) == ("Hello.", 1, "finished")
    assert str(result) == "Hello."


async def test_a_call_is_run_and_its_result_is_shown_to_the_model():
    """The second request carries the call and its result."""
    with Scripted([call("add", a=1, b=2), "3"]) as model:
        result = await Agent(model, [add, greet], "Be brief.").arun("1 + 2?")
    assert result.output == "3"
    assert [m.kind for m in model.requests[1].messages] == ["system", "user", "assistant", "tool_result"]
    assert model.requests[1].messages[-1].content == "3"


async def test_plain_functions_are_tools():
    """A function without a decorator serves as well."""

    def double(x: int) -> int:
        return 2 * x

    result = await finish([call("double", x=4), "8"], [double])
    assert contents(result) == ["8"]


async def test_calls_of_one_message_run_at_once_and_answer_in_call_order():
    """The slow first call does not hold up the second, and still stands first."""
    order = []

    @tool
    async def wait(seconds: float) -> float:
        await anyio.sleep(seconds)
        order.append(seconds)
        return seconds

    result = await finish([[call("wait", seconds=0.05), call("wait", seconds=0.0)], "done"], [wait])
    assert order[:2] == [0.0, 0.05]
    assert contents(result) == ["0.05", "0.0"]


class Account:
    """Something with state."""

    def __init__(self) -> None:
        self.balance = 0
        self.inside = 0

    def deposit(self, amount: int) -> int:
        """Put money in."""
        self.inside += 1
        assert self.inside == 1, "two calls at once in one object"
        before = self.balance
        time.sleep(0.002)
        self.balance = before + amount
        self.inside -= 1
        return self.balance


async def test_bound_methods_of_one_object_run_one_after_another():
    """Two threads inside one object would corrupt it."""
    account = Account()
    lines = [[call("deposit", amount=n) for n in range(1, 9)], "done"]
    with Scripted(lines) as model:
        result = await Agent(model, [account.deposit]).arun("go")
    assert contents(result) == ["1", "3", "6", "10", "15", "21", "28", "36"]


async def test_a_sequential_tool_is_a_barrier():
    """What stands before it has ended, what stands after it has not begun."""
    log = []

    @tool
    async def part(name: str) -> str:
        log.append(f"+{name}")
        await anyio.sleep(0.01)
        log.append(f"-{name}")
        return name

    @tool(sequential=True)
    async def barrier() -> str:
        log.append("barrier")
        return "ok"

    lines = [[call("part", name="a"), call("part", name="b"), call("barrier"), call("part", name="c")], "done"]
    with Scripted(lines) as model:
        await Agent(model, [part, barrier]).arun("go")
    assert log.index("barrier") == 4
    assert log[5:] == ["+c", "-c"]


async def test_a_result_becomes_text_before_the_next_call_can_change_the_object():
    """Both results of a method that returns the object's own list differ."""

    class Cart:
        def __init__(self) -> None:
            self.items: list[str] = []

        def put(self, item: str) -> list[str]:
            """Put an item in."""
            self.items.append(item)
            return self.items

    with Scripted([[call("put", item="a"), call("put", item="b")], "done"]) as model:
        result = await Agent(model, [Cart().put]).arun("go")
    assert contents(result) == ['["a"]', '["a", "b"]']


async def test_an_exception_in_a_tool_is_told_to_the_model_and_siblings_finish():
    """Type and message, no traceback."""
    result = await finish([[call("boom"), call("add", a=1, b=1)], "done"], [boom, add])
    first, second = contents(result)
    assert "ValueError" in first
    assert "kaput" in first
    assert "Traceback" not in first
    assert second == "2"


async def test_an_exception_in_a_tool_can_end_the_run_after_its_siblings():
    """on_tool_error="raise" raises the tool's own exception, with the run so far."""
    agent = Agent(Scripted([[call("boom"), call("add", a=1, b=1)]]), [boom, add], on_tool_error="raise")
    with pytest.raises(ValueError, match="kaput") as caught:
        await agent.arun("go")
    assert answered(caught.value.result)
    assert contents(caught.value.result)[1] == "2"


@pytest.mark.parametrize("signal", [Retry("try b=2"), ToolFailed("the service is closed")])
async def test_signals_say_exactly_what_they_say(signal):
    """Retry and ToolFailed are shown word for word."""

    @tool
    def ask() -> str:
        raise signal

    result = await finish([call("ask"), "done"], [ask])
    assert contents(result) == [str(signal)]


@pytest.mark.parametrize("stop", [SystemExit(3), GeneratorExit()])
async def test_a_tool_that_exits_does_not_end_the_run(stop):
    """SystemExit in a tool is a failure of that tool."""

    @tool
    def leave() -> str:
        raise stop

    result = await finish([call("leave"), "done"], [leave])
    assert result.output == "done"


async def test_an_unknown_tool_is_answered_with_the_nearest_name():
    """Beside a known one, which runs."""
    result = await finish([[call("sum", a=1), call("add", a=1, b=1)], "done"], [add, greet])
    assert contents(result)[0].startswith('unknown tool "sum"')
    assert contents(result)[1] == "2"


async def test_bad_arguments_are_answered_in_one_line_a_problem():
    """No pydantic jargon reaches the model."""
    result = await finish([call("add", a="many"), "done"], [add])
    (text,) = contents(result)
    assert "a: expected an integer" in text
    assert "b: missing" in text
    assert "pydantic" not in text
    assert "http" not in text


async def test_repaired_arguments_stand_repaired_on_the_wire():
    """What a server reads back is valid JSON, whatever the model wrote."""
    broken = ToolCall(id="1", name="functions.add", arguments="```json\n{'a': 1, 'b': 2,}\n```")
    result = await finish([Assistant(tool_calls=(broken,)), "done"], [add])
    assert contents(result) == ["3"]
    (sent,) = [m["tool_calls"][0]["function"] for m in result.to_openai() if m.get("tool_calls")]
    assert sent["name"] == "add"
    assert sent["arguments"].startswith("{")


async def test_a_call_that_was_cut_off_never_runs():
    """The model is told about the token limit."""
    ran = []

    @tool
    def remove(path: str) -> str:
        ran.append(path)
        return "gone"

    cut = ToolCall(id="1", name="remove", arguments='{"path": "/tmp', truncated=True)
    result = await finish([Assistant(tool_calls=(cut,), finish_reason="length"), "done"], [remove])
    assert ran == []
    assert "cut off" in contents(result)[0]


async def test_repeated_and_missing_ids_get_ids_of_their_own():
    """A model that repeats its ids, in one answer or over turns, loses no call."""
    lines = [
        Assistant(tool_calls=tuple(ToolCall(id=i, name="add", arguments='{"a":1,"b":1}') for i in ("x", "x", ""))),
        Assistant(tool_calls=(ToolCall(id="x", name="add", arguments='{"a":2,"b":2}'),)),
        "done",
    ]
    result = await finish(lines, [add])
    assert contents(result) == ["2", "2", "2", "4"]
    assert answered(result)


async def test_a_tool_past_its_timeout_is_answered_and_its_siblings_finish():
    """A sync tool's thread is abandoned, and the answer says so."""
    release = threading.Event()

    @tool(timeout_s=0.05)
    def hang() -> str:
        release.wait(5)
        return "late"

    @tool(timeout_s=0.05)
    async def sleep() -> str:
        await anyio.sleep(5)
        return "late"

    with Scripted([[call("hang"), call("sleep"), call("add", a=1, b=1)], "done"]) as model:
        result = await Agent(model, [hang, sleep, add]).arun("go")
    release.set()
    hung, slept, added = contents(result)
    assert "timed out" in hung
    assert "timed out" in slept
    assert added == "2"


async def test_an_empty_answer_is_asked_for_again_once():
    """The second empty answer is taken as it is."""
    assert (await finish(["", "Hello."])).output == "Hello."
    assert (await finish(["", "  "])).output == "  "


async def test_an_answer_that_its_model_broke_off_ends_the_run():
    """It is billed and not acted on; asked again in the same run it could go on so for ever."""
    broken = Assistant(content="The an", usage=Usage(requests=1, output_tokens=2), aborted=True)
    with pytest.raises(Unavailable, match="broke off") as caught:
        await finish([broken])
    assert (caught.value.result.usage.output_tokens, caught.value.result.has_output) == (2, False)
    assert (await finish(["done"], question=None, history=caught.value.result)).output == "done"


async def test_the_last_request_of_the_budget_is_made_without_tools():
    """Request N of N offers nothing to call, so that there is an answer."""
    with Scripted([call("add", a=1, b=n) for n in range(2)] + ["done"]) as model:
        result = await Agent(model, [add], limits=Limits(steps=3)).arun("go")
    assert [len(r.tools) for r in model.requests] == [1, 1, 0]
    assert (result.output, result.stop_reason) == ("done", "steps")


async def test_a_model_that_ignores_the_last_request_ends_the_run_with_every_call_answered():
    """There is no output then, and .output says why."""
    result = await finish([call("add", a=1, b=n) for n in range(3)], [add], limits=Limits(steps=3))
    assert result.stop_reason == "steps"
    assert answered(result)
    assert "limit" in contents(result)[-1]
    with pytest.raises(Exception, match="steps") as caught:
        _ = result.output
    assert caught.value.reason == "steps"
    assert str(result) == ""


async def test_of_a_batch_that_does_not_fit_the_first_calls_run():
    """The others are answered "limit", and the next request is the last one."""
    lines = [[call("add", a=n, b=0) for n in range(5)], "done"]
    result = await finish(lines, [add], limits=Limits(tool_calls=3))
    assert contents(result)[:3] == ["0", "1", "2"]
    assert all("limit" in text for text in contents(result)[3:])
    assert result.stop_reason == "tool_calls"


async def test_the_same_step_three_times_brings_a_note_then_the_last_request():
    """A model that repeats itself for ever is stopped after five requests."""
    lines = [call("add", a=1, b=1) for _ in range(4)] + ["2"]
    result = await finish(lines, [add])
    assert (result.output, result.stop_reason, result.steps) == ("2", "repeats", 5)
    assert [e.kind for e in result.entries].count("note") == 1


async def test_calls_that_are_wrong_in_other_ways_are_no_repeats():
    """The answer may be the same: what the model wrote was not."""
    wrong = [call("nothing", n=n) for n in range(6)]
    result = await finish([*wrong, call("add", a=1, b=2), "done"], [add])
    assert (result.output, result.stop_reason) == ("done", "finished")
    assert not [entry for entry in result.entries if entry.kind == "note"]


async def test_repeats_none_lets_a_model_poll():
    """The same call may then be made as often as the steps allow."""
    lines = [call("add", a=1, b=1) for _ in range(8)] + ["2"]
    assert (await finish(lines, [add], limits=Limits(repeats=None))).stop_reason == "finished"


async def test_max_calls_bounds_one_tool():
    """Calls beyond it are answered."""

    @tool(max_calls=2)
    def once() -> str:
        return "ok"

    result = await finish([[call("once")] * 1 + [call("once"), call("once")], "done"], [once])
    assert contents(result)[:2] == ["ok", "ok"]
    assert "2 times" in contents(result)[2]


@pytest.mark.parametrize("kind", ["sync", "async", "model"])
async def test_the_deadline_ends_a_run_that_hangs(kind):
    """In a sync tool, in an async tool and in the model: the run comes back, every call answered."""
    release = threading.Event()

    def hang() -> str:
        release.wait(3)
        return "late"

    async def sleep() -> str:
        await anyio.sleep(3)
        return "late"

    class Slow:
        async def call(self, request, emit=None):
            await anyio.sleep(3)

    lines = [[call("sleep" if kind == "async" else "hang")]]
    model = Slow() if kind == "model" else Scripted(lines)
    began = time.monotonic()
    result = await Agent(model, [hang, sleep], limits=Limits(deadline_s=0.1)).arun("go")
    release.set()
    assert time.monotonic() - began < 2
    assert result.stop_reason == "deadline_s"
    assert answered(result)


async def test_two_tools_of_one_name_are_refused_where_the_agent_is_made():
    """The message names them."""
    with pytest.raises(UsageError, match="add"):
        Agent(Scripted([]), [add, add.replace(timeout_s=1)])


async def test_one_agent_serves_many_runs_at_once():
    """No state is shared between them."""

    class Echo:
        async def call(self, request, emit=None):
            await anyio.sleep(0)
            users = [m.content for m in request.messages if m.kind == "user"]
            return Assistant(content=" ".join(users))

    agent = Agent(Echo(), [add])
    answers = {}

    async def ask(n: int) -> None:
        answers[n] = (await agent.arun(f"q{n}")).output

    async with anyio.create_task_group() as tasks:
        for n in range(100):
            tasks.start_soon(ask, n)
    assert answers == {n: f"q{n}" for n in range(100)}


async def test_a_conversation_goes_on_from_a_result_and_from_dicts():
    """History as a Result and as chat-completions dicts give the same messages."""
    first = await finish([call("add", a=1, b=2), "3"], [add])
    for history in (first, first.to_openai(), first.messages):
        with Scripted(["6"]) as model:
            result = await Agent(model, [add]).arun("And twice that?", history=history)
        assert result.output == "6"
        assert [m.kind for m in model.requests[0].messages] == [
            "user", "assistant", "tool_result", "assistant", "user",
        ]  # fmt: skip
        assert result.steps == 1
