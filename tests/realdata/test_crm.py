"""A pipeline of 8,800 deals by 30 agents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import smartkpi

Open = Callable[..., smartkpi.Project]
Cells = Callable[..., dict[Any, Any]]


@pytest.fixture
def crm(open_project: Open) -> smartkpi.Project:
    return open_project("crm")


@pytest.mark.parametrize(
    ("kpi", "value", "precision"),
    [
        ("win_rate", 0.63150052, 1e-8),
        ("win_rate_of_closed", 0.63150052, 1e-8),
        ("won_deals", 4_238, 0),
        ("lost_deals", 2_473, 0),
        ("engaged_deals", 8_300, 0),
        ("won_value", 10_005_534, 0),
        ("deal_size", 10_005_534 / 4_238, 1e-10),
        ("cycle_of_won", 51.78 * 86_400, 1e-4),
        ("cycle_of_lost", 41.48 * 86_400, 1e-4),
        ("active_agents", 30, 0),
    ],
)
def test_totals(crm: smartkpi.Project, cells: Cells, kpi: str, value: float, precision: float) -> None:
    assert cells(crm.run([kpi], grain="all"))[kpi, "all"] == pytest.approx(value, rel=precision)


def test_win_rate_by_agent(crm: smartkpi.Project, cells: Cells) -> None:
    result = crm.run(["win_rate_of_closed"], grain="all", by=["sales_agent"])
    rates = cells(result)
    assert list(cells(crm.run(["win_rate"], grain="all", by=["sales_agent"])).values()) == list(rates.values())
    assert len(rates) == 30
    assert max(rates.values()) == pytest.approx(107 / 152, rel=1e-11)
    assert min(rates.values()) == pytest.approx(127 / 231, rel=1e-11)
    best = max(rates, key=lambda key: rates[key])
    assert cells(result, "n")[best] == 152


def test_win_rate_of_all_deals_dated_or_not(crm: smartkpi.Project, cells: Cells) -> None:
    result = crm.run(["win_rate_of_all"])
    assert cells(result)["win_rate_of_all", "all"] == pytest.approx(0.481591, rel=1e-6)
    assert cells(result, "n")["win_rate_of_all", "all"] == 8_800
    regions = cells(crm.run(["win_rate_of_all"], by=["agent.regional_office"]), "n")
    assert sum(regions.values()) == 8_800


def test_won_by_quarter(crm: smartkpi.Project, cells: Cells) -> None:
    result = crm.run(["won_deals", "won_value"], grain="quarter", since="2017-Q1", until="2017-Q4")
    values = cells(result)
    quarters = ["2017-01-01", "2017-04-01", "2017-07-01", "2017-10-01"]
    assert [values["won_deals", quarter] for quarter in quarters] == [531, 1_254, 1_257, 1_196]
    assert [values["won_value", quarter] for quarter in quarters] == [1_134_672, 3_086_111, 2_982_255, 2_802_496]
    flags = cells(result, "flags")
    assert all("incomplete" not in flags["won_deals", quarter] for quarter in quarters[1:])


def test_the_most_valuable_agent(crm: smartkpi.Project, cells: Cells) -> None:
    values = cells(crm.run(["won_value", "won_deals", "win_rate"], grain="all", by=["sales_agent"]))
    most, _, agent = max((value, start, agent) for (kpi, start, agent), value in values.items() if kpi == "won_value")
    assert most == 1_153_214
    assert values["won_deals", "all", agent] == 349
    assert values["win_rate", "all", agent] == pytest.approx(349 / 553, rel=1e-11)


def test_won_value_by_the_region_of_the_agent(crm: smartkpi.Project, cells: Cells) -> None:
    result = crm.run(["won_value", "win_rate"], grain="all", by=["agent.regional_office"])
    values = cells(result)
    assert {office: values["won_value", "all", office] for office in ("Central", "East", "West")} == {
        "Central": 3_346_293,
        "East": 3_090_594,
        "West": 3_568_647,
    }
    assert sum(value for (kpi, *_), value in values.items() if kpi == "won_value") == 10_005_534
    assert result.provenance.datasets["deals"]["unmatched"] == {}


def test_a_product_spelt_in_two_ways_is_looked_up_by_one(crm: smartkpi.Project, cells: Cells) -> None:
    values = cells(crm.run(["won_deals"], grain="all", by=["product.series"]))
    assert sum(values.values()) == 4_238
    assert ("won_deals", "all", None) not in values
    products = cells(crm.run(["engaged_deals"], grain="all", by=["product"]))
    assert ("engaged_deals", "all", "GTXPro") not in products
    spelt = [
        crm.run(["engaged_deals"], grain="all", where=f'product == "{name}"').frame["value"][0]
        for name in ("GTXPro", "GTX Pro")
    ]
    assert spelt == [products["engaged_deals", "all", "GTX Pro"]] * 2


def test_regions_in_their_order(crm: smartkpi.Project) -> None:
    frame = crm.run(["won_value"], grain="all", by=["agent.regional_office"]).frame
    assert frame["agent.regional_office"].to_list() == ["West", "Central", "East"]


def test_deals_without_an_account_stay_and_are_counted(crm: smartkpi.Project, cells: Cells) -> None:
    result = crm.run(["engaged_deals"], grain="all", by=["account.sector"])
    values = cells(result)
    assert sum(values.values()) == 8_300
    assert values["engaged_deals", "all", None] == 1_088
    assert result.provenance.datasets["deals"]["unmatched"] == {"account": 1_425}


def test_statuses_of_agents(crm: smartkpi.Project) -> None:
    frame = crm.run(["win_rate"], grain="quarter", by=["sales_agent"], since="2017-Q3", until="2017-Q3").frame
    for row in frame.iter_rows(named=True):
        expected = "good" if row["value"] >= 0.62 else "warning" if row["value"] >= 0.58 else "critical"
        assert row["status"] == expected, row


def test_segments_add_up(crm: smartkpi.Project, cells: Cells) -> None:
    for by in (["sales_agent"], ["product"], ["sales_agent", "product"]):
        values = cells(crm.run(["won_deals"], grain="all", by=by))
        assert sum(values.values()) == 4_238


def test_agents_beside_all_of_them(crm: smartkpi.Project, cells: Cells) -> None:
    asked = {"grain": "all", "by": ["sales_agent"], "total": True}
    rows = crm.run(["win_rate", "won_value", "won_share", "won_rank"], **asked).frame.to_dicts()
    total = {row["kpi"]: row["value"] for row in rows if row["level"] == "total"}
    assert total["win_rate"] == pytest.approx(0.63150052, rel=1e-8)
    assert total["won_value"] == 10_005_534
    agents = [row for row in rows if row["level"] == "segment"]
    values = {row["sales_agent"]: row["value"] for row in agents if row["kpi"] == "won_value"}
    shares = {row["sales_agent"]: row["value"] for row in agents if row["kpi"] == "won_share"}
    ranks = {row["sales_agent"]: row["value"] for row in agents if row["kpi"] == "won_rank"}
    assert shares == pytest.approx({name: value / 10_005_534 for name, value in values.items()}, rel=1e-11)
    assert ranks == {name: 1 + sum(other > value for other in values.values()) for name, value in values.items()}
    assert cells(crm.run("value_per_agent", grain="all"))["value_per_agent", "all"] == pytest.approx(10_005_534 / 30)


def test_all_but_the_five_best_agents(crm: smartkpi.Project) -> None:
    rows = crm.run(["won_value", "active_agents"], grain="all", by=["sales_agent"], top=5).frame.to_dicts()
    best = [row["value"] for row in rows if row["kpi"] == "won_value" and row["level"] == "segment"]
    others = {row["kpi"]: row["value"] for row in rows if row["level"] == "other"}
    assert len(best) == 5
    assert others == {"won_value": 10_005_534 - sum(best), "active_agents": 25}
