"""Working hours: what the clock shows between two instants, in Python and in Polars."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartkpi.engines.polars.hours import seconds_worked
from smartkpi.engines.polars.times import Clock
from smartkpi.periods.hours import Hours, repeats, working_time
from smartkpi.periods.zones import STRIDE, changes
from tests.oracle.hours import Spans, worked

ZONES = (
    *("UTC", "Asia/Shanghai", "Asia/Kolkata", "America/Sao_Paulo", "Europe/Berlin", "America/New_York"),
    *("Australia/Lord_Howe", "America/St_Johns", "Africa/Cairo"),
)
MIDNIGHT = time()
OFFICE = ((time(9), time(18)),)
SPLIT = ((time(8, 30), time(12)), (time(13), time(17, 45)))
ALWAYS = ((MIDNIGHT, None),)
NIGHT = ((MIDNIGHT, time(2, 30)), (time(22), None))
PATTERNS: tuple[Spans, ...] = ((), OFFICE, SPLIT, ALWAYS, NIGHT)
HOUR = timedelta(hours=1)
FIVE_DAYS: list[Spans] = [*[OFFICE] * 5, (), ()]


def since_midnight(at: time | None) -> timedelta:
    return timedelta(days=1) if at is None else timedelta(hours=at.hour, minutes=at.minute)


def hours_of(week: list[Spans], days: dict[date, Spans]) -> Hours:
    def stretches(spans: Spans) -> tuple[tuple[timedelta, timedelta], ...]:
        return tuple((since_midnight(a), since_midnight(b)) for a, b in spans)

    return Hours(tuple(map(stretches, week)), tuple((day, stretches(spans)) for day, spans in sorted(days.items())))


@st.composite
def cases(draw: Any) -> tuple[str, list[Spans], dict[date, Spans], datetime, datetime]:
    """Two instants up to three days apart, near a change of the clock if the zone has one."""
    zone = draw(st.sampled_from(ZONES))
    year = draw(st.integers(2008, 2016))
    moves = [one.at for one in changes(zone, datetime(year, 1, 1), datetime(year, 12, 31))[1]]
    around = draw(st.sampled_from([datetime(year, 2, 28), datetime(year, 12, 31), *moves])).replace(tzinfo=UTC)
    first = around + timedelta(seconds=draw(st.integers(-2 * 86_400, 86_400)))
    last = first + timedelta(seconds=draw(st.integers(0, 3 * 86_400)), microseconds=draw(st.sampled_from((0, 1))))
    week = draw(st.lists(st.sampled_from(PATTERNS), min_size=7, max_size=7))
    near = [around.date() + timedelta(days=n) for n in range(-2, 3)]
    days = draw(st.dictionaries(st.sampled_from(near), st.sampled_from(PATTERNS), max_size=3))
    return zone, week, days, first, last


@given(cases())
def test_working_time_is_what_the_clock_shows(
    case: tuple[str, list[Spans], dict[date, Spans], datetime, datetime],
) -> None:
    zone, week, days, first, last = case
    hours, expected = hours_of(week, days), worked(week, days, zone, first, last)
    assert working_time(hours, zone, first, last) == expected
    assert working_time(hours, zone, last, first) == -expected
    row = pl.DataFrame({"first": [first], "last": [last]}, schema_overrides={"first": UTC_TIME, "last": UTC_TIME})
    clocks = [Clock("aware", pl.col(name), zone) for name in row.columns]
    assert row.select(seconds_worked(clocks[0], clocks[1], hours)).item() == expected.total_seconds()


UTC_TIME = pl.Datetime("us", "UTC")


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("week", [FIVE_DAYS, [ALWAYS] * 7, [NIGHT] * 7], ids=["office", "always", "night"])
def test_naive_times_and_dates_are_local(zone: str, week: list[Spans]) -> None:
    hours = hours_of(week, {date(2026, 1, 1): ALWAYS, date(2026, 4, 3): ()})
    locals_ = [datetime(2025, 12, 20, 1, 17) + timedelta(minutes=1511 * n) for n in range(400)]
    start = date(2025, 12, 19)
    table = pl.DataFrame({"day": [start] * len(locals_), "at": locals_})
    clocks = Clock("date", pl.col("day"), zone), Clock("naive", pl.col("at"), zone)
    found = table.select(seconds_worked(*clocks, hours)).to_series().to_list()
    begin = datetime.combine(start, time(), ZoneInfo(zone))
    known = [working_time(hours, zone, begin, at.replace(tzinfo=ZoneInfo(zone))).total_seconds() for at in locals_]
    assert found == known


def test_a_reply_on_monday_took_the_rest_of_friday_and_its_morning() -> None:
    hours = hours_of(FIVE_DAYS, {})
    asked, replied = (
        datetime(2026, 3, day, hour, tzinfo=ZoneInfo("Asia/Shanghai")) for day, hour in ((6, 17), (9, 10))
    )
    assert working_time(hours, "Asia/Shanghai", asked, replied) == 2 * HOUR


def test_a_holiday_and_a_day_worked_in_its_place_count_as_they_are_listed() -> None:
    hours = hours_of(FIVE_DAYS, {date(2026, 2, 17): (), date(2026, 2, 28): OFFICE})
    zone = ZoneInfo("Asia/Shanghai")
    first, last = datetime(2026, 2, 16, tzinfo=zone), datetime(2026, 3, 2, tzinfo=zone)
    assert working_time(hours, "Asia/Shanghai", first, last) == 10 * 9 * HOUR


@pytest.mark.parametrize(
    ("day", "expected"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 7, 1), 24)]
)
def test_a_day_that_is_all_work_has_as_many_hours_as_pass(day: date, expected: int) -> None:
    zone = ZoneInfo("Europe/Berlin")
    bounds = (datetime.combine(one, time(), zone) for one in (day, day + timedelta(days=1)))
    assert working_time(hours_of([ALWAYS] * 7, {}), "Europe/Berlin", *bounds) == expected * HOUR


def test_office_hours_are_touched_by_no_change_of_the_clock() -> None:
    assert not any(repeats(hours_of(FIVE_DAYS, {}), zone) for zone in ZONES)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Africa/Casablanca", "America/St_Johns"])
def test_changes_are_at_least_a_day_apart(zone: str) -> None:
    span = datetime(2008, 1, 1), datetime(2020, 1, 1)
    assert changes(zone, *span, STRIDE) == changes(zone, *span, timedelta(days=1))


def test_a_missing_time_has_no_working_time() -> None:
    row = pl.DataFrame({"first": [None], "last": [datetime(2026, 1, 1)]}, schema_overrides={"first": pl.Datetime("us")})
    clocks = [Clock("naive", pl.col(name), "UTC") for name in row.columns]
    assert row.select(seconds_worked(clocks[0], clocks[1], hours_of(FIVE_DAYS, {}))).item() is None
