"""Datasets: their fields, times and events as expressions over columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from smartkpi.diagnostics import Diagnostic, Note
from smartkpi.language import syntax
from smartkpi.language.types import BARE as BARE_UNIT
from smartkpi.language.types import BOOLEAN, DATE, PLAIN, TEXT, TIME, Kind, Type, Unit
from smartkpi.language.units import describe, of_unit
from smartkpi.periods.calendar import Calendar
from smartkpi.semantics.covering import check_covering
from smartkpi.semantics.findings import SHOWN, Findings, circle
from smartkpi.semantics.formula import Apply, Column, Expr, Literal, TypedBinding, TypedDataset, TypedLookup
from smartkpi.semantics.graph import in_order
from smartkpi.semantics.literals import FAILED, Constants
from smartkpi.semantics.lookups import Others, order_lookups, reach, refuse_circular_time, type_lookup
from smartkpi.semantics.patterns import check_format, has_clock
from smartkpi.semantics.rows import names_in_row, type_condition, type_row
from smartkpi.semantics.scope import IMPLICIT, DatasetScope, Reach, row_column, row_name
from smartkpi.semantics.spellings import respell
from smartkpi.source import Span
from smartkpi.spec import model
from smartkpi.tree import walk

NODES = 5_000
DEPTH = 100
"""How large a field may become once the fields it is made of are put in: a chain of doublings would not end."""


@dataclass(frozen=True, slots=True)
class CheckedDataset:
    """A dataset as far as it is right; not ``usable`` where an error takes it all.

    ``broken`` and ``lost`` map its fields and events with errors to these.
    """

    typed: TypedDataset
    usable: bool
    broken: Mapping[str, Diagnostic]
    lost: Mapping[str, Diagnostic]
    found: tuple[Diagnostic, ...]
    scope: DatasetScope
    cause: Diagnostic | None


@dataclass(slots=True)
class _Work:
    """A dataset under check."""

    spec: model.Dataset
    scope: DatasetScope
    fields: dict[str, Expr]
    broken: dict[str, Diagnostic]
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    found: list[Diagnostic] = field(default_factory=list)

    def findings(self) -> Findings:
        return Findings(f"dataset:{self.spec.name}")

    def settle(self, findings: Findings, what: str, span: Span | None) -> Diagnostic | None:
        """Keep what was found; return what broke the part, if it is broken."""
        findings.close(what, span)
        self.found.extend(d for d in findings.diagnostics if d not in self.found)
        return findings.cause if findings.failed else None


def check_dataset(
    spec: model.Dataset,
    calendar: Calendar,
    constants: Constants,
    columns: Mapping[str, Type] | None,
    others: Others,
) -> CheckedDataset:
    """Return a dataset with its expressions typed; ``columns`` are those of the data, None while none is at hand."""
    fields: dict[str, Expr] = {}
    broken: dict[str, Diagnostic] = {}
    scope = DatasetScope(spec.name, fields, broken, columns, constants, calendar)
    work = _Work(spec, scope, fields, broken)
    scope = work.scope = replace(scope, lookups=_reach(work, others), spellings=others.spellings)
    _spell_columns(work, others)
    order, under = _order_fields(work)
    _check_fields((name for name in order if name in under), work)
    whole = work.findings()
    if spec.read is not None and spec.read.dates and (wrong := check_format(spec.read.dates)):
        whole.error("bad-format", f"`dates` cannot be read: {wrong}", spec.read.span, 'such as "%d.%m.%Y"')
    time = None if spec.time is None else _check_time(spec.time, work, whole)
    if spec.time is not None:
        time = refuse_circular_time(time, scope.lookups, _place(spec.time), whole)
    if not _is_small("time", spec.time, work):
        _too_complex("time", spec.span, whole)
    work.scope = scope = replace(scope, time=time)
    _check_fields((name for name in order if name not in under), work)
    named = (syntax.Name((name,), spec.places.get(name, spec.span)) for name in spec.key)
    key = tuple(row_name(name, scope, whole, column=True) for name in named)
    keep = None if spec.keep is None else _check_keep(spec.keep, scope, whole)
    lookups = _check_lookups(work, others, whole)
    check_covering(spec, others.specs, others.broken, whole)
    reason = work.settle(whole, f"dataset `{spec.name}`", spec.span)
    lost: dict[str, Diagnostic] = {}
    events: dict[str, TypedBinding] = {}
    for binding in spec.events.values():
        cause = reason or _check_event(binding, time, work, events)
        if cause is not None:
            lost[binding.event] = cause
    local = spec.timezone or calendar.timezone
    typed = TypedDataset(spec.name, spec, time, local, key, fields, events, columns, lookups, keep)
    return CheckedDataset(typed, reason is None, broken, lost, tuple(work.found), scope, reason)


def _reach(work: _Work, others: Others) -> dict[str, Reach]:
    """Return what each lookup leads to."""
    found = {}
    for one in work.spec.lookups.values():
        findings = work.findings()
        reached = reach(one, others, findings)
        if (cycle := others.cycles.get((work.spec.name, one.name))) is not None:
            reached = replace(reached, cause=cycle)
            findings = work.findings()
            work.found.append(cycle)
        work.found.extend(d for d in findings.diagnostics if d not in work.found)
        found[one.name] = reached
    return found


def _check_lookups(work: _Work, others: Others, findings: Findings) -> dict[str, TypedLookup]:
    """Return the lookups that lead somewhere; one whose condition is wrong breaks the dataset."""
    found = {}
    for one in work.spec.lookups.values():
        if work.scope.lookups[one.name].cause is None:
            here = work.findings()
            typed = type_lookup(one, work.scope, others.targets[one.dataset], _type_time, here)
            findings.take(here)
            if typed is not None:
                found[one.name] = typed
    return order_lookups(work.spec.name, found, findings)


def _type_time(name: str, span: Span, scope: DatasetScope, findings: Findings) -> Expr:
    """Return a field as a time: a text is read as ISO."""
    typed = row_name(syntax.Name((name,), span), scope, findings, column=True)
    if typed.type.kind is Kind.TEXT:
        return Apply("parse_time", (typed,), TIME)
    if typed.type.kind not in (Kind.TIME, Kind.DATE, Kind.UNKNOWN):
        message = f"`valid` takes times or dates, `{name}` is {describe(typed.type)}"
        findings.error("not-a-time", message, span, "name the columns that say from when, and until when, a row holds")
        return FAILED
    return typed


def _order_fields(work: _Work) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return all fields, each after those it is made of, and the ones that the dataset's time is made of.

    Those come before the time, and in them `time` can only be the column of that name.
    """
    spec = work.spec
    graph = {name: tuple(dict.fromkeys(_parts(name, field.is_, spec))) for name, field in spec.fields.items()}
    order, cycles = in_order(graph)
    for cycle in cycles:
        cause = _report_cycle(cycle, work)
        work.broken.update(dict.fromkeys(cycle, cause))
    under = list(_parts("time", spec.time, spec))
    for name in under:
        under += [part for part in graph.get(name, ()) if part not in under]
    return order, frozenset(under)


