"""Aggregates that need all values of a group at once, over overlapping stretches of time.

The rows of a slice of time are read once and put in order once. Seen by time a stretch is a run of them; the runs of a
few stretches are laid one after another, each row by its place in that order: then groups stand as in any other scan.
A row is handled once for each stretch that it lies in, so cost grows with rows and the length of windows; memory with
the rows of a slice. Medians and quantiles of long stretches are looked for in their order instead (ranks.py), which
costs the same for each, however long it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import polars as pl

from smartkpi.engines.answer import FROM, UPTO
from smartkpi.engines.polars.compile import Keys, Opened, check_dimensions, clock_of_scan, counted, dimension, keys_of
from smartkpi.engines.polars.holistic import SIZE, VALUE, Groups, quantile, wanted_by
from smartkpi.engines.polars.ranks import Runs
from smartkpi.engines.polars.sketch import RANK, REGISTER, estimated, registers
from smartkpi.engines.polars.slices import count_of
from smartkpi.engines.polars.ticks import TICK, between, number_of, tick_of
from smartkpi.engines.polars.windows import is_endless
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import Stretch
from smartkpi.plan.nodes import Cell, Plan, Scan

STRETCH, PLACE, SEGMENT = "__s", "__at", "__g"
SPREAD = ("holistic", "sketch")
"""The states of scans whose windows are answered here."""
OFTEN = 40
"""So many times a row is laid out in the time in which places are looked for in the order of runs, for each row."""
WIDE = 1 << 40
"""More than there are ticks: segments lie so far apart in a common order of time."""
MOST = 4_000_000
"""So many rows, each once for a stretch that it lies in, are held at a time."""


def rows_over(
    plan: Plan, scan: Scan, opened: Opened, grid: Grain, stretches: Sequence[Stretch] = ()
) -> tuple[pl.LazyFrame, Keys]:
    """Return dimensions, tick and what cells are made of, of the rows that some stretches hold (none: of all)."""
    clock, keys = clock_of_scan(scan, opened.rows), keys_of(scan, opened.rows, ())
    assert clock is not None
    low = None if not stretches or any(is_endless(one) for one in stretches) else min(low for low, _ in stretches)
    high = max((high for _, high in stretches), default=None)
    frame = between(counted(opened, scan, clock, cut=True), clock, plan.calendar.timezone, low, high)
    columns = [*keys.exprs, tick_of(clock, grid)]
    if scan.state == "sketch":
        return registers(scan, opened, frame, [*keys.dimensions, TICK], columns), keys
    return wanted_by(plan, scan, opened).of(opened, frame, columns), keys


def slices_over(stretches: Iterable[Stretch], opened: Opened) -> list[list[Stretch]]:
    """Return stretches in groups, each of which needs only a part of the rows where there are many."""
    ordered = sorted(set(stretches), key=lambda one: (one[1], one[0]))
    count = count_of(opened, 1.0)
    if count < 2 or any(is_endless(one) for one in ordered):
        return [ordered] if ordered else []
    longest = max(high - low for low, high in ordered)  # type: ignore[operator]
    whole = ordered[-1][1] - min(low for low, _ in ordered)
    size = -(-len(ordered) // max(1, min(count, int(whole / longest))))
    return [ordered[at : at + size] for at in range(0, len(ordered), size)]


def cells_over(
    scan: Scan, found: pl.DataFrame, stretches: Sequence[Stretch], keys: Keys, opened: Opened
) -> Iterator[pl.DataFrame]:
    """Yield frames of cells by stretch and dimensions, from rows among which are all of these stretches."""
    check_dimensions(found, keys, opened)
    if not found.height:
        return
    made = _estimates if scan.state == "sketch" else _values
    names = [f"__d{i}" for i in range(len(keys.kinds))]
    labels = [
        dimension(t, name).alias(scan.keys[i][0]) for i, (t, name) in enumerate(zip(keys.kinds, names, strict=True))
    ]
    for frame in made(scan, found, stretches, list(keys.dimensions)):
        cells = frame.select(*labels, *(cell.id for cell in scan.cells if cell.id in frame.columns))
        yield pl.DataFrame([*ends_of(stretches, frame[STRETCH]), *cells])


def _estimates(
    scan: Scan, found: pl.DataFrame, stretches: Sequence[Stretch], dims: list[str]
) -> Iterator[pl.DataFrame]:
    """Yield the estimate of each stretch, by dimensions, from registers by day or hour."""
    for numbers, places in runs(found[TICK], stretches):
        laid = found[places].drop(TICK).with_columns(numbers)
        registers = laid.group_by(STRETCH, *dims, REGISTER).agg(pl.col(RANK).max())
        yield estimated(registers, [STRETCH, *dims], scan.cells[0].id)


def _values(scan: Scan, found: pl.DataFrame, stretches: Sequence[Stretch], dims: list[str]) -> Iterator[pl.DataFrame]:
    """Yield the cells of each stretch, by dimensions, from rows by day or hour; each cell in some of the frames."""
    order = [name for name in found.columns if name.startswith("__o")]
    rows = found.sort([*dims, *order, VALUE])
    size = pl.len().cast(pl.Int64).alias(SIZE)
    sizes = rows.group_by(dims, maintain_order=True).agg(size) if dims else rows.select(size)
    rows = rows.select(TICK, VALUE).with_columns(Groups(rows[VALUE], sizes[SIZE]).numbers().alias(SEGMENT))
    places = [cell for cell in scan.cells if cell.aggregate == "quantile"]
    if places and _is_long(rows, stretches, sizes.height):
        for numbers, segments, made in _ranked(rows, stretches, sizes.height):
            cells = [quantile(cell, made).alias(cell.id) for cell in places]
            yield pl.DataFrame([numbers, *sizes[segments].select(dims), *cells])
    else:
        places = []
    if rest := [cell for cell in scan.cells if cell not in places]:
        yield from _laid_out(rest, rows, stretches, sizes, dims)


def _laid_out(
    cells: Sequence[Cell], rows: pl.DataFrame, stretches: Sequence[Stretch], sizes: pl.DataFrame, dims: list[str]
) -> Iterator[pl.DataFrame]:
    """Yield cells from rows that are laid out once for each stretch that they lie in."""
    size = pl.len().cast(pl.Int64).alias(SIZE)
    if all(cell.aggregate in ("first", "last") for cell in cells):
        rows = _ends(rows)
    for numbers, places in runs(rows[TICK], stretches):
        laid = pl.DataFrame({"x": numbers * rows.height + places}).sort("x")
        laid = laid.select((pl.col("x") // rows.height).alias(STRETCH), (pl.col("x") % rows.height).alias(PLACE))
        laid = laid.with_columns(rows[SEGMENT].gather(laid[PLACE]), rows[VALUE].gather(laid[PLACE]))
        groups = laid.group_by(STRETCH, SEGMENT, maintain_order=True).agg(size)
        made = Groups(laid[VALUE], groups[SIZE])
        own = [made.cell(cell).alias(cell.id) for cell in cells]
        yield pl.DataFrame([groups[STRETCH], *sizes[groups[SEGMENT]].select(dims), *own])


def _is_long(rows: pl.DataFrame, stretches: Sequence[Stretch], segments: int) -> bool:
    """Say whether to lay rows out for each stretch is more work than to look for places in the order of runs."""
    known = rows[TICK].sort()
    low, high = (known.search_sorted(end).cast(pl.Int64) for end in _numbered(stretches))
    return int((high - low).sum()) > OFTEN * (rows.height + segments * len(stretches))


def _ranked(
    rows: pl.DataFrame, stretches: Sequence[Stretch], segments: int
) -> Iterator[tuple[pl.Series, pl.Series, Runs]]:
    """Yield for the segments of some stretches at a time which they are, with the runs of their rows in order of time.

    Rows are those of one segment after another, each in the order of values.
    """
    ranks = rows[VALUE].arg_sort().arg_sort().cast(pl.Int64)
    in_time = rows.select(pl.arg_sort_by(SEGMENT, TICK).cast(pl.Int64)).to_series()
    order = rows.select(pl.col(SEGMENT).cast(pl.Int64) * WIDE + pl.col(TICK)).to_series().gather(in_time)
    ranks, values = ranks.gather(in_time), rows[VALUE].sort()
    ends = _numbered(stretches)
    for begin in range(0, len(stretches), step := max(1, MOST // max(1, segments))):
        numbers = pl.int_range(begin, min(begin + step, len(stretches)), dtype=pl.Int64, eager=True)
        pairs = pl.DataFrame({STRETCH: numbers, "from": ends[0].gather(numbers), "upto": ends[1].gather(numbers)})
        pairs = pairs.join(pl.DataFrame({SEGMENT: pl.int_range(segments, eager=True)}), how="cross")
        wide = pairs.select((pl.col(SEGMENT) * WIDE + pl.col(name)).alias(name) for name in ("from", "upto"))
        low, high = (order.search_sorted(wide[name]).cast(pl.Int64) for name in ("from", "upto"))
        held = high > low
        pairs = pairs.filter(held)
        if pairs.height:
            yield pairs[STRETCH], pairs[SEGMENT], Runs(ranks, values, low.filter(held), high.filter(held))


def _numbered(stretches: Sequence[Stretch]) -> list[pl.Series]:
    """Return the ends of stretches as ticks."""
    return [pl.Series([number_of(one[end]) for one in stretches], dtype=pl.Int64) for end in (0, 1)]


def _ends(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the first and the last row of each day or hour: of a stretch of them no other is first or last."""
    changes = pl.any_horizontal(pl.col(name) != pl.col(name).shift(1) for name in (TICK, SEGMENT)).fill_null(value=True)
    return rows.filter(changes | changes.shift(-1).fill_null(value=True))


