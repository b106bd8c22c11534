"""Random syntax trees, as the parser could have made them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from smartkpi.language import syntax as s
from smartkpi.language.functions import FUNCTIONS
from smartkpi.source import Source, Span

SPAN = Span(Source("<none>", ""), 0, 0)
NAMES = st.sampled_from(["order", "visit", "amount", "a", "_b1", "all", "last", "at", "above", "订单", "é"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(lambda parts: s.Name(tuple(parts), SPAN))
CALLS = st.sampled_from(
    sorted(
        name
        for name in FUNCTIONS
        if name.isidentifier() and name not in ("if", "neg", "and", "or", "not", "in", "between")
    )
)
UNITS = st.sampled_from(["s", "min", "h", "d", "w", "mo", "q", "y"])
DURATIONS = st.builds(s.Duration, st.integers(0, 900), UNITS, st.just(SPAN))
COLUMNS = st.text(max_size=5).map(lambda t: s.Apply("col", (s.Text(t, SPAN),), SPAN, SPAN))
KEYS = st.lists(PATHS | COLUMNS, min_size=1, max_size=2).map(tuple)


def _number(digits: int, exponent: int, percent: bool) -> s.Number:
    return s.Number(Decimal(digits).scaleb(exponent - (2 if percent else 0)), percent, SPAN)


NUMBERS = st.builds(_number, st.integers(0, 10**12), st.integers(-9, 9), st.booleans())
LEAVES: st.SearchStrategy[Any] = st.one_of(
    PATHS,
    NUMBERS,
    DURATIONS,
    st.text(max_size=6).map(lambda text: s.Text(text, SPAN)),
    st.booleans().map(lambda value: s.Boolean(value, SPAN)),
    st.just(s.Null(SPAN)),
)
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


def _apply(function: str, *args: Any) -> s.Apply:
    return s.Apply(function, tuple(args), SPAN, SPAN)


def _fixed(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Operators with a set number of parts."""
    one = st.builds(_apply, st.sampled_from(["neg", "not", "is null", "is not null"]), parts)
    two = st.builds(_apply, st.sampled_from(["-", "/", "^", *COMPARISONS]), parts, parts)
    three = st.builds(_apply, st.sampled_from(["if", "between", "not between"]), parts, parts, parts)
    return one | two | three


def _many(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(parts, min_size=2, max_size=4)
    chains = st.builds(lambda f, a: _apply(f, *a), st.sampled_from(["+", "*", "and", "or", "in", "not in"]), some)
    calls = st.builds(lambda f, a: _apply(f, *a), CALLS.filter(lambda name: name != "first"), some)
    return chains | calls | st.builds(_apply, CALLS, parts)


def _clauses(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    where = st.builds(s.Where, parts, parts, st.just(SPAN))
    per = st.builds(s.Per, parts, KEYS, st.none() | parts, st.just(SPAN))
    member = st.builds(s.Member, parts, NAMES, st.just(SPAN))
    return where | per | member | _steps(parts)


@st.composite
def _steps(draw: st.DrawFn, parts: st.SearchStrategy[Any]) -> s.Step:
    kind: Any = draw(st.sampled_from(["first", "repeat", "then", "after", "without"]))
    single = kind in ("first", "repeat")
    operands = tuple(draw(_operand(parts, single)) for _ in range(1 if single else draw(st.integers(2, 3))))
    within = draw(st.none() | DURATIONS | PATHS)
    by = draw(st.just(()) | KEYS)
    match = draw(st.none() | st.sampled_from(["all", "first", "last"]))
    if single and within is None and not by and match is None:
        by = draw(KEYS)
    ended = within is not None or by or match is not None
    condition = draw(st.none() | parts) if ended else None
    return s.Step(kind, operands, within, by, match, condition, SPAN)


@st.composite
def _operand(draw: st.DrawFn, parts: st.SearchStrategy[Any], single: bool) -> Any:
    inner = draw(parts)
    node: Any = inner if isinstance(inner, s.Step) else draw(PATHS)
    if draw(st.booleans()):
        node = s.Where(node, draw(parts), SPAN)
    return s.Alias(node, draw(NAMES), SPAN) if not single and draw(st.booleans()) else node


TREES = st.recursive(LEAVES, lambda parts: _fixed(parts) | _many(parts) | _clauses(parts), max_leaves=12)
