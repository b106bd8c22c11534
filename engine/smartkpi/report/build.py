"""A result as a small tree of grids, which each format draws in its own way.

A scorecard is one grid with a row a KPI and segment. Several periods are a grid a grain with a row a period and
segment and a column a KPI; where rows were ordered or cut, a row a KPI, period and segment in just that order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from smartkpi.assess.standing import Standing
from smartkpi.periods.grain import Grain
from smartkpi.report import cohort, funnel
from smartkpi.report.aims import status_text, target_text
from smartkpi.report.cells import Cell, Column, Grid
from smartkpi.report.compared import Row, change_cells, change_columns, marked_in
from smartkpi.report.judged import benchmark_of, finding_lines, judged_notes, place_of
from smartkpi.report.numbers import form_of, format_number, sparkline
from smartkpi.report.style import Style, plain
from smartkpi.report.told import (
    LEVELS,
    as_ofs,
    dimension_label,
    everything,
    grain_word,
    instant,
    label,
    mark_notes,
    period_of,
    segment_cells,
    separated,
    sort_key,
    value_cell,
    without_empty,
)
from smartkpi.report.words import word
from smartkpi.result import KpiInfo, PeriodNote, Result

GLYPHS = {"good": "●", "warning": "▲", "critical": "■", "inconclusive": "◌", "pending": "…"}
GLYPHS_ASCII = {"good": "+", "warning": "!", "critical": "x", "inconclusive": "?", "pending": "."}
TONES = {"good": "good", "warning": "warning", "critical": "critical", "inconclusive": "faint", "pending": "faint"}
NOTES_SHOWN, LINES_SHOWN = 3, 10


def build(result: Result, style: Style) -> tuple[Grid, ...]:
    """Return a result as grids, with the texts of a language and glyphs that the reader can show."""
    rows = result.to_dicts()
    if not rows:
        return (Grid(word(style.lang, "no_rows"), (), (), 0),)
    if result.funnel is not None:
        grids = [funnel.grid(result, result.funnel, some, style) for _, some in _by_grain(rows)]
        return tuple(grids)
    if result.cohort is not None:
        return tuple(cohort.grid(result, result.cohort, some, style) for _, some in _by_grain(rows))
    if result.scorecard:
        return (_scorecard(result, rows, style),)
    if result.arranged:
        return (_listing(result, rows, style),)
    grids = [_series(result, grain, some, style) for grain, some in _by_grain(rows)]
    return (*grids[:-1], replace(grids[-1], notes=(*grids[-1].notes, *finding_lines(result, style))))


def _scorecard(result: Result, rows: Sequence[Row], style: Style) -> Grid:
    calendar = result.calendar
    known = set(filter(None, (period_of(row, calendar) for row in rows)))
    # beside a month, a value over rows without time must not look as if it were that month's
    periods = [everything(row, style) or period_of(row, calendar) for row in rows]
    known |= set(filter(None, periods)) if known else set()
    as_of, others = as_ofs(result, rows, style)
    trends = _trends(result)
    columns = [
        Column(word(style.lang, "kpi"), fold=True),
        *(Column(dimension_label(result, name, style)) for name in result.by),
    ]
    keys = len(columns)
    one = len(known) <= 1
    columns += [] if one else [Column(word(style.lang, "period"))]
    columns.append(Column(word(style.lang, "value"), right=True))
    columns += change_columns(result.compare, style, drop=4)
    columns.append(Column(word(style.lang, "trend"), drop=2))
    columns.append(Column(word(style.lang, "benchmark"), right=True, drop=3))
    columns.append(Column(word(style.lang, "status"), drop=4 + len(result.compare)))
    columns.append(Column(word(style.lang, "target"), right=True, drop=1))
    columns.append(Column(word(style.lang, "goal"), drop=5 + len(result.compare)))
    benchmarks = benchmark_of(result)
    body, marked = [], any(row["flags"] for row in rows)
    compared = marked_in(rows, result.compare)
    for row, period, heads in zip(rows, periods, _heads(result, rows, style), strict=True):
        info = result.kpis.get(row["kpi"])
        trend = trends.get(_segment(result, row), [])
        middle = [] if one else [Cell(period)]
        line = [Cell(sparkline([r["value"] for r in trend], unicode=style.unicode) if len(trend) > 1 else "")]
        body.append(
            (
                *heads,
                *middle,
                value_cell(row, info, marked, style),
                *change_cells(result.compare, row, info, compared, style),
                *line,
                _benchmark(row, benchmarks.get(place_of(result, row)), info),
                _status(row, style),
                *_goal(result.goals.get(row["kpi"]), info, style),
            )
        )
    title = " · ".join([*(known if one else ()), *as_of])
    notes = [*mark_notes(result, rows, style), *judged_notes(result, rows, style), *_dated(result, style)]
    notes += [*finding_lines(result, style), *others]
    return without_empty(Grid(separated(title, style), tuple(columns), tuple(body), keys, notes=tuple(notes)))


def _series(result: Result, grain: str, rows: Sequence[Row], style: Style) -> Grid:
    """Return a row a period and segment, a column a KPI."""
    dated = [row for row in rows if row["start"] is not None or row["state"] != "unavailable"]
    names = list(dict.fromkeys(row["kpi"] for row in dated))
    lines: dict[tuple[Any, ...], dict[str, Row]] = {}
    for row in dated:
        place = (instant(row["start"]), LEVELS.index(row["level"]), *(row[name] for name in result.by))
        lines.setdefault(place, {})[row["kpi"]] = row
    marked = {row["kpi"] for row in rows if row["flags"]}
    graded = {row["kpi"] for row in rows if row["status"] is not None}
    compared = {name: marked_in((row for row in rows if row["kpi"] == name), result.compare) for name in names}
    columns = [
        Column(grain_word(grain, style)),
        *(Column(dimension_label(result, name, style)) for name in result.by),
    ]
    keys = len(columns)
    for name in names:
        columns.append(Column(label(result.kpis.get(name), name, style), right=True))
        columns += change_columns(result.compare, style, drop=1)
    beside = _beside(result, grain)
    columns += [Column(word(style.lang, "notes"), fold=True)] if beside else []
    body, above = [], ""
    for key in sorted(lines, key=lambda key: sort_key(result, key)):
        some = lines[key]
        row = next(iter(some.values()))
        period = everything(row, style) or period_of(row, result.calendar)
        heads = [Cell("" if period == above else period), *segment_cells(result, row, style)]
        shown = "" if period == above else _noted(beside.get(key[0], ()), grain, style)
        above = period
        values: list[Cell] = []
        for name in names:
            one, info = some.get(name), result.kpis.get(name)
            graded_as = (name in graded, name in marked, style)
            values.append(Cell("–", "faint") if one is None else _graded(one, info, *graded_as))
            values += change_cells(result.compare, one, info, compared[name], style)
        last = (Cell(shown, "faint"),) if beside else ()
        body.append((*heads, *(Cell(_ascii(cell.text, style), cell.tone) for cell in values), *last))
    as_of, others = as_ofs(result, rows, style)
    notes = (*mark_notes(result, rows, style), *others)
    return without_empty(Grid("".join(as_of), tuple(columns), tuple(body), keys, split=True, notes=notes))


def _beside(result: Result, grain: str) -> dict[datetime | None, list[PeriodNote]]:
    """Return the notes of a grain's periods by their start."""
    found: dict[datetime | None, list[PeriodNote]] = {}
    for note in result.notes:
        if note.grain == grain:
            found.setdefault(instant(note.start), []).append(note)
    return found


