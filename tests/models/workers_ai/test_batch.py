"""Batches: what is sent, how answers find their items, and what happens when something fails in between."""

from __future__ import annotations

import json
from dataclasses import replace

import httpx2
import pytest

from agentkit.core.messages import ToolSpec, User
from agentkit.errors import Conflict, MalformedResponse, ModelError, Unavailable, UsageError
from agentkit.models.model import Request
from agentkit.models.retrying import Retries
from agentkit.models.workers_ai import Gateway, WorkersAI
from agentkit.models.workers_ai.batch import MAX_BYTES
from agentkit.models.workers_ai.journal import Journal
from agentkit.testing import FakeWorkersAI, Scenario, call
from agentkit.testing.quirks import SCENARIOS
from agentkit.testing.schemas import fault_of_input
from agentkit.testing.workers_ai import ACCOUNT_ID

pytestmark = pytest.mark.anyio

NOW = Retries(times=1, first_delay_s=0.0)


async def run(server, items, **options):
    """The answers of one batch."""
    async with server.model(retries=NOW) as model:
        return await model.batch(items, poll_s=0.001, **options)


async def test_every_kind_of_item_is_answered():
    """A question, a request with tools, a prompt, messages; with progress, and nothing without `max_tokens`."""
    spec = ToolSpec("port", "Port", {"type": "object", "properties": {"city": {"type": "string"}}})
    items = [
        "One",
        Request(messages=[User(content="Two")], tools=[spec]),
        {"prompt": "Three", "external_reference": "row-3", "stream": True},
        {"messages": [{"role": "user", "content": "Four"}], "top_k": 3},
    ]
    told = []
    with FakeWorkersAI() as server:
        answers = await run(server, items, on_progress=lambda done, total: told.append((done, total)))
    assert [a.answer.content for a in answers] == ["One", "Two", "Three", "Four"]
    assert [a.reference for a in answers] == [None, None, "row-3", None]
    assert told[0] == (0, 4)
    assert told[-1] == (4, 4)
    assert all("max_tokens" in item and "stream" not in item for item in server.paid)
    assert [body.keys() for body in server.bodies[1:]] == [{"request_id"}] * (len(server.bodies) - 1)
    assert all(request.query == "queueRequest=true" for request in server.requests)


PORT = ToolSpec("port", "Port of a city", {"type": "object", "properties": {"city": {"type": "string"}}})


@pytest.mark.parametrize("how", ["prompted", "native"])
async def test_an_item_may_call_tools(how):
    """In words where the server reads no calls: then none are declared, and the call is read from the text."""
    asked = Request(messages=[User(content="Port of Penang?")], tools=[PORT])
    with FakeWorkersAI(call("port", city="Penang")) as server:
        async with server.model(tools=how) as model:
            [answer] = await model.batch([asked], poll_s=0.001)
    [found] = answer.answer.tool_calls
    assert (found.name, json.loads(found.arguments)) == ("port", {"city": "Penang"})
    assert answer.answer.finish_reason == "tool_calls"
    [item] = server.paid
    assert ("tools" in item) == (how == "native")
    assert ("Port of a city" in item["messages"][0]["content"]) == (how == "prompted")


async def test_what_a_model_thinks_is_no_part_of_an_items_answer():
    """As it is not in the answer to a single request."""
    with FakeWorkersAI("<think>Hm.</think>Hai") as server:
        [answer] = await run(server, ["Halo"])
    assert (answer.answer.reasoning, answer.answer.content) == ("Hm.", "Hai")


async def test_functions_go_with_the_messages_of_items():
    """They are the model's, as its settings are; a prompt has none."""
    functions = [{"name": "f", "code": "1"}]
    with FakeWorkersAI() as server:
        async with server.model(functions=functions) as model:
            await model.batch(["a", {"messages": [{"role": "user", "content": "b"}]}, {"prompt": "c"}], poll_s=0.001)
    assert [item.get("functions") for item in server.paid] == [functions, functions, None]


async def test_a_gateway_neither_answers_for_the_queue_nor_sends_twice():
    """An old request id, or an old "queued", would be repeated from its cache for ever."""
    with FakeWorkersAI() as server:
        async with server.model(gateway=Gateway(cache_ttl_s=60, max_attempts=5, skip_cache=False)) as model:
            for _ in range(2):
                [answer] = await model.batch(["a"], poll_s=0.001)
                assert answer.answer.content == "a"
    assert len(server.batches) == 2
    assert {request.headers["cf-aig-max-attempts"] for request in server.requests} == {"1"}


