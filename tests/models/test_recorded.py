"""Recordings: written once, read ever after, without secrets and without ids."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

import anyio
import pytest

from agentkit import Agent, Settings, UsageError, tool
from agentkit.core.events import ReasoningEvent, RetryEvent, TextEvent, ToolCallEvent
from agentkit.core.messages import Assistant, ToolCall, Usage, User
from agentkit.errors import ContextTooLong, RateLimited, Unavailable
from agentkit.models.model import Request
from agentkit.models.scripted import Scripted, call
from agentkit.models.wrap import Recorded, Retrying
from agentkit.models.wrap.scrub import REMOVED, secrets_of, without_secrets

pytestmark = pytest.mark.anyio

ASK = Request(messages=(User(content="Hello?"),))


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


LINES = [["Let me see.", call("add", a=1, b=2), call("add", a=3, b=4)], call("add", a=3, b=7), "It is 10."]


async def run(model, question="1 + 2 + 3 + 4?"):
    return await Agent(model, [add]).arun(question)


async def test_a_run_is_recorded_once_and_replayed_ever_after(tmp_path):
    """The replay needs no model, and is the same run with the same costs."""
    file = tmp_path / "run.jsonl"
    usage = Usage(input_tokens=5, output_tokens=2)
    with Scripted(LINES, usage=usage, cost_usd=0.25) as model:
        recorded = await run(Recorded(model, file))
    for mode in ("auto", "replay"):
        replayed = await run(Recorded(None, file, mode=mode))
        assert str(replayed) == str(recorded) == "It is 10."
        assert (replayed.usage, replayed.cost_usd) == (recorded.usage, recorded.cost_usd)
        assert len(replayed.messages) == len(recorded.messages)


async def test_a_name_needs_no_key_to_be_replayed(tmp_path, monkeypatch):
    """What is asked for only to record is not made before."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    file = tmp_path / "run.jsonl"
    await Recorded(Scripted(["Hi."]), file).call(ASK)
    assert (await Recorded("openai:gpt-4o-mini", file).call(ASK)).content == "Hi."


async def test_two_recordings_of_the_same_run_are_the_same_file(tmp_path):
    """Our ids and the provider's leave no trace."""
    files = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for number, file in enumerate(files):
        answer = Assistant(
            tool_calls=(ToolCall(id=f"own{number}", name="add", arguments='{"a":1,"b":2}', provider_id=f"p{number}"),),
            extra={"id": f"chatcmpl-{number}"},
        )
        await run(Recorded(Scripted([answer, "3"]), file))
    assert files[0].read_text() == files[1].read_text()


async def test_the_file_is_lines_that_people_can_read(tmp_path):
    """A head, then request and answer, letters as letters."""
    file = tmp_path / "run.jsonl"
    await run(Recorded(Scripted(["Zwölf."]), file), "Wie viel?")
    head, line = map(json.loads, file.read_text("utf-8").splitlines())
    assert head == {"agentkit_recording": 1, "native_output": False}
    assert line["request"]["messages"] == [{"role": "user", "content": "Wie viel?"}]
    assert line["answer"]["content"] == "Zwölf."
    assert "ö" in file.read_text("utf-8")


async def test_text_that_is_no_unicode_is_kept(tmp_path):
    """A lone surrogate comes back as it was."""
    file = tmp_path / "run.jsonl"
    await Recorded(Scripted(["\udc00 \N{SNOWMAN}"]), file).call(ASK)
    assert (await Recorded(None, file).call(ASK)).content == "\udc00 \N{SNOWMAN}"


@pytest.mark.parametrize(
    ("other", "where"),
    [
        (replace(ASK, messages=(User(content="Hello!"),)), r"messages\[0\]\.content: 'Hello\?' .* 'Hello!'"),
        (replace(ASK, messages=(*ASK.messages, User(content="x"))), r"messages\[1\]: nothing was recorded"),
        (replace(ASK, settings=Settings(temperature=0.5)), r"request\.settings: nothing was recorded, .*0\.5"),
        (replace(ASK, tools=(add.spec,)), r"request\.tools: nothing was recorded"),
    ],
)
async def test_a_request_that_was_not_recorded_is_refused(tmp_path, other, where):
    """The message says where it differs, and how to record anew."""
    file = tmp_path / "run.jsonl"
    await Recorded(Scripted(["Hi."]), file).call(ASK)
    with pytest.raises(UsageError, match=where) as caught:
        await Recorded(None, file).call(other)
    assert "run.jsonl" in str(caught.value)


