"""What may be at a deadline: distributions of what is still to come, and of the value that they lead to."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil, inf, isclose
from typing import Protocol

from smartkpi.assess.distributions import beta_binomial_from, halve, student_below, student_quantile

LOW, HIGH = 0.1, 0.9
"""Between these shares lies the 80 % interval."""
TIE = 1e-9


class Distribution(Protocol):
    """What may come, and how probably: what a projection of a series returns."""

    @property
    def mean(self) -> float:
        """What is expected."""
        ...

    def below(self, value: float) -> float:
        """Return the probability of at most a value."""
        ...

    def above(self, value: float) -> float:
        """Return the probability of at least a value."""
        ...

    def quantile(self, share: float) -> float:
        """Return the value that is not exceeded with a probability."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """One value for certain, as far as history tells: what never varied."""

    mean: float

    def below(self, value: float) -> float:
        """Return 1 from the value on, else 0."""
        return 1.0 if value >= self.mean or _same(value, self.mean) else 0.0

    def above(self, value: float) -> float:
        """Return 1 up to the value, else 0."""
        return 1.0 if value <= self.mean or _same(value, self.mean) else 0.0

    def quantile(self, share: float) -> float:
        """Return the value."""
        return self.mean


@dataclass(frozen=True, slots=True)
class Student:
    """Student's t around a mean: few weeks tell how much weeks differ."""

    mean: float
    spread: float
    freedom: int

    def below(self, value: float) -> float:
        """Return the probability of at most a value."""
        return student_below((value - self.mean) / self.spread, self.freedom)

    def above(self, value: float) -> float:
        """Return the probability of at least a value."""
        return student_below((self.mean - value) / self.spread, self.freedom)

    def quantile(self, share: float) -> float:
        """Return the value that is not exceeded with a probability."""
        return self.mean + self.spread * student_quantile(share, self.freedom)


@dataclass(frozen=True, slots=True)
class Sampled:
    """What came of it at earlier times, in ascending order.

    With A of them, what is below all, and what is above all, has 1/(A + 2) each: what never was may be.
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Their mean."""
        return sum(self.values) / len(self.values)

    def below(self, value: float) -> float:
        """Return (1 + how many are at most a value) / (A + 2)."""
        return (1 + bisect_right(self.values, value + _slack(value))) / (len(self.values) + 2)

    def above(self, value: float) -> float:
        """Return (1 + how many are at least a value) / (A + 2)."""
        count = len(self.values) - bisect_left(self.values, value - _slack(value))
        return (1 + count) / (len(self.values) + 2)

    def quantile(self, share: float) -> float:
        """Return the least of them that is not exceeded with a probability; beyond them the outermost."""
        at = ceil(share * (len(self.values) + 2) - 1 - TIE) - 1
        return self.values[min(max(at, 0), len(self.values) - 1)]


@dataclass(frozen=True, slots=True)
class Mixed:
    """Half the one, half the other."""

    one: Distribution
    other: Distribution

    @property
    def mean(self) -> float:
        """The mean of both."""
        return (self.one.mean + self.other.mean) / 2

    def below(self, value: float) -> float:
        """Return the mean of both probabilities."""
        return (self.one.below(value) + self.other.below(value)) / 2

    def above(self, value: float) -> float:
        """Return the mean of both probabilities."""
        return (self.one.above(value) + self.other.above(value)) / 2

    def quantile(self, share: float) -> float:
        """Return the least value that is not exceeded with a probability: it lies between those of the two."""
        ends = sorted((self.one.quantile(share), self.other.quantile(share)))
        if self.below(ends[0]) >= share or ends[0] == ends[1]:
            return ends[0]
        return halve(lambda value: self.below(value) >= share, ends[0], ends[1])

    def faster(self, factor: float) -> Mixed:
        """Return the same if the days to come bring so many times as much."""
        return Mixed(_faster(self.one, factor), _faster(self.other, factor))


@dataclass(frozen=True, slots=True)
class Hits:
    """Hits among so many that are still expected, with a rate that is Beta(a, b).

    ``trials`` are those that tell as much as independent ones would; each stands for ``size`` / ``trials``.
    """

    size: float
    trials: int
    a: float
    b: float

    @property
    def mean(self) -> float:
        """What is expected."""
        return self.size * self.a / (self.a + self.b)

    def above(self, value: float) -> float:
        """Return the probability of at least a value; at 0 it is certain, beyond all it is impossible."""
        if value <= _slack(value):
            return 1.0
        if value > self.size + _slack(value):
            return 0.0
        return beta_binomial_from(ceil(value / self.size * self.trials - TIE), self.trials, self.a, self.b)

    def below(self, value: float) -> float:
        """Return the probability of at most a value: that of as many misses at least."""
        return Hits(self.size, self.trials, self.b, self.a).above(self.size - value)

    def quantile(self, share: float) -> float:
        """Return the value that is not exceeded with a probability."""
        low, high = 0, self.trials
        while low < high:
            middle = (low + high) // 2
            enough = 1 - beta_binomial_from(middle + 1, self.trials, self.a, self.b) >= share
            low, high = (low, middle) if enough else (middle + 1, high)
        return low * self.size / self.trials

    def faster(self, factor: float) -> Hits:
        """Return the same with so many times the hits, at most all."""
        more = min(self.a * factor, (self.a + self.b) * (1 - TIE))
        return replace(self, a=more, b=self.a + self.b - more)


