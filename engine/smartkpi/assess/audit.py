"""The regular review of a project: what nobody answers for, decides by, can explain, measures or asks for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from smartkpi.assess.alike import at_root, bare, canonical, core, is_filter_of, sieved
from smartkpi.language import syntax
from smartkpi.periods.windows import day_after
from smartkpi.rules import Rule, rules
from smartkpi.semantics.check import Checked
from smartkpi.semantics.formula import Expr
from smartkpi.source import Span
from smartkpi.spec.model import Derived, Formula, Kpi, Silence
from smartkpi.tree import walk

OWN = ("owner", "decision", "description", "threshold", "goal", "review")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a rule finds wanting: its name, what is to be said of it beside that, and its place."""

    name: str
    detail: str = ""
    place: Span | None = None


@dataclass(frozen=True, slots=True)
class Concern:
    """What a rule finds, among how many, and the line that mends it."""

    rule: Rule
    subjects: tuple[Subject, ...]
    among: int
    what: str
    write: str


@dataclass(frozen=True, slots=True)
class Audit:
    """A project as it was found on a day: how much there is, what is of concern, and what is silenced, by KPI.

    ``included`` is a KPI of a pack that lacks what each project says for itself.
    """

    day: date
    counts: Mapping[str, int]
    concerns: tuple[Concern, ...]
    silenced: tuple[tuple[str, Silence], ...]
    included: str = ""


def audit(checked: Checked, day: date) -> Audit:
    """Return what there is to review in a project on a day."""
    catalog = checked.catalog
    shown = [kpi for kpi in catalog.kpis.values() if not (kpi.hidden or kpi.deprecated or kpi.part_of)]
    counts = {"KPI": len(shown), "goal": len(catalog.goals), "dataset": len(catalog.datasets),
              "event": len(_events(checked)), "dimension": len(catalog.dimensions),
              "funnel": len(catalog.funnels)}  # fmt: skip
    steps = sum(len(funnel.steps) for funnel in catalog.funnels.values())
    quiet: list[tuple[str, Silence]] = []
    concerns = []
    for code, (what, among, write, find) in CHECKS.items():
        subjects = []
        for one in find(checked, shown, day):
            kpi = catalog.kpis.get(one.name)
            silence = next((s for s in (kpi.lint if kpi is not None else ()) if s.rule == code), None)
            if silence is not None:
                quiet.append((one.name, silence))
            else:
                subjects.append(one)
        if subjects:
            total = steps if among == "step" else counts[among]
            concerns.append(Concern(rules()[code], tuple(subjects), total, what, write))
    return Audit(day, counts, tuple(concerns), tuple(quiet), _included(concerns, catalog.kpis))


def _included(concerns: Sequence[Concern], kpis: Mapping[str, Kpi]) -> str:
    """Return the first KPI of a pack that lacks what each project says for itself; none: ""."""
    lacking = (one.name for concern in concerns if concern.rule.code in OWN for one in concern.subjects)
    return next((name for name in lacking if name in kpis and kpis[name].origin is not None), "")


Find = Callable[[Checked, Sequence[Kpi], date], Iterator[Subject]]


def _without(lacks: Callable[[Kpi], bool]) -> Find:
    def find(_: Checked, kpis: Sequence[Kpi], __: date) -> Iterator[Subject]:
        return (Subject(kpi.name, place=kpi.span) for kpi in kpis if lacks(kpi))

    return find


def _undescribed(checked: Checked, kpis: Sequence[Kpi], _: date) -> Iterator[Subject]:
    texts = [text for kpi in checked.catalog.kpis.values() for text in (kpi.label, kpi.description, kpi.decision)]
    languages = {language for labels in texts for language, _ in labels.texts if language}
    for kpi in kpis:
        known = {language for language, _ in kpi.description.texts}
        lacking = sorted(languages - known) if "" not in known else []
        called = {_plainly(text) for text in (kpi.name, *(text for _, text in kpi.label.texts))}
        if not known:
            yield Subject(kpi.name, "", kpi.span)
        elif any(_plainly(text).rstrip(".。") in called for _, text in kpi.description.texts):
            yield Subject(kpi.name, "says no more than its name", kpi.span)
        elif lacking:
            yield Subject(kpi.name, f"not in {', '.join(lacking)}", kpi.span)


