"""Rules of goals over real data, what they say computed once more with Polars alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

import smartkpi
from smartkpi.assess.smart import Finding

Open = Callable[..., smartkpi.Project]
DAY = timedelta(days=1)


@pytest.fixture
def judged(open_project: Open, tmp_path: Path, shared_data: Path) -> Callable[[str, str, str], dict[str, Finding]]:
    """Return the findings of the goal `it`, set over the data of a project as it was on a day."""

    def opened(name: str, goals: str, as_of: str) -> dict[str, Finding]:
        open_project(name)
        (tmp_path / "goals.yml").write_text(goals, encoding="utf-8")
        report = smartkpi.load(tmp_path, allow=shared_data).check(data=True, smart="it", as_of=as_of)
        assert report.smart is not None
        return {one.rule.code: one for one in report.smart[0].findings}

    return opened


@pytest.mark.parametrize(("target", "baseline"), [("95%", "85%"), ("92%", "85%")])
def test_olist_on_time_held_against_its_past(
    judged: Callable[[str, str, str], dict[str, Finding]], shared_data: Path, target: str, baseline: str
) -> None:
    found = judged(
        "olist",
        f"""
kpis:
  on_time:
    formula: count(delivery where date(time) <= date(promised)) / delivery
    direction: higher
    format: percent
goals:
  it: {{kpi: on_time, target: {target}, baseline: {baseline}, start: 2018-04-01, deadline: 2018-06-30, owner: Ana}}
""",
        "2018-03-31",
    )
    orders = pl.read_parquet(shared_data / "olist" / "olist_orders_dataset.parquet")
    delivered = pl.col("order_delivered_customer_date").dt.date()
    kept = delivered <= pl.col("order_estimated_delivery_date").dt.date()
    rows = orders.filter(delivered.is_not_null()).select(delivered.alias("day"), kept.alias("kept"))

    def share(last: date) -> float:
        part = rows.filter(pl.col("day").is_between(last - DAY * 90, last))
        return float(part["kept"].mean() or 0.0)

    # the past begins two years before the start at the most, with the first day that is covered
    begin = orders["order_purchase_timestamp"].min().date()  # type: ignore[union-attr]
    first = max(rows["day"].min(), begin, date(2018, 4, 1) - DAY * 730) + DAY * 90  # type: ignore[type-var, operator]
    last, changes, day = date(2018, 3, 31), [], date(2018, 3, 31) - DAY * 91
    while day >= first:
        changes.append(share(day + DAY * 91) - share(day))
        day -= DAY * 7
    needed = float(target.removesuffix("%")) / 100 - share(last)
    often = sum(one >= needed for one in changes)
    rare = (1 + often) / (len(changes) + 2) < 0.05 or (often == 0 and len(changes) < 19)
    assert len(changes) > 19
    assert found["A2"].mark == ("warn" if rare else "pass"), (found["A2"], changes, needed)
    assert found["A4"].mark == "pass"
    assert found["R0"].mark == "pass"
    if rare:
        assert f"{max(changes) * 100:.2g} points" in found["A2"].message


def test_crm_deals_that_come_anyway(judged: Callable[[str, str, str], dict[str, Finding]], shared_data: Path) -> None:
    when = "start: 2017-10-01, deadline: 2017-12-31, owner: Summer, why: x"
    goal = f"goals: {{{{it: {{{{kpi: won_deals, aim: increase, target: {{}}, {when}}}}}}}}}"
    deals = pl.read_parquet(shared_data / "crm_sales_opportunities" / "sales_pipeline.parquet")
    won = deals.filter(pl.col("deal_stage") == "Won")
    last = won.filter(pl.col("close_date").cast(pl.Date).is_between(date(2017, 8, 6), date(2017, 9, 30))).height
    pace = last / 56 * 92
    assert judged("crm", goal.format(round(pace * 0.6)), "2017-09-30")["A3"].mark == "warn"
    assert judged("crm", goal.format(round(pace)), "2017-09-30")["A3"].mark == "pass"
