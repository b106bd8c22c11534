"""Threshold bands become statuses: the first band that holds, from best to worst; what is left is critical."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from itertools import zip_longest
from typing import Any

import polars as pl

from smartkpi.language.types import MONEY
from smartkpi.semantics.formula import TypedKpi

PENDING = "the period is incomplete"


def assess(frame: pl.DataFrame, kpis: Mapping[str, TypedKpi]) -> pl.DataFrame:
    """Return a result's frame (or trend) with `status` filled, and `reason` where a status is pending.

    Null values have no status, nor do grains other than the KPI's own unless it is a ratio. Values carry 12
    significant digits, so a value at a bound compares as it reads. Bands are those in force on a period's first day.
    """
    banded = {name: kpi for name, kpi in kpis.items() if any(version.bands for version in kpi.versions)}
    if not banded or frame.is_empty():
        return frame
    table, count = _table(banded)
    null = pl.col("value").is_null() | pl.col(".status0").is_null()
    elsewhere = ~pl.col(".ratio") & (pl.col("grain") != pl.col(".grain"))
    pending = pl.col("flags").list.set_intersection(["incomplete", "immature"]).list.len() > 0
    status = pl.lit("critical")
    for i in reversed(range(count)):
        status = pl.when(_holds(i)).then(pl.col(f".status{i}")).otherwise(status)
    status = pl.when(null | elsewhere).then(None).when(pending).then(pl.lit("pending")).otherwise(status)
    placed = frame.with_columns(_version(banded).alias(".version"))
    judged = placed.join(table, on=["kpi", ".version"], how="left", maintain_order="left")
    judged = judged.with_columns(status.alias("status"))
    why = pl.when((pl.col("status") == "pending") & pl.col("reason").is_null()).then(pl.lit(PENDING))
    return judged.with_columns(why.otherwise("reason").alias("reason")).select(frame.columns)


def _version(kpis: Mapping[str, TypedKpi]) -> pl.Expr:
    """Return how many revisions of a row's KPI are in force on the first day of its period."""
    day = pl.col("start").dt.date()
    begun = [(pl.col("kpi") == name) & (day >= one.start) for name, kpi in kpis.items() for one in kpi.revisions]
    return pl.sum_horizontal(pl.lit(0), *(one.fill_null(value=False).cast(pl.Int32) for one in begun)).cast(pl.Int32)


def _table(kpis: Mapping[str, TypedKpi]) -> tuple[pl.DataFrame, int]:
    """Return a row a version of a KPI with its bands side by side, and how many bands there are at most."""
    count = max(len(version.bands) for kpi in kpis.values() for version in kpi.versions)
    rows = []
    for name, kpi in kpis.items():
        for number, version in enumerate(kpi.versions):
            row: dict[str, Any] = {"kpi": name, ".version": number, ".grain": kpi.grain, ".ratio": kpi.ratio}
            for i, band in zip_longest(range(count), version.bands):
                status, operator, bounds = band or (None, None, ())
                low, high = (*(_bound(bound, kpi) for bound in bounds), None, None)[:2]
                row |= {f".status{i}": status, f".op{i}": operator, f".low{i}": low, f".high{i}": high}
            rows.append(row)
    kinds = {".status": pl.String, ".op": pl.String, ".low": pl.Float64, ".high": pl.Float64}
    bands = {f"{name}{i}": kind for i in range(count) for name, kind in kinds.items()}
    schema = {"kpi": pl.String, ".version": pl.Int32, ".grain": pl.String, ".ratio": pl.Boolean, **bands}
    return pl.DataFrame(rows, schema=schema), count


def _bound(bound: Decimal, kpi: TypedKpi) -> float:
    """Return a bound with the digits that values have: as many as there are in whole numbers and money, else 12."""
    exact = bound == bound.to_integral_value() or kpi.type.unit.name == MONEY.name
    return float(bound if exact else f"{bound:.12g}")


def _holds(i: int) -> pl.Expr:
    """Whether the i-th band holds for the value: bounds belong to `at least`, `at most` and `between`."""
    value, operator, low, high = pl.col("value"), pl.col(f".op{i}"), pl.col(f".low{i}"), pl.col(f".high{i}")
    tests = {
        ">=": value >= low,
        "<=": value <= low,
        ">": value > low,
        "<": value < low,
        "==": value == low,
        "!=": value != low,
        "between": value.is_between(low, high),
    }
    return pl.any_horizontal((operator == name) & test for name, test in tests.items()).fill_null(value=False)
