"""Which groups a question stands on: those that rows, and what is asked of them, are told apart by."""

from __future__ import annotations

from collections.abc import Iterable

from smartkpi.language.types import UNKNOWN
from smartkpi.periods.grain import Grain
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