def _noted(notes: Sequence[PeriodNote], grain: str, style: Style) -> str:
    """Return the notes of a period in one cell: with their days, where it has several; of many the first."""
    dated = grain not in (Grain.HOUR, Grain.DAY)
    texts = [
        f"{note.day} {plain(note.label.get(style.lang))}" if dated else plain(note.label.get(style.lang))
        for note in notes
    ]
    comma, more = word(style.lang, "comma"), len(texts) - NOTES_SHOWN
    return comma.join(texts[:NOTES_SHOWN]) + (f"{comma}+{more}" if more > 0 else "")


def _dated(result: Result, style: Style) -> list[str]:
    """Return a line for each note on a day of the periods shown; of many the first."""
    days = dict.fromkeys((note.day, plain(note.label.get(style.lang))) for note in result.notes)
    lines = [f"{day} {text}" for day, text in sorted(days)]
    more = len(lines) - LINES_SHOWN
    return lines[:LINES_SHOWN] + ([f"+{more}"] if more > 0 else [])


def _listing(result: Result, rows: Sequence[Row], style: Style) -> Grid:
    """Return the rows in the order that they have."""
    named = (dimension_label(result, name, style) for name in result.by)
    titles = [word(style.lang, "kpi"), *named, word(style.lang, "period")]
    columns = [Column(title, fold=i == 0) for i, title in enumerate(titles)]
    columns.append(Column(word(style.lang, "value"), right=True))
    columns += [*change_columns(result.compare, style, drop=2), Column(word(style.lang, "status"), drop=1)]
    body, marked = [], any(row["flags"] for row in rows)
    compared = marked_in(rows, result.compare)
    for row, heads in zip(rows, _heads(result, rows, style), strict=True):
        info = result.kpis.get(row["kpi"])
        body.append(
            (
                *heads,
                Cell(everything(row, style) or period_of(row, result.calendar)),
                value_cell(row, info, marked, style),
                *change_cells(result.compare, row, info, compared, style),
                _status(row, style),
            )
        )
    as_of, others = as_ofs(result, rows, style)
    notes = (*mark_notes(result, rows, style), *_dated(result, style), *finding_lines(result, style), *others)
    title = "".join(as_of)
    return without_empty(Grid(title, tuple(columns), tuple(body), len(titles), notes=notes))


