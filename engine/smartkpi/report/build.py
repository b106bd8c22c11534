"""A result as a small tree of grids, which each format draws in its own way.

A scorecard is one grid with a row a KPI and segment. Several periods are a grid a grain with a row a period and
segment and a column a KPI; where rows were ordered or cut, a row a KPI, period and segment in just that order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from smartkpi.assess.standing import Standing
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.periods.text import period_text
from smartkpi.report.aims import status_text, target_text
from smartkpi.report.cells import Cell, Column, Grid
from smartkpi.report.compared import Row, change_cells, change_columns, marked_in
from smartkpi.report.funnel import columns_of as funnel_columns
from smartkpi.report.funnel import lines_of as funnel_lines
from smartkpi.report.funnel import measures_shown, step_label
from smartkpi.report.funnel import notes_of as funnel_notes
from smartkpi.report.judged import benchmark_of, finding_lines, judged_notes, place_of
from smartkpi.report.numbers import form_of, format_number, sparkline
from smartkpi.report.style import Style, plain
from smartkpi.report.words import reason_text, word
from smartkpi.result import FunnelInfo, KpiInfo, PeriodNote, Result
from smartkpi.spec.parts import COUNT

GLYPHS = {"good": "●", "warning": "▲", "critical": "■", "inconclusive": "◌", "pending": "…"}
GLYPHS_ASCII = {"good": "+", "warning": "!", "critical": "x", "inconclusive": "?", "pending": "."}
TONES = {"good": "good", "warning": "warning", "critical": "critical", "inconclusive": "faint", "pending": "faint"}
TICK = timedelta(microseconds=1)
WEEK_OLD = 7
NOTES_SHOWN, LINES_SHOWN = 3, 10
LEVELS = ("segment", "other", "total")


def build(result: Result, style: Style) -> tuple[Grid, ...]:
    """Return a result as grids, with the texts of a language and glyphs that the reader can show."""
    rows = result.to_dicts()
    if not rows:
        return (Grid(word(style.lang, "no_rows"), (), (), 0),)
    if result.funnel is not None:
        grids = [_funnel(result, result.funnel, some, style) for _, some in _by_grain(rows)]
        return tuple(grids)
    if result.scorecard:
        return (_scorecard(result, rows, style),)
    if result.arranged:
        return (_listing(result, rows, style),)
    grids = [_series(result, grain, some, style) for grain, some in _by_grain(rows)]
    return (*grids[:-1], replace(grids[-1], notes=(*grids[-1].notes, *finding_lines(result, style))))


def label(info: KpiInfo | None, name: str, style: Style) -> str:
    """Return the label of a KPI in the reader's language, else its name."""
    return plain((info.label.get(style.lang) if info else "") or name)


def segment_text(value: object, style: Style) -> str:
    """Return a value of a dimension as text."""
    match value:
        case None:
            return word(style.lang, "none")
        case bool():
            return "true" if value else "false"
        case date():
            return value.isoformat()
        case _:
            return plain(str(value))


def _called(result: Result, name: str, style: Style) -> str:
    """Return what a KPI is called below a table: one of a funnel as its step."""
    steps = result.funnel.steps if result.funnel is not None else ()
    own = next((step for step in steps if name in step.kpis.values()), None)
    return label(result.kpis.get(name), name, style) if own is None else step_label(own, style)


def dimension_label(result: Result, name: str, style: Style) -> str:
    """Return what a dimension is called in the reader's language, else its name."""
    known = result.dimensions.get(name)
    return plain((known.label.get(style.lang) if known else "") or name)


def _segments(result: Result, row: Row, style: Style) -> Iterator[Cell]:
    """Yield the values of a row's segment as the reader's language has them, or say that it is over several."""
    for place, name in enumerate(result.by):
        if row["level"] != "segment":
            yield Cell(word(style.lang, row["level"]) if place == 0 else "", "faint")
            continue
        value = row[name]
        if value is None and row["state"] == "unavailable":
            yield Cell("")
            continue
        known, text = result.dimensions.get(name), segment_text(value, style)
        if known is not None and value is not None:
            said = known.values.get(text)
            spelt = text if isinstance(value, str) else known.spellings.get(text, text)
            text = plain(said.get(style.lang) if said is not None else spelt)
        yield Cell(text)


