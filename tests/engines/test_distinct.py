"""Distinct counts against plain sets."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

import polars as pl
import pytest

from smartkpi.engines.answer import PERIOD
from smartkpi.language.types import TEXT, TIME, WHOLE
from smartkpi.periods.grain import Grain
from smartkpi.plan.nodes import Range
from smartkpi.semantics.formula import Expr
from tests.engines.build import call, cell, col, dataset, engine, plan, scan
from tests.engines.test_additive import GRAINS, made, naive, period

TS, EVENT, CHANNEL, K = col("ts", TIME), col("event", TEXT), col("channel", TEXT), col("k", WHOLE)


def one(event: str) -> Expr:
    return call("==", EVENT, event)


@pytest.mark.parametrize("discriminators", [(), (EVENT,)])
@pytest.mark.parametrize("by", [[], ["channel"]])
def test_every_grain(discriminators: tuple[Expr, ...], by: list[str]) -> None:
    data = made(800).with_columns(pl.col("k") % 40)
    small = call("<", K, 20)
    cells = [cell("v", "distinct", K, one("visit")), cell("o", "distinct", K, one("order"), small)]
    dims = {name: col(name, TEXT) for name in by}
    scans = [scan(cells, GRAINS, time=TS, state="distinct", by=dims, discriminators=discriminators)]
    answer = engine(data).collect(plan(scans, dataset(time=TS)))
    for grain in GRAINS:
        groups: dict[Any, tuple[set[int], set[int]]] = defaultdict(lambda: (set(), set()))
        for row in data.rows(named=True):
            if row["ts"] is None or row["k"] is None:
                continue
            key = (*([] if grain is Grain.ALL else [period(row["ts"], grain)]), *(row[name] for name in by))
            if row["event"] == "visit":
                groups[key][0].add(row["k"])
            if row["event"] == "order" and row["k"] < 20:
                groups[key][1].add(row["k"])
        (frame,) = answer.frames[grain]
        names = [name for name in (PERIOD, *by) if name in frame.columns]
        got = {tuple(naive(r[n]) for n in names): (r["v"] or 0, r["o"] or 0) for r in frame.rows(named=True)}
        assert got == {key: (len(a), len(b)) for key, (a, b) in groups.items()}


def test_a_mask_of_several_values_is_not_added_up() -> None:
    data = made(400).with_columns(pl.col("k") % 10)
    either = call("in", EVENT, "visit", "order")
    cells = [cell("v", "distinct", K, one("visit")), cell("e", "distinct", K, either), cell("a", "distinct", K)]
    scans = [scan(cells, (Grain.ALL,), time=TS, state="distinct", discriminators=(EVENT,))]
    (frame,) = engine(data).collect(plan(scans, dataset(time=TS))).frames[Grain.ALL]
    assert max(frame.row(0)) <= 19


@pytest.mark.parametrize(
    "values", [["a", "b", None, "a"], [0.0, -0.0, float("nan"), 1.0], [True, False, None, True], [date(2026, 1, 1)] * 2]
)
def test_null_and_nan_are_no_value(values: list[Any]) -> None:
    data = pl.DataFrame({"ts": [date(2026, 1, 1)] * len(values), "v": values})
    scans = [scan([cell("n", "distinct", col("v"))], (Grain.DAY, Grain.ALL), time=TS, state="distinct")]
    answer = engine(data).collect(plan(scans, dataset(time=TS)))
    wanted = len({v for v in values if v is not None and v == v})
    assert answer.frames[Grain.ALL][0].item() == wanted
    assert answer.frames[Grain.DAY][0]["n"].to_list() == [wanted]


def test_a_range_reads_whole_periods_only() -> None:
    days = [date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 28), date(2026, 3, 1)]
    data = pl.DataFrame({"ts": days, "k": [1, 2, 3, 4]})
    scans = [
        scan([cell("d", "distinct", K)], (Grain.MONTH, Grain.ALL), time=TS, state="distinct"),
        scan([cell("r")], (Grain.MONTH, Grain.ALL), time=TS),
    ]
    limits = Range(date(2026, 2, 1), date(2026, 3, 1))
    answer = engine(data).collect(plan(scans, dataset(time=TS), range_=limits))
    distinct, rows = answer.frames[Grain.MONTH]
    assert distinct.rows() == [(date(2026, 2, 1), 2)]
    assert rows.height == 3  # presence looks at all periods
    assert [frame.item() for frame in answer.frames[Grain.ALL]] == [2, 2]
    assert answer.coverage["log"].days == tuple(days)
