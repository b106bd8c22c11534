"""Approximate distinct counts: 4096 registers a group, each the rarest hash that fell into it (HyperLogLog).

The standard error is 1.6 %. Registers do not depend on the order of rows nor on threads, as Polars' own do; they are
read with Ertl's estimator (2017), which has no bias at any size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import polars as pl

from smartkpi.engines.answer import PERIOD
from smartkpi.engines.polars.compile import (
    Keys,
    Opened,
    check_dimensions,
    clock_of_scan,
    collect,
    dimension,
    grouped,
    keys_of,
    sort_by_key,
)
from smartkpi.engines.polars.expressions import Typed, compile_row, conditions, number, text
from smartkpi.engines.polars.slices import rows_by_period
from smartkpi.language.types import Kind
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Plan, Scan

VALUE, REGISTER, RANK = "__v", "__r", "__k"
SEED = 20_260_101
REGISTERS = 2**12
REST = 2**52
"""A hash is a register, 12 bits, and the rest, 52."""


def sketch_queries(
    plan: Plan, scan: Scan, opened: Opened, days: Sequence[date]
) -> Iterator[tuple[Grain, list[pl.LazyFrame], Keys]]:
    """Yield the queries of each grain, in slices of time; finish_sketch() makes the answer's frame of a result."""
    clock, keys = clock_of_scan(scan, opened.rows), keys_of(scan, opened.rows, ())
    for grain in scan.grains:
        frames, names, columns = rows_by_period(plan, scan, opened, keys, clock, grain, days)
        yield grain, [registers(scan, opened, frame, names, columns) for frame in frames], keys


def registers(
    scan: Scan, opened: Opened, frame: pl.LazyFrame, names: Sequence[str], columns: Sequence[pl.Expr]
) -> pl.LazyFrame:
    """Return the registers of a scan's one cell by some columns: of each the highest rank of a hash."""
    (cell,) = scan.cells
    assert cell.argument is not None
    mask = conditions([expr for expr in cell.where if expr not in scan.filter], opened.rows)
    value = _alike(compile_row(cell.argument, opened.rows))
    made = [*columns, value.hash(SEED).alias(VALUE)]
    rest = pl.col(VALUE) % pl.lit(REST, pl.UInt64)
    rank = (rest.bitwise_leading_zeros().cast(pl.Int64) - 11).cast(pl.UInt8)
    filters = value.is_not_null() if mask is None else mask & value.is_not_null()
    frame = opened.watched(frame.filter(filters), made).with_columns(made)
    register = (pl.col(VALUE) // pl.lit(REST, pl.UInt64)).alias(REGISTER)
    return grouped(frame.with_columns(register, rank.alias(RANK)), [*names, REGISTER], [pl.col(RANK).max()])


def _alike(typed: Typed) -> pl.Expr:
    """Return a value in the one type of its kind, so that equal values have equal hashes."""
    match typed.kind:
        case Kind.NUMBER:
            return typed.expr.cast(pl.Int128) if typed.whole else number(typed) + 0.0
        case Kind.TEXT | Kind.NULL:
            return text(typed)
        case Kind.TIME | Kind.DATE:
            return typed.expr.to_physical().cast(pl.Int64)
        case _:
            return typed.expr


def finish_sketch(scan: Scan, slices: Iterable[pl.DataFrame], keys: Keys, opened: Opened) -> pl.DataFrame:
    """Return the answer's frame: the estimate of each group from its registers. One slice is held at a time."""
    frame = pl.concat([_estimates(scan, found, keys, opened) for found in slices])
    return sort_by_key(frame, scan)


def _estimates(scan: Scan, found: pl.DataFrame, keys: Keys, opened: Opened) -> pl.DataFrame:
    """Return the estimates of some whole periods."""
    names = [name for name in (PERIOD, *keys.dimensions) if name in found.columns]
    check_dimensions(found, keys, opened)
    (cell,) = scan.cells
    frame = estimated(found, names, cell.id)
    labels = {f"__d{i}": dimension(t, f"__d{i}").alias(scan.keys[i][0]) for i, t in enumerate(keys.kinds)}
    return frame.select(*(labels.get(name, pl.col(name)) for name in names), cell.id)


def estimated(found: pl.DataFrame, names: Sequence[str], id: str) -> pl.DataFrame:
    """Return the estimates of groups, by some names, from registers."""
    weights = pl.lit(0.5) ** pl.col(RANK).cast(pl.Int64)
    sums = [weights.sum().alias("sum"), (REGISTERS - pl.len().cast(pl.Int64)).alias("empty")]
    frame = collect(grouped(found.lazy(), [*names], sums))
    empties = pl.Series([_sigma(empty / REGISTERS) for empty in frame["empty"]], dtype=pl.Float64)
    size = REGISTERS**2 / (2 * math.log(2) * (frame["sum"] + REGISTERS * empties))
    return frame.with_columns(size.round(0).cast(pl.Int64).alias(id))


def _sigma(share: float) -> float:
    """Return x + sum of x^(2^k) * 2^(k-1): what empty registers say."""
    if share >= 1:
        return math.inf
    total, power, scale, before = share, share, 1.0, -1.0
    while total != before:
        before, power = total, power * power
        total, scale = total + power * scale, scale * 2
    return total
