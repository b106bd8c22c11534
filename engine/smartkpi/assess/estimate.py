"""What the days so far say of a goal's deadline: its history, projected."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from smartkpi.assess.book import (
    Book,
    book_of_period,
    days_of,
    facts_of,
    judged_periods,
    period_keys,
    periods_before,
)
from smartkpi.assess.compliance import Running, project_periods
from smartkpi.assess.goals import Facts
from smartkpi.assess.levels import project_level
from smartkpi.assess.projection import Historic, Projector, Weekly, project_total
from smartkpi.assess.ratios import project_rate, project_share
from smartkpi.assess.scales import scale_of
from smartkpi.assess.series import Segment, Span
from smartkpi.semantics.goal import TypedGoal

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
        case "whole":
            return _of_ratio(facts, book, segment, last, left)
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


def _of_level(facts: Facts, book: Book, segment: Segment | None, last: date, left: int) -> Facts:
    assert facts.value is not None
    history = book.history("value", segment).upto(last)
    known = [value for day, value in history.values.items() if day <= last]
    scale = scale_of([*known, facts.value], proportion=book.goal.nature == "proportion")
    return replace(facts, outlook=project_level(history, left, facts.value, scale, book.goal.spec.evidence.days))


def project_each(facts: Facts, book: Book, segment: Segment | None, span: Span) -> Facts:
    """Return the facts with how many periods may be as wanted, by the current one and those before."""
    goal, left = book.goal, facts.periods - facts.counted
    if not goal.projected or goal.each is None or facts.passed or facts.misses > facts.allowed or left < 1:
        return facts
    judged = [(point.value, bounds) for _, point, bounds in judged_periods(book, segment, span)]
    past = [(value, bounds) for value, bounds in judged if value is not None]
    wanted = {bounds for _, bounds in period_keys(book, segment)}
    if len(wanted) == 1:  # else nobody knows what would have been wanted before
        same = wanted.pop()
        past = [*((value, same) for value in periods_before(book, segment, span)), *past]
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
