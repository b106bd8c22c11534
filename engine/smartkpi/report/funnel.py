"""A funnel as a grid: a row a step, with a bar, counts, rates, what is lost and the time that it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from smartkpi.report.cells import Cell, Column
from smartkpi.report.compared import Row
from smartkpi.report.style import Style, plain
from smartkpi.report.words import word
from smartkpi.result import FunnelInfo, StepInfo
from smartkpi.spec.parts import COUNT, LOST, MEASURES, OVERALL, TIME

NARROWEST = 60
"""How wide a terminal must be to show bars."""


def measures_shown(funnel: FunnelInfo) -> list[str]:
    """Return what of the steps is shown: all that some has."""
    known = {measure for step in funnel.steps for measure in step.kpis}
    return [measure for measure in MEASURES if measure in known]


def step_label(step: StepInfo, style: Style) -> str:
    """Return what a step is called."""
    return plain(step.label.get(style.lang) or step.name)


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
