"""Check a catalog: names, types and units of everything, all problems at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import islice
from zoneinfo import ZoneInfo

from smartkpi.diagnostics import Diagnostic, KpiError, Note, Severity, errors
from smartkpi.language import syntax
from smartkpi.language.types import TEXT, TIME, UNKNOWN, Kind, Type
from smartkpi.nearest import did_you_mean
from smartkpi.periods.grain import Grain
from smartkpi.periods.text import parse_key
from smartkpi.semantics.aimed import aim
from smartkpi.semantics.datasets import CheckedDataset, check_dataset
from smartkpi.semantics.derived import derive
from smartkpi.semantics.diagnoses import TypedDiagnosis, check_diagnoses, compared_before
from smartkpi.semantics.dimensions import without_field
from smartkpi.semantics.findings import SHOWN, Findings, circle
from smartkpi.semantics.formula import Literal, TypedBinding, TypedDataset, TypedGroup, TypedKpi
from smartkpi.semantics.formulas import referred
from smartkpi.semantics.goal import TypedGoal
from smartkpi.semantics.goals import check_goals
from smartkpi.semantics.graph import in_order
from smartkpi.semantics.groups import close, without_periods
from smartkpi.semantics.judging import beside, check_unit
from smartkpi.semantics.kpis import check_kpi
from smartkpi.semantics.literals import SECONDS, Constants, constant
from smartkpi.semantics.lookups import Others, Target, order_datasets
from smartkpi.semantics.prefer import prefer
from smartkpi.semantics.providers import unite
from smartkpi.semantics.revisions import dated_values
from smartkpi.semantics.scope import DerivedEvents, EventScope, Namespace
from smartkpi.source import Span
from smartkpi.spec.model import Catalog, Contract, Kpi

Schemas = Mapping[str, Mapping[str, Type]]


@dataclass(frozen=True, slots=True)
class Checked:
    """A catalog as far as it is right.

    ``events`` maps every event to its providers (none where it is only declared); ``order`` has the KPIs, each after
    those it refers to; ``scopes`` is what conditions on an event's rows may name; ``left_out`` maps a KPI that is not
    in ``kpis`` to the error that left it out; ``space`` is what more KPIs may be checked in. ``groups`` come each after
    those that it is made of; ``grouped`` maps an event to those that decide on its rows.
    """

    catalog: Catalog
    kpis: Mapping[str, TypedKpi]
    datasets: Mapping[str, TypedDataset]
    events: Mapping[str, tuple[TypedBinding, ...]]
    order: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]
    scopes: Mapping[str, EventScope] = field(default_factory=dict)
    left_out: Mapping[str, Diagnostic] = field(default_factory=dict)
    goals: Mapping[str, TypedGoal] = field(default_factory=dict)
    diagnoses: Mapping[str, TypedDiagnosis] = field(default_factory=dict)
    space: Namespace | None = field(default=None, compare=False, repr=False)
    groups: Mapping[str, TypedGroup] = field(default_factory=dict)
    grouped: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def zone(self) -> ZoneInfo:
        """The project's time zone."""
        return ZoneInfo(self.catalog.calendar.timezone)


def check(catalog: Catalog, schemas: Schemas | None = None) -> Checked:
    """Return a catalog's typed definitions and all that is wrong with the others.

    ``schemas`` maps datasets to the columns of their data; of a dataset that it lacks, any column may exist. A broken
    definition takes those that stand on it along, each with a note that points at the cause.
    """
    zone = ZoneInfo(catalog.calendar.timezone)
    found: list[Diagnostic] = []
    constants = _constants(catalog, found)
    checked = _check_datasets(catalog, constants, schemas or {})
    for dataset in checked:
        found.extend(dataset.found)
    broken = {name: cause for key, cause in catalog.broken.items() if (name := _spoken(key))}
    events = _events(catalog, checked, broken)
    usable = {dataset.typed.name: dataset.typed for dataset in checked if dataset.usable}
    datasets = dict(prefer(catalog, usable, events, broken, found))
    scopes = _scopes(catalog, checked, events, constants, broken, found)
    space = Namespace(
        events=scopes,
        kpis={},
        written=frozenset(catalog.kpis),
        datasets=frozenset({*catalog.datasets, *(k[8:] for k in catalog.broken if k.startswith("dataset:"))}),
        broken=broken,
        constants=constants,
        zone=zone,
        calendar=catalog.calendar,
        dimensions=catalog.dimensions,
        providers=events,
        aimed=None if any(key.startswith("goal:") for key in catalog.broken) else _aimed(catalog),
    )
    space = replace(space, derived=DerivedEvents(scopes, events, datasets))
    groups = derive(catalog, space, broken, found)
    kpis, order, left_out = _check_kpis(catalog, space, broken, found)
    space = replace(space, kpis=kpis)
    diagnoses = check_diagnoses(catalog, space, left_out, found)
    found.extend(dict.fromkeys(cause for cause in left_out.values() if cause.code == "unequal-fields"))
    found.extend(without_field(catalog, (dataset.typed for dataset in checked)))
    goals = check_goals(catalog, space, left_out, found)
    aim(kpis, goals, catalog.calendar, found)
    groups, grouped = close(groups, events, datasets, scopes)
    goals = without_periods(goals, kpis, groups, grouped, found)
    found.extend(_check_cases(catalog, events, scopes, broken))
    return Checked(
        catalog=catalog,
        kpis={name: kpis[name] for name in catalog.kpis if name in kpis},
        datasets=datasets,
        events=events,
        order=order,
        diagnostics=tuple(dict.fromkeys(sorted(found, key=_place))),
        scopes=scopes,
        left_out=left_out,
        goals=goals,
        diagnoses=diagnoses,
        space=space,
        groups=groups,
        grouped=grouped,
    )