async def test_of_long_texts_the_place_where_they_differ_is_shown(tmp_path):
    """Not the first sixty characters, which are the same."""
    file = tmp_path / "run.jsonl"
    await Recorded(Scripted(["Hi."]), file).call(Request(messages=(User(content="x" * 5000 + "left" + "y" * 99),)))
    with pytest.raises(UsageError, match="xleft.*xright") as caught:
        await Recorded(None, file).call(Request(messages=(User(content="x" * 5000 + "right" + "y" * 99),)))
    assert len(str(caught.value)) < 600


async def test_an_answer_is_used_once(tmp_path):
    """One request more than was recorded is refused; the same request twice has both answers, in order."""
    file = tmp_path / "run.jsonl"
    recorder = Recorded(Scripted(["one", "two"]), file)
    for _ in range(2):
        await recorder.call(ASK)
    player = Recorded(None, file)
    assert [(await player.call(ASK)).content for _ in range(2)] == ["one", "two"]
    with pytest.raises(UsageError, match="all 2 recorded answers"):
        await player.call(ASK)


async def test_runs_at_once_may_ask_in_any_order(tmp_path):
    """Each request finds its own answer."""
    file = tmp_path / "run.jsonl"

    class Echo:
        async def call(self, request, emit=None):
            return Assistant(content=request.messages[-1].content)

    for model in (Recorded(Echo(), file), Recorded(None, file)):
        answers = {}

        async def ask(n, model=model, answers=answers):
            answers[n] = (await model.call(Request(messages=(User(content=str(n)),)))).content

        async with anyio.create_task_group() as tasks:
            for n in range(30) if model._model else reversed(range(30)):
                tasks.start_soon(ask, n)
        assert answers == {n: str(n) for n in range(30)}


async def test_failures_happen_again(tmp_path):
    """With what a caller goes by: the kind, the wait, the status, the window."""
    file = tmp_path / "run.jsonl"
    window = ContextTooLong("too long", status=400)
    window.limit_tokens = 4096
    lines = [
        RateLimited("busy", retry_after_s=0.01, status=429, code="rate"),
        Unavailable("x", retryable=False),
        window,
    ]
    recorder = Recorded(Scripted(lines), file)
    for line in lines:
        with pytest.raises(type(line)):
            await recorder.call(ASK)
    player = Recorded(None, file)
    for line in lines:
        with pytest.raises(type(line), match=str(line)) as caught:
            await player.call(ASK)
        assert vars(caught.value) == {**vars(line), **vars(caught.value)}
        assert caught.value.retryable == line.retryable
    player = Retrying(Recorded(None, file), first_delay_s=0.001)
    with pytest.raises(Unavailable):
        await player.call(ASK)


async def test_deltas_are_replayed_as_they_came(tmp_path):
    """Piece by piece, at the listener's pace, also those of a failure."""
    file = tmp_path / "run.jsonl"
    one = ToolCall(id="own", name="add", arguments='{"a": 1}')

    class Model:
        asked = 0

        async def call(self, request, emit=None):
            self.asked += 1
            if emit is not None:
                emit(ReasoningEvent("hm"))
                emit(TextEvent("wro"))
                if self.asked == 2:
                    raise Unavailable("gone")
                emit(RetryEvent("again"))
                emit(TextEvent("ri"))
                emit(TextEvent("ght"))
                emit(ToolCallEvent(replace(one, arguments="")))
            return Assistant(content="right", tool_calls=(one,))

    deltas, failed = [], []
    recorder = Recorded(Model(), file)
    await recorder.call(ASK, deltas.append)
    with suppress(Unavailable):
        await recorder.call(ASK, failed.append)
    shown = []

    async def slowly(delta):
        await anyio.sleep(0)
        shown.append(delta)

    player = Recorded(None, file)
    answer = await player.call(ASK, slowly)
    assert shown[:-1] == deltas[:-1]
    assert shown[-1] == ToolCallEvent(answer.tool_calls[0])
    assert answer.tool_calls[0].id != "own"
    shown.clear()
    with pytest.raises(Unavailable):
        await player.call(ASK, slowly)
    assert shown == failed


async def test_a_whole_answer_streams_and_a_stream_is_answered_whole(tmp_path):
    """How it was recorded does not bind how it is replayed."""
    file = tmp_path / "run.jsonl"
    recorder, deltas = Recorded(Scripted(["a b", "c d"]), file), []
    await recorder.call(ASK)
    await recorder.call(ASK, deltas.append)
    player, deltas = Recorded(None, file), []
    assert (await player.call(ASK, deltas.append)).content == "a b"
    assert deltas == [TextEvent("a b")]
    assert (await player.call(ASK)).content == "c d"


async def test_a_cancelled_call_leaves_no_line(tmp_path):
    """What has no answer is not recorded, and no file is made for it."""
    file = tmp_path / "run.jsonl"

    class Slow:
        async def call(self, request, emit=None):
            await anyio.sleep(5)

    recorder = Recorded(Slow(), file)
    with anyio.move_on_after(0.01):
        await recorder.call(ASK)
    assert not recorder.native_output
    assert not file.exists()


