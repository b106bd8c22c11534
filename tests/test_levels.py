"""Totals and others beside segments: they are what the same question over all those rows gives, never added up."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import smartkpi
from smartkpi.diagnostics import KpiError
from tests.strategies.projects import projects, questions
from tests.test_oracle_agrees import agree, arguments, expect, plain, run, search, show

ORDERS = pl.DataFrame(
    {
        "time": [date(2026, 1, day) for day in (2, 3, 4, 5, 6, 7)] + [date(2026, 2, 28)],
        "country": ["BR", "BR", "US", "DE", "DE", None, "BR"],
        "buyer": ["x", "y", "x", "x", "z", "z", "x"],
        "amount": [10.0, 30.0, 20.0, 5.0, 5.0, 10.0, 1.0],
    }
)
KPIS: dict[str, Any] = {
    "revenue": "sum(order.amount)",
    "buyers": "distinct(order.buyer)",
    "mean": {"formula": "sum(order.amount) / order", "direction": "lower"},
    "part": "share(buyers)",
    "place": "rank(revenue)",
    "cost": "order / total(visit)",
}
VISITS = pl.DataFrame({"time": [date(2026, 1, 1), date(2026, 1, 9)]})


@pytest.fixture
def shop() -> smartkpi.Project:
    datasets = {
        "orders": {"time": "time", "events": {"order": "all rows"}},
        "visits": {"time": "time", "events": {"visit": "all rows"}},
    }
    return smartkpi.load({"datasets": datasets, "kpis": KPIS}, data={"orders": ORDERS, "visits": VISITS})


def january(project: smartkpi.Project, kpi: str, **options: Any) -> list[tuple[Any, ...]]:
    frame = project.run(kpi, by="country", as_of="2026-01-31", **options).frame
    return frame.select("country", "level", "value").rows()


def test_trap_11_the_total_of_distincts_and_ratios_is_computed_anew(shop: smartkpi.Project) -> None:
    assert january(shop, "buyers", total=True)[-1] == (None, "total", 3.0)  # the segments' add up to 6
    assert january(shop, "mean", total=True)[-1] == (None, "total", 13.3333333333)


def test_trap_11_others_are_counted_anew(shop: smartkpi.Project) -> None:
    assert january(shop, "buyers", total=True, top=1) == [
        ("BR", "segment", 2.0),
        (None, "other", 2.0),  # x and z; the segments' add up to 4
        (None, "total", 3.0),
    ]


def test_trap_12_a_top_n_does_not_cut_before_the_formula(shop: smartkpi.Project) -> None:
    assert january(shop, "part", top=1) == [("BR", "segment", 0.666666666667), (None, "other", 0.666666666667)]
    assert january(shop, "place", top=2) == [
        ("BR", "segment", 1.0),
        ("US", "segment", 2.0),
        (None, "other", None),
    ]
    assert january(shop, "cost", top=1)[0] == ("BR", "segment", 1.0)


def test_the_best_are_the_lowest_where_that_is_the_direction(shop: smartkpi.Project) -> None:
    assert january(shop, "mean", top=2) == [
        (None, "segment", 10.0),
        ("DE", "segment", 5.0),
        (None, "other", 20.0),
    ]


def test_nothing_is_left_where_all_segments_are_shown(shop: smartkpi.Project) -> None:
    assert {level for _, level, _ in january(shop, "revenue", top=4)} == {"segment"}


def test_order_and_limit_leave_totals_and_others_at_the_end(shop: smartkpi.Project) -> None:
    found = january(shop, "revenue", total=True, top=3, order_by="-value", limit=2)
    assert found == [("BR", "segment", 40.0), ("US", "segment", 20.0), (None, "other", 10.0), (None, "total", 80.0)]


def test_a_wide_table_tells_a_total_from_the_segment_of_null(shop: smartkpi.Project) -> None:
    wide = shop.run(["revenue", "buyers"], by="country", as_of="2026-01-31", total=True).wide()
    assert wide.filter(pl.col("country").is_null()).select("level", "revenue").rows() == [
        ("segment", 10.0),
        ("total", 80.0),
    ]


@pytest.mark.parametrize(
    ("options", "code"), [({"top": 3}, "top-without-segments"), ({"by": "country", "top": 0}, "bad-limit")]
)
def test_a_top_needs_segments_and_a_number(shop: smartkpi.Project, options: dict[str, Any], code: str) -> None:
    with pytest.raises(KpiError) as raised:
        shop.run(**options)
    assert [one.code for one in raised.value.diagnostics] == [code]


OVER_SEGMENTS = re.compile(r"\b(total|share|rank)\(")


@search
@given(st.data())
def test_the_total_is_the_question_without_segments(data: st.DataObject) -> None:
    project = data.draw(projects())
    asked = data.draw(questions(project))
    assume(asked.by)
    show(project, asked)
    both = run(project, asked, total=True)
    assert_frame_equal(both.filter(pl.col("level") == "segment"), run(project, asked), check_exact=True)
    names = [
        name for name, kpi in project.definition["kpis"].items() if not told_apart(project.definition["kpis"], name)
    ]
    whole = run(project, replace(asked, by=())).filter(pl.col("kpi").is_in(names))
    totals = both.filter((pl.col("level") == "total") & pl.col("kpi").is_in(names)).drop(asked.by)
    known = whole.join(totals, on=["kpi", "start"], how="semi", nulls_equal=True, maintain_order="left")
    assert_frame_equal(totals, known, check_exact=True)


@search
@given(st.data())
def test_others_are_the_question_without_the_best(data: st.DataObject) -> None:
    project = data.draw(projects())
    asked = data.draw(questions(project))
    assume(asked.by)
    assume(asked.grain)
    show(project, asked)
    found = run(project, asked, top=1)
    for (kpi,), rows in found.group_by("kpi", maintain_order=True):
        others = rows.filter(pl.col("level") == "other").drop(asked.by)
        if others.is_empty() or told_apart(project.definition["kpis"], str(kpi)):
            continue
        best = rows.filter(pl.col("level") == "segment").select(asked.by).unique().row(0)
        is_best = " and ".join(equals(name, value) for name, value in zip(asked.by, best, strict=True))
        where = f"not ({is_best})" + (f" and ({asked.where})" if asked.where else "")
        rest = replace(asked, kpis=(str(kpi),), by=(), where=where)
        shown = {plain(row)["start"] for row in others.to_dicts()}  # of an hour that comes twice, too
        wanted = [row for row in expect(project, rest) if row["start"] in shown]
        agree(others, [{**row, "level": "other"} for row in wanted], ())
        assert arguments(rest)["where"] == where


def told_apart(kpis: Any, name: str) -> bool:
    """Whether a KPI holds segments against each other, directly or through another KPI."""
    if name not in kpis:  # a part of a funnel or a cohort
        return False
    formula = kpis[name]["formula"]
    return bool(OVER_SEGMENTS.search(formula)) or any(
        told_apart(kpis, other) for other in kpis if other != name and re.search(rf"\b{other}\b", formula)
    )


def equals(name: str, value: Any) -> str:
    match value:
        case None:
            return f"{name} is null"
        case bool():
            return name if value else f"(not {name} and {name} is not null)"
        case str() | date():
            return f'{name} == "{value}"'
        case _:
            return f"{name} == {value}"


@pytest.mark.parametrize(
    ("formula", "other", "total"),
    [
        ("median(order.amount)", 7.5, 10.0),
        ("quantile(order.amount, 0.25)", 5.0, 6.25),
        ("quantile(order.amount, 75%, nearest)", 10.0, 20.0),
        ("stddev(order.amount)", 7.0710678119, 9.8319208025),
        ("first(order.amount)", 10.0, 10.0),
        ("last(order.amount)", 10.0, 10.0),
        ("approx_distinct(order.buyer)", 2.0, 3.0),
        ("median(order.amount) / total(median(order.amount))", 0.75, 1.0),
        ("total(median(order.amount))", 10.0, 10.0),
        ("share(median(order.amount))", 0.75, 1.0),
        ("share(approx_distinct(order.buyer))", 0.666666666667, 1.0),
        ("avg(median(order.amount) per buyer)", 10.0, 15.8333333333),
    ],
)
def test_trap_11_what_needs_all_values_is_computed_anew(formula: str, other: float, total: float) -> None:
    orders = {"time": "time", "events": {"order": "all rows"}}
    project = smartkpi.load({"datasets": {"orders": orders}, "kpis": {"asked": formula}}, data={"orders": ORDERS})
    assert january(project, "asked", total=True)[4:] == [(None, "total", pytest.approx(total))]
    assert january(project, "asked", total=True, top=1)[1:] == [
        (None, "other", pytest.approx(other)),
        (None, "total", pytest.approx(total)),
    ]


def test_levels_stay_behind_segments_in_the_order_that_a_dimension_states() -> None:
    people = pl.DataFrame({"buyer": ["x", "y", "z"], "region": ["s", "north", "East"]})
    definition = {
        "dimensions": {"region": {"values": {"s": "south"}, "order": ["south", "north", "East"]}},
        "datasets": {
            "orders": {
                "time": "time",
                "events": {"order": "all rows"},
                "lookups": {"person": {"dataset": "people", "on": "buyer"}},
            },
            "people": {},
        },
        "kpis": {"mine": "median(order.amount)", "part": "share(order, person.region)", "all": "share(order)"},
    }
    project = smartkpi.load(definition, data={"orders": ORDERS, "people": people})

    def found(kpi: str, **options: Any) -> list[tuple[Any, ...]]:
        frame = project.run(kpi, by="person.region", as_of="2026-01-31", total=True, **options).frame
        return frame.select("person.region", "level", "value").rows()

    assert found("mine") == [
        ("south", "segment", 10.0),
        ("north", "segment", 30.0),
        ("East", "segment", 7.5),
        (None, "total", 10.0),
    ]
    assert found("mine", top=2) == [
        ("south", "segment", 10.0),
        ("north", "segment", 30.0),
        (None, "other", 7.5),
        (None, "total", 10.0),
    ]
    assert found("all", top=1) == [("south", "segment", 0.5), (None, "other", 0.5), (None, "total", 1.0)]
    assert [value for _, _, value in found("part")] == [1.0, 1.0, 1.0, None]
