"""Who comes back, over real orders: the packs' KPIs by month, held against a plain count of the rows."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import smartkpi

ROOT = Path(__file__).resolve().parents[2]
TABLES = {
    "olist": "olist",
    "northwind": "northwind",
    "crm": "crm_sales_opportunities",
    "leads": "olist_marketing_funnel",
    "shoplog": "retailrocket_sample",
}
SOON, LONG = timedelta(days=90), timedelta(days=180)
Order = tuple[str, datetime, float]
Cells = Callable[..., dict[Any, Any]]
Bound = Callable[[str], smartkpi.Project]
COMMON = (
    "ordering_customers", "new_customers", "customers_with_second_order", "repurchase_rate_of_new_customers",
    "repurchase_rate_of_customers", "repurchase_rate_of_orders", "retention_rate", "lost_customers",
    "returning_order_share",
)  # fmt: skip


@pytest.fixture
def bound(shared_data: Path, tmp_path: Path) -> Bound:
    """Open an example as a reader of its page would, with the tables in its folder `data`."""

    def opened(name: str) -> smartkpi.Project:
        shutil.copytree(ROOT / "examples" / name, tmp_path / name)
        shutil.copytree(shared_data / TABLES[name], tmp_path / name / "data")
        return smartkpi.load(tmp_path / name)

    return opened


def read(shared_data: Path, name: str) -> list[Order]:
    """Return the orders of an example by another way than its definitions go."""
    folder = shared_data / TABLES[name]
    if name == "northwind":
        frame = pl.read_parquet(folder / "orders.parquet").select("customerID", "orderDate", pl.lit(1.0))
    elif name == "crm":
        won = pl.read_parquet(folder / "sales_pipeline.parquet").filter(deal_stage="Won").sort("opportunity_id")
        frame = won.select("account", pl.col("close_date").cast(pl.Datetime), pl.col("close_value").cast(pl.Float64))
    else:
        orders = pl.read_parquet(folder / "olist_orders_dataset.parquet")
        people = pl.read_parquet(folder / "olist_customers_dataset.parquet")
        kept = orders.filter(~pl.col("order_status").is_in(["canceled", "unavailable"])).join(people, on="customer_id")
        frame = kept.select("customer_unique_id", "order_purchase_timestamp", pl.lit(1.0))
    return sorted(frame.rows(), key=lambda row: row[1])  # of one day in the order of their key


def count_months(orders: Iterable[Order]) -> dict[tuple[str, str], float]:
    """Return the KPIs of each month with an order, but those of windows that end with it."""
    times: dict[str, list[datetime]] = defaultdict(list)
    for buyer, time, _ in orders:
        times[buyer].append(time)
    rows: dict[str, list[tuple[str, bool, bool, bool]]] = defaultdict(list)
    firsts: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for buyer, own in times.items():
        for i, time in enumerate(own):
            soon_again = i > 0 and time <= own[i - 1] + SOON
            stays = i + 1 < len(own) and own[i + 1] <= time + SOON
            rows[f"{time:%Y-%m}-01"].append((buyer, i > 0, soon_again, stays))
        again = len(own) > 1
        firsts[f"{own[0]:%Y-%m}-01"].append((again, again and own[1] <= own[0] + SOON))
    found: dict[tuple[str, str], float] = {}
    for month, own_rows in rows.items():
        buyers = len({buyer for buyer, *_ in own_rows})
        new = firsts[month]
        found["ordering_customers", month] = buyers
        found["new_customers", month] = len(new)
        found["customers_with_second_order", month] = sum(again for again, _ in new)
        if new:
            found["repurchase_rate_of_new_customers", month] = sum(soon for _, soon in new) / len(new)
        people = len({buyer for buyer, _, soon, _ in own_rows if soon})
        found["repurchase_rate_of_customers", month] = people / buyers
        found["repurchase_rate_of_orders", month] = sum(soon for _, _, soon, _ in own_rows) / len(own_rows)
        found["retention_rate", month] = len({buyer for buyer, _, _, stays in own_rows if stays}) / buyers
        found["returning_order_share", month] = sum(again for _, again, _, _ in own_rows) / len(own_rows)
    return found


def lost_by(orders: list[Order], end: datetime) -> int:
    """Return how many customers had ordered before a time, and not in the 180 days before it."""
    so_far = {buyer for buyer, time, _ in orders if time < end}
    lately = {buyer for buyer, time, _ in orders if end - LONG <= time < end}
    return len(so_far - lately)


@pytest.mark.parametrize("name", ["northwind", "olist", "crm"])
def test_months_as_counted_by_hand(bound: Bound, cells: Cells, shared_data: Path, name: str) -> None:
    orders = read(shared_data, name)
    wanted = count_months(orders)
    result = bound(name).run(COMMON, grain="month")
    got = {key: value for key, value in cells(result).items() if value is not None}
    for (kpi, month), value in got.items():
        if kpi == "lost_customers":
            start = date.fromisoformat(month)
            end = datetime(start.year + start.month // 12, start.month % 12 + 1, 1)
            if end <= orders[-1][1]:
                assert value == lost_by(orders, end), month
        else:
            assert value == pytest.approx(wanted.get((kpi, month), 0), rel=1e-11), (kpi, month)
    assert {key for key, value in wanted.items() if value} <= got.keys()  # a count of nothing may begin later


def test_northwind_lives_of_its_customers(bound: Bound, cells: Cells) -> None:
    values = cells(bound("northwind").run([*COMMON, "second_order_rate", "repurchase_rate"], grain="all"))
    assert values["ordering_customers", "all"] == values["new_customers", "all"] == 89
    assert values["customers_with_second_order", "all"] == 88
    assert values["second_order_rate", "all"] == values["repurchase_rate", "all"] == pytest.approx(88 / 89)
    assert values["returning_order_share", "all"] == pytest.approx(741 / 830)


def test_olist_in_a_sample_of_orders(bound: Bound, cells: Cells) -> None:
    kpis = ["on_time_delivery", "on_time_delivery_by_day", "customer_satisfaction", "reviews"]
    values = cells(bound("olist").run(kpis, grain="all"))
    assert values["on_time_delivery", "all"] == pytest.approx(1 - 922 / 13_910, rel=1e-11)
    assert values["on_time_delivery", "all"] == values["on_time_delivery_by_day", "all"]
    assert values["customer_satisfaction", "all"] == pytest.approx(0.7678, abs=5e-5)
    assert values["reviews", "all"] == 6_869


def test_revenue_of_those_who_come_back(bound: Bound, cells: Cells, shared_data: Path) -> None:
    seen: set[str] = set()
    back = total = 0.0
    for buyer, _, amount in read(shared_data, "crm"):
        back += amount if buyer in seen else 0
        total += amount
        seen.add(buyer)
    share = cells(bound("crm").run(["returning_revenue_share"], grain="all"))["returning_revenue_share", "all"]
    assert share == pytest.approx(back / total, rel=1e-11)
    assert total == 10_005_534


def test_leads_have_two_conversions(bound: Bound, cells: Cells, shared_data: Path) -> None:
    project = bound("leads")
    values = cells(project.run(["inquiry_conversion", "inquiries_won", "inquiries", "deals_won"], grain="all"))
    assert values == {
        ("inquiry_conversion", "all"): 842 / 8_000,
        ("inquiries_won", "all"): 841 / 8_000,  # a deal that was won before its lead came follows none
        ("inquiries", "all"): 8_000,
        ("deals_won", "all"): 842,
    }
    folder = shared_data / TABLES["leads"]
    leads = pl.read_parquet(folder / "olist_marketing_qualified_leads_dataset.parquet")
    deals = pl.read_parquet(folder / "olist_closed_deals_dataset.parquet")
    won = leads.join(deals, on="mql_id").filter(pl.col("won_date").dt.date() >= pl.col("first_contact_date"))
    by_month = dict(won.group_by(pl.col("first_contact_date").dt.strftime("%Y-%m-01")).len().rows())
    all_leads = dict(leads.group_by(pl.col("first_contact_date").dt.strftime("%Y-%m-01")).len().rows())
    months = cells(project.run(["inquiries_won"], grain="month"))
    got = {month: value for (_, month), value in months.items() if value is not None}
    assert got == pytest.approx({month: by_month.get(month, 0) / count for month, count in all_leads.items()})


def test_a_shop_log_has_others(bound: Bound, cells: Cells) -> None:
    values = cells(bound("shoplog").run(grain="all"))
    assert values == pytest.approx({
        ("buyers_of_visitors", "all"): 39 / 5_000,
        ("orders_of_product_views", "all"): 40 / 9_076,  # 46 rows of products are 40 orders
        ("buyers_without_cart", "all"): 5,
    })  # fmt: skip


@pytest.mark.parametrize(
    ("name", "goal", "value", "status"),
    [
        ("olist", "satisfied_buyers", None, "missed"),
        ("northwind", "quarter_of_the_team", None, "on_track"),
        ("crm", "last_quarter", 2_802_496, "missed"),
        ("leads", "spring_deals", 386, "missed"),
    ],
)
def test_goals_of_the_examples(bound: Bound, name: str, goal: str, value: float | None, status: str) -> None:
    rows = {row["goal"]: row for row in bound(name).goals([goal]).to_dicts()}
    assert rows[goal]["status"] == status
    assert value is None or rows[goal]["value"] == value
