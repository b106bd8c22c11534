"""How many groups a first level would have, guessed from a sample: too many, and conditions leave the bit mask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import polars as pl

from smartkpi.engines.polars.compile import Opened, clock_of_scan, collect, decided, joined, keys_of, read_by
from smartkpi.engines.polars.expressions import condition
from smartkpi.engines.polars.times import Clock, day_of
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Scan
from smartkpi.semantics.formula import Expr

WORTH = 2_000_000
SLICES, SLICE = 3, 5_000
DOUBT = 200
SHARE = 8
MANY = 500


@dataclass(frozen=True, slots=True)
class Layout:
    """How a first level is laid out; the answer is the same for any.

    ``discriminators`` stay keys, the conditions ``moved`` leave the bit mask. ``ordered``: rows seem to lie in the
    order of time, so a look at the last day alone reads little.
    """

    discriminators: tuple[Expr, ...]
    moved: frozenset[Expr] = frozenset()
    ordered: bool = False


def lay_out(opened: Opened, scan: Scan) -> Layout:
    """Return the layout of a scan's first level, from a sample of its rows.

    A first level should have fewer groups than rows / 8 (measured with 20M rows): beyond, the least shared become
    filters of single partials.
    """
    count = opened.table.rows_hint or 0
    if count < WORTH:
        return Layout(scan.discriminators)
    sample, bits, periods, ordered = _sample(opened, scan, count)
    if not sample.height:
        return Layout(scan.discriminators)
    others = [name for name in sample.columns if name.startswith("__x")]
    if others and sample.select(pl.struct(others).n_unique()).item() > MANY:
        return Layout((), ordered=ordered)
    dims = [name for name in sample.columns if name.startswith("__d")]
    shared = Counter(expr for cell in scan.cells for expr in set(cell.where) if expr in bits)
    order = sorted(bits, key=lambda expr: shared[expr])
    moved: list[Expr] = []
    while order and _groups(sample, [*dims, *others, *(bits[e] for e in order)], periods, count) > count / SHARE:
        moved.append(order.pop(0))
    return Layout(scan.discriminators, frozenset(moved), ordered)


def share_of(opened: Opened, exprs: Sequence[Expr], mask: pl.Expr) -> float:
    """Return about which part of the rows meets a condition over ``exprs``, guessed high from a sample."""
    count = opened.table.rows_hint or 0
    if count < WORTH:
        return 1.0
    met = sum(int(opened.collect(part.select(mask.sum())).item()) for part in _parts(opened, exprs, count))
    return min(1.0, (2 * met + DOUBT) / (SLICES * SLICE))


def _parts(opened: Opened, exprs: Sequence[Expr], count: int) -> list[pl.LazyFrame]:
    """Return a few stretches of rows from all over a dataset, as far as they can be read in part."""
    starts = [count * place // SLICES for place in range(SLICES)] if opened.table.sliceable else [0]
    size = SLICE if opened.table.sliceable else SLICE * SLICES
    return [joined(opened, exprs, opened.frame.slice(start, size)) for start in starts]


def _sample(opened: Opened, scan: Scan, count: int) -> tuple[pl.DataFrame, dict[Expr, str], int, bool]:
    keys = keys_of(scan, opened.rows, scan.discriminators)
    wanted = dict.fromkeys(e for cell in scan.cells for e in cell.where if not decided(e, keys.known))
    bits = {expr: f"__b{place}" for place, expr in enumerate(wanted)}
    columns = [*keys.exprs, *(condition(expr, opened.rows).alias(name) for expr, name in bits.items())]
    names = [*keys.dimensions, *keys.others, *bits.values()]
    clock = clock_of_scan(scan, opened.rows)
    if clock is not None and scan.grains != (Grain.ALL,):
        columns.append(day_of(clock).alias("__day"))
        names.append("__day")
    if not names:
        return pl.DataFrame(), bits, 1, False
    parts = [part.with_columns(columns).select(names) for part in _parts(opened, tuple(read_by(scan)), count)]
    found = [opened.collect(part) for part in parts]
    sample = pl.concat(found)
    periods, ordered = 1, False
    if "__day" in sample.columns and (days := sample["__day"].drop_nulls()).len():
        first, last = days.min(), days.max()
        periods = (last - first).days + 1  # type: ignore[operator, union-attr]
        ordered = opened.table.sliceable and _ascends([part["__day"] for part in found])
    return sample, bits, periods * (24 if Grain.HOUR in scan.grains else 1), ordered


def lies_in_order(opened: Opened, clock: Clock) -> bool:
    """Say whether rows seem to lie in the order of time, by a look at a few of them."""
    count = opened.table.rows_hint or 0
    if count < WORTH or not opened.table.sliceable:
        return False
    day = day_of(clock).alias("__day")
    return _ascends([opened.collect(part.select(day))["__day"] for part in _parts(opened, (), count)])


def _ascends(slices: Sequence[pl.Series]) -> bool:
    """Say whether the days of each slice come after those of the slice before."""
    ranges: list[tuple[Any, Any]] = [(days.min(), days.max()) for days in slices]
    known = all(low is not None for low, _ in ranges)
    return known and all(before[1] < after[0] for before, after in pairwise(ranges))


def _groups(sample: pl.DataFrame, names: Sequence[str], periods: int, count: int) -> float:
    """Guess the number of groups: each combination seen falls into periods by chance."""
    if not names:
        return periods
    share = pl.col("len") / sample.height * count / periods
    found = sample.lazy().group_by(names).len().select((periods * (1 - (-share).exp())).sum())
    return float(collect(found).item())
