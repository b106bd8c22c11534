"""Goals over real data, each number computed once more with Polars alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import smartkpi
from tests.oracle.projected import as_earlier, ratio_before
from tests.oracle.projected import share as share_of

Open = Callable[..., smartkpi.Project]
Aim = Callable[[str, str], smartkpi.Project]


@pytest.fixture
def aim(open_project: Open, tmp_path: Path, shared_data: Path) -> Aim:
    """Open a project with goals in a file of their own."""

    def opened(name: str, goals: str) -> smartkpi.Project:
        open_project(name)
        (tmp_path / "goals.yml").write_text(goals, encoding="utf-8")
        project = smartkpi.load(tmp_path, allow=shared_data)
        assert project.check().ok, project.check()
        return project

    return opened


def only(project: smartkpi.Project, name: str, **question: Any) -> dict[str, Any]:
    """Return the one row of a goal."""
    found = project.goals(name, **question)
    assert not found.left_out, found.diagnostics
    (row,) = found.to_dicts()
    return row


def test_olist_deliveries_stay_on_time(aim: Aim, shared_data: Path) -> None:
    project = aim(
        "olist",
        """
kpis:
  on_time: {formula: count(delivery where date(time) <= date(promised)) / delivery, direction: higher, format: percent}
goals:
  kept: {kpi: on_time, aim: stay_above, target: 90%, deadline: 2018-06-30, start: 2018-01-01}
  kept_weekly:
    {kpi: on_time, aim: stay_above, target: 90%, deadline: 2018-06-30, start: 2018-01-01,
     evidence: {projection: weekly}}
  kept_at_85: {kpi: on_time, aim: stay_above, target: 85%, deadline: 2018-06-30, start: 2018-01-01}
""",
    )
    orders = pl.read_parquet(shared_data / "olist" / "olist_orders_dataset.parquet")
    delivered, promised = (
        pl.col(f"order_{name}_date").dt.date() for name in ("delivered_customer", "estimated_delivery")
    )
    part = orders.filter(delivered.is_between(date(2018, 1, 1), date(2018, 3, 31)))
    share = part.select((delivered <= promised).mean()).item()
    early = only(project, "kept", as_of="2018-03-31")
    weekly = only(project, "kept_weekly", as_of="2018-03-31")
    assert early["value"] == pytest.approx(share, rel=1e-11)
    assert early["n"] == part.height
    counted = orders.group_by(delivered.alias("day")).agg(pl.len().alias("n"), (delivered <= promised).sum().alias("k"))
    hits, trials = ({row["day"]: row[name] for row in counted.to_dicts() if row["day"]} for name in ("k", "n"))
    begin = min(orders["order_purchase_timestamp"]).date()
    gapless = [begin + timedelta(days=i) for i in range((date(2018, 3, 31) - begin).days + 1)]
    gapless = [day for day in gapless if day >= min(trials)]
    over, under = ({day: float(some.get(day, 0)) for day in gapless} for some in (hits, trials))
    so_far = (share * part.height, part.height)
    plain = share_of(over, under, date(2018, 3, 31), 91, so_far, 0.9)
    assert plain is not None
    assert (weekly["projection"], weekly["method"]) == (pytest.approx(plain[0], rel=1e-9), "share")
    later = plain[2]
    end, chance, anchors = ratio_before(over, under, date(2018, 3, 31), 91, so_far, 0.9, plain, share=True)
    assert anchors >= 8
    rest = (0.9 * (part.height + later) - share * part.height) / later
    assert early["required"] == pytest.approx(rest, rel=1e-9)
    assert (early["projection"], early["method"]) == (pytest.approx(end, rel=1e-9), "historic")
    assert early["p"] == pytest.approx(chance, abs=0.005)
    assert early["status"] == ("on_track" if chance >= 0.7 else "off_track" if end < 0.9 * 0.95 else "at_risk")
    days = part.group_by(delivered.alias("day")).agg((delivered <= promised).mean().alias("share"))
    assert (early["kept"], early["counted"]) == (days.filter(pl.col("share") >= 0.9).height, days.height)
    closed = orders.filter(delivered.is_between(date(2018, 1, 1), date(2018, 6, 30)))
    final = closed.select((delivered <= promised).mean()).item()
    for name, target in (("kept", 0.9), ("kept_at_85", 0.85)):
        row = only(project, name, as_of="2018-07-01")
        assert (row["value"], row["final"]) == (pytest.approx(final, rel=1e-11), True)
        assert row["status"] == ("achieved" if final >= target else "missed")


def test_crm_deals_of_each_agent_by_quarter(aim: Aim, tmp_path: Path, shared_data: Path) -> None:
    deals = pl.read_parquet(shared_data / "crm_sales_opportunities" / "sales_pipeline.parquet")
    quarter = pl.format("2017-Q{}", pl.col("close_date").dt.quarter()).alias("quarter")
    won = deals.filter(pl.col("deal_stage") == "Won").group_by(quarter, "sales_agent").len("won")
    before = won.filter(pl.col("quarter") == "2017-Q2").select("sales_agent", pl.col("won").alias("target"))
    targets = pl.concat(before.with_columns(pl.lit(f"2017-Q{n}").alias("quarter")) for n in (3, 4))
    targets.sort("quarter", "sales_agent").write_csv(tmp_path / "targets.csv")
    project = aim(
        "crm",
        """
