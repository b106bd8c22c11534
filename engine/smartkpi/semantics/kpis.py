"""KPIs: a formula with its conditions, unit, bands and segments, all held against each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from smartkpi.diagnostics import Note
from smartkpi.language.types import BARE, PLAIN, UNKNOWN, Kind, Type, Unit
from smartkpi.language.units import describe, of_unit
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.periods.windows import Shift, Window
from smartkpi.semantics.bands import Judged, check_bands, direction
from smartkpi.semantics.datasets import united
from smartkpi.semantics.dimensions import check_dimensions
from smartkpi.semantics.findings import Findings
from smartkpi.semantics.formula import (
    Across,
    Aggregate,
    Apply,
    Expr,
    Field,
    Judging,
    Literal,
    Per,
    Reference,
    Shifted,
    TypedKpi,
    Version,
    Windowed,
)
from smartkpi.semantics.formulas import Conditions, conditions, type_formula
from smartkpi.semantics.judging import check_proportion, judge
from smartkpi.semantics.literals import FAILED
from smartkpi.semantics.revisions import InForce, in_force
from smartkpi.semantics.scope import (
    EventScope,
    Namespace,
)
from smartkpi.semantics.timed import check_times, runs_in, shifts_in, window_of, windows_in
from smartkpi.spec.model import Kpi
from smartkpi.tree import children, walk

DEEPEST = 100
"""How many KPIs may stand on each other in a row: each is a stage of its own when values are computed."""


@dataclass(frozen=True, slots=True)
class _Reads:
    """What a formula reads, directly and through other KPIs; ``kpis`` are those it names itself."""

    events: tuple[str, ...]
    kpis: frozenset[str]
    segmented: frozenset[str]
    within: frozenset[str]
    ranked: bool
    folded: bool
    periods: frozenset[Grain]
    depth: int


def check_kpi(spec: Kpi, space: Namespace, findings: Findings) -> TypedKpi | None:
    """Return a KPI with its formula typed, or None where an error leaves it out."""
    written = in_force(spec, space)
    formulas = [_type_version(one, findings) for one in written if not one.void]
    reads = _reads(formulas, space)
    _check_reads(spec, reads, formulas, findings)
    type = _check_types(spec, [one for one in written if not one.void], formulas, findings)
    judged = Judged(spec, type)
    scopes = [space.events[event] for event in reads.events]
    segmented = [space.events[event] for event in sorted(reads.segmented)]
    versions = _versions(written, formulas, judged, reads, segmented, findings)
    check_dimensions(spec.by, segmented, spec.span, findings)
    _check_grain(spec, scopes, reads, space.calendar, findings)
    daily, once = _check_additive(spec, formulas, space, findings)
    grain = _own_grain(spec, scopes, reads, space.calendar)
    windows = frozenset[tuple[Window, str]]().union(*(windows_in(formula, space) for formula in formulas))
    shifts = frozenset[Shift]().union(*(shifts_in(formula, space) for formula in formulas))
    runs = frozenset[tuple[Window, Grain]]().union(*(runs_in(formula, space) for formula in formulas))
    check_times(spec, grain, windows, runs, shifts, space, findings)
    ratio = all(_is_ratio(formula, space) for formula in formulas)
    if not findings.failed:
        check_proportion(spec, versions, space, findings)
    if findings.failed:
        return None
    _note_grains(spec, formulas, grain, space, findings)
    if daily and grain.rank > once.rank:
        message = f"`{spec.name}` has no value by {grain}: it adds {daily[0]}, not to be added over time"
        findings.note("unavailable", message, spec.span, (Note(f"add `grain: {once}` to show it each {once}"),))
    first = versions[0]
    return TypedKpi(
        name=spec.name,
        spec=spec,
        formula=first.formula,
        where=first.where,
        type=type,
        ratio=ratio,
        direction=spec.direction
        or next((found for one in versions if (found := direction(one.bands, judged.conditions))), "none"),
        thresholds=spec.thresholds,
        bands=first.bands,
        events=reads.events,
        kpis=reads.kpis,
        datasets=frozenset(dataset for scope in scopes for dataset in scope.reads),
        missing=_missing(scopes),
        segmented=reads.segmented,
        within=reads.within,
        ranked=reads.ranked,
        folded=reads.folded,
        grain=grain.value,
        depth=reads.depth,
        daily=daily,
        once=once,
        periods=reads.periods,
        revisions=versions[1:],
        dated=len(versions) > 1 or any(space.kpis[name].dated for name in reads.kpis),
        windows=windows,
        shifts=shifts,
        judging=Judging(tuple(judged.conditions), tuple(judged.scopes)),
        ruled=first.ruled,
    )


def _check_reads(spec: Kpi, reads: _Reads, formulas: list[Expr], findings: Findings) -> None:
    """Refuse a KPI that reads nothing, or stands on too many others."""
    kinds = {formula.type.kind for formula in formulas}
    if not reads.events and not findings.failed and kinds <= {Kind.NUMBER, Kind.NULL}:
        hint = "a fixed number is a constant: write it under `constants`"
        findings.error("no-events", f"`{spec.name}` reads no event", spec.formula.expr.span, hint)
    if reads.depth > DEEPEST:
        message = f"`{spec.name}` stands on more than {DEEPEST} KPIs in a row"
        findings.error("formula-too-deep", message, spec.span, "spell some of them out")


def _missing(scopes: Iterable[EventScope]) -> tuple[str, ...]:
    """Return the events that no dataset provides."""
    absent = (
        (scope.event,) if scope.lineage is None else scope.lineage.absent for scope in scopes if not scope.dataset
    )
    return tuple(dict.fromkeys(name for names in absent for name in names))


def _type_version(one: InForce, findings: Findings) -> Expr:
    """Return the formula of a version, over the window that the KPI states."""
    formula = type_formula(one.spec.formula.expr, _stating(one), findings)
    if one.spec.window is None or formula is FAILED:
        return formula
    return window_of(one.spec, one.spec.window, formula, one.space, findings)


def _stating(one: InForce) -> Namespace:
    return replace(one.space, direction=one.spec.direction or "")


def _check_types(spec: Kpi, written: list[InForce], formulas: list[Expr], findings: Findings) -> Type:
    """Return the type of a KPI's value, the same in all versions; UNKNOWN while the data of one is not at hand."""
    types = [_check_type(one.spec, formula.type, findings) for one, formula in zip(written, formulas, strict=True)]
    for one, type in zip(written[1:], types[1:], strict=True):
        units = types[0].unit, type.unit
        if Kind.UNKNOWN in (types[0].kind, type.kind) or findings.failed or units[0] == units[1]:
            continue
        message = f"from {one.start} on `{spec.name}` is {describe(type)}, {describe(types[0])} before"
        hint = "a series has one unit: give what is measured now a name of its own"
        findings.error("unit-mismatch", message, one.spec.formula.expr.span, hint)
    unknown = next((type for type in types if type.kind is Kind.UNKNOWN), None)
    return unknown or replace(types[0], whole=all(type.whole for type in types))


