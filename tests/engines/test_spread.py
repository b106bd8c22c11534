"""What needs all values of a window, against the values themselves: by day and hour, over segments, in parts."""

from __future__ import annotations

import random
import statistics
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import smartkpi
from smartkpi.engines.polars import slices, spread

START = datetime(2026, 1, 1, tzinfo=UTC)
KPIS: dict[str, Any] = {
    "middle": {"formula": "trailing(median(order.size), 7d)", "grain": "day"},
    "upper": {"formula": "cumulative(quantile(order.size, 90%, nearest))", "grain": "day"},
    "deviation": {"formula": "trailing(stddev(order.size), 28d)", "grain": "day"},
    "newest": {"formula": "to_date(last(order.size), month)", "grain": "day"},
    "oldest": {"formula": "cumulative(first(order.size))", "grain": "day"},
}


def rows(count: int, days: int) -> pl.DataFrame:
    draw = random.Random(7)
    times = [START + timedelta(minutes=draw.randrange(days * 1440), microseconds=n) for n in range(count)]
    sizes = [draw.choice([None, *range(40)]) for _ in range(count)]
    return pl.DataFrame({"at": times, "size": sizes, "place": [draw.choice("ab") for _ in range(count)]})


def project(frame: pl.DataFrame, **kpis: Any) -> smartkpi.Project:
    datasets = {"shop": {"time": "at", "events": {"order": "all rows"}}}
    return smartkpi.load({"datasets": datasets, "kpis": kpis or KPIS}, data={"shop": frame})


def expected(kpi: str, inside: list[int]) -> float | None:
    if not inside or (kpi == "deviation" and len(inside) < 2):
        return None
    if kpi == "upper":
        return float(sorted(inside)[int(0.9 * (len(inside) - 1) + 0.5)])
    functions: dict[str, Any] = {"middle": statistics.median, "deviation": statistics.stdev}
    return float(functions[kpi](inside)) if kpi in functions else float(inside[-1 if kpi == "newest" else 0])


@pytest.mark.parametrize(
    ("most", "often"), [(1, spread.OFTEN), (50, spread.OFTEN), (spread.MOST, 0), (3, 0), (spread.MOST, 10**9)]
)
def test_days_and_segments(most: int, often: int) -> None:
    frame = rows(300, 90)
    with patch.object(spread, "MOST", most), patch.object(spread, "OFTEN", often):
        found = project(frame).run(grain="day", by=("place",)).frame
    known = frame.sort("at").filter(pl.col("size").is_not_null())
    assert found.height > 600
    for row in found.iter_rows(named=True):
        end, day = row["end"], row["start"]
        low = {"middle": end - timedelta(7), "deviation": end - timedelta(28), "newest": day.replace(day=1)}
        span = pl.col("at").is_between(low.get(row["kpi"], START), end, closed="left")
        want = expected(row["kpi"], known.filter(span, pl.col("place") == row["place"])["size"].to_list())
        assert row["value"] == (None if want is None else pytest.approx(want, rel=1e-11)), row


@pytest.mark.parametrize("often", [0, spread.OFTEN])
def test_hours(often: int) -> None:
    frame = rows(200, 3)
    one = project(frame, a={"formula": "trailing(median(order.size), 5h)", "grain": "hour"})
    with patch.object(spread, "OFTEN", often):
        found = one.run(grain="hour").frame
    known = frame.filter(pl.col("size").is_not_null())
    for row in found.iter_rows(named=True):
        span = pl.col("at").is_between(row["end"] - timedelta(hours=5), row["end"], closed="left")
        assert row["value"] == expected("middle", known.filter(span)["size"].to_list()), row


def test_slices_of_time_give_the_same(tmp_path: Any) -> None:
    frame = rows(400, 200).sort("at")
    frame.write_parquet(tmp_path / "shop.parquet")
    datasets = {"shop": {"read": "shop.parquet", "time": "at", "events": {"order": "all rows"}}}
    (tmp_path / "kpis.yml").write_text(str({"datasets": datasets, "kpis": KPIS}))
    whole = smartkpi.load(tmp_path / "kpis.yml").run(grain="day", by=("place",)).frame
    assert whole["value"].count() > 1000
    with patch.object(slices, "LARGE", 0), patch.object(slices, "SLICE", 40):
        parts = smartkpi.load(tmp_path / "kpis.yml").run(grain="day", by=("place",)).frame
    assert_frame_equal(parts, whole, check_exact=True)


def test_a_sketch_over_a_window_is_that_of_its_rows() -> None:
    draw = random.Random(3)
    times = [START + timedelta(hours=hour) for hour in range(24 * 40)]
    frame = pl.DataFrame({"at": times, "who": [draw.randrange(400) for _ in times]})
    opened = project(frame, a={"formula": "approx_distinct(order.who)", "window": "7d"}, b="approx_distinct(order.who)")
    day = opened.run(["a"], grain="day", since="2026-01-20", until="2026-01-20").frame
    week = opened.run(["b"], grain="all", since="2026-01-14", until="2026-01-20").frame
    assert day["value"].item() == week["value"].item() > 100


def test_windows_of_the_same_rows_share_a_pass() -> None:
    kpis = {f"k{n}": {"formula": f"quantile(order.size, {n}%)", "window": f"{n}d"} for n in (7, 28, 90)}
    assert project(rows(50, 10), **kpis).run(grain="day").provenance.scans == 2


def test_a_range_that_ends_before_the_first_row_of_its_period_shows_all_of_it() -> None:
    frame = pl.DataFrame({"at": [START + timedelta(days=n) for n in (26, 29, 40)], "size": [6, 3, 9]})
    asked = {"middle": "trailing(median(order.size), 1y)", "sizes": "trailing(distinct(order.size), 1y)"}
    kpis = {name: {"formula": formula, "grain": "month"} for name, formula in asked.items()}
    found = project(frame, **kpis).run(grain="month", until="2026-01-10").frame
    assert found.select("kpi", "value").rows() == [("middle", 4.5), ("sizes", 2)]
