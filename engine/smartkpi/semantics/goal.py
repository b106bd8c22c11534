"""Goals whose names are resolved and amounts known: what is evaluated, whatever the data holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import Length
from smartkpi.semantics.formula import TypedKpi
from smartkpi.spec.goal import Goal

DAY = timedelta(days=1)
HISTORY = 56
"""How many days before a goal's start tell how weekdays differ."""
LONG = 730
"""How many days before it tell how projections turned out."""
EARLIER = 12
"""How many windows before it, at most, tell how what does not add up over days ends."""
MANY = 200
"""Of more segments than these so many days are not read."""

Aim = Literal["increase", "decrease", "stay_above", "stay_below", "stay_within"]
Kind = Literal["total", "whole", "level", "each"]
Nature = Literal["additive", "accumulating", "proportion", "rate", "stat", "stock"]
Way = Literal["up", "down", ""]
Segment = tuple[str, ...]
Role = Literal["value", "daily", "running", "baseline", "known", "over", "under"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """A target: one number, or a range from ``low`` to ``high``; ``change`` says how it follows from the baseline."""

    low: float = 0.0
    high: float | None = None
    change: Literal["", "grow", "add"] = ""

    def over(self, baseline: float | None) -> Bounds | None:
        """Return the target for a baseline; None where it needs one, or one above zero, and there is none."""
        match self.change:
            case "":
                return self
            case "add":
                return None if baseline is None else Bounds(baseline + self.low)
            case _:
                return None if baseline is None or baseline <= 0 else Bounds(baseline * (1 + self.low))


@dataclass(frozen=True, slots=True)
class Revised:
    """Another target, deadline or stage from a day on."""

    start: date
    target: float | None
    deadline: date | None
    stage: str = ""

    @property
    def moves(self) -> bool:
        """Whether the goal is another one from then on."""
        return self.target is not None or self.deadline is not None


@dataclass(frozen=True, slots=True)
class Rail:
    """What another KPI must keep to meanwhile, and how that reads."""

    kpi: str
    operator: str
    bound: float


@dataclass(frozen=True, slots=True)
class TypedGoal:
    """A goal, checked.

    ``kind`` says how its value comes about, ``nature`` what its KPI is. ``targets`` are by the first day of a
    period (None: the whole goal) and by segment (): all of them together). ``grain`` is that of its days: coarser
    where rows stand for more. ``each`` is the grain of its periods, ``length`` the window of a level. The baseline
    is a number, or the KPI from ``before`` to its end; ``fallback``: it may be the first value there is.
    ``monotone``: its total cannot fall. ``way``: where alone its value may go as days are added: a maximum only up.
    ``possible`` are the bounds of what it takes to be possible. ``questions`` are the KPIs, by role, whose values
    it is made of; ``rails`` those of its guardrails.
    """

    name: str
    spec: Goal
    kpi: TypedKpi = field(repr=False)
    aim: Aim
    kind: Kind
    nature: Nature
    start: date
    deadline: date
    grain: Grain
    targets: Mapping[tuple[date | None, Segment], Bounds]
    each: Grain | None = None
    length: Length | None = None
    baseline: float | None = None
    before: tuple[date, date] | None = None
    fallback: bool = False
    stretch: float | None = None
    milestones: tuple[tuple[date, float], ...] = ()
    revisions: tuple[Revised, ...] = ()
    rails: tuple[Rail, ...] = ()
    monotone: bool = False
    way: Way = ""
    possible: tuple[float | None, float | None] = (None, None)
    questions: Mapping[str, TypedKpi] = field(default_factory=dict, repr=False)

    @property
    def by(self) -> tuple[str, ...]:
        """The fields that tell its segments apart."""
        return self.spec.by

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segments that have targets of their own."""
        return tuple(dict.fromkeys(segment for _, segment in self.targets if segment))

    @property
    def projected(self) -> bool:
        """Whether its days tell where it may end, of a goal for each period those before."""
        if self.spec.evidence.projection == "none" or self.spec.stage != "active":
            return False
        known = self.kind == "level" or any(role in self.questions for role in ("daily", "over"))
        return self.kind == "each" or (known and self.grain is Grain.DAY)

    @property
    def earlier(self) -> tuple[tuple[date, date], ...]:
        """The windows before its start that are as long, the latest first: whole weeks apart, none overlaps."""
        days = (self.last() - self.start).days + 1
        apart = -(-days // 7) * 7
        begins = [self.start - DAY * apart * (i + 1) for i in range(min(EARLIER, LONG // apart))]
        return tuple((first, first + DAY * (days - 1)) for first in begins)

    def stage(self, day: date) -> str:
        """Return the stage that a goal is in on a day."""
        known = [one.stage for one in self.revisions if one.stage and one.start <= day]
        return known[-1] if known and self.spec.stage in ("active", "paused") else self.spec.stage

    def paused(self, last: date) -> int | None:
        """Return how many of its days up to one it was paused; None where that has no beginning."""
        if self.spec.stage == "paused":
            return None
        days = min((last - self.start).days, (self.due(last) - self.start).days) + 1
        return sum(self.stage(self.start + DAY * i) == "paused" for i in range(max(days, 0)))

    def due(self, day: date) -> date:
        """Return the deadline in force on a day."""
        known = [one.deadline for one in self.revisions if one.deadline is not None and one.start <= day]
        return known[-1] if known else self.deadline

    def last(self) -> date:
        """Return the last deadline of all."""
        return max([self.deadline, *(one.deadline for one in self.revisions if one.deadline is not None)])

    def first(self, calendar: Calendar) -> date:
        """Return the first day of which data is read."""
        days = [self.start - DAY]
        if self.before is not None:
            days.append(self.before[0])
        if self.spec.path == "weekday":
            days.append(self.start - DAY * HISTORY)
        if self.spec.path == "last_year":
            days.append(a_year_before(self.start))
        if self.projected:
            evidence = self.spec.evidence
            long = evidence.projection == "historic" and len(self.segments) <= MANY
            days.append(self.start - DAY * (LONG if long else evidence.days))
        return calendar.days(self.grain, calendar.key(self.grain, min(days)))[0]


def a_year_before(day: date) -> date:
    """Return the same day of the year before; of 29 February the 28th."""
    if day.month == 2 and day.day == 29:
        return date(day.year - 1, 2, 28)
    return day.replace(year=day.year - 1)
