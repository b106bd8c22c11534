"""What a KPI's formula is made of, as far as a change of it can be told apart: sums, a ratio, a product."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

from smartkpi.diagnostics import Diagnostic
from smartkpi.language import syntax
from smartkpi.language.format import format_expr
from smartkpi.semantics.check import Checked
from smartkpi.semantics.findings import Findings
from smartkpi.semantics.formula import Aggregate, Apply, Expr, Literal, Reference, TypedKpi, Windowed
from smartkpi.semantics.kpis import check_kpi
from smartkpi.semantics.literals import constant
from smartkpi.semantics.scope import DerivedEvents, Namespace
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


@dataclass(frozen=True, slots=True)
class Made:
    """What a KPI is made of: an offset, and a scale times its parts; no parts where it cannot be taken apart.

    ``then`` is the KPI by the formula of the earlier period, where that of the later one, ``formula``, is another.
    """

    parts: Parts = ()
    offset: Fraction = Fraction(0)
    scale: Fraction = Fraction(1)
    then: TypedKpi | None = None
    formula: str = ""

    @property
    def ratio(self) -> bool:
        """Whether it is one part by another."""
        return [part.sign for part in self.parts] == ["*", "/"]


def parts_of(kpi: TypedKpi, checked: Checked, before: date, after: date) -> Made:
    """Return the parts of a product or sum at the top of a KPI's formula, or of the KPI that it stands for; else none.

    The formula is the one that is in force on the first day of the earlier period. Raises nothing: what cannot be
    taken apart has no parts. Numbers are no parts; a mean is a sum by a count.
    """
    spec, now = _inner(kpi, checked, before), _inner(kpi, checked, after)
    changed = (spec.formula, spec.where) != (now.formula, now.where)
    then = _part(f"{kpi.name}#then", spec.formula.expr, spec, kpi, checked) if changed else None
    if changed and then is None:
        return Made()
    formula = format_expr(now.formula.expr) if changed else ""
    offset, scale, signed = _signed(spec.formula.expr, checked)
    found = []
    for number, (sign, expr) in enumerate(sorted(signed, key=lambda one: one[0] == "/")):
        part = _part(f"{kpi.name}#{number}", expr, spec, kpi, checked)
        if part is None or (len(signed) < 2 and then is None):
            return Made(then=then, formula=formula)
        label = expr.parts[0] if isinstance(expr, syntax.Name) else format_expr(expr)
        found.append(Part(sign or "+", part, label))
    return Made(tuple(found), offset, scale, then, formula)


def _inner(kpi: TypedKpi, checked: Checked, day: date) -> Kpi:
    """Return the KPI whose formula is that of another on a day, through those that are nothing but a name."""
    spec = kpi.spec
    while True:
        formulas = [one.formula for one in spec.revisions if one.start <= day and one.formula is not None]
        spec = replace(spec, formula=[spec.formula, *formulas][-1], revisions=())
        expr = spec.formula.expr
        if not isinstance(expr, syntax.Name) or expr.parts[0] not in checked.kpis:
            return spec
        inner = checked.kpis[expr.parts[0]].spec
        where = [one for one in (spec.where, inner.where) if one is not None]
        both = where[0] if where else None
        if both is not None and len(where) == 2:
            both = replace(both, expr=syntax.Apply("and", tuple(one.expr for one in where), both.expr.span))
        spec = replace(inner, where=both, window=inner.window or spec.window)


Signed = list[tuple[str, syntax.Expr]]


def _signed(expr: syntax.Expr, checked: Checked) -> tuple[Fraction, Fraction, Signed]:
    """Return the numbers that a formula adds to and takes its value times, and its other terms or factors."""
    behind = _plain(expr, checked) if isinstance(expr, syntax.Name) else None
    if behind is not None:
        return _signed(behind, checked)
    signed = list(_flat(expr))
    if signed[0][0] == "":
        return Fraction(0), Fraction(1), list(_mean(expr, checked))
    offset, scale, product = Fraction(0), Fraction(1), signed[0][0] == "*"
    rest: Signed = []
    for sign, one in signed:
        number = _number(one, checked)
        if number is None or (sign == "/" and not number):
            rest.append((sign, one))
        elif product:
            scale = scale * number if sign == "*" else scale / number
        else:
            offset = offset + number if sign == "+" else offset - number
    if len(rest) == 1 and rest[0][0] != "/":
        inner, times, parts = _signed(rest[0][1], checked)
        scale = -scale if rest[0][0] == "-" else scale
        return offset + scale * inner, scale * times, parts
    return offset, scale, rest


def _plain(name: syntax.Name, checked: Checked) -> syntax.Expr | None:
    """Return the formula that a KPI's name stands for; None where there is more to it than the formula."""
    spec = checked.kpis[name.text].spec if name.text in checked.kpis else None
    if spec is None or spec.where is not None or spec.window is not None or spec.revisions:
        return None
    return spec.formula.expr


def _number(expr: syntax.Expr, checked: Checked) -> Fraction | None:
    """Return the number that an expression of literals and constants is."""
    findings = Findings("")
    found = constant(expr, next(iter(checked.scopes.values())).constants, findings)
    return Fraction(found.value) if isinstance(found.value, Decimal) and not findings.failed else None


def _mean(expr: syntax.Expr, checked: Checked) -> Iterator[tuple[str, syntax.Expr]]:
    """Yield a mean of a field as the sum of it by the count of rows that have it; else the expression itself."""
    match expr:
        case syntax.Apply(function="avg", args=(syntax.Name() as name,)):
            condition = None
        case syntax.Apply(function="avg", args=(syntax.Where(operand=syntax.Name() as name, condition=condition),)):
            pass
        case _:
            yield "", expr
            return
    if len(name.parts) < 2 or name.parts[0] not in checked.scopes:
        yield "", expr
        return
    event, field = replace(name, parts=name.parts[:1]), replace(name, parts=name.parts[1:])
    known: syntax.Expr = syntax.Apply("is not null", (field,), expr.span, expr.span)
    known = known if condition is None else syntax.Apply("and", (condition, known), expr.span, expr.span)
    yield "*", replace(expr, function="sum")
    yield "/", syntax.Apply("count", (syntax.Where(event, known, expr.span),), expr.span, expr.span)


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
        derived=DerivedEvents(dict(checked.scopes), dict(checked.events), dict(checked.datasets)),
    )
