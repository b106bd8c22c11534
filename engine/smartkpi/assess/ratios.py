"""Where a share or a ratio over a whole goal ends: its numerator and its denominator are projected together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from math import sqrt

from smartkpi.assess.daily import EVIDENCE, LEAST_WEEKS, STEADY, Daily, residual_weeks
from smartkpi.assess.outlook import Fixed, Hits, Outlook, Student
from smartkpi.assess.projection import Weekly
from smartkpi.periods.calendar import Calendar

PRIOR = 0.5
"""Jeffreys: before there is any evidence, this many hits and misses."""
LEAST = 4
"""With fewer weeks, only days tell by how much a share varies more than chance."""


def overdispersion(hits: Mapping[date, float], trials: Mapping[date, float], last: date, days: int) -> float:
    """Return by how much a share varies more than chance: Pearson's χ² / (D − 1), over days or weeks, at least 1."""
    known = [day for day in trials if day in hits]
    pairs = [(hits[day], trials[day]) for day in known]
    found = [pearson(pairs)]
    some = {day: hits[day] for day in known}
    weeks = [
        (one, other)
        for one, other in zip(
            residual_weeks(some, last, days), residual_weeks({d: trials[d] for d in known}, last, days), strict=True
        )
        if one is not None and other is not None
    ]
    if len(weeks) >= LEAST:
        found.append(pearson(weeks))
    return max(1.0, *found)


def pearson(pairs: Sequence[tuple[float, float]]) -> float:
    """Return Pearson's χ² / (D − 1) of hits among trials: about 1 where only chance makes them differ."""
    pairs = [(hits, trials) for hits, trials in pairs if trials > 0]
    trials = sum(n for _, n in pairs)
    if len(pairs) < 2 or trials <= 0:
        return 1.0
    share = sum(k for k, _ in pairs) / trials
    if not 0 < share < 1:
        return 1.0
    return sum((k - n * share) ** 2 / (n * share * (1 - share)) for k, n in pairs) / (len(pairs) - 1)


def share_left(hits: float, trials: float, later: float, dispersion: float = 1.0, prior: float = PRIOR) -> Hits:
    """Return the hits among the trials that are still expected, given those so far: beta-binomial."""
    a, b = prior + hits / dispersion, prior + (trials - hits) / dispersion
    return Hits(later, max(round(later / dispersion), 1), a, b)


def project_share(
    hits: Daily, trials: Daily, calendar: Calendar, days: int, done: tuple[float, float], evidence: int = EVIDENCE
) -> Outlook | None:
    """Return where a share of a whole window ends, with hits and trials so far.

    How many trials are to come is projected as a total; how many of them hit follows from those so far, before there
    is any from the last days.
    """
    rest = Weekly(evidence).project(trials, calendar, days)
    if rest is None or rest.mean <= 0:
        return None
    some, all_of = hits.known(evidence), trials.known(evidence)
    dispersion = overdispersion(some, all_of, trials.last, evidence)
    known = done if done[1] > 0 else (sum(some.values()), sum(all_of.values()))
    left = share_left(*known, rest.mean, dispersion)
    return Outlook(left, "share", len(all_of), now=done[0], scale=done[1] + rest.mean)


def project_rate(
    over: Daily, under: Daily, calendar: Calendar, days: int, done: tuple[float, float], evidence: int = EVIDENCE
) -> Outlook | None:
    """Return where a ratio of two totals ends: by how whole weeks missed it, numerator − ratio · denominator."""
    rest, rhythm = Weekly(evidence).project(under, calendar, days), under.rhythm(evidence)
    tops, bottoms = over.known(evidence), under.known(evidence)
    known = [day for day in bottoms if day in tops]
    total = sum(bottoms[day] for day in known)
    if rest is None or rhythm is None or rest.mean <= 0 or total <= 0:
        return None
    rate = sum(tops[day] for day in known) / total
    missed = residual_weeks({day: tops[day] - rate * bottoms[day] for day in known}, under.last, evidence)
    weeks = [one for one in missed if one is not None]
    if len(weeks) < LEAST_WEEKS:
        return None
    size = max(abs(one) for one in tops.values()) * 7
    variance = replace(rhythm, weeks=missed).variance(steady=size * STEADY)
    left: Student | Fixed = Fixed(rate * rest.mean)
    if variance > 0:
        left = Student(left.mean, sqrt(variance * (days + days * days / len(known))), len(weeks) - 1)
    method = "rate" if variance > 0 else "deterministic"
    return Outlook(left, method, len(known), now=done[0], scale=done[1] + rest.mean)
