"""What the past says of a goal: how its value changed before, how far chance goes, what comes if all goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import sqrt

from smartkpi.assess.book import HALVES, Book, facts_of
from smartkpi.assess.bygone import Bygone, lacking, part_coarse, part_each
from smartkpi.assess.daily import EVIDENCE, LEAST_WEEKS, Daily, changes
from smartkpi.assess.goals import assess, is_met
from smartkpi.assess.levels import project_level
from smartkpi.assess.outlook import Outlook
from smartkpi.assess.projection import project_total
from smartkpi.assess.ratios import overdispersion, project_rate, project_share
from smartkpi.assess.scales import scale_of
from smartkpi.assess.series import DAY, Segment
from smartkpi.assess.smart import Known, Part
from smartkpi.semantics.goal import Bounds, TypedGoal
from smartkpi.semantics.past import DAYS, RECENT, by_period, past_begins

FULL = 1.0
BLOCKS = 3


@dataclass(frozen=True, slots=True)
class _Past:
    """A goal's past: the first and last of its days that count, how long the goal is, and the book of its values."""

    book: Book
    first: date
    last: date
    days: int

    @property
    def goal(self) -> TypedGoal:
        return self.book.goal


def look_back(book: Book, targets: Sequence[tuple[Segment | None, Bounds]], events: Sequence[str]) -> Known:
    """Return what the data says of a goal; the book's days go back as far as its past does."""
    goal, span = book.goal, book.span
    ended = span.ended or goal.start - DAY
    awaited = None
    if goal.before is not None and goal.before[1] > ended:
        awaited = goal.before[1]
    recent = max((goal.deadline - goal.start).days + 1, RECENT)
    rows = tuple((event, _rows(book, event, ended, recent)) for event in events)
    past = _past(book)
    coverage = span.count(ended - DAY * (RECENT - 1), ended) / RECENT
    known = Known(span.last, coverage, recent, rows, (), 0.0, awaited)
    if by_period(goal):
        return _known_by_period(known, book, past, targets)
    parts = tuple(_part(book, past, segment, target) for segment, target in targets)
    return replace(known, parts=parts, horizons=0.0 if past is None else _horizons(past))


def _known_by_period(
    known: Known, book: Book, past: _Past | None, targets: Sequence[tuple[Segment | None, Bounds]]
) -> Known:
    """Return what the data says of a goal whose past is told by periods."""
    goal = book.goal
    bygone = None if past is None else Bygone.of(book, past.first, past.last)
    if goal.kind == "each":
        parts = tuple(part_each(book, segment, bygone) for segment, _ in targets)
    else:
        parts = tuple(part_coarse(book, segment, _part(book, None, segment, one), bygone) for segment, one in targets)
    parts = tuple(part for part in parts if part.target is not None)
    counts = [len(part.growths) for part in parts]
    few = any(not count for count in counts)
    return replace(
        known,
        parts=parts,
        horizons=float(min(counts, default=0)),
        lacking=lacking(goal, bygone, book.calendar) if few else "",
    )


def _past(book: Book) -> _Past | None:
    """Return what of a goal's past is covered; None where nothing is."""
    goal = book.goal
    known = [day for day in book.span.days if past_begins(goal) <= day < goal.start]
    if not known:
        return None
    return _Past(book, known[0], known[-1], (goal.deadline - goal.start).days + 1)


def _horizons(past: _Past) -> float:
    """Return how many times the goal's length fits into its past, behind the first value there can be."""
    goal, days = past.goal, (past.last - past.first).days + 1
    width = past.days
    if goal.kind == "level" and goal.length is not None:
        width = goal.length.count * DAYS.get(goal.length.unit, 1)
    return max(days - width, 0) / past.days


def _rows(book: Book, event: str, ended: date, days: int) -> int | None:
    series = book.series.get(f"rows:{event}")
    if series is None:
        return None
    known = [series.points[None]] if None in series.points else list(series.points.values())
    first = ended - DAY * (days - 1)
    return int(sum(one.value or 0 for points in known for day, one in points.items() if first <= day <= ended))


