"""How the calculator reads what people and models write."""

from __future__ import annotations

import pytest

from agentkit.errors import ToolFailed
from agentkit_tools._arithmetic import evaluate

READ = [
    ("max(100,200) + 1,000", "1200"),
    ("min(1000, 500)", "500"),
    # signs
    ("12x34", "408"),
    ("2 x 3", "6"),
    ("2X3", "6"),
    ("2xsqrt(4)", "4"),
    ("3 × 4 ÷ 2", "6"),
    ("7 − 2", "5"),
    ("5·4", "20"),
    ("8 – 3", "5"),
    ("１２＋３", "15"),
    ("（１＋２）×３", "9"),
    ("٣ + ٤", "7"),
    ("2²", "4"),
    ("2⁻¹", "0.5"),
    ("10²³", "1" + "0" * 23),
    ("√16", "4"),
    ("√(16) + 1", "5"),
    ("2√9", "6"),
    ("5!", "120"),
    ("-5!", "-120"),
    ("2^3!", "64"),
    ("(3!)!", "720"),
    ("5! = 120", "true"),
    ("3 ≤ 4", "true"),
    ("3 ≠ 3", "false"),
    ("1--1", "2"),
    ("1---1", "0"),
    ("2^--3", "8"),
    # numbers
    ("1,234 + 5", "1239"),
    ("1,234,567.89*2", "2469135.78"),
    ("(1,234 + 5) * 2", "2478"),
    ("1_000*2", "2000"),
    ("1\u202f234\u202f567 + 1", "1234568"),
    ("1\u00a0234 + 1", "1235"),
    ("007", "7"),
    ("00.5", "0.5"),
    (".5+.5", "1"),
    ("5.", "5"),
    ("$5 * 3", "15"),
    ("€ 1,200.50 + $3", "1203.5"),
    ("1\u200b2", "12"),
    # politeness
    ("2+2=", "4"),
    ("2 + 2 = ?", "4"),
    ("=1+2", "3"),
    ("2+2=4", "true"),
    ("2+2=5?", "false"),
    ("  1\n+\t2 ", "3"),
    # percentages
    ("15%", "0.15"),
    ("15 %", "0.15"),
    ("20% of 80", "16"),
    ("20 percent of 80", "16"),
    ("20% of 50 + 3", "13"),
    ("5% x 20", "1"),
    ("50%*8", "4"),
    ("50% - 3", "-2.5"),
    ("200 + 15%", "230"),
    ("200 - 15%", "170"),
    ("200 - 10% - 10%", "162"),
    ("5% + 3%", "0.08"),
    ("100 - 10% of 50", "95"),
    ("80 + 10% * 2", "80.2"),
    ("100*(1+5%)", "105"),
    ("17 % 5", "2"),
    ("17%5", "2"),
    ("17 % (2+3)", "2"),
    ("10 mod 3", "1"),
    ("mod(10, 3)", "1"),
    # names and functions
    ("math.sqrt(16)", "4"),
    ("Math.PI == pi", "true"),
    ("SQRT(16)", "4"),
    ("2pi == tau", "true"),
    ("π*2 = τ", "true"),
    ("2(3+4)", "14"),
    ("(1+2)(3+4)", "21"),
    ("2pi(3) = 6pi", "true"),
    ("max(1,234)", "234"),
    ("max((1,2,3))", "3"),
    ("sum([1, (2), 3])", "6"),
    ("pow(2, 10)", "1024"),
    # words
    ("7 times 3", "21"),
    ("10 divided by 4", "2.5"),
    ("3 plus 4 minus 2", "5"),
    ("2 multiplied by 5", "10"),
]


@pytest.mark.parametrize(("text", "answer"), READ)
def test_what_people_write_is_read_as_they_mean_it(text, answer):
    """Each spelling has one meaning, and gets it."""
    assert evaluate(text) == answer


REFUSED = [
    ("max(1,000, 500)", "comma"),
    ("sum(1,000,2)", "comma"),
    ("max(5, 1,234)", "comma"),
    # two readings
    ("6/2(1+2)", "brackets"),
    ("1/2pi", "brackets"),
    ("2^3(4)", "brackets"),
    ("100 / 10% of 50", "brackets"),
    ("7%-3", "two readings"),
    ("3!!", "factorial(5)"),
    ("1,5 + 2", "decimals with a point"),
    ("1,23,456", "decimals with a point"),
    ("1.234,56", "point"),
    ("round(1,234.567, 2)", "comma separates"),
    ("2 3", "no operator between 2 and 3"),
    ("1.2.3", "no operator"),
    ("1 .5", "no operator"),
    # not arithmetic
    ("3*y", "'y' is not known"),
    ("x", "'x' is not known"),
    ("2 apples", "'apples' is not known"),
    ("sqrt 16", "brackets"),
    ("½", "'½'"),
    ("2+2 # four", "'#'"),
    ("'a'*10", "quotes"),
    ("(1<2)+1", "comparison"),
    ("max(1<2, 3)", "comparison"),
    # incomplete
    ("", "nothing to calculate"),
    ("  ?", "nothing to calculate"),
    ("1 +", "ends too early"),
    ("* 3", "no number before '*'"),
    ("(1 + 2", "closing bracket is missing"),
    ("1 + 2)", "bracket too many"),
    ("max()", "number is missing"),
    ("max(1,)", "number is missing"),
    ("max(1,,2)", "no number before ','"),
    ("sqrt(1, 2)", "sqrt takes 1"),
    ("log(1, 2, 3)", "log takes 1 to 2"),
]


@pytest.mark.parametrize(("text", "hint"), REFUSED)
def test_what_is_not_clear_is_refused_with_a_way_out(text, hint):
    """A wrong number is worse than a question: the message says what to write instead."""
    with pytest.raises(ToolFailed) as caught:
        evaluate(text)
    assert hint in str(caught.value)
