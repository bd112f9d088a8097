"""gpt-oss: harmony messages, each with a header that says to whom it speaks.

    <|channel|>analysis<|message|>...<|end|><|start|>assistant<|channel|>commentary to=functions.get_weather
    <|constrain|>json<|message|>{"city": "Oslo"}<|call|>

`analysis` is reasoning, `final` and `commentary` are for the user, and a message `to=` a function is a call, on
whatever channel. The recipient may stand in the role part. Servers that delete special tokens leave
`commentary to=functions.get_weather json{...}`, and `analysis...assistantfinal...` of a whole answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentkit.models.dialects.dialect import Dialect, Family
from agentkit.models.dialects.reasoning import HARMONY_ANALYSIS
from agentkit.models.dialects.source import CutOff, Found, NoCall, Source, dump
from agentkit.models.dialects.tools import takes_nothing

MAX_HEADER = 200
"""Characters of one message header."""

ENDS = ("<|end|>", "<|call|>", "<|return|>")
"""What closes a message."""

_MESSAGE = "<|message|>"
_TOKENS = ("<|constrain|>", "<|channel|>", "<|start|>", _MESSAGE)
_ROLES, _CHANNELS = ("", "assistant"), ("commentary", "analysis")
_HEADER = re.compile(r"(?:[\w\s.:=/-]|<\|(?:start|channel|constrain)\|>)*+")
_RECIPIENT = re.compile(r"\bto=([\w.:/-]+)")
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)")
_GLUED = re.compile(r"(?:commentary|analysis)?(?:json|code)?$")
"""What sticks to a recipient when the tokens between them are gone."""
_BUILT_IN = re.compile(r"(?:python|browser\.\w+|container\.\w+)")


def _message(src: Source) -> None:
    """Read a header from its first token on, and the body where it is a call."""
    header = _header(src)
    recipient = _RECIPIENT.search(header)
    if recipient is None or recipient[1] == "assistant":
        src.silent = True
        if (_CHANNEL.findall(header) or [""])[-1] == "analysis":
            src.opens = HARMONY_ANALYSIS
    elif src.tools.get(recipient[1]) is None and _BUILT_IN.fullmatch(recipient[1]):
        src.silent = True
        _skip_body(src)
    else:
        _call(src, recipient[1])


def _header(src: Source) -> str:
    """Move past `<|message|>` and return what stands before it."""
    start = src.at
    src.at = _HEADER.match(src.text, start, start + MAX_HEADER).end()  # type: ignore[union-attr]  # matches always
    if src.take(_MESSAGE):
        return src.text[start : src.at - len(_MESSAGE)]
    rest = src.text[src.at : src.at + len(_TOKENS[0])]
    if any(token.startswith(rest) for token in _TOKENS if token != rest):
        src.settle()
        raise CutOff
    raise src.prose()


def _call(src: Source, recipient: str) -> None:
    """Read the body of a message to a function; a body that is no call stays text to its end."""
    body = src.at
    src.space()
    spec = src.tools.get(recipient)
    if spec and takes_nothing(spec) and any(map(src.sees, ENDS)):
        src.calls.append(Found(spec.name, {}))
        return
    try:
        arguments = src.arguments()
    except NoCall:
        arguments = None
    if spec is None or arguments is None:
        src.at = body
        _skip_body(src)
        raise src.no_call(end=src.at)
    src.calls.append(Found(spec.name, arguments))


def _skip_body(src: Source) -> None:
    if not src.skip_past(*ENDS):
        src.at = len(src.text)


def _bare(src: Source) -> None:
    """Read calls whose special tokens, or whose first ones, are gone."""
    if _thought(src) and not src.sees("to="):
        return
    while True:
        if src.take("assistant"):
            src.space()
        if src.take("commentary", "analysis"):
            src.space()
        if not src.take("to="):
            break
        word = src.word()
        spec = src.tools.get(word) or src.tools.get(_GLUED.sub("", word))
        while src.take(" ", "json", "code", "commentary", "analysis", "<|channel|>", "<|constrain|>", _MESSAGE):
            pass
        if spec is None or not src.sees("{"):
            raise CutOff if src.ended() else src.prose()
        src.calls.append(Found(spec.name, src.arguments()))
        src.space()
        src.take(*ENDS)
    if not src.calls and not src.silent:
        raise src.prose()


def _thought(src: Source) -> bool:
    """Move past a thought that lost its tokens, up to what follows the next channel's name; whether there is one."""
    before = src.at
    if not src.take("analysis"):
        return False
    start = src.at
    goes_on = not src.ended() and src.text[start].isalnum()
    closer = src.skip_past("assistantcommentary", "assistantfinal") if goes_on else ""
    if not closer:
        src.at = before
        return False
    src.thought = src.text[start : src.at - len(closer)]
    src.silent = True
    src.space()
    return True


def _write(calls: Sequence[Found]) -> str:
    return "<|start|>assistant".join(
        f"<|channel|>commentary to=functions.{call.name} <|constrain|>json<|message|>{dump(call.arguments)}<|call|>"
        for call in calls
    )


HARMONY = Family(
    name="harmony",
    models=("gpt-oss",),
    dialects=(
        Dialect(label="harmony", openers=("<|start|>", "<|channel|>"), at_opener=True, closers=ENDS, read=_message),
        Dialect(label="harmony", closers=ENDS, read=_bare),
        Dialect(
            label="harmony",
            openers=(
                "assistant to=functions.",
                *(f"{role}{channel} to=functions." for role in _ROLES for channel in _CHANNELS),
            ),
            at_opener=True,
            closers=ENDS,
            read=_bare,
        ),
    ),
    write=_write,
)
