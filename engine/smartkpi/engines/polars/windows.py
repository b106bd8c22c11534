"""Distinct values over overlapping stretches of time: exact, in few passes whatever the number of windows.

Time is cut where some stretch begins or ends. A value has a bit for each piece that it occurs in, the bits of a few
dozen stretches at once; a stretch then counts the values that have one of its bits. So the rows of a slice of time are
read once, and memory is bounded by the values in it. All of the past needs no bits: a value counts from its first day.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from smartkpi.engines.answer import FROM, UPTO
from smartkpi.engines.polars.compile import (
    Keys,
    Opened,
    check_dimensions,
    clock_of_scan,
    collect,
    counted,
    dimension,
    grouped,
    keys_of,
)
from smartkpi.engines.polars.distinct import plain_value
from smartkpi.engines.polars.expressions import compile_row, conditions
from smartkpi.engines.polars.ticks import TICK, between, number_of, tick_of
from smartkpi.periods.calendar import Key
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import Stretch
from smartkpi.plan.nodes import Plan, Scan

DAY = timedelta(days=1)
VALUE, FIRST = "__value", "__first"
LONG_AGO = date(2, 1, 1)
WORD = 64
MOST_WORDS = 6
SHORT = 32
"""Up to so many days a window leaves half of the bits of a word to others."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Stretches that are counted together, and the edges at which time is cut for them."""

    stretches: tuple[Stretch, ...]
    edges: tuple[Key, ...]

    @property
    def words(self) -> list[str]:
        """Return the columns of bits."""
        return [f"__w{number}" for number in range(-(-(len(self.edges) - 1) // WORD))]


def is_endless(stretch: Stretch) -> bool:
    """Say whether a stretch takes all of the past."""
    low = stretch[0]
    return (low.date() if isinstance(low, datetime) else low) < LONG_AGO


def slices_of(stretches: Iterable[Stretch]) -> list[Slice]:
    """Return stretches in groups that few enough bits tell apart, and that are not too long together."""
    finite = sorted((one for one in set(stretches) if not is_endless(one)), key=lambda one: (one[1], one[0]))
    if not finite:
        return []
    longest = max(high - low for low, high in finite)  # type: ignore[operator]
    words = 1 if longest <= DAY * SHORT else min(MOST_WORDS, -(-longest // (DAY * WORD)) + 1)
    found: list[Slice] = []
    taken: list[Stretch] = []
    edges: set[Key] = set()
    for low, high in finite:
        many = len(edges | {low, high}) - 1 > words * WORD
        if taken and (many or high - min(edges) > 2 * longest + DAY * SHORT):  # type: ignore[operator]
            found.append(Slice(tuple(taken), tuple(sorted(edges))))
            taken, edges = [], set()
        taken.append((low, high))
        edges |= {low, high}
    return [*found, Slice(tuple(taken), tuple(sorted(edges)))]


def bit_query(plan: Plan, scan: Scan, opened: Opened, grain: Grain, part: Slice) -> tuple[pl.LazyFrame, Keys]:
    """Return the values of a scan's cells in a slice, each once by dimensions, with the bits of where they occur."""
    frame, keys = _rows(plan, scan, opened, grain, part.edges[0], part.edges[-1])
    bits = _bits(part)
    names = [*keys.dimensions, VALUE]
    joined = frame.join(bits.lazy(), on=TICK, how="inner")
    return grouped(joined, names, [pl.col(word).bitwise_or() for word in part.words]), keys


def first_query(plan: Plan, scan: Scan, opened: Opened, grain: Grain) -> tuple[pl.LazyFrame, Keys]:
    """Return the values of a scan's cells, each once by dimensions, with their first day or hour."""
    frame, keys = _rows(plan, scan, opened, grain, None, None)
    return grouped(frame, [*keys.dimensions, VALUE], [pl.col(TICK).min().alias(FIRST)]), keys


def _rows(
    plan: Plan, scan: Scan, opened: Opened, grain: Grain, low: Key | None, high: Key | None
) -> tuple[pl.LazyFrame, Keys]:
    """Return dimensions, value and tick of the rows that a scan's cells count, between two edges."""
    rows, first = opened.rows, scan.cells[0]
    clock = clock_of_scan(scan, rows)
    assert clock is not None
    assert first.argument is not None
    assert all((cell.where, cell.argument) == (first.where, first.argument) for cell in scan.cells)
    keys = keys_of(scan, rows, ())
    typed = compile_row(first.argument, rows)
    value = (plain_value(typed, first) if scan.state == "values" else typed.expr).alias(VALUE)
    frame = counted(opened, scan, clock, cut=True)
    frame = between(frame, clock, plan.calendar.timezone, low, high)
    mask = conditions(first.where, rows)
    frame = frame if mask is None else frame.filter(mask)
    columns = [*keys.exprs, value, tick_of(clock, grain)]
    frame = opened.watched(frame, columns).with_columns(columns).select(*keys.dimensions, VALUE, TICK)
    return frame.filter(pl.col(VALUE).is_not_null()), keys


def _bits(part: Slice) -> pl.DataFrame:
    """Return for each tick of a slice the bit of the piece of time that it lies in, in one of the words."""
    edges = [number_of(edge) for edge in part.edges]
    ticks = [tick for low, high in zip(edges, edges[1:], strict=False) for tick in range(low, high)]
    places = [n for n, (low, high) in enumerate(zip(edges, edges[1:], strict=False)) for _ in range(low, high)]
    words = {
        word: pl.Series([1 << n % WORD if n // WORD == number else 0 for n in places], dtype=pl.UInt64)
        for number, word in enumerate(part.words)
    }
    return pl.DataFrame({TICK: pl.Series(ticks, dtype=pl.Int64), **words})


def count_bits(tables: Sequence[pl.DataFrame], part: Slice) -> pl.DataFrame:
    """Return how many values each stretch of a slice has, by dimensions; `tables` are of one dataset each."""
    dims = [name for name in tables[0].columns if name not in (VALUE, *part.words)]
    found = tables[0]
    if len(tables) > 1:
        both = pl.concat(tables, how="vertical_relaxed").lazy()
        found = collect(grouped(both, [*dims, VALUE], [pl.col(word).bitwise_or() for word in part.words]))
    place = {edge: number for number, edge in enumerate(part.edges)}
    counts = []
    for number, (low, high) in enumerate(part.stretches):
        mask = (1 << place[high]) - (1 << place[low])
        hits = [
            pl.col(word) & pl.lit(mask >> n * WORD & (1 << WORD) - 1, pl.UInt64) != 0
            for n, word in enumerate(part.words)
            if mask >> n * WORD & (1 << WORD) - 1
        ]
        counts.append(pl.any_horizontal(hits).sum().cast(pl.Int64).alias(str(number)))
    wide = collect(grouped(found.lazy(), dims, counts))
    return _long(wide, dims, part.stretches)


def count_firsts(tables: Sequence[pl.DataFrame], stretches: Sequence[Stretch]) -> pl.DataFrame:
    """Return how many values had their first day before the end of each stretch, by dimensions."""
    dims = [name for name in tables[0].columns if name not in (VALUE, FIRST)]
    found = tables[0]
    if len(tables) > 1:
        both = pl.concat(tables, how="vertical_relaxed").lazy()
        found = collect(grouped(both, [*dims, VALUE], [pl.col(FIRST).min()]))
    sizes = collect(found.lazy().group_by([*dims, FIRST]).agg(pl.len().cast(pl.Int64).alias("n")))
    ends = sorted({high for _, high in stretches})
    counts = [pl.col("n").filter(pl.col(FIRST) < number_of(high)).sum().alias(str(i)) for i, high in enumerate(ends)]
    wide = collect(grouped(sizes.lazy(), dims, counts))
    low = stretches[0][0]
    return _long(wide, dims, [(low, high) for high in ends])


def _long(wide: pl.DataFrame, dims: list[str], stretches: Sequence[Stretch]) -> pl.DataFrame:
    """Return a row a stretch and dimensions, of those that have a value."""
    kind = pl.Datetime("us", "UTC") if stretches and isinstance(stretches[0][1], datetime) else pl.Date()
    ends = pl.DataFrame(
        {
            "__k": [str(number) for number in range(len(stretches))],
            FROM: pl.Series([low for low, _ in stretches], dtype=kind),
            UPTO: pl.Series([high for _, high in stretches], dtype=kind),
        }
    )
    long = wide.unpivot(index=dims, variable_name="__k", value_name=VALUE).filter(pl.col(VALUE) > 0)
    return long.join(ends, on="__k").drop("__k")


def labelled(found: pl.DataFrame, scan: Scan, keys: Keys, opened: Opened) -> pl.DataFrame:
    """Return a table of values with its dimensions by their own names."""
    check_dimensions(found, keys, opened)
    labels = [dimension(t, f"__d{i}").alias(scan.keys[i][0]) for i, t in enumerate(keys.kinds)]
    rest = [name for name in found.columns if name not in keys.dimensions]
    return found.select(*labels, *rest)
