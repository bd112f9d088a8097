"""What is sent: addresses, headers, bodies; and what is refused before anything is."""

from __future__ import annotations

import logging
import math

import pytest

from agentkit import Agent, tool
from agentkit.core.messages import Assistant, System, ToolCall, ToolResult, ToolSpec, User
from agentkit.core.settings import Settings
from agentkit.errors import UsageError
from agentkit.models.model import OutputSchema, Request
from agentkit.models.retrying import Retries
from agentkit.models.workers_ai import Capabilities, Gateway, WorkersAI
from agentkit.testing import FakeWorkersAI, call
from agentkit.testing.workers_ai import ACCOUNT_ID, TOKEN

pytestmark = pytest.mark.anyio

SEA_LION = "@cf/aisingapore/gemma-sea-lion-v4-27b-it"
LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
NOW = Retries(times=1, first_delay_s=0.0)
HELLO = Request(messages=[User(content="Hello")])
SPEC = ToolSpec("port", "Port of a city", {"type": "object", "properties": {"city": {"anyOf": [{"type": "string"}]}}})


async def sent(request=HELLO, model=SEA_LION, *, emit=None, **options):
    """The one request that a call makes."""
    with FakeWorkersAI() as server:
        async with server.model(model, retries=NOW, **options) as asked:
            await asked.call(request, emit)
    [received] = server.requests
    return received


# ---- credentials ----


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch):
    """Whatever the machine has set."""
    for name in ("ACCOUNT_ID", "API_TOKEN", "AUTH_TOKEN", "BASE_URL"):
        monkeypatch.delenv(f"CLOUDFLARE_{name}", raising=False)


@pytest.mark.parametrize("name", ["CLOUDFLARE_API_TOKEN", "CLOUDFLARE_AUTH_TOKEN"])
def test_credentials_come_from_the_environment(monkeypatch, name):
    """The page's name for the token too."""
    monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", f" {ACCOUNT_ID}\n")
    monkeypatch.setenv(name, "Bearer t-1")
    account = WorkersAI(SEA_LION).account
    assert (account.account_id, account.token) == (ACCOUNT_ID, "t-1")


SECRET = "v1.0-abcdef-" + "s" * 40


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"api_token": "t"}, "CLOUDFLARE_ACCOUNT_ID"),
        ({"account_id": ACCOUNT_ID}, "CLOUDFLARE_API_TOKEN or CLOUDFLARE_AUTH_TOKEN"),
        ({"account_id": SECRET, "api_token": "t"}, "32 hexadecimal digits"),
        ({"account_id": ACCOUNT_ID[:-1], "api_token": "t"}, "31 characters"),
        ({"account_id": ACCOUNT_ID, "api_token": ACCOUNT_ID}, "holds the account id"),
        ({"account_id": ACCOUNT_ID, "api_token": "töken"}, "no HTTP header"),
        ({"account_id": ACCOUNT_ID, "api_token": "t", "base_url": "ftp://x"}, "http"),
        ({"account_id": ACCOUNT_ID, "api_token": "t", "transport": "grpc"}, "'native' or 'openai'"),
        ({"account_id": ACCOUNT_ID, "api_token": "t", "tools": "yes"}, "'prompted'"),
    ],
)
def test_what_cannot_be_right_is_refused_at_once(given, words):
    """And not repeated in the message."""
    with pytest.raises(UsageError, match=words) as caught:
        WorkersAI(SEA_LION, **given)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("@cf%2Fmeta%2Fllama-3.3-70b-instruct-fp8-fast", "percent-encoded"),
        ("%40cf/meta/llama", "percent-encoded"),
        ("meta/llama-3.3", "write '@cf/meta/llama-3.3'"),
        ("llama", "@cf/author/name"),
        ("@cf/a/../b", "@cf/author/name"),
        ("@cf/a/b?x=1", "@cf/author/name"),
    ],
)
def test_what_is_no_model_id_is_refused(model, words):
    """With what to write."""
    with pytest.raises(UsageError, match=words):
        WorkersAI(model, account_id=ACCOUNT_ID, api_token="t")


