"""How many periods of a goal will be as wanted: the current one by its own estimate, the others as those before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, floor

from smartkpi.assess.distributions import beta_binomial_from
from smartkpi.assess.goals import chance_of, is_met
from smartkpi.assess.outlook import TIE, Outlook
from smartkpi.semantics.goal import Aim, Bounds

PRIOR = 0.5
"""Jeffreys: before there is any evidence, this much of a period that was as wanted, and of one that was not."""
WEIGHT = 0.5
"""Periods resemble those before them: two tell as much as one that is independent. The backtest asked for it."""
RECENT, LEAST = 6, 3
"""How many of the last periods tell, if no more are to come; with fewer than the latter none does."""


@dataclass(frozen=True, slots=True)
class Running:
    """Where the current period may end, and where it should."""

    outlook: Outlook
    bounds: Bounds


@dataclass(frozen=True, slots=True)
class Ahead:
    """How many of the periods to come will be as wanted: the current one, if ``running``, and ``later`` others.

    The others are beta-binomial, with the last values and what they should have been as evidence: Beta(½ + k/2,
    ½ + (n − k)/2). ``factor``: all to come is so many times as much.
    """

    aim: Aim
    past: tuple[tuple[float, Bounds], ...]
    later: int
    running: Running | None = None
    factor: float = 1.0

    @property
    def evidence(self) -> tuple[float, float]:
        """The two numbers of the beta."""
        kept = sum(is_met(self.aim, value * self.factor, due.low, due.high) for value, due in self.past)
        return PRIOR + WEIGHT * kept, PRIOR + WEIGHT * (len(self.past) - kept)

    @property
    def current(self) -> float:
        """The probability of the current period; 0 where it is none of its own."""
        if self.running is None:
            return 0.0
        bounds = self.running.bounds
        return chance_of(self.running.outlook, self.aim, bounds.low, bounds.high)

    @property
    def mean(self) -> float:
        """How many are expected."""
        a, b = self.evidence
        return self.current + self.later * a / (a + b)

    def above(self, value: float) -> float:
        """Return the probability of at least so many."""
        (a, b), current, least = self.evidence, self.current, ceil(value - TIE)
        one_less, all_of = (beta_binomial_from(needed, self.later, a, b) for needed in (least - 1, least))
        return current * one_less + (1 - current) * all_of

    def below(self, value: float) -> float:
        """Return the probability of at most so many."""
        return 1 - self.above(floor(value + TIE) + 1)

    def quantile(self, share: float) -> float:
        """Return the least number that is not exceeded with a probability."""
        most = self.later + (self.running is not None)
        return float(next((some for some in range(most) if self.below(some) >= share - TIE), most))

    def faster(self, factor: float) -> Ahead:
        """Return the same if all to come is so many times as much."""
        running = self.running
        if running is not None:
            running = replace(running, outlook=running.outlook.faster(factor))
        return replace(self, running=running, factor=self.factor * factor)


def project_periods(
    aim: Aim, past: Sequence[tuple[float, Bounds]], kept: int, left: int, running: Running | None, days: int
) -> Outlook | None:
    """Return how many periods of a goal will be as wanted, with so many that are, and so many of which it is not known.

    ``past`` are the values of periods and what they should have been, the latest last: as many as are to come tell, at
    least six. ``days`` is how long a period is.
    """
    known = tuple(past[-max(RECENT, left) :])
    if left < 1 or len(known) < LEAST:
        return None
    ahead = Ahead(aim, known, left - (running is not None), running)
    return Outlook(ahead, "periods", len(known) * days, now=kept, floor=kept, ceiling=kept + left)
