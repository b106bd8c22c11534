"""Check goals: names, dates, amounts and their units, what the value is over; the KPIs that they ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from smartkpi.diagnostics import Diagnostic, Note
from smartkpi.nearest import did_you_mean
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import Length
from smartkpi.semantics.amounts import (
    COUNTS,
    amount_of,
    type_baseline,
    type_milestones,
    type_revisions,
    type_targets,
)
from smartkpi.semantics.asked import questions_of
from smartkpi.semantics.dimensions import check_dimensions
from smartkpi.semantics.findings import Findings, circle, listing
from smartkpi.semantics.formula import TypedKpi, Windowed
from smartkpi.semantics.goal import DAY, Aim, Bounds, Nature, Rail, Segment, TypedGoal, a_year_before
from smartkpi.semantics.goal import Kind as GoalKind
from smartkpi.semantics.graph import in_order
from smartkpi.semantics.natures import may_fall, nature_of, way_of
from smartkpi.semantics.parts import check_sums, grain_of_parts, type_parts
from smartkpi.semantics.scope import Namespace
from smartkpi.spec.goal import Goal
from smartkpi.spec.model import Catalog

EARLIEST, LONGEST = 1900, timedelta(days=3_660)
LARGEST = (Grain.YEAR, Grain.QUARTER, Grain.MONTH, Grain.WEEK)


def check_goals(
    catalog: Catalog, space: Namespace, left_out: Mapping[str, Diagnostic], found: list[Diagnostic]
) -> dict[str, TypedGoal]:
    """Return the goals that are right; what is wrong with the others, and what is odd, goes to ``found``."""
    goals: dict[str, TypedGoal] = {}
    cycles = _check_parents(catalog, found)
    for name, goal in catalog.goals.items():
        findings = Findings(f"goal:{name}")
        typed = None if name in cycles else _check_goal(_spelled(goal, catalog), space, left_out, findings)
        if typed is not None and not findings.failed:
            check_sums(typed, findings)
            typed = replace(typed, questions=questions_of(typed, space, findings))
        findings.close(f"the goal `{name}`", goal.span)
        found.extend(findings.diagnostics)
        if typed is not None and not findings.failed:
            goals[name] = typed
    return goals


def _spelled(goal: Goal, catalog: Catalog) -> Goal:
    """Return a goal whose segments are spelt as their dimensions spell them."""
    known = [catalog.dimensions.get(name.split(".")[-1]) for name in goal.by]
    if not any(one is not None and one.spellings for one in known):
        return goal
    spelt = (
        tuple(
            value if one is None else one.spellings.get(value, value)
            for one, value in zip(known, part.segment, strict=True)
        )
        for part in goal.parts
    )
    return replace(
        goal, parts=tuple(replace(part, segment=segment) for part, segment in zip(goal.parts, spelt, strict=True))
    )


def _check_parents(catalog: Catalog, found: list[Diagnostic]) -> set[str]:
    """Say which parents are no goals, and which goals are their own ancestors; return these."""
    goals = catalog.goals
    known = {*goals, *(key.removeprefix("goal:") for key in catalog.broken if key.startswith("goal:"))}
    graph = {name: ((goal.parent,) if goal.parent in goals else ()) for name, goal in goals.items()}
    for name, goal in goals.items():
        if goal.parent is not None and goal.parent not in known:
            findings = Findings(f"goal:{name}")
            hint = did_you_mean(goal.parent, goals) or "a goal by its name; in words it is the `why`"
            message = f"no goal is named `{goal.parent}`"
            findings.error("unknown-goal", message, goal.at("parent"), hint, listing("goals", goals))
            found.extend(findings.diagnostics)
    _, cycles = in_order(graph)  # type: ignore[arg-type]
    for cycle in cycles:
        findings = Findings(f"goal:{cycle[0]}")
        message = f"the goal `{cycle[0]}` is part of itself: {circle(cycle)}"
        findings.error("goal-cycle", message, goals[cycle[0]].at("parent"), "leave one `parent` out")
        found.extend(findings.diagnostics)
    return {name for cycle in cycles for name in cycle}


def _check_goal(
    goal: Goal, space: Namespace, left_out: Mapping[str, Diagnostic], findings: Findings
) -> TypedGoal | None:
    kpi = _kpi(goal.kpi, goal.at("kpi"), space, left_out, findings)
    if kpi is None:
        return None
    if kpi.grain == Grain.ALL.value and any(space.events[event].timeless for event in kpi.events):
        findings.error("goal-window", f"the rows of `{goal.kpi}` have no time: it has no value by a day", goal.span)
        return None
    nature = nature_of(kpi.formula, space.kpis, space.events)
    window = _window(kpi)
    kind, each = _kind(goal, kpi, nature, window, space, findings)
    aim = _aim(goal, kpi, kind, findings)
    dates = _dates(goal, each, space, findings)
    if aim is None or dates is None or findings.failed:
        return None
    steps = max((Grain.DAY, *(p for e in kpi.events for p in space.events[e].periods)), key=lambda one: one.rank)
    targets = type_targets(goal, kpi, nature, aim, each, dates, space, findings)
    number = type_baseline(goal, kpi, nature, space, findings)
    if kind == "each":
        targets = _each(goal, targets, number, findings)
    length = window or _length(goal)
    before, fallback = _before(goal, kind, aim, dates, space, findings)
    typed = TypedGoal(
        name=goal.name,
        spec=goal,
        kpi=kpi,
        aim=aim,
        kind=kind,
        nature=nature,
        start=dates[0],
        deadline=dates[1],
        grain=steps,
        targets=targets,
        each=each,
        length=length if kind == "level" else None,
        baseline=number,
        before=before,
        fallback=fallback,
        stretch=amount_of(goal.stretch, kpi, nature, space, findings),
        milestones=type_milestones(goal, kpi, nature, dates, space, findings),
        revisions=type_revisions(goal, kpi, nature, dates, space, findings),
        rails=_rails(goal, space, left_out, findings),
        monotone=not (goal.corrections if goal.corrections is not None else may_fall(kpi.formula, space.kpis)),
        way=way_of(kpi.formula, space.kpis),
        possible=(
            amount_of(goal.achievable.low, kpi, nature, space, findings),
            amount_of(goal.achievable.high, kpi, nature, space, findings),
        ),
    )
    _check_path(typed, findings)
    _check_direction(typed, findings)
    _check_amounts(typed, space.calendar, findings)
    _check_versions(typed, space, findings)
    segmented = [space.events[event] for event in sorted(kpi.segmented)]
    check_dimensions(goal.by, segmented, goal.at("by", "targets"), findings)
    return typed


def _kpi(
    name: str, span: Any, space: Namespace, left_out: Mapping[str, Diagnostic], findings: Findings
) -> TypedKpi | None:
    if name in space.kpis:
        return space.kpis[name]
    if name in left_out:
        findings.depend(name, left_out[name])
    else:
        hint = did_you_mean(name, space.kpis) or "a goal is for a KPI: define it below `kpis:`"
        findings.error("unknown-kpi", f"no KPI is named `{name}`", span, hint, listing("KPIs", space.kpis))
    return None


def _window(kpi: TypedKpi) -> Length | None:
    """Return the window of a KPI whose whole value is over one trailing window."""
    formula = kpi.formula
    if isinstance(formula, Windowed) and formula.window.kind == "trailing" and len({w for w, _ in kpi.windows}) == 1:
        return formula.window.length
    return None


def _length(goal: Goal) -> Length | None:
    length = goal.over.length if goal.over is not None else None
    return None if length is None else Length(length.count, length.unit)


def _kind(
    goal: Goal, kpi: TypedKpi, nature: Nature, window: Length | None, space: Namespace, findings: Findings
) -> tuple[GoalKind, Grain | None]:
    """Return how a goal's value comes about: as written, else by its targets and the KPI's window."""
    over, periods = goal.over, grain_of_parts(goal, space.calendar, findings)
    kind = over.kind if over is not None else "each" if periods is not None else "trailing" if window else "goal"
    if periods is not None and kind != "each":
        message = f"there are targets by {periods}, but the value is over {kind}"
        findings.error("goal-window", message, goal.at("over"), f"write `over: each {periods}`, or leave `over` out")
    if kind == "each":
        grain = periods or Grain(over.grain if over is not None else "")
        known = space.calendar.grains[1:-1]
        if grain not in known or (over is not None and over.grain and Grain(over.grain) is not grain):
            hint = did_you_mean(over.grain, known) if over is not None and grain not in known else ""
            message = f"a goal over each `{over.grain}`" if over is not None else "a goal over each period"
            said = f"{message} has targets by {periods}" if periods else f"{message}: no grain has that name"
            findings.error("goal-window", said, goal.at("over"), hint or f"one of {', '.join(known)}")
        return "each", grain
    if kind == "trailing":
        if window is not None and over is not None and _length(goal) != window:
            message = f"`{kpi.name}` is over {window} already"
            findings.error("goal-window", message, goal.at("over"), f"write `over: trailing {window}`, or leave it out")
        return "level", None
    if kpi.windows or kpi.shifts:
        what = "another period" if kpi.shifts else "a window"
        hint = "write `over: each month`" + (f" or `over: trailing {window}`" if window else "")
        message = f"`{kpi.name}` is made of {what}: it has no value over the whole of a goal"
        findings.error("goal-window", message, goal.at("over"), hint)
    return ("total" if nature in COUNTS else "whole"), None


def _aim(goal: Goal, kpi: TypedKpi, kind: GoalKind, findings: Findings) -> Aim | None:
    """Return the direction of a goal: as written, of a range to stay within, else the KPI's."""
    ranged = goal.target is not None and goal.target.low is not None
    written: Any = goal.aim
    if ranged and written not in (None, "stay_within"):
        findings.error("goal-aim", f"a range is to stay within, not to {written}", goal.at("aim"), "leave `aim` out")
    if not ranged and written == "stay_within":
        hint = "write `target: {min: 35%, max: 45%}`"
        findings.error("goal-aim", "to stay within takes a range", goal.at("aim"), hint)
    if ranged and kind == "total":
        message = "a total grows from zero: it cannot stay within a range all the time"
        findings.error("goal-aim", message, goal.at("target"), "write `over: each month`, or one end as the target")
    if ranged or written is not None:
        return "stay_within" if ranged else written
    match kpi.direction:
        case "higher":
            return "increase"
        case "lower":
            return "decrease"
        case _:
            hint = f"write `aim: increase` or `aim: decrease` here, or `direction: higher` for `{kpi.name}`"
            findings.error("goal-aim", f"is more of `{kpi.name}` better, or less?", goal.span, hint)
            return None


