"""Derive: zero fill, coverage, segments, the scorecard, states, n, exact money."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from smartkpi import resources
from smartkpi import result as result_module
from smartkpi.derive import tidy
from smartkpi.derive.derive import derive
from smartkpi.diagnostics import KpiError
from smartkpi.engines.answer import PERIOD, Answer, Coverage
from smartkpi.language.types import NULL
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Output, Range
from smartkpi.semantics.formula import Literal
from smartkpi.spec.model import Covers
from tests.derive.plans import (
    AMOUNT,
    apply,
    column,
    component,
    covered,
    dataset,
    frame,
    number,
    plan_of,
    result,
    run,
    step,
    value,
)

JAN, FEB, MAR, APR = (date(2026, m, 1) for m in (1, 2, 3, 4))
VISIT, ORDER = component("visit"), component("order")
RATIO = step("s0", apply("/", value("c1"), value("c0")), ("c0", "c1"))
BOTH = {"c0": VISIT, "c1": ORDER}
YEAR_START = covered(JAN, date(2026, 3, 31))


def test_ratio_over_months_with_zero_fill_and_division_by_zero() -> None:
    answers = frame({JAN: {"c0": 10, "c1": 1}, MAR: {"c0": None, "c1": 2}})
    found = run(plan_of(BOTH, [RATIO]), YEAR_START, answers)
    assert column(found, "value") == [0.1, None, None]
    assert column(found, "state") == ["ok", "undefined", "undefined"]
    assert column(found, "n") == [10, 0, 0]
    assert column(found, "flags") == [[], [], []]
    assert column(found, "reason") == [None] + ["`visit` has no rows: division by zero"] * 2
    assert [s.date() for s in column(found, "start")] == [JAN, FEB, MAR]
    assert [s.date() for s in column(found, "end")] == [FEB, MAR, APR]


def test_columns_and_types_are_those_of_a_result() -> None:
    plan = plan_of(BOTH, [RATIO], by=("country",), calendar=Calendar("Asia/Kolkata"))
    found = run(plan, YEAR_START, frame([{PERIOD: JAN, "country": "BR", "c0": 1, "c1": 1}])).frame
    leading, trailing = result_module.LEADING, result_module.TRAILING
    assert found.columns == [*leading, "country", *trailing]
    when = pl.Datetime("us", "Asia/Kolkata")
    assert dict(found.schema) == {
        **dict.fromkeys(found.columns, pl.String()),
        "start": when,
        "end": when,
        "value": pl.Float64(),
        "money": pl.Decimal(38, 6),
        "n": pl.Int64(),
        "flags": pl.List(pl.String),
    }
    row = json.loads((resources.find("schemas") / "result.json").read_text("utf-8"))["$defs"]["row"]["properties"]
    assert set(tidy.STATES) == set(row["state"]["enum"])
    assert list(tidy.FLAGS) == [flag for flag in row["flags"]["items"]["enum"] if flag in tidy.FLAGS]


def test_a_period_cut_by_the_as_of_is_incomplete() -> None:
    answers = frame({JAN: {"c0": 4, "c1": 1}, FEB: {"c0": 4, "c1": 1}})
    found = run(plan_of(BOTH, [RATIO], as_of=date(2026, 2, 10)), covered(JAN, date(2026, 2, 10)), answers)
    assert column(found, "flags") == [[], ["incomplete"]]
    assert found.as_of["kpi_s0"] == datetime(2026, 2, 10, 23, 59, 59, 999999, tzinfo=UTC)


def test_uncovered_periods_have_no_data_even_for_counts() -> None:
    log = dataset("log", ("visit", "order"), covers=Covers(FEB, date(2026, 2, 15)))
    plan = plan_of(BOTH, [step("s0", value("c0"), ("c0",))], datasets=[log])
    found = run(plan, YEAR_START, frame({JAN: {"c0": 4}, FEB: {"c0": 3}, MAR: {"c0": 2}}))
    assert column(found, "value") == [None, 3, None]
    assert column(found, "state") == ["no_data", "ok", "no_data"]
    assert column(found, "flags") == [["incomplete"]] * 3
    assert column(found, "reason") == ["not covered by data", None, "not covered by data"]


def test_a_silent_dataset_is_stale() -> None:
    days = [date(2026, 1, d) for d in (1, 3, 5, 31)]
    plan = plan_of({"c0": VISIT}, [step("s0", value("c0"), ("c0",))], as_of=date(2026, 3, 10))
    known = covered(JAN, JAN, days=days, edge=datetime(2026, 2, 1, tzinfo=UTC))
    found = run(plan, known, frame({JAN: {"c0": 4}}))
    assert column(found, "flags") == [[], ["incomplete", "stale"], ["incomplete", "stale"]]
    assert column(found, "state") == ["ok", "no_data", "no_data"]
    assert found.datasets["log"] == {
        "first": date(2026, 1, 1),
        "last": date(2026, 1, 31),
        "rows": 100,
        "left_out": {},
        "unmatched": {},
        "stale": True,
    }
    inside = run(plan_of({"c0": VISIT}, plan.steps, as_of=date(2026, 2, 26)), known, frame({JAN: {"c0": 4}}))
    assert column(inside, "value") == [4, 0]
    assert column(inside, "flags") == [[], ["incomplete"]]


@pytest.mark.parametrize(("gaps", "expected"), [(None, ["ok", "no_data", "ok"]), ("zero", ["ok", "ok", "ok"])])
def test_counted_datasets_cover_days_with_a_row(gaps: str | None, expected: list[str]) -> None:
    log = dataset("log", ("visit",), counted=True, gaps=gaps)
    steps = [step("s0", value("c0"), ("c1",))]
    components = {"c0": component("visit", "weight"), "c1": VISIT}
    first = date(2026, 1, 1)
    answers = frame({first: {"c0": 7, "c1": 1, "c0_null": 0}, first + timedelta(2): {"c0": 5, "c1": 2, "c0_null": 1}})
    known = covered(first, first + timedelta(2), days=[first, first + timedelta(2)])
    found = run(plan_of(components, steps, Grain.DAY, datasets=[log]), known, answers, grain=Grain.DAY)
    assert column(found, "state") == expected
    assert column(found, "value")[0] == 7
    incomplete = [[], [] if gaps else ["incomplete"], ["incomplete"]]
    assert column(found, "flags") == incomplete


def test_a_null_count_alone_is_no_data_not_zero() -> None:
    log = dataset("log", ("visit",), counted=True)
    components = {"c0": component("visit", "weight"), "c1": VISIT}
    answers = frame({JAN: {"c0": None, "c1": 1, "c0_null": 1}}, c0=pl.Int64)
    plan = plan_of(components, [step("s0", value("c0"), ("c1",))], Grain.DAY, datasets=[log])
    found = run(plan, covered(JAN, JAN), answers, grain=Grain.DAY)
    assert column(found, "state") == ["no_data"]
    assert column(found, "reason") == ["counts are missing"]


def test_segments_begin_at_their_first_row_and_run_to_the_end() -> None:
    rows = [
        {PERIOD: JAN, "country": "BR", "c0": 4, "c1": None},
        {PERIOD: FEB, "country": "CN", "c0": None, "c1": 2},
        {PERIOD: FEB, "country": None, "c0": 1, "c1": 1},
        {PERIOD: JAN, "country": "other event", "c0": None, "c1": None},
    ]
    found = run(plan_of(BOTH, [RATIO], by=("country",)), YEAR_START, frame(rows)).frame
    assert list(zip(found["start"].dt.month(), found["country"], strict=True)) == [
        (1, "BR"),
        (2, None),
        (2, "BR"),
        (2, "CN"),
        (3, None),
        (3, "BR"),
        (3, "CN"),
    ]
    assert found["value"].to_list() == [0, 1, None, None, None, None, None]
    assert found["level"].unique().to_list() == ["segment"]


def test_since_and_until_choose_periods_and_what_came_before_still_counts_as_presence() -> None:
    answers = frame({JAN: {"c0": 4, "c1": 1}})
    asked = Range(date(2026, 2, 14), date(2026, 3, 1))
    found = run(plan_of(BOTH, [RATIO], asked=asked), YEAR_START, answers)
    assert [s.date() for s in column(found, "start")] == [FEB]
    nothing = run(plan_of(BOTH, [RATIO], asked=Range(date(2027, 1, 1), None)), YEAR_START, answers)
    assert nothing.frame.is_empty()


def test_without_any_row_there_is_one_row() -> None:
    counts = step("s1", value("c0"), ("c0",))
    found = run(plan_of(BOTH, [counts, RATIO]), YEAR_START, frame({JAN: {"c1": 1}}))
    assert found.frame.filter(kpi="kpi_s1").select("value", "state").rows() == [(0, "ok")]
    assert found.frame.filter(kpi="kpi_s1")["start"].dt.month().to_list() == [3]
    scorecard = run(
        plan_of(BOTH, [counts], scorecard=True, as_of=date(2026, 3, 5)), YEAR_START, frame({JAN: {"c1": 1}})
    )
    assert column(scorecard, "start")[0].date() == FEB
    assert scorecard.trend.height == 1


def test_a_dataset_without_rows_has_no_data_and_no_place() -> None:
    found = run(plan_of(BOTH, [RATIO]), {"log": Coverage("log", (), None, 0)})
    assert found.frame.select("start", "end", "value", "state", "flags").rows() == [
        (None, None, None, "no_data", ["incomplete"])
    ]
    assert found.as_of == {"kpi_s0": None}
    asked = run(plan_of(BOTH, [RATIO], asked=Range(JAN, MAR)), {"log": Coverage("log", (), None, 0)})
    assert [s.date() for s in column(asked, "start")] == [FEB]
    assert run(plan_of(BOTH, [RATIO], by=("country",)), {"log": Coverage("log", (), None, 0)}).frame.is_empty()


def test_scorecard_shows_the_last_complete_period_and_thirteen_of_trend() -> None:
    first = date(2024, 6, 1)
    keys = Calendar().keys(Grain.MONTH, first, date(2026, 3, 10))
    answers = frame({key: {"c0": 10, "c1": i} for i, key in enumerate(keys)})
    found = run(plan_of(BOTH, [RATIO], scorecard=True), covered(first, date(2026, 3, 10)), answers)
    assert [s.date() for s in column(found, "start")] == [FEB]
    assert found.trend.height == 13
    assert found.trend["start"][0].date() == date(2025, 2, 1)
    assert found.trend["value"].to_list() == [i / 10 for i in range(8, 21)]
    daily = run(
        plan_of(BOTH, [RATIO], Grain.DAY, scorecard=True),
        YEAR_START,
        frame({JAN + timedelta(i): {"c0": 1, "c1": 1} for i in range(90)}),
        grain=Grain.DAY,
    )
    assert daily.trend.height == 29
    assert column(daily, "start")[0].date() == date(2026, 3, 31)


def test_scorecard_without_a_complete_period_shows_the_last_one_flagged() -> None:
    known = covered(JAN, JAN + timedelta(8))
    found = run(plan_of(BOTH, [RATIO], scorecard=True), known, frame({JAN: {"c0": 2, "c1": 1}}))
    assert found.frame.select("value", "flags").rows() == [(0.5, ["incomplete"])]


def test_scorecard_passes_over_a_period_with_a_null_count() -> None:
    log = dataset("log", ("visit",), counted=True)
    components = {"c0": component("visit", "weight"), "c1": VISIT}
    answers = frame({JAN: {"c0": 3, "c1": 1, "c0_null": 0}, FEB: {"c0": 3, "c1": 2, "c0_null": 1}})
    plan = plan_of(components, [step("s0", value("c0"), ("c1",))], datasets=[log], scorecard=True)
    found = run(plan, covered(JAN, date(2026, 2, 28)), answers)
    assert column(found, "start")[0].date() == JAN
    assert column(found, "flags") == [[]]


def test_each_kpi_has_the_as_of_of_its_own_datasets() -> None:
    web, shop = dataset("web", ("visit",)), dataset("shop", ("order",))
    steps = [step("s0", value("c0"), ("c0",)), step("s1", value("c1"), ("c1",)), RATIO]
    steps[2] = step("s2", RATIO.formula, ("c0", "c1"))
    plan = plan_of(BOTH, steps, datasets=[web, shop], reads={"s0": ("web",), "s1": ("shop",)})
    known = covered(JAN, date(2026, 1, 31), "web") | covered(JAN, date(2026, 3, 31), "shop")
    found = run(plan, known, frame({JAN: {"c0": 4}}), frame({MAR: {"c1": 1}}))
    rows = found.frame.select("kpi", pl.col("start").dt.month(), "value", "state", "flags").rows()
    stale = ["incomplete", "stale"]
    assert rows == [
        ("kpi_s0", 1, 4, "ok", []),
        ("kpi_s1", 3, 1, "ok", []),
        ("kpi_s2", 1, 0, "ok", []),
        ("kpi_s2", 2, None, "no_data", stale),
        ("kpi_s2", 3, None, "no_data", stale),
    ]


def test_one_event_of_two_datasets_is_added_up() -> None:
    web, phone = dataset("web", ("order",)), dataset("phone", ("order",))
    components = {"c0": ORDER, "c1": component("order", "min"), "c1_n": ORDER}
    steps = [step("s0", value("c0"), ("c0",)), step("s1", value("c1"), ("c0",), reads=("c1_n",))]
    plan = plan_of(components, steps, by=("agent",), datasets=[web, phone])
    known = covered(JAN, date(2026, 1, 31), "web") | covered(JAN, date(2026, 1, 31), "phone")
    kinds = {"agent": pl.String}
    one = frame([{PERIOD: JAN, "agent": None, "c0": 4, "c1": 2.5, "c1_n": 4}], **kinds)
    two = frame([{PERIOD: JAN, "agent": None, "c0": 3, "c1": 1.5, "c1_n": 3}], **kinds)
    found = run(plan, known, one, two)
    assert found.frame.select("value", "n").rows() == [(7, 7), (1.5, 7)]


def test_grain_all_is_one_period_from_coverage_to_as_of() -> None:
    plan = plan_of(BOTH, [RATIO], Grain.ALL)
    found = run(plan, YEAR_START, pl.DataFrame({"c0": [8], "c1": [2]}), grain=Grain.ALL)
    assert found.frame.select(pl.col("start", "end").dt.date(), "value", "flags").rows() == [(JAN, APR, 0.25, [])]
    cut = plan_of(BOTH, [RATIO], Grain.ALL, asked=Range(FEB, date(2026, 5, 1)))
    later = run(cut, YEAR_START, pl.DataFrame({"c0": [8], "c1": [2]}), grain=Grain.ALL)
    assert later.frame.select(pl.col("start", "end").dt.date(), "flags").rows() == [
        (FEB, date(2026, 5, 1), ["incomplete"])
    ]


def test_hours_of_the_day_when_the_clock_goes_back() -> None:
    calendar = Calendar("Europe/Berlin")
    hours = calendar.keys(Grain.HOUR, date(2026, 10, 25), date(2026, 10, 25))
    answers = frame({hours[0]: {"c0": 1}, hours[3]: {"c0": 2}}, **{PERIOD: pl.Datetime("us", "UTC")})
    plan = plan_of({"c0": VISIT}, [step("s0", value("c0"), ("c0",))], Grain.HOUR, calendar=calendar)
    known = covered(*[date(2026, 10, 25)] * 2, edge=calendar.midnight(date(2026, 10, 26)))
    found = run(plan, known, answers, grain=Grain.HOUR)
    assert column(found, "value") == [1, 0, 0, 2, *[0] * 21]
    assert [start.astimezone(UTC) for start in column(found, "start")] == hours
    assert column(found, "flags") == [[]] * 25


def test_hours_run_to_the_end_of_the_last_day_asked_for() -> None:
    asked = Range(date(2026, 1, 2), date(2026, 1, 3))
    steps = [step("s0", value("c0"), ("c0",))]
    first = datetime(2026, 1, 1, tzinfo=UTC)
    answers = frame({first: {"c0": 1}}, **{PERIOD: pl.Datetime("us", "UTC")})
    plan = plan_of({"c0": VISIT}, steps, Grain.HOUR, asked=asked)
    found = run(plan, covered(JAN, date(2026, 1, 9)), answers, grain=Grain.HOUR)
    assert column(found, "start") == [first + timedelta(hours=24 + n) for n in range(24)]
    silent = run(plan_of({"c0": VISIT}, steps, Grain.HOUR, asked=asked, as_of=date(2025, 1, 1)), covered(JAN, JAN))
    assert column(silent, "start") == [first + timedelta(hours=47)]  # no row, and all of it after the as-of


def test_exact_money_through_sums_differences_choices_and_references() -> None:
    big, small = Decimal("90071992547409.930001"), Decimal("0.100000")
    components = {
        "c0": component("order", "sum", AMOUNT),
        "c0_n": ORDER,
        "c1": component("visit", "sum", AMOUNT),
        "c1_n": VISIT,
    }
    total = apply("+", value("c0", AMOUNT), value("c1", AMOUNT), kind=AMOUNT)
    steps = [
        step("s0", total, ("c0_n",), AMOUNT, reads=("c0_n", "c1_n")),
        step("s1", apply("neg", result("s0", AMOUNT), kind=AMOUNT), ("c0_n",), AMOUNT),
        step("s2", apply("coalesce", value("c0", AMOUNT), number(0), kind=AMOUNT), ("c0_n",), AMOUNT),
        step("s3", apply("/", value("c0", AMOUNT), value("c0_n"), kind=AMOUNT), ("c0_n",), AMOUNT),
        step("s4", apply("-", value("c0", AMOUNT), value("c1", AMOUNT), kind=AMOUNT), ("c0_n",), AMOUNT),
    ]
    answers = frame({JAN: {"c0": big, "c1": small, "c0_n": 3, "c1_n": 5}}, c0=pl.Decimal(38, 6), c1=pl.Decimal(38, 6))
    found = run(plan_of(components, steps), covered(JAN, date(2026, 1, 31)), answers)
    assert column(found, "money") == [big + small, -big - small, big, None, big - small]
    assert column(found, "value")[:3] == [float(big + small), float(-big - small), float(big)]
    assert column(found, "n") == [8, 8, 3, 3, 3]
    assert set(column(found, "unit")) == {"money"}
    assert set(column(found, "currency")) == {"BRL"}


def test_unavailable_kpis_have_one_row_with_the_reason() -> None:
    outputs = (
        Output("gone", None, Grain.MONTH, (), "no dataset provides `click`"),
        Output("kpi_s0", "s0", Grain.MONTH, ("log",)),
    )
    plan = plan_of(BOTH, [RATIO], by=("country",), outputs=outputs, scorecard=True)
    found = run(plan, YEAR_START, frame([{PERIOD: JAN, "country": "BR", "c0": 2, "c1": 1}]))
    row = found.frame.row(0, named=True)
    assert (row["kpi"], row["state"], row["reason"]) == ("gone", "unavailable", "no dataset provides `click`")
    assert [row[name] for name in ("start", "end", "country", "value", "n", "unit", "status")] == [None] * 7
    assert row["flags"] == []
    assert found.trend["kpi"].unique().to_list() == ["kpi_s0"]


def test_too_many_cells_are_refused_before_they_are_made() -> None:
    rows = [{PERIOD: JAN, "country": str(i), "c0": 1, "c1": 1} for i in range(40)]
    plan = plan_of(BOTH, [RATIO], by=("country",))
    with pytest.raises(KpiError) as caught:
        derive(plan, Answer({Grain.MONTH: (frame(rows),)}, YEAR_START, 1), limit=119)
    (found,) = caught.value.diagnostics
    assert found.code == "too-many-cells"
    assert found.message == (
        "the answer would have 120 cells, more than 119: "
        "1 KPI, 3 periods of grain `month` for each of 40 segments by country"
    )
    assert derive(plan, Answer({Grain.MONTH: (frame(rows),)}, YEAR_START, 1), limit=120).frame.height == 120
    ancient = frame([{PERIOD: datetime(1, 2, 1, tzinfo=UTC), "c0": 1, "c1": 1}], **{PERIOD: pl.Datetime("us", "UTC")})
    with pytest.raises(KpiError, match="too-many-cells"):
        run(plan_of(BOTH, [RATIO], Grain.HOUR), covered(JAN, JAN), ancient, grain=Grain.HOUR)


def test_an_unknown_reason_is_named_by_the_formula() -> None:
    logs = step("s0", apply("ln", value("c0")), ("c1",))
    nested = step("s1", apply("/", number(1), result("s0")), ("c1",))
    chosen = step(
        "s2", apply("if", apply("<", value("c0"), number(1)), Literal(value=None, type=NULL), number(1)), ("c1",)
    )
    by_kpi = step("s3", apply("/", number(1), result("s4")), ("c1",))
    counted = step("s4", value("c0"), ("c1",))
    plan = plan_of(BOTH, [logs, nested, chosen, by_kpi, counted])
    found = run(plan, covered(JAN, date(2026, 1, 31)), frame({JAN: {"c0": 0, "c1": 1}}))
    assert column(found, "reason") == [
        "division by zero or undefined function",
        "division by zero or undefined function",
        "null by its formula",
        "`kpi_s4` is 0: division by zero",
        None,
    ]
