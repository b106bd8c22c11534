"""Approximate distinct counts: near the truth at every size, and the same whatever the order of rows."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from smartkpi.engines.polars import slices
from smartkpi.language.types import TEXT, TIME
from smartkpi.periods.grain import Grain
from tests.engines.build import call, cell, col, dataset, engine, plan, scan

TS, V = col("ts", TIME), col("v", TEXT)


def estimate(values: Any, *where: Any, grains: tuple[Grain, ...] = (Grain.ALL,), days: int = 1) -> Any:
    frame = pl.DataFrame({"v": values}).with_columns(
        ts=pl.lit(date(2026, 1, 1)) + pl.duration(days=pl.int_range(pl.len()) % days)
    )
    scans = [scan([cell("n", "approx_distinct", V, *where)], grains, time=TS, state="sketch")]
    return engine(frame).collect(plan(scans, dataset(time=TS))).frames


@pytest.mark.parametrize("size", [0, 1, 2, 10, 100, 1_000, 10_000, 30_000, 300_000])
def test_it_is_near(size: int) -> None:
    values = pl.Series([*range(size), *range(size)], dtype=pl.Int64)
    (frame,) = estimate(values)[Grain.ALL]
    assert frame["n"].item() == pytest.approx(size, rel=0.05, abs=0.5)


def test_equal_values_are_equal_in_any_type_and_null_is_none() -> None:
    kinds = [pl.Int8, pl.UInt64, pl.Int64]
    found = [estimate(pl.Series([1, 2, 3, None, 3], dtype=kind))[Grain.ALL][0]["n"].item() for kind in kinds]
    assert found == [3, 3, 3]
    assert estimate([0.0, -0.0, float("nan"), None])[Grain.ALL][0]["n"].item() == 1
    texts = ["a", "b", None, "a"] * 10
    assert estimate(texts)[Grain.ALL][0]["n"].item() == 2
    assert estimate(pl.Series(texts, dtype=pl.Categorical))[Grain.ALL][0]["n"].item() == 2
    assert estimate([True, False, None])[Grain.ALL][0]["n"].item() == 2
    assert estimate([None, None])[Grain.ALL][0]["n"].item() == 0


def test_conditions_and_periods() -> None:
    values = list(range(400))
    frames = estimate(values, call("<", V, 200), grains=(Grain.DAY, Grain.MONTH), days=2)
    assert frames[Grain.DAY][0]["__period"].to_list() == [date(2026, 1, 1), date(2026, 1, 1) + timedelta(days=1)]
    assert frames[Grain.DAY][0]["n"].to_list() == pytest.approx([100, 100], rel=0.05)
    assert frames[Grain.MONTH][0]["n"].to_list() == pytest.approx([200], rel=0.05)


def test_slices_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = list(range(400))
    (whole,) = estimate(values, grains=(Grain.DAY,), days=40)[Grain.DAY]
    monkeypatch.setattr(slices, "LARGE", 10)
    monkeypatch.setattr(slices, "SLICE", 40)
    (sliced,) = estimate(values, grains=(Grain.DAY,), days=40)[Grain.DAY]
    assert sliced.equals(whole)


CODE = """
import polars as pl
from tests.engines.test_sketch import estimate, Grain
values = pl.Series(range(150_000))
print(estimate(values)[Grain.ALL][0]["n"].item(), estimate(values.reverse())[Grain.ALL][0]["n"].item())
"""


def test_threads_order_and_process_make_no_difference() -> None:
    values = pl.Series(range(150_000))
    wanted = estimate(values.sample(fraction=1, shuffle=True, seed=1))[Grain.ALL][0]["n"].item()
    environment = {**os.environ, "POLARS_MAX_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(wanted)] * 2
