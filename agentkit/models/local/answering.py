"""How a tiny model answers with what a tool gave: without a chance to get the value wrong.

* A short value is put into a sentence: the model may use pieces of the question around it, and a few verbs. The value
  stands there as the tool gave it.
* A result that is a sentence itself is its own answer. Of a long one, the passage after which the question is the
  likeliest is chosen.
* A failure is told as it is. Asked to explain one, such a model makes up a result.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from agentkit.core.messages import ToolResult
from agentkit.models import grammar
from agentkit.models.local import prompts
from agentkit.models.local.calling import Desk
from agentkit.models.local.words import Words

SENTENCE_WORDS = 3
MAX_RESULT_CHARS = 400
MAX_PASSAGES = 12
MAX_ANSWER_TOKENS = 200
MAX_PIECES = 600
_WORD = re.compile(r"[^\W\d_]{2,}")
_VERBS = '(" is " | " are " | " was " | " has " | " costs ")'
_PREPOSITIONS = '(" in " | " for ")'
_JOINING = re.compile(r"[\w.,!?;:'’\"]")
"""What may stand next to a piece of the question: anything else (an operator, a bracket) would be torn from it."""


async def answer(desk: Desk, question: str, result: ToolResult, **sampling: Any) -> str:
    """A sentence for the user."""
    given = _flat(result.content)
    if result.is_error:
        return f"{result.name} failed: {given}"
    if not given:
        return f"{result.name} gave nothing."
    if _is_sentence(given) or len(given) > MAX_RESULT_CHARS:
        return await _passage(desk, question, result.content)
    rules = _sentence(Words.of(prompts.one_line(question)), given.rstrip("."))
    body = {"max_tokens": MAX_ANSWER_TOKENS, **sampling}
    return (await desk.complete(prompts.answer_to(question, given), grammar=rules, **body)).text.strip()


def _is_sentence(text: str) -> bool:
    """Whether there are words in it that are no names: a verb is likely among them."""
    return sum(not word[0].isupper() for word in _WORD.findall(text)) >= SENTENCE_WORDS


def _flat(content: str) -> str:
    """A result on one line, JSON without its marks."""
    try:
        value = json.loads(content)
    except ValueError:
        return prompts.one_line(content)
    match value:
        case Mapping():
            return ", ".join(f"{name} {_flat(json.dumps(part, ensure_ascii=False))}" for name, part in value.items())
        case list():
            return ", ".join(_flat(json.dumps(part, ensure_ascii=False)) for part in value)
        case str():
            return prompts.one_line(value)
        case _:
            return prompts.one_line(content)


async def _passage(desk: Desk, question: str, content: str) -> str:
    """The part of a long result that the question is most likely about."""
    if len(whole := _flat(content)) <= MAX_RESULT_CHARS:
        return whole
    lines = [prompts.one_line(line)[:MAX_RESULT_CHARS] for line in content.splitlines()]
    lines = [line for line in lines if _is_sentence(line)][:MAX_PASSAGES] or [whole[:MAX_RESULT_CHARS]]
    scores = [await desk.likelihood(f"{line}\nQuestion:", f" {prompts.one_line(question)[:200]}") for line in lines]
    return lines[scores.index(max(scores))]


def _sentence(question: Words, value: str) -> str:
    """The grammar of a sentence made of the value, pieces of the question and a few verbs."""
    fixed = grammar.literal(value)
    pieces = " | ".join(map(grammar.literal, _pieces(question))) or '"this"'
    nouns = " | ".join(grammar.literal(f" {word}") for word in dict.fromkeys(question) if word.isalpha()) or '""'
    subject = '("It is " | "The answer is ")' + ("?" if _WORD.search(value) else "")
    return (
        f'{grammar.HEADER}start: " " (about | plain) "."\n'
        f"about: piece {_VERBS} {fixed} ({nouns})?\n"
        f"plain: {subject} {fixed} ({_PREPOSITIONS} piece)?\n"
        f"piece: {pieces}\n"
    )


def _pieces(question: Words) -> Sequence[str]:
    """Pieces of the question within one sentence, formulas whole."""
    words = list(question)
    found: dict[str, None] = {}
    for begin in range(len(words)):
        if begin and not _JOINING.match(words[begin - 1]):
            continue
        for end in range(begin + 1, min(len(words), begin + 10) + 1):
            if words[end - 1] in ".?!;":
                break
            if end == len(words) or _JOINING.match(words[end]):
                found[question.span(begin, end)] = None
    return list(found)[:MAX_PIECES]
