"""The named functions of the calculator.

Whole-number functions say how large their result will be before they make it. The others are series of decimals with
`PRECISION` digits, so that what is shown is right to its last digit; binary floats appear nowhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from typing import Any

from agentkit.errors import ToolFailed
from agentkit_tools import _numbers as n
from agentkit_tools._notation import PERCENT
from agentkit_tools._numbers import MAX_BITS, Number

PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899")
E = Decimal("2.71828182845904523536028747135266249775724709369995957496696762772407663035354759")
TAU = Decimal("6.28318530717958647692528676655900576839433879875021164194988918461563281257241800")
CONSTANTS: Mapping[str, Number] = {"pi": PI, "e": E, "tau": TAU}

_LARGEST_ANGLE = Decimal(10) ** 12
_MOST_CHOSEN = 5000


@dataclass(frozen=True, slots=True)
class Function:
    """A function and how many numbers it takes.

    Attributes:
        call: What calculates it.
        least: The fewest numbers it takes.
        most: The most; None for any count.
    """

    call: Callable[..., Number]
    least: int = 1
    most: int | None = 1


def factorial(a: Number) -> int:
    """The product of the whole numbers up to this one."""
    count = _count("factorial", a)
    n.check_size(_log2_factorial(count))
    return math.factorial(count)


def comb(a: Number, b: Number) -> int:
    """The ways to choose, the order not counted."""
    count, chosen = _count("comb", a), _count("comb", b)
    chosen = min(chosen, count - chosen)
    if chosen < 0:
        return 0
    if chosen > _MOST_CHOSEN:  # its time grows with the square of this
        raise ToolFailed(f"comb(n, k) is calculated for k or n-k up to {_MOST_CHOSEN}: the result has too many digits.")
    n.check_size(_falling_bits(count, chosen))
    return math.comb(count, chosen)


def perm(a: Number, b: Number | None = None) -> int:
    """The ways to choose, the order counted."""
    count = _count("perm", a)
    chosen = count if b is None else _count("perm", b)
    if chosen > count:
        return 0
    n.check_size(_falling_bits(count, chosen))
    return math.perm(count, chosen)


def _falling_bits(count: int, chosen: int) -> float:
    """About the size of count * (count - 1) * ..., `chosen` factors, without making it."""
    if chosen > MAX_BITS:
        return math.inf
    return chosen * math.log2(count) if count else 0.0


def _log2_factorial(count: int) -> float:
    return math.lgamma(count + 1) / math.log(2) if count <= MAX_BITS else math.inf


def _count(function: str, a: Number) -> int:
    """The number as a whole number that is not negative."""
    if a < 0 or not isinstance(a, int):
        raise ToolFailed(f"{function} takes whole numbers that are not negative.")
    return a


def gcd(*numbers: Number) -> int:
    """The greatest common divisor."""
    return math.gcd(*_integers("gcd", numbers))


def lcm(*numbers: Number) -> int:
    """The least common multiple."""
    integers = _integers("lcm", numbers)
    n.check_size(sum(map(n.bits, integers)))
    return math.lcm(*integers)


def _integers(function: str, numbers: Iterable[Number]) -> list[int]:
    integers = [number for number in numbers if isinstance(number, int)]
    if len(integers) != len(list(numbers)):
        raise ToolFailed(f"{function} takes whole numbers only.")
    return integers


def total(*numbers: Number) -> Number:
    """The sum of all."""
    return reduce(n.add, numbers)


def mean(*numbers: Number) -> Number:
    """The arithmetic mean."""
    return n.divide(total(*numbers), len(numbers))


def smallest(*numbers: Number) -> Number:
    """The smallest of all."""
    return reduce(lambda a, b: a if n.compare(a, b) <= 0 else b, numbers)


def largest(*numbers: Number) -> Number:
    """The largest of all."""
    return reduce(lambda a, b: a if n.compare(a, b) >= 0 else b, numbers)


def round_(a: Number, places: Number = 0) -> Number:
    """The nearest number with so many decimals; halves go away from zero."""
    if not isinstance(places, int) or abs(places) > 100:
        raise ToolFailed("round takes a number and how many decimals to keep, a whole number from -100 to 100.")
    scale = n.power(10, places)
    return n.divide(n.whole(n.multiply(a, scale), n.half_away), scale)


def sqrt(a: Number) -> Number:
    """The square root."""
    if a < 0:
        raise ToolFailed("A negative number has no real square root.")
    root = None if isinstance(a, Decimal) else n.exact_root(a, 2)
    return n.decimal(a).sqrt() if root is None else root


def cbrt(a: Number) -> Number:
    """The cube root; it has the sign of the number."""
    root = n.power(n.magnitude(a), Fraction(1, 3))
    return root if a >= 0 else -root


def hypot(*numbers: Number) -> Number:
    """The length of a vector."""
    return sqrt(total(*(n.multiply(number, number) for number in numbers)))


def exp(a: Number) -> Number:
    """The power of e."""
    return n.decimal(a).exp()


def log(a: Number, base: Number | None = None) -> Number:
    """The natural logarithm, or that to a base."""
    if a <= 0 or (base is not None and (base <= 0 or base == 1)):
        raise ToolFailed("Only a positive number has a logarithm, and its base is positive and not 1.")
    if base is None:
        return n.decimal(a).ln()
    if base == 10:
        return n.decimal(a).log10()
    return n.decimal(a).ln() / n.decimal(base).ln()


def sin(a: Number) -> Decimal:
    """The sine of an angle in radians."""
    return _without_noise(_sine(_reduced(a)), a)


def cos(a: Number) -> Decimal:
    """The cosine of an angle in radians."""
    return _without_noise(_sine(_reduced(a) + PI / 2), a)


def tan(a: Number) -> Decimal:
    """The tangent of an angle in radians."""
    if not (cosine := cos(a)):
        raise ToolFailed("The tangent is not defined there.")
    return sin(a) / cosine


def _reduced(a: Number) -> Decimal:
    """The angle within one turn."""
    angle = n.decimal(a)
    if abs(angle) > _LARGEST_ANGLE:
        raise ToolFailed("The angle is too large. Angles are in radians; use radians(x) for degrees.")
    return angle - TAU * (angle / TAU).to_integral_value()


def _sine(angle: Decimal) -> Decimal:
    return _series(angle, lambda i: -angle * angle / ((2 * i) * (2 * i + 1)))


def _without_noise(result: Decimal, a: Number) -> Decimal:
    """Zero, if the result is smaller than what the rounding of the angle alone makes of it."""
    return Decimal(0) if abs(result) < abs(n.decimal(a)) * Decimal("1e-45") else result


def _series(first: Decimal, ratio: Callable[[int], Decimal]) -> Decimal:
    """The sum of terms, each `ratio(i)` times the one before, until they no longer count."""
    result, term, i = Decimal(0), first, 1
    while term and result + term != result:
        result += term
        term *= ratio(i)
        i += 1
    return result


def atan(a: Number) -> Decimal:
    """The angle of a tangent."""
    x = n.decimal(a)
    if abs(x) > 1:
        return (PI / 2).copy_sign(x) - atan(1 / x)
    for _ in range(3):  # halves the angle: the series is quick where it is small
        x = x / (1 + (1 + x * x).sqrt())
    return Decimal(8) * _series(x, lambda i: -x * x * (2 * i - 1) / (2 * i + 1))


def atan2(a: Number, b: Number) -> Decimal:
    """The angle of the point (b, a)."""
    if b == 0:
        return (PI / 2).copy_sign(n.decimal(a)) if a else Decimal(0)
    angle = atan(n.divide(a, b))
    return angle if b > 0 else angle + PI.copy_sign(n.decimal(a))


def asin(a: Number) -> Decimal:
    """The angle of a sine."""
    if n.magnitude(a) > 1:
        raise ToolFailed("A sine or cosine lies between -1 and 1.")
    return atan2(a, sqrt(n.subtract(1, n.multiply(a, a))))


def acos(a: Number) -> Decimal:
    """The angle of a cosine."""
    return PI / 2 - asin(a)


def sinh(a: Number) -> Decimal:
    """The hyperbolic sine."""
    x = n.decimal(a)
    return (x.exp() - (-x).exp()) / 2


def cosh(a: Number) -> Decimal:
    """The hyperbolic cosine."""
    x = n.decimal(a)
    return (x.exp() + (-x).exp()) / 2


def tanh(a: Number) -> Decimal:
    """The hyperbolic tangent."""
    x = n.decimal(a)
    return sinh(x) / cosh(x) if abs(x) < 100 else Decimal(1).copy_sign(x)


def degrees(a: Number) -> Number:
    """An angle in radians, in degrees."""
    return n.divide(n.multiply(a, 180), PI)


def radians(a: Number) -> Number:
    """An angle in degrees, in radians."""
    return n.multiply(n.divide(a, 180), PI)


def _rounded(rounding: Callable[[Any], int]) -> Callable[[Number], int]:
    return lambda a: n.whole(a, rounding)


FUNCTIONS: Mapping[str, Function] = {
    PERCENT: Function(lambda a: n.divide(a, 100)),
    "abs": Function(n.magnitude),
    "acos": Function(acos),
    "asin": Function(asin),
    "atan": Function(atan),
    "atan2": Function(atan2, 2, 2),
    "cbrt": Function(cbrt),
    "ceil": Function(_rounded(math.ceil)),
    "comb": Function(comb, 2, 2),
    "cos": Function(cos),
    "cosh": Function(cosh),
    "degrees": Function(degrees),
    "exp": Function(exp),
    "factorial": Function(factorial),
    "floor": Function(_rounded(math.floor)),
    "gcd": Function(gcd, 1, None),
    "hypot": Function(hypot, 1, None),
    "int": Function(_rounded(math.trunc)),
    "lcm": Function(lcm, 1, None),
    "ln": Function(log),
    "log": Function(log, 1, 2),
    "log10": Function(lambda a: log(a, 10)),
    "log2": Function(lambda a: log(a, 2)),
    "max": Function(largest, 1, None),
    "mean": Function(mean, 1, None),
    "min": Function(smallest, 1, None),
    "mod": Function(n.modulo, 2, 2),
    "perm": Function(perm, 1, 2),
    "pow": Function(n.power, 2, 2),
    "radians": Function(radians),
    "round": Function(round_, 1, 2),
    "sin": Function(sin),
    "sinh": Function(sinh),
    "sqrt": Function(sqrt),
    "sum": Function(total, 1, None),
    "tan": Function(tan),
    "tanh": Function(tanh),
    "trunc": Function(_rounded(math.trunc)),
}
