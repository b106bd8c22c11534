"""Stretches of time that a scan is asked for beside whole periods: which they are, once the as-of is known."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

import polars as pl

from smartkpi.engines.answer import FROM, UPTO, Coverage, edge_of
from smartkpi.engines.polars.slices import earliest, latest
from smartkpi.language.types import BOOLEAN, DATE
from smartkpi.periods.calendar import Key
from smartkpi.periods.grain import Grain
from smartkpi.periods.reach import Place, reach_from, stretch_of_all
from smartkpi.periods.windows import Stretch, grid_of, parts_cut
from smartkpi.plan.nodes import Demand, Plan, Range, Scan
from smartkpi.plan.reads import read_from
from smartkpi.semantics.formula import Apply, Literal

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)


def stretches_of(plan: Plan, demand: Demand, coverage: Mapping[str, Coverage], dataset: str) -> list[Stretch]:
    """Return the stretches of time that a demand asks a dataset for, without those that no row lies in."""
    edge = edge_of(plan, coverage, demand.datasets)
    days = sorted({day for name in read_from(plan, dataset) for day in coverage[name].days})
    if edge is None or not days:
        return []
    if demand.grain is Grain.ALL:
        assert demand.window is not None
        start, end = (
            None if day is None else plan.calendar.midnight(day) for day in (plan.range.start, plan.range.end)
        )
        end = edge if end is None or (start or _day(plan, days[0])) < edge < end else end
        only = stretch_of_all(plan.calendar, demand.window, end)
        return [only] if demand.cut is None else parts_cut(plan.calendar, demand.cut, only)
    parts = (plan.datasets[name].spec.period for name in demand.datasets)
    keys = _keys(plan, demand, edge, days)
    reach = reach_from(plan.calendar, demand.grain, keys, edge, demand.paths, parts)
    if demand.window is None:
        places = [place for place in reach.places if place.part]
    else:
        starts = [Place(key) for key in keys]
        reached = (reach.follow(place, path) for path in demand.paths for place in starts)
        places = list(dict.fromkeys(place for place in reached if place is not None))
    found = dict.fromkeys(reach.stretch(place, demand.window) for place in places)
    if demand.cut is not None:
        found = dict.fromkeys(part for one in found for part in parts_cut(plan.calendar, demand.cut, one))
    first, last = _day(plan, days[0]), _day(plan, days[-1] + DAY)
    return sorted(one for one in found if _day(plan, one[0]) < last and first < _day(plan, one[1]))


def asked_for(plan: Plan, demand: Demand) -> list[Stretch]:
    """Return the first and the last stretch of a demand as the question alone tells them; none where it does not."""
    start, end = plan.range.start, plan.range.end
    if start is None or end is None or demand.grain is Grain.ALL:
        return []
    first = start if demand.inside is None else earliest(plan, start, demand.inside)
    if first is None:
        return []
    last = end - DAY if demand.inside is None else latest(plan, end - DAY, demand.inside)
    keys = [plan.calendar.key(demand.grain, day) for day in (first, last)]
    reach = reach_from(plan.calendar, demand.grain, keys, None, demand.paths)
    reached = (reach.follow(place, path) for path in demand.paths for place in map(Place, keys))
    return list(dict.fromkeys(reach.stretch(place, demand.window) for place in reached if place is not None))


def asked_of(
    plan: Plan, scans: Iterable[Scan], coverage: Mapping[str, Coverage]
) -> dict[tuple[Grain, str], set[Stretch]]:
    """Return over which stretches each cell is asked for, by the grain that asks: those of its component's window."""
    found: dict[tuple[Grain, str], set[Stretch]] = {}
    for scan, demand in [(one, demand) for one in scans for demand in one.demands]:
        stretches = stretches_of(plan, demand, coverage, scan.dataset)
        for cell in scan.cells:
            if plan.components[cell.id].window == demand.window:
                found.setdefault((demand.grain, cell.id), set()).update(stretches)
    return found


def begin_of(plan: Plan, scans: Sequence[Scan], coverage: Mapping[str, Coverage]) -> Key:
    """Return the day (hour) before which scans over windows find no row."""
    names = dict.fromkeys(name for scan in scans for name in read_from(plan, scan.dataset))
    first = min((day for name in names for day in coverage[name].days[:1]), default=date.min)
    return plan.calendar.midnight(first) if grid_of(scans[0].demands[0].grain) is Grain.HOUR else first


def _day(plan: Plan, key: Key) -> datetime:
    return key if isinstance(key, datetime) else plan.calendar.midnight(key)


def _keys(plan: Plan, demand: Demand, edge: datetime, days: Sequence[date]) -> list[Key]:
    """Return the periods that may be shown: those asked for, from the first row to the as-of, or those in them."""
    calendar, asked, grain = plan.calendar, plan.range, demand.grain
    last = calendar.local_day(edge - TICK)
    low = days[0] if asked.start is None else asked.start
    high = last if asked.end is None else min(last, asked.end - DAY)
    if demand.inside is not None:
        first = earliest(plan, low, demand.inside)
        low, high = days[0] if first is None else first, min(last, latest(plan, high, demand.inside))
    keys = calendar.keys(grain, calendar.days(grain, calendar.key(grain, low))[0], high)  # whole periods are shown
    ahead = [day for day in (asked.start, None if asked.end is None else asked.end - DAY) if day is not None]
    return list(dict.fromkeys((*keys, *(calendar.key(grain, day) for day in ahead if day > high))))


def within(plan: Plan, scan: Scan, stretch: Stretch) -> tuple[Plan, Scan]:
    """Return a question about one stretch of days only, and the scan of it."""
    low, high = stretch
    assert scan.time is not None
    bounds = ((">=", low), ("<", high)) if scan.state == "additive" else ()
    cut = tuple(Apply(op, (scan.time, Literal(day, DATE)), BOOLEAN) for op, day in bounds)
    narrowed = replace(scan, grains=(Grain.ALL,), demands=(), back=(), filter=(*scan.filter, *cut))
    return replace(plan, range=Range(low, high)), narrowed


def dated(frames: Iterator[pl.DataFrame], stretch: Stretch) -> Iterator[pl.DataFrame]:
    """Yield frames with the ends of the stretch of time that they are about."""
    low, high = (pl.lit(end, pl.Date) for end in stretch)
    for frame in frames:
        yield frame.select(low.alias(FROM), high.alias(UPTO), pl.all())


def stack(frames: Iterable[pl.DataFrame], ids: Collection[str]) -> Iterator[pl.DataFrame]:
    """Yield frames of one cell each, whatever passes answered it: a stretch of time is answered the same by all."""
    alike: dict[tuple[str, ...], list[pl.DataFrame]] = {}
    for frame in frames:
        names = [name for name in frame.columns if name not in ids]
        for id in (name for name in frame.columns if name in ids):
            alike.setdefault((*names, id), []).append(frame.select(*names, id))
    for some in alike.values():
        yield pl.concat(some, how="vertical_relaxed").unique() if len(some) > 1 else some[0]
