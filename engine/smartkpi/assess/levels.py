"""Where a level ends, a value over a trailing window: for information, since a goal asks for change."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, takewhile
from statistics import median

from smartkpi.assess.daily import DAY, EVIDENCE, Daily, changes
from smartkpi.assess.outlook import Fixed, Outlook, Sampled
from smartkpi.assess.projection import ANCHORS, HORIZONS
from smartkpi.assess.scales import Scale, bounded, has_place, moved, there

DAMPED = 0.9
"""How much of a trend is left a week later."""
LEAST = 3
"""With fewer weekly values there is no trend."""


def slope(values: Sequence[float]) -> float:
    """Return the median of the slopes between all pairs of values (Theil and Sen): one outlier does not turn it."""
    return median((values[j] - values[i]) / (j - i) for i, j in combinations(range(len(values)), 2))


def damped(weeks: float) -> float:
    """Return how many weeks' worth a trend adds in so many weeks, if a tenth of it is lost in each: Σ 0.9^i."""
    whole = int(weeks)
    return sum(DAMPED**i for i in range(1, whole + 1)) + (weeks - whole) * DAMPED ** (whole + 1)


def project_level(history: Daily, days: int, value: float, scale: Scale, evidence: int = EVIDENCE) -> Outlook | None:
    """Return where a level ends: changed as it did over as many days before, else along its trend, damped.

    It is for information: a goal asks for change, history cannot know it.
    """
    horizons = (len(history) - 1) // days if days > 0 else 0
    before = _changes(history, days, value, scale) if horizons >= HORIZONS else []
    if len(before) >= ANCHORS:
        return Outlook(Sampled(moved(scale, value, before, horizons)), "changes", len(history), informs=True)
    weekly = (history.values.get(history.last - DAY * 7 * i) for i in range(evidence // 7))
    known = [one for one in takewhile(lambda one: one is not None, weekly) if one is not None][::-1]
    if len(known) < LEAST or days < 1:
        return None
    end = value + slope(known) * damped(days / 7)
    return Outlook(Fixed(bounded(scale, end)), "trend", (len(known) - 1) * 7 + 1, informs=True)


def _changes(history: Daily, days: int, value: float, scale: Scale) -> list[float]:
    """Return the changes of the past on a scale; none where a value has no place on it."""
    if not has_place(scale, value):
        return []
    known = [one for day, one in history.values.items() if day <= history.last]
    if not all(has_place(scale, one) for one in known):
        return []
    return changes(history, days, lambda before, after: there(scale, after) - there(scale, before))