async def test_no_secret_shows_anywhere(caplog):
    """Not in a repr, not in a log, not in the answer that is stored."""
    caplog.set_level(logging.DEBUG)
    gateway = Gateway(name="g", authorization="gateway-secret")
    with FakeWorkersAI() as server:
        async with server.model(gateway=gateway) as model:
            answer = await model.call(HELLO)
            seen = f"{model!r} {model.account!r} {gateway!r} {answer!r} {caplog.text}"
    assert TOKEN not in seen
    assert "gateway-secret" not in seen


# ---- addresses and headers ----


async def test_the_native_address_keeps_the_slashes_of_the_model():
    """Encoded they are `7000: No route`."""
    received = await sent()
    assert received.path == f"/client/v4/accounts/{ACCOUNT_ID}/ai/run/{SEA_LION}"
    assert received.headers["authorization"] == f"Bearer {TOKEN}"
    assert "model" not in received.body


async def test_the_openai_address_names_the_model_in_the_body():
    """With `stream_options`, which the native schema has not."""
    received = await sent(transport="openai", emit=[].append)
    assert received.path.endswith("/ai/v1/chat/completions")
    assert received.body["model"] == SEA_LION
    assert received.body["stream_options"] == {"include_usage": True}
    assert "stream_options" not in (await sent(emit=[].append)).body


@pytest.mark.parametrize(
    ("transport", "end"), [("native", f"workers-ai/{SEA_LION}"), ("openai", "workers-ai/v1/chat/completions")]
)
async def test_a_gateway_by_host(transport, end):
    """The account and the gateway stand in the address."""
    received = await sent(transport=transport, gateway=Gateway(name="g1", host=True))
    assert received.path.endswith(f"/gateway/{ACCOUNT_ID}/g1/{end}")
    assert "cf-aig-gateway-id" not in received.headers
    model = WorkersAI(SEA_LION, account_id=ACCOUNT_ID, api_token="t")
    assert model.account.run_url(SEA_LION, Gateway(name="g1", host=True)) == (
        f"https://gateway.ai.cloudflare.com/v1/{ACCOUNT_ID}/g1/workers-ai/{SEA_LION}"
    )


async def test_a_gateway_by_header_with_all_that_it_knows():
    """Each of its fields is a header."""
    gateway = Gateway(
        name="g1",
        authorization="secret",
        cache_ttl_s=60,
        cache_key="k",
        metadata={"user": 7},
        collect_log=False,
        event_id="e",
        request_timeout_ms=5000,
        max_attempts=3,
        retry_delay_ms=100,
        backoff="linear",
        headers={"CF-AIG-ZDR": "true"},
    )
    headers = (await sent(gateway=gateway)).headers
    assert {name.removeprefix("cf-aig-"): v for name, v in headers.items() if name.startswith("cf-aig-")} == {
        "gateway-id": "g1",
        "authorization": "Bearer secret",
        "cache-ttl": "60",
        "cache-key": "k",
        "metadata": '{"user": 7}',
        "collect-log": "false",
        "event-id": "e",
        "request-timeout": "5000",
        "max-attempts": "3",
        "retry-delay": "100",
        "backoff": "linear",
        "zdr": "true",
    }


