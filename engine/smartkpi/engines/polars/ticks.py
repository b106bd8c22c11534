"""Ticks: days or quarters of an hour by number, the grid on which stretches of time begin and end."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl

from smartkpi.engines.polars.times import Clock, day_of, hour_of, local_day, within
from smartkpi.periods.calendar import Key
from smartkpi.periods.grain import Grain

TICK = "__tick"
QUARTER_HOUR = 900_000_000
EPOCH = date(1970, 1, 1)
DAY = timedelta(days=1)


def tick_of(clock: Clock, grid: Grain) -> pl.Expr:
    """Return the tick of each row: that of its local day, or of its hour."""
    moment = hour_of(clock) if grid is Grain.HOUR else day_of(clock)
    ticks = moment.to_physical().cast(pl.Int64)
    return (ticks // QUARTER_HOUR if grid is Grain.HOUR else ticks).alias(TICK)


def number_of(key: Key) -> int:
    """Return the tick of a day or hour."""
    if isinstance(key, datetime):
        return int((key - datetime(1970, 1, 1, tzinfo=key.tzinfo)) // timedelta(microseconds=QUARTER_HOUR))
    return (key - EPOCH).days


def between(frame: pl.LazyFrame, clock: Clock, zone: str, low: Key | None, high: Key | None) -> pl.LazyFrame:
    """Return the rows of the local days that hold what lies between two ends; None is open."""
    start = local_day(low, zone) if isinstance(low, datetime) else low
    end = local_day(high, zone) + DAY if isinstance(high, datetime) else high
    for bound in within(clock, start, end):
        frame = frame.filter(bound)
    return frame
