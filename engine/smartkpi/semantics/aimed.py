"""The targets that goals set, as a condition of a threshold finds them: by segment, and by the days of a period."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime

from smartkpi.diagnostics import Diagnostic
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.semantics.amounts import COUNTS
from smartkpi.semantics.bands import place_of
from smartkpi.semantics.dimensions import equalities
from smartkpi.semantics.findings import Findings
from smartkpi.semantics.formula import Aimed, Field, TypedKpi
from smartkpi.semantics.goal import DAY, Bounds, Segment, TypedGoal
from smartkpi.tree import walk


def aim(kpis: dict[str, TypedKpi], goals: Mapping[str, TypedGoal], calendar: Calendar, found: list[Diagnostic]) -> None:
    """Add to each KPI whose conditions name `target` those of its goals; say where there can be none."""
    for name, kpi in kpis.items():
        named = {node.name for one in kpi.judging.conditions for node in walk(one) if isinstance(node, Field)}
        if "target" not in named:
            continue
        mine = sorted((goal for goal in goals.values() if goal.kpi.name == name), key=lambda goal: goal.last())
        targets = tuple(one for goal in mine for one in _targets(goal, calendar))
        kpis[name] = replace(kpi, judging=replace(kpi.judging, targets=targets))
        if mine and not any(not one.exact or _is_period(one, Grain(kpi.grain), calendar) for one in targets):
            findings = Findings(f"kpi:{name}")
            message = f"no goal of `{name}` has a target for a {kpi.grain}: the condition is never known"
            hint = f"a total has one by {kpi.grain} where the goal is `over: each {kpi.grain}`"
            findings.warn("no-target", message, place_of(kpi.spec, "target"), hint)
            found.extend(findings.diagnostics)


def _is_period(one: Aimed, grain: Grain, calendar: Calendar) -> bool:
    if grain in (Grain.HOUR, Grain.ALL):
        return False
    return calendar.days(grain, calendar.key(grain, one.first)) == (one.first, one.until)


def _targets(goal: TypedGoal, calendar: Calendar) -> Iterator[Aimed]:
    """Yield the targets of a goal that are numbers a value can be held against.

    A range has two, a change of the baseline is known only with data; neither counts. A total over the goal is held
    against a value over just its days; what is a ratio, or a level, against any that begins meanwhile.
    """
    scope = dict(equalities(goal.spec.where.expr)) if goal.spec.where is not None else {}
    if goal.spec.stage != "active" or None in scope.values():
        return
    if goal.kind == "level" and goal.nature in COUNTS and not goal.kpi.windows:
        return
    exact = goal.kind == "total" or (goal.kind == "each" and goal.nature in COUNTS)
    for first, end, until, segment, bounds in _spans(goal, calendar):
        if bounds.change or bounds.high is not None:
            continue
        where = {**{name: value or "" for name, value in scope.items()}, **dict(zip(goal.by, segment, strict=False))}
        yield Aimed(first, end, until, exact, tuple(sorted(where.items())), bounds.low)


def _spans(goal: TypedGoal, calendar: Calendar) -> Iterator[tuple[date, date, date, Segment, Bounds]]:
    """Yield targets with the days on which a value may begin, and by when it must end; one of a segment, or of all."""
    if goal.kind == "each":
        assert goal.each is not None
        for key in calendar.keys(goal.each, goal.start, goal.deadline):
            assert not isinstance(key, datetime)
            first, end = calendar.days(goal.each, key)
            for segment, bounds in _parts(goal, key):
                yield first, end, end, segment, bounds
        return
    until = goal.last() + DAY
    for segment, bounds in _parts(goal, None):
        first, known = goal.start, bounds
        for one in goal.revisions:
            yield first, one.start, (goal.deadline + DAY if goal.kind == "total" else until), segment, known
            first, known = one.start, known if one.target is None else Bounds(one.target)
        yield first, until, (goal.deadline + DAY if goal.kind == "total" else until), segment, known


def _parts(goal: TypedGoal, key: date | None) -> Iterator[tuple[Segment, Bounds]]:
    """Yield the targets of a period, or of the whole goal: of each segment, and of all, if only as their sum."""
    own = {segment: bounds for (period, segment), bounds in goal.targets.items() if period == key}
    if key is not None and not any(period is not None for period, _ in goal.targets):
        own = {segment: bounds for (_, segment), bounds in goal.targets.items()}
    parts = [bounds.low for segment, bounds in own.items() if segment]
    if () not in own and parts and goal.nature == "additive":
        own[()] = Bounds(sum(parts))
    yield from own.items()
