"""The calendar against brute force over the zone's own clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain

ZONES = (
    "UTC",
    "America/Sao_Paulo",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Europe/Berlin",
    "Asia/Shanghai",
    "America/New_York",
)
DATED = (Grain.DAY, Grain.WEEK, Grain.MONTH, Grain.QUARTER, Grain.YEAR)
days = st.dates(date(1990, 1, 1), date(2035, 12, 31))
calendars = st.builds(Calendar, st.sampled_from(ZONES), st.integers(0, 6), st.sampled_from((1, 2, 4, 10)))
instants = st.datetimes(datetime(1990, 1, 1), datetime(2035, 12, 31)).map(lambda t: t.replace(tzinfo=UTC))


@given(calendars, days)
def test_midnight_is_the_first_instant_of_the_local_day(calendar: Calendar, day: date) -> None:
    midnight = calendar.midnight(day)
    assert calendar.local_day(midnight) == day
    assert calendar.local_day(midnight - timedelta(microseconds=1)) < day


@given(calendars, instants)
def test_hour_holds_its_instant(calendar: Calendar, instant: datetime) -> None:
    hour = calendar.hour(instant)
    following = calendar.next(Grain.HOUR, hour)
    assert hour <= instant < following
    assert calendar.previous(Grain.HOUR, following) == hour
    assert calendar.hour(hour) == hour
    local, start = instant.astimezone(calendar.zone), hour.astimezone(calendar.zone)
    assert (local.date(), local.hour) == (start.date(), start.hour)


@settings(max_examples=40)
@given(calendars, days, st.integers(0, 3))
def test_hours_are_those_of_every_quarter_hour(calendar: Calendar, day: date, more: int) -> None:
    first, end = calendar.midnight(day), calendar.midnight(day + timedelta(days=more))
    steps = range(int((end - first) / timedelta(minutes=15)))
    assert calendar.hours(first, end) == sorted({calendar.hour(first + timedelta(minutes=15 * i)) for i in steps})


@pytest.mark.parametrize(
    ("zone", "day", "count"),
    [
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("America/Sao_Paulo", date(2018, 11, 4), 23),  # midnight is skipped
        ("America/Sao_Paulo", date(2018, 2, 17), 25),
        ("Africa/Cairo", date(2024, 4, 26), 23),
        ("Asia/Kolkata", date(2026, 1, 1), 24),
        ("Australia/Lord_Howe", date(2025, 4, 6), 24),  # the hour that is half repeated lasts 90 minutes
        ("Australia/Lord_Howe", date(2025, 10, 5), 24),
    ],
)
def test_hours_of_a_day_of_clock_change(zone: str, day: date, count: int) -> None:
    calendar = Calendar(zone)
    hours = calendar.keys(Grain.HOUR, day, day)
    assert len(hours) == count
    assert hours[0] == calendar.midnight(day)
    assert [calendar.bounds(Grain.HOUR, h)[1] for h in hours] == [
        *hours[1:],
        calendar.midnight(day + timedelta(days=1)),
    ]


def test_hours_after_a_half_hour_shift_are_on_the_clock() -> None:
    calendar = Calendar("Australia/Lord_Howe")
    skipped = datetime(2025, 10, 4, 15, 30, tzinfo=UTC)  # 02:30, the first instant after the shift
    hours = calendar.hours(skipped, skipped + timedelta(hours=30))
    assert hours[:2] == [skipped, skipped + timedelta(minutes=30)]
    assert {h.astimezone(calendar.zone).minute for h in hours[1:]} == {0}


@given(calendars, days, st.sampled_from(DATED))
def test_periods_tile_the_days(calendar: Calendar, day: date, grain: Grain) -> None:
    key = calendar.key(grain, day)
    first, end = calendar.days(grain, key)
    assert first <= day < end
    inside = [first + timedelta(days=i) for i in range((end - first).days)]
    assert {calendar.key(grain, d) for d in inside} == {key}
    assert calendar.key(grain, end) == calendar.next(grain, key) == end
    assert calendar.previous(grain, end) == key
    assert calendar.bounds(grain, key) == (calendar.midnight(first), calendar.midnight(end))


@given(calendars, days, st.integers(0, 800), st.sampled_from(DATED))
def test_keys_are_those_of_each_day(calendar: Calendar, first: date, more: int, grain: Grain) -> None:
    inside = [first + timedelta(days=i) for i in range(more + 1)]
    assert calendar.keys(grain, first, inside[-1]) == sorted({calendar.key(grain, d) for d in inside})


@given(calendars, days, st.integers(-60, 60), st.sampled_from(DATED))
def test_next_steps_one_by_one(calendar: Calendar, day: date, n: int, grain: Grain) -> None:
    key = stepped = calendar.key(grain, day)
    for _ in range(abs(n)):
        stepped = calendar.next(grain, stepped) if n > 0 else calendar.previous(grain, stepped)
    assert calendar.next(grain, key, n) == stepped


def test_weeks_from_a_sunday_and_quarters() -> None:
    calendar = Calendar(week_start=6)
    assert calendar.key(Grain.WEEK, date(2026, 1, 3)) == date(2025, 12, 28)
    assert calendar.key(Grain.QUARTER, date(2024, 2, 29)) == date(2024, 1, 1)
    assert calendar.next(Grain.MONTH, date(2023, 12, 1), 3) == date(2024, 3, 1)


def test_skipped_local_time_moves_by_the_gap_and_repeated_is_the_earlier() -> None:
    calendar = Calendar("Europe/Berlin")
    assert calendar.instant(datetime(2026, 3, 29, 2, 30)) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert calendar.instant(datetime(2026, 10, 25, 2, 30)) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize("zone", ZONES)
def test_ends_of_time_do_not_overflow(zone: str) -> None:
    calendar = Calendar(zone)
    for grain in DATED:
        for day in (date.min, date.max):
            key = calendar.key(grain, day)
            start, end = calendar.bounds(grain, key)
            assert start <= end
            assert calendar.previous(grain, date.min) == date.min


def test_all_has_no_key() -> None:
    with pytest.raises(ValueError, match="one period"):
        Calendar().key(Grain.ALL, date(2026, 1, 1))
