"""The clock: which zone a name means, and the line that is told."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit.errors import ToolFailed
from agentkit_tools import clock
from agentkit_tools._zones import _PLACES, _SEVERAL, find_zone
from agentkit_tools.clock import _tell

SUMMER = dt.datetime(2026, 7, 1, 12, 0, 30, 999, tzinfo=dt.UTC)

ZONES = [
    ("Europe/Paris", "Europe/Paris"),
    ("Europe/paris", "Europe/Paris"),
    ("EUROPE/PARIS", "Europe/Paris"),
    ("Paris", "Europe/Paris"),
    ("New York", "America/New_York"),
    ("new_york", "America/New_York"),
    ("America/New York", "America/New_York"),
    ("tokyo", "Asia/Tokyo"),
    ("São Paulo", "America/Sao_Paulo"),
    ("Zürich", "Europe/Zurich"),
    ("UTC", "UTC"),
    ("", "UTC"),
    ("Beijing", "Asia/Shanghai"),
    ("Asia/Beijing", "Asia/Shanghai"),
    ("America/San_Francisco", "America/Los_Angeles"),
    ("St. Petersburg", "Europe/Moscow"),
    ("Washington D.C.", "America/New_York"),
    ("Köln", "Europe/Berlin"),
    ("Germany", "Europe/Berlin"),
    ("Samoa", "Pacific/Apia"),
    ("Paris, France", "Europe/Paris"),
    ("New York, USA", "America/New_York"),
    ("Austin, Texas", "America/Chicago"),
    ("central", "US/Central"),
    ("Etc/GMT+2", "Etc/GMT+2"),
]


@pytest.mark.parametrize(("name", "zone"), ZONES)
def test_a_place_means_its_zone(name, zone):
    """A key in any spelling, the last part of one, a city, a country."""
    assert find_zone(name)[0] == zone


OFFSETS = [
    ("UTC+2", "2026-07-01T14:00:30+02:00"),
    ("GMT+2", "2026-07-01T14:00:30+02:00"),
    ("Etc/GMT+2", "2026-07-01T10:00:30-02:00"),
    ("UTC + 5:30", "2026-07-01T17:30:30+05:30"),
    ("+0530", "2026-07-01T17:30:30+05:30"),
    ("UTC−3", "2026-07-01T09:00:30-03:00"),
    ("PST", "2026-07-01T04:00:30-08:00"),
    ("PDT", "2026-07-01T05:00:30-07:00"),
    ("EST", "2026-07-01T07:00:30-05:00"),
    ("IST", "2026-07-01T17:30:30+05:30"),
]


@pytest.mark.parametrize(("name", "time"), OFFSETS)
def test_offsets_and_abbreviations_mean_what_their_letters_say(name, time):
    """GMT+2 is ahead of Greenwich, and PST is no daylight saving time."""
    assert _tell(name, SUMMER).startswith(time)


def test_the_line_holds_time_weekday_zone_and_offset():
    """One line, and its first word is ISO 8601."""
    assert _tell("Paris", SUMMER) == "2026-07-01T14:00:30+02:00 Wednesday (Europe/Paris, UTC+02:00)"
    assert _tell("UTC+2", SUMMER) == "2026-07-01T14:00:30+02:00 Wednesday (UTC+02:00)"
    assert _tell("Kiritimati", SUMMER) == "2026-07-02T02:00:30+14:00 Thursday (Pacific/Kiritimati, UTC+14:00)"


def test_daylight_saving_is_that_of_the_moment():
    """The same zone has another offset in winter."""
    assert "UTC-05:00" in _tell("New York", dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    assert "UTC-04:00" in _tell("New York", SUMMER)


def test_local_is_the_zone_of_the_machine():
    """The machine's own offset is used."""
    assert _tell("local", SUMMER).split()[0] == SUMMER.astimezone().isoformat(timespec="seconds")


def test_the_examples_show_how_zones_begin():
    """A small model copies what it is shown, and invents no continent."""
    shown = [arguments["timezone"] for _, arguments in clock.spec.examples]
    assert {name.partition("/")[0] for name in shown} == {"Europe", "America", "Australia", "Asia"}
    assert [find_zone(name)[0] for name in shown] == shown


UNKNOWN = [
    ("Pari", "Europe/Paris"),
    ("Tokio", "Asia/Tokyo"),
    ("Berln", "Europe/Berlin"),
    ("San Fransisco", "America/Los_Angeles"),
    ("Paris, Texas", "Europe/Paris"),
    ("USA", "America/Chicago"),
    ("Australia", "Australia/Perth"),
    ("qqqq", "IANA name"),
    ("UTC+15", "UTC+14"),
    ("UTC+5.5", "UTC+2"),
    ("../../etc/passwd", "IANA name"),
    ("/etc/localtime", "IANA name"),
    ("\x00", "IANA name"),
    ("x" * 100_000, "Europe/Paris"),
]


@pytest.mark.parametrize(("name", "proposal"), UNKNOWN)
def test_an_unknown_zone_is_answered_with_proposals(name, proposal):
    """The message names what is spelled like it, or how to write a zone."""
    with pytest.raises(ToolFailed) as caught:
        find_zone(name)
    assert proposal in str(caught.value)
    assert len(str(caught.value)) < 400


def test_every_place_of_the_tables_has_its_zone():
    """No table entry points to a zone that does not exist."""
    for place, zone in _PLACES.items():
        assert find_zone(place) == find_zone(zone)
    for zones in _SEVERAL.values():
        for zone in zones.split(", "):
            assert find_zone(zone)[0] == zone


@given(st.text(max_size=40))
@settings(deadline=None)
def test_any_text_is_a_zone_or_refused(text):
    """Nothing but a line or a `ToolFailed` comes out."""
    with suppress(ToolFailed):
        assert "\n" not in _tell(text, SUMMER)


WITHOUT_DATA = """
import sys
sys.modules["tzdata"] = None
from agentkit.errors import ToolFailed
from agentkit_tools import clock
from agentkit_tools._zones import find_zone
assert find_zone("UTC")[0] == "UTC" and find_zone("UTC+2")[0] == "UTC+02:00"
try:
    find_zone("Europe/Paris")
except ToolFailed as failure:
    print(failure)
"""


def test_a_machine_without_time_zone_data_says_so():
    """UTC and offsets work; anything else names the package that is missing."""
    environment = {"PYTHONTZPATH": "/nowhere"}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_DATA], capture_output=True, text=True, env=environment, check=False
    )
    assert "pip install tzdata" in done.stdout, done.stderr
