"""Stretches of time for scans whose memory grows with the rows: whole periods each, so that answers stay the same."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import polars as pl

from smartkpi.engines.answer import PERIOD
from smartkpi.engines.polars.compile import Keys, Opened, counted
from smartkpi.engines.polars.times import Clock, key_of, within
from smartkpi.periods.calendar import Key
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import Stretch, earlier, stretch
from smartkpi.plan.nodes import Back, Plan, Scan

DAY = timedelta(days=1)
LARGE = 5_000_000
SLICE = 2_500_000
MOST = 12
"""So many slices at most: where rows do not lie in order of time, each of them reads all times again."""

Bounds = tuple[date | None, date | None]


def rows_by_period(
    plan: Plan,
    scan: Scan,
    opened: Opened,
    keys: Keys,
    clock: Clock | None,
    grain: Grain,
    days: Sequence[date],
    share: float = 1.0,
) -> tuple[list[pl.LazyFrame], list[str], list[pl.Expr]]:
    """Return the rows of a scan in slices that share no period, the names of their keys, the keys.

    ``days`` are local days with rows; rows on other days are in the first or the last slice. ``share`` is about which
    part of the rows is wanted: few need few slices.
    """
    names = [*keys.dimensions, *keys.others]
    columns = list(keys.exprs)
    frame = counted(opened, scan, clock, cut=True)
    if clock is None:
        return [frame], names, columns
    if grain is not Grain.ALL:
        columns.append(key_of(clock, grain, plan.calendar).alias(PERIOD))
        names = [PERIOD, *names]
    frames = []
    for start, end in slices(plan, grain, count_of(opened, share), days, scan.back):
        part = frame
        for bound in within(clock, start, end):
            part = part.filter(bound)
        frames.append(part)
    return frames, names, columns


def slices(plan: Plan, grain: Grain, count: int, days: Sequence[date], back: Sequence[Back] = ()) -> list[Bounds]:
    """Return up to ``count`` stretches of whole periods that together are the range asked for, widened to periods."""
    start, end = _range(plan, grain, back)
    if count < 2 or not days or grain is Grain.ALL:
        return [(start, end)]
    low = days[0] if start is None else max(days[0], start)
    high = days[-1] + DAY if end is None else min(days[-1] + DAY, end)
    cuts = [_key(plan, grain, low + (high - low) * place // count) for place in range(1, count)]
    edges = sorted({cut for cut in cuts if low < cut < high})
    return list(zip([start, *edges], [*edges, end], strict=True))


def span_read(plan: Plan, scan: Scan) -> Bounds:
    """Return the days that a scan of entities reads at most: those of all of its grains."""
    spans = [_range(plan, grain, scan.back) for grain in scan.grains]
    starts, ends = [start for start, _ in spans if start], [end for _, end in spans if end]
    return (
        min(starts) if spans and len(starts) == len(spans) else None,
        max(ends) if spans and len(ends) == len(spans) else None,
    )


def is_large(opened: Opened) -> bool:
    """Say whether a dataset is read in slices: it has many rows, and some can be read without the others."""
    return opened.table.sliceable and (opened.table.rows_hint or 0) > LARGE


def count_of(opened: Opened, share: float) -> int:
    """Return in how many slices a part of a dataset's rows is read."""
    return min(MOST, int((opened.table.rows_hint or 0) * share) // SLICE) if is_large(opened) else 1


def _range(plan: Plan, grain: Grain, back: Sequence[Back]) -> Bounds:
    """Return the range asked for, widened to whole periods, its own and those that it may be a part of.

    It begins as far back as paths and windows lead; no other period is read.
    """
    start, end = plan.range.start, plan.range.end
    if start is not None and grain is not Grain.ALL:
        found = [earliest(plan, start, one) for one in back]
        start = None if None in found else min(start, *(day for day in found if day is not None), start)
    if grain is Grain.ALL:
        return start, end
    wide = {grain, *(output.grain for output in plan.outputs if output.step is not None)} - {Grain.ALL, Grain.HOUR}
    starts = [] if start is None else [_key(plan, one, start) for one in wide]
    ends = [] if end is None else [_after(plan, one, end - DAY) for one in wide]
    return min(starts, default=start), max(ends, default=end)


def _after(plan: Plan, grain: Grain, day: date) -> date:
    """Return the first day after the period that holds a day."""
    after = plan.calendar.next(grain, plan.calendar.key(grain, day))
    assert isinstance(after, date)
    return after


def earliest(plan: Plan, day: date, back: Back) -> date | None:
    """Return the first day that may be read for the period of a day; None is open.

    The as-of may cut that period anywhere: its window then ends, and begins, as much earlier.
    """
    calendar, window = plan.calendar, back.window
    if window is not None and window.kind == "cumulative":
        return None
    if back.inside is not None:
        inside = earliest(plan, day, back.inside)
        if inside is None:
            return None
        day = inside
    key: Key = day if back.grain is Grain.ALL else calendar.key(back.grain, day)
    for shift in back.path:
        key, _ = earlier(calendar, back.grain, key, shift)
    return _first(plan, stretch(calendar, back.grain, window, key, key))


def latest(plan: Plan, day: date, back: Back) -> date:
    """Return the last day of the period of a day that something inside of it is read for."""
    if back.inside is not None:
        day = latest(plan, day, back.inside)
    return (
        day if back.grain is Grain.ALL else plan.calendar.days(back.grain, plan.calendar.key(back.grain, day))[1] - DAY
    )


def _first(plan: Plan, found: Stretch) -> date:
    low = found[0]
    return plan.calendar.local_day(low) if isinstance(low, datetime) else low


def _key(plan: Plan, grain: Grain, day: date) -> date:
    """Return the first day of the period that holds a day; hours lie within days."""
    if grain in (Grain.ALL, Grain.HOUR):
        return day
    key = plan.calendar.key(grain, day)
    assert isinstance(key, date)
    return key
