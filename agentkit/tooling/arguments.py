"""A model's arguments: what stood on the wire -> a plain dict, or an error that a model can act on.

The rules, in order:

1. JSON text is read by `core/json_repair.py`. A text that was cut off is never completed.
2. Nothing (`None`, blanks, `null`) is `{}`. A text inside a text is read once more. An array, a string or a number
   where the arguments belong is refused by its name.
3. A wrapper comes off where the wrapped form cannot be meant: the tool's own name, or the call's envelope, around the
   arguments. One parameter that is an object may be sent without its name.
4. A value that its schema cannot accept is converted only if that says the same: `"3"` for an integer, `"true"` for a
   boolean, JSON text for an array or an object, a number or a boolean for the one choice that spells it (`2` for
   `"2"`). Text for a parameter that may be text is never touched.
5. An integer where plain text, but neither a number nor a boolean, is accepted is its digits: `{"zip": 12345}` can
   only mean `"12345"`, and asking again rarely helps. It has to be written as JSON writes it (`0x1f` is not `"31"`).
   A fraction (`3.10` is read as 3.1), a boolean, null and text of a `format` (a date from 20240101?) are refused.

Whether the values fit is for the validator to say (that of a function takes `1` and `"yes"` for a boolean where
nothing else is accepted); `explain.py` puts its findings into words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

from agentkit.core.json_repair import JSONError, Repaired, kind_of, repair
from agentkit.core.json_schema import branches, dereferenced, type_of
from agentkit.errors import AgentkitError
from agentkit.tooling.explain import choices_of, explain_jsonschema, explain_pydantic
from agentkit.tooling.names import resolve_name, unknown_tool

__all__ = [
    "InvalidArguments",
    "ReadArguments",
    "explain_jsonschema",
    "explain_pydantic",
    "parse_arguments",
    "read_arguments",
    "resolve_name",
    "unknown_tool",
]

CUT_OFF = "the arguments were cut off by the token limit: call again with shorter arguments"
INCOMPLETE = "the arguments are not complete, they stop in the middle: call again with all of them"


class InvalidArguments(AgentkitError, ValueError):
    """The arguments of a call cannot be used. `str()` of it is what the model is told.

    Attributes:
        problems: One line each.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True)
class ReadArguments:
    """Arguments that could be read; they are not validated yet.

    Attributes:
        arguments: By name.
        text: The same as JSON text.
        repaired: What came was anything but the text of this JSON object.
    """

    arguments: dict[str, Any]
    text: str
    repaired: bool = False


def parse_arguments(
    raw: Any, parameters: Mapping[str, Any], *, name: str | None = None, truncated: bool = False
) -> dict[str, Any]:
    """The arguments as a plain dict. See `read_arguments`.

    Raises:
        InvalidArguments: They cannot be read without guessing.
    """
    return read_arguments(raw, parameters, name=name, truncated=truncated).arguments


def read_arguments(
    raw: Any, parameters: Mapping[str, Any], *, name: str | None = None, truncated: bool = False
) -> ReadArguments:
    """The arguments, repaired where that needs no guess.

    Args:
        raw: What stood on the wire: JSON text, if all is well.
        parameters: The tool's JSON Schema.
        name: The tool's name, so that a wrapper of this name is known for one.
        truncated: The answer was cut off in these arguments: only a whole JSON object counts.

    Raises:
        InvalidArguments: They cannot be read without guessing.
    """
    text, read = _read(raw, truncated=truncated)
    try:
        exact = "number form" not in read.notes
        arguments = _fitted(_unwrapped(read.value, parameters, name), parameters, parameters, exact=exact)
    except RecursionError as error:
        raise InvalidArguments("the arguments are nested too deeply") from error
    if arguments is read.value and not read.repaired:
        return ReadArguments(arguments, text)
    return ReadArguments(arguments, json.dumps(arguments, ensure_ascii=False), repaired=True)


def _read(raw: Any, *, truncated: bool) -> tuple[str, Repaired]:
    """The text and the JSON object that it holds."""
    text = _text(raw)
    try:
        read = repair(text)
        if isinstance(read.value, str) and not truncated:
            read = Repaired(repair(read.value).value, (*read.notes, "double encoding"))
    except JSONError as error:
        if truncated:
            raise InvalidArguments(CUT_OFF) from error
        if error.reason != "empty":
            raise InvalidArguments(INCOMPLETE if error.reason == "truncated" else _fault(error, text)) from error
        read = Repaired({}, ("empty",))
    if truncated and (read.repaired or not isinstance(read.value, dict)):
        raise InvalidArguments(CUT_OFF)
    if read.value is None:
        read = Repaired({}, ("empty",))
    if not isinstance(read.value, dict):
        raise InvalidArguments(f"expected an object of arguments, got {kind_of(read.value)}")
    return text, Repaired(read.value, ("no text",)) if isinstance(raw, dict) else read


