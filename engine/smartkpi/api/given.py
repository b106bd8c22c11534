"""The data of a test: given events become datasets in memory, covered from well before their first row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import polars as pl

from smartkpi.diagnostics import Diagnostic, KpiError
from smartkpi.language.functions import FUNCTIONS
from smartkpi.language.types import BARE, PLAIN, UNKNOWN, Kind, Type, Unit
from smartkpi.language.units import Mismatch
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.text import parse_key, parse_moment
from smartkpi.semantics.check import Checked, derived_given
from smartkpi.semantics.formula import Aggregate, Apply, Expr, Field, TypedKpi, Version
from smartkpi.semantics.scope import DELAYS, field_type, is_path
from smartkpi.source import Span
from smartkpi.spec.case import Case
from smartkpi.spec.model import Binding, Catalog, Column, Covers, Dataset, FieldDef
from smartkpi.tree import rewrite, walk

TIME, COUNT = "time", "count"
LONG = 101
"""So many years before what a test speaks of its events are covered: no window or shift reaches further back."""
NUMERIC = frozenset(("sum", "avg", "min", "max"))
DTYPES: Mapping[Kind, pl.DataType] = {
    Kind.NUMBER: pl.Float64(),
    Kind.TEXT: pl.String(),
    Kind.BOOLEAN: pl.Boolean(),
    Kind.TIME: pl.Datetime("us", "UTC"),
    Kind.DATE: pl.Date(),
}


def given_catalog(checked: Checked, case: Case, kpis: Iterable[str]) -> tuple[Catalog, dict[str, pl.DataFrame]]:
    """Return a catalog whose events are those given by a test, and the tables of its datasets by name.

    An event that the KPIs read but that is not given is there, without rows. Raises KpiError for rows that cannot be
    read.
    """
    catalog = checked.catalog
    calendar = catalog.calendar
    names = list(dict.fromkeys(kpis))
    reading = list(names)
    for name in reading:  # grows as KPIs are found that stand on others
        reading += [other for other in sorted(checked.kpis[name].kpis) if other not in reading]
    typed = [checked.kpis[name] for name in reading]
    given = {one.event: one for one in case.given}
    _refuse_unknown(checked, case)
    events = dict.fromkeys((*given, *(one for kpi in typed for e in sorted(kpi.events) for one in made_of(checked, e))))
    frames = {}
    datasets = {}
    covers = _covers(calendar, case)
    for event in events:
        rows = given[event].rows if event in given else ()
        spans = given[event].spans if event in given else ()
        types = _field_types(checked, typed, event, referenced=event not in given)
        frames[event] = _frame(calendar, rows, spans or (case.span,), types)
        written = _as_bound(_dataset(event, frames[event].columns, types, covers, case.span), checked, event)
        datasets[event] = replace(written, time=None, covers=None) if _is_timeless(checked, case, event) else written
    kept = {name: catalog.kpis[name] for name in reading}
    contracts = {name: replace(one, prefer=None) for name, one in catalog.contracts.items()}
    return replace(catalog, datasets=datasets, contracts=contracts, kpis=kept, cases=(), broken={}), frames


def _as_bound(dataset: Dataset, checked: Checked, event: str) -> Dataset:
    """Return a dataset whose rows stand for what they do where the event is bound, and add up over no more."""
    scope = checked.scopes.get(event)
    said = scope.additive if scope is not None else {}
    fields = {name: replace(one, additive=said.get(name)) for name, one in dataset.fields.items()}
    bound = replace(dataset.events[event], additive=said.get(""))
    providers = (checked.datasets[binding.dataset].spec for binding in checked.events.get(event, ()))
    every = next((spec.every for spec in providers if spec.every is not None), None)
    return replace(dataset, fields=fields, events={event: bound}, every=every)


def _is_timeless(checked: Checked, case: Case, event: str) -> bool:
    """Return whether an event is given without times: its rows have none where it is bound, or in the whole test."""
    rows = [row for one in case.given for row in one.rows if one.event == event]
    if any(row.get(TIME) is not None for row in rows):
        return False
    if providers := checked.events.get(event, ()):
        return all(binding.time is None for binding in providers)
    every = [row for one in case.given for row in one.rows]
    return bool(every) and all(TIME not in row for row in every) and case.as_of is None


def made_of(checked: Checked, event: str) -> tuple[str, ...]:
    """Return the events that datasets are to provide for one: itself, or those that it is derived from."""
    lineage = checked.scopes[event].lineage
    return (event,) if lineage is None else lineage.events


def _refuse_unknown(checked: Checked, case: Case) -> None:
    for given in case.given:
        span = given.spans[0] if given.spans else case.span
        if given.event in checked.catalog.derived and given.event in checked.scopes:
            message, hint = derived_given(given.event, checked.scopes[given.event])
            raise KpiError(Diagnostic("derived-given", message, span, hint))
        if given.event not in checked.events:
            known = ", ".join(name for name in checked.events if name.isidentifier()) or "none"
            message = f"the test gives rows of `{given.event}`, but no event has that name"
            raise KpiError(Diagnostic("unknown-event", message, span, hint=f"events: {known}"))


def _covers(calendar: Calendar, case: Case) -> Covers | None:
    """Return coverage from long before the first day that a test speaks of to after its last.

    The as-of cuts the end; that one is stated keeps silent events from being taken for stale ones.
    """
    days = [_day(calendar, moment) for moment in _moments(calendar, case)]
    if not days:
        return None
    first, last = min(days), max(days)
    start = date(max(first.year - LONG, 1), 1, 1)
    return Covers(start, date.fromordinal(min(last.toordinal() + 366, date.max.toordinal() - 366)))


def _moments(calendar: Calendar, case: Case) -> Iterable[date | datetime]:
    for given in case.given:
        for row in given.rows:
            if isinstance(row.get(TIME), str):
                try:
                    yield parse_moment(calendar, row[TIME])
                except KpiError:
                    continue  # said where the column is read
    for expect in case.expect:
        if expect.period is not None:
            key = parse_key(calendar, expect.period)[1]
            if key is not None:
                yield key
    if case.as_of is not None:
        yield case.as_of


def _day(calendar: Calendar, moment: date | datetime) -> date:
    if not isinstance(moment, datetime):
        return moment
    return moment.date() if moment.tzinfo is None else calendar.local_day(moment)


def _dataset(
    event: str, columns: Sequence[str], types: Mapping[str, Type], covers: Covers | None, span: Span
) -> Dataset:
    fields = {name: _field(name, types.get(name, UNKNOWN), span) for name in columns if name not in (TIME, COUNT)}
    count = Column(COUNT, span) if COUNT in columns else None
    return Dataset(
        name=event,
        read=None,
        time=Column(TIME, span),
        timezone=None,
        key=(),
        fields=fields,
        events={event: Binding(event, None, None, count, span)},
        covers=covers,
        gaps="zero",
        span=span,
    )


def _field(name: str, known: Type, span: Span) -> FieldDef:
    unit: Unit | None = known.unit if known.kind is Kind.NUMBER and known.unit not in (PLAIN, BARE) else None
    return FieldDef(name, Column(name, span), unit, span)


def _field_types(checked: Checked, kpis: Sequence[TypedKpi], event: str, *, referenced: bool) -> dict[str, Type]:
    """Return the fields of an event that are known before any row is seen: declared, and (if asked) read by KPIs."""
    found: dict[str, Type] = {}
    contract = checked.catalog.contracts.get(event)
    used = _used(checked, kpis, event)
    for binding in checked.events.get(event, ()):
        dataset = checked.datasets[binding.dataset]
        found |= {name: expr.type for name, expr in dataset.fields.items()}
        scope = checked.scopes[event]
        found |= {name: field_type(scope, name) for name in used if is_path(name, scope.lookups)}
    for name, field in (contract.fields if contract else {}).items():
        known = found.get(name, used.get(name, UNKNOWN))
        found[name] = Type(Kind.NUMBER, field.unit) if field.unit is not None else known
    for name, use in used.items():
        if (referenced or name in found) and found.get(name, UNKNOWN).kind is Kind.UNKNOWN:
            found[name] = use
    return {name: known for name, known in found.items() if name not in (TIME, COUNT, "dataset")}


def _used(checked: Checked, kpis: Sequence[TypedKpi], event: str) -> dict[str, Type]:
    """Return the fields of an event that KPIs read, with the type that their use tells."""
    found: dict[str, Type] = {}
    for expr, wanted in _row_expressions(checked, kpis, event):
        if isinstance(expr, Field):
            _note(found, expr, wanted)
        for node in walk(expr):
            if isinstance(node, Apply):
                for place, arg in enumerate(node.args):
                    if isinstance(arg, Field):
                        _note(found, arg, _kind_taken(node, place))
    return found


def _row_expressions(checked: Checked, kpis: Sequence[TypedKpi], event: str) -> Iterable[tuple[Expr, Kind]]:
    """Yield the row expressions over an event, and the kind that each must be of where that is known."""
    for kpi in kpis:
        for version in kpi.versions:
            yield from _of_version(version, event)
            for name, expr, kind in _over_derived(checked, kpi, version):
                yield from _of_base(checked, name, expr, kind, event)


def _over_derived(checked: Checked, kpi: TypedKpi, version: Version) -> Iterable[tuple[str, Expr, Kind]]:
    """Yield the row expressions over derived events, those of their own steps too."""
    stack = [event for event in sorted(kpi.events) if checked.scopes[event].lineage is not None]
    for event in stack:
        yield from ((event, expr, kind) for expr, kind in _of_version(version, event))
    seen: set[str] = set()
    while stack:
        event = stack.pop()
        if event in seen or checked.scopes[event].lineage is None:
            continue
        seen.add(event)
        for binding in checked.events[event]:
            yield from ((event, condition, Kind.BOOLEAN) for condition in binding.where)
            derivation = checked.datasets[binding.dataset].derivation
            if derivation is None:
                continue
            for operand in derivation.operands:
                yield from ((operand.event, Field(key, UNKNOWN), Kind.UNKNOWN) for key in derivation.by)
                stack.append(operand.event)


def _of_base(checked: Checked, name: str, expr: Expr, kind: Kind, event: str) -> Iterable[tuple[Expr, Kind]]:
    """Yield an expression over a derived event as one over the event that its fields are of."""
    fields = {node.name for node in walk(expr) if isinstance(node, Field)}
    moved = {field: found for field in fields if (found := _origin(checked, name, field, event)) is not None}
    if moved:
        yield rewrite(expr, lambda node: _renamed(node, moved)), kind


def _renamed(node: Expr, names: Mapping[str, str]) -> Expr:
    return replace(node, name=names.get(node.name, node.name)) if isinstance(node, Field) else node


def _origin(checked: Checked, name: str, field: str, event: str) -> str | None:
    """Return the name that a field of a derived event has in the event that it is of, if it is of that one."""
    while checked.scopes[name].lineage is not None:
        bindings = checked.events[name]
        derivation = checked.datasets[bindings[0].dataset].derivation if bindings else None
        if derivation is None:
            name = checked.scopes[name].lineage.root  # type: ignore[union-attr]
            continue
        step, dot, rest = field.partition(".")
        if field in DELAYS or (rest in DELAYS and not derivation.repeat):
            return None
        other = next((one for one in derivation.operands if dot and one.name == step), None)
        name, field = (derivation.operands[0].event, field) if other is None else (other.event, rest)
    return field if name == event else None


def _of_version(kpi: Version, event: str) -> Iterable[tuple[Expr, Kind]]:
    yield from ((condition, Kind.BOOLEAN) for name, where in kpi.where if name == event for condition in where)
    for node in walk(kpi.formula):
        if isinstance(node, Aggregate) and node.event == event:
            yield from ((condition, Kind.BOOLEAN) for condition in node.where)
            if node.argument is not None:
                yield node.argument, Kind.NUMBER if node.function in NUMERIC else Kind.UNKNOWN


def _note(found: dict[str, Type], field: Field, kind: Kind) -> None:
    known = found.get(field.name, field.type)
    found[field.name] = Type(kind) if known.kind is Kind.UNKNOWN and kind is not Kind.UNKNOWN else known


def _kind_taken(node: Apply, place: int) -> Kind:
    """Return the kind that a function takes as an argument beside its others; UNKNOWN where texts would do as well."""
    infer = FUNCTIONS[node.function].infer
    types = [arg.type for arg in node.args]
    taken = []
    for kind in DTYPES:
        types[place] = Type(kind, BARE)
        if not isinstance(infer(tuple(types)), Mismatch):
            taken.append(kind)
    return taken[0] if taken and (len(taken) == 1 or Kind.TEXT not in taken) else Kind.UNKNOWN


def _frame(
    calendar: Calendar, rows: Sequence[Mapping[str, Any]], spans: Sequence[Span], types: Mapping[str, Type]
) -> pl.DataFrame:
    names = dict.fromkeys((TIME, *(name for row in rows for name in row), *types))
    columns = []
    for name in names:
        values = [row.get(name) for row in rows]
        if name == TIME:
            columns.append(pl.Series(name, *_times(calendar, values, spans), strict=False))
        else:
            values, dtype = _column(calendar, values, types.get(name, UNKNOWN).kind)
            columns.append(pl.Series(name, values, dtype))
    return pl.DataFrame(columns)


def _times(calendar: Calendar, values: list[Any], spans: Sequence[Span]) -> tuple[list[Any], pl.DataType]:
    """Return the times of rows: dates if all are, else instants."""
    moments: list[date | datetime | None] = []
    for index, value in enumerate(values):
        try:
            moments.append(parse_moment(calendar, value) if isinstance(value, str) else value)
        except KpiError as error:
            first = error.diagnostics[0]
            raise KpiError(replace(first, span=spans[min(index, len(spans) - 1)])) from error
    return _moments_column(calendar, moments)


def _moments_column(calendar: Calendar, moments: Sequence[date | datetime | None]) -> tuple[list[Any], pl.DataType]:
    if not any(isinstance(moment, datetime) for moment in moments):
        return list(moments), pl.Date()
    return [_instant(calendar, moment) for moment in moments], pl.Datetime("us", "UTC")


def _instant(calendar: Calendar, moment: date | datetime | None) -> datetime | None:
    if moment is None or isinstance(moment, datetime):
        return moment
    return calendar.midnight(moment)


def _column(calendar: Calendar, values: list[Any], kind: Kind) -> tuple[list[Any], pl.DataType]:
    """Return the values of a column and their type: as declared where they fit, else as they look."""
    present = [value for value in values if value is not None]
    if not present:
        return values, DTYPES.get(kind, pl.String())
    if all(isinstance(value, bool) for value in present):
        return values, pl.Boolean()
    if all(isinstance(value, int) and not isinstance(value, bool) for value in present):
        small = all(-(2**63) <= value < 2**63 for value in present)
        return (values, pl.Int64()) if small else ([_float(value) for value in values], pl.Float64())
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in present):
        return [_float(value) for value in values], pl.Float64()
    if kind is not Kind.TEXT and all(isinstance(value, str | date) for value in present):
        try:
            moments = [parse_moment(calendar, value) if isinstance(value, str) else value for value in values]
        except KpiError:
            pass
        else:
            return _moments_column(calendar, moments)
    return [None if value is None else _text(value) for value in values], pl.String()


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
