"""What a run gives back: an answer, or why there is none."""

from __future__ import annotations

import pytest

from agentkit.core.entries import Ended, Note
from agentkit.core.messages import Assistant, ToolCall, ToolResult, Usage, User
from agentkit.core.result import Result
from agentkit.errors import RunStopped

CALL = ToolCall(id="a", name="send", arguments="{}")
DONE = (User(content="?"), Assistant(content="42"), Ended(reason="finished"))


def result(entries=DONE, reason="finished", **fields) -> Result:
    return Result(entries=entries, stop_reason=reason, usage=Usage(), cost_usd=None, steps=1, **fields)


def test_the_output_is_what_the_run_gave():
    """Any value, None and the empty text included."""
    for value in ("42", "", None, 42, {"a": 1}):
        assert result(_output=value).output is value
        assert result(_output=value).has_output


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("approval", "waits for approval of: send"),
        ("output", "no valid output"),
        ("cancelled", "not finished"),
        ("error", "not finished"),
        ("closed", "not finished"),
        ("steps", r"the limit steps .* Limits\(steps=...\)"),
        ("deadline_s", r"the limit deadline_s .* Limits\(deadline_s=...\)"),
    ],
)
def test_without_an_output_asking_for_it_says_why(reason, why):
    """`RunStopped` carries the reason, the run, and the last words of the model."""
    stopped = result(reason=reason, pending=(CALL,))
    with pytest.raises(RunStopped, match=why) as caught:
        _ = stopped.output
    assert caught.value.reason == reason
    assert caught.value.result is stopped
    assert "last text: '42'" in str(caught.value)
    assert not stopped.has_output


def test_the_fault_of_an_output_is_told():
    """What was wrong with the last answer stands in the error."""
    with pytest.raises(RunStopped, match="limit: expected an integer"):
        _ = result(reason="output", explanation="limit: expected an integer").output


def test_the_text_of_a_result_is_the_answer():
    """A text is itself; another value is rendered."""
    assert str(result(_output="42")) == "42"
    assert str(result(_output="")) == ""
    assert str(result(_output=[1], _render=lambda value: f"<{value}>")) == "<[1]>"


def test_the_text_of_a_result_without_output_is_the_last_text():
    """Printing a stopped run shows what there is."""
    assert str(result(reason="steps")) == "42"
    assert str(result(entries=(), reason="steps")) == ""


@pytest.mark.parametrize(("render", "text"), [(lambda _: 1 / 0, "42"), (lambda _: None, "None")])
def test_printing_a_result_never_raises(render, text):
    """A foreign `__str__` that fails gives way to the last text; one that gives no text is made one."""
    assert str(result(_output=[1], _render=render)) == text


def test_the_last_text_is_of_this_turn():
    """An earlier turn's answer is not this turn's."""
    entries = (*DONE, User(content="And?"), Assistant(tool_calls=(CALL,)))
    assert result(entries=entries, reason="cancelled").text == ""


def test_messages_are_what_a_model_is_shown():
    """Facts that are no messages are left out; results stand behind their calls."""
    answered = ToolResult(call_id="a", name="send", content="sent", outcome="interrupted")
    entries = (User(content="?"), Assistant(tool_calls=(CALL,)), answered, Note(content="hm"), Ended(reason="closed"))
    run = result(entries=entries, reason="closed")
    assert [message.kind for message in run.messages] == ["user", "assistant", "tool_result", "user"]
    assert [message["role"] for message in run.to_openai()] == ["user", "assistant", "tool", "user"]
