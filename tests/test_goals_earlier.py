"""Where distinct counts and medians may end, asked as a user asks: as in earlier windows, counted in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from statistics import median
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import smartkpi
from smartkpi.api.failures import UsageError
from tests.oracle import projected

FIRST, DAY = date(2026, 1, 5), timedelta(days=1)
START, DEADLINE = FIRST + DAY * 63, FIRST + DAY * 72
Row = tuple[int, str, int]
Measure = Callable[[Sequence[Row]], float | None]


def buyers(rows: Sequence[Row]) -> float | None:
    return float(len({buyer for _, buyer, _ in rows}))


def middle(rows: Sequence[Row]) -> float | None:
    return median(size for _, _, size in rows) if rows else None


def per_buyer(rows: Sequence[Row]) -> float | None:
    return sum(size for _, _, size in rows) / len({buyer for _, buyer, _ in rows}) if rows else None


def largest(rows: Sequence[Row]) -> float | None:
    return max((float(size) for _, _, size in rows), default=None)


def smallest(rows: Sequence[Row]) -> float | None:
    return min((float(size) for _, _, size in rows), default=None)


KPIS: dict[str, tuple[str, Measure]] = {
    "buyers": ("distinct(sale.buyer)", buyers),
    "middle": ("median(sale.size)", middle),
    "largest": ("max(sale.size)", largest),
    "smallest": ("min(sale.size)", smallest),
    "per_buyer": ("sum(sale.size) / distinct(sale.buyer)", per_buyer),
}


ONE_WAY = ("buyers", "largest", "smallest")


def project_of(rows: Sequence[Row], **goals: dict[str, Any]) -> smartkpi.Project:
    log = {"time": "day", "covers": {"from": FIRST.isoformat(), "to": "2026-12-31"}, "events": {"sale": "all rows"}}
    frame = pl.DataFrame(
        [(FIRST + DAY * day, buyer, size) for day, buyer, size in rows],
        schema={"day": pl.Date, "buyer": pl.String, "size": pl.Int64},
        orient="row",
    )
    kpis = {name: {"formula": formula, "direction": "higher"} for name, (formula, _) in KPIS.items()}
    return smartkpi.load({"datasets": {"log": log}, "kpis": kpis, "goals": goals}, data={"log": frame})


def goal_of(kpi: str, **more: Any) -> dict[str, Any]:
    dates = {"start": START.isoformat(), "deadline": DEADLINE.isoformat()}
    return {"kpi": kpi, "target": 5, "baseline": 0, "evidence": {"min_sample": 0}, **dates, **more}


def pairs_of(rows: Sequence[Row], measure: Measure, apart: int, days: int, done: int) -> list[tuple[float, float]]:
    """Return the values of earlier windows after as many days as are done, and at their ends."""
    found = []
    for number in range(1, 13):
        begin = 63 - apart * number
        early, whole = ([row for row in rows if begin <= row[0] < begin + some] for some in (done, days))
        ends = measure(early), measure(whole)
        if begin >= 0 and early and ends[0] is not None and ends[1] is not None:
            found.append((ends[0], ends[1]))
    return found


sales = st.tuples(st.integers(0, 72), st.sampled_from("ABCDEFGH"), st.integers(1, 9))
drawn = st.lists(
    st.tuples(st.integers(0, 72), st.sampled_from("ABCDEFGH"), st.integers(1, 9)), min_size=20, max_size=90
)


@settings(max_examples=15)  # each asks a project of twelve windows
@given(st.lists(sales, min_size=20, max_size=90), st.integers(3, 9), st.sampled_from(sorted(KPIS)))
def test_values_go_as_in_earlier_windows(rows: list[Row], done: int, kpi: str) -> None:
    rows = [(day, buyer, size) for day, buyer, size in rows if day < 63 + done]
    measure, own = KPIS[kpi][1], [row for row in rows if row[0] >= 63]
    if not own:
        return
    (row,) = project_of(rows, g=goal_of(kpi)).goals(as_of=START + DAY * (done - 1)).to_dicts()
    value = measure(own)
    assert value is not None
    assert row["value"] == pytest.approx(value)
    assert row["required"] is None or kpi == "buyers"  # no rest has a value of its own
    found = projected.as_earlier(pairs_of(rows, measure, 14, 10, done), value, 5, grows=kpi in ONE_WAY)
    assert (row["projection"] is None) is (found is None), row
    if found is not None:
        assert row["projection"] == pytest.approx(found[0])
        chance = 1.0 if kpi in ("buyers", "largest") and value >= 5 else found[1]
        chance = 0.0 if kpi == "smallest" and value < 5 else chance
        assert row["p"] == pytest.approx(chance, abs=0.005 + 1e-6)


def test_each_segment_goes_as_its_own() -> None:
    rows = [(day, "ABCDEFGH"[(day * 3 + i * i) % (2 + i % 7)], 1 + i % 2) for day in range(68) for i in range(6)]
    goal = goal_of("buyers", by={"size": {"1": 5, "2": 4}})
    found = {row["segment"]: row for row in project_of(rows, g=goal).goals(as_of=START + DAY * 4).to_dicts()}
    for name in ("1", "2"):
        mine = [row for row in rows if str(row[2]) == name]
        value = buyers([row for row in mine if row[0] >= 63]) or 0.0
        slow = projected.as_earlier(pairs_of(mine, buyers, 14, 10, 5), value, found[name]["target"], grows=True)
        assert slow is not None
        assert found[name]["method"] == "earlier"
        assert found[name]["projection"] == pytest.approx(max(slow[0], value))


def test_one_of_many_weeks_goes_as_those_before() -> None:
    rows = [(day, f"{day * 7 % (5 + day // 7)}", 1) for day in range(66)]
    weeks = {"kpi": "buyers", "over": "each week", "target": 5, "start": START.isoformat(), "deadline": "2026-04-05"}
    project = project_of(rows, g=weeks)
    (row,) = project.goals(period="2026-W11", as_of=START + DAY * 2).to_dicts()
    pairs = pairs_of(rows, buyers, 7, 7, 3)
    slow = projected.as_earlier(pairs, 2, 5, grows=True)
    assert slow is not None
    assert (row["value"], row["method"], row["history_days"]) == (2, "earlier", 63)
    assert row["projection"] == pytest.approx(slow[0])
    assert row["p"] == pytest.approx(slow[1], abs=0.005)
    (whole,) = project.goals(as_of=START + DAY * 2).to_dicts()
    assert whole["method"] == "periods"


def test_windows_that_all_changed_alike_are_no_certainty() -> None:
    rows = [(day, "ABCD"[day % 4], 9 if day % 7 == 0 else 1) for day in range(68)]
    for kpi, value in (("buyers", 4), ("largest", 9)):
        for target, chance in ((value, 1.0), (value + 1, 1 / 6)):  # four windows, none of which grew after five days
            goal = goal_of(kpi, target=target)
            (row,) = project_of(rows, g=goal).goals(as_of=START + DAY * 4).to_dicts()
            assert (row["value"], row["projection"], row["method"]) == (value, pytest.approx(value), "earlier")
            assert row["p"] == pytest.approx(chance, abs=0.005)


def test_without_enough_windows_there_is_none() -> None:
    rows = [(day, "ABCD"[day % 4], 1) for day in range(66)]
    year = goal_of("buyers", start="2026-01-05", deadline="2026-12-31")
    (row,) = project_of(rows, g=year).goals(as_of=FIRST + DAY * 65).to_dicts()
    assert (row["method"], row["reason"]) == (None, "pace")
    late = goal_of("buyers", start="2026-02-02", deadline="2026-02-11")
    (row,) = project_of(rows, g=late).goals(as_of="2026-02-06").to_dicts()
    assert row["method"] is None


def test_what_if_and_what_it_takes() -> None:
    rows = [(day, f"{day * 5 % (9 + day // 14)}", 1 + day % 4) for day in range(68)]
    for kpi in ("buyers", "middle"):
        project = project_of(rows, g=goal_of(kpi, target=6 if kpi == "buyers" else 2.6))
        day = START + DAY * 4
        now, more = project.goals(as_of=day, what_if="rate=+50%").to_dicts()
        assert (now["what_if"], more["what_if"]) == (None, 0.5)
        if kpi == "buyers":
            assert more["projection"] == pytest.approx(now["value"] + 1.5 * (now["projection"] - now["value"]))
        else:
            rest = 2 * now["projection"] - now["value"]  # half of the days are over
            assert more["projection"] == pytest.approx((now["value"] + 1.5 * rest) / 2)
        if now["needed"] is not None:
            *_, enough = project.goals(as_of=day, what_if=f"rate={now['needed'] * 100 + 0.1:+.4f}%").to_dicts()
            assert enough["status"] == "on_track"
    with pytest.raises(UsageError, match="no estimate says"):
        project_of(rows, g=goal_of("buyers", evidence={"projection": "weekly"})).goals(as_of=day, what_if="rate=+1%")
