"""Models that wrap models: the next one, once more, and the answer that is known already."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

import anyio
import pytest

from agentkit import Agent, ModelError, Settings, UsageError, tool
from agentkit.core.events import ReasoningEvent, RetryEvent, TextEvent, ToolCallEvent
from agentkit.core.messages import Assistant, System, ToolCall, ToolResult, ToolSpec, Usage, User
from agentkit.core.settings import NO_SETTINGS
from agentkit.errors import (
    AuthFailed,
    ContextTooLong,
    MalformedResponse,
    ModelNotFound,
    QuotaExhausted,
    RateLimited,
    RequestRefused,
    Unavailable,
)
from agentkit.models import ChatCompletions, WorkersAI
from agentkit.models.chat_completions.profiles import Profile
from agentkit.models.model import OutputSchema, Request
from agentkit.models.scripted import Scripted, call
from agentkit.models.wrap import Cached, Fallback, Recorded, Retrying
from agentkit.models.wrap import RateLimited as Limited
from agentkit.models.wrap.cached import Folder, identity

pytestmark = pytest.mark.anyio

ASK = Request(messages=(User(content="Hello?"),))


class Stumbling:
    """Says something, then fails."""

    def __init__(self, error: ModelError, text: str = "half an") -> None:
        self.error, self.text, self.asked = error, text, 0

    async def call(self, request, emit=None):
        self.asked += 1
        if emit is not None and self.text and (wait := emit(TextEvent(self.text))) is not None:
            await wait
        raise self.error


class Native:
    """Enforces schemas."""

    native_output = True

    async def call(self, request, emit=None):
        return Assistant(content="{}")


async def heard(model, request=ASK):
    """The answer, and what was emitted."""
    deltas = []
    return await model.call(request, deltas.append), deltas


# ---- Fallback ----


@pytest.mark.parametrize("kind", [RateLimited, QuotaExhausted, Unavailable, ModelNotFound, MalformedResponse])
async def test_the_next_model_answers_when_another_may(kind):
    """What one model cannot do now, another one may."""
    first = Stumbling(kind("no"))
    assert (await Fallback([first, Scripted(["yes"])]).call(ASK)).content == "yes"
    assert first.asked == 1


@pytest.mark.parametrize("kind", [AuthFailed, RequestRefused, ContextTooLong, ModelError])
async def test_what_no_other_model_would_mend_is_raised_at_once(kind):
    """A key that is wrong should be seen, not covered up; a request that is refused is refused elsewhere, too."""
    second = Scripted([])
    with pytest.raises(kind, match="no"):
        await Fallback([Stumbling(kind("no")), second]).call(ASK)
    assert second.requests == []


async def test_the_callers_mistakes_never_fall_back():
    """A UsageError or a bug is not the model's failure."""
    for error in (UsageError("mend this"), KeyError("bug")):
        second = Scripted([])
        with pytest.raises(type(error)):
            await Fallback([Scripted([error]), second]).call(ASK)
        assert second.requests == []


async def test_when_all_fail_the_last_error_tells_of_the_others():
    """One error, with a note for each model that was asked before."""
    models = [
        Stumbling(Unavailable("one is down")),
        Stumbling(RateLimited("two is busy")),
        Stumbling(AuthFailed("key")),
    ]
    with pytest.raises(AuthFailed, match="key") as caught:
        await Fallback(models).call(ASK)
    notes = caught.value.__notes__
    assert ["one is down" in notes[0], "two is busy" in notes[1], len(notes)] == [True, True, 2]


async def test_before_another_models_text_the_first_ones_is_taken_back():
    """A retry stands between them, if, and only if, something was heard."""
    answer, deltas = await heard(Fallback([Stumbling(Unavailable("down")), Scripted(["whole"])]))
    assert deltas == [TextEvent("half an"), RetryEvent("down"), TextEvent("whole")]
    assert answer.content == "whole"
    _, deltas = await heard(Fallback([Stumbling(Unavailable("down"), text=""), Scripted(["whole"])]))
    assert deltas == [TextEvent("whole")]


