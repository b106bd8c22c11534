"""Rules of SMART that definitions alone decide: what is said, for whom, why, and by when."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from smartkpi.assess.smart import Case, Judge, Said
from smartkpi.assess.titles import amount, says_date, says_number, title_of
from smartkpi.language.format import format_expr
from smartkpi.periods.windows import Length
from smartkpi.semantics.formula import Aggregate, Apply, Expr, Literal, Reference, TypedKpi, Windowed
from smartkpi.semantics.goal import Bounds, TypedGoal
from smartkpi.spec.goal import Goal
from smartkpi.tree import walk

DAY = timedelta(days=1)
TITLE = range(10, 91)
SEVERAL = re.compile(r"\s(?:and|und|&|\+|/)\s|[,;，、&/]|\s?和\s?", re.IGNORECASE)
LEAST, LONGEST = 3, 400
QUARTER = 0.25
IN_DAYS = {"h": 1 / 24, "min": 1 / 1440, "s": 1 / 86400, "d": 1, "w": 7, "mo": 30.4, "q": 91.3, "y": 365.25}


def _holds(_: Case) -> Said | None:
    return None


def _title(case: Case) -> Said | None:
    """S3: each language's title has a length that can be read aloud, the number and the date."""
    spec, goal = case.spec, case.goal
    assert spec is not None
    bounds = None if goal is None else _aimed(goal)
    line = "" if goal is None else f"title: {title_of(goal, bounds)}"
    if not spec.label.texts:
        return Said("it has no title: nobody can read it aloud", line)
    place = spec.at("title", "label")
    for language, text in spec.label.texts:
        which = f"the title ({language})" if language and len(spec.label.texts) > 1 else "the title"
        wide = sum(2 if ord(c) > 0x2E7F else 1 for c in text)
        if wide not in TITLE:
            return Said(f"{which} has {wide} characters, not {TITLE[0]} to {TITLE[-1]}", line, place=place)
        if goal is None:
            continue
        due = goal.last()
        if bounds is not None and not any(_says(text, bounds, day, case) for day in (due, goal.deadline)):
            return Said(f"{which} does not say the target, {_number(goal, bounds)}", line, place=place)
        days = {due, goal.deadline}
        periods = goal.each is not None and any(key is not None for key, _ in goal.targets)
        if not periods and not any(says_date(text, day, case.calendar) for day in days):
            return Said(f"{which} does not say the deadline, {due}", line, place=place)
    return None


def _aimed(goal: TypedGoal) -> Bounds | None:
    """Return the one target of a goal, as revised last; None where parts have targets of their own."""
    whole = goal.targets.get((None, ()))
    revised = [one.target for one in goal.revisions if one.target is not None]
    return Bounds(revised[-1]) if revised and whole is not None else whole


def _says(text: str, bounds: Bounds, day: date, case: Case) -> bool:
    known = [bounds.low, *([bounds.high] if bounds.high is not None else [])]
    return all(says_number(text, number, day, case.calendar) for number in known)


def _number(goal: TypedGoal, bounds: Bounds) -> str:
    if bounds.change:
        return f"{bounds.change} {amount(goal, bounds.low) if bounds.change == 'add' else f'{bounds.low * 100:g}%'}"
    return amount(goal, bounds.low) + ("" if bounds.high is None else f" to {amount(goal, bounds.high)}")


def _owner(case: Case) -> Said | None:
    """S4: one name; a KPI's owner is that of its goals."""
    spec = case.spec
    assert spec is not None
    kpi = case.kpis.get(spec.kpi)
    owner = spec.owner or (kpi.spec.owner if kpi is not None else None)
    if not owner:
        return Said("nobody owns it: when it goes wrong, whom to ask?", "owner: NAME")
    parts = [part.strip() for part in SEVERAL.split(owner) if part.strip()]
    if len(parts) > 1:
        others = ", ".join(parts[1:])
        line = f"owner: {parts[0]}, contributors: [{others}]"
        return Said(f"`{owner}` are {len(parts)}: which one answers for it?", line, place=spec.at("owner"))
    return None


def _unit(case: Case) -> Said | None:
    """S6: a KPI that is shown in percent has a target in percent."""
    goal = case.goal
    assert goal is not None
    if _is_marked(goal.spec):
        return None
    for bounds in goal.targets.values():
        if goal.kpi.spec.format == "percent" and not bounds.change and abs(bounds.low) > 1:
            written = f"{bounds.low:g}"
            message = f"`{goal.kpi.name}` is shown in percent, {written} is {bounds.low * 100:,.6g}%"
            return Said(message, f"target: {written}%", place=goal.spec.at("target", "targets", "by"))
    return None