async def test_what_the_queue_took_is_waited_for_when_it_takes_no_more():
    """It is paid; the rest was not sent, says so, and can be sent later."""

    class Full(FakeWorkersAI):
        def _queued(self, body, model):
            return SCENARIOS["error-3036"] if self.batches else super()._queued(body, model)

    items = ["x" * 6_000_000, "y" * 6_000_000]
    with Full(polls=0) as server:
        first, second = await run(server, items)
    assert first.answer.content == items[0]
    assert second.error.code == "3036"
    assert len(server.paid) == 1


async def test_each_field_of_an_item_is_sent():
    """As it was given, in both forms."""
    sampling = {"max_tokens": 9, "temperature": 0.5, "top_p": 0.5, "top_k": 3, "seed": 7}
    sampling |= {"repetition_penalty": 1.1, "frequency_penalty": -1, "presence_penalty": 1}
    sampling |= {"raw": True, "response_format": {"type": "json_schema", "json_schema": {"type": "object"}}}
    tool = {"name": "f", "description": "F", "parameters": {"type": "object", "properties": {}}}
    spoken = {
        "messages": [{"role": "user", "content": "x"}],
        "functions": [{"name": "f", "code": "1"}],
        "tools": [tool],
    }
    items = [{"prompt": "x", "lora": "l", **sampling}, {**spoken, **sampling}]
    with FakeWorkersAI() as server:
        await run(server, items)
    sent = [{key: value for key, value in item.items() if key != "external_reference"} for item in server.paid]
    assert sent == items


async def test_a_large_batch_goes_in_several_requests():
    """No request is larger than what the queue takes, and none is sent for nothing."""
    items = ["x" * 3_000_000 + str(n) for n in range(7)]
    with FakeWorkersAI(polls=0) as server:
        answers = await run(server, items)
    submitted = [r for r in server.requests if b'"requests"' in r.content[:20]]
    assert [len(r.body["requests"]) for r in submitted] == [3, 3, 1]
    assert all(len(r.content) <= MAX_BYTES for r in submitted)
    assert [a.answer.content[-1] for a in answers] == list("0123456")
    with FakeWorkersAI() as server, pytest.raises(UsageError, match="bytes"):
        await run(server, ["x" * MAX_BYTES])
    assert not server.requests


async def test_nothing_is_sent_for_an_item_that_cannot_be_right():
    """Not even the good ones beside it."""
    for bad in ({"prompt": "x", "messages": []}, {}, {"prompt": "x", "seed": 0}, {"messages": []}):
        with FakeWorkersAI() as server, pytest.raises(UsageError):
            await run(server, ["good", bad])
        assert not server.requests


