"""Goals as written, as dataclasses with spans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

from smartkpi.language.syntax import Duration
from smartkpi.source import Span
from smartkpi.spec.model import EMPTY, Formula, Labels, Origin, Silence

UNSAID = Labels()


@dataclass(frozen=True, slots=True)
class Target:
    """What a goal aims at: an amount, the bounds of a range, or a change of its baseline (`grow`, `add`)."""

    span: Span = field(compare=False, repr=False)
    amount: Formula | None = None
    grow: Formula | None = None
    add: Formula | None = None
    low: Formula | None = None
    high: Formula | None = None


@dataclass(frozen=True, slots=True)
class PartTarget:
    """The target of a period (None: of the whole goal) in a segment (values as they are written), with its place."""

    period: str | None
    segment: tuple[str, ...]
    amount: Formula
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Baseline:
    """Where a goal comes from: a number, `previous_period`, `same_period_last_year`, or the days from ... to ..."""

    span: Span = field(compare=False, repr=False)
    amount: Formula | None = None
    named: str = ""
    start: date | None = None
    end: date | None = None


@dataclass(frozen=True, slots=True)
class Over:
    """What a goal's value is over: `goal`, `trailing` a length, or `each` period of a grain."""

    kind: Literal["goal", "trailing", "each"]
    length: Duration | None = None
    grain: str = ""


@dataclass(frozen=True, slots=True)
class Milestone:
    """A value that is due on a day."""

    by: date
    value: Formula
    span: Span = field(compare=False, repr=False)
    note: Labels = UNSAID


@dataclass(frozen=True, slots=True)
class Guardrail:
    """What another KPI must keep to meanwhile: at_least, at_most, above or below an amount."""

    kpi: str
    operator: str
    amount: Formula
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class GoalRevision:
    """Another target, deadline or stage, from a day on."""

    start: date
    target: Formula | None
    deadline: date | None
    reason: Labels
    span: Span = field(compare=False, repr=False)
    stage: Literal["", "active", "paused"] = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What it takes to judge a goal: rows of a ratio, the share of days with data, days, the share of the way.

    ``days`` are how many of the last ones tell how it goes on, ``projection`` by which method; without one no
    probability is known.
    """

    min_sample: int = 30
    min_coverage: float = 0.8
    min_periods: int = 3
    warmup: float = 0.1
    days: int = 56
    projection: Literal["historic", "weekly", "none"] = "historic"


@dataclass(frozen=True, slots=True)
class Achievable:
    """What speaks for reaching a goal: how far back to look, between which values it lies, what makes it possible."""

    history: Duration | None = None
    low: Formula | None = None
    high: Formula | None = None
    because: Labels = UNSAID


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal as written. ``parts`` are targets by period, segment or both, ``by`` the fields of those segments."""

    name: str
    kpi: str
    span: Span = field(compare=False, repr=False)
    target: Target | None = None
    parts: tuple[PartTarget, ...] = ()
    by: tuple[str, ...] = ()
    deadline: date | None = None
    start: date | None = None
    baseline: Baseline | None = None
    aim: str | None = None
    over: Over | None = None
    label: Labels = UNSAID
    description: Labels = UNSAID
    owner: str | None = None
    contributors: tuple[str, ...] = ()
    parent: str | None = None
    why: Labels = UNSAID
    where: Formula | None = None
    stretch: Formula | None = None
    path: Literal["linear", "weekday", "last_year", "milestones"] = "linear"
    milestones: tuple[Milestone, ...] = ()
    allow_misses: int = 0
    weight: Decimal = Decimal(1)
    guardrails: tuple[Guardrail, ...] = ()
    evidence: Evidence = Evidence()
    achievable: Achievable = Achievable()
    corrections: bool | None = None
    lint: tuple[Silence, ...] = ()
    settle: Duration | None = None
    revisions: tuple[GoalRevision, ...] = ()
    stage: Literal["draft", "active", "paused", "cancelled"] = "active"
    commitment: Literal["committed", "aspirational"] = "committed"
    origin: Origin | None = None
    places: Mapping[str, Span] = field(default_factory=lambda: EMPTY, compare=False, repr=False)
    """Where its keys stand."""

    def at(self, *keys: str) -> Span:
        """Return where the first of some keys stands that is there, else the goal's name."""
        return next((self.places[key] for key in keys if key in self.places), self.span)
