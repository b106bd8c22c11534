"""Queries of scans that are not added up: one at each grain, or over stretches of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

import polars as pl

from smartkpi.engines.polars.compile import Keys, Opened, clock_of_scan, counted
from smartkpi.engines.polars.distinct import distinct_queries
from smartkpi.engines.polars.holistic import holistic_queries
from smartkpi.engines.polars.partials import LIMIT
from smartkpi.engines.polars.sketch import sketch_queries
from smartkpi.engines.polars.spread import rows_over
from smartkpi.engines.polars.stretches import asked_for
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import grid_of
from smartkpi.plan.nodes import Demand, Plan, Scan


def queries_of(
    plan: Plan, scan: Scan, opened: Opened, days: Sequence[date]
) -> Iterator[tuple[Grain, list[pl.LazyFrame], Keys]]:
    """Yield the queries of a scan that is not additive, at each of its grains."""
    match scan.state:
        case "distinct":
            return distinct_queries(plan, scan, opened, days)
        case "holistic":
            return holistic_queries(plan, scan, opened, days)
        case "sketch":
            return sketch_queries(plan, scan, opened, days)
        case _:
            raise AssertionError(f"no state of a scan: {scan.state}")


def over_query(plan: Plan, scan: Scan, opened: Opened, demand: Demand) -> pl.LazyFrame:
    """Return the query of the rows that stretches of time are of, as far as the question tells them."""
    if demand.windowed:
        return rows_over(plan, scan, opened, grid_of(demand.grain), asked_for(plan, demand))[0]
    return counted(opened, scan, clock_of_scan(scan, opened.rows), cut=True)


def looks_at(column: str) -> dict[str, pl.Expr]:
    """Return what tells whether a column of floats has values that are no number, and how many, or too large."""
    value = pl.col(column)
    return {"broken": (~value.is_finite()).sum(), "large": (value.is_finite() & (value.abs() >= LIMIT)).any()}
