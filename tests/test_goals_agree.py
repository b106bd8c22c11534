"""Goals over drawn rows agree with a plain reading of their formulas, rows looped over in Python."""

from __future__ import annotations

from datetime import date, timedelta
from math import isclose
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import smartkpi

FIRST, DAY = date(2026, 1, 1), timedelta(days=1)
START, DEADLINE = date(2026, 1, 11), date(2026, 2, 19)
DAYS = (DEADLINE - START).days + 1
TARGETS = {"A": 30.0, "B": 10.0}
PROJECT: dict[str, Any] = {
    "datasets": {
        "log": {
            "time": "day",
            "covers": {"from": FIRST.isoformat(), "to": "2026-12-31"},
            "events": {"won": "kind == 1", "lost": "kind == 2"},
        }
    },
    "kpis": {
        "wins": {"formula": "won", "direction": "higher"},
        "rate": {"formula": "won / lost", "direction": "higher"},
        "people": {"formula": "distinct(won.person)", "direction": "lower"},
        "recent": {"formula": "won", "window": "7d", "direction": "higher"},
    },
    "goals": {
        name: {"start": START.isoformat(), "deadline": DEADLINE.isoformat(), "evidence": {"min_sample": 0}, **goal}
        for name, goal in {
            "total": {"kpi": "wins", "target": 40},
            "parts": {"kpi": "wins", "by": {"person": TARGETS}},
            "ratio": {"kpi": "rate", "target": 2, "baseline": 0.5},
            "budget": {"kpi": "people", "target": 2},
            "level": {"kpi": "recent", "target": 12, "baseline": 2},
            "scoped": {"kpi": "wins", "target": 15, "where": {"person": "A"}},
        }.items()
    },
}

rows = st.lists(
    st.tuples(st.integers(0, 55), st.sampled_from("ABC"), st.sampled_from([1, 1, 2])), min_size=1, max_size=120
)


def status_of(pace: float | None, done: int) -> str:
    if done < 3 or done / DAYS < 0.1:
        return "too_early"
    if pace is None:
        return "no_data"
    pace = round(pace, 9)
    return "on_track" if pace >= 0.95 else "at_risk" if pace >= 0.8 else "off_track"


def of_total(value: float, target: float, done: int) -> tuple[float, float, str]:
    expected = target * done / DAYS
    pace = value / expected
    return expected, pace, "achieved" if value >= target else status_of(pace, done)


@given(rows, st.integers(0, 34))
def test_values_paces_and_statuses(drawn: list[tuple[int, str, int]], late: int) -> None:
    as_of = START + late * DAY
    done = late + 1
    seen = [(FIRST + day * DAY, person, kind) for day, person, kind in drawn if FIRST + day * DAY <= as_of]
    won = [(day, person) for day, person, kind in seen if kind == 1]
    mine = [(day, person) for day, person in won if day >= START]
    lost = sum(kind == 2 and day >= START for day, _, kind in seen)
    frame = pl.DataFrame(
        {
            "day": [FIRST + day * DAY for day, _, _ in drawn],
            "person": [person for _, person, _ in drawn],
            "kind": [kind for _, _, kind in drawn],
        },
        schema={"day": pl.Date, "person": pl.String, "kind": pl.Int64},
    )
    project = smartkpi.load(PROJECT, data={"log": frame})
    found = project.goals(as_of=as_of)
    got = {(row["goal"], row["segment"]): row for row in found.to_dicts()}

    def hold(
        goal: str, segment: str | None, value: float | None, expected: float, pace: float | None, status: str
    ) -> None:
        row = got[goal, segment]
        for name, wanted in (("value", value), ("expected", expected), ("pace", pace)):
            assert (row[name] is None) is (wanted is None), (goal, name, row[name], wanted)
            assert wanted is None or isclose(row[name], wanted, rel_tol=1e-9, abs_tol=1e-9), (goal, name)
        assert row["status"] == status, (goal, row)

    hold("total", None, len(mine), *of_total(len(mine), 40, done))
    ours = [person for _, person in mine if person == "A"]
    hold("scoped", None, len(ours), *of_total(len(ours), 15, done))
    if {"A", "B"} <= {person for _, person in won}:
        hold("parts", None, len(mine), *of_total(len(mine), 40, done))
        for person, target in TARGETS.items():
            count = sum(one == person for _, one in mine)
            hold("parts", person, count, *of_total(count, target, done))
    people = len({person for _, person in mine})
    burn = people / 2 / (done / DAYS)
    pace = None if burn == 0 else 1 / burn
    verdict = "missed" if people > 2 else status_of(1.0 if burn == 0 else pace, done)
    hold("budget", None, people, 2 * done / DAYS, pace, verdict)
    recent = sum(as_of - 7 * DAY < day for day, _ in won)
    expected = 2 + 10 * done / DAYS
    hold("level", None, recent, expected, (recent - 2) / (expected - 2), status_of((recent - 2) / (expected - 2), done))
    expected = 0.5 + 1.5 * done / DAYS
    if lost:
        pace = (len(mine) / lost - 0.5) / (expected - 0.5)
        left = (2 * (lost + lost * (DAYS - done) / done) - len(mine)) / (lost * (DAYS - done) / done)
        verdict = "on_track" if left <= 0 else status_of(pace, done)
        assert got["ratio", None]["value"] == pytest.approx(len(mine) / lost, rel=1e-9)
        assert got["ratio", None]["pace"] == pytest.approx(pace, rel=1e-9)
        assert got["ratio", None]["status"] == verdict
    else:
        assert got["ratio", None]["status"] == "no_data"
