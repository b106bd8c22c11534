"""Changes of real KPIs taken apart: the parts add up to the digit."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest

import smartkpi

Open = Callable[..., smartkpi.Project]


@pytest.mark.parametrize(
    ("kpi", "by", "method"),
    [("won_value", ["sales_agent"], "segments"), ("win_rate", ["product"], "ratio"), ("deal_size", [], "product")],
)
def test_a_change_between_quarters(open_project: Open, kpi: str, by: list[str], method: str) -> None:
    found = open_project("crm").why(kpi, by=by, period="2017-Q3", against="2017-Q2")
    assert found.method == method
    assert sum((one.amount for one in found.parts), Fraction(0)) == found.change == found.after - found.before
    assert len(found.parts) == {"segments": 30, "ratio": 7, "product": 2}[method]
