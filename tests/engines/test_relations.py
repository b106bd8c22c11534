"""Rows made of rows: what the engine reads once for several operands, and groups over what it reads itself."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import smartkpi
from smartkpi.engines.polars import relations

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


def test_a_chain_that_cannot_be_read_takes_none_with_it_that_begins_like_it(tmp_path: Path) -> None:
    times = {"ts": [datetime(2026, 1, 5, 10), datetime(2026, 1, 6, 9)], "buyer": ["a", "b"]}
    project = smartkpi.load(
        {
            "datasets": {
                "visits": {"time": "ts", "events": {"visit": "all rows"}},
                "orders": {"time": "ts", "events": {"order": "all rows"}},
                "payments": {"time": "ts", "key": "buyer", "events": {"payment": "all rows"}},
            },
            "kpis": {
                "bought": "count(visit then order by buyer within 3d)",
                "paid": "count(visit then order then payment by buyer within 3d)",
            },
        },
        data={
            "visits": pl.DataFrame(times),
            "orders": pl.DataFrame(times),
            "payments": pl.DataFrame({"ts": times["ts"][:1] * 2, "buyer": ["a", "a"], "amount": [1, 2]}),
        },
    )
    result = project.run(grain="month")
    assert result.left_out == {"paid": "data"}
    assert result.frame["value"].to_list() == [2.0]


def test_a_chain_of_which_nothing_is_looked_at_goes_on_from_one_of_which_it_is() -> None:
    # the two orders of a are equal in time: which one follows is told by their amounts, not so for what comes after
    times = [datetime(2026, 1, 5, hour) for hour in (9, 10, 10, 11)]
    rows = {"ts": times, "kind": ["visit", "order", "order", "payment"], "buyer": ["a"] * 4, "amount": [0, 2, 1, 0]}
    events = {kind: f'kind == "{kind}"' for kind in ("visit", "order", "payment")}
    kpis = {
        "small": "count(visit then order by buyer within 3d where order.amount == 1)",
        "paid": "count(visit then order then payment by buyer within 3d)",
    }
    definition = {"datasets": {"log": {"time": "ts", "events": events}}, "kpis": kpis}
    project = smartkpi.load(definition, data={"log": pl.DataFrame(rows)})
    result = project.run(grain="month")
    assert result.frame["value"].to_list() == [1.0, 1.0]
    assert result.frame.equals(project.run(grain="month", optimize=False).frame)


@pytest.mark.parametrize("at", ["event", "period_start", "as_of"])
def test_a_value_that_two_datasets_have_counts_once_for_a_group(at: str) -> None:
    days = [datetime(2026, 1, 5), datetime(2026, 2, 6), datetime(2026, 3, 7)]
    rows = {"ts": days, "buyer": ["a"] * 3, "item": ["p", "p", "p"]}
    definition = {
        "datasets": {name: {"time": "ts", "events": {"order": "all rows"}} for name in ("web", "shop")},
        "groups": {"broad": {"of": "buyer", "where": "distinct(order.item) >= 2", "at": at}},
        "kpis": {"n": "count(order where broad)"},
    }
    data = {"web": pl.DataFrame(rows), "shop": pl.DataFrame(rows)}
    assert set(smartkpi.load(definition, data=data).run(grain="month").frame["value"]) == {0.0}


def test_a_funnel_reads_its_events_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.parquet"
    steps = ("visit", "click", "cart", "order")
    rows = [
        (datetime(2026, 1, 1 + place, hour), step, f"v{hour}")
        for place, step in enumerate(steps)
        for hour in range(10)
        if hour >= 2 * place
    ]
    pl.DataFrame(rows, schema=["ts", "event", "visitor"], orient="row").write_parquet(path)
    log = {"read": path.name, "time": "ts", "events": {step: f'event == "{step}"' for step in steps}}
    funnel = {"steps": list(steps), "by": "visitor", "within": "30d"}
    kpis = tmp_path / "kpis.yml"
    kpis.write_text(json.dumps({"datasets": {"log": log}, "funnels": {"buying": funnel}}), encoding="utf-8")
    project = smartkpi.load(kpis)
    result, plain = project.run(["buying"]), project.run(["buying"], optimize=False)
    counts = result.frame.filter(pl.col("measure") == "step_count")["value"].to_list()
    assert counts == [10.0, 8.0, 6.0, 4.0]
    assert result.frame.equals(plain.frame)
    # all rows for the first step and for coverage, those that follow, those of the first step that they may follow
    assert result.provenance.scans == 3
    assert plain.provenance.scans == 10
    monkeypatch.setattr(relations, "SEVERAL", -1)
    monkeypatch.setattr(relations, "LARGE", 10)
    parts = project.run(["buying"])  # of the entities: 28 rows in three parts, once they are counted
    assert parts.frame.equals(plain.frame)
    assert parts.provenance.scans == 1 + 2 + 3 * 2


def test_a_cohort_reads_its_events_once() -> None:
    rows = {
        "ts": [datetime(2026, 1, 5, 10), datetime(2026, 1, 6, 9), datetime(2026, 2, 20, 9), datetime(2026, 3, 21, 9)],
        "buyer": ["a", "b", "a", "b"],
    }
    definition = {
        "datasets": {"log": {"time": "ts", "events": {"order": "all rows"}}},
        "cohorts": {"buyers": {"of": "buyer", "start": "order", "return": "order"}},
    }
    project = smartkpi.load(definition, data={"log": pl.DataFrame(rows)})
    result, plain = project.run(["buyers"]), project.run(["buyers"], optimize=False)
    january = pl.col("start") == pl.col("start").min()
    returned = result.frame.filter(january, pl.col("measure") == "returned", pl.col("age") < 3)["value"].to_list()
    assert returned == [2.0, 1.0, None]  # March is not over
    assert result.frame.equals(plain.frame)
    assert result.provenance.scans == 2  # of all rows, for coverage, and of those that begin or return
    assert plain.provenance.scans == 3


def test_what_polars_makes_of_a_funnel_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    pl.DataFrame({"ts": [datetime(2026, 1, 5)], "event": ["visit"], "visitor": ["v"]}).write_parquet(path)
    events = {step: f'event == "{step}"' for step in ("visit", "click", "order")}
    project = smartkpi.load(
        {
            "datasets": {"log": {"read": str(path), "time": "ts", "events": events}},
            "funnels": {"buying": {"steps": ["visit", "click", "order"], "by": "visitor", "within": "30d"}},
        }
    )
    shown = project.explain("buying", "polars")
    titles = [line.partition(": ")[2] for line in shown.splitlines() if line.startswith("scan ")]
    chain = "visit then click then order within 30d by visitor"
    assert titles[:2] == ["log [rows] of rows of log", f"log [then] of {chain}"]
    assert len(titles) == 3
    assert f"make @{chain} · then · within 30d · from step 1 on" in project.explain("buying", "optimized")
