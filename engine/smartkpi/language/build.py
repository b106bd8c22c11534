"""From grammar rules to syntax nodes: one function a rule of grammar.lark, by its name or alias.

Each takes the text, the stretch of it that the rule covers, and its parts: nodes, and tokens as (start, end, word).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NoReturn

from smartkpi.diagnostics import Diagnostic, KpiError
from smartkpi.language.format import format_expr
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
    Where,
)
from smartkpi.language.syntax import Text as TextLiteral
from smartkpi.source import Span, Text

Token = tuple[int, int, str]
Parts = list[Any]
Builder = Callable[[Text, Span, Parts], Any]

MOST_DIGITS = 28  # what Decimal computes with, and far more than any measure has
MOST_PARTS = 200  # of one chain of `+`, `*`, `and` or `or`
SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 604800, "mo": 2678400, "q": 7948800, "y": 31622400}


def fail(code: str, message: str, span: Span, hint: str = "") -> NoReturn:
    """Raise one diagnostic."""
    raise KpiError(Diagnostic(code, message, span, hint))


def _at(text: Text, token: Token) -> Span:
    return text.at(token[0], token[1])


# Literals


def _decimal(text: Text, span: Span, digits: str, exponent: str = "") -> Decimal:
    plain = digits.replace("_", "")
    value = Decimal(plain + exponent)
    shown = digits if len(digits) < 20 else f"{digits[:19]}…"
    if len(value.as_tuple().digits) > MOST_DIGITS:
        fail("number-range", f"`{shown}` has more digits than a number holds", span, f"at most {MOST_DIGITS}")
    if value and not -MOST_DIGITS < value.adjusted() < MOST_DIGITS:
        fail("number-range", f"`{shown}` is too large or too small", span, "no measure is so far from 1")
    return value


def number(text: Text, span: Span, parts: Parts) -> Expr:
    return Number(_decimal(text, span, parts[0][2]), False, span)


def percent(text: Text, span: Span, parts: Parts) -> Expr:
    return Number(_decimal(text, span, parts[0][2][:-1], "e-2"), True, span)


def duration(text: Text, span: Span, parts: Parts) -> Expr:
    return _duration(text, span, parts[0][2])


def _duration(text: Text, span: Span, word: str) -> Duration:
    digits = word.rstrip("mindhwqosy")
    count, unit = int(_decimal(text, span, digits)), word[len(digits) :]
    if count * SECONDS[unit] > 1000 * SECONDS["y"]:
        fail("number-range", f"`{word}` is longer than 1,000 years", span)
    return Duration(count, unit, span)


def string(text: Text, span: Span, parts: Parts) -> Expr:
    start, end, _ = parts[0]
    quote = text.value[start]
    return TextLiteral(text.value[start + 1 : end - 1].replace(quote + quote, quote), span)


def true(text: Text, span: Span, parts: Parts) -> Expr:
    return Boolean(True, span)


def false(text: Text, span: Span, parts: Parts) -> Expr:
    return Boolean(False, span)


def null(text: Text, span: Span, parts: Parts) -> Expr:
    return Null(span)


# Names and calls


def _name(text: Text, token: Token) -> str:
    start, _, word = token
    if word.isascii():
        return word
    for i, character in enumerate(word):
        if not (word[0] + character if i else character).isidentifier():
            fail("syntax", f"`{character}` cannot be part of a name", text.at(start + i, start + i + 1))
    return unicodedata.normalize("NFC", word)


def path(text: Text, span: Span, parts: Parts) -> Expr:
    if len(parts) == 1:
        return Name((_name(text, parts[0]),), span)
    return Name(tuple(_name(text, token) for token in parts[::2]), span)


def paren(text: Text, span: Span, parts: Parts) -> Expr:
    inner: Expr = parts[1]
    return inner


def member(text: Text, span: Span, parts: Parts) -> Expr:
    return Member(parts[0], _name(text, parts[2]), span)


def call(text: Text, span: Span, parts: Parts) -> Expr:
    if parts[0][2] == "neg":  # the tree's word for the sign, not the analyst's
        fail("syntax", "`neg` is no function", _at(text, parts[0]), "write `-` before the value")
    return Apply(_name(text, parts[0]), tuple(parts[2:-1:2]), span, _at(text, parts[0]))


def if_call(text: Text, span: Span, parts: Parts) -> Expr:
    args = tuple(parts[2:-1:2])
    if len(args) != 3:
        missing = "the value otherwise is missing" if len(args) == 2 else f"it has {len(args)}"
        hint = "write `if(condition, value, otherwise)`; `null` may be the last"
        fail("syntax", f"`if` takes a condition and two values; {missing}", span, hint)
    return Apply("if", args, span, _at(text, parts[0]))


# Operators


def _flat(text: Text, span: Span, function: str, args: Parts, sign: Token) -> Expr:
    if len(args) > MOST_PARTS:
        message = f"more than {MOST_PARTS} parts are joined by `{function}`"
        fail("formula-too-large", message, span, "split it, or use `in (…)`")
    return Apply(function, tuple(args), span, _at(text, sign))


def or_(text: Text, span: Span, parts: Parts) -> Expr:
    return _flat(text, span, "or", parts[::2], parts[1])


def and_(text: Text, span: Span, parts: Parts) -> Expr:
    return _flat(text, span, "and", parts[::2], parts[1])


def not_(text: Text, span: Span, parts: Parts) -> Expr:
    return Apply("not", (parts[1],), span, _at(text, parts[0]))


SIGNS = {"=": "==", "<>": "!="}


def comparison(text: Text, span: Span, parts: Parts) -> Expr:
    if len(parts) > 3:
        words = [text.value[p[0] : p[1]] if isinstance(p, tuple) else format_expr(p) for p in parts[:5]]
        hint = f"write `{' '.join(words[:3])} and {' '.join(words[2:])}`"
        fail("chained-comparison", "comparisons cannot be chained", _at(text, parts[3]), hint)
    left, sign, right = parts
    return Apply(SIGNS.get(sign[2], sign[2]), (left, right), span, _at(text, sign))


def membership(text: Text, span: Span, parts: Parts) -> Expr:
    function = "in" if len(parts[1][2]) == 2 else "not in"
    first = 3 if function == "in" else 4
    sign = text.at(parts[1][0], parts[first - 2][1])
    return Apply(function, (parts[0], *parts[first:-1:2]), span, sign)


def between(text: Text, span: Span, parts: Parts) -> Expr:
    function = "between" if len(parts) == 5 else "not between"
    return Apply(function, (parts[0], parts[-3], parts[-1]), span, text.at(parts[1][0], parts[-4][1]))


def null_test(text: Text, span: Span, parts: Parts) -> Expr:
    function = "is null" if len(parts) == 3 else "is not null"
    return Apply(function, (parts[0],), span, text.at(parts[1][0], parts[-1][1]))


def _left_to_right(text: Text, span: Span, parts: Parts, flat: str) -> Expr:
    """Join parts by their signs from the left; a run of the flat sign becomes one node."""
    left: Expr = parts[0]
    i = 1
    while i < len(parts):
        sign, args = parts[i], [left, parts[i + 1]]
        i += 2
        while sign[2] == flat and i < len(parts) and parts[i][2] == flat:
            args.append(parts[i + 1])
            i += 2
        left = _flat(text, span if i >= len(parts) else _before(text, span, parts[i]), sign[2], args, sign)
    return left


def _before(text: Text, span: Span, sign: Token) -> Span:
    end = len(text.value[: sign[0]].rstrip())
    return span.to(text.at(end - 1, end)) if end else span


def sum_(text: Text, span: Span, parts: Parts) -> Expr:
    return _left_to_right(text, span, parts, "+")


def term(text: Text, span: Span, parts: Parts) -> Expr:
    return _left_to_right(text, span, parts, "*")


def negation(text: Text, span: Span, parts: Parts) -> Expr:
    return Apply("neg", (parts[1],), span, _at(text, parts[0]))


def power(text: Text, span: Span, parts: Parts) -> Expr:
    return Apply("^", (parts[0], parts[2]), span, _at(text, parts[1]))


# Clauses and steps


def filtered(text: Text, span: Span, parts: Parts) -> Expr:
    return Where(parts[0], parts[2], span)


def per(text: Text, span: Span, parts: Parts) -> Expr:
    return Per(parts[0], parts[2], parts[4] if len(parts) > 3 else None, span)


def keys(text: Text, span: Span, parts: Parts) -> tuple[Expr, ...]:
    return (parts[0],) if len(parts) == 1 else tuple(parts[1:-1:2])


def column_key(text: Text, span: Span, parts: Parts) -> Expr:
    name, literal = parts[0], parts[2]
    if name[2] != "col":
        fail("syntax", f"`{name[2]}(…)` is no field", span, 'a key is a field: a name, or `col("…")`')
    return Apply("col", (string(text, _at(text, literal), [literal]),), span, _at(text, name))


def end_within(text: Text, span: Span, parts: Parts) -> tuple[str, Any, Span]:
    return "within", _duration(text, _at(text, parts[1]), parts[1][2]), span


def end_within_name(text: Text, span: Span, parts: Parts) -> tuple[str, Any, Span]:
    return "within", parts[1], span


def end_by(text: Text, span: Span, parts: Parts) -> tuple[str, Any, Span]:
    return "by", parts[1], span


def end_match(text: Text, span: Span, parts: Parts) -> tuple[str, Any, Span]:
    return "match", parts[1][2], span


def end_where(text: Text, span: Span, parts: Parts) -> tuple[str, Any, Span]:
    return "where", parts[1], span


def ends(text: Text, span: Span, parts: Parts) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word, value, place in parts:
        if word in found:
            hint = "join the conditions with `and`" if word == "where" else "once is enough"
            fail("syntax", f"`{word}` stands twice in one step", place, hint)
        found[word] = value
    return found


def _operand(node: Expr) -> Expr:
    inner = node
    while isinstance(inner, Alias | Where):
        inner = inner.operand
    if not isinstance(inner, Name | Step):
        fail("syntax", "a step is made of events", inner.span, "name an event, or put a step in parentheses")
    return node


def _step(kind: Any, operands: Parts, end: Mapping[str, Any], span: Span) -> Expr:
    checked = tuple(_operand(operand) for operand in operands)
    return Step(kind, checked, end.get("within"), end.get("by", ()), end.get("match"), end.get("where"), span)


def step(text: Text, span: Span, parts: Parts) -> Expr:
    return _step(parts[0][2], [parts[1]], parts[2], span)


def filtered_step(text: Text, span: Span, parts: Parts) -> Expr:
    word, operand, _, condition, end = parts
    return _step(word[2], [Where(operand, condition, operand.span.to(condition.span))], end, span)


def grouped_step(text: Text, span: Span, parts: Parts) -> Expr:
    return _step(parts[0][2], [parts[2]], parts[4], span)


def alias(text: Text, span: Span, parts: Parts) -> Expr:
    return Alias(parts[0], _name(text, parts[2]), span)


def chain(text: Text, span: Span, parts: Parts) -> Expr:
    end = parts.pop() if isinstance(parts[-1], dict) else {}
    link = parts[1]
    for other in parts[3::2]:
        if other[2] != link[2]:
            message = f"`{link[2]}` and `{other[2]}` stand in one chain"
            fail("syntax", message, _at(text, other), "put the inner step in parentheses")
    return _step(link[2], parts[::2], end, span)


# Bindings and bands

BANDS = {"at least": ">=", "at most": "<=", "above": ">", "below": "<", **SIGNS}


def all_rows(text: Text, span: Span, parts: Parts) -> AllRows:
    return AllRows(span)


def bound(text: Text, span: Span, parts: Parts) -> Band:
    words = " ".join(parts[0][2].split())
    operator: Any = BANDS.get(words, words)
    return Band(operator, (parts[1],), span)


def band_between(text: Text, span: Span, parts: Parts) -> Band:
    return Band("between", (parts[1], parts[3]), span)


def band_condition(text: Text, span: Span, parts: Parts) -> Expr:
    condition: Expr = parts[0]
    if isinstance(condition, Number | Duration):
        words = format_expr(condition)
        fail("syntax", f"`{words}` alone is no band", span, f"write `at least {words}` or `at most {words}`")
    return condition


RULES = (
    number, percent, duration, string, true, false, null, path, paren, member, call, if_call, or_, and_, not_,
    comparison, membership, between, null_test, sum_, term, negation, power, filtered, per, keys, column_key,
    end_within, end_within_name, end_by, end_match, end_where, ends, step, filtered_step, grouped_step, alias, chain,
    all_rows, bound, band_between, band_condition,
)  # fmt: skip
BUILDERS: Mapping[str, Builder] = {rule.__name__: rule for rule in RULES}
