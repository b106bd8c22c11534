"""A daily series as history: its rhythm of weekdays, its level, and how its weeks differ from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import accumulate

from smartkpi.assess.paths import weights_of

DAY = timedelta(days=1)
EVIDENCE = 56
"""How many of the last days tell what a day brings."""
LEAST_WEEKS = 3
"""With fewer full weeks nothing is known of how weeks differ."""
STEADY = 1e-9
"""Weeks that differ by less than this share of their size do not differ."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """What days are like: their weekdays' weights, Monday first, and their level."""

    weights: tuple[float, ...]
    level: float
    _sums: tuple[float, ...] = field(default=(), repr=False, compare=False)

    def __post_init__(self) -> None:
        """Add up two weeks of weights once: what any days weigh is a difference of two of the sums."""
        object.__setattr__(self, "_sums", tuple(accumulate(self.weights * 2, initial=0.0)))

    def expect(self, begin: int, days: int) -> float:
        """Return what so many days bring, the first of which is a weekday, Monday being 0: L·Σs."""
        weeks, rest = divmod(days, 7)
        return self.level * (weeks * self._sums[7] + self._sums[begin + rest] - self._sums[begin])


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A pulse, and how full weeks missed it.

    ``weeks`` are their residual sums, the latest first, None for one that is not whole; ``days`` how many days it is
    made of.
    """

    pulse: Pulse
    weeks: tuple[float | None, ...]
    days: int

    @property
    def full(self) -> list[float]:
        """The residual sums of the weeks that are whole."""
        return [week for week in self.weeks if week is not None]

    def variance(self, *, steady: float = 0.0) -> float:
        """Return the variance of a day as weeks show it; more where a week resembles the one before.

        v = var(b) / 7, from six weeks on times (1 + ρ) / (1 − ρ), with ρ = the correlation of a week with the one
        before + 1/m, which makes up for its bias, from 0 to 0.8. 0 where weeks differ by less than ``steady``.
        """
        weeks = self.full
        middle = sum(weeks) / len(weeks)
        squares = sum((week - middle) ** 2 for week in weeks)
        if max(abs(week - middle) for week in weeks) <= steady:
            return 0.0
        found = squares / (len(weeks) - 1) / 7
        if len(weeks) >= 6:
            both = sum(
                (one - middle) * (other - middle)
                for one, other in zip(self.weeks, self.weeks[1:], strict=False)
                if one is not None and other is not None
            )
            rho = min(max(both / squares + 1 / len(weeks), 0.0), 0.8)
            found *= (1 + rho) / (1 - rho)
        return found


@dataclass(frozen=True, slots=True)
class Daily:
    """Daily values up to a day, ``last``. A day without one is not covered: nothing is known of it, it is not zero."""

    values: Mapping[date, float]
    last: date
    _sums: tuple[float, ...] = field(default=(0.0,), repr=False, compare=False)
    _same: tuple[float, ...] = field(default=(), repr=False, compare=False)
    _counts: tuple[int, ...] = field(default=(0,), repr=False, compare=False)
    _first: date | None = field(default=None, repr=False, compare=False)
    _pulses: dict[tuple[int, int], Pulse | None] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, values: Mapping[date, float], last: date | None = None) -> Daily:
        """Return daily values as a history, up to their last day or an earlier one."""
        if not values:
            return cls({}, last or date.min)
        first, end = min(values), max(values)
        days = [first + DAY * i for i in range((end - first).days + 1)]
        line = [values.get(day, 0.0) for day in days]
        sums = tuple(accumulate(line, initial=0.0))
        counts = tuple(accumulate((int(day in values) for day in days), initial=0))
        same = [0.0] * 7  # of each place, what it and those whole weeks before have
        for value in line:
            same.append(same[-7] + value)
        return cls(values, end if last is None else last, sums, tuple(same), counts, first)

    def upto(self, day: date) -> Daily:
        """Return the same history as it was known when a day was over."""
        known = (self._sums, self._same, self._counts, self._first, self._pulses)
        return Daily(self.values, min(day, self.last), *known)

    @property
    def first(self) -> date | None:
        """The first day with a value."""
        return self._first

    def __len__(self) -> int:
        """Return how many days have a value."""
        return 0 if self._first is None else self.count(self._first, self.last)

    def count(self, first: date, last: date) -> int:
        """Return how many days have a value from one to another, both in."""
        low, high = self._places(first, last)
        return self._counts[high] - self._counts[low] if high > low else 0

    def total(self, first: date, last: date) -> float | None:
        """Return the sum from one day to another; None where a day has no value."""
        low, high = self._places(first, last)
        if last > self.last or self._counts[high] - self._counts[low] < (last - first).days + 1:
            return None
        return self._sums[high] - self._sums[low]

    def sum(self, first: date, last: date) -> float:
        """Return the sum of the days that have a value."""
        low, high = self._places(first, min(last, self.last))
        return self._sums[high] - self._sums[low] if high > low else 0.0

    def _places(self, first: date, last: date) -> tuple[int, int]:
        if self._first is None:
            return 0, 0
        most = len(self._counts) - 1
        low = min(max((first - self._first).days, 0), most)
        return low, min(max((last - self._first).days + 1, 0), most)

    def known(self, days: int) -> dict[date, float]:
        """Return the values of the last days, of whole weeks back: of one that lacks a day nothing is taken."""
        found: dict[date, float] = {}
        for week in reversed(range(days // 7 if self._first is not None else 0)):
            last = self.last - DAY * 7 * week
            if self.count(last - DAY * 6, last) == 7:
                found |= {last - DAY * i: self.values[last - DAY * i] for i in reversed(range(7))}
        return found

    def pulse(self, day: date, days: int = EVIDENCE) -> Pulse | None:
        """Return what the last days up to one are like; None with less than three full weeks, or nothing but zeros.

        Days of whole weeks: each weekday comes as often as any other, so that the level is their mean.
        """
        return None if self._first is None else self.pulse_at((day - self._first).days, days)

    def pulse_at(self, place: int, days: int = EVIDENCE) -> Pulse | None:
        """Return the same up to the day that is so many after the first."""
        key = (place, days)
        if key not in self._pulses:
            sums, count = self._by_weekday(place, days)
            known = count >= LEAST_WEEKS and any(sums)
            self._pulses[key] = Pulse(weights_of(sums, [count] * 7), sum(sums) / count / 7) if known else None
        return self._pulses[key]

    def _by_weekday(self, place: int, days: int) -> tuple[list[float], int]:
        """Return the sum of each weekday, Monday first, over the whole weeks up to a day, and how many weeks."""
        assert self._first is not None
        begin, high = self._first.weekday(), place + 1
        weeks = min(days, high) // 7
        low, sums = high - weeks * 7, [0.0] * 7
        if 0 < high < len(self._counts) and self._counts[high] - self._counts[low] == high - low:
            for at in range(high, high + 7):  # of the week before: places in ``_same`` are seven more
                sums[(begin + at) % 7] = self._same[at] - self._same[at - weeks * 7]
            return sums, weeks
        known = self.upto(self._first + DAY * place).known(days)
        for one, value in known.items():
            sums[one.weekday()] += value
        return sums, len(known) // 7

    def turnouts(self, days: int, before: int) -> Iterator[tuple[int, float]]:
        """Yield the places of anchors, and what so many days after each brought; of those after which none is lacking.

        A place is how many days after the first.
        """
        if self._first is None:
            return
        for place in range((self.last - self._first).days - days, before - 2, -7):
            came, known = self.part(place + 1, place + 1 + days)
            if known == days:
                yield place, came

    def part(self, low: int, high: int) -> tuple[float, int]:
        """Return the sum of the days from one place up to another, and how many of them have a value."""
        most = len(self._counts) - 1
        low, high = (0 if at < 0 else min(at, most) for at in (low, high))
        return self._sums[high] - self._sums[low], self._counts[high] - self._counts[low]

    def weekday(self, place: int) -> int:
        """Return the weekday of the day at a place, Monday being 0."""
        return 0 if self._first is None else (self._first.weekday() + place) % 7

    def rhythm(self, days: int = EVIDENCE) -> Rhythm | None:
        """Return what the last days are like, and how whole weeks differed; None where there is no pulse."""
        pulse = self.pulse(self.last, days)
        if pulse is None:
            return None
        known = self.known(days)
        left = {day: value - pulse.level * pulse.weights[day.weekday()] for day, value in known.items()}
        return Rhythm(pulse, residual_weeks(left, self.last, days), len(known))

    def anchors(self, days: int, before: int) -> Iterator[date]:
        """Yield the days, a week apart, that so many days follow and so many were known before, the latest first."""
        day = self.last - DAY * days
        while self._first is not None and day - DAY * (before - 1) >= self._first:
            yield day
            day -= DAY * 7


def residual_weeks(left: Mapping[date, float], last: date, days: int) -> tuple[float | None, ...]:
    """Return the sums of whole weeks back from a day, None for each that lacks a day, up to so many days before."""
    weeks = []
    for week in range(days // 7):
        block = [left.get(last - DAY * (7 * week + i)) for i in range(7)]
        weeks.append(None if None in block else sum(one for one in block if one is not None))
    while weeks and weeks[-1] is None:
        weeks.pop()
    return tuple(weeks)


def changes(
    history: Daily, days: int, change: Callable[[float, float], float] = lambda before, after: after - before
) -> list[float]:
    """Return how a value changed over so many days, at each week of the past at which both are known."""
    values = history.values
    found = []
    for day in history.anchors(days, 1):
        before, after = values.get(day), values.get(day + DAY * days)
        if before is not None and after is not None:
            found.append(change(before, after))
    return found


def growths(history: Daily, days: int) -> list[float]:
    """Return how a total grew over so many days against as many before, at each week of the past."""
    found = []
    for day in history.anchors(days, days):
        before, after = history.total(day - DAY * (days - 1), day), history.total(day + DAY, day + DAY * days)
        if before is not None and after is not None and before > 0:
            found.append(after / before - 1)
    return found


def rarity(past: Sequence[float], needed: float, *, rising: bool = True) -> float:
    """Return how rarely what is needed was reached: (1 + how often) / (A + 2)."""
    slack = abs(needed) * STEADY
    count = sum(one >= needed - slack if rising else one <= needed + slack for one in past)
    return (1 + count) / (len(past) + 2)
