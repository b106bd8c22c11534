"""The facts of a goal on a day, from the values of its KPIs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from smartkpi.assess.daily import Daily
from smartkpi.assess.goals import Facts, is_met
from smartkpi.assess.intervals import wilson
from smartkpi.assess.paths import Path, Piece, by_weekday, expected_after, like_before, linear, through, weekday_weights
from smartkpi.assess.projection import Projector
from smartkpi.assess.series import DAY, Point, Segment, Series, Span
from smartkpi.language.syntax import Duration
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.semantics.goal import HISTORY, Bounds, TypedGoal, a_year_before

NONE = Series()
HALVES = ("over", "under")
EMPTY = Point(0.0, 0, immature=False)
COUNTS, RATIOS = ("additive", "accumulating", "stock"), ("proportion", "rate")
OPERATORS = {">=": (True, True), "<=": (False, True), ">": (True, False), "<": (False, False)}


@dataclass(frozen=True, slots=True)
class Book:
    """All that is known of a goal: the values of its KPIs by role, and the days with data."""

    goal: TypedGoal
    calendar: Calendar
    series: Mapping[str, Series]
    span: Span
    projector: Projector | None = None
    paths: dict[tuple[Segment | None, int], Path | None] = field(default_factory=dict)
    histories: dict[tuple[str, Segment | None], Daily] = field(default_factory=dict)
    inner: dict[tuple[date, Bounds], Book] = field(default_factory=dict)
    keys: dict[Segment | None, list[tuple[date, Bounds]]] = field(default_factory=dict)
    spans: dict[date, tuple[date, date]] = field(default_factory=dict)
    prior: dict[Segment | None, list[float]] = field(default_factory=dict)

    def of(self, role: str) -> Series:
        """Return the values of a role."""
        return self.series.get(role, NONE)

    def history(self, role: str, segment: Segment | None) -> Daily:
        """Return the daily values of a role on covered days, from its first row on; of a ratio that of either half."""
        key = (role, segment)
        if key not in self.histories:
            points = self.of(role).points.get(segment, {})
            both = HALVES if role in HALVES else (role,)
            first = min((day for one in both for day in self.of(one).points.get(segment, {})), default=date.max)
            known = ((day, points.get(day, EMPTY)) for day in self.span.days if day >= first)
            values = {day: point.value for day, point in known if point.value is not None}
            self.histories[key] = Daily.of(values)
        return self.histories[key]


def _last(book: Book, segment: Segment | None, span: Span, due: date) -> date | None:
    """Return the data edge: the last day of the goal that is complete and mature, of coarser rows the last of those."""
    last = span.last
    if last is None:
        return None
    last = min(last, due)
    values = book.of("value")
    if book.goal.grain is not Grain.DAY and last < due:
        first = book.calendar.key(book.goal.grain, last + DAY)
        last = first - DAY if not isinstance(first, datetime) else last
    while last >= book.goal.start:
        point = values.at(segment, _key(book, last))
        if point is None or not point.immature:
            return last
        last -= DAY
    return last


def _key(book: Book, day: date) -> date:
    found = book.calendar.key(book.goal.grain, day)
    assert not isinstance(found, datetime)
    return found


def facts_of(book: Book, segment: Segment | None, target: Bounds, span: Span, due: date) -> Facts:
    """Return what is known of a goal with one value."""
    goal, spec = book.goal, book.goal.spec
    last = _last(book, segment, span, due)
    days = (due - goal.start).days + 1
    done = 0 if last is None else min(max((last - goal.start).days + 1, 0), days)
    point = point_at(book, segment, last) if done and last is not None else None
    value, sample = (None, None) if point is None else (point.value, point.sample)
    known = _baseline(book, segment, span)
    baseline, derived = known if known[0] is not None or not goal.fallback else (_first(book, segment, last), True)
    resolved = target.over(baseline)
    bound = None if resolved is None else resolved.low
    came = 0.0 if goal.kind == "total" else baseline
    pieces = _pieces(book, segment, came, bound, span)
    current = pieces[-1] if pieces else None
    aimed = current.target if current is not None else bound
    clock = _clock(book, span, due)
    facts = Facts(
        aim=goal.aim,
        kind=goal.kind,
        value=value,
        target=aimed,
        upper=resolved.high if resolved is not None else None,
        baseline=came,
        days=days,
        done=done,
        stage=goal.stage(span.ended or goal.start),
        sample=sample,
        later=sample * (days - done) / done if sample is not None and done and _adds_up(goal) else None,
        proportion=goal.nature == "proportion",
        guarded=goal.nature not in COUNTS,
        coverage=span.count(goal.start, last) / done if done and last is not None else 1.0,
        interval=_interval(goal, value, sample),
        monotone=goal.monotone,
        guardrail=_broken(book, segment, last),
        stretch=goal.stretch,
        revised=len(pieces) > 1 or due != goal.deadline,
        derived_baseline=derived,
        evidence=spec.evidence,
        commitment=spec.commitment,
        begun=clock.begun,
        gone=clock.gone,
        passed=clock.passed,
        closed=clock.closed,
    )
    return _on_path(facts, book, segment, pieces, last)


def _adds_up(goal: TypedGoal) -> bool:
    """Return whether it is a ratio whose halves add up over days: only then the rest has a ratio of its own."""
    return goal.nature in RATIOS and ("over" in goal.questions or goal.kpi.dated)


def expected_on(book: Book, segment: Segment | None, target: Bounds, done: int) -> float | None:
    """Return what is expected after so many days; of what is to stay, its target."""
    goal = book.goal
    baseline = _baseline(book, segment, book.span)[0]
    resolved = target.over(baseline)
    if resolved is None or (goal.kind != "total" and goal.aim not in ("increase", "decrease")):
        return None if resolved is None else resolved.low
    came = 0.0 if goal.kind == "total" else baseline
    pieces = _pieces(book, segment, came, resolved.low, book.span)
    return expected_after(came, pieces, done) if pieces and came is not None else None


@dataclass(frozen=True, slots=True)
class _Clock:
    """Where in time a goal is: begun, how many days are gone, its deadline passed, and closed with all its data."""

    begun: bool = False
    gone: int = 0
    passed: bool = False
    closed: bool = False


def _clock(book: Book, span: Span, due: date) -> _Clock:
    goal, calendar = book.goal, book.calendar
    if span.edge is None or span.ended is None:
        return _Clock(begun=True, gone=1)  # no data at all
    whole = span.last is not None and span.last >= due
    return _Clock(
        begun=span.edge > calendar.midnight(goal.start),
        gone=max((min(span.ended, due) - goal.start).days + 1, 0),
        passed=span.edge >= calendar.midnight(due + DAY),
        closed=whole and span.edge >= _after(calendar, due, goal.spec.settle),
    )


HOURS = {"h": timedelta(hours=1), "min": timedelta(minutes=1), "s": timedelta(seconds=1)}
DAYS = {"d": 1, "w": 7, "mo": 30, "q": 91, "y": 365}


def _after(calendar: Calendar, due: date, settle: Duration | None) -> datetime:
    """Return the instant from which on a deadline's data counts as whole: its end, and some time for late data."""
    if settle is None:
        return calendar.midnight(due + DAY)
    if settle.unit in HOURS:
        return calendar.midnight(due + DAY) + HOURS[settle.unit] * settle.count
    return calendar.midnight(due + DAY * (1 + DAYS[settle.unit] * settle.count))


