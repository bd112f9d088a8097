"""What a docstring says of a tool and of its parameters.

Google, NumPy, reST and epytext. A docstring is prose: whatever stands in it, nothing here raises or logs.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection
from dataclasses import dataclass, field

_SECTIONED = re.compile(
    r"^[ \t]*(?:[A-Z]\w*(?: \w+)?:[ \t]*$|-{3,}[ \t]*$|[:@]\w+)",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Documented:
    """A docstring, read.

    Attributes:
        description: What the tool does.
        parameters: What each documented parameter means, by name.
    """

    description: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


def read_docstring(text: str | None, names: Collection[str]) -> Documented:
    """The description and what is said of the parameters `names`."""
    text = inspect.cleandoc(text or "")
    if not _SECTIONED.search(text):
        return Documented(text)
    import docstring_parser  # noqa: PLC0415 - 0.07 s, and most modules of tools need it once

    try:
        parsed = docstring_parser.parse(text)
    except Exception:  # noqa: BLE001
        return Documented(text)
    parameters: dict[str, str] = {}
    for parameter in parsed.params:
        for name in parameter.arg_name.split(","):
            bare = name.strip().lstrip("*")
            if bare in names and parameter.description:
                parameters[bare] = parameter.description
    return Documented((parsed.description or "").strip(), parameters)
