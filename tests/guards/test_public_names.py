"""The front door: about forty names, pinned; and what `import agentkit` must not drag in."""

from __future__ import annotations

import subprocess
import sys

import agentkit
import agentkit.models
import agentkit.stores

FRONT_DOOR = """
    NO_LIMITS Agent AgentkitError Assistant AuthFailed Conflict ContextTooLong Decision Event Limits MalformedResponse
    Model ModelError ModelNotFound NativeOutput PromptedOutput QuotaExhausted RateLimited RequestRefused Result Retry RunStopped Settings StoreError
    System Tool ToolCall ToolContext ToolFailed ToolOutput ToolResult ToolSpec Unavailable Usage UsageError User only
    prefix rename tool
""".split()  # noqa: SIM905 - a table of names

MODELS = """
    Cached ChatCompletions Fallback Local Model OutputSchema Prompted RateLimited Recorded Recovering Request Retrying
    Scripted WorkersAI call
""".split()  # noqa: SIM905 - as above

STORES = "Memory SQLite SessionLog Store".split()  # noqa: SIM905 - as above


def test_the_front_door_is_pinned():
    """A new name is a decision; an old one is a promise."""
    assert sorted(agentkit.__all__) == sorted(FRONT_DOOR)
    assert all(hasattr(agentkit, name) for name in FRONT_DOOR)
    assert len(FRONT_DOOR) <= 45


def test_the_models_and_stores_rooms_are_pinned():
    """What may be imported from `agentkit.models` and `agentkit.stores`."""
    assert sorted(agentkit.models.__all__) == sorted(MODELS)
    assert sorted(agentkit.stores.__all__) == sorted(STORES)


def test_importing_agentkit_imports_nothing_heavy_and_opens_nothing():
    """Optional and heavy packages wait until they are used."""
    code = """
        import sys, socket
        socket.socket.connect = None
        import agentkit
        heavy = {"pydantic", "httpx2", "httpx", "jsonschema", "docstring_parser", "xllamacpp", "aiohttp", "orjson",
                 "ddgs", "trio", "agentkit_tools"}
        print(sorted(heavy & set(sys.modules)))
    """
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "\n".join(line.strip() for line in code.replace("\n                 ", " ").splitlines()),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
