"""Lower KPIs and a question to components, cells and steps.

Each aggregate becomes one component, with every condition around it: its own `where`, the `where` of each KPI on the
way, the question's. Ratios keep numerator and denominator to the end; KPI references become steps, not copies.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import assert_never

from smartkpi.language.types import BOOLEAN, WHOLE, Type
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import Path, Shift, Window, refuse_shift
from smartkpi.plan import nodes
from smartkpi.plan.answerable import has_times, refuse
from smartkpi.plan.groups import groups_asked, ungrouped, view_of, viewed_by
from smartkpi.plan.nodes import (
    ANY_VIEW,
    EVER,
    Compared,
    Component,
    Earlier,
    Fold,
    Output,
    Plan,
    Range,
    Rank,
    Result,
    Step,
    Value,
    View,
)
from smartkpi.plan.relations import histories_of, open_in, provided, relations_of
from smartkpi.plan.scans import join, scans_of
from smartkpi.semantics.check import Checked
from smartkpi.semantics.comparisons import shift_to
from smartkpi.semantics.covering import covering
from smartkpi.semantics.formula import (
    Across,
    Aggregate,
    Apply,
    Column,
    Expr,
    Field,
    InGroup,
    Literal,
    LookedUp,
    Per,
    Reference,
    Shifted,
    TypedKpi,
    Windowed,
)
from smartkpi.semantics.question import Question, Resolved
from smartkpi.semantics.scope import broken_field, field_type, has_field

Conditions = Mapping[str, tuple[Expr, ...]]


@dataclass(frozen=True, slots=True)
class Slice:
    """What of the rows a formula is over: the dimensions that tell them apart, and conditions by event that cut them.

    ``ranked``: it is over single segments, so that they have places. ``asked`` are the days of one period asked for
    that calendar periods may lie across: then ``days`` cuts the rows of their values. ``window``: the innermost around.
    ``view`` is how the question looks at rows that depend on the as-of, or on the grain.
    """

    keep: tuple[str, ...]
    cut: Conditions = field(default_factory=dict, hash=False)
    ranked: bool = True
    asked: Range = EVER
    days: Range = EVER
    window: Window | None = None
    view: View = ANY_VIEW


@dataclass(slots=True)
class _Build:
    """Components and steps as they are found, each once; ``dimensions`` are those asked for, with their types."""

    checked: Checked
    dimensions: Mapping[str, Type]
    components: dict[str, Component] = field(default_factory=dict)
    samples: dict[str, str] = field(default_factory=dict)
    ids: dict[Component, str] = field(default_factory=dict)
    steps: dict[Hashable, Step] = field(default_factory=dict)
    entities: dict[str, dict[str, None]] = field(default_factory=dict)


def lower(checked: Checked, resolved: Resolved, totals: bool = False) -> Plan:
    """Return the plan of a question, not yet optimized: one scan a cell; with ``totals`` also over all segments.

    A KPI that cannot answer the question becomes an output without a step, with the reason.
    """
    question = resolved.question
    build = _Build(checked, _dimension_types(checked, resolved))
    outputs, over_all = [], []
    for name in question.kpis:
        kpi = checked.kpis[name]
        grain = question.grain or Grain(kpi.grain)
        reason = resolved.unavailable.get(name, "") or refuse(checked, kpi, grain, question)
        reason = reason or ungrouped(groups_asked(checked, kpi, resolved), grain)
        asked = _asked(grain, question)
        if reason:
            outputs.append(Output(name, None, grain, tuple(sorted(kpi.datasets)), reason))
            continue
        over = Slice(question.by, asked=asked, view=view_of(checked, kpi, grain, resolved))
        outputs.append(_output(build, kpi, grain, resolved, over))
        if totals and question.by:
            over_all.append(_output(build, kpi, grain, resolved, replace(over, keep=(), ranked=False)))
    return _plan(build, resolved, tuple(outputs), tuple(over_all), question.by)


def lower_rest(checked: Checked, resolved: Resolved, cuts: Mapping[str, Conditions]) -> Plan:
    """Return the plan of what is left of KPIs without some segments: as one, its rows cut by conditions on them.

    ``cuts`` has for each KPI the conditions on the rows of its events; totals and shares inside stay over all rows.
    """
    question = resolved.question
    build = _Build(checked, _dimension_types(checked, resolved))
    outputs = []
    for name, cut in cuts.items():
        kpi = checked.kpis[name]
        grain = question.grain or Grain(kpi.grain)
        view = view_of(checked, kpi, grain, resolved)
        over = Slice((), cut, ranked=False, asked=_asked(grain, question), view=view)
        outputs.append(_output(build, kpi, grain, resolved, over))
    return replace(_plan(build, resolved, tuple(outputs), (), ()), scorecard=False)


def _output(build: _Build, kpi: TypedKpi, grain: Grain, resolved: Resolved, over: Slice) -> Output:
    """Return a KPI as asked over a slice, with the values that it is held against."""
    question, calendar = resolved.question, build.checked.catalog.calendar
    step = _lower_kpi(build, kpi, resolved.where, over)
    asked = () if "." in kpi.name else question.compare  # what a KPI is judged by is held against nothing itself
    shifts = {name: shift_to(name, kpi, grain, calendar) for name in asked}
    refused = {name: refuse_shift(calendar, shift, grain) for name, shift in shifts.items()}
    compared = (_compare(build, step, name, shifts[name], question.scorecard) for name in shifts if not refused[name])
    refusals = tuple((name, reason) for name, reason in refused.items() if reason)
    return Output(kpi.name, step.id, grain, tuple(sorted(kpi.datasets)), compared=tuple(compared), uncompared=refusals)


def _compare(build: _Build, step: Step, name: str, shift: Shift, whole: bool) -> Compared:
    """Return a comparison of a step's values with those of earlier periods; ``whole``: of whole ones only."""
    key = (step.id, shift, whole)
    if key not in build.steps:
        formula = Earlier(Result(step.id, step.type), shift, step.type)
        reads = tuple((id, (shift, *path)) for id, path in step.reads)
        series = tuple(replace(one, path=(shift, *one.path)) for one in step.series)
        new = replace(step, id=f"s{len(build.steps)}", formula=formula, reads=reads, series=series, whole=whole)
        build.steps[key] = new
    return Compared(name, build.steps[key].id, shift)


