"""`per`: aggregates of values that a formula has for each entity, or in each calendar period."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from smartkpi.language import syntax
from smartkpi.language.types import NUMBER, WHOLE, Kind, Type
from smartkpi.language.units import describe
from smartkpi.nearest import did_you_mean
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import GRAINS, Grain
from smartkpi.periods.windows import refuse_shift, refuse_window
from smartkpi.semantics.calls import infer
from smartkpi.semantics.findings import Findings
from smartkpi.semantics.formula import Across, Aggregate, Expr, Per, Reference
from smartkpi.semantics.literals import FAILED
from smartkpi.semantics.quantiles import share_of
from smartkpi.semantics.scope import EventScope, Namespace, event_field, has_field
from smartkpi.semantics.timed import shifts_in, windows_in
from smartkpi.source import Span
from smartkpi.tree import rewrite, walk

Typing = Callable[[syntax.Expr, Namespace, Findings], Expr]
MIDDLE = Decimal("0.5")
PERIODS = tuple(grain for grain in GRAINS if grain is not Grain.ALL)


@dataclass(frozen=True, slots=True)
class _Keys:
    """What tells values apart: fields, each with its place, and perhaps the grain of calendar periods."""

    fields: tuple[tuple[str, Span], ...]
    grain: Grain | None
    span: Span


def per(expr: syntax.Apply, over: syntax.Per, space: Namespace, type_formula: Typing, findings: Findings) -> Expr:
    """Return an aggregate of the values that a formula has for each entity or period, typed."""
    keys = _keys(over, space.calendar, findings)
    if keys is None or not _has_order(expr, keys, findings):
        return FAILED
    value = type_formula(over.value, space, findings)
    if value is FAILED or not _fits(value, over.value.span, keys, space, findings):
        return FAILED
    condition = None
    if over.condition is not None:
        if _is_misspelt_value(over.condition, space, findings):
            return FAILED
        named = rewrite(over.condition, lambda node: over.value if _is_value(node) else node)
        condition = type_formula(named, space, findings)
        if condition is FAILED or not _fits(condition, over.condition.span, keys, space, findings):
            return FAILED
        if condition.type.kind not in (Kind.BOOLEAN, Kind.UNKNOWN):
            message = f"`where` takes a condition, this is {describe(condition.type)}"
            findings.error("not-a-condition", message, over.condition.span, "compare it: `where value > 1000`")
            return FAILED
    if value.type.kind not in (Kind.NUMBER, Kind.UNKNOWN):
        message = f"`{expr.function}` needs a number for each of them, this is {describe(value.type)}"
        findings.error("type-mismatch", message, over.value.span)
        return FAILED
    median = expr.function == "median"
    share = MIDDLE if median else share_of(expr, lambda given: type_formula(given, space, findings), findings)
    type = _type(expr, value.type, findings)
    if findings.failed:
        return FAILED
    fields = tuple(name for name, _ in keys.fields)
    function = {"median": "quantile", "approx_distinct": "distinct"}.get(expr.function, expr.function)
    return Per(function, value, fields, condition, type, keys.grain, share, len(expr.args) > 2)


def _type(expr: syntax.Apply, value: Type, findings: Findings) -> Type:
    if expr.function in ("count", "distinct", "approx_distinct"):
        return WHOLE
    return infer(expr, (value, *(NUMBER for _ in expr.args[1:])), findings)


def _is_misspelt_value(condition: syntax.Expr, space: Namespace, findings: Findings) -> bool:
    """Say what was meant where a name that nothing has is near `value`."""
    known = {*space.events, *space.written, *space.constants, *space.broken}
    for node in walk(condition):
        if not isinstance(node, syntax.Name) or len(node.parts) > 1 or _is_value(node) or node.text in known:
            continue
        if did_you_mean(node.text, ["value"]) and not did_you_mean(node.text, known):
            hint = "did you mean `value`? it is that of each entity or period"
            findings.error("unknown-event", f"no event is named `{node.text}`", node.span, hint)
            return True
    return False


def _is_value(node: Any) -> bool:
    return isinstance(node, syntax.Name) and node.parts == ("value",)


def _keys(over: syntax.Per, calendar: Calendar, findings: Findings) -> _Keys | None:
    """Return the keys behind `per`; a grain is the calendar period, of which there can be one."""
    fields: dict[str, Span] = {}
    grain: Grain | None = None
    for key in over.keys:
        match key:
            case syntax.Name(text=name) if name in calendar.grains and name != Grain.ALL:
                if grain is not None and grain != name:
                    message = f"`{grain.value}` and `{name}` are both periods: each value is of one"
                    findings.error("several-periods", message, key.span, "keep the shorter of the two")
                    return None
                grain = Grain(name)
            case syntax.Name(text=name) | syntax.Apply(function="col", args=(syntax.Text(value=name),)):
                fields.setdefault(name, key.span)
            case _:
                findings.error("bad-argument", "`per` takes the names of fields", key.span, 'or `col("any column")`')
                return None
    return _Keys(tuple(fields.items()), grain, over.keys[0].span.to(over.keys[-1].span))


def _has_order(expr: syntax.Apply, keys: _Keys, findings: Findings) -> bool:
    """Refuse the first or last of entities: only periods follow each other."""
    if expr.function not in ("first", "last") or not keys.fields:
        return True
    message = f"entities follow no order: none of them is the {expr.function}"
    hint = f"the {expr.function} value of each stands before `per`: `sum({expr.function}(stock.level) per sku)`"
    findings.error("no-order", message, expr.name_span, hint)
    return False


def _fits(value: Expr, span: Span, keys: _Keys, space: Namespace, findings: Findings) -> bool:
    """Say whether a formula has a value for each of the keys: its rows have the fields, and are single rows."""
    if any(_is_folded(node, space) for node in walk(value)):
        message = "a total, share, rank or another `per` has no value for each of them"
        findings.error("nested-per", message, span, "an aggregate of rows stands before `per`: `sum(order.amount)`")
        return False
    if not _has_times(value, span, keys, space, findings):
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
        if keys.grain is not None and not _has_periods(scope, keys, findings):
            return False
    return all(_has_key(name, at, [space.events[event] for event in events], findings) for name, at in keys.fields)


def _has_times(value: Expr, span: Span, keys: _Keys, space: Namespace, findings: Findings) -> bool:
    """Refuse windows and earlier periods that the values of entities, or of periods of a grain, have not."""
    windows, shifts = windows_in(value, space), shifts_in(value, space)
    if keys.fields and (shifts or (keys.grain is not None and windows)):
        message = f"{'an earlier period' if shifts else 'a window'} has no value for each of the entities in a period"
        if keys.grain is None:
            message = "an earlier period has no value for each entity: it may not have been there"
        hint = "take it of the whole, `previous(avg(order per buyer))`, or of periods: `avg(previous(order) per day)`"
        if not shifts:
            hint = "take it of entities, `avg(trailing(order, 7d) per buyer)`, or of periods, each by itself"
        findings.error("nested-per", message, span, hint)
        return False
    if keys.grain is None:
        return True
    calendar, grain = space.calendar, keys.grain
    wrong = [refuse_window(calendar, one, grain, space.events[event].periods) for one, event in windows]
    wrong += [refuse_shift(calendar, one, grain) for one in shifts]
    for message in sorted(filter(None, wrong))[:1]:
        findings.error("grain-mismatch", f"`per {grain}`: {message}", span, "take it of periods that it is made for")
        return False
    return True


def _has_periods(scope: EventScope, keys: _Keys, findings: Findings) -> bool:
    """Refuse periods of rows that have no time, and hours of days."""
    assert keys.grain is not None
    if scope.timeless:
        message = f"the rows of `{scope.event}` have no time: they lie in no {keys.grain.value}"
        findings.error("no-periods", message, keys.span, "say when each row was, by `time:` in the dataset")
        return False
    if keys.grain is Grain.HOUR and scope.dated:
        findings.error("no-hours", f"`{scope.event}` is dated by day: it has no hours", keys.span, "write `per day`")
        return False
    return True


def _has_key(name: str, span: Span, scopes: list[EventScope], findings: Findings) -> bool:
    """Say whether all events have a field, of one kind, that tells entities apart."""
    seen: tuple[Type, str] | None = None
    for scope in scopes:
        if _is_misspelt(name, span, scope, findings):
            return False
        found = event_field(name, span, scope, findings)
        if found is FAILED:
            return False
        type = found.type
        if name == "time" or type.kind is Kind.TIME or (type.kind is Kind.NUMBER and not type.whole):
            message = f"`{name}` does not tell entities apart: a time and a number with fractions are of single rows"
            hint = "a text, a whole number, a boolean or a date does"
            hint = "a calendar period does: `per day`" if name == "time" or type.kind is Kind.TIME else hint
            findings.error("bad-dimension", message, span, hint)
            return False
        if seen is not None and Kind.UNKNOWN not in (type.kind, seen[0].kind) and type.kind is not seen[0].kind:
            message = f"`{name}` is {describe(seen[0])} in `{seen[1]}`, {describe(type)} in `{scope.event}`"
            findings.error("bad-dimension", message, span, "entities must be of one kind everywhere")
            return False
        seen = seen if seen is not None and type.kind is Kind.UNKNOWN else (type, scope.event)
    return True


def _is_misspelt(name: str, span: Span, scope: EventScope, findings: Findings) -> bool:
    """Say what was meant where a key that is no field is near a calendar period, or names the event too."""
    first, dot, rest = name.partition(".")
    if dot and first == scope.event and first not in scope.lookups and name not in scope.fields:
        hint = f"the event is known: write `{rest}`"
    elif has_field(scope, name) or did_you_mean(name, scope.fields) or not (hint := did_you_mean(name, PERIODS)):
        return False
    findings.error("unknown-field", f"`{scope.event}` has no field `{name}`", span, hint)
    return True


def _is_folded(node: Any, space: Namespace) -> bool:
    if isinstance(node, Reference):
        return space.kpis[node.kpi].folded
    return isinstance(node, Across | Per)


def _events(value: Expr, space: Namespace) -> Iterator[str]:
    for node in walk(value):
        if isinstance(node, Reference):
            yield from space.kpis[node.kpi].events
        elif isinstance(node, Aggregate):
            yield node.event
