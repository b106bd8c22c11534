"""Time: the stretch that a window takes of the rows, and the period that another is held against."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import replace
from datetime import date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from smartkpi.language import syntax
from tests.oracle.days import (
    DAY,
    TICK,
    Begins,
    Period,
    first_day,
    hour_of,
    is_listed,
    local_day,
    localize,
    made_of,
    midnight,
    period_of,
    periods,
)

WINDOWS = ("trailing", "to_date", "cumulative")
SHIFTS = ("previous", "change", "growth")
GRAINS = ("hour", "day", "week", "month", "quarter", "year", "all")
MONTHS = {"mo": 1, "q": 3, "y": 12}
LONG_AGO = date(1, 1, 5)

Option = syntax.Expr | None
Window = tuple[str, Option]
"""The name of a window and its option: a duration or a grain."""


def window_fits(window: Window, grain: str, parts: set[str], begins: Begins) -> bool:
    """Whether a window can be taken at a grain: a to-date is no finer, hours go with hours, no row is cut in two."""
    match window:
        case ("trailing", syntax.Duration(count, unit)) if "week" in parts:
            return unit == "w" or (unit == "d" and count % 7 == 0)
        case ("trailing", syntax.Duration(count, unit)) if parts & {"month", "quarter", "year"}:
            size = max({"month": 1, "quarter": 3, "year": 12}.get(part, 1) for part in parts)
            return unit in MONTHS and count * MONTHS[unit] % size == 0
        case ("to_date", syntax.Name((name,))) if not all(made_of(name, part) for part in parts):
            return False
        case ("trailing", syntax.Duration(_, unit)):
            return unit != "h" or grain == "hour"
        case ("to_date", syntax.Name((name,))):
            return most_days(name, begins) >= most_days(grain, begins)
        case _:
            return True


def shift_fits(shift: Option, grain: str, begins: Begins) -> bool:
    """Whether a shift maps each period of a grain to one period."""
    if grain == "all":
        return False
    if shift is None:
        return True
    assert isinstance(shift, syntax.Duration)
    if begins.listed(grain):
        return False  # the lists of these projects tell no years
    days = shift.count * {"d": 1, "w": 7}.get(shift.unit, 0)
    months = shift.count * MONTHS.get(shift.unit, 0)
    return {
        "hour": True,
        "day": shift.unit != "h",
        "week": (days > 0 and days % 7 == 0) or shift.unit == "y",
        "month": months > 0,
        "quarter": months > 0 and months % 3 == 0,
        "year": months > 0 and months % 12 == 0,
    }[grain]


def most_days(grain: str, begins: Begins) -> int:
    """How many days the longest period of a grain has."""
    if days := begins.listed(grain):
        return max((b - a).days for a, b in pairwise(days))
    return {"hour": 0, "day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366, "all": 10**9}[grain]


def months_before(day: date, months: int) -> date:
    """The same day of an earlier month, or the last that the month has."""
    year, month = day.year, day.month - months
    while month < 1:
        year, month = year - 1, month + 12
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def days_before(day: date, length: syntax.Duration) -> date:
    if length.unit in MONTHS:
        return months_before(day, length.count * MONTHS[length.unit])
    return day - length.count * DAY * {"d": 1, "w": 7}[length.unit]


def at_hour_before(start: datetime, length: syntax.Duration, zone: str) -> datetime:
    """The hour at which the clock showed the same time so many days before; of hours by number so many back."""
    if length.unit == "h":
        for _ in range(length.count):
            start = hour_of(start - TICK, zone)
        return start
    local = start.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    then = datetime.combine(days_before(local.date(), length), local.time())
    return hour_of(localize(then, zone), zone)


def stretch(days: tuple[date, date], zone: str) -> Period:
    """Local days, both in, as a period."""
    first, last = days
    return Period(None, midnight(first, zone), midnight(last + DAY, zone), first, last)


def seen_part(period: Period, grain: str, edge: datetime, part: str, zone: str, begins: Begins) -> Period:
    """The part of a period up to the as-of, in whole days, or what else rows stand for (of hours: whole hours)."""
    if grain == "hour" or period.start >= edge or period.end <= edge:
        return period
    last = min(period.last, period_of(part, local_day(edge - TICK, zone), zone, begins).last)
    return replace(period, end=midnight(last + DAY, zone), last=last)


def take(window: Window | None, period: Period, grain: str, zone: str, begins: Begins) -> Period:
    """The stretch of time that a window takes for a period, whose end the as-of has already cut."""
    match window:
        case None:
            return period
        case ("cumulative", _):
            return replace(period, key=None, start=midnight(LONG_AGO, zone), first=LONG_AGO)
        case ("trailing", syntax.Duration() as length) if grain == "hour":
            start = at_hour_before(period.end, length, zone)
            return Period(None, start, period.end, local_day(start, zone), period.last)
        case ("trailing", syntax.Duration() as length):
            return stretch((days_before(period.last + DAY, length), period.last), zone)
        case ("to_date", syntax.Name(("hour",))):
            return period
        case ("to_date", syntax.Name((name,))) if not is_listed(name, period.last, zone, begins):
            return replace(period, key=None, start=period.end, first=period.last + DAY)
        case ("to_date", syntax.Name((name,))):
            first = first_day(name, period.last, begins)
            return replace(period, key=None, start=midnight(first, zone), first=first)
        case _:
            raise AssertionError(f"no window: {window}")


def week_of(first: date) -> tuple[int, int]:
    """The year and number of a week: it is of the year that holds its fourth day."""
    year = (first + 3 * DAY).year
    return year, ((first + 3 * DAY) - date(year, 1, 1)).days // 7 + 1


def before(period: Period, shift: Option, grain: str, zone: str, begins: Begins) -> tuple[Period, bool]:
    """The whole period that a shift maps one to, and whether it lacks a day or week of that number."""
    if shift is None:
        moment: date = period.start - TICK if grain == "hour" else period.first - DAY
        return period_of(grain, moment, zone, begins), False
    assert isinstance(shift, syntax.Duration)
    if grain == "hour":
        start = at_hour_before(period.start, shift, zone)
        clamped = shift.unit != "h" and local_day(start, zone).day != period.first.day and shift.unit in MONTHS
        return period_of(grain, start, zone, begins), clamped
    if grain == "week" and shift.unit == "y":
        year, number = week_of(period.first)
        first = first_day("week", date(year - shift.count, 1, 4), begins) + (number - 1) * 7 * DAY
        clamped = week_of(first)[0] != year - shift.count
        return period_of(grain, first - 7 * DAY if clamped else first, zone, begins), clamped
    first = days_before(period.first, shift)
    clamped = shift.unit in MONTHS and first.day != period.first.day
    return period_of(grain, first, zone, begins), clamped


def as_long(period: Period, seen: Period, part: str, zone: str, begins: Begins) -> Period:
    """As many days, or what else rows stand for, of a period as have gone by of another."""
    elapsed = len(periods(part, seen.first, seen.last, zone, begins))
    end = period_of(part, period.first, zone, begins)
    for _ in range(elapsed - 1):
        end = period_of(part, end.last + DAY, zone, begins)
    last = min(period.last, end.last)
    return replace(period, end=midnight(last + DAY, zone), last=last)


def option(expr: syntax.Apply, constants: object) -> Option:
    """The second argument of a function of time; a constant stands for its duration."""
    if len(expr.args) < 2:
        return None
    found = expr.args[1]
    known = getattr(constants, "get", lambda name: None)(found.text) if isinstance(found, syntax.Name) else None
    return known.formula.expr if known is not None else found
