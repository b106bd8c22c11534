"""Aggregates that need all values of a group at once: quantiles, deviations, first and last values.

Each has a scan of its own, of the rows that it wants and few columns. The rows are sorted by group, so that a value
stands at a place that whole numbers tell: the answer does not depend on the order of rows, threads or floats.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import polars as pl

from smartkpi.engines.answer import PERIOD
from smartkpi.engines.polars.compile import (
    Keys,
    Opened,
    check_dimensions,
    clock_of_scan,
    collect,
    dimension,
    joined,
    keys_of,
    looked_up,
    read_by,
    sort_by_key,
)
from smartkpi.engines.polars.estimate import share_of
from smartkpi.engines.polars.expressions import compile_row, conditions, text
from smartkpi.engines.polars.partials import plain
from smartkpi.engines.polars.slices import rows_by_period
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Cell, Plan, Scan
from smartkpi.semantics.formula import Expr

VALUE, SIZE = "__v", "__n"
UNIT = 2.0**90
"""A square of at most 1 as a whole number: so many bits that 2^37 of them add up exactly."""


def holistic_queries(
    plan: Plan, scan: Scan, opened: Opened, days: Sequence[date]
) -> Iterator[tuple[Grain, list[pl.LazyFrame], Keys]]:
    """Yield the queries of each grain, in slices of time; finish_holistic() makes the answer's frame of a result."""
    clock, keys, wanted = (
        clock_of_scan(scan, opened.rows),
        keys_of(scan, opened.rows, ()),
        wanted_by(plan, scan, opened),
    )
    for grain in scan.grains:
        frames, _, columns = rows_by_period(plan, scan, opened, keys, clock, grain, days, wanted.share)
        yield grain, [wanted.of(opened, frame, columns) for frame in frames], keys


@dataclass(frozen=True, slots=True)
class Wanted:
    """The rows that a scan's cells want, and of each its value and what comes before that in the order of a group.

    ``lookups`` are joined for the order alone; ``share`` is about which part of all rows is wanted.
    """

    filters: pl.Expr
    order: tuple[pl.Expr, ...]
    value: pl.Expr
    lookups: tuple[Expr, ...]
    share: float

    def of(self, opened: Opened, frame: pl.LazyFrame, columns: Sequence[pl.Expr]) -> pl.LazyFrame:
        """Return these rows of a frame: ``columns``, the order and the value."""
        wanted = [*columns, *self.order, self.value]
        return opened.watched(joined(opened, self.lookups, frame).filter(self.filters), wanted).select(wanted)


def wanted_by(plan: Plan, scan: Scan, opened: Opened) -> Wanted:
    """Return what the cells of a scan want, which are of the same rows and argument."""
    rows, first = opened.rows, scan.cells[0]
    assert first.argument is not None
    assert all((cell.where, cell.argument) == (first.where, first.argument) for cell in scan.cells)
    mask = conditions([expr for expr in first.where if expr not in scan.filter], rows)
    value = plain(compile_row(first.argument, rows)).alias(VALUE)
    order = tuple(_order(plan, scan, opened))
    filters = value.is_not_null() if mask is None else mask & value.is_not_null()
    kept = conditions(scan.filter, rows)
    share = share_of(opened, tuple(read_by(scan)), filters if kept is None else kept & filters)
    return Wanted(filters, order, value, tuple(_key_only(plan, scan)) if order else (), share)


def _key_only(plan: Plan, scan: Scan) -> list[Expr]:
    """Return the parts of the dataset's key that take a lookup which the scan reads nothing else of."""
    there = {node.path[0] for node in looked_up(read_by(scan))}
    return [part for part in plan.datasets[scan.dataset].key if there.isdisjoint(n.path[0] for n in looked_up([part]))]


def _order(plan: Plan, scan: Scan, opened: Opened) -> list[pl.Expr]:
    """Return what orders the rows of a group before their value: for first and last the time, then the key."""
    if not any(cell.aggregate in ("first", "last") for cell in scan.cells):
        return []
    exprs = (*(() if scan.time is None else (scan.time,)), *plan.datasets[scan.dataset].key)
    typed = [compile_row(expr, opened.rows) for expr in exprs]
    return [(text(one) if one.coded else one.expr).alias(f"__o{place}") for place, one in enumerate(typed)]


def finish_holistic(scan: Scan, slices: Iterable[pl.DataFrame], keys: Keys, opened: Opened) -> pl.DataFrame:
    """Return the answer's frame: each cell from the sorted values of its group. One slice is held at a time."""
    frame = pl.concat([_cells(scan, found, keys, opened) for found in slices])
    return sort_by_key(frame, scan)


def _cells(scan: Scan, found: pl.DataFrame, keys: Keys, opened: Opened) -> pl.DataFrame:
    """Return the cells of some whole periods."""
    names = [name for name in (PERIOD, *keys.dimensions) if name in found.columns]
    order = [name for name in found.columns if name.startswith("__o")]
    if not names and not found.height:
        return pl.DataFrame([pl.Series(cell.id, [None], dtype=pl.Float64) for cell in scan.cells])
    sizes, values = _by_group(found, names, order)
    check_dimensions(sizes, keys, opened)
    groups = Groups(values, sizes[SIZE].cast(pl.Int64))
    cells = [groups.cell(cell).alias(cell.id) for cell in scan.cells]
    labels = {f"__d{i}": dimension(t, f"__d{i}").alias(scan.keys[i][0]) for i, t in enumerate(keys.kinds)}
    return pl.DataFrame([*sizes.select(labels.get(name, pl.col(name)) for name in names), *cells])


