"""Cohorts: how they are asked for and shown, and a plain count of drawn rows."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import Any

import jsonschema
import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import smartkpi
from smartkpi.report.render import render
from smartkpi.report.style import Style
from smartkpi.resources import find

START = datetime(2026, 1, 1)
ROWS = """ts,event,buyer,country,amount
2026-01-01T10:00,order,a,BR,10
2026-01-05T10:00,order,b,BR,20
2026-01-20T10:00,order,c,US,30
2026-02-01T10:00,order,a,US,40
2026-02-03T10:00,order,d,US,5
2026-03-03T10:00,order,b,BR,7
2026-03-04T10:00,order,d,BR,7
2026-04-10T10:00,order,a,BR,7
"""
FIELDS = {"amount": {"is": "amount", "unit": "money", "currency": "EUR"}}
LOG = {
    "time": "ts",
    "fields": FIELDS,
    "events": {"order": 'event == "order"', "signup": 'event == "signup"'},
}
COHORTS = {
    "buyers": {"label": {"en": "Buyers", "zh": "买家"}, "of": "buyer", "start": "order", "return": "order"},
    "spending": {"of": "buyer", "start": "order", "return": "order", "value": "sum(order.amount)"},
}


def project(rows: pl.DataFrame | None = None, **more: Any) -> smartkpi.Project:
    frame = pl.read_csv(ROWS.encode(), try_parse_dates=True) if rows is None else rows
    return smartkpi.load({"datasets": {"log": LOG}, "cohorts": COHORTS, **more}, data={"log": frame})


def cells(result: smartkpi.Result, measure: str) -> dict[tuple[str, int | None], Any]:
    rows = (row for row in result.to_dicts() if row["measure"] == measure)
    return {(row["start"].strftime("%Y-%m-%d"), row["age"]): row["value"] for row in rows}


def test_a_cohort_is_who_began_in_a_period() -> None:
    result = project().run("buyers")
    assert {start[:7]: n for (start, _), n in cells(result, "cohort_size").items()} == {
        "2026-01": 3,
        "2026-02": 1,
        "2026-03": 0,
        "2026-04": 0,
    }
    shares = cells(result, "retention")
    assert shares["2026-01-01", 0] == 1
    assert shares["2026-01-01", 1] == pytest.approx(1 / 3)
    assert shares["2026-01-01", 2] == pytest.approx(1 / 3)
    assert shares["2026-01-01", 3] is None  # April is not over
    assert shares["2026-02-01", 1] == 1
    amounts = cells(project().run("spending"), "returned")
    assert [amounts["2026-01-01", age] for age in range(4)] == [60, 40, 7, None]


def test_what_is_not_over_is_marked_and_empty() -> None:
    rows = [row for row in project().run("buyers").to_dicts() if row["age"] == 2 and row["measure"] == "retention"]
    assert [row["flags"] for row in rows][:2] == [[], ["immature"]]
    assert [row["state"] for row in rows][:2] == ["ok", "no_data"]
    assert rows[1]["reason"] == "not over yet"
    text = render(project().run("buyers"), "table", Style()).decode()
    assert "· not over yet" in text
    assert "100.00%" in text
    assert "█" in text


def test_a_cohort_of_nobody_has_no_shares_and_one_without_rows_says_so_once() -> None:
    line = next(x for x in render(project().run("buyers"), "table", Style()).decode().splitlines() if "2026-03" in x)
    assert line.split() == ["2026-03", "0", "–", "·", "·"]
    lost = {"label": "Lost", "of": "buyer", "start": "lost", "return": "lost"}
    opened = project(events={"lost": {"fields": {"buyer": {}}}}, cohorts={"c": lost})
    notes = [x for x in render(opened.run("c"), "table", Style()).decode().splitlines() if "no dataset" in x]
    assert notes == ["Lost: unavailable: no dataset provides `lost`"]


def test_segments_are_those_of_the_beginning() -> None:
    result = project().run("buyers", by="country", total=True, since="2026-01", until="2026-01")
    rows = {row["country"]: row["value"] for row in result.to_dicts() if row["kpi"] == "retention(buyers, 1)"}
    assert rows == {"BR": 0.5, "US": 0, None: pytest.approx(1 / 3)}


def test_other_formats_are_tidy() -> None:
    result = project().run("buyers")
    assert result.columns[:3] == ["kpi", "age", "measure"]
    lines = render(result, "csv", Style()).decode().splitlines()
    assert lines[0].startswith("kpi,age,measure,grain,start,end,level,value")
    assert any(
        line.startswith('"retention(buyers, 1)",1,retention,month,2026-02-01,2026-03-01,total,1,') for line in lines
    )
    data = json.loads(render(result, "json", Style()))
    jsonschema.validate(data, json.loads((find("schemas") / "result.json").read_text("utf-8")))
    assert data["cohort"]["retention"]["1"] == "retention(buyers, 1)"
    assert "| month | size | 0 | 1 | 2 |" in render(result, "markdown", Style()).decode()
    page = result._repr_html_()
    assert "background:rgba" in page
    assert "买家" in render(result, "table", Style(lang="zh")).decode()
    narrow = render(result, "table", Style(width=40)).decode().splitlines()
    assert all(len(line) <= 44 for line in narrow)


@pytest.mark.parametrize("event", ["first order by buyer", "order where amount > 0", "order then order as b by buyer"])
def test_what_returns_may_be_what_it_begins_with(event: str) -> None:
    once = {"of": "buyer", "start": "one", "return": "one"}
    cohorts = {"c": once, "s": {**once, "value": "sum(one.amount)"}}
    opened = project(events={"one": event}, cohorts=cohorts)
    for optimize in (True, False):
        counts = opened.run("c", optimize=optimize, until="2026-01")
        assert cells(counts, "cohort_size")["2026-01-01", None] == (2 if "then" in event else 3)
        assert cells(counts, "retention")["2026-01-01", 0] == 1
        expected = 10 + 20 if "then" in event else 60
        assert cells(opened.run("s", until="2026-01"), "returned")["2026-01-01", 0] == expected


def test_kpis_name_ages_of_cohorts() -> None:
    kpis = {"second": "retention(buyers, 1)", "old": "retention(buyers, 40)", "share": "returned(buyers, 1) / order"}
    opened = project(kpis=kpis)
    assert opened.check().ok
    frame = opened.run("second", grain="month", until="2026-02").frame
    assert frame["value"].to_list() == [pytest.approx(1 / 3), 1]
    assert opened.run("second").frame["start"].dt.strftime("%Y-%m").to_list() == ["2026-02"]
    assert opened.run("old", grain="month", until="2026-01").frame["state"].to_list() == ["no_data"]


@pytest.mark.parametrize(
    ("formula", "code"),
    [
        ("retention(buyer, 1)", "unknown-cohort"),
        ("retention(buyers)", "wrong-arguments"),
        ("retention(buyers, 1.5)", "wrong-arguments"),
        ("retention(buyers, 9999)", "wrong-arguments"),
        ("retention(buyers, order)", "wrong-arguments"),
        ("cohort_size(buyers, 1)", "wrong-arguments"),
        ("step_rate(buyers, order)", "unknown-funnel"),
        ("buyers", "not-an-event"),
    ],
)
def test_wrong_formulas_are_told(formula: str, code: str) -> None:
    assert [one.code for one in project(kpis={"a": formula}).check().diagnostics] == [code]


@pytest.mark.parametrize("written", [{"of": "byer"}, {"start": "ordr"}, {"return": "ordr"}])
def test_a_wrong_cohort_is_told_once(written: dict[str, str]) -> None:
    told = project(cohorts={"c": {**COHORTS["buyers"], **written}}).check(data=True).diagnostics
    assert {one.code for one in told} <= {"unknown-event", "unknown-field"}
    assert len({(one.message, one.span) for one in told}) == len(told) > 0


def test_a_field_that_is_not_there_is_told_where_it_stands() -> None:
    cohorts = {"c": {**COHORTS["spending"], "value": "sum(order.amont)"}}
    (told,) = project(cohorts=cohorts).check(data=True).diagnostics
    assert (told.message, told.hint) == ("`order` has no column or field `amont`", "did you mean `amount`?")
    assert told.span is not None
    assert told.span.source.text[told.span.start : told.span.end] == "order.amont"


def test_wrong_questions_are_refused() -> None:
    for asked in ({"kpis": ["buyers", "spending"]}, {"kpis": "buyers", "top": 2, "by": "country"}):
        with pytest.raises(smartkpi.KpiError) as error:
            project().run(**asked)
        assert error.value.diagnostics[0].code == "shown-alone"
    with pytest.raises(smartkpi.KpiError) as error:
        project().run("buyers", by="age")
    assert error.value.diagnostics[0].code == "reserved-dimension"


# Drawn rows, counted one by one.


def number(grain: str, day: date) -> int:
    """The number of the period that holds a day; consecutive ones differ by one."""
    match grain:
        case "day":
            return day.toordinal()
        case "week":
            return (day.toordinal() - 1) // 7
        case "quarter":
            return (day.year * 12 + day.month - 1) // 3
        case _:
            return day.year * 12 + day.month - 1


def first_day(grain: str, place: int) -> date:
    match grain:
        case "day":
            return date.fromordinal(place)
        case "week":
            return date.fromordinal(place * 7 + 1)
        case "quarter":
            return date(place // 4, place % 4 * 3 + 1, 1)
        case _:
            return date(place // 12, place % 12 + 1, 1)


moments = st.integers(0, 100 * 24).map(lambda hours: START + timedelta(hours=hours))
events = st.sampled_from(["signup", "order"])
drawn_rows = st.lists(
    st.tuples(moments, events, st.sampled_from(["a", "b", "c", None]), st.integers(1, 9)), min_size=1, max_size=25
)


@settings(phases=(Phase.generate,) if settings().derandomize else tuple(Phase))
@given(drawn_rows, st.sampled_from(["month", "week", "quarter"]), st.sampled_from(["signup", "order"]))
def test_cells_are_those_of_a_plain_count(
    drawn: list[tuple[datetime, str, str | None, int]], grain: str, begin: str
) -> None:
    columns = {"ts": pl.Datetime, "event": pl.String, "buyer": pl.String, "amount": pl.Int64}
    frame = pl.DataFrame(drawn, schema=columns, orient="row")
    cohort = {"of": "buyer", "start": begin, "return": "order", "grain": grain}
    cohorts = {"c": cohort, "s": {**cohort, "value": "sum(order.amount)"}}
    opened = project(frame, cohorts=cohorts)
    counts, amounts = opened.run("c", since="2026-01"), opened.run("s", since="2026-01")
    edge = max(at for at, _, _, _ in drawn)
    starts = {
        who: min(at for at, event, one, _ in drawn if (event, one) == (begin, who))
        for who in ("a", "b", "c")
        if any((event, one) == (begin, who) for _, event, one, _ in drawn)
    }
    sizes, shares = cells(counts, "cohort_size"), cells(counts, "retention")
    added = cells(amounts, "returned")
    found = cells(counts, "returned")
    for start, age in found:
        assert age is not None
        place = number(grain, date.fromisoformat(start))
        members = {who for who, at in starts.items() if number(grain, at.date()) == place}
        assert sizes[start, None] == len(members)
        bought = [
            (who, amount)
            for at, event, who, amount in drawn
            if event == "order" and who in members and at >= starts[who] and number(grain, at.date()) == place + age
        ]
        over = first_day(grain, place + age + 1) <= edge.date()
        returned = len({who for who, _ in bought})
        assert found[start, age] == (returned if over else None)
        assert shares[start, age] == pytest.approx(returned / len(members) if over and members else None)
        assert added[start, age] == (sum(amount for _, amount in bought) if over else None)
