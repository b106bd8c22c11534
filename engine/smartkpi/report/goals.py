"""Goals in each format: a grid of how they stand, the scorecards below, or rows as in schemas/goals.json."""

from __future__ import annotations

import json as jsons
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from smartkpi.assess.rollup import Score, span_text
from smartkpi.assess.standing import Standing
from smartkpi.diagnostics import to_json
from smartkpi.periods.calendar import Calendar
from smartkpi.report import burnup, csv, markdown
from smartkpi.report import html as pages
from smartkpi.report import table as tables
from smartkpi.report.aims import (
    amount_text,
    chance_text,
    digits,
    more_text,
    plain_value,
    projection_text,
    rate_of,
    reason_text,
    rows_of,
    status_text,
    target_text,
)
from smartkpi.report.cells import Cell, Column, Grid
from smartkpi.report.json import provenance_data
from smartkpi.report.style import Style, plain
from smartkpi.report.told import as_of_text
from smartkpi.report.words import word
from smartkpi.result import Goals

MANY = 5
"""From so many segments on it is said how many were judged: some look good, or bad, by chance alone."""
FAR = 45
"""Further ahead than so many days estimates proved too sure of themselves: docs/projection.md."""


def grids(goals: Goals, style: Style) -> list[Grid]:
    """Return the goals as a grid, and the scorecards of persons below."""
    if not goals.standings:
        return [Grid(word(style.lang, "no_goals"), (), (), 0)]
    found = [_board(goals, style)]
    if goals.scores:
        found.append(_scores(goals.scores, style))
    return found


def _board(goals: Goals, style: Style) -> Grid:
    rows = goals.standings
    supposed = any(one.what_if is not None for one in rows)
    optional = {
        "segment": any(one.segment is not None or one.goal.by for one in rows),
        "period": any(one.period for one in rows) or len({(one.start, one.deadline) for one in rows}) > 1,
        "owner": any(one.goal.spec.owner for one in rows),
        "day": goals.history,
        "what_if": supposed,
        **dict.fromkeys(("rate", "lift", "needed"), goals.required),
        **dict.fromkeys(("expected", "pace", "projection", "reason", "since"), not goals.required),
    }
    kept = [field for field in _fields(goals, style, supposed=supposed) if optional.get(field[0], True)]
    body, above = [], ""
    for one in rows:
        cells = [draw(one) for _, _, draw in kept]
        title = cells[0].text
        cells[0] = Cell("" if title == above else title)
        above = title
        body.append(tuple(cells))
    columns = tuple(column for _, column, _ in kept)
    shown = [i for i, column in enumerate(columns) if not column.drop or any(row[i].text for row in body)]
    title = " · ".join(_as_ofs(goals, style))
    notes = (*_estimates(goals, style), *dict.fromkeys(note for one in rows for note in _notes(goals, one, style)))
    return Grid(
        title if style.unicode else title.replace("·", "-"),
        tuple(columns[i] for i in shown),
        tuple(tuple(row[i] for i in shown) for row in body),
        1,
        notes=notes,
    )


def _fields(goals: Goals, style: Style, *, supposed: bool) -> list[tuple[str, Column, Callable[[Standing], Cell]]]:
    """Return all columns of the board, and what their cells are; where it is narrow, the lowest `drop` goes first."""
    return [
        ("goal", Column(word(style.lang, "goal"), fold=True), lambda one: Cell(_title(one, style))),
        ("segment", Column(word(style.lang, "segment")), lambda one: _segment(one, style)),
        ("period", Column(word(style.lang, "period"), drop=6), lambda one: Cell(_period(one, goals.calendar))),
        ("owner", Column(word(style.lang, "owner"), drop=4), lambda one: Cell(plain(one.goal.spec.owner or ""))),
        ("day", Column(word(style.lang, "day")), lambda one: Cell(one.day.isoformat())),
        ("what_if", Column(word(style.lang, "what_if"), right=True), lambda one: Cell(more_text(one.what_if))),
        ("value", Column(word(style.lang, "value"), right=True, drop=8 if supposed else 0),
         lambda one: _amount(goals, one, one.facts.value)),
        ("expected", Column(word(style.lang, "expected"), right=True, drop=7),
         lambda one: _amount(goals, one, one.facts.expected)),
        ("target", Column(word(style.lang, "target"), right=True, drop=9 if supposed else 8 if goals.required else 0),
         lambda one: _target(goals, one)),
        ("pace", Column(word(style.lang, "pace"), right=True, drop=7 if supposed else 9),
         lambda one: _pace(one, style)),
        ("projection", Column(word(style.lang, "projection"), right=True, drop=7 if supposed else 8),
         lambda one: _projection(goals, one)),
        ("p", Column(word(style.lang, "p"), right=True, drop=11), lambda one: Cell(chance_text(one), _tone(one))),
        ("rate", Column(word(style.lang, "so_far"), right=True, drop=6),
         lambda one: _a_day(goals, one, rate_of(one), style)),
        ("required", Column(word(style.lang, "required"), right=True, drop=0 if goals.required else 1),
         lambda one: _required(goals, one, style)),
        ("lift", Column(word(style.lang, "lift"), right=True, drop=5), _lift),
        ("needed", Column(word(style.lang, "needed"), right=True), lambda one: Cell(more_text(one.needed))),
        ("left", Column(word(style.lang, "days_left"), right=True, drop=5), lambda one: Cell(str(one.days_left))),
        ("status", Column(word(style.lang, "status"), drop=10 if goals.required or supposed else 0),
         lambda one: Cell(*status_text(one, style))),
        ("reason", Column(word(style.lang, "reason"), drop=2), lambda one: Cell(reason_text(one, style), "faint")),
        ("since", Column(word(style.lang, "since"), drop=3), lambda one: Cell(_date(one.since))),
    ]  # fmt: skip


