"""Numbers as a calculator means them: exact as long as that is possible, and never larger than the machine can bear.

* Whole numbers and fractions are exact: 0.1 + 0.2 is 0.3, and 1/3*3 is 1.
* What has no exact value (a root, a sine), or only an unreadable one (a fraction of more than `FRACTION_BITS` bits),
  is a decimal of `PRECISION` digits. What calculates needs `calculation()` around it: it sets the precision.
* The size of a whole number is known BEFORE it is made: an operation whose result would have more than `MAX_BITS` bits
  is refused, and so is one that would make more than `MAX_TOTAL_BITS` in one calculation. Therefore no text, however
  short or long, costs more than milliseconds.
* A difference smaller than the rounding error of its operands is zero: sqrt(2)^2 - 2 is 0, and sin(pi) too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    Underflow,
    localcontext,
)
from fractions import Fraction
from typing import TypeAlias

from agentkit.errors import ToolFailed

Number: TypeAlias = int | Fraction | Decimal

MAX_BITS = 1 << 18
"""The largest whole number: 262,144 bits, about 78,900 digits."""
MAX_TOTAL_BITS = 4 * MAX_BITS
"""All whole numbers that are made in one calculation."""
FRACTION_BITS = 1 << 12
"""Numerator and denominator together; a longer fraction goes on as a decimal."""
PRECISION = 60
"""Digits of a decimal while calculating; the last 15 are there to be lost."""
LONGEST_INTEGER = 1000
"""A whole number of more digits is shown in scientific form."""

_NOISE = Decimal("1e-45")
_DECIMALS = Context(
    prec=PRECISION,
    rounding=ROUND_HALF_EVEN,
    Emin=-999_999,
    Emax=999_999,
    traps=[DivisionByZero, InvalidOperation, Overflow, Underflow],
)


_made_bits: ContextVar[float | None] = ContextVar("made_bits", default=None)
"""The size of all whole numbers that this calculation has made; None outside one."""


@contextmanager
def calculation() -> Iterator[None]:
    """One calculation: decimals have `PRECISION` digits, sizes add up, and what has no value is said in words."""
    token = _made_bits.set(0.0)
    try:
        with localcontext(_DECIMALS):
            yield
    except DivisionByZero:
        raise ToolFailed("Division by zero: it has no result.") from None
    except Overflow:
        raise ToolFailed("The result is too large, beyond 1e999999. Calculate its logarithm instead.") from None
    except Underflow:
        raise ToolFailed("The result is too close to zero, below 1e-999999. Calculate its logarithm instead.") from None
    except InvalidOperation:
        raise ToolFailed("There is no real number that is the result.") from None
    finally:
        _made_bits.reset(token)


def bits(number: int | Fraction) -> int:
    """How much there is to calculate with: the length of the number, or of its numerator and denominator."""
    if isinstance(number, int):
        return number.bit_length()
    return number.numerator.bit_length() + number.denominator.bit_length()


def exact(number: Fraction) -> Number:
    """The fraction as a whole number where it is one, and as a decimal where it is too long to be of use."""
    if number.denominator == 1:
        return number.numerator
    return number if bits(number) <= FRACTION_BITS else decimal(number)


def decimal(number: Number) -> Decimal:
    """The number as a decimal (inside a `calculation()`)."""
    match number:
        case int():
            spare = max(0, number.bit_length() - 4 * PRECISION)  # digits that would be rounded away cost quadratic time
            return Decimal(number >> spare) * Decimal(2) ** spare
        case Fraction():
            return decimal(number.numerator) / decimal(number.denominator)
        case _:
            return number


def check_size(size_bits: float) -> None:
    """Refuses a whole number before it is made, and counts it.

    Args:
        size_bits: How many bits it would have.
    """
    if size_bits > MAX_BITS:
        digits = f"about {size_bits * math.log10(2):,.0f}" if size_bits < 1e15 else "far too many"
        raise ToolFailed(
            f"The result would have {digits} digits; the limit is {MAX_BITS * math.log10(2):,.0f}. "
            "Calculate its logarithm instead: log10(a^b) is b*log10(a)."
        )
    made_bits = _made_bits.get()
    if made_bits is not None:
        if made_bits + size_bits > MAX_TOTAL_BITS:
            raise ToolFailed("There are too many huge numbers in one expression. Calculate it in parts.")
        _made_bits.set(made_bits + size_bits)


def add(a: Number, b: Number) -> Number:
    """The sum."""
    if isinstance(a, Decimal) or isinstance(b, Decimal):
        x, y = decimal(a), decimal(b)
        total = x + y
        return Decimal(0) if abs(total) < max(abs(x), abs(y)) * _NOISE else total
    if isinstance(a, int) and isinstance(b, int):
        return a + b  # one bit longer than the longer one, at most
    return exact(Fraction(a) + b) if bits(a) + bits(b) <= 2 * FRACTION_BITS else add(decimal(a), b)


def magnitude(a: Number) -> Number:
    """The number without its sign."""
    return -a if a < 0 else a


def subtract(a: Number, b: Number) -> Number:
    """The difference."""
    return add(a, -b)


def multiply(a: Number, b: Number) -> Number:
    """The product."""
    if isinstance(a, Decimal) or isinstance(b, Decimal):
        return decimal(a) * decimal(b)
    if isinstance(a, int) and isinstance(b, int):
        check_size(bits(a) + bits(b) - 1)
        return a * b
    return exact(Fraction(a) * b) if bits(a) + bits(b) <= 2 * FRACTION_BITS else multiply(decimal(a), b)


def divide(a: Number, b: Number) -> Number:
    """The quotient, exact where both are."""
    if b == 0:
        raise ToolFailed("Division by zero: it has no result.")
    if isinstance(a, Decimal) or isinstance(b, Decimal):
        return decimal(a) / decimal(b)
    if bits(a) + bits(b) <= 2 * FRACTION_BITS:
        return exact(Fraction(a) / b)
    if isinstance(a, int) and isinstance(b, int):
        quotient, rest = divmod(a, b)
        if rest == 0:
            return quotient
    return divide(decimal(a), b)


def whole(a: Number, rounding: Callable[[Fraction | Decimal], int] = math.floor) -> int:
    """The number without its fraction.

    Args:
        a: The number. A decimal that is whole but for rounding errors is taken as that whole number.
        rounding: Which whole number to take: `math.floor`, `math.ceil`, `math.trunc` or `half_away`.
    """
    match a:
        case int():
            return a
        case Fraction():
            return rounding(a)
    if a.adjusted() >= PRECISION - 15:
        raise ToolFailed("The number is too large, and not exact enough, to say which whole number it is.")
    nearest = round(a)
    return nearest if subtract(a, nearest) == 0 else rounding(a)


def half_away(a: Fraction | Decimal) -> int:
    """The nearest whole number; halves go away from zero, as people round."""
    return math.floor(a * 2 + 1) // 2 if a >= 0 else -(math.floor(1 - a * 2) // 2)


def floor_divide(a: Number, b: Number) -> Number:
    """The whole part of the quotient, rounded down."""
    if isinstance(a, int) and isinstance(b, int) and b:
        return a // b
    return whole(divide(a, b))


def modulo(a: Number, b: Number) -> Number:
    """What the floor division leaves over; it has the sign of `b`."""
    if isinstance(a, int) and isinstance(b, int) and b:
        return a % b
    return subtract(a, multiply(b, floor_divide(a, b)))


def shift(a: Number, places: Number) -> Number:
    """The whole number moved to the left by so many binary places; to the right if they are negative."""
    if not isinstance(a, int) or not isinstance(places, int):
        raise ToolFailed("<< and >> take whole numbers only. Multiply or divide by a power of 2 instead.")
    if places < 0:
        return a >> -places
    check_size(bits(a) + places if a else 0)
    return a << places if a else 0


def compare(a: Number, b: Number) -> int:
    """-1, 0 or 1, as `a` is smaller than, equal to or greater than `b` (to the precision that they have)."""
    if isinstance(a, int) and isinstance(b, int):
        return (a > b) - (a < b)
    difference = subtract(a, b)
    return (difference > 0) - (difference < 0)


def power(base: Number, exponent: Number) -> Number:
    """The power: exact where it can be, and never a complex number."""
    if isinstance(base, Decimal) or isinstance(exponent, Decimal):
        return _decimal_power(base, exponent)
    if isinstance(exponent, Fraction):
        root = exact_root(base, exponent.denominator)
        return _decimal_power(base, exponent) if root is None else power(root, exponent.numerator)
    if base in (0, 1, -1):
        return _trivial_power(base, exponent)
    if isinstance(base, int) and exponent >= 0:
        check_size(_power_bits(base, exponent))
        result: int = base**exponent
        return result
    top, bottom = base.as_integer_ratio()
    if _power_bits(top, abs(exponent)) + _power_bits(bottom, abs(exponent)) > FRACTION_BITS:
        return _decimal_power(base, exponent)
    return exact(Fraction(base) ** exponent)


def _trivial_power(base: Number, exponent: int) -> int:
    if base == 0 and exponent < 0:
        raise ToolFailed("Division by zero: zero has no negative powers.")
    if base == 0:
        return int(exponent == 0)
    return -1 if base == -1 and exponent % 2 else 1


def _power_bits(base: int, exponent: int) -> float:
    """The length of a whole number's power, without making it."""
    if exponent.bit_length() > 64:
        return 0.0 if abs(base) == 1 else math.inf
    return math.log2(abs(base)) * exponent


