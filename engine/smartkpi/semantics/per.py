"""`per`: aggregates of values that a formula has for each entity."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from smartkpi.language import syntax
from smartkpi.language.types import WHOLE, Kind, Type
from smartkpi.language.units import describe
from smartkpi.periods.grain import Grain
from smartkpi.semantics.calls import infer, written
from smartkpi.semantics.findings import Findings
from smartkpi.semantics.formula import Across, Aggregate, Expr, Per, Reference
from smartkpi.semantics.literals import FAILED
from smartkpi.semantics.scope import EventScope, Namespace, broken_field, field_type, has_field, unknown_field
from smartkpi.source import Span
from smartkpi.tree import rewrite, walk

Typing = Callable[[syntax.Expr, Namespace, Findings], Expr]
AGGREGATES = frozenset({"count", "sum", "avg", "min", "max", "distinct"})


def per(expr: syntax.Apply, over: syntax.Per, space: Namespace, type_formula: Typing, findings: Findings) -> Expr:
    """Return an aggregate of the values that a formula has for each entity, typed."""
    keys = tuple(name for key in over.keys if (name := _key(key, findings)) is not None)
    if len(keys) < len(over.keys):
        return FAILED
    if expr.function not in AGGREGATES:
        findings.not_yet(f"`{expr.function}` over `per`", expr.name_span)
        return FAILED
    value = type_formula(over.value, space, findings)
    if value is FAILED or not _fits(value, over.value.span, keys, over, space, findings):
        return FAILED
    condition = None
    if over.condition is not None:
        named = rewrite(over.condition, lambda node: over.value if _is_value(node) else node)
        condition = type_formula(named, space, findings)
        if condition is FAILED or not _fits(condition, over.condition.span, keys, over, space, findings):
            return FAILED
        if condition.type.kind not in (Kind.BOOLEAN, Kind.UNKNOWN):
            message = f"`where` takes a condition, this is {describe(condition.type)}"
            findings.error("not-a-condition", message, over.condition.span, "compare it: `where value > 1000`")
            return FAILED
    if value.type.kind not in (Kind.NUMBER, Kind.UNKNOWN):
        message = f"`{expr.function}` needs a number for each of them, this is {describe(value.type)}"
        findings.error("type-mismatch", message, over.value.span)
        return FAILED
    return Per(expr.function, value, keys, condition, _type(expr, value.type, findings))


def _type(expr: syntax.Apply, value: Type, findings: Findings) -> Type:
    return WHOLE if expr.function in ("count", "distinct") else infer(expr, (value,), findings)


def _is_value(node: Any) -> bool:
    return isinstance(node, syntax.Name) and node.parts == ("value",)


def _key(key: syntax.Name | syntax.Apply, findings: Findings) -> str | None:
    """Return the field that tells entities apart."""
    match key:
        case syntax.Name(parts=(name,)):
            if name in {*Grain} - {Grain.ALL}:
                findings.not_yet(f"`per {name}`", key.span)
                return None
            return name
        case syntax.Apply(function="col", args=(syntax.Text(value=name),)):
            return name
        case _:
            findings.not_yet(f"`per` a looked-up field (`{written(key.span)}`)", key.span)
            return None


def _fits(
    value: Expr, span: Span, keys: tuple[str, ...], over: syntax.Per, space: Namespace, findings: Findings
) -> bool:
    """Say whether a formula has a value for each entity: its rows have the fields, and are single rows."""
    if any(_is_folded(node, space) for node in walk(value)):
        message = "a total, share, rank or another `per` has no value for each of them"
        findings.error("nested-per", message, span, "an aggregate of rows stands before `per`: `sum(order.amount)`")
        return False
    events = sorted(set(_events(value, space)))
    if not events:
        findings.error("no-events", "`per` is over the rows of events, this reads none", span)
        return False
    for event in events:
        scope = space.events[event]
        if scope.counted:
            message = f"each row of `{event}` stands for many events (`count:`): it belongs to no single entity"
            findings.error("counted-event", message, span)
            return False
        if len(scope.datasets) > 1:
            several = ", ".join(f"`{dataset}`" for dataset in scope.datasets)
            findings.not_yet(f"`per` over rows that lie in several datasets ({several})", span)
            return False
        for name, key in zip(keys, over.keys, strict=True):
            if not _has_key(name, key.span, scope, findings):
                return False
    return True


def _has_key(name: str, span: Span, scope: EventScope, findings: Findings) -> bool:
    if (cause := broken_field(scope, name)) is not None:
        findings.depend(name, cause)
        return False
    if not has_field(scope, name):
        unknown_field(name, span, scope, findings)
        return False
    type = field_type(scope, name)
    if name == "time" or type.kind is Kind.TIME or (type.kind is Kind.NUMBER and not type.whole):
        message = f"`{name}` does not tell entities apart: a time and a number with fractions are of single rows"
        findings.error("bad-dimension", message, span, "a text, a whole number, a boolean or a date does")
        return False
    return True


def _is_folded(node: Any, space: Namespace) -> bool:
    return isinstance(node, Across | Per) or (isinstance(node, Reference) and space.kpis[node.kpi].folded)


def _events(value: Expr, space: Namespace) -> Iterator[str]:
    for node in walk(value):
        if isinstance(node, Reference):
            yield from space.kpis[node.kpi].events
        elif isinstance(node, Aggregate):
            yield node.event
