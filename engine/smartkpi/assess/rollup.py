"""Goals above goals, and the scorecards of persons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from smartkpi.assess.series import DAY
from smartkpi.assess.standing import Standing
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.periods.text import period_text

CONTRIBUTING = ("on_track", "at_risk", "off_track", "achieved", "missed", "no_data")
WORST = ("missed", "off_track", "at_risk", "on_track", "achieved")


def roll_up(standings: Sequence[Standing]) -> list[Standing]:
    """Return goals with what stands below them: how many children stand how, the worst, and their weighted progress.

    No child without data counts in the progress; where more than half of the weight has none, the parent has none.
    """
    below: dict[str, list[Standing]] = {}
    for one in standings:
        if one.goal.spec.parent is not None and (one.segment, one.period, one.what_if) == (None, None, None):
            below.setdefault(one.goal.spec.parent, []).append(one)
    return [_with_children(one, below.get(one.goal.name, ())) for one in standings]


def _with_children(one: Standing, below: Sequence[Standing]) -> Standing:
    contributing = [child for child in below if child.verdict.status in CONTRIBUTING]
    if (one.segment, one.period, one.what_if) != (None, None, None) or not contributing:
        return one
    counts: dict[str, int] = {}
    for child in contributing:
        counts[child.verdict.status] = counts.get(child.verdict.status, 0) + 1
    weights = {id(child): float(child.goal.spec.weight) for child in contributing}
    known = [child for child in contributing if child.verdict.status != "no_data" and child.score is not None]
    weight, total = sum(weights[id(child)] for child in known), sum(weights.values())
    progress = sum(weights[id(c)] * (c.score or 0.0) for c in known) / weight if weight else None
    statuses = {child.verdict.status for child in known}
    status: str | None = next((name for name in WORST if name in statuses), "no_data")
    if total and (total - weight) / total > 0.5:
        status, progress = "no_data", None
    return replace(one, children=counts, children_status=status, children_progress=progress)


@dataclass(frozen=True, slots=True)
class Score:
    """The scorecard of one person and period: the sum of weight × progress over active goals, of all the weight."""

    owner: str
    period: str
    goals: int
    weight: float
    score: float


def scorecards(standings: Iterable[Standing], calendar: Calendar) -> list[Score]:
    """Return a scorecard a person and period; the person is the owner, of a segment's goal who it names."""
    found: dict[tuple[str, str], list[Standing]] = {}
    for one in standings:
        owner = ", ".join(one.segment) if one.segment is not None else one.goal.spec.owner
        if owner is None or one.goal.spec.stage != "active" or one.score is None:
            continue
        found.setdefault((owner, one.period or span_text(calendar, one.start, one.deadline)), []).append(one)
    return [
        Score(
            owner,
            period,
            len(some),
            sum(float(one.goal.spec.weight) for one in some),
            sum(float(one.goal.spec.weight) * (one.score or 0.0) for one in some),
        )
        for (owner, period), some in found.items()
    ]


def span_text(calendar: Calendar, start: date, deadline: date) -> str:
    """Return the name of a calendar period, else its first and last day."""
    for grain in (Grain.YEAR, Grain.QUARTER, Grain.MONTH, Grain.WEEK):
        if calendar.days(grain, calendar.key(grain, start)) == (start, deadline + DAY):
            return period_text(calendar, grain, calendar.key(grain, start))
    return start.isoformat() if start == deadline else f"{start}..{deadline}"
