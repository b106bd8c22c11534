"""The project's calendar: which local period a day or an instant falls in. Knows no Polars."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from smartkpi.periods.grain import GRAINS, Grain
from smartkpi.periods.hours import Hours
from smartkpi.periods.listed import Listed

Key = date | datetime

MOST_DAYS = dict(zip(GRAINS, (0, 1, 7, 31, 92, 366, 1 << 30), strict=True))
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
QUARTER_HOUR = timedelta(minutes=15)
TICK = timedelta(microseconds=1)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
FIRST_INSTANT = datetime.min.replace(tzinfo=UTC) + DAY * 2
LAST_INSTANT = datetime.max.replace(tzinfo=UTC) - DAY * 2


@dataclass(frozen=True, slots=True)
class Calendar:
    """Local calendar periods of a zone; weeks begin on ``week_start`` (0 = Monday) and week 1 holds the year's 4th day.

    Years and their quarters begin in the month ``year_start`` (1 = January); ``periods`` are grains whose periods are
    the calendar's own. Days before the first of those and after the last one are two periods more, which have no name.
    ``worked`` are the working hours, if it states some.

    A period's *key* is its first local day (a date); for hours the instant at which it begins (aware, UTC); for
    `all` the key is None, and the functions that take a grain refuse it with a ValueError. An hour of the clock that
    comes twice is two periods. Instants may be aware in any zone; those returned are UTC.
    """

    timezone: str = "UTC"
    week_start: int = 0
    year_start: int = 1
    periods: tuple[Listed, ...] = ()
    worked: Hours | None = None

    @property
    def grains(self) -> tuple[Grain, ...]:
        """All grains that periods may have, from fine to coarse."""
        return (*GRAINS[:-1], *(one.grain for one in self.periods), Grain.ALL)

    def own(self, grain: Grain) -> Listed | None:
        """Return the list of a grain's periods; None where the calendar has none."""
        return next((one for one in self.periods if one.grain is grain), None)

    def is_made_of(self, grain: Grain, part: Grain) -> bool:
        """Return whether each period of a grain is whole periods of another, as far as those are listed."""
        own, parts = self.own(grain), self.own(part)
        if parts is not None and grain not in (part, Grain.ALL):
            ends = {*parts.starts, parts.end}
            days = self.keys(grain, parts.starts[0], parts.end) if own is None else [*own.starts, own.end]
            inside = (day for day in days if isinstance(day, datetime) or parts.has(day))
            return grain.rank > Grain.DAY.rank and all(day in ends for day in inside)
        if own is None or part is grain:
            return grain.is_made_of(part)
        if part is Grain.HOUR:
            return True
        return part is not Grain.ALL and all(self.key(part, day) == day for day in (*own.starts, own.end))

    def most_days(self, grain: Grain) -> int:
        """Return how many days the longest period of a grain has (of an hour: none)."""
        own = self.own(grain)
        return MOST_DAYS[grain] if own is None else max(b - a for a, b in pairwise((*own.starts, own.end))).days

    @property
    def zone(self) -> ZoneInfo:
        """The zone of all periods."""
        return ZoneInfo(self.timezone)

    def local_day(self, instant: datetime) -> date:
        """Return the local day of an aware instant."""
        return _clamp(instant).astimezone(self.zone).date()

    def midnight(self, day: date) -> datetime:
        """Return the instant at which a local day begins: where the clock skips midnight, the first one after it."""
        return self._first_at(datetime.combine(day, time()), 0)

    def instant(self, local: datetime) -> datetime:
        """Return the instant of a naive local time: the earlier of two, and one that is skipped moves by the gap."""
        return self._utc(local, 0)

    def hour(self, instant: datetime) -> datetime:
        """Return the instant at which the clock hour of an instant begins."""
        local = _clamp(instant).astimezone(self.zone)
        return self._first_at(local.replace(minute=0, second=0, microsecond=0, tzinfo=None), local.fold)

    def hours(self, first: datetime, end: datetime) -> list[datetime]:
        """Return the clock hours that begin in [first, end), in order."""
        zone = self.zone
        found: list[datetime] = []
        start = self.hour(first)
        while start < end:
            stop = min(start + DAY, end)
            local = start.astimezone(zone)
            if local.minute == 0 and local.utcoffset() == (stop + HOUR).astimezone(zone).utcoffset():
                count = -((start - stop) // HOUR)
                found.extend(start + HOUR * i for i in range(count))
                start += HOUR * count
            else:  # the clocks change: ask for each hour
                while start < stop:
                    found.append(start)
                    start = self._next_hour(start)
        return [hour for hour in found if hour >= first]

    def key(self, grain: Grain, moment: Key) -> Key:
        """Return the key of the period that holds a local day or an instant (an hour of a day: its first)."""
        if grain is Grain.HOUR:
            return self.hour(moment if isinstance(moment, datetime) else self.midnight(moment))
        day = self.local_day(moment) if isinstance(moment, datetime) else moment
        match grain:
            case Grain.DAY:
                return day
            case Grain.WEEK:
                back = (day.weekday() - self.week_start) % 7
                return day - timedelta(days=back) if day.toordinal() > back else date.min
            case Grain.MONTH:
                return day.replace(day=1)
            case Grain.QUARTER:
                return _add_months(day, -((day.month - self.year_start) % 3))
            case Grain.YEAR:
                return _add_months(day, -((day.month - self.year_start) % 12))
            case _:
                return self._list(grain).key(day)

    def next(self, grain: Grain, key: Key, n: int = 1) -> Key:
        """Return the key of the n-th period after one (before it, where n is negative)."""
        match grain:
            case Grain.HOUR:
                return self._shift_hour(key, n)
            case Grain.DAY | Grain.WEEK:
                return _add_days(key, n * (7 if grain is Grain.WEEK else 1))
            case Grain.MONTH | Grain.QUARTER | Grain.YEAR:
                months = {Grain.MONTH: 1, Grain.QUARTER: 3, Grain.YEAR: 12}[grain]
                return _add_months(key, n * months)
            case _:
                return self._list(grain).next(key, n)

    def previous(self, grain: Grain, key: Key, n: int = 1) -> Key:
        """Return the key of the n-th period before one."""
        return self.next(grain, key, -n)

    def keys(self, grain: Grain, first: date, last: date) -> list[Key]:
        """Return the keys of all periods that hold a local day of first to last, both in, in order."""
        if last < first:
            return []
        if grain is Grain.HOUR:
            return list(self.hours(self.midnight(first), self.midnight(_add_days(last, 1))))
        if grain is Grain.DAY:
            return [date.fromordinal(n) for n in range(first.toordinal(), last.toordinal() + 1)]
        key, end = self.key(grain, first), self.key(grain, last)
        found: list[Key] = []
        while key < end:
            found.append(key)
            key = self.next(grain, key)
        return [*found, end]

    def days(self, grain: Grain, key: Key) -> tuple[date, date]:
        """Return the first local day of a period and the day after its last (of an hour: its day)."""
        first = self.local_day(key) if isinstance(key, datetime) else key
        return first, _add_days(first, 1) if grain is Grain.HOUR else self.next(grain, first)

    def bounds(self, grain: Grain, key: Key) -> tuple[datetime, datetime]:
        """Return the instants at which a period begins and ends (exclusive), in UTC."""
        if isinstance(key, datetime):
            return key.astimezone(UTC), self._next_hour(key.astimezone(UTC))
        return self.midnight(key), self.midnight(self.next(grain, key))

    def whole(self, grain: Grain, edge: datetime) -> tuple[datetime, datetime]:
        """Return the last instant up to an edge, and the first one from it on, at which a period ends."""
        start, end = self.bounds(grain, self.key(grain, edge - TICK))
        return (end if end == edge else start), end

    def _list(self, grain: Grain) -> Listed:
        if (own := self.own(grain)) is None:
            raise ValueError(f"`{grain}` is one period or none of this calendar, it has no keys")
        return own

    def _utc(self, local: datetime, fold: int) -> datetime:
        try:
            return _clamp(local.replace(tzinfo=self.zone, fold=fold).astimezone(UTC))
        except OverflowError:
            return FIRST_INSTANT if local.year < 5000 else LAST_INSTANT

    def _first_at(self, local: datetime, fold: int) -> datetime:
        """Return the instant of a local time; of one that the clock skips, the instant of the skip."""
        early, late = self._utc(local, 1), self._utc(local, 0)
        if early >= late:  # the clock shows it once, or twice
            return early if fold else late
        while late - early > TICK:
            middle = early + (late - early) // 2
            if middle.astimezone(self.zone).replace(tzinfo=None) < local:
                early = middle
            else:
                late = middle
        return late

    def _next_hour(self, key: datetime) -> datetime:
        probe = key + QUARTER_HOUR  # zones shift by no less
        while (following := self.hour(probe)) <= key:
            probe += QUARTER_HOUR
        return following

    def _shift_hour(self, key: Key, n: int) -> datetime:
        hour = self.hour(key if isinstance(key, datetime) else self.midnight(key))
        for _ in range(abs(n)):
            hour = self._next_hour(hour) if n > 0 else self.hour(hour - TICK)
        return hour


PLAIN = Calendar()
"""Months and years as everybody has them, in UTC."""


def _clamp(instant: datetime) -> datetime:
    return min(max(instant, FIRST_INSTANT), LAST_INSTANT)


def _add_days(day: date, n: int) -> date:
    ordinal = min(max(day.toordinal() + n, 1), date.max.toordinal())
    return date.fromordinal(ordinal)


def _add_months(day: date, n: int) -> date:
    """Return the first of the month that lies n months from a day's."""
    year, month = divmod(day.year * 12 + day.month - 1 + n, 12)
    if year > date.max.year:
        return date.max
    return date(year, month + 1, 1) if year >= 1 else date.min
