"""Working time between two times of a row, by arithmetic on the local clock: no join, no row a day.

Each time becomes the working time up to it: whole weeks, days of the week, days that differ, and the part of its day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

import polars as pl

from smartkpi.engines.polars.times import INSTANT, LOCAL, Clock, localise, to_zone
from smartkpi.periods.hours import Hours, Stretch, length, repeats
from smartkpi.periods.zones import Change

EPOCH = date(1970, 1, 1)
TICK = timedelta(microseconds=1)
DAY = timedelta(days=1) // TICK
SECOND = 1_000_000


def seconds_worked(first: Clock, last: Clock, hours: Hours) -> pl.Expr:
    """Return the working seconds between two times of each row; a date is the midnight at which it begins."""
    return (worked(last, hours) - worked(first, hours)).cast(pl.Float64) / SECOND


def worked(clock: Clock, hours: Hours) -> pl.Expr:
    """Return the working time up to each row's time, in microseconds from a fixed instant: differences of it count."""
    changed = repeats(hours, clock.zone)
    local, instant = _local(clock, exact=bool(changed))
    at = local.to_physical()
    day = at // DAY
    found = _weeks(day, hours) + _part(day, at - day * DAY, hours)
    if steps := _steps(hours, changed):
        found = found + _stepped(day, steps)
    if changed:
        found = found + _since_change(day, instant, changed)
    return found


def _local(clock: Clock, *, exact: bool) -> tuple[pl.Expr, pl.Expr]:
    """Return the naive local times of rows and their instants; ``exact``: where the clock never shows one, the next."""
    match clock.form:
        case "aware":
            local = to_zone(clock.expr, clock.zone).dt.replace_time_zone(None) if clock.local is None else clock.local
            return local, clock.expr
        case "date" | "naive":
            naive = clock.expr.cast(LOCAL)
            if not exact:
                return naive, naive
            aware = localise(naive, clock.zone)
            return aware.dt.replace_time_zone(None), aware.dt.convert_time_zone("UTC")


def _weeks(day: pl.Expr, hours: Hours) -> pl.Expr:
    """Return the working time of the weeks and weekdays before each day, which is a number from 1970-01-01."""
    usual = [length(one) // TICK for one in hours.week]
    moved = day + EPOCH.weekday()
    week = moved // 7
    found = week * sum(usual)
    for weekday, one in enumerate(usual):
        if one:
            found = found + pl.when(moved - week * 7 > weekday).then(one).otherwise(0)
    return found


def _part(day: pl.Expr, since: pl.Expr, hours: Hours) -> pl.Expr:
    """Return the working time of each row's own day so far."""
    weekday = (day + EPOCH.weekday()) - (day + EPOCH.weekday()) // 7 * 7
    found = _by_pattern(weekday, dict(enumerate(hours.week)), since, pl.lit(0, pl.Int64))
    numbers = {_number(one): stretches for one, stretches in hours.days}
    return _by_pattern(day, numbers, since, found)


def _by_pattern(key: pl.Expr, patterns: Mapping[int, tuple[Stretch, ...]], since: pl.Expr, other: pl.Expr) -> pl.Expr:
    for stretches in dict.fromkeys(patterns.values()):
        keys = [one for one, some in patterns.items() if some == stretches]
        begun = pl.lit(0, pl.Int64)
        for start, end in stretches:
            begun = begun + (since - start // TICK).clip(0, (end - start) // TICK)
        other = pl.when(key.is_in(keys)).then(begun).otherwise(other)
    return other


def _steps(hours: Hours, changed: Sequence[tuple[Change, timedelta]]) -> dict[int, int]:
    """Return by how much the working time up to a day steps up from that day on, by the day's number."""
    found: dict[int, int] = {}
    for day, more in hours.differences().items():
        found[_number(day) + 1] = found.get(_number(day) + 1, 0) + more // TICK
    for change, more in changed:
        after = _days_of(change)[-1] + 1
        found[after] = found.get(after, 0) + more // TICK
    return dict(sorted(found.items()))


def _stepped(day: pl.Expr, steps: Mapping[int, int]) -> pl.Expr:
    """Return the sum of all steps up to each day."""
    first, last = next(iter(steps)), max(steps)
    sums, total = [], 0
    for one in range(first, last + 1):
        total += steps.get(one, 0)
        sums.append(total)
    inside = day.clip(first, last).replace_strict(range(first, last + 1), sums, return_dtype=pl.Int64)
    return pl.when(day < first).then(0).otherwise(inside)


def _since_change(day: pl.Expr, instant: pl.Expr, changed: Sequence[tuple[Change, timedelta]]) -> pl.Expr:
    """Return what a change of the clock on each row's own day has added by then."""
    days = {on: (change.at, more // TICK) for change, more in changed for on in _days_of(change)}
    at = day.replace_strict(list(days), [at for at, _ in days.values()], default=None, return_dtype=LOCAL)
    more = day.replace_strict(list(days), [more for _, more in days.values()], default=0, return_dtype=pl.Int64)
    return pl.when(instant >= at.dt.replace_time_zone("UTC").cast(INSTANT)).then(more).otherwise(0)


def _days_of(change: Change) -> range:
    """Return the local days in which the clock shows what a change skips or repeats: one, or two around a midnight."""
    low, high = (change.at + offset for offset in sorted((change.before, change.after)))
    return range(_number(low.date()), _number((high - TICK).date()) + 1)


def _number(day: date | datetime) -> int:
    return day.toordinal() - EPOCH.toordinal()