def _check_fields(names: Iterable[str], work: _Work) -> None:
    """Type fields, each after those it is made of."""
    for name in names:
        if name in work.broken:
            continue
        written = work.spec.fields[name]
        findings = work.findings()
        if name in IMPLICIT:
            hint = "give the field another name"
            findings.error("reserved-field", f"`{name}` is a field that every event has", written.span, hint)
        elif not _is_small(name, written.is_, work):
            _too_complex(name, written.span, findings)
        else:
            typed = _type_field(written, work, findings)
            work.fields[name] = respell(typed, work.scope.spellings.get(name, {}))
        reason = work.settle(findings, f"the field `{name}`", written.span)
        if reason is not None:
            work.broken[name] = reason
            work.fields.pop(name, None)


def _spell_columns(work: _Work, others: Others) -> None:
    """Make fields of the columns that a dimension spells; those of a dimension with an error are broken with it."""
    known = {**(work.scope.columns or {}), **work.spec.fields}
    for name, cause in others.dimensions.items():
        if name in known:
            work.broken[name] = cause
    for name, spellings in others.spellings.items():
        type = (work.scope.columns or {}).get(name)
        if type is not None and type.kind is Kind.TEXT and name not in work.spec.fields:
            work.fields[name] = respell(Column(name, type), spellings)


def _parts(name: str, written: model.Formula | model.Column | None, spec: model.Dataset) -> Iterator[str]:
    """Yield the other fields that a field or the time is made of; `time` too."""
    if isinstance(written, model.Formula):
        for node in names_in_row(written.expr):
            if node.text != name and (node.text == "time" or node.text in spec.fields):
                yield node.text


def _is_small(name: str, written: model.Formula | model.Column | None, work: _Work) -> bool:
    """Return whether a field, or the time, with the fields it is made of put in, is of a size to work with."""
    nodes, depth = 1, 0
    if isinstance(written, model.Formula):
        nodes = sum(1 for _ in walk(written.expr))
        for part in _parts(name, written, work.spec):
            below = work.sizes.get(part, (1, 1))
            nodes, depth = nodes + below[0], max(depth, below[1])
    fits = nodes <= NODES and depth < DEPTH
    work.sizes[name] = (nodes, depth + 1) if fits else (1, 1)
    return fits


def _too_complex(name: str, span: Span, findings: Findings) -> None:
    findings.error("too-complex", f"`{name}` is made of too many parts", span, "compute it before the data is read")


def _report_cycle(cycle: tuple[str, ...], work: _Work) -> Diagnostic:
    findings = work.findings()
    steps = islice(zip(cycle, (*cycle[1:], cycle[0]), strict=True), SHOWN)
    notes = tuple(Note(f"`{a}` is made of `{b}`", work.spec.fields[a].span) for a, b in steps)
    span = work.spec.fields[cycle[0]].span
    hint = f'for the column of that name write `col("{cycle[0]}")`'
    findings.error("field-cycle", f"fields are made of each other: {circle(cycle)}", span, hint, notes)
    work.found.extend(findings.diagnostics)
    return findings.cause


