"""Functions of time around every kind of aggregate: one, or two of them, at any grain that they have a meaning at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from hypothesis import strategies as st

from tests.oracle.days import made_of
from tests.strategies.projects import LISTED, LISTED_GRAINS, SHIFTS, made_of_whole
from tests.strategies.tables import CLOCK_CHANGES, ZONES

AGGREGATES = (
    "order", "sum(order.size)", "sum(order.price)", "avg(order.size)", "min(order.size)", "max(order.price)",
    "distinct(order.buyer)", "median(order.size)", "quantile(order.size, 30%)", "stddev(order.size)",
    "first(order.size)", "last(order.size)", "share(order)", "order / total(sum(order.size))",
    "avg(sum(order.size) per buyer)", "count(order per buyer where value > 1)", "sum(last(order.size) per buyer)",
    "max(distinct(order.place) per buyer)", "sum(sum(order.price) per (buyer, place))", "median(order per buyer)",
    "avg(trailing(order, 2d) per buyer)",
)  # fmt: skip
PERIODS = ("hour", "day", "week", "month")
PER_PERIOD = (
    "avg(order per {})", "max(sum(order.price) per {})", "last(distinct(order.buyer) per {})",
    "count(order per (buyer, {}))", "stddev(median(order.size) per {})", "sum(first(order.size) per ({}, place))",
)  # fmt: skip
WHOLE = (
    "order",
    "sum(order.price)",
    "avg(order.size)",
    "distinct(order.buyer)",
    "median(order.size)",
    "max(order.size)",
)
OVER = ("avg", "sum", "max", "last", "median", "stddev", "count")
GRAINS = ("hour", "day", "week", "month", "quarter", "year", "all")
FITTING = SHIFTS | {"": (*SHIFTS[""], *LISTED_GRAINS)}
LENGTHS = ("1d", "2d", "7d", "2w", "1mo", "1q", "1y")


@dataclass(frozen=True)
class Case:
    """A project of one dataset and one KPI, and how it is asked."""

    definition: dict[str, Any]
    frame: pl.DataFrame
    question: dict[str, Any]


@st.composite
def series(draw: st.DrawFn, period: str) -> str:
    """An aggregate of values that have a window, or an earlier period, in each calendar period by itself."""
    text, shifted = draw(st.sampled_from(WHOLE)), False
    for _ in range(draw(st.integers(1, 2))):
        if not shifted and draw(st.booleans()):
            function, option = draw(st.sampled_from((*WINDOWS, ("trailing", "3h"))))
            least = "year" if period in LISTED_GRAINS else period
            finer = function == "to_date" and GRAINS.index(option) < GRAINS.index(least)
            if finer or (option == "3h" and period != "hour"):
                continue
            text = f"{function}({text}{', ' if option else ''}{option})"
            continue
        shift = draw(st.sampled_from(sorted(shift for shift, fits in FITTING.items() if period in fits)))
        text, shifted = f"{draw(st.sampled_from(('previous', 'change', 'growth')))}({text}{shift})", True
    condition = draw(st.sampled_from(("", "", " where value > 1", " where value != 0")))
    return f"{draw(st.sampled_from(OVER))}({text} per {period}{condition})"


@st.composite
def formulas(draw: st.DrawFn) -> tuple[str, frozenset[str]]:
    """A formula and the grains that it fits."""
    period = draw(st.sampled_from(("", "", *PERIODS, *LISTED_GRAINS)))
    text = draw(st.sampled_from(PER_PERIOD)).format(period) if period else draw(st.sampled_from(AGGREGATES))
    text = draw(series(period)) if period and draw(st.booleans()) else text
    listed = period in LISTED_GRAINS
    fitting = (grain for grain in GRAINS if not period or made_of(grain, period)) if not listed else (period, "all")
    grains = frozenset(fitting)
    shifted = False
    for _ in range(draw(st.integers(0 if period else 1, 2))):
        window, grains_left = draw(st.sampled_from(WINDOWS)), grains
        if shifted or draw(st.integers(0, 2)) == 0:
            shift = draw(st.sampled_from(sorted(shift for shift, fits in FITTING.items() if grains & {*fits})))
            function = draw(st.sampled_from(("previous", "change", "growth")))
            text, grains, shifted = f"{function}({text}{shift})", grains & {*FITTING[shift]}, True
            continue
        function, option = window
        if listed and function != "cumulative":
            continue
        if function == "trailing" and period and not made_of_whole(option, period):
            continue
        if function == "to_date":
            if period and not made_of(option, period):
                continue
            grains_left = grains & {*GRAINS[: GRAINS.index(option) + 1]}
        if grains_left:
            text, grains = f"{function}({text}{', ' if option else ''}{option})", grains_left
    return text, grains


WINDOWS = (
    *(("trailing", length) for length in LENGTHS),
    *(("to_date", grain) for grain in ("day", "week", "month", "quarter", "year")),
    ("cumulative", ""),
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A KPI over rows about a change of clocks, in one of the zones."""
    zone, first = ZoneInfo(draw(st.sampled_from(ZONES))), draw(st.sampled_from(CLOCK_CHANGES))
    text, grains = draw(formulas())
    grain = draw(st.sampled_from(sorted(grains)))
    span = 4 if grain == "hour" else draw(st.sampled_from((4, 40, 150)))
    start = datetime(first.year, first.month, first.day, tzinfo=zone)
    moments = st.integers(0, span * 48 - 1).map(lambda n: start + timedelta(minutes=30 * n))
    times = draw(st.lists(moments, min_size=1, max_size=25))
    columns: dict[str, st.SearchStrategy[Any]] = {
        "buyer": st.sampled_from(["a", "b", "c", None]),
        "place": st.sampled_from(["x", "y"]),
        "size": st.sampled_from([None, *range(-2, 8)]),
        "price": st.integers(-300, 900).map(lambda n: n / 100),
    }
    rows = [{"id": n, "at": at} | {name: draw(one) for name, one in columns.items()} for n, at in enumerate(times)]
    types = {"buyer": pl.String, "size": pl.Int64, "price": pl.Float64, "at": pl.Datetime("us", zone.key)}
    dataset = {"time": "at", "key": "id", "events": {"order": "all rows"}, "fields": {"price": MONEY}}
    calendar = {"timezone": zone.key, "week_start": draw(st.sampled_from(("monday", "saturday")))}
    calendar["periods"] = LISTED.as_posix()
    days = st.none() | st.integers(-2, span + 2).map(lambda n: first + timedelta(days=n))
    since, until, as_of = draw(days), draw(st.none() | days), draw(days)
    if as_of and draw(st.booleans()):  # a period that is not over, alone
        since, until = as_of, None
    if since and until and until < since:
        since, until = until, since
    by = draw(st.sampled_from(((), ("place",), ("place", "buyer"))))
    if not draw(st.booleans()):
        by = ()
    return Case(
        {"calendar": calendar, "datasets": {"shop": dataset}, "kpis": {"k": {"formula": text, "grain": grain}}},
        pl.DataFrame(rows, schema_overrides=types),
        {"kpis": ("k",), "grain": grain, "by": by, "since": since, "until": until, "as_of": as_of},
    )


MONEY = {"is": "price", "unit": "money", "currency": "EUR"}


def said(value: date | None) -> str | None:
    return None if value is None else value.isoformat()
