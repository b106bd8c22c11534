"""Distinct values over overlapping stretches of time: exact, in few passes whatever the number of windows.

Time is cut where some stretch begins or ends. A value has a bit for each piece that it occurs in, the bits of a few
dozen stretches at once; a stretch then counts the values that have one of its bits. So the rows of a slice of time are
read once for all windows, and memory is bounded by the values in it; those with the same bits are counted together.
All of the past needs no bits: a value counts from its first day. Where values are still too many they are looked up in
shares that have none in common, whose counts add up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

import polars as pl

from smartkpi.engines.answer import FROM, UPTO, Coverage
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
    read_by,
)
from smartkpi.engines.polars.distinct import plain_value
from smartkpi.engines.polars.estimate import share_of
from smartkpi.engines.polars.expressions import compile_row, conditions
from smartkpi.engines.polars.slices import is_large
from smartkpi.engines.polars.stretches import asked_of, begin_of
from smartkpi.engines.polars.ticks import TICK, between, number_of, tick_of
from smartkpi.language.types import Kind
from smartkpi.periods.calendar import Key
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import Stretch, grid_of
from smartkpi.plan.nodes import Plan, Scan

DAY = timedelta(days=1)
VALUE, FIRST, SIZE = "__value", "__first", "__n"
LONG_AGO = date(2, 1, 1)
WORD = 64
MOST_WORDS = 6
SHORT = 32
"""Up to so many days a window leaves half of the bits of a word to others."""
TOGETHER, MOST_SHARES = 35_000_000, 24
"""Values of so many rows are looked up together, if one word of bits is enough for each."""

Share = tuple[int, int]
"""Which share of all values, of how many."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Stretches that are counted together, and the edges at which time is cut for them: bits tell the pieces apart."""

    stretches: tuple[Stretch, ...]
    edges: tuple[Key, ...]

    @property
    def states(self) -> list[str]:
        """Return the columns of what is known of a value: words of bits."""
        return [f"__w{number}" for number in range(-(-(len(self.edges) - 1) // WORD))]

    def columns(self) -> list[pl.Expr]:
        """Return what rows with ticks tell of their values: the bit of the piece of time that they lie in."""
        ticks = [number_of(edge) for edge in self.edges]
        places = [place for place, (low, high) in enumerate(pairwise(ticks)) for _ in range(low, high)]
        at = (pl.col(TICK) - ticks[0]).cast(pl.UInt32)
        found = []
        for number, name in enumerate(self.states):
            bits = [1 << place % WORD if place // WORD == number else 0 for place in places]
            found.append(pl.lit(pl.Series(bits, dtype=pl.UInt64)).gather(at).alias(name))
        return found

    def together(self) -> list[pl.Expr]:
        """Return what all rows of a value tell of it."""
        return [pl.col(name).bitwise_or() for name in self.states]

    def holds(self, stretch: Stretch) -> pl.Expr:
        """Return whether a value occurs in a stretch."""
        low, high = (self.edges.index(edge) for edge in stretch)
        mask = (1 << high) - (1 << low)
        words = ((name, mask >> number * WORD & (1 << WORD) - 1) for number, name in enumerate(self.states))
        return pl.any_horizontal(pl.col(name) & pl.lit(word, pl.UInt64) != 0 for name, word in words if word)


@dataclass(frozen=True, slots=True)
class Past:
    """Stretches that no row lies before: a value is in each that ends after its first day or hour."""

    stretches: tuple[Stretch, ...]

    @property
    def edges(self) -> tuple[Key | None, Key]:
        """Return between which ends rows are read."""
        return None, max(high for _, high in self.stretches)

    @property
    def states(self) -> list[str]:
        """Return the column of what is known of a value: its first tick."""
        return [FIRST]

    def columns(self) -> list[pl.Expr]:
        """Return what rows with ticks tell of their values."""
        return [pl.col(TICK).alias(FIRST)]

    def together(self) -> list[pl.Expr]:
        """Return what all rows of a value tell of it."""
        return [pl.col(FIRST).min()]

    def holds(self, stretch: Stretch) -> pl.Expr:
        """Return whether a value occurs in a stretch."""
        return pl.col(FIRST) < number_of(stretch[1])


Part = Slice | Past


def is_endless(stretch: Stretch) -> bool:
    """Say whether a stretch takes all of the past."""
    low = stretch[0]
    return (low.date() if isinstance(low, datetime) else low) < LONG_AGO


def windowed(plan: Plan) -> list[list[Scan]]:
    """Return the scans of distincts over windows, those together that are of the same cells in several datasets."""
    groups: dict[object, list[Scan]] = {}
    for scan in plan.scans:
        if scan.windowed and scan.state in ("distinct", "values"):
            groups.setdefault((tuple(cell.id for cell in scan.cells), scan.demands), []).append(scan)
    return list(groups.values())


def parts_of(stretches: Collection[Stretch], begin: Key, *, whole: bool = False) -> list[Part]:
    """Return stretches in groups that are counted together; no row lies before ``begin``.

    ``whole``: a part of time cannot be read without the others, so parts are as long as they can be.
    """
    endless = tuple(sorted(one for one in set(stretches) if is_endless(one)))
    past = [Past(endless)] if endless else []
    rest = [one for one in stretches if not is_endless(one)]
    if all(low <= begin for low, _ in rest):
        return [Past(tuple(sorted({*endless, *rest})))] if stretches else []
    return [*slices_of(rest, whole=whole), *past]


def slices_of(stretches: Iterable[Stretch], *, whole: bool = False) -> list[Slice]:
    """Return stretches in groups that few enough bits tell apart, and that are not too long together."""
    finite = sorted((one for one in set(stretches) if not is_endless(one)), key=lambda one: (one[1], one[0]))
    if not finite:
        return []
    longest = max(high - low for low, high in finite)  # type: ignore[operator]
    words = 1 if longest <= DAY * SHORT else min(MOST_WORDS, -(-longest // (DAY * WORD)) + 1)
    words, most = (MOST_WORDS, None) if whole else (words, 2 * longest + DAY * SHORT)
    found: list[Slice] = []
    taken: list[Stretch] = []
    edges: set[Key] = set()
    for low, high in finite:
        many = len(edges | {low, high}) - 1 > words * WORD
        if taken and (many or (most is not None and high - min(edges) > most)):  # type: ignore[operator]
            found.append(Slice(tuple(taken), tuple(sorted(edges))))
            taken, edges = [], set()
        taken.append((low, high))
        edges |= {low, high}
    return [*found, Slice(tuple(taken), tuple(sorted(edges)))]


def cut(
    plan: Plan, scans: Sequence[Scan], opened: Sequence[Opened], coverage: Mapping[str, Coverage]
) -> list[tuple[Part, float]]:
    """Return the parts of time that answer all stretches asked for, each with which part of all time it reads."""
    begin = begin_of(plan, scans, coverage)
    stretches = set().union(*asked_of(plan, scans, coverage).values())
    parts = parts_of(stretches, begin, whole=not all(one.table.sliceable for one in opened))
    return list(zip(parts, lengths_of(parts, begin), strict=True))


def lengths_of(parts: Sequence[Part], begin: Key) -> list[float]:
    """Return which part of all time each part reads; no row lies before ``begin``.

    Slices overlap by the longest window: together they read some days again.
    """
    first = number_of(begin)
    ends = [(first if part.edges[0] is None else number_of(part.edges[0]), number_of(part.edges[-1])) for part in parts]
    whole = max((high for _, high in ends), default=first) - first
    return [(high - max(low, first)) / whole if whole > 0 else 0.0 for low, high in ends]


def shares_of(scan: Scan, opened: Opened, part: Part, length: float) -> int:
    """Return in how many shares the values of a part are looked up, one after the other, so that memory is bounded."""
    rows = (opened.table.rows_hint or 0) * length * len(part.states)
    assert scan.cells[0].argument is not None
    typed = compile_row(scan.cells[0].argument, opened.rows)
    many = is_large(opened) and (typed.kind is Kind.TEXT or (typed.kind is Kind.NUMBER and typed.whole))
    if rows <= TOGETHER or not many:
        return 1
    kept = conditions(scan.filter, opened.rows)
    if kept is not None:
        rows *= share_of(opened, tuple(read_by(scan)), kept)
    return min(MOST_SHARES, -(-int(rows) // TOGETHER))


def values_query(
    plan: Plan, scan: Scan, opened: Opened, grain: Grain, part: Part, share: Share = (0, 1)
) -> tuple[pl.LazyFrame, Keys]:
    """Return the values of a scan's cells in a part of time, each once by dimensions, with what is known of it."""
    frame, keys = _rows(plan, scan, opened, grain, part.edges[0], part.edges[-1])
    if share[1] > 1:
        frame = frame.filter(_hashed(scan, opened) % share[1] == share[0])
    names = [*keys.dimensions, VALUE]
    found = grouped(frame.select(*names, *part.columns()), names, part.together())
    return found.filter(pl.col(VALUE).is_not_null()), keys


def sizes_query(values: pl.LazyFrame, dims: Sequence[str], part: Part) -> pl.LazyFrame:
    """Return how many values have the same bits, by dimensions: far fewer rows than there are values."""
    return values.group_by(*dims, *part.states).agg(pl.len().cast(pl.Int64).alias(SIZE))


def _hashed(scan: Scan, opened: Opened) -> pl.Expr:
    """Return a number by value, the same in all queries and for all datasets: the codes of texts are not."""
    argument = scan.cells[0].argument
    assert argument is not None
    value = pl.col(VALUE)
    return (value.cast(pl.String) if compile_row(argument, opened.rows).coded else value).hash(0)


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
    mask = conditions([expr for expr in first.where if expr not in scan.filter], rows)
    frame = frame if mask is None else frame.filter(mask)
    columns = [*keys.exprs, value, tick_of(clock, grain)]
    frame = opened.watched(frame, columns).with_columns(columns).select(*keys.dimensions, VALUE, TICK)
    if isinstance(low, datetime) and high is not None:  # whole days were read
        frame = frame.filter(pl.col(TICK).is_between(number_of(low), number_of(high), closed="left"))
    return frame, keys


def slices_shown(
    plan: Plan, scans: Sequence[Scan], opened: Sequence[Opened], coverage: Mapping[str, Coverage]
) -> Iterator[tuple[str, pl.LazyFrame]]:
    """Yield the title and first query of scans over windows: how many slices of time, how often a row is read."""
    parts = cut(plan, scans, opened, coverage)
    shares = [max(shares_of(*one, part, length) for one in zip(scans, opened, strict=True)) for part, length in parts]
    times = sum(many * length for many, (_, length) in zip(shares, parts, strict=True))
    slices = "1 slice" if len(parts) == 1 else f"{len(parts)} slices"
    values = f" and up to {most} shares of values" if (most := max(shares, default=1)) > 1 else ""
    grid, windows = grid_of(scans[0].demands[0].grain), dict.fromkeys(str(one.window) for one in scans[0].demands)
    for scan, one in zip(scans, opened, strict=True) if parts else ():
        query, keys = values_query(plan, scan, one, grid, parts[0][0], (0, shares[0]))
        title = f"{scan.dataset} [{scan.state} over {', '.join(windows)}] {' '.join(cell.id for cell in scan.cells)}"
        shown = sizes_query(query, keys.dimensions, parts[0][0]) if len(scans) == 1 else query
        yield f"{title}: {slices} of time{values}, a row is read {times:.1f} times", shown


def merged(tables: Sequence[pl.DataFrame], part: Part) -> pl.LazyFrame:
    """Return the values of several datasets, each once by dimensions, with what is known of it in all of them."""
    both = pl.concat(tables, how="vertical_relaxed").lazy()
    return grouped(both, [name for name in tables[0].columns if name not in part.states], part.together())


def count_held(sizes: pl.DataFrame, part: Part, dims: Sequence[str]) -> pl.DataFrame:
    """Return how many values each stretch of a part holds, by dimensions: a column a stretch, by its number."""
    counts = [
        pl.col(SIZE).filter(part.holds(stretch)).sum().alias(f"__{number}")
        for number, stretch in enumerate(part.stretches)
    ]
    return collect(grouped(sizes.lazy(), list(dims), counts))


def added(counts: Sequence[pl.DataFrame], dims: Sequence[str]) -> pl.DataFrame:
    """Return the counts of all shares of the values together."""
    if len(counts) == 1:
        return counts[0]
    return collect(grouped(pl.concat(counts).lazy(), list(dims), [pl.exclude(*dims).sum() if dims else pl.all().sum()]))


def over(wide: pl.DataFrame, dims: Sequence[str], part: Part, wanted: Collection[Stretch], id: str) -> pl.DataFrame:
    """Return the cell of this id over those stretches that it is wanted of: a row a stretch and dimensions."""
    mine = [(f"__{number}", one) for number, one in enumerate(part.stretches) if one in wanted]
    kind = pl.Datetime("us", "UTC") if isinstance(part.edges[-1], datetime) else pl.Date()
    ends = {"__k": pl.Series([name for name, _ in mine], dtype=pl.String)}
    ends |= {name: pl.Series([one[end] for _, one in mine], dtype=kind) for end, name in enumerate((FROM, UPTO))}
    long = wide.unpivot([name for name, _ in mine], index=dims, variable_name="__k", value_name=id)
    return long.filter(pl.col(id) > 0).join(pl.DataFrame(ends), on="__k").select(FROM, UPTO, *dims, id)


def labelled(found: pl.DataFrame, scan: Scan, keys: Keys, opened: Opened) -> pl.DataFrame:
    """Return a table of values with its dimensions by their own names."""
    check_dimensions(found, keys, opened)
    labels = [dimension(t, f"__d{i}").alias(scan.keys[i][0]) for i, t in enumerate(keys.kinds)]
    rest = [name for name in found.columns if name not in keys.dimensions]
    return found.select(*labels, *rest)
