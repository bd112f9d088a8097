"""The calculator: one expression in, one exact number out."""

from __future__ import annotations

from agentkit import tool
from agentkit_tools._arithmetic import evaluate


@tool(
    idempotent=True,
    timeout_s=10,
    examples=[
        ("What is 8 * 13?", {"expression": "8*13"}),
        ("How much is 96 divided by 8?", {"expression": "96/8"}),
        ("What is 30% of 70?", {"expression": "30/100*70"}),
        ("One ticket costs 14 dollars. How much are 5 tickets?", {"expression": "14*5"}),
    ],
)
def calculator(expression: str) -> str:
    """Calculate an arithmetic expression. Use this for every calculation, even an easy one: the result is exact.

    Args:
        expression: Numbers with + - * / // % ^ and brackets, such as 12*(3+4), 2^10 or 20% of 80. Also comparisons,
            pi, e, and functions: sqrt, cbrt, log (natural), log10, exp, sin, cos, tan (radians), round, floor, ceil,
            abs, min, max, sum, mean, factorial, comb, perm, gcd, lcm, hypot, degrees, radians.
    """
    return evaluate(expression)