def _asked(grain: Grain, question: Question) -> Range:
    """Return the days asked for where they are no whole periods."""
    return Range(question.since, question.until) if grain is Grain.ALL else EVER


def _dimension_types(checked: Checked, resolved: Resolved) -> dict[str, Type]:
    """Return the type of each dimension in the first event that must have it."""
    found: dict[str, Type] = {}
    asked = (name for name in resolved.question.kpis if name not in resolved.unavailable)
    for event in sorted({event for name in asked for event in checked.kpis[name].segmented if checked.events[event]}):
        for name in resolved.question.by:
            found.setdefault(name, field_type(checked.scopes[event], name))
    return found


def _plan(
    build: _Build, resolved: Resolved, outputs: tuple[Output, ...], totals: tuple[Output, ...], by: tuple[str, ...]
) -> Plan:
    question, checked = resolved.question, build.checked
    steps = tuple(build.steps.values())
    scans = tuple(scans_of(checked, build.components, steps, (*outputs, *totals)))
    relations = relations_of(checked, scans, build.components)
    return Plan(
        calendar=checked.catalog.calendar,
        components=build.components,
        samples=build.samples,
        scans=scans,
        steps=steps,
        outputs=outputs,
        by=by,
        range=Range(question.since, question.until, question.first_hour, question.last_hour),
        as_of=question.as_of,
        datasets={**checked.datasets, **relations.datasets},
        profiles=tuple(sorted(covering(checked.datasets, (d for one in outputs if one.step for d in one.datasets)))),
        scorecard=question.scorecard,
        totals=totals,
        compare=question.compare,
        groups=checked.groups,
        relations=relations.found,
        histories=histories_of(checked, build.components.values()),
        provided=provided(checked, build.components),
        open_in=open_in(checked, build.components, relations),
    )


