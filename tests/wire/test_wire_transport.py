"""Real sockets: pools, loops, timeouts, cancellation, connections that break."""

from __future__ import annotations

import asyncio  # noqa: TID251 - a loop that is closed by hand
import gc
import gzip
import os
import shutil
import ssl
import subprocess
import threading
import time

import anyio
import httpx
import httpx2
import pytest
from wire.fakes import NOW, delta, message, request, sse
from wire.raw_server import chunked, close, raw_server, reply, reset, until_close

from agentkit.core.events import RetryEvent
from agentkit.core.messages import User
from agentkit.core.settings import Settings
from agentkit.errors import MalformedResponse, RequestRefused, Unavailable, UsageError
from agentkit.models.chat_completions.model import ChatCompletions
from agentkit.models.http import StockTransport

pytestmark = pytest.mark.anyio

HELLO = message("Hello.")
STREAM = sse(delta(content="Hel"), delta(content="lo."), delta("stop"))


@pytest.fixture(autouse=True, params=["httpx2", "best"])
def transports(request, monkeypatch):
    """Everything over httpx2, and over the fastest transport that is installed."""
    if request.param == "httpx2":
        monkeypatch.setattr("agentkit.models.connected.best_transport", StockTransport)


def model_of(server, **options):
    return ChatCompletions("m", base_url=server.url, **{"retries": NOW, "timeout_s": 10, **options})


async def test_an_answer_over_a_socket():
    """Line, headers and body as they should be."""
    with raw_server(reply(HELLO)) as server:
        async with model_of(server, api_key="sk-1", headers={"X-Extra": "yes"}) as model:
            assert (await model.call(request())).content == "Hello."
    [received] = server.requests
    assert received.line == "POST /v1/chat/completions HTTP/1.1"
    expected = {"authorization": "Bearer sk-1", "content-type": "application/json", "x-extra": "yes"}
    assert expected.items() <= received.headers.items()
    assert received.headers["content-length"] == str(len(received.body))
    assert received.headers["host"] == server.url.removeprefix("http://").removesuffix("/v1")


async def test_a_stream_over_a_socket():
    """Chunk by chunk, and to the end of a connection."""
    with raw_server(chunked(STREAM[:30], STREAM[30:]), until_close(STREAM)) as server:
        async with model_of(server) as model:
            for _ in range(2):
                deltas = []
                answer = await model.call(request(), deltas.append)
                assert answer.content == "".join(one.text for one in deltas) == "Hello."


async def test_connections_are_kept():
    """Whole answers and streams one after another use one connection."""
    with raw_server(reply(HELLO), chunked(STREAM), reply(HELLO), chunked(STREAM), reply(HELLO)) as server:
        async with model_of(server) as model:
            for emit in (None, lambda _: None, None, lambda _: None, None):
                await model.call(request(), emit)
    assert (len(server.requests), server.connections) == (5, 1)


async def test_a_connection_is_kept_after_an_error():
    """The body of an error is read to its end."""
    with raw_server(reply({"error": "no"}, status=400), reply(HELLO)) as server:
        async with model_of(server) as model:
            with pytest.raises(Exception, match="no"):
                await model.call(request())
            await model.call(request())
    assert server.connections == 1


async def test_many_requests_at_once_are_not_refused():
    """No pool limit stands in the way of many runs."""
    with raw_server([0.05, *reply(HELLO)]) as server:
        async with model_of(server, retries=0) as model, anyio.create_task_group() as group:
            for _ in range(150):
                group.start_soon(model.call, request())
    assert len(server.requests) == 150


async def test_a_connection_that_went_stale_is_replaced():
    """The server closed it while it was idle."""
    with raw_server([*reply(HELLO), close]) as server:
        async with model_of(server) as model:
            for _ in range(3):
                assert (await model.call(request())).content == "Hello."
                server.closed.wait(1)
    assert server.connections >= 2


