"""What is in force on a day: a catalog in which nothing changes over time any more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from smartkpi.language import syntax
from smartkpi.spec.model import Catalog, Constant, Formula, Kpi
from smartkpi.tree import rewrite, walk


def turns(catalog: Catalog) -> list[date]:
    """The days on which anything changes, and the beginning."""
    dated = (*catalog.constants.values(), *catalog.kpis.values())
    return sorted({date.min, *(one.start for written in dated for one in written.revisions)})


def in_force(catalog: Catalog, day: date) -> Catalog:
    """The catalog as it is on a day, with the values of constants that change in the place of their names."""
    values = {name: value(one, day) for name, one in catalog.constants.items() if one.revisions}
    return replace(catalog, kpis={name: kpi_on(kpi, day, values) for name, kpi in catalog.kpis.items()})


def value(written: Constant, day: date) -> syntax.Expr | None:
    known = [written.formula, *(one.formula for one in written.revisions if one.start <= day)]
    last = known[-1]
    return None if last is None else last.expr


def kpi_on(kpi: Kpi, day: date, values: dict[str, syntax.Expr | None]) -> Kpi:
    formula, bands, rules = kpi.formula, {one.status: one for one in kpi.thresholds}, kpi.rules
    for one in kpi.revisions:
        if one.start <= day:
            formula = one.formula or formula
            bands |= {band.status: band for band in one.thresholds}
            rules = one.rules or rules
    order = [bands[status] for status in ("good", "warning", "critical") if status in bands]
    known = [one for one in order if not lacks(one.exprs, values)]
    thresholds = tuple(one.changed(lambda expr: put(expr, values)) for one in known)
    where = kpi.where
    if lacks((formula.expr, *((where.expr,) if where else ())), values):
        formula, where = Formula(syntax.Null(formula.expr.span), formula.text), None
    formula = replace(formula, expr=put(formula.expr, values))
    return replace(kpi, formula=formula, where=where and replace(where, expr=put(where.expr, values)),
                   thresholds=thresholds, revisions=(), rules=rules)  # fmt: skip


def put(expr: syntax.Expr, values: dict[str, syntax.Expr | None]) -> syntax.Expr:
    return rewrite(
        expr, lambda node: values[node.text] if isinstance(node, syntax.Name) and node.text in values else node
    )


def lacks(exprs: Iterable[syntax.Expr], values: dict[str, syntax.Expr | None]) -> bool:
    """Whether some name in expressions has no value yet."""
    names = [node.text for expr in exprs for node in walk(expr) if isinstance(node, syntax.Name)]
    return any(name in values and values[name] is None for name in names)
