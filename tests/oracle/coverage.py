"""Coverage: which days a dataset knows about, and what that makes of a period."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from smartkpi.spec.model import Dataset
from tests.oracle.days import DAY, TICK, Period, local_day, midnight
from tests.oracle.rows import World, day_of, ends_at, times


@dataclass(frozen=True)
class Coverage:
    """The local days that a dataset covers up to the as-of; ``stale_from`` is where it fell silent.

    ``always``: it has no time, and rows, which are about all there is.
    """

    days: frozenset[date]
    stale_from: datetime | None
    always: bool = False


def as_of(world: World, datasets: Iterable[Dataset]) -> datetime | None:
    """The first instant that no longer counts: after the as-of asked for, else after the latest time in the data."""
    if world.cut is not None:
        return world.cut
    ends = [ends_at(time, world.zone) for dataset in datasets for time in times(world, dataset)]
    return max(ends, default=None)


def coverage(world: World, dataset: Dataset, edge: datetime | None) -> Coverage:
    """The days from the first row to the as-of, or to where the dataset fell silent; `covers:` overrides both ends."""
    if dataset.timeless:
        return Coverage(frozenset(), None, always=bool(world.rows[dataset.name]))
    active = sorted({day_of(time, world.zone) for time in times(world, dataset)})
    stated = dataset.covers
    first = stated.start if stated and stated.start else (active[0] if active else None)
    if edge is None or first is None:
        return Coverage(frozenset(), None)
    last = local_day(edge - TICK, world.zone)
    stale_from = None
    if stated and stated.end:
        last = min(last, stated.end)
    elif active and is_stale(active, last):
        last = active[-1]
        stale_from = midnight(last + DAY, world.zone)
    days = [first + DAY * i for i in range((last - first).days + 1)]
    if any(binding.count for binding in dataset.events.values()) and dataset.gaps != "zero":
        days = [day for day in days if day in set(active)]
    return Coverage(frozenset(days), stale_from if days else None)


def is_stale(active: list[date], last: date) -> bool:
    """Whether a dataset is silent for longer than ever before, and for over a day."""
    silence = (last - active[-1]).days
    longest = max(((b - a).days for a, b in zip(active, active[1:], strict=False)), default=0)
    return silence > 1 and silence > longest


def is_complete(period: Period, found: Coverage, edge: datetime) -> bool:
    """Whether a period is over at the as-of and covered on each of its days."""
    if found.always:
        return True
    return period.start < period.end <= edge and all(day in found.days for day in period.days())


def is_covered(period: Period, found: Coverage, edge: datetime) -> bool:
    """Whether any part of a period is covered."""
    return found.always or (period.start < edge and any(day in found.days for day in period.days()))


def is_stale_in(period: Period, found: Coverage, edge: datetime) -> bool:
    """Whether a period reaches into the silence."""
    return found.stale_from is not None and min(period.end, edge) > found.stale_from