async def test_a_replay_that_is_cancelled_is_not_used_up(tmp_path):
    """Nobody has had the answer: the next one to ask gets it."""
    file = tmp_path / "run.jsonl"
    await Recorded(Scripted(["Hi."]), file).call(ASK)
    player = Recorded(None, file)
    with anyio.move_on_after(0.01) as scope:
        await player.call(ASK, lambda _: anyio.sleep(5))
    assert scope.cancelled_caught
    assert (await player.call(ASK)).content == "Hi."


async def test_the_folder_of_a_recording_is_made(tmp_path):
    """An answer that was paid for is not lost to a folder that is not there yet."""
    path = tmp_path / "tapes" / "new" / "one.jsonl"
    assert (await Recorded(Scripted(["one"]), path).call(ASK)).content == "one"
    assert (await Recorded(None, path).call(ASK)).content == "one"


async def test_record_writes_the_file_anew(tmp_path):
    """The mode decides, not what is there."""
    file = tmp_path / "run.jsonl"
    for text in ("one", "two"):
        await Recorded(Scripted([text]), file, mode="record").call(ASK)
    assert (await Recorded(None, file, mode="replay").call(ASK)).content == "two"


async def test_a_replay_is_as_native_as_the_model_was(tmp_path):
    """How typed output is asked for is part of the request."""
    file = tmp_path / "run.jsonl"

    class Native(Scripted):
        native_output = True

    result = await Agent(Recorded(Native(['{"value": 3}']), file), output=int).arun("?")
    again = await Agent(Recorded(None, file), output=int).arun("?")
    assert result.output == again.output == 3


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", '{"agentkit_recording": 9}', '{"other": 1}', '{"agentkit_recording": 1, "native_output": false}\n{"request": {}}',
     '{"agentkit_recording": 1, "native_output": false}\n{"request": {}, "answer": {"v": 1, "kind": "user", "content": ""}}'],
)  # fmt: skip
async def test_what_is_no_recording_is_refused(tmp_path, text):
    """A UsageError names the file, whatever is in it."""
    file = tmp_path / "run.jsonl"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"run\.jsonl"):
        await Recorded(None, file).call(ASK)


async def test_without_file_and_model_there_is_nothing_to_do(tmp_path):
    """Each way to ask for the impossible is refused."""
    with pytest.raises(UsageError, match="no recording"):
        await Recorded(None, tmp_path / "none").call(ASK)
    with pytest.raises(UsageError, match="no recording"):
        await Recorded(Scripted([]), tmp_path / "none", mode="replay").call(ASK)
    with pytest.raises(UsageError):
        Recorded(None, tmp_path / "none", mode="record")
    with pytest.raises(UsageError):
        Recorded(Scripted([]), tmp_path / "none", mode="write")  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        Recorded(3, tmp_path / "none")  # type: ignore[arg-type]


# ---- secrets ----

SECRETS = [
    "sk-proj-abcDEF123456", "sk_live_abcdefgh1234", "ghp_" + "a1" * 18, "github_pat_" + "a1" * 20, "AKIAIOSFODNN7EXAMPLE",
    "xoxb-1234567890-abc", "hf_" + "a" * 30, "AIza" + "b" * 35, "glpat-" + "c" * 20,
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-123_x",
]  # fmt: skip


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("around", ["{}", "key={}.", '"{}"', "see {} there", "https://x/?q={}"])
def test_keys_and_tokens_are_taken_out(secret, around):
    """Wherever they stand; the rest of the text stays."""
    text = around.format(secret)
    assert secret not in str(without_secrets(text, ()))
    assert without_secrets(text, ()) == around.format(REMOVED)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Authorization: Bearer abc123def", "Authorization: Bearer [removed]"),
        ("authorization: Basic dXNlcjpwYXNz", "authorization: Basic [removed]"),
        ("curl -H 'x-api-key: 123abc' x", "curl -H 'x-api-key: [removed]' x"),
        ("sent with bearer a1b2c3d4", "sent with bearer [removed]"),
        ('{"api_key": "hunter2", "n": 1}', '{"api_key": "[removed]", "n": 1}'),
        ('{\\"password\\": \\"hunter2\\"}', '{\\"password\\": \\"[removed]\\"}'),
        ("OPENAI_API_KEY=abc&x=1", "OPENAI_API_KEY=[removed]&x=1"),
        ('{"token": "hunter2"}', '{"token": "[removed]"}'),
        ("https://x/?token=hunter2&n=1", "https://x/?token=[removed]&n=1"),
        ('{"dbPassword": "h2", "secretKey": "h"}', '{"dbPassword": "[removed]", "secretKey": "[removed]"}'),
        ("pwd=hunter2", "pwd=[removed]"),
        ("postgres://user:hunter2@host/db", "postgres://user:[removed]@host/db"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----.", "[removed]."),
    ],
)  # fmt: skip
def test_what_stands_behind_a_name_is_taken_out(text, cleaned):
    """Headers, JSON, variables, addresses; a second time changes nothing."""
    assert without_secrets(text, ()) == cleaned
    assert without_secrets(cleaned, ()) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "the bearer of this letter", "basic arithmetic.", "tokens: 12", "max_tokens=100", "a secret garden", "task-oriented",
        "passwords should be long", "token: the", "impassword: x", '{"page_token": "a"}', "risk-averse-people", "http://host:8080/path", "key: value", "the keyboard",
    ],
)  # fmt: skip
def test_plain_words_stay(text):
    """A text without a secret comes back as it is."""
    assert without_secrets(text, ()) == text


