"""`per`: what is left out is counted, what is known in part is flagged, what has no meaning is refused in its place."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

import smartkpi

ORDERS = pl.DataFrame(
    {
        "time": [date(2026, 1, day) for day in (2, 3, 4, 5)],
        "buyer": ["x", "y", None, None],
        "country": ["BR", "US", "BR", "US"],
        "amount": [10.0, 30.0, 20.0, 5.0],
    }
)
PHONE = pl.DataFrame({"day": [date(2026, 1, 3), date(2026, 1, 9)], "who": ["x", None], "amount": [5.0, 7.0]})
DATASETS: dict[str, Any] = {
    "orders": {
        "time": "time",
        "events": {"order": "all rows"},
        "lookups": {"customer": {"dataset": "customers", "on": {"buyer": "id"}}},
    },
    "customers": {"fields": {"account": "account"}},
    "ads": {"time": "time", "events": {"click": {"count": "clicks"}}},
    "prices": {"time": "none", "events": {"price": "all rows"}},
    "days": {"time": "date(ts)", "events": {"entry": "all rows"}},
}


def codes(formula: str, **rest: Any) -> list[str]:
    project = smartkpi.load({"datasets": DATASETS, "kpis": {"a": {"formula": formula, **rest}}})
    return [one.code for one in project.check().diagnostics]


def opened(formula: str, frame: pl.DataFrame = ORDERS, **rest: Any) -> smartkpi.Project:
    datasets = {"orders": {"time": "time", "events": {"order": "all rows"}}}
    return smartkpi.load({"datasets": datasets, "kpis": {"a": {"formula": formula, **rest}}}, data={"orders": frame})


def test_rows_without_entity_are_counted() -> None:
    kpis = {"mean": "avg(sum(order.amount) per buyer)", "buyers": "count(order per buyer)"}
    datasets = {"orders": {"time": "time", "events": {"order": "all rows"}}}
    project = smartkpi.load({"datasets": datasets, "kpis": kpis}, data={"orders": ORDERS})
    for by in ((), ("country",)):
        result = project.run(by=by)
        assert result.provenance.datasets["orders"]["left_out"] == {"null_entity": 2}
    assert project.run().frame["value"].to_list() == [20.0, 2.0]


def test_entities_of_several_datasets_are_the_same_ones() -> None:
    datasets = {
        "shop": {"time": "time", "events": {"order": "all rows"}},
        "phone": {"time": "day", "fields": {"buyer": "who"}, "events": {"order": "all rows"}},
    }
    kpis = {"mean": "avg(sum(order.amount) per buyer)", "days": "max(distinct(order.buyer) per day)"}
    project = smartkpi.load({"datasets": datasets, "kpis": kpis}, data={"shop": ORDERS, "phone": PHONE})
    result = project.run(grain="month")
    assert result.frame["value"].to_list() == [22.5, 2.0]  # x has 15, y has 30
    left_out = {name: one["left_out"] for name, one in result.provenance.datasets.items()}
    assert left_out == {"shop": {"null_entity": 2}, "phone": {"null_entity": 1}}


def test_entities_are_those_that_a_lookup_leads_to() -> None:
    customers = pl.DataFrame({"id": ["x", "y", "z"], "account": ["one", "one", None]})
    datasets = {name: DATASETS[name] for name in ("orders", "customers")}
    kpis = {"accounts": "count(order per customer.account)", "most": "max(sum(order.amount) per customer.account)"}
    project = smartkpi.load({"datasets": datasets, "kpis": kpis}, data={"orders": ORDERS, "customers": customers})
    result = project.run(grain="month")
    assert result.frame["value"].to_list() == [1.0, 40.0]
    assert result.provenance.datasets["orders"]["left_out"] == {"null_entity": 2}


def test_a_field_of_the_name_of_a_period_is_asked_for_as_a_column() -> None:
    frame = ORDERS.with_columns(day=pl.Series(["mon", "mon", "tue", None]))
    assert opened('count(order per col("day"))', frame).run().frame["value"].to_list() == [2.0]
    assert opened("count(order per day)", frame).run(grain="all").frame["value"].to_list() == [4.0]


def test_what_the_range_or_the_data_cuts_is_flagged() -> None:
    times = [datetime(2026, 1, 5, 9), datetime(2026, 1, 14, 9), datetime(2026, 2, 3, 12)]
    weekly = opened("avg(order per week)", pl.DataFrame({"time": times}))
    assert weekly.run().frame.select("grain", "value", "flags").row(0) == ("week", 0.0, [])
    assert weekly.run(grain="all").frame.select("value", "flags").row(0) == (0.6, ["incomplete"])
    whole = weekly.run(grain="all", since="2026-01-05", until="2026-01-18").frame
    assert whole.select("value", "flags", "n").row(0) == (1.0, [], 2)
    cut = weekly.run(grain="all", since="2026-01-05", until="2026-01-13").frame
    assert cut.select("value", "flags", "n").row(0) == (0.5, ["incomplete"], 2)
    assert weekly.run(grain="month").frame.select("value", "state").row(0) == (None, "unavailable")
    month = opened("avg(order per day)", pl.DataFrame({"time": times})).run(grain="month", since="2026-01-20")
    assert month.frame.select("n", "flags").rows() == [(27, ["incomplete"]), (3, ["incomplete"])]


def test_what_must_not_be_added_over_time_is_added_within_days() -> None:
    datasets = {
        "stock": {
            "time": "time",
            "fields": {"level": {"is": "amount", "additive": "not over time"}},
            "events": {"stock": "all rows"},
        }
    }
    kpis = {"mean": "avg(sum(stock.level) per day)", "sum": "sum(sum(stock.level) per day)", "bare": "sum(stock.level)"}
    result = smartkpi.load({"datasets": datasets, "kpis": kpis}, data={"stock": ORDERS}).run(grain="month")
    assert result.frame["state"].to_list() == ["ok", "unavailable", "unavailable"]


@pytest.mark.parametrize("by", [(), ("country",)])
def test_too_many_values_are_refused(by: tuple[str, ...]) -> None:
    frame = pl.DataFrame({"time": [datetime(1000, 1, 1), datetime(2999, 1, 1)], "country": ["a", "b"]})
    with pytest.raises(smartkpi.KpiError) as failure:
        opened("avg(order per hour)", frame).run(grain="all", by=by)
    assert [one.code for one in failure.value.diagnostics] == ["too-many-cells"]


@pytest.mark.parametrize(
    ("formula", "code"),
    [
        ("sum(order.amount) per buyer", "bare-per"),
        ("sum(order.amount) per day", "bare-per"),
        ("avg(share(order) per buyer)", "nested-per"),
        ("avg(avg(order per buyer) per country)", "nested-per"),
        ("avg(avg(order per buyer) per day)", "nested-per"),
        ("avg(order per buyer) where country == 'BR'", "misplaced-where"),
        ("avg((order per buyer) where country == 'BR')", "misplaced-where"),
        ("count(order per buyer where value)", "not-a-condition"),
        ("avg(click per buyer)", "counted-event"),
        ("avg(click per day)", "counted-event"),
        ("avg(price per day)", "no-periods"),
        ("avg(entry per hour)", "no-hours"),
        ("avg(3 per buyer)", "no-events"),
        ("avg(order per time)", "bad-dimension"),
        ("avg(order per (day, month))", "several-periods"),
        ("avg(order per customer.region.name)", "unknown-field"),
        ("avg(order per cutsomer.account)", "unknown-field"),
        ("last(sum(order.amount) per buyer)", "no-order"),
        ("last(sum(order.amount) per (buyer, day))", "no-order"),
        ("quantile(sum(order.amount) per buyer, 5)", "bad-argument"),
        ("quantile(sum(order.amount) per buyer, 0.5, nearby)", "bad-argument"),
        ("quantile(sum(order.amount) per buyer)", "wrong-arguments"),
        ("median(sum(order.amount) per buyer, 0.5)", "wrong-arguments"),
    ],
)
def test_what_has_no_meaning_is_refused(formula: str, code: str) -> None:
    assert codes(formula) == [code]


def test_a_misspelt_key_is_found() -> None:
    report = opened("avg(order per days)").check(data=True)
    assert [one.hint for one in report.diagnostics] == ["did you mean `day`?"]
    report = opened("avg(order per order.buyer)").check()
    assert [one.hint for one in report.diagnostics] == ["the event is known: write `buyer`"]


def test_a_period_lies_within_those_of_the_grain() -> None:
    assert codes("avg(order per month)", grain="day") == ["coarse-per"]
    assert codes("avg(order per week)", grain="month") == ["coarse-per"]
    assert codes("avg(order per week)", grain="week") == []
    assert codes("avg(order per quarter)") == []


def test_hours_are_asked_of_those_rows_that_are_counted_by_the_hour() -> None:
    timed = pl.DataFrame({"time": [datetime(2026, 1, 3, hour) for hour in (9, 9, 10)]})
    datasets = {
        "shop": {"time": "time", "events": {"visit": "all rows"}},
        "phone": {"time": "day", "events": {"order": "all rows", "visit": "all rows"}},
    }
    one = {"datasets": {**datasets, "phone": {"time": "day", "events": {"order": "all rows"}}}}
    kpis = {"kpis": {"a": {"formula": "max(visit per hour) + order", "grain": "day"}}}
    result = smartkpi.load(one | kpis, data={"shop": timed, "phone": PHONE}).run(until="2026-01-03")
    assert result.frame["value"].to_list() == [3.0]
    both = smartkpi.load({"datasets": datasets} | kpis, data={"shop": timed, "phone": PHONE}).check(data=True)
    assert [found.code for found in both.diagnostics] == ["no-hours"]
