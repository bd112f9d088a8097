"""What the calculator refuses, and that it knows the cost of everything before it pays.

There is no clock in here. What bounds the time is counted: the characters of a text, the bits of a whole number before it
is made, and the bits of all operands together.
"""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit.errors import ToolFailed
from agentkit_tools import _numbers
from agentkit_tools._arithmetic import MAX_CHARS, evaluate
from agentkit_tools._functions import _falling_bits
from agentkit_tools._notation import as_python
from agentkit_tools._numbers import MAX_BITS, MAX_TOTAL_BITS

CODE = [
    "__import__('os').getpid()",
    '__import__("os").system("true")',
    "().__class__.__bases__",
    "(1).__class__",
    "(1).real",
    "1 .real",
    "pi.real",
    "sqrt.__globals__",
    "sqrt",
    "lambda: 1",
    "(lambda x: x)(1)",
    "[x for x in (1,2)]",
    "{1: 2}",
    "{1, 2}",
    "[1, 2][0]",
    "1 if 2 else 3",
    "1 and 2",
    "not 1",
    "(y := 1)",
    "*(1, 2)",
    "max(*(1, 2))",
    "round(2.5, ndigits=1)",
    "print(1)",
    "eval('1')",
    "open('x')",
    "True",
    "None",
    "nan",
    "inf",
    "float('nan')",
    "1j",
    "~5",
    "5 & 3",
    "5 @ 3",
    "1; 2",
    "f'{1}'",
    "b'1'",
    '"%0999999999d" % 1',
    "'a'*10**9",
    "...",
    "_percent(3)",
    "a.b",
    "x.__init__",
    "\x00",
    "1\x002",
    "\ud800",
    "1\\\n+2",
]


@pytest.mark.parametrize("text", CODE)
def test_code_is_not_arithmetic(text):
    """Attributes, texts, lambdas, comprehensions, names and subscripts are refused, never run."""
    with pytest.raises(ToolFailed):
        evaluate(text)


TOO_LARGE = [
    "9**9**9",
    "9^9^9^9^9",
    "2^" * 90 + "1",
    "10**10**7",
    "10**10**100",
    "(-7)**10**9",
    "factorial(10**9)",
    "factorial(10**100)",
    "(10^9)!",
    "perm(10**9)",
    "perm(10**9, 10**8)",
    "comb(10**9, 5*10**8)",
    "comb(10**400, 10**300)",
    "comb(20000, 10000)",
    "comb(10**100, 4000)",
    "1 << 10**9",
    "1 << 10**30",
    "1e999999999999",
    "1e9999999",
    "9" * 1900 + "^900",
    "factorial(20000)*factorial(20000)",
    "lcm(2^200000 - 1, 3^100000)",
    "exp(10^9)",
    "1.5^(10^9)",
    "0.5^(10^9)",
    "10**-99999999",
    "1e-9999999",
]


@pytest.mark.parametrize("text", TOO_LARGE)
def test_a_number_that_is_too_large_is_refused_before_it_is_made(text):
    """The message says how large it would be, or what to calculate instead."""
    with pytest.raises(ToolFailed, match=r"too large|too close to zero|digits|beyond"):
        evaluate(text)


UNDEFINED = [
    "1/0",
    "1//0",
    "1%0",
    "5 mod 0",
    "0^-1",
    "0**-0.5",
    "1/(sqrt(2)^2 - 2)",
    "(-8)**0.5",
    "(-8)**(1/3)",
    "(-1)^0.1",
    "sqrt(-1)",
    "log(0)",
    "log(-1)",
    "log(2, 1)",
    "log(2, -2)",
    "asin(2)",
    "tan(pi/2)",
    "sin(10^20)",
    "factorial(-1)",
    "factorial(1.5)",
    "comb(-1, 2)",
    "gcd(1.5, 3)",
    "1.5 << 2",
    "round(1, 0.5)",
    "round(1, 10**9)",
    "floor(sqrt(2)*10^50)",
]


@pytest.mark.parametrize("text", UNDEFINED)
def test_what_has_no_real_value_is_said_in_words(text):
    """No exception of the machine, no complex number and no infinity comes out."""
    with pytest.raises(ToolFailed) as caught:
        evaluate(text)
    assert str(caught.value).endswith((".", "(-8)."))


NESTED = [
    "(" * 10_000 + "1" + ")" * 10_000,
    "(" * 900 + "1" + ")" * 900,
    "sqrt(" * 300 + "2" + ")" * 300,
    "2**" * 600 + "1",
]


