"""Coverage: which days a dataset knows about, and what that makes of a period."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

from smartkpi.spec.model import Dataset
from tests.oracle.days import DAY, TICK, Period, local_day, midnight
from tests.oracle.rows import World, day_of, ends_at, stands_for, times


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
    datasets = [one for dataset in datasets for one in reaching(world, dataset)]
    ends = [known_from(world, dataset, time) for dataset in datasets for time in times(world, dataset)]
    return max(ends, default=None)


def reaching(world: World, dataset: Dataset) -> Iterator[Dataset]:
    """A dataset, the one that it covers as far as, and so on."""
    yield dataset
    if dataset.covers and dataset.covers.upto:
        yield from reaching(world, world.catalog.datasets[dataset.covers.upto])


def known_from(world: World, dataset: Dataset, time: date) -> datetime:
    """When a row is whole: at the end of the period that it stands for."""
    period = stands_for(world, dataset, time)
    return period.end if period else ends_at(time, world.zone)


def coverage(world: World, dataset: Dataset, edge: datetime | None) -> Coverage:
    """The days from the first row to the as-of, or to where the dataset fell silent; `covers:` overrides both ends."""
    if dataset.timeless:
        return Coverage(frozenset(), None, always=bool(world.rows[dataset.name]))
    active = sorted(set(active_days(world, dataset)))
    stated = dataset.covers
    first = stated.start if stated and stated.start else (active[0] if active else None)
    if edge is None or first is None:
        return Coverage(frozenset(), None)
    last = last_known(world, dataset, edge)
    active = [day for day in active if day <= last]
    stale_from = None
    if stated and stated.end:
        last = min(last, stated.end)
    elif stated and stated.upto and (other := coverage(world, world.catalog.datasets[stated.upto], edge)).days:
        reached = max((*active[-1:], max(other.days)))
        if reached < last:
            last, stale_from = reached, other.stale_from and midnight(reached + DAY, world.zone)
    elif active and is_stale(world, dataset, active, last):
        last = active[-1]
        stale_from = midnight(last + DAY, world.zone)
    days = [first + DAY * i for i in range((last - first).days + 1)]
    if any(binding.count for binding in dataset.events.values()) and dataset.gaps != "zero":
        days = [day for day in days if day in set(active)]
    return Coverage(frozenset(days), stale_from if days else None)


def active_days(world: World, dataset: Dataset) -> Iterator[date]:
    """The days that rows are of: all those of the period that a row stands for."""
    for time in times(world, dataset):
        period = stands_for(world, dataset, time)
        yield from period.days() if period else [day_of(time, world.zone)]


def last_known(world: World, dataset: Dataset, edge: datetime) -> date:
    """The last day that an as-of lets one know of: a period longer than a day is known when it is over."""
    last = local_day(edge - TICK, world.zone)
    period = stands_for(world, dataset, last)
    if period and period.last > period.first and period.end > edge:
        return period.first - DAY
    return last


def is_stale(world: World, dataset: Dataset, active: list[date], last: date) -> bool:
    """Whether a dataset is silent for more periods that rows stand for (else days) than ever before, and over one."""

    def period(day: date) -> date:
        found = stands_for(world, dataset, day)
        return found.first if found else day

    every = [first + DAY * i for first in active[:1] for i in range((last - first).days + 1)]
    order = list(dict.fromkeys(period(day) for day in every))
    seen = [order.index(one) for one in dict.fromkeys(period(day) for day in active)]
    silence = order.index(period(last)) - seen[-1]
    return silence > 1 and silence > max((b - a for a, b in pairwise(seen)), default=0)


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
