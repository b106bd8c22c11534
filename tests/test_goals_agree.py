"""Goals over drawn rows agree with a plain reading of their formulas, rows looped over in Python: where they stand,
where they may end, and how likely they are to hit."""

from __future__ import annotations

from datetime import date, timedelta
from math import isclose
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import smartkpi
from tests.oracle import projected

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
        "part": {"formula": "count(won where person == 'A') / won", "direction": "higher"},
        "people": {"formula": "distinct(won.person)", "direction": "lower"},
        "recent": {"formula": "won", "window": "7d", "direction": "higher"},
    },
    "goals": {
        name: {"start": START.isoformat(), "deadline": DEADLINE.isoformat(), "evidence": {"min_sample": 0}, **goal}
        for name, goal in {
            "total": {"kpi": "wins", "target": 40},
            "parts": {"kpi": "wins", "by": {"person": TARGETS}},
            "ratio": {"kpi": "rate", "target": 2, "baseline": 0.5},
            "share": {"kpi": "part", "target": 0.4, "baseline": 0.1, "commitment": "aspirational"},
            "budget": {"kpi": "people", "target": 2},
            "level": {"kpi": "recent", "target": 12, "baseline": 2},
            "scoped": {"kpi": "wins", "target": 15, "where": {"person": "A"}},
            "weeks": {
                "kpi": "wins",
                "over": "each week",
                "target": 3,
                "allow_misses": 2,
                "start": "2026-01-12",
                "deadline": "2026-02-22",
            },
        }.items()
    },
}

rows = st.lists(
    st.tuples(st.integers(0, 55), st.sampled_from("ABC"), st.sampled_from([1, 1, 2])), min_size=1, max_size=120
)


def status_of(
    pace: float | None,
    done: int,
    chance: float | None = None,
    attained: float = 1.0,
    sure: tuple[float, float] = (0.7, 0.3),
) -> str | None:
    """Return the status, None where it hangs on the last digit of a probability."""
    if done < 3 or done / DAYS < 0.1:
        return "too_early"
    if chance is not None:
        if any(abs(chance - one) < 1e-6 for one in sure) or abs(attained - 0.95) < 1e-8:
            return None
        return "on_track" if chance >= sure[0] else "off_track" if chance < sure[1] and attained < 0.95 else "at_risk"
    if pace is None:
        return "no_data"
    pace = round(pace, 9)
    return "on_track" if pace >= 0.95 else "at_risk" if pace >= 0.8 else "off_track"


def by_day(days: list[date], first: date | None, as_of: date) -> dict[date, float]:
    """Return how many of some rows each day has, from the first one on."""
    found = {} if first is None else {first + DAY * i: 0.0 for i in range((as_of - first).days + 1)}
    for day in days:
        found[day] += 1
    return found


def agrees(row: dict[str, Any], estimate: tuple[float, ...] | None) -> None:
    """Hold an estimate to the row; a probability has two digits there."""
    assert (row["projection"] is None) is (estimate is None), row
    if estimate is not None:
        assert isclose(row["projection"], estimate[0], rel_tol=1e-9, abs_tol=1e-9), (row, estimate)
        assert abs(row["p"] - estimate[1]) <= 0.005 + 1e-6, (row, estimate)


@given(rows, st.integers(0, 34))
def test_values_paces_and_statuses(drawn: list[tuple[int, str, int]], late: int) -> None:
    as_of = START + late * DAY
    done, left = late + 1, DAYS - late - 1
    seen = [(FIRST + day * DAY, person, kind) for day, person, kind in drawn if FIRST + day * DAY <= as_of]
    won = [(day, person) for day, person, kind in seen if kind == 1]
    mine = [(day, person) for day, person in won if day >= START]
    lost = [day for day, _, kind in seen if kind == 2]
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
        goal: str, segment: str | None, value: float | None, expected: float, pace: float | None, status: str | None
    ) -> None:
        row = got[goal, segment]
        for name, wanted in (("value", value), ("expected", expected), ("pace", pace)):
            assert (row[name] is None) is (wanted is None), (goal, name, row[name], wanted)
            assert wanted is None or isclose(row[name], wanted, rel_tol=1e-9, abs_tol=1e-9), (goal, name)
        assert status is None or row["status"] == status, (goal, row)

    def hold_total(goal: str, segment: str | None, days: list[date], target: float) -> None:
        value, expected = sum(day >= START for day in days), target * done / DAYS
        history = by_day(days, min(days, default=None), as_of)
        estimate = projected.total(history, as_of, left, value, target)
        agrees(got[goal, segment], estimate)
        status: str | None = "achieved"
        if value < target:
            status = status_of(value / expected, done, *((estimate[1], estimate[0] / target) if estimate else ()))
        hold(goal, segment, value, expected, value / expected, status)

    hold_total("total", None, [day for day, _ in won], 40)
    hold_total("scoped", None, [day for day, person in won if person == "A"], 15)
    if {"A", "B"} <= {person for _, person in won}:
        hold_total("parts", None, [day for day, _ in won], 40)
        for person, target in TARGETS.items():
            hold_total("parts", person, [day for day, one in won if one == person], target)
    people = len({person for _, person in mine})
    burn = people / 2 / (done / DAYS)
    pace = None if burn == 0 else 1 / burn
    verdict = "missed" if people > 2 else status_of(1.0 if burn == 0 else pace, done)
    hold("budget", None, people, 2 * done / DAYS, pace, verdict)
    recent = sum(as_of - 7 * DAY < day for day, _ in won)
    expected = 2 + 10 * done / DAYS
    hold("level", None, recent, expected, (recent - 2) / (expected - 2), status_of((recent - 2) / (expected - 2), done))
    hold_weeks(got["weeks", None], [day for day, _ in won], as_of)
    hold_ratio(got["ratio", None], [day for day, _ in won], lost, as_of)
    hold_share(got["share", None], won, as_of)


