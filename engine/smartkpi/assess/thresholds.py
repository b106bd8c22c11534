"""Thresholds become statuses: the first band that holds, from best to worst; what is left is critical."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from statistics import NormalDist
from typing import Any

import polars as pl

from smartkpi.assess.conditions import holds, lacking
from smartkpi.assess.held import UNFINISHED, Asked, bound, version_of
from smartkpi.derive.rounding import round_significant
from smartkpi.semantics.formula import Band, Ruled, TypedKpi

PENDING = "the period is incomplete"
AIMLESS = "no goal has a target for this period and segment"
EVERYWHERE = Asked()
GENERAL = -1
"""The number of the bands that hold where no segment has its own."""


def assess(frame: pl.DataFrame, kpis: Mapping[str, TypedKpi], asked: Asked = EVERYWHERE) -> pl.DataFrame:
    """Return a result's frame with `status` filled, `reason` where one is pending or inconclusive, and `low_sample`.

    Null values have no status, nor do grains other than the KPI's own unless it is a ratio. Values carry 12
    significant digits, so a value at a bound compares as it reads. Bands are those in force on a period's first day,
    of the first segment written that a row is of, else the general ones. What conditions name stands beside the
    values (`hold`).
    """
    banded = {name: kpi for name, kpi in kpis.items() if _is_judged(kpi)}
    if not banded or frame.is_empty():
        return frame
    table, count = _table(banded)
    conditions = max(len(kpi.judging.conditions) for kpi in banded.values())
    placed = frame.with_columns(
        version_of(banded).alias(".version"), _scope(frame, banded, asked).alias(".scope"), *_conditions(banded)
    )
    judged = placed.join(table, on=["kpi", ".version", ".scope"], how="left", maintain_order="left")
    judged = judged.with_columns(_low().alias(".low"), *_interval()).with_columns(*_first(count, conditions))
    null = pl.col("value").is_null() | pl.col(".status0").is_null()
    elsewhere = ~pl.col(".ratio") & (pl.col("grain") != pl.col(".grain"))
    pending = pl.col("flags").list.set_intersection(list(UNFINISHED)).list.len() > 0
    few, pend, unsure = pl.col(".low") & ~null, pl.lit("pending"), pl.lit("inconclusive")
    status = pl.when(pending).then(pend).when(few).then(unsure).otherwise(".status")
    judged = judged.with_columns(pl.when(~(null | elsewhere)).then(status).alias("status"))
    found = pl.when(few).then(_too_few()).otherwise(".why")
    reason = pl.when(pl.col("status") == pend).then(pl.lit(PENDING)).when(pl.col("status") == unsure).then(found)
    flags = pl.concat_list(
        pl.col("flags").list.filter(pl.element().is_in(UNFINISHED)),
        pl.when(few).then(pl.lit(["low_sample"])).otherwise(pl.lit([], dtype=pl.List(pl.String))),
        pl.col("flags").list.filter(~pl.element().is_in(UNFINISHED)),
    )
    return judged.with_columns(pl.coalesce("reason", reason).alias("reason"), flags.alias("flags")).select(
        frame.columns
    )


def _is_judged(kpi: TypedKpi) -> bool:
    rules = [one.ruled for one in kpi.versions]
    scoped = any(bands for one in rules for _, bands in one.scopes)
    return scoped or any(one.least is not None for one in rules) or any(one.bands for one in kpi.versions)


def _scope(frame: pl.DataFrame, kpis: Mapping[str, TypedKpi], asked: Asked) -> pl.Expr:
    """Return the number of the first segment with bands of its own that a row is of."""
    found: Any = pl
    for name, kpi in kpis.items():
        for number, (dimension, value) in enumerate(kpi.judging.scopes):
            here = (pl.col("kpi") == name) & asked.is_value(frame, dimension, value)
            found = found.when(here).then(pl.lit(number, dtype=pl.Int32))
    general = pl.lit(GENERAL, dtype=pl.Int32)
    return general if found is pl else found.otherwise(general)


def _conditions(kpis: Mapping[str, TypedKpi]) -> Iterator[pl.Expr]:
    """Yield for each number of a condition whether that of a row's KPI holds, and what it has no value of."""
    most = max(len(kpi.judging.conditions) for kpi in kpis.values())
    for number in range(most):
        known: Any = pl
        missing: Any = pl
        for name, kpi in kpis.items():
            if number < len(kpi.judging.conditions):
                condition = kpi.judging.conditions[number]
                known = known.when(pl.col("kpi") == name).then(holds(condition))
                missing = missing.when(pl.col("kpi") == name).then(lacking(condition))
        yield known.otherwise(None).alias(f".if{number}")
        yield missing.otherwise(None).alias(f".lacking{number}")