@pytest.mark.parametrize(
    "field",
    [
        {"max_attempts": 6},
        {"retry_delay_ms": 5001},
        {"name": "a/b"},
        {"backoff": "cubic"},
        {"cache_key": "a\r\nx: y"},
        {"authorization": "sec\nret"},
        {"authorization": "töken"},
        {"headers": {"authorization": "Bearer secret"}},
        {"headers": {"cf-aig-authorization": "Bearer secret"}},
    ],
)
def test_a_gateway_refuses_what_cloudflare_would(field):
    """Before a request, and without showing a token; so is a gateway's address where the API's belongs."""
    with pytest.raises(UsageError) as caught:
        Gateway(**{"name": "g", **field})
    assert "secret" not in str(caught.value)
    with pytest.raises(UsageError, match="host=True"):
        WorkersAI(SEA_LION, account_id=ACCOUNT_ID, api_token="t", base_url="https://gateway.ai.cloudflare.com/v1/x/g")


@pytest.mark.parametrize("tools", ["native", "prompted"])
async def test_an_old_call_is_never_repeated_from_the_cache(tools):
    """Turns with tools skip it, unless the caller wants it; an answer from the cache costs nothing."""
    asked = Request(messages=[User(content="Hello")], tools=[SPEC])
    for gateway, skip in ((Gateway(), "true"), (Gateway(skip_cache=False), "false")):
        assert (await sent(asked, tools=tools, gateway=gateway)).headers["cf-aig-skip-cache"] == skip
    assert "cf-aig-skip-cache" not in (await sent(gateway="default")).headers
    with FakeWorkersAI("One.", "Two.") as server:
        async with server.model(gateway="default") as model:
            first, second = await model.call(HELLO), await model.call(HELLO)
    assert (first.content, second.content) == ("One.", "One.")
    assert first.extra["cf-aig-cache-status"] == "MISS"
    assert first.cost_usd > 0
    assert second.cost_usd == 0.0


async def test_turns_of_a_conversation_reach_the_same_replica():
    """By the session, or by the run where there is none; and what stays is the same to the byte."""

    @tool
    def port(city: str) -> str:
        """Port of a city."""
        return city

    with FakeWorkersAI(call("port", city="Penang"), "Butterworth.") as server:
        async with server.model(tools="native") as model:
            await Agent(model, tools=[port]).arun("Port of Penang?")
    first, second = server.requests
    assert first.headers["x-session-affinity"] == second.headers["x-session-affinity"]
    cut = [request.content[request.content.index(b'"tools":') :] for request in server.requests]
    assert cut[0] == cut[1]
    assert (await sent(Request(messages=[User(content="x")], session="s-1"))).headers["x-session-affinity"] == "s-1"


async def test_reject_if_busy_is_an_option_of_the_body():
    """So that a fallback answers at once."""
    assert (await sent(reject_if_busy=True)).body["options"] == {"rejectIfBusy": True}


# ---- sampling ----

EDGES = {
    "max_tokens": (1, 100_000, (0, -1, 1.5, True, "1")),
    "temperature": (0, 5, (-0.1, 5.1, math.nan, "hot", True)),
    "top_p": (0.001, 1, (0, 0.0009, 1.1)),
    "top_k": (1, 50, (0, 51, 2.5)),
    "seed": (1, 9_999_999_999, (0, 10_000_000_000)),
    "repetition_penalty": (0, 2, (-0.1, 2.1)),
    "frequency_penalty": (-2, 2, (-2.1, 2.1)),
    "presence_penalty": (-2, 2, (-2.1, 2.1)),
}


@pytest.mark.parametrize("name", EDGES)
async def test_both_ends_of_a_range_are_sent(name):
    """As they were given, also in a prompt."""
    for value in EDGES[name][:2]:
        assert (await sent(**{name: value})).body[name] == value


@pytest.mark.parametrize(("name", "value"), [(name, v) for name, edges in EDGES.items() for v in edges[2]])
async def test_what_is_out_of_range_is_refused_before_any_request(name, value):
    """At construction, in a request's settings, in `extra`, in a prompt, and in a batch; the message says all."""
    words = rf"{name}={value!r}.*(from|at least)"
    with FakeWorkersAI() as server:
        with pytest.raises(UsageError, match=words):
            server.model(**{name: value})
        async with server.model() as model:
            for settings in (Settings(**{name: value}), Settings(extra={name: value})):
                with pytest.raises(UsageError, match=words):
                    await model.call(Request(messages=[User(content="x")], settings=settings))
            with pytest.raises(UsageError, match=words):
                await model.complete("x", **{name: value})
        assert not server.requests


