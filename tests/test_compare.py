"""Values held against earlier periods: whole ones, as much of one as has gone by, and what lies before the range."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

import smartkpi

START, DAYS = date(2025, 1, 1), 500
ROWS = pl.DataFrame(
    {
        "day": [START + timedelta(days=n) for n in range(DAYS)],
        "country": ["BR" if n % 3 else "DE" for n in range(DAYS)],
        "amount": [float(n % 7 + 1) for n in range(DAYS)],
    }
)
SHOP = {
    "time": "day",
    "fields": {"amount": {"is": "amount", "unit": "money", "currency": "EUR"}},
    "events": {"order": "all rows"},
}


def project(kpis: dict[str, Any], **sections: Any) -> smartkpi.Project:
    return smartkpi.load({"datasets": {"shop": SHOP}, "kpis": kpis, **sections}, data={"shop": ROWS})


@pytest.mark.parametrize("shift", ["", ", 1y"])
@pytest.mark.parametrize("counted", ["distinct(order.country)", "median(order.amount)", "order"])
def test_as_much_of_a_period_before_the_range_as_has_gone_by(counted: str, shift: str) -> None:
    asked = project({"before": f"previous({counted}{shift})"})
    found = asked.run(grain="month", since="2026-05").frame.row(0, named=True)
    whole = asked.run(grain="month").frame.row(-1, named=True)
    assert found["flags"] == ["incomplete", "like_for_like"]
    assert found["value"] == whole["value"] == {"d": 2, "m": 4, "o": 15}[counted[0]]