def _versions(
    written: list[InForce],
    formulas: list[Expr],
    judged: Judged,
    reads: _Reads,
    segmented: list[EventScope],
    findings: Findings,
) -> tuple[Version, ...]:
    """Return a KPI's versions, those that change nothing left out."""
    versions: list[Version] = []
    typed = iter(formulas)
    for one in written:
        formula = Literal(None, judged.type) if one.void else next(typed)
        where: Conditions = ()
        if one.spec.where is not None and not one.void:
            events = [event for event in reads.events if event in one.space.events]  # other versions may derive others
            where = conditions((one.spec.where.expr,), events, one.space, findings)
        bands = check_bands(one.spec, judged, one.space, findings)
        ruled = judge(one.spec, bands, judged, segmented, one.space, findings)
        version = Version(one.start, formula, where, bands, ruled)
        if not versions or replace(version, start=versions[-1].start) != versions[-1]:
            versions.append(version)
    return tuple(versions)


def _own_grain(spec: Kpi, scopes: Iterable[EventScope], reads: _Reads, calendar: Calendar) -> Grain:
    """Return the grain of a KPI unless asked otherwise: a month (with a window a day), or what its periods make up."""
    if spec.grain is not None:
        return Grain(spec.grain)
    if any(scope.timeless for scope in scopes):
        return Grain.ALL
    periods = {period for scope in scopes for period in scope.periods} | reads.periods
    days = () if spec.window is None else (Grain.DAY,)
    own = (period for period in sorted(periods) if period.is_custom)
    usual = (*days, Grain.MONTH, Grain.WEEK, Grain.QUARTER, Grain.YEAR, *own)
    return next((grain for grain in usual if all(calendar.is_made_of(grain, one) for one in periods)), Grain.ALL)