goals:
  as_many:
    kpi: won_deals
    aim: increase
    targets: {read: targets.csv, period: quarter, by: sales_agent, value: target}
""",
    )
    found = project.goals(period="2017-Q3", as_of="2017-12-31").to_dicts()
    assert [row["segment"] for row in found[:1]] == [None]
    assert found[0]["value"] == won.filter(pl.col("quarter") == "2017-Q3")["won"].sum()
    assert found[0]["target"] == before["target"].sum()
    known = targets.join(won, on=["quarter", "sales_agent"], how="left").with_columns(pl.col("won").fill_null(0))
    expected = {row["sales_agent"]: row for row in known.filter(pl.col("quarter") == "2017-Q3").to_dicts()}
    assert {row["segment"] for row in found[1:]} == expected.keys()
    for row in found[1:]:
        mine = expected[row["segment"]]
        assert (row["value"], row["target"]) == (mine["won"], mine["target"])
        assert row["status"] == ("achieved" if mine["won"] >= mine["target"] else "missed")
    both = {row["segment"]: row for row in project.goals(as_of="2017-12-31").to_dicts()}
    kept = known.group_by("sales_agent").agg((pl.col("won") >= pl.col("target")).sum().alias("kept"))
    assert {name: row["kept"] for name, row in both.items() if name} == dict(kept.iter_rows())
    assert all(row["periods"] == 2 for row in both.values())


def test_website_page_loads_go_as_last_year(aim: Aim, shared_data: Path) -> None:
    project = aim(
        "website",
        """
goals:
  loads_2019:
    {kpi: loads, aim: increase, target: {grow: 5%}, baseline: same_period_last_year, deadline: 2019-12-31,
     path: last_year}
  evenly: {kpi: loads, aim: increase, target: {grow: 5%}, baseline: same_period_last_year, deadline: 2019-12-31}
