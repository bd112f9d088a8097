"""The accumulator by itself, as any wire uses it."""

from __future__ import annotations

import pytest

from agentkit.core.events import ReasoningEvent, TextEvent, ToolCallEvent, ToolCallGrows, ToolCallReady
from agentkit.core.messages import Usage
from agentkit.errors import MalformedResponse
from agentkit.models.assemble import Assembler, CallPiece, is_whole_object, new_call_id


def test_an_answer_of_all_kinds():
    """Text, thoughts, a call and usage, in the order in which they come."""
    assembler = Assembler({"add"})
    deltas = [
        *assembler.reasoning("Hm."),
        *assembler.text("Let "),
        *assembler.text("me."),
        *assembler.call(CallPiece(name="add", arguments='{"a"')),
        *assembler.call(CallPiece(arguments=": 1}")),
    ]
    assembler.usage(Usage(input_tokens=3, output_tokens=2))
    assembler.finish_reason("tool_use")
    answer, rest = assembler.finish()
    assert [type(one) for one in deltas] == [ReasoningEvent, TextEvent, TextEvent, ToolCallEvent, ToolCallReady]
    assert rest == []
    assert (answer.content, answer.reasoning, answer.finish_reason) == ("Let me.", "Hm.", "tool_calls")
    assert [(c.name, c.arguments) for c in answer.tool_calls] == [("add", '{"a": 1}')]
    assert answer.usage == Usage(input_tokens=3, output_tokens=2, requests=1)


def test_long_arguments_are_told_as_they_grow():
    """Now and then, each time longer, and seldom enough that a long call costs what a short one does for its length."""
    arguments = '{"rows": [' + ", ".join(map(str, range(20_000))) + "]}"
    assembler = Assembler({"add"})
    deltas = [*assembler.call(CallPiece(name="add", arguments=arguments[:1]))]
    for at in range(1, len(arguments), 4):
        deltas += assembler.call(CallPiece(arguments=arguments[at : at + 4]))
    grown = [len(delta.call.arguments) for delta in deltas if isinstance(delta, ToolCallGrows)]
    assert 30 < len(grown) < 120
    assert grown == sorted(set(grown))
    assert all(arguments.startswith(d.call.arguments) for d in deltas if isinstance(d, ToolCallGrows))
    assert isinstance(deltas[-1], ToolCallReady)


def test_nothing_is_no_answer():
    """Neither is a beginning without an end."""
    with pytest.raises(MalformedResponse, match="broke off"):
        Assembler().finish()
    assembler = Assembler()
    assembler.text("Hel")
    with pytest.raises(MalformedResponse, match="broke off"):
        assembler.finish()


def test_an_empty_answer_that_was_ended_is_an_answer():
    """The model had nothing to say: what comes of it is the run's business."""
    assembler = Assembler()
    assembler.finish_reason("stop")
    answer, _ = assembler.finish()
    assert answer.content == ""


def test_empty_pieces_say_nothing():
    """They do not open an answer again that was over."""
    assembler = Assembler()
    assembler.text("Hello.")
    assembler.finish_reason("stop")
    assert [*assembler.text(""), *assembler.reasoning(""), *assembler.call(CallPiece())] == []
    assert assembler.is_over


def test_half_a_character_waits_for_the_other_half():
    """What is shown is text, always; a half that stays alone is replaced at the end."""
    assembler = Assembler()
    shown = [one.text for piece in ("a\ud83d", "\ude00b\ud83d", "c\ud83d") for one in assembler.text(piece)]
    assembler.done()
    answer, rest = assembler.finish()
    shown += [one.text for one in rest]
    assert shown == ["a", "\U0001f600b", "\ufffdc", "\ufffd"]
    assert answer.content == "a\U0001f600b\ufffdc\ufffd"


def test_a_thousand_calls_in_small_pieces_take_linear_time():
    """And a call of a megabyte."""
    assembler = Assembler({"add"})
    for number in range(1000):
        for piece in ('{"a": ', str(number), "}"):
            assembler.call(CallPiece(index=number, id=f"c{number}", name="add", arguments=piece))
    for _ in range(200_000):
        assembler.call(CallPiece(index=1000, arguments="{x}}"))
    assembler.done()
    answer, _ = assembler.finish()
    assert len(answer.tool_calls) == 1001
    assert [c.arguments for c in answer.tool_calls[:1000]] == [f'{{"a": {n}}}' for n in range(1000)]


def test_a_hundred_thousand_calls_at_one_place_take_linear_time():
    """Known names and unknown ones, with ids and without."""
    for name, ids in (("add", True), ("sum", True), ("sum", False)):
        assembler = Assembler({"add"})
        for number in range(30_000):
            assembler.call(
                CallPiece(id=f"c{number}" if ids else None, name=name, arguments="{}" if ids else f'{{"a": {number}}}')
            )
        assembler.done()
        answer, _ = assembler.finish()
        assert len(answer.tool_calls) == 30_000


WHOLE = {
    '{"a": 1}': True,
    " {} \n": True,
    '{"a": {"b": "}"}}': True,
    '{"a": 1': False,
    '{"a": "}': False,
    "[1]": False,
    "1": False,
    "": False,
    "{}{}": False,
    '{"a":' * 100_000 + "}" * 100_000: False,
}


@pytest.mark.parametrize("text", WHOLE, ids=lambda text: text[:20])
def test_what_a_whole_object_is(text):
    """Exactly one JSON object, and nothing beside it."""
    assert is_whole_object(text) is WHOLE[text]


def test_ids_are_unique():
    """And legal on every wire but Mistral's."""
    ids = {new_call_id() for _ in range(10_000)}
    assert len(ids) == 10_000
    assert all(one.startswith("call_") and len(one) <= 40 and one.replace("_", "").isalnum() for one in ids)
