"""Total lines, the others as one row, shares and ranks of an event that lies in two datasets: as if it lay in one."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

import polars as pl
import pytest

import smartkpi

KPIS = {
    "orders": "order",
    "amount": "sum(order.amt)",
    "mean": "avg(order.amt)",
    "buyers": "distinct(order.buyer)",
    "share_of_orders": "share(order)",
    "share_of_buyers": "share(distinct(order.buyer))",
    "of_all": "sum(order.amt) / total(order)",
    "largest": "max(order.amt)",
    "place": "rank(sum(order.amt))",
    "per_buyer": "avg(sum(order.amt) per buyer)",
    "middle_day": "median(distinct(order.buyer) per day)",
}
EVENTS = {"time": "t", "events": {"order": "all rows"}}


def made(rows: int, seed: int) -> pl.DataFrame:
    dice = random.Random(seed)
    return pl.DataFrame(
        {
            "t": [date(2026, dice.randint(1, 3), dice.randint(1, 28)) for _ in range(rows)],
            "c": [dice.choice(["a", "b", "c", "d", "e", None]) for _ in range(rows)],
            "buyer": [dice.choice("pqrstuvwx") for _ in range(rows)],
            "amt": [round(dice.random() * 100, 2) for _ in range(rows)],
        }
    )


@pytest.mark.parametrize(
    "question",
    [
        {"grain": "month"},
        {"grain": "all", "by": ["c"], "total": True},
        {"grain": "month", "by": ["c"], "total": True, "top": 2},
        {"grain": "all", "by": ["c"], "top": 1, "where": "amt > 20"},
    ],
)
def test_two_datasets_are_as_one(question: dict[str, Any]) -> None:
    web, phone = made(60, 1), made(50, 2)
    two = smartkpi.load({"datasets": {"web": EVENTS, "phone": EVENTS}, "kpis": KPIS}, data={"web": web, "phone": phone})
    one = smartkpi.load({"datasets": {"all": EVENTS}, "kpis": KPIS}, data={"all": pl.concat([web, phone])})
    same = [name for name in two.run(**question).frame.columns if name not in ("flags", "reason")]
    assert two.run(**question).frame.select(same).equals(one.run(**question).frame.select(same))
