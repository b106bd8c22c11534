"""Coverage: the days on which a dataset has rows, and its latest time, from all rows with any of its times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

import polars as pl

from smartkpi.engines.answer import Coverage
from smartkpi.engines.polars.additive import CUT, LATEST, PERIOD_KEY, Level1
from smartkpi.engines.polars.compile import Opened, collect, joined
from smartkpi.engines.polars.estimate import WORTH, lies_in_order
from smartkpi.engines.polars.expressions import clock_of, is_converted
from smartkpi.engines.polars.partials import ROWS
from smartkpi.engines.polars.times import Clock, Span, before, day_of, end_of, to_zone, within
from smartkpi.plan.nodes import Plan, Scan
from smartkpi.semantics.formula import Column, Expr, TypedDataset
from smartkpi.sources.faults import fault

Run = Callable[[Opened, pl.LazyFrame], pl.DataFrame]

FIRST_DAY, LAST_DAY = date(1, 1, 2), date(9999, 12, 30)
"""Between which days instants of any zone are dates."""


def times_of(dataset: TypedDataset) -> tuple[Expr, ...]:
    """Return all times bound in a dataset, each once."""
    bound = (binding.time for binding in dataset.events.values())
    return tuple(dict.fromkeys(time for time in (dataset.time, *bound) if time is not None))


def sees_all(scan: Scan, plan: Plan) -> bool:
    """Say whether an additive scan reads every row of its dataset by its only time, so that coverage comes with it."""
    only = times_of(plan.datasets[scan.dataset])
    whole = scan.state == "additive" and not scan.demands and not scan.filter and not scan.told_apart
    return whole and scan.time is not None and only == (scan.time,)


def spans_of(opened: Opened, dataset: TypedDataset) -> dict[str, Span]:
    """Return the first and last value of each column of times that takes a conversion to local time.

    Known, they save the conversion of each row; for few rows a look at them costs more than it saves.
    """
    rows = opened.rows
    times = [time.name for time in times_of(dataset) if isinstance(time, Column)]
    names = [name for name in times if is_converted(rows.dtypes.get(name), rows)]
    if (opened.table.rows_hint or 0) < WORTH or not names:
        return {}
    naive = {name: pl.col(name).dt.cast_time_unit("us") for name in names}
    for name in names:
        if rows.dtypes[name].time_zone is not None:  # type: ignore[attr-defined]
            naive[name] = naive[name].dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    looks = [
        look.alias(f"{name}:{what}")
        for name, value in naive.items()
        for what, look in (("first", value.min()), ("last", value.max()))
    ]
    found = opened.collect(opened.frame.select(looks)).row(0)
    return {name: (found[2 * i], found[2 * i + 1]) for i, name in enumerate(names) if found[2 * i] is not None}


def from_level(opened: Opened, level: Level1, small: pl.DataFrame, left_out: dict[str, int]) -> Coverage:
    """Read coverage off the first level of a scan that sees all rows, perhaps with a look at those of its last day."""
    assert level.clock is not None
    zone = level.clock.zone
    day = to_zone(pl.col(PERIOD_KEY), zone).dt.date() if level.hours else pl.col(PERIOD_KEY)
    cut = pl.col(CUT) if CUT in small.columns else pl.lit(value=False)
    latest = pl.col(LATEST) if LATEST in small.columns else day
    days_of = small.lazy().group_by(day.alias("day"), cut.alias("cut"))
    table = collect(days_of.agg(pl.col(ROWS).sum(), latest.max().alias(LATEST)))
    known, out = table.filter(pl.col("day").is_not_null()), table.filter(pl.col("day").is_null())
    counted, late = known.filter(~pl.col("cut")), known.filter(pl.col("cut"))
    days = _days(opened, counted["day"])
    last = counted[LATEST].max()
    if days and LATEST not in small.columns and level.clock.form != "date":
        last = opened.collect(latest_query(opened, level.clock, days[-1])).item()
    return Coverage(
        dataset=opened.table.name,
        days=tuple(days),
        edge=_edge([last], zone),
        rows=_count(table) + sum(left_out.values()),
        left_out=_left_out(left_out, _count(out), _count(late)),
    )


def latest_query(opened: Opened, clock: Clock, day: date) -> pl.LazyFrame:
    """Return a query for the latest time from a day on; where files are in order it reads little of them."""
    ends = [] if opened.edge is None else [before(clock, opened.edge)]
    return opened.frame.filter(*within(clock, day, None), *ends).select(clock.expr.max())


def coverage_query(opened: Opened, times: Sequence[Expr]) -> pl.LazyFrame:
    """Return a query over times alone: days by time, with number of rows and latest times."""
    columns: list[pl.Expr] = []
    latest: list[pl.Expr] = []
    names: list[str] = []
    for place, expr in enumerate(times):
        clock = clock_of(expr, opened.rows)
        day, cut = f"__day{place}", f"__cut{place}"
        columns.append(day_of(clock).alias(day))
        names.append(day)
        if opened.edge is not None:
            columns.append((~before(clock, opened.edge)).fill_null(value=False).alias(cut))
            names.append(cut)
        latest.append(clock.expr.max().alias(f"__latest{place}"))
    frame = opened.watched(joined(opened, times), columns).with_columns(columns)
    return frame.group_by(names).agg(pl.len().cast(pl.Int64).alias(ROWS), *latest)


def profile(opened: Opened, dataset: TypedDataset, run: Run, zone: str, left_out: dict[str, int]) -> Coverage:
    """Read the coverage of a dataset by a scan of its times alone."""
    times = times_of(dataset)
    if not times:
        hint = opened.table.rows_hint
        rows = opened.collect(opened.table.frame.select(pl.len())).item() if hint is None else hint
        return Coverage(dataset.name, (), None, rows, left_out)
    if isinstance(times[0], Column) and len(times) == 1 and opened.edge is None:
        clock = clock_of(times[0], opened.rows)
        if lies_in_order(opened, clock):
            return from_runs(opened, clock, run(opened, runs_query(opened, clock)), left_out)
    return from_query(opened, run(opened, coverage_query(opened, times)), len(times), zone, left_out)


def runs_query(opened: Opened, clock: Clock) -> pl.LazyFrame:
    """Return a query for days in the order of rows, with the number of rows of each: few where rows lie in order."""
    day = day_of(clock)
    return opened.watched(opened.frame, (day,)).select(day.rle().struct.rename_fields([ROWS, "day"]).alias("run"))


def from_runs(opened: Opened, clock: Clock, found: pl.DataFrame, left_out: dict[str, int]) -> Coverage:
    """Read coverage off the result of runs_query, with a look at the last day."""
    runs = found.unnest("run")
    known = runs.filter(pl.col("day").is_not_null())
    days = _days(opened, known["day"])
    last: Any = days[-1] if days else None
    if days and clock.form != "date":
        last = opened.collect(latest_query(opened, clock, days[-1])).item()
    null, rows = _count(runs) - _count(known), _count(runs) + sum(left_out.values())
    return Coverage(opened.table.name, tuple(days), _edge([last], clock.zone), rows, _left_out(left_out, null, 0))


def from_query(opened: Opened, found: pl.DataFrame, count: int, zone: str, left_out: dict[str, int]) -> Coverage:
    """Read coverage off the result of coverage_query."""
    days: set[date] = set()
    latest: list[Any] = []
    usable, late = pl.lit(value=False), pl.lit(value=False)
    for place in range(count):
        has = pl.col(f"__day{place}").is_not_null()
        cut = pl.col(f"__cut{place}") if f"__cut{place}" in found.columns else pl.lit(value=False)
        mine = found.filter(has & ~cut)
        days.update(_days(opened, mine[f"__day{place}"]))
        latest.append(mine[f"__latest{place}"].max())
        usable, late = usable | (has & ~cut), late | has
    null = _count(found.filter(~late))
    cut_off = _count(found.filter(late & ~usable))
    rows = _count(found) + sum(left_out.values())
    name = opened.table.name
    return Coverage(name, tuple(sorted(days)), _edge(latest, zone), rows, _left_out(left_out, null, cut_off))


def _days(opened: Opened, found: pl.Series) -> list[date]:
    """Return days in order. Raises KpiError (`time-out-of-range`) where one is no date of the calendar."""
    days = found.unique().sort()
    if not days.drop_nulls().is_between(FIRST_DAY, LAST_DAY).all():
        name = opened.table.name
        message = f"dataset `{name}` has times beyond the years 1 to 9999"
        hint = "milliseconds since 1970 are `epoch_ms(…)`, seconds `epoch_s(…)`; or the file is damaged"
        raise fault("time-out-of-range", message, opened.table.span, hint, subject=f"dataset:{name}")
    return days.to_list()


def _count(found: pl.DataFrame) -> int:
    return int(found[ROWS].sum())


def _edge(latest: Sequence[Any], zone: str) -> datetime | None:
    return max((end_of(moment, zone) for moment in latest if moment is not None), default=None)


def _left_out(before_: dict[str, int], null: int, late: int) -> dict[str, int]:
    found = {"null_time": null, "after_as_of": late + before_.get("after_as_of", 0)}
    return before_ | {reason: count for reason, count in found.items() if count}
