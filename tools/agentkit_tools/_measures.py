"""The units and what they measure.

A unit has a dimension (how often length, mass, time, ... go into it) and a factor to the base of that dimension.
Prefixes are applied by rule, not listed. All factors are exact, as they are defined; only the radian and the parsec,
which hold pi, are rounded to 80 digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from operator import add, sub
from typing import TypeAlias

from agentkit_tools._functions import PI

Dimension: TypeAlias = tuple[int, ...]
"""Exponents of length (m), mass (kg), time (s), temperature (K), data (bit) and angle (degree)."""

LENGTH: Dimension = (1, 0, 0, 0, 0, 0)
MASS: Dimension = (0, 1, 0, 0, 0, 0)
TIME: Dimension = (0, 0, 1, 0, 0, 0)
TEMPERATURE: Dimension = (0, 0, 0, 1, 0, 0)
DATA: Dimension = (0, 0, 0, 0, 1, 0)
ANGLE: Dimension = (0, 0, 0, 0, 0, 1)
AREA: Dimension = (2, 0, 0, 0, 0, 0)
VOLUME: Dimension = (3, 0, 0, 0, 0, 0)
SPEED: Dimension = (1, 0, -1, 0, 0, 0)
FORCE: Dimension = (1, 1, -2, 0, 0, 0)
ENERGY: Dimension = (2, 1, -2, 0, 0, 0)
POWER: Dimension = (2, 1, -3, 0, 0, 0)
PRESSURE: Dimension = (-1, 1, -2, 0, 0, 0)
FREQUENCY: Dimension = (0, 0, -1, 0, 0, 0)
DATA_RATE: Dimension = (0, 0, -1, 0, 1, 0)

DIMENSION_NAMES: Mapping[Dimension, str] = {
    LENGTH: "length",
    MASS: "mass",
    TIME: "time",
    TEMPERATURE: "temperature",
    DATA: "data",
    ANGLE: "angle",
    AREA: "area",
    VOLUME: "volume",
    SPEED: "speed",
    FORCE: "force",
    ENERGY: "energy",
    POWER: "power",
    PRESSURE: "pressure",
    FREQUENCY: "frequency",
    DATA_RATE: "data rate",
}


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit.

    Attributes:
        label: How it is written.
        dimension: What it measures.
        factor: How many base units it is.
        zero: Where its zero lies, in base units (temperatures).
    """

    label: str
    dimension: Dimension
    factor: Fraction
    zero: Fraction = Fraction(0)

    def __mul__(self, other: Unit) -> Unit:
        """The product; a temperature in it is a difference."""
        dimension = tuple(map(add, self.dimension, other.dimension))
        return Unit(f"{self.label}*{other.label}", dimension, self.factor * other.factor)

    def __truediv__(self, other: Unit) -> Unit:
        """The quotient."""
        dimension = tuple(map(sub, self.dimension, other.dimension))
        return Unit(f"{self.label}/{other.label}", dimension, self.factor / other.factor)

    def power(self, exponent: int) -> Unit:
        """The unit multiplied with itself."""
        dimension = tuple(exponent * a for a in self.dimension)
        return Unit(f"{self.label}^{exponent}", dimension, self.factor**exponent)


_SI: Mapping[str, tuple[str, int]] = {
    "p": ("pico", -12),
    "n": ("nano", -9),
    "u": ("micro", -6),
    "m": ("milli", -3),
    "c": ("centi", -2),
    "d": ("deci", -1),
    "h": ("hecto", 2),
    "k": ("kilo", 3),
    "M": ("mega", 6),
    "G": ("giga", 9),
    "T": ("tera", 12),
    "P": ("peta", 15),
}
_BINARY: Mapping[str, tuple[str, int]] = {
    "Ki": ("kibi", 10),
    "Mi": ("mebi", 20),
    "Gi": ("gibi", 30),
    "Ti": ("tebi", 40),
    "Pi": ("pebi", 50),
}
_ALL = "pnumcdhkMGTP"
_LARGE = "kMGTP"

_INCH = Fraction("0.0254")
_POUND = Fraction("0.45359237")
_GALLON = 231 * _INCH**3
_IMPERIAL_GALLON = Fraction("0.00454609")
_POUND_FORCE = _POUND * Fraction("9.80665")
_ATMOSPHERE = Fraction(101325)
_MMHG = Fraction("133.322387415")
_YEAR = Fraction("365.25") * 86400
_RADIAN = Fraction(180) / Fraction(PI)
_FAHRENHEIT = Fraction(5, 9)

_Row: TypeAlias = tuple[str, Fraction | int | str, str, str]
"""Symbols (the first is the label; case counts), factor, names (case does not count), SI prefixes.

The plural of a name is made with an s; any other stands behind a slash.
"""

