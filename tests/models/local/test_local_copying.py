"""What the examples of a tool teach about a request, as tables. No model is asked."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models.local.probe_questions import CALCULATOR, CLOCK, SEARCH, TOOLS, UNITS

from agentkit.core.messages import ToolSpec
from agentkit.models.local.copying import plan
from agentkit.models.local.words import Words, likeness, number


def settled(spec, request):
    """The values that are certain before the model is asked."""
    choices = plan(spec, request).choices
    pieces = {name: {choice.get(name) for choice in choices} for name in choices[0]}
    sure = {name: next(iter(found)) for name, found in pieces.items() if len(found) == 1}
    return {name: json.loads(json.loads(piece)) for name, piece in sure.items() if piece and _is_literal(piece)}


def test_a_value_that_the_request_tells_is_not_left_out():
    """Also where its parameter is optional; what is not told is."""
    assert plan(TRIP, "Trip to Lima on 2027-02-28 with Kim, breakfast included.").sure >= {"to", "day", "breakfast"}
    untold = plan(TRIP, "Trip to Lima on 2027-02-28 with Kim.")
    assert "breakfast" not in untold.sure
    assert all(choice["breakfast"] is None for choice in untold.choices)


def test_a_list_keeps_its_bounds():
    """What is copied has no more items than the schema takes."""
    assert len(settled(TRIP, "Trip to Lima on 2027-02-28 with Kim, Raj, Pia and Tom.").get("who", [])) <= 3


def test_what_stands_in_quotes_is_not_cut():
    """A name inside of them is nobody's; the whole of them may be part of more."""
    assert all(choice.get("to") is None for choice in plan(NOTE, 'Write "Call Bob" with normal priority.').choices)


def _is_literal(piece):
    try:
        return isinstance(json.loads(piece), str)
    except ValueError:
        return False


def tool(examples, required=None, **properties):
    parameters = {"type": "object", "properties": properties, "required": required or list(properties)}
    return ToolSpec(name="t", description="A tool.", parameters=parameters, examples=tuple(examples))


TEXT, NUMBER, WHOLE = {"type": "string"}, {"type": "number"}, {"type": "integer"}
WEATHER = tool(
    [
        ("Weather in Oslo?", {"city": "Oslo"}),
        ("Will it rain in Lima, in fahrenheit?", {"city": "Lima", "unit": "fahrenheit"}),
    ],
    ["city"],
    city=TEXT,
    unit={"enum": ["celsius", "fahrenheit"]},
    days=WHOLE,
)
DICE = tool(
    [
        ("Roll 2 dice with 6 sides.", {"count": 2, "sides": 6}),
        ("Throw 5 twelve-sided dice.", {"count": 5, "sides": 12}),
    ],
    count=WHOLE,
    sides=WHOLE,
)
FLAG, LIST = {"type": "boolean"}, {"type": "array", "items": TEXT}
DATE = {"type": "string", "format": "date"}
LAMP = tool(
    [
        ("Turn on the desk lamp.", {"lamp": "desk lamp", "on": True}),
        ("Turn off the hall light please.", {"lamp": "hall light", "on": False}),
        ("Switch on the porch light.", {"lamp": "porch light", "on": True}),
    ],
    lamp=TEXT,
    on=FLAG,
)
TRIP = tool(
    [
        (
            "Trip to Rome on 2026-05-01 with Ann and Bob Stone.",
            {"to": "Rome", "day": "2026-05-01", "who": ["Ann", "Bob Stone"]},
        ),
        (
            "Trip to Oslo on 2025-12-24 with Lea, breakfast included.",
            {"to": "Oslo", "day": "2025-12-24", "who": ["Lea"], "breakfast": True},
        ),
    ],
    ["to", "day", "who"],
    to=TEXT,
    day=DATE,
    who={**LIST, "maxItems": 3},
    breakfast=FLAG,
)
NOTE = tool(
    [
        ('Write "Milk is out" with high priority.', {"text": "Milk is out"}),
        ('Write "New plan" and send it to Petra.', {"text": "New plan", "to": "Petra"}),
    ],
    ["text"],
    text=TEXT,
    to=TEXT,
)
SUM = tool(
    [("Sum of 4, 9 and 12?", {"n": [4, 9, 12]}), ("Add up 7 and 3.5", {"n": [7, 3.5]})],
    n={"type": "array", "items": NUMBER},
)
PERCENT = tool([("What is 20% of 50?", {"e": "20% of 50"}), ("What is 2 + 3?", {"e": "2+3"})], e=TEXT)

