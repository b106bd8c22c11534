"""Working time found by looking at the clock, minute by minute, or a quarter of an hour at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from smartkpi.periods.calendar import Calendar

MINUTE, QUARTER = timedelta(minutes=1), timedelta(minutes=15)

Spans = Sequence[tuple[time, time | None]]
"""From which time of day until which, None: the end of the day."""


def worked(
    week: Sequence[Spans],
    days: Mapping[date, Spans],
    zone: str,
    first: datetime,
    last: datetime,
    look: timedelta = MINUTE,
) -> timedelta:
    """The time from an instant to a later one at which the clock shows a time of work, looking so often."""
    found, at = timedelta(), first
    while at < last:
        end = min(at + look - (at - datetime.min.replace(tzinfo=UTC)) % look, last)
        local = at.astimezone(ZoneInfo(zone))
        spans = days.get(local.date(), week[local.weekday()])
        if any(begin <= local.time() and (until is None or local.time() < until) for begin, until in spans):
            found += end - at
        at = end
    return found


@lru_cache(maxsize=1024)
def worked_in(calendar: Calendar, first: datetime, last: datetime) -> float:
    """The working seconds between two instants in a calendar whose hours, and zone, go by quarters of an hour."""
    assert calendar.worked is not None
    week = [spans(one) for one in calendar.worked.week]
    days = {day: spans(one) for day, one in calendar.worked.days}
    return worked(week, days, calendar.timezone, first, last, QUARTER).total_seconds()


def spans(stretches: Sequence[tuple[timedelta, timedelta]]) -> Spans:
    """Stretches since midnight as times of day."""
    ends = [tuple((datetime.min + end) for end in one) for one in stretches]
    return tuple((begin.time(), until.time() if until.day == 1 else None) for begin, until in ends)
