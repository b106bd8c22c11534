"""Which groups a question stands on: those that rows, and what is asked of them, are told apart by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from smartkpi.language.types import UNKNOWN
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import ANY_VIEW, Component, View
from smartkpi.plan.scans import is_late
from smartkpi.semantics.check import Checked
from smartkpi.semantics.formula import Expr, Field, TypedGroup, TypedKpi
from smartkpi.semantics.groups import fields_in, groups_read
from smartkpi.semantics.question import Resolved


def groups_of(checked: Checked, event: str, exprs: Iterable[Expr]) -> list[TypedGroup]:
    """Return the groups that decide on the rows of an event, and those that row expressions over it name."""
    if not checked.groups:
        return []
    names = {*checked.grouped.get(event, ()), *fields_in(exprs, checked.groups)}
    return [group for name, group in checked.groups.items() if name in names]


def groups_asked(checked: Checked, kpi: TypedKpi, resolved: Resolved) -> list[TypedGroup]:
    """Return the groups that the answer of a KPI to a question stands on."""
    if not checked.groups:
        return []
    exprs: list[Expr] = [Field(name, UNKNOWN) for name in resolved.question.by]
    exprs += [expr for event in kpi.events for expr in resolved.where.get(event, ())]
    names = fields_in(exprs, checked.groups) | groups_read(kpi, checked.kpis, checked.groups, checked.grouped)
    return [group for name, group in checked.groups.items() if name in names]


def ungrouped(groups: Iterable[TypedGroup], grain: Grain) -> str:
    """Say why groups have nobody at a grain, or nothing."""
    for group in groups:
        if group.missing:
            lacking = ", ".join(f"`{event}`" for event in group.missing)
            return f"no dataset provides {lacking}, which the group `{group.name}` is made of"
        if grain is Grain.ALL and group.by_period:
            why = f"the group `{group.name}` is as of the start of each period, and `all` has none"
            return f"{why}: ask by a period, or let the group be `at: event` or `at: as_of`"
    return ""


def view_of(checked: Checked, kpi: TypedKpi, grain: Grain, resolved: Resolved) -> View:
    """Return the grain and the datasets whose latest row is the as-of, where rows that the KPI reads depend on them."""
    groups = groups_asked(checked, kpi, resolved)
    late = any(is_late(checked, event) for event in kpi.events) or any(group.late for group in groups)
    seen = tuple(sorted(kpi.datasets)) if late and resolved.question.as_of is None else ()
    return View(seen, grain if any(group.by_period for group in groups) else None)


def viewed_by(checked: Checked, component: Component, view: View) -> Component:
    """Return a component as a question looks at its rows, as far as they depend on it."""
    if view == ANY_VIEW:
        return component
    argument = () if component.argument is None else (component.argument,)
    keys = (Field(name.removeprefix("@"), UNKNOWN) for name in component.keep)
    groups = groups_of(checked, component.event, (*component.where, *argument, *keys))
    late = is_late(checked, component.event) or any(group.late for group in groups)
    grain = view.grain if any(group.by_period for group in groups) else None
    return replace(component, seen=view.seen if late else (), grain=grain)
