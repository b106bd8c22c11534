"""The oracle's calendar against days and hours looked up by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from tests.oracle.days import (
    Begins,
    hour_of,
    is_listed,
    local_day,
    localize,
    made_of,
    midnight,
    next_hour,
    period_of,
    periods,
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "day", "start", "end"),
    [
        ("UTC", "2026-01-05", "2026-01-05T00:00", "2026-01-06T00:00"),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00", "2018-11-05T02:00"),  # no midnight: 23 h
        ("America/Sao_Paulo", "2018-02-17", "2018-02-17T02:00", "2018-02-18T03:00"),  # 23:00 comes twice: 25 h
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00", "2026-03-29T22:00"),
        ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00", "2026-10-25T23:00"),
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00", "2026-04-05T13:30"),  # 24.5 h
        ("Asia/Kathmandu", "2026-01-05", "2026-01-04T18:15", "2026-01-05T18:15"),
    ],
)
def test_days_begin_at_local_midnight(zone: str, day: str, start: str, end: str) -> None:
    period = period_of("day", date.fromisoformat(day), zone, Begins())
    assert (period.start, period.end) == (utc(start), utc(end))
    assert local_day(period.start, zone) == period.first


@pytest.mark.parametrize(
    ("zone", "day", "count"),
    [
        ("UTC", "2026-01-05", 24),
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("America/Sao_Paulo", "2018-11-04", 23),
        ("America/Sao_Paulo", "2018-02-17", 25),
        ("Australia/Lord_Howe", "2026-04-05", 24),  # the clock goes back within an hour, which lasts 90 minutes
        ("Australia/Lord_Howe", "2026-10-04", 24),  # the hour of the jump lasts 30 minutes
        ("Asia/Kolkata", "2026-01-05", 24),
    ],
)
def test_days_have_so_many_hours(zone: str, day: str, count: int) -> None:
    whole = period_of("day", date.fromisoformat(day), zone, Begins())
    found = [hour for hour in periods("hour", whole.start, whole.end, zone, Begins()) if hour.start < whole.end]
    assert len(found) == count
    assert found[0].start == whole.start
    assert all(a.end == b.start for a, b in zip(found, found[1:], strict=False))


def test_an_hour_that_comes_twice_is_two_hours() -> None:
    zone = "Europe/Berlin"
    assert hour_of(utc("2026-10-25T00:30"), zone) == utc("2026-10-25T00:00")
    assert hour_of(utc("2026-10-25T01:30"), zone) == utc("2026-10-25T01:00")
    assert hour_of(utc("2026-04-04T15:10"), "Australia/Lord_Howe") == utc("2026-04-04T14:00")
    assert next_hour(utc("2026-04-04T14:00"), "Australia/Lord_Howe") == utc("2026-04-04T15:30")
    assert hour_of(utc("2026-10-03T15:40"), "Australia/Lord_Howe") == utc("2026-10-03T15:30")


def test_naive_times_take_the_earlier_and_skip_the_gap() -> None:
    assert localize(datetime(2026, 10, 25, 2, 30), "Europe/Berlin") == utc("2026-10-25T00:30")
    assert localize(datetime(2026, 3, 29, 2, 30), "Europe/Berlin") == utc("2026-03-29T01:30")
    assert midnight(date(2018, 11, 4), "America/Sao_Paulo") == localize(datetime(2018, 11, 4), "America/Sao_Paulo")


def test_periods_of_each_grain() -> None:
    day = date(2026, 2, 15)  # a Sunday
    assert period_of("week", day, "UTC", Begins()).first == date(2026, 2, 9)
    assert period_of("week", day, "UTC", Begins(6)).first == date(2026, 2, 15)
    assert period_of("month", day, "UTC", Begins()).last == date(2026, 2, 28)
    assert period_of("quarter", day, "UTC", Begins()).last == date(2026, 3, 31)
    assert period_of("year", day, "UTC", Begins()).first == date(2026, 1, 1)
    assert [p.first.day for p in periods("week", date(2026, 2, 1), day, "UTC", Begins())] == [26, 2, 9]


def test_years_that_begin_in_another_month() -> None:
    april, february = Begins(month=4), Begins(month=2)
    day = date(2026, 2, 15)
    assert period_of("year", day, "UTC", april).first == date(2025, 4, 1)
    assert period_of("quarter", day, "UTC", april).first == date(2026, 1, 1)
    assert period_of("year", day, "UTC", february).last == date(2027, 1, 31)
    assert period_of("quarter", day, "UTC", february).last == date(2026, 4, 30)


def test_periods_that_a_calendar_lists() -> None:
    begins = Begins(lists=(("retail", (date(2026, 2, 1), date(2026, 3, 1), date(2026, 4, 5))),))
    assert period_of("retail", date(2026, 3, 31), "UTC", begins).first == date(2026, 3, 1)
    assert not is_listed("retail", date(2026, 4, 5), "UTC", begins)
    assert [p.first.month for p in periods("retail", date(2026, 2, 9), date(2027, 1, 1), "UTC", begins)] == [2, 3]
    assert made_of("retail", "week", Begins(6, lists=begins.lists))
    assert not made_of("retail", "week", begins)
