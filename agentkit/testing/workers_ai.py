"""A fake Workers AI: an ASGI application with the rules, the shapes and the quirks of the real one. For tests.

    with FakeWorkersAI("Selamat pagi!", call("add", a=1, b=2), "error-3040", "Done.") as server:
        agent = Agent(server.model(), tools=[add])

Each line of the script answers one inference request, in the way that the request asks for: a text, one or several
tool calls, the name of a scenario (`quirks.SCENARIOS`), a `Scenario`, or a function of the request's body that gives
one of these; items of a batch take texts and calls. After the last line each is answered with the user's own words.

Requests are held against the input schema of the model page: what does not fit is refused, and makes the block fail,
unless the test says that it will come (`expect_invalid=True`). Answers are held against the branch of the output schema
that they name. Batches are queued, and wait for some polls.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Self, TypeAlias
from urllib.parse import parse_qs

from agentkit.core.messages import ToolCall
from agentkit.errors import UsageError
from agentkit.models.dialects.families import family_named
from agentkit.models.dialects.source import Found
from agentkit.models.workers_ai import WorkersAI
from agentkit.testing.asgi import Receive, Scope, Send, served
from agentkit.testing.quirks import SCENARIOS
from agentkit.testing.scenarios import MODEL, USAGE, Scenario, Shape, refused, said
from agentkit.testing.schemas import ASYNC, fault_of_input, fault_of_output

ACCOUNT_ID = "0123456789abcdef0123456789abcdef"
TOKEN = "fake-token-of-workers-ai"  # noqa: S105 - it opens nothing

Line: TypeAlias = Any
"""See above."""

_ROOT = "/client/v4"
_OPENAI = "v1/chat/completions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request that came."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        """The JSON of the request."""
        return json.loads(self.content or b"null")


@dataclass(slots=True, kw_only=True)
class Batch:
    """A batch in the queue."""

    answers: list[dict[str, Any]]
    polls: int


class FakeWorkersAI:
    """The server; see above. In a `with` block it is reachable at `url`.

    Attributes:
        requests: Everything that came, in order.
        invalid: Inference bodies that did not fit the input schema.
        paid: Inference requests that were answered or queued, batch items one by one.
        batches: The queue, by request id.
        catalogue: What `/ai/models/search` lists.
        url: The base URL, inside the block.
    """

    def __init__(
        self,
        *script: Line,
        shape: Shape = "chat",
        polls: int = 2,
        fails: Callable[[Mapping[str, Any]], bool] | None = None,
        expect_invalid: bool = False,
        catalogue: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Take the script.

        Args:
            script: What is answered, in order.
            shape: The shape of answers to messages that are no scenario.
            polls: How often a batch says that it waits.
            fails: Which items of a batch fail; none if left out.
            expect_invalid: Bodies that do not fit the input schema are what the test is about.
            catalogue: Items of `/ai/models/search`.
        """
        self._script = list(script)
        self._shape: Shape = shape
        self._polls = polls
        self._fails = fails
        self._expect_invalid = expect_invalid
        self._cache: dict[bytes, Scenario] = {}
        self._stack = ExitStack()
        self.catalogue = list(catalogue)
        self.requests: list[Received] = []
        self.invalid: list[Any] = []
        self.paid: list[Any] = []
        self.batches: dict[str, Batch] = {}
        self.url = ""

    def __enter__(self) -> Self:
        self.url = self._stack.enter_context(served(self)) + _ROOT
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Stop.

        Raises:
            AssertionError: A body came that the input schema refuses, and the test did not say that it would.
        """
        self._stack.close()
        if kind is None and self.invalid and not self._expect_invalid:
            raise AssertionError(f"bodies that the input schema refuses: {self.invalid}")

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead a process to this server."""
        names = ("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN", "CLOUDFLARE_BASE_URL")
        return dict(zip(names, (ACCOUNT_ID, TOKEN, self.url), strict=True))

    @property
    def bodies(self) -> list[Any]:
        """The JSON bodies of the requests that came."""
        return [request.body for request in self.requests if request.content]

    def model(self, model: str = MODEL, **options: Any) -> WorkersAI:
        """A model behind this server."""
        return WorkersAI(model, **{"account_id": ACCOUNT_ID, "api_token": TOKEN, "base_url": self.url, **options})

    def add(self, *lines: Line) -> None:
        """Put more lines at the end of the script."""
        self._script += lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        content, more = b"", True
        while more:
            message = await receive()
            content += message.get("body", b"")
            more = message.get("more_body", False)
        request = Received(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode(),
            headers={name.decode(): value.decode() for name, value in scope["headers"]},
            content=content,
        )
        self.requests.append(request)
        await _send(self._answer(request), send)

    def _answer(self, request: Received) -> Scenario:
        place = self._place(request)
        if isinstance(place, Scenario):
            return place
        if place == "models/search":
            return Scenario(body=self.catalogue)
        if request.method != "POST":
            return SCENARIOS["error-7001"]
        try:
            body = request.body
        except ValueError:
            return SCENARIOS["error-3003"]
        if place == "v1/embeddings":
            return _embeddings(body)
        return self._inference(request, place, body)

    def _place(self, request: Received) -> str | Scenario:
        """What the address means below `/ai/`, or the error that it is."""
        if "%2f" in request.path.lower():
            return SCENARIOS["error-7000"]
        parts = request.path.removeprefix(_ROOT).strip("/").split("/")
        match parts:
            case ["accounts", account, "ai", *rest]:
                place = "/".join(rest)
            case ["gateway", account, _, "workers-ai", *rest]:
                place = "/".join(rest)
                place = place if place.startswith(("v1/", "run/")) else f"run/{place}"
            case _:
                return SCENARIOS["error-7000"]
        if account != ACCOUNT_ID:
            return SCENARIOS["error-7003"]
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return SCENARIOS["error-10000"]
        known = place == _OPENAI or place in {"v1/embeddings", "models/search"} or place.startswith("run/@")
        return place if known else SCENARIOS["error-7000"]

    def _inference(self, request: Received, place: str, body: Any) -> Scenario:
        cached = "cf-aig-gateway-id" in request.headers and request.headers.get("cf-aig-skip-cache") != "true"
        if cached and request.content in self._cache:
            hit = self._cache[request.content]
            return replace(hit, headers={**hit.headers, "cf-aig-cache-status": "HIT"})
        scenario = self._inferred(request, place, body)
        if cached:
            self._cache[request.content] = scenario
            return replace(scenario, headers={**scenario.headers, "cf-aig-cache-status": "MISS"})
        return scenario

    def _inferred(self, request: Received, place: str, body: Any) -> Scenario:
        if isinstance(body, Mapping) and body.keys() == {"request_id"}:
            return self._polled(body["request_id"])
        fault = fault_of_input(body)
        if fault is not None:
            self.invalid.append(body)
            return refused(400, 5006, f"{fault} ({uuid.uuid4()})")
        if "requests" in body:
            if "true" not in parse_qs(request.query).get("queueRequest", []):
                return refused(400, 5006, "AiError: Bad input: requests need ?queueRequest=true")
            return self._queued(body, place.removeprefix("run/"))
        scenario = self._scenario(body, native=place != _OPENAI)
        if scenario.status == 200:
            self.paid.append(body)
        return scenario

    def _scenario(self, body: Mapping[str, Any], *, native: bool) -> Scenario:
        line = self._next(body)
        if isinstance(line, Scenario):
            return line
        if isinstance(line, str) and line in SCENARIOS:
            return SCENARIOS[line]
        text, calls = _spoken(line, body)
        shape: Shape = "text" if "prompt" in body and self._shape == "chat" else self._shape
        scenario = said(text, calls, shape=shape, stream=bool(body.get("stream")), model=body.get("model", MODEL))
        return scenario if native else replace(scenario, envelope=False)

    def _next(self, body: Mapping[str, Any]) -> Line:
        line = self._script.pop(0) if self._script else _echo(body)
        return line(body) if callable(line) else line

    def _queued(self, body: Mapping[str, Any], model: str) -> Scenario:
        if self._script and isinstance(self._script[0], str) and self._script[0].startswith("error-"):
            return SCENARIOS[self._script.pop(0)]
        request_id = str(uuid.uuid4())
        answers = [self._item(index, item) for index, item in enumerate(body["requests"])]
        self.batches[request_id] = Batch(answers=answers, polls=self._polls)
        self.paid += body["requests"]
        return Scenario(body={"status": "queued", "request_id": request_id, "model": model}, branch=ASYNC)

    def _polled(self, request_id: str) -> Scenario:
        batch = self.batches.get(request_id)
        if batch is None:
            return refused(404, None, "no such request")
        batch.polls -= 1
        if batch.polls >= 0:
            status = "running" if batch.polls == 0 else "queued"
            return Scenario(body={"status": status, "request_id": request_id}, branch=ASYNC)
        return Scenario(body={"responses": batch.answers[::-1], "usage": USAGE})

    def _item(self, index: int, item: Mapping[str, Any]) -> dict[str, Any]:
        out: dict[str, Any] = {"id": index, "external_reference": item.get("external_reference")}
        if self._fails is not None and self._fails(item):
            return {**out, "success": False, "errors": [{"code": 3040, "message": "Capacity temporarily exceeded"}]}
        text, calls = _spoken(self._next(item), item)
        return {**out, "success": True, "result": {"result": said(text, calls, shape="legacy").body}}