def _text(raw: Any) -> str:
    if isinstance(raw, str):
        return raw
    if isinstance(raw, bytes | bytearray):
        return raw.decode(errors="replace")
    try:
        return json.dumps(raw)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArguments("expected an object of arguments, got something that is no JSON") from error


def _fault(error: JSONError, text: str) -> str:
    """What is wrong with a text that holds no object."""
    if error.reason == "malformed" and not re.search(r"[{\[]", text):
        return "expected an object of arguments, got a string"
    return f"the arguments are not valid JSON: {error}"


# --- Wrappers ---------------------------------------------------------------------------------------------------------

_NAME_KEYS = ("name", "tool_name", "tool", "function")
_ARGUMENT_KEYS = ("arguments", "parameters", "args", "input")
_ENVELOPE = frozenset({*_NAME_KEYS, *_ARGUMENT_KEYS, "id", "type"})
_MAX_WRAPPERS = 3


def _unwrapped(value: dict[str, Any], parameters: Mapping[str, Any], name: str | None) -> dict[str, Any]:
    """The arguments without what was put around them; the very same dict if that is nothing."""
    for _ in range(_MAX_WRAPPERS):
        if not value or not _cannot_be_meant(value, parameters):
            return value
        inner = _from_envelope(value, parameters, name)
        if inner is None:
            break
        value = inner
    return _named(value, parameters)


