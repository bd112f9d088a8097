"""Long conversations: what a model is shown, and summaries that never cost the run."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest
from core.strategies import Played, transcripts
from harness import answered
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit import Agent, Limits, ModelError, UsageError, tool
from agentkit.core.codec import decode, encode
from agentkit.core.entries import ModelFailed, Summary
from agentkit.core.messages import Assistant, Message, System, ToolCall, ToolResult, Usage, User
from agentkit.core.state import fold
from agentkit.core.view import SUMMARY_HEAD, view
from agentkit.errors import AuthFailed, ContextTooLong, Unavailable
from agentkit.history import View, drop_tool_output, keep_last, summarise
from agentkit.models.scripted import Scripted, call
from agentkit.runtime.summary import KEEP_MESSAGES, cut
from agentkit.stores.memory import Memory

ASK = User(content="How much?")
SUMMARY = User(content=SUMMARY_HEAD + "long ago")


def step(number: int, size: int = 200, calls: int = 1) -> list[Message]:
    """An answer with calls, and their results."""
    ids = [f"c{number}_{i}" for i in range(calls)]
    answer = Assistant(tool_calls=tuple(ToolCall(id=i, name="find", arguments="{}") for i in ids))
    return [answer, *(ToolResult(call_id=i, name="find", content="x" * size) for i in ids)]


def steps(count: int, size: int = 200) -> list[Message]:
    return [message for number in range(count) for message in step(number, size)]


def paired(messages: Sequence[Message]) -> bool:
    """Whether each call's results stand right behind it, in order, and no result anywhere else."""
    due: list[str] = []
    for message in messages:
        if isinstance(message, ToolResult):
            if not due or message.call_id != due.pop(0):
                return False
        elif due:
            return False
        elif isinstance(message, Assistant):
            due = [one.id for one in message.tool_calls]
    return not due


def the_same(one: Message, other: Message) -> bool:
    """Whether a message is another one, whole or shortened."""
    if isinstance(one, ToolResult) and isinstance(other, ToolResult):
        return one.call_id == other.call_id
    return one is other


views = st.one_of(
    st.builds(keep_last, st.integers(1, 12), hop=st.integers(1, 5)),
    st.builds(drop_tool_output, st.integers(1, 6), hop=st.integers(1, 5)),
    st.just(summarise()),
)


@settings(deadline=None)
@given(transcripts(), st.lists(views, min_size=1, max_size=3))
def test_any_view_of_any_conversation_is_one(played: Played, narrow: list[View]):
    """Calls stand with their results, nothing is added, and the order stays."""
    shown = whole = view(played.entries)
    for each in narrow:
        shown = each(shown)
    assert paired(shown)
    rest = iter(whole)
    assert all(any(the_same(message, other) for other in rest) for message in shown)
    first = next(
        (i for i, m in enumerate(whole) if any(m is other for other in shown) and not isinstance(m, System)), 0
    )
    if any(isinstance(m, User) for m in whole[:first]):
        assert isinstance(whole[first], User)
    unseen = trailing_results(whole)
    assert list(shown[len(shown) - len(unseen) :]) == unseen


def trailing_results(messages: Sequence[Message]) -> list[Message]:
    """The results at the end, which the model has not seen."""
    start = next((i for i in range(len(messages), 0, -1) if not isinstance(messages[i - 1], ToolResult)), 0)
    return list(messages[start:])


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 30))
def test_between_two_hops_the_view_only_grows_at_its_end(n: int, hop: int, length: int):
    """What a server has read stays the beginning of what it reads next."""
    messages = [ASK, *steps(20)]
    for narrow in (keep_last(n, hop=hop), drop_tool_output(n, hop=hop)):
        moves = 0
        before = list(narrow(messages[: length + 1]))
        for end in range(length + 2, len(messages)):
            after = list(narrow(messages[:end]))
            moves += after[: len(before)] != before
            before = after
        assert moves <= (len(messages) - length) / hop + 1


# ---- keep_last ----


def test_the_last_messages_are_kept_with_the_question():
    """Of a long turn the model sees what it is asked, and the end."""
    messages = [User(content="earlier"), Assistant(content="yes"), ASK, *steps(10)]
    assert keep_last(4)(messages) == [ASK, *messages[-4:]]


def test_a_call_is_kept_with_all_of_its_results():
    """A cut among results goes back to their call, however many they are."""
    messages = [ASK, *steps(3), *step(3, calls=30)]
    assert keep_last(2)(messages) == [ASK, *step(3, calls=30)]


