"""The daily funnel of two campaigns, from its raw CSV, by the shipped pack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import smartkpi

CONTROL, TEST = "Control Campaign", "Test Campaign"
Open = Callable[..., smartkpi.Project]
Cells = Callable[..., dict[Any, Any]]


@pytest.fixture
def ads(open_project: Open) -> smartkpi.Project:
    return open_project("ads", "ads")


@pytest.mark.parametrize(
    ("kpi", "control", "test"),
    [
        ("impressions", 3_177_233, 2_237_544),
        ("clicks", 154_303, 180_970),
        ("searches", 64_418, 72_569),
        ("views", 56_370, 55_740),
        ("carts", 37_700, 26_446),
        ("purchases", 15_161, 15_637),
        ("spend", 68_653, 76_892),
        ("ctr", 154_303 / 3_177_233, 0.08087886),
        ("purchase_rate", 0.09825473, 0.08640659),
        ("cpc", 68_653 / 154_303, 0.424888),
        ("cpa", 68_653 / 15_161, 4.917312),
        ("cost_per_cart", 68_653 / 37_700, 76_892 / 26_446),
        ("cpm", 68_653 / 3_177_233 * 1000, 76_892 / 2_237_544 * 1000),
    ],
)
def test_totals_by_campaign(ads: smartkpi.Project, cells: Cells, kpi: str, control: float, test: float) -> None:
    values = cells(ads.run([kpi], grain="all", by=["campaign"]))
    assert values[kpi, "all", CONTROL] == pytest.approx(control, rel=1e-6)
    assert values[kpi, "all", TEST] == pytest.approx(test, rel=1e-6)


def test_a_day_without_counts_flags_what_counts_and_keeps_its_spend(ads: smartkpi.Project, cells: Cells) -> None:
    result = ads.run(["impressions", "ctr", "cpa", "spend"], grain="all", by=["campaign"])
    flags = cells(result, "flags")
    for kpi in ("impressions", "ctr", "cpa"):
        assert "incomplete" in flags[kpi, "all", CONTROL]
        assert "incomplete" not in flags[kpi, "all", TEST]
    assert "incomplete" not in flags["spend", "all", CONTROL]
    daily = cells(ads.run(["impressions", "spend"], grain="day", by=["campaign"]))
    assert daily["spend", "2019-08-05", CONTROL] == 1_835
    assert daily["impressions", "2019-08-05", CONTROL] in (None, 0)
    assert daily["impressions", "2019-08-05", TEST] == 114_295
    flags = cells(ads.run(["impressions"], grain="day", by=["campaign"]), "flags")
    assert [key[1] for key, found in flags.items() if "incomplete" in found] == ["2019-08-05"]


def test_spend_without_the_empty_day(ads: smartkpi.Project, cells: Cells) -> None:
    result = ads.run(["spend"], grain="all", where='campaign == "Control Campaign" and time != "2019-08-05"')
    assert cells(result)["spend", "all"] == 66_818
    assert result.frame["currency"].to_list() == ["USD"]
    assert str(result.frame["money"][0]) == "66818.000000"


def test_a_rate_is_a_ratio_of_sums_at_every_grain(ads: smartkpi.Project, cells: Cells) -> None:
    weekly = cells(ads.run(["ctr", "clicks", "impressions"], grain="week", by=["campaign"]))
    for kpi, start, campaign in weekly:
        if kpi == "ctr":
            expected = weekly["clicks", start, campaign] / weekly["impressions", start, campaign]
            assert weekly[kpi, start, campaign] == pytest.approx(expected, rel=1e-11)
    both = cells(ads.run(["ctr"], grain="all"))
    assert both["ctr", "all"] == pytest.approx((154_303 + 180_970) / (3_177_233 + 2_237_544), rel=1e-11)


def test_the_month_that_the_export_cuts_is_pending(ads: smartkpi.Project) -> None:
    row = ads.run(["ctr"], grain="month").frame.row(0, named=True)
    assert (row["start"].strftime("%Y-%m-%d"), row["status"]) == ("2019-08-01", "pending")
    assert "incomplete" in row["flags"]


def test_return_on_ad_spend_is_unavailable_without_revenue(ads: smartkpi.Project) -> None:
    row = ads.run(["roas"]).frame.row(0, named=True)
    assert (row["state"], row["value"], row["status"]) == ("unavailable", None, None)
    assert "ad_revenue" in row["reason"]


def test_labels_in_chinese(ads: smartkpi.Project) -> None:
    assert ads.run(["ctr"]).kpis["ctr"].label.get("zh") == "点击率"


def test_the_pack_proves_itself(ads: smartkpi.Project) -> None:
    outcomes = ads.test()
    assert outcomes
    assert [outcome for outcome in outcomes if not outcome.passed] == []
