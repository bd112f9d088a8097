"""Units: a value in one unit, as the same value in another."""

from __future__ import annotations

from agentkit import tool
from agentkit_tools._conversion import convert


@tool(
    timeout_s=10,
    idempotent=True,
    examples=[
        ("Convert 12 ounces to grams.", {"value": 12, "from_unit": "ounces", "to_unit": "grams"}),
        ("How many feet are in 6 yards?", {"value": 6, "from_unit": "yards", "to_unit": "feet"}),
        ("What is 20 degrees Celsius in Fahrenheit?", {"value": 20, "from_unit": "Celsius", "to_unit": "Fahrenheit"}),
        ("How many pounds is 8 kg?", {"value": 8, "from_unit": "kg", "to_unit": "pounds"}),
    ],
)
def units(value: float, from_unit: str, to_unit: str) -> str:
    """Convert a value from one unit into another.

    Knows units of length, mass, temperature, volume, area, speed, time, data, energy, pressure, power and angle.

    Args:
        value: The number to convert.
        from_unit: The unit that the value has, such as miles, kg, °F, fl oz, km/h, square feet or MB.
        to_unit: The unit to convert into.
    """
    return convert(value, from_unit, to_unit)