async def test_one_retry_is_enough():
    """What the model itself has taken back is not taken back again."""

    class Honest:
        async def call(self, request, emit=None):
            emit(TextEvent("a"))
            emit(RetryEvent("gone"))
            raise Unavailable("gone")

    _, deltas = await heard(Fallback([Honest(), Scripted(["b"])]))
    assert deltas == [TextEvent("a"), RetryEvent("gone"), TextEvent("b")]


async def test_a_model_may_stand_twice_and_names_are_models(monkeypatch):
    """The same model again is one more try; a string is what `Agent(model=...)` takes."""
    model = Scripted([Unavailable("once"), "then"])
    assert (await Fallback([model, model]).call(ASK)).content == "then"
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    assert Fallback(["openai:gpt-4o-mini", model]).models[0].model == "gpt-4o-mini"


@pytest.mark.parametrize("models", [[], "openai:gpt-4o-mini", Native(), [None], [3], [Native]])
def test_what_is_no_list_of_models_is_refused(models):
    """Where the mistake is made."""
    with pytest.raises(UsageError):
        Fallback(models)


def test_a_fallback_promises_only_what_all_of_its_models_keep():
    """Native output holds for the whole only if it holds for each."""
    assert Fallback([Native(), Native()]).native_output
    assert not Fallback([Native(), Scripted([])]).native_output
    assert Limited(Retrying(Cached(Native()))).native_output
    assert not Retrying(Scripted([])).native_output


async def test_closing_a_wrapper_closes_what_it_wraps(tmp_path):
    """Connections are the wrapped model's; one that has none is left alone."""

    class Open(Scripted):
        closed = 0

        async def aclose(self):
            self.closed += 1

    model = Open(["x"])
    recorded = Recorded(model, tmp_path / "file")
    await recorded.call(ASK)
    for wrapper in (Retrying(model), Limited(Cached(model)), Fallback([model, Scripted([]), model]), recorded):
        await wrapper.aclose()
    assert model.closed == 5
    await Recorded(None, tmp_path / "file").aclose()


async def test_a_cancel_is_no_failure():
    """Nobody else is asked when the caller has left."""

    class Slow:
        async def call(self, request, emit=None):
            await anyio.sleep(5)

    second = Scripted(["late"])
    with anyio.move_on_after(0.02) as scope:
        await Retrying(Fallback([Slow(), second])).call(ASK)
    assert scope.cancelled_caught
    assert second.requests == []


@pytest.mark.parametrize("wrap", [lambda m: Fallback([m]), Retrying, Limited, Cached])
async def test_the_listener_sets_the_pace(wrap):
    """What `emit` gives back is awaited before the next delta, through every wrapper."""
    shown = []

    async def slowly(delta):
        await anyio.sleep(0.001)
        shown.append(("shown", delta.text))

    def emit(delta):
        shown.append(("emitted", delta.text))
        return slowly(delta)

    await wrap(Scripted(["a b"])).call(ASK, emit)
    assert shown == [("emitted", "a "), ("shown", "a "), ("emitted", "b"), ("shown", "b")]


async def test_a_run_streams_through_a_fallback():
    """The reader is told to discard, and the run ends with the second model's answer."""
    agent = Agent(Fallback([Stumbling(Unavailable("down")), Scripted(["yes"])]))
    async with agent.astream("?") as events:
        kinds = [event.kind async for event in events]
    assert kinds == ["step", "text", "retry", "text", "finished"]
    assert events.result.output == "yes"


# ---- Retrying ----


async def test_what_may_pass_is_tried_again():
    """So many tries, the first one included."""
    model = Scripted([Unavailable("1"), MalformedResponse("2"), "done"])
    assert (await Retrying(model, 3, first_delay_s=0.001).call(ASK)).content == "done"
    model = Scripted([Unavailable("1"), Unavailable("2")])
    with pytest.raises(Unavailable, match="2"):
        await Retrying(model, 2, first_delay_s=0.001).call(ASK)
    assert len(model.requests) == 2