def value_text(row: Row, info: KpiInfo | None, style: Style) -> str:
    """Return the value of a row in its KPI's format, or its state where it has none."""
    if row["value"] is None:
        return word(style.lang, row["state"])
    form = form_of(info.format if info else None, row["unit"])
    return format_number(row["value"], form, row["money"], row["currency"])


def period_of(row: Row, calendar: Calendar) -> str:
    """Return the period of a row as text, `all` with its first and last day."""
    start, end = row["start"], row["end"]
    if start is None:
        return ""
    grain = Grain(row["grain"])
    if grain is Grain.ALL:
        last = (end - TICK).date() if end is not None else ""
        return f"{start.date()}..{last}"
    return period_text(calendar, grain, start if grain is Grain.HOUR else start.date())


def _everything(row: Row, style: Style) -> str:
    """Return the period of a value over rows that have no time, nothing for others."""
    timeless = row["start"] is None and row["grain"] == Grain.ALL and row["state"] != "unavailable"
    return word(style.lang, "all") if timeless else ""


def _scorecard(result: Result, rows: Sequence[Row], style: Style) -> Grid:
    calendar = result.calendar
    known = set(filter(None, (period_of(row, calendar) for row in rows)))
    # beside a month, a value over rows without time must not look as if it were that month's
    periods = [_everything(row, style) or period_of(row, calendar) for row in rows]
    known |= set(filter(None, periods)) if known else set()
    as_of, others = _as_ofs(result, rows, style)
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
                _value(row, info, marked, style),
                *change_cells(result.compare, row, info, compared, style),
                *line,
                _benchmark(row, benchmarks.get(place_of(result, row)), info),
                _status(row, style),
                *_goal(result.goals.get(row["kpi"]), info, style),
            )
        )
    title = " · ".join([*(known if one else ()), *as_of])
    notes = [*_notes(result, rows, style), *judged_notes(result, rows, style), *_dated(result, style)]
    notes += [*finding_lines(result, style), *others]
    return _filled(Grid(_separate(title, style), tuple(columns), tuple(body), keys, notes=tuple(notes)))


def _series(result: Result, grain: str, rows: Sequence[Row], style: Style) -> Grid:
    """Return a row a period and segment, a column a KPI."""
    dated = [row for row in rows if row["start"] is not None or row["state"] != "unavailable"]
    names = list(dict.fromkeys(row["kpi"] for row in dated))
    lines: dict[tuple[Any, ...], dict[str, Row]] = {}
    for row in dated:
        place = (_instant(row["start"]), LEVELS.index(row["level"]), *(row[name] for name in result.by))
        lines.setdefault(place, {})[row["kpi"]] = row
    marked = {row["kpi"] for row in rows if row["flags"]}
    graded = {row["kpi"] for row in rows if row["status"] is not None}
    compared = {name: marked_in((row for row in rows if row["kpi"] == name), result.compare) for name in names}
    columns = [
        Column(_grain_word(grain, style)),
        *(Column(dimension_label(result, name, style)) for name in result.by),
    ]
    keys = len(columns)
    for name in names:
        columns.append(Column(label(result.kpis.get(name), name, style), right=True))
        columns += change_columns(result.compare, style, drop=1)
    beside = _beside(result, grain)
    columns += [Column(word(style.lang, "notes"), fold=True)] if beside else []
    body, above = [], ""
    for key in sorted(lines, key=lambda key: _sortable(result, key)):
        some = lines[key]
        row = next(iter(some.values()))
        period = _everything(row, style) or period_of(row, result.calendar)
        heads = [Cell("" if period == above else period), *_segments(result, row, style)]
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
    as_of, others = _as_ofs(result, rows, style)
    notes = (*_notes(result, rows, style), *others)
    return _filled(Grid("".join(as_of), tuple(columns), tuple(body), keys, split=True, notes=notes))