def _decimal_power(base: Number, exponent: Number) -> Decimal:
    if base == 0:
        if exponent <= 0:
            raise ToolFailed("Division by zero: zero has no negative powers.")
        return Decimal(0)
    if base < 0:
        nearest = whole(exponent)
        if compare(exponent, nearest) != 0:
            raise ToolFailed(
                "A negative number to a fractional power is no real number. For odd roots write -(8^(1/3)) or cbrt(-8)."
            )
        exponent = nearest
    return decimal(base) ** decimal(exponent)


def exact_root(a: int | Fraction, degree: int) -> int | Fraction | None:
    """The root of a number that is not negative, if it is a whole number or a fraction; else None."""
    if a < 0:
        return None
    top, bottom = (_whole_root(part, degree) for part in a.as_integer_ratio())
    if top is None or bottom is None:
        return None
    return top if bottom == 1 else Fraction(top, bottom)


def _whole_root(a: int, degree: int) -> int | None:
    if a in (0, 1):
        return a
    if degree >= a.bit_length():
        return None
    if degree == 2:
        root = math.isqrt(a)
    else:
        guess = decimal(a) ** (1 / Decimal(degree))
        if guess.adjusted() >= PRECISION - 15:
            return None
        root = round(guess)
    return root if root**degree == a else None


