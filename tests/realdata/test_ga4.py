"""A sample of single events of a shop, in the shape that Google Analytics exports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import smartkpi

Open = Callable[..., smartkpi.Project]
Cells = Callable[..., dict[Any, Any]]

COUNTS = {
    "all_events": 24_219,
    "page_views": 7_498,
    "items_viewed": 2_119,
    "carts": 305,
    "checkouts": 189,
    "shippings": 119,
    "payments": 65,
    "purchases": 624,
    "sessions": 1_937,
    "newcomers": 1_410,
    "users": 19_210,
    "revenue": 41_529,
    "without_number": 90,
    "countries": 108,
}


@pytest.fixture
def ga4(open_project: Open) -> smartkpi.Project:
    return open_project("ga4")


def test_counts_by_the_type_of_event(ga4: smartkpi.Project, cells: Cells) -> None:
    values = cells(ga4.run(list(COUNTS), grain="all"))
    assert {kpi: value for (kpi, _), value in values.items()} == COUNTS


def test_each_day_is_covered_and_whole(ga4: smartkpi.Project) -> None:
    frame = ga4.run(["all_events", "purchases"], grain="day").frame
    days = frame.filter(kpi="all_events")
    assert (days.height, days["value"].sum()) == (92, 24_219)
    assert days["flags"].list.len().sum() == 0
    assert [str(day.date()) for day in (days["start"].min(), days["start"].max())] == ["2020-11-01", "2021-01-31"]
    assert ga4.run(["purchases"]).frame["start"][0].strftime("%Y-%m") == "2021-01"


def test_segments_add_up(ga4: smartkpi.Project) -> None:
    for by in ("device", "medium", "country"):
        frame = ga4.run(["page_views", "revenue"], grain="all", by=[by]).frame
        assert frame.filter(kpi="page_views")["value"].sum() == 7_498
        assert frame.filter(kpi="revenue")["value"].sum() == 41_529
