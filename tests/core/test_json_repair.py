"""Text -> JSON value, or not at all: what is repaired, what is refused, and how long it may take."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit.core.json_repair import MAX_DEPTH, JSONError, repair, repair_object, scan_value

STRICT = [
    '{"a": 1}',
    ' \n{"a": [1, 2.5, -3e2, true, false, null, "x"]}\t ',
    '{"a": "what\'s", "b": "no </tool_call> here, no } and no ```"}',
    '{"u": "caf\\u00e9 \\ud83d\\ude00 é 😀"}',
    '{"a": 1, "a": 2}',
    '"text"',
    "12",
    "[]",
    "null",
]

REPAIRED = {
    # around the value
    "byte order mark": ('\ufeff{"a": 1}', {"a": 1}),
    "fence": ('```json\n{"a": 1}\n```', {"a": 1}),
    "fence without label": ('```\n{"a": 1}\n```', {"a": 1}),
    "fence on one line": ('```json {"a": 1}```', {"a": 1}),
    "fence not closed": ('```json\n{"a": 1}', {"a": 1}),
    "closing tag": ('{"a": 1}</tool_call>', {"a": 1}),
    "closing tag cut": ('{"a": 1}</tool_', {"a": 1}),
    "both tags": ('<tool_call>\n{"a": 1}\n</tool_call>', {"a": 1}),
    "stop token": ('{"a": 1}<|im_end|>', {"a": 1}),
    "full-width stop token": ('{"a": 1}<｜tool▁call▁end｜>', {"a": 1}),
    "several markers": ('{"a": 1}\n</tool_call><|im_end|>\n', {"a": 1}),
    "square marker": ('[TOOL_CALLS]{"a": 1}[/TOOL_CALLS]', {"a": 1}),
    "semicolon": ('{"a": 1};', {"a": 1}),
    "comma after it": ('{"a": 1},', {"a": 1}),
    # several values of which one counts
    "empty text after it": ('{"a": 1}""', {"a": 1}),
    "empty object and empty text": ('{}""', {}),
    "empty object before it": ('{}{"a": 1}', {"a": 1}),
    "null before it": ('null{"a": 1}', {"a": 1}),
    "the same twice": ('{"a": 1, "b": 2}{"b": 2, "a": 1}', {"a": 1, "b": 2}),
    "the same three times": ('{"a": 1}\n{"a": 1},{"a": 1}', {"a": 1}),
    "escaped quotes": (r"{\"a\": \"say \\\"hi\\\"\", \n \"b\": 2}", {"a": 'say "hi"', "b": 2}),
    # brackets and commas
    "trailing comma": ('{"a": [1, 2, ], }', {"a": [1, 2]}),
    "surplus brace": ('{"a": {"b": 1}}}', {"a": {"b": 1}}),
    "surplus bracket": ('{"a": 1}]', {"a": 1}),
    "missing brace after text": ('{"a": "x"', {"a": "x"}),
    "missing brace after object": ('{"a": {"b": 1}', {"a": {"b": 1}}),
    "missing brace after literal": ('{"a": true', {"a": True}),
    "missing brace after number and blank": ('{"a": 12\n', {"a": 12}),
    "missing brace before tag": ('{"a": 12</tool_call>', {"a": 12}),
    "missing brace before fence": ('```json\n{"a": [1]\n```', {"a": [1]}),
    "missing bracket of a list": ('["a", "b"', ["a", "b"]),
    "list closed like an object": ('{"a": [1, 2}', {"a": [1, 2]}),
    "list closed like an object, before a tag": ('{"a": {"b": ["x"}}</tool_call>', {"a": {"b": ["x"]}}),
    "object closed like a list": ('{"a": 1]', {"a": 1}),
    "object in a list not closed": ('[{"a": 1}, {"b": 2\n]', [{"a": 1}, {"b": 2}]),
    "brackets the wrong way round": ('{"a": [1}]', {"a": [1]}),
    # strings
    "raw newline": ('{"a": "x\ny"}', {"a": "x\ny"}),
    "raw tab": ('{"a": "x\ty"}', {"a": "x\ty"}),
    "single quotes": ("{'a': 'x', 'b': \"what's\"}", {"a": "x", "b": "what's"}),
    "escaped apostrophe": ("{'a': 'what\\'s', \"b\": \"it\\'s\"}", {"a": "what's", "b": "it's"}),
    "double quotes in single quotes": ("{'a': 'say \"hi\"'}", {"a": 'say "hi"'}),
    "smart quotes": ("{“a”: “it’s”, “b”: ‘x’}", {"a": "it’s", "b": "x"}),
    "smart quotes, one way": ("{“a“: ”x”, „b“: „y”}", {"a": "x", "b": "y"}),
    "backward quotes": ('{`a`: `say "hi"\nto \\`us\\``}', {"a": 'say "hi"\nto `us`'}),
    "triple quotes": ("{'a': '''it's\n\"so\"'''}", {"a": 'it\'s\n"so"'}),
    "raw Python string": ("{'a': r'\\d+'}", {"a": "\\d+"}),
    "unicode Python string": ("{'a': u'x'}", {"a": "x"}),
    "unknown escape": (r'{"a": "C:\Users\dir"}', {"a": r"C:\Users\dir"}),
    "unknown escape beside a line break": (
        r'{"a": "import re\nre.match(\"\d\", x)"}',
        {"a": 'import re\nre.match("\\d", x)'},
    ),
    "escaped too much": (r'{"a": "*\$5*\nplease"}', {"a": "*\\$5*\nplease"}),
    "regex escape": (r'{"a": "\d+\s*"}', {"a": r"\d+\s*"}),
    "short unicode escape": (r'{"a": "C:\users"}', {"a": r"C:\users"}),
    "hex escape": (r"{'a': '\x41\U0001F600'}", {"a": "A😀"}),
    "lone surrogate": (r'{"a": "x\ud83dy"}', {"a": "x\ufffdy"}),
    "lone surrogate at the end": (r'{"a": "\ud83d"}', {"a": "\ufffd"}),
    "raw surrogate": ('{"a": "\udc80"}', {"a": "\ufffd"}),
    "surrogate in a key": (r'{"\ude00": 1}', {"\ufffd": 1}),
    # Python and JavaScript
    "Python literals": ("{'a': True, 'b': False, 'c': None}", {"a": True, "b": False, "c": None}),
    "literals in capitals": (
        '{"a": TRUE, "b": FALSE, "c": NULL, "d": Null}',
        {"a": True, "b": False, "c": None, "d": None},
    ),
    "tuple": ("{'a': (1, 2), 'b': (1,), 'c': (1), 'd': ()}", {"a": [1, 2], "b": [1], "c": 1, "d": []}),
    "Python numbers": (
        '{"a": +1, "b": 1_000, "c": 0x1f, "d": .5, "e": 5., "f": 1_0.5e1}',
        {"a": 1, "b": 1000, "c": 31, "d": 0.5, "e": 5.0, "f": 105.0},
    ),
    "number keys": ("{1: 'a', 2: 'b'}", {"1": "a", "2": "b"}),
    "unquoted keys": ('{city: "Oslo", $days_2: 3}', {"city": "Oslo", "$days_2": 3}),
    "line comment": ('{"a": 1, // one\n "b": "http://x"}', {"a": 1, "b": "http://x"}),
    "block comment": ('{"a": /* one */ 1}', {"a": 1}),
    "comments around it": ('# as asked\n/* the call */ {"a": "#"} // done', {"a": "#"}),
    "comment in a fence": ("````json5\n// the call\n[1]\n````", [1]),
    "comment cut after it": ('{"a": 1} /* and th', {"a": 1}),
    "Python comment": ('{"a": 1, # one\n "b": "#"}', {"a": 1, "b": "#"}),
    "odd blank": ('{"a":\u00a01}', {"a": 1}),
}

REFUSED = {
    "nothing": ("", "empty"),
    "blanks": (" \n\t", "empty"),
    "an empty fence": ("```json\n```", "empty"),
    # cut off
    "cut before a key": ("{", "truncated"),
    "cut in a key": ('{"na', "truncated"),
    "cut in a bare key": ("{na", "truncated"),
    "cut after a key": ('{"a"', "truncated"),
    "cut before a value": ('{"a": ', "truncated"),
    "cut in a string": ('{"command": "rm -rf /', "truncated"),
    "cut in an escape": ('{"a": "x\\', "truncated"),
    "cut in a number": ('{"amount": 12', "truncated"),
    "cut after a point": ('{"amount": 12.', "truncated"),
    "cut after a sign": ('{"amount": -', "truncated"),
    "cut in an exponent": ('{"amount": 1e', "truncated"),
    "cut in a literal": ('{"force": tru', "truncated"),
    "cut in a Python literal": ("{'force': Fals", "truncated"),
    "cut after a comma": ('{"a": 1, ', "truncated"),
    "cut two levels deep": ('{"a": {"b": "x"', "truncated"),
    "cut in the second object": ('{}{"a": ', "truncated"),
    "cut in a fence": ('```json\n{"a": "x', "truncated"),
    "cut in single quotes": ("{'a': 'it", "truncated"),
    "cut in triple quotes": ("{'a': '''it's", "truncated"),
    "cut in escaped quotes": (r'{\"a\": \"x', "truncated"),
    "quotes half escaped": (r'{\"a\": "x"}', "malformed"),
    "cut in a comment": ('{"a": "x" /* and', "truncated"),
    "a bracket in a comment": ('{"a": "x" // and so on }', "truncated"),
    "a path with an escape in it": (r'{"a": "C:\Users\news"}', "malformed"),
    "a path without a drive": (r'{"a": "src\data\notes"}', "malformed"),
    "a path with a blank": (r'{"a": "save to D:\Old Data\report"}', "malformed"),
    "a pattern with a word boundary": (r'{"a": "\bid \d+"}', "malformed"),
    "thousands": ('{"a": [1,000, 2]}', "malformed"),
    "a number that begins like a code": ('{"a": 00}', "malformed"),
    "a fraction that begins like a code": ('{"a": 007.5}', "malformed"),
    "a stray quote": ('{"a": "C:\\dir\\"}', "truncated"),
    # two answers
    "two objects": ('{"a": 1}{"a": 2}', "ambiguous"),
    "two that Python holds for equal": ('{"a": 1}{"a": true}', "ambiguous"),
    "two lists": ("[1] [2]", "ambiguous"),
    # numbers
    "NaN": ('{"a": NaN}', "number"),
    "minus Infinity": ('{"a": -Infinity}', "number"),
    "Python's nan": ("{'a': nan, 'b': inf}", "number"),
    "overflow": ('{"a": 1e999}', "number"),
    "endless integer": ('{"a": ' + "9" * 5000 + "}", "number"),
    # nonsense
    "prose": ("I cannot do that", "malformed"),
    "prose after it": ('{"a": 1} is what I call it with', "malformed"),
    "prose before it": ('Sure: {"a": 1}', "malformed"),
    "bare value": ('{"city": Oslo}', "malformed"),
    "inner quotes": ('{"a": "he said "hi" to me"}', "malformed"),
    "apostrophe in single quotes": ("{'a': 'what's up'}", "malformed"),
    "leading zeros": ('{"zip": 00501}', "malformed"),
    "a date": ('{"day": 2024-01-01}', "malformed"),
    "an expression": ('{"a": 1 < 2}', "malformed"),
    "a call": ("{'a': f(1)}", "malformed"),
    "a set": ("{1, 2}", "malformed"),
    "no comma": ('{"a": 1 "b": 2}', "malformed"),
    "two commas": ('{"a": 1,, "b": 2}', "malformed"),
    "only a comma": ("{,}", "malformed"),
    "two wrong brackets": ('{"a": [{"b": 1]]', "malformed"),
    "a wrong bracket and a missing one": ('{"a": {"b": [1, 2}', "truncated"),
    "a wrong bracket and members behind it": ('{"a": {"b": [1, 2}, "c": 3}', "malformed"),
    "a wrong bracket around nothing": ('{"a": [}', "malformed"),
    "comments and nothing else": ("# I would rather not\n// no", "malformed"),
    "a comment, then prose": ("# A list\nnone [1]", "malformed"),
    "tags, no comments": ('{"tags": [#a, #b\n]}', "malformed"),
    "a colour behind another": ('["red", #fff\n]', "malformed"),
    "backward quotes around it": ('`{"a": 1}`', "malformed"),
    "cut in backward quotes": ('{"a": `x', "truncated"),
    "concatenation": ('{"a": "x" + "y"}', "malformed"),
    "an ellipsis": ('{"a": [1, 2, ...]}', "malformed"),
    "no value": ('{"a": , "b": 1}', "malformed"),
    "no colon": ('{"a" 1}', "malformed"),
    "a version": ("1.20.3", "malformed"),
    "a number cut after its point": ("12.", "truncated"),
    "capitals cut": ('{"a": FALS', "truncated"),
    "two surplus braces": ('{"a": 1}}}', "malformed"),
    "brace too many inside": ('{"a": {"b": 1}}, "c": 2}', "ambiguous"),
    "template braces": ('{{"a": 1}}', "malformed"),
    "a byte string": ("{'a': b'x'}", "malformed"),
    "a format string": ("{'a': f'{x}'}", "malformed"),
    "undefined": ('{"a": undefined}', "malformed"),
}  # fmt: skip


@pytest.mark.parametrize("text", STRICT)
def test_strict_json_is_taken_as_it_is(text):
    """What a strict parser reads is what comes out, and nothing is called repaired."""
    read = repair(text)
    assert read.value == json.loads(text)
    assert not read.repaired


@pytest.mark.parametrize(("text", "value"), REPAIRED.values(), ids=REPAIRED)
def test_almost_json_is_repaired(text, value):
    """Damage that leaves no doubt is repaired, and said to be."""
    read = repair(text)
    assert read.value == value
    assert json.dumps(read.value, sort_keys=True) == json.dumps(value, sort_keys=True), "types included"
    assert read.repaired
    assert read.notes


@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_would_be_a_guess_is_refused(text, reason):
    """What was cut off, is ambiguous or is no JSON is refused, with the reason."""
    with pytest.raises(JSONError) as caught:
        repair(text)
    assert caught.value.reason == reason
    assert 0 <= caught.value.position <= len(text)


def test_an_error_says_where():
    """The message names the place and shows what stands there."""
    with pytest.raises(JSONError, match=r'expected "," or "}" at character 8, near ""b": 2}"'):
        repair('{"a": 1 "b": 2}')
    with pytest.raises(JSONError) as caught:
        repair('{"a": 1\n x\ty\udc80}')
    assert str(caught.value) == 'expected "," or "}" at character 9, near "x y }"'


def test_an_object_in_a_string_is_decoded_once():
    """Where an object is due, text that holds one is read once more, and only once."""
    assert repair_object(json.dumps('{"a": "1"}')).value == {"a": "1"}
    assert repair_object(json.dumps("{'a': 1}")).notes == ("double encoding", "quotes")
    with pytest.raises(JSONError, match="got a string"):
        repair_object(json.dumps(json.dumps('{"a": 1}')))


@pytest.mark.parametrize(
    ("text", "kind"),
    [("[1]", "an array"), ('"foo"', "a value"), ("3", "an integer"), ("null", "null"), ("1.5", "a number")],
)
def test_what_is_no_object_is_refused_by_name(text, kind):
    """Where an object is due, anything else is refused."""
    with pytest.raises(JSONError, match=kind):
        repair_object(text)


def test_truncated_text_gets_no_bracket():
    """Text that is known to be cut off is not completed by one bracket either."""
    assert repair('{"a": "x"').value == {"a": "x"}
    with pytest.raises(JSONError) as caught:
        repair('{"a": "x"', truncated=True)
    assert caught.value.reason == "truncated"
    assert repair('{"a": "x",}', truncated=True).value == {"a": "x"}


SCANNED = [
    ('x {"a": 1} y', 2, {"a": 1}, 10, False),
    ('  {"a": "}"}</t>', 0, {"a": "}"}, 12, False),
    ("f(x=[1, 'a)'], y=2)", 4, [1, "a)"], 13, True),
    ("{'a': 1,}; {'b': 2}", 0, {"a": 1}, 9, True),
    ('{"a": {"b": 1}</tool_call>', 0, {"a": {"b": 1}}, 14, True),
    ('{"a": {"b": 1}<|eom_id|>', 0, {"a": {"b": 1}}, 14, True),
    ('{"a": 1}}</tool_call>', 0, {"a": 1}, 8, False),
    ("True, 3", 0, True, 4, True),
    ("'it' and so on", 0, "it", 4, True),
    ('12 "x"', 0, 12, 2, False),
]


@pytest.mark.parametrize(("text", "start", "value", "end", "repaired"), SCANNED)
def test_the_end_of_a_value_is_found_by_reading(text, start, value, end, repaired):
    """A value is read from the middle of a text, up to its own end, whatever follows."""
    assert scan_value(text, start) == (value, end, repaired)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": "x', "truncated"),
        ('{"a": </t>', "malformed"),
        ("", "truncated"),
        ("# {}", "malformed"),
        ("f(1)", "malformed"),
    ],
)
def test_no_value_where_none_begins(text, reason):
    """Where no whole value begins, scanning says why."""
    with pytest.raises(JSONError) as caught:
        scan_value(text)
    assert caught.value.reason == reason


@pytest.mark.parametrize("opener", ["[", '{"a":', "("])
def test_nesting_is_bounded(opener):
    """The deepest nesting that is read is read by both parsers; one level more is refused without using the stack."""
    closer = {"[": "]", '{"a":': "}", "(": ",)"}[opener]
    for blank in ("", "\u00a0"):  # the second one is for the tolerant scanner
        assert repair(opener * MAX_DEPTH + blank + ("1" if opener != "[" else "") + closer * MAX_DEPTH)
        with pytest.raises(JSONError) as caught:
            repair(opener * (MAX_DEPTH + 1) + blank + ("1" if opener != "[" else "") + closer * (MAX_DEPTH + 1))
        assert caught.value.reason == "too_deep"


def test_a_deep_stack_does_not_matter():
    """JSON is read where hardly any Python stack is left."""

    def down(levels):
        return repair("[" * 90 + "]" * 90).repaired if levels == 0 else down(levels - 1)

    assert down(850) is False


MEGABYTE = 1_000_000
HOSTILE = {
    "brackets": "[" * 10_000,
    "braces": '{"a":' * 10_000,
    "brackets and commas": "[" + "1," * (MEGABYTE // 2),
    "quotes": '"' * MEGABYTE,
    "apostrophes": "'" * MEGABYTE,
    "smart quotes": "“" * MEGABYTE,
    "backslashes": '{"a": "' + "\\" * MEGABYTE,
    "unknown escapes": '{"a": "' + "\\d" * (MEGABYTE // 2) + '"}',
    "half surrogates": '{"a": "' + "\\ud83d" * (MEGABYTE // 6) + '"}',
    "no end": '{"a": "' + "x" * MEGABYTE,
    "triple quotes": "{'a': '''" + "''x" * (MEGABYTE // 3),
    "digits": '{"a": ' + "9" * MEGABYTE,
    "hex digits": '{"a": 0x' + "f" * MEGABYTE + "}",
    "exponents": '{"a": 1' + "e1" * (MEGABYTE // 2) + "}",
    "empty objects": "{}" * (MEGABYTE // 2),
    "same objects": '{"a":1}' * (MEGABYTE // 7),
    "fences": "`" * MEGABYTE,
    "tags": "<a" * (MEGABYTE // 2),
    "closed tags": "{}" + "<a>" * (MEGABYTE // 3),
    "open comments": "{" + "/*" * (MEGABYTE // 2),
    "line comments": "[" + "//\n" * (MEGABYTE // 3),
    "slashes": "[" + "/" * MEGABYTE,
    "blanks": " " * MEGABYTE,
    "surplus braces": '{"a":1}' + "}" * MEGABYTE,
    "keys": "{" + "a:1," * (MEGABYTE // 4),
    "comments around it": "# {\n" * (MEGABYTE // 4) + "{} " + "// }\n" * (MEGABYTE // 5) + "/*" * (MEGABYTE // 2),
    "backward quotes": '{"a": ' + "`x" * (MEGABYTE // 2),
    "wrong brackets": "[" * 199 + "1" + "}" * MEGABYTE,
    "a long key": "{" + "a" * MEGABYTE,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_takes_linear_time(text):
    """A megabyte of the worst is read or refused in seconds, not minutes."""
    started = time.perf_counter()
    try:
        json.dumps(repair(text).value, ensure_ascii=False).encode()
    except JSONError as error:
        assert len(str(error)) < 200
    assert time.perf_counter() - started < 8


# --- Properties -------------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)
objects = st.dictionaries(texts, values, max_size=4)


def same(one, other):
    """Equal, types included."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@given(values, st.booleans(), st.sampled_from([None, 2]))
