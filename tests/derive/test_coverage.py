"""Coverage against sets of days."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from smartkpi.derive.coverage import FULL, NONE, PART, cover, judge
from smartkpi.derive.spine import lay_out, lay_out_one, unplaced
from smartkpi.engines.answer import Coverage, edge_of
from smartkpi.periods.calendar import Calendar
from smartkpi.periods.grain import Grain
from smartkpi.spec.model import Covers
from tests.derive.plans import component, dataset, plan_of, step, value

DAY = timedelta(days=1)
FIRST = date(2024, 2, 20)
days = st.integers(0, 45).map(lambda n: FIRST + n * DAY)
stated = st.none() | st.builds(Covers, st.none() | days, st.none() | days)


def expected(active: list[date], covers: Covers | None, last: date, counted: bool) -> tuple[set[date], bool]:
    """The covered days up to the last day of the as-of, and whether the dataset is stale."""
    active = [day for day in active if day <= last]
    first = covers.start if covers and covers.start else (active[0] if active else None)
    if first is None:
        return set(), False
    end, stale = last, False
    if covers and covers.end:
        end = min(last, covers.end)
    elif active:
        silence = (last - active[-1]).days
        if silence > max([1, *((b - a).days for a, b in zip(active, active[1:], strict=False))]):
            end, stale = active[-1], True
    found = {first + n * DAY for n in range((end - first).days + 1)}
    return (found & set(active) if counted else found), stale


@settings(max_examples=150)
@given(
    st.lists(days, unique=True).map(sorted),
    stated,
    days,
    st.booleans(),
    st.sampled_from(["Europe/Berlin", "America/Sao_Paulo", "UTC"]),
    st.sampled_from([Grain.DAY, Grain.WEEK, Grain.MONTH]),
)
def test_judged_periods_agree_with_sets_of_days(
    active: list[date], covers: Covers | None, last: date, counted: bool, zone: str, grain: Grain
) -> None:
    calendar = Calendar(zone)
    known = dataset("log", ("visit",), counted=counted, covers=covers)
    found = cover(calendar, known, Coverage("log", tuple(active), None, 1), calendar.midnight(last + DAY))
    wanted, stale = expected(active, covers, last, counted)
    assert (found is not None and found.stale) == (stale and bool(wanted))
    keys = calendar.keys(grain, FIRST - 9 * DAY, FIRST + 60 * DAY)
    judged = judge(lay_out(calendar, grain, keys).frame, found).to_list()
    for key, cover_of in zip(keys, judged, strict=True):
        first, end = calendar.days(grain, key)
        inside = {first + n * DAY for n in range((end - first).days)}
        assert cover_of == (FULL if inside <= wanted else PART if inside & wanted else NONE)


def test_an_as_of_within_a_day_cuts_coverage_there() -> None:
    calendar = Calendar("Asia/Kolkata")
    noon = calendar.instant(datetime(2024, 3, 10, 12))
    found = cover(
        calendar, dataset("log", ("visit",)), Coverage("log", (date(2024, 3, 1), date(2024, 3, 10)), None, 1), noon
    )
    hours = lay_out(calendar, Grain.HOUR, calendar.keys(Grain.HOUR, date(2024, 3, 10), date(2024, 3, 10)))
    assert judge(hours.frame, found).to_list() == [FULL] * 12 + [NONE] * 12
    one_day = lay_out(calendar, Grain.DAY, [date(2024, 3, 10)])
    assert judge(one_day.frame, found).to_list() == [PART]


def test_periods_without_place_are_not_covered() -> None:
    found = cover(
        Calendar(), dataset("log", ("visit",)), Coverage("log", (FIRST,), None, 1), datetime(2024, 2, 21, tzinfo=UTC)
    )
    assert judge(unplaced(Grain.MONTH).frame, found).to_list() == [NONE]
    assert judge(lay_out_one(Calendar(), None, None).frame, found).to_list() == [NONE]
    assert judge(unplaced(Grain.MONTH).frame, None).to_list() == [NONE]


def test_counted_grain_all_needs_each_day() -> None:
    known = dataset("log", ("visit",), counted=True)
    edge = datetime(2024, 2, 24, tzinfo=UTC)
    one = lay_out_one(Calendar(), datetime(2024, 2, 20, tzinfo=UTC), edge)
    for active, wanted in (([0, 1, 2, 3], FULL), ([0, 1, 3], PART)):
        found = cover(Calendar(), known, Coverage("log", tuple(FIRST + n * DAY for n in active), None, 1), edge)
        assert judge(one.frame, found).to_list() == [wanted]


def test_edges() -> None:
    plan = plan_of({"c0": component("visit")}, [step("s0", value("c0"), ("c0",))], calendar=Calendar("Asia/Kolkata"))
    plan = replace(plan, datasets={name: dataset(name, ()) for name in "abc"})
    late, early = datetime(2024, 3, 2, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)
    known = {name: Coverage(name, (), edge, 0) for name, edge in (("a", early), ("b", late), ("c", None))}
    assert edge_of(plan, known, ("a", "b", "c")) == late
    assert edge_of(plan, known, ("c",)) is None
    dated = plan_of({}, [], as_of=date(2024, 3, 1), calendar=Calendar("Asia/Kolkata"))
    assert edge_of(dated, known, ()) == datetime(2024, 3, 1, 18, 30, tzinfo=UTC)
    timed = plan_of({}, [], as_of=early)
    assert edge_of(timed, known, ()) == early + timedelta(microseconds=1)
    assert isinstance(judge(lay_out(Calendar(), Grain.DAY, [FIRST]).frame, None), pl.Series)
