"""The two schemas of the model page, and whether a body fits: in Cloudflare's words where it does not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from agentkit.core.json_schema import type_of

CHAT, TEXT, STREAM, ASYNC = "Chat Completion Response", "Text Completion Response", "Event stream", "Async response"
BRANCHES = (CHAT, TEXT, STREAM, ASYNC)
"""The branches of the output schema, in its order. All of it at once cannot hold: its last branch requires nothing."""


@cache
def schema(name: str) -> Mapping[str, Any]:
    """The `input` or the `output` schema."""
    text = (resources.files("agentkit.testing") / "data" / f"workers_ai.{name}.schema.json").read_text(encoding="utf-8")
    loaded: Mapping[str, Any] = json.loads(text)
    return loaded


def fault_of_input(body: Any) -> str | None:
    """What is wrong with an inference body, as the server says it; None if it fits."""
    errors = sorted(_validator("input").iter_errors(body), key=lambda error: len(error.absolute_path))
    if not errors:
        return None
    found = list(dict.fromkeys(_words(errors[0])))[:12]
    return f"AiError: Bad input: Error: oneOf at '/' not met, 0 matches: {', '.join(found)}"


def fault_of_output(answer: Any, branch: str) -> str | None:
    """What is wrong with an answer (without its envelope) by one branch of the output schema; None if it fits."""
    errors = [error.message for error in _validator(branch).iter_errors(answer)]
    return "; ".join(errors) or None


@cache
def _validator(name: str) -> Any:
    import jsonschema  # noqa: PLC0415 - heavy, and only tests validate

    wanted = schema("input") if name == "input" else schema("output")["oneOf"][BRANCHES.index(name)]
    return jsonschema.Draft202012Validator(wanted)


def _words(error: Any) -> Iterator[str]:
    """An error and what it consists of, in Cloudflare's words."""
    place = "/" + "/".join(map(str, error.absolute_path))
    match error.validator:
        case "oneOf" | "anyOf":
            for inner in error.context:
                yield from _words(inner)
        case "required":
            missing = [name for name in error.validator_value if name not in error.instance]
            yield f"required properties at '{place}' are '{','.join(missing)}'"
        case "type":
            yield f"Type mismatch of '{place}', '{type_of(error.instance)}' not in '{_said(error.validator_value)}'"
        case _:
            yield f"{error.validator} of '{place}' not met: {error.message}"


def _said(types: Any) -> str:
    return types if isinstance(types, str) else ",".join(types)