def _aimed(catalog: Catalog) -> frozenset[str]:
    return frozenset(goal.kpi for goal in catalog.goals.values())


def _check_datasets(catalog: Catalog, constants: Constants, schemas: Schemas) -> list[CheckedDataset]:
    """Check each dataset after those it looks up; return them in the order of the catalog."""
    order, cycles = order_datasets(catalog)
    broken = {key.removeprefix("dataset:"): d for key, d in catalog.broken.items() if key.startswith("dataset:")}
    dimensions = {key.removeprefix("dimension:"): d for key, d in catalog.broken.items() if key[:10] == "dimension:"}
    checked: dict[str, CheckedDataset] = {}
    for name in order:
        targets = {key: Target(one.typed, one.scope, one.broken, one.cause) for key, one in checked.items()}
        others = Others(catalog.datasets, targets, broken, cycles, _spellings(catalog), dimensions)
        spec = catalog.datasets[name]
        checked[name] = check_dataset(spec, catalog.calendar, constants, schemas.get(name), others)
    return [checked[name] for name in catalog.datasets]


def _spellings(catalog: Catalog) -> dict[str, Mapping[str, str]]:
    return {name: one.spellings for name, one in catalog.dimensions.items() if one.spellings}


def _spoken(key: str) -> str:
    """Return the name that a formula says for a broken definition, nothing for what formulas cannot name."""
    kind, _, name = key.partition(":")
    return name if kind not in ("dataset", "test", "dimension", "goal", "diagnosis") else ""


def _place(diagnostic: Diagnostic) -> tuple[str, int]:
    span = diagnostic.span
    return ("", 0) if span is None else (span.source.name, span.start)


def _constants(catalog: Catalog, found: list[Diagnostic]) -> Constants:
    values: dict[str, Literal] = {}
    loose: dict[str, syntax.Duration] = {}
    durations: dict[str, syntax.Duration] = {}
    broken = {name.removeprefix("constant:"): d for name, d in catalog.broken.items() if name.startswith("constant:")}
    dated: dict[str, tuple[tuple[date, Literal | None], ...]] = {}
    for written in catalog.constants.values():
        expr = None if written.formula is None else written.formula.expr
        if isinstance(expr, syntax.Duration) and expr.unit not in SECONDS and not written.revisions:
            loose[written.name] = expr
            continue
        findings = Findings(f"constant:{written.name}")
        value = None if expr is None else constant(expr, Constants(), findings)
        changes = dated_values(written, value, findings)
        found.extend(findings.diagnostics)
        if findings.failed:
            broken[written.name] = findings.cause
        elif len(changes) > 1 or value is None:
            dated[written.name] = changes
        else:
            values[written.name] = value
            if isinstance(expr, syntax.Duration):
                durations[written.name] = expr
    return Constants(values, broken, loose, dated, durations)


def _events(
    catalog: Catalog, checked: list[CheckedDataset], broken: dict[str, Diagnostic]
) -> dict[str, tuple[TypedBinding, ...]]:
    """Return the providers of each event; one of which a provider has an error goes to ``broken``."""
    events: dict[str, tuple[TypedBinding, ...]] = dict.fromkeys(catalog.contracts, ())
    for dataset in checked:
        for name in dataset.typed.spec.events:
            if name in dataset.lost:
                broken.setdefault(name, dataset.lost[name])
            else:
                events[name] = (*events.get(name, ()), dataset.typed.events[name])
    return {name: providers for name, providers in events.items() if name not in broken}


