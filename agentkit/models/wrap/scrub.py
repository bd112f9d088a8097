"""Secrets are taken out of what is written to a file that people share.

Taken out are: the values of environment variables that are named like secrets, keys and tokens of the usual forms,
`Bearer ...`, passwords in addresses, and what stands behind a name such as `api_key` or `password`, in JSON and in
text. A text without a secret comes back as it is; doing it twice changes nothing more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from agentkit.core.messages import JSONValue

REMOVED = "[removed]"
MIN_SECRET_CHARS = 8
"""Shorter values of the environment are left: they are switches, and removing them would damage texts."""

_VARIABLE = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?)$", re.IGNORECASE)
_NAME = (
    r"(?:(?<![a-z])|(?-i:(?<=[a-z])(?=[A-Z])))(?:api[-_]?key|authorization"
    r"|(?:access|auth|refresh|id|session|bearer|api)[-_]?token|client[-_]?secret"
    r"|secret(?:[-_]?(?:access[-_]?)?key)?|private[-_]?key|pass(?:word|wd|phrase)|pwd|cookie)"
)
_NAMED = re.compile(rf"(?:{_NAME}s?|^token)$", re.IGNORECASE)
_IN_TOKENS = (
    "sk-", "k_live_", "k_test_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "hf_", "gsk_",
    "aiza", "akia", "asia", "eyj", "private key",
)  # fmt: skip
_IN_NAMES = ("api", "auth", "token", "secret", "private", "pass", "pwd", "cookie")


class Rule(NamedTuple):
    """What is taken out.

    Attributes:
        triggers: A text without any of them, in lower case, holds none: most texts are done after this.
        pattern: What to find; its first group, if it has one, stays.
    """

    triggers: tuple[str, ...]
    pattern: re.Pattern[str]


RULES = (
    Rule(
        _IN_TOKENS,
        re.compile(
            r"""()(?:
              \bsk-[\w-]{8,} | \b[rsp]k_(?:live|test)_\w{8,}
            | \bgh[pousr]_\w{20,} | \bgithub_pat_\w{20,} | \bglpat-[\w-]{16,} | \bxox[abeprs]-[\w-]{8,}
            | \bhf_\w{16,} | \bgsk_\w{16,} | \bAIza[\w-]{30,} | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b
            | \beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*
            | -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----.*?(?:-----END[ ][A-Z ]*PRIVATE[ ]KEY-----|$)
            )""",
            re.VERBOSE | re.DOTALL,
        ),
    ),
    Rule(  # with a digit: "the bearer of this letter" stays
        ("bearer",), re.compile(r"(\bbearer\s+)(?=[^\s\"']*\d)[\w.~+/=-]{6,}", re.IGNORECASE)
    ),
    Rule(  # as a whole name only: there are tokens of many kinds
        ("token",), re.compile(r"""((?:\\?["']token\\?["']\s*:\s*\\?["']|[?&]token=))[^\s"'&\\]+""", re.IGNORECASE)
    ),
    Rule(("@",), re.compile(r"(\w://[^\s/:@\"']*:)[^\s/@\"']+(?=@)")),
    Rule(_IN_NAMES, re.compile(rf"({_NAME}\\?[\"']\s*[:=]\s*\\?[\"'])[^\"'\\]+", re.IGNORECASE)),
    Rule(_IN_NAMES, re.compile(rf"({_NAME}\s*[:=]\s*(?:(?:bearer|basic)\s+)?+)[^\s\"'&,;{{}}\[\]\\]+", re.IGNORECASE)),
)
"""In the order in which they are applied."""


def secrets_of(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The values of the variables that are named like secrets, as they are and as in JSON, longest first."""
    values = {value for name, value in environment.items() if _VARIABLE.search(name) and len(value) >= MIN_SECRET_CHARS}
    values |= {json.dumps(value)[1:-1] for value in values}
    return tuple(sorted(values, key=lambda value: (-len(value), value)))


def without_secrets(value: Any, secrets: tuple[str, ...]) -> JSONValue:
    """The JSON value with each secret in it replaced."""
    match value:
        case str():
            return _cleaned(value, secrets)
        case Mapping():
            return {key: _behind_name(key, item, secrets) for key, item in value.items()}
        case list() | tuple():
            return [without_secrets(item, secrets) for item in value]
        case _:
            return value


def _behind_name(name: str, value: Any, secrets: tuple[str, ...]) -> JSONValue:
    if isinstance(value, str | list | tuple) and value and _NAMED.search(name):
        return REMOVED
    return without_secrets(value, secrets)


def _cleaned(text: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        text = text.replace(secret, REMOVED)
    lowered = text.lower()
    for rule in RULES:
        if any(trigger in lowered for trigger in rule.triggers):
            text = rule.pattern.sub(rf"\1{REMOVED}", text)
    return text