def _echo(body: Mapping[str, Any]) -> str:
    """The user's own words."""
    if "prompt" in body:
        return str(body["prompt"])
    return next((str(m["content"]) for m in reversed(body["messages"]) if m["role"] == "user"), "")


def _spoken(line: Line, body: Mapping[str, Any]) -> tuple[str, Sequence[ToolCall]]:
    """The text and the calls of a line; calls are text where the request declares no tools."""
    parts = [line] if isinstance(line, str | ToolCall) else list(line)
    text = "".join(part for part in parts if isinstance(part, str))
    calls = [part for part in parts if isinstance(part, ToolCall)]
    if calls and "tools" not in body:
        try:
            family = family_named(str(body.get("model", MODEL)))
        except UsageError:
            family = family_named("generic")
        return text + family.write([Found(call.name, json.loads(call.arguments)) for call in calls]), ()
    return text, calls


def _embeddings(body: Mapping[str, Any]) -> Scenario:
    """A vector for each text: how long it is, and how many words it has."""
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    data = [
        {"object": "embedding", "index": index, "embedding": [float(len(text)), float(len(text.split()))]}
        for index, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": sum(len(text.split()) for text in texts), "total_tokens": 0}
    return Scenario(body={"object": "list", "model": body["model"], "data": data, "usage": usage}, envelope=False)


async def _send(scenario: Scenario, send: Send) -> None:
    streams = scenario.events is not None
    kind = "text/event-stream" if streams else "application/json"
    headers = [(b"content-type", kind.encode())]
    headers += [(name.encode(), value.encode()) for name, value in scenario.headers.items()]
    pieces = _pieces(scenario)
    await send({"type": "http.response.start", "status": scenario.status, "headers": headers})
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _pieces(scenario: Scenario) -> list[bytes]:
    """The bytes of an answer, which must fit the branch that it names.

    Raises:
        AssertionError: It does not.
    """
    if scenario.raw is not None:
        return [scenario.raw]
    if scenario.events is not None:
        pieces = [event if isinstance(event, str) else json.dumps(event) for event in scenario.events]
        return [f"data: {piece}\n\n".encode() for piece in pieces]
    if scenario.branch is not None and (fault := fault_of_output(scenario.body, scenario.branch)) is not None:
        raise AssertionError(f"the answer is no {scenario.branch}: {fault}")
    whole = {"result": scenario.body, "success": True, "errors": [], "messages": []}
    return [json.dumps(whole if scenario.envelope else scenario.body).encode()]
