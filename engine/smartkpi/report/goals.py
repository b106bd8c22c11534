"""Goals in each format: a grid of how they stand, the scorecards below, or rows as in schemas/goals.json."""

from __future__ import annotations

import json as jsons
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from smartkpi.assess.rollup import Score, span_text
from smartkpi.assess.standing import Standing
from smartkpi.diagnostics import to_json
from smartkpi.periods.calendar import Calendar
from smartkpi.report import csv, markdown
from smartkpi.report import html as pages
from smartkpi.report import table as tables
from smartkpi.report.build import Cell, Column, Grid, as_of_text
from smartkpi.report.json import provenance_data
from smartkpi.report.numbers import form_of, format_number
from smartkpi.report.style import Style, plain
from smartkpi.report.words import word
from smartkpi.result import Goals, KpiInfo

TONES = {
    **dict.fromkeys(("on_track", "achieved"), "good"),
    "at_risk": "warning",
    **dict.fromkeys(("off_track", "missed"), "critical"),
}
GLYPHS = {"good": "●", "warning": "▲", "critical": "■", "": "◌"}
GLYPHS_ASCII = {"good": "+", "warning": "!", "critical": "x", "": "."}
SCHEMA: dict[str, Any] = {
    **dict.fromkeys(("goal", "kpi", "title", "owner", "parent", "by", "segment", "period"), pl.String),
    **dict.fromkeys(("day", "start", "deadline"), pl.Date),
    **dict.fromkeys(("aim", "status", "reason"), pl.String),
    "final": pl.Boolean,
    **dict.fromkeys(("value", "expected", "target", "upper", "baseline", "progress", "share", "pace"), pl.Float64),
    **dict.fromkeys(("gap", "required", "lift", "burn", "exhausted", "behind"), pl.Float64),
    **dict.fromkeys(("days", "done", "days_left"), pl.Int64),
    **dict.fromkeys(("kept", "counted", "periods"), pl.Int64),
    "n": pl.Int64,
    **dict.fromkeys(("coverage", "provisional", "weight", "score"), pl.Float64),
    "since": pl.Date,
    **dict.fromkeys(("previous", "original"), pl.String),
    "flags": pl.List(pl.String),
    "children": pl.String,
    "children_status": pl.String,
    "children_progress": pl.Float64,
    **dict.fromkeys(("unit", "currency"), pl.String),
}
"""The columns of the tidy table."""


def to_frame(standings: Sequence[Standing], calendar: Calendar) -> pl.DataFrame:
    """Return standings as a tidy table."""
    return pl.DataFrame([_row(one) for one in standings], schema=SCHEMA)


def _row(one: Standing) -> dict[str, Any]:
    goal, facts, measures, spec = one.goal, one.facts, one.verdict.measures, one.goal.spec
    each = goal.kind == "each" and one.period is None
    unit = goal.kpi.type.unit
    return {
        "goal": goal.name,
        "kpi": goal.kpi.name,
        "title": spec.label.get() or None,
        "owner": spec.owner,
        "parent": spec.parent,
        "by": ", ".join(goal.by) or None,
        "segment": None if one.segment is None else ", ".join(one.segment),
        "period": one.period,
        "day": one.day,
        "start": one.start,
        "deadline": one.deadline,
        "aim": goal.aim,
        "status": one.verdict.status,
        "reason": one.verdict.reason if one.verdict.reason != "guardrail" else f"guardrail {facts.guardrail}",
        "final": one.verdict.final,
        **{name: _digits(value) for name, value in (
            ("value", facts.value), ("expected", facts.expected), ("target", facts.target), ("upper", facts.upper),
            ("baseline", facts.baseline), ("progress", measures.progress), ("share", facts.share),
            ("pace", measures.pace), ("gap", measures.gap), ("required", measures.required), ("lift", measures.lift),
            ("burn", measures.burn), ("exhausted", measures.exhausted), ("behind", one.behind),
            ("coverage", facts.coverage), ("provisional", one.provisional), ("score", one.score),
            ("children_progress", one.children_progress),
        )},
        "days": facts.days,
        "done": facts.done,
        "days_left": one.days_left,
        "kept": facts.kept if each or facts.counted else None,
        "counted": facts.counted if each or facts.counted else None,
        "periods": facts.periods if each else None,
        "n": facts.sample,
        "weight": float(spec.weight),
        "since": one.since,
        "previous": one.previous,
        "original": one.original,
        "flags": flags(one),
        "children": ", ".join(f"{count} {status}" for status, count in one.children.items()) or None,
        "children_status": one.children_status,
        "unit": unit.name,
        "currency": unit.currency,
    }  # fmt: skip


