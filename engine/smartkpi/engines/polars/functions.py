"""Functions and operators as Polars expressions: one table for values anywhere, one for rows alone.

SCALAR works on numbers as Float64 (comparisons, `if` and the like on any type) and serves formulas too; ROW needs
rows: texts as String, times as aware Datetime in the project's zone, dates as Datetime without one. No builder returns
NaN or infinity, and every condition is true or false, never null.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add, and_, mul, or_

import polars as pl

from smartkpi.language.types import Kind

Builder = Callable[..., pl.Expr]


def finite(value: pl.Expr) -> pl.Expr:
    """Return a number with NaN and infinity as null."""
    return pl.when(value.is_finite()).then(value)


def _known(condition: pl.Expr) -> pl.Expr:
    return condition.fill_null(value=False)


def _add(*args: pl.Expr) -> pl.Expr:
    return finite(reduce(add, args))


def _multiply(*args: pl.Expr) -> pl.Expr:
    return finite(reduce(mul, args))


def _divide(a: pl.Expr, b: pl.Expr) -> pl.Expr:
    return finite(a / b)


def _modulo(a: pl.Expr, b: pl.Expr) -> pl.Expr:
    return finite(a % b)


def _round(value: pl.Expr, digits: pl.Expr | None = None) -> pl.Expr:
    """Round half away from zero; negative digits round to tens, hundreds, …"""
    if digits is None:
        return value.round(0, mode="half_away_from_zero")
    up = pl.lit(10.0).pow(digits.clip(lower_bound=0))
    down = pl.lit(10.0).pow((-digits).clip(lower_bound=0))
    scaled = (value * up / down).round(0, mode="half_away_from_zero") * down / up
    return pl.when(scaled.is_finite()).then(scaled).otherwise(finite(value + 0 * digits))


def _least(*args: pl.Expr) -> pl.Expr:
    return pl.when(~pl.any_horizontal(a.is_null() for a in args)).then(pl.min_horizontal(*args))


def _greatest(*args: pl.Expr) -> pl.Expr:
    return pl.when(~pl.any_horizontal(a.is_null() for a in args)).then(pl.max_horizontal(*args))


def _equal(a: pl.Expr, b: pl.Expr) -> pl.Expr:
    return _known(a == b)


def _unequal(a: pl.Expr, b: pl.Expr) -> pl.Expr:
    return (a != b).fill_null(value=True)


def _in(value: pl.Expr, *options: pl.Expr) -> pl.Expr:
    return reduce(or_, (_equal(value, option) for option in options), pl.lit(value=False))


def _between(value: pl.Expr, low: pl.Expr, high: pl.Expr) -> pl.Expr:
    return _known(value >= low) & _known(value <= high)


def _choose(condition: pl.Expr, yes: pl.Expr, no: pl.Expr) -> pl.Expr:
    return pl.when(_known(condition)).then(yes).otherwise(no)


SCALAR: Mapping[str, Builder] = {
    "+": _add,
    "-": lambda a, b: finite(a - b),
    "*": _multiply,
    "/": _divide,
    "^": lambda a, b: finite(a.pow(b)),
    "neg": lambda a: -a,
    "abs": lambda a: a.abs(),
    "round": _round,
    "floor": lambda a: a.floor(),
    "ceil": lambda a: a.ceil(),
    "ln": lambda a: finite(a.log()),
    "log10": lambda a: finite(a.log10()),
    "exp": lambda a: finite(a.exp()),
    "sqrt": lambda a: finite(a.sqrt()),
    "least": _least,
    "greatest": _greatest,
    "mod": _modulo,
    "==": _equal,
    "!=": _unequal,
    "<": lambda a, b: _known(a < b),
    "<=": lambda a, b: _known(a <= b),
    ">": lambda a, b: _known(a > b),
    ">=": lambda a, b: _known(a >= b),
    "and": lambda *args: reduce(and_, map(_known, args)),
    "or": lambda *args: reduce(or_, map(_known, args)),
    "not": lambda a: ~_known(a),
    "in": _in,
    "not in": lambda value, *options: ~_in(value, *options),
    "between": _between,
    "not between": lambda value, low, high: ~_between(value, low, high),
    "is null": lambda a: a.is_null(),
    "is not null": lambda a: a.is_not_null(),
    "if": _choose,
    "coalesce": pl.coalesce,
}


def _epoch(scale: int) -> Builder:
    def build(value: pl.Expr) -> pl.Expr:
        micros = (value * scale).round(0).cast(pl.Int64, strict=False)
        return micros.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")

    return build


def make_date(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    """Return the date of whole numbers, null where there is none (31 April)."""
    parts = [part.cast(pl.Int64, strict=False) for part in (year, month, day)]
    y, m, d = parts
    whole = [_known(part == value) for part, value in zip(parts, (year, month, day), strict=True)]
    sound = reduce(and_, whole) & y.is_between(1, 9999) & m.is_between(1, 12) & d.is_between(1, 31)
    first = pl.date(pl.when(sound).then(y).otherwise(2000), pl.when(sound).then(m).otherwise(1), 1)
    found = first + pl.duration(days=pl.when(sound).then(d - 1).otherwise(0))
    return pl.when(sound & (found.dt.month() == m)).then(found)


@dataclass(frozen=True, slots=True)
class RowFunction:
    """A function of the values of a row: the kind that it takes its arguments as, the kind that it gives, and how."""

    takes: Kind
    gives: Kind
    build: Builder
    whole: bool = False


def _of_text(gives: Kind, build: Builder) -> RowFunction:
    return RowFunction(Kind.TEXT, gives, build)


def _part_of_time(build: Builder) -> RowFunction:
    return RowFunction(Kind.TIME, Kind.NUMBER, lambda time: build(time).cast(pl.Int64), whole=True)


ROW: Mapping[str, RowFunction] = {
    "lower": _of_text(Kind.TEXT, lambda text: text.str.to_lowercase()),
    "upper": _of_text(Kind.TEXT, lambda text: text.str.to_uppercase()),
    "trim": _of_text(Kind.TEXT, lambda text: text.str.strip_chars()),
    "contains": _of_text(Kind.BOOLEAN, lambda text, part: _known(text.str.contains(part, literal=True))),
    "starts_with": _of_text(Kind.BOOLEAN, lambda text, part: _known(text.str.starts_with(part))),
    "ends_with": _of_text(Kind.BOOLEAN, lambda text, part: _known(text.str.ends_with(part))),
    "matches": _of_text(Kind.BOOLEAN, lambda text, pattern: _known(text.str.contains(pattern))),
    "hour_of_day": _part_of_time(lambda time: time.dt.hour()),
    "day_of_week": _part_of_time(lambda time: time.dt.weekday()),
    "day_of_month": _part_of_time(lambda time: time.dt.day()),
    "month_of_year": _part_of_time(lambda time: time.dt.month()),
    "date": RowFunction(Kind.TIME, Kind.DATE, lambda time: time.dt.date()),
    "epoch_s": RowFunction(Kind.NUMBER, Kind.TIME, _epoch(1_000_000)),
    "epoch_ms": RowFunction(Kind.NUMBER, Kind.TIME, _epoch(1_000)),
    "make_date": RowFunction(Kind.NUMBER, Kind.DATE, make_date),
}
"""`col` is gone when a formula is typed; `parse_time` is compiled with expressions, as it needs the dataset's zone."""
