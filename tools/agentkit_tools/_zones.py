"""What people call a time zone, and which one it is.

In this order: the machine's own (`local`), an IANA key in any spelling (`europe/paris`), an offset (`UTC+2`), an
abbreviation (`PST`), a city or country that has no key (`Beijing`), and the last part of a key (`New York`).

An abbreviation means what its letters say: PST is eight hours behind UTC all year round. `GMT+2` means two hours ahead,
as people write it; IANA's `Etc/GMT+2` means two hours behind, and only its full name gets it.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from agentkit.errors import ToolFailed

_MAX_CHARS = 100
_OFFSET = re.compile(r"(?:utc|gmt|z)?_?([+-])_?(\d{1,2})(?::?([0-5]\d))?")
_LARGEST_OFFSET = dt.timedelta(hours=14)

_ABBREVIATIONS: Mapping[str, float] = {
    abbreviation: hours
    for hours, abbreviations in {  # ahead of UTC; EST, MST, HST, CET and the like are IANA keys
        -9: "akst",
        -8: "akdt pst",
        -7: "pdt",
        -6: "mdt cst",
        -5: "cdt",
        -4: "edt ast",
        -3: "adt brt art",
        -3.5: "nst",
        0: "utc gmt z",
        1: "bst",
        2: "cest sast",
        3: "eest msk",
        4: "gst",
        5: "pkt",
        5.5: "ist",
        7: "ict wib",
        8: "awst hkt sgt",
        9: "jst kst",
        9.5: "acst",
        10: "aest",
        11: "aedt",
        12: "nzst",
        13: "nzdt",
    }.items()
    for abbreviation in abbreviations.split()
}

_PLACES: Mapping[str, str] = {
    place: zone
    for zone, places in {
        "Africa/Cairo": "alexandria giza",
        "Africa/Casablanca": "marrakesh morocco rabat",
        "Africa/Johannesburg": "cape_town durban pretoria south_africa",
        "Africa/Lagos": "abuja nigeria",
        "Africa/Nairobi": "kenya",
        "America/Argentina/Buenos_Aires": "argentina",
        "America/Bogota": "colombia",
        "America/Caracas": "venezuela",
        "America/Chicago": "austin central_time ct dallas houston milwaukee minneapolis new_orleans san_antonio texas",
        "America/Denver": "albuquerque colorado mountain_time mt salt_lake_city",
        "America/Edmonton": "calgary",
        "America/Lima": "peru",
        "America/Los_Angeles": "california la las_vegas pacific_time pt sacramento san_diego san_francisco san_jose "
        "seattle sf silicon_valley",
        "America/New_York": "atlanta baltimore boston cleveland dc eastern_time et miami new_york_city nyc orlando "
        "philadelphia pittsburgh washington washington_dc",
        "America/Santiago": "chile",
        "America/Sao_Paulo": "brasilia rio rio_de_janeiro",
        "America/Toronto": "ottawa quebec",
        "Asia/Bangkok": "thailand",
        "Asia/Dhaka": "bangladesh",
        "Asia/Dubai": "abu_dhabi uae united_arab_emirates",
        "Asia/Ho_Chi_Minh": "hanoi vietnam",
        "Asia/Jakarta": "bandung java",
        "Asia/Karachi": "islamabad lahore pakistan",
        "Asia/Kathmandu": "nepal",
        "Asia/Kolkata": "bangalore bengaluru bombay chennai delhi hyderabad india madras mumbai new_delhi pune",
        "Asia/Kuala_Lumpur": "malaysia",
        "Asia/Manila": "philippines",
        "Asia/Riyadh": "jeddah mecca saudi_arabia",
        "Asia/Seoul": "busan korea south_korea",
        "Asia/Shanghai": "beijing china guangzhou peking shenzhen wuhan",
        "Asia/Taipei": "taiwan",
        "Asia/Tokyo": "kyoto nagoya osaka sapporo yokohama",
        "Asia/Yangon": "myanmar",
        "Australia/Brisbane": "cairns gold_coast",
        "Australia/Sydney": "canberra",
        "Europe/Amsterdam": "holland netherlands rotterdam the_hague the_netherlands",
        "Europe/Athens": "greece",
        "Europe/Berlin": "cologne dresden dusseldorf frankfurt germany hamburg koln leipzig munchen munich stuttgart",
        "Europe/Brussels": "antwerp belgium",
        "Europe/Bucharest": "romania",
        "Europe/Budapest": "hungary",
        "Europe/Copenhagen": "denmark",
        "Europe/Dublin": "ireland",
        "Europe/Helsinki": "finland",
        "Europe/Istanbul": "ankara",
        "Europe/Kyiv": "ukraine",
        "Europe/London": "edinburgh england glasgow great_britain liverpool manchester scotland uk united_kingdom "
        "wales",
        "Europe/Madrid": "barcelona seville spain valencia",
        "Europe/Moscow": "saint_petersburg st_petersburg",
        "Europe/Oslo": "bergen norway",
        "Europe/Paris": "bordeaux france lyon marseille nice strasbourg toulouse",
        "Europe/Prague": "czech_republic czechia",
        "Europe/Rome": "florence italy milan naples turin venice",
        "Europe/Sofia": "bulgaria",
        "Europe/Stockholm": "gothenburg sweden",
        "Europe/Vienna": "austria salzburg",
        "Europe/Warsaw": "krakow",
        "Europe/Zurich": "basel bern geneva switzerland",
        "Pacific/Apia": "samoa",
        "Pacific/Auckland": "new_zealand wellington",
    }.items()
    for place in places.split()
}

_SEVERAL: Mapping[str, str] = {
    country: zones
    for countries, zones in {
        "australia": "Australia/Sydney, Australia/Brisbane, Australia/Adelaide, Australia/Perth",
        "brazil": "America/Sao_Paulo, America/Manaus, America/Noronha",
        "canada": "America/Toronto, America/Winnipeg, America/Edmonton, America/Vancouver, America/Halifax",
        "indonesia": "Asia/Jakarta, Asia/Makassar, Asia/Jayapura",
        "mexico": "America/Mexico_City, America/Cancun, America/Tijuana",
        "russia": "Europe/Moscow, Asia/Yekaterinburg, Asia/Novosibirsk, Asia/Vladivostok",
        "usa us united_states america": "America/New_York, America/Chicago, America/Denver, America/Los_Angeles",
    }.items()
    for country in countries.split()
}

_MODERN = re.compile(r"(?:Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific)/")
_DIRECTIONS = frozenset({"east", "west", "north", "south"})


def find_zone(name: str) -> tuple[str, dt.tzinfo | None]:
    """What a zone is properly called, and the zone; None is the machine's own.

    Args:
        name: What somebody calls it.

    Raises:
        ToolFailed: The name means no zone, or several; the message proposes some.
    """
    wanted = _folded(name)
    if wanted == "local":
        return "local time", None
    key = _keys().get(wanted)
    if key is not None:
        return key, ZoneInfo(key)
    if (offset := _offset(wanted)) is not None:
        fixed = dt.timezone(offset)
        return wanted.upper() if wanted in _ABBREVIATIONS else str(fixed), fixed
    if not _keys():
        raise ToolFailed(
            "This machine has no time zone data, so only UTC, offsets such as UTC+2, and 'local' are known. "
            "To mend that, run: pip install tzdata"
        )
    city, _, country = wanted.partition(",")
    key = _place(city.strip("_"))
    if key is None or (country and not _lies_in(key, country.strip("_"))):
        raise ToolFailed(_proposal(name, city))
    return key, ZoneInfo(key)


def _folded(name: str) -> str:
    """The name in small letters without accents and dots, its words joined as IANA joins them."""
    if len(name) > _MAX_CHARS:
        raise ToolFailed(f"A time zone has at most {_MAX_CHARS} characters. Write for example Europe/Paris or UTC+2.")
    letters = unicodedata.normalize("NFKD", name.replace("−", "-")).casefold()
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return re.sub(r"[\s_]+", "_", re.sub(r"\.(?!\d)", "", letters).strip()) or "utc"


@cache
def _keys() -> Mapping[str, str]:
    """Every IANA key of this machine, by its spelling in small letters; two of them are no places."""
    return {key.casefold(): key for key in available_timezones() - {"Factory", "localtime"}}


@cache
def _last_parts() -> Mapping[str, str]:
    """The keys by their last part. Where several end alike, the later one wins; keys of today's areas come last."""
    keys = sorted(_keys().values(), key=lambda key: (_MODERN.match(key) is not None, key))
    parts = {key.rpartition("/")[2].casefold(): key for key in keys if not key.startswith("Etc/")}
    return {part: key for part, key in parts.items() if part not in _DIRECTIONS}


