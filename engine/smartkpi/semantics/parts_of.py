"""What a KPI's formula is made of, as far as a change of it can be told apart: sums, a ratio, a product."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from smartkpi.diagnostics import Diagnostic
from smartkpi.language import syntax
from smartkpi.language.format import format_expr
from smartkpi.semantics.check import Checked
from smartkpi.semantics.findings import Findings
from smartkpi.semantics.formula import Aggregate, Apply, Expr, Literal, Reference, TypedKpi, Windowed
from smartkpi.semantics.kpis import check_kpi
from smartkpi.semantics.scope import Namespace
from smartkpi.spec.model import Formula, Kpi

Parts = tuple["Part", ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a formula as a KPI of its own: `+` or `-` in a sum, `*` or `/` in a product."""

    sign: str
    kpi: TypedKpi
    label: str


def is_additive(kpi: TypedKpi, kpis: Mapping[str, TypedKpi]) -> bool:
    """Say whether the values of segments add up to that of all."""
    return all(_adds_up(version.formula, kpis) for version in kpi.versions)


def _adds_up(expr: Expr, kpis: Mapping[str, TypedKpi]) -> bool:
    match expr:
        case Aggregate():
            return expr.function in ("count", "sum")
        case Reference():
            return is_additive(kpis[expr.kpi], kpis)
        case Windowed():
            return _adds_up(expr.argument, kpis)
        case Apply(function="+" | "-" | "neg"):
            return all(_adds_up(arg, kpis) for arg in expr.args)
        case Apply(function="*"):
            plain = [arg for arg in expr.args if not isinstance(arg, Literal)]
            return len(plain) == 1 and _adds_up(plain[0], kpis)
        case Apply(function="/", args=(above, Literal())):
            return _adds_up(above, kpis)
        case _:
            return False


def parts_of(kpi: TypedKpi, checked: Checked) -> Parts:
    """Return the parts of a product or sum at the top of a KPI's formula, or of the KPI that it stands for; else none.

    Raises nothing: a formula that cannot be taken apart has no parts. Literals are no parts of their own in a sum.
    """
    spec = _inner(kpi, checked)
    if spec is None:
        return ()
    signed = list(_flat(spec.formula.expr))
    if len(signed) < 2:
        return ()
    found = []
    for number, (sign, expr) in enumerate(signed):
        part = _part(f"{kpi.name}#{number}", expr, spec, kpi, checked)
        if part is None:
            return ()
        label = expr.parts[0] if isinstance(expr, syntax.Name) else format_expr(expr)
        found.append(Part(sign, part, label))
    return tuple(found)


def _inner(kpi: TypedKpi, checked: Checked) -> Kpi | None:
    """Return the KPI whose formula is that of another, through those that are nothing but a name; None if dated."""
    spec = kpi.spec
    while True:
        if spec.revisions or kpi.dated:
            return None
        expr = spec.formula.expr
        if not isinstance(expr, syntax.Name) or expr.parts[0] not in checked.kpis:
            return spec
        inner = checked.kpis[expr.parts[0]].spec
        where = [one for one in (spec.where, inner.where) if one is not None]
        both = where[0] if where else None
        if both is not None and len(where) == 2:
            both = replace(both, expr=syntax.Apply("and", tuple(one.expr for one in where), both.expr.span))
        spec = replace(inner, where=both, window=inner.window or spec.window)


def _flat(expr: syntax.Expr) -> Iterator[tuple[str, syntax.Expr]]:
    """Yield the parts of a product with `*` or `/`, else those of a sum with `+` or `-`."""
    match expr:
        case syntax.Apply(function="*" | "/"):
            yield from _factors(expr, "*")
        case syntax.Apply(function="+" | "-"):
            yield from _terms(expr, "+")
        case _:
            yield "", expr


def _factors(expr: syntax.Expr, sign: str) -> Iterator[tuple[str, syntax.Expr]]:
    match expr:
        case syntax.Apply(function="*", args=args):
            for arg in args:
                yield from _factors(arg, sign)
        case syntax.Apply(function="/", args=(above, below)):
            yield from _factors(above, sign)
            yield from _factors(below, "/" if sign == "*" else "*")
        case _:
            yield sign, expr


def _terms(expr: syntax.Expr, sign: str) -> Iterator[tuple[str, syntax.Expr]]:
    match expr:
        case syntax.Apply(function="+", args=args):
            for arg in args:
                yield from _terms(arg, sign)
        case syntax.Apply(function="-", args=(first, *rest)):
            yield from _terms(first, sign)
            for arg in rest:
                yield from _terms(arg, "-" if sign == "+" else "+")
        case _:
            yield sign, expr


def _part(name: str, expr: syntax.Expr, spec: Kpi, kpi: TypedKpi, checked: Checked) -> TypedKpi | None:
    """Return a part as a KPI, under the conditions and the window of the whole; None where it is none of its own."""
    findings = Findings(f"kpi:{name}")
    written = Kpi(name, Formula(expr, spec.formula.text), spec.span, spec.where, kpi.grain, spec.window)
    return check_kpi(written, _namespace(checked), findings)


def _namespace(checked: Checked) -> Namespace:
    catalog = checked.catalog
    scope = next(iter(checked.scopes.values()))
    broken: dict[str, Diagnostic] = {}
    return Namespace(
        events=dict(checked.scopes),
        kpis=checked.kpis,
        written=frozenset(catalog.kpis),
        datasets=frozenset(catalog.datasets),
        broken=broken,
        constants=scope.constants,
        zone=checked.zone,
        calendar=catalog.calendar,
        dimensions=catalog.dimensions,
        providers=checked.events,
    )
