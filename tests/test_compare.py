"""Values held against earlier periods: whole ones, as much of one as has gone by, and what lies before the range."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from jsonschema import Draft202012Validator

import smartkpi
from smartkpi.api.failures import UsageError
from smartkpi.report.render import render
from smartkpi.report.style import Style
from smartkpi.resources import find
from smartkpi.semantics.comparisons import COMPARISONS

START, DAYS = date(2025, 1, 1), 500
ROWS = pl.DataFrame(
    {
        "day": [START + timedelta(days=n) for n in range(DAYS)],
        "country": ["BR" if n % 3 else "DE" for n in range(DAYS)],
        "amount": [float(n % 7 + 1) for n in range(DAYS)],
    }
)
SHOP = {
    "time": "day",
    "fields": {"amount": {"is": "amount", "unit": "money", "currency": "EUR"}},
    "events": {"order": "all rows"},
}


def project(kpis: dict[str, Any], **sections: Any) -> smartkpi.Project:
    return smartkpi.load({"datasets": {"shop": SHOP}, "kpis": kpis, **sections}, data={"shop": ROWS})


@pytest.mark.parametrize("shift", ["", ", 1y"])
@pytest.mark.parametrize("counted", ["distinct(order.country)", "median(order.amount)", "order"])
def test_as_much_of_a_period_before_the_range_as_has_gone_by(counted: str, shift: str) -> None:
    asked = project({"before": f"previous({counted}{shift})"})
    found = asked.run(grain="month", since="2026-05").frame.row(0, named=True)
    whole = asked.run(grain="month").frame.row(-1, named=True)
    assert found["flags"] == ["incomplete", "like_for_like"]
    assert found["value"] == whole["value"] == {"d": 2, "m": 4, "o": 15}[counted[0]]


KPIS = {
    "orders": "order",
    "revenue": "sum(order.amount)",
    "mean": "sum(order.amount) / order",
    "rate": {"formula": "(order where country == 'BR') / order", "format": "percent"},
    "buyers": "distinct(order.country)",
    "middle": "median(order.amount)",
    "growing": "growth(order)",
    "recent": {"formula": "sum(order.amount)", "window": "60d"},
    "places": "rank(order)",
    "means": "avg(sum(order.amount) per country)",
}
SHIFTS = {"previous": "", "year": ", 1y"}


@pytest.mark.parametrize("by", [(), ("country",)], ids=["all", "segments"])
@pytest.mark.parametrize("grain", ["day", "week", "month", "quarter", "year"])
def test_comparisons_are_the_functions_of_the_kpi(grain: str, by: tuple[str, ...]) -> None:
    names = [name for name in KPIS if name not in ("means", "recent")]
    kpis = {name: KPIS[name] for name in names}
    for name, columns in COMPARISONS.items():
        for what, column in zip(("previous", "change", "growth"), columns.all, strict=False):
            kpis |= {f"{kpi}_{column}": f"{what}({kpi}{SHIFTS[name]})" for kpi in names}
    found = project(kpis).run(grain=grain, since="2026-02-10", by=by, compare=list(COMPARISONS)).frame
    for name in names:
        mine = found.filter(kpi=name)
        for columns in COMPARISONS.values():
            for column in columns.all[:3]:
                assert mine[column].to_list() == found.filter(kpi=f"{name}_{column}")["value"].to_list(), (name, column)


def test_a_scorecard_has_the_change_on_the_period_before() -> None:
    found = project(KPIS).run()
    assert found.compare == ("previous",)
    orders = found.frame.row(by_predicate=pl.col("kpi") == "orders", named=True)
    assert (orders["value"], orders["previous"], orders["change"]) == (30, 31, -1)
    means = found.frame.row(by_predicate=pl.col("kpi") == "means", named=True)
    assert (means["value"], means["previous"]) == (57.5, 65)
    assert project(KPIS).run(compare="none").columns == found.columns[:-4]
    assert project(KPIS).run(grain="month").columns == found.columns[:-4]
    assert not {"previous", "change"} & set(found.trend.columns)


def test_a_window_is_held_against_the_one_that_ends_where_it_begins_beyond_the_trend_too() -> None:
    row = project(KPIS).run("recent").frame.row(0, named=True)
    last = START + timedelta(days=DAYS - 1)
    ends = [(last - timedelta(days=59), last), (last - timedelta(days=119), last - timedelta(days=60))]
    spans = [ROWS.filter(pl.col("day").is_between(*end)) for end in ends]
    now, before = (span["amount"].sum() for span in spans)
    assert (row["value"], row["previous"], row["change"]) == (now, before, now - before)


def test_a_scorecard_of_an_unfinished_period_is_held_against_none() -> None:
    opened = smartkpi.load({"datasets": {"shop": SHOP}, "kpis": {"orders": "order"}}, data={"shop": ROWS.head(10)})
    row = opened.run(compare=["previous", "year"]).frame.row(0, named=True)
    assert row["flags"] == ["incomplete"]
    assert [row[name] for columns in COMPARISONS.values() for name in columns.all] == [None, None, None, []] * 2


def test_totals_and_others_are_compared_too() -> None:
    found = (
        project({"buyers": "distinct(order.amount)"})
        .run(by="country", top=1, total=True, grain="month", since="2026-05", compare="previous,year")
        .frame
    )
    assert found["level"].to_list() == ["segment", "other", "total"]
    assert found["previous"].to_list() == [7, 5, 7]
    assert found["year_ago"].null_count() == 0
    assert found["previous_flags"].to_list() == [["like_for_like"]] * 3


def test_rows_are_ordered_by_growth() -> None:
    march = {"grain": "month", "since": "2026-03", "until": "2026-03", "compare": "previous"}
    found = project(KPIS).run("revenue", by="country", order_by="-growth", **march).frame
    assert found["growth"].to_list() == sorted(found["growth"].to_list(), reverse=True)


def test_what_no_comparison_goes_with_is_noted() -> None:
    everything = project(KPIS).run("orders", grain="all", compare="year")
    assert [note.code for note in everything.diagnostics] == ["no-comparison"]
    assert everything.frame["year_ago"].to_list() == [None]
    assert project(KPIS).run("orders").diagnostics == ()


@pytest.mark.parametrize(
    ("compare", "hint"),
    [
        ("yesteryear", "one of previous, year, none"),
        ("last,year", "one of"),
        ("prevous", "did you mean `previous`?"),
        ("none,year", "alone"),
    ],
)
def test_other_comparisons_are_refused(compare: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        project(KPIS).run(compare=compare)
    assert raised.value.diagnostics[0].code == "unknown-comparison"
    assert hint in raised.value.diagnostics[0].hint


def test_every_format_has_the_comparisons() -> None:
    found = project(KPIS).run("orders", grain="month", since="2026-04", compare="previous,year")
    data = json.loads(render(found, "json", Style()))
    Draft202012Validator(json.loads((find("schemas") / "result.json").read_text("utf-8"))).validate(data)
    assert (data["compare"], data["rows"][0]["change"], data["rows"][1]["year_flags"]) == (
        ["previous", "year"],
        -1,
        ["like_for_like"],
    )
    head = render(found, "csv", Style()).decode().splitlines()[0]
    assert head.endswith("previous,change,growth,previous_flags,year_ago,year_change,year_growth,year_flags")
    assert pl.read_parquet(render(found, "parquet", Style()))["growth"].to_list() == found.frame["growth"].to_list()
    for shown in (render(found, "markdown", Style()).decode(), found._repr_html_(), repr(found)):
        assert "year on year" in shown
        assert "-3.2%" in shown
        assert "like for like" in shown


def test_an_earlier_period_takes_no_further_scan_but_for_parts_that_do_not_add_up() -> None:
    asked = {"grain": "month", "since": "2026-04"}
    one, two = (
        project({"a": "order", "b": "sum(order.amount)"}).run(**asked, compare=c) for c in ("none", "previous,year")
    )
    assert (one.provenance.scans, two.provenance.scans) == (1, 1)
    for compare in ("none", "previous", "previous,year"):
        assert project({"a": "distinct(order.country)"}).run(compare=compare).provenance.scans == 2


def test_explain_shows_how_far_back_is_read(tmp_path: Path) -> None:
    ROWS.write_parquet(tmp_path / "shop.parquet")
    shop = {**SHOP, "read": str(tmp_path / "shop.parquet")}
    opened = smartkpi.load({"datasets": {"shop": shop}, "kpis": {"buyers": "distinct(order.country)"}})
    asked: dict[str, Any] = {"grain": "month", "since": "2026-04-10"}
    for compare, first in (("none", "2026-04-01"), ("previous", "2026-03-01"), ("previous,year", "2025-04-01")):
        assert f'(col("day") >= {first})' in opened.explain("buyers", "polars", **asked, compare=compare)
    plan = opened.explain("buyers", "optimized", **asked, compare="year")
    assert "compared with year = s1" in plan
    assert "back to 1y" in plan
    with pytest.raises(UsageError):
        opened.explain("buyers", compare="then")
