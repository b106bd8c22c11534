"""What a KPI's value is, read off its formula: a total, a count of distincts, a share, a rate, a level."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from smartkpi.semantics.formula import (
    Across,
    Aggregate,
    Apply,
    Expr,
    Literal,
    Per,
    Reference,
    Shifted,
    TypedKpi,
    Windowed,
)
from smartkpi.semantics.goal import Nature, Way
from smartkpi.semantics.scope import EventScope
from smartkpi.tree import walk

Kpis = Mapping[str, TypedKpi]


def nature_of(formula: Expr, kpis: Kpis, events: Mapping[str, EventScope] = MappingProxyType({})) -> Nature:
    """Return the nature of a formula: what may be added up over time, and what kind of ratio it is else.

    ``events`` tell which are derived from which: those by `then` are some of the rows of their first event.
    """
    match formula:
        case Aggregate(function="count" | "sum"):
            return "additive"
        case Aggregate(function="distinct" | "approx_distinct"):
            return "accumulating"
        case Reference(kpi=name):
            return nature_of(kpis[name].formula, kpis, events)
        case Windowed(argument=argument) | Across(argument=argument, function="total"):
            return nature_of(argument, kpis, events)
        case Apply(function="+" | "-" | "neg", args=args):
            known = {nature_of(arg, kpis) for arg in args}
            return "additive" if known == {"additive"} else "stat"
        case Apply(function="*", args=(one, other)):
            scaled = other if isinstance(one, Literal) else one if isinstance(other, Literal) else None
            return "stat" if scaled is None or nature_of(scaled, kpis) != "additive" else "additive"
        case Apply(function="/", args=(_, Literal())):
            return nature_of(formula.args[0], kpis, events)
        case Apply(function="/") if any(isinstance(node, Across) for node in walk(formula)):
            return "stat"
        case Apply(function="/", args=(hits, trials)):
            return "proportion" if _is_part(_plain(hits, kpis), _plain(trials, kpis), events) else "rate"
        case Per(function="sum", argument=Aggregate(function="first" | "last")):
            return "stock"
        case _:
            return "stat"


def _plain(formula: Expr, kpis: Kpis) -> Expr:
    """Return the formula that a reference without conditions stands for."""
    while isinstance(formula, Reference) and not formula.where and not any(c for _, c in kpis[formula.kpi].where):
        formula = kpis[formula.kpi].formula
    return formula


def _is_part(hits: Expr, trials: Expr, events: Mapping[str, EventScope]) -> bool:
    """Return whether one counts some of the rows that the other counts."""
    if not (isinstance(hits, Aggregate) and isinstance(trials, Aggregate)):
        return False
    if hits.function != "count" or trials.function != "count" or not set(trials.where) <= set(hits.where):
        return False
    event = hits.event
    while event != trials.event and event in events and (lineage := events[event].lineage) is not None:
        event = lineage.root
    return event == trials.event


def way_of(formula: Expr, kpis: Kpis) -> Way:
    """Return which way alone a value over a growing stretch of time may go."""
    match formula:
        case Aggregate(function="distinct" | "approx_distinct" | "max"):
            return "up"
        case Aggregate(function="min"):
            return "down"
        case Reference(kpi=name):
            return way_of(kpis[name].formula, kpis)
        case _:
            return ""


def may_fall(formula: Expr, kpis: Kpis) -> bool:
    """Return whether a total may become less: where it takes away, or sums what may be negative."""
    for node in walk(formula):
        match node:
            case Apply(function="-" | "neg") | Shifted():
                return True
            case Aggregate(function="sum"):
                return True
            case Literal(value=Decimal() as value) if value < 0:
                return True
            case Reference(kpi=name) if may_fall(kpis[name].formula, kpis):
                return True
    return False
