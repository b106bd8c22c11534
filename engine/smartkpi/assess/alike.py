"""Formulas in one form: what two KPIs have in common, whatever they are called and however they are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from smartkpi.semantics.check import Checked
from smartkpi.semantics.formula import Aggregate, Apply, Expr, Literal, Reference, TypedKpi
from smartkpi.tree import rewrite, walk

Sieved = Mapping[str, tuple[str, tuple[Expr, ...]]]
"""Events that are the rows of another under conditions: that one, and the conditions."""
SWAPPED = ("+", "*", "and", "or", "==", "!=", "least", "greatest")


def canonical(kpi: TypedKpi, kpis: Mapping[str, TypedKpi]) -> Expr:
    """Return a KPI's formula with those it refers to put in, each condition at its aggregate, and parts in order."""
    return _ordered(_inlined(kpi, kpis))


def sieved(checked: Checked) -> Sieved:
    """Return the derived events that are no more than another event's rows under conditions."""
    found: dict[str, tuple[str, tuple[Expr, ...]]] = {}
    for event in checked.catalog.derived:
        scope, bindings = checked.scopes.get(event), checked.events.get(event, ())
        root = event if scope is None or scope.lineage is None else scope.lineage.root
        conditions = {one.where for one in bindings}
        same = {one.dataset for one in bindings} == {one.dataset for one in checked.events.get(root, ())}
        if root != event and same and len(conditions) == 1:
            found[event] = root, conditions.pop()
    return found


def at_root(formula: Expr, events: Sieved) -> Expr:
    """Return a formula with derived events that only leave rows out as the conditions that they are."""

    def put(node: Any) -> Any:
        if isinstance(node, Aggregate) and node.event in events:
            root, where = events[node.event]
            return replace(node, event=root, where=(*node.where, *where))
        return node

    return _ordered(rewrite(formula, put))


def core(formula: Expr) -> tuple[Expr, str]:
    """Return what a formula is a number of, and how it is made of that: scaled, or what is left of a number."""
    match formula:
        case Apply(function="*", args=(Literal(), one)) | Apply(function="*" | "/", args=(one, Literal())):
            return core(one)[0], "times a number"
        case Apply(function="-", args=(Literal(), one)):
            return core(one)[0], "taken from a number"
        case _:
            return formula, ""


def _inlined(kpi: TypedKpi, kpis: Mapping[str, TypedKpi]) -> Expr:
    def put_in(node: Any) -> Any:
        match node:
            case Reference(kpi=name, where=where):
                return _under(_inlined(kpis[name], kpis), dict(where))
            case _:
                return node

    return _under(rewrite(kpi.formula, put_in), dict(kpi.where))


def _under(formula: Expr, where: Mapping[str, tuple[Expr, ...]]) -> Expr:
    if not any(where.values()):
        return formula

    def add(node: Any) -> Any:
        if isinstance(node, Aggregate) and where.get(node.event):
            return replace(node, where=(*node.where, *where[node.event]))
        return node

    return rewrite(formula, add)


def _ordered(formula: Expr) -> Expr:
    def order(node: Any) -> Any:
        match node:
            case Aggregate(where=where):
                return replace(node, where=tuple(sorted(set(where), key=repr)))
            case Apply(function=function, args=args) if function in SWAPPED:
                return replace(node, args=tuple(sorted(args, key=repr)))
            case _:
                return node

    return rewrite(formula, order)


def bare(formula: Expr) -> Expr:
    """Return a formula without the conditions of its aggregates."""

    def strip(node: Any) -> Any:
        return replace(node, where=()) if isinstance(node, Aggregate) else node

    return rewrite(formula, strip)


def is_filter_of(one: Expr, other: Expr) -> bool:
    """Return whether a formula is another with the same condition at each aggregate; both are canonical."""
    mine = [node for node in walk(one) if isinstance(node, Aggregate)]
    theirs = [node for node in walk(other) if isinstance(node, Aggregate)]
    added = [set(a.where) - set(b.where) for a, b in zip(mine, theirs, strict=True)]
    kept = all(set(b.where) <= set(a.where) for a, b in zip(mine, theirs, strict=True))
    return kept and bool(added) and bool(added[0]) and all(more == added[0] for more in added)
