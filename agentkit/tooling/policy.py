"""What `@tool(...)` takes, and what it refuses: a mistake is told where it is made."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypedDict

from agentkit.errors import UsageError
from agentkit.tooling.callables import is_async
from agentkit.tooling.definition import Prepare, Spill

Example: TypeAlias = tuple[str, Mapping[str, Any]]
"""A user's words and the arguments that answer them."""


class Policy(TypedDict, total=False):
    """What `Tool.from_schema` takes beside the schema; see `ToolDefinition` and `ToolSpec` for what each means."""

    examples: Sequence[Example]
    strict: bool | None
    timeout_s: float | None
    retries: int
    idempotent: bool
    requires_approval: bool | Callable[[dict[str, Any]], bool]
    sequential: bool
    max_output_chars: int | None
    spill: Spill | None
    max_calls: int | None
    prepare: Prepare | None


class ToolOptions(Policy, total=False):
    """What `@tool(...)` takes."""

    name: str
    description: str


_LEGAL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_duration(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


def _is_plain(value: Any) -> bool:
    return callable(value) and not is_async(value)


_RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "timeout_s": (lambda value: value is None or _is_duration(value), "a number of seconds above 0, or None"),
    "retries": (lambda value: _is_count(value, 0), "a whole number from 0"),
    "requires_approval": (lambda value: isinstance(value, bool) or _is_plain(value), "a boolean or a plain function"),
    "max_output_chars": (lambda value: value is None or _is_count(value, 1), "a whole number from 1, or None"),
    "max_calls": (lambda value: value is None or _is_count(value, 1), "a whole number from 1, or None"),
    "spill": (lambda value: value is None or _is_plain(value), "a function, such as SpillFolder(path).keep, or None"),
    "prepare": (lambda value: value is None or _is_plain(value), "a function (not async), or None"),
    "strict": (lambda value: value is None or isinstance(value, bool), "True, False or None"),
    "description": (lambda value: isinstance(value, str), "text"),
    "idempotent": (lambda value: isinstance(value, bool), "True or False"),
    "sequential": (lambda value: isinstance(value, bool), "True or False"),
}


def check_name(name: str) -> None:
    """Refuse a name that servers do not take.

    Raises:
        UsageError: Letters, digits, `_` and `-`, at most 64, are all there is.
    """
    if not isinstance(name, str) or not _LEGAL_NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a tool's name (letters, digits, _ and -, at most 64): give one, @tool(name=...)"
        )


def check_policy(tool: str, policy: Mapping[str, Any]) -> None:
    """Refuse what is no option, or a value that it cannot have.

    Raises:
        UsageError: The message names the option.
    """
    for name, value in policy.items():
        if name not in _RULES:
            options = ", ".join(sorted({*ToolOptions.__annotations__}))
            raise UsageError(f"tool {tool!r}: there is no option {name!r}; there are: {options}")
        holds, wanted = _RULES[name]
        if not holds(value):
            raise UsageError(f"tool {tool!r}: {name}={value!r} is not {wanted}")


def check_examples(tool: str, examples: Sequence[Example], parameters: Mapping[str, Any]) -> tuple[Example, ...]:
    """The examples, each a pair of words and arguments that the tool has.

    Raises:
        UsageError: One is not.
    """
    known = parameters.get("properties", {})
    for example in examples:
        match example:
            case (str(), Mapping() as arguments) if (
                parameters.get("additionalProperties", True) or arguments.keys() <= known.keys()
            ):
                continue
        raise UsageError(
            f"tool {tool!r}: the example {example!r} is no pair of a user's words and the arguments that answer them "
            f"(a dict with these keys: {', '.join(known)})"
        )
    return tuple(examples)
