"""One event from several datasets: web and phone orders, worked by hand."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

import smartkpi
from smartkpi.diagnostics import Diagnostic, Severity

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


def errors(found: smartkpi.Project) -> list[Diagnostic]:
    return [d for d in found.check().diagnostics if d.severity is Severity.ERROR]


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


@pytest.mark.parametrize(
    "aggregate",
    ["median(order.amount)", "quantile(order.amount, 95%)", "stddev(order.amount)", "first(order.amount)",
     "last(order.amount)", "approx_distinct(order.buyer)"],
)  # fmt: skip
def test_what_does_not_come_of_parts_is_refused(aggregate: str) -> None:
    (found,) = errors(project(kpis={"k": aggregate}))
    name = aggregate.partition("(")[0]
    assert found.code == "not-yet"
    assert found.message == f"`{name}` of rows that lie in several datasets (`web`, `phone`) is not supported yet"
    assert found.hint == f"give each dataset an event of its own, and take the `{name}` of one of them"


def test_each_provider_is_spelt_alike() -> None:
    spelt = {"country": {"values": {"Brasil": "BR", "br": "BR"}}, "buyer": {"values": {"a": "Ann"}}}
    phone = PHONE.with_columns(pl.Series("country", ["Brasil", "br", "US"]))
    definition = {"datasets": DATASETS, "kpis": KPIS, "dimensions": spelt}
    found = smartkpi.load(definition, data={"web": WEB, "phone": phone})
    by = table(found.run(["orders", "buyers"], by=["country"], grain="month"))
    assert by["orders", 1, "BR"] == 2  # one of each dataset
    assert by["buyers", 1, "BR"] == 1
    assert by["orders", 2, "BR"] == 1
    assert table(found.run(["brazil"], grain="month"))["brazil", 1] == 2


LOOKED_UP: dict[str, Any] = {
    "web": {**DATASETS["web"], "lookups": {"person": {"dataset": "people", "on": "buyer"}}},
    "phone": {**DATASETS["phone"], "lookups": {"person": {"dataset": "people", "on": {"who": "buyer"}}}},
    "people": {},
}
PEOPLE = pl.DataFrame({"buyer": ["a", "b", "c"], "region": ["north", "south", "south"]})


@pytest.mark.parametrize(
    "kpi", ['count(order where person.region == "north")', "distinct(order.person.region)", "order"]
)
def test_looked_up_fields_are_refused_where_each_provider_looks_up(kpi: str) -> None:
    definition = {"formula": kpi, "by": ["person.region"]} if kpi == "order" else kpi
    (found,) = errors(project(LOOKED_UP, {"k": definition}, people=PEOPLE))
    assert found.code == "not-yet"
    assert "`person.region`, looked up for rows of several datasets (`order`: `web` and `phone`)" in found.message
    assert found.hint == "write `person_region: person.region` under the `fields` of each, and `person_region` here"


def test_a_question_by_a_looked_up_field_says_why_there_is_no_answer() -> None:
    (row,) = project(LOOKED_UP, {"k": "order"}, people=PEOPLE).run(by=["person.region"]).frame.to_dicts()
    assert row["state"] == "unavailable"
    assert "several datasets provide `order`" in row["reason"]


def test_a_field_of_each_provider_brings_what_it_looks_up() -> None:
    datasets = {name: dict(one) for name, one in LOOKED_UP.items()}
    for name in ("web", "phone"):
        datasets[name]["fields"] = {**datasets[name]["fields"], "region": "person.region"}
    found = project(datasets, {"orders": "order", "regions": "distinct(order.region)"}, people=PEOPLE)
    by = table(found.run(["orders"], by=["region"], grain="month"))
    assert by["orders", 1, "north"] == 2
    assert (by["orders", 2, "north"], by["orders", 2, "south"]) == (1, 3)
    assert table(found.run(["regions"], grain="month")) == {("regions", 1): 1, ("regions", 2): 2}


def test_a_looked_up_table_has_neither_time_nor_events() -> None:
    """It takes nothing from the times of those that look it up, and a timeless dataset may look it up too."""
    people = {"person": {"dataset": "people", "on": "buyer"}}
    datasets = {
        "web": {**DATASETS["web"], "lookups": people},
        "export": {"time": "none", "lookups": people, "events": {"letter": "all rows"}},
        "people": {},
    }
    kpis = {"north": 'count(order where person.region == "north")',
            "letters": 'count(letter where person.region == "south")',
            "middle": "median(letter.pages)"}  # fmt: skip
    export = pl.DataFrame({"buyer": ["b", "c", "a"], "pages": [1, 2, 6]})
    definition = {"datasets": datasets, "kpis": kpis}
    found = smartkpi.load(definition, data={"web": WEB, "export": export, "people": PEOPLE})
    assert not errors(found)
    assert table(found.run(["north"], grain="month")) == {("north", 1): 1, ("north", 2): 1}
    whole = {row["kpi"]: row["value"] for row in found.run(["letters", "middle"]).frame.to_dicts()}
    assert whole == {"letters": 2, "middle": 2}


@pytest.mark.parametrize("name", ["first", "last"])
def test_rows_without_time_have_no_first(name: str) -> None:
    datasets = {"web": {"time": "none", "events": {"order": "all rows"}}}
    (found,) = errors(project(datasets, {"k": f"{name}(order.total)"}))
    assert (found.code, found.message) == ("no-order", f"the rows of `order` have no time: none of them is the {name}")


def test_what_a_looked_up_dataset_must_not_add_is_not_added() -> None:
    prices = {"price": {"dataset": "prices", "on": "no"}}
    datasets = {
        "web": {**DATASETS["web"], "lookups": prices},
        "prices": {"fields": {"rate": {"is": "listed", "additive": "no"}}},
    }
    table = pl.DataFrame({"no": [1, 2, 3, 4], "listed": [1.0, 2.0, 3.0, 4.0]})
    (found,) = errors(project(datasets, {"k": "sum(order.price.rate)"}, prices=table))
    assert found.code == "not-additive"