@pytest.mark.parametrize("error", [QuotaExhausted("used up"), AuthFailed("key"), UsageError("mend"), KeyError("bug")])
async def test_what_does_not_pass_is_raised_at_once(error):
    """Trying again would only cost time."""
    model = Scripted([error])
    with pytest.raises(type(error)):
        await Retrying(model).call(ASK)
    assert len(model.requests) == 1


async def test_a_server_that_asks_for_too_much_patience_is_given_up():
    """A wait within `max_wait_s` is kept to, a longer one is the caller's business."""
    model = Scripted([RateLimited("busy", retry_after_s=0.01), "done"])
    assert (await Retrying(model).call(ASK)).content == "done"
    with pytest.raises(RateLimited), anyio.fail_after(1):
        await Retrying(Scripted([RateLimited("busy", retry_after_s=61)])).call(ASK)


async def test_each_retry_takes_back_what_was_heard():
    """The text of a failed try is void."""

    class Model:
        tries = 0

        async def call(self, request, emit=None):
            self.tries += 1
            emit(TextEvent(f"try {self.tries}"))
            if self.tries < 3:
                raise Unavailable("gone")
            return Assistant(content="try 3")

    _, deltas = await heard(Retrying(Model(), first_delay_s=0.001))
    assert [d.kind for d in deltas] == ["text", "retry", "text", "retry", "text"]


@pytest.mark.parametrize("tries", [0, -1])
def test_there_is_a_first_try(tries):
    """None at all is a mistake."""
    with pytest.raises(UsageError):
        Retrying(Scripted([]), tries)


# ---- Cached ----


async def test_the_same_request_is_asked_once():
    """A hit costs nothing and says that it is one."""
    model = Scripted(["Hi."], usage=Usage(input_tokens=9, output_tokens=2), cost_usd=0.5)
    cached = Cached(model)
    first, hit = await cached.call(ASK), await cached.call(Request(messages=(User(content="Hello?"),), session="other"))
    assert (first.cost_usd, first.usage.total_tokens) == (0.5, 11)
    assert (hit.content, hit.cost_usd, hit.usage, hit.extra) == ("Hi.", 0.0, Usage(), {"cached": True})


SPEC = ToolSpec("add", "Add.", {"type": "object", "properties": {"a": {"type": "integer"}}})


@pytest.mark.parametrize(
    "other",
    [
        replace(ASK, messages=(System(content="Hello?"),)),
        replace(ASK, messages=(User(content="Hello!"),)),
        replace(ASK, messages=(User(content=({"type": "text", "text": "Hello?"},)),)),
        replace(ASK, messages=(*ASK.messages, *ASK.messages)),
        replace(ASK, tools=(SPEC,)),
        replace(ASK, tools=(replace(SPEC, strict=True),)),
        replace(ASK, withheld=(SPEC,)),
        replace(ASK, settings=Settings(temperature=0.0)),
        replace(ASK, settings=Settings(extra={"seed": 1})),
        replace(ASK, output=OutputSchema("a", {"type": "object"})),
    ],
)
async def test_another_request_has_another_answer(other):
    """Messages, tools, settings and the output schema all count."""
    cached = Cached(Scripted(["one", "two"]))
    assert [(await cached.call(r)).content for r in (ASK, other, ASK)] == ["one", "two", "one"]


async def test_runs_at_once_ask_once():
    """Each has the answer, with ids of its own; where the first one fails, the others ask for themselves."""
    asked = []

    class Slow:
        async def call(self, request, emit=None):
            asked.append(request)
            await anyio.sleep(0.02)
            if len(asked) == 1:
                raise Unavailable("down")
            return Assistant(tool_calls=(call("add", a=1),))

    cached, ids = Cached(Slow()), []

    async def ask():
        with suppress(Unavailable):
            ids.extend(c.id for c in (await cached.call(ASK)).tool_calls)

    for expected in (3, 2):
        cached.store.clear()
        async with anyio.create_task_group() as runs:
            for _ in range(3):
                runs.start_soon(ask)
        assert len(asked) == expected
        asked[:] = [None]
    assert len(ids) == len(set(ids)) == 5


