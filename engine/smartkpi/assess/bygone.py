"""What the past says of targets for periods: which change each asks for, and how often such changes came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from math import sqrt
from statistics import fmean, median, stdev

from smartkpi.assess.book import HALVES, Book, facts_each, judged_periods, period_keys
from smartkpi.assess.goals import is_met
from smartkpi.assess.series import DAY, Segment
from smartkpi.assess.smart import Part
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.semantics.goal import TypedGoal

SEASONS: Mapping[Grain, int] = {Grain.DAY: 7, Grain.WEEK: 52, Grain.MONTH: 12, Grain.QUARTER: 4}
"""After how many periods a season comes again: days resemble those a week before, the others those a year before."""
LEAST = 3
"""Of fewer changes nothing is told."""

Line = Sequence[float | None]
"""The values of periods that follow each other, the last one of all that were known before the goal."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What periods ask for, each against the one so many periods before: quotients, or differences where ``differs``.

    ``needs`` are the changes asked for, ``growths`` all that came; ``prior`` is the mean of the periods compared
    with, ``target`` that of the targets; ``error`` is the standard error of the mean over so many periods.
    """

    lag: int
    seasonal: bool
    needs: tuple[float, ...]
    growths: tuple[float, ...]
    differs: bool
    prior: float
    target: float
    error: float


def compare(line: Line, targets: Mapping[int, float], grain: Grain, *, proportion: bool) -> Asked | None:
    """Return what targets ask for, each by how many periods after the last known one it is for.

    All are held against periods as far before: the same of a season before, where the past has enough of them, else
    as many before as the last target is ahead. None where there are too few for that too.
    """
    ahead = max(targets)
    season = SEASONS.get(grain)
    lags = [] if season is None else [(-(-ahead // season) * season, True)]
    for lag, seasonal in [*lags, (ahead, False)]:
        pairs = _pairs(line, lag)
        known = [(line[len(line) - 1 + k - lag], target) for k, target in targets.items() if k - lag > -len(line)]
        asked = [(before, target) for before, target in known if before is not None]
        if len(pairs) >= LEAST and len(asked) == len(targets):
            differs = proportion or any(before <= 0 for before, _ in asked) or any(min(pair) <= 0 for pair in pairs)
            change = _difference if differs else _quotient
            return Asked(
                lag=lag,
                seasonal=seasonal,
                needs=tuple(change(*pair) for pair in asked),
                growths=tuple(change(*pair) for pair in pairs),
                differs=differs,
                prior=fmean(before for before, _ in asked),
                target=fmean(target for _, target in asked),
                error=_error(pairs, len(asked)),
            )
    return None


def _pairs(line: Line, lag: int) -> list[tuple[float, float]]:
    both = zip(line, line[lag:], strict=False)
    return [(before, after) for before, after in both if before is not None and after is not None]


def _difference(before: float, after: float) -> float:
    return after - before


def _quotient(before: float, after: float) -> float:
    return after / before


def _error(pairs: Sequence[tuple[float, float]], count: int) -> float:
    """Return the standard error of a mean of periods: that of changes over √2, as both ends of one vary."""
    return stdev(after - before for before, after in pairs) / sqrt(2 * count)


def moving(over: Line, under: Line | None, width: int) -> list[float | None]:
    """Return sums over so many periods, or ratios of such sums, by the last of them; None where one is not known."""
    sums = [_sum(over[end - width : end]) for end in range(width, len(over) + 1)]
    if under is None:
        return sums
    others = [_sum(under[end - width : end]) for end in range(width, len(under) + 1)]
    return [None if one is None or not other else one / other for one, other in zip(sums, others, strict=True)]


def _sum(values: Line) -> float | None:
    known = [one for one in values if one is not None]
    return sum(known) if len(known) == len(values) else None


@dataclass(frozen=True, slots=True)
class Bygone:
    """The whole periods that are known before a goal, and how many it takes to compare its own with."""

    book: Book
    grain: Grain
    keys: tuple[date, ...]

    @classmethod
    def of(cls, book: Book, first: date, last: date) -> Bygone:
        """Return the periods from a day to another that have all of their days."""
        grain, calendar = _grain(book.goal), book.calendar
        keys = [key for key in calendar.keys(grain, first, last) if not isinstance(key, datetime)]
        whole = [key for key in keys if _is_whole(book, grain, key, first, last)]
        return cls(book, grain, tuple(key for key in keys if whole and whole[0] <= key <= whole[-1]))

    def ahead(self, key: date) -> int:
        """Return how many periods after the last that is known another one is."""
        return len(self.book.calendar.keys(self.grain, self.keys[-1], key)) - 1

    def line(self, role: str, segment: Segment | None, *, filled: bool) -> list[float | None]:
        """Return the values of a role; one without a row, from the first that has one on, is zero where ``filled``."""
        points = self.book.of(role).points.get(segment, {})
        least = self.book.goal.spec.evidence.min_sample if not filled else 0
        found: list[float | None] = []
        for key in self.keys:
            point, (first, end) = points.get(key), self.book.calendar.days(self.grain, key)
            covered = self.book.span.count(first, end - DAY) == (end - first).days
            if point is None:
                found.append(0.0 if filled and covered and key > min(points, default=key) else None)
            else:
                usable = covered and not point.immature and (point.sample is None or point.sample >= least)
                found.append(point.value if usable else None)
        return found

    def rows(self, role: str, segment: Segment | None, count: int) -> list[float]:
        """Return how many rows the last periods had."""
        points = self.book.of(role).points.get(segment, {})
        some = [points[key].sample for key in self.keys[-count:] if key in points]
        return [float(one) for one in some if one is not None]


def _grain(goal: TypedGoal) -> Grain:
    return goal.each or goal.grain


def _is_whole(book: Book, grain: Grain, key: date, first: date, last: date) -> bool:
    begin, end = book.calendar.days(grain, key)
    return begin >= first and end - DAY <= last and book.span.count(begin, end - DAY) == (end - begin).days


def part_each(book: Book, segment: Segment | None, past: Bygone | None) -> Part:
    """Return what is known of a goal for each period: its targets, against the same periods before."""
    goal, targets = book.goal, period_keys(book, segment)
    if not targets:
        return Part(segment, None)
    facts = facts_each(book, segment, book.span, judged_periods(book, segment, book.span))
    lost = facts.misses > facts.allowed
    mean = fmean(bounds.low for _, bounds in targets)
    if past is None or not past.keys:
        return Part(segment, mean, unreachable=lost)
    line = past.line("value", segment, filled=goal.nature in ("additive", "accumulating"))
    rows = past.rows("value", segment, len(targets))
    prior = [value for value in line[-len(targets) :] if value is not None]
    blank = Part(segment, mean, prior=fmean(prior) if prior else None, rows=fmean(rows) if rows else None)
    wanted = {past.ahead(key): bounds.low for key, bounds in targets}
    asked = compare(line, wanted, past.grain, proportion=goal.nature == "proportion")
    return _part(book, blank, asked, lost)


def part_coarse(book: Book, segment: Segment | None, blank: Part, past: Bygone | None) -> Part:
    """Return what is known of a goal whose rows stand for a period: its value, against as many periods before."""
    goal = book.goal
    target = blank.target
    if past is None or not past.keys or target is None:
        return blank
    width = len(book.calendar.keys(past.grain, goal.start, goal.deadline))
    line: list[float | None] = []
    rows = past.rows("daily", segment, width)
    if _adds_up(goal):
        roles = ("daily",) if goal.nature == "additive" else HALVES
        over, *under = (past.line(role, segment, filled=True) for role in roles)
        line = moving(over, under[0] if under else None, width)
    blank = replace(blank, prior=line[-1] if line else None, rows=sum(rows) if rows else None)
    last = book.calendar.key(past.grain, goal.deadline)
    assert not isinstance(last, datetime)
    wanted = {past.ahead(last): target}
    asked = compare(line, wanted, past.grain, proportion=goal.nature == "proportion") if line else None
    return _part(book, blank, asked, blank.unreachable)


def _part(book: Book, blank: Part, asked: Asked | None, lost: bool) -> Part:
    if asked is None:
        return replace(blank, unreachable=lost)
    goal = book.goal
    baseline = goal.baseline if goal.baseline is not None else asked.prior
    return replace(
        blank,
        baseline=baseline if blank.baseline is None and goal.kind == "each" else blank.baseline,
        met=blank.met or (goal.kind == "each" and is_met(goal.aim, baseline, asked.target)),
        prior=asked.prior,
        growths=asked.growths,
        needed=median(asked.needs),
        needs=asked.needs,
        differs=asked.differs,
        error=asked.error,
        against=_against(asked, goal),
        unreachable=lost,
    )


def _against(asked: Asked, goal: TypedGoal) -> str:
    """Return in words what the periods of a goal are compared with."""
    grain = _grain(goal)
    what = f"the same {grain}" if goal.kind == "each" else f"the same {grain}s"
    if asked.seasonal and grain is Grain.DAY:
        return "the same weekday before"
    if asked.seasonal:
        years = asked.lag // SEASONS[grain]
        return f"{what} {'a year' if years == 1 else f'{years} years'} before"
    if goal.kind != "each":
        return "as long before"
    return f"the {grain} {'before' if asked.lag == 1 else f'{asked.lag} {grain}s before'}"


def lacking(goal: TypedGoal, past: Bygone | None, calendar: Calendar) -> str:
    """Return what there is too little of to compare the periods of a goal with, in words."""
    grain, known = _grain(goal), 0 if past is None else len(past.keys)
    if goal.kind != "each" and not _adds_up(goal):
        return f"`{goal.kpi.name}` by {grain} does not add up to its past values; `over: each {grain}` can be told"
    width = len(calendar.keys(grain, goal.start, goal.deadline))
    least = LEAST + width * (1 if goal.kind == "each" else 2) - (0 if goal.kind == "each" else 1)
    late = past.ahead(goal.start) - 1 if past is not None and past.keys else 0
    have = f"{known} whole {grain}{'' if known == 1 else 's'} of data"
    are = "is" if known == 1 else "are"
    return f"before the goal there {are} {have}: what is rare, and what chance does, takes {least + late}"


def _adds_up(goal: TypedGoal) -> bool:
    return goal.nature == "additive" or all(role in goal.questions for role in HALVES)