def _is_marked(spec: Goal) -> bool:
    written = spec.target.amount if spec.target is not None else None
    return written is not None and "%" in written.text.value


def _can_be(case: Case) -> Said | None:
    """M6: a share is from 0 to 1, a count not below 0."""
    goal = case.goal
    assert goal is not None
    counted = goal.nature in ("additive", "accumulating") and goal.monotone
    for bounds in goal.targets.values():
        known = [one for one in (bounds.low, bounds.high) if one is not None and not bounds.change]
        if goal.nature == "proportion" and any(not 0 <= one <= 1 for one in known):
            wrong = next(one for one in known if not 0 <= one <= 1)
            message = f"{amount(goal, wrong)} is no share: `{goal.kpi.name}` lies between 0% and 100%"
        elif counted and any(one < 0 for one in known):
            message = f"`{goal.kpi.name}` is a count: it cannot be {amount(goal, min(known))}"
        else:
            continue
        return Said(message, "target: a value that it can have", place=goal.spec.at("target", "targets"))
    return None


def _reason(case: Case) -> Said | None:
    """R2: it is part of another goal, or it is said why."""
    spec = case.spec
    assert spec is not None
    if spec.parent or spec.why.texts:
        return None
    return Said("nothing says what it is for", "why: one sentence, or parent: the goal that it helps")


def _driver(case: Case) -> Said | None:
    """R3: more of this KPI must not make less of what the parent wants more of."""
    goal = case.goal
    parent = _parent(case)
    if goal is None or parent is None or parent.kpi.name == goal.kpi.name:
        return None
    signs = set(_signs(parent.kpi.formula, goal.kpi.name, case.kpis, 1))
    wants = {"increase": 1, "stay_above": 1, "decrease": -1, "stay_below": -1}
    if len(signs) != 1 or goal.aim not in wants or parent.aim not in wants:
        return None
    sign = signs.pop()
    if wants[goal.aim] * sign == wants[parent.aim]:
        return None
    more = "raises" if sign > 0 else "lowers"
    message = f"more of `{goal.kpi.name}` {more} `{parent.kpi.name}`, which `{parent.name}` is to {parent.aim}"
    return Said(message, "parent: a goal that it helps, or why: …", place=goal.spec.at("parent"))


def _signs(formula: Expr, name: str, kpis: Mapping[str, TypedKpi], sign: int) -> Iterator[int]:
    """Yield whether a formula rises (1) or falls (-1) with a KPI, for each place where that stands; 0: both."""
    match formula:
        case Reference(kpi=kpi):
            if kpi == name:
                yield sign
            elif kpi in kpis:
                yield from _signs(kpis[kpi].formula, name, kpis, sign)
        case Apply(function="+", args=args) | Apply(function="*", args=args):
            for arg in args:
                yield from _signs(arg, name, kpis, sign)
        case Apply(function="-" | "/", args=(one, other)):
            yield from _signs(one, name, kpis, sign)
            yield from _signs(other, name, kpis, -sign)
        case Apply(function="neg", args=(one,)):
            yield from _signs(one, name, kpis, -sign)
        case Windowed(argument=one):
            yield from _signs(one, name, kpis, sign)
        case Aggregate() | Literal():
            return
        case _:
            if any(isinstance(node, Reference) and node.kpi == name for node in walk(formula)):
                yield 0


def _parent(case: Case) -> TypedGoal | None:
    parent = case.spec.parent if case.spec is not None else None
    return None if parent is None else case.goals.get(parent)


def _in_time(case: Case) -> Said | None:
    """R5: not after the parent's deadline."""
    goal, parent = case.goal, _parent(case)
    if goal is None or parent is None or goal.last() <= parent.last():
        return None
    message = f"it ends on {goal.last()}, after `{parent.name}` on {parent.last()}"
    return Said(message, f"deadline: {parent.last()}", place=goal.spec.at("deadline"))


def _length(case: Case) -> Said | None:
    """T3: some periods to react in, and an end in sight."""
    goal = case.goal
    assert goal is not None
    days = (goal.deadline - goal.start).days + 1
    if days > LONGEST:
        end = goal.start + timedelta(days=364)
        line = f"deadline: {end}, and later a goal for what follows"
        return Said(f"it takes {days} days: nobody works for so far away", line, place=goal.spec.at("deadline"))
    grain = goal.each or goal.grain
    count = len(case.calendar.keys(grain, goal.start, goal.deadline))
    if count < LEAST:
        message = f"it has {count} {grain}{'' if count == 1 else 's'}: over before anybody can react"
        return Said(message, "start: an earlier day, or over: smaller periods", place=goal.spec.at("start", "deadline"))
    return None


