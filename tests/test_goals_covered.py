"""Goals where data is missing: days without any, and a last day that has not come yet."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

import smartkpi

GOAL = {"target": 10, "start": "2026-01-01", "deadline": "2026-01-10"}


def stands(days: list[date], as_of: str, **goal: Any) -> dict[str, Any]:
    """Return how ten orders in ten days stand, of a dataset in which a day without a row is not known."""
    definition = {
        "datasets": {"log": {"time": "day", "events": {"order": {"count": "n"}}}},
        "kpis": {"orders": {"formula": "order", "direction": "higher", "goal": {**GOAL, **goal}}},
    }
    frame = pl.DataFrame({"day": days, "n": [1] * len(days)}, schema={"day": pl.Date, "n": pl.Int64})
    (row,) = smartkpi.load(definition, data={"log": frame}).goals(as_of=as_of).to_dicts()
    return row


def on(*days: int) -> list[date]:
    return [date(2026, 1, day) for day in days]


def test_days_without_data_are_not_read_as_days_without_orders() -> None:
    row = stands(on(1, 3, 5, 6), "2026-01-06")
    assert (row["coverage"], row["status"], row["reason"]) == (pytest.approx(4 / 6), "no_data", "low_coverage")
    row = stands(on(1, 2, 3, 4, 6), "2026-01-06")
    assert row["coverage"] == pytest.approx(5 / 6)
    assert row["status"] == "at_risk"  # five of six


def test_a_deadline_is_over_but_its_last_day_has_not_come() -> None:
    row = stands(on(1, 2, 3, 4, 5, 6, 7, 8, 9), "2026-01-11")
    assert (row["status"], row["reason"], row["value"]) == ("settling", "data_incomplete", 9)
    assert row["previous"] == "on_track"
    row = stands(on(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), "2026-01-11")
    assert (row["status"], row["final"]) == ("achieved", True)


def test_half_of_the_days_is_never_a_miss_even_at_the_end() -> None:
    row = stands(on(1, 3, 5, 7, 10), "2026-01-11")
    assert (row["status"], row["reason"], row["final"]) == ("no_data", "low_coverage", True)