def to_text(number: Number, *, exact_digits: int = 30, digits: int = 16) -> str:
    """The number as people write it.

    Args:
        number: The number.
        exact_digits: A decimal fraction that ends within so many digits is written out.
        digits: What is longer, or never ends, is rounded to so many significant digits.
    """
    if isinstance(number, int):
        return _integer_text(number)
    try:
        top, bottom = number.as_integer_ratio() if isinstance(number, Fraction) else (number, 1)
        exactly = Context(prec=exact_digits, traps=[Inexact])
        return _decimal_text(exactly.divide(Decimal(top), Decimal(bottom)), max(exact_digits, 21))
    except Inexact:
        with calculation():
            return _decimal_text(Context(prec=digits).plus(decimal(number)), digits)


def _integer_text(number: int) -> str:
    size = abs(number)
    if size < 10**LONGEST_INTEGER:
        return str(number)
    digits = int(math.log10(size)) + 1
    digits += (size >= 10**digits) - (size < 10 ** (digits - 1))
    with calculation():
        shown = _decimal_text(Context(prec=16, Emax=10**6).plus(decimal(number)), 16)
    return f"{shown} (a whole number of {digits:,} digits)"


def _decimal_text(number: Decimal, longest: int) -> str:
    """Plain between a millionth and `longest` digits, scientific beyond."""
    number = number.normalize(Context(prec=PRECISION, Emin=-(10**6), Emax=10**6))
    if number == 0:
        return "0"
    if -6 <= number.adjusted() < longest:
        return f"{number:f}"
    sign, digits, _ = number.as_tuple()
    mantissa = f"{digits[0]}.{''.join(map(str, digits[1:]))}".rstrip(".")
    return f"{'-' if sign else ''}{mantissa}e{number.adjusted():+d}"
