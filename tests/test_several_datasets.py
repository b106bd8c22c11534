"""One event from several datasets: web and phone orders, worked by hand."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

import smartkpi
from smartkpi.diagnostics import Severity

WEB = pl.DataFrame(
    {
        "no": [1, 2, 3, 4],
        "at": [datetime(2026, 1, 1, 10), datetime(2026, 1, 31, 23, 30), datetime(2026, 2, 10, 1), None],
        "buyer": ["a", "b", "a", "z"],
        "total": [10.5, 20.0, 5.0, 9.0],
        "country": ["BR", "US", None, "BR"],
    }
)
PHONE = pl.DataFrame(
    {
        "day": [date(2026, 1, 5), date(2026, 2, 1), date(2026, 2, 28)],
        "who": ["a", "c", "b"],
        "price": [4, 6, 7],
        "country": ["BR", "BR", "US"],
        "no": ["x", "y", "z"],
    }
)
DATASETS: dict[str, Any] = {
    "web": {
        "time": "at", "timezone": "America/Sao_Paulo", "fields": {"amount": {"is": "total", "unit": "money"}},
        "events": {"order": "all rows"},
    },
    "phone": {
        "time": "day", "fields": {"amount": {"is": "price", "unit": "money"}, "buyer": "who"},
        "events": {"order": "all rows"},
    },
}  # fmt: skip
KPIS = {
    "orders": "order", "buyers": "distinct(order.buyer)", "revenue": "sum(order.amount)", "mean": "avg(order.amount)",
    "least": "min(order.amount)", "brazil": 'count(order where country == "BR")', "aov": "sum(order.amount) / order",
    "web": 'count(order where dataset == "web")',
}  # fmt: skip


def project(datasets: dict[str, Any] = DATASETS, kpis: Any = KPIS, **data: Any) -> smartkpi.Project:
    definition = {"datasets": datasets, "kpis": kpis, "calendar": {"timezone": "UTC"}}
    return smartkpi.load(definition, data={"web": WEB, "phone": PHONE, **data})


def table(result: Any, column: str = "value") -> dict[Any, Any]:
    rows = result.frame.to_dicts()
    return {(r["kpi"], r["start"].month, *(r[name] for name in result.by)): r[column] for r in rows}


def test_rows_of_both_count_each_by_its_own_zone() -> None:
    values = table(project().run(grain="month"))
    assert [values["orders", month] for month in (1, 2)] == [2, 4]  # 23:30 in Sao Paulo is February in UTC
    assert [values["web", month] for month in (1, 2)] == [1, 2]
    assert [values["revenue", month] for month in (1, 2)] == [14.5, 38.0]
    assert [values["aov", month] for month in (1, 2)] == [7.25, 9.5]
    assert [values["mean", month] for month in (1, 2)] == [7.25, 9.5]
    assert [values["least", month] for month in (1, 2)] == [4, 5]
    assert [values["brazil", month] for month in (1, 2)] == [2, 1]


def test_a_distinct_is_over_all_rows_and_never_a_sum() -> None:
    values = table(project().run(["buyers"], grain="month"))
    assert values == {("buyers", 1): 1, ("buyers", 2): 3}
    year = project().run(["buyers"], grain="year").frame["value"].to_list()
    assert year == [3]


def test_the_dataset_is_a_field() -> None:
    values = table(project().run(["orders", "buyers"], grain="year", by=["dataset"]))
    assert values == {
        ("orders", 1, "web"): 3, ("orders", 1, "phone"): 3, ("buyers", 1, "web"): 2, ("buyers", 1, "phone"): 3
    }  # fmt: skip


def test_trap_4_a_period_that_one_dataset_does_not_cover_is_incomplete() -> None:
    late = PHONE.filter(pl.col("day") > date(2026, 1, 31))
    flags = table(project(phone=late).run(["orders"], grain="month"), "flags")
    assert flags == {("orders", 1): ["incomplete"], ("orders", 2): []}
    assert table(project(phone=late).run(["orders"], grain="month"))["orders", 1] == 1


def test_trap_16_rows_without_time_are_counted_for_each_dataset() -> None:
    datasets = project().run(["orders"], grain="month").provenance.datasets
    assert datasets["web"]["left_out"] == {"null_time": 1}
    assert datasets["phone"]["left_out"] == {}


def test_a_field_of_two_types_is_refused_by_both_names() -> None:
    report = project(kpis={"numbers": "distinct(order.no)", "orders": "order"}).check(data=True)
    (error,) = [d for d in report.diagnostics if d.severity is Severity.ERROR]
    assert error.code == "unequal-fields"
    assert error.message == "`order.no` is a plain number in `web`, text in `phone`"
    result = project(kpis={"numbers": "distinct(order.no)", "orders": "order"}).run(grain="year")
    assert result.frame["kpi"].to_list() == ["orders"]


def test_a_field_that_one_lacks_is_no_field_of_the_event() -> None:
    report = project(kpis={"a": "sum(order.total)"}).check(data=True)
    (error,) = [d for d in report.diagnostics if d.severity is Severity.ERROR]
    assert (error.code, "`phone`" in error.notes[0].message) == ("unknown-field", True)


def test_counted_rows_beside_raw_ones() -> None:
    counted = {**DATASETS["phone"], "events": {"order": {"count": "price"}}, "gaps": "zero"}
    kpis = {"orders": "order", "revenue": "sum(order.amount)", "mean": "avg(order.amount)"}
    one = project({**DATASETS, "phone": counted}, kpis)
    assert table(one.run(grain="year")) == {
        ("orders", 1): 3 + 17, ("revenue", 1): 35.5 + 17, ("mean", 1): pytest.approx(52.5 / 20)
    }  # fmt: skip
    refused = project({**DATASETS, "phone": counted}, {"buyers": "distinct(order.buyer)"}).check(data=True)
    assert [d.code for d in refused.diagnostics if d.severity is Severity.ERROR] == ["counted-event"]


def test_dated_rows_have_no_hours() -> None:
    assert project().run(["orders"], grain="hour").frame["state"].to_list() == ["unavailable"]


def test_the_optimizer_keeps_answers() -> None:
    for grain in ("day", "month", "all"):
        asked = {"grain": grain, "by": ["country"]}
        assert project().run(**asked).frame.equals(project().run(**asked, optimize=False).frame)
