"""Units: a value in one unit, as the same value in another."""

from __future__ import annotations

from agentkit import tool
from agentkit_tools._conversion import convert


@tool(
    timeout_s=10,
    idempotent=True,
    examples=[
        ("Convert 9 gallons to liters.", {"value": 9, "from_unit": "gallons", "to_unit": "liters"}),
        ("How many seconds are in 7 minutes?", {"value": 7, "from_unit": "minutes", "to_unit": "seconds"}),
        ("What is 20 yards in feet?", {"value": 20, "from_unit": "yards", "to_unit": "feet"}),
    ],
)
def units(value: float, from_unit: str, to_unit: str) -> str:
    """Convert a value from one unit to another unit.

    Knows units of length, mass, temperature, volume, area, speed, time, data, energy, pressure, power and angle.

    Args:
        value: The number to convert.
        from_unit: The unit that the value has, such as miles, kg, °F, fl oz, km/h, square feet or MB.
        to_unit: The unit to convert into.
    """
    return convert(value, from_unit, to_unit)
