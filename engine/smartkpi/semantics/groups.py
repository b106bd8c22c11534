"""Groups: a condition over the rows that an entity has had so far becomes a true/false field of events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from smartkpi.diagnostics import Diagnostic
from smartkpi.language import syntax
from smartkpi.language.format import format_expr
from smartkpi.language.types import BOOLEAN, Kind
from smartkpi.language.units import describe
from smartkpi.nearest import did_you_mean
from smartkpi.semantics.entities import entity_of
from smartkpi.semantics.findings import Findings, listing
from smartkpi.semantics.formula import (
    Across,
    Aggregate,
    Column,
    Expr,
    Field,
    Per,
    Reference,
    Shifted,
    TypedBinding,
    TypedDataset,
    TypedGroup,
    TypedKpi,
    Windowed,
)
from smartkpi.semantics.formulas import referred, type_formula
from smartkpi.semantics.goal import TypedGoal
from smartkpi.semantics.literals import FAILED
from smartkpi.semantics.scope import EventScope, Namespace, Reach, has_field
from smartkpi.spec.group import Group
from smartkpi.spec.model import Catalog
from smartkpi.tree import rewrite, walk

RUNNING = ("count", "sum", "avg", "min", "max", "distinct")
"""The aggregates that are known of all rows so far, for each of them."""


def announce(groups: Mapping[str, Group], space: Namespace, broken: dict[str, Diagnostic]) -> Iterator[Diagnostic]:
    """Give each event that has the entity of a group the group as a field; events made of it have it from there.

    A group whose name is that of another field already goes to ``broken``.
    """
    for group in groups.values():
        other = next((name for name, scope in space.events.items() if group.name in scope.fields), None)
        if other is not None:
            message = f"`{group.name}` is a field of `{other}` already, and a group is a field of its name"
            hint, subject = "give the group another name", f"group:{group.name}"
            broken[group.name] = Diagnostic("duplicate-name", message, group.span, hint, subject=subject)
            yield broken[group.name]
            continue
        for name, scope in space.events.items():
            if not has_field(scope, group.of) or (scope.timeless and group.at != "as_of"):
                continue
            space.events[name] = replace(scope, fields={**scope.fields, group.name: BOOLEAN})


def spoil(name: str, cause: Diagnostic, space: Namespace) -> None:
    """Leave a group that has an error out of its events, with the cause; of all where it is a field of none."""
    known = any(name in scope.fields for scope in space.events.values())

    def reaches(lookups: Mapping[str, Reach]) -> dict[str, Reach]:
        return {key: _spoiled(one) if one.step else one for key, one in lookups.items()}

    def _spoiled(one: Reach) -> Reach:
        return replace(one, broken={**one.broken, name: cause}, lookups=reaches(one.lookups))

    for scopes in (space.events, space.derived.scopes):
        for event, scope in scopes.items():
            broken = {**scope.broken, name: cause} if name in scope.fields or not known else scope.broken
            scopes[event] = replace(scope, broken=broken, lookups=reaches(scope.lookups))


def type_group(group: Group, catalog: Catalog, space: Namespace, findings: Findings) -> TypedGroup | None:
    """Return a group with its condition typed, None where it is wrong; what it stands on is known already."""
    owners = {name: scope for name, scope in space.events.items() if group.name in scope.fields}
    if not owners:
        fields = {name for scope in space.events.values() for name in scope.fields}
        hint = (
            did_you_mean(group.of, fields) or "`of` is a field of events: those rows belong together that have it alike"
        )
        message = f"no event has a field `{group.of}`"
        findings.error("unknown-field", message, group.of_span, hint, listing("fields", fields))
        return None
    formula = _formula(group, catalog, space, findings)
    if formula is FAILED:
        return None
    _refuse_others(formula, group, findings)
    totals = tuple(dict.fromkeys(node for node in walk(formula) if isinstance(node, Aggregate)))
    for one in totals:
        _check_total(one, space.events[one.event], findings)
    _check_entities(group, totals, owners, space, findings)
    if findings.failed:
        return None
    numbers = {total: str(place) for place, total in enumerate(totals)}
    condition = rewrite(formula, lambda node: Column(numbers[node], node.type) if isinstance(node, Aggregate) else node)
    events = dict.fromkeys(one.event for one in totals)
    missing = tuple(dict.fromkeys(name for event in events for name in _absent(space.events[event])))
    return TypedGroup(group.name, group.of, group.at, condition, totals, missing)


def _formula(group: Group, catalog: Catalog, space: Namespace, findings: Findings) -> Expr:
    """Return the condition typed, FAILED where it is none."""
    for name in referred(group.where.expr):
        if (kpi := catalog.kpis.get(name.text)) is not None and name.text not in space.events:
            hint = f"write its formula: `{format_expr(kpi.formula.expr)}`"
            message = f"`{name.text}` is a KPI, one number; a group is over the rows of each `{group.of}`"
            findings.error("bad-group", message, name.span, hint)
            return FAILED
    formula = type_formula(group.where.expr, space, findings)
    if findings.failed:
        return FAILED
    if formula.type.kind not in (Kind.BOOLEAN, Kind.UNKNOWN):
        message = f"`where` takes a condition, this is {describe(formula.type)}"
        findings.error("not-a-condition", message, group.where.expr.span, "compare it: `sum(order.amount) >= 10000`")
        return FAILED
    return formula


def _refuse_others(formula: Expr, group: Group, findings: Findings) -> None:
    """Refuse what is not made of aggregates of the rows so far."""
    for node in walk(formula):
        if isinstance(node, Across | Per | Windowed | Shifted):
            what = {
                Across: "a share or place among segments",
                Per: "`per`",
                Windowed: "a window",
                Shifted: "an earlier period",
            }
            message = f"{what[type(node)]} says nothing in a group: it is over all rows of one `{group.of}` so far"
            findings.error(
                "bad-group", message, group.where.expr.span, "compare aggregates: `sum(order.amount) >= 10000`"
            )
            return
    if not any(isinstance(node, Aggregate) for node in walk(formula)):
        message = f"a group is a condition over the rows of one `{group.of}`: there is no aggregate in it"
        hint = "such as `count(order) >= 3`; a condition on each row is a field, under the dataset's `fields`"
        findings.error("bad-group", message, group.where.expr.span, hint)


def _check_total(total: Aggregate, scope: EventScope, findings: Findings) -> None:
    if total.function not in RUNNING:
        message = f"`{total.function}` is not known of the rows so far"
        known = ", ".join(f"`{name}`" for name in RUNNING)
        findings.error("bad-group", message, total.span, f"a group is made of {known}")
    elif scope.counted:
        message = f"each row of `{total.event}` stands for many events (`count:`): none of them can be told apart"
        findings.error("counted-event", message, total.span, "a group needs a row for each event")
    elif scope.timeless:
        message = f"the rows of `{total.event}` have no time: nothing is before or after them"
        findings.error("no-history", message, total.span, "say when each row was, by `time:` in the dataset")
    added = walk(total.argument) if total.function == "sum" and total.argument is not None else ()
    for name in (node.name for node in added if isinstance(node, Field)):
        if scope.additive.get(name, "yes") != "yes":
            message = f"a group adds over time, and `{total.event}.{name}` must not be"
            findings.error("not-additive", message, total.span, "take `avg`, `min` or `max` of it instead")


def _check_entities(
    group: Group, totals: Iterable[Aggregate], owners: Mapping[str, EventScope], space: Namespace, findings: Findings
) -> None:
    """Hold the field that tells entities apart against all events that have it, and those that need it."""
    if findings.failed:
        return
    events = dict.fromkeys((*(one.event for one in totals), *owners))
    key = syntax.Name((group.of,), group.of_span)
    entity_of(key, [(event, space.events[event]) for event in events], findings, "of")


def _absent(scope: EventScope) -> tuple[str, ...]:
    if scope.lineage is not None:
        return scope.lineage.absent
    return () if scope.dataset is not None else (scope.event,)


def names_in(expr: syntax.Expr) -> Iterator[str]:
    """Yield all names that stand in an expression, each part of a dotted one."""
    for node in walk(expr):
        if isinstance(node, syntax.Name):
            yield from node.parts
        elif isinstance(node, syntax.Member):
            yield from node.name.split(".")


def close(
    groups: Mapping[str, TypedGroup],
    events: Mapping[str, tuple[TypedBinding, ...]],
    datasets: Mapping[str, TypedDataset],
    scopes: Mapping[str, EventScope],
) -> tuple[dict[str, TypedGroup], dict[str, frozenset[str]]]:
    """Return groups with what they depend on, each after those in it; and by event those that decide on its rows."""
    known: dict[str, TypedGroup] = {}
    within: dict[str, frozenset[str]] = {}
    grouped: dict[str, frozenset[str]] = {}

    def of_event(event: str) -> frozenset[str]:
        if event not in grouped:
            found: set[str] = set()
            for binding in events.get(event, ()):
                found |= of_fields(binding.where)
                derivation = datasets[binding.dataset].derivation
                for operand in () if derivation is None else derivation.operands:
                    found |= of_event(operand.event)
            grouped[event] = frozenset(found)
        return grouped[event]

    def of_fields(exprs: Iterable[Expr]) -> frozenset[str]:
        return frozenset().union(*(within[name] for name in fields_in(exprs, known)))

    for name, group in groups.items():  # each after those that it stands on
        inner: set[str] = {name}
        for total in group.totals:
            inner |= of_event(total.event)
            inner |= of_fields((*total.where, *(() if total.argument is None else (total.argument,))))
        late = any(_is_late(scopes[total.event]) for total in group.totals)
        below = [known[one] for one in inner if one != name]
        known[name] = replace(
            group,
            by_period=group.at == "period_start" or any(one.by_period for one in below),
            late=late or any(one.late for one in below),
            missing=tuple(dict.fromkeys((*group.missing, *(lost for one in below for lost in one.missing)))),
        )
        within[name] = frozenset(inner)
    grouped.clear()
    for event in events:
        of_event(event)
    return known, {event: names for event, names in grouped.items() if names}


def _is_late(scope: EventScope) -> bool:
    return scope.lineage is not None and scope.lineage.late


def fields_in(exprs: Iterable[Expr], groups: Mapping[str, TypedGroup]) -> set[str]:
    """Return the groups that row expressions name, those of matched rows too."""
    if not groups:
        return set()
    names = (node.name.rpartition(".")[2] for expr in exprs for node in walk(expr) if isinstance(node, Field))
    return {name for name in names if name in groups}


def groups_read(
    kpi: TypedKpi,
    kpis: Mapping[str, TypedKpi],
    groups: Mapping[str, TypedGroup],
    grouped: Mapping[str, frozenset[str]],
) -> set[str]:
    """Return the groups that a KPI stands on, with those that it refers to; ``grouped`` are those by event."""
    if not groups:
        return set()
    found = {name for event in kpi.events for name in grouped.get(event, ())}
    stack, seen = [kpi], {kpi.name}
    while stack:
        one = stack.pop()
        found |= fields_in(_row_expressions(one), groups)
        stack += [kpis[name] for name in sorted(one.kpis - seen)]
        seen |= one.kpis
    return found


def _row_expressions(kpi: TypedKpi) -> Iterator[Expr]:
    for version in kpi.versions:
        yield from (expr for _, where in version.where for expr in where)
        for node in walk(version.formula):
            if isinstance(node, Aggregate):
                yield from (*node.where, *(() if node.argument is None else (node.argument,)))
            elif isinstance(node, Per):
                yield from (Field(name, BOOLEAN) for name in node.keys)
            elif isinstance(node, Reference):
                yield from (expr for _, where in node.where for expr in where)


def without_periods(
    goals: Mapping[str, TypedGoal],
    kpis: Mapping[str, TypedKpi],
    groups: Mapping[str, TypedGroup],
    grouped: Mapping[str, frozenset[str]],
    found: list[Diagnostic],
) -> dict[str, TypedGoal]:
    """Return the goals that stand on no group as of the start of periods: a goal looks at values day by day."""
    kept = dict(goals)
    for name, goal in goals.items():
        names = {one for kpi in goal.questions.values() for one in groups_read(kpi, kpis, groups, grouped)}
        if late := sorted(one for one in names if groups[one].by_period):
            message = f"the goal `{name}` looks at days, and the group `{late[0]}` is as of the start of each period"
            hint = f"let `{late[0]}` be `at: event` or `at: as_of`, or set the goal for something else"
            found.append(Diagnostic("group-by-period", message, goal.spec.span, hint, subject=f"goal:{name}"))
            del kept[name]
    return kept