@settings(deadline=None, max_examples=300)
def test_every_json_value_survives(value, ascii_only, indent):
    """Strict JSON in any style comes out as it went in, unrepaired."""
    read = repair(json.dumps(value, ensure_ascii=ascii_only, indent=indent))
    assert same(read.value, value)
    assert not read.repaired


@given(values)
@settings(deadline=None, max_examples=300)
def test_every_python_literal_is_read(value):
    """What Python's `repr` makes of a JSON value is read back."""
    assert same(repair(repr(value)).value, value)


@given(values)
@settings(deadline=None, max_examples=300)
def test_scanning_agrees_with_parsing(value):
    """Scanned in the middle of text, in both notations, a value ends where it ends."""
    for text in (json.dumps(value), repr(value)):
        found = scan_value(f"<x>{text} ;", 3)
        assert same(found.value, value)
        assert found.end == 3 + len(text)


QUOTES = [('"', '"'), ("'", "'"), ("“", "”"), ("'''", "'''"), ('"""', '"""')]


def damaged(value, draw):
    """The value as text with every kind of damage that repair promises to mend, as chance has it."""
    blank = draw(st.sampled_from(["", " ", "\n", "/* , */", "# }\n", "\u00a0"]))
    comma = draw(st.sampled_from(["", "", ","]))
    if isinstance(value, dict):
        members = [f"{damaged_text(key, draw)}:{blank}{damaged(member, draw)}" for key, member in value.items()]
        return "{" + blank + f",{blank}".join(members) + (comma if members else "") + "}"
    if isinstance(value, list):
        items = [damaged(item, draw) for item in value]
        left, right = draw(st.sampled_from(["[]", "()"])) if len(items) > 1 else "[]"
        return left + blank + f",{blank}".join(items) + (comma if items else "") + blank + right
    if isinstance(value, str):
        return damaged_text(value, draw)
    return draw(st.sampled_from([json.dumps(value), repr(value)])) + blank


