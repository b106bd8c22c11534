"""Distincts over windows, against sets: long and short windows, several datasets, hours."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import smartkpi
from smartkpi.engines.polars.windows import slices_of

START = datetime(2026, 1, 1, tzinfo=UTC)


def rows(count: int, days: int, seed: int) -> pl.DataFrame:
    draw = random.Random(seed)
    times = [START + timedelta(minutes=draw.randrange(days * 1440)) for _ in range(count)]
    return pl.DataFrame({"at": sorted(times), "who": [draw.randrange(count // 3) for _ in range(count)]})


def project(*frames: pl.DataFrame, **kpis: Any) -> smartkpi.Project:
    names = [f"part{number}" for number in range(len(frames))]
    datasets = {name: {"time": "at", "events": {"order": "all rows"}} for name in names}
    return smartkpi.load({"datasets": datasets, "kpis": kpis}, data=dict(zip(names, frames, strict=True)))


@pytest.mark.parametrize("parts", [1, 2])
def test_days(parts: int) -> None:
    frames = [rows(400, 300, seed) for seed in range(parts)]
    lengths = {"a": 1, "b": 7, "c": 28, "d": 150}
    kpis: dict[str, Any] = {k: {"formula": "distinct(order.who)", "window": f"{n}d"} for k, n in lengths.items()}
    found = project(*frames, **kpis, e="cumulative(distinct(order.who))").run(grain="day").frame
    every = pl.concat(frames).with_columns(pl.col("at").dt.date().alias("day"))
    assert found.height > 1400
    for row in found.iter_rows(named=True):
        day = row["start"].date()
        low = day - timedelta(days=lengths.get(row["kpi"], 9999) - 1)
        assert row["value"] == every.filter(pl.col("day").is_between(low, day))["who"].n_unique(), row


def test_hours() -> None:
    frame = rows(300, 4, 1)
    kpis = {"a": {"formula": "trailing(distinct(order.who), 5h)", "grain": "hour"}}
    found = project(frame, **kpis, b={"formula": "to_date(distinct(order.who), day)", "grain": "hour"}).run().trend
    for row in found.iter_rows(named=True):
        low = (
            row["end"] - timedelta(hours=5)
            if row["kpi"] == "a"
            else datetime.combine(row["start"].date(), START.timetz())
        )
        assert row["value"] == frame.filter(pl.col("at").is_between(low, row["end"], closed="left"))["who"].n_unique()


def test_slices_take_each_stretch_once_with_bits_enough() -> None:
    first = date(2025, 1, 1)
    stretches = [
        (first + timedelta(days=n - w), first + timedelta(days=n)) for n in range(800) for w in (1, 7, 28, 365)
    ]
    slices = slices_of(stretches)
    assert sorted(one for part in slices for one in part.stretches) == sorted(set(stretches))
    assert all(len(part.edges) - 1 <= 64 * len(part.states) for part in slices)
    assert len(slices) < 30


def test_values_in_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    name = ("w" + pl.col("who").cast(pl.String)).cast(pl.Categorical)
    frame = rows(300, 60, 1).with_columns(name.alias("name"), (pl.col("at").dt.day() % 3).alias("kind"))
    kpis = {
        "a": {"formula": "trailing(distinct(order.name), 40d)", "grain": "day"},
        "b": "cumulative(distinct(order.who))",
    }
    whole = project(frame, **kpis).run(by=["kind"], grain="day")
    monkeypatch.setattr("smartkpi.engines.polars.windows.TOGETHER", 200)
    monkeypatch.setattr("smartkpi.engines.polars.windows.is_large", lambda opened: True)
    shares = project(frame, **kpis).run(by=["kind"], grain="day")
    assert shares.frame.equals(whole.frame)
    assert shares.provenance.scans > whole.provenance.scans
    assert "and up to 3 shares of values, a row is read" in project(frame, **kpis).explain("a", "polars")


def test_files_that_are_read_whole_are_read_once(tmp_path: Path) -> None:
    frame = rows(600, 250, 3)
    frame.write_csv(tmp_path / "a.csv")
    frame.write_parquet(tmp_path / "a.parquet")
    kpis = {f"k{n}": {"formula": f"trailing(distinct(order.who), {n}d)", "grain": "day"} for n in (1, 7, 28)}
    events = {"order": "all rows"}
    csv, parquet = (
        smartkpi.load(
            {"datasets": {"log": {"read": str(tmp_path / name), "time": "at", "events": events}}, "kpis": kpis}
        ).run(grain="day")
        for name in ("a.csv", "a.parquet")
    )
    assert csv.frame.equals(parquet.frame)
    assert csv.provenance.scans == 2  # coverage, and all windows
    assert parquet.provenance.scans > 5