def _dates(goal: Goal, each: Grain | None, space: Namespace, findings: Findings) -> tuple[date, date] | None:
    """Return the first and last day of a goal: as written, those of its periods, or of the calendar period it ends."""
    calendar, deadline, start = space.calendar, goal.deadline, goal.start
    spans = [calendar.days(each, key) for key in _keys(goal, each, space)] if each is not None else []
    deadline = deadline or (max(end for _, end in spans) - DAY if spans else None)
    start = start or (min(first for first, _ in spans) if spans else None)
    if deadline is None:
        findings.error("goal-dates", "a goal has a deadline", goal.span, "add `deadline: 2026-12-31`, its last day")
        return None
    if start is None:
        for grain in LARGEST:
            first, end = calendar.days(grain, calendar.key(grain, deadline))
            if end == deadline + DAY:
                start = first
                break
    if start is None:
        message = f"no year, quarter, month or week ends on {deadline}: when does the goal begin?"
        findings.error("goal-dates", message, goal.at("deadline"), "add `start: 2026-01-01`, its first day")
        return None
    if start > deadline:
        message = f"the goal ends on {deadline}, before it begins on {start}"
        findings.error("goal-dates", message, goal.at("deadline"), "swap `start` and `deadline`")
        return None
    last = max([deadline, *(one.deadline for one in goal.revisions if one.deadline is not None)])
    if start.year < EARLIEST or last - start > LONGEST:
        message = f"a goal of {(last - start).days + 1:,} days is too long"
        hint = f"at most {LONGEST.days:,}: a goal has an end in sight"
        findings.error("goal-dates", message, goal.at("start", "deadline"), hint)
        return None
    if each is not None and not spans and not findings.failed:
        first, end = (
            calendar.days(each, calendar.key(each, start))[0],
            calendar.days(each, calendar.key(each, deadline))[1],
        )
        if (first, end) != (start, deadline + DAY):
            message = f"each {each} is judged, but {start} to {deadline} are no whole ones"
            hint = f"write `start: {first}` and `deadline: {end - DAY}`"
            findings.error("goal-dates", message, goal.at("start", "deadline"), hint)
            return None
    return start, deadline