def _funnel(result: Result, funnel: FunnelInfo, rows: Sequence[Row], style: Style) -> Grid:
    """Return a row a period, segment and step; a single period stands in the title."""
    calendar, measures = result.calendar, measures_shown(funnel)
    blocks: dict[tuple[Any, ...], dict[str, Row]] = {}
    for row in _spanned([row for row in rows if row["start"] is not None or row["state"] != "unavailable"]):
        place = (_instant(row["start"]), LEVELS.index(row["level"]), *(row[name] for name in result.by))
        blocks.setdefault(place, {})[row["kpi"]] = row
    periods = dict.fromkeys(
        _everything(row, style) or period_of(row, calendar) for block in blocks.values() for row in block.values()
    )
    dated = len(periods) > 1
    columns = [Column(_grain_word(rows[0]["grain"], style))] if dated else []
    columns += [Column(dimension_label(result, name, style)) for name in result.by]
    keys = len(columns) + 1
    columns += funnel_columns(funnel, measures, style)
    marked = any(row["flags"] for row in rows)
    body: list[tuple[Cell, ...]] = []
    above = ""
    for key in sorted(blocks, key=lambda key: _sortable(result, key)):
        row = next(iter(blocks[key].values()))
        period = _everything(row, style) or period_of(row, calendar)
        heads = [*([Cell("" if period == above else period)] if dated else []), *_segments(result, row, style)]
        above = period

        def value(one: Row) -> Cell:
            return _value(one, result.kpis.get(one["kpi"]), marked, style)

        lines = funnel_lines(funnel, blocks[key], measures, value, style)
        body += [(*(heads if not n else [Cell("")] * len(heads)), *line) for n, line in enumerate(lines)]
    counts = [row for row in rows if row["measure"] == COUNT]
    as_of, others = _as_ofs(result, counts, style)
    title = [plain(funnel.label.get(style.lang) or funnel.name), *([] if dated else periods), *as_of]
    known = [*counts, *(row for row in rows if row["state"] != "unavailable")]  # what a count lacks its rates lack too
    notes = (*_notes(result, known, style), *funnel_notes(funnel, style), *others)
    return _filled(Grid(_separate(" · ".join(title), style), tuple(columns), tuple(body), keys, notes=notes))


def _spanned(rows: list[Row]) -> list[Row]:
    """Return rows over everything as of all that any of them is over: datasets need not cover the same days."""
    if not rows or rows[0]["grain"] != Grain.ALL:
        return rows
    starts, ends = ([row[end] for row in rows if row[end] is not None] for end in ("start", "end"))
    whole = {"start": min(starts, default=None), "end": max(ends, default=None)}
    return [{**row, **whole} for row in rows]


def _beside(result: Result, grain: str) -> dict[datetime | None, list[PeriodNote]]:
    """Return the notes of a grain's periods by their start."""
    found: dict[datetime | None, list[PeriodNote]] = {}
    for note in result.notes:
        if note.grain == grain:
            found.setdefault(_instant(note.start), []).append(note)
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


def _grain_word(grain: str, style: Style) -> str:
    """Return what periods of a grain are called: by their own name where the calendar lists them."""
    return grain if Grain(grain).is_custom else word(style.lang, grain if grain != "all" else "period")


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
                Cell(_everything(row, style) or period_of(row, result.calendar)),
                _value(row, info, marked, style),
                *change_cells(result.compare, row, info, compared, style),
                _status(row, style),
            )
        )
    as_of, others = _as_ofs(result, rows, style)
    notes = (*_notes(result, rows, style), *_dated(result, style), *finding_lines(result, style), *others)
    title = "".join(as_of)
    return _filled(Grid(title, tuple(columns), tuple(body), len(titles), notes=notes))


def _filled(grid: Grid) -> Grid:
    """Return a grid without those droppable columns that say nothing."""
    kept = [
        i
        for i, column in enumerate(grid.columns)
        if not column.drop or any(row[i].text or row[i].share for row in grid.rows)
    ]
    columns = tuple(grid.columns[i] for i in kept)
    return Grid(
        grid.title, columns, tuple(tuple(row[i] for i in kept) for row in grid.rows), grid.keys, grid.split, grid.notes
    )


def _heads(result: Result, rows: Sequence[Row], style: Style) -> Iterator[tuple[Cell, ...]]:
    """Yield the cells that name a row: the KPI where it begins, and the segment."""
    above = None
    for row in rows:
        name = row["kpi"]
        first = Cell("" if name == above else label(result.kpis.get(name), name, style))
        above = name
        yield first, *_segments(result, row, style)


