"""Paths: where a goal's value is expected to be on each day, from its baseline to its target.

A path has a share for each number of days done, 0 at the start and 1 at the end. Knows no Polars.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate

DAY = timedelta(days=1)
SHRINK = 3
"""How many days of the mean are added to each weekday's: few days of history pull no weekday far from it."""


@dataclass(frozen=True, slots=True)
class Path:
    """The share of the way that is expected after each number of days; ``size`` is the weight of all days together."""

    shares: tuple[float, ...]
    size: float

    @property
    def days(self) -> int:
        """How many days it has."""
        return len(self.shares) - 1

    def left(self, done: int) -> float:
        """Return the weight of the days that are left after some."""
        return self.size * (1 - self.shares[done])


@dataclass(frozen=True, slots=True)
class Piece:
    """What holds from a number of days done on: a target, and the path to it."""

    start: int
    target: float
    path: Path


def linear(days: int) -> Path:
    """Return the path on which each day counts the same."""
    return Path(tuple(day / days for day in range(days + 1)), float(days))


def weighted(weights: Sequence[float]) -> Path:
    """Return the path on which each day counts by its weight; where all are zero, the linear one."""
    total = sum(weights)
    if total <= 0:
        return linear(len(weights))
    sums = list(accumulate(weights, initial=0.0))
    return Path((*(one / total for one in sums[:-1]), 1.0), float(total))


def by_weekday(first: date, days: int, weights: Sequence[float]) -> Path:
    """Return the path on which each day counts as its weekday does, Monday first."""
    return weighted([weights[(first + DAY * day).weekday()] for day in range(days)])


def weekday_weights(history: Mapping[date, float]) -> tuple[float, ...]:
    """Return how much each weekday counts, on average one: the mean of its days, drawn to the mean of all.

    s = (sum of x + k·m) / (days + k) / m with k = 3 and m the daily mean. Without history all count the same.
    """
    sums, counts = [0.0] * 7, [0] * 7
    for day, value in history.items():
        weekday = day.weekday()
        sums[weekday] += value
        counts[weekday] += 1
    return weights_of(sums, counts)


def weights_of(sums: Sequence[float], counts: Sequence[int]) -> tuple[float, ...]:
    """Return how much each weekday counts by the sum of its days and how many there are."""
    mean = sum(sums) / sum(counts) if any(counts) else 0.0
    if mean <= 0:
        return (1.0,) * 7
    drawn = ((one + SHRINK * mean) / (count + SHRINK) / mean for one, count in zip(sums, counts, strict=True))
    found = [max(one, 0.0) for one in drawn]
    middle = sum(found) / 7
    return tuple(one / middle for one in found)


def like_before(days: int, earlier: Sequence[float]) -> Path | None:
    """Return the path of an earlier stretch's daily values: its share at the same fraction of the time.

    None where the earlier values add up to nothing.
    """
    total = sum(earlier)
    if not earlier or total <= 0:
        return None
    sums = [one / total for one in accumulate(earlier, initial=0.0)]
    shares = [_at(sums, day * len(earlier) / days) for day in range(days)]
    return Path((*shares, 1.0), float(days))


def _at(values: Sequence[float], place: float) -> float:
    """Return a value between two points of a line."""
    low = min(int(place), len(values) - 2)
    return values[low] + (values[low + 1] - values[low]) * (place - low)


def through(days: int, baseline: float, points: Iterable[tuple[int, float]], target: float) -> Path | None:
    """Return the path along straight lines through values that are due after so many days.

    None where the target is the baseline: there is no way to go.
    """
    if target == baseline:
        return None
    corners = [(0, baseline), *points, (days, target)]
    shares = []
    for day in range(days):
        at = next(i for i in range(1, len(corners)) if corners[i][0] > day)
        (left, low), (right, high) = corners[at - 1], corners[at]
        expected = low + (high - low) * (day - left) / (right - left)
        shares.append((expected - baseline) / (target - baseline))
    return Path((*shares, 1.0), float(days))


def expected_after(baseline: float, pieces: Sequence[Piece], done: int) -> float:
    """Return the value expected after some days: X = B + f·(T − B), with a kink where the target was revised.

    A new target is headed for from where the path was on that day: what was right before stays right.
    """
    at, begun, value = baseline, 0, baseline
    for place, piece in enumerate(pieces):
        after = pieces[place + 1].start if place + 1 < len(pieces) else done
        until = max(min(after, done, piece.path.days), begun)
        before, upto = piece.path.shares[min(begun, piece.path.days)], piece.path.shares[until]
        share = (upto - before) / (1 - before) if before < 1 else 1.0
        value = at + share * (piece.target - at)
        if after >= done:
            break
        at, begun = value, after
    return value


def day_of(path: Path, share: float) -> float:
    """Return after how many days a path has a share, on a path that does not fall; beyond its ends, the ends."""
    if share <= path.shares[0]:
        return 0.0
    at = bisect_left(path.shares, share)
    if at > path.days:
        return float(path.days)
    low, high = path.shares[at - 1], path.shares[at]
    return at - 1 + (share - low) / (high - low) if high > low else float(at)
