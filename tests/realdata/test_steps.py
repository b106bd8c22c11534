"""Derived events over real data, held against a plain count of the rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import smartkpi

Open = Callable[..., smartkpi.Project]
Cells = Callable[..., dict[Any, Any]]


@pytest.fixture
def project(open_project: Open) -> smartkpi.Project:
    return open_project("steps")


@pytest.mark.parametrize(
    ("kpi", "value"),
    [
        ("to_cart", 517),  # of 9,076 views
        ("to_purchase", 152),
        ("through_cart", 111),
        # the funnel is not nested: 5 of 39 buyers have no cart before
        ("buyers", 39),
        ("carters", 145),
        ("buyers_with_cart", 34),
        ("cart_conversion", 50 / 263),
        # 842 deals of 8,000 leads, one of which was won before its lead came: two KPIs
        ("deal_rate", 0.10525),
        ("leads_won", 841),
        ("deals_of_leads", 841),
        ("days_to_win", 14),
        ("customers", 89),
        ("repeat_customers", 88),
        ("repeat_orders", 741),  # 830 orders of 89 customers
        ("soon_again", 342),
    ],
)
def test_totals(project: smartkpi.Project, cells: Cells, kpi: str, value: float) -> None:
    assert cells(project.run([kpi], grain="all"))[kpi, "all"] == pytest.approx(value, rel=1e-9)


def test_parts_add_up_to_the_whole(project: smartkpi.Project, cells: Cells) -> None:
    months = cells(project.run(["to_cart", "repeat_orders"], grain="month"))
    assert sum(value for (kpi, _), value in months.items() if kpi == "to_cart") == 517
    countries = cells(project.run(["repeat_orders"], grain="all", by=["shipCountry"]))
    assert sum(countries.values()) == 741


@pytest.mark.parametrize(
    ("funnel", "counts"),
    [
        ("shop", {"view": 9076, "cart": 517, "purchase": 111}),
        ("visitors", None),
        # as a quotient of counts 842 deals of 8,000 leads; of the leads themselves 841 were won
        ("marketing", {"lead": 8000, "deal": 842}),
        ("won", {"lead": 8000, "deal": 841}),
    ],
)
def test_funnels(project: smartkpi.Project, funnel: str, counts: dict[str, int] | None) -> None:
    rows = project.run(funnel, grain="all").to_dicts()
    found = {(row["step"], row["measure"]): row["value"] for row in rows}
    steps = list(dict.fromkeys(step for step, _ in found))
    got = {step: found[step, "step_count"] for step in steps}
    if counts is not None:
        assert got == counts
    for before, step in zip(steps, steps[1:], strict=False):
        assert found[step, "step_rate"] == pytest.approx(got[step] / got[before])
        assert found[step, "overall_rate"] == pytest.approx(got[step] / got[steps[0]])
        assert found[step, "drop_off"] == got[before] - got[step]
    if funnel == "marketing":
        assert found["deal", "overall_rate"] == 0.10525
    if funnel == "won":
        assert found["deal", "step_time"] / 86_400 == 14
