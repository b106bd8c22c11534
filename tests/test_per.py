"""`per`: what is left out is counted, and what has no meaning is refused where it stands."""

from __future__ import annotations

from datetime import date

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
DATASETS = {
    "orders": {"time": "time", "events": {"order": "all rows"}},
    "ads": {"time": "time", "events": {"click": {"count": "clicks"}}},
}


def codes(formula: str) -> list[str]:
    project = smartkpi.load({"datasets": DATASETS, "kpis": {"a": formula}})
    return [one.code for one in project.check().diagnostics]


def test_rows_without_entity_are_counted() -> None:
    kpis = {"mean": "avg(sum(order.amount) per buyer)", "buyers": "count(order per buyer)"}
    project = smartkpi.load({"datasets": {"orders": DATASETS["orders"]}, "kpis": kpis}, data={"orders": ORDERS})
    for by in ((), ("country",)):
        result = project.run(by=by)
        assert result.provenance.datasets["orders"]["left_out"] == {"null_entity": 2}
    assert project.run().frame["value"].to_list() == [20.0, 2.0]


@pytest.mark.parametrize(
    ("formula", "code"),
    [
        ("sum(order.amount) per buyer", "bare-per"),
        ("avg(share(order) per buyer)", "nested-per"),
        ("avg(avg(order per buyer) per country)", "nested-per"),
        ("avg(order per buyer) where country == 'BR'", "misplaced-where"),
        ("avg((order per buyer) where country == 'BR')", "misplaced-where"),
        ("count(order per buyer where value)", "not-a-condition"),
        ("avg(click per buyer)", "counted-event"),
        ("avg(3 per buyer)", "no-events"),
        ("avg(order per time)", "bad-dimension"),
        ("avg(order per day)", "not-yet"),
        ("avg(order per customer.region)", "not-yet"),
        ("quantile(sum(order.amount) per buyer, 0.5)", "not-yet"),
    ],
)
def test_what_has_no_meaning_is_refused(formula: str, code: str) -> None:
    assert codes(formula) == [code]