def _each(
    goal: Goal, targets: dict[tuple[date | None, Segment], Bounds], baseline: float | None, findings: Findings
) -> dict[tuple[date | None, Segment], Bounds]:
    """Return the targets of periods as numbers: each is judged by itself, and comes from nowhere."""
    if goal.baseline is not None and goal.baseline.amount is None:
        hint = "leave `baseline` out; a change since a year ago is a KPI of its own, `growth(x, 1y)`"
        findings.error("goal-target", "each period is judged by itself: no days before are its baseline",
                       goal.at("baseline"), hint)  # fmt: skip
        return targets
    found = {key: bounds.over(baseline) for key, bounds in targets.items()}
    if any(bounds is None for bounds in found.values()):
        hint = "write the number, or `baseline: NUMBER`; or set the goal for a KPI of `growth(x, 1y)`, or `change(x)`"
        findings.error("goal-target", "each period is judged by itself: a change of what?", goal.at("target"), hint)
    return {key: bounds for key, bounds in found.items() if bounds is not None}


def _keys(goal: Goal, each: Grain, space: Namespace) -> list[date]:
    return [key for _, key in type_parts(goal, each, space.calendar, None) if key is not None]


def _before(
    goal: Goal,
    kind: GoalKind,
    aim: Aim,
    dates: tuple[date, date],
    space: Namespace,
    findings: Findings,
) -> tuple[tuple[date, date] | None, bool]:
    """Return the days of the KPI's value that is the baseline, and whether the first value may stand for it.

    If not written, a level comes from the value on the day before the start, a ratio from as many days before it, a
    total from zero, unless its target is a change.
    """
    written, (start, end) = goal.baseline, dates
    days = end - start + DAY
    if written is None:
        changed = goal.target is not None and (goal.target.grow or goal.target.add)
        if kind == "each" or (not changed and (kind == "total" or aim.startswith("stay"))):
            return None, False
        return (start - (DAY if kind == "level" else days), start - DAY), not changed
    if written.amount is not None:
        return None, False
    if written.named == "previous_period":
        grain = _period(dates, space)
        if grain is None:
            return (start - days, start - DAY), False
        first, after = space.calendar.days(grain, space.calendar.previous(grain, start))
        return (first, after - DAY), False
    if written.named:
        return (a_year_before(start), a_year_before(end)), False
    assert written.start is not None
    assert written.end is not None
    if written.start > written.end:
        message = f"the baseline ends on {written.end}, before it begins on {written.start}"
        findings.error("goal-dates", message, written.span, "swap `from` and `to`")
    return (written.start, written.end), False


