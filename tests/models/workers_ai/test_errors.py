"""Every error code: what it becomes, whether it is tried again, and what it never shows."""

from __future__ import annotations

import json

import httpx2
import pytest

from agentkit.core.messages import ToolSpec, User
from agentkit.errors import (
    AuthFailed,
    ContextTooLong,
    MalformedResponse,
    ModelError,
    ModelNotFound,
    QuotaExhausted,
    RateLimited,
    RequestRefused,
    Unavailable,
)
from agentkit.models.model import OutputSchema, Request
from agentkit.models.retrying import Retries
from agentkit.models.workers_ai import WorkersAI
from agentkit.models.workers_ai.errors import CODES
from agentkit.models.wrap import Fallback
from agentkit.testing import FakeWorkersAI, Scenario, Scripted
from agentkit.testing.quirks import ERRORS
from agentkit.testing.workers_ai import ACCOUNT_ID, TOKEN

pytestmark = pytest.mark.anyio

LONG = "v1.0-" + "0123456789abcdef" * 4
NOW = Retries(times=1, first_delay_s=0.0)
HELLO = Request(messages=[User(content="Hello")])

KINDS = {
    # name: the error, tried again, another model may serve
    "3036": (QuotaExhausted, False, True),
    "4006": (QuotaExhausted, False, True),
    "3040": (Unavailable, True, True),
    "3007": (Unavailable, True, True),
    "3008": (Unavailable, True, True),
    "7009": (Unavailable, True, True),
    "3006": (ContextTooLong, False, False),
    "3003": (RequestRefused, False, False),
    "5004": (RequestRefused, False, False),
    "5006": (RequestRefused, False, False),
    "5007": (ModelNotFound, False, True),
    "3042": (ModelNotFound, False, True),
    "5028": (ModelNotFound, False, True),
    "5035": (ModelNotFound, False, True),
    "5005": (RequestRefused, False, False),
    "3039": (RequestRefused, False, False),
    "5016": (RequestRefused, False, False),
    "5018": (AuthFailed, False, False),
    "3041": (AuthFailed, False, False),
    "3023": (AuthFailed, False, False),
    "5019": (RequestRefused, False, False),
    "5025": (RequestRefused, False, False),
    "8001": (RequestRefused, False, False),
    "8005": (RequestRefused, False, False),
    "8006": (RequestRefused, False, False),
    "10000": (AuthFailed, False, False),
    "9106": (AuthFailed, False, False),
    "7000": (ModelNotFound, False, False),
    "7003": (ModelNotFound, False, False),
    "7001": (RequestRefused, False, False),
    "2008": (RequestRefused, False, False),
    "json-mode": (MalformedResponse, True, False),
    "overflow": (ContextTooLong, False, False),
    "429": (RateLimited, True, True),
    "openai-body": (Unavailable, True, True),
    "anthropic-body": (RequestRefused, False, False),
    "code-in-text": (Unavailable, True, True),
}


async def fault(*script, request=HELLO, **options):
    """The error that a request ends with, and how many were sent."""
    with FakeWorkersAI(*script) as server:
        async with server.model(retries=NOW, **options) as model:
            with pytest.raises(Exception) as caught:
                await model.call(request)
    return caught.value, len(server.requests)


def test_every_code_has_a_row():
    """In the library, in the fake server, and here."""
    assert KINDS.keys() == ERRORS.keys()
    assert CODES.keys() <= ERRORS.keys()


@pytest.mark.parametrize("name", KINDS)
async def test_each_code_is_its_error(name):
    """Its class, its code, how often it is tried, and that no secret shows."""
    kind, retried, another = KINDS[name]
    error, requests = await fault(f"error-{name}", f"error-{name}")
    assert type(error) is kind
    assert (error.retryable, error.try_another) == (retried, another)
    assert requests == (2 if retried or name == "8006" else 1)  # 8006 is asked once more, with more room
    assert ("CLOUDFLARE_API_TOKEN" in str(error)) is (kind is AuthFailed)  # where another one may be set
    if name in CODES:
        assert error.code == name
        row = CODES[name]
        assert row.status is None or row.status == error.status
    assert TOKEN not in f"{error!r} {error}"


async def test_a_quota_says_when_it_resets():
    """At midnight UTC, in seconds and in words."""
    error, _ = await fault("error-3036")
    assert 0 < error.retry_after_s <= 86_400
    assert "resets at 00:00 UTC" in str(error)


async def test_an_overflow_has_its_numbers():
    """The window, and what was asked for with the answer's room."""
    error, _ = await fault("error-overflow")
    assert (error.limit_tokens, error.requested_tokens) == (131_072, 134_096)