def _place(name: str) -> str | None:
    last = name.rpartition("/")[2]
    return _keys().get(name) or _PLACES.get(last) or _last_parts().get(last)


def _lies_in(key: str, country: str) -> bool:
    """Whether a country or state named behind a city confirms the city's zone: there is more than one Paris."""
    return key in _SEVERAL.get(country, "") or _place(country) == key


def _offset(name: str) -> dt.timedelta | None:
    if name in _ABBREVIATIONS:
        return dt.timedelta(hours=_ABBREVIATIONS[name])
    found = _OFFSET.fullmatch(name)
    if found is None:
        return None
    offset = dt.timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
    if offset > _LARGEST_OFFSET:
        raise ToolFailed("Offsets lie between UTC-12 and UTC+14.")
    return offset if found[1] == "+" else -offset


def _proposal(name: str, city: str) -> str:
    if city in _SEVERAL:
        return f"{name!r} has several time zones. Choose one: {_SEVERAL[city]}."
    known = {**_last_parts(), **_PLACES}
    matches = difflib.get_close_matches(city.rpartition("/")[2], known, n=3, cutoff=0.7)
    near = dict.fromkeys(known[match] for match in matches)
    proposal = f"Nearest: {', '.join(near)}." if near else "Nothing is spelled like it."
    return f"There is no time zone {name!r}. {proposal} Write an IANA name such as Europe/Paris, or an offset: UTC+2."