def _digits(value: float | None) -> float | None:
    """Return a number with 12 significant digits, as all values have."""
    return None if value is None else float(f"{value:.12g}")


def flags(one: Standing) -> list[str]:
    """Return what is to be known of a standing."""
    measures, facts = one.verdict.measures, one.facts
    said = {
        "secured": measures.secured or one.verdict.reason == "secured",
        "unreachable": measures.unreachable,
        "exceeded": measures.exceeded,
        "met_at_start": measures.at_start,
        "revised": facts.revised,
        "derived_baseline": facts.derived_baseline and one.goal.kind != "total",
        "provisional": one.provisional is not None,
    }
    return [name for name, holds in said.items() if holds]


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
    optional = {
        "segment": any(one.segment is not None or one.goal.by for one in rows),
        "period": any(one.period for one in rows) or len({(one.start, one.deadline) for one in rows}) > 1,
        "owner": any(one.goal.spec.owner for one in rows),
        "day": goals.history,
    }
    fields: list[tuple[str, Column, Callable[[Standing], Cell]]] = [
        ("goal", Column(word(style.lang, "goal"), fold=True), lambda one: Cell(_title(one, style))),
        ("segment", Column(word(style.lang, "segment")), lambda one: _segment(one, style)),
        ("period", Column(word(style.lang, "period"), drop=3), lambda one: Cell(_period(one, goals.calendar))),
        ("owner", Column(word(style.lang, "owner"), drop=2), lambda one: Cell(plain(one.goal.spec.owner or ""))),
        ("day", Column(word(style.lang, "day")), lambda one: Cell(one.day.isoformat())),
        ("value", Column(word(style.lang, "value"), right=True), lambda one: _amount(goals, one, one.facts.value)),
        ("expected", Column(word(style.lang, "expected"), right=True, drop=4),
         lambda one: _amount(goals, one, one.facts.expected)),
        ("target", Column(word(style.lang, "target"), right=True), lambda one: _target(goals, one)),
        ("pace", Column(word(style.lang, "pace"), right=True), lambda one: _pace(one, style)),
        ("required", Column(word(style.lang, "required"), right=True, drop=1),
         lambda one: _required(goals, one, style)),
        ("left", Column(word(style.lang, "days_left"), right=True, drop=5), lambda one: Cell(str(one.days_left))),
        ("status", Column(word(style.lang, "status")), lambda one: status_cell(one, style)),
        ("reason", Column(word(style.lang, "reason"), drop=1), lambda one: Cell(reason_text(one, style), "faint")),
        ("since", Column(word(style.lang, "since"), drop=2), lambda one: Cell(_date(one.since))),
    ]  # fmt: skip
    kept = [field for field in fields if optional.get(field[0], True)]
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
    notes = tuple(dict.fromkeys(note for one in rows for note in _notes(goals, one, style)))
    return Grid(
        title if style.unicode else title.replace("·", "-"),
        tuple(columns[i] for i in shown),
        tuple(tuple(row[i] for i in shown) for row in body),
        1,
        notes=notes,
    )


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


def amount_text(info: KpiInfo | None, value: float | None) -> str:
    """Return an amount in the format of its KPI; nothing where there is none."""
    if value is None:
        return ""
    form = form_of(info.format if info else None, info.unit if info else None)
    return format_number(float(f"{value:.12g}"), form, None, info.currency if info else None)


def _amount(goals: Goals, one: Standing, value: float | None) -> Cell:
    return Cell(amount_text(goals.kpis.get(one.goal.kpi.name), value))


def _target(goals: Goals, one: Standing) -> Cell:
    info = goals.kpis.get(one.goal.kpi.name)
    return Cell(target_text(info, one))


