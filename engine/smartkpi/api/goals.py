"""How goals stand: their KPIs asked in one run, each goal, segment and period judged, and rolled up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import smartkpi
from smartkpi.api.failures import DataError, DefinitionError, UsageError, failing_as
from smartkpi.api.pipeline import Collected, Opened, collect, info_of, open_data
from smartkpi.api.question import parse_moment_of
from smartkpi.assess.book import Book, period_keys
from smartkpi.assess.earlier import LEAST
from smartkpi.assess.projection import Projector
from smartkpi.assess.rollup import roll_up, scorecards
from smartkpi.assess.series import Series, Span, merge, read_series, span_of
from smartkpi.assess.standing import Standing, history, retrace, stand, stand_in_period, suppose
from smartkpi.derive.coverage import cover_of
from smartkpi.derive.derive import Derived, derive
from smartkpi.derive.levels import derive_totals
from smartkpi.diagnostics import Diagnostic, Severity, errors
from smartkpi.engines.answer import Answer
from smartkpi.engines.polars.engine import PolarsEngine
from smartkpi.engines.polars.meter import Progress
from smartkpi.nearest import did_you_mean
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.text import parse_period
from smartkpi.plan.nodes import Plan
from smartkpi.report import goals as report
from smartkpi.report.aims import to_frame
from smartkpi.report.style import Style
from smartkpi.result import Goals, Provenance
from smartkpi.semantics.check import Checked, check
from smartkpi.semantics.findings import listing
from smartkpi.semantics.formula import TypedKpi
from smartkpi.semantics.goal import Bounds, Segment, TypedGoal
from smartkpi.semantics.parts import near_segment
from smartkpi.semantics.question import Question
from smartkpi.semantics.reached import datasets_behind
from smartkpi.sources.tables import Table
from smartkpi.spec.load import Loaded

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
WIDTH = 100


@dataclass(frozen=True, slots=True)
class GoalAsk:
    """A question about goals as it was put; ``whole``: only over all segments. A ``projector`` projects totals."""

    goals: tuple[str, ...] = ()
    owner: str | None = None
    period: str | None = None
    as_of: str | date | datetime | None = None
    history: bool = False
    optimize: bool = True
    whole: bool = False
    projector: Projector | None = None
    what_if: tuple[float, ...] = ()
    required: bool = False
    course: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """Goals as they stand, with what is wrong and where the values come from."""

    standings: tuple[Standing, ...]
    problems: tuple[Diagnostic, ...]
    left_out: Mapping[str, str]
    provenance: Provenance


def answer_goals(
    loaded: Loaded, handed: Mapping[str, object], ask: GoalAsk, lang: str = "en", progress: Progress | None = None
) -> Goals:
    """Return how goals stand. Goals with an error are left out; KpiError where none is left."""
    catalog = loaded.catalog
    with failing_as(UsageError):
        period = None if ask.period is None else parse_period(catalog.calendar, ask.period)[1:]
        as_of = parse_moment_of(catalog.calendar, ask.as_of)
    checked = check(catalog)
    lost = lost_goals(checked)
    names = select_goals(checked, ask, lost)
    left_out = {name: "definition" for name in names if name in lost}
    kept = tuple(name for name in names if name in checked.goals)
    if not kept and names:
        raise DefinitionError(*errors((*loaded.diagnostics, *checked.diagnostics)))
    needed = _with_children(checked.goals, kept)
    opened = open_data(loaded, handed, datasets_of(checked, needed))
    judged = judge(opened, needed, as_of, ask, period, optimized=ask.optimize, progress=progress)
    left_out |= {name: reason for name, reason in judged.left_out.items() if name in kept}
    rows = [one for one in judged.standings if one.goal.name in kept and _concerns(one, ask, period)]
    whole = not ask.goals or "definition" in left_out.values()
    mine = (one for one in opened.definitions if _is_about(one, {*kept, *left_out}, whole))
    diagnostics = tuple(dict.fromkeys((*mine, *opened.data, *judged.problems)))
    if names and not rows and left_out and errors(diagnostics):
        raise (DataError if set(left_out.values()) == {"data"} else DefinitionError)(*errors(diagnostics))
    _check_supposed(rows, ask)
    frame = to_frame(rows)
    shown = {one.goal.kpi.name for one in rows}
    return Goals(
        frame=frame,
        standings=tuple(rows),
        scores=tuple(scorecards((one for one in rows if _counts(one, rows, ask)), catalog.calendar)),
        kpis={name: info_of(opened.checked.kpis[name]) for name in opened.checked.kpis if name in shown},
        provenance=judged.provenance,
        diagnostics=diagnostics,
        left_out=left_out,
        history=ask.history,
        required=ask.required,
        calendar=catalog.calendar,
        display=partial(_display, lang),
    )


def _check_supposed(rows: Sequence[Standing], ask: GoalAsk) -> None:
    """Refuse to suppose anything of goals none of which has an estimate."""
    if ask.what_if and ask.history:
        hint = "leave `--history` out, or `--what-if`"
        raise UsageError(Diagnostic("bad-what-if", "what was is not to be supposed, only what comes", hint=hint))
    if not ask.what_if or not rows or any(one.what_if is not None for one in rows):
        return
    names = ", ".join(dict.fromkeys(f"`{one.goal.name}`" for one in rows))
    hint = "it takes days that are left and three full weeks of history, of what does not add up three windows"
    raise UsageError(Diagnostic("no-estimate", f"no estimate says where {names} may end", hint=hint))


def _display(lang: str, goals: Goals, form: str) -> str:
    style = Style(width=None if form == "html" else WIDTH, lang=lang)
    return report.html(goals, style) if form == "html" else report.table(goals, style)


def _counts(one: Standing, rows: Sequence[Standing], ask: GoalAsk) -> bool:
    """Return whether a row counts in a scorecard: nothing supposed does, and of a history the last day alone."""
    if one.what_if is not None:
        return False
    return not ask.history or one.day == max(o.day for o in rows if o.goal is one.goal and o.segment == one.segment)


def _is_about(one: Diagnostic, names: set[str], whole: bool) -> bool:
    """Return whether a diagnostic is to be shown with these goals: of all, or of one left out, every error is."""
    kind, _, name = one.subject.partition(":")
    mine = kind not in ("goal", "kpi") or (kind == "goal" and name in names)
    return mine or (whole and one.severity is Severity.ERROR)


def lost_goals(checked: Checked) -> dict[str, Diagnostic | None]:
    """Return the goals that an error leaves out."""
    broken = {key.removeprefix("goal:"): one for key, one in checked.catalog.broken.items() if key.startswith("goal:")}
    return {**broken, **{name: None for name in checked.catalog.goals if name not in checked.goals}}


def select_goals(checked: Checked, ask: GoalAsk, lost: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the goals that names, globs and KPIs ask for; all for none. Raises UsageError for what finds nothing."""
    known = [*checked.catalog.goals, *(name for name in lost if name not in checked.catalog.goals)]
    found: dict[str, None] = {} if ask.goals else dict.fromkeys(known)
    for pattern in ask.goals:
        some = (
            [pattern]
            if pattern in known
            else [name for name in known if fnmatchcase(name, pattern) or _kpi(checked, name) == pattern]
        )
        if not some:
            hint = did_you_mean(pattern, known)
            note = listing("goals", known)
            raise UsageError(Diagnostic("unknown-goal", f"no goal is named `{pattern}`", hint=hint, notes=note))
        found.update(dict.fromkeys(some))
    if ask.owner is not None:
        _check_owner(checked, ask.owner)
    return tuple(found)


