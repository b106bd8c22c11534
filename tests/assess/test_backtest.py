"""The page that says how well projections did has what the benchmark finds."""

from __future__ import annotations

import importlib.util
import random
import sys
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import pytest

from smartkpi.assess.daily import Daily

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def backtest() -> ModuleType:
    spec = importlib.util.spec_from_file_location("backtest", ROOT / "benchmarks" / "projection.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["backtest"] = module
    spec.loader.exec_module(module)
    return module


def test_a_row_of_the_page_is_found_again(backtest: ModuleType) -> None:
    scores, some = {}, random.Random("lumpy 34")  # a cheap one: few draws a day
    methods = {name: backtest.METHODS[name] for name in ("even pace", "weekly")}
    for _ in range(200):
        drawn = backtest.lumpy(some, 420 + 34)
        whole = Daily.of({backtest.FIRST + timedelta(days=i): value for i, value in enumerate(drawn)})
        backtest.judge(scores, "lumpy", whole.upto(backtest.FIRST + timedelta(days=419)), 34, methods)
    page = (ROOT / "docs" / "projection.md").read_text(encoding="utf-8")
    (row,) = (line for line in page.splitlines() if line.startswith("| lumpy | 34 |"))
    found = [scores["lumpy", name, 34].coverage() for name in methods]
    assert row.split("|")[3:6] == [" 200 ", *(f" {one} " for one in found)]
