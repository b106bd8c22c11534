"""What an engine must offer: it takes a plan and gives back small tables.

``Engine.collect(plan) -> Answer``. Everything after it (derive) is the same for every engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Protocol

import polars as pl

from smartkpi.diagnostics import Diagnostic
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Plan
from smartkpi.semantics.covering import covering
from smartkpi.semantics.formula import TypedDataset

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
PERIOD, FROM, UPTO = "__period", "__from", "__upto"


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is known of one dataset's rows in time, whatever was asked.

    ``days`` are the local days with at least one row, sorted; ``edge`` is the first instant (aware, UTC) after the
    latest row (a date covers its day), None without rows; ``rows`` counts all rows, ``left_out`` those left out by
    reason (`null_time`, `duplicate`, `after_as_of`, `bad_row`, …); ``unmatched`` counts rows by the lookup that found
    nothing. ``bad_rows`` has some of the rows that are none: where, why, and their text.
    """

    dataset: str
    days: tuple[date, ...]
    edge: datetime | None
    rows: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    unmatched: Mapping[str, int] = field(default_factory=dict)
    bad_rows: tuple[Mapping[str, str | int], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The component table: per grain and scan a frame, sorted by its key but for frames of entities.

    A frame has the column PERIOD (Date: first local day; for hours Datetime("us", "UTC"); absent for `all`), a column
    a dimension (String, Int64, Boolean or Date; null is a segment too), and a column a cell, named by the cell's id:
    `rows` `weight` `present` `distinct` `approx_distinct` Int64; `sum` Decimal(38, 6) for money, Int128 for whole
    numbers, Float64 else; `min` `max` `quantile` `stddev` `first` `last` Float64. For a `weight` cell there is also
    `<id>_null` (Int64): rows whose count is null; for a `sum` of floats that is to be added up further, in two parts,
    `<id>_high` (Int128, in units of 2^-40) and `<id>_low`.
    A cell's column is null where no row contributed (`rows`, `present`, `distinct`, `approx_distinct`: 0 or null).
    ``origins`` names the dataset of each frame, in the same order; an empty text where it is of several.

    ``stretches`` has, by the grain of the output that asks, frames of cells over stretches of time: in place of PERIOD
    they have FROM and UPTO, the first day (hour) and the one after the last.

    ``open`` has, for relations whose rows may still come, when base rows without a match were (`moment`) and up to when
    one may come (`until`), both instants; of those whose window is over at every as-of there may be none.
    """

    frames: Mapping[Grain, tuple[pl.DataFrame, ...]]
    coverage: Mapping[str, Coverage]
    scans: int
    notes: tuple[Diagnostic, ...] = ()
    origins: Mapping[Grain, tuple[str, ...]] = field(default_factory=dict)
    stretches: Mapping[Grain, tuple[pl.DataFrame, ...]] = field(default_factory=dict)
    open: Mapping[str, pl.DataFrame] = field(default_factory=dict)


def edge_of(plan: Plan, coverage: Mapping[str, Coverage], datasets: Iterable[str]) -> datetime | None:
    """Return the first instant that no longer counts for a KPI over these datasets; None without any row or as-of."""
    match plan.as_of:
        case datetime():
            return plan.as_of + TICK
        case date():
            return plan.calendar.midnight(plan.as_of + DAY)
        case None:
            edges = ((name, coverage[name].edge) for name in covering(plan.datasets, datasets) if name in coverage)
            ends = (_end(plan, plan.datasets[name], edge) for name, edge in edges if edge is not None)
            return max(ends, default=None)


def _end(plan: Plan, dataset: TypedDataset, edge: datetime) -> datetime:
    """Return the end of what the latest row stands for."""
    period = dataset.spec.period
    return edge if period is None else plan.calendar.whole(period, edge)[1]


class Engine(Protocol):
    """An engine answers plans over datasets that it was opened on."""

    def collect(self, plan: Plan) -> Answer:
        """Run a plan's scans. Raises KpiError for data that cannot be used."""
        ...

    def explain(self, plan: Plan) -> str:
        """Return the engine's own plan of each scan, as text."""
        ...
