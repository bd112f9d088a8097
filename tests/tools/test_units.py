"""Units: how they are read, what they convert to, and what is refused."""

from __future__ import annotations

import math
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit.errors import ToolFailed
from agentkit_tools._conversion import convert
from agentkit_tools._measures import index

CONVERSIONS = [
    # length, mass
    (5, "ft", "m", "5 ft = 1.524 m"),
    (26.2, "miles", "kilometers", "26.2 mi = 42.1648128 km"),
    (0.1, "m", "cm", "0.1 m = 10 cm"),
    (6, "feet", "inches", "6 ft = 72 in"),
    (1, "µm", "nm", "1 um = 1000 nm"),
    (1, "light-year", "km", "1 ly = 9460730472580.8 km"),
    (1, "lb", "kg", "1 lb = 0.45359237 kg"),
    (1, "ton", "kg", "1 US ton = 907.18474 kg"),
    (1, "metric tons", "kg", "1 t = 1000 kg"),
    (11, "stone", "lb", "11 st = 154 lb"),
    # temperature
    (98.6, "F", "C", "98.6 °F = 37 °C"),
    (20, "degrees celsius", "degree fahrenheit", "20 °C = 68 °F"),
    (-40, "°C", "°F", "-40 °C = -40 °F"),
    (0, "K", "celsius", "0 K = -273.15 °C"),
    (1, "c", "f", "1 °C = 33.8 °F"),
    # area, volume
    (1, "acre", "m^2", "1 ac = 4046.8564224 m^2"),
    (2, "sq. ft.", "square inches", "2 ft^2 = 288 in^2"),
    (1, "m²", "cm2", "1 m^2 = 10000 cm^2"),
    (1, "km**2", "hectares", "1 km^2 = 100 ha"),
    (1, "cubic meter", "liters", "1 m^3 = 1000 L"),
    (1, "cubic inches", "cc", "1 in^3 = 16.387064 cm^3"),
    (1, "gallon", "fl oz", "1 gal = 128 fl oz"),
    (1, "imperial pint", "ml", "1 imp pt = 568.26125 mL"),
    (2, "c", "tbsp", "2 cup = 32 tbsp"),
    # speed, time
    (100, "km/h", "m/s", "100 km/h = 27.77777778 m/s"),
    (60, "mph", "feet per second", "60 mph = 88 ft/s"),
    (36, "kilometers per hour", "meters per second", "36 km/h = 10 m/s"),
    (1, "knot", "kph", "1 kn = 1.852 km/h"),
    (90, "min", "hours", "90 min = 1.5 h"),
    (1, "year", "days", "1 yr = 365.25 d"),
    # data
    (1, "GB", "MB", "1 GB = 1000 MB"),
    (1, "GiB", "MiB", "1 GiB = 1024 MiB"),
    (1, "Gb", "MB", "1 Gb = 125 MB"),
    (1, "KB", "bytes", "1 kB = 1000 B"),
    (1, "kibibyte", "bits", "1 KiB = 8192 b"),
    (100, "Mbps", "MB/s", "100 Mbps = 12.5 MB/s"),
    # energy, power, pressure, angle
    (1, "kWh", "MJ", "1 kWh = 3.6 MJ"),
    (1, "kilowatt-hours", "J", "1 kWh = 3600000 J"),
    (500, "kcal", "kJ", "500 kcal = 2092 kJ"),
    (1, "MW", "mW", "1 MW = 1000000000 mW"),
    (1, "hp", "W", "1 hp = 745.6998716 W"),
    (30, "psi", "bar", "30 psi = 2.068427188 bar"),
    (1, "pounds per square inch", "psi", "1 psi = 1 psi"),
    (1, "atm", "mmHg", "1 atm = 759.9998917 mmHg"),
    (1, "mPa", "Pa", "1 mPa = 0.001 Pa"),
    (180, "degrees", "radians", "180 deg = 3.141592654 rad"),
    (1, "turn", "°", "1 turn = 360 deg"),
    # compounds
    (1, "kg*m/s^2", "N", "1 kg*m/s^2 = 1 N"),
    (1, "N·m", "J", "1 N*m = 1 J"),
    (9.80665, "m/s²", "ft/s²", "9.80665 m/s^2 = 32.17404856 ft/s^2"),
    (1, "L/min", "gal/hour", "1 L/min = 15.85032314 gal/h"),
    # case where it makes no difference
    (5, "KM", "MI", "5 km = 3.106855961 mi"),
    (5, "Kg", "LB", "5 kg = 11.02311311 lb"),
]