async def test_a_journal_goes_on_where_it_was(tmp_path):
    """A batch that is in the queue is polled, one that was answered is read."""
    journal = tmp_path / "j"
    with FakeWorkersAI() as server:
        async with server.model(retries=NOW) as model:
            with pytest.raises(ZeroDivisionError):
                await model.batch(["a", "b"], journal=journal, poll_s=0.001, on_progress=lambda *_: 1 // 0)
        lines = [json.loads(line) for line in journal.read_text().splitlines()]
        assert [next(iter(line)) for line in lines] == ["sending", "queued"]
        answers = await run(server, ["a", "b"], journal=journal)
        assert [a.answer.content for a in answers] == ["a", "b"]
        assert len(server.paid) == 2
        again = await run(server, ["a", "b"], journal=journal)
        assert [a.answer.content for a in again] == ["a", "b"]
        assert len(server.batches) == 1


async def test_a_request_whose_fate_is_unknown_is_never_sent_again_unasked(tmp_path):
    """The process died between sending and hearing: it may have been paid."""
    journal = tmp_path / "j"
    with FakeWorkersAI() as server:
        await run(server, ["a"], journal=journal)
        sent = journal.read_text().splitlines()[0]
        journal.write_text(sent + '\n{"queu')  # the next line is torn
        answers = await run(server, ["a"], journal=journal)
        assert "may have been paid" in str(answers[0].error)
        assert len(server.paid) == 1
        answers = await run(server, ["a"], journal=journal, retry_failed=True)
        assert answers[0].answer.content == "a"
        assert len(server.paid) == 2


async def test_a_refused_submission_is_tried_again_and_withdrawn(tmp_path):
    """The server said that it did not take it; a later run sends it."""
    journal = tmp_path / "j"
    with FakeWorkersAI("error-3040", "error-3040") as server:
        with pytest.raises(Unavailable):
            await run(server, ["a"], journal=journal)
        assert len(server.requests) == 2
        assert (await run(server, ["a"], journal=journal))[0].answer.content == "a"
        assert len(server.paid) == 1


async def test_a_connection_that_breaks_while_sending_is_not_tried_again(tmp_path):
    """Nobody knows whether it was taken; one that was never made is known."""
    tries = []

    def breaks(error):
        def handle(request):
            tries.append(request)
            assert fault_of_input(json.loads(request.content)) is None
            raise error("no", request=request)

        return WorkersAI(
            "@cf/a/b",
            account_id=ACCOUNT_ID,
            api_token="t",
            retries=NOW,
            http_client=httpx2.AsyncClient(transport=httpx2.MockTransport(handle)),
        )

    for error, expected, last in ((httpx2.ReadError, 1, "sending"), (httpx2.ConnectError, 2, "withdrawn")):
        tries.clear()
        journal = tmp_path / error.__name__
        with pytest.raises(ModelError):
            await breaks(error).batch(["a"], journal=journal)
        assert len(tries) == expected
        assert last in json.loads(journal.read_text().splitlines()[-1])


async def test_answers_find_their_items_without_references():
    """Not every model echoes them; then the index counts, and then the place."""

    def strip(keys):
        class Forgetful(FakeWorkersAI):
            def _item(self, index, item):
                made = super()._item(index, item)
                return {key: value for key, value in made.items() if key not in keys}

        return Forgetful

    for keys in ({"external_reference"}, {"id"}):
        with strip(keys)() as server:
            answers = await run(server, ["a", "b", "c"])
        assert [a.answer.content for a in answers] == ["a", "b", "c"]

    class Texts(FakeWorkersAI):
        def _item(self, index, item):
            return {**super()._item(index, item), "external_reference": None, "id": str(index)}

    with Texts() as server:
        assert [a.answer.content for a in await run(server, ["a", "b"])] == ["a", "b"]


async def test_a_missing_answer_and_a_lost_batch_fail_their_items():
    """They are kept, with a reason."""

    class Losing(FakeWorkersAI):
        def _polled(self, request_id):
            scenario = super()._polled(request_id)
            if "responses" in (scenario.body or {}):
                return replace(scenario, body={**scenario.body, "responses": scenario.body["responses"][:1]})
            return scenario

    with Losing() as server:
        answers = await run(server, ["a", "b"])
    assert "without an answer" in str(answers[0].error)
    assert answers[1].answer.content == "b"

    class Forgetting(FakeWorkersAI):
        def _polled(self, request_id):
            return super()._polled(request_id if request_id == next(iter(self.batches)) else "none")

    with Forgetting(polls=6) as server:
        answers = await run(server, ["a" * 6_000_000, "b" * 6_000_000])
    assert answers[0].answer.content[0] == "a"
    assert "no such request" in str(answers[1].error)


async def test_a_queue_that_does_not_know_a_request_yet_is_asked_again():
    """What it was just given may take a moment to be seen."""

    class Slow(FakeWorkersAI):
        late = 2

        def _polled(self, request_id):
            self.late -= 1
            return super()._polled("none" if self.late >= 0 else request_id)

    with Slow() as server:
        assert (await run(server, ["a"]))[0].answer.content == "a"


async def test_a_wrong_account_fails_no_item_that_is_in_the_queue(tmp_path):
    """Its answer is paid, and the caller can be told."""
    with FakeWorkersAI(polls=1) as server:
        async with server.model(retries=NOW) as model:
            with pytest.raises(ZeroDivisionError):
                await model.batch(["a"], journal=tmp_path / "j", poll_s=0.001, on_progress=lambda *_: 1 // 0)
        for wrong in ({"account_id": "f" * 32}, {"api_token": "another-token"}):
            async with server.model(retries=NOW, **wrong) as model:
                with pytest.raises(ModelError):
                    await model.batch(["a"], journal=tmp_path / "j", poll_s=0.001)
        assert (await run(server, ["a"], journal=tmp_path / "j"))[0].answer.content == "a"
        assert len(server.paid) == 1


async def test_an_answer_that_cannot_be_read_failed(tmp_path):
    """It is kept as it came, and can be asked for again."""

    class Odd(FakeWorkersAI):
        odd = True

        def _item(self, index, item):
            return {**super()._item(index, item), **({"result": {"what": 1}} if self.odd else {})}

    with Odd() as server:
        [answer] = await run(server, ["a"], journal=tmp_path / "j")
        assert isinstance(answer.error, MalformedResponse)
        assert answer.raw["result"] == {"what": 1}
        server.odd = False
        [answer] = await run(server, ["a"], journal=tmp_path / "j", retry_failed=True)
    assert answer.answer.content == "a"


async def test_a_queue_that_stays_silent_is_told_and_nothing_is_lost(tmp_path):
    """Some polls may fail; after too many the caller knows, and may come again."""

    class Moody(FakeWorkersAI):
        silent = 3

        def _polled(self, request_id):
            self.silent -= 1
            return SCENARIOS["error-3040"] if self.silent >= 0 else super()._polled(request_id)

    with Moody() as server:
        assert (await run(server, ["a"]))[0].answer.content == "a"
    with Moody() as server:
        server.silent = 1000
        with pytest.raises(Unavailable):
            await run(server, ["a"], journal=tmp_path / "j")
        server.silent = 0
        assert (await run(server, ["a"], journal=tmp_path / "j"))[0].answer.content == "a"
        assert len(server.paid) == 1


async def test_a_batch_that_ended_badly_fails_its_items():
    """No answer will come."""

    class Ending(FakeWorkersAI):
        def _polled(self, request_id):
            return Scenario(body={"status": "failed", "request_id": request_id})

    with Ending() as server:
        [answer] = await run(server, ["a"])
    assert "ended as failed" in str(answer.error)


async def test_a_failed_item_has_the_error_of_its_code():
    """As it would have had alone."""
    with FakeWorkersAI(fails=lambda item: True) as server:
        [answer] = await run(server, ["a"])
    assert (type(answer.error), answer.error.code) == (Unavailable, "3040")


async def test_one_process_at_a_time_works_on_a_journal(tmp_path):
    """A second one would pay again."""
    with Journal(tmp_path / "j"), FakeWorkersAI() as server, pytest.raises(Conflict):
        await run(server, ["a"], journal=tmp_path / "j")
    assert not server.requests


@pytest.mark.parametrize("rows", [[{"index": 0}], [{"index": None, "embedding": [1]}, 5], [{"embedding": ["x"]}], None])
async def test_vectors_that_cannot_be_read_are_an_error(rows):
    """One for each text, or none."""
    client = httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: httpx2.Response(200, json={"data": rows})))
    model = WorkersAI("@cf/a/b", account_id=ACCOUNT_ID, api_token="t", retries=0, http_client=client)
    with pytest.raises(MalformedResponse):
        await model.embed(["a", "b"])


