"""From the wire to the call: what servers really send, and what comes of it in a run. Each case whole and streamed.

The tools are `add(a, b)`, `boom()`, `slow()` and `opt(note=None)`; after the first answer the model says "Done."
"""

from __future__ import annotations

import json

import pytest
from wire.fakes import FakeServer, announced, call, delta, message, sse

from agentkit import Agent, Limits, tool
from agentkit.errors import ModelError

pytestmark = pytest.mark.anyio

DONE = message("Done.")


class Desk:
    """The tools of one run, and what was called."""

    def __init__(self) -> None:
        self.called: list[tuple] = []

    def tools(self) -> list:
        @tool
        def add(a: int, b: int) -> int:
            """Add two numbers."""
            self.called.append(("add", a, b))
            return a + b

        @tool
        def boom() -> str:
            """Fail."""
            self.called.append(("boom",))
            raise ValueError("no luck")

        @tool
        async def slow() -> str:
            """Take a moment."""
            self.called.append(("slow",))
            return "slept"

        @tool
        def opt(note: str | None = None) -> str:
            """Optional."""
            self.called.append(("opt", note))
            return f"noted {note}"

        return [add, boom, slow, opt]


def as_stream(answer: dict) -> bytes:
    """The same answer as a server streams it: texts in two pieces, arguments in two pieces."""
    choice = answer["choices"][0]
    said, chunks = choice["message"], [delta(role="assistant")]
    for name in ("reasoning_content", "content"):
        if isinstance(text := said.get(name), str):
            chunks += [delta(**{name: part}) for part in (text[: len(text) // 2], text[len(text) // 2 :]) if part]
    for index, item in enumerate(said.get("tool_calls") or ()):
        if not isinstance(item, dict):
            chunks.append(delta(tool_calls=[item]))
            continue
        function = item.get("function", item)
        arguments = function.get("arguments")
        halves = (arguments[:4], arguments[4:]) if isinstance(arguments, str) else (arguments,)
        first = {**item, "index": index, "function": {**function, "arguments": halves[0]}}
        chunks.append(delta(tool_calls=[first]))
        chunks += [delta(tool_calls=[{"index": index, "function": {"arguments": half}}]) for half in halves[1:]]
    return sse(*chunks, {"choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})


async def ran(first, *, streams: bool, then=DONE, **options):
    """The result of a run, what was called, and the tool messages that the model read next."""
    desk = Desk()
    replies = [
        as_stream(one) if streams and isinstance(one, dict) and one.get("choices") else one for one in (first, then)
    ]
    server = FakeServer(*replies)
    agent = Agent(server.model(), desk.tools(), **options)
    if streams:
        async with agent.astream("Go.") as events:
            shown = [event async for event in events]
        result = shown[-1].result
        answered = [e.call.name for e in shown if e.kind == "tool_result"]
        assert len(announced(shown)) == len(answered)
    else:
        result = await agent.arun("Go.")
    told = (
        [m["content"] for m in server.bodies[-1]["messages"] if m["role"] == "tool"] if len(server.bodies) > 1 else []
    )
    return result, desk.called, told


both = pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])

# what the server sends as the calls -> what runs, and the words that the model reads
RUNS = {
    "normal": ([call()], [("add", 1, 2)], ["3"]),
    "numeric strings": ([call("add", '{"a": "1", "b": "2"}')], [("add", 1, 2)], ["3"]),
    "empty arguments": ([call("opt", "")], [("opt", None)], ["noted None"]),
    "null arguments": ([call("opt", "null")], [("opt", None)], ["noted None"]),
    "double encoding": ([call("add", json.dumps('{"a": 1, "b": 2}'))], [("add", 1, 2)], ["3"]),
    "a fence": ([call("add", '```json\n{"a": 1, "b": 2}\n```')], [("add", 1, 2)], ["3"]),
    "a trailing comma": ([call("add", '{"a": 1, "b": 2,}')], [("add", 1, 2)], ["3"]),
    "single quotes": ([call("add", "{'a': 1, 'b': 2}")], [("add", 1, 2)], ["3"]),
    "a raw newline": ([call("opt", '{"note": "a\nb"}')], [("opt", "a\nb")], ["noted a\nb"]),
    "an object": ([call("add", {"a": 1, "b": 2})], [("add", 1, 2)], ["3"]),
    "wrapped in the tool's name": ([call("add", '{"add": {"a": 1, "b": 2}}')], [("add", 1, 2)], ["3"]),
    "a flat item": ([{"name": "add", "arguments": {"a": 1, "b": 2}}], [("add", 1, 2)], ["3"]),
    "null items": ([None, call()], [("add", 1, 2)], ["3"]),
    "an upper case name": ([call("Add")], [("add", 1, 2)], ["3"]),
    "a prefix": ([call("functions.add")], [("add", 1, 2)], ["3"]),
    "blanks around the name": ([call(" add ")], [("add", 1, 2)], ["3"]),
    "a harmony suffix": ([call("add<|channel|>commentary")], [("add", 1, 2)], ["3"]),
    "an empty id": ([call(id="")], [("add", 1, 2)], ["3"]),
    "no id": ([call(id=None)], [("add", 1, 2)], ["3"]),
    "the same id twice": ([call(), call("opt", "{}")], [("add", 1, 2), ("opt", None)], ["3", "noted None"]),
    "an extra key": ([call("add", '{"a": 1, "b": 2, "c": 3}')], None, ["c"]),
    "a missing key": ([call("add", '{"a": 1}')], [], ["b: missing (integer)"]),
    "a wrong type": ([call("add", '{"a": "many", "b": 2}')], [], ['a: expected an integer, got "many"']),
    "no JSON": ([call("add", "a=1, b=2")], [], [""]),
    "an unknown tool": ([call("ad")], [], ['"add"']),
    "an unknown tool beside a known one": ([call("zzz"), call()], [("add", 1, 2)], ["zzz", "3"]),
    "a tool that raises": ([call("boom", "{}")], [("boom",)], ["ValueError: no luck"]),
    "a tool that raises beside a slow one": ([call("boom", "{}"), call("slow", "{}")], None, ["no luck", "slept"]),
}


@both
@pytest.mark.parametrize("case", RUNS)
async def test_calls_run_or_are_explained(case, streams):
    """One answer for each call, whatever it was; the run goes on."""
    items, called, words = RUNS[case]
    result, really, told = await ran(message(None, items, reason="tool_calls"), streams=streams)
    assert result.output == "Done."
    assert called is None or sorted(map(str, really)) == sorted(map(str, called))
    assert len(told) == len(words)
    assert all(word in text for word, text in zip(words, told, strict=True))


REFUSED = {
    "a missing key": ('{"a": 1}', '{"a": 1}'),
    "a wrong type": ('{"a": 1, "b": "many"}', '{"a": 1, "b": "many"}'),
    "no JSON": ("a=1, b=2", "{}"),
    "a list": ("[1, 2]", "{}"),
}


@both
@pytest.mark.parametrize("case", REFUSED)
async def test_a_refused_call_is_shown_as_it_was_made(case, streams):
    """So that what it is told makes sense to the model; only what no server takes is replaced."""
    made, shown = REFUSED[case]
    result, _, _ = await ran(message(None, [call("add", made)], reason="tool_calls"), streams=streams)
    [again] = [m for m in result.messages if getattr(m, "tool_calls", ())]
    assert [one.arguments for one in again.tool_calls] == [shown]


@both
@pytest.mark.parametrize("reason", ["stop", None, "", "tool_calls", "function_call"])
async def test_the_finish_reason_does_not_decide(reason, streams):
    """Calls run whatever it says."""
    result, called, _ = await ran(message(None, [call()], reason=reason), streams=streams)
    assert (result.output, called) == ("Done.", [("add", 1, 2)])


@both
async def test_a_call_that_was_cut_off_does_not_run(streams):
    """The model hears of the token limit, not of bad JSON."""
    items = [call(), call("opt", '{"note": "a long te')]
    result, called, told = await ran(message(None, items, reason="length"), streams=streams)
    assert result.output == "Done."
    assert called == [("add", 1, 2)]
    assert told[0] == "3"
    assert "token limit" in told[1]


@both
async def test_a_call_that_was_cut_off_in_the_text_is_explained(streams):
    """There is no call to answer, so the next request says it."""
    answer = message('<tool_call>{"name": "opt", "arguments": {"note": "a long te', reason="length")
    result, called, _ = await ran(answer, streams=streams)
    assert (result.output, called) == ("Done.", [])
    assert "token limit" in result.messages[-2].content


@both
async def test_a_preamble_is_not_the_answer(streams):
    """Text before a call; also if it is only blank lines."""
    for text in ("Let me add.", "\n\n"):
        result, called, _ = await ran(message(text, [call()], reason="tool_calls"), streams=streams)
        assert (result.output, called) == ("Done.", [("add", 1, 2)])


@both
async def test_reasoning_is_not_the_answer(streams):
    """In a field of its own."""
    result, _, _ = await ran(message("42", reasoning_content="Hm."), streams=streams)
    assert result.output == "42"


THOUGHTS = {"tags": "<think>Hm.</think>42", "a tag that was opened by the template": "Hm.</think>42"}


@both
@pytest.mark.parametrize("case", THOUGHTS)
async def test_thoughts_in_the_text_are_not_the_answer(case, streams):
    """Whole and cut over chunks."""
    result, _, _ = await ran(message(THOUGHTS[case]), streams=streams)
    assert result.output == "42"


LEAKED = {
    "hermes": '<tool_call>\n{"name": "add", "arguments": {"a": 1, "b": 2}}\n</tool_call>',
    "bare JSON": '{"name": "add", "arguments": {"a": 1, "b": 2}}',
}


@both
@pytest.mark.parametrize("case", LEAKED)
async def test_a_call_that_leaked_into_the_text_runs(case, streams):
    """The server's own parser missed it."""
    result, called, told = await ran(message(LEAKED[case]), streams=streams)
    assert (result.output, called, told) == ("Done.", [("add", 1, 2)], ["3"])


@both
@pytest.mark.parametrize("text", ["", None])
async def test_an_empty_answer_is_asked_for_again(text, streams):
    """Once more, and then it counts."""
    result, _, _ = await ran(message(text), streams=streams)
    assert result.output == "Done."


FAILURES = {
    "no choices": {"choices": []},
    "an error body": {"error": {"message": "overloaded", "code": "overloaded"}},
    "429": (429, b"", {"retry-after": "0"}),
    "500": (500, b""),
    "HTML": b"<html>bad gateway</html>",
    "nothing": b"",
}


@both
@pytest.mark.parametrize("case", FAILURES)
async def test_failures_that_pass_do_not_end_a_run(case, streams):
    """The next try answers."""
    result, _, _ = await ran(FAILURES[case], streams=streams)
    assert result.output == "Done."
    assert result.steps == 1


@both
async def test_an_error_that_stays_leaves_the_run_with_its_result(streams):
    """Typed, and with the run as far as it came."""
    with pytest.raises(ModelError) as caught:
        await ran((401, b'{"error": "no"}'), streams=streams)
    assert caught.value.result.messages


@both
async def test_the_same_call_for_ever_ends(streams):
    """Noticed at the third time, long before the budget."""
    again = message(None, [call()], reason="tool_calls")
    result, called, _ = await ran(again, then=again, streams=streams, limits=Limits(steps=20))
    assert len(called) <= 5
    assert result.stop_reason != "finished"


@both
async def test_many_calls_in_one_answer(streams):
    """A hundred calls, a hundred answers, in order."""
    items = [call("add", f'{{"a": {n}, "b": 0}}', id="call_0") for n in range(100)]
    result, called, told = await ran(message(None, items, reason="tool_calls"), streams=streams)
    assert result.output == "Done."
    assert len(called) == 100
    assert told == [str(n) for n in range(100)]
