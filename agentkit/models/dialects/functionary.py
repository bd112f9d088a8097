r"""Functionary: the recipient of each part of a message stands before it.

    >>>all
    Let me see.
    >>>get_weather
    {"city": "Oslo"}

The first `>>>` stands in the prompt, so a message may begin with the recipient. Version 2 writes
`<|from|>assistant\n<|recipient|>get_weather\n<|content|>{"city": "Oslo"}`.
"""

from __future__ import annotations

from agentkit.models.dialects.dialect import Dialect, Family, joined
from agentkit.models.dialects.source import Source, dump


def _recipient(src: Source) -> None:
    """Read a name and its arguments on the next line."""
    src.take(" ")
    spec = src.tools.get(src.word())
    if spec is None or not (src.take("\n") or src.sees("{")):
        raise src.prose()
    src.take("<|content|>")
    src.space()
    src.keep(spec, src.arguments())


def _first(src: Source) -> None:
    """Read the recipient at the start of a message: a tool of version 2, or `all` where another recipient follows."""
    if src.take("all\n"):
        at = src.at
        if not src.take("<|content|>"):
            if not src.skip_past(">>>"):
                raise src.prose()
            src.at = at
        src.silent = True
        return
    if src.names_no_tool():
        raise src.prose()
    spec = src.tools.get(src.word())
    if not src.take("\n") or not src.take("<|content|>"):
        raise src.prose()
    src.space()
    src.keep(spec, src.arguments())


FUNCTIONARY = Family(
    name="functionary",
    models=("functionary",),
    dialects=(
        Dialect(label="functionary", openers=(">>>", "<|recipient|>"), read=_recipient),
        Dialect(label="functionary", read=_first),
    ),
    write=joined(lambda call: f">>>{call.name}\n{dump(call.arguments)}", between="\n"),
)
