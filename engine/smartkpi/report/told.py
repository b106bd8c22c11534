"""What grids of all kinds say: the names of periods, segments and KPIs, values with their marks, notes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.periods.text import period_text
from smartkpi.report.cells import Cell, Grid
from smartkpi.report.compared import Row, marked_in
from smartkpi.report.numbers import form_of, format_number
from smartkpi.report.style import Style, plain
from smartkpi.report.words import reason_text, word
from smartkpi.result import KpiInfo, Result, StepInfo

TICK = timedelta(microseconds=1)
WEEK_OLD = 7
LEVELS = ("segment", "other", "total")


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


def step_label(step: StepInfo, style: Style) -> str:
    """Return what a step of a funnel is called."""
    return plain(step.label.get(style.lang) or step.name)


def called(result: Result, name: str, style: Style) -> str:
    """Return what a KPI is called below a table: one of a funnel as its step, one of a cohort as all of it."""
    if result.cohort is not None:
        return plain(result.cohort.label.get(style.lang) or result.cohort.name)
    steps = result.funnel.steps if result.funnel is not None else ()
    own = next((step for step in steps if name in step.kpis.values()), None)
    return label(result.kpis.get(name), name, style) if own is None else step_label(own, style)


def dimension_label(result: Result, name: str, style: Style) -> str:
    """Return what a dimension is called in the reader's language, else its name."""
    known = result.dimensions.get(name)
    return plain((known.label.get(style.lang) if known else "") or name)


def segment_cells(result: Result, row: Row, style: Style) -> Iterator[Cell]:
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


def everything(row: Row, style: Style) -> str:
    """Return the period of a value over rows that have no time, nothing for others."""
    timeless = row["start"] is None and row["grain"] == Grain.ALL and row["state"] != "unavailable"
    return word(style.lang, "all") if timeless else ""


def grain_word(grain: str, style: Style) -> str:
    """Return what periods of a grain are called: by their own name where the calendar lists them."""
    return grain if Grain(grain).is_custom else word(style.lang, grain if grain != "all" else "period")


def without_empty(grid: Grid) -> Grid:
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


def value_cell(row: Row, info: KpiInfo | None, marked: bool, style: Style) -> Cell:
    """Return a value, with a mark where it has a flag; ``marked``: some row has."""
    mark = "*" if row["flags"] else " " if marked else ""
    return Cell(value_text(row, info, style) + mark, "faint" if row["value"] is None else "")


def instant(moment: datetime | None) -> datetime | None:
    """Return a moment in UTC: in one zone Python takes the two hours that the clock shows twice for equal."""
    return None if moment is None else moment.astimezone(UTC)


def sort_key(result: Result, key: tuple[Any, ...]) -> tuple[tuple[bool, int, Any], ...]:
    """Return a key that sorts by period, level, then the order of each dimension, with nulls last."""
    orders = [one.order if (one := result.dimensions.get(name)) else () for name in result.by]
    ranked = zip(key, [(), (), *orders], strict=True)
    return tuple((value is None, _place(value, order), "" if value is None else value) for value, order in ranked)


def _place(value: Any, order: Sequence[str]) -> int:
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    return order.index(text) if text in order else len(order)


def as_ofs(result: Result, rows: Sequence[Row], style: Style) -> tuple[list[str], list[str]]:
    """Return `as of …` for the title, as most KPIs have it, and a note for each other one, with its KPIs."""
    groups: dict[datetime, dict[str, None]] = {}
    for name in dict.fromkeys(row["kpi"] for row in rows):
        moment = result.provenance.as_of.get(name)
        if moment is not None:
            groups.setdefault(moment, {})[called(result, name, style)] = None
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


def mark_notes(result: Result, rows: Sequence[Row], style: Style) -> list[str]:
    """Return what the marks mean, and why values are unavailable."""
    flags = dict.fromkeys(flag for row in rows for flag in row["flags"] or ())
    flags |= {flag: None for held in marked_in(rows, result.compare).values() for flag in held}
    comma, colon = word(style.lang, "comma"), word(style.lang, "colon")
    notes = [f"* {comma.join(word(style.lang, flag) for flag in flags)}"] if flags else []
    reasons: dict[str, dict[str, None]] = {}
    for row in rows:
        if row["state"] == "unavailable" and row["reason"]:
            name = called(result, row["kpi"], style)
            reasons.setdefault(reason_text(style.lang, row["reason"]), {})[name] = None
    unavailable = word(style.lang, "unavailable")
    return notes + [f"{comma.join(names)}{colon}{unavailable}{colon}{plain(why)}" for why, names in reasons.items()]


def separated(title: str, style: Style) -> str:
    """Return a title with signs between its parts that the reader can show."""
    return title if style.unicode else title.replace("·", "-")
