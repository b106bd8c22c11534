"""Which periods a question shows: the range asked for, the scorecard's one, its trend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from smartkpi.derive.reached import Reached
from smartkpi.derive.spine import Periods, key_type, lay_out, lay_out_one, unplaced
from smartkpi.diagnostics import Diagnostic, KpiError, Note, Severity
from smartkpi.periods.calendar import Key
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Output, Plan, Step

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
DAYS = {Grain.HOUR: 1 / 24, Grain.DAY: 1, Grain.WEEK: 7, Grain.MONTH: 31, Grain.QUARTER: 92, Grain.YEAR: 366}
"""How many days a period has at most."""

TREND = {Grain.DAY: 29}
TREND_ELSE = 13
"""The periods of a trend: the ones drawn, and one before them for the first change."""


@dataclass(frozen=True, slots=True)
class Window:
    """The periods of one KPI, by number, both in; ``first`` names the column with each segment's first one.

    ``first`` None: all of them, whatever has rows. ``shown``: the scorecard's period, None where all are shown.
    """

    low: int
    high: int
    first: str | None
    shown: int | None = None

    def lowest(self) -> pl.Expr:
        """The first period of a segment, null where it has none."""
        if self.low > self.high:
            return pl.lit(None, dtype=pl.Int64)
        low = pl.lit(self.low, dtype=pl.Int64)
        if self.first is None:
            return low
        return pl.when(pl.col(self.first) <= self.high).then(pl.max_horizontal(low, self.first))

    def holds(self) -> pl.Expr:
        """Whether a row of the spine belongs to it."""
        inside = pl.col("i").is_between(self.low, self.high)
        return inside if self.first is None else inside & (pl.col("i") >= pl.col(self.first))


def lay_out_periods(
    plan: Plan,
    grain: Grain,
    edge: datetime | None,
    firsts: pl.DataFrame,
    presence: Sequence[tuple[str, ...]],
    begins: Iterable[datetime],
    limit: int,
) -> Periods:
    """Return the periods that a group of KPIs needs: from the first row, or since, to the as-of, or until.

    Where no row lies in them it is the last one asked for; ``begins`` says where coverage begins.
    """
    calendar, asked = plan.calendar, plan.range
    begin = min(begins, default=None)
    if grain is Grain.ALL:
        return _lay_out_all(plan, edge, begin)
    since = None if asked.start is None else asked.first_hour or calendar.key(grain, asked.start)
    until = None if asked.end is None else asked.last_hour or calendar.key(grain, calendar.midnight(asked.end) - TICK)
    last = None if edge is None else calendar.key(grain, edge - TICK)
    if (own := calendar.own(grain)) is not None:
        early = last is not None and last < own.starts[0]
        since, until, last = (None if key is None else own.within(key) for key in (since, until, last))
        if early:
            return replace(lay_out(calendar, grain, [until or since or own.starts[0]]), ahead=True)
    ends = [key for key in (until, last) if key is not None]
    if last is None or (since is not None and since > last):
        only = until or since
        return unplaced(grain) if only is None else replace(lay_out(calendar, grain, [only]), ahead=last is not None)
    high = min(ends)
    least = {ids: pl.min_horizontal(ids).min().alias(str(place)) for place, ids in enumerate(presence) if ids}
    by_ids = dict(zip(least, firsts.select(least.values()).row(0), strict=True)) if least else {}
    found = [by_ids.get(ids) for ids in presence]
    low = [_key(first) for first in found if first is not None]
    if len(low) < len(found) and not plan.by:  # a KPI without rows: from coverage, or just the last period
        low.append(calendar.key(grain, begin) if plan.scorecard and begin is not None else high)
    low = low if own is None else [own.within(key) for key in low]
    start = max([min([*low, high]), *([since] if since is not None else [])])
    refuse_many(grain, start, high, limit)
    if isinstance(start, datetime) and isinstance(high, datetime):
        return lay_out(calendar, grain, calendar.hours(start, high + TICK))
    return lay_out(calendar, grain, calendar.keys(grain, start, high))


def beyond_periods(plan: Plan, grain: Grain, edge: datetime | None, begin: datetime | None) -> list[Diagnostic]:
    """Say that data lies before or after the periods that the calendar lists, where that was asked for."""
    calendar, asked = plan.calendar, plan.range
    if (own := calendar.own(grain)) is None or edge is None:
        return []
    found: list[Diagnostic] = []
    last, final = calendar.local_day(edge - TICK), own.end - DAY
    if last > final and (asked.end is None or asked.end > own.end):
        message = f"the periods of `{grain}` end on {final}, the data on {last}: what came since is in none of them"
        hint = "list the periods that follow in the file of `calendar.periods`"
        found.append(Diagnostic("beyond-periods", message, hint=hint, severity=Severity.WARNING))
    first = None if begin is None else calendar.local_day(begin)
    if first is not None and first < own.starts[0] and (asked.start is None or asked.start < own.starts[0]):
        message = f"the periods of `{grain}` begin on {own.starts[0]}, the data on {first}: what came before is in none"
        found.append(Diagnostic("beyond-periods", message, severity=Severity.NOTE))
    return found


def _lay_out_all(plan: Plan, edge: datetime | None, begin: datetime | None) -> Periods:
    calendar, asked = plan.calendar, plan.range
    if edge is not None and begin is None:
        begin = calendar.midnight(calendar.local_day(edge - TICK))
    start = begin if asked.start is None else calendar.midnight(asked.start)
    end = edge if asked.end is None else calendar.midnight(asked.end)
    return lay_out_one(calendar, start, end)


def _key(value: Any) -> Key:
    assert isinstance(value, date)
    return value


def refuse_many(grain: Grain, start: Key, end: Key, limit: int) -> None:
    """Refuse before the periods are made what alone would be too many."""
    count = int((end.toordinal() - start.toordinal()) / DAYS.get(grain, 1))
    if count > limit:
        raise too_many_cells(
            limit, count, f"so many periods of grain `{grain}` lie from {start:%Y-%m-%d} to {end:%Y-%m-%d}"
        )


def windows_of(
    plan: Plan,
    outputs: Sequence[tuple[int, Output]],
    steps: Mapping[str, Step],
    periods: Periods,
    firsts: pl.DataFrame,
    reached: Reached,
    missing: Mapping[str, AbstractSet[int]],
    columns: Mapping[tuple[str, ...], str],
) -> tuple[pl.DataFrame, tuple[Window, ...]]:
    """Return the window of each KPI, and the segments with the columns that the windows name.

    ``columns`` has the name of a column for each presence, that of every KPI among them; ``missing`` the periods of
    each step in which a count is null.
    """
    asked = [steps[output.step] for _, output in outputs if output.step is not None]
    none = pl.lit(None, dtype=key_type(periods.grain))
    found = firsts.select("sid", *((pl.min_horizontal(p) if p else none).alias(name) for p, name in columns.items()))
    numbers = [_numbers(found[name], reached).alias(name) for name in columns.values()]
    begins = {column.name: column.min() for column in numbers}
    shown = reached.frame.filter(pl.col("i").is_between(0, periods.frame.height - 1))
    windows = []
    for step in asked:
        column = columns[step.presence]
        known = pl.col(f"complete.{step.id}")
        if f"immature.{step.id}" in shown.columns:
            known = known & ~pl.col(f"immature.{step.id}")
        complete = shown.select(known).to_series().to_list()
        windows.append(_window(plan, periods, complete, missing[step.id], column, begins[column]))
    return firsts.with_columns(numbers), tuple(windows)


def _numbers(first: pl.Series, periods: Reached) -> pl.Series:
    """Return the number of each segment's first period, null where it has no row."""
    if periods.grain is Grain.ALL:
        return first.cast(pl.Int64)
    if periods.keys == (None,):  # a period without place holds them all
        numbers = pl.Series([0], dtype=pl.Int64).new_from_index(0, len(first))
    else:
        keys = pl.Series(periods.keys, dtype=key_type(periods.grain))
        numbers = keys.search_sorted(first).cast(pl.Int64) + periods.low
    return numbers.set(first.is_null(), None)


