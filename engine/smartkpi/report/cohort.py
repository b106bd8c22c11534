"""A cohort as a grid: a row a period, its size, and a column an age, as dark as the share that returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from smartkpi.report.cells import Cell, Column, Grid
from smartkpi.report.compared import Row
from smartkpi.report.style import Style, plain
from smartkpi.report.told import (
    LEVELS,
    as_ofs,
    dimension_label,
    everything,
    grain_word,
    instant,
    mark_notes,
    period_of,
    segment_cells,
    separated,
    sort_key,
    value_cell,
)
from smartkpi.report.words import word
from smartkpi.result import CohortInfo, Result

OPEN = "·"
"""What stands for a value that is not known yet."""

NOBODY = "–"
"""What stands for the share of a cohort that nobody is in; its size says so."""


def ages_shown(rows: Sequence[Row]) -> list[int]:
    """Return the ages that some cohort has reached."""
    return sorted({row["age"] for row in rows if row["age"] is not None and row["value"] is not None}) or [0]


def columns_of(ages: Sequence[int], style: Style) -> list[Column]:
    """Return the columns of a cohort's rows behind those that name the period and segment."""
    return [
        Column(word(style.lang, "cohort_size"), right=True),
        *(Column(str(age), right=True, shaded=True) for age in ages),
    ]


def cells_of(
    cohort: CohortInfo, rows: Mapping[str, Row], ages: Sequence[int], most: float, value: Callable[[Row], Cell]
) -> list[Cell]:
    """Return the cells of one period and segment; ``most`` is the share that is darkest, ``value`` makes a cell."""
    size = rows.get(cohort.size)
    found = [Cell("") if size is None else value(size)]
    told = cohort.returned if cohort.amounts else cohort.retention
    for age in ages:
        row, share = rows.get(told[age]), rows.get(cohort.retention[age])
        if row is None:
            found.append(Cell(""))
        elif row["value"] is None and "immature" in row["flags"]:
            found.append(Cell(OPEN, "faint"))
        elif row["state"] == "undefined":
            found.append(Cell(NOBODY, "faint"))
        else:
            cell = value(row)
            dark = 0 if share is None else max(share["value"] or 0, 0)
            found.append(Cell(cell.text, cell.tone, dark / most if most > 0 else 0))
    return found


def darkest(cohort: CohortInfo, rows: Sequence[Row]) -> float:
    """Return the highest share after the first period, in which most are there."""
    kpis = {name for age, name in cohort.retention.items() if age}
    return max((row["value"] for row in rows if row["kpi"] in kpis and row["value"] is not None), default=1.0)


def notes_of(cohort: CohortInfo, *, open_: bool, style: Style) -> list[str]:
    """Say what the cells are."""
    grain = word(style.lang, cohort.grain) if cohort.grain in GRAINS else cohort.grain
    said = word(style.lang, "cohort_amounts" if cohort.amounts else "cohort_counts")
    return [said.format(plain(cohort.of), grain, grain), *([word(style.lang, "cohort_open")] if open_ else [])]


GRAINS = ("day", "week", "month", "quarter", "year")


def grid(result: Result, cohort: CohortInfo, rows: Sequence[Row], style: Style) -> Grid:
    """Return a row a period and segment, a column an age."""
    blocks: dict[tuple[Any, ...], dict[str, Row]] = {}
    for row in (row for row in rows if row["start"] is not None or row["state"] != "unavailable"):
        place = (instant(row["start"]), LEVELS.index(row["level"]), *(row[name] for name in result.by))
        blocks.setdefault(place, {})[row["kpi"]] = row
    ages, most = ages_shown(rows), darkest(cohort, rows)
    columns = [Column(grain_word(rows[0]["grain"], style))]
    columns += [Column(dimension_label(result, name, style)) for name in result.by]
    keys = len(columns)
    columns += columns_of(ages, style)
    flagged = {row["age"] is None for row in rows if row["flags"] and row["value"] is not None}

    def value(one: Row) -> Cell:
        return value_cell(one, result.kpis.get(one["kpi"]), (one["age"] is None) in flagged, style)

    body, above = [], ""
    for key in sorted(blocks, key=lambda key: sort_key(result, key)):
        row = next(iter(blocks[key].values()))
        period = everything(row, style) or period_of(row, result.calendar)
        heads = [Cell("" if period == above else period), *segment_cells(result, row, style)]
        above = period
        body.append((*heads, *cells_of(cohort, blocks[key], ages, most, value)))
    as_of, others = as_ofs(result, rows, style)
    title = " · ".join([plain(cohort.label.get(style.lang) or cohort.name), *as_of])
    open_ = any(cell.text == OPEN for line in body for cell in line)
    shown = [row for row in rows if row["value"] is not None or row["state"] == "unavailable"]
    notes = (*mark_notes(result, shown, style), *notes_of(cohort, open_=open_, style=style), *others)
    return Grid(separated(title, style), tuple(columns), tuple(body), keys, split=True, notes=notes)
