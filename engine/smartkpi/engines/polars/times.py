"""Local time in expressions: zones, period keys, cuts. Everything about instants is UTC until a local day is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

import polars as pl

from smartkpi.periods.calendar import LAST_INSTANT, Calendar
from smartkpi.periods.grain import Grain
from smartkpi.periods.zones import Change, changes

INSTANT = pl.Datetime("us", "UTC")
LOCAL = pl.Datetime("us")
LONG_AGO, FAR_OFF = date(1970, 1, 1), date(2100, 1, 1)
"""Between which days gaps at midnight are looked for: no naive data with a time of day is older."""

Span = tuple[datetime, datetime]
"""The first and the last value of a column of times, as stored."""

SHIFT = pl.Duration("us")
MOST, LONG = 12, timedelta(days=30 * 366)
DAY = timedelta(days=1)
LAST_DAY = date.max
TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Clock:
    """The time of rows as it is stored: local `date`, `naive` local time of the project's zone, or `aware` UTC.

    ``local`` has the naive local time of aware ones where it is known to come by adding a few offsets.
    """

    form: Literal["date", "naive", "aware"]
    expr: pl.Expr
    zone: str
    local: pl.Expr | None = None


def localise(naive: pl.Expr, zone: str) -> pl.Expr:
    """Return naive local times as aware ones: the earlier of two, and moved forward by the gap where there is none."""
    if zone == "UTC":
        return naive.dt.replace_time_zone("UTC")
    plain = naive.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    before = (naive - DAY).dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null") + DAY
    return pl.coalesce(plain, before)


def read_iso(text: pl.Expr, zone: str) -> pl.Expr:
    """Return texts of ISO dates (their midnight) and times as UTC times, null where they are none.

    A time without offset is local to ``zone``.
    """
    clocks = [f"%Y-%m-%d{between}{clock}" for between in "T " for clock in ("%H:%M:%S%.f", "%H:%M")]
    naive = [text.str.to_datetime(clock, time_unit="us", strict=False) for clock in clocks]
    day = text.str.to_date("%Y-%m-%d", strict=False).cast(LOCAL)
    offsets = [clock + blank + "%#z" for clock in clocks for blank in ("", " ")]
    aware = [text.str.to_datetime(clock, time_unit="us", strict=False) for clock in offsets]
    found = pl.coalesce(*aware, localise(pl.coalesce(*naive, day), zone).dt.convert_time_zone("UTC"))
    return pl.when(found.dt.year() >= 1000).then(found)  # `206-01-05` has lost a digit


@cache
def keeps_days(zone: str) -> bool:
    """Say whether a naive time always lies on the day it names: no gap of the zone reaches a midnight from before."""
    if zone == "UTC":
        return True
    lasts = pl.datetime_range(LONG_AGO, FAR_OFF, "1d", time_unit="us", eager=True) - TICK
    return not lasts.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").has_nulls()


def add_offsets(utc: pl.Expr, zone: str, span: Span) -> pl.Expr | None:
    """Return naive UTC times of a span as naive local ones, by adding offsets; None where those would be many.

    Converting zones takes three times as long as all the rest of a day's key.
    """
    if (known := _offsets(zone, span)) is None:
        return None
    return utc + _steps(utc, known[0], [(change.at, change.after) for change in known[1]])


def take_offsets(naive: pl.Expr, zone: str, span: Span) -> pl.Expr | None:
    """Return naive local times of a span as naive UTC ones, as `localise` does; None where offsets would be many.

    What the clock skips or shows twice still has the offset from before.
    """
    if (known := _offsets(zone, span)) is None:
        return None
    return naive - _steps(naive, known[0], [(c.at + max(c.before, c.after), c.after) for c in known[1]])


def _offsets(zone: str, span: Span) -> tuple[timedelta, tuple[Change, ...]] | None:
    """Return the offsets of a zone around a span of naive times of whatever zone, None where they are many."""
    first, last = span
    if last - first > LONG or first.year < LONG_AGO.year or last.year > FAR_OFF.year:
        return None
    found = changes(zone, first - DAY, last + DAY)
    return None if len(found[1]) > MOST else found


def _steps(time: pl.Expr, first: timedelta, steps: Sequence[tuple[datetime, timedelta]]) -> pl.Expr:
    found = pl.lit(first, SHIFT)
    for at, offset in steps:
        found = pl.when(time < pl.lit(at, LOCAL)).then(found).otherwise(pl.lit(offset, SHIFT))
    return found


def to_zone(utc: pl.Expr, zone: str) -> pl.Expr:
    """Return UTC times in a zone."""
    return utc if zone == "UTC" else utc.dt.convert_time_zone(zone)


def midnight(day: date, zone: str) -> datetime:
    """Return the instant at which a local day begins."""
    return Calendar(zone).midnight(day)


def day_after(day: date) -> date:
    """Return the next day; after the last one that there is, the last."""
    return min(day, LAST_DAY - DAY) + DAY


def local_day(moment: datetime, zone: str) -> date:
    """Return the local day of an instant."""
    return Calendar(zone).local_day(moment)


def day_of(clock: Clock) -> pl.Expr:
    """Return the local day of each row."""
    match clock.form:
        case "date":
            return clock.expr
        case "naive":
            return clock.expr.dt.date()
        case "aware":
            return (to_zone(clock.expr, clock.zone) if clock.local is None else clock.local).dt.date()


def hour_of(clock: Clock) -> pl.Expr:
    """Return the instant (UTC) at which the local hour of each row begins."""
    if clock.form == "aware":
        local = to_zone(clock.expr, clock.zone)
    else:
        local = localise(clock.expr.cast(LOCAL).dt.truncate("1h"), clock.zone)
    return local.dt.truncate("1h").dt.convert_time_zone("UTC").cast(INSTANT)


def key_of(clock: Clock, grain: Grain, calendar: Calendar) -> pl.Expr:
    """Return the period key of each row at a grain finer than `all`."""
    return hour_of(clock) if grain is Grain.HOUR else coarsen(day_of(clock), grain, calendar)


def coarsen(day: pl.Expr, grain: Grain, calendar: Calendar) -> pl.Expr:
    """Return the first day of the period that holds a local day."""
    match grain:
        case Grain.DAY:
            return day
        case Grain.WEEK:
            moved = day - timedelta(days=calendar.week_start)
            return moved.dt.truncate("1w") + timedelta(days=calendar.week_start)
        case Grain.MONTH:
            return day.dt.truncate("1mo")
        case Grain.QUARTER:
            return _truncate(day, "1q", (calendar.year_start - 1) % 3)
        case Grain.YEAR:
            return _truncate(day, "1y", calendar.year_start - 1)
        case _:
            return _listed(day, grain, calendar)


def start_of(day: pl.Expr, grain: Grain, calendar: Calendar) -> pl.Expr:
    """Return the first day of the period that holds a local day; null outside of the periods that a calendar lists."""
    own, found = calendar.own(grain), coarsen(day, grain, calendar)
    return found if own is None else pl.when(day.is_between(own.starts[0], own.end, closed="left")).then(found)


def _truncate(day: pl.Expr, every: str, months: int) -> pl.Expr:
    """Return the first day of the period that holds a day, where the first period begins so many months late."""
    if not months:
        return day.dt.truncate(every)
    return day.dt.offset_by(f"-{months}mo").dt.truncate(every).dt.offset_by(f"{months}mo")


def _listed(day: pl.Expr, grain: Grain, calendar: Calendar) -> pl.Expr:
    """Return the first day of the period that a calendar lists; days outside of all have the keys of the calendar."""
    own = calendar.own(grain)
    assert own is not None
    days = [date.fromordinal(n) for n in range(own.starts[0].toordinal(), own.end.toordinal())]
    inside = day.replace_strict(days, [own.key(one) for one in days], default=date.min, return_dtype=pl.Date())
    return pl.when(day >= own.end).then(pl.lit(own.end, pl.Date())).otherwise(inside)


def edge_of(as_of: date | datetime, zone: str) -> datetime:
    """Return the first instant after an as-of: a date covers its day, an instant is inclusive."""
    if isinstance(as_of, datetime):
        aware = as_of if as_of.tzinfo else as_of.replace(tzinfo=ZoneInfo(zone))
        return aware.astimezone(UTC) + TICK
    return midnight(day_after(as_of), zone)


def before(clock: Clock, edge: datetime) -> pl.Expr:
    """Return whether each row's time is before an instant, exactly."""
    match clock.form:
        case "date":
            return clock.expr <= local_day(edge - TICK, clock.zone)
        case "naive":
            day = day_after(local_day(edge - TICK, clock.zone))
            if midnight(day, clock.zone) == edge:
                return clock.expr < datetime.combine(day, time())
            return localise(clock.expr, clock.zone).dt.convert_time_zone("UTC") < pl.lit(edge, INSTANT)
        case "aware":
            return clock.expr < pl.lit(edge, INSTANT)


def within(clock: Clock, start: date | None, end: date | None) -> list[pl.Expr]:
    """Return conditions that keep exactly the rows of local days in [start, end)."""
    match clock.form:
        case "date":
            return _bounds(clock.expr, start, end)
        case "naive":
            low = datetime.combine(start, time()) if start else None
            high = datetime.combine(end, time()) if end else None
            return _bounds(clock.expr, low, high)
        case "aware":
            since = pl.lit(midnight(start, clock.zone), INSTANT) if start else None
            until = pl.lit(midnight(end, clock.zone), INSTANT) if end else None
            return _bounds(clock.expr, since, until)


def _bounds(value: pl.Expr, low: Any, high: Any) -> list[pl.Expr]:
    conditions = [value >= low] if low is not None else []
    return conditions + ([value < high] if high is not None else [])


def end_of(latest: date | datetime, zone: str) -> datetime:
    """Return the first instant after the latest row: a date covers its day."""
    if isinstance(latest, datetime):
        return min(latest.astimezone(UTC) if latest.tzinfo else Calendar(zone).instant(latest), LAST_INSTANT) + TICK
    return midnight(day_after(latest), zone)