def point_at(book: Book, segment: Segment | None, day: date) -> Point | None:
    """Return the value up to a day; of a total without a row yet it is zero, where days are covered."""
    point = book.of("value").at(segment, _key(book, day))
    if point is None and book.goal.kind == "total":
        return EMPTY
    return point


def _first(book: Book, segment: Segment | None, last: date | None) -> float | None:
    """Return the first value of a complete day since the start."""
    for day, point in sorted(book.of("value").points.get(segment, {}).items()):
        if point.value is not None and day >= book.goal.start and last is not None and day <= last:
            return point.value
    return None


def _baseline(book: Book, segment: Segment | None, span: Span) -> tuple[float | None, bool]:
    """Return where a goal comes from, and whether that was derived; None where its days are not covered enough."""
    goal = book.goal
    if goal.before is None:
        return goal.baseline, False
    first, last = goal.before
    derived = goal.spec.baseline is None
    if goal.kind == "level":
        point = book.of("value").at(segment, last)
        return (None if point is None else point.value), derived
    days = (last - first).days + 1
    if span.count(first, last) < goal.spec.evidence.min_coverage * days:
        return None, derived
    values = book.of("baseline").points.get(segment, {})
    known = [point.value for day, point in sorted(values.items()) if day <= (span.last or day)]
    return (known[-1] if known else 0.0 if goal.nature in ("additive", "accumulating") else None), derived


