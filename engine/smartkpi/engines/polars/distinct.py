"""Distinct counts: a scan a grain, exact, with the column that tells cells apart as a key where there is one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
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
    decided,
    dimension,
    grouped,
    keys_of,
)
from smartkpi.engines.polars.expressions import Typed, compile_row, condition, conditions, number
from smartkpi.engines.polars.slices import rows_by_period
from smartkpi.language.types import Kind
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Cell, Plan, Scan
from smartkpi.semantics.formula import Apply, Expr, Literal

VALUE = "__value"
_DTYPES = {
    Kind.TEXT: pl.String(), Kind.BOOLEAN: pl.Boolean(), Kind.DATE: pl.Date(), Kind.TIME: pl.Datetime("us", "UTC")
}  # fmt: skip


def distinct_queries(
    plan: Plan, scan: Scan, opened: Opened, days: Sequence[date]
) -> Iterator[tuple[Grain, list[pl.LazyFrame], Keys]]:
    """Yield the queries of each grain, in slices of time; finish() makes the answer's frame of their results."""
    rows = opened.rows
    clock = clock_of_scan(scan, rows)
    keys = keys_of(scan, rows, scan.discriminators if told_apart(scan) else ())
    values = [_value(counted_, opened).alias(name) for counted_, name in _names(scan, keys).items()]
    sizes = [pl.col(value.meta.output_name()).drop_nulls().n_unique().cast(pl.Int64) for value in values]
    for grain in scan.grains:
        frames, names, columns = rows_by_period(plan, scan, opened, keys, clock, grain, days)
        frames = [opened.watched(frame, columns + values).with_columns(columns + values) for frame in frames]
        yield grain, [grouped(frame, names, sizes) for frame in frames], keys


def value_queries(plan: Plan, scan: Scan, opened: Opened) -> Iterator[tuple[Grain, pl.LazyFrame]]:
    """Yield for each grain the values of a scan's one cell, each once by period and dimensions."""
    rows = opened.rows
    clock = clock_of_scan(scan, rows)
    keys = keys_of(scan, rows, ())
    (cell,) = scan.cells
    assert cell.argument is not None
    value = plain_value(compile_row(cell.argument, rows), cell).alias(VALUE)
    names = [dimension(t, f"__d{i}").alias(scan.keys[i][0]) for i, t in enumerate(keys.kinds)]
    kept = conditions(cell.where, rows)
    for grain in scan.grains:
        (frame,), periods, columns = rows_by_period(plan, scan, opened, keys, clock, grain, ())
        if kept is not None:
            frame = frame.filter(kept)
        frame = opened.watched(frame, [*columns, value]).with_columns([*columns, value])
        period = [pl.col(PERIOD)] if PERIOD in periods else []
        yield grain, frame.select(*period, *names, VALUE).filter(pl.col(VALUE).is_not_null()).unique()


def plain_value(typed: Typed, cell: Cell) -> pl.Expr:
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
    once = bool(names) and not keys.others  # found has one row a key; of slices of time each has other ones
    sizes = _names(scan, keys)
    for cell in scan.cells:
        chosen = [condition(expr, opened.rows, keys.known) for expr in cell.where if decided(expr, keys.known)]
        size = pl.col(sizes[_counted(cell, keys)])
        value = pl.when(reduce(and_, chosen)).then(size) if chosen else size
        outputs.append((value.fill_null(0) if once else value.sum()).alias(cell.id))
    frame = found.lazy().select(*names, *outputs) if once else grouped(found.lazy(), names, outputs)
    if names:
        frame = frame.filter(pl.any_horizontal(pl.col(cell.id) > 0 for cell in scan.cells))
        frame = frame if scan.told_apart else frame.sort(names, nulls_last=True)
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
