"""Row expressions as Polars expressions, with columns normalised: what a value of a row is, decided in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import reduce
from operator import and_
from typing import assert_never

import polars as pl

from smartkpi.engines.polars.functions import ROW, SCALAR, Builder, finite
from smartkpi.engines.polars.times import (
    INSTANT,
    LOCAL,
    Clock,
    Span,
    add_offsets,
    keeps_days,
    localise,
    read_iso,
    start_of,
    take_offsets,
    to_zone,
)
from smartkpi.language.functions import COMPARISONS
from smartkpi.language.types import Kind, Type
from smartkpi.periods.calendar import PLAIN, Calendar
from smartkpi.periods.grain import Grain
from smartkpi.semantics.formula import (
    Across,
    Aggregate,
    Apply,
    Column,
    Expr,
    Field,
    InGroup,
    Literal,
    LookedUp,
    Per,
    Reference,
    Shifted,
    Windowed,
)

LOGIC = frozenset(("and", "or", "not"))
CHOICES = frozenset(("if", "coalesce", "least", "greatest"))
NULLNESS = frozenset(("is null", "is not null"))
TEMPORAL = (Kind.TIME, Kind.DATE)
SECONDS_OF_DAY = 86_400
LARGEST = 2**63
NARROW = (pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16, pl.UInt32)


@dataclass(frozen=True, slots=True)
class Rows:
    """What expressions need to know of a table: its columns and zone, the project's zone and calendar, its name.

    ``looked`` has the looked-up fields by name (`customer.country`), as columns of the joined rows; ``spans`` the first
    and last value of columns of times, where that is known; ``held`` has columns that say whether rows are in groups.
    """

    dtypes: Mapping[str, pl.DataType]
    types: Mapping[str, Type]
    local: str
    zone: str
    dataset: str
    looked: Mapping[str, Typed] = field(default_factory=dict)
    spans: Mapping[str, Span] = field(default_factory=dict)
    held: Mapping[InGroup, Typed] = field(default_factory=dict)
    calendar: Calendar = PLAIN


@dataclass(frozen=True, slots=True)
class Typed:
    """A Polars expression and what it yields.

    ``whole``: an integer type, ``narrow``: of at most 32 bits; ``decimal``: a fixed-point column; ``coded``: Enum or
    Categorical; ``literal``: one constant value; ``raw``: a column of floats in which NaN and infinity still stand;
    ``sure``: never null.
    """

    expr: pl.Expr
    kind: Kind
    whole: bool = False
    narrow: bool = False
    decimal: bool = False
    coded: bool = False
    literal: bool = False
    raw: pl.Expr | None = None
    sure: bool = False


Known = Mapping[Expr, Typed]
NOTHING: Known = {}


def compile_row(expr: Expr, rows: Rows, known: Known = NOTHING) -> Typed:
    """Return a row expression for Polars; what is in ``known`` is taken from there instead."""
    if expr in known:
        return known[expr]
    match expr:
        case Literal():
            return _literal(expr, rows.zone)
        case Column():
            return _column(expr.name, rows)
        case LookedUp():
            assert expr.text in rows.looked, f"a lookup of {rows.dataset} was not prepared: {expr.text}"
            return rows.looked[expr.text]
        case InGroup():
            assert expr in rows.held, f"a group of {rows.dataset} was not prepared: {expr.relation}"
            return rows.held[expr]
        case Apply():
            args = tuple(compile_row(arg, rows, known) for arg in expr.args)
            return _apply(expr, args, rows)
        case Field() | Aggregate() | Reference() | Across() | Per() | Windowed() | Shifted():
            raise AssertionError(f"not a row expression over columns: {expr}")
        case _:
            assert_never(expr)


def condition(expr: Expr, rows: Rows, known: Known = NOTHING) -> pl.Expr:
    """Return a row condition: true or false, never null."""
    typed = compile_row(expr, rows, known)
    return typed.expr if typed.sure else typed.expr.cast(pl.Boolean).fill_null(value=False)


def conditions(exprs: Sequence[Expr], rows: Rows, known: Known = NOTHING) -> pl.Expr | None:
    """Return a conjunction of row conditions, or None for none."""
    parts = [condition(expr, rows, known) for expr in exprs]
    return reduce(and_, parts) if parts else None


def number(typed: Typed) -> pl.Expr:
    """Return a value as Float64 (times as seconds since 1970)."""
    if typed.kind in TEMPORAL:
        return typed.expr.cast(INSTANT if typed.kind is Kind.TIME else LOCAL).dt.epoch("us") / 1e6
    return typed.expr.cast(pl.Float64)


def text(typed: Typed) -> pl.Expr:
    """Return a text as String."""
    return typed.expr.cast(pl.String) if typed.coded or typed.kind is Kind.NULL else typed.expr


def clock_of(expr: Expr, rows: Rows) -> Clock:
    """Return the time of rows, in the cheapest form that keeps local days right."""
    if isinstance(expr, Column) and isinstance(dtype := rows.dtypes.get(expr.name), pl.Datetime):
        if dtype.time_zone == "UTC":
            return Clock("aware", pl.col(expr.name), rows.zone, _local(expr.name, rows))
        if dtype.time_zone is None and rows.local == rows.zone and keeps_days(rows.zone):
            return Clock("naive", pl.col(expr.name), rows.zone)
    typed = compile_row(expr, rows)
    match typed.kind:
        case Kind.DATE:
            return Clock("date", typed.expr, rows.zone)
        case Kind.TIME:
            local = _local(expr.name, rows) if isinstance(expr, Column) else None
            return Clock("aware", typed.expr.dt.convert_time_zone("UTC"), rows.zone, local)
        case _ if typed.kind is Kind.NULL or (isinstance(expr, Apply) and expr.type.kind is Kind.UNKNOWN):
            return Clock("date", pl.lit(None, dtype=pl.Date), rows.zone)
        case kind:
            raise AssertionError(f"check let a time of {rows.dataset} through that is a {kind}")


def is_converted(dtype: pl.DataType | None, rows: Rows) -> bool:
    """Say whether the local time of a column of times takes a conversion between zones."""
    if not isinstance(dtype, pl.Datetime):
        return False
    stored = rows.local if dtype.time_zone is None else "UTC"
    return stored != rows.zone or (dtype.time_zone is None and not keeps_days(rows.zone))


def _local(column: str, rows: Rows) -> pl.Expr | None:
    """Return a column of times as naive local ones, None where that takes a conversion."""
    utc = _utc(column, rows)
    return None if utc is None else add_offsets(utc, rows.zone, rows.spans[column])


def _utc(column: str, rows: Rows) -> pl.Expr | None:
    """Return a column of times as naive UTC ones, None where that takes a conversion."""
    dtype = rows.dtypes[column]
    if column not in rows.spans or not isinstance(dtype, pl.Datetime):
        return None
    stored = pl.col(column).dt.cast_time_unit("us")
    if dtype.time_zone is not None:
        return stored.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return take_offsets(stored, rows.local, rows.spans[column])


def _literal(literal: Literal, zone: str) -> Typed:
    match literal.value:
        case None:
            return Typed(pl.lit(None), Kind.NULL, literal=True)
        case bool():
            return Typed(pl.lit(literal.value), Kind.BOOLEAN, literal=True)
        case str():
            return Typed(pl.lit(literal.value), Kind.TEXT, literal=True)
        case Decimal():
            if literal.value == literal.value.to_integral_value() and abs(literal.value) < LARGEST:
                return Typed(pl.lit(int(literal.value), pl.Int64), Kind.NUMBER, whole=True, literal=True)
            return Typed(pl.lit(float(literal.value)), Kind.NUMBER, literal=True)
        case datetime():
            moment = literal.value if literal.value.tzinfo else literal.value.replace(tzinfo=UTC)
            return Typed(to_zone(pl.lit(moment.astimezone(UTC), INSTANT), zone), Kind.TIME, literal=True)
        case date():
            return Typed(pl.lit(literal.value), Kind.DATE, literal=True)
        case _:
            assert_never(literal.value)


def _column(name: str, rows: Rows) -> Typed:
    assert name in rows.dtypes, f"check let a column through that {rows.dataset} lacks: {name}"
    dtype, column = rows.dtypes[name], pl.col(name)
    if name in rows.types and rows.types[name].kind is Kind.UNKNOWN:
        return Typed(pl.lit(None), Kind.NULL)
    if dtype.is_integer():
        return Typed(column, Kind.NUMBER, whole=True, narrow=dtype in NARROW)
    if dtype.is_float():
        raw = column.cast(pl.Float64)
        return Typed(finite(raw), Kind.NUMBER, raw=raw)
    match dtype:
        case pl.Decimal():
            return Typed(column, Kind.NUMBER, decimal=True)
        case pl.String():
            return Typed(column, Kind.TEXT)
        case pl.Categorical() | pl.Enum():
            return Typed(column, Kind.TEXT, coded=True)
        case pl.Boolean():
            return Typed(column, Kind.BOOLEAN)
        case pl.Date():
            return Typed(column, Kind.DATE)
        case pl.Datetime():
            if dtype.time_zone is None and (utc := _utc(name, rows)) is not None:
                return Typed(to_zone(utc.dt.replace_time_zone("UTC"), rows.zone), Kind.TIME)
            aware = column if dtype.time_zone else localise(column, rows.local)
            return Typed(aware.dt.convert_time_zone(rows.zone).dt.cast_time_unit("us"), Kind.TIME)
        case pl.Duration():
            return Typed(column.dt.total_microseconds() / 1e6, Kind.NUMBER)
        case _:
            raise AssertionError(f"check let a column of {rows.dataset} through that is no field: {name} {dtype}")


def _apply(expr: Apply, args: tuple[Typed, ...], rows: Rows) -> Typed:
    name = expr.function
    if name in COMPARISONS:
        return Typed(_compare(name, args, expr.args), Kind.BOOLEAN, sure=True)
    if name in LOGIC:
        return Typed(SCALAR[name](*(arg.expr.cast(pl.Boolean) for arg in args)), Kind.BOOLEAN, sure=True)
    if name in NULLNESS:
        return Typed(SCALAR[name](args[0].expr), Kind.BOOLEAN, sure=True)
    if name in CHOICES:
        return _among(name, args)
    if name in ("+", "-") and any(arg.kind in TEMPORAL for arg in args):
        return _move(expr, args, rows)
    if name in SCALAR:
        return Typed(SCALAR[name](*map(number, args)), Kind.NUMBER)
    return _row_function(expr, args, rows)


def _compare(name: str, args: tuple[Typed, ...], written: tuple[Expr, ...]) -> pl.Expr:
    build: Builder = SCALAR[name]
    options = written[1:]
    if name in ("in", "not in") and len(options) > 1 and args[0].kind is Kind.TEXT:
        values = [option.value for option in options if isinstance(option, Literal) and isinstance(option.value, str)]
        if len(values) == len(options):
            found = args[0].expr.is_in(values).fill_null(value=False)
            return found if name == "in" else ~found
    equality = name in ("==", "!=", "in", "not in")
    return build(*(arg for arg in _aligned(args, equality)))


def _aligned(args: tuple[Typed, ...], equality: bool) -> list[pl.Expr]:
    """Return arguments as they may be compared or chosen among: one type, dates where any side has dates only."""
    kinds = {arg.kind for arg in args} - {Kind.NULL}
    if kinds == {Kind.NUMBER}:
        whole = all(arg.whole for arg in args if arg.kind is Kind.NUMBER)
        return [arg.expr if whole or arg.kind is Kind.NULL else number(arg) for arg in args]
    if kinds == set(TEMPORAL):
        return [arg.expr.dt.date() if arg.kind is Kind.TIME else arg.expr for arg in args]
    if kinds == {Kind.TEXT}:
        coded = [arg for arg in args if arg.coded]
        if len(coded) == 1 and equality and all(arg.coded or arg.literal for arg in args):
            return [arg.expr for arg in args]
        return [text(arg) for arg in args]
    return [arg.expr for arg in args]


def _among(name: str, args: tuple[Typed, ...]) -> Typed:
    values = args[1:] if name == "if" else args
    aligned = _aligned(values, equality=False)
    kinds = [value.kind for value in values if value.kind is not Kind.NULL]
    kind = Kind.DATE if set(kinds) == set(TEMPORAL) else kinds[0] if kinds else Kind.NULL
    whole = bool(kinds) and all(value.whole for value in values if value.kind is not Kind.NULL)
    if name == "if":
        return Typed(SCALAR[name](args[0].expr.cast(pl.Boolean), *aligned), kind, whole=whole)
    return Typed(SCALAR[name](*aligned), kind, whole=whole)


def _move(expr: Apply, args: tuple[Typed, ...], rows: Rows) -> Typed:
    """Add durations (seconds) to a time or date, or take the distance of two."""
    if expr.function == "-" and all(arg.kind in TEMPORAL for arg in args):
        if any(arg.kind is Kind.DATE for arg in args):
            first, second = (arg.expr.dt.date() if arg.kind is Kind.TIME else arg.expr for arg in args)
            return Typed((first - second).dt.total_days() * float(SECONDS_OF_DAY), Kind.NUMBER)
        return Typed((args[0].expr - args[1].expr).dt.total_microseconds() / 1e6, Kind.NUMBER)
    base = next(arg for arg in args if arg.kind in TEMPORAL)
    sign = -1 if expr.function == "-" else 1
    seconds = reduce(lambda a, b: a + b, (number(arg) for arg in args if arg is not base))
    if base.kind is Kind.DATE and expr.type.kind is not Kind.TIME:
        days = (sign * seconds / SECONDS_OF_DAY).floor().cast(pl.Int64, strict=False)
        return Typed(base.expr + pl.duration(days=days), Kind.DATE)
    start = base.expr if base.kind is Kind.TIME else localise(base.expr.cast(LOCAL), rows.zone)
    micros = (sign * seconds * 1e6).round(0).cast(pl.Int64, strict=False)
    return Typed(start + pl.duration(microseconds=micros), Kind.TIME)


def _row_function(expr: Apply, args: tuple[Typed, ...], rows: Rows) -> Typed:
    if expr.function == "parse_time":  # the zone that a text is read in is the dataset's
        return _parsed(expr, args, rows)
    if expr.function == "start_of":  # periods are those of the project's calendar
        return _start_of(expr, args[0], rows)
    function = ROW[expr.function]
    made = function.build(*(_taken(arg, function.takes) for arg in args))
    if function.gives is Kind.TIME:
        made = to_zone(made, rows.zone)
    return Typed(made, function.gives, whole=function.whole, sure=function.gives is Kind.BOOLEAN)


def _taken(typed: Typed, kind: Kind) -> pl.Expr:
    """Return an argument as functions of texts, numbers or local times take it."""
    match kind:
        case Kind.TEXT:
            return text(typed)
        case Kind.NUMBER:
            return number(typed)
        case _:
            return typed.expr if typed.kind is Kind.TIME else typed.expr.cast(LOCAL)


def _start_of(expr: Apply, time: Typed, rows: Rows) -> Typed:
    grain = expr.args[1]
    assert isinstance(grain, Literal)
    assert isinstance(grain.value, str)
    day = time.expr.dt.date() if time.kind is Kind.TIME else time.expr.cast(pl.Date)
    return Typed(start_of(day, Grain(grain.value), rows.calendar), Kind.DATE)


def _parsed(expr: Apply, args: tuple[Typed, ...], rows: Rows) -> Typed:
    if len(expr.args) == 1:
        return Typed(to_zone(read_iso(text(args[0]), rows.local), rows.zone), Kind.TIME)
    pattern = expr.args[1]
    assert isinstance(pattern, Literal)
    assert isinstance(pattern.value, str)
    if expr.type.kind is Kind.DATE:
        return Typed(text(args[0]).str.to_date(pattern.value, strict=False), Kind.DATE)
    parsed = text(args[0]).str.to_datetime(pattern.value, time_unit="us", strict=False)
    if "%z" in pattern.value or "%#z" in pattern.value or "%:z" in pattern.value:
        return Typed(parsed.dt.convert_time_zone(rows.zone), Kind.TIME)
    return Typed(to_zone(localise(parsed, rows.local).dt.convert_time_zone("UTC"), rows.zone), Kind.TIME)
