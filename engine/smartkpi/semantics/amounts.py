"""Amounts of goals: targets, baselines, milestones, revisions, each a number in the unit of its KPI."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from smartkpi.language import syntax
from smartkpi.language.types import BARE, PLAIN, Kind
from smartkpi.language.units import describe
from smartkpi.periods.grain import Grain
from smartkpi.semantics.findings import Findings
from smartkpi.semantics.formula import TypedKpi
from smartkpi.semantics.goal import Aim, Bounds, Nature, Revised, Segment
from smartkpi.semantics.literals import FAILED, constant
from smartkpi.semantics.natures import may_fall
from smartkpi.semantics.parts import type_parts
from smartkpi.semantics.scope import Namespace
from smartkpi.spec.goal import Goal
from smartkpi.spec.model import Formula

COUNTS = ("additive", "accumulating")


def amount_of(
    written: Formula | None, kpi: TypedKpi, nature: Nature, space: Namespace, findings: Findings
) -> float | None:
    """Return an amount of a KPI, in whose unit it must be: no percentage of a count, no 40 where 40% is meant."""
    if written is None:
        return None
    value = constant(written.expr, space.constants, findings)
    if value is FAILED:
        return None
    span = written.expr.span
    if not isinstance(value.value, Decimal):
        findings.error("goal-target", f"an amount is a number, this is {describe(value.type)}", span)
        return None
    known = kpi.type.kind is not Kind.UNKNOWN
    if known and value.type.unit not in (BARE, PLAIN) and value.type.unit.name != kpi.type.unit.name:
        message = f"the goal is {describe(value.type)}, `{kpi.name}` is {describe(kpi.type)}"
        findings.error("unit-mismatch", message, span)
        return None
    percent = isinstance(written.expr, syntax.Number) and written.expr.percent
    if percent and (nature in COUNTS or (known and kpi.type.unit != PLAIN)):
        what = "a count" if nature in COUNTS and kpi.type.unit == PLAIN else describe(kpi.type)
        hint = f"write a number, or `{{grow: {written.text.value}}}` for a change of the baseline"
        findings.error("goal-target", f"`{kpi.name}` is {what}: it has no percentage", span, hint)
        return None
    if nature == "proportion" and not percent and value.value > 1:
        hint = f"write `{written.text.value}%`"
        findings.error("goal-target", f"`{kpi.name}` is a share of its rows: it is at most 1", span, hint)
        return None
    if value.value < 0 and nature in (*COUNTS, "proportion") and not may_fall(kpi.formula, space.kpis):
        hint = f"a change of the baseline is written `target: {{add: {written.text.value.strip()}}}`"
        findings.error("goal-target", f"`{kpi.name}` counts rows: it is never below 0", span, hint)
        return None
    return float(value.value)


def type_targets(
    goal: Goal,
    kpi: TypedKpi,
    nature: Nature,
    aim: Aim,
    each: Grain | None,
    dates: tuple[date, date],
    space: Namespace,
    findings: Findings,
) -> dict[tuple[date | None, Segment], Bounds]:
    """Return all targets: by period, by segment, and of the whole."""
    found: dict[tuple[date | None, Segment], Bounds] = {}
    whole = _whole(goal, kpi, nature, space, findings)
    for part, key in type_parts(goal, each, space.calendar, findings):
        amount = _share(part.amount, whole, nature)
        amount = amount_of(part.amount, kpi, nature, space, findings) if amount is None else amount
        if key is not None and not dates[0] <= key <= dates[1]:
            message = f"{part.period} lies outside the goal, {dates[0]} to {dates[1]}"
            findings.error("goal-targets", message, part.span, "leave it out, or change `start` or `deadline`")
        elif (key, part.segment) in found:
            what = ", ".join(filter(None, (part.period, *part.segment)))
            findings.error("goal-targets", f"there are two targets of {what}", part.span, "keep one")
        elif amount is not None:
            found[key, part.segment] = Bounds(amount)
    if whole is not None:
        found[None, ()] = whole
    if not found and not findings.failed:
        findings.error("goal-target", "a goal has a target", goal.span, "add `target: …`")
    if aim == "stay_within" and goal.parts:
        findings.error("goal-aim", "parts have one number each, no range", goal.at("aim"))
    return found


def _share(written: Formula, whole: Bounds | None, nature: Nature) -> float | None:
    """Return the target of a part that is written as a share of the whole's; None where it is none of a total."""
    number = written.expr
    if not isinstance(number, syntax.Number) or not number.percent or nature != "additive":
        return None
    if whole is None or whole.change or whole.high is not None:
        return None
    return float(number.value) * whole.low


