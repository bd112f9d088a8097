"""The tools of a request as its wire shows them, and the way back from what the model then calls."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agentkit.core.messages import ToolCall, ToolSpec
from agentkit.core.schema_wires import rewrite, tool_entry
from agentkit.models import json_bytes
from agentkit.models.chat_completions.profiles import Profile

MAX_NAME_CHARS = 64
"""OpenAI's limit for the name of a function; its letters are `[a-zA-Z0-9_-]`."""

_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """Tools on a wire.

    Attributes:
        entries: The `tools` array, encoded; empty if there are none.
        wire_names: Our name of each tool -> its name on the wire.
        names: The name on the wire -> our name.
        restores: Our name -> what turns arguments (JSON text) of the wire's schema into those of the tool's own.
    """

    entries: bytes = b""
    wire_names: Mapping[str, str]
    names: Mapping[str, str]
    restores: Mapping[str, Callable[[str], str]]

    @property
    def renamed(self) -> bool:
        """Whether a tool has another name on the wire."""
        return self.names.keys() != self.wire_names.keys()

    def named(self, call: ToolCall) -> ToolCall:
        """The call with our name of its tool."""
        name = self.names.get(call.name, call.name)
        return call if name == call.name else replace(call, name=name)

    def ours(self, call: ToolCall) -> ToolCall:
        """A call as the model wrote it, with our name and the arguments that our schema means."""
        call = self.named(call)
        restore = None if call.truncated else self.restores.get(call.name)
        return call if restore is None else replace(call, arguments=restore(call.arguments))


NO_TOOLS = Offered(wire_names={}, names={}, restores={})


def offer(specs: Sequence[ToolSpec], profile: Profile) -> Offered:
    """The tools as the profile's wire declares them."""
    entries: list[dict[str, Any]] = []
    wire_names: dict[str, str] = {}
    restores: dict[str, Callable[[str], str]] = {}
    for spec in specs:
        name = wire_names[spec.name] = wire_name(spec.name, taken=wire_names.values())
        wire = "nested" if profile.tools == "strict" and spec.strict is False else profile.tools
        rewritten = rewrite(spec.parameters, wire)
        entries.append(tool_entry(replace(spec, name=name), wire, rewritten))
        if rewritten.restore.plan is not None:
            restores[spec.name] = rewritten.restore_text
    return Offered(
        entries=json_bytes.dumps(entries),
        wire_names=wire_names,
        names={wire: ours for ours, wire in wire_names.items()},
        restores=restores,
    )


def wire_name(name: str, taken: Collection[str] = ()) -> str:
    """A legal name that is as near to this one as can be, and none of those taken."""
    legal = _ILLEGAL.sub("_", name)[:MAX_NAME_CHARS] or "unnamed"
    unique, number = legal, 2
    while unique in taken:
        suffix = f"_{number}"
        unique, number = legal[: MAX_NAME_CHARS - len(suffix)] + suffix, number + 1
    return unique
