"""Coverage: up to when a KPI's data counts, and what of a period its datasets know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import polars as pl

from smartkpi.engines.answer import Coverage
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Plan
from smartkpi.semantics.formula import TypedDataset

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)

NONE, PART, FULL = 0, 1, 2
"""How much of a period a dataset covers."""


@dataclass(frozen=True, slots=True)
class Cover:
    """What one dataset covers as seen from an as-of: the instants [begin, end), of the local days in `days` only.

    ``days`` None: all of them. ``stale``: the dataset fell silent, so ``end`` lies before the as-of. ``timeless``: its
    rows have no time, so that they cover the one period there is, wherever it begins and ends.
    """

    begin: datetime
    end: datetime
    days: tuple[date, ...] | None = None
    stale: bool = False
    timeless: bool = False


def cover_timeless(dataset: TypedDataset, found: Coverage | None) -> Cover | None:
    """Return what a dataset without time covers: everything, if it has rows."""
    if dataset.spec.gaps != "zero" and (found is None or not found.rows):
        return None
    return Cover(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), timeless=True)


def cover_of(plan: Plan, coverage: Mapping[str, Coverage], name: str, edge: datetime | None) -> Cover | None:
    """Return what a dataset of a plan covers up to an edge, or None where it covers nothing."""
    dataset, found = plan.datasets[name], coverage.get(name)
    if dataset.timeless:
        return cover_timeless(dataset, found)
    if edge is None:
        return None
    other = dataset.spec.upto
    upto = None if other is None or other not in plan.datasets else cover_of(plan, coverage, other, edge)
    return cover(plan.calendar, dataset, found, edge, upto)


def cover(
    calendar: Calendar, dataset: TypedDataset, found: Coverage | None, edge: datetime, upto: Cover | None = None
) -> Cover | None:
    """Return what a dataset covers up to an edge, or None where it covers nothing.

    ``upto`` is what the dataset covers that it says to cover as far as, where its own rows do not go further: of one
    that covers days with rows alone, up to the last of these.
    """
    if upto is not None and upto.days is not None:
        upto = replace(upto, end=min(upto.end, calendar.midnight(upto.days[-1] + DAY))) if upto.days else None
    period = dataset.spec.period
    if period is not None and period.rank > Grain.DAY.rank:
        edge = calendar.whole(period, edge)[0]
    last = calendar.local_day(edge - TICK)
    active = [day for day in stood_for(calendar, period, found.days) if day <= last] if found else []
    stated = dataset.spec.covers
    first = stated.start if stated and stated.start else (active[0] if active else None)
    if first is None:
        return None
    begin, end, stale = calendar.midnight(first), edge, False
    if stated and stated.end:
        end = min(edge, calendar.midnight(stated.end + DAY))
    elif upto is not None:
        own = calendar.midnight(active[-1] + DAY) if active else upto.end
        end = min(edge, max(upto.end, own))
        stale = upto.stale and end < edge
    elif active and _is_stale(calendar, period, active, last):
        end, stale = calendar.midnight(active[-1] + DAY), True
    if begin >= end:
        return None
    counted = dataset.spec.gaps != "zero" and any(binding.count is not None for binding in dataset.events.values())
    days = tuple(day for day in active if first <= day < calendar.local_day(end - TICK) + DAY) if counted else None
    return Cover(begin, end, days, stale)


def stood_for(calendar: Calendar, period: Grain | None, days: Sequence[date]) -> Sequence[date]:
    """Return the days of the periods that rows of some days stand for."""
    if period is None or period.rank <= Grain.DAY.rank:
        return days
    bounds = (calendar.days(period, key) for key in dict.fromkeys(calendar.key(period, day) for day in days))
    return [start + DAY * i for start, end in bounds for i in range((end - start).days)]


def _is_stale(calendar: Calendar, period: Grain | None, active: list[date], last: date) -> bool:
    """Say whether a dataset is silent for more days, or periods that rows stand for, than ever before, and than one."""
    grain = Grain.DAY if period is None else max(period, Grain.DAY, key=lambda one: one.rank)
    places = {key: place for place, key in enumerate(calendar.keys(grain, active[0], last))}
    seen = list(dict.fromkeys(places[calendar.key(grain, day)] for day in active))
    silence = places[calendar.key(grain, last)] - seen[-1]
    longest = max((b - a for a, b in pairwise(seen)), default=0)
    return silence > 1 and silence > longest


def judge(periods: pl.DataFrame, found: Cover | None) -> pl.Series:
    """Return for each period (columns start, end, first, last of spine.Periods) NONE, PART or FULL."""
    if found is None:
        return pl.Series([NONE], dtype=pl.Int8).new_from_index(0, periods.height)
    if found.timeless:
        return pl.Series([FULL], dtype=pl.Int8).new_from_index(0, periods.height)
    start, end = pl.col("start"), pl.col("end")
    outside = start.is_null() | (start >= found.end) | (end <= found.begin)
    inside = (start >= found.begin) & (end <= found.end)
    if found.days is not None:
        days = pl.Series(found.days, dtype=pl.Date)
        upto, before = days.search_sorted(periods["last"], "right"), days.search_sorted(periods["first"])
        counts = pl.lit(upto.cast(pl.Int64) - before.cast(pl.Int64))
        outside = outside | (counts <= 0)
        inside = inside & (counts == (pl.col("last") - pl.col("first")).dt.total_days() + 1)
    judged = pl.when(outside).then(NONE).when(inside).then(FULL).otherwise(PART)
    return periods.select(judged.cast(pl.Int8).alias("cover"))["cover"]


def describe(
    plan: Plan, coverage: Mapping[str, Coverage], edges: Mapping[str, datetime | None], nameless: Mapping[str, int]
) -> dict[str, dict[str, object]]:
    """Return first and last day, rows, rows left out and staleness of each dataset; edges are those of the KPIs.

    ``nameless`` are the rows by dataset that a `per` left out, as they lack the entity.
    """
    found: dict[str, dict[str, object]] = {}
    for name in plan.profiles:
        known = coverage.get(name)
        if known is None:
            continue
        readers = {edges.get(output.kpi) for output in plan.outputs if name in output.datasets}
        dataset = plan.datasets[name]
        covers = [cover_of(plan, coverage, name, e) for e in readers if e is not None and not dataset.timeless]
        days = stood_for(plan.calendar, dataset.spec.period, known.days)
        found[name] = {
            "first": days[0] if days else None,
            "last": days[-1] if days else None,
            "rows": known.rows,
            "left_out": dict(known.left_out) | ({"null_entity": nameless[name]} if nameless.get(name) else {}),
            "unmatched": dict(known.unmatched),
            "stale": any(c is not None and c.stale for c in covers),
        }
        if known.bad_rows:
            found[name]["bad_rows"] = [dict(row) for row in known.bad_rows]
    return found