def _window(
    plan: Plan, periods: Periods, complete: list[bool], missing: AbstractSet[int], column: str, begin: Any
) -> Window:
    """Return the window of one KPI: ``begin`` is its first period with a row, ``missing`` those with a null count."""
    last = len(complete) - 1
    if begin is None and plan.by:
        return Window(1, 0, column)
    if begin is not None and (periods.ahead or begin > last):
        return Window(1, 0, column)
    if not plan.scorecard:
        return Window(last, last, None) if begin is None else Window(0, last, column)
    start = max(begin or 0, 0)
    over = (i for i in range(last, start - 1, -1) if complete[i] and i not in missing)
    shown = next(over, last)
    if begin is None:
        return Window(shown, shown, None, shown)
    length = TREND.get(periods.grain, TREND_ELSE)
    return Window(max(start, shown - length + 1), shown, column, shown)


def count_cells(firsts: pl.DataFrame, windows: Sequence[Window]) -> int:
    """Return how many rows the windows have over all segments."""
    distinct: dict[tuple[int, int, str | None], tuple[Window, int]] = {}
    for window in windows:
        key = (window.low, window.high, window.first)
        distinct[key] = (window, distinct.get(key, (window, 0))[1] + 1)
    counts = [
        (pl.lit(window.high + 1) - window.lowest()).sum().alias(str(i)) * times
        for i, (window, times) in enumerate(distinct.values())
    ]
    return sum(firsts.select(counts).row(0)) if counts else 0


def too_many_cells(limit: int, found: int, made_of: str = "") -> KpiError:
    """Return the error for an answer with more cells than are let through; ``made_of`` says where they come from."""
    message = f"the answer would have {found:,} cells, more than {limit:,}"
    return KpiError(
        Diagnostic(
            "too-many-cells",
            message + (f": {made_of}" if made_of else ""),
            hint="ask for a coarser grain, fewer segments (`--where`), or a shorter range with `--since`",
            notes=(Note("`--max-cells` lets more through, where there is the memory for it"),),
        )
    )
