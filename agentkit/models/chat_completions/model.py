"""`ChatCompletions`: a model behind any OpenAI-compatible server."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from agentkit.core.events import Emit
from agentkit.core.messages import Assistant
from agentkit.errors import AuthFailed, ModelError, RequestRefused, UsageError
from agentkit.models.chat_completions.decode import StreamReader, read_answer
from agentkit.models.chat_completions.encode import Encoder
from agentkit.models.chat_completions.errors import Fault, error_from, fault_of, kind_of
from agentkit.models.chat_completions.profiles import Profile, corrected
from agentkit.models.chat_completions.servers import SERVERS, endpoint, server_at, shown, without_login
from agentkit.models.chat_completions.tools import NO_TOOLS, Offered
from agentkit.models.connected import Connected, limit_s, settings_of
from agentkit.models.dialects.prompted import Prompted
from agentkit.models.dialects.recovering import Recovering
from agentkit.models.exchange import Exchange
from agentkit.models.http import ClientTransport, PerLoop, Post, Timeouts
from agentkit.models.model import Model, Request
from agentkit.models.prices import cost_usd
from agentkit.models.retrying import Retries

_log = logging.getLogger("agentkit.models")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SECRET_HEADER = re.compile(r"auth|key|token|secret|cookie")


class ChatCompletions(Connected):
    """A model behind an OpenAI-compatible server.

    Any number of runs on any number of event loops may use it at once. Making one costs nothing: connections are opened
    by the first request, one pool for each event loop, and closed when the loop ends or by `aclose`.

    A server that refuses the form of a request (tools, a JSON schema, instructions, turns) is asked again in another
    one, and from then on in that one: the tools of a model that takes none are described in words.

    Attributes:
        model: The name that the server knows.
        settings: What is sent where a request does not say otherwise.
        variant: What else was given that may change its answers.
    """

    def __init__(  # noqa: PLR0913 - what one server may need
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        profile: Profile | None = None,
        tools: Literal["auto", "native", "prompted"] = "auto",
        http_client: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        retries: int | Retries = 2,
        **settings: Any,
    ) -> None:
        """Describe the model.

        Args:
            model: The name that the server knows.
            base_url: Where the server is, with or without `/v1`; if left out, `OPENAI_BASE_URL`, else OpenAI itself.
            api_key: Sent as a bearer token; if left out, the environment variable of a known server (`OPENAI_API_KEY`).
            profile: What the server does differently; if left out, that of a known server, else what most take.
            tools: `native` declares them to the server, `prompted` describes them to the model in words and reads its
                calls from the text; `auto` goes by the profile, and by words once the server refused them.
            http_client: An `AsyncClient` of httpx2 or httpx, used as it is; closing it stays with the caller.
            headers: Further headers of each request.
            timeout_s: Seconds for one request, tries not included; if left out, 600 for a whole answer and, while one
                streams, for each piece of it.
            retries: How often a request that may succeed later is sent again, or exactly when.
            **settings: Fields of `Settings`, such as `temperature=0`.

        Raises:
            UsageError: The address, the key, the client or a setting cannot be right.
        """
        super().__init__(http_client, retries)
        if tools not in {"auto", "native", "prompted"}:
            raise UsageError(f"tools={tools!r}: use 'auto', 'native' or 'prompted'")
        self._url, login = without_login(endpoint(base_url or SERVERS["openai"].address()))
        here = server_at(self._url)
        named = here if base_url else SERVERS["openai"]  # OPENAI_BASE_URL moves the server, and takes the key along
        sent = _legal(headers or {})
        allowed = http_client is not None or "authorization" in {**login, **sent}
        key = named.key(api_key, needed=named is here and not allowed)
        known = profile or here.profile
        self.model = model
        self.settings = settings_of({**settings, "timeout_s": timeout_s})
        self.variant = tools, profile, {name: one for name, one in sent.items() if not _SECRET_HEADER.search(name)}
        self._headers = {"content-type": "application/json", "user-agent": "agentkit", **login, **_bearer(key), **sent}
        wire = _Wire(
            model=model,
            encoder=Encoder(model, known if tools == "auto" else replace(known, native_tools=tools == "native")),
            server=here.name,
            key_hint=named.key_hint,
            url=self._url,
            headers=self._headers,
            transport=self._transport,
            retries=self._retries,
        )
        self._form = wire, _way(wire)
        self._declares = tools == "native"

    @property
    def profile(self) -> Profile:
        """What this server does differently, by what it refused so far too."""
        return self._form[0].encoder.profile

    @property
    def native_output(self) -> bool:
        """Whether the server is known to enforce a JSON schema."""
        return self.profile.native_output

    @property
    def native_tools(self) -> bool:
        """Whether tools are declared to the server; else they are described to the model in words."""
        return self.profile.native_tools

    async def call(self, request: Request, emit: Emit | None = None) -> Assistant:
        """One answer, whole; see `Model`. Calls and thoughts that the server left in its text are taken out of it.

        Raises:
            ModelError: There is none; what was emitted is void.
        """
        settings = self.settings | request.settings
        if settings is not request.settings:
            request = replace(request, settings=settings)
        while True:
            wire, way = self._form
            try:
                return await way.call(request, emit)
            except RequestRefused as refusal:
                begun = emit is not None and refusal.status == 200  # something of the answer may have been heard
                if begun or not self._learns(refusal, wire.encoder.profile):
                    raise

    def _learns(self, refusal: RequestRefused, profile: Profile) -> bool:
        """Whether the request can be made in another form than this profile's, which was refused."""
        learned = corrected(self.profile, said := str(refusal))
        if corrected(profile, said) == profile or (self._declares and not learned.native_tools):
            return False
        if learned != self.profile:  # runs that share this model may have been refused at the same time
            _log.info("%r is asked in another form from now on, for it said: %s", self, refusal)
            wire = replace(self._form[0], encoder=Encoder(self.model, learned))
            self._form = wire, _way(wire)
        return True

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r}, base_url={shown(self._url)!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wire:
    """The server as a model that gives its own answers, asked in the form of one profile."""

    model: str
    encoder: Encoder
    server: str
    key_hint: str
    url: str = field(repr=False)  # a key may stand in it
    headers: Mapping[str, str] = field(repr=False)
    transport: PerLoop | ClientTransport
    retries: Retries

    async def call(self, request: Request, emit: Emit | None = None) -> Assistant:
        """One answer as the server gives it."""
        exchange = Exchange(
            turn=_Turn(wire=self, request=request),
            transport=self.transport,
            retries=self.retries,
            limit_s=limit_s(request.settings, emit),
            emit=emit,
        )
        answer = await exchange.run()
        paid = cost_usd(self.server, self.model, answer.usage, service_tier=answer.extra.get("service_tier"))
        return answer if paid is None else replace(answer, cost_usd=paid)


def _way(wire: _Wire) -> Model:
    """The wire with what its server lacks."""
    profile = wire.encoder.profile
    if not profile.native_tools:
        return Prompted(wire)
    return wire if profile.recover == "never" else Recovering(wire, recover=profile.recover)


@dataclass(slots=True, kw_only=True)
class _Turn:
    """One request on this wire; see `exchange.Turn`."""

    wire: _Wire
    request: Request
    offered: Offered = field(default=NO_TOOLS)

    def post(self, *, stream: bool, timeouts: Timeouts) -> Post:
        wire, settings = self.wire, self.request.settings
        encoded = wire.encoder.encode(self.request, settings, stream=stream)
        self.offered = encoded.offered
        headers = {**wire.headers, "accept": "text/event-stream" if stream else "application/json"}
        session_header = wire.encoder.profile.session_header
        if session_header and self.request.session:
            headers[session_header] = self.request.session
        return Post(url=wire.url, headers=headers, body=encoded.body, timeouts=timeouts)

    def whole(self, body: bytes) -> Assistant:
        return read_answer(body, self.offered, self._blame, model=self.wire.model)

    def reader(self) -> StreamReader:
        return StreamReader(self.offered, self._blame, model=self.wire.model)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        fault, hint = fault_of(body), ""
        if kind_of(fault, status) is AuthFailed:
            sent = "authorization" in self.wire.headers
            hint = f"{'for another key' if sent else 'no API key was sent'}: {self.wire.key_hint}"
        elif status in {404, 405}:
            hint = f"is base_url right? the request went to {shown(self.wire.url)}"
        elif 300 <= status < 400:
            hint = f"the server moved to {shown(headers.get('location', 'an unknown place'))}; set base_url"
        return error_from(fault, status, headers, secrets=self._secrets(), hint=hint)

    def _blame(self, fault: Fault) -> ModelError:
        return error_from(fault, 200, {}, secrets=self._secrets())

    def _secrets(self) -> Collection[str]:
        headers = self.wire.headers.items()
        held = [value.removeprefix("Bearer ") for name, value in headers if _SECRET_HEADER.search(name)]
        return [value for value in held if value]


def _legal(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable() and _HEADER_NAME.fullmatch(name)):
            raise UsageError(f"the header {name!r} is not legal: a name and one line of ASCII text")
    return {name.lower(): value for name, value in headers.items()}


def _bearer(key: str | None) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"} if key else {}
