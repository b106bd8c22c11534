"""Where goals may end, asked as a user asks: worked examples over days of data, and projectors of one's own."""

from __future__ import annotations

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
    weekly = stand(days, goal)
    historic = stand(days, {**goal, "evidence": {"projection": "historic"}})
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
