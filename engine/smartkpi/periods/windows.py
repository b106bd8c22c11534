"""Windows and shifts: the stretch of time that a period's value is over, and the period it is held against.

A stretch is half open, from key to key: local days, or hours by the instants at which they begin. Knows no Polars.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from smartkpi.periods.calendar import Calendar, Key
from smartkpi.periods.grain import Grain
from smartkpi.periods.text import week_number, weeks_in

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
DAYS = {"d": 1, "w": 7}
MONTHS = {"mo": 1, "q": 3, "y": 12}
MONTHS_OF = {Grain.MONTH: 1, Grain.QUARTER: 3, Grain.YEAR: 12}
EXACT = {"s": timedelta(seconds=1), "min": timedelta(minutes=1), "h": timedelta(hours=1)}
MOST = {"h": 87_840, "d": 36_600, "w": 5_200, "mo": 1_200, "q": 400, "y": 100}
"""The longest durations: a hundred years, of hours ten."""

Stretch = tuple[Key, Key]


@dataclass(frozen=True, slots=True)
class Length:
    """A duration of the calendar: a count and one of h d w mo q y."""

    count: int
    unit: str

    def __str__(self) -> str:
        """Return the duration as it is written."""
        return f"{self.count}{self.unit}"


@dataclass(frozen=True, slots=True)
class Window:
    """Which rows count for a period: those of ``length`` before its end, since its ``grain`` began, or all so far."""

    kind: Literal["trailing", "to_date", "cumulative"]
    length: Length | None = None
    grain: Grain | None = None

    def __str__(self) -> str:
        """Return the window in words."""
        match self.kind:
            case "trailing":
                return f"trailing {self.length}"
            case "to_date":
                return f"{self.grain} to date"
            case "cumulative":
                return "cumulative"


Shift = Length | None
"""How far back the other period lies; None: the one before."""

Path = tuple[Shift, ...]
"""The shifts that lead to the period that something is read of, the outermost first; none: the period itself."""


def is_cut(grain: Grain) -> bool:
    """Say whether only some days of a period may have gone by."""
    return Grain.DAY.rank < grain.rank < Grain.ALL.rank


def grid_of(grain: Grain) -> Grain:
    """Return the grain that stretches of time consist of."""
    return Grain.HOUR if grain is Grain.HOUR else Grain.DAY


def refuse_length(length: Length) -> str:
    """Say why no window or shift can have a length, or nothing."""
    if length.unit not in MOST:
        return f"`{length}` is no time of the calendar: windows and shifts go by h d w mo q y"
    if length.count < 1:
        return f"`{length}` is no time at all"
    return f"`{length}` is over a hundred years, or ten of hours" if length.count > MOST[length.unit] else ""


def refuse_window(calendar: Calendar, window: Window, grain: Grain, parts: Collection[Grain] = ()) -> str:
    """Say why a window cannot be taken at a grain, of rows that stand for some periods, or nothing."""
    for part in sorted(parts):
        if not _is_made_of(calendar, window, part):
            return f"a window ({window}) would cut what a row stands for, a {part}, in two"
    if window.length is not None and window.length.unit == "h" and grain is not Grain.HOUR:
        return f"a window of hours (`{window.length}`) needs grain `hour`"
    if window.grain is not None and calendar.most_days(window.grain) < calendar.most_days(grain):
        return f"`to_date` by {window.grain} is finer than grain `{grain}`"
    return ""


def refuse_run(calendar: Calendar, window: Window, period: Grain) -> str:
    """Say why values of each period of a grain cannot be taken in a window, or nothing."""
    whole = _is_made_of(calendar, window, period)
    return "" if whole else f"a window ({window}) would cut a {period}, which has a value, in two"


def parts_cut(calendar: Calendar, grain: Grain, of: Stretch) -> list[Stretch]:
    """Return what a stretch of days holds of those periods of a grain that it cuts in two."""
    low, high = of
    if isinstance(low, datetime) or isinstance(high, datetime) or low >= high or grain.rank <= Grain.DAY.rank:
        return []
    found: dict[Stretch, None] = {}
    for day in (low, high - DAY):
        start, end = calendar.days(grain, calendar.key(grain, day))
        if (start < low and low != date.min) or end > high:
            found[max(start, low), min(end, high)] = None
    return list(found)


def _is_made_of(calendar: Calendar, window: Window, part: Grain) -> bool:
    """Return whether a window that ends with a period is whole periods of a finer grain."""
    if window.grain is not None:
        return calendar.is_made_of(window.grain, part)
    if window.length is None or part.rank <= Grain.DAY.rank:
        return True
    if part.is_custom:
        return False
    days, months = (window.length.count * units.get(window.length.unit, 0) for units in (DAYS, MONTHS))
    return bool(days and days % 7 == 0) if part is Grain.WEEK else bool(months and months % MONTHS_OF[part] == 0)


def refuse_shift(calendar: Calendar, shift: Shift, grain: Grain) -> str:
    """Say why a shift does not map each period of a grain to one, or nothing."""
    if grain is Grain.ALL:
        return "grain `all` is one period: there is none to compare it with"
    if shift is None or grain is Grain.HOUR:
        return ""
    if (own := calendar.own(grain)) is not None:
        if shift.unit != "y":
            return f"`{shift}` before is no whole number of periods of grain `{grain}`: years and the period before are"
        return "" if own.years else f"the periods of `{grain}` have no year: list them with the column `year`"
    days, months = shift.count * DAYS.get(shift.unit, 0), shift.count * MONTHS.get(shift.unit, 0)
    fits = {
        Grain.DAY: bool(days or months),
        Grain.WEEK: (days > 0 and days % 7 == 0) or shift.unit == "y",
    }.get(grain, months > 0 and months % MONTHS_OF.get(grain, 1) == 0)
    return "" if fits else f"`{shift}` before is no whole number of periods of grain `{grain}`"


def earlier(calendar: Calendar, grain: Grain, key: Key, shift: Shift) -> tuple[Key, bool]:
    """Return the key of the period that a shift leads to, and whether a day or week had to be clamped."""
    if shift is None:
        return calendar.previous(grain, key), False
    if isinstance(key, datetime):
        if shift.unit == "h":
            return calendar.previous(grain, key, shift.count), False
        hour, clamped = _clock_before(calendar, key, shift)
        return hour, clamped
    if grain is Grain.WEEK and shift.unit == "y":
        return _week_before(calendar, key, shift.count)
    if (own := calendar.own(grain)) is not None:
        return own.years_before(key, shift.count)
    day = day_before(key, shift)
    return calendar.key(grain, day), shift.unit in MONTHS and day.day != key.day


def stretch(calendar: Calendar, grain: Grain, window: Window | None, first: Key, end: Key) -> Stretch:
    """Return the stretch of a window for a period from first to end, which the as-of has cut already."""
    if window is None:
        return first, end
    match window.kind:
        case "cumulative":
            return (calendar.midnight(date.min) if isinstance(end, datetime) else date.min), end
        case "trailing":
            assert window.length is not None
            if not isinstance(end, datetime):
                return day_before(end, window.length), end
            if window.length.unit == "h":
                return calendar.previous(grain, end, window.length.count), end
            return _clock_before(calendar, end, window.length)[0], end
        case "to_date":
            assert window.grain is not None
            own, last = calendar.own(window.grain), end - TICK if isinstance(end, datetime) else end - DAY
            if own is not None and not own.has(calendar.local_day(last) if isinstance(last, datetime) else last):
                return _never(calendar, end)
            if not isinstance(end, datetime):
                return calendar.key(window.grain, end - DAY), end
            start = calendar.key(window.grain, end - TICK)
            return (start if isinstance(start, datetime) else calendar.midnight(start)), end


def _never(calendar: Calendar, end: Key) -> Stretch:
    """Return a stretch of no time: no listed period has begun there."""
    day = date.min + 7 * DAY
    key = calendar.midnight(day) if isinstance(end, datetime) else day
    return key, key


def day_before(day: date, length: Length) -> date:
    """Return the day so long before one: of a month that is too short, the last."""
    if length.unit in DAYS:
        return date.fromordinal(max(day.toordinal() - length.count * DAYS[length.unit], 1))
    year, month = divmod(day.year * 12 + day.month - 1 - length.count * MONTHS[length.unit], 12)
    if year < 1:
        return date.min
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def day_after(day: date, length: Length) -> date:
    """Return the day so long after one: of a month that is too short, the last."""
    if length.unit in DAYS:
        return date.fromordinal(min(day.toordinal() + length.count * DAYS[length.unit], date.max.toordinal()))
    year, month = divmod(day.year * 12 + day.month - 1 + length.count * MONTHS[length.unit], 12)
    if year > date.max.year:
        return date.max
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def instant_after(calendar: Calendar, begin: datetime, length: Length) -> datetime:
    """Return the instant so long after the beginning of a local day: of days and more, the beginning of one too."""
    if length.unit in EXACT:
        return begin + length.count * EXACT[length.unit]
    return calendar.midnight(day_after(calendar.local_day(begin), length))


def _clock_before(calendar: Calendar, hour: datetime, length: Length) -> tuple[datetime, bool]:
    """Return the hour in which the clock showed the same so many days before: of two the earlier."""
    local = hour.astimezone(calendar.zone).replace(tzinfo=None)
    day = day_before(local.date(), length)
    then = calendar.instant(datetime.combine(day, time(local.hour, local.minute)))
    return calendar.hour(then), length.unit in MONTHS and day.day != local.day


def _week_before(calendar: Calendar, key: date, years: int) -> tuple[Key, bool]:
    """Return the week of the same number so many years before: of a year without a 53rd, the 52nd."""
    year, number = week_number(key)
    last = weeks_in(calendar, year - years)
    first = calendar.key(Grain.WEEK, date(year - years, 1, 4))
    return calendar.next(Grain.WEEK, first, min(number, last) - 1), number > last