def _kpi(checked: Checked, name: str) -> str:
    goal = checked.catalog.goals.get(name)
    return "" if goal is None else goal.kpi


def _check_owner(checked: Checked, owner: str) -> None:
    """Refuse an owner that no goal has, nor a segment of one."""
    people = {one for goal in checked.catalog.goals.values() for one in (goal.owner, *goal.contributors) if one}
    people |= {name for goal in checked.goals.values() for segment in goal.segments for name in segment}
    if not any(fnmatchcase(one, owner) for one in people):
        hint, note = did_you_mean(owner, people), listing("owners", people)
        raise UsageError(Diagnostic("unknown-owner", f"no goal is of `{owner}`", hint=hint, notes=note))


def _concerns(one: Standing, ask: GoalAsk, period: tuple[date, date] | None) -> bool:
    """Return whether a row is of the owner and period asked for."""
    spec = one.goal.spec
    if ask.owner is not None:
        people = one.segment or tuple(filter(None, (spec.owner, *spec.contributors)))
        if not any(fnmatchcase(name, ask.owner) for name in people):
            return False
    return period is None or (one.start < period[1] and one.deadline >= period[0])


def _with_children(goals: Mapping[str, TypedGoal], names: Iterable[str]) -> tuple[str, ...]:
    """Return goals, and those below them."""
    found = dict.fromkeys(names)
    while more := [n for n, goal in goals.items() if goal.spec.parent in found and n not in found]:
        found.update(dict.fromkeys(more))
    return tuple(found)