def _lower_kpi(build: _Build, kpi: TypedKpi, outer: Conditions, over: Slice) -> Step:
    """Return the step of a KPI under outer conditions by event, making it and those it refers to where new."""
    versions = [(one.formula, _around(kpi, outer, dict(one.where))) for one in kpi.versions]
    cut = {event: over.cut[event] for event in sorted(kpi.events) if event in over.cut}
    over = replace(over, cut=cut)
    arounds = tuple(tuple(around.items()) for _, around in versions)
    key = (kpi.name, arounds, over, tuple(cut.items()))
    if key not in build.steps:
        parts = _Parts()
        formulas = tuple(_lower_formula(build, formula, around, over, parts) for formula, around in versions)
        starts = tuple(one.start for one in kpi.revisions)
        formula = nodes.Revised(formulas, starts, kpi.type) if starts else formulas[0]
        build.steps[key] = _step(build, kpi.name, formula, kpi.type, parts)
    return build.steps[key]


def _step(build: _Build, name: str, formula: nodes.Formula, type: Type, parts: _Parts) -> Step:
    """Return the next step, which reads some parts."""
    step = Step(
        id=f"s{len(build.steps)}",
        kpi=name,
        formula=formula,
        type=type,
        components=tuple(parts.components),
        presence=tuple(parts.presence),
        inner=tuple(parts.inner),
        reads=tuple(parts.reads),
        series=tuple(parts.series),
    )
    build.entities[step.id] = parts.entities
    return step


def _around(kpi: TypedKpi, outer: Conditions, own: Conditions) -> Conditions:
    return {event: join(outer.get(event, ()), own.get(event, ())) for event in sorted(kpi.events)}


@dataclass(slots=True)
class _Parts:
    """What a step reads: ordered sets of component ids."""

    components: dict[str, None] = field(default_factory=dict)
    presence: dict[str, None] = field(default_factory=dict)
    inner: dict[tuple[str, Grain | None], None] = field(default_factory=dict)
    entities: dict[str, None] = field(default_factory=dict)
    reads: dict[tuple[str, Path], None] = field(default_factory=dict)
    series: dict[nodes.Series, None] = field(default_factory=dict)

    def take(self, other: _Parts, presence: bool = True, shift: Path = ()) -> None:
        """Add what another formula reads, in the periods that a shift leads to."""
        self.components.update(other.components)
        self.inner.update(other.inner)
        self.presence.update(other.presence if presence else {})
        self.reads.update(dict.fromkeys((id, shift + path) for id, path in other.reads))
        self.series.update(dict.fromkeys(replace(one, path=shift + one.path) for one in other.series))


def _lower_formula(build: _Build, expr: Expr, around: Conditions, over: Slice, parts: _Parts) -> nodes.Formula:
    match expr:
        case Literal():
            return expr
        case Apply():
            args = tuple(_lower_formula(build, arg, around, over, parts) for arg in expr.args)
            return Apply(expr.function, args, expr.type)  # type: ignore[arg-type]
        case Aggregate():
            where = join(around[expr.event], over.cut.get(expr.event, ()))
            lineage = build.checked.scopes[expr.event].lineage
            begins = expr.event if lineage is None else lineage.begins or expr.event
            parts.presence[_rows(build, begins, where, over)] = None
            where = join(where, expr.where)
            if any(name.startswith("@") for name in over.keep):
                rows = _rows(build, expr.event, where, over, over.window)
                parts.entities[rows] = None
                parts.reads[rows, ()] = None
            return _lower_aggregate(build, expr, where, over, parts)
        case Reference():
            added = dict(expr.where)
            inner = {event: join(conditions, added.get(event, ())) for event, conditions in around.items()}
            for event, conditions in expr.where:
                inner.setdefault(event, conditions)
            step = _lower_kpi(build, build.checked.kpis[expr.kpi], inner, over)
            parts.components.update(dict.fromkeys(step.components))
            parts.presence.update(dict.fromkeys(step.presence))
            parts.inner.update(dict.fromkeys(step.inner))
            parts.reads.update(dict.fromkeys(step.reads))
            parts.series.update(dict.fromkeys(step.series))
            parts.entities.update(build.entities[step.id])
            return Result(step.id, step.type)
        case Across():
            return _lower_across(build, expr, around, over, parts)
        case Per():
            return _lower_per(build, expr, around, over, parts)
        case Windowed():
            return _lower_formula(build, expr.argument, around, replace(over, window=expr.window), parts)
        case Shifted():
            own = _Parts()
            argument = _lower_formula(build, expr.argument, around, over, own)
            parts.take(own, shift=(expr.shift,))
            return Earlier(argument, expr.shift, expr.type)
        case Field() | Column() | LookedUp() | InGroup():
            raise AssertionError(f"a row value outside an aggregate: {expr}")
        case _:
            assert_never(expr)