def damaged_text(text, draw):
    opener, closer = draw(st.sampled_from(QUOTES))
    out = json.dumps(text, ensure_ascii=draw(st.booleans()))[1:-1]
    out = out.replace("'", "\\u0027").replace("“", "\\u201c").replace("”", "\\u201d") if opener != '"' else out
    if draw(st.booleans()):
        out = out.replace("\\\\", "\0").replace("\\n", "\n").replace("\\t", "\t").replace("\0", "\\\\")
    return opener + out + closer


@given(st.data(), objects)
@settings(deadline=None, max_examples=300)
def test_every_mixture_of_damage_is_mended(data, value):
    """Any mixture of quotes, literals, tuples, comments, blanks and trailing commas is read as what was meant."""
    text = data.draw(st.builds(lambda: damaged(value, data.draw)))
    assert same(repair(text).value, value)


@given(objects | st.lists(values, max_size=4), st.data())
@settings(deadline=None, max_examples=300)
def test_a_wrong_bracket_is_put_right_or_refused(value, data):
    """Whichever closing bracket has become one of the other kind, no other value is read."""
    text = json.dumps(value)
    at = data.draw(st.sampled_from([index for index, letter in enumerate(text) if letter in "]}"]))
    wrong = text[:at] + ("]" if text[at] == "}" else "}") + text[at + 1 :]
    try:
        read = repair(wrong)
    except JSONError:
        return
    assert same(read.value, value) or not read.repaired, "unrepaired: it stood in a text"


