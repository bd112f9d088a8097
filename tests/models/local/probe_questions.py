"""Forty questions to a tiny model with four tools in view. Written before anything was tuned.

Questions with an even index were looked at while the method was made, those with an odd index were not.
"""

from __future__ import annotations

import ast
import math
import operator

from agentkit.core.messages import ToolSpec


def schema(**properties):
    kinds = {name: {"type": kind} for name, kind in properties.items()}
    return {"type": "object", "properties": kinds, "required": list(kinds), "additionalProperties": False}


CALCULATOR = ToolSpec(
    name="calculator",
    description="Evaluate an arithmetic expression.",
    parameters=schema(expression="string"),
    examples=(
        ("What is 12 - 5?", {"expression": "12-5"}),
        ("How much is 30% of 90?", {"expression": "90*30/100"}),
        ("6 friends pay 15 dollars each. How much is that?", {"expression": "6*15"}),
        ("What is (2 + 3) * 4?", {"expression": "(2+3)*4"}),
    ),
)
CLOCK = ToolSpec(
    name="clock",
    description="Tell the current time in a time zone.",
    parameters=schema(timezone="string"),
    examples=(
        ("What time is it in Vienna?", {"timezone": "Europe/Vienna"}),
        ("Current time in America/Toronto", {"timezone": "America/Toronto"}),
        ("What's the time in Seoul?", {"timezone": "Asia/Seoul"}),
    ),
)
SEARCH = ToolSpec(
    name="web_search",
    description="Search the web for facts, people, places and news.",
    parameters=schema(query="string"),
    examples=(
        ("Who invented the telephone?", {"query": "who invented the telephone"}),
        ("Find news about solar energy.", {"query": "solar energy news"}),
        ("Look up the population of Norway.", {"query": "population of Norway"}),
    ),
)
UNITS = ToolSpec(
    name="units",
    description="Convert a value from one unit of measure to another.",
    parameters=schema(value="number", from_unit="string", to_unit="string"),
    examples=(
        ("Convert 8 liters to gallons.", {"value": 8, "from_unit": "liters", "to_unit": "gallons"}),
        ("How many days are in 3 weeks?", {"value": 3, "from_unit": "weeks", "to_unit": "days"}),
        ("What is 20 yards in meters?", {"value": 20, "from_unit": "yards", "to_unit": "meters"}),
    ),
)
TOOLS = (CALCULATOR, CLOCK, SEARCH, UNITS)

OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def evaluate(node):
    match node:
        case ast.Expression(body=body):
            return evaluate(body)
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATORS[type(op)](evaluate(left), evaluate(right))
        case _:
            raise ValueError(ast.dump(node))


def means(value):
    """The expression has this value."""

    def check(arguments):
        try:
            return math.isclose(evaluate(ast.parse(arguments["expression"].strip(), mode="eval")), value, rel_tol=1e-6)
        except (ValueError, SyntaxError, KeyError, ZeroDivisionError, OverflowError):
            return False

    return check


def zone(name):
    """The time zone is this one."""
    return lambda arguments: arguments["timezone"] == name


def about(*words):
    """The query holds each of these words."""
    return lambda arguments: all(word in arguments["query"].lower() for word in words)


def conversion(value, source, target):
    """The value and the beginnings of both units are these."""
    return lambda a: (
        a["value"] == value and a["from_unit"].lower().startswith(source) and a["to_unit"].lower().startswith(target)
    )


