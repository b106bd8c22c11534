"""How a KPI is judged beside its bands: segments, benchmark, confidence; and what else must be known for that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from smartkpi.language import syntax
from smartkpi.language.types import Kind
from smartkpi.language.units import describe
from smartkpi.nearest import did_you_mean
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import Length, refuse_shift
from smartkpi.semantics.bands import Judged, check_bands, number, place_of
from smartkpi.semantics.dimensions import check_dimensions
from smartkpi.semantics.findings import Findings, listing
from smartkpi.semantics.formula import (
    Aggregate,
    Apply,
    Band,
    Expr,
    Field,
    Literal,
    Reference,
    Ruled,
    TypedBenchmark,
    TypedBinding,
    TypedKpi,
    Version,
    Windowed,
)
from smartkpi.semantics.literals import constant
from smartkpi.semantics.rows import split
from smartkpi.semantics.scope import EventScope, Namespace
from smartkpi.source import Span
from smartkpi.spec.model import Benchmark, Formula, Kpi, Revision
from smartkpi.tree import walk

Segments = Sequence[EventScope]


def judge(
    spec: Kpi, bands: tuple[Band, ...], judged: Judged, segmented: Segments, space: Namespace, findings: Findings
) -> Ruled:
    """Return what a version of a KPI, with its bands, says beside them."""
    rules = spec.rules
    scopes: dict[int, tuple[Band, ...]] = {}
    for scope in rules.scopes:
        value = _value(scope.dimension, scope.value, scope.dimension_span, scope.span, segmented, space, findings)
        if (scope.dimension, value) not in judged.scopes:
            judged.scopes.append((scope.dimension, value))
        own = check_bands(replace(spec, thresholds=scope.thresholds), judged, space, findings)
        scopes[judged.scopes.index((scope.dimension, value))] = own
    conditional = any(operator == "if" for some in (bands, *scopes.values()) for _, operator, _ in some)
    confidence = None if rules.confidence is None else _confidence(rules.confidence, conditional, space, findings)
    benchmark = None if rules.benchmark is None else _benchmark(judged, rules.benchmark, segmented, space, findings)
    return Ruled(rules.min_sample, confidence, benchmark, tuple(scopes.items()))


def _value(
    dimension: str,
    value: str,
    at: Span,
    place: Span,
    segmented: Segments,
    space: Namespace,
    findings: Findings,
) -> str:
    """Return a value of a dimension in its one spelling, or say that there is no such dimension or value."""
    check_dimensions((dimension,), segmented, at, findings)
    described = space.dimensions.get(dimension.rpartition(".")[2])
    if described is None:
        return value
    known = dict.fromkeys((*described.values, *described.order, *described.spellings.values()))
    spelt = described.spellings.get(value, value)
    if (described.values or described.order) and spelt not in known:  # spellings alone do not say which there are
        message = f"`{dimension}` has no value `{value}`, as it is described"
        hint = did_you_mean(value, (*known, *described.spellings))
        findings.error("unknown-segment", message, place, hint, listing("values", known))
    return spelt


def _confidence(written: Formula, conditional: bool, space: Namespace, findings: Findings) -> Decimal | None:
    found = constant(written.expr, space.constants, findings).value
    if not isinstance(found, Decimal):
        return None
    span = written.expr.span
    if not Decimal("0.5") <= found < 1:
        hint = "write `confidence: 95%`"
        findings.error("bad-value", "a confidence is a share from 50% to less than 100%", span, hint)
        return None
    if conditional:
        message = "`confidence` is about bands of values, a condition has no bound that it could be held against"
        findings.error("bad-band", message, span, "write bands, such as `at least 5%`, or leave `confidence` out")
        return None
    return found


def _benchmark(
    judged: Judged, written: Benchmark, segmented: Segments, space: Namespace, findings: Findings
) -> TypedBenchmark:
    rows = []
    for row in written.rows:
        segment = tuple(
            (name, _value(name, value, row.span, row.span, segmented, space, findings)) for name, value in row.segment
        )
        found = number(row.formula.expr, judged.type, space.constants, "benchmark", findings)
        if found is not None:
            rows.append((segment, found))
    if written.formula is None:
        return TypedBenchmark(None, tuple(rows), False, written)
    if _is_computed(written.formula.expr, space):
        return TypedBenchmark(None, tuple(rows), True, written)
    value = number(written.formula.expr, judged.type, space.constants, "benchmark", findings)
    return TypedBenchmark(value, tuple(rows), False, written)


def _is_computed(expr: syntax.Expr, space: Namespace) -> bool:
    """Say whether a benchmark is more than a number: it names an event or a KPI, or what looks like one."""
    names = (node.parts[0] for node in walk(expr) if isinstance(node, syntax.Name))
    return any(name not in space.constants for name in names)


def beside(kpi: TypedKpi, calendar: Calendar, compared: Span | None = None) -> Iterator[Kpi]:
    """Yield what must be computed beside a KPI so that it can be judged, as KPIs of its own grain.

    ``compared`` is where a diagnosis asks what the KPI was before.
    """
    named = {node.name for one in kpi.judging.conditions for node in walk(one) if isinstance(node, Field)}
    place = (place_of(kpi.spec, "previous", "growth") if named & {"previous", "growth"} else None) or compared
    if place is not None:
        yield _own(kpi, "previous", _previous(kpi, place, calendar))
    held = [(one.start, one.ruled.benchmark) for one in kpi.versions]
    known = [(start, one.spec.formula) for start, one in held if one is not None and one.computed and one.spec.formula]
    if known:
        later = tuple(Revision(start, formula.expr.span, formula) for start, formula in known[1:])
        yield replace(_own(kpi, "benchmark", known[0][1]), revisions=later)


def _own(kpi: TypedKpi, name: str, formula: Formula) -> Kpi:
    return Kpi(f"{kpi.name}.{name}", formula, formula.expr.span, grain=kpi.grain, hidden=True, unit=kpi.spec.unit)


def _previous(kpi: TypedKpi, place: Span, calendar: Calendar) -> Formula:
    """Return the formula of the value before: with a window that of the window that ends where this one begins."""
    value = syntax.Name((kpi.name,), place)
    window = kpi.spec.window
    length = None if window is None else Length(window.count, window.unit)
    args: tuple[syntax.Expr, ...] = (value,)
    if window is not None and length is not None and not refuse_shift(calendar, length, Grain(kpi.grain)):
        args = (value, replace(window, span=place))
    return Formula(syntax.Apply("previous", args, place, place), kpi.spec.formula.text)


def check_unit(kpi: TypedKpi, found: TypedKpi, findings: Findings) -> None:
    """Hold the unit of what a KPI is held against to its own."""
    units = found.type.unit, kpi.type.unit
    if Kind.UNKNOWN not in (found.type.kind, kpi.type.kind) and units[0] != units[1]:
        message = f"the benchmark is {describe(found.type)}, the KPI is {describe(kpi.type)}"
        findings.error("unit-mismatch", message, found.spec.span)


def check_proportion(spec: Kpi, versions: Iterable[Version], space: Namespace, findings: Findings) -> None:
    """Refuse a confidence where a value is not a share of a number of like cases."""
    sure = [one for one in versions if one.ruled.confidence is not None and not isinstance(one.formula, Literal)]
    if all(_is_proportion(one.formula, space) for one in sure):
        return
    written = next((one.confidence for one in spec.ruled if one.confidence is not None), None)
    message = f"`confidence` is for shares of a count: `{spec.name}` is not a count among the rows of another"
    hint = "a proportion is `count(order where …) / order`; for others there is `min_sample`"
    findings.error("not-a-proportion", message, None if written is None else written.expr.span, hint)


Counted = tuple[str, frozenset[Expr], tuple[object, ...]]
"""What a count is over: its event, conditions on its rows, windows."""


def _is_proportion(formula: Expr, space: Namespace) -> bool:
    match formula:
        case Windowed():
            return _is_proportion(formula.argument, space)
        case Reference():
            return all(_is_proportion(one.formula, space) for one in space.kpis[formula.kpi].versions)
        case Apply(function="/", args=(part, whole)):
            above, below = _counted(part, space), _counted(whole, space)
            return above is not None and below is not None and _is_part(above, below, space)
        case _:
            return False


def _counted(formula: Expr, space: Namespace) -> Counted | None:
    match formula:
        case Aggregate(function="count"):
            return formula.event, frozenset(formula.where), ()
        case Windowed():
            inner = _counted(formula.argument, space)
            return None if inner is None else (*inner[:2], (formula.window, *inner[2]))
        case Reference():
            kpi = space.kpis[formula.kpi]
            inner = _counted(kpi.formula, space) if not kpi.revisions else None
            if inner is None:
                return None
            added = (*dict(kpi.where).get(inner[0], ()), *dict(formula.where).get(inner[0], ()))
            return inner[0], inner[1] | frozenset(added), inner[2]
        case _:
            return None


def _is_part(part: Counted, whole: Counted, space: Namespace) -> bool:
    """Say whether the rows of one count are among those of another, whatever the data holds."""
    if part[2] != whole[2] or not whole[1] <= part[1]:
        return False
    if part[0] == whole[0]:
        return True
    inner, outer = ({one.dataset: one for one in space.providers.get(event, ())} for event in (part[0], whole[0]))
    if inner and inner.keys() <= outer.keys() and all(_lies_in(inner[one], outer[one]) for one in inner):
        return True
    steps = [space.derived.datasets[one].derivation for one in inner if one in space.derived.datasets]
    bases = [one.operands[0].event for one in steps if one is not None]
    return bool(bases) and all(_is_part((base, *part[1:]), whole, space) for base in bases)


def _lies_in(inner: TypedBinding, outer: TypedBinding) -> bool:
    """Say whether each row of an event is one of another event, with the same time and weight."""
    if (inner.time, inner.count) != (outer.time, outer.count):
        return False
    wanted = set() if outer.when is None else set(split(outer.when))
    return set(outer.where) <= set(inner.where) and wanted <= (set() if inner.when is None else set(split(inner.when)))