def _aimless(checked: Checked, kpis: Sequence[Kpi], day: date) -> Iterator[Subject]:
    aimed = {
        goal.kpi
        for name, goal in checked.catalog.goals.items()
        if goal.stage != "cancelled" and (name not in checked.goals or checked.goals[name].last() >= day)
    }
    return (Subject(kpi.name, place=kpi.span) for kpi in kpis if kpi.name not in aimed)


def _unreviewed(checked: Checked, kpis: Sequence[Kpi], day: date) -> Iterator[Subject]:
    usual = checked.catalog.review_every
    for kpi in kpis:
        every = kpi.review_every or usual
        if kpi.reviewed is None:
            yield Subject(kpi.name, "never", kpi.span)
        elif (due := day_after(kpi.reviewed, every)) < day:
            own = "" if every == usual else f", each {every}"
            yield Subject(kpi.name, f"was due on {due}{own}", kpi.span)


def _overlapping(checked: Checked, kpis: Sequence[Kpi], _: date) -> Iterator[Subject]:
    known = [(kpi, canonical(typed, checked.kpis)) for kpi in kpis
             if (typed := checked.kpis.get(kpi.name)) is not None and not typed.dated]  # fmt: skip
    events = sieved(checked)
    same: dict[Expr, tuple[str, Expr, str]] = {}
    alike: dict[Expr, list[tuple[Kpi, Expr]]] = defaultdict(list)
    for kpi, formula in known:
        whole = at_root(formula, events)
        inner, how = core(whole)
        if inner in same:
            name, other, otherwise = same[inner]
            yield Subject(kpi.name, f"is `{name}`{'' if whole == other else f', {how or otherwise}'}", kpi.span)
            continue
        same[inner] = kpi.name, whole, how
        alike[bare(formula)].append((kpi, formula))
    for group in alike.values():
        for kpi, formula in group:
            wider = next((other.name for other, one in group if other is not kpi and is_filter_of(formula, one)), None)
            if wider is not None:
                yield Subject(kpi.name, f"is `{wider}` under a condition", kpi.span)


def _namesakes(_: Checked, kpis: Sequence[Kpi], __: date) -> Iterator[Subject]:
    """Yield what is labelled as another is; synonyms may be of several, and what is included twice is one."""
    known: dict[str, Kpi] = {}
    for kpi in kpis:
        for _language, text in kpi.label.texts:
            other = known.setdefault(_plainly(text), kpi)
            if other is not kpi and other.formula.expr.span != kpi.formula.expr.span:
                yield Subject(kpi.name, f"is called `{text}`, as is `{other.name}`", kpi.span)
                break


def _plainly(text: str) -> str:
    return " ".join(text.replace("_", " ").casefold().split())


def _outdated(checked: Checked, _: Sequence[Kpi], __: date) -> Iterator[Subject]:
    old = {name for name, kpi in checked.catalog.kpis.items() if kpi.deprecated}
    for name, typed in checked.kpis.items():
        for used in sorted(typed.kpis & old):
            if name not in old:
                yield Subject(name, f"stands on `{used}`", checked.catalog.kpis[name].span)
    for name, goal in checked.catalog.goals.items():
        if goal.kpi in old and goal.stage != "cancelled":
            yield Subject(name, f"is a goal for `{goal.kpi}`", goal.span)


def _unprovided(checked: Checked, kpis: Sequence[Kpi], _: date) -> Iterator[Subject]:
    if not checked.catalog.datasets:
        return
    for kpi in kpis:
        typed = checked.kpis.get(kpi.name)
        if typed is not None and typed.missing:
            yield Subject(kpi.name, f"lacks {', '.join(f'`{event}`' for event in sorted(typed.missing))}", kpi.span)


def _events(checked: Checked) -> dict[str, Span]:
    """Return the events that datasets provide, and those derived, each with its place."""
    catalog = checked.catalog
    bound = {event: one.span for dataset in catalog.datasets.values() for event, one in dataset.events.items()}
    return bound | {name: one.span for name, one in catalog.derived.items()}


def _unwatched(checked: Checked, kpis: Sequence[Kpi], day: date) -> Iterator[Subject]:
    """Yield the steps of funnels that have no rows, or that no KPI with thresholds or a goal is about."""
    aimless = {one.name for one in _aimless(checked, kpis, day)}
    derived = checked.catalog.derived
    watched = [kpi.name for kpi in kpis if (kpi.thresholds or kpi.name not in aimless) and kpi.name in checked.kpis]
    seen = _behind((event for name in watched for event in checked.kpis[name].events), derived)
    for name, funnel in checked.catalog.funnels.items():
        parts = [one for one in checked.kpis.values() if one.spec.part_of == name]
        missing = {event for one in parts for event in one.missing}
        for step in funnel.steps:
            named = set(_names(step.event))
            lacking = sorted(_behind(named, derived) & missing)
            if lacking:
                yield Subject(f"{name}: {step.name}", f"lacks {', '.join(f'`{one}`' for one in lacking)}", step.span)
            elif not named & seen:
                yield Subject(f"{name}: {step.name}", "has no thresholds, no goal", step.span)


