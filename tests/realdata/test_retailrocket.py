"""Views, carts and purchases of 5,000 visitors, timed by Unix milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import smartkpi

Open = Callable[..., smartkpi.Project]
Cells = Callable[..., dict[Any, Any]]


@pytest.fixture
def shop(open_project: Open) -> smartkpi.Project:
    return open_project("retailrocket")


@pytest.mark.parametrize(
    ("kpi", "value"),
    [
        ("views", 9_076),
        ("carts", 263),
        ("purchases", 46),
        ("viewers", 4_991),
        ("carters", 145),
        ("buyers", 39),
        ("visitors", 5_000),
        ("items", 6_610),
        ("orders", 40),  # 41 distinct numbers, of which one is null
        ("buyer_rate", 0.0078),
    ],
)
def test_totals(shop: smartkpi.Project, cells: Cells, kpi: str, value: float) -> None:
    assert cells(shop.run([kpi], grain="all"))[kpi, "all"] == pytest.approx(value, rel=1e-9)


def test_counts_of_months_add_up_and_distincts_do_not(shop: smartkpi.Project, cells: Cells) -> None:
    values = cells(shop.run(["views", "viewers"], grain="month"))
    assert sum(value for (kpi, _), value in values.items() if kpi == "views") == 9_076
    assert sum(value for (kpi, _), value in values.items() if kpi == "viewers") > 4_991
    assert [start for kpi, start in values if kpi == "views"] == [f"2015-0{month}-01" for month in range(5, 10)]


def test_a_question_does_not_change_another(shop: smartkpi.Project, cells: Cells) -> None:
    alone = {kpi: cells(shop.run([kpi], grain="week")) for kpi in ("views", "buyers", "orders")}
    together = cells(shop.run(["orders", "buyers", "carts", "views"], grain="week"))
    for kpi, values in alone.items():
        assert values == {key: value for key, value in together.items() if key[0] == kpi}
