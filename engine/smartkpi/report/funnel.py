"""A funnel as a grid: a row a step, with a bar, counts, rates, what is lost and the time that it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from smartkpi.periods.grain import Grain
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
    step_label,
    value_cell,
    without_empty,
)
from smartkpi.report.words import word
from smartkpi.result import FunnelInfo, Result
from smartkpi.spec.parts import COUNT, LOST, MEASURES, OVERALL, TIME

NARROWEST = 60
"""How wide a terminal must be to show bars."""


def measures_shown(funnel: FunnelInfo) -> list[str]:
    """Return what of the steps is shown: all that some has."""
    known = {measure for step in funnel.steps for measure in step.kpis}
    return [measure for measure in MEASURES if measure in known]


def columns_of(funnel: FunnelInfo, measures: Sequence[str], style: Style) -> list[Column]:
    """Return the columns of a funnel's rows behind those that name the period and segment."""
    wide = style.width is None or style.width >= NARROWEST
    drawn = [Column("", drop=9, drawn=True)] if wide else []
    told = [Column(word(style.lang, one), right=True, drop=_drop(one)) for one in measures[1:]]
    return [Column(word(style.lang, "step")), *drawn, Column(word(style.lang, "count"), right=True), *told]


def _drop(measure: str) -> int:
    return {TIME: 1, LOST: 2, OVERALL: 3}.get(measure, 0)


def lines_of(
    funnel: FunnelInfo,
    rows: Mapping[str, Row],
    measures: Sequence[str],
    value: Callable[[Row], Cell],
    style: Style,
) -> list[tuple[Cell, ...]]:
    """Return the lines of one period and segment; ``value`` makes a cell of a row."""
    wide = style.width is None or style.width >= NARROWEST
    most = max((row["value"] or 0 for row in rows.values() if row["measure"] == COUNT), default=0)
    lines = []
    for step in funnel.steps:
        own = {measure: rows[name] for measure, name in step.kpis.items() if name in rows}
        count = own[COUNT]["value"] or 0 if COUNT in own else 0
        drawn = [Cell("", "faint", count / most if most > 0 else 0)] if wide else []
        cells = [value(own[measure]) if measure in own else Cell("") for measure in measures]
        lines.append((Cell(step_label(step, style)), *drawn, *cells))
    return lines


def notes_of(funnel: FunnelInfo, style: Style) -> list[str]:
    """Say what the counts are of."""
    if not funnel.by:
        return [word(style.lang, "funnel_counts")]
    first = step_label(funnel.steps[0], style)
    if funnel.within:
        return [word(style.lang, "funnel_within").format(first, funnel.within, funnel.by)]
    return [word(style.lang, "funnel_by").format(first, funnel.by)]


def grid(result: Result, funnel: FunnelInfo, rows: Sequence[Row], style: Style) -> Grid:
    """Return a row a period, segment and step; a single period stands in the title."""
    calendar, measures = result.calendar, measures_shown(funnel)
    blocks: dict[tuple[Any, ...], dict[str, Row]] = {}
    for row in _spanned([row for row in rows if row["start"] is not None or row["state"] != "unavailable"]):
        place = (instant(row["start"]), LEVELS.index(row["level"]), *(row[name] for name in result.by))
        blocks.setdefault(place, {})[row["kpi"]] = row
    periods = dict.fromkeys(
        everything(row, style) or period_of(row, calendar) for block in blocks.values() for row in block.values()
    )
    dated = len(periods) > 1
    columns = [Column(grain_word(rows[0]["grain"], style))] if dated else []
    columns += [Column(dimension_label(result, name, style)) for name in result.by]
    keys = len(columns) + 1
    columns += columns_of(funnel, measures, style)
    marked = any(row["flags"] for row in rows)
    body: list[tuple[Cell, ...]] = []
    above = ""
    for key in sorted(blocks, key=lambda key: sort_key(result, key)):
        row = next(iter(blocks[key].values()))
        period = everything(row, style) or period_of(row, calendar)
        heads = [*([Cell("" if period == above else period)] if dated else []), *segment_cells(result, row, style)]
        above = period

        def value(one: Row) -> Cell:
            return value_cell(one, result.kpis.get(one["kpi"]), marked, style)

        lines = lines_of(funnel, blocks[key], measures, value, style)
        body += [(*(heads if not n else [Cell("")] * len(heads)), *line) for n, line in enumerate(lines)]
    counts = [row for row in rows if row["measure"] == COUNT]
    as_of, others = as_ofs(result, counts, style)
    title = [plain(funnel.label.get(style.lang) or funnel.name), *([] if dated else periods), *as_of]
    known = [*counts, *(row for row in rows if row["state"] != "unavailable")]  # what a count lacks its rates lack too
    notes = (*mark_notes(result, known, style), *notes_of(funnel, style), *others)
    return without_empty(Grid(separated(" · ".join(title), style), tuple(columns), tuple(body), keys, notes=notes))


def _spanned(rows: list[Row]) -> list[Row]:
    """Return rows over everything as of all that any of them is over: datasets need not cover the same days."""
    if not rows or rows[0]["grain"] != Grain.ALL:
        return rows
    starts, ends = ([row[end] for row in rows if row[end] is not None] for end in ("start", "end"))
    whole = {"start": min(starts, default=None), "end": max(ends, default=None)}
    return [{**row, **whole} for row in rows]
