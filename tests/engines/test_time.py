"""Zones, as-of and coverage: days are local, edges exact."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from smartkpi.engines.answer import PERIOD
from smartkpi.language.types import DATE, TEXT, TIME
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from tests.engines.build import call, cell, col, dataset, engine, plan, scan

TS, NY = col("ts", TIME), "America/New_York"
ZONES = ["UTC", NY, "Asia/Shanghai", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Cairo"]


def instants() -> list[datetime]:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return [start + timedelta(minutes=97 * n) for n in range(5600)]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_aware_times_fall_in_local_days_and_hours(zone: str, unit: str) -> None:
    times = instants()
    data = pl.DataFrame({"ts": times}).cast(pl.Datetime(unit, "UTC"))  # type: ignore[arg-type]
    scans = [scan([cell("n")], (Grain.HOUR, Grain.DAY), time=TS)]
    answer = engine(data).collect(plan(scans, dataset(time=TS, zone=zone), calendar=Calendar(zone)))
    local = [moment.astimezone(ZoneInfo(zone)) for moment in times]
    days: dict[Any, int] = {}
    hours: dict[Any, int] = {}
    for moment in local:
        days[moment.date()] = days.get(moment.date(), 0) + 1
        begin = moment.replace(minute=0, second=0).astimezone(UTC)
        hours[begin] = hours.get(begin, 0) + 1
    assert dict(answer.frames[Grain.DAY][0].rows()) == days
    if zone != "Australia/Lord_Howe":  # half an hour of shift: which hour it falls in is a matter of taste
        assert dict(answer.frames[Grain.HOUR][0].rows()) == hours
    assert answer.coverage["log"].days == tuple(sorted(days))
    assert answer.coverage["log"].edge == times[-1] + timedelta(microseconds=1)


@pytest.mark.parametrize("local", ["UTC", NY, "Asia/Shanghai"])
@pytest.mark.parametrize("zone", ["UTC", NY])
def test_naive_times_are_in_the_zone_of_their_dataset(local: str, zone: str) -> None:
    gaps = {datetime(2026, 3, 8, 2, 13) + timedelta(minutes=15 * n) for n in range(4)}
    naive = [t for n in range(9000) if (t := datetime(2026, 1, 1) + timedelta(minutes=53 * n)) not in gaps] + sorted(
        gaps
    )
    data = dataset(time=TS, zone=local)
    scans = [
        scan([cell("n")], (Grain.HOUR, Grain.DAY), time=TS),
        scan([cell("d", "distinct", TS)], time=TS, state="distinct"),
    ]
    answer = engine(pl.DataFrame({"ts": naive})).collect(plan(scans, data, calendar=Calendar(zone)))
    days: dict[date, int] = {}
    hours: dict[datetime, int] = {}
    for moment in naive:
        instant = moment.replace(tzinfo=ZoneInfo(local)).astimezone(UTC)
        here = instant.astimezone(ZoneInfo(zone))
        days[here.date()] = days.get(here.date(), 0) + 1
        begin = here.replace(minute=0).astimezone(UTC)
        hours[begin] = hours.get(begin, 0) + 1
    rows, distinct = answer.frames[Grain.DAY]
    assert dict(rows.rows()) == days
    assert dict(answer.frames[Grain.HOUR][0].rows()) == hours
    assert distinct[PERIOD].to_list() == sorted(days)


MOVED = [("America/Nuuk", datetime(2024, 3, 30, 23, 30)), ("Pacific/Apia", datetime(2011, 12, 30, 9))]


@pytest.mark.parametrize(("zone", "gone"), MOVED)
@pytest.mark.parametrize("state", ["additive", "distinct"])
def test_a_time_in_a_gap_over_midnight_moves_to_the_next_day(zone: str, gone: datetime, state: str) -> None:
    asked = cell("n") if state == "additive" else cell("n", "distinct", TS)
    query = plan([scan([asked], time=TS, state=state)], dataset(time=TS, zone=zone), calendar=Calendar(zone))
    day = timedelta(days=1)
    answer = engine(pl.DataFrame({"ts": [gone, gone - day]})).collect(query)
    assert answer.frames[Grain.DAY][0][PERIOD].to_list() == [(gone - day).date(), (gone + day).date()]


def test_texts_are_iso_times() -> None:
    texts = ["2026-01-01", "2026-01-02T23:30", "2026-01-02 23:30:15.5", "2026-01-03T00:30:00+02:00", "2026-01-03T03Z"]
    texts += ["2026-01-03T06:30Z", "2026-01-04 10:00:00 +05:30", "no time", ""]
    expr = call("parse_time", col("ts", TEXT), type_=TIME)
    query = plan([scan([cell("n")], time=expr)], dataset(time=expr, zone=NY), calendar=Calendar(NY))
    answer = engine(pl.DataFrame({"ts": [*texts, None]})).collect(query)
    days = [date(2026, 1, day) for day in (1, 2, 3)]
    assert dict(answer.frames[Grain.DAY][0].rows()) == dict(zip(days, (1, 3, 2), strict=True))
    assert answer.coverage["log"].left_out == {"null_time": 4}


@pytest.mark.parametrize("start", range(7))
def test_weeks_begin_where_the_calendar_says(start: int) -> None:
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(30)]
    calendar = Calendar(week_start=start)
    scans = [
        scan([cell("n")], (Grain.WEEK,), time=TS),
        scan([cell("d", "distinct", TS)], (Grain.WEEK,), time=TS, state="distinct"),
    ]
    answer = engine(pl.DataFrame({"ts": days})).collect(plan(scans, dataset(time=TS), calendar=calendar))
    wanted: dict[date, int] = {}
    for day in days:
        first = day - timedelta(days=(day.weekday() - start) % 7)
        wanted[first] = wanted.get(first, 0) + 1
    assert [dict(frame.rows()) for frame in answer.frames[Grain.WEEK]] == [wanted, wanted]


AS_OF: list[tuple[Any, int]] = [
    (date(2026, 1, 2), 48),
    (datetime(2026, 1, 2, 5, tzinfo=UTC), 30),
    (datetime(2026, 1, 2, 13, tzinfo=timezone(timedelta(hours=8))), 30),
    (datetime(2026, 1, 2, 4, 59, 59, 999999, tzinfo=UTC), 29),
]


@pytest.mark.parametrize(("as_of", "kept"), AS_OF)
@pytest.mark.parametrize("aware", [True, False])
@pytest.mark.parametrize("extra", [(), (col("ts2", TIME),)])
def test_an_explicit_as_of_cuts_everywhere(as_of: Any, kept: int, aware: bool, extra: tuple[Any, ...]) -> None:
    times = [datetime(2026, 1, 1) + timedelta(hours=n) for n in range(72)]
    data = pl.DataFrame({"ts": [*times, None]}).with_columns(ts2=pl.col("ts"))
    if aware:
        data = data.with_columns(pl.all().dt.replace_time_zone("UTC"))
    scans = [
        scan([cell("n")], (Grain.ALL, Grain.DAY), time=TS),
        scan([cell("d", "distinct", TS)], (Grain.ALL,), time=TS, state="distinct"),
    ]
    bound = dataset(time=TS, **{f"other{i}": time for i, time in enumerate(extra)})
    answer = engine(data).collect(plan(scans, bound, as_of=as_of))
    assert [frame.item() for frame in answer.frames[Grain.ALL]] == [kept, kept]
    assert answer.frames[Grain.DAY][0]["n"].sum() == kept
    coverage = answer.coverage["log"]
    assert coverage.days == tuple(sorted({moment.date() for moment in times[:kept]}))
    assert coverage.edge == times[kept - 1].replace(tzinfo=UTC) + timedelta(microseconds=1)
    assert (coverage.rows, dict(coverage.left_out)) == (73, {"null_time": 1, "after_as_of": 72 - kept})
    assert answer.scans == (3 if extra else 2)


def test_dates_cover_their_day() -> None:
    data = pl.DataFrame({"ts": [date(2026, 3, 8), date(2026, 3, 9)]})
    for as_of, edge in [
        (None, datetime(2026, 3, 10, 4, tzinfo=UTC)),
        (date(2026, 3, 8), datetime(2026, 3, 9, 4, tzinfo=UTC)),
        (datetime(2026, 3, 9, 3, 59, 59, 999999, tzinfo=UTC), datetime(2026, 3, 9, 4, tzinfo=UTC)),
    ]:
        made = plan([scan([cell("n")], time=TS)], dataset(time=TS), calendar=Calendar(NY), as_of=as_of)
        assert engine(data).collect(made).coverage["log"].edge == edge


def test_coverage_looks_at_all_times_of_a_dataset() -> None:
    data = pl.DataFrame(
        {
            "ordered": [date(2026, 1, 1), date(2026, 1, 2), None, None],
            "delivered": [date(2026, 1, 5), None, date(2026, 1, 7), None],
        }
    )
    ordered, delivered = col("ordered", DATE), col("delivered", DATE)
    bound = dataset(time=ordered, delivery=delivered)
    scans = [scan([cell("o")], time=ordered), scan([cell("d")], time=delivered)]
    answer = engine(data).collect(plan(scans, bound))
    coverage = answer.coverage["log"]
    assert coverage.days == (date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 5), date(2026, 1, 7))
    assert coverage.edge == datetime(2026, 1, 8, tzinfo=UTC)
    assert (coverage.rows, dict(coverage.left_out)) == (4, {"null_time": 1})
    assert [frame["o" if i == 0 else "d"].sum() for i, frame in enumerate(answer.frames[Grain.DAY])] == [2, 2]


def test_a_timeless_dataset_covers_nothing() -> None:
    answer = engine(pl.DataFrame({"a": [1, 2]})).collect(plan([scan([cell("n")], (Grain.ALL,))], dataset()))
    assert answer.coverage["log"].days == ()
    assert answer.frames[Grain.ALL][0].item() == 2


def test_progress_counts_rows() -> None:
    told: list[tuple[int, int | None]] = []
    runner = engine(pl.DataFrame({"ts": [date(2026, 1, 1)] * 10}))
    runner.progress = lambda done, total: told.append((done, total))
    runner.collect(plan([scan([cell("n")], time=TS)], dataset(time=TS)))
    assert told == [(10, 10)]