def _part(book: Book, past: _Past | None, segment: Segment | None, target: Bounds) -> Part:
    goal = book.goal
    facts = facts_of(book, segment, target, book.span, goal.due(book.span.ended or goal.start))
    baseline = None if goal.kind == "total" and goal.before is None else facts.baseline
    wanted = target.over(baseline if goal.kind != "total" else _came(book, segment, facts.baseline))
    bound = facts.target if facts.revised or wanted is None else wanted.low
    unreachable = assess(facts).measures.unreachable
    met = bound is not None and baseline is not None and is_met(goal.aim, baseline, bound, facts.upper)
    if past is None or bound is None:
        return Part(segment, bound, facts.upper, facts.baseline, met, unreachable=unreachable)
    values = _values(past, segment)
    prior = values.values.get(past.last)
    growths, needed, differs = _changes(past, values, prior, bound)
    return Part(
        segment=segment,
        target=bound,
        upper=facts.upper,
        baseline=facts.baseline,
        met=met,
        prior=prior,
        growths=growths,
        needed=needed,
        differs=differs,
        rows=_expected(past, segment),
        error=_error(past, segment, values),
        chance=_chance(past, segment, bound, values),
        unreachable=unreachable,
    )


def _came(book: Book, segment: Segment | None, baseline: float | None) -> float | None:
    """Return what the change of a total is a change of: its value over the days of the baseline."""
    values = book.of("baseline").points.get(segment, {})
    known = [point.value for _, point in sorted(values.items()) if point.value is not None]
    return known[-1] if known else book.goal.baseline if book.goal.baseline is not None else baseline


def _values(past: _Past, segment: Segment | None) -> Daily:
    """Return the value over as long a time as the goal, or over its window, by the day on which that ended."""
    goal, book = past.goal, past.book
    points = book.of("value" if goal.kind == "level" else "past").points.get(segment, {})
    width = past.days
    if goal.kind == "level":
        width = goal.length.count * DAYS.get(goal.length.unit, 1) if goal.length is not None else 1
    first = max(past.first, min(points, default=past.first)) + DAY * (width - 1)
    known = {day: point.value for day, point in points.items() if first <= day <= past.last and point.value is not None}
    return Daily.of(known, past.last)


def _changes(
    past: _Past, values: Daily, prior: float | None, target: float
) -> tuple[tuple[float, ...], float | None, bool]:
    """Return how such values changed from one time to the next, and which change the target is."""
    if prior is None:
        return (), None, False
    differs = past.goal.nature == "proportion" or prior <= 0 or any(value <= 0 for value in values.values.values())
    if differs:
        return tuple(changes(values, past.days)), target - prior, True
    return tuple(changes(values, past.days, lambda before, after: after / before)), target / prior, False


def _daily(past: _Past, segment: Segment | None) -> tuple[Daily, Daily]:
    """Return the values of covered days from the first row on, and the rows behind them."""
    values = past.book.history("daily", segment).upto(past.last)
    points = past.book.of("daily").points.get(segment, {})
    days = (day for day in past.book.span.days if past.first <= day <= past.last)
    rows = {day: float(points[day].sample or 0) if day in points else 0.0 for day in days}
    return values, Daily.of(rows, past.last)


def _halves(past: _Past, segment: Segment | None) -> tuple[Daily, Daily] | None:
    """Return numerator and denominator of a ratio by day; None where it is no ratio of totals."""
    if any(role not in past.goal.questions for role in HALVES):
        return None
    over, under = (past.book.history(role, segment).upto(past.last) for role in HALVES)
    return over, under