def _value(row: Row, info: KpiInfo | None, marked: bool, style: Style) -> Cell:
    """Return a value, with a mark where it has a flag; ``marked``: some row has."""
    mark = "*" if row["flags"] else " " if marked else ""
    return Cell(value_text(row, info, style) + mark, "faint" if row["value"] is None else "")


def _graded(row: Row, info: KpiInfo | None, graded: bool, marked: bool, style: Style) -> Cell:
    """Return a value with the glyph of its status behind it."""
    cell = _value(row, info, marked, style)
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


def _instant(moment: datetime | None) -> datetime | None:
    """Return a moment in UTC: in one zone Python takes the two hours that the clock shows twice for equal."""
    return None if moment is None else moment.astimezone(UTC)


def _sortable(result: Result, key: tuple[Any, ...]) -> tuple[tuple[bool, int, Any], ...]:
    """Return a key that sorts by period, level, then the order of each dimension, with nulls last."""
    orders = [one.order if (one := result.dimensions.get(name)) else () for name in result.by]
    ranked = zip(key, [(), (), *orders], strict=True)
    return tuple((value is None, _place(value, order), "" if value is None else value) for value, order in ranked)


def _place(value: Any, order: Sequence[str]) -> int:
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    return order.index(text) if text in order else len(order)


def _by_grain(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["grain"], []).append(row)
    yield from groups.items()


def _as_ofs(result: Result, rows: Sequence[Row], style: Style) -> tuple[list[str], list[str]]:
    """Return `as of …` for the title, as most KPIs have it, and a note for each other one, with its KPIs."""
    groups: dict[datetime, dict[str, None]] = {}
    for name in dict.fromkeys(row["kpi"] for row in rows):
        moment = result.provenance.as_of.get(name)
        if moment is not None:
            groups.setdefault(moment, {})[_called(result, name, style)] = None
    zone = ZoneInfo(result.provenance.timezone)
    texts = {moment: as_of_text(moment.astimezone(zone), style) for moment in groups}
    most = max(groups, key=lambda moment: len(groups[moment]), default=None)
    colon, comma = word(style.lang, "colon"), word(style.lang, "comma")
    notes = [f"{texts[moment]}{colon}{comma.join(names)}" for moment, names in groups.items() if moment != most]
    return [] if most is None else [texts[most]], notes


def as_of_text(moment: datetime, style: Style) -> str:
    """Return the last instant that counts: a date where it ends a day; and how old it is, if over a week."""
    following = moment + TICK
    whole = following.hour == following.minute == following.second == following.microsecond == 0
    shown = moment.date().isoformat() if whole else moment.strftime("%Y-%m-%d %H:%M:%S")
    text = word(style.lang, "as_of").format(shown)
    age = (style.today - moment.date()).days if style.today else 0
    if age <= WEEK_OLD:
        return text
    key, count = ("days", age) if age < 60 else ("months", age * 12 // 365) if age < 730 else ("years", age // 365)
    return f"{text} ({word(style.lang, key + '_old').format(count)})"


def _notes(result: Result, rows: Sequence[Row], style: Style) -> list[str]:
    """Return what the marks mean, and why values are unavailable."""
    flags = dict.fromkeys(flag for row in rows for flag in row["flags"] or ())
    flags |= {flag: None for held in marked_in(rows, result.compare).values() for flag in held}
    comma, colon = word(style.lang, "comma"), word(style.lang, "colon")
    notes = [f"* {comma.join(word(style.lang, flag) for flag in flags)}"] if flags else []
    reasons: dict[str, dict[str, None]] = {}
    for row in rows:
        if row["state"] == "unavailable" and row["reason"]:
            name = _called(result, row["kpi"], style)
            reasons.setdefault(reason_text(style.lang, row["reason"]), {})[name] = None
    unavailable = word(style.lang, "unavailable")
    return notes + [f"{comma.join(names)}{colon}{unavailable}{colon}{plain(why)}" for why, names in reasons.items()]


def _separate(title: str, style: Style) -> str:
    return title if style.unicode else title.replace("·", "-")


def _ascii(text: str, style: Style) -> str:
    return text if style.unicode else text.replace("–", "-")