_ROWS: Mapping[Dimension, tuple[_Row, ...]] = {
    LENGTH: (
        ("m", 1, "meter, metre", _ALL),
        ("in, ″", _INCH, "inch/inches", ""),
        ("ft, ′", 12 * _INCH, "foot/feet", ""),
        ("yd, yds", 36 * _INCH, "yard", ""),
        ("mi", 63360 * _INCH, "mile, statute mile", ""),
        ("nmi, NM", 1852, "nautical mile", ""),
        ("mil", _INCH / 1000, "thou", ""),
        ("fathom", 72 * _INCH, "fathom", ""),
        ("furlong", 7920 * _INCH, "furlong", ""),
        ("Å", "1e-10", "angstrom", ""),
        ("um", "1e-6", "micron", ""),
        ("au, AU", 149597870700, "astronomical unit", ""),
        ("ly", 9460730472580800, "light year, lightyear", ""),
        ("pc", Fraction(149597870700 * 648000) / Fraction(PI), "parsec", "kM"),
    ),
    MASS: (
        ("g", "0.001", "gram, gramme", _ALL),
        ("t", 1000, "tonne, metric ton", "kM"),
        ("lb, lbs", _POUND, "pound", ""),
        ("oz", _POUND / 16, "ounce", ""),
        ("st", 14 * _POUND, "stone", ""),
        ("US ton", 2000 * _POUND, "ton, short ton, us ton", ""),
        ("long ton", 2240 * _POUND, "long ton, imperial ton", ""),
        ("gr", _POUND / 7000, "grain", ""),
        ("ct", "0.0002", "carat", ""),
        ("oz t", "0.0311034768", "troy ounce", ""),
    ),
    TIME: (
        ("s", 1, "second, sec", "pnum"),
        ("min", 60, "minute, min", ""),
        ("h, hr, hrs", 3600, "hour", ""),
        ("d", 86400, "day", ""),
        ("wk, wks", 604800, "week", ""),
        ("fortnight", 1209600, "fortnight", ""),
        ("mo", _YEAR / 12, "month", ""),
        ("yr, yrs, a", _YEAR, "year", ""),
        ("decade", 10 * _YEAR, "decade", ""),
        ("century", 100 * _YEAR, "century/centuries", ""),
        ("millennium", 1000 * _YEAR, "millennium/millennia", ""),
    ),
    DATA: (
        ("b", 1, "bit", _LARGE),
        ("B, byte", 8, "byte", _LARGE),
        ("kB, KB", 8000, "kilobyte", ""),
    ),
    DATA_RATE: (
        ("bps", 1, "bit per second", _LARGE),
        ("Bps", 8, "byte per second", _LARGE),
    ),
    ANGLE: (
        ("deg, °", 1, "degree, degree of arc", ""),
        ("rad", _RADIAN, "radian", "um"),
        ("gon, grad", "0.9", "gradian", ""),
        ("turn, rev", 360, "turn, revolution, full circle", ""),
        ("arcmin", Fraction(1, 60), "arcminute, minute of arc", ""),
        ("arcsec", Fraction(1, 3600), "arcsecond, second of arc", ""),
    ),
    AREA: (
        ("ha", 10000, "hectare", ""),
        ("ac", 43560 * (12 * _INCH) ** 2, "acre", ""),
        ("m^2, sqm, qm", 1, "", ""),
        ("ft^2, sqft", (12 * _INCH) ** 2, "", ""),
        ("mi^2, sqmi", (63360 * _INCH) ** 2, "", ""),
    ),
    VOLUME: (
        ("L, l", "0.001", "liter, litre", "umcdhkM"),
        ("cm^3, cc, ccm", "1e-6", "", ""),
        ("m^3, cbm", 1, "", ""),
        ("gal", _GALLON, "gallon, us gallon", ""),
        ("qt", _GALLON / 4, "quart, us quart", ""),
        ("pt", _GALLON / 8, "pint, us pint", ""),
        ("cup", _GALLON / 16, "cup, us cup, c/c", ""),
        ("fl oz, floz, oz", _GALLON / 128, "fluid ounce, us fluid ounce, ounce, fl ounce", ""),
        ("tbsp, Tbsp", _GALLON / 256, "tablespoon", ""),
        ("tsp", _GALLON / 768, "teaspoon", ""),
        ("bbl", 42 * _GALLON, "barrel, oil barrel", ""),
        ("imp gal", _IMPERIAL_GALLON, "imperial gallon, uk gallon", ""),
        ("imp qt", _IMPERIAL_GALLON / 4, "imperial quart, uk quart", ""),
        ("imp pt", _IMPERIAL_GALLON / 8, "imperial pint, uk pint", ""),
        ("imp fl oz", _IMPERIAL_GALLON / 160, "imperial fluid ounce, uk fluid ounce", ""),
    ),
    SPEED: (
        ("mph", 63360 * _INCH / 3600, "mile per hour", ""),
        ("km/h, kph, kmh, kmph", Fraction(1000, 3600), "kilometer per hour, kilometre per hour", ""),
        ("kn, kt, kts", Fraction(1852, 3600), "knot", ""),
        ("ft/s, fps", 12 * _INCH, "foot per second/feet per second", ""),
    ),
    FORCE: (
        ("N", 1, "newton", "mkM"),
        ("lbf", _POUND_FORCE, "pound force", ""),
        ("kgf", "9.80665", "kilogram force", ""),
    ),
    ENERGY: (
        ("J", 1, "joule", "umkMGT"),
        ("cal", "4.184", "calorie", "k"),
        ("kcal, Cal", 4184, "food calorie, large calorie", ""),
        ("Wh", 3600, "watt hour", "mkMGT"),
        ("eV", "1.602176634e-19", "electronvolt, electron volt", "mkMGT"),
        ("BTU, Btu", "1055.05585262", "british thermal unit", ""),
        ("therm", 105505585 + Fraction("0.262"), "therm", ""),
        ("ft*lbf, ft lb, ftlb", _POUND_FORCE * 12 * _INCH, "foot pound", ""),
        ("erg", "1e-7", "erg", ""),
    ),
    POWER: (
        ("W", 1, "watt", "pnumkMGT"),
        ("hp, HP", 550 * _POUND_FORCE * 12 * _INCH, "horsepower", ""),
        ("PS", "735.49875", "metric horsepower", ""),
    ),
    PRESSURE: (
        ("Pa", 1, "pascal", "umhkMG"),
        ("bar", 100000, "bar", "mk"),
        ("atm", _ATMOSPHERE, "atmosphere", ""),
        ("psi", _POUND_FORCE / _INCH**2, "pound per square inch", ""),
        ("Torr, torr", _ATMOSPHERE / 760, "torr", ""),
        ("mmHg, mm Hg", _MMHG, "millimeter of mercury, millimetre of mercury", ""),
        ("inHg, in Hg", Fraction("25.4") * _MMHG, "inch of mercury/inches of mercury", ""),
    ),
    FREQUENCY: (("Hz", 1, "hertz/hertz", "mkMGT"),),
}