def _by_group(found: pl.DataFrame, names: Sequence[str], order: Sequence[str]) -> tuple[pl.DataFrame, pl.Series]:
    """Return the groups in order, each with its size, and the values of one after the other, each in their order.

    Groups sorted by themselves take a fifth of the time of one sort by all.
    """
    size = pl.len().alias(SIZE)
    if names and not order:
        grouped = found.lazy().group_by(names).agg(size, pl.col(VALUE).sort())
        apart = collect(grouped, "streaming").sort(names)
        return apart.drop(VALUE), apart[VALUE].explode()
    rows = found.sort([*names, *order, VALUE])
    return rows.group_by(names, maintain_order=True).agg(size) if names else rows.select(size), rows[VALUE]


class Ordered(Protocol):
    """Groups of values of which each is found by its place in the order of its group."""

    @property
    def sizes(self) -> pl.Series:
        """How many values each group has."""
        ...

    def at(self, place: pl.Series) -> pl.Series:
        """Return the value at a place in each group, the first at 0."""
        ...


def quantile(cell: Cell, groups: Ordered) -> pl.Series:
    """Return the value at the share of a cell in each group."""
    assert cell.share is not None
    share = cell.share.as_integer_ratio()
    return _nearest(groups, *share) if cell.nearest else _linear(groups, *share)


def _nearest(groups: Ordered, over: int, under: int) -> pl.Series:
    """Return the value nearest to a share of the way from the first to the last; the later of two equally near."""
    place = (_last() * _wide(2 * over) + _wide(under)) // _wide(2 * under)
    return groups.at(_places(groups, place.cast(pl.Int64))[SIZE])


def _linear(groups: Ordered, over: int, under: int) -> pl.Series:
    """Return the value at a share of the way from the first to the last, between its neighbours linearly."""
    exact = _last() * _wide(over)
    rest = (exact % _wide(under)).cast(pl.Float64) / under
    found = _places(groups, (exact // _wide(under)).cast(pl.Int64), rest.alias("rest"))
    place, rest_ = found[SIZE], found["rest"]
    low, high = groups.at(place), groups.at(place + (rest_ > 0).cast(pl.Int64))
    return low.zip_with(low == high, low * (1 - rest_) + high * rest_)


def _places(groups: Ordered, *exprs: pl.Expr) -> pl.DataFrame:
    return groups.sizes.alias(SIZE).to_frame().select(exprs)


@dataclass(frozen=True, slots=True)
class Groups:
    """Values sorted within groups, the groups one after another, and the size of each."""

    values: pl.Series
    sizes: pl.Series

    def at(self, place: pl.Series) -> pl.Series:
        """Return the value at a place in each group, the first at 0."""
        starts = self.sizes.cum_sum() - self.sizes
        return self.values.gather(starts + place)

    def cell(self, cell: Cell) -> pl.Series:
        """Return a cell of each group."""
        match cell.aggregate:
            case "first":
                return self.at(self.sizes * 0)
            case "last":
                return self.at(self.sizes - 1)
            case "quantile":
                return quantile(cell, self)
            case "stddev":
                return self.deviation()
            case _:
                raise AssertionError(f"no holistic aggregate: {cell.aggregate}")

    def deviation(self) -> pl.Series:
        """Return the standard deviation of a sample; null for a single value.

        Values are moved into 0 to 1 and their squared distances from the mean added as whole numbers: so nothing
        cancels, and the sum is the same in any order.
        """
        low = self.at(self.sizes * 0)
        width = self.at(self.sizes - 1) - low
        group = pl.Series(range(len(self.sizes)), dtype=pl.Int64).gather(self.numbers())
        scaled = ((self.values - low.gather(group)) / width.gather(group)).fill_nan(0.0)
        mean = self._mean(group, scaled)
        squares = self._mean(group, (scaled - mean.gather(group)) ** 2)
        spread = (squares * self.sizes / (self.sizes - 1)).sqrt() * width
        usable = (self.sizes > 1) & spread.is_finite()
        return spread.zip_with(usable, pl.Series([None], dtype=pl.Float64).new_from_index(0, len(spread)))

    def numbers(self) -> pl.Series:
        """Return for each value the number of its group."""
        frame = pl.DataFrame({"g": pl.int_range(len(self.sizes), eager=True), "n": self.sizes})
        return frame.select(pl.col("g").repeat_by("n").explode())["g"]

    def _mean(self, group: pl.Series, values: pl.Series) -> pl.Series:
        """Return the mean of values of 0 to 1 by group."""
        whole = (values * UNIT).round(0).cast(pl.Int128)
        frame = pl.DataFrame({"g": group, "x": whole})
        return frame.group_by("g", maintain_order=True).agg(pl.col("x").sum())["x"].cast(pl.Float64) / UNIT / self.sizes


def _last() -> pl.Expr:
    """Return the place of the last value of each group, wide enough to be multiplied."""
    return (pl.col(SIZE) - 1).cast(pl.Int128)


def _wide(number: int) -> pl.Expr:
    return pl.lit(number, pl.Int128)
