"""What goals ask of the engine: KPIs like any other, made of theirs, so that one run answers all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

from smartkpi.language import syntax
from smartkpi.language.syntax import Expr
from smartkpi.language.types import BOOLEAN, WHOLE
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import Length
from smartkpi.semantics.findings import Findings
from smartkpi.semantics.formula import Aggregate, Apply, Reference, TypedKpi
from smartkpi.semantics.formula import Expr as TypedExpr
from smartkpi.semantics.goal import DAY, MANY, TypedGoal
from smartkpi.semantics.kpis import check_kpi
from smartkpi.semantics.natures import nature_of
from smartkpi.semantics.scope import Namespace
from smartkpi.source import Span
from smartkpi.spec.model import Formula, Kpi

Conditions = tuple[tuple[str, tuple[TypedExpr, ...]], ...]
TO_DATE = (Grain.WEEK, Grain.MONTH, Grain.QUARTER, Grain.YEAR)


def questions_of(goal: TypedGoal, space: Namespace, findings: Findings) -> dict[str, TypedKpi]:
    """Return the KPIs by role whose values a goal is made of; what has none goes to the findings."""
    found: dict[str, TypedKpi] = {}
    for role, spec in _specs(goal):
        trial = Findings(f"goal:{goal.name}")
        typed = check_kpi(spec, space, trial)
        if typed is not None:
            found[role] = typed
            continue
        if role == "running":  # then a period is judged when it is over
            continue
        for name, cause in trial.causes.items():
            findings.depend(name, cause)
        for one in trial.diagnostics[:1]:
            if one.span is not None and goal.spec.where is not None and _inside(one.span, goal.spec.where):
                findings.error(one.code, one.message, one.span, one.hint, one.notes)
            else:
                message = f"`{goal.kpi.name}` has no value over this goal: {one.message}"
                findings.error("goal-window", message, goal.spec.at("over"), one.hint)
    daily = found.get("daily")
    halves = None if daily is None else halves_of(goal.kpi, space.kpis)
    if daily is not None and halves is not None:
        for role, formula in zip(("over", "under"), halves.formulas, strict=True):
            where = _both(daily.where, halves.where)
            found[role] = replace(daily, name=f"goal {goal.name}: {role}", formula=formula, where=where)
    elif daily is not None and goal.nature != "additive":
        found |= _earlier(goal, space)
    return found


def _earlier(goal: TypedGoal, space: Namespace) -> dict[str, TypedKpi]:
    """Return the KPIs of the windows before a goal, by which is known how a value goes that does not add up."""
    wanted = goal.spec.evidence.projection == "historic" and goal.spec.stage == "active" and goal.grain is Grain.DAY
    dated = goal.kpi.dated or any(space.kpis[name].dated for name in goal.kpi.kpis)
    if not wanted or dated or goal.kind == "each" or len(goal.segments) > MANY:
        return {}
    name = syntax.Name((goal.kpi.name,), goal.spec.span)
    found = {}
    for place, (first, last) in enumerate(goal.earlier):
        role = f"earlier{place}"
        spec = _spec(goal, role, _call(goal, "cumulative", name), goal.grain, first, last)
        typed = check_kpi(spec, space, Findings(f"goal:{goal.name}"))
        if typed is not None:
            found[role] = typed
    return found


@dataclass(frozen=True, slots=True)
class Halves:
    """The numerator and the denominator of a ratio, each of which adds up, under the conditions of its KPIs."""

    formulas: tuple[TypedExpr, TypedExpr]
    where: Conditions


def halves_of(kpi: TypedKpi, kpis: Mapping[str, TypedKpi]) -> Halves | None:
    """Return the halves of a ratio of two totals, or of a mean; None of else, and of what becomes another."""
    where: Conditions = ()
    while not kpi.dated:
        where = _both(where, kpi.where)
        match kpi.formula:
            case Reference(kpi=name, where=added):
                where, kpi = _both(where, added), kpis[name]
            case Apply(function="/", args=(over, under)):
                sums = nature_of(over, kpis) == nature_of(under, kpis) == "additive"
                return Halves((over, under), where) if sums else None
            case Aggregate(function="avg", argument=argument) as mean if argument is not None:
                there = Apply("is not null", (argument,), BOOLEAN)
                count = replace(mean, function="count", argument=None, where=(*mean.where, there), type=WHOLE)
                return Halves((replace(mean, function="sum"), count), where)
            case _:
                return None
    return None


def _both(one: Conditions, other: Conditions) -> Conditions:
    """Return the conditions by event of both."""
    found = dict(one)
    for event, some in other:
        found[event] = tuple(dict.fromkeys((*found.get(event, ()), *some)))
    return tuple(sorted(found.items()))


def _inside(span: Span, formula: Formula) -> bool:
    whole = formula.text.span
    return span.source is whole.source and whole.start <= span.start <= whole.end


def _specs(goal: TypedGoal) -> Iterator[tuple[str, Kpi]]:
    """Yield the KPIs of a goal: its value on each day or in each period, and what stands beside it."""
    name = syntax.Name((goal.kpi.name,), goal.spec.span)
    whole = Grain.YEAR if goal.grain.rank <= Grain.YEAR.rank else goal.grain
    match goal.kind:
        case "each":
            assert goal.each is not None
            yield "value", _spec(goal, "value", name, goal.each)
            if goal.each in TO_DATE and goal.grain is Grain.DAY and not (goal.kpi.windows or goal.kpi.shifts):
                running = _call(goal, "to_date", name, syntax.Name((goal.each.value,), goal.spec.span))
                yield "running", _spec(goal, "running", running, goal.grain)
                yield "daily", _spec(goal, "daily", name, goal.grain)
        case "level":
            yield "value", _spec(goal, "value", _level(goal, name), goal.grain)
        case _:
            value = _call(goal, "cumulative", name)
            yield "value", _spec(goal, "value", value, goal.grain, goal.start)
            yield "daily", _spec(goal, "daily", name, goal.grain)
    if goal.before is not None and goal.kind in ("total", "whole"):
        first, last = goal.before
        yield "baseline", _spec(goal, "baseline", _call(goal, "cumulative", name), goal.grain, first, last)
    if goal.by:
        yield "known", _spec(goal, "known", name if goal.kpi.windows else _call(goal, "cumulative", name), whole)
    for place, rail in enumerate(goal.rails):
        other = syntax.Name((rail.kpi,), goal.spec.span)
        role = f"rail{place}"
        if goal.kind == "each":
            yield role, _spec(goal, role, other, goal.each or goal.grain)
        elif goal.kind == "level":
            yield role, _spec(goal, role, other if goal.length is None else _level(goal, other), goal.grain)
        else:
            yield role, _spec(goal, role, _call(goal, "cumulative", other), goal.grain, goal.start)


def _level(goal: TypedGoal, name: Expr) -> Expr:
    if goal.kpi.windows or goal.length is None:
        return name
    length: Length = goal.length
    return _call(goal, "trailing", name, syntax.Duration(length.count, length.unit, goal.spec.span))


def _call(goal: TypedGoal, function: str, *args: Expr) -> Expr:
    return syntax.Apply(function, args, goal.spec.span, goal.spec.span)


def _spec(
    goal: TypedGoal, role: str, formula: Expr, grain: Grain, first: date | None = None, last: date | None = None
) -> Kpi:
    """Return a KPI over the rows of a goal, from a day on, up to a day."""
    span = goal.spec.span
    time = syntax.Name(("time",), span)
    parts: list[Expr] = [] if goal.spec.where is None else [goal.spec.where.expr]
    bounds = ((">=", first), ("<", None if last is None else last + DAY))
    for sign, day in bounds:
        if day is not None:
            parts.append(syntax.Apply(sign, (time, syntax.Text(day.isoformat(), span)), span, span))
    text = goal.spec.where.text if goal.spec.where is not None else goal.kpi.spec.formula.text
    where = None
    if parts:
        whole = parts[0] if len(parts) == 1 else syntax.Apply("and", tuple(parts), span, span)
        where = Formula(whole, text)
    return Kpi(
        name=f"goal {goal.name}: {role}",
        formula=Formula(formula, goal.kpi.spec.formula.text),
        span=span,
        where=where,
        grain=grain.value,
        hidden=True,
    )
