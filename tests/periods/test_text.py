"""Periods to text and back, and what is said of wrong ones."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartkpi.diagnostics import KpiError
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.periods.text import parse_date, parse_key, parse_moment, parse_period, period_text, weeks_in
from tests.periods.test_calendar import DATED, calendars, days, instants


@given(calendars, days, st.sampled_from(DATED))
def test_a_period_text_comes_back(calendar: Calendar, day: date, grain: Grain) -> None:
    key = calendar.key(grain, day)
    text = period_text(calendar, grain, key)
    assert parse_key(calendar, text) == (grain, key)
    assert parse_period(calendar, text) == (grain, *calendar.days(grain, key))


@given(calendars, instants)
def test_an_hour_text_comes_back(calendar: Calendar, instant: datetime) -> None:
    hour = calendar.hour(instant)
    assert parse_key(calendar, period_text(calendar, Grain.HOUR, hour)) == (Grain.HOUR, hour)


def test_hours_that_come_twice_have_their_offset() -> None:
    calendar = Calendar("Europe/Berlin")
    texts = [period_text(calendar, Grain.HOUR, h) for h in calendar.keys(Grain.HOUR, *[date(2026, 10, 25)] * 2)]
    assert texts[1:5] == ["2026-10-25T01", "2026-10-25T02+02:00", "2026-10-25T02+01:00", "2026-10-25T03"]


@given(calendars, st.integers(1970, 2060))
def test_a_year_has_52_or_53_weeks_and_week_1_holds_its_4th_day(calendar: Calendar, year: int) -> None:
    assert weeks_in(calendar, year) in (52, 53)
    _, first, end = parse_period(calendar, f"{year}-W01")
    assert first <= date(year, 1, 4) < end
    assert first.weekday() == calendar.week_start


def test_monday_weeks_are_those_of_iso() -> None:
    for day in (date(2020, 12, 31), date(2021, 1, 3), date(2026, 1, 1), date(2024, 12, 30)):
        year, week, _ = day.isocalendar()
        assert period_text(Calendar(), Grain.WEEK, Calendar().key(Grain.WEEK, day)) == f"{year}-W{week:02}"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("2026-13", "2026 has no month 13", "its months run from 1 to 12"),
        ("2026-Q5", "2026 has no quarter 5", "its quarters run from 1 to 4"),
        ("2025-W53", "2025 has no week 53", "its weeks run from 1 to 52"),
        ("2026-02-30", "2026-02 has no day 30", "its days run from 01 to 28"),
        ("2026-01-05T25", "there is no hour 25", "hours run from 00 to 23"),
        ("2026-1", "", "write `2026-01`"),
        ("2026/1/5", "", "write `2026-01-05`"),
        ("Q1 2026", "", "write `2026-Q1`"),
        ("01/2026", "", "write `2026-01`"),
        ("5.1.2026", "", "a date is written year-month-day: 2026-01-05"),
        ("last month", "", "periods: 2026, 2026-Q1, 2026-01, 2026-W05, 2026-01-05, 2026-01-05T10"),
        ("9999", "the year 9999 is out of range", "years run from 0001 to 9998"),
        ("0000", "the year 0000 is out of range", "years run from 0001 to 9998"),
        ("all", "it has no first and last day", "name a year, quarter, month, week, day or hour"),
    ],
)
def test_a_wrong_period_says_why(text: str, message: str, hint: str) -> None:
    with pytest.raises(KpiError) as caught:
        parse_period(Calendar(), text)
    (found,) = caught.value.diagnostics
    assert found.code == "bad-period"
    assert found.message == f"`{text}` does not name a period" + (f": {message}" if message else "")
    assert found.hint == hint


def test_a_skipped_hour_is_refused() -> None:
    with pytest.raises(KpiError, match="the clock of Europe/Berlin skips that hour"):
        parse_period(Calendar("Europe/Berlin"), "2026-03-29T02")


def test_moments() -> None:
    calendar = Calendar("Asia/Kolkata")
    assert parse_date(" 2026-01-05 ") == date(2026, 1, 5)
    assert parse_moment(calendar, "2026-01-05") == date(2026, 1, 5)
    assert parse_moment(calendar, "2026-01-05T10:00") == datetime(2026, 1, 5, 4, 30, tzinfo=UTC)
    assert parse_moment(calendar, "2026-01-05T10:00Z") == datetime(2026, 1, 5, 10, tzinfo=UTC)
    for wrong in ("2026-01", "yesterday", "2026-01-05T99", "2026-02-31"):
        with pytest.raises(KpiError, match="bad-period"):
            parse_moment(calendar, wrong)


@given(st.text(max_size=14))
def test_any_text_gives_a_period_or_bad_period(text: str) -> None:
    with suppress(KpiError):
        parse_key(Calendar(), text)
