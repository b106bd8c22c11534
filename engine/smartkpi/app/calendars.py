"""`kpi show calendar`: the periods of a project; `--make` writes those of retail years as a file."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from smartkpi.api import load
from smartkpi.app.edge import FINE, SOME_LEFT_OUT, say
from smartkpi.app.terminal import style_of, write
from smartkpi.diagnostics import errors
from smartkpi.periods.calendar import MONTHS, WEEKDAYS
from smartkpi.periods.hours import Hours
from smartkpi.periods.retail import HEADING, Rule, retail_years
from smartkpi.report.cells import Cell, Column, Grid
from smartkpi.report.table import draw
from smartkpi.spec.hours import day_text
from smartkpi.spec.model import Catalog

MOST_YEARS = 200
DAY = timedelta(days=1)


def make_periods(pattern: str, years: str, rule: Rule, month: str, week_start: str) -> int:
    """Write the periods of retail years as CSV to stdout and return the exit code."""
    found = re.fullmatch(r"(\d{4})(?:-(\d{4}))?", years.strip())
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1000 <= first <= last <= 9990 or last - first >= MOST_YEARS:
        raise click.UsageError(f"`--years {years}`: years are written 2024-2028, at most {MOST_YEARS} of them")
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(HEADING)
    lines.writerows(retail_years(pattern, first, last, rule, MONTHS.index(month) + 1, WEEKDAYS.index(week_start)))
    write(out.getvalue())
    return FINE


def show_calendar(path: Path, sets: Mapping[str, str], lang: str, form: str) -> int:
    """Show the calendar of a project and return the exit code."""
    project = load(path, sets=sets)
    facts = _facts(project.catalog, lang)
    style = style_of(sys.stdout, lang)
    if form == "json":
        write(json.dumps(facts, ensure_ascii=not style.unicode, indent=2) + "\n")
    else:
        write(draw(_grids(facts), style))
    broken = [one for one in errors(project.loaded.diagnostics) if one.subject == "calendar"]
    say(broken)
    return SOME_LEFT_OUT if broken else FINE


def _facts(catalog: Catalog, lang: str) -> dict[str, Any]:
    calendar = catalog.calendar
    return {
        "timezone": calendar.timezone,
        "week_start": WEEKDAYS[calendar.week_start],
        "year_start": MONTHS[calendar.year_start - 1],
        "grains": list(calendar.grains),
        "periods": [
            {
                "grain": one.grain,
                "count": len(one.names),
                "first": one.starts[0].isoformat(),
                "last": (one.end - DAY).isoformat(),
                "names": list(one.names),
            }
            for one in calendar.periods
        ],
        "hours": [{"day": day, "hours": hours} for day, hours in _hours(calendar.worked)],
        "notes": [{"date": note.day.isoformat(), "label": note.label.get(lang)} for note in catalog.notes],
    }


def _hours(worked: Hours | None) -> list[tuple[str, str]]:
    """Return the working hours of each weekday, and of each date that differs."""
    if worked is None:
        return []
    week = [(name, day_text(stretches)) for name, stretches in zip(WEEKDAYS, worked.week, strict=True)]
    return [*week, *((day.isoformat(), day_text(stretches)) for day, stretches in worked.days)]


def _grids(facts: Mapping[str, Any]) -> list[Grid]:
    """Return what a project says of time as tables."""
    plain = [("time zone", facts["timezone"]), ("weeks from", facts["week_start"]), ("years from", facts["year_start"])]
    grids = [Grid("", (Column("calendar"), Column("")), tuple((Cell(a), Cell(b)) for a, b in plain), 1)]
    if facts["periods"]:
        titles = (Column("grain"), Column("periods", right=True), Column("from"), Column("until"), Column("named"))
        rows = tuple(
            (
                Cell(one["grain"]),
                Cell(str(one["count"])),
                Cell(one["first"]),
                Cell(one["last"]),
                Cell(f"{one['names'][0]} .. {one['names'][-1]}"),
            )
            for one in facts["periods"]
        )
        grids.append(Grid("", titles, rows, 1))
    if facts["hours"]:
        worked = tuple((Cell(one["day"]), Cell(one["hours"])) for one in facts["hours"])
        grids.append(Grid("", (Column("day"), Column("working hours")), worked, 1))
    if facts["notes"]:
        said = tuple((Cell(one["date"]), Cell(one["label"])) for one in facts["notes"])
        grids.append(Grid("", (Column("day"), Column("note", fold=True)), said, 1))
    return grids