def runs(ticks: pl.Series, stretches: Sequence[Stretch]) -> Iterator[tuple[pl.Series, pl.Series]]:
    """Yield for some stretches at a time the rows that lie in them: the number of the stretch, the place of the row."""
    by_time = ticks.arg_sort().cast(pl.Int64)
    known = ticks.gather(by_time)
    low, high = (known.search_sorted(one).cast(pl.Int64) for one in _numbered(stretches))
    frame = pl.DataFrame({STRETCH: pl.int_range(len(low), eager=True), "low": low, "high": high})
    frame = frame.filter(pl.col("high") > pl.col("low"))
    total = (frame["high"] - frame["low"]).cum_sum()
    begin = 0
    while begin < frame.height:
        before = total[begin - 1] if begin else 0
        end = max(begin + 1, int(total.search_sorted(before + MOST, "right")))
        some = frame[begin:end].select(STRETCH, pl.int_ranges("low", "high").alias(PLACE)).explode(PLACE)
        yield some[STRETCH], by_time.gather(some[PLACE])
        begin = end


def ends_of(stretches: Sequence[Stretch], numbers: pl.Series) -> list[pl.Series]:
    """Return the ends of stretches by their numbers."""
    kind = pl.Datetime("us", "UTC") if isinstance(stretches[0][1], datetime) else pl.Date()
    ends = ((name, [one[end] for one in stretches]) for end, name in enumerate((FROM, UPTO)))
    return [pl.Series(name, keys, dtype=kind).gather(numbers) for name, keys in ends]
