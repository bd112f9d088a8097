"""The containers in which models write their thoughts.

The template of many models writes the opening marker into the prompt, so an answer may begin inside a thought: whatever
stands before a lone closing marker is a thought too.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Thought:
    """How a thought is marked.

    Attributes:
        openers: What opens it.
        closers: What closes it.
        stops: What ends it too, but belongs to what follows.
        lone: Its closing marker, met alone, makes a thought of everything before it.
        at_start: It opens only at the start of a message.
    """

    openers: tuple[str, ...]
    closers: tuple[str, ...]
    stops: tuple[str, ...] = ()
    lone: bool = True
    at_start: bool = False


def _tag(name: str) -> Thought:
    return Thought(openers=(f"<{name}>",), closers=(f"</{name}>",))


HARMONY_ANALYSIS = Thought(
    openers=(),
    closers=("<|end|>",),
    stops=(
        "<|start|>assistant",
        "<|channel|>final<|message|>",
        "<|channel|>commentary<|message|>",
        "<|channel|>commentary to=",
    ),
    lone=False,
)

THOUGHTS = (
    *map(_tag, ("think", "thinking", "thought", "reasoning", "reflection", "seed:think", "longcat_think")),
    Thought(openers=("[THINK]",), closers=("[/THINK]",)),
    Thought(openers=("◁think▷",), closers=("◁/think▷",)),
    Thought(openers=("<|inner_prefix|>",), closers=("<|inner_suffix|>",)),
    Thought(openers=("<|channel>thought",), closers=("<channel|>",)),
    Thought(openers=("<|START_THINKING|>",), closers=("<|END_THINKING|>",)),
    Thought(openers=("<|open|>think<|sep|>",), closers=("<|close|>think<|sep|>",)),
    Thought(
        openers=("Here is my thought process:", "Here's my thought process:"),
        closers=("Here is my response:", "Here's my response:"),
        lone=False,
        at_start=True,
    ),
)

ANY = Thought(
    openers=(),
    closers=tuple(closer for thought in THOUGHTS if thought.lone for closer in thought.closers),
    stops=("<|open|>response<|sep|>", "<|START_RESPONSE|>"),
)
"""A thought whose opening marker stands in the prompt."""

ELEMENTS = {"<answer>": "</answer>", "<response>": "</response>"}
"""Elements that hold the answer after a thought: Hunyuan A13B, Ernie 4.5."""

MARKUP = (
    "<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|START_TEXT|>", "<|END_TEXT|>", "<|begin_of_box|>", "<|end_of_box|>",
    "<|open|>response<|sep|>", "<|close|>response<|sep|>", "<|close|>message<|sep|>",
    '<|open|>message role="assistant"<|sep|>', "<|from|>assistant", "<|im_start|>assistant",
    "<|start_header_id|>assistant<|end_header_id|>",
    "<|recipient|>all\n<|content|>", "<|recipient|> all\n<|content|>", ">>>all\n",
)  # fmt: skip
"""Marks around the answer that are never for the user."""

STOPS = (
    "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|eot|>", "<|eom|>", "<|end_of_text|>", "</s>",
    "<|call|>", "<|end|>", "<|return|>", "<|stop|>", "<｜end▁of▁sentence｜>", "<|END_OF_TURN_TOKEN|>", "<end_of_turn>",
    "<start_function_response>", "<turn|>", "<|end_of_msg|>", "<|user|>", "<|observation|>", "<|tool_response>",
    "<|message_sep|>", "<seed:eos>", "<|eos|>", "[e~[",
)  # fmt: skip
"""Tokens that end an answer: dropped where they end it, or stand before a call or a thought."""

_QUOTING = (
    "tool_response", "tool_result", "function_results", "function_response", "tools", "document", "documents",
)  # fmt: skip
QUOTES = {
    **{f"<{name}>": f"</{name}>" for name in _QUOTING},
    "[TOOL_RESULTS]": "[/TOOL_RESULTS]",
    "[AVAILABLE_TOOLS]": "[/AVAILABLE_TOOLS]",
}
"""Elements that quote: what stands in them is text, whatever it looks like."""
