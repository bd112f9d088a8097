"""Docstrings of four styles, and what people write in between: read, never refused."""

from __future__ import annotations

import logging
import time

import docstring_parser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit.tooling.docstrings import read_docstring
from agentkit.tooling.tool import tool

NAMES = {"q", "n", "a", "b", "c", "nums", "kw", "url", "arg", "from_"}

CASES: dict[str, tuple[str, str, dict[str, str]]] = {
    "google": (
        """Find things.

        Looks everywhere.

        Args:
            q (str): What to find.
            n (int, optional): How many: at most
                ten. Defaults to 3.
            url: See http://x.y/z: it says.

        Returns:
            The things.

        Raises:
            ValueError: If not.

        Example:
            >>> find("x")
        """,
        "Find things.\n\nLooks everywhere.",
        {"q": "What to find.", "n": "How many: at most\nten. Defaults to 3.", "url": "See http://x.y/z: it says."},
    ),
    "no blank line before the section": (
        """Find things.
        Args:
            q: what
            n: how many
        """,
        "Find things.",
        {"q": "what", "n": "how many"},
    ),
    "a section right after a note": (
        """Find.

        Note:
            Be careful.
        Args:
            q: what
        """,
        "Find.\n\nNote:\n    Be careful.",
        {"q": "what"},
    ),
    "starred names": (
        """Find.

        Args:
            *nums: numbers
            **kw: others
        """,
        "Find.",
        {"nums": "numbers", "kw": "others"},
    ),
    "starts with the section": ("""Args:\n        q: what\n        n: how""", "", {"q": "what", "n": "how"}),
    "starts with the section, others follow": (
        """Args:
            q: what

            n: how
                long

        Returns:
            x
        """,
        "",
        {"q": "what", "n": "how\nlong"},
    ),
    "not indented": (
        "Find.\n\nArgs:\nq: what\nn: how\n\nMore prose: yes.",
        "Find.\n\nMore prose: yes.",
        {"q": "what", "n": "how"},
    ),
    "prose after a section": ("Find.\n\nArgs:\n    q: what\n\nMore prose.", "Find.\n\nMore prose.", {"q": "what"}),
    "titles by other names": (
        "Find.\n\nArguments:\n    q: what\n\nKeyword Args:\n    n: how\n\nOther Parameters:\n    a: aye",
        "Find.",
        {"q": "what", "n": "how", "a": "aye"},
    ),
    "types with brackets": (
        "Find.\n\nParameters:\n    q (dict(str, list[int])): what\n    n (Callable[[int], str], optional) : how\n    a [int]: aye",
        "Find.",
        {"q": "what", "n": "how", "a": "aye"},
    ),
    "ornaments": (
        "Find.\n\nArgs:\n    `q`: what\n    **n**: how\n    'a': aye",
        "Find.",
        {"q": "what", "n": "how", "a": "aye"},
    ),
    "bullets": (
        "Find.\n\nArgs:\n    - q: what, as\n      - fast: or\n      - slow: else\n    * `n` (int): how",
        "Find.",
        {"q": "what, as\n- fast: or\n- slow: else", "n": "how"},
    ),
    "google's entries under numpy's title": (
        "Find.\n\nParameters\n----------\nq (str): what\n    it is\nn (dict[str, int]) : how\na : int\n    aye",
        "Find.",
        {"q": "what\nit is", "n": "how", "a": "aye"},
    ),
    "dashes for colons": (
        "Find.\n\nArgs:\n    q - what: now\n    n (int) -- how\n    - a – aye\n    b-c: no name",
        "Find.",
        {"q": "what: now", "n": "how", "a": "aye\nb-c: no name"},
    ),
    "bullets that are no names": (
        "Find.\n\nArgs:\n    q: one of\n    - fast: quick\n    - slow: exact\n    n: how",
        "Find.",
        {"q": "one of\n- fast: quick\n- slow: exact", "n": "how"},
    ),
    "two names, one text": (
        "Find.\n\nArgs:\n    a, b: both\n    c: sea",
        "Find.",
        {"a": "both", "b": "both", "c": "sea"},
    ),
    "a paragraph inside an entry": (
        "Find.\n\nArgs:\n    q: what\n\n        more of it\n    n: how",
        "Find.",
        {"q": "what\n\nmore of it", "n": "how"},
    ),
    "strange names": ("Find.\n\nArgs:\n    other: not ours\n    q: what", "Find.", {"q": "what"}),
    "text on the next line": (
        "Find.\n\nArgs:\n    q:\n        what\n    n (int):\n        how",
        "Find.",
        {"q": "what", "n": "how"},
    ),
    "an empty section": ("Find.\n\nArgs:\n", "Find.", {}),
    "numpy": (
        """Find things.

        Looks everywhere.

        Parameters
        ----------
        a, b : int
            Both.
        c : str, optional
            Sea,
            deep.

            Very.
        *nums
            Many.

        Other Parameters
        ----------------
        q
            What.

        Returns
        -------
        int
            The c : number.

        Notes
        -----
        Some.

        Examples
        --------
        >>> find()
        """,
        "Find things.\n\nLooks everywhere.\n\nNotes\n-----\nSome.",
        {"a": "Both.", "b": "Both.", "c": "Sea,\ndeep.\n\nVery.", "nums": "Many.", "q": "What."},
    ),
    "numpy without blank lines": (
        "Find.\nParameters\n---\nq : str\n    What.\nReturns\n---\nint",
        "Find.",
        {"q": "What."},
    ),
    "rest": (
        """Find things.

        :param int n: How
            many.
        :param q: What: this.
        :type q: str
        :keyword a: Aye.
        :param dict[str, int] b: Bee.
        :returns: The things.
        :rtype: list
        :raises ValueError: If not.
        """,
        "Find things.",
        {"n": "How\nmany.", "q": "What: this.", "a": "Aye.", "b": "Bee."},
    ),
    "rest without a blank line": ("Find.\n:param q: what\n:return: x", "Find.", {"q": "what"}),
    "rest with escaped stars": (
        r"Find." + "\n\n" + r":param \*nums: many" + "\n" + r":param \*\*kw: more",
        "Find.",
        {"nums": "many", "kw": "more"},
    ),
    "rest text on the next line": (
        "Find.\n\n:param q:\n    what\n:param n: how\n\nMore.",
        "Find.\n\nMore.",
        {"q": "what", "n": "how"},
    ),
    "epytext": ("Find.\n\n@param q: what\n@type q: str\n@return: x\n@raise E: y", "Find.", {"q": "what"}),
    "roles and decorators are prose": (
        "Find :class:`Foo`.\n\n:class:`Bar` does.\n@cached: no.",
        "Find :class:`Foo`.\n\n:class:`Bar` does.\n@cached: no.",
        {},
    ),
    "bullets and colons are prose": (
        "Find: it.\n\n- one\n- two: three\n\nUsage: x\nWarning: hot",
        "Find: it.\n\n- one\n- two: three\n\nUsage: x\nWarning: hot",
        {},
    ),
    "underlined prose": ("Find.\n\nOverview\n--------\nMuch.", "Find.\n\nOverview\n--------\nMuch.", {}),
    "mixed": ("Find.\n\n:param q: what\n\nArgs:\n    n: how", "Find.", {"q": "what", "n": "how"}),
    "lower case": ("Find.\n\nargs:\n    q: what", "Find.", {"q": "what"}),
    "tabs": ("Find.\n\n\tArgs:\n\t\tq: what\n\t\t\tmore\n", "Find.", {"q": "what\nmore"}),
    "carriage returns": ("Find.\r\n\r\nArgs:\r\n    q: what\r\n", "Find.", {"q": "what"}),
    "one line": ("Find things.", "Find things.", {}),
    "blank": ("   \n  ", "", {}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_docstring_is_read(case):
    """The description without its sections, and what is said of each parameter."""
    text, description, parameters = CASES[case]
    documented = read_docstring(text, NAMES)
    assert documented.description == description
    assert documented.parameters == parameters


def test_no_docstring_is_no_description():
    """None is an ordinary case."""
    assert read_docstring(None, NAMES) == read_docstring("", NAMES)

    def bare(): ...

    assert tool(bare).spec.description == ""


WORDS = st.text("abcdefgh", min_size=1, max_size=8)
TEXTS = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)
ENTRIES = st.dictionaries(st.sampled_from(sorted(NAMES)), TEXTS, min_size=1)
STYLES = {
    "google": (docstring_parser.DocstringStyle.GOOGLE, "Args:\n{}", "    {}: {}\n"),
    "google with types": (docstring_parser.DocstringStyle.GOOGLE, "Args:\n{}", "    {} (int): {}\n"),
    "numpy": (docstring_parser.DocstringStyle.NUMPYDOC, "Parameters\n----------\n{}", "{} : int\n    {}\n"),
    "rest": (docstring_parser.DocstringStyle.REST, "{}", ":param {}: {}\n"),
    "epytext": (docstring_parser.DocstringStyle.EPYDOC, "{}", "@param {}: {}\n"),
}


@pytest.mark.parametrize("style", STYLES)
@settings(deadline=None, max_examples=50)
@given(summary=TEXTS, entries=ENTRIES)
def test_well_formed_docstrings_are_read_as_the_usual_parser_reads_them(style, summary, entries):
    """Same description, same parameters."""
    theirs, section, entry = STYLES[style]
    text = f"{summary}.\n\n" + section.format("".join(entry.format(name, said) for name, said in entries.items()))
    parsed = docstring_parser.parse(text, style=theirs)
    documented = read_docstring(text, NAMES)
    assert documented.description == (parsed.description or "").strip()
    assert documented.parameters == {each.arg_name: each.description for each in parsed.params} == entries


LINES = st.lists(
    st.sampled_from(
        [
            "Args:",
            "Returns:",
            "Parameters",
            "----",
            ":param q: x",
            "@param n",
            ":",
            "::",
            "q: x",
            "    q: y",
            "\tn (int",
            "",
            "    ",
            "a, b : int",
            "Note:",
            "====",
        ]
    )
    | st.text(max_size=20),
    max_size=25,
).map("\n".join)


@settings(deadline=None, max_examples=500)
@given(LINES)
def test_no_docstring_is_refused(text):
    """Whatever stands in it: no exception, and nothing about names that are not there."""
    documented = read_docstring(text, NAMES)
    assert documented.parameters.keys() <= NAMES


def test_an_odd_docstring_is_not_worth_a_log_line(caplog):
    """Nor a warning, which would be an error here."""
    with caplog.at_level(logging.DEBUG):
        read_docstring("Args:\n    (((:\n:param\n@type\nReturns\n--\n", NAMES)
    assert not caplog.records


@pytest.mark.parametrize(
    "unit",
    [
        "Args:\n",
        "    q: x\n",
        ":param ",
        ":param q: x\n\n",
        "q,",
        "(",
        "a : b\n---\n",
        " ",
        "Parameters\n---\n",
        "*",
        "\\",
    ],
)
def test_reading_takes_linear_time(unit):
    """A megabyte of anything."""
    started = time.process_time()
    read_docstring("Args:\n    q (" + unit * (1_000_000 // len(unit)), NAMES)
    assert time.process_time() - started < 6