def _steps(case: Case) -> Said | None:
    """T4: each milestone is nearer to the target than the one before."""
    goal = case.goal
    assert goal is not None
    whole = goal.targets.get((None, ()))
    if not goal.milestones or whole is None or whole.change:
        return None
    values = [(day, value) for day, value in goal.milestones] + [(goal.deadline, whole.low)]
    up = 1 if goal.aim in ("increase", "stay_above") else -1
    if goal.kind == "total":
        up = 1
    for (_, before), (day, value) in zip(values, values[1:], strict=False):
        if (value - before) * up < 0:
            message = f"the value of {day}, {amount(goal, value)}, leads back from {amount(goal, before)}"
            line = "milestones: each nearer to the target than the one before"
            return Said(message, line, place=goal.spec.at("milestones"))
    return None


def _window(case: Case) -> Said | None:
    """T5: a trailing value shows what happened in the mean half its window ago."""
    goal = case.goal
    assert goal is not None
    if goal.kind != "level" or goal.length is None or goal.aim not in ("increase", "decrease"):
        return None
    days, window = (goal.deadline - goal.start).days + 1, in_days(goal.length)
    if window <= QUARTER * days:
        return None
    message = f"its window of {goal.length} is {window / days:.0%} of its {days} days: the value lags behind"
    fits = max(int(days * QUARTER) // 7 * 7, 1)
    line = (
        f"over: trailing {fits}d" if not goal.kpi.windows else f"start: {goal.deadline - DAY * (int(window * 4) - 1)}"
    )
    return Said(message, line, place=goal.spec.at("over", "deadline"))


def in_days(length: Length) -> float:
    """Return how many days a duration has, more or less."""
    return length.count * IN_DAYS[length.unit]


def _revised(case: Case) -> Said | None:
    """T7: no easier target, and no later deadline, once three quarters are gone."""
    goal = case.goal
    assert goal is not None
    whole = goal.targets.get((None, ()))
    before = None if whole is None or whole.change else whole.low
    due = goal.deadline
    easier = -1 if goal.aim in ("increase", "stay_above") else 1
    for one, spec in zip(goal.revisions, goal.spec.revisions, strict=True):
        late = (one.start - goal.start).days > (1 - QUARTER) * ((due - goal.start).days + 1)
        eased = one.target is not None and before is not None and (one.target - before) * easier > 0
        later = one.deadline is not None and one.deadline > due
        if late and (eased or later):
            what = "makes the target easier" if eased else f"moves the deadline to {one.deadline}"
            message = f"the revision of {one.start} {what} in the last quarter of the time"
            return Said(message, "leave it out: let this goal end as it ends, and set a new one", "warn", spec.span)
        before, due = one.target if one.target is not None else before, one.deadline or due
    return None


def _overlap(case: Case) -> Said | None:
    """T8: no other goal for the same KPI, rows and days, but the one that it is part of, or that is part of it."""
    goal = case.goal
    assert goal is not None
    if goal.spec.stage != "active":
        return None
    for name, other in case.goals.items():
        same = (other.kpi.name, _rows(other), other.by) == (goal.kpi.name, _rows(goal), goal.by)
        if name == case.name or not same or other.spec.stage != "active" or _related(goal, other, case.goals):
            continue
        first, last = max(goal.start, other.start), min(goal.last(), other.last())
        if first <= last:
            message = f"`{name}` is for the same KPI too, from {first} to {last}"
            return Said(message, f"parent: {name}, or stage: cancelled for one of them", place=goal.spec.at("kpi"))
    return None


def _rows(goal: TypedGoal) -> str:
    return "" if goal.spec.where is None else format_expr(goal.spec.where.expr)


def _related(one: TypedGoal, other: TypedGoal, goals: Mapping[str, TypedGoal]) -> bool:
    return other.name in _above(one, goals) or one.name in _above(other, goals)


def _above(goal: TypedGoal, goals: Mapping[str, TypedGoal]) -> set[str]:
    found: set[str] = set()
    name = goal.spec.parent
    while name is not None and name not in found:
        found.add(name)
        name = goals[name].spec.parent if name in goals else None
    return found


STATED: Mapping[str, Judge] = {
    "S1": _holds,
    "S2": _holds,
    "S3": _title,
    "S4": _owner,
    "S6": _unit,
    "M1": _holds,
    "M6": _can_be,
    "R1": _holds,
    "R2": _reason,
    "R3": _driver,
    "R5": _in_time,
    "T1": _holds,
    "T2": _holds,
    "T3": _length,
    "T4": _steps,
    "T5": _window,
    "T7": _revised,
    "T8": _overlap,
}
"""The rules that definitions decide; what an error broke already was told before."""