def _as_ofs(goals: Goals, style: Style) -> list[str]:
    zone = ZoneInfo(goals.provenance.timezone)
    moments = dict.fromkeys(one for one in goals.provenance.as_of.values() if one is not None)
    return [as_of_text(moment.astimezone(zone), style) for moment in sorted(moments)]


def _title(one: Standing, style: Style) -> str:
    return plain(one.goal.spec.label.get(style.lang) or one.goal.name)


def _segment(one: Standing, style: Style) -> Cell:
    if one.segment is not None:
        return Cell(plain(", ".join(one.segment)))
    return Cell(word(style.lang, "total"), "faint") if one.goal.by else Cell("")


def _period(one: Standing, calendar: Calendar) -> str:
    return one.period or span_text(calendar, one.start, one.deadline)


def _date(day: date | None) -> str:
    return "" if day is None else day.isoformat()


def _amount(goals: Goals, one: Standing, value: float | None) -> Cell:
    return Cell(amount_text(goals.kpis.get(one.goal.kpi.name), value))


def _target(goals: Goals, one: Standing) -> Cell:
    info = goals.kpis.get(one.goal.kpi.name)
    return Cell(target_text(info, one))


def _pace(one: Standing, style: Style) -> Cell:
    """Return the pace; of a goal for each period how many were as wanted."""
    if one.facts.kind == "each":
        return Cell(f"{one.facts.kept}/{one.facts.counted}" if one.facts.counted else "")
    pace = one.verdict.measures.pace
    return Cell("" if pace is None else f"{pace:.2f}")


def _projection(goals: Goals, one: Standing) -> Cell:
    return Cell(projection_text(goals.kpis.get(one.goal.kpi.name), one), _tone(one))


def _tone(one: Standing) -> str:
    """Return how an estimate is meant: one that no status follows from is faint."""
    return "faint" if one.facts.outlook is not None and one.facts.outlook.informs else ""


def _required(goals: Goals, one: Standing, style: Style) -> Cell:
    """Return what is required from now on: a day of a total, and of a level; of a ratio the rate of the rest."""
    required = one.verdict.measures.required
    if required is None or one.verdict.final or one.facts.kind == "each":
        return Cell("")
    return _a_day(goals, one, required, style)


def _a_day(goals: Goals, one: Standing, value: float | None, style: Style) -> Cell:
    if value is None:
        return Cell("")
    text = amount_text(goals.kpis.get(one.goal.kpi.name), value)
    return Cell(text if one.facts.kind == "whole" else word(style.lang, "a_day").format(text))


def _lift(one: Standing) -> Cell:
    lift = one.verdict.measures.lift
    return Cell("" if lift is None or one.verdict.final else f"{lift:.2f}")


def _estimates(goals: Goals, style: Style) -> Iterator[str]:
    """Yield by which method, and from how much history, it is estimated where goals may end."""
    found: dict[tuple[str, int], dict[str, None]] = {}
    estimated = [one for one in goals.standings if one.facts.outlook is not None]
    if any(one.days_left > FAR and one.facts.kind != "each" for one in estimated):
        yield word(style.lang, "far_ahead").format(FAR)
    if any(one.facts.outlook is not None and one.facts.outlook.method == "share" for one in estimated):
        yield word(style.lang, "share_sure")
    for one in goals.standings:
        outlook = one.facts.outlook
        if outlook is not None and not (goals.history and one.day < max(o.day for o in goals.standings)):
            found.setdefault((outlook.method, outlook.days), {})[_title(one, style)] = None
    for (method, days), names in found.items():
        how = word(style.lang, f"method_{method}")
        some = word(style.lang, "comma").join(names)
        yield f"{some}{word(style.lang, 'colon')}{word(style.lang, 'estimate').format(how, days)}"


