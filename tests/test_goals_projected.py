"""Where goals may end, asked as a user asks: worked examples over days of data, and projectors of one's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

import smartkpi
from smartkpi.api.failures import UsageError
from smartkpi.assess.daily import Daily
from smartkpi.assess.outlook import Quantiles
from smartkpi.periods.calendar import Calendar
from smartkpi.report.burnup import draw
from smartkpi.report.style import Style, cells

DAY = timedelta(days=1)
KPIS: dict[str, Any] = {
    "revenue": {"formula": "sum(sale.amount)", "direction": "higher"},
    "orders": {"formula": "sale", "direction": "higher"},
    "late_rate": {"formula": "count(sale where late) / sale", "direction": "higher"},
    "size": {"formula": "avg(sale.amount)", "direction": "higher"},
    "price": {"formula": "revenue / sum(sale.pieces)", "direction": "higher"},
    "buyers": {"formula": "distinct(sale.amount)", "direction": "higher"},
    "big": {"formula": "median(sale.amount)", "direction": "higher"},
}


def stand(
    days: Sequence[Sequence[dict[str, Any]]], goal: dict[str, Any], first: date = date(2026, 7, 1), **more: Any
) -> dict[str, Any]:
    """Return how a goal stands after some days of rows."""
    rows = [{"day": first + DAY * i, **row} for i, some in enumerate(days) for row in some]
    events = {"log": {"time": "day", "events": {"sale": "all rows"}}}
    project = smartkpi.load({"datasets": events, "kpis": KPIS, "goals": {"g": goal}}, data={"log": pl.DataFrame(rows)})
    (row,) = project.goals(as_of=first + DAY * (len(days) - 1), **more).to_dicts()
    return row


def test_pace_says_on_track_where_the_days_say_no() -> None:
    goal = {"kpi": "revenue", "target": 920_000, "deadline": "2026-09-30"}
    row = stand([[{"amount": 9500}]] * 46, goal)
    assert (row["value"], row["expected"], row["pace"]) == (437_000, 460_000, 0.95)
    assert (row["required"], row["lift"]) == (10_500, pytest.approx(1.1053, abs=5e-5))
    assert (row["projection"], row["p"], row["method"]) == (874_000, 0, "deterministic")
    assert (row["status"], row["reason"]) == ("at_risk", "probability")


def shares(per_day: Sequence[int]) -> list[list[dict[str, Any]]]:
    return [[{"late": i < late, "amount": 1} for i in range(100)] for late in per_day]


def test_a_share_with_as_many_rows_to_come() -> None:
    goal = {"kpi": "late_rate", "target": 0.05, "baseline": 0, "start": "2026-07-01", "deadline": "2026-09-18"}
    row = stand(shares([5, 4] * 20), goal)
    assert (row["value"], row["n"], row["p"], row["method"]) == (0.045, 4000, 0.02, "share")
    assert row["required"] == pytest.approx(0.055)
    assert row["projection"] == pytest.approx((180 + 4000 * 180.5 / 4001) / 8000)
    assert (row["status"], row["history_days"]) == ("off_track", 35)  # short by more than a little
    row = stand(shares([10, 11] * 20), goal)
    assert (row["required"], row["status"], row["reason"]) == (pytest.approx(-0.005), "on_track", "secured")


def test_a_share_over_a_window_ends_at_all_at_most() -> None:
    goal = {"kpi": "late_rate", "target": 1, "over": "trailing 7d", "start": "2026-07-01", "deadline": "2026-07-21"}
    row = stand(shares([100] * 20 + [60] * 6 + [95] * 44), goal, first=date(2026, 5, 2))
    assert (row["value"], row["method"]) == (0.95, "changes")
    assert row["projection"] <= row["high80"] == 1  # it was at 100 %: differences alone would lead beyond


def test_ratios_of_sums_and_means() -> None:
    days = [[{"amount": 10 + i % 3, "pieces": 2}, {"amount": 20, "pieces": 3 + i % 2}] for i in range(40)]
    for kpi, over, under in (
        ("size", lambda some: sum(one["amount"] for one in some), len),
        ("price", lambda some: sum(one["amount"] for one in some), lambda some: sum(one["pieces"] for one in some)),
    ):
        goal = {"kpi": kpi, "target": 12, "baseline": 5, "start": "2026-07-01", "deadline": "2026-09-08"}
        row = stand(days, goal)
        top, bottom = sum(map(over, days)), sum(map(under, days))
        assert (row["method"], row["history_days"]) == ("rate", 35)
        assert row["value"] == pytest.approx(top / bottom)
        assert row["projection"] == pytest.approx(top / bottom, rel=1e-3)
        assert row["low80"] < row["projection"] < row["high80"]


@pytest.mark.parametrize("kpi", ["buyers", "big"])
def test_what_does_not_add_up_over_days_has_no_estimate(kpi: str) -> None:
    days = [[{"amount": 10 + i % 5}] for i in range(40)]
    row = stand(days, {"kpi": kpi, "target": 30, "baseline": 1, "start": "2026-07-01", "deadline": "2026-09-08"})
    assert (row["projection"], row["p"], row["method"], row["reason"]) == (None, None, None, "pace")


def test_days_before_the_start_tell_too() -> None:
    goal = {"kpi": "orders", "target": 60, "start": "2026-08-20", "deadline": "2026-09-28"}
    days = [[{"amount": 1}] * (1 + (i % 7 < 3)) for i in range(56)]
    row = stand(days, goal)
    assert (row["done"], row["history_days"], row["method"]) == (6, 56, "deterministic")
    assert stand(days, {**goal, "evidence": {"days": 21}})["history_days"] == 21


def test_a_long_history_may_tell_how_estimates_turned_out() -> None:
    days = [[{"amount": 1}] * (5 + (i * 5) % 7 + (i // 40) % 2) for i in range(330)]
    goal = {"kpi": "orders", "target": 800, "start": "2027-04-01", "deadline": "2027-06-30"}
    weekly = stand(days, {**goal, "evidence": {"projection": "weekly"}})
    historic = stand(days, goal)
    assert (weekly["method"], weekly["history_days"]) == ("weekly", 56)
    assert (historic["method"], historic["history_days"]) == ("historic", 330)
    assert historic["projection"] != weekly["projection"]


def test_probability_and_status_of_commitments() -> None:
    days = [[{"amount": 90 + (i * 37) % 23}] for i in range(49)]
    goal = {"kpi": "revenue", "start": "2026-07-01", "deadline": "2026-09-30"}
    for target in (9000, 9250, 9350, 9500, 11_000):
        plain = stand(days, {**goal, "target": target})
        aspired = stand(days, {**goal, "target": target, "commitment": "aspirational"})
        assert plain["p"] == aspired["p"]
        for row, (high, low) in ((plain, (0.7, 0.3)), (aspired, (0.5, 0.15))):
            short = row["projection"] / target < 0.95
            expected = "on_track" if row["p"] >= high else "off_track" if row["p"] < low and short else "at_risk"
            assert row["status"] == expected, (target, row)


def test_a_guardrail_holds_a_likely_goal_down() -> None:
    goal = {"kpi": "orders", "target": 60, "start": "2026-07-01", "deadline": "2026-08-29"}
    row = stand(
        [[{"amount": 7}] * (1 + i % 2) for i in range(30)], {**goal, "guardrails": [{"kpi": "size", "at_most": 5}]}
    )
    assert (row["p"] > 0.7, row["status"], row["reason"]) == (True, "at_risk", "guardrail size")


class Halves:
    """Says that each day to come brings half of the last one, or not that much."""

    def project(self, history: Daily, calendar: Calendar, days: int) -> Quantiles | None:
        assert calendar.zone.key == "UTC"
        last = history.values[history.last]
        return Quantiles({0.1: 0, 0.5: last * days / 2, 0.9: last * days})


def test_a_projector_of_ones_own() -> None:
    goal = {"kpi": "orders", "target": 50, "start": "2026-07-01", "deadline": "2026-07-30"}
    row = stand([[{"amount": 1}] * 2] * 10, goal, projector=Halves())
    assert (row["projection"], row["low80"], row["high80"], row["method"]) == (40, 20, 60, "own")
    assert row["p"] == pytest.approx(0.3)
    assert row["status"] == "at_risk"
    with pytest.raises(UsageError, match="`projector` takes an object with a method"):
        stand([[{"amount": 1}]], goal, projector=lambda: None)


def project_of(goal: dict[str, Any], days: int) -> smartkpi.Project:
    rows = [{"day": date(2026, 7, 1) + DAY * i} for i in range(days) for _ in range(4 + (i * 3) % 5)]
    events = {"log": {"time": "day", "events": {"sale": "all rows"}}}
    kpis = {"orders": KPIS["orders"]}
    return smartkpi.load({"datasets": events, "kpis": kpis, "goals": {"g": goal}}, data={"log": pl.DataFrame(rows)})


def test_what_if_days_bring_more() -> None:
    project = project_of({"kpi": "orders", "target": 580, "deadline": "2026-09-30"}, 46)
    now, more, less = project.goals(what_if=["rate=+20%", "rate=-50%"]).to_dicts()
    assert (now["what_if"], more["what_if"], less["what_if"]) == (None, 0.2, -0.5)
    left = now["projection"] - now["value"]
    assert more["projection"] == pytest.approx(now["value"] + 1.2 * left)
    assert less["projection"] == pytest.approx(now["value"] + 0.5 * left)
    assert less["p"] <= now["p"] <= more["p"]
    assert more["status"] == "on_track"
    assert len(project.goals(what_if="rate=+20%").scores) == len(project.goals().scores)
    for wrong in ("rate=20", "speed=+10%", "rate=-100%", "rate=nan%"):
        with pytest.raises(UsageError, match="nothing that is known"):
            project.goals(what_if=[wrong])
    with pytest.raises(UsageError, match="only what comes"):
        project.goals(what_if="rate=+1%", history=True)
    with pytest.raises(UsageError, match="no estimate says"):
        project.goals(what_if="rate=+1%", as_of="2026-07-10")


@pytest.mark.parametrize(
    ("aim", "target"), [("increase", 600), ("decrease", 600), ("increase", 500), ("decrease", 520)]
)
def test_what_days_must_bring_to_be_on_track(aim: str, target: int) -> None:
    project = project_of({"kpi": "orders", "aim": aim, "target": target, "deadline": "2026-09-30"}, 46)
    (row,) = project.goals().to_dicts()
    assert row["rate"] == pytest.approx(row["value"] / 46)
    enough, closer = (row["needed"] * 100 + slack for slack in ((0.1, -0.1) if aim == "increase" else (-0.1, 0.1)))
    _, over, under = project.goals(what_if=[f"rate={enough:+.4f}%", f"rate={closer:+.4f}%"]).to_dicts()
    assert over["status"] == "on_track"
    assert over["p"] >= 0.7 >= under["p"]


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("unicode", [True, False])
def test_a_goal_is_drawn_no_wider_than_the_reader_shows(width: int, unicode: bool) -> None:
    project = project_of({"kpi": "orders", "target": 600, "deadline": "2026-09-30"}, 46)
    found = project.goals(course=True)
    (one,) = found.standings
    assert one.course is not None
    assert one.course.values[:2] == (0, 4)
    assert (one.course.values[-1], one.course.expected[46], one.course.expected[-1]) == (one.facts.value, 300, 600)
    chart = draw(one, found.kpis["orders"], Style(width=width, unicode=unicode))
    lines = chart.splitlines()
    assert len(lines) >= 12
    assert max(map(cells, lines)) <= width
    assert chart.isascii() is not unicode
    assert "2026-07-01" in chart
    assert "2026-09-30" in chart
    assert project.goals().standings[0].course is None


def test_on_a_page_the_status_stands_before_the_numbers() -> None:
    page = project_of({"kpi": "orders", "target": 600, "deadline": "2026-09-30"}, 46).goals()._repr_html_()
    heads = re.findall(r"<th [^>]*>([^<]*)</th>", page)
    assert heads[:3] == ["goal", "status", "value"]
    assert page.count("<tr>") == 2


def test_pauses_and_the_number_of_segments_are_told() -> None:
    events = {"log": {"time": "at", "events": {"order": "all rows"}}}
    days = pl.date_range(pl.date(2026, 1, 1), pl.date(2026, 3, 1), "1d", eager=True)
    rows = pl.DataFrame({"at": days, "person": [f"p{i % 5}" for i in range(len(days))]})
    goal = {
        "kpi": "orders",
        "by": {"person": {f"p{i}": 20 for i in range(5)}},
        "start": "2026-01-01",
        "deadline": "2026-03-31",
        "revisions": [{"from": "2026-02-20", "stage": "paused"}],
    }
    project = smartkpi.load(
        {"datasets": events, "kpis": {"orders": {"formula": "order", "direction": "higher"}}, "goals": {"g": goal}},
        data={"log": rows},
    )
    shown = repr(project.goals())
    assert "g: paused on 10 days so far; its deadline stays where it is" in shown
    assert shown.count("g: 5 segments were judged") == 1
    assert set(project.goals().frame["paused"]) == {10}
    stated = {**goal, "stage": "paused"}
    project = smartkpi.load(
        {"datasets": events, "kpis": {"orders": {"formula": "order", "direction": "higher"}}, "goals": {"g": stated}},
        data={"log": rows},
    )
    assert set(project.goals().frame["paused"]) == {None}
    assert set(project.goals().frame["status"]) == {"paused"}