def datasets_of(checked: Checked, names: Iterable[str]) -> set[str]:
    """Return the datasets that goals read."""
    asked = [kpi for name in names for kpi in checked.goals[name].questions.values()]
    providers = {dataset for kpi in asked for dataset in kpi.datasets}
    return set(datasets_behind(checked, providers))


def judge(
    opened: Opened,
    names: Sequence[str],
    as_of: date | datetime | None,
    ask: GoalAsk = GoalAsk(),
    period: tuple[date, date] | None = None,
    *,
    optimized: bool = True,
    progress: Progress | None = None,
) -> Judged:
    """Return how goals stand over open tables: one question for all goals of the same segments."""
    checked = opened.checked
    left_out = {name: "definition" for name in names if name not in checked.goals}
    goals = [checked.goals[name] for name in names if name in checked.goals]
    for goal in goals:
        if _closed(goal, opened.tables):
            left_out[goal.name] = "data"
    groups: dict[tuple[str, ...], list[TypedGoal]] = {}
    for goal in goals:
        if goal.name not in left_out:
            groups.setdefault(goal.by, []).append(goal)
    problems: list[Diagnostic] = []
    found: dict[str, list[Standing]] = {}
    provenance = Provenance({}, {}, 0, checked.catalog.calendar.timezone, smartkpi.__version__)
    engine = PolarsEngine(opened.tables, progress)
    for by, some in groups.items():
        try:
            asked = ask_goals(checked, engine, by, some, as_of, optimized=optimized)
        except DataError as error:
            problems += error.diagnostics
            left_out |= {goal.name: "data" for goal in some}
            continue
        problems += asked.problems
        provenance = _joined(provenance, asked, some)
        for goal in some:
            if any(kpi.name in asked.left_out for kpi in goal.questions.values()):
                left_out[goal.name] = "data"
                continue
            book = replace(asked.book(goal), projector=ask.projector)
            wrong = list(unknown_segments(goal, book, checked))
            problems += wrong
            if wrong:
                left_out[goal.name] = "definition"
            else:
                found[goal.name] = list(_rows(book, ask, period))
    ordered = [one for name in names for one in found.get(name, ())]
    rolled = roll_up(ordered) if not ask.history else ordered
    return Judged(tuple(rolled), tuple(problems), left_out, provenance)


def current_goals(opened: Opened, question: Question) -> dict[str, Standing]:
    """Return how the goal that each KPI of a question has now stands; of several the one that ends first."""
    goals = opened.checked.goals
    names = [name for name, goal in goals.items() if goal.kpi.name in question.kpis and goal.spec.stage == "active"]
    if not names:
        return {}
    found: dict[str, Standing] = {}
    for one in judge(opened, names, question.as_of, GoalAsk(whole=True)).standings:
        before = found.get(one.goal.kpi.name)
        if one.segment is None and (before is None or _rank(one) < _rank(before)):
            found[one.goal.kpi.name] = one
    return {name: found[name] for name in question.kpis if name in found}


