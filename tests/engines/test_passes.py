"""How often the rows are read: once a dataset for all that adds up, coverage included; distincts by themselves."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import smartkpi
from smartkpi.engines.polars.explain import FALLBACKS

START = datetime(2026, 1, 1)
ADDITIVE: dict[str, Any] = {
    "visits": "visit",
    "orders": "order",
    "conversion_rate": {"formula": "order / visit", "format": "percent"},
    "cart_rate": "cart / visit",
    "revenue": "sum(order.amount)",
    "average_order_value": "revenue / orders",
    "mean_order": "avg(order.amount)",
    "cheapest_order": "min(order.amount)",
    "dearest_order": "max(order.amount)",
    "ads_revenue": 'sum(order.amount where channel == "ads")',
    "ads_share": "ads_revenue / revenue",
    "big_orders": "count(order where amount >= 50 and not refunded)",
    "other_visits": {"formula": "visit", "where": 'channel not in ("ads", "mail")'},
}
DISTINCT: dict[str, Any] = {
    "visitors": "distinct(visit.visitor)",
    "buyers": "distinct(order.visitor)",
    "ads_buyers": 'distinct(order.visitor where channel == "ads")',
    "orders_a_buyer": "orders / buyers",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("passes")
    rows = [
        {
            "ts": START + timedelta(hours=3 * i),
            "event": ("visit", "visit", "cart", "order")[i % 4],
            "visitor": f"v{i % 37}",
            "channel": ("ads", "mail", "seo")[i % 3],
            "country": ("BR", "DE")[i % 2],
            "amount": float(i % 90),
            "refunded": i % 11 == 0,
        }
        for i in range(600)
    ]
    pl.DataFrame(rows).write_parquet(path / "events.parquet")
    pl.DataFrame({"day": [START.date()] * 3, "clicks": [3, 4, 5]}).write_parquet(path / "clicks.parquet")
    return path


def project(folder: Path, kpis: dict[str, Any]) -> smartkpi.Project:
    """Return a shop with clicks that are counted by day."""
    events = {name: f'event == "{name}"' for name in ("visit", "cart", "order")}
    fields = {"amount": {"unit": "money"}}
    return smartkpi.load(
        {
            "datasets": {
                "log": {"read": str(folder / "events.parquet"), "time": "ts", "fields": fields, "events": events},
                "ads": {
                    "read": str(folder / "clicks.parquet"),
                    "time": "day",
                    "events": {"click": {"count": "clicks"}},
                },
            },
            "kpis": kpis,
        }
    )


@pytest.mark.parametrize("by", [(), ("country",)], ids=["all", "by country"])
@pytest.mark.parametrize("grain", [None, "day", "all"])
def test_what_adds_up_is_read_once(folder: Path, grain: str | None, by: tuple[str, ...]) -> None:
    assert project(folder, ADDITIVE).run(grain=grain, by=by).provenance.scans == 1


def test_each_dataset_is_read_once(folder: Path) -> None:
    kpis = {**ADDITIVE, "clicks": "click", "clicks_a_visit": "click / visit"}
    assert project(folder, kpis).run(grain="month").provenance.scans == 2


def test_distincts_are_read_by_themselves_once_a_grain(folder: Path) -> None:
    assert project(folder, {**ADDITIVE, **DISTINCT}).run(grain="day").provenance.scans == 2
    week = {"formula": "buyers", "grain": "week"}
    assert project(folder, {**DISTINCT, "weekly_buyers": week}).run().provenance.scans == 3


def test_hundreds_of_distincts_take_some_passes_and_keep_their_answers(folder: Path) -> None:
    kpis = {f"k{i}": f"distinct(order.visitor where amount > {i / 4})" for i in range(230)}
    many = project(folder, kpis | {"last": "k229 / k0", "place": "rank(k7)"}).run(grain="month", by="country")
    assert many.provenance.scans == 1 + 3  # the first knows of days and countries with rows
    for names in (["k7"], ["k229"], ["last"], ["place"]):
        alone = project(folder, kpis | {"last": "k229 / k0", "place": "rank(k7)"}).run(
            names, grain="month", by="country"
        )
        assert many.frame.filter(pl.col("kpi").is_in(names)).equals(alone.frame)


def test_the_optimizer_saves_passes_and_keeps_the_answers(folder: Path) -> None:
    one = project(folder, {**ADDITIVE, **DISTINCT})
    fused, plain = one.run(grain="day"), one.run(grain="day", optimize=False)
    assert fused.frame.equals(plain.frame)
    assert fused.provenance.scans < plain.provenance.scans


@pytest.mark.parametrize("name", [*ADDITIVE, *DISTINCT])
def test_no_node_falls_back_to_memory(folder: Path, name: str) -> None:
    shown = project(folder, {**ADDITIVE, **DISTINCT}).explain(name, "polars")
    physical = [line for line in shown.splitlines() if line.startswith("physical: ")]
    assert physical
    assert all("multi-scan[parquet]" in line and "group-by" in line for line in physical)
    assert not [line for line in physical for node in FALLBACKS if node in line]


def test_windows_of_the_same_values_share_a_pass(folder: Path) -> None:
    windows = [f"trailing(distinct(visit.visitor), {days}d)" for days in (1, 7, 28)]
    kpis: dict[str, Any] = {f"k{n}": {"formula": one, "grain": "day"} for n, one in enumerate(windows)}
    kpis["all_of_them"] = {"formula": f"{windows[0]} / {windows[1]} / {windows[2]}", "grain": "day"}
    shop, one = project(folder, kpis), project(folder, {"k2": kpis["k2"]})
    assert shop.run().provenance.scans == one.run().provenance.scans
    assert shop.run(by=["country"]).provenance.scans == one.run(by=["country"]).provenance.scans
    title = "[distinct over trailing 1d, trailing 7d, trailing 28d] c1 c2 c3: 3 slices of time, a row is read 1.7 times"
    found = shop.explain("all_of_them", "polars").split(title)
    assert len(found) == 2
    assert not [node for node in FALLBACKS if node in found[1].splitlines()[1]]
