"""Where a goal will be at its deadline if days go on as they did: an estimate, in closed form.

What each method assumes and how well it did is in docs/projection.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median
from typing import Protocol

from smartkpi.assess.daily import DAY, EVIDENCE, STEADY, Daily
from smartkpi.assess.outlook import Distribution, Fixed, Mixed, Outlook, Sampled, Student
from smartkpi.periods.calendar import Calendar

ANCHORS, HORIZONS = 8, 3
"""The least earlier times, and independent ones among them, that tell how projections turned out."""


class Projector(Protocol):
    """What projects a series of your own making: give one to `Project.goals` to take the place of the methods here."""

    def project(self, history: Daily, calendar: Calendar, days: int) -> Distribution | None:
        """Return what the next days bring all together, say as Quantiles; None where history does not tell."""
        ...


@dataclass(frozen=True, slots=True)
class Weekly:
    """As the last weeks went: level and weekdays of the last days, and how whole weeks differed from them.

    Mean L·Σs of the days to come, standard deviation √(v·(h + h²/n)): noise, and not knowing the level. From three
    full weeks on.
    """

    evidence: int = EVIDENCE

    def project(self, history: Daily, calendar: Calendar, days: int) -> Student | Fixed | None:
        """Return what the next days bring all together; None with too short a history."""
        rhythm = history.rhythm(self.evidence)
        if rhythm is None or days < 1:
            return None
        mean = rhythm.pulse.expect((history.last + DAY).weekday(), days)
        variance = rhythm.variance(steady=abs(rhythm.pulse.level) * 7 * STEADY)
        if variance == 0:
            return Fixed(mean)
        return Student(mean, sqrt(variance * (days + days * days / rhythm.days)), len(rhythm.full) - 1)


@dataclass(frozen=True, slots=True)
class Historic:
    """Half as the last weeks went, half as such projections turned out at earlier times.

    Where history is long enough for that, else the former alone: eight earlier times, three of them independent.
    """

    evidence: int = EVIDENCE

    def project(self, history: Daily, calendar: Calendar, days: int) -> Distribution | None:
        """Return what the next days bring all together; None with too short a history."""
        weekly = Weekly(self.evidence).project(history, calendar, days)
        if weekly is None or weekly.mean <= 0:
            return weekly
        horizons = (len(history) - self.evidence) // days
        ratios = turnouts(history, days, self.evidence) if horizons >= HORIZONS else []
        sims = resample(ratios, horizons)
        return Mixed(weekly, Sampled(tuple(weekly.mean * one for one in sims))) if sims else weekly


def turnouts(history: Daily, days: int, evidence: int = EVIDENCE) -> list[float]:
    """Return what came of projections at earlier weeks: what so many days really brought / what was projected."""
    found = []
    for place, actual in history.turnouts(days, evidence):
        pulse = history.pulse_at(place, evidence)
        projected = 0.0 if pulse is None else pulse.expect(history.weekday(place + 1), days)
        if projected > 0:
            found.append(actual / projected)
    return found


def resample(ratios: Sequence[float], horizons: int) -> list[float]:
    """Return what ratios of the past say of the next, ascending: √med·(R/med)^√(1+1/m).

    Half of what projections missed on the median is believed; the few independent ones stand for more. Nothing where
    they are too few, or not all above zero.
    """
    if len(ratios) < ANCHORS or horizons < HORIZONS:
        return []
    middle = median(ratios)
    if middle <= 0 or min(ratios) < 0:
        return []
    power = sqrt(1 + 1 / horizons)
    return sorted(sqrt(middle) * (ratio / middle) ** power for ratio in ratios)


def method_of(rest: Distribution) -> str:
    """Return the name of the method that made a distribution."""
    match rest:
        case Fixed():
            return "deterministic"
        case Student():
            return "weekly"
        case Mixed():
            return "historic"
        case _:
            return "own"


def project_total(
    history: Daily,
    calendar: Calendar,
    days: int,
    value: float,
    projector: Projector | None = None,
    evidence: int = EVIDENCE,
) -> Outlook | None:
    """Return where a total ends that is at a value when so many days are left."""
    rest = (projector or Weekly(evidence)).project(history, calendar, days)
    if rest is None:
        return None
    method = method_of(rest)
    known = len(history.known(evidence)) if method in ("deterministic", "weekly") else len(history)
    return Outlook(rest, method, known, now=value)
