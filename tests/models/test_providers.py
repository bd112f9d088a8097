"""Models by name, addresses and keys."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentkit.errors import UsageError
from agentkit.models import WorkersAI
from agentkit.models.chat_completions.model import ChatCompletions
from agentkit.models.chat_completions.profiles import GENERIC
from agentkit.models.chat_completions.servers import SERVERS, endpoint, server_at
from agentkit.models.providers import SEA_LION, default_model, resolve_model

ACCOUNT = "0123456789abcdef0123456789ABCDEF"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    """No variable of this machine matters."""
    for name in os.environ:
        if name.endswith(("_API_KEY", "_TOKEN", "_BASE_URL", "_HOST", "_MODEL")) or "CLOUDFLARE" in name:
            monkeypatch.delenv(name)


@pytest.mark.parametrize("name", [name for name in SERVERS if name != "workers-ai"])
def test_every_provider_has_a_model_by_name(name, monkeypatch):
    """At the address and with the profile of its row."""
    server = SERVERS[name]
    for key in server.keys:
        monkeypatch.setenv(key, "sk-1")
    model = resolve_model(f"{name}:some/model:free")
    assert isinstance(model, ChatCompletions)
    assert model.model == "some/model:free"
    assert model.profile is server.profile
    assert repr(model) == f"ChatCompletions('some/model:free', base_url='{server.url}/chat/completions')"


@pytest.mark.parametrize("name", [name for name, server in SERVERS.items() if server.keys and name != "workers-ai"])
def test_a_missing_key_names_the_variable(name):
    """Where the model is made, not on the first request."""
    with pytest.raises(UsageError, match=SERVERS[name].keys[0]):
        resolve_model(f"{name}:m")


def test_workers_ai_by_name(monkeypatch):
    """Account and token from the environment; a model id alone is enough."""
    monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", ACCOUNT)
    monkeypatch.setenv("CLOUDFLARE_AUTH_TOKEN", "t-1")
    for name in (f"workers-ai:{SEA_LION}", SEA_LION):
        model = resolve_model(name)
        assert model.model == SEA_LION
        assert isinstance(model, WorkersAI)
        assert (model.account.account_id, model.account.token) == (ACCOUNT, "t-1")


@pytest.mark.parametrize(
    ("account", "words"),
    [
        ("", "set that variable"),
        ("abc", "32 hexadecimal digits, this one has 3"),
        ("v1.0-token-" + "x" * 40, "has 51 characters"),
    ],
)
def test_a_wrong_account_id_is_refused_and_not_shown(monkeypatch, account, words):
    """It may be a token that was pasted in the wrong place."""
    monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", account)
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "t-1")
    with pytest.raises(UsageError, match=words) as caught:
        resolve_model(f"workers-ai:{SEA_LION}")
    assert not account or account not in str(caught.value).replace("32 hex", "")


UNKNOWN = {
    "opnai:gpt": "Did you mean 'openai'",
    "gpt-4o": 'write "provider:model"',
    "openai": 'write "openai:MODEL"',
    "openai:": 'write "openai:MODEL"',
    "": "one of openai, workers-ai",
    ":x": "unknown model",
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_string_lists_the_providers(name):
    """And the nearest one."""
    with pytest.raises(UsageError, match=UNKNOWN[name]):
        resolve_model(name)


ADDRESSES = {
    "http://127.0.0.1:8000": "http://127.0.0.1:8000/v1/chat/completions",
    "http://127.0.0.1:8000/": "http://127.0.0.1:8000/v1/chat/completions",
    "http://127.0.0.1:8000/v1": "http://127.0.0.1:8000/v1/chat/completions",
    "http://127.0.0.1:8000/v1/": "http://127.0.0.1:8000/v1/chat/completions",
    " http://127.0.0.1:8000/v1 ": "http://127.0.0.1:8000/v1/chat/completions",
    "http://127.0.0.1:8000/v1/chat/completions": "http://127.0.0.1:8000/v1/chat/completions",
    "http://127.0.0.1:8000/v1/chat/completions/": "http://127.0.0.1:8000/v1/chat/completions",
    "http://127.0.0.1:8000/v1/models": "http://127.0.0.1:8000/v1/chat/completions",
    "http://127.0.0.1:8000/v1/responses": "http://127.0.0.1:8000/v1/chat/completions",
    "http://127.0.0.1:8000/s/k10/v1": "http://127.0.0.1:8000/s/k10/v1/chat/completions",
    "http://host/openai": "http://host/openai/chat/completions",
    "http://host/v2": "http://host/v2/chat/completions",
    "localhost:8000": "http://localhost:8000/v1/chat/completions",
    "localhost:8000/v1": "http://localhost:8000/v1/chat/completions",
    "127.0.0.1:8000": "http://127.0.0.1:8000/v1/chat/completions",
    "api.example.com": "https://api.example.com/v1/chat/completions",
    "http://[::1]:8000/v1": "http://[::1]:8000/v1/chat/completions",
    "https://api.openai.com": "https://api.openai.com/v1/chat/completions",
    "https://openrouter.ai": "https://openrouter.ai/api/v1/chat/completions",
    "https://openrouter.ai/api": "https://openrouter.ai/api/v1/chat/completions",
    "https://api.groq.com": "https://api.groq.com/openai/v1/chat/completions",
    "https://api.deepseek.com": "https://api.deepseek.com/v1/chat/completions",
    "https://generativelanguage.googleapis.com/v1beta": "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
    "https://x.openai.azure.com/openai/deployments/d?api-version=1": "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=1",
    f"https://api.cloudflare.com/client/v4/accounts/{ACCOUNT}": f"https://api.cloudflare.com/client/v4/accounts/{ACCOUNT}/ai/v1/chat/completions",
    f"https://api.cloudflare.com/client/v4/accounts/{ACCOUNT}/ai/run": f"https://api.cloudflare.com/client/v4/accounts/{ACCOUNT}/ai/v1/chat/completions",
    f"https://api.cloudflare.com/client/v4/accounts/{ACCOUNT}/ai/run/chat/completions": f"https://api.cloudflare.com/client/v4/accounts/{ACCOUNT}/ai/v1/chat/completions",
    f"https://api.cloudflare.com/client/v4/accounts/{ACCOUNT}/ai/v1/": f"https://api.cloudflare.com/client/v4/accounts/{ACCOUNT}/ai/v1/chat/completions",
    f"https://gateway.ai.cloudflare.com/v1/{ACCOUNT}/g/workers-ai/v1": f"https://gateway.ai.cloudflare.com/v1/{ACCOUNT}/g/workers-ai/v1/chat/completions",
}


@pytest.mark.parametrize("given", ADDRESSES)
def test_addresses_as_people_write_them(given):
    """All become the endpoint, and the endpoint stays what it is."""
    assert endpoint(given) == ADDRESSES[given]
    assert endpoint(ADDRESSES[given]) == ADDRESSES[given]


@pytest.mark.parametrize(
    "given", ["ftp://host/v1", "http://", "ws://host", "http://host:port/v1", "http://[::1", "https:///v1"]
)
def test_what_is_no_http_address_is_refused(given):
    """With an example."""
    with pytest.raises(UsageError, match="http://127.0.0.1:8000/v1"):
        endpoint(given)


def test_an_address_shows_no_secret():
    """User, password and query stay out of the repr."""
    model = ChatCompletions("m", base_url="https://user:secret@host.test/v1?key=secret")
    assert repr(model) == "ChatCompletions('m', base_url='https://host.test/v1/chat/completions')"


def test_a_login_in_an_address_becomes_a_header():
    """As a browser does it; a key of one's own wins over it."""
    model = ChatCompletions("m", base_url="https://user:p%40ss@host.test/v1")
    assert model._headers["authorization"] == "Basic dXNlcjpwQHNz"
    assert model._url == "https://host.test/v1/chat/completions"
    model = ChatCompletions("m", base_url="https://user:p@host.test/v1", api_key="sk-1")
    assert model._headers["authorization"] == "Bearer sk-1"


