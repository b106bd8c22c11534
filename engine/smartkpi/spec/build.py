"""Documents → catalog: names, short forms, one diagnostic a problem, and nothing lost but what is wrong."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, assert_never

from smartkpi.diagnostics import Diagnostic, Note, Severity
from smartkpi.nearest import did_you_mean
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.windows import Length
from smartkpi.source import Span, text_of
from smartkpi.spec import later, reviews
from smartkpi.spec.bounds import ANYWHERE, KEY, Bounds, Folder
from smartkpi.spec.calendar import build_calendar, build_notes
from smartkpi.spec.case import Case
from smartkpi.spec.cases import build_case
from smartkpi.spec.clashes import without_clashes
from smartkpi.spec.cohorts import build_cohort
from smartkpi.spec.constants import SET, build_constant
from smartkpi.spec.datasets import agree, build_contract, build_dataset, missing_time
from smartkpi.spec.definitions import KINDS, Definition, View, gather
from smartkpi.spec.dimensions import build_dimension, parent_cycles
from smartkpi.spec.document import Document
from smartkpi.spec.events import build_derived, fulfil, is_derived
from smartkpi.spec.expand import Expansion
from smartkpi.spec.funnels import build_funnel
from smartkpi.spec.goal import Goal
from smartkpi.spec.goals import build_goal, goals_of_kpi
from smartkpi.spec.group import Group
from smartkpi.spec.groups import build_group
from smartkpi.spec.include import Part
from smartkpi.spec.kpis import build_kpi
from smartkpi.spec.model import (
    YEARLY,
    Catalog,
    Cohort,
    Constant,
    Contract,
    Dataset,
    DatedNote,
    Derived,
    Diagnosis,
    Dimension,
    Funnel,
    Kpi,
)
from smartkpi.spec.nodes import Entry, Fields, Items, Node, Scalar
from smartkpi.spec.rename import (
    rename_cohort,
    rename_contract,
    rename_dataset,
    rename_derived,
    rename_diagnosis,
    rename_funnel,
    rename_goal,
    rename_group,
    rename_kpi,
)
from smartkpi.spec.thresholds import build_diagnosis
from smartkpi.spec.values import Problems, text


@dataclass(slots=True)
class _State:
    """What has been built, what is wrong, and what that leaves out."""

    view: View
    bounds: Bounds = ANYWHERE
    found: list[Diagnostic] = field(default_factory=list)
    broken: dict[str, Diagnostic] = field(default_factory=dict)
    lost_events: dict[str, Diagnostic] = field(default_factory=dict)
    calendar: Calendar = field(default_factory=Calendar)
    notes: tuple[DatedNote, ...] = ()
    review_every: Length | None = None
    constants: dict[str, Constant] = field(default_factory=dict)
    datasets: dict[str, Dataset] = field(default_factory=dict)
    contracts: dict[str, Contract] = field(default_factory=dict)
    kpis: dict[str, Kpi] = field(default_factory=dict)
    dimensions: dict[str, Dimension] = field(default_factory=dict)
    derived: dict[str, Derived] = field(default_factory=dict)
    cases: list[Case] = field(default_factory=list)
    goals: dict[str, Goal] = field(default_factory=dict)
    diagnoses: dict[str, Diagnosis] = field(default_factory=dict)
    funnels: dict[str, Funnel] = field(default_factory=dict)
    cohorts: dict[str, Cohort] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)

    def report(self, problems: Iterable[Diagnostic], subject: str) -> None:
        """Keep problems of a definition; an error leaves it out."""
        for problem in problems:
            named = problem if problem.subject else replace(problem, subject=subject)
            self.found.append(named)
            if named.severity is Severity.ERROR and named.subject:
                self.broken.setdefault(named.subject, named)


def build(
    part: Part, root: Path, sets: Mapping[str, str], bounds: Bounds = ANYWHERE
) -> tuple[Catalog, tuple[Diagnostic, ...]]:
    """Return the catalog of a project's files and of all that they include, and all that is wrong.

    ``bounds`` say where what is read may lie.
    """
    problems: Problems = []
    view = gather(part, problems)
    state = _State(view, bounds)
    for document, _, shape in _documents(part):
        mine = [d for d in view.definitions if d.key.source is document.source]
        here = [one for one in problems if one.span is not None and one.span.source is document.source]
        _report_by_place(state, document, (*shape, *here), mine)
    live = [definition for definition in view.definitions if definition.live]
    named = without_clashes(live, view, state.report)
    _build_sections(state, part)
    for definition in named:
        _build_definition(state, definition, sets)
    state.report(parent_cycles(state.dimensions), "")
    _fulfil(state)
    _expand(state)
    _check_sets(state, live, sets)
    _spread(state, live)
    return _catalog(state, root), tuple(state.found)


def _expand(state: _State) -> None:
    """Let funnels and cohorts become KPIs, and formulas name these."""
    kinds = {"funnel": state.funnels, "cohort": state.cohorts}
    broken = {kind: [key.partition(":")[2] for key in state.broken if key.startswith(f"{kind}:")] for kind in kinds}
    funnels = {name: one for name, one in state.funnels.items() if name not in broken["funnel"]}
    cohorts = {name: one for name, one in state.cohorts.items() if name not in broken["cohort"]}
    expansion = Expansion(funnels, cohorts, frozenset(broken["funnel"] + broken["cohort"]), state.derived)
    for name, kpi in list(state.kpis.items()):
        problems: Problems = []
        state.kpis[name] = expansion.kpi(kpi, problems)
        if problems:  # it names no KPI then, which check would say once more
            state.report(problems, f"kpi:{name}")
            del state.kpis[name]
    for name, diagnosis in list(state.diagnoses.items()):
        problems = []
        state.diagnoses[name] = replace(diagnosis, when=expansion.formula(diagnosis.when, problems))
        if problems:
            state.report(problems, f"diagnosis:{name}")
            del state.diagnoses[name]
    expansion.expect(one.kpi for case in state.cases for one in case.expect)
    for kpi in expansion.kpis():
        state.kpis[kpi.name] = kpi
        if (cause := state.broken.get("calendar")) is not None:
            state.broken[f"kpi:{kpi.name}"] = cause


def _fulfil(state: _State) -> None:
    """Let derived events have what is declared of their names: no dataset provides these."""
    for name in [name for name in state.contracts if name in state.derived]:
        derived, problems = fulfil(state.derived[name], state.contracts.pop(name))
        state.derived[name] = derived
        state.report(problems, f"event:{name}")


def _documents(part: Part) -> Iterator[tuple[Document, Path, tuple[Diagnostic, ...]]]:
    yield from part.documents
    for one in part.included:
        yield from _documents(one.part)


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
        notes=state.notes,
        goals={name: item for name, item in state.goals.items() if f"goal:{name}" not in broken},
        derived={name: item for name, item in state.derived.items() if f"event:{name}" not in broken},
        diagnoses={name: item for name, item in state.diagnoses.items() if f"diagnosis:{name}" not in broken},
        funnels={name: item for name, item in state.funnels.items() if f"funnel:{name}" not in broken},
        cohorts={name: item for name, item in state.cohorts.items() if f"cohort:{name}" not in broken},
        groups={name: item for name, item in state.groups.items() if f"group:{name}" not in broken},
        review_every=state.review_every or YEARLY,
    )


def _report_by_place(
    state: _State, document: Document, shape: tuple[Diagnostic, ...], definitions: list[Definition]
) -> None:
    """Report what is wrong with a document; each problem belongs to the definition within which it stands."""
    places = [(d.key.start, max(d.value.end, d.key.end), d.subject) for d in definitions]
    prefix = state.view.prefix(document.source)
    places += [(lost.start, lost.end, subject) for lost in document.lost if (subject := _lost_subject(lost, prefix))]
    places += _case_places(document.root)
    places += (place for definition in definitions if definition.kind == "kpi" for place in _goal_places(definition))
    places.sort()
    starts = [start for start, _, _ in places]

    def subject_at(span: Span | None) -> str:
        if span is None or span.source is not document.source:
            return ""
        around = reversed(places[: bisect_right(starts, span.start)])
        return next((subject for _, end, subject in around if span.start <= end), "")

    for problem in (*document.diagnostics, *shape):
        spans = (problem.span, *(note.span for note in problem.notes))
        state.report((problem,), next(filter(None, map(subject_at, spans)), ""))
    for lost in document.lost:
        if subject := _lost_subject(lost, prefix):
            state.broken.setdefault(subject, replace(lost.cause, subject=subject))
            if lost.section == "datasets":
                state.lost_events |= dict.fromkeys((f"{prefix}{key}" for key in lost.keys), lost.cause)


def _lost_subject(lost: Any, prefix: str) -> str:
    if lost.section == "tests":
        return "test:"
    kind = KINDS.get(lost.section)
    return f"{kind}:{'' if kind == 'dimension' else prefix}{lost.name}" if kind and lost.name else ""


def _goal_places(kpi: Definition) -> Iterator[tuple[int, int, str]]:
    """Yield where a KPI states goals of its own: what is wrong there leaves out the goal alone."""
    node = kpi.value
    if not isinstance(node, Fields):
        return
    for key in ("goal", "goals"):
        if (entry := node.entries.get(key)) is None or entry.key.source is not kpi.key.source:
            continue
        yield entry.key.start, entry.value.end, f"goal:{kpi.name}"
        if key == "goals" and isinstance(entry.value, Fields):
            for one in entry.value.entries.values():
                yield one.key.start, max(one.key.end, one.value.end), f"goal:{kpi.name}.{one.key.written}"


def _case_places(root: Node | None) -> list[tuple[int, int, str]]:
    cases = root.get("tests") if isinstance(root, Fields) else None
    if not isinstance(cases, Items):
        return []
    return [(item.start, item.end, _case_subject(item)) for item in cases.items]


def _case_subject(item: Node) -> str:
    name = text(item.get("name")) if isinstance(item, Fields) else None
    return f"test:{name or ''}"


def _build_definition(state: _State, definition: Definition, sets: Mapping[str, str]) -> None:
    name, value, span = definition.name, definition.value, definition.key.span
    problems: Problems = []
    match definition.kind:
        case "constant":
            constant = build_constant(name, value, span, sets.get(name), problems)
            _keep(state.constants, name, constant)
        case "dataset":
            problems += later.later_in_dataset(value)
            dataset = build_dataset(name, value, span, definition.base, problems)
            if dataset is not None and not problems and (missing := missing_time(name, dataset)):
                problems.append(missing)
            _keep(state.datasets, name, None if dataset is None else rename_dataset(dataset, state.view.names))
        case "event" if is_derived(value):
            derived = build_derived(name, value, span, problems)
            _keep(state.derived, name, None if derived is None else rename_derived(derived, state.view.names))
        case "event":
            contract = build_contract(name, value, span, problems)
            if contract is not None:
                contract = rename_contract(contract, state.view.names)
                before = state.contracts.get(name)
                _keep(state.contracts, name, contract if before is None else agree(before, contract, problems))
        case "group":
            group = build_group(name, value, span, problems)
            _keep(state.groups, name, None if group is None else rename_group(group, state.view.names))
        case "kpi":
            grains = () if "calendar" in state.broken else state.calendar.grains
            kpi = build_kpi(name, value, span, grains, Folder(definition.base, state.bounds), problems)
            if kpi is not None:
                kpi = replace(rename_kpi(kpi, state.view.names), origin=definition.origin)
                _keep(state.kpis, name, replace(kpi, hidden=kpi.hidden or definition.hidden))
            _build_goals(state, definition)
        case "goal":
            if isinstance(value, Fields):
                goal = build_goal(name, value, span, Folder(definition.base, state.bounds), problems)
                _keep_goal(state, goal, definition)
        case "dimension":
            _keep(state.dimensions, name, build_dimension(name, value, span, problems))
        case "funnel":
            funnel = build_funnel(name, value, span, problems)
            if funnel is not None:
                funnel = replace(rename_funnel(funnel, state.view.names), origin=definition.origin)
            _keep(state.funnels, name, funnel)
        case "cohort":
            grains = () if "calendar" in state.broken else state.calendar.grains
            cohort = build_cohort(name, value, span, grains, problems)
            if cohort is not None:
                cohort = replace(rename_cohort(cohort, state.view.names), origin=definition.origin)
            _keep(state.cohorts, name, cohort)
        case "diagnosis":
            diagnosis = build_diagnosis(name, value, span, problems)
            _keep(state.diagnoses, name, None if diagnosis is None else rename_diagnosis(diagnosis, state.view.names))
        case kind:
            assert_never(kind)
    state.report(problems, definition.subject)


def _build_goals(state: _State, definition: Definition) -> None:
    """Build the goals that a KPI states; one that is wrong leaves out itself alone."""
    found: dict[str, Problems] = {}
    for goal in goals_of_kpi(definition.name, definition.value, Folder(definition.base, state.bounds), found):
        _keep_goal(state, goal, definition)
    for name, problems in found.items():
        state.report(problems, f"goal:{name}")


def _keep_goal(state: _State, goal: Goal, definition: Definition) -> None:
    """Keep a goal, unless its name is taken."""
    first = state.goals.get(goal.name)
    if first is not None:
        notes = (Note(f"`{goal.name}` is here", first.span),)
        hint = "a KPI's own goal has the KPI's name; choose another name"
        problem = Diagnostic("duplicate-name", f"the goal `{goal.name}` is defined twice", goal.span, hint, notes)
        state.report((problem,), f"goal:{goal.name}")
        return
    renamed = rename_goal(goal, state.view.names, definition.kind == "kpi")
    state.goals[goal.name] = replace(renamed, origin=definition.origin)


def _keep(where: dict[str, Any], name: str, item: object | None) -> None:
    if item is not None:
        where[name] = item


def _build_sections(state: _State, part: Part) -> None:
    """Build what has no names: the calendar, how often to review, the tests; `currency` is of a later version.

    All of them are those of the project: what is included has none of them here.
    """
    calendars: list[Scalar] = []
    others: list[Scalar] = []
    own = {id(document) for document, _, _ in part.documents}
    for document, base, _ in _documents(part):
        root = document.root
        if not isinstance(root, Fields):
            continue
        if root.get("currency") is not None:
            state.report((later.not_yet("`currency`", root.entries["currency"].key),), "currency")
        if (allowed := root.entries.get(KEY)) is not None and id(document) not in own:
            state.report((_allowed_by_others(allowed.key),), "")
        if (every := root.entries.get(reviews.KEY)) is not None and id(document) not in own:
            state.report((_review_of_others(every.key),), "")
        elif every is not None:
            _build_review(state, every)
        if (calendar := root.get("calendar")) is not None:
            key = root.entries["calendar"].key
            if id(document) not in own:
                others.append(key)
            else:
                calendars.append(key)
                _build_calendar(state, calendar, base, calendars)
        cases = root.get("tests")
        for item in cases.items if isinstance(cases, Items) and id(document) in own else ():
            _build_case(state, item)
    if not calendars:  # of a project that states its own nobody expects another's
        state.report([_calendar_of_others(key) for key in others], "")


def _calendar_of_others(key: Scalar) -> Diagnostic:
    message = "the calendar of an included file does not count: periods are those of the project"
    return Diagnostic("passed-over", message, key.span, severity=Severity.NOTE)


def _allowed_by_others(key: Scalar) -> Diagnostic:
    message = "what an included file allows does not count: the project says which folders may be read"
    return Diagnostic("passed-over", message, key.span, severity=Severity.NOTE)


def _review_of_others(key: Scalar) -> Diagnostic:
    message = "how often an included file is reviewed does not count: the project says it, or the KPI itself"
    return Diagnostic("passed-over", message, key.span, severity=Severity.NOTE)


def _build_review(state: _State, every: Entry) -> None:
    problems: Problems = []
    if state.review_every is not None:
        message = f"a second `{reviews.KEY}`: one holds for the whole project"
        problems.append(Diagnostic("duplicate-name", message, every.key.span, "keep one, or write it at a KPI"))
    state.review_every = reviews.build_interval(every.value, problems)
    state.report(problems, "")


def _build_calendar(state: _State, node: Node, base: Path, keys: list[Scalar]) -> None:
    if not isinstance(node, Fields):
        return
    problems: Problems = []
    if len(keys) > 1:
        notes = (Note("the first one is here", keys[0].span),)
        problems.append(Diagnostic("duplicate-name", "a second calendar", keys[-1].span, "keep one", notes))
    state.calendar = build_calendar(node, Folder(base, state.bounds), problems)
    state.notes = build_notes(node, problems)
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


def _check_sets(state: _State, definitions: list[Definition], sets: Mapping[str, str]) -> None:
    names = {d.name for d in definitions if d.kind == "constant"}
    names |= {subject.removeprefix("constant:") for subject in state.broken if subject.startswith("constant:")}
    for name, value in sets.items():
        if name not in names:
            known = ", ".join(sorted(names)) or "none"
            hint = did_you_mean(name, names)
            span = text_of(f"{name}={value}", SET).at(0, len(name))
            notes = (Note(f"constants: {known}"),)
            state.found.append(Diagnostic("unknown-constant", f"no constant is named `{name}`", span, hint, notes))


def _spread(state: _State, definitions: list[Definition]) -> None:
    """Let errors reach what cannot stand without: a dataset its events, the calendar every KPI."""
    provided = {name for definition in definitions for name in state.view.events(definition)}
    for name, lost in state.lost_events.items():
        if name not in provided:
            state.broken.setdefault(f"event:{name}", lost)
    for definition in definitions:
        if cause := state.broken.get(definition.subject):
            for name in state.view.events(definition):
                state.broken.setdefault(f"event:{name}", cause)
        if definition.kind == "kpi" and (calendar := state.broken.get("calendar")) is not None:
            state.broken.setdefault(definition.subject, calendar)