@given(objects.filter(bool))
@settings(deadline=None, max_examples=80)
def test_no_prefix_is_completed_by_guessing(value):
    """Of any object cut anywhere, only what lacks nothing but one bracket is read, and as exactly that."""
    text = json.dumps(value)
    for cut in range(1, len(text)):
        try:
            read = repair(text[:cut])
        except JSONError as error:
            assert error.reason in ("truncated", "malformed")
        else:
            assert same(read.value, json.loads(text[:cut] + "}"))
            assert not text[:cut].rstrip()[-1].isdigit() or text[:cut] != text[:cut].rstrip()
        with pytest.raises(JSONError):
            repair(text[:cut], truncated=True)


def strict(text):
    """Whether the text is strict JSON of finite numbers that can be encoded."""

    def refuse(constant):
        raise ValueError(constant)

    try:
        value = json.loads(text, parse_constant=refuse)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        return False
    return True


scraps = st.lists(
    st.sampled_from(
        [*"{}[]():,\"'“”\\/#`<>", "{}", '"a"', "'b'", "1", "-", "e5", ".", "true", "None", "NaN", "\n", " "]
    )
    | st.text(max_size=3),
    max_size=30,
).map("".join)


@given(scraps | st.text() | st.binary().map(lambda raw: raw.decode(errors="surrogateescape")))
@settings(deadline=None, max_examples=800)
def test_any_text_is_read_or_refused(text):
    """Whatever the text: a value that can be encoded, or our own error; and "not repaired" means strict JSON."""
    try:
        read = repair(text)
    except JSONError:
        assert not strict(text)
    else:
        json.dumps(read.value, ensure_ascii=False, allow_nan=False).encode()
        assert read.repaired != strict(text)


@given(scraps, st.integers(min_value=0, max_value=40))
@settings(deadline=None, max_examples=1000)
def test_any_place_can_be_scanned(text, start):
    """Scanning from anywhere gives a value and its end, or our own error."""
    try:
        value, end, _ = scan_value(text, start)
    except JSONError:
        return
    assert start < end <= len(text)
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