def test_a_known_address_has_its_profile():
    """Whichever way it is named; an unknown one is taken as it comes."""
    for name in ("groq", "mistral", "gemini", "anthropic", "deepseek", "openrouter", "together"):
        model = ChatCompletions("m", base_url=SERVERS[name].url, api_key="k")
        assert model.profile is SERVERS[name].profile
    assert ChatCompletions("m", base_url="http://host/v1").profile is GENERIC
    assert server_at("http://localhost:11434/v1").name == "ollama"
    assert server_at("http://localhost:8080/v1").profile is GENERIC


def test_a_key_goes_to_its_own_server_only(monkeypatch):
    """OPENAI_API_KEY is not sent to another address, unless OPENAI_BASE_URL says so."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")

    def sent(**options):
        return ChatCompletions("m", **options)._headers.get("authorization")

    assert sent() == "Bearer sk-1"
    assert sent(base_url="https://api.openai.com/v1") == "Bearer sk-1"
    assert sent(base_url="https://host.test/v1") is None
    monkeypatch.setenv("OPENAI_BASE_URL", "https://host.test/v1")
    assert sent() == "Bearer sk-1"
    assert sent(api_key="sk-2") == "Bearer sk-2"
    assert sent(headers={"Authorization": "Basic x"}) == "Basic x"


def test_keys_as_people_paste_them(monkeypatch):
    """Blanks and line ends around a key go; what no header can carry is refused without being shown."""
    assert ChatCompletions("m", api_key=" sk-1\n")._headers["authorization"] == "Bearer sk-1"
    for key in ("sk-\n1", "sk-ü", "sk-\x00"):
        with pytest.raises(UsageError, match="no HTTP header can carry") as caught:
            ChatCompletions("m", api_key=key)
        assert key not in str(caught.value)


def test_no_key_is_needed_where_a_client_or_a_header_brings_it():
    """A proxy may add it, a client of one's own may have it."""
    import httpx2

    ChatCompletions("m", headers={"Authorization": "Bearer x"})
    ChatCompletions("m", http_client=httpx2.AsyncClient())
    with pytest.raises(UsageError, match="openai needs a key: set OPENAI_API_KEY, or pass api_key="):
        ChatCompletions("m")


