"""Targets for periods against what periods did before: by hand, and through the rules that read data."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

import smartkpi
from smartkpi.assess.bygone import compare, moving
from smartkpi.assess.smart import Finding
from smartkpi.periods.grain import Grain


def test_without_a_whole_season_periods_are_held_against_as_many_before() -> None:
    """Of two targets the last is two ahead: 10, 20, 30, 40, 50, 60 change by 3, 2, 5/3, 3/2 over two periods."""
    asked = compare([10, 20, 30, 40, 50, 60], {1: 75, 2: 120}, Grain.MONTH, proportion=False)
    assert asked is not None
    assert (asked.lag, asked.seasonal) == (2, False)
    assert asked.growths == pytest.approx((3, 2, 5 / 3, 3 / 2))
    assert asked.needs == (75 / 50, 120 / 60)
    assert (asked.prior, asked.target) == (55, 97.5)
    assert asked.error == 0  # each change is 20


def test_with_one_the_same_period_of_the_year_before_is_compared() -> None:
    line = [float(100 + i % 12) for i in range(12)] + [float(110 + i % 12) for i in range(12)]
    asked = compare(line, {1: 121, 2: 122}, Grain.MONTH, proportion=False)
    assert asked is not None
    assert (asked.lag, asked.seasonal, len(asked.growths)) == (12, True, 12)
    assert asked.needs == pytest.approx((121 / 110, 122 / 111))
    assert asked.error == 0


def test_where_a_value_is_no_more_than_zero_changes_are_differences() -> None:
    asked = compare([0, 1, 0, 1, 2], {1: 4}, Grain.YEAR, proportion=False)
    assert asked is not None
    assert (asked.differs, asked.needs, asked.growths) == (True, (2,), (1, -1, 1, 1))
    assert asked.error == pytest.approx(1 / 2**0.5)  # the spread of 1, -1, 1, 1 is 1


def test_a_period_without_a_value_is_not_compared() -> None:
    assert compare([1.0, None, 2.0, None], {1: 4}, Grain.MONTH, proportion=False) is None
    asked = compare([1.0, 2.0, 3.0, None, 4.0, 5.0, 6.0], {1: 7}, Grain.MONTH, proportion=True)
    assert asked is not None
    assert asked.growths == (1, 1, 1, 1)


def test_sums_and_ratios_over_several_periods() -> None:
    assert moving([1, 2, None, 4, 5], None, 2) == [3, None, None, 9]
    assert moving([1, 2, 3], [10, 10, 0], 2) == [3 / 20, 5 / 10]
    assert moving([1, 2], [0, 0], 1) == [None, None]


MONTHS = [date(2022 + i // 12, i % 12 + 1, 1) for i in range(48)]
SALES = [100 + 20 * (i % 12 == 11) + (2, -1, 3, -3, 1)[i % 5] for i in range(48)]
"""Four years of about a hundred sales a month, a fifth more in December."""


def found(goal: dict[str, Any], until: int = 48) -> dict[str, Finding]:
    """Return what is said of a goal over counted months of 2022 to 2025, as far as they are known."""
    frame = pl.DataFrame({"month": MONTHS[:until], "sales": SALES[:until], "visits": [1000] * until})
    project = {
        "datasets": {
            "shop": {
                "time": "month",
                "every": "month",
                "events": {"sale": {"count": "sales"}, "visit": {"count": "visits"}},
            }
        },
        "kpis": {
            "sales": {"formula": "sale", "direction": "higher"},
            "rate": {"formula": "sale / visit", "format": "percent", "direction": "higher"},
        },
        "goals": {"it": {"kpi": "sales", "owner": "Ana", "why": "x", **goal}},
    }
    report = smartkpi.load(project, data={"shop": frame}).check(smart=True, data=True)
    assert report.smart is not None, report.diagnostics
    return {one.rule.code: one for one in report.smart[0].findings}


FIRST_QUARTER = {"start": "2026-01-01", "deadline": "2026-03-31"}
YEAR = {"start": "2026-01-01", "deadline": "2026-12-31", "over": "each month"}


def test_a_total_over_counted_months() -> None:
    """Each month is known, so nothing is left unsaid: 300 is usual, 360 came never, 250 comes anyway."""
    marks = {code: one.mark for code, one in found({**FIRST_QUARTER, "target": 360}).items()}
    assert [marks[code] for code in ("M5", "M7", "A1", "A2", "A3", "A4")] == ["pass"] * 3 + ["warn", "pass", "pass"]
    assert "never happened" in found({**FIRST_QUARTER, "target": 360})["A2"].message
    assert "the same months a year before" in found({**FIRST_QUARTER, "target": 360})["A2"].message
    assert found({**FIRST_QUARTER, "target": 250})["A3"].mark == "warn"
    assert found({**FIRST_QUARTER, "target": 300})["A2"].mark == "pass"


def test_a_ratio_over_counted_months() -> None:
    got = found({**FIRST_QUARTER, "kpi": "rate", "target": "13%"})
    assert [got[code].mark for code in ("M5", "M7", "A2", "A3")] == ["pass", "pass", "warn", "pass"]
    assert found({**FIRST_QUARTER, "kpi": "rate", "target": "10.05%", "baseline": "10%"})["M5"].mark == "warn"


def test_december_is_compared_with_december() -> None:
    """A fifth more in December is no growth: asked for in each month it is."""
    usual = {f"2026-{month:02}": 120 if month == 12 else 100 for month in range(1, 13)}
    fine = found({"periods": usual, "allow_misses": 8})
    assert fine["A2"].mark == "pass"
    high = found({**YEAR, "target": 120})
    assert high["A2"].mark == "warn"
    assert high["A2"].message.startswith("a typical month takes +1")
    assert "the same month a year before" in high["A2"].message


def test_misses_that_are_allowed_make_it_easier() -> None:
    """Half of the months before had 101 and more: in all twelve it is rare, in all but eleven it comes anyway."""
    assert found({**YEAR, "target": 85})["A3"].mark == "warn"
    eleven = found({**YEAR, "target": 101, "allow_misses": 11})
    assert eleven["A3"].mark == found({**YEAR, "target": 85})["A3"].mark
    assert found({**YEAR, "target": 101})["A3"].mark == "pass"


def test_a_change_that_chance_makes_too() -> None:
    got = found({**YEAR, "target": 102.5})
    assert got["M5"].mark == "warn"
    assert "chance" in got["M5"].message
    assert found({**YEAR, "target": 120})["M5"].mark == "pass"


def test_a_short_past_says_what_it_takes() -> None:
    got = found({"periods": {"2024-03": 130, "2024-04": 130}}, until=6)
    assert {got[code].mark for code in ("M5", "A2", "A3", "A4")} == {"unknown"}
    assert got["A4"].message.startswith("before the goal there are 6 whole months of data")
    assert got["A4"].message.endswith("takes 25")  # the last two of them 20 and 21 months ahead, and three to compare
    near = found({"periods": {"2022-07": 130}}, until=6)
    assert near["A2"].mark == "warn"
    assert near["A2"].message.split(", ")[0].endswith("over the month before")


def test_what_few_periods_all_did_is_not_called_certain() -> None:
    got = found({"periods": {"2022-07": 90}}, until=6)["A3"]
    assert got.mark == "unknown"
    assert got.message == "each time of 5 before it came to as much: whether it always does takes 19"


def test_a_goal_that_has_missed_too_often_is_lost() -> None:
    got = found({"periods": {"2025-10": 500, "2025-11": 1, "2026-01": 1}})["A1"]
    assert (got.mark, got.message[-18:]) == ("fail", "allow_misses` is 0")
