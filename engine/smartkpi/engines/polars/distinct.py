"""Distinct counts: a scan a grain, exact, with the column that tells cells apart as a key where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import reduce
from operator import and_

import polars as pl

from smartkpi.engines.answer import PERIOD
from smartkpi.engines.polars.compile import (
    Keys,
    Opened,
    check_dimensions,
    clock_of_scan,
    collect,
    counted,
    decided,
    dimension,
    grouped,
    keys_of,
)
from smartkpi.engines.polars.expressions import Typed, compile_row, condition, conditions, number
from smartkpi.engines.polars.times import Clock, key_of, within
from smartkpi.language.types import Kind
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Cell, Plan, Scan
from smartkpi.semantics.formula import Apply, Expr, Literal

DAY = timedelta(days=1)
VALUE = "__value"
_DTYPES = {
    Kind.TEXT: pl.String(), Kind.BOOLEAN: pl.Boolean(), Kind.DATE: pl.Date(), Kind.TIME: pl.Datetime("us", "UTC")
}  # fmt: skip


def distinct_queries(plan: Plan, scan: Scan, opened: Opened) -> Iterator[tuple[Grain, pl.LazyFrame, Keys]]:
    """Yield the query of each grain; finish() makes the answer's frame of its result."""
    rows = opened.rows
    clock = clock_of_scan(scan, rows)
    keys = keys_of(scan, rows, scan.discriminators if told_apart(scan) else ())
    for grain in scan.grains:
        frame = counted(opened, scan, clock, cut=True)
        if clock is not None:
            for bound in _range(plan, clock, grain):
                frame = frame.filter(bound)
        names = [*keys.dimensions, *keys.others]
        columns = list(keys.exprs)
        if clock is not None and grain is not Grain.ALL:
            columns.append(key_of(clock, grain, plan.calendar.week_start).alias(PERIOD))
            names = [PERIOD, *names]
        values = [_value(counted_, opened).alias(name) for counted_, name in _names(scan, keys).items()]
        sizes = [pl.col(value.meta.output_name()).drop_nulls().n_unique().cast(pl.Int64) for value in values]
        frame = opened.watched(frame, columns + values).with_columns(columns + values)
        yield grain, grouped(frame, names, sizes), keys


def value_queries(plan: Plan, scan: Scan, opened: Opened) -> Iterator[tuple[Grain, pl.LazyFrame]]:
    """Yield for each grain the values of a scan's one cell, each once by period and dimensions."""
    rows = opened.rows
    clock = clock_of_scan(scan, rows)
    keys = keys_of(scan, rows, ())
    (cell,) = scan.cells
    assert cell.argument is not None
    for grain in scan.grains:
        frame = counted(opened, scan, clock, cut=True)
        if (kept := conditions(cell.where, rows)) is not None:
            frame = frame.filter(kept)
        for bound in _range(plan, clock, grain) if clock is not None else ():
            frame = frame.filter(bound)
        columns = [dimension(t, f"__d{i}").alias(scan.keys[i][0]) for i, t in enumerate(keys.kinds)]
        if clock is not None and grain is not Grain.ALL:
            columns.insert(0, key_of(clock, grain, plan.calendar.week_start).alias(PERIOD))
        value = _plain(compile_row(cell.argument, rows), cell).alias(VALUE)
        yield grain, frame.with_columns(keys.exprs).select(*columns, value).filter(pl.col(VALUE).is_not_null()).unique()


def _plain(typed: Typed, cell: Cell) -> pl.Expr:
    """Return a value in the one type that it has in all datasets."""
    wanted = cell.type
    match typed.kind:
        case Kind.TEXT:
            return typed.expr.cast(pl.String)
        case Kind.NUMBER if wanted.whole:
            return typed.expr.cast(pl.Int128)
        case Kind.NUMBER:
            return number(typed).cast(pl.Float64)
        case Kind.NULL:
            return typed.expr.cast(_DTYPES.get(wanted.kind, pl.Float64()))
        case Kind.TIME:
            return typed.expr.cast(pl.Datetime("us", "UTC"))
        case _:
            return typed.expr


def count_values(id: str, parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Return the cell of a distinct over several datasets, from the values of each."""
    names = [name for name in parts[0].columns if name != VALUE]
    size = pl.col(VALUE).n_unique().cast(pl.Int64).alias(id)
    found = pl.concat(parts, how="vertical_relaxed").lazy()
    frame = collect(grouped(found, names, [size]))
    return frame.sort(names, nulls_last=True) if names else frame


def told_apart(scan: Scan) -> bool:
    """Say whether every cell wants exactly one value of each discriminator: then it may be a key."""
    wanted = scan.discriminators
    return bool(wanted) and all(any(_is_one(expr, d) for expr in cell.where) for cell in scan.cells for d in wanted)


def finish(scan: Scan, found: pl.DataFrame, keys: Keys, opened: Opened) -> pl.DataFrame:
    """Return the answer's frame: each cell from the groups that its conditions on keys choose."""
    check_dimensions(found, keys, opened)
    names = [name for name in (PERIOD, *keys.dimensions) if name in found.columns]
    outputs = []
    sizes = _names(scan, keys)
    for cell in scan.cells:
        chosen = [condition(expr, opened.rows, keys.known) for expr in cell.where if decided(expr, keys.known)]
        size = pl.col(sizes[_counted(cell, keys)])
        outputs.append((pl.when(reduce(and_, chosen)).then(size) if chosen else size).sum().alias(cell.id))
    frame = grouped(found.lazy(), names, outputs)
    if names:
        frame = frame.filter(pl.any_horizontal(pl.col(cell.id) > 0 for cell in scan.cells))
        frame = frame.sort(names, nulls_last=True)
    labels = {f"__d{i}": dimension(t, f"__d{i}").alias(scan.keys[i][0]) for i, t in enumerate(keys.kinds)}
    return collect(frame.select(labels.get(name, pl.col(name)) for name in [*names, *(c.id for c in scan.cells)]))


def _is_one(expr: Expr, column: Expr) -> bool:
    match expr:
        case Apply("==", (left, Literal())) if left == column:
            return True
        case Apply("==", (Literal(), right)) if right == column:
            return True
        case _:
            return False


Counted = tuple[Expr, tuple[Expr, ...]]
"""What is counted: an argument, under the conditions that keys do not decide."""


def _counted(cell: Cell, keys: Keys) -> Counted:
    assert cell.argument is not None
    return cell.argument, tuple(expr for expr in cell.where if not decided(expr, keys.known))


def _names(scan: Scan, keys: Keys) -> dict[Counted, str]:
    """Return the column of each thing that is counted, each once."""
    return {what: f"__v{i}" for i, what in enumerate(dict.fromkeys(_counted(cell, keys) for cell in scan.cells))}


def _value(what: Counted, opened: Opened) -> pl.Expr:
    argument, under = what
    value = compile_row(argument, opened.rows).expr
    mask = conditions(under, opened.rows)
    return value if mask is None else pl.when(mask).then(value)


def _range(plan: Plan, clock: Clock, grain: Grain) -> list[pl.Expr]:
    """Return the bounds of the range asked for, widened to whole periods: no other period of a distinct is read."""
    start, end = plan.range.start, plan.range.end
    if grain not in (Grain.ALL, Grain.HOUR):
        calendar = plan.calendar
        start = None if start is None else _day(calendar.key(grain, start))
        end = None if end is None else _day(calendar.next(grain, calendar.key(grain, end - DAY)))
    return within(clock, start, end)


def _day(key: object) -> date:
    assert isinstance(key, date)
    return key
