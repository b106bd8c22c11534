"""The examples that bind packs to tables of a well-known shape, over those tables, against their published figures."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import smartkpi

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = {  # and where their tables are
    "olist": "olist",
    "northwind": "northwind",
    "crm": "crm_sales_opportunities",
    "kag": "ad_campaigns",
}
exactly = partial(pytest.approx, rel=1e-11)
to_a_ten_thousandth = partial(pytest.approx, abs=5e-5)
FIGURES = {
    "olist": {
        "revenue": exactly(1_940_489.10),
        "fulfilment_rate": exactly(13_910 / 14_318),
        "on_time_delivery_by_time": exactly(1 - 1_103 / 13_910),
        "on_time_delivery_by_day": exactly(1 - 922 / 13_910),
        "average_order_value_goods": exactly(1_940_489.10 / 14_208),
        "average_order_value_paid": exactly(2_291_071.84 / 14_317),
        "items_per_order": exactly(16_242 / 14_208),
        "satisfaction_score": pytest.approx(4.077158, abs=5e-7),
        "satisfaction_share": to_a_ten_thousandth(0.7678),
    },
    "northwind": {
        "revenue": to_a_ten_thousandth(1_265_793.0395),
        "fulfilment_rate": exactly(809 / 830),
        "on_time_delivery_by_time": exactly(772 / 809),
        "on_time_delivery_by_day": exactly(772 / 809),
        "average_order_value_goods": to_a_ten_thousandth(1_525.0519),
        "average_value_per_buyer": to_a_ten_thousandth(1_265_793.0395 / 89),
        "items_per_order": exactly(51_317 / 830),
        "products_per_order": exactly(2_155 / 830),
    },
    "crm": {
        "revenue": 10_005_534,
        "won_deals": 4_238,
        "deal_size": exactly(10_005_534 / 4_238),
        "win_rate_of_closed": exactly(4_238 / (4_238 + 2_473)),
        "cycle_of_won": pytest.approx(51.78 * 86_400, abs=0.005 * 86_400),
    },
    "kag": {
        "impressions": 213_434_828,
        "clicks": 38_165,
        "spend": pytest.approx(58_705.229958, abs=2e-6),  # money has six decimals a row
        "ctr": exactly(38_165 / 213_434_828),
        "cpc": pytest.approx(1.538195, abs=5e-7),
        "cpm": pytest.approx(0.275050, abs=5e-7),
        "cpa": pytest.approx(54.407071, abs=5e-7),
        "cost_per_enquiry": pytest.approx(58_705.229958 / 3_264, abs=5e-7),
    },
}
Cells = Callable[..., dict[Any, Any]]
Bound = Callable[[str], smartkpi.Project]


@pytest.fixture
def bound(shared_data: Path, tmp_path: Path) -> Bound:
    """Open an example as a reader of its page would, with the tables in its folder `data`."""

    def opened(name: str) -> smartkpi.Project:
        shutil.copytree(ROOT / "examples" / name, tmp_path / name)
        shutil.copytree(shared_data / EXAMPLES[name], tmp_path / name / "data")
        return smartkpi.load(tmp_path / name)

    return opened


@pytest.mark.parametrize("name", EXAMPLES)
def test_published_figures(bound: Bound, cells: Cells, name: str) -> None:
    project = bound(name)
    report = project.check(data=True)
    assert report.ok, report.diagnostics
    values = cells(project.run(list(FIGURES[name]), grain="all"))
    assert {kpi: value for (kpi, _), value in values.items()} == FIGURES[name]


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_bound_answers_and_the_rest_says_why_not(bound: Bound, name: str) -> None:
    project = bound(name)
    frame = project.run(grain="all").frame
    assert set(frame["kpi"]) == {one.name for one in project.catalog.kpis.values() if not one.part_of}
    later = frame.filter(state="no_data")  # of the last cohorts it is not known yet who returns, and with what
    assert set(later["kpi"]) <= {"next_month_retention", "third_month_retention", "revenue_of_new_customer"}
    assert set(later["reason"]) <= {"not over yet"}
    assert set(frame["state"]) <= {"ok", "unavailable", "no_data"}
    assert frame.filter(pl.col("state") == "unavailable")["reason"].str.starts_with("no dataset provides").all()


def test_orders_of_several_items(bound: Bound, cells: Cells, shared_data: Path) -> None:
    lines = pl.read_parquet(shared_data / "northwind" / "order-details.parquet").group_by("orderID")
    orders = lines.agg(pl.len(), pl.col("quantity").sum())
    kpis = ["multi_item_order_share", "multi_product_order_share"]
    values = cells(bound("northwind").run(kpis, grain="all"))
    assert values["multi_item_order_share", "all"] == exactly((orders["quantity"] >= 2).mean())
    assert values["multi_product_order_share", "all"] == exactly((orders["len"] >= 2).mean())


def test_orders_items_and_payments_by_where_the_buyer_lives(bound: Bound, cells: Cells) -> None:
    values = cells(bound("olist").run(["revenue", "fulfilment_rate"], grain="all", by=["customer_state"]))
    assert sum(value for (kpi, *_), value in values.items() if kpi == "revenue") == pytest.approx(1_940_489.10)
    assert len(values) == 2 * 27


def test_segments_of_looked_up_fields_add_up(bound: Bound, cells: Cells) -> None:
    project = bound("northwind")
    for by in ("country", "category", "salesperson"):
        values = cells(project.run(["revenue"], grain="all", by=[by]))
        assert sum(values.values()) == to_a_ten_thousandth(1_265_793.0395)
    assert max(values, key=lambda key: values[key])[2] == "4"
    assert max(values.values()) == pytest.approx(232_890.846, abs=5e-4)


def test_deals_by_region(bound: Bound, cells: Cells) -> None:
    values = cells(bound("crm").run(["revenue"], grain="all", by=["region"]))
    found = {region: value for (_, _, region), value in values.items()}
    assert found == {"West": 3_568_647, "Central": 3_346_293, "East": 3_090_594}
