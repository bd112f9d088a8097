"""DeepSeek V3, R1 and V3.1, and Step 3: special tokens around each call and around all of them.

    <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{"city": "Oslo"}<｜tool▁call▁end｜>
    <｜tool▁calls▁end｜>

V3 and R1 write `function<｜tool▁sep｜>get_weather` and put the arguments in a code fence; Step 3 puts an element there.
Proxies turn the full-width bars into ASCII ones and the block underscores into `_` or blanks.
"""

from __future__ import annotations

from agentkit.models.dialects.dialect import Dialect, Family, enclosed, joined
from agentkit.models.dialects.invoke import STEP_TAGS
from agentkit.models.dialects.source import Found, Source, dump
from agentkit.models.dialects.xml import element, written


def _spellings(words: str) -> tuple[str, ...]:
    return tuple(f"<{bar}{words.replace(' ', blank)}{bar}>" for bar in "｜|" for blank in "▁_ ")


_CALLS_BEGIN, _CALLS_END = _spellings("tool calls begin"), _spellings("tool calls end")
_CALL_BEGIN, _CALL_END = _spellings("tool call begin"), _spellings("tool call end")
_SEP = _spellings("tool sep")
_ELEMENT = "<steptml:"

_step_element = element(STEP_TAGS)


def _call(src: Source) -> None:
    """Read one call after its opening marker, closing marker included."""
    src.space()
    word = "" if src.sees(_ELEMENT) else _name(src)
    _arguments(src, word) if word else _step_element(src)
    src.space()
    src.take(*_CALL_END)


def _name(src: Source) -> str:
    """Move past the name, which may stand after the word "function"; "" where an element says it."""
    word = src.word()
    src.space()
    if not word or not src.take(*_SEP):
        raise src.prose()
    src.space()
    if not any(map(src.sees, ("{", "```", _ELEMENT))):
        word = src.word()
        src.space()
    return "" if src.sees(_ELEMENT) else word


def _arguments(src: Source, word: str) -> None:
    spec = src.tools.get(word)
    fenced = src.take("```")
    if fenced:
        src.word()
        src.space()
    arguments = src.arguments()
    src.space()
    if fenced:
        src.need("```")
    src.keep(spec, arguments)


def _item(src: Source) -> None:
    if src.take(*_SEP):  # Step puts it between calls, too
        src.space()
    if not src.take(*_CALL_BEGIN):
        raise src.prose()
    _call(src)


def _stripped(src: Source) -> None:
    """Read calls of V3 whose special tokens are gone."""
    while src.take("function"):
        name = src.word()
        src.space()
        _arguments(src, name)
        src.space()
    if not src.calls:
        raise src.prose()


def _stripped_element(src: Source) -> None:
    """Read a call of Step whose special tokens are gone."""
    src.take("function")
    _step_element(src)


def _written(call: Found) -> str:
    return f"<｜tool▁call▁begin｜>{call.name}<｜tool▁sep｜>{dump(call.arguments)}<｜tool▁call▁end｜>"


def _written_v3(call: Found) -> str:
    arguments = f"```json\n{dump(call.arguments)}\n```"
    return f"<｜tool▁call▁begin｜>function<｜tool▁sep｜>{call.name}\n{arguments}<｜tool▁call▁end｜>"


def _written_step(call: Found) -> str:
    return f"<｜tool_call_begin｜>function<｜tool_sep｜>{written(call, STEP_TAGS)}<｜tool_call_end｜>"


_DIALECTS = (
    Dialect(
        label="deepseek",
        openers=_CALLS_BEGIN,
        closers=(*_CALL_END, *_CALLS_END),
        read=enclosed(_item, *_CALLS_END),
    ),
    Dialect(label="deepseek", openers=_CALL_BEGIN, closers=(*_CALL_END, *_CALLS_END), read=_call),
    Dialect(
        label="deepseek",
        openers=tuple(f"{word}{_ELEMENT}invoke name=" for word in ("function", "")),
        at_opener=True,
        doubtful=True,
        read=_stripped_element,
    ),
    Dialect(label="deepseek", whole=True, read=_stripped),
)

DEEPSEEK = Family(
    name="deepseek",
    models=("deepseek-v3.1", "deepseek"),
    dialects=_DIALECTS,
    write=joined(_written, "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"),
)

DEEPSEEK_V3 = Family(
    name="deepseek-v3",
    models=("deepseek-v3", "deepseek-r1"),
    dialects=_DIALECTS,
    write=joined(_written_v3, "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", between="\n"),
)

STEP = Family(
    name="step",
    models=("step-3", "step3"),
    dialects=_DIALECTS,
    write=joined(_written_step, "<｜tool_calls_begin｜>", "<｜tool_calls_end｜>"),
)