def _heads(result: Result, rows: Sequence[Row], style: Style) -> Iterator[tuple[Cell, ...]]:
    """Yield the cells that name a row: the KPI where it begins, and the segment."""
    above = None
    for row in rows:
        name = row["kpi"]
        first = Cell("" if name == above else label(result.kpis.get(name), name, style))
        above = name
        yield first, *segment_cells(result, row, style)


def _graded(row: Row, info: KpiInfo | None, graded: bool, marked: bool, style: Style) -> Cell:
    """Return a value with the glyph of its status behind it."""
    cell = value_cell(row, info, marked, style)
    if not graded:
        return cell
    status = row["status"]
    glyphs = GLYPHS if style.unicode else GLYPHS_ASCII
    return Cell(f"{cell.text} {glyphs[status] if status else ' '}", TONES[status] if status else cell.tone)


def _benchmark(row: Row, held: float | None, info: KpiInfo | None) -> Cell:
    if held is None:
        return Cell("")
    return Cell(
        format_number(held, form_of(info.format if info else None, row["unit"]), None, row["currency"]), "faint"
    )


def _status(row: Row, style: Style) -> Cell:
    status = row["status"]
    if status is None:
        return Cell("")
    glyphs = GLYPHS if style.unicode else GLYPHS_ASCII
    return Cell(f"{glyphs[status]} {word(style.lang, status)}", TONES[status])


def _goal(one: Standing | None, info: KpiInfo | None, style: Style) -> tuple[Cell, Cell]:
    """Return the target of a KPI's goal with its deadline, and how the goal stands."""
    if one is None:
        return Cell(""), Cell("")
    return Cell(f"{target_text(info, one)} {word(style.lang, 'by').format(one.deadline)}"), Cell(
        *status_text(one, style)
    )


def _trends(result: Result) -> dict[tuple[Any, ...], list[Row]]:
    """Return the rows of the trend by KPI and segment, oldest first."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in result.trend.iter_rows(named=True):
        found.setdefault(_segment(result, row), []).append(row)
    return found


def _segment(result: Result, row: Row) -> tuple[Any, ...]:
    return row["kpi"], row["level"], *(row[name] for name in result.by)


def _by_grain(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["grain"], []).append(row)
    yield from groups.items()


def _ascii(text: str, style: Style) -> str:
    return text if style.unicode else text.replace("–", "-")
