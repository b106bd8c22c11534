"""What a goal's KPIs gave: their values by segment and period, and the days that their datasets cover."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import polars as pl

from smartkpi.derive.coverage import Cover
from smartkpi.periods.calendar import Calendar

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
Segment = tuple[str, ...]


class Point(NamedTuple):
    """A value of a period, the rows behind it, and whether rows may still come to it late."""

    value: float | None
    sample: int | None
    immature: bool


@dataclass(frozen=True, slots=True)
class Span:
    """The days that all datasets of a KPI cover, as seen from an edge: the first instant that no longer counts."""

    calendar: Calendar
    edge: datetime | None
    days: tuple[date, ...] = ()

    @property
    def ended(self) -> date | None:
        """The last day that is over."""
        return None if self.edge is None else self.calendar.local_day(self.edge) - DAY

    @property
    def last(self) -> date | None:
        """The last day that is over and covered."""
        return self.days[-1] if self.days else None

    def count(self, first: date, last: date) -> int:
        """Return how many days are covered from one to another, both in."""
        return max(bisect_right(self.days, last) - bisect_right(self.days, first - DAY), 0)

    def before(self, day: date) -> Span:
        """Return what was known when a day was over."""
        edge = self.calendar.midnight(day + DAY)
        if self.edge is not None and edge >= self.edge:
            return self
        return Span(self.calendar, edge, self.days[: bisect_right(self.days, day)])


@dataclass(frozen=True, slots=True)
class Series:
    """The values of one KPI of a goal, by segment (None: over all of them) and the first day of the period."""

    points: Mapping[Segment | None, Mapping[date, Point]] = field(default_factory=dict)

    def at(self, segment: Segment | None, day: date) -> Point | None:
        """Return what a period has in a segment; None where there is no row of it."""
        return self.points.get(segment, {}).get(day)

    def segments(self) -> list[Segment]:
        """Return all segments that have a row."""
        return [one for one in self.points if one is not None]


def read_series(frame: pl.DataFrame, by: Sequence[str], total: bool) -> dict[str, Series]:
    """Return the values of each KPI of a result's frame; ``total``: the frame is over all segments."""
    found: dict[str, dict[Segment | None, dict[date, Point]]] = {}
    columns = ("kpi", "start", "value", "n", "flags", *(() if total else by))
    for kpi, start, value, sample, flags, *segment in frame.select(columns).iter_rows():
        if start is None:
            continue
        whole = None if total or not by else tuple(segment_name(one) for one in segment)
        point = Point(value, sample, "immature" in flags)
        found.setdefault(kpi, {}).setdefault(whole, {})[start.date()] = point
    return {kpi: Series(points) for kpi, points in found.items()}


def merge(one: Mapping[str, Series], other: Mapping[str, Series]) -> dict[str, Series]:
    """Return the values of segments beside those over all of them."""
    names = dict.fromkeys((*one, *other))
    none = Series()
    return {name: Series({**one.get(name, none).points, **other.get(name, none).points}) for name in names}


def segment_name(value: Any) -> str:
    """Return a value of a field as it is written in a goal."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case date():
            return value.isoformat()
        case _:
            return str(value)


def span_of(calendar: Calendar, covers: Sequence[Cover | None], edge: datetime | None, first: date, last: date) -> Span:
    """Return the days from one to another that are over and that all of some datasets cover."""
    if edge is None:
        return Span(calendar, None)
    ended = min(calendar.local_day(edge) - DAY, last)
    known = [cover for cover in covers if cover is not None]
    if len(known) < len(covers) or ended < first:
        return Span(calendar, edge)
    begin = max((calendar.local_day(cover.begin - TICK) + DAY for cover in known if not cover.timeless), default=first)
    ends = [calendar.local_day(cover.end) - DAY for cover in known if not cover.timeless]
    low, high = max(first, begin), min([ended, *ends])
    listed = [set(cover.days) for cover in known if cover.days is not None]
    days = (low + DAY * i for i in range((high - low).days + 1))
    return Span(calendar, edge, tuple(day for day in days if all(day in one for one in listed)))
