"""Reads units as people write them, and converts.

`km/h`, `square feet`, `m^2`, `kg·m/s²`, `meters per second` and `fl oz` are all units. Case counts where it makes a
difference (`mW` and `MW`, `b` and `B`), and only there. A name that stands for several units (`oz` is a weight and a
volume) is the one that fits to the other side; when several fit, none is guessed.
"""

from __future__ import annotations

import difflib
import itertools
import re
from fractions import Fraction
from typing import TypeAlias

from agentkit.errors import ToolFailed
from agentkit_tools._measures import DIMENSION_NAMES, TEMPERATURE, Unit, index
from agentkit_tools._numbers import to_text

_MAX_CHARS = 60
_EXPONENTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_Rewrites: TypeAlias = tuple[tuple[re.Pattern[str], str], ...]
_SPELLINGS: _Rewrites = (
    (re.compile("[µμ]"), "u"),
    (re.compile("º"), "°"),
    (re.compile("[·⋅×∙]"), "*"),
    (re.compile(r"\.(?!\d)"), ""),
    (re.compile(r"[\s_]+"), " "),
    (re.compile(r"(?<=[a-z])-(?=[a-z])", re.IGNORECASE), " "),
)
_POWERS: _Rewrites = (
    (re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+"), r"^\g<0>"),
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"\b(?:square|sq) ([^/*^]+?)(?= per |[/*^]|$)", re.IGNORECASE), r"\1^2"),
    (re.compile(r"\b(?:cubic|cu) ([^/*^]+?)(?= per |[/*^]|$)", re.IGNORECASE), r"\1^3"),
    (re.compile(" squared\\b", re.IGNORECASE), "^2"),
    (re.compile(" cubed\\b", re.IGNORECASE), "^3"),
)
_POWER = re.compile(r"(.*?[^\d^-])\s*\^?\s*\(?(-?[1-9])\)?")


def convert(value: float, from_unit: str, to_unit: str) -> str:
    """The value in the other unit, as `5 ft = 1.524 m`.

    Raises:
        ToolFailed: A unit is unknown or could be several, or the two measure different things.
    """
    try:
        number = Fraction(str(value))
    except ValueError:
        raise ToolFailed("The value must be a number.") from None
    source, target = _choose(from_unit, to_unit)
    base = number * source.factor + source.zero
    if source.dimension == TEMPERATURE and base < 0:
        raise ToolFailed(f"{to_text(number)} {source.label} is below absolute zero.")
    result = (base - target.zero) / target.factor
    return f"{_number(number)} {source.label} = {_number(result)} {target.label}"


def _number(number: Fraction) -> str:
    return to_text(number, exact_digits=15, digits=10)


def _choose(from_unit: str, to_unit: str) -> tuple[Unit, Unit]:
    """The two units that fit together."""
    sources, targets = _read(from_unit), _read(to_unit)
    fitting: dict[tuple[Fraction, ...], tuple[Unit, Unit]] = {}
    for source, target in itertools.product(sources, targets):
        if source.dimension == target.dimension:
            fitting.setdefault((source.factor / target.factor, source.zero, target.zero), (source, target))
    if not fitting:
        raise ToolFailed(
            f"{from_unit!r} measures {_measured(sources)}, {to_unit!r} measures {_measured(targets)}: "
            "one cannot be converted into the other."
        )
    if len(fitting) > 1:
        unclear, units = max(((from_unit, sources), (to_unit, targets)), key=lambda side: len(side[1]))
        raise ToolFailed(f"{unclear!r} could be {' or '.join(unit.label for unit in units)}. Write which one you mean.")
    return next(iter(fitting.values()))


def _measured(units: tuple[Unit, ...]) -> str:
    return " or ".join(dict.fromkeys(DIMENSION_NAMES.get(unit.dimension, "something else") for unit in units))


def _read(text: str) -> tuple[Unit, ...]:
    """The units that a text may mean.

    Raises:
        ToolFailed: It means none.
    """
    if len(text) > _MAX_CHARS:
        raise ToolFailed(f"A unit has at most {_MAX_CHARS} characters. Write for example km/h, square feet or fl oz.")
    spelled = _rewritten(text, _SPELLINGS)
    return _named(spelled) or _compound(_rewritten(spelled, _POWERS).translate(_EXPONENTS), text)


def _rewritten(text: str, rewrites: _Rewrites) -> str:
    for pattern, replacement in rewrites:
        text = pattern.sub(replacement, text)
    return text.strip()


def _named(name: str) -> tuple[Unit, ...]:
    return index().symbols.get(name) or index().names.get(name.casefold(), ())


def _compound(spelled: str, text: str) -> tuple[Unit, ...]:
    """The units of a text with powers, products and quotients, read from left to right."""
    if named := _named(spelled):
        return named
    parts = re.split(r"\s*(/| per |\*)\s*", spelled)
    products = _factor(parts[0], text)
    for operator, part in zip(parts[1::2], parts[2::2], strict=True):
        pairs = itertools.product(products, _factor(part, text))
        products = tuple(a * b if operator == "*" else a / b for a, b in pairs)
    return products


def _factor(part: str, text: str) -> tuple[Unit, ...]:
    if named := _named(part):
        return named
    power = _POWER.fullmatch(part)
    if power is not None and (named := _named(power[1].strip())):
        return tuple(unit.power(int(power[2])) for unit in named)
    raise ToolFailed(_unknown(part or text))


def _unknown(name: str) -> str:
    known = [*index().symbols, *(name for name in index().names if len(name) > 3)]
    near = dict.fromkeys(difflib.get_close_matches(name, known, n=4, cutoff=0.6))
    proposal = f"Did you mean {', '.join(near)}?" if near else "Write for example km, lb, fl oz, km/h or °C."
    return f"The unit {name!r} is not known. {proposal}"
