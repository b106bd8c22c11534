"""`calendar.hours` → working hours: by weekdays (`mon-fri`), and on days that differ (`2026-10-01 to 2026-10-07`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import TypeVar

from smartkpi.diagnostics import Diagnostic, Note
from smartkpi.nearest import nearest
from smartkpi.periods.calendar import WEEKDAYS
from smartkpi.periods.hours import DAY, Hours, Stretch
from smartkpi.source import Span
from smartkpi.spec.nodes import Entry, Fields, Items, Node, Scalar
from smartkpi.spec.values import Problems

FORM = "such as {mon-fri: 09:00-18:00, sat: [09:00-12:00, 13:00-17:00], 2026-12-25: closed}"
KEYS = "days are `mon` or `mon-fri`, `2026-12-25` or `2026-10-01 to 2026-10-07`"
CLOSED = "closed"
MOST_DAYS = 366
SHORT = tuple(day[:3] for day in WEEKDAYS)
_STRETCH = re.compile(r"\s*(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})\s*\Z", re.ASCII)
_WEEKDAYS = re.compile(r"([^\W\d]+)(?:\s*[-–]\s*([^\W\d]+))?\Z")
_DATES = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\s+to\s+(\d{4}-\d{2}-\d{2}))?\Z", re.ASCII)

_Day = TypeVar("_Day", int, date)


@dataclass(frozen=True, slots=True)
class _Line:
    """What is written of some days: a day by itself goes before several."""

    weekdays: tuple[int, ...]
    dates: tuple[date, ...]
    stretches: tuple[Stretch, ...]
    key: Scalar


def build_hours(node: Node | None, problems: Problems) -> Hours | None:
    """Return the working hours that a calendar states; None where it states none, or wrong ones."""
    if not isinstance(node, Fields):
        return None
    before = len(problems)
    lines = [line for entry in node.entries.values() if (line := _line(entry, problems)) is not None]
    week = _by_day(lines, lambda line: line.weekdays, lambda day: WEEKDAYS[day], problems)
    days = _by_day(lines, lambda line: line.dates, date.isoformat, problems)
    if len(problems) == before and not any((*week.values(), *days.values())):
        problems.append(_bad("the calendar has no working hours: every day is closed", node.span, FORM))
    if len(problems) > before:
        return None
    return Hours(tuple(week.get(day, ()) for day in range(len(WEEKDAYS))), tuple(sorted(days.items())))


def _by_day(
    lines: list[_Line],
    days: Callable[[_Line], tuple[_Day, ...]],
    name: Callable[[_Day], str],
    problems: Problems,
) -> Mapping[_Day, tuple[Stretch, ...]]:
    """Return what holds on each day: a day by itself goes before several, else each is written once."""
    found: dict[_Day, _Line] = {}
    for line in sorted(lines, key=lambda line: len(days(line)) == 1):
        for day in days(line):
            other = found.get(day)
            if other is not None and (len(days(other)) == 1) == (len(days(line)) == 1):
                message = f"the hours of {name(day)} are given twice: `{other.key.written}` and `{line.key.written}`"
                problems.append(_bad(message, line.key.span, "name each day once", other.key.span))
                break
            found[day] = line
    return {day: line.stretches for day, line in found.items()}


def _line(entry: Entry, problems: Problems) -> _Line | None:
    weekdays, dates = _weekdays(entry.key), _dates(entry.key, problems)
    if dates is None:
        return None
    if not weekdays and not dates:
        problems.append(_bad(f"`{entry.key.written}` names no days", entry.key.span, _meant(entry.key.written) or KEYS))
        return None
    stretches = _stretches(entry.value, problems)
    return None if stretches is None else _Line(weekdays, dates, stretches, entry.key)


def _weekdays(key: Scalar) -> tuple[int, ...]:
    """Return the weekdays that a key names, which may run over the end of the week: `fri-mon`."""
    found = _WEEKDAYS.match(key.written.strip())
    ends = [_weekday(name) for name in found.groups() if name] if found else []
    known = [end for end in ends if end is not None]
    if not known or len(known) < len(ends):
        return ()
    first, last = known[0], known[-1]
    return tuple((first + more) % 7 for more in range((last - first) % 7 + 1))


def _weekday(name: str) -> int | None:
    lower = name.lower()
    return next((names.index(lower) for names in (SHORT, WEEKDAYS) if lower in names), None)


def _meant(written: str) -> str:
    found = [
        near[0] for name in re.findall(r"[^\W\d]+", written) if (near := nearest(name, (*SHORT, *WEEKDAYS), alike=0.75))
    ]
    return f"did you mean `{'-'.join(found)}`?" if len(found) in (1, 2) else ""


def _dates(key: Scalar, problems: Problems) -> tuple[date, ...] | None:
    """Return the dates that a key names; None where it names some that cannot be."""
    found = _DATES.match(key.written.strip())
    if found is None:
        return ()
    try:
        first, last = (date.fromisoformat(text) for text in (found[1], found[2] or found[1]))
    except ValueError:
        problems.append(_bad(f"`{key.written}` is no day of the calendar", key.span, KEYS))
        return None
    if last < first or (last - first).days >= MOST_DAYS:
        why = "ends before it begins" if last < first else "is over a year long"
        problems.append(_bad(f"`{key.written}` {why}", key.span, KEYS))
        return None
    return tuple(first + DAY * n for n in range((last - first).days + 1))


def _stretches(node: Node, problems: Problems) -> tuple[Stretch, ...] | None:
    """Return the stretches of a day, in order; None where one is wrong."""
    items = node.items if isinstance(node, Items) else (node,)
    if isinstance(node, Scalar) and node.written.strip().lower() == CLOSED:
        return ()
    found = [_stretch(item, problems) for item in items]
    known = sorted(one for one in found if one is not None)
    if len(known) < len(found):
        return None
    if not known:
        problems.append(_bad("no hours are given", node.span, f"write `{CLOSED}` for a day without work"))
        return None
    if any(after[0] < one[1] for one, after in pairwise(known)):
        problems.append(_bad("the hours of a day overlap", node.span, FORM))
        return None
    return tuple(known)


def _stretch(node: Node, problems: Problems) -> Stretch | None:
    written = node.written if isinstance(node, Scalar) else ""
    found = _STRETCH.match(written)
    if found is None:
        problems.append(_bad(f"`{written}` are no hours of a day", node.span, FORM))
        return None
    hours, minutes, last_hours, last_minutes = (int(part) for part in found.groups())
    start, end = timedelta(hours=hours, minutes=minutes), timedelta(hours=last_hours, minutes=last_minutes)
    if max(minutes, last_minutes) > 59 or end > DAY or start >= DAY:
        problems.append(_bad(f"`{written}` are no hours of a day", node.span, "they run from 00:00 to 24:00"))
        return None
    if end <= start:
        hint = f"hours over midnight are of two days: `{_clock(start)}-24:00`, and `00:00-{_clock(end)}` on the next"
        problems.append(_bad(f"`{written}` ends before it begins", node.span, hint))
        return None
    return start, end


def _clock(moment: timedelta) -> str:
    minutes = moment // timedelta(minutes=1)
    return f"{minutes // 60:02}:{minutes % 60:02}"


def day_text(stretches: tuple[Stretch, ...]) -> str:
    """Return the hours of a day as they are written."""
    return ", ".join(f"{_clock(start)}-{_clock(end)}" for start, end in stretches) or CLOSED


def _bad(message: str, span: Span, hint: str, other: Span | None = None) -> Diagnostic:
    notes = () if other is None else (Note("the other one", other),)
    return Diagnostic("bad-hours", message, span, hint, notes=notes)
