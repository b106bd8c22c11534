"""Where a share or a ratio over a whole goal ends: its numerator and its denominator are projected together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from math import sqrt

from smartkpi.assess.daily import DAY, EVIDENCE, LEAST_WEEKS, STEADY, Daily, residual_weeks
from smartkpi.assess.outlook import Fixed, Hits, Mixed, Outlook, Sampled, Student
from smartkpi.assess.projection import ANCHORS, HORIZONS, Weekly
from smartkpi.assess.scales import moved, scale_of, there
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
    hits: Daily,
    trials: Daily,
    calendar: Calendar,
    days: int,
    done: tuple[float, float],
    evidence: int = EVIDENCE,
    *,
    past: bool = False,
) -> Outlook | None:
    """Return where a share of a whole window ends, with hits and trials so far.

    How many trials are to come is projected as a total; how many of them hit follows from those so far, before there
    is any from the last days; with its ``past``, half from how shares turned out before.
    """
    rest = Weekly(evidence).project(trials, calendar, days)
    if rest is None or rest.mean <= 0:
        return None
    some, all_of = hits.known(evidence), trials.known(evidence)
    dispersion = overdispersion(some, all_of, trials.last, evidence)
    known = done if done[1] > 0 else (sum(some.values()), sum(all_of.values()))
    left = share_left(*known, rest.mean, dispersion)
    found = Outlook(left, "share", len(all_of), now=done[0], scale=done[1] + rest.mean, ceiling=1.0)
    return with_past(found, hits, trials, days, rest.mean, evidence) if past else found


def project_rate(
    over: Daily,
    under: Daily,
    calendar: Calendar,
    days: int,
    done: tuple[float, float],
    evidence: int = EVIDENCE,
    *,
    past: bool = False,
) -> Outlook | None:
    """Return where a ratio of two totals ends: by how whole weeks missed it, numerator − ratio · denominator.

    With its ``past``, half from how the ratio turned out before.
    """
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
    found = Outlook(left, method, len(known), now=done[0], scale=done[1] + rest.mean)
    return with_past(found, over, under, days, rest.mean, evidence) if past else found


def with_past(outlook: Outlook, over: Daily, under: Daily, days: int, later: float, evidence: int) -> Outlook:
    """Return the outlook of a share or a ratio, half made of how the ratio of the days to come turned out before.

    At earlier weeks the ratio of as many days after it stands against that of the last ones before: as it changed then,
    it may change now. ``later`` is the denominator to come. Where history is too short, the outlook as it is.
    """
    share = outlook.method == "share"
    horizons = (len(under) - evidence) // days
    first = under.last - DAY * (evidence - 1)
    now = _ratio(over.sum(first, under.last), under.sum(first, under.last), share=share)
    pairs = list(_turnouts(over, under, days, evidence, share=share)) if horizons >= HORIZONS else []
    if now is None or len(pairs) < ANCHORS:
        return outlook
    scale = scale_of([now, *(one for pair in pairs for one in pair)], proportion=share)
    changes = [there(scale, after) - there(scale, before) for before, after in pairs]
    sampled = Sampled(tuple(later * one for one in moved(scale, now, changes, horizons)))
    return replace(outlook, rest=Mixed(outlook.rest, sampled), method="historic", days=len(under))


def _turnouts(over: Daily, under: Daily, days: int, evidence: int, *, share: bool) -> Iterator[tuple[float, float]]:
    """Yield the ratio of the last days, and that of the next ones, at each earlier week at which both are known."""
    if over.first is None or under.first is None:
        return
    shift = (under.first - over.first).days
    for place, bottom in under.turnouts(days, evidence):
        now = place + 1
        top, known = over.part(now + shift, now + shift + days)
        tops, bottoms = over.part(now + shift - evidence, now + shift)[0], under.part(now - evidence, now)[0]
        before, after = _ratio(tops, bottoms, share=share), _ratio(top, bottom, share=share)
        if known == days and before is not None and after is not None:
            yield before, after


def _ratio(top: float, bottom: float, *, share: bool) -> float | None:
    """Return a ratio; a share with half a hit and half a miss more, so that it is never 0 nor 1."""
    if bottom <= 0:
        return None
    return (top + PRIOR) / (bottom + 2 * PRIOR) if share else top / bottom
