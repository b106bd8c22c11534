"""`calendar:` → the calendar of all periods, and its notes."""

from __future__ import annotations

from pathlib import Path

from smartkpi.periods.calendar import Calendar
from smartkpi.spec.files import leads_out, outside
from smartkpi.spec.nodes import Fields, Scalar
from smartkpi.spec.periods import read_periods
from smartkpi.spec.values import Problems, text, zone

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)


def build_calendar(node: Fields, base: Path, within: Path | None, problems: Problems) -> Calendar:
    """Return a calendar as written; paths start from ``base`` and stay ``within`` a folder, if there is one."""
    start, month, path = text(node.get("week_start")), text(node.get("year_start")), node.get("periods")
    plain = Calendar(
        zone(node.get("timezone"), problems) or "UTC",
        _DAYS.index(start) if start in _DAYS else 0,
        _MONTHS.index(month) + 1 if month in _MONTHS else 1,
    )
    if not isinstance(path, Scalar) or not text(path):
        return plain
    if outside(base / path.written, within):
        problems.append(leads_out(path.written, within, path.span))
        return plain
    listed = read_periods(path, base, plain, problems)
    return Calendar(plain.timezone, plain.week_start, plain.year_start, listed)
