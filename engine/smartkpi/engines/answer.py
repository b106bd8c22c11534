"""What an engine must offer: it takes a plan and gives back small tables.

``Engine.collect(plan) -> Answer``. Everything after it (derive) is the same for every engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

import polars as pl

from smartkpi.diagnostics import Diagnostic
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Plan

PERIOD = "__period"


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
    `<id>_null` (Int64): rows whose count is null.
    A cell's column is null where no row contributed (`rows`, `present`, `distinct`, `approx_distinct`: 0 or null).
    ``origins`` names the dataset of each frame, in the same order; an empty text where it is of several.
    """

    frames: Mapping[Grain, tuple[pl.DataFrame, ...]]
    coverage: Mapping[str, Coverage]
    scans: int
    notes: tuple[Diagnostic, ...] = ()
    origins: Mapping[Grain, tuple[str, ...]] = field(default_factory=dict)


class Engine(Protocol):
    """An engine answers plans over datasets that it was opened on."""

    def collect(self, plan: Plan) -> Answer:
        """Run a plan's scans. Raises KpiError for data that cannot be used."""
        ...

    def explain(self, plan: Plan) -> str:
        """Return the engine's own plan of each scan, as text."""
        ...
