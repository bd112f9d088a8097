"""`WorkersAI`: a model of Cloudflare, on its native API or its OpenAI-compatible one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias, get_args
from urllib.parse import urlencode

from agentkit.core.events import Emit
from agentkit.core.messages import Assistant, ToolResult, User
from agentkit.core.settings import NO_SETTINGS, Settings
from agentkit.errors import ModelError, ModelNotFound, RequestRefused, UsageError
from agentkit.models import json_bytes
from agentkit.models.chat_completions.encode import Encoded
from agentkit.models.chat_completions.profiles import WORKERS_AI, corrected
from agentkit.models.chat_completions.tools import NO_TOOLS
from agentkit.models.connected import DEFAULT_TIMEOUT_S, Connected, limit_s, settings_of
from agentkit.models.exchange import Exchange
from agentkit.models.model import Model, Request
from agentkit.models.retrying import Retries
from agentkit.models.workers_ai.account import Gateway, account_of, bare
from agentkit.models.workers_ai.batch import (
    FIRST_POLL_S,
    BatchAnswer,
    Item,
    OnProgress,
    Prepared,
    Run,
    checked_body,
    prepared,
)
from agentkit.models.workers_ai.catalogue import Capabilities, Tools, capabilities_of, check_model_id, refreshed
from agentkit.models.workers_ai.decode import read_body
from agentkit.models.workers_ai.embeddings import Embeddings, embeddings_in
from agentkit.models.workers_ai.encode import MAX_TOKENS, WorkersEncoder, check_functions, prompt_body
from agentkit.models.workers_ai.errors import error_from_fault, hushed
from agentkit.models.workers_ai.journal import Journal
from agentkit.models.workers_ai.posting import json_post, post_json, was_not_accepted
from agentkit.models.workers_ai.ranges import check
from agentkit.models.workers_ai.trim import Trim, trimmed
from agentkit.models.workers_ai.turn import Noting, Turn, billed
from agentkit.models.workers_ai.ways import Said, way

TransportName: TypeAlias = Literal["native", "openai"]

_WAYS: tuple[tuple[Tools, bool], ...] = (("native", False), ("native", True), ("prompted", True))
"""How tools are offered, and whether there are any."""
_NO_JSON_SCHEMA, _TOO_FEW_TOKENS = "5025", "8006"


class WorkersAI(Connected):
    """A model of Workers AI.

    Any number of runs on any number of event loops may use it at once. Making one costs nothing and sends nothing.

    Attributes:
        model: Its id, such as `@cf/aisingapore/gemma-sea-lion-v4-27b-it`.
        can: What it can do, by our table or by `refresh`.
        settings: What is sent where a request does not say otherwise.
        variant: What else was given that may change its answers.
    """

    native_output = False

    def __init__(  # noqa: PLR0913 - what one model of Cloudflare may need
        self,
        model: str,
        *,
        account_id: str | None = None,
        api_token: str | None = None,
        base_url: str | None = None,
        transport: TransportName = "native",
        gateway: str | Gateway | None = None,
        tools: Literal["auto"] | Tools = "auto",
        functions: Sequence[Mapping[str, str]] = (),
        trim_tools: Trim | Literal["auto"] | None = None,
        reject_if_busy: bool = False,
        capabilities: Capabilities | None = None,
        http_client: Any = None,
        retries: int | Retries = 2,
        **settings: Any,
    ) -> None:
        """Describe the model.

        Args:
            model: Its id.
            account_id: 32 hexadecimal digits; if left out, `CLOUDFLARE_ACCOUNT_ID`.
            api_token: If left out, `CLOUDFLARE_API_TOKEN` or `CLOUDFLARE_AUTH_TOKEN`.
            base_url: Of the API; if left out, `CLOUDFLARE_BASE_URL` or Cloudflare's own.
            transport: `native` for `/ai/run`, `openai` for `/ai/v1/chat/completions`.
            gateway: An AI Gateway, by name or in detail.
            tools: `native` if the server reads tool calls, `prompted` to write them into the prompt, `auto` by `can`,
                and in words once the server refused them.
            functions: `{"name", "code"}` each, passed on as they are (native only) and never executed here.
            trim_tools: Shows the model fewer tools; `auto` asks the model itself which it needs.
            reject_if_busy: Fail at once instead of waiting for capacity: for use with a fallback.
            capabilities: Instead of the row of our table.
            http_client: An `AsyncClient` of httpx2 or httpx, used as it is; closing it stays with the caller.
            retries: How often a request that may succeed later is sent again, or exactly when.
            **settings: Fields of `Settings`, such as `temperature=0`.

        Raises:
            UsageError: An id, the token, a setting or a combination cannot be right.
        """
        super().__init__(http_client, retries)
        _one_of("transport", transport, get_args(TransportName))
        _one_of("tools", tools, ("auto", *get_args(Tools)))
        self.model = check_model_id(model)
        self.account = account_of(account_id, api_token, base_url)
        self.gateway = Gateway(name=gateway) if isinstance(gateway, str) else gateway
        self.transport: TransportName = transport
        self.can = capabilities or capabilities_of(model)
        self.settings = settings_of(settings)
        check(self.settings, self.can.ranges)
        self.variant = tools, trim_tools, functions, capabilities
        self._tools: Tools | Literal["auto"] = tools
        self._trim: Trim | Literal["auto"] | None = trim_tools
        self._options: dict[str, Any] = {"options": {"rejectIfBusy": True}} if reject_if_busy else {}
        checked = check_functions(functions, native=transport == "native")
        self._functions: dict[str, Any] = {"functions": checked} if checked else {}
        self._json_mode = True
        self._encoders: dict[tuple[Capabilities, bool, bool], WorkersEncoder] = {}
        self._ways = {key: way(key[0], _Wire(self, with_tools=key[1]), model) for key in _WAYS}

    @property
    def tools(self) -> Tools:
        """How tools are offered to this model."""
        return self.can.tools if self._tools == "auto" else self._tools

    @property
    def native_tools(self) -> bool:
        """Whether tools are declared to the server; else they are described to the model in words."""
        return self.tools == "native"

    async def call(self, request: Request, emit: Emit | None = None) -> Assistant:
        """One answer, whole; see `Model`.

        Raises:
            UsageError: A parameter is out of its range; nothing was sent.
            ModelError: There is no answer; what was emitted is void.
        """
        request = replace(request, settings=self._merged(request.settings))
        how = self._how(request)
        try:
            return await self._called(self._ways[how], request, emit)
        except RequestRefused as refusal:
            takes_tools = self._tools != "auto" or corrected(WORKERS_AI, str(refusal)).native_tools
            if takes_tools or how != ("native", True) or refusal.status == 200:
                raise
            self.can = replace(self.can, tools="prompted")  # from now on it is told of them in words
            return await self.call(request, emit)

    async def _called(self, chosen: Model, request: Request, emit: Emit | None) -> Assistant:
        left = await trimmed(self._trim, chosen, request)
        answer = await chosen.call(replace(request, tools=left.tools), emit)
        if not left.usage.requests:
            return answer
        paid = None if answer.cost_usd is None or left.cost_usd is None else answer.cost_usd + left.cost_usd
        return replace(answer, usage=answer.usage + left.usage, cost_usd=paid)

    async def complete(
        self,
        prompt: str,
        *,
        raw: bool | None = None,
        lora: str | None = None,
        response_format: Mapping[str, Any] | None = None,
        emit: Emit | None = None,
        **settings: Any,
    ) -> Assistant:
        """What the model makes of a prompt; native only.

        Args:
            prompt: The text.
            raw: No chat template is applied: the prompt holds the model's own marks.
            lora: An adapter, by name or id.
            response_format: `{"type": "json_object"}`, or `json_schema` with a schema.
            emit: If given, the answer streams.
            **settings: Fields of `Settings`.

        Raises:
            UsageError: A parameter cannot be right; nothing was sent.
            ModelError: There is no answer.
        """
        fields = {"raw": raw, "lora": lora, "response_format": response_format}
        more = Settings(extra={name: value for name, value in fields.items() if value is not None})
        merged = self._merged(settings_of(settings) | more)
        body = {**self._options, **prompt_body(prompt, merged, self.can)}

        def write(stream: bool) -> Encoded:  # noqa: FBT001 - see `Turn.write`
            return Encoded(json_bytes.dumps({**body, "stream": True} if stream else body), NO_TOOLS)

        turn = Turn(
            model=self.model,
            write=write,
            url=self.account.run_url(self.model, self.gateway),
            headers=self.headers(with_tools=False),
            secrets=self.secrets(),
            streams=response_format is None,
        )
        return await self._exchange(turn, merged, emit)

    async def embed(self, texts: Sequence[str], *, model: str | None = None) -> Embeddings:
        """The vectors of texts.

        Args:
            texts: At least one.
            model: A model for embeddings, if this one is none.

        Raises:
            UsageError: There are no texts.
            ModelError: There is no answer.
        """
        if isinstance(texts, str) or not texts or not all(isinstance(text, str) and text for text in texts):
            raise UsageError("embed takes a list of texts, such as embed(['Selamat pagi'])")
        model = check_model_id(model or self.model)
        url = self.account.openai_url("embeddings", self.gateway)
        answer = await self._send(url, {"model": model, "input": list(texts)})
        return embeddings_in(answer, texts, model)

    async def batch(
        self,
        items: Sequence[Item],
        *,
        journal: str | os.PathLike[str] | None = None,
        retry_failed: bool = False,
        poll_s: float = FIRST_POLL_S,
        on_progress: OnProgress | None = None,
    ) -> list[BatchAnswer]:
        """The answers to many items, in their order, from the asynchronous queue; native only.

        Called again with the same items and journal it goes on where it was: nothing is paid twice.

        Args:
            items: Questions, requests, or bodies with `prompt` or `messages` (and `external_reference`).
            journal: A file that remembers; without one only this process does.
            retry_failed: Items that failed before are sent again, and those of which nobody knows.
            poll_s: Seconds between the first polls; the wait grows.
            on_progress: Told how many of how many are answered.

        Raises:
            UsageError: An item cannot be right; nothing was sent.
            Conflict: Another process works on the journal.
            ModelError: The queue failed; what it took stands in the journal.
        """
        if isinstance(items, str | Mapping):
            raise UsageError("batch takes a list of items, such as batch(['Name a river', 'Name a hill'])")
        url = self.account.run_url(self.model, self.gateway) + "?queueRequest=true"
        ready = await prepared([self._item(item) for item in items], self.model, self._encoded_item)
        with Journal(journal) as kept:
            run = Run(
                items=ready,
                journal=kept,
                send=lambda body, before=None: self._send(url, body, before=before, queue=True),
                read=self._item_answer,
                poll_s=poll_s,
                on_progress=on_progress,
            )
            return await run.answers(retry_failed=retry_failed)

    async def refresh(self) -> Capabilities:
        """Ask Cloudflare what this model can do now, and go by that from now on.

        Raises:
            ModelNotFound: It is not listed (any more).
            ModelError: There is no answer: listing needs a permission of its own.
        """
        query = urlencode({"search": self.model.rpartition("/")[2], "per_page": 100})
        listed = await self._send(f"{self.account.search_url()}?{query}", None)
        for item in listed if isinstance(listed, list) else ():
            if isinstance(item, Mapping) and item.get("name") == self.model:
                self.can = refreshed(self.can, item.get("properties"))
                return self.can
        raise ModelNotFound(f"Cloudflare does not list {self.model}")

    async def ask(self, request: Request, emit: Emit | None, *, with_tools: bool) -> Assistant:
        """One request on the wire, as it is: what the ways to offer tools have in common."""
        try:
            return await self._asked(request, emit, with_tools=with_tools)
        except ModelError as error:
            no_schemas = error.code == _NO_JSON_SCHEMA or corrected(WORKERS_AI, str(error)).output is None
            if no_schemas and request.output is not None and self._json_mode:
                self._json_mode = False  # from now on the model is told of the schema in words
                return await self._asked(request, emit, with_tools=with_tools)
            if error.code == _TOO_FEW_TOKENS:
                more = max(MAX_TOKENS, 4 * (request.settings.max_tokens or MAX_TOKENS))
                roomy = replace(request, settings=replace(request.settings, max_tokens=more))
                return await self._asked(roomy, emit, with_tools=with_tools)
            raise

    def headers(self, *, with_tools: bool, session: str | None = None) -> dict[str, str]:
        """The headers of one request."""
        out = self.account.headers()
        if self.gateway is not None:
            out |= self.gateway.sent(with_tools=with_tools)
        if session:
            out["x-session-affinity"] = session
        return out

    def secrets(self) -> tuple[str, ...]:
        """What no error may show."""
        of_gateway = bare((self.gateway and self.gateway.authorization) or "")
        return tuple(filter(None, (self.account.token, of_gateway)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r}, transport={self.transport!r})"

    def _merged(self, settings: Settings) -> Settings:
        merged = self.settings | settings
        check(merged, self.can.ranges)
        efforts = self.can.reasoning_efforts
        if merged.reasoning_effort is not None and efforts and merged.reasoning_effort not in efforts:
            raise UsageError(f"reasoning_effort={merged.reasoning_effort!r}: it must be one of {', '.join(efforts)}")
        return merged

    async def _asked(self, request: Request, emit: Emit | None, *, with_tools: bool) -> Assistant:
        settings = request.settings
        extended = replace(settings, extra={**settings.extra, **self._options, **self._functions})
        # JSON mode would forbid the calls that a prompted model writes as text
        json_mode = self._json_mode and not (with_tools and self.tools == "prompted")
        native = self.transport == "native"
        encoder = self._encoder(native=native, json_mode=json_mode)
        account, gateway = self.account, self.gateway
        turn = Turn(
            model=self.model,
            write=lambda stream: encoder.encode(request, extended, stream=stream),
            url=account.run_url(self.model, gateway) if native else account.openai_url("chat/completions", gateway),
            headers=self.headers(with_tools=with_tools, session=_session(request)),
            secrets=self.secrets(),
            streams=not (request.output and json_mode) and (self.can.streams_tools or not request.tools),
        )
        return await self._exchange(turn, settings, emit)

    async def _exchange(self, turn: Turn, settings: Settings, emit: Emit | None) -> Assistant:
        noting = Noting(self._transport)
        limit = limit_s(settings, emit)
        exchange = Exchange(turn=turn, transport=noting, retries=self._retries, limit_s=limit, emit=emit)
        with hushed(turn.secrets):
            answer = await exchange.run()
        return billed(answer, noting.headers, self.model, self.can.price)

    def _how(self, request: Request) -> tuple[Tools, bool]:
        """Which of the ways a request goes."""
        with_tools = bool(request.tools or _has_calls(request))
        return self.tools if with_tools else "native", with_tools

    def _item(self, item: Item) -> Request | Mapping[str, Any]:
        if isinstance(item, Mapping):
            body = checked_body(item, self._merged(NO_SETTINGS), self.can.ranges, MAX_TOKENS)
            return body if "prompt" in body else {**self._functions, **body}
        request = Request(messages=[User(content=item)]) if isinstance(item, str) else item
        return replace(request, settings=self._merged(request.settings), memo={})

    async def _encoded_item(self, request: Request) -> Encoded:
        """A request of a batch as it is sent: with the tools in words where the server reads no calls."""
        how, _ = self._how(request)
        wire = Said()
        await way(how, wire, self.model).call(request)
        asked = wire.asked or request
        settings = replace(asked.settings, extra={**asked.settings.extra, **self._functions})
        encoder = self._encoder(native=True, json_mode=self._json_mode and how == "native")
        return encoder.encode(asked, settings, stream=False)

    async def _item_answer(self, item: Prepared, body: bytes) -> Assistant:
        """The answer that came for an item, its calls read as they were asked for."""
        with hushed(self.secrets()):
            answer = read_body(body, item.offered, lambda fault: error_from_fault(fault, 200, {}), model=self.model)
        if item.request is not None:
            answer = await way(self._how(item.request)[0], Said(answer), self.model).call(item.request)
        return billed(answer, {}, self.model, self.can.price)

    async def _send(
        self,
        url: str,
        body: Mapping[str, Any] | None,
        *,
        before: Callable[[], None] | None = None,
        queue: bool = False,
    ) -> Any:
        """JSON for JSON (or for nothing).

        What has a `before` must not happen twice: it is sent again only if the server certainly did not take it.
        """
        timeout_s = self.settings.timeout_s or DEFAULT_TIMEOUT_S
        headers = self.headers(with_tools=False)
        if queue and self.gateway is not None:  # an old answer of the queue is wrong, a batch that is sent twice dear
            headers |= {"cf-aig-skip-cache": "true", "cf-aig-max-attempts": "1"}
        post = json_post(url, headers, body)

        async def attempt() -> Any:
            try:
                with hushed(self.secrets()):
                    return await post_json(self._transport, post, timeout_s=timeout_s, before=before)
            except ModelError as error:
                if before is not None and not was_not_accepted(error):
                    error.retryable = False
                raise

        return await self._retries.run(attempt, _no_listener)

    def _encoder(self, *, native: bool, json_mode: bool) -> WorkersEncoder:
        key = self.can, native, json_mode
        if key not in self._encoders:
            self._encoders[key] = WorkersEncoder(self.model, self.can, native=native, json_mode=json_mode)
        return self._encoders[key]


class _Wire:
    """The wire alone, as a model."""

    def __init__(self, model: WorkersAI, *, with_tools: bool) -> None:
        self._model = model
        self._with_tools = with_tools

    async def call(self, request: Request, emit: Emit | None = None) -> Assistant:
        """One request, as it is."""
        return await self._model.ask(request, emit, with_tools=self._with_tools)


async def _no_listener(error: ModelError) -> None:
    """Nobody listens to a request that shows nothing until it is answered."""


def _one_of(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise UsageError(f"{name}={value!r}: use {' or '.join(map(repr, known))}")


def _has_calls(request: Request) -> bool:
    """Whether the history speaks of tools."""
    return any(isinstance(m, ToolResult) or (isinstance(m, Assistant) and m.tool_calls) for m in request.messages)


def _session(request: Request) -> str:
    """A stable id of the conversation: the run's own, if the caller has none."""
    made: str = request.memo.setdefault("workers-ai session", os.urandom(12).hex())
    return request.session or made
