"""Working time found by looking at the clock, minute by minute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)

Spans = Sequence[tuple[time, time | None]]
"""From which time of day until which, None: the end of the day."""


def worked(week: Sequence[Spans], days: Mapping[date, Spans], zone: str, first: datetime, last: datetime) -> timedelta:
    """The time from an instant to a later one at which the clock shows a time of work."""
    found, at = timedelta(), first
    while at < last:
        end = min(at.replace(second=0, microsecond=0) + MINUTE, last)
        local = at.astimezone(ZoneInfo(zone))
        spans = days.get(local.date(), week[local.weekday()])
        if any(begin <= local.time() and (until is None or local.time() < until) for begin, until in spans):
            found += end - at
        at = end
    return found
