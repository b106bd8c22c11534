"""What is in force from which day on: KPIs and constants that change over time, as versions one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date

from smartkpi.language import syntax
from smartkpi.language.units import describe
from smartkpi.semantics.findings import Findings
from smartkpi.semantics.formula import Literal
from smartkpi.semantics.literals import Constants, constant
from smartkpi.semantics.scope import Namespace
from smartkpi.spec.model import Constant, Formula, Kpi, Rules
from smartkpi.tree import walk


@dataclass(frozen=True, slots=True)
class InForce:
    """A KPI as it is written for the periods that begin on ``start`` or later, and the names as they are then.

    ``void``: a constant that its formula or condition names has no value then.
    """

    start: date
    spec: Kpi
    space: Namespace
    void: bool = False


def dated_values(
    written: Constant, value: Literal | None, findings: Findings
) -> tuple[tuple[date, Literal | None], ...]:
    """Return the values of a constant, each with its first day; they are all of one kind and unit."""
    found: list[tuple[date, Literal | None]] = [(date.min, value)]
    for one in written.revisions:
        assert one.formula is not None
        known = constant(one.formula.expr, Constants(), findings)
        first = next((literal for _, literal in found if literal is not None), known)
        if (first.type.kind, first.type.unit) != (known.type.kind, known.type.unit) and not findings.failed:
            message = f"`{written.name}` is {describe(known.type)} from {one.start} on, {describe(first.type)} before"
            findings.error("type-mismatch", message, one.formula.expr.span, "give the new thing a name of its own")
        found.append((one.start, known))
    return tuple(found)


def in_force(spec: Kpi, space: Namespace) -> list[InForce]:
    """Return a KPI as it is from the beginning, and from each day on which it or a constant that it names changes."""
    dated = space.constants.dated
    if not dated and not spec.revisions:
        return [InForce(date.min, spec, space)]
    named = dated.keys() & set(named_in(spec))
    days = {one.start for one in spec.revisions} | {start for name in named for start, _ in dated[name]} | {date.min}
    return [_on(day, spec, space, bool(named)) for day in sorted(days)]


def _on(day: date, spec: Kpi, space: Namespace, renewed: bool) -> InForce:
    found = spec
    for one in spec.revisions:
        if one.start <= day:
            bands = {band.status: band for band in (*found.thresholds, *one.thresholds)}
            best_first = tuple(bands[status] for status in ("good", "warning", "critical") if status in bands)
            changed = one.formula or found.formula
            found = replace(found, formula=changed, thresholds=best_first, rules=one.rules or found.rules)
    if not renewed:
        return InForce(day, found, space)
    constants = space.constants.at(day)
    events = {name: replace(scope, constants=constants) for name, scope in space.events.items()}
    here = replace(space, constants=constants, events=events)
    kept = tuple(band for band in found.thresholds if constants.dated.keys().isdisjoint(_names(band.exprs)))
    void = not constants.dated.keys().isdisjoint(_names((found.formula.expr, *_where(found))))
    rules = _without(found.rules, constants.dated.keys())
    return InForce(day, replace(found, thresholds=kept, rules=rules), here, void)


def named_in(spec: Kpi) -> Iterable[str]:
    """Return the first parts of all names that a KPI has in its formulas, its `where`, bands and benchmark."""
    beside = (one.expr for rules in spec.ruled for one in _beside(rules))
    exprs = (expr for one in spec.bands for expr in one.exprs)
    return _names((*(one.expr for one in spec.formulas), *_where(spec), *exprs, *beside))


def _beside(rules: Rules) -> Iterator[Formula]:
    held = rules.benchmark
    found = () if held is None else (*(one.formula for one in held.rows), held.formula)
    yield from (one for one in (*found, rules.confidence) if one is not None)


def _without(rules: Rules, names: AbstractSet[str]) -> Rules:
    """Return rules without what names something that has no value yet."""

    def known(one: Formula | None) -> bool:
        return one is not None and names.isdisjoint(_names((one.expr,)))

    scopes = (
        replace(s, thresholds=tuple(b for b in s.thresholds if names.isdisjoint(_names(b.exprs)))) for s in rules.scopes
    )
    held = rules.benchmark
    if held is not None:
        rows = tuple(one for one in held.rows if known(one.formula))
        held = replace(held, formula=held.formula if known(held.formula) else None, rows=rows)
    sure = rules.confidence if known(rules.confidence) else None
    return replace(rules, scopes=tuple(scopes), benchmark=held, confidence=sure)


def _where(spec: Kpi) -> tuple[syntax.Expr, ...]:
    return () if spec.where is None else (spec.where.expr,)


def _names(exprs: Iterable[syntax.Expr]) -> Iterable[str]:
    return (node.parts[0] for expr in exprs for node in walk(expr) if isinstance(node, syntax.Name))