def _period(dates: tuple[date, date], space: Namespace) -> Grain | None:
    """Return the grain of the calendar period that a goal is."""
    known = [grain for grain in space.calendar.grains[1:-1] if space.calendar.own(grain) is None]
    return next((g for g in known if space.calendar.days(g, dates[0]) == (dates[0], dates[1] + DAY)), None)


def _rails(goal: Goal, space: Namespace, left_out: Mapping[str, Diagnostic], findings: Findings) -> tuple[Rail, ...]:
    found = []
    for one in goal.guardrails:
        kpi = _kpi(one.kpi, one.span, space, left_out, findings)
        if kpi is not None:
            bound = amount_of(one.amount, kpi, nature_of(kpi.formula, space.kpis, space.events), space, findings)
            found += [] if bound is None else [Rail(one.kpi, one.operator, bound)]
    return tuple(found)


def _check_path(goal: TypedGoal, findings: Findings) -> None:
    """Refuse a path that the value does not go along."""
    path, spec = goal.spec.path, goal.spec
    if path == "milestones" and not spec.milestones:
        findings.error(
            "goal-path", "this path has no milestone", spec.at("path"), "add `milestones: [{by: …, value: …}]`"
        )
    if spec.milestones and path != "milestones":
        message = f"the goal has milestones, its path is `{path}`"
        findings.error("goal-path", message, spec.at("path"), "leave `path` out")
    if path in ("weekday", "last_year") and goal.kind != "total":
        message = f"only a total adds up by {'weekdays' if path == 'weekday' else 'the shape of last year'}"
        findings.error("goal-path", message, spec.at("path"), "leave `path` out, or set `milestones`")
    if path == "weekday" and goal.grain is not Grain.DAY:
        findings.error("goal-path", f"the rows stand for a {goal.grain}: they have no weekdays", spec.at("path"))
    if path == "milestones" and goal.aim not in ("increase", "decrease"):
        findings.error("goal-path", "what is to stay goes along no path", spec.at("milestones", "path"))
    if goal.kind == "each" and (path != "linear" or any(one.moves for one in goal.revisions)):
        findings.error("goal-path", "each period is judged by itself: there is no path from one to the next",
                       spec.at("path", "milestones", "revisions"))  # fmt: skip
    if spec.allow_misses and goal.kind != "each":
        message = "`allow_misses` counts periods, this goal has one value"
        findings.error("goal-window", message, spec.at("allow_misses"), "write `over: each month`")
    if goal.grain is not Grain.DAY and goal.kind == "level":
        findings.error("goal-window", f"the rows stand for a {goal.grain}: there is no level by day", spec.span,
                       f"write `over: each {goal.grain}`")  # fmt: skip