def _note_grains(spec: Kpi, formulas: Iterable[Expr], grain: Grain, space: Namespace, findings: Findings) -> None:
    """Say that versions of a KPI have values of different periods, so that it has one for what holds all of these."""
    if spec.grain is not None:
        return
    versions = [_reads([formula], space) for formula in formulas]
    each = [(space.events[event] for event in sorted(one.events)) for one in versions]
    usual = [_own_grain(spec, scopes, one, space.calendar) for scopes, one in zip(each, versions, strict=True)]
    if not (others := [one for one in usual if one is not grain]):
        return
    periods = sorted({period for one in versions for period in one.periods}, key=_rank)
    per = " and ".join(f"per {period}" for period in periods)
    message = f"`{spec.name}` is by {grain} at all times: its versions have values {per}"
    note = f"one of them alone would be by {others[0]}; `grain: {grain}` says that this is meant"
    findings.note("coarse-per", message, spec.span, (Note(note),))


def _check_additive(
    spec: Kpi, formulas: Iterable[Expr], space: Namespace, findings: Findings
) -> tuple[tuple[str, ...], Grain]:
    """Refuse sums of what may not be added; return what must not be added over time, and the grain up to which not."""
    daily: dict[str, None] = {}
    once = Grain.ALL
    over = {id(n) for formula in formulas for w in walk(formula) if isinstance(w, Windowed) for n in walk(w.argument)}
    for node, span in (found for formula in formulas for found in _by_span(formula)):
        if isinstance(node, Reference) and (other := space.kpis[node.kpi]).daily and _adds(span, other.once):
            if id(node) in over:
                _refuse_adding(other.daily[0], spec, findings)
            daily.update(dict.fromkeys(other.daily))
            once = min(once, other.once, key=_rank)
        if not isinstance(node, Aggregate) or node.event not in space.events:
            continue
        scope = space.events[node.event]
        single = min(scope.periods or (Grain.DAY,), key=_rank)
        weighed = node.function == "count" or (node.function == "avg" and scope.counted)
        added = [""] if weighed else []
        if node.argument is not None and (node.function == "sum" or scope.counted):
            added += [part.name for part in walk(node.argument) if isinstance(part, Field)]
        for name in added:
            how = scope.additive.get(name, "yes")
            what = f"`{node.event}.{name}`" if name else f"the counts of `{node.event}`"
            if how == "no":
                hint = "take `avg`, `min` or `max` of it instead" if name else "make it a field, and take its `avg`"
                findings.error("not-additive", f"{what} must not be added (`additive: no`)", node.span, hint)
            elif how != "yes" and not scope.timeless and _adds(span, single):
                daily[what] = None
                once = min(once, single, key=_rank)
                if id(node) in over:
                    _refuse_adding(what, spec, findings)
    return tuple(daily), once


def _rank(grain: Grain) -> int:
    return grain.rank


def _adds(span: Grain | None, once: Grain) -> bool:
    """Return whether values of some span add what must not be added over more than some period."""
    return span is None or span.rank > once.rank


def _by_span(formula: Expr) -> Iterator[tuple[Any, Grain | None]]:
    """Yield each node of a formula with the calendar period that its values are of, if it is not added up over them."""
    stack: list[tuple[Any, Grain | None]] = [(formula, None)]
    while stack:
        node, span = stack.pop()
        yield node, span
        if isinstance(node, Per):
            span = node.grain if node.function != "sum" else None
        stack.extend((child, span) for child in reversed(list(children(node))))


def _refuse_adding(what: str, spec: Kpi, findings: Findings) -> None:
    message = f"a window adds over time, and {what} must not be"
    hint = "take the window of something that may be added, or `previous(…)` of each day"
    findings.error("not-additive", message, spec.formula.expr.span, hint)


def _reads(formulas: Iterable[Expr], space: Namespace) -> _Reads:
    events: dict[str, None] = {}  # as they are written
    kpis: set[str] = set()
    apart: set[str] = set()
    within: set[str] = set()
    periods: set[Grain] = set()
    ranked = folded = False
    depth = 0
    stack = [(formula, False) for formula in formulas][::-1]
    while stack:
        expr, whole = stack.pop()
        match expr:
            case Aggregate(event=event):
                events[event] = None
                apart |= set() if whole else {event}
            case Reference(kpi=name):
                read = space.kpis[name]
                events |= dict.fromkeys(read.events)
                kpis.add(name)
                depth = max(depth, read.depth + 1)
                apart |= set() if whole else read.segmented
                within |= read.within
                ranked = ranked or read.ranked
                folded = folded or read.folded
                periods |= read.periods
            case Per():
                folded = True
                periods |= set() if expr.grain is None else {expr.grain}
                stack += [(one, whole) for one in (expr.condition, expr.argument) if one is not None]
            case Across():
                folded = True
                within.update(expr.within)
                ranked = ranked or expr.function == "rank"
                stack.append((expr.argument, whole or expr.function == "total"))
            case Windowed() | Shifted():
                stack.append((expr.argument, whole))
            case Apply(args=args):
                stack.extend((arg, whole) for arg in reversed(args))
            case _:
                pass
    return _Reads(
        events=tuple(events),
        kpis=frozenset(kpis),
        segmented=frozenset(apart or events),
        within=frozenset(within),
        ranked=ranked,
        folded=folded,
        periods=frozenset(periods),
        depth=depth,
    )


