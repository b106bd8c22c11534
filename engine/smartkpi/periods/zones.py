"""When the clock of a zone changes: between two changes, local time is universal time plus a constant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

STRIDE = timedelta(hours=6)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a zone's clock: the instant (naive, UTC), and the offset from UTC before and from then on."""

    at: datetime
    before: timedelta
    after: timedelta


@lru_cache(maxsize=256)
def changes(
    zone: str, first: datetime, last: datetime, stride: timedelta = STRIDE
) -> tuple[timedelta, tuple[Change, ...]]:
    """Return the offset of a zone at an instant (naive, UTC), and how it changes up to another.

    Two changes within a stride would be missed; no zone has had any within a day.
    """
    clock = ZoneInfo(zone)
    found: list[Change] = []
    at, last = first.replace(microsecond=0), last.replace(microsecond=0) + SECOND
    start = offset = _offset(clock, at)
    while at < last:
        ahead = min(at + stride, last)
        if (then := _offset(clock, ahead)) != offset:
            found.append(Change(_first_with(clock, at, ahead), offset, then))
            offset = then
        at = ahead
    return start, tuple(found)


def _first_with(clock: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """Return the first second in (low, high] with the offset of high; both are whole seconds."""
    then = _offset(clock, high)
    while high - low > SECOND:
        middle = low + timedelta(seconds=(high - low) // SECOND // 2)
        low, high = (low, middle) if _offset(clock, middle) == then else (middle, high)
    return high


def _offset(clock: ZoneInfo, instant: datetime) -> timedelta:
    offset = instant.replace(tzinfo=UTC).astimezone(clock).utcoffset()
    assert offset is not None
    return offset
