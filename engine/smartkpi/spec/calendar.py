"""`calendar:` → the calendar of all periods, and what is noted on days."""

from __future__ import annotations

from dataclasses import replace

from smartkpi.diagnostics import Diagnostic
from smartkpi.periods.calendar import MONTHS, WEEKDAYS, Calendar
from smartkpi.spec.bounds import Folder
from smartkpi.spec.hours import build_hours
from smartkpi.spec.model import DatedNote
from smartkpi.spec.nodes import Fields, Scalar
from smartkpi.spec.periods import read_periods
from smartkpi.spec.values import Problems, day, labels, text, zone


def build_calendar(node: Fields, folder: Folder, problems: Problems) -> Calendar:
    """Return a calendar as written; paths start from its folder."""
    start, month, path = text(node.get("week_start")), text(node.get("year_start")), node.get("periods")
    plain = Calendar(
        zone(node.get("timezone"), problems) or "UTC",
        WEEKDAYS.index(start) if start in WEEKDAYS else 0,
        MONTHS.index(month) + 1 if month in MONTHS else 1,
        worked=build_hours(node.get("hours"), problems),
    )
    if not isinstance(path, Scalar) or not text(path):
        return plain
    return replace(plain, periods=read_periods(path, folder, plain, problems))


def build_notes(node: Fields, problems: Problems) -> tuple[DatedNote, ...]:
    """Return the notes of a calendar by their days."""
    written = node.get("notes")
    found: list[DatedNote] = []
    for entry in written.entries.values() if isinstance(written, Fields) else ():
        before = len(problems)
        on = day(entry.key, problems)
        if on is None and len(problems) == before:
            message = f"`{entry.key.written}` is no date"
            problems.append(Diagnostic("bad-value", message, entry.key.span, "a note is on one day: 2026-11-11"))
        if on is not None:
            found.append(DatedNote(on, labels(entry.value)))
    return tuple(sorted(found, key=lambda one: one.day))