def test_values_behind_secret_names_are_taken_out_of_json():
    """In settings, arguments and details of any depth."""
    value = {
        "headers": [{"X-Api-Key": "a"}],
        "apiKey": "b",
        "apiKeys": ["d", "e"],
        "max_tokens": 5,
        "token": {"access_token": "c"},
        "cookie": "",
    }
    assert without_secrets(value, ()) == {
        "headers": [{"X-Api-Key": REMOVED}],
        "apiKey": REMOVED,
        "apiKeys": REMOVED,
        "max_tokens": 5,
        "token": {"access_token": REMOVED},
        "cookie": "",
    }


def test_the_environments_secrets_are_known_by_name():
    """Variables named like secrets, but no switches."""
    environment = {"MY_TOKEN": "abcdefgh", "OPENAI_API_KEY": 'a"quote', "PGPASSWORD": "longer-one", "A_KEY": "yes"}
    secrets = secrets_of({**environment, "HOME": "/home/user", "TOKENIZERS_PARALLELISM": "whatever"})
    assert secrets == ("longer-one", "abcdefgh")
    secrets = secrets_of({"OPENAI_API_KEY": 'with"quote"'})
    assert without_secrets('with"quote" {"a": "with\\"quote\\""}', secrets) == f'{REMOVED} {{"a": "{REMOVED}"}}'


def test_cleaning_a_long_text_takes_time_in_proportion():
    """No pattern explodes."""
    import time

    for piece in ("a-", "api_key", "x" * 50, "-----BEGIN ", "https://u:", "eyJaaaaaaaa.", "authorization: "):
        began = time.process_time()
        without_secrets(piece * (200_000 // len(piece)), ())
        assert time.process_time() - began < 2, piece


async def test_no_secret_reaches_the_file(tmp_path, monkeypatch):
    """Not from the question, the arguments, a result, the settings, the environment, nor spread over deltas."""
    monkeypatch.setenv("MY_SERVICE_TOKEN", "correct horse battery")
    file = tmp_path / "run.jsonl"

    class Model:
        async def call(self, request, emit=None):
            if len(request.messages) > 1:
                for piece in ("the key is sk-abc", "DEF12345 and correct ", "horse battery"):
                    emit(TextEvent(piece))
                return Assistant(content="the key is sk-abcDEF12345 and correct horse battery")
            arguments = '{"password": "hunter2", "q": "Bearer abc123456"}'
            return Assistant(tool_calls=(ToolCall(id="1", name="login", arguments=arguments),))

    @tool
    def login(password: str, q: str) -> str:
        """Log in."""
        return "token ghp_" + "a1" * 18

    settings = Settings(extra={"api_key": "plain"})
    outputs = []
    for model in (Recorded(Model(), file), Recorded(None, file)):
        async with Agent(model, [login], settings=settings).astream("use sk-userkey12345678") as events:
            texts = [event.text async for event in events if event.kind == "text"]
        outputs.append(str(events.result))
        assert "".join(texts) == outputs[-1]
    written = file.read_text()
    for secret in ("sk-abc", "DEF12345", "hunter2", "abc123456", "a1a1", "plain", "battery", "userkey"):
        assert secret not in written
    assert outputs[1] == "the key is [removed] and [removed]"


async def test_a_secret_that_is_known_only_now_changes_nothing(tmp_path, monkeypatch):
    """A recording is replayed in any environment."""
    file = tmp_path / "run.jsonl"
    monkeypatch.delenv("OTHER_KEY", raising=False)
    ask = Request(messages=(User(content="a longtext"),))
    await Recorded(Scripted(["Hi."]), file).call(ask)
    assert "longtext" in file.read_text()
    monkeypatch.setenv("OTHER_KEY", "longtext")
    assert (await Recorded(None, file).call(ask)).content == "Hi."