def test_instructions_and_a_summary_stay():
    """They are few, and nothing else says what they say."""
    system = System(content="Be brief.")
    messages = [system, SUMMARY, *steps(4), User(content="And now?"), *steps(4)]
    assert keep_last(2)(messages) == [system, SUMMARY, User(content="And now?"), *messages[-2:]]


def test_a_conversation_that_is_short_enough_is_shown_as_it_is():
    """The same object: nothing has to be encoded again."""
    messages = [ASK, *steps(1)]
    assert keep_last(3)(messages) is messages
    assert keep_last(3)([]) == []


def test_a_question_that_is_kept_already_is_not_kept_twice():
    """The cut may fall right before it."""
    messages = [*steps(3), ASK, *steps(1)]
    assert keep_last(3)(messages) == [ASK, *steps(1)]


# ---- drop_tool_output ----


def test_old_tool_output_gives_way_to_a_note():
    """The last answers keep their results; calls, names and outcomes stay."""
    messages = [ASK, *steps(4, size=12_345)]
    shown = drop_tool_output(2)(messages)
    results = [m for m in shown if isinstance(m, ToolResult)]
    assert [m.content for m in results[:2]] == ["[12,345 characters of old output dropped]"] * 2
    assert results[2:] == [m for m in messages if isinstance(m, ToolResult)][2:]
    assert [m for m in shown if not isinstance(m, ToolResult)] == [m for m in messages if not isinstance(m, ToolResult)]


def test_what_is_shorter_than_its_note_stays():
    """A view never makes a conversation longer."""
    messages = [ASK, *steps(9, size=5)]
    assert drop_tool_output(1)(messages) == messages


def test_results_that_nobody_has_seen_are_whole():
    """All thirty of the last batch, and everything before the first answer."""
    messages = [ASK, *steps(2), *step(2, calls=30)]
    assert drop_tool_output(1)(messages)[-30:] == messages[-30:]
    assert drop_tool_output(1)([ASK]) == [ASK]