def _type_field(written: model.FieldDef, work: _Work, findings: Findings) -> Expr:
    scope = replace(work.scope, own=written.name)
    if written.is_ is None:
        typed = row_column(written.name, written.span, scope, findings)
    else:
        typed = _bound(written.is_, scope, findings)
    if written.unit is None or findings.failed:
        return typed
    unit = united(typed.type, written.unit)
    if isinstance(unit, str):
        message = f"`{written.name}` is declared as {describe(of_unit(written.unit))}, but {unit}"
        findings.error("unit-mismatch", message, written.span)
        return FAILED
    return replace(typed, type=unit)


def united(type: Type, unit: Unit) -> Type | str:
    """Return a type with the unit that is declared for it, or what it is instead."""
    if type.kind is Kind.UNKNOWN:
        return Type(Kind.NUMBER, unit)
    if type.kind is not Kind.NUMBER:
        return f"it is {describe(type)}"
    if type.unit in (PLAIN, BARE_UNIT) or type.unit == Unit(unit.name):
        return replace(type, unit=unit)
    if type.unit != unit and unit != Unit(type.unit.name):
        return f"it is {describe(type)}"
    return type


def _bound(written: model.Formula | model.Column, scope: DatasetScope, findings: Findings) -> Expr:
    if isinstance(written, model.Column):
        return row_column(written.name, written.span, scope, findings)
    return type_row(written.expr, scope, findings)


def _place(written: model.Formula | model.Column) -> Span:
    return written.span if isinstance(written, model.Column) else written.expr.span


def _check_time(written: model.Formula | model.Column, work: _Work, findings: Findings) -> Expr:
    """Return the time of rows: a time or a date; texts are read by the dataset's `dates`, else as ISO.

    `time: time` is the column of that name; anywhere else in an event's own time it is the dataset's.
    """
    says_time = isinstance(written, model.Formula) and syntax.Name(("time",), written.expr.span) == written.expr
    typed = _bound(written, replace(work.scope, time=None) if says_time else work.scope, findings)
    dates = work.spec.read.dates if work.spec.read is not None else None
    match typed.type.kind:
        case Kind.TIME | Kind.DATE:
            return typed
        case Kind.UNKNOWN:
            return typed
        case Kind.TEXT if dates is not None:
            return Apply("parse_time", (typed, Literal(dates, TEXT)), TIME if has_clock(dates) else DATE)
        case Kind.TEXT if typed.type.dates:
            return Apply("parse_time", (typed, Literal("%Y-%m-%d", TEXT)), DATE)
        case Kind.TEXT:
            return Apply("parse_time", (typed,), TIME)
        case Kind.NUMBER:
            name = typed.name if isinstance(typed, Column) else "…"
            hint = f"write `epoch_s({name})` or `epoch_ms({name})`, if it counts from 1970"
        case _:
            hint = "name the column that says when the row happened"
    findings.error("not-a-time", f"`time` must be a time or a date, this is {describe(typed.type)}",
                   _place(written), hint)  # fmt: skip
    return FAILED


def _check_keep(written: model.Formula, scope: DatasetScope, findings: Findings) -> Expr:
    typed = type_row(written.expr, scope, findings)
    if typed.type.kind in (Kind.BOOLEAN, Kind.NULL):
        hint = "name the column that says when a row was written, or its version"
        message = f"`keep: latest by` takes a time, a number or a text, this is {describe(typed.type)}"
        findings.error("bad-keep", message, written.expr.span, hint)
    return typed


def _check_event(
    binding: model.Binding, time: Expr | None, work: _Work, events: dict[str, TypedBinding]
) -> Diagnostic | None:
    """Add a typed binding to ``events``, or return what is wrong with it."""
    findings = work.findings()
    when = None
    if binding.when is not None:
        parts = type_condition(binding.when.expr, work.scope, findings, "`when`")
        when = parts[0] if len(parts) == 1 else Apply("and", parts, BOOLEAN)
    for written in (binding.when, binding.time, binding.count):
        if not _is_small(binding.event, written, work):
            _too_complex(binding.event, binding.span, findings)
    own = time if binding.time is None else _check_time(binding.time, work, findings)
    count = None if binding.count is None else _check_count(binding.count, work, findings)
    cause = work.settle(findings, f"the event `{binding.event}`", binding.span)
    if cause is None:
        events[binding.event] = TypedBinding(binding.event, work.spec.name, when, own, count)
    return cause


def _check_count(written: model.Formula | model.Column, work: _Work, findings: Findings) -> Expr:
    typed = _bound(written, work.scope, findings)
    type = typed.type
    if type.kind is Kind.UNKNOWN or (type.kind is Kind.NUMBER and type.whole):
        return typed
    fraction = type.kind is Kind.NUMBER
    what = "a number with fractions" if fraction else describe(type)
    hint = "write `round(…)` around it" if fraction else "name the column that says how many events a row stands for"
    findings.error("not-a-count", f"`count` must be a whole number, this is {what}", _place(written), hint)
    return FAILED
