"""Levels: rows over several segments beside those of single ones: the total, and what `--top` leaves as other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from smartkpi.derive.derive import MAX_CELLS, Derived, derive
from smartkpi.engines.answer import Answer
from smartkpi.plan.nodes import Plan

ORDER = ("segment", "other", "total")
"""How rows of one KPI and period follow each other."""

Segments = Mapping[str, Sequence[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Best:
    """The best segments of each KPI, by name: those shown. ``cut`` are the KPIs that have others besides."""

    shown: Segments
    cut: tuple[str, ...]


def derive_totals(plan: Plan, answer: Answer, limit: int = MAX_CELLS) -> Derived:
    """Return the values of all asked KPIs over all segments: what the question without dimensions gives."""
    return derive(replace(plan, by=(), outputs=plan.totals, totals=(), scorecard=False), answer, limit)


def choose_best(derived: Derived, by: Sequence[str], top: int, directions: Mapping[str, str]) -> Best:
    """Return the best segments of each KPI, by its value in the last complete period shown (else the last).

    Best is the lowest where that is the KPI's direction, else the highest; null is last; equal ones go by name.
    """
    shown: dict[str, list[tuple[Any, ...]]] = {}
    cut = []
    for (name,), rows in derived.frame.group_by("kpi", maintain_order=True):
        kpi = str(name)
        known = pl.col("flags").list.set_intersection(["incomplete", "immature"]).list.len() == 0
        complete = rows.filter(known)["start"].max()
        last = rows["start"].max() if complete is None else complete
        if last is None:  # unavailable, or without any data: no segments
            continue
        column = pl.col("value") if directions.get(kpi) == "lower" else -pl.col("value")
        placed = rows.filter(pl.col("start") == last).sort(column, nulls_last=True, maintain_order=True)
        shown[kpi] = placed.head(top).select(by).rows()
        if rows.select(by).n_unique() > len(shown[kpi]):
            cut.append(kpi)
    return Best(shown, tuple(cut))


def keep_best(derived: Derived, by: Sequence[str], best: Best) -> Derived:
    """Return the values without the rows of those segments that are not among the best."""
    kept = [
        pl.DataFrame(best.shown[kpi], schema={name: derived.frame.schema[name] for name in by}, orient="row")
        .with_columns(pl.lit(kpi).alias("kpi"))
        for kpi in best.cut
    ]  # fmt: skip
    if not kept:
        return derived
    table, cut = pl.concat(kept), pl.col("kpi").is_in(list(best.cut))

    def narrow(frame: pl.DataFrame) -> pl.DataFrame:
        numbered = frame.with_row_index("__i")
        held = numbered.filter(cut).join(table, on=["kpi", *by], how="semi", nulls_equal=True)
        return pl.concat([held, numbered.filter(~cut)]).sort("__i").drop("__i")

    return replace(derived, frame=narrow(derived.frame), trend=narrow(derived.trend))


def add_level(derived: Derived, other: Derived, level: str, kpis: Sequence[str], rows: pl.DataFrame) -> Derived:
    """Return the values with rows of another level, in those periods of a KPI that ``rows`` show."""

    def join(frame: pl.DataFrame, periods: pl.DataFrame) -> pl.DataFrame:
        keys = ["kpi", "start"]
        added = other.frame.join(periods.select(keys).unique(), on=keys, how="semi", nulls_equal=True)
        added = added.filter(pl.col("state") != "unavailable").with_columns(pl.lit(level).alias("level"))
        missing = [pl.lit(None, dtype=kind).alias(name) for name, kind in frame.schema.items() if name not in added]
        added = added.with_columns(missing).select(frame.columns)
        both = pl.concat([frame, added]).with_columns(
            pl.col("kpi").replace_strict(list(kpis), list(range(len(kpis))), return_dtype=pl.Int64).alias("__k"),
            pl.col("level").replace_strict(list(ORDER), [0, 1, 2], return_dtype=pl.Int64).alias("__l"),
        )
        return both.sort("__k", "start", "__l", nulls_last=True, maintain_order=True).drop("__k", "__l")

    diagnostics = tuple(dict.fromkeys((*derived.diagnostics, *other.diagnostics)))
    return replace(
        derived,
        frame=join(derived.frame, rows),
        trend=join(derived.trend, derived.trend) if derived.trend.height else derived.trend,
        diagnostics=diagnostics,
    )