def _check_amounts(goal: TypedGoal, calendar: Calendar, findings: Findings) -> None:
    """Refuse a stretch that is no more than the target, growth from nothing, and misses of all periods."""
    spec, whole = goal.spec, goal.targets.get((None, ()))
    if goal.stretch is not None and whole is not None and not whole.change:
        rising = goal.aim in ("increase", "stay_above")
        if goal.aim == "stay_within" or (goal.stretch <= whole.low if rising else goal.stretch >= whole.low):
            hint = "a stretch lies beyond the target; leave it out"
            findings.error("goal-target", "the stretch asks no more than the target", spec.at("stretch"), hint)
    if whole is not None and whole.change == "grow" and goal.baseline is not None and goal.baseline <= 0:
        hint = "write `{add: …}`, or the number"
        findings.error("goal-target", "nothing grows from 0 or less", spec.at("target"), hint)
    if spec.allow_misses and goal.each is not None:
        dated = {key for key, _ in goal.targets if key is not None}
        periods = len(dated) or len(calendar.keys(goal.each, goal.start, goal.deadline))
        if spec.allow_misses >= periods:
            message = f"all {periods} periods may miss: nothing is asked"
            findings.error("goal-window", message, spec.at("allow_misses"), f"at most {periods - 1}")


def _check_versions(goal: TypedGoal, space: Namespace, findings: Findings) -> None:
    """Refuse a value over all since the start of a KPI that becomes another one meanwhile."""
    if goal.kind not in ("total", "whole") or not goal.kpi.dated:
        return
    stack: list[str] = [goal.kpi.name]
    seen: set[str] = set()
    while stack:
        kpi = space.kpis[stack.pop()]
        for one, after in pairwise(kpi.versions):
            changed = (one.formula, one.where) != (after.formula, after.where)
            if changed and goal.start < after.start <= goal.last():
                message = f"`{kpi.name}` becomes another one on {after.start}, in the midst of the goal"
                hint = "end the goal before, begin it then, or write `over: each month`"
                findings.error("goal-window", message, goal.spec.at("over"), hint)
                return
        stack.extend(name for name in kpi.kpis if name not in seen)
        seen |= kpi.kpis


def _check_direction(goal: TypedGoal, findings: Findings) -> None:
    """Refuse a target that is the baseline, or lies on its wrong side."""
    whole = goal.targets.get((None, ()))
    baseline = goal.baseline
    if whole is None or goal.kind == "total" or goal.aim not in ("increase", "decrease"):
        return
    if whole.change:
        wrong = whole.low if goal.aim == "increase" else -whole.low
        if wrong <= 0:
            message = f"the goal is to {goal.aim}, the target changes the other way"
            findings.error("goal-direction", message, goal.spec.at("target"), "change the sign, or the `aim`")
        return
    if baseline is None:
        return
    if whole.low == baseline:
        findings.error("goal-direction", "the target is the baseline: there is no way to go", goal.spec.at("target"),
                       "to keep it, write `aim: stay_above` or `aim: stay_below`")  # fmt: skip
    elif (whole.low > baseline) is not (goal.aim == "increase"):
        side = "above" if whole.low > baseline else "below"
        message = f"the goal is to {goal.aim}, but the target lies {side} the baseline"
        other = "decrease" if goal.aim == "increase" else "increase"
        note = Note("the baseline is here", goal.spec.at("baseline"))
        findings.error(
            "goal-direction", message, goal.spec.at("target"), f"swap them, or write `aim: {other}`", (note,)
        )
