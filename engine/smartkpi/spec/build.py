"""Documents → catalog: names, short forms, one diagnostic a problem, and nothing lost but what is wrong."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from smartkpi.diagnostics import Diagnostic, Note, Severity
from smartkpi.nearest import did_you_mean
from smartkpi.source import Span, text_of
from smartkpi.spec import later
from smartkpi.spec.cases import build_case
from smartkpi.spec.constants import SET, build_constant
from smartkpi.spec.datasets import build_contract, build_dataset, missing_time
from smartkpi.spec.dimensions import build_dimension
from smartkpi.spec.document import Document
from smartkpi.spec.kpis import build_kpi
from smartkpi.spec.model import Calendar, Case, Catalog, Constant, Contract, Dataset, Dimension, Kpi
from smartkpi.spec.names import check_name, name_of
from smartkpi.spec.nodes import Fields, Items, Node, Scalar
from smartkpi.spec.values import Problems, text, zone

_KINDS = {
    "events": "event",
    "datasets": "dataset",
    "constants": "constant",
    "groups": "group",
    "funnels": "funnel",
    "cohorts": "cohort",
    "kpis": "kpi",
    "dimensions": "dimension",
    "goals": "goal",
    "diagnoses": "diagnosis",
}
_NAMES = frozenset(("event", "constant", "group", "funnel", "cohort", "kpi"))  # one namespace
_WORDS = {"kpi": "a KPI", "event": "an event"}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True)
class _Definition:
    """A name with its value in a section. ``subject`` is what diagnostics call it, `kpi:revenue`."""

    kind: str
    name: str
    key: Scalar
    value: Node
    base: Path

    @property
    def subject(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(slots=True)
class _State:
    """What has been built, what is wrong, and what that leaves out."""

    found: list[Diagnostic] = field(default_factory=list)
    broken: dict[str, Diagnostic] = field(default_factory=dict)
    lost_events: dict[str, Diagnostic] = field(default_factory=dict)
    calendar: Calendar = field(default_factory=Calendar)
    constants: dict[str, Constant] = field(default_factory=dict)
    datasets: dict[str, Dataset] = field(default_factory=dict)
    contracts: dict[str, Contract] = field(default_factory=dict)
    kpis: dict[str, Kpi] = field(default_factory=dict)
    dimensions: dict[str, Dimension] = field(default_factory=dict)
    cases: list[Case] = field(default_factory=list)

    def report(self, problems: Iterable[Diagnostic], subject: str) -> None:
        """Keep problems of a definition; an error leaves it out."""
        for problem in problems:
            named = problem if problem.subject else replace(problem, subject=subject)
            self.found.append(named)
            if named.severity is Severity.ERROR and named.subject:
                self.broken.setdefault(named.subject, named)


def build(
    documents: Iterable[tuple[Document, Path, tuple[Diagnostic, ...]]], root: Path, sets: Mapping[str, str]
) -> tuple[Catalog, tuple[Diagnostic, ...]]:
    """Return the catalog of documents, each with its folder and what the schema said of it, and all that is wrong."""
    state = _State()
    read = list(documents)
    definitions: list[_Definition] = []
    for document, base, _ in read:
        definitions += _definitions(document.root, base)
    for document, _, shape in read:
        mine = [d for d in definitions if d.key.source is document.source]
        _report_by_place(state, document, shape, mine)
    named = list(_without_event_clashes(state, _by_name(state, definitions)))
    _build_sections(state, [document.root for document, _, _ in read])
    for definition in named:
        _build_definition(state, definition, sets)
    _check_sets(state, definitions, sets)
    _spread(state, definitions)
    return _catalog(state, root), tuple(state.found)


def _catalog(state: _State, root: Path) -> Catalog:
    broken = state.broken
    return Catalog(
        root,
        state.calendar,
        {name: item for name, item in state.constants.items() if f"constant:{name}" not in broken},
        {name: item for name, item in state.datasets.items() if f"dataset:{name}" not in broken},
        {name: item for name, item in state.contracts.items() if f"event:{name}" not in broken},
        {name: item for name, item in state.kpis.items() if f"kpi:{name}" not in broken},
        tuple(state.cases),
        broken,
        {name: item for name, item in state.kpis.items() if f"kpi:{name}" in broken},
        dimensions={name: item for name, item in state.dimensions.items() if f"dimension:{name}" not in broken},
    )


def _definitions(root: Node | None, base: Path) -> Iterator[_Definition]:
    if not isinstance(root, Fields):
        return
    for section, kind in _KINDS.items():
        value = root.get(section)
        if isinstance(value, Fields):
            for entry in value.entries.values():
                yield _Definition(kind, name_of(entry.key), entry.key, entry.value, base)


def _report_by_place(
    state: _State, document: Document, shape: tuple[Diagnostic, ...], definitions: list[_Definition]
) -> None:
    """Report what is wrong with a document; each problem belongs to the definition within which it stands."""
    places = [(d.key.start, max(d.value.end, d.key.end), d.subject) for d in definitions]
    places += [(lost.start, lost.end, subject) for lost in document.lost if (subject := _lost_subject(lost))]
    places += _case_places(document.root)
    places.sort()
    starts = [start for start, _, _ in places]

    def subject_at(span: Span | None) -> str:
        if span is None or span.source is not document.source:
            return ""
        at = bisect_right(starts, span.start) - 1
        return places[at][2] if at >= 0 and span.start <= places[at][1] else ""

    for problem in (*document.diagnostics, *shape):
        spans = (problem.span, *(note.span for note in problem.notes))
        state.report((problem,), next(filter(None, map(subject_at, spans)), ""))
    for lost in document.lost:
        if subject := _lost_subject(lost):
            state.broken.setdefault(subject, replace(lost.cause, subject=subject))
            if lost.section == "datasets":
                state.lost_events |= dict.fromkeys(lost.keys, lost.cause)


def _lost_subject(lost: Any) -> str:
    if lost.section == "tests":
        return "test:"
    kind = _KINDS.get(lost.section)
    return f"{kind}:{lost.name}" if kind and lost.name else ""


def _case_places(root: Node | None) -> list[tuple[int, int, str]]:
    cases = root.get("tests") if isinstance(root, Fields) else None
    if not isinstance(cases, Items):
        return []
    return [(item.start, item.end, _case_subject(item)) for item in cases.items]


def _case_subject(item: Node) -> str:
    name = text(item.get("name")) if isinstance(item, Fields) else None
    return f"test:{name or ''}"


def _by_name(state: _State, definitions: list[_Definition]) -> list[_Definition]:
    """Return definitions with a right name of their own; a name that is taken is an error that shows both places."""
    taken: dict[tuple[str, str], _Definition] = {}
    kept = []
    for definition in definitions:
        problem = check_name(definition.key, reserved=definition.kind in _NAMES)
        if problem is not None:
            state.report((problem,), definition.subject)
            continue
        space = "" if definition.kind in _NAMES else definition.kind
        first = taken.setdefault((space, definition.name), definition)
        if first is not definition:
            state.report((_taken(definition, first),), definition.subject)
            continue
        kept.append(definition)
    return kept


def _without_event_clashes(state: _State, kept: list[_Definition]) -> Iterator[_Definition]:
    """Yield definitions, but report one of another kind that has the name of an event that a dataset provides."""
    provided: dict[str, Scalar] = {}
    for definition in kept:
        for key in _event_keys(definition):
            provided.setdefault(name_of(key), key)
    for definition in kept:
        taken = provided.get(definition.name)
        if taken is not None and definition.kind in _NAMES and definition.kind != "event":
            event = _Definition("event", definition.name, taken, taken, definition.base)
            state.report((_taken(definition, event),), definition.subject)
        else:
            yield definition


def _event_keys(definition: _Definition) -> list[Scalar]:
    """Return the names of the events that a dataset provides, as they are written."""
    events = definition.value.get("events") if isinstance(definition.value, Fields) else None
    if definition.kind != "dataset" or not isinstance(events, Fields):
        return []
    return [entry.key for entry in events.entries.values()]


def _taken(definition: _Definition, first: _Definition) -> Diagnostic:
    name, other = definition.name, _WORDS.get(first.kind, f"a {first.kind}")
    if first.kind == definition.kind:
        message = f"`{name}` is defined twice"
    else:
        message = f"`{name}` is {other} already; events, KPIs and constants share their names"
    notes = (Note(f"`{name}` is {other} here", first.key.span),)
    return Diagnostic("duplicate-name", message, definition.key.span, "choose another name", notes)


def _build_definition(state: _State, definition: _Definition, sets: Mapping[str, str]) -> None:
    name, value, span = definition.name, definition.value, definition.key.span
    problems: Problems = []
    match definition.kind:
        case "constant":
            problems += later.later_in_constant(value)
            constant = build_constant(name, value, span, sets.get(name), problems)
            _keep(state.constants, name, constant)
        case "dataset":
            problems += later.later_in_dataset(value)
            dataset = build_dataset(name, value, span, definition.base, problems)
            if dataset is not None and not problems and (missing := missing_time(name, dataset)):
                problems.append(missing)
            _keep(state.datasets, name, dataset)
        case "event":
            problems += later.later_in_event(value)
            _keep(state.contracts, name, build_contract(name, value, span, problems))
        case "kpi":
            problems += later.later_in_kpi(value)
            _keep(state.kpis, name, build_kpi(name, value, span, problems))
        case "dimension":
            problems += later.later_in_dimension(value)
            _keep(state.dimensions, name, build_dimension(name, value, span, problems))
        case kind:
            section = next(section for section, word in _KINDS.items() if word == kind)
            problems.append(later.not_yet(later.SECTIONS[section], definition.key))
    state.report(problems, definition.subject)


def _keep(where: dict[str, Any], name: str, item: object | None) -> None:
    if item is not None:
        where[name] = item


def _build_sections(state: _State, roots: list[Node | None]) -> None:
    """Build what has no names: the calendar, the tests, and the sections of later versions."""
    calendars: list[Scalar] = []
    for root in roots:
        if not isinstance(root, Fields):
            continue
        for section in ("include", "currency"):
            if root.get(section) is not None:
                state.report((later.not_yet(later.SECTIONS[section], root.entries[section].key),), section)
        if (calendar := root.get("calendar")) is not None:
            calendars.append(root.entries["calendar"].key)
            _build_calendar(state, calendar, calendars)
        cases = root.get("tests")
        for item in cases.items if isinstance(cases, Items) else ():
            _build_case(state, item)


def _build_calendar(state: _State, node: Node, keys: list[Scalar]) -> None:
    if not isinstance(node, Fields):
        return
    problems: Problems = [*later.later_in_calendar(node)]
    if len(keys) > 1:
        notes = (Note("the first one is here", keys[0].span),)
        problems.append(Diagnostic("duplicate-name", "a second calendar", keys[-1].span, "keep one", notes))
    start = text(node.get("week_start"))
    week_start = _DAYS.index(start) if start in _DAYS else 0
    state.calendar = Calendar(zone(node.get("timezone"), problems) or "UTC", week_start, node.span)
    state.report(problems, "calendar")


def _build_case(state: _State, item: Node) -> None:
    problems: Problems = []
    subject = _case_subject(item)
    span = item.span
    if isinstance(item, Fields) and (name := item.get("name")) is not None:
        span = name.span
    case = build_case(item, span, problems)
    state.report(problems, subject)
    if case is not None and subject not in state.broken:
        state.cases.append(case)


def _check_sets(state: _State, definitions: list[_Definition], sets: Mapping[str, str]) -> None:
    names = {d.name for d in definitions if d.kind == "constant"}
    names |= {subject.removeprefix("constant:") for subject in state.broken if subject.startswith("constant:")}
    for name, value in sets.items():
        if name not in names:
            known = ", ".join(sorted(names)) or "none"
            hint = did_you_mean(name, names)
            span = text_of(f"{name}={value}", SET).at(0, len(name))
            notes = (Note(f"constants: {known}"),)
            state.found.append(Diagnostic("unknown-constant", f"no constant is named `{name}`", span, hint, notes))


def _spread(state: _State, definitions: list[_Definition]) -> None:
    """Let errors reach what cannot stand without: a dataset its events, the calendar every KPI."""
    provided = {name_of(key) for definition in definitions for key in _event_keys(definition)}
    for name, lost in state.lost_events.items():
        if name not in provided:
            state.broken.setdefault(f"event:{name}", lost)
    for definition in definitions:
        if cause := state.broken.get(definition.subject):
            for key in _event_keys(definition):
                state.broken.setdefault(f"event:{name_of(key)}", cause)
        if definition.kind == "kpi" and (calendar := state.broken.get("calendar")) is not None:
            state.broken.setdefault(definition.subject, calendar)