async def test_the_id_of_a_request_is_kept_apart():
    """It stands at the end of the message, and would make each error another one."""
    error, _ = await fault("error-3040", "error-3040")
    assert error.request_id == "9f1c2f0e-1111-4222-8333-444455556666"
    assert error.request_id not in str(error)
    errors = [{"message": f"{text} ({error.request_id})"} for text in ("Odd", "Odder")]
    error, _ = await fault(Scenario(raw=json.dumps({"errors": errors}).encode(), status=400))
    assert error.request_id == "9f1c2f0e-1111-4222-8333-444455556666"
    assert str(error) == "HTTP 400: Odd; Odder"


async def test_the_code_in_a_text_is_found():
    """Where no field has it."""
    error, _ = await fault("error-code-in-text", "error-code-in-text")
    assert error.code == "3040"


@pytest.mark.parametrize("name", ["3036", "3040", "5007", "3042", "5028", "5035"])
async def test_a_fallback_goes_on(name):
    """Quota, capacity and models that are gone."""
    with FakeWorkersAI(f"error-{name}", f"error-{name}") as server:
        async with server.model(retries=NOW) as model:
            answer = await Fallback([model, Scripted(["From the other."])]).call(HELLO)
    assert answer.content == "From the other."


async def test_a_token_that_a_server_repeats_is_not_shown():
    """Nor in the notes, nor in the cause."""
    body = {"errors": [{"code": 10000, "message": f"bad token {TOKEN}"}], "success": False}
    error, _ = await fault(Scenario(raw=json.dumps(body).encode(), status=401))
    assert "[key]" in str(error)
    assert TOKEN not in f"{error!r}{error.__cause__!r}"


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("form", ['{{"headers": "{0}"}}', "you sent {0}", '"{0}"', '{{"error": "{0}"}}', "<p>{0}</p>"])
@pytest.mark.parametrize("stream", [True, False])
async def test_an_echo_of_the_request_shows_no_token(form, status, stream):
    """In whatever it stands, also where its end was cut off; nor is a listener told of it."""
    heard = []
    body = form.format("." * 270 + f" Bearer {LONG}").encode()
    client = httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: httpx2.Response(status, content=body)))
    model = WorkersAI("@cf/a/b", account_id=ACCOUNT_ID, api_token=LONG, retries=NOW, http_client=client)
    with pytest.raises(ModelError) as caught:
        await model.call(HELLO, heard.append if stream else None)
    with pytest.raises(ModelError) as other:
        await model.batch(["a"])
    assert "[key]" in str(caught.value)
    assert LONG[:12] not in f"{caught.value!r} {other.value!r} {heard}"


async def test_words_tell_what_a_misleading_code_does_not():
    """A timeout that calls itself an invalid prompt may pass."""
    error, requests = await fault("error-openai-body", "error-openai-body")
    assert (error.code, requests) == ("invalid_prompt", 2)


async def test_a_model_without_json_schemas_is_told_in_words():
    """5025: once, and from then on at once."""
    schema = {"type": "object", "properties": {"capital": {"type": "string"}}}
    wanted = Request(messages=[User(content="Laos?")], output=OutputSchema("Country", schema))
    with FakeWorkersAI("error-5025", '{"capital": "Vientiane"}', '{"capital": "Vientiane"}') as server:
        async with server.model(retries=NOW) as model:
            assert (await model.call(wanted)).content == '{"capital": "Vientiane"}'
            await model.call(wanted)
    first, second, third = server.bodies
    assert first["response_format"] == {"type": "json_schema", "json_schema": schema}
    for body in (second, third):
        assert "response_format" not in body
        assert '"capital"' in body["messages"][0]["content"]


async def test_json_mode_that_could_not_be_met_is_tried_again():
    """It is not guaranteed."""
    with FakeWorkersAI("error-json-mode", "chat") as server:
        async with server.model(retries=NOW) as model:
            assert (await model.call(HELLO)).content == "Hai"


async def test_a_forced_call_that_had_no_room_gets_more_once():
    """8006: the thoughts before it filled the budget."""
    spec = ToolSpec("f", "F", {"type": "object", "properties": {}})
    request = Request(messages=[User(content="x")], tools=[spec])
    with FakeWorkersAI("error-8006", "chat") as server:
        async with server.model(tools="native", tool_choice="f", max_tokens=2000) as model:
            await model.call(request)
    assert [body["max_tokens"] for body in server.bodies] == [2000, 8000]


async def test_a_wrong_token_and_a_wrong_account_are_told_apart():
    """The fake server knows both, as the real one does."""
    error, _ = await fault(api_token="another")
    assert type(error) is AuthFailed
    assert "another" not in str(error)
    error, _ = await fault(account_id="f" * 32)
    assert "account id" in str(error)