def test_settings_are_keyword_arguments():
    """A wrong one names the right one."""
    assert ChatCompletions("m", base_url="http://x", temperature=0.0).settings.temperature == 0.0
    with pytest.raises(UsageError, match="unknown setting 'temprature': did you mean temperature"):
        ChatCompletions("m", base_url="http://x", temprature=0.0)
    with pytest.raises(UsageError, match="extra={...}"):
        ChatCompletions("m", base_url="http://x", zzzzz=0.0)


HOSTS = {
    "127.0.0.1": "http://127.0.0.1:11434/v1/chat/completions",
    "0.0.0.0": "http://127.0.0.1:11434/v1/chat/completions",
    "0.0.0.0:1234": "http://127.0.0.1:1234/v1/chat/completions",
    "http://10.0.0.5:11434": "http://10.0.0.5:11434/v1/chat/completions",
    "https://ollama.example.com": "https://ollama.example.com/v1/chat/completions",
    "gpu-box": "http://gpu-box:11434/v1/chat/completions",
}


@pytest.mark.parametrize("given", HOSTS)
def test_ollama_host_as_ollama_reads_it(given, monkeypatch):
    """A host, a host and a port, or a URL."""
    monkeypatch.setenv("OLLAMA_HOST", given)
    model = resolve_model("ollama:qwen3")
    assert repr(model) == f"ChatCompletions('qwen3', base_url='{HOSTS[given]}')"
    assert model.profile is SERVERS["ollama"].profile


DEFAULTS = {
    "AGENTKIT_MODEL first": (
        {
            "AGENTKIT_MODEL": "ollama:qwen3",
            "OPENAI_API_KEY": "k",
            "CLOUDFLARE_ACCOUNT_ID": ACCOUNT,
            "CLOUDFLARE_API_TOKEN": "t",
        },
        "qwen3",
    ),
    "then Cloudflare": (
        {"OPENAI_API_KEY": "k", "CLOUDFLARE_ACCOUNT_ID": ACCOUNT, "CLOUDFLARE_API_TOKEN": "t"},
        SEA_LION,
    ),
    "Cloudflare's other name": ({"CLOUDFLARE_ACCOUNT_ID": ACCOUNT, "CLOUDFLARE_AUTH_TOKEN": "t"}, SEA_LION),
    "half of Cloudflare is none": ({"OPENAI_API_KEY": "k", "CLOUDFLARE_ACCOUNT_ID": ACCOUNT}, "gpt-4o-mini"),
    "then OpenAI": ({"OPENAI_API_KEY": "k"}, "gpt-4o-mini"),
    "OpenAI's model": ({"OPENAI_API_KEY": "k", "OPENAI_MODEL": "gpt-5"}, "gpt-5"),
    "OpenAI elsewhere": ({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://host/v1", "OPENAI_MODEL": "m"}, "m"),
}


@pytest.mark.parametrize("case", DEFAULTS)
def test_the_model_that_an_environment_means(case, monkeypatch):
    """In this order."""
    variables, expected = DEFAULTS[case]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert default_model().model == expected


def test_making_a_model_imports_no_http_library():
    """Nor a TLS context, nor a client: agents are made in microseconds."""
    code = (
        "import sys; from agentkit.models.chat_completions.model import ChatCompletions as C;"
        "C('m', base_url='http://x'); bad = {'httpx2', 'httpx', 'aiohttp', 'orjson', 'pydantic'} & set(sys.modules);"
        "sys.exit(repr(bad) if bad else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "header", [("X-Mine", "a\nb"), ("X-Mine", "a\r\nX-Evil: 1"), ("X-Mine", "ü"), ("X Mine", "a"), ("", "a")]
)
def test_a_header_that_is_not_legal_is_refused(header):
    """Where it is given; its value, which may be a key, is not shown."""
    name, value = header
    with pytest.raises(UsageError, match="is not legal") as caught:
        ChatCompletions("m", base_url="http://x", headers={name: value})
    assert "Evil" not in str(caught.value)
