"""Statuses and diagnoses of real data, held against the same rules over Polars alone."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import sqrt
from pathlib import Path

import polars as pl
import pytest

import smartkpi

Open = Callable[..., smartkpi.Project]
JUDGED = """
kpis:
  on_time:
    formula: count(delivery where date(time) <= date(promised)) / delivery
    format: percent
    thresholds: {good: value >= target, warning: at least 85%}
    goal: {target: 93%, aim: stay_above, start: 2017-01-01, deadline: 2018-08-31}
  surely_on_time: {formula: on_time, thresholds: {good: at least 92%, warning: at least 85%, confidence: 95%}}
  deliveries: {formula: delivery, thresholds: {good: value > previous}}
diagnoses:
  overrun: {when: on_time.status != "good" and deliveries.status == "good", say: More than can be delivered in time.}
"""


def test_deliveries_on_time_by_month(open_project: Open, tmp_path: Path, shared_data: Path) -> None:
    open_project("olist")
    (tmp_path / "judged.yml").write_text(JUDGED, encoding="utf-8")
    project = smartkpi.load(tmp_path, allow=shared_data)
    assert project.check().ok, project.check()
    names = ("on_time", "surely_on_time", "deliveries")
    result = project.run(names, grain="month", since="2017-01", until="2018-08")
    found = {(row["kpi"], row["start"].date()): row for row in result.to_dicts()}
    orders = pl.read_parquet(shared_data / "olist" / "olist_orders_dataset.parquet")
    delivered, promised = (
        pl.col(f"order_{name}_date").dt.date() for name in ("delivered_customer", "estimated_delivery")
    )
    months = (
        orders.filter(delivered.is_not_null())
        .group_by(delivered.dt.truncate("1mo").alias("month"))
        .agg((delivered <= promised).mean().alias("share"), pl.len().alias("n"))
        .sort("month")
        .with_columns(pl.col("n").shift(1).alias("before"))
        .filter(pl.col("month").dt.year() >= 2017, pl.col("month") <= pl.date(2018, 8, 1))
    )
    told = {one.start.date() for one in result.findings if one.name == "overrun" and one.holds and one.start}
    for month, share, n, before in months.iter_rows():
        plain, sure, more = (found[name, month]["status"] for name in names)
        assert plain == ("good" if share >= 0.93 else "warning" if share >= 0.85 else "critical")
        z = 1.959963984540054
        best = (share + z * z / 2 / n + z * sqrt(share * (1 - share) / n + z * z / 4 / n**2)) / (1 + z * z / n)
        wanted = (
            "good" if share >= 0.92 else "inconclusive" if best >= 0.92 else "warning" if best >= 0.85 else "critical"
        )
        assert sure == wanted
        assert more == ("good" if n > before else "critical")
        assert (month in told) is (plain != "good" and more == "good")
    assert told


@pytest.mark.parametrize("by", [[], ["country"]])
def test_why_deliveries_came_late(open_project: Open, tmp_path: Path, shared_data: Path, by: list[str]) -> None:
    open_project("olist")
    (tmp_path / "judged.yml").write_text(JUDGED, encoding="utf-8")
    project = smartkpi.load(tmp_path, allow=shared_data)
    by = ["customer.customer_state"] if by else []
    change = project.why("on_time", by=by, period="2018-03", against="2018-01")
    assert sum((one.amount for one in change.parts), Fraction(0)) == change.change < 0
    assert change.method == ("ratio" if by else "product")
    assert len(change.parts) == (27 if by else 2)
