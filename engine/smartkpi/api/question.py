"""What a caller asks, in plain words, and the question that it means for a project."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import assert_never

from smartkpi.api.failures import UsageError
from smartkpi.diagnostics import Diagnostic, Note
from smartkpi.language.parse import parse_formula
from smartkpi.nearest import did_you_mean
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.periods.text import parse_key, parse_moment, parse_period
from smartkpi.semantics.comparisons import COMPARISONS, ON_SCORECARD
from smartkpi.semantics.question import Question, Within
from smartkpi.source import text_of
from smartkpi.spec.model import Catalog

Period = str | date | None
DAY = timedelta(days=1)
MOST_SHOWN = 200
"""Of so many segments the others are told apart at most: each is a condition on every row."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A question as it was put: periods as text or dates, conditions as text."""

    kpis: tuple[str, ...] = ()
    grain: str | None = None
    by: tuple[str, ...] = ()
    since: Period = None
    until: Period = None
    where: str | None = None
    as_of: str | date | datetime | None = None
    order_by: tuple[str, ...] = ()
    limit: int | None = None
    optimize: bool = True
    total: bool = False
    top: int | None = None
    drill: str | bool | None = None
    within: Within | None = None
    complete_only: bool = False
    compare: tuple[str, ...] | None = None
    max_cells: int | None = None


def understand(catalog: Catalog, kpis: tuple[str, ...], ask: Ask) -> Question:
    """Return the question that was asked, about these KPIs. Raises KpiError where a part of it cannot be read."""
    calendar = catalog.calendar
    if ask.limit is not None and ask.limit < 0:
        raise UsageError(Diagnostic("bad-limit", f"the limit is {ask.limit}: a number of rows is zero or more"))
    if ask.max_cells is not None and ask.max_cells < 1:
        raise UsageError(Diagnostic("bad-limit", f"`--max-cells {ask.max_cells}`: a number of cells is one or more"))
    _check_top(ask)
    grain = None if ask.grain is None else parse_grain(calendar, ask.grain)
    first, last = (_hour(calendar, grain, period) for period in (ask.since, ask.until))
    question = restrict(
        Question(
            kpis=kpis,
            grain=grain,
            by=_dimensions(ask.by),
            since=None,
            until=None,
            where=parse_formula(text_of(where, "<where>")) if (where := ask.where or "").strip() else None,
            as_of=parse_moment_of(calendar, ask.as_of),
            within=ask.within,
        ),
        _start(calendar, ask.since),
        _end(calendar, ask.until),
    )
    if first is not None and last is not None and first > last:
        message = f"no hour lies between {ask.since} and {ask.until}: the range ends before it begins"
        raise UsageError(Diagnostic("empty-range", message, hint="swap since and until"))
    return replace(question, first_hour=first, last_hour=last, compare=compared(ask))


def compared(ask: Ask) -> tuple[str, ...]:
    """Return the comparisons that a question asks for: unless it says, a scorecard has the one with the period before.

    Raises UsageError (`unknown-comparison`).
    """
    if ask.compare is None:
        return ON_SCORECARD if (ask.grain, ask.since, ask.until) == (None, None, None) else ()
    known = (*COMPARISONS, "none")
    for name in ask.compare:
        if name not in known:
            hint = did_you_mean(name, known) or f"one of {', '.join(known)}; several with commas"
            raise UsageError(Diagnostic("unknown-comparison", f"no comparison is named `{name}`", hint=hint))
    if "none" in ask.compare and len(set(ask.compare)) > 1:
        message = f"`none` beside `{next(name for name in ask.compare if name != 'none')}`: it is either"
        raise UsageError(Diagnostic("unknown-comparison", message, hint="`none` stands alone"))
    return tuple(name for name in COMPARISONS if name in ask.compare)


def _check_top(ask: Ask) -> None:
    if ask.top is None:
        return
    if not 1 <= ask.top <= MOST_SHOWN:
        message = f"`--top {ask.top}`: a number of segments is from 1 to {MOST_SHOWN}"
        raise UsageError(Diagnostic("bad-limit", message, hint="`--limit` cuts rows and shows nothing of the others"))
    if not ask.by:
        raise UsageError(
            Diagnostic("top-without-segments", "`--top` chooses segments, none are asked for", hint="add `--by`")
        )