BREAKS = {
    "closed at once": [close],
    "reset at once": [reset],
    "closed in the head": [b"HTTP/1.1 200 OK\r\ncontent-", close],
    "closed in the body": [reply(HELLO)[0][:-10], close],
    "reset in the body": [reply(HELLO)[0][:-10], reset],
    "no HTTP": [b"SSH-2.0-OpenSSH_9.6\r\n", close],
    "a broken chunk": [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", close],
}


@pytest.mark.parametrize("case", BREAKS)
@pytest.mark.parametrize("emit", [None, lambda _: None], ids=["whole", "streamed"])
async def test_a_connection_that_breaks_is_tried_again(case, emit):
    """The next try answers."""
    with raw_server(BREAKS[case], reply(HELLO)) as server:
        async with model_of(server) as model:
            assert (await model.call(request(), emit)).content == "Hello."
    assert len(server.requests) == 2


async def test_a_stream_that_breaks_is_tried_again_and_the_listener_told():
    """What was shown is void."""
    with raw_server(chunked(STREAM[:150], end=False), chunked(STREAM)) as server:
        async with model_of(server) as model:
            deltas = []
            answer = await model.call(request(), deltas.append)
    assert answer.content == "Hello."
    assert isinstance(deltas[1], RetryEvent)
    assert "".join(one.text for one in deltas[2:]) == "Hello."


async def test_nobody_listens():
    """A port without a server: a clear error that names the address, and no key."""
    with raw_server() as server:
        url = server.url
    model = ChatCompletions("m", base_url=url, api_key="sk-secret", retries=0)
    with pytest.raises(Unavailable, match="cannot connect to http://127.0.0.1:") as caught:
        await model.call(request())
    assert "sk-secret" not in str(caught.value)
    await model.aclose()


async def test_a_request_that_takes_too_long_is_given_up():
    """`timeout_s` of the model or of the request, whole and streamed; the connection is closed."""
    for emit in (None, lambda _: None):
        with raw_server([*chunked(STREAM[:90], end=True)[:2], 30.0]) as server:
            async with model_of(server, timeout_s=60, retries=0) as model:
                began = time.monotonic()
                with pytest.raises(Unavailable, match=r"within 0.2 s|nothing for 0.2 s"):
                    await model.call(request(settings=Settings(timeout_s=0.2)), emit)
                assert time.monotonic() - began < 5


async def test_a_server_that_drips_does_not_outlast_the_timeout():
    """Each piece comes in time, the answer does not."""
    drip = [part for at in range(100) for part in (STREAM[at : at + 1], 0.05)]
    with raw_server(chunked(*drip)) as server:
        async with model_of(server, timeout_s=0.4, retries=0) as model:
            with pytest.raises(Unavailable, match=r"no whole answer within 0.4 s"):
                await model.call(request(), lambda _: None)


async def test_a_cancel_closes_the_connection():
    """The server sees it at once, and the next request works."""
    with raw_server([*chunked(STREAM[:90])[:2], 0.2, b"x" * 10_000_000], reply(HELLO)) as server:
        async with model_of(server) as model:
            with anyio.move_on_after(0.1) as scope:
                await model.call(request(), lambda _: None)
            assert scope.cancelled_caught
            assert await anyio.to_thread.run_sync(server.closed.wait, 5)
            assert (await model.call(request())).content == "Hello."


async def test_the_end_that_was_said_is_not_waited_for():
    """[DONE], and the server keeps the connection open."""
    with raw_server([*chunked(STREAM)[:2], 5.0]) as server:
        async with model_of(server) as model:
            began = time.monotonic()
            assert (await model.call(request(), lambda _: None)).content == "Hello."
            assert time.monotonic() - began < 2


async def test_a_broken_end_after_done_is_no_error():
    """The answer was whole."""
    with raw_server(chunked(STREAM, end=False)) as server:
        async with model_of(server) as model:
            assert (await model.call(request(), lambda _: None)).content == "Hello."
    assert len(server.requests) == 1


async def test_compressed_answers_are_read():
    """Some proxies compress unasked."""
    body = gzip.compress(STREAM)
    with raw_server(reply(body, kind="text/event-stream", content_encoding="gzip")) as server:
        async with model_of(server) as model:
            assert (await model.call(request(), lambda _: None)).content == "Hello."


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # trio warns of a generator that httpx2 leaves behind here
async def test_a_body_that_cannot_be_decompressed_is_an_error():
    """Nothing of the library shows."""
    with raw_server(reply(b"no gzip", content_encoding="gzip")) as server:
        async with model_of(server, retries=0) as model:
            with pytest.raises(MalformedResponse, match="cannot be read"):
                await model.call(request())


@pytest.mark.parametrize("library", [httpx2, httpx], ids=["httpx2", "httpx"])
async def test_the_callers_client_is_used_and_left_open(library):
    """With its own headers, for whole answers and streams; `aclose` does not touch it."""
    with raw_server(reply(HELLO), chunked(STREAM)) as server:
        async with library.AsyncClient(headers={"x-mine": "1"}) as client:
            async with model_of(server, http_client=client) as model:
                assert (await model.call(request())).content == "Hello."
            assert (await model.call(request(), lambda _: None)).content == "Hello."
            assert not client.is_closed
    assert [one.headers["x-mine"] for one in server.requests] == ["1", "1"]


@pytest.mark.parametrize("library", [httpx2, httpx], ids=["httpx2", "httpx"])
async def test_errors_of_the_callers_client_are_ours(library):
    """Whatever library it is from."""
    with raw_server([close]) as server:
        async with library.AsyncClient() as client:
            with pytest.raises(Unavailable, match="broke off"):
                await model_of(server, http_client=client, retries=0).call(request())
    async with library.AsyncClient() as client:
        with pytest.raises(Unavailable, match="cannot connect"):
            await ChatCompletions("m", base_url=server.url, http_client=client, retries=0).call(request())


class Subclass(httpx.AsyncClient):
    """As the clients of SDKs are."""


async def test_a_subclass_of_a_client_is_a_client():
    """The SDKs' own clients are subclasses."""
    with raw_server(reply(HELLO)) as server:
        async with Subclass() as client:
            assert (await model_of(server, http_client=client).call(request())).content == "Hello."


@pytest.mark.parametrize("client", [httpx2.Client, httpx.Client, object, dict])
def test_what_is_no_async_client_is_refused(client):
    """Where it is given, with its name."""
    with pytest.raises(UsageError, match=f"AsyncClient of httpx2 or httpx, got {client.__name__}"):
        ChatCompletions("m", base_url="http://x", http_client=client())


def test_a_model_outlives_its_event_loops():
    """asyncio.run again and again, and trio, with one model: no closed loop, nothing left open."""
    with raw_server(reply(HELLO)) as server:
        model = model_of(server)

        async def ask():
            assert (await model.call(request())).content == "Hello."

        for _ in range(3):
            anyio.run(ask)
            anyio.run(ask, backend="trio")
        gc.collect()
        assert server.connections == 6
        assert model._transport._kept == {}


def test_a_loop_that_ends_closes_its_connections():
    """Without anyone calling `aclose`."""
    with raw_server(reply(HELLO)) as server:
        model = model_of(server)
        anyio.run(model.call, request())
        assert server.closed.wait(2)


def test_a_loop_that_was_closed_by_hand_is_forgotten():
    """No `asyncio.run` around it: the next loop works all the same."""
    with raw_server([*reply(HELLO), close]) as server:
        model = model_of(server)
        for _ in range(3):
            loop = asyncio.new_event_loop()
            loop.run_until_complete(model.call(request()))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
        assert model._transport._kept == {}


def test_many_threads_use_one_model():
    """Each with a loop of its own, at once."""
    with raw_server(reply(HELLO)) as server:
        model, answers = model_of(server), []

        def work():
            for _ in range(5):
                answers.append(anyio.run(model.call, request()).content)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    assert answers == ["Hello."] * 40


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_model_that_is_dropped_closes_its_connections():
    """A service that makes a model for each request does not pile them up; on trio they live as long as the loop."""
    with raw_server(reply(HELLO)) as server:
        model = model_of(server)
        await model.call(request())
        del model
        assert await anyio.to_thread.run_sync(server.closed.wait, 2)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_model_that_is_collected_in_a_cycle_closes_without_a_complaint():
    """An error's traceback or a stream that was left makes such cycles; aiohttp warns of what is collected open."""
    with raw_server(reply(HELLO)) as server:
        model = model_of(server)
        await model.call(request())
        cycle = [model]
        cycle.append(cycle)
        del model, cycle
        gc.collect()
        assert await anyio.to_thread.run_sync(server.closed.wait, 2)


async def test_a_model_can_be_used_after_aclose():
    """It opens a new pool."""
    with raw_server(reply(HELLO)) as server:
        model = model_of(server)
        for _ in range(2):
            await model.call(request())
            await model.aclose()
            await model.aclose()
    assert server.connections == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this machine has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_model_works_after_a_fork():
    """Parent and child share no connection."""
    with raw_server(reply(HELLO)) as server:
        model = model_of(server)
        anyio.run(model.call, request())
        child = os.fork()
        if child == 0:
            try:
                anyio.run(model.call, request())
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert anyio.run(model.call, request()).content == "Hello."


@pytest.mark.anyio
async def test_proxies_of_the_environment_are_used(monkeypatch):
    """As httpx2 does."""
    with raw_server(reply(HELLO)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.removesuffix("/v1"))
        monkeypatch.delenv("NO_PROXY", raising=False)
        async with ChatCompletions("m", base_url="http://somewhere.test/v1", retries=0) as model:
            assert (await model.call(request())).content == "Hello."
    assert proxy.requests[0].line == "POST http://somewhere.test/v1/chat/completions HTTP/1.1"


async def test_an_answer_without_end_is_cut(monkeypatch):
    """A bound on what is read, whole or streamed; it is not asked for again."""
    for bound in ("MAX_ANSWER_BYTES", "MAX_STREAM_BYTES"):
        monkeypatch.setattr(f"agentkit.models.exchange.{bound}", 100_000)
    endless = chunked(*[b'data: {"choices": []}\n\n' * 1000] * 20)
    for emit in (None, lambda _: None):
        with raw_server(endless) as server:
            async with model_of(server) as model:
                with pytest.raises(MalformedResponse, match="longer than 100000 bytes"):
                    await model.call(request(), emit)
        assert len(server.requests) == 1


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that nobody trusts."""
    if (openssl := shutil.which("openssl")) is None:
        pytest.skip("needs the openssl program to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", cert]
    subprocess.run([*command, *subject], check=True, capture_output=True)
    return cert, key


@pytest.fixture
def tls(certificate):
    """The server's side of it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


async def test_tls_to_a_server_that_is_trusted(certificate, tls, monkeypatch):
    """Whole answers and streams; the connection is kept."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with raw_server(reply(HELLO), chunked(STREAM[:50], STREAM[50:]), tls=tls) as server:
        async with model_of(server) as model:
            assert (await model.call(request())).content == "Hello."
            assert (await model.call(request(), lambda _: None)).content == "Hello."
    assert server.connections == 1


async def test_tls_to_a_server_that_is_not_trusted(tls):
    """Refused at once: trying again would not help."""
    with raw_server(reply(HELLO), tls=tls) as server:
        async with model_of(server) as model:
            with pytest.raises(Unavailable, match="the certificate of https://127.0.0.1:[0-9]+ is not trusted"):
                await model.call(request())
    assert server.requests == []
    assert server.connections == 1


async def test_a_large_request_is_sent_whole():
    """Megabytes of history."""
    with raw_server(reply(HELLO)) as server:
        async with model_of(server) as model:
            await model.call(request(User(content="ä" * 3_000_000)))
    assert len(server.requests[0].body) > 6_000_000


async def test_headers_of_any_size_are_read():
    """Some gateways send very long ones."""
    with raw_server(reply(HELLO, x_long="x" * 20_000)) as server:
        async with model_of(server) as model:
            assert (await model.call(request())).content == "Hello."


async def test_a_redirect_is_not_followed():
    """A key must not go where nobody sent it."""
    with raw_server(reply(b"", status=307, location="http://127.0.0.1:9/v1")) as server:
        async with model_of(server) as model:
            with pytest.raises(RequestRefused, match="the server moved to http://127.0.0.1:9/v1; set base_url"):
                await model.call(request())