def _rank(one: Standing) -> tuple[int, int]:
    """Return how near a goal is: the one that runs and ends first, else the one that ended last, or begins first."""
    if one.start <= one.day <= one.deadline:
        return 0, one.deadline.toordinal()
    return (1, -one.deadline.toordinal()) if one.deadline < one.day else (2, one.start.toordinal())


def _closed(goal: TypedGoal, tables: Mapping[str, Table]) -> bool:
    return any(not kpi.datasets <= set(tables) for kpi in goal.questions.values())


@dataclass(frozen=True, slots=True)
class _Asked:
    """The answer to the question of goals with the same segments."""

    plan: Plan
    answer: Answer
    scans: int
    derived: Derived
    series: Mapping[str, Series]
    edges: Mapping[str, datetime | None]
    left_out: Mapping[str, str]
    problems: tuple[Diagnostic, ...]

    def book(self, goal: TypedGoal, first: date | None = None) -> Book:
        """Return what is known of a goal, from an earlier day on if one is given."""
        calendar = self.plan.calendar
        series = {role: self.series[kpi.name] for role, kpi in goal.questions.items() if kpi.name in self.series}
        return Book(goal, calendar, series, self.span(goal, calendar, first))

    def span(self, goal: TypedGoal, calendar: Calendar, first: date | None = None) -> Span:
        """Return the days that all datasets of a goal's own value cover."""
        value = goal.questions["value"]
        edge = self.edges.get(value.name)
        covers = [cover_of(self.plan, self.answer.coverage, name, edge) for name in sorted(value.datasets)]
        return span_of(calendar, covers, edge, first or goal.first(calendar), goal.last())


def ask_goals(
    checked: Checked,
    engine: PolarsEngine,
    by: tuple[str, ...],
    goals: Sequence[TypedGoal],
    as_of: date | datetime | None,
    *,
    optimized: bool,
    since: date | None = None,
) -> _Asked:
    """Ask for all values of goals at once, each by day or by its periods; with segments also over all of them."""
    calendar = checked.catalog.calendar
    apart = {name for goal in goals for name in earlier_of(goal)}
    kpis = {kpi.name: kpi for goal in goals for kpi in goal.questions.values() if kpi.name not in apart}
    question = Question(
        kpis=tuple(kpis),
        by=by,
        since=since or min(goal.first(calendar) for goal in goals),
        until=max(goal.last() for goal in goals) + DAY,
        as_of=as_of,
    )
    everything = replace(checked, kpis={**checked.kpis, **kpis})
    got = collect(everything, engine, question, question.kpis, optimized=optimized, totals=bool(by))
    derived = derive(got.plan, got.answer)
    edges = {name: None if moment is None else moment + TICK for name, moment in derived.as_of.items()}
    problems = (*got.problems, *got.answer.notes)
    series, scans = _series(got, derived, by), got.answer.scans
    asked = _Asked(got.plan, got.answer, scans, derived, series, edges, got.left_out, problems)
    for (first, last), some in _windows_of(asked, goals).items() if since is None else ():
        question = Question(kpis=tuple(some), by=by, since=first, until=last + DAY, as_of=as_of)
        within = replace(checked, kpis={**checked.kpis, **some})
        got = collect(within, engine, question, question.kpis, optimized=optimized, totals=bool(by))
        series |= _series(got, derive(got.plan, got.answer), by)
        scans += got.answer.scans
    return replace(asked, series=series, scans=scans)


def _series(got: Collected, derived: Derived, by: tuple[str, ...]) -> dict[str, Series]:
    """Return the values of each KPI, with segments also over all of them."""
    series = read_series(derived.frame, by, total=False)
    if by:
        series = merge(series, read_series(derive_totals(got.plan, got.answer).frame, by, total=True))
    return series


def earlier_of(goal: TypedGoal) -> dict[str, tuple[date, date]]:
    """Return the KPIs of a goal that are over windows before it, by name, each with its first and last day."""
    roles = {f"earlier{place}": window for place, window in enumerate(goal.earlier)}
    return {goal.questions[role].name: window for role, window in roles.items() if role in goal.questions}


