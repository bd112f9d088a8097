"""What the embedded model is shown: it has no idea of tools, so everything is a list of worked cases to go on with.

The texts decide how well a tiny model does. None of them is a question of a probe.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from agentkit.core.messages import ToolSpec

SMALL_TALK = (
    "Hi there!",
    "Hey, good to see you.",
    "Many thanks.",
    "That is all for now.",
    "Are you a robot?",
    "Tell me a story.",
    "Write a few lines about the rain.",
)
"""Requests that are for no tool."""

_STRANGERS = (
    (
        "book_table(restaurant, people) - Book a table in a restaurant.",
        "Book a table for 4 at Luigi's.",
        {"restaurant": "Luigi's", "people": 4},
    ),
    ("play_song(title) - Play a song.", "Play Yellow Submarine please.", {"title": "Yellow Submarine"}),
    (
        "stock_price(company, currency) - Get the price of a share.",
        "What is a Siemens share worth in francs?",
        {"company": "Siemens", "currency": "francs"},
    ),
)
"""Calls of other tools, for a tool that has no examples of its own."""

_ANSWERS = (
    ("How deep is Lake Baikal?", "1642 metres", "Lake Baikal is 1642 metres deep."),
    ("What is 7 + 12?", "19", "7 + 12 is 19."),
    ("What time is it in Dublin?", "09:05", "It is 09:05 in Dublin."),
    ("Convert 2 gallons to litres.", "7.57 litres", "2 gallons is 7.57 litres."),
)


def requests_for(spec: ToolSpec | None) -> str:
    """A list of requests for a tool, or for none, to be continued by another one."""
    if spec is None:
        name, description, shown = "none", "Greetings, thanks and small talk.", list(SMALL_TALK)
    else:
        name, description = spec.name, one_line(spec.description)
        shown = [one_line(request) for request, _ in spec.examples] or [description]
    lines = "".join(f"Request: {request}\n" for request in shown)
    return f"What people ask the tool {name} for ({description})\n{lines}Request:"


def call_of(spec: ToolSpec, examples: Iterable[tuple[str, Mapping[str, Any]]], request: str) -> str:
    """Calls of the tool, to be continued by the arguments for the request."""
    cases = "".join(f"{_case(asked, values)}\n\n" for asked, values in examples)
    if cases:
        return f"Calls of the tool {_signature(spec)}\n\n{cases}{_case(request)}"
    cases = "".join(f"Tool: {signature}\n{_case(asked, values)}\n\n" for signature, asked, values in _STRANGERS)
    return f"Calls of several tools.\n\n{cases}Tool: {_signature(spec)}\n{_case(request)}"


def _case(request: str, values: Mapping[str, Any] | None = None) -> str:
    given = "" if values is None else f" {json.dumps(values, ensure_ascii=False)}"
    return f"Request: {one_line(request)}\nArguments:{given}"


def _signature(spec: ToolSpec) -> str:
    return f"{spec.name}({', '.join(spec.parameters.get('properties') or {})}) - {one_line(spec.description)}"


def answer_to(request: str, result: str) -> str:
    """Questions with results and answers, to be continued by the answer to the request."""
    cases = "".join(f"Question: {q}\nResult: {r}\nAnswer: {a}\n\n" for q, r, a in _ANSWERS)
    return f"Questions, what was found, and answers.\n\n{cases}Question: {one_line(request)}\nResult: {result}\nAnswer:"


def one_line(text: str) -> str:
    """The text on one line, for a list in which a line is a case."""
    return " ".join(text.split())