def hold_weeks(row: dict[str, Any], won: list[date], as_of: date) -> None:
    """Hold a goal for each of six weeks to the row: those that are over, the current one, and those before."""
    week, start = 7 * DAY, date(2026, 1, 12)
    counts = {start + i * week: sum(start + i * week <= day < start + (i + 1) * week for day in won) for i in range(6)}
    over = [first for first in counts if first + week - DAY <= as_of]
    kept = sum(counts[first] >= 3 for first in over)
    assert (row["kept"], row["counted"]) == (kept, len(over))
    misses, left = len(over) - kept, 6 - len(over)
    if misses > 2 or misses + left <= 2 or as_of < start:
        assert (row["p"], row["method"]) == (None, None) or misses <= 2
        return
    before = [sum(start - week <= day < start for day in won)] if won and min(won) < start else []
    past = [*before, *(counts[first] for first in over)][-max(6, left) :]
    running, today = None, start + len(over) * week
    if won and as_of >= today:
        history = by_day(won, min(won), as_of)
        so_far = sum(today <= day <= as_of for day in won)
        found = projected.total(history, as_of, (today + week - as_of).days - 1, so_far, 3)
        running = None if found is None else 1.0 if so_far >= 3 else found[1]
    if len(past) < 3:
        assert row["method"] is None
        return
    later = left - (running is not None)
    mean, chance = projected.periods_kept(sum(one >= 3 for one in past), len(past), running, later, 4 - kept)
    assert row["method"] == "periods"
    assert row["projection"] == pytest.approx(kept + mean, abs=1e-6)
    assert row["p"] == pytest.approx(chance, abs=0.005 + 1e-6)
    wanted = status_of(None, 6, chance, (kept + mean) / 4)
    assert wanted is None or row["status"] == wanted


def hold_ratio(row: dict[str, Any], won: list[date], lost: list[date], as_of: date) -> None:
    """Hold a ratio of counts to the row: it may be secured, whatever comes."""
    done = (as_of - START).days + 1
    mine, theirs = (sum(day >= START for day in days) for days in (won, lost))
    if not theirs:
        assert row["status"] == "no_data"
        return
    expected = 0.5 + 1.5 * done / DAYS
    pace = (mine / theirs - 0.5) / (expected - 0.5)
    first = min(*won, *lost) if won else min(lost)
    over, under = by_day(won, first, as_of), by_day(lost, first, as_of)
    estimate = projected.rate(over, under, as_of, DAYS - done, (mine, theirs), 2)
    agrees(row, estimate)
    later = estimate[2] if estimate else theirs * (DAYS - done) / done
    need = (2 * (theirs + later) - mine) / later
    attained = (estimate[0] - 0.5) / 1.5 if estimate else 1.0
    verdict = "on_track" if need <= 0 else status_of(pace, done, estimate[1] if estimate else None, attained)
    assert row["value"] == pytest.approx(mine / theirs, rel=1e-9)
    assert row["pace"] == pytest.approx(pace, rel=1e-9)
    assert row["required"] == pytest.approx(need, rel=1e-6, abs=1e-9)
    assert abs(need) < 1e-9 or verdict is None or row["status"] == verdict


def hold_share(row: dict[str, Any], won: list[tuple[date, str]], as_of: date) -> None:
    """Hold a share of rows to the row: its rest lies between none and all of them."""
    done, days = (as_of - START).days + 1, [day for day, _ in won]
    ours = [day for day, person in won if person == "A"]
    hits, trials = (sum(day >= START for day in some) for some in (ours, days))
    if not trials:
        assert row["status"] == "no_data"
        return
    first, wanted = min(days), 0.1 + 0.3 * done / DAYS
    over, under = by_day(ours, first, as_of), by_day(days, first, as_of)
    estimate = projected.share(over, under, as_of, DAYS - done, (hits, trials), 0.4)
    agrees(row, estimate)
    later = estimate[2] if estimate else trials * (DAYS - done) / done
    need = (0.4 * (trials + later) - hits) / later
    assert row["required"] == pytest.approx(need, rel=1e-6, abs=1e-9)
    if min(abs(need), abs(need - 1)) < 1e-9:
        return
    pace = (hits / trials - 0.1) / (wanted - 0.1)
    attained = (estimate[0] - 0.1) / 0.3 if estimate else 1.0
    verdict = status_of(pace, done, estimate[1] if estimate else None, attained, (0.5, 0.15))
    verdict = "on_track" if need <= 0 else "off_track" if need > 1 else verdict
    assert verdict is None or row["status"] == verdict, row
