"""Rules of derived events that a test of one event's rows cannot tell: rows of two events, ends, filters."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl
import pytest

import smartkpi

ROWS = pl.DataFrame(
    [
        ("2026-01-01T10:00", 1, "a", "BR", 5),
        ("2026-01-02T10:00", 2, "a", "US", 50),
        ("2026-01-31T10:00", 3, "b", "BR", 5),
        ("2026-02-03T10:00", 4, "b", "US", 50),
        ("2026-02-03T10:00", 5, None, "BR", 50),
        ("2026-02-20T10:00", 6, "a", "BR", 50),
    ],
    schema=["ts", "no", "buyer", "country", "amount"],
    orient="row",
).with_columns(pl.col("ts").str.to_datetime())
LOG = {"time": "ts", "key": "no", "events": {"order": "all rows", "big": "amount >= 50"}}
KPIS = {
    "itself": "count(order then big within 1h by buyer)",
    "again": "count(order then order as second within 1h by buyer)",
    "not_itself": "count(big without order within 1h by buyer)",
    "soon": "count(order then order as second within 5d by buyer)",
    "repeats": "count(repeat order by buyer within 10d)",
    "firsts": "first order by buyer",
    "first_in_brazil": 'first (order where country == "BR") by buyer',
    "any": "count(order then big by buyer)",
}


def project(**more: Any) -> smartkpi.Project:
    return smartkpi.load({"datasets": {"log": LOG}, "kpis": KPIS, **more}, data={"log": ROWS})


def values(kpi: str, **asked: Any) -> dict[Any, Any]:
    rows = project().run([kpi], **{"grain": "month", **asked}).to_dicts()
    return {(f"{row['start']:%m}", *(row[name] for name in asked.get("by", ()))): row["value"] for row in rows}


def test_two_events_of_one_row_are_two_rows_and_no_row_follows_itself() -> None:
    assert values("itself") == {("01",): 1, ("02",): 2}  # each big order follows itself as an order; nobody's does not
    assert values("again") == {("02",): 0}  # there is none: the last month says so
    assert sum(values("not_itself").values()) == 1  # that of nobody


def test_windows_do_not_end_with_a_period_nor_with_the_range_asked_for() -> None:
    assert values("soon") == {("01",): 2, ("02",): 0}
    assert values("soon", until="2026-01") == {("01",): 2}
    assert values("firsts", since="2026-02") == {("02",): 0}


def test_what_may_have_come_before_the_data_is_not_known() -> None:
    frame = project().run(["repeats"], grain="day", since="2026-01-02", until="2026-01-12").frame
    flags = {row["start"].day: row["flags"] for row in frame.to_dicts()}
    assert [day for day, found in flags.items() if "incomplete" in found] == [*range(2, 11)]


def test_without_an_end_nothing_is_ever_immature() -> None:
    rows = project().run(["any", "soon"], grain="month", as_of="2026-02-28").to_dicts()
    assert {row["kpi"] for row in rows if "immature" in row["flags"]} == set()
    rows = project().run(["any", "soon"], grain="month", as_of="2026-02-22").to_dicts()
    assert {row["kpi"] for row in rows if "immature" in row["flags"]} == {"soon"}


@pytest.mark.parametrize("kpi", [*KPIS])
@pytest.mark.parametrize("country", ["BR", "US"])
def test_a_filter_takes_the_rows_that_the_segment_has(kpi: str, country: str) -> None:
    by = {start: value for (start, place), value in values(kpi, by=["country"]).items() if place == country}
    filtered = {start: value for (start,), value in values(kpi, where=f'country == "{country}"').items()}
    assert {start: value for start, value in filtered.items() if value} == {s: v for s, v in by.items() if v}


def test_what_is_filtered_before_and_behind_a_step_differs() -> None:
    assert values("first_in_brazil") == {("01",): 2, ("02",): 0}
    assert values("firsts", where='country == "US"') == {("02",): 0}  # nobody began there: the last month says so


def test_of_equal_rows_the_key_tells_which_is_first() -> None:
    at = datetime(2026, 3, 1)
    rows = pl.DataFrame({"ts": [at, at], "no": [9, 3], "buyer": ["z", "z"], "country": ["x", "y"], "amount": [1, 2]})
    opened = smartkpi.load({"datasets": {"log": LOG}, "kpis": {"k": "first order by buyer"}}, data={"log": rows})
    found = opened.run(["k"], grain="month", by=["country"]).to_dicts()
    assert [row["country"] for row in found if row["value"]] == ["y"]


def test_a_group_that_has_an_error_is_told_once() -> None:
    groups = {"often": {"of": "byer", "where": "count(order) > 1", "at": "event"}}
    found = project(groups=groups, kpis={"k": "count(order where often)"}).check(data=True).diagnostics
    assert [(one.code, one.hint) for one in found if one.severity == "error"] == [
        ("unknown-field", "did you mean `buyer`?")
    ]
