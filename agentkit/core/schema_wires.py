"""A tool's schema as a wire wants it, and the way back.

    nested      the OpenAI form, the schema as it is
    flat        {"name", "description", "parameters"}, the schema as it is
    strict      OpenAI's strict mode (`schema_strict.py`)
    workers_ai  Cloudflare: every property has a `type` (a string) and a `description` (`schema_typed.py`)

Nothing may be lost on the way. Where a wire cannot say something, the description does; where a wire changes how a
value is written, `Rewritten.restore` changes it back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from agentkit.core.json_repair import JSONError, repair_object
from agentkit.core.json_schema import clean
from agentkit.core.messages import ToolSpec
from agentkit.core.schema_inverse import Inverse
from agentkit.core.schema_strict import Lossy, strict_schema
from agentkit.core.schema_typed import typed_schema

Wire: TypeAlias = Literal["nested", "flat", "strict", "workers_ai"]


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A tool's parameters for one wire.

    Attributes:
        parameters: The schema to send.
        strict: The wire may be asked for arguments that fit exactly.
        restore: From the arguments that a model wrote for this schema to those of the tool's own schema.
    """

    parameters: dict[str, Any]
    strict: bool = False
    restore: Inverse = field(default_factory=Inverse)

    def restore_text(self, text: str) -> str:
        """The same for JSON text, mended if need be. Text that holds no object stays as it is: it is refused later.

        Not for a text that is known to be cut off, which must stay recognisable as such.
        """
        if self.restore.plan is None:
            return text
        try:
            return json.dumps(self.restore(repair_object(text).value), ensure_ascii=False)
        except (JSONError, RecursionError):
            return text


def rewrite(parameters: Mapping[str, Any], wire: Wire) -> Rewritten:
    """The parameters as this wire wants them.

    Args:
        parameters: A tool's JSON Schema; its root is an object. It is not changed.
        wire: The name of the wire.
    """
    plain = {"properties": {}, **clean(parameters), "type": "object"}
    plain.pop("$ref", None)  # one that leads nowhere
    if wire == "workers_ai":
        written, restore = typed_schema(plain)
        return Rewritten(written, restore=restore)
    if wire == "strict":
        try:
            written, restore = strict_schema(plain)
        except Lossy:
            return Rewritten(plain)
        return Rewritten(written, strict=True, restore=restore)
    return Rewritten(plain)


def tool_entry(spec: ToolSpec, wire: Wire, rewritten: Rewritten | None = None) -> dict[str, Any]:
    """One entry of the `tools` array.

    Args:
        spec: The tool.
        wire: The name of the wire.
        rewritten: What `rewrite` made of the parameters, if that is at hand.
    """
    if wire == "strict" and spec.strict is False:
        wire, rewritten = "nested", None
    rewritten = rewritten or rewrite(spec.parameters, wire)
    function = {"name": spec.name, "description": spec.description, "parameters": rewritten.parameters}
    if wire == "flat":
        return function
    return {"type": "function", "function": {**function, "strict": True} if rewritten.strict else function}