def _interval(goal: TypedGoal, value: float | None, sample: int | None) -> tuple[float, float] | None:
    """Return the 95 % interval of a share; of other values none is known."""
    if goal.nature != "proportion" or value is None or not sample:
        return None
    return wilson(value * sample, sample)


def _broken(book: Book, segment: Segment | None, last: date | None) -> str:
    """Return the first guardrail that does not hold."""
    for place, rail in enumerate(book.goal.rails):
        values = book.of(f"rail{place}")
        point = None if last is None else values.at(segment, _key(book, last))
        if book.goal.kind == "each" and last is not None:
            known = [one for day, one in sorted(values.points.get(segment, {}).items()) if day <= last]
            point = known[-1] if known else None
        if point is not None and point.value is not None and not _holds(rail.operator, point.value, rail.bound):
            return rail.kpi
    return ""


def _holds(operator: str, value: float, bound: float) -> bool:
    rising, inclusive = OPERATORS[operator]
    at = is_met("stay_above", value, bound) and is_met("stay_below", value, bound)
    if at:
        return inclusive
    return value > bound if rising else value < bound


def _pieces(
    book: Book, segment: Segment | None, baseline: float | None, target: float | None, span: Span
) -> list[Piece]:
    """Return what is headed for from which day on; nothing where there is no path."""
    goal = book.goal
    if target is None:
        return []
    today = span.ended or goal.start
    path = _path(book, segment, goal.deadline, baseline, target)
    if path is None:
        return []
    pieces = [Piece(0, target, path)]
    due = goal.deadline
    for one in goal.revisions:
        if one.start > today:
            break
        if not one.moves:
            continue
        due = one.deadline or due
        path = _path(book, segment, due, baseline, target)
        if path is None:
            return []
        target = one.target if one.target is not None else pieces[-1].target
        pieces.append(Piece((one.start - goal.start).days, target, path))
    return pieces


def _path(book: Book, segment: Segment | None, due: date, baseline: float | None, target: float) -> Path | None:
    """Return the path from a goal's start to a deadline; None where the data for it is lacking."""
    goal = book.goal
    days = (due - goal.start).days + 1
    key = (segment, days)
    if goal.spec.path == "milestones":
        points = [((day - goal.start).days + 1, value) for day, value in goal.milestones if day < due]
        found = None if baseline is None else through(days, baseline, points, target)
        book.paths[key] = found
        return found
    if key not in book.paths:
        book.paths[key] = _shape(book, segment, days)
    return book.paths[key]


def _shape(book: Book, segment: Segment | None, days: int) -> Path | None:
    goal = book.goal
    match goal.spec.path:
        case "weekday":
            first = goal.start - DAY * HISTORY
            return by_weekday(goal.start, days, weekday_weights(_daily(book, segment, first, goal.start - DAY)))
        case "last_year":
            first = a_year_before(goal.start)
            last = a_year_before(goal.start + DAY * (days - 1))
            values = _daily(book, segment, first, last)
            whole = len(values) == (last - first).days + 1
            return like_before(days, list(values.values())) if whole else None
        case _:
            return linear(days)