def test_older_models_have_ranges_of_their_own():
    """`top_p` up to 2, penalties from 0."""
    account = {"account_id": ACCOUNT_ID, "api_token": "t"}
    assert WorkersAI(LLAMA, top_p=1.5, **account).settings.top_p == 1.5
    with pytest.raises(UsageError, match="frequency_penalty=-1"):
        WorkersAI(LLAMA, frequency_penalty=-1, **account)


async def test_max_tokens_is_always_sent():
    """The server's own 256 cuts answers off."""
    assert (await sent()).body["max_tokens"] == 4096


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"temprature": 1}, "did you mean temperature"),
        ({"nonsense": 1}, "extra="),
        ({"extra": {"stream": True}}, "itself"),
    ],
)
def test_unknown_settings_are_refused(given, words):
    """With what was meant."""
    with pytest.raises(UsageError, match=words):
        WorkersAI(SEA_LION, account_id=ACCOUNT_ID, api_token="t", **given)


async def test_what_a_model_fails_on_is_not_sent():
    """GLM 4.7 ends in a timeout with `top_k`."""
    body = (await sent(model="@cf/zai-org/glm-4.7-flash", top_k=5, temperature=1)).body
    assert "top_k" not in body
    assert body["temperature"] == 1


# ---- messages, tools, JSON ----

HISTORY = Request(
    messages=[
        System(content="Be brief."),
        User(content=({"type": "text", "text": "Port"}, {"type": "text", "text": "of Penang?"})),
        Assistant(tool_calls=(ToolCall(id="1", name="port", arguments='{"city": "Penang"}', provider_id="t1"),)),
        ToolResult(call_id="1", name="port", content="Butterworth"),
    ],
    tools=[SPEC],
)


async def test_a_history_with_tools_natively():
    """Contents are text, never null; ids are the provider's own; tools are described and typed."""
    body = (await sent(HISTORY, tools="native")).body
    assert [m["content"] for m in body["messages"]] == ["Be brief.", "Port\nof Penang?", "", "Butterworth"]
    assert body["messages"][3] == {"role": "tool", "tool_call_id": "t1", "name": "port", "content": "Butterworth"}
    [declared] = body["tools"]
    assert declared["type"] == "function"
    assert {"type", "description"} <= declared["function"]["parameters"]["properties"]["city"].keys()


async def test_a_history_with_tools_in_words():
    """SEA-LION advertises no tools, so the prompt has them, and the history too."""
    body = (await sent(HISTORY)).body
    assert "tools" not in body
    assert {m["role"] for m in body["messages"]} <= {"system", "user", "assistant"}
    text = "\n".join(m["content"] for m in body["messages"])
    assert "Port of a city" in text
    assert "Butterworth" in text


async def test_required_becomes_the_named_form_where_one_tool_is_offered():
    """Only the named form is enforced; two tools leave the choice to the model."""
    named = {"type": "function", "function": {"name": "port"}}
    one = Request(messages=[User(content="x")], tools=[SPEC], settings=Settings(tool_choice="required"))
    assert (await sent(one, tools="native")).body["tool_choice"] == named
    other = ToolSpec("tide", "Tide", {"type": "object", "properties": {}})
    two = Request(messages=[User(content="x")], tools=[SPEC, other], settings=Settings(tool_choice="required"))
    assert (await sent(two, tools="native")).body["tool_choice"] == "required"
    forced = Request(messages=[User(content="x")], tools=[SPEC, other], settings=Settings(tool_choice="port"))
    body = (await sent(forced, tools="native")).body
    assert body["tool_choice"] == named
    assert len(body["tools"]) == 2