def _check_type(spec: Kpi, found: Type, findings: Findings) -> Type:
    """Return the type of a KPI's value: a number, in the unit that is written or follows from the formula.

    It is unknown while the data is not at hand that would tell the unit.
    """
    span = spec.formula.expr.span
    if found.kind is Kind.UNKNOWN:
        return UNKNOWN if spec.unit is None else Type(Kind.NUMBER, spec.unit)
    if found.kind is not Kind.NUMBER:
        hint = {
            Kind.BOOLEAN: "write `if(…, 1, 0)` around it",
            Kind.TEXT: "a text can be part of a condition only",
        }.get(found.kind, "")
        findings.error("not-a-number", f"a KPI is a number, this is {describe(found)}", span, hint)
        return Type(Kind.NUMBER, spec.unit or PLAIN)
    type = replace(found, unit=PLAIN) if found.unit == BARE else found
    if spec.unit is not None and not (found.unit == BARE and spec.unit == PLAIN):
        type = _stated(spec, spec.unit, found, type, findings)
    if spec.format == "percent" and type.unit.name != PLAIN.name:
        findings.warn("format-mismatch", f"`format: percent` would show {describe(type)} as a share", span,
                      "leave `format` out")  # fmt: skip
    return type


def _stated(spec: Kpi, unit: Unit, found: Type, type: Type, findings: Findings) -> Type:
    """Return the type with the unit that the KPI states, which its formula must have."""
    same = unit.name == type.unit.name and (unit.currency in (None, type.unit.currency) or type.unit.currency is None)
    if not same and found.unit != BARE:
        hint = "leave `unit` out" if type.unit != PLAIN else (
            f"give the fields it is made of their unit in the dataset: `{{unit: {unit.name}}}`"
        )  # fmt: skip
        message = f"`{spec.name}` is stated as {describe(of_unit(unit))}, its formula gives {describe(type)}"
        findings.error("unit-mismatch", message, spec.formula.expr.span, hint)
        return type
    stated = united(replace(type, unit=PLAIN), unit if unit.currency or not same else type.unit)
    return type if isinstance(stated, str) else stated


def _is_ratio(formula: Expr, space: Namespace) -> bool:
    if isinstance(formula, Reference):
        return space.kpis[formula.kpi].ratio
    if isinstance(formula, Windowed):
        return _is_ratio(formula.argument, space)
    return isinstance(formula, Apply) and formula.function == "/"


def _check_grain(
    spec: Kpi, scopes: Iterable[EventScope], reads: _Reads, calendar: Calendar, findings: Findings
) -> None:
    """Refuse a grain that a KPI states and its rows, or the periods that it runs over, have not."""
    if spec.grain is None:
        return
    for period in sorted(reads.periods):
        if not calendar.is_made_of(Grain(spec.grain), period):
            message = f"`{spec.name}` has a value per {period.value}, which is no part of its grain, {spec.grain}"
            holding = [f"`{grain.value}`" for grain in calendar.grains if calendar.is_made_of(grain, period)]
            usual = _own_grain(replace(spec, grain=None), scopes, reads, calendar)
            hint = f"write `grain: {usual}`; a {period.value} lies within {', '.join(holding)}"
            findings.error("coarse-per", message, spec.span, hint)
    for scope in scopes:
        if spec.grain == "hour" and scope.dated:
            message = f"`{scope.event}` is dated by day: it has no hours"
            findings.error("no-hours", message, spec.span, "write `grain: day`")
            continue
        for period in scope.periods:
            if not calendar.is_made_of(Grain(spec.grain), period):
                said = f"a row of `{scope.event}` stands for {period.one}"
                message = f"`{spec.name}` is asked by {spec.grain}, but {said}"
                findings.error("finer-grain", message, spec.span, _coarser(period))


def _coarser(period: Grain) -> str:
    if period is Grain.DAY:
        return "write `grain: day`; or say `every: hour` at the dataset, if a row stands for an hour"
    return f"write `grain: {period}`" + ("" if period is Grain.WEEK else ", or a coarser one")
