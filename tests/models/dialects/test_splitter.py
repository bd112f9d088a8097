"""An answer streams: the cut changes nothing, nothing is held back longer than it must, nothing leaks."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from models.dialects.dialect_samples import POSITIVE, SPECS, TEXT, heard, said

from agentkit.core.events import ReasoningEvent, RetryEvent, TextEvent
from agentkit.models.dialects import Splitter, parse
from agentkit.models.dialects.grammar import grammar

TEXTS = [sample.text for sample in POSITIVE] + list(TEXT)
PIECES = sorted(
    {piece for text in TEXTS for piece in (text, text[: len(text) // 2], text[len(text) // 2 :], text[:12], text[-14:])}
)


def stream(chunks, **options):
    """What a listener has after the chunks, and the whole parse."""
    splitter = Splitter(SPECS, **options)
    deltas = [delta for chunk in chunks for delta in splitter.feed(chunk)]
    deltas += splitter.end()
    return heard(deltas), splitter.finish()


def cut(text, places):
    """The text in pieces."""
    edges = [0, *sorted({place % (len(text) + 1) for place in places}), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


@pytest.mark.parametrize("text", TEXTS)
def test_one_character_at_a_time_gives_the_same(text):
    """And the listener has heard exactly what the parse says."""
    told, parsed = stream(text)
    assert parsed == parse(text, SPECS)
    assert told == (parsed.content, parsed.reasoning, parsed.calls)


@pytest.mark.parametrize("text", TEXTS)
def test_two_pieces_give_the_same(text):
    """Cut at every character."""
    whole = parse(text, SPECS)
    for place in range(len(text) + 1):
        assert stream([text[:place], text[place:]])[1] == whole, text[:place]


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=4), st.lists(st.integers(0, 5000), max_size=12), st.booleans())
def test_any_cut_of_any_mixture_gives_the_same(pieces, places, reasoning):
    """Samples, halves and ends of them in any order, in pieces of any size."""
    text = "".join(pieces)
    told, parsed = stream(cut(text, places), reasoning=reasoning)
    assert parsed == parse(text, SPECS, reasoning=reasoning)
    assert told == (parsed.content, parsed.reasoning, parsed.calls)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.sampled_from(
            [
                *"<>[]{}()`\"'\n :,/|=｜▁_-",
                "tool_call", "think", "get_weather", "get_time", "TOOL_CALLS", "ARGS", "name", "arguments", "city",
                "function", "parameter", "invoke", "Action:", "call:", "```json\n", "</tool_call>", "<tool_call>",
                '{"name": "get_time", "arguments": {}}', "<function=get_time>", "</function>", "/*", "*/", "#", "\\",
                "<|channel|>", "<|message|>", "<|end|>", "<|start|>assistant", " to=functions.get_time", "</think>",
                "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>", "[get_time()", '"""', "\ud83d", "\ude00",
            ]
        ),
        max_size=25,
    ),
    st.lists(st.integers(0, 400), max_size=12),
)  # fmt: skip
def test_any_cut_of_any_rubbish_gives_the_same(tokens, places):
    """Tokens of all dialects in any order; nothing is ever raised."""
    text = "".join(tokens)
    told, parsed = stream(cut(text, places))
    assert parsed == parse(text, SPECS)
    assert told == (parsed.content, parsed.reasoning, parsed.calls)
    assert all(call.name in ("get_time", "get_weather") for call in parsed.calls)


@settings(deadline=None, max_examples=200)
@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_text_without_marks_comes_back_to_the_letter(text):
    """Whatever it holds."""
    assume(not grammar().marks.whole.search(text))
    assert said(parse(text + ".", SPECS))[0] == text + "."


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(sorted(grammar().marks.beginnings)) | st.text(max_size=3), max_size=3))
def test_plain_text_is_told_from_marks_by_their_first_characters(pieces):
    """The short way finds what the long way finds."""
    text, marks = "".join(pieces), grammar().marks
    assert marks.near.search(text) or not (marks.whole.search(text) or marks.hold(text, 0) < len(text))


@pytest.mark.parametrize("text", ["a <b", "x [y", "1 < 2 and [3", "f{x", "the function", "Act now", "it`s", "<|x", "}"])
def test_what_only_begins_like_a_mark_is_released_at_once(text):
    """As soon as it can be none."""
    splitter = Splitter(SPECS)
    content = heard([delta for character in f"{text}!" for delta in splitter.feed(character)])[0]
    assert content == f"{text}!"


