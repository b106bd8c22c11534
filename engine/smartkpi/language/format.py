"""From syntax back to text: canonical, with no more parentheses than needed, so that parse(format(e)) == e."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import assert_never

from smartkpi.language.syntax import (
    Alias,
    AllRows,
    Apply,
    Band,
    Boolean,
    Duration,
    Expr,
    Member,
    Name,
    Null,
    Number,
    Per,
    Step,
    Text,
    Where,
)

# How tightly a node binds; what stands in a place that asks for more needs parentheses.
CLAUSE, FILTERED, OR, AND, NOT, COMPARE, SUM, TERM, UNARY, POWER, ATOM = range(11)

CHAINS = {
    "or": (OR, AND),
    "and": (AND, NOT),
    "+": (SUM, TERM),
    "-": (SUM, TERM),
    "*": (TERM, UNARY),
    "/": (TERM, UNARY),
}
COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
BANDS = {">=": "at least", "<=": "at most", ">": "above", "<": "below"}


def format_expr(expr: Expr | AllRows | Band) -> str:
    """Return the canonical text of a tree."""
    return _text(expr, _minimal, CLAUSE)


def format_grouped(expr: Expr | AllRows | Band) -> str:
    """Return the text of a tree with every part in parentheses: how the language reads it."""
    return _text(expr, _grouped, CLAUSE)


Place = Callable[[str, int, int], str]


def _minimal(text: str, level: int, least: int) -> str:
    return text if level >= least else f"({text})"


def _grouped(text: str, level: int, least: int) -> str:
    return text if level == ATOM or least == CLAUSE else f"({text})"


def _text(node: Expr | AllRows | Band, place: Place, least: int) -> str:
    text, level = _write(node, place)
    return place(text, level, least)


def _write(node: Expr | AllRows | Band, place: Place) -> tuple[str, int]:
    """Return the text of a node and how tightly it binds."""
    match node:
        case Number(value, percent):
            return _number(value, percent), ATOM
        case Duration(count, unit):
            return f"{count}{unit}", ATOM
        case Text(value):
            return quote(value), ATOM
        case Boolean(value):
            return ("true" if value else "false"), ATOM
        case Null():
            return "null", ATOM
        case Name():
            return node.text, ATOM
        case Member(of, name):
            inner = _text(of, place, CLAUSE)
            return f"{inner}.{name}" if isinstance(of, Member) or _is_call(of) else f"({inner}).{name}", ATOM
        case Apply():
            return _apply(node, place)
        case Where(operand, condition):
            return f"{_text(operand, place, OR)} where {_text(condition, place, OR)}", FILTERED
        case Per(value, keys, condition):
            rest = f" where {_text(condition, place, OR)}" if condition is not None else ""
            return f"{_text(value, place, OR)} per {_keys(keys)}{rest}", CLAUSE
        case Alias(operand, name):
            return f"{_text(operand, place, FILTERED)} as {name}", CLAUSE
        case Step():
            return _step(node, place), CLAUSE
        case AllRows():
            return "all rows", ATOM
        case Band(operator, bounds):
            words = [_text(bound, place, SUM) for bound in bounds]
            if operator == "between":
                return f"between {words[0]} and {words[1]}", CLAUSE
            return f"{BANDS.get(operator, operator)} {words[0]}", CLAUSE
        case _:
            assert_never(node)


def _number(value: Decimal, percent: bool) -> str:
    if percent:
        return f"{value.scaleb(2).normalize():f}%"
    return f"{value:f}" if -7 < value.adjusted() < 21 else str(value.normalize()).replace("E", "e")


def quote(value: str) -> str:
    """Return a text in quotes, in the kind that needs no doubling if there is one."""
    if '"' in value and "'" not in value:
        return f"'{value}'"
    doubled = value.replace('"', '""')
    return f'"{doubled}"'


def _is_call(node: Expr) -> bool:
    return isinstance(node, Apply) and _apply(node, _minimal)[1] == ATOM


def _apply(node: Apply, place: Place) -> tuple[str, int]:
    function, args = node.function, node.args
    match function, args:
        case (("or" | "and" | "+" | "-" | "*" | "/"), _) if len(args) > 1:
            level, inner = CHAINS[function]
            # A first part of the same level continues the chain only where the signs differ: (a + b) + c stays.
            continued = isinstance(args[0], Apply) and (args[0].function != function or function in "-/")
            first = _text(args[0], place, level if continued and function not in ("or", "and") else inner)
            return f" {function} ".join([first, *(_text(arg, place, inner) for arg in args[1:])]), level
        case "not", (arg,):
            return f"not {_text(arg, place, NOT)}", NOT
        case "neg", (arg,):
            return f"-{_text(arg, place, UNARY)}", UNARY
        case "^", (base, exponent):
            return f"{_text(base, place, ATOM)} ^ {_text(exponent, place, UNARY)}", POWER
        case (("in" | "not in"), (first_, *items)):
            listed = ", ".join(_text(item, place, OR) for item in items)
            return f"{_text(first_, place, SUM)} {function} ({listed})", COMPARE
        case (("between" | "not between"), (value, low, high)):
            bounds = f"{_text(low, place, SUM)} and {_text(high, place, SUM)}"
            return f"{_text(value, place, SUM)} {function} {bounds}", COMPARE
        case (("is null" | "is not null"), (value,)):
            return f"{_text(value, place, SUM)} {function}", COMPARE
        case _, (left, right) if function in COMPARISONS:
            return f"{_text(left, place, SUM)} {function} {_text(right, place, SUM)}", COMPARE
        case _:
            return f"{function}({', '.join(_text(arg, place, CLAUSE) for arg in args)})", ATOM


def _keys(keys: tuple[Name | Apply, ...]) -> str:
    words = [_text(key, _minimal, CLAUSE) for key in keys]
    return words[0] if len(words) == 1 else f"({', '.join(words)})"


def _step(node: Step, place: Place) -> str:
    if node.kind in ("first", "repeat"):
        operand = node.operands[0]
        plain = isinstance(operand, Name) or (isinstance(operand, Where) and isinstance(operand.operand, Name))
        inner = _text(operand, place, CLAUSE)
        text = f"{node.kind} {inner if plain else f'({inner})'}"
    else:
        text = f" {node.kind} ".join(_operand(operand, place) for operand in node.operands)
    if node.within is not None:
        text += f" within {_text(node.within, place, ATOM)}"
    if node.by:
        text += f" by {_keys(node.by)}"
    if node.match:
        text += f" match {node.match}"
    if node.at is not None:
        grain, age = node.at
        text += f" each {grain}" if age is None else f" at {grain} {age}"
    return text if node.condition is None else f"{text} where {_text(node.condition, place, OR)}"


def _operand(node: Expr, place: Place) -> str:
    if isinstance(node, Alias):
        return f"{_text(node.operand, place, FILTERED)} as {node.name}"
    return _text(node, place, FILTERED)


def show_tree(node: object) -> str:
    """Return a tree on one line: `(/ order (count visit))`."""
    match node:
        case Apply(function, args):
            return f"({' '.join([function.replace(' ', '-'), *map(show_tree, args)])})"
        case Member(of, name):
            return f"(. {show_tree(of)} {name})"
        case Where(operand, condition):
            return f"(where {show_tree(operand)} {show_tree(condition)})"
        case Per(value, keys, condition):
            parts = [show_tree(value), f"[{' '.join(map(show_tree, keys))}]"]
            return f"(per {' '.join(parts + ([show_tree(condition)] if condition is not None else []))})"
        case Alias(operand, name):
            return f"(as {show_tree(operand)} {name})"
        case Step():
            return _show_step(node)
        case Band(operator, bounds):
            return f"(band {operator} {' '.join(map(show_tree, bounds))})"
        case Number() | Duration() | Text() | Boolean() | Null() | Name() | AllRows():
            return format_expr(node)
        case _:
            raise TypeError(f"no syntax: {node!r}")


def _show_step(node: Step) -> str:
    parts = [node.kind, *map(show_tree, node.operands)]
    if node.within is not None:
        parts.append(f"within:{show_tree(node.within)}")
    if node.by:
        parts.append(f"by:[{' '.join(map(show_tree, node.by))}]")
    if node.match:
        parts.append(f"match:{node.match}")
    if node.condition is not None:
        parts.append(f"where:{show_tree(node.condition)}")
    return f"({' '.join(parts)})"
