"""Where a value ends that does not add up over days, a distinct count or a median: as it did in earlier windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev

from smartkpi.assess.daily import STEADY
from smartkpi.assess.outlook import Outlook, Sampled, Student
from smartkpi.assess.scales import Scale, back, has_place, scale_of, there

LEAST = 3
"""With fewer windows it is not known how they differ."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What is still to come of a value whose place on a scale, at the end, is distributed.

    The end is (``now`` + what comes) / ``size``.
    """

    place: Student | Sampled
    scale: Scale
    now: float
    size: float = 1.0

    @property
    def mean(self) -> float:
        """What is expected: the median."""
        return self._come(self.place.mean)

    def below(self, value: float) -> float:
        """Return the probability of at most a value."""
        end = (self.now + value) / self.size
        return self.place.below(there(self.scale, end)) if has_place(self.scale, end) else 0.0

    def above(self, value: float) -> float:
        """Return the probability of at least a value."""
        end = (self.now + value) / self.size
        return self.place.above(there(self.scale, end)) if has_place(self.scale, end) else 1.0

    def quantile(self, share: float) -> float:
        """Return the value that is not exceeded with a probability."""
        return self._come(self.place.quantile(share))

    def _come(self, place: float) -> float:
        return back(self.scale, place) * self.size - self.now


def project_like_before(
    pairs: Sequence[tuple[float, float]], value: float, done: int, days: int, *, one_way: bool
) -> Outlook | None:
    """Return where a value ends that is what it is after some days of all.

    ``pairs`` are the values of earlier windows after as many days and at their ends: as those changed, on the scale of
    the logarithm where all are above zero, this one may. If it goes only ``one_way``, as a distinct count does, all of
    that is believed; of what may drift either way half. Where all windows changed alike, that is what is expected, and
    each other end has 1/(n + 2): a few of them are no certainty.
    """
    scale = scale_of([value, *(one for pair in pairs for one in pair)], proportion=False)
    if len(pairs) < LEAST or done >= days:
        return None
    changes = [there(scale, after) - there(scale, before) for before, after in pairs]
    at, middle = there(scale, value), mean(changes)
    center = at + (middle if one_way else middle / 2)
    spread = stdev(changes) * sqrt(1 + 1 / len(changes))
    steady = spread <= STEADY * max(abs(at), abs(middle), STEADY)
    place = Sampled((center,) * len(changes)) if steady else Student(center, spread, len(changes) - 1)
    now, size = (value, 1.0) if one_way else (value * done, float(days))
    return Outlook(Ending(place, scale, now, size), "earlier", len(changes) * days, now=now, scale=size)