def _notes(goals: Goals, one: Standing, style: Style) -> Iterator[str]:
    name = _title(one, style)
    if one.children:
        counts = word(style.lang, "comma").join(f"{n} {word(style.lang, s)}" for s, n in one.children.items())
        share = "" if one.children_progress is None else f" ({one.children_progress:.0%})"
        yield f"{name}{word(style.lang, 'colon')}{word(style.lang, 'below')} {counts}{share}"
    if one.paused:
        yield f"{name}{word(style.lang, 'colon')}{word(style.lang, 'paused_days').format(one.paused)}"
    judged = len(one.goal.segments) if one.segment is None or one.segment == one.goal.segments[0] else 0
    if judged >= MANY:
        yield f"{name}{word(style.lang, 'colon')}{word(style.lang, 'segments_judged').format(judged)}"
    if one.original is not None:
        said = word(style.lang, one.original)
        yield f"{name}{word(style.lang, 'colon')}{word(style.lang, 'at_first').format(said)}"


def _scores(scores: Sequence[Score], style: Style) -> Grid:
    columns = (
        Column(word(style.lang, "owner"), fold=True),
        Column(word(style.lang, "period")),
        Column(word(style.lang, "goals"), right=True),
        Column(word(style.lang, "weight"), right=True),
        Column(word(style.lang, "score"), right=True),
        Column("%", right=True),
    )
    rows = tuple(
        (
            Cell(plain(one.owner)),
            Cell(one.period),
            Cell(str(one.goals)),
            Cell(f"{one.weight:g}"),
            Cell(f"{one.score:.2f}"),
            Cell(f"{one.score / one.weight:.0%}" if one.weight else ""),
        )
        for one in scores
    )
    return Grid(word(style.lang, "scorecards"), columns, rows, 2)


def table(goals: Goals, style: Style) -> str:
    """Return goals as tables of text; with their courses, each that is whole as a chart below."""
    text = tables.draw(grids(goals, style), style)
    charts = (burnup.draw(one, goals.kpis.get(one.goal.kpi.name), style) for one in goals.standings if one.course)
    return "\n".join((text, *(chart for chart in charts if chart)))


def html(goals: Goals, style: Style) -> str:
    """Return goals as a fragment of HTML; a page that is narrow scrolls, so their status stands before numbers."""
    return "".join(pages.draw(_status_first(grid, style)) for grid in grids(goals, style))


def _status_first(grid: Grid, style: Style) -> Grid:
    titles = [column.title for column in grid.columns]
    if word(style.lang, "status") not in titles:
        return grid
    here = titles.index(word(style.lang, "status"))
    there = next((place for place, column in enumerate(grid.columns) if column.right), here)
    order = [*range(there), here, *(place for place in range(there, len(titles)) if place != here)]
    rows = tuple(tuple(row[place] for place in order) for row in grid.rows)
    return replace(grid, columns=tuple(grid.columns[place] for place in order), rows=rows)


def _markdown(goals: Goals, style: Style) -> str:
    return "\n".join(markdown.draw(grid) for grid in grids(goals, style))


def as_data(goals: Goals) -> dict[str, Any]:
    """Return goals as plain data, as in schemas/goals.json."""
    scores = [
        {"owner": one.owner, "period": one.period, "goals": one.goals, "weight": plain_value(one.weight),
         "score": plain_value(digits(one.score))}
        for one in goals.scores
    ]  # fmt: skip
    return {
        "smartkpi": 1,
        "history": goals.history,
        "rows": list(rows_of(goals.frame)),
        "scorecards": scores,
        "left_out": dict(goals.left_out),
        "provenance": provenance_data(goals.provenance),
        "diagnostics": [to_json(one) for one in goals.diagnostics],
    }


def _json(goals: Goals, style: Style) -> str:
    return jsons.dumps(as_data(goals), ensure_ascii=not style.unicode, indent=2) + "\n"


def _ndjson(goals: Goals, style: Style) -> str:
    return "".join(f"{jsons.dumps(row, ensure_ascii=not style.unicode)}\n" for row in rows_of(goals.frame))


def _csv(goals: Goals, _style: Style) -> str:
    return csv.table(goals.frame.columns, rows_of(goals.frame))


FORMATS: Mapping[str, Callable[[Goals, Style], str]] = {
    "table": table,
    "json": _json,
    "ndjson": _ndjson,
    "csv": _csv,
    "markdown": _markdown,
}
"""All formats of goals, by name."""