def _table(kpis: Mapping[str, TypedKpi]) -> tuple[pl.DataFrame, int]:
    """Return a row a KPI, version and segment with its bands side by side, and how many bands there are at most."""
    rows: list[dict[str, Any]] = []
    count = max(1, *(len(bands) for kpi in kpis.values() for _, _, _, bands in _banded(kpi)))
    for name, kpi in kpis.items():
        for version, ruled, scope, bands in _banded(kpi):
            sure = ruled.confidence
            rules: dict[str, Any] = {".grain": kpi.grain, ".ratio": kpi.ratio, ".least": ruled.least}
            rules[".confidence"] = None if sure is None else f"{(sure * 100).normalize():f}%"
            rules[".z"] = None if sure is None else NormalDist().inv_cdf((1 + float(sure)) / 2)
            row = {"kpi": name, ".version": version, ".scope": scope, **rules}
            for i, band in zip_longest(range(count), bands):
                status, operator, bounds = band or (None, None, ())
                low, high = (*(bound(one, kpi) for one in bounds), None, None)[:2]
                row |= {f".status{i}": status, f".op{i}": operator, f".low{i}": low, f".high{i}": high}
            rows.append(row)
    numbers = {".least": pl.Int64, ".confidence": pl.String, ".z": pl.Float64}
    keys = {"kpi": pl.String, ".version": pl.Int32, ".scope": pl.Int32, ".grain": pl.String, ".ratio": pl.Boolean}
    kinds = {".status": pl.String, ".op": pl.String, ".low": pl.Float64, ".high": pl.Float64}
    sides = {f"{name}{i}": kind for i in range(count) for name, kind in kinds.items()}
    return pl.DataFrame(rows, schema={**keys, **numbers, **sides}), count


def _banded(kpi: TypedKpi) -> Iterator[tuple[int, Ruled, int, tuple[Band, ...]]]:
    """Yield the rules and bands of a KPI by the number of its version and of a segment; one without has the general."""
    for number, version in enumerate(kpi.versions):
        yield number, version.ruled, GENERAL, version.bands
        own = dict(version.ruled.scopes)
        for scope in range(len(kpi.judging.scopes)):
            yield number, version.ruled, scope, own.get(scope, version.bands)


def _first(count: int, conditions: int) -> Iterator[pl.Expr]:
    """Yield the status of the first band that holds, and why there is none where that cannot be told.

    With a confidence, a miss counts only if every value that chance leaves possible misses: what is better than the
    band of the value, but still possible, takes its place; good that is still possible is inconclusive.
    """
    status, why = pl.lit("critical"), pl.lit(None, dtype=pl.String)
    possible = pl.lit("critical")
    for i in reversed(range(count)):
        known, missing = pl.lit(None, dtype=pl.Boolean), pl.lit(None, dtype=pl.String)
        for number in range(conditions):
            mine = (pl.col(f".op{i}") == "if") & (pl.col(f".low{i}") == number)
            known = pl.when(mine).then(pl.col(f".if{number}")).otherwise(known)
            missing = pl.when(mine).then(pl.col(f".lacking{number}")).otherwise(missing)
        unknown = (pl.col(f".op{i}") == "if").fill_null(value=False) & known.is_null()
        held = _holds(i, pl.col("value"), pl.col("value")) | known.fill_null(value=False)
        text = pl.format("there is no value of a whole period to hold it against: {}", missing)
        text = pl.when(missing == "`target`").then(pl.lit(AIMLESS)).otherwise(text)
        status = pl.when(unknown).then(pl.lit("inconclusive")).when(held).then(pl.col(f".status{i}")).otherwise(status)
        why = pl.when(unknown).then(text).when(held).then(None).otherwise(why)
        possible = pl.when(_holds(i, pl.col(".least_likely"), pl.col(".most_likely"))).then(pl.col(f".status{i}"))\
            .otherwise(possible)  # fmt: skip
    by_chance = pl.col(".z").is_not_null() & (possible != status)
    text = pl.format("with {} confidence it may be good", pl.col(".confidence"))
    unsure = by_chance & (possible == "good")
    yield pl.when(unsure).then(pl.lit("inconclusive")).when(by_chance).then(possible).otherwise(status).alias(".status")
    yield pl.when(unsure).then(text).otherwise(why).alias(".why")


def _holds(i: int, low: pl.Expr, high: pl.Expr) -> pl.Expr:
    """Whether the i-th band holds for some value between two; bounds belong to `at least`, `at most`, `between`."""
    operator, least, most = pl.col(f".op{i}"), pl.col(f".low{i}"), pl.col(f".high{i}")
    tests = {
        ">=": high >= least,
        "<=": low <= least,
        ">": high > least,
        "<": low < least,
        "==": (low <= least) & (high >= least),
        "!=": (low != least) | (high != least),
        "between": (high >= least) & (low <= most),
    }
    return pl.any_horizontal((operator == name) & test for name, test in tests.items()).fill_null(value=False)


def _interval() -> Iterator[pl.Expr]:
    """Yield the ends of the Wilson score interval of a proportion: what its true value may be.

    With p of n cases and the normal quantile z: (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n). Source: E. B.
    Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927), 209-212.
    """
    n, p, z = pl.col("n"), pl.col("value"), pl.col(".z")
    square = z**2 / n
    middle, scale = p + square / 2, 1 + square
    half = z * ((p * (1 - p) / n).clip(lower_bound=0) + square / (4 * n)).sqrt()
    for sign, name in ((-1, ".least_likely"), (1, ".most_likely")):
        end = ((middle + sign * half) / scale).clip(0, 1)
        yield end.map_batches(round_significant, return_dtype=pl.Float64).alias(name)


def _low() -> pl.Expr:
    """Whether there are fewer cases than a KPI wants; or how many there are is not known."""
    return pl.col(".least").is_not_null() & (pl.col("n") < pl.col(".least")).fill_null(value=True)


def _too_few() -> pl.Expr:
    count = pl.col("n").cast(pl.String).fill_null("an unknown number")
    return pl.format("of {}, fewer than `min_sample: {}`", count, pl.col(".least"))
