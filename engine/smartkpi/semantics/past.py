"""What is asked of a goal's past: its value over as long a time before, by day, and the rows of its events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from smartkpi.language import syntax
from smartkpi.language.syntax import Expr
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.semantics.findings import Findings
from smartkpi.semantics.formula import TypedKpi
from smartkpi.semantics.goal import DAY, TypedGoal
from smartkpi.semantics.kpis import check_kpi
from smartkpi.semantics.scope import Namespace
from smartkpi.spec.model import Formula, Kpi

USUAL = timedelta(days=730)
LENGTHS = 4
"""How far back it is looked, unless the goal says: two years, or four times its own length."""
BY_PERIOD = timedelta(days=1_461)
"""Of a goal that is told by its periods four years: of each season there are few."""
DAYS = {"d": 1, "w": 7, "mo": 30, "q": 91, "y": 365}
RECENT = 28


def past_begins(goal: TypedGoal) -> date:
    """Return the first day of a goal's past that what is rare is told from."""
    length = goal.spec.achievable.history
    usual = max(BY_PERIOD if by_period(goal) else USUAL, LENGTHS * (goal.deadline - goal.start + DAY))
    return goal.start - (usual if length is None else DAY * (length.count * DAYS.get(length.unit, 0)))


def by_period(goal: TypedGoal) -> bool:
    """Return whether a goal's past is told by periods: it is judged by them, or its rows stand for more than a day."""
    return goal.kind == "each" or goal.grain is not Grain.DAY


def past_first(goal: TypedGoal, calendar: Calendar) -> date:
    """Return the first day of a goal's past that is read."""
    first = min(past_begins(goal), goal.first(calendar), goal.start - DAY * RECENT)
    return calendar.days(goal.each or goal.grain, calendar.key(goal.each or goal.grain, first))[0]


def past_of(goal: TypedGoal, space: Namespace) -> dict[str, TypedKpi]:
    """Return the KPIs by role that tell of a goal's past; one that cannot be asked is left out."""
    found: dict[str, TypedKpi] = {}
    for role, spec in _specs(goal, space):
        typed = check_kpi(spec, space, Findings(f"goal:{goal.name}"))
        if typed is not None:
            found[role] = typed
    return found


def _specs(goal: TypedGoal, space: Namespace) -> Iterator[tuple[str, Kpi]]:
    span = goal.spec.span
    if goal.kind in ("total", "whole") and goal.grain is Grain.DAY:
        days = (goal.deadline - goal.start).days + 1
        name: Expr = syntax.Name((goal.kpi.name,), span)
        window = syntax.Apply("trailing", (name, syntax.Duration(days, "d", span)), span, span)
        yield "past", _question(goal, "past", window, goal.spec.where)
    for event in sorted(goal.kpi.events):
        count = syntax.Apply("count", (syntax.Name((event,), span),), span, span)
        yield f"rows:{event}", _question(goal, f"rows of {event}", count, None)


def _question(goal: TypedGoal, role: str, formula: Expr, where: Formula | None) -> Kpi:
    written, grain = Formula(formula, goal.kpi.spec.formula.text), goal.grain.value
    return Kpi(f"goal {goal.name}: {role}", written, goal.spec.span, where=where, grain=grain, hidden=True)