async def test_a_queue_that_says_nothing_is_not_asked_for_ever(tmp_path):
    """The answers can be fetched later."""

    class Mute(FakeWorkersAI):
        def _polled(self, request_id):
            return Scenario(body={"request_id": request_id})

    with Mute() as server:
        with pytest.raises(MalformedResponse):
            await run(server, ["a"], journal=tmp_path / "j")
        assert len(server.paid) == 1
    assert "answered" not in (tmp_path / "j").read_text()


async def test_texts_become_vectors():
    """In their order, with what they cost."""
    with FakeWorkersAI() as server:
        async with server.model("@cf/baai/bge-m3") as model:
            made = await model.embed(["Selamat pagi", "Hai"])
            with pytest.raises(UsageError, match="list of texts"):
                await model.embed("Hai")
    assert made.vectors == ((12.0, 2.0), (3.0, 1.0))
    assert made.usage.input_tokens == 3
    assert server.requests[0].path.endswith("/ai/v1/embeddings")


@pytest.mark.parametrize(
    "line",
    [
        "5",
        "[" * 100_000,
        '{"sending": "a", "keys": 5, "references": []}',
        '{"queued": ["a"], "request_id": "r"}',
        '{"withdrawn": ["a"]}',
        '{"answered": ["a"], "item": {}}',
        '{"again": [["a"]]}',
    ],
)
async def test_a_damaged_line_of_a_journal_does_not_count(tmp_path, line):
    """What stands around it does."""
    with FakeWorkersAI(polls=1) as server:
        await run(server, ["a"], journal=tmp_path / "j")
        (tmp_path / "j").write_text(f"{line}\n" + (tmp_path / "j").read_text())
        assert (await run(server, ["a"], journal=tmp_path / "j"))[0].answer.content == "a"
        assert len(server.paid) == 1


async def test_an_answer_that_is_no_unicode_is_kept(tmp_path):
    """It is paid: the journal can hold it."""
    item = {"success": True, "result": {"response": "half \ud83d an emoji"}}
    with Journal(tmp_path / "j") as journal:
        journal.write({"answered": "a", "item": item})
    with Journal(tmp_path / "j") as journal:
        assert journal.progress.answers == {"a": item}


@pytest.mark.parametrize("poll_s", [-1.0, float("nan")])
async def test_a_wait_of_no_length_is_none(poll_s):
    """What is paid is read."""
    with FakeWorkersAI(polls=1) as server:
        async with server.model(retries=NOW) as model:
            assert (await model.batch(["a"], poll_s=poll_s))[0].answer.content == "a"