_TEMPERATURES: tuple[tuple[Unit, tuple[str, ...]], ...] = (
    (Unit("K", TEMPERATURE, Fraction(1)), ("kelvin", "kelvins", "k")),
    (Unit("°C", TEMPERATURE, Fraction(1), Fraction("273.15")), ("c", "celsius", "centigrade")),
    (Unit("°F", TEMPERATURE, _FAHRENHEIT, Fraction("459.67") * _FAHRENHEIT), ("f", "fahrenheit")),
    (Unit("°R", TEMPERATURE, _FAHRENHEIT), ("rankine",)),
)


@dataclass(frozen=True, slots=True)
class Index:
    """The units by what they are called; one name may be that of several.

    Attributes:
        symbols: By symbol, as it is written.
        names: By name or symbol in small letters.
    """

    symbols: Mapping[str, tuple[Unit, ...]]
    names: Mapping[str, tuple[Unit, ...]]


@cache
def index() -> Index:
    """All units. Made at the first question, because a program that never converts need not pay for it."""
    symbols: dict[str, tuple[Unit, ...]] = {}
    names: dict[str, tuple[Unit, ...]] = {}
    for unit, its_symbols, its_names in _units():
        for symbol in its_symbols:
            symbols[symbol] = (*symbols.get(symbol, ()), unit)
        for name in dict.fromkeys([*its_names, *(symbol.casefold() for symbol in its_symbols)]):
            names[name] = (*names.get(name, ()), unit)
    return Index(symbols, names)


def _units() -> Iterator[tuple[Unit, list[str], list[str]]]:
    """Every unit with its symbols and names."""
    for unit, names in _TEMPERATURES:
        spelled = [f"{degree}{name}" for degree in ("", "degree ", "degrees ", "deg ") for name in names]
        yield unit, [unit.label], spelled
    for dimension, rows in _ROWS.items():
        for row in rows:
            yield from _row_units(dimension, row)


def _row_units(dimension: Dimension, row: _Row) -> Iterator[tuple[Unit, list[str], list[str]]]:
    symbols, names = row[0].split(", "), _with_plurals(row[2])
    factor = Fraction(row[1])
    yield Unit(symbols[0], dimension, factor), symbols, names
    prefixes = [(symbol, *_SI[symbol], 10) for symbol in row[3]]
    if dimension in {DATA, DATA_RATE} and prefixes:
        prefixes += [(symbol, word, exponent, 2) for symbol, (word, exponent) in _BINARY.items()]
    for symbol, word, exponent, base in prefixes:
        unit = Unit(symbol + symbols[0], dimension, factor * Fraction(base) ** exponent)
        yield unit, [symbol + s for s in symbols if len(s) <= 3], [word + name for name in names]


def _with_plurals(names: str) -> list[str]:
    """Each name and its plural: that of `meter per second` is `meters per second`."""
    found = []
    for name in filter(None, names.split(", ")):
        singular, _, plural = name.partition("/")
        found += [singular, plural or re.sub(r"^.*?(?= per | of |$)", r"\g<0>s", singular, count=1)]
    return found