def _lower_across(build: _Build, expr: Across, around: Conditions, over: Slice, parts: _Parts) -> nodes.Formula:
    """Lower a total to the same formula over fewer dimensions, a rank to a place among segments.

    Neither a total nor what is left beside the top segments has a place, or a value of the field of a share.
    """
    own = _Parts()
    if expr.function == "rank":
        argument = _lower_formula(build, expr.argument, around, over, own)
        parts.take(own)
        return Rank(argument, expr.descending, tuple(own.presence), expr.type) if over.ranked else _none(expr)
    keep = tuple(name for name in over.keep if name in expr.within)
    inside = Slice(keep, ranked=False, asked=over.asked, window=over.window, view=over.view)
    formula = _lower_formula(build, expr.argument, around, inside, own)
    if len(keep) < len(expr.within):
        return _none(expr)
    parts.take(own, presence=False)
    for id in own.presence:
        component = build.components[id]
        if over.keep == keep or _tells_apart(build, component.event):
            where = join(component.where, over.cut.get(component.event, ()))
            there = viewed_by(build.checked, replace(component, where=where, keep=over.keep), over.view)
            parts.presence[_component(build, there)] = None
    return formula


def _lower_per(build: _Build, expr: Per, around: Conditions, over: Slice, parts: _Parts) -> nodes.Formula:
    """Lower to a fold over the same formula with the entity among the dimensions.

    Values of calendar periods are those that lie in the window around; else in the period asked for, which may cut
    some in two. Where they have windows or earlier periods of their own, they are those of a series.
    """
    if expr.grain is not None and has_times(expr, build.checked.kpis):
        return _lower_series(build, expr, around, over, parts)
    keys = tuple(f"@{name}" for name in expr.keys)
    days = EVER if expr.grain is None or over.window is not None else over.asked
    inside = replace(over, keep=(*over.keep, *keys), ranked=False, days=days)
    own, asked = _Parts(), _Parts()
    argument = _lower_formula(build, expr.argument, around, inside, own)
    condition = None if expr.condition is None else _lower_formula(build, expr.condition, around, inside, asked)
    inner = tuple(dict.fromkeys((*own.components, *asked.components, *own.entities)))
    parts.inner.update(((id, expr.grain), None) for id in inner)
    parts.reads.update(dict.fromkeys((*own.reads, *asked.reads)))
    for id in (*own.presence, *asked.presence):
        parts.presence[_component(build, replace(build.components[id], keep=over.keep, days=over.days))] = None
    return Fold(
        function=expr.function,
        argument=argument,
        condition=condition,
        keep=over.keep,
        keys=keys,
        entities=tuple(own.entities),
        inner=inner,
        type=expr.type,
        grain=expr.grain,
        share=expr.share,
        nearest=expr.nearest,
        window=None if expr.grain is None else over.window,
    )


def _lower_series(build: _Build, expr: Per, around: Conditions, over: Slice, parts: _Parts) -> nodes.Formula:
    """Lower to a fold over the values that the formula has when it is asked for in each calendar period itself."""
    assert expr.grain is not None
    inside = Slice(over.keep, over.cut, ranked=False, view=over.view)
    name = f"per {expr.grain}"
    argument = _lower_part(build, name, expr.argument, around, inside)
    condition = None if expr.condition is None else _lower_part(build, name, expr.condition, around, inside)
    steps = [argument] if condition is None else [argument, condition]
    parts.series.update((nodes.Series(step.id, expr.grain, over.window), None) for step in steps)
    for id in dict.fromkeys(id for step in steps for id in step.presence):
        rows = replace(build.components[id], keep=over.keep, days=over.days)
        parts.presence[_component(build, rows)] = None
        read = _component(build, replace(rows, window=over.window))
        parts.components[read] = None
        parts.reads[read, ()] = None
    return Fold(
        function=expr.function,
        argument=Result(argument.id, argument.type),
        condition=None if condition is None else Result(condition.id, condition.type),
        keep=over.keep,
        keys=(),
        entities=(),
        inner=tuple(dict.fromkeys(id for step in steps for id in (*step.components, *step.inside))),
        type=expr.type,
        grain=expr.grain,
        share=expr.share,
        nearest=expr.nearest,
        window=over.window,
        series=True,
    )