async def test_a_listener_that_stops_reading_holds_up_only_itself():
    """Another run with the same question asks itself."""
    cached, heard_some = Cached(Scripted(["one two", "one two"])), anyio.Event()

    async def stuck(delta):
        heard_some.set()
        await anyio.sleep_forever()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as runs:
            runs.start_soon(cached.call, ASK, stuck)
            await heard_some.wait()
            assert (await cached.call(ASK)).content == "one two"
            runs.cancel_scope.cancel()


async def test_a_store_that_fails_costs_no_answer(caplog):
    """A cache can be lost; what was paid for cannot."""

    class Broken(dict):
        def __setitem__(self, key, value):
            raise OSError(28, "no space left on device")

        def get(self, key, default=None):
            raise OSError(5, "input/output error")

    assert (await Cached(Scripted(["one"]), Broken()).call(ASK)).content == "one"
    assert "no space" in caplog.text


async def test_a_timeout_makes_no_other_question():
    """How long to wait is not part of what is asked."""
    cached = Cached(Scripted(["one"]))
    await cached.call(ASK)
    assert (await cached.call(replace(ASK, settings=Settings(timeout_s=3)))).content == "one"


async def test_models_that_share_a_store_do_not_share_answers():
    """Another model, or the same with other settings, is asked itself."""
    store: dict[str, str] = {}

    class Named(Scripted):
        def __init__(self, name, lines, settings=NO_SETTINGS) -> None:
            super().__init__(lines)
            self.name, self.settings = name, settings

        def __repr__(self) -> str:
            return f"Named({self.name!r})"

    models = [Named("a", ["1"]), Named("b", ["2"]), Named("a", ["3"], Settings(temperature=1)), Named("a", [])]
    assert [(await Cached(m, store).call(ASK)).content for m in models] == ["1", "2", "3", "1"]
    assert len({json.dumps(identity(Retrying(m)), default=str) for m in models}) == 3
    assert "0x" not in str(identity(Scripted([])))


def test_models_of_one_name_that_are_asked_otherwise_are_told_apart():
    """By what was given, and not by what was learned since or is secret; the same in each process."""
    here = {"base_url": "http://127.0.0.1:1", "api_key": "k"}
    cloud = {"account_id": "0" * 32, "api_token": "t"}
    models = [
        *(ChatCompletions("m", **here, **more) for more in ({}, {"tools": "prompted"}, {"tools": "native"})),
        ChatCompletions("m", **here, profile=Profile(alternate=True)),
        ChatCompletions("m", **here, headers={"x-deployment": "b"}),
        *(WorkersAI("@cf/a/b", **cloud, **more) for more in ({}, {"tools": "prompted"}, {"trim_tools": "auto"})),
    ]
    assert len({str(identity(model)) for model in models}) == len(models)
    assert identity(models[0]) == identity(ChatCompletions("m", **{**here, "api_key": "other"}))
    assert identity(models[0]) == identity(ChatCompletions("m", **here, headers={"x-api-key": "other"}))
    assert '["auto","named","none","required"]' in str(identity(models[3]))


async def test_a_run_from_the_cache_is_the_same_run():
    """Tools run again, ids are new, what a hit adds does not change the next question."""
    ran = []

    @tool
    def add(a: int, b: int) -> int:
        """Add."""
        ran.append((a, b))
        return a + b

    store: dict[str, str] = {}
    lines = [["Let me see.", call("add", a=1, b=2), call("add", a=3, b=4)], call("add", a=3, b=7), "10"]
    results = []
    with Scripted(lines) as model:
        for _ in range(3):
            results.append(await Agent(Cached(model, store), [add]).arun("1 + 2 + 3 + 4?"))
    assert [str(r) for r in results] == ["10"] * 3
    assert len(ran) == 9
    assert results[1].usage.total_tokens == 0
    assert results[1].cost_usd == 0.0
    ids = [c.id for r in results for m in r.messages if isinstance(m, Assistant) for c in m.tool_calls]
    assert len(set(ids)) == 9