def _behind(events: Iterable[str], derived: Mapping[str, Derived]) -> set[str]:
    """Return events, and those that they are made of."""
    seen: set[str] = set()
    stack = list(events)
    while stack:
        event = stack.pop()
        if event not in seen:
            seen.add(event)
            stack += _names(derived[event].formula) if event in derived else ()
    return seen


def _unmeasured(checked: Checked, _: Sequence[Kpi], __: date) -> Iterator[Subject]:
    named = [event for kpi in checked.kpis.values() for event in kpi.events]
    named += [name for kpi in checked.catalog.kpis.values() for one in kpi.formulas for name in _names(one)]
    seen = _behind(named, checked.catalog.derived)
    for event, place in _events(checked).items():
        if event not in seen:
            yield Subject(event, place=place)


def _names(formula: Formula | None) -> list[str]:
    """Return the names in an expression as written: the first part of each, and its last."""
    if formula is None:
        return []
    nodes = [node for node in walk(formula.expr) if isinstance(node, syntax.Name)]
    return [name for node in nodes for name in (node.parts[0], node.parts[-1])]


def _unasked(checked: Checked, _: Sequence[Kpi], __: date) -> Iterator[Subject]:
    catalog = checked.catalog
    used: set[str] = set()
    for kpi in catalog.kpis.values():
        used.update(name.split(".")[-1] for name in kpi.by)
        used.update(name for one in (*kpi.formulas, kpi.where) for name in _names(one))
        used.update(scope.dimension.split(".")[-1] for scope in kpi.rules.scopes)
        rows = kpi.rules.benchmark.rows if kpi.rules.benchmark is not None else ()
        used.update(name.split(".")[-1] for row in rows for name, _ in row.segment)
    for goal in catalog.goals.values():
        used.update(name.split(".")[-1] for name in goal.by)
        used.update(_names(goal.where))
    used.update(name for one in catalog.derived.values() for name in _names(one.formula))
    known = catalog.dimensions
    for _depth in range(len(known)):  # a parent is asked for by drilling down from it
        used |= {one.parent.split(".")[-1] for name, one in known.items() if name in used and one.parent}
    return (Subject(name, place=one.span) for name, one in known.items() if name not in used)


CHECKS: Mapping[str, tuple[str, str, str, Find]] = {
    "owner": ("no owner", "KPI", "owner: NAME", _without(lambda kpi: not kpi.owner)),
    "decision": ("no decision", "KPI", "decision: what is done when it moves",
                 _without(lambda kpi: not kpi.decision.texts)),
    "description": ("not described", "KPI", "description: one sentence that a new colleague understands", _undescribed),
    "threshold": ("no thresholds", "KPI", "thresholds: {good: at least 5%, warning: at least 3%}",
                  _without(lambda kpi: not kpi.thresholds)),
    "goal": ("no goal ahead", "KPI", "goal: {target: 6%, deadline: 2026-12-31, owner: NAME}", _aimless),
    "review": ("review is overdue", "KPI", "reviewed: the day on which it was looked over", _unreviewed),
    "overlap": ("the same, or a part of it", "KPI", "keep one name, and ask for the part with --where or --by",
                _overlapping),
    "namesake": ("called the same", "KPI", "label: … that tells the one from the other", _namesakes),
    "deprecated": ("stands on a deprecated KPI", "KPI", "formula: with the KPI that is to be used", _outdated),
    "unavailable": ("no data", "KPI", "datasets: … with its events, or include only what is used", _unprovided),
    "funnel": ("a step nobody watches", "step", "thresholds: or goal: at a KPI of that step, such as its rate",
               _unwatched),
    "unmeasured": ("no KPI measures it", "event", "a KPI that counts it, or take the event out", _unmeasured),
    "unasked": ("nobody asks for it", "dimension", "by: [it] at a KPI that is read so, or take it out", _unasked),
}  # fmt: skip
"""What each rule finds: in words, among what, the line that mends it, and the function."""