OUTPUT = Request(messages=[User(content="Laos?")], output=OutputSchema("Country", {"type": "object"}))


async def test_a_schema_is_bare_natively_and_in_an_envelope_otherwise():
    """And nothing streams in JSON mode."""
    native = (await sent(OUTPUT, emit=[].append)).body
    assert native["response_format"] == {"type": "json_schema", "json_schema": {"type": "object"}}
    assert "stream" not in native
    openai = (await sent(OUTPUT, transport="openai")).body
    assert openai["response_format"]["json_schema"] == {"name": "Country", "schema": {"type": "object"}}
    enveloped = Capabilities(json_form="envelope")
    assert (await sent(OUTPUT, capabilities=enveloped)).body["response_format"]["json_schema"]["name"] == "Country"
    guided = (await sent(OUTPUT, model="@cf/mistralai/mistral-small-3.1-24b-instruct")).body
    assert guided["guided_json"] == {"type": "object"}


FUNCTION = {"name": "sum", "code": "const sum = (a, b) => a + b"}


async def test_functions_pass_through_untouched():
    """Natively only, and only of the right form."""
    assert (await sent(functions=[FUNCTION])).body["functions"] == [FUNCTION]
    for wrong in ({"transport": "openai", "functions": [FUNCTION]}, {"functions": [{"name": "x"}]}):
        with pytest.raises(UsageError, match=r"functions=|must be"):
            await sent(**wrong)


async def test_images_go_only_where_they_are_seen():
    """And only as data URLs: Workers AI fetches nothing."""

    def shows(url):
        image = {"type": "image_url", "image_url": {"url": url}}
        return Request(messages=[User(content=({"type": "text", "text": "What is this?"}, image))])

    with pytest.raises(UsageError, match="text only"):
        await sent(shows("data:image/png;base64,AA=="))
    with pytest.raises(UsageError, match="data URL"):
        await sent(shows("https://example.org/a.png"), model="@cf/google/gemma-4-26b-a4b-it")


async def test_nothing_to_answer_is_refused():
    """An empty list of messages, an empty prompt."""
    with pytest.raises(UsageError, match="no messages"):
        await sent(Request(messages=[]))
    model = WorkersAI(SEA_LION, account_id=ACCOUNT_ID, api_token="t")
    with pytest.raises(UsageError, match="prompt is empty"):
        await model.complete("")


# ---- prompts ----


@pytest.mark.parametrize("stream", [True, False])
async def test_a_prompt_is_completed(stream):
    """Every field of the Prompt form."""
    events = []
    with FakeWorkersAI() as server:
        async with server.model(temperature=0.2) as model:
            answer = await model.complete(
                "Selamat", raw=True, lora="my-lora", emit=events.append if stream else None, top_k=3, seed=7
            )
    assert answer.content == "Selamat"
    body = {"prompt": "Selamat", "raw": True, "lora": "my-lora", "temperature": 0.2, "top_k": 3, "seed": 7}
    assert server.bodies == [{**body, "max_tokens": 4096, **({"stream": True} if stream else {})}]
    assert "".join(e.text for e in events) == ("Selamat" if stream else "")


async def test_a_prompt_in_json_mode():
    """With the two types that there are."""
    with FakeWorkersAI() as server:
        async with server.model() as model:
            await model.complete("x", response_format={"type": "json_object"})
            with pytest.raises(UsageError, match="json_schema"):
                await model.complete("x", response_format={"type": "yaml"})
            with pytest.raises(UsageError, match="raw="):
                await model.complete("x", raw="yes")
    assert server.bodies[0]["response_format"] == {"type": "json_object"}


async def test_messages_may_be_raw():
    """Without a chat template."""
    assert (await sent(extra={"raw": True})).body["raw"] is True
    with pytest.raises(UsageError, match="raw="):
        await sent(extra={"raw": 1})
