"""How many groups a first level would have, guessed from a sample: too many, and conditions leave the bit mask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import polars as pl

from smartkpi.engines.polars.compile import Opened, clock_of_scan, collect, decided, joined, keys_of, read_by
from smartkpi.engines.polars.expressions import condition
from smartkpi.engines.polars.times import day_of
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Scan
from smartkpi.semantics.formula import Expr

WORTH = 2_000_000
SLICES, SLICE = 4, 5_000
SHARE = 8
MANY = 500


def lay_out(opened: Opened, scan: Scan) -> tuple[tuple[Expr, ...], frozenset[Expr]]:
    """Return which discriminators stay keys and which conditions leave the bit mask; the answer is the same for any.

    A first level should have fewer groups than rows / 8 (measured with 20M rows): beyond, the least shared become
    filters of single partials.
    """
    count = opened.table.rows_hint or 0
    if count < WORTH:
        return scan.discriminators, frozenset()
    sample, bits, periods = _sample(opened, scan, count)
    if not sample.height:
        return scan.discriminators, frozenset()
    others = [name for name in sample.columns if name.startswith("__x")]
    kept = scan.discriminators
    if others and sample.select(pl.struct(others).n_unique()).item() > MANY:
        return (), frozenset()
    dims = [name for name in sample.columns if name.startswith("__d")]
    shared = Counter(expr for cell in scan.cells for expr in set(cell.where) if expr in bits)
    order = sorted(bits, key=lambda expr: shared[expr])
    moved: list[Expr] = []
    while order and _groups(sample, [*dims, *others, *(bits[e] for e in order)], periods, count) > count / SHARE:
        moved.append(order.pop(0))
    return kept, frozenset(moved)


def _sample(opened: Opened, scan: Scan, count: int) -> tuple[pl.DataFrame, dict[Expr, str], int]:
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
        return pl.DataFrame(), bits, 1
    starts = [count * place // SLICES for place in range(SLICES)] if opened.table.sliceable else [0]
    size = SLICE if opened.table.sliceable else SLICE * SLICES
    slices = (joined(opened, read_by(scan), opened.frame.slice(start, size)) for start in starts)
    parts = [part.with_columns(columns).select(names) for part in slices]
    sample = pl.concat([opened.collect(part) for part in parts])
    periods = 1
    if "__day" in sample.columns and (days := sample["__day"].drop_nulls()).len():
        first, last = days.min(), days.max()
        periods = (last - first).days + 1  # type: ignore[operator, union-attr]
    return sample, bits, periods * (24 if Grain.HOUR in scan.grains else 1)


def _groups(sample: pl.DataFrame, names: Sequence[str], periods: int, count: int) -> float:
    """Guess the number of groups: each combination seen falls into periods by chance."""
    if not names:
        return periods
    share = pl.col("len") / sample.height * count / periods
    found = sample.lazy().group_by(names).len().select((periods * (1 - (-share).exp())).sum())
    return float(collect(found).item())