def test_no_more_waits_than_a_mark():
    """Prose full of what marks begin with is heard at once, but for what may still be a mark."""
    text = "a <b> <tool f{x} [1] functions call: me all `x` ** Act: >> > < com an as \"q\" 'it' {} |<| ✿ ｜ <function=foo is, "
    for prose in (text * 5, f"{{{text}", f"[{text}", f'{{"name": "Anna", "says": "{text}"}}', f"Action: {text}"):
        splitter, said = Splitter(SPECS), 0
        for end, character in enumerate(prose, 1):
            said += len(heard(splitter.feed(character))[0])
            assert len(prose[:end].rstrip()) - said <= grammar().marks.longest, prose[:end]


def test_text_flows():
    """A plain answer is not held back: every word is heard when it comes."""
    splitter = Splitter(SPECS)
    for word in ("It", "rains", "in", "Oslo", ",", "and", "in", "Bern"):
        assert splitter.feed(f" {word}"), word


def test_an_answer_in_json_flows():
    """It is no call after its first key."""
    splitter = Splitter(SPECS)
    assert splitter.feed('{"city": ') == [TextEvent('{"city":')]


def test_a_call_is_announced_when_it_is_whole():
    """Not when the answer ends."""
    splitter = Splitter(SPECS)
    deltas = splitter.feed('Yes. <tool_call>{"name": "get_time", "arguments": {}}</tool_call>')
    assert heard(deltas)[0] == "Yes."
    assert [call.name for call in heard(deltas)[2]] == ["get_time"]


@pytest.mark.parametrize("sample", [sample for sample in POSITIVE if sample.calls], ids=lambda sample: sample.label)
def test_nothing_of_a_call_is_heard_as_text(sample):
    """However it is cut, no listener sees a piece of markup, unless all before it turns out to be a thought."""
    for size in (1, 2, 5):
        splitter = Splitter(SPECS)
        content = ""
        for start in range(0, len(sample.text), size):
            for delta in splitter.feed(sample.text[start : start + size]):
                content = (
                    ""
                    if isinstance(delta, RetryEvent)
                    else content + getattr(delta, "text", "") * (isinstance(delta, TextEvent))
                )
            retried = content and not sample.content.startswith(content)
            assert not retried or sample.reasoning.startswith(content), content


def test_a_thought_without_its_opening_mark_is_taken_back():
    """The listener is told to discard what it took for text; nothing has to be taken back that was not handed out."""
    splitter = Splitter(SPECS)
    assert splitter.feed("Hm, yes") == [TextEvent("Hm, yes")]
    deltas = splitter.feed("!</think>Hello.")
    assert [type(delta) for delta in deltas] == [RetryEvent, ReasoningEvent, TextEvent]
    assert heard(deltas)[:2] == ("Hello.", "Hm, yes!")
    assert [type(delta) for delta in Splitter(SPECS).feed("Hm, yes!</think>Hello.")] == [ReasoningEvent, TextEvent]


def test_thoughts_are_taken_back_once_for_each_chunk():
    """However many closing marks it holds."""
    splitter = Splitter(SPECS)
    splitter.feed("One")
    deltas = splitter.feed(" two</think>three</think>four</think>Hello.")
    assert [type(delta) for delta in deltas].count(RetryEvent) == 1
    assert heard(deltas)[:2] == ("Hello.", "One two\n\nthree\n\nfour")


def test_a_known_template_takes_nothing_back():
    """`reasoning=True` says where the answer begins."""
    told, parsed = stream("Hm.</think>Hello.", reasoning=True)
    assert told[:2] == (parsed.content, parsed.reasoning) == ("Hello.", "Hm.")


def test_characters_may_be_cut_in_two():
    """Surrogate pairs are joined across chunks; lone ones become U+FFFD, for no wire can encode them."""
    told, parsed = stream(["a\ud83d", "\ude00b\ud83d", "c\udc00", "\ud83d"])
    assert told[0] == parsed.content == "a\N{GRINNING FACE}b\ufffdc\ufffd\ufffd"
    parsed.content.encode()


def test_an_ended_splitter_takes_nothing_more():
    """`end` and `finish` may come in any order, and again."""
    splitter = Splitter(SPECS)
    splitter.feed("Hello")
    assert splitter.finish(" there.").content == "Hello there."
    assert splitter.end() == splitter.feed("x") == []
    assert splitter.finish().content == "Hello there."
