"""How goals are set: each held against the rules of SMART, with the data where that is to be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from smartkpi.api.failures import DataError, UsageError, failing_as
from smartkpi.api.goals import GoalAsk, ask_goals, datasets_of, lost_goals, select_goals, targets_of, unknown_segments
from smartkpi.api.pipeline import Opened, open_data
from smartkpi.api.question import parse_moment_of
from smartkpi.assess.book import Book
from smartkpi.assess.observed import OBSERVED
from smartkpi.assess.past import look_back
from smartkpi.assess.smart import NOT_READ, Case, Known, Score, score
from smartkpi.assess.stated import STATED
from smartkpi.diagnostics import Diagnostic, Severity
from smartkpi.engines.polars.engine import PolarsEngine
from smartkpi.engines.polars.meter import Progress
from smartkpi.semantics.check import Checked
from smartkpi.semantics.goal import TypedGoal
from smartkpi.semantics.past import past_first, past_of
from smartkpi.spec.load import Loaded

JUDGES = {**STATED, **OBSERVED}
GONE = "the data cannot be read"


def score_goals(
    loaded: Loaded,
    handed: Mapping[str, object],
    checked: Checked,
    patterns: tuple[str, ...],
    as_of: str | date | datetime | None = None,
    progress: Progress | None = None,
    *,
    data: bool = False,
) -> tuple[tuple[Score, ...], tuple[Diagnostic, ...]]:
    """Return goals by the rules, and what is wrong with the data. Raises UsageError for a name that finds nothing."""
    with failing_as(UsageError):
        moment = parse_moment_of(loaded.catalog.calendar, as_of)
    lost = lost_goals(checked)
    chosen = select_goals(checked, GoalAsk(patterns), lost)
    names = [name for name in chosen if not _is_cancelled(checked, name)]
    known: dict[str, Known] = {}
    problems: tuple[Diagnostic, ...] = ()
    if data:
        goals = [name for name in names if name in checked.goals]
        opened = open_data(loaded, handed, datasets_of(checked, goals))
        checked = opened.checked
        known, problems = _known(opened, [name for name in goals if name in checked.goals], moment, progress)
    everything = (*loaded.diagnostics, *checked.diagnostics, *problems)
    origins = {event: _origin(checked, event) for event in checked.events}
    scores = (
        score(
            Case(
                name,
                checked.catalog.goals.get(name),
                checked.goals.get(name),
                loaded.catalog.calendar,
                checked.goals,
                checked.kpis,
                tuple(_refusing(everything, name)),
                known.get(name),
                GONE if data else NOT_READ,
                origins,
                bare=not loaded.catalog.datasets,
            ),
            JUDGES,
        )
        for name in names
    )
    return tuple(scores), problems


def _is_cancelled(checked: Checked, name: str) -> bool:
    goal = checked.catalog.goals.get(name)
    return goal is not None and goal.stage == "cancelled"


def _refusing(found: Sequence[Diagnostic], name: str) -> Iterator[Diagnostic]:
    """Yield what leaves a goal out."""
    for one in dict.fromkeys(found):
        if one.subject == f"goal:{name}" and (one.severity is Severity.ERROR or one.code == "depends-on-broken"):
            yield one


def _origin(checked: Checked, event: str) -> str:
    """Return from which rows an event is counted: `order: shop, visits.csv`."""
    found = []
    for binding in checked.events[event]:
        dataset = checked.datasets.get(binding.dataset)
        read = dataset.spec.read if dataset is not None else None
        found.append(binding.dataset + (f" ({read.path})" if read is not None else ""))
    return f"{event}: {', '.join(found)}" if found else f"{event}: no dataset"


def _known(
    opened: Opened, names: Sequence[str], as_of: date | datetime | None, progress: Progress | None
) -> tuple[dict[str, Known], tuple[Diagnostic, ...]]:
    """Ask for the values and the past of goals, those with the same segments together."""
    checked, found = opened.checked, dict[str, Known]()
    problems: list[Diagnostic] = [one for one in opened.data if one.severity is Severity.ERROR]
    groups: dict[tuple[str, ...], list[TypedGoal]] = {}
    for name in names:
        goal = _with_past(checked, checked.goals[name])
        if all(kpi.datasets <= set(opened.tables) for kpi in goal.questions.values()):
            groups.setdefault(goal.by, []).append(goal)
    engine = PolarsEngine(opened.tables, progress)
    for by, goals in groups.items():
        try:
            since = min(past_first(goal, checked.catalog.calendar) for goal in goals)
            asked = ask_goals(checked, engine, by, goals, as_of, optimized=True, since=since)
        except DataError as error:
            problems += error.diagnostics
            continue
        problems += (one for one in asked.problems if one.severity is Severity.ERROR)
        for goal in goals:
            if goal.questions["value"].name in asked.left_out:
                continue
            book = asked.book(goal, past_first(goal, checked.catalog.calendar))
            problems += unknown_segments(goal, book, checked)
            found[goal.name] = _look(book)
    return found, tuple(problems)


def _with_past(checked: Checked, goal: TypedGoal) -> TypedGoal:
    assert checked.space is not None
    return replace(goal, questions={**goal.questions, **past_of(goal, checked.space)})


def _look(book: Book) -> Known:
    return look_back(book, list(targets_of(book)), sorted(book.goal.kpi.events))
