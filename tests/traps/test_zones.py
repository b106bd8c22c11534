"""Trap 9: week starts off by one, a zone ignored somewhere, hours and days split or merged where the clocks change."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

import smartkpi
from smartkpi.report.csv import render
from smartkpi.report.style import Style

CHANGES = {
    "Asia/Shanghai": date(2018, 3, 25),
    "Asia/Kolkata": date(2018, 3, 25),
    "UTC": date(2018, 3, 25),
    "America/Sao_Paulo": date(2018, 11, 4),
    "Europe/Berlin": date(2018, 3, 25),
    "America/New_York": date(2018, 3, 11),
    "Australia/Lord_Howe": date(2018, 10, 7),
}
BACK = {
    "America/Sao_Paulo": date(2018, 2, 18),
    "Europe/Berlin": date(2018, 10, 28),
    "America/New_York": date(2018, 11, 4),
    "Australia/Lord_Howe": date(2018, 4, 1),
}
AROUND = [*CHANGES.items(), *BACK.items()]
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
LOG = {"time": "at", "events": {"visit": "all rows"}}


def visits(around: date) -> list[datetime]:
    """A visit each quarter of an hour, ten days around a change of the clocks."""
    first = datetime(around.year, around.month, around.day, tzinfo=UTC) - timedelta(days=5)
    return [first + timedelta(minutes=15 * n) for n in range(4 * 24 * 10)]


def opened(zone: str, times: list[datetime], **calendar: Any) -> smartkpi.Project:
    frame = pl.DataFrame({"at": times}, schema={"at": pl.Datetime("us", "UTC")})
    kpis = {"visits": "visit", "two": "visit where hour_of_day(time) == 2"}
    definition = {"calendar": {"timezone": zone, **calendar}, "datasets": {"log": LOG}, "kpis": kpis}
    return smartkpi.load(definition, data={"log": frame})


@pytest.mark.parametrize(("zone", "day"), AROUND)
def test_trap_9_hours_are_those_of_the_clock(zone: str, day: date) -> None:
    times = visits(day)
    found = opened(zone, times).run("visits", grain="hour").frame
    assert found["value"].sum() == len(times)
    local = [time.astimezone(ZoneInfo(zone)) for time in times]
    expected: list[int] = []
    for before, now in pairwise([local[0] - timedelta(hours=1), *local]):
        if now.minute == 0 or now.hour != before.hour:  # an hour begins: one that the clock shows twice is two
            expected.append(0)
        expected[-1] += 1
    assert found["value"].to_list() == expected
    assert found["start"].is_unique().all()
    assert found["end"].to_list()[:-1] == found["start"].to_list()[1:]


@pytest.mark.parametrize(("zone", "day"), AROUND)
def test_trap_9_days_are_local_and_each_is_there_once(zone: str, day: date) -> None:
    times = visits(day)
    expected = Counter(time.astimezone(ZoneInfo(zone)).date() for time in times)
    result = opened(zone, times).run("visits", grain="day")
    assert {start.date(): value for start, value in result.frame.select("start", "value").rows()} == expected
    shown = [line.split(",")[2] for line in render(result, Style()).splitlines()[1:]]
    assert shown == [one.isoformat() for one in sorted(expected)]


@pytest.mark.parametrize("week_start", ["monday", "saturday", "sunday"])
@pytest.mark.parametrize(("zone", "day"), AROUND)
def test_trap_9_weeks_begin_on_their_day(zone: str, day: date, week_start: str) -> None:
    times = visits(day)
    locals_ = [time.astimezone(ZoneInfo(zone)).date() for time in times]
    first = WEEKDAYS.index(week_start)
    expected = Counter(one - timedelta(days=(one.weekday() - first) % 7) for one in locals_)
    found = opened(zone, times, week_start=week_start).run("visits", grain="week").frame
    assert {start.date(): value for start, value in found.select("start", "value").rows()} == expected


@pytest.mark.parametrize(("zone", "day"), AROUND)
def test_trap_9_conditions_and_ranges_are_local_too(zone: str, day: date) -> None:
    times = visits(day)
    local = [time.astimezone(ZoneInfo(zone)) for time in times]
    project = opened(zone, times)
    twos = project.run("two", grain="day", since=day, until=day).frame["value"].item()
    assert twos == sum(one.date() == day and one.hour == 2 for one in local)
    whole = project.run("visits", grain="all", since=day, until=day).frame["value"].item()
    assert whole == sum(one.date() == day for one in local)
    until = project.run("visits", grain="all", as_of=day).frame["value"].item()
    assert until == sum(one.date() <= day for one in local)


def test_trap_9_years_weeks_and_leap_days_are_those_of_the_calendar() -> None:
    days = [date(2019, 12, 25) + timedelta(days=n) for n in range(2_000)]
    times = [datetime(one.year, one.month, one.day, 12, tzinfo=UTC) for one in days]
    for week_start in ("monday", "saturday", "sunday"):
        found = ask(opened("UTC", times, week_start=week_start), "week", "2020-W01", "2025-W01")
        assert set(found.values()) == {7}
        first, second, *_ = found
        assert first <= date(2020, 1, 4) < second
    for month, name in ((4, "april"), (2, "february"), (10, "october")):
        firsts = [date(year, month, 1) for year in range(2020, 2025)]
        found = ask(opened("UTC", times, year_start=name), "year", "FY2020-21", "FY2023-24")
        assert found == {a: (b - a).days for a, b in pairwise(firsts)}
    plain = opened("UTC", times)
    assert ask(plain, "week", "2020-W53", "2020-W53") == {date(2020, 12, 28): 7}
    assert ask(plain, "month", "2024-02", "2024-02") == {date(2024, 2, 1): 29}
    assert ask(plain, "year", "2020", "2021") == {date(2020, 1, 1): 366, date(2021, 1, 1): 365}


def ask(project: smartkpi.Project, grain: str, since: str, until: str) -> dict[date, float]:
    found = project.run("visits", grain=grain, since=since, until=until).frame
    return {start.date(): value for start, value in found.select("start", "value").rows()}
