"""What the days so far say of a goal's deadline: its history, projected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from math import inf

from smartkpi.assess.book import (
    Book,
    Judged,
    book_of_period,
    days_of,
    facts_of,
    period_keys,
    periods_before,
)
from smartkpi.assess.compliance import Running, project_periods
from smartkpi.assess.earlier import project_like_before
from smartkpi.assess.goals import Facts
from smartkpi.assess.levels import project_level
from smartkpi.assess.outlook import Outlook
from smartkpi.assess.projection import Historic, Projector, Weekly, project_total
from smartkpi.assess.ratios import project_rate, project_share
from smartkpi.assess.scales import scale_of
from smartkpi.assess.series import Segment, Series, Span
from smartkpi.periods.grain import Grain
from smartkpi.semantics.goal import EARLIER, TypedGoal

DAY = timedelta(days=1)


def project(facts: Facts, book: Book, segment: Segment | None) -> Facts:
    """Return the facts with where the value may be at the deadline, as far as history tells."""
    left = facts.days - facts.done
    if not book.goal.projected or not facts.done or not left or facts.value is None or facts.passed:
        return facts
    last = book.goal.start + DAY * (facts.done - 1)
    match facts.kind:
        case "total" if book.goal.nature == "additive":
            return _of_total(facts, book, segment, last, left)
        case "whole" if "over" in book.goal.questions:
            return _of_ratio(facts, book, segment, last, left)
        case "total" | "whole":
            return _like_before(facts, book, segment)
        case "level":
            return _of_level(facts, book, segment, last, left)
        case _:
            return facts


def _of_total(facts: Facts, book: Book, segment: Segment | None, last: date, left: int) -> Facts:
    assert facts.value is not None
    history = book.history("daily", segment).upto(last)
    evidence = book.goal.spec.evidence.days
    found = project_total(history, book.calendar, left, facts.value, _projector(book), evidence)
    if found is not None and facts.monotone:
        found = replace(found, floor=facts.value)
    silent = found is None and len(history) > 0 and not any(history.known(evidence).values())
    return replace(facts, outlook=found, silent=silent)


def _of_ratio(facts: Facts, book: Book, segment: Segment | None, last: date, left: int) -> Facts:
    """Return the facts of a ratio: its numerator and denominator go on; how many more there are is known better."""
    assert facts.value is not None
    over, under = (book.history(role, segment).upto(last) for role in ("over", "under"))
    done = under.sum(book.goal.start, last)
    if not len(under):
        return facts
    evidence = book.goal.spec.evidence.days
    so_far = (facts.value * done, done)
    make = project_share if book.goal.nature == "proportion" else project_rate
    past = book.goal.spec.evidence.projection == "historic"
    found = make(over, under, book.calendar, left, so_far, evidence, past=past)
    if found is None:
        return facts
    later = facts.later
    if later is not None and done > 0 and facts.sample is not None:
        later = facts.sample * (found.scale - done) / done
    return replace(facts, outlook=found, later=later)


def _like_before(facts: Facts, book: Book, segment: Segment | None) -> Facts:
    """Return the facts of a value that does not add up: it goes as it did in earlier windows, or earlier periods."""
    assert facts.value is not None
    way, pairs = book.goal.way, list(_earlier(book, segment, facts.done, facts.days))
    if book.goal.nature == "accumulating":  # nothing follows from none
        pairs = [(before, after) for before, after in pairs if before > 0 and facts.value > 0]
    found = project_like_before(pairs, facts.value, facts.done, facts.days, one_way=way != "")
    if found is not None and facts.monotone:
        low, high = facts.value if way == "up" else -inf, facts.value if way == "down" else inf
        found = replace(found, floor=low, ceiling=high)
    return replace(facts, outlook=_as_share(found, book.goal))


def _as_share(found: Outlook | None, goal: TypedGoal) -> Outlook | None:
    """Return an outlook within what is possible: a share ends from 0 to 1, on whatever scale it changed before."""
    if found is None or goal.nature != "proportion":
        return found
    return replace(found, floor=max(found.floor, 0.0), ceiling=min(found.ceiling, 1.0))


def _earlier(book: Book, segment: Segment | None, done: int, days: int) -> Iterator[tuple[float, float]]:
    """Yield the values of earlier windows after as many days as are done, and at their ends, where all is covered.

    Of one period of a goal these are the periods before.
    """
    for series, first, last in _windows(book, days):
        if book.span.count(first, last) == (last - first).days + 1 > done:
            ends = (series.at(segment, first + DAY * (done - 1)), series.at(segment, last))
            some = [one.value for one in ends if one is not None and one.value is not None and not one.immature]
            if len(some) == len(ends):
                yield some[0], some[1]


def _windows(book: Book, days: int) -> Iterator[tuple[Series, date, date]]:
    goal = book.goal
    if goal.each is None:
        for place, (first, _) in enumerate(goal.earlier):
            yield book.of(f"earlier{place}"), first, first + DAY * (days - 1)
        return
    for number in range(1, EARLIER + 1) if "running" in goal.questions else ():
        first, end = book.calendar.days(goal.each, _before(book, goal.each, number))
        yield book.of("value"), first, end - DAY


def _before(book: Book, grain: Grain, number: int) -> date:
    key = book.calendar.previous(grain, book.calendar.key(grain, book.goal.start), number)
    assert not isinstance(key, datetime)
    return key


def _of_level(facts: Facts, book: Book, segment: Segment | None, last: date, left: int) -> Facts:
    assert facts.value is not None
    history = book.history("value", segment).upto(last)
    known = [value for day, value in history.values.items() if day <= last]
    scale = scale_of([*known, facts.value], proportion=book.goal.nature == "proportion")
    found = project_level(history, left, facts.value, scale, book.goal.spec.evidence.days)
    return replace(facts, outlook=_as_share(found, book.goal))


def project_each(facts: Facts, book: Book, segment: Segment | None, span: Span, done: Judged) -> Facts:
    """Return the facts with how many periods may be as wanted, by the current one and those before."""
    goal, left = book.goal, facts.periods - facts.counted
    if not goal.projected or goal.each is None or facts.passed or facts.misses > facts.allowed or left < 1:
        return facts
    past = [(point.value, bounds) for _, point, bounds in done if point.value is not None]
    wanted = {bounds for _, bounds in period_keys(book, segment)}
    if len(wanted) == 1:  # else nobody knows what would have been wanted before
        same = wanted.pop()
        past = [*((value, same) for value in periods_before(book, segment)), *past]
    running = _running(book, segment, span)
    days = round(facts.days / facts.periods)
    return replace(facts, outlook=project_periods(goal.aim, past, facts.kept, left, running, days))


def _running(book: Book, segment: Segment | None, span: Span) -> Running | None:
    """Return where the current period may end."""
    today = span.ended
    for key, bounds in period_keys(book, segment):
        first, end = days_of(book, key)
        if today is not None and first <= today < end - DAY:
            inner = book_of_period(book, key, bounds)
            facts = project(facts_of(inner, segment, bounds, span, end - DAY), inner, segment)
            return None if facts.outlook is None else Running(facts.outlook, bounds)
    return None


def _projector(book: Book) -> Projector:
    return book.projector or projector_of(book.goal)


def projector_of(goal: TypedGoal) -> Projector:
    """Return the method by which a goal's total is projected."""
    evidence = goal.spec.evidence
    return Historic(evidence.days) if evidence.projection == "historic" else Weekly(evidence.days)