def _windows_of(asked: _Asked, goals: Sequence[TypedGoal]) -> dict[tuple[date, date], dict[str, TypedKpi]]:
    """Return the windows before goals that have begun, with the KPIs over each; of those that data covers, if enough.

    Each is a question of its own, so that nothing but its days is read.
    """
    windows: dict[tuple[date, date], dict[str, TypedKpi]] = {}
    calendar = asked.plan.calendar
    for goal in goals:
        span, known = asked.span(goal, calendar), {kpi.name: kpi for kpi in goal.questions.values()}
        begun = span.edge is not None and span.edge > calendar.midnight(goal.start)
        covered = {
            name: window
            for name, window in earlier_of(goal).items()
            if begun and span.count(*window) == (window[1] - window[0]).days + 1
        }
        for name, window in covered.items() if len(covered) >= LEAST else ():
            windows.setdefault(window, {})[name] = known[name]
    return windows


def _joined(provenance: Provenance, asked: _Asked, goals: Sequence[TypedGoal]) -> Provenance:
    as_of = {goal.kpi.name: asked.derived.as_of.get(goal.questions["value"].name) for goal in goals}
    return replace(
        provenance,
        as_of={**provenance.as_of, **as_of},
        datasets={**provenance.datasets, **asked.derived.datasets},
        scans=provenance.scans + asked.scans,
    )


def unknown_segments(goal: TypedGoal, book: Book, checked: Checked) -> Iterator[Diagnostic]:
    """Yield targets of segments that neither the data has nor a dimension describes, each at its line."""
    if not goal.by or book.span.edge is None or goal.spec.stage == "draft":
        return
    known = set(book.of("known").segments()) | set(book.of("value").segments())
    fields = [sorted({segment[i] for segment in known} | _described(checked, name)) for i, name in enumerate(goal.by)]
    told: set[Segment] = set()
    for part in goal.spec.parts:
        if part.segment in known or part.segment in told or not part.segment:
            continue
        told.add(part.segment)
        for name, value, values in zip(goal.by, part.segment, fields, strict=True):
            if value not in values:
                message = f"no row of `{goal.kpi.name}` has the {name} `{value}`"
                hint, notes = near_segment(value, values), listing(name, values)
                yield Diagnostic("unmatched-target", message, part.span, hint, notes, subject=f"goal:{goal.name}")
                break


def _described(checked: Checked, name: str) -> set[str]:
    one = checked.catalog.dimensions.get(name.split(".")[-1])
    return set() if one is None else {*one.values, *one.order, *one.spellings.values()}


def _rows(book: Book, ask: GoalAsk, period: tuple[date, date] | None) -> Iterator[Standing]:
    """Yield the rows of a goal: over all segments, then each segment; of its periods those that were asked for."""
    for segment, target in targets_of(book):
        if ask.whole and segment is not None:
            continue
        if book.goal.kind == "each" and period is not None:
            inside = [(key, bounds) for key, bounds in period_keys(book, segment) if period[0] <= key < period[1]]
            if inside and not ask.history:
                for key, bounds in inside:
                    now = stand_in_period(book, segment, key, bounds)
                    yield now
                    yield from (one for one in (suppose(now, more) for more in ask.what_if) if one is not None)
                continue
        if ask.history:
            yield from history(book, segment, target)
            continue
        now = stand(book, segment, target)
        yield retrace(book, segment, target, now) if ask.course else now
        yield from (one for one in (suppose(now, more) for more in ask.what_if) if one is not None)


def targets_of(book: Book) -> Iterator[tuple[Segment | None, Bounds]]:
    """Yield what is judged, with its target: all together, where that has one or a sum; and each segment."""
    goal = book.goal
    whole = goal.targets.get((None, ()))
    if goal.kind == "each":
        if not goal.by or goal.nature == "additive":
            yield None, whole or Bounds()
        yield from ((segment, Bounds()) for segment in goal.segments)
        return
    parts = {segment: goal.targets[None, segment] for segment in goal.segments}
    if whole is None and goal.nature == "additive" and parts:
        whole = Bounds(sum(one.low for one in parts.values()))
    if whole is not None:
        yield None, whole
    yield from parts.items()
