"""The `cohorts` section: entities by the period in which they began, and the KPIs that they make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from smartkpi.diagnostics import Diagnostic
from smartkpi.language import syntax
from smartkpi.language.parse import parse_event, parse_formula
from smartkpi.language.syntax import Expr
from smartkpi.nearest import did_you_mean
from smartkpi.periods.grain import Grain
from smartkpi.source import Span, text_of
from smartkpi.spec.funnels import build_keys, head
from smartkpi.spec.model import Cohort, Derived, Formula, Kpi
from smartkpi.spec.nodes import Fields, Node, Scalar
from smartkpi.spec.parts import RETENTION, RETURNED, SIZE, part_name
from smartkpi.spec.values import Problems, formula, labels

NEITHER = (Grain.HOUR, Grain.ALL)
"""Grains that no cohorts are of."""


def build_cohort(name: str, node: Node, span: Span, grains: Sequence[Grain], problems: Problems) -> Cohort | None:
    """Return a cohort; None where something that it needs is wrong. ``grains`` are all there are, none if unknown."""
    if not isinstance(node, Fields):
        return None
    of = build_keys(node.get("of"), problems)
    start, again = _event(node.get("start"), problems), _event(node.get("return"), problems)
    grain = _grain(node.get("grain"), grains, problems)
    value = None if again is None else _value(node.get("value"), head(again.expr), problems)
    if not of or start is None or again is None:
        return None
    return Cohort(
        name, of[0], start, again, grain, value, span, labels(node.get("label")), labels(node.get("description"))
    )


def _event(node: Node | None, problems: Problems) -> Formula | None:
    event = formula(node, problems, parse_event)
    if event is not None and not head(event.expr):
        message = "a cohort begins, and returns, by an event"
        problems.append(Diagnostic("not-an-event", message, event.expr.span, "such as `first order by buyer`, `order`"))
        return None
    return event


def _grain(node: Node | None, grains: Sequence[Grain], problems: Problems) -> str:
    if not isinstance(node, Scalar) or node.data is None:
        return Grain.MONTH.value
    fitting = [grain for grain in grains if grain not in NEITHER]
    if grains and node.written not in fitting:
        hint = did_you_mean(node.written, fitting) or f"one of {', '.join(fitting)}"
        what = (
            f"no grain is named `{node.written}`" if node.written not in grains else f"no cohorts are by {node.written}"
        )
        problems.append(Diagnostic("unknown-grain", what, node.span, hint))
    return node.written


def _value(node: Node | None, event: str, problems: Problems) -> syntax.Name | None:
    """Return the field that is added up; None for a count."""
    written = formula(node, problems, parse_formula)
    if written is None:
        return None
    match written.expr:
        case syntax.Name(parts=("count",)):
            return None
        case syntax.Apply(function="sum", args=(syntax.Name(parts=(of, *path)) as field,)) if of == event and path:
            return replace(field, parts=tuple(path))
        case expr:
            message = "`value` of a cohort is `count`, or the sum of a field of what returns"
            problems.append(Diagnostic("bad-value", message, expr.span, f"such as `sum({event}.amount)`"))
            return None


AGAIN = "@return"
"""The name that the fields of rows that return go by: no field can have it."""


def kpis_of_cohort(cohort: Cohort, ages: Iterable[int], derived: Mapping[str, Derived]) -> Iterator[Kpi]:
    """Yield the KPIs of a cohort: its size, and of each age what returns and its share."""
    span, start = cohort.span, _start(cohort, derived)

    def kpi(measure: str, age: int | None, expr: Expr, form: str | None = None) -> Kpi:
        name = part_name(measure, cohort.name, age)
        return Kpi(
            name,
            Formula(expr, text_of(name, span.source.name)),
            span,
            format=form,
            direction="higher",
            hidden=True,
            origin=cohort.origin,
            part_of=cohort.name,
        )

    def named(measure: str, age: int | None = None) -> Expr:
        return syntax.Name((part_name(measure, cohort.name, age),), span)

    whole = named(SIZE) if cohort.value is None else named(RETURNED, 0)
    for age in ages:
        yield kpi(RETURNED, age, _returned(cohort, start, age))
        yield kpi(RETENTION, age, syntax.Apply("/", (named(RETURNED, age), whole), span, span), "percent")
    yield kpi(SIZE, None, syntax.Apply("count", (start,), span, span))


def _start(cohort: Cohort, derived: Mapping[str, Derived]) -> Expr:
    """Return the event of the first row of each entity."""
    expr = cohort.start.expr
    known = derived.get(expr.text) if isinstance(expr, syntax.Name) else None
    first = expr if known is None else known.formula.expr
    if isinstance(first, syntax.Step) and first.kind == "first" and first.by == (cohort.of,) and not first.condition:
        return expr
    return syntax.Step("first", (expr,), None, (cohort.of,), None, None, cohort.span)


def _returned(cohort: Cohort, start: Expr, age: int) -> Expr:
    """Return how many of a cohort return at an age, or what is added up of what they do then."""
    span = cohort.span
    operands = (start, syntax.Alias(cohort.return_.expr, AGAIN, cohort.return_.expr.span))
    match = "first" if cohort.value is None else "all"
    event: Expr = syntax.Step("returns", operands, None, (cohort.of,), match, None, span, (cohort.grain, age))
    if cohort.value is None:
        return syntax.Apply("count", (event,), span, span)
    for name in (AGAIN, *cohort.value.parts):
        event = syntax.Member(event, name, cohort.value.span)
    return syntax.Apply("sum", (event,), span, span)