def _expected(past: _Past, segment: Segment | None) -> float | None:
    """Return how many rows there will be at the deadline, as the last weeks had them."""
    goal = past.goal
    if goal.kind == "level":
        point = past.book.of("value").at(segment, past.last)
        return None if point is None or point.sample is None else float(point.sample)
    _, rows = _daily(past, segment)
    known = rows.known(RECENT)
    return sum(known.values()) / len(known) * past.days if known else None


def _error(past: _Past, segment: Segment | None, values: Daily) -> float | None:
    """Return the standard error of the value over the goal's length: of a share by its rows, else by its weeks."""
    goal = past.goal
    if goal.kind == "level":
        point = past.book.of("value").at(segment, past.last)
        if goal.nature != "proportion" or point is None or point.value is None or not point.sample:
            return _spread(past, values)
        return sqrt(point.value * (1 - point.value) / point.sample)
    if goal.nature == "accumulating":
        found = changes(values, past.days) if _horizons(past) >= BLOCKS else []
        return _deviation(found) / sqrt(2) if len(found) >= BLOCKS else None
    daily, rows = _daily(past, segment)
    halves = _halves(past, segment)
    if goal.nature == "proportion" and halves is not None:
        hits, trials = (one.known(EVIDENCE) for one in halves)
        size = _expected(past, segment)
        if len(trials) < 7 * LEAST_WEEKS or not size or sum(trials.values()) <= 0:
            return None
        share = sum(hits.values()) / sum(trials.values())
        return sqrt(share * (1 - share) / size * overdispersion(hits, trials, past.last, EVIDENCE))
    if goal.kind == "total":
        rhythm = daily.rhythm()
        return None if rhythm is None else sqrt(rhythm.variance() * past.days)
    weeks = list(_weeks(daily, rows))
    if len(weeks) < LEAST_WEEKS:
        return None
    return _deviation(weeks) / sqrt(past.days / 7)


def _spread(past: _Past, values: Daily) -> float | None:
    """Return how far the values of windows that do not overlap lie apart."""
    goal = past.goal
    width = goal.length.count * DAYS.get(goal.length.unit, 1) if goal.length is not None else 1
    known = [values.values.get(past.last - DAY * width * i) for i in range(8)]
    some = [one for one in known if one is not None]
    return _deviation(some) if len(some) > BLOCKS else None


def _weeks(values: Daily, rows: Daily) -> Iterator[float]:
    """Yield the means of the last weeks, each day as much as it has rows."""
    for week in range(EVIDENCE // 7):
        days = [values.last - DAY * (7 * week + i) for i in range(7)]
        known = [(values.values[day], rows.values.get(day, 0.0)) for day in days if day in values.values]
        weight = sum(count for _, count in known)
        if weight > 0:
            yield sum(value * count for value, count in known) / weight


def _deviation(values: Sequence[float]) -> float:
    middle = sum(values) / len(values)
    return sqrt(sum((one - middle) ** 2 for one in values) / (len(values) - 1))


def _chance(past: _Past, segment: Segment | None, target: float, values: Daily) -> float | None:
    """Return the probability that the target is met, seen from before the start."""
    found = _outlook(past, segment, values)
    if found is None:
        return None
    rising = past.goal.aim in ("increase", "stay_above")
    return found.above(target) if rising else found.below(target)


def _outlook(past: _Past, segment: Segment | None, values: Daily) -> Outlook | None:
    """Return where the value goes over the goal's length, as its days were before the start."""
    goal, calendar = past.goal, past.book.calendar
    if goal.kind == "level":
        prior = values.values.get(past.last)
        if prior is None:
            return None
        known = list(values.values.values())
        scale = scale_of(known, proportion=goal.nature == "proportion")
        found = project_level(values, past.days, prior, scale)
        return found if found is not None and found.method == "changes" else None
    halves = _halves(past, segment)
    if halves is not None:
        make = project_share if goal.nature == "proportion" else project_rate
        return make(*halves, calendar, past.days, (0.0, 0.0))
    return project_total(_daily(past, segment)[0], calendar, past.days, 0.0) if goal.nature == "additive" else None
