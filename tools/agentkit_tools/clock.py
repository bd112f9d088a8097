"""The clock: what time and day it is, anywhere."""

from __future__ import annotations

import datetime as dt

from agentkit import tool
from agentkit_tools._zones import find_zone


@tool(
    timeout_s=10,
    idempotent=True,
    examples=[
        ("What time is it in Lisbon?", {"timezone": "Europe/Lisbon"}),
        ("Time in America/Chicago?", {"timezone": "America/Chicago"}),
        ("Time in Australia/Perth?", {"timezone": "Australia/Perth"}),
        ("What's the time in Seoul?", {"timezone": "Asia/Seoul"}),
    ],
)
def clock(timezone: str = "UTC") -> str:
    """Get the current date and time in a time zone.

    Args:
        timezone: An IANA name (Europe/Paris, America/New_York), a large city, an offset such as UTC+2, or "local".
    """
    return _tell(timezone, dt.datetime.now(dt.UTC))


def _tell(timezone: str, now: dt.datetime) -> str:
    """The line that the tool answers with.

    Args:
        timezone: What somebody calls the zone.
        now: The moment, aware of its own zone.
    """
    name, zone = find_zone(timezone)
    there = now.astimezone(zone)
    time = there.isoformat(timespec="seconds")
    offset = f"UTC{time[-6:]}"
    return f"{time} {there:%A} ({offset if name == offset else f'{name}, {offset}'})"