@pytest.mark.parametrize(("value", "source", "target", "line"), CONVERSIONS)
def test_a_value_is_converted(value, source, target, line):
    """Exact where the result is short, ten digits where it is long, and both units as they were understood."""
    assert convert(value, source, target) == line


FITTING = [
    (8, "oz", "g", "8 oz = 226.796185 g"),
    (8, "oz", "cups", "8 fl oz = 1 cup"),
    (1, "cup", "ounces", "1 cup = 8 fl oz"),
    (1, "kt", "km/h", "1 kn = 1.852 km/h"),
    (1, "kt", "kg", "1 kt = 1000000 kg"),
]


@pytest.mark.parametrize(("value", "source", "target", "line"), FITTING)
def test_a_name_of_several_units_is_the_one_that_fits(value, source, target, line):
    """An ounce is a volume beside a cup, and a weight beside a gram."""
    assert convert(value, source, target) == line


REFUSED = [
    (1, "mw", "kW", "'mw' could be mW or MW"),
    (1, "gb", "MB", "'gb' could be Gb or GB"),
    (1, "mpa", "Pa", "'mpa' could be mPa or MPa"),
    (5, "kg", "m", "'kg' measures mass, 'm' measures length"),
    (5, "oz", "s", "'oz' measures mass or volume, 's' measures time"),
    (5, "degrees", "F", "measures angle"),
    (5, "meterz", "m", "Did you mean meter"),
    (5, "killograms", "g", "kilogram"),
    (5, "smoots", "m", "'smoots' is not known"),
    (5, "", "m", "Write for example"),
    (5, "/", "m", "is not known"),
    (5, "m//s", "m", "is not known"),
    (5, "m^99", "m", "is not known"),
    (5, "m", "x" * 100_000, "at most 60 characters"),
    (-300, "C", "F", "-300 °C is below absolute zero"),
    (-1, "K", "C", "below absolute zero"),
    (float("inf"), "m", "km", "must be a number"),
    (float("nan"), "m", "km", "must be a number"),
]


@pytest.mark.parametrize(("value", "source", "target", "hint"), REFUSED)
def test_what_cannot_be_converted_is_said_with_a_way_out(value, source, target, hint):
    """Unknown names bring proposals, unclear ones bring the choices."""
    with pytest.raises(ToolFailed) as caught:
        convert(value, source, target)
    assert hint in str(caught.value)
    assert len(str(caught.value)) < 300


def test_extreme_values_are_converted_exactly():
    """No float overflows or underflows on the way."""
    assert convert(1e308, "m", "pm") == "1e+308 m = 1e+320 pm"
    assert convert(5e-324, "m", "Tm").endswith("= 5e-336 Tm")


def test_every_unit_is_read_as_it_is_shown():
    """A model can ask again with what it was told."""
    for units in index().symbols.values():
        for unit in units:
            assert convert(3, unit.label, unit.label).endswith(f"= 3 {unit.label}")


@given(st.floats(-1e12, 1e12), st.sampled_from(["m", "lb", "°F", "km/h", "GiB", "rad", "acre"]), st.data())
@settings(deadline=None)
def test_there_and_back_is_where_it_was(value, unit, data):
    """Converting back gives the value again, to the ten digits that are shown."""
    same = {"m": "mi", "lb": "t", "°F": "K", "km/h": "kn", "GiB": "kb", "rad": "turn", "acre": "ft^2"}
    if unit == "°F":
        value = abs(value)
    there = convert(value, unit, same[unit]).split(" = ")[1].split(" ")[0]
    back = convert(float(there), same[unit], unit).split(" = ")[1].split(" ")[0]
    assert math.isclose(float(back), value, rel_tol=1e-8, abs_tol=1e-7)


@given(st.text(max_size=30), st.text("kmgslbozft/^*²µ° per square", max_size=20))
@settings(deadline=None, max_examples=300)
def test_any_text_is_a_unit_or_refused(one, other):
    """Nothing but a line or a `ToolFailed` comes out."""
    for source, target in ((one, other), (other, one), (other, other)):
        with suppress(ToolFailed):
            assert "=" in convert(1, source, target)