def _scopes(
    catalog: Catalog,
    checked: list[CheckedDataset],
    events: dict[str, tuple[TypedBinding, ...]],
    constants: Constants,
    broken: dict[str, Diagnostic],
    found: list[Diagnostic],
) -> dict[str, EventScope]:
    """Return what conditions on each event may name."""
    by_name = {dataset.typed.name: dataset for dataset in checked}
    scopes = {}
    for name, providers in events.items():
        contract = catalog.contracts.get(name)
        declared = {key: written.span for key, written in contract.fields.items()} if contract is not None else {}
        if not providers:
            assert contract is not None
            types = {"time": TIME, "dataset": TEXT, **_promised(contract)}
            scopes[name] = EventScope(
                name, None, types, False, False, constants, catalog.calendar, {}, declared, events
            )
            continue
        datasets = tuple(by_name[binding.dataset] for binding in providers)
        provided, findings = unite(name, providers, datasets, contract, catalog.datasets)
        found.extend(findings.diagnostics)
        if findings.failed:
            broken[name] = findings.cause
            continue
        scopes[name] = EventScope(
            event=name,
            dataset=providers[0].dataset,
            fields=provided.types,
            open=all(dataset.typed.columns is None for dataset in datasets),
            counted=any(binding.count is not None for binding in providers),
            constants=constants,
            calendar=catalog.calendar,
            broken=provided.broken,
            declared=declared,
            bound=datasets[0].typed.spec.events[name].span,
            events=events,
            timeless=any(binding.time is None for binding in providers),
            dated=any(one.time is not None and one.time.type.kind is Kind.DATE for one in providers),
            datasets=tuple(binding.dataset for binding in providers),
            lacking=provided.lacking,
            additive=provided.additive,
            lookups=datasets[0].scope.lookups if len(datasets) == 1 else {},
            given=any("." in field for dataset in datasets for field in dataset.typed.fields),
            spellings=_spellings(catalog),
            periods=_periods(providers, catalog),
            united={one for dataset in datasets for one in dataset.scope.lookups} if len(datasets) > 1 else (),
        )
    for name in [name for name in events if name not in scopes]:
        del events[name]
    return scopes


def _periods(providers: tuple[TypedBinding, ...], catalog: Catalog) -> tuple[Grain, ...]:
    """Return the periods that rows of an event stand for, each once."""
    sides = ((catalog.datasets[binding.dataset], binding.count is not None) for binding in providers)
    stated = (spec.every or (Grain.DAY if counted else None) for spec, counted in sides)
    return tuple(dict.fromkeys(period for period in stated if period is not None))


def _promised(contract: Contract) -> dict[str, Type]:
    """Return what a contract says of its fields."""
    return {
        name: UNKNOWN if written.unit is None else Type(Kind.NUMBER, written.unit)
        for name, written in contract.fields.items()
    }


def _check_kpis(
    catalog: Catalog, space: Namespace, broken: dict[str, Diagnostic], found: list[Diagnostic]
) -> tuple[dict[str, TypedKpi], tuple[str, ...], dict[str, Diagnostic]]:
    kpis: dict[str, TypedKpi] = {}
    space = replace(space, kpis=kpis, broken=broken)
    left_out = {name.removeprefix("kpi:"): d for name, d in catalog.broken.items() if name.startswith("kpi:")}
    graph = {name: tuple(dict.fromkeys(_references(spec, catalog))) for name, spec in catalog.kpis.items()}
    order, cycles = in_order(graph)
    for cycle in cycles:
        cause = _cycle(cycle, catalog)
        found.append(cause)
        for name in cycle:
            left_out.setdefault(name, cause)
            broken.setdefault(name, cause)
    told: set[tuple[object, ...]] = set()
    for name in order:
        if name in left_out:
            continue
        spec = catalog.kpis[name]
        findings = Findings(f"kpi:{name}")
        typed = check_kpi(spec, space, findings)
        findings.close(f"`{name}`", spec.span)
        if typed is None:
            left_out[name] = broken[name] = findings.cause
        else:
            kpis[name] = typed
            if typed.missing:
                lacking = ", ".join(f"`{event}`" for event in typed.missing)
                findings.note("unavailable", f"`{name}` has no value: no dataset provides {lacking}", spec.span)
        found.extend(one for one in findings.diagnostics if not spec.part_of or _is_new(spec.part_of, one, told))
    _check_beside(kpis, order, space, compared_before(catalog), left_out, broken, found)
    for name, spec in catalog.spoiled.items():
        findings = Findings(f"kpi:{name}")
        check_kpi(spec, space, findings)
        found.extend(errors(findings.diagnostics))
    return kpis, tuple(name for name in order if name in kpis), left_out


