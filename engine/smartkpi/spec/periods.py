"""Periods from a CSV file: `grain,period,first,last,year`, a line each; `last` and `year` may be missing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from smartkpi.diagnostics import Diagnostic, KpiError, Note
from smartkpi.nearest import did_you_mean
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import GRAINS, Grain
from smartkpi.periods.listed import Listed
from smartkpi.periods.text import parse_key
from smartkpi.source import Source, Span
from smartkpi.spec.bounds import Folder
from smartkpi.spec.nodes import Scalar
from smartkpi.spec.sheet import Cell, read_lines, read_sheet
from smartkpi.spec.values import Problems

COLUMNS = ("grain", "period", "first", "last", "year")
NEEDED = COLUMNS[:3]
DAY = timedelta(days=1)
FORM = "columns: grain, period, first, perhaps last and year; as in retail_month,2026-P01,2026-02-01,2026-02-28,2026"
_YEARS = range(1, 9998)


@dataclass(frozen=True, slots=True)
class _Period:
    """A line of the file."""

    grain: str
    name: str
    first: date
    last: date | None
    year: int | None
    span: Span


def read_periods(path: Scalar, folder: Folder, calendar: Calendar, problems: Problems) -> tuple[Listed, ...]:
    """Return the grains that a file lists the periods of; what is wrong with them goes to the problems."""
    source = read_sheet(path, folder, "the calendar's periods", problems)
    if source is None:
        return ()
    found: Problems = []
    groups: dict[str, list[_Period]] = {}
    for one in _read(source, calendar, path, found):
        groups.setdefault(one.grain, []).append(one)
    listed = [_list(grain, sorted(some, key=lambda one: one.first), found) for grain, some in groups.items()]
    problems.extend(found)
    return () if found else tuple(listed)


def _read(source: Source, calendar: Calendar, path: Scalar, problems: Problems) -> Iterator[_Period]:
    """Yield the lines of a file that can be read, each name once."""
    lines = list(read_lines(source))
    if len(lines) < 2:
        problems.append(Diagnostic("bad-periods", f"`{path.written}` lists no period", path.span, FORM))
        return
    titles = [cell.text.lower() for cell in lines[0]]
    if not _check_titles(titles, lines[0], problems):
        return
    taken: dict[str, Span] = {}
    for cells in lines[1:]:
        line = cells[0].span.to(cells[-1].span)
        if len(cells) > len(titles):
            problems.append(Diagnostic("bad-periods", f"a line of {len(cells)} values under {len(titles)}", line, FORM))
            continue
        one = _period(dict(zip(titles, cells, strict=False)), line, problems)
        if one is None or not _check_name(one, calendar, problems):
            continue
        if (before := taken.setdefault(one.name, one.span)) is not one.span:
            message, notes = f"two periods are called `{one.name}`", (Note("the other one is here", before),)
            hint = "names are told apart without the grain: put it into them"
            problems.append(Diagnostic("bad-periods", message, one.span, hint, notes))
            continue
        yield one


def _check_titles(titles: list[str], cells: list[Cell], problems: Problems) -> bool:
    before = len(problems)
    for title, cell in zip(titles, cells, strict=True):
        if title not in COLUMNS:
            hint = did_you_mean(title, COLUMNS) or FORM
            problems.append(Diagnostic("bad-periods", f"a list of periods has no column `{title}`", cell.span, hint))
        elif titles.count(title) > 1:
            problems.append(Diagnostic("bad-periods", f"the column `{title}` is there twice", cell.span, "keep one"))
    for title in NEEDED:
        if title not in titles and len(problems) == before:
            message = f"the column `{title}` is missing"
            problems.append(Diagnostic("bad-periods", message, cells[0].span.to(cells[-1].span), FORM))
    return len(problems) == before


def _period(cells: dict[str, Cell], line: Span, problems: Problems) -> _Period | None:
    before = len(problems)
    for name in NEEDED:
        if name not in cells or not cells[name].text:
            problems.append(Diagnostic("bad-periods", f"a period without `{name}`", line, FORM))
    if len(problems) > before:
        return None
    first = _date(cells["first"], problems)
    last = _date(cells["last"], problems) if "last" in cells and cells["last"].text else None
    year = cells.get("year")
    number = int(year.text) if year is not None and re.fullmatch(r"\d{1,4}", year.text) else None
    if year is not None and year.text and (number is None or number not in _YEARS):
        problems.append(Diagnostic("bad-periods", f"`{year.text}` is no year", year.span, "write it as 2026"))
    if first is not None and last is not None and last < first:
        message = f"`{cells['period'].text}` ends on {last}, before it begins"
        problems.append(Diagnostic("bad-periods", message, cells["last"].span, "both days belong to the period"))
    if first is None or len(problems) > before:
        return None
    return _Period(cells["grain"].text, cells["period"].text, first, last, number, line)


def _date(cell: Cell, problems: Problems) -> date | None:
    try:
        found = date.fromisoformat(cell.text) if re.fullmatch(r"\d{4}-\d\d-\d\d", cell.text) else None
    except ValueError:
        found = None
    if found is None or found.year not in _YEARS or found == date.min:
        hint = "a date is written year-month-day: 2026-02-01"
        problems.append(Diagnostic("bad-periods", f"`{cell.text}` is no date", cell.span, hint))
        return None
    return found


def _check_name(one: _Period, calendar: Calendar, problems: Problems) -> bool:
    """Refuse a grain or a period that is called like one that every calendar has."""
    if one.grain in GRAINS or not one.grain.isidentifier():
        why = "every calendar has it" if one.grain in GRAINS else "a name has letters, digits and underscores"
        message = f"no grain of one's own can be called `{one.grain}`: {why}"
        problems.append(Diagnostic("bad-periods", message, one.span, "call it retail_month, for one"))
        return False
    try:
        grain, _ = parse_key(calendar, one.name)
    except KpiError:
        return True
    message = f"`{one.name}` is the name of {'everything' if grain is Grain.ALL else f'a {grain}'} already"
    problems.append(Diagnostic("bad-periods", message, one.span, f"call it `{one.name}-R`, for one"))
    return False


def _list(grain: str, periods: Sequence[_Period], problems: Problems) -> Listed:
    """Return the periods of a grain, which must follow each other day by day."""
    for one, after in pairwise(periods):
        reached = one.last or after.first - DAY
        if reached + DAY == after.first and one.first < after.first:
            continue
        notes = (Note(f"`{one.name}` is here", one.span),)
        if reached + DAY < after.first:
            message = f"no period of `{grain}` has {_days(reached + DAY, after.first - DAY)}"
            hint = f"let `{one.name}` end on {after.first - DAY}, or list what lies between"
        else:
            message = f"`{one.name}` and `{after.name}` both have {after.first}"
            hint = f"let `{one.name}` end on {after.first - DAY}" if one.first < after.first else "keep one of the two"
        problems.append(Diagnostic("uneven-periods", message, after.span, hint, notes))
    final = periods[-1]
    if final.last is None:
        message = f"the last period of `{grain}` has no last day"
        problems.append(Diagnostic("bad-periods", message, final.span, "add the column `last`, at least here"))
    years = _years(grain, periods, problems)
    end = (final.last or final.first) + DAY
    return Listed(Grain(grain), tuple(one.name for one in periods), tuple(one.first for one in periods), end, years)


def _days(first: date, last: date) -> str:
    return f"the day {first}" if first == last else f"the days from {first} to {last}"


def _years(grain: str, periods: Sequence[_Period], problems: Problems) -> tuple[int, ...]:
    """Return the year of each period, if they have one: years follow each other and are listed from their start."""
    years = [one.year for one in periods if one.year is not None]
    if not years:
        return ()
    if len(years) < len(periods):
        one = next(one for one in periods if one.year is None)
        message = f"`{one.name}` has no year, others of `{grain}` have"
        problems.append(Diagnostic("bad-periods", message, one.span, "give each period its year, or none"))
        return ()
    for one, after in pairwise(periods):
        if one.year is not None and after.year not in (one.year, one.year + 1):
            message = f"`{after.name}` is of {after.year}, the period before it of {one.year}"
            hint = "years follow each other"
            problems.append(Diagnostic("uneven-periods", message, after.span, hint))
            return ()
    counts = {year: years.count(year) for year in dict.fromkeys(years)}
    most = max(counts.values())
    for year, count in list(counts.items())[:-1]:
        if count < most - 1:
            one = next(one for one in periods if one.year == year)
            message = f"{year} has {count} periods of `{grain}`, another year {most}"
            hint = "list whole years, so that each period has its number in the year; only the last may break off"
            problems.append(Diagnostic("uneven-periods", message, one.span, hint))
            return ()
    return tuple(years)
