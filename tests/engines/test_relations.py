"""Rows made of rows: what the engine reads once for several operands, and groups over what it reads itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl

import smartkpi

LOG = pl.DataFrame(
    {
        "ts": [datetime(2026, 1, day, hour) for day, hour in ((5, 10), (5, 10), (6, 9), (20, 9), (21, 9))],
        "buyer": ["a", "b", "a", "a", None],
        "amount": [1, 2, 30, 4, 5],
    }
)


def run(**definition: Any) -> list[float | None]:
    log = {"time": "ts", "events": {"visit": "all rows", "order": "all rows"}}
    project = smartkpi.load({"datasets": {"log": log}, **definition}, data={"log": LOG})
    return project.run(grain="month").frame["value"].to_list()


def test_events_that_are_the_same_rows_follow_each_other() -> None:
    # each row is both events, and the order of a visit is the one of its own row
    formula = "count(visit then order by buyer within 3d where order.amount == amount)"
    assert run(kpis={"n": formula}) == [4.0]
    assert run(kpis={"n": "count(visit then order as other by buyer within 3d where other.amount > 10)"}) == [1.0]


def test_a_group_of_rows_that_are_told_apart_by_it() -> None:
    groups = {
        "again": {"of": "buyer", "where": "count(visit where not great) >= 1", "at": "event"},
        "great": {"of": "buyer", "where": "sum(order.amount) > 30", "at": "event"},
    }
    # of a: the second row comes after one that is not great, the third is great itself
    assert run(groups=groups, kpis={"n": "count(order where again)"}) == [2.0]
    assert run(groups=groups, kpis={"n": "count(order where again and great)"}) == [1.0]
    assert run(groups=groups, kpis={"n": "count(order where not again)"}) == [3.0]
