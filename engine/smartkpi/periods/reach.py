"""Reach: which periods are read for those that are shown, and over which stretches of time. Knows no Polars.

A period that the as-of cuts is held against as many days of an earlier one: such a part of a period is a place of its
own beside the whole period.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from smartkpi.periods.calendar import Calendar, Key
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import Path, Shift, Stretch, Window, earlier, is_cut, stretch

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Place:
    """A period by its key, or as much of its beginning as has gone by of the one that the as-of cuts."""

    key: Key
    part: bool = False


@dataclass(slots=True)
class Reach:
    """Places that are shown or read. ``to`` has, for each shift, the place that it leads to from those that need it.

    ``clamped`` has for each shift the places from which it leads to another day or week than the one of that number;
    ``cut`` is the period that the as-of cuts, ``elapsed`` how many days of it have gone by (or weeks, months, as rows
    stand for whole ones: ``part``).
    """

    calendar: Calendar
    grain: Grain
    part: Grain = Grain.DAY
    cut: Key | None = None
    elapsed: int = 0
    places: dict[Place, None] = field(default_factory=dict)
    to: dict[Shift, dict[Place, Place]] = field(default_factory=dict)
    clamped: dict[Shift, set[Place]] = field(default_factory=dict)

    def end(self, place: Place) -> Key:
        """Return where a place ends: after the day of the as-of at the latest."""
        end = self.calendar.next(self.grain, place.key)
        if (place.part or place.key == self.cut) and not isinstance(place.key, datetime):
            return min(end, self.calendar.next(self.part, place.key, self.elapsed))
        return end

    def stretch(self, place: Place, window: Window | None) -> Stretch:
        """Return the stretch of time of a window for a place."""
        return stretch(self.calendar, self.grain, window, place.key, self.end(place))

    def follow(self, place: Place, path: Path) -> Place | None:
        """Return the place that some shifts lead to."""
        for shift in path:
            found = self.to.get(shift, {}).get(place)
            if found is None:
                return None
            place = found
        return place


def reach_from(
    calendar: Calendar,
    grain: Grain,
    keys: Sequence[Key],
    edge: datetime | None,
    paths: Iterable[Path],
    parts: Iterable[Grain | None] = (),
) -> Reach:
    """Return the places of consecutive periods, and those that paths lead to from them.

    ``parts`` are the periods that rows stand for, which are never cut in two.
    """
    part = max((Grain.DAY, *(one for one in parts if one is not None)), key=lambda one: one.rank)
    found = Reach(calendar, grain, part)
    if edge is not None and is_cut(grain):
        today = calendar.local_day(edge - TICK)
        key = calendar.key(grain, today)
        first = key if not isinstance(key, datetime) else today
        gone = len(calendar.keys(part, first, today))
        if calendar.next(grain, key) > calendar.next(part, first, gone):
            found.cut, found.elapsed = key, gone
    starts = [Place(key) for key in keys]
    found.places.update(dict.fromkeys(starts))
    for path in paths:
        places = starts
        for shift in path:
            places = [to for place in places if (to := _step(found, place, shift)) is not None]
    return found


def _step(found: Reach, place: Place, shift: Shift) -> Place | None:
    """Return the place that a shift leads to; None where the calendar lists no period."""
    known = found.to.setdefault(shift, {})
    if place not in known:
        key, clamped = earlier(found.calendar, found.grain, place.key, shift)
        own = found.calendar.own(found.grain)
        if own is not None and not own.has(key):
            return None
        known[place] = Place(key, place.part or (found.cut is not None and place.key == found.cut))
        found.places[known[place]] = None
        if clamped:
            found.clamped.setdefault(shift, set()).add(place)
    return known[place]


def stretch_of_all(calendar: Calendar, window: Window, end: datetime) -> Stretch:
    """Return the stretch of a window for the one period of grain `all`, which ends at an instant."""
    last = calendar.local_day(end - TICK)
    return stretch(calendar, Grain.ALL, window, date.min, last + DAY)
