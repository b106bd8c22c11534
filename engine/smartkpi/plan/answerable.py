"""Whether a KPI has an answer to a question at all, whatever the data holds."""

from __future__ import annotations

from collections.abc import Mapping

from smartkpi.language.types import Kind
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import refuse_shift, refuse_window
from smartkpi.semantics.check import Checked
from smartkpi.semantics.formula import Expr, Per, Reference, Shifted, TypedKpi, Windowed
from smartkpi.semantics.question import Question
from smartkpi.tree import walk


def refuse(checked: Checked, kpi: TypedKpi, grain: Grain, question: Question) -> str:
    """Say why a KPI has no answer whatever the data holds, or nothing."""
    if kpi.missing:
        return f"no dataset provides {', '.join(f'`{event}`' for event in kpi.missing)}"
    ranged = question.since is not None or question.until is not None or question.as_of is not None
    for event in kpi.events:
        if (grain is not Grain.ALL or ranged) and any(binding.time is None for binding in checked.events[event]):
            part = "no part of time can be taken" if grain is Grain.ALL else f"there is no answer by {grain.value}"
            return f"the rows of `{event}` have no time: {part}, only grain `all` over all of it"
    if kpi.dated:
        for event in kpi.events:
            if any(binding.time is None for binding in checked.events[event]):
                return f"the rows of `{event}` have no time, so that no revision can be told to be in force"
    own = checked.catalog.calendar.own(grain)
    if own is not None and (outside := own.refuse(question.since, question.until)):
        return outside
    if kpi.daily and grain.rank > kpi.once.rank:
        return f"it adds {kpi.daily[0]}, which must not be added over time: ask for grain `{kpi.once}`"
    for period in sorted(kpi.periods):
        if not checked.catalog.calendar.is_made_of(grain, period):
            return f"it has a value per {period.value}, which is no part of a {grain.value}"
    for window, event in sorted(kpi.windows, key=lambda one: (str(one[0]), kpi.events.index(one[1]))):
        if wrong := refuse_window(checked.catalog.calendar, window, grain, checked.scopes[event].periods):
            return wrong
    for shift in sorted(kpi.shifts, key=str):
        if wrong := refuse_shift(checked.catalog.calendar, shift, grain):
            return wrong
    if grain is Grain.HOUR:
        for event in kpi.events:
            for binding in checked.events[event]:
                if binding.time is not None and binding.time.type.kind is Kind.DATE:
                    return f"`{event}` is dated by day: it has no hours"
    return _unwhole(checked, kpi, grain, question)


def _unwhole(checked: Checked, kpi: TypedKpi, grain: Grain, question: Question) -> str:
    """Say that a question cuts through the periods that rows stand for, or nothing."""
    calendar = checked.catalog.calendar
    asked = ((question.since, "`since`"), (question.until, "`until`")) if grain is Grain.ALL else ()
    for event in kpi.events:
        for period in checked.scopes[event].periods:
            if not calendar.is_made_of(grain, period):
                return f"a row of `{event}` stands for {period.one}: there is no answer by {grain}"
            for day, name in asked:
                if day is not None and calendar.days(period, calendar.key(period, day))[0] != day:
                    return f"a row of `{event}` stands for {period.one}, and {name} cuts one in two"
    for period in sorted(_serial(kpi, checked.kpis)):
        for day, name in asked:
            if day is not None and calendar.days(period, calendar.key(period, day))[0] != day:
                return f"it has a value of its own for each {period}, and {name} cuts one in two"
    return ""


def has_times(expr: Expr, kpis: Mapping[str, TypedKpi]) -> bool:
    """Say whether a formula, or a KPI that it refers to, has a window or another period in it."""
    return any(
        isinstance(node, Windowed | Shifted)
        or (isinstance(node, Reference) and bool(kpis[node.kpi].windows or kpis[node.kpi].shifts))
        for node in walk(expr)
    )


def _serial(kpi: TypedKpi, kpis: Mapping[str, TypedKpi]) -> set[Grain]:
    """Return the calendar periods in which a KPI takes values that have windows or other periods of their own."""
    nodes = [node for version in kpi.versions for node in walk(version.formula)]
    own = {node.grain for node in nodes if isinstance(node, Per) and node.grain is not None and has_times(node, kpis)}
    return own.union(*(_serial(kpis[node.kpi], kpis) for node in nodes if isinstance(node, Reference)))
