"""Working hours: how much of the time between two instants lies in them. Knows no Polars.

The clock of the zone decides: an instant is working time if the clock shows a time of day in the hours of that day. So
an hour that the clock shows twice counts twice, one that it skips not at all, and no time is worked faster than it
passes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from smartkpi.periods.zones import Change, changes

WEEK = 7
DAY = timedelta(days=1)
NOTHING = timedelta()
FIRST, LAST = (datetime.combine(date(year, 1, 1), time()) for year in (1970, 2100))
"""Between which instants (UTC) a change of the clock within working hours is known."""

Stretch = tuple[timedelta, timedelta]
"""From and until which time of day, since midnight as the clock shows it, work goes on."""


@dataclass(frozen=True, slots=True)
class Hours:
    """The stretches of work of each weekday, from Monday, and of the days that differ, by date."""

    week: tuple[tuple[Stretch, ...], ...]
    days: tuple[tuple[date, tuple[Stretch, ...]], ...] = ()

    def on(self, day: date) -> tuple[Stretch, ...]:
        """Return the stretches of a day, in order."""
        return dict(self.days).get(day, self.week[day.weekday()])

    def until(self, local: datetime) -> timedelta:
        """Return the working time of a clock that never changes, from the first day of all to a local time."""
        day = local.date()
        weeks, weekday = divmod(day.toordinal() - 1, WEEK)
        usual = [length(one) for one in self.week]
        differing = sum((more for other, more in self.differences().items() if other < day), NOTHING)
        since = local - datetime.combine(day, time())
        begun = sum((min(max(since - start, NOTHING), end - start) for start, end in self.on(day)), NOTHING)
        return weeks * sum(usual, NOTHING) + sum(usual[:weekday], NOTHING) + differing + begun

    def differences(self) -> Mapping[date, timedelta]:
        """Return how much more than on its weekday is worked on each day that differs."""
        return {day: length(some) - length(self.week[day.weekday()]) for day, some in self.days}


def length(stretches: tuple[Stretch, ...]) -> timedelta:
    """Return the time of all stretches."""
    return sum((end - start for start, end in stretches), NOTHING)


def working_time(hours: Hours, zone: str, first: datetime, last: datetime) -> timedelta:
    """Return the working time from one aware instant to another, negative where the other is earlier."""
    if last < first:
        return -working_time(hours, zone, last, first)
    begin, end = (one.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for one in (first, last))
    low, high = (one.astimezone(UTC).replace(tzinfo=None) for one in (first, last))
    repeated = sum((more for change, more in repeats(hours, zone) if low < change.at <= high), NOTHING)
    return hours.until(end) - hours.until(begin) + repeated


@lru_cache(maxsize=64)
def repeats(hours: Hours, zone: str) -> tuple[tuple[Change, timedelta], ...]:
    """Return the changes of a zone's clock that show working time twice, and how much (negative: that skip some)."""
    found = ((change, _repeated(hours, change)) for change in changes(zone, FIRST, LAST, DAY)[1])
    return tuple((change, more) for change, more in found if more)


def _repeated(hours: Hours, change: Change) -> timedelta:
    return hours.until(change.at + change.before) - hours.until(change.at + change.after)
