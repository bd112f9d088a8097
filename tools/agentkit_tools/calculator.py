"""The calculator: one expression in, one exact number out."""

from __future__ import annotations

from agentkit import tool
from agentkit_tools._arithmetic import evaluate


@tool(
    idempotent=True,
    timeout_s=10,
    examples=[
        ("What is 8 * 13?", {"expression": "8*13"}),
        ("What is 30% of 70?", {"expression": "30% of 70"}),
        ("5 tickets cost 14 dollars each. What is the total?", {"expression": "5*14"}),
        ("What is (2 + 3) * 4?", {"expression": "(2+3)*4"}),
    ],
)
def calculator(expression: str) -> str:
    """Calculate an arithmetic expression, such as 12*(3+4).

    Use this for every calculation, even an easy one: the result is exact.

    Args:
        expression: Numbers with + - * / // % ^ and brackets, such as 2^10 or 20% of 80; comparisons; pi and e; and
            functions: sqrt, cbrt, log (natural), log10, exp, sin, cos, tan (radians), round, floor, ceil,
            abs, min, max, sum, mean, factorial, comb, perm, gcd, lcm, hypot, degrees, radians.
    """
    return evaluate(expression)