def _daily(book: Book, segment: Segment | None, first: date, last: date) -> dict[date, float]:
    """Return the values of covered days; one without rows is zero."""
    points = book.of("daily").points.get(segment, {})
    covered = book.span.days
    found: dict[date, float] = {}
    for day in covered:
        if first <= day <= last:
            point = points.get(day)
            value = 0.0 if point is None else point.value
            if value is not None:
                found[day] = value
    return found


def _on_path(facts: Facts, book: Book, segment: Segment | None, pieces: Sequence[Piece], last: date | None) -> Facts:
    """Return the facts with what is expected, or, of what is to stay, how many days were as wanted."""
    goal = book.goal
    if not facts.reaching:
        kept, counted = _kept(book, segment, facts, last)
        share = facts.done / facts.days
        return replace(facts, expected=facts.target, share=share, base=share, kept=kept, counted=counted)
    if not pieces or facts.target is None:
        return facts
    path = pieces[-1].path
    base = path.shares[min(facts.done, path.days)]
    left = path.left(min(facts.done, path.days))
    if facts.baseline is None:
        return replace(facts, share=base, base=base, left=left)
    expected = expected_after(facts.baseline, pieces, facts.done)
    share = base
    if (len(pieces) > 1 or goal.spec.path == "milestones") and facts.target != facts.baseline:
        share = (expected - facts.baseline) / (facts.target - facts.baseline)
    return replace(facts, expected=expected, share=share, base=base, left=left)


def _kept(book: Book, segment: Segment | None, facts: Facts, last: date | None) -> tuple[int, int]:
    """Return how many of the complete days were as wanted, and how many had a value."""
    goal = book.goal
    if last is None or facts.target is None:
        return 0, 0
    points = book.of("value" if goal.kind == "level" else "daily").points.get(segment, {})
    values = [one.value for day, one in points.items() if goal.start <= day <= last and one.value is not None]
    return sum(is_met(goal.aim, value, facts.target, facts.upper) for value in values), len(values)


Judged = list[tuple[date, Point, Bounds]]
"""Of periods that are over and whole: the last day, the value and the target."""


def facts_each(book: Book, segment: Segment | None, span: Span, done: Judged) -> Facts:
    """Return what is known of a goal that is judged period by period: how many were as wanted."""
    goal = book.goal
    keys = period_keys(book, segment)
    kept = sum(is_met(goal.aim, point.value, b.low, b.high) for _, point, b in done if point.value is not None)
    latest = done[-1] if done else None
    clock = _clock(book, span, goal.deadline)
    return Facts(
        aim=goal.aim,
        kind="each",
        value=latest[1].value if latest else None,
        sample=latest[1].sample if latest else None,
        target=latest[2].low if latest else keys[0][1].low if keys else None,
        upper=latest[2].high if latest else keys[0][1].high if keys else None,
        expected=latest[2].low if latest else None,
        share=len(done) / len(keys) if keys else None,
        days=(goal.deadline - goal.start).days + 1,
        done=max((latest[0] - goal.start).days + 1, 0) if latest else 0,
        stage=goal.stage(span.ended or goal.start),
        kept=kept,
        counted=len(done),
        periods=len(keys),
        allowed=goal.spec.allow_misses,
        guardrail=_broken(book, segment, latest[0] if latest else None),
        evidence=goal.spec.evidence,
        begun=clock.begun,
        gone=clock.gone,
        passed=clock.passed,
        closed=clock.closed,
    )


def judged_periods(book: Book, segment: Segment | None, span: Span) -> Judged:
    """Return the periods of a goal that are over and whole."""
    found = []
    for key, bounds in period_keys(book, segment):
        point = _whole(book, segment, span, key)
        if point is not None:
            found.append((days_of(book, key)[1] - DAY, point, bounds))
    return found