def restrict(question: Question, since: date | None, until: date | None) -> Question:
    """Return a question about [since, until) only. Raises UsageError where that holds no day."""
    if since is not None and until is not None and since >= until:
        message = f"no day lies between {since} and {until - DAY}: the range ends before it begins"
        raise UsageError(Diagnostic("empty-range", message, hint="swap since and until"))
    return replace(question, since=since, until=until)


def parse_grain(calendar: Calendar, text: str) -> Grain:
    """Return a grain by its name. Raises UsageError (`unknown-grain`)."""
    known = calendar.grains
    if text not in known:
        hint = did_you_mean(text, known)
        note = Note("grains: " + ", ".join(known))
        raise UsageError(Diagnostic("unknown-grain", f"no grain is named `{text}`", hint=hint, notes=(note,)))
    return Grain(text)


def check_order(ask: Ask) -> None:
    """Raise UsageError (`unknown-order`) where a column to order by is none of the result's keys."""
    held = (column for name in compared(ask) for column in COMPARISONS[name].all[:3])
    known = ("kpi", "start", "value", *held, *ask.by)
    for key in ask.order_by:
        name = key.removeprefix("-")
        if name not in known:
            hint = did_you_mean(name, known) or "a dimension must be among those of --by"
            note = Note("to order by: " + ", ".join(known) + "; `-` before a name: descending")
            message = f"the result cannot be ordered by `{name}`"
            raise UsageError(Diagnostic("unknown-order", message, hint=hint, notes=(note,)))


def _dimensions(by: tuple[str, ...]) -> tuple[str, ...]:
    twice = next((name for i, name in enumerate(by) if name in by[:i]), None)
    if twice is not None:
        raise UsageError(Diagnostic("repeated-dimension", f"`{twice}` is asked for twice", hint="name it once"))
    return by


def _start(calendar: Calendar, period: Period) -> date | None:
    match period:
        case None:
            return None
        case datetime():
            return _local(calendar, period)
        case date():
            return period
        case str():
            return parse_period(calendar, period)[1]
        case _:
            assert_never(period)


def _end(calendar: Calendar, period: Period) -> date | None:
    """Return the day after the last of a period."""
    match period:
        case None:
            return None
        case datetime():
            return _local(calendar, period) + DAY
        case date():
            return period + DAY
        case str():
            return parse_period(calendar, period)[2]
        case _:
            assert_never(period)


def _hour(calendar: Calendar, grain: Grain | None, period: Period) -> datetime | None:
    """Return the hour with which a range of hours begins or ends; ranges of other grains are of days."""
    if isinstance(period, datetime) and grain is Grain.HOUR:
        return calendar.hour(calendar.instant(period) if period.tzinfo is None else period)
    found = parse_key(calendar, period)[1] if isinstance(period, str) else None
    if not isinstance(found, datetime):
        return None
    if grain is not Grain.HOUR:
        message = f"`{period}` is an hour: a range of {'days' if grain is None else f'grain `{grain}`'} has none"
        raise UsageError(Diagnostic("bad-period", message, hint="name its day, or ask for `--grain hour`"))
    return found


def _local(calendar: Calendar, moment: datetime) -> date:
    return moment.date() if moment.tzinfo is None else calendar.local_day(moment)


def parse_moment_of(calendar: Calendar, moment: str | date | datetime | None) -> date | datetime | None:
    """Return an as-of: a date, or an instant in UTC. Raises KpiError where it cannot be read."""
    match moment:
        case datetime():
            return calendar.instant(moment) if moment.tzinfo is None else moment.astimezone(UTC)
        case str():
            return parse_moment(calendar, moment)
        case _:
            return moment


_RATE = re.compile(r"\s*rate\s*=\s*([+-]?\s*\d+(?:\.\d+)?)\s*%\s*", re.ASCII)


def parse_rates(texts: Sequence[str]) -> tuple[float, ...]:
    """Return by how much the days to come are supposed to bring more: `rate=+10%` is 0.1. Raises UsageError."""
    found = []
    for text in texts:
        match = _RATE.fullmatch(text)
        more = float(match[1].replace(" ", "")) / 100 if match else -1.0
        if not -1 < more <= 100:
            hint = "`rate=+10%`: the days to come bring a tenth more each; above -100%"
            raise UsageError(Diagnostic("bad-what-if", f"`{text}` supposes nothing that is known", hint=hint))
        found.append(more)
    return tuple(dict.fromkeys(found))
