"""Where the servers are, which key they want, and what their addresses look like.

A new provider is a row of `SERVERS`. An address may be given as people write it: with or without `/v1`, with a slash at
the end, without a scheme, or as the whole URL of the endpoint.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit

from agentkit.errors import UsageError
from agentkit.models.chat_completions import profiles
from agentkit.models.chat_completions.profiles import Profile


@dataclass(frozen=True, slots=True)
class Server:
    """One provider.

    Attributes:
        url: Base URL.
        profile: What it does differently.
        url_variables: Environment variables that move it.
        keys: Environment variables that may hold the key; none: it needs no key.
    """

    url: str
    profile: Profile
    url_variables: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As in `"name:model"`."""
        return self.profile.name

    @property
    def key_hint(self) -> str:
        """How it is given a key."""
        return f"set {' or '.join(self.keys)}, or pass api_key=..." if self.keys else "pass api_key=..."

    def address(self) -> str:
        """The base URL by this environment."""
        moved = next((value for name in self.url_variables if (value := os.environ.get(name, "").strip())), None)
        return self.url if moved is None else _with_port(moved, self.url)

    def key(self, given: str | None, *, needed: bool = True) -> str | None:
        """The key: the given one, else that of the environment.

        Raises:
            UsageError: There is none although it is `needed`, or it cannot be one.
        """
        key = given if given is not None else next((v for name in self.keys if (v := os.environ.get(name))), "")
        key = key.strip()
        if not key and self.keys and needed:
            raise UsageError(f"{self.name} needs a key: {self.key_hint}")
        if not (key.isascii() and key.isprintable()):
            raise UsageError(f"the key for {self.name} holds a character that no HTTP header can carry; copy it again")
        return key or None


OPENAI_URL = "https://api.openai.com/v1"
GEMINI_URL = "https://generativelanguage.googleapis.com/v1beta/openai"
CLOUDFLARE_KEYS = ("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_AUTH_TOKEN")

SERVERS: Mapping[str, Server] = {
    server.name: server
    for server in (
        Server(OPENAI_URL, profiles.OPENAI, keys=("OPENAI_API_KEY",), url_variables=("OPENAI_BASE_URL",)),
        Server("https://api.cloudflare.com", profiles.WORKERS_AI, keys=CLOUDFLARE_KEYS),  # by name it is `WorkersAI`
        Server("http://127.0.0.1:11434/v1", profiles.OLLAMA, url_variables=("OLLAMA_BASE_URL", "OLLAMA_HOST")),
        Server("http://127.0.0.1:8080/v1", profiles.LLAMACPP, url_variables=("LLAMACPP_BASE_URL",)),
        Server("http://127.0.0.1:8000/v1", profiles.VLLM, url_variables=("VLLM_BASE_URL",)),
        Server("http://127.0.0.1:1234/v1", profiles.LMSTUDIO, url_variables=("LMSTUDIO_BASE_URL",)),
        Server("https://openrouter.ai/api/v1", profiles.OPENROUTER, keys=("OPENROUTER_API_KEY",)),
        Server("https://api.groq.com/openai/v1", profiles.GROQ, keys=("GROQ_API_KEY",)),
        Server("https://api.together.xyz/v1", profiles.TOGETHER, keys=("TOGETHER_API_KEY",)),
        Server("https://api.mistral.ai/v1", profiles.MISTRAL, keys=("MISTRAL_API_KEY",)),
        Server("https://api.deepseek.com/v1", profiles.DEEPSEEK, keys=("DEEPSEEK_API_KEY",)),
        Server(GEMINI_URL, profiles.GEMINI, keys=("GEMINI_API_KEY", "GOOGLE_API_KEY")),
        Server("https://api.anthropic.com/v1", profiles.ANTHROPIC, keys=("ANTHROPIC_API_KEY",)),
    )
}
"""The providers of `"provider:model"`, apart from the embedded one."""

_ELSEWHERE = Server("", profiles.GENERIC)
_ENDPOINTS = re.compile(r"(?:/chat)?/(?:completions|responses|models|embeddings|chat)$")
_ACCOUNT = re.compile(r"(/client/v4/accounts/[^/]+)(?:/.*)?$")
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "[::1]", "::1"})  # noqa: S104 - recognised, not bound


def server_at(url: str) -> Server:
    """The provider whose address this is; of an unknown one nothing is assumed."""
    host = urlsplit(url).hostname or ""
    if host in _LOCAL_HOSTS:
        return SERVERS["ollama"] if urlsplit(url).port == 11434 else _ELSEWHERE
    return next((server for server in SERVERS.values() if urlsplit(server.url).hostname == host), _ELSEWHERE)


def endpoint(base_url: str) -> str:
    """The URL of the chat completions endpoint for an address as people write it.

    Raises:
        UsageError: It is no HTTP address.
    """
    text = base_url.strip()
    if "://" not in text:
        text = ("http://" if re.split(r"[:/]", text)[0] in _LOCAL_HOSTS else "https://") + text
    try:
        parts = urlsplit(text)
        legal = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        parts, legal = urlsplit(""), False
    if not legal:
        seen = text.partition("?")[0][:80]
        raise UsageError(f"base_url must be an http(s) address such as http://127.0.0.1:8000/v1, got {seen!r}")
    return urlunsplit((parts.scheme, parts.netloc, f"{_base_path(parts.path, text)}/chat/completions", parts.query, ""))


def _base_path(path: str, url: str) -> str:
    path = _ENDPOINTS.sub("", path.rstrip("/")).rstrip("/")
    server = server_at(url)
    if server.name == "workers-ai" and (account := _ACCOUNT.match(path)):
        check_account_id(account[1].rpartition("/")[2])
        return f"{account[1]}/ai/v1"
    known = urlsplit(server.url).path or "/v1"
    if server.name != "workers-ai" and known.startswith(path):  # `https://openrouter.ai/api` means its /api/v1
        return known
    return path or "/v1"


def check_account_id(account_id: str) -> None:
    """Refuse what cannot be a Cloudflare account id: a pasted token, or half of an id.

    Raises:
        UsageError: It is not 32 hexadecimal digits.
    """
    if not re.fullmatch(r"[0-9a-fA-F]{32}", account_id):
        raise UsageError(
            f"a Cloudflare account id has 32 hexadecimal digits, this one has {len(account_id)} characters: set "
            "CLOUDFLARE_ACCOUNT_ID to the id of the dashboard's URL, and the token to CLOUDFLARE_API_TOKEN"
        )


def without_login(url: str) -> tuple[str, dict[str, str]]:
    """A URL without its user and password, and the header that says the same."""
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    encoded = base64.b64encode(unquote(login).encode()).decode()
    return urlunsplit(parts._replace(netloc=host)), {"authorization": f"Basic {encoded}"}


def shown(url: str) -> str:
    """A URL without what may be secret in it: user, password and query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _with_port(given: str, default: str) -> str:
    """`OLLAMA_HOST` as people set it: a host, a host and a port, or a URL; 0.0.0.0 is where a server listens."""
    text = given if "://" in given else f"{urlsplit(default).scheme}://{given}"
    parts = urlsplit(text)
    host = parts.netloc.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
    if parts.port is None and "://" not in given and (port := urlsplit(default).port):
        host = f"{host}:{port}"
    return urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
