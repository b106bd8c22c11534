"""How many values an answer may have: more are refused before they are made, and what makes them is said."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

import smartkpi
from smartkpi.api.failures import UsageError

FIRST, LAST, SHOPS = date(1996, 1, 1), date(2025, 12, 31), 2_000
ROWS = pl.DataFrame({"day": [FIRST] * SHOPS + [LAST], "shop": [f"s{n}" for n in range(SHOPS)] + ["s0"]})
EVENTS = {"log": {"time": "day", "events": {"order": "all rows"}}}
DAYS = (LAST - FIRST + timedelta(days=1)).days


def refused(**asked: Any) -> Any:
    opened = smartkpi.load({"datasets": EVENTS, "kpis": {"orders": "order", "twice": "2 * order"}}, data={"log": ROWS})
    with pytest.raises(UsageError) as raised:
        opened.run(grain="day", **asked)
    (one,) = raised.value.diagnostics
    assert one.code == "too-many-cells"
    return one


def test_a_gapless_series_of_each_segment_is_counted_before_it_is_made() -> None:
    found = refused(by="shop")
    cells = f"the answer would have {DAYS * SHOPS * 2:,} cells, more than 5,000,000: "
    assert found.message == cells + f"2 KPIs, {DAYS:,} periods of grain `day` for each of {SHOPS:,} segments by shop"
    assert "--since" in found.hint
    assert "`--max-cells`" in found.notes[0].message


def test_the_limit_is_what_is_asked_for() -> None:
    assert refused(kpis="orders", max_cells=DAYS - 1).message.startswith(f"the answer would have {DAYS:,} cells")
    opened = smartkpi.load({"datasets": EVENTS, "kpis": {"orders": "order"}}, data={"log": ROWS})
    found = opened.run(grain="day", max_cells=DAYS).frame
    assert (found.height, found["value"].sum(), found["value"].to_list()[1:3]) == (DAYS, SHOPS + 1, [0, 0])
    assert opened.run(grain="year", by="shop", since="2020").frame.height == 6 * SHOPS


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_is_at_least_one(limit: int) -> None:
    opened = smartkpi.load({"datasets": EVENTS, "kpis": {"orders": "order"}}, data={"log": ROWS})
    with pytest.raises(UsageError) as raised:
        opened.run(max_cells=limit)
    assert raised.value.diagnostics[0].code == "bad-limit"