def _whole(goal: Goal, kpi: TypedKpi, nature: Nature, space: Namespace, findings: Findings) -> Bounds | None:
    target = goal.target
    if target is None:
        return None
    if target.amount is not None:
        amount = amount_of(target.amount, kpi, nature, space, findings)
        return None if amount is None else Bounds(amount)
    if target.low is not None:
        low, high = (amount_of(one, kpi, nature, space, findings) for one in (target.low, target.high))
        if low is None or high is None:
            return None
        if low >= high:
            findings.error("goal-target", "no number lies in this range", target.span, "swap `min` and `max`")
        return Bounds(low, high)
    change = target.grow or target.add
    assert change is not None
    value = constant(change.expr, space.constants, findings)
    if value is FAILED:
        return None
    if not isinstance(value.value, Decimal):
        findings.error("goal-target", f"a change is a number, this is {describe(value.type)}", change.expr.span)
        return None
    return Bounds(float(value.value), None, "grow" if target.grow is not None else "add")


def type_baseline(goal: Goal, kpi: TypedKpi, nature: Nature, space: Namespace, findings: Findings) -> float | None:
    """Return a baseline that is written as a number."""
    written = goal.baseline
    if written is None or written.amount is None:
        return None
    return amount_of(written.amount, kpi, nature, space, findings)


def type_milestones(
    goal: Goal, kpi: TypedKpi, nature: Nature, dates: tuple[date, date], space: Namespace, findings: Findings
) -> tuple[tuple[date, float], ...]:
    """Return what is due on the way, from the earliest to the latest."""
    found: list[tuple[date, float]] = []
    for one in goal.milestones:
        value = amount_of(one.value, kpi, nature, space, findings)
        if not dates[0] <= one.by < dates[1]:
            message = f"the milestone of {one.by} lies outside the goal, {dates[0]} to {dates[1]}"
            findings.error("goal-path", message, one.span, "the value of the deadline is the target itself")
        elif found and one.by <= found[-1][0]:
            findings.error("goal-path", f"the milestone of {one.by} stands behind a later one", one.span,
                           "milestones go from the earliest to the latest")  # fmt: skip
        elif value is not None:
            found.append((one.by, value))
    return tuple(found)


def type_revisions(
    goal: Goal, kpi: TypedKpi, nature: Nature, dates: tuple[date, date], space: Namespace, findings: Findings
) -> tuple[Revised, ...]:
    """Return the changes of target and deadline, from the earliest to the latest."""
    found = []
    deadline = dates[1]
    if goal.parts and any(one.target is not None or one.deadline is not None for one in goal.revisions):
        message = "targets of parts are revised where they stand: the periods to come get other numbers"
        findings.error("goal-revision", message, goal.at("revisions"))
        return ()
    for one in goal.revisions:
        if not dates[0] < one.start <= deadline:
            message = f"the revision of {one.start} lies outside the goal, {dates[0]} to {deadline}"
            hint = "before its first day, change the goal itself; behind its last, make a new goal"
            findings.error("goal-revision", message, one.span, hint)
            continue
        if one.deadline is not None and one.deadline < one.start:
            message = f"on {one.start} the deadline cannot move to {one.deadline}: that day is over"
            findings.error("goal-revision", message, one.span, "set `stage: cancelled`, or choose a later day")
        target = amount_of(one.target, kpi, nature, space, findings)
        deadline = one.deadline or deadline
        found.append(Revised(one.start, target, one.deadline, one.stage))
    return tuple(found)
