"""How a goal stands now, on each day so far, and in each of its periods: its facts, judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from smartkpi.assess.book import Book, book_of_period, expected_on, facts_each, facts_of, judged_periods, point_at
from smartkpi.assess.estimate import project, project_each
from smartkpi.assess.goals import Facts, Verdict, assess, is_met, needed
from smartkpi.assess.goals import suppose as supposed
from smartkpi.assess.paths import day_of
from smartkpi.assess.series import DAY, Segment, Span
from smartkpi.periods.grain import Grain
from smartkpi.periods.text import period_text
from smartkpi.semantics.goal import Bounds, TypedGoal

COUNTS = ("additive", "accumulating")


@dataclass(frozen=True, slots=True)
class Course:
    """How a goal came to where it is: its values after each day that is done, and what is expected after each of all.

    The first of each is that of the start.
    """

    values: tuple[float | None, ...]
    expected: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a goal, one segment of it or one period of it, stands on a day."""

    goal: TypedGoal = field(repr=False)
    day: date
    segment: Segment | None
    period: str | None
    start: date
    deadline: date
    done: int
    facts: Facts
    verdict: Verdict
    behind: float | None = None
    provisional: float | None = None
    previous: str | None = None
    since: date | None = None
    original: str | None = None
    what_if: float | None = None
    needed: float | None = None
    course: Course | None = field(default=None, repr=False)
    children: Mapping[str, int] = field(default_factory=dict)
    children_status: str | None = None
    children_progress: float | None = None

    @property
    def days_left(self) -> int:
        """How many days are left of which the data is not known yet; those of a period need not wait for its end."""
        known = self.facts.gone if self.facts.kind == "each" else self.done
        return max((self.deadline - self.start).days + 1 - known, 0)

    @property
    def paused(self) -> int | None:
        """How many days it was paused so far; its deadline stays where it is. None where that has no beginning."""
        return self.goal.paused(self.day)

    @property
    def score(self) -> float | None:
        """Its progress as far as it counts in a scorecard, from 0 to 1: of a budget how it keeps to its path."""
        measures = self.verdict.measures
        part = measures.progress
        if self.facts.budget:
            part = 1.0 if measures.burn is not None and measures.burn <= 1 else measures.pace
        return None if part is None else min(max(part, 0.0), 1.0)


def stand(book: Book, segment: Segment | None, target: Bounds) -> Standing:
    """Return how a goal stands now, since when, and how it stood before."""
    now = _now(book, segment, target)
    since, previous = _since(book, segment, target, now)
    return replace(now, since=since, previous=previous)


def _now(book: Book, segment: Segment | None, target: Bounds) -> Standing:
    one = _stand(book, segment, target, book.span)
    factor = needed(one.facts)
    return one if factor is None else replace(one, needed=factor - 1)


def suppose(one: Standing, more: float) -> Standing | None:
    """Return how a goal would stand if the days to come brought so much more; None where there is no estimate."""
    facts = one.facts
    if facts.outlook is None or facts.outlook.informs:
        return None
    facts = supposed(facts, 1 + more)
    return replace(one, facts=facts, verdict=assess(facts), what_if=more, since=None, previous=None)


def retrace(book: Book, segment: Segment | None, target: Bounds, one: Standing) -> Standing:
    """Return a standing with the course of its goal."""
    facts = one.facts
    if facts.kind == "each" or one.period is not None:
        return one
    days = [book.goal.start + DAY * day for day in range(facts.done)]
    points = [point_at(book, segment, day) for day in days]
    values = (facts.baseline, *(None if point is None else point.value for point in points))
    expected = tuple(expected_on(book, segment, target, done) for done in range(facts.days + 1))
    return replace(one, course=Course(values, expected))


def history(book: Book, segment: Segment | None, target: Bounds) -> list[Standing]:
    """Return how a goal stood on each day since its start, the last one being now."""
    days = list(_days(book))
    past = [_stand(book, segment, target, book.span.before(day)) for day in days[:-1]]
    found = [*past, _now(book, segment, target)]
    since: date | None = None
    previous: str | None = None
    dated: list[Standing] = []
    for day, one in zip(days or [found[0].day], found, strict=True):
        if dated and dated[-1].verdict.status != one.verdict.status:
            previous, since = dated[-1].verdict.status, day
        since = since or day
        dated.append(replace(one, since=since, previous=previous))
    return dated


def _days(book: Book) -> Iterator[date]:
    """Yield the days on which a goal could be judged: from its start to the last that is over, or its end is known."""
    ended = book.span.ended
    if ended is None:
        return
    first, last = book.goal.start, min(ended, book.goal.last() + DAY * 60)
    yield from (first + DAY * i for i in range(max((last - first).days + 1, 0)))


def _since(book: Book, segment: Segment | None, target: Bounds, now: Standing) -> tuple[date | None, str | None]:
    """Return the first day from which on the status was what it is, and what it was before."""
    status, since = now.verdict.status, None
    for day in reversed(list(_days(book))):
        before = _stand(book, segment, target, book.span.before(day)).verdict.status
        if before != status:
            return since or now.day, before
        since = day
    return since, None


def _stand(book: Book, segment: Segment | None, target: Bounds, span: Span) -> Standing:
    goal = book.goal
    today = (span.ended or goal.start) if span.edge is not None else goal.start
    due = goal.due(today)
    if goal.kind == "each":
        judged = judged_periods(book, segment, span)
        facts = project_each(facts_each(book, segment, span, judged), book, segment, span, judged)
    else:
        facts = project(facts_of(book, segment, target, span, due), book, segment)
    verdict = assess(facts)
    path = book.paths.get((segment, facts.days)) if goal.kind == "total" else None
    behind = None
    if path is not None and verdict.measures.progress is not None and not verdict.final and facts.done:
        behind = facts.done - day_of(path, verdict.measures.progress)
    return Standing(
        goal=goal,
        day=today,
        segment=segment,
        period=None,
        start=goal.start,
        deadline=due,
        done=facts.done,
        facts=facts,
        verdict=verdict,
        behind=behind,
        provisional=_provisional(book, segment, span),
        original=_original(book, segment, target, span, facts),
    )


def _provisional(book: Book, segment: Segment | None, span: Span) -> float | None:
    """Return the value with the current day, of which only a part is over; nothing is judged by it."""
    if span.edge is None or span.ended is None or book.goal.kind == "each" or book.goal.grain is not Grain.DAY:
        return None
    today = span.ended + DAY
    if span.edge <= book.calendar.midnight(today) or not book.goal.start <= today <= book.goal.due(today):
        return None
    point = book.of("value").at(segment, today)
    return None if point is None else point.value


def _original(book: Book, segment: Segment | None, target: Bounds, span: Span, facts: Facts) -> str | None:
    """Return how a revised goal came out against what it was at first, once that deadline is over."""
    goal = book.goal
    if not facts.revised or target.change:
        return None
    last = span.last
    if last is None or last < goal.deadline:
        return None
    point = point_at(book, segment, goal.deadline)
    if point is None or point.value is None:
        return "no_data"
    return "achieved" if is_met(goal.aim, point.value, target.low, target.high) else "missed"


def stand_in_period(book: Book, segment: Segment | None, key: date, target: Bounds) -> Standing:
    """Return how one period of a goal stands: a goal of its own, from the period's first day to its last."""
    assert book.goal.each is not None
    one = stand(book_of_period(book, key, target), segment, target)
    return replace(one, goal=book.goal, period=period_text(book.calendar, book.goal.each, key))
