"""Dataset keys: repeated rows count once, differing ones by their latest version."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from smartkpi.diagnostics import KpiError
from smartkpi.engines.answer import Answer
from smartkpi.language.types import TIME, WHOLE
from smartkpi.periods.grain import Grain
from smartkpi.sources.tables import open_table
from tests.engines.build import cell, col, dataset, engine, plan, read, scan

TS, X = col("ts", TIME), col("x", WHOLE)


def run(rows: list[tuple[Any, int | None, int]], as_of: date | None = None, schema: Any = pl.String) -> Answer:
    data = pl.DataFrame(rows, schema={"id": schema, "day": pl.Int64, "x": pl.Int64}, orient="row")
    data = data.with_columns(ts=pl.date(2026, 1, pl.col("day")))
    scans = [scan([cell("n"), cell("s", "sum", X)], (Grain.ALL,), time=TS)]
    return engine(data).collect(plan(scans, dataset(time=TS, key=["id"]), as_of=as_of))


def total(answer: Answer) -> tuple[Any, ...]:
    return answer.frames[Grain.ALL][0].row(0)


def test_unique_keys_stay_as_they_are() -> None:
    answer = run([("a", 1, 1), ("b", 1, 2)])
    assert (total(answer), answer.notes) == ((2, 3), ())


def test_equal_rows_count_once_and_the_latest_stays() -> None:
    answer = run([("a", 1, 1), ("a", 1, 1), ("b", 1, 10), ("b", 2, 20), ("b", None, 30), ("c", 3, 5)])
    assert total(answer) == (3, 26)
    assert dict(answer.coverage["log"].left_out) == {"duplicate": 3}
    assert answer.coverage["log"].rows == 6
    (note,) = answer.notes
    assert note.message == "dataset `log` repeats keys: 1 equal and 2 older rows left out"


def test_a_row_without_key_is_kept() -> None:
    assert total(run([(None, 1, 1), (None, 1, 1), ("a", 1, 1), ("a", 1, 1)])) == (3, 3)


def test_versions_after_the_as_of_do_not_count() -> None:
    answer = run([("a", 1, 1), ("a", 5, 9), ("b", 1, 1)], as_of=date(2026, 1, 2))
    assert total(answer) == (2, 2)
    assert dict(answer.coverage["log"].left_out) == {"after_as_of": 1}


@pytest.mark.parametrize("schema", [pl.String, pl.Categorical])
def test_a_tie_is_an_error(schema: Any) -> None:
    with pytest.raises(KpiError, match="such as id a") as caught:
        run([("a", 1, 1), ("a", 1, 2), ("b", 1, 1)], schema=schema)
    assert caught.value.diagnostics[0].code == "tied-key"


def test_uniqueness_is_looked_up_once_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls = []
    monkeypatch.setattr("smartkpi.engines.polars.keys._look_up", lambda *args: bool(calls.append(args)) or True)
    made = plan([scan([cell("n")], time=TS)], dataset(time=TS, key=["id"]))
    for rows in (1, 2):
        pl.DataFrame({"id": ["a"] * rows, "ts": [date(2026, 1, 1)] * rows}).write_parquet(tmp_path / "log.parquet")
        for _ in range(2):
            engine(open_table(read("log.parquet", tmp_path))).collect(made)
        assert len(calls) == rows
