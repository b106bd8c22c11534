"""The times of a table: which columns say when, from when to when, how often, and where nothing is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import polars as pl

from smartkpi.language.types import Kind
from smartkpi.sources.writing import ISO, read_date

if TYPE_CHECKING:  # the facts of columns are made where these are used
    from smartkpi.sources.look import ColumnFacts

EARLIEST, LATEST = 631_152_000, 2_366_841_600
"""Seconds since 1970 that are likely times: 1990 to 2045."""

GAPS_SHOWN = 5
WEEKEND = 5
NAMED = re.compile(
    r"time|date|day|stamp|epoch|(^|_)(ts|dt|at|on|when)$|At$|created|updated|datum|zeit|fecha|data|日期|时间|日$|月$",
    re.IGNORECASE,
)
"""Names of columns that say when."""

LATER = re.compile(
    r"updat|modif|deliver|ship|due|end|expir|valid|estimat|requir|birth|hire|limit|until|clos|approv|answer|load|"
    r"import|sync|extract",
    re.IGNORECASE,
)
"""Names of times that are not those at which a row began to be."""

LIKELY = re.compile(
    r"event|order|purchase|creat|timestamp|occurred|visit|start|engage|first|posted|^(ts|time|date|day)$"
)

PARTS = (
    ("year", "month", "day"), ("yr", "mon", "day"), ("yyyy", "mm", "dd"), ("jahr", "monat", "tag"), ("年", "月", "日"),
)  # fmt: skip


class How(StrEnum):
    """How a column says when: as a time, as a text, as a count since 1970, as digits 20260131, in three columns."""

    TIME = "time"
    TEXT = "text"
    SECONDS = "epoch_s"
    MILLISECONDS = "epoch_ms"
    MICROSECONDS = "epoch_us"
    DIGITS = "yyyymmdd"
    PARTS = "year, month, day"


@dataclass(frozen=True, slots=True)
class TimeFacts:
    """One way to say when a row was: first and last, the days that have rows, their usual distance, the gaps.

    ``step`` is the usual number of days from one day with rows to the next, None where there is no usual one;
    ``gaps`` are the longest stretches of days without rows, both ends in, that are longer than usual.
    ``midnight`` says that it is a time, and always that of midnight.
    """

    columns: tuple[str, ...]
    how: How
    format: str | None
    clock: bool
    nulls: int
    first: Any = None
    last: Any = None
    days: int = 0
    midnight: bool = False
    step: int | None = None
    no_weekends: bool = False
    gaps: tuple[tuple[date, date], ...] = ()
    gap_count: int = 0

    @property
    def name(self) -> str:
        """The column, or the columns, as one text."""
        return ", ".join(self.columns)

    @property
    def later(self) -> bool:
        """Whether its name says when something is due, or was changed, rather than when it happened."""
        return LATER.search(self.name) is not None


UNITS = {How.SECONDS: 1, How.MILLISECONDS: 1_000, How.MICROSECONDS: 1_000_000}


def find_times(
    frame: pl.LazyFrame, columns: Sequence[ColumnFacts], formats: Mapping[str, str]
) -> tuple[TimeFacts, ...]:
    """Return every way in which the columns of a table say when, the likeliest time of a row first.

    ``formats`` says how the columns of texts that are dates are written.
    """
    found: list[tuple[float, TimeFacts]] = []
    for place, one in enumerate(columns):
        how = _how(one)
        if how is None or not one.distinct:
            continue
        facts = _measure(frame, TimeFacts((one.name,), how, one.date_format, _clocked(one, how), one.nulls))
        if facts is not None:
            found.append((_likely(facts, place, len(columns)), facts))
    if (parts := _parts(columns)) is not None:
        facts = _measure(frame, TimeFacts(parts, How.PARTS, None, False, max(_of(columns, n).nulls for n in parts)))
        if facts is not None:
            found.append((_likely(facts, 0, len(columns)), facts))
    return tuple(facts for _, facts in sorted(found, key=lambda pair: -pair[0]))


def time_of(facts: TimeFacts) -> pl.Expr:
    """Return the time, or the day, that columns say."""
    column = pl.col(facts.columns[0])
    match facts.how:
        case How.TIME:
            return column
        case How.TEXT:
            return _read_text(column, facts.format)
        case How.DIGITS:
            return column.cast(pl.String).str.to_date("%Y%m%d", strict=False)
        case How.PARTS:
            year, month, day = (pl.col(name) for name in facts.columns)
            return pl.concat_str(year, month, day, separator="-").str.to_date("%Y-%m-%d", strict=False)
        case _:
            micros = column.cast(pl.Int64) * (1_000_000 // UNITS[facts.how])
            return micros.cast(pl.Datetime("us"))


def _read_text(column: pl.Expr, format_: str | None) -> pl.Expr:
    return read_date(column.str.strip_chars(), format_ or ISO)


def _of(columns: Sequence[ColumnFacts], name: str) -> ColumnFacts:
    return next(one for one in columns if one.name == name)


def _clocked(one: ColumnFacts, how: How) -> bool:
    """Say whether a column says the time of day too."""
    if how is How.TEXT:
        return one.date_format is not None and re.search(r"%H|%I|ISO", one.date_format) is not None
    return one.kind is Kind.TIME or how in UNITS


def _how(one: ColumnFacts) -> How | None:
    match one.kind:
        case Kind.DATE | Kind.TIME:
            return How.TIME
        case Kind.TEXT if one.date_format is not None:
            return How.TEXT
        case Kind.NUMBER if one.whole and isinstance(one.low, int) and isinstance(one.high, int):
            return _counts_since(one)
        case _:
            return None


def _counts_since(one: ColumnFacts) -> How | None:
    """Return how whole numbers say when; seconds and digits only where the name says that they do."""
    named = NAMED.search(one.name) is not None
    if named and one.low >= 19000101 and one.high <= 21001231 and one.dtype.startswith(("Int", "UInt")):
        return How.DIGITS
    for how, unit in UNITS.items():
        low, high = EARLIEST * unit, LATEST * unit
        spread = one.distinct > 1 or how is How.SECONDS
        if low <= one.low and one.high <= high and named and spread and not re.search(r"id$", one.name, re.IGNORECASE):
            return how
    return None


def _parts(columns: Sequence[ColumnFacts]) -> tuple[str, ...] | None:
    """Return the columns of year, month and day, where their values are such."""
    by_name = {one.name.strip().casefold(): one for one in columns}
    bounds = ((1900, 2100), (1, 12), (1, 31))
    for names in PARTS:
        found = [by_name.get(name) for name in names]
        fits = (
            one is not None and one.whole and isinstance(one.low, int) and low <= one.low and one.high <= high
            for one, (low, high) in zip(found, bounds, strict=True)
        )  # fmt: skip
        if all(fits):
            return tuple(one.name for one in found if one is not None)
    return None


def _measure(frame: pl.LazyFrame, facts: TimeFacts) -> TimeFacts | None:
    """Return a time with its range, cadence and gaps; None where most values are none."""
    when = time_of(facts)
    always = (when.cast(pl.Datetime("us")).dt.time() == pl.time(0, 0)).all()
    ends = frame.select(first=when.min(), last=when.max(), nulls=when.null_count(), midnight=always)
    first, last, nulls, midnight = ends.collect().row(0)
    there = frame.select(when.dt.date().alias("day")).drop_nulls().group_by("day").len().sort("day").collect()
    if first is None or not there.height or (facts.how is How.DIGITS and nulls > facts.nulls):
        return None
    days = there["day"].to_list()
    step, gaps = _cadence(days)
    weekdays = len(days) >= WEEKEND and all(day.weekday() < WEEKEND for day in days)
    if weekdays and step == 1:
        gaps = [gap for gap in gaps if not _only_weekend(gap)]
    naive = isinstance(first, datetime) and first.tzinfo is None and facts.how not in UNITS
    dated = facts.clock and naive and bool(midnight)
    longest = sorted(gaps, key=lambda gap: (gap[0] - gap[1], gap[0]))[:GAPS_SHOWN]
    return TimeFacts(
        facts.columns, facts.how, facts.format, facts.clock and not dated, nulls, first, last, len(days), dated, step,
        weekdays, tuple(sorted(longest)), len(gaps),
    )  # fmt: skip


def _cadence(days: Sequence[date]) -> tuple[int | None, list[tuple[date, date]]]:
    """Return the usual distance of days that have rows, and the stretches between them that are longer."""
    distances = sorted((b - a).days for a, b in pairwise(days))
    if not distances:
        return None, []
    step = distances[len(distances) // 2]
    usual = sum(1 for d in distances if abs(d - step) <= (3 if step >= 28 else 0))
    if usual < 0.5 * len(distances):
        return None, []
    longest = step + 3 if step >= 28 else step
    day = timedelta(days=1)
    return step, [(a + day, b - day) for a, b in pairwise(days) if (b - a).days > longest]


def _only_weekend(gap: tuple[date, date]) -> bool:
    days = ((gap[0] + timedelta(days=i)) for i in range((gap[1] - gap[0]).days + 1))
    return all(day.weekday() >= WEEKEND for day in days)


def _likely(facts: TimeFacts, place: int, count: int) -> float:
    """Return how likely it is that this time is when a row happened: by its name, its nulls, its place."""
    name = facts.name.casefold()
    score = 2.0 * bool(NAMED.search(facts.name)) - place / max(count, 1)
    score += 1.5 * bool(LIKELY.search(name)) - 2.5 * facts.later
    return score + 0.3 * facts.clock - 0.5 * (facts.how not in (How.TIME, How.TEXT)) - 4.0 * (facts.nulls > 0)
