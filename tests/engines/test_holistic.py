"""Quantiles, deviations, first and last values against plain Python: whatever the order of rows and the slices."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl
import pytest

from smartkpi.engines.answer import PERIOD
from smartkpi.engines.polars import slices
from smartkpi.engines.polars.engine import PolarsEngine
from smartkpi.engines.polars.explain import FALLBACKS, physical_nodes
from smartkpi.language.types import NUMBER, TEXT, TIME
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Cell, Plan, Range
from tests.engines.build import call, cell, col, dataset, engine, plan, scan, table
from tests.engines.test_additive import GRAINS, made, naive, period

TS, EVENT, CHANNEL, X = col("ts", TIME), col("event", TEXT), col("channel", TEXT), col("x", NUMBER)
ORDERS = call("==", EVENT, "order")


def quantile(id: str, share: str, nearest: bool = False) -> Cell:
    return replace(cell(id, "quantile", X, ORDERS, type_=NUMBER), share=Decimal(share), nearest=nearest)


CELLS = [
    quantile("p50", "0.5"),
    quantile("p29", "0.29"),
    quantile("p95", "0.95", nearest=True),
    cell("sd", "stddev", X, ORDERS, type_=NUMBER),
]
ENDS = [cell("first", "first", X, ORDERS, type_=NUMBER), cell("last", "last", X, ORDERS, type_=NUMBER)]


def at(values: Sequence[float], share: Fraction, nearest: bool) -> float:
    place = share * (len(values) - 1)
    if nearest:
        return values[math.floor(place + Fraction(1, 2))]
    low = math.floor(place)
    high = min(low + 1, len(values) - 1)
    return float(Fraction(values[low]) + (Fraction(values[high]) - Fraction(values[low])) * (place - low))


def wanted(rows: list[dict[str, Any]]) -> dict[str, float | None]:
    values = sorted(row["x"] for row in rows)
    times = sorted((row["ts"], row["x"]) for row in rows)
    return {
        "p50": at(values, Fraction(1, 2), nearest=False),
        "p29": at(values, Fraction(29, 100), nearest=False),
        "p95": at(values, Fraction(95, 100), nearest=True),
        "sd": statistics.stdev(map(Fraction, values)) if len(values) > 1 else None,
        "first": times[0][1],
        "last": times[-1][1],
    }


def question(by: Sequence[str] = (), grains: Sequence[Grain] = GRAINS, range_: Range | None = None) -> Plan:
    dims = {name: col(name, TEXT) for name in by}
    scans = [scan(cells, grains, time=TS, state="holistic", by=dims) for cells in (CELLS, ENDS)]
    return plan(scans, dataset(time=TS), range_=range_)


@pytest.mark.parametrize("by", [[], ["channel"]])
def test_every_grain(by: list[str]) -> None:
    data = made(700)
    answer = engine(data).collect(question(by))
    for grain in GRAINS:
        groups: dict[Any, list[dict[str, Any]]] = {}
        for row in data.rows(named=True):
            if row["ts"] is not None and row["event"] == "order" and row["x"] is not None and not math.isnan(row["x"]):
                key = (*([] if grain is Grain.ALL else [period(row["ts"], grain)]), *(row[name] for name in by))
                groups.setdefault(key, []).append(row)
        found: dict[Any, dict[str, Any]] = {}
        for frame in answer.frames[grain]:
            names = [name for name in (PERIOD, *by) if name in frame.columns]
            for row in frame.rows(named=True):
                found.setdefault(tuple(naive(row[name]) for name in names), {}).update(row)
        assert set(found) == set(groups)
        for key, rows in groups.items():
            for name, value in wanted(rows).items():
                got = found[key][name]
                assert (got is None) == (value is None)
                assert got is None or math.isclose(got, value or 0, rel_tol=1e-12, abs_tol=1e-12), (grain, key, name)


def test_the_order_of_rows_and_the_slices_change_no_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    data = made(900)
    usual = engine(data).collect(question(["channel"]))
    monkeypatch.setattr(slices, "LARGE", 10)
    monkeypatch.setattr(slices, "SLICE", 100)
    within = PolarsEngine({"log": table(data.sample(fraction=1, shuffle=True, seed=3))})
    sliced = within.collect(question(["channel"]))
    for grain in GRAINS:
        for one, other in zip(usual.frames[grain], sliced.frames[grain], strict=True):
            assert one.equals(other), grain
    assert sliced.scans > usual.scans


def test_slices_are_whole_periods_and_cover_the_range() -> None:
    asked = question(range_=Range(date(2026, 1, 10), date(2026, 4, 2)))
    days = [date(2025, 12, 24), date(2026, 3, 8)]
    found = slices.slices(asked, Grain.MONTH, 12, days)
    assert found == [
        (date(2026, 1, 1), date(2026, 2, 1)),
        (date(2026, 2, 1), date(2026, 3, 1)),
        (date(2026, 3, 1), date(2026, 5, 1)),
    ]
    everything = slices.slices(question(), Grain.WEEK, 3, days)
    assert everything[0][0] is None
    assert everything[-1][1] is None
    assert all(one[1] == other[0] for one, other in zip(everything, everything[1:], strict=False))
    assert all(end is None or end.weekday() == 0 for _, end in everything)
    assert slices.slices(asked, Grain.ALL, 12, days) == [(date(2026, 1, 10), date(2026, 4, 2))]
    assert slices.slices(asked, Grain.MONTH, 12, ()) == [(date(2026, 1, 1), date(2026, 5, 1))]
    outside = [date(2020, 1, 1), date(2020, 5, 1)]
    assert slices.slices(asked, Grain.MONTH, 12, outside) == [(date(2026, 1, 1), date(2026, 5, 1))]


def value_of(values: list[float | None], what: Cell) -> Any:
    data = pl.DataFrame({"ts": [date(2026, 1, 1)] * len(values), "x": values}, schema_overrides={"x": pl.Float64})
    what = replace(what, where=())
    scans = [scan([what], (Grain.DAY, Grain.ALL), time=TS, state="holistic")]
    answer = engine(data).collect(plan(scans, dataset(time=TS)))
    (day,), (whole,) = answer.frames[Grain.DAY], answer.frames[Grain.ALL]
    assert whole.height == 1
    assert (day[what.id].item() if day.height else None) == whole[what.id].item()
    return whole[what.id].item()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1e15 + 1, 1e15 + 2, 1e15 + 3], 1.0),
        ([1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16], math.sqrt(30)),
        ([1e-300, 3e-300], math.sqrt(2) * 1e-300),
        ([0.1] * 7, 0.0),
        ([5.0], None),
        ([None, float("nan")], None),
        ([-1e308, 1e308], None),
    ],
)
def test_deviations_do_not_cancel(values: list[float | None], expected: float | None) -> None:
    got = value_of(values, cell("sd", "stddev", X, type_=NUMBER))
    assert got == (None if expected is None else pytest.approx(expected, rel=1e-14))


@pytest.mark.parametrize(
    ("values", "share", "nearest", "expected"),
    [
        ([*range(1, 21)], "0.95", False, 19.05),
        ([*range(1, 21)], "0.95", True, 19),
        ([*range(51)], "0.29", True, 15),  # at 14.5 exactly; in floats a little below
        ([-1e15, *[0.1] * 100], "0.01", False, 0.1),  # at a place that floats miss
        ([-1e308, 1e308], "0.5", False, 0.0),
        ([3.0], "1", False, 3),
        ([], "0.5", False, None),
    ],
)
def test_places_are_exact(values: list[float | None], share: str, nearest: bool, expected: float | None) -> None:
    assert value_of(values, quantile("q", share, nearest)) == expected


def test_ties_of_time_fall_to_the_key_then_the_value() -> None:
    noon, later = datetime(2026, 1, 1, 12), datetime(2026, 1, 1, 13)
    data = pl.DataFrame(
        {
            "ts": [noon, noon, noon, later, later, later],
            "id": ["b", "a", None, "d", None, "c"],
            "x": [1.0, 2.0, None, 7.0, 9.0, 8.0],
        }
    )
    cells = [cell("first", "first", X, type_=NUMBER), cell("last", "last", X, type_=NUMBER)]
    scans = [scan(cells, (Grain.DAY,), time=TS, state="holistic")]
    (keyed,) = engine(data).collect(plan(scans, dataset(time=TS, key=["id"]))).frames[Grain.DAY]
    assert keyed.select("first", "last").row(0) == (2.0, 7.0)
    (loose,) = engine(data).collect(plan(scans, dataset(time=TS))).frames[Grain.DAY]
    assert loose.select("first", "last").row(0) == (1.0, 9.0)


def test_a_time_that_the_clock_skips_is_ordered_by_its_instant() -> None:
    data = pl.DataFrame({"ts": [datetime(2026, 3, 29, 2, 30), datetime(2026, 3, 29, 3, 15)], "x": [1.0, 2.0]})
    scans = [scan([cell("last", "last", X, type_=NUMBER)], (Grain.ALL,), time=TS, state="holistic")]
    asked = plan(scans, dataset(time=TS, zone="Europe/Berlin"), calendar=Calendar("Europe/Berlin"))
    assert engine(data).collect(asked).frames[Grain.ALL][0]["last"].item() == 1.0


def test_the_rows_are_filtered_where_they_are_read(tmp_path: Any) -> None:
    made(500).write_parquet(tmp_path / "log.parquet")
    frame = pl.scan_parquet(tmp_path / "log.parquet")
    shown = PolarsEngine({"log": table(frame)}).explain(question(grains=(Grain.DAY,)))
    assert shown.count("SELECTION") >= 2
    assert not any(node in shown for node in FALLBACKS)
    assert physical_nodes(frame.group_by("event").agg(pl.col("x").median()))  # what it would be otherwise