def _check_beside(
    kpis: dict[str, TypedKpi],
    order: tuple[str, ...],
    space: Namespace,
    compared: Mapping[str, Span],
    left_out: dict[str, Diagnostic],
    broken: dict[str, Diagnostic],
    found: list[Diagnostic],
) -> None:
    """Add to each KPI what it is judged by, which may stand on any KPI; where that is wrong the KPI is left out."""
    for name in order:
        kpi = kpis.get(name)
        if kpi is None:
            continue
        findings = Findings(f"kpi:{name}")
        for other in sorted(kpi.kpis):
            if other in left_out:
                findings.depend(other, left_out[other])
        made = []
        for spec in beside(kpi, space.calendar, compared.get(name)):
            typed = check_kpi(spec, space, findings)
            if typed is not None:
                check_unit(kpi, typed, findings)
                made.append(typed)
        findings.close(f"`{name}`", kpi.spec.span)
        found.extend(findings.diagnostics)
        if findings.failed:
            del kpis[name]
            left_out[name] = broken[name] = findings.cause
        elif made:
            kpis[name] = replace(kpi, judging=replace(kpi.judging, beside=tuple(made)))


def _is_new(whole: str, one: Diagnostic, told: set[tuple[object, ...]]) -> bool:
    """Return whether what is said of a part of something is not said of another part already, nor follows from that."""
    key = (whole, one.code, *((one.message, one.span) if one.severity is Severity.ERROR else ()))
    if one.code == "depends-on-broken" or key in told:
        return False
    told.add(key)
    return True


def _references(spec: Kpi, catalog: Catalog) -> Iterator[str]:
    names = (name.parts[0] for formula in spec.formulas for name in referred(formula.expr))
    return (name for name in names if name in catalog.kpis)


def _reference(spec: Kpi, other: str) -> Span:
    """Return where a KPI refers to another."""
    names = (name for formula in spec.formulas for name in referred(formula.expr))
    return next(name.span for name in names if name.parts == (other,))


def _cycle(cycle: tuple[str, ...], catalog: Catalog) -> Diagnostic:
    notes = tuple(
        Note(f"`{a}` refers to `{b}`", _reference(catalog.kpis[a], b))
        for a, b in islice(zip(cycle, (*cycle[1:], cycle[0]), strict=True), SHOWN)
    )
    message = f"`{cycle[0]}` is made of itself: {circle(cycle)}"
    span = _reference(catalog.kpis[cycle[0]], cycle[1] if len(cycle) > 1 else cycle[0])
    return Diagnostic("reference-cycle", message, span, "", notes, Severity.ERROR, f"kpi:{cycle[0]}")


def _check_cases(
    catalog: Catalog,
    events: Mapping[str, tuple[TypedBinding, ...]],
    scopes: Mapping[str, EventScope],
    broken: Mapping[str, Diagnostic],
) -> Iterator[Diagnostic]:
    """Yield what tests name and nobody defines."""
    for case in catalog.cases:
        findings = Findings(f"test:{case.name}")
        for given in case.given:
            if given.event not in events and given.event not in broken:
                span = given.spans[0] if given.spans else case.span
                hint = did_you_mean(given.event, events)
                findings.error("unknown-event", f"no event is named `{given.event}`", span, hint)
            elif given.event in catalog.derived and given.event in scopes:
                message, hint = derived_given(given.event, scopes[given.event])
                findings.error("derived-given", message, given.spans[0] if given.spans else case.span, hint)
        for expect in case.expect:
            if expect.goal is not None:
                if expect.goal not in catalog.goals and f"goal:{expect.goal}" not in catalog.broken:
                    hint = did_you_mean(expect.goal, catalog.goals)
                    findings.error("unknown-goal", f"no goal is named `{expect.goal}`", expect.span, hint)
            elif expect.diagnosis is not None:
                if expect.diagnosis not in catalog.diagnoses and f"diagnosis:{expect.diagnosis}" not in catalog.broken:
                    hint = did_you_mean(expect.diagnosis, catalog.diagnoses)
                    message = f"no diagnosis is named `{expect.diagnosis}`"
                    findings.error("unknown-diagnosis", message, expect.span, hint)
            elif expect.kpi not in catalog.kpis and expect.kpi not in broken:
                hint = did_you_mean(expect.kpi, catalog.kpis)
                findings.error("unknown-kpi", f"no KPI is named `{expect.kpi}`", expect.span, hint)
            if expect.period is not None:
                _check_period(expect.period, expect.spans["period"], catalog, findings)
        yield from findings.diagnostics


def derived_given(name: str, scope: EventScope) -> tuple[str, str]:
    """Say that a test gives rows of an event that is made of others, and what to give instead."""
    events = () if scope.lineage is None else scope.lineage.events
    names = " and ".join(f"`{event}`" for event in events)
    return f"`{name}` is derived: its rows follow from those of {names}", f"give rows of {names}"


def _check_period(text: str, span: Span, catalog: Catalog, findings: Findings) -> None:
    try:
        parse_key(catalog.calendar, text)
    except KpiError as error:
        for found in error.diagnostics:
            findings.error(found.code, found.message, span, found.hint, found.notes)