def test_a_note_is_the_same_object_each_time():
    """A model that encodes a message once has nothing to do again."""
    messages = [ASK, *steps(5)]
    first, second = (drop_tool_output(1)(messages) for _ in range(2))
    assert all(a is b for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(
    "wrong",
    [lambda: keep_last(0), lambda: keep_last(3, hop=0), lambda: drop_tool_output(0), lambda: keep_last(True),
     lambda: summarise(at_tokens=0), lambda: drop_tool_output("3")],
)  # fmt: skip
def test_numbers_that_make_no_sense_are_refused(wrong):
    """Where they are written."""
    with pytest.raises(UsageError):
        wrong()


# ---- where a summary cuts ----


@settings(deadline=None)
@given(transcripts())
def test_a_summary_never_covers_what_is_not_answered_yet(played: Played):
    """The newest message, or the newest call with its results, stays; what stays is whole."""
    messages = view(played.entries)
    at = cut(messages)
    assert 0 <= at <= max(0, len(messages) - 1)
    assert paired(messages[at:])
    assert paired(messages[:at])


def test_the_newest_messages_stay_unless_they_are_most_of_the_text():
    """Summarising the small beginning of a conversation with a huge end would help nobody."""
    small = [ASK, *steps(10, size=10)]
    assert len(small) - cut(small) in (KEEP_MESSAGES - 1, KEEP_MESSAGES)
    huge = [ASK, *steps(3, size=10_000)]
    assert len(huge) - cut(huge) == 2
    assert cut([ASK]) == 0
    assert cut([]) == 0


# ---- runs ----


@tool
def find(n: int) -> str:
    """Find something."""
    return f"{n}: " + "x" * 100


LONG = Usage(input_tokens=1000, output_tokens=10, requests=1)


def lines(count, usage=LONG):
    return [Assistant(tool_calls=(call("find", n=n),), usage=usage, cost_usd=0.5) for n in range(count)]


def contents(request) -> str:
    return "\n".join(str(message.content) for message in request.messages)


@pytest.mark.anyio
async def test_an_agent_shows_what_its_views_leave():
    """In order, step by step; the result keeps everything."""
    model = Scripted([*lines(6), "done"])
    result = await Agent(model, [find], "Be brief.", view=[drop_tool_output(1), keep_last(4)]).arun("go")
    last = model.requests[-1].messages
    assert [m.kind for m in last] == ["system", "user", "assistant", "tool_result", "assistant", "tool_result"]
    assert "dropped" in last[3].content
    assert "xxx" in last[5].content
    assert len(result.messages) == 14


@pytest.mark.anyio
async def test_a_view_may_change_the_list_that_it_is_given():
    """It changes what is shown in this request, and nothing of the run."""

    def upside_down(messages):
        messages.reverse()
        return messages

    model = Scripted([*lines(2), "done"])
    await Agent(model, [find], view=[upside_down]).arun("go")
    assert [m.kind for m in reversed(model.requests[-1].messages)] == ["user", *["assistant", "tool_result"] * 2]


@pytest.mark.anyio
async def test_a_view_without_a_return_is_told_so():
    """The most likely slip has a sentence of its own."""
    with pytest.raises(UsageError, match="gave None"):
        await Agent(Scripted(["done"]), view=[lambda messages: None]).arun("go")


@pytest.mark.anyio
@pytest.mark.parametrize("way", ["view", "limits", "both"])
async def test_a_conversation_that_is_too_long_is_summarised(way):
    """By the model that was named; its cost counts, and the run goes on with the summary in front."""
    small = Usage(input_tokens=10, output_tokens=1, requests=1)
    writer = Scripted(["All was found."], usage=Usage(input_tokens=77), cost_usd=0.25)
    model = Scripted([*lines(3, small), *lines(1), Assistant(content="done", cost_usd=0.5, usage=small)])
    options = {"view": [summarise(writer, at_tokens=900)]} if way != "limits" else {"summariser": writer}
    agent = Agent(model, [find], "Be brief.", **options)
    limits = {"view": Limits(), "limits": Limits(summarise_at_tokens=900), "both": Limits(steps=30)}[way]
    result = await agent.arun("go", limits=limits)
    assert result.output == "done"
    assert "find with" in contents(writer.requests[0])
    assert model.requests[-1].messages[1].content == SUMMARY_HEAD + "All was found."
    assert result.cost_usd == 5 * 0.5 + 0.25
    assert result.usage.input_tokens == 4 * 10 + 1000 + 77
    assert answered(result)


@pytest.mark.anyio
async def test_a_conversation_that_does_not_fit_is_summarised_and_the_run_finishes():
    """Nothing has to be said about tokens: the model itself says when."""
    model = Scripted([*lines(4), ContextTooLong("too long"), "the gist", "done"])
    result = await Agent(model, [find], view=[summarise()]).arun("go")
    assert result.output == "done"
    assert [e.kind for e in result.entries if e.kind in ("model_failed", "summary")] == ["model_failed", "summary"]
    assert len(model.requests[-1].messages) < 9


@pytest.mark.anyio
async def test_without_a_summary_a_conversation_that_does_not_fit_ends_the_run():
    """Nothing is cut behind anyone's back; and one that does not fit after its summary ends it, too."""
    with pytest.raises(ContextTooLong):
        await Agent(Scripted([*lines(4), ContextTooLong("too long")]), [find]).arun("go")
    model = Scripted([*lines(4), ContextTooLong("too long"), "gist", ContextTooLong("still")])
    with pytest.raises(ContextTooLong, match="still"):
        await Agent(model, [find], view=[summarise()]).arun("go")


@pytest.mark.anyio
async def test_a_text_that_does_not_fit_the_summariser_is_shortened():
    """Long outputs first, until it fits."""
    sizes = []

    class Small:
        async def call(self, request, emit=None):
            sizes.append(len(request.messages[-1].content))
            if sizes[-1] > 5_000:
                raise ContextTooLong("the summariser's window is small")
            return Assistant(content="gist")

    @tool(max_output_chars=None)
    def dump(n: int) -> str:
        """Dump."""
        return "x" * 50_000

    answers = [Assistant(tool_calls=(call("dump", n=n),), usage=LONG) for n in range(4)]
    result = await Agent(Scripted([*answers, "done"]), [dump], view=[summarise(Small(), at_tokens=900)]).arun("go")
    assert result.output == "done"
    assert sizes[-1] <= 5_000
    assert max(sizes) < 100_000


HALF = Assistant(content="the first ha", aborted=True)


@pytest.mark.anyio
@pytest.mark.parametrize("failure", [Unavailable("down"), AuthFailed("key"), ContextTooLong("small"), "", "  ", HALF])
async def test_a_summary_that_fails_does_not_cost_a_run_that_can_go_on(failure):
    """The conversation still fits: the failure is noted, the whole conversation is shown, what it cost counts."""
    bill = Usage(input_tokens=7)
    writer = Scripted([failure] * 20, usage=bill)
    model = Scripted([*lines(5), "done"])
    result = await Agent(model, [find], view=[summarise(writer, at_tokens=900)]).arun("go")
    assert result.output == "done"
    assert len(model.requests[-1].messages) == 11
    assert answered(result)
    fold([decode(encode(entry)) for entry in result.entries])
    noted = [e for e in result.entries if isinstance(e, ModelFailed) and "the summary failed" in e.message]
    assert bool(noted) == isinstance(failure, ModelError)
    summaries = [e for e in result.entries if isinstance(e, Summary)]
    assert all(e.covers == 0 for e in summaries)
    assert isinstance(failure, ModelError) or summaries[-1].usage.input_tokens == 7


@pytest.mark.anyio
async def test_a_summary_that_fails_ends_a_run_that_cannot_go_on_and_may_be_tried_again():
    """The summariser's own error leaves the run; going on asks it again."""
    store = Memory()
    writer = Scripted([Unavailable("down"), "gist"])
    model = Scripted([*lines(4), ContextTooLong("too long"), ContextTooLong("too long"), "done"])
    agent = Agent(model, [find], view=[summarise(writer)], store=store)
    with pytest.raises(Unavailable, match="down") as caught:
        await agent.arun("go", session="s")
    assert caught.value.result.entries[-1].message == "the summary failed: down"
    assert (await agent.arun("go", session="s")).output == "done"


@pytest.mark.anyio
async def test_a_cancelled_summary_leaves_no_trace_and_is_made_again():
    """The transcript goes on from before it."""
    store = Memory()
    cancel = anyio.CancelScope()

    class Writer:
        asked = 0

        async def call(self, request, emit=None):
            self.asked += 1
            if self.asked == 1:
                cancel.cancel()
                await anyio.sleep(5)
            return Assistant(content="gist")

    model = Scripted([*lines(2, Usage(requests=1)), *lines(1), "done"])
    agent = Agent(model, [find], view=[summarise(Writer(), at_tokens=900)], store=store)
    with cancel:
        await agent.arun("go", session="s")
    assert cancel.cancelled_caught
    result = await agent.aresume("s")
    assert result.output == "done"
    assert [e.covers > 0 for e in result.entries if isinstance(e, Summary)] == [True]


@pytest.mark.anyio
async def test_a_summary_that_hangs_ends_at_the_deadline():
    """The budget of the turn holds for it as well."""

    class Slow:
        async def call(self, request, emit=None):
            await anyio.sleep(5)

    limits = Limits(deadline_s=0.1)
    with anyio.fail_after(3):
        result = await Agent(Scripted(lines(3)), [find], view=[summarise(Slow(), at_tokens=900)]).arun(
            "go", limits=limits
        )
    assert result.stop_reason == "deadline_s"
    assert answered(result)


@pytest.mark.anyio
async def test_what_a_summary_costs_counts_toward_the_limits():
    """A run does not spend more on summaries than it may."""
    writer = Scripted(["gist"] * 9, usage=Usage(input_tokens=5000))
    result = await Agent(
        Scripted(lines(9)), [find], view=[summarise(writer, at_tokens=900)], limits=Limits(tokens=6000)
    ).arun("go")
    assert result.stop_reason == "tokens"
    assert len(writer.requests) == 1


@pytest.mark.anyio
async def test_a_summary_alone_is_not_summarised_again():
    """Where there is nothing new, the summariser is not asked: its text would only get vaguer."""
    writer = Scripted(["gist " * 500])
    model = Scripted([*lines(4), "done"])
    result = await Agent(model, [find], view=[summarise(writer, at_tokens=900)]).arun("go")
    assert result.output == "done"
    assert len(writer.requests) == 1
    assert model.requests[-1].messages[0].content.startswith(SUMMARY_HEAD)


@pytest.mark.anyio
async def test_every_prefix_of_a_summarised_run_finishes():
    """Wherever a process dies, the next one goes on to the same answer."""
    small = Usage(input_tokens=10, requests=1)
    result = await Agent(
        Scripted([*lines(3, small), *lines(1), Assistant(content="done", usage=small)]),
        [find],
        view=[summarise(Scripted(["gist"]), at_tokens=900)],
    ).arun("go")
    entries = result.entries
    for end in range(2, len(entries)):
        store = Memory()
        log = await store.open("s")
        for entry in entries[:end]:
            await log.append(decode(encode(entry)))
        await log.close()
        rest = [e for e in entries[end:] if isinstance(e, Assistant)]
        due = any(isinstance(e, Summary) for e in entries[end:])
        writer = Scripted(["gist"] if due else [])
        with writer:
            agent = Agent(
                Scripted(rest), [find.replace(idempotent=True)], view=[summarise(writer, at_tokens=900)], store=store
            )
            again = await agent.aresume("s")
        assert again.output == "done", end
