"""Evaluates an arithmetic expression: an allow-list over Python's syntax tree, with the costs known before they arise.

Nothing here is ever handed to Python to run. A tree of numbers, operators, comparisons and calls of known functions is
walked; anything else is refused. Three bounds hold the costs: the length of the text, the size of each whole number,
and the size of all of them together (both in `_numbers.check_size`).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import pairwise

from agentkit.errors import ToolFailed
from agentkit_tools import _numbers as n
from agentkit_tools._functions import CONSTANTS, FUNCTIONS
from agentkit_tools._notation import PERCENT, as_python
from agentkit_tools._numbers import Number

MAX_CHARS = 2000
"""The longest expression."""
_MAX_NESTING = 100
_LARGEST_EXPONENT = 10_000_000

_OPERATORS: Mapping[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: n.add,
    ast.Sub: n.subtract,
    ast.Mult: n.multiply,
    ast.Div: n.divide,
    ast.FloorDiv: n.floor_divide,
    ast.Mod: n.modulo,
    ast.Pow: n.power,
    ast.LShift: n.shift,
    ast.RShift: lambda a, places: n.shift(a, -places),
}
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[int], bool]] = {
    ast.Eq: lambda order: order == 0,
    ast.NotEq: lambda order: order != 0,
    ast.Lt: lambda order: order < 0,
    ast.LtE: lambda order: order <= 0,
    ast.Gt: lambda order: order > 0,
    ast.GtE: lambda order: order >= 0,
}
_NAMES = frozenset(FUNCTIONS) - {PERCENT}


def evaluate(expression: str) -> str:
    """The value of an expression as text: a number, or `true` or `false` for a comparison.

    Args:
        expression: Arithmetic as people and models write it (see `_notation`).

    Raises:
        ToolFailed: There is no value, or it is too large to calculate; the message says what to do instead.
    """
    if len(expression) > MAX_CHARS:
        raise ToolFailed(f"The expression is longer than {MAX_CHARS} characters. Calculate it in parts.")
    source = as_python(expression, _NAMES, CONSTANTS)
    try:
        tree = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ToolFailed("This is no arithmetic expression. Write something like 12*(3+4).") from None
    with n.calculation():
        walk = _Walk(source)
        match tree:
            case ast.Compare():
                return str(walk.comparison(tree)).lower()
            case _:
                return n.to_text(walk.value(tree))


class _Walk:
    """One walk over one tree."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._nesting = 0

    def value(self, node: ast.expr) -> Number:
        """The value of a node."""
        self._nesting += 1
        if self._nesting > _MAX_NESTING:
            raise ToolFailed("The expression is nested too deeply. Calculate its inner parts first.")
        match node:
            case ast.BinOp():
                value = self._chain(node)
            case ast.UnaryOp(op=ast.UAdd()):
                value = self.value(node.operand)
            case ast.UnaryOp(op=ast.USub()):
                value = -self.value(node.operand)
            case ast.Call(func=ast.Name(id=name), keywords=[]) if name in FUNCTIONS:
                value = self._call(name, node.args)
            case ast.Constant():
                value = _literal(self._source[node.col_offset : node.end_col_offset])
            case ast.Name(id=name) if name in CONSTANTS:
                value = CONSTANTS[name]
            case ast.Compare():
                raise ToolFailed("A comparison is true or false: it cannot be part of a calculation.")
            case _:
                raise ToolFailed("Only numbers, operators and functions can be calculated.")
        self._nesting -= 1
        return value

    def comparison(self, node: ast.Compare) -> bool:
        """Whether every comparison of a chain holds."""
        values = [self.value(operand) for operand in (node.left, *node.comparators)]
        orders = [n.compare(left, right) for left, right in pairwise(values)]
        for operator in node.ops:
            if type(operator) not in _COMPARISONS:
                raise ToolFailed("Numbers can be compared with < <= > >= == and != only.")
        return all(_COMPARISONS[type(operator)](order) for operator, order in zip(node.ops, orders, strict=True))

    def _chain(self, node: ast.BinOp) -> Number:
        """The value of `a + b + c ...`, which leans to the left as long as it likes: no recursion for its length."""
        links: list[ast.BinOp] = []
        first: ast.expr = node
        while isinstance(first, ast.BinOp):
            links.append(first)
            first = first.left
        value = self.value(first)
        for link in reversed(links):
            right = self.value(link.right)
            if _adds_percent(link):
                right = n.multiply(value, right)
            value = _operator(link.op)(value, right)
        return value

    def _call(self, name: str, nodes: list[ast.expr]) -> Number:
        if len(nodes) == 1 and isinstance(nodes[0], ast.Tuple):  # max((1, 2, 3))
            nodes = nodes[0].elts
        function = FUNCTIONS[name]
        if len(nodes) < function.least or (function.most is not None and len(nodes) > function.most):
            most = "or more" if function.most is None else f"to {function.most}"
            takes = f"{function.least}" if function.least == function.most else f"{function.least} {most}"
            raise ToolFailed(
                f"{name} takes {takes} number(s), not {len(nodes)}. "
                "Inside a function's brackets a comma separates numbers: leave out thousands separators."
            )
        return function.call(*map(self.value, nodes))


def _operator(node: ast.operator) -> Callable[[Number, Number], Number]:
    if type(node) not in _OPERATORS:
        raise ToolFailed("The operators are + - * / // % ^ << and >>.")
    return _OPERATORS[type(node)]


def _adds_percent(node: ast.BinOp) -> bool:
    """Whether a percentage is added to a number: 200 + 15% is 230, as on every calculator; 5% + 3% is 8%."""
    return isinstance(node.op, ast.Add | ast.Sub) and _is_percent(node.right) and not _is_percent(node.left)


def _is_percent(node: ast.expr) -> bool:
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub) and _is_percent(node.right):
        node = node.left
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == PERCENT


def _literal(text: str) -> Number:
    """The number that is written there, to its last digit."""
    if text[:2].lower() in {"0x", "0b", "0o"}:
        return int(text, 0)
    exponent = text.lower().partition("e")[2]
    if exponent and abs(int(exponent)) > _LARGEST_EXPONENT:
        raise ToolFailed(f"The number {text} is beyond what can be calculated with.")
    mantissa = Fraction(text.lower().partition("e")[0])
    return n.multiply(n.exact(mantissa), n.power(10, int(exponent or "0")))
