"""Diagnoses: what several KPIs say together, in each period and segment; also where that cannot be told, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from typing import Any

import polars as pl

from smartkpi.assess.conditions import holds
from smartkpi.assess.held import BENCHMARK, GROWTH, PREVIOUS, UNFINISHED
from smartkpi.semantics.diagnoses import TypedDiagnosis
from smartkpi.semantics.formula import Apply, Literal
from smartkpi.spec.model import Labels

UNJUDGED = ("inconclusive", "pending")
HELD = {"previous": PREVIOUS, "growth": GROWTH, "benchmark": BENCHMARK}


@dataclass(frozen=True, slots=True)
class Finding:
    """What several KPIs say together, in a period (None: each in the one that a scorecard shows) and segment.

    ``holds`` is True, or None where it cannot be told; then ``lacking`` names KPIs with what is in the way: a status
    (`pending`, `inconclusive`, `unjudged`: it has none), or a state of the value.
    """

    name: str
    label: Labels
    say: Labels
    holds: bool | None
    kpis: tuple[str, ...]
    level: str
    segment: Mapping[str, Any] = field(default_factory=dict)
    grain: str | None = None
    start: datetime | None = None
    lacking: tuple[tuple[str, str], ...] = ()


def diagnose(
    frame: pl.DataFrame, diagnoses: Mapping[str, TypedDiagnosis], by: Sequence[str], scorecard: bool
) -> tuple[Finding, ...]:
    """Return what holds, and what cannot be told, of a frame with statuses and what its values are held against.

    In a scorecard each KPI stands with its own last period. A status that is pending or inconclusive is not known,
    unless the condition asks for just that; nor is a value of a period that is not whole.
    """
    found: list[Finding] = []
    for diagnosis in diagnoses.values():
        found += _of(diagnosis, frame, by, scorecard)
    return tuple(found)


def _of(diagnosis: TypedDiagnosis, frame: pl.DataFrame, by: Sequence[str], scorecard: bool) -> Iterator[Finding]:
    keys = ["level", *by] if scorecard else ["grain", "start", "end", "level", *by]
    sides = [_side(frame, kpi, keys) for kpi in diagnosis.kpis]
    segments = frame.filter(pl.col("kpi").is_in(diagnosis.kpis)).select(keys).unique(maintain_order=True)
    wide = reduce(lambda a, b: a.join(b, on=keys, how="left", nulls_equal=True, maintain_order="left"), sides, segments)
    held = pl.all_horizontal(pl.lit(value=True), *(holds(one, _column) for one in diagnosis.when))
    for row in wide.with_columns(held.alias("__holds")).iter_rows(named=True):
        if row["__holds"] is False:
            continue
        known = row["__holds"] is True
        yield Finding(
            name=diagnosis.name,
            label=diagnosis.spec.label,
            say=diagnosis.spec.say,
            holds=True if known else None,
            kpis=diagnosis.kpis,
            segment={name: row[name] for name in by} if row["level"] == "segment" else {},
            level=row["level"],
            grain=None if scorecard else row["grain"],
            start=None if scorecard else row["start"],
            lacking=() if known else tuple(_lacking(diagnosis, row)),
        )


def _side(frame: pl.DataFrame, kpi: str, keys: Sequence[str]) -> pl.DataFrame:
    """Return the rows of a KPI with what it is as columns of its name."""
    unfinished = pl.col("flags").list.set_intersection(list(UNFINISHED)).list.len() > 0
    whole = {"value": "value", **HELD}
    return frame.filter(pl.col("kpi") == kpi).select(
        *keys,
        *(pl.when(~unfinished).then(pl.col(column)).alias(f"{kpi}.{part}") for part, column in whole.items()),
        pl.col("status").alias(f"{kpi}.status"),
        pl.col("state").alias(f"{kpi}.state"),
        pl.col("n").cast(pl.Float64).alias(f"{kpi}.n"),
        unfinished.alias(f"{kpi}.unfinished"),
    ).unique(keys, keep="last", maintain_order=True)  # fmt: skip


def _column(name: str, around: Apply | None) -> pl.Expr:
    """Return a column; statuses that judge nothing are null, unless they are asked for."""
    if not name.endswith(".status"):
        return pl.col(name)
    args = () if around is None else around.args
    if any(isinstance(arg, Literal) and arg.value in UNJUDGED for arg in args):
        return pl.col(name)
    return pl.when(~pl.col(name).is_in(UNJUDGED)).then(pl.col(name))


def _lacking(diagnosis: TypedDiagnosis, row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the KPIs of a row of which something is not known, each with what it is: a status, a state."""
    for kpi in diagnosis.kpis:
        status, state = row[f"{kpi}.status"], row[f"{kpi}.state"]
        if state is None:
            yield kpi, "no_data"
        elif status in UNJUDGED:
            yield kpi, status
        elif state != "ok":
            yield kpi, state
        elif row[f"{kpi}.unfinished"]:
            yield kpi, "pending"
        elif status is None:
            yield kpi, "unjudged"