@pytest.mark.parametrize("text", NESTED, ids=["10000 brackets", "900 brackets", "300 calls", "600 powers"])
def test_deep_nesting_is_refused(text):
    """Neither our recursion nor the parser's runs out of stack."""
    with pytest.raises(ToolFailed, match=r"nested|longer"):
        evaluate(text)


def test_a_long_chain_is_no_deep_nesting():
    """A bill of nine hundred positions is added up."""
    assert evaluate("1+" * 900 + "1") == "901"
    assert evaluate("-" * 1900 + "1") == "1"
    assert evaluate("1<" * 900 + "1") == "false"


def test_the_length_of_a_text_is_bounded():
    """A longer text is not even read."""
    assert evaluate("1" * MAX_CHARS).startswith("1.1")
    with pytest.raises(ToolFailed, match="longer than"):
        evaluate("1" * (MAX_CHARS + 1))


MANY_HUGE = [
    "factorial(20000)+" * 110 + "1",
    "max(" + "factorial(20000)," * 109 + "1)",
    "max(" + "comb(10000,5000)," * 109 + "1)",
    "max(" + "3^165000," * 200 + "1)",
    "3^165000<" * 200 + "1",
    "1e78000+" * 240 + "1",
    "max(" + "gcd(3^82000,7^46000)," * 90 + "1)",
    "max(" + "lcm(3^82000,7^46000)," * 90 + "1)",
    "max(" + "sqrt(3^160000+1)," * 100 + "1)",
    "max(" + "3^165000%7^46000," * 100 + "1)",
    "log(3**165000)+" * 100 + "1",
    "(1<<260000)+" * 100 + "1",
    "2^200000" + "*3" * 300,
]


@pytest.mark.parametrize("text", MANY_HUGE)
def test_many_huge_numbers_are_refused_together(text):
    """Each of them would be allowed; all of them cost too much."""
    with pytest.raises(ToolFailed, match="too many huge numbers"):
        evaluate(text)


def test_no_whole_number_is_made_once_the_budget_is_spent():
    """Sizes add up within one calculation, and the next one begins at nothing."""
    for _ in range(2):
        with _numbers.calculation():
            for _ in range(MAX_TOTAL_BITS // MAX_BITS):
                _numbers.check_size(MAX_BITS)
            with pytest.raises(ToolFailed):
                _numbers.check_size(1)


@given(st.integers(-(10**30), 10**30), st.integers(0, 3000))
@settings(deadline=None)
def test_the_size_of_a_power_is_known_beforehand(base, exponent):
    """What is foretold is never less than what is made, but for the last bit."""
    if base not in (-1, 0, 1):
        assert _numbers._power_bits(base, exponent) >= (base**exponent).bit_length() - 1.001


@given(st.integers(1, 10**6), st.integers(0, 60))
@settings(deadline=None)
def test_the_size_of_a_choice_is_known_beforehand(count, chosen):
    """What is foretold of comb and perm is never less than what is made."""
    foretold = _falling_bits(count, min(chosen, count))
    assert foretold >= math.perm(count, min(chosen, count)).bit_length() - 1.001
    assert foretold >= math.comb(count, min(chosen, count)).bit_length() - 1.001


@given(st.text(max_size=60))
@settings(deadline=None, max_examples=500)
def test_any_text_is_answered_or_refused(text):
    """Whatever stands there, it is a value or a `ToolFailed`, nothing else."""
    try:
        answer = evaluate(text)
    except ToolFailed:
        return
    assert answer


PIECES = [
    "1",
    "2.5",
    "1,234",
    "0x1F",
    "(",
    ")",
    "+",
    "-",
    "*",
    "/",
    "//",
    "%",
    "^",
    "**",
    "!",
    ",",
    "x",
    "of",
    "<",
    "==",
    "=",
]
NAMES = [
    "sqrt(",
    "max(",
    "factorial(",
    "sin(",
    "pi",
    "e",
    "log(",
    "round(",
    "comb(",
    " ",
    "²",
    "√",
    "$",
    "[",
    "]",
    "<<",
]


@given(st.lists(st.sampled_from(PIECES + NAMES), max_size=25).map("".join))
@settings(deadline=None, max_examples=1000)
def test_any_mixture_of_signs_is_answered_or_refused(text):
    """What the reader lets through is Python, and what Python parses is calculated or refused."""
    try:
        evaluate(text)
    except ToolFailed as failure:
        assert "no arithmetic expression" not in str(failure), as_python(text, {"sqrt"}, {"pi"})