def target_text(info: KpiInfo | None, one: Standing) -> str:
    """Return a target, of a range both ends."""
    text = amount_text(info, one.facts.target)
    return f"{text}..{amount_text(info, one.facts.upper)}" if one.facts.upper is not None else text


def _pace(one: Standing, style: Style) -> Cell:
    """Return the pace; of a goal for each period how many were as wanted."""
    if one.facts.kind == "each":
        return Cell(f"{one.facts.kept}/{one.facts.counted}" if one.facts.counted else "")
    pace = one.verdict.measures.pace
    return Cell("" if pace is None else f"{pace:.2f}")


def _required(goals: Goals, one: Standing, style: Style) -> Cell:
    """Return what is required from now on: a day of a total, and of a level; of a ratio the rate of the rest."""
    required = one.verdict.measures.required
    if required is None or one.verdict.final or one.facts.kind == "each":
        return Cell("")
    text = amount_text(goals.kpis.get(one.goal.kpi.name), required)
    return Cell(text if one.facts.kind == "whole" else word(style.lang, "a_day").format(text))


def status_cell(one: Standing, style: Style) -> Cell:
    """Return a status with its glyph."""
    status = one.verdict.status
    tone = TONES.get(status, "")
    glyphs = GLYPHS if style.unicode else GLYPHS_ASCII
    return Cell(f"{glyphs[tone]} {word(style.lang, status)}", tone or "faint")


def reason_text(one: Standing, style: Style) -> str:
    """Return why a goal stands as it does, in words."""
    reason = one.verdict.reason
    if reason in ("pace", one.verdict.status):
        return ""
    text = word(style.lang, f"reason_{reason}")
    return text.format(one.facts.guardrail) if reason == "guardrail" else text


def _notes(goals: Goals, one: Standing, style: Style) -> Iterator[str]:
    name = _title(one, style)
    if one.children:
        counts = word(style.lang, "comma").join(f"{n} {word(style.lang, s)}" for s, n in one.children.items())
        share = "" if one.children_progress is None else f" ({one.children_progress:.0%})"
        yield f"{name}{word(style.lang, 'colon')}{word(style.lang, 'below')} {counts}{share}"
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
    """Return goals as tables of text."""
    return tables.draw(grids(goals, style), style)


def html(goals: Goals, style: Style) -> str:
    """Return goals as a fragment of HTML."""
    return "".join(pages.draw(grid) for grid in grids(goals, style))


def _markdown(goals: Goals, style: Style) -> str:
    return "\n".join(markdown.draw(grid) for grid in grids(goals, style))


def rows_of(goals: Goals) -> Iterator[dict[str, Any]]:
    """Yield the rows as plain values: days as ISO text, whole numbers as such."""
    for row in goals.frame.iter_rows(named=True):
        yield {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    match value:
        case date():
            return value.isoformat()
        case float() if value.is_integer() and abs(value) < 1e15:
            return int(value)
        case _:
            return value


def as_data(goals: Goals) -> dict[str, Any]:
    """Return goals as plain data, as in schemas/goals.json."""
    scores = [
        {"owner": one.owner, "period": one.period, "goals": one.goals, "weight": _plain(one.weight),
         "score": _plain(_digits(one.score))}
        for one in goals.scores
    ]  # fmt: skip
    return {
        "smartkpi": 1,
        "history": goals.history,
        "rows": list(rows_of(goals)),
        "scorecards": scores,
        "left_out": dict(goals.left_out),
        "provenance": provenance_data(goals.provenance),
        "diagnostics": [to_json(one) for one in goals.diagnostics],
    }


def _json(goals: Goals, style: Style) -> str:
    return jsons.dumps(as_data(goals), ensure_ascii=not style.unicode, indent=2) + "\n"


def _ndjson(goals: Goals, style: Style) -> str:
    return "".join(f"{jsons.dumps(row, ensure_ascii=not style.unicode)}\n" for row in rows_of(goals))


def _csv(goals: Goals, _style: Style) -> str:
    return csv.table(goals.frame.columns, rows_of(goals))


FORMATS: Mapping[str, Callable[[Goals, Style], str]] = {
    "table": table,
    "json": _json,
    "ndjson": _ndjson,
    "csv": _csv,
    "markdown": _markdown,
}
"""All formats of goals, by name."""
