"""Formulas: arithmetic over aggregates of events and over other KPIs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from smartkpi.language import syntax
from smartkpi.language.functions import FUNCTIONS
from smartkpi.language.types import NUMBER, UNKNOWN, WHOLE, Kind, Type
from smartkpi.language.units import describe
from smartkpi.semantics.across import across
from smartkpi.semantics.calls import Place, call, fits, infer, written
from smartkpi.semantics.findings import Findings
from smartkpi.semantics.formula import Aggregate, Expr, Reference
from smartkpi.semantics.literals import FAILED, literal
from smartkpi.semantics.per import per
from smartkpi.semantics.quantiles import share_of
from smartkpi.semantics.rows import type_condition
from smartkpi.semantics.scope import DELAYS, IMPLICIT, EventScope, Namespace, event_field, part_span, unknown_name
from smartkpi.semantics.steps import derive_event
from smartkpi.semantics.timed import timed
from smartkpi.source import Span
from smartkpi.tree import walk

Conditions = tuple[tuple[str, tuple[Expr, ...]], ...]

MOST_ARGUMENTS = {"quantile": 3}
WHOLE_ONLY = ("median", "quantile", "stddev", "first", "last", "approx_distinct")
"""Aggregates that do not come of parts: those of several datasets cannot be brought together."""


def type_formula(expr: syntax.Expr, space: Namespace, findings: Findings) -> Expr:
    """Return a formula with names resolved and types known; what is wrong goes to ``findings``."""
    match expr:
        case syntax.Number() | syntax.Duration() | syntax.Text() | syntax.Boolean() | syntax.Null():
            return literal(expr, findings)
        case syntax.Name():
            return _name(expr, space, findings)
        case syntax.Apply():
            function = FUNCTIONS.get(expr.function)
            if function is not None and function.kind == "aggregate":
                return _aggregate(expr, (), space, findings)
            if function is not None and function.kind == "segment":
                return across(expr, space, type_formula, findings)
            if function is not None and function.kind == "time":
                return timed(expr, space, type_formula, findings)
            if function is not None and function.kind == "funnel":
                for name in (one.parts[0] for one in expr.args if isinstance(one, syntax.Name)):
                    if name in space.broken:
                        findings.depend(name, space.broken[name])
                        return FAILED
            if (function is None or function.kind != "scalar") and not fits(expr, Place.FORMULA, findings):
                return FAILED
            args = tuple(type_formula(arg, space, findings) for arg in expr.args)
            return call(expr, args, space.zone, findings)
        case syntax.Where():
            return _filtered(expr, space, findings)
        case syntax.Member():
            _outside(expr.span, findings)
        case syntax.Per():
            hint = f"such as `avg({written(expr.span)})`"
            findings.error("bare-per", "`per` gives many values, a formula needs one", expr.span, hint)
        case syntax.Step():
            return _count(expr, space, findings)
        case syntax.Alias():
            raise AssertionError("`as` stands in chains only")
        case _:
            assert_never(expr)
    return FAILED


def _count(expr: syntax.Step, space: Namespace, findings: Findings) -> Expr:
    event = derive_event(expr, space, findings)
    return FAILED if event is None else Aggregate("count", event, None, (), WHOLE, expr.span)


def conditions(
    wheres: Iterable[syntax.Expr], events: Iterable[str], space: Namespace, findings: Findings
) -> Conditions:
    """Return conditions typed for each of several events; what is wrong is said for the first event it is wrong for."""
    found = []
    for event in sorted(events):
        here = Findings(findings.subject)
        typed = tuple(part for where in wheres for part in type_condition(where, space.events[event], here))
        found.append((event, typed))
        findings.take(here)
        if here.failed:
            break
    return tuple(found)


def referred(expr: syntax.Expr) -> Iterable[syntax.Name]:
    """Yield the names that stand for a value in a formula: not those of fields, nor of events inside aggregates."""
    stack = [expr]
    while stack:
        match stack.pop():
            case syntax.Name(parts=(_,)) as name:
                yield name
            case syntax.Apply(function=function, args=args):
                found = FUNCTIONS.get(function)
                over_rows = found is not None and found.kind == "aggregate"
                stack.extend(arg for arg in args if not over_rows or isinstance(arg, syntax.Per))
            case syntax.Where(operand=inner) | syntax.Per(value=inner):
                stack.append(inner)
            case _:
                pass


def _name(expr: syntax.Name, space: Namespace, findings: Findings) -> Expr:
    name = expr.parts[0]
    if len(expr.parts) > 1:
        _path(expr, space, findings)
        return FAILED
    if name in space.broken:
        findings.depend(name, space.broken[name])
    elif name in space.events:
        return Aggregate("count", name, None, (), WHOLE, expr.span)
    elif name in space.kpis:
        return Reference(name, (), space.kpis[name].type)
    elif name in space.constants:
        return space.constants.value(name, expr.span, findings)
    else:
        unknown_name(expr, space, findings)
    return FAILED


def _path(expr: syntax.Name, space: Namespace, findings: Findings) -> None:
    """Refuse a dotted name outside an aggregate."""
    first = expr.parts[0]
    if first in space.broken:
        findings.depend(first, space.broken[first])
    elif first not in space.events:
        if not _say_what(expr, space, findings):
            unknown_name(expr, space, findings)
    else:
        _outside(expr.span, findings)


def _outside(span: Span, findings: Findings) -> None:
    words = written(span)
    message = f"`{words}` has a value for each row, a formula needs one for all"
    findings.error("field-outside-aggregate", message, span, f"an aggregate makes one of them: `sum({words})`")


def _filtered(expr: syntax.Where, space: Namespace, findings: Findings) -> Expr:
    """Return `x where …` outside an aggregate: x is an event, a KPI, or an aggregate."""
    operand, wheres = _unwrap(expr)
    if isinstance(operand, syntax.Apply):
        function = FUNCTIONS.get(operand.function)
        if function is not None and function.kind == "aggregate":
            return _aggregate(operand, wheres, space, findings) if fits(operand, Place.FORMULA, findings) else FAILED
    if isinstance(operand, syntax.Step) or (isinstance(operand, syntax.Name) and len(operand.parts) == 1):
        found = (
            _name(operand, space, findings) if isinstance(operand, syntax.Name) else _count(operand, space, findings)
        )
        if isinstance(found, Aggregate):
            where = conditions(wheres, (found.event,), space, findings)
            return Aggregate("count", found.event, None, where[0][1], WHOLE, expr.span)
        if isinstance(found, Reference):
            where = conditions(wheres, space.kpis[found.kpi].events, space, findings)
            return Reference(found.kpi, where, found.type)
        if found is FAILED:
            return FAILED
    elif isinstance(operand, syntax.Name | syntax.Member | syntax.Per):
        type_formula(operand, space, findings)
        return FAILED
    hint = "filter each part: `count(order where …)`, `revenue where …`"
    findings.error("misplaced-where", "`where` filters an event, an aggregate or a KPI", operand.span, hint)
    return FAILED


def _unwrap(expr: syntax.Expr) -> tuple[syntax.Expr, tuple[syntax.Expr, ...]]:
    """Return what stands below conditions, and the conditions, the innermost first."""
    wheres: list[syntax.Expr] = []
    while isinstance(expr, syntax.Where):
        wheres.append(expr.condition)
        expr = expr.operand
    return expr, tuple(reversed(wheres))


@dataclass(frozen=True, slots=True)
class _Relation:
    """What an aggregate is over: the rows of an event under conditions, and a field of them."""

    event: str
    wheres: tuple[syntax.Expr, ...]
    field: str | None
    span: Span


def _relation(expr: syntax.Expr, space: Namespace, findings: Findings) -> _Relation | None:
    """Return what `order`, `order.amount`, `(order where …).amount` stand for inside an aggregate."""
    inner, wheres = _unwrap(expr)
    match inner:
        case syntax.Name(parts=(event,)) if event in space.events and event not in space.broken:
            return _Relation(event, wheres, None, inner.span)
        case syntax.Name(parts=(event, *path)) if event in space.events and event not in space.broken:
            return _Relation(event, wheres, ".".join(path), part_span(inner, len(path)))
        case syntax.Member():
            below = _relation(inner.of, space, findings)
            if below is not None and below.field is None:
                return _Relation(below.event, below.wheres + wheres, inner.name, inner.span)
            if below is not None:
                return _Relation(below.event, below.wheres + wheres, f"{below.field}.{inner.name}", inner.span)
        case syntax.Name():
            if inner.parts[0] in space.broken:
                findings.depend(inner.parts[0], space.broken[inner.parts[0]])
            elif not _say_what(inner, space, findings):
                unknown_name(inner, space, findings)
        case syntax.Step():
            derived = derive_event(inner, space, findings)
            return None if derived is None else _Relation(derived, wheres, None, inner.span)
        case syntax.Per():
            message = "`per` stands as it is in an aggregate, with `where` inside"
            findings.error("misplaced-where", message, inner.span, "write `count(x per buyer where value > 1000)`")
        case syntax.Apply(function=function) if function in FUNCTIONS and FUNCTIONS[function].kind == "aggregate":
            message = f"`{function}` is an aggregate already; an aggregate is over the rows of an event"
            findings.error("nested-aggregate", message, inner.span, f"`{function}(…)` alone, or an event here")
        case _:
            hint = _as_field(inner)
            findings.error("aggregate-argument", "an aggregate takes an event or one of its fields", inner.span, hint)
    return None


def _as_field(expr: syntax.Expr) -> str:
    """Return how a value that is reckoned inside an aggregate becomes a field."""
    names = [node for node in walk(expr) if isinstance(node, syntax.Name) and len(node.parts) == 2]
    events = {name.parts[0] for name in names}
    words = written(expr.span)
    if len(events) != 1 or "…" in words:
        return "define the value under the dataset's `fields`, then write `event.field`"
    event = events.pop()
    row = words.replace(f"{event}.", "")
    return f"write `value: {row}` under the dataset's `fields`, then `{event}.value` here"


def _say_what(expr: syntax.Name, space: Namespace, findings: Findings) -> bool:
    """Say that a name that stands where an event must is a KPI or a constant, if it is."""
    name = expr.parts[0]
    if name in space.written:
        message = f"`{name}` is a KPI, already one number; here an event is wanted"
        findings.error("not-an-event", message, part_span(expr, 0), f"a KPI stands alone: `{name}`")
    elif name in space.constants:
        findings.error("not-an-event", f"`{name}` is a constant; here an event is wanted", part_span(expr, 0))
    else:
        return False
    return True


def _aggregate(expr: syntax.Apply, around: tuple[syntax.Expr, ...], space: Namespace, findings: Findings) -> Expr:
    """Return an aggregate; ``around`` are conditions written behind it."""
    function = FUNCTIONS[expr.function]
    most = MOST_ARGUMENTS.get(expr.function, 1)
    if 1 <= len(expr.args) <= most and isinstance(over := expr.args[0], syntax.Per):
        if not around:
            return per(expr, over, space, type_formula, findings)
        hint = "filter inside: `avg(sum(order.amount where …) per buyer where value > …)`"
        findings.error("misplaced-where", "`where` behind an aggregate of `per` could mean either", expr.span, hint)
        return FAILED
    if not 1 <= len(expr.args) <= most:
        takes = {"count": "one event", "quantile": "one event field, a share, and perhaps `nearest`"}
        message = f"`{expr.function}` takes {takes.get(expr.function, 'one event field')}"
        findings.error("wrong-arguments", message, expr.span, f"write `{function.signature}`")
        return FAILED
    relation = _relation(expr.args[0], space, findings)
    if relation is None:
        return FAILED
    scope = space.events[relation.event]
    where = conditions((*relation.wheres, *around), (relation.event,), space, findings)[0][1]
    if expr.function == "count":
        if relation.field is not None:
            hint = f"write `count({relation.event} where {relation.field} is not null)`, or `count({relation.event})`"
            message = f"`count` counts rows, `{relation.field}` is a field"
            findings.error("wrong-arguments", message, expr.args[0].span, hint)
            return FAILED
        return Aggregate("count", relation.event, None, where, WHOLE, expr.span)
    argument = _argument(expr, relation, scope, findings)
    if argument is None:
        return FAILED
    share = share_of(expr, lambda given: type_formula(given, space, findings), findings)
    type = _aggregated(expr, argument.type, relation, scope, findings)
    return Aggregate(expr.function, relation.event, argument, where, type, expr.span, share, len(expr.args) > 2)


def _argument(expr: syntax.Apply, relation: _Relation, scope: EventScope, findings: Findings) -> Expr | None:
    if relation.field is None:
        fields = [name for name in scope.fields if name not in IMPLICIT]
        share = ", 95%" if expr.function == "quantile" else ""
        shown = f"`{expr.function}({relation.event}.{fields[0] if fields else 'field'}{share})`"
        hint = f"write {shown}" + (f", or `count({relation.event})`" if expr.function == "sum" else "")
        message = f"`{expr.function}` needs a field of `{relation.event}`"
        findings.error("wrong-arguments", message, expr.args[0].span, hint)
        return None
    return event_field(relation.field, relation.span, scope, findings)


def _shared(field: str, scope: EventScope) -> str:
    """Return how a field of a row that several rows may have in common is added up; nothing for one of its own."""
    step, _, rest = field.partition(".")
    return scope.lineage.shared.get(step, "") if scope.lineage is not None and rest not in ("", *DELAYS) else ""


def _aggregated(expr: syntax.Apply, type: Type, relation: _Relation, scope: EventScope, findings: Findings) -> Type:
    """Return the type of an aggregate of a field, or say why there is none."""
    name, field = expr.function, f"{relation.event}.{relation.field}"
    if name in WHOLE_ONLY and len(scope.datasets) > 1:
        message = f"`{name}` of rows that lie in several datasets ({', '.join(f'`{d}`' for d in scope.datasets)})"
        hint = f"give each dataset an event of its own, and take the `{name}` of one of them"
        findings.not_yet(message, expr.span, hint)
        return UNKNOWN
    if name in ("sum", "avg") and (way := _shared(relation.field or "", scope)):
        step = (relation.field or "").partition(".")[0]
        message = f"a row of `{step}` may belong to several rows: `{name}` would add it more than once"
        findings.error("shared-row", message, expr.span, way)
        return UNKNOWN
    if name in ("first", "last") and scope.timeless:
        message = f"the rows of `{relation.event}` have no time: none of them is the {name}"
        findings.error("no-order", message, expr.span, "say when each row was, by `time:` in the dataset")
        return UNKNOWN
    if scope.counted and name not in ("sum", "avg"):
        message = (
            f"each row of `{relation.event}` stands for many events (`count:`): `{name}` of its totals says nothing"
        )
        findings.error("counted-event", message, expr.span, "`count`, `sum` and `avg` work on counted events")
        return UNKNOWN
    if name in ("distinct", "approx_distinct") or type.kind in (Kind.NUMBER, Kind.UNKNOWN):
        return infer(expr, (type, *(NUMBER for _ in expr.args[1:])), findings)
    hint = {
        Kind.BOOLEAN: f"write `count({relation.event} where {relation.field})`",
        Kind.TEXT: f"write `distinct({field})`",
        Kind.TIME: "take a difference of two times as a field; that is a number",
        Kind.DATE: "take a difference of two dates as a field; that is a number",
    }.get(type.kind, "")
    findings.error("type-mismatch", f"`{name}` needs numbers, `{field}` is {describe(type)}", relation.span, hint)
    return UNKNOWN
