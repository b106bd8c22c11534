"""Local days, hours and periods, found by looking at the clock rather than by arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
STEP = timedelta(minutes=15)

Key = date | datetime | None
"""What names a period: its first local day, for an hour the instant at which it begins, for `all` nothing."""


@dataclass(frozen=True)
class Period:
    """A reporting period: the instants [start, end) and the local days first to last, both in."""

    key: Key
    start: datetime
    end: datetime
    first: date
    last: date

    def days(self) -> list[date]:
        return [self.first + DAY * i for i in range((self.last - self.first).days + 1)]


@dataclass(frozen=True)
class Begins:
    """When periods begin: the weekday of weeks, the month of years, and the days of those that a calendar lists.

    The last day of a list is the one after its last period.
    """

    weekday: int = 0
    month: int = 1
    lists: tuple[tuple[str, tuple[date, ...]], ...] = ()

    def listed(self, grain: str) -> tuple[date, ...]:
        return dict(self.lists).get(grain, ())


USUAL = Begins()


def localize(naive: datetime, zone: str) -> datetime:
    """The instant of a naive local time: the earlier of two; one that the clock skips moves on by the gap."""
    return naive.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)


def local_day(instant: datetime, zone: str) -> date:
    return instant.astimezone(ZoneInfo(zone)).date()


@lru_cache(maxsize=100_000)
def midnight(day: date, zone: str) -> datetime:
    """The first instant of a local day, by halving the time between an instant before it and one in or after it."""
    around = datetime.combine(day, time(), UTC)
    before, within = around - 2 * DAY, around + 2 * DAY
    while within - before > TICK:
        middle = before + (within - before) // 2
        if local_day(middle, zone) < day:
            before = middle
        else:
            within = middle
    return within


def is_hour_start(instant: datetime, zone: str) -> bool:
    """Whether the clock shows a full hour, or jumps over one into another hour."""
    now, just_before = (moment.astimezone(ZoneInfo(zone)) for moment in (instant, instant - TICK))
    return now.minute == 0 or now.hour != just_before.hour


@lru_cache(maxsize=100_000)
def hour_of(instant: datetime, zone: str) -> datetime:
    """The instant at which the clock hour of an instant begins; an hour that the clock shows twice is two hours."""
    start = instant.replace(minute=instant.minute // 15 * 15, second=0, microsecond=0)
    while not is_hour_start(start, zone):
        start -= STEP
    return start


def next_hour(hour: datetime, zone: str) -> datetime:
    following = hour + STEP
    while not is_hour_start(following, zone):
        following += STEP
    return following


def first_day(grain: str, day: date, begins: Begins) -> date:
    """The first day of the period of a day: walk back until the day before is in another one."""
    while not starts(grain, day, begins):
        day -= DAY
    return day


def starts(grain: str, day: date, begins: Begins) -> bool:
    """Whether a period begins on a day."""
    if begins.listed(grain):
        return day in begins.listed(grain)
    quarters = {(begins.month - 1 + more) % 12 + 1 for more in (0, 3, 6, 9)}
    return {
        "day": True,
        "week": day.weekday() == begins.weekday,
        "month": day.day == 1,
        "quarter": day.day == 1 and day.month in quarters,
        "year": day.day == 1 and day.month == begins.month,
    }[grain]


def is_listed(grain: str, moment: date | datetime, zone: str, begins: Begins) -> bool:
    """Whether a day or an instant lies in a period of a grain; only a calendar's own leave some out."""
    days = begins.listed(grain)
    day = local_day(moment, zone) if isinstance(moment, datetime) else moment
    return not days or days[0] <= day < days[-1]


def period_of(grain: str, moment: date | datetime, zone: str, begins: Begins) -> Period:
    """The period of a grain that holds a local day or an instant; of a calendar's own else the nearest one."""
    if grain == "hour":
        start = hour_of(moment if isinstance(moment, datetime) else midnight(moment, zone), zone)
        day = local_day(start, zone)
        return Period(start, start, next_hour(start, zone), day, day)
    day = local_day(moment, zone) if isinstance(moment, datetime) else moment
    if days := begins.listed(grain):
        day = min(max(day, days[0]), days[-1] - DAY)
    first = first_day(grain, day, begins)
    after = first + DAY
    while not starts(grain, after, begins):
        after += DAY
    return Period(first, midnight(first, zone), midnight(after, zone), first, after - DAY)


def made_of(grain: str, part: str, begins: Begins = USUAL) -> bool:
    """Whether each period of a grain is a number of whole periods of another."""
    if parts := begins.listed(part):
        days = [parts[0] + DAY * i for i in range((parts[-1] - parts[0]).days)]
        inside = [day for day in days if grain not in ("hour", "all") and starts(grain, day, begins)]
        return grain in (part, "all") or (grain not in ("hour", "day") and {*inside} <= {*parts})
    if days := begins.listed(grain):
        return part == "hour" or all(starts(part, day, begins) for day in days)
    calendar = ("day", "month", "quarter", "year", "all")
    if "hour" in (grain, part):
        return part == "hour"
    if "week" in (grain, part):
        return part == "day" or grain in (part, "all")
    return calendar.index(part) <= calendar.index(grain)


def periods(grain: str, first: date | datetime, last: date | datetime, zone: str, begins: Begins) -> list[Period]:
    """All periods from the one that holds ``first`` to the one that holds ``last``."""
    period, end = (period_of(grain, moment, zone, begins) for moment in (first, last))
    found = []
    while period.start <= end.start:
        found.append(period)
        after = period.end if grain == "hour" else period.last + DAY
        if not is_listed(grain, after, zone, begins):
            break
        period = period_of(grain, after, zone, begins)
    return found
