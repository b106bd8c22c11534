"""Sessions of a shop over a year that has months and no days."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import smartkpi

Open = Callable[..., smartkpi.Project]
Cells = Callable[..., dict[Any, Any]]


@pytest.fixture
def shoppers(open_project: Open) -> smartkpi.Project:
    return open_project("shoppers")


def test_totals(shoppers: smartkpi.Project, cells: Cells) -> None:
    values = cells(shoppers.run(["sessions", "conversion", "bounce_rate", "exit_rate", "page_value"]))
    assert list(values.values()) == pytest.approx([12_330, 0.15474453, 0.02219138, 0.04307280, 5.88925786], rel=1e-6)


def test_conversion_by_visitor(shoppers: smartkpi.Project, cells: Cells) -> None:
    values = cells(shoppers.run(["conversion"], by=["visitor"]))
    assert {key[-1]: value for key, value in values.items()} == pytest.approx(
        {"New_Visitor": 0.24911452, "Other": 0.18823529, "Returning": 0.13932329}, rel=1e-7
    )


def test_months_have_one_spelling_and_an_order(shoppers: smartkpi.Project) -> None:
    frame = shoppers.run(["sessions"], by=["month"]).frame
    assert frame["month"].to_list() == ["Feb", "Mar", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    assert frame["value"].sum() == 12_330


def test_a_month_by_name_is_no_period(shoppers: smartkpi.Project) -> None:
    frame = shoppers.run(["conversion"], grain="month").frame
    assert frame["state"].to_list() == ["unavailable"]


def test_parts_make_up_the_whole(shoppers: smartkpi.Project) -> None:
    rows = shoppers.run(["sessions", "conversion"], by=["TrafficType"], total=True).frame
    total = rows.filter(kpi="sessions", level="total")["value"].item()
    assert rows.filter(kpi="sessions", level="segment")["value"].sum() == total == 12_330
    assert rows.filter(kpi="conversion", level="total")["value"].item() == pytest.approx(1_908 / 12_330, rel=1e-11)
