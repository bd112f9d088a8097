"""A request as words: where they stand, which of them are numbers, how alike two requests are. Pure."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

NUMBER = "<n>"
"""The form of every number, so that requests that differ only in numbers have the same forms."""

_UNITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_UNITS += ["thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_NUMBER_WORDS = {word: value for value, word in enumerate(_UNITS)} | {
    word: 20 + 10 * index for index, word in enumerate(_TENS)
}
_TOKEN = re.compile(
    r"\d{4}-\d\d-\d\d(?:T[\d:.]+Z?)?|\d{1,2}:\d\d(?::\d\d)?"  # dates and times
    r"|(?:(?<!\S)-)?\d+(?:,\d{3})*(?:\.\d+)?"  # a number; its sign only where a word may begin
    rf"|\b(?:{'|'.join(_TENS)})[- ](?:{'|'.join(_UNITS[1:10])})\b"  # forty-two
    rf"|\b(?:{'|'.join(_NUMBER_WORDS)})(?=-)"  # the six of six-sided
    r"|\w+(?:[@./:'’&+-]+\w+)*"  # words, addresses, Europe/Paris
    r"|\S",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Words:
    """A text and its words.

    Attributes:
        text: The text.
        places: Where each word begins and ends.
    """

    text: str
    places: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, text: str) -> Words:
        """Splits a text: punctuation at the ends of a word stands alone."""
        return cls(text, tuple(match.span() for match in _TOKEN.finditer(text)))

    @cached_property
    def forms(self) -> tuple[str, ...]:
        """Each word as it is compared: in lower case, numbers as `NUMBER`."""
        return tuple(NUMBER if number(word) is not None else word.casefold() for word in self)

    def __iter__(self) -> Iterator[str]:
        return (self.text[begin:end] for begin, end in self.places)

    def __len__(self) -> int:
        return len(self.places)

    def span(self, begin: int, end: int) -> str:
        """The text from the word `begin` up to the word `end`, as it is written."""
        return self.text[self.places[begin][0] : self.places[end - 1][1]]

    def numbers(self) -> dict[int, int | float]:
        """The numbers among the words, by their index."""
        values = {index: number(word) for index, word in enumerate(self)}
        return {index: value for index, value in values.items() if value is not None}


def number(word: str) -> int | float | None:
    """The value of a word that is a number, in digits or in letters; else None."""
    word = word.casefold().replace(",", "")
    if word in _NUMBER_WORDS:
        return _NUMBER_WORDS[word]
    if re.fullmatch(r"-?\d{1,15}", word, re.ASCII):
        return int(word)
    if re.fullmatch(r"-?\d{1,15}\.\d{1,15}", word, re.ASCII):
        return float(word)
    tens, _, units = word.replace("-", " ").partition(" ")
    return _NUMBER_WORDS[tens] + _NUMBER_WORDS[units] if tens in _TENS and units in _UNITS else None


def likeness(one: Words, other: Words) -> float:
    """How alike two requests are, 0 to 1: shared words and shared pairs of neighbours."""
    a, b = _features(one), _features(other)
    return 2 * (a & b).total() / max(1, a.total() + b.total())


def _features(words: Words) -> Counter[str | tuple[str, str]]:
    framed = ("", *words.forms, "")
    return Counter([*words.forms, *itertools.pairwise(framed)])
