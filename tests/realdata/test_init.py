"""Each folder of real data, and each raw file: a project without a hand's help, which checks and runs."""

from __future__ import annotations

from pathlib import Path

import pytest

import smartkpi
from smartkpi.app.init import init

FOLDERS = (
    "ad_campaigns", "crm_sales_opportunities", "eshop_clothing_2008", "fx_ecb", "ga4_events_sample", "northwind",
    "olist", "olist_marketing_funnel", "online_shoppers_intention", "retailrocket_sample", "website_daily",
    "ad_campaigns/KAG_conversion_data.csv", "ad_campaigns/control_group.csv", "ad_campaigns/test_group.csv",
    "website_daily/daily-website-visitors.csv",
)  # fmt: skip

ANSWERS = {
    "website_daily/daily-website-visitors.csv": {"page_loads": 8_921_516, "first_time_visits": 5_269_763},
    "ad_campaigns/KAG_conversion_data.csv": {"impressions": 213_434_828, "clicks": 38_165, "conversions": 3_264},
    "ad_campaigns/test_group.csv": {"total_spend": 76_892, "impressions": 2_237_544, "purchases": 15_637},
    "ad_campaigns": {"kag_conversion_impressions": 213_434_828, "total_spend": 68_653 + 76_892},
    "crm_sales_opportunities": {"total_close_value": 10_005_534, "sales_pipelines": 8_300},
    "eshop_clothing_2008": {"sessions": 24_026},
    "ga4_events_sample": {"page_views": 7_498, "purchases": 624, "total_purchase_revenue": 41_529},
    "northwind": {"orders": 830, "order_details": 2_155, "customers": 89, "total_quantity": 51_317},
    "olist": {"orders": 14_318, "order_items": 16_242, "total_freight_value": 325_305.27, "order_reviews": 6_869},
    "olist_marketing_funnel": {"closed_deals": 842, "marketing_qualified_leads": 8_000},
    "online_shoppers_intention": {"share_revenue": 0.154744525547},
    "retailrocket_sample": {"views": 9_076, "addtocarts": 263, "transactions": 46},
}
"""What is known of the data otherwise, over everything."""


def test_there_is_a_draft_of_every_folder(shared_data: Path) -> None:
    assert {folder.name for folder in shared_data.iterdir() if folder.is_dir()} <= set(FOLDERS)


@pytest.mark.parametrize("name", FOLDERS)
def test_init_checks_and_runs(name: str, shared_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert init([str(shared_data / name)], out, False, "text") == 0
    project = smartkpi.load(out)
    report = project.check(data=True)
    assert report.ok, report
    result = project.run(grain="all")
    assert not result.left_out
    got = {row["kpi"]: row["value"] for row in result.to_dicts()}
    wanted = ANSWERS.get(name, {})
    assert {kpi: got.get(kpi) for kpi in wanted} == pytest.approx(wanted)
    assert project.run().to_dicts()


def test_dates_that_another_table_has(shared_data: Path, tmp_path: Path) -> None:
    assert init([str(shared_data / "olist")], tmp_path, False, "text") == 0
    catalog = smartkpi.load(tmp_path).catalog
    assert set(catalog.datasets["order_items"].lookups) == {"order", "product", "seller"}
    assert not catalog.datasets["customers"].events


def test_packs_find_deals_that_are_won_and_lines_that_have_a_price(shared_data: Path, tmp_path: Path) -> None:
    deals, lines = tmp_path / "deals", tmp_path / "lines"
    assert init([str(shared_data / "crm_sales_opportunities")], deals, False, "text", "b2b") == 0
    text = (deals / "kpis.yml").read_text(encoding="utf-8").replace(
        "smartkpi: 1", "smartkpi: 1\nkpis: {brought: sum(sales_order.amount), won: sales_order}", 1
    )  # fmt: skip
    (deals / "more.yml").write_text(text, encoding="utf-8")
    got = {
        row["kpi"]: row["value"] for row in smartkpi.load(deals / "more.yml").run(["brought", "won"], "all").to_dicts()
    }
    assert got == {"brought": 10_005_534, "won": 4_238}
    assert init([str(shared_data / "northwind")], lines, False, "text", "finance") == 0
    assert "sale: all rows" in (lines / "kpis.yml").read_text(encoding="utf-8")


DRAFTED = {  # over everything, by a pack, as it is written
    ("olist", "customers"): {"ordering_customers": 14_242, "customers_with_second_order": 73},
    ("olist", "finance"): {"revenue": 1_940_489.10},
    ("olist", "marketplace"): {
        "average_order_value_goods": 1_940_489.10 / 14_208,
        "average_value_per_buyer": 1_940_489.10 / 14_138,
        "items_per_order": 16_242 / 14_208,
        "satisfaction_share": 0.767797350415,
    },
    ("olist", "store_business"): {"on_time_delivery": 1 - 922 / 13_910, "paying_buyers": 14_242, "reviews": 6_869},
    ("northwind", "customers"): {"ordering_customers": 89, "second_order_rate": 88 / 89},
    ("northwind", "store_business"): {"on_time_delivery": 772 / 809, "repurchase_rate": 88 / 89},
    ("crm_sales_opportunities", "customers"): {"ordering_customers": 85, "returning_order_share": 1 - 85 / 4_238},
    ("olist_marketing_funnel", "customers"): {"inquiry_conversion": 0.10525, "inquiries_won": 841 / 8_000},
    ("ad_campaigns/KAG_conversion_data.csv", "ads"): {"clicks": 38_165, "spend": 58_705.229958},
}


@pytest.mark.parametrize(("name", "pack"), DRAFTED)
def test_packs_answer_as_they_are_drafted(name: str, pack: str, shared_data: Path, tmp_path: Path) -> None:
    wanted = DRAFTED[name, pack]
    assert init([str(shared_data / name)], tmp_path, False, "text", pack) == 0
    got = {row["kpi"]: row["value"] for row in smartkpi.load(tmp_path).run(list(wanted), grain="all").to_dicts()}
    assert got == pytest.approx(wanted, rel=1e-9)


def test_a_number_of_the_order_alone_is_nobody(shared_data: Path, tmp_path: Path) -> None:
    assert init([str(shared_data / "olist")], tmp_path, False, "text", "customers") == 0
    text = (tmp_path / "kpis.yml").read_text(encoding="utf-8")
    assert "buyer: customer.customer_unique_id" in text
    assert "\n      purchase:" not in text  # of all orders it is not known which came of ads


def test_visitors_of_a_day_are_no_visits(shared_data: Path, tmp_path: Path) -> None:
    assert init([str(shared_data / "website_daily")], tmp_path, False, "text", "store_operations") == 0
    text = (tmp_path / "kpis.yml").read_text(encoding="utf-8")
    assert "store_visitor: {count: {column: Unique.Visits}, additive: not over time}" in text
    assert "\n      store_visit:" not in text


@pytest.mark.parametrize("pack", ["ads", "finance", "marketplace"])
def test_deals_in_the_making_are_no_orders(pack: str, shared_data: Path, tmp_path: Path) -> None:
    assert init([str(shared_data / "crm_sales_opportunities")], tmp_path, False, "text", pack) == 0
    assert not smartkpi.load(tmp_path).catalog.datasets