@dataclass(frozen=True, slots=True)
class Scaled:
    """What may come, so many times as much."""

    rest: Distribution
    factor: float

    @property
    def mean(self) -> float:
        """What is expected."""
        return self.rest.mean * self.factor

    def below(self, value: float) -> float:
        """Return the probability of at most a value."""
        return self.rest.below(value / self.factor)

    def above(self, value: float) -> float:
        """Return the probability of at least a value."""
        return self.rest.above(value / self.factor)

    def quantile(self, share: float) -> float:
        """Return the value that is not exceeded with a probability."""
        return self.rest.quantile(share) * self.factor


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Values by the probability that they are not exceeded, ascending, as a projector of your own may give them.

    Between two of them a value lies on the line, beyond the outermost nothing is known: their probability is a bound.
    """

    values: Mapping[float, float]

    @property
    def mean(self) -> float:
        """The median, which stands for it."""
        return self.quantile(0.5)

    def below(self, value: float) -> float:
        """Return the probability of at most a value."""
        return _between(list(self.values.values()), list(self.values), value)

    def above(self, value: float) -> float:
        """Return the probability of at least a value."""
        return 1 - self.below(value)

    def quantile(self, share: float) -> float:
        """Return the value that is not exceeded with a probability."""
        return _between(list(self.values), list(self.values.values()), share)


def _between(places: list[float], values: list[float], place: float) -> float:
    at = bisect_right(places, place)
    if at in (0, len(places)):
        return values[min(at, len(values) - 1)]
    left, right = places[at - 1], places[at]
    return values[at - 1] + (values[at] - values[at - 1]) * (place - left) / (right - left)


@dataclass(frozen=True, slots=True)
class Outlook:
    """An estimate of a goal's value at its deadline: (``now`` + what comes) / ``scale``.

    ``method`` made it from the last ``days`` days of history. ``scale`` is 1 for a total, for a ratio what it is a
    share of. Below ``floor``, and above ``ceiling``, the value cannot end. ``informs``: it is told, but no status
    follows from it.
    """

    rest: Distribution = field(repr=False)
    method: str
    days: int
    now: float = 0.0
    scale: float = 1.0
    floor: float = -inf
    ceiling: float = inf
    informs: bool = False

    @property
    def mean(self) -> float:
        """What is expected at the deadline."""
        return self._bounded((self.now + self.rest.mean) / self.scale)

    def _bounded(self, value: float) -> float:
        return min(max(value, self.floor), self.ceiling)

    def faster(self, factor: float) -> Outlook:
        """Return the same if the days to come bring so many times as much; of a share so many times the hits."""
        return replace(self, rest=_faster(self.rest, factor))

    @property
    def interval(self) -> tuple[float, float]:
        """The 80 % interval."""
        return self.quantile(LOW), self.quantile(HIGH)

    def quantile(self, share: float) -> float:
        """Return the value that is not exceeded with a probability."""
        return self._bounded((self.now + self.rest.quantile(share)) / self.scale)

    def above(self, target: float) -> float:
        """Return the probability to end at a target or above."""
        if target <= self.floor or target > self.ceiling:
            return 1.0 if target <= self.floor else 0.0
        return self.rest.above(target * self.scale - self.now)

    def below(self, target: float) -> float:
        """Return the probability to end at a target or below."""
        if target < self.floor or target >= self.ceiling:
            return 0.0 if target < self.floor else 1.0
        return self.rest.below(target * self.scale - self.now)

    def within(self, low: float, high: float) -> float:
        """Return the probability to end between two values, both in."""
        return max(self.above(low) + self.below(high) - 1, 0.0) if low < high else 0.0


def _faster(rest: Distribution, factor: float) -> Distribution:
    """Return what comes if it is so many times as much: some know that by themselves."""
    faster = getattr(rest, "faster", None)
    return Scaled(rest, factor) if faster is None else faster(factor)


def _same(one: float, other: float) -> bool:
    return isclose(one, other, rel_tol=TIE, abs_tol=1e-12)


def _slack(value: float) -> float:
    return max(abs(value) * TIE, 1e-12)
