"""Titles of goals: numbers and dates as people write them."""

from __future__ import annotations

from datetime import date

import pytest

from smartkpi.assess.titles import says_date, says_number
from smartkpi.periods.calendar import PLAIN

Q3 = date(2026, 9, 30)
SAID = [
    ("40% by 30 September 2026", 0.4),
    ("40 % by September 30, 2026", 0.4),
    ("920,000 by the end of Q3 2026", 920_000),
    ("920 000 bis 30.09.2026", 920_000),
    ("1.200.000 by 2026-09-30", 1_200_000),
    ("1.2 million by 2026-Q3", 1_200_000),
    ("1.2m by 9/30/2026", 1_200_000),
    ("120 万，2026 年 9 月 30 日前", 1_200_000),
    ("Twenty-six deals by 30 September", 26),
    ("five points more by 30th of September 2026", 0.05),
    ("five percentage points more by 30 Sep 2026", 0.05),
    ("提高 5 个百分点，截至 2026 年第三季度", 0.05),
    ("30 deals by 30 September 2026", 30),
    ("10.5% in September 2026", 0.105),
]
UNSAID = [
    ("Deals by 30 September 2026", 30),
    ("Deals by 30 September 2026", 2026),
    ("4 deals by 30 September 2026", 40),
    ("Twenty deals by 30 September 2026", 26),
]


@pytest.mark.parametrize(("text", "number"), SAID)
def test_what_a_title_says(text: str, number: float) -> None:
    assert says_number(text, number, Q3, PLAIN)
    assert says_date(text, Q3, PLAIN)


@pytest.mark.parametrize(("text", "number"), UNSAID)
def test_what_it_does_not_say(text: str, number: float) -> None:
    assert not says_number(text, number, Q3, PLAIN)


@pytest.mark.parametrize("text", ["by 30 October 2026", "by Q2", "in August 2026", "in 2026", "by 3 September 2026"])
def test_another_date_is_another_goal(text: str) -> None:
    assert not says_date(text, Q3, PLAIN)


def test_a_year_is_said_by_its_number() -> None:
    assert says_date("100 deals in 2026", date(2026, 12, 31), PLAIN)


def test_a_year_in_another_date_is_not_said() -> None:
    assert not says_date("100 deals by 3 March 2026", date(2026, 12, 31), PLAIN)
