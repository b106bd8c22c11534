"""Components over stretches of time, from their answers by day or hour: exact, and without a look at the data.

Rows of a segment lie in order of time, so that a stretch is a run of them. Sums are differences of running totals of
whole numbers; the least and greatest of a run are those of two runs of a power of two that cover it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from smartkpi.engines.answer import FROM, PERIOD, UPTO
from smartkpi.engines.exact import SCALE, money
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Component

MONEY = pl.Decimal(38, 6)
QUARTER_HOUR = 900_000_000
WIDE = 1 << 36
"""More than there are days or quarters of an hour in all of time: segments lie so far apart in a common order."""


def attach_stretches(
    spine: pl.DataFrame,
    grids: Iterable[pl.DataFrame],
    ids: Iterable[str],
    components: Mapping[str, Component],
    columns: Mapping[str, str],
    grain: Grain,
) -> pl.DataFrame:
    """Return the spine with a column a component; ``columns`` names for each that of its stretch (`.from`, `.upto`)."""
    wanted = set(ids)
    for frame in grids:
        here = [id for id in frame.columns if id in wanted]
        if not here:
            continue
        by = "sid" if "sid" in frame.columns else next(name for name in frame.columns if name.startswith("of."))
        rows = frame.with_columns(order_of(pl.col(by), pl.col(PERIOD), grain).alias("__order")).sort("__order")
        runs = {column: _runs(spine, rows["__order"], by, column, grain) for column in {columns[id] for id in here}}
        spine = spine.with_columns(
            value for id in here for value in _values(rows, id, components[id], *runs[columns[id]])
        )
    return spine


def spread(
    rows: pl.DataFrame,
    ids: Iterable[str],
    components: Mapping[str, Component],
    stretches: pl.DataFrame,
    key: str,
    by: Sequence[str],
    grain: Grain,
) -> pl.DataFrame:
    """Return components by the ``key`` of stretches (FROM, UPTO) and some columns, of those that have a row there.

    Each row is laid out once for every stretch that it lies in.
    """
    rows = rows.with_columns(order_of(pl.lit(0), pl.col(PERIOD), grain).alias("__order")).sort("__order")
    ends = stretches.drop_nulls([FROM, UPTO]).with_columns(
        order_of(pl.lit(0), pl.col(name), grain).alias(name) for name in (FROM, UPTO)
    )
    low, high = (rows["__order"].search_sorted(ends[name]).cast(pl.Int64) for name in (FROM, UPTO))
    runs = ends.select(key, low=low, high=high).filter(pl.col("low") < pl.col("high"))
    runs = runs.select(key, pl.int_ranges("low", "high").alias("at")).explode("at")
    laid = rows.drop("__order", PERIOD)[runs["at"]].with_columns(runs[key])
    return laid.group_by(key, *by).agg(_added(id, components[id], rows) for id in ids)


def counted_in(moments: pl.Series, grain: Grain, low: pl.Series, high: pl.Series) -> pl.Series:
    """Return how many rows of some days or hours lie in each stretch."""
    order, first, after = (
        one.to_frame("t").select(order_of(pl.lit(0), pl.col("t"), grain).fill_null(-1).alias("t"))["t"]
        for one in (moments, low, high)
    )
    order = order.sort()
    found = [order.search_sorted(one).cast(pl.Int64) for one in (first, after)]
    return (found[1] - found[0]).clip(0)


def _added(id: str, component: Component, rows: pl.DataFrame) -> pl.Expr:
    """Return a component added up over the rows of a group; null where none of them has a value."""
    value = pl.col(id)
    match component.aggregate:
        case "min" | "max":
            return getattr(value, component.aggregate)()  # type: ignore[no-any-return]
        case "sum" if f"{id}_high" in rows.columns:
            rest = pl.col(f"{id}_low").fill_null(0.0)
            whole = rest.round(0).cast(pl.Int128, strict=False).fill_null(0)
            tiny = (rest - whole.cast(pl.Float64)).sum()
            high = pl.col(f"{id}_high").sum().cast(pl.Float64) / SCALE
            total = high + (whole.sum().cast(pl.Float64) + tiny)
        case _:
            total = value.sum()
    return pl.when(value.count() > 0).then(total).alias(id)


def order_of(segment: pl.Expr, moment: pl.Expr, grain: Grain) -> pl.Expr:
    """Return one number for a segment and a day or hour: in order of segments, then time."""
    ticks = moment.to_physical().cast(pl.Int64)
    if grain is Grain.HOUR:
        ticks = ticks // QUARTER_HOUR
    return segment * WIDE + ticks + WIDE // 2


def _runs(spine: pl.DataFrame, order: pl.Series, by: str, column: str, grain: Grain) -> tuple[pl.Series, pl.Series]:
    """Return for each row of the spine the run of rows in its stretch: its first, and the one after its last."""
    ends = spine.select(
        order_of(pl.col(by), pl.col(f"{column}.{end}"), grain).alias(end) for end in ("from", "upto")
    ).fill_null(-1)
    low, high = (order.search_sorted(ends[end]).cast(pl.Int64) for end in ("from", "upto"))
    return low, high.set(high < low, None).fill_null(low)


def _values(rows: pl.DataFrame, id: str, component: Component, low: pl.Series, high: pl.Series) -> list[pl.Series]:
    """Return the columns of a component; null where no row of the run has a value."""
    found = rows[id]
    some = _sum(found.is_not_null().cast(pl.Int64), low, high) > 0
    columns = []
    match component.aggregate:
        case "min" | "max":
            value = _extreme(found, low, high, component.aggregate)
        case "sum" if f"{id}_high" in rows.columns:
            value = _float_sum(rows, id, low, high)
        case "sum" if found.dtype == MONEY:
            value = _money(_sum(found.to_physical().cast(pl.Int128), low, high))
        case _:
            value = _sum(found, low, high)
            if f"{id}_null" in rows.columns:
                columns.append(_sum(rows[f"{id}_null"], low, high).alias(f"{id}_null"))
    none = pl.Series([None], dtype=value.dtype).new_from_index(0, len(value))
    return [value.zip_with(some, none).alias(id), *columns]


def _sum(values: pl.Series, low: pl.Series, high: pl.Series) -> pl.Series:
    """Return the sum of each run, of whole numbers."""
    nothing = pl.Series([0], dtype=values.dtype)
    totals = pl.concat([nothing, values.fill_null(0).cum_sum().cast(values.dtype)])
    return totals.gather(high) - totals.gather(low)


def _float_sum(rows: pl.DataFrame, id: str, low: pl.Series, high: pl.Series) -> pl.Series:
    """Return sums of numbers in two parts: a multiple of 2^-40, and a rest that is tiny or whole."""
    rest = rows[f"{id}_low"].fill_null(0.0)
    whole = rest.round(0).cast(pl.Int128, strict=False).fill_null(0)
    tiny = rest - whole.cast(pl.Float64)
    parts = [
        _sum(rows[f"{id}_high"], low, high).cast(pl.Float64) / SCALE,
        _sum(whole, low, high).cast(pl.Float64),
        _sum(tiny, low, high),
    ]
    return parts[0] + (parts[1] + parts[2])


def _money(micros: pl.Series) -> pl.Series:
    return micros.to_frame("m").select(money(pl.col("m"))).to_series()


def _extreme(values: pl.Series, low: pl.Series, high: pl.Series, which: str) -> pl.Series:
    """Return the least or greatest of each run."""
    size = high - low
    found = pl.Series([None], dtype=pl.Float64).new_from_index(0, len(low))
    level, width = values, 1
    longest = int(size.to_frame("n").select(pl.col("n").max().fill_null(0)).item())
    while width <= longest:
        mine = (size >= width) & (size < 2 * width)
        if mine.any():
            first, last = low.filter(mine), high.filter(mine) - width
            pair = pl.DataFrame({"a": level.gather(first), "b": level.gather(last)})
            best = pair.select(getattr(pl, f"{which}_horizontal")("a", "b")).to_series()
            found = found.scatter(mine.arg_true(), best)
        if 2 * width > longest:
            break
        pair = pl.DataFrame({"a": level, "b": level.shift(-width)})
        level = pair.select(getattr(pl, f"{which}_horizontal")("a", "b")).to_series()
        width *= 2
    return found