def _cannot_be_meant(value: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool:
    """Whether the arguments, as they stand, name what the tool does not have, or lack what it needs."""
    declared = parameters.get("properties", {})
    if any(key not in value for key in parameters.get("required", ())):
        return True
    closed = parameters.get("additionalProperties", not declared) is False
    return closed and any(key not in declared for key in value)


def _from_envelope(value: dict[str, Any], parameters: Mapping[str, Any], name: str | None) -> dict[str, Any] | None:
    """What the wrapper holds; None when this is none."""
    declared = parameters.get("properties", {})
    if len(value) == 1:
        key, inner = next(iter(value.items()))
        ours = name is not None and resolve_name(key, (name,)) is not None
        inner = _object(inner) if ours or key in _ARGUMENT_KEYS else inner
        if key in declared or not isinstance(inner, dict):
            return None
        known = ours or key in _ARGUMENT_KEYS or key == "function"
        return inner if known or (name is None and _is_plausible(inner, parameters)) else None
    if not value.keys() <= _ENVELOPE:
        return None
    said = [value[key] for key in _NAME_KEYS if key in value]
    held = [key for key in _ARGUMENT_KEYS if key in value and key not in declared]
    if len(said) == 1 and isinstance(said[0], dict) and not held:
        return said[0]  # {"type": "function", "function": {...}}
    if len(held) != 1 or len(said) != 1 or not isinstance(said[0], str):
        return None
    inner = _object(value[held[0]])
    if inner is None or (name is not None and resolve_name(said[0], (name,)) is None):
        return None
    return inner if name is not None or _is_plausible(inner, parameters) else None


def _object(value: Any) -> dict[str, Any] | None:
    """The object that stands here, maybe as text or as nothing."""
    if isinstance(value, str):
        try:
            value = repair(value).value
        except JSONError as error:
            return {} if error.reason == "empty" else None
    return {} if value is None else value if isinstance(value, dict) else None


def _is_plausible(value: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool:
    """Whether these look like the arguments: no strange name, nothing missing."""
    declared = parameters.get("properties", {})
    return value.keys() <= declared.keys() and set(parameters.get("required", ())) <= value.keys()


def _named(value: dict[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a tool's only parameter under its name, if they were sent without it."""
    declared = parameters.get("properties", {})
    if len(declared) != 1 or not value or not _cannot_be_meant(value, parameters):
        return value
    name, schema = next(iter(declared.items()))
    inner = dereferenced(schema, parameters)
    if name in value or not inner.get("properties") or not _is_plausible(value, inner):
        return value
    return {name: value}


# --- Values that say the same -----------------------------------------------------------------------------------------

_NUMBER = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,300})(?:\.[0-9]{1,300})?(?:[eE][+-]?[0-9]{1,2})?")


def _fitted(value: Any, schema: Any, root: Mapping[str, Any], *, exact: bool) -> Any:
    """The value with its parts converted to the types of the schema; the very same value if that changes nothing.

    `exact`: integers were written as JSON writes them.
    """
    if not isinstance(schema, Mapping) or not schema:
        return value
    kind = type_of(value)
    if schema.get("type") == kind and kind not in ("object", "array"):
        return value
    options = branches(schema, root)
    fitting = [option for option in options if _accepts(option, value, kind)]
    if not fitting:
        converted = _converted(value, {option["type"] for option in options})
        if converted is value and isinstance(value, int | float):
            converted = _spelled(value, [dereferenced(option, root) for option in options], exact=exact)
        fits = any(_accepts(option, converted, type_of(converted)) for option in options)
        return _fitted(converted, schema, root, exact=exact) if fits else value
    if len(fitting) > 1 and kind == "object":
        fitting = [option for option in fitting if _is_meant(value, dereferenced(option, root))]
    if len(fitting) != 1:
        return value
    if kind == "object":
        return _fitted_members(value, dereferenced(fitting[0], root), root, exact=exact)
    if kind == "array":
        return _fitted_items(value, dereferenced(fitting[0], root), root, exact=exact)
    return value


def _accepts(option: Mapping[str, Any], value: Any, kind: str) -> bool:
    if option["type"] != kind and (option["type"], kind) != ("number", "integer"):
        return False
    return value in option.get("enum", (value,)) and value == option.get("const", value)


def _is_meant(value: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    """Whether an object looks like one of this schema: its names, and what stands under those that tell."""
    told = ((value[name], choices_of(each)) for name, each in schema.get("properties", {}).items() if name in value)
    return _is_plausible(value, schema) and all(member in choices for member, choices in told if choices)


def _fitted_members(
    value: dict[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any], *, exact: bool
) -> dict[str, Any]:
    declared, others = schema.get("properties", {}), schema.get("additionalProperties")
    fitted = {key: _fitted(member, declared.get(key, others), root, exact=exact) for key, member in value.items()}
    return fitted if any(fitted[key] is not member for key, member in value.items()) else value


def _fitted_items(value: list[Any], schema: Mapping[str, Any], root: Mapping[str, Any], *, exact: bool) -> list[Any]:
    first, others = schema.get("prefixItems", ()), schema.get("items")
    fitted = [
        _fitted(item, part, root, exact=exact) for item, part in zip(value, chain(first, repeat(others)), strict=False)
    ]
    return fitted if any(new is not old for new, old in zip(fitted, value, strict=True)) else value


def _converted(value: Any, kinds: set[str]) -> Any:
    """The value as one of these types, if it says the same; else the very same value."""
    if isinstance(value, float) and "integer" in kinds:
        return _whole(value)
    if not isinstance(value, str):
        return value
    word = value.strip()
    if kinds & {"integer", "number"} and _NUMBER.fullmatch(word):
        number = json.loads(word.removeprefix("+"))
        return number if isinstance(number, int) or "number" in kinds else _whole(number)
    if "boolean" in kinds and word.lower() in ("true", "false"):
        return word.lower() == "true"
    if "null" in kinds and word.lower() in ("null", "none"):
        return None
    if kinds & {"array", "object"} and word[:1] in ("{", "[", "("):
        try:
            found = repair(word).value
        except JSONError:
            return value
        return found if type_of(found) in kinds else value
    return value


def _spelled(value: float, options: Sequence[Mapping[str, Any]], *, exact: bool) -> Any:
    """The text for a number or a boolean: the one choice that says the same, or an integer's digits as plain text."""
    texts = [option for option in options if option["type"] == "string"]
    words = {word for option in texts for word in choices_of(option) if isinstance(word, str)}
    same = [word for word in words if _converted(word, {type_of(value)}) == value]
    if len(same) == 1:
        return same[0]
    plain = any(not choices_of(option) and "format" not in option for option in texts)
    numeric = any(option["type"] in ("boolean", "integer", "number") for option in options)
    return str(value) if plain and exact and not numeric and type(value) is int else value


def _whole(number: float) -> float | int:
    """The integer that it says, if no digit of that can be lost."""
    return int(number) if number.is_integer() and abs(number) < 2**53 else number
