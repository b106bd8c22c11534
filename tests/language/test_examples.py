"""The example of each function gives what the table says, over the rows that the table shows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl
import pytest

import smartkpi
from smartkpi.language.functions import FUNCTIONS, SAMPLE, SAMPLE_COHORTS, SAMPLE_FUNNELS, Function

SHOWN = list(FUNCTIONS.values())


def _frame(rows: Any) -> pl.DataFrame:
    return pl.DataFrame([{**row, "time": datetime.fromisoformat(row["time"])} for row in rows])


def _holds(function: Function) -> str:
    """A formula that is 1 where the example holds, in every row if it is about rows."""
    expression, value = function.example
    if value == "null":
        test = f"({expression}) is null"
    elif value.lstrip("-")[0].isdigit():
        test = (
            f"round(({expression}) - ({value}), 9) == 0"  # as a result is rounded: 10 ^ 3 is not quite 1000 in floats
        )
    else:
        test = f"({expression}) == {value}"
    return f"count(order where {test}) / count(order)" if function.kind == "row" else f"if({test}, order, 0) / order"


@pytest.fixture(scope="module")
def answers() -> dict[str, float]:
    project = smartkpi.load(
        {
            "datasets": {name: {"time": "time", "events": {name: "all rows"}} for name in SAMPLE},
            "funnels": {name: dict(one) for name, one in SAMPLE_FUNNELS.items()},
            "cohorts": {name: dict(one) for name, one in SAMPLE_COHORTS.items()},
            "kpis": {f"k{i}": _holds(function) for i, function in enumerate(SHOWN)},
        },
        data={name: _frame(rows) for name, rows in SAMPLE.items()},
    )
    assert project.check(data=True).ok, project.check(data=True).diagnostics
    timed = [f"k{i}" for i, function in enumerate(SHOWN) if function.kind == "time"]
    others = [f"k{i}" for i, function in enumerate(SHOWN) if function.kind != "time"]
    frame = pl.concat([project.run(others, grain="all").frame, project.run(timed, grain="year").frame])
    values = dict(zip(frame["kpi"], frame["value"], strict=True))
    return {function.name: values[f"k{i}"] for i, function in enumerate(SHOWN)}


@pytest.mark.parametrize("function", SHOWN, ids=[function.name for function in SHOWN])
def test_example(function: Function, answers: dict[str, float]) -> None:
    assert answers[function.name] == 1, function.example