def _lower_part(build: _Build, name: str, formula: Expr, around: Conditions, over: Slice) -> Step:
    """Return the step of a part of a formula, which is asked for by itself."""
    key = (name, formula, tuple(around.items()), over, tuple(over.cut.items()))
    if key not in build.steps:
        parts = _Parts()
        lowered = _lower_formula(build, formula, around, over, parts)
        build.steps[key] = _step(build, name, lowered, formula.type, parts)
    return build.steps[key]


def _none(expr: Across) -> Literal:
    return Literal(None, expr.type)


def _tells_apart(build: _Build, event: str) -> bool:
    """Say whether the rows of an event have the question's dimensions, so that its segments are segments of a total."""
    scope = build.checked.scopes[event]
    return all(
        has_field(scope, name) and broken_field(scope, name) is None and _alike(field_type(scope, name), type)
        for name, type in build.dimensions.items()
    )


def _alike(one: Type, other: Type) -> bool:
    return (one.kind, one.whole) == (other.kind, other.whole)


def _lower_aggregate(
    build: _Build, expr: Aggregate, where: tuple[Expr, ...], over: Slice, parts: _Parts
) -> nodes.Formula:
    counted = any(binding.count is not None for binding in build.checked.events[expr.event])
    size = "weight" if counted else "rows"

    def value(aggregate: str, argument: Expr | None, conditions: tuple[Expr, ...] = where) -> Value:
        type = WHOLE if argument is None else argument.type
        apart = (over.keep, over.days, over.window)
        component = Component(expr.event, conditions, aggregate, argument, type, None, False, *apart)
        id = _component(build, viewed_by(build.checked, component, over.view))
        parts.components[id] = None
        parts.reads[id, ()] = None
        return Value(id, component.type)

    def whole(aggregate: str, share: Decimal | None = None) -> Value:
        kind = WHOLE if expr.argument is None else expr.argument.type
        options = (share, expr.nearest, over.keep, over.days, over.window)
        component = Component(expr.event, where, aggregate, expr.argument, kind, *options)
        id = _component(build, viewed_by(build.checked, component, over.view))
        parts.components[id] = None
        parts.reads[id, ()] = None
        build.samples[id] = value("present", expr.argument).id
        return Value(id, kind)

    def sampled(aggregate: str) -> Value:
        found = value(aggregate, expr.argument)
        build.samples[found.id] = value(size, None).id
        return found

    match expr.function:
        case "count":
            return value(size, None)
        case "distinct" | "approx_distinct":
            return value(expr.function, expr.argument)
        case "quantile":
            return whole("quantile", expr.share)
        case "median":
            return whole("quantile", Decimal("0.5"))
        case "stddev" | "first" | "last":
            return whole(expr.function)
        case "sum" | "min" | "max":
            return sampled(expr.function)
        case "avg":
            assert expr.argument is not None
            total = sampled("sum")
            if counted:
                known = Apply("is not null", (expr.argument,), BOOLEAN)
                present = value("weight", None, join(where, (known,)))
            else:
                present = value("present", expr.argument)
            return Apply("mean", (total, present), expr.type)  # type: ignore[arg-type]
        case _:
            raise AssertionError(f"an aggregate that check lets through but lowering does not know: {expr.function}")


def _rows(build: _Build, event: str, where: tuple[Expr, ...], over: Slice, window: Window | None = None) -> str:
    component = Component(event, where, "rows", None, WHOLE, None, False, over.keep, over.days, window)
    return _component(build, viewed_by(build.checked, component, over.view))


def _component(build: _Build, component: Component) -> str:
    if component not in build.ids:
        build.ids[component] = f"c{len(build.ids)}"
        build.components[build.ids[component]] = component
    return build.ids[component]