""",
    )
    rows = pl.read_parquet(shared_data / "website_daily" / "daily-website-visitors.parquet")
    loads, day = rows.columns[1], pl.col("Date")

    def total(first: date, last: date) -> float:
        return float(rows.filter(day.cast(pl.Date).is_between(first, last))[loads].sum())

    assert "Loads" in loads
    year = total(date(2018, 1, 1), date(2018, 12, 31))
    half = total(date(2018, 1, 1), date(2018, 6, 30))
    now = total(date(2019, 1, 1), date(2019, 6, 30))
    row = only(project, "loads_2019", as_of="2019-06-30")
    assert row["target"] == pytest.approx(1.05 * year)
    assert row["value"] == now
    assert row["expected"] == pytest.approx(1.05 * half)
    assert row["pace"] == pytest.approx(now / (1.05 * half))
    even = only(project, "evenly", as_of="2019-06-30")
    assert even["expected"] == pytest.approx(1.05 * year * 181 / 365)
    assert even["pace"] != row["pace"]
    closed = only(project, "evenly", as_of="2019-12-31")
    assert closed["status"] == ("achieved" if total(date(2019, 1, 1), date(2019, 12, 31)) >= 1.05 * year else "missed")


def test_the_budget_of_a_daily_campaign(open_project: Open, tmp_path: Path, shared_data: Path) -> None:
    open_project("ads", "ads")
    (tmp_path / "goals.yml").write_text(
        """
kpis:
  control_spend: {formula: 'sum(ad_spend.amount where campaign == "Control Campaign")', direction: lower}
goals:
  budget: {kpi: control_spend, target: 65_000, start: 2019-08-01, deadline: 2019-08-30, corrections: false}
""",
        encoding="utf-8",
    )
    project = smartkpi.load(tmp_path, allow=shared_data)
    rows = pl.read_csv(shared_data / "ad_campaigns" / "control_group.csv", separator=";", columns=[1, 2])
    spent = rows["Spend [USD]"].head(15).sum()
    row = only(project, "budget", as_of="2019-08-15")
    assert row["value"] == spent
    assert row["burn"] == pytest.approx(spent / 65_000 / 0.5)
    assert row["exhausted"] == pytest.approx(30 / row["burn"])
    assert row["pace"] == pytest.approx(1 / row["burn"])
    over = only(project, "budget", as_of="2019-08-30")
    assert (over["value"], over["status"], over["final"]) == (68_653, "missed", True)
    day = next(i for i, sum_ in enumerate(rows["Spend [USD]"].cum_sum().to_list(), 1) if sum_ > 65_000)
    assert over["since"] == date(2019, 8, day)


def test_northwind_customers_and_freight_go_as_in_earlier_windows(aim: Aim, shared_data: Path) -> None:
    project = aim(
        "northwind",
        """
kpis:
  buyers: {formula: distinct(order.customerID), direction: higher}
  freight_of_half: {formula: median(order.freight), direction: lower}
goals:
  reached: {kpi: buyers, target: 55, start: 1998-03-02, deadline: 1998-03-29}
  cheap: {kpi: freight_of_half, aim: stay_below, target: 45, start: 1998-03-02, deadline: 1998-03-29}
""",
    )
    orders = pl.read_parquet(shared_data / "northwind" / "orders.parquet").with_columns(pl.col("orderDate").dt.date())

    def within(first: date, days: int) -> pl.DataFrame:
        return orders.filter(pl.col("orderDate").is_between(first, first + timedelta(days=days - 1)))

    begins = [date(1998, 3, 2) - timedelta(days=28 * i) for i in range(1, 13)]
    for name, measure, target in (
        ("reached", lambda rows: float(rows["customerID"].n_unique()), 55.0),
        ("cheap", lambda rows: float(rows["freight"].median()), 45.0),
    ):
        row = only(project, name, as_of="1998-03-15")
        value = measure(within(date(1998, 3, 2), 14))
        pairs = [(measure(within(begin, 14)), measure(within(begin, 28))) for begin in begins]
        found = as_earlier(pairs, value, target, grows=name == "reached")
        assert found is not None
        assert row["value"] == pytest.approx(value)
        assert (row["method"], row["history_days"]) == ("earlier", 12 * 28)
        assert row["projection"] == pytest.approx(found[0])
        assert row["p"] == pytest.approx(found[1] if name == "reached" else 1 - found[1], abs=0.005)