def periods_before(book: Book, segment: Segment | None) -> list[float]:
    """Return the values of the periods before a goal's start, from its first row on."""
    if segment not in book.prior:
        known = book.of("value").points.get(segment, {})
        keys = (key for key in sorted(known) if days_of(book, key)[1] <= book.goal.start)
        points = (_whole(book, segment, book.span, key) for key in keys)
        book.prior[segment] = [point.value for point in points if point is not None and point.value is not None]
    return book.prior[segment]


def _whole(book: Book, segment: Segment | None, span: Span, key: date) -> Point | None:
    """Return the value of a period that is over, covered, and of enough rows; of a total without a row it is zero."""
    first, end = days_of(book, key)
    if span.last is None or span.last < end - DAY or span.count(first, end - DAY) < (end - first).days:
        return None
    point = book.of("value").at(segment, key)
    if point is None and book.goal.nature in ("additive", "accumulating"):
        return EMPTY
    if point is None or point.value is None or point.immature or _is_small(book.goal, point):
        return None
    return point


def book_of_period(book: Book, key: date, target: Bounds) -> Book:
    """Return what is known of one period of a goal: a goal of its own, from the period's first day to its last."""
    if (key, target) not in book.inner:
        book.inner[key, target] = _book_of_period(book, key, target)
    return book.inner[key, target]


def _book_of_period(book: Book, key: date, target: Bounds) -> Book:
    goal = book.goal
    assert goal.each is not None
    first, end = days_of(book, key)
    total = goal.nature in ("additive", "accumulating")
    aim = goal.aim
    if not total:
        aim = {"increase": "stay_above", "decrease": "stay_below"}.get(aim, aim)  # type: ignore[assignment]
    running = "running" in goal.questions
    inner = replace(
        goal,
        kind="total" if total else "whole",
        grain=goal.grain if running else goal.each,
        aim=aim,
        start=first,
        deadline=end - DAY,
        before=None,
        baseline=None,
        fallback=False,
        targets={(None, ()): target},
    )
    values = {"value": book.of("running" if running else "value")}
    also = ("daily",) if total else ("over", "under")
    values |= {role: one for role, one in book.series.items() if role.startswith("rail") or role in also}
    return Book(inner, book.calendar, values, book.span, book.projector, histories=book.histories)


def _is_small(goal: TypedGoal, point: Point) -> bool:
    """Return whether a ratio or mean of a period has too few rows to be judged."""
    few = point.sample is not None and point.sample < goal.spec.evidence.min_sample
    return few and goal.nature not in COUNTS


def period_keys(book: Book, segment: Segment | None) -> list[tuple[date, Bounds]]:
    """Return the periods of a goal that have a target in a segment, with it; over all segments the sum of theirs."""
    if segment not in book.keys:
        book.keys[segment] = _period_keys(book, segment)
    return book.keys[segment]


def _period_keys(book: Book, segment: Segment | None) -> list[tuple[date, Bounds]]:
    goal = book.goal
    assert goal.each is not None
    whole, dated = goal.targets.get((None, ())), any(key is not None for key, _ in goal.targets)
    found: list[tuple[date, Bounds]] = []
    for key in book.calendar.keys(goal.each, goal.start, goal.deadline):
        assert not isinstance(key, datetime)
        bounds = goal.targets.get((key, segment or ()))
        if bounds is None and segment is None and goal.by:
            bounds = _sum(b for (k, s), b in goal.targets.items() if k in (key, None) and s)
        if bounds is None and not dated:
            bounds = goal.targets.get((None, segment or ())) or whole
        if bounds is not None:
            found.append((key, bounds))
    return found


def _sum(targets: Iterable[Bounds]) -> Bounds | None:
    known = [one.low for one in targets]
    return Bounds(sum(known)) if known else None


def days_of(book: Book, key: date) -> tuple[date, date]:
    """Return the first day of a goal's period and the day after its last."""
    assert book.goal.each is not None
    if key not in book.spans:
        book.spans[key] = book.calendar.days(book.goal.each, key)
    return book.spans[key]