# question, the tool that answers it, what its arguments must mean, what the tool returns, what the answer must quote
QUESTIONS = (
    ("What is 86 + 57?", "calculator", means(143), "143", "143"),
    ("How much is 19 times 6?", "calculator", means(114), "114", "114"),
    ("What's 25% of 360?", "calculator", means(90), "90", "90"),
    ("Subtract 48 from 120.", "calculator", means(72), "72", "72"),
    ("A box holds 24 eggs. How many eggs are in 5 boxes?", "calculator", means(120), "120", "120"),
    ("Divide 945 by 7.", "calculator", means(135), "135", "135"),
    ("What is (18 + 6) / 4?", "calculator", means(6), "6", "6"),
    ("I had 50 dollars and spent 18. How many dollars are left?", "calculator", means(32), "32", "32"),
    ("Compute 3.5 * 12.", "calculator", means(42), "42", "42"),
    ("What is 8% of 1500?", "calculator", means(120), "120", "120"),
    ("What time is it in Madrid?", "clock", zone("Europe/Madrid"), "18:20", "18:20"),
    ("What's the current time in Asia/Kolkata?", "clock", zone("Asia/Kolkata"), "22:50", "22:50"),
    ("Can you tell me the time in Los Angeles?", "clock", zone("America/Los_Angeles"), "09:20", "09:20"),
    ("What time is it right now in Tokyo?", "clock", zone("Asia/Tokyo"), "02:20", "02:20"),
    ("Time in Africa/Cairo, please.", "clock", zone("Africa/Cairo"), "19:20", "19:20"),
    ("Do you know what time it is in Rome?", "clock", zone("Europe/Rome"), "18:21", "18:21"),
    ("Give me the time in America/Chicago.", "clock", zone("America/Chicago"), "11:20", "11:20"),
    ("What is the local time in Sydney?", "clock", zone("Australia/Sydney"), "04:20", "04:20"),
    (
        "Who painted the Mona Lisa?",
        "web_search",
        about("mona lisa"),
        "Leonardo da Vinci painted the Mona Lisa.",
        "Leonardo",
    ),
    (
        "Look up the tallest building in Dubai.",
        "web_search",
        about("building", "dubai"),
        "The Burj Khalifa is 828 metres tall.",
        "Burj",
    ),
    (
        "Find the latest news about SpaceX.",
        "web_search",
        about("spacex"),
        "SpaceX launched 24 satellites on Monday.",
        "24",
    ),
    (
        "Search for a good lasagna recipe.",
        "web_search",
        about("lasagna"),
        "Layer pasta and sauce, bake for 45 minutes.",
        "45",
    ),
    (
        "Who is the president of Brazil?",
        "web_search",
        about("president", "brazil"),
        "Lula da Silva is the president of Brazil.",
        "Lula",
    ),
    (
        "Find information about the history of chess.",
        "web_search",
        about("chess"),
        "Chess began in India around 600 AD.",
        "India",
    ),
    (
        "Search the web for cheap flights to Lisbon.",
        "web_search",
        about("flights", "lisbon"),
        "Flights to Lisbon start at 79 euros.",
        "79",
    ),
    (
        "When was the Eiffel Tower built?",
        "web_search",
        about("eiffel"),
        "The Eiffel Tower was finished in 1889.",
        "1889",
    ),
    ("Convert 12 kilometers to miles.", "units", conversion(12, "k", "mi"), "7.456 miles", "7.456"),
    ("How many centimeters are in 6 inches?", "units", conversion(6, "in", "c"), "15.24 centimeters", "15.24"),
    ("What is 70 kg in pounds?", "units", conversion(70, "k", "p"), "154.3 pounds", "154.3"),
    ("How many feet is 3 meters?", "units", conversion(3, "m", "f"), "9.843 feet", "9.843"),
    (
        "Convert 350 degrees Fahrenheit to Celsius.",
        "units",
        conversion(350, ("f", "degrees f"), ("c", "degrees c")),
        "176.7 Celsius",
        "176.7",
    ),
    ("Change 2.5 hours into minutes.", "units", conversion(2.5, "h", "mi"), "150 minutes", "150"),
    ("How many ounces are there in 4 pounds?", "units", conversion(4, ("p", "lb"), ("o", "oz")), "64 ounces", "64"),
    ("Convert 500 ml to cups.", "units", conversion(500, "m", "c"), "2.113 cups", "2.113"),
    ("Good morning!", None, None, "", ""),
    ("Thanks a lot for your help.", None, None, "", ""),
    ("How are you today?", None, None, "", ""),
    ("What is your name?", None, None, "", ""),
    ("Tell me a joke.", None, None, "", ""),
    ("Bye, see you tomorrow.", None, None, "", ""),
)