CERTAIN = [
    (UNITS, "Convert 100 pounds to kilograms.", {"value": 100, "from_unit": "pounds", "to_unit": "kilograms"}),
    (UNITS, "How many inches are there in 2.5 feet?", {"value": 2.5, "from_unit": "feet", "to_unit": "inches"}),
    (UNITS, "What is 1,200 kg in stone?", {"value": 1200, "from_unit": "kg", "to_unit": "stone"}),
    (
        UNITS,
        "Convert 90 degrees Fahrenheit to Celsius.",
        {"value": 90, "from_unit": "degrees Fahrenheit", "to_unit": "Celsius"},
    ),
    (CALCULATOR, "What is 86 + 57?", {"expression": "86+57"}),
    (CALCULATOR, "Please compute 7 * (8 + 2).", {"expression": "7*(8+2)"}),
    (CALCULATOR, "What is 12.5% of 80?", {"expression": "80*12.5/100"}),
    (PERCENT, "How much is 9% of 300?", {"e": "9% of 300"}),
    (CLOCK, "Give me the time in Africa/Nairobi.", {"timezone": "Africa/Nairobi"}),
    (WEATHER, "Weather in Nairobi?", {"city": "Nairobi"}),
    (WEATHER, "What about Boston, in fahrenheit?", {"unit": "fahrenheit"}),
    (DICE, "Roll 3 dice with 20 sides.", {"count": 3, "sides": 20}),
    (DICE, "Roll four dice with twenty-one sides.", {"count": 4, "sides": 21}),
    (DICE, "Throw two six-sided dice.", {"count": 2, "sides": 6}),
    (CALCULATOR, "What is 7 plus -20?", {"expression": "7+-20"}),
    (CALCULATOR, "What is 30 divided by 4?", {"expression": "30/4"}),
    (LAMP, "Switch off the kitchen light", {"lamp": "kitchen light", "on": False}),
    (LAMP, "Please turn on the big red lamp, please!", {"lamp": "big red lamp", "on": True}),
    (
        TRIP,
        "Trip to Lima on 2027-02-28 with Kim, Raj, and Zoë Ray.",
        {"to": "Lima", "day": "2027-02-28", "who": ["Kim", "Raj", "Zoë Ray"]},
    ),
    (
        TRIP,
        "Trip to Lima on 2027-02-28 with Kim & Raj, breakfast included.",
        {"to": "Lima", "day": "2027-02-28", "breakfast": True},
    ),
    (NOTE, 'Write "Call Bob" with normal priority.', {"text": "Call Bob"}),
    (SUM, "Sum of 15, -4, 8.25 and 101?", {"n": [15, -4, 8.25, 101]}),
]


@pytest.mark.parametrize(("spec", "request_", "values"), CERTAIN, ids=[request for _, request, _ in CERTAIN])
def test_what_stands_in_the_request_is_copied(spec, request_, values):
    """Numbers, names and written formulas are taken as they are, each to its parameter."""
    assert values.items() <= settled(spec, request_).items()


def test_an_optional_parameter_is_left_out_unless_the_request_has_it():
    """Nothing is made up for what nobody mentioned."""
    (choice,) = plan(WEATHER, "Weather in Nairobi?").choices
    assert (choice["unit"], choice["days"]) == (None, None)
    assert plan(WEATHER, "Weather in Nairobi in 3 days?").choices[0]["days"] == '"3"'


def test_a_made_beginning_is_left_to_be_chosen():
    """The end is copied, with the beginnings that the examples have."""
    prefixed = plan(CLOCK, "What time is it in New York right now?").prefixed["timezone"]
    assert prefixed.ends == ("New York",)
    assert sorted(prefixed.shown) == [("America/", "Toronto"), ("Asia/", "Seoul"), ("Europe/", "Vienna")]


def test_a_request_that_lacks_what_the_examples_take_is_a_misfit():
    """It is counted, so that another tool is preferred."""
    assert plan(UNITS, "Convert 12 kilometers to miles.").misfits == 0
    assert plan(UNITS, "Subtract 48 from 120.").misfits > 0
    assert plan(CALCULATOR, "What is 86 + 57?").misfits == 0
    assert plan(CALCULATOR, "Who wrote Faust?").misfits == 1


def test_free_text_is_made_of_words_that_were_said():
    """A query that the examples reword may use the words of the request, and no others."""
    piece = plan(SEARCH, "Find me a vegan restaurant in Hamburg.").choices[0]["query"]
    assert '"vegan"' in piece
    assert "telephone" not in piece


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("7", 7),
        ("-3", -3),
        ("2.50", 2.5),
        ("1,234,567", 1234567),
        ("Twelve", 12),
        ("forty-two", 42),
        ("ninety nine", 99),
    ],
)
def test_numbers_are_read_in_digits_and_in_letters(word, value):
    """A number word is a number."""
    assert number(word) == value


@pytest.mark.parametrize("word", ["", "one hundred", "1.2.3", "12a", "٣", "9" * 40, "infinity", "nan", "-"])
def test_what_is_no_plain_number_is_a_word(word):
    """No surprises of float()."""
    assert number(word) is None


def test_words_are_split_where_people_split_them():
    """Punctuation stands alone; addresses, zones and apostrophes hold together; units come off their numbers."""
    text = "Mail ann@web.de: 70kg isn't 12.5% of $1,000 (in Europe/Paris)!"
    assert list(Words.of(text)) == [
        "Mail", "ann@web.de", ":", "70", "kg", "isn't", "12.5", "%", "of", "$", "1,000", "(", "in", "Europe/Paris", ")", "!",
    ]  # fmt: skip


def test_likeness_does_not_see_which_number_it_is():
    """Requests that differ in numbers alone are alike."""
    assert likeness(Words.of("What is 12 - 5?"), Words.of("What is 3 - 1000?")) == 1.0
    assert likeness(Words.of("What is 12 - 5?"), Words.of("Hello there")) == 0.0


ODD_EXAMPLES = [
    ("", {"a": ""}),
    ("x", {"a": None}),
    ("1 2 3", {"a": [1], "b": {"c": 2}}),
    ("true", {"a": True}),
    ("a/b", {"a": "/"}),
]


@settings(deadline=None, max_examples=150)
@given(
    st.text(max_size=60)
    | st.sampled_from(["1 + " * 40, "a " * 79, "((((", "%%%", "'\"\\", "- 5 -5 5-", "Europe/", "/" * 30])
)
def test_no_request_breaks_a_plan(request_):
    """Any text gives a plan, and what it settles is of the schema's type."""
    for spec in (*TOOLS, WEATHER, DICE, PERCENT, tool(ODD_EXAMPLES, a={}, b=TEXT)):
        for choice in plan(spec, request_).choices:
            assert choice.keys() <= spec.parameters["properties"].keys()
        for name, value in settled(spec, request_).items():
            kind = spec.parameters["properties"][name].get("type", "string")
            assert isinstance(value, {"string": str, "number": (int, float), "integer": int}[kind])