async def test_two_hits_in_one_conversation_have_calls_of_their_own():
    """The same question again in one history is answered by calls with new ids."""
    cached = Cached(Scripted([call("add", a=1, b=2)]))
    first, second = await cached.call(ASK), await cached.call(ASK)
    assert first.tool_calls[0].id != second.tool_calls[0].id
    assert first.tool_calls[0].arguments == second.tool_calls[0].arguments


async def test_calls_need_not_be_kept():
    """`calls=False` keeps final answers only."""
    model = Scripted([call("add", a=1), call("add", a=2), "done"])
    cached = Cached(model, calls=False)
    for _ in range(3):
        answer = await cached.call(ASK)
    assert answer.content == "done"
    assert (await cached.call(ASK)).extra["cached"]


@pytest.mark.parametrize(
    "line",
    [
        Unavailable("down"),
        "",
        "  ",
        Assistant(content="half", aborted=True),
        Assistant(content="x", finish_reason="error"),
    ],
)
async def test_what_is_no_answer_is_not_kept(line):
    """The next one is asked for again."""
    cached = Cached(Scripted([line, "good"]))
    with suppress(Unavailable):
        await cached.call(ASK)
    assert (await cached.call(ASK)).content == "good"


async def test_a_hit_streams():
    """Thoughts, text and calls are emitted, and the emitted calls are those of the answer."""
    answer = Assistant(content="Hm.", reasoning="why", tool_calls=(ToolCall(id="x", name="add", arguments="{}"),))
    cached = Cached(Scripted([answer]))
    await cached.call(ASK)
    hit, deltas = await heard(cached)
    assert deltas == [ReasoningEvent("why"), TextEvent("Hm."), ToolCallEvent(hit.tool_calls[0])]


async def test_a_folder_keeps_answers_for_other_processes(tmp_path):
    """A path is a folder; another cache on it is another process."""
    await Cached(Scripted(["é \udc00"]), tmp_path / "cache").call(ASK)
    assert (await Cached(Scripted([]), str(tmp_path / "cache")).call(ASK)).content == "é \udc00"
    with pytest.raises(UsageError, match="folder"):
        Cached(Scripted([]), next((tmp_path / "cache").iterdir()))


@pytest.mark.parametrize("damage", ["", "{", "null", '{"v": 1, "kind": "user", "content": "x"}', '{"v": 99}'])
async def test_a_damaged_answer_is_asked_for_again(tmp_path, damage):
    """A cache can be lost; a run cannot be lost to it."""
    cached = Cached(Scripted(["one", "two"]), tmp_path)
    await cached.call(ASK)
    for key in cached.store:
        cached.store[key] = damage
    assert (await cached.call(ASK)).content == "two"
    assert (await cached.call(ASK)).content == "two"


def test_a_folder_is_a_dict(tmp_path):
    """What a mapping promises."""
    folder = Folder(tmp_path / "new")
    assert list(folder) == []
    folder["a"] = "1"
    folder["b"] = "2"
    del folder["a"]
    assert dict(folder) == {"b": "2"}
    assert len(folder) == 1
    with pytest.raises(KeyError):
        del folder["a"]
    with pytest.raises(KeyError):
        folder["a"]


async def test_ids_of_calls_do_not_count():
    """The same conversation with other ids is the same question."""

    def request(call_id):
        calls = (ToolCall(id=call_id, name="add", arguments="{}", provider_id=f"p{call_id}"),)
        result = ToolResult(call_id=call_id, name="add", content="3")
        return Request(messages=(*ASK.messages, Assistant(tool_calls=calls, extra={"id": call_id}), result))

    cached = Cached(Scripted(["one"]))
    assert [(await cached.call(request(i))).content for i in ("a", "b")] == ["one", "one"]
