"""Periods that a calendar lists: their names and days, one after the other without a gap."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, timedelta

from smartkpi.periods.grain import Grain

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Listed:
    """The periods of a grain in order: the name and first day of each, the day after the last, and perhaps their year.

    The days before the first period and those after the last one make a period each, without a name.
    """

    grain: Grain
    names: tuple[str, ...]
    starts: tuple[date, ...]
    end: date
    years: tuple[int, ...] = ()

    def place(self, day: date) -> int:
        """Return the number of the period that holds a day, from 0; -1 before the first, their count after the last."""
        return len(self.starts) if day >= self.end else bisect_right(self.starts, day) - 1

    def first(self, place: int) -> date:
        """Return the first day of a period by its number."""
        if place < 0:
            return date.min
        return self.starts[place] if place < len(self.starts) else self.end if place == len(self.starts) else date.max

    def key(self, day: date) -> date:
        """Return the first day of the period that holds a day."""
        return self.first(self.place(day))

    def within(self, day: date) -> date:
        """Return the first day of the period that holds a day, or of the one that is next to it."""
        return self.first(min(max(self.place(day), 0), len(self.starts) - 1))

    def next(self, day: date, n: int = 1) -> date:
        """Return the first day of the n-th period after the one that holds a day."""
        return self.first(self.place(day) + n)

    def has(self, day: date) -> bool:
        """Return whether one of the periods holds a day."""
        return self.starts[0] <= day < self.end

    def years_before(self, day: date, count: int) -> tuple[date, bool]:
        """Return the first day of the period of the same number so many years before, and whether that had fewer.

        The number is the place among the periods of a year. Of a year that is not listed it is the first day of all.
        """
        if not self.has(day):
            return date.min, False
        place = self.place(day)
        year = self.years[place]
        number = place - self.years.index(year)
        if year - count not in self.years:
            return date.min, False
        size = self.years.count(year - count)
        return self.starts[self.years.index(year - count) + min(number, size - 1)], number >= size

    def refuse(self, since: date | None, until: date | None) -> str:
        """Say that none of the periods lies in [since, until), or nothing."""
        if (since is None or since < self.end) and (until is None or until > self.starts[0]):
            return ""
        return f"the calendar lists periods of `{self.grain}` from {self.starts[0]} to {self.end - DAY} only"

    def name(self, day: date) -> str | None:
        """Return the name of the period that holds a day; None for what lies outside of all."""
        place = self.place(day)
        return self.names[place] if 0 <= place < len(self.names) else None
